/* Key usage events that come home: given in pages after what the partner has, checked and taken over there, and remembered here as
 * sent. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

#define PAGE_MAX (4u << 20)

klm_rc km_sync_usage_give_prepare(struct km_call *call)
{
    struct km_usage_page *req = call->req;
    struct klm_buf page;
    struct st_view *view;
    klm_rc rc = KLM_OK;

    KLM_TRY(st_view_open(call->server->store, &view));
    klm_buf_init(&page, PAGE_MAX);
    if (!req->from_start && req->after == 0) {
        rc = md_sent_get(view, req->partner, &req->after);
    }
    if (rc == KLM_OK) {
        rc = md_page_give(view, req->after, &page, &req->last, &req->n);
    }
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&page), &call->bytes);
    }
    klm_buf_done(&page);
    st_view_close(&view);
    return rc;
}

klm_rc km_sync_usage_check_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = md_page_check(view, req->bytes, &call->diag);
    st_view_close(&view);
    return rc;
}

/* Volumes whose stored key is not here: their events are taken over all the same, so that nobody misses them. */
struct keyless {
    struct st_view *view;
    uint64_t n;
    char alias[KLM_ALIAS_MAX + 1], volser[7]; /* of the first */
};

static klm_rc note_keyless(void *arg, const struct md_usage *usage)
{
    struct keyless *keyless = arg;
    klm_rc rc;

    if (!usage->dki[0] || usage->client[0]) {
        return KLM_OK;
    }
    rc = km_key_there(keyless->view, usage->alias1);
    if (rc != KLM_E_NOTFOUND && rc != KLM_E_INVALID && rc != KLM_E_LIMIT) {
        return rc == KLM_E_CORRUPT ? KLM_OK : rc;
    }
    if (keyless->n++ == 0) {
        snprintf(keyless->alias, sizeof keyless->alias, "%.21s", usage->alias1);
        snprintf(keyless->volser, sizeof keyless->volser, "%s", usage->volser);
    }
    return KLM_OK;
}

klm_rc km_sync_usage_take_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    struct keyless *keyless = klm_pool_alloc(call->pool, sizeof *keyless);
    klm_rc rc;

    if (!keyless) {
        return KLM_E_NOMEM;
    }
    *keyless = (struct keyless){.n = 0};
    call->work = keyless;
    KLM_TRY(st_view_open(call->server->store, &keyless->view));
    rc = md_page_check(keyless->view, req->bytes, &call->diag);
    if (rc == KLM_OK) {
        rc = md_page_new(keyless->view, req->bytes, note_keyless, keyless);
    }
    st_view_close(&keyless->view);
    return rc;
}

klm_rc km_sync_usage_take_apply(struct km_call *call, struct st_change *change)
{
    const struct km_file_req *req = call->req;
    const struct keyless *keyless = call->work;
    size_t taken = 0;

    KLM_TRY(
        md_page_take(change, req->bytes, &call->server->writer.usage_last, &taken, &call->diag));
    call->text = keyless->n
                     ? klm_pool_printf(call->pool,
                                       "%zu key usage events taken, %llu of stored keys not here",
                                       taken, (unsigned long long)keyless->n)
                     : klm_pool_printf(call->pool, "%zu key usage events taken", taken);
    call->event.field[SMF_F_NEW] = call->text;
    return KLM_OK;
}

void km_sync_usage_publish(struct km_call *call)
{
    const struct keyless *keyless = call->work;

    if (keyless->n) {
        klm_say(KLM_MSG_USAGE_KEYLESS, call->actor.name, KLM_NUM(keyless->n), keyless->alias,
                keyless->volser);
    }
    km_views_usage(call->server, 1);
}

klm_rc km_sync_usage_sent_prepare(struct km_call *call)
{
    (void)call; /* all of it is the writer's */
    return KLM_OK;
}

klm_rc km_sync_usage_sent_apply(struct km_call *call, struct st_change *change)
{
    const struct km_usage_page *req = call->req;

    return md_sent_put(change, req->partner, req->last);
}

/* Everything is home: whoever served as a secondary has nothing left to bring back. */
void km_sync_usage_sent_publish(struct km_call *call)
{
    km_secondary_home(call->server, ((const struct km_usage_page *)call->req)->partner);
}
