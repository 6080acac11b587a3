/* Writing properties files: one line, and one property changed in a text with every other byte
 * kept. */
#include "parmlib/properties.h"

#include "base/utf8.h"

#include <string.h>

static void put_escaped(struct klm_buf *buf, uint32_t c)
{
    static const char from[] = "\t\n\r\f:=#!\\", to[] = "tnrf:=#!\\";
    const char *at = c < 0x80 ? strchr(from, (int)c) : NULL;

    if (at) {
        klm_buf_printf(buf, "\\%c", to[at - from]);
    } else if (c >= 0x20 && c < 0x7F) {
        klm_buf_u8(buf, (uint8_t)c);
    } else if (c < 0x10000) {
        klm_buf_printf(buf, "\\u%04X", (unsigned)c);
    } else {
        klm_buf_printf(buf, "\\u%04X\\u%04X", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                       (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
    }
}

/* The code point at p, which has len bytes. */
static uint32_t code_point(const uint8_t *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);

    for (size_t i = 1; i < len; i++) {
        c = c << 6 | (p[i] & 0x3F);
    }
    return c;
}

static void put_text(struct klm_buf *buf, const char *s, bool all_blanks)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t n = strlen(s), at = 0;

    while (at < n) {
        size_t len = klm_utf8_char(p + at, n - at);

        if (!len) { /* not UTF-8: each byte is a character */
            put_escaped(buf, p[at++]);
            continue;
        }
        if (p[at] == ' ' && (all_blanks || at == 0)) {
            klm_buf_u8(buf, '\\');
        }
        put_escaped(buf, code_point(p + at, len));
        at += len;
    }
}

void parm_properties_put(struct klm_buf *buf, const char *name, const char *value)
{
    put_text(buf, name, true);
    klm_buf_u8(buf, '=');
    put_text(buf, value, false);
}

const char *parm_properties_eol(struct klm_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n') {
            return "\n";
        }
        if (text.p[i] == '\r') {
            return i + 1 < text.n && text.p[i + 1] == '\n' ? "\r\n" : "\r";
        }
    }
    return "\n";
}

/* A property's line as it was, but for name and value: its indentation and its line ending stay. */
static void put_line(struct klm_buf *buf, struct klm_slice text, const struct parm_entry *old,
                     const char *value)
{
    size_t indent = old->begin, end = old->end;

    while (indent < old->end && strchr(" \t\f", text.p[indent])) {
        indent++;
    }
    while (end > old->begin && (text.p[end - 1] == '\n' || text.p[end - 1] == '\r')) {
        end--;
    }
    /* At most one line ending belongs to it; more than one is continued lines that are empty. */
    if (end < old->end) {
        end = old->end -
              (old->end - end >= 2 && text.p[old->end - 1] == '\n' && text.p[old->end - 2] == '\r'
                   ? 2
                   : 1);
    }
    klm_buf_put(buf, text.p + old->begin, indent - old->begin);
    parm_properties_put(buf, old->name, value);
    klm_buf_put(buf, text.p + end, old->end - end);
}

static size_t backslashes_at_end(struct klm_slice text)
{
    size_t n = 0;

    while (n < text.n && text.p[text.n - 1 - n] == '\\') {
        n++;
    }
    return n;
}

static void append_line(struct klm_buf *buf, struct klm_slice text, bool open_end, const char *name,
                        const char *value)
{
    const char *eol = parm_properties_eol(text);

    klm_buf_slice(buf, text);
    if (open_end) {
        klm_buf_text(buf, eol);
    }
    /* Where the first one only continued the last line, or became one with a CR before it, a second
     * one ends it. */
    if (open_end && (backslashes_at_end(text) % 2 ||
                     (text.n && text.p[text.n - 1] == '\r' && eol[0] == '\n'))) {
        klm_buf_text(buf, eol);
    }
    parm_properties_put(buf, name, value);
    klm_buf_text(buf, eol);
}

/* The last line that sets the name, the one that counts; NULL. */
static const struct parm_entry *last_of(const struct parm_entries *entries, const char *name)
{
    for (size_t i = entries->n; i > 0; i--) {
        if (strcmp(entries->at[i - 1].name, name) == 0) {
            return &entries->at[i - 1];
        }
    }
    return NULL;
}

static void put_changed(struct klm_buf *buf, struct klm_slice text,
                        const struct parm_entries *entries, const char *name, const char *value)
{
    const struct parm_entry *last = last_of(entries, name);
    size_t at = 0;

    if (value && !last) {
        append_line(buf, text, entries->open_end, name, value);
        return;
    }
    for (size_t i = 0; i < entries->n; i++) {
        const struct parm_entry *entry = &entries->at[i];
        bool goes = !value && strcmp(entry->name, name) == 0;

        if (entry == last || goes) {
            klm_buf_put(buf, text.p + at, entry->begin - at);
            at = entry->end;
        }
        if (entry == last && value) {
            put_line(buf, text, entry, value);
        }
    }
    klm_buf_put(buf, text.p + at, text.n - at);
}

/* Read the new text again: it must hold the same entries but for the change. */
static bool reads_back(const struct parm_entries *old, const struct parm_entries *new,
                       const char *name, const char *value)
{
    const struct parm_entry *now = last_of(new, name);
    size_t at = 0;

    if (value ? !now || strcmp(now->value, value) : now != NULL) {
        return false;
    }
    for (size_t i = 0; i < old->n; i++) {
        if (strcmp(old->at[i].name, name) == 0) {
            continue;
        }
        while (at < new->n && strcmp(new->at[at].name, name) == 0) {
            at++;
        }
        if (at == new->n || strcmp(old->at[i].name, new->at[at].name) ||
            strcmp(old->at[i].value, new->at[at].value)) {
            return false;
        }
        at++;
    }
    return true;
}

klm_rc parm_properties_change(struct klm_slice text, const char *file, const char *name,
                              const char *value, struct klm_diag *diag, struct klm_buf *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_entries before, after;

    KLM_TRY(klm_pool_new_wiping(64 * PARM_FILE_MAX, &pool));
    KLM_TRY(parm_properties_read(text, file, pool, diag, &before));
    if (!value && !last_of(&before, name)) {
        return KLM_E_NOTFOUND;
    }
    put_changed(out, text, &before, name, value);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(parm_properties_read(klm_buf_as_slice(out), file, pool, diag, &after));
    if (!reads_back(&before, &after, name, value)) {
        return klm_fail(diag, KLM_E_INTERNAL, KLM_MSG_PARM_CHANGED, file);
    }
    return KLM_OK;
}
