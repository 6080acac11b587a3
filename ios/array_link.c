/* The socket of an array. */
#include "ios/array_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VERSION 1
#define WAITING 16 /* connections that may wait to be taken */

static const uint8_t magic[2] = {'K', 'A'};

/* ---- Messages */

static bool needs_name(uint8_t op)
{
    return op == IOS_LINK_READ || op == IOS_LINK_WRITE;
}

static klm_rc check_request(const struct ios_link_request *request)
{
    if (request->op < IOS_LINK_STATUS || request->op > IOS_LINK_OFF) {
        return KLM_E_INVALID;
    }
    if (needs_name(request->op)) {
        return ios_volume_name(request->name, NULL);
    }
    return request->name[0] ? KLM_E_INVALID : KLM_OK;
}

static void put_start(struct klm_buf *out, uint8_t what)
{
    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, what);
}

static void get_start(struct klm_cur *cur, uint8_t *what)
{
    uint8_t start[2] = {0}, version = 0;

    klm_cur_copy(cur, start, sizeof start);
    klm_cur_u8(cur, &version);
    klm_cur_u8(cur, what);
    if (memcmp(start, magic, sizeof magic) != 0 || version != VERSION) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

/* A text without NUL into an array that has room for most and one more. */
static void get_text(struct klm_cur *cur, size_t most, char *out)
{
    struct klm_slice text = {0};

    klm_cur_lp16(cur, most, &text);
    if (klm_cur_rc(cur) == KLM_OK && text.n > 0) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
        if (strlen(out) != text.n) {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}

klm_rc ios_link_request_encode(const struct ios_link_request *request, struct klm_buf *out)
{
    KLM_TRY(check_request(request));
    put_start(out, request->op);
    klm_buf_lp16(out, klm_slice_str(request->name));
    return klm_buf_rc(out);
}

klm_rc ios_link_request_decode(struct klm_slice in, struct ios_link_request *out)
{
    struct ios_link_request request = {0};
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    get_start(&cur, &request.op);
    get_text(&cur, IOS_VOLUME_NAME, request.name);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    KLM_TRY(check_request(&request));
    *out = request;
    return KLM_OK;
}

klm_rc ios_link_answer_encode(const struct ios_link_answer *answer, struct klm_buf *out)
{
    if (answer->outcome > IOS_LINK_LOCKED) {
        return KLM_E_INVALID;
    }
    put_start(out, answer->outcome);
    klm_buf_u64(out, answer->bytes);
    klm_buf_lp16(out, klm_slice_str(answer->text));
    return klm_buf_rc(out);
}

klm_rc ios_link_answer_decode(struct klm_slice in, struct ios_link_answer *out)
{
    struct ios_link_answer answer = {0};
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    get_start(&cur, &answer.outcome);
    klm_cur_u64(&cur, &answer.bytes);
    get_text(&cur, IOS_LINK_TEXT - 1, answer.text);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    if (answer.outcome > IOS_LINK_LOCKED) {
        return KLM_E_INVALID;
    }
    *out = answer;
    return KLM_OK;
}

/* ---- Sockets */

static klm_rc failed(const char *dir, klm_rc rc, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_ARRAY_SOCKET, dir, why);
}

static klm_rc failed_errno(const char *dir, struct klm_diag *diag)
{
    char why[128];
    int err = errno;

    return failed(dir, klm_rc_errno(err), strerror_r(err, why, sizeof why), diag);
}

static klm_rc address_of(const char *dir, struct klm_diag *diag, struct sockaddr_un *out)
{
    int n;

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    n = snprintf(out->sun_path, sizeof out->sun_path, "%s/array.sock", dir);
    return n > 0 && (size_t)n < sizeof out->sun_path
               ? KLM_OK
               : failed(dir, KLM_E_LIMIT, "the name of the folder is too long for a socket in it",
                        diag);
}

klm_rc ios_link_listen(const char *dir, struct klm_diag *diag, int *fd)
{
    struct sockaddr_un at;
    int s;

    KLM_TRY(address_of(dir, diag, &at));
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0) {
        return failed_errno(dir, diag);
    }
    (void)unlink(at.sun_path); /* of an array that was killed; bind tells any other failure */
    if (bind(s, (struct sockaddr *)&at, sizeof at) != 0 || chmod(at.sun_path, 0600) != 0 ||
        listen(s, WAITING) != 0) {
        klm_rc rc = failed_errno(dir, diag);

        close(s);
        return rc;
    }
    *fd = s;
    return KLM_OK;
}

klm_rc ios_link_accept(int listener, int *fd)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (s < 0) {
        return klm_rc_errno(errno);
    }
    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0)) {
        close(s);
        return KLM_E_DENIED;
    }
    *fd = s;
    return KLM_OK;
}

/* Room for one descriptor beside a message. */
union passed {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

static ssize_t send_with(int s, struct klm_slice bytes, int file)
{
    union passed passed = {.room = {0}};
    struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (file >= 0) {
        message.msg_control = passed.room;
        message.msg_controllen = sizeof passed.room;
        passed.align.cmsg_level = SOL_SOCKET;
        passed.align.cmsg_type = SCM_RIGHTS;
        passed.align.cmsg_len = CMSG_LEN(sizeof file);
        memcpy(CMSG_DATA(&passed.align), &file, sizeof file);
    }
    return sendmsg(s, &message, MSG_NOSIGNAL);
}

/* A message and the descriptor that came with it; the system closes one too many, for which there is no room. */
static klm_rc receive(int s, uint8_t *bytes, size_t cap, size_t *n, int *file)
{
    union passed passed = {.room = {0}};
    struct iovec iov = {bytes, cap};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = passed.room,
                             .msg_controllen = CMSG_LEN(sizeof *file)};
    const struct cmsghdr *part;
    ssize_t got;

    do {
        got = recvmsg(s, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return klm_rc_errno(errno);
    }
    part = CMSG_FIRSTHDR(&message);
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof *file)) {
        memcpy(file, CMSG_DATA(part), sizeof *file);
    }
    if (got == 0) {
        return KLM_E_CLOSED;
    }
    *n = (size_t)got;
    return message.msg_flags & MSG_TRUNC ? KLM_E_LIMIT : KLM_OK;
}

klm_rc ios_link_take(int fd, struct ios_link_request *out, int *file)
{
    uint8_t bytes[IOS_LINK_MAX];
    size_t n = 0;
    int with = -1;
    klm_rc rc = receive(fd, bytes, sizeof bytes, &n, &with);

    if (rc == KLM_OK) {
        rc = ios_link_request_decode(KLM_SLICE(bytes, n), out);
    }
    if (rc == KLM_OK && needs_name(out->op) != (with >= 0)) {
        rc = KLM_E_INVALID; /* a volume needs a file, nothing else has one */
    }
    if (rc != KLM_OK && with >= 0) {
        close(with);
        with = -1;
    }
    *file = with;
    return rc;
}

klm_rc ios_link_reply(int fd, const struct ios_link_answer *answer)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;

    klm_buf_init(&out, IOS_LINK_MAX);
    KLM_TRY(ios_link_answer_encode(answer, &out));
    return send_with(fd, klm_buf_as_slice(&out), -1) == (ssize_t)out.n ? KLM_OK
                                                                       : klm_rc_errno(errno);
}

/* ---- The host's side */

static klm_rc call(const char *dir, struct klm_diag *diag, int *fd)
{
    struct sockaddr_un at;
    int s;

    KLM_TRY(address_of(dir, diag, &at));
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0) {
        return failed_errno(dir, diag);
    }
    if (connect(s, (struct sockaddr *)&at, sizeof at) != 0) {
        klm_rc rc = errno == ENOENT || errno == ECONNREFUSED
                        ? klm_fail(diag, KLM_E_STATE, KLM_MSG_ARRAY_IS_OFF, dir)
                        : failed_errno(dir, diag);

        close(s);
        return rc;
    }
    *fd = s;
    return KLM_OK;
}

static klm_rc exchange(int s, const struct ios_link_request *request, int file,
                       struct ios_link_answer *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf bytes;
    uint8_t answer[IOS_LINK_MAX];
    int none = -1;
    size_t n = 0;

    klm_buf_init(&bytes, IOS_LINK_MAX);
    KLM_TRY(ios_link_request_encode(request, &bytes));
    if (send_with(s, klm_buf_as_slice(&bytes), file) != (ssize_t)bytes.n) {
        return klm_rc_errno(errno);
    }
    KLM_TRY(receive(s, answer, sizeof answer, &n, &none));
    if (none >= 0) {
        close(none);
        return KLM_E_INVALID;
    }
    return ios_link_answer_decode(KLM_SLICE(answer, n), out);
}

klm_rc ios_link_ask(const char *dir, const struct ios_link_request *request, int file,
                    struct klm_diag *diag, struct ios_link_answer *out)
{
    int s = -1;
    klm_rc rc;

    KLM_TRY(call(dir, diag, &s));
    rc = exchange(s, request, file, out);
    close(s);
    return rc == KLM_OK ? rc : failed(dir, rc, klm_rc_text(rc), diag);
}
