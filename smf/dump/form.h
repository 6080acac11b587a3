/* Events as text: flat text of fixed columns in the manner of IRRADU00, CSV, JSON lines. All three have the columns of columns.def and
 * fields.def, in that order. */
#ifndef SMF_DUMP_FORM_H
#define SMF_DUMP_FORM_H

#include "base/buf.h"
#include "smf/dump/event.h"

enum smfd_form { SMFD_BINARY, SMFD_TEXT, SMFD_CSV, SMFD_JSON };

/* The line before the first event (the header of CSV). */
klm_rc smfd_form_head(enum smfd_form form, struct klm_buf *out) KLM_MUST_USE;
/* One event as a line. Flat text has a question mark for every character that is not ASCII, and cuts what is too long. CSV follows RFC
 * 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe. */
klm_rc smfd_form_event(enum smfd_form form, const struct smfd_event *event, struct klm_buf *out)
    KLM_MUST_USE;
/* Name of a field as a column: "volser". out: at least 32 bytes. */
void smfd_field_name(enum smf_field field, char *out, size_t cap);
/* Keyword of a kind ("runtime"); NULL: none. */
const char *smfd_kind_name(unsigned kind);

#endif
