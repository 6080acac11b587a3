/* Making certificates: RACDCERT GENCERT, with a new key or for a request. */
#include "keyring/internal.h"

#include "base/secret.h"
#include "base/tls.h"

#include <string.h>

#define SECOND ((klm_time)1000000)

struct work {
    const struct kr_gencert *spec;
    struct klm_diag *diag;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    X509_REQ *req; /* NULL: a new key */
    X509_NAME *subject;
    struct kr_key *key; /* the new key */
    EVP_PKEY *pub;      /* borrowed: the key that is certified */
    enum kr_role role;
    char serial[13], wwn[17];
    struct kr_dates dates;
    X509 *x509;
};

static void work_done(struct work *work)
{
    X509_free(work->issuer);
    X509_REQ_free(work->req);
    X509_NAME_free(work->subject);
    X509_free(work->x509);
    kr_key_free(&work->key);
}

/* The issuer must be a CA whose key is ours; without one there is nothing to check. */
static klm_rc take_issuer(struct work *work, struct klm_slice der, struct kr_key *key)
{
    if (der.n == 0) {
        return KLM_OK;
    }
    if (kr_x509(der, &work->issuer) != KLM_OK) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_CERT_NOT,
                        "the certificate to sign with is damaged");
    }
    if (!kr_x509_is_ca(work->issuer)) {
        return klm_fail(work->diag, KLM_E_DENIED, KLM_MSG_ISSUER_NO_CA);
    }
    if (!key || kr_cert_fits(der, key) != KLM_OK) {
        return klm_fail(work->diag, KLM_E_WRONGKEY, KLM_MSG_ISSUER_KEY);
    }
    work->issuer_key = kr_key_pkey(key);
    return KLM_OK;
}

/* What a request says of a drive. Of all its extensions only these are taken over. */
static klm_rc take_drive(struct work *work)
{
    STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(work->req);
    klm_rc rc =
        kr_drive_identity(X509_REQ_get_subject_name(work->req), exts, work->serial, work->wwn);

    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    ERR_clear_error();
    if (rc == KLM_E_NOTFOUND && work->role == KR_ROLE_DRIVE) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST,
                        "it does not ask for the role of a drive");
    }
    if (rc == KLM_E_INVALID) {
        return klm_fail(
            work->diag, rc, KLM_MSG_DRIVE_REQUEST,
            "its serial number must have 12 upper-case letters and digits, its WWN 16 hex digits");
    }
    if (rc == KLM_OK && work->spec->role_stands && work->role != KR_ROLE_DRIVE) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST,
                        "it asks for the role of a drive, and another role was given");
    }
    if (rc == KLM_OK) {
        work->role = KR_ROLE_DRIVE;
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc take_request(struct work *work)
{
    struct kr_spec spec;

    KLM_TRY(kr_request_parse(work->spec->request, work->diag, &work->req));
    work->pub = X509_REQ_get0_pubkey(work->req);
    if (kr_pkey_spec(work->pub, &spec) != KLM_OK || kr_spec_check(&spec) != KLM_OK) {
        return klm_fail(work->diag, KLM_E_UNSUPPORTED, KLM_MSG_REQUEST_NOT,
                        "its key is none of RSA 1024 to 4096, P-256, P-384");
    }
    if (!work->issuer) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_REQUEST_ISSUER);
    }
    return take_drive(work);
}

static klm_rc new_key(struct work *work)
{
    klm_rc rc;

    if (work->role == KR_ROLE_DRIVE) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST,
                        "a drive makes its own key and request");
    }
    if (work->spec->made) {
        if (!work->issuer) {
            return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_TOKEN_NO_SELF);
        }
        work->key = kr_key_ref(work->spec->made);
        work->pub = kr_key_pkey(work->key);
        return KLM_OK;
    }
    rc = work->spec->spec.type == KR_AES ? KLM_E_INVALID
                                         : kr_key_generate(&work->spec->spec, &work->key);
    if (rc == KLM_E_LIMIT || rc == KLM_E_INVALID) {
        return klm_fail(work->diag, rc, KLM_MSG_KEY_SIZE, KLM_NUM(work->spec->spec.bits));
    }
    KLM_TRY(rc);
    work->pub = kr_key_pkey(work->key);
    return KLM_OK;
}

/* The subject given wins over the request's, but a drive's name is the drive's. */
static klm_rc take_subject(struct work *work)
{
    bool given = work->spec->subject && work->spec->subject[0];

    if (given && work->req && work->role == KR_ROLE_DRIVE) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST,
                        "the subject of a drive comes from its request alone");
    }
    if (given) {
        return kr_subject_parse(work->spec->subject, work->diag, &work->subject);
    }
    if (!work->req || X509_NAME_entry_count(X509_REQ_get_subject_name(work->req)) == 0) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_SUBJECT, "", "it is empty");
    }
    work->subject = X509_NAME_dup(X509_REQ_get_subject_name(work->req));
    return work->subject ? KLM_OK : kr_quiet(KLM_E_NOMEM);
}

/* RFC 5280, 4.1.2.2: positive, at most 20 bytes. The first bits are 01, so the length never
 * tells anything; 126 bits are random. */
klm_rc kr_x509_serial(X509 *x509)
{
    uint8_t random[16];
    KLM_AUTO(kr_done_bn) BIGNUM *number = NULL;

    KLM_TRY(klm_random(random, sizeof random));
    random[0] = (uint8_t)((random[0] & 0x3f) | 0x40);
    number = BN_bin2bn(random, sizeof random, NULL);
    if (!number || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509))) {
        return kr_quiet(KLM_E_NOMEM);
    }
    return KLM_OK;
}

static klm_rc fill(struct work *work)
{
    X509 *x509 = X509_new();

    work->x509 = x509;
    if (!x509) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(kr_x509_serial(x509));
    if (X509_set_version(x509, X509_VERSION_3) != 1 ||
        X509_set_subject_name(x509, work->subject) != 1 ||
        X509_set_issuer_name(x509, work->issuer ? X509_get_subject_name(work->issuer)
                                                : work->subject) != 1 ||
        !ASN1_TIME_set(X509_getm_notBefore(x509), work->dates.not_before / SECOND) ||
        !ASN1_TIME_set(X509_getm_notAfter(x509), work->dates.not_after / SECOND) ||
        X509_set_pubkey(x509, work->pub) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return kr_ext_add(x509,
                      &(struct kr_ext_want){work->role, work->spec->hosts, work->wwn,
                                            work->issuer ? work->issuer : x509},
                      work->diag);
}

/* A digest as strong as the key that signs. */
klm_rc kr_x509_sign(X509 *x509, EVP_PKEY *key, struct klm_diag *diag)
{
    bool p384 = EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 384;

    if (X509_sign(x509, key, p384 ? EVP_sha384() : EVP_sha256()) <= 0) {
        char err[256];

        return klm_fail(diag, KLM_E_CRYPTO, KLM_MSG_CERT_SIGN, klm_openssl_error(err, sizeof err));
    }
    return KLM_OK;
}

static klm_rc make(struct work *work, struct klm_slice issuer_der, struct kr_key *issuer_key)
{
    KLM_TRY(take_issuer(work, issuer_der, issuer_key));
    work->dates = (struct kr_dates){work->spec->not_before, work->spec->not_after};
    KLM_TRY(kr_dates_settle(&work->dates, work->issuer, work->diag));
    if (work->spec->request.n) {
        KLM_TRY(take_request(work));
        KLM_TRY(take_subject(work));
    } else {
        KLM_TRY(take_subject(work)); /* a wrong name is found before a key is made for it */
        KLM_TRY(new_key(work));
    }
    KLM_TRY(fill(work));
    return kr_x509_sign(work->x509, work->issuer ? work->issuer_key : kr_key_pkey(work->key),
                        work->diag);
}

klm_rc kr_gencert(const struct kr_gencert *spec, struct klm_slice issuer_der,
                  struct kr_key *issuer_key, struct klm_pool *pool, struct klm_diag *diag,
                  struct klm_slice *der, struct kr_key **key)
{
    KLM_AUTO(work_done) struct work work = {.spec = spec, .diag = diag, .role = spec->role};

    KLM_TRY(make(&work, issuer_der, issuer_key));
    KLM_TRY(kr_x509_der(work.x509, pool, der));
    *key = work.key;
    work.key = NULL;
    return KLM_OK;
}
