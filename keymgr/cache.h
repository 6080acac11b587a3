/* What was read lately of managed objects, so that it need not be read again (cache.c): for a Get of an object as it is, and a Locate by name. It only ever holds what the store
 * says now: a commit takes out what it touches before anybody can see it. Key material in it is sealed under a key of the process (keyring/guard.h). */
#ifndef KEYMGR_CACHE_H
#define KEYMGR_CACHE_H

#include "keymgr/internal.h"
#include "keymgr/object.h"

struct km_cache;
/* A cache of so many bytes for a server whose store is open; it listens to the store. */
klm_rc km_cache_new(struct km_server *server, size_t bytes, struct km_cache **out) KLM_MUST_USE;
/* When nothing is committed any more. */
void km_cache_free(struct km_cache **cache);
/* Rows of the status. */
klm_rc km_cache_rows(struct km_call *call) KLM_MUST_USE;

/* The answer to a Get, if it is known: the object is the asker's, may leave as it is, and nothing has to be written. False: to be read. */
bool km_cache_get(struct km_call *call, struct km_object_get *req);
/* What a Get found in a view, for the next. */
void km_cache_keep(struct km_call *call, struct st_view *view, const struct km_object_get *req);

/* The answer to a Locate, if it is known: *answered. */
klm_rc km_cache_locate(struct km_call *call, struct km_locate *req, md_object_fn *visit, void *arg,
                       bool *answered) KLM_MUST_USE;
/* What the next such Locate looks at, read in a view. */
void km_cache_located(struct km_call *call, struct st_view *view, const struct km_locate *req);

#endif
