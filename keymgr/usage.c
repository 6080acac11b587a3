/* Verb usage-query: which labels a volume was written with, which volumes a label, drive or client wrote. */
#include "keymgr/internal.h"

#include <string.h>

#define LIMIT_DEFAULT 1000

static klm_rc add_row(void *arg, const struct md_usage *usage)
{
    struct km_call *call = arg;
    char date[KLM_JAVA_DATE_MAX];

    klm_java_date(usage->time, date);
    return km_rows_add(
        call, (const char *[]){usage->volser, usage->drive[0] ? usage->drive : usage->client,
                               usage->wwn, usage->alias1, usage->alias2, usage->dki, date});
}

static klm_rc run_query(struct km_call *call, struct st_view *view, const struct km_usage_req *req)
{
    size_t limit = req->limit > 0 ? (size_t)req->limit : LIMIT_DEFAULT;
    char key[DT_SERIAL + 1];

    if (req->volser) {
        char volser[7];

        KLM_TRY(md_volser(req->volser, volser, &call->diag));
        return md_query(view, MD_BY_VOLSER, volser, limit, add_row, call);
    }
    if (req->alias) {
        return md_query(view, MD_BY_ALIAS, req->alias, limit, add_row, call);
    }
    if (req->client) {
        return md_query(view, MD_BY_CLIENT, req->client, limit, add_row, call);
    }
    KLM_TRY(dt_serial(req->drivename, key, &call->diag));
    return md_query(view, MD_BY_DRIVE, key, limit, add_row, call);
}

klm_rc km_usage_query_prepare(struct km_call *call)
{
    static const char *const columns[] = {
        "VolSer", "Drive or Client", "WWN", "Key Alias 1", "Key Alias 2", "DKi", "Date", NULL};
    const struct km_usage_req *req = call->req;
    struct st_view *view;
    klm_rc rc;

    if (!!req->volser + !!req->alias + !!req->drivename + !!req->client != 1) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_QUERY_ONE);
    }
    KLM_TRY(km_rows_begin(call, "Key usage, newest first", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = run_query(call, view, req);
    st_view_close(&view);
    return rc;
}
