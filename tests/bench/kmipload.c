/* Load on the KMIP port of a server, for `make bench`: N connections of one client, each with one request in flight, one thread.
 *   kmipload -p PORT -A CA -E CERT -K KEY [-c CONNECTIONS] [-o get|locate|mixed|create|handshake|idle] [-n OBJECTS] [-f FILE] [-T 12|13] [-r]
 *            [-d SECONDS] [-w WARM_UP_SECONDS] [-i SERVER_PID]
 * get, locate and mixed (90 gets, 9 locates by name, 1 create) use keys that are made first, so many as -n says, or those of -f FILE, which is written when it is not there.
 * handshake: connect, handshake (-r: resumed), one get, close. idle: connections that do nothing. Each answer is checked: operation, success, the object that was asked for, a key of
 * 32 bytes that is the same each time. What fails is an error, never an operation, and makes exit 1. Prints one JSON object. */
#include "tests/bench/bench.h"

#include "base/buf.h"
#include "kmip/codec/ttlv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define OPENING 16 /* handshakes under way at once */
#define UID 36
#define IN_MAX 8192
#define ANSWER_S 20

struct object {
    char uid[UID + 1];
    uint8_t key[8]; /* the first bytes; zeros: not seen yet */
};

enum op { OP_CREATE, OP_GET, OP_LOCATE };
struct conn {
    int fd;
    SSL *ssl;
    SSL_SESSION *session;
    bool up, busy;
    enum op op;
    size_t object; /* which it is about */
    uint64_t sent;
    uint8_t in[IN_MAX];
    size_t n;
};

static struct {
    uint16_t port;
    const char *ca, *cert, *key, *op, *file;
    unsigned connections, objects;
    int version, pid;
    bool resume;
    double seconds, warm;
} options = {.op = "get", .connections = 1, .objects = 1, .seconds = 2, .warm = 0.3};

static struct conn *conns;
static struct object *objects;
static size_t made, given, to_make; /* objects that are there, are asked for, are wanted */
static SSL_CTX *tls;
static int set;
static struct klm_pool *pool;
static struct klm_buf out;
static struct bench_hist hist;
static uint64_t answered, errors, in_flight, seed = 0x9e3779b97f4a7c15u, names, run_id;
static unsigned opening, up;
static bool counting, filling, over;

static void error(const char *why)
{
    if (errors++ < 5) {
        fprintf(stderr, "kmipload: %s\n", why);
    }
}

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static bool handshakes(void)
{
    return options.op[0] == 'h';
}

/* ---- Requests */

static void put_attribute(struct kmip_node *to, const char *name, enum kmip_type type,
                          int64_t number)
{
    struct kmip_node *attr = kmip_structure(pool, to, KMIP_TAG_Attribute);

    kmip_put_bytes(pool, attr, KMIP_TAG_AttributeName, KMIP_TEXT, klm_slice_str(name));
    kmip_put_number(pool, attr, KMIP_TAG_AttributeValue, type, number);
}

static void put_name(struct kmip_node *to, const char *name)
{
    struct kmip_node *attr = kmip_structure(pool, to, KMIP_TAG_Attribute), *value;

    kmip_put_bytes(pool, attr, KMIP_TAG_AttributeName, KMIP_TEXT, klm_slice_str("Name"));
    value = kmip_structure(pool, attr, KMIP_TAG_AttributeValue);
    kmip_put_bytes(pool, value, KMIP_TAG_NameValue, KMIP_TEXT,
                   klm_slice_str(klm_pool_str(pool, name)));
    kmip_put_number(pool, value, KMIP_TAG_NameType, KMIP_ENUMERATION,
                    KMIP_NameType_UninterpretedTextString);
}

static void put_create(struct kmip_node *payload, const char *name)
{
    struct kmip_node *attrs;

    kmip_put_number(pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION,
                    KMIP_ObjectType_SymmetricKey);
    attrs = kmip_structure(pool, payload, KMIP_TAG_TemplateAttribute);
    put_attribute(attrs, "Cryptographic Algorithm", KMIP_ENUMERATION,
                  KMIP_CryptographicAlgorithm_AES);
    put_attribute(attrs, "Cryptographic Length", KMIP_INTEGER, 256);
    put_attribute(attrs, "Cryptographic Usage Mask", KMIP_INTEGER,
                  KMIP_CryptographicUsageMask_Encrypt | KMIP_CryptographicUsageMask_Decrypt);
    put_name(attrs, name);
}

static const char *name_of(size_t object, uint64_t run)
{
    static char name[64];

    snprintf(name, sizeof name, "bench-%llx-%zu", (unsigned long long)run, object);
    return name;
}

static void encode(const struct conn *conn)
{
    static const uint32_t operation[] = {KMIP_Operation_Create, KMIP_Operation_Get,
                                         KMIP_Operation_Locate};
    struct kmip_node *root, *header, *version, *item, *payload;

    klm_pool_clear(pool);
    klm_buf_clear(&out);
    root = kmip_root(pool, KMIP_TAG_RequestMessage);
    header = kmip_structure(pool, root, KMIP_TAG_RequestHeader);
    version = kmip_structure(pool, header, KMIP_TAG_ProtocolVersion);
    kmip_put_number(pool, version, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER, 1);
    kmip_put_number(pool, version, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER, 2);
    kmip_put_number(pool, header, KMIP_TAG_BatchCount, KMIP_INTEGER, 1);
    item = kmip_structure(pool, root, KMIP_TAG_BatchItem);
    kmip_put_number(pool, item, KMIP_TAG_Operation, KMIP_ENUMERATION, operation[conn->op]);
    payload = kmip_structure(pool, item, KMIP_TAG_RequestPayload);
    if (conn->op == OP_CREATE) {
        put_create(payload,
                   filling ? name_of(conn->object, run_id) : name_of(names++, run_id ^ 0xffffffff));
    } else if (conn->op == OP_LOCATE) {
        put_name(payload, name_of(conn->object, run_id));
    } else {
        kmip_put_bytes(pool, payload, KMIP_TAG_UniqueIdentifier, KMIP_TEXT,
                       klm_slice_str(objects[conn->object].uid));
    }
    kmip_ttlv_encode(root, KMIP_V(1, 2), &out);
    bench_need(klm_buf_rc(&out) == KLM_OK, "encoding a request");
}

static enum op next_op(void)
{
    const uint64_t dice = options.op[0] == 'm' ? draw() % 100 : 0;

    switch (options.op[0]) {
    case 'c':
        return OP_CREATE;
    case 'l':
        return OP_LOCATE;
    case 'm':
        return dice < 90 ? OP_GET : dice < 99 ? OP_LOCATE : OP_CREATE;
    default:
        return OP_GET;
    }
}

static void close_conn(struct conn *conn)
{
    if (conn->ssl) {
        if (options.resume && SSL_is_init_finished(conn->ssl)) {
            SSL_SESSION_free(conn->session);
            conn->session = SSL_get1_session(conn->ssl);
        }
        SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
        close(conn->fd);
    }
    opening -= conn->ssl && !conn->up;
    up -= conn->up;
    in_flight -= conn->busy;
    conn->ssl = NULL;
    conn->up = conn->busy = false;
    conn->n = 0;
}

/* False: the connection is lost. */
static bool ask(struct conn *conn)
{
    if (over || options.op[0] == 'i') {
        return true;
    }
    if (filling && made + in_flight >= to_make) {
        return true;
    }
    conn->op = filling ? OP_CREATE : next_op();
    conn->object = filling ? given++ : made ? draw() % made : 0;
    encode(conn);
    if (!handshakes()) {
        conn->sent = bench_now();
    }
    conn->busy = true;
    in_flight++;
    return SSL_write(conn->ssl, out.p, (int)out.n) == (int)out.n;
}

/* ---- Answers */

static const char *check_key(const struct kmip_node *payload, struct object *object)
{
    static const uint8_t zero[32];
    const struct kmip_node *key = kmip_child(
        kmip_child(kmip_child(kmip_child(payload, KMIP_TAG_SymmetricKey), KMIP_TAG_KeyBlock),
                   KMIP_TAG_KeyValue),
        KMIP_TAG_KeyMaterial);

    if (!key || key->type != KMIP_BYTES || key->bytes.n != 32 ||
        memcmp(key->bytes.p, zero, 32) == 0) {
        return "no key of 32 bytes";
    }
    if (memcmp(object->key, zero, sizeof object->key) == 0) {
        memcpy(object->key, key->bytes.p, sizeof object->key);
    }
    return memcmp(object->key, key->bytes.p, sizeof object->key) == 0 ? NULL : "another key";
}

/* What is wrong with it; NULL: nothing. */
static const char *check(struct conn *conn, struct klm_slice message)
{
    struct kmip_node *root = NULL;
    const struct kmip_node *item, *status, *uid, *payload;

    klm_pool_clear(pool);
    if (kmip_ttlv_decode(message, NULL, pool, &root) != KLM_OK) {
        return "an answer that is no message";
    }
    item = kmip_child(root, KMIP_TAG_BatchItem);
    status = kmip_child(item, KMIP_TAG_ResultStatus);
    payload = kmip_child(item, KMIP_TAG_ResponsePayload);
    uid = kmip_child(payload, KMIP_TAG_UniqueIdentifier);
    if (!status || status->number != KMIP_ResultStatus_Success) {
        return "an operation that failed";
    }
    if (!uid || uid->type != KMIP_TEXT || uid->bytes.n != UID || kmip_next(uid)) {
        return "not one identifier";
    }
    if (conn->op == OP_CREATE) {
        if (filling) {
            memcpy(objects[conn->object].uid, uid->bytes.p, UID);
            made++;
        }
        return NULL;
    }
    if (memcmp(uid->bytes.p, objects[conn->object].uid, UID) != 0) {
        return "another object";
    }
    return conn->op == OP_GET ? check_key(payload, &objects[conn->object]) : NULL;
}

static void take(struct conn *conn, size_t n, uint64_t now)
{
    const char *why = check(conn, KLM_SLICE(conn->in, n));

    conn->n = 0;
    conn->busy = false;
    in_flight--;
    if (why) {
        error(why);
    } else if (counting) {
        answered++;
        bench_hist_add(&hist, now - conn->sent);
    }
}

/* ---- Connections */

static void open_conn(struct conn *conn)
{
    conn->sent = bench_now();
    conn->fd = bench_connect(options.port);
    bench_no_block(conn->fd);
    conn->ssl = SSL_new(tls);
    bench_need(conn->ssl && SSL_set_fd(conn->ssl, conn->fd) == 1, "TLS");
    SSL_set_connect_state(conn->ssl);
    if (conn->session) {
        SSL_set_session(conn->ssl, conn->session);
    }
    conn->n = 0;
    opening++;
    bench_need(epoll_ctl(set, EPOLL_CTL_ADD, conn->fd,
                         &(struct epoll_event){.events = EPOLLIN, .data.ptr = conn}) == 0,
               "epoll");
}

/* False: it failed. */
static bool go_on_opening(struct conn *conn)
{
    int ret;

    ERR_clear_error();
    ret = SSL_do_handshake(conn->ssl);
    if (ret == 1) {
        conn->up = true;
        opening--;
        up++;
        return ask(conn);
    }
    return SSL_get_error(conn->ssl, ret) == SSL_ERROR_WANT_READ;
}

/* False: it is lost. */
static bool go_on(struct conn *conn)
{
    size_t n = 0;
    int got;

    if (!conn->up) {
        return go_on_opening(conn);
    }
    ERR_clear_error();
    got = SSL_read(conn->ssl, conn->in + conn->n, (int)(IN_MAX - conn->n));
    if (got <= 0) {
        return SSL_get_error(conn->ssl, got) == SSL_ERROR_WANT_READ;
    }
    conn->n += (size_t)got;
    if (kmip_ttlv_size(KLM_SLICE(conn->in, conn->n), NULL, &n) != KLM_OK || conn->n < n) {
        return true;
    }
    take(conn, n, bench_now());
    if (handshakes() && !filling) {
        close_conn(conn);
        if (!over) {
            open_conn(conn);
            return go_on_opening(conn);
        }
        return true;
    }
    return ask(conn);
}

static void open_some(void)
{
    static unsigned next;

    while (next < options.connections && opening < OPENING) {
        struct conn *conn = &conns[next++];

        open_conn(conn);
        if (!go_on_opening(conn)) {
            bench_die("a connection", "the handshake failed");
        }
    }
}

static void turn(int timeout)
{
    struct epoll_event events[64];
    const int n = epoll_wait(set, events, 64, timeout);

    for (int i = 0; i < n; i++) {
        struct conn *conn = events[i].data.ptr;

        if (conn->ssl && !go_on(conn)) {
            error("a connection was lost");
            close_conn(conn);
        }
    }
}

static void open_all(void)
{
    while (up < options.connections) {
        open_some();
        turn(1000);
        bench_need(errors == 0, "opening connections");
    }
}

/* ---- Objects */

static bool load_objects(void)
{
    FILE *file = options.file ? fopen(options.file, "r") : NULL;
    unsigned long long run;

    if (!file) {
        return false;
    }
    bench_need(fscanf(file, "%llx", &run) == 1, "the file of objects");
    run_id = run;
    while (made < options.objects && fscanf(file, "%36s", objects[made].uid) == 1) {
        made++;
    }
    fclose(file);
    bench_need(made == options.objects, "as many objects in the file");
    return true;
}

static void save_objects(void)
{
    FILE *file = options.file ? fopen(options.file, "w") : NULL;

    if (!file) {
        return;
    }
    fprintf(file, "%llx\n", (unsigned long long)run_id);
    for (size_t i = 0; i < made; i++) {
        fprintf(file, "%s\n", objects[i].uid);
    }
    bench_need(fclose(file) == 0, "writing the file of objects");
}

static void fill(void)
{
    objects = calloc(options.objects, sizeof *objects);
    bench_need(objects != NULL, "memory");
    if (strchr("ci", options.op[0]) || load_objects()) {
        return;
    }
    filling = true;
    to_make = options.objects;
    open_all();
    while (made < to_make && errors == 0) {
        for (unsigned i = 0; i < options.connections && made + in_flight < to_make; i++) {
            if (conns[i].up && !conns[i].busy) {
                bench_need(ask(&conns[i]), "making objects");
            }
        }
        turn(1000);
    }
    bench_need(made == to_make, "making objects");
    filling = false;
    save_objects();
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

static void until(uint64_t end, bool more)
{
    while (bench_now() < end && (more || in_flight > 0)) {
        turn(10);
    }
}

static void run(struct reading *begin, struct reading *end)
{
    open_all();
    for (unsigned i = 0; i < options.connections; i++) {
        if (!conns[i].busy && !ask(&conns[i])) {
            error("a request cannot be sent");
        }
    }
    until(bench_now() + (uint64_t)(options.warm * 1e9), true);
    *begin = read_counters();
    counting = true;
    until(begin->now + (uint64_t)(options.seconds * 1e9), true);
    counting = false;
    *end = read_counters();
    over = true;
    until(bench_now() + ANSWER_S * 1000000000u, false);
    if (in_flight > 0) {
        error("no answer in time");
    }
}

static void print(const struct reading *begin, const struct reading *end)
{
    double took = (double)(end->now - begin->now) / 1e9, ops = answered ? (double)answered : 1;
    double self = (double)(end->self - begin->self), server = (double)(end->server - begin->server);
    double machine = (double)(end->machine - begin->machine);

    printf("{\"bench\":\"kmip\",\"op\":\"%s\",\"connections\":%u,\"objects\":%zu,\"ops\":%llu,"
           "\"ops_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"errors\":%llu,"
           "\"client_us_per_op\":%.1f,\"server_us_per_op\":%.1f,\"other_cpu\":%.2f}\n",
           options.op, options.connections, made, (unsigned long long)answered,
           (double)answered / took, bench_hist_us(&hist, 0.5), bench_hist_us(&hist, 0.99),
           (double)hist.max / 1000, (unsigned long long)errors, self / ops / 1000,
           server / ops / 1000, (machine - self - server) / 1e9 / took);
}

static void usage(void)
{
    bench_die("usage", "kmipload -p PORT -A CA -E CERT -K KEY [-c CONNECTIONS] [-o "
                       "get|locate|mixed|create|handshake|idle] [-n OBJECTS] [-f FILE] [-T 12|13] "
                       "[-r] [-d SECONDS] [-w SECONDS] [-i PID]");
}

static void number_option(int c, const char *text)
{
    switch (c) {
    case 'p':
        options.port = (uint16_t)bench_number(text, 1, 65535);
        break;
    case 'c':
        options.connections = (unsigned)bench_number(text, 1, CONNECTIONS_MAX);
        break;
    case 'n':
        options.objects = (unsigned)bench_number(text, 1, 10000000);
        break;
    case 'T':
        options.version = (int)bench_number(text, 12, 13);
        break;
    case 'd':
        options.seconds = bench_number(text, 0.1, 600);
        break;
    case 'w':
        options.warm = bench_number(text, 0, 60);
        break;
    case 'i':
        options.pid = (int)bench_number(text, 1, 4194304);
        break;
    default:
        usage();
    }
}

static void arguments(int argc, char **argv)
{
    static const char *const ops[] = {"get", "locate", "mixed", "create", "handshake", "idle"};
    bool known = false;
    int c;

    while ((c = getopt(argc, argv, "p:A:E:K:c:o:n:f:T:rd:w:i:")) != -1) {
        options.ca = c == 'A' ? optarg : options.ca;
        options.cert = c == 'E' ? optarg : options.cert;
        options.key = c == 'K' ? optarg : options.key;
        options.op = c == 'o' ? optarg : options.op;
        options.file = c == 'f' ? optarg : options.file;
        options.resume = options.resume || c == 'r';
        if (!strchr("AEKofr", c)) {
            number_option(c, optarg);
        }
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        known = known || strcmp(options.op, ops[i]) == 0;
    }
    if (argc != optind || !options.port || !options.ca || !options.cert || !options.key || !known) {
        usage();
    }
}

static void set_up(void)
{
    const int version = options.version == 12   ? TLS1_2_VERSION
                        : options.version == 13 ? TLS1_3_VERSION
                                                : 0;

    tls = SSL_CTX_new(TLS_client_method());
    set = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(options.connections, sizeof *conns);
    bench_need(tls && set >= 0 && conns &&
                   SSL_CTX_load_verify_locations(tls, options.ca, NULL) == 1 &&
                   SSL_CTX_use_certificate_chain_file(tls, options.cert) == 1 &&
                   SSL_CTX_use_PrivateKey_file(tls, options.key, SSL_FILETYPE_PEM) == 1 &&
                   klm_pool_new(1 << 20, &pool) == KLM_OK,
               "certificate, key, authority or memory");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(tls, version ? version : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(tls, version);
    SSL_CTX_set_read_ahead(tls, 1);
    klm_buf_init(&out, 65536);
    run_id = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
}

int main(int argc, char **argv)
{
    struct reading begin, end;

    arguments(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN); /* who closes is met by the write that fails */
    set_up();
    fill();
    run(&begin, &end);
    print(&begin, &end);
    return errors > 0 || (answered == 0 && options.op[0] != 'i');
}
