/* Key tokens that need a PKCS#11 token: sealed by its key, which is the master key (strict), or referring to a key that is in it (keyring/TOKEN.md). */
#include "keyring/token.h"

#include "base/secret.h"

#include <string.h>

#define KEY 32                          /* bytes of a fresh key that material is sealed under */
#define SEALED_KEY (KEY + KR_TOKEN_TAG) /* as the token sealed it, its nonce elsewhere */
#define AAD_MAX (KR_TOKEN_HEAD + 2 + KR_TOKEN_LABEL_MAX)

/* Associated data: the head with a nonce of zeros, since the token chooses the nonce; then the label with its length. */
static size_t put_aad(struct klm_slice head, const char *label, uint8_t out[AAD_MAX])
{
    size_t n = strlen(label);

    memcpy(out, head.p, KR_TOKEN_HEAD);
    memset(out + KR_TOKEN_AT_NONCE, 0, KR_TOKEN_NONCE);
    out[KR_TOKEN_HEAD] = (uint8_t)(n >> 8);
    out[KR_TOKEN_HEAD + 1] = (uint8_t)n;
    memcpy(out + KR_TOKEN_HEAD + 2, label, n);
    return KR_TOKEN_HEAD + 2 + n;
}

static klm_rc said(klm_rc rc, const struct klm_diag *diag)
{
    if (rc != KLM_OK && rc != KLM_E_STATE && rc != KLM_E_CRYPTO && diag->msg != KLM_MSG_NONE) {
        klm_say_diag(diag); /* that the token is gone was said when it was noticed */
    }
    return rc;
}

/* The token's key over a clear form or a key of its own: to is where nonce, sealed bytes and tag go. */
static klm_rc seal_by_token(const struct kr_master *master, const char *label,
                            struct klm_slice head, struct klm_slice clear, uint8_t *to)
{
    struct klm_diag diag = {0};
    uint8_t aad[AAD_MAX];
    const size_t n = put_aad(head, label, aad);

    return said(kr_hard_seal(kr_master_p11(master), kr_master_strict(master), KLM_SLICE(aad, n),
                             clear, to, &diag),
                &diag);
}

static klm_rc unseal_by_token(const struct kr_master *master, const char *label,
                              const struct kr_token *token, struct klm_slice sealed,
                              struct kr_secret *clear)
{
    struct klm_diag diag = {0};
    uint8_t aad[AAD_MAX];
    const size_t n = put_aad(token->head, label, aad);
    const klm_rc rc =
        said(kr_hard_unseal(kr_master_p11(master), kr_master_strict(master), KLM_SLICE(aad, n),
                            sealed, clear->p, clear->cap, &clear->n, &diag),
             &diag);

    return rc == KLM_E_CRYPTO ? KLM_E_CORRUPT : rc;
}

/* Material is larger than what a PKCS#11 token is asked to seal: it is sealed under a fresh key, and that by the token. Both ends are appended to
 * the head at at. */
static klm_rc seal_material(const struct kr_master *master, const char *label, size_t at,
                            const struct kr_secret *clear, struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    uint8_t sealed[KEY + KR_HARD_MORE], *to;
    struct kr_token token;

    KLM_TRY(kr_secret_new(KEY, &key));
    KLM_TRY(klm_random(key.p, KEY));
    KLM_TRY(seal_by_token(master, label, KLM_SLICE(out->p + at, KR_TOKEN_HEAD),
                          KLM_SLICE(key.p, KEY), sealed));
    memcpy(out->p + at + KR_TOKEN_AT_NONCE, sealed, KR_TOKEN_NONCE);
    klm_buf_put(out, sealed + KR_TOKEN_NONCE, SEALED_KEY);
    to = klm_buf_room(out, clear->n + KR_TOKEN_TAG);
    KLM_TRY(klm_buf_rc(out));
    token = (struct kr_token){.nonce = KLM_SLICE(out->p + at + KR_TOKEN_AT_NONCE, KR_TOKEN_NONCE),
                              .head = KLM_SLICE(out->p + at, KR_TOKEN_HEAD)};
    KLM_TRY(kr_token_gcm(
        key.p,
        &(struct kr_token_text){&token, label, KLM_SLICE(clear->p, clear->n), to, to + clear->n},
        true));
    out->n += clear->n + KR_TOKEN_TAG;
    return KLM_OK;
}

static klm_rc seal_key(const struct kr_master *master, const char *label, size_t at,
                       const struct kr_secret *clear, struct klm_buf *out)
{
    uint8_t sealed[KR_CLEAR_MAX + KR_HARD_MORE];

    if (clear->n > KR_CLEAR_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(seal_by_token(master, label, KLM_SLICE(out->p + at, KR_TOKEN_HEAD),
                          KLM_SLICE(clear->p, clear->n), sealed));
    memcpy(out->p + at + KR_TOKEN_AT_NONCE, sealed, KR_TOKEN_NONCE);
    klm_buf_put(out, sealed + KR_TOKEN_NONCE, clear->n + KR_TOKEN_TAG);
    return klm_buf_rc(out);
}

klm_rc kr_token_hard_seal(const struct kr_master *master, const char *label,
                          const struct kr_spec *spec, const struct kr_secret *clear,
                          struct klm_buf *out)
{
    static const uint8_t fresh[KR_TOKEN_SALT + KR_TOKEN_NONCE]; /* no salt: there is no subkey */
    const bool material = (unsigned)spec->type == KR_TOKEN_MATERIAL;
    const size_t at = out->n;

    KLM_TRY(
        kr_token_put_head(&(struct kr_token_head){KR_ALG_TOKEN_GCM, *spec, kr_master_id(master),
                                                  fresh, clear->n + (material ? SEALED_KEY : 0)},
                          out));
    return material ? seal_material(master, label, at, clear, out)
                    : seal_key(master, label, at, clear, out);
}

static klm_rc unseal_material(const struct kr_master *master, const char *label,
                              const struct kr_token *token, struct kr_secret *clear)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    uint8_t sealed[KEY + KR_HARD_MORE], tag[KR_TOKEN_TAG];
    struct kr_token_text text = {token, label, {0}, NULL, tag};

    if (token->sealed.n < SEALED_KEY) {
        return KLM_E_CORRUPT;
    }
    text.in = KLM_SLICE(token->sealed.p + SEALED_KEY, token->sealed.n - SEALED_KEY);
    memcpy(sealed, token->nonce.p, KR_TOKEN_NONCE);
    memcpy(sealed + KR_TOKEN_NONCE, token->sealed.p, SEALED_KEY);
    memcpy(tag, token->tag.p, sizeof tag);
    KLM_TRY(kr_secret_new(KEY, &key));
    KLM_TRY(unseal_by_token(master, label, token, KLM_SLICE(sealed, sizeof sealed), &key));
    KLM_TRY(key.n == KEY ? KLM_OK : KLM_E_CORRUPT);
    KLM_TRY(kr_secret_new(text.in.n, clear));
    clear->n = text.in.n;
    text.out = clear->p;
    return kr_token_gcm(key.p, &text, false);
}

static klm_rc unseal_key(const struct kr_master *master, const char *label,
                         const struct kr_token *token, struct kr_secret *clear)
{
    uint8_t sealed[KR_CLEAR_MAX + KR_HARD_MORE];
    const size_t n = token->sealed.n;

    memcpy(sealed, token->nonce.p, KR_TOKEN_NONCE);
    memcpy(sealed + KR_TOKEN_NONCE, token->sealed.p, n);
    memcpy(sealed + KR_TOKEN_NONCE + n, token->tag.p, KR_TOKEN_TAG);
    KLM_TRY(kr_secret_new(n ? n : 1, clear));
    return unseal_by_token(master, label, token, KLM_SLICE(sealed, n + KR_HARD_MORE), clear);
}

klm_rc kr_token_hard_unseal(const struct kr_master *master, const char *label,
                            const struct kr_token *token, struct kr_secret *clear)
{
    return token->type == KR_TOKEN_MATERIAL ? unseal_material(master, label, token, clear)
                                            : unseal_key(master, label, token, clear);
}

/* ---- References: serial number of the PKCS#11 token, label of its key, public key */

static klm_rc put_reference(struct p11 *p11, const struct kr_spec *spec, const char *label,
                            struct klm_slice spki, struct klm_buf *out)
{
    static const uint8_t none[KR_TOKEN_SALT + KR_TOKEN_NONCE];
    struct p11_state state;
    struct klm_slice serial;

    p11_state(p11, &state);
    serial = klm_slice_str(state.serial);
    KLM_TRY(
        kr_token_put_head(&(struct kr_token_head){KR_ALG_REFERENCE, *spec, none, none,
                                                  1 + serial.n + 1 + strlen(label) + 2 + spki.n},
                          out));
    klm_buf_lp8(out, serial);
    klm_buf_lp8(out, klm_slice_str(label));
    klm_buf_lp16(out, spki);
    return klm_buf_rc(out);
}

klm_rc kr_token_hard_refer(const struct kr_master *master, const char *label,
                           const struct kr_token *token, struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice serial, object, spki;
    struct klm_cur cur;

    klm_cur_init(&cur, token->sealed);
    klm_cur_lp8(&cur, P11_SERIAL_MAX, &serial);
    klm_cur_lp8(&cur, KR_TOKEN_LABEL_MAX, &object);
    klm_cur_lp16(&cur, KR_CLEAR_MAX, &spki);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || !klm_slice_equal(object, klm_slice_str(label))) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(kr_far_new(master, label, spki, KLM_SLICE(NULL, 0), &key));
    if (key->spec.type != (enum kr_type)token->type || key->spec.bits != token->bits) {
        return KLM_E_CORRUPT;
    }
    *out = key;
    key = NULL;
    return KLM_OK;
}

klm_rc kr_key_make_in_token(const struct kr_master *master, const char *label,
                            const struct kr_spec *spec, struct klm_buf *token,
                            struct klm_diag *diag, struct kr_key **out)
{
    struct p11_msg request = {.op = P11_PAIR_MAKE};
    uint8_t kind[P11_KIND_BYTES], spki[1024];
    size_t n = 0, at = token->n;
    klm_rc rc;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(spec->type == KR_AES ? KLM_E_INVALID : kr_spec_check(spec));
    if (!kr_master_p11(master)) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_TOKEN_NONE, label);
    }
    p11_kind_put((uint8_t)spec->type, (uint16_t)spec->bits, kind);
    p11_msg_set(&request, P11_F_OBJECT, klm_slice_str(label));
    p11_msg_set(&request, P11_F_KIND, KLM_SLICE(kind, sizeof kind));
    KLM_TRY(p11_call(kr_master_p11(master), &request, spki, sizeof spki, &n, diag));
    rc = put_reference(kr_master_p11(master), spec, label, KLM_SLICE(spki, n), token);
    if (rc == KLM_OK) {
        rc = kr_far_new(master, label, KLM_SLICE(spki, n), KLM_SLICE(NULL, 0), out);
    }
    if (rc != KLM_OK) {
        token->n = at;
    }
    return rc;
}

klm_rc kr_key_remove_in_token(const struct kr_master *master, const char *label,
                              struct klm_diag *diag)
{
    struct p11_msg request = {.op = P11_REMOVE};

    if (!kr_master_p11(master)) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_TOKEN_NONE, label);
    }
    p11_msg_set(&request, P11_F_OBJECT, klm_slice_str(label));
    return p11_call(kr_master_p11(master), &request, NULL, 0, NULL, diag);
}
