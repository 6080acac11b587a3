/* How the programs of a host reach an array that is switched on: a UNIX socket in its folder, one request and one answer a connection, files passed as
 * descriptors (ARRAY.md, section 5). Only the array's own user and root are let in. */
#ifndef IOS_ARRAY_LINK_H
#define IOS_ARRAY_LINK_H

#include "ios/array_volume.h"

#define IOS_LINK_TEXT (KLM_MSG_TEXT_MAX + 16)
#define IOS_LINK_MAX 1200 /* bytes of a message */

enum ios_link_op { IOS_LINK_STATUS = 1, IOS_LINK_READ = 2, IOS_LINK_WRITE = 3, IOS_LINK_OFF = 4 };
struct ios_link_request {
    uint8_t op;                     /* ios_link_op */
    char name[IOS_VOLUME_NAME + 1]; /* volume of READ and WRITE, else "" */
};
enum ios_link_outcome { IOS_LINK_DONE = 0, IOS_LINK_FAILED = 1, IOS_LINK_LOCKED = 2 };
struct ios_link_answer {
    uint8_t outcome; /* ios_link_outcome */
    uint64_t bytes;  /* moved by READ and WRITE */
    char text[IOS_LINK_TEXT];
};

/* KLM_E_INVALID, KLM_E_LIMIT, both ways; decoding takes exactly one whole message. */
klm_rc ios_link_request_encode(const struct ios_link_request *request, struct klm_buf *out)
    KLM_MUST_USE;
klm_rc ios_link_request_decode(struct klm_slice in, struct ios_link_request *out) KLM_MUST_USE;
klm_rc ios_link_answer_encode(const struct ios_link_answer *answer, struct klm_buf *out)
    KLM_MUST_USE;
klm_rc ios_link_answer_decode(struct klm_slice in, struct ios_link_answer *out) KLM_MUST_USE;

/* The array's side. The socket replaces one that was left behind; the caller holds the lock of array.on. The caller closes *fd. */
klm_rc ios_link_listen(const char *dir, struct klm_diag *diag, int *fd) KLM_MUST_USE;
/* Take the next connection. KLM_E_DENIED: somebody else's, closed already. */
klm_rc ios_link_accept(int listener, int *fd) KLM_MUST_USE;
/* The request of a connection, and the descriptor that came with it (-1: none). KLM_E_INVALID. */
klm_rc ios_link_take(int fd, struct ios_link_request *out, int *file) KLM_MUST_USE;
klm_rc ios_link_reply(int fd, const struct ios_link_answer *answer) KLM_MUST_USE;

/* The host's side: ask and wait for the answer. file: passed along, or -1. KLM_E_STATE with a message: the array is not switched on. */
klm_rc ios_link_ask(const char *dir, const struct ios_link_request *request, int file,
                    struct klm_diag *diag, struct ios_link_answer *out) KLM_MUST_USE;

#endif
