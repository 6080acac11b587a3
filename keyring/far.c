/* Private keys that are not in this process: in a PKCS#11 token, or sealed until each use by a master key that is (strict). */
#include "keyring/internal.h"

#include "base/secret.h"

#include <limits.h>
#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

void kr_far_free(struct kr_far **far)
{
    if (*far) {
        free((*far)->sealed);
        free(*far);
        *far = NULL;
    }
}

static klm_rc far_make(const struct kr_master *master, const char *label, struct klm_slice sealed,
                       struct kr_far **out)
{
    struct kr_far *far = calloc(1, sizeof *far);

    if (!far) {
        return KLM_E_NOMEM;
    }
    memcpy(far->label, label, strlen(label) + 1); /* labels of tokens were checked */
    far->p11 = kr_master_p11(master);
    if (sealed.n) {
        far->master = master;
        far->sealed = malloc(sealed.n);
        if (!far->sealed) {
            kr_far_free(&far);
            return KLM_E_NOMEM;
        }
        memcpy(far->sealed, sealed.p, sealed.n);
        far->sealed_n = sealed.n;
    }
    *out = far;
    return KLM_OK;
}

klm_rc kr_far_new(const struct kr_master *master, const char *label, struct klm_slice spki,
                  struct klm_slice sealed, struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    const unsigned char *at = spki.p;
    EVP_PKEY *pkey = spki.n <= LONG_MAX ? d2i_PUBKEY(NULL, &at, (long)spki.n) : NULL;

    if (!pkey || at != spki.p + spki.n) {
        EVP_PKEY_free(pkey);
        return kr_quiet(KLM_E_CORRUPT);
    }
    KLM_TRY(kr_key_from_pkey(pkey, &key));
    KLM_TRY(far_make(master, label, sealed, &key->far));
    *out = key;
    key = NULL;
    return KLM_OK;
}

/* One request to the token about a key of it. That the token is gone was said already; other failures are said here, once each. */
static klm_rc ask(const struct kr_far *far, struct p11_msg *request, uint8_t *out, size_t cap,
                  size_t *n)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    if (!far->p11) {
        return KLM_E_STATE;
    }
    p11_msg_set(request, P11_F_OBJECT, klm_slice_str(far->label));
    rc = p11_call(far->p11, request, out, cap, n, &diag);
    if (rc != KLM_OK && rc != KLM_E_STATE && rc != KLM_E_CRYPTO && diag.msg != KLM_MSG_NONE) {
        klm_say_diag(&diag);
    }
    return rc;
}

klm_rc kr_far_derive(const struct kr_far *far, struct klm_slice point, uint8_t *out, size_t cap,
                     size_t *n)
{
    struct p11_msg request = {.op = P11_DERIVE};

    p11_msg_set(&request, P11_F_DATA, point);
    return ask(far, &request, out, cap, n);
}

static klm_rc decrypt(struct kr_thread *thread, const struct kr_key *with, struct klm_slice context,
                      struct klm_slice wrapped, size_t *n)
{
    struct p11_msg request = {.op = P11_DECRYPT};

    if (wrapped.n != (size_t)EVP_PKEY_get_size(with->pkey)) {
        return KLM_E_CRYPTO;
    }
    p11_msg_set(&request, P11_F_AAD, context);
    p11_msg_set(&request, P11_F_DATA, wrapped);
    return ask(with->far, &request, kr_thread_scratch(thread), KR_SCRATCH, n);
}

/* Opened by the master key's token for this one use, and forgotten. */
static klm_rc unwrap_sealed(struct kr_thread *thread, struct kr_key *key, struct klm_slice context,
                            struct klm_slice wrapped, size_t *n)
{
    klm_rc rc = kr_near_unwrap(thread, key, context, wrapped, n);

    kr_thread_drop(thread, key->pkey);
    return rc;
}

klm_rc kr_far_unwrap(struct kr_thread *thread, const struct kr_key *with, struct klm_slice context,
                     struct klm_slice wrapped, size_t *n)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    const struct kr_far *far = with->far;

    if (far->master) {
        KLM_TRY(
            kr_token_open(far->master, far->label, KLM_SLICE(far->sealed, far->sealed_n), &key));
        return unwrap_sealed(thread, key, context, wrapped, n);
    }
    return with->spec.type == KR_EC
               ? kr_ec_unwrap_far(thread, far, with->spec.bits, context, wrapped, n)
               : decrypt(thread, with, context, wrapped, n);
}

/* PKCS#11 gives r and s as they are; signatures elsewhere are ECDSA-Sig-Value in DER (RFC 3279, 2.2.3). */
static klm_rc ecdsa_der(const uint8_t *rs, size_t n, uint8_t *out, size_t cap, size_t *out_n)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, (int)(n / 2), NULL), *s = BN_bin2bn(rs + n / 2, (int)(n / 2), NULL);
    int len = -1;

    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL;
        len = i2d_ECDSA_SIG(sig, NULL);
    }
    if (len > 0 && (size_t)len <= cap) {
        *out_n = (size_t)i2d_ECDSA_SIG(sig, &out);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    if (len <= 0) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return (size_t)len <= cap ? KLM_OK : KLM_E_LIMIT;
}

klm_rc kr_far_sign(const struct kr_key *with, struct klm_slice digest, uint8_t *out, size_t cap,
                   size_t *n)
{
    struct p11_msg request = {.op = P11_SIGN};
    uint8_t kind[P11_KIND_BYTES], rs[2 * 48];
    size_t got = 0;

    p11_kind_put((uint8_t)with->spec.type, (uint16_t)with->spec.bits, kind);
    p11_msg_set(&request, P11_F_KIND, KLM_SLICE(kind, sizeof kind));
    p11_msg_set(&request, P11_F_DATA, digest);
    if (with->spec.type == KR_RSA) {
        return ask(with->far, &request, out, cap, n);
    }
    KLM_TRY(ask(with->far, &request, rs, sizeof rs, &got));
    return ecdsa_der(rs, got, out, cap, n);
}
