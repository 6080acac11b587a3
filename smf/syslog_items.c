/* Names and values of an audit record for each format. */
#include "smf/syslog_items.h"

#include <string.h>

enum names { NAMES_5424, NAMES_CEF, NAMES_LEEF };

static const struct {
    enum smf_field field;
    const char *name[3]; /* by enum names */
    const char *label;
} rows[] = {
#define SYSLOG_FIELD(field, name, cef, label, leef) {field, {name, cef, leef}, label},
#include "smf/syslog_fields.def"
#undef SYSLOG_FIELD
};
_Static_assert(KLM_COUNT(rows) == SMF_FIELDS, "each field needs a row in syslog_fields.def");

static const struct {
    const char *title, *keyword;
} kinds[SMF_KINDS] = {
#define SMF_KIND(name, title, type, keyword) [name] = {title, keyword},
#include "smf/events.def"
#undef SMF_KIND
};

const char *smf_syslog_title(enum smf_kind kind)
{
    return kinds[kind].title;
}

const char *smf_syslog_keyword(enum smf_kind kind)
{
    return kinds[kind].keyword;
}

unsigned smf_syslog_severity(const struct smf_event *event)
{
    return event->outcome == SMF_SUCCESS ? 6 : 4;
}

static const char *outcome_of(const struct smf_event *event)
{
    return event->outcome == SMF_SUCCESS ? "success" : "failure";
}

static void add(struct smf_syslog_items *items, const char *name, const char *value)
{
    if (name && value && *value && items->n < SMF_SYSLOG_ITEMS_MAX) {
        items->at[items->n++] = (struct smf_syslog_item){name, value, SIZE_MAX};
    }
}

/* "192.0.2.7:40022" or "[2001:db8::7]:40022" in its parts: 4, 6, or 0 when it is neither. */
static int split_address(struct smf_syslog_items *items, const char *address)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    bool six = colon && address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    const char *from = six ? address + 1 : address;
    size_t n = colon ? (size_t)(colon - from) - (six ? 1 : 0) : 0, digits;

    if (!colon || n == 0 || n >= sizeof items->address) {
        return 0;
    }
    digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] ||
        strspn(from, six ? "0123456789abcdefABCDEF:." : "0123456789.") < n) {
        return 0;
    }
    memcpy(items->address, from, n);
    items->address[n] = '\0';
    memcpy(items->port, colon + 1, digits + 1);
    return six ? 6 : 4;
}

static void add_address(struct smf_syslog_items *items, enum names names, const char *address,
                        const char *otherwise)
{
    int version = names == NAMES_5424 ? 0 : split_address(items, address);

    if (version == 0) {
        add(items, otherwise, address);
        return;
    }
    if (names == NAMES_LEEF) {
        add(items, "src", items->address);
    } else if (version == 4) {
        add(items, "src", items->address); /* CEF: IPv4 alone */
    } else {
        add(items, "c6a2", items->address);
        add(items, "c6a2Label", "Source IPv6 Address");
    }
    add(items, names == NAMES_LEEF ? "srcPort" : "spt", items->port);
}

static void add_field(struct smf_syslog_items *items, enum names names, size_t row,
                      const struct smf_event *event)
{
    static const char *const label_keys[] = {"cs1Label", "cs2Label", "cs3Label",
                                             "cs4Label", "cs5Label", "cs6Label"};
    const char *name = rows[row].name[names], *value = event->field[rows[row].field];

    if (rows[row].field == SMF_F_ADDRESS) {
        add_address(items, names, value, name);
        return;
    }
    add(items, name, value);
    if (names == NAMES_CEF && rows[row].label && value && *value) {
        add(items, label_keys[name[2] - '1'], rows[row].label);
    }
}

/* What stands before the fields. */
static void add_front(struct smf_syslog_items *items, enum names names,
                      const struct smf_record *record)
{
    const struct smf_event *event = &record->event;

    switch (names) {
    case NAMES_5424:
        add(items, "sequence", items->seq);
        add(items, "kind", smf_syslog_keyword(event->kind));
        add(items, "outcome", outcome_of(event));
        break;
    case NAMES_CEF:
        add(items, "rt", items->ms);
        add(items, "deviceExternalId", record->server_id);
        add(items, "externalId", items->seq);
        add(items, "cat", smf_syslog_keyword(event->kind));
        add(items, "outcome", outcome_of(event));
        break;
    case NAMES_LEEF:
        add(items, "devTime", items->iso);
        add(items, "devTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSX");
        add(items, "sev", event->outcome == SMF_SUCCESS ? "3" : "7");
        add(items, "cat", smf_syslog_keyword(event->kind));
        add(items, "sequence", items->seq);
        add(items, "server", record->server_id);
        add(items, "outcome", outcome_of(event));
        break;
    }
}

/* Put text behind the n bytes of the sentence, as far as there is room. */
static void say(struct smf_syslog_items *items, size_t *n, const char *text)
{
    size_t length = strnlen(text, sizeof items->sentence - 1 - *n);

    memcpy(items->sentence + *n, text, length);
    *n += length;
    items->sentence[*n] = '\0';
}

/* "Runtime event: key-serve, success; KLM0204E ...; ..." */
static void make_sentence(struct smf_syslog_items *items, const struct smf_event *event)
{
    static const enum smf_field parts[] = {SMF_F_MESSAGE_ID, SMF_F_MESSAGE, SMF_F_RESOURCE};
    const char *verb = event->field[SMF_F_VERB];
    const char *between = "; ";
    size_t n = 0;

    say(items, &n, smf_syslog_title(event->kind));
    say(items, &n, ": ");
    if (verb) {
        say(items, &n, verb);
        say(items, &n, ", ");
    }
    say(items, &n, outcome_of(event));
    for (size_t i = 0; i < KLM_COUNT(parts); i++) {
        const char *part = event->field[parts[i]];

        if (part && *part) {
            say(items, &n, between);
            say(items, &n, part);
            between = parts[i] == SMF_F_MESSAGE_ID ? " " : "; ";
        }
    }
    items->text = (struct smf_syslog_item){NULL, items->sentence, SIZE_MAX};
}

static enum names names_of(const struct smf_syslog_style *style)
{
    if (style->pairs) {
        return NAMES_5424;
    }
    switch (style->format) {
    case SMF_SYSLOG_CEF:
        return NAMES_CEF;
    case SMF_SYSLOG_LEEF:
        return NAMES_LEEF;
    case SMF_SYSLOG_RFC5424:
        break;
    }
    return NAMES_5424;
}

void smf_syslog_items(const struct smf_syslog_style *style, const struct smf_record *record,
                      struct smf_syslog_items *out)
{
    enum names names = names_of(style);

    out->n = 0;
    (void)klm_decimal(record->seq, out->seq);
    (void)klm_decimal((uint64_t)record->event.time / 1000, out->ms);
    klm_iso_date(record->event.time, out->iso);
    if (names == NAMES_LEEF) { /* Java's date formats have no microseconds */
        memcpy(out->iso + strlen("2011-10-18T19:35:08.000"), "Z", 2);
    }
    klm_hex(record->hash, sizeof record->hash, out->journal);
    add_front(out, names, record);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        add_field(out, names, i, &record->event);
    }
    add(out, names == NAMES_CEF ? "klmJournal" : "journal", out->journal);
    make_sentence(out, &record->event);
}
