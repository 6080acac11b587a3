/* The operator socket: commands over it, what comes that is no command, and operators who are slow, many or strangers. */
#include "console/con_help.h"

#include "console/wire.h"

#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct house house;
static struct con_socket *sock;
static char path[108];

/* Whoever runs the tests is the operator. */
static const char *user(void)
{
    const struct passwd *passwd = getpwuid(geteuid());

    REQUIRE(passwd != NULL);
    return passwd->pw_name;
}

static const char *const roles[] = {"SECADMIN", "OPERATOR", "AUDITOR", "BACKUP"};

static void serving(void)
{
    struct klm_diag diag = {0};

    if (!sock) {
        static unsigned turn;
        char name[16], more[512] = "";

        listen_now();
        snprintf(name, sizeof name, "sock%u", ++turn); /* some tests close it */
        for (size_t i = 0; i < KLM_COUNT(roles); i++) {
            size_t n = strlen(more);
            snprintf(more + n, sizeof more - n, "console.role.%s=%s\n", roles[i], user());
        }
        start_house(&house, name, more);
        snprintf(path, sizeof path, "%s", test_path("run/oper.sock"));
        if (con_socket_open(house.server, path, &diag, &sock) != KLM_OK) {
            fprintf(stderr, "# %s\n", diag.text);
        }
        REQUIRE(sock != NULL);
    }
}

static struct con_client *client_of(void)
{
    struct con_client *client = NULL;

    REQUIRE_OK(con_client_open(path, NULL, &client));
    return client;
}

static void command(struct con_client *client, const char *line, int status, const char *has)
{
    struct klm_buf answer;
    struct klm_diag diag = {0};
    int got = -1;

    klm_buf_init(&answer, CON_ANSWER_MAX);
    CHECK_RC(con_client_command(client, line, &answer, &got, &diag), KLM_OK);
    klm_buf_u8(&answer, 0);
    CHECK_INT(got, status);
    if (!strstr((const char *)answer.p, has)) {
        CHECK_STR((const char *)answer.p, has);
    }
    klm_buf_done(&answer);
}

TEST(commands_go_over_the_socket_one_after_the_other)
{
    serving();
    struct con_client *client = client_of();
    struct stat st;

    command(client, "F ISKLM,APPL='version'", 0, "klmsrv ");
    command(client, "F ISKLM,APPL='nonsense'", 2, "KLM0969E");
    command(client, "F ISKLM,APPL='deletedrive -drivename 000000000001'", 1, "KLM0204E");
    command(client, "D A,ISKLM", 0, "IEE115I");
    con_client_close(&client);
    con_client_close(&client);
    CHECK(events(&house, "drive-delete", SMF_FAILURE, "KLM0204E", "console") == 1);
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0660);
}

TEST(nobody_listening_and_names_too_long_are_told)
{
    struct con_client *client = NULL;
    struct klm_diag diag = {0};
    char longer[200];

    CHECK_RC(con_client_open(test_path("none.sock"), &diag, &client), KLM_E_NOTFOUND);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0981E");
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_RC(con_client_open(longer, &diag, &client), KLM_E_NOTFOUND);
    CHECK(client == NULL);
}

TEST(a_long_answer_arrives_whole)
{
    serving();
    struct con_client *client = client_of();
    struct klm_buf answer;
    int status = -1;
    size_t lines = 0;

    for (int i = 0; i < 200; i++) {
        char serial[16];
        snprintf(serial, sizeof serial, "00000000L%03d", i);
        DO(&house, KM_DRIVE_ADD, &oper, "drivename", serial, "rec1", "L1");
    }
    klm_buf_init(&answer, CON_ANSWER_MAX);
    CHECK_RC(con_client_command(client, "F ISKLM,APPL='listdrives -v'", &answer, &status, NULL),
             KLM_OK);
    for (size_t i = 0; i < answer.n; i++) {
        lines += answer.p[i] == '\n';
    }
    CHECK(answer.n > 40000);
    CHECK_INT(lines, 200 * 11 + 2);
    klm_buf_done(&answer);
    con_client_close(&client);
}

/* ---- Console lines */

TEST(attached_operators_get_console_lines_between_their_answers)
{
    serving();
    struct con_client *client = client_of(), *other = client_of();
    struct klm_buf line;
    char got[3][64] = {"", "", ""};

    REQUIRE_OK(con_client_attach(client, NULL));
    command(client, "F ISKLM,APPL='version'", 0,
            "klmsrv"); /* the attach before it is done by then */
    command(other, "F ISKLM,APPL='version'", 0, "klmsrv");
    con_socket_broadcast(sock, "first line");
    con_socket_broadcast(sock, "second line");
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv"); /* may come before or after the lines */
    klm_buf_init(&line, 4096);
    for (size_t i = 0; i < 2; i++) {
        klm_rc rc = KLM_E_AGAIN;

        WAIT_FOR((rc = con_client_message(client, &line)) != KLM_E_AGAIN, 10)
        {
        }
        CHECK_RC(rc, KLM_OK);
        snprintf(got[i], sizeof got[i], "%.*s", (int)line.n, line.p ? (const char *)line.p : "");
        klm_buf_clear(&line);
    }
    CHECK_STR(got[0], "first line");
    CHECK_STR(got[1], "second line");
    CHECK_RC(con_client_message(client, &line), KLM_E_AGAIN);
    CHECK_RC(con_client_message(other, &line), KLM_E_AGAIN); /* did not ask for them */
    klm_buf_done(&line);
    con_client_close(&client);
    con_client_close(&other);
}

TEST(an_operator_who_does_not_read_misses_lines_and_holds_nobody_up)
{
    serving();
    struct con_client *slow = client_of(), *client = client_of();
    char line[1024];
    uint64_t began;

    REQUIRE_OK(con_client_attach(slow, NULL));
    command(slow, "F ISKLM,APPL='version'", 0, "klmsrv");
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    began = klm_clock_mono_ms();
    for (int i = 0; i < 5000; i++) {
        con_socket_broadcast(sock, line);
    }
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv");
    CHECK(klm_clock_mono_ms() - began < 4000 * slowness());
    con_client_close(&slow);
    con_client_close(&client);
}

/* ---- Heard */

static struct {
    pthread_mutex_t lock;
    char text[256], user[64];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void hear_command(void *arg, const char *user, const char *shown)
{
    (void)arg;
    pthread_mutex_lock(&heard.lock);
    snprintf(heard.text, sizeof heard.text, "%s", shown);
    snprintf(heard.user, sizeof heard.user, "%s", user);
    pthread_mutex_unlock(&heard.lock);
}

TEST(each_command_is_heard_without_its_secrets)
{
    serving();
    struct con_client *client = client_of();

    con_socket_on_command(sock, hear_command, NULL);
    command(client,
            "F ISKLM,APPL='modconfig -set -property config.keystore.password -value geheim '", 0,
            "");
    CHECK_STR(heard.text,
              "F ISKLM,APPL='modconfig -set -property config.keystore.password -value **** '");
    CHECK_STR(heard.user, user());
    con_socket_on_command(sock, NULL, NULL);
    con_client_close(&client);
}

/* ---- F32: bytes that are no command */

static int raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(fd >= 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Everything that comes until the end; true when the end came in time. */
static bool read_to_end(int fd, char *text, size_t cap)
{
    size_t n = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, (int)(10000 * slowness())) != 1) {
            return false;
        }
        got = recv(fd, text + n, cap - 1 - n, 0);
        if (got <= 0) {
            text[n] = '\0';
            return true;
        }
        n += (size_t)got;
    }
}

static void send_bytes(int fd, const void *p, size_t n)
{
    CHECK(send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void answered(int fd, const char *id)
{
    char text[4096];

    CHECK(read_to_end(fd, text, sizeof text)); /* closed by the server */
    CHECK(memmem(text, sizeof text, id, strlen(id)) != NULL);
    close(fd);
}

TEST(F32_frames_that_are_none_are_answered_and_end_the_connection)
{
    serving();
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1, 'x'}, zero[] = {0, 0, 0, 0, 1},
                         type[] = {0, 0, 0, 2, 99, 'x'}, over[] = {0, 1, 0, 3, 1};
    int fd = raw();

    send_bytes(fd, huge, sizeof huge);
    answered(fd, "KLM0968E");
    fd = raw();
    send_bytes(fd, zero, sizeof zero);
    answered(fd, "KLM0968E");
    fd = raw();
    send_bytes(fd, over, sizeof over);
    answered(fd, "KLM0968E");
    fd = raw();
    send_bytes(fd, type, sizeof type);
    answered(fd, "KLM0995E");
    fd = raw();
    send_bytes(fd, "GET / HTTP/1.0\r\n\r\n", 18);
    answered(fd, "KLM0968E");
    fd = raw();
    send_bytes(fd, huge, 3); /* half a head, then away */
    close(fd);
    struct con_client *client = client_of();
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv");
    con_client_close(&client);
}

/* One frame byte by byte, and its answer's status and beginning. */
static int exchange(int fd, const uint8_t *payload, size_t n, char *text, size_t cap)
{
    struct klm_buf frame;
    uint8_t head[6];
    uint32_t len;

    klm_buf_init(&frame, 1 << 20);
    con_frame_put(&frame, CON_COMMAND, -1, KLM_SLICE(payload, n));
    for (size_t at = 0; at < frame.n;) {
        size_t step = at < 16 ? 1 : frame.n - at;
        send_bytes(fd, frame.p + at, step);
        at += step;
    }
    klm_buf_done(&frame);
    REQUIRE(recv(fd, head, 6, MSG_WAITALL) == 6);
    CHECK_INT(head[4], CON_ANSWER);
    len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    REQUIRE(len >= 2 && len - 2 < cap);
    CHECK(recv(fd, text, len - 2, MSG_WAITALL) == (ssize_t)len - 2);
    text[len - 2] = '\0';
    return head[5];
}

TEST(F32_commands_of_64_KiB_binary_and_in_pieces_are_answered)
{
    serving();
    static uint8_t payload[CON_COMMAND_MAX + 1];
    static char text[1 << 16];
    int fd = raw();

    memset(payload, 'x', sizeof payload);
    CHECK_INT(exchange(fd, payload, CON_COMMAND_MAX, text, sizeof text), 2);
    CHECK(strncmp(text, "KLM0967E", 8) == 0);
    CHECK_INT(exchange(fd, payload, CON_COMMAND_MAX + 1, text, sizeof text), 1);
    CHECK(strncmp(text, "KLM0968E", 8) == 0);
    CHECK_INT(
        exchange(fd, (const uint8_t *)"F ISKLM,APPL='version'\0 rm -rf", 30, text, sizeof text), 2);
    CHECK(strncmp(text, "KLM0992E", 8) == 0); /* nothing behind a NUL is lost unseen */
    CHECK_INT(exchange(fd, (const uint8_t *)"", 0, text, sizeof text), 2);
    CHECK_INT(exchange(fd, (const uint8_t *)"\xff\xfe\x80", 3, text, sizeof text), 2);
    CHECK_INT(exchange(fd, (const uint8_t *)"F ISKLM,APPL='version'", 22, text, sizeof text), 0);
    close(fd);
}

TEST(F32_a_flood_of_commands_without_reading_answers_ends_that_connection_only)
{
    serving();
    struct timeval soon = {.tv_sec = 1};
    struct klm_buf frame;
    int fd = raw();
    bool stuck = false;

    klm_buf_init(&frame, 4096);
    con_frame_put(&frame, CON_COMMAND, -1, klm_slice_str("F ISKLM,APPL='help'"));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
    for (int i = 0; i < 100000 && !stuck; i++) {
        stuck = send(fd, frame.p, frame.n, MSG_NOSIGNAL) != (ssize_t)frame.n;
    }
    CHECK(stuck); /* it is held back, not buffered without end */
    struct con_client *client = client_of();
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv");
    con_client_close(&client);
    klm_buf_done(&frame);
    close(fd);
}

TEST(the_client_refuses_a_command_that_is_too_long_and_notices_the_end)
{
    serving();
    struct con_client *client = client_of();
    char *line = malloc(CON_COMMAND_MAX + 2);
    struct klm_buf answer;
    struct klm_diag diag = {0};
    int status = -1;

    REQUIRE(line != NULL);
    memset(line, 'x', CON_COMMAND_MAX + 1);
    line[CON_COMMAND_MAX + 1] = '\0';
    klm_buf_init(&answer, 4096);
    CHECK_RC(con_client_command(client, line, &answer, &status, &diag), KLM_E_LIMIT);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0968E");
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv"); /* the connection is as before */
    free(line);
    con_socket_close(&sock);
    CHECK_RC(con_client_command(client, "F ISKLM,APPL='version'", &answer, &status, &diag),
             KLM_E_CLOSED);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0982E");
    klm_buf_done(&answer);
    con_client_close(&client);
    close_house(&house);
}

/* ---- Too many, and strangers */

TEST(the_seventeenth_operator_is_turned_away_and_the_place_is_free_again_later)
{
    serving();
    struct con_client *client[16];
    char byte;
    int fd;

    for (size_t i = 0; i < KLM_COUNT(client); i++) {
        client[i] = client_of();
        command(client[i], "F ISKLM,APPL='version'", 0, "klmsrv");
    }
    listen_now();
    for (int i = 0; i < 5; i++) {
        fd = raw();
        CHECK(recv(fd, &byte, 1, 0) == 0); /* closed at once */
        close(fd);
    }
    WAIT_FOR(times_said("KLM0983W") > 0, 5)
    {
    }
    CHECK_INT(times_said("KLM0983W"), 1); /* not once for each of a flood */
    command(client[15], "F ISKLM,APPL='version'", 0, "klmsrv");
    con_client_close(&client[3]);
    bool in = false;
    WAIT_FOR(in, 10)
    {
        struct con_client *next = client_of();
        struct klm_buf answer;
        int status = -1;
        klm_buf_init(&answer, 65536);
        in = con_client_command(next, "F ISKLM,APPL='version'", &answer, &status, NULL) == KLM_OK &&
             status == 0;
        klm_buf_done(&answer);
        con_client_close(&next);
    }
    CHECK(in);
    for (size_t i = 0; i < KLM_COUNT(client); i++) {
        con_client_close(&client[i]);
    }
}

TEST(a_peer_without_a_role_is_refused_recorded_and_let_go)
{
    serving();
    char name[64];
    struct klm_buf answer;
    struct klm_diag diag = {0};
    int status = -1;

    for (size_t i = 0; i < KLM_COUNT(roles); i++) {
        snprintf(name, sizeof name, "console.role.%s", roles[i]);
        DO(&house, KM_CONFIG_SET, &admin, "property", name, "value", "somebodyelse");
    }
    struct con_client *client = client_of();
    klm_buf_init(&answer, 65536);
    CHECK_RC(con_client_command(client, "F ISKLM,APPL='status'", &answer, &status, &diag), KLM_OK);
    CHECK_INT(status, 1);
    CHECK(answer.n > 8 && memcmp(answer.p, "KLM0994E", 8) == 0);
    CHECK(con_client_command(client, "F ISKLM,APPL='status'", &answer, &status, &diag) != KLM_OK);
    klm_buf_done(&answer);
    con_client_close(&client);
    client = client_of();
    REQUIRE_OK(con_client_attach(client, NULL));
    struct klm_buf line;
    klm_rc rc = KLM_E_AGAIN;
    klm_buf_init(&line, 4096);
    WAIT_FOR((rc = con_client_message(client, &line)) == KLM_E_CLOSED, 10)
    {
        con_socket_broadcast(sock, "not for strangers");
    }
    CHECK_RC(rc, KLM_E_CLOSED);
    CHECK(memmem(line.p, line.n, "not for strangers", 17) == NULL);
    klm_buf_done(&line);
    con_client_close(&client);
    CHECK_INT(events(&house, "console-connect", SMF_FAILURE, "KLM0994E", NULL), 2);
    for (size_t i = 0; i < KLM_COUNT(roles); i++) {
        snprintf(name, sizeof name, "console.role.%s", roles[i]);
        DO(&house, KM_CONFIG_SET, &admin, "property", name, "value", user());
    }
}

/* ---- Opening and closing */

TEST(a_socket_left_over_is_replaced_a_file_or_a_live_socket_is_not)
{
    serving();
    struct con_socket *second = NULL;
    struct klm_diag diag = {0};
    char other[108];

    CHECK_RC(con_socket_open(house.server, path, &diag, &second), KLM_E_BUSY);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0980E");
    struct con_client *client = client_of();
    command(client, "F ISKLM,APPL='version'", 0, "klmsrv"); /* the first goes on */
    con_client_close(&client);
    snprintf(other, sizeof other, "%s", test_path("run/plain"));
    write_file(other, "precious");
    CHECK_RC(con_socket_open(house.server, other, &diag, &second), KLM_E_BUSY);
    CHECK_STR(text_of(other), "precious");
    /* Left over from a crash: bound, but nobody listens. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", test_path("run/dead.sock"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    close(fd);
    REQUIRE_OK(con_socket_open(house.server, address.sun_path, &diag, &second));
    con_socket_close(&second);
    CHECK(access(address.sun_path, F_OK) != 0);
    char longer[300];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    CHECK_RC(con_socket_open(house.server, longer, &diag, &second), KLM_E_LIMIT);
    CHECK(second == NULL);
}

static void *flood(void *arg)
{
    int fd = raw();
    struct klm_buf frame;

    (void)arg;
    klm_buf_init(&frame, 4096);
    con_frame_put(&frame, CON_COMMAND, -1, klm_slice_str("F ISKLM,APPL='listconfig'"));
    while (send(fd, frame.p, frame.n, MSG_NOSIGNAL) == (ssize_t)frame.n) {
    }
    klm_buf_done(&frame);
    close(fd);
    return NULL;
}

TEST(closing_does_not_wait_for_operators_who_do_not_read)
{
    serving();
    pthread_t thread;
    uint64_t began;

    REQUIRE(pthread_create(&thread, NULL, flood, NULL) == 0);
    nap_ms(300);
    began = klm_clock_mono_ms();
    con_socket_close(&sock);
    CHECK(klm_clock_mono_ms() - began < 12000 * slowness());
    pthread_join(thread, NULL);
    CHECK(access(path, F_OK) != 0);
    close_house(&house);
}
