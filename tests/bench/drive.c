/* Sessions of the load generator's drive, on OpenSSL alone: nothing of the server's own stream code takes part. */
#include "tests/bench/drive.h"

#include "keyring/kr.h"
#include "tests/bench/bench.h"

#include "base/file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 65536

static void need_tls(bool ok, const char *what)
{
    if (!ok) {
        ERR_print_errors_fp(stderr);
        bench_die(what, "TLS");
    }
}

static void path_of(const char *folder, const char *name, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/%s", folder, name);

    bench_need(n > 0 && (size_t)n < cap, folder);
}

static void read_names(const char *path, struct drive_identity *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice der;
    struct klm_buf file;

    klm_buf_init(&file, FILE_MAX);
    bench_need(klm_pool_new(0, &pool) == KLM_OK &&
                   klm_file_read(path, FILE_MAX, &file, NULL) == KLM_OK &&
                   kr_cert_parse(klm_buf_as_slice(&file), pool, &der, NULL) == KLM_OK &&
                   kr_cert_drive(der, out->serial, out->wwn) == KLM_OK,
               path);
    klm_buf_done(&file);
}

/* Tape drives all count as 3592 here; a disk system must say so. */
static uint8_t read_kind(const char *folder)
{
    char path[4096];
    struct klm_buf file;
    uint8_t kind;

    path_of(folder, "drive.conf", path, sizeof path);
    klm_buf_init(&file, FILE_MAX);
    bench_need(klm_file_read(path, FILE_MAX - 1, &file, NULL) == KLM_OK, path);
    klm_buf_u8(&file, 0);
    kind = strstr((const char *)file.p, "kind=DS8000") ? 2 : 0;
    klm_buf_done(&file);
    return kind;
}

void drive_load(const char *folder, struct drive_identity *out)
{
    char key[4096], cert[4096], ca[4096];
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    path_of(folder, "drive.key", key, sizeof key);
    path_of(folder, "drive.crt", cert, sizeof cert);
    path_of(folder, "ca.crt", ca, sizeof ca);
    need_tls(tls && SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1, "context");
    need_tls(SSL_CTX_use_certificate_chain_file(tls, cert) == 1, cert);
    need_tls(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1, key);
    need_tls(SSL_CTX_load_verify_file(tls, ca) == 1, ca);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(tls, 1); /* one read a record, not two */
    read_names(cert, out);
    out->kind = read_kind(folder);
    out->tls = tls;
}

void drive_done(struct drive_identity *identity)
{
    SSL_CTX_free(identity->tls);
}

/* ---- Bytes */

bool drive_send(struct drive_session *session, struct klm_slice message)
{
    if (!session->ssl) {
        return write(session->fd, message.p, message.n) == (ssize_t)message.n;
    }
    ERR_clear_error();
    return SSL_write(session->ssl, message.p, (int)message.n) == (int)message.n;
}

/* More bytes into the input. */
static enum drive_got read_more(struct drive_session *session)
{
    void *to = session->in + session->in_n;
    int room = (int)(sizeof session->in - session->in_n), got;

    if (!session->ssl) {
        got = (int)read(session->fd, to, KX_HELLO_SIZE < room ? KX_HELLO_SIZE : (size_t)room);
    } else {
        ERR_clear_error();
        got = SSL_read(session->ssl, to, room);
        if (got <= 0 && SSL_get_error(session->ssl, got) == SSL_ERROR_WANT_READ) {
            return DRIVE_WAIT;
        }
    }
    if (got <= 0) {
        return DRIVE_LOST;
    }
    session->in_n += (size_t)got;
    return DRIVE_MESSAGE;
}

enum drive_got drive_receive(struct drive_session *session, struct kx_message *out)
{
    size_t used, need;

    for (;;) {
        klm_rc rc = kx_decode(KLM_SLICE(session->in, session->in_n), out, &used, &need);

        if (rc != KLM_E_AGAIN) {
            return rc == KLM_OK && used == session->in_n ? DRIVE_MESSAGE : DRIVE_LOST;
        }
        enum drive_got got = read_more(session);
        if (got != DRIVE_MESSAGE) {
            return got;
        }
    }
}

void drive_wait(struct drive_session *session, struct kx_message *out)
{
    bench_need(drive_receive(session, out) == DRIVE_MESSAGE, "the server's answer");
    if (out->type == KX_ERROR) {
        bench_die("the server refuses", out->u.error.text);
    }
}

void drive_forget(struct drive_session *session)
{
    session->in_n = 0;
}

bool drive_unwrap(struct drive_session *session, const uint8_t wrapped[40], uint8_t key[32])
{
    uint8_t out[48];
    int n = 0, last = 0;
    bool ok = EVP_DecryptInit_ex(session->unwrap, NULL, NULL, NULL, NULL) == 1 &&
              EVP_DecryptUpdate(session->unwrap, out, &n, wrapped, 40) == 1 && n == 32 &&
              EVP_DecryptFinal_ex(session->unwrap, out + n, &last) == 1;

    if (ok) {
        memcpy(key, out, 32);
    }
    return ok;
}

/* ---- Opening */

static struct kx_hello own_hello(const struct drive_identity *identity)
{
    struct kx_hello hello = {.version_min = KX_VERSION,
                             .version_max = identity->kind == 1 ? KX_VERSION_MAX : KX_VERSION,
                             .kind = identity->kind};

    memcpy(hello.serial, identity->serial, sizeof hello.serial);
    memcpy(hello.wwn, identity->wwn, sizeof hello.wwn);
    return hello;
}

/* Both clear hellos; out is the hash over them. */
static void clear_hellos(const struct drive_identity *identity, struct drive_session *session,
                         uint8_t out[32])
{
    const struct kx_hello hello = own_hello(identity);
    uint8_t both[2 * KX_HELLO_SIZE];
    struct kx_message answer;
    struct klm_buf buf;

    klm_buf_init(&buf, KX_MESSAGE_MAX);
    bench_need(kx_encode_hello(KX_HELLO, &hello, &buf) == KLM_OK && buf.n == KX_HELLO_SIZE &&
                   drive_send(session, klm_buf_as_slice(&buf)),
               "hello");
    drive_wait(session, &answer);
    bench_need(answer.type == KX_HELLO_SERVER && session->in_n == KX_HELLO_SIZE,
               "the server's hello");
    memcpy(both, buf.p, KX_HELLO_SIZE);
    memcpy(both + KX_HELLO_SIZE, session->in, KX_HELLO_SIZE);
    SHA256(both, sizeof both, out);
    drive_forget(session);
    klm_buf_done(&buf);
}

static void start_tls(const struct drive_identity *identity, struct drive_session *session)
{
    uint8_t key[32];

    session->ssl = SSL_new(identity->tls);
    need_tls(session->ssl && SSL_set_fd(session->ssl, session->fd) == 1 &&
                 SSL_connect(session->ssl) == 1,
             "handshake");
    need_tls(SSL_export_keying_material(session->ssl, key, sizeof key, KX_EXPORTER_LABEL,
                                        strlen(KX_EXPORTER_LABEL), NULL, 0, 1) == 1,
             "exporter");
    session->unwrap = EVP_CIPHER_CTX_new();
    need_tls(session->unwrap != NULL, "key wrap");
    EVP_CIPHER_CTX_set_flags(session->unwrap, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    need_tls(EVP_DecryptInit_ex(session->unwrap, EVP_aes_256_wrap(), NULL, key, NULL) == 1,
             "key wrap");
}

static void confirm(const struct drive_identity *identity, struct drive_session *session,
                    const uint8_t hellos[32])
{
    struct kx_confirm confirm = {.hello = own_hello(identity)};
    struct kx_message answer;
    struct klm_buf buf;

    memcpy(confirm.hellos, hellos, sizeof confirm.hellos);
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    bench_need(kx_encode_confirm(&confirm, &buf) == KLM_OK &&
                   drive_send(session, klm_buf_as_slice(&buf)),
               "confirm");
    klm_buf_done(&buf);
    drive_wait(session, &answer);
    bench_need(answer.type == KX_CONFIRMED && memcmp(answer.u.confirm.hellos, hellos, 32) == 0,
               "the server's confirmation");
    drive_forget(session);
}

void drive_open(const struct drive_identity *identity, enum drive_port kind, uint16_t port,
                struct drive_session *out)
{
    uint8_t hellos[32] = {0};

    memset(out, 0, sizeof *out);
    out->fd = bench_connect(port);
    if (kind == DRIVE_TCP) {
        clear_hellos(identity, out, hellos);
    }
    start_tls(identity, out);
    confirm(identity, out, hellos);
}

void drive_close(struct drive_session *session)
{
    SSL_free(session->ssl);
    EVP_CIPHER_CTX_free(session->unwrap);
    close(session->fd);
}
