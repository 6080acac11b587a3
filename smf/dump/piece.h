/* Within smf/dump: the part of a server's chain that lies in one data set. */
#ifndef SMF_DUMP_PIECE_H
#define SMF_DUMP_PIECE_H

#include "smf/dump/verify.h"

/* What the chain needs of a record. */
struct smfd_link {
    struct klm_slice server; /* EBCDIC, borrowed */
    struct smfd_place at;
    uint8_t prev[SMF_HASH_SIZE], hash[SMF_HASH_SIZE];
    uint64_t under; /* checkpoint: number under its signature */
    bool checkpoint;
};

struct smfd_piece {
    uint8_t server[64];
    size_t server_n;
    struct smfd_place first, last;
    uint8_t first_prev[SMF_HASH_SIZE], hash[SMF_HASH_SIZE], before[SMF_HASH_SIZE];
    uint64_t records, events, first_seq, last_seq, left_out;
    uint64_t checkpoints, checked, behind;
    bool based;    /* a checkpoint told the number of the first record */
    uint64_t base; /* records of the chain before the piece */
    struct smf_signature signature;
    uint64_t problems;
    struct smfd_problem problem; /* the first */
    bool open;                   /* what it is may still turn out */
    uint8_t wanted[SMF_HASH_SIZE],
        broke
            [SMF_HASH_SIZE]; /* hash that the next one should have held, hash of the one at fault */
    struct smfd_place blamed, prior; /* record at fault, and the one before it */
};

/* The next record of the piece. */
void smfd_piece_add(struct smfd_piece *piece, const struct smfd_link *link);
void smfd_piece_problem(struct smfd_piece *piece, enum smfd_fault fault,
                        const struct smfd_place *at, const char *why);
/* What the record says: KLM_E_NOTFOUND when it is no record of a chain, KLM_E_CORRUPT. The hash is not made here. */
klm_rc smfd_link_of(struct klm_slice record, struct smfd_link *out, const char **why) KLM_MUST_USE;

#endif
