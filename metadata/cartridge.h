/* What a managed object says of a cartridge: tape libraries that speak KMIP make a key for a cartridge, and name both the key identifier that stands on the tape and the barcode on its
 * outside. The rules are rows of cartridge.def. With these facts such a key stands in usage metadata and audit as that of a drive does. */
#ifndef METADATA_CARTRIDGE_H
#define METADATA_CARTRIDGE_H

#include "metadata/md.h"
#include "metadata/object.h"

struct md_cartridge {
    char volser[7]; /* "": no barcode that tells one */
    char dki
        [MD_DKI_MAX +
         1]; /* key identifier as it was registered; "": none, or one that is no hexadecimal text */
};
/* Is it the key of a cartridge? False, and out is empty, for other objects. */
bool md_cartridge(const struct md_object *object, struct md_cartridge *out);
/* The volume serial of a barcode. KLM_E_INVALID: it has none. */
klm_rc md_barcode_volser(struct klm_slice barcode, char out[7]) KLM_MUST_USE;

#endif
