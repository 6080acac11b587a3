/* Load on the drive ports of a key server, for `make bench`: N sessions of one drive, each with one request in flight, one thread.
 *   kxload -p PORT -D DRIVE_FOLDER [-s] [-c SESSIONS] [-o create|get|verify|mixed|lto-create|lto-get] [-d SECONDS] [-w WARM_UP_SECONDS] [-i SERVER_PID]
 * -s: the port speaks TLS from the first byte. Every answer is checked: its type, its number, how many EEDKs and labels it has; the data key of each
 * 16th is unwrapped: a get must give the key that create gave for the same cartridge, a create one that no other had. What fails counts as an error,
 * never as an operation, and makes exit 1. Prints one JSON object. */
#include "tests/bench/bench.h"
#include "tests/bench/drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SESSIONS_MAX 1024
#define CARTRIDGES 8
#define SAMPLE 16   /* each so many-th data key is looked at */
#define ANSWER_S 20 /* an answer that takes longer is an error */

struct cartridge {
    char volser[7];
    uint8_t eedk[KX_EEDKS][KX_EEDK_MAX], key[32];
    struct kx_get get;
    struct kx_stored_get stored; /* of an LTO drive */
};

struct session {
    struct drive_session link;
    enum kx_type asked;
    uint32_t id;
    uint64_t sent;   /* 0: nothing is in flight */
    uint64_t waited; /* by this program for a processor, until then */
    const struct cartridge *cartridge;
    struct klm_buf out;
};

static struct {
    enum drive_port kind;
    uint16_t port;
    const char *folder, *op;
    unsigned sessions;
    double seconds, warm;
    int pid;
} options = {.kind = DRIVE_TCP, .op = "get", .sessions = 1, .seconds = 2, .warm = 0.3};

static struct session sessions[SESSIONS_MAX];
static struct cartridge cartridges[CARTRIDGES];
static struct bench_hist hist;
static struct bench_hist
    served; /* of one session: without what this program waited for a processor */
static uint64_t asked, answered, errors, in_flight;
static uint8_t last_key[32]; /* of the last create that was looked at */
static bool counting;        /* the warm-up is over, the time is not */

static void error(const char *what, const char *why)
{
    if (errors++ < 5) {
        fprintf(stderr, "kxload: %s: %s\n", what, why);
    }
}

/* ---- Requests */

static bool lto(void)
{
    return options.op[0] == 'l';
}

static enum kx_type next_type(void)
{
    static const enum kx_type mix[] = {KX_GET,    KX_CREATE, KX_GET,    KX_CREATE, KX_GET,
                                       KX_CREATE, KX_GET,    KX_CREATE, KX_GET,    KX_VERIFY};

    switch (options.op[0]) {
    case 'c':
        return KX_CREATE;
    case 'g':
        return KX_GET;
    case 'v':
        return KX_VERIFY;
    case 'l':
        return options.op[4] == 'c' ? KX_STORED_CREATE : KX_STORED_GET;
    }
    return mix[asked % KLM_COUNT(mix)];
}

static klm_rc encode(struct session *session)
{
    struct kx_create create = {.volser = "BENCH"};
    const struct kx_stored_create stored = {.volser = "BENCH"};

    switch (session->asked) {
    case KX_CREATE:
        create.volser[5] = (char)('0' + asked % 10);
        return kx_encode_create(&create, session->id, &session->out);
    case KX_GET:
        session->cartridge = &cartridges[asked % CARTRIDGES];
        return kx_encode_get(&session->cartridge->get, session->id, &session->out);
    case KX_STORED_CREATE:
        return kx_encode_stored_create(&stored, session->id, &session->out);
    case KX_STORED_GET:
        session->cartridge = &cartridges[asked % CARTRIDGES];
        return kx_encode_stored_get(&session->cartridge->stored, session->id, &session->out);
    default:
        return kx_encode_plain(KX_VERIFY, session->id, &session->out);
    }
}

static void lose(struct session *session, const char *why)
{
    error(kx_type_name(session->asked), why);
    in_flight -= session->sent != 0;
    session->sent = 0;
    drive_close(&session->link);
    session->link.fd = -1;
}

static void ask(struct session *session)
{
    session->asked = next_type();
    session->id = (uint32_t)++asked;
    klm_buf_clear(&session->out);
    bench_need(encode(session) == KLM_OK, "encoding a request");
    kx_stamp(&session->out, lto() ? KX_VERSION_MAX : KX_VERSION);
    session->waited = options.sessions == 1 ? bench_waited() : 0;
    session->sent = bench_now();
    in_flight++;
    if (!drive_send(&session->link, klm_buf_as_slice(&session->out))) {
        lose(session, "it cannot be sent");
    }
}

/* ---- Answers */

static const uint8_t *wrapped_of(const struct kx_message *answer)
{
    return lto() ? answer->u.stored.wrapped : answer->u.keyed.wrapped;
}

/* What is wrong with the form of an answer; NULL: nothing. */
static const char *form(const struct session *session, const struct kx_message *answer)
{
    static const uint8_t zero[40];
    const enum kx_type wanted = (enum kx_type)(session->asked | 0x80);

    if (answer->type == KX_ERROR) {
        return answer->u.error.text;
    }
    if (answer->type != wanted || answer->id != session->id) {
        return "an answer to something else";
    }
    if (wanted == KX_VERIFIED) {
        return NULL;
    }
    if (memcmp(wrapped_of(answer), zero, sizeof zero) == 0) {
        return "no key";
    }
    if (wanted == KX_CREATED &&
        (answer->u.keyed.eedk_n != KX_EEDKS || answer->u.keyed.labels_n != KX_EEDKS)) {
        return "not two EEDKs with their labels";
    }
    return wanted == KX_GOT && answer->u.keyed.eedk_n != 0 ? "EEDKs that nobody asked for" : NULL;
}

static const char *key_of(struct session *session, const struct kx_message *answer)
{
    uint8_t key[32];

    if (!drive_unwrap(&session->link, wrapped_of(answer), key)) {
        return "the data key does not unwrap";
    }
    if (session->asked == KX_GET || session->asked == KX_STORED_GET) {
        return memcmp(key, session->cartridge->key, sizeof key) == 0
                   ? NULL
                   : "another key than that of the cartridge";
    }
    if (memcmp(key, last_key, sizeof key) == 0) {
        return "a key that was given out before";
    }
    memcpy(last_key, key, sizeof key);
    return NULL;
}

static void take(struct session *session, const struct kx_message *answer, uint64_t now)
{
    const char *why = form(session, answer);

    if (!why && session->asked != KX_VERIFY && session->id % SAMPLE == 0) {
        why = key_of(session, answer);
    }
    in_flight--;
    if (why) {
        error("wrong answer", why);
    } else if (counting) {
        answered++;
        uint64_t took = now - session->sent;
        uint64_t own = options.sessions == 1 ? bench_waited() - session->waited : 0;

        bench_hist_add(&hist, took);
        bench_hist_add(&served, took > own ? took - own : 0);
    }
    session->sent = 0;
    drive_forget(&session->link);
}

/* ---- Setting up */

static void make_cartridge(struct session *session, struct cartridge *cartridge, unsigned n)
{
    struct kx_create create = {.volser = ""};
    struct kx_message answer;

    snprintf(cartridge->volser, sizeof cartridge->volser, "KXL%03u", n);
    memcpy(create.volser, cartridge->volser, sizeof create.volser);
    memcpy(cartridge->get.volser, cartridge->volser, sizeof create.volser);
    klm_buf_clear(&session->out);
    bench_need(kx_encode_create(&create, n + 1, &session->out) == KLM_OK &&
                   drive_send(&session->link, klm_buf_as_slice(&session->out)),
               "create");
    drive_wait(&session->link, &answer);
    bench_need(answer.type == KX_CREATED &&
                   drive_unwrap(&session->link, answer.u.keyed.wrapped, cartridge->key),
               "the answer to create");
    for (size_t i = 0; i < answer.u.keyed.eedk_n; i++) {
        memcpy(cartridge->eedk[i], answer.u.keyed.eedk[i].p, answer.u.keyed.eedk[i].n);
        cartridge->get.eedk[i] = KLM_SLICE(cartridge->eedk[i], answer.u.keyed.eedk[i].n);
    }
    cartridge->get.eedk_n = answer.u.keyed.eedk_n;
    drive_forget(&session->link);
}

static void make_lto_cartridge(struct session *session, struct cartridge *cartridge, unsigned n)
{
    struct kx_stored_create create = {.volser = ""};
    struct kx_message answer;

    snprintf(cartridge->volser, sizeof cartridge->volser, "KXL%03u", n);
    memcpy(create.volser, cartridge->volser, sizeof create.volser);
    memcpy(cartridge->stored.volser, cartridge->volser, sizeof create.volser);
    klm_buf_clear(&session->out);
    bench_need(kx_encode_stored_create(&create, n + 1, &session->out) == KLM_OK &&
                   drive_send(&session->link, klm_buf_as_slice(&session->out)),
               "create-stored");
    drive_wait(&session->link, &answer);
    bench_need(answer.type == KX_STORED_CREATED &&
                   drive_unwrap(&session->link, answer.u.stored.wrapped, cartridge->key),
               "the answer to create-stored");
    memcpy(cartridge->stored.key_id, answer.u.stored.key_id, sizeof cartridge->stored.key_id);
    drive_forget(&session->link);
}

static void open_sessions(const struct drive_identity *identity, int poll)
{
    for (unsigned i = 0; i < options.sessions; i++) {
        struct session *session = &sessions[i];

        klm_buf_init(&session->out, KX_MESSAGE_MAX);
        drive_open(identity, options.kind, options.port, &session->link);
        for (unsigned n = 0; i == 0 && n < CARTRIDGES && strcmp(options.op, "verify") != 0; n++) {
            (lto() ? make_lto_cartridge : make_cartridge)(session, &cartridges[n], n);
        }
        bench_no_block(session->link.fd);
        bench_need(epoll_ctl(poll, EPOLL_CTL_ADD, session->link.fd,
                             &(struct epoll_event){.events = EPOLLIN, .data.ptr = session}) == 0,
                   "epoll");
    }
}

/* ---- The run */

struct reading {
    uint64_t now, self, server, machine;
};

static struct reading read_counters(void)
{
    return (struct reading){bench_now(), bench_cpu_self(),
                            options.pid ? bench_cpu_pid(options.pid) : 0, bench_cpu_machine()};
}

static void on_ready(struct session *session, bool again)
{
    struct kx_message answer;

    if (session->link.fd < 0) {
        return;
    }
    switch (drive_receive(&session->link, &answer)) {
    case DRIVE_WAIT:
        return;
    case DRIVE_LOST:
        lose(session, "the session is lost");
        return;
    case DRIVE_MESSAGE:
        break;
    }
    if (!session->sent) {
        lose(session, "an answer without a question");
        return;
    }
    take(session, &answer, bench_now());
    if (again) {
        ask(session);
    }
}

/* Answers, and while the time lasts new questions, until a moment. */
static void turn(int poll, uint64_t until, bool again)
{
    struct epoll_event events[64];
    uint64_t now;

    while ((now = bench_now()) < until && in_flight > 0) {
        int n = epoll_wait(poll, events, KLM_COUNT(events), (int)((until - now) / 1000000u + 1));

        bench_need(n >= 0 || errno == EINTR, "epoll");
        for (int i = 0; i < n; i++) {
            on_ready(events[i].data.ptr, again);
        }
    }
}

static void run(int poll, struct reading *begin, struct reading *end)
{
    for (unsigned i = 0; i < options.sessions; i++) {
        ask(&sessions[i]);
    }
    turn(poll, bench_now() + (uint64_t)(options.warm * 1e9), true);
    *begin = read_counters();
    counting = true;
    turn(poll, begin->now + (uint64_t)(options.seconds * 1e9), true);
    counting = false;
    *end = read_counters();
    turn(poll, bench_now() + ANSWER_S * 1000000000u, false);
    for (uint64_t left = in_flight; left > 0; left--) {
        error("no answer", "in time");
    }
}

static void print(const struct reading *begin, const struct reading *end)
{
    double took = (double)(end->now - begin->now) / 1e9, ops = answered ? (double)answered : 1;
    double self = (double)(end->self - begin->self), server = (double)(end->server - begin->server);
    double machine = (double)(end->machine - begin->machine);

    printf(
        "{\"bench\":\"kx\",\"op\":\"%s\",\"port\":\"%s\",\"sessions\":%u,\"seconds\":%.2f,\"ops\":%"
        "llu,\"ops_per_s\":%.1f,"
        "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"p99_served_us\":%.1f,\"errors\":%llu,"
        "\"client_us_per_op\":%.1f,"
        "\"server_us_per_op\":%.1f,\"other_cpu\":%.2f}\n",
        options.op, options.kind == DRIVE_SSL ? "ssl" : "tcp", options.sessions, took,
        (unsigned long long)answered, (double)answered / took, bench_hist_us(&hist, 0.5),
        bench_hist_us(&hist, 0.99), (double)hist.max / 1000, bench_hist_us(&served, 0.99),
        (unsigned long long)errors, self / ops / 1000, server / ops / 1000,
        (machine - self - server) / 1e9 / took);
}

static void usage(void)
{
    bench_die("usage", "kxload -p PORT -D FOLDER [-s] [-c SESSIONS] [-o "
                       "create|get|verify|mixed|lto-create|lto-get] "
                       "[-d SECONDS] [-w SECONDS] [-i PID]");
}

static void arguments(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "p:D:sc:o:d:w:i:")) != -1) {
        switch (c) {
        case 'p':
            options.port = (uint16_t)bench_number(optarg, 1, 65535);
            break;
        case 'D':
            options.folder = optarg;
            break;
        case 's':
            options.kind = DRIVE_SSL;
            break;
        case 'c':
            options.sessions = (unsigned)bench_number(optarg, 1, SESSIONS_MAX);
            break;
        case 'o':
            options.op = optarg;
            break;
        case 'd':
            options.seconds = bench_number(optarg, 0.1, 600);
            break;
        case 'w':
            options.warm = bench_number(optarg, 0, 60);
            break;
        case 'i':
            options.pid = (int)bench_number(optarg, 1, 4194304);
            break;
        default:
            usage();
        }
    }
    if (argc != optind || !options.port || !options.folder) {
        usage();
    }
    if (strcmp(options.op, "create") != 0 && strcmp(options.op, "get") != 0 &&
        strcmp(options.op, "verify") != 0 && strcmp(options.op, "mixed") != 0 &&
        strcmp(options.op, "lto-create") != 0 && strcmp(options.op, "lto-get") != 0) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct drive_identity identity;
    struct reading begin, end;
    int poll = epoll_create1(EPOLL_CLOEXEC);

    arguments(argc, argv);
    bench_need(poll >= 0, "epoll");
    drive_load(options.folder, &identity);
    identity.kind = lto() ? 1 : identity.kind;
    open_sessions(&identity, poll);
    run(poll, &begin, &end);
    print(&begin, &end);
    for (unsigned i = 0; i < options.sessions; i++) {
        if (sessions[i].link.fd >= 0) {
            drive_close(&sessions[i].link);
        }
        klm_buf_done(&sessions[i].out);
    }
    drive_done(&identity);
    close(poll);
    return errors > 0 || answered == 0;
}
