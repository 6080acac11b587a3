/* RDEFINE, RALTER, RDELETE, PERMIT, RLIST, SETROPTS: their words, short names, lists, and what is refused. Offline, as the program works when the task
 * is down. */
#include "console/con_help.h"

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "profile", "");
        open_house(&house, true);
    }
}

/* As they stand in the presentation, line ends and blanks included. */
TEST(the_examples_of_the_slides_work_as_they_stand)
{
    static const char *const slides[] = {
        "RDEFINE STARTED ISKLM*.* STDATA(USER(KLMSESV)  \nGROUP(TASKS) TRACE(YES))",
        "RDEFINE FACILITY IRR.DIGTCERT.LIST UACC(NONE)",
        "RDEFINE FACILITY IRR.DIGTCERT.LISTRING UACC(NONE)",
        "PERMIT IRR.DIGTCERT.LIST CLASS(FACILITY) ID(TAPEKMS) ACC(READ)",
        "PERMIT IRR.DIGTCERT.LISTRING CLASS(FACILITY) ID(TAPEKMS) ACC(READ)",
        "SETROPTS RACLIST(DIGTCERT) REFRESH",
        "RDEFINE CSFKEYS ITOPS. KLM1.CERT UACC(NONE)  ",
        "PERMIT ITOPS.KLM1.CERT CLASS(CSFKEYS) ID(KLMSERV) ACCESS(READ)",
        "RDEFINE CSFKEYS ITOPS. KLM2.CERT UACC(NONE)  ",
        "PERMIT ITOPS.KLM2.CERT CLASS(CSFKEYS) ID(KLMSERV) ACCESS(READ)",
        "SETROPTS RACLIST(CSFKEYS) REFRESH",
        "RDEFINE CSFKEYS ITOPS. KLM20.CERT UACC(NONE)",
        "PERMIT ITOPS.KLM1.CERT CLASS(CSFKEYS) ID(KLMSESV) ACCESS(READ)",
        "RDEFINE CSFKEYS ITOPS. KLM21.CERT UACC(NONE)",
        "PERMIT ITOPS.KLM2.CERT CLASS(CSFKEYS) ID(KLMSESV) ACCESS(READ)"};

    opened();
    for (size_t i = 0; i < KLM_COUNT(slides); i++) {
        SAY(slides[i], 0, "processed");
    }
    SAY("RLIST STARTED ISKLM*.*", 0, "USER(KLMSESV) GROUP(TASKS) TRACE(YES)");
    SAY("RLIST CSFKEYS ITOPS.KLM1.CERT", 0, "KLMSERV");
    SAY("RLIST CSFKEYS ITOPS.KLM20.CERT", 0, "(nobody)");
    SAY("RLIST CSFKEYS *", 0, "ITOPS.KLM21.CERT");
    SAY("RLIST STARTED ISKLM.ISKLM ALL", 0, "ISKLM*.*"); /* what protects it */
}

TEST(names_may_be_short_several_quoted_and_in_any_case)
{
    opened();
    SAY("rdef csfserv (csfkgn csfpkd, 'csfpke') uacc(read) owner(sys1)", 0,
        "RDEFINE CSFPKE processed");
    SAY("RL CSFSERV CSFPKD", 0, "SYS1");
    SAY("RALT CSFSERV CSFPKD UACC(NONE)", 0, "RALTER CSFPKD processed");
    SAY("RLIST CSFSERV CSFPKD AUTHUSER", 0, "NONE");
    SAY("PE CSFPKD CL(CSFSERV) ID(JOE)", 2, "KLM0975E");
    SAY("PE CSFPKD CLASS(CSFSERV) ID(JOE, ANN 000007888422 *)", 0, "PERMIT CSFPKD processed");
    SAY("RLIST CSFSERV CSFPKD", 0, "000007888422");
    SAY("PERMIT CSFPKD CLASS(CSFSERV) ID(JOE *) DELETE", 0, "processed");
    SAY("PERMIT CSFPKD CLASS(CSFSERV) RESET ID(BOB) ACCESS(UPDATE)", 0, "processed");
    SAY("RLIST CSFSERV CSFPKD", 0, "BOB");
    SAY("RDEL CSFSERV (CSFKGN CSFPKE)", 0, "RDELETE CSFPKE processed");
    SAY("RLIST CSFSERV CSFKGN", 1, "KLM1606E");
    SAY("SETR LIST", 0, "CSFSERV");
    SAY("SETR CLASSACT(CSFSERV CSFKEYS) RACLIST(CSFSERV)", 0, "SETROPTS processed");
    SAY("PERMIT CSFPKD CLASS(CSFSERV) ID(BOB) ACCESS(READ)", 0,
        "takes effect with SETROPTS RACLIST(CSFSERV) REFRESH");
    SAY("SETROPTS NOCLASSACT(CSFSERV CSFKEYS) NORACLIST(CSFSERV) NOGENERIC(CSFSERV)", 0,
        "processed");
    SAY("SETROPTS LIST", 0, "NO");
}

TEST(a_list_ends_with_the_first_that_fails)
{
    opened();
    SAY("RDEFINE FACILITY (FIRST TWICE TWICE LAST)", 1, "KLM1605E");
    SAY("RLIST FACILITY FIRST", 0, "FIRST");
    SAY("RLIST FACILITY LAST", 1, "KLM1606E");
}

TEST(what_is_wrongly_given_is_told_with_the_syntax)
{
    static const struct {
        const char *line;
        int status;
        const char *id;
    } wrong[] = {
        {"RDEFINE", 2, "the class"},
        {"RDEFINE CSFKEYS", 2, "the name of a profile"},
        {"RDEFINE CSFKEYS()", 2, "the name of a profile"},
        {"RDEFINE (X)", 2, "the class"},
        {"RDEFINE CSFKEYS(X) Y", 2, "KLM0975E"},
        {"RDEFINE CSFKEYS ()", 2, "the name of a profile"},
        {"RDEFINE CSFKEYS (A B", 2, "KLM0973E"},
        {"RDEFINE DATASET X.Y", 2, "KLM1603E"},
        {"RDEFINE CSFKEYS A**B", 1, "KLM1604E"},
        {"RDEFINE CSFKEYS X UACC", 2, "KLM0"},
        {"RDEFINE CSFKEYS X UACC(LOTS)", 2, "KLM1607E"},
        {"RDEFINE CSFKEYS X NOTIFY(ME)", 2, "NOTIFY"},
        {"RDEFINE STARTED X STDATA(USER(A) PRIVILEGED(YES))", 2, "PRIVILEGED"},
        {"RDEFINE CSFKEYS X STDATA(USER(A))", 2, "KLM1609E"},
        {"RDELETE CSFKEYS X UACC(NONE)", 2, "UACC"},
        {"PERMIT", 2, "the name of a profile"},
        {"PERMIT NONE.SUCH CLASS(CSFKEYS) ID(JOE)", 1, "KLM1606E"},
        {"PERMIT NONE.SUCH ID(JOE)", 2, "class"},
        {"PERMIT FIRST CLASS(FACILITY)", 2, "KLM1613E"},
        {"PERMIT FIRST CLASS(FACILITY) ID(a/b)", 1, "KLM1608E"},
        {"PERMIT FIRST CLASS(FACILITY) ID(JOE) ACCESS(WRITE)", 2, "KLM1607E"},
        {"RLIST", 2, "the class"},
        {"RLIST CSFKEYS", 2, "the name of a profile"},
        {"RLIST CSFKEYS * NORACF", 2, "NORACF"},
        {"SETROPTS", 2, "KLM1619E"},
        {"SETROPTS REFRESH", 2, "KLM1619E"},
        {"SETROPTS CLASSACT", 2, "CLASSACT"},
        {"SETROPTS CLASSACT(CSFKEYS) REFRESH", 2, "KLM1620E"},
        {"SETROPTS CLASSACT(EVERYTHING)", 2, "KLM1603E"},
        {"SETROPTS LIST(X)", 2, "LIST"},
        {"RDEFINEX CSFKEYS A", 2, "KLM0967E"},
    };

    opened();
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        SAY(wrong[i].line, wrong[i].status, wrong[i].id);
    }
}

TEST(who_may_not_change_profiles_is_refused_and_may_look)
{
    opened();
    check_answer(&house, &oper, "RDEFINE CSFKEYS MINE UACC(ALTER)", 1, "KLM0900E", __FILE__,
                 __LINE__);
    check_answer(&house, &oper, "SETROPTS NOCLASSACT(CSFKEYS)", 1, "KLM0900E", __FILE__, __LINE__);
    check_answer(&house, &oper, "RLIST FACILITY FIRST", 0, "FIRST", __FILE__, __LINE__);
    check_answer(&house, &oper, "SETROPTS LIST", 0, "CSFKEYS", __FILE__, __LINE__);
    check_answer(&house, &nobody, "RLIST FACILITY FIRST", 1, "KLM0900E", __FILE__, __LINE__);
    close_house(&house);
}
