/* Operators change attributes of a managed object, and destroy one. The rules are those for clients: what a client may not change any more, an operator may not either. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include "kmip/codec/text.h"

#include <string.h>
#include <strings.h>

#define EDITS_MAX 32

/* One attribute: its value, and whether it is another instance rather than the only one. */
struct one {
    const struct kmip_node *value;
    bool more;
};
struct work {
    struct one one[EDITS_MAX];
    size_t n;
};
struct attr_name {
    const char *name;
    uint32_t tag;
    klm_rc (*make)(struct km_call *call, uint32_t tag, char *text, struct one *out);
};

static const char blanks[] = " \t";

/* The first word of a text, cut off; *text is what follows. */
static char *word(char **text)
{
    char *begin = *text + strspn(*text, blanks);
    char *end = begin + strcspn(begin, blanks);

    *text = end;
    if (*end) {
        *end = '\0';
        *text = end + 1 + strspn(end + 1, blanks);
    }
    return begin;
}

static klm_rc enough(const struct kmip_node *last)
{
    return last ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc put_word(struct km_call *call, struct kmip_node *parent, uint32_t tag,
                       const char *text)
{
    return enough(kmip_put_bytes(call->pool, parent, tag, KMIP_TEXT, klm_slice_str(text)));
}

/* ---- A value of each kind, from text */

static klm_rc make_text(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_item(call->pool, NULL, tag, KMIP_TEXT);

    if (!*text) {
        return KLM_E_INVALID;
    }
    if (value) {
        value->bytes = klm_slice_str(text);
    }
    *out = (struct one){value, tag == KMIP_TAG_ObjectGroup};
    return enough(value);
}

static klm_rc make_name(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_root(call->pool, tag);

    if (!*text) {
        return KLM_E_INVALID;
    }
    KLM_TRY(put_word(call, value, KMIP_TAG_NameValue, text));
    *out = (struct one){value, false};
    return enough(kmip_put_number(call->pool, value, KMIP_TAG_NameType, KMIP_ENUMERATION,
                                  KMIP_NameType_UninterpretedTextString));
}

static klm_rc make_application(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_root(call->pool, tag);
    const char *namespace = word(&text);

    if (!*namespace || !*text) {
        return KLM_E_INVALID;
    }
    KLM_TRY(put_word(call, value, KMIP_TAG_ApplicationNamespace, namespace));
    *out = (struct one){value, false};
    return put_word(call, value, KMIP_TAG_ApplicationData, text);
}

/* x-NAME VALUE: the vendor stands before the hyphen. */
static klm_rc make_custom(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *item = kmip_item(call->pool, NULL, KMIP_TAG_AttributeValue, KMIP_TEXT);
    struct kmip_node *value = NULL;
    const char *name = word(&text);

    (void)tag;
    if (strncmp(name, "x-", 2) != 0 || !name[2] || !*text) {
        return KLM_E_INVALID;
    }
    KLM_TRY(enough(item));
    item->bytes = klm_slice_str(text);
    KLM_TRY(md_vendor_attr(call->pool, klm_slice_str("x"), klm_slice_str(name + 2), item, &value));
    *out = (struct one){value, false};
    return KLM_OK;
}

/* KMIP 1.4, 3.26; the product's rule: a date of the past is now. */
static klm_rc make_date(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_item(call->pool, NULL, tag, KMIP_DATE_TIME);
    const int64_t now = km_call_seconds(call);

    KLM_TRY(enough(value));
    KLM_TRY(kmip_value_parse(call->pool, value, NULL, text));
    value->number = value->number < now ? now : value->number;
    *out = (struct one){value, false};
    return KLM_OK;
}

static klm_rc make_limits(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_root(call->pool, tag);
    const char *total = word(&text), *unit = word(&text);
    int64_t number;
    uint32_t code;

    if (strcasecmp(unit, "OBJECT") != 0 && strcasecmp(unit, "BYTE") != 0) {
        return KLM_E_INVALID;
    }
    code = strcasecmp(unit, "BYTE") == 0 ? KMIP_UsageLimitsUnit_Byte : KMIP_UsageLimitsUnit_Object;
    KLM_TRY(kmip_number_parse(KMIP_LONG_INTEGER, total, &number));
    kmip_put_number(call->pool, value, KMIP_TAG_UsageLimitsTotal, KMIP_LONG_INTEGER, number);
    kmip_put_number(call->pool, value, KMIP_TAG_UsageLimitsCount, KMIP_LONG_INTEGER, number);
    *out = (struct one){value, false};
    return number < 0 ? KLM_E_INVALID
                      : enough(kmip_put_number(call->pool, value, KMIP_TAG_UsageLimitsUnit,
                                               KMIP_ENUMERATION, code));
}

/* BlockCipherMode=CBC PaddingMethod=PKCS5 ... */
static klm_rc make_params(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_root(call->pool, tag);

    while (value && *text) {
        char *field = word(&text), *equals = strchr(field, '=');
        const struct kmip_tag_row *row;
        struct kmip_node *item;

        if (!equals) {
            return KLM_E_INVALID;
        }
        *equals = '\0';
        row = kmip_tag_find(field);
        if (!row || row->type == KMIP_ANY || row->type == KMIP_STRUCTURE) {
            return KLM_E_INVALID;
        }
        item = kmip_item(call->pool, value, row->code, row->type);
        KLM_TRY(enough(item));
        KLM_TRY(kmip_value_parse(call->pool, item, value, equals + 1));
    }
    *out = (struct one){value, false};
    return value && !value->first ? KLM_E_INVALID : enough(value);
}

/* TYPE UUID */
static klm_rc make_link(struct km_call *call, uint32_t tag, char *text, struct one *out)
{
    struct kmip_node *value = kmip_root(call->pool, tag);
    const char *type = word(&text), *uid = word(&text);
    uint32_t code;

    if (kmip_value_find(KMIP_E_LinkType, type, &code) != KLM_OK || !md_uid_ok(uid)) {
        return KLM_E_INVALID;
    }
    kmip_put_number(call->pool, value, KMIP_TAG_LinkType, KMIP_ENUMERATION, code);
    *out = (struct one){value, true};
    return put_word(call, value, KMIP_TAG_LinkedObjectIdentifier, uid);
}

static const struct attr_name names[] = {
    {"name", KMIP_TAG_Name, make_name},
    {"contactInformation", KMIP_TAG_ContactInformation, make_text},
    {"objectGroup", KMIP_TAG_ObjectGroup, make_text},
    {"applicationSpecificInformation", KMIP_TAG_ApplicationSpecificInformation, make_application},
    {"customAttribute", KMIP_TAG_Attribute, make_custom},
    {"cryptoParams", KMIP_TAG_CryptographicParameters, make_params},
    {"link", KMIP_TAG_Link, make_link},
    {"activationDate", KMIP_TAG_ActivationDate, make_date},
    {"processStartDate", KMIP_TAG_ProcessStartDate, make_date},
    {"protectStopDate", KMIP_TAG_ProtectStopDate, make_date},
    {"deactivationDate", KMIP_TAG_DeactivationDate, make_date},
    {"usageLimits", KMIP_TAG_UsageLimits, make_limits},
};

/* ---- {name value} {name value} */

static klm_rc wrong(struct km_call *call, const char *name, const char *value)
{
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_ATTRIBUTE, name, value);
}

static klm_rc read_pair(struct km_call *call, char *pair, struct one *out)
{
    const char *name = word(&pair), *shown = klm_pool_str(call->pool, pair);

    for (size_t i = 0; shown && i < KLM_COUNT(names); i++) {
        if (strcasecmp(names[i].name, name) == 0) {
            klm_rc rc = names[i].make(call, names[i].tag, pair, out);

            return rc == KLM_E_INVALID ? wrong(call, name, shown) : rc;
        }
    }
    return shown ? wrong(call, name, shown) : KLM_E_NOMEM;
}

static klm_rc read_all(struct km_call *call, char *text, struct work *work)
{
    while (*(text += strspn(text, " \t,"))) {
        char *end = *text == '{' ? strchr(text, '}') : NULL;

        if (!end || work->n == EDITS_MAX) {
            return wrong(call, text, "left open");
        }
        *end = '\0';
        KLM_TRY(read_pair(call, text + 1, &work->one[work->n++]));
        text = end + 1;
    }
    return work->n > 0 ? KLM_OK : wrong(call, "nothing", "changed");
}

klm_rc km_object_edit_prepare(struct km_call *call)
{
    const struct km_object_edit *req = call->req;
    struct work *work = klm_pool_alloc(call->pool, sizeof *work);
    char *text = klm_pool_str(call->pool, req->attributes);
    struct md_object object;

    if (!work || !text) {
        return KLM_E_NOMEM;
    }
    call->work = work;
    KLM_TRY(km_admin_object(call, req->uid, PR_UPDATE, &object));
    return read_all(call, text, work);
}

/* ---- Carried out as a client's Set or Add Attribute */

/* What is linked to is there, and of the same group. */
static klm_rc check_link(struct km_call *call, struct st_view *view, const struct kmip_node *link,
                         const struct md_object *object)
{
    const struct kmip_node *to = kmip_child(link, KMIP_TAG_LinkedObjectIdentifier);
    const char *uid = klm_pool_strn(call->pool, (const char *)to->bytes.p, to->bytes.n);
    struct md_object other;

    KLM_TRY(km_object_find_any(call, view, uid, &other));
    return strcmp(other.group, object->group) == 0
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_OBJECT_UNKNOWN, other.uid);
}

/* Of each type there is one Link. */
static klm_rc set_link(struct km_call *call, struct st_change *change, const char *uid,
                       const struct kmip_node *link)
{
    const struct kmip_node *to = kmip_child(link, KMIP_TAG_LinkedObjectIdentifier);
    const struct kmip_node *type = kmip_child(link, KMIP_TAG_LinkType);
    const char *text = klm_pool_strn(call->pool, (const char *)to->bytes.p, to->bytes.n);
    struct md_object object;

    KLM_TRY(km_object_find(call, st_change_view(change), uid, &object));
    KLM_TRY(check_link(call, st_change_view(change), link, &object));
    KLM_TRY(text ? km_link_set(&object, call->pool, (uint32_t)type->number, text) : KLM_E_NOMEM);
    return km_object_change(call, change, &object);
}

static klm_rc set_one(struct km_call *call, struct st_change *change, const char *uid,
                      const struct one *one)
{
    struct km_attr_change edit = {
        .version = KMIP_V_NEWEST, .uid = uid, .value = one->value, .index = -1};
    void *const req = call->req;
    klm_rc rc;

    if (one->value->tag == KMIP_TAG_Link) {
        return set_link(call, change, uid, one->value);
    }
    call->req = &edit;
    rc = one->more ? km_attr_add_apply(call, change) : km_attr_set_apply(call, change);
    call->req = req;
    return rc;
}

klm_rc km_object_edit_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_edit *req = call->req;
    const struct work *work = call->work;

    call->event.field[SMF_F_NEW] = req->attributes;
    for (size_t i = 0; i < work->n; i++) {
        KLM_TRY(set_one(call, change, req->uid, &work->one[i]));
    }
    return KLM_OK;
}

/* ---- Destroyed */

klm_rc km_object_remove_prepare(struct km_call *call)
{
    const struct km_object_remove *req = call->req;
    struct md_object object;
    uint32_t type;

    KLM_TRY(km_admin_object(call, req->state.uid, PR_CONTROL, &object));
    if (req->type) {
        KLM_TRY(km_admin_value(call, KMIP_E_ObjectType, "type of object", req->type, &type));
        if (object.type != type) {
            return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ADMIN_TYPE, object.uid, req->type);
        }
    }
    call->event.field[SMF_F_OLD] = km_admin_name(call, &object);
    return KLM_OK;
}

klm_rc km_object_remove_apply(struct km_call *call, struct st_change *change)
{
    return km_object_destroy_apply(call, change); /* the request begins with that of Destroy */
}
