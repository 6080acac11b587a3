/* Workers: threads that take jobs from one bounded queue, first come first served. */
#include "base/loop.h"

#include "base/thread.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct klm_workers {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct klm_job *first, **last;
    size_t waiting, max;
    size_t idle; /* threads that sleep and were not called yet; may say too many, never too few */
    bool stop;
    atomic_uint calling; /* who has put a job there and calls a thread now */
    unsigned n;          /* threads; not changed after new */
    pthread_t thread[];
};

static void done_on_loop(struct klm_task *task)
{
    struct klm_job *job = (struct klm_job *)(void *)((char *)task - offsetof(struct klm_job, task));

    job->done(job);
}

static void job_run(struct klm_job *job)
{
    void (*done)(struct klm_job *) = job->done;
    struct klm_loop *loop = job->loop;

    /* Without done, run may have freed the job: nothing of it is looked at afterwards. */
    job->run(job);
    if (!done) {
        return;
    }
    if (loop) {
        job->task.run = done_on_loop;
        klm_loop_post(loop, &job->task);
    } else {
        done(job);
    }
}

/* The next job; NULL when told to stop and nothing waits. */
static struct klm_job *next_job(struct klm_workers *w)
{
    struct klm_job *job;

    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stop) {
        w->idle++;
        pthread_cond_wait(&w->more, &w->lock);
    }
    job = w->first;
    if (job) {
        w->first = job->next;
        w->last = w->first ? w->last : &w->first;
        w->waiting--;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *worker(void *arg)
{
    struct klm_job *job;

    klm_thread_background();
    while ((job = next_job(arg))) {
        job_run(job);
    }
    return NULL;
}

static void start(struct klm_workers *w, unsigned n)
{
    while (w->n < n && klm_thread_start(&w->thread[w->n], "worker", worker, w) == KLM_OK) {
        w->n++;
    }
}

klm_rc klm_workers_new(unsigned n, size_t max, struct klm_workers **out)
{
    struct klm_workers *w = calloc(1, sizeof *w + n * sizeof w->thread[0]);

    if (!w) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->last = &w->first;
    w->max = max;
    start(w, n);
    if (w->n == 0) {
        klm_workers_free(&w);
        return KLM_E_LIMIT;
    }
    *out = w;
    return KLM_OK;
}

/* A thread is called when the lock is free again, which is the first thing that it wants. Until then the workers are not freed, though the job may be done: who calls is counted from before
 * the job can be seen. */
klm_rc klm_workers_submit(struct klm_workers *workers, struct klm_job *job)
{
    klm_rc rc = KLM_E_LIMIT;
    bool call = false;

    atomic_fetch_add(&workers->calling, 1);
    pthread_mutex_lock(&workers->lock);
    if (workers->waiting < workers->max) {
        job->next = NULL;
        *workers->last = job;
        workers->last = &job->next;
        workers->waiting++;
        /* One that is at work looks into the queue before it sleeps. */
        call = workers->idle > 0;
        workers->idle -= call;
        rc = KLM_OK;
    }
    pthread_mutex_unlock(&workers->lock);
    if (call) {
        pthread_cond_signal(&workers->more);
    }
    atomic_fetch_sub(&workers->calling, 1);
    return rc;
}

void klm_workers_free(struct klm_workers **workers)
{
    struct klm_workers *w;

    if (!workers || !(w = *workers)) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->n; i++) {
        pthread_join(w->thread[i], NULL);
    }
    while (atomic_load(&w->calling)) {
        sched_yield(); /* a call away from its end */
    }
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *workers = NULL;
}

unsigned klm_workers_count(const struct klm_workers *workers)
{
    return workers->n;
}
