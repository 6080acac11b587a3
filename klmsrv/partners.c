/* The port for partners and the side that connects to them, as one thing of the task. It lives as long as the task: stopekm stops the
 * serving of keys, not this. */
#include "klmsrv/srv.h"

#include "replication/repl.h"

#include <stdlib.h>

struct srv_partners {
    struct km_server *server;
    struct klm_loop *loop;
    struct srv_listener *listener; /* NULL: not open */
    struct repl_sessions *sessions;
    struct repl_client *client;
    struct repl_schedule *schedule;
};

klm_rc srv_partners_new(struct km_server *server, struct klm_loop *loop, struct srv_partners **out)
{
    static const struct km_partner_ops ops = {.sync = repl_sync, .drill = repl_drill};
    KLM_AUTO(srv_partners_free) struct srv_partners *partners = calloc(1, sizeof *partners);

    if (!partners) {
        return KLM_E_NOMEM;
    }
    partners->server = server;
    partners->loop = loop;
    KLM_TRY(repl_sessions_new(server, loop, &partners->sessions));
    KLM_TRY(repl_client_new(server, &partners->client));
    km_on_partner(server, &ops, partners->client);
    KLM_TRY(repl_schedule_new(server, &partners->schedule));
    *out = partners;
    partners = NULL;
    return KLM_OK;
}

static void accept_partner(void *arg, int take_fd)
{
    repl_sessions_accept(((struct srv_partners *)arg)->sessions, take_fd);
}

klm_rc srv_partners_listen(struct srv_partners *partners, struct klm_diag *diag)
{
    struct km_state *state = km_state_get(partners->server);
    klm_rc rc = KLM_OK;

    if (parm_is_set(state->config, PARM_Admin_ssl_port)) {
        rc = srv_listen(partners->loop, parm_str(state->config, PARM_Admin_ssl_host),
                        (unsigned)parm_num(state->config, PARM_Admin_ssl_port), accept_partner,
                        partners, diag, &partners->listener);
    }
    km_state_put(&state);
    if (rc == KLM_OK && partners->listener) {
        klm_say(KLM_MSG_PARTNER_LISTENING, KLM_NUM(srv_listener_port(partners->listener)));
    }
    return rc;
}

unsigned srv_partners_port(const struct srv_partners *partners)
{
    return partners->listener ? srv_listener_port(partners->listener) : 0;
}

void srv_partners_refresh(struct srv_partners *partners)
{
    repl_sessions_refresh(partners->sessions);
    repl_schedule_look(partners->schedule);
}

void srv_partners_drain(struct srv_partners *partners, void (*done)(void *arg), void *arg)
{
    srv_listener_free(&partners->listener);
    repl_client_stop(partners->client);
    repl_sessions_drain(partners->sessions, done, arg);
}

void srv_partners_cut(struct srv_partners *partners)
{
    repl_sessions_cut(partners->sessions);
}

void srv_partners_stop(struct srv_partners *partners)
{
    if (partners) {
        repl_client_stop(partners->client);
    }
}

void srv_partners_free(struct srv_partners **partners)
{
    struct srv_partners *p = *partners;

    if (!p) {
        return;
    }
    *partners = NULL;
    km_on_partner(p->server, &(struct km_partner_ops){0}, NULL);
    srv_listener_free(&p->listener);
    if (p->client) {
        repl_client_stop(p->client);
    }
    repl_schedule_free(&p->schedule);
    repl_sessions_free(&p->sessions);
    repl_client_free(&p->client);
    free(p);
}
