/* A drive under load, whose own list of what it was told is what the server is measured against after a kill or a power loss.
 *
 *   load   N sessions (every other one on the TCP port), each one request after the other: create with a volser never used before, now and
 *          then get for a volume it wrote. Each line of the list is one write in append mode, before the next request is sent:
 *            S volser            a create is about to be sent
 *            A volser eedk,eedk hash   it was answered: EEDKs in hex, SHA-256 of the data key
 *            G volser            a get is about to be sent
 *            R volser            it was answered, with the right key
 *            E volser code text  a request was refused
 *          With --trace the same lines, short of the EEDKs, are marks in a recording (tests/power).
 *          It ends when all sessions are lost, after --count creates, or after SIGTERM, when each has its last answer.
 *   check  asks for the key of every A line on standard input, and compares. */
#include "tests/kill/session.h"

#include <fcntl.h>
#include <popt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS_MAX 64
#define LINE_LEN (4 * KX_EEDK_MAX + 256)
#define KEPT 64 /* volumes a session remembers, to read them again */

static struct {
    struct kill_drive drive;
    char *folder, *list, *trace_path, *serial, *wwn;
    int tcp, ssl, sessions, reads, list_fd, trace_fd;
    long first, count;
} opt = {.sessions = 8, .list_fd = -1, .trace_fd = -1};

static atomic_long next_volser;
static atomic_long answered, lost, refused, wrong;
static volatile sig_atomic_t stop;

static void on_term(int number)
{
    (void)number;
    stop = 1;
}

/* ---- The list */

/* The head of a mark as tests/power/records.py has it. */
struct mark_head {
    char magic[4];
    uint16_t what, flags;
    uint64_t inode, a, b;
    uint32_t names, data;
};

static void mark(const char *line)
{
    uint8_t record[sizeof(struct mark_head) + LINE_LEN];
    size_t n = strlen(line);
    const struct mark_head head = {.magic = {'K', 'P', 'W', '1'}, .what = 12, .data = (uint32_t)n};

    memcpy(record, &head, sizeof head);
    memcpy(record + sizeof head, line, n);
    if (write(opt.trace_fd, record, sizeof head + n) != (ssize_t)(sizeof head + n)) {
        abort(); /* a list with a hole would prove nothing */
    }
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    char line[LINE_LEN];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line || write(opt.list_fd, line, (size_t)n) != n) {
        abort();
    }
    if (opt.trace_fd >= 0) {
        mark(line);
    }
}

/* ---- One session */

struct volume {
    char volser[7], hash[65];
    uint8_t eedk[KX_EEDKS][KX_EEDK_MAX];
    size_t eedk_n[KX_EEDKS];
    uint8_t n;
};

struct worker {
    pthread_t thread;
    int number;
    struct kill_session session;
    struct volume *kept;
    size_t kept_n;
    unsigned turn;
};

static void volser_of(long number, char out[7])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (int i = 5; i >= 0; i--) {
        out[i] = digits[number % 36];
        number /= 36;
    }
    out[6] = '\0';
}

/* Send and wait. False: the session is lost. The answer borrows from the session; forget it. */
static bool ask(struct worker *w, const struct klm_buf *message, struct kx_message *answer,
                size_t *used)
{
    if (kill_session_send(&w->session, message) &&
        kill_session_receive(&w->session, answer, used) && answer->id == w->session.id) {
        return true;
    }
    lost++;
    return false;
}

static void note_refusal(const char *volser, const struct kx_message *answer)
{
    const struct kx_error *error = &answer->u.error;

    refused++;
    note("E %s %04X %s %s\n", volser, answer->type == KX_ERROR ? error->code : 0, error->message_id,
         error->text);
}

static void keep(struct worker *w, const char *volser, const char *hash,
                 const struct kx_keyed *keyed)
{
    struct volume *volume = &w->kept[w->kept_n++ % KEPT];

    memcpy(volume->volser, volser, sizeof volume->volser);
    memcpy(volume->hash, hash, sizeof volume->hash);
    volume->n = keyed->eedk_n;
    for (size_t i = 0; i < keyed->eedk_n; i++) {
        memcpy(volume->eedk[i], keyed->eedk[i].p, keyed->eedk[i].n);
        volume->eedk_n[i] = keyed->eedk[i].n;
    }
}

static void created(struct worker *w, const char *volser, const struct kx_message *answer)
{
    char eedk[KX_EEDKS][2 * KX_EEDK_MAX + 1] = {"", ""}, hash[65];
    const struct kx_keyed *keyed = &answer->u.keyed;

    if (answer->type != KX_CREATED || !kill_session_key_hash(&w->session, keyed->wrapped, hash)) {
        note_refusal(volser, answer);
        return;
    }
    for (size_t i = 0; i < keyed->eedk_n && opt.trace_fd < 0; i++) {
        klm_hex(keyed->eedk[i].p, keyed->eedk[i].n, eedk[i]);
    }
    note("A %s %s%s%s %s\n", volser, eedk[0], eedk[1][0] ? "," : "", eedk[1], hash);
    answered++;
    keep(w, volser, hash, keyed);
}

static bool create(struct worker *w)
{
    struct kx_create request = {.labels_n = 0};
    long number = next_volser++;
    struct kx_message answer;
    struct klm_buf message;
    size_t used;
    bool ok;

    if (opt.count && number >= opt.first + opt.count) {
        return false;
    }
    volser_of(number, request.volser);
    klm_buf_init(&message, KX_MESSAGE_MAX);
    ok = kx_encode_create(&request, ++w->session.id, &message) == KLM_OK;
    note("S %s\n", request.volser);
    ok = ok && ask(w, &message, &answer, &used);
    if (ok) {
        created(w, request.volser, &answer);
        kill_session_forget(&w->session, used);
    }
    klm_buf_done(&message);
    return ok;
}

/* Does the answer hold the key that was given out at the write? */
static bool right_key(const struct kill_session *session, const struct kx_message *answer,
                      const char *hash)
{
    char got[65];

    return answer->type == KX_GOT && kill_session_key_hash(session, answer->u.keyed.wrapped, got) &&
           strcmp(got, hash) == 0;
}

static bool get(struct worker *w)
{
    const struct volume *volume = &w->kept[w->turn++ % (w->kept_n < KEPT ? w->kept_n : KEPT)];
    struct kx_get request = {.eedk_n = volume->n};
    struct kx_message answer;
    struct klm_buf message;
    size_t used;
    bool ok;

    memcpy(request.volser, volume->volser, sizeof request.volser);
    for (size_t i = 0; i < volume->n; i++) {
        request.eedk[i] = KLM_SLICE(volume->eedk[i], volume->eedk_n[i]);
    }
    klm_buf_init(&message, KX_MESSAGE_MAX);
    ok = kx_encode_get(&request, ++w->session.id, &message) == KLM_OK;
    note("G %s\n", volume->volser);
    ok = ok && ask(w, &message, &answer, &used);
    if (ok && right_key(&w->session, &answer, volume->hash)) {
        note("R %s\n", volume->volser);
    } else if (ok) {
        wrong++;
        note_refusal(volume->volser, &answer);
    }
    if (ok) {
        kill_session_forget(&w->session, used);
    }
    klm_buf_done(&message);
    return ok;
}

static bool open_session(struct worker *w)
{
    bool tcp = opt.tcp && (!opt.ssl || w->number % 2 == 0);

    return kill_session_open(&opt.drive, (uint16_t)(tcp ? opt.tcp : opt.ssl), tcp, &w->session);
}

static void *work(void *arg)
{
    struct worker *w = arg;

    w->kept = calloc(KEPT, sizeof *w->kept);
    if (w->kept && open_session(w)) {
        for (long n = 1; !stop && create(w); n++) {
            if (opt.reads && n % opt.reads == 0 && w->kept_n > 0 && !get(w)) {
                break;
            }
        }
    } else {
        lost++;
    }
    kill_session_close(&w->session);
    free(w->kept);
    return NULL;
}

static int load(void)
{
    static struct worker workers[SESSIONS_MAX];

    next_volser = opt.first;
    for (int i = 0; i < opt.sessions; i++) {
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            return 2;
        }
    }
    for (int i = 0; i < opt.sessions; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    printf("answered %ld lost %ld refused %ld wrong %ld\n", answered, lost, refused, wrong);
    return wrong ? 1 : 0;
}

/* ---- check */

static pthread_mutex_t input_lock = PTHREAD_MUTEX_INITIALIZER; /* guards standard input */

static bool next_line(char *line, size_t n)
{
    bool ok;

    pthread_mutex_lock(&input_lock);
    do {
        ok = fgets(line, (int)n, stdin) != NULL;
    } while (ok && strncmp(line, "A ", 2) != 0);
    pthread_mutex_unlock(&input_lock);
    return ok;
}

/* "A volser eedk,eedk hash" */
static bool parse(char *line, struct volume *out)
{
    char *rest = line, *volser, *eedks, *hash, *one;

    strsep(&rest, " ");
    volser = strsep(&rest, " ");
    eedks = strsep(&rest, " ");
    hash = strsep(&rest, "\n");
    if (!hash || strlen(volser) != 6 || strlen(hash) != 64) {
        return false;
    }
    *out = (struct volume){0};
    memcpy(out->volser, volser, 7);
    memcpy(out->hash, hash, 65);
    while ((one = strsep(&eedks, ",")) != NULL) {
        if (out->n == KX_EEDKS ||
            klm_unhex(one, out->eedk[out->n], KX_EEDK_MAX, &out->eedk_n[out->n]) != KLM_OK) {
            return false;
        }
        out->n++;
    }
    return true;
}

static bool check_one(struct worker *w, const struct volume *volume)
{
    struct kx_get request = {.eedk_n = volume->n};
    struct kx_message answer = {0};
    struct klm_buf message;
    size_t used;
    bool ok;

    memcpy(request.volser, volume->volser, sizeof request.volser);
    for (size_t i = 0; i < volume->n; i++) {
        request.eedk[i] = KLM_SLICE(volume->eedk[i], volume->eedk_n[i]);
    }
    klm_buf_init(&message, KX_MESSAGE_MAX);
    ok = kx_encode_get(&request, ++w->session.id, &message) == KLM_OK &&
         ask(w, &message, &answer, &used);
    if (ok) {
        ok = right_key(&w->session, &answer, volume->hash);
        kill_session_forget(&w->session, used);
    }
    klm_buf_done(&message);
    return ok;
}

static void *check_some(void *arg)
{
    char line[LINE_LEN];
    struct worker *w = arg;
    struct volume *volume = calloc(1, sizeof *volume);
    bool open = volume && open_session(w);

    while (next_line(line, sizeof line)) {
        if (open && parse(line, volume) && check_one(w, volume)) {
            answered++;
        } else {
            wrong++;
            printf("not readable: %.8s\n", line);
        }
    }
    kill_session_close(&w->session);
    free(volume);
    return NULL;
}

static int check(void)
{
    static struct worker workers[SESSIONS_MAX];

    for (int i = 0; i < opt.sessions; i++) {
        workers[i].number = i;
        if (pthread_create(&workers[i].thread, NULL, check_some, &workers[i]) != 0) {
            return 2;
        }
    }
    for (int i = 0; i < opt.sessions; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    printf("read %ld wrong %ld\n", answered, wrong);
    return wrong ? 1 : 0;
}

/* ---- Arguments */

static int run(const char *verb)
{
    opt.drive.serial = opt.serial;
    opt.drive.wwn = opt.wwn;
    if (!opt.folder || !opt.serial || !opt.wwn || opt.sessions < 1 || opt.sessions > SESSIONS_MAX ||
        !kill_drive_load(opt.folder, &opt.drive)) {
        fprintf(stderr, "kxwriter: --drive, --serial and --wwn are needed, and 1 to %d sessions\n",
                SESSIONS_MAX);
        return 2;
    }
    if (verb && strcmp(verb, "check") == 0) {
        return check();
    }
    opt.list_fd = opt.list ? open(opt.list, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    opt.trace_fd = opt.trace_path ? open(opt.trace_path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (!verb || strcmp(verb, "load") != 0 || opt.list_fd < 0 ||
        (opt.trace_path && opt.trace_fd < 0)) {
        fprintf(stderr, "kxwriter: load --list FILE, or check\n");
        return 2;
    }
    return load();
}

int main(int argc, const char **argv)
{
    const struct poptOption options[] = {
        {"drive", 0, POPT_ARG_STRING, &opt.folder, 0, "folder of the drive's key and certificate",
         "DIR"},
        {"serial", 0, POPT_ARG_STRING, &opt.serial, 0, "its serial number", "SERIAL"},
        {"wwn", 0, POPT_ARG_STRING, &opt.wwn, 0, "its world wide name", "WWN"},
        {"tcp", 0, POPT_ARG_INT, &opt.tcp, 0, "the server's TCP port", "PORT"},
        {"ssl", 0, POPT_ARG_INT, &opt.ssl, 0, "the server's SSL port", "PORT"},
        {"sessions", 0, POPT_ARG_INT, &opt.sessions, 0, "how many (8)", "N"},
        {"first", 0, POPT_ARG_LONG, &opt.first, 0, "number of the first volser", "N"},
        {"count", 0, POPT_ARG_LONG, &opt.count, 0, "creates in all; 0: no end", "N"},
        {"reads", 0, POPT_ARG_INT, &opt.reads, 0, "a get after so many creates; 0: none", "N"},
        {"list", 0, POPT_ARG_STRING, &opt.list, 0, "file that the list is appended to", "FILE"},
        {"trace", 0, POPT_ARG_STRING, &opt.trace_path, 0, "recording that gets the marks", "FILE"},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("kxwriter", argc, argv, options, 0);
    int rc, status = 2;

    signal(SIGTERM, on_term);
    signal(SIGPIPE, SIG_IGN);
    poptSetOtherOptionHelp(ctx, "[OPTION...] load | check");
    rc = poptGetNextOpt(ctx);
    if (rc < -1) {
        fprintf(stderr, "kxwriter: %s: %s\n", poptBadOption(ctx, 0), poptStrerror(rc));
    } else {
        status = run(poptGetArg(ctx));
    }
    poptFreeContext(ctx);
    SSL_CTX_free(opt.drive.tls);
    free(opt.folder);
    free(opt.serial);
    free(opt.wwn);
    free(opt.list);
    free(opt.trace_path);
    return status;
}
