/* The envelope of a record: schema version (2 bytes), MAC (16 bytes), then the record itself. The
 * MAC is HMAC-SHA256, cut to 16 bytes, over table name, 0, length of the key (2 bytes), key, schema
 * version, record; so a record that was damaged, or moved to another key or table, is found out. */
#ifndef STORE_ENVELOPE_H
#define STORE_ENVELOPE_H

#include "store/st.h"

#define ST_ENVELOPE 18 /* bytes in front of a record */
#define ST_SEALED_MAX (ST_RECORD_MAX + ST_ENVELOPE)
#define ST_VERIFIER 32

struct st_mac;

/* The key is expanded into secret memory. KLM_E_NOMEM. */
klm_rc st_mac_new(const uint8_t key[32], struct st_mac **out) KLM_MUST_USE;
void st_mac_free(struct st_mac **mac);
/* HMAC of "klm store verifier" and a store id: tells whether a store was made under this key. Any
 * thread. */
void st_mac_verifier(const struct st_mac *mac, const uint8_t id[16], uint8_t out[ST_VERIFIER]);
/* The first bytes of the SHA-256 of some bytes: finds damage, proves nothing. */
#define ST_SUM 8
klm_rc st_sum(struct klm_slice in, uint8_t out[ST_SUM]) KLM_MUST_USE;
/* A record in its envelope, in the pool. Any thread. */
klm_rc st_seal(const struct st_mac *mac, enum st_table table, struct klm_slice key,
               struct klm_slice record, struct klm_pool *pool, struct klm_slice *sealed)
    KLM_MUST_USE;
/* Close an envelope around the record that stands behind its first ST_ENVELOPE bytes, n bytes with them. Any thread. */
klm_rc st_seal_around(const struct st_mac *mac, enum st_table table, struct klm_slice key,
                      uint8_t *envelope, size_t n) KLM_MUST_USE;
/* The record in an envelope, borrowed from sealed. KLM_E_CORRUPT: the MAC is wrong.
 * KLM_E_UNSUPPORTED: the MAC is right and the schema newer than this build. Any thread. */
klm_rc st_unseal(const struct st_mac *mac, enum st_table table, struct klm_slice key,
                 struct klm_slice sealed, struct klm_slice *record) KLM_MUST_USE;

#endif
