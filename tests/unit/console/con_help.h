/* Commands given to a real server, and their answers. */
#ifndef TESTS_CONSOLE_HELP_H
#define TESTS_CONSOLE_HELP_H

#include "keymgr/km_help.h"

#include "console/con.h"

/* Carry out a line; the answer stays until the next but three. */
static UNUSED const char *say_as(const struct house *house, const struct km_actor *actor,
                                 const char *line, int *status)
{
    static char text[4][1 << 17];
    static unsigned turn;
    char *out = text[turn = (turn + 1) % 4];
    const struct con_context context = {
        .server = house->server, .actor = *actor, .files = house->files};
    struct klm_buf answer;

    *status = -1;
    klm_buf_init(&answer, CON_ANSWER_MAX);
    con_execute(&context, line, &answer, status);
    CHECK(answer.n == 0 || answer.p[answer.n - 1] == '\n');
    snprintf(out, sizeof text[0], "%.*s", (int)answer.n, answer.p ? (const char *)answer.p : "");
    klm_buf_done(&answer);
    return out;
}

static UNUSED void check_answer(const struct house *house, const struct km_actor *actor,
                                const char *line, int status, const char *has, const char *file,
                                int at)
{
    int got;
    const char *answer = say_as(house, actor, line, &got);
    char what[300];

    snprintf(what, sizeof what, "status of %.200s", line);
    test_int(got, status, what, file, at);
    if (!strstr(answer, has)) {
        test_str(answer, has, line, file, at);
    }
}

/* As a security administrator and operator: status and a part of the answer. */
static UNUSED const struct km_actor both = {.kind = KM_ACTOR_OPERATOR,
                                            .roles = KM_ROLE_SECADMIN | KM_ROLE_OPERATOR,
                                            .name = "MYUSER",
                                            .address = "console"};
#define SAY(line, status, has)                                                                     \
    check_answer(&house, &both, (line), (status), (has), __FILE__, __LINE__)

#endif
