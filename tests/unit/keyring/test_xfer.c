/* KEYXFER files: the golden one was written by hand from the document; each kind of harm has its
 * message. */
#include "help.h"

/* The file as keyring/KEYXFER.md says, written by a shell script with base64 and sha256sum. */
#define GOLDEN_FILE GOLDEN "keyxfer-aes256.txt"

static klm_rc decode(struct klm_slice file, enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    struct klm_slice token = {NULL, 0};
    const char *label = NULL;
    char vp[KR_VP_MAX] = "";
    klm_rc rc = kr_xfer_decode(file, test_pool(), &label, &token, vp, &diag);

    CHECK((rc == KLM_OK) == (label != NULL && token.n && vp[0]));
    *msg = diag.msg;
    return rc;
}

static void check(struct klm_slice file, klm_rc expected, enum klm_msg_id expected_msg)
{
    enum klm_msg_id msg = KLM_MSG_NONE;

    CHECK_RC(decode(file, &msg), expected);
    CHECK_INT(msg, expected_msg);
}

static struct klm_slice encode(const char *label, struct klm_slice token)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_xfer_encode(label, token, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

/* A text with a fresh checksum line, so that only what is asked is wrong. */
static struct klm_slice signed_text(const char *text)
{
    uint8_t digest[32];
    char hex[65], *out;

    REQUIRE(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) == 1);
    klm_hex_upper(digest, 32, hex);
    out = klm_pool_printf(test_pool(), "%sSHA-256: %s\n", text, hex);
    REQUIRE(out != NULL);
    return klm_slice_str(out);
}

TEST(the_file_written_by_hand_is_the_one_we_write)
{
    struct klm_slice golden = load(GOLDEN_FILE), token = {NULL, 0};
    const char *label = NULL;
    char vp[KR_VP_MAX], own[KR_VP_MAX];

    REQUIRE_OK(kr_xfer_decode(golden, test_pool(), &label, &token, vp, NULL));
    CHECK_STR(label, "AES.KEY");
    CHECK(klm_slice_equal(token, load(GOLDEN "token-aes256.bin")));
    REQUIRE_OK(kr_token_vp(token, own));
    CHECK_STR(vp, own);
    CHECK(klm_slice_equal(golden, encode("AES.KEY", token)));
}

TEST(tokens_of_every_size_come_back)
{
    static const char *const tokens[] = {"token-aes256.bin", "token-ec256.bin", "token-ec384.bin",
                                         "token-rsa2048.bin"};

    for (size_t i = 0; i < KLM_COUNT(tokens); i++) {
        struct klm_slice token = load(klm_pool_printf(test_pool(), GOLDEN "%s", tokens[i])),
                         got = {NULL, 0};
        const char *label = NULL;
        char vp[KR_VP_MAX];

        REQUIRE_OK(
            kr_xfer_decode(encode("SOME.LABEL", token), test_pool(), &label, &got, vp, NULL));
        CHECK_STR(label, "SOME.LABEL");
        CHECK(klm_slice_equal(token, got));
    }
}

TEST(other_files_other_versions_and_cut_ones_are_told_apart)
{
    struct klm_slice good = load(GOLDEN_FILE);
    size_t sum_line = 9 + 64 + 1, magic = 12;

    check(KLM_SLICE(NULL, 0), KLM_E_INVALID, KLM_MSG_XFER_NOT);
    check(load(GOLDEN "token-aes256.bin"), KLM_E_INVALID, KLM_MSG_XFER_NOT);
    check(signed_text("KLM-KEYXFER 2\nanything\n"), KLM_E_UNSUPPORTED, KLM_MSG_XFER_VERSION);
    check(signed_text("KLM-KEYXFER 11\nanything\n"), KLM_E_UNSUPPORTED, KLM_MSG_XFER_VERSION);
    check(signed_text("KLM-KEYXFER a name that is far too long for a version\n"), KLM_E_UNSUPPORTED,
          KLM_MSG_XFER_VERSION);
    for (size_t n = 0; n < good.n; n++) {
        enum klm_msg_id msg = n < magic                    ? KLM_MSG_XFER_NOT
                              : n <= good.n - sum_line + 8 ? KLM_MSG_XFER_SHORT
                                                           : KLM_MSG_XFER_DAMAGED;

        check(KLM_SLICE(good.p, n), n < magic ? KLM_E_INVALID : KLM_E_CORRUPT, msg);
    }
}

TEST(any_changed_bit_is_found)
{
    struct klm_slice good = load(GOLDEN_FILE);

    check(good, KLM_OK, KLM_MSG_NONE);
    for (size_t i = 0; i < good.n; i++) {
        uint8_t *p = copy_of(good);
        enum klm_msg_id msg;
        klm_rc rc;

        p[i] ^= 1;
        rc = decode(KLM_SLICE(p, good.n), &msg);
        CHECK(rc == (i < 12 ? KLM_E_INVALID : i < 14 ? KLM_E_UNSUPPORTED : KLM_E_CORRUPT));
        CHECK(msg != KLM_MSG_NONE);
    }
    check(KLM_SLICE(copy_of(good), good.n + 1), KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED);
}

TEST(a_file_put_together_with_a_good_checksum_must_still_be_right)
{
    struct klm_slice good = load(GOLDEN_FILE);
    const char *text = klm_pool_strn(test_pool(), (const char *)good.p, good.n - 74);
    static const char *const changes[][2] = {
        {"Label: AES.KEY\n", "Label: \n"},
        {"Label: AES.KEY\n", "Label: A B\n"},
        {"Label: AES.KEY\n",
         "Label: 12345678901234567890123456789012345678901234567890123456789012345\n"},
        {"Label: AES.KEY\n", ""},
        {"Label: AES.KEY\n", "label: AES.KEY\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 96\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 98\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 145\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 0\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: -1\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 16385\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 999999\n"},
        {"Token-Bytes: 97\n", "Token-Bytes: 97\nMore: x\n"},
        {"Verification-Pattern: ", "Verification-Pattern: 0"},
        {"\n\nS1JUSw", "\n\n!1JUSw"},
        {"\n\nS1JUSw", "\n\nS1JUSg"},
        {"\n\nS1JUSw", "\n\nS1JVSw"},
        {"\n\nS1JUSw", "\n\n\nS1JUSw"},
    };

    REQUIRE(text != NULL);
    check(signed_text(text), KLM_OK, KLM_MSG_NONE);
    for (size_t i = 0; i < KLM_COUNT(changes); i++) {
        const char *at = strstr(text, changes[i][0]);

        REQUIRE(at != NULL);
        check(signed_text(klm_pool_printf(test_pool(), "%.*s%s%s", (int)(at - text), text,
                                          changes[i][1], at + strlen(changes[i][0]))),
              KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED);
    }
    check(signed_text(klm_pool_printf(test_pool(), "%sAAAA\n", text)), KLM_E_CORRUPT,
          KLM_MSG_XFER_DAMAGED);
}

TEST(the_pattern_of_another_master_key_in_the_header_is_refused)
{
    struct klm_slice good = load(GOLDEN_FILE);
    char *text = klm_pool_strn(test_pool(), (const char *)good.p, good.n - 74), *at;

    REQUIRE(text != NULL);
    at = strstr(text, "Verification-Pattern: ");
    REQUIRE(at != NULL);
    memcpy(at + 22, "0123456789ABCDEF", 16);
    check(signed_text(text), KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED);
}

TEST(what_is_no_token_or_no_label_is_not_written)
{
    struct klm_buf buf;
    struct klm_slice token = load(GOLDEN "token-aes256.bin");

    klm_buf_init(&buf, 65536);
    CHECK_RC(kr_xfer_encode("L", KLM_SLICE("clear key", 9), &buf), KLM_E_CORRUPT);
    CHECK_RC(kr_xfer_encode("", token, &buf), KLM_E_INVALID);
    CHECK_RC(kr_xfer_encode("A\nB", token, &buf), KLM_E_INVALID);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
    klm_buf_init(&buf, 100);
    klm_buf_text(&buf, "abc");
    CHECK_RC(kr_xfer_encode("L", token, &buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 3);
    klm_buf_done(&buf);
}

TEST(a_file_over_the_limit_is_refused)
{
    char *p = klm_pool_alloc(test_pool(), 65537);

    REQUIRE(p != NULL);
    memset(p, 'A', 65537);
    memcpy(p, "KLM-KEYXFER 1\n", 14);
    check(KLM_SLICE(p, 65537), KLM_E_LIMIT, KLM_MSG_XFER_DAMAGED);
    check(KLM_SLICE(p, 65536), KLM_E_CORRUPT, KLM_MSG_XFER_SHORT);
}
