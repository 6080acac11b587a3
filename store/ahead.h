/* A driver's scan on a thread of its own (st_range.ahead). */
#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

#include "store/driver.h"
#include "store/envelope.h"

/* A record that was found, sealed as it lies in the store; when is_open it was opened already: record then, and the outcome of st_unseal. */
struct st_found {
    struct klm_slice key, sealed;
    bool is_open;
    struct klm_slice record;
    klm_rc rc;
};
typedef klm_rc st_found_fn(void *arg, const struct st_found *found);

/* As the driver's scan: visit is called on the caller's thread. When that is behind, envelopes are opened by the thread that reads ahead, so that both have as much to
 * do. Nobody else uses the snapshot meanwhile. KLM_E_LIMIT: no thread. */
klm_rc st_scan_ahead(struct st_snapshot *snapshot, struct st_mac *mac, enum st_table table,
                     const struct st_bounds *bounds, st_found_fn *visit, void *arg) KLM_MUST_USE;

#endif
