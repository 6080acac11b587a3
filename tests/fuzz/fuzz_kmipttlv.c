/* TTLV: what is decoded is within the limits, and encodes to the very same bytes; XML and JSON of it read back as the same tree. */
#include "kmip/codec/dump.h"
#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void same_bytes(const struct kmip_node *node, struct klm_slice in)
{
    struct klm_buf buf;

    klm_buf_init(&buf, KMIP_BYTES_MAX);
    kmip_ttlv_encode(node, 0, &buf);
    must(klm_buf_rc(&buf) == KLM_OK && klm_slice_equal(klm_buf_as_slice(&buf), in));
    klm_buf_done(&buf);
}

/* What is told of a message that may be damaged behind is what is told of the whole one. */
static void same_version(const struct kmip_node *node, struct klm_slice in)
{
    int begin = -1, whole = -1;

    if (kmip_ttlv_version(in, &begin) == KLM_OK) {
        must(kmip_version_of(node, &whole) == KLM_OK && whole == begin);
    }
}

static void same_json(const struct kmip_node *node, struct klm_pool *pool)
{
    struct kmip_limits most = {.bytes = 64u << 20};
    struct kmip_node *back = NULL;
    struct klm_buf buf;

    klm_buf_init(&buf, most.bytes);
    kmip_json_encode(node, 0, pool, &buf);
    if (klm_buf_rc(&buf) == KLM_OK) {
        klm_rc rc = kmip_json_decode(klm_buf_as_slice(&buf), &most, pool, &back);

        must(rc == KLM_E_NOMEM || (rc == KLM_OK && kmip_equal(back, node)));
    }
    klm_buf_done(&buf);
}

static void same_xml(const struct kmip_node *node, struct klm_pool *pool)
{
    struct kmip_limits most = {.bytes = 64u << 20};
    struct kmip_node *back = NULL;
    struct klm_buf buf;

    klm_buf_init(&buf, most.bytes);
    kmip_xml_encode(node, 0, pool, &buf);
    if (klm_buf_rc(&buf) == KLM_OK) {
        klm_rc rc = kmip_xml_decode(klm_buf_as_slice(&buf), &most, pool, &back);

        /* U+FFFE and U+FFFF are UTF-8 but no characters of XML. */
        must(rc != KLM_OK || kmip_equal(back, node));
    }
    klm_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_slice in = KLM_SLICE(data, size);
    struct kmip_node *node = NULL;
    struct klm_pool *pool = NULL;
    struct klm_buf text;

    must(klm_pool_new(0, &pool) == KLM_OK);
    KLM_IGNORE(kmip_ttlv_version(in, &(int){0})); /* also of what is no message */
    if (kmip_ttlv_decode(in, NULL, pool, &node) == KLM_OK) {
        size_t whole = 0;

        must(node->type != KMIP_STRUCTURE ||
             (kmip_ttlv_size(in, NULL, &whole) == KLM_OK && whole == size));
        same_version(node, in);
        same_bytes(node, in);
        same_json(node, pool);
        same_xml(node, pool);
        klm_buf_init(&text, 16u << 20);
        kmip_dump(node, pool, &text);
        klm_buf_done(&text);
    }
    klm_pool_free(&pool);
    return 0;
}
