/* What a certificate says, for listings. */
#include "keyring/internal.h"

#include <string.h>

/* RFC 4514: the last relative name first, so that CN leads and C ends, as RACF lists it; UTF-8
 * stays readable, control characters are escaped. */
klm_rc kr_subject_text(const X509_NAME *name, struct klm_pool *pool, const char **out)
{
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy;
    long n;

    if (!bio || X509_NAME_print_ex(bio, name, 0,
                                   XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0) {
        return kr_quiet(KLM_E_INVALID);
    }
    n = BIO_get_mem_data(bio, &text);
    copy = klm_pool_strn(pool, n > 0 ? text : "", n > 0 ? (size_t)n : 0);
    if (!copy) {
        return KLM_E_NOMEM;
    }
    *out = copy;
    return KLM_OK;
}

static klm_rc serial_text(const X509 *x509, struct klm_pool *pool, const char **out)
{
    KLM_AUTO(kr_done_bn) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    const char *copy = hex ? klm_pool_str(pool, hex) : NULL;

    OPENSSL_free(hex);
    if (!copy) {
        return kr_quiet(KLM_E_NOMEM);
    }
    *out = copy;
    return KLM_OK;
}

/* RACF's words for kinds of keys. */
static void key_kind(X509 *x509, struct kr_cert_info *info)
{
    EVP_PKEY *pub = X509_get0_pubkey(x509);
    char group[32] = "";

    info->key_type = "UNKNOWN";
    if (pub) {
        info->key_bits = (unsigned)EVP_PKEY_get_bits(pub);
    }
    if (pub && EVP_PKEY_is_a(pub, "RSA")) {
        info->key_type = "RSA";
    } else if (pub && EVP_PKEY_is_a(pub, "EC") &&
               EVP_PKEY_get_group_name(pub, group, sizeof group, NULL) == 1) {
        info->key_type = strncmp(group, "brainpool", 9) == 0 ? "BPECC" : "NISTECC";
    }
    ERR_clear_error();
}

static klm_rc fingerprint(struct klm_slice der, char out[65])
{
    uint8_t digest[32];

    if (EVP_Digest(der.p, der.n, digest, NULL, EVP_sha256(), NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    klm_hex(digest, sizeof digest, out);
    return KLM_OK;
}

klm_rc kr_cert_info(struct klm_slice der, struct klm_pool *pool, struct kr_cert_info *out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    struct kr_cert_info info = {0};

    KLM_TRY(kr_x509(der, &x509));
    KLM_TRY(kr_subject_text(X509_get_subject_name(x509), pool, &info.subject));
    KLM_TRY(kr_subject_text(X509_get_issuer_name(x509), pool, &info.issuer));
    KLM_TRY(serial_text(x509, pool, &info.serial));
    KLM_TRY(kr_x509_times(x509, &info.not_before, &info.not_after));
    KLM_TRY(fingerprint(der, info.fingerprint));
    KLM_TRY(kr_spki_hash(x509, info.spki_hash));
    key_kind(x509, &info);
    info.ca = kr_x509_is_ca(x509);
    *out = info;
    return KLM_OK;
}
