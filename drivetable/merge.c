/* An operator's edit of filedrive.table comes into the store: three sorted lists (what he began
 * with, what he made of it, what the store holds by now) are walked side by side and each drive
 * is decided alone. */
#include "drivetable/parts.h"

#include <string.h>

struct list {
    const struct dt_row *row;
    size_t n, at;
};

struct merge {
    struct st_change *change;
    bool three_way; /* else there is no base: nothing is removed, and a difference is a change */
    bool rewrite;   /* import -rewrite: what the file does not name is removed */
    bool loud;      /* say each difference */
    const struct dt_listener *listener; /* may be NULL */
    struct dt_merge count;
};

static struct list list_of(const struct dt_rows *rows)
{
    return (struct list){.row = rows->row, .n = rows->n};
}

static const char *serial_of(const struct list *list)
{
    return list->at < list->n ? list->row[list->at].drive.serial : NULL;
}

static const char *lower(const char *a, const char *b)
{
    return !a || (b && strcmp(b, a) < 0) ? b : a;
}

/* The drive of a serial number if it is next in the list; the list goes on. */
static const struct dt_drive *take(struct list *list, const char *serial)
{
    const char *next = serial_of(list);

    return next && strcmp(next, serial) == 0 ? &list->row[list->at++].drive : NULL;
}

/* What people decide about a drive; contacts and the last volume are the server's. */
static bool same(const struct dt_drive *a, const struct dt_drive *b)
{
    return strcmp(a->wwn, b->wwn) == 0 && a->kind == b->kind && strcmp(a->alias1, b->alias1) == 0 &&
           strcmp(a->alias2, b->alias2) == 0 && strcmp(a->symalias, b->symalias) == 0 &&
           strcmp(a->fingerprint, b->fingerprint) == 0;
}

/* What the server learned since (world wide name, pinned certificate) is no edit: where edited
 * and base have nothing, they get what the store has. */
static void learn(struct dt_drive *edited, struct dt_drive *base, const struct dt_drive *store)
{
    if (!edited->wwn[0] && !(base && base->wwn[0])) {
        memcpy(edited->wwn, store->wwn, sizeof store->wwn);
        if (base) {
            memcpy(base->wwn, store->wwn, sizeof store->wwn);
        }
    }
    if (!edited->fingerprint[0] && !(base && base->fingerprint[0])) {
        memcpy(edited->fingerprint, store->fingerprint, sizeof store->fingerprint);
        if (base) {
            memcpy(base->fingerprint, store->fingerprint, sizeof store->fingerprint);
        }
    }
}

static klm_rc told(struct merge *m, const struct dt_drive *before, const struct dt_drive *after)
{
    return m->listener ? m->listener->told(m->listener->arg, before, after) : KLM_OK;
}

static klm_rc add(struct merge *m, const struct dt_drive *edited)
{
    KLM_TRY(dt_put(m->change, edited));
    m->count.added++;
    if (m->loud) {
        klm_say(KLM_MSG_DRIVE_MERGE_ADDED, edited->serial);
    }
    return told(m, NULL, edited);
}

static klm_rc change(struct merge *m, const struct dt_drive *edited, const struct dt_drive *store)
{
    struct dt_drive drive = *edited;
    bool later = store->last_contact > edited->last_contact;

    drive.first_contact = store->first_contact ? store->first_contact : edited->first_contact;
    if (later || m->loud) {
        drive.last_contact = store->last_contact;
        memcpy(drive.last_volser, store->last_volser, sizeof drive.last_volser);
    }
    KLM_TRY(dt_put(m->change, &drive));
    m->count.changed++;
    if (m->loud) {
        klm_say(KLM_MSG_DRIVE_MERGE_CHANGED, edited->serial);
    }
    return told(m, store, &drive);
}

static klm_rc remove_drive(struct merge *m, const struct dt_drive *store)
{
    KLM_TRY(st_delete(m->change, ST_DRIVE, klm_slice_str(store->serial)));
    m->count.removed++;
    if (m->loud) {
        klm_say(KLM_MSG_DRIVE_MERGE_REMOVED, store->serial);
    }
    return told(m, store, NULL);
}

static klm_rc conflict(struct merge *m, const char *serial, const char *how)
{
    m->count.conflicts++;
    klm_say(KLM_MSG_DRIVE_MERGE_CONFLICT, serial, how);
    return KLM_OK;
}

/* The operator's file has the drive and so has the store. */
static klm_rc both(struct merge *m, const struct dt_drive *from_file,
                   const struct dt_drive *from_base, const struct dt_drive *store)
{
    struct dt_drive edited = *from_file, base = {0};

    if (from_base) {
        base = *from_base;
    }
    learn(&edited, from_base ? &base : NULL, store);
    if (same(&edited, store) || (from_base && same(&edited, &base))) {
        return KLM_OK;
    }
    if (m->three_way && !from_base) {
        return conflict(m, store->serial, "added in the file and, otherwise, in the store");
    }
    if (m->three_way && !same(&base, store)) {
        return conflict(m, store->serial, "changed in the file and in the store");
    }
    return change(m, &edited, store);
}

/* The file has the drive, the store has not. */
static klm_rc file_only(struct merge *m, const struct dt_drive *edited, const struct dt_drive *base)
{
    if (!base) {
        return add(m, edited);
    }
    return same(edited, base)
               ? KLM_OK
               : conflict(m, edited->serial, "changed in the file, removed from the store");
}

/* The store has the drive, the file has not. */
static klm_rc store_only(struct merge *m, const struct dt_drive *base, const struct dt_drive *store)
{
    struct dt_drive then;

    if (m->rewrite) {
        return remove_drive(m, store);
    }
    if (!base) {
        return KLM_OK; /* added to the store since, or nobody knows */
    }
    then = *base;
    learn(&then, NULL, store);
    return same(&then, store)
               ? remove_drive(m, store)
               : conflict(m, store->serial, "removed from the file, changed in the store");
}

static klm_rc decide(struct merge *m, const struct dt_drive *edited, const struct dt_drive *base,
                     const struct dt_drive *store)
{
    if (edited && store) {
        return both(m, edited, base, store);
    }
    if (edited) {
        return file_only(m, edited, base);
    }
    return store ? store_only(m, base, store) : KLM_OK;
}

static klm_rc walk(struct merge *m, const struct dt_rows *edited, const struct dt_rows *base,
                   const struct dt_rows *store)
{
    struct list e = list_of(edited), b = list_of(base), s = list_of(store);
    const char *serial;

    while ((serial = lower(lower(serial_of(&e), serial_of(&b)), serial_of(&s)))) {
        const struct dt_drive *in_file = take(&e, serial), *in_base = take(&b, serial);

        KLM_TRY(decide(m, in_file, in_base, take(&s, serial)));
    }
    return KLM_OK;
}

/* All of it or nothing of it in the change. */
static klm_rc run(struct merge *m, const struct dt_rows *edited, const struct dt_rows *base,
                  struct dt_merge *out)
{
    KLM_AUTO(dt_rows_free) struct dt_rows store = {0};
    size_t mark = st_change_mark(m->change);
    klm_rc rc;

    KLM_TRY(dt_rows_load(st_change_view(m->change), &store));
    rc = walk(m, edited, base, &store);
    if (rc != KLM_OK) {
        st_change_undo(m->change, mark);
        return rc;
    }
    *out = m->count;
    return KLM_OK;
}

/* The generation that the edit began with, when its text is there and whole; else NULL, and the
 * operator hears of it. */
static klm_rc open_base(const struct dt_file *edited, struct klm_slice text, struct dt_file **out)
{
    struct dt_file *base = NULL;
    klm_rc rc = text.n ? dt_file_decode(text, NULL, &base) : KLM_E_NOTFOUND;

    if (rc == KLM_E_NOMEM) {
        return rc;
    }
    if (rc != KLM_OK || !base->intact || base->generation != edited->generation) {
        dt_file_free(&base);
        klm_say(KLM_MSG_DRIVE_MERGE_TWO_WAY, KLM_NUM(edited->generation));
    }
    *out = base;
    return KLM_OK;
}

klm_rc dt_file_merge(struct st_change *change, const struct dt_file *edited,
                     struct klm_slice base_text, struct dt_merge *out)
{
    return dt_file_merge_told(change, edited, base_text, NULL, out);
}

klm_rc dt_file_merge_told(struct st_change *change, const struct dt_file *edited,
                          struct klm_slice base_text, const struct dt_listener *listener,
                          struct dt_merge *out)
{
    static const struct dt_rows none;
    KLM_AUTO(dt_file_free) struct dt_file *base = NULL;
    struct merge m = {.change = change, .loud = true, .listener = listener};

    KLM_TRY(open_base(edited, base_text, &base));
    m.three_way = base != NULL;
    return run(&m, &edited->rows, base ? &base->rows : &none, out);
}

klm_rc dt_file_import(struct st_change *change, const struct dt_file *file, bool rewrite,
                      struct dt_merge *out)
{
    return dt_file_import_told(change, file, rewrite, NULL, out);
}

klm_rc dt_file_import_told(struct st_change *change, const struct dt_file *file, bool rewrite,
                           const struct dt_listener *listener, struct dt_merge *out)
{
    static const struct dt_rows none;
    struct merge m = {.change = change, .rewrite = rewrite, .listener = listener};

    return run(&m, &file->rows, &none, out);
}
