/* Key tokens: a key sealed under the master key, bound to its label (keyring/TOKEN.md). Each
 * token has a subkey of its own, by HKDF over a random salt, so two tokens never share key and
 * nonce however many are made. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <string.h>

#define MAGIC "KRTK"
#define VERSION 1
#define ALG_HKDF_AES256_GCM 1
#define INFO "klm key token v1"
#define SALT 16
#define NONCE 12
#define TAG 16
#define HEAD 49 /* bytes before the sealed key */
#define TOKEN_MAX (HEAD + KR_CLEAR_MAX + TAG)

struct token {
    uint8_t version, alg, type;
    uint16_t bits;
    struct klm_slice id, salt, nonce, sealed, tag;
    struct klm_slice head; /* all before the sealed key */
};

/* Takes a token apart. KLM_E_CORRUPT, KLM_E_UNSUPPORTED. */
static klm_rc parse(struct klm_slice in, struct token *out)
{
    struct klm_cur cur;
    struct klm_slice magic;
    uint32_t len;

    klm_cur_init(&cur, in);
    klm_cur_bytes(&cur, 4, &magic);
    klm_cur_u8(&cur, &out->version);
    klm_cur_u8(&cur, &out->alg);
    if (klm_cur_rc(&cur) != KLM_OK || memcmp(magic.p, MAGIC, 4) != 0) {
        return KLM_E_CORRUPT;
    }
    if (out->version != VERSION || out->alg != ALG_HKDF_AES256_GCM) {
        return KLM_E_UNSUPPORTED;
    }
    klm_cur_u8(&cur, &out->type);
    klm_cur_u16(&cur, &out->bits);
    klm_cur_bytes(&cur, 8, &out->id);
    klm_cur_bytes(&cur, SALT, &out->salt);
    klm_cur_bytes(&cur, NONCE, &out->nonce);
    klm_cur_u32(&cur, &len);
    klm_cur_bytes(&cur, len <= KR_CLEAR_MAX ? len : SIZE_MAX, &out->sealed);
    klm_cur_bytes(&cur, TAG, &out->tag);
    klm_cur_end(&cur);
    out->head = KLM_SLICE(in.p, HEAD);
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

/* AES-256-GCM under the subkey of this salt, ready for the text. */
static klm_rc start(const struct kr_master *master, const char *label, const struct token *token,
                    int enc, EVP_CIPHER_CTX *ctx)
{
    KLM_AUTO(kr_secret_done) struct kr_secret subkey = {0};

    KLM_TRY(kr_secret_new(32, &subkey));
    KLM_TRY(kr_hkdf(kr_master_key(master), token->salt, INFO, subkey.p));
    if (EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), subkey.p, token->nonce.p, enc, NULL) != 1 ||
        !put_aad(ctx, token->head, label)) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static klm_rc put_head(const struct kr_master *master, const struct kr_key *key, size_t clear_n,
                       struct klm_buf *out)
{
    uint8_t fresh[SALT + NONCE];

    KLM_TRY(klm_random(fresh, sizeof fresh));
    klm_buf_put(out, MAGIC, 4);
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, ALG_HKDF_AES256_GCM);
    klm_buf_u8(out, (uint8_t)key->spec.type);
    klm_buf_u16(out, (uint16_t)key->spec.bits);
    klm_buf_put(out, kr_master_id(master), 8);
    klm_buf_put(out, fresh, sizeof fresh);
    klm_buf_u32(out, (uint32_t)clear_n);
    return klm_buf_rc(out);
}

/* Encrypts clear into the n + TAG bytes at to. */
static klm_rc seal(const struct kr_master *master, const char *label, const struct token *token,
                   const struct kr_secret *clear, uint8_t *to)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(start(master, label, token, 1, ctx));
    if (EVP_CipherUpdate(ctx, to, &n, clear->p, (int)clear->n) != 1 ||
        EVP_CipherFinal_ex(ctx, to + n, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + clear->n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

/* A token at the end of out, which is left as it was on failure. */
static klm_rc append(const struct kr_master *master, const char *label, const struct kr_key *key,
                     const struct kr_secret *clear, struct klm_buf *out)
{
    size_t at = out->n;
    struct token token;
    uint8_t *to;

    KLM_TRY(put_head(master, key, clear->n, out));
    to = klm_buf_room(out, clear->n + TAG);
    KLM_TRY(klm_buf_rc(out));
    token = (struct token){.salt = KLM_SLICE(out->p + at + 17, SALT),
                           .nonce = KLM_SLICE(out->p + at + 17 + SALT, NONCE),
                           .head = KLM_SLICE(out->p + at, HEAD)};
    KLM_TRY(seal(master, label, &token, clear, to));
    out->n += clear->n + TAG;
    return KLM_OK;
}

klm_rc kr_token_seal(const struct kr_master *master, const char *label, const struct kr_key *key,
                     struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    size_t at = out->n;
    klm_rc rc;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_key_clear(key, &clear));
    rc = append(master, label, key, &clear, out);
    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

static klm_rc unseal(const struct kr_master *master, const char *label, const struct token *token,
                     struct kr_secret *clear)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG];
    int n = 0, last = 0;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    memcpy(tag, token->tag.p, TAG); /* OpenSSL wants it without const */
    KLM_TRY(start(master, label, token, 0, ctx));
    if (EVP_CipherUpdate(ctx, clear->p, &n, token->sealed.p, (int)token->sealed.n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1 ||
        EVP_CipherFinal_ex(ctx, clear->p + n, &last) != 1) {
        return kr_quiet(KLM_E_CORRUPT);
    }
    clear->n = token->sealed.n;
    return KLM_OK;
}

klm_rc kr_token_open(const struct kr_master *master, const char *label, struct klm_slice in,
                     struct kr_key **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct token token;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(parse(in, &token));
    if (memcmp(token.id.p, kr_master_id(master), 8) != 0) {
        return KLM_E_WRONGKEY;
    }
    KLM_TRY(kr_secret_new(KR_CLEAR_MAX, &clear));
    KLM_TRY(unseal(master, label, &token, &clear));
    if (kr_key_from_clear((enum kr_type)token.type, KLM_SLICE(clear.p, clear.n), &key) != KLM_OK ||
        key->spec.type != (enum kr_type)token.type || key->spec.bits != token.bits) {
        return KLM_E_CORRUPT;
    }
    *out = key;
    key = NULL;
    return KLM_OK;
}

klm_rc kr_token_vp(struct klm_slice in, char out[KR_VP_MAX])
{
    struct token token;

    KLM_TRY(parse(in, &token));
    klm_hex_upper(token.id.p, token.id.n, out);
    return KLM_OK;
}

klm_rc kr_token_spec(struct klm_slice in, struct kr_spec *out)
{
    struct token token;
    struct kr_spec spec;

    KLM_TRY(parse(in, &token));
    spec = (struct kr_spec){(enum kr_type)token.type, token.bits};
    if (kr_spec_check(&spec) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = spec;
    return KLM_OK;
}
