/* EEDKs: whatever decodes must encode to the same bytes again. */
#include "exchange/kx.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kx_eedk eedk;
    struct klm_buf out;

    if (kx_eedk_decode(KLM_SLICE(data, size), &eedk) != KLM_OK) {
        return 0;
    }
    klm_buf_init(&out, KX_EEDK_MAX);
    if (kx_eedk_encode(&eedk, &out) != KLM_OK || out.n != size || memcmp(out.p, data, size) != 0) {
        abort();
    }
    klm_buf_done(&out);
    return 0;
}
