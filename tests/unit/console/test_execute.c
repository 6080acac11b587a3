/* The operator's commands: forms, quoting, options, answers. */
#include "console/con_help.h"

#include "console/internal.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "execute", "");
    }
}

static char asked[32];

static void control(void *arg, const char *what)
{
    (void)arg;
    snprintf(asked, sizeof asked, "%s", what);
}

/* ---- F, P, D */

TEST(the_three_system_commands_are_understood_in_any_case)
{
    serving();
    km_on_control(house.server, control, NULL);
    SAY("F ISKLM,APPL='version'", 0, "klmsrv ");
    SAY("  modify isklm , appl = 'VERSION'  ", 0, "klmsrv ");
    SAY("D A,ISKLM", 0, "IEE115I ");
    SAY("display activity,isklm", 0, " ISKLM    ISKLM    STC   Server is");
    asked[0] = '\0';
    SAY("P ISKLM", 0, "Stop accepted");
    CHECK_STR(asked, "stop");
    SAY("stop isklm", 0, "Stop accepted");
    km_on_control(house.server, NULL, NULL);
}

TEST(wrong_forms_are_told_with_the_right_one)
{
    serving();
    static const struct {
        const char *line, *id;
    } wrong[] = {{"", "KLM0967E"},
                 {"X ISKLM", "KLM0967E"},
                 {"FISKLM,APPL='status'", "KLM0967E"},
                 {"F OTHER,APPL='status'", "KLM0964E"},
                 {"F ISKLM", "KLM0964E"},
                 {"F ISKLM,STATUS", "KLM0965E"},
                 {"F ISKLM,APPL=status", "KLM0965E"},
                 {"F ISKLM,APPL='status", "KLM0965E"},
                 {"F ISKLM,APPL=''status''", "KLM0965E"},
                 {"F ISKLM,APPL='status' more", "KLM0965E"},
                 {"F ISKLM,APPL", "KLM0965E"},
                 {"P", "KLM0964E"},
                 {"P ISKLM2", "KLM0964E"},
                 {"P ISKLM,NOW", "KLM0964E"},
                 {"D A,L", "KLM0966E"},
                 {"D", "KLM0966E"},
                 {"D T", "KLM0966E"},
                 {"D A,ISKLM,X", "KLM0966E"},
                 {"F ISKLM,APPL=''", "KLM0969E"},
                 {"F ISKLM,APPL='   '", "KLM0969E"},
                 {"F ISKLM,APPL='nonsense'", "KLM0969E"}};

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        SAY(wrong[i].line, 2, wrong[i].id);
    }
}

TEST(a_quote_inside_the_quotes_is_written_twice)
{
    serving();
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000Q1 -rec1 it''s'", 0, "");
    SAY("F ISKLM,APPL='listdrives -drivename 0000000000Q1'", 0, "it's");
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000Q2 -rec1 it's'", 2, "KLM0965E");
}

TEST(case_of_values_is_kept_case_of_words_is_not)
{
    serving();
    SAY("f isklm,appl='ADDDRIVE -DriveName 0000000000c1 -REC1 MixedCase -rec2 \"With Blank\"'", 0,
        "");
    int status;
    const char *answer =
        say_as(&house, &oper, "F ISKLM,APPL='LISTDRIVES -V -drivename 0000000000C1'", &status);
    CHECK(strstr(answer, ": MixedCase\n") && strstr(answer, ": With Blank\n") &&
          strstr(answer, "0000000000C1"));
}

/* ---- Every command */

TEST(each_command_of_the_table_is_explained_and_does_not_fall_over_without_options)
{
    serving();
    static const char *const names[] = {
#define CON_COMMAND(name, aliases, verb, optional, handler, syntax, help) name,
#include "console/commands.def"
#undef CON_COMMAND
    };
    char line[128];

    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        int status;
        snprintf(line, sizeof line, "F ISKLM,APPL='help %s'", names[i]);
        SAY(line, 0, names[i]);
        snprintf(line, sizeof line, "F ISKLM,APPL='%s'", names[i]);
        const char *answer = say_as(&house, &nobody, line, &status);
        CHECK(status >= 0 && status <= 2);
        CHECK(answer[0] != '\0');
        snprintf(line, sizeof line, "F ISKLM,APPL='%s -nooption x'", names[i]);
        answer = say_as(&house, &nobody, line, &status);
        CHECK(status != 0 || strstr(answer, "login") || strstr(answer, "exit") ||
              strcmp(names[i], "help") == 0);
    }
    SAY("F ISKLM,APPL='help'", 0, "listdrives");
    SAY("F ISKLM,APPL='?'", 0, "modconfig");
    SAY("F ISKLM,APPL='help nosuch'", 2, "KLM0969E");
}

TEST(the_other_names_of_commands_work)
{
    serving();
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000A1'", 0, "");
    SAY("F ISKLM,APPL='deldrive -drivename 0000000000A1'", 0, "");
    SAY("F ISKLM,APPL='removedrive -drivename 0000000000A1'", 1, "KLM0204E");
    SAY("F ISKLM,APPL='quit'", 0, "exit command received");
    SAY("F ISKLM,APPL='logoff'", 0, "MYUSER");
}

TEST(key_groups_need_the_property_that_names_their_file)
{
    serving();
    SAY("F ISKLM,APPL='createkeygroup -password x'", 1, "KLM1724E");
    SAY("F ISKLM,APPL='addkeygroup'", 2, "Usage: addkeygroup");
}

TEST(sync_is_the_running_tasks_to_do)
{
    serving();
    SAY("F ISKLM,APPL='sync -all -ipaddr 1.2.3.4:1443'", 1, "KLM1304E");
    SAY("F ISKLM,APPL='sync -all'", 2, "KLM0908E");
    SAY("F ISKLM,APPL='sync -all -ipaddr 1.2.3.4:1443 -merge -rewrite'", 2, "KLM1305E");
}

TEST(options_are_checked_against_the_verbs_parameters)
{
    serving();
    SAY("F ISKLM,APPL='adddrive'", 2, "KLM0908E");
    SAY("F ISKLM,APPL='adddrive'", 2, "Usage: adddrive -drivename SERIAL");
    SAY("F ISKLM,APPL='adddrive -drivename'", 2, "KLM0972E");
    SAY("F ISKLM,APPL='adddrive -drivename -rec1 L1'", 2, "KLM0972E");
    SAY("F ISKLM,APPL='adddrive 0000000000B1'", 2, "KLM0971E");
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000B1 -colour red'", 2, "KLM0971E");
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000B10'", 2, "KLM0905E");
    SAY("F ISKLM,APPL='listdrives -limit many'", 2, "KLM0904E");
    SAY("F ISKLM,APPL='query'", 2, "KLM0953E");
    SAY("F ISKLM,APPL='query -volser ABC -alias L1'", 2, "KLM0953E");
    SAY("F ISKLM,APPL='adddrive -drivename \"0000000000B1'", 2, "KLM0962E");
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000B1 -cert none.pem'", 1, "none.pem");
    SAY("F ISKLM,APPL='listdrives -drivename 0000000000B1'", 1, "KLM0204E");
}

TEST(moddrive_without_a_value_takes_an_alias_away)
{
    serving();
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000M1 -rec1 L1 -rec2 L2'", 0, "");
    SAY("F ISKLM,APPL='moddrive -drivename 0000000000M1 -rec2'", 0, "");
    SAY("F ISKLM,APPL='listdrives -drivename 0000000000M1'", 0, "Alias 2       : -");
    SAY("F ISKLM,APPL='moddrive -rec1 -drivename 0000000000M1'", 0, "");
    SAY("F ISKLM,APPL='listdrives -drivename 0000000000M1'", 0, "Alias 1       : -");
    SAY("F ISKLM,APPL='moddrive -drivename 0000000000M1 -wwn'", 2, "KLM0972E");
}

TEST(listings_have_a_title_columns_and_a_count)
{
    serving();
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000T1 -rec1 L1'", 0, "");
    int status;
    const char *answer = say_as(&house, &oper, "F ISKLM,APPL='listdrives'", &status);
    CHECK_INT(status, 0);
    CHECK(strncmp(answer, "Drives\nSerial        Kind  Alias 1", 32) == 0);
    CHECK(strstr(answer, "0000000000T1  3592  L1") != NULL);
    CHECK(strstr(answer, " entries\n") != NULL || strstr(answer, "\n1 entry\n") != NULL);
    SAY("F ISKLM,APPL='listdrives -limit 1'", 0, "\n1 entry\n");
    SAY("F ISKLM,APPL='listpending'", 0, "0 entries");
    SAY("F ISKLM,APPL='list'", 0, "certificate and private key");
    SAY("F ISKLM,APPL='listcerts -alias L1 -v'", 0, "NISTECC 256");
    SAY("F ISKLM,APPL='list -alias NONE'", 1, "KLM0911E");
}

TEST(modconfig_sets_and_unsets)
{
    serving();
    SAY("F ISKLM,APPL='modconfig -set -property drive.default.alias1 -value \"My Label\"'", 0,
        "in memory and in the file");
    SAY("F ISKLM,APPL='listconfig -property drive.default.alias1'", 0, "My Label");
    SAY("F ISKLM,APPL='modconfig -unset -property drive.default.alias1'", 0, "");
    SAY("F ISKLM,APPL='modconfig -set -unset -property drive.default.alias1 -value x'", 2,
        "Usage: modconfig");
    SAY("F ISKLM,APPL='modconfig -set -property drive.default.alias1'", 2, "KLM0908E");
    SAY("F ISKLM,APPL='modconfig -set -property Drive.default.alias1 -value x'", 1, "KLM0958E");
    check_answer(&house, &oper,
                 "F ISKLM,APPL='modconfig -set -property key.minimum.rsa.write -value 1024'", 1,
                 "KLM0959E", __FILE__, __LINE__);
    SAY("F ISKLM,APPL='listconfig'", 0, "TransportListener.tcp.port");
    SAY("F ISKLM,APPL='refresh'", 0, "read again");
    SAY("F ISKLM,APPL='refreshks'", 0, "opened again");
}

TEST(drive_table_and_configuration_go_to_files_and_come_back)
{
    serving();
    SAY("F ISKLM,APPL='adddrive -drivename 0000000000X1 -rec1 L1'", 0, "");
    SAY("F ISKLM,APPL='export -drivetab -url FILE:drives.out'", 0, "Exported to FILE:drives.out");
    SAY("F ISKLM,APPL='deletedrive -drivename 0000000000X1'", 0, "");
    SAY("F ISKLM,APPL='import -merge -drivetab -url FILE:drives.out'", 0, "1 drives added");
    SAY("F ISKLM,APPL='listdrives -drivename 0000000000X1'", 0, "L1");
    SAY("F ISKLM,APPL='export -config -url config.out'", 0, "Exported");
    SAY("F ISKLM,APPL='import -rewrite -config -url config.out'", 0, "0 properties changed");
    SAY("F ISKLM,APPL='export -drivetab -config -url x'", 2, "Usage: export");
    SAY("F ISKLM,APPL='export -url x'", 2, "Usage: export");
    SAY("F ISKLM,APPL='export -drivetab'", 2, "Usage: export");
    SAY("F ISKLM,APPL='export -merge -drivetab -url x'", 2, "Usage: export");
    SAY("F ISKLM,APPL='import -drivetab -url drives.out'", 2, "Usage: import");
    SAY("F ISKLM,APPL='import -merge -rewrite -drivetab -url drives.out'", 2, "Usage: import");
    SAY("F ISKLM,APPL='import -merge -drivetab -url nothere'", 1, "nothere");
    SAY("F ISKLM,APPL='import -merge -drivetab -url config.out'", 1, "KLM0210E");
    check_answer(&house, &nobody, "F ISKLM,APPL='export -drivetab -url stolen'", 1, "KLM0900E",
                 __FILE__, __LINE__);
    CHECK(strcmp(text_of(test_path("execute/files/stolen")), "") == 0);
}

TEST(somebody_without_a_role_is_told_and_recorded)
{
    serving();
    check_answer(&house, &nobody, "F ISKLM,APPL='status'", 1,
                 "KLM0900E NOBODY is not authorised to server-status", __FILE__, __LINE__);
    check_answer(&house, &nobody, "P ISKLM", 1, "KLM0900E", __FILE__, __LINE__);
    check_answer(&house, &nobody, "D A,ISKLM", 1, "KLM0900E", __FILE__, __LINE__);
    check_answer(&house, &nobody, "RACDCERT CERTAUTH LIST", 1, "KLM0900E", __FILE__, __LINE__);
    check_answer(&house, &nobody, "KEYXFER WRITE,A,B(C)", 1, "KLM0900E", __FILE__, __LINE__);
    CHECK(events(&house, "server-status", SMF_FAILURE, "KLM0900E", "NOBODY") >= 2);
    CHECK(events(&house, "token-write", SMF_FAILURE, "KLM0900E", "NOBODY") >= 1);
}

/* ---- F32: what is not a command */

TEST(F32_long_lines_many_words_and_binary_are_answered_and_bounded)
{
    serving();
    char *line = malloc(CON_COMMAND_MAX + 100);
    int status;

    REQUIRE(line != NULL);
    memset(line, 'a', CON_COMMAND_MAX + 99);
    line[CON_COMMAND_MAX] = '\0';
    SAY(line, 2, "KLM0967E"); /* 64 KiB are a command, of no known form */
    line[CON_COMMAND_MAX] = 'a';
    line[CON_COMMAND_MAX + 1] = '\0';
    SAY(line, 1, "KLM0968E"); /* one more is not */
    memcpy(line, "F ISKLM,APPL='", 14);
    line[CON_COMMAND_MAX] = '\0';
    line[CON_COMMAND_MAX - 1] = '\'';
    const char *answer = say_as(&house, &both, line, &status);
    CHECK_INT(status, 2);
    CHECK(strlen(answer) < 4096); /* not given back whole */
    memset(line + 14, ' ', CON_COMMAND_MAX - 15);
    for (int i = 0; i < CON_WORDS_MAX + 1; i++) {
        line[14 + 2 * i] = 'x';
    }
    SAY(line, 2, "KLM0961E");
    for (int i = 1; i < 256; i++) {
        line[i - 1] = (char)i;
    }
    line[255] = '\0';
    SAY(line, 2, "KLM0967E");
    SAY("F ISKLM,APPL='\x1b[2J\x07 \xff\xfe'", 2, "KLM0969E");
    answer = say_as(&house, &both, "F ISKLM,APPL='export -drivetab -url a\x1b[31mb'", &status);
    for (const char *p = answer; *p; p++) {
        CHECK((unsigned char)*p >= ' ' || *p == '\n');
    }
    free(line);
}

TEST(a_foreign_name_with_control_characters_cannot_write_to_the_terminal)
{
    struct con_run run = {0};
    struct klm_buf out;
    static const char *const columns[] = {"Name", NULL};
    const char *row[] = {"evil\x1b]0;title\x07\nBPXM023I forged"};
    const char **rows[] = {row};

    klm_buf_init(&out, 4096);
    run.out = &out;
    con_rows(&run,
             &(struct km_rows){.title = "T", .column = columns, .row = rows, .n = 1, .columns = 1});
    klm_buf_u8(&out, 0);
    CHECK(strchr((const char *)out.p, 0x1b) == NULL);
    CHECK(strstr((const char *)out.p, "\nBPXM") == NULL);
    CHECK(strstr((const char *)out.p, "evil.]0;title..BPXM023I forged\n") != NULL);
    klm_buf_done(&out);
}

TEST(an_answer_that_finds_no_room_is_refused_as_a_whole)
{
    serving();
    const struct con_context context = {
        .server = house.server, .actor = both, .files = house.files};
    struct klm_buf small;
    int status = -1;

    klm_buf_init(&small, 300);
    con_execute(&context, "F ISKLM,APPL='listconfig'", &small, &status);
    klm_buf_u8(&small, 0);
    CHECK_INT(status, 1);
    CHECK_RC(klm_buf_rc(&small), KLM_OK);
    CHECK(strncmp((const char *)small.p, "KLM0993E", 8) == 0);
    klm_buf_done(&small);
}

/* ---- What may be shown of a command */

static void shown(const char *line, const char *expected)
{
    struct klm_buf out;

    klm_buf_init(&out, 1024);
    con_shown(line, &out);
    klm_buf_u8(&out, 0);
    CHECK_STR((const char *)out.p, expected);
    klm_buf_done(&out);
}

TEST(passwords_are_stars_wherever_a_command_is_shown)
{
    shown("F ISKLM,APPL='status'", "F ISKLM,APPL='status'");
    shown("modconfig -set -property config.keystore.password -value geheim",
          "modconfig -set -property config.keystore.password -value ****");
    shown("modconfig -value \"ge heim\" -property X.Password",
          "modconfig -value **** -property X.Password");
    shown("F ISKLM,APPL='createkeygroup -password geheim'",
          "F ISKLM,APPL='createkeygroup -password ****");
    shown("login -ekmuser EKMAdmin -ekmpassword x", "login -ekmuser EKMAdmin -ekmpassword ****");
    shown("modconfig -set -property debug -value all", "modconfig -set -property debug -value all");
    shown("a\x1b[2Jb\nc", "a.[2Jb.c");
    shown("RACDCERT ID(X) ADD('A') PASSWORD('ge)heim') TRUST",
          "RACDCERT ID(X) ADD('A') PASSWORD(****) TRUST");
    shown("RACDCERT ADD('A') password ( geheim )WITHLABEL('B')",
          "RACDCERT ADD('A') password (****)WITHLABEL('B')");
    shown("RACDCERT PASSPHRASE('ge heim", "RACDCERT PASSPHRASE(****)");
    shown("RACDCERT PASSWORD(a) PASSWORD('b'", "RACDCERT PASSWORD(****) PASSWORD(****)");
    shown("-password", "-password");
    shown("", "");
}

/* ---- Failures that came some way */

static struct km_call *failed(enum km_verb_id verb)
{
    static const char *const columns[] = {"Part", "Outcome", NULL};
    struct km_call *call;

    CHECK_RC(km_call_new(house.server, verb, &both, &call), KLM_OK);
    CHECK_RC(km_rows_begin(call, "Heading", columns), KLM_OK);
    CHECK_RC(km_rows_add(call, (const char *[]){"drivetab", "taken"}), KLM_OK);
    call->rc = klm_fail(&call->diag, KLM_E_IO, KLM_MSG_SYNC_FAILED, "copies", "two", "it is gone");
    return call;
}

static const char *answer_of(struct km_call *call, int *status)
{
    static char text[2048];
    struct klm_buf out;
    struct con_run run = {.out = &out};

    klm_buf_init(&out, CON_ANSWER_MAX);
    CHECK_RC(klm_pool_new(1 << 20, &run.pool), KLM_OK);
    con_answer(&run, call);
    *status = run.status;
    snprintf(text, sizeof text, "%.*s", (int)out.n, (const char *)out.p);
    klm_buf_done(&out);
    klm_pool_free(&run.pool);
    km_call_free(&call);
    return text;
}

TEST(what_a_failed_verb_had_done_is_shown_and_rows_of_a_change_that_failed_are_not)
{
    const char *text;
    int status;

    serving();
    text = answer_of(failed(KM_SYNC), &status);
    CHECK_INT(status, CON_FAILED);
    CHECK(strncmp(text, "KLM1308E", 8) == 0);
    CHECK(strstr(text, "Before it failed:\nPart      Outcome\ndrivetab  taken\n") != NULL);
    CHECK(!strstr(text, "Heading"));
    CHECK(!strstr(text, "1 entry"));
    text = answer_of(failed(KM_DRIVE_ADD), &status); /* all or nothing: nothing */
    CHECK_INT(status, CON_FAILED);
    CHECK(!strstr(text, "drivetab"));
}

TEST(what_is_done_and_amiss_has_a_status_of_its_own)
{
    struct km_call *call;
    const char *text;
    int status;

    serving();
    call = failed(KM_DRILL);
    call->rc = KLM_OK;
    call->amiss = true;
    text = answer_of(call, &status);
    CHECK_INT(status, CON_AMISS);
    CHECK(strstr(text, "1 entry") != NULL);
}

TEST(zz_close)
{
    serving();
    close_house(&house);
    CHECK(house.server == NULL);
}
