/* Within smf: walks the records of a journal folder in order, over segments, also while another thread appends. Each record's
 * hash, number and place in the chain are checked. At the end it answers KLM_E_NOTFOUND and can be asked again later. */
#ifndef SMF_READER_H
#define SMF_READER_H

#include "smf/frame.h"
#include "smf/segments.h"

#include <stdbool.h>

struct smf_reader {
    char *folder;
    struct smf_hash *sha;
    int fd;
    uint64_t first;              /* of the segment being read */
    uint64_t offset;             /* of the next record in it */
    uint64_t seq;                /* of the record before it */
    uint64_t after;              /* records up to this one are checked and passed over */
    uint8_t hash[SMF_HASH_SIZE]; /* of the record before, when known */
    bool known;
    uint8_t *have; /* bytes read ahead: n of them, for offset on from have + used */
    size_t used, n;
};

/* Stand before the record after seq, or before the oldest one when that is later. KLM_E_NOTFOUND: no journal. */
klm_rc smf_reader_open(const char *folder, uint64_t after, struct klm_diag *diag,
                       struct smf_reader **out) KLM_MUST_USE;
void smf_reader_close(struct smf_reader **reader);
/* The next record, borrowed until the next call. KLM_E_NOTFOUND: no complete record follows now. KLM_E_CORRUPT: the next is
 * damaged; diag names it. */
klm_rc smf_reader_next(struct smf_reader *reader, struct smf_frame *out, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
