/* Bursts of transfers, with the kernel's AIO and without. */
#include "test.h"

#include "base/burst.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 5
static int ours[N], theirs[N];
static char room[N][16];
static struct klm_transfer transfer[N], *list[N];

static void open_all(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < N; i++) {
        int fd[2];

        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
        ours[i] = fd[0];
        theirs[i] = fd[1];
        memset(room[i], 0, sizeof room[i]);
        transfer[i] = (struct klm_transfer){.fd = fd[0], .p = room[i], .n = sizeof room[i]};
        list[i] = &transfer[i];
    }
}

static void close_all(void)
{
    for (int i = 0; i < N; i++) {
        close(ours[i]);
        if (theirs[i] >= 0) {
            close(theirs[i]);
        }
    }
}

static void hang_up(int i)
{
    close(theirs[i]);
    theirs[i] = -1;
}

/* Each read has its own outcome: bytes, nothing there, the end, no descriptor. */
static bool reads_are_right(struct klm_burst *burst, size_t n)
{
    bool right = true;

    open_all();
    REQUIRE(write(theirs[0], "first", 5) == 5 && write(theirs[4], "the last of them", 16) == 16);
    hang_up(2);
    transfer[3].fd = -1;
    klm_burst_run(burst, false, list, n);
    right = right && transfer[0].done == 5 && memcmp(room[0], "first", 5) == 0;
    right = right && (n < 2 || transfer[1].done == -EAGAIN);
    right = right && (n < 3 || transfer[2].done == 0);
    right = right && (n < 4 || transfer[3].done == -EBADF);
    right = right && (n < 5 || (transfer[4].done == 16 && memcmp(room[4], "the last", 8) == 0));
    close_all();
    return right;
}

/* Of a full socket, of one whose other end is gone, and of two that take all. */
static bool writes_are_right(struct klm_burst *burst)
{
    static char some[4096], answer[] = "an answer";
    char got[16] = "";
    bool right;

    open_all();
    for (size_t n = sizeof some; n > 0; n /= 2) { /* to the last byte */
        while (send(ours[1], some, n, MSG_DONTWAIT) > 0) {
        }
    }
    hang_up(2);
    for (int i = 0; i < N; i++) {
        transfer[i].p = answer;
        transfer[i].n = 9;
    }
    klm_burst_run(burst, true, list, N);
    right = transfer[0].done == 9 && transfer[1].done == -EAGAIN && transfer[2].done == -EPIPE &&
            transfer[3].done == 9 && transfer[4].done == 9;
    right = right && read(theirs[3], got, sizeof got) == 9 && memcmp(got, "an answer", 9) == 0;
    close_all();
    return right;
}

static bool all_are_right(void)
{
    struct klm_burst *burst = NULL;
    bool right = klm_burst_new(&burst) == KLM_OK;

    for (size_t n = 1; n <= N; n++) {
        right = right && reads_are_right(burst, n);
    }
    right = right && writes_are_right(burst);
    klm_burst_free(&burst);
    return right && burst == NULL;
}

TEST(each_transfer_of_a_burst_has_the_outcome_of_its_own)
{
    CHECK(all_are_right());
}

TEST(more_bursts_than_the_ring_has_places)
{
    struct klm_burst *burst = NULL;
    bool right = true;

    REQUIRE_OK(klm_burst_new(&burst));
    open_all();
    for (int round = 0; round < 1000 && right; round++) {
        for (int i = 0; i < N; i++) {
            right = right && write(theirs[i], &round, sizeof round) == sizeof round;
        }
        klm_burst_run(burst, false, list, N);
        for (int i = 0; i < N; i++) {
            right = right && transfer[i].done == sizeof round &&
                    memcmp(room[i], &round, sizeof round) == 0;
        }
    }
    CHECK(right);
    close_all();
    klm_burst_free(&burst);
}

/* Let io_setup fail as it does where nobody may use AIO. */
static bool forbid_aio(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Where no filter can be set (under an emulator of another processor) there is no AIO either. */
TEST(without_aio_the_outcomes_are_the_same)
{
    int status = 0;
    pid_t child = fork();

    REQUIRE(child >= 0);
    if (child == 0) {
        (void)forbid_aio();
        _exit(all_are_right() ? 0 : 1);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
