/* Get Attributes, Get Attribute List, Add, Modify, Set and Delete Attribute. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_attrs_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_attr_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_attr_add_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_attr_modify_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_attr_set_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_attr_delete_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}
