/* The set of all classes: compiled classes that sets share, and the options of each. */
#include "profile/internal.h"

#include <stdlib.h>

struct pr_set {
    atomic_uint refs;
    struct pr_compiled *class[PR_CLASSES];
    struct pr_options options[PR_CLASSES];
    const struct pr_profile *task; /* of the class STARTED above */
    bool checks;
};

static klm_rc load_options(struct st_view *view, struct pr_set *set, enum pr_class class)
{
    bool damaged;

    KLM_TRY(pr_options_get(view, class, &set->options[class], &damaged));
    if (damaged) {
        klm_say(KLM_MSG_CLASS_DAMAGED, pr_class_name(class));
    }
    set->checks = set->checks || set->options[class].active;
    return KLM_OK;
}

static klm_rc load_class(struct st_view *view, const struct pr_set *old, unsigned mask,
                         struct pr_set *set, enum pr_class class)
{
    klm_rc rc;

    KLM_TRY(load_options(view, set, class));
    if (old && !(mask & PR_BIT(class))) {
        set->class[class] = old->class[class];
        atomic_fetch_add(&set->class[class] -> refs, 1);
        return KLM_OK;
    }
    rc = pr_compile(view, class, &set->class[class]);
    if (rc == KLM_E_LIMIT) {
        klm_say(KLM_MSG_PROFILES_MANY, pr_class_name(class), KLM_NUM(PR_PROFILES_MAX));
    }
    return rc;
}

static void find_task(struct pr_set *set, const char *task)
{
    if (!set->options[PR_STARTED].active ||
        pr_set_find(set, PR_STARTED, task, &set->task) != KLM_OK) {
        set->task = NULL;
    }
}

klm_rc pr_set_load(struct st_view *view, const struct pr_set *old, unsigned mask, const char *task,
                   struct pr_set **out)
{
    KLM_AUTO(pr_set_free) struct pr_set *set = calloc(1, sizeof *set);

    if (!set) {
        return KLM_E_NOMEM;
    }
    atomic_init(&set->refs, 1);
    for (size_t i = 0; i < PR_CLASSES; i++) {
        KLM_TRY(load_class(view, old, mask, set, (enum pr_class)i));
    }
    find_task(set, task);
    *out = set;
    set = NULL;
    return KLM_OK;
}

void pr_set_rebase(struct pr_set *set, const struct pr_set *current, unsigned mask,
                   const char *task)
{
    for (size_t i = 0; i < PR_CLASSES; i++) {
        if (!(mask & PR_BIT(i))) {
            atomic_fetch_add(&current->class[i] -> refs, 1);
            pr_compiled_free(&set->class[i]);
            set->class[i] = current->class[i];
        }
    }
    find_task(set, task);
}

struct pr_set *pr_set_ref(struct pr_set *set)
{
    atomic_fetch_add(&set->refs, 1);
    return set;
}

void pr_set_free(struct pr_set **set)
{
    struct pr_set *s = *set;

    *set = NULL;
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < PR_CLASSES; i++) {
        pr_compiled_free(&s->class[i]);
    }
    free(s);
}

const struct pr_options *pr_set_options(const struct pr_set *set, enum pr_class class)
{
    return &set->options[class];
}

size_t pr_set_count(const struct pr_set *set, enum pr_class class)
{
    return set->class[class]->ones + set->class[class]->manys;
}

bool pr_set_checks(const struct pr_set *set)
{
    return set->checks;
}

klm_rc pr_set_find(const struct pr_set *set, enum pr_class class, const char *resource,
                   const struct pr_profile **out)
{
    return pr_compiled_find(set->class[class], resource, set -> options[class].generic, out);
}

const struct pr_profile *pr_set_task(const struct pr_set *set)
{
    return set->task;
}
