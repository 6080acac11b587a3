/* Drives: who may ask for keys, with which aliases. The store holds the drives; the server works
 * on an immutable in-memory table that is swapped as a whole; filedrive.table is a view of both
 * that operators may read and edit (drivetable/FORMAT.md). */
#ifndef DRIVETABLE_DT_H
#define DRIVETABLE_DT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"
#include "store/st.h"

#define DT_SERIAL 12
#define DT_ALIAS_MAX 64

enum dt_kind { DT_3592, DT_LTO, DT_DS8000 };
const char *dt_kind_name(enum dt_kind kind); /* "3592", "LTO", "DS8000" */
/* From that name, in any case. KLM_E_INVALID. */
klm_rc dt_kind_parse(const char *s, enum dt_kind *out) KLM_MUST_USE;

struct dt_drive {
    char serial[DT_SERIAL + 1]; /* 12 characters: upper-case letters and digits */
    char wwn[17];               /* 16 upper-case hex digits, or "" not known yet */
    enum dt_kind kind;
    char alias1[DT_ALIAS_MAX + 1], alias2[DT_ALIAS_MAX + 1]; /* "" none */
    char symalias[DT_ALIAS_MAX + 1]; /* symmetric alias or key group, "" none */
    char fingerprint[65]; /* SHA-256 of its certificate, lower-case hex; "" not pinned yet */
    klm_time first_contact, last_contact; /* 0: never */
    char last_volser[7];
};

/* Serial number as typed: 10 digits get "00" in front; letters become upper case; 12 characters
 * of A-Z and 0-9. KLM_E_INVALID with a message. */
klm_rc dt_serial(const char *typed, char out[DT_SERIAL + 1], struct klm_diag *diag) KLM_MUST_USE;
/* World wide name as typed: 16 hex digits, also with colons; upper case out. */
klm_rc dt_wwn(const char *typed, char out[17], struct klm_diag *diag) KLM_MUST_USE;

/* ---- Store records */
klm_rc dt_get(struct st_view *view, const char *serial, struct dt_drive *out) KLM_MUST_USE;
/* KLM_E_EXISTS. */
klm_rc dt_add(struct st_change *change, const struct dt_drive *drive) KLM_MUST_USE;
/* KLM_E_NOTFOUND. */
klm_rc dt_modify(struct st_change *change, const struct dt_drive *drive) KLM_MUST_USE;
klm_rc dt_delete(struct st_change *change, const char *serial) KLM_MUST_USE;
typedef klm_rc dt_visit_fn(void *arg, const struct dt_drive *drive);
klm_rc dt_scan(struct st_view *view, dt_visit_fn *visit, void *arg) KLM_MUST_USE;

/* ---- Pending drives: callers that are not in the table, bounded by max (the oldest is NOT
 * pushed out: KLM_E_LIMIT). put replaces the entry of the same serial number as a whole: who
 * counts contacts gets it first. */
struct dt_pending {
    char serial[DT_SERIAL + 1], wwn[17];
    enum dt_kind kind;
    char fingerprint[65];
    char address[96];
    klm_time first_contact, last_contact;
    uint64_t contacts;
    struct klm_slice cert; /* DER it showed, or empty */
};
klm_rc dt_pending_put(struct st_change *change, const struct dt_pending *pending, unsigned max)
    KLM_MUST_USE;
klm_rc dt_pending_get(struct st_view *view, const char *serial, struct klm_pool *pool,
                      struct dt_pending *out) KLM_MUST_USE;
klm_rc dt_pending_delete(struct st_change *change, const char *serial) KLM_MUST_USE;
typedef klm_rc dt_pending_fn(void *arg, const struct dt_pending *pending);
klm_rc dt_pending_scan(struct st_view *view, dt_pending_fn *fn, void *arg) KLM_MUST_USE;

/* ---- The table in memory: immutable, counted, hash by serial. Changing one drive makes a new
 * table in O(1) amortised (shared structure), so that 100,000 drives cost no more than ten. */
struct dt_table;
klm_rc dt_table_load(struct st_view *view, struct klm_diag *diag, struct dt_table **out)
    KLM_MUST_USE;
/* A new table with one drive put (added or replaced) or removed. */
klm_rc dt_table_with(const struct dt_table *table, const struct dt_drive *drive,
                     struct dt_table **out) KLM_MUST_USE;
klm_rc dt_table_without(const struct dt_table *table, const char *serial, struct dt_table **out)
    KLM_MUST_USE;
struct dt_table *dt_table_ref(struct dt_table *table);
void dt_table_free(struct dt_table **table);
size_t dt_table_count(const struct dt_table *table);
/* Borrowed, as long as the table is held. KLM_E_NOTFOUND. */
klm_rc dt_table_find(const struct dt_table *table, const char *serial, const struct dt_drive **out)
    KLM_MUST_USE;
/* All drives by serial number. */
klm_rc dt_table_scan(const struct dt_table *table, dt_visit_fn *visit, void *arg) KLM_MUST_USE;
/* Last contact and volser are no durable part of a read: remember them here (any thread, no lock
 * held for long) and flush them lazily into a change. */
struct dt_contacts;
klm_rc dt_contacts_new(struct dt_contacts **out) KLM_MUST_USE;
void dt_contacts_note(struct dt_contacts *contacts, const char *serial, klm_time when,
                      const char *volser);
/* Writes what was noted into a change (at most max drives) and forgets it; *n is how many. */
klm_rc dt_contacts_flush(struct dt_contacts *contacts, struct st_change *change, size_t max,
                         size_t *n) KLM_MUST_USE;
void dt_contacts_free(struct dt_contacts **contacts);

/* ---- filedrive.table */
/* The whole table as text: header with generation number and digest of itself, then a line a
 * drive. */
klm_rc dt_file_encode(struct st_view *view, uint64_t generation, struct klm_buf *out) KLM_MUST_USE;
struct dt_file; /* a parsed file */
/* KLM_E_INVALID with line and column when it is damaged (bad serial, duplicate serial, cut
 * short, NUL, not text). CRLF is accepted. Limit 64 MiB, 1,000,000 drives. */
klm_rc dt_file_decode(struct klm_slice text, struct klm_diag *diag, struct dt_file **out)
    KLM_MUST_USE;
bool dt_file_intact(const struct dt_file *file); /* the digest fits: nobody edited it */
uint64_t dt_file_generation(const struct dt_file *file);
size_t dt_file_count(const struct dt_file *file);
void dt_file_free(struct dt_file **file);
/* Bring an operator's edit into the store: three ways against base (the text of the generation
 * it names; empty when lost: then two ways, additions and changes only, no removals). Each
 * difference is said as a message through say; a drive changed on both sides keeps the store's
 * and is reported as a conflict. */
struct dt_merge {
    size_t added, changed, removed, conflicts;
};
/* Hears of each change of a merge or import as it comes into the store: before or after is NULL when the drive was not there or is
 * gone. Its failure takes all of it back. */
typedef klm_rc dt_told_fn(void *arg, const struct dt_drive *before, const struct dt_drive *after);
struct dt_listener {
    dt_told_fn *told;
    void *arg;
};
klm_rc dt_file_merge(struct st_change *change, const struct dt_file *edited,
                     struct klm_slice base_text, struct dt_merge *out) KLM_MUST_USE;
klm_rc dt_file_merge_told(struct st_change *change, const struct dt_file *edited,
                          struct klm_slice base_text, const struct dt_listener *listener,
                          struct dt_merge *out) KLM_MUST_USE;
/* import -merge (add or replace entries) and -rewrite (replace all). A drive that is here keeps
 * its world wide name and pinned certificate where the file has none, and the later of both last
 * contacts. Nothing is said; out tells how many. */
klm_rc dt_file_import(struct st_change *change, const struct dt_file *file, bool rewrite,
                      struct dt_merge *out) KLM_MUST_USE;
klm_rc dt_file_import_told(struct st_change *change, const struct dt_file *file, bool rewrite,
                           const struct dt_listener *listener, struct dt_merge *out) KLM_MUST_USE;

#endif
