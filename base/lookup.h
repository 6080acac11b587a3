/* Looking a host's name up, aside: the C library's lookup has no deadline, and takes half a minute where a name server is silent. */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include "base/rc.h"

#include <netdb.h>
#include <stdint.h>

struct klm_lookup;

/* Begin: host a name or an address, port a number or a service's name, type SOCK_STREAM or SOCK_DGRAM. KLM_E_NOMEM; KLM_E_LIMIT: a name that is too long. */
klm_rc klm_lookup_start(const char *host, const char *port, int type, struct klm_lookup **out)
    KLM_MUST_USE;
/* A descriptor that becomes readable when it has ended. */
int klm_lookup_fd(const struct klm_lookup *lookup);
/* The addresses, of the lookup. KLM_E_AGAIN: it has not ended; KLM_E_NOTFOUND: there are none, *why says it. */
klm_rc klm_lookup_list(struct klm_lookup *lookup, const struct addrinfo **list, const char **why)
    KLM_MUST_USE;
/* Also while it has not ended. */
void klm_lookup_free(struct klm_lookup **lookup);
/* All of it, until a time of klm_clock_mono_ms. KLM_E_TIMEOUT, else as above; *why says it, too. The caller frees *out. */
klm_rc klm_lookup_wait(const char *host, const char *port, int type, uint64_t until,
                       struct klm_lookup **out, const struct addrinfo **list, const char **why)
    KLM_MUST_USE;

#endif
