/* Name lookups aside. */
#include "base/lookup.h"

#include "base/aside.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work { /* the aside's; looked at when it has ended */
    char host[256], port[32];
    struct addrinfo hints, *list;
    int rc;
};

struct klm_lookup {
    struct klm_aside *aside;
    const struct work *work;
};

static void run(void *arg)
{
    struct work *work = arg;

    work->rc = getaddrinfo(work->host, work->port, &work->hints, &work->list);
}

static void work_free(void *arg)
{
    struct work *work = arg;

    if (work->list) {
        freeaddrinfo(work->list);
    }
    free(work);
}

klm_rc klm_lookup_start(const char *host, const char *port, int type, struct klm_lookup **out)
{
    struct klm_lookup *lookup;
    struct work *work;
    klm_rc rc;

    if (strlen(host) >= sizeof work->host || strlen(port) >= sizeof work->port) {
        return KLM_E_LIMIT;
    }
    lookup = calloc(1, sizeof *lookup);
    work = calloc(1, sizeof *work);
    if (!lookup || !work) {
        free(lookup);
        free(work);
        return KLM_E_NOMEM;
    }
    snprintf(work->host, sizeof work->host, "%s", host);
    snprintf(work->port, sizeof work->port, "%s", port);
    work->hints.ai_socktype = type;
    lookup->work = work;
    rc = klm_aside_start(run, work_free, work, &lookup->aside);
    if (rc != KLM_OK) {
        free(lookup);
        return rc;
    }
    *out = lookup;
    return KLM_OK;
}

int klm_lookup_fd(const struct klm_lookup *lookup)
{
    return klm_aside_fd(lookup->aside);
}

klm_rc klm_lookup_list(struct klm_lookup *lookup, const struct addrinfo **list, const char **why)
{
    if (!klm_aside_ended(lookup->aside)) {
        return KLM_E_AGAIN;
    }
    if (lookup->work->rc != 0) {
        *why = gai_strerror(lookup->work->rc);
        return KLM_E_NOTFOUND;
    }
    *list = lookup->work->list;
    return KLM_OK;
}

void klm_lookup_free(struct klm_lookup **lookup)
{
    if (*lookup) {
        klm_aside_release(&(*lookup)->aside);
        free(*lookup);
        *lookup = NULL;
    }
}

static klm_rc wait_for(struct klm_lookup *lookup, uint64_t until)
{
    struct pollfd p = {.fd = klm_lookup_fd(lookup), .events = POLLIN};
    int n;

    do {
        uint64_t now = klm_clock_mono_ms();

        n = poll(&p, 1, now < until ? (int)(until - now) : 0);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? KLM_OK : n == 0 ? KLM_E_TIMEOUT : KLM_E_IO;
}

klm_rc klm_lookup_wait(const char *host, const char *port, int type, uint64_t until,
                       struct klm_lookup **out, const struct addrinfo **list, const char **why)
{
    KLM_AUTO(klm_lookup_free) struct klm_lookup *lookup = NULL;
    klm_rc rc = klm_lookup_start(host, port, type, &lookup);

    rc = rc == KLM_OK ? wait_for(lookup, until) : rc;
    if (rc == KLM_OK) {
        rc = klm_lookup_list(lookup, list, why);
    } else {
        *why = rc == KLM_E_TIMEOUT ? "its name is not resolved in time" : klm_rc_text(rc);
    }
    KLM_TRY(rc);
    *out = lookup;
    lookup = NULL;
    return KLM_OK;
}
