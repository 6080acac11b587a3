/* Within smf, and for tests and tools that look at single bytes: the rows of records.def as constants, text in EBCDIC with its
 * escapes, packed dates. */
#ifndef SMF_TYPE83_INT_H
#define SMF_TYPE83_INT_H

#include "base/clock.h"
#include "smf/type83.h"

/* SMF83TME is the offset of the field, SMF83TME_N its length; SMF83_HEADER the length of the section. */
enum smf_t83_layout {
#define SMF_T83_HEADER(name, offset, length, form, what, source)                                   \
    name = (offset), name##_N = (length),
#define SMF_T83_PRODUCT(name, offset, length, form, what, source)                                  \
    name = (offset), name##_N = (length),
#define SMF_T83_SECURITY(name, offset, length, form, what, source)                                 \
    name = (offset), name##_N = (length),
#define SMF_T83_EXTENDED(name, offset, length, form, what, source)                                 \
    name = (offset), name##_N = (length),
#include "smf/records.def"
    SMF83_SECTIONS = SMF83_HEADER + SMF83_PRODUCT + SMF83_SECURITY
};
enum smf_t83_value {
#define SMF_T83_VALUE(name, value, what, source) name = (value),
#include "smf/records.def"
    SMF83_QUALIFIER_SUCCESS = 0,
    SMF83_QUALIFIER_INFORMATION = 1,
    SMF83_QUALIFIER_FAILURE = 3
};
#define SMF_T83_STRING(name, text, what, source) static const char name[] = text;
#include "smf/records.def"

/* A big-endian number of n bytes (at most 8). */
static inline void smf_put_number(uint8_t *p, size_t n, uint64_t v)
{
    while (n--) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}
static inline uint64_t smf_get_number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}
/* A field of a section by its name, as a number. */
#define SMF_SET(section, name, v) smf_put_number((section) + (name), name##_N, (v))
#define SMF_GET(section, name) smf_get_number((section) + (name), name##_N)

/* Local time as SMF has it. */
struct smf_local {
    uint32_t hundredths; /* since midnight */
    uint32_t packed;     /* 0cyydddF */
};
struct smf_local smf_local_of(klm_time t, int utc_offset_min);
/* Year and day of a packed date; false: it is none. */
bool smf_packed_date(uint32_t packed, int *year, int *day);

/* "+01:00" as minutes; false: it is no offset. */
bool smf_offset_parse(const char *s, int *minutes);

/* Append UTF-8 text in code page 1047: what the page does not have as \u{HEX}, a backslash before u{ as \u{5C}, control characters
 * and what is no UTF-8 as a dot. Failures stay in the buffer. */
void smf_ebcdic_put(struct klm_buf *out, const char *text, size_t n);
/* The same for the text of a section, by its place in the record: quicker when the calling thread put the same text at that place last. */
void smf_ebcdic_put_at(struct klm_buf *out, const char *text, size_t n, size_t place);
/* Bytes that smf_ebcdic_get writes at most. */
#define SMF_EBCDIC_GROWS 2
/* The way back, into to (SMF_EBCDIC_GROWS * in.n bytes); how many bytes it wrote. KLM_E_CORRUPT: a control character, as it is
 * or escaped, or an escape of a surrogate or beyond U+10FFFF. */
klm_rc smf_ebcdic_get(struct klm_slice in, uint8_t *to, size_t *n) KLM_MUST_USE;

#endif
