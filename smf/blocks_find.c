/* The next piece of a data set, and where to go on behind damage. Searching goes over each byte once: what was searched is then
 * reported as damaged and never looked at again. */
#include "smf/blocks_int.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first place from `from` on where a record begins, or `end`. */
static size_t search_record(const struct smf_dataset_reader *reader, size_t from, size_t end)
{
    while (from < end && !smf_look_record(reader, from)) {
        from++;
    }
    return least(from, end);
}

static size_t search_block(const struct smf_dataset_reader *reader, size_t from, size_t end)
{
    while (from < end && smf_look_block(reader, from) == 0) {
        from++;
    }
    return least(from, end);
}

static size_t search_bare(const struct smf_dataset_reader *reader, size_t from, size_t end)
{
    while (from < end && smf_look_bare(reader, from) == 0) {
        from++;
    }
    return least(from, end);
}

static struct smf_piece bad(size_t at, size_t end, const char *why)
{
    return (struct smf_piece){.kind = SMF_PIECE_BAD, .at = at, .n = end - at, .why = why};
}

static struct smf_piece good(const struct smf_dataset_reader *reader, size_t at)
{
    return (struct smf_piece){.kind = SMF_PIECE,
                              .segment = (enum smf_segment)reader->p[at + 2],
                              .at = at,
                              .n = smf_rdw_length(reader->p + at)};
}

static const char *why_not(const struct smf_dataset_reader *reader, size_t at)
{
    const uint8_t *p = reader->p + at;
    size_t left = reader->size - at;

    if (left < SMF_RDW_SIZE) {
        return "the file ends within a record descriptor";
    }
    if (p[2] > SMF_SEG_MIDDLE || p[3] != 0 || smf_rdw_length(p) < SMF_RDW_SIZE) {
        return "no record descriptor";
    }
    return smf_rdw_length(p) > left ? "the file ends within a record"
                                    : "the length of the record leads to no other";
}

/* Is this a record by itself, though nothing follows it? One that tells its length in its own numbers must agree. */
static bool alone(const struct smf_dataset_reader *reader, size_t at)
{
    size_t n = smf_rdw_length(reader->p + at), own = smf_look_bare(reader, at + SMF_RDW_SIZE);

    return smf_look_record(reader, at) &&
           (reader->p[at + 2] != SMF_SEG_WHOLE || own == 0 || own == n - SMF_RDW_SIZE);
}

/* At an RDW, or where one should be. */
static struct smf_piece find_rdw(struct smf_dataset_reader *reader)
{
    size_t at = reader->at, next, end = least(reader->block_end, reader->look_end);
    bool fits = smf_look_rdw(reader, at);

    if (fits) {
        struct smf_piece piece = good(reader, at);

        if (reader->sound || smf_look_next(reader, &piece)) {
            return piece;
        }
    }
    next = search_record(reader, at + 1, end > at ? end : at + 1);
    if (fits && next >= at + smf_rdw_length(reader->p + at) && alone(reader, at)) {
        return good(reader, at); /* nothing begins within it: what is behind it is damaged */
    }
    return bad(at, next, why_not(reader, at));
}

/* Go into the block at reader->at; when there is none, make do with records up to the next one. */
static void enter_block(struct smf_dataset_reader *reader)
{
    size_t length = smf_look_block(reader, reader->at);

    if (length) {
        size_t end = length > reader->size - reader->at ? reader->size : reader->at + length;

        reader->at += SMF_BDW_SIZE;
        reader->block_end = end;
        reader->sound = smf_look_filled(reader, reader->at, end);
    } else {
        reader->block_end = search_block(reader, reader->at + 1, reader->look_end);
        reader->sound = false;
    }
}

static struct smf_piece find_bare(const struct smf_dataset_reader *reader)
{
    size_t at = reader->at, n = smf_look_bare(reader, at), next;

    if (n) {
        return (struct smf_piece){.kind = SMF_PIECE, .at = at, .n = n};
    }
    next = search_bare(reader, at + 1, reader->look_end > at ? reader->look_end : at + 1);
    return bad(at, next, "no length can be told for this record without a descriptor");
}

struct smf_piece smf_find_piece(struct smf_dataset_reader *reader)
{
    if (reader->at >= reader->look_end) {
        return (struct smf_piece){.kind = SMF_PIECE_END, .at = reader->at};
    }
    switch (reader->layout) {
    case SMF_LAY_BARE:
        return find_bare(reader);
    case SMF_LAY_BLOCKS:
        if (reader->at >= reader->block_end ||
            (!reader->sound && smf_look_block(reader, reader->at))) {
            enter_block(reader);
            /* An empty block, or one that ends with the file. */
            if (reader->at >= reader->look_end) {
                return (struct smf_piece){.kind = SMF_PIECE_END, .at = reader->at};
            }
        }
        break;
    case SMF_LAY_RDW:
        break;
    }
    return find_rdw(reader);
}
