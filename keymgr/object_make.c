/* Create, Create Key Pair and Register. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>


static klm_rc need(struct km_call *call, const struct md_attrs *attrs, uint32_t tag, uint32_t *out)
{
    const struct md_attr *attr = md_attr_find(attrs, tag);

    if (!attr || attr->value->number < 0 || attr->value->number > UINT32_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, kmip_tag(tag)->name);
    }
    *out = (uint32_t)attr->value->number;
    return KLM_OK;
}

klm_rc km_object_create_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_material *material = NULL;
    uint32_t algorithm, bits;
    klm_rc rc;

    KLM_TRY(need(call, &req->attrs, KMIP_TAG_CryptographicAlgorithm, &algorithm));
    KLM_TRY(need(call, &req->attrs, KMIP_TAG_CryptographicLength, &bits));
    KLM_TRY(kr_material_generate(algorithm, bits, &material));
    rc = km_made(call, req->type, &req->attrs, material, 0);
    kr_material_free(&material);
    return rc;
}

klm_rc km_object_create_apply(struct km_call *call, struct st_change *change)
{
    return km_made_put(call, change);
}

klm_rc km_object_pair_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_pair_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_register_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_register_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}
