/* RNG Retrieve and RNG Seed (KMIP 1.4, 4.35 and 4.36; 2.1, 6.1.49 and 6.1.50). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#define RANDOM_MAX 65536 /* bytes at once */

klm_rc km_random_get_prepare(struct km_call *call)
{
    struct km_random *req = call->req;
    uint8_t *bytes;

    if (req->length < 1 || req->length > RANDOM_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_RANDOM_LENGTH, KLM_NUM(req->length),
                         KLM_NUM(RANDOM_MAX));
    }
    bytes = klm_pool_alloc(call->pool, (size_t)req->length);
    if (!bytes) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_random(bytes, (size_t)req->length));
    req->data = KLM_SLICE(bytes, (size_t)req->length);
    return KLM_OK;
}

/* All of it is stirred in; nothing relies on it. */
klm_rc km_random_seed_prepare(struct km_call *call)
{
    struct km_random *req = call->req;

    klm_random_stir(req->data.p, req->data.n);
    req->taken = (int64_t)req->data.n;
    return KLM_OK;
}
