/* Held events: each is in the journal once and in order, whenever the process is killed. The mapped file is what a killed process leaves, so tests put it back to what it was at that moment. */
#include "smf_test.h"

#include "smf/event.h"
#include "smf/held_int.h"
#include "smf/segments.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

static struct smf_held *open_held(const char *folder, const char *journal_folder,
                                  struct smf_journal *journal)
{
    struct klm_diag diag = {0};
    struct smf_held *held = NULL;
    klm_rc rc = smf_held_open(folder, journal_folder, journal, &diag, &held);

    if (rc != KLM_OK) {
        printf("# %s\n", diag.text);
    }
    test_rc(rc, KLM_OK, "smf_held_open", __FILE__, __LINE__, true);
    return held;
}

struct rig {
    const char *folder, *journal_folder;
    struct smf_journal *journal;
    struct smf_held *held;
};

static struct rig rig_open(const char *folder, const char *journal_folder)
{
    struct rig rig = {.folder = folder, .journal_folder = journal_folder};

    rig.journal = open_journal(journal_folder, 0);
    rig.held = open_held(folder, journal_folder, rig.journal);
    return rig;
}

static struct rig rig_new(void)
{
    char folder[1000];

    snprintf(folder, sizeof folder, "%s", new_folder());
    return rig_open(strdup(folder), strdup(new_folder()));
}

static void rig_close(struct rig *rig)
{
    smf_held_close(&rig->held);
    smf_journal_close(&rig->journal);
}

static void rig_free(struct rig *rig)
{
    rig_close(rig);
    CHECK_INT(count_files(rig->folder, "audit-"), 0);
    free((char *)(uintptr_t)rig->folder);
    free((char *)(uintptr_t)rig->journal_folder);
}

static void hold(const struct rig *rig, uint64_t from, uint64_t n)
{
    for (uint64_t i = from; i < from + n; i++) {
        REQUIRE_OK(smf_held_put(rig->held, event_of(i)));
    }
}

/* The journal has events 1 to n, once each, in order. */
static void check_events(const struct rig *rig, uint64_t n)
{
    const struct seen *seen = read_all(rig->journal_folder, 0);
    char verb[24];

    CHECK_INT(seen->n, n);
    for (uint64_t i = 0; i < seen->n && i < KLM_COUNT(seen->no); i++) {
        snprintf(verb, sizeof verb, "v%" PRIu64, i + 1);
        CHECK_STR(seen->verb[i], verb);
    }
}

/* The file as a killed process leaves it: what is mapped now, without the closing. */
static void leave_as_killed(struct rig *rig)
{
    char path[SMF_HELD_PATH];
    uint8_t *bytes = malloc(SMF_HELD_SIZE);
    int fd;

    REQUIRE(bytes != NULL);
    memcpy(bytes, rig->held->head, SMF_HELD_SIZE);
    snprintf(path, sizeof path, "%s", rig->held->path);
    rig->held->head->put = rig->held->head->taken; /* so that closing moves nothing */
    rig_close(rig);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes, SMF_HELD_SIZE) == SMF_HELD_SIZE);
    close(fd);
    free(bytes);
}

/* Foreign text becomes what smf_event_encode makes of it, and what is no event is not held. */
TEST(an_event_that_is_not_encoded_yet_is_held_as_its_bytes_are)
{
    struct rig rig = rig_new();
    static char longer[4000];
    struct smf_event event = {.kind = SMF_RESOURCE, .outcome = SMF_SUCCESS, .time = 7};
    struct smf_event wrong = {.kind = SMF_KINDS, .outcome = SMF_SUCCESS, .time = 7};
    KLM_AUTO(klm_buf_done) struct klm_buf bytes;
    struct klm_slice held = {0};
    uint64_t at = 0;

    memset(longer, 'x', sizeof longer - 1);
    event.field[SMF_F_VERB] = "a\nb\xFF\x80 \xC3\xA4";
    event.field[SMF_F_RESOURCE] = longer;
    event.field[SMF_F_VOLSER] = "123456";
    klm_buf_init(&bytes, SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &bytes));
    CHECK_RC(smf_held_put_event(rig.held, &wrong), KLM_E_INVALID);
    CHECK(!smf_held_any(rig.held));
    REQUIRE_OK(smf_held_put_event(rig.held, &event));
    REQUIRE_OK(smf_held_next(rig.held, rig.held->head->put, &at, &held));
    CHECK(klm_slice_equal(held, klm_buf_as_slice(&bytes)));
    CHECK_RC(smf_event_check(held), KLM_OK);
    REQUIRE_OK(smf_held_move(rig.held));
    CHECK_INT(read_all(rig.journal_folder, 0)->n, 1);
    rig_free(&rig);
}

TEST(what_is_put_is_moved_in_order_and_the_file_goes_with_the_last)
{
    struct rig rig = rig_new();

    CHECK(!smf_held_any(rig.held));
    hold(&rig, 1, 600);
    CHECK(smf_held_any(rig.held));
    REQUIRE_OK(smf_held_move(rig.held));
    CHECK(!smf_held_any(rig.held));
    check_events(&rig, 600);
    hold(&rig, 601, 7);
    CHECK_INT(count_files(rig.folder, "audit-"), 1);
    rig_close(&rig);
    CHECK_INT(count_files(rig.folder, "audit-"), 0);
    check_events(&rig, 607);
    rig_free(&rig);
}

TEST(there_is_no_room_for_more_until_some_are_moved_and_the_ring_goes_round)
{
    struct rig rig = rig_new();
    uint64_t n = 0;
    klm_rc rc = KLM_OK;

    for (unsigned round = 0; round < 3; round++) {
        while ((rc = smf_held_put(rig.held, event_of(n + 1))) == KLM_OK) {
            n++;
        }
        CHECK_RC(rc, KLM_E_LIMIT);
        REQUIRE_OK(smf_held_move(rig.held));
    }
    CHECK(rig.held->head->put > 2 * SMF_HELD_ROOM);
    CHECK_INT(smf_journal_last(rig.journal), n);
    check_events(&rig, n);
    CHECK(smf_held_put(rig.held, klm_slice_str("no event")) != KLM_OK);
    CHECK(!smf_held_any(rig.held));
    rig_free(&rig);
}

TEST(what_a_kill_left_before_it_was_moved_is_in_the_journal_after_the_next_open)
{
    struct rig rig = rig_new();

    hold(&rig, 1, 3);
    REQUIRE_OK(smf_held_move(rig.held));
    hold(&rig, 4, 400);
    leave_as_killed(&rig);
    check_events(&rig, 3);
    rig = rig_open(rig.folder, rig.journal_folder);
    check_events(&rig, 403);
    CHECK_INT(smf_journal_synced(rig.journal), 403);
    hold(&rig, 404, 2);
    REQUIRE_OK(smf_held_move(rig.held));
    check_events(&rig, 405);
    rig_free(&rig);
}

/* The kill came between the append and the note that it was done. */
TEST(what_was_appended_and_not_noted_is_not_appended_again)
{
    struct rig rig = rig_new();
    uint64_t taken;

    hold(&rig, 1, 5);
    REQUIRE_OK(smf_held_move(rig.held));
    taken = rig.held->head->taken;
    hold(&rig, 6, 4);
    REQUIRE_OK(smf_held_move(rig.held));
    rig.held->head->taken = taken;
    hold(&rig, 10, 2); /* put by another thread meanwhile */
    leave_as_killed(&rig);
    rig = rig_open(rig.folder, rig.journal_folder);
    check_events(&rig, 11);
    rig_free(&rig);
}

static off_t size_of(const char *path)
{
    struct stat st;

    REQUIRE(stat(path, &st) == 0);
    return st.st_size;
}

/* The kill cut the write of the append: its first events are whole, the next is torn. */
TEST(of_an_append_that_was_cut_only_the_rest_is_appended)
{
    off_t before = 0, after = 1;

    for (off_t cut = 1; cut <= after - before; cut += 97) {
        struct rig rig = rig_new();
        char segment[1200];
        uint64_t taken;

        snprintf(segment, sizeof segment, "%s",
                 in_folder(rig.journal_folder, "journal.0000000001"));
        hold(&rig, 1, 5);
        REQUIRE_OK(smf_held_move(rig.held));
        taken = rig.held->head->taken;
        before = size_of(segment);
        hold(&rig, 6, 6);
        REQUIRE_OK(smf_held_move(rig.held));
        rig.held->head->taken = taken;
        leave_as_killed(&rig);
        after = size_of(segment);
        REQUIRE(truncate(segment, after - cut) == 0);
        (void)unlink(in_folder(rig.journal_folder, "synced")); /* it was not synced */
        rig = rig_open(rig.folder, rig.journal_folder);
        check_events(&rig, 11);
        rig_free(&rig);
    }
    CHECK(after - before > 500);
}

/* Another thread's records stand between; alike ones of an earlier move do not count. */
TEST(events_alike_that_were_moved_before_are_not_taken_for_those_that_were_not)
{
    struct rig rig = rig_new();

    for (unsigned i = 0; i < 3; i++) {
        hold(&rig, 1, 1);
        REQUIRE_OK(smf_held_move(rig.held));
        (void)append(rig.journal, 1, 0);
    }
    hold(&rig, 1, 2);
    leave_as_killed(&rig);
    rig = rig_open(rig.folder, rig.journal_folder);
    CHECK_INT(read_all(rig.journal_folder, 0)->n, 8);
    rig_free(&rig);
}

static klm_rc opened(const struct rig *rig, struct klm_diag *diag)
{
    struct smf_held *held = NULL;
    struct smf_journal *journal = open_journal(rig->journal_folder, 0);
    klm_rc rc = smf_held_open(rig->folder, rig->journal_folder, journal, diag, &held);

    smf_held_close(&held);
    smf_journal_close(&journal);
    return rc;
}

TEST(a_file_that_others_may_write_to_or_that_is_none_is_refused_and_stays)
{
    struct rig rig = rig_new();
    struct klm_diag diag = {0};
    char path[SMF_HELD_PATH], other[1000];

    snprintf(path, sizeof path, "%s", rig.held->path);
    hold(&rig, 1, 2);
    leave_as_killed(&rig);
    chmod(path, 0660);
    CHECK_RC(opened(&rig, &diag), KLM_E_DENIED);
    CHECK_INT(diag.msg, KLM_MSG_HELD_FOREIGN);
    chmod(path, 0600);

    snprintf(other, sizeof other, "%s", test_path("elsewhere"));
    REQUIRE(rename(path, other) == 0 && symlink(other, path) == 0);
    CHECK(opened(&rig, &diag) != KLM_OK);
    REQUIRE(rename(other, path) == 0);

    REQUIRE(link(path, other) == 0);
    CHECK_RC(opened(&rig, &diag), KLM_E_DENIED);
    REQUIRE(unlink(other) == 0);

    CHECK_RC(opened(&rig, &diag), KLM_OK);
    check_events(&rig, 2);
    rig = rig_open(rig.folder, rig.journal_folder);
    rig_free(&rig);
}

/* Whatever is wrong in it, nothing is read beyond its end and nothing is recorded that cannot be read. */
TEST(a_damaged_file_is_named_and_nothing_of_it_is_recorded)
{
    static const struct {
        size_t at;
        uint64_t value;
    } damage[] = {{0, 0x4142434445464748},
                  {8, 1},
                  {16, 99},
                  {24, UINT64_MAX},
                  {24, 5},
                  {32, 1u << 30},
                  {SMF_HELD_HEAD, 0x7fffffff},
                  {SMF_HELD_HEAD, 5},
                  {SMF_HELD_HEAD + 8, UINT64_MAX}};

    for (size_t i = 0; i < KLM_COUNT(damage); i++) {
        struct rig rig = rig_new();
        struct klm_diag diag = {0};
        char path[SMF_HELD_PATH];
        int fd;

        snprintf(path, sizeof path, "%s", rig.held->path);
        hold(&rig, 1, 3);
        leave_as_killed(&rig);
        fd = open(path, O_WRONLY);
        REQUIRE(fd >= 0 && pwrite(fd, &damage[i].value, 8, (off_t)damage[i].at) == 8);
        close(fd);
        CHECK_RC(opened(&rig, &diag), KLM_E_CORRUPT);
        CHECK_INT(diag.msg, KLM_MSG_HELD_DAMAGED);
        CHECK_INT(read_all(rig.journal_folder, 0)->n, 0);
        REQUIRE(unlink(path) == 0);
        rig = rig_open(rig.folder, rig.journal_folder);
        rig_free(&rig);
    }
}

/* ---- Threads */

#define PUTTERS 3
#define EACH 3000

struct putter {
    struct smf_held *held;
    uint64_t from;
};

static void *put_all(void *arg)
{
    const struct putter *p = arg;

    for (uint64_t i = 0; i < EACH; i++) {
        while (smf_held_put(p->held, event_of(p->from + i)) != KLM_OK) {
            sched_yield();
        }
    }
    return NULL;
}

static atomic_bool ended;

static void *move_all(void *arg)
{
    while (!atomic_load(&ended)) {
        REQUIRE_OK(smf_held_move(arg));
    }
    return NULL;
}

struct order {
    uint64_t n, next[PUTTERS];
    bool wrong;
};

static klm_rc see_order(void *arg, const struct smf_record *record)
{
    struct order *order = arg;
    uint64_t no = strtoull(record->event.field[SMF_F_VERB] + 1, NULL, 10) - 1;

    order->n++;
    order->wrong |= no >= (uint64_t)PUTTERS * EACH || order->next[no / EACH]++ != no % EACH;
    return KLM_OK;
}

TEST(threads_put_while_others_move_and_each_ones_events_keep_their_order)
{
    struct rig rig = rig_new();
    struct putter putter[PUTTERS];
    pthread_t thread[PUTTERS], mover[2];
    struct order order = {0};
    struct klm_diag diag = {0};

    atomic_store(&ended, false);
    for (size_t i = 0; i < KLM_COUNT(mover); i++) {
        REQUIRE(pthread_create(&mover[i], NULL, move_all, rig.held) == 0);
    }
    for (size_t i = 0; i < PUTTERS; i++) {
        putter[i] = (struct putter){.held = rig.held, .from = i * EACH + 1};
        REQUIRE(pthread_create(&thread[i], NULL, put_all, &putter[i]) == 0);
    }
    for (size_t i = 0; i < PUTTERS; i++) {
        pthread_join(thread[i], NULL);
    }
    atomic_store(&ended, true);
    for (size_t i = 0; i < KLM_COUNT(mover); i++) {
        pthread_join(mover[i], NULL);
    }
    REQUIRE_OK(smf_held_move(rig.held));
    REQUIRE_OK(smf_journal_read(rig.journal_folder, 0, see_order, &order, &diag));
    CHECK_INT(order.n, (uint64_t)PUTTERS * EACH);
    CHECK(!order.wrong);
    rig_free(&rig);
}

/* ---- A real kill */

#define KILLS 15

/* In the process that is killed: events are put as fast as they go while another thread moves them; how many were put stands in memory that outlives it. */
static void put_until_killed(const struct rig *rig, uint64_t *put)
{
    pthread_t mover;

    atomic_store(&ended, false);
    REQUIRE(pthread_create(&mover, NULL, move_all, rig->held) == 0);
    for (;;) {
        if (smf_held_put(rig->held, event_of(*put + 1)) == KLM_OK) {
            __atomic_store_n(put, *put + 1, __ATOMIC_SEQ_CST);
        }
    }
}

/* Numbers rise by one. */
static klm_rc see_next(void *arg, const struct smf_record *record)
{
    uint64_t *found = arg;

    return strtoull(record->event.field[SMF_F_VERB] + 1, NULL, 10) == ++*found ? KLM_OK
                                                                               : KLM_E_INVALID;
}

TEST(each_event_that_was_put_before_a_kill_is_in_the_journal_once)
{
    struct rig rig = rig_new();
    uint64_t *put = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct klm_diag diag = {0};

    REQUIRE(put != MAP_FAILED);
    rig_close(&rig);
    for (unsigned i = 0; i < KILLS; i++) {
        uint64_t goal = *put + 20 + i * 37, found;
        pid_t child = fork();

        REQUIRE(child >= 0);
        if (child == 0) {
            rig = rig_open(rig.folder, rig.journal_folder);
            put_until_killed(&rig, put);
            _exit(1);
        }
        while (__atomic_load_n(put, __ATOMIC_SEQ_CST) < goal &&
               waitpid(child, NULL, WNOHANG) == 0) {
            sched_yield();
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        CHECK(*put >= goal);

        rig = rig_open(rig.folder, rig.journal_folder);
        found = 0;
        REQUIRE_OK(smf_journal_read(rig.journal_folder, 0, see_next, &found, &diag));
        /* One may have been put that was not counted any more. */
        CHECK(found == *put || found == *put + 1);
        *put = found;
        rig_close(&rig);
    }
    munmap(put, 4096);
    rig = rig_open(rig.folder, rig.journal_folder);
    rig_free(&rig);
}
