/* Where said lines go: stderr until the task connects its console and log. */
#include "base/msg.h"

#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Guards the sink: held for reading while the sink runs, so that after klm_say_to the old one is
 * out of use. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static klm_say_fn *sink;
static void *sink_arg;

void klm_say_to(klm_say_fn *fn, void *arg)
{
    pthread_rwlock_wrlock(&lock);
    sink = fn;
    sink_arg = arg;
    pthread_rwlock_unlock(&lock);
}

/* One call, so that lines of several threads do not mix. */
static void say_stderr(const char *line)
{
    char *text = (char *)(uintptr_t)line; /* writev takes a pointer to what it will not change */
    struct iovec iov[] = {{text, strlen(line)}, {(char[]){'\n'}, 1}};

    if (writev(STDERR_FILENO, iov, 2) < 0) {
        return; /* there is nobody left to tell */
    }
}

static void say(char severity, const char *line)
{
    pthread_rwlock_rdlock(&lock);
    if (sink) {
        sink(sink_arg, severity, line);
    } else {
        say_stderr(line);
    }
    pthread_rwlock_unlock(&lock);
}

void klm_say_(enum klm_msg_id id, const char *const *args)
{
    char line[KLM_MSG_TEXT_MAX];

    say(klm_msg(id)->severity, klm_msg_format(id, args, line, sizeof line));
}

void klm_say_diag(const struct klm_diag *diag)
{
    say(klm_msg(diag->msg)->severity, diag->text);
}

void klm_say_line(const char *line)
{
    say('I', line);
}
