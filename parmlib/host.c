/* Names and addresses of hosts. */
#include "parmlib/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

bool parm_is_ipv6(const char *s)
{
    uint8_t addr[16];

    return inet_pton(AF_INET6, s, addr) == 1;
}

static bool label_char(char c, size_t at)
{
    return isalnum((unsigned char)c) || c == '_' || (c == '-' && at > 0);
}

bool parm_is_host_name(const char *s)
{
    uint8_t addr[4];
    size_t label = 0;

    if (strspn(s, "0123456789.") == strlen(s)) {
        return inet_pton(AF_INET, s, addr) == 1;
    }
    if (strlen(s) > PARM_HOST_MAX) {
        return false;
    }
    for (; *s; s++) {
        if (*s == '.' ? label == 0 : !label_char(*s, label)) {
            return false;
        }
        label = *s == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return label > 0;
}
