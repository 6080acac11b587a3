/* Audit events of one drive session: how it ended, or why it never came about. Who was not admitted may be one of many: his events are a stranger's. */
#include "klmsrv/sessions.h"

#include "base/stream.h"

#include <stdio.h>

/* "000007888422 at 192.0.2.7:40022" */
const char *srv_session_name(struct srv_session *session)
{
    snprintf(session->name, sizeof session->name, "%s at %s",
             session->serial[0] ? session->serial : "?", session->address);
    return session->name;
}

struct km_actor srv_session_actor(const struct srv_session *session, unsigned roles)
{
    return (struct km_actor){.kind = KM_ACTOR_DRIVE,
                             .roles = roles,
                             .name = session->serial,
                             .address = session->address,
                             .fingerprint = session->fingerprint,
                             .session = session->number};
}

/* The event of an end, once. Of callers who are not admitted there may be a flood. */
static void record_end(struct srv_session *session, enum km_happening what, bool failed,
                       const struct klm_diag *why)
{
    const struct km_actor actor = srv_session_actor(session, 0);
    const struct km_news news = {.what = what,
                                 .failed = failed,
                                 .actor = &actor,
                                 .object = srv_session_name(session),
                                 .why = why};

    if (session->told) {
        return;
    }
    session->told = true;
    if (session->admitted) {
        km_happened(session->set->server, &news);
    } else {
        km_happened_to_stranger(session->set->server, &news);
    }
}

void srv_session_tell_failed(struct srv_session *session, enum klm_msg_id msg,
                             const char *const *args)
{
    struct klm_diag diag = {0};

    klm_diag_fill_(&diag, msg, args);
    record_end(session, session->admitted ? KM_HAP_SESSION_END : KM_HAP_SESSION_REFUSED, true,
               &diag);
}

static const char *words_of(const struct srv_session *session, klm_rc why)
{
    switch (session->end) {
    case SRV_END_BYE:
        return "the drive said good-bye";
    case SRV_END_DRAIN:
        return "serving is stopped";
    case SRV_END_CUT:
        return "it did not finish in time";
    case SRV_END_ERROR:
        return "an error of the server";
    case SRV_END_PEER:
        break;
    }
    if (session->stream && session->state == KX_UPGRADE && klm_stream_why(session->stream)[0]) {
        return klm_stream_why(session->stream);
    }
    return why == KLM_E_CLOSED || why == KLM_OK ? "the other side closed it" : klm_rc_text(why);
}

/* A look whether the port is open. */
static bool was_look(const struct srv_session *session, klm_rc why)
{
    return session->state == (session->tcp ? KX_AWAIT_HELLO : KX_UPGRADE) &&
           session->end == SRV_END_PEER && (why == KLM_OK || why == KLM_E_CLOSED);
}

void srv_session_tell_end(struct srv_session *session, klm_rc why)
{
    bool failed = session->end == SRV_END_CUT || session->end == SRV_END_ERROR ||
                  (session->end == SRV_END_PEER && why != KLM_OK && why != KLM_E_CLOSED);
    struct klm_diag diag = {0};
    const char *words = words_of(session, why);

    if (session->admitted) {
        (void)klm_fail(&diag, why, KLM_MSG_SESSION_ENDED, srv_session_name(session), words);
        record_end(session, KM_HAP_SESSION_END, failed, &diag);
    } else if (session->contacted || session->end == SRV_END_DRAIN || was_look(session, why)) {
        return; /* drive-contact told of it, or there was nothing yet */
    } else if (session->state == KX_UPGRADE) {
        (void)klm_fail(&diag, why, KLM_MSG_TLS_FAILED, srv_session_name(session), words);
        record_end(session, KM_HAP_TLS_FAILED, true, &diag);
    } else if (session->state != KX_AWAIT_HELLO || failed) {
        (void)klm_fail(&diag, why, KLM_MSG_SESSION_BROKE, srv_session_name(session), words);
        record_end(session, KM_HAP_SESSION_REFUSED, true, &diag);
    }
}
