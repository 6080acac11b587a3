/* What is asked of a PKCS#11 token: its AES key as root of trust. The messages are those of keyring/P11.md. */
#include "keyring/internal.h"

#include <string.h>

klm_rc kr_hard_key(struct p11 *p11, const char *object, bool make, uint8_t check[KR_CHECK_BLOCK],
                   struct klm_diag *diag)
{
    struct p11_msg request = {.op = make ? P11_AES_MAKE : P11_AES_LOOK};
    uint8_t block[KR_CHECK_BLOCK];
    size_t n = 0;

    p11_msg_set(&request, P11_F_OBJECT, klm_slice_str(object));
    KLM_TRY(p11_call(p11, &request, block, sizeof block, &n, diag));
    if (n != sizeof block) {
        return KLM_E_CRYPTO;
    }
    memcpy(check, block, sizeof block);
    return KLM_OK;
}

klm_rc kr_hard_seal(struct p11 *p11, const char *object, struct klm_slice aad,
                    struct klm_slice data, uint8_t *out, struct klm_diag *diag)
{
    struct p11_msg request = {.op = P11_SEAL};
    size_t n = 0;

    p11_msg_set(&request, P11_F_OBJECT, klm_slice_str(object));
    p11_msg_set(&request, P11_F_AAD, aad);
    p11_msg_set(&request, P11_F_DATA, data);
    KLM_TRY(p11_call(p11, &request, out, data.n + KR_HARD_MORE, &n, diag));
    return n == data.n + KR_HARD_MORE ? KLM_OK : KLM_E_CRYPTO;
}

klm_rc kr_hard_unseal(struct p11 *p11, const char *object, struct klm_slice aad,
                      struct klm_slice data, uint8_t *out, size_t cap, size_t *n,
                      struct klm_diag *diag)
{
    struct p11_msg request = {.op = P11_UNSEAL};

    p11_msg_set(&request, P11_F_OBJECT, klm_slice_str(object));
    p11_msg_set(&request, P11_F_AAD, aad);
    p11_msg_set(&request, P11_F_DATA, data);
    return p11_call(p11, &request, out, cap, n, diag);
}
