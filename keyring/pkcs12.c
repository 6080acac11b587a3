/* PKCS #12 (RFC 7292). The private key is decrypted straight into secret memory, and encrypted from it: only the ciphertext passes through OpenSSL's
 * structures. A file from outside cannot make a password derivation last for hours. */
#include "keyring/internal.h"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define ITERATIONS 600000      /* of PBKDF2 in what is written */
#define ITERATIONS_MAX 5000000 /* in what is read */
#define BAGS_MAX 64

KR_OSSL_DONE(done_pkcs12, PKCS12, PKCS12_free)

struct reading {
    const char *password;
    struct klm_pool *pool;
    struct klm_diag *diag;
    struct kr_package *out;
};

static klm_rc not_one(struct klm_diag *diag, const char *why)
{
    return kr_quiet(klm_fail(diag, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT, why));
}

/* ---- Limits */

static bool few(const ASN1_INTEGER *n)
{
    int64_t value = 1;

    return !n || (ASN1_INTEGER_get_int64(&value, n) == 1 && value > 0 && value <= ITERATIONS_MAX);
}

/* RFC 8018, A.2 and A.4: PBES2 names a derivation with a count of its own. */
static bool pbes2_allowed(const X509_ALGOR *alg)
{
    PBE2PARAM *outer = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), alg->parameter);
    PBKDF2PARAM *inner = NULL;
    bool allowed = false;

    if (outer && OBJ_obj2nid(outer->keyfunc->algorithm) == NID_id_pbkdf2) {
        inner = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), outer->keyfunc->parameter);
        allowed = inner && few(inner->iter);
    }
    PBKDF2PARAM_free(inner);
    PBE2PARAM_free(outer);
    return allowed;
}

static bool allowed(const X509_ALGOR *alg)
{
    PBEPARAM *param;
    bool ok;

    if (OBJ_obj2nid(alg->algorithm) == NID_pbes2) {
        return pbes2_allowed(alg);
    }
    param = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), alg->parameter);
    ok = param && few(param->iter);
    PBEPARAM_free(param);
    return ok;
}

static klm_rc check_algorithm(struct reading *r, const X509_ALGOR *alg)
{
    return allowed(alg) ? KLM_OK
                        : kr_quiet(klm_fail(r->diag, KLM_E_LIMIT, KLM_MSG_PACKAGE_CIPHER,
                                            "its password derivation is unknown or too long"));
}

/* ---- Reading */

static klm_rc crypt(const X509_ALGOR *alg, const char *password, bool encrypt, struct klm_slice in,
                    uint8_t *out, size_t *n)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int first = 0, last = 0;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    if (EVP_PBE_CipherInit(alg->algorithm, password, (int)strlen(password), alg->parameter, ctx,
                           encrypt) != 1) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    if (EVP_CipherUpdate(ctx, out, &first, in.p, (int)in.n) != 1 ||
        EVP_CipherFinal_ex(ctx, out + first, &last) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = (size_t)(first + last);
    return KLM_OK;
}

static klm_rc open_key(struct reading *r, const X509_SIG *sealed)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    const ASN1_OCTET_STRING *bytes;
    const X509_ALGOR *alg;
    klm_rc rc;

    X509_SIG_get0(sealed, &alg, &bytes);
    if (r->out->key) {
        return not_one(r->diag, "it has more than one private key");
    }
    if (bytes->length <= 0 || bytes->length > KR_CLEAR_MAX) {
        return not_one(r->diag, "its private key is too long");
    }
    KLM_TRY(check_algorithm(r, alg));
    KLM_TRY(kr_secret_new(KR_CLEAR_MAX + 64, &clear)); /* and a block of the cipher */
    rc = crypt(alg, r->password, false, KLM_SLICE(bytes->data, (size_t)bytes->length), clear.p,
               &clear.n);
    if (rc == KLM_OK) {
        rc = kr_pkcs8_key(KLM_SLICE(clear.p, clear.n), &r->out->key);
    }
    if (rc == KLM_E_UNSUPPORTED || rc == KLM_E_LIMIT) {
        return klm_fail(
            r->diag, KLM_E_UNSUPPORTED, KLM_MSG_PACKAGE_CIPHER,
            "its private key or the cipher around it is of a kind that is not used here");
    }
    return rc == KLM_E_CRYPTO || rc == KLM_E_INVALID
               ? not_one(r->diag, "its private key is damaged")
               : rc;
}

static klm_rc read_bag(struct reading *r, const PKCS12_SAFEBAG *bag)
{
    X509 *x509;
    klm_rc rc;

    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_pkcs8ShroudedKeyBag:
        return open_key(r, PKCS12_SAFEBAG_get0_pkcs8(bag));
    case NID_keyBag:
        return not_one(r->diag, "its private key is not encrypted");
    case NID_certBag:
        x509 = PKCS12_SAFEBAG_get1_cert(bag);
        if (!x509) {
            return not_one(r->diag, "one of its certificates cannot be read");
        }
        rc = kr_package_add(r->out, x509, r->pool);
        X509_free(x509);
        return rc;
    }
    return KLM_OK; /* revocation lists and what others keep there */
}

static klm_rc read_safe(struct reading *r, STACK_OF(PKCS12_SAFEBAG) * bags)
{
    if (!bags || sk_PKCS12_SAFEBAG_num(bags) > BAGS_MAX) {
        return not_one(r->diag, "its content cannot be read");
    }
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        KLM_TRY(read_bag(r, sk_PKCS12_SAFEBAG_value(bags, i)));
    }
    return KLM_OK;
}

static klm_rc cipher_unknown(struct reading *r, const X509_ALGOR *alg)
{
    char why[120];

    snprintf(why, sizeof why, "its certificates are encrypted with %s, which is not used here",
             OBJ_nid2ln(OBJ_obj2nid(alg->algorithm)));
    return kr_quiet(klm_fail(r->diag, KLM_E_UNSUPPORTED, KLM_MSG_PACKAGE_CIPHER, why));
}

static klm_rc read_content(struct reading *r, PKCS7 *content)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    klm_rc rc;

    if (PKCS7_type_is_data(content)) {
        bags = PKCS12_unpack_p7data(content);
    } else if (PKCS7_type_is_encrypted(content) && content->d.encrypted) {
        KLM_TRY(check_algorithm(r, content->d.encrypted->enc_data->algorithm));
        bags = PKCS12_unpack_p7encdata(content, r->password, -1);
        if (!bags) { /* the password was right, so it is the cipher: RC2 of old tools, as a rule */
            return cipher_unknown(r, content->d.encrypted->enc_data->algorithm);
        }
    }
    rc = read_safe(r, bags);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return rc;
}

static klm_rc read_all(struct reading *r, PKCS12 *p12)
{
    STACK_OF(PKCS7) *contents = PKCS12_unpack_authsafes(p12);
    klm_rc rc = contents ? KLM_OK : not_one(r->diag, "its content cannot be read");

    for (int i = 0; rc == KLM_OK && i < sk_PKCS7_num(contents); i++) {
        rc = read_content(r, sk_PKCS7_value(contents, i));
    }
    sk_PKCS7_pop_free(contents, PKCS7_free);
    return rc;
}

/* The MAC tells a wrong password from damage: it covers all, with the same password. */
static klm_rc check_mac(struct reading *r, PKCS12 *p12)
{
    const ASN1_INTEGER *iterations = NULL;

    if (!PKCS12_mac_present(p12)) {
        return not_one(r->diag, "it has no check value");
    }
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
    if (!few(iterations)) {
        return klm_fail(r->diag, KLM_E_LIMIT, KLM_MSG_PACKAGE_CIPHER,
                        "its password derivation is too long");
    }
    if (PKCS12_verify_mac(p12, r->password, -1) != 1) {
        return kr_quiet(klm_fail(r->diag, KLM_E_WRONGKEY, KLM_MSG_PACKAGE_PASSWORD));
    }
    return KLM_OK;
}

klm_rc kr_pkcs12_read(struct klm_slice in, const char *password, struct klm_pool *pool,
                      struct klm_diag *diag, struct kr_package *out)
{
    const unsigned char *p = in.p;
    KLM_AUTO(done_pkcs12) PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)in.n);
    struct kr_package got = {0};
    struct reading r = {password, pool, diag, &got};
    klm_rc rc;

    if (!p12 || p != in.p + in.n) {
        return not_one(diag, "it is cut short, or something follows it");
    }
    if (!password || !*password) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PACKAGE_NEEDS_PASSWORD);
    }
    rc = check_mac(&r, p12);
    if (rc == KLM_OK) {
        rc = read_all(&r, p12);
    }
    if (rc != KLM_OK) {
        kr_key_free(&got.key);
        return kr_quiet(rc);
    }
    *out = got;
    return kr_quiet(KLM_OK);
}

/* ---- Writing */

/* The key, encrypted, as a bag; it and the first certificate carry the same identifier. */
static klm_rc seal_key(const struct kr_key *key, const char *password, X509_SIG **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    uint8_t sealed[KR_CLEAR_MAX + 128];
    X509_ALGOR *alg, *into;
    ASN1_OCTET_STRING *bytes;
    X509_SIG *sig;
    size_t n = 0;
    klm_rc rc;

    KLM_TRY(kr_pkcs8_clear(key, &clear));
    alg = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), ITERATIONS, NULL, 0, NULL, NID_hmacWithSHA256);
    sig = X509_SIG_new();
    if (!alg || !sig) {
        X509_ALGOR_free(alg);
        X509_SIG_free(sig);
        return kr_quiet(KLM_E_NOMEM);
    }
    rc = crypt(alg, password, true, KLM_SLICE(clear.p, clear.n), sealed, &n);
    X509_SIG_getm(sig, &into, &bytes);
    if (rc == KLM_OK &&
        (X509_ALGOR_copy(into, alg) != 1 || ASN1_OCTET_STRING_set(bytes, sealed, (int)n) != 1)) {
        rc = kr_quiet(KLM_E_NOMEM);
    }
    X509_ALGOR_free(alg);
    if (rc != KLM_OK) {
        X509_SIG_free(sig);
        return rc;
    }
    *out = sig;
    return KLM_OK;
}

static klm_rc name_bag(PKCS12_SAFEBAG *bag, const char *label, uint8_t id[32])
{
    if (PKCS12_add_localkeyid(bag, id, 32) != 1 ||
        PKCS12_add_friendlyname_utf8(bag, label, -1) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    return KLM_OK;
}

static klm_rc key_bag(const struct kr_package *package, const char *label, const char *password,
                      uint8_t id[32], STACK_OF(PKCS12_SAFEBAG) * bags)
{
    X509_SIG *sig = NULL;
    PKCS12_SAFEBAG *bag;
    klm_rc rc;

    KLM_TRY(seal_key(package->key, password, &sig));
    bag = PKCS12_SAFEBAG_create0_pkcs8(sig);
    if (!bag) {
        X509_SIG_free(sig);
        return kr_quiet(KLM_E_NOMEM);
    }
    rc = name_bag(bag, label, id);
    if (rc != KLM_OK || !sk_PKCS12_SAFEBAG_push(bags, bag)) {
        PKCS12_SAFEBAG_free(bag);
        return rc != KLM_OK ? rc : KLM_E_NOMEM;
    }
    return KLM_OK;
}

static klm_rc cert_bags(const struct kr_package *package, const char *label, uint8_t id[32],
                        STACK_OF(PKCS12_SAFEBAG) * *bags)
{
    for (size_t i = 0; i < package->n; i++) {
        KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
        PKCS12_SAFEBAG *bag;

        KLM_TRY(kr_x509(package->cert[i], &x509));
        bag = PKCS12_add_cert(bags, x509);
        if (!bag) {
            return kr_quiet(KLM_E_NOMEM);
        }
        if (i == 0) {
            KLM_TRY(name_bag(bag, label, id));
        }
    }
    return KLM_OK;
}

/* Certificates are no secret; the key's bag is encrypted by itself. */
static klm_rc finish(STACK_OF(PKCS12_SAFEBAG) * certs, STACK_OF(PKCS12_SAFEBAG) * keys,
                     const char *password, PKCS12 **out)
{
    STACK_OF(PKCS7) *safes = NULL;
    PKCS12 *p12 = NULL;

    if (PKCS12_add_safe(&safes, certs, -1, 0, NULL) == 1 &&
        PKCS12_add_safe(&safes, keys, -1, 0, NULL) == 1) {
        p12 = PKCS12_add_safes(safes, 0);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    if (!p12 || PKCS12_set_mac(p12, password, -1, NULL, 0, ITERATIONS, EVP_sha256()) != 1) {
        PKCS12_free(p12);
        return kr_quiet(KLM_E_NOMEM);
    }
    *out = p12;
    return KLM_OK;
}

static klm_rc encode(PKCS12 *p12, struct klm_pool *pool, struct klm_slice *out)
{
    unsigned char *der = NULL;
    int n = i2d_PKCS12(p12, &der);
    klm_rc rc =
        n > 0 ? klm_pool_slice(pool, KLM_SLICE(der, (size_t)n), out) : kr_quiet(KLM_E_NOMEM);

    OPENSSL_free(der);
    return rc;
}

klm_rc kr_pkcs12_write(const struct kr_package *package, const char *label, const char *password,
                       struct klm_pool *pool, struct klm_slice *out)
{
    STACK_OF(PKCS12_SAFEBAG) *certs = NULL, *keys = sk_PKCS12_SAFEBAG_new_null();
    KLM_AUTO(done_pkcs12) PKCS12 *p12 = NULL;
    uint8_t id[32];
    klm_rc rc = KLM_OK;

    if (!keys ||
        EVP_Digest(package->cert[0].p, package->cert[0].n, id, NULL, EVP_sha256(), NULL) != 1) {
        rc = kr_quiet(KLM_E_NOMEM);
    }
    if (rc == KLM_OK) {
        rc = cert_bags(package, label, id, &certs);
    }
    if (rc == KLM_OK) {
        rc = key_bag(package, label, password, id, keys);
    }
    if (rc == KLM_OK) {
        rc = finish(certs, keys, password, &p12);
    }
    sk_PKCS12_SAFEBAG_pop_free(certs, PKCS12_SAFEBAG_free);
    sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
    return rc == KLM_OK ? encode(p12, pool, out) : rc;
}
