/* Audit events of calls: completed from the call, put on file before the answer leaves. */
#include "keymgr/internal.h"

#include <string.h>

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
    }
    return "";
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
    size_t n;
    const struct km_param *param = km_params(&n);
    const char *out = NULL;

    for (size_t i = 0; i < n; i++) {
        const char *value;

        if (param[i].verb != call->id || !(param[i].flags & KM_P_OBJECT)) {
            continue;
        }
        value = *(const char *const *)(const void *)((const char *)call->req + param[i].offset);
        if (value) {
            out = out ? klm_pool_printf(call->pool, "%s %s", out, value) : value;
        }
    }
    return out;
}

/* The message without its identifier, which is a field of its own. */
static const char *sentence(const struct klm_diag *diag)
{
    const char *id = klm_msg(diag->msg)->id;
    size_t n = strlen(id);

    return strncmp(diag->text, id, n) == 0 && diag->text[n] == ' ' ? diag->text + n + 1
                                                                   : diag->text;
}

/* What was done to what, for the records that have no sentence of their own. */
static const char *verb_and_object(struct km_call *call, const char *object)
{
    const char *name = km_verb(call->id)->name;

    return object ? klm_pool_printf(call->pool, "%s %s", name, object) : name;
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
    keep(event, SMF_F_THREAD, call->actor.kind == KM_ACTOR_DRIVE ? "KeyServing" : "Console");
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
    if (call->diag.msg != KLM_MSG_NONE) {
        keep(event, SMF_F_MESSAGE_ID, klm_msg(call->diag.msg)->id);
        keep(event, SMF_F_MESSAGE, sentence(&call->diag));
    }
}

static klm_rc append(struct km_server *server, const struct smf_event *event, uint64_t *seq)
{
    struct klm_buf buf;
    struct smf_entry entry;
    klm_rc rc;

    klm_buf_init(&buf, SMF_EVENT_MAX);
    rc = smf_event_encode(event, &buf);
    if (rc == KLM_OK) {
        entry = (struct smf_entry){.event = klm_buf_as_slice(&buf)};
        rc = smf_journal_append(server->journal, &entry, 1);
        *seq = entry.seq;
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc km_audit(struct km_server *server, const struct smf_event *event)
{
    uint64_t seq;

    return append(server, event, &seq);
}

/* The event of a change outside the store is on disk before the change is acknowledged, as that of a change inside it is. Such verbs run on a
 * worker, which may wait. */
static bool wants_disk(const struct km_call *call)
{
    const unsigned outside = KM_ACTS | KM_WORKER;

    return call->server->audit_sync ||
           (call->rc == KLM_OK && (km_verb(call->id)->flags & outside) == outside);
}

klm_rc km_audit_call(struct km_call *call)
{
    uint64_t seq = 0;

    km_event_complete(call);
    KLM_TRY(append(call->server, &call->event, &seq));
    return wants_disk(call) ? smf_journal_sync(call->server->journal, seq) : KLM_OK;
}
