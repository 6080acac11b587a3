/* Verifiers by scrypt, and the keyed hash. */
#include "keyring/verifier.h"

#include "base/secret.h"
#include "keyring/backup.h"
#include "keyring/internal.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define COST_AT 1
#define SALT_AT 4
#define HASH_AT (SALT_AT + KR_SALT)
#define REST_AT (HASH_AT + 32)

static const struct kr_scrypt cost_now = {15, 8, 3};
#define MEMORY_MOST ((uint64_t)128 << 20) /* of one: several workers may be at it */

klm_rc kr_verifier_make(struct klm_slice password, uint8_t out[KR_VERIFIER])
{
    KLM_AUTO(kr_secret_done) struct kr_secret hash = {0};
    uint8_t made[KR_VERIFIER] = {VERSION, (uint8_t)cost_now.log_n, (uint8_t)cost_now.r,
                                 (uint8_t)cost_now.p};

    if (password.n < KR_VERIFIER_LEAST || password.n > KR_VERIFIER_MOST) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(klm_random(made + SALT_AT, KR_SALT));
    KLM_TRY(kr_stretch(&cost_now, password, made + SALT_AT, &hash));
    memcpy(made + HASH_AT, hash.p, 32);
    memcpy(out, made, sizeof made);
    return KLM_OK;
}

static struct kr_scrypt cost_of(const uint8_t *verifier)
{
    return (struct kr_scrypt){verifier[COST_AT], verifier[COST_AT + 1], verifier[COST_AT + 2]};
}

klm_rc kr_verifier_check(const uint8_t verifier[KR_VERIFIER])
{
    const struct kr_scrypt cost = cost_of(verifier);

    for (size_t i = REST_AT; i < KR_VERIFIER; i++) {
        if (verifier[i] != 0) {
            return KLM_E_CORRUPT;
        }
    }
    return verifier[0] == VERSION && cost.log_n >= KR_SCRYPT_LOG_N_LEAST &&
                   cost.log_n <= KR_SCRYPT_LOG_N_MOST && cost.r >= 1 && cost.p >= 1 &&
                   cost.p <= KR_SCRYPT_P_MOST &&
                   (UINT64_C(128) << cost.log_n) * cost.r <= MEMORY_MOST
               ? KLM_OK
               : KLM_E_CORRUPT;
}

klm_rc kr_verifier_try(const uint8_t verifier[KR_VERIFIER], struct klm_slice password)
{
    KLM_AUTO(kr_secret_done) struct kr_secret hash = {0};
    const struct kr_scrypt cost = cost_of(verifier);

    KLM_TRY(kr_verifier_check(verifier));
    if (password.n > KR_VERIFIER_MOST) {
        return KLM_E_WRONGKEY;
    }
    KLM_TRY(kr_stretch(&cost, password, verifier + SALT_AT, &hash));
    return klm_secret_equal(hash.p, verifier + HASH_AT, 32) ? KLM_OK : KLM_E_WRONGKEY;
}

/* ---- One-time passwords */

static const struct kr_scrypt cost_once = {14, 8, 1};

klm_rc kr_once_head(uint8_t head[KR_ONCE_HEAD])
{
    uint8_t made[KR_ONCE_HEAD] = {VERSION, (uint8_t)cost_once.log_n, (uint8_t)cost_once.r,
                                  (uint8_t)cost_once.p};

    KLM_TRY(klm_random(made + SALT_AT, KR_SALT));
    memcpy(head, made, sizeof made);
    return KLM_OK;
}

klm_rc kr_once_hash(const uint8_t head[KR_ONCE_HEAD], struct klm_slice password,
                    uint8_t out[KR_ONCE])
{
    KLM_AUTO(kr_secret_done) struct kr_secret hash = {0};
    const struct kr_scrypt cost = cost_of(head);
    uint8_t verifier[KR_VERIFIER] = {0};

    memcpy(verifier, head, KR_ONCE_HEAD);
    KLM_TRY(kr_verifier_check(verifier));
    if (password.n < KR_ONCE_LEAST || password.n > KR_VERIFIER_MOST) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_stretch(&cost, password, head + SALT_AT, &hash));
    memcpy(out, hash.p, KR_ONCE);
    return KLM_OK;
}

/* ---- The keyed hash */

#define KEY 32
struct kr_keyed {
    uint8_t *key; /* secret memory */
};

klm_rc kr_keyed_new(struct kr_keyed **out)
{
    KLM_AUTO(kr_keyed_free) struct kr_keyed *keyed = calloc(1, sizeof *keyed);

    if (!keyed) {
        return KLM_E_NOMEM;
    }
    keyed->key = klm_secret_alloc(KEY);
    if (!keyed->key) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_random(keyed->key, KEY));
    *out = keyed;
    keyed = NULL;
    return KLM_OK;
}

void kr_keyed_free(struct kr_keyed **keyed)
{
    if (*keyed) {
        klm_secret_free((*keyed)->key, KEY);
        free(*keyed);
        *keyed = NULL;
    }
}

klm_rc kr_keyed_hash(const struct kr_keyed *keyed, const struct klm_slice *part, size_t n,
                     uint8_t out[32])
{
    struct klm_buf data;
    unsigned len = 0;
    uint8_t hash[32];
    klm_rc rc;

    klm_buf_init_wiping(&data, KR_KEYED_MOST);
    for (size_t i = 0; i < n; i++) {
        klm_buf_lp32(&data, part[i]);
    }
    rc = klm_buf_rc(&data);
    if (rc == KLM_OK &&
        (!HMAC(EVP_sha256(), keyed->key, KEY, data.p, data.n, hash, &len) || len != sizeof hash)) {
        rc = kr_quiet(KLM_E_CRYPTO);
    }
    if (rc == KLM_OK) {
        memcpy(out, hash, sizeof hash);
    }
    klm_buf_done(&data);
    return rc;
}
