/* Starting a helper and logging in to the token. */
#include "keyring/p11/client.h"

#include "base/secret.h"
#include "keyring/p11/pin.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOGIN_MS 20000 /* a library may look for its device for long */

/* The PIN to log in with: typed once, or read anew each time, so that a changed file counts. */
static klm_rc get_pin(struct p11 *p11, uint8_t *pin, size_t *n, struct klm_diag *diag)
{
    if (p11->options.pin_file) {
        return p11_pin_read(p11->pin_file, pin, n, diag);
    }
    if (p11->pin_n == 0) {
        if (!p11->options.prompt) {
            *n = 0; /* a token that has a keypad of its own */
            return KLM_OK;
        }
        KLM_TRY(p11->options.prompt(p11->options.prompt_arg, p11->pin, P11_PIN_MAX, &p11->pin_n));
    }
    memcpy(pin, p11->pin, p11->pin_n);
    *n = p11->pin_n;
    return KLM_OK;
}

static klm_rc refused(struct p11 *p11, const struct p11_msg *answer, struct klm_diag *diag)
{
    const char *token = p11->options.uri.token, *why = p11_outcome_text(answer->outcome);
    klm_rc rc = p11_outcome_rc(answer->outcome);

    switch (answer->outcome) {
    case P11_NO_TOKEN:
        return klm_fail(diag, rc, KLM_MSG_P11_NO_TOKEN, token,
                        p11->options.uri.serial[0] ? p11->options.uri.serial : "any");
    case P11_OTHER_SERIAL:
        return klm_fail(diag, rc, KLM_MSG_P11_SERIAL, token, p11->options.uri.serial);
    case P11_WRONG_PIN:
        return klm_fail(diag, rc, KLM_MSG_P11_PIN, token);
    case P11_PIN_LOCKED:
    case P11_PIN_FINAL:
    case P11_PIN_UNSET:
        return klm_fail(diag, rc, KLM_MSG_P11_PIN_STATE, token, why);
    default:
        return klm_fail(diag, rc, KLM_MSG_P11_CALL, token, p11_op_text(answer->op), "-", why,
                        KLM_NUM(answer->rv)); /* a key is not part of it */
    }
}

static void keep_text(struct klm_slice from, char *to, size_t cap)
{
    (void)snprintf(to, cap, "%.*s", (int)from.n, (const char *)from.p); /* cut when too long */
}

/* What the token told at the login. */
static void logged_in(struct p11 *p11, const struct p11_msg *answer)
{
    keep_text(answer->field[P11_F_SERIAL], p11->serial, sizeof p11->serial);
    keep_text(answer->field[P11_F_MODEL], p11->model, sizeof p11->model);
    if (answer->field[P11_F_FLAGS].p[3] & P11_PIN_LOW) {
        klm_say(KLM_MSG_P11_PIN_LOW, p11->options.uri.token);
    }
    klm_say(KLM_MSG_P11_UP, p11->options.uri.token, p11->serial, p11->model);
}

static klm_rc login_with(struct p11 *p11, const uint8_t *pin, size_t n, struct klm_diag *diag)
{
    const struct p11_uri *uri = &p11->options.uri;
    struct p11_msg request = {.op = P11_LOGIN}, answer;
    klm_rc rc;

    p11_msg_set(&request, P11_F_TOKEN, klm_slice_str(uri->token));
    if (uri->serial[0]) {
        p11_msg_set(&request, P11_F_SERIAL, klm_slice_str(uri->serial));
    }
    if (n) {
        p11_msg_set(&request, P11_F_PIN, KLM_SLICE(pin, n));
    }
    rc = p11_exchange(&p11->channel[0], &request, LOGIN_MS, &answer);
    if (rc != KLM_OK) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_P11_HELPER, p11->helper, klm_rc_text(rc));
    }
    if (answer.outcome != P11_OK) {
        p11->pin_why = answer.outcome;
        return refused(p11, &answer, diag);
    }
    logged_in(p11, &answer);
    return KLM_OK;
}

static klm_rc login(struct p11 *p11, struct klm_diag *diag)
{
    uint8_t *pin = klm_secret_alloc(P11_PIN_MAX);
    size_t n = 0;
    klm_rc rc = pin ? get_pin(p11, pin, &n, diag) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        rc = login_with(p11, pin, n, diag);
    }
    klm_secret_free(pin, P11_PIN_MAX);
    return rc;
}

static void close_channels(struct p11 *p11)
{
    for (unsigned i = 0; i < p11->options.channels; i++) {
        if (p11->channel[i].fd >= 0) {
            (void)close(p11->channel[i].fd); /* a socket: nothing is lost */
            p11->channel[i].fd = -1;
        }
    }
}

klm_rc p11_start(struct p11 *p11, struct klm_diag *diag)
{
    int fds[P11_CHANNELS_MAX];
    unsigned n = p11->options.channels;
    klm_rc rc;

    close_channels(p11);
    p11->pin_why = P11_OK;
    rc = p11_spawner_helper(&p11->spawner, fds, n, &p11->pid);
    if (rc != KLM_OK) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_P11_HELPER, p11->helper, klm_rc_text(rc));
    }
    for (unsigned i = 0; i < n; i++) {
        p11->channel[i].fd = fds[i];
    }
    rc = login(p11, diag);
    if (rc != KLM_OK) {
        close_channels(p11);
        (void)kill(p11->pid,
                   SIGKILL); /* the spawner has not waited for it: the number is still its own */
    }
    return rc;
}
