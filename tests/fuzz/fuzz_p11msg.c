/* Messages of the PKCS#11 helper, and PKCS#11 URIs: what is decoded is encoded again to the same bytes. */
#include "keyring/p11/msg.h"
#include "keyring/p11/uri.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct klm_slice in)
{
    struct p11_msg msg;
    struct klm_buf again;
    uint8_t type;
    uint16_t bits;

    if (p11_msg_decode(in, &msg) != KLM_OK) {
        return;
    }
    klm_buf_init(&again, P11_MSG_MAX);
    if (p11_msg_encode(&msg, &again) != KLM_OK || !klm_slice_equal(klm_buf_as_slice(&again), in)) {
        abort();
    }
    klm_buf_done(&again);
    KLM_IGNORE(p11_kind_get(msg.field[P11_F_KIND], &type, &bits)); /* any answer will do */
}

static void check_uri(struct klm_slice in)
{
    struct p11_uri uri;
    char *text = malloc(in.n + 1);

    if (!text) {
        return;
    }
    memcpy(text, in.p, in.n);
    text[in.n] = '\0';
    if (p11_uri_parse(text, &uri, NULL) == KLM_OK &&
        strlen(uri.token) + strlen(uri.serial) + strlen(uri.object) == 0) {
        abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_message(KLM_SLICE(data, size));
    if (size > 0) {
        check_uri(KLM_SLICE(data, size));
    }
    return 0;
}
