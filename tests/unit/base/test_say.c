/* Saying and tracing. */
#include "test.h"

#include "base/msg.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4
#define LINES 200

static char said[8][KLM_MSG_TEXT_MAX];
static char severities[9];
static size_t said_n;

static void keep(void *arg, char severity, const char *line)
{
    (void)arg;
    if (said_n < 8) {
        severities[said_n] = severity;
        snprintf(said[said_n++], sizeof said[0], "%s", line);
    }
}

TEST(said_messages_reach_the_sink_with_their_severity)
{
    struct klm_diag diag = {.msg = KLM_MSG_RANDOM, .text = "text as it is"};

    klm_say_to(keep, NULL);
    klm_say(KLM_MSG_NO_MEMORY, "a thing");
    klm_say_diag(&diag);
    klm_say_line("plain");
    klm_say_to(NULL, NULL);
    CHECK_INT(said_n, 3);
    CHECK_STR(said[0], "KLM0005E No memory for a thing");
    CHECK_STR(said[1], "text as it is");
    CHECK_STR(said[2], "plain");
    CHECK_STR(severities, "EAI");
}

/* What reaches stderr while fn runs. */
static void with_stderr(const char *path, void (*fn)(void))
{
    int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0600);

    REQUIRE(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
}

static size_t read_text(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;

    out[n] = '\0';
    if (f) {
        fclose(f);
    }
    return n;
}

static void say_two(void)
{
    klm_say(KLM_MSG_NO_MEMORY, "x");
    klm_say_line("second");
}

TEST(without_a_sink_lines_go_to_stderr)
{
    char text[200];

    with_stderr(test_path("stderr"), say_two);
    read_text(test_path("stderr"), text, sizeof text);
    CHECK_STR(text, "KLM0005E No memory for x\nsecond\n");
}

static void *say_many(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        klm_say(KLM_MSG_NO_MEMORY, arg);
        klm_trace("many", "%s %d", (const char *)arg, i);
    }
    return NULL;
}

static void say_from_threads(void)
{
    static char name[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&t[i], NULL, say_many, name[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
}

TEST(lines_of_many_threads_are_whole)
{
    static char text[THREADS * LINES * 200];
    int n = 0;

    klm_trace_on("many");
    REQUIRE_OK(klm_trace_to(test_path("trace-many")));
    with_stderr(test_path("stderr-many"), say_from_threads);
    REQUIRE_OK(klm_trace_to(NULL));
    klm_trace_on(NULL);
    read_text(test_path("stderr-many"), text, sizeof text);
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, n++) {
        REQUIRE(end - p == 24 && memcmp(p, "KLM0005E No memory for ", 23) == 0);
    }
    CHECK_INT(n, THREADS * LINES);
    read_text(test_path("trace-many"), text, sizeof text);
    n = 0;
    for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, n++) {
        REQUIRE(p[26] == 'Z' && memmem(p, (size_t)(end - p), " many: ", 7));
    }
    CHECK_INT(n, THREADS * LINES);
}

TEST(only_named_components_are_traced)
{
    char text[1000];

    REQUIRE_OK(klm_trace_to(test_path("trace")));
    klm_trace("loop", "not on yet");
    klm_trace_on("loop, tls");
    CHECK(klm_tracing("loop") && klm_tracing("tls"));
    CHECK(!klm_tracing("lo") && !klm_tracing("loops") && !klm_tracing("store"));
    klm_trace("loop", "one %d", 1);
    klm_trace("store", "two");
    klm_trace_on("");
    klm_trace("loop", "three");
    CHECK(!klm_tracing("loop"));
    REQUIRE_OK(klm_trace_to(NULL));
    read_text(test_path("trace"), text, sizeof text);
    CHECK(strstr(text, " loop: one 1\n") != NULL);
    CHECK(strchr(text, '\n') == text + strlen(text) - 1);
}

TEST(all_names_every_component)
{
    klm_trace_on("all");
    CHECK(klm_tracing("anything"));
    klm_trace_on(NULL);
    CHECK(!klm_tracing("anything"));
}

TEST(a_trace_line_is_cut_and_free_of_control_characters)
{
    static char text[4000], arg[3000];

    memset(arg, 'x', sizeof arg - 1);
    arg[0] = '\n';
    arg[1] = '\x1b';
    klm_trace_on("c");
    REQUIRE_OK(klm_trace_to(test_path("trace-long")));
    klm_trace("c", "%s", arg);
    REQUIRE_OK(klm_trace_to(NULL));
    klm_trace_on(NULL);
    CHECK(read_text(test_path("trace-long"), text, sizeof text) <= 2048);
    CHECK(strstr(text, "c: ..xxx") != NULL);
    CHECK(strchr(text, '\n') == text + strlen(text) - 1);
}

TEST(a_trace_file_that_cannot_be_made_is_an_outcome)
{
    CHECK_RC(klm_trace_to("/nonexistent/trace"), KLM_E_NOTFOUND);
    REQUIRE(symlink("/dev/null", test_path("link")) == 0);
    CHECK_RC(klm_trace_to(test_path("link")), KLM_E_IO);
}
