/* A drive shows who it is. Its certificate must carry the drive role, chain to an authority connected to the ring for drives, and say the serial number and WWN that
 * the drive claims; a known drive is pinned to its certificate. Unknown drives are refused, put on the pending list or accepted, as configured. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PENDING_REFRESH                                                                            \
    (60 * 1000000LL) /* a waiting drive that calls again is noted once a minute */

enum contact_change { CONTACT_NOTHING, CONTACT_PIN, CONTACT_ADD, CONTACT_PENDING };
struct contact {
    enum contact_change change;
    char fingerprint[65];
    struct dt_pending pending;
};

static klm_rc check_certificate(struct km_call *call, const struct km_contact *req)
{
    char serial[13], wwn[17];
    klm_rc rc;

    if (req->cert.n == 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_NO_CERT, req->serial);
    }
    rc = kr_cert_drive(req->cert, serial, wwn);
    if (rc != KLM_OK || strcmp(serial, req->serial) != 0 || strcasecmp(wwn, req->wwn) != 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE2C, KLM_MSG_DRIVE_NOT_ITS_CERT, req->serial);
    }
    if (req->binding.n > 0 && kr_cert_verify(req->cert, req->binding, req->signature) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE29, KLM_MSG_DRIVE_SIGNATURE, req->serial);
    }
    rc = kr_cert_chain(call->state->authority, req->cert, klm_clock(), &call->diag);
    if (rc != KLM_OK) {
        call->device_code = 0xEE2B;
    }
    return rc;
}

static klm_rc fingerprint_of(struct km_call *call, struct klm_slice cert, char out[65])
{
    struct kr_cert_info info;

    KLM_TRY(kr_cert_info(cert, call->pool, &info));
    memcpy(out, info.fingerprint, 65);
    return KLM_OK;
}

/* The drive is in the table: same WWN, same certificate. */
static klm_rc check_known(struct km_call *call, const struct km_contact *req,
                          const struct contact *contact, const struct dt_drive *drive)
{
    if (drive->fingerprint[0] && strcmp(drive->fingerprint, contact->fingerprint) != 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT, req->serial);
    }
    if (drive->wwn[0] && strcasecmp(drive->wwn, req->wwn) != 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE2C, KLM_MSG_DRIVE_OTHER_WWN, req->serial,
                         drive->wwn, req->wwn);
    }
    return KLM_OK;
}

/* What the table does not know yet of a drive is learned. */
static bool learns(const struct dt_drive *drive)
{
    return !drive->fingerprint[0] || !drive->wwn[0];
}

static klm_rc known(struct km_call *call, const struct km_contact *req, struct contact *contact,
                    const struct dt_drive *drive)
{
    KLM_TRY(check_known(call, req, contact, drive));
    call->drive = *drive;
    contact->change = learns(drive) ? CONTACT_PIN : CONTACT_NOTHING;
    return KLM_OK;
}

static klm_rc fill_new(struct km_call *call, const struct km_contact *req, const char *fingerprint)
{
    struct dt_drive *drive = &call->drive;

    memset(drive, 0, sizeof *drive);
    snprintf(drive->serial, sizeof drive->serial, "%s", req->serial);
    KLM_TRY(dt_wwn(req->wwn, drive->wwn, &call->diag));
    drive->kind = (enum dt_kind)req->kind;
    snprintf(drive->fingerprint, sizeof drive->fingerprint, "%s", fingerprint);
    drive->first_contact = drive->last_contact = klm_clock();
    return KLM_OK;
}

static klm_rc make_pending(struct km_call *call, const struct km_contact *req,
                           struct contact *contact)
{
    struct dt_pending *pending = &contact->pending;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(km_store(call->server), &view));
    rc = dt_pending_get(view, req->serial, call->pool, pending);
    st_view_close(&view);
    if (rc == KLM_OK && strcmp(pending->fingerprint, contact->fingerprint) == 0 &&
        klm_clock() - pending->last_contact < PENDING_REFRESH) {
        return KLM_OK; /* noted a moment ago */
    }
    if (rc != KLM_OK) {
        *pending = (struct dt_pending){.first_contact = klm_clock()};
    }
    contact->change = CONTACT_PENDING;
    snprintf(pending->serial, sizeof pending->serial, "%s", req->serial);
    KLM_TRY(dt_wwn(req->wwn, pending->wwn, &call->diag));
    pending->kind = (enum dt_kind)req->kind;
    memcpy(pending->fingerprint, contact->fingerprint, sizeof pending->fingerprint);
    snprintf(pending->address, sizeof pending->address, "%s", call->actor.address);
    pending->last_contact = klm_clock();
    pending->contacts++;
    pending->cert = req->cert;
    return KLM_OK;
}

static klm_rc unknown(struct km_call *call, const struct km_contact *req, struct contact *contact)
{
    enum parm_id policy =
        req->kind == DT_DS8000 ? PARM_ds8k_acceptUnknownDrives : PARM_drive_acceptUnknownDrives;
    const char *accept = parm_str(call->state->config, policy);

    call->event.kind = SMF_RUNTIME;
    if (strcasecmp(accept, "true") == 0) {
        contact->change = CONTACT_ADD;
        return fill_new(call, req, contact->fingerprint);
    }
    if (strcasecmp(accept, "pending") == 0) {
        KLM_TRY(make_pending(call, req, contact));
        /* The contact is noted, the drive is not served: a success of the verb, a refusal for the drive. */
        (void)KM_REFUSE(call, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING, req->serial);
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_DENIED, 0xEF01, KLM_MSG_DRIVE_UNKNOWN, req->serial);
}

klm_rc km_drive_contact_prepare(struct km_call *call)
{
    struct km_contact *req = call->req;
    struct contact *contact = klm_pool_alloc(call->pool, sizeof *contact);
    struct dt_table *drives;
    const struct dt_drive *drive;
    klm_rc rc;

    if (!contact) {
        return KLM_E_NOMEM;
    }
    call->work = contact;
    call->event.field[SMF_F_AUTH_TYPE] = "certificate";
    call->event.field[SMF_F_DRIVE] = req->serial;
    call->event.field[SMF_F_WWN] = req->wwn;
    KLM_TRY(check_certificate(call, req));
    KLM_TRY(fingerprint_of(call, req->cert, contact->fingerprint));
    call->event.field[SMF_F_CLIENT] = contact->fingerprint;
    drives = km_drives(call->server);
    rc = dt_table_find(drives, req->serial, &drive) == KLM_OK ? known(call, req, contact, drive)
                                                              : unknown(call, req, contact);
    dt_table_free(&drives);
    call->no_apply = contact->change == CONTACT_NOTHING;
    return rc;
}

static klm_rc add_new(struct km_call *call, struct st_change *change)
{
    klm_rc rc;

    KLM_TRY(dt_add(change, &call->drive));
    rc = dt_pending_delete(change, call->drive.serial);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc; /* usually it did not wait */
}

/* Pin or add on the newest state: another session, or an operator, may have been first since prepare looked. */
static klm_rc admit(struct km_call *call, struct st_change *change, struct contact *contact)
{
    const struct km_contact *req = call->req;
    struct dt_drive drive;
    klm_rc rc = dt_get(st_change_view(change), req->serial, &drive);

    if (rc == KLM_E_NOTFOUND && contact->change == CONTACT_ADD) {
        return add_new(call, change);
    }
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEF01, KLM_MSG_DRIVE_UNKNOWN, req->serial);
    }
    KLM_TRY(rc);
    KLM_TRY(check_known(call, req, contact, &drive));
    contact->change = CONTACT_PIN;
    if (learns(&drive)) {
        memcpy(drive.fingerprint, contact->fingerprint, sizeof drive.fingerprint);
        KLM_TRY(dt_wwn(req->wwn, drive.wwn, &call->diag));
        drive.first_contact = drive.first_contact ? drive.first_contact : klm_clock();
        KLM_TRY(dt_modify(change, &drive));
    }
    call->drive = drive;
    return KLM_OK;
}

klm_rc km_drive_contact_apply(struct km_call *call, struct st_change *change)
{
    struct contact *contact = call->work;
    unsigned max = (unsigned)parm_num(call->state->config, PARM_drive_pending_max);
    klm_rc rc;

    switch (contact->change) {
    case CONTACT_PIN:
    case CONTACT_ADD:
        return admit(call, change, contact);
    case CONTACT_PENDING:
        rc = dt_pending_put(change, &contact->pending, max);
        if (rc == KLM_E_LIMIT) {
            return KM_REFUSE(call, rc, 0xEF01, KLM_MSG_PENDING_FULL, contact->pending.serial,
                             KLM_NUM(max));
        }
        return rc;
    case CONTACT_NOTHING:
        break;
    }
    return KLM_OK;
}

void km_drive_contact_publish(struct km_call *call)
{
    const struct contact *contact = call->work;

    switch (contact->change) {
    case CONTACT_ADD:
        klm_say(KLM_MSG_DRIVE_ACCEPTED, call->drive.serial, call->actor.address);
        km_drive_publish(call);
        break;
    case CONTACT_PIN:
        km_drive_publish(call);
        break;
    case CONTACT_NOTHING:
    case CONTACT_PENDING:
        break;
    }
    if (call->device_code == 0) {
        dt_contacts_note(call->server->contacts, call->drive.serial, call->event.time, NULL);
    }
}

/* Shared by all verbs that add or change the one drive at hand. */
void km_drive_publish(struct km_call *call)
{
    struct dt_table *table, *old;

    old = km_drives(call->server);
    if (dt_table_with(old, &call->drive, &table) == KLM_OK) {
        km_drives_swap(call->server, table);
    } else {
        klm_say(KLM_MSG_NO_MEMORY, "the drive table");
    }
    dt_table_free(&old);
    km_views_drives(call->server);
}

void km_drive_publish_delete(struct km_call *call)
{
    struct dt_table *table, *old = km_drives(call->server);

    if (dt_table_without(old, call->drive.serial, &table) == KLM_OK) {
        km_drives_swap(call->server, table);
    } else {
        klm_say(KLM_MSG_NO_MEMORY, "the drive table");
    }
    dt_table_free(&old);
    km_views_drives(call->server);
}

void km_drive_publish_all(struct km_call *call)
{
    struct dt_table *table;
    struct st_view *view;

    if (st_view_open(km_store(call->server), &view) != KLM_OK) {
        klm_say(KLM_MSG_NO_MEMORY, "the drive table");
        return;
    }
    if (dt_table_load(view, &call->diag, &table) == KLM_OK) {
        km_drives_swap(call->server, table);
    } else {
        klm_say_diag(&call->diag);
    }
    st_view_close(&view);
    km_views_drives(call->server);
}
