/* Key rings as Java names them: safkeyring://OWNER/RING. */
#include "parmlib/parm.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool owner_char(unsigned char c)
{
    return isalnum(c) || c == '#' || c == '@' || c == '$';
}

/* The slashes between scheme and owner: two, or four. NULL when it is no ring. */
static const char *after_scheme(const char *value)
{
    static const char scheme[] = "safkeyring";
    size_t slashes;

    if (strncasecmp(value, scheme, sizeof scheme - 1)) {
        return NULL;
    }
    value += sizeof scheme - 1;
    value += *value == '\\'; /* the colon of a properties file, still escaped */
    if (*value != ':') {
        return NULL;
    }
    slashes = strspn(++value, "/");
    return slashes == 2 || slashes == 4 ? value + slashes : NULL;
}

klm_rc parm_ring(const char *value, struct parm_ring *out)
{
    struct parm_ring ring = {0};
    const char *at = after_scheme(value);
    size_t owner = 0, n = 0;

    if (!at) {
        return KLM_E_INVALID;
    }
    for (; owner < sizeof ring.owner - 1 && owner_char((unsigned char)at[owner]); owner++) {
        ring.owner[owner] = (char)toupper((unsigned char)at[owner]);
    }
    if (!owner || at[owner] != '/') {
        return KLM_E_INVALID;
    }
    at += owner + 1;
    /* RACF: a ring name has at most 237 characters and no blanks. */
    for (; at[n]; n++) {
        if (n == sizeof ring.ring - 1 || at[n] <= ' ' || at[n] > '~' || at[n] == '/' ||
            at[n] == '\\') {
            return KLM_E_INVALID;
        }
        ring.ring[n] = at[n];
    }
    if (!n) {
        return KLM_E_INVALID;
    }
    *out = ring;
    return KLM_OK;
}
