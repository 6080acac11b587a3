/* The table in memory: a trie of drives by serial number, so that a new table costs one path of it. */
#include "drivetable/parts.h"
#include "drivetable/trie.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct dt_table {
    atomic_uint refs;
    struct dt_trie trie; /* of struct dt_drive */
};

static klm_rc table_new(const struct dt_table *like, struct dt_table **out)
{
    struct dt_table *table = calloc(1, sizeof *table);

    if (!table) {
        return KLM_E_NOMEM;
    }
    atomic_init(&table->refs, 1);
    if (like) {
        dt_trie_share(&like->trie, &table->trie);
    }
    *out = table;
    return KLM_OK;
}

static klm_rc load_visit(void *arg, const struct dt_drive *drive)
{
    struct dt_table *table = arg;

    return table->trie.count < DT_DRIVES_MAX ? dt_trie_put(&table->trie, drive, sizeof *drive)
                                             : KLM_E_LIMIT;
}

klm_rc dt_table_load(struct st_view *view, struct klm_diag *diag, struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *table = NULL;
    klm_rc rc;

    KLM_TRY(table_new(NULL, &table));
    rc = dt_scan(view, load_visit, table);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_DRIVE_LOAD, klm_rc_text(rc));
    }
    *out = table;
    table = NULL;
    return KLM_OK;
}

klm_rc dt_table_with(const struct dt_table *table, const struct dt_drive *drive,
                     struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *new = NULL;

    KLM_TRY(dt_drive_check(drive));
    KLM_TRY(table_new(table, &new));
    KLM_TRY(dt_trie_put(&new->trie, drive, sizeof *drive));
    if (new->trie.count > DT_DRIVES_MAX) {
        return KLM_E_LIMIT;
    }
    *out = new;
    new = NULL;
    return KLM_OK;
}

klm_rc dt_table_without(const struct dt_table *table, const char *serial, struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *new = NULL;

    KLM_TRY(table_new(table, &new));
    KLM_TRY(dt_trie_remove(&new->trie, serial));
    *out = new;
    new = NULL;
    return KLM_OK;
}

struct dt_table *dt_table_ref(struct dt_table *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void dt_table_free(struct dt_table **table)
{
    if (*table && atomic_fetch_sub_explicit(&(*table)->refs, 1, memory_order_acq_rel) == 1) {
        dt_trie_drop(&(*table)->trie);
        free(*table);
    }
    *table = NULL;
}

size_t dt_table_count(const struct dt_table *table)
{
    return table->trie.count;
}

klm_rc dt_table_find(const struct dt_table *table, const char *serial, const struct dt_drive **out)
{
    const struct dt_drive *drive = dt_trie_find(&table->trie, serial);

    if (!drive) {
        return KLM_E_NOTFOUND;
    }
    *out = drive;
    return KLM_OK;
}

static int drive_order(const void *a, const void *b)
{
    const struct dt_drive *const *x = a, *const *y = b;

    return strcmp((*x)->serial, (*y)->serial);
}

klm_rc dt_table_scan(const struct dt_table *table, dt_visit_fn *visit, void *arg)
{
    const void **drives = calloc(table->trie.count + 1, sizeof *drives);
    klm_rc rc = KLM_OK;

    if (!drives) {
        return KLM_E_NOMEM;
    }
    dt_trie_items(&table->trie, drives);
    qsort(drives, table->trie.count, sizeof *drives, drive_order);
    for (size_t i = 0; rc == KLM_OK && i < table->trie.count; i++) {
        rc = visit(arg, drives[i]);
    }
    free(drives);
    return rc;
}
