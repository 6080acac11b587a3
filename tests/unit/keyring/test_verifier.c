/* Verifiers of passwords, and the keyed hash. */
#include "keyring/verifier.h"
#include "test.h"

#include "base/buf.h"

#include <string.h>

#define PASSWORD klm_slice_str("correct horse battery")

/* Made by Python: hashlib.scrypt(b"correct horse battery", salt=bytes(range(16)), n=1024, r=8, p=1, dklen=32). */
static const char known[] = "010a0801000102030405060708090a0b0c0d0e0f"
                            "84a1962f6d96b5d19f21bc443c0674e814b66d6c982ae6482afca97c09583969"
                            "000000000000000000000000";

static void from_hex(const char *hex, uint8_t out[KR_VERIFIER])
{
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, out, KR_VERIFIER, &n));
    REQUIRE(n == KR_VERIFIER);
}

TEST(a_verifier_tells_its_password_from_others)
{
    uint8_t one[KR_VERIFIER], two[KR_VERIFIER];

    REQUIRE_OK(kr_verifier_make(PASSWORD, one));
    REQUIRE_OK(kr_verifier_make(PASSWORD, two));
    CHECK(memcmp(one, two, sizeof one) != 0); /* its salt is fresh */
    CHECK_RC(kr_verifier_check(one), KLM_OK);
    CHECK_RC(kr_verifier_try(one, PASSWORD), KLM_OK);
    CHECK_RC(kr_verifier_try(one, klm_slice_str("correct horse batterz")), KLM_E_WRONGKEY);
    CHECK_RC(kr_verifier_try(one, klm_slice_str("")), KLM_E_WRONGKEY);
}

TEST(a_verifier_made_elsewhere_by_the_same_rules_opens)
{
    uint8_t verifier[KR_VERIFIER];

    from_hex(known, verifier);
    CHECK_RC(kr_verifier_try(verifier, PASSWORD), KLM_OK);
    verifier[40] ^= 1;
    CHECK_RC(kr_verifier_try(verifier, PASSWORD), KLM_E_WRONGKEY);
}

TEST(passwords_that_are_too_short_or_too_long_make_none)
{
    char text[KR_VERIFIER_MOST + 2];
    uint8_t verifier[KR_VERIFIER] = {0};

    memset(text, 'x', sizeof text);
    CHECK_RC(kr_verifier_make(KLM_SLICE(text, KR_VERIFIER_LEAST - 1), verifier), KLM_E_LIMIT);
    CHECK_RC(kr_verifier_make(KLM_SLICE(text, KR_VERIFIER_MOST + 1), verifier), KLM_E_LIMIT);
    CHECK_INT(verifier[0], 0);
    CHECK_RC(kr_verifier_make(KLM_SLICE(text, KR_VERIFIER_MOST), verifier), KLM_OK);
    CHECK_RC(kr_verifier_try(verifier, KLM_SLICE(text, KR_VERIFIER_MOST)), KLM_OK);
    CHECK_RC(kr_verifier_try(verifier, KLM_SLICE(text, KR_VERIFIER_MOST + 1)), KLM_E_WRONGKEY);
}

TEST(what_is_no_verifier_costs_nothing)
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 0},   {0, 2}, {1, 9},  {1, 21}, {1, 255}, {2, 0},
               {2, 255}, {3, 0}, {3, 17}, {63, 1}, {52, 1}};
    uint8_t good[KR_VERIFIER], verifier[KR_VERIFIER];

    from_hex(known, good);
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        memcpy(verifier, good, sizeof verifier);
        verifier[bad[i].at] = bad[i].value;
        if (bad[i].value == 255 && bad[i].at == 2) {
            verifier[1] = 20; /* 128 * 2^20 * 255 bytes */
        }
        CHECK_RC(kr_verifier_check(verifier), KLM_E_CORRUPT);
        CHECK_RC(kr_verifier_try(verifier, PASSWORD), KLM_E_CORRUPT);
    }
}

TEST(a_keyed_hash_depends_on_the_key_and_on_where_parts_end)
{
    const struct klm_slice ab_c[] = {klm_slice_str("ab"), klm_slice_str("c")};
    const struct klm_slice a_bc[] = {klm_slice_str("a"), klm_slice_str("bc")};
    static const uint8_t much[KR_KEYED_MOST];
    struct kr_keyed *one = NULL, *two = NULL;
    uint8_t h[4][32];

    REQUIRE_OK(kr_keyed_new(&one));
    REQUIRE_OK(kr_keyed_new(&two));
    REQUIRE_OK(kr_keyed_hash(one, ab_c, 2, h[0]));
    REQUIRE_OK(kr_keyed_hash(one, ab_c, 2, h[1]));
    REQUIRE_OK(kr_keyed_hash(one, a_bc, 2, h[2]));
    REQUIRE_OK(kr_keyed_hash(two, ab_c, 2, h[3]));
    CHECK_MEM(h[0], h[1], 32);
    CHECK(memcmp(h[0], h[2], 32) != 0);
    CHECK(memcmp(h[0], h[3], 32) != 0);
    CHECK_RC(kr_keyed_hash(one, &KLM_SLICE(much, sizeof much), 1, h[0]), KLM_E_LIMIT);
    CHECK_RC(kr_keyed_hash(one, &KLM_SLICE(much, sizeof much - 4), 1, h[0]), KLM_OK);
    kr_keyed_free(&one);
    kr_keyed_free(&two);
    kr_keyed_free(&two);
}

/* Made by Python: hashlib.scrypt(b"one-time-password-0001", salt=bytes(range(16)), n=1024, r=8, p=1, dklen=32). */
TEST(a_one_time_password_is_kept_as_what_anybody_makes_by_the_same_rules)
{
    uint8_t head[KR_VERIFIER], out[KR_ONCE], expected[KR_ONCE], fresh[2][KR_ONCE_HEAD];
    size_t n = 0;

    from_hex(known, head);
    REQUIRE_OK(klm_unhex("44beedf1481de0f11ea52218c192f499aef5c8e380a1d87c640b3041b81fe300",
                         expected, sizeof expected, &n));
    REQUIRE_OK(kr_once_hash(head, klm_slice_str("one-time-password-0001"), out));
    CHECK(memcmp(out, expected, sizeof out) == 0);
    CHECK_RC(kr_once_hash(head, klm_slice_str("123456789012345"), out), KLM_E_LIMIT);
    head[1] = 40;
    CHECK_RC(kr_once_hash(head, klm_slice_str("one-time-password-0001"), out), KLM_E_CORRUPT);
    REQUIRE_OK(kr_once_head(fresh[0]));
    REQUIRE_OK(kr_once_head(fresh[1]));
    CHECK(memcmp(fresh[0], fresh[1], KR_ONCE_HEAD) != 0);
    CHECK_RC(kr_once_hash(fresh[0], klm_slice_str("1234567890123456"), out), KLM_OK);
}
