/* Audit events to a syslog receiver: the properties Audit.syslog.* as options of the sink, and certificates from the rings in force. */
#include "smf/syslog.h"

#include "base/tls.h"
#include "keymgr/internal.h"

#include <string.h>

#define CHAIN_MAX 64
#define WEAK_TLS_BITS 2048 /* below this OpenSSL's usual security level refuses the certificate */
#define PORT_TLS 6514      /* RFC 5425, 4.1 */
#define PORT_CLEAR 514     /* RFC 5426, 3.3; RFC 6587 has none for TCP */

static size_t authorities(const struct kr_open_ring *ring, struct x509_st **out)
{
    size_t n = 0;

    for (size_t i = 0; i < kr_open_ring_count(ring) && n < CHAIN_MAX; i++) {
        const struct kr_label *label = kr_open_ring_at(ring, i);

        if (label->is_ca && strcmp(label->usage, "CERTAUTH") == 0) {
            out[n++] = label->x509;
        }
    }
    return n;
}

/* The certificate that receivers are shown. */
static klm_rc own_cert(const struct km_state *state, struct klm_diag *diag,
                       const struct kr_label **out)
{
    const char *label = parm_str(state->config, PARM_Audit_syslog_ssl_label);
    const struct kr_label *found = NULL;
    klm_rc rc =
        label ? kr_label_find(state->tls, label, &found) : kr_label_server(state->tls, &found);

    if (rc != KLM_OK || !found->key) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SYSLOG_NO_CERT, label ? label : "(default)",
                        parm_str(state->config, PARM_TransportListener_ssl_keystore_name));
    }
    *out = found;
    return KLM_OK;
}

static klm_rc make_ctx(const struct km_state *state, struct klm_diag *diag,
                       struct klm_tls_ctx **out)
{
    struct x509_st *chain[CHAIN_MAX], *trust[CHAIN_MAX];
    const struct kr_label *own = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_tls_config cfg = {.min_version = 12, .max_version = 13, .security_level = 2};

    KLM_TRY(own_cert(state, diag, &own));
    if (own->spec.type == KR_RSA && own->spec.bits < WEAK_TLS_BITS) {
        cfg.security_level = 1;
    }
    KLM_TRY(kr_key_opened(own->key, &key));
    cfg.key = kr_key_pkey(key);
    cfg.cert = own->x509;
    cfg.chain = chain;
    cfg.chain_n = authorities(state->tls, chain);
    cfg.trust = trust;
    cfg.trust_n = authorities(state->trust, trust);
    return klm_tls_ctx_new(&cfg, diag, out);
}

/* For each connection, from the rings in force then: a refresh brings renewed certificates. */
static klm_rc client_ctx(void *arg, struct klm_diag *diag, struct klm_tls_ctx **out)
{
    struct km_state *state = km_state_get(arg);
    klm_rc rc = state ? make_ctx(state, diag, out) : KLM_E_STATE;

    if (state) {
        km_state_put(&state);
    }
    return rc;
}

static enum smf_syslog_transport transport_of(const struct parm_config *config)
{
    static const char *const words[] = {[SMF_SYSLOG_LOCAL] = "local",
                                        [SMF_SYSLOG_UDP] = "udp",
                                        [SMF_SYSLOG_TCP] = "tcp",
                                        [SMF_SYSLOG_TLS] = "tls",
                                        [SMF_SYSLOG_EVTLOG] = "evtlog"};
    const char *word = parm_str(config, PARM_Audit_syslog_transport);

    for (size_t i = 0; word && i < KLM_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum smf_syslog_transport)i;
        }
    }
    return parm_bool(config, PARM_Audit_syslog_server_isSSL) ? SMF_SYSLOG_TLS : SMF_SYSLOG_TCP;
}

static enum smf_syslog_format format_of(const struct parm_config *config)
{
    return parm_has(config, PARM_Audit_syslog_format, "cef")    ? SMF_SYSLOG_CEF
           : parm_has(config, PARM_Audit_syslog_format, "leef") ? SMF_SYSLOG_LEEF
                                                                : SMF_SYSLOG_RFC5424;
}

static void set_options(const struct parm_config *config, struct smf_syslog_options *options)
{
    int64_t port = parm_num(config, PARM_Audit_syslog_server_port);

    options->transport = transport_of(config);
    options->format = format_of(config);
    options->facility = (unsigned)parm_num(config, PARM_Audit_syslog_facility);
    options->enterprise = (unsigned)parm_num(config, PARM_Audit_syslog_enterprise);
    options->folder = parm_str(config, PARM_Audit_handler_file_directory);
    options->host = parm_str(config, PARM_Audit_syslog_server_host);
    options->port = port                                   ? (unsigned)port
                    : options->transport == SMF_SYSLOG_TLS ? PORT_TLS
                                                           : PORT_CLEAR;
    options->socket = parm_str(config, PARM_Audit_syslog_socket);
    options->plugin = parm_str(config, PARM_Audit_syslog_plugin);
    options->timeout_ms = 1000 * (unsigned)parm_num(config, PARM_Audit_syslog_timeout_seconds);
    options->resend_ms = 1000 * (unsigned)parm_num(config, PARM_Audit_syslog_resend_seconds);
}

/* A certificate that is not there would stop every connection; the start says so. */
static klm_rc check_cert(struct km_server *server, struct klm_diag *diag)
{
    KLM_AUTO(klm_tls_ctx_free) struct klm_tls_ctx *ctx = NULL;

    return client_ctx(server, diag, &ctx);
}

klm_rc km_syslog_open(struct km_server *server, const struct parm_config *config,
                      struct klm_diag *diag)
{
    struct smf_syslog_options options = {.tls = client_ctx,
                                         .tls_arg = server,
                                         .server_id = smf_journal_server_id(server->journal),
                                         .begin = km_sinks_begin(server, config).seq};

    if (!parm_bool(config, PARM_Audit_isSyslog)) {
        return KLM_OK;
    }
    set_options(config, &options);
    if (options.transport == SMF_SYSLOG_TLS) {
        KLM_TRY(check_cert(server, diag));
    }
    return smf_syslog_open(&options, server->journal, diag, &server->syslog);
}

void km_syslog_close(struct km_server *server, unsigned ms)
{
    if (server->syslog) {
        /* what is left stays in the journal and is sent after the next start */
        KLM_IGNORE(smf_sink_drain(smf_syslog_core(server->syslog), ms ? ms : 1));
        smf_syslog_close(&server->syslog);
    }
}

struct smf_sink *km_syslog_sink(struct km_server *server)
{
    return server->syslog ? smf_syslog_core(server->syslog) : NULL;
}
