/* Stored keys that were given out here since the backup was made stay given out: their volumes are there, whatever the store forgets, and no key is for two of
 * them. So do those whose keys the backup does not have, so that no new key gets their alias. */
#include "backup/restore.h"

#include "metadata/group.h"

#include <string.h>

#define MARKS 1024 /* of one change */

struct marks {
    struct st_store *store;
    struct st_change *change; /* open when n > 0 */
    size_t n;
    struct klm_diag *diag;
};

static klm_rc commit(struct marks *marks)
{
    klm_rc rc = marks->n > 0 ? st_change_commit(&marks->change, marks->diag) : KLM_OK;

    st_change_drop(&marks->change);
    marks->n = 0;
    return rc;
}

static klm_rc mark(struct marks *marks, const char *alias, const struct md_key_use *use)
{
    struct md_key_use there;

    if (!marks->change) {
        KLM_TRY(st_change_open(marks->store, &marks->change));
    }
    if (md_key_use(st_change_view(marks->change), alias, &there) == KLM_OK &&
        there.last >= use->last) {
        return KLM_OK;
    }
    marks->n++;
    KLM_TRY(md_key_used_there(marks->change, alias, use->volser, use->last));
    return marks->n < MARKS ? KLM_OK : commit(marks);
}

struct present {
    struct st_view *view;
    struct marks *marks;
};

static klm_rc carry_one(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct present *present = arg;
    char alias[KLM_ALIAS_MAX + 1] = "";
    struct md_key_use use;

    (void)record;
    if (damaged || key.n > KLM_ALIAS_MAX) {
        return KLM_OK; /* the present store is what is given up */
    }
    memcpy(alias, key.p, key.n);
    return md_key_use(present->view, alias, &use) == KLM_OK ? mark(present->marks, alias, &use)
                                                            : KLM_OK;
}

klm_rc bk_given_carry(struct bk_restoring *r, struct st_store *store)
{
    struct marks marks = {.store = store, .diag = r->diag};
    struct present present = {.marks = &marks};
    const struct st_range all = {0};
    klm_rc rc;

    if (!r->present.readable || !r->store) {
        return KLM_OK; /* lost: nobody knows, and the guide says what to do */
    }
    KLM_TRY(st_view_open(r->store, &present.view));
    rc = st_scan(present.view, ST_KEY_USE, &all, carry_one, &present);
    if (rc == KLM_OK) {
        rc = commit(&marks);
    }
    st_change_drop(&marks.change);
    st_view_close(&present.view);
    return rc;
}
