/* A configuration file of an earlier key manager: each property is judged alone, and all that pass must be good together. */
#include "keymgr/migrate.h"

#include "base/file.h"
#include "parmlib/properties.h"

#include <string.h>

struct judge {
    struct km_call *call;
    struct parm_config *now; /* ours, with what was taken so far */
    struct klm_buf text;     /* and as a file */
    bool differs;
};

static klm_rc refuse(struct judge *j, const struct parm_entry *entry, const char *why)
{
    const char *item = klm_pool_printf(j->call->pool, "line %u: %s", entry->line, entry->name);

    return item ? km_migrate_tell(j->call, item, KM_REFUSED, 1, why) : KLM_E_NOMEM;
}

/* Why a property stays behind whatever its value is; NULL: it does not. */
static const char *stays(struct judge *j, const char *name)
{
    enum km_right right;
    enum parm_id id;

    if (strcasestr(name, "password")) {
        return "passwords, also obfuscated ones, are not taken over; key rings need none";
    }
    if (parm_find(name, &id) != KLM_OK) {
        return "not known here; it has no effect";
    }
    if (parm_row(id)->flags & PARM_SECRET) {
        return "secrets are not taken over";
    }
    if (parm_row(id)->flags & PARM_LOCAL) {
        return "belongs to its machine (path, address, port, ring); set it here with modconfig";
    }
    if (km_right_find(parm_row(id)->right, &right) != KLM_OK ||
        !km_may(j->call->actor.roles, right)) {
        return "not yours to change";
    }
    return NULL;
}

/* Does the value say something new? */
static bool same(const struct parm_config *a, const struct parm_config *b, enum parm_id id)
{
    const char *x = parm_str(a, id), *y = parm_str(b, id);

    return x == y || (x && y && strcmp(x, y) == 0);
}

static klm_rc put(struct judge *j, const char *name, const char *value)
{
    struct klm_buf made;
    klm_rc rc;

    klm_buf_init_wiping(&made, 2 * PARM_FILE_MAX);
    rc = parm_properties_change(klm_buf_as_slice(&j->text),
                                parm_path_of_config(j->call->state->config), name, value,
                                &j->call->diag, &made);
    if (rc == KLM_OK) {
        klm_buf_done(&j->text);
        j->text = made;
        j->differs = true;
    } else {
        klm_buf_done(&made);
    }
    return rc;
}

/* The value passed alone: it goes into the text, unless it is in force already. */
static klm_rc take(struct judge *j, const struct parm_entry *entry, struct parm_config **with)
{
    struct km_migration *m = j->call->work;
    struct parm_config *before = j->now;
    const char *item, *was;
    enum parm_id id;
    bool set;

    KLM_TRY(parm_find(entry->name, &id));
    if (same(before, *with, id)) {
        m->there++;
        return KLM_OK;
    }
    KLM_TRY(put(j, entry->name, entry->value));
    set = parm_is_set(before, id);
    item = klm_pool_printf(j->call->pool, "%s=%s", entry->name, entry->value);
    was = set ? klm_pool_printf(j->call->pool, "was %s", parm_str(before, id)) : "";
    j->now = *with;
    *with = before; /* freed by the caller */
    return item && was ? km_migrate_tell(j->call, item, set ? KM_CHANGED : KM_TAKEN, 1, was)
                       : KLM_E_NOMEM;
}

static klm_rc judge(struct judge *j, const struct parm_entry *entry)
{
    KLM_AUTO(parm_free) struct parm_config *with = NULL;
    struct klm_diag diag = {0};
    const char *why = stays(j, entry->name);
    klm_rc rc;

    if (why || !*entry->value) {
        return why ? refuse(j, entry, why) : KLM_OK; /* without a value it is not set there */
    }
    rc = parm_with(j->now, entry->name, entry->value, &diag, &with);
    if (rc == KLM_E_NOMEM) {
        return rc;
    }
    return rc == KLM_OK ? take(j, entry, &with) : refuse(j, entry, diag.text);
}

/* A property that stands twice counts where it stands last, as for Java. */
static bool is_last(const struct parm_entries *entries, size_t at)
{
    for (size_t i = at + 1; i < entries->n; i++) {
        if (strcmp(entries->at[i].name, entries->at[at].name) == 0) {
            return false;
        }
    }
    return true;
}

/* All of it as a configuration that the server could run with. */
static klm_rc try_whole(struct judge *j)
{
    struct km_call *call = j->call;
    struct km_migration *m = call->work;
    struct parm_config *config;
    struct klm_diag diag = {0};
    klm_rc rc;

    if (!j->differs) {
        return KLM_OK;
    }
    rc = parm_load_text(klm_buf_as_slice(&j->text), parm_path_of_config(call->state->config), true,
                        &diag, &config);
    if (rc == KLM_OK) {
        rc = km_state_load(call->server, config, &diag, &call->new_state);
    }
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_MIGRATE_RULE,
                         diag.msg == KLM_MSG_NONE ? klm_rc_text(rc) : diag.text);
    }
    return klm_pool_slice(call->pool, klm_buf_as_slice(&j->text), &m->config);
}

static klm_rc judge_all(struct judge *j, const struct parm_entries *entries)
{
    KLM_TRY(klm_file_read(parm_path_of_config(j->call->state->config), PARM_FILE_MAX, &j->text,
                          &j->call->diag));
    for (size_t i = 0; i < entries->n; i++) {
        if (is_last(entries, i)) {
            KLM_TRY(judge(j, &entries->at[i]));
        }
    }
    return try_whole(j);
}

klm_rc km_migrate_config(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    struct judge j = {.call = call, .now = parm_ref(call->state->config)};
    struct parm_entries entries;
    klm_rc rc = parm_properties_read(req->config, "the configuration taken over", call->pool,
                                     &call->diag, &entries);

    if (rc == KLM_OK) {
        klm_buf_init_wiping(&j.text, 2 * PARM_FILE_MAX);
        rc = judge_all(&j, &entries);
        klm_buf_done(&j.text);
    }
    parm_free(&j.now);
    return rc;
}
