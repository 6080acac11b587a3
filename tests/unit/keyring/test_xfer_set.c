/* Sets of KEYXFER files: put together here from the golden file as the document says, and each kind of harm. */
#include "help.h"

#define HEAD "KLM-KEYSET 1\nKeys: 2\n\n"
#define MARK "Given: LTO001 1318966508000000\n"

struct found {
    size_t n;
    struct kr_xfer_item item[3];
};

static klm_rc keep(void *arg, const struct kr_xfer_item *item)
{
    struct found *found = arg;

    REQUIRE(found->n < KLM_COUNT(found->item));
    found->item[found->n++] = *item;
    return KLM_OK;
}

static const char *golden(void)
{
    struct klm_slice file = load(GOLDEN "keyxfer-aes256.txt");

    return klm_pool_strn(test_pool(), (const char *)file.p, file.n);
}

/* Head, what stands before the first and before the second key, and what is behind. */
static struct klm_slice set_of(const char *head, const char *first, const char *second,
                               const char *behind)
{
    return klm_slice_str(klm_pool_printf(test_pool(), "%s%s%s%s%s%s", head, first, golden(), second,
                                         golden(), behind));
}

static klm_rc decode(struct klm_slice file, struct found *found, enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    *found = (struct found){0};
    rc = kr_xfer_set_decode(file, test_pool(), keep, found, &diag);
    *msg = diag.msg;
    return rc;
}

TEST(a_set_put_together_by_hand_is_read_and_is_the_one_we_write)
{
    const struct klm_slice file = set_of(HEAD, MARK, "", "");
    struct klm_buf again;
    struct found found;
    enum klm_msg_id msg;

    REQUIRE_OK(decode(file, &found, &msg));
    REQUIRE(found.n == 2);
    CHECK_STR(found.item[0].label, "AES.KEY");
    CHECK_STR(found.item[0].given, "LTO001");
    CHECK(found.item[0].when == 1318966508000000);
    CHECK_STR(found.item[0].vp, "66DBBDBD1D54006B");
    CHECK_STR(found.item[1].given, "");
    klm_buf_init(&again, 65536);
    kr_xfer_set_head(2, &again);
    REQUIRE_OK(kr_xfer_set_put(&found.item[0], &again));
    REQUIRE_OK(kr_xfer_set_put(&found.item[1], &again));
    CHECK_INT(again.n, file.n);
    CHECK_MEM(again.p, file.p, file.n);
    klm_buf_done(&again);
}

TEST(an_empty_set_is_one)
{
    struct found found;
    enum klm_msg_id msg;

    CHECK_RC(decode(klm_slice_str("KLM-KEYSET 1\nKeys: 0\n\n"), &found, &msg), KLM_OK);
    CHECK_INT(found.n, 0);
}

TEST(a_set_cut_anywhere_or_one_byte_longer_is_refused)
{
    const struct klm_slice file = set_of(HEAD, MARK, MARK, "");
    struct found found;
    enum klm_msg_id msg;

    for (size_t n = 0; n < file.n; n++) {
        CHECK(decode(KLM_SLICE(file.p, n), &found, &msg) != KLM_OK);
        CHECK(msg != KLM_MSG_NONE);
    }
    CHECK_RC(decode(set_of(HEAD, "", "", "\n"), &found, &msg), KLM_E_CORRUPT);
    CHECK_RC(decode(set_of(HEAD, "", "", golden()), &found, &msg), KLM_E_CORRUPT);
}

TEST(each_line_that_is_not_as_described_is_damage)
{
    static const struct {
        const char *head, *first;
        klm_rc rc;
    } bad[] = {
        {"KLM-KEYSET 2\nKeys: 2\n\n", "", KLM_E_INVALID},
        {"KLM-KEYXFER 1\nKeys: 2\n\n", "", KLM_E_INVALID},
        {"KLM-KEYSET 1\nKeys: 2\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 3\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 1\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 02\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 16385\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: -1\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: \n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 99999999999999999999\n\n", "", KLM_E_CORRUPT},
        {"KLM-KEYSET 1\nKeys: 2 \n\n", "", KLM_E_CORRUPT},
        {HEAD, "Given: LTO001\n", KLM_E_CORRUPT},
        {HEAD, "Given:  1\n", KLM_E_CORRUPT},
        {HEAD, "Given: LTO0017 1\n", KLM_E_CORRUPT},
        {HEAD, "Given: LTO001 x\n", KLM_E_CORRUPT},
        {HEAD, "Given: LTO001 1\nGiven: LTO002 1\n", KLM_E_INVALID},
        {HEAD, "Taken: LTO001 1\n", KLM_E_INVALID},
    };
    struct found found;
    enum klm_msg_id msg;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        test_rc(decode(set_of(bad[i].head, bad[i].first, "", ""), &found, &msg), bad[i].rc,
                bad[i].first[0] ? bad[i].first : bad[i].head, __FILE__, __LINE__, false);
    }
}
