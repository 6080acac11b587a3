/* Streams under TLS: upgrade, handshake on workers, transfer, refusals. */
#include "stream_rig.h"

#include <malloc.h>
#include <stdatomic.h>

/* A rig whose stream is secured with a context of that configuration. */
static void rig_tls(struct rig *rig, struct klm_tls_config cfg)
{
    struct klm_tls_ctx *ctx = ctx_of(cfg);

    rig_stream(rig);
    CHECK_RC(klm_stream_secure(rig->stream, ctx), KLM_OK);
    klm_tls_ctx_free(&ctx); /* the stream keeps its own reference */
}

static void say_hello(struct peer *peer)
{
    char text[6] = "";

    peer->fine = SSL_write(peer->ssl, "hello", 5) == 5 && ssl_read_exactly(peer->ssl, text, 5) &&
                 strcmp(text, "hello") == 0;
    SSL_export_keying_material(peer->ssl, peer->exporter, 32, "EXPERIMENTAL klm", 16, NULL, 0, 1);
    SSL_shutdown(peer->ssl);
}

TEST(a_request_is_answered_under_tls_and_the_peer_is_known)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice der = {0};
    uint8_t exporter[32];
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.echo = rig.stop_on_data = rig.stop_on_secured = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_REQUIRED));
    peer_start(&peer, &rig, &client_id, say_hello);
    CHECK(rig_run(&rig, 5000));
    CHECK_INT(rig.secured, 1);
    REQUIRE(rig.stream != NULL);
    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_RC(klm_tls_peer_cert(klm_stream_ssl(rig.stream), pool, &der), KLM_OK);
    CHECK_RC(klm_tls_exporter(klm_stream_ssl(rig.stream), "EXPERIMENTAL klm", KLM_SLICE(NULL, 0),
                              exporter, 32),
             KLM_OK);
    while (!rig.closed && rig_run(&rig, 5000)) {
        continue;
    }
    peer_join(&peer);
    CHECK(peer.connected && peer.fine);
    CHECK_MEM(peer.exporter, exporter, 32);
    CHECK_STR((char *)rig.got, "hello");
    CHECK_INT(rig.closed, 1);
    CHECK_RC(rig.why, KLM_E_CLOSED);
    rig_done(&rig);
}

static void speak_and_leave(struct peer *peer)
{
    peer->fine = SSL_write(peer->ssl, "bye", 3) == 3;
}

TEST(a_peer_that_closes_without_close_notify_closed_all_the_same)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, speak_and_leave);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK_STR((char *)rig.got, "bye");
    /* The ticket that the peer never read makes its kernel reset the connection. */
    CHECK(rig.why == KLM_E_CLOSED || rig.why == KLM_E_IO);
    rig_done(&rig);
}

static void read_all_then_leave(struct peer *peer)
{
    char c;

    peer->fine = SSL_write(peer->ssl, "bye", 3) == 3 && SSL_read(peer->ssl, &c, 1) == 1;
}

TEST(the_same_with_everything_read_is_a_clean_close)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.echo = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, read_all_then_leave);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_RC(rig.why, KLM_E_CLOSED);
    rig_done(&rig);
}

TEST(what_came_in_one_packet_with_the_close_is_heard)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.keep_open = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    rig.stop_on_secured = true;
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 5000));
    REQUIRE(rig.stream != NULL);
    klm_stream_pause(rig.stream, true);
    usleep(20000);
    rig.echo = true;
    klm_stream_pause(rig.stream, false);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_STR((char *)rig.got, "hello");
    rig_done(&rig);
}

/* New keys so many times, so many rounds of it, each with a byte of data at its end. */
static int keys_n, rounds_n;

static void change_keys(struct peer *peer)
{
    char byte;

    peer->fine = true;
    for (int round = 0; round < rounds_n && peer->fine; round++) {
        for (int i = 0; i < keys_n && peer->fine; i++) {
            peer->fine = SSL_key_update(peer->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
                         SSL_do_handshake(peer->ssl) == 1;
        }
        peer->fine =
            peer->fine && SSL_write(peer->ssl, "x", 1) == 1 && SSL_read(peer->ssl, &byte, 1) == 1;
    }
    SSL_shutdown(peer->ssl);
}

static void run_keys(struct rig *rig, struct peer *peer, int keys, int rounds)
{
    keys_n = keys;
    rounds_n = rounds;
    rig_init(rig);
    rig->echo = true;
    rig_tls(rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(peer, rig, NULL, change_keys);
    CHECK(rig_run(rig, 20000));
    peer_join(peer);
    CHECK(peer->connected);
}

TEST(keys_may_change_between_messages)
{
    struct rig rig;
    struct peer peer;

    run_keys(&rig, &peer, 10, 20);
    CHECK(peer.fine);
    CHECK_INT(rig.got_n, 20);
    CHECK_RC(rig.why, KLM_E_CLOSED);
    rig_done(&rig);
}

TEST(who_sends_records_without_data_and_no_end_is_cut_off)
{
    struct rig rig;
    struct peer peer;

    run_keys(&rig, &peer, 100000, 1);
    CHECK(!peer.fine);
    CHECK_INT(rig.got_n, 0);
    CHECK_RC(rig.why, KLM_E_LIMIT);
    CHECK_STR(rig.words, "too many TLS records without data");
    rig_done(&rig);
}

/* A clear hello first, then TLS on the same socket. */
static void upgrade_data(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;
    struct klm_tls_ctx *ctx;

    if (rig->secured) {
        rig_data(arg, stream);
        return;
    }
    rig->datas++;
    ctx = ctx_of(server_config(KLM_TLS_AUTH_WANTED));
    if (rig->sent == KLM_E_STATE) {
        klm_buf_drop(klm_stream_input(stream), 5); /* "HELLO"; what follows it stays */
    } else {
        klm_buf_clear(klm_stream_input(stream));
    }
    CHECK_RC(klm_stream_send(stream, klm_slice_str("WELCOME")), KLM_OK);
    rig->sent = klm_stream_secure(stream, ctx);
    if (rig->sent != KLM_OK) {
        klm_stream_close(stream);
    }
    klm_tls_ctx_free(&ctx);
}

TEST(a_clear_hello_is_followed_by_tls_on_the_same_socket)
{
    struct rig rig;
    struct peer peer;
    char text[8] = "";

    rig_init(&rig);
    rig.owner.data = upgrade_data;
    rig.echo = true;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, "HELLO", 5) == 5);
    rig_run(&rig, 20);
    REQUIRE(read(rig.peer, text, 7) == 7);
    CHECK_STR(text, "WELCOME");
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_INT(rig.secured, 1);
    rig_done(&rig);
}

TEST(nothing_is_buffered_across_the_upgrade)
{
    struct rig rig;

    rig_init(&rig);
    rig.owner.data = upgrade_data;
    rig.sent = KLM_E_STATE;
    rig_stream(&rig);
    REQUIRE(write(rig.peer, "HELLO\x16\x03\x01injected", 16) == 16);
    CHECK(!rig_run(&rig, 30));
    CHECK_RC(rig.sent, KLM_E_STATE);
    CHECK_INT(rig.secured, 0);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 2000));
    rig_done(&rig);
}

TEST(securing_twice_is_refused)
{
    struct klm_tls_ctx *ctx = ctx_of(server_config(KLM_TLS_AUTH_NONE));
    struct rig rig;

    rig_init(&rig);
    rig_stream(&rig);
    CHECK_RC(klm_stream_secure(rig.stream, ctx), KLM_OK);
    CHECK_RC(klm_stream_secure(rig.stream, ctx), KLM_E_STATE);
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("x")), KLM_E_STATE);
    klm_tls_ctx_free(&ctx);
    rig_done(&rig);
}

TEST(clear_output_that_is_still_pending_leaves_before_the_handshake)
{
    static uint8_t big[900000], sink[65536];
    struct klm_tls_ctx *ctx = ctx_of(server_config(KLM_TLS_AUTH_NONE));
    struct rig rig;
    struct peer peer;
    size_t got = 0;

    rig_init(&rig);
    rig.echo = true;
    rig_stream(&rig);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, sizeof big)), KLM_OK);
    CHECK_RC(klm_stream_secure(rig.stream, ctx), KLM_OK);
    for (int i = 0; i < 500 && got < sizeof big; i++) {
        ssize_t n = recv(rig.peer, sink, sizeof sink, MSG_DONTWAIT);

        got += n > 0 ? (size_t)n : 0;
        rig_run(&rig, 1);
    }
    CHECK_INT(got, sizeof big);
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    klm_tls_ctx_free(&ctx);
    rig_done(&rig);
}

TEST(a_handshake_without_a_word_from_the_peer_ends_at_its_deadline)
{
    struct rig rig;

    rig_init(&rig);
    rig.cfg.handshake_ms = test_ms(50);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    CHECK_STR(rig.words, "the TLS handshake took too long");
    rig_done(&rig);
}

TEST(a_handshake_that_drips_in_ends_at_its_deadline)
{
    struct rig rig;

    rig_init(&rig);
    rig.cfg.handshake_ms = test_ms(80);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    REQUIRE(write(rig.peer, "\x16\x03\x01\x01\x00", 5) == 5);
    for (int i = 0; i < 20 && !rig.closed; i++) {
        if (write(rig.peer, "\x01", 1) != 1) {
            break;
        }
        rig_run(&rig, 10);
    }
    CHECK_INT(rig.secured, 0);
    CHECK(rig.why == KLM_E_TIMEOUT || rig.why == KLM_E_CRYPTO);
    CHECK_INT(rig.closed, 1);
    rig_done(&rig);
}

TEST(garbage_instead_of_a_handshake_is_refused_with_words)
{
    struct rig rig;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    REQUIRE(write(rig.peer, "GET / HTTP/1.0\r\n\r\n", 18) == 18);
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_CRYPTO);
    CHECK(strstr(rig.words, "http request") != NULL);
    rig_done(&rig);
}

TEST(a_peer_that_leaves_in_the_handshake_closed)
{
    struct rig rig;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    REQUIRE(write(rig.peer, "\x16\x03\x01", 3) == 3);
    close(rig.peer);
    rig.peer = -1;
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_CLOSED);
    CHECK(strstr(rig.words, "handshake") != NULL);
    rig_done(&rig);
}

static void try_to_read(struct peer *peer)
{
    char c;

    peer->fine = SSL_read(peer->ssl, &c, 1) <= 0;
}

TEST(a_peer_without_the_required_certificate_is_refused)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_REQUIRED));
    peer_start(&peer, &rig, NULL, try_to_read);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(!peer.connected || peer.fine);
    CHECK_INT(rig.secured, 0);
    CHECK_RC(rig.why, KLM_E_CRYPTO);
    CHECK(strstr(rig.words, "did not return a certificate") != NULL);
    rig_done(&rig);
}

TEST(a_peer_with_a_strangers_certificate_is_refused)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_WANTED));
    ids_make();
    peer_start(&peer, &rig, &stranger_id, try_to_read);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK_INT(rig.secured, 0);
    CHECK_RC(rig.why, KLM_E_CRYPTO);
    CHECK(strstr(rig.words, "certificate verify failed") != NULL);
    rig_done(&rig);
}

#define BIG 3000000

static void big_echo(struct peer *peer)
{
    static uint8_t out[BIG], back[BIG];
    size_t sent = 0, got = 0;

    for (size_t i = 0; i < BIG; i++) {
        out[i] = (uint8_t)(i * 7 + i / 251);
    }
    while (got < BIG) {
        size_t n = BIG - sent < 100000 ? BIG - sent : 100000;
        int r;

        if (n && (r = SSL_write(peer->ssl, out + sent, (int)n)) > 0) {
            sent += (size_t)r;
        }
        r = SSL_read(peer->ssl, back + got, BIG - (int)got);
        if (r <= 0) {
            return;
        }
        got += (size_t)r;
    }
    peer->fine = memcmp(out, back, BIG) == 0;
    SSL_shutdown(peer->ssl);
}

TEST(much_data_goes_both_ways_unharmed)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.echo = true;
    rig.cfg.max_input = 20000;
    rig.cfg.max_output = 8 << 20;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, big_echo);
    CHECK(rig_run(&rig, 20000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_INT(rig.got_n, BIG);
    rig_done(&rig);
}

static void send_30000(struct peer *peer)
{
    static uint8_t out[30000];
    char c;

    peer->fine = SSL_write(peer->ssl, out, sizeof out) == sizeof out;
    (void)SSL_read(peer->ssl, &c, 1);
}

/* What TLS has read ahead is not announced by the descriptor any more. */
TEST(unread_input_is_bounded_under_tls_and_reading_goes_on)
{
    struct rig rig;
    struct peer peer;
    size_t total = 0;

    rig_init(&rig);
    rig.take = false;
    rig.cfg.max_input = 100;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, send_30000);
    while (total < 30000 && !rig.closed) {
        struct klm_buf *in = klm_stream_input(rig.stream);

        rig.stop_on_data = true;
        if (in->n == 0 && !rig_run(&rig, 3000)) {
            break;
        }
        REQUIRE(rig.stream && in->n <= 100);
        total += in->n;
        klm_buf_drop(in, in->n);
        klm_stream_message_done(rig.stream);
    }
    CHECK_INT(total, 30000);
    klm_stream_free(&rig.stream);
    peer_join(&peer);
    CHECK(peer.fine);
    rig_done(&rig);
}

static void expect_close_notify(struct peer *peer)
{
    static uint8_t in[500000];
    char c;

    peer->fine = ssl_read_exactly(peer->ssl, in, sizeof in);
    (void)(SSL_read(peer->ssl, &c, 1));
    peer->fine = peer->fine && (SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN);
}

TEST(closing_under_tls_sends_everything_and_a_close_notify)
{
    static uint8_t big[500000];
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.stop_on_secured = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, expect_close_notify);
    CHECK(rig_run(&rig, 5000));
    REQUIRE(rig.stream != NULL);
    CHECK_RC(klm_stream_send(rig.stream, KLM_SLICE(big, sizeof big)), KLM_OK);
    klm_stream_close(rig.stream);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_RC(rig.why, KLM_OK);
    rig_done(&rig);
}

/* RFC 8446, 6.1: close_notify ends what the peer sends, not what it reads. */
static void ask_and_send_no_more(struct peer *peer)
{
    char text[6] = "";

    peer->fine = SSL_write(peer->ssl, "hello", 5) == 5 && SSL_shutdown(peer->ssl) >= 0 &&
                 shutdown(SSL_get_fd(peer->ssl), SHUT_WR) == 0 &&
                 ssl_read_exactly(peer->ssl, text, 5) && strcmp(text, "world") == 0;
}

TEST(a_peer_that_sends_no_more_is_answered_still)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.cfg.half = true;
    rig.stop_on_data = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, ask_and_send_no_more);
    while (rig.stream && !klm_stream_shut(rig.stream)) {
        REQUIRE(rig_run(&rig, 5000));
    }
    REQUIRE(rig.stream && rig.closed == 0);
    CHECK_STR((char *)rig.got, "hello");
    CHECK_RC(klm_stream_send(rig.stream, klm_slice_str("world")), KLM_OK);
    klm_stream_close(rig.stream);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_INT(rig.closed, 1);
    rig_done(&rig);
}

/* A worker that is kept busy, so that a handshake waits. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int at_gate;

static void wait_at_gate(struct klm_job *job)
{
    (void)job;
    atomic_store(&at_gate, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void one_busy_worker(struct rig *rig, struct klm_job *job, size_t max)
{
    klm_workers_free(&rig->workers);
    REQUIRE_OK(klm_workers_new(1, max, &rig->workers));
    rig->cfg.workers = rig->workers;
    atomic_store(&at_gate, 0);
    pthread_mutex_lock(&gate);
    *job = (struct klm_job){.run = wait_at_gate};
    REQUIRE_OK(klm_workers_submit(rig->workers, job));
    while (!atomic_load(&at_gate)) {
        usleep(100);
    }
}

TEST(a_stream_freed_during_its_handshake_waits_for_the_worker)
{
    struct rig rig;
    struct peer peer;
    struct klm_job job;

    rig_init(&rig);
    one_busy_worker(&rig, &job, 10);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, say_hello);
    for (int i = 0; i < 500 && klm_stream_ssl(rig.stream); i++) {
        CHECK(!rig_run(&rig, 10));
    }
    CHECK(klm_stream_ssl(rig.stream) == NULL); /* it is the worker's */
    klm_stream_free(&rig.stream);
    pthread_mutex_unlock(&gate);
    rig_run(&rig, 50);
    peer_join(&peer);
    CHECK(!peer.fine);
    CHECK_INT(rig.closed + rig.secured, 0);
    rig_done(&rig);
}

/* The session of a client that was here before. */
static SSL_SESSION *kept;

static void keep_session(struct peer *peer)
{
    say_hello(peer); /* of TLS 1.3 the ticket comes behind the handshake */
    kept = SSL_get1_session(peer->ssl);
}

static void check_resumed(struct peer *peer)
{
    peer->fine = SSL_session_reused(peer->ssl);
    SSL_shutdown(peer->ssl);
}

/* One connection of a peer to a stream under the context; with a session: resumed, while the only worker is busy. */
static void connect_once(struct klm_tls_ctx *ctx, bool resume)
{
    struct rig rig;
    struct peer peer;
    struct klm_job job;

    rig_init(&rig);
    rig.echo = rig.take = true;
    if (resume) {
        one_busy_worker(&rig, &job, 10);
    }
    rig_stream(&rig);
    REQUIRE_OK(klm_stream_secure(rig.stream, ctx));
    ids_make();
    peer_start_with(&peer, &rig, &client_id, resume ? check_resumed : keep_session,
                    resume ? kept : NULL);
    while (!rig.closed && rig_run(&rig, 5000)) {
        continue;
    }
    if (resume) {
        pthread_mutex_unlock(&gate); /* only now */
    }
    peer_join(&peer);
    CHECK(peer.connected && peer.fine);
    CHECK_INT(rig.secured, 1);
    rig_done(&rig);
}

TEST(a_session_is_resumed_without_a_worker)
{
    for (int version = 12; version <= 13; version++) {
        struct klm_tls_config cfg = server_config(KLM_TLS_AUTH_REQUIRED);
        struct klm_tls_ctx *ctx;

        cfg.min_version = cfg.max_version = version;
        ctx = ctx_of(cfg);
        connect_once(ctx, false);
        REQUIRE(kept != NULL);
        connect_once(ctx, true);
        SSL_SESSION_free(kept);
        kept = NULL;
        klm_tls_ctx_free(&ctx);
    }
}

TEST(the_handshake_deadline_passes_while_the_worker_is_busy)
{
    struct rig rig;
    struct peer peer;
    struct klm_job job;

    rig_init(&rig);
    one_busy_worker(&rig, &job, 10);
    rig.cfg.handshake_ms = test_ms(150);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    pthread_mutex_unlock(&gate);
    rig_run(&rig, 50);
    peer_join(&peer);
    CHECK_INT(rig.closed, 1);
    CHECK_INT(rig.secured, 0);
    rig_done(&rig);
}

TEST(one_handshake_more_than_may_wait_is_closed)
{
    struct rig rig;
    struct peer peer;
    struct klm_job job, second = {.run = wait_at_gate};

    rig_init(&rig);
    one_busy_worker(&rig, &job, 1);
    REQUIRE_OK(klm_workers_submit(rig.workers, &second));
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 2000));
    CHECK_RC(rig.why, KLM_E_LIMIT);
    CHECK_STR(rig.words, "too many handshakes at once");
    pthread_mutex_unlock(&gate);
    peer_join(&peer);
    rig_done(&rig);
}

/* Reads and writes that reach the socket. */
static unsigned socket_reads, socket_writes;

static long count_io(BIO *bio, int op, const char *p, size_t n, int i, long l, int ret,
                     size_t *processed)
{
    (void)bio, (void)p, (void)n, (void)i, (void)l, (void)processed;
    socket_reads += op == BIO_CB_READ;
    socket_writes += op == BIO_CB_WRITE;
    return ret;
}

#define ROUNDS 50

static void ping(struct peer *peer)
{
    char text[100];

    peer->fine = true;
    for (int i = 0; i < ROUNDS && peer->fine; i++) {
        memset(text, 'a' + i % 26, sizeof text);
        peer->fine = SSL_write(peer->ssl, text, sizeof text) == sizeof text &&
                     ssl_read_exactly(peer->ssl, text, sizeof text);
    }
    SSL_shutdown(peer->ssl);
}

static void count_secured(void *arg, struct klm_stream *stream)
{
    SSL *ssl = klm_stream_ssl(stream);

    ((struct rig *)arg)->secured++;
    BIO_set_callback_ex(SSL_get_rbio(ssl), count_io);
}

TEST(a_request_costs_one_read_and_one_write)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.echo = true;
    rig.owner.secured = count_secured;
    socket_reads = socket_writes = 0;
    rig.cfg.idle_ms = rig.cfg.message_ms = rig.cfg.write_ms = test_ms(5000);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, ping);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    CHECK_INT(rig.datas, ROUNDS);
    CHECK(socket_reads <= ROUNDS + 3);
    CHECK(socket_writes <= ROUNDS + 1);
    CHECK(socket_reads >= ROUNDS && socket_writes >= ROUNDS);
    rig_done(&rig);
}

/* Both ends on one loop, ours. */
TEST(a_stream_can_be_the_client_too)
{
    struct klm_tls_ctx *ctx = ctx_of(client_config(&client_id));
    struct rig rig, client;

    rig_init(&rig);
    rig.echo = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_REQUIRED));
    client = (struct rig){.take = true,
                          .loop = rig.loop,
                          .stop_on_data = true,
                          .stop_on_secured = true,
                          .cfg = rig.cfg,
                          .owner = rig.owner};
    client.owner.arg = &client;
    REQUIRE(fcntl(rig.peer, F_SETFL, O_NONBLOCK) == 0);
    REQUIRE_OK(klm_stream_new(rig.peer, &client.cfg, &client.owner, &client.stream));
    rig.peer = -1;
    CHECK_RC(klm_stream_secure(client.stream, ctx), KLM_OK);
    CHECK(rig_run(&rig, 5000));
    REQUIRE(client.secured == 1);
    CHECK_RC(klm_stream_send(client.stream, klm_slice_str("over and out")), KLM_OK);
    CHECK(rig_run(&rig, 5000));
    CHECK_STR((char *)client.got, "over and out");
    klm_stream_close(client.stream);
    CHECK(rig_run(&rig, 5000));
    CHECK(rig.closed || rig_run(&rig, 5000));
    CHECK_RC(rig.why, KLM_E_CLOSED);
    CHECK(client.closed || rig_run(&rig, 5000));
    CHECK_RC(client.why, KLM_OK);
    klm_tls_ctx_free(&ctx);
    free(client.got);
    rig_done(&rig);
}

TEST(without_workers_the_handshake_runs_on_the_loop)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.echo = true;
    rig.cfg.workers = NULL;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, say_hello);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    rig_done(&rig);
}

TEST(a_certificate_that_is_refused_is_refused_with_a_reason)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_REQUIRED));
    peer_start(&peer, &rig, &stranger_id, NULL);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK_RC(rig.why, KLM_E_CRYPTO);
    CHECK_STR(rig.words, "certificate verify failed: unable to get local issuer certificate");
    rig_done(&rig);
}

/* Rounds of a message there and back, by which the stream's memory is looked at between messages. */
static void talk_and_look(struct peer *peer)
{
    char text[20000] = "hello", got[sizeof text];

    peer->fine = SSL_write(peer->ssl, text, sizeof text) == (int)sizeof text &&
                 ssl_read_exactly(peer->ssl, got, sizeof got);
}

TEST(a_lean_stream_keeps_nothing_between_messages)
{
    for (int lean = 0; lean <= 1; lean++) {
        struct rig rig;
        struct peer peer;

        rig_init(&rig);
        rig.echo = rig.keep_open = true;
        rig.cfg.lean = lean;
        rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
        peer_start(&peer, &rig, NULL, talk_and_look);
        CHECK(rig_run(&rig, 5000));
        peer_join(&peer);
        CHECK(peer.fine);
        CHECK_INT(klm_stream_input(rig.stream)->n, 0);
        CHECK_INT(klm_stream_input(rig.stream)->cap > 0, !lean);
        rig_done(&rig);
    }
}

static void ask_twice(struct peer *peer)
{
    char echo[6];

    peer->fine = true;
    for (int i = 0; i < 2; i++) {
        peer->fine = peer->fine && SSL_write(peer->ssl, "hello", 5) == 5 &&
                     ssl_read_exactly(peer->ssl, echo, 5);
        (void)SSL_read(peer->ssl, echo, 1); /* until the stream has looked at its memory */
    }
}

static size_t memory(void)
{
    return mallinfo2().uordblks; /* 0 where another allocator is in its place */
}

/* TLS keeps two buffers of 17 KB while a stream is busy: they are given back when it is told to rest, and by themselves. */
TEST(a_tls_stream_that_rests_holds_no_buffers)
{
    struct rig rig;
    struct peer peer;
    size_t busy, rested;

    rig_init(&rig);
    rig.echo = rig.stop_on_data = true;
    rig.cfg.lean = true;
    rig.cfg.rest_ms = 600000;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, ask_twice);
    CHECK(rig_run(&rig, 5000));
    CHECK(!rig_run(&rig, 20)); /* the answer goes out */
    busy = memory();
    klm_stream_rest(rig.stream);
    rested = memory();
    CHECK(busy == 0 || busy - rested >= 32000);
    REQUIRE_OK(klm_stream_send(rig.stream, klm_slice_str("x")));
    CHECK(rig_run(&rig, 5000));
    CHECK(!rig_run(&rig, 20));
    CHECK(busy == 0 || memory() >= rested + 32000);
    REQUIRE_OK(klm_stream_send(rig.stream, klm_slice_str("x")));
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    rig_done(&rig);
}

static void ask_and_wait(struct peer *peer)
{
    char echo[5];

    peer->fine =
        SSL_write(peer->ssl, "hello", 5) == 5 && ssl_read_exactly(peer->ssl, echo, sizeof echo);
    (void)SSL_read(peer->ssl, echo, 1);
}

TEST(a_tls_stream_rests_by_itself)
{
    struct rig rig;
    struct peer peer;
    size_t busy;
    bool rested = false;

    rig_init(&rig);
    rig.echo = rig.stop_on_data = true;
    rig.cfg.lean = true;
    rig.cfg.rest_ms = test_ms(300);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, ask_and_wait);
    CHECK(rig_run(&rig, 5000));
    busy = memory(); /* with what was read */
    for (int i = 0; i < 100 && !rested; i++) {
        CHECK(!rig_run(&rig, 50));
        rested = busy == 0 || memory() + 15000 <= busy;
    }
    CHECK(rested);
    REQUIRE_OK(klm_stream_send(rig.stream, klm_slice_str("x")));
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.fine);
    rig_done(&rig);
}

TEST(the_idle_deadline_can_be_changed)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.cfg.idle_ms = 0;
    rig.stop_on_secured = true;
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, try_to_read);
    CHECK(rig_run(&rig, 5000));
    CHECK(klm_stream_waits(rig.stream));
    klm_stream_idle(rig.stream, test_ms(50));
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    rig_done(&rig);
}

TEST(an_idle_tls_stream_says_goodbye)
{
    struct rig rig;
    struct peer peer;

    rig_init(&rig);
    rig.cfg.idle_ms = test_ms(50);
    rig_tls(&rig, server_config(KLM_TLS_AUTH_NONE));
    peer_start(&peer, &rig, NULL, try_to_read);
    CHECK(rig_run(&rig, 5000));
    peer_join(&peer);
    CHECK(peer.connected && peer.fine);
    CHECK_RC(rig.why, KLM_E_TIMEOUT);
    rig_done(&rig);
}

#define MANY 16

TEST(many_streams_share_one_loop_and_its_workers)
{
    static struct rig rigs[MANY];
    static struct peer peers[MANY];
    struct klm_tls_ctx *ctx = ctx_of(server_config(KLM_TLS_AUTH_WANTED));
    struct rig first;
    unsigned closed = 0;

    rig_init(&first);
    for (int i = 0; i < MANY; i++) {
        int fd[2];

        tcp_pair(fd);
        rigs[i] = (struct rig){.loop = first.loop,
                               .peer = fd[1],
                               .echo = true,
                               .take = true,
                               .cfg = first.cfg,
                               .owner = first.owner};
        rigs[i].owner.arg = &rigs[i];
        REQUIRE_OK(klm_stream_new(fd[0], &rigs[i].cfg, &rigs[i].owner, &rigs[i].stream));
        REQUIRE_OK(klm_stream_secure(rigs[i].stream, ctx));
        peer_start(&peers[i], &rigs[i], i % 2 ? &client_id : NULL, say_hello);
    }
    klm_tls_ctx_free(&ctx);
    while (closed < MANY && rig_run(&first, 10000)) {
        closed = 0;
        for (int i = 0; i < MANY; i++) {
            closed += rigs[i].closed;
        }
    }
    CHECK_INT(closed, MANY);
    for (int i = 0; i < MANY; i++) {
        peer_join(&peers[i]);
        CHECK(peers[i].fine);
        free(rigs[i].got);
    }
    close(first.fd);
    rig_done(&first);
}
