/* Objects that were served and whose records still say that they are fresh (served.c). The first Get of an object makes it fresh no longer (KMIP 2.1, 4.24: as soon as it has been
 * served); for who asks that holds at once, and the writer brings it into the store within moments, many at a time and without an answer waiting for it. A kill of the process
 * may lose the marks of the last moments. So keys of an Object Group, of which clients are given fresh ones, are not left to this: their first Get is a change like others. */
#ifndef KEYMGR_SERVED_H
#define KEYMGR_SERVED_H

#include "keymgr/object.h"

struct km_served;
/* An empty set of marks; freed when nobody asks it any more. KLM_E_NOMEM. */
klm_rc km_served_new(struct km_served **out) KLM_MUST_USE;
void km_served_free(struct km_served **served);
/* May a first Get of the object be noted here? Not when it is of an Object Group. */
bool km_served_suits(const struct md_object *object);
/* Note it, unless it is noted. False: there are too many already. Any thread. */
bool km_served_note(struct km_served *served, const char *uid);
/* Is it noted? arg is the set: fit for md_locate. */
bool km_served_has(void *arg, const char *uid);
size_t km_served_count(struct km_served *served);
/* The object as it is: one that is noted is not fresh. */
klm_rc km_served_apply(struct km_served *served, struct md_object *object) KLM_MUST_USE;

/* The writer's: bring some into the store, in a change of its own that does not wait for the disk. They stay noted until it is called again. */
klm_rc km_served_flush(struct km_server *server) KLM_MUST_USE;

#endif
