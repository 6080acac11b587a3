/* Credentials in the headers of messages (KMIP 1.4, 2.1.2 and 6.6; 2.1, 9.4 and 9.11): what each is answered with in each version. */
#include "keymgr/hashed_help.h"
#include "kmip/ops/ops_rig.h"

static struct rig rig;
static const int versions[] = {KMIP_V(1, 0), KMIP_V(1, 1), KMIP_V(1, 2), KMIP_V(1, 3),
                               KMIP_V(1, 4), KMIP_V(2, 0), KMIP_V(2, 1)};

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "credentials", "Audit.refusals.burst=10000\nAudit.refusals.total=100000\n");
    }
    rig_clock(&rig, RIG_NOW);
}

static struct km_call *modify(const char *once)
{
    struct km_call *call = new_call(&rig.house, KM_CLIENT_MODIFY, &admin);
    struct km_client_req *req = call->req;

    req->name = "ALPHA";
    req->once = klm_slice_str(once);
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* A Locate with these credentials, or more of the header. */
static const struct kmip_node *ask_tree(int version, const char *header)
{
    return rig_tree(&rig, version, header, "Locate{MaximumItems=1}");
}

static const char *ask(int version, const char *header)
{
    return rig_short(&rig, ask_tree(version, header));
}

static const char *with(const char *type, const char *value)
{
    static char text[2048];

    snprintf(text, sizeof text, "Authentication{Credential{CredentialType=%s CredentialValue{%s}}}",
             type, value);
    return text;
}

static void check(int version, const char *header, const char *expected, const char *file, int line)
{
    char where[200];

    snprintf(where, sizeof where, "%d.%d %.150s", version / 16, version % 16, header);
    test_str(ask(version, header), expected, where, file, line);
}
#define ANSWERS(version, header, expected)                                                         \
    check((version), (header), (expected), __FILE__, __LINE__)
#define NOT(reason) "OperationFailed(" reason ")\n"

static bool found_nothing(const char *answer)
{
    return strncmp(answer, "Locate Success", 14) == 0;
}

TEST(what_was_not_registered_is_not_looked_at_and_what_is_no_credential_is_no_message)
{
    serving();
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];

        CHECK(found_nothing(ask(v, "")));
        CHECK(found_nothing(ask(v, with("UsernameAndPassword", "Username='any' Password='any'"))));
        ANSWERS(v, with("UsernameAndPassword", "Password='any'"), NOT("InvalidMessage"));
        ANSWERS(v, with("UsernameAndPassword", "Username:Integer=1"), NOT("InvalidMessage"));
        ANSWERS(v, "Authentication{}", NOT("InvalidMessage"));
        ANSWERS(v, "Authentication{Credential{CredentialType=UsernameAndPassword}}",
                NOT("InvalidMessage"));
        ANSWERS(v, with("0x80000001", "Username='any'"), NOT("AuthenticationNotSuccessful"));
        ANSWERS(v, with("0x00000077", "Username='any'"),
                v < KMIP_V(2, 0) ? NOT("InvalidField") : NOT("UnknownEnumeration"));
    }
    CHECK(events(&rig.house, NULL, SMF_FAILURE, "KLM1959E", NULL) >= KLM_COUNT(versions));
}

TEST(a_device_is_known_since_1_1_and_says_at_least_one_thing)
{
    serving();
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];

        if (v == KMIP_V(1, 0)) {
            ANSWERS(v, with("Device", "DeviceSerialNumber='SN'"), NOT("InvalidField"));
            continue;
        }
        ANSWERS(v, with("Device", ""), NOT("InvalidMessage"));
        ANSWERS(v, with("Device", "MediaIdentifier:Integer=1"), NOT("InvalidMessage"));
        CHECK(found_nothing(ask(v, with("Device", "MediaIdentifier='m'"))));
    }
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "device", "SN-1");
    for (size_t i = 1; i < KLM_COUNT(versions); i++) {
        CHECK(found_nothing(ask(versions[i], with("Device", "DeviceSerialNumber='SN-1'"))));
        ANSWERS(versions[i], with("Device", "DeviceSerialNumber='SN-2'"),
                NOT("AuthenticationNotSuccessful"));
        ANSWERS(versions[i], "", NOT("AuthenticationNotSuccessful"));
    }
    ANSWERS(KMIP_V(2, 1),
            "Authentication{"
            "Credential{CredentialType=Device CredentialValue{DeviceSerialNumber='SN-2'}} "
            "Credential{CredentialType=Device CredentialValue{DeviceSerialNumber='SN-1'}}}",
            NOT("AuthenticationNotSuccessful")); /* all of them have to be satisfied */
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "device", "");
}

/* No operation requires attestation, so that a client may say that it can and is served. */
TEST(an_attestation_is_no_feature_of_this_server_and_none_is_asked_for)
{
    serving();
    static const char good[] = "Nonce{NonceID=01 NonceValue=0203} AttestationType=TPMQuote "
                               "AttestationMeasurement=04";

    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];

        if (v < KMIP_V(1, 2)) {
            ANSWERS(v, with("Attestation", good), NOT("InvalidField"));
            continue;
        }
        ANSWERS(v, with("Attestation", good), NOT("FeatureNotSupported"));
        ANSWERS(v, with("Attestation", "AttestationType=TPMQuote"), NOT("InvalidMessage"));
        ANSWERS(v, with("Attestation", "Nonce{NonceID=01} AttestationType=TPMQuote"),
                NOT("InvalidMessage"));
        CHECK(found_nothing(ask(v, "AttestationCapableIndicator=true")));
        CHECK(found_nothing(ask(v, "AttestationCapableIndicator=true AttestationType=TPMQuote")));
        CHECK(kmip_child(kmip_child(ask_tree(v, "AttestationCapableIndicator=true"),
                                    KMIP_TAG_ResponseHeader),
                         KMIP_TAG_Nonce) == NULL);
    }
    CHECK(events(&rig.house, NULL, SMF_FAILURE, "KLM1957E", NULL) >= 5);
}

TEST(a_ticket_is_none_of_this_server)
{
    serving();
    static const char good[] = "Ticket{TicketType=Login TicketValue=0102}";

    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];

        ANSWERS(v, with("Ticket", good),
                v < KMIP_V(2, 0) ? NOT("InvalidField") : NOT("InvalidTicket"));
        if (v >= KMIP_V(2, 0)) {
            ANSWERS(v, with("Ticket", "Ticket{TicketType=Login}"), NOT("InvalidMessage"));
            ANSWERS(v, with("Ticket", ""), NOT("InvalidMessage"));
        }
    }
    CHECK(events(&rig.house, NULL, SMF_FAILURE, "KLM1958E", NULL) >= 2);
}

TEST(a_one_time_password_serves_one_message)
{
    serving();
    struct km_call *call = modify("one-time-password-0001\none-time-password-0002\n");
    const char *first = "Username='any' OneTimePassword='one-time-password-0001'";
    const char *second = "Username='any' OneTimePassword='one-time-password-0002'";

    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];

        ANSWERS(v, "", NOT("AuthenticationNotSuccessful"));
        if (v < KMIP_V(2, 0)) {
            ANSWERS(v, with("OneTimePassword", first), NOT("InvalidField"));
            continue;
        }
        ANSWERS(v, with("OneTimePassword", "Username='any'"), NOT("InvalidMessage"));
        ANSWERS(v, with("OneTimePassword", "OneTimePassword='one-time-password-0001'"),
                NOT("InvalidMessage"));
        ANSWERS(v, with("OneTimePassword", v == KMIP_V(2, 0) ? second : first),
                "Locate Success{}\n");
        ANSWERS(v, with("OneTimePassword", v == KMIP_V(2, 0) ? second : first),
                NOT("AuthenticationNotSuccessful"));
    }
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "noonce", "");
    ANSWERS(KMIP_V(2, 1), with("OneTimePassword", first), NOT("AuthenticationNotSuccessful"));
    CHECK_INT(events(&rig.house, "client-prove", SMF_SUCCESS, NULL, "one-time password"), 2);
}

static const char *poll_with(int version, const char *header, const char *items)
{
    return rig_short(&rig, rig_tree(&rig, version, header, items));
}

/* Some look over and over whether the server is there, and show their password only when they want something. */
TEST(who_looks_whether_the_server_is_there_needs_no_password_and_hears_what_strangers_hear)
{
#define WRONG                                                                                      \
    "Authentication{Credential{CredentialType=UsernameAndPassword CredentialValue{Username='x'}}}"
#define QUERY "Query{QueryFunction=QueryOperations QueryFunction=QueryServerInformation}"
    serving();
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "user", "backup");
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];
        const char *answer;

        if (v >= KMIP_V(1, 1)) {
            CHECK(strstr(poll_with(v, "", "DiscoverVersions{}"), "DiscoverVersions Success") !=
                  NULL);
            ANSWERS(v, "", NOT("AuthenticationNotSuccessful"));
            CHECK_STR(poll_with(v, "", "DiscoverVersions{} Locate{MaximumItems=1}"),
                      NOT("AuthenticationNotSuccessful"));
            CHECK_STR(poll_with(v, WRONG, "DiscoverVersions{}"),
                      NOT("AuthenticationNotSuccessful"));
        }
        answer = poll_with(v, "", QUERY);
        CHECK(strstr(answer, "Query Success{Operation=") != NULL);
        CHECK(strstr(answer, "klmsrv test") == NULL); /* the vendor: it is told to clients alone */
        answer = poll_with(v, with("UsernameAndPassword", "Username='backup'"), QUERY);
        CHECK(strstr(answer, "klmsrv test") != NULL);
    }
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "user", "");
#undef QUERY
#undef WRONG
}

/* A credential for so many seconds from now. */
static const char *hashed(const char *password, int64_t seconds, const char *more)
{
    static char text[512];
    struct klm_slice shown;
    char hex[129];

    rig_fresh(&rig);
    shown = hashed_of(rig.pool, "backup", password, (RIG_NOW + seconds) * 1000000);
    klm_hex(shown.p, shown.n, hex);
    snprintf(text, sizeof text,
             "Username='backup' TimeStamp:DateTimeExtended='0x%llx' %s HashedPassword=%s",
             (unsigned long long)(RIG_NOW + seconds) * 1000000, more, hex);
    return text;
}

TEST(a_hashed_password_is_answered_with_the_servers_own)
{
    serving();
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "hashed", "", "user", "backup",
       "password", "correct horse");
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        const int v = versions[i];
        const int64_t s = 2 * (int64_t)i;
        const struct kmip_node *node;
        uint8_t expected[32];

        if (v < KMIP_V(2, 0)) {
            ANSWERS(v, with("HashedPassword", hashed("correct horse", s, "")), NOT("InvalidField"));
            continue;
        }
        ANSWERS(v, with("HashedPassword", "Username='backup' HashedPassword=00"),
                NOT("InvalidMessage"));
        ANSWERS(v, with("HashedPassword", hashed("correct horsf", s, "")),
                NOT("AuthenticationNotSuccessful"));
        ANSWERS(v, with("HashedPassword", hashed("correct horse", s, "HashingAlgorithm=MD5")),
                NOT("FeatureNotSupported"));
        node = kmip_child(
            kmip_child(ask_tree(v, with("HashedPassword", hashed("correct horse", s, ""))),
                       KMIP_TAG_ResponseHeader),
            KMIP_TAG_ServerHashedPassword);
        hashed_answer("backup", "correct horse", (RIG_NOW + s) * 1000000, expected);
        CHECK(node && node->bytes.n == 32 && memcmp(node->bytes.p, expected, 32) == 0);
        ANSWERS(v, with("HashedPassword", hashed("correct horse", s, "")),
                NOT("AuthenticationNotSuccessful")); /* again */
        ANSWERS(v,
                with("HashedPassword", hashed("correct horse", s + 1, "HashingAlgorithm=SHA_256")),
                "Locate Success{}\n");
    }
    DO(&rig.house, KM_CLIENT_MODIFY, &admin, "name", "ALPHA", "user", "", "nopassword", "");
}

TEST(wrong_ones_end_in_a_minute_of_refusals_with_the_same_reason)
{
    serving();
    struct km_call *call = modify("one-time-password-0001\n");

    km_call_free(&call);
    for (int i = 0; i < 7; i++) {
        ANSWERS(KMIP_V(2, 1),
                with("OneTimePassword", "Username='u' OneTimePassword='one-time-password-wrong'"),
                NOT("AuthenticationNotSuccessful"));
    }
    CHECK(events(&rig.house, "client-prove", SMF_FAILURE, "KLM1945E", NULL) >= 1);
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
