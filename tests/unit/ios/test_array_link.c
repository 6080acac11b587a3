/* The socket of an array: its messages, descriptors that come along, strangers and nonsense; an array that is on. */
#include "array_help.h"

#include "ios/array_link.h"
#include "ios/array_unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

static uint8_t bytes[IOS_LINK_MAX];
static size_t bytes_n;

static void take(struct klm_buf *buf)
{
    memcpy(bytes, buf->p, buf->n);
    bytes_n = buf->n;
    klm_buf_done(buf);
}

static void request(uint8_t op, const char *name)
{
    struct ios_link_request from = {.op = op};
    struct klm_buf buf;

    snprintf(from.name, sizeof from.name, "%s", name);
    klm_buf_init(&buf, IOS_LINK_MAX);
    REQUIRE_OK(ios_link_request_encode(&from, &buf));
    take(&buf);
}

TEST(requests_and_answers_come_back_and_not_one_byte_fewer_or_more)
{
    const struct ios_link_answer from = {IOS_LINK_FAILED, 1234567890123,
                                         "KLM1831E There is no volume X"};
    struct ios_link_request asked;
    struct ios_link_answer answer;
    struct klm_buf buf;

    request(IOS_LINK_WRITE, "VOL1");
    REQUIRE_OK(ios_link_request_decode(KLM_SLICE(bytes, bytes_n), &asked));
    CHECK_INT(asked.op, IOS_LINK_WRITE);
    CHECK_STR(asked.name, "VOL1");
    for (size_t n = 0; n < bytes_n; n++) {
        CHECK(ios_link_request_decode(KLM_SLICE(bytes, n), &asked) != KLM_OK);
    }
    CHECK(ios_link_request_decode(KLM_SLICE(bytes, bytes_n + 1), &asked) != KLM_OK);
    klm_buf_init(&buf, IOS_LINK_MAX);
    REQUIRE_OK(ios_link_answer_encode(&from, &buf));
    take(&buf);
    REQUIRE_OK(ios_link_answer_decode(KLM_SLICE(bytes, bytes_n), &answer));
    CHECK_INT(answer.outcome, IOS_LINK_FAILED);
    CHECK_INT(answer.bytes, 1234567890123);
    CHECK_STR(answer.text, from.text);
    for (size_t n = 0; n < bytes_n; n++) {
        CHECK(ios_link_answer_decode(KLM_SLICE(bytes, n), &answer) != KLM_OK);
    }
    CHECK(ios_link_answer_decode(KLM_SLICE(bytes, bytes_n + 1), &answer) != KLM_OK);
}

TEST(requests_that_make_no_sense_are_refused)
{
    struct ios_link_request bad[] = {
        {0, ""}, {5, ""}, {IOS_LINK_READ, ""}, {IOS_LINK_WRITE, "a"}, {IOS_LINK_OFF, "VOL1"}};
    struct ios_link_request asked;
    struct klm_buf buf;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        klm_buf_init(&buf, IOS_LINK_MAX);
        CHECK_RC(ios_link_request_encode(&bad[i], &buf), KLM_E_INVALID);
        klm_buf_done(&buf);
    }
    request(IOS_LINK_READ, "SIXTEEN_LETTERS1");
    bytes[5] = 17; /* the length of its name */
    CHECK(ios_link_request_decode(KLM_SLICE(bytes, bytes_n), &asked) != KLM_OK);
    request(IOS_LINK_STATUS, "");
    bytes[2] = 2; /* the version */
    CHECK(ios_link_request_decode(KLM_SLICE(bytes, bytes_n), &asked) != KLM_OK);
}

/* ---- Sockets */

static int pair[2];

static void send_bytes(const void *p, size_t n, const int *files, size_t files_n)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } passed = {.room = {0}};
    struct iovec iov = {(void *)(uintptr_t)p, n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (files_n) {
        message.msg_control = passed.room;
        message.msg_controllen = CMSG_SPACE(files_n * sizeof(int));
        passed.align.cmsg_level = SOL_SOCKET;
        passed.align.cmsg_type = SCM_RIGHTS;
        passed.align.cmsg_len = CMSG_LEN(files_n * sizeof(int));
        memcpy(CMSG_DATA(&passed.align), files, files_n * sizeof(int));
    }
    REQUIRE(sendmsg(pair[0], &message, MSG_NOSIGNAL) == (ssize_t)n);
}

static klm_rc taken(int *file)
{
    struct ios_link_request asked;

    return ios_link_take(pair[1], &asked, file);
}

/* How many descriptors the process has. */
static unsigned descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

TEST(a_descriptor_comes_with_a_volume_and_with_nothing_else_and_none_is_lost)
{
    int null[] = {open("/dev/null", O_RDWR), open("/dev/null", O_RDWR)}, file = -1;
    unsigned before;

    REQUIRE(null[0] >= 0 && null[1] >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    before = descriptors();
    request(IOS_LINK_WRITE, "VOL1");
    send_bytes(bytes, bytes_n, null, 1);
    REQUIRE_OK(taken(&file));
    CHECK(file >= 0 && fcntl(file, F_GETFD) == FD_CLOEXEC);
    close(file);
    send_bytes(bytes, bytes_n, NULL, 0);
    CHECK_RC(taken(&file), KLM_E_INVALID);
    send_bytes(bytes, bytes_n, null, 2); /* one too many */
    CHECK(taken(&file) != KLM_OK || file >= 0);
    if (file >= 0) {
        close(file);
    }
    request(IOS_LINK_STATUS, "");
    send_bytes(bytes, bytes_n, null, 1);
    CHECK_RC(taken(&file), KLM_E_INVALID);
    CHECK_INT(file, -1);
    send_bytes("nonsense", 8, null, 1);
    CHECK_RC(taken(&file), KLM_E_INVALID);
    memset(bytes, 'K', sizeof bytes);
    send_bytes(bytes, sizeof bytes, NULL, 0);
    CHECK(taken(&file) != KLM_OK);
    CHECK_INT(descriptors(), before);
    close(pair[0]);
    CHECK_RC(taken(&file), KLM_E_CLOSED);
    close(pair[1]);
    close(null[0]);
    close(null[1]);
}

TEST(an_array_that_is_off_or_in_a_folder_with_too_long_a_name_cannot_be_asked)
{
    struct ios_link_answer answer;
    struct klm_diag diag = {0};
    char folder[300];
    int fd;

    REQUIRE_OK(klm_folder_make(test_path("off"), 0700, NULL));
    CHECK_RC(ios_link_ask(test_path("off"), &(struct ios_link_request){.op = IOS_LINK_STATUS}, -1,
                          &diag, &answer),
             KLM_E_STATE);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_IS_OFF);
    memset(folder, 'x', sizeof folder);
    folder[sizeof folder - 1] = '\0';
    CHECK_RC(ios_link_listen(folder, &diag, &fd), KLM_E_LIMIT);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_SOCKET);
}

/* ---- An array that is on, unlocked by its recovery key */

static struct ios_power power;
static klm_rc ended;
static struct klm_diag end_diag;

static void *run_array(void *arg)
{
    (void)arg;
    ended = ios_array_power(&power, &end_diag);
    return NULL;
}

static klm_rc ask(uint8_t op, const char *name, int file, struct ios_link_answer *answer)
{
    struct ios_link_request from = {.op = op};
    struct klm_diag diag = {0};

    snprintf(from.name, sizeof from.name, "%s", name);
    return ios_link_ask(power.dir, &from, file, &diag, answer);
}

TEST(an_array_that_is_on_serves_volumes_until_it_is_switched_off)
{
    static const uint8_t key[32] = {3, 1, 4};
    struct ios_array_state state = array_state();
    struct ios_link_answer answer = {0};
    static char dir[80], text[IOS_RECOVERY_TEXT];
    pthread_t thread;
    sigset_t set;
    int file;

    (void)sigemptyset(&set); /* as the array has it, before there are threads */
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    snprintf(dir, sizeof dir, "/tmp/arrayXXXXXX"); /* short enough for a socket */
    REQUIRE(mkdtemp(dir) != NULL);
    state.recovery.state = IOS_RECOVERY_READY;
    REQUIRE_OK(ios_array_seal(IOS_USE_RECOVERY_KEY, state.serial, state.group, key, array_group_key,
                              state.recovery.salt, state.recovery.wrapped));
    array_put(dir, &state);
    REQUIRE_OK(ios_recovery_text(key, text));
    power = (struct ios_power){.dir = dir, .recovery = text};
    REQUIRE(pthread_create(&thread, NULL, run_array, NULL) == 0);
    while (ask(IOS_LINK_STATUS, "", -1, &answer) != KLM_OK || answer.outcome != IOS_LINK_DONE) {
        usleep(10000);
    }
    CHECK(strstr(answer.text, "recovery key") != NULL);
    struct klm_diag diag = {0};
    CHECK_RC(ios_array_power(&power, &diag), KLM_E_BUSY); /* switched on twice */
    file = open("/dev/zero", O_RDONLY);
    CHECK_RC(ask(IOS_LINK_READ, "NONE", file, &answer), KLM_OK);
    CHECK_INT(answer.outcome, IOS_LINK_FAILED);
    CHECK(strstr(answer.text, "KLM1831E") != NULL);
    close(file);
    file = open("/dev/null", O_RDONLY);
    CHECK_RC(ask(IOS_LINK_WRITE, "EMPTY", file, &answer), KLM_OK);
    CHECK_INT(answer.outcome, IOS_LINK_DONE);
    close(file);
    CHECK_RC(ask(IOS_LINK_OFF, "", -1, &answer), KLM_OK);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK_RC(ended, KLM_OK);
    CHECK(ask(IOS_LINK_STATUS, "", -1, &answer) != KLM_OK);
    /* Off twice is told; what was written is there; the folder goes. */
    char path[200];
    static const char *const files[] = {"volumes/EMPTY.vol", "array.state", "array.lock",
                                        "array.on"};
    for (size_t i = 0; i < KLM_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        CHECK(unlink(path) == 0);
    }
    snprintf(path, sizeof path, "%s/volumes", dir);
    CHECK(rmdir(path) == 0 && rmdir(dir) == 0);
}
