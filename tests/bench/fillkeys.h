/* Keys for the big store: as many of two kinds as are asked for, each with all that a key in use has in the store. */
#ifndef BENCH_FILLKEYS_H
#define BENCH_FILLKEYS_H

#include "keyring/kr.h"
#include "store/st.h"

/* A stored key for an LTO cartridge, number of them, that was given out: key token, mark and key usage event. */
klm_rc fill_stored_key(struct st_change *change, const struct kr_master *master, uint64_t number,
                       uint64_t event);
/* A symmetric key that a KMIP client made and named: key token, object with the attributes that the server sets, index rows. */
klm_rc fill_object(struct st_change *change, const struct kr_master *master, uint64_t number);

#endif
