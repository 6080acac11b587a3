/* Inside of this folder: a strict XML reader on libxml2's event interface. Nothing is built up in memory; the first thing that does not belong there ends
 * it. No document type, no entities, no other files, no network. */
#ifndef METADATA_SAX_H
#define METADATA_SAX_H

#include "base/buf.h"
#include "base/msg.h"

struct md_sax {
    const char *name;             /* of the file, for messages */
    enum klm_msg_id bad, doctype; /* their inserts: name, line, what is wrong, column */
    struct klm_diag *diag;
    void *arg;
    /* An element begins; depth is 0 for the root. attrs: name, value, ..., NULL, or NULL. */
    void (*open)(struct md_sax *sax, unsigned depth, const char *element, const char **attrs);
    /* It ends. */
    void (*close)(struct md_sax *sax, unsigned depth);
    /* Some of the text in an element of this depth; an element's text may come in pieces. */
    void (*text)(struct md_sax *sax, unsigned depth, const char *text, size_t n);
    /* The reader's own */
    void *parser;
    unsigned depth;
    klm_rc rc; /* first failure */
};
/* Read a whole document. */
klm_rc md_sax_read(struct md_sax *sax, struct klm_slice text) KLM_MUST_USE;
/* Refuse it here, with line and column; the first refusal counts. */
void md_sax_refuse(struct md_sax *sax, const char *what);
/* End with an outcome of the caller's. */
void md_sax_end(struct md_sax *sax, klm_rc rc);
/* Line and column of the parser. */
unsigned md_sax_line(const struct md_sax *sax);
/* Text that is white space only, else refuse with these words. */
void md_sax_blank(struct md_sax *sax, const char *text, size_t n, const char *what);

#endif
