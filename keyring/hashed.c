/* Hashed passwords. */
#include "keyring/hashed.h"

#include "base/secret.h"
#include "keyring/material_int.h"
#include "keyring/verifier.h"

#include <string.h>

static const struct {
    uint32_t hash;
    size_t n;
} hashes[] = {{KMIP_HashingAlgorithm_SHA_256, 32},
              {KMIP_HashingAlgorithm_SHA_384, 48},
              {KMIP_HashingAlgorithm_SHA_512, 64}};
#define KEPT (2 * (32 + 48 + 64)) /* S1 and Hash(S2) of each */

size_t kr_hashed_size(uint32_t hash)
{
    for (size_t i = 0; i < KLM_COUNT(hashes); i++) {
        if (hashes[i].hash == hash) {
            return hashes[i].n;
        }
    }
    return 0;
}

/* Digest of parts one behind the other. */
static klm_rc digest(uint32_t hash, const struct klm_slice *part, size_t n, uint8_t *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = kr_md(hash);
    bool ok = ctx && md && EVP_DigestInit_ex(ctx, md, NULL) == 1;

    for (size_t i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, part[i].p, part[i].n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

static klm_rc make_one(size_t i, struct klm_slice user, struct klm_slice password, uint8_t *to)
{
    const struct klm_slice s1[] = {user, password}, s2[] = {password, user};
    uint8_t second[KR_HASHED_MOST];
    klm_rc rc = digest(hashes[i].hash, s2, 2, second);

    if (rc == KLM_OK) {
        rc = digest(hashes[i].hash, s1, 2, to);
    }
    if (rc == KLM_OK) {
        rc = digest(hashes[i].hash, &KLM_SLICE(second, hashes[i].n), 1, to + hashes[i].n);
    }
    klm_wipe(second, sizeof second);
    return rc;
}

klm_rc kr_hashed_make(struct klm_slice user, struct klm_slice password, struct kr_material **out)
{
    static const struct kr_material_spec spec = {.object = KMIP_ObjectType_SecretData,
                                                 .format = KMIP_KeyFormatType_Opaque};
    KLM_AUTO(kr_secret_done) struct kr_secret kept = {0};

    if (user.n == 0 || user.n > KR_VERIFIER_MOST || password.n == 0 ||
        password.n > KR_VERIFIER_MOST) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_secret_new(KEPT, &kept));
    for (size_t i = 0; i < KLM_COUNT(hashes); i++) {
        KLM_TRY(make_one(i, user, password, kept.p + kept.n));
        kept.n += 2 * hashes[i].n;
    }
    return kr_material_copy(&spec, KLM_SLICE(kept.p, kept.n), out);
}

/* S1 and Hash(S2) of a hash, borrowed; p NULL: there is no such hash. */
static const uint8_t *kept_of(const uint8_t *kept, uint32_t hash)
{
    for (size_t i = 0; i < KLM_COUNT(hashes); i++) {
        if (hashes[i].hash == hash) {
            return kept;
        }
        kept += 2 * hashes[i].n;
    }
    return NULL;
}

static void put_time(int64_t timestamp, uint8_t out[8])
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)((uint64_t)timestamp >> (56 - 8 * i));
    }
}

klm_rc kr_hashed_try(const struct kr_material *kept, uint32_t hash, int64_t timestamp,
                     struct klm_slice shown, uint8_t answer[KR_HASHED_MOST], size_t *n)
{
    const size_t size = kr_hashed_size(hash);
    uint8_t time[8], first[KR_HASHED_MOST], second[KR_HASHED_MOST];
    const uint8_t *s1;
    bool right;

    if (!size) {
        return KLM_E_UNSUPPORTED;
    }
    if (kept->bytes.n != KEPT || kept->spec.object != KMIP_ObjectType_SecretData) {
        return KLM_E_CORRUPT;
    }
    if (shown.n != 2 * size) {
        return KLM_E_WRONGKEY;
    }
    s1 = kept_of(kept->bytes.p, hash);
    put_time(timestamp, time);
    KLM_TRY(digest(hash, (const struct klm_slice[]){KLM_SLICE(s1, size), KLM_SLICE(time, 8)}, 2,
                   first));
    KLM_TRY(digest(hash, &KLM_SLICE(shown.p + size, size), 1, second));
    right = klm_secret_equal(first, shown.p, size);
    right = klm_secret_equal(second, s1 + size, size) && right; /* both, whatever the first says */
    if (!right) {
        return KLM_E_WRONGKEY;
    }
    KLM_TRY(digest(hash, (const struct klm_slice[]){KLM_SLICE(time, 8), KLM_SLICE(s1, 2 * size)}, 2,
                   answer));
    *n = size;
    return KLM_OK;
}
