/* Data sets as files: records with RDW only, or in blocks with BDW (VB), or spanned over blocks (VBS). Writing one of them,
 * and reading any of them, also without RDWs that were written by others.
 *
 * RDW: length of record or segment with these 4 bytes (2), segment control (1: 0 whole, 1 first, 2 last, 3 middle), 0 (1).
 * BDW: length of block with these 4 bytes (2), 0 (2); bit 0 on: extended, 31 bits of length. (z/OS DFSMS: Using Data Sets.) */
#ifndef SMF_BLOCKS_H
#define SMF_BLOCKS_H

#include "base/buf.h"
#include "base/msg.h"

#define SMF_BLOCK_MAX 32760
#define SMF_LOGICAL_MAX 65535 /* longest record that is put together again from segments */

enum smf_format { SMF_RDW, SMF_VB, SMF_VBS };

/* Append records (whole, with RDW, one behind the other in `records`) as bytes of a data set, complete blocks at the end. block: block
 * size from 32 on, 0: SMF_BLOCK_MAX. KLM_E_LIMIT: a record longer than a VB block can hold; KLM_E_INVALID: no such block size, or
 * bytes that are no whole records. */
klm_rc smf_blocks_put(enum smf_format format, size_t block, struct klm_slice records,
                      struct klm_buf *out) KLM_MUST_USE;

/* A reader of a whole data set, mapped into memory; the format is found out from its first bytes. Records that lost their RDWs are
 * read too where their length can be told: type 83 by their triplets, types 2 and 3. A file must not be cut shorter while it is read. */
struct smf_dataset_reader;

enum smf_read_kind {
    SMF_READ_RECORD,  /* a record, whole, with RDW */
    SMF_READ_DAMAGED, /* bytes that are none; the reader goes on where one may begin again */
    SMF_READ_END
};
struct smf_read {
    enum smf_read_kind kind;
    struct klm_slice record; /* borrowed until the next call */
    uint64_t number; /* of the record in the data set, from 1; damaged places count as one */
    uint64_t offset; /* of its first byte in the file */
    uint64_t length; /* bytes in the file */
    const char *why; /* damaged: static text */
};
/* Open for reading; KLM_E_NOTFOUND, KLM_E_IO, KLM_E_INVALID (no regular file) with a message. An empty file has no records. */
klm_rc smf_dataset_open(const char *path, struct klm_diag *diag, struct smf_dataset_reader **out)
    KLM_MUST_USE;
/* The same over bytes in memory (tests, fuzzers). */
klm_rc smf_dataset_open_bytes(struct klm_slice bytes, struct smf_dataset_reader **out) KLM_MUST_USE;
void smf_dataset_close(struct smf_dataset_reader **reader);
/* VBS when a spanned record stands near its beginning, or one was read. */
enum smf_format smf_dataset_format(const struct smf_dataset_reader *reader);
/* Have the records lost their RDWs? The format is said to be SMF_RDW then. */
bool smf_dataset_bare(const struct smf_dataset_reader *reader);
uint64_t smf_dataset_size(const struct smf_dataset_reader *reader);
/* The next record or damaged place. KLM_E_NOMEM only. Fast: a whole record is not copied. */
klm_rc smf_dataset_next(struct smf_dataset_reader *reader, struct smf_read *out) KLM_MUST_USE;

#endif
