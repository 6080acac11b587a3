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

/* Length of the keyword at p when a value that is a secret stands in parentheses behind it, up to these; else 0. */
static size_t secret_keyword(const char *p)
{
    static const char *const keywords[] = {"password", "passphrase", "phrase"};

    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        size_t n = strlen(keywords[i]);

        if (strncasecmp(p, keywords[i], n) == 0) {
            n += strspn(p + n, blanks);
            return p[n] == '(' ? n : 0;
        }
    }
    return 0;
}

/* Length of a value with its parentheses: up to the one that is not within quotes, or all there is. */
static size_t value_length(const char *p)
{
    bool quoted = false;
    size_t n = 0;

    while (p[n] && (quoted || p[n] != ')')) {
        quoted = quoted != (p[n] == '\'');
        n++;
    }
    return n + (p[n] == ')');
}

/* PASSWORD('...') of RACDCERT. */
static void hide_values(const char *line, struct klm_buf *out)
{
    for (const char *p = line; *p;) {
        size_t n = secret_keyword(p);

        if (n > 0) {
            klm_buf_put(out, p, n);
            klm_buf_text(out, "(****)");
            p += n + value_length(p + n);
        } else {
            klm_buf_put(out, p++, 1);
        }
    }
    klm_buf_u8(out, 0);
}

static void show_words(const char *line, struct klm_buf *out)
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

void con_shown(const char *line, struct klm_buf *out)
{
    struct klm_buf text;

    klm_buf_init_wiping(&text, 8 * strlen(line) + 16);
    hide_values(line, &text);
    show_words(klm_buf_rc(&text) == KLM_OK ? (const char *)text.p : "****", out);
    klm_buf_done(&text);
}
