/* Workers. */
#include "test.h"

#include "base/loop.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS 200

struct count_job {
    struct klm_job job;
    pthread_t ran_on;
    bool done;
    int done_wanted; /* stop the loop after so many */
};

static atomic_int runs;
static int dones;
static bool dones_on_loop;

static void run(struct klm_job *job)
{
    ((struct count_job *)(void *)job)->ran_on = pthread_self();
    atomic_fetch_add(&runs, 1);
}

static void done(struct klm_job *job)
{
    struct count_job *j = (struct count_job *)(void *)job;

    dones_on_loop =
        dones_on_loop && klm_loop_here(job->loop) && !pthread_equal(j->ran_on, pthread_self());
    j->done = true;
    if (++dones == j->done_wanted) {
        klm_loop_stop(job->loop);
    }
}

TEST(jobs_run_on_workers_and_end_on_the_loop)
{
    static struct count_job jobs[JOBS];
    struct klm_workers *workers = NULL;
    struct klm_loop *loop = NULL;

    REQUIRE_OK(klm_loop_new(&loop));
    REQUIRE_OK(klm_workers_new(3, JOBS, &workers));
    CHECK_INT(klm_workers_count(workers), 3);
    atomic_store(&runs, 0);
    dones = 0;
    dones_on_loop = true;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct count_job){.job = {.run = run, .done = done, .loop = loop},
                                     .done_wanted = JOBS};
        REQUIRE_OK(klm_workers_submit(workers, &jobs[i].job));
    }
    klm_loop_run(loop);
    CHECK_INT(atomic_load(&runs), JOBS);
    CHECK_INT(dones, JOBS);
    CHECK(dones_on_loop);
    for (int i = 0; i < JOBS; i++) {
        CHECK(jobs[i].done);
    }
    klm_workers_free(&workers);
    CHECK(workers == NULL);
    klm_loop_free(&loop);
}

/* A gate that keeps a worker busy. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int entered;

static void wait_at_gate(struct klm_job *job)
{
    (void)job;
    atomic_fetch_add(&entered, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void shut_gate(struct klm_workers *workers, struct klm_job *job)
{
    pthread_mutex_lock(&gate);
    atomic_store(&entered, 0);
    *job = (struct klm_job){.run = wait_at_gate};
    REQUIRE_OK(klm_workers_submit(workers, job));
    while (!atomic_load(&entered)) {
        usleep(100);
    }
}

TEST(one_job_more_than_may_wait_is_refused)
{
    struct klm_workers *workers = NULL;
    struct klm_job first, job[3];

    REQUIRE_OK(klm_workers_new(1, 2, &workers));
    atomic_store(&runs, 0);
    shut_gate(workers, &first);
    for (int i = 0; i < 3; i++) {
        job[i] = (struct klm_job){.run = wait_at_gate};
    }
    CHECK_RC(klm_workers_submit(workers, &job[0]), KLM_OK);
    CHECK_RC(klm_workers_submit(workers, &job[1]), KLM_OK);
    CHECK_RC(klm_workers_submit(workers, &job[2]), KLM_E_LIMIT);
    pthread_mutex_unlock(&gate);
    klm_workers_free(&workers);
    CHECK_INT(atomic_load(&entered), 3);
}

static char order[8];
static int order_n;

static void note_a(struct klm_job *job)
{
    (void)job;
    order[order_n++] = 'a';
}

static void note_b(struct klm_job *job)
{
    (void)job;
    order[order_n++] = 'b';
}

TEST(jobs_run_in_order_and_what_waits_is_finished_before_the_end)
{
    struct klm_workers *workers = NULL;
    struct klm_job first, job[4];

    REQUIRE_OK(klm_workers_new(1, 10, &workers));
    shut_gate(workers, &first);
    for (int i = 0; i < 4; i++) {
        job[i] = (struct klm_job){.run = i % 2 ? note_b : note_a};
        REQUIRE_OK(klm_workers_submit(workers, &job[i]));
    }
    pthread_mutex_unlock(&gate);
    klm_workers_free(&workers);
    CHECK_STR(order, "abab");
}

static void free_itself(struct klm_job *job)
{
    free(job);
}

static void nothing(struct klm_job *job)
{
    (void)job;
}

static atomic_bool last_ran;

static void say_so(struct klm_job *job)
{
    (void)job;
    atomic_store(&last_ran, true);
}

static void *submit_last(void *arg)
{
    static struct klm_job job = {.run = say_so};

    return klm_workers_submit(arg, &job) == KLM_OK ? arg : NULL;
}

TEST(workers_may_be_freed_as_soon_as_their_last_job_has_run)
{
    for (int i = 0; i < 200; i++) {
        struct klm_workers *workers = NULL;
        void *submitted = NULL;
        pthread_t thread;

        REQUIRE_OK(klm_workers_new(1, 1, &workers));
        atomic_store(&last_ran, false);
        REQUIRE(pthread_create(&thread, NULL, submit_last, workers) == 0);
        while (!atomic_load(&last_ran)) {
            sched_yield();
        }
        klm_workers_free(&workers);
        pthread_join(thread, &submitted);
        CHECK(submitted != NULL);
    }
}

TEST(a_job_may_free_itself_at_its_end)
{
    struct klm_workers *workers = NULL;

    REQUIRE_OK(klm_workers_new(2, 100, &workers));
    for (int i = 0; i < 50; i++) {
        struct klm_job *job = calloc(1, sizeof *job);

        REQUIRE(job != NULL);
        job->run = i % 2 ? free_itself : nothing;
        job->done = i % 2 ? NULL : free_itself;
        REQUIRE_OK(klm_workers_submit(workers, job));
    }
    klm_workers_free(&workers);
}

static atomic_int blocked;

static void look_at_mask(struct klm_job *job)
{
    sigset_t set;

    (void)job;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    atomic_store(&blocked, sigismember(&set, SIGTERM) && sigismember(&set, SIGHUP));
}

TEST(signals_are_left_to_the_main_thread)
{
    struct klm_workers *workers = NULL;
    struct klm_job job = {.run = look_at_mask};
    sigset_t set;

    REQUIRE_OK(klm_workers_new(1, 1, &workers));
    REQUIRE_OK(klm_workers_submit(workers, &job));
    klm_workers_free(&workers);
    CHECK_INT(atomic_load(&blocked), 1);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    CHECK(!sigismember(&set, SIGTERM));
}

/* Bytes of address space this process uses. */
static size_t address_space(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (f) {
        if (fscanf(f, "%lu", &pages) != 1) {
            pages = 0;
        }
        fclose(f);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Threads that this process has now; a sanitizer or an emulator may have added one. */
static unsigned threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    for (struct dirent *d; dir && (d = readdir(dir));) {
        n += d->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static void *end_at_once(void *arg)
{
    return arg;
}

/* The lowest limit of processes under which one thread more starts, found by trying: an emulator
 * has threads of its own, which may belong to another user. 0: none. */
static unsigned limit_for_one(void)
{
    unsigned before = threads();

    for (unsigned n = 1; n < 100; n++) {
        pthread_t thread;

        if (setrlimit(RLIMIT_NPROC, &(struct rlimit){n, 1000}) == 0 &&
            pthread_create(&thread, NULL, end_at_once, NULL) == 0) {
            pthread_join(thread, NULL);
            while (threads() > before) { /* it is counted until the kernel has let it go */
                usleep(100);
            }
            return n;
        }
    }
    return 0;
}

/* Leave room for so many threads more: for root as another user whose processes are counted, for
 * others by address space for stacks of 256 MiB. */
static bool allow_threads(unsigned n)
{
    const size_t stack = (size_t)256 << 20;
    uid_t nobody = 1000000 + (uid_t)getpid() % 100000;
    pthread_attr_t attr;
    size_t limit;

    if (geteuid() == 0 && setresuid(nobody, nobody, nobody) == 0) {
        n += limit_for_one() - 1;
        return setrlimit(RLIMIT_NPROC, &(struct rlimit){n, n}) == 0;
    }
    limit = address_space() + n * stack + stack / 2;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);
    return pthread_setattr_default_np(&attr) == 0 &&
           setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}) == 0;
}

/* In a child with room for so many threads: 100 + threads made, or the outcome. It comes through a
 * pipe, since the exit status is changed by tools that find memory of the parent unfreed. */
static int workers_in_child(unsigned wanted, unsigned room)
{
    int result = -1, fd[2];
    pid_t pid;

    REQUIRE(pipe(fd) == 0);
    pid = fork();
    if (pid == 0) {
        struct klm_workers *workers = NULL;
        klm_rc rc = allow_threads(room) ? klm_workers_new(wanted, 10, &workers) : KLM_E_INTERNAL;

        result = rc == KLM_OK ? 100 + (int)klm_workers_count(workers) : (int)rc;
        _exit(write(fd[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    close(fd[1]);
    if (read(fd[0], &result, sizeof result) != sizeof result) {
        result = -1;
    }
    close(fd[0]);
    return waitpid(pid, NULL, 0) == pid ? result : -1;
}

TEST(F9_with_some_threads_refused_the_others_work_on)
{
    CHECK_INT(workers_in_child(5, 2), 102);
    CHECK_INT(workers_in_child(2, 3), 102);
}

TEST(F9_with_no_thread_at_all_the_outcome_is_a_limit)
{
    CHECK_INT(workers_in_child(3, 0), KLM_E_LIMIT);
}

TEST(no_workers_wanted_is_a_limit_too)
{
    struct klm_workers *workers = NULL;

    CHECK_RC(klm_workers_new(0, 10, &workers), KLM_E_LIMIT);
    CHECK(workers == NULL);
    klm_workers_free(&workers);
    klm_workers_free(NULL);
}
