/* EEDK: the data key wrapped for one label, as it stands on a cartridge (PROTOCOL.md, section
 * 5). */
#include "exchange/body.h"

#include <string.h>

#define EEDK_VERSION 1
#define HASH 32

static const uint8_t magic[4] = {'E', 'E', 'D', 'K'};

/* How long a wrapped key of an algorithm can be. */
static klm_rc check_wrapped(uint8_t alg, size_t n)
{
    switch (alg) {
    case KX_ALG_RSA_OAEP_SHA256: /* a modulus of 1024 to 4096 bits */
        return n >= 128 && n <= 512 ? KLM_OK : KLM_E_INVALID;
    case KX_ALG_ECDH_P256: /* point, then the key under AES key wrap */
        return n == 1 + 2 * 32 + 40 ? KLM_OK : KLM_E_INVALID;
    case KX_ALG_ECDH_P384:
        return n == 1 + 2 * 48 + 40 ? KLM_OK : KLM_E_INVALID;
    }
    return KLM_E_INVALID;
}

static klm_rc check_reference(const struct kx_eedk *eedk)
{
    if (eedk->alg < KX_ALG_RSA_OAEP_SHA256 || eedk->alg > KX_ALG_ECDH_P384) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kx_check_encoding(eedk->encoding));
    if (eedk->encoding == KX_ENC_HASH) {
        return KLM_OK;
    }
    return kx_check_label_text(eedk->label, strnlen(eedk->label, sizeof eedk->label));
}

klm_rc kx_eedk_context(const struct kx_eedk *eedk, struct klm_buf *out)
{
    size_t start = out->n;

    KLM_TRY(check_reference(eedk));
    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u8(out, EEDK_VERSION);
    klm_buf_u8(out, eedk->alg);
    klm_buf_u8(out, eedk->encoding);
    klm_buf_lp8(out, eedk->encoding == KX_ENC_HASH ? KLM_SLICE(eedk->hash, HASH)
                                                   : klm_slice_str(eedk->label));
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = start;
    }
    return klm_buf_rc(out);
}

klm_rc kx_eedk_encode(const struct kx_eedk *eedk, struct klm_buf *out)
{
    size_t start = out->n;

    KLM_TRY(check_wrapped(eedk->alg, eedk->wrapped.n));
    KLM_TRY(kx_eedk_context(eedk, out));
    klm_buf_slice(out, eedk->wrapped);
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = start;
    }
    return klm_buf_rc(out);
}

static void get_reference(struct klm_cur *cur, struct kx_eedk *eedk)
{
    struct klm_slice ref = {0};

    klm_cur_lp8(cur, KX_LABEL_MAX, &ref);
    if (klm_cur_rc(cur) != KLM_OK) {
        return;
    }
    if (eedk->encoding == KX_ENC_LABEL && ref.n > 0) {
        memcpy(eedk->label, ref.p, ref.n);
        klm_cur_fail(cur, kx_check_label_text(eedk->label, ref.n));
    } else if (eedk->encoding == KX_ENC_HASH && ref.n == HASH) {
        memcpy(eedk->hash, ref.p, HASH);
    } else {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

klm_rc kx_eedk_decode(struct klm_slice in, struct kx_eedk *out)
{
    struct kx_eedk eedk = {0};
    struct klm_cur cur;
    uint8_t lead[4] = {0}, version = 0;

    if (in.n > KX_EEDK_MAX) {
        return KLM_E_LIMIT;
    }
    klm_cur_init(&cur, in);
    klm_cur_copy(&cur, lead, sizeof lead);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &eedk.alg);
    klm_cur_u8(&cur, &eedk.encoding);
    if (memcmp(lead, magic, sizeof lead) != 0 || version != EEDK_VERSION) {
        return KLM_E_INVALID;
    }
    get_reference(&cur, &eedk);
    klm_cur_bytes(&cur, klm_cur_left(&cur), &eedk.wrapped);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return KLM_E_INVALID;
    }
    KLM_TRY(check_reference(&eedk));
    KLM_TRY(check_wrapped(eedk.alg, eedk.wrapped.n));
    *out = eedk;
    return KLM_OK;
}
