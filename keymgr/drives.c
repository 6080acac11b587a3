/* Verbs on the drive table: add, modify, delete, list, export, import. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

#define TABLE_MAX (64u << 20)
#define LIST_DEFAULT 1000000

static klm_rc set_alias(struct km_call *call, const char *value, char *out)
{
    if (!value) {
        return KLM_OK;
    }
    if (strlen(value) > DT_ALIAS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_PARAM_LONG, value, KLM_NUM(DT_ALIAS_MAX));
    }
    snprintf(out, DT_ALIAS_MAX + 1, "%s", value);
    return KLM_OK;
}

/* The certificate of a request, read off the writer. */
struct pin {
    char fingerprint[65], wwn[17];
};

static klm_rc read_pin(struct km_call *call, struct klm_slice bytes, const char *serial)
{
    struct pin *pin = klm_pool_alloc(call->pool, sizeof *pin);
    struct kr_cert_info info;
    struct klm_slice der;
    char of[13];

    if (!pin) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(kr_cert_parse(bytes, call->pool, &der, &call->diag));
    if (kr_cert_drive(der, of, pin->wwn) != KLM_OK || strcmp(of, serial) != 0) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_DRIVE_NOT_ITS_CERT, serial);
    }
    KLM_TRY(kr_cert_info(der, call->pool, &info));
    memcpy(pin->fingerprint, info.fingerprint, sizeof pin->fingerprint);
    call->work = pin;
    return KLM_OK;
}

static klm_rc put_pin(struct km_call *call, const struct pin *pin, struct dt_drive *drive)
{
    if (pin->wwn[0] && drive->wwn[0] && strcmp(pin->wwn, drive->wwn) != 0) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_DRIVE_OTHER_WWN, drive->serial, drive->wwn,
                         pin->wwn);
    }
    memcpy(drive->fingerprint, pin->fingerprint, sizeof drive->fingerprint);
    if (pin->wwn[0]) {
        memcpy(drive->wwn, pin->wwn, sizeof drive->wwn);
    }
    return KLM_OK;
}

/* What the request says about the drive, over what the drive is already. */
static klm_rc fill(struct km_call *call, const struct km_drive_req *req, struct dt_drive *drive)
{
    KLM_TRY(set_alias(call, req->rec1, drive->alias1));
    KLM_TRY(set_alias(call, req->rec2, drive->alias2));
    KLM_TRY(set_alias(call, req->symrec, drive->symalias));
    if (req->wwn) {
        KLM_TRY(dt_wwn(req->wwn, drive->wwn, &call->diag));
    }
    if (req->kind && dt_kind_parse(req->kind, &drive->kind) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_KIND_UNKNOWN, req->kind);
    }
    return call->work ? put_pin(call, call->work, drive) : KLM_OK;
}

/* Serial number and certificate of a request; everything else of it is tried on a drive of no use, so that what is wrong is found off the writer. */
static klm_rc read_request(struct km_call *call, const struct km_drive_req *req)
{
    struct dt_drive trial = {0};

    KLM_TRY(dt_serial(req->drivename, call->drive.serial, &call->diag));
    if (req->cert.n > 0) {
        KLM_TRY(read_pin(call, req->cert, call->drive.serial));
    }
    return fill(call, req, &trial);
}

/* Aliases that the ring does not have are allowed (the ring may come later), but said. */
static void warn_alias(struct km_call *call, const char *alias)
{
    const struct kr_label *label;

    if (alias[0] && call->state->keys &&
        kr_label_find(call->state->keys, alias, &label) != KLM_OK) {
        klm_say(KLM_MSG_ALIAS_UNKNOWN, alias, call->drive.serial);
    }
}

/* The drive at hand for its event; NULL (the field stays away) without memory. */
static const char *drive_text(struct km_call *call)
{
    char text[KM_DRIVE_TEXT];

    return klm_pool_str(call->pool, km_drive_text(&call->drive, text));
}

klm_rc km_drive_add_prepare(struct km_call *call)
{
    const struct km_drive_req *req = call->req;

    KLM_TRY(read_request(call, req));
    KLM_TRY(fill(call, req, &call->drive));
    warn_alias(call, call->drive.alias1);
    warn_alias(call, call->drive.alias2);
    return KLM_OK;
}

klm_rc km_drive_add_apply(struct km_call *call, struct st_change *change)
{
    klm_rc rc = dt_add(change, &call->drive);

    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DRIVE_IN_TABLE, call->drive.serial);
    }
    KLM_TRY(rc);
    call->event.field[SMF_F_NEW] = drive_text(call);
    rc = dt_pending_delete(change, call->drive.serial);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc; /* usually it did not wait */
}

klm_rc km_drive_modify_prepare(struct km_call *call)
{
    const struct km_drive_req *req = call->req;

    KLM_TRY(read_request(call, req));
    warn_alias(call, req->rec1 ? req->rec1 : "");
    warn_alias(call, req->rec2 ? req->rec2 : "");
    return KLM_OK;
}

static klm_rc refuse_unknown(struct km_call *call, klm_rc rc)
{
    if (rc == KLM_E_NOTFOUND) {
        char serial[DT_SERIAL + 1];

        memcpy(serial, call->drive.serial, sizeof serial);
        call->drive.serial[0] = '\0';
        return KM_REFUSE(call, rc, 0, KLM_MSG_DRIVE_UNKNOWN, serial);
    }
    return rc;
}

klm_rc km_drive_modify_apply(struct km_call *call, struct st_change *change)
{
    char serial[DT_SERIAL + 1];

    memcpy(serial, call->drive.serial, sizeof serial);
    KLM_TRY(refuse_unknown(call, dt_get(st_change_view(change), serial, &call->drive)));
    call->event.field[SMF_F_OLD] = drive_text(call);
    KLM_TRY(fill(call, call->req, &call->drive));
    call->event.field[SMF_F_NEW] = drive_text(call);
    return dt_modify(change, &call->drive);
}

klm_rc km_drive_delete_prepare(struct km_call *call)
{
    const struct km_drive_req *req = call->req;

    return dt_serial(req->drivename, call->drive.serial, &call->diag);
}

klm_rc km_drive_delete_apply(struct km_call *call, struct st_change *change)
{
    struct dt_drive drive;

    if (dt_get(st_change_view(change), call->drive.serial, &drive) == KLM_OK) {
        call->drive = drive;
        call->event.field[SMF_F_OLD] = drive_text(call);
    }
    return refuse_unknown(call, dt_delete(change, call->drive.serial));
}

/* ---- List */

struct listing {
    struct km_call *call;
    bool verbose;
    size_t left;
};

static void date_of(klm_time t, char out[KLM_JAVA_DATE_MAX])
{
    if (t == 0) {
        snprintf(out, KLM_JAVA_DATE_MAX, "never");
    } else {
        klm_java_date(t, out);
    }
}

static klm_rc list_one(void *arg, const struct dt_drive *drive)
{
    struct listing *listing = arg;
    char first[KLM_JAVA_DATE_MAX], last[KLM_JAVA_DATE_MAX];

    if (listing->left-- == 0) {
        listing->left = 0;
        return KLM_E_LIMIT;
    }
    if (!listing->verbose) {
        return km_rows_add(listing->call,
                           (const char *[]){drive->serial, dt_kind_name(drive->kind), drive->alias1,
                                            drive->alias2, drive->symalias});
    }
    date_of(drive->first_contact, first);
    date_of(drive->last_contact, last);
    return km_rows_add(listing->call,
                       (const char *[]){drive->serial, dt_kind_name(drive->kind), drive->alias1,
                                        drive->alias2, drive->symalias, drive->wwn, first, last,
                                        drive->last_volser, drive->fingerprint});
}

static klm_rc list_drives(struct listing *listing, struct st_view *view, const char *drivename)
{
    struct km_call *call = listing->call;
    struct dt_drive drive;
    klm_rc rc;

    if (drivename) {
        KLM_TRY(dt_serial(drivename, call->drive.serial, &call->diag));
        KLM_TRY(refuse_unknown(call, dt_get(view, call->drive.serial, &drive)));
        return list_one(listing, &drive);
    }
    rc = dt_scan(view, list_one, listing);
    return rc == KLM_E_LIMIT && listing->left == 0 ? KLM_OK : rc;
}

/* From the store, not from the table in memory: contacts and volumes are only there. */
klm_rc km_drive_list_prepare(struct km_call *call)
{
    static const char *const few[] = {"Serial", "Kind", "Alias 1", "Alias 2", "Sym Alias", NULL};
    static const char *const all[] = {
        "Serial",        "Kind",         "Alias 1",     "Alias 2",     "Sym Alias", "WWN",
        "First Contact", "Last Contact", "Last VolSer", "Certificate", NULL};
    const struct km_drive_req *req = call->req;
    struct listing listing = {call, req->verbose || req->drivename,
                              req->limit > 0 ? (size_t)req->limit : LIST_DEFAULT};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Drives", listing.verbose ? all : few));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = list_drives(&listing, view, req->drivename);
    st_view_close(&view);
    return rc;
}

/* ---- Export, import */

klm_rc km_drive_export_prepare(struct km_call *call)
{
    struct klm_buf text;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    klm_buf_init(&text, TABLE_MAX);
    rc = dt_file_encode(view, st_view_number(view), &text);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
    }
    klm_buf_done(&text);
    st_view_close(&view);
    return rc;
}

klm_rc km_drive_import_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    struct dt_file *file = NULL;
    klm_rc rc = dt_file_decode(req->bytes, &call->diag, &file);

    dt_file_free(&file); /* a damaged file is refused here, off the writer */
    return rc;
}

klm_rc km_drive_import_apply(struct km_call *call, struct st_change *change)
{
    const struct km_file_req *req = call->req;
    struct dt_file *file = NULL;
    const struct dt_listener listener = {km_more_drive, call};
    struct dt_merge merged = {0};
    klm_rc rc;

    KLM_TRY(dt_file_decode(req->bytes, &call->diag, &file));
    rc = dt_file_import_told(change, file, req->rewrite, &listener, &merged);
    dt_file_free(&file);
    KLM_TRY(rc);
    call->event.field[SMF_F_OBJECT] =
        klm_pool_printf(call->pool, "%zu added, %zu changed, %zu removed", merged.added,
                        merged.changed, merged.removed);
    if (call->untold > 0) {
        const struct km_news more = {.what = KM_HAP_DRIVES_MORE, .object = KLM_NUM(call->untold)};

        KLM_TRY(km_more(call, &more));
    }
    call->text = klm_pool_printf(call->pool, "%zu drives added, %zu changed, %zu removed",
                                 merged.added, merged.changed, merged.removed);
    return KLM_OK;
}
