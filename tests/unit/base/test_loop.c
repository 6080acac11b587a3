/* The event loop. */
#include "test.h"

#include "base/clock.h"
#include "base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 4
#define POSTS 500

struct note {
    struct klm_task task;
    struct klm_loop *loop;
    int thread, number;
    int stop_after; /* stop the loop when so many have run */
};

static int seen[THREADS], ran;
static bool in_order, on_loop;

static void count(struct klm_task *task)
{
    struct note *note = (struct note *)(void *)task;

    in_order = in_order && seen[note->thread] == note->number;
    on_loop = on_loop && klm_loop_here(note->loop);
    seen[note->thread]++;
    if (++ran == note->stop_after) {
        klm_loop_stop(note->loop);
    }
}

static void counting(void)
{
    memset(seen, 0, sizeof seen);
    ran = 0;
    in_order = on_loop = true;
}

static void *post_many(void *arg)
{
    struct note *notes = arg;

    for (int i = 0; i < POSTS; i++) {
        klm_loop_post(notes[i].loop, &notes[i].task);
    }
    return NULL;
}

TEST(tasks_of_many_threads_all_run_on_the_loop_in_the_order_of_each)
{
    static struct note notes[THREADS][POSTS];
    struct klm_loop *loop = NULL;
    pthread_t t[THREADS];

    REQUIRE_OK(klm_loop_new(&loop));
    counting();
    for (int k = 0; k < THREADS; k++) {
        for (int i = 0; i < POSTS; i++) {
            notes[k][i] = (struct note){{count, NULL}, loop, k, i, THREADS * POSTS};
        }
        REQUIRE(pthread_create(&t[k], NULL, post_many, notes[k]) == 0);
    }
    klm_loop_run(loop);
    for (int k = 0; k < THREADS; k++) {
        pthread_join(t[k], NULL);
        CHECK_INT(seen[k], POSTS);
    }
    CHECK(in_order);
    CHECK(on_loop);
    CHECK(!klm_loop_here(loop));
    klm_loop_free(&loop);
    CHECK(loop == NULL);
}

TEST(tasks_posted_before_the_run_and_a_stop_before_it_are_heeded)
{
    struct klm_loop *loop = NULL;
    struct note note;

    REQUIRE_OK(klm_loop_new(&loop));
    counting();
    note = (struct note){{count, NULL}, loop, 0, 0, 0};
    klm_loop_post(loop, &note.task);
    klm_loop_stop(loop);
    klm_loop_run(loop);
    CHECK_INT(ran, 1);
    klm_loop_free(&loop);
}

TEST(a_loop_runs_again_after_a_stop)
{
    struct klm_loop *loop = NULL;
    struct note note;

    REQUIRE_OK(klm_loop_new(&loop));
    for (int turn = 0; turn < 3; turn++) {
        counting();
        note = (struct note){{count, NULL}, loop, 0, 0, 1};
        klm_loop_post(loop, &note.task);
        klm_loop_run(loop);
        CHECK_INT(ran, 1);
    }
    klm_loop_free(&loop);
}

/* Ends the loop that it runs on: whoever has posted it may be in the middle of waking that. */
struct last_task {
    struct klm_task task; /* first */
    struct klm_loop *loop;
};

static void end_loop(struct klm_task *task)
{
    klm_loop_stop(((struct last_task *)(void *)task)->loop);
}

static void *post_last(void *arg)
{
    struct last_task *last = arg;

    last->task.run = end_loop;
    klm_loop_post(last->loop, &last->task);
    return NULL;
}

TEST(a_loop_may_be_freed_as_soon_as_its_last_task_has_run)
{
    for (int i = 0; i < 500; i++) {
        struct last_task last = {.loop = NULL};
        struct klm_loop *loop = NULL;
        pthread_t thread;

        REQUIRE_OK(klm_loop_new(&loop));
        last.loop = loop;
        REQUIRE(pthread_create(&thread, NULL, post_last, &last) == 0);
        klm_loop_run(loop);
        klm_loop_free(&loop);
        pthread_join(thread, NULL);
    }
}

TEST(tasks_left_over_run_when_the_loop_is_freed)
{
    struct klm_loop *loop = NULL;
    struct note note;

    REQUIRE_OK(klm_loop_new(&loop));
    counting();
    note = (struct note){{count, NULL}, loop, 0, 0, 0};
    klm_loop_post(loop, &note.task);
    klm_loop_free(&loop);
    CHECK_INT(ran, 1);
    CHECK(on_loop);
}

static struct klm_loop *the_loop;
static uint64_t fired_at[4];
static unsigned fired;

static void on_timer(void *arg)
{
    (void)arg;
    if (fired < 4) {
        fired_at[fired] = klm_clock_mono_ms();
    }
    fired++;
}

static void on_last(void *arg)
{
    (void)arg;
    klm_loop_stop(the_loop);
}

TEST(a_timer_fires_once_at_its_last_setting_or_not_at_all)
{
    struct klm_timer *a = NULL, *b = NULL, *last = NULL;
    uint64_t start;

    REQUIRE_OK(klm_loop_new(&the_loop));
    REQUIRE_OK(klm_timer_new(the_loop, on_timer, NULL, &a));
    REQUIRE_OK(klm_timer_new(the_loop, on_timer, NULL, &b));
    REQUIRE_OK(klm_timer_new(the_loop, on_last, NULL, &last));
    fired = 0;
    start = klm_clock_mono_ms();
    klm_timer_set(a, 5);
    klm_timer_set(a, 40);
    klm_timer_set(b, 10);
    klm_timer_set(b, 0);
    klm_timer_set(last, 120);
    klm_loop_run(the_loop);
    CHECK_INT(fired, 1);
    CHECK(fired_at[0] >= start + 30);
    klm_timer_free(&a);
    klm_timer_free(&b);
    klm_timer_free(&last);
    klm_timer_free(&last);
    klm_loop_free(&the_loop);
}

TEST(a_freed_timer_does_not_fire)
{
    struct klm_timer *a = NULL, *last = NULL;

    REQUIRE_OK(klm_loop_new(&the_loop));
    REQUIRE_OK(klm_timer_new(the_loop, on_timer, NULL, &a));
    REQUIRE_OK(klm_timer_new(the_loop, on_last, NULL, &last));
    fired = 0;
    klm_timer_set(a, 5);
    klm_timer_set(last, 40);
    klm_timer_free(&a);
    klm_loop_run(the_loop);
    CHECK_INT(fired, 0);
    klm_timer_free(&last);
    klm_loop_free(&the_loop);
}

static int pair[2];
static unsigned readable, writable;
static struct klm_io *io;

static void on_io(void *arg, unsigned ready)
{
    char c;

    CHECK(arg == &io);
    if (ready & KLM_IO_WRITE) {
        writable++;
        klm_io_want(io, KLM_IO_READ);
        CHECK(write(pair[1], "xy", 2) == 2);
        return;
    }
    readable++;
    CHECK(read(pair[0], &c, 1) == 1);
    if (c == 'y') {
        klm_io_free(&io); /* from within its own callback */
        klm_loop_stop(the_loop);
    }
}

TEST(a_descriptor_is_announced_by_interest_until_it_was_read)
{
    REQUIRE_OK(klm_loop_new(&the_loop));
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    REQUIRE_OK(klm_io_new(the_loop, pair[0], on_io, &io, &io));
    readable = writable = 0;
    klm_io_want(io, KLM_IO_WRITE);
    klm_loop_run(the_loop);
    CHECK_INT(writable, 1);
    CHECK_INT(readable, 2);
    CHECK(io == NULL);
    close(pair[0]);
    close(pair[1]);
    klm_loop_free(&the_loop);
}

TEST(without_interest_a_descriptor_is_silent)
{
    struct klm_timer *last = NULL;

    REQUIRE_OK(klm_loop_new(&the_loop));
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    REQUIRE_OK(klm_io_new(the_loop, pair[0], on_io, &io, &io));
    REQUIRE_OK(klm_timer_new(the_loop, on_last, NULL, &last));
    readable = writable = 0;
    klm_io_want(io, KLM_IO_READ | KLM_IO_WRITE);
    klm_io_want(io, 0);
    REQUIRE(write(pair[1], "x", 1) == 1);
    klm_timer_set(last, 20);
    klm_loop_run(the_loop);
    CHECK_INT(readable + writable, 0);
    klm_io_free(&io);
    klm_timer_free(&last);
    close(pair[0]);
    close(pair[1]);
    klm_loop_free(&the_loop);
}

static void on_signal(void *arg)
{
    (*(int *)arg)++;
    CHECK(klm_loop_here(the_loop));
    klm_loop_stop(the_loop);
}

TEST(a_signal_runs_its_function_on_the_loop)
{
    int hups = 0, terms = 0;

    REQUIRE_OK(klm_loop_new(&the_loop));
    REQUIRE_OK(klm_loop_signal(the_loop, SIGHUP, on_signal, &hups));
    REQUIRE_OK(klm_loop_signal(the_loop, SIGTERM, on_signal, &terms));
    kill(getpid(), SIGHUP);
    klm_loop_run(the_loop);
    CHECK_INT(hups, 1);
    CHECK_INT(terms, 0);
    kill(getpid(), SIGHUP);
    klm_loop_run(the_loop);
    CHECK_INT(hups, 2);
    klm_loop_free(&the_loop);
}

/* ---- The end of a turn */

#define READY 40 /* descriptors that are ready at once: more than may wait for the end of a turn */
struct ready {
    struct klm_task task;
    struct klm_io *io;
    int fd;
};
static struct ready ready[READY];
static int served, ended, served_at_first_end, most_waiting;

static void end_of_turn(struct klm_task *task)
{
    (void)task;
    if (ended++ == 0) {
        served_at_first_end = served;
    }
    if (ended == READY || ended == served) {
        klm_loop_stop(the_loop);
    }
}

static void serve_ready(void *arg, unsigned what)
{
    struct ready *r = arg;
    char c;

    CHECK(what & KLM_IO_READ);
    REQUIRE(read(r->fd, &c, 1) == 1);
    served++;
    most_waiting = served - ended > most_waiting ? served - ended : most_waiting;
    r->task.run = end_of_turn;
    klm_loop_after(the_loop, &r->task);
}

/* n descriptors that are ready in the same turn, once each. */
static void turn_with(int n)
{
    int ends[READY][2];

    served = ended = served_at_first_end = most_waiting = 0;
    REQUIRE_OK(klm_loop_new(&the_loop));
    for (int i = 0; i < n; i++) {
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) == 0);
        ready[i].fd = ends[i][0];
        REQUIRE_OK(klm_io_new(the_loop, ready[i].fd, serve_ready, &ready[i], &ready[i].io));
        klm_io_want(ready[i].io, KLM_IO_READ);
        REQUIRE(write(ends[i][1], "x", 1) == 1);
    }
    while (ended < n) {
        klm_loop_run(the_loop);
    }
    for (int i = 0; i < n; i++) {
        klm_io_free(&ready[i].io);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    klm_loop_free(&the_loop);
}

TEST(what_waits_for_the_end_of_a_turn_runs_after_all_that_was_ready)
{
    turn_with(8);
    CHECK_INT(served, 8);
    CHECK_INT(served_at_first_end, 8);
}

TEST(only_so_many_wait_for_the_end_of_a_turn)
{
    turn_with(READY);
    CHECK_INT(ended, READY);
    CHECK(most_waiting <= 32);
}

TEST(freeing_nothing_is_harmless)
{
    struct klm_loop *none = NULL;

    klm_loop_free(&none);
    klm_loop_free(NULL);
    klm_io_free(NULL);
    klm_timer_free(NULL);
}
