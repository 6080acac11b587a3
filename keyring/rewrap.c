/* Tokens rewrapped in bulk: contexts, subkeys and random bytes are kept from one to the next. */
#include "keyring/rewrap.h"

#include "base/hmac.h"
#include "base/secret.h"
#include "keyring/token.h"

#include <stdlib.h>
#include <string.h>

#define AAD_MAX (KR_TOKEN_HEAD + 2 + KR_TOKEN_LABEL_MAX)
#define AT_SUBKEY 32
#define KEYS 64
#define SCRATCH                                                                                    \
    4096 /* clear forms up to here; longer ones, which are rare, get memory of their own */

/* AES-256-GCM under the subkey of one salt. */
struct side {
    EVP_CIPHER_CTX *ctx;
    const struct kr_master *master; /* whose subkey it is; NULL: none yet */
    uint8_t salt[KR_TOKEN_SALT];
};

struct kr_rewrap {
    const struct kr_master *from, *to;
    EVP_CIPHER *gcm;
    struct side open, seal;
    uint8_t nonce[KR_TOKEN_NONCE]; /* of the next token */
    unsigned left;                 /* tokens that may still be sealed under this salt */
    struct kr_secret keys;         /* pseudorandom key and subkey */
    struct kr_secret clear;        /* scratch */
};

void kr_rewrap_free(struct kr_rewrap **rewrap)
{
    struct kr_rewrap *r = *rewrap;

    *rewrap = NULL;
    if (r) {
        EVP_CIPHER_CTX_free(r->open.ctx);
        EVP_CIPHER_CTX_free(r->seal.ctx);
        EVP_CIPHER_free(r->gcm);
        kr_secret_done(&r->keys);
        kr_secret_done(&r->clear);
        free(r);
    }
}

static klm_rc set_up(struct kr_rewrap *r)
{
    r->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    r->open.ctx = EVP_CIPHER_CTX_new();
    r->seal.ctx = EVP_CIPHER_CTX_new();
    if (!r->gcm || !r->open.ctx || !r->seal.ctx) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(kr_secret_new(KEYS, &r->keys));
    return kr_secret_new(SCRATCH, &r->clear);
}

klm_rc kr_rewrap_new(const struct kr_master *from, const struct kr_master *to,
                     struct kr_rewrap **out)
{
    KLM_AUTO(kr_rewrap_free) struct kr_rewrap *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    made->from = from;
    made->to = to;
    KLM_TRY(set_up(made));
    *out = made;
    made = NULL;
    return KLM_OK;
}

/* ---- Subkeys */

/* RFC 5869: one block is all of the key. */
static void subkey(struct kr_rewrap *r, const struct kr_master *master, struct klm_slice salt)
{
    static const uint8_t block[] = KR_TOKEN_INFO "\1";
    uint8_t *prk = r->keys.p, *key = r->keys.p + AT_SUBKEY;

    klm_hmac_once(salt, KLM_SLICE(kr_master_key(master), 32), prk);
    klm_hmac_once(KLM_SLICE(prk, 32), KLM_SLICE(block, sizeof block - 1), key);
}

static klm_rc key_side(struct kr_rewrap *r, struct side *side, const struct kr_master *master,
                       struct klm_slice salt, int enc)
{
    if (side->master == master && memcmp(side->salt, salt.p, sizeof side->salt) == 0) {
        return KLM_OK;
    }
    side->master = NULL;
    subkey(r, master, salt);
    if (EVP_CipherInit_ex2(side->ctx, r->gcm, r->keys.p + AT_SUBKEY, NULL, enc, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    memcpy(side->salt, salt.p, sizeof side->salt);
    side->master = master;
    return KLM_OK;
}

/* ---- Tokens */

/* Associated data: the head, then the label with its length. */
static size_t put_aad(const uint8_t head[KR_TOKEN_HEAD], const char *label, uint8_t out[AAD_MAX])
{
    const size_t n = strlen(label);

    memcpy(out, head, KR_TOKEN_HEAD);
    out[KR_TOKEN_HEAD] = (uint8_t)(n >> 8);
    out[KR_TOKEN_HEAD + 1] = (uint8_t)n;
    memcpy(out + KR_TOKEN_HEAD + 2, label, n);
    return KR_TOKEN_HEAD + 2 + n;
}

static klm_rc open_token(struct kr_rewrap *r, const struct kr_master *under, const char *label,
                         const struct kr_token *token, struct kr_secret *clear)
{
    uint8_t aad[AAD_MAX], tag[KR_TOKEN_TAG];
    const size_t aad_n = put_aad(token->head.p, label, aad);
    int n = 0, last = 0;

    KLM_TRY(key_side(r, &r->open, under, token->salt, 0));
    memcpy(tag, token->tag.p, sizeof tag); /* OpenSSL wants it without const */
    if (EVP_CipherInit_ex2(r->open.ctx, NULL, NULL, token->nonce.p, 0, NULL) != 1 ||
        EVP_CipherUpdate(r->open.ctx, NULL, &n, aad, (int)aad_n) != 1 ||
        EVP_CipherUpdate(r->open.ctx, clear->p, &n, token->sealed.p, (int)token->sealed.n) != 1 ||
        EVP_CIPHER_CTX_ctrl(r->open.ctx, EVP_CTRL_AEAD_SET_TAG, KR_TOKEN_TAG, tag) != 1 ||
        EVP_CipherFinal_ex(r->open.ctx, clear->p + n, &last) != 1) {
        return kr_quiet(KLM_E_CORRUPT);
    }
    clear->n = token->sealed.n;
    return KLM_OK;
}

/* A salt for the next run, and a nonce to count from: no other token, made here or elsewhere, is under its subkey. */
static klm_rc begin_run(struct kr_rewrap *r, const struct kr_master *to)
{
    uint8_t fresh[KR_TOKEN_SALT + KR_TOKEN_NONCE];

    r->left = 0;
    KLM_TRY(klm_random(fresh, sizeof fresh));
    KLM_TRY(key_side(r, &r->seal, to, KLM_SLICE(fresh, KR_TOKEN_SALT), 1));
    memcpy(r->nonce, fresh + KR_TOKEN_SALT, sizeof r->nonce);
    r->left = KR_REWRAP_RUN;
    return KLM_OK;
}

static void next_nonce(struct kr_rewrap *r)
{
    for (size_t i = sizeof r->nonce; i-- > 0 && ++r->nonce[i] == 0;) {
    }
    r->left--;
}

static klm_rc seal_text(struct kr_rewrap *r, const char *label, const uint8_t *head,
                        const struct kr_secret *clear, uint8_t *to)
{
    uint8_t aad[AAD_MAX];
    const size_t aad_n = put_aad(head, label, aad);
    int n = 0, last = 0;

    return EVP_CipherInit_ex2(r->seal.ctx, NULL, NULL, head + KR_TOKEN_AT_NONCE, 1, NULL) == 1 &&
                   EVP_CipherUpdate(r->seal.ctx, NULL, &n, aad, (int)aad_n) == 1 &&
                   EVP_CipherUpdate(r->seal.ctx, to, &n, clear->p, (int)clear->n) == 1 &&
                   EVP_CipherFinal_ex(r->seal.ctx, to + n, &last) == 1 &&
                   EVP_CIPHER_CTX_ctrl(r->seal.ctx, EVP_CTRL_AEAD_GET_TAG, KR_TOKEN_TAG,
                                       to + clear->n) == 1
               ? KLM_OK
               : kr_quiet(KLM_E_CRYPTO);
}

static klm_rc seal_token(struct kr_rewrap *r, const struct kr_master *to, const char *label,
                         const struct kr_token *token, const struct kr_secret *clear,
                         struct klm_buf *out)
{
    struct kr_token_head head = {.alg = KR_ALG_HKDF_GCM,
                                 .spec = {(enum kr_type)token->type, token->bits},
                                 .id = kr_master_id(to),
                                 .sealed_n = clear->n};
    uint8_t fresh[KR_TOKEN_SALT + KR_TOKEN_NONCE], *text;
    const size_t at = out->n;

    if (r->left == 0 || r->seal.master != to) {
        KLM_TRY(begin_run(r, to));
    }
    memcpy(fresh, r->seal.salt, KR_TOKEN_SALT);
    memcpy(fresh + KR_TOKEN_SALT, r->nonce, KR_TOKEN_NONCE);
    head.fresh = fresh;
    next_nonce(r); /* whatever comes of this token */
    KLM_TRY(kr_token_put_head(&head, out));
    text = klm_buf_room(out, clear->n + KR_TOKEN_TAG);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(seal_text(r, label, out->p + at, clear, text));
    out->n += clear->n + KR_TOKEN_TAG;
    return KLM_OK;
}

static klm_rc rewrap(struct kr_rewrap *r, const struct kr_master *under, const struct kr_master *to,
                     const char *label, const struct kr_token *token, struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret own = {0};
    struct kr_secret *clear = &r->clear;
    const size_t at = out->n;
    klm_rc rc;

    if (token->sealed.n > SCRATCH) {
        KLM_TRY(kr_secret_new(token->sealed.n, &own));
        clear = &own;
    }
    rc = open_token(r, under, label, token, clear);
    if (rc == KLM_OK) {
        rc = seal_token(r, to, label, token, clear, out);
    }
    klm_wipe(r->clear.p, token->sealed.n <= SCRATCH ? token->sealed.n : 0);
    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

/* What needs a PKCS#11 token, at either end, goes the usual way: there is nothing to keep. */
klm_rc kr_rewrap_token(struct kr_rewrap *r, const char *label, struct klm_slice in,
                       struct klm_buf *out)
{
    const struct kr_master *to = kr_master_sealing(r->to), *under;
    struct kr_token token;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_parse(in, &token));
    if (token.alg != KR_ALG_HKDF_GCM || kr_master_strict(to)) {
        return kr_token_rewrap(r->from, r->to, label, in, out);
    }
    under = kr_token_master(r->from, &token);
    return under ? rewrap(r, under, to, label, &token, out) : KLM_E_WRONGKEY;
}
