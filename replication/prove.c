/* A drill at the side that is asked: the challenges of a page become one verb, its answer the proofs. */
#include "replication/sessions.h"

#include <string.h>

#define PAGES_MAX 16384 /* of a session: far more than rings and groups can fill */

static void proven(struct km_call *call)
{
    struct repl_session *session = call->arg;
    const struct km_proof *proofs = call->work;
    struct repl_proven *out = &session->answer.u.proven;

    if (call->rc != KLM_OK) {
        repl_session_refuse(session, &call->diag);
    } else {
        session->pages++; /* one that was refused gives no right to the next */
        session->answer = (struct repl_message){.type = REPL_PROVEN};
        out->n = session->request.u.drill.n;
        for (size_t i = 0; i < out->n; i++) {
            out->proof[i] = proofs[i];
        }
        repl_session_answer(session);
    }
    km_call_free(&call);
}

static klm_rc fill(struct repl_session *session, struct km_call *call)
{
    const struct repl_drill *drill = &session->request.u.drill;
    struct km_prove *req = call->req;
    struct km_challenge *item = klm_pool_alloc(call->pool, drill->n * sizeof *item);
    uint8_t binding[32];

    if (!item) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < drill->n; i++) {
        item[i] = (struct km_challenge){.kind = drill->item[i].kind,
                                        .name = drill->item[i].name,
                                        .challenge = drill->item[i].challenge};
        memcpy(item[i].hash, drill->item[i].hash, sizeof item[i].hash);
    }
    KLM_TRY(repl_binding(klm_stream_ssl(session->stream), binding));
    KLM_TRY(klm_pool_slice(call->pool, KLM_SLICE(binding, sizeof binding), &req->binding));
    req->nonce = KLM_SLICE(drill->nonce, sizeof drill->nonce); /* the session outlives the call */
    req->item = item;
    req->n = (int64_t)drill->n;
    req->first = session->pages == 0;
    return KLM_OK;
}

static klm_rc start(struct repl_session *session)
{
    const struct km_actor actor = repl_session_actor(session);
    struct km_call *call;
    klm_rc rc;

    KLM_TRY(km_call_new(session->set->server, KM_DRILL_PROVE, &actor, &call));
    rc = fill(session, call);
    if (rc != KLM_OK) {
        km_call_free(&call);
        return rc;
    }
    call->loop = session->set->loop;
    call->done = proven;
    call->arg = session;
    km_run(call);
    return KLM_OK;
}

void repl_prove(struct repl_session *session)
{
    struct klm_diag diag = {0};
    klm_rc rc = session->pages < PAGES_MAX ? start(session) : KLM_E_LIMIT;

    if (rc != KLM_OK) {
        (void)klm_fail(&diag, rc, KLM_MSG_DRILL_REFUSED, session->name, klm_rc_text(rc));
        repl_session_refuse(session, &diag);
    }
}
