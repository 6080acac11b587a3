/* Profiles: who may use what, RACF's way. A profile protects the resources of a class that its name matches: one, or, when the
 * name is generic, many; of all that match, the most specific one decides alone. It says what everybody may do (UACC) and what
 * users and groups of its access list may do. The idea: the store holds profiles as they were entered; for decisions they are
 * compiled into a set, an immutable snapshot that is swapped whole, in which a decision reads no record, takes no memory and no
 * lock. Nothing is protected in a class that is not active. */
#ifndef PROFILE_PR_H
#define PROFILE_PR_H

#include "base/clock.h"
#include "base/msg.h"
#include "base/pool.h"
#include "store/st.h"

enum pr_class {
#define PR_CLASS(id, name, what) id,
#include "profile/class.def"
#undef PR_CLASS
    PR_CLASSES
};
/* "CSFKEYS". */
const char *pr_class_name(enum pr_class class);
/* From that name, in any case. KLM_E_NOTFOUND. */
klm_rc pr_class_find(const char *name, enum pr_class *out) KLM_MUST_USE;

/* What somebody may do: each includes those before. */
enum pr_access { PR_NONE, PR_READ, PR_UPDATE, PR_CONTROL, PR_ALTER };
/* "NONE", "READ", ... */
const char *pr_access_name(enum pr_access access);
/* From that name, in any case. KLM_E_NOTFOUND. */
klm_rc pr_access_find(const char *name, enum pr_access *out) KLM_MUST_USE;

/* ---- Names (RACF Command Language Reference, "Naming considerations for resource profiles", generic naming for general
 * resources):
 *   %     any one character but a period
 *   *     a qualifier in front or in the middle: any one qualifier
 *         at the end of a qualifier that is not the last (DE*): its rest, of no or more characters
 *         the last qualifier (ABC.*): one or more qualifiers; at the end of the last one (ABC.DE*): the rest of the name
 *   **    a whole qualifier, once: no or more qualifiers */
#define PR_NAME_MAX 246
#define PR_ID_MAX 32 /* user, group, serial number of a drive */
/* Upper-case printable characters without blanks, ( ) ' " , ; & and ?; qualifiers that are not empty, parted by periods.
 * KLM_E_INVALID, KLM_E_LIMIT. */
klm_rc pr_name_check(const char *name) KLM_MUST_USE;
/* 1 to 32 of A-Z 0-9 # @ $ _ - and period, or "*": everybody who is known. KLM_E_INVALID, KLM_E_LIMIT. */
klm_rc pr_id_check(const char *id) KLM_MUST_USE;
bool pr_generic(const char *name);
/* Does the name of a profile match a resource? Both as pr_name_check wants them, the resource without generic meaning. */
bool pr_match(const char *name, const char *resource);
/* Below 0: a is the more specific name. Compared from the left; where two differ, a plain character comes before %, % before *,
 * * before **; a name before one that only adds to it, but a beginning that ends with an asterisk behind. */
int pr_name_compare(const char *a, const char *b);
#define PR_RESOURCE_MAX 320
/* A resource in the one spelling: upper case; what no profile's name can have (blanks) becomes a ?. Cut at PR_RESOURCE_MAX. */
void pr_resource(const char *text, char out[PR_RESOURCE_MAX]);

/* ---- Records of the store */
struct pr_entry {
    const char *id;
    enum pr_access access;
};
struct pr_profile {
    enum pr_class class;
    const char *name, *owner;
    enum pr_access uacc;
    const char *user, *group; /* STDATA of class STARTED; "" none */
    bool trace;
    klm_time made;
    struct pr_entry *entry; /* sorted by id */
    size_t n;
};
#define PR_ENTRIES_MAX 1000   /* of one access list */
#define PR_PROFILES_MAX 20000 /* of one class */

/* KLM_E_NOTFOUND; KLM_E_CORRUPT. The result lives in the pool. */
klm_rc pr_get(struct st_view *view, enum pr_class class, const char *name, struct klm_pool *pool,
              struct pr_profile *out) KLM_MUST_USE;
/* Put it there, also in place of one that is damaged. KLM_E_LIMIT: too many entries. */
klm_rc pr_put(struct st_change *change, const struct pr_profile *profile) KLM_MUST_USE;
/* KLM_E_NOTFOUND. A damaged one goes, too. */
klm_rc pr_delete(struct st_change *change, enum pr_class class, const char *name) KLM_MUST_USE;
typedef klm_rc pr_visit_fn(void *arg, const struct pr_profile *profile, bool damaged);
/* All profiles of a class by name; a damaged one comes with its name and nothing else, so that it protects with NONE. */
klm_rc pr_scan(struct st_view *view, enum pr_class class, pr_visit_fn *visit, void *arg)
    KLM_MUST_USE;
/* Give an id an access (added or changed) in a profile of the pool. KLM_E_LIMIT. */
klm_rc pr_permit(struct pr_profile *profile, struct klm_pool *pool, const char *id,
                 enum pr_access access) KLM_MUST_USE;
/* Take an id off the access list. KLM_E_NOTFOUND. */
klm_rc pr_forget(struct pr_profile *profile, const char *id) KLM_MUST_USE;

/* What SETROPTS says of a class. */
struct pr_options {
    bool active;  /* CLASSACT: its profiles are checked; at first not */
    bool generic; /* GENERIC: generic names match as such; at first so */
    bool raclist; /* RACLIST: changes take effect at a refresh, not at once; at first not */
};
/* Those of a class that nobody set are the first ones. Damaged ones come as active, so that damage opens nothing, and *damaged
 * (NULL: not asked) tells. */
klm_rc pr_options_get(struct st_view *view, enum pr_class class, struct pr_options *out,
                      bool *damaged) KLM_MUST_USE;
klm_rc pr_options_put(struct st_change *change, enum pr_class class,
                      const struct pr_options *options) KLM_MUST_USE;

/* ---- The set: all classes, compiled; counted */
struct pr_set;
#define PR_BIT(class) (1u << (class))
#define PR_ALL ((1u << PR_CLASSES) - 1)
/* Compile the classes of the mask from the store; the others are shared with old (NULL: the mask must have all). Options are
 * always read. task is the resource of class STARTED that stands for this task. What is damaged is said (klm_say) and protects
 * with NONE. KLM_E_LIMIT: more than PR_PROFILES_MAX profiles. */
klm_rc pr_set_load(struct st_view *view, const struct pr_set *old, unsigned mask, const char *task,
                   struct pr_set **out) KLM_MUST_USE;
/* Before it is published: classes that are not in the mask become those of current, since others may have changed them
 * meanwhile. Nobody else holds set yet. */
void pr_set_rebase(struct pr_set *set, const struct pr_set *current, unsigned mask,
                   const char *task);
struct pr_set *pr_set_ref(struct pr_set *set);
void pr_set_free(struct pr_set **set);
const struct pr_options *pr_set_options(const struct pr_set *set, enum pr_class class);
size_t pr_set_count(const struct pr_set *set, enum pr_class class);
/* Is there any active class? */
bool pr_set_checks(const struct pr_set *set);
/* The profile that protects a resource, whether the class is active or not; borrowed. KLM_E_NOTFOUND. */
klm_rc pr_set_find(const struct pr_set *set, enum pr_class class, const char *resource,
                   const struct pr_profile **out) KLM_MUST_USE;
/* The STARTED profile of this task, when the class is active; else NULL. */
const struct pr_profile *pr_set_task(const struct pr_set *set);

/* Who asks: the first of these that stands in the access list decides; of groups, the highest. */
struct pr_who {
    const char *user;         /* user id, or serial number of a drive */
    const char *groups;       /* names parted by commas, or "" */
    const char *behalf;       /* the user that the task acts as for its drives, or NULL */
    const char *behalf_group; /* and its group, or NULL */
};
/* What they may do by this profile: their own entry, else their groups', else the task's, else that of "*", else UACC. */
enum pr_access pr_access_of(const struct pr_profile *profile, const struct pr_who *who);

#endif
