/* Verbs on profiles: define, alter, delete, permit, list. All of it happens on the newest state, in apply; what changes is in force at once, but in a
 * class that is RACLISTed only after SETROPTS RACLIST(class) REFRESH (classes.c). */
#include "keymgr/internal.h"

#include <string.h>
#include <strings.h>

klm_rc km_profile_prepare(struct km_call *call)
{
    (void)call;
    return KLM_OK;
}

/* ---- What is asked for */

struct asked {
    enum pr_class class;
    struct pr_options options;
};

static klm_rc class_of(struct km_call *call, const char *name, enum pr_class *out)
{
    return pr_class_find(name, out) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLASS_UNKNOWN, name);
}

static klm_rc access_of(struct km_call *call, const char *name, enum pr_access *out)
{
    return pr_access_find(name, out) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ACCESS_UNKNOWN, name);
}

static klm_rc look(struct km_call *call, struct st_view *view, struct asked *out)
{
    const struct km_profile_req *req = call->req;

    KLM_TRY(class_of(call, req->class, &out->class));
    if (pr_name_check(req->profile) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_PROFILE_NAME, req->profile);
    }
    return pr_options_get(view, out->class, &out->options, NULL);
}

static klm_rc refuse_missing(struct km_call *call)
{
    const struct km_profile_req *req = call->req;

    return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PROFILE_NOT_FOUND, req->profile, req->class);
}

/* The profile as it stands; one that is damaged is refused, not guessed at. */
static klm_rc get(struct km_call *call, struct st_view *view, enum pr_class class,
                  struct pr_profile *out)
{
    const struct km_profile_req *req = call->req;
    klm_rc rc = pr_get(view, class, req->profile, call->pool, out);

    if (rc == KLM_E_NOTFOUND) {
        return refuse_missing(call);
    }
    return rc == KLM_E_CORRUPT
               ? KM_REFUSE(call, rc, 0, KLM_MSG_PROFILE_DAMAGED, req->profile, req->class)
               : rc;
}

/* ---- How a profile is told: in events and listings */

static const char *text_of(struct km_call *call, const struct pr_profile *profile)
{
    const char *out = klm_pool_printf(call->pool, "UACC(%s) OWNER(%s)",
                                      pr_access_name(profile->uacc), profile->owner);

    if (out && profile->user[0]) {
        out = klm_pool_printf(call->pool, "%s STDATA(USER(%s) GROUP(%s) TRACE(%s))", out,
                              profile->user, profile->group, profile->trace ? "YES" : "NO");
    }
    return out;
}

/* ---- What comes in force */

/* Compiled from the change as it stands; publish swaps it in. */
static klm_rc compile(struct km_call *call, struct st_change *change, const struct asked *asked)
{
    if (asked->options.raclist) {
        if (asked->options.active) {
            call->text = klm_pool_printf(call->pool,
                                         "Class %s is RACLISTed: the change takes effect with "
                                         "SETROPTS RACLIST(%s) REFRESH",
                                         pr_class_name(asked->class), pr_class_name(asked->class));
        }
        return KLM_OK;
    }
    return km_profiles_compile(call, change, PR_BIT(asked->class));
}

/* ---- Define, alter, delete */

static klm_rc set_started(struct km_call *call, const struct km_profile_req *req,
                          struct pr_profile *profile)
{
    bool yes = req->trace && strcasecmp(req->trace, "YES") == 0;

    if (!req->user && !req->group && !req->trace) {
        return KLM_OK;
    }
    if (profile->class != PR_STARTED) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_STDATA_CLASS, pr_class_name(profile->class));
    }
    if (req->trace && !yes && strcasecmp(req->trace, "NO") != 0) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_STDATA_TRACE, req->trace);
    }
    profile->user = req->user ? req->user : profile->user;
    profile->group = req->group ? req->group : profile->group;
    profile->trace = req->trace ? yes : profile->trace;
    if ((profile->user[0] && pr_id_check(profile->user) != KLM_OK) ||
        (profile->group[0] && pr_id_check(profile->group) != KLM_OK)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_PROFILE_ID,
                         pr_id_check(profile->user) != KLM_OK ? profile->user : profile->group);
    }
    return KLM_OK;
}

static klm_rc set_fields(struct km_call *call, struct pr_profile *profile)
{
    const struct km_profile_req *req = call->req;

    if (req->uacc) {
        KLM_TRY(access_of(call, req->uacc, &profile->uacc));
    }
    if (req->owner) {
        if (pr_id_check(req->owner) != KLM_OK) {
            return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_PROFILE_ID, req->owner);
        }
        profile->owner = req->owner;
    }
    return set_started(call, req, profile);
}

/* Who defines a profile owns it, unless it is said otherwise. */
static const char *user_id(struct km_call *call)
{
    char *out = klm_pool_str(call->pool, call->actor.name);

    for (char *p = out; p && *p; p++) {
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    }
    return out;
}

klm_rc km_profile_define_apply(struct km_call *call, struct st_change *change)
{
    const struct km_profile_req *req = call->req;
    struct pr_profile profile = {.name = req->profile,
                                 .owner = user_id(call),
                                 .user = "",
                                 .group = "",
                                 .uacc = PR_NONE,
                                 .made = klm_clock()};
    struct pr_profile old;
    struct asked asked;
    klm_rc rc;

    KLM_TRY(profile.owner ? KLM_OK : KLM_E_NOMEM);
    KLM_TRY(look(call, st_change_view(change), &asked));
    profile.class = asked.class;
    rc = pr_get(st_change_view(change), asked.class, req->profile, call->pool, &old);
    if (rc == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_PROFILE_EXISTS, req->profile, req->class);
    }
    KLM_TRY(rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc);
    KLM_TRY(set_fields(call, &profile));
    KLM_TRY(pr_put(change, &profile));
    call->event.field[SMF_F_NEW] = text_of(call, &profile);
    return compile(call, change, &asked);
}

klm_rc km_profile_alter_apply(struct km_call *call, struct st_change *change)
{
    struct pr_profile profile;
    struct asked asked;

    KLM_TRY(look(call, st_change_view(change), &asked));
    KLM_TRY(get(call, st_change_view(change), asked.class, &profile));
    call->event.field[SMF_F_OLD] = text_of(call, &profile);
    KLM_TRY(set_fields(call, &profile));
    KLM_TRY(pr_put(change, &profile));
    call->event.field[SMF_F_NEW] = text_of(call, &profile);
    return compile(call, change, &asked);
}

klm_rc km_profile_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_profile_req *req = call->req;
    struct pr_profile profile;
    struct asked asked;
    klm_rc rc;

    KLM_TRY(look(call, st_change_view(change), &asked));
    rc = pr_get(st_change_view(change), asked.class, req->profile, call->pool, &profile);
    if (rc == KLM_OK) {
        call->event.field[SMF_F_OLD] = text_of(call, &profile);
    }
    rc = pr_delete(change, asked.class, req->profile);
    if (rc == KLM_E_NOTFOUND) {
        return refuse_missing(call);
    }
    KLM_TRY(rc);
    return compile(call, change, &asked);
}

/* ---- Permit */

static klm_rc permit_one(struct km_call *call, struct pr_profile *profile, const char *id)
{
    const struct km_profile_req *req = call->req;
    enum pr_access access = PR_READ;
    klm_rc rc;

    if (pr_id_check(id) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_PROFILE_ID, id);
    }
    if (req->delete) {
        return pr_forget(profile, id) == KLM_OK
                   ? KLM_OK
                   : KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PERMIT_NONE, id, profile->name);
    }
    if (req->access) {
        KLM_TRY(access_of(call, req->access, &access));
    }
    rc = pr_permit(profile, call->pool, id, access);
    return rc == KLM_E_LIMIT
               ? KM_REFUSE(call, rc, 0, KLM_MSG_PERMIT_MANY, profile->name, KLM_NUM(PR_ENTRIES_MAX))
               : rc;
}

/* Ids are parted by blanks or commas. */
static klm_rc permit_all(struct km_call *call, struct pr_profile *profile, const char *ids)
{
    const char *p = ids + strspn(ids, " ,");

    while (*p) {
        size_t n = strcspn(p, " ,");
        const char *id = klm_pool_strn(call->pool, p, n);

        KLM_TRY(id ? permit_one(call, profile, id) : KLM_E_NOMEM);
        p += n;
        p += strspn(p, " ,");
    }
    return KLM_OK;
}

static const char *permit_text(struct km_call *call)
{
    const struct km_profile_req *req = call->req;

    return klm_pool_printf(call->pool, "%s%sID(%s) %s", req->reset ? "RESET" : "",
                           req->reset ? " " : "", req->ids ? req->ids : "",
                           req->delete   ? "DELETE"
                           : req->access ? req->access
                                         : "READ");
}

klm_rc km_profile_permit_apply(struct km_call *call, struct st_change *change)
{
    const struct km_profile_req *req = call->req;
    struct pr_profile profile;
    struct asked asked;

    if (!req->ids && !req->reset) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_PERMIT_NOBODY);
    }
    KLM_TRY(look(call, st_change_view(change), &asked));
    KLM_TRY(get(call, st_change_view(change), asked.class, &profile));
    if (req->reset) {
        profile.n = 0;
    }
    if (req->ids) {
        KLM_TRY(permit_all(call, &profile, req->ids));
    }
    KLM_TRY(pr_put(change, &profile));
    call->event.field[SMF_F_NEW] = permit_text(call);
    return compile(call, change, &asked);
}

/* ---- List */

static klm_rc row(struct km_call *call, const struct pr_profile *profile, const char *id,
                  const char *access)
{
    const char *started = "";

    if (profile->class == PR_STARTED) {
        started = klm_pool_printf(call->pool, "USER(%s) GROUP(%s) TRACE(%s)", profile->user,
                                  profile->group, profile->trace ? "YES" : "NO");
    }
    return started
               ? km_rows_add(call, (const char *[]){pr_class_name(profile->class), profile->name,
                                                    pr_access_name(profile->uacc), profile->owner,
                                                    id, access, started})
               : KLM_E_NOMEM;
}

static klm_rc list_one(void *arg, const struct pr_profile *profile, bool damaged)
{
    struct km_call *call = arg;

    if (damaged) {
        return row(call, profile, "(damaged)", "");
    }
    if (profile->n == 0) {
        return row(call, profile, "(nobody)", "");
    }
    for (size_t i = 0; i < profile->n; i++) {
        KLM_TRY(row(call, profile, profile->entry[i].id, pr_access_name(profile->entry[i].access)));
    }
    return KLM_OK;
}

/* The profile of that name, else the one that protects a resource of that name: as RLIST does. */
static klm_rc list_named(struct km_call *call, struct st_view *view, enum pr_class class)
{
    const struct km_profile_req *req = call->req;
    KLM_AUTO(pr_set_free) struct pr_set *set = NULL;
    const struct pr_profile *found;
    struct pr_profile profile;
    klm_rc rc = pr_get(view, class, req->profile, call->pool, &profile);

    if (rc == KLM_OK || rc == KLM_E_CORRUPT) {
        return rc == KLM_OK ? list_one(call, &profile, false) : get(call, view, class, &profile);
    }
    if (rc != KLM_E_NOTFOUND || pr_generic(req->profile)) {
        return rc == KLM_E_NOTFOUND ? refuse_missing(call) : rc;
    }
    KLM_TRY(km_profiles_load(view, call->profiles, PR_BIT(class), &set));
    if (pr_set_find(set, class, req->profile, &found) != KLM_OK) {
        return refuse_missing(call);
    }
    return list_one(call, found, false);
}

klm_rc km_profile_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Class", "Profile", "UACC",   "Owner",
                                          "ID",    "Access",  "STDATA", NULL};
    const struct km_profile_req *req = call->req;
    struct st_view *view;
    struct asked asked;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Profiles", columns));
    KLM_TRY(class_of(call, req->class, &asked.class));
    KLM_TRY(st_view_open(call->server->store, &view));
    if (!req->profile || strcmp(req->profile, "*") == 0) {
        rc = pr_scan(view, asked.class, list_one, call);
    } else {
        rc = look(call, view, &asked);
        rc = rc == KLM_OK ? list_named(call, view, asked.class) : rc;
    }
    st_view_close(&view);
    return rc;
}
