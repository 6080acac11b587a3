/* Stores made on x86-64 long ago open here, whatever the byte order of this machine: one that was closed, and one that was
 * killed, whose records must come out of its log. They are copied first, since opening changes them. */
#include "golden.h"

#include "test.h"

#include "base/file.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

static void copy_file(const char *from, const char *to)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, FILE_MAX);
    REQUIRE_OK(klm_file_read(from, FILE_MAX, &buf, NULL));
    REQUIRE_OK(klm_file_create(to, klm_buf_as_slice(&buf), 0600, NULL));
}

static void copy_store(const char *name, const char *home)
{
    char from[256], source[600], target[600];
    DIR *dir;

    snprintf(from, sizeof from, GOLDEN_STORES "%s", name);
    REQUIRE(mkdir(home, 0700) == 0);
    dir = opendir(from);
    REQUIRE(dir != NULL);
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] != '.') {
            snprintf(source, sizeof source, "%s/%s", from, d->d_name);
            snprintf(target, sizeof target, "%s/%s", home, d->d_name);
            copy_file(source, target);
        }
    }
    closedir(dir);
}

static struct st_store *open_store(const char *home)
{
    struct st_options options;
    struct st_store *store = NULL;
    struct klm_diag diag = {0};
    klm_rc rc;

    REQUIRE_OK(golden_options(home, &options));
    rc = st_open_bdb(&options, &diag, &store);
    CHECK_STR(diag.text, "");
    REQUIRE_OK(rc);
    return store;
}

static klm_rc same_drive(void *arg, const struct dt_drive *got)
{
    unsigned *n = arg;
    struct dt_drive want = golden_drive(++*n);

    CHECK_STR(got->serial, want.serial);
    CHECK_STR(got->wwn, want.wwn);
    CHECK_INT(got->kind, want.kind);
    CHECK_STR(got->alias1, want.alias1);
    CHECK_STR(got->alias2, want.alias2);
    CHECK_INT(got->first_contact, want.first_contact);
    CHECK_INT(got->last_contact, want.last_contact);
    return KLM_OK;
}

static void check_drives(struct st_view *view)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct dt_pending pending;
    unsigned n = 0;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_RC(dt_scan(view, same_drive, &n), KLM_OK);
    CHECK_INT(n, GOLDEN_DRIVES);
    REQUIRE_OK(dt_pending_get(view, "000001399999", pool, &pending));
    CHECK_INT(pending.contacts, 258);
    CHECK_INT(pending.kind, DT_LTO);
    CHECK_STR(pending.address, "192.0.2.7:40022");
}

static klm_rc same_usage(void *arg, const struct md_usage *got)
{
    unsigned *n = arg;
    struct md_usage want = golden_usage(++*n);

    CHECK_INT(got->number, want.number);
    CHECK_INT(got->time, want.time);
    CHECK_STR(got->drive, want.drive);
    CHECK_STR(got->wwn, want.wwn);
    CHECK_STR(got->volser, want.volser);
    CHECK_STR(got->alias1, want.alias1);
    CHECK_STR(got->alias2, want.alias2);
    return KLM_OK;
}

static klm_rc note_number(void *arg, const struct md_usage *got)
{
    uint64_t *sum = arg;

    *sum = *sum * 100 + got->number;
    return KLM_OK;
}

static void check_usage(struct st_view *view)
{
    uint64_t last = 0, found = 0;
    unsigned n = 0;

    CHECK_RC(md_usage_scan(view, 0, 0, same_usage, &n), KLM_OK);
    CHECK_INT(n, GOLDEN_USAGES);
    REQUIRE_OK(md_usage_last(view, &last));
    CHECK_INT(last, GOLDEN_USAGES);
    /* by the index, by reading, and the newest first from both */
    REQUIRE_OK(md_query(view, MD_BY_VOLSER, "WXY005", 0, note_number, &found));
    CHECK_INT(found, 1110);
    found = 0;
    REQUIRE_OK(md_query(view, MD_BY_VOLSER, "WXY019", 0, note_number, &found));
    CHECK_INT(found, 3938);
    found = 0;
    REQUIRE_OK(md_query(view, MD_BY_ALIAS, "Tape_EC", 9, note_number, &found));
    CHECK_INT(found, 393735333129272523);
}

/* A data key wrapped by OpenSSL long ago comes out with the private key of the ring. */
static void unwrap(const struct kr_label *label, const char *file)
{
    static const uint8_t context[] = "EEDK\1\1\0\4test";
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    struct kr_key *key = NULL;

    klm_buf_init(&buf, FILE_MAX);
    REQUIRE_OK(klm_file_read(file, FILE_MAX, &buf, NULL));
    CHECK_RC(kr_unwrap(label, KLM_SLICE(context, sizeof context - 1), klm_buf_as_slice(&buf), &key),
             KLM_OK);
    kr_key_free(&key);
}

static void check_keys(struct st_view *view)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_open_ring *ring = NULL;
    struct kr_key *key = NULL;
    struct klm_slice token;

    REQUIRE_OK(golden_master(&master));
    REQUIRE_OK(kr_open_ring(view, master, GOLDEN_OWNER, GOLDEN_RING, NULL, &ring));
    REQUIRE(kr_open_ring_count(ring) == KLM_COUNT(golden_certs));
    for (size_t i = 0; i < KLM_COUNT(golden_certs); i++) {
        const struct kr_label *label = kr_open_ring_at(ring, i);

        CHECK_STR(label->label, golden_certs[i].label);
        CHECK_INT(label->deflt, i == 0);
        REQUIRE(label->key != NULL);
        CHECK_INT(EVP_PKEY_eq(kr_key_pkey(label->key), label->pub), 1);
    }
    unwrap(kr_open_ring_at(ring, 0), GOLDEN_KEYS "wrapped-rsa2048.bin");
    unwrap(kr_open_ring_at(ring, 1), GOLDEN_KEYS "wrapped-ec256.bin");
    kr_open_ring_free(&ring);
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(kr_token_get(view, "AES.KEY", pool, &token));
    CHECK_RC(kr_token_open(master, "AES.KEY", token, &key), KLM_OK);
    CHECK_INT(kr_key_spec(key).bits, 256);
    kr_key_free(&key);
}

static void check_outbox(struct st_view *view)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record = {NULL, 0};

    REQUIRE_OK(klm_pool_new(0, &pool));
    /* Made before there were profiles: the table is there now, and empty. */
    CHECK_RC(st_get(view, ST_PROFILE, klm_slice_str("CSFKEYS"), pool, &record), KLM_E_NOTFOUND);
    CHECK_RC(st_get(view, ST_OUTBOX, KLM_SLICE("\0\0\0\0\0\0\1\2", 8), pool, &record), KLM_OK);
    CHECK(klm_slice_equal(record, klm_slice_str(GOLDEN_OUTBOX)));
}

static void check_all(struct st_store *store)
{
    struct st_view *view = NULL;
    uint64_t records = 0;

    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    CHECK(records > GOLDEN_USAGES + GOLDEN_DRIVES);
    REQUIRE_OK(st_view_open(store, &view));
    check_drives(view);
    check_usage(view);
    check_keys(view);
    check_outbox(view);
    st_view_close(&view);
}

/* One change more on top of what was there. */
static void add_drive(struct st_store *store)
{
    struct dt_drive drive = golden_drive(GOLDEN_DRIVES + 1);
    struct st_change *change = NULL;
    uint64_t number = st_number(store);

    REQUIRE_OK(st_change_open(store, &change));
    CHECK_RC(dt_add(change, &drive), KLM_OK);
    CHECK_RC(st_change_commit(&change, NULL), KLM_OK);
    CHECK_INT(st_number(store), number + 1);
}

static void check_added(struct st_store *store)
{
    struct dt_drive want = golden_drive(GOLDEN_DRIVES + 1), got;
    struct st_view *view = NULL;
    uint64_t records = 0;

    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    REQUIRE_OK(st_view_open(store, &view));
    REQUIRE_OK(dt_get(view, want.serial, &got));
    CHECK_STR(got.wwn, want.wwn);
    st_view_close(&view);
}

/* Read all, write, and read again after a stop. */
static void live_with(const char *name)
{
    const char *home = test_path(name);
    struct st_store *store;

    copy_store(name, home);
    store = open_store(home);
    check_all(store);
    add_drive(store);
    st_close(&store);
    store = open_store(home);
    check_added(store);
    st_close(&store);
}

TEST(a_store_that_was_closed_on_x86_opens_with_all_its_records_and_takes_changes)
{
    live_with("clean");
}

TEST(a_store_that_was_killed_on_x86_is_recovered_from_its_log_and_takes_changes)
{
    live_with("killed");
}
