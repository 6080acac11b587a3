/* The spawner and its one command: a byte n asks for a new helper with n channels; the answer is the helper's pid (or minus an error
 * number) with the channels as passed descriptors. When its socket closes, it ends the helper and itself. */
#include "keyring/p11/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_CHANNEL 3
#define NOTIFY "NOTIFY_SOCKET" /* only the server tells the service manager anything */

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(P11_CHANNELS_MAX * sizeof(int))];
};

static void close_all(const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        (void)close(fds[i]); /* sockets: nothing is lost */
    }
}

/* ---- In the spawner's process */

/* execve takes arguments without const and does not change them. */
static char *const *unconst(const char *const *args)
{
    union {
        const char *const *in;
        char *const *out;
    } u = {args};

    return u.out;
}

/* The channels move out of the way first, so that none is overwritten before it is moved. */
static void become_helper(const char *helper, const char *const *args, int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD, FIRST_CHANNEL + P11_CHANNELS_MAX);
        if (fds[i] < 0) {
            _exit(1);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (dup2(fds[i], FIRST_CHANNEL + (int)i) < 0) {
            _exit(1);
        }
    }
    if (close_range(FIRST_CHANNEL + n, ~0u, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        _exit(1);
    }
    execve(helper, unconst(args), environ);
    _exit(127);
}

static void end_helper(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL); /* it may have ended itself */
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    *pid = 0;
}

/* n pairs of sockets. On failure none is left open. */
static int make_pairs(int *ours, int *theirs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
            int err = errno;

            close_all(ours, i);
            close_all(theirs, i);
            return err;
        }
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    return 0;
}

static void answer(int fd, int32_t pid, const int *fds, unsigned n)
{
    union control control = {.room = ""};
    struct iovec iov = {&pid, sizeof pid};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n) {
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
    }
    (void)sendmsg(fd, &msg, MSG_NOSIGNAL); /* who asked is gone: the next read tells */
}

static void start_helper(int fd, const char *helper, const char *const *args, unsigned n,
                         pid_t *pid)
{
    int ours[P11_CHANNELS_MAX], theirs[P11_CHANNELS_MAX];
    int err = n > 0 && n <= P11_CHANNELS_MAX ? make_pairs(ours, theirs, n) : EINVAL;

    end_helper(pid);
    if (err) {
        answer(fd, -err, NULL, 0);
        return;
    }
    *pid = fork();
    if (*pid == 0) {
        become_helper(helper, args, theirs, n);
    }
    close_all(theirs, n);
    if (*pid < 0) {
        answer(fd, -errno, NULL, 0);
        *pid = 0;
    } else {
        answer(fd, *pid, ours, n);
    }
    close_all(ours, n);
}

/* A service manager signals all processes of the unit, but keys are served until the server has ended: its socket tells when. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < KLM_COUNT(signals); i++) {
        (void)signal(signals[i], SIG_IGN); /* these can be ignored */
    }
    (void)signal(SIGCHLD, SIG_DFL);
}

_Noreturn static void spawner_main(int fd, const char *helper, const char *const *args)
{
    pid_t pid = 0;

    ignore_signals();
    (void)prctl(PR_SET_NAME, "klm-spawner", 0, 0, 0); /* for ps only */
    for (;;) {
        uint8_t n = 0;
        ssize_t got = recv(fd, &n, 1, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != 1) {
            end_helper(&pid);
            _exit(0);
        }
        start_helper(fd, helper, args, n, &pid);
    }
}

/* All but standard streams and its own socket: what the server has open is the server's. */
_Noreturn static void spawner_begin(int fd, const char *helper, const char *const *args)
{
    if (dup2(fd, FIRST_CHANNEL) < 0 || close_range(FIRST_CHANNEL + 1, ~0u, 0) != 0 ||
        fcntl(FIRST_CHANNEL, F_SETFD, FD_CLOEXEC) != 0) {
        _exit(1);
    }
    (void)unsetenv(NOTIFY); /* fails only for a name that is none */
    spawner_main(FIRST_CHANNEL, helper, args);
}

/* ---- In the server's process */

klm_rc p11_spawner_start(const char *helper, const char *const *args, struct p11_spawner *out)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return klm_rc_errno(errno);
    }
    pid = fork();
    if (pid == 0) {
        spawner_begin(pair[1], helper, args);
    }
    (void)close(pair[1]); /* the spawner's */
    if (pid < 0) {
        klm_rc rc = klm_rc_errno(errno);

        (void)close(pair[0]);
        return rc;
    }
    *out = (struct p11_spawner){pair[0], pid};
    return KLM_OK;
}

/* The descriptors that came with an answer. */
static unsigned take_fds(struct msghdr *msg, int *fds)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(msg);
    size_t bytes;

    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    bytes = head->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(head), bytes);
    return (unsigned)(bytes / sizeof(int));
}

klm_rc p11_spawner_helper(struct p11_spawner *spawner, int *channels, unsigned n, pid_t *pid)
{
    const uint8_t ask = (uint8_t)n;
    int fds[P11_CHANNELS_MAX];
    int32_t number = 0;
    union control control;
    struct iovec iov = {&number, sizeof number};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control};
    ssize_t got;
    unsigned came;

    if (send(spawner->fd, &ask, 1, MSG_NOSIGNAL) != 1) {
        return KLM_E_CLOSED;
    }
    do {
        got = recvmsg(spawner->fd, &msg, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof number) {
        return KLM_E_CLOSED;
    }
    came = take_fds(&msg, fds);
    if (number <= 0 || came != n) {
        close_all(fds, came);
        return number < 0 ? klm_rc_errno(-number) : KLM_E_IO;
    }
    memcpy(channels, fds, n * sizeof *fds);
    *pid = number;
    return KLM_OK;
}

void p11_spawner_stop(struct p11_spawner *spawner)
{
    if (spawner->pid <= 0) {
        return;
    }
    (void)close(spawner->fd); /* which tells it */
    while (waitpid(spawner->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *spawner = (struct p11_spawner){-1, 0};
}
