/* Requests of KMIP carried out in-process, against a real server, down to the bytes of the answer; for tests of kmip/ops.
 *
 * rig_xml takes the XML of a whole message and gives that of its answer. Most tests use rig_ask, which takes and gives a short form of the batch items: an item of the tree is
 * Name{...}, Name=value, or Name:Type=value where the type is not the tag's own (of tags that may have any, Attribute Value for one: Text String); texts and what has blanks stand in quotes:
 *     rig_ask(&rig, KMIP_V(2, 1), "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES CryptographicLength=256}} Activate{}")
 *     "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\nActivate Success{UniqueIdentifier='$1'}\n"
 * Identifiers that the server makes are $1, $2, ... in the order in which they are seen; the clock stands still, and dates near it are NOW, NOW+60, NOW-60. A failure is "Get
 * OperationFailed(ItemNotFound)"; it has a message, always, which RIG_TRACE in the environment shows. */
#ifndef TESTS_UNIT_KMIP_OPS_RIG_H
#define TESTS_UNIT_KMIP_OPS_RIG_H

#include "keymgr/km_help.h"

#include "keymgr/object.h"
#include "kmip/codec/text.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"
#include "kmip/ops/ops.h"

#include <ctype.h>

#define RIG_UIDS 1000
#define RIG_NOW 1700000000 /* 2023-11-14T22:13:20Z */
#define RIG_NEAR 100000000 /* seconds */

/* A client: its certificate, and what it is found by. */
struct rig_client {
    uint8_t der[1024];
    size_t n;
    char fingerprint[65];
};

struct rig {
    struct house house;
    struct kmop_config config;
    struct rig_client mine, others, stranger; /* of groups RIGS and OTHERS; not registered */
    const struct rig_client *who;             /* whose certificate is shown; NULL: none */
    uint64_t number;                          /* of the request in its session; 0: it has none */
    int64_t now;                              /* what the clock shows, seconds */
    char uid[RIG_UIDS][MD_UID_MAX];
    size_t uids;
    struct klm_pool
        *pool; /* of the last request: what functions here return lives until the next */
    struct klm_buf answer;
    bool closed; /* the last answer closes the connection */
};

static UNUSED void rig_clock(struct rig *rig, int64_t seconds)
{
    rig->now = seconds;
    klm_clock_set(seconds * 1000000);
}

/* A key pair and the certificate that it signed for itself. */
static UNUSED void rig_certificate(struct rig_client *client, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    uint8_t *to = client->der;
    int n;

    REQUIRE(key && cert && X509_set_version(cert, X509_VERSION_3));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), name[0]);
    ASN1_TIME_set(X509_getm_notBefore(cert), RIG_NOW - 86400);
    ASN1_TIME_set(X509_getm_notAfter(cert), RIG_NOW + 10 * (time_t)RIG_NEAR);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    REQUIRE(X509_sign(cert, key, EVP_sha256()) > 0);
    n = i2d_X509(cert, NULL);
    REQUIRE(n > 0 && (size_t)n <= sizeof client->der);
    client->n = (size_t)i2d_X509(cert, &to);
    fingerprint_of(client->der, client->n, client->fingerprint);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static UNUSED void rig_register(struct rig *rig, struct rig_client *client, const char *name,
                                const char *group)
{
    struct km_call *call = new_call(&rig->house, KM_CLIENT_ADD, &admin);
    struct km_client_req *req = call->req;

    rig_certificate(client, name);
    DO(&rig->house, KM_DEVICE_GROUP_ADD, &admin, "name", group, "enableKMIPDelete", "true");
    req->name = name;
    req->group = group;
    req->cert = KLM_SLICE(client->der, client->n);
    if (km_run_wait(call) != KLM_OK) {
        fprintf(stderr, "# %s\n", call->diag.text);
    }
    REQUIRE_OK(call->rc);
    km_call_free(&call);
}

/* A server in a folder of its own; requests are carried out before rig_ask returns. more: properties. */
static UNUSED void rig_open(struct rig *rig, const char *name, const char *more)
{
    *rig = (struct rig){0};
    listen_now();
    rig_clock(rig, RIG_NOW);
    make_house(&rig->house, name, more);
    open_house(&rig->house, true);
    rig->config = (struct kmop_config){.server = rig->house.server,
                                       .bytes_max = 1 << 20,
                                       .batch_max = 1000,
                                       .vendor = "klmsrv test",
                                       .server_name = "TEST"};
    klm_buf_init_wiping(&rig->answer, 0);
    rig_register(rig, &rig->mine, "ALPHA", "RIGS");
    rig_register(rig, &rig->others, "BETA", "OTHERS");
    rig_certificate(&rig->stranger, "GAMMA");
    rig->who = &rig->mine;
}

static UNUSED void rig_close(struct rig *rig)
{
    klm_buf_done(&rig->answer);
    klm_pool_free(&rig->pool);
    close_house(&rig->house);
    klm_clock_set(0);
}

/* ---- Messages as they are */

static UNUSED void rig_done(void *arg, struct klm_buf *answer, bool close)
{
    struct rig *rig = arg;

    rig->answer = *answer;
    rig->closed = close;
}

static UNUSED klm_rc rig_cert(void *arg, struct klm_pool *pool, struct klm_slice *der)
{
    const struct rig *rig = arg;

    return rig->who ? klm_pool_slice(pool, KLM_SLICE(rig->who->der, rig->who->n), der)
                    : KLM_E_NOTFOUND;
}

/* The bytes of an answer, until the next. */
static UNUSED struct klm_slice rig_bytes(struct rig *rig, enum kmop_encoding encoding,
                                         struct klm_slice message)
{
    const struct kmop_request request = {.config = &rig->config,
                                         .encoding = encoding,
                                         .message = message,
                                         .fingerprint = rig->who ? rig->who->fingerprint : "",
                                         .cert = rig_cert,
                                         .address = "192.0.2.7:40022",
                                         .session = "1",
                                         .number = rig->number,
                                         .done = rig_done,
                                         .arg = rig};

    klm_buf_done(&rig->answer);
    kmop_run(&request);
    return klm_buf_as_slice(&rig->answer);
}

static UNUSED void rig_fresh(struct rig *rig)
{
    klm_pool_free(&rig->pool);
    REQUIRE_OK(klm_pool_new_wiping(64 << 20, &rig->pool));
}

/* XML of a message to XML of its answer. */
static UNUSED const char *rig_xml(struct rig *rig, const char *message)
{
    const struct klm_slice out = rig_bytes(rig, KMOP_XML, klm_slice_str(message));

    rig_fresh(rig);
    return klm_pool_strn(rig->pool, (const char *)out.p, out.n);
}

/* ---- The short form into XML */

static UNUSED const char *rig_word(struct rig *rig, const char **at)
{
    const char *from = *at;

    while (isalnum((unsigned char)**at) || **at == '_' || **at == '#') {
        ++*at;
    }
    REQUIRE(*at > from);
    return klm_pool_strn(rig->pool, from, (size_t)(*at - from));
}

static UNUSED void rig_put_escaped(struct klm_buf *xml, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"", *text)) {
            klm_buf_printf(xml, "&#%d;", *text);
        } else {
            klm_buf_u8(xml, (uint8_t)*text);
        }
    }
}

/* $1 is the first identifier seen, NOW+60 a minute from now. */
static UNUSED void rig_put_value(struct rig *rig, const char *text, struct klm_buf *xml)
{
    char date[KLM_ISO_DATE_MAX];

    if (*text == '$' && isdigit((unsigned char)text[1])) {
        const size_t n = (size_t)atoi(text + 1);

        REQUIRE(n >= 1 && n <= rig->uids);
        klm_buf_text(xml, rig->uid[n - 1]);
    } else if (strncmp(text, "NOW", 3) == 0) {
        klm_iso_date((rig->now + atoll(text + 3)) * 1000000, date);
        klm_buf_text(xml, date);
    } else {
        rig_put_escaped(xml, text);
    }
}

static UNUSED const char *rig_value(struct rig *rig, const char **at)
{
    const char *from = *at, *end;

    if (*from == '\'') {
        end = strchr(++from, '\'');
        REQUIRE(end != NULL);
        *at = end + 1;
    } else {
        end = from + strcspn(from, " }\n");
        *at = end;
    }
    return klm_pool_strn(rig->pool, from, (size_t)(end - from));
}

/* The type that need not be said: of a tag that may have several that of a text in quotes, or of a name of a value. */
static UNUSED enum kmip_type rig_type(const struct kmip_tag_row *tag, bool quoted)
{
    if (tag->type) {
        return tag->type;
    }
    return quoted || tag->values == KMIP_E_NONE ? KMIP_TEXT : KMIP_ENUMERATION;
}

static UNUSED void rig_item(struct rig *rig, const char **at, struct klm_buf *xml);

static UNUSED void rig_inside(struct rig *rig, const char **at, struct klm_buf *xml)
{
    while (*at += strspn(*at, " \n"), **at && **at != '}') {
        rig_item(rig, at, xml);
    }
}

static UNUSED void rig_item(struct rig *rig, const char **at, struct klm_buf *xml)
{
    const char *name = rig_word(rig, at), *type = NULL;
    const struct kmip_tag_row *tag = kmip_tag_find(name);

    if (**at == '{') {
        ++*at;
        klm_buf_printf(xml, "<%s>", name);
        rig_inside(rig, at, xml);
        REQUIRE(**at == '}');
        ++*at;
        klm_buf_printf(xml, "</%s>\n", name);
        return;
    }
    if (**at == ':') {
        ++*at;
        type = rig_word(rig, at);
    } else if (tag) {
        type = kmip_type(rig_type(tag, (*at)[1] == '\''))->name;
    }
    if (!type || **at != '=') {
        fprintf(stderr, "# %s: %s\n", name, *at);
    }
    REQUIRE(**at == '=' && type != NULL);
    ++*at;
    klm_buf_printf(xml, "<%s type=\"%s\" value=\"", name, type);
    rig_put_value(rig, rig_value(rig, at), xml);
    klm_buf_text(xml, "\"/>\n");
}

/* Operation{payload} ...; an identifier of the item may stand before: "#01:Operation{...}". */
static UNUSED size_t rig_items(struct rig *rig, const char *at, struct klm_buf *xml)
{
    size_t n = 0;

    for (; at += strspn(at, " \n"), *at; n++) {
        const char *id = NULL;

        if (*at == '#') {
            id = rig_word(rig, &at) + 1;
            REQUIRE(*at++ == ':');
        }
        klm_buf_printf(xml, "<BatchItem><Operation type=\"Enumeration\" value=\"%s\"/>",
                       rig_word(rig, &at));
        if (id) {
            klm_buf_printf(xml, "<UniqueBatchItemID type=\"ByteString\" value=\"%s\"/>", id);
        }
        REQUIRE(*at++ == '{');
        klm_buf_text(xml, "<RequestPayload>\n");
        rig_inside(rig, &at, xml);
        REQUIRE(*at++ == '}');
        klm_buf_text(xml, "</RequestPayload></BatchItem>\n");
    }
    return n;
}

/* ---- The answer in short form */

static UNUSED bool rig_is_uid(struct klm_slice text)
{
    return text.n == 36 && text.p[8] == '-' && text.p[13] == '-' && text.p[18] == '-' &&
           text.p[23] == '-';
}

static UNUSED size_t rig_uid_number(struct rig *rig, struct klm_slice text)
{
    for (size_t i = 0; i < rig->uids; i++) {
        if (memcmp(rig->uid[i], text.p, 36) == 0) {
            return i + 1;
        }
    }
    REQUIRE(rig->uids < RIG_UIDS);
    memcpy(rig->uid[rig->uids++], text.p, 36);
    return rig->uids;
}

static UNUSED void rig_show_value(struct rig *rig, const struct kmip_node *node,
                                  const struct kmip_node *parent, struct klm_buf *out)
{
    const char *text;

    if (node->type == KMIP_TEXT && rig_is_uid(node->bytes)) {
        klm_buf_printf(out, "'$%zu'", rig_uid_number(rig, node->bytes));
    } else if (node->type == KMIP_TEXT) {
        klm_buf_printf(out, "'%.*s'", (int)node->bytes.n, (const char *)node->bytes.p);
    } else if (node->type == KMIP_DATE_TIME && llabs(node->number - rig->now) < RIG_NEAR) {
        klm_buf_text(out, "NOW");
        if (node->number != rig->now) {
            klm_buf_printf(out, "%+lld", (long long)(node->number - rig->now));
        }
    } else {
        text = kmip_value_text(rig->pool, node, parent, KMIP_XML_BITS);
        klm_buf_printf(out, strchr(text, ' ') || !*text ? "'%s'" : "%s", text);
    }
}

static UNUSED void rig_show(struct rig *rig, const struct kmip_node *node,
                            const struct kmip_node *parent, struct klm_buf *out)
{
    const struct kmip_tag_row *tag = kmip_tag(node->tag);

    klm_buf_text(out, kmip_tag_text(rig->pool, node->tag));
    if (node->type == KMIP_STRUCTURE) {
        klm_buf_text(out, "{");
        for (const struct kmip_node *item = node->first; item; item = item->next) {
            rig_show(rig, item, node, out);
            klm_buf_text(out, item->next ? " " : "");
        }
        klm_buf_text(out, "}");
        return;
    }
    if (!tag || rig_type(tag, node->type == KMIP_TEXT) != node->type) {
        klm_buf_printf(out, ":%s", kmip_type(node->type)->name);
    }
    klm_buf_text(out, "=");
    rig_show_value(rig, node, parent, out);
}

static UNUSED const char *rig_name(const struct kmip_node *item, uint32_t tag, enum kmip_enum set)
{
    const struct kmip_node *node = kmip_child(item, tag);
    const char *name = node ? kmip_value_name(set, (uint32_t)node->number) : NULL;

    return name ? name : "";
}

static UNUSED void rig_show_item(struct rig *rig, const struct kmip_node *item, struct klm_buf *out)
{
    const struct kmip_node *payload = kmip_child(item, KMIP_TAG_ResponsePayload);
    const struct kmip_node *message = kmip_child(item, KMIP_TAG_ResultMessage);
    const char *operation = rig_name(item, KMIP_TAG_Operation, KMIP_E_Operation);
    const char *reason = rig_name(item, KMIP_TAG_ResultReason, KMIP_E_ResultReason);

    klm_buf_printf(out, "%s%s%s", operation, *operation ? " " : "",
                   rig_name(item, KMIP_TAG_ResultStatus, KMIP_E_ResultStatus));
    if (*reason) {
        CHECK(message && message->bytes.n > 0); /* some clients fail on an error without one */
        if (message && getenv("RIG_TRACE")) {
            fprintf(stderr, "# %.*s\n", (int)message->bytes.n, (const char *)message->bytes.p);
        }
        klm_buf_printf(out, "(%s)", reason);
    }
    if (payload) {
        klm_buf_text(out, "{");
        for (const struct kmip_node *in = payload->first; in; in = in->next) {
            rig_show(rig, in, payload, out);
            klm_buf_text(out, in->next ? " " : "");
        }
        klm_buf_text(out, "}");
    }
    klm_buf_text(out, "\n");
}

/* The items of an answer's tree, a line each. */
static UNUSED const char *rig_short(struct rig *rig, const struct kmip_node *root)
{
    struct klm_buf out;
    const char *text;

    klm_buf_init(&out, 4 << 20);
    for (const struct kmip_node *item = kmip_child(root, KMIP_TAG_BatchItem); item;
         item = kmip_next(item)) {
        rig_show_item(rig, item, &out);
    }
    REQUIRE_OK(klm_buf_rc(&out));
    text = klm_pool_strn(rig->pool, (const char *)out.p, out.n);
    klm_buf_done(&out);
    return text;
}

/* A message of items in short form, carried out; header: further items of its header. The tree of the answer. */
static UNUSED const struct kmip_node *rig_tree(struct rig *rig, int version, const char *header,
                                               const char *items)
{
    struct klm_buf body, xml;
    struct kmip_node *root = NULL;
    struct klm_slice answer;
    size_t n;

    rig_fresh(rig);
    klm_buf_init(&body, 4 << 20);
    klm_buf_init(&xml, 4 << 20);
    n = rig_items(rig, items, &body);
    klm_buf_printf(&xml,
                   "<RequestMessage><RequestHeader><ProtocolVersion>"
                   "<ProtocolVersionMajor type=\"Integer\" value=\"%d\"/>"
                   "<ProtocolVersionMinor type=\"Integer\" value=\"%d\"/></ProtocolVersion>",
                   version / 16, version % 16);
    rig_inside(rig, &header, &xml);
    klm_buf_printf(&xml, "<BatchCount type=\"Integer\" value=\"%zu\"/></RequestHeader>\n", n);
    klm_buf_slice(&xml, klm_buf_as_slice(&body));
    klm_buf_text(&xml, "</RequestMessage>");
    REQUIRE_OK(klm_buf_rc(&xml));
    answer = rig_bytes(rig, KMOP_XML, klm_buf_as_slice(&xml));
    klm_buf_done(&xml);
    klm_buf_done(&body);
    REQUIRE_OK(kmip_xml_decode(answer, NULL, rig->pool, &root));
    return root;
}

/* Items in short form to those of the answer. */
static UNUSED const char *rig_ask(struct rig *rig, int version, const char *items)
{
    return rig_short(rig, rig_tree(rig, version, "", items));
}

/* The same, checked. */
static UNUSED void rig_expect(struct rig *rig, int version, const char *items, const char *expected,
                              const char *file, int line)
{
    test_str(rig_ask(rig, version, items), expected, items, file, line);
}
#define RIG_EXPECT(rig, version, items, expected)                                                  \
    rig_expect((rig), (version), (items), (expected), __FILE__, __LINE__)

/* The number of the symmetric key that is made with attributes of 2.1 in short form. */
static UNUSED size_t rig_create(struct rig *rig, const char *attributes)
{
    char items[4096];
    const char *answer, *uid;

    snprintf(items, sizeof items,
             "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
             "CryptographicLength=256 CryptographicUsageMask='Encrypt Decrypt' %s}}",
             attributes);
    answer = rig_ask(rig, KMIP_V(2, 1), items);
    uid = strchr(answer, '$');
    if (!uid) {
        fprintf(stderr, "# %s\n", answer);
    }
    REQUIRE(uid != NULL);
    return uid ? (size_t)atoi(uid + 1) : 0;
}

#endif
