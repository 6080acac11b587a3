/* What may be given to a new object, and what all objects have to keep to. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

/* The server's by the table, but a client says what it wants when an object is made (KMIP 1.4, 4.1 to 4.3). */
static bool given_by_maker(uint32_t tag)
{
    switch (tag) {
    case KMIP_TAG_CryptographicAlgorithm:
    case KMIP_TAG_CryptographicLength:
    case KMIP_TAG_CryptographicDomainParameters:
    case KMIP_TAG_CertificateType:
    case KMIP_TAG_CertificateLength:
    case KMIP_TAG_DigitalSignatureAlgorithm:
    case KMIP_TAG_OpaqueDataType:
    case KMIP_TAG_KeyFormatType:
    case KMIP_TAG_ProtectionStorageMask:
    case KMIP_TAG_OriginalCreationDate:
    case KMIP_TAG_OperationPolicyName:
        return true;
    default:
        return false;
    }
}

static klm_rc refuse(struct km_call *call, klm_rc rc, enum klm_msg_id msg, uint32_t tag)
{
    const struct kmip_attr_row *row = kmip_attr(tag);

    return KM_REFUSE(call, rc, 0, msg, row ? row->name : "of a vendor");
}

static klm_rc check_vendor(struct km_call *call, const struct kmip_node *value)
{
    const struct kmip_node *vendor = kmip_child(value, KMIP_TAG_VendorIdentification);

    /* KMIP 1.4, 3.42; 2.1, 4.60: y is the server's own */
    return vendor && klm_slice_equal(vendor->bytes, klm_slice_str("y"))
               ? KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_ATTR_SERVERS, "y-")
               : KLM_OK;
}

/* A template is for objects of any type. In 2.x almost all attributes are for all objects, where 1.x has lists; what is for certificates alone, say, is so in both. */
bool km_attr_applies(const struct kmip_attr_row *row, uint32_t type, int version)
{
    return type == KMIP_ObjectType_Template || (row->objects & KMIP_FOR(type)) ||
           (version >= KMIP_V(2, 0) && (row->objects & KMIP_FOR_SYMMETRIC));
}

/* All verbs that make objects have one request. */
static int version_of(const struct km_call *call)
{
    return ((const struct km_object_make *)call->req)->version;
}

static klm_rc name_taken(struct km_call *call, const struct kmip_node *name)
{
    const struct kmip_node *text = kmip_child(name, KMIP_TAG_NameValue);

    return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_OBJECT_NAME,
                     text ? klm_pool_strn(call->pool, (const char *)text->bytes.p, text->bytes.n)
                          : "");
}

/* KMIP 1.4, 3.44: who has a key made may name several generators, one of which is used. */
bool km_attr_several(const struct kmip_attr_row *row, enum km_verb_id by)
{
    return (row->flags & KMIP_A_MULTI) ||
           (row->tag == KMIP_TAG_RandomNumberGenerator && by != KM_OBJECT_REGISTER);
}

static klm_rc check_one(struct km_call *call, const struct md_attrs *attrs,
                        const struct md_attr *attr, uint32_t type)
{
    const struct kmip_attr_row *row = kmip_attr(attr->tag);

    KLM_TRY(km_attr_value_check(call, attr->value, version_of(call)));
    if (attr->tag == KMIP_TAG_Attribute) {
        return check_vendor(call, attr->value);
    }
    if (!row) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_ATTRIBUTE, "of an unknown tag");
    }
    if (!(row->flags & KMIP_A_CLIENT_SETS) && !given_by_maker(attr->tag)) {
        return refuse(call, KLM_E_DENIED, KLM_MSG_ATTR_SERVERS, attr->tag);
    }
    if (!km_attr_applies(row, type, version_of(call))) {
        return refuse(call, KLM_E_INVALID, KLM_MSG_ATTR_NOT_FOR, attr->tag);
    }
    if (!km_attr_several(row, call->id) && md_attr_next(attrs, attr)) {
        return refuse(call, KLM_E_INVALID, KLM_MSG_ATTR_SINGLE, attr->tag);
    }
    return attr->tag == KMIP_TAG_Name && md_attr_equal(attrs, attr->value) != attr
               ? name_taken(call, attr->value)
               : KLM_OK;
}

/* KMIP 1.4, 3.24 to 3.27: the dates of an object come in this order. */
klm_rc km_dates_check(struct km_call *call, const struct md_attrs *attrs)
{
    static const uint32_t order[] = {KMIP_TAG_ActivationDate, KMIP_TAG_ProcessStartDate,
                                     KMIP_TAG_ProtectStopDate, KMIP_TAG_DeactivationDate};
    const int64_t active = md_attr_number(attrs, order[0], INT64_MIN);
    const int64_t end = md_attr_number(attrs, order[3], INT64_MAX);

    for (size_t i = 1; i < 3; i++) {
        const struct md_attr *date = md_attr_find(attrs, order[i]);

        if (date && (date->value->number < active || date->value->number > end)) {
            return refuse(call, KLM_E_INVALID, KLM_MSG_ATTR_VALUE, order[i]);
        }
    }
    return active > end ? refuse(call, KLM_E_INVALID, KLM_MSG_ATTR_VALUE, order[3]) : KLM_OK;
}

klm_rc km_attrs_check(struct km_call *call, const struct md_attrs *attrs, uint32_t type)
{
    for (size_t i = 0; i < attrs->n; i++) {
        KLM_TRY(check_one(call, attrs, &attrs->at[i], type));
    }
    return km_dates_check(call, attrs);
}

struct name_check {
    const char *uid; /* the object's own */
    bool taken;
};

static klm_rc visit(void *arg, const struct md_object *object)
{
    struct name_check *check = arg;

    check->taken = check->taken || strcmp(object->uid, check->uid) != 0;
    return KLM_OK;
}

/* Mostly there is nobody, and the rows of the name tell. */
static klm_rc is_free(struct st_view *view, const struct kmip_node *name, const char *group,
                      uint8_t storage, bool *free)
{
    uint8_t key[MD_ROWS_MAX];
    char uid[2][MD_UID_MAX];
    size_t n = 1, key_n;
    klm_rc rc;

    *free = false;
    if (!md_name_rows(name, group, storage, key, &key_n)) {
        return KLM_OK;
    }
    rc = md_rows_read(view, KLM_SLICE(key, key_n), uid, 1, &n);
    *free = rc == KLM_OK && n == 0;
    return rc == KLM_E_LIMIT ? KLM_OK : rc;
}

/* No object of the group has the name, however it is kept: one search for the usual case. */
static klm_rc is_unused(struct st_view *view, const struct kmip_node *name, const char *group,
                        bool *unused)
{
    uint8_t key[MD_ROWS_MAX];
    size_t key_n;
    bool any;

    *unused = false;
    if (!md_name_rows(name, group, 0, key, &key_n)) {
        return KLM_OK;
    }
    KLM_TRY(md_rows_any(view, KLM_SLICE(key, key_n), &any));
    *unused = !any;
    return KLM_OK;
}

static klm_rc check_name(struct km_call *call, struct st_view *view, const struct md_object *object,
                         const struct kmip_node *name)
{
    const struct md_locate what = {.group = object->group,
                                   .filter = &name,
                                   .filters = 1,
                                   .storage = KMIP_StorageStatusMask_OnLineStorage |
                                              KMIP_StorageStatusMask_ArchivalStorage,
                                   .now = klm_clock()};
    struct name_check check = {object->uid, false};

    KLM_TRY(md_locate(view, &what, visit, &check, NULL));
    if (!check.taken) {
        return KLM_OK;
    }
    return name_taken(call, name);
}

klm_rc km_names_check(struct km_call *call, struct st_view *view, const struct md_object *object,
                      bool *alone)
{
    *alone = true;
    for (struct md_attr *name = md_attr_find(&object->attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&object->attrs, name)) {
        bool unused, online, archived;

        KLM_TRY(is_unused(view, name->value, object->group, &unused));
        if (unused) {
            continue;
        }
        KLM_TRY(is_free(view, name->value, object->group, KMIP_StorageStatusMask_OnLineStorage,
                        &online));
        KLM_TRY(is_free(view, name->value, object->group, KMIP_StorageStatusMask_ArchivalStorage,
                        &archived));
        *alone = *alone && online;
        if (!online || !archived) {
            KLM_TRY(check_name(call, view, object, name->value));
        }
    }
    return KLM_OK;
}

klm_rc km_name_free(struct st_view *view, const struct kmip_node *name, const char *group,
                    bool *out)
{
    bool online, archived;

    KLM_TRY(is_free(view, name, group, KMIP_StorageStatusMask_OnLineStorage, &online));
    KLM_TRY(is_free(view, name, group, KMIP_StorageStatusMask_ArchivalStorage, &archived));
    *out = online && archived;
    return KLM_OK;
}

static const struct md_attr *find_link(const struct md_object *object, uint32_t type)
{
    const struct md_attr *link = md_attr_find(&object->attrs, KMIP_TAG_Link);

    for (; link; link = md_attr_next(&object->attrs, link)) {
        const struct kmip_node *of = kmip_child(link->value, KMIP_TAG_LinkType);

        if (of && of->number == type) {
            return link;
        }
    }
    return NULL;
}

klm_rc km_link_set(struct md_object *object, struct klm_pool *pool, uint32_t type, const char *uid)
{
    struct kmip_node *link = kmip_root(pool, KMIP_TAG_Link);
    const struct md_attr *old = find_link(object, type);

    kmip_put_number(pool, link, KMIP_TAG_LinkType, KMIP_ENUMERATION, type);
    if (!kmip_put_bytes(pool, link, KMIP_TAG_LinkedObjectIdentifier, KMIP_TEXT,
                        klm_slice_str(uid))) {
        return KLM_E_NOMEM;
    }
    if (old) {
        md_attr_remove(&object->attrs, old);
    }
    return md_attr_add(&object->attrs, link);
}

const char *km_link_find(const struct md_object *object, struct klm_pool *pool, uint32_t type)
{
    const struct md_attr *link = find_link(object, type);
    const struct kmip_node *to =
        link ? kmip_child(link->value, KMIP_TAG_LinkedObjectIdentifier) : NULL;

    return to ? klm_pool_strn(pool, (const char *)to->bytes.p, to->bytes.n) : NULL;
}
