/* SMFPRMxx members. */
#include "parmlib/smfprm.h"

#include "base/file.h"
#include "parmlib/member.h"
#include "said.h"

static struct parm_smf smf;
static struct klm_diag diag;

static klm_rc read_as(const char *text, const char *subsystem)
{
    parm_smf_init("SYSA2345", &smf);
    diag = (struct klm_diag){0};
    said_clear();
    return parm_smf_member(klm_slice_str(text), "SMFPRM00", "SYSA2345", subsystem, &smf, &diag);
}

static klm_rc read_text(const char *text)
{
    return read_as(text, "STC");
}

static void recorded(const char *text, bool expected)
{
    CHECK_RC(read_text(text), KLM_OK);
    if (smf.recorded != expected) {
        CHECK_STR(text, expected ? "recorded" : "not recorded");
    }
}

static void refused(const char *text, unsigned line, const char *why)
{
    struct parm_smf before;

    CHECK_RC(read_text(text), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_SMFPRM);
    CHECK_INT(diag.line, line);
    if (!strstr(diag.text, why)) {
        CHECK_STR(diag.text, why);
    }
    parm_smf_init("SYSA2345", &before);
    CHECK_MEM(&smf, &before, sizeof smf); /* as it was */
}

TEST(without_a_member_there_are_defaults)
{
    parm_smf_init("Z1", &smf);
    CHECK(smf.active && smf.recorded);
    CHECK_STR(smf.sid, "Z1");
    CHECK_INT(smf.dsnames, 2);
    CHECK_STR(smf.dsname[0], "SYS1.MAN1");
    CHECK_STR(smf.dsname[1], "SYS1.MAN2");
    parm_smf_init("LONGNAME", &smf);
    CHECK_STR(smf.sid, "LONG");
}

TEST(the_name_of_the_system_comes_from_the_host)
{
    static const char *const rows[][2] = {
        {"zlinux1.example.com", "ZLINUX1"},
        {"tape-server-01", "TAPESERV"},
        {"", "LINUX"},
        {"_._", "LINUX"},
        {"\xC3\xA4", "LINUX"},
        {"a", "A"},
    };
    char name[9];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        parm_smf_sysname(rows[i][0], name);
        CHECK_STR(name, rows[i][1]);
    }
}

TEST(the_shipped_member_is_read)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, 1 << 16);
    REQUIRE_OK(klm_file_read("parmlib/samples/SMFPRM00", 1 << 15, &text, NULL));
    klm_buf_u8(&text, 0);
    CHECK_RC(read_text((const char *)text.p), KLM_OK);
    CHECK_STR(said_text, "");
    CHECK(smf.recorded);
    CHECK_STR(smf.sid, "SYSA");
    CHECK_INT(smf.dsnames, 2);
    CHECK_STR(smf.dsname[0], "SYS1.SYSA2345.MAN1");
    CHECK_STR(smf.dsname[1], "SYS1.SYSA2345.MAN2");
    klm_say_to(NULL, NULL);
}

/* As an installation has it: cards with sequence numbers, comments over lines, everything SMFPRMxx knows. */
TEST(a_member_as_installations_write_it_is_read)
{
    static const char member[] =
        "ACTIVE                    /* ACTIVE SMF RECORDING              */       00010000\n"
        "DSNAME(SYS1.MANX,         /* DATA SETS,                        */       00020000\n"
        "       SYS1.MANY          /* THREE OF THEM                     */       00030000\n"
        "       , SYS1.MANZ)                                                     00040000\n"
        "NOPROMPT REC(PERM) MAXDORM(3000) STATUS(010000)\r\n"
        "JWT(0010),SID(&SYSNAME(5:4)) LISTDSN\n"
        "LASTDS(MSG) NOBUFFS(MSG)\n"
        "INTVAL(30) SYNCVAL(00) DDCONS(NO)\n"
        "SYS(NOTYPE(4,5,14:19,62:69,99),EXITS(IEFU83,IEFU84,\n"
        "    IEFACTRT),INTERVAL(SMF,SYNC),NODETAIL)\n"
        "SUBSYS(STC,EXITS(IEFU29,IEFU83)) /* NO TYPE HERE */\n"
        "SUBSYS(JES2,NOTYPE(83),NOEXITS)\n";

    CHECK_RC(read_text(member), KLM_OK);
    CHECK_STR(said_text, "");
    CHECK(smf.recorded && smf.active);
    CHECK_STR(smf.sid, "2345");
    CHECK_INT(smf.dsnames, 3);
    CHECK_STR(smf.dsname[2], "SYS1.MANZ");
    klm_say_to(NULL, NULL);
}

TEST(type_and_notype_decide)
{
    recorded("", true);
    recorded("ACTIVE", true);
    recorded("NOACTIVE", false);
    recorded("NOACTIVE SYS(TYPE(83))", false);
    recorded("SYS(TYPE(83))", true);
    recorded("sys(type(83))", true);
    recorded("SYS(TYPE(30,80))", false);
    recorded("SYS(TYPE(80:83))", true);
    recorded("SYS(TYPE(0:82,84:255))", false);
    recorded("SYS(TYPE(83(6)))", true);
    recorded("SYS(TYPE(83(1:5,7)))", false);
    recorded("SYS(TYPE(83(1,4:7)))", true);
    recorded("SYS(NOTYPE(83))", false);
    recorded("SYS(NOTYPE(83(6)))", false);
    recorded("SYS(NOTYPE(83(1:5)))", true);
    recorded("SYS(NOTYPE(14:19))", true);
    recorded("SYS(NODETAIL)", true);
    recorded("SYS(EXITS(IEFU83),TYPE(2047,83))", true);
    klm_say_to(NULL, NULL);
}

TEST(subsys_of_our_subsystem_wins_over_sys)
{
    recorded("SYS(TYPE(30)) SUBSYS(STC,TYPE(83))", true);
    recorded("SUBSYS(STC,NOTYPE(83)) SYS(TYPE(83))", false);
    recorded("SYS(TYPE(83)) SUBSYS(JES2,NOTYPE(83))", true);
    recorded("SYS(NOTYPE(83)) SUBSYS(STC,NODETAIL)", false);
    CHECK_RC(read_as("SYS(TYPE(30)) SUBSYS(KLM,TYPE(83))", "klm"), KLM_OK);
    CHECK(smf.recorded);
    CHECK_RC(read_as("SYS(TYPE(83)) SUBSYS(STC,TYPE(30))", "KLM"), KLM_OK);
    CHECK(smf.recorded);
    klm_say_to(NULL, NULL);
}

TEST(symbols_are_resolved)
{
    CHECK_RC(
        read_text("DSNAME(A.&SYSNAME,&SYSNAME..B,&SYSNAME(1:2).&SYSNAME(3:2)..X,C.&SYSNAME(4).N,"
                  "D.V&SYSCLONE)"),
        KLM_OK);
    CHECK_STR(smf.dsname[0], "A.SYSA2345");
    CHECK_STR(smf.dsname[1], "SYSA2345.B");
    CHECK_STR(smf.dsname[2], "SYSA.X");
    CHECK_STR(smf.dsname[3], "C.AN");
    CHECK_STR(smf.dsname[4], "D.V45");
    CHECK_RC(read_text("SID(&SYSNAME(7:9))"), KLM_OK);
    CHECK_STR(smf.sid, "45"); /* what is there of it */
    klm_say_to(NULL, NULL);
}

TEST(unknown_keywords_are_said_with_their_line_and_passed_over)
{
    char many[60 * 8 + 1] = "";

    CHECK_RC(read_text("ACTIVE\nWHATEVER(X(Y))\nSYS(TYPE(83),STRANGE)\nSID(ABCD)"), KLM_OK);
    CHECK(said("KLM0765W Line 2 of SMFPRM00: WHATEVER "));
    CHECK(said("KLM0765W Line 3 of SMFPRM00: STRANGE "));
    CHECK_INT(said_times("KLM0765W"), 2);
    CHECK_STR(smf.sid, "ABCD");
    for (size_t i = 0; i < 60; i++) {
        memcpy(many + 8 * i, "UNHEARD ", 8);
    }
    CHECK_RC(read_text(many), KLM_OK);
    CHECK_INT(said_times("KLM0765W"), 50);
    klm_say_to(NULL, NULL);
}

TEST(what_cannot_be_understood_is_refused_with_its_line)
{
    refused("ACTIVE\nSID", 2, "SID needs a value");
    refused("SID()", 1, "is no system identifier");
    refused("SID(ABCDE)", 1, "ABCDE is no system identifier");
    refused("SID(A-B)", 1, "A-B is no system identifier");
    refused("SID(&OTHER)", 1, "system symbol");
    refused("SID(&SYSNAME(0:4))", 1, "substring");
    refused("SID(&SYSNAME(1:))", 1, "substring");
    refused("SID(&SYSNAME(9:4))", 1, "is no system identifier"); /* nothing of it is there */
    refused("DSNAME", 1, "DSNAME needs a value");
    refused("DSNAME()", 1, "DSNAME needs a value");
    refused("DSNAME(SYS1..MAN1)", 1, "SYS1..MAN1 is no data set name");
    refused("DSNAME(SYS1.MAN1.)", 1, "is no data set name");
    refused("DSNAME(../X)", 1, "is no data set name");
    refused("DSNAME(A/B)", 1, "is no data set name");
    refused("DSNAME(QUALIFIER.X)", 1, "is no data set name");
    refused("DSNAME(\nA2345678.A2345678.A2345678.A2345678.A2345678.A)", 1, "is no data set name");
    refused("DSNAME(SYS1.A,\nSYS1.B,SYS1.A)", 1, "SYS1.A stands twice");
    refused("SYS", 1, "SYS needs a value");
    refused("SYS(TYPE)", 1, "TYPE needs a value");
    refused("SYS(TYPE())", 1, "TYPE needs a value");
    refused("SYS(TYPE(83),\nNOTYPE(30))", 2, "NOTYPE is given besides");
    refused("SYS(TYPE(X))", 1, "X is no record type");
    refused("SYS(TYPE(2048))", 1, "2048 is no record type");
    refused("SYS(TYPE(4294967379))", 1, "is no record type"); /* 83, and 2 to the 32nd */
    refused("SYS(TYPE(99:83))", 1, "99:83 is no record type");
    refused("SYS(TYPE(83:))", 1, "is no record type");
    refused("SYS(TYPE(83(6))", 1, "is not closed");
    refused("SYS(TYPE(83(6,)))", 1, "is no record type");
    refused("SYS(TYPE(83(32768)))", 1, "is no record type");
    refused("SYS(TYPE(30 83 (6)))", 1, "(6) is no record type");
    refused("SYS(TYPE(80:83(6)))", 1, "is no record type");
    refused("SUBSYS(TOOLONG,TYPE(83))", 1, "TOOLONG is no subsystem name");
    refused("SUBSYS()", 1, "SUBSYS needs a value");
    refused("SUBSYS", 1, "SUBSYS needs a value");
    refused("ACTIVE)", 1, ") closes nothing");
    refused("\n\n(ACTIVE)", 3, "stands where a keyword is expected");
    refused("SYS(TYPE(83)", 1, "( is not closed");
    refused("A(B(C(D(E()))))", 1, "( is nested too deep");
    refused("ACTIVE\n/* never\nends", 2, "/* is a comment without end");
    refused("ACTIVE\x01", 1, "a control character");
    klm_say_to(NULL, NULL);
}

TEST(limits_hold)
{
    char names[2000] = "DSNAME(", *big;
    char word[140];
    size_t n = strlen(names);

    for (unsigned i = 0; i <= PARM_SMF_DATASETS; i++) {
        n += (size_t)snprintf(names + n, sizeof names - n, "%sSYS1.MAN%u", i ? "," : "", i);
        if (i == PARM_SMF_DATASETS - 1) {
            char whole[2000];

            snprintf(whole, sizeof whole, "%s)", names);
            CHECK_RC(read_text(whole), KLM_OK);
            CHECK_INT(smf.dsnames, PARM_SMF_DATASETS);
        }
    }
    snprintf(names + n, sizeof names - n, ")");
    refused(names, 1, "more than 36 names");
    memset(word, 'W', sizeof word);
    word[128] = '\0';
    CHECK_RC(read_text(word), KLM_OK);
    word[128] = 'W';
    word[129] = '\0';
    refused(word, 1, "is too long");
    memcpy(word, "SID(", 4);
    word[135] = ')';
    word[136] = '\0';
    memset(word + 4, 'X', 131);
    refused(word, 1, "is too long");
    big = malloc(PARM_MEMBER_MAX + 2);
    REQUIRE(big != NULL);
    memset(big, ' ', PARM_MEMBER_MAX + 1);
    big[PARM_MEMBER_MAX] = '\0';
    CHECK_RC(read_text(big), KLM_OK);
    big[PARM_MEMBER_MAX] = ' ';
    big[PARM_MEMBER_MAX + 1] = '\0';
    CHECK_RC(read_text(big), KLM_E_LIMIT);
    free(big);
    CHECK_RC(read_as("A\0B", "STC"), KLM_OK); /* a text ends there */
    parm_smf_init("S", &smf);
    CHECK_RC(parm_smf_member(KLM_SLICE("A\0B", 3), "M", "S", "STC", &smf, &diag), KLM_E_INVALID);
    CHECK_RC(parm_smf_member(KLM_SLICE(NULL, 0), "M", "S", "STC", &smf, &diag), KLM_OK);
    klm_say_to(NULL, NULL);
}
