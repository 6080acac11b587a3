/* Relocate sections of one of our records back to the event they were made of. */
#include "smf/type83_int.h"

#include <string.h>

/* Which field a relocate section holds. */
static const struct row {
    uint16_t number, field;
    enum { EACH, ONCE, MANY } times;
} rows[] = {
#define NONE SMF_FIELDS
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source) {number, field, times},
#include "smf/records.def"
#undef NONE
};

static const char *const keywords[SMF_KINDS] = {
#define SMF_KIND(name, title, type, keyword) [name] = (keyword),
#include "smf/events.def"
#undef SMF_KIND
};

_Static_assert(KLM_COUNT(rows) < 64, "seen has a bit for each row");

struct decoder {
    struct klm_pool *pool;
    struct smf_t83_event *event;
    uint64_t seen; /* bit i: row i */
    unsigned labels;
    char *text; /* where the next line goes */
};

static size_t row_of(unsigned number)
{
    size_t i = 0;

    while (i < KLM_COUNT(rows) && rows[i].number != number) {
        i++;
    }
    return i;
}

static klm_rc get_text(struct klm_pool *pool, struct klm_slice data, const char **out)
{
    uint8_t *to = klm_pool_alloc(pool, SMF_EBCDIC_GROWS * data.n + 1);
    size_t n;

    if (!to) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(smf_ebcdic_get(data, to, &n));
    to[n] = '\0';
    *out = (const char *)to;
    return KLM_OK;
}

static klm_rc get_number(struct klm_slice data, uint64_t *out)
{
    if (data.n != 8) {
        return KLM_E_CORRUPT;
    }
    *out = smf_get_number(data.p, 8);
    return KLM_OK;
}

static klm_rc get_bytes(struct klm_slice data, uint8_t *out, size_t n)
{
    if (data.n != n) {
        return KLM_E_CORRUPT;
    }
    memcpy(out, data.p, n);
    return KLM_OK;
}

static klm_rc get_part(struct klm_slice data, struct smf_t83_event *event)
{
    if (data.n != 4) {
        return KLM_E_CORRUPT;
    }
    event->part = (unsigned)smf_get_number(data.p, 2);
    event->parts = (unsigned)smf_get_number(data.p + 2, 2);
    return event->part && event->part <= event->parts ? KLM_OK : KLM_E_CORRUPT;
}

/* UTC to the microsecond, and the offset behind it. */
static klm_rc get_time(struct decoder *d, struct klm_slice data)
{
    const char *text, *zone;
    char utc[KLM_ISO_DATE_MAX];
    size_t n;

    KLM_TRY(get_text(d->pool, data, &text));
    zone = strchr(text, 'Z');
    n = zone ? (size_t)(zone + 1 - text) : 0;
    if (n == 0 || n >= sizeof utc) {
        return KLM_E_CORRUPT;
    }
    memcpy(utc, text, n);
    utc[n] = '\0';
    if (klm_iso_date_parse(utc, &d->event->event.time) != KLM_OK ||
        !smf_offset_parse(zone + 1, &d->event->utc_offset_min)) {
        return KLM_E_CORRUPT;
    }
    d->event->event.field[SMF_F_OFFSET] = zone + 1;
    return KLM_OK;
}

static klm_rc get_kind(struct decoder *d, struct klm_slice data)
{
    const char *text;

    KLM_TRY(get_text(d->pool, data, &text));
    for (unsigned i = 0; i < SMF_KINDS; i++) {
        if (strcmp(text, keywords[i]) == 0) {
            d->event->event.kind = (enum smf_kind)i;
            return KLM_OK;
        }
    }
    return KLM_E_CORRUPT;
}

static klm_rc get_label(struct decoder *d, struct klm_slice data)
{
    static const enum smf_field place[] = {SMF_F_ALIAS1, SMF_F_ALIAS2};

    if (d->labels == KLM_COUNT(place)) {
        return KLM_E_CORRUPT;
    }
    d->labels++;
    return data.n ? get_text(d->pool, data, &d->event->event.field[place[d->labels - 1]]) : KLM_OK;
}

/* A line behind those before it. */
static klm_rc get_line(struct decoder *d, struct klm_slice data)
{
    size_t n;

    if (!d->text) {
        return KLM_E_INTERNAL; /* make_text counted the lines */
    }
    KLM_TRY(smf_ebcdic_get(data, (uint8_t *)d->text, &n));
    d->text[n] = '\n';
    d->text[n + 1] = '\0';
    d->text += n + 1;
    return KLM_OK;
}

static klm_rc get_algorithm(struct decoder *d, struct klm_slice data)
{
    const char *text;

    KLM_TRY(get_text(d->pool, data, &text));
    if (strlen(text) >= SMF_ALGORITHM_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(d->event->signature.algorithm, text, strlen(text) + 1);
    return KLM_OK;
}

static klm_rc get_signature(struct smf_signature *signature, struct klm_slice data)
{
    if (data.n > SMF_SIGNATURE_MAX) {
        return KLM_E_CORRUPT;
    }
    signature->n = data.n;
    memcpy(signature->bytes, data.p, data.n);
    return KLM_OK;
}

static klm_rc get_relocate(struct decoder *d, size_t row, struct klm_slice data)
{
    struct smf_t83_event *event = d->event;

    switch (rows[row].number) {
    case SMF_R_SERVER:
        return get_text(d->pool, data, &event->server_id);
    case SMF_R_LABEL:
        return get_label(d, data);
    case SMF_R_TIME:
        return get_time(d, data);
    case SMF_R_TEXT:
        return get_line(d, data);
    case SMF_R_SEQUENCE:
        return get_number(data, &event->seq);
    case SMF_R_PART:
        return get_part(data, event);
    case SMF_R_PREVIOUS:
        return get_bytes(data, event->prev, SMF_HASH_SIZE);
    case SMF_R_JOURNAL:
        return get_bytes(data, event->journal, SMF_HASH_SIZE);
    case SMF_R_KIND:
        return get_kind(d, data);
    case SMF_R_UNDER:
        event->checkpoint = true;
        return get_number(data, &event->checkpoint_records);
    case SMF_R_ALGORITHM:
        return get_algorithm(d, data);
    case SMF_R_FINGERPRINT:
        return get_bytes(data, event->signature.fingerprint, SMF_FINGERPRINT_SIZE);
    case SMF_R_SIGNATURE:
        return get_signature(&event->signature, data);
    default:
        return get_text(d->pool, data, &event->event.field[rows[row].field]);
    }
}

static klm_rc next_relocate(struct decoder *d, unsigned number, struct klm_slice data)
{
    size_t row = row_of(number);

    if (row == KLM_COUNT(rows)) {
        return KLM_OK;
    }
    if (d->seen >> row & 1 && rows[row].times != MANY) {
        return KLM_E_CORRUPT;
    }
    d->seen |= UINT64_C(1) << row;
    return get_relocate(d, row, data);
}

/* Room for all lines with their ends. */
static klm_rc make_text(struct decoder *d, const struct smf_t83_view *view)
{
    struct klm_slice data;
    unsigned number;
    size_t n = 0;

    for (size_t at = 0; smf_t83_relocate(view, &at, &number, &data) == KLM_OK;) {
        n += number == SMF_R_TEXT ? SMF_EBCDIC_GROWS * data.n + 1 : 0;
    }
    if (n) {
        d->text = klm_pool_alloc(d->pool, n + 1);
        if (!d->text) {
            return KLM_E_NOMEM;
        }
        d->event->text = d->text;
    }
    return KLM_OK;
}

static bool saw(const struct decoder *d, unsigned number)
{
    return d->seen >> row_of(number) & 1;
}

/* What each record has; an event its numbers, a checkpoint its signature. */
static bool complete(const struct decoder *d)
{
    if (!saw(d, SMF_R_SERVER) || !saw(d, SMF_R_TIME) || !saw(d, SMF_R_PART) ||
        !saw(d, SMF_R_PREVIOUS) || !saw(d, SMF_R_KIND)) {
        return false;
    }
    if (saw(d, SMF_R_UNDER)) {
        return !saw(d, SMF_R_SEQUENCE) && saw(d, SMF_R_ALGORITHM) && saw(d, SMF_R_FINGERPRINT) &&
               saw(d, SMF_R_SIGNATURE);
    }
    return d->event->seq != 0 && saw(d, SMF_R_JOURNAL);
}

klm_rc smf_t83_decode(const struct smf_t83_view *view, struct klm_pool *pool,
                      struct smf_t83_event *out)
{
    struct smf_t83_event event = {0};
    struct decoder d = {.pool = pool, .event = &event};
    struct klm_slice data;
    unsigned number;

    if (!view->ours) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(make_text(&d, view));
    for (size_t at = 0; at < view->relocates.n;) {
        KLM_TRY(smf_t83_relocate(view, &at, &number, &data));
        KLM_TRY(next_relocate(&d, number, data));
    }
    if (!complete(&d)) {
        return KLM_E_CORRUPT;
    }
    event.event.outcome = view->qualifier == SMF83_QUALIFIER_FAILURE ? SMF_FAILURE : SMF_SUCCESS;
    *out = event;
    return KLM_OK;
}
