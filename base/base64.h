/* Base 64 (RFC 4648, 4), with padding and without line ends. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

#define KLM_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* of the text of n bytes, with its NUL */

/* Write the text of n bytes to out, of KLM_BASE64_SIZE(n). */
void klm_base64(const void *p, size_t n, char *out);
/* Back again: exactly one way to write each value. KLM_E_INVALID: no such text; KLM_E_LIMIT: more than cap bytes. */
klm_rc klm_unbase64(const char *text, uint8_t *out, size_t cap, size_t *n) KLM_MUST_USE;

#endif
