/* What a restore finds: the store that it is to replace. */
#include "backup/restore.h"

#include "base/secret.h"

#include <string.h>

/* A restore continues above every number that the journal may know: it takes an event of a known number for one that it has. */
static klm_rc event_number(void *arg, const struct smf_record *record)
{
    uint64_t *most = arg, number = record->event_no / 256;

    *most = number > *most ? number : *most;
    return KLM_OK;
}

static uint64_t journal_number(const struct parm_config *config)
{
    uint64_t most = 0;
    char folder[4096];

    if (parm_journal_dir(config, folder, sizeof folder) == KLM_OK) {
        KLM_IGNORE(smf_journal_read(folder, 0, event_number, &most, NULL)); /* as far as it goes */
    }
    return most;
}

static klm_rc found_one(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    *(bool *)arg = true;
    return KLM_OK;
}

static klm_rc is_empty(struct st_view *view, bool *empty)
{
    static const enum st_table tables[] = {ST_TOKEN, ST_CERT,   ST_RING,  ST_DRIVE,
                                           ST_USAGE, ST_OBJECT, ST_CLIENT};
    const struct st_range one = {.limit = 1};
    bool found = false;

    for (size_t i = 0; i < KLM_COUNT(tables) && !found; i++) {
        KLM_TRY(st_scan(view, tables[i], &one, found_one, &found));
    }
    *empty = !found;
    return KLM_OK;
}

static klm_rc look(struct bk_restoring *r)
{
    struct bk_present *present = &r->present;
    struct st_view *view;
    klm_rc rc;

    st_id(r->store, present->id);
    present->number = st_number(r->store);
    present->readable = true;
    KLM_TRY(st_view_open(r->store, &view));
    rc = is_empty(view, &present->empty);
    st_view_close(&view);
    return rc;
}

klm_rc bk_present_look(struct bk_restoring *r)
{
    struct st_options options;
    struct klm_diag diag = {0};
    char home[4096];
    klm_rc rc;

    km_server_id(r->config, r->present.server_id);
    KLM_TRY(parm_store_dir(r->config, home, sizeof home));
    KLM_TRY(bk_stage_options(r, home, &options));
    options.create = false;
    rc = st_open_bdb(&options, &diag, &r->store);
    klm_wipe(options.mac_key, sizeof options.mac_key);
    if (rc == KLM_E_BUSY) {
        return klm_fail(r->diag, rc, KLM_MSG_BK_TASK_UP);
    }
    r->present.there = rc != KLM_E_NOTFOUND;
    if (rc == KLM_OK) {
        rc = look(r);
    }
    if (rc != KLM_OK) {
        r->present.readable = false;
        r->present.empty = !r->present.there;
        r->present.number = journal_number(r->config);
    }
    if (rc != KLM_OK && r->present.there) {
        klm_say(KLM_MSG_BK_OLD_STORE, diag.text[0] ? diag.text : klm_rc_text(rc));
    }
    return KLM_OK;
}

klm_rc bk_present_served(struct bk_restoring *r, struct km_server *server)
{
    struct km_state *state = km_state_get(server);

    km_server_id(state->config, r->present.server_id);
    km_state_put(&state);
    r->present.there = true;
    return look(r);
}

struct search {
    struct klm_slice der;
    bool found;
};

static klm_rc compare(void *arg, const struct kr_cert *cert)
{
    struct search *search = arg;

    search->found = search->found || klm_slice_equal(cert->der, search->der);
    return KLM_OK;
}

klm_rc bk_present_knows(struct bk_restoring *r, struct klm_slice der, bool *knows)
{
    struct search search = {.der = der};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(r->store, &view));
    rc = kr_cert_scan(view, NULL, compare, &search);
    st_view_close(&view);
    *knows = search.found;
    return rc;
}
