/* Re-key and Re-key Key Pair. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_rekey_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_rekey_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_rekey_pair_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_rekey_pair_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}
