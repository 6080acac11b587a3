/* Aliases of stored keys, their ranges and identifiers: the reference's own examples, and what is refused. */
#include "test.h"

#include "base/alias.h"

static klm_rc parse(const char *text, char out[KLM_ALIAS_MAX + 1])
{
    return klm_alias(klm_slice_str(text), out);
}

static klm_rc parse_run(const char *text, struct klm_alias_run *out)
{
    return klm_alias_run(klm_slice_str(text), out);
}

TEST(an_alias_is_up_to_12_characters_or_21_in_sequential_form)
{
    char out[KLM_ALIAS_MAX + 1] = "as before";

    REQUIRE_OK(parse("KMA0238ab34", out));
    CHECK_STR(out, "KMA0238ab34");
    REQUIRE_OK(parse("KMB0000034ACD2345678a", out));
    CHECK_STR(out, "KMB0000034acd2345678a");
    REQUIRE_OK(parse("KEY-1", out)); /* one that is there from elsewhere */
    REQUIRE_OK(parse("KMB0000034ACD2345678a", out));
    CHECK_RC(parse("", out), KLM_E_INVALID);
    CHECK_RC(parse("a b", out), KLM_E_INVALID);
    CHECK_RC(parse("a,b", out), KLM_E_INVALID);
    CHECK_RC(parse("THZ1-FF", out), KLM_E_INVALID);
    CHECK_RC(parse("1234567890123", out), KLM_E_LIMIT);
    CHECK_RC(parse("KMB0000034acd2345678", out), KLM_E_LIMIT);
    CHECK_RC(parse("KMB0000034acd2345678a0", out), KLM_E_LIMIT);
    CHECK_RC(parse("KMB0000034acd2345678g", out), KLM_E_LIMIT);
    CHECK_STR(out, "KMB0000034acd2345678a");
}

TEST(a_key_identifier_is_three_characters_and_nine_packed_bytes)
{
    static const uint8_t packed[KLM_KEY_ID] = {'d', 'e', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0x1F};
    char alias[KLM_ALIAS_MAX + 1];
    uint8_t id[KLM_KEY_ID];

    klm_alias_id("des00000000000000001f", id);
    CHECK_MEM(id, packed, sizeof id);
    REQUIRE_OK(klm_alias_of_id(id, true, alias));
    CHECK_STR(alias, "des00000000000000001f");
    CHECK_RC(klm_alias_of_id(id, false, alias), KLM_E_NOTFOUND);
    klm_alias_id("KEY1", id);
    CHECK_MEM(id, "KEY1        ", KLM_KEY_ID);
    REQUIRE_OK(klm_alias_of_id(id, false, alias));
    CHECK_STR(alias, "KEY1");
}

TEST(two_aliases_with_one_identifier_are_each_others_twin)
{
    char alias[KLM_ALIAS_MAX + 1];

    REQUIRE_OK(klm_alias_twin("ABCAAAAAAAAA", alias));
    CHECK_STR(alias, "ABC414141414141414141");
    REQUIRE_OK(klm_alias_twin("ABC414141414141414141", alias));
    CHECK_STR(alias, "ABCAAAAAAAAA");
    CHECK_RC(klm_alias_twin("des00000000000000001f", alias), KLM_E_NOTFOUND);
    CHECK_RC(klm_alias_twin("A-B-C", alias), KLM_E_NOTFOUND); /* not three letters or digits */
}

TEST(a_range_names_the_first_and_the_last_by_their_digits)
{
    struct klm_alias_run run;
    char text[KLM_ALIAS_RUN_MAX];

    REQUIRE_OK(parse_run("des01-1f", &run));
    CHECK_STR(run.first, "des000000000000000001");
    CHECK_STR(run.last, "des00000000000000001f");
    CHECK_INT(klm_alias_run_count(&run), 31);
    CHECK_STR(klm_alias_run_text(&run, text), "des000000000000000001-1f");
    REQUIRE_OK(parse_run("THZ001-FF", &run));
    CHECK_STR(run.last, "THZ0000000000000000ff");
    REQUIRE_OK(parse_run("THZ0-0", &run));
    CHECK_INT(klm_alias_run_count(&run), 1);
    REQUIRE_OK(parse_run("THZ000000000000000000-00ffffffffffffffff", &run));
    CHECK(klm_alias_run_count(&run) == UINT64_MAX);
    REQUIRE_OK(parse_run("KEY1", &run));
    CHECK_STR(run.last, "KEY1");
    CHECK_INT(klm_alias_run_count(&run), 1);
}

TEST(a_range_that_breaks_a_rule_is_refused)
{
    static const char *const bad[] = {"THZ2-1",
                                      "THZ100000000000000000-1ff",
                                      "THZ0-010000000000000000",
                                      "THZ0-0000000000000000001",
                                      "THZ1-2,",
                                      ""};
    struct klm_alias_run run;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(parse_run(bad[i], &run), KLM_E_INVALID);
    }
    CHECK_RC(parse_run("a-group-of-keys", &run), KLM_E_LIMIT);
}

TEST(numbers_carry_and_end)
{
    char alias[KLM_ALIAS_MAX + 1] = "des0000000000000000ff";

    CHECK(klm_alias_next(alias));
    CHECK_STR(alias, "des000000000000000100");
    CHECK(klm_alias_previous(alias));
    CHECK_STR(alias, "des0000000000000000ff");
    memcpy(alias, "desffffffffffffffffff", sizeof alias);
    CHECK(!klm_alias_next(alias));
    CHECK_STR(alias, "desffffffffffffffffff");
    memcpy(alias, "des000000000000000000", sizeof alias);
    CHECK(!klm_alias_previous(alias));
    memcpy(alias, "des000000000000000009", sizeof alias);
    CHECK(klm_alias_next(alias));
    CHECK_STR(alias, "des00000000000000000a");
    CHECK(klm_alias_previous(alias));
    CHECK_STR(alias, "des000000000000000009");
    memcpy(alias, "KEY1", 5);
    CHECK(!klm_alias_next(alias));
}

TEST(runs_know_what_they_hold)
{
    struct klm_alias_run a, b, plain;

    REQUIRE_OK(parse_run("des10-1f", &a));
    REQUIRE_OK(parse_run("des1f-20", &b));
    REQUIRE_OK(parse_run("des0", &plain));
    CHECK(klm_alias_runs_meet(&a, &b) && klm_alias_runs_meet(&b, &a));
    CHECK(klm_alias_run_has(&a, "des00000000000000001f"));
    CHECK(!klm_alias_run_has(&a, "des000000000000000020"));
    CHECK(!klm_alias_run_has(&a, "DES00000000000000001f"));
    CHECK(!klm_alias_runs_meet(&a, &plain));
    REQUIRE_OK(parse_run("des20-2f", &b));
    CHECK(!klm_alias_runs_meet(&a, &b));
}
