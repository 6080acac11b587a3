/* What a plug-in of the transport evtlog is: a shared object with one symbol, klm_evtlog_plugin, of the type below. plugins/evtlog
 * is the one for syslog-ng's EventLog library; the task itself is not linked with that. */
#ifndef SMF_SYSLOG_PLUGIN_H
#define SMF_SYSLOG_PLUGIN_H

#include <stddef.h>

#define KLM_EVTLOG_PLUGIN_VERSION 1
#define KLM_EVTLOG_PLUGIN_SYMBOL "klm_evtlog_plugin"

struct klm_evtlog_plugin {
    unsigned version; /* KLM_EVTLOG_PLUGIN_VERSION */
    const char *name;
    /* Begin to log as `program` under a syslog facility (0 to 23). NULL: not possible. */
    void *(*open)(const char *program, unsigned facility);
    /* NULL when somebody listens where log would send to, else why not. */
    const char *(*ready)(void *handle);
    /* One event: severity (0 to 7), a sentence, n names with their values, all UTF-8. May block. 0: it cannot be logged. */
    int (*log)(void *handle, int severity, const char *text, const char *const *names,
               const char *const *values, size_t n);
    void (*close)(void *handle);
};

#endif
