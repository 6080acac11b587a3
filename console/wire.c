#include "console/wire.h"

#include <errno.h>
#include <sys/socket.h>

#define READ_CHUNK 16384

void con_frame_put(struct klm_buf *out, enum con_frame type, int head, struct klm_slice text)
{
    klm_buf_u32(out, (uint32_t)(1 + (head >= 0) + text.n));
    klm_buf_u8(out, (uint8_t)type);
    if (head >= 0) {
        klm_buf_u8(out, (uint8_t)head);
    }
    klm_buf_slice(out, text);
}

klm_rc con_frame_take(struct klm_slice in, size_t max, enum con_frame *type,
                      struct klm_slice *payload, size_t *used)
{
    struct klm_cur cur;
    uint32_t n;
    uint8_t kind;

    if (in.n < CON_FRAME_HEAD) {
        return KLM_E_AGAIN;
    }
    klm_cur_init(&cur, in);
    klm_cur_u32(&cur, &n);
    if (n < 1 || n > max + 2) {
        return KLM_E_LIMIT;
    }
    if (in.n < 4 + (size_t)n) {
        return KLM_E_AGAIN;
    }
    klm_cur_u8(&cur, &kind);
    klm_cur_bytes(&cur, n - 1, payload);
    *type = (enum con_frame)kind;
    *used = 4 + (size_t)n;
    return klm_cur_rc(&cur);
}

klm_rc con_read_some(int fd, struct klm_buf *buf)
{
    uint8_t *room = klm_buf_room(buf, READ_CHUNK);
    ssize_t n;

    if (!room) {
        return KLM_E_LIMIT;
    }
    do {
        n = recv(fd, room, READ_CHUNK, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? KLM_E_AGAIN : KLM_E_IO;
    }
    buf->n += (size_t)n;
    return n == 0 ? KLM_E_CLOSED : KLM_OK;
}

klm_rc con_send_all(int fd, struct klm_slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return KLM_E_TIMEOUT;
        }
        if (n < 0) {
            return errno == EPIPE || errno == ECONNRESET ? KLM_E_CLOSED : KLM_E_IO;
        }
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return KLM_OK;
}
