/* UTF-8, as far as labels, names and texts of operators need it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/pool.h"

#include <stdbool.h>

/* Bytes of the well-formed character at p (RFC 3629, section 4: no overlong forms, no
 * surrogates, nothing above U+10FFFF), or 0. */
size_t klm_utf8_char(const uint8_t *p, size_t n);
/* True when all of it may be shown and put into XML: no control characters (C0, DEL, C1), no
 * U+xxFFFE or U+xxFFFF, nothing that is not UTF-8. An empty text is printable. */
bool klm_utf8_printable(struct klm_slice text);

#endif
