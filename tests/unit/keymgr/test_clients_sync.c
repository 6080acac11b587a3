/* Clients of a partner taken over: with -rewrite what it has not goes, and the work grows as the clients do. */
#include "keymgr/km_help.h"

#include "keymgr/clients.h"

static const struct km_actor partner = {
    .kind = KM_ACTOR_PARTNER, .roles = KM_ROLE_PARTNER, .name = "OTHER", .address = "partner"};

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "clients-sync", "");
    }
}

/* A group and n clients without a certificate, named from first on (keymgr/clients_sync.c). */
static void copy_of(size_t first, size_t n, struct klm_buf *out)
{
    char name[16];

    klm_buf_init(out, 64u << 20);
    klm_buf_u8(out, 1);
    klm_buf_u32(out, 1);
    klm_buf_lp8(out, klm_slice_str("SYNCED"));
    klm_buf_u8(out, 0);
    klm_buf_lp8(out, klm_slice_str(""));
    klm_buf_u64(out, 0);
    klm_buf_u32(out, (uint32_t)n);
    for (size_t i = first; i < first + n; i++) {
        snprintf(name, sizeof name, "client%06zu", i);
        klm_buf_lp8(out, klm_slice_str(name));
        klm_buf_lp8(out, klm_slice_str("SYNCED"));
        klm_buf_u8(out, 0);
        klm_buf_lp8(out, klm_slice_str(""));
        klm_buf_lp8(out, klm_slice_str(""));
        klm_buf_u64(out, 0);
        klm_buf_lp16(out, klm_slice_str(""));
    }
    REQUIRE_OK(klm_buf_rc(out));
}

/* Take the copy; the places that were looked at in all of its sets. */
static size_t take(size_t first, size_t n, bool rewrite, const char *outcome)
{
    struct km_call *call = new_call(&house, KM_SYNC_CLIENTS_TAKE, &partner);
    const struct km_clients_taken *taken;
    struct klm_buf bytes;
    size_t looked = 0;

    copy_of(first, n, &bytes);
    *(struct km_file_req *)call->req =
        (struct km_file_req){.bytes = klm_buf_as_slice(&bytes), .rewrite = rewrite};
    CHECK_RC(km_run_wait(call), KLM_OK);
    taken = call->work;
    if (call->rc == KLM_OK) {
        CHECK_STR(call->text, outcome);
        looked = taken->named_groups.looked + taken->names.looked + taken->fingerprints.looked;
    }
    km_call_free(&call);
    klm_buf_done(&bytes);
    return looked;
}

TEST(a_rewrite_takes_away_what_the_partner_has_not_and_its_work_grows_as_the_clients_do)
{
    size_t few, many;

    serving();
    (void)take(0, 500, false,
               "501 clients and device groups added, 0 changed, 0 removed; 0 left as they are");
    /* Half of them are other ones. */
    few = take(250, 500, true,
               "250 clients and device groups added, 0 changed, 250 removed; 0 left as they are");
    CHECK_INT(dt_clients_count(house.server->clients), 500);
    (void)take(0, 4000, true,
               "3500 clients and device groups added, 0 changed, 0 removed; 0 left as they are");
    many =
        take(2000, 4000, true,
             "2000 clients and device groups added, 0 changed, 2000 removed; 0 left as they are");
    CHECK_INT(dt_clients_count(house.server->clients), 4000);
    CHECK(few >= 1500); /* its group, itself in the set, and one that is here: each was looked up */
    CHECK(few <= 500 * 10);
    CHECK(many <= 4000 * 10);
}

/* As many as there may be, without a store. */
TEST(a_look_costs_the_same_in_a_set_of_a_hundred_thousand)
{
    enum { N = DT_CLIENTS_MAX };
    static char text[2 * N][16];
    struct klm_pool *pool;
    struct km_textset set;
    size_t found = 0;

    REQUIRE_OK(klm_pool_new(16u << 20, &pool));
    REQUIRE_OK(km_textset_init(&set, pool, N));
    for (size_t i = 0; i < KLM_COUNT(text); i++) {
        snprintf(text[i], sizeof text[i], "client%06zu", i);
    }
    for (size_t i = 0; i < N; i++) {
        km_textset_put(&set, text[i]);
    }
    CHECK(set.looked <= 3 * N);
    set.looked = 0;
    for (size_t i = 0; i < KLM_COUNT(text); i++) {
        found += km_textset_has(&set, text[i]);
    }
    CHECK_INT(found, N);
    CHECK(set.looked <= 2 * 3 * N);
    klm_pool_free(&pool);
}

TEST(a_set_passes_over_what_it_has_and_what_is_empty)
{
    struct klm_pool *pool;
    struct km_textset set;

    REQUIRE_OK(klm_pool_new(1u << 20, &pool));
    REQUIRE_OK(km_textset_init(&set, pool, 0));
    CHECK(!km_textset_has(&set, "a"));
    CHECK(!km_textset_has(&set, ""));
    REQUIRE_OK(km_textset_init(&set, pool, 1));
    km_textset_put(&set, "a");
    km_textset_put(&set, "a");
    km_textset_put(&set, "");
    CHECK_INT(set.n, 1);
    CHECK(km_textset_has(&set, "a"));
    CHECK(!km_textset_has(&set, "b"));
    CHECK(!km_textset_has(&set, ""));
    klm_pool_free(&pool);
}

TEST(zz_close)
{
    close_house(&house);
}
