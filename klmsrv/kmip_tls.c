/* TLS for KMIP clients. A client is its certificate's fingerprint, so any certificate is taken whose private key it proves to have; whether it is known is asked with
 * each request, by the engine. */
#include "klmsrv/kmip.h"

#include "base/tls.h"

#define LEVEL 2           /* OpenSSL's: RSA of 2048 bits, elliptic curves of 224 */
#define SESSIONS_MAX 4096 /* that may be resumed */

static klm_rc find_own(const struct km_state *state, const struct kr_label **own,
                       struct klm_diag *diag)
{
    const char *ring = parm_str(state->config, PARM_TransportListener_ssl_keystore_name);
    const char *label = parm_str(state->config, PARM_KMIPListener_ssl_certificate);

    if (!label) {
        return kr_label_server(state->tls, own) == KLM_OK
                   ? KLM_OK
                   : klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_TLS_NO_CERT, ring);
    }
    if (kr_label_find(state->tls, label, own) != KLM_OK || !(*own)->key) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_KMIP_NO_CERT, label, ring);
    }
    return KLM_OK;
}

/* Suite B has one kind of key: any other would fail at each handshake, and is refused here, once. */
static klm_rc fits(const struct km_state *state, const struct parm_kmip_tls *tls,
                   const struct kr_label *own, struct klm_diag *diag)
{
    if (tls->ec_bits == 0 || (own->spec.type == KR_EC && own->spec.bits >= tls->ec_bits)) {
        return KLM_OK;
    }
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_KMIP_CERT_KIND,
                    parm_str(state->config, PARM_KMIPListener_ssl_suites), KLM_NUM(tls->ec_bits),
                    own->label);
}

static const char *or_null(const char *list)
{
    return *list ? list : NULL; /* a version without suites is not spoken */
}

static klm_rc make(const struct km_state *state, const struct parm_kmip_tls *tls,
                   struct klm_diag *diag, struct klm_tls_ctx **out)
{
    const bool required =
        parm_has(state->config, PARM_KMIPListener_ssl_clientauthentication, "required");
    struct x509_st *chain[KM_CHAIN_MAX];
    const struct kr_label *own;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_tls_config cfg = {.server = true,
                                 .min_version = tls->min,
                                 .max_version = tls->max,
                                 .ciphers12 = or_null(tls->tls12),
                                 .suites13 = or_null(tls->tls13),
                                 .groups = tls->groups,
                                 .sigalgs = tls->sigalgs,
                                 .client_auth =
                                     required ? KLM_TLS_AUTH_REQUIRED : KLM_TLS_AUTH_WANTED,
                                 .any_client = true,
                                 .client_ec_bits = tls->ec_bits,
                                 .sessions_max = SESSIONS_MAX,
                                 .security_level = LEVEL};

    KLM_TRY(find_own(state, &own, diag));
    KLM_TRY(fits(state, tls, own, diag));
    KLM_TRY(kr_key_opened(own->key, &key));
    cfg.key = kr_key_pkey(key);
    cfg.cert = own->x509;
    cfg.chain = chain;
    cfg.chain_n = km_state_authorities(state->tls, chain);
    return klm_tls_ctx_new(&cfg, diag, out);
}

klm_rc srv_kmip_tls(const struct km_state *state, struct klm_diag *diag, struct klm_tls_ctx **out)
{
    struct parm_kmip_tls tls;
    struct klm_pool *pool;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = parm_kmip_tls(state->config, pool, &tls);
    if (rc == KLM_OK) {
        rc = make(state, &tls, diag, out);
    }
    klm_pool_free(&pool);
    return rc;
}
