/* Within smf: the outbox numbers whose events are in the journal, so that none is appended twice. A hash table answers
 * "is it there"; a queue in the order of the journal lets go of them from the old end. */
#ifndef SMF_NUMBERS_H
#define SMF_NUMBERS_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than this means that the outbox is not being emptied; adding is refused then and events wait in it. */
#define SMF_NUMBERS_MAX 262144

struct smf_number {
    uint64_t seq, no;
};

struct smf_numbers {
    uint64_t *table;          /* open addressing, 0 is empty; cap of them */
    struct smf_number *queue; /* ring, half of cap */
    size_t cap;
    size_t head, n;
};

/* Remember that event no is record seq; seq rises. KLM_E_EXISTS, KLM_E_LIMIT, KLM_E_NOMEM. */
klm_rc smf_numbers_add(struct smf_numbers *numbers, uint64_t no, uint64_t seq) KLM_MUST_USE;
bool smf_numbers_has(const struct smf_numbers *numbers, uint64_t no);
/* Take back what was added for records from seq on. */
void smf_numbers_undo(struct smf_numbers *numbers, uint64_t seq);
/* Let go, from the old end, of numbers up to no; or of records before seq. */
void smf_numbers_forget(struct smf_numbers *numbers, uint64_t no);
void smf_numbers_forget_before(struct smf_numbers *numbers, uint64_t seq);
/* Record of the oldest number remembered, 0: none. */
uint64_t smf_numbers_oldest(const struct smf_numbers *numbers);
void smf_numbers_done(struct smf_numbers *numbers);

#endif
