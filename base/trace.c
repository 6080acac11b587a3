/* Debug trace: lines of named components, to a file or stderr. */
#include "base/msg.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_MAX_ 2048
#define LIST_MAX 256

/* Guards the list and the descriptor; the flag answers the usual question without it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char list[LIST_MAX];
static int trace_fd = STDERR_FILENO;
static atomic_bool on;

void klm_trace_on(const char *component_list)
{
    pthread_mutex_lock(&lock);
    snprintf(list, sizeof list, "%s", component_list ? component_list : "");
    atomic_store(&on, list[0] != '\0');
    pthread_mutex_unlock(&lock);
}

/* True when a comma-separated list has the name or "all". */
static bool listed(const char *names, const char *name)
{
    for (const char *s = names; *s;) {
        size_t n;

        s += strspn(s, ", ");
        n = strcspn(s, ", ");
        if ((n == strlen(name) && memcmp(s, name, n) == 0) ||
            (n == 3 && memcmp(s, "all", 3) == 0)) {
            return true;
        }
        s += n;
    }
    return false;
}

bool klm_tracing(const char *component)
{
    bool found;

    if (!atomic_load_explicit(&on, memory_order_relaxed)) {
        return false;
    }
    pthread_mutex_lock(&lock);
    found = listed(list, component);
    pthread_mutex_unlock(&lock);
    return found;
}

void klm_trace(const char *component, const char *fmt, ...)
{
    char line[LINE_MAX_], date[KLM_ISO_DATE_MAX];
    va_list ap;
    int head, n;

    if (!klm_tracing(component)) {
        return;
    }
    klm_iso_date(klm_clock(), date);
    head = snprintf(line, sizeof line - 1, "%s %ld %.32s: ", date, syscall(SYS_gettid), component);
    va_start(ap, fmt);
    n = vsnprintf(line + head, sizeof line - 1 - (size_t)head, fmt, ap);
    va_end(ap);
    n = n < 0 ? 0 : n;
    n = (size_t)n + (size_t)head > sizeof line - 2 ? (int)sizeof line - 2 : n + head;
    for (int i = head; i < n; i++) {
        unsigned char c = (unsigned char)line[i];

        line[i] = c < 0x20 || c == 0x7f ? '.' : line[i];
    }
    line[n++] = '\n';
    pthread_mutex_lock(&lock);
    if (write(trace_fd, line, (size_t)n) < 0) {
        atomic_store(&on, false); /* a trace that cannot be written is switched off */
    }
    pthread_mutex_unlock(&lock);
}

klm_rc klm_trace_to(const char *path)
{
    int fd = STDERR_FILENO;

    if (path) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return klm_rc_errno(errno);
        }
    }
    pthread_mutex_lock(&lock);
    if (trace_fd != STDERR_FILENO) {
        close(trace_fd);
    }
    trace_fd = fd;
    pthread_mutex_unlock(&lock);
    return KLM_OK;
}
