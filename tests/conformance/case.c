/* Cases are read with libxml2, since a file holds several messages and values that are none yet; each message then goes through the codec. */
#include "tests/conformance/case.h"

#include "base/file.h"
#include "kmip/codec/xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (16u << 20)
#define MOMENT ((int64_t)1 << 62) /* $NOW, as a date */
#define MOMENT_REACH ((int64_t)1 << 40)

static klm_rc refuse(char why[CF_WHY_MAX], const char *what)
{
    snprintf(why, CF_WHY_MAX, "%s", what);
    return KLM_E_INVALID;
}

/* ---- Variables */

static bool is_name(const char *p, size_t n)
{
    if (n < 2 || p[0] != '$') {
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        if (!((p[i] >= 'A' && p[i] <= 'Z') ||
              (i > 1 && ((p[i] >= '0' && p[i] <= '9') || p[i] == '_')))) {
            return false;
        }
    }
    return true;
}

bool cf_variable(const struct kmip_node *node, struct klm_slice *name)
{
    if ((node->type != KMIP_TEXT && node->type != KMIP_BYTES) ||
        !is_name((const char *)node->bytes.p, node->bytes.n)) {
        return false;
    }
    *name = node->bytes;
    return true;
}

bool cf_moment(const struct kmip_node *node, int64_t *seconds)
{
    if ((node->type != KMIP_DATE_TIME && node->type != KMIP_DATE_TIME_EXTENDED) ||
        node->number < MOMENT - MOMENT_REACH || node->number > MOMENT + MOMENT_REACH) {
        return false;
    }
    *seconds = node->number - MOMENT;
    return true;
}

/* "$NOW", "$NOW-3600" or "$NOW+60" as the date that stands for it. */
static bool moment_text(const char *value, char out[20])
{
    char *end = NULL;
    long long seconds = 0;

    if (strncmp(value, "$NOW", 4) != 0) {
        return false;
    }
    if (value[4] != '\0') {
        seconds = strtoll(value + 4, &end, 10);
        if (*end != '\0' || llabs(seconds) > MOMENT_REACH) {
            return false;
        }
    }
    snprintf(out, 20, "0x%016llX", (unsigned long long)(MOMENT + seconds));
    return true;
}

/* Put what stands for a variable into the value of an element. */
static void settle(xmlNodePtr element, struct klm_pool *pool)
{
    xmlChar *type = xmlGetProp(element, (const xmlChar *)"type");
    xmlChar *value = xmlGetProp(element, (const xmlChar *)"value");
    char moment[20];

    if (type && value && value[0] == '$') {
        if (moment_text((const char *)value, moment)) {
            xmlSetProp(element, (const xmlChar *)"value", (const xmlChar *)moment);
        } else if (strcmp((const char *)type, "ByteString") == 0) {
            size_t n = strlen((const char *)value);
            char *hex = klm_pool_alloc(pool, 2 * n + 1);

            if (hex) {
                klm_hex(value, n, hex);
                xmlSetProp(element, (const xmlChar *)"value", (const xmlChar *)hex);
            }
        }
    }
    xmlFree(type);
    xmlFree(value);
}

static void settle_all(xmlNodePtr element, struct klm_pool *pool)
{
    settle(element, pool);
    for (xmlNodePtr child = element->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            settle_all(child, pool);
        }
    }
}

/* ---- Messages */

static void drop_comments(xmlNodePtr element)
{
    for (xmlNodePtr child = element->children, next; child; child = next) {
        next = child->next;
        if (child->type == XML_COMMENT_NODE) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        } else if (child->type == XML_ELEMENT_NODE) {
            drop_comments(child);
        }
    }
}

static klm_rc decode_message(xmlNodePtr element, struct klm_pool *pool, struct kmip_node **out)
{
    xmlBufferPtr text = xmlBufferCreate();
    klm_rc rc = KLM_E_NOMEM;

    drop_comments(element);
    settle_all(element, pool);
    if (text && xmlNodeDump(text, element->doc, element, 0, 0) >= 0) {
        struct klm_slice in = KLM_SLICE(xmlBufferContent(text), (size_t)xmlBufferLength(text));

        rc = kmip_xml_decode(in, NULL, pool, out);
    }
    xmlBufferFree(text);
    return rc;
}

struct reading {
    struct klm_pool *pool;
    struct cf_pair pairs[CF_PAIRS_MAX];
    size_t requests, answers;
    char *why;
};

static klm_rc take_message(struct reading *r, xmlNodePtr element)
{
    bool request = strcmp((const char *)element->name, "RequestMessage") == 0;
    struct kmip_node *node;
    klm_rc rc;

    if (!request && strcmp((const char *)element->name, "ResponseMessage") != 0) {
        snprintf(r->why, CF_WHY_MAX, "line %ld: %s is no message", xmlGetLineNo(element),
                 (const char *)element->name);
        return KLM_E_INVALID;
    }
    rc = decode_message(element, r->pool, &node);
    if (rc != KLM_OK) {
        snprintf(r->why, CF_WHY_MAX, "line %ld: the message cannot be read: %s",
                 xmlGetLineNo(element), klm_rc_text(rc));
        return rc;
    }
    if (r->requests == CF_PAIRS_MAX || (!request && r->answers == r->requests)) {
        return refuse(r->why, request ? "too many messages" : "an answer without a request");
    }
    if (request) {
        r->pairs[r->requests++].request = node;
    } else {
        r->pairs[r->answers++].expected = node;
    }
    return KLM_OK;
}

static klm_rc take_messages(struct reading *r, xmlDocPtr doc)
{
    xmlNodePtr root = xmlDocGetRootElement(doc);

    if (!root) {
        return refuse(r->why, "it holds nothing");
    }
    for (xmlNodePtr child = root->children, next; child; child = next) {
        next = child->next;
        if (child->type == XML_ELEMENT_NODE) {
            KLM_TRY(take_message(r, child));
        }
    }
    if (r->requests == 0 || r->requests != r->answers) {
        return refuse(r->why, "requests and answers do not pair up");
    }
    return KLM_OK;
}

/* libxml2 would print what it thinks of a file. */
static void __attribute__((format(printf, 2, 3))) say_nothing(void *arg, const char *fmt, ...)
{
    (void)arg;
    (void)fmt;
}

klm_rc cf_case_parse(struct klm_slice in, const char *name, struct klm_pool *pool,
                     struct cf_case *out, char why[CF_WHY_MAX])
{
    struct reading *r = klm_pool_alloc(pool, sizeof(*r));
    xmlDocPtr doc;
    klm_rc rc;

    if (!r) {
        return KLM_E_NOMEM;
    }
    r->pool = pool;
    r->why = why;
    xmlSetGenericErrorFunc(NULL, say_nothing);
    doc = xmlReadMemory((const char *)in.p, (int)in.n, name, "UTF-8",
                        XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR |
                            XML_PARSE_NOWARNING);
    if (!doc || xmlGetIntSubset(doc)) {
        rc = refuse(why, "it is not well-formed XML");
    } else {
        rc = take_messages(r, doc);
    }
    xmlFreeDoc(doc);
    if (rc == KLM_OK) {
        *out = (struct cf_case){.pairs = r->pairs, .n = r->requests};
        snprintf(out->name, sizeof(out->name), "%s", name);
        if (kmip_version_of(r->pairs[0].request, &out->version) != KLM_OK) {
            rc = refuse(why, "its first request has no version");
        }
    }
    return rc;
}

void cf_case_name(const char *path, char out[CF_NAME_MAX])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);

    n = n > 4 && strcmp(base + n - 4, ".xml") == 0 ? n - 4 : n;
    snprintf(out, CF_NAME_MAX, "%.*s", (int)n, base);
}

klm_rc cf_case_read(const char *path, struct klm_pool *pool, struct cf_case *out,
                    char why[CF_WHY_MAX])
{
    struct klm_diag diag = {0};
    struct klm_buf text;
    char name[CF_NAME_MAX];
    klm_rc rc;

    cf_case_name(path, name);
    klm_buf_init(&text, FILE_MAX);
    rc = klm_file_read(path, FILE_MAX, &text, &diag);
    if (rc == KLM_OK) {
        rc = cf_case_parse(klm_buf_as_slice(&text), name, pool, out, why);
    } else {
        snprintf(why, CF_WHY_MAX, "the file cannot be read: %s", klm_rc_text(rc));
    }
    klm_buf_done(&text);
    if (rc == KLM_OK) {
        out->path = klm_pool_str(pool, path);
    }
    return rc;
}

/* ---- Trees */

uint32_t cf_meaning(const struct kmip_node *node, const struct kmip_node *parent)
{
    const struct kmip_node *name = kmip_child(parent, KMIP_TAG_AttributeName);
    const struct kmip_attr_row *row;

    if (node->tag != KMIP_TAG_AttributeValue || !name) {
        return node->tag;
    }
    row = kmip_attr_find(name->bytes);
    return row ? row->tag : 0;
}

const struct kmip_node *cf_find(const struct kmip_node *node, uint32_t tag)
{
    const struct kmip_node *found = NULL;

    if (!node || node->tag == tag) {
        return node;
    }
    if (node->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = node->first; child && !found; child = child->next) {
            found = cf_find(child, tag);
        }
    }
    return found;
}
