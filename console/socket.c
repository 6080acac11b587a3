/* The operator socket of the task. A thread per connection, so that a slow command or terminal holds up nobody else; who an operator is comes from the socket's
 * credentials. Attached operators get console lines through a bounded buffer of their own. */
#include "console/internal.h"
#include "console/wire.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OPERATORS_MAX 16
#define MESSAGES_MAX 65536 /* bytes of console lines that wait for one operator */
#define STRANGER_MS 10000  /* how long somebody without a role may say nothing */
#define SEND_SECONDS 5     /* how long an answer waits for an operator who does not read */
#define SHORT_MS 100
#define ASK_MS 120000 /* how long an operator may take to give what he is asked for */

struct operator_conn {
    struct con_socket *socket;
    pthread_t thread;
    bool used, ended; /* guarded by the socket's lock */
    int fd, wake;
    struct ucred peer;
    char number[KM_SESSION_MAX]; /* of its session, in audit records */
    bool attached;
    struct klm_buf *in;      /* what came; its thread's own, as is skip */
    size_t skip;             /* bytes of the frame that is carried out now */
    pthread_mutex_t lock;    /* guards messages */
    struct klm_buf messages; /* frames that wait */
};

struct con_socket {
    struct km_server *server;
    char path[108], files[4096];
    int fd, wake;
    pthread_t thread;
    bool running;
    bool full;            /* the last caller was turned away; the accepting thread's own */
    pthread_mutex_t lock; /* guards conn[].used, ended, attached, and heard */
    con_heard_fn *heard;
    void *heard_arg;
    bool closing;
    struct operator_conn conn[OPERATORS_MAX];
};

/* ---- One operator */

static void user_name(uid_t uid, char *out, size_t cap)
{
    char room[4096];
    struct passwd passwd, *found = NULL;

    if (getpwuid_r(uid, &passwd, room, sizeof room, &found) == 0 && found) {
        snprintf(out, cap, "%s", found->pw_name);
    } else {
        snprintf(out, cap, "%u", (unsigned)uid);
    }
}

/* The roles that the user has now: a refresh may have changed them. */
static unsigned roles_of(const struct operator_conn *conn)
{
    struct km_state *state = km_state_get(conn->socket->server);
    unsigned roles = km_roles_of(state->config, conn->peer.uid, conn->peer.gid);

    km_state_put(&state);
    return roles;
}

static klm_rc send_answer(struct operator_conn *conn, int status, struct klm_slice text)
{
    struct klm_buf frame;
    klm_rc rc;

    klm_buf_init_wiping(&frame, CON_ANSWER_MAX + CON_FRAME_HEAD + 1);
    con_frame_put(&frame, CON_ANSWER, status, text);
    rc = klm_buf_rc(&frame);
    if (rc == KLM_OK) {
        rc = con_send_all(conn->fd, klm_buf_as_slice(&frame));
    }
    klm_buf_done(&frame);
    return rc;
}

/* What is wrong with what came, as an answer. */
static klm_rc send_refusal(struct operator_conn *conn, int status, enum klm_msg_id msg,
                           const char *arg)
{
    const char *args[] = {arg, NULL};
    char text[KLM_MSG_TEXT_MAX + 512];
    size_t n;

    klm_msg_format(msg, args, text, KLM_MSG_TEXT_MAX);
    n = strlen(text);
    snprintf(text + n, sizeof text - n, "\n  %s\n", klm_msg(msg)->action);
    return send_answer(conn, status, klm_slice_str(text));
}

/* What happened on the socket, as an event; a failure when there is a message that says why. */
static void tell_event(struct operator_conn *conn, enum km_happening what, const char *name,
                       const struct klm_diag *why)
{
    const struct km_actor actor = {
        .kind = KM_ACTOR_OPERATOR, .name = name, .address = "console", .session = conn->number};
    const struct km_news news = {.what = what,
                                 .failed = why != NULL,
                                 .actor = &actor,
                                 .object = conn->socket->path,
                                 .auth_type = "socket credentials",
                                 .why = why};

    if (what == KM_HAP_STRANGER) {
        km_happened_to_stranger(conn->socket->server, &news);
        return;
    }
    KLM_IGNORE(km_happened_now(
        conn->socket->server, &news)); /* the journal says its own failures; nothing is given out */
}

/* Somebody who may open the socket but has no role: told, recorded and let go, so that he holds no place. */
static klm_rc refuse_stranger(struct operator_conn *conn)
{
    struct klm_diag diag = {0};
    char name[64];

    user_name(conn->peer.uid, name, sizeof name);
    (void)klm_fail(&diag, KLM_E_DENIED, KLM_MSG_SOCKET_NO_ROLE, name);
    tell_event(conn, KM_HAP_STRANGER, name, &diag);
    KLM_IGNORE(send_refusal(conn, 1, KLM_MSG_SOCKET_NO_ROLE, name)); /* he may be gone */
    return KLM_E_DENIED;
}

static void tell(struct operator_conn *conn, const char *user, const char *line)
{
    struct klm_buf shown;
    con_heard_fn *heard;
    void *arg;

    pthread_mutex_lock(&conn->socket->lock);
    heard = conn->socket->heard;
    arg = conn->socket->heard_arg;
    pthread_mutex_unlock(&conn->socket->lock);
    if (!heard) {
        return;
    }
    klm_buf_init(&shown, 2 * CON_COMMAND_MAX);
    con_shown(line, &shown);
    klm_buf_u8(&shown, 0);
    if (klm_buf_rc(&shown) == KLM_OK) {
        heard(arg, user, (const char *)shown.p);
    }
    klm_buf_done(&shown);
}

/* The next frame behind the one that is carried out, waiting for it. */
static klm_rc next_frame(struct operator_conn *conn, enum con_frame *type,
                         struct klm_slice *payload, size_t *used)
{
    struct pollfd fd = {.fd = conn->fd, .events = POLLIN};

    for (;;) {
        const struct klm_slice rest = KLM_SLICE(conn->in->p + conn->skip, conn->in->n - conn->skip);
        klm_rc rc = con_frame_take(rest, CON_SECRET_MAX, type, payload, used);
        int n;

        if (rc != KLM_E_AGAIN) {
            return rc;
        }
        n = poll(&fd, 1, ASK_MS);
        if (n == 0) {
            return KLM_E_TIMEOUT;
        }
        if (n > 0) {
            KLM_TRY(con_read_some(conn->fd, conn->in));
        } else if (errno != EINTR) {
            return KLM_E_IO;
        }
    }
}

/* Take a frame out from behind the one that is carried out, and wipe it. */
static void cut_frame(struct operator_conn *conn, size_t used)
{
    uint8_t *at = conn->in->p + conn->skip;
    size_t rest = conn->in->n - conn->skip - used;

    memmove(at, at + used, rest);
    klm_wipe(at + rest, used);
    conn->in->n -= used;
}

/* A command asks its operator for a secret, over the same connection. */
static klm_rc ask(void *arg, const char *prompt, bool twice, struct klm_buf *out)
{
    struct operator_conn *conn = arg;
    struct klm_slice payload;
    struct klm_buf frame;
    enum con_frame type;
    size_t used;
    klm_rc rc;

    klm_buf_init(&frame, 1024);
    con_frame_put(&frame, CON_ASK, twice, klm_slice_str(prompt));
    rc = klm_buf_rc(&frame);
    if (rc == KLM_OK) {
        rc = con_send_all(conn->fd, klm_buf_as_slice(&frame));
    }
    klm_buf_done(&frame);
    KLM_TRY(rc);
    KLM_TRY(next_frame(conn, &type, &payload, &used));
    if (type != CON_SECRET) {
        return KLM_E_USAGE; /* it stays, and is carried out afterwards */
    }
    klm_buf_slice(out, payload);
    rc = payload.n ? klm_buf_rc(out) : KLM_E_USAGE;
    cut_frame(conn, used);
    return rc;
}

static klm_rc execute(struct operator_conn *conn, const char *line)
{
    struct con_context context = {
        .server = conn->socket->server, .files = conn->socket->files, .ask = ask, .ask_arg = conn};
    struct klm_buf answer;
    char name[64], groups[KM_GROUPS_MAX];
    int status = 1;
    klm_rc rc;

    user_name(conn->peer.uid, name, sizeof name);
    km_groups_of(conn->peer.uid, conn->peer.gid, groups);
    context.actor = (struct km_actor){.kind = KM_ACTOR_OPERATOR,
                                      .roles = roles_of(conn),
                                      .name = name,
                                      .address = "console",
                                      .session = conn->number,
                                      .groups = groups};
    tell(conn, name, line);
    klm_buf_init_wiping(&answer, CON_ANSWER_MAX);
    con_execute(&context, line, &answer, &status);
    rc = send_answer(conn, status, klm_buf_as_slice(&answer));
    klm_buf_done(&answer);
    return rc;
}

static klm_rc run_command(struct operator_conn *conn, struct klm_slice text)
{
    char *line;
    klm_rc rc;

    if (roles_of(conn) == 0) {
        return refuse_stranger(conn);
    }
    if (text.n > 0 && memchr(text.p, 0, text.n)) {
        return send_refusal(conn, 2, KLM_MSG_COMMAND_BINARY, "");
    }
    line = strndup((const char *)text.p, text.n);
    if (!line) {
        return KLM_E_NOMEM;
    }
    rc = execute(conn, line);
    klm_wipe(line, text.n); /* it may carry a password */
    free(line);
    return rc;
}

static klm_rc attach(struct operator_conn *conn)
{
    char name[64];
    bool first;

    if (roles_of(conn) == 0) {
        return refuse_stranger(conn);
    }
    pthread_mutex_lock(&conn->socket->lock);
    first = !conn->attached;
    conn->attached = true;
    pthread_mutex_unlock(&conn->socket->lock);
    if (first) {
        user_name(conn->peer.uid, name, sizeof name);
        tell_event(conn, KM_HAP_LOGIN, name, NULL);
    }
    return KLM_OK;
}

static klm_rc handle_frames(struct operator_conn *conn, struct klm_buf *in)
{
    for (;;) {
        enum con_frame type;
        struct klm_slice payload;
        size_t used;
        klm_rc rc = con_frame_take(klm_buf_as_slice(in), CON_COMMAND_MAX, &type, &payload, &used);

        if (rc == KLM_E_AGAIN) {
            return KLM_OK;
        }
        if (rc != KLM_OK) {
            KLM_IGNORE(send_refusal(conn, 2, KLM_MSG_COMMAND_LONG, KLM_NUM(CON_COMMAND_MAX)));
            return rc; /* where the next frame begins is not known any more */
        }
        conn->skip = used;
        if (type == CON_ATTACH) {
            KLM_TRY(attach(conn));
        } else if (type == CON_COMMAND) {
            KLM_TRY(run_command(conn, payload));
        } else {
            KLM_IGNORE(send_refusal(conn, 2, KLM_MSG_SOCKET_FRAME, ""));
            return KLM_E_INVALID;
        }
        klm_buf_drop(in, used);
    }
}

static klm_rc send_messages(struct operator_conn *conn)
{
    struct klm_buf out;
    uint64_t count;
    klm_rc rc;

    if (read(conn->wake, &count, sizeof count) < 0) {
        return KLM_OK; /* somebody else's wake-up */
    }
    klm_buf_init(&out, MESSAGES_MAX);
    pthread_mutex_lock(&conn->lock);
    klm_buf_slice(&out, klm_buf_as_slice(&conn->messages));
    klm_buf_clear(&conn->messages);
    pthread_mutex_unlock(&conn->lock);
    rc = con_send_all(conn->fd, klm_buf_as_slice(&out));
    klm_buf_done(&out);
    return rc;
}

static void serve(struct operator_conn *conn)
{
    struct pollfd fds[] = {{.fd = conn->fd, .events = POLLIN},
                           {.fd = conn->wake, .events = POLLIN}};
    const int patience = roles_of(conn) ? -1 : STRANGER_MS;
    struct klm_buf in;
    klm_rc rc = KLM_OK;

    klm_buf_init_wiping(&in, CON_COMMAND_MAX + 65536);
    conn->in = &in;
    while (rc == KLM_OK) {
        int n = poll(fds, 2, patience);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        if (fds[1].revents) {
            rc = send_messages(conn);
        }
        if (rc == KLM_OK && fds[0].revents) {
            rc = con_read_some(conn->fd, &in);
            rc = rc == KLM_OK ? handle_frames(conn, &in) : rc;
        }
    }
    klm_buf_done(&in);
}

static void *conn_main(void *arg)
{
    struct operator_conn *conn = arg;
    char name[64];

    serve(conn);
    if (conn->attached) { /* set by this thread alone */
        user_name(conn->peer.uid, name, sizeof name);
        tell_event(conn, KM_HAP_LOGOUT, name, NULL);
    }
    shutdown(conn->fd, SHUT_RDWR); /* the other side sees the end now, the descriptor goes later */
    pthread_mutex_lock(&conn->socket->lock);
    conn->attached = false;
    conn->ended = true;
    pthread_mutex_unlock(&conn->socket->lock);
    return NULL;
}

/* ---- Accepting */

/* After its thread ended: give the place back. The socket's lock is held. */
static void reap(struct operator_conn *conn)
{
    pthread_join(conn->thread, NULL);
    close(conn->fd);
    close(conn->wake);
    klm_buf_done(&conn->messages);
    pthread_mutex_destroy(&conn->lock);
    conn->used = conn->ended = false;
}

static struct operator_conn *free_place(struct con_socket *socket)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        if (socket->conn[i].ended) {
            reap(&socket->conn[i]);
        }
        if (!socket->conn[i].used) {
            return &socket->conn[i];
        }
    }
    return NULL;
}

static bool start_conn(struct con_socket *socket, struct operator_conn *conn, int fd)
{
    const struct timeval patience = {.tv_sec = SEND_SECONDS};
    socklen_t n = sizeof conn->peer;

    /* An operator who does not read holds up nobody for longer than this. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        return false;
    }
    conn->socket = socket;
    km_session_number(socket->server, conn->number);
    conn->fd = fd;
    conn->attached = conn->ended = false;
    conn->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (conn->wake < 0) {
        return false;
    }
    klm_buf_init(&conn->messages, MESSAGES_MAX);
    pthread_mutex_init(&conn->lock, NULL);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &conn->peer, &n) != 0 ||
        klm_thread_start(&conn->thread, "operator", conn_main, conn) != KLM_OK) {
        close(conn->wake);
        pthread_mutex_destroy(&conn->lock);
        return false;
    }
    conn->used = true;
    return true;
}

static void accept_one(struct con_socket *socket)
{
    int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC);
    struct operator_conn *conn;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            poll(NULL, 0, SHORT_MS); /* it stays ready; do not turn in circles */
        }
        return;
    }
    pthread_mutex_lock(&socket->lock);
    conn = socket->closing ? NULL : free_place(socket);
    if (!conn || !start_conn(socket, conn, fd)) {
        close(fd);
        fd = -1;
    }
    pthread_mutex_unlock(&socket->lock);
    if (fd < 0 && !socket->full) { /* once, until a place was free again */
        klm_say(KLM_MSG_SOCKET_FULL);
    }
    socket->full = fd < 0;
}

static void *accept_main(void *arg)
{
    struct con_socket *socket = arg;
    struct pollfd fds[] = {{.fd = socket->fd, .events = POLLIN},
                           {.fd = socket->wake, .events = POLLIN}};

    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[1].revents) {
            break;
        }
        if (fds[0].revents) {
            accept_one(socket);
        }
    }
    return NULL;
}

/* ---- Opening and closing */

/* A socket that nobody answers on is left over from a crash. */
static bool left_over(const struct sockaddr_un *address)
{
    struct stat st;
    int fd;
    bool dead;

    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        return false; /* connecting to a plain file is refused too, and a plain file is not ours to remove */
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    dead = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
           errno == ECONNREFUSED;
    close(fd);
    return dead;
}

static klm_rc bind_path(struct con_socket *socket_, const char *path, struct klm_diag *diag)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[108], error[128];

    if (strlen(path) >= sizeof address.sun_path) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_SOCKET_OPEN, path, "the name is too long");
    }
    memcpy(address.sun_path, path, strlen(path));
    memcpy(socket_->path, path, strlen(path));
    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    KLM_TRY(klm_folder_make(folder, 0750, diag));
    if (left_over(&address)) {
        (void)unlink(path); /* bind tells when it is still there */
    }
    socket_->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_->fd < 0 || bind(socket_->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0660) != 0 || listen(socket_->fd, OPERATORS_MAX) != 0) {
        return klm_fail(diag, KLM_E_BUSY, KLM_MSG_SOCKET_OPEN, path,
                        strerror_r(errno, error, sizeof error));
    }
    return KLM_OK;
}

static klm_rc find_files(struct con_socket *socket, struct klm_diag *diag)
{
    struct km_state *state = km_state_get(socket->server);
    klm_rc rc = parm_files_dir(state->config, socket->files, sizeof socket->files);

    km_state_put(&state);
    KLM_TRY(rc);
    return klm_folder_make(socket->files, 0700, diag);
}

static klm_rc open_all(struct con_socket *socket, const char *path, struct klm_diag *diag)
{
    KLM_TRY(find_files(socket, diag));
    KLM_TRY(bind_path(socket, path, diag));
    socket->wake = eventfd(0, EFD_CLOEXEC);
    if (socket->wake < 0 ||
        klm_thread_start(&socket->thread, "operators", accept_main, socket) != KLM_OK) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_SOCKET_OPEN, path, "no thread");
    }
    socket->running = true;
    return KLM_OK;
}

klm_rc con_socket_open(struct km_server *server, const char *path, struct klm_diag *diag,
                       struct con_socket **out)
{
    struct con_socket *socket = calloc(1, sizeof *socket);
    klm_rc rc;

    if (!socket) {
        return KLM_E_NOMEM;
    }
    socket->server = server;
    socket->fd = socket->wake = -1;
    pthread_mutex_init(&socket->lock, NULL);
    rc = open_all(socket, path, diag);
    if (rc != KLM_OK) {
        con_socket_close(&socket);
        return rc;
    }
    *out = socket;
    return KLM_OK;
}

void con_socket_on_command(struct con_socket *socket, con_heard_fn *fn, void *arg)
{
    pthread_mutex_lock(&socket->lock);
    socket->heard = fn;
    socket->heard_arg = arg;
    pthread_mutex_unlock(&socket->lock);
}

void con_socket_broadcast(struct con_socket *socket, const char *line)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&socket->lock);
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        struct operator_conn *conn = &socket->conn[i];

        if (!conn->used || !conn->attached) {
            continue;
        }
        pthread_mutex_lock(&conn->lock);
        if (conn->messages.n + strlen(line) + CON_FRAME_HEAD < MESSAGES_MAX) {
            con_frame_put(&conn->messages, CON_MESSAGE, -1, klm_slice_str(line));
        }
        pthread_mutex_unlock(&conn->lock);
        if (write(conn->wake, &one, sizeof one) < 0) {
            continue; /* the counter is full: it will wake anyway */
        }
    }
    pthread_mutex_unlock(&socket->lock);
}

static void close_conns(struct con_socket *socket)
{
    pthread_mutex_lock(&socket->lock);
    socket->closing = true;
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        if (socket->conn[i].used) {
            shutdown(socket->conn[i].fd, SHUT_RD); /* the command under way still gets its answer */
        }
    }
    pthread_mutex_unlock(&socket->lock);
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        if (socket->conn[i].used) {
            reap(&socket->conn[i]);
        }
    }
}

void con_socket_close(struct con_socket **socket)
{
    struct con_socket *s = *socket;
    const uint64_t one = 1;

    if (!s) {
        return;
    }
    if (s->running && write(s->wake, &one, sizeof one) == (ssize_t)sizeof one) {
        pthread_join(s->thread, NULL);
    }
    close_conns(s);
    if (s->fd >= 0) {
        close(s->fd);
        if (s->running) {
            (void)unlink(s->path); /* left over otherwise, which the next start mends */
        }
    }
    if (s->wake >= 0) {
        close(s->wake);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
    *socket = NULL;
}
