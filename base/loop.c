/* The event loop on libevent. An event base belongs to its thread, so it has no locks; other
 * threads reach it through the list of tasks and an eventfd. The eventfd is watched edge-triggered
 * and never read: each write is an edge, and its counter cannot fill in any life of a process. */
#include "base/loop.h"

#include "base/thread.h"
#include "base/turn.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TIMER_MAX_MS (UINT64_C(366) * 86400 * 1000)

struct signal_watch {
    struct event ev;
    klm_timer_fn *fn;
    void *arg;
    struct signal_watch *next;
};

struct klm_loop {
    struct event_base *base;
    struct event wake;
    int wake_fd;
    atomic_bool stop;
    struct signal_watch *signals;
    pthread_mutex_t lock; /* guards the list */
    struct klm_task *first, **last;
    atomic_uint
        waking; /* threads that have put a task there, or asked for the end, and wake the loop now */
    struct event after; /* active while something waits for the end of the turn */
    struct klm_turn turn;
    bool turning; /* at its end already */
};

struct klm_io {
    struct event readable, writable;
    klm_io_fn *fn;
    void *arg;
    unsigned want;
};

struct klm_timer {
    struct event ev;
    klm_timer_fn *fn;
    void *arg;
};

static _Thread_local const struct klm_loop *here;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void wake(const struct klm_loop *loop)
{
    /* Fails only when the counter is full, and then the loop is awake. */
    (void)eventfd_write(loop->wake_fd, 1);
}

/* Run what is posted now. What these tasks post comes in the next turn, so that descriptors get
 * theirs. */
static void run_tasks(struct klm_loop *loop)
{
    struct klm_task *task, *next;

    pthread_mutex_lock(&loop->lock);
    task = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->lock);
    for (; task; task = next) {
        next = task->next;
        task->run(task);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct klm_loop *loop = arg;

    (void)fd, (void)what;
    run_tasks(loop);
    if (atomic_load(&loop->stop)) {
        event_base_loopbreak(loop->base);
    }
}

static void end_turn(struct klm_loop *loop)
{
    loop->turning = true;
    klm_turn_run(&loop->turn);
    loop->turning = false;
}

/* Something is about to wait. libevent puts what is made active behind what is active already. */
static void want_end(struct klm_loop *loop)
{
    if (!loop->turning && klm_turn_empty(&loop->turn)) {
        event_active(&loop->after, 0, 0);
    }
}

static void on_after(evutil_socket_t fd, short what, void *arg)
{
    struct klm_loop *loop = arg;

    (void)fd, (void)what;
    end_turn(loop);
    if (!klm_turn_empty(&loop->turn)) {
        event_active(&loop->after, 0, 0);
    }
}

/* libevent keeps one process-wide table for signals, which needs its locks. */
static void use_threads(void)
{
    if (evthread_use_pthreads() != 0) {
        abort();
    }
}

static struct event_base *base_new(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;

    if (cfg && event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_require_features(cfg, EV_FEATURE_ET | EV_FEATURE_O1) == 0) {
        base = event_base_new_with_config(cfg);
    }
    if (cfg) {
        event_config_free(cfg);
    }
    return base;
}

klm_rc klm_loop_new(struct klm_loop **out)
{
    struct klm_loop *loop = calloc(1, sizeof *loop);

    if (!loop) {
        return KLM_E_NOMEM;
    }
    pthread_once(&once, use_threads);
    pthread_mutex_init(&loop->lock, NULL);
    loop->last = &loop->first;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->base = loop->wake_fd < 0 ? NULL : base_new();
    if (klm_turn_init(&loop->turn) != KLM_OK || !loop->base ||
        event_assign(&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_wake,
                     loop) != 0 ||
        event_add(&loop->wake, NULL) != 0 ||
        event_assign(&loop->after, loop->base, -1, 0, on_after, loop) != 0) {
        klm_loop_free(&loop);
        return KLM_E_LIMIT;
    }
    *out = loop;
    return KLM_OK;
}

void klm_loop_free(struct klm_loop **loop)
{
    struct klm_loop *l;
    struct signal_watch *next;

    if (!loop || !(l = *loop)) {
        return;
    }
    /* Tasks own memory that only their run gives back. */
    here = l;
    do {
        run_tasks(l);
        end_turn(l);
        if (atomic_load(&l->waking)) {
            sched_yield(); /* a system call away from its end */
        }
    } while (atomic_load(&l->waking) || l->first || !klm_turn_empty(&l->turn));
    here = NULL;
    for (struct signal_watch *s = l->signals; s; s = next) {
        next = s->next;
        event_del(&s->ev);
        free(s);
    }
    if (l->base) {
        event_del(&l->wake);
        event_del(&l->after);
        event_base_free(l->base);
    }
    if (l->wake_fd >= 0) {
        close(l->wake_fd);
    }
    klm_turn_done(&l->turn);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *loop = NULL;
}

void klm_loop_run(struct klm_loop *loop)
{
    here = loop;
    klm_thread_prompt();
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    atomic_store(&loop->stop, false);
    here = NULL;
}

void klm_loop_stop(struct klm_loop *loop)
{
    atomic_fetch_add(&loop->waking, 1);
    atomic_store(&loop->stop, true);
    wake(loop);
    atomic_fetch_sub(&loop->waking, 1);
}

bool klm_loop_here(const struct klm_loop *loop)
{
    return here == loop;
}

/* The loop is woken when the lock is free again, which is the first thing that it wants. Until then it is not freed: who wakes it is counted from before its task can be seen. */
void klm_loop_post(struct klm_loop *loop, struct klm_task *task)
{
    bool first;

    task->next = NULL;
    atomic_fetch_add(&loop->waking, 1);
    pthread_mutex_lock(&loop->lock);
    first = !loop->first;
    *loop->last = task;
    loop->last = &task->next;
    pthread_mutex_unlock(&loop->lock);
    if (first) {
        wake(loop);
    }
    atomic_fetch_sub(&loop->waking, 1);
}

void klm_loop_after(struct klm_loop *loop, struct klm_task *task)
{
    want_end(loop);
    klm_turn_task(&loop->turn, task);
}

void klm_loop_read(struct klm_loop *loop, struct klm_transfer *transfer)
{
    want_end(loop);
    klm_turn_read(&loop->turn, transfer);
}

void klm_loop_write(struct klm_loop *loop, struct klm_transfer *transfer)
{
    want_end(loop);
    klm_turn_write(&loop->turn, transfer);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct klm_io *io = arg;

    (void)fd;
    io->fn(io->arg, what & EV_READ ? KLM_IO_READ : KLM_IO_WRITE);
}

klm_rc klm_io_new(struct klm_loop *loop, int fd, klm_io_fn *fn, void *arg, struct klm_io **out)
{
    struct klm_io *io = calloc(1, sizeof *io);

    if (!io) {
        return KLM_E_NOMEM;
    }
    io->fn = fn;
    io->arg = arg;
    if (event_assign(&io->readable, loop->base, fd, EV_READ | EV_PERSIST, on_io, io) != 0 ||
        event_assign(&io->writable, loop->base, fd, EV_WRITE | EV_PERSIST, on_io, io) != 0) {
        free(io);
        return KLM_E_IO;
    }
    *out = io;
    return KLM_OK;
}

/* libevent turns one direction on or off with one epoll_ctl. */
static void switch_to(struct event *ev, bool on)
{
    if (on) {
        event_add(ev, NULL);
    } else {
        event_del(ev);
    }
}

void klm_io_want(struct klm_io *io, unsigned what)
{
    unsigned change = io->want ^ what;

    if (change & KLM_IO_READ) {
        switch_to(&io->readable, what & KLM_IO_READ);
    }
    if (change & KLM_IO_WRITE) {
        switch_to(&io->writable, what & KLM_IO_WRITE);
    }
    io->want = what;
}

void klm_io_free(struct klm_io **io)
{
    if (io && *io) {
        klm_io_want(*io, 0);
        free(*io);
        *io = NULL;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct klm_timer *timer = arg;

    (void)fd, (void)what;
    timer->fn(timer->arg);
}

klm_rc klm_timer_new(struct klm_loop *loop, klm_timer_fn *fn, void *arg, struct klm_timer **out)
{
    struct klm_timer *timer = calloc(1, sizeof *timer);

    if (!timer) {
        return KLM_E_NOMEM;
    }
    timer->fn = fn;
    timer->arg = arg;
    if (event_assign(&timer->ev, loop->base, -1, 0, on_timer, timer) != 0) {
        free(timer);
        return KLM_E_INTERNAL;
    }
    *out = timer;
    return KLM_OK;
}

void klm_timer_set(struct klm_timer *timer, uint64_t ms)
{
    struct timeval tv;

    if (ms == 0) {
        event_del(&timer->ev);
        return;
    }
    ms = ms > TIMER_MAX_MS ? TIMER_MAX_MS : ms;
    tv = (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    event_add(&timer->ev, &tv);
}

void klm_timer_free(struct klm_timer **timer)
{
    if (timer && *timer) {
        event_del(&(*timer)->ev);
        free(*timer);
        *timer = NULL;
    }
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct signal_watch *s = arg;

    (void)signo, (void)what;
    s->fn(s->arg);
}

klm_rc klm_loop_signal(struct klm_loop *loop, int signo, klm_timer_fn *fn, void *arg)
{
    struct signal_watch *s = calloc(1, sizeof *s);

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->fn = fn;
    s->arg = arg;
    if (event_assign(&s->ev, loop->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, s) != 0 ||
        event_add(&s->ev, NULL) != 0) {
        free(s);
        return KLM_E_INVALID;
    }
    s->next = loop->signals;
    loop->signals = s;
    return KLM_OK;
}
