/* Who asks. */
#include "kmip/ops/ops_int.h"

klm_rc kmop_caller(struct kmop_message *msg)
{
    const struct kmop_request *req = &msg->req;

    msg->registered = req->fingerprint[0] != 0;
    msg->actor = (struct km_actor){.kind = KM_ACTOR_CLIENT,
                                   .roles = msg->registered ? KM_ROLE_CLIENT : 0,
                                   .name = req->fingerprint,
                                   .address = req->address,
                                   .fingerprint = req->fingerprint,
                                   .session = req->session,
                                   .group = "",
                                   .may_destroy = true};
    return KLM_OK;
}
