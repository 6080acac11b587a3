/* The message table and formatting. */
#include "test.h"

#include "base/msg.h"

#include <stdlib.h>

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The table read once more here, so that the library's reading is not what is tested against
 * itself. */
static const struct {
    unsigned number;
    char severity;
    const char *name, *text, *explain, *action;
} rows[] = {
#define KLM_MSG(name, number, severity, text, explain, action)                                     \
    {number, severity, #name, text, explain, action},
#include "base/msg.def"
#undef KLM_MSG
};

TEST(numbers_and_names_are_unique)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK(rows[i].number > 0 && rows[i].number < 10000);
        for (size_t k = 0; k < i; k++) {
            if (rows[i].number == rows[k].number) {
                printf("# number %u twice: %s, %s\n", rows[i].number, rows[i].name, rows[k].name);
            }
            CHECK(rows[i].number != rows[k].number);
        }
    }
}

TEST(each_range_is_sorted)
{
    for (size_t i = 1; i < KLM_COUNT(rows); i++) {
        if (rows[i].number / 100 == rows[i - 1].number / 100 &&
            rows[i].number <= rows[i - 1].number) {
            printf("# %s is out of order\n", rows[i].name);
            CHECK(rows[i].number > rows[i - 1].number);
        }
    }
}

TEST(each_row_is_complete)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        bool fine = strchr("IWEA", rows[i].severity) && rows[i].severity && rows[i].text[0] &&
                    strlen(rows[i].explain) > 3 && strlen(rows[i].action) > 3;

        if (!fine) {
            printf("# %s is not complete\n", rows[i].name);
        }
        CHECK(fine);
    }
}

/* The highest insert of a text plus one, and that none below it is left out. */
TEST(inserts_are_counted_and_none_is_left_out)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        const struct klm_msg *msg = klm_msg((enum klm_msg_id)(i + 1));
        unsigned count = 0;

        for (char n = '0'; n <= '9'; n++) {
            char insert[] = {'{', n, '}', '\0'};

            if (strstr(rows[i].text, insert)) {
                CHECK_INT(n - '0', count);
                count++;
            }
        }
        CHECK_INT(msg->inserts, count);
        CHECK_STR(msg->text, rows[i].text);
    }
}

TEST(identifiers_are_made_from_number_and_severity_and_found_again)
{
    char id[24];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        snprintf(id, sizeof id, "KLM%04u%c", rows[i].number, rows[i].severity);
        CHECK_STR(klm_msg((enum klm_msg_id)(i + 1))->id, id);
        CHECK_INT(klm_msg_find(id), i + 1);
    }
    CHECK_STR(klm_msg(KLM_MSG_FILE_OPEN)->id, "KLM0001E");
}

TEST(unknown_identifiers_are_not_found)
{
    CHECK_INT(klm_msg_find("KLM0001W"), KLM_MSG_NONE);
    CHECK_INT(klm_msg_find("KLM001E"), KLM_MSG_NONE);
    CHECK_INT(klm_msg_find(""), KLM_MSG_NONE);
    CHECK_INT(klm_msg_find("KLM0000I"), KLM_MSG_NONE);
    CHECK(klm_msg(KLM_MSG_COUNT_) == klm_msg(KLM_MSG_NONE));
    CHECK(klm_msg((enum klm_msg_id) - 1) == klm_msg(KLM_MSG_NONE));
}

TEST(inserts_are_put_in_their_places)
{
    char out[KLM_MSG_TEXT_MAX];

    CHECK(klm_msg_format(KLM_MSG_FILE_OPEN, ARGS("/a/b", "No such file"), out, sizeof out) == out);
    CHECK_STR(out, "KLM0001E File /a/b cannot be opened: No such file");
}

TEST(a_missing_insert_is_a_question_mark_and_one_too_many_is_left_out)
{
    char out[KLM_MSG_TEXT_MAX];

    klm_msg_format(KLM_MSG_FILE_OPEN, ARGS("/a/b"), out, sizeof out);
    CHECK_STR(out, "KLM0001E File /a/b cannot be opened: ?");
    klm_msg_format(KLM_MSG_FILE_OPEN, NULL, out, sizeof out);
    CHECK_STR(out, "KLM0001E File ? cannot be opened: ?");
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS("x", "y"), out, sizeof out);
    CHECK_STR(out, "KLM0005E No memory for x");
}

TEST(an_insert_is_never_read_as_text_with_inserts)
{
    char out[KLM_MSG_TEXT_MAX];

    klm_msg_format(KLM_MSG_FILE_OPEN, ARGS("{1}%s%n", "x"), out, sizeof out);
    CHECK_STR(out, "KLM0001E File {1}%s%n cannot be opened: x");
}

/* What a peer could use to forge a line or to command a terminal. */
TEST(control_characters_of_inserts_become_dots)
{
    char out[KLM_MSG_TEXT_MAX];

    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS("a\nKLM0001I b\r\x1b[2J\x7f\tc"), out, sizeof out);
    CHECK_STR(out, "KLM0005E No memory for a.KLM0001I b..[2J..c");
    klm_msg_format(KLM_MSG_NO_MEMORY,
                   ARGS("\xc2\x9b"
                        "31m\x9b"
                        "31m"),
                   out, sizeof out);
    CHECK_STR(out, "KLM0005E No memory for ..31m.31m");
}

TEST(utf8_is_kept_and_broken_utf8_is_not)
{
    char out[KLM_MSG_TEXT_MAX];

    klm_msg_format(KLM_MSG_NO_MEMORY,
                   ARGS("Schl\xc3\xbcssel \xe2\x82\xac \xf0\x9f\x94\x91 \xc2\xa0"), out,
                   sizeof out);
    CHECK_STR(out,
              "KLM0005E No memory for Schl\xc3\xbcssel \xe2\x82\xac \xf0\x9f\x94\x91 \xc2\xa0");
    /* overlong, surrogate, above U+10FFFF, cut off */
    klm_msg_format(KLM_MSG_NO_MEMORY,
                   ARGS("\xc0\xaf|\xe0\x80\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82"), out,
                   sizeof out);
    CHECK_STR(out, "KLM0005E No memory for ..|...|...|....|..");
}

TEST(a_long_insert_is_cut_at_256_bytes)
{
    char arg[400], out[KLM_MSG_TEXT_MAX];
    const char *text = out + strlen("KLM0005E No memory for ");

    memset(arg, 'x', sizeof arg);
    arg[256] = '\0';
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS(arg), out, sizeof out);
    CHECK_STR(text, arg);
    arg[256] = 'x';
    arg[257] = '\0';
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS(arg), out, sizeof out);
    CHECK_INT(strlen(text), 259);
    CHECK_STR(text + 256, "...");
}

TEST(a_long_insert_is_not_cut_within_a_character)
{
    char arg[400], out[KLM_MSG_TEXT_MAX];
    const char *text = out + strlen("KLM0005E No memory for ");

    memset(arg, 'x', 255);
    memcpy(arg + 255, "\xc3\xbc", 3);
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS(arg), out, sizeof out);
    CHECK_INT(strlen(text), 258);
    CHECK_STR(text + 255, "...");
}

TEST(a_small_output_is_cut_and_ended)
{
    char out[16] = "untouched";

    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS("x"), out, 0);
    CHECK_STR(out, "untouched");
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS("x"), out, 1);
    CHECK_STR(out, "");
    klm_msg_format(KLM_MSG_NO_MEMORY, ARGS("x"), out, 13);
    CHECK_STR(out, "KLM0005E No ");
    klm_msg_format(KLM_MSG_FILE_OPEN, ARGS("\xc3\xbc"), out, sizeof out);
    CHECK_STR(out, "KLM0001E File \0");
}

TEST(numbers_become_inserts)
{
    CHECK_STR(KLM_NUM(-5), "-5");
    CHECK_STR(KLM_NUM(INT64_MIN), "-9223372036854775808");
    CHECK_STR(KLM_NUM(INT64_MAX), "9223372036854775807");
}

TEST(a_failure_fills_the_diag_and_keeps_its_place)
{
    struct klm_diag diag = {.line = 7, .column = 3};

    CHECK_RC(klm_fail(&diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, "f", KLM_NUM(10)), KLM_E_LIMIT);
    CHECK_INT(diag.msg, KLM_MSG_FILE_TOO_LONG);
    CHECK_STR(diag.text, "KLM0004E File f is longer than 10 bytes");
    CHECK(diag.line == 7 && diag.column == 3);
    CHECK_RC(klm_fail(NULL, KLM_E_IO, KLM_MSG_NO_MEMORY, "f"), KLM_E_IO);
    CHECK_RC(klm_fail(&diag, KLM_E_IO, KLM_MSG_NO_MEMORY), KLM_E_IO);
    CHECK_STR(diag.text, "KLM0005E No memory for ?");
}

TEST(a_sentence_is_the_message_without_its_identifier)
{
    char text[KLM_MSG_TEXT_MAX];
    const char *args[] = {"X", "gone", NULL};

    klm_msg_format(KLM_MSG_FILE_OPEN, args, text, sizeof text);
    CHECK_STR(klm_msg_sentence(KLM_MSG_FILE_OPEN, text), "File X cannot be opened: gone");
    CHECK_STR(klm_msg_sentence(KLM_MSG_FILE_READ, text), text); /* of another message */
    CHECK_STR(klm_msg_sentence(KLM_MSG_FILE_OPEN, "KLM0001E"), "KLM0001E");
    CHECK_STR(klm_msg_sentence(KLM_MSG_FILE_OPEN, "KLM0001EX"), "KLM0001EX");
    CHECK_STR(klm_msg_sentence(KLM_MSG_FILE_OPEN, ""), "");
}
