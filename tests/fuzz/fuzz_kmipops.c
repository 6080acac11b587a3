/* Conversations with the operations themselves, down to a store: some messages, each of a client of one of two device groups, of a stranger, or of nobody, in TTLV, XML or JSON. What one
 * group registered must never be in an answer to anybody else, and every answer in TTLV must be a message.
 * Input, for each message: 1 byte who (0 to 3) + 4 * encoding (0 to 2), 2 bytes length, the message. Objects stay until the server is made anew, after ROUND inputs. */
#include "keymgr/km.h"
#include "kmip/codec/ttlv.h"
#include "kmip/ops/ops.h"

#include "base/file.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUND 2000
#define MESSAGES 8
#define SECRET "the secret of one group alone"
#define PORTS "TransportListener.ssl.port=1443\nTransportListener.tcp.port=3801\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct caller {
    uint8_t der[1024];
    size_t n;
    char fingerprint[65];
};

static struct {
    char folder[256], config[300];
    struct km_server *server;
    struct kmop_config kmip;
    struct caller caller[4]; /* of group ONE, of group TWO, not registered, none */
    const struct caller *who;
    enum kmop_encoding encoding;
    bool answered;
    unsigned inputs;
} play;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* In front of the C library's: nothing here outlives the process. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- The server */

static void be_quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

static void make_certificate(struct caller *caller, int serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    uint8_t *to = caller->der, hash[32];

    must(key && cert && X509_set_version(cert, X509_VERSION_3));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600L * 24 * 365);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const uint8_t *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    must(X509_sign(cert, key, EVP_sha256()) > 0 && i2d_X509(cert, NULL) <= (int)sizeof caller->der);
    caller->n = (size_t)i2d_X509(cert, &to);
    must(EVP_Digest(caller->der, caller->n, hash, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < sizeof hash; i++) {
        snprintf(caller->fingerprint + 2 * i, 3, "%02x", hash[i]);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct km_call *new_call(enum km_verb_id verb)
{
    static const struct km_actor admin = {
        .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_SECADMIN, .name = "ADMIN"};
    struct km_call *call = NULL;

    must(km_call_new(play.server, verb, &admin, &call) == KLM_OK);
    return call;
}

static void enter(const struct caller *caller, const char *name, const char *group)
{
    struct km_call *call = new_call(KM_DEVICE_GROUP_ADD);
    struct klm_diag diag = {0};

    must(km_call_set(call, "name", group, &diag) == KLM_OK &&
         km_call_set(call, "enableKMIPDelete", "true", &diag) == KLM_OK);
    must(km_run_wait(call) == KLM_OK);
    km_call_free(&call);
    call = new_call(KM_CLIENT_ADD);
    *(struct km_client_req *)call->req = (struct km_client_req){
        .name = name, .group = group, .cert = KLM_SLICE(caller->der, caller->n)};
    must(km_run_wait(call) == KLM_OK);
    km_call_free(&call);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st, (void)kind, (void)walk;
    return remove(path);
}

static void end_server(void)
{
    km_close(&play.server);
    if (play.folder[0]) {
        (void)nftw(play.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        play.folder[0] = '\0';
    }
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    struct kr_master *master = NULL;
    char path[300], text[2000];
    int n;

    snprintf(play.folder, sizeof play.folder, "%.200s/klm-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    must(mkdtemp(play.folder) != NULL);
    snprintf(play.config, sizeof play.config, "%s/config", play.folder);
    n = snprintf(
        text, sizeof text,
        PORTS "config.keystore.file=safkeyring\\://A/B\nconfig.store.directory=%s/store\n"
              "config.drivetable.file.url=FILE\\:%s/table\nAudit.handler.file.directory=%s/audit\n"
              "Audit.handler.file.name=log\nAudit.handler.file.size=10000\nAudit.event.types=all\n"
              "Audit.event.outcome=success,failure\nAudit.metadata.file.name=%s/usage.xml\n"
              "TransportListener.ssl.keystore.name=safkeyring\\://A/B\n"
              "TransportListener.ssl.truststore.name=safkeyring\\://A/B\n"
              "drive.acceptUnknownDrives=false\nconsole.files.directory=%s\nserver.id=FUZZ\n"
              "store.cache.megabytes=8\nkmip.interop=true\n",
        play.folder, play.folder, play.folder, play.folder, play.folder);
    must(n > 0 && (size_t)n < sizeof text);
    must(klm_file_create(play.config, KLM_SLICE((const uint8_t *)text, (size_t)n), 0600, NULL) ==
         KLM_OK);
    snprintf(path, sizeof path, "%s/masterkey", play.folder);
    must(klm_folder_make(path, 0700, NULL) == KLM_OK);
    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed", play.folder);
    must(kr_master_generate(&master) == KLM_OK && kr_master_save(master, path, NULL) == KLM_OK &&
         kr_master_confirm_escrow(path, NULL) == KLM_OK);
    kr_master_free(&master);
}

static void make_server(void)
{
    struct km_options options = {.config_path = play.config, .offline = true};
    struct klm_diag diag = {0};

    end_server();
    make_folder();
    if (km_open(&options, &diag, &play.server) != KLM_OK) {
        fprintf(stderr, "%s\n", diag.text);
        abort();
    }
    play.kmip = (struct kmop_config){.server = play.server,
                                     .bytes_max = 65536,
                                     .batch_max = 20,
                                     .vendor = "klmsrv",
                                     .server_name = "FUZZ"};
    enter(&play.caller[0], "FIRST", "ONE");
    enter(&play.caller[1], "SECOND", "TWO");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    /* No klm_secret_init: a leak check does not look into that memory. */
    klm_say_to(be_quiet, NULL);
    for (int i = 0; i < 3; i++) {
        make_certificate(&play.caller[i], i + 1);
    }
    make_server();
    (void)atexit(end_server);
    return 0;
}

/* ---- Messages */

static klm_rc give_certificate(void *arg, struct klm_pool *pool, struct klm_slice *der)
{
    (void)arg;
    return play.who->n ? klm_pool_slice(pool, KLM_SLICE(play.who->der, play.who->n), der)
                       : KLM_E_NOTFOUND;
}

static void check_answer(struct klm_slice answer)
{
    struct klm_pool *pool = NULL;
    struct kmip_node *root = NULL;

    must(play.who == &play.caller[0] || !answer.n ||
         !memmem(answer.p, answer.n, SECRET, strlen(SECRET)));
    if (play.encoding != KMOP_TTLV || !answer.n) {
        return;
    }
    must(klm_pool_new_wiping(16 << 20, &pool) == KLM_OK);
    must(kmip_ttlv_decode(answer, NULL, pool, &root) == KLM_OK &&
         root->tag == KMIP_TAG_ResponseMessage);
    klm_pool_free(&pool);
}

static void on_answer(void *arg, struct klm_buf *answer, bool close)
{
    (void)arg, (void)close;
    must(!play.answered);
    play.answered = true;
    check_answer(klm_buf_as_slice(answer));
    klm_buf_done(answer);
}

static void ask(struct klm_slice message)
{
    const struct kmop_request request = {.config = &play.kmip,
                                         .encoding = play.encoding,
                                         .message = message,
                                         .fingerprint = play.who->fingerprint,
                                         .cert = give_certificate,
                                         .address = "192.0.2.7:40022",
                                         .session = "1",
                                         .done = on_answer};

    play.answered = false;
    kmop_run(&request);
    must(play.answered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_cur cur;

    if (++play.inputs % ROUND == 0) {
        make_server();
    }
    klm_cur_init(&cur, KLM_SLICE(data, size));
    for (unsigned i = 0; i < MESSAGES && klm_cur_left(&cur) > 3; i++) {
        struct klm_slice message;
        uint8_t head;

        klm_cur_u8(&cur, &head);
        klm_cur_lp16(&cur, SIZE_MAX, &message);
        if (klm_cur_rc(&cur) != KLM_OK) {
            break;
        }
        play.who = &play.caller[head % 4];
        play.encoding = (enum kmop_encoding)(head / 4 % 3);
        ask(message);
    }
    return 0;
}
