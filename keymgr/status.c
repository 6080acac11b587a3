/* Verbs about the server itself: status, version, start and stop of serving, end of the task. */
#include "keymgr/cache.h"
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

static const char *const pairs[] = {"Item", "Value", NULL};

static klm_rc pair(struct km_call *call, const char *item, const char *value)
{
    return km_rows_add(call, (const char *[]){item, value});
}

static klm_rc audit_rows(struct km_call *call)
{
    struct km_server *server = call->server;
    uint64_t synced = smf_journal_synced(server->journal), last = smf_journal_last(server->journal);

    KLM_TRY(pair(call, "Audit journal",
                 smf_journal_failing(server->journal) ? "NOT WRITABLE" : "writing"));
    KLM_TRY(pair(call, "Audit events", KLM_NUM(last)));
    if (smf_journal_failing(server->journal)) {
        KLM_TRY(pair(call, "Audit events not on disk", KLM_NUM(last - synced)));
    }
    if (km_audit_unwritten(server) > 0) {
        KLM_TRY(pair(call, "Audit events not recorded", KLM_NUM(km_audit_unwritten(server))));
    }
    return km_sinks_rows(call);
}

static klm_rc store_rows(struct km_call *call)
{
    struct km_server *server = call->server;
    struct dt_table *drives = km_drives(server);
    char vp[KR_VP_MAX];
    klm_rc rc = pair(call, "Drives", KLM_NUM(dt_table_count(drives)));

    dt_table_free(&drives);
    KLM_TRY(rc);
    KLM_TRY(km_clients_rows(call));
    kr_master_vp(server->master, vp);
    KLM_TRY(pair(call, "Master key verification pattern", vp));
    KLM_TRY(pair(call, "Master key escrow",
                 kr_master_escrowed(server->master) ? "confirmed" : "NOT CONFIRMED"));
    KLM_TRY(km_hardware_rows(call));
    KLM_TRY(km_master_rows(call));
    KLM_TRY(pair(call, "Store", st_failed(server->store) ? "NO MORE CHANGES" : "ready"));
    KLM_TRY(pair(call, "Changes in the store", KLM_NUM(st_number(server->store))));
    return km_cache_rows(call);
}

static klm_rc kmip_rows(struct km_call *call, const struct km_kmip_info *kmip)
{
    if (!kmip->ttlv_port && !kmip->https_port) {
        return KLM_OK;
    }
    if (kmip->ttlv_port) {
        KLM_TRY(pair(call, "KMIP port", KLM_NUM(kmip->ttlv_port)));
    }
    if (kmip->https_port) {
        KLM_TRY(pair(call, "KMIP port for HTTPS", KLM_NUM(kmip->https_port)));
    }
    KLM_TRY(pair(call, "KMIP sessions", KLM_NUM(kmip->sessions)));
    KLM_TRY(pair(call, "KMIP requests", KLM_NUM(kmip->requests)));
    KLM_TRY(pair(call, "KMIP connections without a request", KLM_NUM(kmip->probes)));
    KLM_TRY(pair(call, "KMIP handshakes that failed", KLM_NUM(kmip->failed)));
    return pair(call, "KMIP connections refused", KLM_NUM(kmip->refused));
}

klm_rc km_status_prepare(struct km_call *call)
{
    struct km_task_info info = {.state = "not started"};
    char started[KLM_JAVA_DATE_MAX];

    if (call->server->task_info) {
        call->server->task_info(call->server->task_arg, &info);
    }
    call->text = info.tcp_port
                     ? klm_pool_printf(call->pool, "Server is %s. TCP port: %u, SSL port: %u",
                                       info.state, info.tcp_port, info.ssl_port)
                     : klm_pool_printf(call->pool, "Server is %s.", info.state);
    KLM_TRY(km_rows_begin(call, NULL, pairs));
    klm_java_date(call->server->started, started);
    KLM_TRY(pair(call, "Started", started));
    KLM_TRY(pair(call, "Sessions", KLM_NUM(info.sessions)));
    KLM_TRY(kmip_rows(call, &info.kmip));
    KLM_TRY(store_rows(call));
    KLM_TRY(km_secondary_rows(call));
    KLM_TRY(km_backup_rows(call));
    return audit_rows(call);
}

klm_rc km_version_prepare(struct km_call *call)
{
    call->text = "klmsrv " KLM_VERSION;
    return KLM_OK;
}

klm_rc km_serve_start_prepare(struct km_call *call)
{
    km_control(call->server, "startekm");
    call->text = "Received and processed startekm command";
    return KLM_OK;
}

klm_rc km_serve_stop_prepare(struct km_call *call)
{
    km_control(call->server, "stopekm");
    call->text = "Received and processed stopekm command";
    return KLM_OK;
}

klm_rc km_task_stop_prepare(struct km_call *call)
{
    km_control(call->server, "stop");
    call->text = "Stop accepted";
    return KLM_OK;
}
