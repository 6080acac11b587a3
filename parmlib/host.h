/* Names and addresses of hosts; only for this folder. */
#ifndef PARMLIB_HOST_H
#define PARMLIB_HOST_H

#include <stdbool.h>

#define PARM_HOST_MAX 253 /* RFC 1035, 2.3.4, without the dot of the root */

/* A host name or an IPv4 address. RFC 1123, 2.1: labels of 1 to 63 letters, digits, - (not first)
 * and, as is widely done, _; what is digits and dots only must be an address. */
bool parm_is_host_name(const char *s);
bool parm_is_ipv6(const char *s);

#endif
