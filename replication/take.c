/* A sync at the receiver: every part is checked before anything changes, then each is taken over by its verb, and the answer says what
 * became of each. */
#include "replication/sessions.h"

#include <stdio.h>
#include <string.h>

static void next(struct repl_session *session);

void repl_text_of(const struct klm_diag *diag, struct repl_text *out)
{
    snprintf(out->id, sizeof out->id, "%s", klm_msg(diag->msg)->id);
    snprintf(out->text, sizeof out->text, "%s", klm_msg_sentence(diag->msg, diag->text));
}

/* Where a part stands in the request; its number of parts when it has none. */
static size_t place_of(const struct repl_sync *sync, enum repl_part part)
{
    size_t i = 0;

    while (i < sync->n && sync->part[i].part != (uint8_t)part) {
        i++;
    }
    return i;
}

/* Each part is known here, and comes once. */
static uint8_t first_wrong(const struct repl_sync *sync)
{
    for (size_t i = 0; i < sync->n; i++) {
        if (!repl_part_row(sync->part[i].part) ||
            place_of(sync, (enum repl_part)sync->part[i].part) != i) {
            return sync->part[i].part ? sync->part[i].part : UINT8_MAX;
        }
    }
    return 0;
}

static void part_done(struct km_call *call)
{
    struct repl_session *session = call->arg;
    size_t n;
    const struct repl_part_row *row = repl_parts(&n);
    bool taking = session->step >= n;
    size_t at = place_of(&session->request.u.sync, row[session->step % n].part);
    struct repl_text *text = &session->answer.u.synced.part[at].text;
    bool failed = call->rc != KLM_OK;

    if (failed) {
        session->answer.u.synced.part[at].outcome = REPL_PART_REFUSED;
        repl_text_of(&call->diag, text);
    } else if (taking) {
        session->answer.u.synced.part[at].outcome = REPL_TAKEN;
        snprintf(text->text, sizeof text->text, "%s", call->text ? call->text : "taken over");
    }
    km_call_free(&call);
    session->step++;
    if (failed) {
        repl_session_answer(session);
    } else {
        next(session);
    }
}

static klm_rc run_part(struct repl_session *session, const struct repl_part_row *part,
                       bool checking, struct klm_slice bytes)
{
    const struct km_actor actor = repl_session_actor(session);
    struct km_file_req *req;
    struct km_call *call;

    KLM_TRY(km_call_new(session->set->server, checking ? part->check : part->take, &actor, &call));
    req = call->req;
    req->bytes = bytes; /* they stay in the input until the answer */
    req->rewrite = session->request.u.sync.rewrite;
    call->event.field[SMF_F_OBJECT] = part->word;
    call->loop = session->set->loop;
    call->done = part_done;
    call->arg = session;
    km_run(call);
    return KLM_OK;
}

/* The next part of the pass: first all are checked, then all are taken over. */
static void next(struct repl_session *session)
{
    const struct repl_sync *sync = &session->request.u.sync;
    struct klm_diag diag = {0};
    size_t n;
    const struct repl_part_row *row = repl_parts(&n);

    for (; session->step < 2 * n; session->step++) {
        const struct repl_part_row *part = &row[session->step % n];
        size_t at = place_of(sync, part->part);

        if (at < sync->n) {
            klm_rc rc = run_part(session, part, session->step < n, sync->part[at].bytes);

            if (rc == KLM_OK) {
                return; /* part_done goes on */
            }
            (void)klm_fail(&diag, rc, KLM_MSG_NO_MEMORY, part->word);
            repl_session_refuse(session, &diag);
            return;
        }
    }
    repl_session_answer(session);
}

void repl_take(struct repl_session *session)
{
    const struct repl_sync *sync = &session->request.u.sync;
    struct klm_diag diag = {0};
    uint8_t wrong = first_wrong(sync);

    if (wrong) {
        (void)klm_fail(&diag, KLM_E_INVALID, KLM_MSG_PARTNER_PART, KLM_NUM(wrong));
        repl_session_refuse(session, &diag);
        return;
    }
    session->answer = (struct repl_message){.type = REPL_SYNCED};
    session->answer.u.synced.n = sync->n;
    for (size_t i = 0; i < sync->n; i++) {
        session->answer.u.synced.part[i].part = sync->part[i].part;
        session->answer.u.synced.part[i].outcome = REPL_UNTOUCHED;
    }
    session->step = 0;
    next(session);
}
