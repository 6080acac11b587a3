/* The load generator's drives: one identity, many sessions, each opened as exchange/PROTOCOL.md says. Sessions are opened one after the
 * other on a blocking socket, which is then set not to block. */
#ifndef TESTS_BENCH_DRIVE_H
#define TESTS_BENCH_DRIVE_H

#include "exchange/kx.h"

#include <openssl/ssl.h>

struct drive_identity {
    SSL_CTX *tls;
    char serial[13], wwn[17];
    uint8_t kind; /* as drive.conf says: 2 a disk system, else 0; 1, LTO, speaks version 2 */
};

struct drive_session {
    int fd;
    SSL *ssl;
    EVP_CIPHER_CTX *unwrap; /* AES-256 key wrap under the session's exporter key */
    uint8_t in[KX_MESSAGE_MAX];
    size_t in_n;
};

/* drive.key, drive.crt and ca.crt of a folder; serial number and world wide name are those of the certificate, the kind that of drive.conf. */
void drive_load(const char *folder, struct drive_identity *out);
void drive_done(struct drive_identity *identity);

enum drive_port { DRIVE_TCP, DRIVE_SSL };
/* Connect and open a session, until the server has confirmed it. Ends the program when that fails. */
void drive_open(const struct drive_identity *identity, enum drive_port kind, uint16_t port,
                struct drive_session *out);
void drive_close(struct drive_session *session);

/* Send a message. False: the session is lost. */
bool drive_send(struct drive_session *session, struct klm_slice message);
/* The next message, if all of it is here; it borrows from the session's input until drive_forget. Bytes behind it, which nobody asked for, count as a loss. */
enum drive_got { DRIVE_MESSAGE, DRIVE_WAIT, DRIVE_LOST };
enum drive_got drive_receive(struct drive_session *session, struct kx_message *out);
/* Wait for the next message on a blocking socket. */
void drive_wait(struct drive_session *session, struct kx_message *out);
/* Done with the message. */
void drive_forget(struct drive_session *session);
/* The data key in an answer; false: it does not unwrap. */
bool drive_unwrap(struct drive_session *session, const uint8_t wrapped[40], uint8_t key[32]);

#endif
