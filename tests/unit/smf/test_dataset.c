/* The SMF data sets: what stands in them is read by tests/smf/smfseries.py, which compares it with the journal and the text log. */
#include "smf/key_test.h"
#include "smf/smf_test.h"

#include "smf/dataset.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#define TEXT "text.log"

/* A journal, a text log and SMF data sets that follow it. */
struct smf {
    char journal_folder[300], folder[300], text_folder[300];
    struct smf_journal *journal;
    struct smf_text *text;
    struct smf_dataset_sink *sink;
    struct smf_dataset_options options;
    const char *names[4];
    struct smf_signer signer;
};

static void open_sink(struct smf *smf)
{
    struct klm_diag diag = {0};
    klm_rc rc = smf_dataset_sink_open(&smf->options, smf->journal, &diag, &smf->sink);

    if (rc != KLM_OK) {
        printf("# %s\n", diag.text);
    }
    test_rc(rc, KLM_OK, "smf_dataset_sink_open", __FILE__, __LINE__, true);
}

static void open_text(struct smf *smf)
{
    struct smf_text_options options = {.folder = smf->text_folder, .name = TEXT};

    test_rc(smf_text_open(&options, smf->journal, NULL, &smf->text), KLM_OK, "smf_text_open",
            __FILE__, __LINE__, true);
}

static void smf_init(struct smf *smf, uint64_t size, enum smf_format format, size_t names)
{
    static const char *const all[] = {"SYS1.TEST.MAN1", "SYS1.TEST.MAN2", "SYS1.TEST.MAN3"};

    *smf = (struct smf){.options = {.size = size,
                                    .format = format,
                                    .names_n = names,
                                    .origin = {.system = "TEST", .subsystem = "STC", .job = "JOB"},
                                    .server_id = "test"}};
    snprintf(smf->journal_folder, sizeof smf->journal_folder, "%s", new_folder());
    snprintf(smf->folder, sizeof smf->folder, "%s", new_folder());
    snprintf(smf->text_folder, sizeof smf->text_folder, "%s", new_folder());
    memcpy(smf->names, all, sizeof all);
    smf->options.folder = smf->folder;
    smf->options.names = smf->names;
    smf->journal = open_journal(smf->journal_folder, 0);
    open_text(smf);
    listen_to_messages(); /* until smf_done */
}

static void smf_done(struct smf *smf)
{
    klm_say_to(NULL, NULL);
    smf_dataset_sink_close(&smf->sink);
    smf_text_close(&smf->text);
    smf_journal_close(&smf->journal);
}

static void append_n(struct smf *smf, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        append(smf->journal, i, 0);
    }
}

static void drain(struct smf *smf)
{
    test_rc(smf_sink_drain(smf_dataset_sink_core(smf->sink), 0), KLM_OK, "drain", __FILE__,
            __LINE__, false);
}

/* What the independent reader finds. */
struct found {
    int status;
    unsigned files, records, events, checkpoints;
};

static struct found look(struct smf *smf, const char *option, const char *value, const char *more)
{
    char script[sizeof __FILE__ + 60], *slash, line[400] = "";
    const char *out = test_path("series-out");
    char *argv[] = {(char[]){"python3"},
                    script,
                    smf->folder,
                    smf->journal_folder,
                    (char *)(uintptr_t)option,
                    (char *)(uintptr_t)value,
                    (char *)(uintptr_t)more,
                    NULL};
    struct found found = {.status = -1};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    FILE *file;

    snprintf(script, sizeof script, "%s", __FILE__);
    slash = strrchr(script, '/');
    REQUIRE(slash != NULL);
    snprintf(slash, sizeof script - (size_t)(slash - script), "/../../smf/smfseries.py");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(posix_spawnp(&pid, "python3", &actions, NULL, argv, environ) == 0);
    REQUIRE(waitpid(pid, &found.status, 0) == pid);
    posix_spawn_file_actions_destroy(&actions);
    file = fopen(out, "r");
    REQUIRE(file != NULL);
    if (!fgets(line, sizeof line, file) ||
        sscanf(line, "files %u records %u events %u checkpoints %u", &found.files, &found.records,
               &found.events, &found.checkpoints) != 4) {
        printf("# %s", line);
    }
    fclose(file);
    return found;
}

/* All is well, with so many events; the lines in the records are those of the text log. */
static struct found check(struct smf *smf, unsigned events)
{
    struct found found;

    test_rc(smf_text_drain(smf->text), KLM_OK, "smf_text_drain", __FILE__, __LINE__, false);
    found = look(smf, "--text", smf->text_folder, TEXT);
    CHECK_INT(found.status, 0);
    CHECK_INT(found.events, events);
    return found;
}

static const char *in(const struct smf *smf, const char *name)
{
    return in_folder(smf->folder, name);
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* ---- Records and switches */

TEST(the_data_sets_follow_the_journal_in_every_format)
{
    for (enum smf_format format = SMF_RDW; format <= SMF_VBS; format++) {
        struct smf smf;
        struct found found;
        struct stat st;

        smf_init(&smf, 30000, format, 3);
        open_sink(&smf);
        append_n(&smf, 5);
        drain(&smf);
        found = check(&smf, 5);
        CHECK_INT(found.files, 1);
        REQUIRE(stat(in(&smf, "SYS1.TEST.MAN1"), &st) == 0);
        CHECK_INT(st.st_mode & 0777, 0640);
        append_n(&smf, 50); /* the second data set, too */
        drain(&smf);
        CHECK(check(&smf, 55).files > 1);
        smf_done(&smf);
    }
}

TEST(events_that_are_left_out_are_in_no_sink_also_when_the_filter_changed_since)
{
    struct smf smf;

    smf_init(&smf, 0, SMF_RDW, 2);
    append_n(&smf, 2);
    smf_journal_filter(smf.journal, "authentication", NULL);
    append_n(&smf, 3);
    smf_journal_filter(smf.journal, "all", NULL);
    append_n(&smf, 4);
    open_sink(&smf);
    drain(&smf);
    check(&smf, 6);
    CHECK_INT(smf_sink_position(smf_dataset_sink_core(smf.sink)), 9);
    smf_done(&smf);
}

TEST(after_a_restart_nothing_stands_twice_and_nothing_is_missing)
{
    struct smf smf;

    smf_init(&smf, 20000, SMF_VB, 2);
    for (unsigned i = 0; i < 8; i++) {
        open_sink(&smf);
        append_n(&smf, 7);
        drain(&smf);
        smf_dataset_sink_close(&smf.sink);
        append_n(&smf, 1);
    }
    open_sink(&smf);
    drain(&smf);
    check(&smf, 64);
    smf_done(&smf);
}

TEST(an_operator_switches_and_sees_the_data_sets)
{
    struct smf smf;
    struct smf_dataset_row rows[SMF_DATASETS_MAX];
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];
    size_t n = 0;

    smf_init(&smf, 0, SMF_RDW, 3);
    open_sink(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_STR(from, ""); /* nothing in it yet */
    CHECK_STR(to, "SYS1.TEST.MAN1");
    append_n(&smf, 5);
    drain(&smf);
    listen_to_messages();
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_STR(from, "SYS1.TEST.MAN1");
    CHECK_STR(to, "SYS1.TEST.MAN2");
    CHECK_INT(heard_times("KLM0752I SMF now recording on SYS1.TEST.MAN2"), 1);
    CHECK_INT(heard_times("KLM0753I SMF enter dump for SYS1.TEST.MAN1"), 1);
    append_n(&smf, 5);
    drain(&smf);
    REQUIRE_OK(smf_dataset_list(smf.sink, rows, &n));
    CHECK_INT(n, 3);
    CHECK_STR(rows[0].name, "SYS1.TEST.MAN1");
    CHECK_STR(rows[0].state, "DUMP REQUIRED");
    CHECK_STR(rows[1].state, "ACTIVE");
    CHECK_STR(rows[2].state, "ALTERNATE");
    CHECK_INT(rows[2].bytes, 0);
    CHECK_INT(rows[1].bytes, size_of(in(&smf, "SYS1.TEST.MAN2")));
    CHECK_INT(rows[1].size, 64u << 20);
    CHECK_INT(check(&smf, 10).files, 2);
    smf_done(&smf);
}

TEST(when_none_is_empty_the_oldest_is_renamed_and_nothing_is_lost)
{
    struct smf smf;
    struct found found;

    smf_init(&smf, 8000, SMF_RDW, 2);
    listen_to_messages();
    klm_clock_set(1318966509123000);
    open_sink(&smf);
    for (unsigned i = 0; i < 10; i++) {
        append_n(&smf, 6);
        drain(&smf);
    }
    klm_clock_set(0);
    found = check(&smf, 60);
    CHECK(found.files > 4);
    CHECK_INT(heard_times("KLM0754W"), count_files(smf.folder, "SYS1.TEST.MAN1.D") +
                                           count_files(smf.folder, "SYS1.TEST.MAN2.D"));
    CHECK(access(in(&smf, "SYS1.TEST.MAN1.D2011291.T1935091"), R_OK) == 0);
    smf_done(&smf);
}

TEST(a_list_of_one_data_set_works_too)
{
    struct smf smf;
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];

    smf_init(&smf, 8000, SMF_VBS, 1);
    open_sink(&smf);
    append_n(&smf, 30);
    drain(&smf);
    CHECK(check(&smf, 30).files > 2);
    append_n(&smf, 1);
    drain(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK(strncmp(from, "SYS1.TEST.MAN1.D2", 17) == 0);
    CHECK_STR(to, "SYS1.TEST.MAN1");
    smf_dataset_sink_close(&smf.sink);
    append_n(&smf, 3);
    open_sink(&smf);
    drain(&smf);
    check(&smf, 34);
    smf_done(&smf);
}

TEST(a_cleared_data_set_is_used_again)
{
    struct smf smf;
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 4);
    drain(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    REQUIRE(truncate(in(&smf, "SYS1.TEST.MAN1"), 0) == 0); /* dumped */
    append_n(&smf, 4);
    drain(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_STR(to, "SYS1.TEST.MAN1");
    REQUIRE(unlink(in(&smf, "SYS1.TEST.MAN2")) == 0);
    append_n(&smf, 2);
    drain(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_STR(to, "SYS1.TEST.MAN2");
    CHECK_INT(count_files(smf.folder, "SYS1"), 2);
    smf_done(&smf);
}

/* ---- What others do to the active one */

TEST(an_active_data_set_that_is_renamed_removed_emptied_or_changed_is_noticed)
{
    struct smf smf;
    int fd;

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 3);
    drain(&smf);
    listen_to_messages();
    REQUIRE(rename(in(&smf, "SYS1.TEST.MAN1"), in(&smf, "KEPT")) == 0);
    append_n(&smf, 3);
    drain(&smf);
    CHECK_INT(heard_times("KLM0756W SMF data set SYS1.TEST.MAN1 was removed or renamed"), 1);
    CHECK_INT(check(&smf, 6).files, 2);
    REQUIRE(truncate(in(&smf, "SYS1.TEST.MAN1"), 0) == 0);
    append_n(&smf, 2);
    drain(&smf);
    CHECK_INT(heard_times("KLM0756W SMF data set SYS1.TEST.MAN1 was emptied"), 1);
    fd = open(in(&smf, "SYS1.TEST.MAN1"), O_WRONLY | O_APPEND | O_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, "note", 4) == 4);
    close(fd);
    append_n(&smf, 2);
    drain(&smf);
    CHECK_INT(heard_times("KLM0756W SMF data set SYS1.TEST.MAN1 was changed"), 1);
    CHECK_INT(heard_times("KLM0752I SMF now recording on SYS1.TEST.MAN2"), 1);
    REQUIRE(unlink(in(&smf, "SYS1.TEST.MAN2")) == 0);
    append_n(&smf, 2);
    drain(&smf);
    CHECK(size_of(in(&smf, "SYS1.TEST.MAN2")) > 0);
    smf_done(&smf);
}

TEST(two_of_them_do_not_record_on_one_data_set)
{
    struct smf smf;
    int fd;

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 1);
    drain(&smf);
    fd = open(in(&smf, "SYS1.TEST.MAN1"), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    CHECK(flock(fd, LOCK_SH | LOCK_NB) != 0); /* who would clear it sees that it is active */
    smf_dataset_sink_close(&smf.sink);
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
    close(fd);
    smf_done(&smf);
}

/* ---- Kills */

/* What the folder holds: copied to another at the moment of a kill. */
static void copy_file(const char *from, const char *to)
{
    size_t n;
    char *bytes = slurp(from, &n);

    spill(to, bytes, n);
    free(bytes);
}

TEST(what_is_behind_the_cursor_is_cut_off_and_comes_again)
{
    struct smf smf;
    char *whole, *cursor;
    size_t n, cursor_n, short_n;

    smf_init(&smf, 0, SMF_VB, 2);
    open_sink(&smf);
    append_n(&smf, 2);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    cursor = slurp(in(&smf, "smf.cursor"), &cursor_n);
    short_n = size_of(in(&smf, "SYS1.TEST.MAN1"));
    open_sink(&smf);
    append_n(&smf, 3);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    whole = slurp(in(&smf, "SYS1.TEST.MAN1"), &n);
    for (size_t cut = short_n; cut <= n; cut += 97) {
        char *again;
        size_t again_n;
        int fd = open(in(&smf, "SYS1.TEST.MAN1"), O_WRONLY | O_CLOEXEC); /* keeps its inode */

        REQUIRE(fd >= 0 && ftruncate(fd, (off_t)cut) == 0);
        close(fd);
        spill(in(&smf, "smf.cursor"), cursor, cursor_n);
        listen_to_messages();
        open_sink(&smf);
        drain(&smf);
        CHECK_INT(heard_times("KLM0757I"), cut > short_n);
        smf_dataset_sink_close(&smf.sink);
        again = slurp(in(&smf, "SYS1.TEST.MAN1"), &again_n);
        CHECK(again_n == n && memcmp(again, whole, n) == 0); /* the same bytes */
        free(again);
        cut = cut < n && cut + 97 > n ? n - 97 : cut;
    }
    check(&smf, 5);
    free(whole);
    free(cursor);
    smf_done(&smf);
}

TEST(a_data_set_renamed_before_a_kill_ends_where_the_cursor_says)
{
    struct smf smf;
    char *cursor;
    size_t n;

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 2);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    cursor = slurp(in(&smf, "smf.cursor"), &n);
    open_sink(&smf);
    append_n(&smf, 3);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    spill(in(&smf, "smf.cursor"), cursor, n); /* as if it had not been saved since */
    free(cursor);
    REQUIRE(rename(in(&smf, "SYS1.TEST.MAN1"), in(&smf, "MOVED")) == 0);
    listen_to_messages();
    open_sink(&smf);
    drain(&smf);
    CHECK_INT(heard_times("KLM0756W"), 1);
    CHECK_INT(check(&smf, 5).files, 2);
    smf_done(&smf);
}

TEST(without_a_cursor_the_data_sets_tell_where_to_go_on)
{
    static const char damaged[] = "klm smf cursor 1\ndataset=../x\n";
    struct smf smf;

    smf_init(&smf, 8000, SMF_RDW, 3);
    open_sink(&smf);
    append_n(&smf, 20);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    REQUIRE(unlink(in(&smf, "smf.cursor")) == 0);
    append_n(&smf, 5);
    listen_to_messages();
    open_sink(&smf);
    drain(&smf);
    CHECK_INT(heard_times("KLM0759W"), 1);
    check(&smf, 25);
    smf_dataset_sink_close(&smf.sink);
    spill(in(&smf, "smf.cursor"), damaged, sizeof damaged - 1);
    append_n(&smf, 5);
    open_sink(&smf);
    drain(&smf);
    CHECK_INT(heard_times("KLM0759W"), 2);
    check(&smf, 30);
    smf_done(&smf);
}

TEST(another_format_begins_in_another_data_set)
{
    struct smf smf;

    smf_init(&smf, 0, SMF_RDW, 3);
    open_sink(&smf);
    append_n(&smf, 3);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    smf.options.format = SMF_VB;
    append_n(&smf, 3);
    open_sink(&smf);
    drain(&smf);
    CHECK_INT(check(&smf, 6).files, 2);
    smf_done(&smf);
}

TEST(another_list_of_names_is_taken_up)
{
    struct smf smf;

    smf_init(&smf, 8000, SMF_RDW, 1);
    open_sink(&smf);
    append_n(&smf, 2);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    smf.names[0] = "SYS1.OTHER.MAN1";
    open_sink(&smf);
    CHECK(access(in(&smf, "SYS1.OTHER.MAN1"), R_OK) == 0);
    append_n(&smf, 30);
    drain(&smf);
    check(&smf, 32);
    CHECK(size_of(in(&smf, "SYS1.TEST.MAN1")) > 0);
    smf_done(&smf);
}

TEST(data_sets_ahead_of_their_journal_are_said_and_kept)
{
    struct smf smf;
    uint64_t before;

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 5);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    smf_text_close(&smf.text);
    smf_journal_close(&smf.journal);
    before = size_of(in(&smf, "SYS1.TEST.MAN1"));
    snprintf(smf.journal_folder, sizeof smf.journal_folder, "%s", new_folder());
    smf.journal = open_journal(smf.journal_folder, 0);
    append_n(&smf, 2);
    listen_to_messages();
    open_sink(&smf);
    append_n(&smf, 2);
    drain(&smf);
    CHECK_INT(heard_times("KLM0758W"), 1);
    CHECK(size_of(in(&smf, "SYS1.TEST.MAN1")) > before);
    smf_done(&smf);
}

/* ---- Failures */

static void limit_files(rlim_t n)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

TEST(a_full_disk_under_the_data_sets_is_said_once_and_nothing_is_torn_or_lost)
{
    struct smf smf;
    struct smf_sink_status status;
    uint64_t before;

    smf_init(&smf, 0, SMF_VB, 2);
    open_sink(&smf);
    append_n(&smf, 100);
    drain(&smf);
    REQUIRE_OK(smf_text_drain(smf.text));
    before = size_of(in(&smf, "SYS1.TEST.MAN1"));
    listen_to_messages();
    limit_files((rlim_t)before + 700); /* the journal's segment and the text log are smaller */
    append_n(&smf, 20);
    CHECK(smf_sink_drain(smf_dataset_sink_core(smf.sink), 0) != KLM_OK);
    CHECK(smf_sink_drain(smf_dataset_sink_core(smf.sink), 0) != KLM_OK);
    CHECK_INT(size_of(in(&smf, "SYS1.TEST.MAN1")), before);
    smf_sink_get_status(smf_dataset_sink_core(smf.sink), &status);
    CHECK(status.failing && status.why[0]);
    CHECK_INT(status.backlog, 20);
    CHECK_INT(heard_times("KLM0750A"), 1);
    limit_files(RLIM_INFINITY);
    drain(&smf);
    CHECK_INT(heard_times("KLM0751I"), 1);
    check(&smf, 120);
    smf_done(&smf);
}

TEST(names_that_cannot_be_are_refused)
{
    static const char *const bad[] = {"",
                                      ".A",
                                      "A..B",
                                      "A.",
                                      "1A",
                                      "a",
                                      "A/B",
                                      "QUALIFIER",
                                      "../SYS1",
                                      "SYS1 ",
                                      "SYS1.MAN1;X",
                                      "A.-B",
                                      "A2345678.A2345678.A2345678.A2345678.A2345678.A"};
    static const char longest[] = "A2345678.A2345678.A2345678.A2345678.A2345678";
    const char *many[SMF_DATASETS_MAX + 1];
    char names[SMF_DATASETS_MAX + 1][12];
    struct smf smf;
    struct klm_diag diag = {0};

    smf_init(&smf, 0, SMF_RDW, 1);
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        smf.names[0] = bad[i];
        CHECK_RC(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink), KLM_E_INVALID);
        CHECK(strncmp(diag.text, "KLM0761E", 8) == 0);
    }
    smf.names[0] = smf.names[1] = "SYS1.MAN1";
    smf.options.names_n = 2;
    CHECK_RC(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink), KLM_E_INVALID);
    for (size_t i = 0; i <= SMF_DATASETS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "M%zu", i);
        many[i] = names[i];
    }
    smf.options.names = many;
    smf.options.names_n = SMF_DATASETS_MAX + 1;
    CHECK_RC(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink), KLM_E_INVALID);
    smf.options.names_n = 0;
    CHECK_RC(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink), KLM_E_INVALID);
    CHECK(smf.sink == NULL);
    smf.options.names_n = SMF_DATASETS_MAX;
    open_sink(&smf);
    smf_dataset_sink_close(&smf.sink);
    smf.options.names = smf.names;
    smf.names[0] = longest;
    smf.options.names_n = 1;
    open_sink(&smf);
    append_n(&smf, 2);
    drain(&smf);
    CHECK(access(in(&smf, longest), R_OK) == 0);
    smf_done(&smf);
}

TEST(something_that_is_no_file_in_its_place_is_refused)
{
    struct smf smf;
    struct klm_diag diag = {0};

    smf_init(&smf, 0, SMF_RDW, 1);
    REQUIRE(mkdir(smf.folder, 0700) == 0 && mkfifo(in(&smf, "SYS1.TEST.MAN1"), 0600) == 0);
    CHECK(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink) != KLM_OK);
    CHECK(diag.text[0] != '\0');
    REQUIRE(unlink(in(&smf, "SYS1.TEST.MAN1")) == 0 &&
            symlink("/dev/null", in(&smf, "SYS1.TEST.MAN1")) == 0);
    CHECK(smf_dataset_sink_open(&smf.options, smf.journal, &diag, &smf.sink) != KLM_OK);
    smf_done(&smf);
}

/* Records in the first data set. */
static unsigned record_count(const struct smf *smf)
{
    struct smf_dataset_reader *reader = NULL;
    struct smf_read read;
    unsigned n = 0;

    REQUIRE_OK(smf_dataset_open(in(smf, "SYS1.TEST.MAN1"), NULL, &reader));
    do {
        REQUIRE_OK(smf_dataset_next(reader, &read));
        n += read.kind == SMF_READ_RECORD;
    } while (read.kind != SMF_READ_END);
    smf_dataset_close(&reader);
    return n;
}

TEST(a_switch_includes_what_was_in_the_journal_when_it_was_asked_for)
{
    struct smf smf;
    struct found found;
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];

    smf_init(&smf, 0, SMF_RDW, 2);
    open_sink(&smf);
    append_n(&smf, 25); /* not synced, so not in the data set yet */
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_STR(from, "SYS1.TEST.MAN1");
    CHECK_INT(smf_sink_position(smf_dataset_sink_core(smf.sink)), 25);
    CHECK_INT(heard_times("KLM0769W"), 0);
    found = check(&smf, 25);
    CHECK_INT(found.files, 1); /* the next one is empty */
    smf_done(&smf);
}

TEST(a_sink_that_is_switched_on_later_begins_with_what_the_text_log_does_not_have)
{
    struct smf smf;
    struct smf_sink_status status;

    smf_init(&smf, 0, SMF_RDW, 2);
    append_n(&smf, 7);
    REQUIRE_OK(smf_text_drain(smf.text));
    smf_text_close(&smf.text);
    append_n(&smf, 2); /* while nothing follows the journal */
    open_text(&smf);
    smf.options.begin = smf_text_began(smf.text);
    CHECK_INT(smf.options.begin.seq, 7);
    open_sink(&smf);
    CHECK_INT(heard_times("KLM0779I"), 1);
    CHECK(strstr(heard.lines, "from event 8 on") != NULL);
    append_n(&smf, 3);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    CHECK_INT(record_count(&smf), 5);
    open_sink(&smf); /* it has a place of its own now */
    CHECK_INT(heard_times("KLM0779I"), 1);
    smf_sink_get_status(smf_dataset_sink_core(smf.sink), &status);
    CHECK_INT(status.position, 12);
    smf_done(&smf);
}

/* ---- Checkpoints: signed with a key made here (key_test.h), checked by the openssl command that the reader calls. */

static void with_signer(struct smf *smf, struct key *key, uint64_t records, uint64_t ms)
{
    key_init(key);
    smf->signer =
        (struct smf_signer){.sign = sign, .arg = key, .every_records = records, .every_ms = ms};
    smf->options.signer = &smf->signer;
}

TEST(checkpoints_are_signed_by_count_at_a_switch_and_at_the_end)
{
    struct smf smf;
    struct key key;
    struct found found;
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];

    smf_init(&smf, 0, SMF_RDW, 2);
    with_signer(&smf, &key, 10, 0);
    open_sink(&smf);
    for (unsigned i = 0; i < 5; i++) {
        append_n(&smf, 10);
        drain(&smf);
    }
    CHECK_INT(key.calls, 5);
    append_n(&smf, 3);
    drain(&smf);
    REQUIRE_OK(smf_dataset_switch(smf.sink, from, to));
    CHECK_INT(key.calls, 6);
    append_n(&smf, 2);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    CHECK_INT(key.calls, 7);
    open_sink(&smf); /* nothing new: nothing to sign */
    smf_dataset_sink_close(&smf.sink);
    CHECK_INT(key.calls, 7);
    found = look(&smf, "--cert", key.cert, NULL);
    CHECK_INT(found.status, 0);
    CHECK_INT(found.checkpoints, 7);
    CHECK_INT(found.events, 55);
    EVP_PKEY_free(key.pkey);
    smf_done(&smf);
}

TEST(checkpoints_go_on_counting_when_the_cursor_is_lost)
{
    struct smf smf;
    struct key key;
    struct found found;

    smf_init(&smf, 0, SMF_RDW, 3);
    with_signer(&smf, &key, 5, 0);
    open_sink(&smf);
    append_n(&smf, 12);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    REQUIRE(unlink(in(&smf, "smf.cursor")) == 0);
    listen_to_messages();
    open_sink(&smf);
    append_n(&smf, 12);
    drain(&smf);
    smf_dataset_sink_close(&smf.sink);
    found = look(&smf, "--cert", key.cert, NULL); /* the reader counts, too */
    CHECK_INT(found.status, 0);
    CHECK_INT(found.events, 24);
    CHECK(found.checkpoints >= 2);
    EVP_PKEY_free(key.pkey);
    smf_done(&smf);
}

TEST(without_a_key_recording_goes_on_and_it_is_said_once)
{
    struct smf smf;
    struct key key;

    smf_init(&smf, 0, SMF_RDW, 2);
    with_signer(&smf, &key, 2, 1);
    key.missing = true;
    listen_to_messages();
    open_sink(&smf);
    append_n(&smf, 10);
    drain(&smf);
    append_n(&smf, 10);
    drain(&smf);
    CHECK_INT(heard_times("KLM0760W"), 1);
    key.missing = false;
    smf_dataset_sink_close(&smf.sink);
    CHECK_INT(look(&smf, "--cert", key.cert, NULL).checkpoints, 1);
    EVP_PKEY_free(key.pkey);
    smf_done(&smf);
}

TEST(a_checkpoint_is_not_signed_twice_after_a_kill)
{
    struct smf smf;
    struct key key;
    char copy[300], name[700];
    struct found found;

    smf_init(&smf, 0, SMF_RDW, 2);
    with_signer(&smf, &key, 5, 0);
    open_sink(&smf);
    append_n(&smf, 5);
    drain(&smf); /* the cursor stands behind the checkpoint from here on */
    append_n(&smf, 3);
    drain(&smf);
    snprintf(copy, sizeof copy, "%s", new_folder());
    REQUIRE(mkdir(copy, 0700) == 0);
    snprintf(name, sizeof name, "%s/cursor", copy);
    copy_file(in(&smf, "smf.cursor"), name);
    smf_dataset_sink_close(&smf.sink);
    copy_file(name, in(&smf, "smf.cursor")); /* as it was before the end */
    key.calls = 0;
    listen_to_messages();
    open_sink(&smf);
    drain(&smf);
    CHECK_INT(key.calls, 0); /* three records since the checkpoint, not five */
    smf_dataset_sink_close(&smf.sink);
    CHECK_INT(key.calls, 1);
    found = look(&smf, "--cert", key.cert, NULL);
    CHECK_INT(found.status, 0);
    CHECK_INT(found.checkpoints, 2);
    EVP_PKEY_free(key.pkey);
    smf_done(&smf);
}
