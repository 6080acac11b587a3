/* Records as a data set: as they are, in blocks, or spanned over blocks. */
#include "smf/blocks.h"

#include "smf/blocks_int.h"

#include <string.h>

#define BLOCK_MIN 32
#define SEGMENT_MIN SMF_RECORD_MIN /* a first segment holds the header, so that it can be known */

struct writer {
    struct klm_buf *out;
    size_t block; /* block size */
    size_t begin; /* of the current block in out; SIZE_MAX: none */
};

static void close_block(struct writer *w)
{
    if (w->begin != SIZE_MAX && klm_buf_rc(w->out) == KLM_OK) {
        smf_put_number(w->out->p + w->begin, 2, w->out->n - w->begin);
    }
    w->begin = SIZE_MAX;
}

static size_t left_in_block(const struct writer *w)
{
    return w->begin == SIZE_MAX ? 0 : w->block - (w->out->n - w->begin);
}

static void open_block(struct writer *w)
{
    close_block(w);
    w->begin = w->out->n;
    klm_buf_u32(w->out, 0);
}

static void put_whole(struct writer *w, struct klm_slice record)
{
    if (left_in_block(w) < record.n) {
        open_block(w);
    }
    klm_buf_slice(w->out, record);
}

/* Segments: as much as the block has room for, the rest in the next. */
static void put_spanned(struct writer *w, struct klm_slice record)
{
    size_t at = SMF_RDW_SIZE;

    do {
        size_t rest = record.n - at, room, n;
        enum smf_segment segment;

        if (left_in_block(w) < SMF_RDW_SIZE + rest && left_in_block(w) < SEGMENT_MIN) {
            open_block(w);
        }
        room = left_in_block(w) - SMF_RDW_SIZE;
        n = rest < room ? rest : room;
        segment = at == SMF_RDW_SIZE ? (n == rest ? SMF_SEG_WHOLE : SMF_SEG_FIRST)
                                     : (n == rest ? SMF_SEG_LAST : SMF_SEG_MIDDLE);
        klm_buf_u16(w->out, (uint16_t)(SMF_RDW_SIZE + n));
        klm_buf_u8(w->out, (uint8_t)segment);
        klm_buf_u8(w->out, 0);
        klm_buf_put(w->out, record.p + at, n);
        at += n;
    } while (at < record.n && klm_buf_rc(w->out) == KLM_OK);
}

/* The next of the records, with its RDW. */
static klm_rc next_record(struct klm_slice *records, struct klm_slice *record)
{
    size_t n;

    if (records->n < SMF_RDW_SIZE) {
        return KLM_E_INVALID;
    }
    n = smf_rdw_length(records->p);
    if (n <= SMF_RDW_SIZE || n > records->n || records->p[2] || records->p[3]) {
        return KLM_E_INVALID;
    }
    *record = KLM_SLICE(records->p, n);
    *records = KLM_SLICE(records->p + n, records->n - n);
    return KLM_OK;
}

static klm_rc put_all(struct writer *w, enum smf_format format, struct klm_slice records)
{
    while (records.n) {
        struct klm_slice record = {0};

        KLM_TRY(next_record(&records, &record));
        switch (format) {
        case SMF_RDW:
            klm_buf_slice(w->out, record);
            break;
        case SMF_VB:
            if (record.n > w->block - SMF_BDW_SIZE) {
                return KLM_E_LIMIT;
            }
            put_whole(w, record);
            break;
        case SMF_VBS:
            put_spanned(w, record);
            break;
        }
    }
    close_block(w);
    return klm_buf_rc(w->out);
}

klm_rc smf_blocks_put(enum smf_format format, size_t block, struct klm_slice records,
                      struct klm_buf *out)
{
    struct writer w = {.out = out, .block = block ? block : SMF_BLOCK_MAX, .begin = SIZE_MAX};
    size_t before = out->n;
    klm_rc rc;

    KLM_TRY(klm_buf_rc(out));
    if (w.block < BLOCK_MIN || w.block > SMF_BLOCK_MAX) {
        return KLM_E_INVALID;
    }
    rc = put_all(&w, format, records);
    if (rc != KLM_OK) {
        out->n = before;
    }
    return rc;
}
