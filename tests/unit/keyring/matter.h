/* Helpers of the tests of key material: keys that openssl made, in each format. */
#ifndef TESTS_KEYRING_MATTER_H
#define TESTS_KEYRING_MATTER_H

#include "help.h"

#include "keyring/material.h"

#define PRIVATE_KEY KMIP_ObjectType_PrivateKey
#define PUBLIC_KEY KMIP_ObjectType_PublicKey
#define SYMMETRIC KMIP_ObjectType_SymmetricKey
#define SECRET KMIP_ObjectType_SecretData
#define FORMAT(name) KMIP_KeyFormatType_##name
#define ALG(name) KMIP_CryptographicAlgorithm_##name
#define CURVE(name) KMIP_RecommendedCurve_##name
#define COMPRESSION(name) KMIP_KeyCompressionType_ECPublicKeyType##name

static UNUSED struct klm_slice bytes_of(const struct kr_material *material)
{
    struct klm_slice out = {0};

    REQUIRE_OK(kr_material_bytes(material, test_pool(), &out));
    return out;
}

static UNUSED struct kr_material *material_of(uint32_t object, uint32_t format,
                                              struct klm_slice bytes)
{
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = object, .format = format},
                               bytes, &material));
    return material;
}

static UNUSED struct kr_material *symmetric_of(uint32_t algorithm, const void *key, size_t n)
{
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = SYMMETRIC,
                                                          .format = FORMAT(Raw),
                                                          .algorithm = algorithm},
                               KLM_SLICE(key, n), &material));
    return material;
}

/* A hex string as bytes. */
static UNUSED struct klm_slice hex(const char *text)
{
    uint8_t *p = klm_pool_alloc(test_pool(), strlen(text) / 2 + 1);
    size_t n = 0;

    REQUIRE_OK(klm_unhex(text, p, strlen(text) / 2, &n));
    return KLM_SLICE(p, n);
}

static UNUSED bool same_slice(struct klm_slice a, struct klm_slice b)
{
    return klm_slice_equal(a, b);
}

/* test_path for longer: its buffers come round. */
static UNUSED const char *kept_path(const char *name)
{
    return klm_pool_str(test_pool(), test_path(name));
}

/* A file that openssl wrote. */
static UNUSED struct klm_slice made_by(const char *out)
{
    REQUIRE(out != NULL);
    return load(test_path("made.der"));
}
#define MADE(...) made_by(OPENSSL(__VA_ARGS__, "-out", test_path("made.der")))

/* One key as openssl writes it in each format; empty: it has no such form. */
struct forms {
    struct klm_slice pkcs1, pkcs8, ec;               /* private */
    struct klm_slice public_pkcs1, x509, compressed; /* public */
};

static UNUSED struct forms forms_of(const char *pem)
{
    struct forms forms = {.pkcs8 =
                              MADE("pkcs8", "-topk8", "-nocrypt", "-in", pem, "-outform", "DER"),
                          .x509 = MADE("pkey", "-in", pem, "-pubout", "-outform", "DER")};

    return forms;
}

static UNUSED struct forms rsa_forms(const char *bits)
{
    const char *pem = kept_path("rsa.pem");
    struct forms forms;

    REQUIRE(OPENSSL("genrsa", "-out", pem, bits) != NULL);
    forms = forms_of(pem);
    forms.pkcs1 = MADE("rsa", "-in", pem, "-traditional", "-outform", "DER");
    forms.public_pkcs1 = MADE("rsa", "-in", pem, "-RSAPublicKey_out", "-outform", "DER");
    return forms;
}

static UNUSED struct forms ec_forms(const char *curve)
{
    const char *pem = kept_path("ec.pem");
    struct forms forms;

    REQUIRE(OPENSSL("ecparam", "-name", curve, "-genkey", "-noout", "-out", pem) != NULL);
    forms = forms_of(pem);
    forms.ec = MADE("ec", "-in", pem, "-outform", "DER");
    forms.compressed =
        MADE("ec", "-in", pem, "-pubout", "-conv_form", "compressed", "-outform", "DER");
    return forms;
}

#endif
