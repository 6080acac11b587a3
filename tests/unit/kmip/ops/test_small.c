/* Log and Ping (KMIP 2.1, 6.1.29 and 6.1.36). */
#include "kmip/ops/ops_rig.h"

#include <signal.h>
#include <sys/resource.h>

#define V14 KMIP_V(1, 4)
#define V20 KMIP_V(2, 0)
#define V21 KMIP_V(2, 1)

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "small", "");
    }
}

TEST(a_line_of_a_client_stands_in_the_audit_log)
{
    serving();
    RIG_EXPECT(&rig, V21, "Log{LogMessage='Registered a symmetric key.'}", "Log Success{}\n");
    CHECK_INT(events(&rig.house, "kmip-log", SMF_SUCCESS, NULL, "Registered a symmetric key."), 1);
    RIG_EXPECT(&rig, V20, "Log{LogMessage=''}", "Log Success{}\n");
}

TEST(a_line_is_as_long_as_a_field_and_not_one_character_longer)
{
    char items[1024];

    serving();
    for (int n = 512; n <= 513; n++) {
        snprintf(items, sizeof items, "Log{LogMessage='%0*d'}", n, 7);
        RIG_EXPECT(&rig, V21, items,
                   n == 512 ? "Log Success{}\n" : "Log OperationFailed(InvalidField)\n");
    }
    RIG_EXPECT(&rig, V21, "Log{}", "Log OperationFailed(InvalidMessage)\n");
    RIG_EXPECT(&rig, V21, "Log{LogMessage:Integer=1}", "Log OperationFailed(InvalidField)\n");
}

TEST(strangers_write_no_lines_but_may_ask_whether_the_server_is_there)
{
    serving();
    RIG_EXPECT(&rig, V21, "Ping{}", "Ping Success{}\n");
    rig.who = &rig.stranger;
    RIG_EXPECT(&rig, V21, "Ping{}", "Ping Success{}\n");
    RIG_EXPECT(&rig, V21, "Log{LogMessage='x'}",
               "Log OperationFailed(AuthenticationNotSuccessful)\n");
    rig.who = &rig.mine;
    CHECK(strstr(rig_ask(&rig, V20, "Ping{}"), "OperationNotSupported") != NULL); /* since 2.1 */
    CHECK(strstr(rig_ask(&rig, V14, "Log{LogMessage='x'}"), "OperationNotSupported") != NULL);
}

/* Files of this process may grow to n bytes: 0 is a full disk. */
static void limit_files(rlim_t n)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

TEST(a_key_leaves_in_no_answer_while_it_cannot_be_recorded_not_even_in_one_that_was_undone)
{
    const char *undo = "BatchErrorContinuationOption=Undo", *answer;
    char get[100], both[200];

    serving();
    snprintf(get, sizeof get, "Get{UniqueIdentifier='$%zu'} ", rig_create(&rig, ""));
    snprintf(both, sizeof both, "%sCreate{ObjectType=SymmetricKey} ", get);
    CHECK(strstr(rig_ask(&rig, V21, get), "KeyMaterial") != NULL);
    answer = rig_short(&rig, rig_tree(&rig, V21, undo, both));
    CHECK(strstr(answer, "Get OperationUndone{") && strstr(answer, "KeyMaterial"));
    limit_files(0);
    answer = rig_ask(&rig, V21, get);
    CHECK(strstr(answer, "Get OperationFailed(") && !strstr(answer, "KeyMaterial"));
    answer = rig_short(&rig, rig_tree(&rig, V21, undo, both));
    limit_files(RLIM_INFINITY);
    CHECK(strstr(answer, "Get OperationFailed(") && !strstr(answer, "KeyMaterial"));
}

/* KMIP 1.4, 6.1: who speaks a version speaks the earlier ones of its major one, so the newest before it is read. */
TEST(a_version_that_is_not_spoken_is_answered_in_the_newest_before_it)
{
    static const struct {
        int major, minor, said_major, said_minor;
        const char *reason;
    } rows[] = {{3, 0, 2, 1, "UnsupportedProtocolVersion"},
                {2, 2, 2, 1, "UnsupportedProtocolVersion"},
                {1, 9, 1, 4, "InvalidMessage"},
                {0, 9, 1, 0, "InvalidMessage"}};

    serving();
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        char message[800], version[200];
        const char *answer;

        snprintf(message, sizeof message,
                 "<RequestMessage><RequestHeader><ProtocolVersion>"
                 "<ProtocolVersionMajor type=\"Integer\" value=\"%d\"/>"
                 "<ProtocolVersionMinor type=\"Integer\" value=\"%d\"/></ProtocolVersion>"
                 "<BatchCount type=\"Integer\" value=\"1\"/></RequestHeader><BatchItem>"
                 "<Operation type=\"Enumeration\" value=\"Query\"/><RequestPayload/>"
                 "</BatchItem></RequestMessage>",
                 rows[i].major, rows[i].minor);
        answer = rig_xml(&rig, message);
        snprintf(version, sizeof version, "<ProtocolVersionMajor type=\"Integer\" value=\"%d\"/>",
                 rows[i].said_major);
        CHECK(strstr(answer, version) != NULL);
        snprintf(version, sizeof version, "<ProtocolVersionMinor type=\"Integer\" value=\"%d\"/>",
                 rows[i].said_minor);
        CHECK(strstr(answer, version) != NULL);
        CHECK(strstr(answer, rows[i].reason) != NULL);
    }
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
