/* Clients of KMIP: records, the list of those that wait, the snapshot, last contacts. */
#include "dt_help.h"

#include "drivetable/client_record.h"

#include <pthread.h>
#include <stdatomic.h>

#define FP1 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FP2 "a1b2c3d498fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OWN ".000102030405060708090a0b0c0d0e0f"

static struct dt_client sample(const char *name, const char *fingerprint)
{
    struct dt_client c = {.from = T0, .until = T0 + 1000000, .added = T0};

    SET(c.name, name);
    SET(c.fingerprint, fingerprint);
    SET(c.group, "GENERIC");
    SET(c.user, "backup");
    SET(c.device, "SN-1");
    c.has_password = true;
    memset(c.verifier, 5, sizeof c.verifier);
    c.cert = klm_slice_str("certificate");
    if (!*fingerprint) {
        c.from = c.until = 0;
        c.cert = (struct klm_slice){0};
    }
    return c;
}

static klm_rc change_in(struct st_store *store, const struct dt_client *before,
                        const struct dt_client *after)
{
    struct st_change *change = help_begin(store);
    klm_rc rc = dt_client_change(change, before, after);

    if (rc != KLM_OK) {
        st_change_drop(&change);
        return rc;
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    return KLM_OK;
}

static bool same(const struct dt_client *a, const struct dt_client *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->fingerprint, b->fingerprint) &&
           !strcmp(a->group, b->group) && !strcmp(a->user, b->user) &&
           !strcmp(a->device, b->device) && a->has_password == b->has_password &&
           !memcmp(a->verifier, b->verifier, sizeof a->verifier) && a->closed == b->closed &&
           a->from == b->from && a->until == b->until && a->added == b->added &&
           a->last == b->last && klm_slice_equal(a->cert, b->cert);
}

static klm_rc get(struct st_store *store, const char *name, const char *fingerprint,
                  struct dt_client *out)
{
    static struct klm_pool *pool;
    struct st_view *view = help_view(store);
    klm_rc rc;

    klm_pool_free(&pool);
    REQUIRE_OK(klm_pool_new(0, &pool));
    rc = name ? dt_client_get(view, name, pool, out) : dt_client_find(view, fingerprint, pool, out);
    st_view_close(&view);
    return rc;
}

/* ---- Names */

TEST(names_of_clients_are_printable_and_not_none)
{
    static const char *const good[] = {"a", "vCenter 1", "<b>&amp;</b>", "Büro ☃", "it's", "."};
    static const char *const bad[] = {"",    " a",   "a ",   "a\tb",     "a\x1b[2J", "a\"b",
                                      "a\n", "none", "None", "\xc3\x28", "\xc2\x9b", "a\x7f"};
    char name[DT_CLIENT_NAME_MAX + 2];

    for (size_t i = 0; i < KLM_COUNT(good); i++) {
        CHECK_RC(dt_client_name_check(good[i]), KLM_OK);
    }
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(dt_client_name_check(bad[i]), KLM_E_INVALID);
    }
    memset(name, 'x', sizeof name);
    name[DT_CLIENT_NAME_MAX + 1] = '\0';
    CHECK_RC(dt_client_name_check(name), KLM_E_INVALID);
    name[DT_CLIENT_NAME_MAX] = '\0';
    CHECK_RC(dt_client_name_check(name), KLM_OK);
}

TEST(names_of_device_groups_are_letters_digits_and_underscores)
{
    static const char *const good[] = {"A", "GENERIC", "DS5000", "my_group_1"};
    static const char *const bad[] = {"",     "3592", "_a", "a-b", "a b",
                                      "none", "NONE", "a.", "é",   OWN};
    char name[DT_DEVICE_GROUP_MAX + 2];

    for (size_t i = 0; i < KLM_COUNT(good); i++) {
        CHECK_RC(dt_device_group_check(good[i]), KLM_OK);
    }
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(dt_device_group_check(bad[i]), KLM_E_INVALID);
    }
    memset(name, 'x', sizeof name);
    name[DT_DEVICE_GROUP_MAX + 1] = '\0';
    CHECK_RC(dt_device_group_check(name), KLM_E_INVALID);
    name[DT_DEVICE_GROUP_MAX] = '\0';
    CHECK_RC(dt_device_group_check(name), KLM_OK);
    CHECK_RC(dt_prefix_check("abc"), KLM_OK);
    CHECK_RC(dt_prefix_check(""), KLM_OK);
    CHECK_RC(dt_prefix_check("ab"), KLM_E_INVALID);
    CHECK_RC(dt_prefix_check("ab1"), KLM_E_INVALID);
    CHECK_RC(dt_prefix_check("abcd"), KLM_E_INVALID);
}

TEST(a_group_of_ones_own_is_new_each_time_and_no_operator_can_name_it)
{
    char one[DT_DEVICE_GROUP_MAX + 1], two[DT_DEVICE_GROUP_MAX + 1];

    REQUIRE_OK(dt_group_own_new(one));
    REQUIRE_OK(dt_group_own_new(two));
    CHECK(dt_group_own(one) && dt_group_own(two) && strcmp(one, two) != 0);
    CHECK_RC(dt_device_group_check(one), KLM_E_INVALID);
    CHECK(!dt_group_own("GENERIC") && !dt_group_own("") && !dt_group_own(".x"));
}

/* ---- Records */

TEST(what_a_client_proves_itself_by_follows_its_name_and_goes_with_it)
{
    struct st_store *store = help_store();
    struct dt_client in = sample("A", FP1), other, out;
    struct dt_proof proof = {.stamp = T0, .n = 2}, back = {0};
    struct st_change *change;
    struct st_view *view;

    in.once = true;
    SET(in.hashed, DT_HASHED_PREFIX "000102030405060708090a0b0c0d0e0f");
    memset(proof.once_head, 7, sizeof proof.once_head);
    memset(proof.once[1], 9, sizeof proof.once[1]);
    REQUIRE_OK(change_in(store, NULL, &in));
    REQUIRE_OK(get(store, "A", NULL, &out));
    CHECK(same(&in, &out) && out.once && strcmp(out.hashed, in.hashed) == 0);
    change = help_begin(store);
    REQUIRE_OK(dt_proof_put(change, "A", &proof));
    REQUIRE_OK(st_change_commit(&change, NULL));
    other = in;
    memset(other.name, 0, sizeof other.name);
    SET(other.name, "B");
    REQUIRE_OK(change_in(store, &in, &other));
    view = help_view(store);
    CHECK_RC(dt_proof_get(view, "A", &back), KLM_E_NOTFOUND);
    REQUIRE_OK(dt_proof_get(view, "B", &back));
    CHECK(memcmp(&back, &proof, sizeof back) == 0);
    st_view_close(&view);
    REQUIRE_OK(change_in(store, &other, NULL));
    view = help_view(store);
    CHECK_RC(dt_proof_get(view, "B", &back), KLM_E_NOTFOUND);
    st_view_close(&view);
    SET(in.hashed, "another label");
    CHECK_RC(change_in(store, NULL, &in), KLM_E_INVALID);
    st_close(&store);
}

TEST(a_client_without_such_proofs_is_written_as_earlier_releases_read_it)
{
    struct dt_client in = sample("A", FP1), out = {0};
    struct dt_proof proof = {.n = 1}, back;
    struct klm_buf buf;

    klm_buf_init(&buf, 4096);
    dt_client_encode(&in, &buf);
    CHECK_INT(buf.p[0], 1);
    klm_buf_done(&buf);
    in.once = true;
    klm_buf_init(&buf, 4096);
    dt_client_encode(&in, &buf);
    CHECK_INT(buf.p[0], 2);
    SET(out.name, "A");
    for (size_t n = 0; n < buf.n; n++) { /* cut short */
        CHECK_RC(dt_client_decode(KLM_SLICE(buf.p, n), &out), KLM_E_CORRUPT);
    }
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_OK);
    buf.p[0] = 1; /* flags that version 1 has not */
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_E_CORRUPT);
    klm_buf_done(&buf);
    klm_buf_init(&buf, 4096);
    dt_proof_encode(&proof, &buf);
    for (size_t n = 0; n < buf.n; n++) {
        CHECK_RC(dt_proof_decode(KLM_SLICE(buf.p, n), &back), KLM_E_CORRUPT);
    }
    CHECK_RC(dt_proof_decode(klm_buf_as_slice(&buf), &back), KLM_OK);
    buf.p[29] = DT_ONCE_MAX + 1;
    CHECK_RC(dt_proof_decode(klm_buf_as_slice(&buf), &back), KLM_E_CORRUPT);
    klm_buf_done(&buf);
}

TEST(a_client_comes_back_as_it_was_by_name_and_by_fingerprint)
{
    struct st_store *store = help_store();
    struct dt_client in = sample("A", FP1), out;

    in.closed = true;
    in.last = T0 + 5;
    REQUIRE_OK(change_in(store, NULL, &in));
    REQUIRE_OK(get(store, "A", NULL, &out));
    CHECK(same(&in, &out));
    REQUIRE_OK(get(store, NULL, FP1, &out));
    CHECK(same(&in, &out));
    CHECK_RC(get(store, "B", NULL, &out), KLM_E_NOTFOUND);
    CHECK_RC(get(store, NULL, FP2, &out), KLM_E_NOTFOUND);
    CHECK_RC(get(store, "", NULL, &out), KLM_E_NOTFOUND);
    CHECK_RC(get(store, NULL, "e3b0", &out), KLM_E_NOTFOUND);
    st_close(&store);
}

TEST(the_record_has_the_bytes_that_its_description_says)
{
    struct dt_client c = sample("A", FP1);
    struct klm_buf buf;
    char hex[2048];

    c.has_password = false;
    klm_buf_init(&buf, 4096);
    dt_client_encode(&c, &buf);
    REQUIRE_OK(klm_buf_rc(&buf));
    klm_hex(buf.p, buf.n, hex);
    CHECK_STR(hex, "01"
                   "01" FP1 "0747454e45524943"
                   "066261636b7570"
                   "04534e2d31"
                   "0004af97d22e1300"
                   "0004af97d23d5540"
                   "0004af97d22e1300"
                   "0000000000000000"
                   "000b6365727469666963617465");
    klm_buf_done(&buf);
}

TEST(a_certificate_may_be_valid_since_before_1970)
{
    struct dt_client c = sample("A", FP1), out = {0};
    struct klm_buf buf;

    c.from = -631152000000000; /* 1950 */
    SET(out.name, "A");
    klm_buf_init(&buf, 4096);
    dt_client_encode(&c, &buf);
    REQUIRE_OK(dt_client_decode(klm_buf_as_slice(&buf), &out));
    CHECK(out.from == c.from && out.until == c.until);
    klm_buf_done(&buf);
}

TEST(a_record_that_is_cut_short_or_too_long_is_damage)
{
    struct dt_client c = sample("A", FP1), out = {0};
    struct klm_buf buf;

    SET(out.name, "A");
    klm_buf_init(&buf, 4096);
    dt_client_encode(&c, &buf);
    for (size_t n = 0; n < buf.n; n++) {
        CHECK_RC(dt_client_decode(KLM_SLICE(buf.p, n), &out), KLM_E_CORRUPT);
    }
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_OK);
    klm_buf_u8(&buf, 0);
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_E_CORRUPT);
    buf.n--;
    buf.p[0] = 2; /* another version */
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_E_CORRUPT);
    buf.p[0] = 1;
    buf.p[1] |= 8; /* a flag that is not known */
    CHECK_RC(dt_client_decode(klm_buf_as_slice(&buf), &out), KLM_E_CORRUPT);
    klm_buf_done(&buf);
}

TEST(what_is_not_well_formed_does_not_enter_the_store)
{
    struct st_store *store = help_store();
    struct dt_client good = sample("A", FP1), c;
    static uint8_t big[DT_CLIENT_CERT_MAX + 1];

    c = good, SET(c.group, "no group");
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good,
    SET(c.fingerprint, "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good, SET(c.user, "a\x1b");
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good, c.cert = (struct klm_slice){0};
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good, c.cert = KLM_SLICE(big, sizeof big);
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good, c.until = c.from - 1;
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = sample("A", ""), c.until = 1;
    CHECK_RC(change_in(store, NULL, &c), KLM_E_INVALID);
    c = good, c.cert = KLM_SLICE(big, sizeof big - 1);
    CHECK_RC(change_in(store, NULL, &c), KLM_OK);
    st_close(&store);
}

TEST(a_name_and_a_certificate_belong_to_one_client)
{
    struct st_store *store = help_store();
    struct dt_client a = sample("A", FP1), b = sample("B", FP2), c;

    REQUIRE_OK(change_in(store, NULL, &a));
    CHECK_RC(change_in(store, NULL, &a), KLM_E_EXISTS);
    c = b, SET(c.fingerprint, FP1);
    CHECK_RC(change_in(store, NULL, &c), KLM_E_BUSY);
    REQUIRE_OK(change_in(store, NULL, &b));
    c = b, SET(c.name, "A");
    CHECK_RC(change_in(store, &b, &c), KLM_E_EXISTS);
    c = b, SET(c.fingerprint, FP1);
    CHECK_RC(change_in(store, &b, &c), KLM_E_BUSY);
    CHECK_RC(change_in(store, &b, &b), KLM_OK);
    c = sample("C", FP2);
    CHECK_RC(change_in(store, &c, NULL), KLM_E_NOTFOUND);
    st_close(&store);
}

static klm_rc count_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(size_t *)arg;
    return KLM_OK;
}

TEST(a_client_is_renamed_and_renewed_without_a_trace_of_what_it_was)
{
    struct st_store *store = help_store();
    struct dt_client a = sample("A", FP1), b = a, out;
    struct st_view *view;
    size_t n = 0;

    SET(b.name, "B");
    SET(b.fingerprint, FP2);
    REQUIRE_OK(change_in(store, NULL, &a));
    REQUIRE_OK(change_in(store, &a, &b));
    CHECK_RC(get(store, "A", NULL, &out), KLM_E_NOTFOUND);
    CHECK_RC(get(store, NULL, FP1, &out), KLM_E_NOTFOUND);
    REQUIRE_OK(get(store, NULL, FP2, &out));
    CHECK_STR(out.name, "B");
    REQUIRE_OK(change_in(store, NULL, &a)); /* both are free again */
    REQUIRE_OK(change_in(store, &a, NULL));
    REQUIRE_OK(change_in(store, &b, NULL));
    view = help_view(store);
    struct st_change *change = help_begin(store);
    CHECK_RC(dt_client_drop(change, "B"), KLM_E_NOTFOUND);
    st_change_drop(&change);
    REQUIRE_OK(st_scan(view, ST_CLIENT, &(struct st_range){0}, count_row, &n));
    CHECK_INT(n, 0);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_client_without_a_certificate_gets_one_later)
{
    struct st_store *store = help_store();
    struct dt_client a = sample("A", ""), b = sample("A", FP1), two = sample("two", ""), out;

    REQUIRE_OK(change_in(store, NULL, &a));
    REQUIRE_OK(change_in(store, NULL, &two)); /* more than one may have none */
    REQUIRE_OK(get(store, "A", NULL, &out));
    CHECK(same(&a, &out));
    CHECK_RC(get(store, NULL, "", &out), KLM_E_NOTFOUND);
    REQUIRE_OK(change_in(store, &a, &b));
    REQUIRE_OK(get(store, NULL, FP1, &out));
    CHECK(same(&b, &out));
    st_close(&store);
}

static klm_rc count_client(void *arg, const struct dt_client *client)
{
    (void)client;
    ++*(size_t *)arg;
    return KLM_OK;
}

TEST(a_damaged_client_is_named_left_out_and_can_be_dropped)
{
    struct st_store *store = help_store();
    struct dt_client a = sample("A", FP1), b = sample("B", FP2), out;
    struct st_change *change;
    struct st_view *view;
    size_t n = 0;

    REQUIRE_OK(change_in(store, NULL, &a));
    REQUIRE_OK(change_in(store, NULL, &b));
    change = help_begin(store);
    REQUIRE_OK(st_put(change, ST_CLIENT, klm_slice_str("NA"), klm_slice_str("rubbish")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    help_listen();
    view = help_view(store);
    REQUIRE_OK(dt_client_scan(view, count_client, &n));
    st_view_close(&view);
    CHECK_INT(n, 1);
    CHECK(help_heard("KLM1920E Client A "));
    CHECK_RC(get(store, "A", NULL, &out), KLM_E_CORRUPT);
    CHECK_RC(get(store, NULL, FP1, &out), KLM_E_CORRUPT);
    change = help_begin(store);
    REQUIRE_OK(dt_client_drop(change, "A"));
    REQUIRE_OK(st_change_commit(&change, NULL));
    CHECK_RC(get(store, "A", NULL, &out), KLM_E_NOTFOUND);
    CHECK_RC(get(store, NULL, FP1, &out), KLM_E_NOTFOUND);
    REQUIRE_OK(get(store, NULL, FP2, &out));
    st_close(&store);
}

TEST(a_device_group_comes_back_as_it_was)
{
    struct st_store *store = help_store();
    struct dt_device_group in = {.kmip_delete = true, .added = T0}, out;
    struct st_change *change = help_begin(store);
    struct st_view *view;

    SET(in.name, "DS5000");
    SET(in.prefix, "abc");
    REQUIRE_OK(dt_device_group_put(change, &in));
    SET(in.name, "not one");
    CHECK_RC(dt_device_group_put(change, &in), KLM_E_INVALID);
    REQUIRE_OK(st_put(change, ST_DEVICE_GROUP, klm_slice_str("BAD"), klm_slice_str("rubbish")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    view = help_view(store);
    REQUIRE_OK(dt_device_group_get(view, "DS5000", &out));
    CHECK(out.kmip_delete && !out.closed && out.added == T0);
    CHECK_STR(out.prefix, "abc");
    CHECK_RC(dt_device_group_get(view, "OTHER", &out), KLM_E_NOTFOUND);
    CHECK_RC(dt_device_group_get(view, "BAD", &out), KLM_E_CORRUPT);
    st_view_close(&view);
    change = help_begin(store);
    CHECK_RC(dt_device_group_delete(change, "OTHER"), KLM_E_NOTFOUND);
    CHECK_RC(dt_device_group_delete(change, "BAD"), KLM_OK);
    CHECK_RC(dt_device_group_delete(change, "DS5000"), KLM_OK);
    REQUIRE_OK(st_change_commit(&change, NULL));
    st_close(&store);
}

/* ---- Clients that wait */

static struct dt_client_pending waiting(unsigned i, const char *address, klm_time last)
{
    struct dt_client_pending p = {.first = T0, .last = last, .tries = 1};

    snprintf(p.fingerprint, sizeof p.fingerprint, "%08x%056x", i * 2654435761u, i);
    SET(p.address, address);
    SET(p.subject, "CN=x");
    p.cert = klm_slice_str("certificate");
    return p;
}

static void leave(struct st_store *store, const struct dt_client_pending *p,
                  char pushed[DT_FINGERPRINT_MAX])
{
    struct st_change *change = help_begin(store);

    REQUIRE_OK(dt_client_pending_put(change, p, pushed));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static klm_rc count_pending(void *arg, const struct dt_client_pending *pending)
{
    (void)pending;
    ++*(size_t *)arg;
    return KLM_OK;
}

static size_t pending(struct st_store *store)
{
    struct st_view *view = help_view(store);
    size_t n = 0;

    REQUIRE_OK(dt_client_pending_scan(view, count_pending, &n));
    st_view_close(&view);
    return n;
}

TEST(the_list_of_those_that_wait_is_bounded_and_the_oldest_goes)
{
    struct st_store *store = help_store();
    char address[32], pushed[DT_FINGERPRINT_MAX];
    struct dt_client_pending p, oldest = waiting(7, "h7", T0 - 5000000);

    oldest.first = oldest.last;
    for (unsigned i = 0; i < DT_CLIENTS_PENDING_MAX; i++) {
        snprintf(address, sizeof address, "h%u", i);
        p = i == 7 ? oldest : waiting(i, address, T0 + i);
        leave(store, &p, pushed);
        CHECK_STR(pushed, "");
    }
    CHECK_INT(pending(store), DT_CLIENTS_PENDING_MAX);
    p = waiting(1000, "new", T0 + 1000);
    leave(store, &p, pushed);
    CHECK_STR(pushed, oldest.fingerprint);
    CHECK_INT(pending(store), DT_CLIENTS_PENDING_MAX);
    p.tries++; /* one that waits already takes no place */
    leave(store, &p, pushed);
    CHECK_STR(pushed, "");
    CHECK_INT(pending(store), DT_CLIENTS_PENDING_MAX);
    st_close(&store);
}

TEST(an_address_that_left_many_pushes_out_its_own)
{
    struct st_store *store = help_store();
    struct dt_client_pending p, honest = waiting(0, "honest", T0), first = waiting(1, "flood", T0);
    char pushed[DT_FINGERPRINT_MAX];
    struct st_view *view;
    struct klm_pool *pool = NULL;

    leave(store, &honest, pushed);
    leave(store, &first, pushed);
    for (unsigned i = 2; i < DT_CLIENTS_PENDING_MAX; i++) {
        p = waiting(i, "flood", T0 + i);
        leave(store, &p, pushed);
    }
    p = waiting(1000, "flood", T0 + 1000);
    leave(store, &p, pushed);
    CHECK_STR(pushed, first.fingerprint);
    p = waiting(1001, "other", T0 + 1001);
    leave(store, &p, pushed);
    CHECK(pushed[0] != '\0');
    CHECK_INT(pending(store), DT_CLIENTS_PENDING_MAX);
    REQUIRE_OK(klm_pool_new(0, &pool));
    view = help_view(store);
    CHECK_RC(dt_client_pending_get(view, honest.fingerprint, pool, &p), KLM_OK);
    CHECK_RC(dt_client_pending_get(view, pushed, pool, &p), KLM_E_NOTFOUND);
    st_view_close(&view);
    klm_pool_free(&pool);
    st_close(&store);
}

TEST(one_that_waits_is_found_by_the_beginning_of_its_fingerprint)
{
    struct st_store *store = help_store();
    struct dt_client_pending a = waiting(1, "a", T0), b = waiting(1, "b", T0), out;
    char pushed[DT_FINGERPRINT_MAX], beginning[17];
    struct klm_pool *pool = NULL;
    struct st_change *change;
    struct st_view *view;

    b.fingerprint[63] = 'f';
    leave(store, &a, pushed);
    leave(store, &b, pushed);
    snprintf(beginning, sizeof beginning, "%.16s", a.fingerprint);
    REQUIRE_OK(klm_pool_new(0, &pool));
    view = help_view(store);
    CHECK_RC(dt_client_pending_find(view, beginning, pool, &out), KLM_E_EXISTS);
    REQUIRE_OK(dt_client_pending_find(view, b.fingerprint, pool, &out));
    CHECK_STR(out.address, "b");
    CHECK(klm_slice_equal(out.cert, b.cert));
    CHECK_RC(dt_client_pending_find(view, "0000000000000000", pool, &out), KLM_E_NOTFOUND);
    st_view_close(&view);
    change = help_begin(store);
    CHECK_RC(dt_client_pending_delete(change, b.fingerprint), KLM_OK);
    CHECK_RC(dt_client_pending_delete(change, b.fingerprint), KLM_E_NOTFOUND);
    CHECK_RC(dt_client_pending_delete(change, "nonsense"), KLM_E_NOTFOUND);
    REQUIRE_OK(st_change_commit(&change, NULL));
    view = help_view(store);
    CHECK_RC(dt_client_pending_find(view, beginning, pool, &out), KLM_OK);
    st_view_close(&view);
    klm_pool_free(&pool);
    st_close(&store);
}

TEST(what_cannot_be_read_on_the_list_makes_room_first)
{
    struct st_store *store = help_store();
    char pushed[DT_FINGERPRINT_MAX], hex[DT_FINGERPRINT_MAX];
    struct dt_client_pending p;
    struct st_change *change;
    uint8_t key[32];

    memset(key, 0xee, sizeof key);
    klm_hex(key, sizeof key, hex);
    change = help_begin(store);
    REQUIRE_OK(st_put(change, ST_CLIENT_PENDING, KLM_SLICE(key, 32), klm_slice_str("rubbish")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    for (unsigned i = 1; i < DT_CLIENTS_PENDING_MAX; i++) {
        p = waiting(i, "a", T0 + i);
        leave(store, &p, pushed);
    }
    help_listen();
    CHECK_INT(pending(store), DT_CLIENTS_PENDING_MAX - 1);
    CHECK(help_heard("KLM1922W"));
    p = waiting(1000, "a", T0);
    leave(store, &p, pushed);
    CHECK_STR(pushed, hex);
    st_close(&store);
}

/* ---- The snapshot */

static struct dt_client numbered(unsigned i)
{
    char name[32], fingerprint[DT_FINGERPRINT_MAX];

    snprintf(name, sizeof name, "client %u", i);
    snprintf(fingerprint, sizeof fingerprint, "%08x%056x", i * 2654435761u, i);
    return sample(name, fingerprint);
}

TEST(a_snapshot_finds_clients_by_fingerprint_and_groups_by_name)
{
    struct st_store *store = help_store();
    struct dt_device_group group = {.added = T0, .kmip_delete = true};
    struct dt_client a = sample("A", FP1), none = sample("none yet", "");
    struct dt_clients *clients = NULL;
    struct st_change *change;
    struct st_view *view;

    SET(group.name, "GENERIC");
    REQUIRE_OK(change_in(store, NULL, &a));
    REQUIRE_OK(change_in(store, NULL, &none));
    change = help_begin(store);
    REQUIRE_OK(dt_device_group_put(change, &group));
    REQUIRE_OK(st_change_commit(&change, NULL));
    view = help_view(store);
    REQUIRE_OK(dt_clients_load(view, &clients));
    st_view_close(&view);
    CHECK_INT(dt_clients_count(clients), 2);
    CHECK_INT(dt_clients_groups(clients), 1);
    REQUIRE(dt_clients_find(clients, FP1) != NULL);
    CHECK_STR(dt_clients_find(clients, FP1)->name, "A");
    CHECK_INT(dt_clients_find(clients, FP1)->cert.n, 0);
    CHECK(dt_clients_find(clients, FP2) == NULL);
    CHECK(dt_clients_find(clients, "") == NULL);
    REQUIRE(dt_clients_group(clients, "GENERIC") != NULL);
    CHECK(dt_clients_group(clients, "GENERIC")->kmip_delete);
    CHECK(dt_clients_group(clients, OWN) == NULL);
    dt_clients_free(&clients);
    dt_clients_free(&clients);
    st_close(&store);
}

TEST(a_changed_snapshot_leaves_the_old_one_as_it_was)
{
    struct st_store *store = help_store();
    struct dt_clients *empty = NULL, *one = NULL, *renewed = NULL, *gone = NULL, *bare = NULL;
    struct dt_client a = sample("A", FP1), b = sample("A", FP2), none = sample("N", "");
    struct dt_device_group group = {.added = T0};
    struct st_view *view = help_view(store);

    SET(group.name, "GENERIC");
    REQUIRE_OK(dt_clients_load(view, &empty));
    st_view_close(&view);
    REQUIRE_OK(dt_clients_with(empty, NULL, &a, &one));
    REQUIRE_OK(dt_clients_with(one, &a, &b, &renewed));
    REQUIRE_OK(dt_clients_with(renewed, &b, NULL, &gone));
    REQUIRE_OK(dt_clients_with(gone, NULL, &none, &bare));
    CHECK_INT(dt_clients_count(empty), 0);
    CHECK_INT(dt_clients_count(one), 1);
    CHECK_INT(dt_clients_count(renewed), 1);
    CHECK_INT(dt_clients_count(gone), 0);
    CHECK_INT(dt_clients_count(bare), 1);
    CHECK(dt_clients_find(one, FP1) && !dt_clients_find(one, FP2));
    CHECK(!dt_clients_find(renewed, FP1) && dt_clients_find(renewed, FP2));
    CHECK(!dt_clients_find(gone, FP2));
    dt_clients_free(&bare);
    REQUIRE_OK(dt_clients_with_group(gone, NULL, &group, &bare));
    CHECK(dt_clients_group(bare, "GENERIC") && !dt_clients_group(gone, "GENERIC"));
    struct dt_clients *less = NULL;
    REQUIRE_OK(dt_clients_with_group(bare, "GENERIC", NULL, &less));
    CHECK(!dt_clients_group(less, "GENERIC"));
    CHECK_RC(dt_clients_with(less, &a, NULL, &less), KLM_E_NOTFOUND); /* it is not in there */
    dt_clients_free(&less);
    dt_clients_free(&empty);
    dt_clients_free(&one);
    dt_clients_free(&renewed);
    dt_clients_free(&gone);
    dt_clients_free(&bare);
    st_close(&store);
}

TEST(a_hundred_thousand_clients_change_one_at_a_time)
{
    struct st_store *store = help_store();
    struct dt_clients *clients = NULL, *next = NULL;
    struct st_view *view = help_view(store);
    struct dt_client c;

    REQUIRE_OK(dt_clients_load(view, &clients));
    st_view_close(&view);
    for (unsigned i = 0; i < DT_CLIENTS_MAX; i++) {
        c = numbered(i);
        REQUIRE_OK(dt_clients_with(clients, NULL, &c, &next));
        dt_clients_free(&clients);
        clients = next;
    }
    CHECK_INT(dt_clients_count(clients), DT_CLIENTS_MAX);
    for (unsigned i = 0; i < DT_CLIENTS_MAX; i += 997) {
        c = numbered(i);
        REQUIRE(dt_clients_find(clients, c.fingerprint) != NULL);
        CHECK_STR(dt_clients_find(clients, c.fingerprint)->name, c.name);
    }
    dt_clients_free(&clients);
    st_close(&store);
}

struct shared {
    pthread_mutex_t lock;
    struct dt_clients *clients;
    atomic_bool stop;
    atomic_uint wrong;
};

static void *look(void *arg)
{
    struct shared *shared = arg;
    struct dt_client c = numbered(1);

    while (!shared->stop) {
        pthread_mutex_lock(&shared->lock);
        struct dt_clients *mine = dt_clients_ref(shared->clients);
        pthread_mutex_unlock(&shared->lock);
        const struct dt_client *found = dt_clients_find(mine, c.fingerprint);
        shared->wrong += !found || strcmp(found->name, c.name) != 0;
        dt_clients_free(&mine);
    }
    return NULL;
}

TEST(readers_keep_the_snapshot_they_hold_while_others_come)
{
    struct st_store *store = help_store();
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct dt_clients *next = NULL, *old;
    struct st_view *view = help_view(store);
    struct dt_client c = numbered(1), d;
    pthread_t thread[2];

    REQUIRE_OK(dt_clients_load(view, &old));
    st_view_close(&view);
    REQUIRE_OK(dt_clients_with(old, NULL, &c, &shared.clients));
    dt_clients_free(&old);
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, look, &shared) == 0);
    }
    for (unsigned i = 2; i < 3000; i++) {
        d = numbered(i);
        REQUIRE_OK(dt_clients_with(shared.clients, NULL, &d, &next));
        pthread_mutex_lock(&shared.lock);
        old = shared.clients;
        shared.clients = next;
        pthread_mutex_unlock(&shared.lock);
        dt_clients_free(&old);
    }
    shared.stop = true;
    for (size_t i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    CHECK_INT(shared.wrong, 0);
    dt_clients_free(&shared.clients);
    st_close(&store);
}

/* ---- Last contacts */

static size_t flush(struct st_store *store, struct dt_seen *seen, size_t max)
{
    struct st_change *change = help_begin(store);
    size_t n = 0;

    REQUIRE_OK(dt_seen_flush(seen, change, max, &n));
    REQUIRE_OK(st_change_commit(&change, NULL));
    return n;
}

TEST(a_contact_reaches_its_client_once_a_minute)
{
    struct st_store *store = help_store();
    struct dt_client a = sample("A", FP1), b = sample("B", FP2), out;
    struct dt_seen *seen = NULL;

    REQUIRE_OK(change_in(store, NULL, &a));
    REQUIRE_OK(change_in(store, NULL, &b));
    REQUIRE_OK(dt_seen_new(&seen));
    dt_seen_note(seen, FP1, T0 + 1);
    dt_seen_note(seen, FP2, T0 + 2);
    dt_seen_note(seen, "nobody", T0 + 3);
    CHECK_INT(flush(store, seen, 1), 1);
    CHECK_INT(flush(store, seen, 10), 1);
    CHECK_INT(flush(store, seen, 10), 0);
    REQUIRE_OK(get(store, "A", NULL, &out));
    CHECK_INT(out.last, T0 + 1);
    a.last = out.last;
    CHECK(same(&a, &out)); /* and nothing else of it changed */
    REQUIRE_OK(get(store, "B", NULL, &out));
    CHECK_INT(out.last, T0 + 2);
    dt_seen_note(seen, FP1, T0 + 59000000);
    CHECK_INT(flush(store, seen, 10), 0);
    dt_seen_note(seen, FP1, T0 + 61000000);
    CHECK_INT(flush(store, seen, 10), 1);
    REQUIRE_OK(get(store, "A", NULL, &out));
    CHECK_INT(out.last, T0 + 61000000);
    REQUIRE_OK(change_in(store, &out, NULL));
    dt_seen_note(seen, FP1, T0 + 200000000);
    CHECK_INT(flush(store, seen, 10), 1); /* who is gone is passed over */
    dt_seen_free(&seen);
    dt_seen_free(&seen);
    st_close(&store);
}
