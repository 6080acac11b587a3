/* Every verb leaves exactly one event, whatever becomes of it: a row for each verb says how it succeeds and how it fails. A verb without a row fails this
 * test, so that none can be forgotten. */
#include "keymgr/object_help.h"
#include "keymgr/steps.h"
#include "smf/served.h"

#include <signal.h>
#include <sys/resource.h>

#define OTHER "000000000002"
#define WAITS "000000000003"
#define WWN3 "5005076302400003"

static struct house house;
static struct drive drive, stranger;
static struct klm_slice table, eedk[2], cert, token, other;
static uint8_t room[16][8192], other_room[8192];
static bool bare; /* rows do nothing but their own call, on what is there */

/* What an answer gave, kept after its call. */
static struct klm_slice keep(struct klm_slice bytes)
{
    static unsigned turn;
    uint8_t *to = room[turn++ % KLM_COUNT(room)];

    REQUIRE(bytes.n <= sizeof room[0]);
    memcpy(to, bytes.p, bytes.n);
    return KLM_SLICE(to, bytes.n);
}

#define RUN(verb, ...) run_call(&house, (verb), &admin, __VA_ARGS__, NULL)

/* A file verb: its bytes. */
static struct km_call *file(enum km_verb_id verb, struct klm_slice bytes)
{
    struct km_call *call = new_call(&house, verb, &admin);

    ((struct km_file_req *)call->req)->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* ---- Drive sessions */
static const struct km_actor as_drive = {
    .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = SERIAL, .address = "192.0.2.7:40022"};

#define ARRAY "DS8000ABC001"
static const struct km_actor as_array = {
    .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = ARRAY, .address = "192.0.2.9:40022"};

static struct km_call *contact_ok(void)
{
    return contact(&house, &drive);
}

static struct km_call *contact_bad(void)
{
    struct drive without = drive;

    without.n = 0;
    return contact(&house, &without);
}

static struct km_call *verify(const char *serial)
{
    struct km_call *call = new_call(&house, KM_DRIVE_VERIFY, &as_drive);

    ((struct km_verify *)call->req)->serial = serial;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *verify_ok(void)
{
    return verify(SERIAL);
}

static struct km_call *verify_bad(void)
{
    return verify("0000000000ZZ");
}

static struct km_call *create_ok(void)
{
    struct km_call *call = create_key(&house, SERIAL, "COVER1", "L1", "L2", KX_ENC_LABEL);

    for (size_t i = 0; i < 2 && call->rc == KLM_OK; i++) {
        eedk[i] = keep(call->keyed.eedk[i]);
    }
    return call;
}

static struct km_call *create_bad(void)
{
    return create_key(&house, SERIAL, "COVER1", "no such label", NULL, KX_ENC_LABEL);
}

static struct km_call *get_ok(void)
{
    return get_key(&house, SERIAL, "COVER1", eedk, 2);
}

static struct km_call *get_bad(void)
{
    const struct klm_slice cut = KLM_SLICE(eedk[0].p, eedk[0].n - 1);

    return get_key(&house, SERIAL, "COVER1", &cut, 1);
}

static struct km_call *translate(size_t n)
{
    struct km_call *call = new_call(&house, KM_KEY_TRANSLATE, &as_drive);
    struct km_key_translate *req = call->req;

    req->serial = SERIAL;
    req->volser = "COVER1";
    req->eedk_n = 1;
    req->eedk[0] = KLM_SLICE(eedk[0].p, n);
    req->labels_n = 1;
    req->labels[0].encoding = KX_ENC_LABEL;
    memcpy(req->labels[0].label, "L2", 3);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *translate_ok(void)
{
    return translate(eedk[0].n);
}

static struct km_call *translate_bad(void)
{
    return translate(eedk[0].n - 1);
}

/* ---- Disk systems: the same bodies with rows of their own. Another kind of device fails. */
static struct km_call *disk(enum km_verb_id verb, const char *serial)
{
    struct km_call *call = new_call(&house, verb, &as_array);

    if (verb == KM_DISK_CREATE) {
        *(struct km_key_create *)call->req = (struct km_key_create){
            .serial = serial, .volser = "EG0001", .session_key = session_key};
    } else if (verb == KM_DISK_UNLOCK) {
        *(struct km_key_get *)call->req = (struct km_key_get){.serial = serial,
                                                              .volser = "EG0001",
                                                              .eedk = {eedk[0]},
                                                              .eedk_n = 1,
                                                              .session_key = session_key};
    } else {
        *(struct km_key_translate *)call->req = (struct km_key_translate){
            .serial = serial, .volser = "EG0001", .eedk = {eedk[0]}, .eedk_n = 1};
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *disk_create_ok(void)
{
    return disk(KM_DISK_CREATE, ARRAY);
}

static struct km_call *disk_create_bad(void)
{
    return disk(KM_DISK_CREATE, SERIAL);
}

static struct km_call *disk_unlock_ok(void)
{
    return disk(KM_DISK_UNLOCK, ARRAY);
}

static struct km_call *disk_unlock_bad(void)
{
    return disk(KM_DISK_UNLOCK, SERIAL);
}

static struct km_call *disk_rewrap_ok(void)
{
    return disk(KM_DISK_REWRAP, ARRAY);
}

static struct km_call *disk_rewrap_bad(void)
{
    return disk(KM_DISK_REWRAP, SERIAL);
}

/* ---- Drives */
static struct km_call *add_ok(void)
{
    return RUN(KM_DRIVE_ADD, "drivename", OTHER, "rec1", "L1");
}

static struct km_call *modify_ok(void)
{
    return RUN(KM_DRIVE_MODIFY, "drivename", OTHER, "rec1", "L2");
}

static struct km_call *modify_bad(void)
{
    return RUN(KM_DRIVE_MODIFY, "drivename", WAITS);
}

static struct km_call *list_ok(void)
{
    return RUN(KM_DRIVE_LIST, "drivename", bare ? SERIAL : OTHER);
}

static struct km_call *list_bad(void)
{
    return RUN(KM_DRIVE_LIST, "drivename", WAITS);
}

static struct km_call *delete_ok(void)
{
    return RUN(KM_DRIVE_DELETE, "drivename", OTHER);
}

static struct km_call *delete_bad(void)
{
    return RUN(KM_DRIVE_DELETE, "drivename", WAITS);
}

static struct km_call *export_ok(void)
{
    struct km_call *call = RUN(KM_DRIVE_EXPORT, NULL);

    table = call->rc == KLM_OK ? keep(call->bytes) : table;
    return call;
}

static struct km_call *import_ok(void)
{
    return file(KM_DRIVE_IMPORT, table);
}

static struct km_call *import_bad(void)
{
    return file(KM_DRIVE_IMPORT, KLM_SLICE("not a table", 11));
}

/* A drive that waits for acceptance. */
static void wait_outside(void)
{
    if (bare) {
        return;
    }
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.acceptUnknownDrives", "value", "pending");
    CONTACT(&house, &stranger, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.acceptUnknownDrives", "value", "false");
}

static struct km_call *pending_list_ok(void)
{
    return RUN(KM_PENDING_LIST, NULL);
}

static struct km_call *accept_ok(void)
{
    wait_outside();
    return RUN(KM_PENDING_ACCEPT, "drivename", WAITS);
}

static struct km_call *accept_bad(void)
{
    return RUN(KM_PENDING_ACCEPT, "drivename", OTHER);
}

static struct km_call *reject_ok(void)
{
    if (!bare) {
        DO(&house, KM_DRIVE_DELETE, &admin, "drivename", WAITS);
    }
    wait_outside();
    return RUN(KM_PENDING_REJECT, "drivename", WAITS);
}

static struct km_call *reject_bad(void)
{
    return RUN(KM_PENDING_REJECT, "drivename", OTHER);
}

/* ---- Configuration */
static struct km_call *config_list_ok(void)
{
    return RUN(KM_CONFIG_LIST, "property", "debug");
}

static struct km_call *config_list_bad(void)
{
    return RUN(KM_CONFIG_LIST, "property", "no.such");
}

static struct km_call *config_set_ok(void)
{
    return RUN(KM_CONFIG_SET, "property", "drive.default.alias1", "value", "L1");
}

static struct km_call *config_set_bad(void)
{
    return RUN(KM_CONFIG_SET, "property", "drive.acceptUnknownDrives", "value", "perhaps");
}

static struct km_call *config_export_ok(void)
{
    return RUN(KM_CONFIG_EXPORT, NULL);
}

/* One property differs. */
static struct km_call *config_import_ok(void)
{
    struct klm_buf text;
    struct km_call *call;

    klm_buf_init(&text, 65536);
    REQUIRE_OK(klm_file_read(house.config, 65536, &text, NULL));
    klm_buf_text(&text, "\ndrive.default.alias2=L2\n");
    call = file(KM_CONFIG_IMPORT, klm_buf_as_slice(&text));
    klm_buf_done(&text);
    return call;
}

static struct km_call *config_import_bad(void)
{
    return file(KM_CONFIG_IMPORT, klm_slice_str("debug=perhaps\n"));
}

static struct km_call *migrate(const char *listing)
{
    struct km_call *call = new_call(&house, KM_MIGRATE, &admin);

    ((struct km_migrate_req *)call->req)->drives = klm_slice_str(listing);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *migrate_ok(void)
{
    return migrate("Serial = FVTDRIVE0077\n");
}

static struct km_call *migrate_bad(void)
{
    return migrate("Alias1 = of no drive\n");
}

static struct km_call *refresh_ok(void)
{
    return RUN(KM_CONFIG_REFRESH, NULL);
}

static struct km_call *refresh_bad(void)
{
    struct km_call *call;
    char good[16384];

    snprintf(good, sizeof good, "%s", text_of(house.config));
    write_file(house.config, "debug=perhaps\n");
    call = RUN(KM_CONFIG_REFRESH, NULL);
    write_file(house.config, good);
    return call;
}

static struct km_call *keystore_refresh_ok(void)
{
    return RUN(KM_KEYSTORE_REFRESH, NULL);
}

static struct km_call *keystore_list_ok(void)
{
    return RUN(KM_KEYSTORE_LIST, "alias", "L1");
}

static struct km_call *keystore_list_bad(void)
{
    return RUN(KM_KEYSTORE_LIST, "alias", "None");
}

static struct km_call *usage_ok(void)
{
    return RUN(KM_USAGE_QUERY, "volser", "COVER1");
}

static struct km_call *usage_bad(void)
{
    return RUN(KM_USAGE_QUERY, NULL);
}

static struct km_call *status_ok(void)
{
    return RUN(KM_STATUS, NULL);
}

static struct km_call *version_ok(void)
{
    return RUN(KM_VERSION_SHOW, NULL);
}

static struct km_call *serve_start_ok(void)
{
    return RUN(KM_SERVE_START, NULL);
}

static struct km_call *serve_stop_ok(void)
{
    return RUN(KM_SERVE_STOP, NULL);
}

static struct km_call *task_stop_ok(void)
{
    return RUN(KM_TASK_STOP, NULL);
}

/* Backups are made by a folder above; here it is there or not. */
static klm_rc backup_here(void *arg, struct km_call *call)
{
    (void)arg, (void)call;
    return KLM_OK;
}

static struct km_call *backup_verb(enum km_verb_id verb, bool here)
{
    static const struct km_backup_ops ops = {backup_here, backup_here, backup_here, backup_here,
                                             backup_here};
    struct km_call *call;

    km_on_backup(house.server, here ? &ops : NULL, NULL);
    call = verb == KM_BACKUP_CHECK || verb == KM_RESTORE_REQUEST || verb == KM_RESTORE_CONFIRM
               ? RUN(verb, "file", "one")
               : RUN(verb, NULL);
    km_on_backup(house.server, NULL, NULL);
    return call;
}

static struct km_call *backup_run_ok(void)
{
    return backup_verb(KM_BACKUP_RUN, true);
}

static struct km_call *backup_run_bad(void)
{
    return backup_verb(KM_BACKUP_RUN, false);
}

static struct km_call *backup_check_ok(void)
{
    return backup_verb(KM_BACKUP_CHECK, true);
}

static struct km_call *backup_check_bad(void)
{
    return backup_verb(KM_BACKUP_CHECK, false);
}

static struct km_call *restore_request_ok(void)
{
    return backup_verb(KM_RESTORE_REQUEST, true);
}

static struct km_call *restore_request_bad(void)
{
    return backup_verb(KM_RESTORE_REQUEST, false);
}

static struct km_call *restore_confirm_ok(void)
{
    return backup_verb(KM_RESTORE_CONFIRM, true);
}

static struct km_call *restore_confirm_bad(void)
{
    return backup_verb(KM_RESTORE_CONFIRM, false);
}

static struct km_call *backup_cancel_ok(void)
{
    return backup_verb(KM_BACKUP_CANCEL, true);
}

static struct km_call *backup_cancel_bad(void)
{
    return backup_verb(KM_BACKUP_CANCEL, false);
}

static struct km_call *backup_progress_ok(void)
{
    return backup_verb(KM_BACKUP_PROGRESS, true);
}

static struct km_call *backup_progress_bad(void)
{
    return backup_verb(KM_BACKUP_PROGRESS, false);
}

static struct km_call *backup_list_ok(void)
{
    return backup_verb(KM_BACKUP_LIST, true);
}

static struct km_call *backup_list_bad(void)
{
    return backup_verb(KM_BACKUP_LIST, false);
}

static struct km_call *backup_done(const char *file)
{
    static const struct km_actor task = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "backup"};
    struct km_call *call = new_call(&house, KM_BACKUP_DONE, &task);

    ((struct km_backup_done *)call->req)->file = file;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *backup_done_ok(void)
{
    return backup_done("one");
}

static struct km_call *backup_done_bad(void)
{
    return backup_done(NULL);
}

static struct km_call *smf_list_ok(void)
{
    return RUN(KM_SMF_LIST, NULL);
}

static struct km_call *smf_switch_ok(void)
{
    return RUN(KM_SMF_SWITCH, NULL);
}

/* ---- Rings and certificates */
static struct km_call *ring_add_ok(void)
{
    return RUN(KM_RING_ADD, "owner", OWNER, "ring", "Cover");
}

static struct km_call *ring_list_ok(void)
{
    return RUN(KM_RING_LIST, "owner", OWNER, "ring", bare ? RING : "Cover");
}

static struct km_call *ring_list_bad(void)
{
    return RUN(KM_RING_LIST, "owner", OWNER, "ring", "None");
}

static struct km_call *ring_delete_ok(void)
{
    return RUN(KM_RING_DELETE, "owner", OWNER, "ring", "Cover");
}

static struct km_call *ring_delete_bad(void)
{
    return RUN(KM_RING_DELETE, "owner", OWNER, "ring", "None");
}

static struct km_call *connect_ok(void)
{
    return RUN(KM_RING_CONNECT, "owner", OWNER, "ring", RING, "cert_owner", OWNER, "label", "C1");
}

static struct km_call *connect_bad(void)
{
    return RUN(KM_RING_CONNECT, "owner", OWNER, "ring", "None", "cert_owner", OWNER, "label", "C1");
}

static struct km_call *remove_ok(void)
{
    return RUN(KM_RING_REMOVE, "owner", OWNER, "ring", RING, "cert_owner", OWNER, "label", "C1");
}

static struct km_call *generate_ok(void)
{
    return RUN(KM_CERT_GENERATE, "owner", OWNER, "label", "C1", "subject", "CN=C1", "type",
               "NISTECC", "size", "256", "token_label", "C1TOKEN");
}

static struct km_call *cert_export(const char *label)
{
    return RUN(KM_CERT_EXPORT, "owner", OWNER, "label", label);
}

static struct km_call *cert_export_ok(void)
{
    struct km_call *call = cert_export("C1");

    cert = call->rc == KLM_OK ? keep(call->bytes) : cert;
    return call;
}

static struct km_call *cert_export_bad(void)
{
    return cert_export("None");
}

static struct km_call *cert_add(struct klm_slice bytes)
{
    struct km_call *call = new_call(&house, KM_CERT_ADD, &admin);
    struct km_cert_req *req = call->req;

    req->owner = "SITE";
    req->label = "Added";
    req->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *cert_add_ok(void)
{
    return cert_add(cert);
}

static struct km_call *cert_add_bad(void)
{
    return cert_add(KLM_SLICE("no certificate", 14));
}

static struct km_call *cert_list_ok(void)
{
    return RUN(KM_CERT_LIST, "owner", OWNER, "label", "C1");
}

static struct km_call *cert_list_bad(void)
{
    return RUN(KM_CERT_LIST, "owner", OWNER, "label", "None");
}

static struct km_call *cert_delete_ok(void)
{
    return RUN(KM_CERT_DELETE, "owner", "SITE", "label", "Added");
}

static struct km_call *token_write_ok(void)
{
    struct km_call *call = RUN(KM_TOKEN_WRITE, "label", "C1TOKEN");

    token = call->rc == KLM_OK ? keep(call->bytes) : token;
    return call;
}

static struct km_call *token_write_bad(void)
{
    return RUN(KM_TOKEN_WRITE, "label", "NONE");
}

static struct km_call *token_read(bool overwrite)
{
    struct km_call *call = new_call(&house, KM_TOKEN_READ, &admin);
    struct km_token_req *req = call->req;

    req->label = "C1TOKEN";
    req->bytes = token;
    req->overwrite = overwrite;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *token_read_ok(void)
{
    return token_read(true);
}

static struct km_call *token_read_bad(void)
{
    return token_read(false);
}

/* ---- Partners */

static const struct km_actor other_server = {
    .kind = KM_ACTOR_PARTNER, .roles = KM_ROLE_PARTNER, .name = "OTHER", .address = "192.0.2.1:1"};

/* A certificate with the role, connected to the ring of partners: the server's own stands for another's here. */
static struct klm_slice partner_cert(void)
{
    static struct klm_slice made;

    if (made.n == 0) {
        struct km_call *call;

        DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "P1", "subject", "CN=P1",
           "type", "NISTECC", "size", "256", "role", "PARTNER", "token_label", "P1TOKEN",
           "sign_owner", "CERTAUTH", "sign_label", CA_LABEL);
        DO(&house, KM_RING_CONNECT, &admin, "owner", OWNER, "ring", RING, "cert_owner", OWNER,
           "label", "P1", "usage", "PERSONAL");
        DO(&house, KM_CONFIG_SET, &admin, "property", "Admin.ssl.keystore.name", "value",
           "safkeyring://" OWNER "/" RING);
        call = RUN(KM_CERT_EXPORT, "owner", OWNER, "label", "P1", "format", "CERTDER");
        made = keep(call->bytes);
        km_call_free(&call);
    }
    return made;
}

static struct km_call *meet(struct klm_slice der, int64_t version)
{
    struct km_call *call = new_call(&house, KM_PARTNER_CONTACT, &nobody);
    struct km_partner_contact *req = call->req;

    *req = (struct km_partner_contact){der, version, version, "OTHER", "none"};
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *meet_ok(void)
{
    return meet(partner_cert(), KM_PARTNER_VERSION);
}

static struct km_call *meet_bad(void)
{
    return meet(partner_cert(), KM_PARTNER_VERSION + 1);
}

static klm_rc sync_anywhere(void *arg, struct km_call *call)
{
    const struct km_sync_req *req = call->req;

    (void)arg;
    return req->all ? KLM_OK : klm_fail(&call->diag, KLM_E_USAGE, KLM_MSG_SYNC_WHAT);
}

static struct km_call *sync_ok(void)
{
    km_on_partner(house.server, &(struct km_partner_ops){.sync = sync_anywhere}, NULL);
    return RUN(KM_SYNC, "ipaddr", "192.0.2.1:1", "all", "");
}

static struct km_call *sync_bad(void)
{
    return RUN(KM_SYNC, "ipaddr", "192.0.2.1:1");
}

static klm_rc drill_nowhere(void *arg, struct km_call *call)
{
    (void)arg, (void)call;
    return KLM_OK;
}

static struct km_call *drill_ok(void)
{
    km_on_partner(house.server, &(struct km_partner_ops){.drill = drill_nowhere}, NULL);
    return RUN(KM_DRILL, "partner", "192.0.2.1:1");
}

static struct km_call *prove(bool first)
{
    static const uint8_t zeros[32];
    const struct km_challenge item = {.kind = KM_PROVE_MASTER, .name = "master"};
    struct km_call *call = new_call(&house, KM_DRILL_PROVE, &other_server);
    struct km_prove *req = call->req;

    *req = (struct km_prove){&item, 1, KLM_SLICE(zeros, 32), KLM_SLICE(zeros, 32), first};
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *prove_ok(void)
{
    return prove(true);
}

/* After a second one, more than this hour allows. */
static struct km_call *prove_bad(void)
{
    struct km_call *call;

    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.drills.per.hour", "value", "1");
    call = prove(true);
    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.drills.per.hour", "unset", "");
    return call;
}

static struct km_call *give_ok(void)
{
    return RUN(KM_SYNC_CONFIG_GIVE, NULL);
}

static struct km_call *take(enum km_verb_id verb, struct klm_slice bytes)
{
    struct km_call *call = new_call(&house, verb, &other_server);

    ((struct km_file_req *)call->req)->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct klm_slice usage_page;

static struct km_call *usage_give_ok(void)
{
    struct km_call *call = RUN(KM_SYNC_USAGE_GIVE, "partner", "OTHER");

    usage_page = call->rc == KLM_OK ? keep(call->bytes) : usage_page;
    return call;
}

static struct km_call *usage_check_ok(void)
{
    return take(KM_SYNC_USAGE_CHECK, usage_page);
}

static struct km_call *usage_check_bad(void)
{
    return take(KM_SYNC_USAGE_CHECK, KLM_SLICE(usage_page.p, usage_page.n - 1));
}

static struct km_call *usage_take_ok(void)
{
    return take(KM_SYNC_USAGE_TAKE, usage_page);
}

static struct km_call *usage_take_bad(void)
{
    return take(KM_SYNC_USAGE_TAKE, KLM_SLICE(usage_page.p, usage_page.n - 1));
}

static struct km_call *usage_sent_ok(void)
{
    return RUN(KM_SYNC_USAGE_SENT, "partner", "OTHER");
}

static struct km_call *config_check_ok(void)
{
    return take(KM_SYNC_CONFIG_CHECK, klm_slice_str("drive.pending.max=5\n"));
}

static struct km_call *config_check_bad(void)
{
    return take(KM_SYNC_CONFIG_CHECK, klm_slice_str("drive.pending.max=many\n"));
}

static struct km_call *config_take_ok(void)
{
    return take(KM_SYNC_CONFIG_TAKE, klm_slice_str("drive.acceptUnknownDrives=false\n"));
}

static struct km_call *config_take_bad(void)
{
    return take(KM_SYNC_CONFIG_TAKE, klm_slice_str("drive.pending.max=many\n"));
}

static struct km_call *drives_check_ok(void)
{
    return take(KM_SYNC_DRIVES_CHECK, table);
}

static struct km_call *drives_check_bad(void)
{
    return take(KM_SYNC_DRIVES_CHECK, klm_slice_str("no table"));
}

static struct km_call *drives_take_ok(void)
{
    return take(KM_SYNC_DRIVES_TAKE, table);
}

static struct km_call *drives_take_bad(void)
{
    return take(KM_SYNC_DRIVES_TAKE, klm_slice_str("no table"));
}

static struct klm_slice keyset;

static struct km_call *keyset_write_ok(void)
{
    struct km_call *call = RUN(KM_KEYSET_WRITE, NULL);

    keyset = call->rc == KLM_OK ? keep(call->bytes) : keyset;
    return call;
}

static struct km_call *keyset_read(struct klm_slice bytes)
{
    struct km_call *call = new_call(&house, KM_KEYSET_READ, &admin);

    ((struct km_keyset_req *)call->req)->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *keyset_read_ok(void)
{
    return keyset_read(keyset);
}

static struct km_call *keyset_read_bad(void)
{
    return keyset_read(klm_slice_str("no set"));
}

static struct km_call *groups_write_ok(void)
{
    return RUN(KM_GROUPS_WRITE, NULL);
}

static struct km_call *groups_read(const char *text)
{
    struct km_call *call = new_call(&house, KM_GROUPS_READ, &admin);

    ((struct km_file_req *)call->req)->bytes = klm_slice_str(text);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *groups_read_ok(void)
{
    return groups_read("<keyGroups format=\"1\"/>");
}

static struct km_call *groups_read_bad(void)
{
    return groups_read("<keyGroups format=\"2\"/>");
}

static const char clients_bytes[] = "\x01\0\0\0\1\6SYNCED\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

static struct km_call *clients_give_ok(void)
{
    return RUN(KM_SYNC_CLIENTS_GIVE, NULL);
}

static struct km_call *clients_check_ok(void)
{
    return take(KM_SYNC_CLIENTS_CHECK, KLM_SLICE(clients_bytes, sizeof clients_bytes - 1));
}

static struct km_call *clients_check_bad(void)
{
    return take(KM_SYNC_CLIENTS_CHECK, KLM_SLICE(clients_bytes, sizeof clients_bytes - 2));
}

static struct km_call *clients_take_ok(void)
{
    return take(KM_SYNC_CLIENTS_TAKE, KLM_SLICE(clients_bytes, sizeof clients_bytes - 1));
}

static struct km_call *clients_take_bad(void)
{
    return take(KM_SYNC_CLIENTS_TAKE, klm_slice_str("\2"));
}

static struct km_call *groups_give_ok(void)
{
    return RUN(KM_SYNC_GROUPS_GIVE, NULL);
}

static struct km_call *groups_check_ok(void)
{
    return take(KM_SYNC_GROUPS_CHECK, klm_slice_str("<keyGroups format=\"1\"/>"));
}

static struct km_call *groups_check_bad(void)
{
    return take(KM_SYNC_GROUPS_CHECK, klm_slice_str("<keyGroups format=\"2\"/>"));
}

static struct km_call *groups_take_ok(void)
{
    return take(KM_SYNC_GROUPS_TAKE, klm_slice_str("<keyGroups format=\"1\"/>"));
}

static struct km_call *groups_take_bad(void)
{
    return take(KM_SYNC_GROUPS_TAKE, klm_slice_str("<keyGroups format=\"2\"/>"));
}

/* ---- Profiles */
static struct km_call *define_ok(void)
{
    return RUN(KM_PROFILE_DEFINE, "class", "CSFKEYS", "profile", "COVER.*", "uacc", "READ");
}

static struct km_call *define_bad(void)
{
    return RUN(KM_PROFILE_DEFINE, "class", "DATASET", "profile", "COVER.*");
}

static struct km_call *alter(const char *uacc)
{
    return RUN(KM_PROFILE_ALTER, "class", "CSFKEYS", "profile", "COVER.*", "uacc", uacc);
}

static struct km_call *alter_ok(void)
{
    return alter("NONE");
}

static struct km_call *alter_bad(void)
{
    return alter("MUCH");
}

static struct km_call *permit(const char *id)
{
    return RUN(KM_PROFILE_PERMIT, "class", "CSFKEYS", "profile", "COVER.*", "ids", id);
}

static struct km_call *permit_ok(void)
{
    return permit("JOE");
}

static struct km_call *permit_bad(void)
{
    return permit("a/b");
}

static struct km_call *profile_list(const char *name)
{
    return RUN(KM_PROFILE_LIST, "class", "CSFKEYS", "profile", name);
}

static struct km_call *profile_list_ok(void)
{
    return profile_list(bare ? "*" : "COVER.ONE"); /* a resource that COVER.* protects */
}

static struct km_call *profile_list_bad(void)
{
    return profile_list("NONE.ONE");
}

static struct km_call *profile_delete_ok(void)
{
    return RUN(KM_PROFILE_DELETE, "class", "CSFKEYS", "profile", "COVER.*");
}

static struct km_call *class_set_ok(void)
{
    return RUN(KM_CLASS_SET, "noclassact", "CSFKEYS RDATALIB");
}

static struct km_call *class_set_bad(void)
{
    return RUN(KM_CLASS_SET, "classact", "CSFKEYS", "noclassact", "CSFKEYS");
}

static struct km_call *class_list_ok(void)
{
    return RUN(KM_CLASS_LIST, NULL);
}

/* ---- Stored keys */
#define LTO "000000000004"

static struct km_call *on_group(enum km_verb_id verb)
{
    return RUN(verb, "groupID", "COVER");
}

static struct km_call *stored(enum km_verb_id verb, const char *key_id)
{
    const struct km_actor lto = {
        .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = LTO, .address = "192.0.2.7:40022"};
    struct km_call *call = new_call(&house, verb, &lto);
    struct km_stored *req = call->req;

    req->serial = LTO;
    req->volser = "COVER2";
    req->session_key = session_key;
    memcpy(req->key_id, key_id, sizeof req->key_id);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *groups_init_ok(void)
{
    return RUN(KM_GROUPS_INIT, "password", "accepted");
}

static struct km_call *group_add_ok(void)
{
    return on_group(KM_GROUP_ADD);
}

static struct km_call *keys_create_ok(void)
{
    return RUN(KM_KEYS_CREATE, "range", "COVER1");
}

static struct km_call *alias_add_ok(void)
{
    return RUN(KM_GROUP_ALIAS_ADD, "groupID", "COVER", "alias", "COVER1");
}

static struct km_call *group_modify_ok(void)
{
    return RUN(KM_GROUP_MODIFY, "groupID", "COVER", "nowrap", "true");
}

static struct km_call *group_modify_bad(void)
{
    return on_group(KM_GROUP_MODIFY);
}

static struct km_call *group_list_ok(void)
{
    return on_group(KM_GROUP_LIST);
}

static struct km_call *group_list_bad(void)
{
    return RUN(KM_GROUP_LIST, "groupID", "none");
}

static struct km_call *alias_copy(const char *to)
{
    return RUN(KM_GROUP_ALIAS_COPY, "aliasID", "COVER1", "sourceGroupID", "COVER", "targetGroupID",
               to);
}

static struct km_call *alias_copy_ok(void)
{
    if (!bare) {
        DO(&house, KM_GROUP_ADD, &admin, "groupID", "COVER3");
    }
    return alias_copy("COVER3");
}

static struct km_call *alias_copy_bad(void)
{
    return alias_copy("none");
}

static struct km_call *stored_create_ok(void)
{
    if (!bare) {
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", LTO, "kind", "LTO", "symrec", "COVER");
    }
    return stored(KM_STORED_CREATE, "COVER1      ");
}

static struct km_call *stored_create_bad(void)
{
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "NOKEY");
    return stored(KM_STORED_CREATE, "COVER1      ");
}

static struct km_call *stored_get_ok(void)
{
    return stored(KM_STORED_GET, "COVER1      ");
}

static struct km_call *stored_get_bad(void)
{
    return stored(KM_STORED_GET, "NONE        ");
}

static struct km_call *alias_delete_ok(void)
{
    return RUN(KM_GROUP_ALIAS_DELETE, "groupID", "COVER", "alias", "COVER1");
}

static struct km_call *group_delete_ok(void)
{
    return RUN(KM_GROUP_DELETE, "groupID", "COVER3");
}

static struct km_call *keys_delete_ok(void)
{
    if (!bare) {
        DO(&house, KM_KEYS_CREATE, &admin, "range", "COVER9");
    }
    return RUN(KM_KEYS_DELETE, "alias", "COVER9");
}

static struct km_call *keys_delete_bad(void)
{
    return RUN(KM_KEYS_DELETE, "alias", "COVER1");
}

/* ---- Clients of KMIP */
static struct km_call *with_cert(enum km_verb_id verb, struct klm_slice der)
{
    struct km_call *call = new_call(&house, verb, &admin);

    if (verb == KM_CLIENT_CONTACT) {
        ((struct km_client_contact *)call->req)->cert = der;
    } else {
        struct km_client_req *req = call->req;

        req->name = "Cover";
        req->group = "COVER";
        req->cert = der;
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *device_group_add_ok(void)
{
    return RUN(KM_DEVICE_GROUP_ADD, "name", "COVER");
}

static struct km_call *device_group_modify_ok(void)
{
    return RUN(KM_DEVICE_GROUP_MODIFY, "name", "COVER", "attributes", "{enableKMIPDelete true}");
}

static struct km_call *device_group_modify_bad(void)
{
    return RUN(KM_DEVICE_GROUP_MODIFY, "name", "COVER", "attributes", "{enableKMIPDelete maybe}");
}

static struct km_call *device_group_list_ok(void)
{
    return RUN(KM_DEVICE_GROUP_LIST, "name", "COVER");
}

static struct km_call *device_group_list_bad(void)
{
    return RUN(KM_DEVICE_GROUP_LIST, "name", "NOGROUP");
}

static struct km_call *device_group_delete_ok(void)
{
    if (!bare) {
        DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "COVER2");
    }
    return RUN(KM_DEVICE_GROUP_DELETE, "name", "COVER2");
}

static struct km_call *device_group_delete_bad(void)
{
    return RUN(KM_DEVICE_GROUP_DELETE, "name", "COVER"); /* it has a client by then */
}

static struct km_call *client_add_ok(void)
{
    return with_cert(KM_CLIENT_ADD, KLM_SLICE(drive.der, drive.n));
}

static struct km_call *client_list_ok(void)
{
    return RUN(KM_CLIENT_LIST, "name", "Cover");
}

static struct km_call *client_list_bad(void)
{
    return RUN(KM_CLIENT_LIST, "name", "Nobody");
}

static struct km_call *client_modify_ok(void)
{
    return RUN(KM_CLIENT_MODIFY, "name", "Cover", "user", "somebody");
}

static struct km_call *client_modify_bad(void)
{
    return RUN(KM_CLIENT_MODIFY, "name", "Cover", "group", "NOGROUP");
}

/* What is shown counts once: the next one each time. */
static struct km_call *show_once(const char *once)
{
    static struct km_actor as_cover = {.kind = KM_ACTOR_CLIENT,
                                       .roles = KM_ROLE_CLIENT,
                                       .name = "Cover",
                                       .address = "192.0.2.7:40022"};
    struct km_call *call;

    as_cover.fingerprint = drive.fingerprint;
    call = new_call(&house, KM_CLIENT_PROVE, &as_cover);
    ((struct km_client_prove *)call->req)->once = klm_slice_str(once);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *client_prove_ok(void)
{
    static char list[9 * 23 + 1], next[23];
    static int shown;

    if (!bare) {
        struct km_call *call = new_call(&house, KM_CLIENT_MODIFY, &admin);
        struct km_client_req *req = call->req;

        shown = 0;
        for (int i = 0; i < 9; i++) {
            snprintf(list + 23 * i, 24, "one-time-password-000%d\n", i);
        }
        req->name = "Cover";
        req->once = klm_slice_str(list);
        REQUIRE_OK(km_run_wait(call));
        km_call_free(&call);
    }
    snprintf(next, sizeof next, "one-time-password-000%d", shown++);
    return show_once(next);
}

static struct km_call *client_prove_bad(void)
{
    return show_once("one-time-password-000x");
}

static struct km_call *client_contact_ok(void)
{
    return with_cert(KM_CLIENT_CONTACT, KLM_SLICE(drive.der, drive.n));
}

static struct km_call *client_contact_bad(void)
{
    return with_cert(KM_CLIENT_CONTACT, klm_slice_str("no certificate"));
}

static struct km_call *client_pending_ok(void)
{
    return RUN(KM_CLIENT_PENDING_LIST, NULL);
}

static struct km_call *client_accept_ok(void)
{
    if (!bare) {
        struct km_call *call = with_cert(KM_CLIENT_CONTACT, KLM_SLICE(stranger.der, stranger.n));

        expect(call, KLM_OK, KLM_MSG_CLIENT_WAITS, __FILE__, __LINE__);
    }
    return RUN(KM_CLIENT_PENDING_ACCEPT, "fingerprint", stranger.fingerprint, "name", "Cover2");
}

static struct km_call *client_accept_bad(void)
{
    return RUN(KM_CLIENT_PENDING_ACCEPT, "fingerprint", stranger.fingerprint, "name", "Cover3");
}

static struct km_call *client_reject_ok(void)
{
    static char fingerprint[65] = "0000000000000000";

    if (!bare) {
        static uint8_t bytes[8192];
        struct km_call *l2 =
            RUN(KM_CERT_EXPORT, "owner", OWNER, "label", "L2", "format", "CERTDER");
        struct klm_slice der = KLM_SLICE(bytes, l2->bytes.n);

        memcpy(bytes, l2->bytes.p, der.n);
        km_call_free(&l2);
        fingerprint_of(der.p, der.n, fingerprint);
        expect(with_cert(KM_CLIENT_CONTACT, der), KLM_OK, KLM_MSG_CLIENT_WAITS, __FILE__, __LINE__);
    }
    return RUN(KM_CLIENT_PENDING_REJECT, "fingerprint", fingerprint);
}

static struct km_call *client_reject_bad(void)
{
    return RUN(KM_CLIENT_PENDING_REJECT, "fingerprint", "0000000000000000");
}

static struct km_call *client_delete_ok(void)
{
    return RUN(KM_CLIENT_DELETE, "name", "Cover2");
}

/* What a kill may leave of a deletion. */
static void close_client(void)
{
    struct dt_client client = {.closed = true};
    struct st_change *change;

    snprintf(client.name, sizeof client.name, "%s", "Purged");
    REQUIRE_OK(dt_group_own_new(client.group));
    change = change_begin(&house);
    REQUIRE_OK(dt_client_change(change, NULL, &client));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static struct km_call *purge(const char *name)
{
    static const struct km_actor task = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "ISKLM"};
    struct km_call *call = new_call(&house, KM_CLIENT_PURGE, &task);

    ((struct km_purge_req *)call->req)->client = name;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *purge_ok(void)
{
    if (!bare) {
        close_client();
    }
    return purge("Purged");
}

static struct km_call *purge_bad(void)
{
    return purge("Cover");
}

/* ---- Certificates renewed; C1 of above, before it is deleted */
static struct km_call *check_file(struct klm_slice bytes)
{
    struct km_call *call = new_call(&house, KM_CERT_CHECK, &admin);

    ((struct km_cert_req *)call->req)->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *check_ok(void)
{
    return check_file(cert);
}

static struct km_call *check_bad(void)
{
    return check_file(KLM_SLICE("nothing", 7));
}

static struct km_call *alter_cert(const char *trust)
{
    return RUN(KM_CERT_ALTER, "owner", OWNER, "label", "C1", "trust", trust);
}

static struct km_call *alter_cert_ok(void)
{
    return alter_cert("HIGHTRUST");
}

static struct km_call *alter_cert_bad(void)
{
    return alter_cert("SOME");
}

static struct km_call *request_of(const char *label)
{
    return RUN(KM_CERT_REQUEST, "owner", OWNER, "label", label);
}

static struct km_call *request_ok(void)
{
    return request_of("C1");
}

static struct km_call *request_bad(void)
{
    return request_of("None");
}

static struct km_call *rekey_ok(void)
{
    return RUN(KM_CERT_REKEY, "owner", OWNER, "label", "C1", "new_label", "C2");
}

static struct km_call *rollover_ok(void)
{
    return RUN(KM_CERT_ROLLOVER, "owner", OWNER, "label", "C2", "new_label", "C1");
}

static struct km_call *rollover_bad(void)
{
    return RUN(KM_CERT_ROLLOVER, "owner", OWNER, "label", "None", "new_label", "C1");
}

/* ---- Change of the master key */
static const struct km_actor officer = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_OFFICER, .name = "OFFICER", .address = "console"};
static const struct km_actor task = {
    .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "ISKLM", .address = ""};
static char next_vp[KR_VP_MAX];

static struct km_call *change(enum km_verb_id verb, const struct km_actor *actor,
                              const char *pattern)
{
    struct km_call *call = new_call(&house, verb, actor);

    ((struct km_master_req *)call->req)->pattern = pattern;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* A new key beside the one in use; none when it is taken away. */
static void next_file(bool there)
{
    struct kr_master *master = NULL;
    char path[600];

    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed.next", house.dir);
    unlink(path);
    if (there) {
        REQUIRE_OK(kr_master_generate(&master));
        REQUIRE_OK(kr_master_save(master, path, NULL));
        REQUIRE_OK(kr_master_confirm_escrow(path, NULL));
        kr_master_vp(master, next_vp);
        kr_master_free(&master);
    }
}

static struct km_call *change_request_ok(void)
{
    if (!bare) {
        next_file(true);
    }
    return change(KM_MASTER_REQUEST, &admin, NULL);
}

static struct km_call *change_request_bad(void)
{
    next_file(false);
    return change(KM_MASTER_REQUEST, &admin, NULL);
}

static struct km_call *confirm_ok(void)
{
    if (!bare) {
        struct km_call *call = change_request_ok();

        CHECK_RC(call->rc, KLM_OK);
        km_call_free(&call);
    }
    return change(KM_MASTER_CONFIRM, &officer, next_vp);
}

static struct km_call *confirm_bad(void)
{
    return change(KM_MASTER_CONFIRM, &officer, "0000000000000000");
}

static struct km_call *rewrap_ok(void)
{
    return change(KM_MASTER_REWRAP, &task, NULL);
}

static struct km_call *rewrap_bad(void)
{
    return change(KM_MASTER_REWRAP, &admin, NULL);
}

/* Afterwards another change is requested, and the file of a token is of the new key, for who comes later. */
static void ready_again(void)
{
    struct km_call *call = rewrap_ok();

    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    call = token_write_ok();
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    call = change_request_ok();
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
}

static struct km_call *finish_ok(void)
{
    struct km_call *call = change(KM_MASTER_FINISH, &task, NULL);

    if (!bare) {
        ready_again();
    }
    return call;
}

static struct km_call *finish_bad(void)
{
    return change(KM_MASTER_FINISH, &admin, NULL);
}

/* ---- Managed objects, of a client of KMIP. Each verb has objects of its own, so that it finds them as it needs them also when nothing may be changed any more. */
#define PAST "ActivationDate=2001-01-01T00:00:00Z "
#define NO_OBJECT "00000000-0000-7000-8000-000000000000"

static char aes[MD_UID_MAX], limited[MD_UID_MAX], moved[MD_UID_MAX], stored_away[MD_UID_MAX],
    base[MD_UID_MAX];
static char pair[2][MD_UID_MAX], certified[MD_UID_MAX];

static void note(char to[MD_UID_MAX], const struct km_call *call)
{
    memcpy(to, ((struct km_object_make *)call->req)->made[0], MD_UID_MAX);
}

static struct km_call *about(enum km_verb_id verb, const char *uid)
{
    return run_it(object_call(&house, verb, &alpha, uid));
}

static struct km_call *object_create_ok(void)
{
    struct km_call *call =
        run_it(make_call(&house, KM_OBJECT_CREATE, NULL, AES256 ANY_MASK PAST NAMED("cover")));

    if (call->rc == KLM_OK) {
        note(aes, call);
    }
    return call;
}

static struct km_call *object_create_bad(void)
{
    return run_it(make_call(&house, KM_OBJECT_CREATE, NULL, ANY_MASK));
}

static struct km_call *object_pair_ok(void)
{
    struct km_call *call = make_call(&house, KM_OBJECT_PAIR, NULL,
                                     "CryptographicAlgorithm=EC CryptographicLength=256 " PAST);
    struct km_object_make *req = call->req;

    attrs_in(&req->private_attrs, "CryptographicUsageMask=Sign");
    attrs_in(&req->public_attrs, "CryptographicUsageMask=Verify");
    if (run_it(call)->rc == KLM_OK) {
        memcpy(pair, req->made, sizeof pair);
    }
    return call;
}

static struct km_call *object_pair_bad(void)
{
    return run_it(make_call(&house, KM_OBJECT_PAIR, NULL, "CryptographicAlgorithm=AES"));
}

static struct km_call *register_it(const char *bytes)
{
    char item[200];

    snprintf(item, sizeof item, "OpaqueObject{OpaqueDataType=0x80000001 %s}", bytes);
    return run_it(register_call(&house, KMIP_ObjectType_OpaqueObject, item, ""));
}

static struct km_call *object_register_ok(void)
{
    return register_it("OpaqueDataValue=0102");
}

static struct km_call *object_register_bad(void)
{
    return register_it("");
}

static struct km_call *object_rekey_ok(void)
{
    return about(KM_OBJECT_REKEY, bare ? moved : new_key(&house, ""));
}

static struct km_call *object_rekey_bad(void)
{
    return about(KM_OBJECT_REKEY, NO_OBJECT);
}

static struct km_call *derived(const char *uid)
{
    struct km_call *call = make_call(&house, KM_OBJECT_DERIVE, uid, AES256 ANY_MASK);
    struct km_object_derive *req = call->req;

    req->base[0] = req->make.uid;
    req->bases = 1;
    req->method = KMIP_DerivationMethod_HMAC;
    req->data = klm_slice_str("data");
    return run_it(call);
}

static struct km_call *object_derive_ok(void)
{
    if (!bare) {
        memcpy(base,
               made(make_call(&house, KM_OBJECT_CREATE, NULL,
                              AES256 "CryptographicUsageMask=DeriveKey " PAST)),
               MD_UID_MAX);
    }
    return derived(base);
}

static struct km_call *object_derive_bad(void)
{
    return derived(NO_OBJECT);
}

static struct km_call *object_rekey_pair_ok(void)
{
    return about(KM_OBJECT_REKEY_PAIR, pair[0]);
}

static struct km_call *object_rekey_pair_bad(void)
{
    return about(KM_OBJECT_REKEY_PAIR, aes);
}

static struct km_call *object_certify_ok(void)
{
    struct km_call *call =
        run_it(make_call(&house, KM_OBJECT_CERTIFY, pair[1], "CertificateSubjectCN='cover'"));

    if (call->rc == KLM_OK) {
        note(certified, call);
    }
    return call;
}

static struct km_call *object_certify_bad(void)
{
    return about(KM_OBJECT_CERTIFY, pair[0]);
}

static struct km_call *object_recertify_ok(void)
{
    return about(KM_OBJECT_RECERTIFY, certified);
}

static struct km_call *object_recertify_bad(void)
{
    return about(KM_OBJECT_RECERTIFY, pair[1]);
}

static struct km_call *object_get_ok(void)
{
    return about(KM_OBJECT_GET, aes);
}

static struct km_call *object_get_bad(void)
{
    return about(KM_OBJECT_GET, NO_OBJECT);
}

static struct km_call *object_attrs_ok(void)
{
    return about(KM_OBJECT_ATTRS, aes);
}

static struct km_call *object_attrs_bad(void)
{
    return about(KM_OBJECT_ATTRS, NO_OBJECT);
}

static struct km_call *attr(enum km_verb_id verb, const char *value)
{
    struct km_call *call = object_call(&house, verb, &alpha, aes);

    ((struct km_attr_change *)call->req)->value = item_of(call->pool, value);
    return run_it(call);
}

static struct km_call *attr_add_ok(void)
{
    return attr(KM_ATTR_ADD, "Comment='one'");
}

static struct km_call *attr_modify_ok(void)
{
    return attr(KM_ATTR_MODIFY, "Comment='two'");
}

static struct km_call *attr_modify_bad(void)
{
    return attr(KM_ATTR_MODIFY, "Description='two'");
}

static struct km_call *attr_set_ok(void)
{
    return attr(KM_ATTR_SET, "Comment='three'");
}

static struct km_call *attr_set_bad(void)
{
    return attr(KM_ATTR_SET, "State=Active");
}

static struct km_call *adjust(uint32_t adjustment)
{
    struct km_call *call = object_call(&house, KM_ATTR_ADJUST, &alpha, aes);
    struct km_attr_change *req = call->req;

    req->value = item_of(call->pool, "ProtectionPeriod=1");
    req->adjustment = adjustment;
    req->by = 1;
    return run_it(call);
}

static struct km_call *attr_adjust_ok(void)
{
    return adjust(KMIP_AdjustmentType_Increment);
}

static struct km_call *attr_adjust_bad(void)
{
    return adjust(KMIP_AdjustmentType_Negate);
}

static struct km_call *attr_delete_ok(void)
{
    return attr(KM_ATTR_DELETE, "Comment='three'");
}

/* A way through the states: what is Pre-Active is activated, revoked and destroyed. */
static struct km_call *activate_ok(void)
{
    if (!bare) {
        memcpy(moved, new_key(&house, ""), MD_UID_MAX);
    }
    return about(KM_OBJECT_ACTIVATE, moved);
}

static struct km_call *activate_again(void)
{
    return about(KM_OBJECT_ACTIVATE, moved);
}

static struct km_call *revoke_ok(void)
{
    return run_it(state_call(&house, KM_OBJECT_REVOKE, moved, STOPS));
}

static struct km_call *destroy_ok(void)
{
    struct km_call *call = about(KM_OBJECT_DESTROY, moved);

    if (!bare) {
        memcpy(moved, new_key(&house, ""), MD_UID_MAX); /* for those that come later */
    }
    return call;
}

static struct km_call *destroy_bad(void)
{
    return about(KM_OBJECT_DESTROY, aes);
}

static struct km_call *archive_ok(void)
{
    if (!bare) {
        memcpy(stored_away, new_key(&house, ""), MD_UID_MAX);
    }
    return about(KM_OBJECT_ARCHIVE, stored_away);
}

static struct km_call *archive_bad(void)
{
    return about(KM_OBJECT_ARCHIVE, stored_away); /* it is there already */
}

static struct km_call *recover_ok(void)
{
    return about(KM_OBJECT_RECOVER, stored_away);
}

static struct km_call *recover_bad(void)
{
    return about(KM_OBJECT_RECOVER, NO_OBJECT);
}

static struct km_call *locate(size_t filters)
{
    struct km_call *call = object_call(&house, KM_OBJECT_LOCATE, &alpha, NULL);
    struct km_locate *req = call->req;
    const struct kmip_node **filter =
        klm_pool_alloc(call->pool, (filters + 1) * sizeof(struct kmip_node *));

    for (size_t i = 0; i < filters; i++) {
        filter[i] = item_of(call->pool, NAMED("cover"));
    }
    req->what.filter = filter;
    req->what.filters = filters;
    return run_it(call);
}

static struct km_call *locate_ok(void)
{
    return locate(1);
}

static struct km_call *locate_bad(void)
{
    return locate(MD_FILTERS_MAX + 1);
}

static struct km_call *object_check_ok(void)
{
    return about(KM_OBJECT_CHECK, aes);
}

static struct km_call *object_check_bad(void)
{
    return about(KM_OBJECT_CHECK, NO_OBJECT);
}

static struct km_call *lease_ok(void)
{
    return about(KM_OBJECT_LEASE, aes);
}

static struct km_call *lease_bad(void)
{
    return about(KM_OBJECT_LEASE, NO_OBJECT);
}

static struct km_call *allocate(int64_t count)
{
    struct km_call *call = object_call(&house, KM_OBJECT_ALLOCATE, &alpha, limited);

    ((struct km_object_check *)call->req)->count = count;
    return run_it(call);
}

static struct km_call *allocate_ok(void)
{
    if (!bare) {
        memcpy(limited,
               new_key(&house, PAST "UsageLimits{UsageLimitsTotal=10 UsageLimitsUnit=Object}"),
               MD_UID_MAX);
    }
    return allocate(4);
}

static struct km_call *allocate_bad(void)
{
    return allocate(7);
}

/* What went in and out, for who decrypts or verifies later. */
static struct klm_slice made_of_it;

static struct km_call *compute(enum km_verb_id verb, const char *uid, const char *parameters,
                               struct klm_slice data, struct klm_slice check)
{
    static const uint8_t iv[16];
    struct km_call *call = object_call(&house, verb, &alpha, uid);
    struct km_crypt *req = call->req;

    req->parameters = item_of(call->pool, parameters);
    req->in.data = data;
    req->in.iv = verb <= KM_OBJECT_DECRYPT ? KLM_SLICE(iv, 16) : req->in.iv;
    req->check = check;
    if (run_it(call)->rc == KLM_OK && req->out.data.n > 0) {
        made_of_it = keep(req->out.data);
    }
    return call;
}

#define BY(...) "CryptographicParameters{" __VA_ARGS__ "}"
#define BY_CBC BY("BlockCipherMode=CBC PaddingMethod=PKCS5")
#define BY_HASH BY("HashingAlgorithm=SHA_256")
#define BY_CMAC BY("BlockCipherMode=CMAC")
#define BY_NOTHING BY("BlockCipherMode=0x80000001 HashingAlgorithm=0x80000001")
#define WHAT klm_slice_str("what is protected")
#define NO_CHECK KLM_SLICE(NULL, 0)

static struct km_call *encrypt_ok(void)
{
    return compute(KM_OBJECT_ENCRYPT, aes, BY_CBC, WHAT, NO_CHECK);
}

static struct km_call *encrypt_bad(void)
{
    return compute(KM_OBJECT_ENCRYPT, aes, BY_NOTHING, WHAT, NO_CHECK);
}

static struct km_call *decrypt_ok(void)
{
    if (bare) { /* what was made last is something else by then */
        return compute(KM_OBJECT_DECRYPT, aes, BY("BlockCipherMode=CTR"), WHAT, NO_CHECK);
    }
    return compute(KM_OBJECT_DECRYPT, aes, BY_CBC, made_of_it, NO_CHECK);
}

static struct km_call *decrypt_bad(void)
{
    return compute(KM_OBJECT_DECRYPT, aes, BY_CBC, WHAT, NO_CHECK);
}

static struct km_call *sign_ok(void)
{
    return compute(KM_OBJECT_SIGN, pair[0], BY_HASH, WHAT, NO_CHECK);
}

static struct km_call *sign_bad(void)
{
    return compute(KM_OBJECT_SIGN, pair[1], BY_HASH, WHAT, NO_CHECK);
}

static struct km_call *signature_ok(void)
{
    return compute(KM_OBJECT_VERIFY, pair[1], BY_HASH, WHAT, made_of_it);
}

static struct km_call *signature_bad(void)
{
    return compute(KM_OBJECT_VERIFY, pair[0], BY_HASH, WHAT, made_of_it);
}

static struct km_call *mac_ok(void)
{
    return compute(KM_OBJECT_MAC, aes, BY_CMAC, WHAT, NO_CHECK);
}

static struct km_call *mac_bad(void)
{
    return compute(KM_OBJECT_MAC, pair[0], BY_CMAC, WHAT, NO_CHECK);
}

static struct km_call *mac_verify_ok(void)
{
    return compute(KM_OBJECT_MAC_VERIFY, aes, BY_CMAC, WHAT, made_of_it);
}

static struct km_call *mac_verify_bad(void)
{
    return compute(KM_OBJECT_MAC_VERIFY, pair[0], BY_CMAC, WHAT, made_of_it);
}

static struct km_call *hash_ok(void)
{
    return compute(KM_HASH, NULL, BY_HASH, WHAT, NO_CHECK);
}

static struct km_call *hash_bad(void)
{
    return compute(KM_HASH, NULL, BY_NOTHING, WHAT, NO_CHECK);
}

static struct km_call *random_bytes(enum km_verb_id verb, int64_t length)
{
    struct km_call *call = object_call(&house, verb, &alpha, NULL);
    struct km_random *req = call->req;

    req->length = length;
    req->data = WHAT;
    return run_it(call);
}

static struct km_call *random_get_ok(void)
{
    return random_bytes(KM_RANDOM_GET, 32);
}

static struct km_call *random_get_bad(void)
{
    return random_bytes(KM_RANDOM_GET, 0);
}

static struct km_call *random_seed_ok(void)
{
    return random_bytes(KM_RANDOM_SEED, 0);
}

static struct km_call *query_ok(void)
{
    return about(KM_KMIP_QUERY, NULL);
}

static struct km_call *discover_ok(void)
{
    return about(KM_KMIP_DISCOVER, NULL);
}

static struct km_call *ping_ok(void)
{
    return about(KM_KMIP_PING, NULL);
}

static struct km_call *log_line(size_t n)
{
    struct km_call *call = object_call(&house, KM_KMIP_LOG, &alpha, NULL);
    char *text = klm_pool_alloc(call->pool, n + 1);

    memset(text, 'x', n);
    ((struct km_kmip_log *)call->req)->message = text;
    return run_it(call);
}

/* ---- Operators on managed objects */
static char goner[MD_UID_MAX] = "none";

static struct km_call *objects_make_ok(void)
{
    if (!bare) {
        struct km_call *group = RUN(KM_DEVICE_GROUP_ADD, "name", "OBJECTS");

        km_call_free(&group);
    }
    return RUN(KM_OBJECTS_MAKE, "group", "OBJECTS", "algorithm", "AES", "prefix", "abc");
}

static struct km_call *objects_make_bad(void)
{
    return RUN(KM_OBJECTS_MAKE, "group", "NOGROUP", "algorithm", "AES", "prefix", "abc");
}

static struct km_call *objects_list_ok(void)
{
    return RUN(KM_OBJECTS_LIST, "type", "SymmetricKey");
}

static struct km_call *objects_list_bad(void)
{
    return RUN(KM_OBJECTS_LIST, "type", "Nothing");
}

static struct km_call *object_show_ok(void)
{
    if (!bare) {
        memcpy(goner, new_key(&house, ""), MD_UID_MAX);
    }
    return RUN(KM_OBJECT_SHOW, "uuid", goner);
}

static struct km_call *object_show_bad(void)
{
    return RUN(KM_OBJECT_SHOW, "uuid", "nothing");
}

static struct km_call *object_edit_ok(void)
{
    return RUN(KM_OBJECT_EDIT, "uuid", goner, "attributes", "{contactInformation desk}");
}

static struct km_call *object_edit_bad(void)
{
    return RUN(KM_OBJECT_EDIT, "uuid", goner, "attributes", "{state Active}");
}

static struct km_call *object_remove_ok(void)
{
    struct km_call *call = RUN(KM_OBJECT_REMOVE, "uuid", goner);

    if (!bare) {
        memcpy(goner, new_key(&house, ""), MD_UID_MAX); /* for those that come later */
    }
    return call;
}

static struct km_call *object_remove_bad(void)
{
    return RUN(KM_OBJECT_REMOVE, "uuid", aes); /* it is active */
}

static struct km_call *log_ok(void)
{
    return log_line(512);
}

static struct km_call *log_bad(void)
{
    return log_line(513);
}

static struct km_call *interop_ok(void)
{
    return about(KM_KMIP_INTEROP, NULL);
}

static struct km_call *interop_bad(void)
{
    struct km_call *call;

    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.interop", "value", "false");
    call = about(KM_KMIP_INTEROP, NULL);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.interop", "value", "true");
    return call;
}

/* ---- In this order, as some need what others made. A verb that has nothing to fail by says so. */
typedef struct km_call *run_fn(void);
static const struct row {
    enum km_verb_id verb;
    run_fn *succeed, *fail;
    const char *never; /* why it cannot fail, when it cannot */
} rows[] = {
    {KM_DRIVE_CONTACT, contact_ok, contact_bad, NULL},
    {KM_DRIVE_VERIFY, verify_ok, verify_bad, NULL},
    {KM_KEY_CREATE, create_ok, create_bad, NULL},
    {KM_KEY_GET, get_ok, get_bad, NULL},
    {KM_KEY_TRANSLATE, translate_ok, translate_bad, NULL},
    {KM_DISK_CREATE, disk_create_ok, disk_create_bad, NULL},
    {KM_DISK_UNLOCK, disk_unlock_ok, disk_unlock_bad, NULL},
    {KM_DISK_REWRAP, disk_rewrap_ok, disk_rewrap_bad, NULL},
    {KM_DRIVE_ADD, add_ok, add_ok, NULL},
    {KM_DRIVE_MODIFY, modify_ok, modify_bad, NULL},
    {KM_DRIVE_LIST, list_ok, list_bad, NULL},
    {KM_DRIVE_DELETE, delete_ok, delete_bad, NULL},
    {KM_DRIVE_EXPORT, export_ok, NULL, "it has no parameter"},
    {KM_DRIVE_IMPORT, import_ok, import_bad, NULL},
    {KM_PENDING_LIST, pending_list_ok, NULL, "it has no parameter that can be wrong"},
    {KM_PENDING_ACCEPT, accept_ok, accept_bad, NULL},
    {KM_PENDING_REJECT, reject_ok, reject_bad, NULL},
    {KM_CONFIG_LIST, config_list_ok, config_list_bad, NULL},
    {KM_CONFIG_SET, config_set_ok, config_set_bad, NULL},
    {KM_CONFIG_EXPORT, config_export_ok, NULL, "it has no parameter"},
    {KM_CONFIG_IMPORT, config_import_ok, config_import_bad, NULL},
    {KM_MIGRATE, migrate_ok, migrate_bad, NULL},
    {KM_CONFIG_REFRESH, refresh_ok, refresh_bad, NULL},
    {KM_KEYSTORE_REFRESH, keystore_refresh_ok, NULL, "it has no parameter"},
    {KM_KEYSTORE_LIST, keystore_list_ok, keystore_list_bad, NULL},
    {KM_USAGE_QUERY, usage_ok, usage_bad, NULL},
    {KM_STATUS, status_ok, NULL, "it has no parameter"},
    {KM_VERSION_SHOW, version_ok, NULL, "it has no parameter"},
    {KM_SERVE_START, serve_start_ok, NULL, "it has no parameter"},
    {KM_SERVE_STOP, serve_stop_ok, NULL, "it has no parameter"},
    {KM_TASK_STOP, task_stop_ok, NULL, "it has no parameter"},
    {KM_BACKUP_RUN, backup_run_ok, backup_run_bad, NULL},
    {KM_BACKUP_CHECK, backup_check_ok, backup_check_bad, NULL},
    {KM_RESTORE_REQUEST, restore_request_ok, restore_request_bad, NULL},
    {KM_RESTORE_CONFIRM, restore_confirm_ok, restore_confirm_bad, NULL},
    {KM_BACKUP_CANCEL, backup_cancel_ok, backup_cancel_bad, NULL},
    {KM_BACKUP_PROGRESS, backup_progress_ok, backup_progress_bad, NULL},
    {KM_BACKUP_LIST, backup_list_ok, backup_list_bad, NULL},
    {KM_BACKUP_DONE, backup_done_ok, backup_done_bad, NULL},
    {KM_SMF_LIST, smf_list_ok, NULL, "it has no parameter"},
    {KM_SMF_SWITCH, smf_switch_ok, NULL, "a data set is always free here"},
    {KM_PROFILE_DEFINE, define_ok, define_bad, NULL},
    {KM_PROFILE_ALTER, alter_ok, alter_bad, NULL},
    {KM_PROFILE_PERMIT, permit_ok, permit_bad, NULL},
    {KM_PROFILE_LIST, profile_list_ok, profile_list_bad, NULL},
    {KM_PROFILE_DELETE, profile_delete_ok, profile_delete_ok, NULL},
    {KM_CLASS_SET, class_set_ok, class_set_bad, NULL},
    {KM_CLASS_LIST, class_list_ok, NULL, "it has no parameter"},
    {KM_RING_ADD, ring_add_ok, ring_add_ok, NULL},
    {KM_RING_LIST, ring_list_ok, ring_list_bad, NULL},
    {KM_RING_DELETE, ring_delete_ok, ring_delete_bad, NULL},
    {KM_CERT_GENERATE, generate_ok, generate_ok, NULL},
    {KM_RING_CONNECT, connect_ok, connect_bad, NULL},
    {KM_RING_REMOVE, remove_ok, remove_ok, NULL},
    {KM_CERT_EXPORT, cert_export_ok, cert_export_bad, NULL},
    {KM_CERT_ADD, cert_add_ok, cert_add_bad, NULL},
    {KM_CERT_LIST, cert_list_ok, cert_list_bad, NULL},
    {KM_CERT_CHECK, check_ok, check_bad, NULL},
    {KM_CERT_ALTER, alter_cert_ok, alter_cert_bad, NULL},
    {KM_CERT_REQUEST, request_ok, request_bad, NULL},
    {KM_CERT_REKEY, rekey_ok, rekey_ok, NULL},
    {KM_CERT_ROLLOVER, rollover_ok, rollover_bad, NULL},
    {KM_CERT_DELETE, cert_delete_ok, cert_delete_ok, NULL},
    {KM_TOKEN_WRITE, token_write_ok, token_write_bad, NULL},
    {KM_TOKEN_READ, token_read_ok, token_read_bad, NULL},
    {KM_KEYSET_WRITE, keyset_write_ok, NULL, "it writes what there is, perhaps nothing"},
    {KM_KEYSET_READ, keyset_read_ok, keyset_read_bad, NULL},
    {KM_GROUPS_WRITE, groups_write_ok, NULL, "it has no parameter"},
    {KM_GROUPS_READ, groups_read_ok, groups_read_bad, NULL},
    {KM_PARTNER_CONTACT, meet_ok, meet_bad, NULL},
    {KM_SYNC, sync_ok, sync_bad, NULL},
    {KM_DRILL, drill_ok, NULL, "it only hands the call to the task here"},
    {KM_DRILL_PROVE, prove_ok, prove_bad, NULL},
    {KM_SYNC_CONFIG_GIVE, give_ok, NULL, "it has no parameter"},
    {KM_SYNC_CONFIG_CHECK, config_check_ok, config_check_bad, NULL},
    {KM_SYNC_CONFIG_TAKE, config_take_ok, config_take_bad, NULL},
    {KM_SYNC_CLIENTS_GIVE, clients_give_ok, NULL, "it has no parameter"},
    {KM_SYNC_CLIENTS_CHECK, clients_check_ok, clients_check_bad, NULL},
    {KM_SYNC_CLIENTS_TAKE, clients_take_ok, clients_take_bad, NULL},
    {KM_SYNC_GROUPS_GIVE, groups_give_ok, NULL, "it has no parameter"},
    {KM_SYNC_GROUPS_CHECK, groups_check_ok, groups_check_bad, NULL},
    {KM_SYNC_GROUPS_TAKE, groups_take_ok, groups_take_bad, NULL},
    {KM_SYNC_USAGE_GIVE, usage_give_ok, NULL, "its partner is only a name"},
    {KM_SYNC_USAGE_CHECK, usage_check_ok, usage_check_bad, NULL},
    {KM_SYNC_USAGE_TAKE, usage_take_ok, usage_take_bad, NULL},
    {KM_SYNC_USAGE_SENT, usage_sent_ok, NULL, "its partner is only a name"},
    {KM_SYNC_DRIVES_CHECK, drives_check_ok, drives_check_bad, NULL},
    {KM_SYNC_DRIVES_TAKE, drives_take_ok, drives_take_bad, NULL},
    {KM_GROUPS_INIT, groups_init_ok, groups_init_ok, NULL},
    {KM_GROUP_ADD, group_add_ok, group_add_ok, NULL},
    {KM_KEYS_CREATE, keys_create_ok, keys_create_ok, NULL},
    {KM_GROUP_ALIAS_ADD, alias_add_ok, alias_add_ok, NULL},
    {KM_GROUP_MODIFY, group_modify_ok, group_modify_bad, NULL},
    {KM_GROUP_LIST, group_list_ok, group_list_bad, NULL},
    {KM_GROUP_ALIAS_COPY, alias_copy_ok, alias_copy_bad, NULL},
    {KM_STORED_CREATE, stored_create_ok, stored_create_bad, NULL},
    {KM_STORED_GET, stored_get_ok, stored_get_bad, NULL},
    {KM_GROUP_ALIAS_DELETE, alias_delete_ok, alias_delete_ok, NULL},
    {KM_GROUP_DELETE, group_delete_ok, group_delete_ok, NULL},
    {KM_KEYS_DELETE, keys_delete_ok, keys_delete_bad, NULL},
    {KM_DEVICE_GROUP_ADD, device_group_add_ok, device_group_add_ok, NULL},
    {KM_DEVICE_GROUP_MODIFY, device_group_modify_ok, device_group_modify_bad, NULL},
    {KM_DEVICE_GROUP_LIST, device_group_list_ok, device_group_list_bad, NULL},
    {KM_CLIENT_ADD, client_add_ok, client_add_ok, NULL},
    {KM_DEVICE_GROUP_DELETE, device_group_delete_ok, device_group_delete_bad, NULL},
    {KM_CLIENT_LIST, client_list_ok, client_list_bad, NULL},
    {KM_CLIENT_MODIFY, client_modify_ok, client_modify_bad, NULL},
    {KM_CLIENT_PROVE, client_prove_ok, client_prove_bad, NULL},
    {KM_CLIENT_CONTACT, client_contact_ok, client_contact_bad, NULL},
    {KM_CLIENT_PENDING_LIST, client_pending_ok, NULL, "it has no parameter that can be wrong"},
    {KM_CLIENT_PENDING_ACCEPT, client_accept_ok, client_accept_bad, NULL},
    {KM_CLIENT_PENDING_REJECT, client_reject_ok, client_reject_bad, NULL},
    {KM_CLIENT_DELETE, client_delete_ok, client_delete_ok, NULL},
    {KM_CLIENT_PURGE, purge_ok, purge_bad, NULL},
    {KM_OBJECT_CREATE, object_create_ok, object_create_bad, NULL},
    {KM_OBJECT_PAIR, object_pair_ok, object_pair_bad, NULL},
    {KM_OBJECT_REGISTER, object_register_ok, object_register_bad, NULL},
    {KM_OBJECT_GET, object_get_ok, object_get_bad, NULL},
    {KM_OBJECT_ATTRS, object_attrs_ok, object_attrs_bad, NULL},
    {KM_ATTR_ADD, attr_add_ok, attr_add_ok, NULL},
    {KM_ATTR_MODIFY, attr_modify_ok, attr_modify_bad, NULL},
    {KM_ATTR_SET, attr_set_ok, attr_set_bad, NULL},
    {KM_ATTR_ADJUST, attr_adjust_ok, attr_adjust_bad, NULL},
    {KM_ATTR_DELETE, attr_delete_ok, attr_delete_ok, NULL},
    {KM_OBJECT_LOCATE, locate_ok, locate_bad, NULL},
    {KM_OBJECT_CHECK, object_check_ok, object_check_bad, NULL},
    {KM_OBJECT_LEASE, lease_ok, lease_bad, NULL},
    {KM_OBJECT_ALLOCATE, allocate_ok, allocate_bad, NULL},
    {KM_OBJECT_ENCRYPT, encrypt_ok, encrypt_bad, NULL},
    {KM_OBJECT_DECRYPT, decrypt_ok, decrypt_bad, NULL},
    {KM_OBJECT_SIGN, sign_ok, sign_bad, NULL},
    {KM_OBJECT_VERIFY, signature_ok, signature_bad, NULL},
    {KM_OBJECT_MAC, mac_ok, mac_bad, NULL},
    {KM_OBJECT_MAC_VERIFY, mac_verify_ok, mac_verify_bad, NULL},
    {KM_HASH, hash_ok, hash_bad, NULL},
    {KM_RANDOM_GET, random_get_ok, random_get_bad, NULL},
    {KM_RANDOM_SEED, random_seed_ok, NULL, "whatever bytes come are stirred in"},
    {KM_OBJECT_CERTIFY, object_certify_ok, object_certify_bad, NULL},
    {KM_OBJECT_RECERTIFY, object_recertify_ok, object_recertify_bad, NULL},
    {KM_OBJECT_ACTIVATE, activate_ok, activate_again, NULL},
    {KM_OBJECT_REVOKE, revoke_ok, revoke_ok, NULL},
    {KM_OBJECT_DESTROY, destroy_ok, destroy_bad, NULL},
    {KM_OBJECT_ARCHIVE, archive_ok, archive_bad, NULL},
    {KM_OBJECT_RECOVER, recover_ok, recover_bad, NULL},
    {KM_OBJECT_REKEY, object_rekey_ok, object_rekey_bad, NULL},
    {KM_OBJECT_REKEY_PAIR, object_rekey_pair_ok, object_rekey_pair_bad, NULL},
    {KM_OBJECT_DERIVE, object_derive_ok, object_derive_bad, NULL},
    {KM_KMIP_QUERY, query_ok, NULL, "it has no parameter"},
    {KM_KMIP_DISCOVER, discover_ok, NULL, "it has no parameter"},
    {KM_KMIP_INTEROP, interop_ok, interop_bad, NULL},
    {KM_KMIP_LOG, log_ok, log_bad, NULL},
    {KM_OBJECTS_MAKE, objects_make_ok, objects_make_bad, NULL},
    {KM_OBJECTS_LIST, objects_list_ok, objects_list_bad, NULL},
    {KM_OBJECT_SHOW, object_show_ok, object_show_bad, NULL},
    {KM_OBJECT_EDIT, object_edit_ok, object_edit_bad, NULL},
    {KM_OBJECT_REMOVE, object_remove_ok, object_remove_bad, NULL},
    {KM_KMIP_PING, ping_ok, NULL, "it has no parameter"},
    {KM_MASTER_REWRAP, rewrap_ok, rewrap_bad, NULL},
    {KM_MASTER_REQUEST, change_request_ok, change_request_bad, NULL},
    {KM_MASTER_CONFIRM, confirm_ok, confirm_bad, NULL},
    {KM_MASTER_FINISH, finish_ok, finish_bad, NULL},
};

static void serving(void)
{
    if (house.server) {
        return;
    }
    listen_now();
    start_house(&house, "coverage",
                "Audit.smf=true\n"
                "kmip.interop=true\n"
                "kmip.certify.label=" CA_LABEL "\n"
                "config.keygroup.xml.file=FILE:keygroups.xml\n");
    make_drive(&house, &drive, SERIAL, WWN, CA_LABEL);
    make_drive(&house, &stranger, WAITS, WWN3, CA_LABEL);
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "wwn", WWN, "rec1", "L1");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", ARRAY, "kind", "DS8000", "rec1", "L1");
    struct km_call *server_cert =
        RUN(KM_CERT_EXPORT, "owner", OWNER, "label", "Server", "format", "CERTDER");
    memcpy(other_room, server_cert->bytes.p, server_cert->bytes.n);
    other = KLM_SLICE(other_room, server_cert->bytes.n);
    km_call_free(&server_cert);
}

/* The newest event of a verb, and how many of it there are. */
struct newest {
    const char *verb;
    size_t n;
    enum smf_outcome outcome;
    char user[128], message_id[16], offset[8];
};

static klm_rc look(void *arg, const struct smf_record *record)
{
    struct newest *newest = arg;
    const char *const *field = record->event.field;

    if (field[SMF_F_VERB] && strcmp(field[SMF_F_VERB], newest->verb) == 0) {
        newest->n++;
        newest->outcome = record->event.outcome;
        snprintf(newest->user, sizeof newest->user, "%s",
                 field[SMF_F_USER] ? field[SMF_F_USER] : "");
        snprintf(newest->message_id, sizeof newest->message_id, "%s",
                 field[SMF_F_MESSAGE_ID] ? field[SMF_F_MESSAGE_ID] : "");
        snprintf(newest->offset, sizeof newest->offset, "%s",
                 field[SMF_F_OFFSET] ? field[SMF_F_OFFSET] : "");
    }
    return KLM_OK;
}

static struct newest newest_of(enum km_verb_id verb)
{
    struct newest newest = {.verb = km_verb(verb)->name};

    REQUIRE_OK(smf_journal_read(house.journal, 0, look, &newest, NULL));
    return newest;
}

/* The call, just ended, left one event that says what it says. */
static void check_event(struct km_call *call, const struct newest *before, enum smf_outcome outcome,
                        const char *what)
{
    struct newest now = newest_of(call->id);
    const char *name = km_verb(call->id)->name;
    char where[100];

    snprintf(where, sizeof where, "%s, %s", name, what);
    test_int((int64_t)now.n, (int64_t)before->n + 1, where, __FILE__, __LINE__);
    test_int(now.outcome, outcome, where, __FILE__, __LINE__);
    test_str(now.user, call->actor.name, where, __FILE__, __LINE__);
    test_int((int64_t)strlen(now.offset), 6, where, __FILE__, __LINE__);
    if (outcome == SMF_FAILURE) {
        test_str(now.message_id, klm_msg(call->diag.msg)->id, where, __FILE__, __LINE__);
        CHECK(call->diag.msg != KLM_MSG_NONE);
    } else {
        test_str(now.message_id, call->diag.msg ? klm_msg(call->diag.msg)->id : "", where, __FILE__,
                 __LINE__); /* perhaps a warning */
    }
    km_call_free(&call);
}

static const struct row *row_of(enum km_verb_id verb)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (rows[i].verb == verb) {
            return &rows[i];
        }
    }
    return NULL;
}

TEST(every_verb_has_a_row_here)
{
    for (int id = 0; id < KM_VERBS; id++) {
        const struct row *row = row_of((enum km_verb_id)id);

        test_int(row != NULL, true, km_verb((enum km_verb_id)id)->name, __FILE__, __LINE__);
        if (row) {
            CHECK(row->succeed != NULL && (row->fail != NULL) == (row->never == NULL));
        }
    }
    CHECK_INT(KLM_COUNT(rows), KM_VERBS);
}

TEST(every_verb_that_succeeds_and_every_one_that_fails_leaves_its_event)
{
    serving();
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct newest before = newest_of(rows[i].verb);
        struct km_call *call = rows[i].succeed();

        if (call->rc != KLM_OK) {
            fprintf(stderr, "# %s: %s\n", km_verb(call->id)->name, call->diag.text);
        }
        CHECK_RC(call->rc, KLM_OK);
        check_event(call, &before, SMF_SUCCESS, "success");
        if (rows[i].fail) {
            before = newest_of(rows[i].verb);
            call = rows[i].fail();
            CHECK(call->rc != KLM_OK);
            check_event(call, &before, SMF_FAILURE, "failure");
        }
    }
}

/* Anyone may ask to be admitted; a drive that the table does not know is refused all the same. */
static struct km_call *refused(enum km_verb_id verb)
{
    struct km_call *call;

    if (verb == KM_DRIVE_CONTACT) {
        return contact(&house, &stranger);
    }
    if (verb == KM_PARTNER_CONTACT) {
        return meet(cert, KM_PARTNER_VERSION); /* of a key label */
    }
    if (verb == KM_CLIENT_CONTACT) { /* no client, so it waits */
        return with_cert(verb, other);
    }
    call = new_call(&house, verb, &nobody);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* What is spoken here anyone may ask, and is told. */
static bool for_all(int id)
{
    return id == KM_KMIP_QUERY || id == KM_KMIP_DISCOVER || id == KM_KMIP_PING;
}

TEST(every_verb_that_is_refused_leaves_its_event)
{
    serving();
    for (int id = 0; id < KM_VERBS; id++) {
        const struct newest before = newest_of((enum km_verb_id)id);
        struct km_call *call = refused((enum km_verb_id)id);

        if (for_all(id)) {
            CHECK_RC(call->rc, KLM_OK);
            check_event(call, &before, SMF_SUCCESS, "question");
            continue;
        }
        CHECK_RC(call->rc, id == KM_CLIENT_CONTACT ? KLM_OK : KLM_E_DENIED);
        check_event(call, &before, SMF_FAILURE, "refusal");
    }
}

TEST(each_changed_property_of_an_import_and_of_a_refresh_is_told_with_old_and_new_value)
{
    serving();
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, "drive.default.alias2"), 1);
    char more[16384];

    snprintf(more, sizeof more, "%s\nconfig.keystore.password=geheim\ndrive.pending.max=77\n",
             text_of(house.config));
    write_file(house.config, more);
    DO(&house, KM_CONFIG_REFRESH, &admin, NULL);
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, "drive.pending.max"), 1);
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, "77"), 1);
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, "config.keystore.password"), 1);
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, "****"), 1);
    CHECK_INT(events(&house, NULL, -1, NULL, "geheim"), 0);
    DO(&house, KM_CONFIG_REFRESH, &admin, NULL);
    CHECK_INT(events(&house, "config-change", SMF_SUCCESS, NULL, NULL), 3); /* nothing new */
}

TEST(each_drive_that_a_file_changes_is_told_with_what_it_was_and_is)
{
    serving();
    static const char text[] = "filedrive.table 1\n"
                               "000000000010 3592 - L1 - -\n"
                               "000000000011 3592 - L1 L2 -\n"
                               "end\n";
    static const char changed[] = "filedrive.table 1\n"
                                  "000000000010 3592 - L2 - -\n"
                                  "end\n";

    expect(file(KM_DRIVE_IMPORT, klm_slice_str(text)), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, "000000000010"), 1);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, "000000000011"), 1);
    expect(file(KM_DRIVE_IMPORT, klm_slice_str(changed)), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    CHECK_INT(events(&house, "drive-changed", SMF_SUCCESS, NULL, "alias1=L1"), 1);
    CHECK_INT(events(&house, "drive-changed", SMF_SUCCESS, NULL, "alias1=L2"), 1);
    CHECK_INT(events(&house, "drive-removed", -1, NULL, NULL), 0);
    CHECK_INT(events(&house, "drive-modify", SMF_SUCCESS, NULL, "alias1=L2"), 1);
    CHECK_INT(events(&house, "drive-modify", SMF_SUCCESS, NULL, "alias1=L1"), 1);
}

/* ---- The journal cannot be written (Audit.failure.action=refuse) */

/* No file may grow beyond 6 MiB, as on a full device: the journal is longer, the store is not. */
static void device_full(bool full)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = full ? 6 << 20 : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void fill_journal(void)
{
    static char text[1024];
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_SUCCESS};

    memset(text, 'x', sizeof text - 1);
    event.field[SMF_F_VERB] = "filler";
    event.field[SMF_F_RESOURCE] = event.field[SMF_F_MESSAGE] = event.field[SMF_F_COMMAND] = text;
    for (int i = 0; i < 2100; i++) {
        REQUIRE_OK(km_audit(house.server, &event));
    }
}

/* A server whose journal takes nothing any more; its store has the event of one change that the journal lacks. */
static void fail_audit(void)
{
    signal(SIGXFSZ, SIG_IGN);
    fill_journal();
    device_full(true);
    struct km_call *call = get_ok();
    CHECK_STR(klm_msg(call->diag.msg)->id, "KLM0903E");
    km_call_free(&call);
    call = create_ok();
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
}

static bool is_ours(const struct km_call *call)
{
    static const uint8_t zero[40];

    return memcmp(call->keyed.wrapped, zero, 40) == 0 && call->keyed.eedk_n == 0 &&
           call->bytes.n == 0 && call->rows.n == 0;
}

static void check_refused(struct km_call *call)
{
    const char *name = km_verb(call->id)->name;

    if (km_verb(call->id)->flags & KM_ANYWAY) {
        test_rc(call->rc, KLM_OK, name, __FILE__, __LINE__, false);
    } else {
        test_str(klm_msg(call->diag.msg)->id, "KLM0903E", name, __FILE__, __LINE__);
        test_int(call->rc != KLM_OK && is_ours(call), true, name, __FILE__, __LINE__);
    }
    km_call_free(&call);
}

TEST(while_audit_cannot_be_written_no_verb_gives_or_changes_anything_and_then_all_goes_on)
{
    serving();
    char config[16384];
    size_t writes = events(&house, "key-create", SMF_SUCCESS, NULL, NULL);

    listen_now();
    fail_audit();
    snprintf(config, sizeof config, "%s", text_of(house.config));
    uint64_t number = st_number(km_store(house.server));
    bare = true;
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        check_refused(rows[i].succeed());
    }
    bare = false;
    CHECK_INT(st_number(km_store(house.server)), number);
    CHECK_STR(text_of(house.config), config);
    CHECK_INT(times_said("KLM0704A"), 1);
    struct km_call *status = status_ok();
    bool failing = false, counted = false;
    for (size_t i = 0; i < status->rows.n; i++) {
        failing = failing || strcmp(cell(status, i, "Value"), "NOT WRITABLE") == 0;
        counted = counted || (strcmp(cell(status, i, "Item"), "Audit events not recorded") == 0 &&
                              atoi(cell(status, i, "Value")) > 0);
    }
    CHECK(failing);
    CHECK(counted);
    km_call_free(&status);

    device_full(false); /* nobody asks for anything: the task finds out by itself */
    WAIT_FOR(events(&house, "audit-resumed", SMF_SUCCESS, NULL, NULL) == 1, 10)
    {
    }
    CHECK_INT(events(&house, "audit-failed", SMF_FAILURE, "KLM0820A", NULL), 1);
    CHECK_INT(events(&house, "audit-resumed", SMF_SUCCESS, NULL, "events not recorded"), 1);
    CHECK_INT(times_said("KLM0705I"), 1);
    WAIT_FOR(events(&house, "key-create", SMF_SUCCESS, NULL, NULL) == writes + 1, 10)
    {
    }
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, NULL), writes + 1);
    struct km_call *call = get_ok();
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    call = create_ok();
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    CHECK_INT(events(&house, "audit-failed", -1, NULL, NULL), 1);
}

/* More than an outbox row takes: none is lost, none is doubled, also over a restart. */
TEST(a_thousand_drives_of_a_file_are_a_thousand_events)
{
    serving();
    struct klm_buf text;

    klm_buf_init(&text, 1 << 20);
    klm_buf_text(&text, "filedrive.table 1\n");
    for (int i = 0; i < 1000; i++) {
        klm_buf_printf(&text, "1%011d 3592 - L1 - -\n", i);
    }
    klm_buf_text(&text, "end\n");
    size_t before = events(&house, "drive-added", SMF_SUCCESS, NULL, NULL);
    expect(file(KM_DRIVE_IMPORT, klm_buf_as_slice(&text)), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    klm_buf_done(&text);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, NULL), before + 1000);
    CHECK_INT(events(&house, "drive-import", SMF_SUCCESS, NULL, "1000 added"), 1);
    close_house(&house);
    open_house(&house, false);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, NULL), before + 1000);
}

TEST(zz_close)
{
    drive_done(&drive);
    drive_done(&stranger);
    close_house(&house);
    REQUIRE_OK(smf_journal_verify(house.journal, &(uint64_t){0}, NULL));
}

/* What reports count as keys served is a table of its own, since they are read elsewhere than verbs are carried out. */
TEST(every_verb_that_serves_a_key_is_counted_by_reports_and_no_other)
{
    unsigned serve = 0;

    for (unsigned id = 0; id < KM_VERBS; id++) {
        const struct km_verb *verb = km_verb((enum km_verb_id)id);
        const struct smf_served *row = smf_served(verb->name);
        bool to_drive = verb->publish == km_key_published || verb->publish == km_stored_published;

        if (row && row->labelled) { /* objects of KMIP, when they are keys of cartridges */
            CHECK(verb->publish == km_object_published || verb->publish == km_made_published);
            continue;
        }
        CHECK((row != NULL) == to_drive);
        serve += to_drive;
    }
    CHECK_INT(serve, 8);
    CHECK(smf_served("object-create") && smf_served("object-register") &&
          smf_served("object-rekey") && smf_served("object-get"));
    CHECK(smf_served("") == NULL && smf_served("key-") == NULL);
}
