/* The drive table: commands on it, the file that operators may edit, transfer to another server. */
#include "keymgr/km_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "drives", "");
    }
}

static struct km_call *listed(const char *serial)
{
    struct km_call *call = run_call(&house, KM_DRIVE_LIST, &oper, "drivename", serial, NULL);

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->rows.n, 1);
    return call;
}

static void is(const char *serial, const char *column, const char *value)
{
    struct km_call *call = listed(serial);

    CHECK_STR(cell(call, 0, column), value);
    km_call_free(&call);
}

TEST(a_drive_is_added_once_with_what_the_command_says)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0007888422", "rec1", "L1", "rec2", "L2", "symrec",
       "LTOGROUP", "wwn", "50:05:07:63:02:40:fb:cc", "kind", "lto");
    is(SERIAL, "Alias 1", "L1");
    is(SERIAL, "Alias 2", "L2");
    is(SERIAL, "Sym Alias", "LTOGROUP");
    is(SERIAL, "WWN", WWN);
    is(SERIAL, "Kind", "LTO");
    is(SERIAL, "Last Contact", "never");
    REFUSED(KLM_E_EXISTS, KLM_MSG_DRIVE_IN_TABLE, &house, KM_DRIVE_ADD, &oper, "drivename", SERIAL);
    REFUSED(KLM_E_INVALID, KLM_MSG_DRIVE_SERIAL, &house, KM_DRIVE_ADD, &oper, "drivename", "12345");
    REFUSED(KLM_E_INVALID, KLM_MSG_DRIVE_WWN, &house, KM_DRIVE_ADD, &oper, "drivename",
            "0000000000B1", "wwn", "123");
    REFUSED(KLM_E_USAGE, KLM_MSG_KIND_UNKNOWN, &house, KM_DRIVE_ADD, &oper, "drivename",
            "0000000000B1", "kind", "DLT");
    REFUSED(KLM_E_USAGE, KLM_MSG_PARAM_MISSING, &house, KM_DRIVE_ADD, &oper, "rec1", "L1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DRIVE_UNKNOWN, &house, KM_DRIVE_LIST, &oper, "drivename",
            "0000000000B1");
}

TEST(an_alias_that_the_ring_does_not_have_is_stored_and_said)
{
    serving();
    listen_now();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000L1", "rec1", "Later");
    CHECK_INT(times_said("KLM0955W Alias Later of drive 0000000000L1"), 1);
    is("0000000000L1", "Alias 1", "Later");
    DO(&house, KM_DRIVE_MODIFY, &oper, "drivename", "0000000000L1", "rec2", "Later too");
    CHECK_INT(times_said("KLM0955W Alias Later too"), 1);
}

TEST(a_drive_is_modified_in_what_is_named_and_nothing_else)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000M1", "rec1", "L1", "rec2", "L2");
    DO(&house, KM_DRIVE_MODIFY, &oper, "drivename", "0000000000m1", "rec2", "");
    is("0000000000M1", "Alias 1", "L1");
    is("0000000000M1", "Alias 2", "");
    DO(&house, KM_DRIVE_MODIFY, &oper, "drivename", "0000000000M1", "kind", "DS8000");
    is("0000000000M1", "Kind", "DS8000");
    is("0000000000M1", "Alias 1", "L1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DRIVE_UNKNOWN, &house, KM_DRIVE_MODIFY, &oper, "drivename",
            "0000000000M2", "rec1", "L1");
    REFUSED(KLM_E_INVALID, KLM_MSG_DRIVE_WWN, &house, KM_DRIVE_MODIFY, &oper, "drivename",
            "0000000000M1", "wwn", "x");
    DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "0000000000M1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DRIVE_UNKNOWN, &house, KM_DRIVE_DELETE, &oper, "drivename",
            "0000000000M1");
    CHECK_INT(events(&house, "drive-delete", SMF_FAILURE, "KLM0204E", "0000000000M1"), 1);
}

static void with_cert(enum km_verb_id verb, const char *serial, const char *wwn,
                      const struct drive *drive, klm_rc rc, enum klm_msg_id msg)
{
    struct km_call *call = new_call(&house, verb, &oper);
    struct km_drive_req *req = call->req;

    req->drivename = serial;
    req->wwn = wwn;
    req->cert = KLM_SLICE(drive->der, drive->n);
    (void)km_run_wait(call);
    expect(call, rc, msg, __FILE__, __LINE__);
}

TEST(adddrive_with_a_certificate_pins_the_drive_before_its_first_contact)
{
    serving();
    struct drive drive, other;

    make_drive(&house, &drive, "0000000000C1", "5005076302400071", CA_LABEL);
    make_drive(&house, &other, "0000000000C2", "5005076302400072", CA_LABEL);
    with_cert(KM_DRIVE_ADD, "0000000000C1", NULL, &other, KLM_E_INVALID,
              KLM_MSG_DRIVE_NOT_ITS_CERT);
    with_cert(KM_DRIVE_ADD, "0000000000C1", "5005076302400079", &drive, KLM_E_INVALID,
              KLM_MSG_DRIVE_OTHER_WWN);
    with_cert(KM_DRIVE_ADD, "0000000000C1", NULL, &drive, KLM_OK, KLM_MSG_NONE);
    is("0000000000C1", "Certificate", drive.fingerprint);
    is("0000000000C1", "WWN", "5005076302400071");
    CONTACT(&house, &drive, KLM_OK, 0, KLM_MSG_NONE);
    /* A new certificate for the drive: the old one is no longer good. */
    struct drive renewed;
    make_drive(&house, &renewed, "0000000000C1", "5005076302400071", CA_LABEL);
    CONTACT(&house, &renewed, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT);
    with_cert(KM_DRIVE_MODIFY, "0000000000C1", NULL, &other, KLM_E_INVALID,
              KLM_MSG_DRIVE_NOT_ITS_CERT);
    with_cert(KM_DRIVE_MODIFY, "0000000000C1", NULL, &renewed, KLM_OK, KLM_MSG_NONE);
    CONTACT(&house, &renewed, KLM_OK, 0, KLM_MSG_NONE);
    CONTACT(&house, &drive, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT);
    drive_done(&drive);
    drive_done(&other);
    drive_done(&renewed);
}

TEST(a_listing_stops_at_its_limit)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000X1");
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000X2");
    struct km_call *all = run_call(&house, KM_DRIVE_LIST, &oper, NULL);
    size_t n = all->rows.n;
    char limit[16];
    CHECK_INT(all->rows.columns, 5);
    km_call_free(&all);
    CHECK(n >= 2);
    snprintf(limit, sizeof limit, "%zu", n);
    struct km_call *exact =
        run_call(&house, KM_DRIVE_LIST, &oper, "limit", limit, "verbose", "", NULL);
    CHECK_RC(exact->rc, KLM_OK);
    CHECK_INT(exact->rows.n, n);
    CHECK_INT(exact->rows.columns, 10);
    km_call_free(&exact);
    struct km_call *one = run_call(&house, KM_DRIVE_LIST, &oper, "limit", "1", NULL);
    CHECK_RC(one->rc, KLM_OK);
    CHECK_INT(one->rows.n, 1);
    km_call_free(&one);
}

/* ---- Export and import */

static struct km_call *import_table(struct klm_slice bytes, bool rewrite)
{
    struct km_call *call = new_call(&house, KM_DRIVE_IMPORT, &oper);
    struct km_file_req *req = call->req;

    req->bytes = bytes;
    req->rewrite = rewrite;
    (void)km_run_wait(call);
    return call;
}

TEST(an_exported_table_comes_back_by_merge_and_by_rewrite)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000E1", "rec1", "L1");
    struct km_call *out = run_call(&house, KM_DRIVE_EXPORT, &oper, NULL);
    REQUIRE_OK(out->rc);
    DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "0000000000E1");
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000E2");
    struct km_call *merge = import_table(out->bytes, false);
    CHECK_RC(merge->rc, KLM_OK);
    CHECK_STR(merge->text, "1 drives added, 0 changed, 0 removed");
    km_call_free(&merge);
    is("0000000000E1", "Alias 1", "L1");
    is("0000000000E2", "Alias 1", "");
    struct km_call *rewrite = import_table(out->bytes, true);
    CHECK_RC(rewrite->rc, KLM_OK);
    CHECK_STR(rewrite->text, "0 drives added, 0 changed, 1 removed");
    km_call_free(&rewrite);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DRIVE_UNKNOWN, &house, KM_DRIVE_LIST, &oper, "drivename",
            "0000000000E2");
    /* The table in memory, which serves, follows too. */
    struct dt_table *table = km_drives(house.server);
    const struct dt_drive *found = NULL;
    CHECK_RC(dt_table_find(table, "0000000000E1", &found), KLM_OK);
    CHECK_RC(dt_table_find(table, "0000000000E2", &found), KLM_E_NOTFOUND);
    dt_table_free(&table);
    km_call_free(&out);
}

TEST(a_damaged_table_is_refused_with_its_line_and_nothing_changes)
{
    serving();
    struct km_call *out = run_call(&house, KM_DRIVE_EXPORT, &oper, NULL);
    uint64_t number = quiet_number(&house);

    REQUIRE_OK(out->rc);
    struct km_call *cut = import_table(KLM_SLICE(out->bytes.p, out->bytes.n / 2), true);
    CHECK_RC(cut->rc, KLM_E_INVALID);
    CHECK(cut->diag.msg != KLM_MSG_NONE && cut->diag.msg != KLM_MSG_VERB_FAILED);
    km_call_free(&cut);
    struct km_call *rubbish = import_table(KLM_SLICE("hello", 5), true);
    CHECK_RC(rubbish->rc, KLM_E_INVALID);
    km_call_free(&rubbish);
    CHECK_INT(st_number(km_store(house.server)), number);
    km_call_free(&out);
}

/* ---- filedrive.table, the file */

static bool table_has(const char *what)
{
    return strstr(text_of(house.table), what) != NULL;
}

/* The file with one text replaced by another, as an editor would write it. */
static void edit(const char *from, const char *to)
{
    const char *text = text_of(house.table), *at = strstr(text, from);
    struct klm_buf out;

    REQUIRE(at != NULL);
    klm_buf_init(&out, 1 << 20);
    klm_buf_put(&out, text, (size_t)(at - text));
    klm_buf_text(&out, to);
    klm_buf_text(&out, at + strlen(from));
    REQUIRE_OK(klm_file_replace(house.table, klm_buf_as_slice(&out), 0644, NULL));
    klm_buf_done(&out);
}

TEST(the_file_follows_the_table_within_seconds)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000V1", "rec1", "VIEWALIAS");
    WAIT_FOR(table_has("VIEWALIAS"), 10)
    {
    }
    CHECK(table_has("0000000000V1"));
    DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "0000000000V1");
    WAIT_FOR(!table_has("0000000000V1"), 10)
    {
    }
    CHECK(!table_has("0000000000V1"));
}

TEST(an_operators_edit_is_not_written_over_and_comes_in_at_refresh)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000G1", "rec1", "BEFORE_G1");
    WAIT_FOR(table_has("BEFORE_G1"), 10)
    {
    }
    REQUIRE(table_has("BEFORE_G1"));
    listen_now();
    edit("BEFORE_G1", "L2");
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000G2"); /* makes the view due */
    WAIT_FOR(times_said("KLM0990W") > 0, 10)
    {
    }
    nap_ms(1500);
    CHECK_INT(times_said("KLM0990W"), 1); /* once, not every second */
    CHECK(!table_has("0000000000G2"));
    is("0000000000G1", "Alias 1", "BEFORE_G1");
    DO(&house, KM_CONFIG_REFRESH, &oper, NULL);
    is("0000000000G1", "Alias 1", "L2");
    WAIT_FOR(table_has("0000000000G2"), 10)
    {
    }
    CHECK(table_has("0000000000G2")); /* the view is written again */
    struct km_call *key = create_key(&house, "0000000000G1", "EDIT01", NULL, NULL, 0);
    CHECK_RC(key->rc, KLM_OK);
    CHECK_STR(key->keyed.labels[0].label, "L2");
    km_call_free(&key);
}

TEST(a_damaged_edit_is_refused_at_refresh_and_the_drives_stay)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000H1", "rec1", "L1");
    WAIT_FOR(table_has("0000000000H1"), 10)
    {
    }
    REQUIRE(table_has("0000000000H1"));
    edit("0000000000H1", "00000000H1");
    edit("00000000H1", "H1");
    struct km_call *call = run_call(&house, KM_CONFIG_REFRESH, &oper, NULL);
    CHECK_RC(call->rc, KLM_E_INVALID);
    CHECK(strstr(call->diag.text, "line") != NULL);
    km_call_free(&call);
    is("0000000000H1", "Alias 1", "L1");
    CHECK(table_has("\nH1")); /* still there for the operator to mend */
    REQUIRE(unlink(house.table) == 0);
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000H2");
    WAIT_FOR(table_has("0000000000H2"), 10)
    {
    }
    CHECK(table_has("0000000000H1"));
}

TEST(an_edit_made_while_the_server_was_down_comes_in_at_start)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000S1", "rec1", "BEFORE_S1");
    close_house(&house);
    REQUIRE(table_has("BEFORE_S1"));
    edit("BEFORE_S1", "L1");
    listen_now();
    open_house(&house, false);
    CHECK_INT(times_said("KLM0933I"), 1);
    is("0000000000S1", "Alias 1", "L1");
    WAIT_FOR(!table_has("BEFORE_S1"), 10)
    {
    }
    CHECK(!table_has("BEFORE_S1"));
}

TEST(a_damaged_table_is_set_aside_at_start_and_the_store_counts)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "0000000000Z1", "rec1", "L1");
    close_house(&house);
    write_file(house.table, "this is no drive table\n");
    listen_now();
    open_house(&house, false);
    CHECK_INT(times_said("KLM0934W"), 1);
    is("0000000000Z1", "Alias 1", "L1");
    char aside[400];
    snprintf(aside, sizeof aside, "%s.damaged", house.table);
    CHECK_STR(text_of(aside), "this is no drive table\n");
    CHECK(table_has("0000000000Z1"));
}

TEST(zz_close)
{
    serving();
    close_house(&house);
    CHECK(table_has("end"));
}
