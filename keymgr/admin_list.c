/* Operators look at managed objects: a page of a list, or all attributes of one. No key material is read. */
#include "keymgr/clients.h"
#include "keymgr/object.h"

#include "kmip/codec/text.h"

#include <stdio.h>
#include <string.h>

#define PAGE 100

struct page {
    struct km_call *call;
    const struct km_objects_list *req;
    uint32_t type, state; /* 0: any */
    size_t left;
    char last[MD_UID_MAX];
    bool more;
};

/* ---- What is listed */

static bool name_fits(const struct page *page, const struct kmip_node *value)
{
    const struct kmip_node *name = kmip_child(value, KMIP_TAG_NameValue);
    const char *asked = page->req->name ? page->req->name : page->req->prefix;
    const size_t n = strlen(asked);

    return name && (page->req->name ? name->bytes.n == n : name->bytes.n >= n) &&
           memcmp(name->bytes.p, asked, n) == 0;
}

static bool named(const struct page *page, const struct md_object *object)
{
    if (!page->req->name && !page->req->prefix) {
        return true;
    }
    for (const struct md_attr *name = md_attr_find(&object->attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&object->attrs, name)) {
        if (name_fits(page, name->value)) {
            return true;
        }
    }
    return false;
}

static const char *value_name(enum kmip_enum set, int64_t code)
{
    const char *name = code > 0 ? kmip_value_name(set, (uint32_t)code) : NULL;

    return name ? name : "";
}

static klm_rc add(struct page *page, const struct md_object *object, uint32_t state)
{
    const int64_t bits = md_attr_number(&object->attrs, KMIP_TAG_CryptographicLength, 0);
    const int64_t made = md_attr_number(&object->attrs, KMIP_TAG_InitialDate, 0);
    char created[KLM_ISO_DATE_MAX], length[24] = "";

    klm_iso_date(made * 1000000, created);
    if (bits > 0) {
        snprintf(length, sizeof length, "%lld", (long long)bits);
    }
    memcpy(page->last, object->uid, sizeof page->last);
    return km_rows_add(
        page->call,
        (const char *const[]){
            object->uid, value_name(KMIP_E_ObjectType, object->type),
            km_admin_name(page->call, object), value_name(KMIP_E_State, state),
            km_group_shown(object->group),
            value_name(KMIP_E_CryptographicAlgorithm,
                       md_attr_number(&object->attrs, KMIP_TAG_CryptographicAlgorithm, 0)),
            length, created});
}

static klm_rc visit(void *arg, const struct md_object *object)
{
    struct page *page = arg;
    const uint32_t state = md_object_state(object, page->call->event.time);

    if ((page->type && object->type != page->type) || (page->state && state != page->state) ||
        !named(page, object)) {
        return KLM_OK;
    }
    if (page->left == 0) {
        page->more = true;
        return KLM_E_AGAIN;
    }
    page->left--;
    return add(page, object, state);
}

static klm_rc filters(struct page *page)
{
    const struct km_objects_list *req = page->req;

    if (req->type) {
        KLM_TRY(km_admin_value(page->call, KMIP_E_ObjectType, "type of object", req->type,
                               &page->type));
    }
    return req->state ? km_admin_value(page->call, KMIP_E_State, "state of an object", req->state,
                                       &page->state)
                      : KLM_OK;
}

klm_rc km_objects_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {
        "Unique Identifier", "Type",   "Name",    "State", "Group",
        "Algorithm",         "Length", "Created", NULL};
    const struct km_objects_list *req = call->req;
    struct page page = {
        .call = call, .req = req, .left = req->limit > 0 ? (size_t)req->limit : PAGE};
    const char *group, *owner;
    struct st_view *view;
    klm_rc rc;

    (void)km_call_seconds(call);
    KLM_TRY(filters(&page));
    KLM_TRY(km_admin_group(call, req->client, req->group, true, PR_NONE, &group, &owner));
    KLM_TRY(km_rows_begin(call, "Objects", columns));
    KLM_TRY(km_view(call, &view));
    rc = md_object_scan(view, group, req->after ? req->after : "", visit, &page);
    if (rc != KLM_OK && rc != KLM_E_AGAIN) {
        return rc;
    }
    if (page.more) {
        call->text = klm_pool_printf(call->pool, "More: -after %s", page.last);
    }
    return KLM_OK;
}

/* ---- One of them */

static void put_text(struct klm_buf *out, struct klm_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        klm_buf_u8(out, text.p[i] < ' ' || text.p[i] == 0x7f ? '.' : text.p[i]);
    }
}

static void put_value(struct klm_pool *pool, struct klm_buf *out, const struct kmip_node *node,
                      const struct kmip_node *parent);

/* A structure is its fields: NameValue=x, NameType=UninterpretedTextString. */
static void put_fields(struct klm_pool *pool, struct klm_buf *out, const struct kmip_node *node)
{
    for (const struct kmip_node *field = node->first; field; field = field->next) {
        const char *name = kmip_tag_text(pool, field->tag);

        klm_buf_printf(out, "%s%s=", field == node->first ? "" : ", ", name ? name : "");
        put_value(pool, out, field, node);
    }
}

static void put_value(struct klm_pool *pool, struct klm_buf *out, const struct kmip_node *node,
                      const struct kmip_node *parent)
{
    const char *text;

    if (node->type == KMIP_STRUCTURE) {
        put_fields(pool, out, node);
    } else if (node->type == KMIP_TEXT) {
        put_text(out, node->bytes);
    } else {
        text = kmip_value_text(pool, node, parent, ' ');
        klm_buf_text(out, text ? text : "");
    }
}

static klm_rc add_attribute(struct km_call *call, const char *name, const struct kmip_node *value)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text = {0};

    klm_buf_init(&text, 1 << 17);
    put_value(call->pool, &text, value, NULL);
    klm_buf_u8(&text, 0);
    KLM_TRY(klm_buf_rc(&text));
    return km_rows_add(call, (const char *const[]){name, (const char *)text.p});
}

klm_rc km_object_show_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Attribute", "Value", NULL};
    const struct km_object_show *req = call->req;
    struct md_object object;
    struct md_attrs attrs;

    KLM_TRY(km_admin_object(call, req->uid, PR_NONE, &object));
    KLM_TRY(md_object_attrs_now(&object, call->event.time, call->pool, &attrs));
    KLM_TRY(km_rows_begin(call, "Object", columns));
    KLM_TRY(km_rows_add(call, (const char *const[]){"Device Group", km_group_shown(object.group)}));
    KLM_TRY(km_rows_add(call, (const char *const[]){"Archived", object.archived ? "yes" : "no"}));
    for (size_t i = 0; i < attrs.n; i++) {
        const char *name = km_attr_name(call, attrs.at[i].value);

        /* what stands beside the material is kept with the attributes and is none */
        if (attrs.at[i].tag == KMIP_TAG_Attribute || kmip_attr(attrs.at[i].tag)) {
            KLM_TRY(add_attribute(call, name ? name : "", attrs.at[i].value));
        }
    }
    return KLM_OK;
}
