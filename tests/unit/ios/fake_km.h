/* A key manager of the tests: it speaks the exchange as PROTOCOL.md has it, and goes wrong in the one way it is told to. And a drive
 * whose certificate its authority signed. */
#ifndef TESTS_UNIT_IOS_FAKE_KM_H
#define TESTS_UNIT_IOS_FAKE_KM_H

#include "base/certs.h"
#include "test.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "exchange/kx.h"
#include "ios/drive.h"
#include "ios/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAKE_SERIAL "000007888422"
#define FAKE_WWN "500507630240FBCC"

enum fake_mode {
    FAKE_GOOD,
    FAKE_REFUSE,        /* EE31 to every request */
    FAKE_REFUSE_DRIVE,  /* EF01 to confirm */
    FAKE_SILENT,        /* takes the connection and says nothing */
    FAKE_GARBAGE,       /* answers the hello with something else */
    FAKE_CLOSE,         /* closes at once */
    FAKE_BEHIND_HELLO,  /* one byte behind its hello */
    FAKE_VERSION,       /* speaks versions 3 to 4 */
    FAKE_OTHER_HELLOS,  /* confirms other hellos */
    FAKE_NOT_CONFIRMED, /* answers confirm with verified */
    FAKE_MUTE,          /* confirms, then never answers a request */
    FAKE_OTHER_ID,      /* answers another request number */
    FAKE_OTHER_TYPE,    /* answers get with created */
    FAKE_BAD_WRAP,      /* its wrapped key does not open */
    FAKE_DROP,          /* confirms, then closes on the first request */
    FAKE_TOO_LONG,      /* answers a request with a message that is too long */
};

struct fake {
    _Atomic int mode;
    int fd, caller;
    uint16_t port;
    atomic_bool ssl_port;
    struct klm_tls_ctx *tls;
    pthread_t thread;
    atomic_uint sessions, requests, closed; /* confirmed; asked; ended */
    atomic_bool proof,
        proof_good; /* a certificate and signature came in confirm; they were right */
    /* of the session at hand */
    uint8_t hellos[32], w[32], in[KX_MESSAGE_MAX];
    size_t in_n;
};

static const uint8_t fake_data_key[32] = {9, 8, 7, 6, 5};

/* ---- Bytes */

static inline bool fake_put(struct fake *fake, SSL *ssl, const void *p, size_t n)
{
    return ssl ? SSL_write(ssl, p, (int)n) == (int)n
               : send(fake->caller, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static inline bool fake_more(struct fake *fake, SSL *ssl)
{
    size_t room = sizeof fake->in - fake->in_n;
    ssize_t n = ssl ? SSL_read(ssl, fake->in + fake->in_n, (int)room)
                    : recv(fake->caller, fake->in + fake->in_n, room, 0);

    fake->in_n += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next message; what it points at stays until fake_used. */
static inline bool fake_next(struct fake *fake, SSL *ssl, struct kx_message *msg, size_t *used)
{
    size_t need;

    while (kx_decode(KLM_SLICE(fake->in, fake->in_n), msg, used, &need) != KLM_OK) {
        if (!fake_more(fake, ssl)) {
            return false;
        }
    }
    return true;
}

static inline void fake_used(struct fake *fake, size_t used)
{
    memmove(fake->in, fake->in + used, fake->in_n - used);
    fake->in_n -= used;
}

static inline bool fake_send(struct fake *fake, SSL *ssl, struct klm_buf *buf, klm_rc rc)
{
    bool good = rc == KLM_OK && fake_put(fake, ssl, buf->p, buf->n);

    klm_buf_done(buf);
    return good;
}

/* ---- The session */

static inline bool fake_hello(struct fake *fake)
{
    struct kx_hello mine = {.version_min = 1, .version_max = 1};
    struct kx_message msg;
    struct klm_buf buf;
    size_t used;

    if (!fake_next(fake, NULL, &msg, &used) || msg.type != KX_HELLO || fake->in_n != used) {
        return false;
    }
    if (fake->mode == FAKE_GARBAGE) {
        return fake_put(fake, NULL, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) &&
               fake_more(fake, NULL);
    }
    if (fake->mode == FAKE_VERSION) {
        mine.version_min = 3;
        mine.version_max = 4;
    }
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    if (kx_encode_hello(KX_HELLO_SERVER, &mine, &buf) != KLM_OK) {
        return false;
    }
    if (klm_sha256((struct klm_slice[]){{fake->in, used}, {buf.p, buf.n}}, 2, fake->hellos)) {
        return false;
    }
    if (fake->mode == FAKE_BEHIND_HELLO) {
        klm_buf_u8(&buf, 0);
    }
    fake_used(fake, used);
    return fake_send(fake, NULL, &buf, KLM_OK);
}

/* PROTOCOL.md, 1.4, with the library's own verification. */
static inline bool fake_proof_good(SSL *ssl, const struct kx_confirm *confirm)
{
    const unsigned char *p = confirm->cert.p;
    X509 *cert = d2i_X509(NULL, &p, (long)confirm->cert.n);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
    EVP_PKEY_CTX *ctx;
    uint8_t b[32];
    bool good = key &&
                SSL_export_keying_material(ssl, b, 32, KX_BINDING_LABEL, strlen(KX_BINDING_LABEL),
                                           b, 0, 1) == 1 &&
                EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, key) == 1;

    if (good && EVP_PKEY_is_a(key, "RSA")) {
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32);
    }
    good =
        good && EVP_DigestVerify(md, confirm->signature.p, confirm->signature.n, b, sizeof b) == 1;
    EVP_MD_CTX_free(md);
    X509_free(cert);
    return good;
}

static inline bool fake_confirm(struct fake *fake, SSL *ssl)
{
    struct kx_confirm mine = {.hello = {.version_min = 1, .version_max = 1}};
    struct kx_error error = {.code = 0xEF01, .message_id = "KLM0204E", .text = "Unknown drive"};
    struct kx_message msg;
    struct klm_buf buf;
    size_t used;

    if (!fake_next(fake, ssl, &msg, &used) || msg.type != KX_CONFIRM ||
        memcmp(msg.u.confirm.hellos, fake->hellos, 32) ||
        strcmp(msg.u.confirm.hello.serial, FAKE_SERIAL)) {
        return false;
    }
    fake->proof = msg.u.confirm.cert.n > 0;
    fake->proof_good = fake->proof && fake_proof_good(ssl, &msg.u.confirm);
    fake_used(fake, used);
    memcpy(mine.hellos, fake->hellos, sizeof mine.hellos);
    mine.hellos[31] ^= fake->mode == FAKE_OTHER_HELLOS;
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    if (fake->mode == FAKE_REFUSE_DRIVE) {
        return fake_send(fake, ssl, &buf, kx_encode_error(&error, 0, &buf)) && false;
    }
    if (fake->mode == FAKE_NOT_CONFIRMED) {
        return fake_send(fake, ssl, &buf, kx_encode_plain(KX_VERIFIED, 1, &buf));
    }
    fake->sessions++;
    return fake_send(fake, ssl, &buf, kx_encode_confirm(&mine, &buf));
}

static inline void fake_wrap(struct fake *fake, uint8_t out[40])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, fake->w, NULL);
    EVP_EncryptUpdate(ctx, out, &n, fake_data_key, 32);
    EVP_CIPHER_CTX_free(ctx);
    out[39] ^= fake->mode == FAKE_BAD_WRAP;
}

static inline bool fake_keyed(struct fake *fake, SSL *ssl, const struct kx_message *msg)
{
    struct kx_keyed keyed = {.eedk = {KLM_SLICE("eedk one", 8), KLM_SLICE("eedk two", 8)},
                             .eedk_n = 2,
                             .labels = {{"LABEL1", 'L'}, {"LABEL2", 'H'}},
                             .labels_n = 2};
    enum kx_type type = msg->type == KX_CREATE ? KX_CREATED
                        : msg->type == KX_GET  ? KX_GOT
                                               : KX_TRANSLATED;
    struct klm_buf buf;

    if (type != KX_TRANSLATED) {
        fake_wrap(fake, keyed.wrapped);
    }
    if (fake->mode == FAKE_OTHER_TYPE) {
        type = type == KX_GOT ? KX_CREATED : KX_GOT;
    }
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    return fake_send(fake, ssl, &buf,
                     kx_encode_keyed(type, &keyed, msg->id + (fake->mode == FAKE_OTHER_ID), &buf));
}

static inline bool fake_answer(struct fake *fake, SSL *ssl, const struct kx_message *msg)
{
    static const uint8_t too_long[8] = {'K', 'X', 1, KX_GOT, 0, 1, 0, 0};
    struct kx_error error = {.code = 0xEE31, .message_id = "KLM0401E", .text = "No such label"};
    struct klm_buf buf;

    klm_buf_init(&buf, KX_MESSAGE_MAX);
    switch ((enum fake_mode)fake->mode) {
    case FAKE_REFUSE:
        return fake_send(fake, ssl, &buf, kx_encode_error(&error, msg->id, &buf));
    case FAKE_MUTE:
        return true;
    case FAKE_DROP:
        return false;
    case FAKE_TOO_LONG:
        return fake_put(fake, ssl, too_long, sizeof too_long);
    default:
        break;
    }
    if (msg->type == KX_VERIFY) {
        return fake_send(fake, ssl, &buf, kx_encode_plain(KX_VERIFIED, msg->id, &buf));
    }
    return fake_keyed(fake, ssl, msg);
}

static inline void fake_requests(struct fake *fake, SSL *ssl)
{
    struct kx_message msg;
    size_t used;
    bool more = SSL_export_keying_material(ssl, fake->w, 32, KX_EXPORTER_LABEL,
                                           strlen(KX_EXPORTER_LABEL), fake->w, 0, 1) == 1;

    while (more && fake_next(fake, ssl, &msg, &used) && msg.type != KX_BYE) {
        fake->requests++;
        more = fake_answer(fake, ssl, &msg);
        fake_used(fake, used);
    }
}

static inline void fake_session(struct fake *fake)
{
    SSL *ssl;

    fake->in_n = 0;
    memset(fake->hellos, 0, sizeof fake->hellos);
    if (fake->mode == FAKE_CLOSE) {
        return;
    }
    if (fake->mode == FAKE_SILENT) {
        while (fake_more(fake, NULL) && fake->in_n < sizeof fake->in) {
        }
        return;
    }
    if (!fake->ssl_port && !fake_hello(fake)) {
        return;
    }
    ssl = SSL_new(klm_tls_ctx_ssl(fake->tls));
    SSL_set_fd(ssl, fake->caller);
    if (SSL_accept(ssl) == 1 && fake_confirm(fake, ssl)) {
        fake_requests(fake, ssl);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ERR_clear_error();
}

static inline void *fake_run(void *arg)
{
    struct fake *fake = arg;

    while ((fake->caller = accept(fake->fd, NULL, NULL)) >= 0) {
        fake_session(fake);
        close(fake->caller);
        fake->closed++;
    }
    return NULL;
}

/* ---- Start and stop */

/* A port of the loopback, or that one, for a socket that may listen and need not; where none listens, callers are refused. */
static inline int fake_bind(uint16_t *port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    REQUIRE(bind(fd, (struct sockaddr *)&at, n) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static struct klm_tls_config fake_tls(void)
{
    return server_config(KLM_TLS_AUTH_REQUIRED);
}

static inline void fake_start_with(struct fake *fake, enum fake_mode mode, uint16_t port,
                                   struct klm_tls_config cfg)
{
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    *fake = (struct fake){.mode = mode, .port = port};
    fake->tls = ctx_of(cfg);
    fake->fd = fake_bind(&fake->port);
    REQUIRE(listen(fake->fd, 8) == 0);
    REQUIRE(pthread_create(&fake->thread, NULL, fake_run, fake) == 0);
}

static inline void fake_start(struct fake *fake, enum fake_mode mode)
{
    fake_start_with(fake, mode, 0, fake_tls());
}

/* All clients must be gone before, or the session at hand never ends. */
static inline void fake_stop(struct fake *fake)
{
    shutdown(fake->fd, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->fd);
    klm_tls_ctx_free(&fake->tls);
}

/* ---- The drive */

static inline void fake_pem(const char *path, X509 *cert)
{
    FILE *to = fopen(path, "w");

    REQUIRE(to && PEM_write_X509(to, cert) == 1);
    fclose(to);
}

/* The request in dir, signed by an authority, as GENCERT does: subject and extensions taken over. */
static inline X509 *fake_sign(const char *dir, const struct id *by, bool extensions)
{
    char path[4096];
    FILE *from;
    X509_REQ *req;
    X509 *cert = X509_new();
    STACK_OF(X509_EXTENSION) * exts;

    snprintf(path, sizeof path, "%s/drive.csr", dir);
    from = fopen(path, "r");
    REQUIRE(from != NULL);
    req = PEM_read_X509_REQ(from, NULL, NULL, NULL);
    fclose(from);
    REQUIRE(req && X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_subject_name(cert, X509_REQ_get_subject_name(req));
    X509_set_issuer_name(cert, X509_get_subject_name(by->cert));
    X509_set_pubkey(cert, X509_REQ_get0_pubkey(req));
    exts = X509_REQ_get_extensions(req);
    for (int i = 0; extensions && i < sk_X509_EXTENSION_num(exts); i++) {
        X509_add_ext(cert, sk_X509_EXTENSION_value(exts, i), -1);
    }
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    REQUIRE(X509_sign(cert, by->key, EVP_sha256()) > 0);
    X509_REQ_free(req);
    return cert;
}

static struct ios_drive *fake_the_drive;

__attribute__((destructor)) static void fake_end(void)
{
    ios_drive_free(&fake_the_drive);
    id_done(&ca);
    id_done(&other_ca);
    id_done(&server_id);
    id_done(&client_id);
    id_done(&stranger_id);
}

/* A drive that is ready, in a folder of the test. */
static inline void fake_drive_folder(const char *dir, const char *key_type)
{
    const struct ios_drive_spec spec = {FAKE_SERIAL, FAKE_WWN, NULL, key_type};
    struct klm_diag diag = {0};
    char cert[64], authority[64];
    X509 *signed_cert;

    ids_make();
    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    signed_cert = fake_sign(dir, &ca, true);
    snprintf(cert, sizeof cert, "%s", test_path("signed.crt"));
    snprintf(authority, sizeof authority, "%s", test_path("authority.crt"));
    fake_pem(cert, signed_cert);
    fake_pem(authority, ca.cert);
    REQUIRE_OK(ios_drive_install(dir, cert, authority, &diag));
    X509_free(signed_cert);
}

static inline struct ios_drive *fake_drive(void)
{
    struct klm_diag diag = {0};

    if (!fake_the_drive) {
        fake_drive_folder(test_path("drive"), NULL);
        REQUIRE_OK(ios_drive_load(test_path("drive"), &diag, &fake_the_drive));
    }
    return fake_the_drive;
}

#endif
