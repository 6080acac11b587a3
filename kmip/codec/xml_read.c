/* XML to trees with libxml2's event interface: no document is built, the first thing that does not belong there ends it. */
#include "kmip/codec/text.h"
#include "kmip/codec/xml.h"

#include <libxml/parser.h>
#include <string.h>

struct reader {
    xmlParserCtxtPtr parser;
    struct klm_pool *pool;
    struct kmip_limits left;                    /* depth and items that may still come */
    struct kmip_node *open[KMIP_DEPTH_MAX + 1]; /* Structures that are open, and one item */
    unsigned depth;
    struct kmip_node *root;
    klm_rc rc;
};

static void fail(struct reader *r, klm_rc rc)
{
    if (r->rc == KLM_OK) {
        r->rc = rc;
        xmlStopParser(r->parser);
    }
}

static const char *attribute(const xmlChar **attrs, const char *name)
{
    for (; attrs && attrs[0]; attrs += 2) {
        if (strcmp((const char *)attrs[0], name) == 0) {
            return (const char *)attrs[1];
        }
    }
    return NULL;
}

static bool known_attributes(const xmlChar **attrs)
{
    static const char *const known[] = {"tag", "name", "type", "value"};
    bool all = true;

    for (; all && attrs && attrs[0]; attrs += 2) {
        all = false;
        for (size_t i = 0; i < KLM_COUNT(known); i++) {
            all |= strcmp((const char *)attrs[0], known[i]) == 0;
        }
    }
    return all;
}

/* <Name ...>, or <TTLV tag="0x54A001" ...> for what has no name. */
static klm_rc tag_of(const char *element, const xmlChar **attrs, uint32_t *tag)
{
    const char *number = attribute(attrs, "tag");

    if (strcmp(element, "TTLV") == 0) {
        return number ? kmip_tag_parse(number, tag) : KLM_E_INVALID;
    }
    return number ? KLM_E_INVALID : kmip_tag_parse(element, tag);
}

static klm_rc begin_item(struct reader *r, const char *element, const xmlChar **attrs)
{
    const char *type_name = attribute(attrs, "type"), *value = attribute(attrs, "value");
    const struct kmip_type_row *type = kmip_type_find(type_name ? type_name : "Structure");
    struct kmip_node *parent = r->depth ? r->open[r->depth - 1] : NULL, *node;
    uint32_t tag;

    KLM_TRY(tag_of(element, attrs, &tag));
    if (!type || !known_attributes(attrs) || (parent && parent->type != KMIP_STRUCTURE) ||
        (type->type == KMIP_STRUCTURE) != !value) {
        return KLM_E_INVALID;
    }
    /* One that is no Structure may stand in the innermost. */
    if (r->left.items == 0 || r->depth >= r->left.depth + (value != NULL)) {
        return KLM_E_LIMIT;
    }
    r->left.items--;
    node = kmip_item(r->pool, parent, tag, type->type);
    if (!node) {
        return KLM_E_NOMEM;
    }
    r->root = parent ? r->root : node;
    r->open[r->depth++] = node;
    return value ? kmip_value_parse(r->pool, node, parent, value) : KLM_OK;
}

static void on_start(void *arg, const xmlChar *element, const xmlChar **attrs)
{
    struct reader *r = arg;
    klm_rc rc = r->rc == KLM_OK ? begin_item(r, (const char *)element, attrs) : KLM_OK;

    if (rc != KLM_OK) {
        fail(r, rc);
    }
}

static void on_end(void *arg, const xmlChar *element)
{
    struct reader *r = arg;

    (void)element; /* the parser has checked that it fits */
    if (r->rc == KLM_OK) {
        r->depth--;
    }
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    for (int i = 0; i < len; i++) {
        if (!strchr(" \t\r\n", text[i])) {
            fail(arg, KLM_E_INVALID);
            return;
        }
    }
}

/* Called at <!DOCTYPE, before anything of it is read: no entities, no other files, ever. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    fail(arg, KLM_E_INVALID);
}

/* Nothing is printed: a stranger's mistake is told by the outcome. */
static void __attribute__((format(printf, 2, 3))) on_error(void *arg, const char *fmt, ...)
{
    (void)fmt;
    fail(arg, KLM_E_INVALID);
}

static void on_warning(void *arg, const char *fmt, ...)
{
    (void)arg;
    (void)fmt;
}

/* ---- Before the parser: it compares each attribute of an element with all others of it, so that a tag of a megabyte would cost it ten seconds. An item has two or three. */

#define ATTRIBUTES_MAX 8

static size_t behind(struct klm_slice in, size_t at, const char *what)
{
    const uint8_t *found =
        memmem(in.p + at, in.n - at, what, strlen(what)); /* NULL: it never ends, the parser says */

    return found ? (size_t)(found - in.p) + strlen(what) : in.n;
}

static bool starts(struct klm_slice in, size_t at, const char *what)
{
    return in.n - at >= strlen(what) && memcmp(in.p + at, what, strlen(what)) == 0;
}

/* From behind the '<' of a tag to behind its '>'; '>' may stand in a value. */
static klm_rc skip_tag(struct klm_slice in, size_t *at)
{
    unsigned values = 0;

    while (*at < in.n && in.p[*at] != '>') {
        const uint8_t c = in.p[(*at)++];

        if (c == '"' || c == '\'') {
            const char end[] = {(char)c, '\0'};

            *at = behind(in, *at, end);
            if (++values > ATTRIBUTES_MAX) {
                return KLM_E_INVALID;
            }
        }
    }
    return KLM_OK;
}

/* No tag with many attributes, and of what begins with "<!" comments alone: a document type or a section of text has no place in a message, and could hide a tag. */
static klm_rc look_ahead(struct klm_slice in)
{
    size_t at = 0;

    while ((at = behind(in, at, "<")) < in.n) {
        if (starts(in, at, "!--")) {
            at = behind(in, at + 3, "-->");
        } else if (starts(in, at, "?")) {
            at = behind(in, at, "?>");
        } else if (in.p[at] == '!') {
            return KLM_E_INVALID;
        } else {
            KLM_TRY(skip_tag(in, &at));
        }
    }
    return KLM_OK;
}

/* Parse it all; libxml2 takes an int. It is read as UTF-8, whatever its declaration says. */
static void parse(struct reader *r, struct klm_slice in)
{
    xmlSAXHandler events = {.startElement = on_start,
                            .endElement = on_end,
                            .characters = on_text,
                            .ignorableWhitespace = on_text,
                            .cdataBlock = on_text,
                            .internalSubset = on_doctype,
                            .warning = on_warning,
                            .error = on_error,
                            .fatalError = on_error};

    r->parser = xmlCreatePushParserCtxt(&events, r, NULL, 0, NULL);
    if (!r->parser) {
        r->rc = KLM_E_NOMEM;
        return;
    }
    /* NOENT: &amp; and its kin are replaced; there are no others, since a document type ends it. */
    (void)xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOERROR |
                                           XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
    (void)xmlParseChunk(r->parser, (const char *)in.p, (int)in.n, 1);
    if (r->rc == KLM_OK && (!r->parser->wellFormed || r->depth != 0)) {
        r->rc = KLM_E_INVALID;
    }
    xmlFreeParserCtxt(r->parser);
}

klm_rc kmip_xml_decode(struct klm_slice in, const struct kmip_limits *limits, struct klm_pool *pool,
                       struct kmip_node **out)
{
    struct reader r = {.pool = pool, .left = kmip_limits_of(limits)};

    if (in.n > r.left.bytes || in.n > INT32_MAX) {
        return KLM_E_LIMIT;
    }
    r.left.depth = r.left.depth < KMIP_DEPTH_MAX ? r.left.depth : KMIP_DEPTH_MAX;
    if (!kmip_text_ok(in)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(look_ahead(in));
    parse(&r, in);
    KLM_TRY(r.rc);
    *out = r.root;
    return r.root ? KLM_OK : KLM_E_INVALID;
}
