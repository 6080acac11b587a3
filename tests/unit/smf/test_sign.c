/* Checkpoints: the bytes that are signed, and signatures made by the openssl command. */
#include "smf_test.h"

#include "smf/sign.h"

#include "sign_vectors.h"

/* The message of the vectors: chain "smf", server "TEST", number 12345, a value of 32 bytes from 0 to 31. */
static void message_of(uint64_t last, struct klm_buf *out)
{
    uint8_t value[SMF_HASH_SIZE];

    for (uint8_t i = 0; i < SMF_HASH_SIZE; i++) {
        value[i] = i;
    }
    klm_buf_init(out, 1000);
    REQUIRE_OK(smf_checkpoint_message("smf", "TEST", last, value, out));
}

static struct smf_signature signature_of(const struct vector *vector)
{
    struct smf_signature signature = {0};
    size_t n;

    snprintf(signature.algorithm, sizeof signature.algorithm, "%s", vector->algorithm);
    REQUIRE_OK(
        klm_unhex(vector->fingerprint, signature.fingerprint, sizeof signature.fingerprint, &n));
    REQUIRE_OK(klm_unhex(vector->signature, signature.bytes, sizeof signature.bytes, &signature.n));
    return signature;
}

TEST(the_message_is_its_parts_with_their_lengths)
{
    struct klm_buf buf;
    char hex[400];

    message_of(12345, &buf);
    klm_hex(buf.p, buf.n, hex);
    CHECK_STR(hex, MESSAGE_HEX); /* made with Python */
    klm_buf_done(&buf);
}

TEST(a_message_that_finds_no_room_leaves_the_buffer_alone)
{
    uint8_t value[SMF_HASH_SIZE] = {0};
    struct klm_buf buf;

    klm_buf_init(&buf, 50);
    klm_buf_text(&buf, "abc");
    CHECK_RC(smf_checkpoint_message("smf", "TEST", 1, value, &buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 3);
    klm_buf_done(&buf);
}

TEST(signatures_of_openssl_are_right_and_only_of_their_message)
{
    for (size_t i = 0; i < KLM_COUNT(vectors); i++) {
        struct smf_signature signature = signature_of(&vectors[i]);
        struct klm_slice cert = klm_slice_str(vectors[i].cert);
        struct klm_buf good, other;

        message_of(12345, &good);
        message_of(12346, &other);
        CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&good), cert), KLM_OK);
        CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&other), cert), KLM_E_CORRUPT);
        CHECK_RC(smf_signature_check(&signature, KLM_SLICE(good.p, good.n - 1), cert),
                 KLM_E_CORRUPT);
        signature.bytes[signature.n / 2] ^= 1;
        CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&good), cert), KLM_E_CORRUPT);
        signature.bytes[signature.n / 2] ^= 1;
        signature.n--;
        CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&good), cert), KLM_E_CORRUPT);
        signature.n = 0;
        CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&good), cert), KLM_E_CORRUPT);
        klm_buf_done(&good);
        klm_buf_done(&other);
    }
}

TEST(a_certificate_in_der_is_read_too_but_not_with_something_behind_it)
{
    struct smf_signature signature = signature_of(&vectors[1]);
    uint8_t der[2000];
    struct klm_buf message;
    size_t n;

    message_of(12345, &message);
    REQUIRE_OK(klm_unhex(vectors[1].der, der, sizeof der - 1, &n));
    CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&message), KLM_SLICE(der, n)),
             KLM_OK);
    der[n] = 0;
    CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&message), KLM_SLICE(der, n + 1)),
             KLM_E_INVALID);
    CHECK_RC(smf_signature_check(&signature, klm_buf_as_slice(&message), KLM_SLICE(der, n - 1)),
             KLM_E_INVALID);
    klm_buf_done(&message);
}

TEST(another_certificate_an_unknown_algorithm_and_the_wrong_kind_of_key_are_refused)
{
    struct smf_signature signature = signature_of(&vectors[1]);
    struct klm_slice cert = klm_slice_str(vectors[1].cert), message = KLM_SLICE("x", 1);

    CHECK_RC(smf_signature_check(&signature, message, klm_slice_str(vectors[0].cert)),
             KLM_E_INVALID);
    CHECK_RC(smf_signature_check(&signature, message, klm_slice_str("no certificate")),
             KLM_E_INVALID);
    CHECK_RC(smf_signature_check(&signature, message, KLM_SLICE(NULL, 0)), KLM_E_INVALID);
    CHECK_RC(smf_signature_check(&signature, message,
                                 klm_slice_str("-----BEGIN CERTIFICATE-----\nAAAA\n")),
             KLM_E_INVALID);
    snprintf(signature.algorithm, sizeof signature.algorithm, "RSA-PSS-SHA256");
    CHECK_RC(smf_signature_check(&signature, message, cert), KLM_E_INVALID);
    snprintf(signature.algorithm, sizeof signature.algorithm, "ECDSA-SHA512");
    CHECK_RC(smf_signature_check(&signature, message, cert), KLM_E_INVALID);
    memset(signature.algorithm, 'E', sizeof signature.algorithm); /* no end */
    CHECK_RC(smf_signature_check(&signature, message, cert), KLM_E_INVALID);
    signature = signature_of(&vectors[1]);
    signature.n = SMF_SIGNATURE_MAX + 1;
    CHECK_RC(smf_signature_check(&signature, message, cert), KLM_E_INVALID);
}
