/* kill -9 in the middle of appending, over and over. The other process sends outbox rows as the server does: those not
 * acknowledged come again after each start. At the end each is in the journal once, in order, and in the text log once. */
#include "smf_test.h"

#include <signal.h>
#include <sys/mman.h>

#define ROUNDS 12
#define NAME "audit.log"
#define FOLDER_VARIABLE "KLM_TEST_KILL_FOLDER"

/* Shared with the process that is killed. */
struct shared {
    uint64_t acked;  /* every event up to here has been appended */
    uint64_t rounds; /* how often it came to appending */
};

static struct shared *share(const char *folder)
{
    int fd = open(in_folder(folder, "shared"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct shared *shared;

    REQUIRE(fd >= 0 && ftruncate(fd, sizeof *shared) == 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(shared != MAP_FAILED);
    close(fd);
    return shared;
}

static uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static struct smf_text *open_text(const char *folder, struct smf_journal *journal)
{
    struct smf_text_options options = {.folder = folder, .name = NAME, .roll_bytes = 30000};
    struct smf_text *text = NULL;

    REQUIRE_OK(smf_text_open(&options, journal, NULL, &text));
    return text;
}

/* Rows from no on, in batches of three, every other batch overlapping the one before as a repeated outbox row would. */
static void send(struct smf_journal *journal, struct shared *shared, uint64_t from,
                 uint64_t batches)
{
    uint64_t no = from;

    for (uint64_t turn = 0; turn < batches; turn++) {
        struct smf_entry entries[3];

        for (uint64_t i = 0; i < 3; i++) {
            entries[i] = (struct smf_entry){.event = event_of(no + i), .event_no = no + i};
        }
        REQUIRE_OK(smf_journal_append(journal, entries, 3));
        if (no + 2 > get(&shared->acked)) {
            __atomic_store_n(&shared->acked, no + 2, __ATOMIC_SEQ_CST);
        }
        if (turn % 8 == 0 && no > 300) {
            smf_journal_forget(journal, no - 300);
        }
        if (turn % 50 == 49) {
            REQUIRE_OK(smf_journal_sync(journal, smf_journal_last(journal)));
        }
        no += turn % 2 ? 2 : 3;
    }
}

/* In the process that is killed it runs without end; by itself it is a short and peaceful version of it. */
TEST(an_appender_that_repeats_its_rows)
{
    const char *given = getenv(FOLDER_VARIABLE), *folder = given ? given : new_folder();
    struct shared *shared;
    struct smf_journal *journal;
    struct smf_text *text;
    uint64_t acked;

    mkdir(folder, 0700);
    shared = share(folder);
    journal = open_journal(in_folder(folder, "journal"), 50000);
    text = open_text(in_folder(folder, "text"), journal);
    acked = get(&shared->acked);
    __atomic_add_fetch(&shared->rounds, 1, __ATOMIC_SEQ_CST);
    send(journal, shared, acked > 20 ? acked - 20 : 1, given ? UINT64_MAX : 100);
    REQUIRE_OK(smf_text_drain(text));
    CHECK_INT(smf_journal_last(journal), get(&shared->acked));
    smf_text_close(&text);
    smf_journal_close(&journal);
    munmap(shared, sizeof *shared);
}

/* The words of the command that this program runs under, an emulator's for one; how many. */
static size_t wrapper(char words[512], char *argv[], size_t max)
{
    const char *given = getenv("KLM_TEST_WRAPPER");
    size_t n = 0;

    REQUIRE(snprintf(words, 512, "%s", given ? given : "") < 512);
    for (char *p = words, *end; *(p += strspn(p, " ")) && n < max; p = end) {
        argv[n++] = p;
        end = p + strcspn(p, " ");
        if (*end) {
            *end++ = '\0';
        }
    }
    return n;
}

static pid_t start(const char *folder)
{
    char variable[400], self[512], words[512], *argv[24] = {NULL}, *env[4] = {variable};
    size_t n = wrapper(words, argv, 20);

    argv[n] = self;
    argv[n + 1] = (char[]){"an_appender_that_repeats_its_rows"};
    n = 1;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    pid_t pid = 0;

    REQUIRE(length > 0);
    self[length] = '\0';
    snprintf(variable, sizeof variable, FOLDER_VARIABLE "=%s", folder);
    for (char **e = environ; *e && n < 3; e++) {
        if (strncmp(*e, "TSAN_OPTIONS=", 13) == 0 || strncmp(*e, "ASAN_OPTIONS=", 13) == 0) {
            env[n++] = *e;
        }
    }
    REQUIRE(posix_spawnp(&pid, argv[0], NULL, NULL, argv, env) == 0);
    return pid;
}

/* Let it append for a while that differs each round, then kill it. */
static void kill_round(const char *folder, struct shared *shared, unsigned round)
{
    uint64_t before = get(&shared->acked), rounds = get(&shared->rounds);
    pid_t pid = start(folder);
    int status = 0;

    for (int i = 0; i < 2000 && (get(&shared->rounds) == rounds || get(&shared->acked) == before);
         i++) {
        usleep(5000);
    }
    usleep((round * 7919) % 40000);
    REQUIRE(kill(pid, SIGKILL) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(get(&shared->acked) > before);
}

static unsigned lines_of(const char *path)
{
    char *text = slurp(path, NULL);
    unsigned n = 0;

    CHECK(strstr(text, "bad") == NULL);
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        n++;
    }
    free(text);
    return n;
}

/* The independent reader's lines are "seq event_no verb": sequence numbers without gap, and since there is one sender each
 * row at its own number. */
static void check_rows(const char *path)
{
    char *text = slurp(path, NULL);
    uint64_t expected = 0;

    for (const char *row = text; *row; row = strchr(row, '\n') + 1) {
        char line[80];

        expected++;
        snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " v%" PRIu64 "\n", expected, expected,
                 expected);
        REQUIRE(strncmp(row, line, strlen(line)) == 0);
    }
    free(text);
}

TEST(after_kills_each_event_is_in_journal_and_log_exactly_once)
{
    const char *folder = new_folder(), *out = test_path("rows");
    char journal_folder[400], text_folder[400];
    struct shared *shared;
    struct smf_journal *journal;
    struct smf_text *text;
    unsigned n;

    REQUIRE(mkdir(folder, 0700) == 0);
    snprintf(journal_folder, sizeof journal_folder, "%s/journal", folder);
    snprintf(text_folder, sizeof text_folder, "%s/text", folder);
    shared = share(folder);
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_round(folder, shared, round);
    }
    listen_to_messages();
    journal = open_journal(journal_folder, 0);
    text = open_text(text_folder, journal);
    REQUIRE_OK(smf_text_drain(text));
    klm_say_to(NULL, NULL);
    CHECK(smf_journal_last(journal) >= get(&shared->acked));
    CHECK_INT(reader_py(out, "journal", journal_folder, NULL), 0);
    n = lines_of(out);
    CHECK_INT(n, smf_journal_last(journal));
    check_rows(out);
    CHECK_INT(reader_py(out, "text", text_folder, NAME), 0);
    CHECK_INT(lines_of(out), n);
    printf("# %d kills, %u events\n", ROUNDS, n);
    smf_text_close(&text);
    smf_journal_close(&journal);
    munmap(shared, sizeof *shared);
}
