/* A PKCS#11 token as the server sees it. The library that speaks to the token runs in a helper process (klmp11), never in this one; a
 * request is a message to it and back (keyring/P11.md). The idea: a call either gets its answer or fails in bounded time. When the helper
 * dies or hangs it is started again with back-off, and the token is found again by label and serial number, never by its slot.
 *
 * A PIN that the token refused is not tried again until an operator acts (p11_retry): a few wrong ones lock a token for good. */
#ifndef KEYRING_P11_P11_H
#define KEYRING_P11_P11_H

#include "keyring/p11/msg.h"
#include "keyring/p11/uri.h"

#include <sys/types.h>

struct p11;

/* Ask a person for the PIN: at most cap bytes into pin, *n is how many. */
typedef klm_rc p11_prompt_fn(void *arg, uint8_t *pin, size_t cap, size_t *n);

struct p11_options {
    const char *library; /* the shared object, an absolute path */
    const char
        *helper; /* the helper's path; NULL: beside this program, else where it is installed */
    struct p11_uri uri;   /* which token: its label, and its serial number unless "" */
    const char *pin_file; /* read at each start of the helper; NULL: prompt */
    p11_prompt_fn *prompt;
    void *prompt_arg;
    unsigned channels; /* requests that run at the same time, 1 to 16 */
    unsigned
        timeout_ms; /* most that a request takes, but one that makes a key; then the helper counts as hung */
    bool
        network; /* the library needs sockets: a token that is reached over the network or through a daemon */
};

/* Check the paths and fork the spawner; nothing is asked of the token yet. Before any thread. KLM_E_INVALID with a message: library or helper is not
 * there, or the path is not absolute. */
klm_rc p11_open(const struct p11_options *options, struct klm_diag *diag, struct p11 **out)
    KLM_MUST_USE;
/* Start the helper and log in for the first time. Failures come with a message: KLM_E_INVALID (PIN file, more than one token), KLM_E_DENIED (PIN),
 * KLM_E_STATE (helper or token not there). Then the token counts as gone: later requests try again, unless it was the PIN. */
klm_rc p11_connect(struct p11 *p11, struct klm_diag *diag) KLM_MUST_USE;
void p11_close(struct p11 **p11);
/* The same when it is not up, for a request that is worth a try whatever failed before; but a PIN that was refused is not tried again: KLM_E_DENIED. */
klm_rc p11_ready(struct p11 *p11, struct klm_diag *diag) KLM_MUST_USE;

/* Ask the token; request->id is set here. The answer's DATA is copied to out of cap bytes (secret memory, if it is a secret), *n is how many; out may
 * be NULL when the answer has none. Failures come with a message that names token, key and reason; KLM_E_STATE: the token is not available;
 * KLM_E_TIMEOUT. Any thread but a loop's: it waits. */
klm_rc p11_call(struct p11 *p11, struct p11_msg *request, uint8_t *out, size_t cap, size_t *n,
                struct klm_diag *diag) KLM_MUST_USE;
/* An operator has acted: a PIN that was refused may be tried once more, at the next request, and back-off begins anew. */
void p11_retry(struct p11 *p11);
/* Look whether the helper lives, and start it again when it is time; for a thread that comes by now and then. */
void p11_watch(struct p11 *p11);

struct p11_state {
    char token[P11_TOKEN_MAX + 1], serial[P11_SERIAL_MAX + 1];
    char model[17];
    const char *text;  /* "ready", "PIN refused", "not available" */
    pid_t pid;         /* of the helper, 0: none */
    uint64_t restarts; /* of the helper */
};
/* For status. */
void p11_state(struct p11 *p11, struct p11_state *out);

#endif
