/* Audit events of calls: completed from the call, put on file before the answer leaves. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOURCE "klmsrv.keymgr"

static const char *kind_name(enum km_actor_kind kind)
{
    switch (kind) {
    case KM_ACTOR_SYSTEM:
        return "system";
    case KM_ACTOR_OPERATOR:
        return "operator";
    case KM_ACTOR_DRIVE:
        return "drive";
    case KM_ACTOR_PARTNER:
        return "partner";
    case KM_ACTOR_CLIENT:
        return "client";
    }
    return "";
}

const char *km_thread_text(enum km_actor_kind kind)
{
    switch (kind) {
    case KM_ACTOR_DRIVE:
        return "KeyServing";
    case KM_ACTOR_PARTNER:
        return "Partner";
    case KM_ACTOR_CLIENT:
        return "KMIP";
    case KM_ACTOR_SYSTEM:
    case KM_ACTOR_OPERATOR:
        break;
    }
    return "Console";
}

static void keep(struct smf_event *event, enum smf_field field, const char *value)
{
    if (!event->field[field] && value && *value) {
        event->field[field] = value;
    }
}

/* What the call was about: the parameters that name its object, as "name=value". */
static const char *object_of(struct km_call *call)
{
    const char *out = NULL;

    for (const struct km_param *p = km_param_next(call->id, NULL); p;
         p = km_param_next(call->id, p)) {
        const char *value =
            p->flags & KM_P_OBJECT
                ? *(const char *const *)(const void *)((const char *)call->req + p->offset)
                : NULL;

        if (value) {
            out = out ? klm_pool_printf(call->pool, "%s %s", out, value) : value;
        }
    }
    return out;
}

/* What was done to what, for the records that have no sentence of their own. */
static const char *verb_and_object(struct km_call *call, const char *object)
{
    const char *name = km_verb(call->id)->name;
    const size_t n = strlen(name), object_n = object ? strlen(object) : 0;
    char *out = object ? klm_pool_alloc(call->pool, n + 1 + object_n + 1) : NULL;

    if (!out) {
        return name;
    }
    memcpy(out, name, n);
    out[n] = ' ';
    memcpy(out + n + 1, object, object_n); /* a pool's memory is zeroed */
    return out;
}

void km_event_complete(struct km_call *call)
{
    const struct km_verb *verb = km_verb(call->id);
    struct smf_event *event = &call->event;

    event->outcome = call->rc == KLM_OK && call->device_code == 0 ? SMF_SUCCESS : SMF_FAILURE;
    if (event->time == 0) {
        event->time = klm_clock();
    }
    keep(event, SMF_F_VERB, verb->name);
    keep(event, SMF_F_SOURCE, SOURCE);
    keep(event, SMF_F_THREAD, km_thread_text(call->actor.kind));
    keep(event, SMF_F_ACTION, "stop");
    keep(event, SMF_F_OBJECT, object_of(call));
    if (!event->field[SMF_F_RESOURCE]) {
        keep(event, SMF_F_RESOURCE, verb_and_object(call, event->field[SMF_F_OBJECT]));
    }
    if (event->kind == SMF_CONFIG) { /* its record has no resource line (isklm reference 5.1) */
        keep(event, SMF_F_COMMAND, event->field[SMF_F_RESOURCE]);
    }
    keep(event, SMF_F_RESOURCE_TYPE, "file");
    keep(event, SMF_F_USER, call->actor.name);
    keep(event, SMF_F_USER_KIND, kind_name(call->actor.kind));
    keep(event, SMF_F_ADDRESS, call->actor.address);
    keep(event, SMF_F_CLIENT, call->actor.fingerprint);
    keep(event, SMF_F_SESSION, call->actor.session);
    keep(event, SMF_F_REQUEST, call->actor.request);
    keep(event, SMF_F_CORRELATION, call->actor.correlation);
    km_event_offset(event->time, call->offset);
    keep(event, SMF_F_OFFSET, call->offset);
    if (call->diag.msg != KLM_MSG_NONE) {
        keep(event, SMF_F_MESSAGE_ID, klm_msg(call->diag.msg)->id);
        keep(event, SMF_F_MESSAGE, klm_msg_sentence(call->diag.msg, call->diag.text));
    }
}

/* Local time moves against UTC a few times a year: asked once a minute, by each thread. */
void km_event_offset(klm_time time, char out[8])
{
    static _Thread_local struct {
        int64_t minute;
        char text[8];
    } last = {.minute = -1};
    const int64_t minute = time / 60000000;

    if (last.minute != minute) {
        const time_t seconds = (time_t)(time / 1000000);
        struct tm tm = {0};
        int east = localtime_r(&seconds, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
        unsigned minutes = (unsigned)abs(east) % 6000;

        snprintf(last.text, sizeof last.text, "%c%02u:%02u", east < 0 ? '-' : '+', minutes / 60,
                 minutes % 60);
        last.minute = minute;
    }
    memcpy(out, last.text, sizeof last.text);
}

/* What is held came before, and stands before it. While the journal has no room for that, it has none for what came later, though that may be shorter. */
klm_rc km_journal_append(struct km_server *server, struct smf_entry *entry, size_t n)
{
    if (server->held) {
        KLM_TRY(smf_held_move(server->held));
    }
    return smf_journal_append(server->journal, entry, n);
}

/* The next events of a row, as many as one append takes. */
static klm_rc append_some(struct km_server *server, struct klm_cur *cur, uint64_t *no,
                          uint64_t *seq)
{
    struct smf_entry entry[KM_ROW_EVENTS];
    size_t n = 0;

    while (klm_cur_left(cur) > 0 && n < KLM_COUNT(entry) && klm_cur_rc(cur) == KLM_OK) {
        entry[n] = (struct smf_entry){.event_no = *no ? *no + n : 0};
        klm_cur_lp32(cur, SMF_EVENT_MAX, &entry[n].event);
        n++;
    }
    KLM_TRY(klm_cur_rc(cur));
    KLM_TRY(km_journal_append(server, entry, n));
    for (size_t i = 0; i < n; i++) {
        *seq = entry[i].seq ? entry[i].seq : *seq;
    }
    *no += *no ? n : 0;
    return KLM_OK;
}

klm_rc km_audit_row(struct km_server *server, struct klm_slice events, uint64_t first_no,
                    uint64_t *seq)
{
    struct klm_cur cur;

    klm_cur_init(&cur, events);
    while (klm_cur_left(&cur) > 0) {
        KLM_TRY(append_some(server, &cur, &first_no, seq));
    }
    return klm_cur_rc(&cur);
}

klm_rc km_audit(struct km_server *server, const struct smf_event *event)
{
    struct smf_event stamped = *event;
    struct smf_entry entry;
    struct klm_buf buf;
    char offset[8];
    klm_rc rc;

    stamped.time = event->time ? event->time : klm_clock();
    km_event_offset(stamped.time, offset);
    keep(&stamped, SMF_F_OFFSET, offset);
    klm_buf_init(&buf, SMF_EVENT_MAX);
    rc = smf_event_encode(&stamped, &buf);
    if (rc == KLM_OK) {
        entry = (struct smf_entry){.event = klm_buf_as_slice(&buf)};
        rc = km_journal_append(server, &entry, 1);
    }
    klm_buf_done(&buf);
    if (rc != KLM_OK) {
        km_audit_trouble(server, 1, rc);
    }
    return rc;
}

/* The event of a change outside the store is on disk before the change is acknowledged, as that of a change inside it is. Such verbs run on a
 * worker, which may wait. */
static bool wants_disk(const struct km_call *call)
{
    const unsigned outside = KM_ACTS | KM_WORKER;

    return call->server->audit_sync ||
           (call->rc == KLM_OK && (km_verb(call->id)->flags & outside) == outside);
}

/* The same thread, or the audit thread, would write to the journal and let the answer wait: only what must be on disk, or may be refused, does. */
bool km_audit_hold(struct km_call *call)
{
    struct km_server *server = call->server;
    klm_rc rc;

    if (!server->held || server->options.offline || call->more.n > 0 || wants_disk(call) ||
        smf_journal_failing(server->journal)) {
        return false;
    }
    km_event_complete(call);
    rc = smf_held_put_event(server->held, &call->event);
    if (rc == KLM_OK) {
        call->recorded = true;
        km_auditor_wake(server);
    }
    return rc == KLM_OK;
}

klm_rc km_audit_call(struct km_call *call)
{
    struct km_events events = {0};
    uint64_t seq = 0;
    klm_rc rc;

    klm_buf_init(&events.row, SMF_EVENT_MAX + 4 + KM_MORE_MAX);
    rc = km_events_add(&events, call);
    if (rc == KLM_OK && call->rc == KLM_OK && call->more.n > 0) {
        klm_buf_slice(&events.row, klm_buf_as_slice(&call->more));
        rc = klm_buf_rc(&events.row);
    }
    if (rc == KLM_OK) {
        rc = km_audit_row(call->server, klm_buf_as_slice(&events.row), 0, &seq);
        call->recorded = rc == KLM_OK;
    }
    klm_buf_done(&events.row);
    return rc == KLM_OK && wants_disk(call) ? smf_journal_sync(call->server->journal, seq) : rc;
}
