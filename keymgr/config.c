/* Verbs on the configuration: list, set, export, import, refresh. A change goes to memory and file; the file keeps its comments and order. */
#include "keymgr/internal.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_MAX (1u << 20)

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

    KLM_TRY(km_rows_begin(call, "Configuration", columns));
    parm_list(call->state->config, list_one, &listing);
    KLM_TRY(listing.rc);
    if (req->property && call->rows.n == 0) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PROPERTY_UNKNOWN, req->property);
    }
    return KLM_OK;
}

/* Value of a property for the audit event; secrets stay hidden. */
static const char *shown(const struct parm_config *config, enum parm_id id)
{
    const char *value = parm_str(config, id);

    return value && (parm_row(id)->flags & PARM_SECRET) ? "****" : value;
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
    call->event.field[SMF_F_OLD] = shown(call->state->config, id);
    KLM_TRY(parm_with(call->state->config, req->property, value, &call->diag, &changed));
    call->event.field[SMF_F_NEW] = klm_pool_str(call->pool, shown(changed, id));
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

static klm_rc read_config(struct km_call *call, struct klm_buf *text)
{
    return klm_file_read(parm_path_of_config(call->state->config), CONFIG_MAX, text, &call->diag);
}

/* Secret values do not leave with an export: their lines say so. */
struct hiding {
    struct klm_buf *out;
};

static void export_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct hiding *hiding = arg;

    if (!is_default && value) {
        klm_buf_text(hiding->out, strcmp(value, "****") == 0 ? "# secret, not exported: " : "");
        klm_buf_text(hiding->out, name);
        klm_buf_u8(hiding->out, '=');
        for (const char *p = value; *p && strcmp(value, "****") != 0; p++) {
            if (*p == '\\' || *p == ':' || *p == '=') {
                klm_buf_u8(hiding->out, '\\');
            }
            klm_buf_u8(hiding->out, (uint8_t)*p);
        }
        klm_buf_u8(hiding->out, '\n');
    }
}

klm_rc km_config_export_prepare(struct km_call *call)
{
    struct klm_buf text;
    struct hiding hiding = {&text};
    klm_rc rc;

    klm_buf_init(&text, CONFIG_MAX);
    klm_buf_text(&text, "# Configuration of ISKLM, exported\n");
    parm_list(call->state->config, export_one, &hiding);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
    }
    klm_buf_done(&text);
    return rc;
}

/* ---- Import: properties that are not local replace ours; -rewrite also unsets those that the file does not have. */

struct import {
    struct km_call *call;
    const struct parm_config *from;
    bool rewrite;
    size_t changed;
    klm_rc rc;
};

static void import_one(void *arg, const char *name, const char *value, bool is_default)
{
    struct import *import = arg;
    struct km_call *call = import->call;
    const char *mine, *theirs;
    enum parm_id id;

    (void)value, (void)is_default;
    if (import->rc != KLM_OK || parm_find(name, &id) != KLM_OK ||
        (parm_row(id)->flags & (PARM_LOCAL | PARM_SECRET)) ||
        (!parm_is_set(import->from, id) && !import->rewrite)) {
        return;
    }
    mine = parm_is_set(call->state->config, id) ? parm_str(call->state->config, id) : NULL;
    theirs = parm_is_set(import->from, id) ? parm_str(import->from, id) : NULL;
    if ((!mine && !theirs) || (mine && theirs && strcmp(mine, theirs) == 0)) {
        return;
    }
    import->rc = check_right(call, id);
    if (import->rc == KLM_OK) {
        import->rc = parm_save_change(call->state->config, name, theirs, &call->diag);
        import->changed += import->rc == KLM_OK;
    }
}

klm_rc km_config_import_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    struct import import = {.call = call, .rewrite = req->rewrite};
    struct parm_config *from, *config;

    KLM_TRY(parm_load_text(req->bytes, "the imported file", true, &call->diag, &from));
    import.from = from;
    parm_list(call->state->config, import_one, &import);
    parm_free(&from);
    KLM_TRY(import.rc);
    KLM_TRY(parm_load(parm_path_of_config(call->state->config), &call->diag, &config));
    KLM_TRY(take_over(call, config));
    call->text = klm_pool_printf(call->pool, "%zu properties changed; local and secret ones stay",
                                 import.changed);
    return KLM_OK;
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
    const char *path = parm_path_of_config(call->state->config);
    struct parm_config *config;
    struct km_state *state;
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, CONFIG_MAX);
    rc = read_config(call, &text);
    klm_buf_done(&text);
    KLM_TRY(rc);
    KLM_TRY(parm_load(path, &call->diag, &config));
    parm_pending(call->state->config, config, say_pending, NULL);
    KLM_TRY(km_state_load(call->server, config, &call->diag, &state));
    call->work = state;
    return KLM_OK;
}

klm_rc km_config_refresh_apply(struct km_call *call, struct st_change *change)
{
    struct km_state *state = call->work;
    klm_rc rc = km_views_merge(call->server, state->config, change, &call->diag);

    if (rc != KLM_OK) {
        km_state_put(&state);
        return rc;
    }
    km_state_swap(call->server, state);
    call->text = "Configuration, key rings and drive table were read again";
    return KLM_OK;
}

klm_rc km_keystore_refresh_prepare(struct km_call *call)
{
    KLM_TRY(take_over(call, parm_ref(call->state->config)));
    call->text = "The key rings were opened again";
    return KLM_OK;
}
