/* Sessions of a drive that expects its server to be killed. */
#include "tests/kill/session.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATH_LEN 4096
#define PATIENCE_SECONDS 60 /* a server that does not answer for so long counts as lost */

static const char *path_of(char out[PATH_LEN], const char *folder, const char *name)
{
    snprintf(out, PATH_LEN, "%s/%s", folder, name);
    return out;
}

bool kill_drive_load(const char *folder, struct kill_drive *out)
{
    char path[PATH_LEN];
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (!tls || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(tls, path_of(path, folder, "drive.crt")) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, path_of(path, folder, "drive.key"), SSL_FILETYPE_PEM) !=
            1 ||
        SSL_CTX_load_verify_file(tls, path_of(path, folder, "ca.crt")) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(tls);
        return false;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    out->tls = tls;
    return true;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool kill_session_send(struct kill_session *session, const struct klm_buf *message)
{
    if (klm_buf_rc(message) != KLM_OK) {
        return false;
    }
    if (!session->ssl) {
        return send(session->fd, message->p, message->n, MSG_NOSIGNAL) == (ssize_t)message->n;
    }
    ERR_clear_error();
    return SSL_write(session->ssl, message->p, (int)message->n) == (int)message->n;
}

static bool read_more(struct kill_session *session)
{
    void *to = session->in + session->in_n;
    size_t room = sizeof session->in - session->in_n;
    int got;

    if (!session->ssl) {
        got = (int)recv(session->fd, to, KX_HELLO_SIZE - session->in_n,
                        0); /* not a byte of TLS behind the hello */
    } else {
        ERR_clear_error();
        got = SSL_read(session->ssl, to, (int)room);
    }
    session->in_n += got > 0 ? (size_t)got : 0;
    return got > 0;
}

bool kill_session_receive(struct kill_session *session, struct kx_message *out, size_t *used)
{
    size_t need;
    klm_rc rc;

    while ((rc = kx_decode(KLM_SLICE(session->in, session->in_n), out, used, &need)) ==
           KLM_E_AGAIN) {
        if (!read_more(session)) {
            return false;
        }
    }
    return rc == KLM_OK;
}

void kill_session_forget(struct kill_session *session, size_t used)
{
    memmove(session->in, session->in + used, session->in_n - used);
    session->in_n -= used;
}

/* ---- Opening */

static struct kx_hello hello_of(const struct kill_drive *drive)
{
    struct kx_hello hello = {.version_min = KX_VERSION, .version_max = KX_VERSION};

    snprintf(hello.serial, sizeof hello.serial, "%s", drive->serial);
    snprintf(hello.wwn, sizeof hello.wwn, "%s", drive->wwn);
    return hello;
}

static bool clear_hellos(const struct kill_drive *drive, struct kill_session *session,
                         uint8_t hash[32])
{
    const struct kx_hello hello = hello_of(drive);
    uint8_t both[2 * KX_HELLO_SIZE];
    struct kx_message answer;
    struct klm_buf buf;
    size_t used;
    bool ok;

    klm_buf_init(&buf, KX_MESSAGE_MAX);
    ok = kx_encode_hello(KX_HELLO, &hello, &buf) == KLM_OK && kill_session_send(session, &buf) &&
         kill_session_receive(session, &answer, &used) && answer.type == KX_HELLO_SERVER &&
         used == KX_HELLO_SIZE;
    if (ok) {
        memcpy(both, buf.p, KX_HELLO_SIZE);
        memcpy(both + KX_HELLO_SIZE, session->in, KX_HELLO_SIZE);
        SHA256(both, sizeof both, hash);
        kill_session_forget(session, used);
    }
    klm_buf_done(&buf);
    return ok;
}

static bool secure(const struct kill_drive *drive, struct kill_session *session)
{
    session->ssl = SSL_new(drive->tls);
    return session->ssl && SSL_set_fd(session->ssl, session->fd) == 1 &&
           SSL_connect(session->ssl) == 1 &&
           SSL_export_keying_material(session->ssl, session->key, sizeof session->key,
                                      KX_EXPORTER_LABEL, strlen(KX_EXPORTER_LABEL), NULL, 0,
                                      1) == 1;
}

static bool confirm(const struct kill_drive *drive, struct kill_session *session,
                    const uint8_t hellos[32])
{
    struct kx_confirm confirm = {.hello = hello_of(drive)};
    struct kx_message answer;
    struct klm_buf buf;
    size_t used = 0;
    bool ok;

    memcpy(confirm.hellos, hellos, sizeof confirm.hellos);
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    ok = kx_encode_confirm(&confirm, &buf) == KLM_OK && kill_session_send(session, &buf) &&
         kill_session_receive(session, &answer, &used) && answer.type == KX_CONFIRMED;
    kill_session_forget(session, ok ? used : 0);
    klm_buf_done(&buf);
    return ok;
}

bool kill_session_open(const struct kill_drive *drive, uint16_t port, bool tcp,
                       struct kill_session *out)
{
    uint8_t hellos[32] = {0};

    memset(out, 0, sizeof *out);
    out->fd = connect_to(port);
    return out->fd >= 0 && (!tcp || clear_hellos(drive, out, hellos)) && secure(drive, out) &&
           confirm(drive, out, hellos);
}

void kill_session_close(struct kill_session *session)
{
    SSL_free(session->ssl);
    if (session->fd >= 0) {
        close(session->fd);
    }
    session->ssl = NULL;
    session->fd = -1;
}

bool kill_session_key_hash(const struct kill_session *session, const uint8_t wrapped[40],
                           char out[65])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[48], hash[32];
    int n = 0, last = 0;
    bool ok = false;

    if (ctx) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        ok = EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, session->key, NULL) == 1 &&
             EVP_DecryptUpdate(ctx, key, &n, wrapped, 40) == 1 && n == 32 &&
             EVP_DecryptFinal_ex(ctx, key + n, &last) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    if (ok) {
        SHA256(key, 32, hash);
        klm_hex(hash, sizeof hash, out);
    }
    return ok;
}
