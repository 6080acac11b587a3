/* Inside of a token's client, for the files that make it: open.c, client.c (which asks), start.c (which starts the helper and logs in) and
 * exchange.c. */
#ifndef KEYRING_P11_CLIENT_H
#define KEYRING_P11_CLIENT_H

#include "keyring/p11/p11.h"
#include "keyring/p11/spawner.h"

#include <limits.h>
#include <pthread.h>

#define P11_HELPER_NAME "klmp11"
#define P11_HELPER_PATH "/usr/lib/klmsrv/" P11_HELPER_NAME

enum p11_phase {
    P11_DOWN,    /* no helper, or not logged in; started again at next_ms */
    P11_STARTED, /* somebody is starting it */
    P11_UP,
    P11_PIN_STOP /* the PIN was refused: nothing is tried until p11_retry */
};

struct p11_channel {
    int fd; /* -1: none */
    bool busy;
    uint8_t *in; /* P11_MSG_MAX bytes of secret memory for what comes */
};

struct p11 {
    struct p11_options options;
    char library[PATH_MAX], helper[PATH_MAX], pin_file[PATH_MAX];
    uint8_t *pin; /* what was typed, to be used again when the helper is; secret memory */
    size_t pin_n;
    struct p11_spawner spawner;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* a channel is free, or the phase is another one */
    enum p11_phase phase;
    struct p11_channel channel[P11_CHANNELS_MAX];
    unsigned busy; /* channels in use */
    uint32_t last_id;
    unsigned failures;       /* starts or helpers that failed, one after the other */
    uint64_t next_ms, up_ms; /* monotonic: of the next start, and since when it is up */
    pid_t pid;
    uint64_t restarts;
    enum p11_outcome pin_why; /* of P11_PIN_STOP */
    char serial[P11_SERIAL_MAX + 1], model[17];
};

/* Start a helper and log in, on channels that nobody uses; fills in serial, model and pid. Says or tells in diag what is wrong. Without the
 * lock, in phase P11_STARTED. */
klm_rc p11_start(struct p11 *p11, struct klm_diag *diag) KLM_MUST_USE;
/* The same with the lock held: others wait meanwhile, and afterwards the phase tells them how it went. */
klm_rc p11_bring_up(struct p11 *p11, struct klm_diag *diag) KLM_MUST_USE;
/* Send a request and wait for its answer, for at most ms. The answer borrows from the channel. KLM_E_CLOSED: the helper is gone; KLM_E_TIMEOUT;
 * KLM_E_INVALID: it does not speak as agreed. */
klm_rc p11_exchange(struct p11_channel *channel, const struct p11_msg *request, unsigned ms,
                    struct p11_msg *answer) KLM_MUST_USE;

#endif
