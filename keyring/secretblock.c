/* A piece of secret memory that knows its size. */
#include "keyring/internal.h"

#include "base/secret.h"

klm_rc kr_secret_new(size_t cap, struct kr_secret *out)
{
    uint8_t *p = klm_secret_alloc(cap);

    if (!p) {
        return KLM_E_NOMEM;
    }
    *out = (struct kr_secret){p, 0, cap};
    return KLM_OK;
}

void kr_secret_done(struct kr_secret *secret)
{
    if (secret->p) {
        klm_secret_free(secret->p, secret->cap);
    }
    *secret = (struct kr_secret){0};
}
