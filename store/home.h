/* The folder of a store: who owns it now (LOCK) and what it is (IDENTITY). Both are settled before
 * the database in it is touched, as recovery under a wrong key or by a second process could not be
 * taken back.
 *
 * IDENTITY: "KLMSTORE", schema version (2 bytes), store id (16 random bytes), verifier (32 bytes:
 * HMAC-SHA256 under the MAC key of "klm store verifier" and the id), and the first 8 bytes of the
 * SHA-256 of all that, which tells a damaged file from a wrong key. Numbers are big-endian. */
#ifndef STORE_HOME_H
#define STORE_HOME_H

#include "store/envelope.h"

#define ST_IDENTITY_BYTES 66

struct st_home;

/* Lock the folder and check, or make, its identity. Failures: see st_open_bdb. *empty: it holds no
 * database yet. */
klm_rc st_home_open(const struct st_options *options, struct st_mac *mac, struct klm_diag *diag,
                    struct st_home **out, bool *empty) KLM_MUST_USE;
/* The store's id, 16 bytes. */
const uint8_t *st_home_id(const struct st_home *home);
void st_home_close(struct st_home **home);

#endif
