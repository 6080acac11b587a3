/* The master key in memory: made of parts, or at random; its verification pattern; keys derived
 * from it. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 16
#define OTHERS 4 /* known besides: the one before, the next */
#define VP_TEXT "klm verification pattern"

struct kr_master {
    struct kr_secret
        key; /* in a token and strict: keys for purposes come from it, key tokens do not */
    uint8_t id[8];
    bool escrowed;
    struct p11 *p11;                     /* borrowed; NULL: no token is configured */
    char object[KR_TOKEN_LABEL_MAX + 1]; /* the token's key that seals it; "": it is in no token */
    bool strict;                         /* each use goes to the token's key */
    /* While the master key is changed, tokens are under several. Only ever added to, so that readers need no lock. */
    _Atomic(struct kr_master *) other[OTHERS];
    _Atomic(struct kr_master *) sealing; /* what new tokens are sealed under; NULL: this one */
};

klm_rc kr_vp_bytes(const uint8_t key[32], uint8_t out[8])
{
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t digest[32];

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(md, VP_TEXT, strlen(VP_TEXT)) != 1 || EVP_DigestUpdate(md, key, 32) != 1 ||
        EVP_DigestFinal_ex(md, digest, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    memcpy(out, digest, 8);
    return KLM_OK;
}

void kr_part_vp(const uint8_t part[32], char out[KR_VP_MAX])
{
    uint8_t id[8];

    if (kr_vp_bytes(part, id) != KLM_OK) {
        memset(id, 0, sizeof id); /* no memory: a pattern that nobody takes for right */
    }
    klm_hex_upper(id, sizeof id, out);
}

klm_rc kr_master_from_bytes(const uint8_t key[32], bool escrowed, struct kr_master **out)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = calloc(1, sizeof *master);

    if (!master) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(kr_secret_new(32, &master->key));
    memcpy(master->key.p, key, 32);
    master->key.n = 32;
    master->escrowed = escrowed;
    KLM_TRY(kr_vp_bytes(key, master->id));
    *out = master;
    master = NULL;
    return KLM_OK;
}

/* Two equal parts, or parts that cancel each other, would make a key of zeros that anybody
 * knows. */
static bool all_zero(const uint8_t key[32])
{
    static const uint8_t zero[32];

    return klm_secret_equal(key, zero, sizeof zero);
}

klm_rc kr_master_from_parts(const uint8_t (*parts)[32], size_t n, struct kr_master **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};

    if (n < 2 || n > PARTS_MAX) {
        return n < 2 ? KLM_E_INVALID : KLM_E_LIMIT;
    }
    KLM_TRY(kr_secret_new(32, &key));
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < 32; b++) {
            key.p[b] ^= parts[i][b];
        }
    }
    if (all_zero(key.p)) {
        return KLM_E_INVALID;
    }
    return kr_master_from_bytes(key.p, true, out); /* the officers hold the parts */
}

klm_rc kr_master_generate(struct kr_master **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};

    KLM_TRY(kr_secret_new(32, &key));
    KLM_TRY(klm_random(key.p, 32));
    return kr_master_from_bytes(key.p, false, out);
}

klm_rc kr_master_split(const struct kr_master *master, uint8_t (*parts)[32], size_t n)
{
    KLM_AUTO(kr_secret_done) struct kr_secret last = {0};

    if (n < 2 || n > PARTS_MAX) {
        return n < 2 ? KLM_E_INVALID : KLM_E_LIMIT;
    }
    KLM_TRY(kr_secret_new(32, &last));
    memcpy(last.p, master->key.p, 32);
    for (size_t i = 0; i + 1 < n; i++) {
        KLM_TRY(klm_random(parts[i], 32));
        for (size_t b = 0; b < 32; b++) {
            last.p[b] ^= parts[i][b];
        }
    }
    memcpy(parts[n - 1], last.p, 32);
    return KLM_OK;
}

klm_rc kr_master_from_token(const struct kr_in_token *in, bool escrowed, struct kr_master **out)
{
    struct kr_master *master = NULL;

    KLM_TRY(kr_master_from_bytes(in->working, escrowed, &master));
    master->p11 = in->p11;
    master->strict = in->strict;
    memcpy(master->object, in->object, strlen(in->object) + 1);
    if (in->strict && kr_vp_bytes(in->check, master->id) != KLM_OK) {
        kr_master_free(&master);
        return KLM_E_CRYPTO;
    }
    *out = master;
    return KLM_OK;
}

const struct kr_master *kr_master_sealing(const struct kr_master *master)
{
    const struct kr_master *sealing = atomic_load_explicit(&master->sealing, memory_order_acquire);

    return sealing ? sealing : master;
}

const struct kr_master *kr_master_at(const struct kr_master *master, size_t i)
{
    return i == 0       ? master
           : i > OTHERS ? NULL
                        : atomic_load_explicit(&master->other[i - 1], memory_order_acquire);
}

klm_rc kr_master_know(struct kr_master *master, struct kr_master **take)
{
    const struct kr_master *known;

    for (size_t i = 0; (known = kr_master_at(master, i)) != NULL; i++) {
        if (memcmp(known->id, (*take)->id, sizeof known->id) == 0) {
            kr_master_free(take);
            return KLM_OK;
        }
    }
    for (size_t i = 0; i < OTHERS; i++) {
        if (!atomic_load(&master->other[i])) {
            atomic_store_explicit(&master->other[i], *take, memory_order_release);
            *take = NULL;
            return KLM_OK;
        }
    }
    return KLM_E_LIMIT;
}

bool kr_master_knows_others(const struct kr_master *master)
{
    return kr_master_at(master, 1) != NULL;
}

klm_rc kr_master_seal_with(struct kr_master *master, const char *vp)
{
    char theirs[KR_VP_MAX];

    klm_hex_upper(master->id, sizeof master->id, theirs);
    if (strcmp(theirs, vp) == 0) {
        atomic_store_explicit(&master->sealing, NULL, memory_order_release);
        return KLM_OK;
    }
    for (size_t i = 0; i < OTHERS; i++) {
        struct kr_master *other = atomic_load_explicit(&master->other[i], memory_order_acquire);

        if (!other) {
            break;
        }
        klm_hex_upper(other->id, sizeof other->id, theirs);
        if (strcmp(theirs, vp) == 0) {
            atomic_store_explicit(&master->sealing, other, memory_order_release);
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

bool kr_master_in_hardware(const struct kr_master *master)
{
    return kr_master_sealing(master)->object[0] != '\0';
}

struct p11 *kr_master_p11(const struct kr_master *master)
{
    return master->p11;
}

void kr_master_use_token(struct kr_master *master, struct p11 *p11)
{
    master->p11 = p11;
}

const char *kr_master_strict(const struct kr_master *master)
{
    return master->strict ? master->object : NULL;
}

bool kr_master_is_strict(const struct kr_master *master)
{
    return kr_master_sealing(master)->strict;
}

const char *kr_master_object(const struct kr_master *master)
{
    return kr_master_sealing(master)->object;
}

bool kr_master_escrowed(const struct kr_master *master)
{
    return kr_master_sealing(master)->escrowed;
}

void kr_master_vp(const struct kr_master *master, char out[KR_VP_MAX])
{
    klm_hex_upper(kr_master_sealing(master)->id, sizeof master->id, out);
}

klm_rc kr_master_derive(const struct kr_master *master, const char *purpose, uint8_t out[32])
{
    if (!purpose[0]) {
        return KLM_E_INVALID;
    }
    return kr_hkdf(master->key.p, KLM_SLICE(NULL, 0), purpose, out);
}

const uint8_t *kr_master_key(const struct kr_master *master)
{
    return master->key.p;
}

const uint8_t *kr_master_id(const struct kr_master *master)
{
    return master->id;
}

void kr_master_free(struct kr_master **master)
{
    struct kr_master *m = master ? *master : NULL;

    if (!m) {
        return;
    }
    *master = NULL;
    for (size_t i = 0; i < OTHERS; i++) {
        struct kr_master *other = atomic_load(&m->other[i]);

        kr_master_free(&other);
    }
    kr_secret_done(&m->key);
    free(m);
}
