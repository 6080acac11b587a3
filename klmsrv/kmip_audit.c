/* What is said and recorded of sessions of KMIP clients. A session that made requests is an event at its first request and at its end. One that made none is a probe:
 * monitors and some clients connect and close all day, which is counted and nothing more. What fails, and all of callers that are not registered, may be a flood: it is
 * recorded as that of strangers is (keymgr/strangers.h). */
#include "klmsrv/kmip.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define WINDOW_MS 10000
#define SAY_EVERY_MS 60000
#define SAID_IN_WINDOW 10
#define EVENTS_IN_WINDOW 5000 /* of registered clients */

static bool room_in(struct srv_window *window, unsigned most)
{
    uint64_t now = klm_clock_mono_ms();

    if (now - window->since > WINDOW_MS) {
        window->since = now;
        window->n = 0;
    }
    return ++window->n <= most;
}

void srv_kmip_tell_more(struct srv_kmip *set)
{
    char text[24];
    const struct km_news news = {.what = KM_HAP_SESSIONS_MORE, .failed = true, .object = text};

    if (set->unrecorded > 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)set->unrecorded);
        set->unrecorded = 0;
        km_happened(set->server, &news);
    }
}

static void record_known(struct srv_kmip *set, const struct km_news *news)
{
    if (room_in(&set->events, EVENTS_IN_WINDOW)) {
        km_happened(set->server, news);
    } else if (set->unrecorded++ == 0) {
        klm_timer_set(set->more, WINDOW_MS);
    }
}

static struct km_actor actor_of(const struct srv_kmip_session *session)
{
    return (struct km_actor){
        .kind = KM_ACTOR_CLIENT,
        .name = session->fingerprint, /* what the client is called, the engine knows */
        .address = session->address,
        .fingerprint = session->fingerprint,
        .session = session->number};
}

/* An event of a session: of how many, depends on who it is. */
static void record_session(struct srv_kmip_session *session, enum km_happening what, bool failed,
                           const struct klm_diag *why)
{
    struct srv_kmip *set = session->set;
    const bool shown = session->fingerprint[0] != '\0';
    const struct km_actor actor = actor_of(session);
    const struct km_news news = {.what = what,
                                 .failed = failed,
                                 .actor = &actor,
                                 .object = session->address,
                                 .auth_type = shown ? "certificate" : NULL,
                                 .why = why};

    if (shown && km_client_registered(set->server, session->fingerprint)) {
        record_known(set, &news);
    } else {
        km_happened_to_stranger(set->server, &news);
    }
}

void srv_kmip_tell_contact(struct srv_kmip_session *session)
{
    struct klm_diag diag = {0};

    (void)klm_fail(&diag, KLM_OK, KLM_MSG_KMIP_CONTACT, session->address,
                   session->fingerprint[0] ? session->fingerprint : "none");
    record_session(session, KM_HAP_KMIP_CONTACT, false, &diag);
}

/* A failure before the first request: said and recorded as often as there is room. */
static void fail(struct srv_kmip_session *session, enum km_happening what, enum klm_msg_id msg,
                 const char *words)
{
    struct srv_kmip *set = session->set;
    const struct km_actor actor = actor_of(session);
    struct klm_diag diag = {0};
    const struct km_news news = {
        .what = what, .failed = true, .actor = &actor, .object = session->address, .why = &diag};

    (void)klm_fail(&diag, KLM_E_INVALID, msg, session->address, words);
    if (room_in(&set->said, SAID_IN_WINDOW)) {
        klm_say_diag(&diag);
    }
    km_happened_to_stranger(set->server, &news);
}

static const char *words_of(const struct srv_kmip_session *session, klm_rc why)
{
    switch (session->end) {
    case SRV_KMIP_DRAIN:
        return "serving is stopped";
    case SRV_KMIP_CUT:
        return "it did not finish in time";
    case SRV_KMIP_REPLACED:
        return "a limit was reached, and it had waited longest";
    case SRV_KMIP_ASKED:
        return "the answer was the last";
    case SRV_KMIP_BAD:
        return session->why;
    case SRV_KMIP_ERROR:
        return "no answer could be made or sent";
    case SRV_KMIP_PEER:
        break;
    }
    if (why == KLM_E_CLOSED || why == KLM_OK) {
        return "the other side closed it";
    }
    return session->stream && klm_stream_why(session->stream)[0] ? klm_stream_why(session->stream)
                                                                 : klm_rc_text(why);
}

static bool is_fault(const struct srv_kmip_session *session, klm_rc why)
{
    switch (session->end) {
    case SRV_KMIP_DRAIN:
    case SRV_KMIP_ASKED:
        return false;
    case SRV_KMIP_CUT:
    case SRV_KMIP_REPLACED:
    case SRV_KMIP_BAD:
    case SRV_KMIP_ERROR:
        return true;
    case SRV_KMIP_PEER:
        break;
    }
    /* Between messages a connection may end as it likes: by its idle deadline, or reset, as it is when the client closes before it has read its tickets. */
    if ((why == KLM_E_TIMEOUT || why == KLM_E_IO) && !session->begun && !session->busy) {
        return false;
    }
    return why != KLM_OK && why != KLM_E_CLOSED;
}

static void end_of_requests(struct srv_kmip_session *session, klm_rc why)
{
    const bool failed = is_fault(session, why);
    struct klm_diag diag = {0};

    (void)klm_fail(&diag, why, KLM_MSG_KMIP_ENDED, session->address, KLM_NUM(session->requests),
                   words_of(session, why));
    if (session->end == SRV_KMIP_BAD && room_in(&session->set->said, SAID_IN_WINDOW)) {
        klm_say(KLM_MSG_KMIP_BROKEN, session->address, session->why);
    }
    record_session(session, KM_HAP_KMIP_END, failed, &diag);
}

void srv_kmip_tell_end(struct srv_kmip_session *session, klm_rc why)
{
    const bool fault = is_fault(session, why);

    if (session->requests > 0) {
        end_of_requests(session, why);
    } else if (session->shaking && session->end == SRV_KMIP_PEER && why != KLM_E_CLOSED &&
               why != KLM_OK) {
        atomic_fetch_add(&session->set->failed, 1);
        fail(session, KM_HAP_TLS_FAILED, KLM_MSG_KMIP_TLS_FAILED, words_of(session, why));
    } else if (session->end == SRV_KMIP_REPLACED) {
        fail(session, KM_HAP_CONNECTION_REFUSED, KLM_MSG_KMIP_TLS_FAILED, words_of(session, why));
    } else if (fault && session->end != SRV_KMIP_CUT) {
        fail(session, KM_HAP_SESSION_REFUSED, KLM_MSG_KMIP_BROKEN, words_of(session, why));
    } else if (session->end == SRV_KMIP_PEER || session->end == SRV_KMIP_ASKED) {
        atomic_fetch_add(&session->set->probes, 1);
    }
}

void srv_kmip_tell_http(struct srv_kmip_session *session, unsigned status)
{
    const struct km_actor actor = actor_of(session);
    struct klm_diag diag = {0};
    const struct km_news news = {.what = KM_HAP_HTTP_REFUSED,
                                 .failed = true,
                                 .actor = &actor,
                                 .object = session->address,
                                 .why = &diag};

    (void)klm_fail(&diag, KLM_E_INVALID, KLM_MSG_KMIP_HTTP, session->address, KLM_NUM(status));
    km_happened_to_stranger(session->set->server, &news);
}

void srv_kmip_tell_refused(struct srv_kmip *set, const char *host)
{
    const struct km_actor caller = {.kind = KM_ACTOR_CLIENT, .name = "", .address = host};
    const uint64_t now = klm_clock_mono_ms();
    struct klm_diag diag = {0};
    const struct km_news news = {.what = KM_HAP_CONNECTION_REFUSED,
                                 .failed = true,
                                 .actor = &caller,
                                 .object = host,
                                 .why = &diag};

    (void)klm_fail(&diag, KLM_E_LIMIT, KLM_MSG_KMIP_REFUSED, host,
                   KLM_NUM(atomic_load(&set->refused)));
    km_happened_to_stranger(set->server, &news);
    if (set->refused_said == 0 || now - set->refused_said > SAY_EVERY_MS) {
        set->refused_said = now;
        klm_say_diag(&diag);
    }
}
