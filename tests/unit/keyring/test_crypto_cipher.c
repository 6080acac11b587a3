/* Encrypt and Decrypt: vectors of the standards and of plain Python, every row of the tables, IVs, paddings and tags, and what is refused. */
#include "crypt.h"

#include <openssl/provider.h>

/* ---- Vectors of the standards */

static const struct published {
    const char *source;
    uint32_t algorithm, mode, padding;
    const char *key, *iv, *aad, *data, *out, *tag;
} published[] = {
    {"FIPS 197, C.3", ALG(AES), MODE(ECB), 0,
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "", "",
     "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089", ""},
    {"SP 800-38A, F.2.1", ALG(AES), MODE(CBC), 0, "2b7e151628aed2a6abf7158809cf4f3c",
     "000102030405060708090a0b0c0d0e0f", "",
     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2", ""},
    {"SP 800-38A, F.3.13", ALG(AES), MODE(CFB), 0, "2b7e151628aed2a6abf7158809cf4f3c",
     "000102030405060708090a0b0c0d0e0f", "",
     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b", ""},
    {"SP 800-38A, F.4.1", ALG(AES), MODE(OFB), 0, "2b7e151628aed2a6abf7158809cf4f3c",
     "000102030405060708090a0b0c0d0e0f", "",
     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825", ""},
    {"SP 800-38A, F.5.1", ALG(AES), MODE(CTR), 0, "2b7e151628aed2a6abf7158809cf4f3c",
     "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "",
     "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
     "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff", ""},
    {"GCM (McGrew, Viega), test case 4", ALG(AES), MODE(GCM), 0, "feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84a"
     "a051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {"SP 800-38C, example 1", ALG(AES), MODE(CCM), 0, "404142434445464748494a4b4c4d4e4f",
     "10111213141516", "0001020304050607", "20212223", "7162015b", "4dac255d"},
    {"IEEE 1619, vector 2", ALG(AES), MODE(XTS), 0,
     "1111111111111111111111111111111122222222222222222222222222222222",
     "33333333330000000000000000000000", "",
     "4444444444444444444444444444444444444444444444444444444444444444",
     "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0", ""},
    {"RFC 3394, 4.1", ALG(AES), MODE(NISTKeyWrap), 0, "000102030405060708090a0b0c0d0e0f", "", "",
     "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", ""},
    {"RFC 5649, 6", ALG(AES), MODE(AESKeyWrapPadding), 0,
     "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "", "", "466f7250617369",
     "afbeb0f07dfbf5419200f2ccb50bb24f", ""},
    {"RFC 3713, appendix A", ALG(Camellia), MODE(ECB), 0, "0123456789abcdeffedcba9876543210", "",
     "", "0123456789abcdeffedcba9876543210", "67673138549669730857065648eabe43", ""},
    {"RFC 5794, A.1", ALG(ARIA), MODE(ECB), 0, "000102030405060708090a0b0c0d0e0f", "", "",
     "00112233445566778899aabbccddeeff", "d718fbd6ab644c739da95f3be6451778", ""},
    {"GB/T 32907, A.1", ALG(SM4), MODE(ECB), 0, "0123456789abcdeffedcba9876543210", "", "",
     "0123456789abcdeffedcba9876543210", "681edf34d206965e86b3e94f536e4246", ""},
    {"SP 800-67, B.1", ALG(DES3), MODE(ECB), 0, "0123456789abcdef23456789abcdef01456789abcdef0123",
     "", "", "5468652071756663", "a826fd8ce53b855f", ""},
    {"RFC 8439, 2.8.2", ALG(ChaCha20Poly1305), 0, 0,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492"
     "0636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f72207468652066757475"
     "72652c2073756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da927"
     "28b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
     "5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

/* Both ways; the tag apart. */
static void both_ways(const struct kr_material *key, const struct kr_crypt *how,
                      const struct kr_cipher_in *in, struct klm_slice expected,
                      struct klm_slice tag)
{
    struct kr_cipher_out out = {0};
    struct kr_cipher_in back = *in;

    CHECK_RC(kr_encrypt(key, how, in, test_pool(), &out), KLM_OK);
    CHECK_SLICE(out.data, expected);
    CHECK_SLICE(out.tag, tag);
    CHECK_INT(out.iv.n, 0);
    back.data = expected;
    back.tag = tag;
    out = (struct kr_cipher_out){0};
    CHECK_RC(kr_decrypt(key, how, &back, test_pool(), &out), KLM_OK);
    if (how->padding == PAD(Zeros)) {
        CHECK(out.data.n >= in->data.n && out.data.n - in->data.n < 16); /* it stays */
        out.data.n = in->data.n;
    }
    CHECK_SLICE(out.data, in->data);
    CHECK_INT(out.tag.n, 0);
}

TEST(vectors_of_the_standards_come_out)
{
    for (size_t i = 0; i < KLM_COUNT(published); i++) {
        const struct published *v = &published[i];
        KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(v->algorithm, hex(v->key));

        both_ways(
            key,
            HOW(.mode = v->mode, .padding = v->padding, .tag_length = (uint32_t)strlen(v->tag) / 2),
            IN(.data = hex(v->data), .iv = hex(v->iv), .aad = hex(v->aad)), hex(v->out),
            hex(v->tag));
    }
}

/* ---- Vectors of plain Python: every row */

static bool legacy; /* what to look at */

static void check_cipher_line(char *const f[FIELDS])
{
    struct cipher_line line = cipher_line(f);
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(line.algorithm, line.key);

    if (is_legacy(line.algorithm) == legacy) {
        both_ways(key, &line.how, &line.in, line.out, line.tag);
    }
}

TEST(every_cipher_gives_what_plain_python_gives)
{
    CHECK(vectors("cipher", check_cipher_line) > 200);
}

/* Lines by algorithm, key length and mode. */
static struct {
    uint32_t algorithm;
    size_t key;
    uint32_t modes;
} seen[64];

static void note_cipher_line(char *const f[FIELDS])
{
    struct cipher_line line = cipher_line(f);
    uint32_t mode = line.algorithm == ALG(ChaCha20Poly1305) ? (uint32_t)MODE(AEAD) : line.how.mode;

    for (size_t i = 0; i < KLM_COUNT(seen); i++) {
        if (!seen[i].algorithm ||
            (seen[i].algorithm == line.algorithm && seen[i].key == line.key.n)) {
            seen[i].algorithm = line.algorithm;
            seen[i].key = line.key.n;
            seen[i].modes |= 1u << mode;
            return;
        }
    }
    REQUIRE(false);
}

static uint32_t modes_seen(uint32_t algorithm, size_t key)
{
    uint32_t modes = 0;

    for (size_t i = 0; i < KLM_COUNT(seen); i++) {
        if (seen[i].algorithm == algorithm && (key == 0 || seen[i].key == key)) {
            modes |= seen[i].modes;
        }
    }
    return modes;
}

TEST(no_row_of_the_table_is_without_a_vector)
{
#define KMIP_BlockCipherMode_NONE 0
#define M(name) (1u << KMIP_BlockCipherMode_##name)
#define BLOCKS (M(CBC) | M(ECB) | M(PCBC) | M(CFB) | M(OFB))
#define WRAPS (M(NISTKeyWrap) | M(AESKeyWrapPadding))
    static const struct {
        uint32_t algorithm;
        size_t key;
        const char *name;
        uint32_t modes;
    } rows[] = {
#define KR_CIPHER(algorithm, key, name, modes) {ALG(algorithm), key, name, modes},
#include "keyring/crypto_ciphers.def"
#undef KR_CIPHER
    };

    CHECK(vectors("cipher", note_cipher_line) > 200);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK_INT(rows[i].modes & ~modes_seen(rows[i].algorithm, rows[i].key), 0);
    }
}

static void check_unsupported(char *const f[FIELDS])
{
    struct cipher_line line = cipher_line(f);
    struct kr_cipher_out out = {0};

    if (is_legacy(line.algorithm)) {
        KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(line.algorithm, line.key);

        CHECK_RC(kr_encrypt(key, &line.how, &line.in, test_pool(), &out), KLM_E_UNSUPPORTED);
        CHECK(out.data.p == NULL);
    }
}

TEST(ciphers_of_the_legacy_provider_are_there_while_it_is_loaded)
{
    OSSL_PROVIDER *other, *usual;

    (void)vectors("cipher", check_unsupported);
    other = OSSL_PROVIDER_load(NULL, "legacy");
    usual = OSSL_PROVIDER_load(NULL, "default"); /* it is no longer loaded by itself */
    REQUIRE(usual != NULL);
    if (other) {
        KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(CAST5), bytes(1, 5));
        struct klm_slice whirlpool = {0};
        struct kr_cipher_out out = {0};

        legacy = true;
        (void)vectors("cipher", check_cipher_line);
        legacy = false;
        CHECK_RC(
            kr_encrypt(key, HOW(.mode = MODE(ECB)), IN(.data = bytes(0, 8)), test_pool(), &out),
            KLM_OK); /* 40 bits */
        CHECK_RC(kr_hash(HASH(Whirlpool), klm_slice_str("abc"), test_pool(), &whirlpool),
                 KLM_OK); /* ISO/IEC 10118-3 */
        CHECK_SLICE(whirlpool,
                    hex("4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c7181eebdb6"
                        "c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5"));
    } else { /* not installed */
        (void)vectors("cipher", check_unsupported);
    }
}

/* ---- IVs */

#define AES_KEY "000102030405060708090a0b0c0d0e0f"
static const uint32_t with_iv[] = {MODE(CBC), MODE(PCBC), MODE(CFB), MODE(OFB),
                                   MODE(CTR), MODE(GCM),  MODE(CCM)};

TEST(an_iv_that_is_missing_is_an_outcome_of_its_own)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(kr_material_free) struct kr_material *chacha = symmetric(ALG(ChaCha20), bytes(1, 32));
    struct kr_cipher_out out = {0};

    for (size_t i = 0; i < KLM_COUNT(with_iv); i++) {
        CHECK_RC(
            kr_encrypt(key, HOW(.mode = with_iv[i]), IN(.data = bytes(0, 16)), test_pool(), &out),
            KLM_E_SHORT);
        CHECK_RC(kr_decrypt(key, HOW(.mode = with_iv[i]),
                            IN(.data = bytes(0, 16), .tag = bytes(0, 16)), test_pool(), &out),
                 KLM_E_SHORT);
        /* A random one helps nobody who decrypts. */
        CHECK_RC(kr_decrypt(key, HOW(.mode = with_iv[i], .random_iv = true),
                            IN(.data = bytes(0, 16)), test_pool(), &out),
                 KLM_E_SHORT);
    }
    CHECK_RC(kr_encrypt(chacha, HOW(.mode = 0), IN(.data = bytes(0, 16)), test_pool(), &out),
             KLM_E_SHORT);
    CHECK_RC(
        kr_encrypt(chacha, HOW(.mode = MODE(AEAD)), IN(.data = bytes(0, 16)), test_pool(), &out),
        KLM_E_SHORT);
    CHECK(out.data.p == NULL);
}

static void check_random_iv(uint32_t algorithm, size_t key_n, uint32_t mode, size_t iv_n)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(algorithm, bytes(7, key_n));
    struct kr_cipher_out a = {0}, b = {0}, back = {0};
    const struct kr_crypt *how = HOW(.mode = mode, .random_iv = true);
    struct klm_slice data = bytes(9, 48);

    CHECK_RC(kr_encrypt(key, how, IN(.data = data), test_pool(), &a), KLM_OK);
    CHECK_RC(kr_encrypt(key, how, IN(.data = data), test_pool(), &b), KLM_OK);
    CHECK_INT(a.iv.n, iv_n);
    CHECK(!klm_slice_equal(a.iv, b.iv));
    CHECK(!klm_slice_equal(a.data, b.data));
    CHECK_RC(kr_decrypt(key, how, IN(.data = a.data, .iv = a.iv, .tag = a.tag), test_pool(), &back),
             KLM_OK);
    CHECK_SLICE(back.data, data);
}

TEST(a_random_iv_is_new_each_time_and_decrypts)
{
    for (size_t i = 0; i < KLM_COUNT(with_iv); i++) {
        check_random_iv(ALG(AES), 16, with_iv[i],
                        with_iv[i] == MODE(GCM) || with_iv[i] == MODE(CCM) ? 12 : 16);
    }
    check_random_iv(ALG(DES3), 24, MODE(CBC), 8);
    check_random_iv(ALG(DES3), 24, MODE(PCBC), 8);
    check_random_iv(ALG(ChaCha20), 32, 0, 12);
    check_random_iv(ALG(ChaCha20Poly1305), 32, 0, 12);
}

TEST(a_given_iv_is_used_although_a_random_one_is_asked_for)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    struct kr_cipher_out a = {0}, b = {0};
    struct kr_cipher_in in = {.data = bytes(1, 16), .iv = bytes(2, 16)};

    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC), .random_iv = true), &in, test_pool(), &a),
             KLM_OK);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC)), &in, test_pool(), &b), KLM_OK);
    CHECK_SLICE(a.data, b.data);
    CHECK_INT(a.iv.n, 0);
}

TEST(an_iv_has_a_length_that_the_mode_allows)
{
    static const struct {
        uint32_t mode, allowed; /* bit n: n bytes, of 1 to 17 */
    } rows[] = {{MODE(CBC), 1u << 16},
                {MODE(PCBC), 1u << 16},
                {MODE(CFB), 1u << 16},
                {MODE(OFB), 1u << 16},
                {MODE(CTR), 1u << 16 | 0x1f00},
                {MODE(GCM), 0x3fffe},
                {MODE(CCM), 0x3f80},
                {MODE(ECB), 0x3fffe}, /* it has none, and no use for one */
                {MODE(NISTKeyWrap), 1u << 8},
                {MODE(AESKeyWrapPadding), 1u << 4}};
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        for (size_t n = 1; n <= 17; n++) {
            struct kr_cipher_out out = {0};

            CHECK_RC(kr_encrypt(key, HOW(.mode = rows[i].mode),
                                IN(.data = bytes(0, 16), .iv = bytes(3, n)), test_pool(), &out),
                     rows[i].allowed >> n & 1 ? KLM_OK : KLM_E_INVALID);
        }
    }
}

TEST(an_iv_length_is_bits_and_holds)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    struct kr_cipher_in in = {.data = bytes(0, 16), .iv = bytes(1, 12)};
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 96), &in, test_pool(), &out),
             KLM_OK);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 128), &in, test_pool(), &out),
             KLM_E_INVALID);
    in.iv = NONE;
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 128, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.iv.n, 16);
    CHECK_RC(kr_encrypt(key,
                        HOW(.mode = MODE(GCM), .fixed_field_length = 32,
                            .invocation_field_length = 64, .random_iv = true),
                        &in, test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.iv.n, 12);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 64, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_E_INVALID); /* SP 800-38D, 8.2.2 */
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 100, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = 1032, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM), .iv_length = UINT32_MAX, .random_iv = true),
                        &in, test_pool(), &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC), .iv_length = 96, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR), .counter_length = 32, .random_iv = true), &in,
                        test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.iv.n, 12);
    CHECK_RC(kr_encrypt(key,
                        HOW(.mode = MODE(CTR), .counter_length = UINT32_MAX, .random_iv = true),
                        &in, test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.iv.n, 16); /* no room for such a counter */
}

/* RFC 3686, 6, test vector 2: nonce, IV and a counter that begins with 1. */
TEST(a_counter_follows_the_iv_in_the_block)
{
    KLM_AUTO(kr_material_free)
    struct kr_material *key = symmetric(ALG(AES), hex("7e24067817fae0d743d6ce1f32539163"));
    struct klm_slice nonce = hex("006cb6dbc0543b59da48d90b");
    struct klm_slice data = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    struct klm_slice out = hex("5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28");
    struct kr_cipher_out got = {0}, other = {0};

    both_ways(key, HOW(.mode = MODE(CTR), .initial_counter = 1), IN(.data = data, .iv = nonce), out,
              NONE);
    both_ways(key,
              HOW(.mode = MODE(CTR), .initial_counter = 1, .counter_length = 32, .iv_length = 96),
              IN(.data = data, .iv = nonce), out, NONE);
    both_ways(key, HOW(.mode = MODE(CTR), .initial_counter = 9),
              IN(.data = data, .iv = hex("006cb6dbc0543b59da48d90b00000001")), out, NONE);
    CHECK_RC(
        kr_encrypt(key, HOW(.mode = MODE(CTR)), IN(.data = data, .iv = nonce), test_pool(), &got),
        KLM_OK);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR)),
                        IN(.data = data, .iv = hex("006cb6dbc0543b59da48d90b00000000")),
                        test_pool(), &other),
             KLM_OK);
    CHECK_SLICE(got.data, other.data); /* when nothing is said it begins with 0 */
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR), .counter_length = 64),
                        IN(.data = data, .iv = nonce), test_pool(), &got),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR), .initial_counter = -2),
                        IN(.data = data, .iv = nonce), test_pool(), &got),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR), .initial_counter = (int64_t)1 << 31),
                        IN(.data = data, .iv = nonce), test_pool(), &got),
             KLM_E_INVALID);
}

/* RFC 8439, 2.4.2; the last is what the first years of ChaCha had, with a nonce of 64 bits (draft-strombergson-chacha-test-vectors, TC1 for 256 bits). */
TEST(chacha20_takes_nonces_of_three_lengths)
{
    KLM_AUTO(kr_material_free)
    struct kr_material *key = symmetric(
        ALG(ChaCha20), hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
    KLM_AUTO(kr_material_free) struct kr_material *zero = symmetric(ALG(ChaCha20), bytes(0, 32));
    struct klm_slice data =
        klm_slice_str("Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
                      "for the future, sunscreen would be it.");
    struct klm_slice out = hex("6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91"
                               "b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8"
                               "07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af"
                               "90bbf74a35be6b40b8eedf2785e42874d");

    both_ways(key, HOW(.initial_counter = 1),
              IN(.data = data, .iv = hex("000000000000004a00000000")), out, NONE);
    both_ways(key, HOW(.mode = 0), IN(.data = data, .iv = hex("01000000000000000000004a00000000")),
              out, NONE);
    both_ways(zero, HOW(.mode = 0), IN(.data = bytes(0, 32), .iv = bytes(0, 8)),
              hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"), NONE);
}

TEST(a_key_of_chacha20_serves_both_algorithms)
{
    struct klm_slice iv = bytes(1, 12), data = bytes(2, 70);
    KLM_AUTO(kr_material_free) struct kr_material *plain = symmetric(ALG(ChaCha20), bytes(3, 32));
    KLM_AUTO(kr_material_free)
    struct kr_material *aead = symmetric(ALG(ChaCha20Poly1305), bytes(3, 32));
    struct kr_cipher_out a = {0}, b = {0}, c = {0}, d = {0};

    CHECK_RC(
        kr_encrypt(plain, HOW(.mode = MODE(AEAD)), IN(.data = data, .iv = iv), test_pool(), &a),
        KLM_OK);
    CHECK_RC(kr_encrypt(plain, HOW(.algorithm = ALG(ChaCha20Poly1305)), IN(.data = data, .iv = iv),
                        test_pool(), &b),
             KLM_OK);
    CHECK_RC(kr_encrypt(aead, HOW(.mode = 0), IN(.data = data, .iv = iv), test_pool(), &c), KLM_OK);
    CHECK_SLICE(a.data, b.data);
    CHECK_SLICE(a.data, c.data);
    CHECK_SLICE(a.tag, c.tag);
    CHECK_INT(a.tag.n, 16);
    CHECK_RC(kr_encrypt(aead, HOW(.algorithm = ALG(ChaCha20)), IN(.data = data, .iv = iv),
                        test_pool(), &d),
             KLM_OK);
    CHECK_INT(d.tag.n, 0);
}

/* ---- Paddings */

static const uint32_t removed[] = {PAD(PKCS5), PAD(SSL3), PAD(ANSIX9_23), PAD(ISO10126)};

TEST(paddings_go_on_and_come_off_at_every_length)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(kr_material_free) struct kr_material *des = symmetric(ALG(DES3), bytes(5, 16));

    for (size_t n = 0; n < 2 * 33 * KLM_COUNT(removed); n++) {
        struct kr_material *with = n % 2 ? key : des;
        size_t block = n % 2 ? 16 : 8, length = n / 2 % 33;
        const struct kr_crypt *how = HOW(.mode = MODE(CBC), .padding = removed[n / 66]);
        struct kr_cipher_in in = {.data = bytes((uint8_t)n, length), .iv = bytes(1, block)};
        struct kr_cipher_out out = {0}, back = {0};

        CHECK_RC(kr_encrypt(with, how, &in, test_pool(), &out), KLM_OK);
        CHECK_INT(out.data.n, (length / block + 1) * block);
        in.data = out.data;
        CHECK_RC(kr_decrypt(with, how, &in, test_pool(), &back), KLM_OK);
        CHECK_SLICE(back.data, bytes((uint8_t)n, length));
    }
}

/* The outcome for a last block of that clear content. */
static klm_rc unpadded(uint32_t padding, struct klm_slice block, struct klm_slice *data)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    struct kr_cipher_out out = {0}, back = {0};
    klm_rc rc;

    REQUIRE_OK(kr_encrypt(key, HOW(.mode = MODE(ECB)), IN(.data = block), test_pool(), &out));
    rc = kr_decrypt(key, HOW(.mode = MODE(ECB), .padding = padding), IN(.data = out.data),
                    test_pool(), &back);
    *data = back.data;
    return rc;
}

TEST(a_padding_that_is_wrong_in_any_byte_is_refused_in_one_way)
{
    static const struct {
        uint32_t padding;
        const char *block;
        int left; /* -1: refused */
    } rows[] = {
        {PAD(PKCS5), "00000000000000000000000000000001", 15},
        {PAD(PKCS5), "00000000000000000000000003030303", 13},
        {PAD(PKCS5), "10101010101010101010101010101010", 0},
        {PAD(PKCS5), "00000000000000000000000000000000", -1},
        {PAD(PKCS5), "11111111111111111111111111111111", -1},
        {PAD(PKCS5), "000000000000000000000000000000ff", -1},
        {PAD(PKCS5), "00000000000000000000000000020303", -1},
        {PAD(PKCS5), "00000000000000000000000000000002", -1},
        {PAD(PKCS5), "0f101010101010101010101010101010", -1},
        {PAD(PKCS5), "10101010101010100010101010101010", -1},
        {PAD(ANSIX9_23), "11111111111111111111111111000003", 13},
        {PAD(ANSIX9_23), "11111111111111111111111111010003", -1},
        {PAD(ANSIX9_23), "00000000000000000000000000000010", 0},
        {PAD(ANSIX9_23), "00000000000000000000000000000000", -1},
        {PAD(ANSIX9_23), "00000000000000000000000000000011", -1},
        {PAD(ISO10126), "11111111111111111111111111abcd03", 13},
        {PAD(ISO10126), "11111111111111111111111111abcd00", -1},
        {PAD(ISO10126), "11111111111111111111111111abcd11", -1},
        {PAD(ISO10126), "11111111111111111111111111abcd10", 0},
        {PAD(SSL3), "11111111111111111111111111abcd02", 13},
        {PAD(SSL3), "11111111111111111111111111abcd00", 15},
        {PAD(SSL3), "11111111111111111111111111abcd0f", 0},
        {PAD(SSL3), "11111111111111111111111111abcd10", -1},
        {PAD(SSL3), "111111111111111111111111111111ff", -1},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct klm_slice data = {0}, block = hex(rows[i].block);

        CHECK_RC(unpadded(rows[i].padding, block, &data), rows[i].left < 0 ? KLM_E_CRYPTO : KLM_OK);
        if (rows[i].left >= 0) {
            CHECK_SLICE(data, KLM_SLICE(block.p, (size_t)rows[i].left));
        } else {
            CHECK(data.p == NULL);
        }
    }
}

TEST(iso_10126_padding_is_random)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    const struct kr_crypt *how = HOW(.mode = MODE(ECB), .padding = PAD(ISO10126));
    struct kr_cipher_out a = {0}, b = {0};

    CHECK_RC(kr_encrypt(key, how, IN(.data = NONE), test_pool(), &a), KLM_OK);
    CHECK_RC(kr_encrypt(key, how, IN(.data = NONE), test_pool(), &b), KLM_OK);
    CHECK_INT(a.data.n, 16);
    CHECK(!klm_slice_equal(a.data, b.data));
}

TEST(data_that_fills_no_block_is_refused)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(kr_material_free)
    struct kr_material *twice = symmetric(ALG(AES), hex(AES_KEY AES_KEY));
    KLM_AUTO(kr_material_free)
    struct kr_material *xts = symmetric(ALG(AES), hex(AES_KEY "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
    struct kr_cipher_out out = {0};
    static const uint32_t blocks[] = {MODE(CBC), MODE(ECB), MODE(PCBC)};

    for (size_t i = 0; i < KLM_COUNT(blocks); i++) {
        for (size_t n = 0; n <= 33; n++) {
            struct kr_cipher_in in = {.data = bytes(0, n), .iv = bytes(0, 16)};
            klm_rc whole = n % 16 ? KLM_E_INVALID : KLM_OK;

            CHECK_RC(kr_encrypt(key, HOW(.mode = blocks[i]), &in, test_pool(), &out), whole);
            CHECK_RC(kr_encrypt(key, HOW(.mode = blocks[i], .padding = PAD(None)), &in, test_pool(),
                                &out),
                     whole);
            CHECK_RC(kr_decrypt(key, HOW(.mode = blocks[i]), &in, test_pool(), &out), whole);
            CHECK_RC(kr_decrypt(key, HOW(.mode = blocks[i], .padding = PAD(Zeros)), &in,
                                test_pool(), &out),
                     whole);
            if (n % 16 || n == 0) {
                CHECK_RC(kr_decrypt(key, HOW(.mode = blocks[i], .padding = PAD(PKCS5)), &in,
                                    test_pool(), &out),
                         KLM_E_INVALID);
            }
        }
        CHECK_RC(kr_encrypt(key, HOW(.mode = blocks[i], .padding = PAD(OAEP)),
                            IN(.data = bytes(0, 16), .iv = bytes(0, 16)), test_pool(), &out),
                 KLM_E_UNSUPPORTED);
        CHECK_RC(kr_decrypt(key, HOW(.mode = blocks[i], .padding = 99),
                            IN(.data = bytes(0, 16), .iv = bytes(0, 16)), test_pool(), &out),
                 KLM_E_UNSUPPORTED);
    }
    CHECK_RC(kr_encrypt(xts, HOW(.mode = MODE(XTS)), IN(.data = bytes(0, 15), .iv = bytes(0, 16)),
                        test_pool(), &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(twice, HOW(.mode = MODE(XTS)), IN(.data = bytes(0, 16), .iv = bytes(0, 16)),
                        test_pool(), &out),
             KLM_E_INVALID); /* two keys that are one */
}

TEST(a_stream_mode_has_no_use_for_a_padding)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CTR), .padding = PAD(PKCS5)),
                        IN(.data = bytes(0, 5), .iv = bytes(0, 16)), test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.data.n, 5);
}

/* ---- Key wrap */

TEST(a_wrapping_that_was_changed_or_cut_does_not_unwrap)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    static const uint32_t wraps[] = {MODE(NISTKeyWrap), MODE(AESKeyWrapPadding)};

    for (size_t i = 0; i < KLM_COUNT(wraps); i++) {
        const struct kr_crypt *how = HOW(.mode = wraps[i]);
        struct kr_cipher_out out = {0}, back = {0};

        REQUIRE_OK(kr_encrypt(key, how, IN(.data = bytes(6, 32)), test_pool(), &out));
        for (size_t at = 0; at < out.data.n; at++) {
            uint8_t *changed = copy_of(out.data);

            changed[at] ^= 1;
            CHECK_RC(kr_decrypt(key, how, IN(.data = KLM_SLICE(changed, out.data.n)), test_pool(),
                                &back),
                     KLM_E_CRYPTO);
            CHECK_RC(
                kr_decrypt(key, how, IN(.data = KLM_SLICE(out.data.p, at)), test_pool(), &back),
                at % 8 || at < (i ? 16 : 24) ? KLM_E_INVALID : KLM_E_CRYPTO);
        }
        CHECK_RC(kr_decrypt(key, how, IN(.data = out.data, .iv = bytes(1, i ? 4 : 8)), test_pool(),
                            &back),
                 KLM_E_CRYPTO);
        CHECK(back.data.p == NULL);
    }
    for (size_t n = 0; n < 25; n++) {
        struct kr_cipher_out out = {0};

        CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(NISTKeyWrap)), IN(.data = bytes(0, n)),
                            test_pool(), &out),
                 n < 16 || n % 8 ? KLM_E_INVALID : KLM_OK);
        CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(AESKeyWrapPadding)), IN(.data = bytes(0, n)),
                            test_pool(), &out),
                 n ? KLM_OK : KLM_E_INVALID);
    }
}

/* ---- Tags */

struct aead {
    uint32_t algorithm;
    size_t key;
    uint32_t mode;
};
static const struct aead aeads[] = {{ALG(AES), 32, MODE(GCM)},
                                    {ALG(AES), 16, MODE(CCM)},
                                    {ALG(ARIA), 16, MODE(GCM)},
                                    {ALG(ARIA), 32, MODE(CCM)},
                                    {ALG(ChaCha20Poly1305), 32, 0}};

static void check_changes(const struct kr_material *key, const struct kr_crypt *how,
                          struct kr_cipher_in in)
{
    struct klm_slice *const parts[] = {&in.data, &in.iv, &in.aad, &in.tag};
    struct kr_cipher_out out = {0};

    for (size_t p = 0; p < KLM_COUNT(parts); p++) {
        struct klm_slice good = *parts[p];

        for (size_t bit = 0; bit < 8 * good.n; bit += 3) {
            uint8_t *bad = copy_of(good);

            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            parts[p]->p = bad;
            CHECK_RC(kr_decrypt(key, how, &in, test_pool(), &out), KLM_E_CRYPTO);
        }
        *parts[p] = good;
    }
    in.aad = NONE;
    CHECK_RC(kr_decrypt(key, how, &in, test_pool(), &out), KLM_E_CRYPTO);
    CHECK(out.data.p == NULL);
}

TEST(whatever_is_changed_the_tag_tells)
{
    for (size_t i = 0; i < KLM_COUNT(aeads); i++) {
        for (size_t n = 0; n <= 37; n += 37) {
            KLM_AUTO(kr_material_free)
            struct kr_material *key = symmetric(aeads[i].algorithm, bytes(1, aeads[i].key));
            const struct kr_crypt *how = HOW(.mode = aeads[i].mode);
            struct kr_cipher_in in = {.data = bytes(2, n), .iv = bytes(3, 12), .aad = bytes(4, 20)};
            struct kr_cipher_out out = {0}, back = {0};

            REQUIRE_OK(kr_encrypt(key, how, &in, test_pool(), &out));
            in.data = out.data;
            in.tag = out.tag;
            CHECK_RC(kr_decrypt(key, how, &in, test_pool(), &back), KLM_OK);
            check_changes(key, how, in);
            in.tag = NONE;
            CHECK_RC(kr_decrypt(key, how, &in, test_pool(), &back), KLM_E_SHORT);
        }
    }
}

TEST(what_a_wrong_tag_left_in_the_pool_is_wiped)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_cipher_in in = {.data = bytes('S', 32), .iv = bytes(3, 12)};
    struct kr_cipher_out out = {0};
    uint8_t *before, *after;

    REQUIRE_OK(kr_encrypt(key, HOW(.mode = MODE(GCM)), &in, test_pool(), &out));
    in.data = out.data;
    in.tag = bytes(0, 16);
    REQUIRE_OK(klm_pool_new_wiping(0, &pool));
    before = klm_pool_alloc(pool, 16);
    CHECK_RC(kr_decrypt(key, HOW(.mode = MODE(GCM)), &in, pool, &out), KLM_E_CRYPTO);
    after = klm_pool_alloc(pool, 16);
    REQUIRE(before && after && after > before);
    for (uint8_t *p = before; p < after; p++) {
        CHECK(*p != 'S');
    }
}

TEST(a_tag_has_a_length_that_the_mode_allows)
{
    static const struct {
        uint32_t algorithm, mode, allowed;
    } rows[] = {{ALG(AES), MODE(GCM), 0x1f110},
                {ALG(AES), MODE(CCM), 0x15550},
                {ALG(ChaCha20Poly1305), 0, 0x10000}};

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        KLM_AUTO(kr_material_free)
        struct kr_material *key = symmetric(rows[i].algorithm, bytes(1, 32));

        for (uint32_t n = 1; n <= 33; n++) {
            struct kr_cipher_in in = {.data = bytes(2, 20), .iv = bytes(3, 12)};
            struct kr_cipher_out out = {0}, back = {0};
            bool good = n < 32 && (rows[i].allowed >> n & 1);

            CHECK_RC(
                kr_encrypt(key, HOW(.mode = rows[i].mode, .tag_length = n), &in, test_pool(), &out),
                good ? KLM_OK : KLM_E_LIMIT);
            CHECK_INT(out.tag.n, good ? n : 0);
            in.data = out.data;
            in.tag = good ? out.tag : bytes(0, n);
            CHECK_RC(kr_decrypt(key, HOW(.mode = rows[i].mode), &in, test_pool(), &back),
                     good ? KLM_OK : KLM_E_LIMIT);
            CHECK_RC(kr_decrypt(key, HOW(.mode = rows[i].mode, .tag_length = 16), &in, test_pool(),
                                &back),
                     n == 16 ? KLM_OK : KLM_E_INVALID); /* said and given are not the same */
        }
    }
}

/* SP 800-38D, 7.1: a tag is the first bytes of the whole one. */
TEST(a_tag_cut_to_an_allowed_length_is_a_tag)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(0, 16));
    struct kr_cipher_in in = {.data = hex("0388dace60b6a392f328c2b971b2fe78"),
                              .iv = bytes(0, 12),
                              .tag =
                                  hex("ab6e47d42cec13bdf53a67b21257bddf")}; /* GCM's test case 2 */
    struct kr_cipher_out out = {0};

    in.tag.n = 12;
    CHECK_RC(kr_decrypt(key, HOW(.mode = MODE(GCM), .tag_length = 12), &in, test_pool(), &out),
             KLM_OK);
    CHECK_SLICE(out.data, bytes(0, 16));
    in.tag.n = 5;
    CHECK_RC(kr_decrypt(key, HOW(.mode = MODE(GCM)), &in, test_pool(), &out), KLM_E_LIMIT);
}

TEST(gmac_is_gcm_of_no_data)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(0, 16));
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM)), IN(.iv = bytes(0, 12)), test_pool(), &out),
             KLM_OK);
    CHECK_INT(out.data.n, 0);
    CHECK_SLICE(out.tag, hex("58e2fccefa7e3061367f1d57a4e7455a")); /* GCM's test case 1 */
}

TEST(additional_data_or_a_tag_that_nobody_checks_is_refused)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(kr_material_free)
    struct kr_material *xts = symmetric(ALG(AES), hex(AES_KEY "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
    static const uint32_t modes[] = {MODE(CBC), MODE(ECB), MODE(CTR), MODE(XTS), MODE(NISTKeyWrap)};

    for (size_t i = 0; i < KLM_COUNT(modes); i++) {
        struct kr_material *with = modes[i] == MODE(XTS) ? xts : key;
        struct klm_slice iv = modes[i] == MODE(NISTKeyWrap) ? NONE : bytes(0, 16);
        struct kr_cipher_out out = {0};

        CHECK_RC(kr_encrypt(with, HOW(.mode = modes[i]), IN(.data = bytes(0, 16), .iv = iv),
                            test_pool(), &out),
                 KLM_OK);
        CHECK_RC(kr_encrypt(with, HOW(.mode = modes[i]),
                            IN(.data = bytes(0, 16), .iv = iv, .aad = bytes(0, 1)), test_pool(),
                            &out),
                 KLM_E_INVALID);
        CHECK_RC(kr_decrypt(with, HOW(.mode = modes[i]),
                            IN(.data = bytes(0, 16), .iv = iv, .tag = bytes(0, 16)), test_pool(),
                            &out),
                 KLM_E_INVALID);
    }
}

/* ---- Keys and parameters that do not fit */

TEST(a_cipher_needs_its_mode_and_its_key)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(kr_material_free) struct kr_material *odd = symmetric(ALG(AES), bytes(1, 15));
    KLM_AUTO(kr_material_free) struct kr_material *unnamed = symmetric(0, hex(AES_KEY));
    struct kr_cipher_in in = {.data = bytes(0, 16), .iv = bytes(0, 16)};
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(key, HOW(.mode = 0), &in, test_pool(), &out), KLM_E_INVALID);
    CHECK_RC(
        kr_encrypt(key, HOW(.mode = MODE(CBC), .algorithm = ALG(DES3)), &in, test_pool(), &out),
        KLM_E_INVALID);
    CHECK_RC(
        kr_encrypt(key, HOW(.mode = MODE(CBC), .algorithm = ALG(Camellia)), &in, test_pool(), &out),
        KLM_E_INVALID);
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC), .algorithm = ALG(AES)), &in, test_pool(), &out),
             KLM_OK);
    CHECK_RC(kr_encrypt(unnamed, HOW(.mode = MODE(CBC)), &in, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(
        kr_encrypt(unnamed, HOW(.mode = MODE(CBC), .algorithm = ALG(AES)), &in, test_pool(), &out),
        KLM_OK);
    CHECK_RC(kr_encrypt(odd, HOW(.mode = MODE(CBC)), &in, test_pool(), &out), KLM_E_UNSUPPORTED);
    static const uint32_t none[] = {MODE(CMAC),
                                    MODE(CBC_MAC),
                                    MODE(X9_102AESKW),
                                    MODE(X9_102TDKW),
                                    MODE(X9_102AKW1),
                                    MODE(X9_102AKW2),
                                    MODE(AEAD),
                                    0x13,
                                    32,
                                    0x80000001,
                                    UINT32_MAX};
    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        CHECK_RC(kr_encrypt(key, HOW(.mode = none[i]), &in, test_pool(), &out), KLM_E_UNSUPPORTED);
    }
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(XTS)), &in, test_pool(), &out),
             KLM_E_UNSUPPORTED); /* it takes two keys */
}

TEST(wrapped_keys_and_other_objects_encrypt_nothing)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_SymmetricKey,
                                    .format = KMIP_KeyFormatType_Raw,
                                    .algorithm = ALG(AES),
                                    .wrapped = true};
    KLM_AUTO(kr_material_free) struct kr_material *wrapped = NULL;
    KLM_AUTO(kr_material_free)
    struct kr_material *opaque = key_of(KMIP_ObjectType_OpaqueObject, 0, 0, hex(AES_KEY));
    struct kr_cipher_in in = {.data = bytes(0, 16), .iv = bytes(0, 16)};
    struct kr_cipher_out out = {0};

    REQUIRE_OK(kr_material_new(&spec, hex(AES_KEY), &wrapped));
    CHECK_RC(kr_encrypt(wrapped, HOW(.mode = MODE(CBC)), &in, test_pool(), &out), KLM_E_STATE);
    CHECK_RC(
        kr_encrypt(opaque, HOW(.mode = MODE(CBC), .algorithm = ALG(AES)), &in, test_pool(), &out),
        KLM_E_UNSUPPORTED);
}

TEST(more_than_the_limit_is_not_looked_at)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), hex(AES_KEY));
    KLM_AUTO(klm_pool_free) struct klm_pool *small = NULL;
    struct kr_cipher_in in = {.data = {hex(AES_KEY).p, KR_CRYPT_MAX + 1}, .iv = bytes(0, 16)};
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC)), &in, test_pool(), &out), KLM_E_LIMIT);
    in = (struct kr_cipher_in){
        .data = bytes(0, 16), .iv = bytes(0, 12), .aad = {hex(AES_KEY).p, KR_CRYPT_MAX + 1}};
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(GCM)), &in, test_pool(), &out), KLM_E_LIMIT);
    REQUIRE_OK(klm_pool_new_wiping(64, &small));
    in = (struct kr_cipher_in){.data = bytes(0, 64), .iv = bytes(0, 16)};
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CBC)), &in, small, &out), KLM_E_NOMEM);
    /* SP 800-38C, 5.1: what the length field has no room for. */
    in = (struct kr_cipher_in){.data = bytes(0, 65536), .iv = bytes(0, 13)};
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CCM)), &in, test_pool(), &out), KLM_E_LIMIT);
    in.data.n--;
    CHECK_RC(kr_encrypt(key, HOW(.mode = MODE(CCM)), &in, test_pool(), &out), KLM_OK);
}
