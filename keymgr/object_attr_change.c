/* Add, Modify, Set, Adjust and Delete Attribute. Who may do what, and until when, stands in kmip/registry (attributes.def); each refusal has a message of its own, since versions of the protocol
 * tell them apart. */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "metadata/cartridge.h"

/* One change under way. */
struct edit {
    struct km_call *call;
    struct km_attr_change *req;
    struct st_change *change;
    struct md_object object;
    struct md_cartridge cartridge;   /* that it named before */
    const struct kmip_attr_row *row; /* a vendor's attribute: that of its kind */
    const char *name;                /* of the attribute, for messages */
    bool vendors; /* KMIP 1.4, 3.39; 2.1, 4.60: one of vendor y, which is the server's */
};

static klm_rc refuse(const struct edit *edit, klm_rc rc, enum klm_msg_id msg)
{
    return KM_REFUSE(edit->call, rc, 0, msg, edit->name, edit->object.uid);
}

static bool of_server(const struct kmip_node *value)
{
    const struct kmip_node *vendor = kmip_child(value, KMIP_TAG_VendorIdentification);

    return value->tag == KMIP_TAG_Attribute && vendor &&
           klm_slice_equal(vendor->bytes, klm_slice_str("y"));
}

static klm_rc begin(struct edit *edit, struct km_call *call, struct st_change *change)
{
    struct km_attr_change *req = call->req;

    *edit = (struct edit){.call = call, .req = req, .change = change};
    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, &edit->object));
    (void)md_cartridge(&edit->object, &edit->cartridge); /* empty when it names none */
    edit->row = kmip_attr(req->value->tag == KMIP_TAG_Attribute ? KMIP_TAG_CustomAttribute
                                                                : req->value->tag);
    edit->name = km_attr_name(call, req->value);
    edit->vendors = of_server(req->value);
    return edit->row ? KLM_OK
                     : KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_ATTRIBUTE, edit->name);
}

/* ---- When */

static bool reached(const struct edit *edit)
{
    return md_attr_number(&edit->object.attrs, edit->row->tag, INT64_MAX) <=
           km_call_seconds(edit->call);
}

/* Part of the limits was given out, by Get Usage Allocation or by use here. */
static bool allocated(const struct md_object *object)
{
    const struct md_attr *limits = md_attr_find(&object->attrs, KMIP_TAG_UsageLimits);
    const struct kmip_node *total =
        limits ? kmip_child(limits->value, KMIP_TAG_UsageLimitsTotal) : NULL;
    const struct kmip_node *count =
        limits ? kmip_child(limits->value, KMIP_TAG_UsageLimitsCount) : NULL;

    return object->allocated || (total && count && total->number != count->number);
}

/* The moment for a change by the client: fixed is what is said when it has passed for good. */
static klm_rc in_time(const struct edit *edit, enum kmip_attr_when when, enum klm_msg_id fixed)
{
    const uint32_t state = md_object_state(&edit->object, edit->call->event.time);
    const bool live = state == KMIP_State_PreActive || state == KMIP_State_Active;
    bool ok = false;

    switch (when) {
    case KMIP_WHEN_NO:
        return refuse(edit, KLM_E_DENIED, fixed);
    case KMIP_WHEN_YES:
        return KLM_OK;
    case KMIP_WHEN_UNALLOCATED:
        return allocated(&edit->object) ? refuse(edit, KLM_E_DENIED, fixed) : KLM_OK;
    case KMIP_WHEN_PREACTIVE:
        ok = state == KMIP_State_PreActive;
        break;
    case KMIP_WHEN_LIVE:
        ok = live;
        break;
    case KMIP_WHEN_NOT_REACHED:
        if (live && reached(edit)) {
            return refuse(edit, KLM_E_DENIED, fixed);
        }
        ok = live;
        break;
    }
    return ok || edit->object.type == KMIP_ObjectType_Template
               ? KLM_OK
               : refuse(edit, KLM_E_STATE, KLM_MSG_ATTR_STATE);
}

/* ---- What follows from a change */

/* The name is another object's, or this one's already. */
static klm_rc check_name(struct edit *edit, const struct md_attr *attr)
{
    bool alone;
    klm_rc rc;

    for (const struct md_attr *name = md_attr_find(&edit->object.attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&edit->object.attrs, name)) {
        if (name != attr && kmip_equal(name->value, attr->value)) {
            return KM_REFUSE(edit->call, KLM_E_EXISTS, 0, KLM_MSG_ATTR_NAME, edit->object.uid);
        }
    }
    rc = km_names_check(edit->call, st_change_view(edit->change), &edit->object, &alone);
    return rc == KLM_E_EXISTS ? KM_REFUSE(edit->call, rc, 0, KLM_MSG_ATTR_NAME, edit->object.uid)
                              : rc;
}

/* KMIP 2.1, 4.3 and 4.33: what was ever false has not always been true. */
static klm_rc note_secrecy(struct edit *edit, const struct md_attr *attr)
{
    struct md_attrs *attrs = &edit->object.attrs;

    if (attr->tag == KMIP_TAG_Sensitive && !attr->value->number) {
        return md_attr_set_number(attrs, KMIP_TAG_AlwaysSensitive, false);
    }
    if (attr->tag == KMIP_TAG_Extractable && attr->value->number) {
        return md_attr_set_number(attrs, KMIP_TAG_NeverExtractable, false);
    }
    return KLM_OK;
}

static bool is_date(uint32_t tag)
{
    return tag == KMIP_TAG_ActivationDate || tag == KMIP_TAG_ProcessStartDate ||
           tag == KMIP_TAG_ProtectStopDate || tag == KMIP_TAG_DeactivationDate;
}

/* KMIP 2.1, 4.57, transitions 4 and 6: a date of the past moves the object at once. */
static klm_rc note_date(struct edit *edit)
{
    const uint32_t state = md_object_state(&edit->object, edit->call->event.time);

    KLM_TRY(km_dates_check(edit->call, &edit->object.attrs));
    return state ? md_attr_set_number(&edit->object.attrs, KMIP_TAG_State, state) : KLM_OK;
}

static klm_rc put(struct edit *edit)
{
    KLM_TRY(km_object_change(edit->call, edit->change, &edit->object));
    return km_cartridge_changed(edit->call, edit->change, &edit->cartridge, &edit->object);
}

/* A new value is in the list: the rest of the object follows, and the answer is it. */
static klm_rc put_value(struct edit *edit, struct md_attr *attr)
{
    const int64_t index = attr->index;

    if (attr->tag == KMIP_TAG_Name) {
        KLM_TRY(check_name(edit, attr));
    }
    if (is_date(attr->tag)) {
        KLM_TRY(note_date(edit));
    }
    attr = md_attr_indexed(&edit->object.attrs, edit->req->value, index);
    KLM_TRY(note_secrecy(edit, attr));
    edit->req->attr = *md_attr_indexed(&edit->object.attrs, edit->req->value, index);
    return put(edit);
}

/* The value as it is kept. */
static klm_rc new_value(struct edit *edit, const struct kmip_node **out)
{
    const struct kmip_node *value = edit->req->value;

    KLM_TRY(km_attr_value_check(edit->call, value, edit->req->version));
    *out = value;
    return value->tag == KMIP_TAG_UsageLimits ? km_usage_limits(edit->call->pool, value, out)
                                              : KLM_OK;
}

/* ---- Add (KMIP 2.1, 6.1.2; 1.4, 4.14) */

static bool depends_on_state(enum kmip_attr_when when)
{
    return when == KMIP_WHEN_PREACTIVE || when == KMIP_WHEN_LIVE || when == KMIP_WHEN_NOT_REACHED;
}

static klm_rc may_add(const struct edit *edit)
{
    const struct md_object *object = &edit->object;

    if (!(edit->row->flags & KMIP_A_CLIENT_SETS) || edit->vendors) {
        return refuse(edit, KLM_E_DENIED, KLM_MSG_ATTR_READ_ONLY);
    }
    if (!km_attr_applies(edit->row, object->type, edit->req->version)) {
        return refuse(edit, KLM_E_DENIED, KLM_MSG_ATTR_UNFIT);
    }
    if (!(edit->row->flags & KMIP_A_MULTI) && md_attr_like(&object->attrs, edit->req->value)) {
        return refuse(edit, KLM_E_EXISTS, KLM_MSG_ATTR_EXISTS);
    }
    return depends_on_state(edit->row->client_changes)
               ? in_time(edit, edit->row->client_changes, KLM_MSG_ATTR_READ_ONLY)
               : KLM_OK;
}

static klm_rc add(struct edit *edit)
{
    struct md_attrs *attrs = &edit->object.attrs;
    const struct kmip_node *value = NULL;
    klm_rc rc;

    KLM_TRY(may_add(edit));
    KLM_TRY(new_value(edit, &value));
    rc = md_attr_add(attrs, value);
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(edit->call, rc, 0, KLM_MSG_ATTR_FULL, edit->object.uid);
    }
    KLM_TRY(rc);
    /* KMIP 1.4, 4.14: the index SHALL NOT be specified; clients that name the one it gets do no harm */
    if (edit->req->index >= 0 && edit->req->index != attrs->at[attrs->n - 1].index) {
        return refuse(edit, KLM_E_INVALID, KLM_MSG_ATTR_INDEX);
    }
    return put_value(edit, &attrs->at[attrs->n - 1]);
}

klm_rc km_attr_prepare(struct km_call *call)
{
    (void)km_call_seconds(call);
    return KLM_OK;
}

klm_rc km_attr_add_apply(struct km_call *call, struct st_change *change)
{
    struct edit edit;

    KLM_TRY(begin(&edit, call, change));
    return add(&edit);
}

/* ---- Modify (KMIP 2.1, 6.1.34; 1.4, 4.15) */

static klm_rc replace(struct edit *edit, struct md_attr *attr)
{
    const struct kmip_node *value = NULL;

    KLM_TRY(new_value(edit, &value));
    KLM_TRY(md_attr_replace(&edit->object.attrs, attr, value));
    return put_value(edit, attr);
}

static struct md_attr *only(const struct edit *edit)
{
    struct md_attr *attr = md_attr_like(&edit->object.attrs, edit->req->value);

    return attr && !md_attr_next_like(&edit->object.attrs, attr) ? attr : NULL;
}

/* The instance that is meant: in 1.x that of the index, which is 0 when none is given; in 2.x the one with the current value, or the only one. NULL: none. */
static struct md_attr *meant(const struct edit *edit)
{
    const struct km_attr_change *req = edit->req;

    if (req->version < KMIP_V(2, 0)) {
        return md_attr_indexed(&edit->object.attrs, req->value, req->index < 0 ? 0 : req->index);
    }
    if (!req->current) {
        return only(edit);
    }
    return md_attr_same(req->current, req->value) ? md_attr_equal(&edit->object.attrs, req->current)
                                                  : NULL;
}

klm_rc km_attr_modify_apply(struct km_call *call, struct st_change *change)
{
    struct md_attr *attr;
    struct edit edit;

    KLM_TRY(begin(&edit, call, change));
    if (edit.row->client_changes == KMIP_WHEN_NO || edit.vendors) {
        return refuse(&edit, KLM_E_DENIED, KLM_MSG_ATTR_FIXED);
    }
    if (!md_attr_like(&edit.object.attrs, edit.req->value)) {
        return refuse(&edit, KLM_E_NOTFOUND, KLM_MSG_ATTR_TO_ADD);
    }
    attr = meant(&edit);
    if (!attr) {
        return refuse(&edit, KLM_E_NOTFOUND, KLM_MSG_ATTR_INSTANCE);
    }
    KLM_TRY(in_time(&edit, edit.row->client_changes, KLM_MSG_ATTR_FIXED));
    return replace(&edit, attr);
}

/* ---- Set (KMIP 2.1, 6.1.51): add, or modify the only instance */

static klm_rc set(struct edit *edit)
{
    struct md_attr *attr;

    if (!md_attr_like(&edit->object.attrs, edit->req->value)) {
        return add(edit);
    }
    if (edit->row->client_changes == KMIP_WHEN_NO || edit->vendors) {
        return refuse(edit, KLM_E_DENIED, KLM_MSG_ATTR_READ_ONLY);
    }
    attr = only(edit);
    if (!attr) {
        return refuse(edit, KLM_E_EXISTS, KLM_MSG_ATTR_MANY);
    }
    KLM_TRY(in_time(edit, edit->row->client_changes, KLM_MSG_ATTR_READ_ONLY));
    return replace(edit, attr);
}

klm_rc km_attr_set_apply(struct km_call *call, struct st_change *change)
{
    struct edit edit;

    KLM_TRY(begin(&edit, call, change));
    return set(&edit);
}

/* ---- Adjust (KMIP 2.1, 6.1.3): what is computed is then set */

/* A type's smallest and largest number. */
static bool within(enum kmip_type type, int64_t number)
{
    switch (type) {
    case KMIP_INTEGER:
        return number >= INT32_MIN && number <= INT32_MAX;
    case KMIP_INTERVAL:
        return number >= 0 && number <= UINT32_MAX;
    default:
        return true;
    }
}

static bool counts(enum kmip_type type)
{
    return type == KMIP_INTEGER || type == KMIP_LONG_INTEGER || type == KMIP_INTERVAL ||
           type == KMIP_DATE_TIME || type == KMIP_DATE_TIME_EXTENDED;
}

/* Is the adjustment for values of the type? */
static bool adjusts(uint32_t adjustment, enum kmip_type type)
{
    switch (adjustment) {
    case KMIP_AdjustmentType_Increment:
    case KMIP_AdjustmentType_Decrement:
        return counts(type);
    default:
        return type == KMIP_INTEGER || type == KMIP_LONG_INTEGER || type == KMIP_BOOLEAN;
    }
}

/* False: it is beyond 64 bits. */
static bool adjusted(const struct km_attr_change *req, enum kmip_type type, int64_t *number)
{
    switch (req->adjustment) {
    case KMIP_AdjustmentType_Increment:
        return !__builtin_add_overflow(*number, req->by, number);
    case KMIP_AdjustmentType_Decrement:
        return !__builtin_sub_overflow(*number, req->by, number);
    default:
        *number = type == KMIP_BOOLEAN ? !*number : *number;
        return type == KMIP_BOOLEAN || !__builtin_sub_overflow(0, *number, number);
    }
}

static klm_rc adjust_item(const struct edit *edit, struct kmip_node *item)
{
    if (!adjusts(edit->req->adjustment, item->type)) {
        return refuse(edit, KLM_E_INVALID, KLM_MSG_ATTR_TYPE);
    }
    return adjusted(edit->req, item->type, &item->number) && within(item->type, item->number)
               ? KLM_OK
               : refuse(edit, KLM_E_INVALID, KLM_MSG_ATTR_RANGE);
}

/* The item with the number: the attribute's, or the value in one of a vendor. */
static struct kmip_node *number_in(struct kmip_node *value)
{
    struct kmip_node *item = value;

    if (value->tag == KMIP_TAG_Attribute) {
        item = value->first;
        while (item && item->tag != KMIP_TAG_AttributeValue) {
            item = item->next;
        }
    }
    return item;
}

/* A copy of the value that there is, or nothing of the attribute's type: a date and a vendor's attribute have to be there. */
static klm_rc before(struct edit *edit, const struct md_attr *attr, struct kmip_node **out)
{
    const struct kmip_tag_row *tag = kmip_tag(edit->req->value->tag);

    if (attr) {
        return md_item_copy(attr->value, edit->call->pool, out);
    }
    if (!tag || tag->type == KMIP_DATE_TIME || !(counts(tag->type) || tag->type == KMIP_BOOLEAN)) {
        return refuse(edit, KLM_E_INVALID, KLM_MSG_ATTR_TYPE);
    }
    *out = kmip_item(edit->call->pool, NULL, tag->code, tag->type);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_attr_adjust_apply(struct km_call *call, struct st_change *change)
{
    struct km_attr_change *req = call->req;
    const struct kmip_node *named = req->value; /* the apply may come twice */
    struct kmip_node *value = NULL;
    struct md_attr *attr;
    struct edit edit;
    klm_rc rc;

    KLM_TRY(begin(&edit, call, change));
    attr = md_attr_like(&edit.object.attrs, named);
    if (attr && md_attr_next_like(&edit.object.attrs, attr)) {
        return refuse(&edit, KLM_E_EXISTS, KLM_MSG_ATTR_MANY);
    }
    if ((attr ? edit.row->client_changes == KMIP_WHEN_NO
              : !(edit.row->flags & KMIP_A_CLIENT_SETS)) ||
        edit.vendors) {
        return refuse(&edit, KLM_E_DENIED, KLM_MSG_ATTR_READ_ONLY);
    }
    KLM_TRY(before(&edit, attr, &value));
    KLM_TRY(adjust_item(&edit, number_in(value)));
    req->value = value;
    rc = set(&edit);
    req->value = named;
    return rc;
}

/* ---- Delete (KMIP 2.1, 6.1.13; 1.4, 4.16) */

static klm_rc delete_all(struct edit *edit)
{
    struct md_attr *attr;

    while ((attr = md_attr_like(&edit->object.attrs, edit->req->value))) {
        edit->req->attr = *attr;
        md_attr_remove(&edit->object.attrs, attr);
    }
    return put(edit);
}

static klm_rc delete_one(struct edit *edit)
{
    const struct km_attr_change *req = edit->req;
    struct md_attr *attr =
        req->version < KMIP_V(2, 0) ? meant(edit) : md_attr_equal(&edit->object.attrs, req->value);

    if (!attr) {
        return refuse(edit, KLM_E_NOTFOUND, KLM_MSG_ATTR_INSTANCE);
    }
    edit->req->attr = *attr;
    md_attr_remove(&edit->object.attrs, attr);
    return put(edit);
}

klm_rc km_attr_delete_apply(struct km_call *call, struct st_change *change)
{
    struct edit edit;

    KLM_TRY(begin(&edit, call, change));
    if ((edit.row->flags & KMIP_A_ALWAYS) || edit.row->client_deletes == KMIP_WHEN_NO ||
        edit.vendors) {
        return refuse(&edit, KLM_E_DENIED, KLM_MSG_ATTR_NEEDED);
    }
    if (!md_attr_like(&edit.object.attrs, edit.req->value)) {
        return refuse(&edit, KLM_E_NOTFOUND, KLM_MSG_ATTR_ABSENT);
    }
    KLM_TRY(in_time(&edit, edit.row->client_deletes, KLM_MSG_ATTR_NEEDED));
    return edit.req->by_reference ? delete_all(&edit) : delete_one(&edit);
}
