/* Streams in clear: bytes, bounds, deadlines, closing. */
#include "stream_rig.h"

TEST(input_is_heard_and_answers_are_sent)
{
    struct rig rig;
    char text[8] = "";

    rig_init(&rig);
    rig.echo = rig.stop_on_data = true;
    rig_stream(&rig);
    CHECK(klm_stream_ssl(rig.stream) == NULL);
    for (int i = 0; i < 3; i++) {
        REQUIRE(write(rig.peer, "hello", 5) == 5);
        CHECK(rig_run(&rig, 2000));
        CHECK(read(rig.peer, text, sizeof text) == 5);
        CHECK_STR(text, "hello");
    }
    CHECK_STR((char *)rig.got, "hellohellohello");
    rig_done(&rig);
}

TEST(the_peer_has_a_name)
{
    struct rig rig;
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    char expected[40];
    int fd[2];

    rig_init(&rig);
    REQUIRE(getsockname(rig.peer, (struct sockaddr *)&in, &n) == 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(in.sin_port));
    rig_stream(&rig);
    CHECK_STR(klm_stream_peer(rig.stream), expected);
    klm_stream_free(&rig.stream);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    REQUIRE_OK(klm_stream_new(fd[0], &rig.cfg, &rig.owner, &rig.stream));
    CHECK_STR(klm_stream_peer(rig.stream), "local");
    close(fd[1]);
    rig_done(&rig);
}

TEST(a_peer_over_ipv6_is_named_in_brackets)
{
    struct rig rig;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t n = sizeof in6;
    int listener = socket(AF_INET6, SOCK_STREAM, 0), fd, peer = socket(AF_INET6, SOCK_STREAM, 0);
    char expected[40];

    rig_init(&rig);
    close(rig.fd);
    REQUIRE(bind(listener, (struct sockaddr *)&in6, n) == 0 && listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&in6, &n) == 0);
    REQUIRE(connect(peer, (struct sockaddr *)&in6, n) == 0);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    REQUIRE_OK(klm_stream_new(fd, &rig.cfg, &rig.owner, &rig.stream));
    REQUIRE(getsockname(peer, (struct sockaddr *)&in6, &n) == 0);
    snprintf(expected, sizeof expected, "[::1]:%u", ntohs(in6.sin6_port));
    CHECK_STR(klm_stream_peer(rig.stream), expected);
    close(listener);
    close(peer);
    rig_done(&rig);
}

TEST(a_peer_that_closes_is_heard_once_after_all_it_said)
{
    struct rig rig;

    rig_init(&rig);
    rig_stream(&rig);
    REQUIRE(write(rig.peer, "last words", 10) == 10);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 2000));
    CHECK_STR((char *)rig.got, "last words");
    CHECK_INT(rig.closed, 1);
    CHECK_RC(rig.why, KLM_E_CLOSED);
    CHECK(rig.stream == NULL);
    rig_done(&rig);
}

TEST(a_peer_that_resets_is_an_error_with_words)
{
    struct rig rig;
    struct linger hard = {1, 0};

    rig_init(&rig);
    rig_stream(&rig);
    REQUIRE(setsockopt(rig.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_IO);
    CHECK_STR(rig.words, "Connection reset by peer");
    rig_done(&rig);
}

TEST(sending_to_a_peer_that_is_gone_fails_and_closed_is_called_later)
{
    struct rig rig;
    struct linger hard = {1, 0};
    klm_rc rc = KLM_OK;

    rig_init(&rig);
    rig_stream(&rig);
    REQUIRE(setsockopt(rig.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
    close(rig.peer);
    rig.peer = -1;
    rig.in_send = true;
    for (int i = 0; i < 100 && rc == KLM_OK; i++) {
        rc = klm_stream_send(rig.stream, klm_slice_str("anybody there?"));
    }
    CHECK_RC(rc, KLM_E_CLOSED);
    CHECK_INT(rig.closed, 0);
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("x")), KLM_E_CLOSED);
    rig.in_send = false;
    CHECK(rig_run(&rig, 2000));
    CHECK_INT(rig.closed, 1);
    CHECK(!rig.closed_in_send);
    rig_done(&rig);
}

TEST(after_closed_nothing_more_is_called_though_the_stream_lives_on)
{
    struct rig rig;

    rig_init(&rig);
    rig.keep_open = true;
    rig_stream(&rig);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 2000));
    klm_stream_close(rig.stream);
    klm_stream_pause(rig.stream, true);
    klm_stream_pause(rig.stream, false);
    klm_stream_message_begun(rig.stream);
    klm_stream_message_done(rig.stream);
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("x")), KLM_E_CLOSED);
    CHECK(!rig_run(&rig, 30));
    CHECK_INT(rig.closed, 1);
    rig_done(&rig);
}

TEST(unread_input_is_bounded_and_reading_goes_on_when_some_is_dropped)
{
    struct rig rig;
    char text[300];

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i % 26);
    }
    rig_init(&rig);
    rig.cfg.max_input = 100;
    rig.take = false;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, text, 300) == 300);
    CHECK(!rig_run(&rig, 30));
    CHECK_INT(klm_stream_input(rig.stream)->n, 100);
    CHECK_INT(rig.datas, 1);
    klm_buf_drop(klm_stream_input(rig.stream), 60);
    klm_stream_message_done(rig.stream);
    CHECK(!rig_run(&rig, 30));
    CHECK_INT(klm_stream_input(rig.stream)->n, 100);
    CHECK_MEM(klm_stream_input(rig.stream)->p, text + 60, 100);
    rig_done(&rig);
}

TEST(unsent_output_is_bounded)
{
    static uint8_t big[1001];
    struct rig rig;

    rig_init(&rig);
    rig.cfg.max_output = 1000;
    rig_stream(&rig);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, 1001)), KLM_E_LIMIT);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, 1000)), KLM_OK);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, 0)), KLM_OK);
    CHECK_INT(recv(rig.peer, big, sizeof big, MSG_WAITALL | MSG_DONTWAIT), 1000);
    rig_done(&rig);
}

/* Another pair of sockets for the rig, local ones: TCP's take more at some later time. */
static void use_local_sockets(struct rig *rig)
{
    int fd[2];

    close(rig->fd);
    close(rig->peer);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    REQUIRE(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
    rig->fd = fd[0];
    rig->peer = fd[1];
}

/* Fill the sockets and then all that may stay in the stream; bytes sent. */
static size_t fill(struct rig *rig)
{
    static uint8_t some[1000];
    size_t total = 0;
    klm_rc rc;

    while ((rc = klm_stream_send(rig->stream, KLM_SLICE(some, sizeof some))) == KLM_OK) {
        total += sizeof some;
    }
    CHECK_RC(rc, KLM_E_LIMIT);
    return total;
}

TEST(output_that_stays_is_bounded_too_and_leaves_when_the_peer_reads)
{
    static uint8_t sink[65536];
    struct rig rig;
    size_t total, got = 0;

    rig_init(&rig);
    rig.cfg.max_output = 50000;
    use_local_sockets(&rig);
    rig_stream(&rig);
    total = fill(&rig);
    CHECK(total > 50000);
    for (int i = 0; i < 500 && got < total; i++) {
        ssize_t n = recv(rig.peer, sink, sizeof sink, MSG_DONTWAIT);

        got += n > 0 ? (size_t)n : 0;
        rig_run(&rig, 2);
    }
    CHECK_INT(got, total);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(sink, 50000)), KLM_OK);
    CHECK_INT(rig.closed, 0);
    rig_done(&rig);
}

/* Answers each byte with 30,000, as long as it may; what it may not stays in the input. */
static void answer_while_room(void *arg, struct klm_stream *stream)
{
    static const uint8_t answer[30000];
    struct rig *rig = arg;
    struct klm_buf *in = klm_stream_input(stream);

    rig->datas++;
    while (in->n > 0 && !klm_stream_clogged(stream)) {
        klm_buf_drop(in, 1);
        CHECK_RC(klm_stream_send(stream, KLM_SLICE(answer, sizeof answer)), KLM_OK);
        rig->got_n++;
    }
    CHECK(klm_stream_pending(stream) < 65536 + sizeof answer);
    if (rig->stop_on_data) {
        klm_loop_stop(rig->loop);
    }
}

static void *read_slowly(void *arg)
{
    const int fd = *(int *)arg;
    static uint8_t bytes[65536];
    size_t *got = (size_t *)calloc(1, sizeof *got);

    for (ssize_t n = 1; got && *got < 300 * 30000 && n > 0; *got += n > 0 ? (size_t)n : 0) {
        n = recv(fd, bytes, sizeof bytes, 0);
    }
    shutdown(fd, SHUT_RDWR);
    return got;
}

TEST(an_owner_that_waits_while_output_waits_needs_no_more_room_than_one_answer)
{
    uint8_t requests[300] = {1};
    struct rig rig;
    pthread_t reader;
    size_t *got;

    rig_init(&rig);
    rig.owner.data = answer_while_room;
    rig.cfg.max_output = 65536 + 30000;
    rig_stream(&rig);
    REQUIRE(send(rig.peer, requests, sizeof requests, 0) == (ssize_t)sizeof requests);
    rig.stop_on_data = true;
    CHECK(rig_run(&rig, 5000));
    rig.stop_on_data = false;
    CHECK(rig.got_n >= 3 && rig.got_n < 300); /* nobody reads yet */
    REQUIRE(pthread_create(&reader, NULL, read_slowly, &rig.peer) == 0);
    CHECK(rig_run(&rig, 10000));
    REQUIRE(pthread_join(reader, (void **)&got) == 0 && got);
    CHECK_INT(rig.got_n, 300);
    CHECK_INT(*got, 300 * 30000);
    free(got);
    rig.got_n = 0;
    rig_done(&rig);
}

TEST(a_peer_that_does_not_read_is_closed_at_the_write_deadline)
{
    struct rig rig;
    uint64_t start;

    rig_init(&rig);
    rig.cfg.max_output = 50000;
    rig.cfg.write_ms = test_ms(60);
    use_local_sockets(&rig);
    rig_stream(&rig);
    fill(&rig);
    start = klm_clock_mono_ms();
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    CHECK_STR(rig.words, "the other side did not take what was sent");
    CHECK(klm_clock_mono_ms() - start >= test_ms(40));
    rig_done(&rig);
}

TEST(a_peer_that_reads_slowly_is_not_closed_at_the_write_deadline)
{
    static uint8_t sink[20000];
    struct rig rig;

    rig_init(&rig);
    rig.cfg.max_output = 400000;
    rig.cfg.write_ms = test_ms(1500);
    use_local_sockets(&rig);
    rig_stream(&rig);
    fill(&rig);
    for (int i = 0; i < 5; i++) {
        CHECK(recv(rig.peer, sink, sizeof sink, MSG_DONTWAIT) > 0);
        CHECK(!rig_run(&rig, 400));
    }
    CHECK_INT(rig.closed, 0);
    rig_done(&rig);
}

TEST(an_idle_stream_is_closed_and_input_puts_that_off)
{
    struct rig rig;
    uint64_t start;

    rig_init(&rig);
    rig.cfg.idle_ms = test_ms(2000);
    rig_stream(&rig);
    start = klm_clock_mono_ms();
    CHECK(!rig_run(&rig, 1100));
    REQUIRE(write(rig.peer, "x", 1) == 1);
    CHECK(!rig_run(&rig, 1100));
    CHECK_INT(rig.closed, 0);
    CHECK(rig_run(&rig, 5000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    CHECK_STR(rig.words, "idle");
    CHECK(klm_clock_mono_ms() - start >= test_ms(3000));
    rig_done(&rig);
}

TEST(a_stream_with_work_under_way_is_not_idle)
{
    struct rig rig;

    rig_init(&rig);
    rig.cfg.idle_ms = test_ms(30);
    rig_stream(&rig);
    klm_stream_pause(rig.stream, true);
    CHECK(!rig_run(&rig, 90));
    klm_stream_pause(rig.stream, false);
    klm_stream_message_begun(rig.stream);
    CHECK(!rig_run(&rig, 90));
    klm_stream_message_done(rig.stream);
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    rig_done(&rig);
}

TEST(a_message_that_drips_in_is_cut_at_its_deadline_however_often_bytes_come)
{
    struct rig rig;

    rig_init(&rig);
    rig.cfg.message_ms = test_ms(80);
    rig.cfg.idle_ms = test_ms(10000);
    rig.take = false;
    rig_stream(&rig);
    klm_stream_message_begun(rig.stream);
    for (int i = 0; i < 10 && !rig.closed; i++) {
        REQUIRE(write(rig.peer, "x", 1) == 1);
        rig_run(&rig, 15);
    }
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    CHECK_STR(rig.words, "a message was not complete in time");
    rig_done(&rig);
}

TEST(the_message_deadline_ends_with_the_message_and_starts_anew)
{
    struct rig rig;

    rig_init(&rig);
    rig.cfg.message_ms = test_ms(300);
    rig_stream(&rig);
    for (int i = 0; i < 4; i++) {
        klm_stream_message_begun(rig.stream);
        CHECK(!rig_run(&rig, 90));
        klm_stream_message_done(rig.stream);
    }
    CHECK(!rig_run(&rig, 330));
    klm_stream_message_begun(rig.stream);
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    rig_done(&rig);
}

TEST(a_paused_stream_hears_nothing_until_it_goes_on)
{
    struct rig rig;

    rig_init(&rig);
    rig.stop_on_data = true;
    rig_stream(&rig);
    klm_stream_pause(rig.stream, true);
    REQUIRE(write(rig.peer, "wait", 4) == 4);
    CHECK(!rig_run(&rig, 30));
    CHECK_INT(rig.datas, 0);
    klm_stream_pause(rig.stream, false);
    CHECK_INT(rig.datas, 0);
    CHECK(rig_run(&rig, 2000));
    CHECK_STR((char *)rig.got, "wait");
    rig_done(&rig);
}

TEST(input_left_unread_is_announced_again_when_the_stream_goes_on)
{
    struct rig rig;

    rig_init(&rig);
    rig.stop_on_data = true;
    rig.take = false;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, "two", 3) == 3);
    CHECK(rig_run(&rig, 2000));
    klm_stream_pause(rig.stream, true);
    rig.take = true;
    klm_stream_pause(rig.stream, false);
    CHECK(rig_run(&rig, 2000));
    CHECK_INT(rig.datas, 2);
    CHECK_STR((char *)rig.got, "two");
    rig_done(&rig);
}

static void *drain(void *arg)
{
    static uint8_t sink[65536];
    int fd = *(int *)arg;
    size_t total = 0;
    ssize_t n;

    while ((n = read(fd, sink, sizeof sink)) > 0) {
        total += (size_t)n;
    }
    close(fd);
    return n < 0 ? NULL : (void *)total;
}

TEST(closing_sends_everything_first)
{
    static uint8_t big[900000];
    struct rig rig;
    pthread_t t;
    void *total = NULL;
    int fd;

    rig_init(&rig);
    rig_stream(&rig);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, sizeof big)), KLM_OK);
    klm_stream_close(rig.stream);
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("late")), KLM_E_CLOSED);
    CHECK_INT(rig.closed, 0);
    fd = rig.peer;
    rig.peer = -1;
    REQUIRE(pthread_create(&t, NULL, drain, &fd) == 0);
    CHECK(rig_run(&rig, 5000));
    pthread_join(t, &total);
    CHECK_INT((size_t)total, sizeof big);
    CHECK_RC(rig.why, KLM_OK);
    rig_done(&rig);
}

TEST(closing_does_not_lose_the_last_answer_to_a_peer_that_still_sends)
{
    static uint8_t big[100000];
    struct rig rig;
    char text[8] = "";

    rig_init(&rig);
    rig.cfg.max_input = 1000;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, big, sizeof big) == sizeof big);
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("no")), KLM_OK);
    klm_stream_close(rig.stream);
    CHECK(!rig_run(&rig, 30));
    CHECK(read(rig.peer, text, sizeof text) == 2);
    CHECK_STR(text, "no");
    CHECK(read(rig.peer, text, sizeof text) == 0);
    shutdown(rig.peer, SHUT_WR);
    CHECK(rig_run(&rig, 500));
    CHECK_RC(rig.why, KLM_OK);
    rig_done(&rig);
}

TEST(a_peer_that_never_closes_is_left_after_a_moment)
{
    struct rig rig;

    rig_init(&rig);
    rig_stream(&rig);
    klm_stream_close(rig.stream);
    klm_stream_close(rig.stream);
    CHECK(rig_run(&rig, 3000));
    CHECK_INT(rig.closed, 1);
    CHECK_RC(rig.why, KLM_OK);
    rig_done(&rig);
}

static void answer_and_close(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;

    rig->datas++;
    klm_buf_clear(klm_stream_input(stream));
    CHECK_RC(klm_stream_send(stream, klm_slice_str("one ")), KLM_OK);
    CHECK_RC(klm_stream_send(stream, klm_slice_str("two")), KLM_OK);
    klm_stream_close(stream);
}

TEST(an_answer_and_a_close_within_a_callback_both_happen)
{
    struct rig rig;
    char text[16] = "";

    rig_init(&rig);
    rig.owner.data = answer_and_close;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, "x", 1) == 1);
    CHECK(!rig_run(&rig, 30));
    /* one write for both */
    CHECK(read(rig.peer, text, sizeof text) == 7);
    CHECK_STR(text, "one two");
    CHECK(read(rig.peer, text, sizeof text) == 0);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 500));
    CHECK_INT(rig.datas, 1);
    rig_done(&rig);
}

TEST(a_stream_may_be_freed_before_any_use)
{
    struct rig rig;
    char c;

    rig_init(&rig);
    rig_stream(&rig);
    klm_stream_free(&rig.stream);
    CHECK(rig.stream == NULL);
    CHECK(read(rig.peer, &c, 1) == 0);
    klm_stream_free(&rig.stream);
    klm_stream_free(NULL);
    rig_done(&rig);
}

TEST(a_stream_freed_while_closed_is_about_to_be_called_is_silent)
{
    struct rig rig;

    rig_init(&rig);
    rig_stream(&rig);
    klm_stream_close(rig.stream);
    shutdown(rig.peer, SHUT_RDWR);
    rig_run(&rig, 1);
    klm_stream_free(&rig.stream);
    rig_run(&rig, 20);
    CHECK(rig.closed <= 1);
    rig_done(&rig);
}
