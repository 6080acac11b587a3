/* Key groups between partners: given as the file that shows them, checked, and merged or rewritten there. Their keys travel apart, as key tokens; how many of
 * them are missing is part of the answer, since a group without its keys serves nobody. */
#include "keymgr/internal.h"

#include <string.h>

/* The own group follows its property, and is made anew where that is. */
static klm_rc note_group(void *arg, const struct md_group *group)
{
    *(bool *)arg = strcmp(group->name, MD_KEYSET_GROUP) != 0;
    return *(bool *)arg ? KLM_E_LIMIT : KLM_OK; /* one is enough */
}

static klm_rc encode(struct km_call *call, struct st_view *view)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text = {0};
    bool any = false;
    klm_rc rc = md_group_scan(view, note_group, &any);

    if (!any) {
        return rc;
    }
    klm_buf_init(&text, MD_GROUPS_FILE_MAX);
    KLM_TRY(md_groups_encode(view, st_view_number(view), &text));
    return klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
}

/* No byte: there are none. */
klm_rc km_sync_groups_give_prepare(struct km_call *call)
{
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = encode(call, view);
    st_view_close(&view);
    return rc;
}

klm_rc km_sync_groups_check_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *file = NULL;

    return md_groups_decode(req->bytes, &call->diag, &file);
}

/* ---- Keys that are not here */

struct missing {
    struct st_view *view;
    const struct klm_alias_run *run;
    uint64_t here, n; /* of a run; of all */
};

static klm_rc count_token(void *arg, const char *label, const struct kr_spec *spec)
{
    struct missing *missing = arg;

    (void)spec;
    if (strcmp(label, missing->run->last) > 0) {
        return KLM_E_LIMIT; /* behind the run */
    }
    missing->here += klm_alias_run_has(missing->run, label);
    return KLM_OK;
}

/* A run may be longer than there are keys in the world: the keys that are here are counted, not the aliases. */
static klm_rc count_run(void *arg, const char *group, const struct klm_alias_run *run)
{
    struct missing *missing = arg;
    uint64_t n = klm_alias_run_count(run);
    klm_rc rc;

    (void)group;
    missing->run = run;
    missing->here = km_key_there(missing->view, run->first) == KLM_OK;
    rc = n == 1 ? KLM_OK : kr_token_scan(missing->view, KR_AES, run->first, count_token, missing);
    if (rc != KLM_OK && rc != KLM_E_LIMIT) {
        return rc;
    }
    n -= missing->here < n ? missing->here : n;
    missing->n = n > UINT64_MAX - missing->n ? UINT64_MAX : missing->n + n;
    return KLM_OK;
}

static klm_rc count_missing(struct km_call *call, const struct md_groups_file *file, uint64_t *out)
{
    struct missing missing = {0};
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &missing.view));
    rc = md_groups_runs(file, count_run, &missing);
    st_view_close(&missing.view);
    *out = missing.n;
    return rc;
}

/* Off the writer: what is damaged is refused, and the keys are counted. */
klm_rc km_sync_groups_take_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *file = NULL;
    uint64_t *missing = klm_pool_alloc(call->pool, sizeof *missing);

    if (!missing) {
        return KLM_E_NOMEM;
    }
    call->work = missing;
    KLM_TRY(md_groups_decode(req->bytes, &call->diag, &file));
    return count_missing(call, file, missing);
}

klm_rc km_sync_groups_take_apply(struct km_call *call, struct st_change *change)
{
    const struct km_file_req *req = call->req;
    const uint64_t *missing = call->work;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *file = NULL;
    struct md_groups_merge merged = {0};

    KLM_TRY(md_groups_decode(req->bytes, &call->diag, &file));
    KLM_TRY(md_groups_take(change, file, req->rewrite, km_more_group, call, &merged));
    call->text = klm_pool_printf(
        call->pool, "%zu key groups added, %zu changed, %zu removed; %s of their keys not here",
        merged.added, merged.changed, merged.removed, KLM_NUM(*missing));
    call->event.field[SMF_F_NEW] = call->text;
    return call->text ? KLM_OK : KLM_E_NOMEM;
}
