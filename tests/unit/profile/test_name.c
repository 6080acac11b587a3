/* Names of profiles: which are allowed, what they match and which of two decides, by tables; and a second matcher, made of regular expressions, that
 * must agree on names and resources that are made at random. */
#include "test.h"

#include "base/buf.h"
#include "profile/pr.h"

#include <regex.h>
#include <stdlib.h>

TEST(classes_and_accesses_have_their_names)
{
    enum pr_class class = PR_STARTED;
    enum pr_access access = PR_NONE;

    for (int i = 0; i < PR_CLASSES; i++) {
        REQUIRE_OK(pr_class_find(pr_class_name((enum pr_class)i), &class));
        CHECK_INT(class, i);
    }
    REQUIRE_OK(pr_class_find("csfkeys", &class));
    CHECK_INT(class, PR_CSFKEYS);
    CHECK_RC(pr_class_find("DATASET", &class), KLM_E_NOTFOUND);
    CHECK_INT(class, PR_CSFKEYS);
    for (int i = PR_NONE; i <= PR_ALTER; i++) {
        REQUIRE_OK(pr_access_find(pr_access_name((enum pr_access)i), &access));
        CHECK_INT(access, i);
    }
    CHECK_RC(pr_access_find("EXECUTE", &access), KLM_E_NOTFOUND);
}

TEST(names_that_are_no_names_are_refused)
{
    static const char *const good[] = {
        "A",       "IRR.DIGTCERT.LIST",        "ISKLM*.*", "**",   "*", "%", "A.**.B", "**.B",
        "A.B%%.C", "TAPEKMS.KEYSTORE4758.LST", "A%*.B*",   "#.@.$"};
    static const char *const bad[] = {
        "",    "a",   "A B", "A..B", ".A",  "A.",  "A**", "A*B",  "**A",  "A.**.B.**", "***",
        "A'B", "A(B", "A)B", "A,B",  "A;B", "A&B", "A?B", "A\"B", "A\tB", "*A.B",      "\xc3\x84"};
    char longest[PR_NAME_MAX + 2];

    for (size_t i = 0; i < KLM_COUNT(good); i++) {
        CHECK_RC(pr_name_check(good[i]), KLM_OK);
    }
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        test_rc(pr_name_check(bad[i]), KLM_E_INVALID, bad[i], __FILE__, __LINE__, false);
    }
    memset(longest, 'A', sizeof longest);
    longest[PR_NAME_MAX] = '\0';
    CHECK_RC(pr_name_check(longest), KLM_OK);
    longest[PR_NAME_MAX] = 'A';
    longest[PR_NAME_MAX + 1] = '\0';
    CHECK_RC(pr_name_check(longest), KLM_E_LIMIT);
}

TEST(ids_are_user_ids_groups_serial_numbers_or_an_asterisk)
{
    CHECK_RC(pr_id_check("KLMSERV"), KLM_OK);
    CHECK_RC(pr_id_check("000007888422"), KLM_OK);
    CHECK_RC(pr_id_check("*"), KLM_OK);
    CHECK_RC(pr_id_check("TAPE_ADM-1.X"), KLM_OK);
    CHECK_RC(pr_id_check("A23456789012345678901234567890AB"), KLM_OK);
    CHECK_RC(pr_id_check("A23456789012345678901234567890ABC"), KLM_E_LIMIT);
    CHECK_RC(pr_id_check(""), KLM_E_INVALID);
    CHECK_RC(pr_id_check("klmserv"), KLM_E_INVALID);
    CHECK_RC(pr_id_check("**"), KLM_E_INVALID);
    CHECK_RC(pr_id_check("A B"), KLM_E_INVALID);
}

TEST(a_resource_has_one_spelling)
{
    char out[PR_RESOURCE_MAX], longer[2 * PR_RESOURCE_MAX];

    pr_resource("Tape Sol*%('x')", out);
    CHECK_STR(out, "TAPE?SOL????X??");
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    pr_resource(longer, out);
    CHECK_INT(strlen(out), PR_RESOURCE_MAX - 1);
}

/* Tables of the Command Language Reference, and their edges. */
static const struct {
    const char *name, *resource;
    bool match;
} matches[] = {
    {"ABC.DEF", "ABC.DEF", true},
    {"ABC.DEF", "ABC.DEFG", false},
    {"ABC.DEF", "ABC", false},
    {"ABC.D%F", "ABC.DEF", true},
    {"ABC.D%F", "ABC.D.F", false},
    {"ABC.D%", "ABC.D", false},
    {"ABC.D%%", "ABC.DEF", true},
    {"AB.CD.*", "AB.CD", false},
    {"AB.CD.*", "AB.CD.EF", true},
    {"AB.CD.*", "AB.CD.EF.GH", true},
    {"AB.CD.*", "AB.CDEF", false},
    {"AB.CD*", "AB.CD", true},
    {"AB.CD*", "AB.CDEF", true},
    {"AB.CD*", "AB.CD.EF", true},
    {"AB.CD*", "AB.CDEF.GH.IJ", true},
    {"AB.CD*", "AB.C", false},
    {"ABC.*.DEF", "ABC.X.DEF", true},
    {"ABC.*.DEF", "ABC.X.Y.DEF", false},
    {"ABC.*.DEF", "ABC.DEF", false},
    {"ABC.DE*.FGH", "ABC.DE.FGH", true},
    {"ABC.DE*.FGH", "ABC.DEXX.FGH", true},
    {"ABC.DE*.FGH", "ABC.DE.X.FGH", false},
    {"ABC.**", "ABC", true},
    {"ABC.**", "ABC.D", true},
    {"ABC.**", "ABC.D.E.F", true},
    {"ABC.**", "ABCD", false},
    {"ABC.**.DEF", "ABC.DEF", true},
    {"ABC.**.DEF", "ABC.X.Y.DEF", true},
    {"ABC.**.DEF", "ABC.X.Y", false},
    {"ABC.**.DEF", "ABC.DEF.X", false},
    {"**.DEF", "DEF", true},
    {"**.DEF", "A.B.DEF", true},
    {"**.DEF", "A.B.DEFG", false},
    {"*.DEF", "A.DEF", true},
    {"*.DEF", "A.B.DEF", false},
    {"**", "ANYTHING.AT.ALL", true},
    {"*", "ANYTHING.AT.ALL", true},
    {"*", "A", true},
    {"%", "A", true},
    {"%", "AB", false},
    {"ISKLM*.*", "ISKLM.ISKLM", true},
    {"ISKLM*.*", "ISKLM2.STC", true},
    {"ISKLM*.*", "ISKLM", false},
    {"A.**.B*", "A.X.BY.Z", true},
    {"A.**.%", "A.B.C", true},
    {"A.**.%", "A.B.CC", false},
    {"A.**.*.Z", "A.B.Z", true},
    {"A.**.*.Z", "A.Z", false},
};

TEST(names_match_as_the_rules_say)
{
    for (size_t i = 0; i < KLM_COUNT(matches); i++) {
        char what[100];

        snprintf(what, sizeof what, "%s and %s", matches[i].name, matches[i].resource);
        CHECK_RC(pr_name_check(matches[i].name), KLM_OK);
        test_int(pr_match(matches[i].name, matches[i].resource), matches[i].match, what, __FILE__,
                 __LINE__);
    }
}

/* Each is more specific than the next. */
static const char *const ordered[] = {"ABC.DEF.GHI", "ABC.DEF.GH*", "ABC.DEF.%HI", "ABC.DEF.*",
                                      "ABC.DEF.**",  "ABC.DE%.GHI", "ABC.DE*.GHI", "ABC.DE*",
                                      "ABC.%EF.GHI", "ABC.*.GHI",   "ABC.*",       "ABC.**.GHI",
                                      "ABC.**",      "ABC*",        "AB*.DEF.GHI", "%BC.**",
                                      "*.DEF.GHI",   "*",           "**.GHI",      "**"};

TEST(the_more_specific_name_comes_first)
{
    for (size_t i = 0; i < KLM_COUNT(ordered); i++) {
        CHECK_INT(pr_name_compare(ordered[i], ordered[i]), 0);
        for (size_t k = i + 1; k < KLM_COUNT(ordered); k++) {
            char what[100];

            snprintf(what, sizeof what, "%s before %s", ordered[i], ordered[k]);
            test_int(pr_name_compare(ordered[i], ordered[k]) < 0, 1, what, __FILE__, __LINE__);
            test_int(pr_name_compare(ordered[k], ordered[i]) > 0, 1, what, __FILE__, __LINE__);
        }
    }
}

/* ---- The same rules as regular expressions */

/* What a name means, qualifier by qualifier. */
static void expression(const char *name, struct klm_buf *out)
{
    bool first = true;

    klm_buf_text(out, "^");
    for (const char *p = name; *p; first = false) {
        size_t n = strcspn(p, ".");
        bool last = !p[n], behind_any = p - name == 3 && strncmp(name, "**.", 3) == 0;

        if (n == 2 && p[0] == '*' && p[1] == '*') {
            /* the period behind it goes with it when it is the first, else the one in front */
            klm_buf_text(out, !first ? "(\\.[^.]*)*" : last ? ".*" : "([^.]*\\.)*");
        } else {
            klm_buf_text(out, first || behind_any ? "" : "\\.");
            for (size_t i = 0; i < n; i++) {
                const char one[2] = {p[i], '\0'};

                klm_buf_text(out, p[i] == '%' ? "[^.]" : p[i] != '*' ? one : last ? ".*" : "[^.]*");
            }
        }
        p += n + !last;
    }
    klm_buf_text(out, "$");
    klm_buf_u8(out, 0);
}

static uint32_t state = 20;

static unsigned roll(unsigned n)
{
    state = state * 1664525 + 1013904223;
    return (state >> 16) % n;
}

static void make(char *out, bool generic)
{
    static const char *const part[] = {"A", "B", "AB", "BA", "%", "A%", "*", "A*", "B%*", "**"};
    bool any = false;

    out[0] = '\0';
    for (unsigned i = 0, n = 1 + roll(4); i < n; i++) {
        unsigned which = roll(generic ? KLM_COUNT(part) : 4);

        which = which == 9 && any ? 6 : which;
        any = any || which == 9;
        snprintf(out + strlen(out), 64 - strlen(out), "%s%s", i ? "." : "", part[which]);
    }
}

TEST(a_matcher_of_regular_expressions_agrees)
{
    unsigned yes = 0;

    for (unsigned i = 0; i < 3000; i++) {
        char name[64];
        struct klm_buf text;
        regex_t regex;

        make(name, true);
        REQUIRE_OK(pr_name_check(name));
        klm_buf_init(&text, 4096);
        expression(name, &text);
        REQUIRE_OK(klm_buf_rc(&text));
        REQUIRE(regcomp(&regex, (const char *)text.p, REG_EXTENDED | REG_NOSUB) == 0);
        for (unsigned k = 0; k < 20; k++) {
            char resource[64], what[160];
            bool want;

            make(resource, false);
            want = regexec(&regex, resource, 0, NULL, 0) == 0;
            snprintf(what, sizeof what, "%s and %s", name, resource);
            test_int(pr_match(name, resource), want, what, __FILE__, __LINE__);
            yes += want;
        }
        regfree(&regex);
        klm_buf_done(&text);
    }
    CHECK(yes > 5000);
}
