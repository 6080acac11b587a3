/* Audit events as records of EventLog (evtlog.h of syslog-ng): a sentence and tags. The library formats them as /etc/eventlog.conf says
 * ("plain" without that file) and gives them to syslog(3), which writes to /dev/log. */
#include "smf/syslog_plugin.h"

#include <errno.h>
#include <evtlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEV_LOG "/dev/log" /* where syslog(3) writes to */

struct handle {
    EVTCONTEXT *ctx;
    char why[96];
};

/* Each record holds its context and never lets go of it, so contexts live as long as the process; this object stays loaded (-z nodelete).
 * The library and syslog(3) keep the pointer to the name. */
static char name_kept[64];
static EVTCONTEXT *kept[24]; /* by facility */

static void *evtlog_open(const char *program, unsigned facility)
{
    struct handle *h = facility < 24 ? calloc(1, sizeof *h) : NULL;

    if (!h) {
        return NULL;
    }
    snprintf(name_kept, sizeof name_kept, "%s", program);
    if (!kept[facility]) {
        kept[facility] = evt_ctx_init(name_kept, (int)(facility << 3));
    }
    h->ctx = kept[facility];
    if (!h->ctx) {
        free(h);
        return NULL;
    }
    evt_openlog(name_kept, LOG_PID | LOG_NDELAY, (int)(facility << 3));
    return h;
}

/* syslog(3) tells no failure, so it is asked beforehand whether somebody listens. */
static const char *evtlog_ready(void *handle)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    struct handle *h = handle;
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = DEV_LOG};
    int err = 0;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        err = fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0 ? errno : 0;
        if (fd >= 0) {
            (void)close(fd);
        }
        if (err != EPROTOTYPE) {
            break;
        }
    }
    if (err == 0 || err == EAGAIN) {
        return NULL;
    }
    snprintf(h->why, sizeof h->why, DEV_LOG ": %s", strerror(err));
    return h->why;
}

static int evtlog_log(void *handle, int severity, const char *text, const char *const *names,
                      const char *const *values, size_t n)
{
    struct handle *h = handle;
    EVTREC *record = evt_rec_init(h->ctx, severity, text);

    if (!record) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        EVTTAG *tag = evt_tag_str(names[i], values[i]);

        if (tag) {
            evt_rec_add_tag(record, tag);
        }
    }
    return evt_log(record); /* frees the record */
}

static void evtlog_close(void *handle)
{
    evt_closelog();
    free(handle);
}

extern const struct klm_evtlog_plugin klm_evtlog_plugin;
const struct klm_evtlog_plugin klm_evtlog_plugin = {.version = KLM_EVTLOG_PLUGIN_VERSION,
                                                    .name = "EventLog",
                                                    .open = evtlog_open,
                                                    .ready = evtlog_ready,
                                                    .log = evtlog_log,
                                                    .close = evtlog_close};
