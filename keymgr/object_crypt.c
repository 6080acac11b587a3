/* Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify and Hash. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_encrypt_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_crypt_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_decrypt_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_sign_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_verify_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_mac_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_mac_verify_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_hash_prepare(struct km_call *call)
{
    (void)call;
    return KLM_E_UNSUPPORTED;
}
