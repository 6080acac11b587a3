/* Events from records: the parts of one event, which may lie apart, become one event again. */
#ifndef SMF_DUMP_EVENT_H
#define SMF_DUMP_EVENT_H

#include "smf/type83.h"

#define SMFD_WAITING_MAX 64 /* events that wait for their other parts */
#define SMFD_PARTS_MAX 64   /* records of one event */

struct smfd_event {
    struct smf_t83_event e; /* its fields and text are those of all parts */
    char system[5], job[9], user[9];
    int year, day; /* of the first part's header */
    uint32_t time;
    uint8_t code, qualifier;
    unsigned found; /* parts that were there; fewer than e.parts: the event is not whole */
};

struct smfd_joiner;
typedef klm_rc smfd_event_fn(void *arg, const struct smfd_event *event);

/* each: called with every event, whole or not, which is borrowed for the call; what it answers ends the work unless it is KLM_OK. */
klm_rc smfd_joiner_new(smfd_event_fn *each, void *arg, struct smfd_joiner **out) KLM_MUST_USE;
/* The next record, of type 83 subtype 6 (head is what smf_record_head said of it). KLM_E_CORRUPT: it is no event; why tells in
 * static text. */
klm_rc smfd_joiner_put(struct smfd_joiner *joiner, struct klm_slice record, const char **why)
    KLM_MUST_USE;
/* Hand out what still waits. */
klm_rc smfd_joiner_end(struct smfd_joiner *joiner) KLM_MUST_USE;
void smfd_joiner_free(struct smfd_joiner **joiner);

#endif
