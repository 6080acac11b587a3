/* Locate. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_locate_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}
