/* A real server for tests: a folder with a configuration, a sealed master key, a Berkeley DB store, a ring with an
 * authority, a server certificate and key labels; drives with certificates; the journal read back. */
#ifndef TESTS_KEYMGR_HELP_H
#define TESTS_KEYMGR_HELP_H

#include "test.h"

#include "base/file.h"
#include "base/secret.h"
#include "keymgr/km.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define OWNER "TAPEKMS"
#define RING "KeyStore4758"
#define CA_LABEL "MyLocalCA"
#define SERIAL "000007888422"
#define WWN "500507630240FBCC"

struct house {
    char dir[300], config[340], journal[340], table[340], files[340];
    struct km_server *server;
};

static const struct km_actor admin = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_SECADMIN, .name = "ADMIN", .address = "console"};
static UNUSED const struct km_actor oper = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_OPERATOR, .name = "OPER", .address = "console"};
static UNUSED const struct km_actor nobody = {
    .kind = KM_ACTOR_OPERATOR, .roles = 0, .name = "NOBODY", .address = "console"};

/* ---- What is said, caught so that tests can look at it. Any thread. */
static struct {
    pthread_mutex_t lock;
    char text[65536];
    size_t n;
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static UNUSED void hear(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity;
    pthread_mutex_lock(&said.lock);
    if (said.n + strlen(line) + 2 < sizeof said.text) {
        said.n += (size_t)snprintf(said.text + said.n, sizeof said.text - said.n, "%s\n", line);
    }
    pthread_mutex_unlock(&said.lock);
}

static UNUSED void listen_now(void)
{
    pthread_mutex_lock(&said.lock);
    said.n = 0;
    said.text[0] = '\0';
    pthread_mutex_unlock(&said.lock);
    klm_say_to(hear, NULL);
}

static UNUSED size_t times_said(const char *what)
{
    size_t n = 0;

    pthread_mutex_lock(&said.lock);
    for (const char *p = said.text; (p = strstr(p, what)); p += strlen(what)) {
        n++;
    }
    pthread_mutex_unlock(&said.lock);
    return n;
}

/* WAIT_FOR (below) waits for something that another thread does, for at most so many seconds, longer where programs run slowly. */
static UNUSED double slowness(void)
{
    const char *slow = getenv("KLM_TEST_SLOW");

    return slow && atof(slow) > 1 ? atof(slow) : 1;
}

static UNUSED void nap_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L},
              NULL);
}

/* Half a minute at least: what comes ends the wait, and a machine may be busy with something else. */
#define WAIT_FOR(condition, seconds)                                                               \
    for (uint64_t wait_end_ = klm_clock_mono_ms() +                                                \
                              (uint64_t)(((seconds) < 30 ? 30 : (seconds)) * 1000 * slowness());   \
         !(condition) && klm_clock_mono_ms() < wait_end_; nap_ms(10))

/* ---- Folders and configuration */
static UNUSED void write_file(const char *path, const char *text)
{
    REQUIRE_OK(klm_file_replace(path, klm_slice_str(text), 0600, NULL));
}

/* A file's text, in one of four buffers; "" when there is none. */
static UNUSED const char *text_of(const char *path)
{
    static char text[4][1 << 17];
    static unsigned turn;
    char *out = text[turn = (turn + 1) % 4];
    struct klm_buf buf;

    klm_buf_init(&buf, sizeof text[0] - 1);
    if (klm_file_read(path, sizeof text[0] - 1, &buf, NULL) != KLM_OK) {
        klm_buf_clear(&buf);
    }
    if (buf.n > 0) {
        memcpy(out, buf.p, buf.n);
    }
    out[buf.n] = '\0';
    klm_buf_done(&buf);
    return out;
}

/* Properties that every test's server has; later lines of the same name count. */
static UNUSED void write_config(const struct house *house, const char *more)
{
    struct klm_buf text;
    const char *d = house->dir;

    klm_buf_init(&text, 65536);
    klm_buf_printf(&text,
                   "# a comment that stays\n"
                   "config.keystore.file=safkeyring\\://" OWNER "/" RING "\n"
                   "TransportListener.ssl.keystore.name=safkeyring\\://" OWNER "/" RING "\n"
                   "TransportListener.ssl.truststore.name=safkeyring\\://" OWNER "/" RING "\n"
                   "TransportListener.ssl.protocols=TLSv1.3\n"
                   "TransportListener.ssl.clientauthentication=2\n"
                   "TransportListener.ssl.port=1443\nTransportListener.tcp.port=3801\n"
                   "config.drivetable.file.url=FILE\\:%s/filedrive.table\n"
                   "config.store.directory=%s/store\n"
                   "Audit.handler.file.directory=%s/audit\n"
                   "Audit.handler.file.name=isklm_audit.log\n"
                   "Audit.handler.file.size=10000\n"
                   "Audit.event.types=all\nAudit.event.outcome=success,failure\n"
                   "Audit.metadata.file.name=%s/SKLMData.xml\n"
                   "Audit.metadata.file.cachecount=100\n"
                   "drive.acceptUnknownDrives=false\n"
                   "console.files.directory=%s/files\n"
                   "server.id=TEST\nserver.threads.workers=2\nstore.cache.megabytes=8\n"
                   "%s",
                   d, d, d, d, d, more);
    REQUIRE_OK(klm_buf_rc(&text));
    REQUIRE_OK(klm_file_replace(house->config, klm_buf_as_slice(&text), 0600, NULL));
    klm_buf_done(&text);
}

static UNUSED void make_house(struct house *house, const char *name, const char *more)
{
    struct kr_master *master = NULL;
    char path[400];

    *house = (struct house){0};
    snprintf(house->dir, sizeof house->dir, "%s", test_path(name));
    snprintf(house->config, sizeof house->config, "%s/config", house->dir);
    snprintf(house->journal, sizeof house->journal, "%s/audit/journal", house->dir);
    snprintf(house->table, sizeof house->table, "%s/filedrive.table", house->dir);
    snprintf(house->files, sizeof house->files, "%s/files", house->dir);
    REQUIRE_OK(klm_folder_make(house->files, 0700, NULL));
    snprintf(path, sizeof path, "%s/masterkey", house->dir);
    REQUIRE_OK(klm_folder_make(path, 0700, NULL));
    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed", house->dir);
    REQUIRE_OK(kr_master_generate(&master));
    REQUIRE_OK(kr_master_save(master, path, NULL));
    REQUIRE_OK(kr_master_confirm_escrow(path, NULL));
    kr_master_free(&master);
    write_config(house, more);
}

static UNUSED void open_house(struct house *house, bool offline)
{
    const struct km_options options = {.config_path = house->config, .offline = offline};
    struct klm_diag diag = {0};
    klm_rc rc = km_open(&options, &diag, &house->server);

    if (rc != KLM_OK) {
        fprintf(stderr, "# %s\n", diag.text);
    }
    REQUIRE_OK(rc);
}

static UNUSED void close_house(struct house *house)
{
    km_close(&house->server);
}

/* ---- Calls */
static UNUSED struct km_call *new_call(const struct house *house, enum km_verb_id verb,
                                       const struct km_actor *actor)
{
    struct km_call *call = NULL;

    REQUIRE_OK(km_call_new(house->server, verb, actor, &call));
    return call;
}

/* A call with parameters as "name", "value", ..., NULL; carried out, the caller frees it. */
static UNUSED struct km_call *run_call(const struct house *house, enum km_verb_id verb,
                                       const struct km_actor *actor, ...)
{
    struct km_call *call = new_call(house, verb, actor);
    struct klm_diag diag = {0};
    va_list ap;

    va_start(ap, actor);
    for (const char *name; (name = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);

        if (km_call_set(call, name, value, &diag) != KLM_OK) {
            fprintf(stderr, "# %s\n", diag.text);
            REQUIRE(false);
        }
    }
    va_end(ap);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* The same, checked for outcome and message, and freed. */
static UNUSED void expect(struct km_call *call, klm_rc rc, enum klm_msg_id msg, const char *file,
                          int line)
{
    test_rc(call->rc, rc, km_verb(call->id)->name, file, line, false);
    test_str(klm_msg(call->diag.msg)->id, klm_msg(msg)->id, call->diag.text, file, line);
    km_call_free(&call);
}
#define DO(house, verb, actor, ...)                                                                \
    expect(run_call((house), (verb), (actor), __VA_ARGS__, NULL), KLM_OK, KLM_MSG_NONE, __FILE__,  \
           __LINE__)
#define REFUSED(rc, msg, house, verb, actor, ...)                                                  \
    expect(run_call((house), (verb), (actor), __VA_ARGS__, NULL), (rc), (msg), __FILE__, __LINE__)

/* A cell of a listing; "" when it is not there. */
static UNUSED const char *cell(const struct km_call *call, size_t row, const char *column)
{
    for (size_t c = 0; row < call->rows.n && c < call->rows.columns; c++) {
        if (strcmp(call->rows.column[c], column) == 0) {
            return call->rows.row[row][c];
        }
    }
    return "";
}

/* ---- Certificates */
static UNUSED void gencert(const struct house *house, const char *owner, const char *label,
                           const char *role, const char *type, const char *size, const char *signer)
{
    struct km_call *call = new_call(house, KM_CERT_GENERATE, &admin);
    char subject[128];

    snprintf(subject, sizeof subject, "CN=%s,O=MyCo", label);
    REQUIRE_OK(km_call_set(call, "owner", owner, NULL));
    REQUIRE_OK(km_call_set(call, "label", label, NULL));
    REQUIRE_OK(km_call_set(call, "subject", subject, NULL));
    REQUIRE_OK(km_call_set(call, "role", role, NULL));
    REQUIRE_OK(km_call_set(call, "type", type, NULL));
    REQUIRE_OK(km_call_set(call, "size", size, NULL));
    if (signer) {
        REQUIRE_OK(km_call_set(call, "sign_owner", "CERTAUTH", NULL));
        REQUIRE_OK(km_call_set(call, "sign_label", signer, NULL));
    }
    if (km_run_wait(call) != KLM_OK) {
        fprintf(stderr, "# %s\n", call->diag.text);
    }
    REQUIRE_OK(call->rc);
    km_call_free(&call);
}

static UNUSED void connect_cert(const struct house *house, const char *owner, const char *label)
{
    DO(house, KM_RING_CONNECT, &admin, "owner", OWNER, "ring", RING, "cert_owner", owner, "label",
       label);
}

/* An authority, a server certificate, and EC labels L1 and L2, connected to the ring. EC, since tests make many. */
static UNUSED void furnish(const struct house *house)
{
    DO(house, KM_RING_ADD, &admin, "owner", OWNER, "ring", RING);
    gencert(house, "CERTAUTH", CA_LABEL, "CA", "NISTECC", "256", NULL);
    gencert(house, OWNER, "Server", "SERVER", "NISTECC", "256", CA_LABEL);
    gencert(house, OWNER, "L1", "LABEL", "NISTECC", "256", CA_LABEL);
    gencert(house, OWNER, "L2", "LABEL", "NISTECC", "384", CA_LABEL);
    connect_cert(house, "CERTAUTH", CA_LABEL);
    connect_cert(house, OWNER, "Server");
    connect_cert(house, OWNER, "L1");
    connect_cert(house, OWNER, "L2");
}

/* A change made beside the verbs. The writer has one of its own in a quiet moment, and there is one at a time. */
static UNUSED struct st_change *change_begin(const struct house *house)
{
    struct st_change *change = NULL;
    klm_rc rc = KLM_E_BUSY;

    WAIT_FOR((rc = st_change_open(km_store(house->server), &change)) != KLM_E_BUSY, 10)
    {
    }
    REQUIRE_OK(rc);
    return change;
}

static klm_rc count_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(size_t *)arg;
    return KLM_OK;
}

/* The number of the last change, once the writer makes none by itself any more: a moment after others it removes rows of the outbox and
 * makes indexes, and a slow machine may not be further by then than the lines behind. */
static UNUSED uint64_t quiet_number(const struct house *house)
{
    uint64_t number = 0;

    for (uint32_t naps = 0, same = 0; same < 50 && test_nap(&naps);) {
        struct st_view *view = NULL;
        size_t rows = 0;

        REQUIRE_OK(st_view_open(km_store(house->server), &view));
        REQUIRE_OK(st_scan(view, ST_OUTBOX, &(struct st_range){0}, count_row, &rows));
        st_view_close(&view);
        same = rows == 0 && st_number(km_store(house->server)) == number ? same + 1 : 0;
        number = st_number(km_store(house->server));
    }
    return number;
}

/* A house that serves, with the folder called name. */
static UNUSED void start_house(struct house *house, const char *name, const char *more)
{
    make_house(house, name, more);
    open_house(house, true);
    furnish(house);
    close_house(house);
    open_house(house, false);
}

/* ---- Drives */
struct drive {
    char serial[13], wwn[17];
    EVP_PKEY *key;
    uint8_t der[4096];
    size_t n;
    char fingerprint[65];
};

static UNUSED void put_extension(STACK_OF(X509_EXTENSION) * list, const char *name,
                                 const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    ext = X509V3_EXT_nconf(NULL, &ctx, name, value);
    REQUIRE(ext != NULL);
    sk_X509_EXTENSION_push(list, ext);
}

/* What a drive sends to be certified, as DER. */
static UNUSED size_t drive_request(const struct drive *drive, uint8_t *out, size_t cap)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    char wwn[64];
    uint8_t *p = out;
    int n;

    X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_UTF8, (const uint8_t *)drive->serial,
                               -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"drive", -1, -1, 0);
    X509_REQ_set_subject_name(req, name);
    snprintf(wwn, sizeof wwn, "ASN1:UTF8String:%s", drive->wwn);
    put_extension(exts, "extendedKeyUsage", "clientAuth," KR_OID_DRIVE_ROLE);
    put_extension(exts, KR_OID_DRIVE_WWN, wwn);
    X509_REQ_add_extensions(req, exts);
    X509_REQ_set_pubkey(req, drive->key);
    REQUIRE(X509_REQ_sign(req, drive->key, EVP_sha256()) > 0);
    n = i2d_X509_REQ(req, NULL);
    REQUIRE(n > 0 && (size_t)n <= cap);
    i2d_X509_REQ(req, &p);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_NAME_free(name);
    X509_REQ_free(req);
    return (size_t)n;
}

static UNUSED void fingerprint_of(const uint8_t *der, size_t n, char out[65])
{
    uint8_t digest[32];

    REQUIRE(EVP_Digest(der, n, digest, NULL, EVP_sha256(), NULL) == 1);
    klm_hex(digest, sizeof digest, out);
}

/* A drive whose certificate the named authority signed; certificates are kept under a label of their own each. */
static UNUSED void make_drive(const struct house *house, struct drive *drive, const char *serial,
                              const char *wwn, const char *signer)
{
    static unsigned turn;
    struct km_call *call = new_call(house, KM_CERT_GENERATE, &admin);
    struct km_cert_req *req = call->req;
    uint8_t request[4096];
    char label[32];

    *drive = (struct drive){.key = EVP_EC_gen("P-256")};
    snprintf(drive->serial, sizeof drive->serial, "%s", serial);
    snprintf(drive->wwn, sizeof drive->wwn, "%s", wwn);
    snprintf(label, sizeof label, "DRIVE %u", ++turn);
    req->bytes = KLM_SLICE(request, drive_request(drive, request, sizeof request));
    req->owner = OWNER;
    req->label = label;
    req->role = "DRIVE";
    req->sign_owner = "CERTAUTH";
    req->sign_label = signer;
    if (km_run_wait(call) != KLM_OK) {
        fprintf(stderr, "# %s\n", call->diag.text);
    }
    REQUIRE_OK(call->rc);
    REQUIRE(call->bytes.n <= sizeof drive->der);
    memcpy(drive->der, call->bytes.p, call->bytes.n);
    drive->n = call->bytes.n;
    fingerprint_of(drive->der, drive->n, drive->fingerprint);
    km_call_free(&call);
}

static UNUSED void drive_done(struct drive *drive)
{
    EVP_PKEY_free(drive->key);
    drive->key = NULL;
}

static UNUSED struct km_actor drive_actor(const struct drive *drive, unsigned roles)
{
    return (struct km_actor){.kind = KM_ACTOR_DRIVE,
                             .roles = roles,
                             .name = drive->serial,
                             .address = "192.0.2.7:40022"};
}

/* The drive says who it is, its certificate having come in TLS. */
static UNUSED struct km_call *contact(const struct house *house, const struct drive *drive)
{
    const struct km_actor actor = drive_actor(drive, 0);
    struct km_call *call = new_call(house, KM_DRIVE_CONTACT, &actor);
    struct km_contact *req = call->req;

    req->serial = drive->serial;
    req->wwn = drive->wwn;
    req->cert = KLM_SLICE(drive->der, drive->n);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static UNUSED void check_contact(struct km_call *call, klm_rc rc, uint16_t code,
                                 enum klm_msg_id msg, const char *file, int line)
{
    test_int(call->device_code, code, "device code", file, line);
    expect(call, rc, msg, file, line);
}
#define CONTACT(house, drive, rc, code, msg)                                                       \
    check_contact(contact((house), (drive)), (rc), (code), (msg), __FILE__, __LINE__)

static const uint8_t session_key[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                        12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                        23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

/* A write of a volume under labels (NULL: none given). */
static UNUSED struct km_call *create_key(const struct house *house, const char *serial,
                                         const char *volser, const char *label1, const char *label2,
                                         uint8_t encoding)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE,
                                   .roles = KM_ROLE_DRIVE,
                                   .name = serial,
                                   .address = "192.0.2.7:40022"};
    struct km_call *call = new_call(house, KM_KEY_CREATE, &actor);
    struct km_key_create *req = call->req;
    const char *label[] = {label1, label2};

    req->serial = serial;
    req->volser = volser;
    req->session_key = session_key;
    for (size_t i = 0; i < 2 && label[i]; i++) {
        req->labels[i].encoding = encoding;
        snprintf(req->labels[i].label, sizeof req->labels[i].label, "%s", label[i]);
        req->labels_n++;
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static UNUSED struct km_call *get_key(const struct house *house, const char *serial,
                                      const char *volser, const struct klm_slice *eedk, size_t n)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE,
                                   .roles = KM_ROLE_DRIVE,
                                   .name = serial,
                                   .address = "192.0.2.7:40022"};
    struct km_call *call = new_call(house, KM_KEY_GET, &actor);
    struct km_key_get *req = call->req;

    req->serial = serial;
    req->volser = volser;
    req->session_key = session_key;
    req->eedk_n = (int64_t)n;
    for (size_t i = 0; i < n && i < KX_EEDKS; i++) {
        req->eedk[i] = eedk[i];
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* ---- The journal */
struct counted {
    const char *verb, *message_id, *needle;
    int outcome; /* -1: any */
    size_t n;
};

static UNUSED bool field_is(const struct smf_event *event, enum smf_field field, const char *value)
{
    return !value || (event->field[field] && strcmp(event->field[field], value) == 0);
}

static UNUSED klm_rc count_record(void *arg, const struct smf_record *record)
{
    struct counted *counted = arg;
    const struct smf_event *event = &record->event;
    bool found = !counted->needle;

    for (size_t i = 0; i < SMF_FIELDS && !found; i++) {
        found = event->field[i] && strstr(event->field[i], counted->needle);
    }
    counted->n += found && field_is(event, SMF_F_VERB, counted->verb) &&
                  field_is(event, SMF_F_MESSAGE_ID, counted->message_id) &&
                  (counted->outcome < 0 || (int)event->outcome == counted->outcome);
    return KLM_OK;
}

/* Events of a verb with an outcome, a message and a text in any field (NULL: any). */
static UNUSED size_t events(const struct house *house, const char *verb, int outcome,
                            const char *message_id, const char *needle)
{
    struct counted counted = {verb, message_id, needle, outcome, 0};

    REQUIRE_OK(smf_journal_read(house->journal, 0, count_record, &counted, NULL));
    return counted.n;
}

/* Key usage events in the store. */
static UNUSED klm_rc count_usage(void *arg, const struct md_usage *usage)
{
    (void)usage;
    ++*(size_t *)arg;
    return KLM_OK;
}

static UNUSED size_t usage_events(const struct house *house, const char *volser)
{
    struct st_view *view = NULL;
    size_t n = 0;

    REQUIRE_OK(st_view_open(km_store(house->server), &view));
    REQUIRE_OK(md_query(view, MD_BY_VOLSER, volser, 1000, count_usage, &n));
    st_view_close(&view);
    return n;
}

#endif
