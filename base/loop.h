/* Event loops (libevent) and workers. A session belongs to one loop and is touched by no other thread;
 * what may block is a job for the workers, its end posted back to the loop. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct klm_loop;
struct klm_io;
struct klm_transfer;
struct klm_timer;
struct klm_workers;

/* A loop that does not turn yet. KLM_E_NOMEM. */
klm_rc klm_loop_new(struct klm_loop **out) KLM_MUST_USE;
/* Free after the last turn; its ios, timers and workers must be gone. Tasks still posted are run. */
void klm_loop_free(struct klm_loop **loop);
/* Turn until klm_loop_stop. */
void klm_loop_run(struct klm_loop *loop);
/* Any thread. */
void klm_loop_stop(struct klm_loop *loop);
/* True on the thread that runs this loop. */
bool klm_loop_here(const struct klm_loop *loop);

/* A piece of work for a loop's thread. The caller owns it until run is called; run may free it. */
struct klm_task {
    void (*run)(struct klm_task *task);
    struct klm_task *next;
};
/* Any thread. Tasks run in the order posted; one wake-up serves many. */
void klm_loop_post(struct klm_loop *loop, struct klm_task *task);

/* On the loop's thread: run at the end of its present turn, after what is ready now was served, or before that when there are many. For what is cheaper done for several at once. The caller
 * owns the task until run is called; run may free it, and calls no one who is in the middle of a callback. */
void klm_loop_after(struct klm_loop *loop, struct klm_task *task);
#define KLM_LOOP_READ ((size_t)4096) /* bytes of a read that is made for its owner */
/* On the loop's thread: a read of a socket (base/burst.h) that is made at the end of the present turn, with those of others by one system call; then run is called. Its bytes are in memory
 * of the loop, until run returns. When it is the only one it is not made, p is NULL, and the owner reads by itself. The caller owns the transfer until run is called; who closes the socket
 * before that sets fd to -1. */
void klm_loop_read(struct klm_loop *loop, struct klm_transfer *transfer);
/* The same for a write, of the owner's memory. It is made in any case. */
void klm_loop_write(struct klm_loop *loop, struct klm_transfer *transfer);

enum { KLM_IO_READ = 1, KLM_IO_WRITE = 2 };
typedef void klm_io_fn(void *arg, unsigned ready);
/* Watch a descriptor; it is not owned. Starts with no interest. */
klm_rc klm_io_new(struct klm_loop *loop, int fd, klm_io_fn *fn, void *arg, struct klm_io **out)
    KLM_MUST_USE;
/* Set the interest: KLM_IO_READ | KLM_IO_WRITE, 0 for none. Cheap when nothing changes. */
void klm_io_want(struct klm_io *io, unsigned what);
void klm_io_free(struct klm_io **io);

typedef void klm_timer_fn(void *arg);
/* A timer of the loop, not set yet; fn is called on the loop. KLM_E_NOMEM. */
klm_rc klm_timer_new(struct klm_loop *loop, klm_timer_fn *fn, void *arg, struct klm_timer **out)
    KLM_MUST_USE;
/* Fire once in ms milliseconds, replacing an earlier setting; 0 ends it. */
void klm_timer_set(struct klm_timer *timer, uint64_t ms);
void klm_timer_free(struct klm_timer **timer);
/* Run fn on the loop for each signal of that number. Freed with the loop. */
klm_rc klm_loop_signal(struct klm_loop *loop, int signo, klm_timer_fn *fn, void *arg) KLM_MUST_USE;

/* A job: run on a worker, then done on the loop (when loop is not NULL; otherwise done runs on the worker;
 * done may be NULL). The caller owns it until done. */
struct klm_job {
    void (*run)(struct klm_job *job);
    void (*done)(struct klm_job *job);
    struct klm_loop *loop;
    struct klm_job *next;
    struct klm_task task; /* used by the workers */
};
/* n threads and at most max jobs waiting. KLM_E_LIMIT when a thread cannot be made and none runs. */
klm_rc klm_workers_new(unsigned n, size_t max, struct klm_workers **out) KLM_MUST_USE;
/* Any thread. KLM_E_LIMIT when max jobs wait already. */
klm_rc klm_workers_submit(struct klm_workers *workers, struct klm_job *job) KLM_MUST_USE;
/* Finish what waits, then end the threads. */
void klm_workers_free(struct klm_workers **workers);
unsigned klm_workers_count(const struct klm_workers *workers);

#endif
