/* Key tokens that need a PKCS#11 token: sealed by its key, which is the master key (strict), or referring to a key that is in it (keyring/TOKEN.md). */
#include "keyring/token.h"

#include <string.h>

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

klm_rc kr_token_hard_seal(const struct kr_master *master, const char *label,
                          const struct kr_spec *spec, const struct kr_secret *clear,
                          struct klm_buf *out)
{
    static const uint8_t fresh[KR_TOKEN_SALT + KR_TOKEN_NONCE]; /* no salt: there is no subkey */
    uint8_t aad[AAD_MAX], sealed[KR_CLEAR_MAX + KR_HARD_MORE];
    struct klm_diag diag = {0};
    size_t at = out->n, aad_n;

    KLM_TRY(kr_token_put_head(
        &(struct kr_token_head){KR_ALG_TOKEN_GCM, *spec, kr_master_id(master), fresh, clear->n},
        out));
    aad_n = put_aad(KLM_SLICE(out->p + at, KR_TOKEN_HEAD), label, aad);
    KLM_TRY(said(kr_hard_seal(kr_master_p11(master), kr_master_strict(master),
                              KLM_SLICE(aad, aad_n), KLM_SLICE(clear->p, clear->n), sealed, &diag),
                 &diag));
    memcpy(out->p + at + KR_TOKEN_AT_NONCE, sealed, KR_TOKEN_NONCE);
    klm_buf_put(out, sealed + KR_TOKEN_NONCE, clear->n + KR_TOKEN_TAG);
    return klm_buf_rc(out);
}

klm_rc kr_token_hard_unseal(const struct kr_master *master, const char *label,
                            const struct kr_token *token, struct kr_secret *clear)
{
    uint8_t aad[AAD_MAX], sealed[KR_CLEAR_MAX + KR_HARD_MORE];
    struct klm_diag diag = {0};
    size_t aad_n = put_aad(token->head, label, aad), n = token->sealed.n;
    klm_rc rc;

    memcpy(sealed, token->nonce.p, KR_TOKEN_NONCE);
    memcpy(sealed + KR_TOKEN_NONCE, token->sealed.p, n);
    memcpy(sealed + KR_TOKEN_NONCE + n, token->tag.p, KR_TOKEN_TAG);
    rc = said(kr_hard_unseal(kr_master_p11(master), kr_master_strict(master), KLM_SLICE(aad, aad_n),
                             KLM_SLICE(sealed, n + KR_HARD_MORE), clear->p, clear->cap, &clear->n,
                             &diag),
              &diag);
    return rc == KLM_E_CRYPTO ? KLM_E_CORRUPT : rc;
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
