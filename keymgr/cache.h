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

/* The answer to a Get, if it is known: the object is the asker's, may leave as it is, and nothing has to be written (that it was served is noted). False: to be read. */
bool km_cache_get(struct km_call *call, struct km_object_get *req);
/* What a Get found in a view, for the next. */
void km_cache_keep(struct km_call *call, struct st_view *view, const struct km_object_get *req);

/* A new object that will be in the store: what is to be known of it then; empty: nothing. item: as km_keyblock made it. In the call's pool. */
struct klm_slice km_cache_new_object(struct km_call *call, const struct md_object *object,
                                     const struct kmip_node *item);
/* It is in the store, in the last change. alone: no other on-line object has any of its names. Not after a KMIP batch, which may have changed it further. On the writer. */
void km_cache_made(struct km_call *call, const struct md_object *object, struct klm_slice known,
                   bool alone);

/* Around a change that makes objects fresh no longer and changes nothing else of them: what is known of them before it, and put again after it. On the writer. */
struct km_cache_again;
struct km_cache_again *km_cache_again(struct km_cache *cache, char (*uid)[MD_UID_MAX], size_t n,
                                      struct klm_pool *pool);
void km_cache_put_again(struct km_cache *cache, const struct km_cache_again *again, size_t n);

/* The answer to a Locate, if it is known: *answered. */
klm_rc km_cache_locate(struct km_call *call, struct km_locate *req, md_object_fn *visit, void *arg,
                       bool *answered) KLM_MUST_USE;
/* What the next such Locate looks at, read in a view. */
void km_cache_located(struct km_call *call, struct st_view *view, const struct km_locate *req);

#endif
