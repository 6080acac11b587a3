/* Key groups: stored keys for LTO cartridges that are given out in turn. The idea: a group holds runs of aliases (des01-1f is one run of
 * 31), each with its place in the turn, and remembers where the turn is; so a group of a million keys is a few records, and the next
 * key is found in one step. A mark beside each key says for which volume it was given; no key is given for two volumes unless its
 * group was told to begin again (wrap). Whether the keys of the aliases exist is not known here. */
#ifndef METADATA_GROUP_H
#define METADATA_GROUP_H

#include "base/alias.h"
#include "base/clock.h"
#include "base/msg.h"
#include "store/st.h"

#define MD_GROUP_MAX 64                   /* characters of a name */
#define MD_GROUPS_MAX 10000               /* key groups */
#define MD_GROUP_RUNS 1000000             /* runs of one of them */
#define MD_KEYSET_MAX 4096                /* characters of the list that an own group follows */
#define MD_KEYSET_GROUP "symmetricKeySet" /* the own group: keys listed in that property */

struct md_group {
    char name[MD_GROUP_MAX + 1];
    bool wrap;           /* begin again behind the last key, giving keys a second time */
    uint64_t runs, keys; /* how many; keys stops at UINT64_MAX */
    uint64_t passed;     /* keys the turn has passed since its begin */
    uint64_t at, next; /* places: of the run the turn is in (0: not begun), and for the next run */
    char last[KLM_ALIAS_MAX + 1]; /* alias given out last, "": none */
    klm_time last_time;
    char source[MD_KEYSET_MAX + 1]; /* of an own group: what it was made of */
};

/* Names: 1 to 64 of the characters 21 to 7E but , ; & < > and quotes; not that of the own group. KLM_E_INVALID with a message. */
klm_rc md_group_name(const char *typed, struct klm_diag *diag) KLM_MUST_USE;
/* KLM_E_NOTFOUND, KLM_E_CORRUPT, here and below. */
klm_rc md_group_get(struct st_view *view, const char *name, struct md_group *out) KLM_MUST_USE;
/* An empty one. KLM_E_EXISTS; KLM_E_LIMIT: MD_GROUPS_MAX are there. */
klm_rc md_group_add(struct st_change *change, const char *name, bool wrap) KLM_MUST_USE;
/* With its runs; keys and their marks stay. */
klm_rc md_group_delete(struct st_change *change, const char *name) KLM_MUST_USE;
klm_rc md_group_wrap(struct st_change *change, const char *name, bool wrap) KLM_MUST_USE;
typedef klm_rc md_group_fn(void *arg, const struct md_group *group);
/* All by name, the own one too; a damaged one is named in a message and left out. */
klm_rc md_group_scan(struct st_view *view, md_group_fn *fn, void *arg) KLM_MUST_USE;
/* Keys that the turn has before it; of a group that wraps, until it begins again. */
uint64_t md_group_left(const struct md_group *group);
/* Make the own group anew, empty, for a list. */
klm_rc md_group_own(struct st_change *change, const char *source) KLM_MUST_USE;

/* ---- Aliases of a group */
/* At the end of the turn. KLM_E_EXISTS: one of them is in the group already; KLM_E_LIMIT: MD_GROUP_RUNS are there. */
klm_rc md_group_put(struct st_change *change, const char *name, const struct klm_alias_run *run)
    KLM_MUST_USE;
/* Take those out that are in the group; *n is how many were. */
klm_rc md_group_take_out(struct st_change *change, const char *name,
                         const struct klm_alias_run *run, uint64_t *n) KLM_MUST_USE;
/* Is an alias in the group? KLM_E_NOTFOUND: no. */
klm_rc md_group_has(struct st_view *view, const char *name, const char *alias) KLM_MUST_USE;
typedef klm_rc md_run_fn(void *arg, const struct klm_alias_run *run);
/* Its runs in the order of the turn. */
klm_rc md_group_runs(struct st_view *view, const char *name, md_run_fn *fn, void *arg) KLM_MUST_USE;

/* ---- Giving keys out */
struct md_key_use {
    char volser[7]; /* of the volume it was given for last */
    uint64_t times;
    klm_time first, last;
};
/* KLM_E_NOTFOUND: never given out. */
klm_rc md_key_use(struct st_view *view, const char *alias, struct md_key_use *out) KLM_MUST_USE;
/* The same of a record of ST_KEY_USE. KLM_E_CORRUPT. */
klm_rc md_key_use_of(struct klm_slice record, struct md_key_use *out) KLM_MUST_USE;
klm_rc md_key_use_forget(struct st_change *change, const char *alias) KLM_MUST_USE;
/* A key was given out for a volume at another server: it is not given here for another one any more. When it was given here later, that volume's
 * name stays. */
klm_rc md_key_used_there(struct st_change *change, const char *alias, const char *volser,
                         klm_time when) KLM_MUST_USE;
/* The next key of a group for a volume; the turn moves on and the key is marked. KLM_E_LIMIT: no key is left; the turn stands at its end then, which
 * is worth keeping, so that the next who asks does not pass the same keys again. *left as md_group_left afterwards, UINT64_MAX of a group that wraps. */
klm_rc md_group_next(struct st_change *change, const char *name, const char *volser, klm_time now,
                     char alias[KLM_ALIAS_MAX + 1], uint64_t *left) KLM_MUST_USE;
/* One key by its alias, for a volume. KLM_E_STATE: it was given for another volume before, which *use names. */
klm_rc md_key_take(struct st_change *change, const char *alias, const char *volser, klm_time now,
                   struct md_key_use *use) KLM_MUST_USE;

#endif
