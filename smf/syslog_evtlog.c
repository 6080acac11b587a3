/* The transport evtlog: events go to a plug-in, which runs aside because a foreign library may block. */
#include "smf/syslog_link.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 64

/* A run of events on its way into the plug-in, with a copy of their bytes. */
struct work {
    const struct klm_evtlog_plugin *plugin;
    void *handle;
    size_t size;
    const char *ready; /* why nothing could be logged, NULL: it was */
    bool refused;
    char bytes[];
};

klm_rc smf_syslog_evtlog_load(struct smf_syslog_link *link, struct klm_diag *diag)
{
    const char *path = link->options->plugin ? link->options->plugin : "";
    const char *reason;

    link->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!link->library) {
        reason = dlerror();
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_SYSLOG_PLUGIN, path,
                        reason ? reason : "it cannot be loaded");
    }
    link->plugin = dlsym(link->library, KLM_EVTLOG_PLUGIN_SYMBOL);
    if (!link->plugin || link->plugin->version != KLM_EVTLOG_PLUGIN_VERSION) {
        link->plugin = NULL;
        smf_syslog_evtlog_unload(link);
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_SYSLOG_PLUGIN, path,
                        "it is no plug-in of this version");
    }
    link->plugin_handle = link->plugin->open("klmsrv", link->options->facility);
    if (!link->plugin_handle) {
        smf_syslog_evtlog_unload(link);
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_SYSLOG_PLUGIN, path,
                        "its library cannot be started");
    }
    return KLM_OK;
}

/* A call that is still inside the plug-in keeps it loaded, for good. */
void smf_syslog_evtlog_unload(struct smf_syslog_link *link)
{
    bool inside = link->aside && !klm_aside_ended(link->aside);

    klm_aside_release(&link->aside);
    if (link->plugin && link->plugin_handle && !inside) {
        link->plugin->close(link->plugin_handle);
    }
    if (link->library && !inside) {
        (void)dlclose(link->library); /* nothing of it is used any more */
    }
    link->library = NULL;
    link->plugin = NULL;
    link->plugin_handle = NULL;
}

klm_rc smf_syslog_evtlog_connect(struct smf_syslog_link *link)
{
    const char *why = link->plugin->ready(link->plugin_handle);

    if (why) {
        return smf_syslog_blame(link, KLM_E_CLOSED, link->plugin->name, why);
    }
    link->proven = true;
    return KLM_OK;
}

/* One event: severity and sentence, then names and values, a NUL behind each. */
static bool log_one(const struct work *work, const char *p, const char *end)
{
    const char *names[PAIRS_MAX], *values[PAIRS_MAX], *text = p + 1;
    size_t n = 0;

    for (const char *q = text + strlen(text) + 1; q < end && n < PAIRS_MAX; n++) {
        names[n] = q;
        values[n] = q + strlen(q) + 1;
        q = values[n] + strlen(values[n]) + 1;
    }
    return work->plugin->log(work->handle, *p - '0', text, names, values, n) != 0;
}

static void work_run(void *arg)
{
    struct work *work = arg;

    for (size_t at = 0; at < work->size && !work->refused;) {
        uint32_t n; /* each event has its length before it, as this machine writes it */

        memcpy(&n, work->bytes + at, sizeof n);
        at += sizeof n;
        work->refused = !log_one(work, work->bytes + at, work->bytes + at + n);
        at += n;
    }
    work->ready = work->plugin->ready(work->handle);
}

static klm_rc work_new(const struct smf_syslog_link *link, struct klm_slice bytes,
                       const uint32_t *ends, size_t n, struct work **out)
{
    size_t size = bytes.n + n * sizeof(uint32_t), at = 0;
    struct work *work = calloc(1, sizeof *work + size);

    if (!work) {
        return KLM_E_NOMEM;
    }
    work->plugin = link->plugin;
    work->handle = link->plugin_handle;
    work->size = size;
    for (size_t i = 0; i < n; i++) {
        uint32_t from = i ? ends[i - 1] : 0, length = ends[i] - from;

        memcpy(work->bytes + at, &length, sizeof length);
        memcpy(work->bytes + at + sizeof length, bytes.p + from, length);
        at += sizeof length + length;
    }
    *out = work;
    return KLM_OK;
}

/* What the plug-in was given last: has it come out, and how? */
static klm_rc wait_work(struct smf_syslog_link *link)
{
    klm_rc rc = smf_syslog_wait(link, klm_aside_fd(link->aside), POLLIN,
                                klm_clock_mono_ms() + link->options->timeout_ms);

    if (rc == KLM_E_TIMEOUT) {
        return smf_syslog_blame(link, rc, link->plugin->name, "it does not come back");
    }
    return rc;
}

klm_rc smf_syslog_evtlog_send(struct smf_syslog_link *link, struct klm_slice bytes,
                              const uint32_t *ends, size_t n, size_t *at)
{
    struct work *work = NULL;
    klm_rc rc;

    if (!link->aside) {
        KLM_TRY(work_new(link, bytes, ends, n, &work));
        KLM_TRY(klm_aside_start(work_run, free, work, &link->aside));
        link->work = work;
    }
    KLM_TRY(wait_work(link));
    if (!klm_aside_ended(link->aside)) {
        return KLM_E_TIMEOUT;
    }
    work = link->work;
    rc = work->refused ? smf_syslog_blame(link, KLM_E_CLOSED, link->plugin->name, "it refused")
         : work->ready ? smf_syslog_blame(link, KLM_E_CLOSED, link->plugin->name, work->ready)
                       : KLM_OK;
    klm_aside_release(&link->aside);
    link->work = NULL;
    if (rc == KLM_OK) {
        *at = bytes.n;
        link->sent += bytes.n;
    }
    return rc;
}
