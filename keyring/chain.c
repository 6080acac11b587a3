/* Does a certificate chain to an authority of the ring? */
#include "keyring/open.h"

static klm_rc check(X509_STORE_CTX *ctx, const struct kr_open_ring *ring, X509 *x509, klm_time now,
                    struct klm_diag *diag)
{
    if (X509_STORE_CTX_init(ctx, ring->trust, x509, NULL) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    X509_STORE_CTX_set_time(ctx, 0, (time_t)(now / 1000000));
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_verify_cert(ctx) != 1) {
        const char *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));

        return kr_quiet(klm_fail(diag, KLM_E_DENIED, KLM_MSG_CHAIN, why));
    }
    return KLM_OK;
}

klm_rc kr_cert_chain(const struct kr_open_ring *ring, struct klm_slice der, klm_time now,
                     struct klm_diag *diag)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    X509_STORE_CTX *ctx;
    klm_rc rc;

    if (kr_x509(der, &x509) != KLM_OK) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_CHAIN, "the certificate is damaged");
    }
    ctx = X509_STORE_CTX_new();
    if (!ctx) {
        return kr_quiet(KLM_E_NOMEM);
    }
    rc = check(ctx, ring, x509, now, diag);
    X509_STORE_CTX_free(ctx);
    return rc;
}
