/* Get Attributes and Get Attribute List: what is known of an object, now (KMIP 2.1, 6.1.20 and 6.1.21; 1.4, 4.12 and 4.13). Attributes of an archived object are on line, so that
 * a client sees that it is archived; those of a destroyed one are kept. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

/* What stands beside the key material is kept with the attributes and is none. */
static bool is_attribute(const struct md_attr *attr)
{
    return attr->tag == KMIP_TAG_Attribute || kmip_attr(attr->tag) != NULL;
}

/* An instance with its index; lists number those they are given themselves. */
static klm_rc take(struct md_attrs *out, const struct md_attr *attr)
{
    KLM_TRY(md_attr_add(out, attr->value));
    out->at[out->n - 1].index = attr->index;
    return KLM_OK;
}

static klm_rc take_tag(struct md_attrs *out, const struct md_attrs *all, uint32_t tag)
{
    const struct md_attr *attr = md_attr_find(all, tag);

    return attr ? take(out, attr) : KLM_OK;
}

/* What names the object comes first, then all in the order in which it came to the object. */
static klm_rc take_all(struct md_attrs *out, const struct md_attrs *all)
{
    KLM_TRY(take_tag(out, all, KMIP_TAG_UniqueIdentifier));
    KLM_TRY(take_tag(out, all, KMIP_TAG_ObjectType));
    for (size_t i = 0; i < all->n; i++) {
        const struct md_attr *attr = &all->at[i];

        if (attr->tag != KMIP_TAG_UniqueIdentifier && attr->tag != KMIP_TAG_ObjectType &&
            is_attribute(attr)) {
            KLM_TRY(take(out, attr));
        }
    }
    return KLM_OK;
}

static klm_rc take_named(struct md_attrs *out, const struct md_attrs *all,
                         const struct kmip_node *name)
{
    for (const struct md_attr *attr = md_attr_like(all, name); attr;
         attr = md_attr_next_like(all, attr)) {
        KLM_TRY(take(out, attr));
    }
    return KLM_OK;
}

/* KMIP 2.1, 6.1.20: the same Attribute Reference SHALL NOT be present more than once in a request. */
static klm_rc each_once(struct km_call *call, const struct kmip_node *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (md_attr_same(names[i], names[j])) {
                return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ATTR_TWICE);
            }
        }
    }
    return KLM_OK;
}

static klm_rc now(struct km_call *call, const struct md_object *object, struct md_attrs *out)
{
    (void)km_call_seconds(call);
    return md_object_attrs_now(object, call->event.time, call->pool, out);
}

klm_rc km_attrs_named(struct km_call *call, const struct md_object *object,
                      const struct kmip_node *const *names, size_t n, struct md_attrs *out)
{
    struct md_attrs all;

    KLM_TRY(each_once(call, names, n));
    KLM_TRY(now(call, object, &all));
    md_attrs_init(out, call->pool);
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(take_named(out, &all, names[i]));
    }
    return KLM_OK;
}

static klm_rc all_of(struct km_call *call, const struct md_object *object, struct md_attrs *out)
{
    struct md_attrs all;

    KLM_TRY(now(call, object, &all));
    md_attrs_init(out, call->pool);
    return take_all(out, &all);
}

klm_rc km_object_attrs_prepare(struct km_call *call)
{
    struct km_object_attrs *req = call->req;
    struct md_attrs out;
    struct st_view *view;

    KLM_TRY(each_once(call, req->names, req->n)); /* whatever object is named */
    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find_any(call, view, req->uid, &req->object));
    KLM_TRY(req->names ? km_attrs_named(call, &req->object, req->names, req->n, &out)
                       : all_of(call, &req->object, &out));
    req->object.attrs = out;
    return KLM_OK;
}
