/* Disk systems: a data key for an encryption group, given out again when the array is switched on, wrapped again for other labels; which kind of device
 * may use which verb. */
#include "keymgr/km_help.h"

#define ARRAY "DS8000ABC001"
#define ARRAY_WWN "5005076303FFC001"

static struct house house;

static void policy(const char *value)
{
    DO(&house, KM_CONFIG_SET, &admin, "property", "ds8k.acceptUnknownDrives", "value", value);
}

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "disk", "");
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", ARRAY, "kind", "DS8000", "rec1", "L1", "rec2",
           "L2");
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1", "rec2", "L2");
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", "LTO000000001", "kind", "LTO");
    }
}

static struct km_call *asked(enum km_verb_id verb, const char *serial)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE,
                                   .roles = KM_ROLE_DRIVE,
                                   .name = serial,
                                   .address = "192.0.2.9:40022"};
    struct km_call *call = new_call(&house, verb, &actor);

    return call;
}

static struct km_call *create(const char *serial, const char *label)
{
    struct km_call *call = asked(KM_DISK_CREATE, serial);
    struct km_key_create *req = call->req;

    req->serial = serial;
    req->volser = "EG0001";
    req->session_key = session_key;
    if (label) {
        req->labels_n = 1;
        req->labels[0].encoding = KX_ENC_HASH;
        snprintf(req->labels[0].label, sizeof req->labels[0].label, "%s", label);
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *unlock(const char *serial, struct klm_slice one, struct klm_slice two)
{
    struct km_call *call = asked(KM_DISK_UNLOCK, serial);
    struct km_key_get *req = call->req;

    req->serial = serial;
    req->volser = "EG0001";
    req->session_key = session_key;
    req->eedk[0] = one;
    req->eedk[1] = two;
    req->eedk_n = two.n ? 2 : 1;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *rewrap(const char *serial, struct klm_slice eedk, const char *label)
{
    struct km_call *call = asked(KM_DISK_REWRAP, serial);
    struct km_key_translate *req = call->req;

    req->serial = serial;
    req->volser = "EG0001";
    req->eedk[0] = eedk;
    req->eedk_n = 1;
    req->labels_n = 1;
    req->labels[0].encoding = KX_ENC_LABEL;
    snprintf(req->labels[0].label, sizeof req->labels[0].label, "%s", label);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* Usage events of the drive; the newest is the first row. */
static struct km_call *usage_of(const char *serial)
{
    struct km_call *call = run_call(&house, KM_USAGE_QUERY, &oper, "drivename", serial, NULL);

    REQUIRE_OK(call->rc);
    return call;
}

TEST(a_disk_system_gets_a_data_key_and_gets_it_again_from_either_eedk)
{
    serving();
    struct km_call *made = create(ARRAY, NULL), *call;

    REQUIRE_OK(made->rc);
    CHECK_INT(made->keyed.eedk_n, 2);
    CHECK_STR(made->keyed.labels[0].label, "L1");
    CHECK_STR(made->keyed.labels[1].label, "L2");
    for (size_t i = 0; i < 2; i++) {
        call = unlock(ARRAY, made->keyed.eedk[i], made->keyed.eedk[1 - i]);
        CHECK_RC(call->rc, KLM_OK);
        CHECK_MEM(call->keyed.wrapped, made->keyed.wrapped, 40);
        CHECK_STR(call->keyed.labels[0].label, i == 0 ? "L1" : "L2");
        km_call_free(&call);
    }
    km_call_free(&made);
}

/* An array that waits for its key must not wait for a disk of the key server: an unlock changes nothing in the store. */
TEST(each_unlock_is_in_the_audit_and_changes_nothing)
{
    serving();
    struct km_call *made = create(ARRAY, NULL), *before = usage_of(ARRAY);
    size_t audited = events(&house, "disk-unlock", SMF_SUCCESS, NULL, "EG0001");

    REQUIRE_OK(made->rc);
    bool unchanged = false;
    /* The writer may write down contacts meanwhile: an unlock that changes something does so each time. */
    for (int turn = 0; turn < 5 && !unchanged; turn++) {
        uint64_t changes = quiet_number(&house);
        struct km_call *call = unlock(ARRAY, made->keyed.eedk[1], made->keyed.eedk[0]);

        REQUIRE_OK(call->rc);
        unchanged = st_number(km_store(house.server)) == changes;
        audited++;
        km_call_free(&call);
    }
    CHECK(unchanged);
    CHECK_INT(events(&house, "disk-unlock", SMF_SUCCESS, NULL, "EG0001"), audited);
    CHECK_INT(events(&house, "disk-unlock", SMF_SUCCESS, NULL,
                     "Disk Unlock Request: Drive Serial Number: " ARRAY),
              audited);
    struct km_call *after = usage_of(ARRAY);
    CHECK_INT(after->rows.n, before->rows.n);
    km_call_free(&after);
    km_call_free(&before);
    km_call_free(&made);
}

TEST(a_rewrap_opens_with_the_new_label_and_gives_no_key_away)
{
    serving();
    struct km_call *made = create(ARRAY, "L1"), *call;
    static const uint8_t zero[40];

    REQUIRE_OK(made->rc);
    struct km_call *moved = rewrap(ARRAY, made->keyed.eedk[0], "L2");
    REQUIRE_OK(moved->rc);
    CHECK_MEM(moved->keyed.wrapped, zero, 40);
    call = unlock(ARRAY, moved->keyed.eedk[0], (struct klm_slice){0});
    CHECK_RC(call->rc, KLM_OK);
    CHECK_MEM(call->keyed.wrapped, made->keyed.wrapped, 40);
    CHECK_STR(call->keyed.labels[0].label, "L2");
    km_call_free(&call);
    km_call_free(&moved);
    km_call_free(&made);
}

TEST(a_label_that_is_not_here_and_an_eedk_that_is_damaged_are_refused)
{
    serving();
    size_t failed = events(&house, "disk-unlock", SMF_FAILURE, NULL, "EG0001");
    struct km_call *call = create(ARRAY, "no such label");

    CHECK_INT(call->device_code, 0xEE31);
    expect(call, KLM_E_NOTFOUND, KLM_MSG_LABEL_UNKNOWN, __FILE__, __LINE__);
    struct km_call *made = create(ARRAY, NULL);
    REQUIRE_OK(made->rc);
    uint8_t bad[KX_EEDK_MAX];
    struct klm_slice one = made->keyed.eedk[0];
    memcpy(bad, one.p, one.n);
    bad[one.n - 1] ^= 1;
    call = unlock(ARRAY, KLM_SLICE(bad, one.n), (struct klm_slice){0});
    CHECK_INT(call->device_code, 0xEE32);
    CHECK_RC(call->rc, KLM_E_CRYPTO);
    km_call_free(&call);
    call = unlock(ARRAY, KLM_SLICE(bad, one.n), made->keyed.eedk[1]); /* the other still opens */
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    CHECK_INT(events(&house, "disk-unlock", SMF_FAILURE, NULL, "EG0001"), failed + 1);
    km_call_free(&made);
}

static void refused_kind(struct km_call *call, int line)
{
    test_int(call->device_code, 0xEE30, "device code", __FILE__, line);
    expect(call, KLM_E_DENIED, KLM_MSG_KIND_NOT_SERVED, __FILE__, line);
}

TEST(a_tape_drive_gets_no_disk_verb_and_a_disk_system_no_tape_verb)
{
    serving();
    struct km_call *made = create(ARRAY, NULL);
    struct klm_slice one = made->keyed.eedk[0], none = {0};
    size_t before = events(&house, "key-get", SMF_FAILURE, "KLM1800E", ARRAY);

    REQUIRE_OK(made->rc);
    refused_kind(create(SERIAL, NULL), __LINE__);
    refused_kind(unlock(SERIAL, one, none), __LINE__);
    refused_kind(rewrap(SERIAL, one, "L2"), __LINE__);
    refused_kind(create_key(&house, ARRAY, "TAPE01", NULL, NULL, 0), __LINE__);
    refused_kind(get_key(&house, ARRAY, "TAPE01", &one, 1), __LINE__);
    refused_kind(create_key(&house, "LTO000000001", "TAPE01", NULL, NULL, 0), __LINE__);
    refused_kind(create("LTO000000001", NULL), __LINE__);
    CHECK_INT(events(&house, "key-get", SMF_FAILURE, "KLM1800E", ARRAY), before + 1);
    km_call_free(&made);
}

TEST(an_array_that_is_not_in_the_table_gets_EF01)
{
    serving();
    struct km_call *call = create("DS8000ABC999", NULL);

    CHECK_INT(call->device_code, 0xEF01);
    expect(call, KLM_E_DENIED, KLM_MSG_DRIVE_UNKNOWN, __FILE__, __LINE__);
}

TEST(the_kinds_table_finds_the_verb_of_a_message)
{
    CHECK_INT(km_verb_for(KX_CREATE, DT_3592), KM_KEY_CREATE);
    CHECK_INT(km_verb_for(KX_CREATE, DT_DS8000), KM_DISK_CREATE);
    CHECK_INT(km_verb_for(KX_GET, DT_DS8000), KM_DISK_UNLOCK);
    CHECK_INT(km_verb_for(KX_TRANSLATE, DT_DS8000), KM_DISK_REWRAP);
    CHECK_INT(km_verb_for(KX_GET, DT_LTO), KM_KEY_GET); /* which refuses it */
    CHECK(!km_verb_serves(KM_KEY_GET, DT_LTO));
    CHECK_INT(km_verb_for(KX_VERIFY, DT_LTO), KM_DRIVE_VERIFY);
    CHECK_INT(km_verb_for(KX_BYE, DT_3592), KM_VERBS);
    CHECK(!km_verb_serves(KM_STATUS, DT_3592));
}

/* ---- ds8k.acceptUnknownDrives */

static struct km_call *contact_as(const struct drive *drive, enum dt_kind kind)
{
    const struct km_actor actor = drive_actor(drive, 0);
    struct km_call *call = new_call(&house, KM_DRIVE_CONTACT, &actor);
    struct km_contact *req = call->req;

    req->serial = drive->serial;
    req->wwn = drive->wwn;
    req->kind = kind;
    req->cert = KLM_SLICE(drive->der, drive->n);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

TEST(unknown_arrays_are_refused_listed_or_taken_as_their_own_property_says)
{
    serving();
    struct drive array;
    struct km_call *call;

    make_drive(&house, &array, "DS8000ABC777", ARRAY_WWN, CA_LABEL);
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.acceptUnknownDrives", "value", "true");
    policy("false");
    call = contact_as(&array, DT_DS8000);
    CHECK_INT(call->device_code, 0xEF01);
    expect(call, KLM_E_DENIED, KLM_MSG_DRIVE_UNKNOWN, __FILE__, __LINE__);
    policy("pending");
    call = contact_as(&array, DT_DS8000);
    CHECK_INT(call->device_code, 0xEF01);
    expect(call, KLM_OK, KLM_MSG_DRIVE_PENDING, __FILE__, __LINE__);
    call = run_call(&house, KM_PENDING_LIST, &oper, NULL);
    CHECK_INT(call->rows.n, 1);
    km_call_free(&call);
    DO(&house, KM_PENDING_ACCEPT, &admin, "drivename", array.serial, "rec1", "L1");
    call = contact_as(&array, DT_DS8000);
    CHECK_INT(call->device_code, 0);
    CHECK_INT(call->drive.kind, DT_DS8000);
    km_call_free(&call);
    call = create(array.serial, NULL);
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    DO(&house, KM_DRIVE_DELETE, &admin, "drivename", array.serial);
    policy("true");
    call = contact_as(&array, DT_DS8000);
    CHECK_INT(call->device_code, 0);
    CHECK_INT(call->drive.kind, DT_DS8000);
    km_call_free(&call);
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.acceptUnknownDrives", "value", "false");
    drive_done(&array);
}

TEST(zz_close)
{
    serving();
    close_house(&house);
    CHECK(house.server == NULL);
}
