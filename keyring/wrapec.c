/* Wrapping for EC labels: ephemeral ECDH (SP 800-56A, C(1e,1s)), the X9.63 KDF with SHA-256,
 * AES-256 key wrap (RFC 3394). Wrapped = the ephemeral point, uncompressed, then the wrapped
 * key. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <string.h>

/* Where things stand in the thread's secret scratch memory. */
#define AT_KEY 0      /* the clear key, when unwrapping */
#define AT_KEK 64     /* 32 bytes */
#define AT_HASHED 128 /* shared secret, counter, context */

static size_t point_size(unsigned bits)
{
    return 1 + 2 * (size_t)(bits / 8);
}

/* SEC 1, 3.6.1 (X9.63 KDF): one block is enough, SHA-256 over Z, the counter 1 and SharedInfo. */
static klm_rc derive_kek(uint8_t *scratch, size_t z_n, struct klm_slice context)
{
    uint8_t *p = scratch + AT_HASHED + z_n;

    memcpy(p, (const uint8_t[]){0, 0, 0, 1}, 4);
    if (context.n) {
        memcpy(p + 4, context.p, context.n);
    }
    if (EVP_Digest(scratch + AT_HASHED, z_n + 4 + context.n, scratch + AT_KEK, NULL, EVP_sha256(),
                   NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

/* The peer was built from a point that is on the curve, and these curves have cofactor 1, so
 * nothing is left to validate. */
static klm_rc agree(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, unsigned bits, struct klm_slice context,
                    uint8_t *scratch)
{
    size_t n = bits / 8;

    if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1 ||
        EVP_PKEY_derive(ctx, scratch + AT_HASHED, &n) != 1 || n != bits / 8) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return derive_kek(scratch, n, context);
}

static klm_rc ephemeral(struct kr_thread *thread, unsigned bits, EVP_PKEY **out, uint8_t *point)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx;
    size_t n = 0;

    KLM_TRY(kr_thread_keygen(thread, bits, &ctx));
    if (EVP_PKEY_generate(ctx, &pkey) != 1 ||
        EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                        point_size(bits), &n) != 1 ||
        n != point_size(bits)) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = pkey;
    pkey = NULL;
    return KLM_OK;
}

static klm_rc wrap(struct kr_thread *thread, EVP_PKEY *to, unsigned bits, struct klm_slice context,
                   struct klm_slice key, uint8_t *out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *own = NULL;
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = NULL;
    uint8_t *scratch = kr_thread_scratch(thread);

    KLM_TRY(ephemeral(thread, bits, &own, out));
    ctx = EVP_PKEY_CTX_new(own, NULL);
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(agree(ctx, to, bits, context, scratch));
    return kr_kw_wrap(thread, scratch + AT_KEK, key, out + point_size(bits));
}

klm_rc kr_ec_wrap(struct kr_thread *thread, EVP_PKEY *to, unsigned bits, struct klm_slice context,
                  struct klm_slice key, uint8_t *out, size_t *n)
{
    uint8_t wrapped[KR_WRAPPED_MAX];
    size_t len = point_size(bits) + key.n + 8;
    klm_rc rc;

    if (context.n > KR_CONTEXT_MAX) {
        return KLM_E_LIMIT;
    }
    rc = wrap(thread, to, bits, context, key, wrapped);
    klm_wipe(kr_thread_scratch(thread), AT_HASHED + 64 + KR_CONTEXT_MAX);
    KLM_TRY(rc);
    memcpy(out, wrapped, len);
    *n = len;
    return KLM_OK;
}

/* SEC 1, 2.3.4: an uncompressed point; OpenSSL checks that it is on the curve. */
static klm_rc take_point(EVP_PKEY *with, struct klm_slice point, EVP_PKEY **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *peer = EVP_PKEY_new();

    if (!peer || point.p[0] != 4 || EVP_PKEY_copy_parameters(peer, with) != 1 ||
        EVP_PKEY_set1_encoded_public_key(peer, point.p, point.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = peer;
    peer = NULL;
    return KLM_OK;
}

klm_rc kr_ec_unwrap(struct kr_thread *thread, EVP_PKEY *with, unsigned bits,
                    struct klm_slice context, struct klm_slice in, size_t *n)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *peer = NULL;
    uint8_t *scratch = kr_thread_scratch(thread);
    size_t point = point_size(bits);
    EVP_PKEY_CTX *ctx;

    if (in.n <= point + 8) {
        return KLM_E_CRYPTO;
    }
    KLM_TRY(kr_thread_ctx(thread, with, KR_OP_DERIVE, context, &ctx));
    KLM_TRY(take_point(with, KLM_SLICE(in.p, point), &peer));
    KLM_TRY(agree(ctx, peer, bits, context, scratch));
    KLM_TRY(kr_kw_unwrap(thread, scratch + AT_KEK, KLM_SLICE(in.p + point, in.n - point),
                         scratch + AT_KEY));
    *n = in.n - point - 8;
    return KLM_OK;
}

/* The point is checked by the token; the key derivation and the key wrap need no private key. */
klm_rc kr_ec_unwrap_far(struct kr_thread *thread, const struct kr_far *far, unsigned bits,
                        struct klm_slice context, struct klm_slice in, size_t *n)
{
    uint8_t *scratch = kr_thread_scratch(thread);
    size_t point = point_size(bits), secret = 0;

    if (in.n <= point + 8 || in.p[0] != 4) {
        return KLM_E_CRYPTO;
    }
    if (context.n > KR_CONTEXT_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_far_derive(far, KLM_SLICE(in.p, point), scratch + AT_HASHED, 64, &secret));
    if (secret != bits / 8) {
        return KLM_E_CRYPTO;
    }
    KLM_TRY(derive_kek(scratch, secret, context));
    KLM_TRY(kr_kw_unwrap(thread, scratch + AT_KEK, KLM_SLICE(in.p + point, in.n - point),
                         scratch + AT_KEY));
    *n = in.n - point - 8;
    return KLM_OK;
}
