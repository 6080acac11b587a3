/* Records of the text log, as reference section 5.1 describes them, with sequence= and chain= of ours. */
#include "smf/text_format.h"

#include <string.h>

/* Which optional lines a kind has, in the product's order: m message, r resource, a action, t authentication type, c command
 * type, u user, U users, s signature of a checkpoint. */
static const char *const lines_of[SMF_KINDS] = {
    [SMF_AUTHENTICATION] = "mtU", [SMF_AUTHORIZATION] = "mrau", [SMF_DATA_SYNC] = "maru",
    [SMF_RUNTIME] = "mrau",       [SMF_RESOURCE] = "maur",      [SMF_CONFIG] = "macu",
    [SMF_AUDIT] = "mraus",
};

static const struct {
    const char *title, *type;
} kinds[SMF_KINDS] = {
#define SMF_KIND(name, title, type, keyword) [name] = {title, type},
#include "smf/events.def"
#undef SMF_KIND
};

static bool has(const struct smf_event *event, enum smf_field field)
{
    return event->field[field] && event->field[field][0];
}

/* "  name=value", nothing when there is no value. */
static void line(struct klm_buf *out, const char *name, const char *value)
{
    if (value && value[0]) {
        klm_buf_put(out, "  ", 2);
        klm_buf_text(out, name);
        klm_buf_text(out, "=");
        klm_buf_text(out, value);
        klm_buf_text(out, "\n");
    }
}

static void message_line(struct klm_buf *out, const struct smf_event *event)
{
    bool id = has(event, SMF_F_MESSAGE_ID), text = has(event, SMF_F_MESSAGE);

    if (id || text) {
        klm_buf_text(out, "  message=");
        klm_buf_text(out, id ? event->field[SMF_F_MESSAGE_ID] : "");
        klm_buf_text(out, id && text ? " " : "");
        klm_buf_text(out, text ? event->field[SMF_F_MESSAGE] : "");
        klm_buf_text(out, "\n");
    }
}

static void resource_line(struct klm_buf *out, const struct smf_event *event)
{
    if (has(event, SMF_F_RESOURCE)) {
        klm_buf_text(out, "  resource=[name=");
        klm_buf_text(out, event->field[SMF_F_RESOURCE]);
        klm_buf_text(out, ";type=");
        klm_buf_text(out,
                     has(event, SMF_F_RESOURCE_TYPE) ? event->field[SMF_F_RESOURCE_TYPE] : "file");
        klm_buf_text(out, "]\n");
    }
}

static void optional_line(struct klm_buf *out, char which, const struct smf_event *event)
{
    switch (which) {
    case 'm':
        message_line(out, event);
        break;
    case 'r':
        resource_line(out, event);
        break;
    case 'a':
        line(out, "action", event->field[SMF_F_ACTION]);
        break;
    case 't':
        line(out, "authentication type", event->field[SMF_F_AUTH_TYPE]);
        break;
    case 'c':
        line(out, "command type", event->field[SMF_F_COMMAND]);
        break;
    case 's':
        line(out, "algorithm", event->field[SMF_F_ALGORITHM]);
        line(out, "hash", event->field[SMF_F_HASH]);
        line(out, "signature", event->field[SMF_F_SIGNATURE]);
        break;
    case 'u':
        line(out, "user", event->field[SMF_F_USER]);
        break;
    default:
        line(out, "users", event->field[SMF_F_USER]);
        break;
    }
}

/* Up to the lines of ours. */
static void put_event(const struct smf_event *event, struct klm_buf *out)
{
    char date[KLM_JAVA_DATE_MAX];

    klm_java_date(event->time, date);
    klm_buf_text(out, kinds[event->kind].title);
    klm_buf_text(out, ":[\n");
    line(out, "timestamp", date);
    if (has(event, SMF_F_THREAD)) {
        klm_buf_text(out, "  ComponentId=[threadId=Thread[");
        klm_buf_text(out, event->field[SMF_F_THREAD]);
        klm_buf_text(out, "]]\n");
    }
    line(out, "event source", event->field[SMF_F_SOURCE]);
    line(out, "outcome",
         event->outcome == SMF_SUCCESS ? "[result=successful]" : "[result=unsuccessful]");
    line(out, "event type", kinds[event->kind].type);
    for (const char *which = lines_of[event->kind]; *which; which++) {
        optional_line(out, *which, event);
    }
    line(out, "old value", event->field[SMF_F_OLD]);
    line(out, "new value", event->field[SMF_F_NEW]);
}

klm_rc smf_text_put(const struct smf_record *record, struct smf_hash *sha,
                    uint8_t chain[SMF_HASH_SIZE], struct klm_buf *out)
{
    size_t at = out->n;
    char text[2 * SMF_HASH_SIZE + 1];
    uint8_t next[SMF_HASH_SIZE];

    put_event(&record->event, out);
    (void)klm_decimal(record->seq, text);
    line(out, "sequence", text);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(smf_hash_two(sha, KLM_SLICE(chain, SMF_HASH_SIZE), KLM_SLICE(out->p + at, out->n - at),
                         next));
    klm_hex(next, SMF_HASH_SIZE, text);
    line(out, "chain", text);
    klm_buf_text(out, SMF_TEXT_LAST);
    KLM_TRY(klm_buf_rc(out));
    memcpy(chain, next, SMF_HASH_SIZE);
    return KLM_OK;
}

klm_rc smf_text_format(const struct smf_record *record, const uint8_t chain[32],
                       struct klm_buf *out)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *sha = NULL;
    uint8_t value[SMF_HASH_SIZE] = {0};
    size_t before = out->n;
    klm_rc rc;

    if ((unsigned)record->event.kind >= SMF_KINDS) {
        return KLM_E_INVALID;
    }
    if (record->seq == 0) {
        put_event(&record->event, out);
        klm_buf_text(out, SMF_TEXT_LAST);
        rc = klm_buf_rc(out);
    } else {
        KLM_TRY(smf_hash_new(&sha));
        if (chain) {
            memcpy(value, chain, sizeof value);
        }
        rc = smf_text_put(record, sha, value, out);
    }
    if (rc != KLM_OK) {
        out->n = before;
    }
    return rc;
}

/* The start of the line that ends at end (its line end not counted), within p. */
static const char *line_start(const char *p, const char *end)
{
    const char *before = memrchr(p, '\n', (size_t)(end - p));

    return before ? before + 1 : p;
}

static bool parse_sequence(const char *p, const char *end, uint64_t *seq)
{
    static const char name[] = "  sequence=";
    uint64_t value = 0;

    if ((size_t)(end - p) < sizeof name || (size_t)(end - p) > sizeof name + 18 ||
        memcmp(p, name, sizeof name - 1) != 0) {
        return false;
    }
    for (p += sizeof name - 1; p < end; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *seq = value;
    return value != 0;
}

static bool parse_chain(const char *p, const char *end, uint8_t chain[SMF_HASH_SIZE])
{
    static const char name[] = "  chain=";
    char hex[2 * SMF_HASH_SIZE + 1];
    size_t n;

    if ((size_t)(end - p) != sizeof name - 1 + 2 * SMF_HASH_SIZE ||
        memcmp(p, name, sizeof name - 1) != 0) {
        return false;
    }
    memcpy(hex, p + sizeof name - 1, sizeof hex - 1);
    hex[sizeof hex - 1] = '\0';
    return klm_unhex(hex, chain, SMF_HASH_SIZE, &n) == KLM_OK;
}

klm_rc smf_text_get(struct klm_slice in, struct smf_text_found *out)
{
    const char *p = (const char *)in.p, *end, *chain, *sequence;
    struct smf_text_found found;

    if (!p) {
        return KLM_E_SHORT;
    }
    end = memmem(p, in.n, SMF_TEXT_END, strlen(SMF_TEXT_END));
    if (!end) {
        return in.n > SMF_TEXT_RECORD_MAX ? KLM_E_CORRUPT : KLM_E_SHORT;
    }
    chain = line_start(p, end);
    sequence = chain > p ? line_start(p, chain - 1) : p;
    if (!smf_text_begins(in) || sequence == p || !parse_chain(chain, end, found.chain) ||
        !parse_sequence(sequence, chain - 1, &found.seq)) {
        return KLM_E_CORRUPT;
    }
    found.length = (size_t)(end - p) + strlen(SMF_TEXT_END);
    found.body = (size_t)(chain - p);
    *out = found;
    return KLM_OK;
}

bool smf_text_begins(struct klm_slice in)
{
    for (size_t i = 0; i < SMF_KINDS; i++) {
        size_t n = strlen(kinds[i].title);

        if (memcmp(in.p, kinds[i].title, in.n < n ? in.n : n) == 0) {
            return true;
        }
    }
    return false;
}
