/* SETIOS on a member: EKM statements are replaced, everything else stays, and the result always reads back. */
#include "test.h"

#include "base/file.h"
#include "ios/setios.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct parm_ekm ekm;
static struct klm_diag diag;

#define NEW "EKM PRIMARY=a:1\nEKM SECONDARY=NONE\nEKM MAXCONN=255,MAXPCONN=8\n"

/* The member with PRIMARY=a:1 set in whatever it says. */
static const char *edited(const char *text)
{
    static struct klm_buf out;

    klm_buf_done(&out);
    klm_buf_init(&out, 1 << 20);
    parm_ekm_init(&ekm);
    diag = (struct klm_diag){0};
    CHECK_RC(parm_ekm_setios("EKM,PRIMARY=a:1", &ekm, &diag), KLM_OK);
    CHECK_RC(ios_member_edit(klm_slice_str(text), &ekm, &out, &diag), KLM_OK);
    klm_buf_u8(&out, 0);
    return (const char *)out.p;
}

TEST(statements_are_replaced_where_they_stood)
{
    CHECK_STR(edited("EKM PRIMARY=x\n"), NEW);
    CHECK_STR(edited("MIH TIME=00:15\nEKM PRIMARY=x\nHOTIO DVTHRSH=150\nEKM SECONDARY=y\n"),
              "MIH TIME=00:15\n" NEW "HOTIO DVTHRSH=150\n");
    CHECK_STR(edited("  ekm,primary=x,\n   MAXCONN=3\nMIH TIME=00:15"), NEW "MIH TIME=00:15\n");
}

TEST(a_member_without_statements_gets_them_at_its_end)
{
    CHECK_STR(edited(""), NEW);
    CHECK_STR(edited("MIH TIME=00:15"), "MIH TIME=00:15\n" NEW);
    CHECK_STR(edited("/* EKM PRIMARY=x */\n"), "/* EKM PRIMARY=x */\n" NEW);
}

TEST(comments_stay)
{
    CHECK_STR(edited("/* one */\nEKM PRIMARY=x /* two */\n/* three */\n"),
              "/* one */\n" NEW "              /* two */\n/* three */\n");
    CHECK_STR(edited("EKM PRIMARY=x /* begins\n goes on\n ends */ EKM SECONDARY=y\nMIH A=1\n"),
              NEW "              /* begins\n goes on\n ends */\nMIH A=1\n");
    CHECK_STR(edited("/* begins\n ends */ EKM PRIMARY=x\nMIH A=1\n"),
              "/* begins\n ends */\n" NEW "MIH A=1\n");
    CHECK_STR(edited("EKM PRIMARY=x,\n/* inside */\n  MAXCONN=1\n"), NEW "/* inside */\n");
}

TEST(statements_of_others_that_look_like_ours_stay)
{
    CHECK_STR(edited("EKMX A=1\n"), "EKMX A=1\n" NEW);
    CHECK_STR(edited("MIH A=1,\nEKM PRIMARY=x\n"), "MIH A=1,\nEKM PRIMARY=x\n" NEW);
}

TEST(line_ends_of_the_member_are_kept)
{
    CHECK_STR(edited("MIH A=1\r\nEKM PRIMARY=x\r\n"),
              "MIH A=1\r\nEKM PRIMARY=a:1\r\nEKM SECONDARY=NONE\r\nEKM MAXCONN=255,MAXPCONN=8\r\n");
}

TEST(cards_of_80_are_read_as_cards)
{
    char card[82];

    /* Column 72 continues, 73 to 80 are a number. */
    snprintf(card, sizeof card, "%-71s%s", "EKM PRIMARY=x,", "X00000010\n");
    CHECK_STR(edited(card), NEW);
    snprintf(card, sizeof card, "%-71s%s", "MIH A=1", " 00000010\n");
    CHECK(strncmp(edited(card), card, 81) == 0);
}

/* "EKM PRIMARY=", 66 characters, ":1": written with a blank more, or columns 73 to 80 would be taken for a number. */
TEST(a_statement_of_exactly_80_characters_is_no_card)
{
    static struct klm_buf out;

    parm_ekm_init(&ekm);
    memset(ekm.primary.host, 'h', 66);
    ekm.primary.host[40] = '.';
    ekm.primary.port = 1;
    klm_buf_init(&out, 4096);
    CHECK_RC(ios_member_edit(klm_slice_str(""), &ekm, &out, &diag), KLM_OK);
    REQUIRE(out.n > 82);
    CHECK_MEM(out.p + 78, ":1 \nEKM", 7);
    klm_buf_done(&out);
}

TEST(ipv6_has_its_port_beside_it)
{
    static struct klm_buf out;

    parm_ekm_init(&ekm);
    REQUIRE_OK(parm_ekm_setios("EKM,SECONDARY=2001:db8::1,SECPORT=3802", &ekm, &diag));
    klm_buf_init(&out, 4096);
    CHECK_RC(ios_member_edit(klm_slice_str(""), &ekm, &out, &diag), KLM_OK);
    klm_buf_u8(&out, 0);
    CHECK_STR(
        (const char *)out.p,
        "EKM PRIMARY=NONE\nEKM SECONDARY=2001:db8::1,SECPORT=3802\nEKM MAXCONN=255,MAXPCONN=8\n");
    klm_buf_done(&out);
}

TEST(a_line_over_the_limit_is_refused)
{
    static char text[4200];
    static struct klm_buf out;

    memset(text, 'A', 4097);
    parm_ekm_init(&ekm);
    klm_buf_init(&out, 1 << 20);
    CHECK_RC(ios_member_edit(klm_slice_str(text), &ekm, &out, &diag), KLM_E_LIMIT);
    CHECK_INT(diag.msg, KLM_MSG_IOS_SETIOS);
    CHECK_INT(out.n, 0);
    text[4096] = '\0';
    CHECK_RC(ios_member_edit(klm_slice_str(text), &ekm, &out, &diag), KLM_OK);
    klm_buf_done(&out);
}

/* ---- On a file */

static void save(const char *path, const char *text, mode_t mode)
{
    (void)unlink(path);
    REQUIRE_OK(klm_file_create(path, klm_slice_str(text), mode, NULL));
}

static const char *load(const char *path)
{
    static struct klm_buf buf;

    klm_buf_done(&buf);
    klm_buf_init(&buf, 1 << 20);
    REQUIRE_OK(klm_file_read(path, 1 << 20, &buf, NULL));
    klm_buf_u8(&buf, 0);
    return (const char *)buf.p;
}

TEST(setios_adds_to_what_the_member_says_and_keeps_its_mode)
{
    const char *path = test_path("IECIOS01");
    struct stat st;

    save(path, "EKM PRIMARY=one:11\nEKM MAXPCONN=3\n", 0640);
    CHECK_RC(ios_setios(path, "SETIOS EKM,SECONDARY=two:22", &ekm, &diag), KLM_OK);
    CHECK_STR(ekm.primary.host, "one");
    CHECK_STR(ekm.secondary.host, "two");
    CHECK_STR(load(path), "EKM PRIMARY=one:11\nEKM SECONDARY=two:22\nEKM MAXCONN=255,MAXPCONN=3\n");
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0640);
    CHECK_RC(ios_setios(path, "EKM,PRIMARY=NONE", &ekm, &diag), KLM_OK);
    CHECK_STR(load(path), "EKM PRIMARY=NONE\nEKM SECONDARY=two:22\nEKM MAXCONN=255,MAXPCONN=3\n");
}

TEST(a_link_stays_a_link)
{
    const char *path = test_path("IECIOS02"), *link_path = test_path("IECIOSZZ");
    struct stat st;

    save(path, "EKM PRIMARY=one:11\n", 0600);
    (void)unlink(link_path);
    REQUIRE(symlink(path, link_path) == 0);
    CHECK_RC(ios_setios(link_path, "EKM,PRIMARY=two", &ekm, &diag), KLM_OK);
    REQUIRE(lstat(link_path, &st) == 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK(strstr(load(path), "PRIMARY=two:3801") != NULL);
}

TEST(a_wrong_command_or_member_changes_nothing)
{
    const char *path = test_path("IECIOS03");
    const char *bad = "EKM PRIMARY=one:11\nEKM SECONDARY\n";

    save(path, "EKM PRIMARY=one:11\n", 0600);
    CHECK_RC(ios_setios(path, "EKM,PRIMARY=two,PRIMARY=three", &ekm, &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_EKM_TWICE);
    CHECK_RC(ios_setios(path, "MIH TIME=1", &ekm, &diag), KLM_E_INVALID);
    CHECK_STR(load(path), "EKM PRIMARY=one:11\n");
    save(path, bad, 0600);
    CHECK_RC(ios_setios(path, "EKM,PRIMARY=two", &ekm, &diag), KLM_E_INVALID);
    CHECK_INT(diag.line, 2);
    CHECK_STR(load(path), bad);
    CHECK_RC(ios_setios(test_path("none"), "EKM,PRIMARY=two", &ekm, &diag), KLM_E_NOTFOUND);
}

TEST(the_shipped_member_keeps_its_comments)
{
    const char *path = test_path("IECIOS00");

    save(path, load("parmlib/samples/IECIOS00"), 0600);
    CHECK_RC(ios_setios(path, "EKM,PRIMARY=klm1:3801,SECONDARY=klm2", &ekm, &diag), KLM_OK);
    CHECK(strstr(load(path), "/* EKM SECONDARY=2001:db8::1428:57ab,SECPORT=3801") != NULL);
    CHECK(strstr(load(path), "\nEKM PRIMARY=klm1:3801\nEKM SECONDARY=klm2:3801\n") != NULL);
    CHECK(strstr(load(path), "localhost") == NULL);
}
