/* Power on: one thread asks the key managers until one answers, the main thread takes connections, each of which has a thread for the time of its one
 * request. */
#include "ios/array_unit.h"

#include "base/secret.h"
#include "base/thread.h"
#include "ios/array_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS 8 /* at a time */
#define END_SECONDS 20

struct unit {
    const struct ios_power *power;
    struct ios_array_state state; /* as it was at power on */
    int lock, listener, signals;
    pthread_t unlocker;
    struct ios_hosts *hosts; /* the unlocker's */
    bool unlocking;          /* the thread was started */
    uint64_t began;          /* ms */
    pthread_mutex_t mutex;   /* guards all below */
    pthread_cond_t changed;
    bool stop, unlocked, writing;
    unsigned requests;         /* under way */
    uint8_t *group_key;        /* valid while unlocked; written once */
    char story[IOS_LINK_TEXT]; /* who unlocked it, or why it is locked */
};

static void lock(struct unit *unit)
{
    (void)pthread_mutex_lock(&unit->mutex); /* cannot fail: a plain mutex, never held twice */
}

static void unlock(struct unit *unit)
{
    (void)pthread_mutex_unlock(&unit->mutex);
}

/* ---- Unlocking */

/* From here on volumes can be used. The opened key becomes the unit's. */
static void take_key(struct unit *unit, struct ios_array_opened *opened, const char *story)
{
    lock(unit);
    unit->group_key = opened->group_key;
    opened->group_key = NULL;
    unit->unlocked = true;
    snprintf(unit->story, sizeof unit->story, "%s", story);
    unlock(unit);
}

static void tell_unlocked(struct unit *unit, const struct ios_array_state *state,
                          struct ios_array_opened *opened)
{
    struct klm_diag diag = {0};
    char story[IOS_LINK_TEXT];

    snprintf(story, sizeof story, "UNLOCKED BY %s, KEY LABEL %s", opened->by, opened->label);
    take_key(unit, opened, story);
    klm_say(KLM_MSG_ARRAY_UNLOCKED, state->serial, opened->by, state->group, opened->label);
    if (opened->set > 0) {
        klm_say(KLM_MSG_ARRAY_NEW_SET, state->serial);
    }
    if (state->recovery.tries > 0 && ios_array_recovery_reset(unit->power->dir, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
}

/* Why it stays locked: told when it is a new reason. */
static void tell_locked(struct unit *unit, const struct klm_diag *why, unsigned again)
{
    char story[IOS_LINK_TEXT];
    bool news;

    snprintf(story, sizeof story, "LOCKED: %s", why->text);
    lock(unit);
    news = strcmp(unit->story, story) != 0;
    snprintf(unit->story, sizeof unit->story, "%s", story);
    unlock(unit);
    if (news) {
        klm_say(KLM_MSG_ARRAY_LOCKED, unit->state.serial, why->text, KLM_NUM(again));
    }
}

/* The state is read anew each time: labels or data key may have been changed meanwhile. */
static klm_rc try_hosts(struct unit *unit, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};
    struct ios_array_state state;
    struct ios_fault fault = {0};

    KLM_TRY(ios_array_load(unit->power->dir, diag, &state));
    KLM_TRY(ios_array_unlock(&state, unit->hosts, &fault, diag, &opened));
    tell_unlocked(unit, &state, &opened);
    return KLM_OK;
}

static struct timespec in_seconds(unsigned seconds)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for this clock */
    at.tv_sec += seconds;
    return at;
}

/* False: the array is switched off. */
static bool pause_s(struct unit *unit, unsigned seconds)
{
    const struct timespec until = in_seconds(seconds);
    int rc = 0;
    bool stop;

    lock(unit);
    while (!unit->stop && rc == 0) {
        rc = pthread_cond_clockwait(&unit->changed, &unit->mutex, CLOCK_MONOTONIC, &until);
    }
    stop = unit->stop;
    unlock(unit);
    return !stop;
}

static void *run_unlocker(void *arg)
{
    struct unit *unit = arg;

    for (unsigned again = 1;;) {
        struct klm_diag diag = {0};

        if (try_hosts(unit, &diag) == KLM_OK) {
            return NULL;
        }
        tell_locked(unit, &diag, again);
        if (!pause_s(unit, again)) {
            return NULL;
        }
        again = 2 * again < unit->power->retry_s ? 2 * again : unit->power->retry_s;
    }
}

static klm_rc recover(struct unit *unit, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};

    KLM_TRY(ios_array_edit_begin(unit->power->dir, false, diag, &edit));
    opened.group_key = klm_secret_alloc(IOS_SUBKEY);
    if (!opened.group_key) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the group key");
    }
    KLM_TRY(ios_array_recover(&edit, unit->power->recovery, diag, opened.group_key));
    take_key(unit, &opened, "UNLOCKED BY the recovery key");
    klm_say(KLM_MSG_ARRAY_RECOVERED, unit->state.serial);
    return KLM_OK;
}

static klm_rc start_unlocking(struct unit *unit, struct klm_diag *diag)
{
    if (unit->power->recovery) {
        return recover(unit, diag);
    }
    KLM_TRY(ios_hosts_new(unit->power->hosts, diag, &unit->hosts));
    if (klm_thread_start(&unit->unlocker, "unlock", run_unlocker, unit) != KLM_OK) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "a thread");
    }
    unit->unlocking = true;
    return KLM_OK;
}

/* ---- Requests */

struct visit {
    struct unit *unit;
    int fd, file;
    struct ios_link_request request;
};

static void visit_end(struct visit *visit)
{
    if (visit->file >= 0) {
        close(visit->file);
    }
    close(visit->fd);
    free(visit);
}

/* One write at a time; a volume that is read keeps the content it had when the read began. */
static bool begin_write(struct unit *unit)
{
    bool mine;

    lock(unit);
    mine = !unit->writing;
    unit->writing = true;
    unlock(unit);
    return mine;
}

static void end_write(struct unit *unit)
{
    lock(unit);
    unit->writing = false;
    unlock(unit);
}

static klm_rc move(struct visit *visit, struct ios_link_answer *answer, struct klm_diag *diag)
{
    struct unit *unit = visit->unit;
    const struct ios_volume_keys keys = {unit->power->dir, unit->state.serial, unit->state.group,
                                         unit->group_key};
    const char *name = visit->request.name;
    klm_rc rc;

    if (visit->request.op == IOS_LINK_READ) {
        return ios_volume_read(&keys, name, visit->file, &answer->bytes, diag);
    }
    if (!begin_write(unit)) {
        return klm_fail(diag, KLM_E_BUSY, KLM_MSG_VOLUME_BUSY, name);
    }
    rc = ios_volume_write(&keys, name, visit->file, &answer->bytes, diag);
    end_write(unit);
    return rc;
}

static void serve_volume(struct visit *visit, struct ios_link_answer *answer)
{
    struct klm_diag diag = {0};

    if (move(visit, answer, &diag) == KLM_OK) {
        answer->outcome = IOS_LINK_DONE;
        answer->text[0] = '\0';
    } else {
        answer->outcome = IOS_LINK_FAILED;
        snprintf(answer->text, sizeof answer->text, "%s", diag.text);
    }
}

/* What the unit is now, and whether it goes on. */
static void look(struct unit *unit, const struct ios_link_request *request,
                 struct ios_link_answer *answer)
{
    lock(unit);
    answer->outcome = unit->unlocked ? IOS_LINK_DONE : IOS_LINK_LOCKED;
    snprintf(answer->text, sizeof answer->text, "%s", unit->story);
    if (request->op == IOS_LINK_OFF) {
        answer->outcome = IOS_LINK_DONE;
        unit->stop = true;
        (void)pthread_cond_broadcast(&unit->changed);
        (void)kill(getpid(), SIGTERM); /* is blocked: it wakes the main thread's poll */
    }
    unlock(unit);
}

static void *run_visit(void *arg)
{
    struct visit *visit = arg;
    struct unit *unit = visit->unit;
    struct ios_link_answer answer = {.outcome = IOS_LINK_FAILED};

    look(unit, &visit->request, &answer);
    if (visit->file >= 0 && answer.outcome == IOS_LINK_DONE) {
        serve_volume(visit, &answer);
    }
    KLM_IGNORE(ios_link_reply(visit->fd, &answer)); /* who asked may be gone */
    visit_end(visit);
    lock(unit);
    unit->requests--;
    (void)pthread_cond_broadcast(&unit->changed);
    unlock(unit);
    return NULL;
}

static bool admit(struct unit *unit)
{
    bool room;

    lock(unit);
    room = unit->requests < REQUESTS && !unit->stop;
    unit->requests += room;
    unlock(unit);
    return room;
}

static void start_visit(struct unit *unit, struct visit *visit)
{
    pthread_t thread;

    visit->unit = unit;
    if (!admit(unit)) {
        const struct ios_link_answer busy = {IOS_LINK_FAILED, 0, "too many requests at a time"};

        KLM_IGNORE(ios_link_reply(visit->fd, &busy));
        visit_end(visit);
    } else if (klm_thread_start(&thread, "visit", run_visit, visit) == KLM_OK) {
        (void)pthread_detach(thread); /* counted in requests, which the end waits for */
    } else {
        visit_end(visit);
        lock(unit);
        unit->requests--;
        unlock(unit);
    }
}

/* A caller that is connected but sends nothing must not hold the others up. */
static bool asks_soon(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    return poll(&one, 1, 1000) == 1;
}

static void take_visit(struct unit *unit)
{
    struct visit *visit = calloc(1, sizeof *visit);
    int fd = -1;

    if (ios_link_accept(unit->listener, &fd) != KLM_OK) {
        free(visit);
        return;
    }
    if (!visit) {
        close(fd);
        return;
    }
    visit->fd = fd;
    visit->file = -1;
    if (asks_soon(fd) && ios_link_take(fd, &visit->request, &visit->file) == KLM_OK) {
        start_visit(unit, visit);
    } else {
        visit_end(visit);
    }
}

/* ---- On and off */

static bool is_unlocked(struct unit *unit)
{
    bool is;

    lock(unit);
    is = unit->unlocked;
    unlock(unit);
    return is;
}

/* Milliseconds until the array must be unlocked; -1: it need not, 0: too late. */
static int time_left(struct unit *unit)
{
    uint64_t gone = klm_clock_mono_ms() - unit->began, most = (uint64_t)unit->power->wait_s * 1000;

    if (unit->power->wait_s == 0 || is_unlocked(unit)) {
        return -1;
    }
    return gone < most ? (int)(most - gone) : 0;
}

static klm_rc serve(struct unit *unit, struct klm_diag *diag)
{
    struct pollfd fds[] = {{.fd = unit->signals, .events = POLLIN},
                           {.fd = unit->listener, .events = POLLIN}};

    for (;;) {
        int left = time_left(unit), n;

        if (left == 0) {
            return klm_fail(diag, KLM_E_TIMEOUT, KLM_MSG_ARRAY_WAITED, unit->state.serial,
                            KLM_NUM(unit->power->wait_s));
        }
        n = poll(fds, KLM_COUNT(fds), left);
        if (n > 0 && fds[0].revents) {
            return KLM_OK;
        }
        if (n > 0 && fds[1].revents) {
            take_visit(unit);
        }
    }
}

static klm_rc take_power(struct unit *unit, struct klm_diag *diag)
{
    const char *dir = unit->power->dir;
    char path[IOS_DRIVE_PATH_MAX], why[128];

    KLM_TRY(ios_drive_path(dir, "array.on", path, diag));
    unit->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (unit->lock < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path,
                        strerror_r(errno, why, sizeof why));
    }
    return flock(unit->lock, LOCK_EX | LOCK_NB) == 0
               ? KLM_OK
               : klm_fail(diag, KLM_E_BUSY, KLM_MSG_ARRAY_IS_ON, dir);
}

static klm_rc take_signals(struct unit *unit, struct klm_diag *diag)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* cannot fail: the arguments are right */
    unit->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return unit->signals >= 0 ? KLM_OK
                              : klm_fail(diag, klm_rc_errno(errno), KLM_MSG_NO_MEMORY, "signals");
}

static klm_rc run(struct unit *unit, struct klm_diag *diag)
{
    KLM_TRY(take_power(unit, diag));
    KLM_TRY(ios_array_load(unit->power->dir, diag, &unit->state));
    KLM_TRY(take_signals(unit, diag));
    KLM_TRY(ios_link_listen(unit->power->dir, diag, &unit->listener));
    KLM_TRY(start_unlocking(unit, diag));
    return serve(unit, diag);
}

static void close_all(struct unit *unit)
{
    const int fds[] = {unit->listener, unit->signals, unit->lock};
    char path[IOS_DRIVE_PATH_MAX];

    if (unit->listener >= 0 &&
        ios_drive_path(unit->power->dir, "array.sock", path, NULL) == KLM_OK) {
        (void)unlink(path); /* one that stays is replaced at the next power on */
    }
    for (size_t i = 0; i < KLM_COUNT(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

/* Requests under way are finished. One that waits for a pipe for ever is not waited for: the process ends at once, which no volume minds. */
static void finish_requests(struct unit *unit)
{
    const struct timespec until = in_seconds(END_SECONDS);
    int rc = 0;

    lock(unit);
    unit->stop = true;
    (void)pthread_cond_broadcast(&unit->changed);
    while (unit->requests > 0 && rc == 0) {
        rc = pthread_cond_clockwait(&unit->changed, &unit->mutex, CLOCK_MONOTONIC, &until);
    }
    unlock(unit);
    if (rc != 0) {
        klm_say(KLM_MSG_ARRAY_STUCK, unit->state.serial, KLM_NUM(END_SECONDS));
        _exit(EXIT_FAILURE);
    }
}

/* Then the key goes. */
static void end(struct unit *unit)
{
    finish_requests(unit);
    if (unit->unlocking) {
        (void)pthread_join(unit->unlocker, NULL);
    }
    ios_hosts_free(&unit->hosts);
    klm_secret_free(unit->group_key, IOS_SUBKEY);
    close_all(unit);
    (void)pthread_cond_destroy(&unit->changed);
    (void)pthread_mutex_destroy(&unit->mutex);
}

klm_rc ios_array_power(const struct ios_power *power, struct klm_diag *diag)
{
    struct unit unit = {.power = power,
                        .lock = -1,
                        .listener = -1,
                        .signals = -1,
                        .began = klm_clock_mono_ms(),
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .story = "LOCKED"};
    klm_rc rc = run(&unit, diag);

    end(&unit);
    if (rc == KLM_OK) {
        klm_say(KLM_MSG_ARRAY_STOPPED, unit.state.serial);
    }
    return rc;
}
