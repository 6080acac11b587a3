/* KEYXFER files: what decodes must encode to the same bytes again. So that the fuzzer gets past
 * the checksum, input without one is tried a second time with the right one put behind. */
#include "keyring/kr.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_file(struct klm_slice file)
{
    struct klm_pool *pool = NULL;
    struct klm_slice token;
    struct klm_buf again;
    const char *label;
    char vp[KR_VP_MAX];

    if (klm_pool_new(0, &pool) != KLM_OK) {
        return;
    }
    if (kr_xfer_decode(file, pool, &label, &token, vp, NULL) == KLM_OK) {
        klm_buf_init(&again, 65536);
        if (kr_xfer_encode(label, token, &again) != KLM_OK || again.n != file.n ||
            memcmp(again.p, file.p, file.n) != 0) {
            abort();
        }
        klm_buf_done(&again);
    }
    klm_pool_free(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[32];
    char hex[65];
    struct klm_buf buf;

    try_file(KLM_SLICE(data, size));
    klm_buf_init(&buf, 65536);
    klm_buf_put(&buf, data, size);
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) == 1) {
        klm_hex_upper(digest, sizeof digest, hex);
        klm_buf_printf(&buf, "SHA-256: %s\n", hex);
        if (klm_buf_rc(&buf) == KLM_OK) {
            try_file(klm_buf_as_slice(&buf));
        }
    }
    klm_buf_done(&buf);
    return 0;
}
