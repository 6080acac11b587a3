/* A key and a certificate for tests of checkpoints, and how it signs. */
#ifndef TESTS_UNIT_SMF_KEY_TEST_H
#define TESTS_UNIT_SMF_KEY_TEST_H

#include "smf/sign.h"
#include "smf/smf_test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct key {
    EVP_PKEY *pkey;
    uint8_t fingerprint[SMF_FINGERPRINT_SIZE];
    char cert[300];
    bool missing;
    unsigned calls;
};

UNUSED static klm_rc sign(void *arg, struct klm_slice message, struct smf_signature *out)
{
    struct key *key = arg;
    struct smf_signature made = {.algorithm = "ECDSA-SHA256", .n = sizeof made.bytes};
    EVP_MD_CTX *md;

    key->calls++;
    if (key->missing) {
        return KLM_E_NOTFOUND;
    }
    md = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
          EVP_DigestSign(md, made.bytes, &made.n, message.p, message.n) == 1);
    EVP_MD_CTX_free(md);
    memcpy(made.fingerprint, key->fingerprint, sizeof made.fingerprint);
    *out = made;
    return KLM_OK;
}

UNUSED static void key_init(struct key *key)
{
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    unsigned n;
    FILE *file;

    *key = (struct key){.pkey = EVP_EC_gen("P-256")};
    REQUIRE(key->pkey != NULL);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, key->pkey);
    REQUIRE(X509_sign(x509, key->pkey, EVP_sha256()) > 0);
    REQUIRE(X509_digest(x509, EVP_sha256(), key->fingerprint, &n) == 1);
    snprintf(key->cert, sizeof key->cert, "%s", test_path("checkpoint.pem"));
    file = fopen(key->cert, "w");
    REQUIRE(file != NULL && PEM_write_X509(file, x509) == 1);
    fclose(file);
    X509_free(x509);
}

#endif
