/* A command line taken apart into words. */
#include "console/internal.h"

#include <string.h>

static const char *const blanks = " \t\r\n";

klm_rc con_words(struct con_run *run, const char *line, const char **words, size_t *n)
{
    size_t used = 0;
    const char *p = line + strspn(line, blanks);

    while (*p) {
        bool quoted = *p == '"';
        size_t len = quoted ? strcspn(p + 1, "\"") : strcspn(p, blanks);

        if (used == CON_WORDS_MAX) {
            CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_TOO_MANY_WORDS, KLM_NUM(CON_WORDS_MAX));
            return KLM_E_USAGE;
        }
        if (quoted && p[1 + len] != '"') {
            CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_QUOTE_OPEN);
            return KLM_E_USAGE;
        }
        words[used] = klm_pool_strn(run->pool, quoted ? p + 1 : p, len);
        if (!words[used++]) {
            return KLM_E_NOMEM;
        }
        p += len + (quoted ? 2 : 0);
        p += strspn(p, blanks);
    }
    *n = used;
    return KLM_OK;
}
