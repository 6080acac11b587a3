/* Asking the token: a free channel, the exchange, and what is done when the helper is gone. Requests that come while it is down wait for its
 * next start, but never longer than their own time; once several starts have failed they are refused at once, so that a token that is gone
 * does not keep the workers from serving what needs no token. */
#include "keyring/p11/client.h"

#include "base/clock.h"
#include "base/secret.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BACKOFF_MS 100 /* to the first restart; doubled each time */
#define BACKOFF_MOST_MS 30000
#define STEADY_MS 10000 /* a helper that lived so long was a good one */
#define MAKE_MS 120000  /* for a key pair: primes are found when they are found */
#define HOPELESS 3      /* failures after which requests do not wait */

/* ---- Down and up again. With the lock held. */

/* When the next helper is started; milliseconds until then. */
static uint64_t schedule(struct p11 *p11)
{
    uint64_t delay = BACKOFF_MOST_MS, now = klm_clock_mono_ms();

    if (p11->up_ms && now - p11->up_ms >= STEADY_MS) {
        p11->failures = 0;
    }
    p11->up_ms = 0;
    if (p11->failures < 9) {
        delay = (uint64_t)BACKOFF_MS << p11->failures;
    }
    p11->failures++;
    delay = delay < BACKOFF_MOST_MS ? delay : BACKOFF_MOST_MS;
    p11->next_ms = now + delay;
    return delay;
}

/* The helper of this process number is of no use any more. Who waits for its answers is woken up by the end of the socket. */
static void put_down(struct p11 *p11, pid_t pid, const char *why)
{
    uint64_t delay;

    if (p11->phase != P11_UP || p11->pid != pid) {
        return; /* somebody else noticed it first */
    }
    p11->phase = P11_DOWN;
    delay = schedule(p11);
    (void)kill(pid,
               SIGKILL); /* hung, or dead already: its number is its own until the spawner waits */
    for (unsigned i = 0; i < p11->options.channels; i++) {
        (void)shutdown(p11->channel[i].fd, SHUT_RDWR); /* it may be closed at the other end */
    }
    klm_say(KLM_MSG_P11_HELPER_GONE, p11->options.uri.token, why, KLM_NUM(delay));
    pthread_cond_broadcast(&p11->wake);
}

static bool pin_refused(enum p11_outcome why)
{
    return why == P11_WRONG_PIN || why == P11_PIN_LOCKED || why == P11_PIN_FINAL ||
           why == P11_PIN_UNSET;
}

/* Start it, with the lock let go meanwhile. */
klm_rc p11_bring_up(struct p11 *p11, struct klm_diag *diag)
{
    klm_rc rc;

    p11->phase = P11_STARTED;
    while (p11->busy > 0) { /* they notice that their helper is gone, and let go */
        pthread_cond_wait(&p11->wake, &p11->lock);
    }
    pthread_mutex_unlock(&p11->lock);
    rc = p11_start(p11, diag);
    pthread_mutex_lock(&p11->lock);
    if (rc == KLM_OK) {
        p11->phase = P11_UP;
        p11->up_ms = klm_clock_mono_ms();
    } else if (pin_refused(p11->pin_why)) {
        p11->phase = P11_PIN_STOP;
    } else {
        p11->phase = P11_DOWN;
        schedule(p11);
    }
    pthread_cond_broadcast(&p11->wake);
    return rc;
}

static klm_rc restart(struct p11 *p11)
{
    struct klm_diag diag = {0};
    klm_rc rc = p11_bring_up(p11, &diag);

    p11->restarts++;
    if (rc != KLM_OK && diag.msg != KLM_MSG_NONE) {
        klm_say_diag(&diag);
    }
    return rc;
}

/* ---- A channel for a request */

static void wait_until(struct p11 *p11, uint64_t ms)
{
    struct timespec until = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&p11->wake, &p11->lock, &until); /* the loop looks what is */
}

static struct p11_channel *idle_channel(struct p11 *p11)
{
    for (unsigned i = 0; i < p11->options.channels; i++) {
        if (!p11->channel[i].busy) {
            return &p11->channel[i];
        }
    }
    return NULL;
}

static klm_rc refuse(struct p11 *p11, klm_rc rc, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_P11_DOWN, p11->options.uri.token, why);
}

/* One look at how things are. KLM_E_AGAIN: look again. */
static klm_rc try_channel(struct p11 *p11, uint64_t until, struct klm_diag *diag,
                          struct p11_channel **out)
{
    uint64_t now = klm_clock_mono_ms();

    switch (p11->phase) {
    case P11_PIN_STOP:
        return refuse(p11, KLM_E_STATE, p11_outcome_text(p11->pin_why), diag);
    case P11_UP:
        *out = idle_channel(p11);
        if (*out) {
            return KLM_OK;
        }
        break;
    case P11_DOWN:
        if (now >= p11->next_ms) {
            (void)restart(p11); /* it says its failure; the next look refuses or waits */
            return KLM_E_AGAIN;
        }
        if (p11->failures >= HOPELESS) {
            return refuse(p11, KLM_E_STATE, "its helper cannot be started, see the messages before",
                          diag);
        }
        until = until < p11->next_ms ? until : p11->next_ms;
        break;
    case P11_STARTED:
        break;
    }
    wait_until(p11, until);
    return KLM_E_AGAIN;
}

static klm_rc take_channel(struct p11 *p11, uint64_t until, struct klm_diag *diag,
                           struct p11_channel **out)
{
    klm_rc rc = KLM_E_AGAIN;

    pthread_mutex_lock(&p11->lock);
    while (rc == KLM_E_AGAIN) {
        rc = klm_clock_mono_ms() < until
                 ? try_channel(p11, until, diag, out)
                 : refuse(p11, KLM_E_STATE, "it did not come back in time", diag);
    }
    if (rc == KLM_OK) {
        (*out)->busy = true;
        p11->busy++;
    }
    pthread_mutex_unlock(&p11->lock);
    return rc;
}

static const char *gone_text(klm_rc rc)
{
    switch (rc) {
    case KLM_E_TIMEOUT:
        return "it does not answer";
    case KLM_E_CLOSED:
        return "it ended";
    default:
        return "it answers nonsense";
    }
}

/* Let go of a channel. What it says about the helper: KLM_OK when that is well. */
static void give_back(struct p11 *p11, struct p11_channel *channel, pid_t pid, klm_rc rc)
{
    pthread_mutex_lock(&p11->lock);
    channel->busy = false;
    p11->busy--;
    if (rc != KLM_OK) {
        put_down(p11, pid, gone_text(rc));
    }
    pthread_cond_broadcast(&p11->wake);
    pthread_mutex_unlock(&p11->lock);
}

/* ---- Requests */

static klm_rc failed(struct p11 *p11, const struct p11_msg *request, const struct p11_msg *answer,
                     struct klm_diag *diag)
{
    char object[P11_OBJECT_MAX + 1] = "-";
    char rv[32];

    if (request->has & P11_HAS(OBJECT)) {
        (void)snprintf(object, sizeof object, "%.*s", (int)request->field[P11_F_OBJECT].n,
                       (const char *)request->field[P11_F_OBJECT].p); /* it was checked */
    }
    (void)snprintf(rv, sizeof rv, "0x%lX", (unsigned long)answer->rv); /* it fits */
    return klm_fail(diag, p11_outcome_rc(answer->outcome), KLM_MSG_P11_CALL, p11->options.uri.token,
                    p11_op_text(request->op), object, p11_outcome_text(answer->outcome), rv);
}

static klm_rc take_answer(struct p11 *p11, const struct p11_msg *request,
                          const struct p11_msg *answer, uint8_t *out, size_t cap, size_t *n,
                          struct klm_diag *diag)
{
    struct klm_slice data = answer->field[P11_F_DATA];

    if (answer->outcome != P11_OK) {
        return failed(p11, request, answer, diag);
    }
    if (!out) {
        return KLM_OK;
    }
    if (data.n > cap) {
        return KLM_E_LIMIT;
    }
    memcpy(out, data.p, data.n);
    *n = data.n;
    return KLM_OK;
}

/* The token went away, or forgot who logged in: a new helper finds it again. */
static bool lost(const struct p11_msg *answer)
{
    return answer->outcome == P11_NO_TOKEN || answer->outcome == P11_NO_LOGIN;
}

/* Asked again after its helper died: all but what makes or removes a key, which may have been done. */
static bool repeatable(enum p11_op op)
{
    return op != P11_AES_MAKE && op != P11_PAIR_MAKE && op != P11_REMOVE;
}

/* Once through. KLM_E_AGAIN: the helper was lost on the way, and the request may be put again. */
static klm_rc ask(struct p11 *p11, const struct p11_msg *request, uint64_t until, uint8_t *out,
                  size_t cap, size_t *n, struct klm_diag *diag)
{
    struct p11_channel *channel;
    struct p11_msg answer = {0};
    uint64_t now;
    pid_t pid;
    klm_rc rc, health;

    KLM_TRY(take_channel(p11, until, diag, &channel));
    pid = p11->pid; /* stays while a channel is busy */
    now = klm_clock_mono_ms();
    health = p11_exchange(channel, request, now < until ? (unsigned)(until - now) : 0, &answer);
    rc = health == KLM_OK ? take_answer(p11, request, &answer, out, cap, n, diag) : KLM_E_STATE;
    klm_wipe(channel->in, P11_MSG_MAX);
    if (health == KLM_OK && lost(&answer)) {
        health = KLM_E_CLOSED;
    }
    give_back(p11, channel, pid, health);
    if (health == KLM_OK) {
        return rc;
    }
    if (health == KLM_E_CLOSED && repeatable(request->op)) {
        return KLM_E_AGAIN;
    }
    return refuse(p11, KLM_E_STATE, gone_text(health), diag);
}

klm_rc p11_call(struct p11 *p11, struct p11_msg *request, uint8_t *out, size_t cap, size_t *n,
                struct klm_diag *diag)
{
    bool makes = request->op == P11_AES_MAKE || request->op == P11_PAIR_MAKE;
    unsigned ms = p11->options.timeout_ms;
    uint64_t until = klm_clock_mono_ms() + (makes && ms < MAKE_MS ? MAKE_MS : ms);
    klm_rc rc;

    pthread_mutex_lock(&p11->lock);
    request->id = ++p11->last_id;
    pthread_mutex_unlock(&p11->lock);
    do {
        rc = ask(p11, request, until, out, cap, n, diag);
    } while (rc == KLM_E_AGAIN);
    return rc;
}

/* ---- The token as a whole */

klm_rc p11_ready(struct p11 *p11, struct klm_diag *diag)
{
    klm_rc rc = KLM_OK;

    pthread_mutex_lock(&p11->lock);
    while (p11->phase == P11_STARTED) {
        pthread_cond_wait(&p11->wake, &p11->lock);
    }
    if (p11->phase == P11_PIN_STOP) {
        rc = refuse(p11, KLM_E_DENIED, p11_outcome_text(p11->pin_why), diag);
    } else if (p11->phase == P11_DOWN) {
        rc = p11_bring_up(p11, diag);
    }
    pthread_mutex_unlock(&p11->lock);
    return rc;
}

void p11_retry(struct p11 *p11)
{
    pthread_mutex_lock(&p11->lock);
    if (p11->phase == P11_PIN_STOP) {
        p11->phase = P11_DOWN;
    }
    p11->failures = 0;
    p11->next_ms = 0;
    pthread_cond_broadcast(&p11->wake);
    pthread_mutex_unlock(&p11->lock);
}

/* Is the other end of an idle channel closed? */
static bool dead(const struct p11_channel *channel)
{
    uint8_t byte;

    return recv(channel->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void p11_watch(struct p11 *p11)
{
    struct p11_channel *channel;

    pthread_mutex_lock(&p11->lock);
    channel = p11->phase == P11_UP ? idle_channel(p11) : NULL;
    if (channel && dead(channel)) {
        put_down(p11, p11->pid, "it ended");
    }
    if (p11->phase == P11_DOWN && klm_clock_mono_ms() >= p11->next_ms) {
        (void)restart(p11); /* it says its failure, and is tried again later */
    }
    pthread_mutex_unlock(&p11->lock);
}

void p11_state(struct p11 *p11, struct p11_state *out)
{
    pthread_mutex_lock(&p11->lock);
    *out = (struct p11_state){.text = p11->phase == P11_UP         ? "ready"
                                      : p11->phase == P11_PIN_STOP ? "PIN REFUSED"
                                                                   : "NOT AVAILABLE",
                              .pid = p11->phase == P11_UP ? p11->pid : 0,
                              .restarts = p11->restarts};
    memcpy(out->token, p11->options.uri.token, sizeof out->token);
    memcpy(out->serial, p11->serial, sizeof out->serial);
    memcpy(out->model, p11->model, sizeof out->model);
    pthread_mutex_unlock(&p11->lock);
}
