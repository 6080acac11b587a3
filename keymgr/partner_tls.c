/* Rings and TLS contexts for partners: both sides show a certificate, TLS 1.3 only. They are part of the state, so that a refresh
 * brings new ones in. */
#include "keymgr/internal.h"

#include "base/tls.h"

#include <string.h>

static klm_rc make_ctx(const struct km_state *state, const struct kr_label *own, bool server,
                       struct klm_diag *diag, struct klm_tls_ctx **out)
{
    struct x509_st *chain[KM_CHAIN_MAX], *trust[KM_CHAIN_MAX];
    struct klm_tls_config cfg = {.server = server,
                                 .min_version = 13,
                                 .max_version = 13,
                                 .client_auth = KLM_TLS_AUTH_REQUIRED,
                                 .cert = own->x509,
                                 .chain = chain,
                                 .chain_n = km_state_authorities(state->partner.own, chain),
                                 .trust = trust,
                                 .trust_n = km_state_authorities(state->partner.trust, trust),
                                 .security_level = 2};
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_pool *pool;
    klm_rc rc;

    KLM_TRY(kr_key_opened(own->key, &key));
    cfg.key = kr_key_pkey(key);
    KLM_TRY(klm_pool_new(0, &pool));
    rc = parm_ciphers(state->config, PARM_Admin_ssl_ciphersuites, pool, &cfg.ciphers12,
                      &cfg.suites13);
    cfg.ciphers12 = NULL;
    if (rc == KLM_OK) {
        rc = klm_tls_ctx_new(&cfg, diag, out);
    }
    klm_pool_free(&pool);
    return rc;
}

/* The ring of a property; one that is open already is shared, so that each key is opened once. */
static klm_rc open_ring(struct km_server *server, struct km_state *state, struct st_view *view,
                        const char *value, struct kr_open_ring **out)
{
    const struct {
        const char *value;
        struct kr_open_ring *ring;
    } open[] = {
        {parm_str(state->config, PARM_config_keystore_file), state->keys},
        {parm_str(state->config, PARM_TransportListener_ssl_keystore_name), state->tls},
        {parm_str(state->config, PARM_Admin_ssl_keystore_name), state->partner.own},
    };

    for (size_t i = 0; i < KLM_COUNT(open); i++) {
        if (open[i].value && open[i].ring && strcmp(open[i].value, value) == 0) {
            *out = kr_open_ring_ref(open[i].ring);
            return KLM_OK;
        }
    }
    return km_state_ring(server, view, value, &state->partner.why, out);
}

static klm_rc load(struct km_server *server, struct km_state *state, struct st_view *view)
{
    const char *own = parm_str(state->config, PARM_Admin_ssl_keystore_name);
    const char *trust = parm_str(state->config, PARM_Admin_ssl_truststore_name);
    struct km_partner_state *partner = &state->partner;
    const struct kr_label *label;

    if (!own) {
        return klm_fail(&partner->why, KLM_E_NOTFOUND, KLM_MSG_PARTNER_NO_RING,
                        parm_row(PARM_Admin_ssl_keystore_name)->name);
    }
    KLM_TRY(open_ring(server, state, view, own, &partner->own));
    KLM_TRY(open_ring(server, state, view, trust ? trust : own, &partner->trust));
    if (kr_label_partner(partner->own, &label) != KLM_OK) {
        return klm_fail(&partner->why, KLM_E_NOTFOUND, KLM_MSG_PARTNER_NO_CERT, own);
    }
    KLM_TRY(make_ctx(state, label, true, &partner->why, &partner->server));
    return make_ctx(state, label, false, &partner->why, &partner->client);
}

void km_partner_load(struct km_server *server, struct km_state *state, struct st_view *view)
{
    klm_rc rc = load(server, state, view);

    if (rc != KLM_OK) {
        if (state->partner.why.msg == KLM_MSG_NONE) {
            (void)klm_fail(&state->partner.why, rc, KLM_MSG_NO_MEMORY, "partners");
        }
        km_partner_unload(state);
    }
    if (rc != KLM_OK && parm_is_set(state->config, PARM_Admin_ssl_port)) {
        klm_say_diag(&state->partner.why);
    }
}

void km_partner_unload(struct km_state *state)
{
    klm_tls_ctx_free(&state->partner.server);
    klm_tls_ctx_free(&state->partner.client);
    kr_open_ring_free(&state->partner.own);
    kr_open_ring_free(&state->partner.trust);
}
