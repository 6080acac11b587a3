/* A command line taken apart into words. */
#include "console/internal.h"

#include <string.h>
#include <strings.h>

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

/* ---- What may be shown of a command */

/* Length of the word at p, a quoted one with its quotes. */
static size_t word_length(const char *p)
{
    size_t n = *p == '"' ? 1 + strcspn(p + 1, "\"") : strcspn(p, blanks);

    return n + (*p == '"' && p[n] == '"');
}

static void put_clean(struct klm_buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        klm_buf_u8(out, (unsigned char)p[i] < ' ' || p[i] == 0x7f ? (uint8_t)'.' : (uint8_t)p[i]);
    }
}

/* Does the next word hold a secret? It does behind -value of a property that is a password, and behind -...password. */
static bool hides_next(const char *p, size_t n, bool password)
{
    static const char value[] = "-value", name[] = "password";
    const size_t len = sizeof name - 1;

    return (password && n == sizeof value - 1 && strncasecmp(p, value, n) == 0) ||
           (n > len && *p == '-' && strncasecmp(p + n - len, name, len) == 0);
}

void con_shown(const char *line, struct klm_buf *out)
{
    bool password = strcasestr(line, "password") != NULL, hide = false;

    for (const char *p = line; *p;) {
        size_t gap = strspn(p, blanks), n;

        put_clean(out, p, gap);
        p += gap;
        n = word_length(p);
        if (hide) {
            klm_buf_text(out, "****");
        } else {
            put_clean(out, p, n);
        }
        hide = !hide && n > 0 && hides_next(p, n, password);
        p += n;
    }
}
