/* A drive shows who it is: identity, pinning, and what happens to drives that nobody entered. */
#include "keymgr/km_help.h"

static struct house house;
static struct drive drive;

static void policy(const char *value)
{
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.acceptUnknownDrives", "value", value);
}

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "contact", "drive.pending.max=2\nds8k.acceptUnknownDrives=false\n");
        make_drive(&house, &drive, SERIAL, WWN, CA_LABEL);
        gencert(&house, "CERTAUTH", "OtherCA", "CA", "NISTECC", "256",
                NULL); /* connected to no ring */
    }
}

static size_t in_table(const char *serial)
{
    struct dt_table *table = km_drives(house.server);
    const struct dt_drive *found;
    size_t n = dt_table_find(table, serial, &found) == KLM_OK;

    dt_table_free(&table);
    return n;
}

/* Into the drive table, unless an earlier test put it there. */
static void enter(void)
{
    if (!in_table(SERIAL)) {
        DO(&house, KM_DRIVE_ADD, &oper, "drivename", SERIAL, "rec1", "L1");
    }
}

static size_t pending(void)
{
    struct km_call *call = run_call(&house, KM_PENDING_LIST, &oper, NULL);
    size_t n = call->rows.n;

    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    return n;
}

TEST(an_unknown_drive_is_refused_with_EF01_and_recorded)
{
    serving();
    size_t before = events(&house, "drive-contact", SMF_FAILURE, "KLM0204E", SERIAL);

    CONTACT(&house, &drive, KLM_E_DENIED, 0xEF01, KLM_MSG_DRIVE_UNKNOWN);
    CHECK_INT(events(&house, "drive-contact", SMF_FAILURE, "KLM0204E", drive.fingerprint),
              before + 1);
    CHECK_INT(pending(), 0);
    CHECK_INT(in_table(SERIAL), 0);
}

TEST(a_waiting_drive_is_listed_once_and_noted_again_after_a_minute)
{
    serving();
    klm_time now = klm_clock();

    policy("pending");
    klm_clock_set(now);
    CONTACT(&house, &drive, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    uint64_t number = st_number(km_store(house.server));
    klm_clock_set(now + 59 * 1000000LL);
    CONTACT(&house, &drive, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    CHECK_INT(events(&house, "drive-contact", SMF_FAILURE, "KLM0926W", SERIAL),
              2); /* each is recorded */
    struct km_call *call = run_call(&house, KM_PENDING_LIST, &oper, NULL);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, "Contacts"), "1"); /* but the store is left alone */
    CHECK_STR(cell(call, 0, "Certificate"), drive.fingerprint);
    CHECK_STR(cell(call, 0, "WWN"), WWN);
    CHECK_STR(cell(call, 0, "Address"), "192.0.2.7:40022");
    km_call_free(&call);
    klm_clock_set(now + 61 * 1000000LL);
    CONTACT(&house, &drive, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    CHECK(st_number(km_store(house.server)) > number);
    call = run_call(&house, KM_PENDING_LIST, &oper, NULL);
    CHECK_STR(cell(call, 0, "Contacts"), "2");
    km_call_free(&call);
    klm_clock_set(0);
    CHECK_INT(in_table(SERIAL), 0);
}

TEST(the_pending_list_is_bounded_and_rejecting_makes_room)
{
    serving();
    struct drive more[2];

    policy("pending");
    make_drive(&house, &more[0], "0000000000P1", "5005076302400001", CA_LABEL);
    make_drive(&house, &more[1], "0000000000P2", "5005076302400002", CA_LABEL);
    CONTACT(&house, &drive, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    CONTACT(&house, &more[0], KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    CHECK_INT(pending(), 2);
    CONTACT(&house, &more[1], KLM_E_LIMIT, 0xEF01, KLM_MSG_PENDING_FULL);
    CHECK_INT(pending(), 2);
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_PENDING_REJECT, &nobody, "drivename",
            "0000000000P1");
    DO(&house, KM_PENDING_REJECT, &oper, "drivename", "0000000000p1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PENDING_NOT_FOUND, &house, KM_PENDING_REJECT, &oper,
            "drivename", "0000000000P1");
    CONTACT(&house, &more[1], KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    DO(&house, KM_PENDING_REJECT, &oper, "drivename", "0000000000P2");
    drive_done(&more[0]);
    drive_done(&more[1]);
}

TEST(an_accepted_drive_is_served_under_the_certificate_it_waited_with)
{
    serving();
    policy("pending");
    CONTACT(&house, &drive, KLM_OK, 0xEF01, KLM_MSG_DRIVE_PENDING);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PENDING_NOT_FOUND, &house, KM_PENDING_ACCEPT, &oper,
            "drivename", "0000000000ZZ");
    REFUSED(KLM_E_WRONGKEY, KLM_MSG_PENDING_OTHER_CERT, &house, KM_PENDING_ACCEPT, &oper,
            "drivename", SERIAL, "fingerprint", "0123456789abcdef");
    REFUSED(KLM_E_USAGE, KLM_MSG_FINGERPRINT_SHORT, &house, KM_PENDING_ACCEPT, &oper, "drivename",
            SERIAL, "fingerprint", "0123456789abcde");
    CHECK_INT(in_table(SERIAL), 0);
    CHECK_INT(pending(), 1);
    char beginning[17];
    snprintf(beginning, sizeof beginning, "%.16s", drive.fingerprint);
    DO(&house, KM_PENDING_ACCEPT, &oper, "drivename", "0007888422", "rec1", "L1", "fingerprint",
       beginning); /* 10 digits get two zeros */
    CHECK_INT(in_table(SERIAL), 1);
    CHECK_INT(pending(), 0);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PENDING_NOT_FOUND, &house, KM_PENDING_ACCEPT, &oper,
            "drivename", SERIAL);
    CONTACT(&house, &drive, KLM_OK, 0, KLM_MSG_NONE);
    struct km_call *key = create_key(&house, SERIAL, "ACC001", NULL, NULL, 0);
    CHECK_RC(key->rc, KLM_OK);
    km_call_free(&key);
    struct km_call *list = run_call(&house, KM_DRIVE_LIST, &oper, "drivename", SERIAL, NULL);
    CHECK_STR(cell(list, 0, "Certificate"), drive.fingerprint);
    CHECK_STR(cell(list, 0, "Alias 1"), "L1");
    km_call_free(&list);
}

TEST(another_certificate_for_a_pinned_drive_is_refused)
{
    serving();
    struct drive twin;

    make_drive(&house, &twin, SERIAL, WWN,
               CA_LABEL); /* the authority made two for one serial number */
    enter();
    CONTACT(&house, &drive, KLM_OK, 0, KLM_MSG_NONE);
    CONTACT(&house, &twin, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT);
    CHECK(events(&house, "drive-contact", SMF_FAILURE, "KLM0923E", twin.fingerprint) > 0);
    drive_done(&twin);
}

TEST(a_drive_with_another_world_wide_name_than_the_table_is_refused)
{
    serving();
    struct drive moved;

    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000W1", "wwn", "5005076302400011");
    make_drive(&house, &moved, "0000000000W1", "5005076302400012", CA_LABEL);
    CONTACT(&house, &moved, KLM_E_DENIED, 0xEE2C, KLM_MSG_DRIVE_OTHER_WWN);
    drive_done(&moved);
}

TEST(a_drive_in_the_table_without_a_certificate_is_pinned_at_its_first_contact)
{
    serving();
    struct drive first, second;

    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000F1");
    make_drive(&house, &first, "0000000000F1", "5005076302400021", CA_LABEL);
    make_drive(&house, &second, "0000000000F1", "5005076302400021", CA_LABEL);
    CONTACT(&house, &first, KLM_OK, 0, KLM_MSG_NONE);
    CONTACT(&house, &first, KLM_OK, 0, KLM_MSG_NONE);
    CONTACT(&house, &second, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT);
    struct km_call *list =
        run_call(&house, KM_DRIVE_LIST, &oper, "drivename", "0000000000F1", NULL);
    CHECK_STR(cell(list, 0, "Certificate"), first.fingerprint);
    CHECK_STR(cell(list, 0, "WWN"), "5005076302400021");
    CHECK(strcmp(cell(list, 0, "First Contact"), "never") != 0);
    km_call_free(&list);
    drive_done(&first);
    drive_done(&second);
}

static void *contact_thread(void *arg)
{
    return contact(&house, arg);
}

TEST(of_two_first_contacts_at_a_time_only_one_certificate_is_pinned)
{
    serving();
    struct drive twin[2];
    pthread_t thread[2];
    struct km_call *call[2];

    make_drive(&house, &twin[0], "0000000000T1", "5005076302400031", CA_LABEL);
    make_drive(&house, &twin[1], "0000000000T1", "5005076302400031", CA_LABEL);
    for (int round = 0; round < 10; round++) {
        DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000T1", "rec1", "L1");
        for (int i = 0; i < 2; i++) {
            REQUIRE(pthread_create(&thread[i], NULL, contact_thread, &twin[i]) == 0);
        }
        for (int i = 0; i < 2; i++) {
            void *out;
            pthread_join(thread[i], &out);
            call[i] = out;
        }
        CHECK_INT((call[0]->rc == KLM_OK) + (call[1]->rc == KLM_OK), 1);
        km_call_free(&call[0]);
        km_call_free(&call[1]);
        DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "0000000000T1");
    }
    drive_done(&twin[0]);
    drive_done(&twin[1]);
}

TEST(accepting_unknown_drives_adds_them_with_a_warning)
{
    serving();
    struct drive new;

    policy("true");
    make_drive(&house, &new, "0000000000A1", "5005076302400041", CA_LABEL);
    listen_now();
    CONTACT(&house, &new, KLM_OK, 0, KLM_MSG_NONE);
    CHECK_INT(times_said("KLM0925W"), 1);
    CHECK_INT(in_table("0000000000A1"), 1);
    CONTACT(&house, &new, KLM_OK, 0, KLM_MSG_NONE);
    CHECK_INT(times_said("KLM0925W"), 1);
    DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "0000000000A1");
    drive_done(&new);
    policy("false");
}

static void *accept_thread(void *arg)
{
    return contact(&house, arg);
}

TEST(two_sessions_of_a_new_drive_at_a_time_are_both_admitted)
{
    serving();
    struct drive new;
    pthread_t thread[4];

    policy("true");
    make_drive(&house, &new, "0000000000A2", "5005076302400042", CA_LABEL);
    for (int i = 0; i < 4; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, accept_thread, &new) == 0);
    }
    for (int i = 0; i < 4; i++) {
        void *out;
        pthread_join(thread[i], &out);
        expect(out, KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    }
    drive_done(&new);
    policy("false");
}

TEST(disk_systems_have_a_policy_of_their_own)
{
    serving();
    struct drive disk;

    policy("true");
    make_drive(&house, &disk, "0000000000D1", "5005076302400051", CA_LABEL);
    const struct km_actor actor = drive_actor(&disk, 0);
    struct km_call *call = new_call(&house, KM_DRIVE_CONTACT, &actor);
    struct km_contact *req = call->req;
    req->serial = disk.serial;
    req->wwn = disk.wwn;
    req->kind = DT_DS8000;
    req->cert = KLM_SLICE(disk.der, disk.n);
    (void)km_run_wait(call);
    check_contact(call, KLM_E_DENIED, 0xEF01, KLM_MSG_DRIVE_UNKNOWN, __FILE__, __LINE__);
    drive_done(&disk);
    policy("false");
}

/* ---- Identity */

TEST(a_drive_whose_authority_is_not_in_the_ring_is_refused)
{
    serving();
    struct drive other;

    policy("true");
    make_drive(&house, &other, "0000000000O1", "5005076302400061", "OtherCA");
    struct km_call *call = contact(&house, &other);
    CHECK_RC(call->rc, KLM_E_DENIED);
    CHECK_INT(call->device_code, 0xEE2B);
    CHECK(call->diag.msg != KLM_MSG_NONE);
    km_call_free(&call);
    CHECK_INT(in_table("0000000000O1"), 0);
    drive_done(&other);
    policy("false");
}

/* A contact with any certificate, claimed identity and proof. */
static struct km_call *claim(const char *serial, const char *wwn, struct klm_slice cert,
                             struct klm_slice binding, struct klm_slice signature)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE, .name = serial, .address = "a"};
    struct km_call *call = new_call(&house, KM_DRIVE_CONTACT, &actor);
    struct km_contact *req = call->req;

    req->serial = serial;
    req->wwn = wwn;
    req->cert = cert;
    req->binding = binding;
    req->signature = signature;
    (void)km_run_wait(call);
    return call;
}

#define NO_BYTES KLM_SLICE(NULL, 0)

TEST(a_drive_must_be_the_one_its_certificate_names)
{
    serving();
    struct klm_slice cert = KLM_SLICE(drive.der, drive.n);

    check_contact(claim(SERIAL, WWN, NO_BYTES, NO_BYTES, NO_BYTES), KLM_E_DENIED, 0xEE2B,
                  KLM_MSG_DRIVE_NO_CERT, __FILE__, __LINE__);
    check_contact(claim("000007888423", WWN, cert, NO_BYTES, NO_BYTES), KLM_E_DENIED, 0xEE2C,
                  KLM_MSG_DRIVE_NOT_ITS_CERT, __FILE__, __LINE__);
    check_contact(claim(SERIAL, "500507630240FBCD", cert, NO_BYTES, NO_BYTES), KLM_E_DENIED, 0xEE2C,
                  KLM_MSG_DRIVE_NOT_ITS_CERT, __FILE__, __LINE__);
    check_contact(claim(SERIAL, WWN, KLM_SLICE(drive.der, drive.n - 1), NO_BYTES, NO_BYTES),
                  KLM_E_DENIED, 0xEE2C, KLM_MSG_DRIVE_NOT_ITS_CERT, __FILE__, __LINE__);
    check_contact(claim(SERIAL, WWN, KLM_SLICE("rubbish", 7), NO_BYTES, NO_BYTES), KLM_E_DENIED,
                  0xEE2C, KLM_MSG_DRIVE_NOT_ITS_CERT, __FILE__, __LINE__);
}

TEST(a_key_label_or_a_server_is_never_a_drive)
{
    serving();
    static const char *const labels[] = {"L1", "Server"};

    policy("true");
    for (size_t i = 0; i < KLM_COUNT(labels); i++) {
        struct km_call *out = run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label",
                                       labels[i], "format", "CERTDER", NULL);
        REQUIRE_OK(out->rc);
        check_contact(claim(SERIAL, WWN, out->bytes, NO_BYTES, NO_BYTES), KLM_E_DENIED, 0xEE2C,
                      KLM_MSG_DRIVE_NOT_ITS_CERT, __FILE__, __LINE__);
        km_call_free(&out);
    }
    policy("false");
}

TEST(a_signature_proves_the_drive_for_this_session_only)
{
    serving();
    uint8_t binding[32], signature[256];
    size_t n = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct klm_slice cert = KLM_SLICE(drive.der, drive.n);

    memset(binding, 7, sizeof binding);
    REQUIRE(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, drive.key) == 1);
    REQUIRE(EVP_DigestSign(ctx, signature, &n, binding, sizeof binding) == 1);
    EVP_MD_CTX_free(ctx);
    enter();
    check_contact(claim(SERIAL, WWN, cert, KLM_SLICE(binding, 32), KLM_SLICE(signature, n)), KLM_OK,
                  0, KLM_MSG_NONE, __FILE__, __LINE__);
    binding[31] ^= 1;
    check_contact(claim(SERIAL, WWN, cert, KLM_SLICE(binding, 32), KLM_SLICE(signature, n)),
                  KLM_E_DENIED, 0xEE29, KLM_MSG_DRIVE_SIGNATURE, __FILE__, __LINE__);
    binding[31] ^= 1;
    check_contact(claim(SERIAL, WWN, cert, KLM_SLICE(binding, 32), KLM_SLICE(signature, n - 1)),
                  KLM_E_DENIED, 0xEE29, KLM_MSG_DRIVE_SIGNATURE, __FILE__, __LINE__);
    check_contact(claim(SERIAL, WWN, cert, KLM_SLICE(binding, 32), NO_BYTES), KLM_E_DENIED, 0xEE29,
                  KLM_MSG_DRIVE_SIGNATURE, __FILE__, __LINE__);
}

TEST(an_expired_drive_certificate_is_refused)
{
    serving();
    klm_clock_set(klm_clock() + 400LL * 86400 * 1000000);
    struct km_call *call = contact(&house, &drive);
    klm_clock_set(0);
    CHECK_RC(call->rc, KLM_E_DENIED);
    CHECK_INT(call->device_code, 0xEE2B);
    km_call_free(&call);
}

TEST(last_contact_and_volume_of_a_drive_come_to_the_listing)
{
    serving();
    enter();
    CONTACT(&house, &drive, KLM_OK, 0, KLM_MSG_NONE);
    struct km_call *key = create_key(&house, SERIAL, "LAST01", "L1", NULL, KX_ENC_LABEL);
    REQUIRE_OK(key->rc);
    km_call_free(&key);
    bool shown = false;
    WAIT_FOR(shown, 20)
    {
        struct km_call *list = run_call(&house, KM_DRIVE_LIST, &oper, "drivename", SERIAL, NULL);
        shown = strcmp(cell(list, 0, "Last VolSer"), "LAST01") == 0 &&
                strcmp(cell(list, 0, "Last Contact"), "never") != 0;
        km_call_free(&list);
    }
    CHECK(shown);
}

TEST(zz_close)
{
    serving();
    drive_done(&drive);
    close_house(&house);
    CHECK(house.server == NULL);
}
