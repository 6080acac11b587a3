/* Sealing and opening records. This is on the path of every put and get, so the key is set up once
 * and contexts, which the library can start over without the key, are kept on a short list. */
#include "store/envelope.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXTS_MAX 16

/* Keyed; it can be started over without the key. */
struct st_mac_ctx {
    EVP_MAC_CTX *evp;
};

struct st_mac {
    uint8_t *key;         /* 32 secret bytes */
    EVP_MAC_CTX *first;   /* keyed; only ever copied */
    pthread_mutex_t lock; /* guards idle and idle_n */
    struct st_mac_ctx *idle[CONTEXTS_MAX];
    size_t idle_n;
};

static klm_rc set_up(struct st_mac *mac)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    mac->first = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (!mac->first || !EVP_MAC_init(mac->first, mac->key, 32, params)) {
        return KLM_E_CRYPTO;
    }
    return KLM_OK;
}

klm_rc st_mac_new(const uint8_t key[32], struct st_mac **out)
{
    KLM_AUTO(st_mac_free) struct st_mac *mac = calloc(1, sizeof *mac);

    if (!mac) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&mac->lock, NULL);
    mac->key = klm_secret_alloc(32);
    if (!mac->key) {
        return KLM_E_NOMEM;
    }
    memcpy(mac->key, key, 32);
    KLM_TRY(set_up(mac));
    *out = mac;
    mac = NULL;
    return KLM_OK;
}

static void ctx_free(struct st_mac_ctx *ctx)
{
    if (ctx) {
        EVP_MAC_CTX_free(ctx->evp);
        free(ctx);
    }
}

void st_mac_free(struct st_mac **mac)
{
    struct st_mac *m = *mac;

    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->idle_n; i++) {
        ctx_free(m->idle[i]);
    }
    EVP_MAC_CTX_free(m->first);
    if (m->key) {
        klm_secret_free(m->key, 32);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
    *mac = NULL;
}

static struct st_mac_ctx *ctx_new(struct st_mac *mac)
{
    struct st_mac_ctx *ctx = malloc(sizeof *ctx);

    if (ctx && !(ctx->evp = EVP_MAC_CTX_dup(mac->first))) {
        free(ctx);
        ctx = NULL;
    }
    return ctx;
}

struct st_mac_ctx *st_mac_hold(struct st_mac *mac)
{
    struct st_mac_ctx *ctx = NULL;

    pthread_mutex_lock(&mac->lock);
    if (mac->idle_n) {
        ctx = mac->idle[--mac->idle_n];
    }
    pthread_mutex_unlock(&mac->lock);
    return ctx ? ctx : ctx_new(mac);
}

void st_mac_let_go(struct st_mac *mac, struct st_mac_ctx **held)
{
    struct st_mac_ctx *ctx = *held;

    *held = NULL;
    pthread_mutex_lock(&mac->lock);
    if (ctx && mac->idle_n < CONTEXTS_MAX) {
        mac->idle[mac->idle_n++] = ctx;
        ctx = NULL;
    }
    pthread_mutex_unlock(&mac->lock);
    ctx_free(ctx);
}

/* HMAC of head and tail one after the other. */
static klm_rc compute(struct st_mac_ctx *ctx, struct klm_slice head, struct klm_slice tail,
                      uint8_t out[32])
{
    size_t n = 0;

    return EVP_MAC_init(ctx->evp, NULL, 0, NULL) && EVP_MAC_update(ctx->evp, head.p, head.n) &&
                   (!tail.n || EVP_MAC_update(ctx->evp, tail.p, tail.n)) &&
                   EVP_MAC_final(ctx->evp, out, &n, 32) && n == 32
               ? KLM_OK
               : KLM_E_CRYPTO;
}

klm_rc st_mac_verifier(struct st_mac *mac, const uint8_t id[16], uint8_t out[ST_VERIFIER])
{
    struct st_mac_ctx *ctx = st_mac_hold(mac);
    klm_rc rc = ctx ? compute(ctx, klm_slice_str("klm store verifier"), KLM_SLICE(id, 16), out)
                    : KLM_E_NOMEM;

    st_mac_let_go(mac, &ctx);
    return rc;
}

klm_rc st_sum(struct klm_slice in, uint8_t out[ST_SUM])
{
    uint8_t sha[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(in.p, in.n, sha, NULL, EVP_sha256(), NULL)) {
        return KLM_E_CRYPTO;
    }
    memcpy(out, sha, ST_SUM);
    return KLM_OK;
}

#define HEAD_MAX (64 + ST_KEY_MAX)

/* What the MAC covers before the record: table name, 0, length of the key, key, version. Returns
 * its length. */
static size_t make_head(enum st_table table, struct klm_slice key, uint16_t version,
                        uint8_t out[HEAD_MAX])
{
    const char *name = st_table_name(table);
    size_t n = strlen(name) + 1;

    memcpy(out, name, n);
    out[n++] = (uint8_t)(key.n >> 8);
    out[n++] = (uint8_t)key.n;
    memcpy(out + n, key.p, key.n);
    n += key.n;
    out[n++] = (uint8_t)(version >> 8);
    out[n++] = (uint8_t)version;
    return n;
}

static klm_rc record_mac(struct st_mac_ctx *ctx, enum st_table table, struct klm_slice key,
                         uint16_t version, struct klm_slice record, uint8_t out[32])
{
    uint8_t head[HEAD_MAX];

    if (key.n == 0 || key.n > ST_KEY_MAX) {
        return KLM_E_CORRUPT;
    }
    return compute(ctx, KLM_SLICE(head, make_head(table, key, version, head)), record, out);
}

klm_rc st_seal_around(struct st_mac_ctx *ctx, enum st_table table, struct klm_slice key,
                      uint8_t *envelope, size_t n)
{
    const struct klm_slice record = {envelope + ST_ENVELOPE, n - ST_ENVELOPE};
    uint8_t tag[32];

    KLM_TRY(record_mac(ctx, table, key, ST_SCHEMA, record, tag));
    envelope[0] = ST_SCHEMA >> 8;
    envelope[1] = ST_SCHEMA & 0xff;
    memcpy(envelope + 2, tag, 16);
    return KLM_OK;
}

klm_rc st_seal(struct st_mac *mac, enum st_table table, struct klm_slice key,
               struct klm_slice record, struct klm_pool *pool, struct klm_slice *sealed)
{
    uint8_t *p = klm_pool_alloc(pool, ST_ENVELOPE + record.n);
    struct st_mac_ctx *ctx;
    klm_rc rc;

    if (!p) {
        return KLM_E_NOMEM;
    }
    if (record.n) {
        memcpy(p + ST_ENVELOPE, record.p, record.n);
    }
    ctx = st_mac_hold(mac);
    rc = ctx ? st_seal_around(ctx, table, key, p, ST_ENVELOPE + record.n) : KLM_E_NOMEM;
    st_mac_let_go(mac, &ctx);
    KLM_TRY(rc);
    *sealed = KLM_SLICE(p, ST_ENVELOPE + record.n);
    return KLM_OK;
}

klm_rc st_unseal_held(struct st_mac_ctx *ctx, enum st_table table, struct klm_slice key,
                      struct klm_slice sealed, struct klm_slice *record)
{
    uint8_t tag[32];

    if (sealed.n < ST_ENVELOPE || sealed.n > ST_SEALED_MAX) {
        return KLM_E_CORRUPT;
    }
    uint16_t version = (uint16_t)(sealed.p[0] << 8 | sealed.p[1]);
    struct klm_slice body = KLM_SLICE(sealed.p + ST_ENVELOPE, sealed.n - ST_ENVELOPE);
    KLM_TRY(record_mac(ctx, table, key, version, body, tag));
    if (!klm_secret_equal(tag, sealed.p + 2, 16)) {
        return KLM_E_CORRUPT;
    }
    if (version > ST_SCHEMA) {
        return KLM_E_UNSUPPORTED;
    }
    *record = body;
    return KLM_OK;
}

klm_rc st_unseal(struct st_mac *mac, enum st_table table, struct klm_slice key,
                 struct klm_slice sealed, struct klm_slice *record)
{
    struct st_mac_ctx *ctx = st_mac_hold(mac);
    klm_rc rc = ctx ? st_unseal_held(ctx, table, key, sealed, record) : KLM_E_NOMEM;

    st_mac_let_go(mac, &ctx);
    return rc;
}
