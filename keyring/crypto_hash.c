/* Hash (KMIP 1.4, 4.37; 2.1, 6.1.24). */
#include "keyring/crypto_int.h"

klm_rc kr_hash(uint32_t hash, struct klm_slice data, struct klm_pool *pool, struct klm_slice *out)
{
    const EVP_MD *md = kr_md(hash);
    uint8_t *p;
    unsigned n = 0;

    if (!md) {
        return KLM_E_UNSUPPORTED;
    }
    if (data.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    p = klm_pool_alloc(pool, (size_t)EVP_MD_get_size(md));
    if (!p) {
        return KLM_E_NOMEM;
    }
    if (EVP_Digest(data.p, data.n, p, &n, md, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}
