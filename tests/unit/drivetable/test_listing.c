/* What listdrives of another key manager printed. */
#include "dt_help.h"

#include "drivetable/listing.h"

static struct klm_pool *pool;
static struct dt_listing list;
static struct klm_diag diag;

static klm_rc read_text(struct klm_slice text)
{
    klm_pool_free(&pool);
    REQUIRE_OK(klm_pool_new(64 << 20, &pool));
    list = (struct dt_listing){0};
    diag = (struct klm_diag){0};
    return dt_listing_read(text, pool, &diag, &list);
}

static klm_rc read_listing(const char *text)
{
    return read_text(klm_slice_str(text));
}

TEST(serial_numbers_alone_are_a_listing)
{
    REQUIRE_OK(read_listing("# listdrives\r\n\r\n0007888422\r\n  fvtdrive0000\t\r\n"));
    CHECK_INT(list.n, 2);
    CHECK_STR(list.at[0].drive.serial, "000007888422");
    CHECK_STR(list.at[1].drive.serial, "FVTDRIVE0000");
    CHECK_INT(list.at[1].line, 4);
    CHECK(!list.at[0].refused && !list.at[1].refused);
    klm_pool_free(&pool);
}

TEST(names_and_values_belong_to_the_drive_above)
{
    REQUIRE_OK(read_listing("Drive entries: 2\n"
                            "SerialNumber = 000001365054\nAlias2 = key1c2\nAlias1 = key1c1\n"
                            "WWN: 50:05:07:63:02:40:FB:CC\nVolSer = WXY662\n"
                            "Serial-Number: 0000000017\nSym Alias = TAPES\nrec1 = null"));
    CHECK_INT(list.n, 2);
    CHECK_STR(list.at[0].drive.alias1, "key1c1");
    CHECK_STR(list.at[0].drive.alias2, "key1c2");
    CHECK_STR(list.at[0].drive.wwn, "500507630240FBCC");
    CHECK_INT(list.at[0].drive.kind, DT_3592);
    CHECK_STR(list.at[1].drive.serial, "000000000017");
    CHECK_STR(list.at[1].drive.symalias, "TAPES");
    CHECK_STR(list.at[1].drive.alias1, "");
    CHECK_INT(list.at[1].drive.kind, DT_LTO);
    klm_pool_free(&pool);
}

TEST(a_drive_with_something_wrong_is_refused_alone)
{
    REQUIRE_OK(read_listing("serial = 123\nserial = 000000000001\nwwn = 12\n"
                            "serial = 000000000002\nserial = 0000000002\n"
                            "serial = 000000000003\nkind = 3480\nserial = 000000000004\n"
                            "alias1 = 12345678901234567890123456789012345678901234567890"
                            "123456789012345\n"));
    CHECK_INT(list.n, 6);
    for (size_t i = 0; i < list.n; i++) {
        CHECK((list.at[i].refused != NULL) == (i != 2));
    }
    klm_pool_free(&pool);
}

TEST(what_is_no_listing_is_refused_whole_with_its_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {
        {"", 0},
        {"\n# listdrives\n", 2},
        {"alias1 = A\n", 1},
        {"000000000001\ncolour = red\n", 2},
        {"Drive entries: 2\n000000000001\n", 2},
        {"Drive entries: 1\n000000000001\n000000000002\n", 3},
        {"Drive entries: x\n", 1},
        {"Drives: 1\nDrives: 1\n000000000001\n", 2},
        {"Drives: 99999999\n", 1},
        {"0000000000\x01", 1},
        {"00000000000\xC3", 1},
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_INT(read_listing(bad[i].text), KLM_E_INVALID);
        CHECK_INT(diag.msg, KLM_MSG_MIGRATE_LISTING);
        CHECK_INT(diag.line, bad[i].line);
        CHECK_INT(list.n, 0);
    }
    CHECK_INT(read_text(KLM_SLICE("00000000000\0", 12)), KLM_E_INVALID);
    klm_pool_free(&pool);
}

TEST(a_line_has_a_limit)
{
    char text[512];

    memset(text, ' ', sizeof text);
    memcpy(text, "000000000001", 12);
    REQUIRE_OK(read_text(KLM_SLICE(text, sizeof text - 1)));
    CHECK_INT(read_text(KLM_SLICE(text, sizeof text)), KLM_E_INVALID);
    klm_pool_free(&pool);
}
