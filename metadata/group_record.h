/* Inside of key groups: records and keys of the store, written and read in one place. */
#ifndef METADATA_GROUP_RECORD_H
#define METADATA_GROUP_RECORD_H

#include "metadata/group.h"

/* "group, 0" and what follows it in a key. */
struct md_group_key {
    uint8_t p[MD_GROUP_MAX + 2 + KLM_ALIAS_MAX + 8];
    size_t n;
};
struct md_group_key md_group_key(const char *name);
struct md_group_key md_group_run_key(const char *name, uint64_t place);
struct md_group_key md_group_first_key(const char *name, const char *first);
struct klm_slice md_group_key_slice(const struct md_group_key *key);

/* Put the record of a group, in the place of the one that may be there; its runs are records of their own. */
klm_rc md_group_save(struct st_change *change, const struct md_group *group) KLM_MUST_USE;

/* A run with its place. */
struct md_placed {
    uint64_t place;
    struct klm_alias_run run;
};
/* The first run whose place is above after. KLM_E_NOTFOUND: none. */
klm_rc md_run_after(struct st_view *view, const char *name, uint64_t after, struct md_placed *out)
    KLM_MUST_USE;
/* The run at a place. KLM_E_NOTFOUND. */
klm_rc md_run_at(struct st_view *view, const char *name, uint64_t place, struct md_placed *out)
    KLM_MUST_USE;
/* A run that has an alias of this one. KLM_E_NOTFOUND. */
klm_rc md_run_meeting(struct st_view *view, const char *name, const struct klm_alias_run *run,
                      struct md_placed *out) KLM_MUST_USE;

#endif
