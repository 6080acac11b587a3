/* Messages between partners: whatever decodes must encode to the same bytes again. */
#include "replication/repl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct repl_message message;
    struct klm_buf out;
    size_t used = 0;

    if (repl_decode(KLM_SLICE(data, size), &message, &used) != KLM_OK) {
        return 0;
    }
    klm_buf_init(&out, REPL_HEADER + REPL_BODY_MAX);
    if (used > size || repl_encode(&message, &out) != KLM_OK || out.n != used ||
        memcmp(out.p, data, used) != 0) {
        abort();
    }
    klm_buf_done(&out);
    return 0;
}
