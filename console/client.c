/* The programs' side of the operator socket. */
#include "console/con.h"
#include "console/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/isklm/oper.sock"

struct con_client {
    int fd;
    struct klm_buf in;
    struct klm_buf messages; /* message frames that came while an answer was waited for */
    con_ask_fn *ask;
    void *ask_arg;
};

static klm_rc connect_path(const char *path, struct klm_diag *diag, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char error[128];
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SOCKET_NONE, path, "the name is too long");
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int err = errno;

        if (fd >= 0) {
            close(fd);
        }
        return klm_fail(diag, err == EACCES || err == EPERM ? KLM_E_DENIED : KLM_E_NOTFOUND,
                        KLM_MSG_SOCKET_NONE, path, strerror_r(err, error, sizeof error));
    }
    *out = fd;
    return KLM_OK;
}

klm_rc con_client_open(const char *path, struct klm_diag *diag, struct con_client **out)
{
    const char *env = getenv("KLM_OPER_SOCKET");
    struct con_client *client;
    int fd;

    KLM_TRY(connect_path(path ? path : env && *env ? env : DEFAULT_SOCKET, diag, &fd));
    client = calloc(1, sizeof *client);
    if (!client) {
        close(fd);
        return KLM_E_NOMEM;
    }
    client->fd = fd;
    klm_buf_init(&client->in, CON_ANSWER_MAX + 65536);
    klm_buf_init(&client->messages, CON_ANSWER_MAX);
    *out = client;
    return KLM_OK;
}

static klm_rc broken(struct klm_diag *diag, klm_rc rc)
{
    return klm_fail(diag, rc, KLM_MSG_SOCKET_BROKEN, klm_rc_text(rc));
}

static klm_rc send_frame(struct con_client *client, enum con_frame type, const char *text,
                         struct klm_diag *diag)
{
    struct klm_buf frame;
    klm_rc rc;

    klm_buf_init(&frame, CON_COMMAND_MAX * 2);
    con_frame_put(&frame, type, -1, klm_slice_str(text));
    rc = klm_buf_rc(&frame);
    if (rc == KLM_OK) {
        rc = con_send_all(client->fd, klm_buf_as_slice(&frame));
    }
    klm_buf_done(&frame);
    return rc == KLM_OK ? rc : broken(diag, rc);
}

/* The next frame, waiting for it. Its payload is copied to out. */
static klm_rc next_frame(struct con_client *client, enum con_frame *type, struct klm_buf *out)
{
    for (;;) {
        struct klm_slice payload;
        size_t used;
        klm_rc rc =
            con_frame_take(klm_buf_as_slice(&client->in), CON_ANSWER_MAX, type, &payload, &used);

        if (rc == KLM_OK) {
            klm_buf_slice(out, payload);
            klm_buf_drop(&client->in, used);
            return klm_buf_rc(out);
        }
        if (rc != KLM_E_AGAIN) {
            return rc;
        }
        KLM_TRY(con_read_some(client->fd, &client->in));
    }
}

void con_client_on_ask(struct con_client *client, con_ask_fn *ask, void *arg)
{
    client->ask = ask;
    client->ask_arg = arg;
}

/* The task asks for a secret: whatever is given goes back, or nothing. */
static klm_rc answer_ask(struct con_client *client, const struct klm_buf *payload)
{
    struct klm_buf secret, frame;
    char prompt[256];
    klm_rc rc = KLM_E_USAGE;

    klm_buf_init_wiping(&secret, CON_SECRET_MAX);
    klm_buf_init_wiping(&frame, CON_SECRET_MAX + 16);
    if (client->ask && payload->n >= 1) {
        snprintf(prompt, sizeof prompt, "%.*s", (int)payload->n - 1, (const char *)payload->p + 1);
        rc = client->ask(client->ask_arg, prompt, payload->p[0] == 1, &secret);
    }
    con_frame_put(&frame, CON_SECRET, -1,
                  rc == KLM_OK ? klm_buf_as_slice(&secret) : KLM_SLICE(NULL, 0));
    rc = klm_buf_rc(&frame);
    if (rc == KLM_OK) {
        rc = con_send_all(client->fd, klm_buf_as_slice(&frame));
    }
    klm_buf_done(&secret);
    klm_buf_done(&frame);
    return rc;
}

static klm_rc take_answer(struct con_client *client, struct klm_buf *out, int *status)
{
    for (;;) {
        struct klm_buf payload;
        enum con_frame type;
        klm_rc rc;

        klm_buf_init(&payload, CON_ANSWER_MAX + 1);
        rc = next_frame(client, &type, &payload);
        if (rc == KLM_OK && type == CON_MESSAGE) {
            con_frame_put(&client->messages, CON_MESSAGE, -1, klm_buf_as_slice(&payload));
        } else if (rc == KLM_OK && type == CON_ASK) {
            rc = answer_ask(client, &payload);
        } else if (rc == KLM_OK && type == CON_ANSWER && payload.n >= 1) {
            *status = payload.p[0];
            klm_buf_put(out, payload.p + 1, payload.n - 1);
            klm_buf_done(&payload);
            return klm_buf_rc(out);
        }
        klm_buf_done(&payload);
        KLM_TRY(rc);
    }
}

klm_rc con_client_command(struct con_client *client, const char *line, struct klm_buf *out,
                          int *status, struct klm_diag *diag)
{
    klm_rc rc;

    if (strlen(line) > CON_COMMAND_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_COMMAND_LONG, KLM_NUM(CON_COMMAND_MAX));
    }
    rc = send_frame(client, CON_COMMAND, line, diag);
    if (rc != KLM_OK && rc != KLM_E_CLOSED) {
        return rc;
    }
    rc = take_answer(client, out, status); /* also when the task closed: it has said why */
    return rc == KLM_OK ? rc : broken(diag, rc);
}

klm_rc con_client_attach(struct con_client *client, struct klm_diag *diag)
{
    return send_frame(client, CON_ATTACH, "", diag);
}

int con_client_fd(const struct con_client *client)
{
    return client->fd;
}

static klm_rc take_message(struct klm_buf *from, struct klm_buf *out)
{
    enum con_frame type;
    struct klm_slice payload;
    size_t used;

    KLM_TRY(con_frame_take(klm_buf_as_slice(from), CON_ANSWER_MAX, &type, &payload, &used));
    if (type == CON_ANSWER && payload.n > 0) { /* the task's last word, that nobody asked for */
        payload = KLM_SLICE(payload.p + 1, payload.n - 1);
    }
    klm_buf_slice(out, payload);
    klm_buf_drop(from, used);
    return klm_buf_rc(out);
}

klm_rc con_client_message(struct con_client *client, struct klm_buf *out)
{
    struct klm_buf *buf = &client->in;
    uint8_t *room;
    ssize_t n;

    if (client->messages.n > 0) {
        return take_message(&client->messages, out);
    }
    if (take_message(buf, out) == KLM_OK) {
        return KLM_OK;
    }
    room = klm_buf_room(buf, 4096);
    if (!room) {
        return KLM_E_LIMIT;
    }
    n = recv(client->fd, room, 4096, MSG_DONTWAIT);
    if (n == 0) {
        return KLM_E_CLOSED;
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? KLM_E_AGAIN : KLM_E_IO;
    }
    buf->n += (size_t)n;
    return take_message(buf, out);
}

void con_client_close(struct con_client **client)
{
    if (*client) {
        close((*client)->fd);
        klm_buf_done(&(*client)->in);
        klm_buf_done(&(*client)->messages);
        free(*client);
        *client = NULL;
    }
}
