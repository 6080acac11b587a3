/* Exchange messages: whatever decodes must encode to the same bytes again. */
#include "exchange/kx.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static klm_rc encode(const struct kx_message *msg, struct klm_buf *out)
{
    switch (msg->type) {
    case KX_HELLO:
    case KX_HELLO_SERVER:
        return kx_encode_hello(msg->type, &msg->u.hello, out);
    case KX_CONFIRM:
    case KX_CONFIRMED:
        return kx_encode_confirm(&msg->u.confirm, out);
    case KX_VERIFY:
    case KX_VERIFIED:
    case KX_BYE:
        return kx_encode_plain(msg->type, msg->id, out);
    case KX_CREATE:
        return kx_encode_create(&msg->u.create, msg->id, out);
    case KX_GET:
        return kx_encode_get(&msg->u.get, msg->id, out);
    case KX_TRANSLATE:
        return kx_encode_translate(&msg->u.translate, msg->id, out);
    case KX_CREATED:
    case KX_GOT:
    case KX_TRANSLATED:
        return kx_encode_keyed(msg->type, &msg->u.keyed, msg->id, out);
    case KX_STORED_CREATE:
        return kx_encode_stored_create(&msg->u.stored_create, msg->id, out);
    case KX_STORED_GET:
        return kx_encode_stored_get(&msg->u.stored_get, msg->id, out);
    case KX_STORED_CREATED:
    case KX_STORED_GOT:
        return kx_encode_stored(msg->type, &msg->u.stored, msg->id, out);
    case KX_ERROR:
        return kx_encode_error(&msg->u.error, msg->id, out);
    }
    return KLM_E_INTERNAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kx_message msg;
    size_t used = 0, need = 0;
    struct klm_buf out;

    klm_rc rc = kx_decode(KLM_SLICE(data, size), &msg, &used, &need);
    if (rc == KLM_E_AGAIN && need <= size) {
        abort();
    }
    if (rc != KLM_OK) {
        return 0;
    }
    klm_buf_init(&out, KX_MESSAGE_MAX);
    klm_rc written = encode(&msg, &out);
    kx_stamp(&out, msg.version);
    if (written != KLM_OK || out.n != used || memcmp(out.p, data, used) != 0) {
        abort();
    }
    klm_buf_done(&out);
    return 0;
}
