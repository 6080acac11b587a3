/* What the tests of the codecs share: trees from hexadecimal TTLV, and back. */
#ifndef TESTS_UNIT_KMIP_CODEC_HELP_H
#define TESTS_UNIT_KMIP_CODEC_HELP_H

#include "kmip/codec/gate.h"
#include "kmip/codec/ttlv.h"

#include "test.h"

#include <stdlib.h>

static struct klm_pool *help_pool;

/* A fresh pool for each test; the last one is ended by help_done. */
static inline struct klm_pool *help_new(void)
{
    klm_pool_free(&help_pool);
    REQUIRE_OK(klm_pool_new_wiping(0, &help_pool));
    return help_pool;
}

static inline void help_done(void)
{
    klm_pool_free(&help_pool);
}

/* Bytes from digits with blanks and '|' between them. */
static inline struct klm_slice help_bytes(const char *digits)
{
    char *plain = klm_pool_alloc(help_pool, strlen(digits) + 1), *to = plain;
    uint8_t *out = klm_pool_alloc(help_pool, strlen(digits) + 1);
    size_t n = 0;

    for (const char *p = digits; *p; p++) {
        if (*p != ' ' && *p != '|') {
            *to++ = *p;
        }
    }
    REQUIRE_OK(klm_unhex(plain, out, strlen(digits), &n));
    return KLM_SLICE(out, n);
}

static inline struct kmip_node *help_tree(const char *digits)
{
    struct kmip_node *node = NULL;

    REQUIRE_OK(kmip_ttlv_decode(help_bytes(digits), NULL, help_pool, &node));
    return node;
}

/* What an encoder wrote, as a string in the pool. */
static inline const char *help_string(struct klm_buf *buf)
{
    const char *out;

    REQUIRE_OK(klm_buf_rc(buf));
    out = klm_pool_strn(help_pool, (const char *)buf->p, buf->n);
    klm_buf_done(buf);
    return out;
}

/* TTLV of a tree in upper-case digits. */
static inline const char *help_digits(const struct kmip_node *node, int version)
{
    struct klm_buf buf;
    char *out;

    klm_buf_init(&buf, KMIP_BYTES_MAX);
    kmip_ttlv_encode(node, version, &buf);
    REQUIRE_OK(klm_buf_rc(&buf));
    out = klm_pool_alloc(help_pool, buf.n * 2 + 1);
    klm_hex_upper(buf.p, buf.n, out);
    klm_buf_done(&buf);
    return out;
}

/* A response's header in 1.4, and a batch item around what a test is about. */
#define HELP_VERSION                                                                               \
    "420069 01 00000020 42006A 02 00000004 00000001 00000000 42006B 02 00000004 00000004 00000000"

#endif
