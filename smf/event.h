/* Within smf: events as bytes, beyond what smf.h offers. */
#ifndef SMF_EVENT_H
#define SMF_EVENT_H

#include "smf/smf.h"

/* Whether bytes are an event that smf_event_decode would read; allocates nothing. Same failures. */
klm_rc smf_event_check(struct klm_slice in) KLM_MUST_USE;

#endif
