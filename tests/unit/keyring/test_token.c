/* Key tokens: golden ones made by plain Python open, ours open in plain Python, and nothing that
 * was touched opens. */
#include "help.h"

#include <openssl/pem.h>

static struct klm_slice sealed(const struct kr_master *master, const char *label,
                               const struct kr_key *key)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_token_seal(master, label, key, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

static klm_rc opening(const struct kr_master *master, const char *label, struct klm_slice token)
{
    struct kr_key *key = NULL;
    klm_rc rc = kr_token_open(master, label, token, &key);

    CHECK((rc == KLM_OK) == (key != NULL));
    kr_key_free(&key);
    return rc;
}

static EVP_PKEY *golden_pub(const char *pem)
{
    struct klm_slice der, in = load(pem);
    const unsigned char *p;

    REQUIRE_OK(kr_cert_parse(in, test_pool(), &der, NULL));
    p = der.p;
    X509 *x509 = d2i_X509(NULL, &p, (long)der.n);
    REQUIRE(x509 != NULL);
    EVP_PKEY *pub = X509_get_pubkey(x509);
    X509_free(x509);
    return pub;
}

static void check_golden(const char *token, const char *label, const char *pem, struct kr_spec spec)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    struct kr_spec told = {0};
    EVP_PKEY *pub = golden_pub(pem);

    REQUIRE_OK(kr_token_spec(load(token), &told));
    CHECK_INT(told.type, spec.type);
    CHECK_INT(told.bits, spec.bits);
    REQUIRE_OK(kr_token_open(master, label, load(token), &key));
    CHECK_INT(kr_key_spec(key).type, spec.type);
    CHECK_INT(kr_key_spec(key).bits, spec.bits);
    CHECK_INT(EVP_PKEY_eq(kr_key_pkey(key), pub), 1);
    EVP_PKEY_free(pub);
    kr_key_free(&key);
    kr_master_free(&master);
}

TEST(tokens_made_by_plain_python_open)
{
    check_golden(GOLDEN "token-rsa2048.bin", "ITOPS.KLM20.CERT", GOLDEN "rsa2048.pem", RSA2048);
    check_golden(GOLDEN "token-ec256.bin", "EC.KEY.P256", GOLDEN "ec256.pem", P256);
    check_golden(GOLDEN "token-ec384.bin", "EC.KEY.P384", GOLDEN "ec384.pem", P384);
}

TEST(a_secret_key_made_by_plain_python_wraps_as_openssl_says)
{
    /* Key a0..bf under 00..1f: openssl enc -id-aes256-wrap. */
    static const char expected[] =
        "d29fa348b506fb7c8df0ad97bd22b94a3ec5a9cc74787fb26eb58ffc9d91387901c82b4370386891";
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    uint8_t kek[32], out[40];
    char hex[81];

    for (size_t i = 0; i < 32; i++) {
        kek[i] = (uint8_t)i;
    }
    REQUIRE_OK(kr_token_open(master, "AES.KEY", load(GOLDEN "token-aes256.bin"), &key));
    REQUIRE_OK(kr_wrap_session(key, kek, out));
    klm_hex(out, sizeof out, hex);
    CHECK_STR(hex, expected);
    kr_key_free(&key);
    kr_master_free(&master);
}

/* Our clear forms are what OpenSSL's own decoder and the public key say they are. */
static void check_read(struct kr_spec spec, int pkey_type)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    uint8_t clear[4096];
    const unsigned char *p = clear;
    size_t n = 0;

    REQUIRE_OK(kr_key_generate(&spec, &key));
    REQUIRE_OK(
        klm_unhex(python_opens(sealed(master, "A.KEY", key), "A.KEY"), clear, sizeof clear, &n));
    EVP_PKEY *pkey = d2i_PrivateKey(pkey_type, NULL, &p, (long)n);
    REQUIRE(pkey != NULL);
    CHECK(p == clear + n);
    CHECK_INT(EVP_PKEY_eq(pkey, kr_key_pkey(key)), 1);
    /* Encoded by OpenSSL the private part comes out the same, byte by byte. */
    unsigned char *der = NULL;
    CHECK_INT(i2d_PrivateKey(pkey, &der), n);
    CHECK_MEM(der, clear, n);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    kr_key_free(&key);
    kr_master_free(&master);
}

TEST(plain_python_opens_our_tokens_and_openssl_reads_the_keys_in_them)
{
    check_read((struct kr_spec){KR_RSA, 1024}, EVP_PKEY_RSA);
    check_read(P256, EVP_PKEY_EC);
    check_read(P384, EVP_PKEY_EC);
}

TEST(every_kind_of_key_comes_back_from_its_token)
{
    static const struct kr_spec specs[] = {{KR_AES, 128},  {KR_AES, 192}, {KR_AES, 256},
                                           {KR_RSA, 1032}, {KR_EC, 256},  {KR_EC, 384}};
    struct kr_master *master = master_of(0);

    for (size_t i = 0; i < KLM_COUNT(specs); i++) {
        struct kr_key *key = NULL, *again = NULL;

        REQUIRE_OK(kr_key_generate(&specs[i], &key));
        REQUIRE_OK(kr_token_open(master, "L", sealed(master, "L", key), &again));
        CHECK_INT(kr_key_spec(again).type, specs[i].type);
        CHECK_INT(kr_key_spec(again).bits, specs[i].bits);
        if (kr_key_pkey(key)) {
            CHECK_INT(EVP_PKEY_eq(kr_key_pkey(key), kr_key_pkey(again)), 1);
        }
        kr_key_free(&key);
        kr_key_free(&again);
    }
    kr_master_free(&master);
}

TEST(the_largest_key_fits_a_token)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL, *again = NULL;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_RSA, 4096}, &key));
    REQUIRE_OK(kr_token_open(master, "L", sealed(master, "L", key), &again));
    CHECK_INT(kr_key_spec(again).bits, 4096);
    kr_key_free(&key);
    kr_key_free(&again);
    kr_master_free(&master);
}

TEST(two_tokens_of_one_key_share_no_salt_and_no_nonce)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    struct klm_slice a, b;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    a = sealed(master, "L", key);
    b = sealed(master, "L", key);
    CHECK_MEM(a.p, b.p, 17); /* up to the pattern */
    CHECK(memcmp(a.p + 17, b.p + 17, 16) != 0);
    CHECK(memcmp(a.p + 33, b.p + 33, 12) != 0);
    CHECK(memcmp(a.p + 49, b.p + 49, 32) != 0);
    kr_key_free(&key);
    kr_master_free(&master);
}

TEST(any_changed_bit_is_found)
{
    struct kr_master *master = master_of(0);
    struct klm_slice good = load(GOLDEN "token-aes256.bin");

    CHECK_RC(opening(master, "AES.KEY", good), KLM_OK);
    for (size_t i = 0; i < good.n * 8; i++) {
        uint8_t *p = copy_of(good);
        bool reference = i == 8 * 5 + 1; /* 1 becomes 3: a reference, which it is not */
        klm_rc expected = reference                  ? KLM_E_CORRUPT
                          : i / 8 == 4 || i / 8 == 5 ? KLM_E_UNSUPPORTED
                          : i / 8 >= 9 && i / 8 < 17 ? KLM_E_WRONGKEY
                                                     : KLM_E_CORRUPT;

        p[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_RC(opening(master, "AES.KEY", KLM_SLICE(p, good.n)), expected);
    }
    kr_master_free(&master);
}

TEST(a_token_cut_short_or_with_a_byte_too_many_is_damaged)
{
    struct kr_master *master = master_of(0);
    struct klm_slice good = load(GOLDEN "token-aes256.bin");
    char vp[KR_VP_MAX];
    struct kr_spec spec;

    for (size_t n = 0; n < good.n; n++) {
        CHECK_RC(opening(master, "AES.KEY", KLM_SLICE(good.p, n)), KLM_E_CORRUPT);
        CHECK_RC(kr_token_vp(KLM_SLICE(good.p, n), vp), KLM_E_CORRUPT);
        CHECK_RC(kr_token_spec(KLM_SLICE(good.p, n), &spec), KLM_E_CORRUPT);
    }
    CHECK_RC(opening(master, "AES.KEY", KLM_SLICE(copy_of(good), good.n + 1)), KLM_E_CORRUPT);
    kr_master_free(&master);
}

TEST(a_length_over_the_limit_is_refused_before_it_is_used)
{
    struct kr_master *master = master_of(0);
    struct klm_slice good = load(GOLDEN "token-aes256.bin");
    uint8_t *p = klm_pool_alloc(test_pool(), 8192);

    REQUIRE(p != NULL);
    memcpy(p, good.p, good.n);
    p[47] = 0x10, p[48] = 0x01; /* 4,097 bytes, which would be there */
    CHECK_RC(opening(master, "AES.KEY", KLM_SLICE(p, 49 + 4097 + 16)), KLM_E_CORRUPT);
    p[45] = 0xff;
    CHECK_RC(opening(master, "AES.KEY", KLM_SLICE(p, 8192)), KLM_E_CORRUPT);
    kr_master_free(&master);
}

TEST(another_label_or_another_master_key_does_not_open_it)
{
    struct kr_master *master = master_of(0), *other = master_of(1);
    struct klm_slice good = load(GOLDEN "token-rsa2048.bin");
    char vp[KR_VP_MAX], own[KR_VP_MAX];

    CHECK_RC(opening(master, "ITOPS.KLM21.CERT", good), KLM_E_CORRUPT);
    CHECK_RC(opening(master, "ITOPS.KLM20.CERT ", good), KLM_E_INVALID);
    CHECK_RC(opening(other, "ITOPS.KLM20.CERT", good), KLM_E_WRONGKEY);
    REQUIRE_OK(kr_token_vp(good, vp));
    kr_master_vp(master, own);
    CHECK_STR(vp, own);
    kr_master_vp(other, own);
    CHECK(strcmp(vp, own) != 0);
    kr_master_free(&master);
    kr_master_free(&other);
}

TEST(a_pattern_put_over_a_foreign_token_does_not_open_it)
{
    struct kr_master *other = master_of(1);
    struct klm_slice good = load(GOLDEN "token-aes256.bin"), mine;
    struct kr_key *key = NULL;
    uint8_t *p = copy_of(good);

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    mine = sealed(other, "AES.KEY", key);
    memcpy(p + 9, mine.p + 9, 8);
    CHECK_RC(opening(other, "AES.KEY", KLM_SLICE(p, good.n)), KLM_E_CORRUPT);
    kr_key_free(&key);
    kr_master_free(&other);
}

TEST(labels_have_a_length_and_an_alphabet)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    struct klm_buf buf;
    char label[67];

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    memset(label, 'A', sizeof label);
    label[65] = 0;
    CHECK_RC(kr_token_seal(master, label, key, &buf), KLM_E_LIMIT);
    CHECK_RC(kr_token_seal(master, "", key, &buf), KLM_E_INVALID);
    CHECK_RC(kr_token_seal(master, "A B", key, &buf), KLM_E_INVALID);
    CHECK_RC(kr_token_seal(master, "A\nB", key, &buf), KLM_E_INVALID);
    CHECK_INT(buf.n, 0);
    label[64] = 0;
    CHECK_RC(kr_token_seal(master, label, key, &buf), KLM_OK);
    klm_buf_done(&buf);
    kr_key_free(&key);
    kr_master_free(&master);
}

TEST(a_full_buffer_is_left_as_it_was)
{
    struct kr_master *master = master_of(0);
    struct kr_key *key = NULL;
    struct klm_buf buf;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    for (size_t limit = 3; limit < 100; limit += 8) {
        klm_buf_init(&buf, limit);
        klm_buf_text(&buf, "abc");
        CHECK_RC(kr_token_seal(master, "L", key, &buf), KLM_E_LIMIT);
        CHECK_INT(buf.n, 3);
        klm_buf_done(&buf);
    }
    kr_key_free(&key);
    kr_master_free(&master);
}

TEST(tokens_are_stored_once_and_overwritten_only_when_asked)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct klm_slice good = load(GOLDEN "token-aes256.bin"), rsa = load(GOLDEN "token-rsa2048.bin"),
                     got;

    CHECK_RC(kr_token_get(st_change_view(change), "A", test_pool(), &got), KLM_E_NOTFOUND);
    CHECK_RC(kr_token_put(change, "A", good, false), KLM_OK);
    CHECK_RC(kr_token_put(change, "A", rsa, false), KLM_E_EXISTS);
    REQUIRE_OK(kr_token_get(st_change_view(change), "A", test_pool(), &got));
    CHECK(klm_slice_equal(got, good));
    CHECK_RC(kr_token_put(change, "A", rsa, true), KLM_OK);
    REQUIRE_OK(kr_token_get(st_change_view(change), "A", test_pool(), &got));
    CHECK(klm_slice_equal(got, rsa));
    CHECK_RC(kr_token_get(st_change_view(change), "a", test_pool(), &got), KLM_E_NOTFOUND);
    CHECK_RC(kr_token_put(change, "B", KLM_SLICE("clear key", 9), false), KLM_E_CORRUPT);
    CHECK_RC(kr_token_delete(change, "A"), KLM_OK);
    CHECK_RC(kr_token_delete(change, "A"), KLM_E_NOTFOUND);
    st_change_drop(&change);
    st_close(&store);
}
