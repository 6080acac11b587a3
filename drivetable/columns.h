/* A drive as a line of filedrive.table. */
#ifndef DRIVETABLE_COLUMNS_H
#define DRIVETABLE_COLUMNS_H

#include "drivetable/words.h"

/* Append a drive as a line of filedrive.table. */
void dt_columns_put(struct klm_buf *out, const struct dt_drive *drive);
/* The comment that names the columns. */
void dt_columns_heading(struct klm_buf *out);
/* The columns of a line, its first word read already, into a zeroed drive. KLM_E_INVALID with
 * line and column. */
klm_rc dt_columns_read(struct dt_reader *reader, struct dt_word *first, struct dt_drive *drive)
    KLM_MUST_USE;

#endif
