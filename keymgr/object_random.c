/* RNG Retrieve and RNG Seed. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_random_get_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_random_seed_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}
