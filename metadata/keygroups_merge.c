/* An operator's edit of keygroups.xml, or another server's file, comes into the store: each group is decided alone, by what he began with, what he made of it,
 * and what the store holds by now. Inside a group only aliases that came or went are touched, so that its turn stays where it is. */
#include "metadata/keygroups.h"
#include "metadata/parts.h"

#include <stdlib.h>
#include <string.h>

struct merge {
    struct st_change *change;
    bool three_way; /* else there is no base: nothing is removed, and a difference is a change */
    bool edit;      /* by an operator: each difference is said */
    md_group_told_fn *told;
    void *arg;
    struct md_groups_merge count;
};

/* ---- Sets of aliases: sorted runs, those that touch made one */

static klm_rc as_set(const struct md_group_content *from, struct md_group_content *out)
{
    struct md_group_content set = {0};
    size_t n = 0;

    if (from->n == 0) {
        *out = set;
        return KLM_OK;
    }
    set.run = malloc(from->n * sizeof *set.run);
    if (!set.run) {
        return KLM_E_NOMEM;
    }
    memcpy(set.run, from->run, from->n * sizeof *set.run);
    qsort(set.run, from->n, sizeof *set.run, md_run_order);
    for (size_t i = 1; i < from->n; i++) {
        char behind[KLM_ALIAS_MAX + 1];

        memcpy(behind, set.run[n].last, sizeof behind);
        if (klm_alias_next(behind) && strcmp(behind, set.run[i].first) == 0) {
            memcpy(set.run[n].last, set.run[i].last, sizeof behind);
        } else {
            set.run[++n] = set.run[i];
        }
    }
    set.n = set.cap = n + 1;
    *out = set;
    return KLM_OK;
}

static bool same_runs(const struct md_group_content *a, const struct md_group_content *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++) {
        if (strcmp(a->run[i].first, b->run[i].first) != 0 ||
            strcmp(a->run[i].last, b->run[i].last) != 0) {
            return false;
        }
    }
    return a->n == b->n;
}

static klm_rc same(const struct md_group_content *a, const struct md_group_content *b, bool *out)
{
    KLM_AUTO(md_content_done) struct md_group_content x = {0}, y = {0};

    KLM_TRY(as_set(a, &x));
    KLM_TRY(as_set(b, &y));
    *out = a->wrap == b->wrap && same_runs(&x, &y);
    return KLM_OK;
}

/* The parts of a run that no run of a set has, each given to fn. from is where to look in the set: runs before it lie before this one. */
static klm_rc parts_not_in(const struct klm_alias_run *run, const struct md_group_content *set,
                           size_t from, md_run_fn *fn, void *arg)
{
    struct klm_alias_run rest = *run, part;

    for (size_t i = from; i < set->n; i++) {
        if (!klm_alias_runs_meet(&set->run[i], &rest)) {
            continue;
        }
        if (strcmp(rest.first, set->run[i].first) < 0) {
            part = rest;
            memcpy(part.last, set->run[i].first, sizeof part.last);
            (void)klm_alias_previous(part.last); /* rest begins before it */
            KLM_TRY(fn(arg, &part));
        }
        if (strcmp(set->run[i].last, rest.last) >= 0) {
            return KLM_OK;
        }
        memcpy(rest.first, set->run[i].last, sizeof rest.first);
        (void)klm_alias_next(rest.first);
    }
    return fn(arg, &rest);
}

/* Index of the first run of a set that may meet one. */
static size_t lower(const struct md_group_content *set, const struct klm_alias_run *run)
{
    size_t low = 0, high = set->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct klm_alias_run end = {0};

        memcpy(end.first, set->run[middle].last, sizeof end.first);
        if (md_run_order(&end, run) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct editing {
    struct st_change *change;
    const char *group;
};

static klm_rc put_in(void *arg, const struct klm_alias_run *run)
{
    const struct editing *e = arg;

    return md_group_put(e->change, e->group, run);
}

static klm_rc take_out(void *arg, const struct klm_alias_run *run)
{
    const struct editing *e = arg;
    uint64_t n;

    return md_group_take_out(e->change, e->group, run, &n);
}

/* Every run of one that the other does not have. */
static klm_rc each_not_in(const struct md_group_content *one, const struct md_group_content *other,
                          md_run_fn *fn, void *arg)
{
    KLM_AUTO(md_content_done) struct md_group_content set = {0};

    KLM_TRY(as_set(other, &set));
    for (size_t i = 0; i < one->n; i++) {
        KLM_TRY(parts_not_in(&one->run[i], &set, lower(&set, &one->run[i]), fn, arg));
    }
    return KLM_OK;
}

/* ---- One group */

static klm_rc done(struct merge *m, const char *group, const char *how, size_t *count)
{
    ++*count;
    if (m->edit) {
        klm_say(KLM_MSG_GROUPS_MERGED, group, how);
    }
    return m->told ? m->told(m->arg, group, how) : KLM_OK;
}

static klm_rc conflict(struct merge *m, const char *group, const char *how)
{
    m->count.conflicts++;
    klm_say(KLM_MSG_GROUPS_CONFLICT, group, how);
    return KLM_OK;
}

static klm_rc add(struct merge *m, const struct md_group_content *edited)
{
    struct editing e = {m->change, edited->name};

    KLM_TRY(md_group_add(m->change, edited->name, edited->wrap));
    for (size_t i = 0; i < edited->n; i++) {
        KLM_TRY(put_in(&e, &edited->run[i]));
    }
    return done(m, edited->name, "added", &m->count.added);
}

static klm_rc change(struct merge *m, const struct md_group_content *edited,
                     const struct md_group_content *store)
{
    struct editing e = {m->change, edited->name};
    size_t before = st_change_mark(m->change);

    if (m->three_way) {
        KLM_TRY(each_not_in(store, edited, take_out, &e));
    }
    KLM_TRY(each_not_in(edited, store, put_in, &e));
    if (edited->wrap != store->wrap) {
        KLM_TRY(md_group_wrap(m->change, edited->name, edited->wrap));
    }
    if (st_change_mark(m->change) == before) {
        return KLM_OK; /* the file only lacks what is not removed */
    }
    return done(m, edited->name, "changed", &m->count.changed);
}

static klm_rc both(struct merge *m, const struct md_group_content *edited,
                   const struct md_group_content *base, const struct md_group_content *store)
{
    bool as_store, as_base = false, untouched = false;

    KLM_TRY(same(edited, store, &as_store));
    if (base) {
        KLM_TRY(same(edited, base, &as_base));
        KLM_TRY(same(base, store, &untouched));
    }
    if (as_store || as_base) {
        return KLM_OK;
    }
    return !m->three_way || untouched
               ? change(m, edited, store)
               : conflict(m, store->name,
                          base ? "changed in the file and in the store"
                               : "added in the file and, otherwise, in the store");
}

static klm_rc file_only(struct merge *m, const struct md_group_content *edited,
                        const struct md_group_content *base)
{
    bool as_base = false;

    if (!base) {
        return add(m, edited);
    }
    KLM_TRY(same(edited, base, &as_base));
    return as_base ? KLM_OK
                   : conflict(m, edited->name, "changed in the file, removed from the store");
}

static klm_rc store_only(struct merge *m, const struct md_group_content *base,
                         const struct md_group_content *store)
{
    bool as_base = false;

    if (!base) {
        return KLM_OK; /* added to the store since, or nobody knows */
    }
    KLM_TRY(same(base, store, &as_base));
    if (!as_base) {
        return conflict(m, store->name, "removed from the file, changed in the store");
    }
    KLM_TRY(md_group_delete(m->change, store->name));
    return done(m, store->name, "removed", &m->count.removed);
}

/* ---- All groups */

struct list {
    const struct md_group_content *group;
    size_t n, at;
};

static const char *name_of(const struct list *list)
{
    return list->at < list->n ? list->group[list->at].name : NULL;
}

static const char *lowest(const char *a, const char *b)
{
    return !a || (b && strcmp(b, a) < 0) ? b : a;
}

static const struct md_group_content *take(struct list *list, const char *name)
{
    const char *next = name_of(list);

    return next && strcmp(next, name) == 0 ? &list->group[list->at++] : NULL;
}

static klm_rc decide(struct merge *m, const struct md_group_content *edited,
                     const struct md_group_content *base, const struct md_group_content *store)
{
    if (edited && store) {
        return both(m, edited, base, store);
    }
    if (edited) {
        return file_only(m, edited, base);
    }
    return store ? store_only(m, base, store) : KLM_OK;
}

static klm_rc walk(struct merge *m, const struct md_groups_file *edited,
                   const struct md_groups_file *base, const struct md_groups_file *store)
{
    struct list e = {edited->group, edited->n, 0}, b = {base->group, base->n, 0},
                s = {store->group, store->n, 0};
    const char *name;

    while ((name = lowest(lowest(name_of(&e), name_of(&b)), name_of(&s)))) {
        const struct md_group_content *in_file = take(&e, name), *in_base = take(&b, name);

        KLM_TRY(decide(m, in_file, in_base, take(&s, name)));
    }
    return KLM_OK;
}

/* What the store holds, by way of its own file: the same form, sorted the same way. */
static klm_rc load(struct st_view *view, struct md_groups_file **out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text = {0};

    klm_buf_init(&text, MD_GROUPS_FILE_MAX);
    KLM_TRY(md_groups_encode(view, 0, &text));
    return md_groups_decode(klm_buf_as_slice(&text), NULL, out);
}

klm_rc md_groups_merge_file(struct st_change *st, const struct md_groups_file *edited,
                            struct klm_slice base_text, md_group_told_fn *told, void *arg,
                            struct md_groups_merge *out)
{
    static const struct md_groups_file none;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *base = NULL, *store = NULL;
    struct merge m = {.change = st, .edit = true, .told = told, .arg = arg};
    size_t mark = st_change_mark(st);
    klm_rc rc = base_text.n ? md_groups_decode(base_text, NULL, &base) : KLM_E_NOTFOUND;

    if (rc == KLM_E_NOMEM) {
        return rc;
    }
    if (rc == KLM_OK && (!base->intact || base->generation != edited->generation)) {
        md_groups_file_free(&base);
    }
    if (!base) {
        klm_say(KLM_MSG_GROUPS_TWO_WAY, KLM_NUM(edited->generation));
    }
    m.three_way = base != NULL;
    KLM_TRY(load(st_change_view(st), &store));
    rc = walk(&m, edited, base ? base : &none, store);
    if (rc != KLM_OK) {
        st_change_undo(st, mark);
        return rc;
    }
    *out = m.count;
    return KLM_OK;
}

/* To rewrite is an edit that began with what the store holds now. */
klm_rc md_groups_take(struct st_change *st, const struct md_groups_file *file, bool rewrite,
                      md_group_told_fn *told, void *arg, struct md_groups_merge *out)
{
    static const struct md_groups_file none;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *store = NULL;
    struct merge m = {.change = st, .three_way = rewrite, .told = told, .arg = arg};
    size_t mark = st_change_mark(st);
    klm_rc rc;

    KLM_TRY(load(st_change_view(st), &store));
    rc = walk(&m, file, rewrite ? store : &none, store);
    if (rc != KLM_OK) {
        st_change_undo(st, mark);
        return rc;
    }
    *out = m.count;
    return KLM_OK;
}

klm_rc md_groups_runs(const struct md_groups_file *file, md_groups_run_fn *fn, void *arg)
{
    for (size_t i = 0; i < file->n; i++) {
        for (size_t k = 0; k < file->group[i].n; k++) {
            KLM_TRY(fn(arg, file->group[i].name, &file->group[i].run[k]));
        }
    }
    return KLM_OK;
}
