/* Key usage events as XML: one event, and reading with refusals. */
#include "md_help.h"

static const char sample[] = "<KeyUsageEvent>\n"
                             "<driveSSN>000007888422</driveSSN>\n"
                             "<volSer>WXY662</volSer>\n"
                             "<driveWWN>500507630240FBCC</driveWWN>\n"
                             "<keyAlias2>Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21</keyAlias2>\n"
                             "<keyAlias1>Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20</keyAlias1>\n"
                             "<dateTime>Tue Oct 18 19:35:08 GMT 2011</dateTime>\n"
                             "</KeyUsageEvent>";

static const char *event(const struct md_usage *u)
{
    static char out[4096];
    struct klm_buf buf;

    klm_buf_init(&buf, sizeof out - 1);
    REQUIRE_OK(md_xml_event(u, &buf));
    memcpy(out, buf.p, buf.n);
    out[buf.n] = '\0';
    klm_buf_done(&buf);
    return out;
}

TEST(an_event_looks_like_the_documented_sample)
{
    struct md_usage u = help_usage(1);

    CHECK_STR(event(&u), sample);
}

TEST(a_key_identifier_comes_last_and_only_when_there_is_one)
{
    struct md_usage u = help_usage(1);

    CHECK(strstr(event(&u), "dki") == NULL);
    SET(u.dki, "64657300000000000000001f");
    u.alias2[0] = '\0';
    CHECK(strstr(event(&u), "</dateTime>\n<dki>64657300000000000000001f</dki>\n</KeyUsageEvent>") !=
          NULL);
    CHECK(strstr(event(&u), "<keyAlias2></keyAlias2>") != NULL);
}

TEST(markup_is_escaped_and_what_xml_cannot_hold_is_replaced)
{
    struct md_usage u = help_usage(1);

    SET(u.alias1, "a&b<c>d\"e'f ]]> \xC3\xBC");
    CHECK(strstr(event(&u),
                 "<keyAlias1>a&amp;b&lt;c&gt;d&quot;e&apos;f ]]&gt; \xC3\xBC</keyAlias1>") != NULL);
    SET(u.alias1, "a\x01\nb\xC3(\xEF\xBF\xBF!");
    CHECK(strstr(event(&u), "<keyAlias1>a??b?(?!</keyAlias1>") != NULL);
}

struct list {
    struct md_usage usage[8];
    size_t n;
    klm_rc rc;
};

static klm_rc take(void *arg, const struct md_usage *u)
{
    struct list *list = arg;

    if (list->n < KLM_COUNT(list->usage)) {
        list->usage[list->n] = *u;
    }
    list->n++;
    return list->rc;
}

static klm_rc parse(const char *text, struct list *list, struct klm_diag *diag)
{
    *list = (struct list){0};
    return md_xml_parse(klm_slice_str(text), take, list, diag);
}

TEST(a_file_of_the_product_is_read)
{
    char text[2 * sizeof sample + 100];
    struct md_usage want = help_usage(0);
    struct list list;

    snprintf(text, sizeof text,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KeyUsageEvents>%s%s</KeyUsageEvents>",
             sample, sample);
    REQUIRE_OK(parse(text, &list, NULL));
    CHECK_INT(list.n, 2);
    CHECK(help_same(&list.usage[0], &want) && help_same(&list.usage[1], &want));
    CHECK_INT(list.usage[0].number, 0);
    REQUIRE_OK(parse("<KeyUsageEvents/>", &list, NULL));
    CHECK_INT(list.n, 0);
}

TEST(the_key_of_a_tape_library_has_no_drive_and_names_its_client)
{
    struct md_usage u = {.time = T0}, want;
    struct list list;
    char text[5000];

    SET(u.volser, "XXA012");
    SET(u.alias1, "019a9d2f-7c1e-7e02-8a6b-0123456789ab");
    SET(u.client, "Lib <1>");
    memset(u.dki, 'A', MD_DKI_MAX);
    want = u;
    CHECK(strstr(event(&u), "<driveSSN></driveSSN>\n<volSer>XXA012</volSer>") != NULL);
    CHECK(strstr(event(&u), "AA</dki>\n<client>Lib &lt;1&gt;</client>\n</KeyUsageEvent>") != NULL);
    snprintf(text, sizeof text, "<KeyUsageEvents>%s</KeyUsageEvents>", event(&u));
    REQUIRE_OK(parse(text, &list, NULL));
    CHECK(list.n == 1 && help_same(&list.usage[0], &want));
    u.client[0] = '\0';
    snprintf(text, sizeof text, "<KeyUsageEvents>%s</KeyUsageEvents>", event(&u));
    CHECK_RC(parse(text, &list, NULL), KLM_E_INVALID);
}

TEST(what_was_written_is_read_back_with_every_character)
{
    struct md_usage u = help_usage(0);
    struct list list;
    char text[5000];

    SET(u.alias1, "a&b<c>d\"e'f ]]> \xC3\xBC  x ");
    SET(u.alias2, "&amp;&#10;<!--");
    SET(u.dki, "64657300000000000000001f");
    memset(u.wwn, 'F', 16);
    snprintf(text, sizeof text, "<KeyUsageEvents>%s</KeyUsageEvents>", event(&u));
    REQUIRE_OK(parse(text, &list, NULL));
    CHECK(help_same(&list.usage[0], &u));
}

TEST(children_come_in_any_order_and_unknown_ones_are_passed_by)
{
    struct list list;

    REQUIRE_OK(parse("<KeyUsageEvents><!-- c --><KeyUsageEvent a='b'><dateTime>Tue Oct 18 19:35:08 "
                     "GMT 2011</dateTime>"
                     "<site>anywhere at all, and longer than any field of ours may ever be: "
                     "0123456789 0123456789 0123456789 "
                     "0123456789 "
                     "0123456789</site><driveSSN><![CDATA[0000]]>07888422</driveSSN></"
                     "KeyUsageEvent>\n</KeyUsageEvents>\n",
                     &list, NULL));
    CHECK_INT(list.n, 1);
    CHECK_STR(list.usage[0].drive, "000007888422");
    CHECK_INT(list.usage[0].time, T0);
}

#define E(inner) "<KeyUsageEvents>\n<KeyUsageEvent>" inner "</KeyUsageEvent></KeyUsageEvents>"
#define D "<driveSSN>000007888422</driveSSN>"
#define T "<dateTime>Tue Oct 18 19:35:08 GMT 2011</dateTime>"

TEST(what_does_not_belong_there_is_refused)
{
    static const char *const bad[] = {
        "",
        " ",
        "<KeyUsageEvents>",
        "<KeyUsageEvents></KeyUsageEvent>",
        "<KeyUsageEvents></KeyUsageEvents>x",
        "<KeyUsageEvents></KeyUsageEvents><a/>",
        "<KeyUsageEvent/>",
        "<KeyUsageEvents><Other/></KeyUsageEvents>",
        "<KeyUsageEvents>text</KeyUsageEvents>",
        E(""),
        E(D),
        E(T),
        E(D T T),
        E(D D T),
        E(D T "text"),
        E(D "<dateTime>yesterday</dateTime>"),
        E(D "<dateTime>Mon Oct 18 19:35:08 GMT 2011</dateTime>"),
        E(D "<dateTime></dateTime>"),
        E(D T "<volSer>1234567</volSer>"),
        E(D T "<volSer><b/></volSer>"),
        E(D T "<volSer>&#9;</volSer>"),
        E(D T "<volSer>&unknown;</volSer>"),
        E(D T "<volSer>&#1;</volSer>"),
        E(D T "<volSer>\xC3</volSer>"),
        E(D T "<keyAlias1>0123456789012345678901234567890123456789012345678901234567890123x</"
              "keyAlias1>"),
        E(D T "<dki>0123456789012345678901234567890123456789</dki><dki/>"),
        E("<driveSSN>0000078884221</driveSSN>" T),
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        struct klm_diag diag = {0};
        struct list list;

        CHECK_RC(parse(bad[i], &list, &diag), KLM_E_INVALID);
        CHECK(strstr(diag.text, "KLM0612E") == diag.text);
        CHECK_INT(list.n, 0);
    }
}

TEST(a_refusal_names_the_line)
{
    struct klm_diag diag = {0};
    struct list list;

    CHECK_RC(parse("<KeyUsageEvents>\n\n<Other/></KeyUsageEvents>", &list, &diag), KLM_E_INVALID);
    CHECK_INT(diag.line, 3);
}

TEST(a_document_type_is_refused_before_anything_of_it_is_used)
{
    static const char *const bad[] = {
        "<!DOCTYPE KeyUsageEvents><KeyUsageEvents/>",
        "<!DOCTYPE KeyUsageEvents SYSTEM \"file:///etc/passwd\"><KeyUsageEvents/>",
        "<!DOCTYPE KeyUsageEvents SYSTEM \"http://192.0.2.1/x.dtd\"><KeyUsageEvents/>",
        "<!DOCTYPE KeyUsageEvents [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" E(
            D T "<volSer>&x;</volSer>"),
        "<!DOCTYPE KeyUsageEvents [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
        "\"&b;&b;&b;&b;&b;&b;\">]>" E(D T "<keyAlias1>&c;</keyAlias1>"),
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        struct klm_diag diag = {0};
        struct list list;

        CHECK_RC(parse(bad[i], &list, &diag), KLM_E_INVALID);
        CHECK(strstr(diag.text, "KLM0613E") == diag.text);
        CHECK_INT(list.n, 0);
    }
}

TEST(a_file_cut_short_at_any_byte_is_refused)
{
    char text[sizeof sample + 40];
    size_t n = (size_t)snprintf(text, sizeof text, "<KeyUsageEvents>%s</KeyUsageEvents>", sample);

    for (size_t cut = 0; cut < n; cut++) {
        struct list list = {0};

        CHECK_RC(md_xml_parse(KLM_SLICE(text, cut), take, &list, NULL), KLM_E_INVALID);
    }
}

TEST(the_outcome_of_the_caller_ends_the_reading)
{
    char text[3 * sizeof sample];
    struct list list = {.rc = KLM_E_STATE};

    snprintf(text, sizeof text, "<KeyUsageEvents>%s%s</KeyUsageEvents>", sample, sample);
    CHECK_RC(md_xml_parse(klm_slice_str(text), take, &list, NULL), KLM_E_STATE);
    CHECK_INT(list.n, 1);
}

TEST(a_file_over_the_limit_is_not_read)
{
    FILE *f = fopen(test_path("long.xml"), "w");
    struct list list = {0};

    REQUIRE(f != NULL);
    CHECK_INT(fprintf(f, "<KeyUsageEvents>%s</KeyUsageEvents>", sample), sizeof sample - 1 + 33);
    REQUIRE(fclose(f) == 0);
    REQUIRE_OK(md_xml_read(test_path("long.xml"), sizeof sample - 1 + 33, take, &list, NULL));
    CHECK_INT(list.n, 1);
    CHECK_RC(md_xml_read(test_path("long.xml"), sizeof sample - 1 + 32, take, &list, NULL),
             KLM_E_LIMIT);
    CHECK_RC(md_xml_read(test_path("missing.xml"), 1000, take, &list, NULL), KLM_E_NOTFOUND);
}
