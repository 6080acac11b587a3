/* Drives of the store: get, add, modify, delete, scan. */
#include "drivetable/parts.h"
#include "drivetable/record.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_MAX 1024
#define POOL_MAX 8192

static struct klm_slice key_of(const char *serial)
{
    return klm_slice_str(serial);
}

klm_rc dt_get(struct st_view *view, const char *serial, struct dt_drive *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct dt_drive drive = {0};
    struct klm_slice record;

    if (strnlen(serial, DT_SERIAL + 1) != DT_SERIAL) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_DRIVE, key_of(serial), pool, &record));
    memcpy(drive.serial, serial, DT_SERIAL);
    KLM_TRY(dt_record_decode(record, &drive));
    *out = drive;
    return KLM_OK;
}

klm_rc dt_put(struct st_change *change, const struct dt_drive *drive)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    KLM_TRY(dt_drive_check(drive));
    klm_buf_init(&buf, RECORD_MAX);
    dt_record_encode(drive, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_DRIVE, key_of(drive->serial), klm_buf_as_slice(&buf));
}

klm_rc dt_add(struct st_change *change, const struct dt_drive *drive)
{
    struct dt_drive there;
    klm_rc rc = dt_get(st_change_view(change), drive->serial, &there);

    if (rc != KLM_E_NOTFOUND) {
        return rc == KLM_OK ? KLM_E_EXISTS : rc;
    }
    return dt_put(change, drive);
}

klm_rc dt_modify(struct st_change *change, const struct dt_drive *drive)
{
    struct dt_drive there;

    KLM_TRY(dt_get(st_change_view(change), drive->serial, &there));
    return dt_put(change, drive);
}

klm_rc dt_delete(struct st_change *change, const char *serial)
{
    struct dt_drive there;
    klm_rc rc = dt_get(st_change_view(change), serial, &there);

    /* A damaged record can be deleted: it is the way to be rid of it. */
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    return st_delete(change, ST_DRIVE, key_of(serial));
}

struct scan {
    dt_visit_fn *visit;
    void *arg;
};

static klm_rc scan_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    struct dt_drive drive = {0};
    char name[DT_SERIAL + 1] = "";

    memcpy(name, key.p, key.n < DT_SERIAL ? key.n : DT_SERIAL);
    if (key.n == DT_SERIAL) {
        memcpy(drive.serial, key.p, DT_SERIAL);
    }
    if (damaged || dt_record_decode(record, &drive) != KLM_OK) {
        klm_say(KLM_MSG_DRIVE_DAMAGED, name);
        return KLM_OK;
    }
    return scan->visit(scan->arg, &drive);
}

klm_rc dt_scan(struct st_view *view, dt_visit_fn *visit, void *arg)
{
    struct scan scan = {visit, arg};

    return st_scan(view, ST_DRIVE, &(struct st_range){0}, scan_visit, &scan);
}

klm_rc dt_rows_add(struct dt_rows *rows, struct dt_row **out)
{
    if (rows->n == DT_DRIVES_MAX) {
        return KLM_E_LIMIT;
    }
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? 2 * rows->cap : 64;
        struct dt_row *row = realloc(rows->row, cap * sizeof *row);

        if (!row) {
            return KLM_E_NOMEM;
        }
        rows->row = row;
        rows->cap = cap;
    }
    memset(&rows->row[rows->n], 0, sizeof rows->row[rows->n]);
    *out = &rows->row[rows->n++];
    return KLM_OK;
}

static int row_order(const void *a, const void *b)
{
    const struct dt_row *x = a, *y = b;
    int order = strcmp(x->drive.serial, y->drive.serial);

    return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

void dt_rows_sort(struct dt_rows *rows)
{
    if (rows->n > 1) {
        qsort(rows->row, rows->n, sizeof *rows->row, row_order);
    }
}

void dt_rows_free(struct dt_rows *rows)
{
    free(rows->row);
    *rows = (struct dt_rows){0};
}

static klm_rc load_visit(void *arg, const struct dt_drive *drive)
{
    struct dt_row *row;

    KLM_TRY(dt_rows_add(arg, &row));
    row->drive = *drive;
    return KLM_OK;
}

klm_rc dt_rows_load(struct st_view *view, struct dt_rows *rows)
{
    return dt_scan(view, load_visit, rows); /* the store scans in the order of serial numbers */
}
