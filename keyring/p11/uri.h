/* Names of tokens and keys in them: PKCS#11 URIs (RFC 7512), as far as they name things. What a URI could say about the library or the
 * PIN is refused: those come from the configuration, and a PIN never stands on a command line. */
#ifndef KEYRING_P11_URI_H
#define KEYRING_P11_URI_H

#include "base/msg.h"

#define P11_TOKEN_MAX 32  /* PKCS#11: CK_TOKEN_INFO.label */
#define P11_SERIAL_MAX 16 /* CK_TOKEN_INFO.serialNumber */
#define P11_OBJECT_MAX 64 /* as a key label of this product */

struct p11_uri {
    char token[P11_TOKEN_MAX + 1];
    char serial[P11_SERIAL_MAX + 1];
    char object[P11_OBJECT_MAX + 1];
}; /* "" where the URI does not say */

/* "pkcs11:token=...;serial=...;object=...", each at most once, percent-encoded. KLM_E_INVALID with a message. */
klm_rc p11_uri_parse(const char *text, struct p11_uri *out, struct klm_diag *diag) KLM_MUST_USE;
/* Is it meant as one: does it begin with "pkcs11:"? */
bool p11_uri_is(const char *text);

#endif
