/* Lists: columns side by side, with a character between, without headings, turned. */
#include "test.h"

#include "ios/table.h"

static const char *printed(char delim, bool headless, bool turned, size_t rows)
{
    static const char *const cells[][3] = {
        {"id", "name", "status"}, {"0", "a long name", "online"}, {"10", "", NULL}};
    static struct klm_buf out;
    struct ios_table table = {.columns = 3, .delim = delim, .headless = headless};

    REQUIRE_OK(klm_pool_new(0, &table.pool));
    for (size_t i = 0; i < rows; i++) {
        REQUIRE_OK(ios_table_add(&table, cells[i]));
    }
    klm_buf_done(&out);
    klm_buf_init(&out, 4096);
    ios_table_print(&table, turned, &out);
    klm_buf_u8(&out, 0);
    REQUIRE_OK(klm_buf_rc(&out));
    klm_pool_free(&table.pool);
    return (const char *)out.p;
}

TEST(columns_stand_side_by_side)
{
    CHECK_STR(printed(0, false, false, 3),
              "id name        status\n0  a long name online\n10             \n");
    CHECK_STR(printed(0, true, false, 3), "0  a long name online\n10             \n");
    CHECK_STR(printed(0, false, false, 1), "id name status\n");
    CHECK_STR(printed(0, false, false, 0), "");
    CHECK_STR(printed(0, true, false, 1), "");
}

TEST(a_character_may_stand_between_for_programs)
{
    CHECK_STR(printed(':', false, false, 3), "id:name:status\n0:a long name:online\n10::\n");
    CHECK_STR(printed(':', true, false, 2), "0:a long name:online\n");
}

TEST(one_row_may_be_turned)
{
    CHECK_STR(printed(0, false, true, 2), "id 0\nname a long name\nstatus online\n");
    CHECK_STR(printed('=', true, true, 2), "id=0\nname=a long name\nstatus=online\n");
    CHECK_STR(printed(0, false, true, 1), "");
}
