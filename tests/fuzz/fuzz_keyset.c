/* Sets of KEYXFER files: what decodes must encode to the same bytes again. So that the fuzzer gets past the checksums, a good key stands behind what it makes. */
#include "keyring/kr.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct again {
    size_t n;
    struct klm_buf keys;
};

static klm_rc put(void *arg, const struct kr_xfer_item *item)
{
    struct again *again = arg;

    again->n++;
    return kr_xfer_set_put(item, &again->keys);
}

static void try_file(struct klm_slice file)
{
    struct klm_pool *pool = NULL;
    struct again again = {0};
    struct klm_buf head;

    if (klm_pool_new(0, &pool) != KLM_OK) {
        return;
    }
    klm_buf_init(&head, KR_XFER_SET_MAX);
    klm_buf_init(&again.keys, KR_XFER_SET_MAX);
    if (kr_xfer_set_decode(file, pool, put, &again, NULL) == KLM_OK) {
        kr_xfer_set_head(again.n, &head);
        klm_buf_put(&head, again.keys.p, again.keys.n);
        if (head.n != file.n || memcmp(head.p, file.p, file.n) != 0) {
            abort();
        }
    }
    klm_buf_done(&head);
    klm_buf_done(&again.keys);
    klm_pool_free(&pool);
}

/* The bytes of keyring/KEYXFER.md's example. */
static const char key[] =
    "KLM-KEYXFER 1\nLabel: AES.KEY\nVerification-Pattern: 66DBBDBD1D54006B\nToken-Bytes: 97\n\n"
    "S1JUSwEBAQEAZtu9vR1UAGtAQUJDREVGR0hJSktMTU5PYGFiY2RlZmdoaWprAAAA\n"
    "IPZhAiEuDp+FfbBTSpB43X7pvl58sVmqFV5N2fxHAxi8hws5ChEbJmseZqc3OktL\n"
    "tg==\n"
    "SHA-256: 1B8E47E5E28831AE2E4D46FB9D3EA93D8D7ECE72A5D4D3C47002D9E20EFD7433\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_buf buf;

    try_file(KLM_SLICE(data, size));
    klm_buf_init(&buf, KR_XFER_SET_MAX);
    klm_buf_put(&buf, data, size);
    klm_buf_put(&buf, key, sizeof key - 1);
    if (klm_buf_rc(&buf) == KLM_OK) {
        try_file(klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return 0;
}
