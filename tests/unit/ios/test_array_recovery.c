/* Recovery keys: written and typed, right and wrong, counted and made to wait. */
#include "array_help.h"

#define SECOND 1000000LL
#define NOW (1700000000LL * SECOND)

static const uint8_t key[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};

TEST(a_recovery_key_comes_back_from_its_text)
{
    char text[IOS_RECOVERY_TEXT];
    uint8_t back[32];

    REQUIRE_OK(ios_recovery_text(key, text));
    CHECK(strncmp(text, "PART 1: 0102-0304-0506-0708-090A-0B0C-0D0E-0F10-", 48) == 0);
    CHECK(strstr(text, "\nPART 2: 1100-0000-") != NULL);
    REQUIRE_OK(ios_recovery_parse(text, back));
    CHECK_MEM(back, key, 32);
}

TEST(case_blanks_and_hyphens_do_not_matter)
{
    char text[IOS_RECOVERY_TEXT], loose[2 * IOS_RECOVERY_TEXT];
    uint8_t back[32];
    size_t n = 0;

    REQUIRE_OK(ios_recovery_text(key, text));
    for (const char *at = text; *at; at++) {
        if (strncmp(at, "PART", 4) == 0) {
            at += 8;
        }
        loose[n++] = (char)(*at == '-' ? ' ' : *at >= 'A' && *at <= 'F' ? *at + 32 : *at);
    }
    loose[n] = '\0';
    REQUIRE_OK(ios_recovery_parse(loose, back));
    CHECK_MEM(back, key, 32);
}

TEST(each_slip_of_the_pen_is_found)
{
    char text[IOS_RECOVERY_TEXT], bad[IOS_RECOVERY_TEXT + 2];
    uint8_t back[32] = {0};
    static const uint8_t none[32];

    REQUIRE_OK(ios_recovery_text(key, text));
    for (size_t i = 0; text[i]; i++) {
        memcpy(bad, text, sizeof text);
        if ((i < 4 || text[i + 1] != ':') && strchr("0123456789ABCDEF", bad[i]) &&
            strncmp(text + i, "ART", 3) != 0) {
            bad[i] = bad[i] == '7' ? '8' : '7';
            CHECK_RC(ios_recovery_parse(bad, back), KLM_E_INVALID);
        }
    }
    for (size_t n = 0; n + 1 < strlen(text); n++) { /* cut; the last character is the line's end */
        snprintf(bad, sizeof bad, "%.*s", (int)n, text);
        CHECK_RC(ios_recovery_parse(bad, back), KLM_E_INVALID);
    }
    snprintf(bad, sizeof bad, "%s1", text);
    CHECK_RC(ios_recovery_parse(bad, back), KLM_E_INVALID);
    CHECK_RC(ios_recovery_parse("", back), KLM_E_INVALID);
    CHECK_RC(ios_recovery_parse("PART 1: hello", back), KLM_E_INVALID);
    CHECK_MEM(back, none, 32);
}

TEST(parts_that_were_exchanged_are_found)
{
    char text[IOS_RECOVERY_TEXT], bad[2 * IOS_RECOVERY_TEXT];
    uint8_t back[32];
    const char *second;

    REQUIRE_OK(ios_recovery_text(key, text));
    second = strstr(text, "PART 2: ") + 8;
    snprintf(bad, sizeof bad, "%s%.44s", second, text + 8);
    CHECK_RC(ios_recovery_parse(bad, back), KLM_E_INVALID);
}

/* ---- Tries */

/* An array with a recovery key, in a folder. */
static void with_key(const char *dir, enum ios_recovery_state as)
{
    struct ios_array_state state = array_state();

    state.recovery.state = (uint8_t)as;
    REQUIRE_OK(ios_array_seal(IOS_USE_RECOVERY_KEY, state.serial, state.group, key, array_group_key,
                              state.recovery.salt, state.recovery.wrapped));
    array_put(dir, &state);
    klm_clock_set(NOW);
}

static klm_rc recover(const char *dir, const uint8_t *with, uint8_t out[32])
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    char text[IOS_RECOVERY_TEXT];
    struct klm_diag diag = {0};

    REQUIRE_OK(ios_recovery_text(with, text));
    REQUIRE_OK(ios_array_edit_begin(dir, false, NULL, &edit));
    return ios_array_recover(&edit, text, &diag, out);
}

static void after(int64_t seconds)
{
    klm_clock_set(klm_clock() + seconds * SECOND);
}

TEST(the_right_key_opens_and_a_wrong_one_is_counted)
{
    const char *dir = test_path("tries");
    uint8_t out[32] = {0};
    static const uint8_t none[32];

    with_key(dir, IOS_RECOVERY_READY);
    CHECK_RC(recover(dir, array_data_key, out), KLM_E_WRONGKEY);
    CHECK_MEM(out, none, 32);
    CHECK_INT(array_get(dir).recovery.tries, 1);
    REQUIRE_OK(recover(dir, key, out));
    CHECK_MEM(out, array_group_key, 32);
    CHECK_INT(array_get(dir).recovery.tries, 0);
    klm_clock_set(0);
}

TEST(after_three_wrong_ones_each_try_waits_longer_and_after_ten_none_is_taken)
{
    const char *dir = test_path("waits");
    uint8_t out[32];
    int64_t wait = 10;

    with_key(dir, IOS_RECOVERY_READY);
    for (int i = 0; i < 3; i++) {
        CHECK_RC(recover(dir, array_data_key, out), KLM_E_WRONGKEY);
    }
    for (int i = 3; i < IOS_RECOVERY_TRIES; i++) {
        CHECK_RC(recover(dir, key, out), KLM_E_AGAIN); /* even the right one */
        CHECK_INT(array_get(dir).recovery.tries, i);
        after(wait - 1);
        CHECK_RC(recover(dir, key, out), KLM_E_AGAIN);
        after(1);
        CHECK_RC(recover(dir, array_data_key, out), KLM_E_WRONGKEY);
        wait = wait * 2 < 3600 ? wait * 2 : 3600;
    }
    after(1000000);
    CHECK_RC(recover(dir, key, out), KLM_E_LIMIT);
    REQUIRE_OK(ios_array_recovery_reset(dir, NULL)); /* a key manager has unlocked it */
    REQUIRE_OK(recover(dir, key, out));
    klm_clock_set(0);
}

TEST(a_clock_set_back_makes_no_wait_longer_than_it_is)
{
    const char *dir = test_path("clock");
    uint8_t out[32];

    with_key(dir, IOS_RECOVERY_READY);
    for (int i = 0; i < 3; i++) {
        CHECK_RC(recover(dir, array_data_key, out), KLM_E_WRONGKEY);
    }
    after(-86400);
    CHECK_RC(recover(dir, key, out), KLM_E_AGAIN);
    after(86400 + 10);
    REQUIRE_OK(recover(dir, key, out));
    klm_clock_set(0);
}

TEST(a_key_is_in_force_only_after_it_was_typed_back)
{
    const char *dir = test_path("verify");
    char right[IOS_RECOVERY_TEXT], wrong[IOS_RECOVERY_TEXT];
    struct klm_diag diag = {0};
    uint8_t out[32];

    REQUIRE_OK(ios_recovery_text(key, right));
    REQUIRE_OK(ios_recovery_text(array_data_key, wrong));
    with_key(dir, IOS_RECOVERY_SHOWN);
    CHECK_RC(recover(dir, key, out), KLM_E_STATE);
    CHECK_RC(ios_array_recovery_verify(dir, wrong, &diag), KLM_E_WRONGKEY);
    CHECK_RC(ios_array_recovery_verify(dir, "PART 1: 12", &diag), KLM_E_INVALID);
    CHECK_INT(array_get(dir).recovery.tries, 1); /* a slip is not counted */
    CHECK_INT(array_get(dir).recovery.state, IOS_RECOVERY_SHOWN);
    REQUIRE_OK(ios_array_recovery_verify(dir, right, &diag));
    CHECK_INT(array_get(dir).recovery.state, IOS_RECOVERY_READY);
    CHECK_RC(ios_array_recovery_verify(dir, right, &diag), KLM_E_STATE); /* twice */
    REQUIRE_OK(recover(dir, key, out));
    klm_clock_set(0);
}
