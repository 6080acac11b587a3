/* Reading a file of key usage events with libxml2's event interface: nothing is built up in
 * memory, the first thing that does not belong there ends it. */
#include "metadata/parts.h"

#include "base/file.h"

#include <libxml/parser.h>
#include <stddef.h>
#include <string.h>

#define CHUNK 65536
#define DATE_FIELD 6

/* Children of an event. keyAlias2 may come before keyAlias1, in fact any order will do. */
static const struct field {
    const char *name;
    size_t offset, cap;
} fields[] = {
    {"driveSSN", offsetof(struct md_usage, drive), sizeof(((struct md_usage *)0)->drive)},
    {"volSer", offsetof(struct md_usage, volser), sizeof(((struct md_usage *)0)->volser)},
    {"driveWWN", offsetof(struct md_usage, wwn), sizeof(((struct md_usage *)0)->wwn)},
    {"keyAlias2", offsetof(struct md_usage, alias2), sizeof(((struct md_usage *)0)->alias2)},
    {"keyAlias1", offsetof(struct md_usage, alias1), sizeof(((struct md_usage *)0)->alias1)},
    {"dki", offsetof(struct md_usage, dki), sizeof(((struct md_usage *)0)->dki)},
    [DATE_FIELD] = {"dateTime", 0, KLM_JAVA_DATE_MAX},
};

struct reader {
    xmlParserCtxtPtr parser;
    const char *name; /* of the file, for messages */
    md_usage_fn *fn;
    void *arg;
    struct klm_diag *diag;
    klm_rc rc;
    unsigned depth;            /* 1 inside the root, 2 inside an event, 3 inside a child */
    const struct field *field; /* the child that is open, NULL: one that is not ours */
    unsigned seen;             /* bit per field */
    struct md_usage usage;
    char text[128]; /* of the open child */
    size_t n;
};

/* The first failure is the one to tell; parsing ends. */
static void fail(struct reader *r, klm_rc rc, enum klm_msg_id id, const char *what)
{
    unsigned line = (unsigned)xmlSAX2GetLineNumber(r->parser);

    if (r->rc != KLM_OK) {
        return;
    }
    if (r->diag) {
        r->diag->line = line;
        r->diag->column = 0;
    }
    r->rc = klm_fail(r->diag, rc, id, r->name, KLM_NUM(line), what);
    xmlStopParser(r->parser);
}

static void refuse(struct reader *r, const char *what)
{
    fail(r, KLM_E_INVALID, KLM_MSG_XML_BAD, what);
}

/* Called at <!DOCTYPE, before anything of it is read: no entities, no other files, ever. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    fail(arg, KLM_E_INVALID, KLM_MSG_XML_DOCTYPE, "");
}

static void open_child(struct reader *r, const char *name)
{
    r->field = NULL;
    r->n = 0;
    for (size_t i = 0; i < KLM_COUNT(fields); i++) {
        if (strcmp(name, fields[i].name) == 0) {
            r->field = &fields[i];
            if (r->seen & (1u << i)) {
                refuse(r, "an element of the event is there twice");
            }
            r->seen |= 1u << i;
        }
    }
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **attrs)
{
    struct reader *r = arg;

    (void)attrs; /* none is known */
    if (r->rc != KLM_OK) {
        return;
    }
    switch (r->depth++) {
    case 0:
        if (strcmp((const char *)name, "KeyUsageEvents") != 0) {
            refuse(r, "the document is not KeyUsageEvents");
        }
        return;
    case 1:
        if (strcmp((const char *)name, "KeyUsageEvent") != 0) {
            refuse(r, "an element that is no KeyUsageEvent");
        }
        r->usage = (struct md_usage){0};
        r->seen = 0;
        return;
    case 2:
        open_child(r, (const char *)name);
        return;
    default:
        refuse(r, "elements are nested too deeply");
    }
}

static void close_child(struct reader *r)
{
    r->text[r->n] = '\0';
    if (!r->field) {
        return;
    }
    if (r->field == &fields[DATE_FIELD]) {
        if (klm_java_date_parse(r->text, &r->usage.time) != KLM_OK) {
            refuse(r, "dateTime is no date such as Tue Oct 18 19:35:08 GMT 2011");
        }
    } else {
        memcpy((char *)&r->usage + r->field->offset, r->text, r->n + 1);
    }
}

static void close_event(struct reader *r)
{
    klm_rc rc;

    if (!(r->seen & (1u << DATE_FIELD)) || !r->usage.drive[0]) {
        refuse(r, "an event without driveSSN or dateTime");
    } else if (!md_usage_ok(&r->usage)) {
        refuse(r, "an event with control characters");
    } else {
        rc = r->fn(r->arg, &r->usage);
        if (rc != KLM_OK && r->rc == KLM_OK) {
            r->rc = rc;
            xmlStopParser(r->parser);
        }
    }
}

static void on_end(void *arg, const xmlChar *name)
{
    struct reader *r = arg;

    (void)name; /* the parser has checked that it fits */
    if (r->rc != KLM_OK) {
        return;
    }
    switch (r->depth--) {
    case 2:
        close_event(r);
        return;
    case 3:
        close_child(r);
        return;
    default:
        return;
    }
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reader *r = arg;
    size_t n = (size_t)len;

    if (r->rc != KLM_OK) {
        return;
    }
    if (r->depth == 3) {
        if (!r->field) {
            return;
        }
        if (n >= r->field->cap - r->n) {
            refuse(r, "the text of an element is too long");
            return;
        }
        memcpy(r->text + r->n, text, n);
        r->n += n;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!strchr(" \t\r\n", text[i])) {
            refuse(r, "text outside of the elements of an event");
            return;
        }
    }
}

/* libxml2 keeps its last error; nothing is printed. */
static void __attribute__((format(printf, 2, 3))) on_error(void *arg, const char *fmt, ...)
{
    (void)arg;
    (void)fmt;
}

static void parse(struct reader *r, struct klm_slice text)
{
    bool more = true;

    for (size_t at = 0; more && r->rc == KLM_OK;) {
        size_t n = text.n - at < CHUNK ? text.n - at : CHUNK;

        more = n > 0; /* the last call, of nothing, says that this is all */
        if (xmlParseChunk(r->parser, more ? (const char *)text.p + at : "", (int)n, !more) != 0 &&
            r->rc == KLM_OK) {
            const xmlError *error = xmlCtxtGetLastError(r->parser);

            refuse(r, error && error->message ? error->message : "this is no well-formed XML");
        }
        at += n;
    }
}

static klm_rc read_text(struct klm_slice text, const char *name, md_usage_fn *fn, void *arg,
                        struct klm_diag *diag)
{
    xmlSAXHandler sax = {.internalSubset = on_doctype,
                         .startElement = on_start,
                         .endElement = on_end,
                         .characters = on_text,
                         .cdataBlock = on_text,
                         .ignorableWhitespace = on_text,
                         .warning = on_error,
                         .error = on_error,
                         .fatalError = on_error,
                         .initialized = 1};
    struct reader r = {.name = name, .fn = fn, .arg = arg, .diag = diag};

    r.parser = xmlCreatePushParserCtxt(&sax, &r, NULL, 0, NULL);
    if (!r.parser) {
        return KLM_E_NOMEM;
    }
    (void)xmlCtxtUseOptions(r.parser, XML_PARSE_NONET);
    parse(&r, text);
    xmlFreeParserCtxt(r.parser);
    return r.rc;
}

klm_rc md_xml_parse(struct klm_slice text, md_usage_fn *fn, void *arg, struct klm_diag *diag)
{
    return read_text(text, "Key usage XML", fn, arg, diag);
}

klm_rc md_xml_read(const char *path, size_t max, md_usage_fn *fn, void *arg, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    klm_buf_init(&buf, max);
    KLM_TRY(klm_file_read(path, max, &buf, diag));
    return read_text(klm_buf_as_slice(&buf), path, fn, arg, diag);
}
