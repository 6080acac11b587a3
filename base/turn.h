/* Within base: what waits for the end of a loop's turn. Reads of sockets that are ready are made together, then their owners go on; then tasks of klm_loop_after run; then writes that
 * all of those left are made together. The loop's thread alone. */
#ifndef BASE_TURN_H
#define BASE_TURN_H

#include "base/burst.h"
#include "base/loop.h"

struct klm_turn_list {
    struct klm_transfer *first, **last;
    size_t n;
};

struct klm_turn {
    struct klm_task *first, **last; /* tasks */
    size_t n;
    struct klm_turn_list reads, writes;
    struct klm_burst *burst;
    uint8_t *room; /* of the reads of one burst; of the first on */
};

/* A turn for which nothing waits, in the owner's memory. KLM_E_NOMEM. */
klm_rc klm_turn_init(struct klm_turn *turn) KLM_MUST_USE;
/* Free what it holds of its own; nothing may wait any more. */
void klm_turn_done(struct klm_turn *turn);
/* Does nothing wait, of any kind? */
bool klm_turn_empty(const struct klm_turn *turn);
/* Put something behind what waits. When there is as much of it as is done at once, tasks and writes are done here; reads never are, since their owners may be in the middle of something. */
void klm_turn_task(struct klm_turn *turn, struct klm_task *task);
void klm_turn_read(struct klm_turn *turn, struct klm_transfer *transfer);
void klm_turn_write(struct klm_turn *turn, struct klm_transfer *transfer);
/* Reads, as many as are made at once, then all tasks and writes. What stays, or came meanwhile, is for the next call. */
void klm_turn_run(struct klm_turn *turn);

#endif
