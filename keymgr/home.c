/* Key usage events that come home: given in pages after what the partner has, checked and taken over there, and remembered here as
 * sent. */
#include "keymgr/internal.h"

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

klm_rc km_sync_usage_take_apply(struct km_call *call, struct st_change *change)
{
    const struct km_file_req *req = call->req;
    size_t taken = 0;

    KLM_TRY(
        md_page_take(change, req->bytes, &call->server->writer.usage_last, &taken, &call->diag));
    call->text = klm_pool_printf(call->pool, "%zu key usage events taken", taken);
    call->event.field[SMF_F_NEW] = call->text;
    return KLM_OK;
}

void km_sync_usage_publish(struct km_call *call)
{
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
