/* Inside of an open ring, for the two files that build and read it. */
#ifndef KEYRING_OPEN_H
#define KEYRING_OPEN_H

#include "keyring/internal.h"

struct kr_open_ring {
    atomic_uint refs;
    struct klm_pool *pool; /* all but the OpenSSL objects and the keys */
    struct kr_label *labels;
    size_t n;
    uint32_t *by_label, *by_hash; /* open addressing: place of the label + 1, 0 free */
    size_t mask;                  /* slots - 1; there are at least twice as many slots as labels */
    X509_STORE *trust;
};

/* Make the two tables of a ring whose labels are all there. KLM_E_NOMEM. */
klm_rc kr_index_build(struct kr_open_ring *ring) KLM_MUST_USE;

#endif
