/* The syslog sink without its thread, against receivers of the test's own: what is sent, what counts as received, what goes again. */
#include "smf_test.h"

#include "smf/syslog_driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static char said[16384];

static void keep_line(void *arg, char severity, const char *line)
{
    size_t n = strlen(said);

    (void)arg;
    (void)severity;
    snprintf(said + n, sizeof said - n, "%s\n", line);
}

struct rig {
    struct smf_journal *journal;
    struct smf_syslog *sink;
    struct smf_syslog_options options;
    char *folder;
    uint64_t appended;
};

static struct rig rig_new(enum smf_syslog_transport transport)
{
    struct rig rig = {.options = {.transport = transport,
                                  .facility = 13,
                                  .server_id = "test",
                                  .host = "127.0.0.1",
                                  .timeout_ms = test_ms(2000)}};

    signal(SIGPIPE, SIG_IGN); /* as the task does */
    said[0] = '\0';
    klm_say_to(keep_line, NULL);
    rig.folder = strdup(new_folder());
    REQUIRE(rig.folder != NULL);
    rig.journal = open_journal(in_folder(rig.folder, "journal"), 0);
    rig.options.folder = rig.folder;
    return rig;
}

static void rig_open(struct rig *rig)
{
    struct klm_diag diag = {0};

    REQUIRE_OK(smf_syslog_new(&rig->options, rig->journal, &diag, &rig->sink));
}

static void rig_done(struct rig *rig)
{
    smf_syslog_close(&rig->sink);
    smf_journal_close(&rig->journal);
    free(rig->folder);
    klm_say_to(NULL, NULL);
}

/* Hand n further records to the driver, as the sink's thread does. */
static void take(struct rig *rig, unsigned n, bool left_out)
{
    while (n--) {
        char verb[24];
        struct smf_record record = {.seq = append(rig->journal, ++rig->appended, 0),
                                    .server_id = "test",
                                    .left_out = left_out,
                                    .event = {.kind = SMF_RUNTIME,
                                              .time = 1318966509000000,
                                              .field = {[SMF_F_VERB] = verb}}};

        snprintf(verb, sizeof verb, "v%" PRIu64, rig->appended);
        REQUIRE_OK(smf_syslog_driver.take(rig->sink, &record));
    }
}

/* The same again, from where the driver says. */
static void take_again(struct rig *rig, uint64_t after)
{
    for (uint64_t seq = after + 1; seq <= rig->appended; seq++) {
        char verb[24];
        struct smf_record record = {.seq = seq,
                                    .server_id = "test",
                                    .event = {.kind = SMF_RUNTIME,
                                              .time = 1318966509000000,
                                              .field = {[SMF_F_VERB] = verb}}};

        snprintf(verb, sizeof verb, "v%" PRIu64, seq);
        REQUIRE_OK(smf_syslog_driver.take(rig->sink, &record));
    }
}

static klm_rc put(struct rig *rig, uint64_t *written)
{
    return smf_syslog_driver.write(rig->sink, written);
}

static int bind_tcp(unsigned *port, int buffer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (buffer) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int listen_tcp(unsigned *port, int buffer)
{
    int fd = bind_tcp(port, buffer);

    REQUIRE(listen(fd, 8) == 0);
    return fd;
}

/* Everything that comes within a moment. */
static size_t receive(int fd, char *out, size_t cap)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;

    while (n + 1 < cap && poll(&p, 1, (int)test_ms(150)) == 1) {
        ssize_t got = recv(fd, out + n, cap - 1 - n, 0);

        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    out[n] = '\0';
    return n;
}

/* Frames "LEN SP MSG" one behind the other, each with the next sequence number. How many. */
static unsigned frames(const char *p, uint64_t first)
{
    unsigned n = 0;

    while (*p) {
        char *end, expected[64];
        size_t length = strtoul(p, &end, 10);

        if (end == p || *end != ' ' || strlen(end + 1) < length) {
            return 0;
        }
        snprintf(expected, sizeof expected, " [klmsrv@32473 sequence=\"%" PRIu64 "\" ", first + n);
        CHECK(memmem(end + 1, length, expected, strlen(expected)) != NULL);
        p = end + 1 + length;
        n++;
    }
    return n;
}

static void wait_ms(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

TEST(over_tcp_each_message_has_its_length_before_it_and_moves_the_cursor)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    char got[8192];
    uint64_t written = 0;
    int listener = listen_tcp(&rig.options.port, 0), fd;

    rig_open(&rig);
    take(&rig, 3, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    CHECK_INT(written, 3);
    fd = accept(listener, NULL, NULL);
    receive(fd, got, sizeof got);
    CHECK_INT(frames(got, 1), 3);
    smf_syslog_driver.tick(rig.sink);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 3);
    close(fd);
    close(listener);
    rig_done(&rig);
}

TEST(what_was_sent_a_short_time_ago_is_sent_again_when_the_connection_breaks)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    char first[8192], second[8192];
    uint64_t written = 0, after = 99;
    int listener = listen_tcp(&rig.options.port, 0), fd;

    rig.options.resend_ms = 60000;
    rig_open(&rig);
    take(&rig, 3, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    CHECK(!smf_syslog_driver.again(rig.sink, &after));
    fd = accept(listener, NULL, NULL);
    receive(fd, first, sizeof first);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 0);
    close(fd);
    wait_ms(50);
    smf_syslog_driver.tick(rig.sink);
    CHECK(strstr(said, "KLM0770W") != NULL);
    REQUIRE(smf_syslog_driver.again(rig.sink, &after));
    CHECK_INT(after, 0);
    CHECK(!smf_syslog_driver.again(rig.sink, &after)); /* once */
    take_again(&rig, after);
    CHECK_RC(put(&rig, &written), KLM_E_CLOSED); /* not before its time */
    wait_ms(1100);
    CHECK_RC(put(&rig, &written), KLM_OK);
    CHECK_INT(written, 3);
    fd = accept(listener, NULL, NULL);
    receive(fd, second, sizeof second);
    CHECK_STR(second, first); /* byte for byte: the chain begins at the cursor again */
    CHECK(strstr(said, "KLM0772I") != NULL);
    close(fd);
    close(listener);
    rig_done(&rig);
}

TEST(a_receiver_that_ends_in_order_has_everything_when_the_sink_stops)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    struct smf_syslog_place place = {0};
    char got[8192];
    uint64_t written = 0;
    int listener = listen_tcp(&rig.options.port, 0), fd;
    pid_t child;

    rig.options.resend_ms = 60000;
    rig_open(&rig);
    take(&rig, 2, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    child = fork();
    if (child == 0) { /* reads to the end, then closes */
        fd = accept(listener, NULL, NULL);
        while (recv(fd, got, sizeof got, 0) > 0) {
        }
        _exit(0);
    }
    smf_syslog_close(&rig.sink);
    (void)waitpid(child, NULL, 0);
    CHECK_RC(smf_syslog_cursor_load(in_folder(rig.folder, "syslog.cursor"), &place, NULL), KLM_OK);
    CHECK_INT(place.seq, 2);
    close(listener);
    rig_done(&rig);
}

static _Thread_local unsigned
    jump_in; /* looks at the clock until it jumps, in this thread; 0: it does not */
static _Thread_local time_t jumped; /* seconds that it has jumped */

/* In front of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_MONOTONIC) {
        jumped += jump_in == 1 ? 10 : 0;
        jump_in -= jump_in > 0;
        ts->tv_sec += jumped;
    }
    return rc;
}

/* The thread may stand still at any line: the time is over then. */
TEST(the_wait_for_a_receivers_end_has_an_end_whenever_time_runs_out)
{
    for (unsigned look = 1; look <= 8; look++) {
        struct rig rig = rig_new(SMF_SYSLOG_TCP);
        uint64_t written = 0;
        int listener = listen_tcp(&rig.options.port, 0);

        rig.options.resend_ms = 60000;
        rig_open(&rig);
        take(&rig, 1, false);
        CHECK_RC(put(&rig, &written), KLM_OK);
        jump_in = look;
        smf_syslog_finish(rig.sink, test_ms(50)); /* nobody ever closes the other side */
        jump_in = 0;
        CHECK_INT(smf_syslog_place(rig.sink).seq, 0);
        close(listener);
        rig_done(&rig);
        jumped = 0; /* a wait of a later test would last so much longer */
    }
}

TEST(a_receiver_that_is_not_there_is_said_once_and_tried_seldom)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    uint64_t written = 7;
    int listener = bind_tcp(&rig.options.port, 0); /* does not listen, and nobody else can */

    rig_open(&rig);
    take(&rig, 1, false);
    CHECK_RC(put(&rig, &written), KLM_E_CLOSED);
    CHECK_RC(put(&rig, &written), KLM_E_CLOSED);
    CHECK_INT(written, 7);
    CHECK(strstr(said, "KLM0770W Audit events do not reach the syslog receiver tcp:127.0.0.1:") !=
          NULL);
    CHECK(strstr(strstr(said, "KLM0770W") + 1, "KLM0770W") == NULL);
    close(listener);
    rig_done(&rig);
}

TEST(a_name_that_does_not_resolve_is_a_failure_like_others)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    uint64_t written = 0;
    klm_rc rc;

    rig.options.host = "no-such-host.invalid";
    rig.options.port = 1;
    rig_open(&rig);
    take(&rig, 1, false);
    rc = put(&rig, &written);
    CHECK(rc == KLM_E_NOTFOUND || rc == KLM_E_TIMEOUT);
    CHECK(strstr(said, "KLM0770W") != NULL);
    rig_done(&rig);
}

TEST(records_that_were_left_out_move_the_place_and_are_not_sent)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    char got[8192];
    uint64_t written = 0;
    int listener = listen_tcp(&rig.options.port, 0), fd;

    rig_open(&rig);
    take(&rig, 2, true);
    CHECK_RC(put(&rig, &written), KLM_OK);
    CHECK_INT(written, 2);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 2);
    take(&rig, 1, false);
    take(&rig, 1, true);
    CHECK_RC(put(&rig, &written), KLM_OK);
    CHECK_INT(written, 4);
    fd = accept(listener, NULL, NULL);
    receive(fd, got, sizeof got);
    CHECK_INT(frames(got, 3), 1);
    close(fd);
    close(listener);
    rig_done(&rig);
}

/* Many records while the receiver reads nothing: the call comes back in its time, the connection stands, the cursor too. */
TEST(a_receiver_that_reads_nothing_stops_neither_sink_nor_order)
{
    static char got[8u << 20];
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    uint64_t written = 0, after;
    int listener = listen_tcp(&rig.options.port, 4096), fd;
    size_t n = 0;
    unsigned batches = 0;
    klm_rc rc;

    rig.options.timeout_ms = 300;
    rig_open(&rig);
    do {
        while (!smf_syslog_driver.full(rig.sink)) {
            take(&rig, 1, false);
        }
        rc = put(&rig, &written);
    } while (rc == KLM_OK && ++batches < 32);
    CHECK_RC(rc, KLM_E_TIMEOUT);
    CHECK(strstr(said, "the receiver takes nothing") != NULL);
    CHECK_RC(put(&rig, &written), KLM_E_TIMEOUT);
    CHECK(smf_syslog_place(rig.sink).seq < rig.appended);
    CHECK(!smf_syslog_driver.again(rig.sink, &after)); /* nothing is lost, nothing goes again */
    fd = accept(listener, NULL, NULL);
    while ((rc = put(&rig, &written)) == KLM_E_TIMEOUT && n < sizeof got / 2) {
        n += receive(fd, got + n, sizeof got - n);
    }
    CHECK_RC(rc, KLM_OK);
    CHECK_INT(written, rig.appended);
    (void)receive(fd, got + n, sizeof got - n);
    CHECK_INT(frames(got, 1), rig.appended);
    CHECK(strstr(said, "KLM0772I") != NULL);
    close(fd);
    close(listener);
    rig_done(&rig);
}

TEST(a_receiver_that_closes_while_nothing_is_under_way_is_no_failure)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    char got[8192];
    uint64_t written = 0, after;
    int listener = listen_tcp(&rig.options.port, 0), fd;

    rig_open(&rig);
    take(&rig, 1, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    fd = accept(listener, NULL, NULL);
    receive(fd, got, sizeof got);
    smf_syslog_driver.tick(rig.sink);
    close(fd);
    wait_ms(50);
    smf_syslog_driver.tick(rig.sink);
    CHECK(!smf_syslog_driver.again(rig.sink, &after));
    CHECK_STR(said, "");
    take(&rig, 1, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    fd = accept(listener, NULL, NULL);
    receive(fd, got, sizeof got);
    CHECK_INT(frames(got, 2), 1);
    close(fd);
    close(listener);
    rig_done(&rig);
}

TEST(over_udp_each_message_is_a_datagram_and_a_refusal_counts)
{
    struct rig rig = rig_new(SMF_SYSLOG_UDP);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    char got[8192];
    uint64_t written = 0, after;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    rig.options.port = ntohs(at.sin_port);
    rig.options.resend_ms = 60000;
    rig_open(&rig);
    take(&rig, 2, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    for (int i = 1; i <= 2; i++) {
        char expected[32];
        ssize_t length = recv(fd, got, sizeof got - 1, 0);

        got[length > 0 ? length : 0] = '\0';
        snprintf(expected, sizeof expected, " sequence=\"%d\" ", i);
        CHECK(strstr(got, expected) != NULL);
        CHECK(strncmp(got, "<110>1 ", 7) == 0);
    }
    close(fd);
    take(&rig, 1, false);
    CHECK_RC(put(&rig, &written), KLM_OK); /* the answer comes later */
    wait_ms(50);
    smf_syslog_driver.tick(rig.sink);
    CHECK(strstr(said, "KLM0770W") != NULL);
    CHECK(smf_syslog_driver.again(rig.sink, &after));
    CHECK_INT(after, 0);
    take_again(&rig, after);
    wait_ms(1100);
    CHECK_RC(put(&rig, &written), KLM_E_CLOSED); /* the first one asks whether somebody listens */
    rig_done(&rig);
}

static int listen_unix(int type, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    REQUIRE(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    if (type == SOCK_STREAM) {
        REQUIRE(listen(fd, 4) == 0);
    }
    return fd;
}

TEST(the_local_socket_may_be_of_datagrams_or_a_stream)
{
    for (int i = 0; i < 2; i++) {
        struct rig rig = rig_new(SMF_SYSLOG_LOCAL);
        char path[100], got[8192];
        uint64_t written = 0;
        int listener, fd;

        snprintf(path, sizeof path, "/tmp/klm-log-%d", (int)getpid());
        listener = listen_unix(i ? SOCK_STREAM : SOCK_DGRAM, path);
        rig.options.socket = path;
        rig_open(&rig);
        take(&rig, 2, false);
        CHECK_RC(put(&rig, &written), KLM_OK);
        smf_syslog_driver.tick(rig.sink);
        CHECK_INT(smf_syslog_place(rig.sink).seq, 0); /* nobody has read it */
        fd = i ? accept(listener, NULL, NULL) : listener;
        receive(fd, got, sizeof got);
        CHECK(strncmp(got, "<110>1 ", 7) == 0);
        CHECK(strstr(got, " sequence=\"1\" ") && strstr(got, " sequence=\"2\" "));
        CHECK((strchr(got, '\n') != NULL) ==
              (i == 1)); /* a stream's messages end with a line end */
        smf_syslog_driver.tick(rig.sink);
        CHECK_INT(smf_syslog_place(rig.sink).seq, 2);
        if (i) {
            close(fd);
        }
        close(listener);
        (void)unlink(path);
        rig_done(&rig);
    }
}

TEST(a_socket_whose_name_is_too_long_or_that_is_not_there_is_a_failure_that_is_said)
{
    char path[110];

    for (size_t n = 107; n <= 108; n++) { /* sun_path has 108 bytes with its NUL */
        struct rig rig = rig_new(SMF_SYSLOG_LOCAL);
        uint64_t written = 0;

        memset(path, 'x', sizeof path);
        path[0] = '/';
        path[n] = '\0';
        rig.options.socket = path;
        rig_open(&rig);
        take(&rig, 1, false);
        CHECK_RC(put(&rig, &written), n == 107 ? KLM_E_CLOSED : KLM_E_LIMIT);
        CHECK(strstr(said, n == 107 ? "No such file" : "too long for a socket") != NULL);
        rig_done(&rig);
    }
}

TEST(a_cursor_that_cannot_be_written_is_said_and_events_still_go_out)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    char folder[600], got[8192];
    uint64_t written = 0;
    int listener = listen_tcp(&rig.options.port, 0), fd;

    snprintf(folder, sizeof folder, "%s/cursor", rig.folder);
    rig.options.folder = folder;
    rig_open(&rig);
    REQUIRE(unlink(in_folder(folder, "syslog.cursor")) == 0 && rmdir(folder) == 0);
    take(&rig, 1, false);
    CHECK_RC(put(&rig, &written), KLM_OK);
    fd = accept(listener, NULL, NULL);
    receive(fd, got, sizeof got);
    CHECK_INT(frames(got, 1), 1);
    smf_syslog_driver.tick(rig.sink);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 1);
    CHECK(strstr(said, "syslog.cursor cannot be written") != NULL);
    close(fd);
    close(listener);
    rig_done(&rig);
}

TEST(the_cursor_is_read_as_it_was_written_and_nothing_else)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    struct smf_syslog_place place = {.seq = 18446744073709551615u}, back = {.seq = 5};
    char path[800], text[300];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s", in_folder(rig.folder, "c"));
    CHECK_RC(smf_syslog_cursor_load(path, &back, NULL), KLM_E_NOTFOUND);
    memset(place.chain, 0x5A, sizeof place.chain);
    CHECK_RC(smf_syslog_cursor_save(path, &place, NULL), KLM_OK);
    CHECK_RC(smf_syslog_cursor_load(path, &back, NULL), KLM_OK);
    CHECK(back.seq == place.seq);
    CHECK_MEM(back.chain, place.chain, 32);
    f = fopen(path, "rb");
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    for (size_t cut = 0; cut <= n + 1; cut++) { /* each length but the right one */
        if (cut == n) {
            continue;
        }
        text[n] = 'x';
        f = fopen(path, "wb");
        CHECK_INT(fwrite(text, 1, cut, f), cut);
        fclose(f);
        back.seq = 5;
        CHECK_RC(smf_syslog_cursor_load(path, &back, NULL), KLM_E_CORRUPT);
        CHECK_INT(back.seq, 5);
    }
    rig_done(&rig);
}

TEST(a_damaged_cursor_begins_anew_and_one_ahead_stands_at_the_end)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    struct smf_syslog_place ahead = {.seq = 100};
    const char *path = in_folder(rig.folder, "syslog.cursor");
    FILE *f = fopen(path, "wb");

    fputs("rubbish", f);
    fclose(f);
    rig.options.port = 1;
    rig_open(&rig);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 0);
    CHECK(strstr(said, "KLM0774W") != NULL);
    smf_syslog_close(&rig.sink);
    CHECK_RC(smf_syslog_cursor_save(path, &ahead, NULL), KLM_OK);
    append(rig.journal, 1, 0);
    rig_open(&rig);
    CHECK_INT(smf_syslog_place(rig.sink).seq, 1);
    CHECK(strstr(said, "KLM0775W") != NULL);
    rig_done(&rig);
}

TEST(a_plug_in_that_cannot_be_loaded_stops_the_opening_with_a_message)
{
    static const char *const paths[] = {"/nowhere/evtlog.so", "/usr/lib/x86_64-linux-gnu/libz.so.1",
                                        "/etc/passwd"};
    struct rig rig = rig_new(SMF_SYSLOG_EVTLOG);

    for (size_t i = 0; i < KLM_COUNT(paths); i++) {
        struct klm_diag diag = {0};

        rig.options.plugin = paths[i];
        CHECK_RC(smf_syslog_open(&rig.options, rig.journal, &diag, &rig.sink), KLM_E_INVALID);
        CHECK(strncmp(diag.text, "KLM0773E The plug-in ", 21) == 0);
        CHECK(rig.sink == NULL);
    }
    rig_done(&rig);
}

/* Work aside that blocks until it is told to go on. */
struct blocked {
    int gate[2], freed[2];
};

static void block(void *arg)
{
    struct blocked *b = arg;
    char byte;

    CHECK_INT(read(b->gate[0], &byte, 1), 1);
}

static void tell_freed(void *arg)
{
    struct blocked *b = arg;

    CHECK_INT(write(b->freed[1], "", 1), 1);
}

TEST(work_aside_may_be_left_while_it_blocks_and_is_freed_when_it_ends)
{
    struct blocked b;
    struct klm_aside *aside = NULL;
    struct pollfd p;
    char byte;

    REQUIRE(pipe(b.gate) == 0 && pipe(b.freed) == 0);
    p = (struct pollfd){.fd = b.freed[0], .events = POLLIN};
    for (int left = 0; left < 2; left++) {
        REQUIRE_OK(klm_aside_start(block, tell_freed, &b, &aside));
        CHECK(!klm_aside_ended(aside));
        if (left) {
            klm_aside_release(&aside);
            CHECK(aside == NULL);
            CHECK_INT(poll(&p, 1, (int)test_ms(50)), 0); /* the thread still holds it */
            CHECK_INT(write(b.gate[1], "", 1), 1);
        } else {
            CHECK_INT(write(b.gate[1], "", 1), 1);
            while (!klm_aside_ended(aside)) {
                wait_ms(1);
            }
            CHECK(klm_aside_ended(aside)); /* also when asked twice */
            klm_aside_release(&aside);
        }
        CHECK_INT(read(b.freed[0], &byte, 1), 1);
        klm_aside_release(&aside);
    }
    wait_ms(50); /* the thread closes its side behind the free */
    for (int i = 0; i < 2; i++) {
        close(b.gate[i]);
        close(b.freed[i]);
    }
}

static uint64_t ms_now(void)
{
    return klm_clock_mono_ms();
}

/* With its thread: status tells the backlog, and the end does not wait for a receiver that takes nothing. */
TEST(the_sink_ends_in_time_while_a_receiver_takes_nothing)
{
    struct rig rig = rig_new(SMF_SYSLOG_TCP);
    struct smf_sink_status status;
    struct klm_diag diag = {0};
    int listener = listen_tcp(&rig.options.port, 4096);
    uint64_t began;

    rig.options.timeout_ms = 60000;
    for (unsigned i = 0; i < 12000; i++) {
        append(rig.journal, i, 0);
    }
    REQUIRE_OK(smf_syslog_open(&rig.options, rig.journal, &diag, &rig.sink));
    CHECK_RC(smf_sink_drain(smf_syslog_core(rig.sink), 500), KLM_E_TIMEOUT);
    smf_sink_get_status(smf_syslog_core(rig.sink), &status);
    CHECK_STR(status.name, "syslog");
    CHECK(status.backlog > 0 && status.backlog <= 12000);
    began = ms_now();
    smf_syslog_close(&rig.sink);
    CHECK(ms_now() - began < test_ms(4000));
    close(listener);
    rig_done(&rig);
}
