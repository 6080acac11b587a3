/* Subject names: "CN=ITOperations,O=MyCo,C=US" to an X.500 name (RFC 4514). The text runs from
 * the most special to the most general; the name is encoded the other way round (RFC 4514, 2.1). */
#include "keyring/internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define SUBJECT_MAX 1024
#define PARTS_MAX 32
#define VALUE_MAX 256

/* The short names of RACF and of RFC 4514. */
static const struct {
    const char *name;
    int nid;
} types[] = {
    {"CN", NID_commonName},
    {"T", NID_title},
    {"OU", NID_organizationalUnitName},
    {"O", NID_organizationName},
    {"L", NID_localityName},
    {"SP", NID_stateOrProvinceName},
    {"ST", NID_stateOrProvinceName},
    {"C", NID_countryName},
    {"DC", NID_domainComponent},
    {"SN", NID_serialNumber},
    {"SERIALNUMBER", NID_serialNumber},
};

struct parser {
    const char *start, *p;
    struct klm_diag *diag;
    char value[VALUE_MAX + 1];
    size_t n, kept; /* bytes in value; bytes that may not be trimmed */
};

static klm_rc wrong(const struct parser *parser, const char *why)
{
    return klm_fail(parser->diag, KLM_E_INVALID, KLM_MSG_SUBJECT, parser->start, why);
}

static void blanks(struct parser *parser)
{
    while (*parser->p == ' ') {
        parser->p++;
    }
}

static klm_rc attribute(struct parser *parser, int *nid)
{
    size_t n, equals;

    blanks(parser);
    n = strcspn(parser->p, " =,+\"\\");
    equals = n + strspn(parser->p + n, " ");
    if (parser->p[equals] != '=') {
        return wrong(parser, "an equals sign is missing");
    }
    for (size_t i = 0; i < KLM_COUNT(types); i++) {
        if (strlen(types[i].name) == n && strncasecmp(types[i].name, parser->p, n) == 0) {
            *nid = types[i].nid;
            parser->p += equals + 1;
            return KLM_OK;
        }
    }
    return wrong(
        parser, "it has an attribute that is none of CN, T, OU, O, L, SP, ST, C, DC, SERIALNUMBER");
}

static klm_rc keep(struct parser *parser, char c, bool trimmable)
{
    if (parser->n == VALUE_MAX) {
        return wrong(parser, "a value is too long");
    }
    parser->value[parser->n++] = c;
    if (!trimmable) {
        parser->kept = parser->n;
    }
    return KLM_OK;
}

/* RFC 4514, 2.4: a backslash before a special character, or before two hex digits of a byte. */
static klm_rc escaped(struct parser *parser)
{
    uint8_t byte;
    size_t n;

    parser->p++;
    if (*parser->p && strchr(" \"#+,;<>=\\", *parser->p)) {
        return keep(parser, *parser->p++, false);
    }
    if (!isxdigit((unsigned char)parser->p[0]) || !isxdigit((unsigned char)parser->p[1]) ||
        klm_unhex((const char[]){parser->p[0], parser->p[1], 0}, &byte, 1, &n) != KLM_OK ||
        byte == 0) {
        return wrong(parser, "a backslash stands before something that needs none");
    }
    parser->p += 2;
    return keep(parser, (char)byte, false);
}

static klm_rc quoted(struct parser *parser)
{
    parser->p++;
    while (*parser->p && *parser->p != '"') {
        if (*parser->p == '\\') {
            KLM_TRY(escaped(parser));
        } else {
            KLM_TRY(keep(parser, *parser->p++, false));
        }
    }
    if (*parser->p != '"') {
        return wrong(parser, "a quote is not closed");
    }
    parser->p++;
    blanks(parser);
    return KLM_OK;
}

static klm_rc plain(struct parser *parser)
{
    while (*parser->p && *parser->p != ',') {
        if (*parser->p == '\\') {
            KLM_TRY(escaped(parser));
        } else if (strchr("\"+;<>", *parser->p)) {
            return wrong(parser, "a special character stands without a backslash");
        } else {
            KLM_TRY(keep(parser, *parser->p, *parser->p == ' '));
            parser->p++;
        }
    }
    parser->n = parser->kept;
    return KLM_OK;
}

static klm_rc value(struct parser *parser)
{
    parser->n = parser->kept = 0;
    blanks(parser);
    if (*parser->p == '#') {
        return wrong(parser, "values in hex are not taken");
    }
    KLM_TRY(*parser->p == '"' ? quoted(parser) : plain(parser));
    if (parser->n == 0) {
        return wrong(parser, "a value is empty");
    }
    return *parser->p == 0 || *parser->p == ',' ? KLM_OK
                                                : wrong(parser, "something stands after a quote");
}

/* One attribute to the front of the name. OpenSSL's table knows the bounds of RFC 5280, appendix
 * A, such as two letters for C. */
static klm_rc part(struct parser *parser, X509_NAME *name)
{
    int nid = 0;

    KLM_TRY(attribute(parser, &nid));
    KLM_TRY(value(parser));
    if (X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)parser->value,
                                   (int)parser->n, 0, 0) != 1) {
        ERR_clear_error();
        return wrong(
            parser,
            "a value is too long, too short or has characters that its attribute does not allow");
    }
    return KLM_OK;
}

klm_rc kr_subject_parse(const char *text, struct klm_diag *diag, X509_NAME **out)
{
    KLM_AUTO(kr_done_name) X509_NAME *name = X509_NAME_new();
    struct parser parser = {.start = text, .p = text, .diag = diag};

    if (!name) {
        return KLM_E_NOMEM;
    }
    if (strnlen(text, SUBJECT_MAX + 1) > SUBJECT_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_SUBJECT, text,
                        "it is longer than 1024 characters");
    }
    for (int parts = 0;; parts++) {
        if (parts == PARTS_MAX) {
            return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_SUBJECT, text, "it has more than 32 parts");
        }
        KLM_TRY(part(&parser, name));
        if (*parser.p == 0) {
            break;
        }
        parser.p++; /* the comma */
    }
    *out = name;
    name = NULL;
    return KLM_OK;
}
