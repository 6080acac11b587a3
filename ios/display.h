/* What the operator of a host sees, line for line as z/OS says it (isklm reference 6.1 and 6.2; IEC205I as in the published job output).
 * Texts whose wording is not public (IOS627E, IOS631I) are ours and stand here alone. All append to a buffer, which remembers failure. */
#ifndef IOS_DISPLAY_H
#define IOS_DISPLAY_H

#include "base/buf.h"
#include "exchange/kx.h"
#include "ios/cartridge.h"
#include "ios/hosts.h"
#include "parmlib/iecios.h"

#include <time.h>

/* D IOS,EKM: IOS099I. */
void ios_show_ekm(struct klm_buf *out, const struct tm *when, const struct parm_ekm *ekm,
                  bool verifying);
/* The end of a verification: IOS631I, or IOS627E with the reason (why is NULL: good). */
void ios_show_verified(struct klm_buf *out, enum ios_which which, const struct parm_ekm_host *host,
                       const char *why);

/* Where a request comes from, as messages name it. */
struct ios_step {
    const char *unit, *volser, *dd, *job, *step;
};
/* IEC205I at close of a file that was written. number is that of the multi-line message. */
void ios_show_volume(struct klm_buf *out, unsigned number, const struct ios_step *step,
                     const struct ios_file_info *info, const struct kx_label *labels,
                     size_t labels_n);
/* IOS000I with the two lines of a key exchange failure. code is the device code of the key manager, or 0: no key manager was available (CU=01). */
void ios_show_failure(struct klm_buf *out, const struct ios_step *step, uint16_t code);

/* The code in "EKM=05EE31", "05EE31" or "EE31", anywhere in a line. False: there is none. */
bool ios_code_in(const char *line, uint16_t *code);
/* Meaning and action of a code. False: it is not known. */
bool ios_show_code(struct klm_buf *out, uint16_t code);

#endif
