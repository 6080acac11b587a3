/* Check, Obtain Lease, Get Usage Allocation. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_check_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_lease_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_lease_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_allocate_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}
