/* Joining the parts of events. Most events are one record and pass straight through. */
#include "smf/dump/event.h"

#include "base/ebcdic.h"

#include <stdlib.h>
#include <string.h>

#define POOL_MAX (4u << 20)

/* An event of which parts are missing so far. */
struct waiting {
    struct klm_pool *pool;
    struct smfd_event event;
    const char *text[SMFD_PARTS_MAX]; /* of each part, NULL: none */
    uint64_t seen;                    /* bit for each part that was found */
    uint64_t turn;                    /* age */
};

struct smfd_joiner {
    smfd_event_fn *each;
    void *arg;
    struct waiting *slots[SMFD_WAITING_MAX];
    uint64_t turn;
};

klm_rc smfd_joiner_new(smfd_event_fn *each, void *arg, struct smfd_joiner **out)
{
    struct smfd_joiner *joiner = calloc(1, sizeof *joiner);

    if (!joiner) {
        return KLM_E_NOMEM;
    }
    joiner->each = each;
    joiner->arg = arg;
    *out = joiner;
    return KLM_OK;
}

static void waiting_free(struct waiting **slot)
{
    if (*slot) {
        klm_pool_free(&(*slot)->pool);
        free(*slot);
        *slot = NULL;
    }
}

void smfd_joiner_free(struct smfd_joiner **joiner)
{
    if (*joiner) {
        for (size_t i = 0; i < SMFD_WAITING_MAX; i++) {
            waiting_free(&(*joiner)->slots[i]);
        }
        free(*joiner);
        *joiner = NULL;
    }
}

/* An EBCDIC field without the blanks behind it; out has one byte more than cap. */
static void from_field(struct klm_slice field, char *out, size_t cap)
{
    size_t n = field.n < cap ? field.n : cap;

    if (n) {
        klm_from_ebcdic(field.p, out, n);
    }
    while (n && (out[n - 1] == ' ' || out[n - 1] == '\0')) {
        n--;
    }
    out[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)out[i] < ' ' || (unsigned char)out[i] > '~') {
            out[i] = '.';
        }
    }
}

static const char *hex_of(struct klm_pool *pool, const uint8_t *p, size_t n)
{
    char *text = klm_pool_alloc(pool, 2 * n + 1);

    if (text) {
        klm_hex(p, n, text);
    }
    return text;
}

/* A checkpoint has no event of its own; what it says is shown in the fields that a checkpoint of the journal uses. */
static klm_rc checkpoint_fields(struct klm_pool *pool, struct smf_t83_event *e)
{
    e->event.field[SMF_F_VERB] = "checkpoint";
    e->event.field[SMF_F_ALGORITHM] = klm_pool_str(pool, e->signature.algorithm);
    e->event.field[SMF_F_SIGNATURE] = hex_of(pool, e->signature.bytes, e->signature.n);
    e->event.field[SMF_F_HASH] = hex_of(pool, e->prev, sizeof e->prev);
    e->event.field[SMF_F_OBJECT] =
        hex_of(pool, e->signature.fingerprint, sizeof e->signature.fingerprint);
    return e->event.field[SMF_F_ALGORITHM] && e->event.field[SMF_F_SIGNATURE] &&
                   e->event.field[SMF_F_HASH] && e->event.field[SMF_F_OBJECT]
               ? KLM_OK
               : KLM_E_NOMEM;
}

static klm_rc decode(struct klm_slice record, struct klm_pool *pool, struct smfd_event *out,
                     const char **why)
{
    struct smf_t83_view view;
    struct smfd_event event = {.found = 1};

    *why = "lengths that cannot be";
    KLM_TRY(smf_t83_parse(record, &view, why));
    if (!view.ours) {
        *why = "it is not of this product";
        return KLM_E_CORRUPT;
    }
    *why = "a relocate section that cannot be read";
    KLM_TRY(smf_t83_decode(&view, pool, &event.e));
    if (event.e.checkpoint) {
        KLM_TRY(checkpoint_fields(pool, &event.e));
    }
    from_field(view.system, event.system, sizeof event.system - 1);
    from_field(view.job, event.job, sizeof event.job - 1);
    from_field(view.user, event.user, sizeof event.user - 1);
    event.year = view.year;
    event.day = view.day;
    event.time = view.time;
    event.code = view.event_code;
    event.qualifier = view.qualifier;
    if (!event.e.server_id) {
        event.e.server_id = "";
    }
    *out = event;
    return KLM_OK;
}

static klm_rc hand_out(struct smfd_joiner *joiner, struct waiting *slot)
{
    struct smfd_event *event = &slot->event;
    size_t n = 0, parts = event->e.parts;
    char *text, *at;

    for (size_t i = 0; i < parts; i++) {
        n += slot->text[i] ? strlen(slot->text[i]) : 0;
    }
    text = at = klm_pool_alloc(slot->pool, n + 1);
    if (!text) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < parts; i++) {
        size_t length = slot->text[i] ? strlen(slot->text[i]) : 0;

        if (length) {
            memcpy(at, slot->text[i], length);
            at += length;
        }
    }
    event->e.text = n ? text : NULL;
    return joiner->each(joiner->arg, event);
}

/* The waiting event that a part belongs to. */
static struct waiting **find(struct smfd_joiner *joiner, const struct smf_t83_event *e)
{
    for (size_t i = 0; i < SMFD_WAITING_MAX; i++) {
        const struct waiting *slot = joiner->slots[i];

        if (slot && slot->event.e.seq == e->seq && slot->event.e.parts == e->parts &&
            strcmp(slot->event.e.server_id, e->server_id) == 0) {
            return &joiner->slots[i];
        }
    }
    return NULL;
}

/* A free slot; the oldest event is handed out incomplete when there is none. */
static klm_rc room(struct smfd_joiner *joiner, struct waiting ***out)
{
    size_t oldest = 0;
    klm_rc rc = KLM_OK;

    for (size_t i = 0; i < SMFD_WAITING_MAX; i++) {
        if (!joiner->slots[i]) {
            *out = &joiner->slots[i];
            return KLM_OK;
        }
        if (joiner->slots[i]->turn < joiner->slots[oldest]->turn) {
            oldest = i;
        }
    }
    rc = hand_out(joiner, joiner->slots[oldest]);
    waiting_free(&joiner->slots[oldest]);
    *out = &joiner->slots[oldest];
    return rc;
}

static klm_rc keep_text(const char *const *from, struct klm_pool *pool, const char **to)
{
    if (*to || !*from) {
        return KLM_OK;
    }
    *to = klm_pool_str(pool, *from);
    return *to ? KLM_OK : KLM_E_NOMEM;
}

/* A part joins an event that waits: what the event does not have yet is copied. A part seen before changes nothing. */
static klm_rc join(struct waiting *slot, const struct smfd_event *part)
{
    size_t at = part->e.part - 1;

    if (slot->seen & (UINT64_C(1) << at)) {
        return KLM_OK;
    }
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        enum smf_field to = (enum smf_field)i;

        /* The second label alone in a record looks like a first one. */
        if (i == SMF_F_ALIAS1 && slot->event.e.event.field[i] &&
            !part->e.event.field[SMF_F_ALIAS2]) {
            to = SMF_F_ALIAS2;
        }
        KLM_TRY(keep_text(&part->e.event.field[i], slot->pool, &slot->event.e.event.field[to]));
    }
    KLM_TRY(keep_text(&part->e.text, slot->pool, &slot->text[at]));
    if (at == 0) {
        memcpy(slot->event.e.prev, part->e.prev, sizeof part->e.prev);
    }
    slot->seen |= UINT64_C(1) << at;
    slot->event.found++;
    return KLM_OK;
}

/* Takes over the pool that the first part was decoded into. */
static klm_rc begin(struct smfd_joiner *joiner, struct klm_pool **take_pool,
                    const struct smfd_event *part)
{
    struct waiting **place, *slot;

    KLM_TRY(room(joiner, &place));
    slot = calloc(1, sizeof *slot);
    if (!slot) {
        return KLM_E_NOMEM;
    }
    slot->pool = *take_pool;
    *take_pool = NULL;
    slot->event = *part;
    slot->text[part->e.part - 1] = part->e.text;
    slot->seen = UINT64_C(1) << (part->e.part - 1);
    slot->turn = joiner->turn++;
    *place = slot;
    return KLM_OK;
}

klm_rc smfd_joiner_put(struct smfd_joiner *joiner, struct klm_slice record, const char **why)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct smfd_event event;
    struct waiting **slot;
    klm_rc rc = KLM_OK;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(decode(record, pool, &event, why));
    if (event.e.parts <= 1) {
        return joiner->each(joiner->arg, &event);
    }
    if (event.e.parts > SMFD_PARTS_MAX || event.e.part == 0 || event.e.part > event.e.parts) {
        *why = "a number of parts that cannot be";
        return KLM_E_CORRUPT;
    }
    slot = find(joiner, &event.e);
    if (!slot) {
        return begin(joiner, &pool, &event);
    }
    KLM_TRY(join(*slot, &event));
    if ((*slot)->event.found == event.e.parts) {
        rc = hand_out(joiner, *slot);
        waiting_free(slot);
    }
    return rc;
}

/* Oldest first. */
klm_rc smfd_joiner_end(struct smfd_joiner *joiner)
{
    for (;;) {
        struct waiting **oldest = NULL;
        klm_rc rc;

        for (size_t i = 0; i < SMFD_WAITING_MAX; i++) {
            if (joiner->slots[i] && (!oldest || joiner->slots[i]->turn < (*oldest)->turn)) {
                oldest = &joiner->slots[i];
            }
        }
        if (!oldest) {
            return KLM_OK;
        }
        rc = hand_out(joiner, *oldest);
        waiting_free(oldest);
        KLM_TRY(rc);
    }
}
