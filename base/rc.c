/* Texts and names of outcomes, made from rc.def. */
#include "base/rc.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    const char *name, *text;
} rows[] = {
#define KLM_RC(name, text) {#name, text},
#include "base/rc.def"
#undef KLM_RC
};

const char *klm_rc_text(klm_rc rc)
{
    return (size_t)rc < KLM_COUNT(rows) ? rows[rc].text : "an unknown outcome";
}

const char *klm_rc_name(klm_rc rc)
{
    return (size_t)rc < KLM_COUNT(rows) ? rows[rc].name : "KLM_E_UNKNOWN";
}

klm_rc klm_rc_errno(int err)
{
    switch (err) {
    case ENOSPC:
    case EDQUOT:
        return KLM_E_NOSPACE;
    case ENOENT:
        return KLM_E_NOTFOUND;
    case ENOMEM:
        return KLM_E_NOMEM;
    case EACCES:
    case EPERM:
        return KLM_E_DENIED;
    default:
        return KLM_E_IO;
    }
}
