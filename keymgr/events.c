/* Events that are no verb: what happened is named where it happens, here it becomes typed fields. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum smf_kind kind;
    const char *type, *text;
} rows[KM_HAPPENINGS] = {
#define KM_HAPPENING(id, name, kind, type, text) [id] = {name, kind, type, text},
#include "keymgr/happenings.def"
#undef KM_HAPPENING
};

const char *km_happening_name(enum km_happening what)
{
    return rows[what].name;
}

/* The part of the server that the event is about. */
static const char *source_of(enum km_happening what)
{
    static const char *const sources[][2] = {{"session", "klmsrv.session"},
                                             {"socket", "klmsrv.console"},
                                             {"journal", "klmsrv.audit"},
                                             {"task", "klmsrv.task"}};

    for (size_t i = 0; i < KLM_COUNT(sources); i++) {
        if (strcmp(rows[what].type, sources[i][0]) == 0) {
            return sources[i][1];
        }
    }
    return "klmsrv.keymgr";
}

static const char *thread_of(const struct km_actor *actor)
{
    if (!actor || actor->kind == KM_ACTOR_SYSTEM) {
        return "main";
    }
    return km_thread_text(actor->kind);
}

static void name_actor(const struct km_actor *actor, struct smf_event *event)
{
    static const char *const kinds[] = {[KM_ACTOR_SYSTEM] = "system",
                                        [KM_ACTOR_OPERATOR] = "operator",
                                        [KM_ACTOR_DRIVE] = "drive",
                                        [KM_ACTOR_PARTNER] = "partner",
                                        [KM_ACTOR_CLIENT] = "client"};
    const struct km_actor task = {.kind = KM_ACTOR_SYSTEM, .name = "ISKLM"};

    actor = actor ? actor : &task;
    event->field[SMF_F_USER] = actor->name;
    event->field[SMF_F_USER_KIND] = kinds[actor->kind];
    event->field[SMF_F_ADDRESS] = actor->address;
    event->field[SMF_F_CLIENT] = actor->fingerprint;
    event->field[SMF_F_SESSION] = actor->session;
    event->field[SMF_F_REQUEST] = actor->request;
    event->field[SMF_F_CORRELATION] = actor->correlation;
    event->field[SMF_F_DRIVE] = actor->kind == KM_ACTOR_DRIVE ? actor->name : NULL;
}

void km_news_event(const struct km_news *news, char text[512], struct smf_event *event)
{
    *event = (struct smf_event){.kind = rows[news->what].kind,
                                .outcome = news->failed ? SMF_FAILURE : SMF_SUCCESS,
                                .time = news->time ? news->time : klm_clock()};
    snprintf(text, 512, "%s%s%s", rows[news->what].text, news->object ? ": " : "",
             news->object ? news->object : "");
    name_actor(news->actor, event);
    event->field[SMF_F_VERB] = event->field[SMF_F_ACTION] = rows[news->what].name;
    event->field[SMF_F_SOURCE] = source_of(news->what);
    event->field[SMF_F_THREAD] = thread_of(news->actor);
    event->field[SMF_F_RESOURCE] = text;
    event->field[SMF_F_COMMAND] = event->kind == SMF_CONFIG ? text : NULL; /* as in audit.c */
    event->field[SMF_F_RESOURCE_TYPE] = rows[news->what].type;
    event->field[SMF_F_OBJECT] = news->object;
    event->field[SMF_F_OLD] = news->old;
    event->field[SMF_F_NEW] = news->now;
    event->field[SMF_F_AUTH_TYPE] = news->auth_type;
    if (news->why && news->why->msg != KLM_MSG_NONE) {
        event->field[SMF_F_MESSAGE_ID] = klm_msg(news->why->msg)->id;
        event->field[SMF_F_MESSAGE] = klm_msg_sentence(news->why->msg, news->why->text);
    }
}

static klm_rc encode(const struct km_news *news, struct klm_buf *out)
{
    struct smf_event event;
    char text[512], offset[8];

    km_news_event(news, text, &event);
    km_event_offset(event.time, offset);
    event.field[SMF_F_OFFSET] = offset;
    return smf_event_encode(&event, out);
}

klm_rc km_happened_now(struct km_server *server, const struct km_news *news)
{
    struct smf_event event;
    char text[512];

    km_news_event(news, text, &event);
    return km_audit(server, &event);
}

/* Held, or a copy for the audit thread. */
klm_rc km_audit_queue(struct km_server *server, struct klm_slice event)
{
    struct km_queued *queued;
    klm_rc rc;

    if (server->held && !server->options.offline && !smf_journal_failing(server->journal) &&
        smf_held_put(server->held, event) == KLM_OK) {
        km_auditor_wake(server);
        return KLM_OK;
    }
    queued = malloc(sizeof *queued + event.n);
    if (!queued) {
        return KLM_E_NOMEM;
    }
    *queued = (struct km_queued){.n = event.n};
    memcpy(queued + 1, event.p, event.n);
    rc = km_auditor_put(server, queued);
    if (rc != KLM_OK) {
        free(queued);
    }
    return rc;
}

void km_happened(struct km_server *server, const struct km_news *news)
{
    struct klm_buf event;
    klm_rc rc;

    klm_buf_init(&event, SMF_EVENT_MAX);
    rc = encode(news, &event);
    if (rc == KLM_OK) {
        rc = km_audit_queue(server, klm_buf_as_slice(&event));
    }
    klm_buf_done(&event);
    if (rc == KLM_E_STATE) {
        KLM_IGNORE(km_happened_now(server, news)); /* counted there */
    } else if (rc != KLM_OK) {
        km_audit_trouble(server, 1, rc);
    }
}

const char *km_server_name(const struct km_server *server)
{
    return smf_journal_server_id(server->journal);
}

void km_session_number(struct km_server *server, char out[KM_SESSION_MAX])
{
    snprintf(out, KM_SESSION_MAX, "%lld-%u", (long long)(server->started / 1000000),
             atomic_fetch_add(&server->sessions, 1) + 1);
}

/* ---- Further events of a call */

klm_rc km_news_row(const struct km_news *news, struct klm_buf *row)
{
    size_t at = row->n;

    klm_buf_u32(row, 0);
    KLM_TRY(klm_buf_rc(row));
    KLM_TRY(encode(news, row));
    klm_buf_set_u32(row, at, (uint32_t)(row->n - at - 4));
    return KLM_OK;
}

klm_rc km_more(struct km_call *call, const struct km_news *news)
{
    struct km_news of_call = *news;

    if (call->more.limit == 0) {
        klm_buf_init(&call->more, KM_MORE_MAX);
    }
    if (call->more.n + 2 * (SMF_EVENT_MAX + 4) > KM_MORE_MAX && news->what != KM_HAP_DRIVES_MORE) {
        call->untold++;
        return KLM_OK;
    }
    of_call.actor = &call->actor;
    return km_news_row(&of_call, &call->more);
}

const char *km_property_shown(const struct parm_config *config, enum parm_id id)
{
    const char *value = parm_str(config, id);

    return value && (parm_row(id)->flags & PARM_SECRET) ? "****" : value;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

klm_rc km_more_config(struct km_call *call, const struct parm_config *from,
                      const struct parm_config *to)
{
    for (int i = 0; i < PARM_COUNT_; i++) {
        const enum parm_id id = (enum parm_id)i;

        if (!same(parm_str(from, id), parm_str(to, id))) {
            const struct km_news news = {.what = KM_HAP_CONFIG_CHANGED,
                                         .object = parm_row(id)->name,
                                         .old = km_property_shown(from, id),
                                         .now = km_property_shown(to, id)};

            KLM_TRY(km_more(call, &news));
        }
    }
    return KLM_OK;
}

const char *km_drive_text(const struct dt_drive *drive, char out[KM_DRIVE_TEXT])
{
    snprintf(out, KM_DRIVE_TEXT, "kind=%s wwn=%s alias1=%s alias2=%s symalias=%s certificate=%s",
             dt_kind_name(drive->kind), drive->wwn, drive->alias1, drive->alias2, drive->symalias,
             drive->fingerprint);
    return out;
}

struct km_news km_drive_news(const struct dt_drive *before, const struct dt_drive *after,
                             char old[KM_DRIVE_TEXT], char now[KM_DRIVE_TEXT])
{
    return (struct km_news){.what = !before  ? KM_HAP_DRIVE_ADDED
                                    : !after ? KM_HAP_DRIVE_REMOVED
                                             : KM_HAP_DRIVE_CHANGED,
                            .object = after    ? after->serial
                                      : before ? before->serial
                                               : NULL,
                            .old = before ? km_drive_text(before, old) : NULL,
                            .now = after ? km_drive_text(after, now) : NULL};
}

/* For an md_group_told_fn: one for each key group that a file changed; arg is the call. */
klm_rc km_more_group(void *call, const char *group, const char *how)
{
    const struct km_news news = {.what = KM_HAP_GROUP_EDITED, .object = group, .now = how};

    return km_more(call, &news);
}

klm_rc km_more_drive(void *call, const struct dt_drive *before, const struct dt_drive *after)
{
    char old[KM_DRIVE_TEXT], now[KM_DRIVE_TEXT];
    const struct km_news news = km_drive_news(before, after, old, now);

    return km_more(call, &news);
}
