/* Lines of the host, byte for byte: IOS099I as in the reference, IEC205I as in the published job output. */
#include "test.h"

#include "ios/display.h"

static struct klm_buf text;

static const char *shown(void)
{
    klm_buf_u8(&text, 0);
    REQUIRE_OK(klm_buf_rc(&text));
    return (const char *)text.p;
}

static void fresh(void)
{
    klm_buf_done(&text);
    klm_buf_init(&text, 8192);
}

static const struct ios_step step = {"B5E1", "WXY662", "SYSUT2", "ENCRYPT", "STEP2"};

TEST(ios099i_names_both_hosts_and_the_limits)
{
    struct tm when = {.tm_hour = 9, .tm_min = 5, .tm_sec = 3};
    struct parm_ekm ekm;

    parm_ekm_init(&ekm);
    fresh();
    ios_show_ekm(&text, &when, &ekm, false);
    CHECK_STR(shown(),
              "IOS099I 09:05:03 EKM HOSTS\n PRIMARY HOSTNAME=NONE\n SECONDARY HOSTNAME=NONE\n"
              " MAX CONNECTIONS = 255\n PERMANENT CONNECTIONS = 8\n");
    REQUIRE_OK(parm_ekm_setios(
        "EKM,PRIMARY=klm.example.com:1234,SECONDARY=2001:db8::1428:57ab,MAXCONN=7,MAXPCONN=0", &ekm,
        NULL));
    fresh();
    ios_show_ekm(&text, &when, &ekm, true);
    CHECK_STR(shown(), "IOS099I 09:05:03 EKM HOSTS\n PRIMARY HOSTNAME=klm.example.com:1234\n"
                       " SECONDARY HOSTNAME=2001:db8::1428:57ab..3801\n MAX CONNECTIONS = 7\n"
                       " PERMANENT CONNECTIONS = 0\n VERIFICATION WILL COMPLETE ASYNCHRONOUSLY\n");
}

TEST(the_end_of_a_verification_says_good_or_why_not)
{
    struct parm_ekm_host host = {.host = "klm", .port = 3801};

    fresh();
    ios_show_verified(&text, IOS_PRIMARY, &host, NULL);
    ios_show_verified(&text, IOS_SECONDARY, &host, "it did not answer in time");
    CHECK_STR(shown(),
              "IOS631I EKM PRIMARY HOST klm:3801 CONNECTION IS GOOD\n"
              "IOS627E EKM SECONDARY HOST klm:3801 CONNECTION ERRORS: it did not answer in time\n");
}

TEST(iec205i_is_that_of_the_published_job)
{
    const struct kx_label labels[] = {{"Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20", 'L'},
                                      {"Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21", 'L'}};
    const struct ios_file_info info = {.seq = 1, .blocks = 2};

    fresh();
    ios_show_volume(&text, 131, &step, &info, labels, 2);
    CHECK_STR(shown(), "IEC205I SYSUT2,ENCRYPT,STEP2,FILESEQ=1, COMPLETE VOLUME LIST, 131\n"
                       "VOLS=WXY662,LISTED VOL(S) HAVE BEEN DATA\n"
                       "ENCRYPTED,KL1CD:L,KL2CD:L,\n"
                       "KL1=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20,\n"
                       "KL2=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21,TOTALBLOCKS=2\n");
}

TEST(iec205i_with_one_label_and_large_numbers)
{
    const struct kx_label label = {"A", 'H'};
    const struct ios_file_info info = {.seq = 9999, .blocks = 9999999999u};

    fresh();
    ios_show_volume(&text, 1002, &step, &info, &label, 1);
    CHECK_STR(shown(), "IEC205I SYSUT2,ENCRYPT,STEP2,FILESEQ=9999, COMPLETE VOLUME LIST, 002\n"
                       "VOLS=WXY662,LISTED VOL(S) HAVE BEEN "
                       "DATA\nENCRYPTED,KL1CD:H,\nKL1=A,TOTALBLOCKS=9999999999\n");
}

TEST(a_key_failure_has_the_lines_of_ios000i)
{
    fresh();
    ios_show_failure(&text, &step, 0xEE31);
    CHECK_STR(shown(), "IOS000I B5E1,**,IOE,**,****,,**,WXY662,ENCRYPT\nENCRYPTION FAILURE\n"
                       "CU=00 DRIVE=000000 EKM=05EE31\n");
    fresh();
    ios_show_failure(&text, &step, 0); /* CU code 01: EKM not available */
    CHECK_STR(shown(), "IOS000I B5E1,**,IOE,**,****,,**,WXY662,ENCRYPT\nENCRYPTION FAILURE\n"
                       "CU=01 DRIVE=000000 EKM=000000\n");
}

static int code_in(const char *line)
{
    uint16_t code = 0;

    return ios_code_in(line, &code) ? code : -1;
}

TEST(codes_are_found_in_what_an_operator_pastes)
{
    CHECK_INT(code_in("EKM=05EE31"), 0xEE31);
    CHECK_INT(code_in("CU=00 DRIVE=000000 EKM=05EE32"), 0xEE32);
    CHECK_INT(code_in("EKM = 05ef01"), -1);
    CHECK_INT(code_in("EKM= 05ef01"), 0xEF01);
    CHECK_INT(code_in("05EE31"), 0xEE31);
    CHECK_INT(code_in(" ee31"), 0xEE31);
    CHECK_INT(code_in(""), -1);
    CHECK_INT(code_in("EE3"), -1);
    CHECK_INT(code_in("EE311"), -1);
    CHECK_INT(code_in("1105EE31"), -1);
    CHECK_INT(code_in("XE31"), -1);
    CHECK_INT(code_in("EKM="), -1);
}

TEST(a_code_is_explained_with_what_to_do)
{
    fresh();
    CHECK(ios_show_code(&text, 0xEE31));
    CHECK(!ios_show_code(&text, 0x1234));
    CHECK(strncmp(shown(), "EE31 Configuration problem: keystore\n", 37) == 0);
    CHECK(strstr((const char *)text.p, "  Action: ") != NULL);
    klm_buf_done(&text);
}
