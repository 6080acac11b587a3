/* Console lines: what the task says appears as z/OS UNIX writes to the operator, "BPXM023I (userid) text", on standard output, in the hard-copy log and at attached operators. */
#include "console/con.h"
#include "klmsrv/srv.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* guards all of this */
    char user[16];
    int hardcopy;
    struct con_socket *socket;
} console = {.lock = PTHREAD_MUTEX_INITIALIZER, .user = "ISKLM", .hardcopy = -1};

static void hardcopy_line(const char *line)
{
    char date[KLM_ISO_DATE_MAX], text[KLM_MSG_TEXT_MAX + 96];
    int n;

    klm_iso_date(klm_clock(), date);
    n = snprintf(text, sizeof text, "%s %s\n", date, line);
    if (n > 0 && write(console.hardcopy, text, (size_t)n) < 0) {
        close(console.hardcopy); /* a full disk must not stop the console */
        console.hardcopy = -1;
    }
}

static void say(void *arg, char severity, const char *line)
{
    char text[KLM_MSG_TEXT_MAX + 64];

    (void)arg, (void)severity;
    pthread_mutex_lock(&console.lock);
    snprintf(text, sizeof text, "BPXM023I (%s) %s", console.user, line);
    fprintf(stdout, "%s\n", text);
    fflush(stdout);
    if (console.hardcopy >= 0) {
        hardcopy_line(text);
    }
    if (console.socket) {
        con_socket_broadcast(console.socket, text);
    }
    pthread_mutex_unlock(&console.lock);
}

void srv_console_to(const char *userid)
{
    size_t n = 0;

    pthread_mutex_lock(&console.lock);
    for (; n < 8 && userid[n]; n++) {
        console.user[n] = (char)toupper((unsigned char)userid[n]);
    }
    console.user[n] = '\0';
    pthread_mutex_unlock(&console.lock);
    klm_say_to(say, NULL);
}

klm_rc srv_console_hardcopy(const char *path, struct klm_diag *diag)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    pthread_mutex_lock(&console.lock);
    console.hardcopy = fd;
    pthread_mutex_unlock(&console.lock);
    return KLM_OK;
}

/* What an operator typed, in the hard-copy log as on a system's own: the command, then the messages it caused. */
static void heard(void *arg, const char *user, const char *shown)
{
    char text[KLM_MSG_TEXT_MAX + 64];

    (void)arg;
    snprintf(text, sizeof text, "%s > %s", user, shown);
    pthread_mutex_lock(&console.lock);
    if (console.hardcopy >= 0) {
        hardcopy_line(text);
    }
    pthread_mutex_unlock(&console.lock);
}

void srv_console_socket(struct con_socket *socket)
{
    if (socket) {
        con_socket_on_command(socket, heard, NULL);
    }
    pthread_mutex_lock(&console.lock);
    console.socket = socket;
    pthread_mutex_unlock(&console.lock);
}
