/* Verbs on the configuration: list, set, export, import, refresh. A change goes to memory and file; the file keeps its comments and order. */
#include "keymgr/internal.h"

#include "base/file.h"
#include "parmlib/properties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const columns[] = {"Property", "Value", "From", NULL};

struct listing {
    struct km_call *call;
    const char *only;
    klm_rc rc;
};

static void list_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct listing *listing = arg;

    if (listing->rc == KLM_OK && (!listing->only || strcmp(listing->only, name) == 0)) {
        listing->rc = km_rows_add(listing->call, (const char *[]){name, value ? value : "",
                                                                  is_default ? "default" : "file"});
    }
}

klm_rc km_config_list_prepare(struct km_call *call)
{
    const struct km_config_req *req = call->req;
    struct listing listing = {call, req->property, KLM_OK};
    enum parm_id id;

    KLM_TRY(km_rows_begin(call, "Configuration", columns));
    parm_list(call->state->config, list_one, &listing);
    KLM_TRY(listing.rc);
    if (req->property && call->rows.n == 0) {
        if (parm_find(req->property, &id) == KLM_OK) {
            return km_rows_add(call, (const char *[]){req->property, "", "not set"});
        }
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PROPERTY_UNKNOWN, req->property);
    }
    return KLM_OK;
}

/* Each property row names the right that changes it. */
static klm_rc check_right(struct km_call *call, enum parm_id id)
{
    enum km_right right;

    KLM_TRY(km_right_find(parm_row(id)->right, &right));
    if (!km_may(call->actor.roles, right)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_PROPERTY_RIGHT, call->actor.name,
                         parm_row(id)->name, parm_row(id)->right);
    }
    return KLM_OK;
}

/* Put a configuration in force that differs from the running one. */
static klm_rc take_over(struct km_call *call, struct parm_config *take_config)
{
    struct km_state *state;

    KLM_TRY(km_state_load(call->server, take_config, &call->diag, &state));
    km_state_swap(call->server, state);
    return KLM_OK;
}

klm_rc km_config_set_prepare(struct km_call *call)
{
    const struct km_config_req *req = call->req;
    const char *value = req->unset ? NULL : req->value;
    struct parm_config *changed;
    struct km_state *state;
    enum parm_id id;

    if (!req->unset && !req->value) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_PARAM_MISSING, "value", "config-set");
    }
    if (parm_find(req->property, &id) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PROPERTY_UNKNOWN, req->property);
    }
    KLM_TRY(check_right(call, id));
    call->event.field[SMF_F_OLD] = km_property_shown(call->state->config, id);
    KLM_TRY(parm_with(call->state->config, req->property, value, &call->diag, &changed));
    call->event.field[SMF_F_NEW] = klm_pool_str(call->pool, km_property_shown(changed, id));
    KLM_TRY(km_state_load(call->server, changed, &call->diag, &state));
    klm_rc rc = parm_save_change(call->state->config, req->property, value, &call->diag);
    if (rc != KLM_OK) {
        km_state_put(&state);
        return rc;
    }
    km_state_swap(call->server, state);
    call->text = parm_row(id)->flags & PARM_DYNAMIC
                     ? "The property is set, in memory and in the file"
                     : "The property is set; it takes effect at the next start";
    return KLM_OK;
}

/* What a partner may have: what is set, not local and not secret. */
static void give_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct klm_buf *out = arg;
    enum parm_id id;

    if (!is_default && value && parm_find(name, &id) == KLM_OK &&
        !(parm_row(id)->flags & (PARM_LOCAL | PARM_SECRET))) {
        parm_properties_put(out, name, value);
        klm_buf_u8(out, '\n');
    }
}

klm_rc km_sync_config_give_prepare(struct km_call *call)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, PARM_FILE_MAX);
    parm_list(call->state->config, give_one, &text);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
    }
    klm_buf_done(&text);
    return rc;
}

/* Secret values do not leave with an export: their lines say so. */
static void export_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct klm_buf *out = arg;
    enum parm_id id;

    if (is_default || !value) {
        return;
    }
    if (parm_find(name, &id) == KLM_OK && parm_row(id)->flags & PARM_SECRET) {
        klm_buf_printf(out, "# secret, not exported: %s\n", name);
        return;
    }
    parm_properties_put(out, name, value);
    klm_buf_u8(out, '\n');
}

klm_rc km_config_export_prepare(struct km_call *call)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, PARM_FILE_MAX);
    klm_buf_text(&text, "# Configuration of ISKLM, exported\n");
    parm_list(call->state->config, export_one, &text);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
    }
    klm_buf_done(&text);
    return rc;
}

/* ---- Import: properties that are not local replace ours; -rewrite also unsets those that the file does not have. The new text is made and checked as a
 * whole before the file is replaced, so that all of it comes or nothing. */

struct import {
    struct km_call *call;
    const struct parm_config *from;
    const char *path;
    struct klm_buf text; /* our file as it is to be */
    size_t changed;
    const char *refused; /* names of a partner's properties that stay, in the pool; NULL: none */
};

static const char *value_of(const struct parm_config *config, enum parm_id id)
{
    return parm_is_set(config, id) ? parm_str(config, id) : NULL;
}

static klm_rc change_text(const struct km_merge *merge, struct klm_buf *text, const char *name,
                          const char *value, size_t *changed, struct klm_diag *diag)
{
    struct klm_buf made;
    klm_rc rc;

    klm_buf_init_wiping(&made, 2 * PARM_FILE_MAX);
    rc = parm_properties_change(klm_buf_as_slice(text), merge->path, name, value, diag, &made);
    if (rc == KLM_OK) {
        klm_buf_done(text);
        *text = made;
        ++*changed;
        return KLM_OK;
    }
    klm_buf_done(&made);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc merge_one(const struct km_merge *merge, enum parm_id id, struct klm_buf *text,
                        size_t *changed, struct klm_diag *diag)
{
    const char *mine = value_of(merge->mine, id), *theirs = value_of(merge->theirs, id);

    if ((parm_row(id)->flags & (PARM_LOCAL | PARM_SECRET)) || (!theirs && !merge->rewrite) ||
        (!mine && !theirs) || (mine && theirs && strcmp(mine, theirs) == 0)) {
        return KLM_OK;
    }
    if (merge->may) {
        bool stays = false;

        KLM_TRY(merge->may(merge->arg, id, &stays));
        if (stays) {
            return KLM_OK;
        }
    }
    return change_text(merge, text, parm_row(id)->name, theirs, changed, diag);
}

klm_rc km_config_merge(const struct km_merge *merge, struct klm_buf *text, size_t *changed,
                       struct klm_diag *diag)
{
    *changed = 0;
    for (int id = 0; id < PARM_COUNT_; id++) {
        KLM_TRY(merge_one(merge, (enum parm_id)id, text, changed, diag));
    }
    return KLM_OK;
}

/* A partner changes what an operator here may change; the rest stays and is named to it. */
static klm_rc may_partner(struct import *import, enum parm_id id, bool *stays)
{
    const struct parm_row *row = parm_row(id);
    enum km_right right;

    KLM_TRY(km_right_find(row->right, &right));
    *stays = !km_may(KM_ROLE_OPERATOR, right);
    if (!*stays) {
        return KLM_OK;
    }
    import->refused =
        klm_pool_printf(import->call->pool, "%s%s%s", import->refused ? import->refused : "",
                        import->refused ? ", " : "", row->name);
    return import->refused ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc may_change(void *arg, enum parm_id id, bool *stays)
{
    struct import *import = arg;

    return import->call->actor.kind == KM_ACTOR_PARTNER ? may_partner(import, id, stays)
                                                        : check_right(import->call, id);
}

klm_rc km_config_write(const char *name, struct klm_slice text, struct klm_diag *diag)
{
    char *path = realpath(name, NULL);
    struct stat st;
    klm_rc rc;

    if (!path || stat(path, &st) != 0) {
        rc = klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, name, strerror(errno));
    } else {
        rc = klm_file_replace(path, text, st.st_mode & 07777, diag);
    }
    free(path);
    return rc;
}

/* The new text in force and in the file. */
static klm_rc put_text(struct import *import)
{
    struct km_call *call = import->call;
    struct parm_config *config;
    struct km_state *state;
    klm_rc rc;

    KLM_TRY(
        parm_load_text(klm_buf_as_slice(&import->text), import->path, true, &call->diag, &config));
    KLM_TRY(km_state_load(call->server, config, &call->diag, &state));
    rc = km_more_config(call, call->state->config, state->config);
    if (rc == KLM_OK) {
        rc = km_config_write(import->path, klm_buf_as_slice(&import->text), &call->diag);
    }
    if (rc != KLM_OK) {
        km_state_put(&state);
        return rc;
    }
    km_state_swap(call->server, state);
    return KLM_OK;
}

/* Try it: everything but the file and the swap. */
static klm_rc try_text(struct import *import)
{
    struct km_call *call = import->call;
    struct parm_config *config;
    struct km_state *state;

    KLM_TRY(
        parm_load_text(klm_buf_as_slice(&import->text), import->path, true, &call->diag, &config));
    KLM_TRY(km_state_load(call->server, config, &call->diag, &state));
    km_state_put(&state);
    return KLM_OK;
}

typedef klm_rc import_end(struct import *import);

static klm_rc import_text(struct import *import, import_end *end)
{
    struct km_call *call = import->call;
    const struct km_merge merge = {.path = import->path,
                                   .mine = call->state->config,
                                   .theirs = import->from,
                                   .rewrite = ((const struct km_file_req *)call->req)->rewrite,
                                   .may = may_change,
                                   .arg = import};

    KLM_TRY(klm_file_read(import->path, PARM_FILE_MAX, &import->text, &call->diag));
    KLM_TRY(km_config_merge(&merge, &import->text, &import->changed, &call->diag));
    if (import->changed > 0) {
        KLM_TRY(end(import));
    }
    call->text =
        klm_pool_printf(call->pool, "%zu properties changed; local and secret ones stay%s%s",
                        import->changed, import->refused ? "; not an operator's to change: " : "",
                        import->refused ? import->refused : "");
    return KLM_OK;
}

static void own_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct klm_buf *out = arg;
    enum parm_id id;

    if (!is_default && value && parm_find(name, &id) == KLM_OK &&
        (parm_row(id)->flags & (PARM_LOCAL | PARM_SECRET)) == PARM_LOCAL) {
        parm_properties_put(out, name, value);
        klm_buf_u8(out, '\n');
    }
}

/* What a partner sends is no whole configuration: it is read with our local properties, which it does not have, in front. They stay as
 * they are. */
static klm_rc load_from(struct km_call *call, struct klm_slice bytes, struct parm_config **out)
{
    struct klm_buf text;
    klm_rc rc;

    if (call->actor.kind != KM_ACTOR_PARTNER) {
        return parm_load_text(bytes, "the imported file", true, &call->diag, out);
    }
    klm_buf_init(&text, 2 * PARM_FILE_MAX);
    parm_list(call->state->config, own_one, &text);
    klm_buf_slice(&text, bytes);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK) {
        rc = parm_load_text(klm_buf_as_slice(&text), "the partner's configuration", true,
                            &call->diag, out);
    }
    klm_buf_done(&text);
    return rc;
}

static klm_rc import_bytes(struct km_call *call, import_end *end)
{
    const struct km_file_req *req = call->req;
    struct import import = {.call = call, .path = parm_path_of_config(call->state->config)};
    KLM_AUTO(parm_free) struct parm_config *from = NULL;
    klm_rc rc;

    KLM_TRY(load_from(call, req->bytes, &from));
    import.from = from;
    klm_buf_init_wiping(&import.text, 2 * PARM_FILE_MAX);
    rc = import_text(&import, end);
    klm_buf_done(&import.text);
    return rc;
}

klm_rc km_config_import_prepare(struct km_call *call)
{
    return import_bytes(call, put_text);
}

klm_rc km_sync_config_check_prepare(struct km_call *call)
{
    return import_bytes(call, try_text);
}

/* ---- Refresh */

static void say_pending(void *arg, const char *name, const char *value, bool is_default)
{
    (void)arg, (void)value, (void)is_default;
    klm_say(KLM_MSG_PROPERTY_LATER, name);
}

/* A broken file leaves the old state in force: everything is loaded before anything is swapped. */
klm_rc km_config_refresh_prepare(struct km_call *call)
{
    struct parm_config *config;
    struct km_state *state;

    km_hardware_retry(call->server);
    KLM_TRY(parm_load(parm_path_of_config(call->state->config), &call->diag, &config));
    parm_pending(call->state->config, config, say_pending, NULL);
    KLM_TRY(km_state_load(call->server, config, &call->diag, &state));
    call->new_state = state;
    return km_edit_read(call->server, call->state->config, &call->diag, &call->edit);
}

klm_rc km_config_refresh_apply(struct km_call *call, struct st_change *change)
{
    const struct dt_listener listener = {km_more_drive, call};

    if (!km_state_current(call->server, call->state)) {
        return KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_CONFIG_CHANGED);
    }
    KLM_TRY(km_more_config(call, call->state->config, call->new_state->config));
    KLM_TRY(km_edit_merge(call->edit, change, &listener));
    KLM_TRY(km_edit_merge_groups(call->edit, change, km_more_group, call));
    call->text = "Configuration, key rings and drive table were read again";
    return KLM_OK;
}

/* Another change of the configuration came in between: what it put in the file counts too. */
static klm_rc load_again(struct km_call *call)
{
    struct parm_config *config;
    struct km_state *state;

    KLM_TRY(parm_load(parm_path_of_config(call->state->config), &call->diag, &config));
    KLM_TRY(km_state_load(call->server, config, &call->diag, &state));
    km_state_put(&call->new_state);
    call->new_state = state;
    return KLM_OK;
}

void km_config_swap(struct km_call *call)
{
    struct km_server *server = call->server;

    pthread_mutex_lock(&server->config_lock);
    if (km_state_current(server, call->state) || load_again(call) == KLM_OK) {
        km_state_swap(server, call->new_state);
        call->new_state = NULL;
    } else {
        klm_say_diag(&call->diag); /* the newer state stays in force */
    }
    pthread_mutex_unlock(&server->config_lock);
}

/* The drive table's changes are on disk: now the new state takes their side. */
void km_config_refresh_publish(struct km_call *call)
{
    struct km_server *server = call->server;

    km_config_swap(call);
    km_edit_taken(server, call->edit);
    km_drive_publish_all(call);
    km_views_groups(server);
}

klm_rc km_keystore_refresh_prepare(struct km_call *call)
{
    km_hardware_retry(call->server);
    KLM_TRY(take_over(call, parm_ref(call->state->config)));
    call->text = "The key rings were opened again";
    return KLM_OK;
}
