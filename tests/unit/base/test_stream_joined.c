/* Streams under TLS that have something to read or to send in the same turn of their loop: what is done together for all of them. */
#include "stream_rig.h"

#include <linux/aio_abi.h>
#include <semaphore.h>
#include <sys/syscall.h>

#define MANY 8
static struct rig first, rigs[MANY];
static struct peer peers[MANY];
static sem_t may_ask, asked, may_read;
static unsigned secured;

/* Only streams read and send by these two: OpenSSL's own sockets, which the peers have, use read and write. What they count is not static, since clang takes them for inline functions, as the headers
 * declare them. */
unsigned received, sent;

ssize_t recv(int fd, void *p, size_t n, int flags)
{
    __atomic_add_fetch(&received, 1, __ATOMIC_RELAXED);
    return syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    __atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

static bool have_aio(void)
{
    aio_context_t context = 0;
    bool have = syscall(SYS_io_setup, 1, &context) == 0;

    return have && syscall(SYS_io_destroy, context) == 0;
}

/* Streams read nothing until all have asked, and nobody asks before all are paused: what came with the end of a handshake TLS would have already. */
static void wait_after_handshake(void *arg, struct klm_stream *stream)
{
    const struct rig *rig = arg;

    klm_stream_pause(stream, true);
    if (++secured == MANY) {
        for (int i = 0; i < MANY; i++) {
            sem_post(&may_ask);
        }
        klm_loop_stop(rig->loop);
    }
}

/* MANY streams with a request each that came and was not read. */
static void ask_all(void (*talk)(struct peer *), void (*answer)(void *, struct klm_stream *),
                    const struct klm_stream_config *more)
{
    struct klm_tls_ctx *ctx = ctx_of(server_config(KLM_TLS_AUTH_NONE));

    rig_init(&first);
    secured = 0;
    sem_init(&may_ask, 0, 0);
    sem_init(&asked, 0, 0);
    sem_init(&may_read, 0, 0);
    for (int i = 0; i < MANY; i++) {
        int fd[2];

        tcp_pair(fd);
        if (more) { /* a socket that is soon full */
            setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
        }
        rigs[i] = (struct rig){.loop = first.loop,
                               .peer = fd[1],
                               .take = true,
                               .cfg = first.cfg,
                               .owner = first.owner};
        rigs[i].cfg.write_ms = more ? more->write_ms : 0;
        rigs[i].cfg.max_input = more ? more->max_input : first.cfg.max_input;
        rigs[i].cfg.max_output *= 2;
        rigs[i].owner.secured = wait_after_handshake;
        rigs[i].owner.data = answer;
        rigs[i].owner.arg = &rigs[i];
        REQUIRE_OK(klm_stream_new(fd[0], &rigs[i].cfg, &rigs[i].owner, &rigs[i].stream));
        REQUIRE_OK(klm_stream_secure(rigs[i].stream, ctx));
        peer_start(&peers[i], &rigs[i], NULL, talk);
    }
    klm_tls_ctx_free(&ctx);
    REQUIRE(rig_run(&first, 20000));
    for (int i = 0; i < MANY; i++) {
        sem_wait(&asked);
    }
}

/* What came is heard, all in one turn. */
static void hear_all(void)
{
    received = sent = 0;
    for (int i = 0; i < MANY; i++) {
        klm_stream_pause(rigs[i].stream, false);
    }
}

static unsigned how_many(unsigned (*of)(const struct rig *))
{
    unsigned n = 0;

    for (int i = 0; i < MANY; i++) {
        n += of(&rigs[i]);
    }
    return n;
}

static unsigned datas_of(const struct rig *rig)
{
    return rig->datas;
}

static unsigned closed_of(const struct rig *rig)
{
    return rig->closed;
}

/* Turn until so many were counted. */
static bool turn_until(unsigned (*of)(const struct rig *), unsigned wanted)
{
    bool in_time = true;

    while (in_time && how_many(of) < wanted) {
        in_time = rig_run(&first, 20000);
    }
    return in_time;
}

static void let_read(void)
{
    for (int i = 0; i < MANY; i++) {
        sem_post(&may_read);
    }
}

static void all_done(void)
{
    for (int i = 0; i < MANY; i++) {
        klm_stream_free(&rigs[i].stream);
        free(rigs[i].got);
    }
    close(first.fd);
    rig_done(&first);
}

/* ---- Together */

static void say_who_waits(struct peer *peer)
{
    char text[16] = "a request of all", got[sizeof text];

    sem_wait(&may_ask);
    peer->fine = SSL_write(peer->ssl, text, sizeof text) == (int)sizeof text;
    sem_post(&asked);
    sem_wait(&may_read);
    peer->fine = peer->fine && ssl_read_exactly(peer->ssl, got, sizeof got) &&
                 memcmp(text, got, sizeof got) == 0;
}

static void echo(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;

    rig->echo = true;
    rig_data(rig, stream);
    if (how_many(datas_of) == MANY) {
        klm_loop_stop(rig->loop);
    }
}

TEST(requests_that_came_together_are_read_and_answered_together)
{
    ask_all(say_who_waits, echo, NULL);
    hear_all();
    CHECK(turn_until(datas_of, MANY));
    CHECK(!rig_run(&first, 20)); /* the answers are out */
    if (have_aio()) {
        CHECK_INT(received, 0);
        CHECK_INT(sent, 0);
    }
    let_read();
    CHECK(turn_until(closed_of, MANY));
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK(peers[i].fine);
        CHECK_INT(rigs[i].datas, 1);
        CHECK_RC(rigs[i].why, KLM_E_CLOSED);
    }
    all_done();
}

/* ---- One of them changes what is with the others, whose bytes were read already */

static void echo_and_pause_others(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;

    rig->echo = true;
    rig_data(rig, stream);
    for (int i = 0; i < MANY; i++) {
        if (how_many(datas_of) == 1 && &rigs[i] != rig) {
            klm_stream_pause(rigs[i].stream, true);
        }
    }
    klm_loop_stop(rig->loop);
}

TEST(what_was_read_of_a_stream_that_pauses_is_there_when_it_goes_on)
{
    ask_all(say_who_waits, echo_and_pause_others, NULL);
    hear_all();
    CHECK(turn_until(datas_of, 1));
    CHECK(!rig_run(&first, 20));
    CHECK_INT(how_many(datas_of), 1);
    for (int i = 0; i < MANY; i++) {
        klm_stream_pause(rigs[i].stream, false);
    }
    CHECK(turn_until(datas_of, MANY));
    let_read();
    CHECK(turn_until(closed_of, MANY));
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK(peers[i].fine);
    }
    all_done();
}

static void echo_and_free_others(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;

    rig->echo = true;
    rig_data(rig, stream);
    for (int i = 0; i < MANY; i++) {
        if (&rigs[i] != rig) {
            klm_stream_free(&rigs[i].stream);
        }
    }
    let_read();
}

TEST(a_stream_that_another_ends_is_not_heard_any_more)
{
    unsigned fine = 0;

    ask_all(say_who_waits, echo_and_free_others, NULL);
    hear_all();
    CHECK(turn_until(closed_of, 1));
    CHECK_INT(how_many(datas_of), 1);
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        fine += peers[i].fine;
    }
    CHECK_INT(fine, 1);
    all_done();
}

static void hang_up_hard(struct peer *peer)
{
    sem_post(&asked);
    sem_wait(&may_read);
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    SSL_set_quiet_shutdown(peer->ssl, 1);
    close(peer->fd);
    peer->fd = -1;
    sem_post(&asked);
}

TEST(peers_that_reset_together_are_errors_with_words)
{
    ask_all(hang_up_hard, echo, NULL);
    let_read();
    for (int i = 0; i < MANY; i++) {
        sem_wait(&asked);
    }
    hear_all();
    CHECK(turn_until(closed_of, MANY));
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK_RC(rigs[i].why, KLM_E_IO);
        CHECK_STR(rigs[i].words, "Connection reset by peer");
    }
    all_done();
}

/* ---- Sockets that are full */

#define REQUESTS 100
#define ANSWER 16000 /* bytes each; one a turn, since a stream takes a byte at a time */

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* All requests before the first answer is read. */
static void ask_and_read_late(struct peer *peer)
{
    static const size_t total = (size_t)REQUESTS * ANSWER;
    uint8_t got[1000];

    sem_wait(&may_ask);
    peer->fine = true;
    for (int i = 0; i < REQUESTS; i++) {
        peer->fine = peer->fine && SSL_write(peer->ssl, "?", 1) == 1;
    }
    sem_post(&asked);
    sem_wait(&may_read);
    for (size_t at = 0; at < total && peer->fine; at += sizeof got) {
        peer->fine = ssl_read_exactly(peer->ssl, got, sizeof got);
        for (size_t i = 0; i < sizeof got; i++) {
            peer->fine = peer->fine && got[i] == byte_at(at + i);
        }
    }
}

static void answer_much(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;
    struct klm_buf *in = klm_stream_input(stream);
    uint8_t answer[ANSWER];

    for (size_t i = 0; i < sizeof answer; i++) {
        answer[i] = byte_at((size_t)rig->datas * ANSWER + i);
    }
    REQUIRE_OK(klm_stream_send(stream, KLM_SLICE(answer, sizeof answer)));
    rig->datas++;
    klm_buf_drop(in, 1);
    klm_stream_message_done(stream);
    if (how_many(datas_of) == MANY * REQUESTS) {
        klm_loop_stop(rig->loop);
    }
}

TEST(what_the_sockets_do_not_take_leaves_later_and_in_order)
{
    const struct klm_stream_config more = {.max_input = 1};

    ask_all(ask_and_read_late, answer_much, &more);
    hear_all();
    /* Sockets took what they take, the rest is with us. */
    CHECK(turn_until(datas_of, MANY * REQUESTS));
    let_read();
    CHECK(turn_until(closed_of, MANY));
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK(peers[i].fine);
        CHECK_INT(rigs[i].datas, REQUESTS);
    }
    all_done();
}

static void ask_and_never_read(struct peer *peer)
{
    sem_wait(&may_ask);
    for (int i = 0; i < REQUESTS; i++) {
        (void)SSL_write(peer->ssl, "?", 1);
    }
    sem_post(&asked);
    sem_wait(&may_read);
}

TEST(peers_that_take_no_answers_are_closed_at_the_write_deadline)
{
    const struct klm_stream_config more = {.max_input = 1, .write_ms = test_ms(100)};

    ask_all(ask_and_never_read, answer_much, &more);
    hear_all();
    CHECK(turn_until(closed_of, MANY));
    let_read();
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK_RC(rigs[i].why, KLM_E_TIMEOUT);
        CHECK_STR(rigs[i].words, "the other side did not take what was sent");
    }
    all_done();
}
