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
/* How a character that means something in XML and HTML stands in a text or an attribute's value ("&amp;"); NULL: as it is. */
const char *klm_markup_escape(uint8_t c);

/* How many bytes at p are printable ASCII (X'20' to X'7E') and none of those in `except`, which has at most three. Most text is
 * nothing else, so it is looked at eight bytes at a time. */
size_t klm_ascii_run(const uint8_t *p, size_t n, const char *except);
/* Is all of it printable ASCII? Nothing is, too. */
bool klm_ascii_plain(const uint8_t *p, size_t n);

#endif
