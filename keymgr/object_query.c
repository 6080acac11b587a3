/* Query and Discover Versions: the door answers from its tables; here is their place in the table of rights and in the journal. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_kmip_query_prepare(struct km_call *call)
{
    (void)call;
    return KLM_OK;
}
