/* The state file of a storage system: what was made by other means is read and written alike; whatever is cut, longer, out of its limits or contradicts itself is refused. */
#include "system_help.h"

#include "base/digest.h"

/* Made by tests/ios/readsystem.py --make, from ios/SYSTEM.md alone. */
static const char vector_hex[] =
    "4b4c4d535953544d00010000000000000007535930313233343536373839055356435f310200077072696d6172"
    "79116b657973312e6578616d706c652e636f6d1640020162033a3a3100010201032a5356435f312d5359303132"
    "333435363738392d4b30303030352d303031313232333334343535363637370004000000010324303139613964"
    "32662d376331652d376530322d386136622d3031323334353637383961620004af97d22e13010004af97d23d55"
    "4194b8b29c987175a66faf8378cb505db3000000020401320004af97d22e13020004af97d23d5542e77f791ae6"
    "baa1b32de29851567b4b8f00000004024078787878787878787878787878787878787878787878787878787878"
    "7878787878787878787878787878787878787878787878787878787878787878787878780004af97d22e130400"
    "04af97d23d554459247c78f07d7c1a9b0c19993a8b216c000000050101350004af97d22e13050004af97d23d55"
    "455740d7baf1dead6f3f0656bffad8332075de453121a13a4cacd559b1c8859b8d64ff567f241b558f7dfd33df"
    "52ef7f15";

static uint8_t bytes[IOS_SYSTEM_STATE_MAX + 1];
static size_t bytes_n;

static struct ios_system_state vector(void)
{
    struct ios_system_state state;

    REQUIRE_OK(klm_unhex(vector_hex, bytes, sizeof bytes, &bytes_n));
    REQUIRE_OK(ios_system_decode(KLM_SLICE(bytes, bytes_n), &state));
    return state;
}

static klm_rc encode(const struct ios_system_state *state)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, IOS_SYSTEM_STATE_MAX);
    rc = ios_system_encode(state, &buf);
    if (rc == KLM_OK) {
        memcpy(bytes, buf.p, buf.n);
        bytes_n = buf.n;
    }
    klm_buf_done(&buf);
    return rc;
}

static klm_rc decode_signed(size_t n, struct ios_system_state *out)
{
    REQUIRE_OK(klm_sha256(&KLM_SLICE(bytes, n - 32), 1, bytes + n - 32));
    return ios_system_decode(KLM_SLICE(bytes, n), out);
}

TEST(a_state_made_by_other_means_is_read_and_written_alike)
{
    const struct ios_system_state state = vector();
    uint8_t raw[sizeof vector_hex / 2], key[32], check[IOS_KEY_CHECK];
    size_t n = 0;

    CHECK_INT(state.change, 7);
    CHECK_STR(state.serial, SERIAL);
    CHECK_STR(state.name, "SVC_1");
    CHECK_INT(state.servers_n, 2);
    CHECK_STR(state.server[0].host, "keys1.example.com");
    CHECK_INT(state.server[0].port, 5696);
    CHECK_INT(state.server[1].id, 2);
    CHECK_STR(ios_keyserver_primary(&state)->name, "b");
    CHECK(state.enabled);
    CHECK_STR(ios_rekey_name(&state), "committing");
    CHECK_STR(state.request, "SVC_1-SY0123456789-K00005-0011223344556677");
    CHECK_INT(state.keys_n, 4);
    CHECK_STR(ios_system_key(&state, IOS_KEY_OBSOLETE)->uid,
              "019a9d2f-7c1e-7e02-8a6b-0123456789ab");
    CHECK_INT(ios_system_key(&state, IOS_KEY_CURRENT)->number, 4);
    CHECK_INT(ios_system_key(&state, IOS_KEY_PREPARED)->made, 1318966508000005);
    CHECK_INT(ios_system_key_number(&state, 2)->place, IOS_KEY_CANCELLED);
    CHECK(ios_system_key_number(&state, 3) == NULL);
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    REQUIRE_OK(ios_system_key_check(SERIAL, "2", key, check));
    CHECK_MEM(check, state.key[1].check, sizeof check);
    REQUIRE_OK(klm_unhex(vector_hex, raw, sizeof raw, &n));
    REQUIRE_OK(encode(&state));
    CHECK(bytes_n == n && memcmp(bytes, raw, n) == 0);
}

TEST(a_state_that_is_cut_longer_or_damaged_is_refused)
{
    struct ios_system_state out;

    (void)vector();
    const size_t whole = bytes_n;
    for (size_t i = 10; i < whole; i++) {
        bytes[i] ^= 1;
        CHECK_RC(ios_system_decode(KLM_SLICE(bytes, whole), &out), KLM_E_CORRUPT);
        bytes[i] ^= 1;
        CHECK(ios_system_decode(KLM_SLICE(bytes, i), &out) != KLM_OK);
    }
    for (size_t n = 42; n < whole; n++) { /* with a digest that fits */
        (void)vector();
        CHECK(decode_signed(n, &out) != KLM_OK);
    }
    (void)vector();
    bytes[whole] = 0;
    CHECK_RC(decode_signed(whole + 1, &out), KLM_E_INVALID);
    (void)vector();
    bytes[9] = 2;
    CHECK_RC(ios_system_decode(KLM_SLICE(bytes, whole), &out), KLM_E_UNSUPPORTED);
    bytes[0] ^= 1;
    CHECK_RC(ios_system_decode(KLM_SLICE(bytes, whole), &out), KLM_E_INVALID);
}

TEST(what_is_over_a_limit_or_contradicts_itself_is_no_state)
{
    struct ios_system_state state;

#define REFUSED(change)                                                                            \
    state = vector();                                                                              \
    change;                                                                                        \
    CHECK_RC(encode(&state), KLM_E_INVALID)
    REFUSED(state.serial[0] = 'a');
    REFUSED(state.serial[11] = 0);
    REFUSED(state.name[0] = 0);
    REFUSED(state.name[0] = ' ');
    REFUSED(state.servers_n = 5);
    REFUSED(state.servers_n = 0);
    REFUSED(state.primary = 1);
    REFUSED(state.server[0].id = 2);
    REFUSED(state.server[1].id = 4);
    REFUSED(state.server[1] = (state.server[0].id = 1, state.server[0]));
    REFUSED(state.server[0].port = 0);
    REFUSED(state.server[0].host[0] = 0);
    REFUSED(state.server[0].host[3] = ' ');
    REFUSED(snprintf(state.server[1].name, 9, "primary"));
    REFUSED(memset(state.server[0].name, 'a', sizeof state.server[0].name));
    REFUSED(state.enabled = false);
    REFUSED(state.rekey = IOS_REKEY_NO);
    REFUSED(state.rekey = IOS_REKEY_PREPARING);
    REFUSED(state.rekey = 4);
    REFUSED(state.request[0] = 0);
    REFUSED(state.request[5] = ' ');
    REFUSED(state.keys_n = IOS_SYSTEM_KEYS + 1);
    REFUSED(state.keys_n = 3);
    REFUSED(state.key[0].place = 0);
    REFUSED(state.key[0].place = 5);
    REFUSED(state.key[0].place = IOS_KEY_CURRENT);
    REFUSED(state.key[0].place = IOS_KEY_PREPARED);
    REFUSED(state.key[0].number = 0);
    REFUSED(state.key[1].number = 1);
    REFUSED(state.key[3].number = IOS_SYSTEM_NUMBER_MAX + 1);
    REFUSED(state.key[1].uid[0] = 0);
    REFUSED(state.key[1].uid[0] = 0x7F);
    REFUSED(memset(state.key[1].uid, 'a', sizeof state.key[1].uid));
    state = plain_state();
    CHECK_RC(encode(&state), KLM_OK);
    snprintf(state.request, sizeof state.request, "x");
    CHECK_RC(encode(&state), KLM_E_INVALID);
}

TEST(the_largest_state_has_room)
{
    struct ios_system_state state = vector(), back;

    for (unsigned i = 4; i < IOS_SYSTEM_KEYS; i++) {
        state.key[i] = state.key[2];
        state.key[i].place = IOS_KEY_OBSOLETE;
        state.key[i].number = 1000 + i;
    }
    state.keys_n = IOS_SYSTEM_KEYS;
    REQUIRE_OK(encode(&state));
    REQUIRE_OK(ios_system_decode(KLM_SLICE(bytes, bytes_n), &back));
    CHECK_INT(back.key[IOS_SYSTEM_KEYS - 1].number, 1000 + IOS_SYSTEM_KEYS - 1);
}

TEST(a_group_stands_for_a_generation)
{
    static const struct {
        uint32_t number;
        const char *group;
    } rows[] = {{1, "K00001"}, {42, "K00042"}, {IOS_SYSTEM_NUMBER_MAX, "K99999"}};
    static const char *const none[] = {"K00000", "EG0001", "K0001", "K000001",
                                       "",       "K0000A", "k00001"};
    char group[IOS_GROUP_TEXT];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        ios_system_group(rows[i].number, group);
        CHECK_STR(group, rows[i].group);
        CHECK_INT(ios_system_group_number(group), rows[i].number);
    }
    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        CHECK_INT(ios_system_group_number(none[i]), 0);
    }
}

TEST(one_process_at_a_time_changes_a_state)
{
    struct ios_system_edit one, two;
    struct klm_diag diag = {0};

    CHECK_RC(ios_system_edit_begin(test_path("none"), &diag, &one), KLM_E_NOTFOUND);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM2101E");
    put_system(test_path("locked"), 1);
    const char *dir = test_path("locked");
    REQUIRE_OK(ios_system_edit_begin(dir, &diag, &one));
    CHECK_RC(ios_system_edit_begin(dir, &diag, &two), KLM_E_BUSY);
    CHECK_INT(two.lock, -1);
    one.state.server[0].port = 99;
    REQUIRE_OK(ios_system_edit_save(&one, &diag));
    CHECK_INT(get_state(dir).server[0].port, 99);
    CHECK_INT(get_state(dir).change, 2);
    one.state.server[0].port = 0;
    CHECK_RC(ios_system_edit_save(&one, &diag), KLM_E_INVALID);
    CHECK_INT(get_state(dir).server[0].port, 99);
    ios_system_edit_end(&one);
    REQUIRE_OK(ios_system_edit_begin(dir, &diag, &two));
    ios_system_edit_end(&two);
}
