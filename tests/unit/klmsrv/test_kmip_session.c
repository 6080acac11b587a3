/* Sessions of KMIP clients: framing, order, deadlines, ends, over real TLS. */
#include "door_help.h"

#define STAYS(client) (echoes((client), 16, 0x5A))

TEST(a_request_comes_to_the_engine_with_who_asks)
{
    struct door door;
    struct self self = self_good();
    struct client client;

    door_start(&door, "who", "kmip.batch.max=7\nKMIPListener.message.max=2048\n");
    client = dial(door.ttlv, &self);
    REQUIRE(client.fine);
    CHECK(echoes(&client, 16, 0x01));
    CHECK_STR(seen()->fingerprint, self.fingerprint);
    CHECK_INT(seen()->encoding, KMOP_TTLV);
    CHECK(seen()->cert_n > 100);
    CHECK(strncmp(seen()->address, "127.0.0.1:", 10) == 0);
    CHECK(seen()->session[0] != '\0');
    CHECK_INT(seen()->batch_max, 7);
    CHECK_INT(seen()->bytes_max, 2048);
    CHECK_STR(seen()->server_name, "TEST");
    CHECK_STR(seen()->vendor,
              "klmsrv " KLM_VERSION " KMIP 2.1 BUILD " KLM_VERSION " KMIP_SSL_TIMEOUT 10");
    hang_up(&client);
    door_close(&door);
    self_done(&self);
}

TEST(the_vendor_is_what_is_configured_or_says_which_partner_it_is)
{
    struct door door;
    struct client client;

    door_start(&door, "vendor", "kmip.vendor=Some name\n");
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&client));
    CHECK_STR(seen()->vendor, "Some name");
    hang_up(&client);
    door_close(&door);
    door_start(&door, "vendor2", "partner.role=secondary\nKMIPListener.ssl.timeout=5\n");
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&client));
    CHECK_STR(seen()->vendor, "klmsrv " KLM_VERSION " KMIP 2.1 BUILD " KLM_VERSION
                              " KMIP_SSL_TIMEOUT 5 ServerType=clone");
    hang_up(&client);
    door_close(&door);
}

TEST(a_message_in_single_bytes_is_one_message)
{
    struct door door;
    struct client client;
    uint8_t message[40], got[40];
    size_t n = message_of(message, 32, 0x02);
    bool fine = true;

    door_start(&door, "bytes", "");
    client = dial(door.ttlv, NULL);
    REQUIRE(client.fine);
    for (size_t i = 0; i < n; i++) {
        fine = fine && client_send(&client, message + i, 1);
    }
    CHECK(fine);
    CHECK(client_read(&client, got, n));
    CHECK_MEM(got, message, n);
    CHECK_INT(seen()->requests, 1);
    hang_up(&client);
    door_close(&door);
}

TEST(requests_sent_at_once_are_answered_in_order_one_at_a_time)
{
    struct door door;
    struct client client;
    uint8_t all[20 * 136], got[sizeof all];
    size_t n = 0;

    door_start(&door, "order", "");
    answer_by(LATER, 2);
    client = dial(door.ttlv, NULL);
    REQUIRE(client.fine);
    for (uint8_t i = 0; i < 20; i++) {
        n += message_of(all + n, i % 2 ? 128 : 24, i);
    }
    CHECK(client_send(&client, all, n));
    CHECK(client_read(&client, got, n));
    CHECK_MEM(got, all, n);
    CHECK_INT(seen()->requests, 20);
    CHECK_INT(seen()->most_under_way, 1);
    answer_by(ECHO, 0);
    CHECK(client_send(&client, all, n));
    CHECK(client_read(&client, got, n));
    CHECK_MEM(got, all, n);
    hang_up(&client);
    door_close(&door);
}

TEST(a_message_as_long_as_is_taken_is_answered_and_one_byte_more_is_not)
{
    struct door door;
    struct self self = self_good();
    struct client client;
    uint8_t head[8], got[8];

    door_start(&door, "long", "");
    client = dial(door.ttlv, &self);
    REQUIRE(client.fine);
    CHECK(echoes(&client, (1u << 20) - 8, 0x03));
    CHECK(STAYS(&client));
    hang_up(&client);

    client = dial(door.ttlv, &self);
    memcpy(head, "\x42\x00\x78\x01\x00\x10\x00\x00", 8); /* 1 MiB of value, and 8 bytes before it */
    CHECK(client_send(&client, head, 8));
    CHECK(client_read(&client, got, 8));
    CHECK_INT(seen()->message_n, 8);
    CHECK_MEM(seen()->message, head, 8);
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
    self_done(&self);
}

TEST(lengths_beyond_all_bounds_are_told_in_kmip_and_end_the_connection)
{
    static const uint8_t lengths[][4] = {{0xFF, 0xFF, 0xFF, 0xFF},
                                         {0x80, 0, 0, 0},
                                         {0x7F, 0xFF, 0xFF, 0xF8},
                                         {0xFF, 0xFF, 0xFF, 0xF8}};
    struct door door;

    door_start(&door, "huge", "");
    for (size_t i = 0; i < KLM_COUNT(lengths); i++) {
        struct client client = dial(door.ttlv, NULL);
        uint8_t message[24] = {0x42, 0x00, 0x78, 0x01}, got[8];

        memcpy(message + 4, lengths[i], 4);
        CHECK(client_send(&client, message, sizeof message));
        CHECK(client_read(&client, got, 8));
        CHECK_MEM(got, message, 8);
        CHECK_INT(seen()->message_n, 8);
        CHECK(client_ended(&client));
        hang_up(&client);
    }
    CHECK_INT(seen()->requests, KLM_COUNT(lengths));
    CHECK(times_said("KLM1908W") > 0);
    CHECK(times_said("a message that is too long") > 0);
    door_close(&door);
}

TEST(bytes_that_are_no_message_end_the_connection)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "\x16\x03\x01\x02\x01\x01\x01\x01\x01\x01",
                                        "\x42\x01\x78\x02\x01\x01\x01\x04\x01\x01"};
    struct door door;

    door_start(&door, "garbage", "");
    for (size_t i = 0; i < KLM_COUNT(texts); i++) {
        struct client client = dial(door.ttlv, NULL);
        uint8_t got[8];

        CHECK(client_send(&client, texts[i], strlen(texts[i])));
        CHECK(client_read(&client, got, 8));
        CHECK(client_ended(&client));
        hang_up(&client);
    }
    door_close(&door);
    CHECK_INT(times_said("bytes that begin no message"), KLM_COUNT(texts));
}

TEST(half_a_message_and_then_silence_ends_at_the_deadline)
{
    struct door door;
    struct client client, steady;
    uint8_t message[24];
    uint64_t begun;

    (void)message_of(message, 16, 0x04);
    door_start(&door, "silence", "TransportListener.message.timeout=1\n");
    steady = dial(door.ttlv, NULL);
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&steady));
    begun = klm_clock_mono_ms();
    CHECK(client_send(&client, message, 8));
    CHECK(client_ended(&client));
    CHECK(klm_clock_mono_ms() - begun > 900);
    CHECK_INT(seen()->requests, 1);
    CHECK(STAYS(&steady)); /* it was silent as long, between messages */
    hang_up(&client);
    hang_up(&steady);
    door_close(&door);
    CHECK_INT(times_said("a message was not complete in time"), 1);
}

TEST(a_byte_now_and_then_gains_no_time)
{
    struct door door;
    struct client client;
    uint8_t message[104];
    uint64_t begun, took;

    (void)message_of(message, 96, 0x05);
    door_start(&door, "drip", "TransportListener.message.timeout=1\n");
    client = dial(door.ttlv, NULL);
    begun = klm_clock_mono_ms();
    for (size_t i = 0; i < 40 && client_send(&client, message + i, 1); i++) {
        nap_ms(100);
    }
    took = klm_clock_mono_ms() - begun;
    CHECK(client_ended(&client));
    CHECK(took < 3000 * slowness());
    CHECK_INT(seen()->requests, 0);
    hang_up(&client);
    door_close(&door);
}

TEST(a_request_may_take_longer_than_any_deadline_of_the_client)
{
    struct door door;
    struct client client;

    door_start(&door, "patience", "TransportListener.message.timeout=1\n");
    answer_by(LATER, 1500);
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(who_does_not_read_his_answers_is_let_go)
{
    struct door door;
    struct self self = self_good();
    struct client client;
    uint8_t *message = malloc(1u << 20);
    size_t n = message_of(message, (1u << 20) - 8, 0x06);

    door_start(&door, "deaf", "TransportListener.message.timeout=1\n");
    client = dial(door.ttlv, &self);
    REQUIRE(client.fine);
    for (int i = 0; i < 64 && client_send(&client, message, n); i++) {
    }
    WAIT_FOR(info_of(&door).sessions == 0, 10)
    {
    }
    CHECK_INT(info_of(&door).sessions, 0);
    hang_up(&client);
    door_close(&door);
    self_done(&self);
    free(message);
}

TEST(an_answer_that_is_the_last_closes_behind_it)
{
    struct door door;
    struct client client;
    uint8_t two[48], got[24];

    door_start(&door, "last", "");
    answer_by(LAST, 0);
    client = dial(door.ttlv, NULL);
    (void)message_of(two, 16, 1);
    (void)message_of(two + 24, 16, 2);
    CHECK(client_send(&client, two, 48));
    CHECK(client_read(&client, got, 24));
    CHECK_MEM(got, two, 24);
    CHECK(client_ended(&client));
    CHECK_INT(seen()->requests, 1);
    hang_up(&client);
    door_close(&door);
}

TEST(no_answer_closes_the_connection)
{
    struct door door;
    struct client client;
    uint8_t message[24];

    door_start(&door, "nothing", "");
    answer_by(NOTHING, 0);
    client = dial(door.ttlv, NULL);
    CHECK(client_send(&client, message, message_of(message, 16, 1)));
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(a_client_that_goes_while_the_engine_works_harms_nobody)
{
    struct door door;
    struct client client, other;
    uint8_t message[24];

    door_start(&door, "gone", "TransportListener.message.timeout=1\n");
    answer_by(NEVER, 0);
    client = dial(door.ttlv, NULL);
    CHECK(client_send(&client, message, message_of(message, 16, 1)));
    WAIT_FOR(seen()->waits, 5)
    {
    }
    hang_up(&client);
    answer_by(ECHO, 0);
    other = dial(door.ttlv, NULL);
    CHECK(STAYS(&other));
    on_loop(&door, do_answer);
    CHECK(STAYS(&other));
    WAIT_FOR(info_of(&door).sessions == 1, 5)
    {
    }
    CHECK_INT(info_of(&door).sessions, 1);
    hang_up(&other);
    door_close(&door);
}

TEST(a_drain_answers_what_is_under_way_and_closes_the_idle)
{
    struct door door;
    struct client busy, idle;
    uint8_t message[24], got[24];

    door_start(&door, "drain", "");
    idle = dial(door.ttlv, NULL);
    CHECK(STAYS(&idle));
    answer_by(NEVER, 0);
    busy = dial(door.ttlv, NULL);
    CHECK(client_send(&busy, message, message_of(message, 16, 1)));
    WAIT_FOR(seen()->waits, 5)
    {
    }
    on_loop(&door, do_drain);
    CHECK(client_ended(&idle));
    CHECK(!atomic_load(&door.drained));
    CHECK_INT(tcp_to(door.ttlv), -1);
    on_loop(&door, do_answer);
    CHECK(client_read(&busy, got, 24));
    CHECK_MEM(got, message, 24);
    CHECK(client_ended(&busy));
    hang_up(&busy);
    hang_up(&idle);
    WAIT_FOR(atomic_load(&door.drained), 10)
    {
    }
    CHECK(atomic_load(&door.drained));
    pthread_join(door.thread, NULL);
    srv_kmip_free(&door.kmip);
    close_house(&door.house);
    klm_loop_free(&door.loop);
}

TEST(a_cut_ends_at_once_what_does_not_end_by_itself)
{
    struct door door;
    struct client busy, half, shaking;
    uint8_t message[24];

    door_start(&door, "cut", "");
    answer_by(NEVER, 0);
    busy = dial(door.ttlv, NULL);
    CHECK(client_send(&busy, message, message_of(message, 16, 1)));
    half = dial(door.ttlv, NULL);
    CHECK(client_send(&half, message, 9));
    shaking = (struct client){.fd = tcp_to(door.ttlv)};
    WAIT_FOR(seen()->waits && info_of(&door).sessions == 3, 5)
    {
    }
    on_loop(&door, do_cut);
    CHECK(client_ended(&busy));
    CHECK(client_ended(&half));
    CHECK_INT(info_of(&door).sessions, 1); /* the one that the engine has */
    on_loop(&door, do_answer);
    CHECK_INT(info_of(&door).sessions, 0);
    close(shaking.fd);
    hang_up(&busy);
    hang_up(&half);
    door_close(&door);
}

TEST(after_a_drain_it_opens_again)
{
    struct door door;
    struct client client;

    door_start(&door, "again", "");
    on_loop(&door, do_drain);
    WAIT_FOR(atomic_load(&door.drained), 10)
    {
    }
    pthread_join(door.thread, NULL);
    srv_kmip_reopen(door.kmip);
    REQUIRE_OK(srv_kmip_listen(door.kmip, NULL));
    REQUIRE(pthread_create(&door.thread, NULL, door_main, &door) == 0);
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&client));
    hang_up(&client);
    atomic_store(&door.drained, false);
    door_close(&door);
}

/* ---- What is said and recorded */

TEST(a_session_with_requests_is_two_events_and_a_probe_is_none)
{
    struct door door;
    struct self self = self_good();
    struct client client;
    struct km_kmip_info info;
    int fd;

    door_start(&door, "events", "");
    client = dial(door.ttlv, &self);
    for (int i = 0; i < 5; i++) {
        CHECK(STAYS(&client));
    }
    hang_up(&client);
    for (int i = 0; i < 30; i++) {
        fd = tcp_to(door.ttlv); /* connect and close */
        close(fd);
        client = dial(door.ttlv, i % 2 ? &self : NULL); /* a handshake, and nothing more */
        CHECK(client.fine);
        if (i % 3 == 0) { /* and not even good-bye */
            setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                       sizeof(struct linger));
            close(client.fd);
            client.fd = -1;
            client.fine = false;
        }
        hang_up(&client);
    }
    WAIT_FOR(info_of(&door).sessions == 0, 5)
    {
    }
    info = info_of(&door);
    CHECK_INT(info.requests, 5);
    CHECK_INT(info.probes, 60);
    CHECK_INT(info.failed, 0);
    door_close(&door);
    CHECK_INT(events(&door.house, "kmip-contact", SMF_SUCCESS, "KLM1912I", self.fingerprint), 1);
    CHECK_INT(events(&door.house, "kmip-end", SMF_SUCCESS, "KLM1909I", "after 5 requests"), 1);
    CHECK_INT(events(&door.house, "kmip-contact", -1, NULL, NULL), 1);
    CHECK_INT(events(&door.house, "kmip-end", -1, NULL, NULL), 1);
    CHECK_INT(events(&door.house, "tls-failed", -1, NULL, NULL), 0);
    CHECK_INT(events(&door.house, "session-refused", -1, NULL, NULL), 0);
    CHECK_INT(times_said("KLM19"), 2); /* the two ports */
    self_done(&self);
}

TEST(a_flood_of_bad_handshakes_is_counted_and_only_some_of_it_said)
{
    struct door door;
    struct km_kmip_info info;

    door_start(&door, "flood", "");
    for (int i = 0; i < 50; i++) {
        char bin[200];
        int fd = tcp_to(door.ttlv);

        CHECK(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
        while (recv(fd, bin, sizeof bin, 0) > 0) {
        }
        close(fd);
    }
    WAIT_FOR(info_of(&door).sessions == 0, 5)
    {
    }
    info = info_of(&door);
    CHECK_INT(info.failed, 50);
    CHECK_INT(info.probes, 0);
    door_close(&door);
    CHECK_INT(times_said("KLM1907W"), 10);
    CHECK_INT(events(&door.house, "tls-failed", SMF_FAILURE, "KLM1907W", NULL), 10);
    CHECK_INT(events(&door.house, "refusals", SMF_FAILURE, "KLM0827W", "40 tls-failed"), 1);
}

/* ---- Limits */

static void nothing_comes(int fd)
{
    char byte;

    CHECK(recv(fd, &byte, 1, 0) <= 0);
}

TEST(a_good_client_is_served_beside_many_that_never_finish)
{
    static const uint8_t part[] = {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
    struct door door;
    struct client client;
    uint64_t begun;
    int fd[300];

    door_start(&door, "slow", "KMIPListener.handshakes.per.address=300\n");
    for (size_t i = 0; i < KLM_COUNT(fd); i++) {
        fd[i] = tcp_to(door.ttlv);
        if (i % 2) {
            CHECK(send(fd[i], part, sizeof part, MSG_NOSIGNAL) == (ssize_t)sizeof part);
        }
    }
    WAIT_FOR(info_of(&door).sessions == 300, 5)
    {
    }
    nap_ms(600);
    begun = klm_clock_mono_ms();
    client = dial(door.ttlv, NULL); /* the limit is reached: it takes the place of the oldest */
    CHECK(STAYS(&client));
    CHECK(klm_clock_mono_ms() - begun < 1000 * slowness());
    nothing_comes(fd[0]);
    CHECK_INT(info_of(&door).refused, 0);
    hang_up(&client);
    for (size_t i = 0; i < KLM_COUNT(fd); i++) {
        close(fd[i]);
    }
    door_close(&door);
}

TEST(handshakes_that_do_not_end_are_ended)
{
    struct door door;
    int fd;

    door_start(&door, "handshake", "TransportListener.handshake.timeout=1\n");
    fd = tcp_to(door.ttlv);
    nothing_comes(fd);
    close(fd);
    WAIT_FOR(info_of(&door).sessions == 0, 5)
    {
    }
    CHECK_INT(info_of(&door).failed, 1);
    door_close(&door);
    CHECK_INT(times_said("the TLS handshake took too long"), 1);
}

TEST(connections_have_limits_in_all_and_for_an_address)
{
    static const char *const limits[] = {"KMIPListener.connections.max=3\n",
                                         "KMIPListener.connections.per.address=3\n"};

    for (size_t i = 0; i < KLM_COUNT(limits); i++) {
        struct door door;
        struct client client[3];
        int fd;

        door_start(&door, i ? "each" : "all", limits[i]);
        for (size_t c = 0; c < 3; c++) {
            client[c] = dial(door.ttlv, NULL);
            CHECK(STAYS(&client[c]));
        }
        fd = tcp_to(door.ttlv);
        nothing_comes(fd);
        close(fd);
        CHECK(STAYS(&client[0])); /* behind which what is told of the other has been told */
        CHECK_INT(info_of(&door).refused, 1);
        CHECK_INT(times_said("KLM1906W"), 1);
        hang_up(&client[0]);
        WAIT_FOR(info_of(&door).sessions == 2, 5)
        {
        }
        client[0] = dial(door.ttlv, NULL);
        CHECK(STAYS(&client[0]));
        for (size_t c = 0; c < 3; c++) {
            hang_up(&client[c]);
        }
        door_close(&door);
        CHECK_INT(events(&door.house, "connection-refused", SMF_FAILURE, "KLM1906W", "127.0.0.1"),
                  1);
    }
}

TEST(the_last_place_of_an_address_can_be_given_anew)
{
    struct door door;
    struct client client;
    int fd;

    door_start(&door, "place", "KMIPListener.connections.per.address=1\n");
    fd = tcp_to(door.ttlv);
    WAIT_FOR(info_of(&door).sessions == 1, 5)
    {
    }
    nap_ms(600);
    client = dial(door.ttlv, NULL);
    CHECK(STAYS(&client));
    nothing_comes(fd);
    close(fd);
    hang_up(&client);
    door_close(&door);
}

TEST(an_anonymous_client_has_room_for_small_messages_only)
{
    struct door door;
    struct client client;
    uint8_t head[8] = {0x42, 0x00, 0x78, 0x01, 0x00, 0x01, 0x00, 0x00}, got[8];

    door_start(&door, "small", "");
    client = dial(door.ttlv, NULL);
    CHECK(echoes(&client, 65536 - 8, 0x07));
    CHECK(client_send(&client, head, 8));
    CHECK(client_read(&client, got, 8));
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(what_all_messages_hold_together_is_bounded)
{
    struct door door;
    struct self self = self_good();
    struct client client[8], small;
    uint8_t *message = malloc(1u << 20);
    bool ended = false;
    int answered = 0;

    (void)message_of(message, (1u << 20) - 8, 0x08);
    door_start(&door, "held",
               "KMIPListener.messages.megabytes=1\n"); /* so it is two, of the longest messages */
    small = dial(door.ttlv, NULL);
    for (size_t i = 0; i < KLM_COUNT(client); i++) {
        client[i] = dial(door.ttlv, &self);
        CHECK(client[i].fine);
        (void)client_send(&client[i], message, 900000);
    }
    /* Not the sessions alone: the last of them may not have been counted yet. */
    WAIT_FOR(times_said("too many bytes of messages are under way") >= 6, 10)
    {
    }
    CHECK(info_of(&door).sessions <= 3);
    CHECK(STAYS(&small));
    for (size_t i = 0; i < KLM_COUNT(client); i++) {
        ended = client_send(&client[i], message + 900000, (1u << 20) - 900000) &&
                client_read(&client[i], message, 1u << 20);
        answered += ended;
        hang_up(&client[i]);
    }
    /* Two have room whole; one alone when the parts of two others were there beside it at the same moment. */
    CHECK(answered == 1 || answered == 2);
    CHECK(STAYS(&small));
    hang_up(&small);
    door_close(&door);
    CHECK_INT(times_said("too many bytes of messages are under way"), 8 - answered);
    self_done(&self);
    free(message);
}
