/* A driver's scan on a thread of its own (st_range.ahead). */
#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

#include "store/driver.h"
#include "store/envelope.h"

/* As the driver's scan: visit is called on the caller's thread. Nobody else uses the snapshot meanwhile. KLM_E_LIMIT: no thread. */
klm_rc st_scan_ahead(struct st_snapshot *snapshot, enum st_table table,
                     const struct st_bounds *bounds, st_raw_fn *visit, void *arg) KLM_MUST_USE;

#endif
