/* Between key material and keys of labels: what of one can be the other. */
#include "keyring/material_int.h"

klm_rc kr_material_key(const struct kr_material *private_key, struct kr_key **out)
{
    EVP_PKEY *pkey = NULL;
    klm_rc rc;

    if (private_key->spec.object != KMIP_ObjectType_PrivateKey) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_material_pkey(private_key, &pkey));
    rc = kr_key_from_pkey(pkey, out);
    return rc == KLM_E_LIMIT ? KLM_E_UNSUPPORTED : rc;
}

klm_rc kr_material_of_key(const struct kr_key *key, struct kr_material **out)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_PrivateKey,
                                    .format = KMIP_KeyFormatType_PKCS_8};
    KLM_AUTO(kr_secret_done) struct kr_secret wide = {0};

    KLM_TRY(key->pkey && !key->far ? kr_pkey_fit(key->pkey, &spec) : KLM_E_UNSUPPORTED);
    KLM_TRY(kr_pkcs8_clear(key, &wide));
    return kr_material_copy(&spec, KLM_SLICE(wide.p, wide.n), out);
}
