/* Templates of KMIP 1.x: named lists of attributes, taken over by operations that make objects (1.4, 2.1.8 and 2.2.6). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

struct found {
    struct km_call *call;
    struct md_attrs *to;
    bool there;
};

static bool many(const struct kmip_node *value)
{
    const struct kmip_attr_row *row = kmip_attr(value->tag);

    return value->tag == KMIP_TAG_Attribute || (row && (row->flags & KMIP_A_MULTI));
}

/* KMIP 1.4, 2.1.8: what the request says itself counts before what a template says; of several instances all count, the template's first. */
static klm_rc take(void *arg, const struct md_object *object)
{
    struct found *found = arg;
    const struct md_attr *list = md_attr_find(&object->attrs, KMIP_TAG_Template);
    struct md_attrs all;

    found->there = true;
    md_attrs_init(&all, found->call->pool);
    for (const struct kmip_node *attr = list ? list->value->first : NULL; attr; attr = attr->next) {
        if (many(attr) || !md_attr_like(found->to, attr)) {
            KLM_TRY(md_attr_add(&all, attr));
        }
    }
    for (size_t i = 0; i < found->to->n; i++) {
        if (!md_attr_equal(&all, found->to->at[i].value)) {
            KLM_TRY(md_attr_add(&all, found->to->at[i].value));
        }
    }
    *found->to = all;
    return KLM_OK;
}

static klm_rc add_one(struct km_call *call, struct st_view *view, const char *name,
                      struct md_attrs *to)
{
    struct kmip_node *filter = kmip_root(call->pool, KMIP_TAG_Name);
    struct kmip_node *type = kmip_item(call->pool, NULL, KMIP_TAG_ObjectType, KMIP_ENUMERATION);
    const struct kmip_node *filters[2] = {filter, type};
    struct md_locate what = {.group = km_call_group(call),
                             .filter = filters,
                             .filters = 2,
                             .max = 1,
                             .now = klm_clock()};
    struct found found = {call, to, false};

    if (!type ||
        !kmip_put_bytes(call->pool, filter, KMIP_TAG_NameValue, KMIP_TEXT, klm_slice_str(name))) {
        return KLM_E_NOMEM;
    }
    type->number = KMIP_ObjectType_Template;
    KLM_TRY(md_locate(view, &what, take, &found, NULL));
    return found.there ? KLM_OK : KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_OBJECT_UNKNOWN, name);
}

klm_rc km_templates_add(struct km_call *call, const char *const *names, struct md_attrs *to)
{
    struct st_view *view;

    if (!names || !names[0]) {
        return KLM_OK;
    }
    KLM_TRY(km_view(call, &view));
    for (; *names; names++) {
        KLM_TRY(add_one(call, view, *names, to));
    }
    return KLM_OK;
}
