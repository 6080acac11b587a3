/* Within smf: the file of held events. Numbers are as this machine has them, since the file never leaves it: a ring of events, each behind its length, on places that are multiples of 8. */
#ifndef SMF_HELD_INT_H
#define SMF_HELD_INT_H

#include "smf/held.h"

#include <pthread.h>

#define SMF_HELD_SIZE (4 << 20)
#define SMF_HELD_HEAD 4096
#define SMF_HELD_ROOM ((uint64_t)(SMF_HELD_SIZE - SMF_HELD_HEAD))
#define SMF_HELD_ALIGN ((size_t)8)
#define SMF_HELD_SKIP UINT32_MAX /* instead of a length: go on at the beginning */
#define SMF_HELD_ORDER UINT64_C(0x0102030405060708)
#define SMF_HELD_VERSION 1
#define SMF_HELD_MOVE 256 /* most events of one append */
#define SMF_HELD_PATH 4096

/* Places only grow; a place's remainder by SMF_HELD_ROOM is where it is. */
struct smf_held_head {
    char magic[8];
    uint64_t order, version;
    uint64_t put,
        taken; /* behind the last event; of the first that is not known to be in the journal */
    uint64_t moving,
        before; /* behind the last event of the append under way, or of the last one; the journal's last record before it */
};

struct smf_held {
    struct smf_held_head *head;
    uint8_t *room;
    struct smf_journal *journal;
    int fd;
    pthread_mutex_t put_lock;  /* guards head->put */
    pthread_mutex_t move_lock; /* guards the rest of head, and entry */
    struct smf_entry entry[SMF_HELD_MOVE];
    char path[SMF_HELD_PATH];
};

/* The event at a place before end, borrowed; at goes behind it. KLM_E_NOTFOUND: the end; KLM_E_CORRUPT. */
klm_rc smf_held_next(const struct smf_held *held, uint64_t end, uint64_t *at,
                     struct klm_slice *event) KLM_MUST_USE;
/* Everything before a place is in the journal. */
void smf_held_done(struct smf_held *held, uint64_t to);
/* Bring to the journal, and to disk, what the process before left. */
klm_rc smf_held_recover(struct smf_held *held, const char *journal_folder, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
