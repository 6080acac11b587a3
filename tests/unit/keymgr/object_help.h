/* Managed objects for tests of their verbs: clients, and requests written short. An item is Name=value, Name:Type=value where the type is not the tag's own, or Name{...}; what has
 * blanks stands in quotes, and dates near the clock are NOW, NOW+60, NOW-60:
 *     "CryptographicAlgorithm=AES CryptographicLength=256 CryptographicUsageMask='Encrypt Decrypt' Name{NameValue='one' NameType=UninterpretedTextString}" */
#ifndef TESTS_KEYMGR_OBJECT_HELP_H
#define TESTS_KEYMGR_OBJECT_HELP_H

#include "keymgr/km_help.h"

#include "keymgr/object.h"
#include "kmip/codec/xml.h"

#include <ctype.h>

#define V10 KMIP_V(1, 0)
#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)
#define NOW 1700000000 /* what tests with dates set the clock to, seconds */

/* Two groups; the first may destroy. */
#define ALPHA_PRINT "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define BETA_PRINT "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
static UNUSED const struct km_actor alpha = {.kind = KM_ACTOR_CLIENT,
                                             .roles = KM_ROLE_CLIENT,
                                             .name = "ALPHA",
                                             .address = "192.0.2.9:40022",
                                             .fingerprint = ALPHA_PRINT,
                                             .group = "RIGS",
                                             .may_destroy = true};
static UNUSED const struct km_actor beta = {.kind = KM_ACTOR_CLIENT,
                                            .roles = KM_ROLE_CLIENT,
                                            .name = "BETA",
                                            .address = "192.0.2.10:40022",
                                            .fingerprint = BETA_PRINT,
                                            .group = "OTHERS"};

/* ---- The short form, by way of XML */

static UNUSED void short_value(const char *text, size_t n, struct klm_buf *xml)
{
    char date[KLM_ISO_DATE_MAX];

    if (n >= 3 && strncmp(text, "NOW", 3) == 0) {
        klm_iso_date((klm_clock() / 1000000 + atoll(text + 3)) * 1000000, date);
        klm_buf_text(xml, date);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        klm_buf_printf(xml, strchr("<>&\"", text[i]) ? "&#%d;" : "%c", text[i]);
    }
}

static UNUSED void short_item(const char **at, struct klm_buf *xml)
{
    const size_t n = strcspn(*at, ":={ ");
    char name[64], type[32] = "";
    const struct kmip_tag_row *tag;
    size_t value;

    REQUIRE(n > 0 && n < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)n, *at);
    tag = kmip_tag_find(name);
    *at += n;
    if (**at == '{') {
        klm_buf_printf(xml, "<%s>", name);
        for (++*at; *at += strspn(*at, " "), **at != '}';) {
            REQUIRE(**at);
            short_item(at, xml);
        }
        ++*at;
        klm_buf_printf(xml, "</%s>", name);
        return;
    }
    if (**at == ':') {
        value = strcspn(*at, "=");
        snprintf(type, sizeof type, "%.*s", (int)value - 1, *at + 1);
        *at += value;
    }
    REQUIRE(**at == '=');
    ++*at;
    if (!*type) {
        REQUIRE(tag != NULL);
        snprintf(type, sizeof type, "%s",
                 kmip_type(tag->type      ? tag->type
                           : **at == '\'' ? KMIP_TEXT
                                          : KMIP_ENUMERATION)
                     ->name);
    }
    klm_buf_printf(xml, "<%s type=\"%s\" value=\"", name, type);
    if (**at == '\'') {
        value = strcspn(++*at, "'");
        short_value(*at, value, xml);
        *at += value + 1;
    } else {
        value = strcspn(*at, " }");
        short_value(*at, value, xml);
        *at += value;
    }
    klm_buf_text(xml, "\"/>");
}

/* The item that a text is, in the pool. */
static UNUSED const struct kmip_node *item_of(struct klm_pool *pool, const char *text)
{
    struct kmip_node *root = NULL;
    struct klm_buf xml;
    klm_rc rc;

    klm_buf_init(&xml, 1 << 20);
    short_item(&text, &xml);
    REQUIRE_OK(klm_buf_rc(&xml));
    rc = kmip_xml_decode(klm_buf_as_slice(&xml), NULL, pool, &root);
    if (rc != KLM_OK) {
        fprintf(stderr, "# %.*s\n", (int)xml.n, (const char *)xml.p);
    }
    REQUIRE_OK(rc);
    klm_buf_done(&xml);
    return root;
}

/* Add what a text of items says to a list of attributes. */
static UNUSED void attrs_in(struct md_attrs *attrs, const char *text)
{
    char *all = klm_pool_printf(attrs->pool, "Attributes{%s}", text);
    const struct kmip_node *root = item_of(attrs->pool, all);

    for (const struct kmip_node *item = root->first; item; item = item->next) {
        REQUIRE_OK(md_attr_add(attrs, item));
    }
}

/* ---- Calls */

static UNUSED bool is_make(enum km_verb_id verb)
{
    return verb >= KM_OBJECT_CREATE && verb <= KM_OBJECT_DERIVE;
}

/* A request about an object (NULL: about none), of 2.1, which asks for nothing else yet. */
static UNUSED struct km_call *object_call(const struct house *house, enum km_verb_id verb,
                                          const struct km_actor *actor, const char *uid)
{
    struct km_call *call = new_call(house, verb, actor);
    const char *own = uid ? klm_pool_str(call->pool, uid) : NULL;

    *(int *)call->req = V21; /* all of them begin so */
    if (is_make(verb)) {
        struct km_object_make *req = call->req;

        req->uid = own;
        req->type = KMIP_ObjectType_SymmetricKey;
        md_attrs_init(&req->attrs, call->pool);
        md_attrs_init(&req->private_attrs, call->pool);
        md_attrs_init(&req->public_attrs, call->pool);
    } else if (verb == KM_OBJECT_GET) {
        ((struct km_object_get *)call->req)->uid = own;
    } else if (verb == KM_OBJECT_ATTRS) {
        ((struct km_object_attrs *)call->req)->uid = own;
    } else if (verb >= KM_ATTR_ADD && verb <= KM_ATTR_DELETE) {
        ((struct km_attr_change *)call->req)->uid = own;
        ((struct km_attr_change *)call->req)->index = -1;
    } else if (verb >= KM_OBJECT_ACTIVATE && verb <= KM_OBJECT_RECOVER) {
        ((struct km_object_state *)call->req)->uid = own;
    } else if (verb >= KM_OBJECT_CHECK && verb <= KM_OBJECT_ALLOCATE) {
        struct km_object_check *req = call->req;

        req->uid = own;
        req->count = req->lease = -1;
    } else if (verb >= KM_OBJECT_ENCRYPT && verb <= KM_HASH) {
        ((struct km_crypt *)call->req)->uid = own;
    }
    return call;
}

static UNUSED struct km_call *run_it(struct km_call *call)
{
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* A request that makes something of attributes, of a pair those of both; not run yet. */
static UNUSED struct km_call *make_call(const struct house *house, enum km_verb_id verb,
                                        const char *uid, const char *attrs)
{
    struct km_call *call = object_call(house, verb, &alpha, uid);

    attrs_in(&((struct km_object_make *)call->req)->attrs, attrs);
    return call;
}

/* A registration of an object as it stands in a payload; not run yet. */
static UNUSED struct km_call *register_call(const struct house *house, uint32_t type,
                                            const char *item, const char *attrs)
{
    struct km_call *call = make_call(house, KM_OBJECT_REGISTER, NULL, attrs);
    struct km_object_make *req = call->req;

    req->type = type;
    req->item = item ? item_of(call->pool, item) : NULL;
    return call;
}

static UNUSED void said_why(const struct km_call *call)
{
    if (call->rc != KLM_OK) {
        fprintf(stderr, "# %s: %s\n", km_verb(call->id)->name, call->diag.text);
    }
}

/* Run what makes one object or two; their identifiers go to out. */
static UNUSED void make_in(struct km_call *call, char out[2][MD_UID_MAX])
{
    KLM_IGNORE(km_run_wait(call));
    said_why(call);
    REQUIRE_OK(call->rc);
    memcpy(out, ((struct km_object_make *)call->req)->made, 2 * MD_UID_MAX);
    km_call_free(&call);
}

/* The same for one, in one of many buffers. */
static UNUSED const char *made(struct km_call *call)
{
    static char uid[64][2][MD_UID_MAX];
    static unsigned turn;
    char(*out)[MD_UID_MAX] = uid[turn = (turn + 1) % 64];

    make_in(call, out);
    return out[0];
}

#define AES256 "CryptographicAlgorithm=AES CryptographicLength=256 "
#define ANY_MASK "CryptographicUsageMask='Encrypt Decrypt MACGenerate MACVerify WrapKey UnwrapKey' "
#define NAMED(name) "Name{NameValue='" name "' NameType=UninterpretedTextString} "

/* A symmetric key that alpha has. */
static UNUSED const char *new_key(const struct house *house, const char *attrs)
{
    char all[2048];

    snprintf(all, sizeof all, AES256 ANY_MASK "%s", attrs);
    return made(make_call(house, KM_OBJECT_CREATE, NULL, all));
}

/* Checked for outcome and message, and freed. */
#define ENDS(call, rc, msg) expect(run_it(call), (rc), (msg), __FILE__, __LINE__)
#define WORKS(call) ENDS(call, KLM_OK, KLM_MSG_NONE)

/* A step of an object's way through its states. */
static UNUSED struct km_call *state_call(const struct house *house, enum km_verb_id verb,
                                         const char *uid, uint32_t reason)
{
    struct km_call *call = object_call(house, verb, &alpha, uid);

    ((struct km_object_state *)call->req)->reason = reason;
    return call;
}
#define STOPS KMIP_RevocationReasonCode_CessationOfOperation
#define LEAKED KMIP_RevocationReasonCode_KeyCompromise

/* The object as the store has it now, in a pool that is the caller's; its State moved on. */
static UNUSED klm_rc see_object(const struct house *house, const char *uid, struct klm_pool *pool,
                                struct md_object *out)
{
    struct st_view *view = NULL;
    klm_rc rc;

    REQUIRE_OK(st_view_open(km_store(house->server), &view));
    rc = md_object_get(view, uid, pool, out);
    st_view_close(&view);
    return rc;
}

/* A number of an object's attributes; -1: it has none, or is not there. State is as it is now. */
static UNUSED int64_t attr_of(const struct house *house, const char *uid, uint32_t tag)
{
    struct klm_pool *pool = NULL;
    struct md_object object;
    int64_t number = -1;

    REQUIRE_OK(klm_pool_new(0, &pool));
    if (see_object(house, uid, pool, &object) == KLM_OK) {
        number = tag == KMIP_TAG_State ? (int64_t)md_object_state(&object, klm_clock())
                                       : md_attr_number(&object.attrs, tag, -1);
    }
    klm_pool_free(&pool);
    return number;
}

/* What is left of its usage limits; -1: it has none. */
static UNUSED int64_t left_of(const struct house *house, const char *uid)
{
    struct klm_pool *pool = NULL;
    struct md_object object;
    int64_t left = -1;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(house, uid, pool, &object));
    const struct md_attr *limits = md_attr_find(&object.attrs, KMIP_TAG_UsageLimits);
    const struct kmip_node *count =
        limits ? kmip_child(limits->value, KMIP_TAG_UsageLimitsCount) : NULL;
    left = count ? count->number : -1;
    klm_pool_free(&pool);
    return left;
}

/* Where a Link of an object points to; "": nowhere. */
static UNUSED const char *link_of(const struct house *house, const char *uid, uint32_t type)
{
    static char to[8][MD_UID_MAX];
    static unsigned turn;
    char *out = to[turn = (turn + 1) % 8];
    struct klm_pool *pool = NULL;
    struct md_object object;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(house, uid, pool, &object));
    const char *linked = km_link_find(&object, pool, type);
    snprintf(out, MD_UID_MAX, "%s", linked ? linked : "");
    klm_pool_free(&pool);
    return out;
}

/* Does the store have its key material? */
static UNUSED bool has_material(const struct house *house, const char *uid)
{
    struct klm_pool *pool = NULL;
    struct st_view *view = NULL;
    struct klm_slice token;
    char label[65];
    klm_rc rc;

    md_material_label(uid, label);
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(house->server), &view));
    rc = kr_token_get(view, label, pool, &token);
    st_view_close(&view);
    klm_pool_free(&pool);
    return rc == KLM_OK;
}

#endif
