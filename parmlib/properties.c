/* Java properties syntax. One function, next_char, knows continuation lines and escapes; all above
 * it sees plain characters. */
#include "parmlib/properties.h"

#include "base/utf8.h"

#include <string.h>

enum { END = -1, BAD = -2 };

struct reader {
    const uint8_t *p, *end, *start;
    const uint8_t *line_start;
    unsigned line;
    bool latin1;
    bool open_end;
    const char *file;
    struct klm_pool *pool;
    struct klm_diag *diag;
    klm_rc rc; /* first failure */
};

bool parm_is_utf8(struct klm_slice text)
{
    size_t at = 0;

    while (at < text.n) {
        size_t len = klm_utf8_char(text.p + at, text.n - at);

        if (!len) {
            return false;
        }
        at += len;
    }
    return true;
}

static int fail_at(struct reader *r, const uint8_t *where, klm_rc rc, enum klm_msg_id id)
{
    unsigned column = (unsigned)(where - r->line_start) + 1;

    if (r->rc == KLM_OK) {
        r->rc = klm_fail(r->diag, rc, id, KLM_NUM(r->line), r->file, KLM_NUM(column));
        if (r->diag) {
            r->diag->line = r->line;
            r->diag->column = column;
        }
    }
    return BAD;
}

static bool is_eol(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static bool is_white(int c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

/* Step over one line ending: LF, CR or CR LF. */
static void skip_eol(struct reader *r)
{
    if (*r->p++ == '\r' && r->p < r->end && *r->p == '\n') {
        r->p++;
    }
    r->line++;
    r->line_start = r->p;
}

static void skip_white(struct reader *r)
{
    while (r->p < r->end && is_white(*r->p)) {
        r->p++;
    }
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hexadecimal digits at p; -1 when they are not there. */
static int32_t code_unit(const struct reader *r, const uint8_t *p)
{
    int32_t unit = 0;

    if (r->end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The character of a \u escape whose 'u' is at r->p; a pair of surrogates is one character. */
static int unicode_escape(struct reader *r)
{
    const uint8_t *at = r->p - 1;
    int32_t unit = code_unit(r, r->p + 1), low = -1;

    if (unit < 0) {
        return fail_at(r, at, KLM_E_INVALID, KLM_MSG_PARM_ESCAPE);
    }
    if (unit == 0) {
        return fail_at(r, at, KLM_E_INVALID, KLM_MSG_PARM_NUL);
    }
    r->p += 5;
    if (unit < 0xD800 || unit > 0xDFFF) {
        return unit;
    }
    if (unit <= 0xDBFF && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        low = code_unit(r, r->p + 2);
    }
    if (low < 0xDC00 || low > 0xDFFF) {
        return fail_at(r, at, KLM_E_INVALID, KLM_MSG_PARM_SURROGATE);
    }
    r->p += 6;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

static int escape(struct reader *r)
{
    switch (*r->p) {
    case 'u':
        return unicode_escape(r);
    case 't':
        r->p++;
        return '\t';
    case 'n':
        r->p++;
        return '\n';
    case 'r':
        r->p++;
        return '\r';
    case 'f':
        r->p++;
        return '\f';
    }
    return *r->p++;
}

/* The next character of the logical line, END after its last. Bytes of UTF-8 come one by one, as
 * they are; *literal is set for escaped characters, which end no name, and for whole code points.
 */
static int next_char(struct reader *r, bool *literal)
{
    *literal = false;
    for (;;) {
        if (r->p == r->end) {
            r->open_end = true;
            return END;
        }
        if (is_eol(*r->p)) {
            return END;
        }
        if (*r->p != '\\') {
            return *r->p++;
        }
        r->p++;
        if (r->p == r->end) {
            continue;
        }
        if (!is_eol(*r->p)) {
            uint8_t c = *r->p;
            int got = escape(r);

            /* An escaped byte above 127 is the start of a character that stands for itself. */
            *literal = c < 0x80;
            return got;
        }
        skip_eol(r);
        skip_white(r);
    }
}

static void put_code_point(struct klm_buf *buf, uint32_t c)
{
    if (c < 0x80) {
        klm_buf_u8(buf, (uint8_t)c);
    } else if (c < 0x800) {
        klm_buf_u16(buf, (uint16_t)(0xC080 | (c >> 6) << 8 | (c & 0x3F)));
    } else if (c < 0x10000) {
        klm_buf_u24(buf, 0xE08080 | (c >> 12) << 16 | (c >> 6 & 0x3F) << 8 | (c & 0x3F));
    } else {
        klm_buf_u32(buf, 0xF0808080 | (c >> 18) << 24 | (c >> 12 & 0x3F) << 16 |
                             (c >> 6 & 0x3F) << 8 | (c & 0x3F));
    }
}

static void put_char(const struct reader *r, struct klm_buf *buf, int c, bool literal)
{
    if (literal || r->latin1) {
        put_code_point(buf, (uint32_t)c);
    } else {
        klm_buf_u8(buf, (uint8_t)c);
    }
}

/* The name: up to the first =, : or white space that is not escaped. *stop is that character, or
 * END. */
static void read_name(struct reader *r, struct klm_buf *buf, int *stop)
{
    for (;;) {
        bool literal;
        int c = next_char(r, &literal);

        if (c < 0 || (!literal && (c == '=' || c == ':' || is_white(c)))) {
            *stop = c;
            return;
        }
        put_char(r, buf, c, literal);
    }
}

/* The value: white space and one = or : before it do not belong to it. */
static void read_value(struct reader *r, struct klm_buf *buf, int stop)
{
    bool separated = stop == '=' || stop == ':', begun = false;

    while (stop >= 0) {
        bool literal;
        int c = next_char(r, &literal);

        if (c < 0) {
            return;
        }
        if (!begun && !literal && is_white(c)) {
            continue;
        }
        if (!begun && !literal && !separated && (c == '=' || c == ':')) {
            separated = true;
            continue;
        }
        begun = true;
        put_char(r, buf, c, literal);
    }
}

static klm_rc keep(struct reader *r, struct parm_entries *list, const struct parm_entry *entry)
{
    if (list->n == PARM_ENTRIES_MAX) {
        return klm_fail(r->diag, KLM_E_LIMIT, KLM_MSG_PARM_TOO_MANY, r->file,
                        KLM_NUM(PARM_ENTRIES_MAX));
    }
    if ((list->n & (list->n - 1)) == 0) { /* full at 0, 1, 2, 4, ...: twice as much */
        struct parm_entry *more =
            klm_pool_alloc(r->pool, (list->n ? 2 * list->n : 1) * sizeof *more);

        if (!more) {
            return KLM_E_NOMEM;
        }
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
    }
    list->at[list->n++] = *entry;
    return KLM_OK;
}

static const char *text_of(struct klm_pool *pool, const struct klm_buf *buf)
{
    return buf->n ? klm_pool_strn(pool, (const char *)buf->p, buf->n) : "";
}

/* One logical line that is neither blank nor a comment. */
static klm_rc read_entry(struct reader *r, const uint8_t *begin, struct parm_entries *list)
{
    KLM_AUTO(klm_buf_done) struct klm_buf name;
    KLM_AUTO(klm_buf_done) struct klm_buf value;
    struct parm_entry entry = {.line = r->line, .begin = (size_t)(begin - r->start)};
    int stop = END;

    klm_buf_init(&name, 2 * PARM_LINE_MAX);
    klm_buf_init_wiping(&value, 2 * PARM_LINE_MAX);
    read_name(r, &name, &stop);
    read_value(r, &value, stop);
    KLM_TRY(r->rc);
    if ((size_t)(r->p - begin) > PARM_LINE_MAX) {
        (void)fail_at(r, r->p, KLM_E_LIMIT, KLM_MSG_PARM_LINE_LONG); /* the outcome is in r->rc */
        return r->rc;
    }
    KLM_TRY(klm_buf_rc(&name));
    KLM_TRY(klm_buf_rc(&value));
    if (r->p < r->end) {
        skip_eol(r);
    }
    if (stop == END && !name.n) {
        return KLM_OK; /* nothing but continuations */
    }
    entry.end = (size_t)(r->p - r->start);
    entry.name = text_of(r->pool, &name);
    entry.value = text_of(r->pool, &value);
    return entry.name && entry.value ? keep(r, list, &entry) : KLM_E_NOMEM;
}

static void skip_comment(struct reader *r)
{
    while (r->p < r->end && !is_eol(*r->p)) {
        r->p++;
    }
}

static klm_rc read_line(struct reader *r, struct parm_entries *list)
{
    const uint8_t *begin = r->p;

    skip_white(r);
    if (r->p < r->end && !is_eol(*r->p) && *r->p != '#' && *r->p != '!') {
        return read_entry(r, begin, list);
    }
    skip_comment(r);
    if (r->p < r->end) {
        skip_eol(r);
    }
    return KLM_OK;
}

static klm_rc refuse_nul(struct reader *r)
{
    const uint8_t *nul = memchr(r->start, 0, (size_t)(r->end - r->start));

    if (!nul) {
        return KLM_OK;
    }
    while (r->p < nul) {
        if (is_eol(*r->p)) {
            skip_eol(r);
        } else {
            r->p++;
        }
    }
    (void)fail_at(r, nul, KLM_E_INVALID, KLM_MSG_PARM_NUL); /* the outcome is in r->rc */
    return r->rc;
}

klm_rc parm_properties_read(struct klm_slice text, const char *file, struct klm_pool *pool,
                            struct klm_diag *diag, struct parm_entries *out)
{
    struct reader r = {
        .line = 1, .file = file, .pool = pool, .diag = diag, .latin1 = !parm_is_utf8(text)};
    struct parm_entries list = {0};

    if (text.n > PARM_FILE_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, file, KLM_NUM(PARM_FILE_MAX));
    }
    if (text.n) {
        r.p = r.start = r.line_start = text.p;
        r.end = text.p + text.n;
        KLM_TRY(refuse_nul(&r));
        if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0) {
            r.p += 3; /* the byte order mark of some editors */
        }
    }
    while (r.p < r.end) {
        r.open_end = false;
        KLM_TRY(read_line(&r, &list));
    }
    list.open_end = r.open_end || (text.n && !is_eol(text.p[text.n - 1]));
    *out = list;
    return KLM_OK;
}
