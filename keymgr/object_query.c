/* Query and Discover Versions: the door answers from its tables; here is their place in the table of rights and in the journal. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

klm_rc km_kmip_query_prepare(struct km_call *call)
{
    (void)call;
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
    const struct km_kmip_log *req = call->req;
    const size_t n = strlen(req->message), most = km_param_find(call->id, "message")->max;

    if (n > most) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_LOG_LONG, KLM_NUM(n), KLM_NUM(most));
    }
    call->event.field[SMF_F_NEW] = req->message;
    return KLM_OK;
}
