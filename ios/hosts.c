/* Fail-over between two key managers. */
#include "ios/hosts.h"

#include "base/clock.h"
#include "base/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOSTS 2

struct ios_hosts {
    struct ios_hosts_config cfg;
    struct ios_session_config session_cfg;
    struct klm_tls_ctx *tls;
    struct ios_session *session[HOSTS]; /* NULL: not connected */
    enum ios_which current;
    uint64_t probe_at; /* when to look for the primary again */
};

const char *ios_which_name(enum ios_which which)
{
    return which == IOS_PRIMARY ? "primary" : "secondary";
}

enum ios_which ios_hosts_current(const struct ios_hosts *hosts)
{
    return hosts->current;
}

unsigned ios_hosts_connections(const struct ios_hosts *hosts)
{
    return (hosts->session[IOS_PRIMARY] != NULL) + (hosts->session[IOS_SECONDARY] != NULL);
}

static const struct parm_ekm_host *host_of(const struct ios_hosts *hosts, enum ios_which which)
{
    return which == IOS_PRIMARY ? &hosts->cfg.ekm.primary : &hosts->cfg.ekm.secondary;
}

static bool named(const struct ios_hosts *hosts, enum ios_which which)
{
    return host_of(hosts, which)->host[0] != '\0';
}

static enum ios_which other(enum ios_which which)
{
    return which == IOS_PRIMARY ? IOS_SECONDARY : IOS_PRIMARY;
}

static void default_to(uint32_t *value, uint32_t standard)
{
    *value = *value ? *value : standard;
}

klm_rc ios_hosts_new(const struct ios_hosts_config *cfg, struct klm_diag *diag,
                     struct ios_hosts **out)
{
    KLM_AUTO(ios_hosts_free) struct ios_hosts *hosts = calloc(1, sizeof *hosts);

    if (!hosts) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "key managers");
    }
    hosts->cfg = *cfg;
    default_to(&hosts->cfg.timeout_ms, 5000);
    default_to(&hosts->cfg.connect_ms, 2000);
    default_to(&hosts->cfg.backoff_ms, 100);
    default_to(&hosts->cfg.probe_ms, 30000);
    default_to(&hosts->cfg.tries, 3);
    if (!named(hosts, IOS_PRIMARY) && !named(hosts, IOS_SECONDARY)) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_IOS_NO_HOST);
    }
    hosts->current = named(hosts, IOS_PRIMARY) ? IOS_PRIMARY : IOS_SECONDARY;
    KLM_TRY(ios_session_tls(cfg->drive, cfg->tls12, diag, &hosts->tls));
    hosts->session_cfg = (struct ios_session_config){.drive = cfg->drive,
                                                     .tls = hosts->tls,
                                                     .ssl = cfg->ssl,
                                                     .connect_ms = hosts->cfg.connect_ms};
    *out = hosts;
    hosts = NULL;
    return KLM_OK;
}

void ios_hosts_free(struct ios_hosts **hosts)
{
    struct ios_hosts *h = *hosts;

    if (!h) {
        return;
    }
    ios_session_free(&h->session[IOS_PRIMARY]);
    ios_session_free(&h->session[IOS_SECONDARY]);
    klm_tls_ctx_free(&h->tls);
    free(h);
    *hosts = NULL;
}

/* MAXCONN: with one socket allowed, the other connection makes room. */
static klm_rc connect_to(struct ios_hosts *hosts, enum ios_which which, uint64_t deadline,
                         struct ios_fault *fault)
{
    if (hosts->session[which]) {
        return KLM_OK;
    }
    if (hosts->cfg.ekm.maxconn < HOSTS) {
        ios_session_free(&hosts->session[other(which)]);
    }
    return ios_session_open(host_of(hosts, which), &hosts->session_cfg, deadline, fault,
                            &hosts->session[which]);
}

/* MAXPCONN: how many connections stay; the one in use stays first. */
static void keep_connections(struct ios_hosts *hosts, enum ios_which used)
{
    if (hosts->cfg.ekm.maxpconn < 1) {
        ios_session_free(&hosts->session[used]);
    }
    if (hosts->cfg.ekm.maxpconn < HOSTS) {
        ios_session_free(&hosts->session[other(used)]);
    }
}

static klm_rc ask_once(struct ios_hosts *hosts, enum ios_which which,
                       const struct ios_request *request, uint64_t deadline,
                       struct ios_fault *fault, struct ios_keyed **out)
{
    klm_rc rc;

    KLM_TRY(connect_to(hosts, which, deadline, fault));
    rc = ios_session_ask(hosts->session[which], request, deadline, fault, out);
    if (!ios_session_ready(hosts->session[which])) {
        ios_session_free(&hosts->session[which]);
    }
    return rc;
}

static void pause_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static bool answered(klm_rc rc)
{
    return rc == KLM_OK || rc == KLM_E_DENIED;
}

/* All tries at one key manager, within its time. A connection that was kept open and is dead by now costs one try. */
static klm_rc ask_one(struct ios_hosts *hosts, enum ios_which which,
                      const struct ios_request *request, struct ios_fault *fault,
                      struct ios_keyed **out)
{
    uint64_t deadline = klm_clock_mono_ms() + hosts->cfg.timeout_ms;
    uint64_t wait = hosts->cfg.backoff_ms;
    klm_rc rc = ask_once(hosts, which, request, deadline, fault, out);

    for (unsigned try = 1; !answered(rc) && try < hosts->cfg.tries; try++) {
        if (klm_clock_mono_ms() + wait >= deadline) {
            break;
        }
        pause_ms(wait);
        wait *= 2;
        rc = ask_once(hosts, which, request, deadline, fault, out);
    }
    return rc;
}

void ios_hosts_show(const struct ios_hosts *hosts, enum ios_which which, char *out, size_t cap)
{
    parm_ekm_show(host_of(hosts, which), out, cap);
}

static void use(struct ios_hosts *hosts, enum ios_which which)
{
    char shown[80];

    ios_hosts_show(hosts, which, shown, sizeof shown);
    hosts->current = which;
    hosts->probe_at = klm_clock_mono_ms() + hosts->cfg.probe_ms;
    if (which == IOS_PRIMARY) {
        klm_say(KLM_MSG_IOS_HOST_BACK, shown);
    } else {
        klm_say(KLM_MSG_IOS_HOST_OTHER, shown);
    }
}

/* While the secondary is in use: is the primary back? It gets the time of one connection to say so. */
static void look_for_primary(struct ios_hosts *hosts)
{
    uint64_t now = klm_clock_mono_ms();
    struct ios_fault fault;

    if (hosts->current == IOS_PRIMARY || !named(hosts, IOS_PRIMARY) || now < hosts->probe_at) {
        return;
    }
    if (answered(connect_to(hosts, IOS_PRIMARY, now + hosts->cfg.connect_ms, &fault))) {
        use(hosts, IOS_PRIMARY);
    } else {
        hosts->probe_at = klm_clock_mono_ms() + hosts->cfg.probe_ms;
    }
}

/* The key manager's own message; its text may begin with the identifier already. */
static klm_rc tell_refusal(const struct ios_hosts *hosts, enum ios_which which,
                           const struct ios_fault *fault, struct klm_diag *diag)
{
    const struct kx_error *error = &fault->error;
    bool twice = strncmp(error->text, error->message_id, strlen(error->message_id)) == 0;
    char shown[80], code[8], text[sizeof error->text + sizeof error->message_id + 1];

    ios_hosts_show(hosts, which, shown, sizeof shown);
    snprintf(code, sizeof code, "%04X", (unsigned)fault->error.code);
    snprintf(text, sizeof text, "%s%s%s", twice ? "" : error->message_id, twice ? "" : " ",
             error->text);
    return klm_fail(diag, KLM_E_DENIED, KLM_MSG_IOS_REFUSED, shown, code, text);
}

static void tell_failure(const struct ios_hosts *hosts, enum ios_which which,
                         const struct ios_fault *fault)
{
    char shown[80];

    ios_hosts_show(hosts, which, shown, sizeof shown);
    klm_say(KLM_MSG_IOS_HOST_FAILED, ios_which_name(which), shown, fault->why);
}

klm_rc ios_hosts_ask(struct ios_hosts *hosts, const struct ios_request *request,
                     struct ios_fault *fault, struct klm_diag *diag, struct ios_keyed **out)
{
    enum ios_which which;
    klm_rc rc;

    look_for_primary(hosts);
    which = hosts->current;
    rc = ask_one(hosts, which, request, fault, out);
    if (!answered(rc)) {
        tell_failure(hosts, which, fault);
        if (named(hosts, other(which))) {
            which = other(which);
            rc = ask_one(hosts, which, request, fault, out);
            if (answered(rc)) {
                use(hosts, which);
            } else {
                tell_failure(hosts, which, fault);
            }
        }
    }
    keep_connections(hosts, which);
    if (rc == KLM_E_DENIED) {
        return tell_refusal(hosts, which, fault, diag);
    }
    return answered(rc) ? rc : klm_fail(diag, rc, KLM_MSG_IOS_NONE_ANSWERS);
}

/* The one that was not asked, or failed before. What it says is told, unless it helps. */
static klm_rc ask_other(struct ios_hosts *hosts, const struct ios_request *request,
                        struct ios_keyed **out)
{
    enum ios_which which = other(hosts->current);
    struct ios_fault fault = {0};
    struct klm_diag diag = {0};
    klm_rc rc = ask_one(hosts, which, request, &fault, out);

    if (rc == KLM_OK) {
        use(hosts, which);
    } else if (rc == KLM_E_DENIED) {
        KLM_IGNORE(tell_refusal(hosts, which, &fault, &diag));
        klm_say_diag(&diag);
    } else {
        tell_failure(hosts, which, &fault);
    }
    keep_connections(hosts, which);
    return rc;
}

klm_rc ios_hosts_ask_any(struct ios_hosts *hosts, const struct ios_request *request,
                         struct ios_fault *fault, struct klm_diag *diag, struct ios_keyed **out)
{
    klm_rc rc = ios_hosts_ask(hosts, request, fault, diag, out);

    if (rc == KLM_E_DENIED && named(hosts, other(hosts->current)) &&
        ask_other(hosts, request, out) == KLM_OK) {
        *fault = (struct ios_fault){0};
        *diag = (struct klm_diag){0};
        rc = KLM_OK;
    }
    return rc;
}

klm_rc ios_hosts_verify(struct ios_hosts *hosts, enum ios_which which, struct ios_fault *fault)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *nothing = NULL;
    klm_rc rc;

    if (!named(hosts, which)) {
        *fault = (struct ios_fault){.why = "no host is named"};
        return KLM_E_NOTFOUND;
    }
    rc = ask_one(hosts, which, &(struct ios_request){.type = KX_VERIFY}, fault, &nothing);
    keep_connections(hosts, which);
    return rc;
}
