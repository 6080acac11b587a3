/* Frames of the operator socket: u32 length of what follows, u8 type, bytes; big-endian. Both sides live here so that they cannot differ. */
#ifndef CONSOLE_WIRE_H
#define CONSOLE_WIRE_H

#include "base/buf.h"
#include "base/rc.h"

enum con_frame {
    CON_COMMAND = 1,    /* client: text of a command */
    CON_ATTACH = 2,     /* client: send console messages too */
    CON_SECRET = 3,     /* client: what was asked for; empty: it is not given */
    CON_ANSWER = 0x81,  /* server: u8 status, text */
    CON_MESSAGE = 0x84, /* server: a console line */
    CON_ASK =
        0x85 /* server, before an answer: u8 1 when it is to be typed twice, text of the prompt */
};
#define CON_FRAME_HEAD 5
#define CON_SECRET_MAX 4096 /* bytes of a secret */

/* Append a frame; head is a byte before the text, or -1 for none. */
void con_frame_put(struct klm_buf *out, enum con_frame type, int head, struct klm_slice text);
/* The first frame in in. KLM_E_AGAIN: not whole yet; KLM_E_LIMIT: longer than max. */
klm_rc con_frame_take(struct klm_slice in, size_t max, enum con_frame *type,
                      struct klm_slice *payload, size_t *used) KLM_MUST_USE;
/* Read what is there into buf (at least a byte; blocks unless the descriptor does not). KLM_E_CLOSED at the end. */
klm_rc con_read_some(int fd, struct klm_buf *buf) KLM_MUST_USE;
/* Send all; no SIGPIPE. */
klm_rc con_send_all(int fd, struct klm_slice bytes) KLM_MUST_USE;

#endif
