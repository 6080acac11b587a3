/* Messages by RFC 5424, CEF and LEEF 2.0. CEF and LEEF travel as MSG of a message by RFC 5424 without structured data. */
#include "smf/syslog_items.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define APP_NAME "klmsrv"
#define MSGID_MAX 32 /* RFC 5424, 6 */
#define DEFAULT_ENTERPRISE 32473
#define BOM "\xEF\xBB\xBF"
#define CHAIN_HEX (2 * SMF_HASH_SIZE)
#define SCRATCH_MAX (64u * 1024)
#define PLAIN_MAX 24 /* longest name of an item with what stands around it */

enum escapes { ESC_PARAM, ESC_CEF_HEAD, ESC_CEF, ESC_LEEF, ESC_TEXT };

/* What stands around the pairs of a format. */
static const struct shape {
    const char *before, *equals, *after, *chain; /* chain: name of the chain's parameter */
    enum escapes escapes;
} shapes[] = {
    [SMF_SYSLOG_RFC5424] = {" ", "=\"", "\"", "chain", ESC_PARAM},
    [SMF_SYSLOG_CEF] = {" ", "=", "", "klmChain", ESC_CEF},
    [SMF_SYSLOG_LEEF] = {"\t", "=", "", "chain", ESC_LEEF},
};

/* Where the two things stand that the chain does not cover. */
struct places {
    size_t pid, chain;
};

/* Bytes below 0x7F without controls and blank, cut to the field's length; "-" for none (RFC 5424, NILVALUE). */
static void put_word(struct klm_buf *out, const char *word, size_t most)
{
    size_t n = word ? strnlen(word, most) : 0;
    uint8_t *to = n ? klm_buf_room(out, n) : NULL;

    if (n == 0) {
        klm_buf_text(out, "-");
    }
    for (size_t i = 0; to && i < n; i++) {
        to[i] = word[i] > 32 && word[i] < 127 ? (uint8_t)word[i] : '_';
    }
    out->n += to ? n : 0;
}

/* The escape of one ASCII character, NULL: it stands for itself. */
static const char *escape_of(enum escapes escapes, uint8_t c)
{
    switch (escapes) {
    case ESC_PARAM: /* RFC 5424, 6.3.3 */
        return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == ']' ? "\\]" : NULL;
    case ESC_CEF_HEAD:
        return c == '|' ? "\\|" : c == '\\' ? "\\\\" : c == '\n' || c == '\r' ? " " : NULL;
    case ESC_CEF:
        return c == '=' ? "\\=" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : NULL;
    case ESC_LEEF:
        return c == '\t'   ? "\\t"
               : c == '\\' ? "\\\\"
               : c == '\n' ? "\\n"
               : c == '\r' ? "\\r"
                           : NULL;
    case ESC_TEXT:
        break;
    }
    return NULL;
}

/* One character with its escape: bytes used of p, its text in out. Controls become '.', what is not UTF-8 '?'. */
static size_t one(enum escapes escapes, const uint8_t *p, size_t left, struct klm_slice *out)
{
    size_t n = klm_utf8_char(p, left);
    const char *escape = n == 1 ? escape_of(escapes, *p) : NULL;

    if (escape) {
        *out = klm_slice_str(escape);
    } else if (n == 0) {
        *out = klm_slice_str("?");
    } else if (n == 1 && (*p < 0x20 || *p == 0x7F)) {
        *out = klm_slice_str(".");
    } else {
        *out = KLM_SLICE(p, n);
    }
    return n ? n : 1;
}

/* Printable characters that escape_of knows. */
static const char *const escaped[] = {[ESC_PARAM] = "\"\\]",
                                      [ESC_CEF_HEAD] = "|\\",
                                      [ESC_CEF] = "=\\",
                                      [ESC_LEEF] = "\\",
                                      [ESC_TEXT] = ""};

/* A value, escaped, in at most `most` bytes; "..." stands where it was cut. */
static void put_value(struct klm_buf *out, enum escapes escapes, const char *value, size_t most)
{
    struct klm_slice in = klm_slice_str(value), text;
    size_t start = out->n, fits = start; /* fits: how far it may stay when "..." must follow */

    for (size_t at = 0; at < in.n;) {
        size_t run = most == SIZE_MAX ? klm_ascii_run(in.p + at, in.n - at, escaped[escapes]) : 0;

        if (run) { /* most of a message stands for itself and is copied together */
            klm_buf_put(out, in.p + at, run);
            at += run;
            continue;
        }
        at += one(escapes, in.p + at, in.n - at, &text);
        klm_buf_slice(out, text);
        if (out->n - start > most) {
            out->n = fits;
            klm_buf_text(out, "...");
            return;
        }
        if (out->n - start + 3 <= most) {
            fits = out->n;
        }
    }
}

/* PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID (RFC 5424, 6.2). */
static void put_header(const struct smf_syslog_style *style, const struct smf_record *record,
                       struct places *places, struct klm_buf *out)
{
    char date[KLM_ISO_DATE_MAX];

    klm_iso_date(record->event.time, date);
    klm_buf_text(out, "<");
    klm_buf_decimal(out, style->facility * 8 + smf_syslog_severity(&record->event));
    klm_buf_text(out, ">1 ");
    klm_buf_text(out, date);
    klm_buf_text(out, " ");
    put_word(out, style->host, SMF_SYSLOG_HOST_MAX);
    klm_buf_text(out, " " APP_NAME " ");
    places->pid = out->n;
    klm_buf_text(out, "- ");
    put_word(out, record->event.field[SMF_F_VERB], MSGID_MAX);
}

static const char *id_of(const struct smf_record *record)
{
    const char *verb = record->event.field[SMF_F_VERB];

    return verb && *verb ? verb : smf_syslog_keyword(record->event.kind);
}

/* Structured data up to its parameters, or the heads of CEF and LEEF. */
static void put_start(const struct smf_syslog_style *style, const struct smf_record *record,
                      struct klm_buf *out)
{
    switch (style->format) {
    case SMF_SYSLOG_RFC5424:
        klm_buf_text(out, " [klmsrv@");
        klm_buf_decimal(out, style->enterprise);
        break;
    case SMF_SYSLOG_CEF:
        klm_buf_text(out, " - CEF:0|klmsrv|klmsrv|" KLM_VERSION "|");
        put_value(out, ESC_CEF_HEAD, id_of(record), SIZE_MAX);
        klm_buf_printf(out, "|%s|%s|", smf_syslog_title(record->event.kind),
                       record->event.outcome == SMF_SUCCESS ? "3" : "7");
        break;
    case SMF_SYSLOG_LEEF:
        klm_buf_text(out, " - LEEF:2.0|klmsrv|klmsrv|" KLM_VERSION "|");
        put_value(out, ESC_CEF_HEAD, id_of(record), SIZE_MAX);
        klm_buf_text(out, "|x09|");
        break;
    }
}

static void put_pairs(const struct shape *shape, struct smf_syslog_items *items, bool first,
                      struct klm_buf *out)
{
    for (size_t i = 0; i < items->n; i++) {
        klm_buf_text(out, first && i == 0 ? "" : shape->before);
        klm_buf_text(out, items->at[i].name);
        klm_buf_text(out, shape->equals);
        put_value(out, shape->escapes, items->at[i].value, items->at[i].most);
        klm_buf_text(out, shape->after);
    }
}

/* The message as the chain covers it. */
static void put_message(const struct smf_syslog_style *style, const struct smf_record *record,
                        struct smf_syslog_items *items, struct places *places, struct klm_buf *out)
{
    bool pure = style->format == SMF_SYSLOG_RFC5424;

    put_header(style, record, places, out);
    put_start(style, record, out);
    put_pairs(&shapes[style->format], items, !pure, out);
    places->chain = out->n;
    if (pure) { /* RFC 5424, 6.4: MSG in UTF-8 begins with the BOM, and only MSG */
        klm_buf_text(out, "] " BOM);
        put_value(out, ESC_TEXT, items->text.value, items->text.most);
    }
}

/* The same as pairs for a plug-in. */
static void put_strings(const struct smf_record *record, struct smf_syslog_items *items,
                        struct places *places, struct klm_buf *out)
{
    klm_buf_u8(out, (uint8_t)('0' + smf_syslog_severity(&record->event)));
    put_value(out, ESC_TEXT, items->text.value, items->text.most);
    klm_buf_u8(out, 0);
    for (size_t i = 0; i < items->n; i++) {
        klm_buf_put(out, items->at[i].name, strlen(items->at[i].name) + 1);
        put_value(out, ESC_TEXT, items->at[i].value, items->at[i].most);
        klm_buf_u8(out, 0);
    }
    places->pid = places->chain = out->n;
}

/* Bytes that a value takes with its escapes. */
static size_t length_of(enum escapes escapes, const struct smf_syslog_item *item)
{
    struct klm_slice in = klm_slice_str(item->value), text;
    size_t n = 0;

    for (size_t at = 0; at < in.n;) {
        at += one(escapes, in.p + at, in.n - at, &text);
        n += text.n;
    }
    return n < item->most ? n : item->most;
}

/* Let the longest value give what is too much, but not below the least that a value keeps. False: none is longer than that. */
static bool cut_longest(enum escapes escapes, struct smf_syslog_items *items, size_t excess)
{
    struct smf_syslog_item *longest = &items->text;
    size_t most = length_of(ESC_TEXT, longest);

    for (size_t i = 0; i < items->n; i++) {
        size_t n = length_of(escapes, &items->at[i]);

        if (n > most) {
            most = n;
            longest = &items->at[i];
        }
    }
    if (most <= SMF_SYSLOG_CUT_LEAST) {
        return false;
    }
    longest->most =
        most > excess + SMF_SYSLOG_CUT_LEAST ? most - excess : (size_t)SMF_SYSLOG_CUT_LEAST;
    return true;
}

/* Make the message until it fits: what the chain does not cover is counted at its longest, so that each process cuts alike. */
static klm_rc make(struct smf_syslog_style *style, const struct smf_record *record,
                   struct places *places)
{
    enum escapes escapes = style->pairs ? ESC_TEXT : shapes[style->format].escapes;
    const size_t limit = SMF_SYSLOG_MAX - SMF_SYSLOG_PID_MAX - CHAIN_HEX - PLAIN_MAX;
    struct smf_syslog_items items;
    struct klm_buf *out = &style->scratch;

    smf_syslog_items(style, record, &items);
    for (;;) {
        klm_buf_clear(out);
        if (style->pairs) {
            put_strings(record, &items, places, out);
        } else {
            put_message(style, record, &items, places, out);
        }
        KLM_TRY(klm_buf_rc(out));
        if (out->n <= limit) {
            return KLM_OK;
        }
        if (!cut_longest(escapes, &items, out->n - limit)) {
            return KLM_E_CORRUPT; /* no event of ours has so many fields */
        }
    }
}

static void put_chain(const struct smf_syslog_style *style, const char *hex, struct klm_buf *out)
{
    const struct shape *shape = &shapes[style->format];

    if (style->pairs) {
        klm_buf_put(out, "chain", sizeof "chain");
        klm_buf_put(out, hex, CHAIN_HEX + 1);
        return;
    }
    klm_buf_text(out, shape->before);
    klm_buf_text(out, shape->chain);
    klm_buf_text(out, shape->equals);
    klm_buf_text(out, hex);
    klm_buf_text(out, shape->after);
}

klm_rc smf_syslog_put(struct smf_syslog_style *style, const struct smf_record *record,
                      uint8_t chain[SMF_HASH_SIZE], struct klm_buf *out)
{
    struct places at = {0};
    struct klm_slice made;
    uint8_t next[SMF_HASH_SIZE];
    char hex[CHAIN_HEX + 1];
    size_t before = out->n;

    if ((unsigned)record->event.kind >= SMF_KINDS) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(make(style, record, &at));
    made = klm_buf_as_slice(&style->scratch);
    KLM_TRY(smf_hash_two(style->sha, KLM_SLICE(chain, SMF_HASH_SIZE), made, next));
    klm_hex(next, SMF_HASH_SIZE, hex);
    klm_buf_put(out, made.p, at.pid);
    if (!style->pairs) {
        klm_buf_text(out, style->pid);
        klm_buf_put(out, made.p + at.pid + 1, at.chain - at.pid - 1);
    }
    put_chain(style, hex, out);
    klm_buf_put(out, made.p + at.chain, made.n - at.chain);
    if (klm_buf_rc(out) != KLM_OK) {
        klm_rc rc = out->rc;

        out->n = before;
        out->rc = KLM_OK;
        return rc;
    }
    memcpy(chain, next, SMF_HASH_SIZE);
    return KLM_OK;
}

klm_rc smf_syslog_style_init(struct smf_syslog_style *style,
                             const struct smf_syslog_options *options)
{
    *style = (struct smf_syslog_style){.format = options->format,
                                       .pairs = options->transport == SMF_SYSLOG_EVTLOG,
                                       .facility = options->facility,
                                       .enterprise = options->enterprise ? options->enterprise
                                                                         : DEFAULT_ENTERPRISE};
    snprintf(style->host, sizeof style->host, "%s", options->server_id ? options->server_id : "");
    snprintf(style->pid, sizeof style->pid, "%d", (int)getpid());
    klm_buf_init(&style->scratch, SCRATCH_MAX);
    return smf_hash_new(&style->sha);
}

void smf_syslog_style_done(struct smf_syslog_style *style)
{
    smf_hash_free(&style->sha);
    klm_buf_done(&style->scratch);
}
