/* The verb table and its parameters, and calls: made, filled by name, checked. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct km_verb verbs[KM_VERBS] = {
#define KM_VERB(id, name, right, flags, kind, request, prepare, apply, publish, help)              \
    [id] = {name, right, flags, kind, sizeof(request), prepare, apply, publish, help},
#include "keymgr/verbs.def"
#undef KM_VERB
};

static const struct km_param params[] = {
#define KM_PARAM(verb, name, type, max, flags, structure, field, help)                             \
    {verb, name, type, max, flags, offsetof(structure, field), help},
#include "keymgr/params.def"
#undef KM_PARAM
};

#define CALL_POOL_LIMIT (256u << 20)

const struct km_verb *km_verb(enum km_verb_id id)
{
    return &verbs[id];
}

static const struct {
    enum kx_type message;
    enum dt_kind kind;
    enum km_verb_id verb;
} serves[] = {
#define KM_SERVES(message, kind, verb) {message, kind, verb},
#include "keymgr/serves.def"
#undef KM_SERVES
};

enum km_verb_id km_verb_for(enum kx_type message, enum dt_kind kind)
{
    enum km_verb_id refuses = KM_VERBS;

    for (size_t i = 0; i < KLM_COUNT(serves); i++) {
        if (serves[i].message == message && serves[i].kind == kind) {
            return serves[i].verb;
        }
        if (serves[i].message == message && refuses == KM_VERBS) {
            refuses = serves[i].verb;
        }
    }
    return refuses;
}

bool km_verb_serves(enum km_verb_id id, enum dt_kind kind)
{
    for (size_t i = 0; i < KLM_COUNT(serves); i++) {
        if (serves[i].verb == id && serves[i].kind == kind) {
            return true;
        }
    }
    return false;
}

const struct km_param *km_params(size_t *n)
{
    *n = KLM_COUNT(params);
    return params;
}

/* Where the rows of each verb begin and end: they stand together, or nearly. Made once. */
static struct {
    uint16_t first, end;
} rows_of[KM_VERBS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_rows(void)
{
    for (size_t i = KLM_COUNT(params); i-- > 0;) {
        const enum km_verb_id verb = params[i].verb;

        rows_of[verb].first = (uint16_t)i;
        rows_of[verb].end = rows_of[verb].end ? rows_of[verb].end : (uint16_t)(i + 1);
    }
}

const struct km_param *km_param_next(enum km_verb_id verb, const struct km_param *after)
{
    (void)pthread_once(&once, find_rows); /* cannot fail with a valid control */
    for (const struct km_param *p = after ? after + 1 : &params[rows_of[verb].first],
                               *end = &params[rows_of[verb].end];
         p < end; p++) {
        if (p->verb == verb) {
            return p;
        }
    }
    return NULL;
}

const struct km_param *km_param_find(enum km_verb_id verb, const char *name)
{
    for (const struct km_param *p = km_param_next(verb, NULL); p; p = km_param_next(verb, p)) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

/* A text that the actor may lack. */
static bool copy_text(struct km_call *call, const char **text)
{
    return !*text || (*text = klm_pool_str(call->pool, *text)) != NULL;
}

static klm_rc copy_actor(struct km_call *call, const struct km_actor *actor)
{
    call->actor = *actor;
    call->actor.name = klm_pool_str(call->pool, actor->name ? actor->name : "");
    call->actor.address = klm_pool_str(call->pool, actor->address ? actor->address : "");
    call->actor.fingerprint =
        klm_pool_str(call->pool, actor->fingerprint ? actor->fingerprint : "");
    call->actor.session = klm_pool_str(call->pool, actor->session ? actor->session : "");
    call->actor.groups = klm_pool_str(call->pool, actor->groups ? actor->groups : "");
    call->actor.group = klm_pool_str(call->pool, actor->group ? actor->group : "");
    if (!copy_text(call, &call->actor.request) || !copy_text(call, &call->actor.correlation)) {
        return KLM_E_NOMEM;
    }
    return call->actor.name && call->actor.address && call->actor.groups && call->actor.group &&
                   call->actor.fingerprint && call->actor.session
               ? KLM_OK
               : KLM_E_NOMEM;
}

klm_rc km_call_new(struct km_server *server, enum km_verb_id id, const struct km_actor *actor,
                   struct km_call **out)
{
    KLM_AUTO(km_call_free) struct km_call *call = malloc(sizeof *call);

    if (!call) {
        return KLM_E_NOMEM;
    }
    memset(call, 0, offsetof(struct km_call, diag));
    klm_diag_init(&call->diag);
    KLM_TRY(klm_pool_new_wiping(CALL_POOL_LIMIT, &call->pool));
    call->server = server;
    call->id = id;
    call->req = klm_pool_alloc(call->pool, verbs[id].request);
    if (!call->req) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(copy_actor(call, actor));
    call->state = km_state_get(server);
    call->profiles = km_profiles(server);
    call->event.kind = verbs[id].kind;
    *out = call;
    call = NULL;
    return KLM_OK;
}

void km_call_free(struct km_call **call)
{
    if (!*call) {
        return;
    }
    if ((*call)->release) {
        (*call)->release(*call);
    }
    st_view_close(&(*call)->view);
    kr_key_free(&(*call)->data_key);
    km_state_put(&(*call)->state);
    km_state_put(&(*call)->new_state);
    pr_set_free(&(*call)->profiles);
    pr_set_free(&(*call)->new_profiles);
    km_edit_free(&(*call)->edit);
    klm_buf_done(&(*call)->more);
    klm_pool_free(&(*call)->pool);
    free(*call);
    *call = NULL;
}

static klm_rc set_number(const struct km_param *param, const char *value, int64_t *out,
                         struct klm_diag *diag)
{
    const long long least = param->flags & KM_P_COUNT ? 1 : 0;
    char *end;
    long long n;

    errno = 0;
    n = strtoll(value, &end, 10);
    if (errno || end == value || *end || n < least || (uint64_t)n > param->max) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_PARAM_NUMBER, param->name, value,
                        KLM_NUM(param->max), KLM_NUM(least));
    }
    *out = n;
    return KLM_OK;
}

static klm_rc set_string(struct km_call *call, const struct km_param *param, const char *value,
                         const char **out, struct klm_diag *diag)
{
    if (strlen(value) > param->max) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_PARAM_LONG, param->name, KLM_NUM(param->max));
    }
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_PARAM_CONTROL, param->name);
        }
    }
    *out = klm_pool_str(call->pool, value);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_call_set(struct km_call *call, const char *name, const char *value, struct klm_diag *diag)
{
    const struct km_param *param = km_param_find(call->id, name);
    char *field;

    if (!param || param->type == KM_T_BYTES) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARAM_UNKNOWN, name, verbs[call->id].name);
    }
    field = (char *)call->req + param->offset;
    switch (param->type) {
    case KM_T_STRING:
        return set_string(call, param, value, (const char **)(void *)field, diag);
    case KM_T_NUMBER:
        return set_number(param, value, (int64_t *)(void *)field, diag);
    case KM_T_FLAG:
        *(bool *)(void *)field = true;
        return KLM_OK;
    case KM_T_BYTES:
        break;
    }
    return KLM_E_INTERNAL;
}

static bool is_set(const struct km_call *call, const struct km_param *param)
{
    const char *field = (const char *)call->req + param->offset;

    switch (param->type) {
    case KM_T_STRING:
        return *(const char *const *)(const void *)field != NULL;
    case KM_T_BYTES:
        return ((const struct klm_slice *)(const void *)field)->p !=
               NULL; /* an empty file is one, and refused as such */
    case KM_T_NUMBER:
    case KM_T_FLAG:
        break;
    }
    return true;
}

/* Doors fill requests by name or by field: the limit holds either way. */
static bool too_long(const struct km_call *call, const struct km_param *param)
{
    const char *field = (const char *)call->req + param->offset;
    const char *text;

    switch (param->type) {
    case KM_T_STRING:
        text = *(const char *const *)(const void *)field;
        return text && strnlen(text, param->max + 1) > param->max;
    case KM_T_BYTES:
        return ((const struct klm_slice *)(const void *)field)->n > param->max;
    case KM_T_NUMBER:
    case KM_T_FLAG:
        break;
    }
    return false;
}

static klm_rc check_param(const struct km_call *call, const struct km_param *param,
                          struct klm_diag *diag)
{
    if ((param->flags & KM_P_REQUIRED) && !is_set(call, param)) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARAM_MISSING, param->name,
                        verbs[call->id].name);
    }
    if (too_long(call, param)) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_PARAM_LONG, param->name, KLM_NUM(param->max));
    }
    return KLM_OK;
}

klm_rc km_call_check(const struct km_call *call, struct klm_diag *diag)
{
    for (const struct km_param *p = km_param_next(call->id, NULL); p;
         p = km_param_next(call->id, p)) {
        KLM_TRY(check_param(call, p, diag));
    }
    return KLM_OK;
}

klm_rc km_refuse(struct km_call *call, klm_rc rc, uint16_t device_code, enum klm_msg_id msg,
                 const char *const *args)
{
    call->device_code = device_code;
    return klm_fail_(&call->diag, rc, msg, args);
}
