/* An event, or a checkpoint, as type 83 records. */
#include "smf/type83.h"

#include "smf/type83_write.h"

#include <string.h>

enum { NONE = SMF_FIELDS };

/* Which relocate sections hold fields of the event, in the order in which they are written: those that stand in each record, and those that stand in one. NONE: made otherwise. */
struct row {
    uint16_t number, field;
};
#define IN_EACH_EACH(number, field) {number, field},
#define IN_EACH_ONCE(number, field)
#define IN_EACH_MANY(number, field)
#define IN_ONE_EACH(number, field)
#define IN_ONE_ONCE(number, field) {number, field},
#define IN_ONE_MANY(number, field)
static const struct row in_each[] = {
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source)                           \
    IN_EACH_##times(number, field)
#include "smf/records.def"
};
static const struct row in_one[] = {
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source)                           \
    IN_ONE_##times(number, field)
#include "smf/records.def"
};

static const uint8_t codes[SMF_KINDS] = {
#define SMF_T83_CODE(kind, code) [kind] = (code),
#include "smf/records.def"
};

static const char *const keywords[SMF_KINDS] = {
#define SMF_KIND(name, title, type, keyword) [name] = (keyword),
#include "smf/events.def"
#undef SMF_KIND
};

static bool has(const struct smf_event *event, enum smf_field field)
{
    return event->field[field] && event->field[field][0];
}

static void put_string(struct smf_t83_writer *writer, unsigned number, const char *text)
{
    smf_t83_put_text(writer, number, text, strlen(text));
}

/* "2026-11-22T01:02:03.000004Z+01:00" */
static void put_time(struct smf_t83_writer *writer, klm_time t, int offset)
{
    char text[KLM_ISO_DATE_MAX + 8];
    unsigned minutes = (unsigned)(offset < 0 ? -offset : offset), hours = minutes / 60 % 24;
    const char zone[] = {offset < 0 ? '-' : '+',          (char)('0' + hours / 10),
                         (char)('0' + hours % 10),        ':',
                         (char)('0' + minutes % 60 / 10), (char)('0' + minutes % 10)};
    size_t n;

    klm_iso_date(t, text);
    n = strlen(text);
    memcpy(text + n, zone, sizeof zone);
    smf_t83_put_text(writer, SMF_R_TIME, text, n + sizeof zone);
}

static void put_fields(struct smf_t83_writer *writer, const struct smf_event *event,
                       const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].field != NONE && has(event, (enum smf_field)rows[i].field)) {
            put_string(writer, rows[i].number, event->field[rows[i].field]);
        }
    }
}

/* The second label says that it is the second by the place of the first, which may be empty. */
static void put_labels(struct smf_t83_writer *writer, const struct smf_event *event)
{
    if (has(event, SMF_F_ALIAS1) || has(event, SMF_F_ALIAS2)) {
        put_string(writer, SMF_R_LABEL, has(event, SMF_F_ALIAS1) ? event->field[SMF_F_ALIAS1] : "");
    }
    if (has(event, SMF_F_ALIAS2)) {
        put_string(writer, SMF_R_LABEL, event->field[SMF_F_ALIAS2]);
    }
}

static void put_lines(struct smf_t83_writer *writer, struct klm_slice text)
{
    const char *p = (const char *)text.p;

    for (size_t at = 0; at < text.n;) {
        const char *newline = memchr(p + at, '\n', text.n - at);
        size_t n = newline ? (size_t)(newline - p) - at : text.n - at;

        smf_t83_put_text(writer, SMF_R_TEXT, p + at, n);
        at += n + 1;
    }
}

/* Minutes east of UTC where the event was made: it says so itself, or the origin does. */
static int offset_of(const struct smf_t83_origin *origin, const struct smf_event *event)
{
    int minutes = origin->utc_offset_min;

    if (has(event, SMF_F_OFFSET)) {
        (void)smf_offset_parse(event->field[SMF_F_OFFSET], &minutes); /* else the origin's stays */
    }
    return minutes;
}

/* A violation in the sense of RACF is a right that was refused. */
static bool is_refusal(const struct smf_event *event)
{
    static const enum klm_msg_id refusals[] = {KLM_MSG_NOT_AUTHORISED, KLM_MSG_PROPERTY_RIGHT};

    if (event->outcome != SMF_FAILURE) {
        return false;
    }
    for (size_t i = 0; i < KLM_COUNT(refusals) && has(event, SMF_F_MESSAGE_ID); i++) {
        if (strcmp(event->field[SMF_F_MESSAGE_ID], klm_msg(refusals[i])->id) == 0) {
            return true;
        }
    }
    return event->kind == SMF_AUTHORIZATION;
}

/* A checkpoint of the journal is information, as one of the records is. */
static uint8_t qualifier_of(const struct smf_event *event)
{
    if (event->outcome != SMF_SUCCESS) {
        return SMF83_QUALIFIER_FAILURE;
    }
    return has(event, SMF_F_SIGNATURE) ? SMF83_QUALIFIER_INFORMATION : SMF83_QUALIFIER_SUCCESS;
}

static struct smf_t83_head head_of(const struct smf_t83_origin *origin,
                                   const struct smf_record *record)
{
    const struct smf_event *event = &record->event;

    return (struct smf_t83_head){.time = event->time,
                                 .utc_offset_min = offset_of(origin, event),
                                 .link = (uint32_t)record->seq,
                                 .descriptor = is_refusal(event) ? SMF83DES_VIOLATION : 0,
                                 .event_code = codes[event->kind],
                                 .qualifier = qualifier_of(event),
                                 .user = event->field[SMF_F_USER]};
}

klm_rc smf_t83_encode(const struct smf_t83_origin *origin, const struct smf_record *record,
                      struct klm_slice text, struct smf_hash *hash, struct smf_t83_chain *chain,
                      struct klm_buf *out)
{
    const struct smf_event *event = &record->event;
    struct smf_t83_writer writer;
    struct smf_t83_head head;

    if (record->seq == 0 || (unsigned)event->kind >= SMF_KINDS ||
        (unsigned)event->outcome > SMF_FAILURE) {
        return KLM_E_INVALID;
    }
    head = head_of(origin, record);
    KLM_TRY(smf_t83_begin(&writer, origin, &head, out));
    put_string(&writer, SMF_R_SERVER, record->server_id ? record->server_id : "");
    put_fields(&writer, event, in_each, KLM_COUNT(in_each));
    put_time(&writer, event->time, head.utc_offset_min);
    smf_t83_put_number(&writer, SMF_R_SEQUENCE, record->seq);
    smf_t83_put_place(&writer);
    smf_t83_put_bytes(&writer, SMF_R_JOURNAL, record->hash, SMF_HASH_SIZE);
    put_string(&writer, SMF_R_KIND, keywords[event->kind]);
    smf_t83_rest(&writer);
    put_fields(&writer, event, in_one, KLM_COUNT(in_one));
    put_labels(&writer, event);
    put_lines(&writer, text);
    KLM_TRY(smf_t83_end(&writer, hash, chain));
    chain->seq = record->seq;
    return KLM_OK;
}

klm_rc smf_t83_checkpoint(const struct smf_t83_origin *origin, const char *server_id, klm_time now,
                          const struct smf_signature *signature, struct smf_hash *hash,
                          struct smf_t83_chain *chain, struct klm_buf *out)
{
    const struct smf_t83_head head = {.time = now,
                                      .utc_offset_min = origin->utc_offset_min,
                                      .event_code = codes[SMF_AUDIT],
                                      .qualifier = SMF83_QUALIFIER_INFORMATION};
    size_t algorithm = strnlen(signature->algorithm, SMF_ALGORITHM_MAX);
    struct smf_t83_writer writer;

    if (signature->n > SMF_SIGNATURE_MAX || algorithm == SMF_ALGORITHM_MAX) {
        return KLM_E_INVALID;
    }
    KLM_TRY(smf_t83_begin(&writer, origin, &head, out));
    put_string(&writer, SMF_R_SERVER, server_id);
    put_string(&writer, SMF_R_OPERATION, "checkpoint");
    put_time(&writer, now, origin->utc_offset_min);
    smf_t83_put_place(&writer);
    put_string(&writer, SMF_R_KIND, keywords[SMF_AUDIT]);
    smf_t83_put_number(&writer, SMF_R_UNDER, chain->records);
    smf_t83_put_text(&writer, SMF_R_ALGORITHM, signature->algorithm, algorithm);
    smf_t83_put_bytes(&writer, SMF_R_FINGERPRINT, signature->fingerprint, SMF_FINGERPRINT_SIZE);
    smf_t83_put_bytes(&writer, SMF_R_SIGNATURE, signature->bytes, signature->n);
    return smf_t83_end(&writer, hash, chain);
}
