/* Secret memory: locked, left out of core dumps, between guard pages, wiped when freed
 * (OpenSSL's secure heap), and the few primitives that secrets need. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reserve the process's secret memory (bytes is rounded to a power of two) and switch off
 * core dumps and tracing of the process (RLIMIT_CORE 0, PR_SET_DUMPABLE 0). Once, before any thread.
 * KLM_E_NOMEM when memory cannot be locked: RLIMIT_MEMLOCK is too small. */
klm_rc klm_secret_init(size_t bytes) KLM_MUST_USE;
/* Zeroed secret bytes, or NULL when the reserve is used up. Without klm_secret_init (tools that
 * hold no keys) it is plain memory, still wiped. */
void *klm_secret_alloc(size_t n);
/* Wipe and free; p may be NULL; n is the size asked for. */
void klm_secret_free(void *p, size_t n);
/* While it is on, what OpenSSL allocates on this thread is secret memory, if there is any, and stays so until OpenSSL frees it: for a context that holds an expanded key. Not for what other
 * threads use. klm_secret_holds says of a piece whether it is. */
void klm_secret_crypto(bool on);
bool klm_secret_holds(const void *p);
/* Bytes in use and reserved, for status. */
void klm_secret_usage(size_t *used, size_t *reserved);
/* Compare in time that depends on n alone. */
bool klm_secret_equal(const void *a, const void *b, size_t n) KLM_MUST_USE;
/* Clear memory in a way the compiler keeps. */
void klm_wipe(void *p, size_t n);
/* n random bytes from the crypto library's private generator. KLM_E_CRYPTO when it fails: never go on. */
klm_rc klm_random(void *p, size_t n) KLM_MUST_USE;
/* Stir bytes of a stranger into the generator: they can do no harm, and count for nothing. */
void klm_random_stir(const void *p, size_t n);

#endif
