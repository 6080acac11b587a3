/* A server that is killed at each of its writes: stored keys that were given out are given for no other volume, whatever the moment, and a migration is there whole or
 * not at all, and is made good by another one. */
#include "base/kill_at.h"

#include "keymgr/km_help.h"

#include "metadata/group.h"

#include <sys/mman.h>

#define LTO "000000000017"
#define KEYS 0x20

static struct house house;
static char kept[400];

static void copy_house(const char *from, const char *to)
{
    SPAWN("rm", "-rf", to);
    SPAWN("cp", "-a", from, to);
}

/* The copy that all others are made of does without what is made anew, which is nine tenths of it. */
static void keep_house(const char *from, const char *to)
{
    char reserve[500];

    copy_house(from, to);
    snprintf(reserve, sizeof reserve, "%s/store/RESERVE", to);
    SPAWN("rm", "-f", reserve);
}

/* The house as it is now is where each run begins. */
static void keep(void)
{
    close_house(&house);
    snprintf(kept, sizeof kept, "%s.kept", house.dir);
    keep_house(house.dir, kept);
}

/* ---- Stored keys */

/* What the child was told, in memory that both see: a key leaves only after its answer. */
struct told {
    size_t n;
    char alias[KEYS][KLM_ALIAS_MAX + 1];
};

static struct km_call *give(const char *volser)
{
    const struct km_actor actor = {
        .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = LTO, .address = "192.0.2.7:40022"};
    struct km_call *call = new_call(&house, KM_STORED_CREATE, &actor);
    struct km_stored *req = call->req;

    req->serial = LTO;
    req->volser = volser;
    req->session_key = session_key;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* Two keys given; then more keys, in the same group; then another one given. */
static int give_keys(void *arg)
{
    struct told *told = arg;

    open_house(&house, true);
    kill_begin();
    for (int i = 0; i < 3; i++) {
        char volser[7];
        struct km_call *call;

        if (i == 2) {
            call = run_call(&house, KM_KEYS_CREATE, &admin, "range", "des5-6", "groupID", "TAPES",
                            NULL);
            REQUIRE(call->rc == KLM_OK || call->rc == KLM_E_EXISTS);
            km_call_free(&call);
        }
        snprintf(volser, sizeof volser, "VOL%03d", i);
        call = give(volser);
        REQUIRE_OK(call->rc);
        memcpy(told->alias[told->n], call->stored.alias, sizeof told->alias[0]);
        told->n++;
        km_call_free(&call);
    }
    close_house(&house);
    return 0;
}

static klm_rc count_alias(void *arg, const struct klm_alias_run *run)
{
    *(uint64_t *)arg += klm_alias_run_count(run);
    return KLM_OK;
}

/* Group, its runs, marks and tokens agree, and every key that was given is marked for its volume. */
static void check_group(const struct told *told)
{
    struct st_view *view = NULL;
    struct md_group group;
    struct md_key_use use;
    uint64_t n = 0;

    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_group_get(view, "TAPES", &group));
    REQUIRE_OK(md_group_runs(view, "TAPES", count_alias, &n));
    CHECK(n == group.keys && (n == 4 || n == 6));
    CHECK_RC(kr_token_exists(view, "des000000000000000005"), n == 6 ? KLM_OK : KLM_E_NOTFOUND);
    CHECK_RC(kr_token_exists(view, "des000000000000000006"), n == 6 ? KLM_OK : KLM_E_NOTFOUND);
    for (size_t i = 0; i < told->n; i++) {
        char volser[7];

        snprintf(volser, sizeof volser, "VOL%03d", (int)i);
        CHECK_RC(md_key_use(view, told->alias[i], &use), KLM_OK);
        CHECK_STR(use.volser, volser);
    }
    st_view_close(&view);
    CHECK_RC(st_verify(km_store(house.server), NULL, NULL, NULL), KLM_OK);
}

TEST(a_stored_key_that_was_given_is_given_for_no_other_volume_wherever_the_server_was_killed)
{
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool through = false;
    long n = 0;

    REQUIRE(told != MAP_FAILED);
    listen_now();
    start_house(&house, "stored", "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", LTO, "kind", "LTO", "symrec", "TAPES");
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des1-4", "groupID", "TAPES");
    keep();
    for (; !through && n < 300; n++) {
        struct km_call *call;

        copy_house(kept, house.dir);
        *told = (struct told){0};
        through = kill_run(give_keys, told, n);
        open_house(&house, true);
        check_group(told);
        call = give("OTHER1");
        CHECK_RC(call->rc, KLM_OK);
        for (size_t i = 0; i < told->n; i++) {
            CHECK(strcmp(call->stored.alias, told->alias[i]) != 0);
        }
        km_call_free(&call);
        { /* each is on record; one more may be, whose answer did not come */
            size_t on_record = events(&house, "stored-create", SMF_SUCCESS, NULL, NULL);

            CHECK(on_record == told->n + 1 || on_record == told->n + 2);
        }
        close_house(&house);
    }
    fprintf(stderr, "# killed %ld times\n", n - 1);
    CHECK(through && n > 6);
    munmap(told, sizeof *told);
}

/* ---- Migration */
#define LISTING                                                                                    \
    "Drive entries: 2\n SerialNumber = 000000000021\n Alias1 = L1\n SerialNumber = 000000000022\n"

static const char usage[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KeyUsageEvents>\n"
    "<KeyUsageEvent><driveSSN>000000000021</driveSSN><volSer>MIG001</volSer>"
    "<driveWWN>5005076302400021</driveWWN><keyAlias1>L1</keyAlias1><keyAlias2>L1</keyAlias2>"
    "<dateTime>Tue Oct 18 19:35:08 GMT 2011</dateTime></KeyUsageEvent>\n</KeyUsageEvents>\n";

static klm_rc migrate(void)
{
    struct km_call *call = new_call(&house, KM_MIGRATE, &admin);
    struct km_migrate_req *req = call->req;
    klm_rc rc;

    req->config = klm_slice_str("drive.pending.max=7\n");
    req->drives = klm_slice_str(LISTING);
    req->groups = klm_slice_str("<keyGroups format=\"1\"><keyGroup id=\"MIGRATED\"/></keyGroups>");
    req->usage = klm_slice_str(usage);
    rc = km_run_wait(call);
    if (rc != KLM_OK) {
        fprintf(stderr, "# %s\n", call->diag.text);
    }
    km_call_free(&call);
    return rc;
}

static int migrate_once(void *arg)
{
    (void)arg;
    open_house(&house, true);
    kill_begin();
    REQUIRE_OK(migrate());
    close_house(&house);
    return 0;
}

/* Things of the migration that are in the store: two drives, a group, a volume. */
static int migrated(void)
{
    struct st_view *view = NULL;
    struct dt_drive drive;
    struct md_group group;
    struct km_call *call = run_call(&house, KM_USAGE_QUERY, &admin, "volser", "MIG001", NULL);
    int n = (int)call->rows.n;

    km_call_free(&call);
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    n += dt_get(view, "000000000021", &drive) == KLM_OK;
    n += dt_get(view, "000000000022", &drive) == KLM_OK;
    n += md_group_get(view, "MIGRATED", &group) == KLM_OK;
    st_view_close(&view);
    return n;
}

static int64_t pending_max(void)
{
    struct km_state *state = km_state_get(house.server);
    int64_t max = parm_num(state->config, PARM_drive_pending_max);

    km_state_put(&state);
    return max;
}

TEST(a_migration_that_is_killed_is_there_whole_or_not_and_another_makes_it_good)
{
    size_t none = 0, all = 0;
    bool through = false;
    long n = 0;

    start_house(&house, "migration", "");
    keep();
    for (; !through && n < 300; n++) {
        int there;

        copy_house(kept, house.dir);
        through = kill_run(migrate_once, NULL, n);
        open_house(&house, true);
        there = migrated();
        CHECK(there == 0 || there == 4);
        CHECK(!through || there == 4);
        none += there == 0;
        all += there == 4;
        CHECK(there == 0 || pending_max() == 7); /* the file is written before the store has it */
        REQUIRE_OK(migrate());
        CHECK_INT(migrated(), 4);
        CHECK_INT(pending_max(), 7);
        CHECK_RC(st_verify(km_store(house.server), NULL, NULL, NULL), KLM_OK);
        close_house(&house);
    }
    fprintf(stderr, "# killed %zu times before it was there, %zu times after\n", none, all - 1);
    CHECK(through && none > 2 && all > 1);
}
