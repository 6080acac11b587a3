/* A report as a file in the folder of the operators' files: written as it comes, so that its length costs no memory; temporary name,
 * sync, rename. */
#ifndef REPLICATION_REPORT_H
#define REPLICATION_REPORT_H

#include "base/buf.h"
#include "base/msg.h"

struct repl_report;
/* Begin folder/name. KLM_E_IO with a message. */
klm_rc repl_report_open(const char *folder, const char *name, struct klm_diag *diag,
                        struct repl_report **out) KLM_MUST_USE;
/* Add a line; control characters in it become '.'. A failure shows at the end. */
void repl_report_line(struct repl_report *report, const char *text);
/* Bring it to disk under its name. On failure nothing is left. */
klm_rc repl_report_finish(struct repl_report *report, struct klm_diag *diag) KLM_MUST_USE;
/* Its path, borrowed. */
const char *repl_report_path(const struct repl_report *report);
/* Also takes away what was not finished. */
void repl_report_free(struct repl_report **report);

#endif
