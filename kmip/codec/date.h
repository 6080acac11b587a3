/* Dates of XML and JSON: xsd:dateTime, of which ISO 8601 with seconds is all that KMIP needs. */
#ifndef KMIP_CODEC_DATE_H
#define KMIP_CODEC_DATE_H

#include "base/pool.h"

#include <stdbool.h>

/* "2011-10-18T19:35:08Z" for seconds since 1970; extended: microseconds since 1970, with six digits of a fraction. A number beyond the years 1 to
 * 9999 as "0x" and 16 digits. NULL when the pool ran out. */
const char *kmip_date_text(struct klm_pool *pool, int64_t number, bool extended);
/* Back; Z, an offset (+02:00) or nothing (UTC) at its end, with or without a fraction. KLM_E_INVALID: no such date. */
klm_rc kmip_date_parse(const char *text, bool extended, int64_t *out) KLM_MUST_USE;

#endif
