/* What operators of a storage system see: key servers with what each of them answers now, the state of encryption, the history of keys, volumes. Each fills a table with headings and rows. */
#ifndef IOS_SYSTEM_SHOW_H
#define IOS_SYSTEM_SHOW_H

#include "ios/system.h"
#include "ios/table.h"

/* lskeyserver: all, or one. Asks each. */
klm_rc ios_show_keyservers(const struct ios_system_state *state, const struct ios_keyserver *only,
                           const struct ios_keys_ops *ops, struct ios_table *out) KLM_MUST_USE;
/* lsencryption: one row, to be shown turned. Asks nobody. */
klm_rc ios_show_encryption(const struct ios_system_state *state, struct ios_table *out)
    KLM_MUST_USE;
/* lskey: all keys that there were, and what the primary key server says of each (nothing, when it does not answer, which is said). */
klm_rc ios_show_keys(const char *dir, const struct ios_system_state *state,
                     const struct ios_keys_ops *ops, struct klm_diag *diag, struct ios_table *out)
    KLM_MUST_USE;
/* lsvolume. */
klm_rc ios_show_system_volumes(const char *dir, const struct ios_system_state *state,
                               struct klm_diag *diag, struct ios_table *out) KLM_MUST_USE;

#endif
