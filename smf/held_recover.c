/* Taking over what a kill left in a file of held events. An append may have been under way: its events stand in the journal one behind the other, after the record that was the last
 * one before, all of them or (the write was cut by the kill) the first ones at the journal's end. Only what is not there is appended, so that each is there once. */
#include "smf/held_int.h"

#include "smf/event.h"
#include "smf/reader.h"

#include <string.h>

/* How many of the events between head->taken and head->moving are in the journal, and where those that are not begin. */
struct match {
    const struct smf_held *held;
    uint64_t at, end; /* of the next event to be found */
    size_t n;
};

static bool same(struct klm_slice a, struct klm_slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* False: all are found. */
static bool step(struct match *match, struct klm_slice recorded)
{
    uint64_t next = match->at;
    struct klm_slice event;

    if (smf_held_next(match->held, match->end, &next, &event) != KLM_OK) {
        return false;
    }
    if (same(event, recorded)) {
        match->at = next;
        match->n++;
    }
    return match->at != match->end;
}

static klm_rc look(struct smf_held *held, const char *folder, struct match *match,
                   struct klm_diag *diag)
{
    KLM_AUTO(smf_reader_close) struct smf_reader *reader = NULL;
    struct smf_frame frame;
    klm_rc rc;

    KLM_TRY(smf_reader_open(folder, held->head->before, diag, &reader));
    while ((rc = smf_reader_next(reader, &frame, diag)) == KLM_OK) {
        if (!step(match, frame.event)) {
            return KLM_OK;
        }
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

/* The append that was under way, or the last one: done in whole or in part? */
static klm_rc settle(struct smf_held *held, const char *folder, struct klm_diag *diag)
{
    const struct smf_held_head *head = held->head;
    struct match match = {.held = held, .at = head->taken, .end = head->moving};

    if (head->moving <= head->taken || head->moving > head->put ||
        head->before >= smf_journal_last(held->journal)) {
        return KLM_OK; /* none was under way, or nothing of it is there */
    }
    KLM_TRY(look(held, folder, &match, diag));
    smf_held_done(held, match.at);
    return KLM_OK;
}

/* Every event is one that can be read: the journal would take none of them otherwise. */
static klm_rc check(const struct smf_held *held, size_t *n, struct klm_diag *diag)
{
    uint64_t at = held->head->taken;
    struct klm_slice event;
    klm_rc rc;

    while ((rc = smf_held_next(held, held->head->put, &at, &event)) == KLM_OK) {
        if (smf_event_check(event) != KLM_OK) {
            rc = KLM_E_CORRUPT;
            break;
        }
        (*n)++;
    }
    return rc == KLM_E_NOTFOUND
               ? KLM_OK
               : klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_HELD_DAMAGED, held->path, KLM_NUM(at));
}

klm_rc smf_held_recover(struct smf_held *held, const char *journal_folder, struct klm_diag *diag)
{
    size_t n = 0;
    klm_rc rc;

    KLM_TRY(check(held, &n, diag));
    if (n > 0) {
        n = 0;
        KLM_TRY(settle(held, journal_folder, diag));
        KLM_TRY(check(held, &n, diag));
    }
    rc = smf_held_move(held);
    if (rc == KLM_OK && n > 0) {
        rc = smf_journal_sync(held->journal, smf_journal_last(held->journal));
    }
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_FILE_WRITE, journal_folder, klm_rc_text(rc));
    }
    if (n > 0) {
        klm_say(KLM_MSG_HELD_TAKEN, KLM_NUM(n), held->path);
    }
    held->head->put = held->head->taken = held->head->moving = 0;
    return KLM_OK;
}
