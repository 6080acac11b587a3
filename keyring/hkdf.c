/* HKDF-SHA256 (RFC 5869) for keys of 32 bytes: the one way from the master key to a key for a purpose. */
#include "keyring/internal.h"

#include "base/hmac.h"

#include <string.h>

#define INFO_MAX 64

/* RFC 5869, 2.2: without a salt, it is zeros; 2.3: the first block of what is expanded is all that is asked for. */
klm_rc kr_hkdf(const uint8_t key[32], struct klm_slice salt, const char *info, uint8_t out[32])
{
    static const uint8_t zeros[KLM_HMAC];
    KLM_AUTO(kr_secret_done) struct kr_secret prk = {0};
    const size_t n = strlen(info);
    uint8_t block[INFO_MAX + 1];

    if (n > INFO_MAX || salt.n > KLM_HMAC_KEY_MAX) {
        return KLM_E_LIMIT;
    }
    memcpy(block, info, n);
    block[n] = 1;
    KLM_TRY(kr_secret_new(KLM_HMAC, &prk));
    klm_hmac_once(salt.n ? salt : KLM_SLICE(zeros, sizeof zeros), KLM_SLICE(key, 32), prk.p);
    klm_hmac_once(KLM_SLICE(prk.p, KLM_HMAC), KLM_SLICE(block, n + 1), out);
    return KLM_OK;
}
