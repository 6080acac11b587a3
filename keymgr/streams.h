/* Cryptographic operations in parts that clients have begun and not ended (Correlation Value; KMIP 1.3 and later): a bounded table in memory. A restart ends them all. */
#ifndef KEYMGR_STREAMS_H
#define KEYMGR_STREAMS_H

#include "keyring/crypto.h"

#define KM_STREAMS_MAX 1024      /* in all, */
#define KM_STREAMS_OF 32         /* of one client, */
#define KM_STREAM_IDLE_MS 300000 /* and how long each may rest */
#define KM_CORRELATION                                                                             \
    16 /* bytes of a Correlation Value: random, so that nobody guesses another's */

#define KM_STREAM_CHECK                                                                            \
    1024 /* bytes of a signature or MAC to be verified that came with the first part */

struct km_streams;
/* A table without streams; what is left in it when it is freed is wiped. KLM_E_NOMEM. */
klm_rc km_streams_new(struct km_streams **out) KLM_MUST_USE;
void km_streams_free(struct km_streams **streams);
/* Put a stream in the table, or back, for a client and an object: taken over on KLM_OK (stream is then NULL). correlation is zeros for a new one, and its value afterwards. KLM_E_LIMIT. */
struct km_stream {
    struct kr_stream *stream;
    uint8_t correlation[KM_CORRELATION];
    uint8_t check[KM_STREAM_CHECK]; /* what it is to be compared with, if that came already */
    size_t check_n;
};
klm_rc km_streams_put(struct km_streams *streams, const char *client, const char *uid,
                      struct km_stream *stream) KLM_MUST_USE;
/* Take it out: it is the caller's alone until it is put back. KLM_E_NOTFOUND: no such value, or another client's, object's or operation's. */
klm_rc km_streams_take(struct km_streams *streams, const char *client, const char *uid,
                       enum kr_stream_op op, struct klm_slice correlation, struct km_stream *out)
    KLM_MUST_USE;
/* End those that have rested too long; how many. */
size_t km_streams_sweep(struct km_streams *streams);

#endif
