/* Stored keys that were given out here since the backup was made stay given out: their volumes are there, whatever the store forgets, and no key is for two of
 * them. So do those whose keys the backup does not have, so that no new key gets their alias. */
#include "backup/restore.h"

#include "metadata/group.h"

#include <stdlib.h>
#include <string.h>

#define MARKS 1024 /* of one change */
#define ITEMS 4096 /* that are held against the new store at a time */

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

/* What is here, some thousand records at a time, in the order of their keys; the new store has most of them just so, and is read in the same order. */
struct present {
    struct st_view *there; /* of the new store */
    struct marks *marks;
    struct klm_buf bytes; /* keys and records, one after the other */
    struct item {
        size_t key, record; /* bytes of each */
        bool same;          /* the new store has it just so */
    } item[ITEMS];
    size_t n;
    struct klm_buf before; /* the last key of the items before; empty: there were none */
    size_t at;             /* the item that is looked for there, */
    const uint8_t *p;      /* and its bytes */
};

static struct klm_slice key_at(const struct present *present)
{
    return KLM_SLICE(present->p, present->item[present->at].key);
}

static struct klm_slice record_at(const struct present *present)
{
    const struct item *item = &present->item[present->at];

    return KLM_SLICE(present->p + item->key, item->record);
}

static void pass(struct present *present)
{
    const struct item *item = &present->item[present->at++];

    present->p += item->key + item->record;
}

/* Items whose keys come before this one are not there. */
static void pass_below(struct present *present, struct klm_slice key)
{
    while (present->at < present->n && st_key_compare(key_at(present), key) < 0) {
        pass(present);
    }
}

static klm_rc hold_against(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct present *present = arg;

    pass_below(present, key);
    if (present->at == present->n) {
        return KLM_E_CLOSED; /* all were looked for */
    }
    if (klm_slice_equal(key_at(present), key)) {
        present->item[present->at].same = !damaged && klm_slice_equal(record_at(present), record);
        pass(present);
    }
    return KLM_OK;
}

static void first_item(struct present *present)
{
    present->at = 0;
    present->p = present->bytes.p;
}

static klm_rc mark_item(struct present *present)
{
    const struct klm_slice key = key_at(present);
    char alias[KLM_ALIAS_MAX + 1] = "";
    struct md_key_use use;

    memcpy(alias, key.p, key.n);
    return md_key_use_of(record_at(present), &use) == KLM_OK ? mark(present->marks, alias, &use)
                                                             : KLM_OK;
}

/* What is not there just so is marked when the scan is over, since a mark may be a commit. */
static klm_rc mark_others(struct present *present)
{
    for (first_item(present); present->at < present->n; pass(present)) {
        if (!present->item[present->at].same) {
            KLM_TRY(mark_item(present));
        }
        if (present->at + 1 == present->n) {
            klm_buf_clear(&present->before);
            klm_buf_slice(&present->before, key_at(present));
        }
    }
    present->n = 0;
    klm_buf_clear(&present->bytes);
    return klm_buf_rc(&present->before);
}

static klm_rc carry_items(struct present *present)
{
    struct st_range range = {.ahead = false};
    klm_rc rc;

    if (present->before.n > 0) {
        range.after = klm_buf_as_slice(&present->before);
    }
    first_item(present);
    rc = st_scan(present->there, ST_KEY_USE, &range, hold_against, present);
    return rc == KLM_OK || rc == KLM_E_CLOSED ? mark_others(present) : rc;
}

static klm_rc collect(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct present *present = arg;

    if (damaged || key.n > KLM_ALIAS_MAX) {
        return KLM_OK; /* the present store is what is given up */
    }
    klm_buf_slice(&present->bytes, key);
    klm_buf_slice(&present->bytes, record);
    KLM_TRY(klm_buf_rc(&present->bytes));
    present->item[present->n++] = (struct item){.key = key.n, .record = record.n};
    return present->n < ITEMS ? KLM_OK : carry_items(present);
}

static klm_rc carry_all(struct present *present, struct st_view *here)
{
    KLM_TRY(st_scan(here, ST_KEY_USE, &(struct st_range){.ahead = true}, collect, present));
    KLM_TRY(carry_items(present));
    return commit(present->marks);
}

static klm_rc carry(struct st_store *from, struct present *present)
{
    struct st_view *here;
    klm_rc rc;

    KLM_TRY(st_view_open(from, &here));
    rc = st_view_open(present->marks->store, &present->there);
    if (rc == KLM_OK) {
        rc = carry_all(present, here);
        st_view_close(&present->there);
    }
    st_change_drop(&present->marks->change);
    st_view_close(&here);
    return rc;
}

klm_rc bk_given_carry(struct bk_restoring *r, struct st_store *store)
{
    struct marks marks = {.store = store, .diag = r->diag};
    struct present *present;
    klm_rc rc;

    if (!r->present.readable || !r->store) {
        return KLM_OK; /* lost: nobody knows, and the guide says what to do */
    }
    present = calloc(1, sizeof *present);
    if (!present) {
        return KLM_E_NOMEM;
    }
    present->marks = &marks;
    klm_buf_init(&present->bytes, (size_t)ITEMS * (ST_KEY_MAX + ST_RECORD_MAX));
    klm_buf_init(&present->before, ST_KEY_MAX);
    rc = carry(r->store, present);
    klm_buf_done(&present->before);
    klm_buf_done(&present->bytes);
    free(present);
    return rc;
}
