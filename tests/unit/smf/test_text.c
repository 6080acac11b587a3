/* The text log: its records as the product writes them, its filter, its files, its place after a restart. */
#include "smf_test.h"

#include <signal.h>
#include <sys/resource.h>

#define NAME "isklm_audit.log"

/* ---- Records. The expected texts are written from the reference; the chain values were made with Python's hashlib. */

static struct smf_record runtime_record(void)
{
    static const char resource[] =
        "Write Request: Drive Serial Number: 000007888422 WWN:500507630240FBCC "
        "VolSer: WXY662 Key Alias/Label[0]: LABEL20 Key Alias/Label[1]: LABEL21";

    return (struct smf_record){
        .seq = 17,
        .event = {.kind = SMF_RUNTIME,
                  .time = 1318966509000000,
                  .field = {[SMF_F_VERB] = "create",
                            [SMF_F_THREAD] = "Thread-24,5,KeyManagementServerV2-Processors",
                            [SMF_F_SOURCE] = "com.ibm.ltklm.logic.fb",
                            [SMF_F_RESOURCE] = resource,
                            [SMF_F_RESOURCE_TYPE] = "file",
                            [SMF_F_ACTION] = "stop"}}};
}

static void check_text(const struct smf_record *record, const uint8_t *chain, const char *expected)
{
    struct klm_buf out;

    klm_buf_init(&out, 10000);
    test_rc(smf_text_format(record, chain, &out), KLM_OK, "smf_text_format", __FILE__, __LINE__,
            false);
    klm_buf_u8(&out, 0);
    CHECK_STR((const char *)out.p, expected);
    klm_buf_done(&out);
}

TEST(a_runtime_record_is_the_one_of_the_product_with_two_lines_of_ours)
{
    struct smf_record record = runtime_record();

    check_text(&record, NULL,
               "Runtime event:[\n"
               "  timestamp=Tue Oct 18 19:35:09 GMT 2011\n"
               "  ComponentId=[threadId=Thread[Thread-24,5,KeyManagementServerV2-Processors]]\n"
               "  event source=com.ibm.ltklm.logic.fb\n"
               "  outcome=[result=successful]\n"
               "  event type=SECURITY_RUNTIME\n"
               "  resource=[name=Write Request: Drive Serial Number: 000007888422 "
               "WWN:500507630240FBCC VolSer: WXY662 "
               "Key Alias/Label[0]: LABEL20 Key Alias/Label[1]: LABEL21;type=file]\n"
               "  action=stop\n"
               "  sequence=17\n"
               "  chain=61b14855957a59c20ec86be0df092753e6b51038fe6edba7f5952dc22da03a43\n"
               "  ]\n");
}

TEST(the_chain_covers_the_value_before)
{
    struct smf_record record = runtime_record();
    uint8_t before[32];
    struct klm_buf out;

    for (uint8_t i = 0; i < 32; i++) {
        before[i] = i;
    }
    klm_buf_init(&out, 10000);
    REQUIRE_OK(smf_text_format(&record, before, &out));
    klm_buf_u8(&out, 0);
    CHECK(
        strstr(
            (const char *)out.p,
            "\n  chain=4836271f4fcfdf8d1575c10cf3df895d0c033ec8dbac79a7edc4fce2e9f0f78f\n  ]\n") !=
        NULL);
    klm_buf_done(&out);
}

TEST(a_record_without_a_number_has_no_lines_of_ours)
{
    struct smf_record record = {.event = {.kind = SMF_RUNTIME,
                                          .time = 1318966509000000,
                                          .field = {[SMF_F_SOURCE] = "drive"}}};

    check_text(&record, NULL,
               "Runtime event:[\n"
               "  timestamp=Tue Oct 18 19:35:09 GMT 2011\n"
               "  event source=drive\n"
               "  outcome=[result=successful]\n"
               "  event type=SECURITY_RUNTIME\n"
               "  ]\n");
}

/* Every optional field, so that what a kind shows is what it may. */
static struct smf_record full_record(enum smf_kind kind)
{
    return (struct smf_record){.event = {.kind = kind,
                                         .outcome = SMF_FAILURE,
                                         .time = 1318966509000000,
                                         .field = {[SMF_F_SOURCE] = "s",
                                                   [SMF_F_MESSAGE_ID] = "KLM0503E",
                                                   [SMF_F_MESSAGE] = "text",
                                                   [SMF_F_AUTH_TYPE] = "t",
                                                   [SMF_F_USER] = "u",
                                                   [SMF_F_ACTION] = "a",
                                                   [SMF_F_RESOURCE] = "r",
                                                   [SMF_F_COMMAND] = "c",
                                                   [SMF_F_ALGORITHM] = "alg",
                                                   [SMF_F_HASH] = "h",
                                                   [SMF_F_SIGNATURE] = "sig",
                                                   [SMF_F_ADDRESS] = "not shown"}}};
}

#define HEAD(title, type)                                                                          \
    title ":[\n  timestamp=Tue Oct 18 19:35:09 GMT 2011\n  event source=s\n"                       \
          "  outcome=[result=unsuccessful]\n  event type=" type "\n  message=KLM0503E text\n"

TEST(each_kind_has_its_lines_in_the_products_order)
{
    static const char *const expected[SMF_KINDS] = {
        [SMF_AUTHENTICATION] = HEAD("Authentication event",
                                    "SECURITY_AUTHN") "  authentication type=t\n  users=u\n  ]\n",
        [SMF_AUTHORIZATION] =
            HEAD("Authorization event",
                 "SECURITY_AUTHZ") "  resource=[name=r;type=file]\n  action=a\n  user=u\n  ]\n",
        [SMF_DATA_SYNC] =
            HEAD("Data synchronization event",
                 "SECURITY_DATA_SYNC") "  action=a\n  resource=[name=r;type=file]\n  user=u\n  ]\n",
        [SMF_RUNTIME] =
            HEAD("Runtime event",
                 "SECURITY_RUNTIME") "  resource=[name=r;type=file]\n  action=a\n  user=u\n  ]\n",
        [SMF_RESOURCE] = HEAD(
            "Resource management event",
            "SECURITY_MGMT_RESOURCE") "  action=a\n  user=u\n  resource=[name=r;type=file]\n  ]\n",
        [SMF_CONFIG] = HEAD("Configuration management event",
                            "SECURITY_MGMT_CONFIG") "  action=a\n  command type=c\n  user=u\n  ]\n",
        [SMF_AUDIT] = HEAD("Audit management event",
                           "SECURITY_MGMT_AUDIT") "  resource=[name=r;type=file]\n  action=a\n"
                                                  "  user=u\n  algorithm=alg\n  hash=h\n"
                                                  "  signature=sig\n  ]\n",
    };

    for (int kind = 0; kind < SMF_KINDS; kind++) {
        struct smf_record record = full_record((enum smf_kind)kind);

        check_text(&record, NULL, expected[kind]);
    }
}

TEST(old_and_new_values_and_half_a_message_are_shown)
{
    struct smf_record record = {.event = {.kind = SMF_CONFIG,
                                          .time = 1318966509000000,
                                          .field = {[SMF_F_SOURCE] = "s",
                                                    [SMF_F_MESSAGE] = "only text",
                                                    [SMF_F_OLD] = "1",
                                                    [SMF_F_NEW] = "2"}}};
    struct klm_buf out;

    check_text(
        &record, NULL,
        "Configuration management event:[\n  timestamp=Tue Oct 18 19:35:09 GMT 2011\n  event "
        "source=s\n"
        "  outcome=[result=successful]\n  event type=SECURITY_MGMT_CONFIG\n  message=only text\n"
        "  old value=1\n  new value=2\n  ]\n");
    record.event.kind = (enum smf_kind)SMF_KINDS;
    klm_buf_init(&out, 100);
    CHECK_RC(smf_text_format(&record, NULL, &out), KLM_E_INVALID);
    record.event.kind = SMF_CONFIG;
    klm_buf_text(&out, "x");
    CHECK_RC(smf_text_format(&record, NULL, &out), KLM_E_LIMIT);
    CHECK_INT(out.n, 1);
    klm_buf_done(&out);
}

/* ---- The sink. */

struct log {
    const char *journal_folder, *folder;
    struct smf_journal *journal;
    struct smf_text *text;
    uint64_t roll;
};

static void open_text(struct log *log)
{
    struct smf_text_options options = {
        .folder = log->folder, .name = NAME, .roll_bytes = log->roll};
    struct klm_diag diag = {0};
    klm_rc rc = smf_text_open(&options, log->journal, &diag, &log->text);

    if (rc != KLM_OK) {
        printf("# %s\n", diag.text);
    }
    test_rc(rc, KLM_OK, "smf_text_open", __FILE__, __LINE__, true);
}

static struct log new_log(uint64_t roll)
{
    static char names[20][2][300];
    static unsigned turn;
    struct log log = {.roll = roll};

    turn = (turn + 1) % 20;
    snprintf(names[turn][0], sizeof names[0][0], "%s", new_folder());
    snprintf(names[turn][1], sizeof names[0][1], "%s", new_folder());
    log.journal_folder = names[turn][0];
    log.folder = names[turn][1];
    log.journal = open_journal(log.journal_folder, 20000);
    open_text(&log);
    return log;
}

static void close_log(struct log *log)
{
    smf_text_close(&log->text);
    smf_journal_close(&log->journal);
}

static void append_n(struct log *log, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        append(log->journal, i, 0);
    }
}

/* Count of records in all files of the log, by the independent reader, which checks form, order and chain. */
static unsigned count_log(const struct log *log)
{
    const char *out = test_path("text-out");
    unsigned n = 0;
    char *text;

    CHECK_INT(reader_py(out, "text", log->folder, NAME), 0);
    text = slurp(out, NULL);
    if (strstr(text, "bad")) {
        printf("# %s\n", text);
    }
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        n++;
    }
    free(text);
    return n;
}

static const char *active(const struct log *log)
{
    return in_folder(log->folder, NAME);
}

TEST(the_log_follows_the_journal)
{
    struct log log = new_log(0);
    struct stat st;

    append_n(&log, 5);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(smf_text_position(log.text), 5);
    CHECK_INT(count_log(&log), 5);
    REQUIRE(stat(active(&log), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0640);
    append_n(&log, 1);
    AWAIT(smf_text_position(log.text) >= 6); /* by itself, after the journal's own sync */
    CHECK_INT(count_log(&log), 6);
    close_log(&log);
    CHECK(log.text == NULL);
}

TEST(after_a_restart_nothing_stands_twice_and_nothing_is_missing)
{
    struct log log = new_log(0);

    append_n(&log, 3);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    append_n(&log, 4);
    open_text(&log);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(count_log(&log), 7);
    close_log(&log);
    log.journal = open_journal(log.journal_folder, 20000);
    open_text(&log);
    REQUIRE_OK(smf_text_drain(log.text));
    append_n(&log, 1);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(count_log(&log), 8);
    close_log(&log);
}

/* Open, drain, and see n records. */
static void go_on(struct log *log, unsigned n)
{
    open_text(log);
    REQUIRE_OK(smf_text_drain(log->text));
    CHECK_INT(count_log(log), n);
    smf_text_close(&log->text);
}

TEST(a_log_cut_within_its_last_record_is_made_whole_with_and_without_a_cursor)
{
    struct log log = new_log(0);
    char *bytes, *cursor;
    size_t n, cursor_n, two;

    append_n(&log, 2);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    cursor = slurp(in_folder(log.folder, NAME ".cursor"), &cursor_n); /* speaks of two records */
    free(slurp(active(&log), &two));
    append_n(&log, 1);
    open_text(&log);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    bytes = slurp(active(&log), &n);
    listen_to_messages();
    for (size_t cut = two; cut <= n; cut += cut < two + 6 || cut + 6 > n ? 1 : 13) {
        spill(active(&log), bytes, cut);
        if (cut % 2) {
            spill(in_folder(log.folder, NAME ".cursor"), cursor, cursor_n);
        } else {
            unlink(in_folder(log.folder, NAME ".cursor"));
        }
        listen_to_messages();
        open_text(&log);
        REQUIRE_OK(smf_text_drain(log.text));
        smf_text_close(&log.text);
        CHECK_INT(heard_times("KLM0722W"), cut > two && cut < n);
        free(slurp(active(&log), &cursor_n));
        CHECK_INT(cursor_n, n);
        cursor_n = strlen(cursor);
    }
    klm_say_to(NULL, NULL);
    CHECK_INT(count_log(&log), 3);
    unlink(in_folder(log.folder, NAME ".cursor"));
    spill(active(&log), bytes, 30); /* the first record, in part */
    listen_to_messages();
    go_on(&log, 3);
    klm_say_to(NULL, NULL);
    free(bytes);
    free(cursor);
    smf_journal_close(&log.journal);
}

TEST(blocks_that_a_power_loss_took_from_the_log_are_written_again)
{
    struct log log = new_log(0);
    char *bytes, *cursor;
    size_t n, cursor_n;

    append_n(&log, 2);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    cursor = slurp(in_folder(log.folder, NAME ".cursor"), &cursor_n);
    append_n(&log, 5);
    go_on(&log, 7);
    bytes = slurp(active(&log), &n);
    memset(bytes + n / 2, 0, 40);
    spill(active(&log), bytes, n);
    spill(in_folder(log.folder, NAME ".cursor"), cursor, cursor_n);
    listen_to_messages();
    go_on(&log, 7);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0722W"), 1);
    free(bytes);
    free(cursor);
    smf_journal_close(&log.journal);
}

TEST(the_log_goes_on_when_operators_took_its_files_away)
{
    struct log log = new_log(2000);

    append_n(&log, 30);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    CHECK_INT(count_log(&log), 30);
    REQUIRE(unlink(active(&log)) == 0);
    unlink(in_folder(log.folder, NAME ".cursor"));
    open_text(&log); /* the newest closed file tells: what stood in the active one comes again */
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(count_log(&log), 30);
    smf_text_close(&log.text);
    REQUIRE(unlink(active(&log)) == 0);
    open_text(&log); /* with the cursor nothing comes again */
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(smf_text_position(log.text), 30);
    append_n(&log, 1);
    REQUIRE_OK(smf_text_drain(log.text));
    close_log(&log);
}

TEST(files_roll_after_the_limit_and_newer_names_sort_higher)
{
    struct log log = new_log(1500);
    unsigned closed;
    struct dirent **list = NULL;
    struct stat st;

    klm_clock_set(1318966509123000);
    append_n(&log, 40);
    REQUIRE_OK(smf_text_drain(log.text));
    klm_clock_set(0);
    closed = count_files(log.folder, NAME ".2011");
    CHECK(closed > 4 && closed < 12);
    CHECK(access(in_folder(log.folder, NAME ".20111018193509123"), R_OK) == 0);
    CHECK_INT(count_log(&log), 40); /* the reader takes them by name */
    for (int i = 0, n = scandir(log.folder, &list, NULL, alphasort); i < n; i++) {
        if (strncmp(list[i]->d_name, NAME ".2011", strlen(NAME) + 5) == 0) {
            REQUIRE(stat(in_folder(log.folder, list[i]->d_name), &st) == 0);
            CHECK(st.st_size >= 1500 && st.st_size < 2100);
            CHECK_INT(st.st_mode & 0777, 0640);
        }
        free(list[i]);
    }
    free(list);
    klm_clock_set(1318966500000000); /* the clock was set back */
    append_n(&log, 10);
    REQUIRE_OK(smf_text_drain(log.text));
    klm_clock_set(0);
    CHECK_INT(count_log(&log), 50);
    close_log(&log);
}

TEST(a_file_renamed_removed_or_emptied_under_us_is_noticed)
{
    struct log log = new_log(0);
    char *text;

    append_n(&log, 2);
    REQUIRE_OK(smf_text_drain(log.text));
    REQUIRE(rename(active(&log), in_folder(log.folder, NAME ".20110101000000000")) == 0);
    append_n(&log, 2);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(count_log(&log), 4);
    REQUIRE(unlink(active(&log)) == 0);
    append_n(&log, 1);
    REQUIRE_OK(smf_text_drain(log.text));
    text = slurp(active(&log), NULL);
    CHECK(strstr(text, "  sequence=5\n") != NULL && strstr(text, "  sequence=4\n") == NULL);
    free(text);
    REQUIRE(truncate(active(&log), 0) == 0);
    append_n(&log, 1);
    REQUIRE_OK(smf_text_drain(log.text));
    text = slurp(active(&log), NULL);
    CHECK(strncmp(text, "Runtime event:[\n", 16) == 0 && strstr(text, "  sequence=6\n") != NULL);
    free(text);
    smf_text_close(&log.text);
    open_text(&log);
    CHECK_INT(smf_text_position(log.text), 6);
    close_log(&log);
}

TEST(a_foreign_file_in_its_place_is_set_aside)
{
    struct log log = new_log(0);

    append_n(&log, 2);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    REQUIRE(unlink(active(&log)) == 0);
    spill(active(&log), "notes of an operator\n", 21);
    listen_to_messages();
    klm_clock_set(1318966509123000);
    open_text(&log);
    klm_clock_set(0);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0726W"), 1);
    CHECK(access(in_folder(log.folder, NAME ".20111018193509123"), R_OK) == 0);
    CHECK_INT(smf_text_position(log.text), 2);
    close_log(&log);
}

TEST(a_damaged_cursor_is_no_cursor)
{
    struct log log = new_log(0);

    append_n(&log, 3);
    REQUIRE_OK(smf_text_drain(log.text));
    smf_text_close(&log.text);
    spill(in_folder(log.folder, NAME ".cursor"), "klm audit cursor 1\nsequence=900\nchain=00\n",
          41);
    append_n(&log, 1);
    go_on(&log, 4);
    smf_journal_close(&log.journal);
}

TEST(a_log_ahead_of_its_journal_is_said_and_takes_the_new_events)
{
    struct log log = new_log(0);
    char *text;

    append_n(&log, 5);
    REQUIRE_OK(smf_text_drain(log.text));
    close_log(&log);
    log.journal = open_journal(new_folder(), 0);
    append_n(&log, 2);
    listen_to_messages();
    open_text(&log);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0723W"), 1);
    append(log.journal, 77, 0);
    REQUIRE_OK(smf_text_drain(log.text));
    text = slurp(active(&log), NULL);
    CHECK(strstr(text, "sequence=5\n") != NULL &&
          strstr(strstr(text, "sequence=5\n"), "sequence=3\n") != NULL);
    free(text);
    close_log(&log);
}

TEST(segments_removed_before_the_log_had_read_them_are_said)
{
    struct log log = new_log(0);

    smf_text_close(&log.text);
    append_n(&log, 300);
    REQUIRE(count_files(log.journal_folder, "journal.") > 2);
    REQUIRE(unlink(in_folder(log.journal_folder, "journal.0000000001")) == 0);
    listen_to_messages();
    open_text(&log);
    REQUIRE_OK(smf_text_drain(log.text));
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0728E"), 1);
    CHECK(count_log(&log) > 100);
    close_log(&log);
}

/* ---- The filter. */

static unsigned written_with(const char *types, const char *outcomes)
{
    struct log log = {.journal_folder = new_folder(), .folder = new_folder()};
    unsigned n;

    log.journal = open_journal(log.journal_folder, 0);
    smf_journal_filter(log.journal, types, outcomes);
    open_text(&log);
    for (int kind = 0; kind < SMF_KINDS; kind++) {
        for (int outcome = 0; outcome < 2; outcome++) {
            struct smf_event event = {
                .kind = (enum smf_kind)kind, .outcome = (enum smf_outcome)outcome, .time = 1};
            struct klm_buf buf;
            struct smf_entry entry;

            klm_buf_init(&buf, SMF_EVENT_MAX);
            test_rc(smf_event_encode(&event, &buf), KLM_OK, "encode", __FILE__, __LINE__, false);
            entry = (struct smf_entry){.event = klm_buf_as_slice(&buf)};
            test_rc(smf_journal_append(log.journal, &entry, 1), KLM_OK, "append", __FILE__,
                    __LINE__, false);
            klm_buf_done(&buf);
        }
    }
    test_rc(smf_text_drain(log.text), KLM_OK, "drain", __FILE__, __LINE__, false);
    CHECK_INT(smf_text_position(log.text), 2 * SMF_KINDS);
    n = count_log(&log);
    close_log(&log);
    return n;
}

TEST(types_and_outcomes_filter_in_any_spelling)
{
    static const struct {
        const char *types, *outcomes;
        unsigned n, unknown;
    } rows[] = {
        {"all", "success,failure", 14, 0},
        {"ALL", "Success", 7, 0},
        {NULL, NULL, 14, 0},
        {"", " ", 14, 0},
        {"none", "success", 0, 0},
        {"all", "none", 0, 0},
        {"Runtime;AUTHENTICATION", "failure", 2, 0},
        {" runtime , resource_management;; ", "success;failure", 4, 0},
        {"authorization,authorization_terminate,audit_management", "success", 2, 0},
        {"data_synchronization,configuration_management", "all", 4, 0},
        {"runtim,runtime", "success", 1, 1},
        {"authorization_terminate", "success", 0, 0},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        listen_to_messages();
        CHECK_INT(written_with(rows[i].types, rows[i].outcomes), rows[i].n);
        CHECK_INT(heard_times("KLM0725W"), rows[i].unknown);
        klm_say_to(NULL, NULL);
    }
}

/* Records of the journal that sinks get, by the independent reader. */
static unsigned count_taken(const struct log *log)
{
    const char *out = test_path("taken-out");
    unsigned n = 0;
    char *text;

    CHECK_INT(reader_py(out, "taken", log->journal_folder, NULL), 0);
    text = slurp(out, NULL);
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        n++;
    }
    free(text);
    return n;
}

TEST(the_filter_changes_while_running_and_what_it_left_out_stays_out)
{
    struct log log = new_log(0);

    smf_journal_filter(log.journal, "none", "success");
    append_n(&log, 3);
    smf_journal_filter(log.journal, "all", "success");
    append_n(&log, 2); /* the log has not looked at the first three yet, perhaps */
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(smf_text_position(log.text), 5);
    CHECK_INT(count_log(&log), 2);
    smf_journal_filter(log.journal, "none", "success");
    append_n(&log, 3);
    CHECK_INT(count_taken(&log), 2);
    REQUIRE_OK(smf_text_drain(log.text));
    close_log(&log);
    log.journal = open_journal(log.journal_folder, 0);
    open_text(&log);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(count_log(&log), 2);
    close_log(&log);
}

/* ---- Refusals and failures. */

TEST(names_and_files_that_cannot_be_are_refused)
{
    static const char *const names[] = {"", ".", "..", "a/b", NULL};
    struct log log = new_log(0);
    struct smf_text *text = NULL;
    struct klm_diag diag;
    char path[600], long_name[202];

    memset(long_name, 'n', 201);
    long_name[201] = '\0';
    for (size_t i = 0; i <= KLM_COUNT(names); i++) {
        struct smf_text_options options = {.folder = log.folder,
                                           .name = i < KLM_COUNT(names) ? names[i] : long_name};

        diag = (struct klm_diag){0};
        CHECK_RC(smf_text_open(&options, log.journal, &diag, &text), KLM_E_INVALID);
        CHECK(strstr(diag.text, "KLM0727E") != NULL);
    }
    snprintf(path, sizeof path, "%s/pipe", log.folder);
    REQUIRE(mkfifo(path, 0600) == 0);
    CHECK_RC(smf_text_open(&(struct smf_text_options){.folder = log.folder, .name = "pipe"},
                           log.journal, &diag, &text),
             KLM_E_INVALID);
    snprintf(path, sizeof path, "%s/link", log.folder);
    REQUIRE(symlink("/dev/null", path) == 0);
    CHECK(smf_text_open(&(struct smf_text_options){.folder = log.folder, .name = "link"},
                        log.journal, &diag, &text) != KLM_OK);
    CHECK(smf_text_open(&(struct smf_text_options){.folder = path, .name = "x"}, log.journal, &diag,
                        &text) != KLM_OK);
    CHECK(text == NULL);
    close_log(&log);
}

/* Files of this process may grow to n bytes. */
static void limit_files(rlim_t n)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

TEST(a_full_disk_under_the_log_is_said_once_and_nothing_is_lost)
{
    struct log log = new_log(0);
    struct stat before, after;
    unsigned n = 200;

    append_n(&log, n);
    REQUIRE_OK(smf_text_drain(log.text));
    REQUIRE(stat(active(&log), &before) == 0);
    REQUIRE(before.st_size > 40000); /* segments of the journal are smaller, so that it goes on */
    listen_to_messages();
    limit_files((rlim_t)before.st_size + 100);
    append_n(&log, 20);
    CHECK_RC(smf_text_drain(log.text), KLM_E_IO);
    CHECK_RC(smf_text_drain(log.text), KLM_E_IO);
    CHECK_INT(smf_text_position(log.text), n);
    REQUIRE(stat(active(&log), &after) == 0);
    CHECK_INT(after.st_size, before.st_size);
    CHECK_INT(heard_times("KLM0720A"), 1);
    limit_files(RLIM_INFINITY);
    REQUIRE_OK(smf_text_drain(log.text));
    CHECK_INT(heard_times("KLM0721I"), 1);
    klm_say_to(NULL, NULL);
    CHECK_INT(count_log(&log), n + 20);
    close_log(&log);
}
