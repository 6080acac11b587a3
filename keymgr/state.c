/* Configuration and rings as one immutable, counted snapshot: a refresh makes a new one and swaps it in; sessions keep the old one until their call ends. */
#include "keymgr/internal.h"

#include "base/tls.h"

#include <stdlib.h>
#include <string.h>

#define WEAK_TLS_BITS 2048 /* below this OpenSSL's usual security level refuses the certificate */

klm_rc km_state_ring(struct km_server *server, struct st_view *view, const char *value,
                     struct klm_diag *diag, struct kr_open_ring **out)
{
    KLM_AUTO(pr_set_free) struct pr_set *profiles = km_profiles(server);
    struct parm_ring name;
    klm_rc rc;

    if (!value || parm_ring(value, &name) != KLM_OK) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_RING_NAME, value ? value : "");
    }
    KLM_TRY(km_access_task_ring(server, profiles, name.owner, name.ring, diag));
    rc = kr_open_ring(view, server->master, name.owner, name.ring, diag, out);
    return rc == KLM_E_NOTFOUND ? klm_fail(diag, rc, KLM_MSG_RING_MISSING, name.owner, name.ring)
                                : rc;
}

size_t km_state_authorities(const struct kr_open_ring *ring, struct x509_st **out)
{
    size_t n = 0;

    for (size_t i = 0; i < kr_open_ring_count(ring) && n < KM_CHAIN_MAX; i++) {
        const struct kr_label *label = kr_open_ring_at(ring, i);

        if (label->is_ca && strcmp(label->usage, "CERTAUTH") == 0) {
            out[n++] = label->x509;
        }
    }
    return n;
}

/* Drives know authorities, so they refuse a certificate that none of them has signed. One that has ended is another matter, and told elsewhere. */
static void check_chain(const struct km_state *state, const struct kr_label *own)
{
    const struct kr_open_ring *rings[] = {state->tls, state->trust, state->authority};
    klm_time now = klm_clock(), when = now < own->not_after ? now : own->not_after;
    struct klm_diag diag = {0};

    for (size_t i = 0; i < KLM_COUNT(rings); i++) {
        if (rings[i] && kr_cert_chain(rings[i], own->der, when, &diag) == KLM_OK) {
            return;
        }
    }
    klm_say(KLM_MSG_TLS_NO_CHAIN, own->label);
}

static klm_rc make_tls(struct km_state *state, struct klm_diag *diag)
{
    struct x509_st *chain[KM_CHAIN_MAX], *trust[KM_CHAIN_MAX];
    const struct kr_label *own;
    struct klm_tls_config cfg = {.server = true, .security_level = 2};
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_pool *pool;
    klm_rc rc;

    if (kr_label_server(state->tls, &own) != KLM_OK) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_TLS_NO_CERT,
                        parm_str(state->config, PARM_TransportListener_ssl_keystore_name));
    }
    if (own->spec.type == KR_RSA && own->spec.bits < WEAK_TLS_BITS) {
        klm_say(KLM_MSG_TLS_WEAK_CERT, own->label, KLM_NUM(own->spec.bits));
        cfg.security_level = 1;
    }
    check_chain(state, own);
    KLM_TRY(klm_pool_new(0, &pool));
    rc = parm_ciphers(state->config, PARM_TransportListener_ssl_ciphersuites, pool, &cfg.ciphers12,
                      &cfg.suites13);
    if (rc == KLM_OK) {
        cfg.min_version = parm_tls_min(state->config);
        cfg.max_version = parm_tls_max(state->config);
        cfg.client_auth = (enum klm_tls_client_auth)parm_num(
            state->config, PARM_TransportListener_ssl_clientauthentication);
        rc = kr_key_opened(own->key, &key);
    }
    if (rc == KLM_OK) {
        cfg.key = kr_key_pkey(key);
        cfg.cert = own->x509;
        cfg.chain = chain;
        cfg.chain_n = km_state_authorities(state->tls, chain);
        cfg.trust = trust;
        cfg.trust_n = km_state_authorities(state->trust, trust);
        rc = klm_tls_ctx_new(&cfg, diag, &state->tls_ctx);
    }
    klm_pool_free(&pool);
    return rc;
}

/* A property's ring, or the next one's when it is not set. */
static const char *ring_of(const struct parm_config *config, enum parm_id first,
                           enum parm_id second)
{
    const char *value = parm_str(config, first);

    return value ? value : parm_str(config, second);
}

/* The rings of a state; properties that name the same ring share it, so that each key is opened once. */
static klm_rc load_rings(struct km_server *server, struct km_state *state, struct st_view *view,
                         struct klm_diag *diag)
{
    const struct parm_config *config = state->config;
    struct {
        const char *value;
        struct kr_open_ring **ring;
    } rings[] = {
        {parm_str(config, PARM_config_keystore_file), &state->keys},
        {ring_of(config, PARM_TransportListener_ssl_keystore_name, PARM_config_keystore_file),
         &state->tls},
        {ring_of(config, PARM_TransportListener_ssl_truststore_name,
                 PARM_TransportListener_ssl_keystore_name),
         &state->trust},
        {parm_drive_authority_ring(config), &state->authority},
    };

    for (size_t i = 0; i < KLM_COUNT(rings); i++) {
        for (size_t before = 0; before < i && !*rings[i].ring; before++) {
            if (rings[i].value && rings[before].value &&
                strcmp(rings[i].value, rings[before].value) == 0) {
                *rings[i].ring = kr_open_ring_ref(*rings[before].ring);
            }
        }
        if (!*rings[i].ring) {
            KLM_TRY(km_state_ring(server, view, rings[i].value, diag, rings[i].ring));
        }
    }
    return KLM_OK;
}

klm_rc km_state_open_rings(struct km_server *server, struct km_state **out)
{
    struct km_state *now = km_state_get(server), *state;
    struct klm_diag diag = {0};
    struct st_view *view;
    klm_rc rc;

    if (!now || now->tls) {
        *out = now;
        return now ? KLM_OK : KLM_E_NOTFOUND;
    }
    state = calloc(1, sizeof *state);
    if (state) {
        atomic_init(&state->refs, 1);
        state->config = parm_ref(now->config);
    }
    km_state_put(&now);
    if (!state) {
        return KLM_E_NOMEM;
    }
    rc = st_view_open(server->store, &view);
    if (rc == KLM_OK) {
        rc = load_rings(server, state, view, &diag);
        st_view_close(&view);
    }
    if (rc != KLM_OK) {
        km_state_put(&state);
        return rc;
    }
    *out = state;
    return KLM_OK;
}

klm_rc km_state_load(struct km_server *server, struct parm_config *take_config,
                     struct klm_diag *diag, struct km_state **out)
{
    struct km_state *state = calloc(1, sizeof *state);
    struct st_view *view;
    klm_rc rc;

    if (!state) {
        parm_free(&take_config);
        return KLM_E_NOMEM;
    }
    atomic_init(&state->refs, 1);
    state->config = take_config;
    if (!server->options.offline) {
        rc = st_view_open(server->store, &view);
        if (rc == KLM_OK) {
            rc = load_rings(server, state, view, diag);
            if (rc == KLM_OK) {
                km_partner_load(server, state, view);
            }
            st_view_close(&view);
        }
        if (rc == KLM_OK) {
            rc = make_tls(state, diag);
        }
        if (rc != KLM_OK) {
            km_state_put(&state);
            return rc;
        }
    }
    *out = state;
    return KLM_OK;
}

struct km_state *km_state_get(struct km_server *server)
{
    struct km_state *state;

    pthread_rwlock_rdlock(&server->state_lock);
    state = server->state;
    if (state) {
        atomic_fetch_add(&state->refs, 1);
    }
    pthread_rwlock_unlock(&server->state_lock);
    return state;
}

void km_state_put(struct km_state **state)
{
    struct km_state *old = *state;

    *state = NULL;
    if (!old || atomic_fetch_sub(&old->refs, 1) != 1) {
        return;
    }
    klm_tls_ctx_free(&old->tls_ctx);
    km_partner_unload(old);
    kr_open_ring_free(&old->keys);
    kr_open_ring_free(&old->tls);
    kr_open_ring_free(&old->trust);
    kr_open_ring_free(&old->authority);
    parm_free(&old->config);
    free(old);
}

/* Where traces go, and of which components; off while the file cannot be opened. */
static void set_trace(const struct parm_config *config)
{
    const char *path = parm_has(config, PARM_debug_output, "console")
                           ? NULL
                           : parm_str(config, PARM_debug_output_file);
    klm_rc rc;

    klm_trace_on("");
    if (parm_has(config, PARM_debug, "none")) {
        return;
    }
    rc = klm_trace_to(path);
    if (rc != KLM_OK) {
        klm_say(KLM_MSG_FILE_OPEN, path, klm_rc_text(rc));
        return;
    }
    klm_trace_on(parm_str(config, PARM_debug));
}

void km_state_swap(struct km_server *server, struct km_state *take_state)
{
    struct km_state *old;

    atomic_fetch_add(&take_state->refs, 1); /* it is used below, and may be swapped out meanwhile */
    pthread_rwlock_wrlock(&server->state_lock);
    old = server->state;
    server->state = take_state;
    pthread_rwlock_unlock(&server->state_lock);
    km_state_put(&old);
    if (server->journal) {
        smf_journal_filter(server->journal, parm_str(take_state->config, PARM_Audit_event_types),
                           parm_str(take_state->config, PARM_Audit_event_outcome));
    }
    if (!server->options.offline) {
        set_trace(take_state->config);
        km_watch_certificates(take_state, true);
        km_keyset_look(server, take_state->config);
    }
    if (server->refreshed) {
        server->refreshed(server->refreshed_arg);
    }
    km_state_put(&take_state);
}

bool km_state_current(struct km_server *server, const struct km_state *state)
{
    bool same;

    pthread_rwlock_rdlock(&server->state_lock);
    same = server->state == state;
    pthread_rwlock_unlock(&server->state_lock);
    return same;
}

struct dt_table *km_drives(struct km_server *server)
{
    struct dt_table *table;

    pthread_rwlock_rdlock(&server->state_lock);
    table = dt_table_ref(server->drives);
    pthread_rwlock_unlock(&server->state_lock);
    return table;
}

void km_drives_swap(struct km_server *server, struct dt_table *take_table)
{
    struct dt_table *old;

    pthread_rwlock_wrlock(&server->state_lock);
    old = server->drives;
    server->drives = take_table;
    pthread_rwlock_unlock(&server->state_lock);
    dt_table_free(&old);
}
