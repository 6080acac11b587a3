/* What the files of this folder share: spelling rules, and drives as sorted rows of a file or of
 * the store. */
#ifndef DRIVETABLE_PARTS_H
#define DRIVETABLE_PARTS_H

#include "drivetable/dt.h"

#define DT_DRIVES_MAX 1000000           /* drives of a table */
#define DT_FILE_MAX (64u * 1024 * 1024) /* bytes of filedrive.table */
#define DT_CERT_MAX 16384               /* bytes of a pending drive's certificate */

/* Bring to its one spelling in place; false when it is not well formed. */
bool dt_volser_fix(char *volser);
bool dt_fingerprint_fix(char *fingerprint);
/* A key label, alias or key group: at most 64 bytes of printable UTF-8. */
bool dt_label_ok(const char *label);
/* Every field well formed and in its one spelling. KLM_E_INVALID. */
klm_rc dt_drive_check(const struct dt_drive *drive) KLM_MUST_USE;
klm_rc dt_pending_check(const struct dt_pending *pending) KLM_MUST_USE;

/* Add or replace, without asking what is there. */
klm_rc dt_put(struct st_change *change, const struct dt_drive *drive) KLM_MUST_USE;

struct dt_row {
    struct dt_drive drive;
    unsigned line; /* of the file, 0: from the store */
};
struct dt_rows {
    struct dt_row *row; /* in the order of serial numbers once sorted */
    size_t n, cap;
};
/* One more row, zeroed; KLM_E_LIMIT, KLM_E_NOMEM. */
klm_rc dt_rows_add(struct dt_rows *rows, struct dt_row **out) KLM_MUST_USE;
/* By serial number, then by line. */
void dt_rows_sort(struct dt_rows *rows);
void dt_rows_free(struct dt_rows *rows);
/* The drives of the store, sorted; damaged ones are named in a message and left out. */
klm_rc dt_rows_load(struct st_view *view, struct dt_rows *rows) KLM_MUST_USE;

struct dt_file {
    uint64_t generation;
    bool intact;
    struct dt_rows rows; /* sorted, each serial number once */
};

#endif
