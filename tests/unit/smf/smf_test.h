/* What the tests of smf share: folders, events, a journal, the independent reader. */
#ifndef TESTS_UNIT_SMF_TEST_H
#define TESTS_UNIT_SMF_TEST_H

#include "test.h"

#include "smf/smf.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define UNUSED __attribute__((unused))

/* A folder name that no other test uses. */
UNUSED static const char *new_folder(void)
{
    static unsigned turn;
    char name[32];

    snprintf(name, sizeof name, "folder%u", turn++);
    return test_path(name);
}

UNUSED static struct smf_journal *open_journal(const char *folder, uint64_t segment_bytes)
{
    struct smf_journal_options options = {
        .folder = folder, .server_id = "test", .segment_bytes = segment_bytes};
    struct klm_diag diag = {0};
    struct smf_journal *journal = NULL;
    klm_rc rc = smf_journal_open(&options, &diag, &journal);

    if (rc != KLM_OK) {
        printf("# %s\n", diag.text);
    }
    test_rc(rc, KLM_OK, "smf_journal_open", __FILE__, __LINE__, true);
    return journal;
}

/* An encoded event whose verb is "v<n>"; valid until the eighth call after. */
UNUSED static struct klm_slice event_of(uint64_t n)
{
    static __thread uint8_t bytes[8][SMF_EVENT_MAX];
    static __thread unsigned turn;
    char verb[24];
    struct klm_buf buf;
    struct smf_event event = {.kind = SMF_RUNTIME,
                              .time = 1318966509000000,
                              .field = {[SMF_F_VERB] = verb,
                                        [SMF_F_SOURCE] = "test",
                                        [SMF_F_RESOURCE] = "Write Request",
                                        [SMF_F_ACTION] = "stop"}};
    size_t length;

    snprintf(verb, sizeof verb, "v%" PRIu64, n);
    klm_buf_init(&buf, SMF_EVENT_MAX);
    test_rc(smf_event_encode(&event, &buf), KLM_OK, "smf_event_encode", __FILE__, __LINE__, false);
    turn = (turn + 1) % 8;
    length = buf.n;
    memcpy(bytes[turn], buf.p, length);
    klm_buf_done(&buf);
    return KLM_SLICE(bytes[turn], length);
}

/* Append one event with verb "v<n>"; the sequence number it got, 0 when it was left out. */
UNUSED static uint64_t append(struct smf_journal *journal, uint64_t n, uint64_t event_no)
{
    struct smf_entry entry = {.event = event_of(n), .event_no = event_no};

    test_rc(smf_journal_append(journal, &entry, 1), KLM_OK, "smf_journal_append", __FILE__,
            __LINE__, false);
    return entry.seq;
}

struct seen {
    uint64_t n, first, last;
    bool gap;
    uint64_t no[4096];
    char verb[4096][12];
};

UNUSED static klm_rc see(void *arg, const struct smf_record *record)
{
    struct seen *seen = arg;

    if (seen->n == 0) {
        seen->first = record->seq;
    } else if (record->seq != seen->last + 1) {
        seen->gap = true;
    }
    seen->last = record->seq;
    if (seen->n < KLM_COUNT(seen->no)) {
        seen->no[seen->n] = record->event_no;
        snprintf(seen->verb[seen->n], sizeof seen->verb[0], "%s", record->event.field[SMF_F_VERB]);
    }
    seen->n++;
    return KLM_OK;
}

UNUSED static struct seen *read_all(const char *folder, uint64_t after)
{
    static struct seen seen;
    struct klm_diag diag = {0};

    memset(&seen, 0, sizeof seen);
    test_rc(smf_journal_read(folder, after, see, &seen, &diag), KLM_OK, "smf_journal_read",
            __FILE__, __LINE__, false);
    CHECK(!seen.gap);
    return &seen;
}

/* Files in a folder whose names begin with prefix. */
UNUSED static unsigned count_files(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

UNUSED static const char *in_folder(const char *folder, const char *name)
{
    static char path[4][1000];
    static unsigned turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* A whole file; free it. */
UNUSED static char *slurp(const char *path, size_t *n)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool there = fd >= 0 && fstat(fd, &st) == 0;
    char *text = calloc(1, (size_t)st.st_size + 1);

    CHECK(there);
    if (!text) {
        abort();
    }
    CHECK(!there || read(fd, text, (size_t)st.st_size) == st.st_size);
    if (there) {
        close(fd);
    }
    if (n) {
        *n = (size_t)st.st_size;
    }
    return text;
}

/* Room for n entries. */
UNUSED static struct smf_entry *entries_new(size_t n)
{
    struct smf_entry *entries = calloc(n, sizeof *entries);

    if (!entries) {
        abort();
    }
    return entries;
}

UNUSED static void spill(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    REQUIRE(fd >= 0);
    CHECK(write(fd, p, n) == (ssize_t)n);
    close(fd);
}

/* Run the independent reader, what it prints going to a file; its exit status. */
UNUSED static int reader_with(const char *out, const char *what, const char *folder,
                              const char *name, const char *cert)
{
    char path[sizeof __FILE__ + 40], *slash;
    char *argv[] = {(char[]){"python3"},
                    path,
                    (char *)(uintptr_t)what,
                    (char *)(uintptr_t)folder,
                    (char *)(uintptr_t)name,
                    (char *)(uintptr_t)cert,
                    NULL};
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;

    snprintf(path, sizeof path, "%s", __FILE__);
    slash = strrchr(path, '/');
    REQUIRE(slash != NULL);
    snprintf(slash, sizeof path - (size_t)(slash - path), "/../../smf/readjournal.py");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(posix_spawnp(&pid, "python3", &actions, NULL, argv, environ) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

UNUSED static int reader_py(const char *out, const char *what, const char *folder, const char *name)
{
    return reader_with(out, what, folder, name, NULL);
}

/* A text log and its checkpoints by the independent reader and the openssl command. */
UNUSED static int signed_py(const char *folder, const char *name, const char *cert)
{
    return reader_with(test_path("out"), "signed", folder, name, cert);
}

/* Said messages, by identifier, while a test listens. */
static struct {
    pthread_mutex_t lock; /* threads of the journal and of sinks say something, too */
    char lines[4000];
    size_t n;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

UNUSED static void hear(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity;
    pthread_mutex_lock(&heard.lock);
    heard.n += (size_t)snprintf(heard.lines + heard.n, sizeof heard.lines - heard.n, "%s\n", line);
    if (heard.n >= sizeof heard.lines) {
        heard.n = sizeof heard.lines - 1;
    }
    pthread_mutex_unlock(&heard.lock);
}

UNUSED static void listen_to_messages(void)
{
    heard.n = 0;
    heard.lines[0] = '\0';
    klm_say_to(hear, NULL);
}

/* How often a message was said. */
UNUSED static unsigned heard_times(const char *id)
{
    unsigned n = 0;

    pthread_mutex_lock(&heard.lock);
    for (const char *p = heard.lines; (p = strstr(p, id)); p++) {
        n++;
    }
    pthread_mutex_unlock(&heard.lock);
    return n;
}

#endif
