/* The spawner: a small process, forked before the server has threads or keys, that starts the PKCS#11 helper and ends it. So the
 * server itself never forks while it serves and never loads a library of somebody else. */
#ifndef KEYRING_P11_SPAWNER_H
#define KEYRING_P11_SPAWNER_H

#include "base/rc.h"

#include <sys/types.h>

#define P11_CHANNELS_MAX 16

struct p11_spawner {
    int fd;    /* to the spawner; -1: none */
    pid_t pid; /* of the spawner */
};

/* Fork it. helper is the program's absolute path and args its arguments, args[0] the name; both are borrowed only until this returns.
 * The helper finds its channels as descriptors 3, 4, ... Before any thread, and before any secret is in memory. */
klm_rc p11_spawner_start(const char *helper, const char *const *args, struct p11_spawner *out)
    KLM_MUST_USE;
/* Start a helper, ending the one before: n new channels (sockets of one datagram a message) that belong to the caller, and its pid.
 * KLM_E_CLOSED: the spawner is gone; KLM_E_IO, KLM_E_LIMIT: it could not. One caller at a time. */
klm_rc p11_spawner_helper(struct p11_spawner *spawner, int *channels, unsigned n, pid_t *pid)
    KLM_MUST_USE;
/* End helper and spawner; a zeroed or stopped one is fine. */
void p11_spawner_stop(struct p11_spawner *spawner);

#endif
