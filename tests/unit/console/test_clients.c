/* Commands on clients of KMIP and device groups: names old and new, files, passwords that are never words, two operators. */
#include "console/con_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "conclients", "");
        struct km_call *call = run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label",
                                        "L2", "format", "CERTB64", NULL);
        REQUIRE_OK(klm_file_replace(test_path("conclients/files/L2.PEM"), call->bytes, 0600, NULL));
        km_call_free(&call);
        write_file(test_path("conclients/files/secret"), "correct horse\n");
    }
}

#define APPL(command, status, has) SAY("F ISKLM,APPL='" command "'", (status), (has))

static char answer_to_ask[64], prompted[64];
static bool asked_twice;

static klm_rc ask(void *arg, const char *prompt, bool twice, struct klm_buf *out)
{
    (void)arg;
    snprintf(prompted, sizeof prompted, "%s", prompt);
    asked_twice = twice;
    klm_buf_text(out, answer_to_ask);
    return answer_to_ask[0] ? KLM_OK : KLM_E_USAGE;
}

static void say_asking(const char *command, int status, const char *has)
{
    const struct con_context context = {
        .server = house.server, .actor = both, .files = house.files, .ask = ask};
    struct klm_buf answer;
    int got;

    klm_buf_init(&answer, CON_ANSWER_MAX);
    con_execute(&context, command, &answer, &got);
    klm_buf_u8(&answer, 0);
    CHECK_INT(got, status);
    if (!strstr((const char *)answer.p, has)) {
        CHECK_STR((const char *)answer.p, has);
    }
    klm_buf_done(&answer);
}

TEST(groups_and_clients_are_made_listed_changed_and_deleted)
{
    serving();
    APPL("adddevicegroup -name DS5000 -prefix dsk", 0, "adddevicegroup processed");
    APPL("listdevicegroups", 0, "1 entry");
    APPL("listdevicegroups -name DS5000", 0, "dsk");
    APPL("addclient -name \"node 1\" -group DS5000 -cert L2.PEM", 0,
         "Client node 1 is registered, group DS5000");
    APPL("addclient -name node2 -label L1", 0, "Client node2 is registered, group none");
    APPL("addclient -name node3", 0, "certificate none yet");
    APPL("listclients", 0, "3 entries");
    APPL("listclients -group DS5000", 0, "1 entry");
    APPL("listclients -name \"node 1\"", 0, "CN=L2");
    APPL("modclient -name node2 -newname \"node 2\" -user backup -device SN1", 0,
         "modclient processed");
    APPL("listclients -name \"node 2\"", 0, "backup");
    APPL("modclient -name \"node 2\" -user -device", 0, "modclient processed");
    APPL("moddevicegroup -name DS5000 -enableKMIPDelete true -prefix", 0,
         "moddevicegroup processed");
    APPL("listdevicegroups -name DS5000", 0, "true");
    APPL("status", 0, "Device groups");
    APPL("deldevicegroup -name DS5000", 1,
         "KLM1932E Device group DS5000 has clients, node 1 among them");
    APPL("delclient -name \"node 1\"", 0, "Client node 1 is deleted");
    APPL("deleteclient -name \"node 2\"", 0, "Client node 2 is deleted");
    APPL("delclient -name node3", 0, "Client node3 is deleted");
    APPL("deldevicegroup -name DS5000", 0, "Device group DS5000 is deleted");
    APPL("listclients", 0, "0 entries");
}

TEST(the_names_of_tklm_are_names_of_the_same_commands)
{
    serving();
    APPL("tklmDeviceGroupCreate -name myGroup -attributes \"{enableKMIPDelete true}\"", 0,
         "adddevicegroup");
    APPL("tklmDeviceGroupAttributeUpdate -name myGroup -attributes \"{enableKMIPDelete false}\"", 0,
         "moddevicegroup processed");
    APPL("tklmDeviceGroupList", 0, "false");
    APPL("tklmClientDeviceCreate -name c -group myGroup", 0, "Client c is registered");
    APPL("tklmClientDeviceUpdate -name c -group none", 0, "processed");
    APPL("tklmClientDeviceList", 0, "1 entry");
    APPL("tklmClientDeviceDelete -name c", 0, "Client c is deleted");
    APPL("tklmDeviceGroupDelete -name myGroup", 0, "is deleted");
    APPL("tklmPendingClientCertList", 0, "0 entries");
    APPL("tklmPendingClientCertAccept -fingerprint 0123456789abcdef -name c", 1, "KLM1939E");
    APPL("tklmPendingClientCertReject -fingerprint 0123456789abcdef", 1, "KLM1939E");
}

TEST(what_is_given_wrongly_is_told)
{
    serving();
    APPL("addclient", 2, "KLM");
    APPL("addclient -name", 2, "KLM0");
    APPL("addclient -name x -cert nofile", 1, "KLM0001E");
    APPL("addclient -name x -cert ../config", 1, "KLM");
    APPL("addclient -name x -color blue", 2, "-color");
    APPL("addclient -name x -group \"no group\"", 1, "KLM1928E");
    APPL("adddevicegroup -name \"no group\"", 2, "KLM1929E");
    APPL("adddevicegroup -name G -attributes enableKMIPDelete", 2, "KLM1933E");
    APPL("acceptclient -fingerprint 01234567 -name x", 2, "KLM");
    APPL("help addclient", 0, "-passwordfile");
    APPL("help listpending", 0, "listpendingclients");
    APPL("listclients", 0, "0 entries");
}

TEST(a_password_is_asked_for_or_comes_from_a_file_and_is_never_a_word)
{
    serving();
    APPL("addclient -name c -password geheimnis", 2, "KLM1952E");
    APPL("addclient -name c -ask", 2, "KLM1952E"); /* nobody can be asked here */
    APPL("addclient -name c -passwordfile nofile", 1, "KLM");
    APPL("listclients", 0, "0 entries");
    snprintf(answer_to_ask, sizeof answer_to_ask, "correct horse");
    say_asking("F ISKLM,APPL='addclient -name c -user backup -ask'", 0, "Client c is registered");
    CHECK_STR(prompted, "Password of the client");
    CHECK(asked_twice); /* it is new */
    APPL("listclients -name c", 0, "Password     : yes");
    prompted[0] = '\0';
    say_asking("F ISKLM,APPL='modclient -name c -newname d'", 0, "processed");
    CHECK_STR(prompted, ""); /* nobody is asked who did not say so */
    snprintf(answer_to_ask, sizeof answer_to_ask, "short");
    say_asking("F ISKLM,APPL='modclient -name d -ask'", 2, "KLM1943E");
    APPL("modclient -name d -nopassword", 0, "processed");
    APPL("listclients -name d", 0, "Password     : no");
    APPL("modclient -name d -passwordfile secret", 0, "processed");
    APPL("listclients -name d", 0, "Password     : yes");
    REQUIRE(chmod(test_path("conclients/files/secret"), 0644) == 0);
    APPL("modclient -name d -passwordfile secret", 1, "KLM");
    APPL("delclient -name d", 0, "is deleted");
    CHECK_INT(events(&house, NULL, -1, NULL, "horse"), 0);
    CHECK_INT(events(&house, NULL, -1, NULL, "geheimnis"), 0);
}

TEST(a_password_that_was_a_word_all_the_same_stands_in_no_log)
{
    struct klm_buf shown;

    klm_buf_init(&shown, 4096);
    con_shown("F ISKLM,APPL='addclient -name c -password geheimnis'", &shown);
    klm_buf_u8(&shown, 0);
    CHECK(strstr((const char *)shown.p, "geheimnis") == NULL);
    CHECK(strstr((const char *)shown.p, "****") != NULL);
    klm_buf_done(&shown);
}

TEST(zz_close)
{
    close_house(&house);
}
