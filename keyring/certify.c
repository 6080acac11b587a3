/* Certificates for keys of others (KMIP Certify and Re-certify). Whoever may ask for one chooses the key and what it is called, but not what it may
 * do here: no authority and none of the roles that this product gives is ever taken over, neither from a request nor from an older certificate. */
#include "keyring/material_int.h"

#include <string.h>

#define SECOND ((klm_time)1000000)

struct work {
    const struct kr_certify *spec;
    const struct kr_label *issuer;
    struct klm_diag *diag;
    struct kr_key *issuer_key;
    X509_REQ *req; /* or NULL */
    X509 *old;     /* or NULL */
    EVP_PKEY *pub;
    X509_NAME *subject;
    struct kr_dates dates;
    X509 *x509;
};

static void work_done(struct work *work)
{
    kr_key_free(&work->issuer_key);
    X509_REQ_free(work->req);
    X509_free(work->old);
    EVP_PKEY_free(work->pub);
    X509_NAME_free(work->subject);
    X509_free(work->x509);
}

/* ---- What it is made of */

static klm_rc take_issuer(struct work *work)
{
    klm_rc rc;

    if (!kr_x509_is_ca(work->issuer->x509)) {
        return klm_fail(work->diag, KLM_E_DENIED, KLM_MSG_ISSUER_NO_CA);
    }
    if (!work->issuer->key) {
        return klm_fail(work->diag, KLM_E_WRONGKEY, KLM_MSG_ISSUER_KEY);
    }
    rc = kr_key_opened(work->issuer->key, &work->issuer_key);
    if (rc == KLM_E_UNSUPPORTED) {
        return klm_fail(work->diag, rc, KLM_MSG_CERT_SIGN,
                        "the private key of the authority is in a PKCS#11 token");
    }
    return rc;
}

static klm_rc take_old(struct work *work)
{
    if (work->spec->old.n == 0) {
        return KLM_OK;
    }
    return kr_x509(work->spec->old, &work->old) == KLM_OK
               ? KLM_OK
               : klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_CERT_NOT,
                          "the certificate to be renewed is damaged");
}

static klm_rc wrong_request(struct work *work, klm_rc rc, const char *why)
{
    return klm_fail(work->diag, rc, KLM_MSG_REQUEST_NOT, why);
}

static klm_rc take_request(struct work *work)
{
    EVP_PKEY *key;

    if (work->spec->request.n == 0) {
        return KLM_OK;
    }
    KLM_TRY(kr_request_parse(work->spec->request, work->diag, &work->req));
    key = X509_REQ_get0_pubkey(work->req);
    if (work->pub && EVP_PKEY_eq(work->pub, key) != 1) {
        return kr_quiet(wrong_request(work, KLM_E_WRONGKEY, "it is for another public key"));
    }
    if (!work->pub && EVP_PKEY_up_ref(key) == 1) {
        work->pub = key;
    }
    return KLM_OK;
}

/* A key that KMIP has a name for, and that is no invitation. */
static klm_rc check_key(struct work *work)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_PublicKey};

    if (!work->pub) {
        return wrong_request(work, KLM_E_INVALID, "there is no public key that is known here");
    }
    if (kr_pkey_fit(work->pub, &spec) != KLM_OK ||
        (spec.algorithm == KMIP_CryptographicAlgorithm_RSA && spec.bits < 1024)) {
        return wrong_request(work, KLM_E_UNSUPPORTED,
                             "its key is of a kind or size that is not used here");
    }
    return KLM_OK;
}

static klm_rc take_key(struct work *work)
{
    if (work->spec->public_key) {
        KLM_TRY(kr_material_pkey(work->spec->public_key, &work->pub));
    }
    KLM_TRY(take_request(work));
    if (!work->pub && work->old) {
        work->pub = X509_get_pubkey(work->old);
    }
    return check_key(work);
}

static klm_rc take_subject(struct work *work)
{
    const X509_NAME *from = work->old   ? X509_get_subject_name(work->old)
                            : work->req ? X509_REQ_get_subject_name(work->req)
                                        : NULL;

    if (work->spec->subject && work->spec->subject[0]) {
        return kr_subject_parse(work->spec->subject, work->diag, &work->subject);
    }
    if (!from || X509_NAME_entry_count(from) == 0) {
        return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_SUBJECT, "", "it is empty");
    }
    work->subject = X509_NAME_dup(from);
    return work->subject ? KLM_OK : kr_quiet(KLM_E_NOMEM);
}

/* ---- Extensions */

/* RFC 5280, 4.2.1.3, without those of an authority. */
static const struct {
    uint32_t bit;
    const char *name;
} usages[] = {
    {KU_DIGITAL_SIGNATURE, ",digitalSignature"}, {KU_NON_REPUDIATION, ",nonRepudiation"},
    {KU_KEY_ENCIPHERMENT, ",keyEncipherment"},   {KU_DATA_ENCIPHERMENT, ",dataEncipherment"},
    {KU_KEY_AGREEMENT, ",keyAgreement"},         {KU_ENCIPHER_ONLY, ",encipherOnly"},
    {KU_DECIPHER_ONLY, ",decipherOnly"},
};
#define AUTHORITY ((uint32_t)(KU_KEY_CERT_SIGN | KU_CRL_SIGN))

/* What such a key can do, when nothing else was said. */
static uint32_t usage_of_key(const EVP_PKEY *pub)
{
    if (EVP_PKEY_is_a(pub, "RSA")) {
        return KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    }
    if (EVP_PKEY_is_a(pub, "EC")) {
        return KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT;
    }
    return EVP_PKEY_is_a(pub, "X25519") || EVP_PKEY_is_a(pub, "X448") || EVP_PKEY_is_a(pub, "DH") ||
                   EVP_PKEY_is_a(pub, "DHX")
               ? KU_KEY_AGREEMENT
               : KU_DIGITAL_SIGNATURE;
}

static uint32_t usage_of(const struct work *work)
{
    const uint32_t old = work->old ? X509_get_key_usage(work->old) : UINT32_MAX; /* none said */
    const uint32_t taken = old == UINT32_MAX ? 0 : old & ~AUTHORITY;

    return taken ? taken : usage_of_key(work->pub);
}

static klm_rc add_usage(struct work *work)
{
    const uint32_t usage = usage_of(work);
    KLM_AUTO(klm_buf_done) struct klm_buf text = {0};

    klm_buf_init(&text, 256);
    klm_buf_text(&text, "critical");
    for (size_t i = 0; i < KLM_COUNT(usages); i++) {
        klm_buf_text(&text, usage & usages[i].bit ? usages[i].name : "");
    }
    klm_buf_u8(&text, 0);
    KLM_TRY(klm_buf_rc(&text));
    return kr_ext_text(work->x509, work->issuer->x509, NID_key_usage, (const char *)text.p);
}

/* What an older certificate may have been for. All else, such as answering for the authority (OCSP) or being a drive here, is given by whoever has a
 * right to, not copied. */
static bool may_keep(const ASN1_OBJECT *purpose)
{
    switch (OBJ_obj2nid(purpose)) {
    case NID_server_auth:
    case NID_client_auth:
    case NID_email_protect:
    case NID_code_sign:
        return true;
    default:
        return false;
    }
}

static klm_rc add_extended(struct work *work)
{
    EXTENDED_KEY_USAGE *all =
        work->old ? X509_get_ext_d2i(work->old, NID_ext_key_usage, NULL, NULL) : NULL;
    klm_rc rc = KLM_OK;

    for (int i = sk_ASN1_OBJECT_num(all) - 1; i >= 0; i--) {
        if (!may_keep(sk_ASN1_OBJECT_value(all, i))) {
            ASN1_OBJECT_free(sk_ASN1_OBJECT_delete(all, i));
        }
    }
    if (sk_ASN1_OBJECT_num(all) > 0 &&
        X509_add1_ext_i2d(work->x509, NID_ext_key_usage, all, 0, X509V3_ADD_DEFAULT) != 1) {
        rc = KLM_E_CRYPTO;
    }
    EXTENDED_KEY_USAGE_free(all);
    return kr_quiet(rc);
}

/* The names, from the older certificate or the request, if OpenSSL can read them. */
static klm_rc add_names(struct work *work)
{
    STACK_OF(X509_EXTENSION) *asked = work->req ? X509_REQ_get_extensions(work->req) : NULL;
    GENERAL_NAMES *names = work->old ? X509_get_ext_d2i(work->old, NID_subject_alt_name, NULL, NULL)
                                     : X509V3_get_d2i(asked, NID_subject_alt_name, NULL, NULL);
    klm_rc rc = KLM_OK;

    if (names && sk_GENERAL_NAME_num(names) > 0 &&
        X509_add1_ext_i2d(work->x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1) {
        rc = KLM_E_CRYPTO;
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
    return kr_quiet(rc);
}

static klm_rc add_extensions(struct work *work)
{
    KLM_TRY(
        kr_ext_text(work->x509, work->issuer->x509, NID_basic_constraints, "critical,CA:FALSE"));
    KLM_TRY(add_usage(work));
    KLM_TRY(add_extended(work));
    KLM_TRY(kr_ext_text(work->x509, work->issuer->x509, NID_subject_key_identifier, "hash"));
    KLM_TRY(kr_ext_authority(work->x509, work->issuer->x509));
    return add_names(work);
}

static klm_rc fill(struct work *work)
{
    work->x509 = X509_new();
    if (!work->x509) {
        return kr_quiet(KLM_E_NOMEM);
    }
    KLM_TRY(kr_x509_serial(work->x509));
    if (X509_set_version(work->x509, X509_VERSION_3) != 1 ||
        X509_set_subject_name(work->x509, work->subject) != 1 ||
        X509_set_issuer_name(work->x509, X509_get_subject_name(work->issuer->x509)) != 1 ||
        !ASN1_TIME_set(X509_getm_notBefore(work->x509), work->dates.not_before / SECOND) ||
        !ASN1_TIME_set(X509_getm_notAfter(work->x509), work->dates.not_after / SECOND) ||
        X509_set_pubkey(work->x509, work->pub) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return add_extensions(work);
}

static klm_rc make(struct work *work)
{
    KLM_TRY(take_issuer(work));
    work->dates = (struct kr_dates){work->spec->not_before, work->spec->not_after};
    KLM_TRY(kr_dates_settle(&work->dates, work->issuer->x509, work->diag));
    KLM_TRY(take_old(work));
    KLM_TRY(take_key(work));
    KLM_TRY(take_subject(work));
    KLM_TRY(fill(work));
    return kr_x509_sign(work->x509, kr_key_pkey(work->issuer_key), work->diag);
}

klm_rc kr_certify(const struct kr_certify *spec, const struct kr_label *issuer,
                  struct klm_pool *pool, struct klm_diag *diag, struct klm_slice *der)
{
    KLM_AUTO(work_done) struct work work = {.spec = spec, .issuer = issuer, .diag = diag};

    KLM_TRY(make(&work));
    return kr_x509_der(work.x509, pool, der);
}
