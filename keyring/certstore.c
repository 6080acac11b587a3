/* Certificates in the store. The record of owner, 0, label: version, trust, time added, label of
 * the token, DER. Beside each stands an index record under owner, 0, 0, SHA-256 of the DER, that
 * holds the label: no label is empty, so the two never meet. */
#include "keyring/internal.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1

static void record_key(const char *owner, const char *label, struct kr_rkey *key)
{
    kr_rkey_init(key, owner);
    kr_rkey_add(key, label);
}

static klm_rc index_key(const char *owner, struct klm_slice der, struct kr_rkey *key)
{
    uint8_t digest[32];

    if (EVP_Digest(der.p, der.n, digest, NULL, EVP_sha256(), NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    kr_rkey_init(key, owner);
    kr_rkey_add(key, "");
    kr_rkey_bytes(key, "", 1);
    kr_rkey_bytes(key, digest, sizeof digest);
    return KLM_OK;
}

static klm_rc encode(const struct kr_cert *cert, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, (uint8_t)cert->trust);
    klm_buf_u64(out, (uint64_t)cert->added);
    klm_buf_str16(out, cert->token_label);
    klm_buf_lp32(out, cert->der);
    return klm_buf_rc(out);
}

/* Owner and label come from the key. KLM_E_CORRUPT when the record is not one of ours. */
static klm_rc decode(struct klm_slice record, struct klm_pool *pool, struct kr_cert *out)
{
    struct klm_cur cur;
    uint8_t version, trust;
    uint64_t added;
    struct klm_slice der;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    if (klm_cur_rc(&cur) == KLM_OK && version != VERSION) {
        return KLM_E_UNSUPPORTED;
    }
    klm_cur_u8(&cur, &trust);
    klm_cur_u64(&cur, &added);
    klm_cur_str16(&cur, pool, KR_TOKEN_LABEL_MAX, &out->token_label);
    klm_cur_lp32(&cur, KR_DER_MAX, &der);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || trust > KR_HIGHTRUST) {
        return klm_cur_rc(&cur) == KLM_E_NOMEM ? KLM_E_NOMEM : KLM_E_CORRUPT;
    }
    out->trust = (enum kr_trust)trust;
    out->added = (klm_time)added;
    return klm_pool_slice(pool, der, &out->der);
}

klm_rc kr_cert_get(struct st_view *view, const char *owner, const char *label,
                   struct klm_pool *pool, struct kr_cert *out)
{
    struct kr_cert cert = {0};
    struct klm_slice record;
    struct kr_rkey key;

    KLM_TRY(kr_check_owner(owner));
    KLM_TRY(kr_check_label(label));
    record_key(owner, label, &key);
    KLM_TRY(st_get(view, ST_CERT, kr_rkey_slice(&key), pool, &record));
    KLM_TRY(decode(record, pool, &cert));
    cert.owner = klm_pool_str(pool, owner);
    cert.label = klm_pool_str(pool, label);
    if (!cert.owner || !cert.label) {
        return KLM_E_NOMEM;
    }
    *out = cert;
    return KLM_OK;
}

static klm_rc check(const struct kr_cert *cert)
{
    KLM_TRY(kr_check_owner(cert->owner));
    KLM_TRY(kr_check_label(cert->label));
    if (cert->token_label && cert->token_label[0]) {
        KLM_TRY(kr_check_token_label(cert->token_label));
    }
    if (cert->der.n == 0 || cert->der.n > KR_DER_MAX) {
        return cert->der.n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    return cert->trust <= KR_HIGHTRUST ? KLM_OK : KLM_E_INVALID;
}

/* KLM_E_EXISTS when this certificate stands under another label of the owner. An index record
 * that tells something else is stale. */
static klm_rc check_single(struct st_view *view, const struct kr_cert *cert,
                           const struct kr_rkey *index)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice there;
    struct kr_cert other;
    const char *label;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = st_get(view, ST_CERT, kr_rkey_slice(index), pool, &there);
    if (rc != KLM_OK) {
        return rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
    }
    label = klm_pool_strn(pool, (const char *)there.p, there.n);
    if (!label) {
        return KLM_E_NOMEM;
    }
    if (strcmp(label, cert->label) == 0) {
        return KLM_OK;
    }
    rc = kr_cert_get(view, cert->owner, label, pool, &other);
    if (rc == KLM_OK) {
        return klm_slice_equal(other.der, cert->der) ? KLM_E_EXISTS : KLM_OK;
    }
    return rc == KLM_E_NOMEM || rc == KLM_E_IO ? rc : KLM_OK;
}

static klm_rc write(struct st_change *change, const struct kr_cert *cert)
{
    struct kr_rkey key, index;
    struct klm_buf buf;
    klm_rc rc;

    KLM_TRY(index_key(cert->owner, cert->der, &index));
    KLM_TRY(check_single(st_change_view(change), cert, &index));
    record_key(cert->owner, cert->label, &key);
    klm_buf_init(&buf, KR_DER_MAX + 256);
    rc = encode(cert, &buf);
    if (rc == KLM_OK) {
        rc = st_put(change, ST_CERT, kr_rkey_slice(&key), klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    KLM_TRY(rc);
    return st_put(change, ST_CERT, kr_rkey_slice(&index), klm_slice_str(cert->label));
}

/* What stands under owner and label; a damaged record counts as there, with empty DER. */
static klm_rc there(struct st_view *view, const char *owner, const char *label,
                    struct klm_pool *pool, struct kr_cert *out)
{
    klm_rc rc = kr_cert_get(view, owner, label, pool, out);

    if (rc == KLM_E_CORRUPT || rc == KLM_E_UNSUPPORTED) {
        *out = (struct kr_cert){.owner = owner, .label = label, .token_label = ""};
        return KLM_OK;
    }
    return rc;
}

klm_rc kr_cert_add(struct st_change *change, const struct kr_cert *cert)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_cert old;
    klm_rc rc;

    KLM_TRY(check(cert));
    KLM_TRY(klm_pool_new(0, &pool));
    rc = there(st_change_view(change), cert->owner, cert->label, pool, &old);
    if (rc != KLM_E_NOTFOUND) {
        return rc == KLM_OK ? KLM_E_EXISTS : rc;
    }
    return write(change, cert);
}

static klm_rc drop_index(struct st_change *change, const struct kr_cert *cert)
{
    struct kr_rkey index;

    if (cert->der.n == 0) {
        return KLM_OK;
    }
    KLM_TRY(index_key(cert->owner, cert->der, &index));
    return st_delete(change, ST_CERT, kr_rkey_slice(&index));
}

klm_rc kr_cert_replace(struct st_change *change, const struct kr_cert *cert)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_cert old;
    size_t mark = st_change_mark(change);
    klm_rc rc;

    KLM_TRY(check(cert));
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(there(st_change_view(change), cert->owner, cert->label, pool, &old));
    rc = drop_index(change, &old);
    if (rc == KLM_OK) {
        rc = write(change, cert);
    }
    if (rc != KLM_OK) {
        st_change_undo(change, mark);
    }
    return rc;
}

klm_rc kr_cert_delete(struct st_change *change, const char *owner, const char *label)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_rkey key;
    struct kr_cert old;

    KLM_TRY(kr_check_owner(owner));
    KLM_TRY(kr_check_label(label));
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(there(st_change_view(change), owner, label, pool, &old));
    KLM_TRY(kr_ring_forget(change, owner, label));
    KLM_TRY(drop_index(change, &old));
    record_key(owner, label, &key);
    return st_delete(change, ST_CERT, kr_rkey_slice(&key));
}

struct scan {
    kr_cert_fn *fn;
    void *arg;
};

/* A damaged certificate is passed on with its names and nothing else, so that listings can show
 * that it is there. */
static klm_rc visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_cert cert = {.token_label = ""};
    size_t at = 0;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(kr_rkey_part(key, &at, pool, &cert.owner));
    if (at < key.n && key.p[at] == 0) {
        return KLM_OK; /* an index record */
    }
    KLM_TRY(kr_rkey_part(key, &at, pool, &cert.label));
    if (!damaged) {
        klm_rc rc = decode(record, pool, &cert);

        if (rc == KLM_E_NOMEM) {
            return rc;
        }
        if (rc != KLM_OK) {
            cert = (struct kr_cert){.owner = cert.owner, .label = cert.label, .token_label = ""};
        }
    }
    return scan->fn(scan->arg, &cert);
}

klm_rc kr_cert_scan(struct st_view *view, const char *owner, kr_cert_fn *fn, void *arg)
{
    struct scan scan = {fn, arg};
    struct st_range range = {0};
    struct kr_rkey prefix;

    if (owner) {
        KLM_TRY(kr_check_owner(owner));
        kr_rkey_init(&prefix, owner);
        kr_rkey_add(&prefix, "");
        range.prefix = kr_rkey_slice(&prefix);
    }
    return st_scan(view, ST_CERT, &range, visit, &scan);
}
