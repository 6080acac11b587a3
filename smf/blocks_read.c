/* Records of a data set one by one: whole ones as they lie in the file, segments put together. */
#include "smf/blocks_int.h"

#include <string.h>

static klm_rc damaged(struct smf_dataset_reader *reader, size_t at, size_t end, const char *why,
                      struct smf_read *out)
{
    *out = (struct smf_read){.kind = SMF_READ_DAMAGED,
                             .number = ++reader->number,
                             .offset = at,
                             .length = end - at,
                             .why = why};
    return KLM_OK;
}

static klm_rc record(struct smf_dataset_reader *reader, struct klm_slice bytes, size_t at,
                     size_t end, struct smf_read *out)
{
    if (bytes.n < SMF_RECORD_MIN) {
        return damaged(reader, at, end, "the record is shorter than the header of an SMF record",
                       out);
    }
    *out = (struct smf_read){.kind = SMF_READ_RECORD,
                             .record = bytes,
                             .number = ++reader->number,
                             .offset = at,
                             .length = end - at};
    return KLM_OK;
}

/* What is put together in reader->whole, with an RDW of its own. */
static struct klm_slice whole(struct smf_dataset_reader *reader)
{
    smf_put_number(reader->whole.p, 2, reader->whole.n);
    smf_put_number(reader->whole.p + 2, 2, 0);
    return klm_buf_as_slice(&reader->whole);
}

static klm_rc give_up(struct smf_dataset_reader *reader, const char *why, struct smf_read *out)
{
    reader->joining = false;
    return damaged(reader, reader->join_first, reader->join_end, why, out);
}

/* The first bytes of a record that must be copied: room for its RDW, then the data. */
static klm_rc start(struct smf_dataset_reader *reader, size_t at, const uint8_t *data, size_t n)
{
    klm_buf_clear(&reader->whole);
    klm_buf_u32(&reader->whole, 0);
    klm_buf_put(&reader->whole, data, n);
    KLM_TRY(klm_buf_rc(&reader->whole));
    reader->join_first = at;
    return KLM_OK;
}

/* A segment that goes on with the record; done: it was the last. KLM_E_LIMIT: the record gets too long. */
static klm_rc go_on(struct smf_dataset_reader *reader, const struct smf_piece *piece)
{
    size_t n = piece->n - SMF_RDW_SIZE;

    if (n > SMF_LOGICAL_MAX - reader->whole.n) {
        return KLM_E_LIMIT;
    }
    klm_buf_put(&reader->whole, reader->p + piece->at + SMF_RDW_SIZE, n);
    KLM_TRY(klm_buf_rc(&reader->whole));
    reader->join_end = piece->at + piece->n;
    return KLM_OK;
}

/* The piece is a segment. *more: nothing to answer yet. */
static klm_rc segment(struct smf_dataset_reader *reader, const struct smf_piece *piece,
                      struct smf_read *out, bool *more)
{
    size_t end = piece->at + piece->n;
    klm_rc rc;

    reader->spanned = true;
    if (piece->segment == SMF_SEG_FIRST) {
        KLM_TRY(start(reader, piece->at, reader->p + piece->at + SMF_RDW_SIZE,
                      piece->n - SMF_RDW_SIZE));
        reader->joining = *more = true;
        reader->join_end = end;
        return KLM_OK;
    }
    if (!reader->joining) {
        return damaged(reader, piece->at, end, "a segment whose record has no beginning", out);
    }
    rc = go_on(reader, piece);
    if (rc == KLM_E_LIMIT) {
        reader->join_end = end;
        return give_up(reader, "the record is longer than any can be", out);
    }
    KLM_TRY(rc);
    *more = piece->segment == SMF_SEG_MIDDLE;
    if (*more) {
        return KLM_OK;
    }
    reader->joining = false;
    return record(reader, whole(reader), reader->join_first, end, out);
}

/* A record without RDW gets one. */
static klm_rc bare(struct smf_dataset_reader *reader, const struct smf_piece *piece,
                   struct smf_read *out)
{
    KLM_TRY(start(reader, piece->at, reader->p + piece->at, piece->n));
    return record(reader, whole(reader), piece->at, piece->at + piece->n, out);
}

/* Does this piece leave a record unfinished that was begun? */
static bool breaks_off(const struct smf_dataset_reader *reader, const struct smf_piece *piece)
{
    return reader->joining && (piece->kind != SMF_PIECE || piece->segment == SMF_SEG_WHOLE ||
                               piece->segment == SMF_SEG_FIRST);
}

static klm_rc take(struct smf_dataset_reader *reader, const struct smf_piece *piece,
                   struct smf_read *out, bool *more)
{
    size_t end = piece->at + piece->n;

    if (piece->kind == SMF_PIECE_END) {
        *out = (struct smf_read){.kind = SMF_READ_END, .offset = piece->at};
        return KLM_OK;
    }
    reader->at = end;
    if (piece->kind == SMF_PIECE_BAD) {
        return damaged(reader, piece->at, end, piece->why, out);
    }
    if (reader->layout == SMF_LAY_BARE) {
        return bare(reader, piece, out);
    }
    if (piece->segment != SMF_SEG_WHOLE) {
        return segment(reader, piece, out, more);
    }
    return record(reader, KLM_SLICE(reader->p + piece->at, piece->n), piece->at, end, out);
}

klm_rc smf_dataset_next(struct smf_dataset_reader *reader, struct smf_read *out)
{
    bool more;

    do {
        struct smf_piece piece = smf_find_piece(reader);

        more = false;
        if (breaks_off(reader, &piece)) {
            return give_up(reader, "a spanned record without its end", out);
        }
        KLM_TRY(take(reader, &piece, out, &more));
    } while (more);
    return KLM_OK;
}
