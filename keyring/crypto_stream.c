/* Operations in parts (KMIP 1.4, 2.1.15 to 2.1.17). A stream is one of four things: a cipher's run, a digest, a MAC, or data that is collected until the one-shot
 * function can have it. */
#include "keyring/crypto_int.h"

#include "base/buf.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define CTX_SIZE 1024 /* of a context of OpenSSL's, about */

enum way { WAY_RUN, WAY_DIGEST, WAY_MAC, WAY_COLLECT };

struct kr_stream {
    enum kr_stream_op op;
    enum way way;
    bool ended;
    struct klm_pool *pool;   /* wiping: copies of what the end needs */
    struct kr_material *key; /* WAY_COLLECT */
    struct kr_crypt how;
    struct kr_cipher_in in; /* in the pool */
    size_t tag_n;
    struct kr_run run;
    EVP_CIPHER_CTX *cipher;
    struct kr_scheme scheme;
    EVP_MD_CTX *md;
    EVP_MAC_CTX *mac;
    struct klm_buf data;
};

void kr_stream_free(struct kr_stream **stream)
{
    struct kr_stream *s = stream ? *stream : NULL;

    if (!s) {
        return;
    }
    *stream = NULL;
    EVP_CIPHER_CTX_free(s->cipher);
    EVP_MD_CTX_free(s->md);
    EVP_MAC_CTX_free(s->mac);
    kr_scheme_done(&s->scheme);
    kr_material_free(&s->key);
    klm_buf_done(&s->data);
    klm_pool_free(&s->pool);
    klm_wipe(s, sizeof *s);
    free(s);
}

enum kr_stream_op kr_stream_op(const struct kr_stream *stream)
{
    return stream->op;
}

size_t kr_stream_size(const struct kr_stream *stream)
{
    return sizeof *stream + CTX_SIZE + stream->data.cap + stream->in.iv.n + stream->in.aad.n +
           stream->in.tag.n + stream->how.p_source.n;
}

/* ---- Beginning */

/* What a stream that collects needs at its end: the key, and copies of the rest. */
static klm_rc collect(struct kr_stream *s, struct kr_material *key, const struct kr_cipher_in *in)
{
    s->way = WAY_COLLECT;
    s->key = kr_material_ref(key);
    KLM_TRY(klm_pool_slice(s->pool, s->how.p_source, &s->how.p_source));
    if (in) {
        KLM_TRY(klm_pool_slice(s->pool, in->iv, &s->in.iv));
        KLM_TRY(klm_pool_slice(s->pool, in->aad, &s->in.aad));
        KLM_TRY(klm_pool_slice(s->pool, in->tag, &s->in.tag));
    }
    return KLM_OK;
}

static klm_rc begin_rsa(struct kr_stream *s, struct kr_material *key, const struct kr_cipher_in *in)
{
    if (in->aad.n || in->tag.n) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kr_rsa_check(key, &s->how, s->op == KR_STREAM_ENCRYPT));
    return collect(s, key, NULL);
}

static klm_rc begin_run(struct kr_stream *s, const struct kr_cipher *cipher,
                        const struct kr_cipher_in *in, struct klm_slice iv)
{
    s->way = WAY_RUN;
    s->cipher = EVP_CIPHER_CTX_new();
    if (!s->cipher) {
        return kr_quiet(KLM_E_NOMEM);
    }
    return kr_run_start(&s->run, cipher, &s->how, s->op == KR_STREAM_ENCRYPT, iv, in->aad,
                        s->cipher);
}

/* All that may be wrong with the parameters is said now, also when the work is done at the end. */
static klm_rc begin_cipher(struct kr_stream *s, struct kr_material *key,
                           const struct kr_cipher_in *in, struct klm_pool *wiping,
                           struct klm_slice *iv)
{
    bool encrypt = s->op == KR_STREAM_ENCRYPT;
    struct kr_cipher_in chosen = *in;
    struct kr_cipher cipher;
    struct kr_iv which;
    enum kr_shape shape;

    if (kr_is_asymmetric(key)) {
        return begin_rsa(s, key, in);
    }
    KLM_TRY(kr_cipher_choose(key, &s->how, &cipher));
    KLM_TRY(kr_iv_choose(&cipher, &s->how, in->iv, encrypt, wiping, &which));
    KLM_TRY(kr_tag_length(&cipher, &s->how, encrypt ? 0 : in->tag.n, &s->tag_n));
    shape = cipher.mode->shape;
    if (shape == KR_SHAPE_BLOCK || shape == KR_SHAPE_FLOW || (shape == KR_SHAPE_AEAD && encrypt)) {
        KLM_TRY(begin_run(s, &cipher, in, which.used));
    } else {
        if (in->aad.n && !cipher.mode->tag_lengths) {
            return KLM_E_INVALID; /* nothing would vouch for it */
        }
        chosen.iv = which.given;
        KLM_TRY(collect(s, key, &chosen));
    }
    *iv = which.made ? which.given : KLM_SLICE(NULL, 0);
    return KLM_OK;
}

static klm_rc begin_digest(struct kr_stream *s, const EVP_MD *md)
{
    s->way = WAY_DIGEST;
    s->md = EVP_MD_CTX_new();
    if (!s->md || EVP_DigestInit_ex2(s->md, md, NULL) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    return KLM_OK;
}

static klm_rc begin_signature(struct kr_stream *s, struct kr_material *key)
{
    KLM_TRY(kr_scheme_choose(key, &s->how, s->op == KR_STREAM_SIGN, &s->scheme));
    return s->scheme.pure ? collect(s, key, NULL) : begin_digest(s, s->scheme.md);
}

static klm_rc begin_hash(struct kr_stream *s)
{
    const EVP_MD *md = kr_md(s->how.hash);

    return md ? begin_digest(s, md) : KLM_E_UNSUPPORTED;
}

static klm_rc begin(struct kr_stream *s, struct kr_material *key, const struct kr_cipher_in *in,
                    struct klm_pool *wiping, struct klm_slice *iv)
{
    switch (s->op) {
    case KR_STREAM_ENCRYPT:
    case KR_STREAM_DECRYPT:
        return begin_cipher(s, key, in, wiping, iv);
    case KR_STREAM_SIGN:
    case KR_STREAM_VERIFY:
        return begin_signature(s, key);
    case KR_STREAM_MAC:
    case KR_STREAM_MAC_VERIFY:
        s->way = WAY_MAC;
        return kr_mac_start(key, &s->how, &s->mac);
    case KR_STREAM_HASH:
        return begin_hash(s);
    }
    return KLM_E_INTERNAL;
}

klm_rc kr_stream_new(enum kr_stream_op op, struct kr_material *key, const struct kr_crypt *how,
                     const struct kr_cipher_in *in, struct klm_pool *wiping, struct klm_slice *iv,
                     struct kr_stream **out)
{
    KLM_AUTO(kr_stream_free) struct kr_stream *s = calloc(1, sizeof *s);
    struct klm_slice made = {0};

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->op = op;
    s->how = *how;
    klm_buf_init_wiping(&s->data, KR_STREAM_COLLECT_MAX);
    KLM_TRY(klm_pool_new_wiping(0, &s->pool));
    KLM_TRY(begin(s, key, in, wiping, &made));
    if (s->way != WAY_COLLECT) {
        s->how.p_source = KLM_SLICE(NULL, 0); /* borrowed, and of no more use */
    }
    if (iv) {
        *iv = made;
    }
    *out = s;
    s = NULL;
    return KLM_OK;
}

/* ---- Parts */

static klm_rc update_run(struct kr_stream *s, struct klm_slice data, struct klm_pool *wiping,
                         struct klm_slice *out)
{
    uint8_t *p = klm_pool_alloc(wiping, data.n + KR_BLOCK_MAX);
    size_t n = 0;

    if (!p) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(kr_run_update(&s->run, data, p, &n));
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}

static klm_rc update(struct kr_stream *s, struct klm_slice data, struct klm_pool *wiping,
                     struct klm_slice *out)
{
    switch (s->way) {
    case WAY_RUN:
        return update_run(s, data, wiping, out);
    case WAY_DIGEST:
        return EVP_DigestUpdate(s->md, data.p, data.n) == 1 ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
    case WAY_MAC:
        return EVP_MAC_update(s->mac, data.p, data.n) == 1 ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
    case WAY_COLLECT:
        klm_buf_slice(&s->data, data);
        return klm_buf_rc(&s->data);
    }
    return KLM_E_INTERNAL;
}

klm_rc kr_stream_update(struct kr_stream *stream, struct klm_slice data, struct klm_pool *wiping,
                        struct klm_slice *out)
{
    struct klm_slice got = {0};
    klm_rc rc;

    if (stream->ended) {
        return KLM_E_STATE;
    }
    rc = data.n > KR_CRYPT_MAX ? KLM_E_LIMIT : data.n ? update(stream, data, wiping, &got) : KLM_OK;
    if (rc != KLM_OK) {
        stream->ended = true;
        return rc;
    }
    *out = got;
    return KLM_OK;
}

/* ---- The end */

static klm_rc end_run(struct kr_stream *s, struct klm_pool *wiping, struct kr_cipher_out *out)
{
    uint8_t *p = klm_pool_alloc(wiping, 2 * (size_t)KR_BLOCK_MAX), *tag;
    size_t n = 0;

    if (!p) {
        return KLM_E_NOMEM;
    }
    tag = p + KR_BLOCK_MAX;
    KLM_TRY(kr_run_final(&s->run, p, &n, tag, s->tag_n));
    *out = (struct kr_cipher_out){.data = KLM_SLICE(p, n), .tag = KLM_SLICE(tag, s->tag_n)};
    return KLM_OK;
}

static klm_rc end_digest(struct kr_stream *s, struct klm_slice check, struct klm_pool *wiping,
                         struct klm_slice *out, bool *valid)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_DigestFinal_ex(s->md, digest, &n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    switch (s->op) {
    case KR_STREAM_SIGN:
        return kr_scheme_sign(&s->scheme, KLM_SLICE(digest, n), wiping, out);
    case KR_STREAM_VERIFY:
        return kr_scheme_verify(&s->scheme, KLM_SLICE(digest, n), check, valid);
    default:
        return klm_pool_slice(wiping, KLM_SLICE(digest, n), out);
    }
}

static klm_rc end_mac(struct kr_stream *s, struct klm_slice check, struct klm_pool *wiping,
                      struct klm_slice *out, bool *valid)
{
    struct klm_slice made;

    KLM_TRY(kr_mac_end(s->mac, wiping, &made));
    if (s->op == KR_STREAM_MAC) {
        *out = made;
    } else {
        *valid = made.n == check.n && klm_secret_equal(made.p, check.p, check.n);
    }
    return KLM_OK;
}

static klm_rc end_collect(struct kr_stream *s, struct klm_slice check, struct klm_pool *wiping,
                          struct kr_cipher_out *out, bool *valid)
{
    s->in.data = klm_buf_as_slice(&s->data);
    switch (s->op) {
    case KR_STREAM_SIGN:
        return kr_scheme_sign(&s->scheme, s->in.data, wiping, &out->data);
    case KR_STREAM_VERIFY:
        return kr_scheme_verify(&s->scheme, s->in.data, check, valid);
    case KR_STREAM_ENCRYPT:
        return kr_encrypt(s->key, &s->how, &s->in, wiping, out);
    default:
        if (!s->in.tag.n) {
            s->in.tag = check;
        }
        return kr_decrypt(s->key, &s->how, &s->in, wiping, out);
    }
}

static klm_rc end(struct kr_stream *s, struct klm_slice check, struct klm_pool *wiping,
                  struct kr_cipher_out *out, bool *valid)
{
    switch (s->way) {
    case WAY_RUN:
        return end_run(s, wiping, out);
    case WAY_DIGEST:
        return end_digest(s, check, wiping, &out->data, valid);
    case WAY_MAC:
        return end_mac(s, check, wiping, &out->data, valid);
    case WAY_COLLECT:
        return end_collect(s, check, wiping, out, valid);
    }
    return KLM_E_INTERNAL;
}

klm_rc kr_stream_final(struct kr_stream *stream, struct klm_slice check, struct klm_pool *wiping,
                       struct kr_cipher_out *out, bool *valid)
{
    struct kr_cipher_out made = {.data = KLM_SLICE(NULL, 0)};
    bool good = false;

    if (stream->ended) {
        return KLM_E_STATE;
    }
    stream->ended = true;
    KLM_TRY(end(stream, check, wiping, &made, &good));
    *out = made;
    if (valid) {
        *valid = good;
    }
    return KLM_OK;
}
