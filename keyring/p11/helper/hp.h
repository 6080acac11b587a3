/* The PKCS#11 helper: the only process that loads a token's library. It answers the messages of keyring/P11.md on its channels, one thread a
 * channel, each with a session of its own. It trusts the library with the keys of its token and with nothing else: before the library is loaded the
 * process gives up files to run, processes to look into and, unless told otherwise, sockets (sandbox.c). */
#ifndef KEYRING_P11_HELPER_HP_H
#define KEYRING_P11_HELPER_HP_H

#include "base/rc.h"

#include <stdbool.h>

struct hp_options {
    const char *library; /* absolute path of the shared object */
    unsigned channels;   /* descriptors 3, 4, ... */
    bool network;        /* sockets are allowed */
};
/* Serve until the server closes the channels. The process's exit status; what kept it from starting is said. */
int hp_run(const struct hp_options *options);

/* Give up what the library has no need of: new privileges, other programs, other processes, sockets unless network. For all
 * threads made later. KLM_E_DENIED: the kernel refused. */
klm_rc hp_sandbox(bool network) KLM_MUST_USE;

#endif
