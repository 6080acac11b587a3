/* All sessions of KMIP clients: the two ports, settings, refresh, draining. */
#include "klmsrv/kmip.h"

#include "base/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define SWEEP_MS 60000
#define HANDSHAKES_MAX 1000000 /* that wait for a worker: as many as connections may be */
#define HELD_SMALL 16384       /* a session that holds no more is never in the way */
#define KMIP_HIGHEST "2.1"

/* A new context that is being made, on a worker. */
struct srv_kmip_load {
    struct klm_job job;
    struct srv_kmip *set; /* NULL: it is gone */
    struct km_server *server;
    struct klm_tls_ctx *tls;
    struct klm_diag diag;
};

/* ---- Settings */

struct srv_kmip_settings *srv_kmip_settings_ref(struct srv_kmip *set)
{
    set->settings->refs++;
    return set->settings;
}

void srv_kmip_settings_put(struct srv_kmip_settings **settings)
{
    if (*settings && --(*settings)->refs == 0) {
        free(*settings);
    }
    *settings = NULL;
}

/* "klmsrv 1.0.0 KMIP 2.1 BUILD 1.0.0 KMIP_SSL_TIMEOUT 10", the shape that clients of key managers know. A server with a partner says which one it is. */
static void default_vendor(const struct parm_config *config, char *out, size_t cap)
{
    const char *type = parm_has(config, PARM_partner_role, "primary")     ? " ServerType=master"
                       : parm_has(config, PARM_partner_role, "secondary") ? " ServerType=clone"
                                                                          : "";

    snprintf(out, cap, "klmsrv %s KMIP %s BUILD %s KMIP_SSL_TIMEOUT %lld%s", KLM_VERSION,
             KMIP_HIGHEST, KLM_VERSION, (long long)parm_num(config, PARM_KMIPListener_ssl_timeout),
             type);
}

static klm_rc new_settings(struct srv_kmip *set, const struct parm_config *config)
{
    const char *vendor = parm_str(config, PARM_kmip_vendor);
    struct srv_kmip_settings *settings = calloc(1, sizeof *settings);

    if (!settings) {
        return KLM_E_NOMEM;
    }
    if (vendor) {
        snprintf(settings->vendor, sizeof settings->vendor, "%s", vendor);
    } else {
        default_vendor(config, settings->vendor, sizeof settings->vendor);
    }
    km_server_id(config, settings->server_name);
    settings->refs = 1;
    settings->ops =
        (struct kmop_config){.server = set->server,
                             .loop = set->loop,
                             .bytes_max = (size_t)parm_num(config, PARM_KMIPListener_message_max),
                             .batch_max = (unsigned)parm_num(config, PARM_kmip_batch_max),
                             .vendor = settings->vendor,
                             .server_name = settings->server_name};
    srv_kmip_settings_put(&set->settings);
    set->settings = settings;
    return KLM_OK;
}

static klm_rc read_settings(struct srv_kmip *set)
{
    struct km_state *state = km_state_get(set->server);
    const struct parm_config *config = state->config;
    klm_rc rc = new_settings(set, config);

    set->held_max = (size_t)parm_num(config, PARM_KMIPListener_messages_megabytes) << 20;
    set->max = (size_t)parm_num(config, PARM_KMIPListener_connections_max);
    set->per_address = (size_t)parm_num(config, PARM_KMIPListener_connections_per_address);
    set->shaking_per_address = (size_t)parm_num(config, PARM_KMIPListener_handshakes_per_address);
    set->handshake_ms = (uint32_t)parm_num(config, PARM_TransportListener_handshake_timeout) * 1000;
    set->message_ms = (uint32_t)parm_num(config, PARM_TransportListener_message_timeout) * 1000;
    set->idle_ms = (uint32_t)parm_num(config, PARM_KMIPListener_ssl_timeout) * 60000;
    km_state_put(&state);
    return rc;
}

/* ---- The set */

static void on_sweep(void *arg)
{
    struct srv_kmip *set = arg;

    set->engine.sweep(set->server);
    klm_timer_set(set->sweep, SWEEP_MS);
}

static void on_more(void *arg)
{
    srv_kmip_tell_more(arg);
}

static klm_rc build(struct srv_kmip *set)
{
    KLM_TRY(srv_peers_new(&set->peers));
    KLM_TRY(klm_timer_new(set->loop, on_sweep, set, &set->sweep));
    KLM_TRY(klm_timer_new(set->loop, on_more, set, &set->more));
    KLM_TRY(read_settings(set));
    klm_timer_set(set->sweep, SWEEP_MS);
    return KLM_OK;
}

klm_rc srv_kmip_new(struct km_server *server, struct klm_loop *loop,
                    const struct srv_kmip_engine *engine, struct srv_kmip **out)
{
    struct srv_kmip *set = calloc(1, sizeof *set);
    klm_rc rc;

    if (!set) {
        return KLM_E_NOMEM;
    }
    set->server = server;
    set->loop = loop;
    set->engine = *engine;
    rc = build(set);
    if (rc != KLM_OK) {
        srv_kmip_free(&set);
        return rc;
    }
    *out = set;
    return KLM_OK;
}

void srv_kmip_free(struct srv_kmip **kmip)
{
    struct srv_kmip *set = *kmip;

    if (!set) {
        return;
    }
    *kmip = NULL;
    srv_kmip_tell_more(set);
    if (set->load) {
        set->load->set = NULL; /* it ends by itself */
    }
    srv_listener_free(&set->ttlv);
    srv_listener_free(&set->http);
    klm_timer_free(&set->sweep);
    klm_timer_free(&set->more);
    klm_workers_free(&set->workers);
    klm_tls_ctx_free(&set->tls);
    srv_kmip_settings_put(&set->settings);
    srv_peers_free(&set->peers);
    free(set);
}

size_t srv_kmip_count(const struct srv_kmip *kmip)
{
    return kmip->n;
}

void srv_kmip_info(struct srv_kmip *kmip, struct km_kmip_info *out)
{
    *out = (struct km_kmip_info){.ttlv_port = atomic_load(&kmip->ttlv_port),
                                 .https_port = atomic_load(&kmip->https_port),
                                 .sessions = (unsigned)atomic_load(&kmip->sessions),
                                 .requests = atomic_load(&kmip->requests),
                                 .probes = atomic_load(&kmip->probes),
                                 .failed = atomic_load(&kmip->failed),
                                 .refused = atomic_load(&kmip->refused)};
}

/* ---- Ports */

static void accept_ttlv(void *arg, int take_fd)
{
    srv_kmip_accept(arg, take_fd, false);
}

static void accept_https(void *arg, int take_fd)
{
    srv_kmip_accept(arg, take_fd, true);
}

static klm_rc open_port(struct srv_kmip *set, const struct parm_config *config, enum parm_id id,
                        struct klm_diag *diag)
{
    const bool https = id == PARM_KMIPListener_https_port;
    struct srv_listener **listener = https ? &set->http : &set->ttlv;
    unsigned port;

    if (*listener || !parm_is_set(config, id)) {
        return KLM_OK;
    }
    KLM_TRY(srv_listen(set->loop, parm_str(config, PARM_KMIPListener_ssl_host),
                       (unsigned)parm_num(config, id), https ? accept_https : accept_ttlv, set,
                       diag, listener));
    port = srv_listener_port(*listener);
    atomic_store(https ? &set->https_port : &set->ttlv_port, port);
    klm_say(KLM_MSG_KMIP_LISTENING, KLM_NUM(port), https ? "HTTPS" : "TTLV");
    return KLM_OK;
}

static klm_rc open_ports(struct srv_kmip *set, const struct parm_config *config,
                         struct klm_diag *diag)
{
    KLM_TRY(open_port(set, config, PARM_KMIPListener_ssl_port, diag));
    return open_port(set, config, PARM_KMIPListener_https_port, diag);
}

static bool wanted(const struct parm_config *config)
{
    return parm_is_set(config, PARM_KMIPListener_ssl_port) ||
           parm_is_set(config, PARM_KMIPListener_https_port);
}

/* A context for what is configured, with a message when there is none. */
static klm_rc load_tls(struct km_server *server, struct klm_diag *diag, struct klm_tls_ctx **out)
{
    struct km_state *state = km_state_get(server);
    klm_rc rc = srv_kmip_tls(state, diag, out);

    if (rc != KLM_OK && diag->msg == KLM_MSG_NONE) {
        (void)klm_fail(diag, rc, KLM_MSG_TLS_CONTEXT, "the key of the certificate for KMIP",
                       klm_rc_text(rc));
    }
    km_state_put(&state);
    return rc;
}

/* Handshakes have workers of their own, so that a flood of them does not stand before the keys of drives in the queue. Without new threads those of the server do it. */
static void start_workers(struct srv_kmip *set)
{
    if (!set->workers) {
        KLM_IGNORE(klm_workers_new(klm_workers_count(km_workers(set->server)), HANDSHAKES_MAX,
                                   &set->workers));
    }
}

klm_rc srv_kmip_listen(struct srv_kmip *kmip, struct klm_diag *diag)
{
    struct km_state *state = km_state_get(kmip->server);
    struct klm_diag why = {0};
    klm_rc rc = KLM_OK;

    if (wanted(state->config) && !kmip->tls && load_tls(kmip->server, &why, &kmip->tls) != KLM_OK) {
        klm_say_diag(&why);
        klm_say(KLM_MSG_KMIP_NOT_SERVED);
    }
    if (kmip->tls) {
        start_workers(kmip);
        rc = open_ports(kmip, state->config, diag);
    }
    km_state_put(&state);
    return rc;
}

/* ---- Refresh: a new context is made on a worker, since a private key may have to be opened by a token. */

static void load_run(struct klm_job *job)
{
    struct srv_kmip_load *load = (struct srv_kmip_load *)job;

    KLM_IGNORE(load_tls(load->server, &load->diag, &load->tls)); /* diag says so */
}

/* With what could be made; else as before. */
static void take_loaded(struct srv_kmip *set, struct srv_kmip_load *load)
{
    struct klm_diag diag = {0};

    if (!load->tls) {
        klm_say_diag(&load->diag);
        if (set->tls) {
            klm_say(KLM_MSG_KMIP_TLS_STAYS);
        } else {
            klm_say(KLM_MSG_KMIP_NOT_SERVED);
        }
        return;
    }
    klm_tls_ctx_free(&set->tls);
    set->tls = load->tls;
    load->tls = NULL;
    if (!set->draining && srv_kmip_listen(set, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
}

static void load_done(struct klm_job *job)
{
    struct srv_kmip_load *load = (struct srv_kmip_load *)job;
    struct srv_kmip *set = load->set;

    if (set) {
        bool again = set->load_again;

        set->load = NULL;
        set->load_again = false;
        take_loaded(set, load);
        if (again) {
            srv_kmip_refresh(set);
        }
    }
    klm_tls_ctx_free(&load->tls);
    free(load);
}

static void start_load(struct srv_kmip *set)
{
    struct srv_kmip_load *load = calloc(1, sizeof *load);

    if (!load) {
        klm_say(KLM_MSG_NO_MEMORY, "KMIP");
        return;
    }
    load->job = (struct klm_job){.run = load_run, .done = load_done, .loop = set->loop};
    load->set = set;
    load->server = set->server;
    set->load = load;
    if (klm_workers_submit(km_workers(set->server), &load->job) != KLM_OK) {
        load_run(&load->job); /* the workers have no end of work, and a refresh is seldom */
        load_done(&load->job);
    }
}

void srv_kmip_refresh(struct srv_kmip *kmip)
{
    struct km_state *state = km_state_get(kmip->server);
    const bool serves = wanted(state->config);

    km_state_put(&state);
    if (read_settings(kmip) != KLM_OK) {
        klm_say(KLM_MSG_NO_MEMORY, "KMIP");
    }
    if (kmip->load) {
        kmip->load_again = true;
    } else if (serves) {
        start_load(kmip);
    }
}

/* ---- What sessions ask */

klm_rc srv_kmip_recheck(struct srv_kmip_session *session, const char **words)
{
    return klm_tls_recheck(session->set->tls, klm_stream_ssl(session->stream), words);
}

klm_rc srv_kmip_hold(struct srv_kmip_session *session, size_t bytes)
{
    struct srv_kmip *set = session->set;
    const size_t two = 2 * set->settings->ops.bytes_max;

    set->held = set->held - session->held + bytes;
    session->held = bytes;
    return bytes > HELD_SMALL && set->held > (two > set->held_max ? two : set->held_max)
               ? KLM_E_LIMIT
               : KLM_OK;
}

/* ---- The end */

void srv_kmip_forget(struct srv_kmip_session *session)
{
    struct srv_kmip *set = session->set;

    srv_kmip_uncount(session);
    *(session->prev ? &session->prev->next : &set->head) = session->next;
    if (session->next) {
        session->next->prev = session->prev;
    }
    set->held -= session->held;
    set->n--;
    atomic_fetch_sub(&set->sessions, 1);
    free(session);
    if (set->draining && set->n == 0 && set->drained) {
        set->drained(set->drained_arg);
    }
}

static void close_ports(struct srv_kmip *set)
{
    srv_listener_free(&set->ttlv);
    srv_listener_free(&set->http);
    atomic_store(&set->ttlv_port, 0);
    atomic_store(&set->https_port, 0);
}

void srv_kmip_drain(struct srv_kmip *kmip, void (*done)(void *arg), void *arg)
{
    close_ports(kmip);
    kmip->draining = true;
    kmip->drained = done;
    kmip->drained_arg = arg;
    for (struct srv_kmip_session *s = kmip->head, *next; s; s = next) {
        next = s->next;
        srv_kmip_end(s, SRV_KMIP_DRAIN);
    }
    if (kmip->n == 0) {
        done(arg);
    }
}

void srv_kmip_cut(struct srv_kmip *kmip)
{
    for (struct srv_kmip_session *s = kmip->head, *next; s; s = next) {
        next = s->next;
        if (s->stream) {
            s->end = SRV_KMIP_CUT;
            srv_kmip_tell_end(s, KLM_E_TIMEOUT);
            klm_stream_free(&s->stream);
            s->closing = true;
            if (!s->busy) {
                srv_kmip_forget(s);
            }
        }
    }
}

void srv_kmip_reopen(struct srv_kmip *kmip)
{
    kmip->draining = false;
    kmip->drained = NULL;
}
