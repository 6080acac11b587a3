/* Is a series of data sets, or a text log, whole? Each record holds the hash of the one before, and checkpoints sign the chain so far. One pass over
 * each data set makes a piece of chain; the pieces of a server are then put in order and joined. Text logs (verify_text.h) are told by
 * their first bytes.
 *
 * Sequence numbers tell nothing by themselves: events that the configuration left out are gaps in a chain that holds. */
#ifndef SMF_DUMP_VERIFY_H
#define SMF_DUMP_VERIFY_H

#include "smf/dump/source.h"

#include <stdio.h>

#define SMFD_CERTIFICATES_MAX 16

enum smfd_fault {
    SMFD_ALTERED,  /* it does not have the hash that the next one holds */
    SMFD_MISSING,  /* records before it are not there */
    SMFD_REPEATED, /* it was there before */
    SMFD_INSERTED, /* it was put in: the next one follows the one before it */
    SMFD_MOVED,    /* it stands behind records that it was before */
    SMFD_CUT,      /* the data set ends in it */
    SMFD_BROKEN,   /* bytes that are no record */
    SMFD_BEGUN,    /* a new chain begins in the middle */
    SMFD_UNSIGNED, /* a checkpoint whose signature or number is not of this chain */
    SMFD_LATE      /* the series does not begin with record 1, and was to */
};

/* A place in a data set. */
struct smfd_place {
    const char *path;
    uint64_t number, offset, seq; /* seq 0: a checkpoint, or not known */
};

struct smfd_problem {
    enum smfd_fault fault;
    struct smfd_place at;
    char why[160];
};

/* What was found of the chain of one server. */
struct smfd_chain {
    char server[65];
    bool text;       /* of a text log, not of data sets */
    unsigned pieces; /* data sets, or files of the log */
    uint64_t records, events, first_seq, last_seq, left_out;
    uint64_t checkpoints, checked, behind; /* behind the last checkpoint */
    bool whole;                            /* begins with record 1 */
    /* Text log: checkpoints of what is before and behind it, and whether its first record goes on from the last one before. */
    uint64_t earlier, later;
    bool joined;
    struct smf_signature last; /* of the last checkpoint: algorithm and fingerprint */
    uint64_t problems;
    struct smfd_problem first; /* when there are any */
};
struct smfd_verdict {
    struct smfd_chain *chains;
    size_t n;
    uint64_t files, others, bytes, unfinished;
    bool certified; /* there was a certificate to check with */
    bool good;
};
struct smfd_verify {
    const char *const *paths;
    size_t paths_n;
    struct klm_slice certificates[SMFD_CERTIFICATES_MAX];
    size_t certificates_n;
    bool from_start; /* the first record of the chain must be there */
    bool part;       /* of a text log: checkpoints may sign what comes behind */
};

/* KLM_OK also when the chain does not hold: verdict->good tells. KLM_E_NOTFOUND (no record of a chain) and failures of reading, with
 * a message. End with smfd_verdict_done. */
klm_rc smfd_verify(const struct smfd_verify *request, struct klm_diag *diag,
                   struct smfd_verdict *verdict) KLM_MUST_USE;
/* Tell a person. Problems go through messages. */
void smfd_verdict_print(const struct smfd_verdict *verdict, FILE *to);
/* Are bytes a certificate, in PEM or DER? */
bool smfd_is_certificate(struct klm_slice bytes);
void smfd_verdict_done(struct smfd_verdict *verdict);

#endif
