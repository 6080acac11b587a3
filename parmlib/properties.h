/* The syntax of Java properties files (java.util.Properties, load), without any meaning: names and
 * values in file order, with the bytes each came from, so that one line can be changed and all
 * others kept. */
#ifndef PARMLIB_PROPERTIES_H
#define PARMLIB_PROPERTIES_H

#include "base/buf.h"
#include "base/msg.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>

#define PARM_FILE_MAX (1u << 20) /* bytes of a file */
#define PARM_LINE_MAX (1u << 16) /* bytes of a logical line, its continuations counted */
#define PARM_ENTRIES_MAX 10000u

struct parm_entry {
    const char *name, *value; /* UTF-8, escapes resolved */
    unsigned line;            /* number of its first line, from 1 */
    size_t begin, end;        /* its bytes in the text, from indentation to line ending */
};
struct parm_entries {
    struct parm_entry *at;
    size_t n;
    bool open_end; /* the last line goes on at the end of the text: no line ending, or a
                      continuation */
};

/* Read a text into the pool. Text that is not UTF-8 as a whole is ISO 8859-1. file is for messages.
 * KLM_E_INVALID (with line and column), KLM_E_LIMIT, KLM_E_NOMEM. */
klm_rc parm_properties_read(struct klm_slice text, const char *file, struct klm_pool *pool,
                            struct klm_diag *diag, struct parm_entries *out) KLM_MUST_USE;
/* Well-formed UTF-8 throughout. */
bool parm_is_utf8(struct klm_slice text);
/* Append "name=value" without a line ending, escaped so that every reader gets the same strings
 * back. */
void parm_properties_put(struct klm_buf *buf, const char *name, const char *value);
/* Append to out the text with one property set, or taken out (value NULL): the line that counts is
 * replaced, a new one appended, and all other bytes stay. KLM_E_NOTFOUND: nothing to take out.
 * KLM_E_INVALID, KLM_E_LIMIT: the text, before or after, cannot be read. KLM_E_INTERNAL: read
 * again, more than the one property differs. */
klm_rc parm_properties_change(struct klm_slice text, const char *file, const char *name,
                              const char *value, struct klm_diag *diag, struct klm_buf *out)
    KLM_MUST_USE;
/* The line ending that a text uses: that of its first line, "\n" when it has none. */
const char *parm_properties_eol(struct klm_slice text);

#endif
