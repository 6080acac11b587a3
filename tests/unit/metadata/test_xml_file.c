/* SKLMData.xml as a file: written, rolled, gone on with, set aside, and always well formed. */
#include "md_help.h"

#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX ((size_t)1 << 24)

extern char **environ;

static const char *dir_of(const char *name)
{
    const char *path = test_path(name);

    REQUIRE_OK(klm_folder_make(path, 0700, NULL));
    return path;
}

/* A path in a folder of the test's own. */
static const char *in_folder(const char *folder, const char *name)
{
    static char out[4][512];
    static unsigned at;
    char *path = out[at++ % 4];

    snprintf(path, 512, "%s/%s", dir_of(folder), name);
    return path;
}

static struct md_xml *open_xml(struct st_store *store, const char *path, uint64_t roll)
{
    struct md_xml_options o = {.path = path, .roll_bytes = roll, .cachecount = 100};
    struct st_view *view = help_view(store);
    struct md_xml *xml = NULL;

    REQUIRE_OK(md_xml_open(&o, view, NULL, &xml));
    st_view_close(&view);
    return xml;
}

static void update(struct md_xml *xml, struct st_store *store, bool force)
{
    struct st_view *view = help_view(store);

    REQUIRE_OK(md_xml_update(xml, view, force, NULL));
    st_view_close(&view);
}

/* First and last volume of a file, how many events, whether their numbers follow each other. */
struct summary {
    unsigned long first, last;
    size_t n;
    bool gapless;
};

static klm_rc sum_up(void *arg, const struct md_usage *u)
{
    struct summary *s = arg;
    unsigned long v = strtoul(u->volser, NULL, 10);

    s->first = s->n ? s->first : v;
    s->gapless = s->n ? s->gapless && v == s->last + 1 : true;
    s->last = v;
    s->n++;
    return KLM_OK;
}

static struct summary sum_of(const char *path)
{
    struct summary s = {0};
    struct klm_diag diag = {0};

    CHECK_RC(md_xml_read(path, MAX, sum_up, &s, &diag), KLM_OK);
    CHECK_STR(diag.text, "");
    return s;
}

static void check_file(const char *path, unsigned long first, unsigned long last)
{
    struct summary s = sum_of(path);

    CHECK_INT(s.first, first);
    CHECK_INT(s.last, last);
    CHECK_INT(s.n, last ? last - first + 1 : 0);
    CHECK(s.gapless || !last);
}

/* Python's own parser counts the events and gives back an alias. */
static int python(const char *path, const char *count)
{
    static const char script[] =
        "import sys, xml.etree.ElementTree as E\n"
        "r = E.parse(sys.argv[1]).getroot()\n"
        "assert r.tag == 'KeyUsageEvents', r.tag\n"
        "e = r.findall('KeyUsageEvent')\n"
        "assert len(e) == int(sys.argv[2]) == len(r), len(e)\n"
        "order = ['driveSSN', 'volSer', 'driveWWN', 'keyAlias2', 'keyAlias1', 'dateTime']\n"
        "assert all([c.tag for c in x][:6] == order for x in e)\n"
        "assert all(x.find('keyAlias2').text == sys.argv[3] for x in e)\n";
    char *argv[] = {(char[]){"python3"},
                    (char[]){"-c"},
                    strdup(script),
                    strdup(path),
                    strdup(count),
                    strdup("\xC3\xBC <&> \"q\" 'a' ]]>"),
                    NULL};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = -1;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "python3", &quiet, NULL, argv, environ) == 0) {
        waitpid(pid, &status, 0);
    }
    posix_spawn_file_actions_destroy(&quiet);
    for (size_t i = 2; argv[i]; i++) {
        free(argv[i]);
    }
    return status;
}

TEST(an_independent_parser_reads_the_file)
{
    const char *path = in_folder("python", "SKLMData.xml");
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_xml *xml = NULL;

    for (uint64_t i = 1; i <= 20; i++) {
        struct md_usage u = help_usage(i);

        SET(u.alias2, "\xC3\xBC <&> \"q\" 'a' ]]>");
        SET(u.dki, i % 2 ? "00ff" : "");
        REQUIRE_OK(md_usage_add(c, &u));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
    xml = open_xml(store, path, 0);
    CHECK_INT(python(path, "20"), 0);
    CHECK(python(path, "21") != 0); /* the check can fail */
    md_xml_close(&xml);
    st_close(&store);
}

TEST(a_new_file_is_empty_but_well_formed)
{
    const char *path = in_folder("empty", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 0);
    struct klm_buf text;
    struct stat st;

    check_file(path, 0, 0);
    CHECK_INT(python(path, "0"), 0);
    klm_buf_init(&text, MAX);
    REQUIRE_OK(klm_file_read(path, MAX, &text, NULL));
    CHECK_MEM(text.p, "<KeyUsageEvents></KeyUsageEvents>\n<!-- first=0 last=0 count=0 sha256=", 69);
    klm_buf_done(&text);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0640);
    md_xml_close(&xml);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(events_are_joined_as_in_the_documented_sample)
{
    const char *path = in_folder("look", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml;
    struct klm_buf text;

    help_fill(store, 1, 2);
    xml = open_xml(store, path, 0);
    klm_buf_init(&text, MAX);
    REQUIRE_OK(klm_file_read(path, MAX, &text, NULL));
    klm_buf_u8(&text, 0);
    CHECK(strncmp((const char *)text.p, "<KeyUsageEvents><KeyUsageEvent>\n<driveSSN>", 42) == 0);
    CHECK(strstr((const char *)text.p,
                 "</dateTime>\n</KeyUsageEvent><KeyUsageEvent>\n<driveSSN>") != NULL);
    CHECK(strstr((const char *)text.p, "</dateTime>\n</KeyUsageEvent></KeyUsageEvents>\n") != NULL);
    klm_buf_done(&text);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(an_update_follows_the_store_and_a_restart_goes_on)
{
    const char *path = in_folder("follow", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 0);

    help_fill(store, 1, 5);
    update(xml, store, true);
    check_file(path, 1, 5);
    help_fill(store, 6, 6);
    update(xml, store, true);
    check_file(path, 1, 6);
    md_xml_close(&xml);
    help_fill(store, 7, 9);
    help_listen();
    xml = open_xml(store, path, 0);
    CHECK_STR(help_said, "");
    klm_say_to(NULL, NULL);
    check_file(path, 1, 6); /* opening writes nothing when the file is whole */
    update(xml, store, true);
    check_file(path, 1, 9);
    md_xml_close(&xml);
    st_close(&store);
}

static struct timespec standing; /* where the monotonic clock stands; 0: it goes */

/* In front of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id == CLOCK_MONOTONIC && standing.tv_sec) {
        *ts = standing;
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, id, ts);
}

TEST(files_are_written_at_cachecount_events_or_after_a_second)
{
    standing.tv_sec = 1000;
    const char *path = in_folder("late", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 0);

    help_fill(store, 1, 5);
    update(xml, store, false);
    check_file(path, 0, 0); /* too early */
    standing.tv_nsec += 300000000;
    update(xml, store, false);
    check_file(path, 0, 0); /* too few */
    help_fill(store, 6, 100);
    update(xml, store, false);
    check_file(path, 1, 100); /* a hundred wait */
    help_fill(store, 101, 101);
    update(xml, store, false);
    check_file(path, 1, 100);
    standing.tv_sec += 1;
    update(xml, store, false);
    check_file(path, 1, 101); /* a second went by */
    standing = (struct timespec){0};
    md_xml_close(&xml);
    st_close(&store);
}

TEST(nothing_new_writes_nothing)
{
    const char *path = in_folder("idle", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml;
    struct stat before, after;

    help_fill(store, 1, 3);
    xml = open_xml(store, path, 0);
    REQUIRE(stat(path, &before) == 0);
    update(xml, store, true);
    REQUIRE(stat(path, &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    md_xml_close(&xml);
    st_close(&store);
}

/* An event of help_fill is 290 bytes: thirteen of them, the root and the last line fit into 4
 * KB, more do not. */
TEST(at_the_size_limit_the_file_becomes_the_previous_one)
{
    const char *path = in_folder("roll", "SKLMData.xml"),
               *previous = in_folder("roll", "SKLMData.previous.xml");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 4096);
    struct summary now, before;
    struct stat st;

    for (uint64_t i = 1; i <= 100; i++) {
        help_fill(store, i, i);
        update(xml, store, true);
        REQUIRE(stat(path, &st) == 0);
        CHECK(st.st_size <= 4096);
        now = sum_of(path);
        CHECK_INT(now.last, i);
        CHECK(now.gapless);
        if (now.first > 1) {
            before = sum_of(previous);
            CHECK(before.gapless);
            CHECK_INT(before.last, now.first - 1);
            CHECK_INT(before.n, 13);
        }
    }
    CHECK(now.first > 50);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(a_burst_over_many_files_leaves_the_last_two)
{
    const char *path = in_folder("burst", "usage"),
               *previous = in_folder("burst", "usage.previous");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 4096);
    struct summary now, before;

    help_fill(store, 1, 500);
    update(xml, store, true);
    now = sum_of(path);
    before = sum_of(previous);
    CHECK(now.gapless && before.gapless);
    CHECK_INT(now.last, 500);
    CHECK_INT(before.last, now.first - 1);
    md_xml_close(&xml);
    xml = open_xml(store, path, 4096);
    help_fill(store, 501, 501);
    update(xml, store, true);
    CHECK_INT(sum_of(path).last, 501);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(an_event_larger_than_the_limit_still_gets_a_file)
{
    const char *path = in_folder("tiny", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 1);

    help_fill(store, 1, 3);
    update(xml, store, true);
    check_file(path, 3, 3);
    check_file(in_folder("tiny", "SKLMData.previous.xml"), 2, 2);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(a_limit_beyond_what_can_be_replaced_is_lowered_with_a_warning)
{
    struct st_store *store = help_store();
    struct md_xml *xml;

    help_listen();
    xml = open_xml(store, in_folder("huge", "SKLMData.xml"), UINT64_MAX);
    klm_say_to(NULL, NULL);
    CHECK(help_heard("KLM0611W"));
    md_xml_close(&xml);
    st_close(&store);
}

TEST(a_missing_file_is_made_anew_from_the_newest_events)
{
    const char *path = in_folder("anew", "SKLMData.xml");
    struct st_store *store = help_store();
    struct md_xml *xml;
    struct summary now;

    help_fill(store, 1, 5000);
    xml = open_xml(store, path, 65536);
    now = sum_of(path);
    CHECK(now.gapless);
    CHECK_INT(now.last, 5000);
    CHECK(now.n > 220 && now.n <= 226);
    CHECK(access(in_folder("anew", "SKLMData.previous.xml"), F_OK) != 0);
    help_fill(store, 5001, 5001);
    update(xml, store, true);
    CHECK_INT(sum_of(path).last, 5001);
    md_xml_close(&xml);
    st_close(&store);
}

/* Cut short, changed in any byte, edited, empty, not ours at all: set aside and made anew. */
static void spoil_and_open(const char *folder, struct st_store *store, const struct klm_buf *good,
                           size_t n, size_t flip)
{
    const char *path = in_folder(folder, "SKLMData.xml"),
               *aside = in_folder(folder, "SKLMData.damaged.xml");
    struct klm_buf text;
    struct md_xml *xml;

    klm_buf_init(&text, MAX);
    klm_buf_put(&text, good->p, n);
    if (flip < n) {
        text.p[flip] ^= 1;
    }
    (void)unlink(aside);
    REQUIRE_OK(klm_file_replace(path, klm_buf_as_slice(&text), 0600, NULL));
    help_listen();
    xml = open_xml(store, path, 0);
    klm_say_to(NULL, NULL);
    CHECK(help_heard("KLM0610W") && help_heard("SKLMData.damaged.xml"));
    CHECK(access(aside, F_OK) == 0);
    check_file(path, 1, 3);
    md_xml_close(&xml);
    klm_buf_done(&text);
}

TEST(a_damaged_file_is_set_aside_and_made_anew)
{
    struct st_store *store = help_store();
    struct md_xml *xml;
    struct klm_buf good;

    help_fill(store, 1, 3);
    xml = open_xml(store, in_folder("aside", "SKLMData.xml"), 0);
    md_xml_close(&xml);
    klm_buf_init(&good, MAX);
    REQUIRE_OK(klm_file_read(in_folder("aside", "SKLMData.xml"), MAX, &good, NULL));
    for (size_t at = 0; at < good.n; at += at < good.n - 160 ? 101 : 7) {
        spoil_and_open("aside", store, &good, at, SIZE_MAX);
        spoil_and_open("aside", store, &good, good.n, at);
    }
    klm_buf_done(&good);
    st_close(&store);
}

TEST(a_file_that_is_ahead_of_the_store_is_set_aside)
{
    const char *path = in_folder("ahead", "SKLMData.xml");
    struct st_store *store = help_store(), *older = help_store();
    struct md_xml *xml;

    help_fill(store, 1, 30);
    help_fill(older, 1, 20);
    xml = open_xml(store, path, 0);
    md_xml_close(&xml);
    help_listen();
    xml = open_xml(older, path, 0);
    klm_say_to(NULL, NULL);
    CHECK(help_heard("KLM0610W") && help_heard("the store has not"));
    check_file(path, 1, 20);
    md_xml_close(&xml);
    st_close(&store);
    st_close(&older);
}

TEST(a_folder_that_takes_no_file_is_reported_and_tried_again)
{
    const char *path = in_folder("full", "SKLMData.xml"), *folder = dir_of("full");
    struct st_store *store = help_store();
    struct md_xml *xml = open_xml(store, path, 0);
    struct st_view *view;
    struct klm_diag diag = {0};
    char moved[600];

    help_fill(store, 1, 3);
    snprintf(moved, sizeof moved, "%s.moved", folder);
    REQUIRE(rename(folder, moved) == 0);
    view = help_view(store);
    CHECK(md_xml_update(xml, view, true, &diag) != KLM_OK);
    CHECK(diag.msg != KLM_MSG_NONE);
    REQUIRE(rename(moved, folder) == 0);
    check_file(path, 0, 0);
    REQUIRE_OK(md_xml_update(xml, view, true, NULL)); /* no new events, but the file lacks some */
    check_file(path, 1, 3);
    st_view_close(&view);
    md_xml_close(&xml);
    st_close(&store);
}

TEST(names_that_cannot_be_are_refused)
{
    static char path[5000];
    struct st_store *store = help_store();
    struct st_view *view = help_view(store);
    struct md_xml_options o = {.path = path};
    struct md_xml *xml = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(md_xml_open(&o, view, &diag, &xml), KLM_E_INVALID);
    CHECK(strstr(diag.text, "KLM0614E") == diag.text);
    memset(path, 'x', 4090);
    CHECK_RC(md_xml_open(&o, view, NULL, &xml), KLM_E_INVALID);
    memset(path, 'x', 4999);
    CHECK_RC(md_xml_open(&o, view, NULL, &xml), KLM_E_INVALID);
    o.path = "/nonexistent-folder/SKLMData.xml";
    CHECK(md_xml_open(&o, view, &diag, &xml) != KLM_OK);
    CHECK(xml == NULL);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_damaged_event_does_not_stop_the_file)
{
    const char *path = in_folder("hole", "SKLMData.xml");
    struct st_store *store = help_store();
    struct st_change *c;
    struct md_xml *xml;
    struct summary s;

    help_fill(store, 1, 9);
    c = help_begin(store);
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE("\0\0\0\0\0\0\0\x09", 8), KLM_SLICE("?", 1)));
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE("\0\0\0\0\0\0\0\x05", 8), KLM_SLICE("?", 1)));
    REQUIRE_OK(st_change_commit(&c, NULL));
    help_listen();
    xml = open_xml(store, path, 0);
    s = sum_of(path);
    CHECK_INT(s.n, 7);
    CHECK_INT(s.last, 8);
    help_said[0] = '\0';
    update(xml, store, true);
    CHECK_STR(help_said, ""); /* named once, not at each update */
    klm_say_to(NULL, NULL);
    md_xml_close(&xml);
    st_close(&store);
}

/* ---- Kill: a child adds events and updates the files as fast as it can */

/* A store with the events that the file had, then more and more. */
static void child(const char *path, unsigned long had, int ready)
{
    struct st_store *store = help_store();
    struct md_xml_options o = {.path = path, .roll_bytes = 16384, .cachecount = 1};
    struct md_xml *xml = NULL;
    struct st_view *view;

    help_fill(store, 1, had);
    view = help_view(store);
    if (md_xml_open(&o, view, NULL, &xml) != KLM_OK || write(ready, "r", 1) != 1) {
        _exit(3);
    }
    for (uint64_t i = had + 1;; i += 7) {
        st_view_close(&view);
        help_fill(store, i, i + 6);
        view = help_view(store);
        if (md_xml_update(xml, view, true, NULL) != KLM_OK) {
            _exit(4);
        }
    }
}

static pid_t start_child(const char *path, unsigned long had)
{
    int fd[2];
    char c;
    pid_t pid;

    REQUIRE(pipe(fd) == 0);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        child(path, had, fd[1]);
    }
    close(fd[1]);
    CHECK_INT(read(fd[0], &c, 1), 1);
    close(fd[0]);
    return pid;
}

TEST(the_file_is_well_formed_at_any_moment_also_after_kills)
{
    const char *path = in_folder("kill", "SKLMData.xml"),
               *previous = in_folder("kill", "SKLMData.previous.xml");
    unsigned long had = 0, reads = 0;

    for (unsigned round = 0; round < 40; round++) {
        pid_t pid = start_child(path, had);
        uint64_t end = klm_clock_mono_ns() + 1000000 + round * 7919 % 37 * 500000u;
        struct summary now, before;
        int status;

        do {
            now = sum_of(path); /* while it is being replaced */
            CHECK(now.last >= had);
            reads++;
        } while (klm_clock_mono_ns() < end);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        now = sum_of(path);
        CHECK(now.n == 0 || now.gapless);
        if (access(previous, F_OK) == 0) {
            before = sum_of(previous);
            CHECK(before.gapless);
            CHECK(before.last + 1 >= now.first && before.first < now.first + now.n);
        }
        had = now.last;
    }
    printf("# 40 kills, %lu reads meanwhile, %lu events\n", reads, had);
    CHECK(had > 0);
    CHECK(access(previous, F_OK) == 0);
    CHECK(access(in_folder("kill", "SKLMData.damaged.xml"), F_OK) !=
          0); /* each restart went on with the file */
}
