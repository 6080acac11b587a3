/* A function that may block for longer than anybody wants to wait (a name lookup, a foreign library), run on a thread aside. Who waits gives up when
 * he wants; the work ends on its own and is then freed. */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct klm_aside;

/* Start run(arg). free_arg(arg) is called once both the work has ended and the handle is released, on either thread; also when
 * starting fails. KLM_E_NOMEM. */
klm_rc klm_aside_start(void (*run)(void *arg), void (*free_arg)(void *arg), void *take_arg,
                       struct klm_aside **out) KLM_MUST_USE;
/* A descriptor that becomes readable when the work has ended. */
int klm_aside_fd(const struct klm_aside *aside);
/* Has it ended? Only then may the argument be looked at. */
bool klm_aside_ended(struct klm_aside *aside);
void klm_aside_release(struct klm_aside **aside);

#endif
