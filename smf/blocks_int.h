/* Within smf: what the parts of the data set reader share. The file is a row of pieces: records or segments with their RDW, or
 * records that lost it. One part finds the next piece (blocks_find.c), one knows what can be a piece (blocks_look.c), one puts
 * segments together and counts (blocks_read.c).
 *
 * A piece is believed when what comes behind it begins like one too: its RDW fits, and at a record's first piece the SMF header has a time
 * and a packed date that can be. So a damaged length costs the record it belongs to, not those behind it. */
#ifndef SMF_BLOCKS_INT_H
#define SMF_BLOCKS_INT_H

#include "smf/blocks.h"
#include "smf/type83_int.h"

#define SMF_RDW_SIZE 4
#define SMF_BDW_SIZE 4
#define SMF_RECORD_MIN (SMF83SID + SMF83SID_N) /* RDW and the shortest header of an SMF record */

enum smf_segment { SMF_SEG_WHOLE, SMF_SEG_FIRST, SMF_SEG_LAST, SMF_SEG_MIDDLE };

/* How the file is laid out. */
enum smf_layout { SMF_LAY_RDW, SMF_LAY_BLOCKS, SMF_LAY_BARE };

struct smf_dataset_reader {
    const uint8_t *p;
    size_t size;
    bool mapped;
    enum smf_layout layout;
    bool spanned;     /* a segment that is no whole record was seen */
    size_t at;        /* next byte */
    size_t block_end; /* of the block that `at` is in; RDW and bare: of the file */
    bool sound;       /* the RDWs of this block fill it exactly */
    size_t look_end;  /* how far searching may look */
    /* The record that is put together. */
    struct klm_buf whole;
    bool joining;
    size_t join_first, join_end; /* of its pieces in the file */
    uint64_t number;
};

struct smf_piece {
    enum { SMF_PIECE, SMF_PIECE_BAD, SMF_PIECE_END } kind;
    enum smf_segment segment;
    size_t at, n;    /* in the file, with the RDW */
    const char *why; /* bad */
};

/* ---- blocks_look.c: what can stand at a place. */

static inline size_t smf_rdw_length(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}
/* A standard header whose flag byte is at: 14 bytes. */
bool smf_look_header(const struct smf_dataset_reader *reader, size_t at);
/* An RDW with all of its bytes before the end of the file. */
bool smf_look_rdw(const struct smf_dataset_reader *reader, size_t at);
/* An RDW at which a record begins. */
bool smf_look_record(const struct smf_dataset_reader *reader, size_t at);
/* Does what follows a piece speak for it: the next segment, record or block, or an end? */
bool smf_look_next(const struct smf_dataset_reader *reader, const struct smf_piece *piece);
/* A BDW that leads to another block, or whose first RDWs follow each other; the length it tells (perhaps beyond the end of the file),
 * 0: none. */
size_t smf_look_block(const struct smf_dataset_reader *reader, size_t at);
/* Do RDWs of records and segments fill the bytes exactly? */
bool smf_look_filled(const struct smf_dataset_reader *reader, size_t at, size_t end);
/* Length of a record without its RDW, when its own numbers tell it; 0: they do not. */
size_t smf_look_bare(const struct smf_dataset_reader *reader, size_t at);

/* ---- blocks_find.c */

/* The piece at reader->at; moves over block descriptors, never over a piece. */
struct smf_piece smf_find_piece(struct smf_dataset_reader *reader);

#endif
