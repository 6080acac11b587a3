#include "metadata/sax.h"

#include <libxml/parser.h>
#include <string.h>

#define CHUNK 65536

unsigned md_sax_line(const struct md_sax *sax)
{
    return (unsigned)xmlSAX2GetLineNumber(sax->parser);
}

/* The first failure is the one to tell; parsing ends. */
static void fail(struct md_sax *sax, klm_rc rc, enum klm_msg_id id, const char *what)
{
    unsigned line = md_sax_line(sax), column = (unsigned)xmlSAX2GetColumnNumber(sax->parser);

    if (sax->rc != KLM_OK) {
        return;
    }
    sax->rc = klm_fail(sax->diag, rc, id, sax->name, KLM_NUM(line), what, KLM_NUM(column));
    if (sax->diag) {
        sax->diag->line = line;
        sax->diag->column = column;
    }
    xmlStopParser(sax->parser);
}

void md_sax_refuse(struct md_sax *sax, const char *what)
{
    fail(sax, KLM_E_INVALID, sax->bad, what);
}

void md_sax_end(struct md_sax *sax, klm_rc rc)
{
    if (rc != KLM_OK && sax->rc == KLM_OK) {
        sax->rc = rc;
        xmlStopParser(sax->parser);
    }
}

void md_sax_blank(struct md_sax *sax, const char *text, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        if (!strchr(" \t\r\n", text[i])) {
            md_sax_refuse(sax, what);
            return;
        }
    }
}

/* Called at <!DOCTYPE, before anything of it is read: no entities, no other files, ever. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    struct md_sax *sax = arg;

    (void)name;
    (void)external;
    (void)system;
    fail(sax, KLM_E_INVALID, sax->doctype, "");
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attrs)
{
    struct md_sax *sax = arg;

    if (sax->rc == KLM_OK) {
        sax->open(sax, sax->depth++, (const char *)name, (const char **)attrs);
    }
}

static void on_end(void *arg, const xmlChar *name)
{
    struct md_sax *sax = arg;

    (void)name; /* the parser has checked that it fits */
    if (sax->rc == KLM_OK) {
        sax->close(sax, --sax->depth);
    }
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct md_sax *sax = arg;

    if (sax->rc == KLM_OK && sax->depth > 0) {
        sax->text(sax, sax->depth - 1, (const char *)text, (size_t)len);
    }
}

/* libxml2 keeps its last error; nothing is printed. */
static void __attribute__((format(printf, 2, 3))) on_error(void *arg, const char *fmt, ...)
{
    (void)arg;
    (void)fmt;
}

/* What the parser says of a text that is cut short reads as if there were too much of it. */
static const char *why(const struct md_sax *sax, bool more)
{
    const xmlError *error = xmlCtxtGetLastError(sax->parser);

    if (!more && sax->depth > 0) {
        return "the end of the file is missing: an element is not closed";
    }
    return error && error->message ? error->message : "this is no well-formed XML";
}

static void parse(struct md_sax *sax, struct klm_slice text)
{
    bool more = true;

    for (size_t at = 0; more && sax->rc == KLM_OK;) {
        size_t n = text.n - at < CHUNK ? text.n - at : CHUNK;

        more = n > 0; /* the last call, of nothing, says that this is all */
        if (xmlParseChunk(sax->parser, more ? (const char *)text.p + at : "", (int)n, !more) != 0 &&
            sax->rc == KLM_OK) {
            md_sax_refuse(sax, why(sax, more));
        }
        at += n;
    }
}

klm_rc md_sax_read(struct md_sax *sax, struct klm_slice text)
{
    xmlSAXHandler handler = {.internalSubset = on_doctype,
                             .startElement = on_start,
                             .endElement = on_end,
                             .characters = on_text,
                             .cdataBlock = on_text,
                             .ignorableWhitespace = on_text,
                             .warning = on_error,
                             .error = on_error,
                             .fatalError = on_error,
                             .initialized = 1};

    sax->parser = xmlCreatePushParserCtxt(&handler, sax, NULL, 0, NULL);
    if (!sax->parser) {
        return KLM_E_NOMEM;
    }
    (void)xmlCtxtUseOptions(sax->parser, XML_PARSE_NONET);
    parse(sax, text);
    xmlFreeParserCtxt(sax->parser);
    sax->parser = NULL;
    return sax->rc;
}
