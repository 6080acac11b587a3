/* Managed objects: identifiers, records, index rows, states. */
#include "object_help.h"

#include <pthread.h>

#define GOLDEN "tests/golden/metadata/"
#define GOLDEN_UID "01331a2b-3c4d-7e5f-8a6b-7c8d9eafb0c1"

/* ---- Identifiers */

static uint64_t millisecond_of(const char *uid)
{
    char hex[13];

    snprintf(hex, sizeof hex, "%.8s%.4s", uid, uid + 9);
    return strtoull(hex, NULL, 16);
}

TEST(an_identifier_is_a_uuid_of_version_7_of_now)
{
    char uid[MD_UID_MAX];

    klm_clock_set(
        INT64_C(4102444800123456)); /* 2100-01-01: beyond what others of this program made */
    REQUIRE_OK(md_uid_new(uid));
    klm_clock_set(0);
    CHECK_INT(strlen(uid), 36);
    CHECK_INT(strspn(uid, "0123456789abcdef-"), 36);
    CHECK(uid[8] == '-' && uid[13] == '-' && uid[18] == '-' && uid[23] == '-');
    CHECK_INT(uid[14], '7');
    CHECK(strchr("89ab", uid[19]) != NULL);
    CHECK_INT(millisecond_of(uid), 4102444800123);
    CHECK(md_uid_ok(uid));
}

TEST(identifiers_grow_within_a_millisecond_and_when_the_clock_goes_back)
{
    char before[MD_UID_MAX] = "", uid[MD_UID_MAX];

    klm_clock_set(INT64_C(4102444900000000));
    for (int i = 0; i < 10000; i++) { /* more than a counter of 12 bits holds */
        if (i == 9000) {
            klm_clock_set(T0);
        }
        REQUIRE_OK(md_uid_new(uid));
        REQUIRE(strcmp(uid, before) > 0);
        memcpy(before, uid, sizeof before);
    }
    klm_clock_set(0);
    CHECK(millisecond_of(uid) - UINT64_C(4102444900000) < 10);
}

#define THREADS 4
#define EACH 5000
static char made[THREADS][EACH][MD_UID_MAX];

static void *make_many(void *arg)
{
    char(*mine)[MD_UID_MAX] = arg;

    for (int i = 0; i < EACH; i++) {
        if (md_uid_new(mine[i]) != KLM_OK) {
            mine[i][0] = '\0';
        }
    }
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

TEST(threads_never_make_the_same_time_twice)
{
    pthread_t thread[THREADS];
    char(*all)[MD_UID_MAX] = made[0];

    for (int t = 0; t < THREADS; t++) {
        REQUIRE(pthread_create(&thread[t], NULL, make_many, made[t]) == 0);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(thread[t], NULL);
        for (int i = 1; i < EACH; i++) {
            REQUIRE(strcmp(made[t][i - 1], made[t][i]) < 0);
        }
    }
    qsort(all, THREADS * EACH, sizeof *all, by_text);
    for (int i = 1; i < THREADS * EACH; i++) {
        REQUIRE(strncmp(all[i - 1], all[i], 18) < 0); /* time and counter alone differ */
    }
}

TEST(the_bytes_of_an_identifier_say_it_in_less_room)
{
    static const char *const none[] = {"",
                                       "1",
                                       "01331A2B-3C4D-7E5F-8A6B-7C8D9EAFB0C1",
                                       "01331a2b3c4d7e5f8a6b7c8d9eafb0c1",
                                       "01331a2b-3c4d-7e5f-8a6b-7c8d9eafb0c",
                                       "01331a2b-3c4d-7e5f-8a6b7-c8d9eafb0c1",
                                       "01331a2b-3c4d-7e5f-8a6b-7c8d9eafb0cg"};
    static const uint8_t want[MD_UID_BYTES] = {0x01, 0x33, 0x1a, 0x2b, 0x3c, 0x4d, 0x7e, 0x5f,
                                               0x8a, 0x6b, 0x7c, 0x8d, 0x9e, 0xaf, 0xb0, 0xc1};
    uint8_t bytes[MD_UID_BYTES];
    char uid[MD_UID_MAX], again[MD_UID_MAX];

    REQUIRE(md_uid_bytes(GOLDEN_UID, bytes));
    CHECK(memcmp(bytes, want, sizeof want) == 0);
    md_uid_text(bytes, again);
    CHECK_STR(again, GOLDEN_UID);
    REQUIRE_OK(md_uid_new(uid));
    REQUIRE(md_uid_bytes(uid, bytes));
    md_uid_text(bytes, again);
    CHECK_STR(again, uid);
    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        CHECK(!md_uid_bytes(none[i], bytes));
    }
}

TEST(what_can_be_an_identifier)
{
    char label[65];

    CHECK(md_uid_ok("1"));
    CHECK(md_uid_ok("123456789012345678901234567890123456"));
    CHECK(!md_uid_ok("1234567890123456789012345678901234567"));
    CHECK(!md_uid_ok(""));
    CHECK(!md_uid_ok("a b"));
    CHECK(!md_uid_ok("a\x7f"));
    CHECK(!md_uid_ok("\xc3\xa4"));
    md_material_label(GOLDEN_UID, label);
    CHECK_STR(label, "KMIP." GOLDEN_UID);
}

/* ---- Records */

static struct kmip_node *golden_count(void)
{
    struct kmip_node *out = NULL;

    REQUIRE_OK(md_vendor_attr(help_pool(), klm_slice_str("x"), klm_slice_str("Count"),
                              help_number(NULL, KMIP_TAG_AttributeValue, KMIP_INTEGER, 7), &out));
    return out;
}

/* SHA-256 of "key". */
static struct kmip_node *golden_digest(void)
{
    static const char hex[] = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
    struct kmip_node *digest = help_structure(KMIP_TAG_Digest);
    uint8_t value[32];
    size_t n;

    REQUIRE_OK(klm_unhex(hex, value, sizeof value, &n));
    help_number(digest, KMIP_TAG_HashingAlgorithm, KMIP_ENUMERATION, KMIP_HashingAlgorithm_SHA_256);
    help_bytes(digest, KMIP_TAG_DigestValue, KMIP_BYTES, value, n);
    return digest;
}

/* The object of tests/metadata/object_vector.py. */
static struct md_object golden(void)
{
    struct md_object o = help_object(GOLDEN_UID, KMIP_ObjectType_SymmetricKey, "TAPES.A");
    struct md_attrs *attrs = &o.attrs;

    memset(o.owner, 0, sizeof o.owner);
    for (int i = 0; i < 32; i++) {
        memcpy(o.owner + 2 * i, "ab", 2);
    }
    o.archived = o.allocated = true;
    o.lease = 1318970108;
    REQUIRE_OK(md_attr_set_number(attrs, KMIP_TAG_State, KMIP_State_Active));
    REQUIRE_OK(md_attr_add(attrs, help_name("first")));
    REQUIRE_OK(md_attr_add(attrs, help_name("second")));
    REQUIRE_OK(md_attr_add(attrs, help_name("zw\xc3\xb6lf")));
    md_attr_remove(attrs, md_attr_equal(attrs, help_name("second")));
    REQUIRE_OK(md_attr_set_number(attrs, KMIP_TAG_CryptographicUsageMask, 12));
    REQUIRE_OK(md_attr_set_number(attrs, KMIP_TAG_ActivationDate, 1318966508));
    REQUIRE_OK(md_attr_set_text(attrs, KMIP_TAG_ObjectGroup, "cartridges"));
    REQUIRE_OK(md_attr_add(attrs, help_vendor("x", "Volume", "VOL001")));
    REQUIRE_OK(md_attr_add(attrs, golden_count()));
    REQUIRE_OK(md_attr_add(attrs, golden_digest()));
    return o;
}

static void check_same(const struct md_object *a, const struct md_object *b)
{
    CHECK_STR(a->uid, b->uid);
    CHECK_STR(a->group, b->group);
    CHECK_STR(a->owner, b->owner);
    CHECK_INT(a->type, b->type);
    CHECK_INT(a->archived, b->archived);
    CHECK_INT(a->allocated, b->allocated);
    CHECK_INT(a->lease, b->lease);
    REQUIRE(a->attrs.n == b->attrs.n);
    for (size_t i = 0; i < a->attrs.n; i++) {
        CHECK_INT(a->attrs.at[i].tag, b->attrs.at[i].tag);
        CHECK_INT(a->attrs.at[i].index, b->attrs.at[i].index);
        CHECK(kmip_equal(a->attrs.at[i].value, b->attrs.at[i].value));
        CHECK(!a->attrs.at[i].value->next);
    }
}

static struct klm_slice encoded(const struct md_object *object)
{
    struct klm_slice out = {NULL, 0};
    struct klm_buf buf;

    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(md_object_encode(object, &buf));
    REQUIRE_OK(klm_pool_slice(help_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

TEST(a_record_is_what_another_maker_makes_of_the_object)
{
    const struct klm_slice want = help_file(GOLDEN "object.bin");
    const struct md_object object = golden();
    const struct klm_slice got = encoded(&object);
    struct md_object read;

    CHECK_INT(got.n, want.n);
    CHECK(klm_slice_equal(got, want));
    REQUIRE_OK(md_object_decode(want, help_pool(), &read));
    check_same(&read, &object);
    help_pool_done();
}

TEST(a_decoded_object_lives_in_its_pool_alone)
{
    const struct klm_slice golden_bytes = help_file(GOLDEN "object.bin");
    uint8_t *bytes = malloc(golden_bytes.n);
    struct md_object read, want = golden();

    REQUIRE(bytes != NULL);
    memcpy(bytes, golden_bytes.p, golden_bytes.n);
    REQUIRE_OK(md_object_decode(KLM_SLICE(bytes, golden_bytes.n), help_pool(), &read));
    memset(bytes, 0xee, golden_bytes.n);
    free(bytes);
    check_same(&read, &want);
    help_pool_done();
}

/* Whatever a byte is changed to, the record is damage, or another record that is written back as it is. */
TEST(a_record_damaged_at_any_byte_is_told_or_taken_whole)
{
    const struct klm_slice record = help_file(GOLDEN "object.bin");
    uint8_t bytes[1024];
    unsigned taken = 0;

    REQUIRE(record.n < sizeof bytes);
    for (size_t i = 0; i < record.n; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            struct klm_pool *pool = NULL;
            struct md_object object;
            struct klm_buf again;
            klm_rc rc;

            memcpy(bytes, record.p, record.n);
            bytes[i] ^= (uint8_t)flip;
            REQUIRE_OK(klm_pool_new(0, &pool));
            rc = md_object_decode(KLM_SLICE(bytes, record.n), pool, &object);
            REQUIRE(rc == KLM_OK || rc == KLM_E_CORRUPT);
            if (rc == KLM_OK) {
                klm_buf_init(&again, ST_RECORD_MAX);
                REQUIRE_OK(md_object_encode(&object, &again));
                REQUIRE(klm_slice_equal(klm_buf_as_slice(&again), KLM_SLICE(bytes, record.n)));
                klm_buf_done(&again);
                taken++;
            }
            klm_pool_free(&pool);
        }
    }
    CHECK(taken > 0);
    help_pool_done();
}

TEST(a_record_cut_short_or_longer_is_damage)
{
    const struct klm_slice record = help_file(GOLDEN "object.bin");
    struct md_object object;
    uint8_t more[1024] = {0};

    for (size_t n = 0; n < record.n; n++) {
        CHECK_RC(md_object_decode(KLM_SLICE(record.p, n), help_pool(), &object), KLM_E_CORRUPT);
    }
    memcpy(more, record.p, record.n);
    for (size_t n = record.n + 1; n < record.n + 20; n++) {
        CHECK_RC(md_object_decode(KLM_SLICE(more, n), help_pool(), &object), KLM_E_CORRUPT);
    }
    help_pool_done();
}

/* One field of the golden record changed. */
static void check_damage(size_t at, const void *p, size_t n)
{
    struct klm_slice record = help_file(GOLDEN "object.bin");
    uint8_t *bytes = klm_pool_copy(help_pool(), record.p, record.n);
    struct md_object object;

    REQUIRE(bytes && at + n <= record.n);
    memcpy(bytes + at, p, n);
    CHECK_RC(md_object_decode(KLM_SLICE(bytes, record.n), help_pool(), &object), KLM_E_CORRUPT);
}

TEST(what_cannot_be_in_a_record_is_damage)
{
    const size_t count = 14 + 1 + 36 + 1 + 7 + 1 + 64;

    check_damage(0, "\2", 1);                             /* version */
    check_damage(1, "\4", 1);                             /* a flag of nobody */
    check_damage(2, "\0\0\0\0", 4);                       /* no type of an object */
    check_damage(2, "\0\0\0\x0b", 4);                     /* nor this */
    check_damage(6, "\xff", 1);                           /* lease before 1970 */
    check_damage(14, "\x25", 1);                          /* identifier too long */
    check_damage(15, " ", 1);                             /* not an identifier */
    check_damage(15 + 36 + 1, "\0", 1);                   /* NUL in the group */
    check_damage(15 + 36 + 1, "\x1b", 1);                 /* not for a person to read */
    check_damage(count, "\0\x08", 2);                     /* one index too few */
    check_damage(count, "\0\x0a", 2);                     /* one too many */
    check_damage(count, "\xff\xff", 2);                   /* no room for them */
    check_damage(count + 2, "\x80", 1);                   /* index below 0 */
    check_damage(count + 2 + 4 * 9, "\x42\0\x53", 3);     /* another structure around the values */
    check_damage(count + 2 + 4 * 9 + 8, "\x42\0\x57", 3); /* Object Type among the attributes */
    help_pool_done();
}

static void check_refused(const struct md_object *object)
{
    struct klm_buf buf;

    klm_buf_init(&buf, ST_RECORD_MAX);
    CHECK_RC(md_object_encode(object, &buf), KLM_E_INVALID);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
}

static void check_refused_value(const struct kmip_node *value)
{
    struct md_object object = help_object("x", KMIP_ObjectType_SecretData, "G");

    REQUIRE_OK(md_attr_add(&object.attrs, value));
    check_refused(&object);
}

TEST(objects_that_could_not_be_read_again_are_not_written)
{
    struct md_object o = help_object("", KMIP_ObjectType_SecretData, "G");
    struct kmip_node *deep = help_structure(KMIP_TAG_Name);

    check_refused(&o);
    o = help_object("x", 0, "G");
    check_refused(&o);
    o = help_object("x", KMIP_ObjectType_SecretData, "G\n");
    check_refused(&o);
    o = help_object("x", KMIP_ObjectType_SecretData, "G");
    memset(o.owner, 'a', sizeof o.owner); /* has no end */
    check_refused(&o);
    o = help_object("x", KMIP_ObjectType_SecretData, "G");
    o.lease = -1;
    check_refused(&o);
    check_refused_value(help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SecretData));
    check_refused_value(help_text(NULL, KMIP_TAG_UniqueIdentifier, "x"));
    check_refused_value(help_text(NULL, KMIP_TAG_ContactInformation, "\xc3"));
    check_refused_value(help_number(NULL, KMIP_TAG_Fresh, KMIP_BOOLEAN, 2));
    check_refused_value(help_number(NULL, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 1LL << 31));
    check_refused_value(help_number(NULL, KMIP_TAG_LeaseTime, KMIP_INTERVAL, -1));
    check_refused_value(help_number(NULL, 0x430001, KMIP_INTEGER, 1));
    check_refused_value(help_bytes(NULL, KMIP_TAG_Modulus, KMIP_BIG_INTEGER, "1234567", 7));
    check_refused_value(help_structure(KMIP_TAG_Attribute)); /* whose? */
    for (int i = 0; i < KMIP_DEPTH_MAX - 1; i++) {
        struct kmip_node *outer = help_structure(KMIP_TAG_Name);

        outer->first = outer->last = deep;
        deep = outer;
    }
    check_refused_value(deep);
    help_pool_done();
}

TEST(a_record_as_deep_as_allowed_comes_back)
{
    struct md_object o = help_object("x", KMIP_ObjectType_SecretData, "G"), read;
    struct kmip_node *deep = help_structure(KMIP_TAG_Name);

    for (int i = 0; i < KMIP_DEPTH_MAX - 2; i++) {
        struct kmip_node *outer = help_structure(KMIP_TAG_Name);

        outer->first = outer->last = deep;
        deep = outer;
    }
    REQUIRE_OK(md_attr_add(&o.attrs, deep));
    REQUIRE_OK(md_object_decode(encoded(&o), help_pool(), &read));
    check_same(&read, &o);
    help_pool_done();
}

TEST(an_object_without_attributes_is_one)
{
    struct md_object o = help_object("x", KMIP_ObjectType_Template, ""), read;

    REQUIRE_OK(md_object_decode(encoded(&o), help_pool(), &read));
    check_same(&read, &o);
    CHECK_INT(md_object_state(&read, T0), 0);
    help_pool_done();
}

TEST(an_object_too_large_for_a_record_is_refused_and_nothing_of_it_stays)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_object o = help_object("x", KMIP_ObjectType_SecretData, "G");
    char *text = klm_pool_alloc(help_pool(), 65000);

    REQUIRE(text != NULL);
    memset(text, 'a', 64999);
    REQUIRE_OK(md_attr_set_text(&o.attrs, KMIP_TAG_ContactInformation, text));
    REQUIRE_OK(md_object_add(change, &o));
    text[600] = '\0';
    REQUIRE_OK(md_attr_set_text(&o.attrs, KMIP_TAG_Description, text));
    CHECK_RC(md_object_put(change, &o), KLM_E_LIMIT);
    snprintf(o.uid, sizeof o.uid, "y");
    CHECK_RC(md_object_add(change, &o), KLM_E_LIMIT);
    CHECK_RC(md_object_get(st_change_view(change), "y", help_pool(), &o), KLM_E_NOTFOUND);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

/* ---- In the store, and the rows of its index */

struct rows {
    char text[8192];
    size_t n, count;
};

static klm_rc add_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct rows *rows = arg;
    char hex[2 * ST_KEY_MAX + 1];

    CHECK(!damaged && record.n == 0);
    klm_hex(key.p, key.n, hex);
    rows->n += (size_t)snprintf(rows->text + rows->n, sizeof rows->text - rows->n, "%s\n", hex);
    rows->count++;
    return KLM_OK;
}

static struct rows rows_of(struct st_change *change)
{
    struct rows rows = {.n = 0};

    REQUIRE_OK(st_scan(st_change_view(change), ST_OBJECT_INDEX, NULL, add_row, &rows));
    return rows;
}

TEST(index_rows_are_what_another_maker_makes_of_the_object)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    const struct klm_slice want = help_file(GOLDEN "object.rows");
    const struct md_object object = golden();
    struct rows rows;

    REQUIRE_OK(md_object_add(change, &object));
    rows = rows_of(change);
    CHECK_INT(rows.n, want.n);
    CHECK(klm_slice_equal(KLM_SLICE(rows.text, rows.n), want));
    REQUIRE_OK(md_object_delete(change, object.uid));
    CHECK_INT(rows_of(change).count, 0);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

TEST(an_object_is_added_once_changed_and_deleted)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_object object = golden(), read;

    CHECK_RC(md_object_put(change, &object), KLM_E_NOTFOUND);
    CHECK_RC(md_object_delete(change, object.uid), KLM_E_NOTFOUND);
    REQUIRE_OK(md_object_add_new(change, &object));
    CHECK_RC(md_object_add(change, &object), KLM_E_EXISTS);
    REQUIRE_OK(md_object_get(st_change_view(change), object.uid, help_pool(), &read));
    check_same(&read, &object);
    object.archived = false;
    object.lease = 0;
    REQUIRE_OK(md_attr_set_text(&object.attrs, KMIP_TAG_Comment, "seen"));
    REQUIRE_OK(md_object_put(change, &object));
    REQUIRE_OK(md_object_get(st_change_view(change), object.uid, help_pool(), &read));
    check_same(&read, &object);
    REQUIRE_OK(md_object_delete(change, object.uid));
    CHECK_RC(md_object_get(st_change_view(change), object.uid, help_pool(), &read), KLM_E_NOTFOUND);
    CHECK_RC(md_object_get(st_change_view(change), "", help_pool(), &read), KLM_E_NOTFOUND);
    CHECK_RC(md_object_get(st_change_view(change), "no identifier", help_pool(), &read),
             KLM_E_NOTFOUND);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

/* After any change the rows are those of an object that was added so. */
static void check_put_as_add(const struct md_object *was, const struct md_object *is)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct rows by_put, by_add;

    REQUIRE_OK(md_object_add(change, was));
    REQUIRE_OK(md_object_put(change, is));
    by_put = rows_of(change);
    st_change_drop(&change);
    change = help_begin(store);
    REQUIRE_OK(md_object_add(change, is));
    by_add = rows_of(change);
    CHECK_STR(by_put.text, by_add.text);
    st_change_drop(&change);
    st_close(&store);
}

TEST(rows_follow_every_change_of_the_object)
{
    struct md_object was = golden(), is;

    is = was = golden();
    check_put_as_add(&was, &is);
    is = golden();
    REQUIRE_OK(md_attr_add(&is.attrs, help_name("new")));
    check_put_as_add(&was, &is);
    check_put_as_add(&is, &was);
    is = golden();
    md_attr_remove_all(&is.attrs, KMIP_TAG_Name);
    REQUIRE_OK(md_attr_add(&is.attrs, help_link(KMIP_LinkType_ParentLink, "other")));
    check_put_as_add(&was, &is);
    is = golden();
    is.archived = false;
    check_put_as_add(&was, &is);
    is = golden();
    REQUIRE_OK(md_attr_set_number(&is.attrs, KMIP_TAG_State, KMIP_State_DestroyedCompromised));
    check_put_as_add(&was, &is);
    is = golden();
    snprintf(is.group, sizeof is.group, "OTHER");
    check_put_as_add(&was, &is);
    is = golden();
    is.owner[0] = '\0';
    check_put_as_add(&was, &is);
    check_put_as_add(&is, &was);
    is = golden();
    is.type = KMIP_ObjectType_SecretData;
    check_put_as_add(&was, &is);
    help_pool_done();
}

TEST(a_row_stays_while_one_of_two_instances_needs_it)
{
    struct md_object was = help_object("x", KMIP_ObjectType_SecretData, "G"), is;
    struct kmip_node *uri =
        help_pair(KMIP_TAG_Name, KMIP_TAG_NameValue, "n", KMIP_TAG_NameType, KMIP_NameType_URI);

    REQUIRE_OK(md_attr_add(&was.attrs, help_name("n")));
    REQUIRE_OK(md_attr_add(&was.attrs, uri));
    is = help_object("x", KMIP_ObjectType_SecretData, "G");
    REQUIRE_OK(md_attr_add(&is.attrs, uri));
    check_put_as_add(&was, &is);
    check_put_as_add(&is, &was);
    help_pool_done();
}

TEST(a_change_that_identifies_nothing_writes_the_record_alone)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_object object = golden();

    REQUIRE_OK(md_object_add(change, &object));
    REQUIRE_OK(st_change_commit(&change, NULL));
    change = help_begin(store);
    REQUIRE_OK(md_attr_set_number(&object.attrs, KMIP_TAG_State, KMIP_State_Deactivated));
    REQUIRE_OK(md_attr_set_number(&object.attrs, KMIP_TAG_Fresh, false));
    REQUIRE_OK(md_object_put(change, &object));
    CHECK_INT(st_change_size(change), 1);
    CHECK(!st_change_touches(change, ST_OBJECT_INDEX));
    REQUIRE_OK(md_attr_add(&object.attrs, help_name("third")));
    REQUIRE_OK(md_object_put(change, &object));
    CHECK_INT(rows_of(change).count, 10);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

TEST(a_damaged_object_is_told_and_can_be_deleted)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_object object = golden(), other;

    REQUIRE_OK(st_put(change, ST_OBJECT, klm_slice_str(GOLDEN_UID), klm_slice_str("damage")));
    CHECK_RC(md_object_get(st_change_view(change), GOLDEN_UID, help_pool(), &other), KLM_E_CORRUPT);
    CHECK_RC(md_object_add(change, &object), KLM_E_EXISTS);
    CHECK_RC(md_object_put(change, &object), KLM_E_CORRUPT);
    REQUIRE_OK(md_object_delete(change, GOLDEN_UID));
    /* The record of another object. */
    REQUIRE_OK(st_put(change, ST_OBJECT, klm_slice_str("x"), encoded(&object)));
    CHECK_RC(md_object_get(st_change_view(change), "x", help_pool(), &other), KLM_E_CORRUPT);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

/* ---- States: KMIP 2.1, 4.57 */

#define S0 1318966508 /* T0 in seconds */
#define NONE INT64_MIN

TEST(dates_that_have_come_move_the_state)
{
    static const struct {
        uint32_t stored;
        int64_t activation, deactivation;
        uint32_t want;
    } rows[] = {
        {KMIP_State_PreActive, NONE, NONE, KMIP_State_PreActive},
        {KMIP_State_PreActive, S0, NONE, KMIP_State_Active},
        {KMIP_State_PreActive, S0 + 1, NONE, KMIP_State_PreActive},
        {KMIP_State_PreActive, S0 - 1, S0, KMIP_State_Deactivated},
        {KMIP_State_PreActive, S0 - 1, S0 + 1, KMIP_State_Active},
        {KMIP_State_PreActive, NONE, S0 - 1, KMIP_State_PreActive}, /* no such transition */
        {KMIP_State_PreActive, S0 + 1, S0 - 1, KMIP_State_PreActive},
        {KMIP_State_PreActive, INT64_MAX, NONE, KMIP_State_PreActive},
        {KMIP_State_Active, NONE, NONE, KMIP_State_Active},
        {KMIP_State_Active, S0 - 9, S0, KMIP_State_Deactivated},
        {KMIP_State_Active, S0 - 9, S0 + 1, KMIP_State_Active},
        {KMIP_State_Active, S0 + 9, NONE, KMIP_State_Active}, /* never back */
        {KMIP_State_Active, -9, -8, KMIP_State_Deactivated},
        {KMIP_State_Deactivated, S0 + 9, S0 + 9, KMIP_State_Deactivated},
        {KMIP_State_Compromised, S0 - 9, S0 - 1, KMIP_State_Compromised},
        {KMIP_State_Destroyed, S0 - 9, S0 - 1, KMIP_State_Destroyed},
        {KMIP_State_DestroyedCompromised, S0 - 9, S0 - 1, KMIP_State_DestroyedCompromised},
        {0, S0 - 9, S0 - 1, 0},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct md_object o = help_object("x", KMIP_ObjectType_SymmetricKey, "G");

        if (rows[i].stored) {
            REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_State, rows[i].stored));
        }
        if (rows[i].activation != NONE) {
            REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_ActivationDate, rows[i].activation));
        }
        if (rows[i].deactivation != NONE) {
            REQUIRE_OK(
                md_attr_set_number(&o.attrs, KMIP_TAG_DeactivationDate, rows[i].deactivation));
        }
        CHECK_INT(md_object_state(&o, T0), rows[i].want);
        CHECK_INT(md_object_state(&o, T0 + 999999), rows[i].want); /* within the second */
    }
    help_pool_done();
}

TEST(seconds_before_1970_are_not_rounded_up)
{
    struct md_object o = help_object("x", KMIP_ObjectType_SymmetricKey, "G");

    REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_State, KMIP_State_PreActive));
    REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_ActivationDate, 0));
    CHECK_INT(md_object_state(&o, -1), KMIP_State_PreActive);
    CHECK_INT(md_object_state(&o, 0), KMIP_State_Active);
    help_pool_done();
}

TEST(attributes_now_have_the_state_of_now_and_the_identity)
{
    struct md_object o = golden();
    struct md_attrs now;

    REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_DeactivationDate, S0));
    REQUIRE_OK(md_object_attrs_now(&o, T0, help_pool(), &now));
    CHECK_INT(now.n, o.attrs.n + 2);
    CHECK_INT(md_attr_number(&now, KMIP_TAG_State, 0), KMIP_State_Deactivated);
    CHECK_INT(md_attr_number(&o.attrs, KMIP_TAG_State, 0), KMIP_State_Active);
    CHECK_INT(md_attr_number(&now, KMIP_TAG_ObjectType, 0), KMIP_ObjectType_SymmetricKey);
    CHECK(md_attr_equal(&now, help_text(NULL, KMIP_TAG_UniqueIdentifier, GOLDEN_UID)) != NULL);
    CHECK_INT(md_attr_equal(&now, help_name("zw\xc3\xb6lf"))->index, 2);
    o = help_object("x", KMIP_ObjectType_Template, "G");
    REQUIRE_OK(md_object_attrs_now(&o, T0, help_pool(), &now));
    CHECK_INT(now.n, 2);
    CHECK(!md_attr_find(&now, KMIP_TAG_State));
    help_pool_done();
}
