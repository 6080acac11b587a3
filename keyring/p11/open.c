/* Opening and closing a token: options are checked and copied, the spawner is forked. */
#include "keyring/p11/client.h"

#include "base/secret.h"
#include "base/thread.h"
#include "keyring/p11/pin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The helper stands beside this program, or where it is installed. */
static klm_rc find_helper(const struct p11_options *options, char *out, size_t cap)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (options->helper) {
        return (size_t)snprintf(out, cap, "%s", options->helper) < cap ? KLM_OK : KLM_E_LIMIT;
    }
    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash) {
        *slash = '\0';
        if ((size_t)snprintf(out, cap, "%s/" P11_HELPER_NAME, self) < cap &&
            access(out, X_OK) == 0) {
            return KLM_OK;
        }
    }
    return (size_t)snprintf(out, cap, "%s", P11_HELPER_PATH) < cap ? KLM_OK : KLM_E_LIMIT;
}

/* What can be seen from here; the helper looks closer before it loads anything. */
static klm_rc check_paths(const struct p11 *p11, struct klm_diag *diag)
{
    struct stat st;

    if (p11->library[0] != '/') {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_LIBRARY, p11->library,
                        "its path is not absolute");
    }
    if (stat(p11->library, &st) != 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_LIBRARY, p11->library, strerror(errno));
    }
    if (access(p11->helper, X_OK) != 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_HELPER, p11->helper, strerror(errno));
    }
    return KLM_OK;
}

static klm_rc copy_options(const struct p11_options *options, struct p11 *p11)
{
    int n = snprintf(p11->library, sizeof p11->library, "%s", options->library);
    int m = snprintf(p11->pin_file, sizeof p11->pin_file, "%s",
                     options->pin_file ? options->pin_file : "");

    p11->options = *options;
    p11->options.pin_file = options->pin_file ? p11->pin_file : NULL;
    if (options->channels == 0 || options->channels > P11_CHANNELS_MAX ||
        (size_t)n >= sizeof p11->library || (size_t)m >= sizeof p11->pin_file) {
        return KLM_E_LIMIT;
    }
    return find_helper(options, p11->helper, sizeof p11->helper);
}

static klm_rc make_buffers(struct p11 *p11)
{
    p11->pin = klm_secret_alloc(P11_PIN_MAX);
    if (!p11->pin) {
        return KLM_E_NOMEM;
    }
    for (unsigned i = 0; i < p11->options.channels; i++) {
        p11->channel[i].in = klm_secret_alloc(P11_MSG_MAX);
        if (!p11->channel[i].in) {
            return KLM_E_NOMEM;
        }
    }
    return KLM_OK;
}

static void init_lock(struct p11 *p11)
{
    pthread_mutex_init(&p11->lock, NULL);
    klm_cond_init(&p11->wake);
}

static klm_rc begin(struct p11 *p11, const struct p11_options *options, struct klm_diag *diag)
{
    char threads[16];

    KLM_TRY(copy_options(options, p11));
    KLM_TRY(check_paths(p11, diag));
    (void)snprintf(threads, sizeof threads, "%u", options->channels); /* at most 16 */
    KLM_TRY(p11_spawner_start(p11->helper,
                              (const char *const[]){P11_HELPER_NAME, "--channels", threads,
                                                    options->network ? "--network" : "--alone",
                                                    p11->library, NULL},
                              &p11->spawner));
    return make_buffers(p11);
}

klm_rc p11_open(const struct p11_options *options, struct klm_diag *diag, struct p11 **out)
{
    struct p11 *p11 = calloc(1, sizeof *p11);
    klm_rc rc;

    if (!p11) {
        return KLM_E_NOMEM;
    }
    for (unsigned i = 0; i < P11_CHANNELS_MAX; i++) {
        p11->channel[i].fd = -1;
    }
    init_lock(p11);
    rc = begin(p11, options, diag);
    if (rc != KLM_OK) {
        p11_close(&p11);
        return rc;
    }
    *out = p11;
    return KLM_OK;
}

klm_rc p11_connect(struct p11 *p11, struct klm_diag *diag)
{
    klm_rc rc;

    pthread_mutex_lock(&p11->lock);
    rc = p11_bring_up(p11, diag);
    pthread_mutex_unlock(&p11->lock);
    return rc;
}

void p11_close(struct p11 **p11)
{
    struct p11 *p = *p11;

    if (!p) {
        return;
    }
    *p11 = NULL;
    for (unsigned i = 0; i < P11_CHANNELS_MAX; i++) {
        if (p->channel[i].fd >= 0) {
            (void)close(p->channel[i].fd); /* a socket: nothing is lost */
        }
        klm_secret_free(p->channel[i].in, P11_MSG_MAX);
    }
    p11_spawner_stop(&p->spawner);
    klm_secret_free(p->pin, P11_PIN_MAX);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
