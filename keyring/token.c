/* Key tokens: a key sealed under the master key, bound to its label (keyring/TOKEN.md). Each
 * token has a subkey of its own, by HKDF over a random salt, so two tokens never share key and
 * nonce however many are made. */
#include "keyring/token.h"

#include "base/secret.h"
#include "keyring/material.h"

#include <string.h>

#define SALT KR_TOKEN_SALT
#define NONCE KR_TOKEN_NONCE
#define TAG KR_TOKEN_TAG

size_t kr_token_sealed_max(uint8_t type)
{
    return type == KR_TOKEN_MATERIAL ? KR_MATERIAL_MAX + 128 : KR_CLEAR_MAX;
}

/* Takes a token apart. KLM_E_CORRUPT, KLM_E_UNSUPPORTED. */
klm_rc kr_token_parse(struct klm_slice in, struct kr_token *out)
{
    struct klm_cur cur;
    struct klm_slice magic;
    uint32_t len;

    klm_cur_init(&cur, in);
    klm_cur_bytes(&cur, 4, &magic);
    klm_cur_u8(&cur, &out->version);
    klm_cur_u8(&cur, &out->alg);
    if (klm_cur_rc(&cur) != KLM_OK || memcmp(magic.p, KR_TOKEN_MAGIC, 4) != 0) {
        return KLM_E_CORRUPT;
    }
    if (out->version != KR_TOKEN_VERSION || out->alg < KR_ALG_HKDF_GCM ||
        out->alg > KR_ALG_REFERENCE) {
        return KLM_E_UNSUPPORTED;
    }
    klm_cur_u8(&cur, &out->type);
    klm_cur_u16(&cur, &out->bits);
    klm_cur_bytes(&cur, 8, &out->id);
    klm_cur_bytes(&cur, SALT, &out->salt);
    klm_cur_bytes(&cur, NONCE, &out->nonce);
    klm_cur_u32(&cur, &len);
    klm_cur_bytes(&cur, len <= kr_token_sealed_max(out->type) ? len : SIZE_MAX, &out->sealed);
    klm_cur_bytes(&cur, out->alg == KR_ALG_REFERENCE ? 0 : TAG, &out->tag);
    klm_cur_end(&cur);
    out->head = KLM_SLICE(in.p, KR_TOKEN_HEAD);
    return klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_CORRUPT;
}

/* Associated data: the whole head, then what the record is: its label with its length. */
static bool put_aad(EVP_CIPHER_CTX *ctx, struct klm_slice head, const char *label)
{
    size_t n = strlen(label);
    const uint8_t len[2] = {(uint8_t)(n >> 8), (uint8_t)n};
    int done;

    return EVP_CipherUpdate(ctx, NULL, &done, head.p, (int)head.n) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &done, len, 2) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &done, (const uint8_t *)label, (int)n) == 1;
}

klm_rc kr_token_gcm(const uint8_t key[32], const struct kr_token_text *text, bool enc)
{
    const struct kr_token *token = text->token;
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    if (EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, token->nonce.p, enc, NULL) != 1 ||
        !put_aad(ctx, token->head, text->label)) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    if (EVP_CipherUpdate(ctx, text->out, &n, text->in.p, (int)text->in.n) != 1 ||
        (!enc && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, text->tag) != 1) ||
        EVP_CipherFinal_ex(ctx, text->out + n, &last) != 1 ||
        (enc && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, text->tag) != 1)) {
        return kr_quiet(enc ? KLM_E_CRYPTO : KLM_E_CORRUPT);
    }
    return KLM_OK;
}

/* Under the subkey of the token's salt. */
static klm_rc gcm(const struct kr_master *master, const struct kr_token_text *text, bool enc)
{
    KLM_AUTO(kr_secret_done) struct kr_secret subkey = {0};

    KLM_TRY(kr_secret_new(32, &subkey));
    KLM_TRY(kr_hkdf(kr_master_key(master), text->token->salt, KR_TOKEN_INFO, subkey.p));
    return kr_token_gcm(subkey.p, text, enc);
}

klm_rc kr_token_put_head(const struct kr_token_head *head, struct klm_buf *out)
{
    klm_buf_put(out, KR_TOKEN_MAGIC, 4);
    klm_buf_u8(out, KR_TOKEN_VERSION);
    klm_buf_u8(out, (uint8_t)head->alg);
    klm_buf_u8(out, (uint8_t)head->spec.type);
    klm_buf_u16(out, (uint16_t)head->spec.bits);
    klm_buf_put(out, head->id, 8);
    klm_buf_put(out, head->fresh, SALT + NONCE);
    klm_buf_u32(out, (uint32_t)head->sealed_n);
    return klm_buf_rc(out);
}

static klm_rc put_head(const struct kr_master *master, const struct kr_spec *spec, size_t clear_n,
                       struct klm_buf *out)
{
    uint8_t fresh[SALT + NONCE];

    KLM_TRY(klm_random(fresh, sizeof fresh));
    return kr_token_put_head(
        &(struct kr_token_head){KR_ALG_HKDF_GCM, *spec, kr_master_id(master), fresh, clear_n}, out);
}

/* A token at the end of out, which is left as it was on failure. */
static klm_rc append(const struct kr_master *master, const char *label, const struct kr_spec *spec,
                     const struct kr_secret *clear, struct klm_buf *out)
{
    size_t at = out->n;
    struct kr_token token;
    uint8_t *to;

    KLM_TRY(put_head(master, spec, clear->n, out));
    to = klm_buf_room(out, clear->n + TAG);
    KLM_TRY(klm_buf_rc(out));
    token = (struct kr_token){.salt = KLM_SLICE(out->p + at + 17, SALT),
                              .nonce = KLM_SLICE(out->p + at + KR_TOKEN_AT_NONCE, NONCE),
                              .head = KLM_SLICE(out->p + at, KR_TOKEN_HEAD)};
    KLM_TRY(gcm(
        master,
        &(struct kr_token_text){&token, label, KLM_SLICE(clear->p, clear->n), to, to + clear->n},
        true));
    out->n += clear->n + TAG;
    return KLM_OK;
}

/* Under the key that seals now, in its way. */
klm_rc kr_token_seal_clear(const struct kr_master *master, const char *label,
                           const struct kr_spec *spec, const struct kr_secret *clear,
                           struct klm_buf *out)
{
    const struct kr_master *under = kr_master_sealing(master);
    const size_t at = out->n;
    const klm_rc rc = kr_master_strict(under) ? kr_token_hard_seal(under, label, spec, clear, out)
                                              : append(under, label, spec, clear, out);

    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

klm_rc kr_token_seal(const struct kr_master *master, const char *label, const struct kr_key *key,
                     struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_key_clear(key, &clear));
    return kr_token_seal_clear(master, label, &key->spec, &clear, out);
}

static klm_rc unseal(const struct kr_master *master, const char *label,
                     const struct kr_token *token, struct kr_secret *clear)
{
    uint8_t tag[TAG];

    memcpy(tag, token->tag.p, TAG); /* OpenSSL wants it without const */
    KLM_TRY(kr_secret_new(token->sealed.n, clear));
    clear->n = token->sealed.n;
    return gcm(master, &(struct kr_token_text){token, label, token->sealed, clear->p, tag}, false);
}

/* Under this master key: the same pattern, and the way that it seals. */
static bool is_under(const struct kr_master *master, const struct kr_token *token)
{
    return memcmp(token->id.p, kr_master_id(master), 8) == 0 &&
           (token->alg == KR_ALG_TOKEN_GCM) == (kr_master_strict(master) != NULL);
}

const struct kr_master *kr_token_master(const struct kr_master *master,
                                        const struct kr_token *token)
{
    const struct kr_master *known;

    for (size_t i = 0; (known = kr_master_at(master, i)) != NULL; i++) {
        if (is_under(known, token)) {
            return known;
        }
    }
    return NULL;
}

klm_rc kr_token_unseal_clear(const struct kr_master *master, const char *label,
                             const struct kr_token *token, struct kr_secret *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    const struct kr_master *under = kr_token_master(master, token);

    if (!under) {
        return KLM_E_WRONGKEY;
    }
    KLM_TRY(token->alg == KR_ALG_TOKEN_GCM ? kr_token_hard_unseal(under, label, token, &clear)
                                           : unseal(under, label, token, &clear));
    *out = clear;
    clear = (struct kr_secret){0};
    return KLM_OK;
}

/* The clear form is not looked at: it comes out as it went in. */
klm_rc kr_token_rewrap(const struct kr_master *from, const struct kr_master *to, const char *label,
                       struct klm_slice in, struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    struct kr_token token;
    struct kr_spec spec;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_parse(in, &token));
    if (token.alg == KR_ALG_REFERENCE) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_token_unseal_clear(from, label, &token, &clear));
    spec = (struct kr_spec){(enum kr_type)token.type, token.bits};
    return kr_token_seal_clear(to, label, &spec, &clear, out);
}

static klm_rc open_clear(const struct kr_master *master, const char *label,
                         const struct kr_token *token, struct kr_key **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;

    KLM_TRY(kr_token_unseal_clear(master, label, token, &clear));
    if (kr_key_from_clear((enum kr_type)token->type, KLM_SLICE(clear.p, clear.n), &key) != KLM_OK ||
        key->spec.type != (enum kr_type)token->type || key->spec.bits != token->bits) {
        return KLM_E_CORRUPT;
    }
    *out = key;
    key = NULL;
    return KLM_OK;
}

klm_rc kr_token_open(const struct kr_master *master, const char *label, struct klm_slice in,
                     struct kr_key **out)
{
    struct kr_token token;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_parse(in, &token));
    if (token.type == KR_TOKEN_MATERIAL) {
        return KLM_E_NOTFOUND;
    }
    return token.alg == KR_ALG_REFERENCE ? kr_token_hard_refer(master, label, &token, out)
                                         : open_clear(master, label, &token, out);
}

bool kr_token_stale(const struct kr_master *master, struct klm_slice in)
{
    struct kr_token token;
    const struct kr_master *under;

    if (kr_token_parse(in, &token) != KLM_OK || token.alg == KR_ALG_REFERENCE) {
        return false;
    }
    under = kr_token_master(master, &token);
    return under && under != kr_master_sealing(master);
}

klm_rc kr_purpose_seal(const struct kr_master *master, const char *label, const uint8_t key[32],
                       struct klm_buf *out)
{
    KLM_AUTO(kr_key_free) struct kr_key *aes = NULL;

    KLM_TRY(kr_key_from_aes(KLM_SLICE(key, 32), &aes));
    return kr_token_seal(master, label, aes, out);
}

klm_rc kr_purpose_open(const struct kr_master *master, const char *label, struct klm_slice token,
                       uint8_t key[32])
{
    KLM_AUTO(kr_key_free) struct kr_key *aes = NULL;

    KLM_TRY(kr_token_open(master, label, token, &aes));
    if (aes->spec.type != KR_AES || aes->aes.n != 32) {
        return KLM_E_CORRUPT;
    }
    memcpy(key, aes->aes.p, 32);
    return KLM_OK;
}

klm_rc kr_token_hold(const struct kr_master *master, const char *label, struct klm_slice in,
                     struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct kr_token token;
    unsigned char *spki = NULL;
    int n;
    klm_rc rc;

    KLM_TRY(kr_token_parse(in, &token));
    KLM_TRY(kr_token_open(master, label, in, &key));
    if (token.alg != KR_ALG_TOKEN_GCM || !key->pkey) {
        *out = key;
        key = NULL;
        return KLM_OK;
    }
    n = i2d_PUBKEY(key->pkey, &spki);
    rc = n > 0 ? kr_far_new(master, label, KLM_SLICE(spki, (size_t)n), in, out)
               : kr_quiet(KLM_E_NOMEM);
    OPENSSL_free(spki);
    return rc;
}

bool kr_token_refers(struct klm_slice in)
{
    struct kr_token token;

    return kr_token_parse(in, &token) == KLM_OK && token.alg == KR_ALG_REFERENCE;
}

bool kr_token_is_material(struct klm_slice in)
{
    struct kr_token token;

    return kr_token_parse(in, &token) == KLM_OK && token.type == KR_TOKEN_MATERIAL;
}

klm_rc kr_token_vp(struct klm_slice in, char out[KR_VP_MAX])
{
    struct kr_token token;

    KLM_TRY(kr_token_parse(in, &token));
    klm_hex_upper(token.id.p, token.id.n, out);
    return KLM_OK;
}

klm_rc kr_token_spec(struct klm_slice in, struct kr_spec *out)
{
    struct kr_token token;
    struct kr_spec spec;

    KLM_TRY(kr_token_parse(in, &token));
    if (token.type == KR_TOKEN_MATERIAL) {
        return KLM_E_NOTFOUND;
    }
    spec = (struct kr_spec){(enum kr_type)token.type, token.bits};
    if (kr_spec_check(&spec) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = spec;
    return KLM_OK;
}
