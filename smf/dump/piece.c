/* One data set's part of a chain, record by record, and what it means when a record does not follow the one before. */
#include "smf/dump/piece.h"

#include "smf/type83_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SMF_HASH_SIZE) == 0;
}

static bool zeros(const uint8_t *hash)
{
    static const uint8_t none[SMF_HASH_SIZE];

    return same(hash, none);
}

/* Events have all that is wanted before their previous hash; a checkpoint's number comes behind it. */
static klm_rc walk(const struct smf_t83_view *view, struct smfd_link *link)
{
    bool previous = false;
    struct klm_slice data;
    unsigned number;

    for (size_t at = 0; at < view->relocates.n && !(previous && link->at.seq);) {
        KLM_TRY(smf_t83_relocate(view, &at, &number, &data));
        if (number == SMF_R_SERVER) {
            link->server = data;
        } else if (number == SMF_R_SEQUENCE && data.n == 8) {
            link->at.seq = smf_get_number(data.p, 8);
        } else if (number == SMF_R_PREVIOUS && data.n == SMF_HASH_SIZE) {
            memcpy(link->prev, data.p, SMF_HASH_SIZE);
            previous = true;
        } else if (number == SMF_R_UNDER && data.n == 8) {
            link->under = smf_get_number(data.p, 8);
            link->checkpoint = true;
        }
    }
    return previous && (link->at.seq || link->checkpoint) ? KLM_OK : KLM_E_CORRUPT;
}

/* Is the record laid out exactly as the task does it? Most are, and need no closer look: that anything else in them was changed, the
 * hash tells. */
static bool as_written(struct klm_slice record, struct smf_t83_view *view)
{
    static const uint8_t name[SMF83PNM_N] = {0xD2, 0xD3, 0xD4, 0xE2,
                                             0xD9, 0xE5, 0x40, 0x40}; /* KLMSRV */
    const uint8_t *p = record.p;

    if (record.n < SMF83_SECTIONS || SMF_GET(p, SMF83LEN) != record.n ||
        !(p[SMF83FLG] & SMF83FLG_SUBTYPES) || p[SMF83RTY] != SMF83_TYPE ||
        SMF_GET(p, SMF83TYP) != SMF83_SUBTYPE || SMF_GET(p, SMF83OPD) != SMF83_HEADER ||
        SMF_GET(p, SMF83LPD) != SMF83_PRODUCT || SMF_GET(p, SMF83OD2) != SMF83_SECTIONS ||
        SMF_GET(p, SMF83LD2) != record.n - SMF83_SECTIONS ||
        memcmp(p + SMF83_HEADER + SMF83PNM, name, sizeof name) != 0) {
        return false;
    }
    view->relocates = KLM_SLICE(p + SMF83_SECTIONS, record.n - SMF83_SECTIONS);
    return true;
}

klm_rc smfd_link_of(struct klm_slice record, struct smfd_link *out, const char **why)
{
    struct smfd_link link = {.under = 0};
    struct smf_t83_view view;

    if (!as_written(record, &view)) {
        KLM_TRY(smf_t83_parse(record, &view, why));
        if (!view.ours) {
            return KLM_E_NOTFOUND;
        }
    }
    *why = "it has no hash of the record before, or no number";
    KLM_TRY(walk(&view, &link));
    *out = link;
    return KLM_OK;
}

void smfd_piece_problem(struct smfd_piece *piece, enum smfd_fault fault,
                        const struct smfd_place *at, const char *why)
{
    if (piece->problems++ == 0) {
        piece->problem.fault = fault;
        piece->problem.at = *at;
        snprintf(piece->problem.why, sizeof piece->problem.why, "%s", why);
    }
}

/* The place of the first problem is another one than was thought. */
static void settle(struct smfd_piece *piece, enum smfd_fault fault, const struct smfd_place *at,
                   const char *why)
{
    piece->problems--;
    piece->open = false;
    if (piece->problems == 0) {
        smfd_piece_problem(piece, fault, at, why);
    } else {
        piece->problem.fault = fault;
        piece->problem.at = *at;
        snprintf(piece->problem.why, sizeof piece->problem.why, "%s", why);
        piece->problems++;
    }
}

/* Numbers between the record before and this one are not there; or they are, and one of the two was changed. */
static void altered_or_missing(struct smfd_piece *piece, const struct smfd_link *link)
{
    char why[160];

    piece->open = piece->problems == 0;
    if (piece->open) {
        memcpy(piece->wanted, piece->hash, SMF_HASH_SIZE);
        memcpy(piece->broke, link->hash, SMF_HASH_SIZE);
        piece->blamed = link->at;
        piece->prior = piece->last;
    }
    if (link->at.seq > piece->last_seq + 1) {
        snprintf(why, sizeof why,
                 "records before it are missing, sequence %" PRIu64 " to %" PRIu64
                 ", or the one before it was altered",
                 piece->last_seq + 1, link->at.seq - 1);
        smfd_piece_problem(piece, SMFD_MISSING, &link->at, why);
    } else {
        smfd_piece_problem(piece, SMFD_ALTERED, &piece->last,
                           "it was altered, or one behind it was taken out: it does not have the "
                           "hash that the next record holds");
    }
}

/* The record does not hold the hash of the one before. */
static void broken_link(struct smfd_piece *piece, const struct smfd_link *link)
{
    if (same(link->hash, piece->hash)) {
        smfd_piece_problem(piece, SMFD_REPEATED, &link->at, "it is there twice");
    } else if (same(link->prev, piece->before)) {
        smfd_piece_problem(piece, SMFD_INSERTED, &piece->last,
                           "it was put in: the next record follows the one before it");
    } else if (zeros(link->prev)) {
        smfd_piece_problem(piece, SMFD_BEGUN, &link->at, "a new chain begins here");
    } else if (link->at.seq && link->at.seq < piece->last_seq) {
        smfd_piece_problem(piece, SMFD_REPEATED, &link->at,
                           link->at.seq >= piece->first_seq
                               ? "its number was there before: it was repeated or put in"
                               : "it belongs before the first record of the data set");
    } else {
        altered_or_missing(piece, link);
    }
}

/* Records behind the first problem tell more about it. */
static void look_back(struct smfd_piece *piece, const struct smfd_link *link, bool follows)
{
    char why[160];

    if (same(link->prev, piece->wanted) && !follows) {
        snprintf(why, sizeof why, "it stands too late: it belongs before record %" PRIu64,
                 piece->blamed.number);
        settle(piece, SMFD_MOVED, &link->at, why);
    } else if (piece->problem.fault == SMFD_ALTERED && same(piece->hash, piece->broke) &&
               !follows) {
        /* The record behind the break is not what the next one holds either: it is the one that was changed. */
        settle(piece, SMFD_ALTERED, &piece->blamed,
               "it was altered: it does not have the hash that the next record holds");
    }
}

static void begin(struct smfd_piece *piece, const struct smfd_link *link)
{
    piece->first = link->at;
    memcpy(piece->first_prev, link->prev, SMF_HASH_SIZE);
    piece->based = zeros(link->prev);
}

/* The number under a checkpoint is the number of records before it in the chain; so it also tells how many were taken out. */
static void number_checkpoint(struct smfd_piece *piece, const struct smfd_link *link)
{
    uint64_t base = link->under - piece->records;
    char why[160];

    if (piece->based && base > piece->base && piece->open && piece->problem.fault == SMFD_ALTERED) {
        snprintf(why, sizeof why, "%" PRIu64 " records before it are missing", base - piece->base);
        settle(piece, SMFD_MISSING, &piece->blamed, why);
    } else if (piece->based && base == piece->base && piece->open &&
               piece->problem.fault == SMFD_MISSING) {
        settle(piece, SMFD_ALTERED, &piece->prior,
               "it was altered: it does not have the hash that the next record holds");
    } else if (piece->problems == 0 &&
               (link->under < piece->records || (piece->based && base != piece->base))) {
        smfd_piece_problem(piece, SMFD_UNSIGNED, &link->at,
                           "the checkpoint is for another number of records");
    }
    if (!piece->based || piece->problems) {
        piece->based = true;
        piece->base = base;
    }
}

static void count(struct smfd_piece *piece, const struct smfd_link *link)
{
    piece->records++;
    piece->behind++;
    if (link->checkpoint) {
        piece->checkpoints++;
        piece->behind = 0;
        return;
    }
    if (!piece->first_seq) {
        piece->first_seq = link->at.seq;
    } else if (link->at.seq > piece->last_seq + 1) {
        piece->left_out += link->at.seq - piece->last_seq - 1;
    }
    piece->events += link->at.seq != piece->last_seq;
    piece->last_seq = link->at.seq > piece->last_seq ? link->at.seq : piece->last_seq;
}

void smfd_piece_add(struct smfd_piece *piece, const struct smfd_link *link)
{
    bool follows = piece->records == 0 || same(link->prev, piece->hash);

    if (piece->records == 0) {
        begin(piece, link);
    } else if (piece->open) {
        look_back(piece, link, follows);
    }
    if (!follows) {
        broken_link(piece, link);
    }
    if (link->checkpoint) {
        number_checkpoint(piece, link);
    }
    count(piece, link);
    piece->last = link->at;
    memcpy(piece->before, piece->hash, SMF_HASH_SIZE);
    memcpy(piece->hash, link->hash, SMF_HASH_SIZE);
}
