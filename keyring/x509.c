/* Between DER, OpenSSL's X509 and our plain types. */
#include "keyring/internal.h"

#include <string.h>
#include <time.h>

/* DER has one form only: what does not come out as it went in was something else (BER). */
static bool same_again(X509 *x509, struct klm_slice der)
{
    unsigned char *again = NULL;
    int n = i2d_X509(x509, &again);
    bool same = n > 0 && (size_t)n == der.n && memcmp(again, der.p, der.n) == 0;

    OPENSSL_free(again);
    return same;
}

klm_rc kr_x509(struct klm_slice der, X509 **out)
{
    const unsigned char *p = der.p;
    X509 *x509;

    if (der.n == 0 || der.n > KR_DER_MAX) {
        return der.n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    x509 = d2i_X509(NULL, &p, (long)der.n);
    if (!x509 || p != der.p + der.n || !same_again(x509, der)) {
        X509_free(x509);
        return kr_quiet(KLM_E_INVALID);
    }
    /* A public key of a kind OpenSSL does not know leaves its complaint; the certificate is
     * fine. */
    ERR_clear_error();
    *out = x509;
    return KLM_OK;
}

klm_rc kr_x509_der(X509 *x509, struct klm_pool *pool, struct klm_slice *der)
{
    unsigned char *p = NULL;
    int n = i2d_X509(x509, &p);
    klm_rc rc;

    if (n <= 0) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    rc = klm_pool_slice(pool, KLM_SLICE(p, (size_t)n), der);
    OPENSSL_free(p);
    return rc;
}

static klm_rc asn1_time(const ASN1_TIME *from, klm_time *out)
{
    struct tm tm;

    if (!from || ASN1_TIME_to_tm(from, &tm) != 1) {
        return kr_quiet(KLM_E_INVALID);
    }
    *out = (klm_time)timegm(&tm) * 1000000;
    return KLM_OK;
}

klm_rc kr_x509_times(const X509 *x509, klm_time *not_before, klm_time *not_after)
{
    klm_time from, to;

    KLM_TRY(asn1_time(X509_get0_notBefore(x509), &from));
    KLM_TRY(asn1_time(X509_get0_notAfter(x509), &to));
    *not_before = from;
    *not_after = to;
    return KLM_OK;
}

klm_rc kr_spki_hash(const X509 *x509, uint8_t out[32])
{
    unsigned char *p = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &p);
    bool ok = n > 0 && EVP_Digest(p, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(p);
    return ok ? KLM_OK : kr_quiet(KLM_E_INVALID);
}

/* RFC 5280, 4.2.1.9 and 4.2.1.3: a CA says so in basicConstraints, and its key usage, when
 * there, allows signing certificates. */
bool kr_x509_is_ca(X509 *x509)
{
    uint32_t flags = X509_get_extension_flags(x509);

    ERR_clear_error();
    return (flags & EXFLAG_CA) && !(flags & EXFLAG_INVALID) &&
           (X509_get_key_usage(x509) & KU_KEY_CERT_SIGN);
}
