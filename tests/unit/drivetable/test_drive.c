/* Drives and pending drives as records of the store. */
#include "dt_help.h"

/* Made with Python's struct module by the description in drivetable/record.h. */
static const char drive_hex[] =
    "0102103537353734453431344434353330333000000647524f55503140653362306334343239386663316331343961"
    "6662663463383939366662"
    "3932343237616534316534363439623933346361343935393931623738353262383535"
    "0004af97d22e13000004af97d23d554106575859363632";
static const char pending_hex[] =
    "0103103530303530373633303234304642434340653362306334343239386663316331343961666266346338393936"
    "666239323432376165"
    "343165343634396239333463613439353939316237383532623835350f3139322e302e322e373a3430303232"
    "0004af97d22e13000004af97d23d55410000000000000005000430020500";

static struct klm_slice bytes_of(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, out, cap, &n));
    return KLM_SLICE(out, n);
}

static struct dt_drive vector_drive(void)
{
    struct dt_drive d = {.kind = DT_LTO, .first_contact = T0, .last_contact = T0 + 1000001};

    SET(d.serial, SN);
    SET(d.wwn, "57574E414D453030");
    SET(d.symalias, "GROUP1");
    SET(d.fingerprint, PIN);
    SET(d.last_volser, "WXY662");
    return d;
}

TEST(a_drive_is_added_changed_and_deleted)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct dt_drive d = help_drive(SN), got;

    CHECK_RC(dt_modify(c, &d), KLM_E_NOTFOUND);
    REQUIRE_OK(dt_add(c, &d));
    CHECK_RC(dt_add(c, &d), KLM_E_EXISTS);
    SET(d.alias2, "another one");
    d.kind = DT_DS8000;
    REQUIRE_OK(dt_modify(c, &d));
    REQUIRE_OK(dt_get(st_change_view(c), SN, &got));
    CHECK(help_same(&got, &d));
    REQUIRE_OK(dt_delete(c, SN));
    CHECK_RC(dt_delete(c, SN), KLM_E_NOTFOUND);
    CHECK_RC(dt_get(st_change_view(c), SN, &got), KLM_E_NOTFOUND);
    CHECK_RC(dt_get(st_change_view(c), "", &got), KLM_E_NOTFOUND);
    CHECK_RC(dt_get(st_change_view(c), "0000078884221", &got), KLM_E_NOTFOUND);
    st_change_drop(&c);
    st_close(&store);
}

static void refuse(void (*spoil)(struct dt_drive *))
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct dt_drive d = help_drive(SN);

    spoil(&d);
    CHECK_RC(dt_add(c, &d), KLM_E_INVALID);
    CHECK_INT(st_change_size(c), 0);
    st_change_drop(&c);
    st_close(&store);
}

static void spoil_serial(struct dt_drive *d)
{
    SET(d->serial, "fvtdrive0000"); /* not its one spelling */
}
static void spoil_wwn(struct dt_drive *d)
{
    SET(d->wwn, "500507630240fbcc");
}
static void spoil_alias(struct dt_drive *d)
{
    SET(d->alias1, "a\nb");
}
static void spoil_alias_end(struct dt_drive *d)
{
    memset(d->alias2, 'x', sizeof d->alias2); /* one character too long: no end */
}
static void spoil_alias_utf8(struct dt_drive *d)
{
    SET(d->symalias, "\xC3");
}
static void spoil_pin(struct dt_drive *d)
{
    SET(d->fingerprint, "E3B0");
}
static void spoil_volser(struct dt_drive *d)
{
    SET(d->last_volser, "wxy662");
}
static void spoil_kind(struct dt_drive *d)
{
    d->kind = (enum dt_kind)3;
}
static void spoil_time(struct dt_drive *d)
{
    d->last_contact = -1;
}

TEST(drives_with_a_malformed_field_are_refused)
{
    refuse(spoil_serial);
    refuse(spoil_wwn);
    refuse(spoil_alias);
    refuse(spoil_alias_end);
    refuse(spoil_alias_utf8);
    refuse(spoil_pin);
    refuse(spoil_volser);
    refuse(spoil_kind);
    refuse(spoil_time);
}

TEST(the_longest_alias_is_kept_whole)
{
    struct st_store *store = help_store();
    struct dt_drive d = help_drive(SN), got;
    struct st_view *view;

    memset(d.alias1, 'x', DT_ALIAS_MAX);
    d.alias1[DT_ALIAS_MAX] = '\0';
    help_add(store, &d);
    view = help_view(store);
    REQUIRE_OK(dt_get(view, SN, &got));
    CHECK_STR(got.alias1, d.alias1);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_record_made_by_other_means_is_read_and_written_alike)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct klm_pool *pool = NULL;
    struct klm_slice record;
    uint8_t raw[400];
    struct klm_slice vector = bytes_of(drive_hex, raw, sizeof raw);
    struct dt_drive want = vector_drive(), got;

    REQUIRE_OK(st_put(c, ST_DRIVE, klm_slice_str(SN), vector));
    REQUIRE_OK(dt_get(st_change_view(c), SN, &got));
    CHECK(help_same(&got, &want));
    REQUIRE_OK(dt_delete(c, SN));
    REQUIRE_OK(dt_add(c, &want));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_get(st_change_view(c), ST_DRIVE, klm_slice_str(SN), pool, &record));
    CHECK_INT(record.n, vector.n);
    CHECK_MEM(record.p, vector.p, vector.n);
    klm_pool_free(&pool);
    st_change_drop(&c);
    st_close(&store);
}

/* Every shorter record, one byte too many, and every byte changed to something that cannot be
 * there. */
TEST(a_record_cut_short_or_too_long_is_damaged)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    uint8_t raw[400] = {0};
    size_t n = bytes_of(drive_hex, raw, sizeof raw - 1).n;
    struct dt_drive got = {.serial = "unchanged"};

    for (size_t cut = 0; cut <= n + 1; cut++) {
        REQUIRE_OK(st_put(c, ST_DRIVE, klm_slice_str(SN), KLM_SLICE(raw, cut)));
        if (cut != n) {
            CHECK_RC(dt_get(st_change_view(c), SN, &got), KLM_E_CORRUPT);
        }
    }
    CHECK_STR(got.serial, "unchanged");
    raw[0] = 2;
    REQUIRE_OK(st_put(c, ST_DRIVE, klm_slice_str(SN), KLM_SLICE(raw, n)));
    CHECK_RC(dt_get(st_change_view(c), SN, &got), KLM_E_CORRUPT); /* a version we do not know */
    raw[0] = 1;
    raw[1] = 4;
    REQUIRE_OK(st_put(c, ST_DRIVE, klm_slice_str(SN), KLM_SLICE(raw, n)));
    CHECK_RC(dt_get(st_change_view(c), SN, &got), KLM_E_CORRUPT); /* a kind we do not know */
    CHECK_RC(dt_add(c, &(struct dt_drive){.serial = SN}), KLM_E_CORRUPT);
    CHECK_RC(dt_delete(c, SN), KLM_OK); /* the way to be rid of it */
    st_change_drop(&c);
    st_close(&store);
}

static klm_rc count_drive(void *arg, const struct dt_drive *d)
{
    char *all = arg;
    size_t n = strlen(all);

    snprintf(all + n, 200 - n, "%s ", d->serial);
    return strcmp(d->serial, "STOPHERE0000") == 0 ? KLM_E_STATE : KLM_OK;
}

TEST(a_scan_goes_by_serial_number_and_names_what_is_damaged)
{
    struct st_store *store = help_store();
    struct st_change *c;
    struct dt_drive a = help_drive("FVTDRIVE0000"), b = help_drive(SN),
                    s = help_drive("STOPHERE0000");
    char all[200] = "";

    help_add(store, &a);
    help_add(store, &b);
    c = help_begin(store);
    REQUIRE_OK(st_put(c, ST_DRIVE, klm_slice_str("DAMAGED00000"), KLM_SLICE("\1", 1)));
    help_listen();
    REQUIRE_OK(dt_scan(st_change_view(c), count_drive, all));
    CHECK_STR(all, SN " FVTDRIVE0000 ");
    CHECK(help_heard("KLM0206E") && help_heard("DAMAGED00000"));
    REQUIRE_OK(dt_add(c, &s));
    CHECK_RC(dt_scan(st_change_view(c), count_drive, all), KLM_E_STATE);
    klm_say_to(NULL, NULL);
    st_change_drop(&c);
    st_close(&store);
}

static struct dt_pending pending(const char *serial)
{
    struct dt_pending p = {.kind = DT_DS8000,
                           .first_contact = T0,
                           .last_contact = T0 + 1000001,
                           .contacts = 5,
                           .cert = {(const uint8_t *)"\x30\x02\x05\x00", 4}};

    SET(p.serial, serial);
    SET(p.wwn, "500507630240FBCC");
    SET(p.fingerprint, PIN);
    SET(p.address, "192.0.2.7:40022");
    return p;
}

TEST(the_list_of_pending_drives_is_bounded_and_pushes_nobody_out)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct dt_pending p = pending("PENDING00000");

    CHECK_RC(dt_pending_put(c, &p, 0), KLM_E_LIMIT);
    REQUIRE_OK(dt_pending_put(c, &p, 2));
    p = pending("PENDING00001");
    REQUIRE_OK(dt_pending_put(c, &p, 2));
    p = pending("PENDING00002");
    CHECK_RC(dt_pending_put(c, &p, 2), KLM_E_LIMIT);
    p = pending("PENDING00000");
    p.contacts = 6;
    REQUIRE_OK(dt_pending_put(c, &p, 2)); /* it is on the list already */
    REQUIRE_OK(dt_pending_delete(c, "PENDING00001"));
    CHECK_RC(dt_pending_delete(c, "PENDING00001"), KLM_E_NOTFOUND);
    CHECK_RC(dt_pending_delete(c, "PENDING"), KLM_E_NOTFOUND);
    p = pending("PENDING00002");
    REQUIRE_OK(dt_pending_put(c, &p, 2));
    st_change_drop(&c);
    st_close(&store);
}

static klm_rc count_pending(void *arg, const struct dt_pending *p)
{
    *(uint64_t *)arg += p->contacts;
    return KLM_OK;
}

TEST(a_pending_drive_keeps_what_it_showed)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct klm_pool *pool = NULL;
    struct dt_pending p = pending(SN), got;
    struct klm_slice record;
    uint8_t raw[300];
    struct klm_slice vector = bytes_of(pending_hex, raw, sizeof raw);
    uint64_t contacts = 0;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_RC(dt_pending_get(st_change_view(c), SN, pool, &got), KLM_E_NOTFOUND);
    REQUIRE_OK(dt_pending_put(c, &p, 10));
    REQUIRE_OK(dt_pending_get(st_change_view(c), SN, pool, &got));
    CHECK_STR(got.address, "192.0.2.7:40022");
    CHECK_STR(got.fingerprint, PIN);
    CHECK_INT(got.kind, DT_DS8000);
    CHECK_INT(got.cert.n, 4);
    CHECK_MEM(got.cert.p, p.cert.p, 4);
    REQUIRE_OK(st_get(st_change_view(c), ST_PENDING, klm_slice_str(SN), pool, &record));
    CHECK_INT(record.n, vector.n);
    CHECK_MEM(record.p, vector.p, vector.n);
    REQUIRE_OK(dt_pending_scan(st_change_view(c), count_pending, &contacts));
    CHECK_INT(contacts, 5);
    klm_pool_free(&pool);
    st_change_drop(&c);
    st_close(&store);
}

TEST(a_pending_record_cut_short_or_too_long_is_damaged_and_named)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct klm_pool *pool = NULL;
    struct dt_pending p = pending(SN), got;
    uint8_t raw[300] = {0};
    size_t n = bytes_of(pending_hex, raw, sizeof raw - 1).n;
    uint64_t contacts = 0;

    REQUIRE_OK(klm_pool_new(0, &pool));
    for (size_t cut = 0; cut <= n + 1; cut++) {
        if (cut != n) {
            REQUIRE_OK(st_put(c, ST_PENDING, klm_slice_str(SN), KLM_SLICE(raw, cut)));
            CHECK_RC(dt_pending_get(st_change_view(c), SN, pool, &got), KLM_E_CORRUPT);
        }
    }
    help_listen();
    REQUIRE_OK(dt_pending_scan(st_change_view(c), count_pending, &contacts));
    klm_say_to(NULL, NULL);
    CHECK_INT(contacts, 0);
    CHECK(help_heard("KLM0207E"));
    REQUIRE_OK(dt_pending_put(c, &p, 1)); /* a damaged one is replaced */
    REQUIRE_OK(dt_pending_get(st_change_view(c), SN, pool, &got));
    klm_pool_free(&pool);
    st_change_drop(&c);
    st_close(&store);
}

TEST(pending_drives_with_a_malformed_field_are_refused)
{
    static uint8_t big[16385];
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct dt_pending p = pending("short");

    CHECK_RC(dt_pending_put(c, &p, 10), KLM_E_INVALID);
    p = pending(SN);
    SET(p.address, "a\x1b[2J");
    CHECK_RC(dt_pending_put(c, &p, 10), KLM_E_INVALID);
    p = pending(SN);
    p.cert = KLM_SLICE(big, sizeof big);
    CHECK_RC(dt_pending_put(c, &p, 10), KLM_E_INVALID);
    p.cert.n--;
    REQUIRE_OK(dt_pending_put(c, &p, 10));
    st_change_drop(&c);
    st_close(&store);
}
