/* The session's rules as a whole table: every state with every type, compared with PROTOCOL.md
 * 1.5. */
#include "test.h"

#include "exchange/kx.h"

static const enum kx_type types[] = {
#define KX_MESSAGE(name, code, since, text) name,
#include "exchange/messages.def"
#undef KX_MESSAGE
};

/* What PROTOCOL.md says, written a second time and another way. */
static bool allowed(enum kx_state state, enum kx_type type, enum kx_state *next)
{
    bool request = type >= KX_VERIFY && type <= KX_STORED_GET;
    bool in_tls = state == KX_AWAIT_CONFIRM || state == KX_READY;

    if (in_tls && type == KX_BYE) {
        *next = KX_CLOSED;
        return true;
    }
    *next = state == KX_AWAIT_HELLO ? KX_UPGRADE : KX_READY;
    return (state == KX_AWAIT_HELLO && type == KX_HELLO) ||
           (state == KX_AWAIT_CONFIRM && type == KX_CONFIRM) || (state == KX_READY && request);
}

TEST(only_the_messages_of_the_table_may_come)
{
    for (int state = KX_AWAIT_HELLO; state <= KX_CLOSED; state++) {
        for (size_t i = 0; i < KLM_COUNT(types); i++) {
            enum kx_state next = KX_CLOSED, expected = KX_CLOSED;
            bool may = allowed((enum kx_state)state, types[i], &expected);

            CHECK_RC(kx_next((enum kx_state)state, types[i], &next), may ? KLM_OK : KLM_E_STATE);
            CHECK_INT(next, may ? expected : KX_CLOSED);
        }
    }
}

TEST(answers_have_the_high_bit_and_requests_do_not)
{
    CHECK_INT(KX_VERIFY | 0x80, KX_VERIFIED);
    CHECK_INT(KX_CREATE | 0x80, KX_CREATED);
    CHECK_INT(KX_GET | 0x80, KX_GOT);
    CHECK_INT(KX_TRANSLATE | 0x80, KX_TRANSLATED);
    CHECK_STR(kx_type_name(KX_CREATE), "KX_CREATE");
    CHECK_STR(kx_type_name((enum kx_type)0x77), "unknown");
}

TEST(the_documented_device_codes_are_known)
{
    static const uint16_t codes[] = {0xEE02, 0xEE0F, 0xEE23, 0xEE25, 0xEE29, 0xEE2B, 0xEE2C,
                                     0xEE2D, 0xEE2E, 0xEE30, 0xEE31, 0xEE32, 0xEEE1, 0xEF01};

    for (size_t i = 0; i < KLM_COUNT(codes); i++) {
        const struct kx_code *code = kx_code_find(codes[i]);
        REQUIRE(code != NULL);
        CHECK_INT(code->code, codes[i]);
        CHECK(code->group[0] && code->meaning[0] && code->action[0]);
    }
    CHECK(kx_code_find(0xEE33) == NULL);
    CHECK(kx_code_find(0) == NULL);
}
