/* Keys: counted and immutable. AES bytes and the numbers of private keys stand in secret memory. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

klm_rc kr_spec_check(const struct kr_spec *spec)
{
    unsigned bits = spec->bits;

    switch (spec->type) {
    case KR_AES:
        return bits == 128 || bits == 192 || bits == 256 ? KLM_OK : KLM_E_LIMIT;
    case KR_RSA:
        return bits >= 1024 && bits <= 4096 && bits % 8 == 0 ? KLM_OK : KLM_E_LIMIT;
    case KR_EC:
        return bits == 256 || bits == 384 ? KLM_OK : KLM_E_LIMIT;
    }
    return KLM_E_INVALID;
}

klm_rc kr_pkey_spec(EVP_PKEY *pkey, struct kr_spec *out)
{
    char group[32];

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        *out = (struct kr_spec){KR_RSA, (unsigned)EVP_PKEY_get_bits(pkey)};
        return KLM_OK;
    }
    if (!EVP_PKEY_is_a(pkey, "EC") ||
        EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    if (strcmp(group, "prime256v1") == 0) {
        *out = (struct kr_spec){KR_EC, 256};
        return KLM_OK;
    }
    if (strcmp(group, "secp384r1") == 0) {
        *out = (struct kr_spec){KR_EC, 384};
        return KLM_OK;
    }
    return KLM_E_UNSUPPORTED;
}

static klm_rc key_new(const struct kr_spec *spec, struct kr_key **out)
{
    struct kr_key *key = calloc(1, sizeof *key);

    if (!key) {
        return KLM_E_NOMEM;
    }
    atomic_init(&key->refs, 1);
    key->spec = *spec;
    *out = key;
    return KLM_OK;
}

static klm_rc aes_new(unsigned bits, struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;

    KLM_TRY(key_new(&(struct kr_spec){KR_AES, bits}, &key));
    KLM_TRY(kr_secret_new(bits / 8, &key->aes));
    key->aes.n = bits / 8;
    *out = key;
    key = NULL;
    return KLM_OK;
}

klm_rc kr_key_from_aes(struct klm_slice bytes, struct kr_key **out)
{
    struct kr_key *key = NULL;

    if (bytes.n != 16 && bytes.n != 24 && bytes.n != 32) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(aes_new((unsigned)bytes.n * 8, &key));
    memcpy(key->aes.p, bytes.p, bytes.n);
    *out = key;
    return KLM_OK;
}

klm_rc kr_key_from_pkey(EVP_PKEY *take_pkey, struct kr_key **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = take_pkey;
    struct kr_spec spec;
    struct kr_key *key = NULL;

    KLM_TRY(kr_pkey_spec(pkey, &spec));
    KLM_TRY(kr_spec_check(&spec));
    KLM_TRY(key_new(&spec, &key));
    key->pkey = pkey;
    pkey = NULL;
    *out = key;
    return KLM_OK;
}

static klm_rc generate_aes(unsigned bits, struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;

    KLM_TRY(aes_new(bits, &key));
    KLM_TRY(klm_random(key->aes.p, key->aes.n));
    *out = key;
    key = NULL;
    return KLM_OK;
}

klm_rc kr_key_generate(const struct kr_spec *spec, struct kr_key **out)
{
    EVP_PKEY *pkey = NULL;

    KLM_TRY(kr_spec_check(spec));
    switch (spec->type) {
    case KR_AES:
        return generate_aes(spec->bits, out);
    case KR_RSA:
        pkey = EVP_RSA_gen(spec->bits);
        break;
    case KR_EC:
        pkey = EVP_EC_gen(spec->bits == 256 ? "P-256" : "P-384");
        break;
    }
    return pkey ? kr_key_from_pkey(pkey, out) : kr_quiet(KLM_E_CRYPTO);
}

struct kr_key *kr_key_ref(struct kr_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void kr_key_free(struct kr_key **key)
{
    struct kr_key *k = key ? *key : NULL;

    if (!k) {
        return;
    }
    *key = NULL;
    if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    kr_secret_done(&k->aes);
    EVP_PKEY_free(k->pkey);
    kr_far_free(&k->far);
    free(k);
}

struct kr_spec kr_key_spec(const struct kr_key *key)
{
    return key->spec;
}

bool kr_key_same(const struct kr_key *a, const struct kr_key *b)
{
    return a->spec.type == KR_AES && b->spec.type == KR_AES && a->aes.n == b->aes.n &&
           klm_secret_equal(a->aes.p, b->aes.p, a->aes.n);
}

bool kr_key_in_token(const struct kr_key *key)
{
    return key->far && !key->far->master;
}

klm_rc kr_key_opened(struct kr_key *key, struct kr_key **out)
{
    if (!key->far) {
        *out = kr_key_ref(key);
        return KLM_OK;
    }
    if (!key->far->master) {
        return KLM_E_UNSUPPORTED;
    }
    return kr_token_open(key->far->master, key->far->label,
                         KLM_SLICE(key->far->sealed, key->far->sealed_n), out);
}

struct evp_pkey_st *kr_key_pkey(struct kr_key *key)
{
    return key->pkey;
}
