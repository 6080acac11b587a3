/* IECIOSxx members and SETIOS commands. */
#include "parmlib/iecios.h"

#include "base/file.h"
#include "parmlib/member.h"
#include "test.h"

#include <stdlib.h>

static struct parm_ekm ekm;
static struct klm_diag diag;

static klm_rc read_n(const char *text, size_t n)
{
    parm_ekm_init(&ekm);
    diag = (struct klm_diag){0};
    return parm_ekm_member(KLM_SLICE(text, n), "IECIOS00", &ekm, &diag);
}

static klm_rc read_text(const char *text)
{
    return read_n(text, strlen(text));
}

static void hosts(const char *text, const char *primary, const char *secondary)
{
    char shown[300];

    CHECK_RC(read_text(text), KLM_OK);
    parm_ekm_show(&ekm.primary, shown, sizeof shown);
    CHECK_STR(shown, primary);
    parm_ekm_show(&ekm.secondary, shown, sizeof shown);
    CHECK_STR(shown, secondary);
}

static void refused(const char *text, enum klm_msg_id msg, unsigned line, unsigned column)
{
    CHECK_RC(read_text(text), KLM_E_INVALID);
    CHECK_INT(diag.msg, msg);
    CHECK_INT(diag.line, line);
    CHECK_INT(diag.column, column);
    CHECK_STR(ekm.primary.host, "");
    CHECK_INT(ekm.maxconn, 255);
}

TEST(the_form_of_the_reference_is_read)
{
    hosts("EKM PRIMARY=x.yy.zz.243:3801\nEKM SECONDARY=x.yy.zz.244:3801\n", "x.yy.zz.243:3801",
          "x.yy.zz.244:3801");
    CHECK_INT(ekm.maxconn, 255);
    CHECK_INT(ekm.maxpconn, 8);
}

TEST(every_operand_is_read)
{
    hosts("EKM,PRIMARY=ekm1.example.com,PRIPORT=4000,SECONDARY=192.0.2.7:4001,MAXCONN=100,MAXPCONN="
          "20",
          "ekm1.example.com:4000", "192.0.2.7:4001");
    CHECK_INT(ekm.maxconn, 100);
    CHECK_INT(ekm.maxpconn, 20);
    CHECK(!ekm.primary.ipv6);
    hosts("EKM PRIPORT=1,PRIMARY=a", "a:1", "NONE");
    hosts("ekm primary=A.b,secondary=None", "A.b:3801", "NONE");
    hosts("EKM", "NONE", "NONE");
    hosts("", "NONE", "NONE");
}

TEST(ipv6_addresses_have_their_port_apart)
{
    hosts("EKM PRIMARY=2001:db8::1428:57ab,SECONDARY=::1,SECPORT=65535",
          "2001:db8::1428:57ab..3801", "::1..65535");
    CHECK(ekm.primary.ipv6);
    refused("EKM PRIMARY=2001:db8::1428:57ab:99999", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=[::1]:3801", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=:::", KLM_MSG_EKM_HOST, 1, 13);
}

TEST(statements_add_up_in_order)
{
    hosts("EKM PRIMARY=a,SECONDARY=b,MAXCONN=5\nEKM PRIMARY=c:1\nEKM SECONDARY=NONE", "c:1",
          "NONE");
    CHECK_INT(ekm.maxconn, 5);
}

TEST(a_comma_at_the_end_continues_a_statement)
{
    hosts("EKM PRIMARY=a,\n    SECONDARY=b, \n  /* note */\n\nMAXCONN=9\n", "a:3801", "b:3801");
    CHECK_INT(ekm.maxconn, 9);
    hosts("EKM PRIMARY=a,   /* the first */\r\n SECONDARY=b\r\n", "a:3801", "b:3801");
}

TEST(comments_may_span_lines)
{
    hosts(
        "/* EKM PRIMARY=x\n EKM PRIMARY=y */ EKM PRIMARY=a /* z */\n/**/EKM SECONDARY=b/* EKM\n*/",
        "a:3801", "b:3801");
    hosts("/*/ EKM PRIMARY=x */", "NONE", "NONE");
    refused("EKM PRIMARY=a\n  /* open\nEKM SECONDARY=b\n", KLM_MSG_EKM_COMMENT, 2, 3);
    refused("EKM PRIMARY=a /*", KLM_MSG_EKM_COMMENT, 1, 15);
}

TEST(other_statements_are_passed_over_whole)
{
    hosts("MIH TIME=00:15,DEV=(0120-0130),\n  DASD=EKM,\n  EKM PRIMARY=x\nHOTIO DVTHRSH=200\nEKMX "
          "PRIMARY=y\nTAPEAUTHDSN=YES\n"
          "EKM PRIMARY=a\n",
          "a:3801", "NONE");
    hosts("MIH TIME=00:15,", "NONE", "NONE");
}

TEST(other_statements_may_be_longer_than_ours)
{
    char *text = malloc(10000);

    memset(text, 'x', 6000);
    snprintf(text + 6000, 4000, ",\nEKM PRIMARY=x\nEKM PRIMARY=a\n");
    hosts(text, "a:3801", "NONE");
    free(text);
}

TEST(a_statement_has_a_limit)
{
    char *text = malloc(10000);

    memset(text, ' ', 10000);
    memcpy(text, "EKM", 3);
    snprintf(text + PARM_STATEMENT_MAX - 9, 100, "PRIMARY=a");
    hosts(text, "a:3801", "NONE");
    memset(text + 3, ' ', 9000);
    snprintf(text + PARM_STATEMENT_MAX - 8, 100, "PRIMARY=a");
    refused(text, KLM_MSG_EKM_LONG, 1, 1);
    free(text);
}

TEST(a_member_has_a_limit)
{
    char *text = malloc(PARM_MEMBER_MAX + 1);

    memset(text, '\n', PARM_MEMBER_MAX + 1);
    CHECK_RC(read_n(text, PARM_MEMBER_MAX), KLM_OK);
    CHECK_RC(read_n(text, PARM_MEMBER_MAX + 1), KLM_E_LIMIT);
    free(text);
}

TEST(cards_have_data_in_columns_1_to_71)
{
    /*    0        1         2         3         4         5         6         7         8 */
    hosts("EKM PRIMARY=a                                                           00010000\n"
          "EKM SECONDARY=b,                                                        00020000\n"
          "    MAXCONN=7                                                           00030000\n",
          "a:3801", "b:3801");
    CHECK_INT(ekm.maxconn, 7);
    /* Column 72 continues, in the middle of a word too. */
    hosts("EKM PRIMARY=a.example.com,SECONDARY=b.example.com,MAXPCONN=11,MAXCONN=2X00010000\n"
          "               5                                                        00020000\n",
          "a.example.com:3801", "b.example.com:3801");
    CHECK_INT(ekm.maxconn, 25);
    /* Not 80 characters: all of it is data. */
    refused("EKM PRIMARY=a                                                           0001000\n",
            KLM_MSG_EKM_HOST, 1, 13);
}

TEST(errors_name_line_and_column)
{
    refused("EKM PRIMARY=a,\n   TERTIARY=b\n", KLM_MSG_EKM_OPERAND, 2, 4);
    CHECK_STR(diag.text, "KLM0154E Line 2, column 4 of IECIOS00: TERTIARY is no operand of EKM; "
                         "allowed: PRIMARY=, SECONDARY=, "
                         "PRIPORT=, SECPORT=, MAXCONN=, MAXPCONN=");
    refused("\n\nEKM PRIMARY", KLM_MSG_EKM_OPERAND, 3, 5);
    refused("EKM PRIMARY=a SECONDARY=b", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=a,,MAXCONN=1", KLM_MSG_EKM_OPERAND, 1, 15);
    refused("EKM PRIMARY = a", KLM_MSG_EKM_OPERAND, 1, 5);
    refused("EKM PRIMARY=a,\n MAXCONN=256", KLM_MSG_EKM_NUMBER, 2, 10);
    CHECK_STR(diag.text,
              "KLM0157E Line 2, column 10 of IECIOS00: MAXCONN cannot be 256; allowed: 1 to 255");
}

TEST(numbers_have_their_ranges)
{
    CHECK_RC(read_text("EKM MAXCONN=1,MAXPCONN=0"), KLM_OK);
    CHECK_RC(read_text("EKM MAXCONN=255,MAXPCONN=255"), KLM_OK);
    refused("EKM MAXCONN=0", KLM_MSG_EKM_NUMBER, 1, 13);
    refused("EKM MAXPCONN=256", KLM_MSG_EKM_NUMBER, 1, 14);
    refused("EKM MAXCONN=", KLM_MSG_EKM_NUMBER, 1, 13);
    refused("EKM MAXCONN=-1", KLM_MSG_EKM_NUMBER, 1, 13);
    refused("EKM MAXCONN=4294967297", KLM_MSG_EKM_NUMBER, 1, 13);
    refused("EKM PRIMARY=a:0", KLM_MSG_EKM_NUMBER, 1, 15);
    refused("EKM PRIMARY=a:65536", KLM_MSG_EKM_NUMBER, 1, 15);
    refused("EKM PRIMARY=a:", KLM_MSG_EKM_NUMBER, 1, 15);
}

TEST(ports_belong_to_one_host)
{
    refused("EKM PRIPORT=3801", KLM_MSG_EKM_PORT_ALONE, 1, 13);
    refused("EKM PRIMARY=a,SECPORT=3801", KLM_MSG_EKM_PORT_ALONE, 1, 23);
    refused("EKM PRIMARY=NONE,PRIPORT=1", KLM_MSG_EKM_PORT_ALONE, 1, 26);
    refused("EKM PRIMARY=a:1,PRIPORT=1", KLM_MSG_EKM_PORT_TWICE, 1, 25);
    refused("EKM PRIMARY=a,PRIMARY=b", KLM_MSG_EKM_TWICE, 1, 15);
}

TEST(hosts_are_names_or_addresses)
{
    char text[400] = "EKM PRIMARY=";

    refused("EKM PRIMARY=", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=1.2.3.256", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=1.2.3", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=a..b", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=-a", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=a/b", KLM_MSG_EKM_HOST, 1, 13);
    refused("EKM PRIMARY=\xC3\xA9", KLM_MSG_EKM_HOST, 1, 13);
    for (size_t i = 0; i < 253; i++) {
        text[12 + i] = i % 2 ? '.' : 'a';
    }
    CHECK_RC(read_n(text, 12 + 253), KLM_OK);
    CHECK_INT(strlen(ekm.primary.host), 253);
    memcpy(text + 12 + 253, ".a", 2);
    CHECK_RC(read_n(text, 12 + 255), KLM_E_INVALID);
    memset(text + 12, 'a', 63);
    CHECK_RC(read_n(text, 12 + 63), KLM_OK);
    memset(text + 12, 'a', 64);
    CHECK_RC(read_n(text, 12 + 64), KLM_E_INVALID);
}

TEST(control_characters_and_open_statements_are_refused)
{
    CHECK_RC(read_n("MIH\nEKM PRI\0MARY=a", 18), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_EKM_CHAR);
    CHECK_INT(diag.line, 2);
    CHECK_INT(diag.column, 8);
    refused("EKM PRIMARY=a\x1b", KLM_MSG_EKM_CHAR, 1, 14);
    refused("EKM PRIMARY=a,\n\n", KLM_MSG_EKM_OPEN, 1, 1);
}

TEST(a_bad_member_changes_nothing)
{
    struct parm_ekm was;

    CHECK_RC(read_text("EKM PRIMARY=a:1,MAXCONN=3"), KLM_OK);
    was = ekm;
    CHECK_RC(parm_ekm_member(klm_slice_str("EKM PRIMARY=b\nEKM MAXCONN=0"), "M", &ekm, NULL),
             KLM_E_INVALID);
    CHECK_STR(ekm.primary.host, was.primary.host);
    CHECK_INT(ekm.maxconn, 3);
}

TEST(setios_has_the_same_operands)
{
    CHECK_RC(read_text("EKM PRIMARY=a:1,SECONDARY=b"), KLM_OK);
    CHECK_RC(parm_ekm_setios("SETIOS EKM,PRIMARY=c,MAXPCONN=2", &ekm, &diag), KLM_OK);
    CHECK_STR(ekm.primary.host, "c");
    CHECK_INT(ekm.primary.port, 3801);
    CHECK_STR(ekm.secondary.host, "b");
    CHECK_INT(ekm.maxpconn, 2);
    CHECK_RC(parm_ekm_setios("ekm,secondary=none", &ekm, &diag), KLM_OK);
    CHECK_STR(ekm.secondary.host, "");
    CHECK_RC(parm_ekm_setios("setios ekm", &ekm, &diag), KLM_OK);
}

TEST(a_command_of_80_characters_is_no_card)
{
    char command[100] = "EKM,PRIMARY=";

    memset(command + 12, 'a', 63);
    memcpy(command + 75, ".bcde", 6);
    CHECK_INT(strlen(command), 80);
    parm_ekm_init(&ekm);
    CHECK_RC(parm_ekm_setios(command, &ekm, &diag), KLM_OK);
    CHECK_INT(strlen(ekm.primary.host), 68);
}

TEST(a_bad_setios_changes_nothing)
{
    static const char *const bad[] = {"",
                                      "SETIOS",
                                      "SETIOS MIH,DASD=00:15",
                                      "SETIOS EKM,PRIMARY",
                                      "EKMPRIMARY=a",
                                      "SETIOSEKM",
                                      "SETIOS EKM,PRIMARY=x\nEKM SECONDARY=y",
                                      "EKM,PRIMARY=x,",
                                      "EKM,PRIMARY=x,SECPORT=1",
                                      "EKM,PRIMARY=x /* open"};

    CHECK_RC(read_text("EKM PRIMARY=a:1"), KLM_OK);
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(parm_ekm_setios(bad[i], &ekm, &diag), KLM_E_INVALID);
        CHECK_STR(ekm.primary.host, "a");
    }
}

TEST(long_hosts_are_cut_when_shown)
{
    struct parm_ekm_host host = {.port = 3801};
    char shown[300];

    memset(host.host, 'h', 51);
    parm_ekm_show(&host, shown, sizeof shown);
    CHECK_INT(strlen(shown), 51 + 5);
    memset(host.host, 'h', 52);
    parm_ekm_show(&host, shown, sizeof shown);
    CHECK_INT(strlen(shown), 51 + 5);
    parm_ekm_show(&host, shown, 4);
    CHECK_STR(shown, "hhh");
}

TEST(the_shipped_member_is_read)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, 1 << 20);
    REQUIRE_OK(klm_file_read("parmlib/samples/IECIOS00", 1 << 19, &text, NULL));
    parm_ekm_init(&ekm);
    CHECK_RC(parm_ekm_member(klm_buf_as_slice(&text), "IECIOS00", &ekm, &diag), KLM_OK);
    CHECK_STR(ekm.primary.host, "localhost");
    CHECK_STR(ekm.secondary.host, "");
    CHECK_INT(ekm.maxpconn, 8);
}
