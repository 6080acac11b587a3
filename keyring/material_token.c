/* Key material at rest: a key token of a type of its own, whose clear form says first what the bytes are (keyring/TOKEN.md). */
#include "keyring/material_int.h"
#include "keyring/token.h"

#define VERSION 1
#define WRAPPED 1 /* a flag */
#define HEAD (1 + 1 + 6 * 4)

static uint8_t *put_u32(uint8_t *to, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        *to++ = (uint8_t)(v >> shift);
    }
    return to;
}

static klm_rc clear_of(const struct kr_material *material, struct kr_secret *out)
{
    const struct kr_material_spec *spec = &material->spec;
    const uint32_t fields[] = {spec->object, spec->format, spec->algorithm,
                               spec->bits,   spec->curve,  spec->compressed};
    struct kr_secret clear = {0};
    uint8_t *to;

    KLM_TRY(kr_secret_new(HEAD + material->bytes.n, &clear));
    to = clear.p;
    *to++ = VERSION;
    *to++ = spec->wrapped ? WRAPPED : 0;
    for (size_t i = 0; i < KLM_COUNT(fields); i++) {
        to = put_u32(to, fields[i]);
    }
    if (material->bytes.n) {
        memcpy(to, material->bytes.p, material->bytes.n);
    }
    clear.n = clear.cap;
    *out = clear;
    return KLM_OK;
}

klm_rc kr_material_seal(const struct kr_master *master, const char *label,
                        const struct kr_material *material, struct klm_buf *out)
{
    const struct kr_spec spec = {(enum kr_type)KR_TOKEN_MATERIAL, 0};
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(clear_of(material, &clear));
    return kr_token_seal_clear(master, label, &spec, &clear, out);
}

/* What was sealed here was looked at before. */
static klm_rc from_clear(struct klm_slice clear, struct kr_material **out)
{
    struct kr_material_spec spec = {0};
    struct klm_slice bytes;
    struct klm_cur cur;
    uint8_t version, flags;

    klm_cur_init(&cur, clear);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &flags);
    if (klm_cur_rc(&cur) == KLM_OK && (version != VERSION || (flags & ~WRAPPED))) {
        return KLM_E_UNSUPPORTED;
    }
    spec.wrapped = flags & WRAPPED;
    klm_cur_u32(&cur, &spec.object);
    klm_cur_u32(&cur, &spec.format);
    klm_cur_u32(&cur, &spec.algorithm);
    klm_cur_u32(&cur, &spec.bits);
    klm_cur_u32(&cur, &spec.curve);
    klm_cur_u32(&cur, &spec.compressed);
    klm_cur_bytes(&cur, klm_cur_left(&cur), &bytes);
    if (klm_cur_rc(&cur) != KLM_OK || bytes.n > KR_MATERIAL_MAX) {
        return KLM_E_CORRUPT;
    }
    return kr_material_copy(&spec, bytes, out);
}

klm_rc kr_material_open(const struct kr_master *master, const char *label, struct klm_slice token,
                        struct kr_material **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    struct kr_token parsed;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_parse(token, &parsed));
    if (parsed.type != KR_TOKEN_MATERIAL || parsed.alg == KR_ALG_REFERENCE) {
        return KLM_E_CORRUPT; /* nothing else has such a label */
    }
    KLM_TRY(kr_token_unseal_clear(master, label, &parsed, &clear));
    return from_clear(KLM_SLICE(clear.p, clear.n), out);
}
