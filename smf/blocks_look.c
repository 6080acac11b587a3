/* What can be a record, a segment, a block. */
#include "smf/blocks_int.h"

#define DAY_HUNDREDTHS 8640000u
#define CHAIN_LOOKED_AT 8
/* A field of a record that lost its RDW. */
#define BARE(p, name) smf_get_number((p) + (name)-SMF_RDW_SIZE, name##_N)
#define DUMP_MARK 14 /* record types 2 and 3, of the dump program: a header alone */

bool smf_look_header(const struct smf_dataset_reader *reader, size_t at)
{
    const uint8_t *p;
    int year, day;

    if (at > reader->size || reader->size - at < SMF_RECORD_MIN - SMF_RDW_SIZE) {
        return false;
    }
    p = reader->p + at;
    /* The cheap looks first: this runs over every byte of a damaged stretch. */
    if (p[2] != 0 || p[6] > 1 || (p[9] & 0xF) != 0xF ||
        smf_get_number(p + 2, SMF83TME_N) > DAY_HUNDREDTHS ||
        !smf_packed_date((uint32_t)smf_get_number(p + 6, SMF83DTE_N), &year, &day)) {
        return false;
    }
    for (size_t i = 0; i < SMF83SID_N; i++) {
        if (p[SMF83SID - SMF_RDW_SIZE + i] < 0x40) {
            return false;
        }
    }
    return true;
}

bool smf_look_rdw(const struct smf_dataset_reader *reader, size_t at)
{
    const uint8_t *p;
    size_t n;

    if (at > reader->size || reader->size - at < SMF_RDW_SIZE) {
        return false;
    }
    p = reader->p + at;
    n = smf_rdw_length(p);
    return n >= SMF_RDW_SIZE && p[2] <= SMF_SEG_MIDDLE && p[3] == 0 && n <= reader->size - at;
}

/* A segment in the middle or at the end of a record. */
static bool look_more(const struct smf_dataset_reader *reader, size_t at)
{
    return smf_look_rdw(reader, at) && reader->p[at + 2] >= SMF_SEG_LAST;
}

bool smf_look_record(const struct smf_dataset_reader *reader, size_t at)
{
    size_t n;

    if (!smf_look_rdw(reader, at) || reader->p[at + 2] > SMF_SEG_FIRST) {
        return false;
    }
    n = smf_rdw_length(reader->p + at);
    if (n >= SMF_RECORD_MIN) {
        return smf_look_header(reader, at + SMF_RDW_SIZE);
    }
    /* The end of a block leaves little room for a first segment. */
    return reader->p[at + 2] == SMF_SEG_FIRST && look_more(reader, at + n) &&
           reader->layout == SMF_LAY_RDW;
}

/* A record that the end of the file cuts off. */
static bool look_cut(const struct smf_dataset_reader *reader, size_t at)
{
    const uint8_t *p = reader->p + at;
    size_t left = reader->size - at;

    return left < SMF_RDW_SIZE ||
           (p[2] <= SMF_SEG_FIRST && p[3] == 0 && smf_rdw_length(p) > left &&
            (left < SMF_RECORD_MIN || smf_look_header(reader, at + SMF_RDW_SIZE)));
}

bool smf_look_next(const struct smf_dataset_reader *reader, const struct smf_piece *piece)
{
    size_t at = piece->at + piece->n;

    if (piece->segment == SMF_SEG_FIRST || piece->segment == SMF_SEG_MIDDLE) {
        return at == reader->size || at == reader->block_end || look_more(reader, at);
    }
    if (smf_look_record(reader, at) ||
        (reader->layout == SMF_LAY_BLOCKS && smf_look_block(reader, at) != 0)) {
        return true;
    }
    /* Ends say little: the piece must be known by itself. */
    return (at == reader->size || at == reader->block_end || look_cut(reader, at)) &&
           (piece->segment == SMF_SEG_LAST || smf_look_record(reader, piece->at));
}

/* z/OS DFSMS Using Data Sets, block descriptor word: two bytes of length and two of zeros, or bit 0 on and 31 bits of length. */
static size_t block_length(const uint8_t *p)
{
    uint32_t word = (uint32_t)smf_get_number(p, SMF_BDW_SIZE);

    if (word >> 31) {
        return word & 0x7FFFFFFF;
    }
    return word & 0xFFFF ? 0 : word >> 16;
}

/* A block may begin with the rest of a spanned record, which has no header to be known by. */
static bool look_first(const struct smf_dataset_reader *reader, size_t at, size_t end)
{
    size_t n;

    if (smf_look_record(reader, at)) {
        return true;
    }
    if (!smf_look_rdw(reader, at)) {
        return false;
    }
    n = smf_rdw_length(reader->p + at);
    if (reader->p[at + 2] == SMF_SEG_FIRST) {
        return at + n == end; /* all that this block has room for */
    }
    return reader->p[at + 2] >= SMF_SEG_LAST &&
           (at + n == end || smf_look_record(reader, at + n) ||
            (end == reader->size && look_cut(reader, at + n)) ||
            (smf_look_rdw(reader, at + n) && reader->p[at + n + 2] == SMF_SEG_FIRST &&
             at + n + smf_rdw_length(reader->p + at + n) == end));
}

/* A BDW at `at` that could be one by itself; its length, 0: none. */
static size_t look_bdw(const struct smf_dataset_reader *reader, size_t at)
{
    size_t length;

    if (at > reader->size || reader->size - at < SMF_BDW_SIZE + SMF_RDW_SIZE) {
        return 0;
    }
    length = block_length(reader->p + at);
    if (length < SMF_BDW_SIZE + SMF_RDW_SIZE) {
        return 0;
    }
    /* Any EBCDIC letter looks like the start of an extended one: it must be all there. */
    return length > (reader->p[at] < 0x80 ? SMF_BLOCK_MAX : reader->size - at) ? 0 : length;
}

static size_t block_end(const struct smf_dataset_reader *reader, size_t at, size_t length)
{
    return length > reader->size - at ? reader->size : at + length;
}

/* Is this the start of a block, by its BDW and its first RDW? */
static bool look_begin(const struct smf_dataset_reader *reader, size_t at)
{
    size_t length = look_bdw(reader, at);

    return length && look_first(reader, at + SMF_BDW_SIZE, block_end(reader, at, length));
}

/* Do the first RDWs follow each other? The last may be cut off with the file. */
static bool look_chain(const struct smf_dataset_reader *reader, size_t at, size_t end)
{
    for (unsigned i = 0; i < CHAIN_LOOKED_AT && at < end; i++) {
        if (!smf_look_rdw(reader, at)) {
            return end == reader->size && i > 0;
        }
        at += smf_rdw_length(reader->p + at);
    }
    return at <= end;
}

size_t smf_look_block(const struct smf_dataset_reader *reader, size_t at)
{
    size_t length = look_bdw(reader, at), end;

    /* The last record before a block leads to it, too. */
    if (length == 0 || smf_look_record(reader, at)) {
        return 0;
    }
    end = block_end(reader, at, length);
    if (end < reader->size && look_begin(reader, end)) {
        return length; /* what is in it may be damaged */
    }
    at += SMF_BDW_SIZE;
    return look_first(reader, at, end) && look_chain(reader, at, end) ? length : 0;
}

bool smf_look_filled(const struct smf_dataset_reader *reader, size_t at, size_t end)
{
    while (at < end) {
        size_t n;

        if (!smf_look_rdw(reader, at)) {
            return false;
        }
        n = smf_rdw_length(reader->p + at);
        /* A descriptor of another block is none of a record. */
        if (reader->p[at + 2] == SMF_SEG_WHOLE && !smf_look_record(reader, at)) {
            return false;
        }
        at += n;
    }
    return at == end;
}

size_t smf_look_bare(const struct smf_dataset_reader *reader, size_t at)
{
    const uint8_t *p;
    size_t left;
    uint64_t length;

    if (!smf_look_header(reader, at)) {
        return 0;
    }
    p = reader->p + at;
    left = reader->size - at;
    if (BARE(p, SMF83RTY) == 2 || BARE(p, SMF83RTY) == 3) {
        return DUMP_MARK;
    }
    if (BARE(p, SMF83RTY) != SMF83_TYPE || left < SMF83_HEADER - SMF_RDW_SIZE ||
        BARE(p, SMF83TRP) < SMF83_TRIPLETS) {
        return 0;
    }
    /* The relocate sections come last. */
    length = BARE(p, SMF83OD2) + BARE(p, SMF83LD2);
    return length >= SMF83_HEADER && length <= SMF_LOGICAL_MAX && length - SMF_RDW_SIZE <= left
               ? (size_t)length - SMF_RDW_SIZE
               : 0;
}
