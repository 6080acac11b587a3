/* Signatures with private keys of a ring, checked with OpenSSL alone. */
#include "help.h"

#include <openssl/rsa.h>

static const struct klm_slice message = {(const uint8_t *)"the value of a chain", 20};

/* FIPS 186-5 and RFC 8017, 8.1.2, by OpenSSL; RSA with the salt length told, not found out. */
static bool holds(struct kr_key *key, const EVP_MD *md, struct klm_slice data, const uint8_t *sig,
                  size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    bool good = EVP_DigestVerifyInit(ctx, &pkey, md, NULL, kr_key_pkey(key)) == 1;

    if (kr_key_spec(key).type == KR_RSA) {
        good = good && EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, 32) == 1;
    }
    good = good && EVP_DigestVerify(ctx, sig, n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static void check_sign(enum kr_type type, unsigned bits, const char *name, const EVP_MD *md)
{
    struct kr_label label = {.label = "L"};
    const struct klm_slice other = {message.p, message.n - 1};
    const char *algorithm = "";
    uint8_t sig[1024], twice[1024];
    size_t n = 0, again = 0;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){type, bits}, &label.key));
    REQUIRE_OK(kr_sign(&label, message, &algorithm, sig, sizeof sig, &n));
    CHECK_STR(algorithm, name);
    CHECK(holds(label.key, md, message, sig, n));
    CHECK(!holds(label.key, md, other, sig, n));
    sig[n / 2] ^= 1;
    CHECK(!holds(label.key, md, message, sig, n));
    REQUIRE_OK(kr_sign(&label, message, &algorithm, twice, sizeof twice, &again));
    CHECK(holds(label.key, md, message, twice, again));
    size_t least = 7;
    CHECK_RC(kr_sign(&label, message, &algorithm, twice, 16, &least), KLM_E_LIMIT);
    CHECK_INT(least, 7);
    kr_key_free(&label.key);
}

TEST(the_algorithm_goes_by_the_key_and_its_signatures_hold)
{
    check_sign(KR_RSA, 2048, "RSA-PSS-SHA256", EVP_sha256());
    check_sign(KR_EC, 256, "ECDSA-SHA256", EVP_sha256());
    check_sign(KR_EC, 384, "ECDSA-SHA384", EVP_sha384());
}

TEST(without_a_private_key_nothing_is_signed)
{
    struct kr_label label = {.label = "L"};
    const char *algorithm = "none";
    uint8_t sig[1024];
    size_t n = 3;

    CHECK_RC(kr_sign(&label, message, &algorithm, sig, sizeof sig, &n), KLM_E_NOTFOUND);
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &label.key));
    CHECK_RC(kr_sign(&label, message, &algorithm, sig, sizeof sig, &n), KLM_E_NOTFOUND);
    CHECK_STR(algorithm, "none");
    CHECK_INT(n, 3);
    kr_key_free(&label.key);
}
