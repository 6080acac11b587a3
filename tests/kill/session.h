/* The drive's side of one session, for tests that kill the server: blocking, and a lost connection is an ordinary answer. Opened as
 * exchange/PROTOCOL.md says, on OpenSSL alone. */
#ifndef TESTS_KILL_SESSION_H
#define TESTS_KILL_SESSION_H

#include "exchange/kx.h"

#include <openssl/ssl.h>

struct kill_drive {
    SSL_CTX *tls;
    const char *serial, *wwn;
};

/* drive.key, drive.crt and ca.crt of a folder. False: they can't be read; OpenSSL's reason is on standard error. */
bool kill_drive_load(const char *folder, struct kill_drive *out);

struct kill_session {
    int fd;
    SSL *ssl;
    uint8_t key[32]; /* that wraps data keys */
    uint8_t in[KX_MESSAGE_MAX];
    size_t in_n;
    uint32_t id; /* of the last request */
};

/* Connect to 127.0.0.1 and open a session, on the TCP port (clear hellos first) or the SSL port. False: no connection, or it was lost. */
bool kill_session_open(const struct kill_drive *drive, uint16_t port, bool tcp,
                       struct kill_session *out);
void kill_session_close(struct kill_session *session);
/* Send a whole message. False: the session is lost. */
bool kill_session_send(struct kill_session *session, const struct klm_buf *message);
/* Wait for the next message, which borrows from the session until kill_session_forget. False: lost. */
bool kill_session_receive(struct kill_session *session, struct kx_message *out, size_t *used);
void kill_session_forget(struct kill_session *session, size_t used);
/* SHA-256, in hex, of the data key in an answer. False: it does not unwrap. */
bool kill_session_key_hash(const struct kill_session *session, const uint8_t wrapped[40],
                           char out[65]);

#endif
