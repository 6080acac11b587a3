/* Between the parts of transparent formats and OpenSSL's keys. Parts are written as DER and decoded, since OpenSSL's decoders keep private numbers
 * in secret memory, which its way of taking numbers singly does not. */
#include "keyring/der.h"
#include "keyring/material_int.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <string.h>

/* ---- From parts */

static void put_oid(struct kr_der *der, int nid)
{
    const ASN1_OBJECT *oid = OBJ_nid2obj(nid);
    const size_t end = der->at;

    kr_der_bytes(der, OBJ_get0_data(oid), OBJ_length(oid));
    kr_der_head(der, 0x06, end);
}

/* Numbers as INTEGERs, the last one first, up to one that is not there. */
static void put_numbers(struct kr_der *der, const struct klm_slice *const *numbers, size_t n)
{
    while (n-- > 0) {
        if (numbers[n]->p) {
            kr_der_uint(der, *numbers[n]);
        }
    }
}
#define NUMBERS(der, ...)                                                                          \
    put_numbers((der), (const struct klm_slice *const[]){__VA_ARGS__},                             \
                sizeof((const struct klm_slice *const[]){__VA_ARGS__}) /                           \
                    sizeof(const struct klm_slice *))

static const struct klm_slice zero = {(const uint8_t *)"", 1};
static const struct klm_slice one = {(const uint8_t *)"\1", 1};

/* RFC 8017, A.1. */
static klm_rc put_rsa(struct kr_der *der, const struct kr_parts *parts, bool is_private)
{
    const size_t end = der->at;

    if (is_private) {
        NUMBERS(der, &zero, &parts->modulus, &parts->public_exponent, &parts->private_exponent,
                &parts->p, &parts->q, &parts->dp, &parts->dq, &parts->crt);
    } else {
        NUMBERS(der, &parts->modulus, &parts->public_exponent);
    }
    kr_der_head(der, 0x30, end);
    return der->rc;
}

/* RFC 5915, 3: OpenSSL works the public point out. */
static void put_ec_private(struct kr_der *der, const struct kr_parts *parts, int curve)
{
    const size_t end = der->at;

    put_oid(der, curve);
    kr_der_head(der, 0xa0, end);
    {
        const size_t at = der->at;

        kr_der_bytes(der, parts->d.p, parts->d.n);
        kr_der_head(der, 0x04, at);
    }
    kr_der_uint(der, one);
    kr_der_head(der, 0x30, end);
}

/* RFC 5480, 2: SubjectPublicKeyInfo. */
static void put_ec_public(struct kr_der *der, const struct kr_parts *parts, int curve)
{
    const size_t end = der->at;
    size_t at;

    kr_der_bytes(der, parts->q_string.p, parts->q_string.n);
    kr_der_byte(der, 0); /* no unused bits */
    kr_der_head(der, 0x03, end);
    at = der->at;
    put_oid(der, curve);
    put_oid(der, NID_X9_62_id_ecPublicKey);
    kr_der_head(der, 0x30, at);
    kr_der_head(der, 0x30, end);
}

static klm_rc put_ec(struct kr_der *der, const struct kr_parts *parts, bool is_private)
{
    const int curve = kr_curve_nid(parts->curve);

    if (curve == NID_undef) {
        return parts->curve ? KLM_E_UNSUPPORTED : KLM_E_INVALID;
    }
    if (is_private) {
        put_ec_private(der, parts, curve);
    } else {
        put_ec_public(der, parts, curve);
    }
    return der->rc;
}

/* RFC 3279, 2.3.2 and 2.3.3; PKCS #3: DH without q has parameters of its own. */
static void put_domain(struct kr_der *der, const struct kr_parts *parts, bool dsa)
{
    const size_t end = der->at;

    if (dsa) {
        NUMBERS(der, &parts->p, &parts->q, &parts->g);
    } else if (parts->q.p) {
        NUMBERS(der, &parts->p, &parts->g, &parts->q, &parts->j);
    } else {
        NUMBERS(der, &parts->p, &parts->g);
    }
    kr_der_head(der, 0x30, end);
    put_oid(der, dsa ? NID_dsa : parts->q.p ? NID_dhpublicnumber : NID_dhKeyAgreement);
    kr_der_head(der, 0x30, end);
}

/* PKCS #8, or SubjectPublicKeyInfo. */
static klm_rc put_numbers_of(struct kr_der *der, const struct kr_parts *parts, bool dsa,
                             bool is_private)
{
    const size_t end = der->at;

    kr_der_uint(der, is_private ? parts->x : parts->y);
    if (!is_private) {
        kr_der_byte(der, 0); /* no unused bits */
    }
    kr_der_head(der, is_private ? 0x04 : 0x03, end);
    put_domain(der, parts, dsa);
    if (is_private) {
        kr_der_uint(der, zero);
    }
    kr_der_head(der, 0x30, end);
    return der->rc;
}

/* The DER form of a key, and the format it is. */
static klm_rc put_key(struct kr_der *der, const struct kr_parts *parts, const char *kind,
                      struct kr_material_spec *spec)
{
    const bool is_private = spec->object == KMIP_ObjectType_PrivateKey;

    if (strcmp(kind, "RSA") == 0) {
        spec->format = KMIP_KeyFormatType_PKCS_1;
        return put_rsa(der, parts, is_private);
    }
    if (strcmp(kind, "EC") == 0) {
        spec->format = is_private ? KMIP_KeyFormatType_ECPrivateKey : KMIP_KeyFormatType_X_509;
        return put_ec(der, parts, is_private);
    }
    spec->format = is_private ? KMIP_KeyFormatType_PKCS_8 : KMIP_KeyFormatType_X_509;
    return put_numbers_of(der, parts, strcmp(kind, "DSA") == 0, is_private);
}

/* All of the parts, and what DER adds to them. */
static size_t room(const struct kr_parts *parts)
{
    struct kr_parts all = *parts;
    size_t n = 256;

    for (size_t i = 0; i < KR_PARTS; i++) {
        n += kr_part(&all, i)->n + 5;
    }
    return n;
}

klm_rc kr_parts_pkey(const struct kr_material_spec *spec, const struct kr_parts *parts,
                     EVP_PKEY **out)
{
    const struct kr_part_row *row = kr_part_at(spec->format, 0);
    struct kr_material_spec form = *spec;
    struct kr_parts all = *parts;
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};
    KLM_AUTO(kr_secret_done) struct kr_secret bytes = {0};
    KLM_AUTO(kr_der_done) struct kr_der der = {.at = 0};

    if (!row) {
        return KLM_E_UNSUPPORTED;
    }
    if (spec->format == KMIP_KeyFormatType_TransparentRSAPrivateKey) {
        KLM_TRY(kr_rsa_complete(parts, &block, &all));
    }
    all.curve = spec->curve;
    KLM_TRY(kr_der_init(room(&all), &der));
    KLM_TRY(put_key(&der, &all, row->kind, &form));
    KLM_TRY(kr_der_get(&der, &bytes));
    return kr_format_decode(&form, KLM_SLICE(bytes.p, bytes.n), out);
}

/* ---- To parts */

static bool is_kind(const EVP_PKEY *pkey, const char *kind)
{
    return EVP_PKEY_is_a(pkey, kind) || (strcmp(kind, "DH") == 0 && EVP_PKEY_is_a(pkey, "DHX")) ||
           (strcmp(kind, "RSA") == 0 && EVP_PKEY_is_a(pkey, "RSA-PSS"));
}

static klm_rc point(const EVP_PKEY *pkey, struct kr_secret *out)
{
    struct kr_secret made = {0};

    KLM_TRY(kr_secret_new(KR_POINT_MAX, &made));
    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, made.p, made.cap, &made.n) !=
        1) {
        kr_secret_done(&made);
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = made;
    return KLM_OK;
}

/* What tells keys of DH with q from those without. */
static bool is_left_out(const EVP_PKEY *pkey, const struct kr_part_row *row)
{
    return !row->must && EVP_PKEY_is_a(pkey, "DH");
}

static klm_rc take_part(const EVP_PKEY *pkey, const struct kr_part_row *row, struct kr_secret *out)
{
    const klm_rc rc = row->part == KR_PART_q_string ? point(pkey, out)
                      : is_left_out(pkey, row)      ? KLM_E_NOTFOUND
                                                    : kr_pkey_number(pkey, row->name, out);

    return rc != KLM_E_NOTFOUND ? rc : row->must ? KLM_E_UNSUPPORTED : KLM_OK;
}

klm_rc kr_parts_of_pkey(EVP_PKEY *pkey, uint32_t format, struct kr_secret *out)
{
    struct kr_secret numbers[KR_PARTS] = {{0}};
    struct kr_parts parts = {.curve = 0};
    const struct kr_part_row *row = kr_part_at(format, 0);
    klm_rc rc = row && is_kind(pkey, row->kind) ? KLM_OK : KLM_E_UNSUPPORTED;

    for (size_t i = 0; rc == KLM_OK && (row = kr_part_at(format, i)) != NULL; i++) {
        rc = take_part(pkey, row, &numbers[row->part]);
        *kr_part(&parts, row->part) = KLM_SLICE(numbers[row->part].p, numbers[row->part].n);
    }
    if (rc == KLM_OK) {
        rc = kr_parts_pack(&parts, out);
    }
    for (size_t i = 0; i < KR_PARTS; i++) {
        kr_secret_done(&numbers[i]);
    }
    return rc;
}
