/* Time. Wall time is microseconds since 1970 UTC and can be set by tests; deadlines use the
 * monotonic clock, so that a jump of the wall clock never cuts or stretches one. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t klm_time; /* microseconds since 1970-01-01 00:00:00 UTC */

/* Now, or the time that a test set. */
klm_time klm_clock(void);
/* Tests: make klm_clock answer t from now on; 0 goes back to the machine's clock. */
void klm_clock_set(klm_time t);
/* Milliseconds of the monotonic clock. */
uint64_t klm_clock_mono_ms(void);
/* The same as it was at the last tick of the kernel, up to 10 ms ago: an eighth of the cost, for deadlines of seconds that are moved with each request. */
uint64_t klm_clock_tick_ms(void);
/* Nanoseconds of the monotonic clock, for measuring. */
uint64_t klm_clock_mono_ns(void);

#define KLM_JAVA_DATE_MAX 32
#define KLM_ISO_DATE_MAX 32
/* Java's Date.toString in GMT, always English: "Tue Oct 18 19:35:08 GMT 2011". */
void klm_java_date(klm_time t, char out[KLM_JAVA_DATE_MAX]);
/* Back again, to the second. KLM_E_INVALID. GMT and UTC are the zones it knows. */
klm_rc klm_java_date_parse(const char *s, klm_time *out) KLM_MUST_USE;
/* "2011-10-18T19:35:08.000000Z". */
void klm_iso_date(klm_time t, char out[KLM_ISO_DATE_MAX]);
klm_rc klm_iso_date_parse(const char *s, klm_time *out) KLM_MUST_USE;

#endif
