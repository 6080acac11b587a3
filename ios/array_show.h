/* What an operator sees of an array; our own wording. All append to a buffer, which remembers failure. */
#ifndef IOS_ARRAY_SHOW_H
#define IOS_ARRAY_SHOW_H

#include "ios/array.h"

#define IOS_SHOW_MAX (1u << 20)
#define IOS_SHOW_LABELS 200

/* Its key labels with their encodings: "L:KEY1, H:KEY2". */
void ios_show_labels(const struct ios_array_set *set, char out[IOS_SHOW_LABELS]);
/* Identity, power (as the array itself tells it), data keys, recovery key. */
void ios_show_array(struct klm_buf *out, const struct ios_array_state *state, const char *power);
/* The volumes that are in the folder, by name. KLM_E_IO, KLM_E_LIMIT. */
klm_rc ios_show_volumes(struct klm_buf *out, const char *dir) KLM_MUST_USE;

#endif
