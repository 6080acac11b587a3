/* XML and JSON (by the first byte): what is read as a tree is written as TTLV that reads back as the same tree. */
#include "kmip/codec/capture.h"
#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void same_tree(const struct kmip_node *node, struct klm_pool *pool)
{
    struct kmip_node *back = NULL;
    struct klm_buf buf;

    klm_buf_init(&buf, 16u << 20);
    kmip_ttlv_encode(node, 0, &buf);
    must(klm_buf_rc(&buf) == KLM_OK);
    must(kmip_ttlv_decode(klm_buf_as_slice(&buf), &(struct kmip_limits){.bytes = 16u << 20}, pool,
                          &back) == KLM_OK);
    must(kmip_equal(back, node));
    klm_buf_done(&buf);
}

static void read_capture(struct klm_slice in, struct klm_pool *pool)
{
    struct kmip_capture capture;
    struct kmip_node *node;
    struct klm_buf room;
    size_t length, before;

    klm_buf_init_wiping(&room, 1u << 20);
    if (kmip_capture_open(in, &room, &capture) == KLM_OK) {
        do {
            before = capture.at;
        } while (kmip_capture_next(&capture, pool, &node, &length) == KLM_OK &&
                 capture.at > before && capture.at <= capture.bytes.n);
    }
    klm_buf_done(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_slice in = KLM_SLICE(data, size);
    struct kmip_node *node = NULL;
    struct klm_pool *pool = NULL;
    klm_rc rc = KLM_E_INVALID;

    must(klm_pool_new(0, &pool) == KLM_OK);
    if (size > 0 && data[0] == '{') {
        rc = kmip_json_decode(in, NULL, pool, &node);
    } else if (size > 0) {
        rc = kmip_xml_decode(in, NULL, pool, &node);
    }
    if (rc == KLM_OK) {
        same_tree(node, pool);
    }
    read_capture(in, pool);
    klm_pool_free(&pool);
    return 0;
}
