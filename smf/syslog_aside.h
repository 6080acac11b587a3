/* Within smf: a function that may block for longer than anybody wants to wait (a name lookup, a foreign library), run on a thread
 * aside. Who waits gives up when time runs out or the sink stops; the work ends on its own and is then freed. */
#ifndef SMF_SYSLOG_ASIDE_H
#define SMF_SYSLOG_ASIDE_H

#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct smf_aside;

/* Start run(arg). free_arg(arg) is called once both the work has ended and the handle is released, on either thread; also when
 * starting fails. KLM_E_NOMEM. */
klm_rc smf_aside_start(void (*run)(void *arg), void (*free_arg)(void *arg), void *take_arg,
                       struct smf_aside **out) KLM_MUST_USE;
/* A descriptor that becomes readable when the work has ended. */
int smf_aside_fd(const struct smf_aside *aside);
/* Has it ended? Only then may the argument be looked at. */
bool smf_aside_ended(struct smf_aside *aside);
void smf_aside_release(struct smf_aside **aside);

#endif
