/* Profiles at work: what a verb needs (access.def), for whom, and the refusal. A role gives the verb, profiles narrow it: both must agree. The set that a
 * call looks at is the one in force when it came. */
#include "keymgr/internal.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TASK_RESOURCE "ISKLM.ISKLM" /* class STARTED: procedure and job name of the task */
#define MADE_LABEL "IRR.DIGTCERT."  /* beginning of the labels that keys get without PCICC */
#define USER_MAX 65

enum level { READ, UPDATE, CONTROL, OWNER, SIGNER, CONNECT, PKCS12, KEY, RING };

struct need {
    enum km_verb_id verb;
    enum pr_class class;
    const char *resource;
    enum level level;
};
static const struct need needs[] = {
#define KM_ACCESS(verb, class, resource, level) {verb, class, resource, level},
#include "keymgr/access.def"
#undef KM_ACCESS
};

/* ---- Who asks */

/* User ids are in upper case; one that is longer than any in a list stays longer. */
static void upper(const char *name, char out[USER_MAX])
{
    size_t n = 0;

    for (; name[n] && n + 1 < USER_MAX; n++) {
        out[n] = name[n] >= 'a' && name[n] <= 'z' ? (char)(name[n] - 'a' + 'A') : name[n];
    }
    out[n] = '\0';
}

void km_task_user(const struct km_server *server, const struct pr_set *set, const char **user,
                  const char **group)
{
    const struct pr_profile *task = pr_set_task(set);

    *user = task && task->user[0] ? task->user : server->login;
    *group = task && task->user[0] ? task->group : "";
}

static void login_name(struct km_server *server)
{
    char room[16384];
    struct passwd passwd, *found = NULL;

    if (getpwuid_r(getuid(), &passwd, room, sizeof room, &found) == 0 && found) {
        upper(found->pw_name, server->login);
    }
}

/* The group of a drive is its kind. */
static const char *kind_of(const struct km_call *call)
{
    struct dt_table *drives = km_drives(call->server);
    const struct dt_drive *drive;
    const char *name = "";

    if (dt_table_find(drives, call->actor.name, &drive) == KLM_OK) {
        name = dt_kind_name(drive->kind);
    }
    dt_table_free(&drives);
    return name;
}

/* The task acts for its drives and clients: what its user may do, they may, unless they or their kind or group stand in the list themselves. */
static void who_asks(const struct km_call *call, char user[USER_MAX], struct pr_who *out)
{
    *out = (struct pr_who){.user = user, .groups = call->actor.groups};
    upper(call->actor.name, user);
    if (call->actor.kind == KM_ACTOR_DRIVE) {
        out->groups = kind_of(call);
        km_task_user(call->server, call->profiles, &out->behalf, &out->behalf_group);
    } else if (call->actor.kind == KM_ACTOR_CLIENT) {
        out->groups = call->actor.group;
        km_task_user(call->server, call->profiles, &out->behalf, &out->behalf_group);
    }
}

/* ---- The decision */

static klm_rc refuse_low(struct km_call *call, const struct pr_profile *profile,
                         const char *resource, enum pr_access has, enum pr_access needs_access)
{
    return KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_ACCESS_LOW, call->actor.name,
                     km_verb(call->id)->name, resource, pr_class_name(profile->class),
                     pr_access_name(needs_access), profile->name, pr_access_name(has));
}

static klm_rc decide(struct km_call *call, enum pr_class class, const char *text,
                     enum pr_access access)
{
    const struct pr_profile *profile;
    char user[USER_MAX], resource[PR_RESOURCE_MAX];
    struct pr_who who;
    enum pr_access has;

    if (call->actor.kind == KM_ACTOR_SYSTEM || !pr_set_options(call->profiles, class)->active) {
        return KLM_OK;
    }
    pr_resource(text, resource);
    if (pr_set_find(call->profiles, class, resource, &profile) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_ACCESS_NONE, call->actor.name,
                         km_verb(call->id)->name, resource, pr_class_name(class));
    }
    who_asks(call, user, &who);
    has = pr_access_of(profile, &who);
    return has >= access ? KLM_OK : refuse_low(call, profile, resource, has, access);
}

/* ---- What is needed */

static const char *value_of(const struct km_call *call, const char *name)
{
    const struct km_param *param = km_param_find(call->id, name);
    const char *value =
        param && param->type == KM_T_STRING
            ? *(const char *const *)(const void *)((const char *)call->req + param->offset)
            : NULL;

    return value ? value : "";
}

static bool is_site(const char *owner)
{
    return strcmp(owner, "CERTAUTH") == 0 || strcmp(owner, "SITE") == 0;
}

static bool is_own(const struct km_call *call, const char *owner)
{
    char user[USER_MAX];

    upper(call->actor.name, user);
    return strcmp(user, owner) == 0;
}

static enum pr_access owner_level(const struct km_call *call, const char *owner)
{
    if (is_site(owner)) {
        return PR_CONTROL;
    }
    return is_own(call, owner) ? PR_READ : PR_UPDATE;
}

static enum pr_access connect_level(const struct km_call *call)
{
    if (!is_own(call, value_of(call, "owner"))) {
        return PR_CONTROL;
    }
    return is_own(call, value_of(call, "cert_owner")) ? PR_READ : PR_UPDATE;
}

static enum pr_access level_of(const struct km_call *call, enum level level)
{
    const char *owner;

    switch (level) {
    case READ:
    case KEY:
    case RING:
        return PR_READ;
    case UPDATE:
        return PR_UPDATE;
    case CONTROL:
        return PR_CONTROL;
    case OWNER:
    case PKCS12:
        return owner_level(call, value_of(call, "owner"));
    case SIGNER:
        owner = value_of(call, "sign_owner");
        return owner_level(call, *owner ? owner : value_of(call, "owner"));
    case CONNECT:
        return connect_level(call);
    }
    return PR_ALTER;
}

/* The resource with its {parameters} put in. */
static void expand(const struct km_call *call, const char *resource, char out[PR_RESOURCE_MAX])
{
    size_t n = 0;

    while (*resource && n + 1 < PR_RESOURCE_MAX) {
        size_t len = strcspn(resource, "}");
        char name[32];

        if (*resource != '{') {
            out[n++] = *resource++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)len - 1, resource + 1);
        n += (size_t)snprintf(out + n, PR_RESOURCE_MAX - n, "%s", value_of(call, name));
        n = n < PR_RESOURCE_MAX ? n : PR_RESOURCE_MAX - 1;
        resource += len + (resource[len] == '}');
    }
    out[n] = '\0';
}

static klm_rc check(struct km_call *call, const struct need *need)
{
    char resource[PR_RESOURCE_MAX];

    if (need->level == KEY || need->level == RING) {
        return KLM_OK; /* the step asks when it knows */
    }
    if (need->level == SIGNER && !value_of(call, "sign_label")[0]) {
        return KLM_OK;
    }
    if (need->level == PKCS12 && strncasecmp(value_of(call, "format"), "PKCS12", 6) != 0) {
        return KLM_OK;
    }
    expand(call, need->resource, resource);
    return decide(call, need->class, resource, level_of(call, need->level));
}

klm_rc km_access_check(struct km_call *call)
{
    if (!pr_set_checks(call->profiles)) {
        return KLM_OK;
    }
    for (size_t i = 0; i < KLM_COUNT(needs); i++) {
        if (needs[i].verb == call->id) {
            KLM_TRY(check(call, &needs[i]));
        }
    }
    return KLM_OK;
}

bool km_asks_profiles(enum km_verb_id id, enum pr_class class)
{
    for (size_t i = 0; i < KLM_COUNT(needs); i++) {
        if (needs[i].verb == id && (class == PR_CLASSES || needs[i].class == class)) {
            return true;
        }
    }
    return false;
}

/* ---- What steps ask */

static bool asks(enum km_verb_id verb, enum level level)
{
    for (size_t i = 0; i < KLM_COUNT(needs); i++) {
        if (needs[i].verb == verb && needs[i].level == level) {
            return true;
        }
    }
    return false;
}

klm_rc km_access_key(struct km_call *call, const char *token_label, const char *label)
{
    bool given =
        token_label && *token_label && strncmp(token_label, MADE_LABEL, strlen(MADE_LABEL)) != 0;

    if (!pr_set_checks(call->profiles) || !asks(call->id, KEY)) {
        return KLM_OK;
    }
    return decide(call, PR_CSFKEYS, given ? token_label : label, PR_READ);
}

klm_rc km_access_resource(struct km_call *call, enum pr_class class, const char *resource,
                          enum pr_access access)
{
    return decide(call, class, resource, access);
}

klm_rc km_access_ring(struct km_call *call, const char *owner, const char *ring)
{
    char resource[PR_RESOURCE_MAX];

    if (!pr_set_checks(call->profiles) || !asks(call->id, RING)) {
        return KLM_OK;
    }
    snprintf(resource, sizeof resource, "%s.%s.LST", owner, ring);
    return decide(call, PR_RDATALIB, resource, PR_READ);
}

/* The task itself opens the rings that it serves. */
klm_rc km_access_task_ring(struct km_server *server, const struct pr_set *set, const char *owner,
                           const char *ring, struct klm_diag *diag)
{
    const struct pr_profile *profile;
    char text[PR_RESOURCE_MAX], resource[PR_RESOURCE_MAX];
    struct pr_who who = {.groups = ""};
    enum pr_access has;

    if (!pr_set_options(set, PR_RDATALIB)->active) {
        return KLM_OK;
    }
    snprintf(text, sizeof text, "%s.%s.LST", owner, ring);
    pr_resource(text, resource);
    km_task_user(server, set, &who.user, &who.groups);
    if (pr_set_find(set, PR_RDATALIB, resource, &profile) != KLM_OK) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_ACCESS_NONE, who.user, "open the ring",
                        resource, pr_class_name(PR_RDATALIB));
    }
    has = pr_access_of(profile, &who);
    return has >= PR_READ ? KLM_OK
                          : klm_fail(diag, KLM_E_DENIED, KLM_MSG_ACCESS_LOW, who.user,
                                     "open the ring", resource, pr_class_name(PR_RDATALIB),
                                     pr_access_name(PR_READ), profile->name, pr_access_name(has));
}

/* ---- The set in force */

struct pr_set *km_profiles(struct km_server *server)
{
    struct pr_set *set;

    pthread_rwlock_rdlock(&server->state_lock);
    set = pr_set_ref(server->profiles);
    pthread_rwlock_unlock(&server->state_lock);
    return set;
}

void km_profiles_swap(struct km_server *server, struct pr_set *take_set)
{
    struct pr_set *old;

    pthread_rwlock_wrlock(&server->state_lock);
    old = server->profiles;
    server->profiles = take_set;
    pthread_rwlock_unlock(&server->state_lock);
    pr_set_free(&old);
}

klm_rc km_profiles_load(struct st_view *view, const struct pr_set *old, unsigned mask,
                        struct pr_set **out)
{
    return pr_set_load(view, old, mask, TASK_RESOURCE, out);
}

klm_rc km_profiles_compile(struct km_call *call, struct st_change *change, unsigned mask)
{
    call->new_classes = mask;
    return km_profiles_load(st_change_view(change), call->server->profiles, mask,
                            &call->new_profiles);
}

/* Neighbours in the batch may have published other classes since this was compiled. */
void km_profiles_publish(struct km_call *call)
{
    if (call->new_profiles) {
        pr_set_rebase(call->new_profiles, call->server->profiles, call->new_classes, TASK_RESOURCE);
        km_profiles_swap(call->server, call->new_profiles);
        call->new_profiles = NULL;
    }
}

/* What an operator should know at a start: what is not protected, and as whom the task runs. */
static void say_classes(const struct pr_set *set)
{
    char names[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < PR_CLASSES; i++) {
        if (!pr_set_options(set, (enum pr_class)i)->active && n < sizeof names) {
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
                                  pr_class_name((enum pr_class)i));
        }
    }
    if (n > 0) {
        klm_say(KLM_MSG_CLASSES_INACTIVE, names);
    }
}

klm_rc km_profiles_open(struct km_server *server, struct klm_diag *diag)
{
    struct st_view *view;
    struct pr_set *set;
    klm_rc rc;

    login_name(server);
    KLM_TRY(st_view_open(server->store, &view));
    rc = km_profiles_load(view, NULL, PR_ALL, &set);
    st_view_close(&view);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_PROFILES_UNREAD, klm_rc_text(rc));
    }
    server->profiles = set;
    if (!server->options.offline) {
        const struct pr_profile *task = pr_set_task(set);

        say_classes(set);
        if (task && task->trace) {
            klm_say(KLM_MSG_STARTED_PROFILE, task->name, task->user, task->group);
        }
    }
    return KLM_OK;
}
