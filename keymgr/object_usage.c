/* Usage limits: how often, or for how many bytes, a key may protect data (KMIP 1.4, 3.21; 2.1, 4.59). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

/* How much one use takes, in the unit of the limits. */
static int64_t taken_by(const struct kmip_node *limits, size_t bytes)
{
    const struct kmip_node *unit = kmip_child(limits, KMIP_TAG_UsageLimitsUnit);

    return unit && unit->number == KMIP_UsageLimitsUnit_Byte ? (int64_t)bytes : 1;
}

klm_rc km_usage_take(struct km_call *call, struct md_object *key, size_t bytes)
{
    const struct md_attr *limits = md_attr_find(&key->attrs, KMIP_TAG_UsageLimits);
    struct kmip_node *copy = NULL;

    if (!limits) {
        return KLM_OK;
    }
    KLM_TRY(md_item_copy(limits->value, call->pool, &copy));
    copy->next = NULL;
    for (struct kmip_node *child = copy->first; child; child = child->next) {
        if (child->tag == KMIP_TAG_UsageLimitsCount) {
            const int64_t n = taken_by(copy, bytes);

            if (child->number < n) {
                return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_USAGE_LIMIT, key->uid,
                                 KLM_NUM(child->number));
            }
            child->number -= n;
        }
    }
    key->allocated = true;
    return md_attr_set(&key->attrs, copy);
}
