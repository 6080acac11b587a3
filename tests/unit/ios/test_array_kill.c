/* A disk array whose program is killed at each write of a change: what is there afterwards is the state before or the state after, it opens with the same group key,
 * and the change can be made again. */
#include "base/kill_at.h"

#include "fake_km.h"

#include "array_help.h"

static struct fake fake;
static char dir[4096], recovery[IOS_RECOVERY_TEXT];
static const struct ios_labels labels = {{{"LABEL1", 'L'}, {"LABEL2", 'H'}}, 2};

static struct ios_hosts *hosts_new(void)
{
    struct ios_hosts_config cfg = {.drive = fake_drive(),
                                   .timeout_ms = 100000,
                                   .connect_ms = 100000,
                                   .backoff_ms = 5,
                                   .tries = 1};
    struct ios_hosts *hosts = NULL;

    parm_ekm_init(&cfg.ekm);
    snprintf(cfg.ekm.primary.host, sizeof cfg.ekm.primary.host, "127.0.0.1");
    cfg.ekm.primary.port = fake.port;
    REQUIRE_OK(ios_hosts_new(&cfg, NULL, &hosts));
    return hosts;
}

/* ---- The changes */
typedef klm_rc change_fn(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag);

static klm_rc configure(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_configure(dir, fake_drive(), GROUP, &labels, hosts, fault, diag);
}

static klm_rc relabel(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_relabel(dir, &labels, hosts, fault, diag);
}

static klm_rc prepare(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_rekey_prepare(dir, &labels, NULL, hosts, fault, diag);
}

static klm_rc commit(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_rekey_commit(dir, hosts, fault, diag);
}

static klm_rc create(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_recovery_create(dir, hosts, fault, diag, recovery);
}

static klm_rc verify(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    (void)hosts, (void)fault;
    return ios_array_recovery_verify(dir, recovery, diag);
}

/* With the recovery key: the try is counted before it is made. */
static klm_rc prepare_recovered(struct ios_hosts *hosts, struct ios_fault *fault,
                                struct klm_diag *diag)
{
    return ios_array_rekey_prepare(dir, &labels, recovery, hosts, fault, diag);
}

static klm_rc abandon(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    (void)hosts, (void)fault;
    return ios_array_rekey_abandon(dir, diag);
}

static klm_rc disable(struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    return ios_array_recovery_disable(dir, hosts, fault, diag);
}

static klm_rc make(change_fn *change)
{
    struct ios_hosts *hosts = hosts_new();
    struct ios_fault fault = {0};
    struct klm_diag diag = {0};
    klm_rc rc;

    kill_begin();
    rc = change(hosts, &fault, &diag);
    ios_hosts_free(&hosts);
    return rc;
}

static int child(void *arg)
{
    return make(*(change_fn **)arg) != KLM_OK;
}

/* ---- What is there */
static bool there(void)
{
    struct ios_array_state state;
    klm_rc rc = ios_array_load(dir, NULL, &state);

    REQUIRE(rc == KLM_OK || rc == KLM_E_NOTFOUND);
    return rc == KLM_OK;
}

static void unlock(uint8_t key[32])
{
    const struct ios_array_state state = array_get(dir);
    struct ios_array_opened opened = {0};
    struct ios_hosts *hosts = hosts_new();
    struct ios_fault fault = {0};
    struct klm_diag diag = {0};

    REQUIRE_OK(ios_array_unlock(&state, hosts, &fault, &diag, &opened));
    memcpy(key, opened.group_key, 32);
    ios_array_opened_done(&opened);
    ios_hosts_free(&hosts);
}

static void copy(const char *from, const char *to)
{
    SPAWN("rm", "-rf", to);
    SPAWN("cp", "-a", from, to);
}

/* Kill it at each call, from the same beginning; the last run comes through, and its state stays. */
static void kill_each(change_fn *change, const char *name)
{
    struct ios_array_state before = {0};
    uint8_t key[32] = {0}, again[32];
    char kept[4200];
    bool fresh = !there(), through = false;
    long n = 0;

    snprintf(kept, sizeof kept, "%s.kept", dir);
    copy(dir, kept);
    if (!fresh) {
        before = array_get(dir);
        unlock(key);
    }
    for (; !through && n < 200; n++) {
        copy(kept, dir);
        through = kill_run(child, &change, n);
        if (fresh && !there()) {
            continue;
        }
        unlock(again);
        if (!fresh) {
            const struct ios_array_state now = array_get(dir);

            CHECK_MEM(again, key, 32);
            CHECK(now.change == before.change || now.change > before.change);
            CHECK(through || now.change > before.change || now.sets_n == before.sets_n);
        }
        if (!through) { /* what was not done can be done; what was done says so, or is done again */
            klm_rc rc = make(change);

            CHECK(rc == KLM_OK || rc == KLM_E_STATE || rc == KLM_E_EXISTS);
        }
    }
    fprintf(stderr, "# %s: killed %ld times\n", name, n - 1);
    CHECK(through && n > 2);
}

TEST(a_kill_at_each_write_leaves_the_array_as_it_was_or_as_it_should_be)
{
    fake_start(&fake, FAKE_GOOD);
    signal(SIGPIPE, SIG_IGN); /* a child that ends leaves its session */
    (void)fake_drive();       /* made here, not by a child that is killed */
    snprintf(dir, sizeof dir, "%s", test_path("array"));
    REQUIRE_OK(klm_folder_make(dir, 0700, NULL));
    kill_each(configure, "configure");
    kill_each(relabel, "relabel");
    kill_each(prepare, "rekey, prepare");
    kill_each(commit, "rekey, commit");
    kill_each(create, "recovery key, create"); /* of a child's nobody has the text */
    {
        struct ios_hosts *hosts = hosts_new();
        struct ios_fault fault = {0};
        struct klm_diag diag = {0};

        REQUIRE_OK(create(hosts, &fault, &diag));
        ios_hosts_free(&hosts);
    }
    kill_each(verify, "recovery key, verify");
    kill_each(prepare_recovered, "rekey with the recovery key, prepare");
    kill_each(abandon, "rekey, abandon");
    kill_each(disable, "recovery key, disable");
    fake_stop(&fake);
}
