/* Space on the store's device. A file of 16 MiB, RESERVE, holds space for the day the device is
 * full: the first write that finds none gives it up and goes on, so that no commit has to fail
 * half-way; from then on only changes that remove as much as they add are let through, until there
 * is space again. */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "base/msg.h"

#include <stdbool.h>

#define ST_RESERVE_FILE "RESERVE"

struct st_space;

/* Make the reserve unless it is there. Having no space for it is no failure: a warning is said. */
klm_rc st_space_open(const char *home, struct st_space **out) KLM_MUST_USE;
/* The file stays. */
void st_space_close(struct st_space **space);
/* A write found no space. True: the reserve was given up just now, try again. Any thread. */
bool st_space_give_up(struct st_space *space);
/* May a change go ahead? frees: it removes as much as it adds. KLM_E_NOSPACE. Takes the reserve
 * back when it can. */
klm_rc st_space_room(struct st_space *space, bool frees, struct klm_diag *diag) KLM_MUST_USE;

#endif
