/* Sealing and opening records. This is on the path of every put and get, so the key is expanded once. */
#include "store/envelope.h"

#include "base/hmac.h"
#include "base/secret.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct st_mac {
    struct klm_hmac *hmac;
};

klm_rc st_mac_new(const uint8_t key[32], struct st_mac **out)
{
    struct st_mac *mac = calloc(1, sizeof *mac);
    klm_rc rc = mac ? klm_hmac_new(KLM_SLICE(key, 32), &mac->hmac) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        free(mac);
        return rc;
    }
    *out = mac;
    return KLM_OK;
}

void st_mac_free(struct st_mac **mac)
{
    if (*mac) {
        klm_hmac_free(&(*mac)->hmac);
        free(*mac);
        *mac = NULL;
    }
}

void st_mac_verifier(const struct st_mac *mac, const uint8_t id[16], uint8_t out[ST_VERIFIER])
{
    const struct klm_slice parts[] = {klm_slice_str("klm store verifier"), KLM_SLICE(id, 16)};

    klm_hmac(mac->hmac, parts, KLM_COUNT(parts), out);
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

static klm_rc record_mac(const struct st_mac *mac, enum st_table table, struct klm_slice key,
                         uint16_t version, struct klm_slice record, uint8_t out[32])
{
    uint8_t head[HEAD_MAX];
    struct klm_slice parts[2] = {{head, 0}, record};

    if (key.n == 0 || key.n > ST_KEY_MAX) {
        return KLM_E_CORRUPT;
    }
    parts[0].n = make_head(table, key, version, head);
    klm_hmac(mac->hmac, parts, KLM_COUNT(parts), out);
    return KLM_OK;
}

klm_rc st_seal_around(const struct st_mac *mac, enum st_table table, struct klm_slice key,
                      uint8_t *envelope, size_t n)
{
    const struct klm_slice record = {envelope + ST_ENVELOPE, n - ST_ENVELOPE};
    uint8_t tag[32];

    KLM_TRY(record_mac(mac, table, key, ST_SCHEMA, record, tag));
    envelope[0] = ST_SCHEMA >> 8;
    envelope[1] = ST_SCHEMA & 0xff;
    memcpy(envelope + 2, tag, 16);
    return KLM_OK;
}

klm_rc st_seal(const struct st_mac *mac, enum st_table table, struct klm_slice key,
               struct klm_slice record, struct klm_pool *pool, struct klm_slice *sealed)
{
    uint8_t *p = klm_pool_alloc(pool, ST_ENVELOPE + record.n);

    if (!p) {
        return KLM_E_NOMEM;
    }
    if (record.n) {
        memcpy(p + ST_ENVELOPE, record.p, record.n);
    }
    KLM_TRY(st_seal_around(mac, table, key, p, ST_ENVELOPE + record.n));
    *sealed = KLM_SLICE(p, ST_ENVELOPE + record.n);
    return KLM_OK;
}

klm_rc st_unseal(const struct st_mac *mac, enum st_table table, struct klm_slice key,
                 struct klm_slice sealed, struct klm_slice *record)
{
    uint8_t tag[32];

    if (sealed.n < ST_ENVELOPE || sealed.n > ST_SEALED_MAX) {
        return KLM_E_CORRUPT;
    }
    uint16_t version = (uint16_t)(sealed.p[0] << 8 | sealed.p[1]);
    struct klm_slice body = KLM_SLICE(sealed.p + ST_ENVELOPE, sealed.n - ST_ENVELOPE);
    KLM_TRY(record_mac(mac, table, key, version, body, tag));
    if (!klm_secret_equal(tag, sealed.p + 2, 16)) {
        return KLM_E_CORRUPT;
    }
    if (version > ST_SCHEMA) {
        return KLM_E_UNSUPPORTED;
    }
    *record = body;
    return KLM_OK;
}
