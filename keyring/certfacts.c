/* What a certificate says, as attributes of KMIP tell it. */
#include "keyring/material_int.h"

#include <openssl/objects.h>
#include <string.h>

static uint32_t signature_of(const X509 *x509)
{
    static const struct {
        int nid;
        uint32_t kmip;
    } rows[] = {
#define KR_SIGALG(ours, theirs) {NID_##ours, KMIP_DigitalSignatureAlgorithm_##theirs},
#include "keyring/sigalgs.def"
#undef KR_SIGALG
    };
    const int nid = X509_get_signature_nid(x509);

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (rows[i].nid == nid) {
            return rows[i].kmip;
        }
    }
    return 0;
}

/* ---- Names */

/* A part with a zero byte, which no text can say, is not told: *out stays as it is. */
static klm_rc text_of(const X509_NAME_ENTRY *entry, struct klm_pool *pool, const char **out)
{
    unsigned char *text = NULL;
    const int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));

    if (n < 0 || memchr(text, 0, (size_t)n)) {
        OPENSSL_free(text);
        return kr_quiet(KLM_OK);
    }
    *out = klm_pool_strn(pool, (const char *)text, (size_t)n);
    OPENSSL_free(text);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

/* KMIP 2.1, 4.5: each part a text, of which there may be several. */
static klm_rc parts_of(const X509_NAME *name, int nid, struct klm_pool *pool,
                       struct kr_cert_part **out)
{
    struct kr_cert_part **end = out;
    unsigned n = 0;

    for (int at = -1;
         n < KR_CERT_PARTS_MAX && (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0; n++) {
        const char *text = NULL;

        KLM_TRY(text_of(X509_NAME_get_entry(name, at), pool, &text));
        if (!text) {
            continue;
        }
        *end = klm_pool_alloc(pool, sizeof **end);
        if (!*end) {
            return KLM_E_NOMEM;
        }
        (*end)->text = text;
        end = &(*end)->next;
    }
    return KLM_OK;
}

static klm_rc name_der(const X509_NAME *name, struct klm_pool *pool, struct klm_slice *out)
{
    const unsigned char *der = NULL;
    size_t n = 0;

    if (X509_NAME_get0_der(name, &der, &n) != 1) {
        return kr_quiet(KLM_E_INVALID);
    }
    return klm_pool_slice(pool, KLM_SLICE(der, n), out);
}

static klm_rc take_names(const X509_NAME *name, struct klm_pool *pool, struct kr_cert_names *out)
{
    const struct {
        int nid;
        struct kr_cert_part **to;
    } parts[] = {
        {NID_commonName, &out->cn},
        {NID_organizationName, &out->o},
        {NID_organizationalUnitName, &out->ou},
        {NID_pkcs9_emailAddress, &out->email},
        {NID_countryName, &out->c},
        {NID_stateOrProvinceName, &out->st},
        {NID_localityName, &out->l},
        {NID_userId, &out->uid},
        {NID_serialNumber, &out->serial},
        {NID_title, &out->title},
        {NID_domainComponent, &out->dc},
        {NID_dnQualifier, &out->dn_qualifier},
    };

    for (size_t i = 0; i < KLM_COUNT(parts); i++) {
        KLM_TRY(parts_of(name, parts[i].nid, pool, parts[i].to));
    }
    KLM_TRY(kr_subject_text(name, pool, &out->dn));
    return name_der(name, pool, &out->der);
}

/* ---- The rest */

/* The value of an extension, GeneralNames in DER. */
static klm_rc alternative(const X509 *x509, int nid, struct klm_pool *pool, struct klm_slice *out)
{
    const int at = X509_get_ext_by_NID(x509, nid, -1);
    const ASN1_OCTET_STRING *value;

    if (at < 0) {
        return KLM_OK;
    }
    value = X509_EXTENSION_get_data(X509_get_ext(x509, at));
    return klm_pool_slice(
        pool, KLM_SLICE(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)), out);
}

/* The whole INTEGER, and what is in it: its two's complement, which OpenSSL keeps as number and sign. */
static klm_rc take_serial(const X509 *x509, struct klm_pool *pool, struct kr_cert_facts *out)
{
    unsigned char *der = NULL;
    const int n = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &der);
    klm_rc rc = KLM_E_INVALID;

    if (n > 2) {
        rc = klm_pool_slice(pool, KLM_SLICE(der, (size_t)n), &out->serial_der);
    }
    OPENSSL_free(der);
    if (rc == KLM_OK) {
        /* X.690, 8.1.3: one byte says the length, or how many bytes do. */
        const uint8_t first = out->serial_der.p[1];
        const size_t head = 2 + (first & 0x80 ? (size_t)(first & 0x7f) : 0);

        out->serial = KLM_SLICE(out->serial_der.p + head, out->serial_der.n - head);
    }
    return kr_quiet(rc);
}

/* A kind of key that has no number is told as none. */
static void take_key(const X509 *x509, struct kr_cert_facts *out)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_Certificate};
    EVP_PKEY *pub = X509_get0_pubkey(x509);

    if (pub && kr_pkey_fit(pub, &spec) == KLM_OK) {
        out->algorithm = spec.algorithm;
        out->bits = spec.bits;
    }
    ERR_clear_error();
}

klm_rc kr_cert_facts(struct klm_slice der, struct klm_pool *pool, struct kr_cert_facts *out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    struct kr_cert_facts facts = {.signature = 0};

    KLM_TRY(kr_x509(der, &x509));
    KLM_TRY(take_names(X509_get_subject_name(x509), pool, &facts.subject));
    KLM_TRY(take_names(X509_get_issuer_name(x509), pool, &facts.issuer));
    KLM_TRY(take_serial(x509, pool, &facts));
    KLM_TRY(alternative(x509, NID_subject_alt_name, pool, &facts.subject_alt));
    KLM_TRY(alternative(x509, NID_issuer_alt_name, pool, &facts.issuer_alt));
    KLM_TRY(kr_x509_times(x509, &facts.not_before, &facts.not_after));
    facts.signature = signature_of(x509);
    take_key(x509, &facts);
    *out = facts;
    return KLM_OK;
}
