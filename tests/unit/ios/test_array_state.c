/* The state file of an array: what decodes encodes to the same again; whatever is cut, longer, out of its limits or contradicts itself is refused. */
#include "array_help.h"

#include "base/digest.h"

static uint8_t bytes[IOS_ARRAY_STATE_MAX];
static size_t bytes_n;

static void encode(const struct ios_array_state *state)
{
    struct klm_buf buf;

    klm_buf_init(&buf, sizeof bytes);
    REQUIRE_OK(ios_array_encode(state, &buf));
    memcpy(bytes, buf.p, buf.n);
    bytes_n = buf.n;
    klm_buf_done(&buf);
}

/* The digest made right again, so that the rest is looked at. */
static klm_rc decode_signed(size_t n, struct ios_array_state *out)
{
    REQUIRE_OK(klm_sha256(&KLM_SLICE(bytes, n - 32), 1, bytes + n - 32));
    return ios_array_decode(KLM_SLICE(bytes, n), out);
}

static klm_rc encode_rc(const struct ios_array_state *state)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, sizeof bytes);
    rc = ios_array_encode(state, &buf);
    klm_buf_done(&buf);
    return rc;
}

TEST(a_state_comes_back_as_it_was)
{
    struct ios_array_state state = array_state(), back;

    state.set[1] = state.set[0];
    state.set[1].eedk_n = state.set[1].labels_n = 1;
    state.sets_n = 2;
    state.recovery = (struct ios_array_recovery){.state = IOS_RECOVERY_READY,
                                                 .changed = 5,
                                                 .salt = {1},
                                                 .wrapped = {2},
                                                 .tries = 3,
                                                 .last_try = 4};
    encode(&state);
    REQUIRE_OK(ios_array_decode(KLM_SLICE(bytes, bytes_n), &back));
    CHECK_STR(back.serial, ARRAY_SERIAL);
    CHECK_STR(back.group, GROUP);
    CHECK_INT(back.change, 1);
    CHECK_INT(back.sets_n, 2);
    CHECK_STR(back.set[0].labels[1].label, "LABEL2");
    CHECK_INT(back.set[0].labels[1].encoding, 'H');
    CHECK_MEM(back.set[0].eedk[1], "eedk two", 8);
    CHECK_MEM(back.set[0].wrapped, state.set[0].wrapped, IOS_WRAPPED);
    CHECK_INT(back.set[1].eedk_n, 1);
    CHECK_INT(back.recovery.tries, 3);
    CHECK_INT(back.recovery.last_try, 4);
    struct klm_buf again;
    klm_buf_init(&again, sizeof bytes);
    REQUIRE_OK(ios_array_encode(&back, &again));
    CHECK(again.n == bytes_n && memcmp(again.p, bytes, bytes_n) == 0);
    klm_buf_done(&again);
}

TEST(a_state_that_is_cut_or_longer_is_refused_at_each_length)
{
    struct ios_array_state state = array_state(), out;

    encode(&state);
    const size_t whole = bytes_n;
    for (size_t n = 0; n < whole; n++) {
        CHECK(ios_array_decode(KLM_SLICE(bytes, n), &out) != KLM_OK);
    }
    for (size_t n = 42; n < whole; n++) { /* with a digest that fits */
        encode(&state);
        CHECK(decode_signed(n, &out) != KLM_OK);
    }
    encode(&state);
    bytes[whole] = 0;
    CHECK_RC(decode_signed(whole + 1, &out), KLM_E_INVALID);
}

TEST(one_flipped_bit_anywhere_is_damage)
{
    struct ios_array_state state = array_state(), out;

    encode(&state);
    for (size_t i = 10; i < bytes_n; i++) {
        bytes[i] ^= 1;
        CHECK_RC(ios_array_decode(KLM_SLICE(bytes, bytes_n), &out), KLM_E_CORRUPT);
        bytes[i] ^= 1;
    }
    bytes[0] ^= 1;
    CHECK_RC(ios_array_decode(KLM_SLICE(bytes, bytes_n), &out), KLM_E_INVALID);
    bytes[0] ^= 1;
    bytes[9] = 2;
    CHECK_RC(ios_array_decode(KLM_SLICE(bytes, bytes_n), &out), KLM_E_UNSUPPORTED);
}

TEST(what_is_over_a_limit_or_contradicts_itself_is_no_state)
{
    struct ios_array_state state;

#define REFUSED(change)                                                                            \
    state = array_state();                                                                         \
    change;                                                                                        \
    CHECK_RC(encode_rc(&state), KLM_E_INVALID)
    REFUSED(state.sets_n = 0);
    REFUSED(state.sets_n = 3);
    REFUSED(state.serial[0] = 'a');
    REFUSED(state.serial[11] = 0);
    REFUSED(state.group[0] = 0);
    REFUSED(state.group[0] = 'e');
    REFUSED(state.set[0].eedk_n = state.set[0].labels_n = 0);
    REFUSED(state.set[0].labels_n = 1);
    REFUSED(state.set[0].eedk_size[0] = 0);
    REFUSED(state.set[0].eedk_size[1] = KX_EEDK_MAX + 1);
    REFUSED(state.set[0].labels[0].encoding = 'X');
    REFUSED(state.set[0].labels[0].label[0] = ' ');
    REFUSED(state.set[0].labels[0].label[0] = '\n');
    REFUSED(state.set[0].labels[0].label[0] = 0);
    REFUSED(state.recovery.state = 4);
    REFUSED(state.recovery.state = IOS_RECOVERY_READY); /* with no wrapped key */
    REFUSED(state.recovery.salt[0] = 1);                /* with one, but none is there */
#undef REFUSED
}

TEST(counts_and_lengths_of_a_file_are_limited)
{
    struct ios_array_state state = array_state(), out;
    const size_t sets_at = 8 + 2 + 8 + 12 + 1 + 6;
    const size_t eedks_at = sets_at + 1 + 8, label_at = eedks_at + 1 + 1,
                 eedk_at = label_at + 1 + 6;

    encode(&state);
    bytes[sets_at] = 3;
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
    encode(&state);
    bytes[eedks_at] = 3;
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
    encode(&state);
    bytes[label_at] = 65;
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
    encode(&state);
    bytes[label_at + 2] = 0; /* a NUL in a label */
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
    encode(&state);
    bytes[eedk_at] = 4; /* 1,024 and more */
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
    encode(&state);
    bytes[sets_at + 1] = 0x80; /* a time before time */
    CHECK_RC(decode_signed(bytes_n, &out), KLM_E_INVALID);
}

/* ---- The file */

TEST(there_is_no_array_before_it_is_configured)
{
    struct ios_array_state state;
    struct klm_diag diag = {0};

    REQUIRE_OK(klm_folder_make(test_path("none"), 0700, NULL));
    CHECK_RC(ios_array_load(test_path("none"), &diag, &state), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_NONE);
}

TEST(one_process_at_a_time_changes_it_and_a_failed_change_leaves_it)
{
    const char *dir = test_path("edit");
    struct ios_array_state state = array_state();
    struct ios_array_edit one, two;
    struct klm_diag diag = {0};

    array_put(dir, &state);
    REQUIRE_OK(ios_array_edit_begin(dir, false, &diag, &one));
    CHECK_RC(ios_array_edit_begin(dir, false, &diag, &two), KLM_E_BUSY);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_BUSY);
    CHECK_RC(ios_array_edit_begin(dir, true, &diag, &two), KLM_E_BUSY);
    one.state.sets_n = 0; /* no state */
    CHECK_RC(ios_array_edit_save(&one, &diag), KLM_E_INVALID);
    CHECK_INT(array_get(dir).change, 1);
    one.state.sets_n = 1;
    REQUIRE_OK(ios_array_edit_save(&one, &diag));
    ios_array_edit_end(&one);
    CHECK(array_get(dir).change > 1);
    CHECK_RC(ios_array_edit_begin(dir, true, &diag, &two), KLM_E_EXISTS);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_EXISTS);
}

TEST(a_file_that_is_damaged_or_too_long_is_told)
{
    const char *dir = test_path("damaged");
    struct ios_array_state state = array_state();
    static uint8_t much[IOS_ARRAY_STATE_MAX + 1];
    struct klm_diag diag = {0};
    char path[4200];

    array_put(dir, &state);
    snprintf(path, sizeof path, "%s/array.state", dir);
    encode(&state);
    bytes[20] ^= 1;
    REQUIRE_OK(klm_file_replace(path, KLM_SLICE(bytes, bytes_n), 0600, NULL));
    CHECK_RC(ios_array_load(dir, &diag, &state), KLM_E_CORRUPT);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_STATE);
    REQUIRE_OK(klm_file_replace(path, KLM_SLICE(much, sizeof much), 0600, NULL));
    CHECK_RC(ios_array_load(dir, &diag, &state), KLM_E_LIMIT);
}

/* ---- Keys */

TEST(a_wrapped_key_opens_for_its_use_array_and_group_alone)
{
    uint8_t salt[32], wrapped[40], key[32];

    REQUIRE_OK(ios_array_seal(IOS_USE_DATA_KEY, ARRAY_SERIAL, GROUP, array_data_key,
                              array_group_key, salt, wrapped));
#define OPEN(use, serial, group, under)                                                            \
    ios_array_open((use), (serial), (group), (under), salt, wrapped, key)
    REQUIRE_OK(OPEN(IOS_USE_DATA_KEY, ARRAY_SERIAL, GROUP, array_data_key));
    CHECK_MEM(key, array_group_key, 32);
    CHECK_RC(OPEN(IOS_USE_RECOVERY_KEY, ARRAY_SERIAL, GROUP, array_data_key), KLM_E_WRONGKEY);
    CHECK_RC(OPEN(IOS_USE_VOLUME, ARRAY_SERIAL, GROUP, array_data_key), KLM_E_WRONGKEY);
    CHECK_RC(OPEN(IOS_USE_DATA_KEY, "75DS80000002", GROUP, array_data_key), KLM_E_WRONGKEY);
    CHECK_RC(OPEN(IOS_USE_DATA_KEY, ARRAY_SERIAL, "EG0002", array_data_key), KLM_E_WRONGKEY);
    CHECK_RC(OPEN(IOS_USE_DATA_KEY, ARRAY_SERIAL, GROUP, array_group_key), KLM_E_WRONGKEY);
    salt[0] ^= 1;
    CHECK_RC(OPEN(IOS_USE_DATA_KEY, ARRAY_SERIAL, GROUP, array_data_key), KLM_E_WRONGKEY);
    salt[0] ^= 1;
    wrapped[39] ^= 1;
    CHECK_RC(OPEN(IOS_USE_DATA_KEY, ARRAY_SERIAL, GROUP, array_data_key), KLM_E_WRONGKEY);
#undef OPEN
}
