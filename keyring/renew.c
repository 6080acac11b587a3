/* What renews a certificate: a request for the key it has (RACDCERT GENREQ), and a certificate like it for a new key (RACDCERT REKEY). */
#include "keyring/internal.h"

#include <openssl/pem.h>

#define SECOND ((klm_time)1000000)

/* A digest as strong as the key. */
static const EVP_MD *digest_of(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 384 ? EVP_sha384() : EVP_sha256();
}

/* The alternative names go into the request, so that the authority sees them. */
static klm_rc add_names(X509_REQ *req, X509 *x509)
{
    int at = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
    STACK_OF(X509_EXTENSION) * exts;
    klm_rc rc = KLM_OK;

    if (at < 0) {
        return KLM_OK;
    }
    exts = sk_X509_EXTENSION_new_null();
    if (!exts || !sk_X509_EXTENSION_push(exts, X509_get_ext(x509, at)) ||
        X509_REQ_add_extensions(req, exts) != 1) {
        rc = kr_quiet(KLM_E_NOMEM);
    }
    sk_X509_EXTENSION_free(exts); /* the extension is the certificate's */
    return rc;
}

klm_rc kr_request_make(struct klm_slice der, struct kr_key *key, struct klm_buf *out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    KLM_AUTO(kr_done_req) X509_REQ *req = X509_REQ_new();
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = kr_key_pkey(key);
    char *text;
    long n;

    KLM_TRY(kr_x509(der, &x509));
    if (!req || !bio || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(req, X509_get_subject_name(x509)) != 1 ||
        X509_REQ_set_pubkey(req, pkey) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    KLM_TRY(add_names(req, x509));
    if (X509_REQ_sign(req, pkey, digest_of(pkey)) <= 0 || PEM_write_bio_X509_REQ(bio, req) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    n = BIO_get_mem_data(bio, &text);
    klm_buf_put(out, text, (size_t)n);
    return klm_buf_rc(out);
}

/* Key identifiers are those of the new key. */
static klm_rc replace_id(X509 *x509, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    int at = X509_get_ext_by_NID(x509, nid, -1);
    int ok;

    if (at < 0) {
        return KLM_OK;
    }
    X509_EXTENSION_free(X509_delete_ext(x509, at));
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(x509, ext, at);
    X509_EXTENSION_free(ext);
    return ok ? KLM_OK : kr_quiet(KLM_E_NOMEM);
}

static klm_rc set_dates(X509 *x509, klm_time not_after)
{
    klm_time from, to, now = klm_clock();

    KLM_TRY(kr_x509_times(x509, &from, &to));
    to = not_after ? not_after : now + (to - from);
    if (to <= now) {
        return KLM_E_INVALID;
    }
    return ASN1_TIME_set(X509_getm_notBefore(x509), now / SECOND) &&
                   ASN1_TIME_set(X509_getm_notAfter(x509), to / SECOND)
               ? KLM_OK
               : kr_quiet(KLM_E_NOMEM);
}

static klm_rc new_key(X509 *x509, unsigned bits, struct kr_key **out)
{
    EVP_PKEY *pub = X509_get0_pubkey(x509);
    struct kr_spec spec;

    if (!pub) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    KLM_TRY(kr_pkey_spec(pub, &spec));
    spec.bits = bits ? bits : spec.bits;
    return kr_key_generate(&spec, out);
}

klm_rc kr_rekey(struct klm_slice old, unsigned bits, klm_time not_after, struct klm_pool *pool,
                struct klm_slice *der, struct kr_key **key)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *made = NULL;
    EVP_PKEY *pkey;

    KLM_TRY(kr_x509(old, &x509));
    KLM_TRY(set_dates(x509, not_after));
    KLM_TRY(kr_x509_serial(x509));
    KLM_TRY(new_key(x509, bits, &made));
    pkey = kr_key_pkey(made);
    if (X509_set_issuer_name(x509, X509_get_subject_name(x509)) != 1 ||
        X509_set_pubkey(x509, pkey) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    KLM_TRY(replace_id(x509, NID_subject_key_identifier, "hash"));
    KLM_TRY(replace_id(x509, NID_authority_key_identifier, "keyid:always"));
    if (X509_sign(x509, pkey, digest_of(pkey)) <= 0) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(kr_x509_der(x509, pool, der));
    *key = made;
    made = NULL;
    return KLM_OK;
}
