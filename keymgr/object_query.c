/* Query and Discover Versions: the door answers from its tables; here is their place in the table of rights and in the journal. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_kmip_query_prepare(struct km_call *call)
{
    ((struct km_kmip_query *)call->req)->known = km_may(call->actor.roles, KM_RIGHT_OBJECT);
    return KLM_OK;
}

/* KMIP 2.1, 6.1.26: it SHALL NOT be available in a production server. There is nothing to begin or to end here: each test finds what it left itself. */
klm_rc km_kmip_interop_prepare(struct km_call *call)
{
    return km_interop(call) ? KLM_OK : KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_INTEROP_OFF);
}

bool km_interop(const struct km_call *call)
{
    return parm_bool(call->state->config, PARM_kmip_interop);
}

/* KMIP 2.1, 6.1.29: the audit log is the server's log that a client may write to. */
klm_rc km_kmip_log_prepare(struct km_call *call)
{
    call->event.field[SMF_F_NEW] = ((const struct km_kmip_log *)call->req)->message;
    return KLM_OK;
}
