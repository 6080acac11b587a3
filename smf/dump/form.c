/* Columns of an event, and the three ways to write them. */
#include "smf/dump/form.h"

#include "base/utf8.h"
#include "smf/dump/control.h"
#include "smf/dump/stats.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FLAT_MAX 255  /* width of a field in flat text */
#define VALUE_MAX 160 /* longest value that is made here */

enum source {
    SMFD_C_EVENT,
    SMFD_C_QUALIFIER,
    SMFD_C_TIME,
    SMFD_C_DATE,
    SMFD_C_SYSTEM,
    SMFD_C_VIOLATION,
    SMFD_C_JOB,
    SMFD_C_USERID,
    SMFD_C_SERVER,
    SMFD_C_SEQUENCE,
    SMFD_C_UTC,
    SMFD_C_OFFSET,
    SMFD_C_KIND,
    SMFD_C_OUTCOME,
    SMFD_C_RECORDS,
    SMFD_C_PREVIOUS,
    SMFD_C_JOURNAL
};

static const struct {
    const char *name;
    size_t width;
    enum source source;
} columns[] = {
#define SMFD_COLUMN(name, width, source, what) {name, width, source},
#include "smf/dump/columns.def"
#undef SMFD_COLUMN
};

static const struct {
    const char *name;
    size_t max;
} fields[] = {
#define SMF_FIELD(name, number, max, what) {#name, max},
#include "smf/fields.def"
#undef SMF_FIELD
};

static const char *const kinds[] = {
#define SMF_KIND(name, title, type, keyword) keyword,
#include "smf/events.def"
#undef SMF_KIND
};

const char *smfd_kind_name(unsigned kind)
{
    return kind < SMF_KINDS ? kinds[kind] : NULL;
}

/* "SMF_F_VOLSER" without what all names begin with, in small letters. */
void smfd_field_name(enum smf_field field, char *out, size_t cap)
{
    const char *name = fields[field].name + strlen("SMF_F_");
    size_t n = 0;

    for (; name[n] && n + 1 < cap; n++) {
        out[n] = (char)tolower((unsigned char)name[n]);
    }
    out[n] = '\0';
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *date_text(const struct smfd_event *event, bool date, char *out)
{
    char stamp[24];

    smfd_stamp_text(event->day ? smfd_stamp(event->year, event->day, event->time) : 0, stamp,
                    sizeof stamp);
    if (!event->day) {
        return "";
    }
    snprintf(out, VALUE_MAX, "%.*s", date ? 10 : 8, date ? stamp : stamp + 11);
    return out;
}

static const char *offset_text(int minutes, char *out)
{
    unsigned away = (unsigned)(minutes < 0 ? -minutes : minutes);

    snprintf(out, VALUE_MAX, "%c%02u:%02u", minutes < 0 ? '-' : '+', away / 60 % 100, away % 60);
    return out;
}

static const char *hash_text(const uint8_t *hash, char *out)
{
    klm_hex(hash, SMF_HASH_SIZE, out);
    return out;
}

/* The value of a column; made ones lie in out (VALUE_MAX bytes). */
static const char *value_of(const struct smfd_event *event, enum source source, char *out)
{
    const struct smf_t83_event *e = &event->e;

    switch (source) {
    case SMFD_C_EVENT:
        return or_empty(smf_t83_event_name(event->code));
    case SMFD_C_QUALIFIER:
        return or_empty(smf_t83_qualifier_name(event->qualifier));
    case SMFD_C_TIME:
    case SMFD_C_DATE:
        return date_text(event, source == SMFD_C_DATE, out);
    case SMFD_C_SYSTEM:
        return event->system;
    case SMFD_C_VIOLATION:
        return e->event.outcome == SMF_FAILURE ? "YES" : "NO";
    case SMFD_C_JOB:
        return event->job;
    case SMFD_C_USERID:
        return event->user;
    case SMFD_C_SERVER:
        return e->server_id;
    case SMFD_C_SEQUENCE:
        snprintf(out, VALUE_MAX, "%" PRIu64, e->seq);
        return out;
    case SMFD_C_UTC:
        klm_iso_date(e->event.time, out);
        return out;
    case SMFD_C_OFFSET:
        return offset_text(e->utc_offset_min, out);
    case SMFD_C_KIND:
        return e->checkpoint ? "checkpoint" : or_empty(smfd_kind_name(e->event.kind));
    case SMFD_C_OUTCOME:
        return e->event.outcome == SMF_FAILURE ? "failure" : "success";
    case SMFD_C_RECORDS:
        snprintf(out, VALUE_MAX, "%u", event->found);
        return out;
    case SMFD_C_PREVIOUS:
        return hash_text(e->prev, out);
    case SMFD_C_JOURNAL:
        return e->checkpoint ? "" : hash_text(e->journal, out);
    }
    return "";
}

/* ---- Flat text */

static void flat(struct klm_buf *out, const char *value, size_t width, bool first)
{
    size_t n = 0;

    if (!first) {
        klm_buf_u8(out, ' ');
    }
    while (*value && n < width) {
        size_t bytes = klm_utf8_char((const uint8_t *)value, strlen(value));
        unsigned char c = (unsigned char)*value;

        klm_buf_u8(out, bytes == 1 && c >= ' ' && c < 127 ? c : '?');
        value += bytes ? bytes : 1;
        n++;
    }
    for (; n < width; n++) {
        klm_buf_u8(out, ' ');
    }
}

static void flat_event(const struct smfd_event *event, struct klm_buf *out)
{
    char made[VALUE_MAX];

    for (size_t i = 0; i < KLM_COUNT(columns); i++) {
        flat(out, value_of(event, columns[i].source, made), columns[i].width, i == 0);
    }
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        flat(out, or_empty(event->e.event.field[i]),
             fields[i].max < FLAT_MAX ? fields[i].max : FLAT_MAX, false);
    }
    klm_buf_u8(out, '\n');
}

/* ---- CSV */

/* A spreadsheet takes these for the start of a formula. */
static bool like_formula(const char *value)
{
    return *value && strchr("=+-@\t\r", *value) != NULL;
}

static void cell(struct klm_buf *out, const char *value, bool first)
{
    bool quoted = strpbrk(value, ",\"\r\n") != NULL;

    if (!first) {
        klm_buf_u8(out, ',');
    }
    if (quoted) {
        klm_buf_u8(out, '"');
    }
    if (like_formula(value)) {
        klm_buf_u8(out, '\'');
    }
    for (; *value; value++) {
        if (*value == '"') {
            klm_buf_u8(out, '"');
        }
        klm_buf_u8(out, (uint8_t)*value);
    }
    if (quoted) {
        klm_buf_u8(out, '"');
    }
}

static void csv_event(const struct smfd_event *event, struct klm_buf *out)
{
    char made[VALUE_MAX];

    for (size_t i = 0; i < KLM_COUNT(columns); i++) {
        cell(out, value_of(event, columns[i].source, made), i == 0);
    }
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        cell(out, or_empty(event->e.event.field[i]), false);
    }
    klm_buf_text(out, "\r\n");
}

static void csv_head(struct klm_buf *out)
{
    char name[32];

    for (size_t i = 0; i < KLM_COUNT(columns); i++) {
        cell(out, columns[i].name, i == 0);
    }
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        smfd_field_name((enum smf_field)i, name, sizeof name);
        cell(out, name, false);
    }
    klm_buf_text(out, "\r\n");
}

/* ---- JSON */

/* RFC 8259, 7. What is not UTF-8 becomes U+FFFD. */
static void json_text(struct klm_buf *out, const char *value)
{
    size_t left = strlen(value);

    klm_buf_u8(out, '"');
    while (left) {
        size_t n = klm_utf8_char((const uint8_t *)value, left);
        unsigned char c = (unsigned char)*value;

        if (n == 0) {
            klm_buf_text(out, "\xEF\xBF\xBD");
        } else if (c == '"' || c == '\\') {
            klm_buf_u8(out, '\\');
            klm_buf_u8(out, c);
        } else if (c < ' ') {
            klm_buf_printf(out, "\\u%04x", c);
        } else {
            klm_buf_put(out, value, n);
        }
        value += n ? n : 1;
        left -= n ? n : 1;
    }
    klm_buf_u8(out, '"');
}

/* Absent values are left out. */
static void member(struct klm_buf *out, const char *name, const char *value, bool number,
                   bool *first)
{
    if (!*value) {
        return;
    }
    klm_buf_u8(out, *first ? '{' : ',');
    *first = false;
    json_text(out, name);
    klm_buf_u8(out, ':');
    if (number) {
        klm_buf_text(out, value);
    } else {
        json_text(out, value);
    }
}

static void json_event(const struct smfd_event *event, struct klm_buf *out)
{
    char made[VALUE_MAX], name[32];
    bool first = true;

    for (size_t i = 0; i < KLM_COUNT(columns); i++) {
        member(out, columns[i].name, value_of(event, columns[i].source, made),
               columns[i].source == SMFD_C_SEQUENCE || columns[i].source == SMFD_C_RECORDS, &first);
    }
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        smfd_field_name((enum smf_field)i, name, sizeof name);
        member(out, name, or_empty(event->e.event.field[i]), false, &first);
    }
    if (event->e.checkpoint) {
        snprintf(made, sizeof made, "%" PRIu64, event->e.checkpoint_records);
        member(out, "checkpoint_records", made, true, &first);
    }
    klm_buf_text(out, "}\n");
}

klm_rc smfd_form_head(enum smfd_form form, struct klm_buf *out)
{
    if (form == SMFD_CSV) {
        csv_head(out);
    }
    return klm_buf_rc(out);
}

klm_rc smfd_form_event(enum smfd_form form, const struct smfd_event *event, struct klm_buf *out)
{
    switch (form) {
    case SMFD_BINARY:
        return KLM_E_INVALID;
    case SMFD_TEXT:
        flat_event(event, out);
        break;
    case SMFD_CSV:
        csv_event(event, out);
        break;
    case SMFD_JSON:
        json_event(event, out);
        break;
    }
    return klm_buf_rc(out);
}
