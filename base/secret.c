/* Secret memory on OpenSSL's secure heap: mmap with guard pages, mlock, MADV_DONTDUMP, wiped on
 * free. */
#include "base/secret.h"

#include "base/msg.h"
#include "base/tls.h"

#include <limits.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SECRET_MIN 16 /* smallest piece the heap gives out */
#define SECRET_RESERVE_MIN 4096
#define SECRET_RESERVE_MAX ((size_t)1 << 30)

static size_t reserve;

static klm_rc no_dumps(void)
{
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return KLM_E_DENIED;
    }
    return KLM_OK;
}

/* What OpenSSL was given of the secret heap lies between these, and nothing that is not of that heap does. */
static atomic_uintptr_t crypto_low = UINTPTR_MAX, crypto_high;
static _Thread_local bool for_crypto;

static bool given_to_crypto(const void *p)
{
    return (uintptr_t)p >= atomic_load_explicit(&crypto_low, memory_order_relaxed) &&
           (uintptr_t)p < atomic_load_explicit(&crypto_high, memory_order_relaxed);
}

static void *alloc_for_crypto(size_t n)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards changes of the two */
    void *p = n ? OPENSSL_secure_malloc(n) : NULL;

    if (p) {
        pthread_mutex_lock(&lock);
        crypto_low = (uintptr_t)p < crypto_low ? (uintptr_t)p : crypto_low;
        crypto_high = (uintptr_t)p >= crypto_high ? (uintptr_t)p + 1 : crypto_high;
        pthread_mutex_unlock(&lock);
    }
    return p;
}

void klm_secret_crypto(bool on)
{
    for_crypto = on;
}

bool klm_secret_holds(const void *p)
{
    return p && CRYPTO_secure_allocated(p);
}

/* OpenSSL frees some clear copies of private keys as they are (its DER decoders do), so all that it
 * frees is cleared. */
static void wiping_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p && given_to_crypto(p)) {
        OPENSSL_secure_clear_free(p, CRYPTO_secure_actual_size(p));
    } else if (p) {
        explicit_bzero(p, malloc_usable_size(p));
        free(p);
    }
}

static void *plain_alloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    if (for_crypto && CRYPTO_secure_malloc_initialized()) {
        return alloc_for_crypto(n);
    }
    return n ? malloc(n) : NULL;
}

static void *wiping_realloc(void *p, size_t n, const char *file, int line)
{
    void *to = p && given_to_crypto(p) ? alloc_for_crypto(n) : plain_alloc(n, file, line);

    if (p && to) {
        size_t had = given_to_crypto(p) ? CRYPTO_secure_actual_size(p) : malloc_usable_size(p);

        memcpy(to, p, had < n ? had : n);
    }
    if (to || n == 0) {
        wiping_free(p, file, line);
    }
    return to;
}

klm_rc klm_secret_init(size_t bytes)
{
    size_t size = SECRET_RESERVE_MIN;

    if (CRYPTO_secure_malloc_initialized()) {
        return KLM_E_STATE;
    }
    if (bytes > SECRET_RESERVE_MAX) {
        return KLM_E_LIMIT;
    }
    while (size < bytes) {
        size *= 2;
    }
    KLM_TRY(no_dumps());
    /* Refused once OpenSSL has allocated anything: then its own clearing has to do. */
    (void)CRYPTO_set_mem_functions(plain_alloc, wiping_realloc, wiping_free);
    /* 2 means that it has memory but could not lock it, which is not what was asked for. */
    if (CRYPTO_secure_malloc_init(size, SECRET_MIN) != 1) {
        (void)CRYPTO_secure_malloc_done(); /* nothing was given out yet, so it cannot refuse */
        return KLM_E_NOMEM;
    }
    reserve = size;
    return KLM_OK;
}

void *klm_secret_alloc(size_t n)
{
    return OPENSSL_secure_zalloc(n ? n : 1);
}

void klm_secret_free(void *p, size_t n)
{
    OPENSSL_secure_clear_free(p, n ? n : 1);
}

void klm_secret_usage(size_t *used, size_t *reserved)
{
    *used = CRYPTO_secure_malloc_initialized() ? CRYPTO_secure_used() : 0;
    *reserved = reserve;
}

bool klm_secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void klm_wipe(void *p, size_t n)
{
    if (p && n) {
        explicit_bzero(p, n); /* as sure as OPENSSL_cleanse and several times as fast */
    }
}

klm_rc klm_random(void *p, size_t n)
{
    unsigned char *to = p;

    while (n) {
        int part = n > INT_MAX ? INT_MAX : (int)n;

        if (RAND_priv_bytes(to, part) != 1) {
            char why[256];

            klm_say(KLM_MSG_RANDOM, klm_openssl_error(why, sizeof why));
            return KLM_E_CRYPTO;
        }
        to += part;
        n -= (size_t)part;
    }
    return KLM_OK;
}

void klm_random_stir(const void *p, size_t n)
{
    RAND_add(p, n > INT_MAX ? INT_MAX : (int)n, 0.0);
}
