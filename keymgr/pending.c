/* Verbs on drives that wait for acceptance. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FINGERPRINT_LEAST                                                                          \
    16 /* hexadecimal digits that nobody finds a second certificate for in passing */

static klm_rc list_one(void *arg, const struct dt_pending *pending)
{
    struct km_call *call = arg;
    char first[KLM_JAVA_DATE_MAX], last[KLM_JAVA_DATE_MAX];

    klm_java_date(pending->first_contact, first);
    klm_java_date(pending->last_contact, last);
    return km_rows_add(call, (const char *[]){pending->serial, dt_kind_name(pending->kind),
                                              pending->wwn, pending->address, first, last,
                                              KLM_NUM(pending->contacts), pending->fingerprint});
}

klm_rc km_pending_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Serial",   "Kind",          "WWN",
                                          "Address",  "First Contact", "Last Contact",
                                          "Contacts", "Certificate",   NULL};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Pending drives", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = dt_pending_scan(view, list_one, call);
    st_view_close(&view);
    return rc;
}

static klm_rc refuse_missing(struct km_call *call, const char *serial)
{
    return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_PENDING_NOT_FOUND, serial);
}

static klm_rc copy(struct km_call *call, const char *value, char *out)
{
    if (value && strlen(value) > DT_ALIAS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_PARAM_LONG, value, KLM_NUM(DT_ALIAS_MAX));
    }
    snprintf(out, DT_ALIAS_MAX + 1, "%s", value ? value : "");
    return KLM_OK;
}

klm_rc km_pending_accept_prepare(struct km_call *call)
{
    const struct km_pending_req *req = call->req;
    char *serial = klm_pool_alloc(call->pool, DT_SERIAL + 1);

    if (!serial) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(dt_serial(req->drivename, serial, &call->diag));
    call->work = serial;
    return KLM_OK;
}

/* Another drive of this serial number may have called since the operator looked: what he saw is what he accepts. */
static klm_rc same_certificate(struct km_call *call, const struct dt_pending *pending)
{
    const struct km_pending_req *req = call->req;
    size_t n = req->fingerprint ? strlen(req->fingerprint) : 0;

    if (!req->fingerprint) {
        return KLM_OK;
    }
    if (n < FINGERPRINT_LEAST) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_FINGERPRINT_SHORT, req->fingerprint,
                         KLM_NUM(FINGERPRINT_LEAST));
    }
    return strncasecmp(pending->fingerprint, req->fingerprint, n) == 0
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_PENDING_OTHER_CERT, pending->serial,
                           pending->fingerprint);
}

klm_rc km_pending_accept_apply(struct km_call *call, struct st_change *change)
{
    const struct km_pending_req *req = call->req;
    const char *serial = call->work;
    struct dt_drive drive = {0};
    struct dt_pending pending;
    klm_rc rc;

    if (dt_pending_get(st_change_view(change), serial, call->pool, &pending) != KLM_OK) {
        return refuse_missing(call, serial);
    }
    KLM_TRY(same_certificate(call, &pending));
    memcpy(drive.serial, pending.serial, sizeof drive.serial);
    memcpy(drive.wwn, pending.wwn, sizeof drive.wwn);
    memcpy(drive.fingerprint, pending.fingerprint, sizeof drive.fingerprint);
    drive.kind = pending.kind;
    drive.first_contact = pending.first_contact;
    drive.last_contact = pending.last_contact;
    KLM_TRY(copy(call, req->rec1, drive.alias1));
    KLM_TRY(copy(call, req->rec2, drive.alias2));
    KLM_TRY(copy(call, req->symrec, drive.symalias));
    rc = dt_add(change, &drive);
    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DRIVE_IN_TABLE, serial);
    }
    KLM_TRY(rc);
    call->drive = drive;
    return dt_pending_delete(change, serial);
}

klm_rc km_pending_reject_prepare(struct km_call *call)
{
    return km_pending_accept_prepare(call);
}

klm_rc km_pending_reject_apply(struct km_call *call, struct st_change *change)
{
    struct dt_pending pending;

    if (dt_pending_get(st_change_view(change), call->work, call->pool, &pending) != KLM_OK) {
        return refuse_missing(call, call->work);
    }
    return dt_pending_delete(change, call->work);
}
