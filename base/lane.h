/* A lane: pieces of work handed from one thread to one other, in order, few at a time. The idea: a fixed number of slots go round, so nothing grows when one side is
 * slower, and either side can end it: the giver when there is no more, the taker when it wants no more. */
#ifndef BASE_LANE_H
#define BASE_LANE_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>

struct klm_lane;
/* So many slots (2 to 16) of so many bytes; what is in them is not cleared at first, and wiped at the end. */
klm_rc klm_lane_new(size_t slots, size_t bytes, struct klm_lane **out) KLM_MUST_USE;
/* When both sides have ended. */
void klm_lane_free(struct klm_lane **lane);

/* ---- The giver */
/* The next empty slot; waits for one. NULL: the taker wants no more. The same until it is given. */
void *klm_lane_slot(struct klm_lane *lane);
/* Hand the slot over. */
void klm_lane_give(struct klm_lane *lane);
/* Does something that was given wait to be taken? Then the taker is behind, and the giver may do some of its work. */
bool klm_lane_behind(struct klm_lane *lane);
/* There is no more, and why: KLM_OK at the end. */
void klm_lane_end(struct klm_lane *lane, klm_rc why);

/* ---- The taker */
/* The next full slot, waited for; it is empty again with the next call. NULL: there is no more, and *why is what the giver said. */
void *klm_lane_take(struct klm_lane *lane, klm_rc *why);
/* No more is wanted. The giver gets no slots any more; what was given and not taken is lost. */
void klm_lane_close(struct klm_lane *lane);

#endif
