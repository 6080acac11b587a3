/* keygroups.xml: the key groups as a file (metadata/KEYGROUPS.md), a view of the store that operators may edit. It says which generation of the store it shows and
 * has a digest of itself, so that an edit is recognised and merged three ways, as with filedrive.table. */
#ifndef METADATA_KEYGROUPS_H
#define METADATA_KEYGROUPS_H

#include "metadata/group.h"

#define MD_GROUPS_FILE_MAX (64u << 20) /* bytes of the file */

/* The groups of a view as the file's text; that of symmetricKeySet, which follows its property, is left out. */
klm_rc md_groups_encode(struct st_view *view, uint64_t generation, struct klm_buf *out)
    KLM_MUST_USE;

struct md_groups_file; /* a parsed file */
/* KLM_E_INVALID with line and column when it is no such file, or breaks a rule of it; KLM_E_LIMIT. */
klm_rc md_groups_decode(struct klm_slice text, struct klm_diag *diag, struct md_groups_file **out)
    KLM_MUST_USE;
bool md_groups_intact(const struct md_groups_file *file); /* the digest fits: nobody edited it */
uint64_t md_groups_generation(const struct md_groups_file *file);
size_t md_groups_count(const struct md_groups_file *file);
void md_groups_file_free(struct md_groups_file **file);

struct md_groups_merge {
    size_t added, changed, removed, conflicts;
};
/* Hears of each group that a file changes, and what became of it: "added", "changed", "removed". Its failure takes all back. */
typedef klm_rc md_group_told_fn(void *arg, const char *group, const char *how);
/* Bring an operator's edit into the store: three ways against base (the text of the generation it names; empty when lost: then two ways, additions and changes only,
 * no removals). Each difference is said; a group changed on both sides keeps the store's and is said as a conflict. All of it or nothing of it
 * is in the change. */
klm_rc md_groups_merge_file(struct st_change *change, const struct md_groups_file *edited,
                            struct klm_slice base, md_group_told_fn *told, void *arg,
                            struct md_groups_merge *out) KLM_MUST_USE;

/* Take the groups of another server's file over: those that are not here are added, of the others wrap becomes the file's and aliases that are
 * missing are put at the end. With rewrite, aliases and groups that the file does not have go, too. The turn of a group, which key was given
 * for which volume, stays what it is here. All of it or nothing. */
klm_rc md_groups_take(struct st_change *change, const struct md_groups_file *file, bool rewrite,
                      md_group_told_fn *told, void *arg, struct md_groups_merge *out) KLM_MUST_USE;
typedef klm_rc md_groups_run_fn(void *arg, const char *group, const struct klm_alias_run *run);
/* Every run of a file, group by group. */
klm_rc md_groups_runs(const struct md_groups_file *file, md_groups_run_fn *fn, void *arg)
    KLM_MUST_USE;

/* ---- For the files of this part */
struct md_group_content {
    char name[MD_GROUP_MAX + 1];
    bool wrap;
    struct klm_alias_run *run;
    size_t n, cap;
    unsigned line;
};
struct md_groups_file {
    struct md_group_content *group; /* sorted by name when it was read whole */
    size_t n, cap;
    bool intact;
    uint64_t generation;
};
klm_rc md_content_put(struct md_group_content *group, const struct klm_alias_run *run) KLM_MUST_USE;
void md_content_done(struct md_group_content *group);
/* Order of runs for qsort: plain aliases first, then by text. */
int md_run_order(const void *a, const void *b);

#endif
