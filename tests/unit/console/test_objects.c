/* Commands on managed objects: keys made in numbers that clients find by name, lists in pages, attributes under the rules for clients, and destruction only of what is not in use. */
#include "console/con_help.h"
#include "keymgr/object_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "conobjects", "");
        say_as(&house, &both, "F ISKLM,APPL='adddevicegroup -name RIGS -prefix rig'", &(int){0});
        say_as(&house, &both, "F ISKLM,APPL='adddevicegroup -name OTHERS'", &(int){0});
        say_as(&house, &both, "F ISKLM,APPL='addclient -name alone'", &(int){0});
    }
}

#define APPL(command, status, has) SAY("F ISKLM,APPL='" command "'", (status), (has))

/* What a client of the group finds by name; "": nothing, or more than one. */
static const char *located(const struct km_actor *who, const char *name)
{
    static char uid[8][MD_UID_MAX];
    static unsigned turn;
    char text[200], *out = uid[turn = (turn + 1) % 8];
    struct km_call *call = new_call(&house, KM_OBJECT_LOCATE, who);
    struct km_locate *req = call->req;
    const struct kmip_node *filter[1];

    snprintf(text, sizeof text, "Name{NameValue='%s' NameType=UninterpretedTextString}", name);
    filter[0] = item_of(call->pool, text);
    req->version = V21;
    req->what.filter = filter;
    req->what.filters = 1;
    KLM_IGNORE(km_run_wait(call));
    CHECK_RC(call->rc, KLM_OK);
    snprintf(out, MD_UID_MAX, "%s", req->n == 1 ? req->uid[0] : "");
    km_call_free(&call);
    return out;
}

/* A command with an identifier in the place of %s. */
static void say_of(const char *format, const char *uid, int status, const char *has)
{
    char line[400];

    snprintf(line, sizeof line, format, uid);
    SAY(line, status, has);
}

TEST(keys_are_made_in_numbers_and_the_clients_of_the_group_find_and_get_them_by_name)
{
    serving();
    const uint64_t before = (uint64_t)events(&house, "object-made", SMF_SUCCESS, NULL, NULL);
    APPL("createclientkeys -group RIGS -algorithm AES -length 128 -usage Encrypt,Decrypt "
         "-count 120",
         0, "120 of 120 made: rig000000000000000001 to rig000000000000000078");
    const char *uid = located(&alpha, "rig000000000000000078");
    REQUIRE(*uid);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 128);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicAlgorithm),
              KMIP_CryptographicAlgorithm_AES);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Encrypt | KMIP_CryptographicUsageMask_Decrypt);
    CHECK(has_material(&house, uid));
    CHECK_STR(located(&beta, "rig000000000000000078"), ""); /* groups are closed to each other */
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    ENDS(object_call(&house, KM_OBJECT_GET, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    CHECK_INT(events(&house, "objects-make", SMF_SUCCESS, NULL, NULL), 3); /* 50, 50, 20 */
    CHECK_INT(events(&house, "object-made", SMF_SUCCESS, NULL, NULL), (int)before + 120);
    APPL("createclientkeys -group RIGS -algorithm AES", 0, "rig000000000000000079"); /* goes on */
    APPL("tklmSecretKeyCreate -group OTHERS -algorithm 3DES -prefix abc -count 2", 0,
         "2 of 2 made: abc000000000000000001 to abc000000000000000002");
    CHECK_INT(
        attr_of(&house, located(&beta, "abc000000000000000002"), KMIP_TAG_CryptographicLength),
        168);
}

TEST(key_pairs_are_linked_and_have_a_name_each)
{
    serving();
    APPL("createclientkeys -client alone -algorithm RSA -prefix pai -count 1", 0, "1 of 1 made");
    APPL("createclientkeys -group RIGS -algorithm RSA -length 2048 -prefix rsa -count 5", 0,
         "5 of 5 made: rsa000000000000000001 to rsa000000000000000005");
    const char *private_key = located(&alpha, "rsa000000000000000005");
    const char *public_key = located(&alpha, "rsa000000000000000005.public");
    REQUIRE(*private_key && *public_key);
    CHECK_STR(link_of(&house, private_key, KMIP_LinkType_PublicKeyLink), public_key);
    CHECK_STR(link_of(&house, public_key, KMIP_LinkType_PrivateKeyLink), private_key);
    CHECK_INT(attr_of(&house, private_key, KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Sign | KMIP_CryptographicUsageMask_Decrypt |
                  KMIP_CryptographicUsageMask_UnwrapKey);
    APPL("listobjects -client alone", 0, "2 entries");
    APPL("listobjects -client alone -type PrivateKey", 0, "pai000000000000000001");
}

TEST(dsa_pairs_are_made_in_numbers_too)
{
    serving();
    APPL("createclientkeys -group RIGS -algorithm DSA -length 1024 -prefix dsa", 2, "KLM2122E");
    APPL("createclientkeys -group RIGS -algorithm DSA -prefix dsa -count 3", 0,
         "3 of 3 made: dsa000000000000000001 to dsa000000000000000003");
    const char *private_key = located(&alpha, "dsa000000000000000003");
    const char *public_key = located(&alpha, "dsa000000000000000003.public");
    REQUIRE(*private_key && *public_key);
    CHECK_STR(link_of(&house, private_key, KMIP_LinkType_PublicKeyLink), public_key);
    CHECK_INT(attr_of(&house, private_key, KMIP_TAG_CryptographicAlgorithm),
              KMIP_CryptographicAlgorithm_DSA);
    CHECK_INT(attr_of(&house, private_key, KMIP_TAG_CryptographicLength), 2048);
    CHECK_INT(attr_of(&house, private_key, KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Sign);
    CHECK_INT(attr_of(&house, public_key, KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Verify);
    CHECK(has_material(&house, private_key) && has_material(&house, public_key));
}

TEST(profiles_of_facility_narrow_the_commands_on_objects_by_device_group)
{
    serving();
    static const struct km_actor narrowed = {.kind = KM_ACTOR_OPERATOR,
                                             .roles = KM_ROLE_SECADMIN,
                                             .name = "NARROW",
                                             .address = "console"};
#define AS(actor, command, status, has)                                                            \
    check_answer(&house, (actor), "F ISKLM,APPL='" command "'", (status), (has), __FILE__, __LINE__)

    APPL("createclientkeys -group RIGS -algorithm AES -prefix fac -count 1", 0, "1 of 1 made");
    const char *uid = located(&alpha, "fac000000000000000001");
    char line[200];

    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "FACILITY", "profile", "KLM.DEVICEGROUP.**",
       "uacc", "NONE");
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", "FACILITY", "profile", "KLM.DEVICEGROUP.**",
       "ids", both.name, "access", "CONTROL");
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "FACILITY", "profile", "KLM.DEVICEGROUP.RIGS",
       "uacc", "NONE");
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", "FACILITY", "profile", "KLM.DEVICEGROUP.RIGS",
       "ids", "NARROW", "access", "READ");
    DO(&house, KM_CLASS_SET, &admin, "classact", "FACILITY");
    AS(&narrowed, "listobjects -group RIGS -prefix fac", 0, "fac000000000000000001");
    AS(&narrowed, "listobjects -group OTHERS", 0, ""); /* lists are for all who may look */
    AS(&narrowed, "createclientkeys -group RIGS -algorithm AES -prefix fac", 1, "KLM1600E");
    AS(&narrowed, "createclientkeys -group OTHERS -algorithm AES -prefix fac", 1, "KLM1600E");
    snprintf(line, sizeof line, "F ISKLM,APPL='modobject -uuid %s -attributes \"{comment x}\"'",
             uid);
    check_answer(&house, &narrowed, line, 1, "KLM1600E", __FILE__, __LINE__);
    snprintf(line, sizeof line, "F ISKLM,APPL='delobject -uuid %s'", uid);
    check_answer(&house, &narrowed, line, 1, "KLM1600E", __FILE__, __LINE__);
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", "FACILITY", "profile", "KLM.DEVICEGROUP.RIGS",
       "ids", "NARROW", "access", "UPDATE");
    AS(&narrowed, "createclientkeys -group RIGS -algorithm AES -prefix fac", 0, "1 of 1 made");
    AS(&narrowed, "createclientkeys -group OTHERS -algorithm AES -prefix fac", 1, "KLM1600E");
    CHECK(events(&house, "objects-make", SMF_FAILURE, NULL, NULL) >= 2);
    DO(&house, KM_CLASS_SET, &admin, "noclassact", "FACILITY");
    AS(&narrowed, "listobjects -group OTHERS", 0, "");
#undef AS
}

TEST(a_name_that_a_client_has_is_skipped)
{
    serving();
    new_key(&house, NAMED("tak000000000000000002"));
    APPL("createclientkeys -group RIGS -algorithm AES -prefix tak -count 2", 0,
         "2 of 2 made: tak000000000000000001 to tak000000000000000003");
}

TEST(what_is_asked_wrongly_makes_nothing)
{
    serving();
    const int made_before = events(&house, "objects-make", SMF_SUCCESS, NULL, NULL);
    APPL("createclientkeys -algorithm AES -prefix abc", 2, "KLM2120E");
    APPL("createclientkeys -client alone -group RIGS -algorithm AES", 2, "KLM2120E");
    APPL("createclientkeys -group NONE -algorithm AES -prefix abc", 1, "KLM1928E");
    APPL("createclientkeys -client nobody -algorithm AES -prefix abc", 1, "KLM1923E");
    APPL("createclientkeys -group RIGS -algorithm ROT13", 2, "KLM2121E ROT13");
    APPL("createclientkeys -group RIGS -algorithm AES -length 129", 2, "KLM2122E");
    APPL("createclientkeys -group RIGS -algorithm RSA -length 1024", 2, "KLM2122E");
    APPL("createclientkeys -group RIGS -algorithm AES -usage Eat", 2, "KLM2121E Eat");
    APPL("createclientkeys -group RIGS -algorithm AES -publicUsage Verify", 2, "KLM2121E AES");
    APPL("createclientkeys -group OTHERS -algorithm AES", 2, "KLM2123E");
    APPL("createclientkeys -group RIGS -algorithm AES -prefix a1b", 2, "KLM2123E");
    APPL("createclientkeys -group RIGS -algorithm AES -count 10001", 2, "10000");
    APPL("createclientkeys -group RIGS -algorithm AES -count 0", 2, "a number from 1 to 10000");
    APPL("tklmKeyCreate -group RIGS -algorithm RSA -count 0", 2, "KLM0904E");
    APPL("createclientkeys -group RIGS -algorithm AES -count -1", 2, "KLM0972E");
    APPL("createclientkeys -group RIGS", 2, "Usage: createclientkeys");
    CHECK_INT(events(&house, "objects-make", SMF_SUCCESS, NULL, NULL), made_before);
    static const struct km_actor watcher = {.kind = KM_ACTOR_OPERATOR,
                                            .roles = KM_ROLE_OPERATOR,
                                            .name = "OPER1",
                                            .address = "console"};
    check_answer(&house, &watcher, "F ISKLM,APPL='createclientkeys -group RIGS -algorithm AES'", 1,
                 "KLM0900E", __FILE__, __LINE__);
}

TEST(lists_come_in_pages_and_are_narrowed)
{
    char last[64], line[200];
    const char *more;
    int status;

    serving();
    APPL("createclientkeys -group OTHERS -algorithm AES -prefix pag -count 7", 0, "7 of 7");
    const char *page = say_as(
        &house, &both, "F ISKLM,APPL='listobjects -group OTHERS -prefix pag -limit 4'", &status);
    CHECK(strstr(page, "4 entries") && strstr(page, "pag000000000000000004") &&
          !strstr(page, "pag000000000000000005"));
    more = strstr(page, "More: -after ");
    REQUIRE(more != NULL);
    snprintf(last, sizeof last, "%.36s", more + strlen("More: -after "));
    snprintf(line, sizeof line,
             "F ISKLM,APPL='listobjects -group OTHERS -prefix pag -limit 4 -after %s'", last);
    page = say_as(&house, &both, line, &status);
    CHECK(strstr(page, "3 entries") && strstr(page, "pag000000000000000005") &&
          !strstr(page, "More:"));
    APPL("listobjects -name pag000000000000000003", 0, "1 entry");
    APPL("tklmKeyList -group OTHERS -state PreActive -prefix pag", 0, "7 entries");
    APPL("listobjects -group OTHERS -state Active", 0, "0 entries");
    APPL("listobjects -group RIGS -prefix pag", 0, "0 entries");
    APPL("listobjects -type Nothing", 2, "KLM2121E Nothing");
    APPL("listobjects -state Limbo", 2, "KLM2121E Limbo");
    say_of("F ISKLM,APPL='showobject -uuid %s'", located(&beta, "pag000000000000000001"), 0,
           "Cryptographic Usage Mask");
    APPL("showobject -uuid nothing", 1, "KLM2001E");
}

#define MOD(attributes) "F ISKLM,APPL='modobject -uuid %s -attributes \"" attributes "\"'"

TEST(attributes_are_changed_under_the_rules_for_clients)
{
    serving();
    klm_clock_set(NOW * 1000000LL);
    const char *uid = new_key(&house, NAMED("before"));
    const char *other = new_key(&house, NAMED("another"));

    say_of(MOD("{name after} {contactInformation the night shift} {customAttribute x-site here}"),
           uid, 0, "modobject processed");
    CHECK_STR(located(&alpha, "after"), uid);
    CHECK_STR(located(&alpha, "before"), "");
    say_of("F ISKLM,APPL='showobject -uuid %s'", uid, 0, "the night shift");
    say_of(MOD("{applicationSpecificInformation lib volume 7} {objectGroup one} {cryptoParams "
               "BlockCipherMode=CBC PaddingMethod=PKCS5}"),
           uid, 0, "processed");
    say_of("F ISKLM,APPL='showobject -uuid %s'", uid, 0, "BlockCipherMode=CBC");
    char line[300];
    snprintf(line, sizeof line,
             "F ISKLM,APPL='modobject -uuid %s -attributes \"{link ParentLink %s}\"'", uid, other);
    SAY(line, 0, "processed");
    CHECK_STR(link_of(&house, uid, KMIP_LinkType_ParentLink), other);
    say_of(MOD("{link ParentLink 0123}"), uid, 1, "KLM2001E");
    say_of(MOD("{name another}"), uid, 1, "KLM2041E"); /* of another object of the group */
    /* a date of the past is now; one that has come stays */
    say_of(MOD("{activationDate 2001-01-01T00:00:00Z}"), uid, 0, "processed");
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_ActivationDate), NOW);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), KMIP_State_Active);
    say_of(MOD("{protectStopDate 2023-11-15T00:00:00Z}"), uid, 0, "processed");
    klm_clock_set((NOW + 7 * 86400) * 1000000LL);
    say_of(MOD("{protectStopDate 2030-01-01T00:00:00Z}"), uid, 1, "KLM203");
    /* usage limits until they are used */
    uid = new_key(&house, NAMED("limited") "ActivationDate=NOW ");
    say_of(MOD("{usageLimits 1000 BYTE}"), uid, 0, "processed");
    say_of(MOD("{usageLimits 2000 BYTE}"), uid, 0, "processed");
    struct km_call *call = object_call(&house, KM_OBJECT_ALLOCATE, &alpha, uid);
    ((struct km_object_check *)call->req)->count = 10;
    WORKS(call);
    say_of(MOD("{usageLimits 3000 BYTE}"), uid, 1, "KLM203");
    CHECK_INT(left_of(&house, uid), 1990);
    /* all or nothing, and only what is known */
    say_of(MOD("{name third} {usageLimits 5 BYTE}"), uid, 1, "KLM203");
    CHECK_STR(located(&alpha, "third"), "");
    say_of(MOD("{state Active}"), uid, 2, "KLM2124E");
    say_of(MOD("{usageLimits many BYTE}"), uid, 2, "KLM2124E");
    say_of(MOD("{customAttribute y-site here}"), uid, 2, "KLM2124E");
    say_of(MOD("{name third"), uid, 2, "KLM2124E");
    klm_clock_set(0);
}

TEST(only_what_is_not_in_use_is_destroyed_and_the_type_is_looked_at)
{
    serving();
    const char *key = new_key(&house, NAMED("goes"));
    const char *secret =
        made(register_call(&house, KMIP_ObjectType_SecretData,
                           "SecretData{SecretDataType=Password KeyBlock{KeyFormatType=Opaque "
                           "KeyValue{KeyMaterial:ByteString=70617373}}}",
                           "CryptographicUsageMask=Verify " NAMED("secret")));
    APPL("listsecrets -group RIGS", 0, "secret");
    APPL("tklmSecretDataList", 0, "1 entry");
    APPL("tklmKMIPTemplateList", 0, "0 entries");
    say_of("F ISKLM,APPL='tklmSecretDataDelete -uuid %s'", key, 1, "KLM2125E");
    say_of("F ISKLM,APPL='deltemplate -uuid %s'", secret, 1, "KLM2125E");
    WORKS(state_call(&house, KM_OBJECT_ACTIVATE, key, 0));
    say_of("F ISKLM,APPL='delobject -uuid %s'", key, 1, "KLM2027E");
    CHECK(has_material(&house, key));
    WORKS(state_call(&house, KM_OBJECT_REVOKE, key, STOPS));
    say_of("F ISKLM,APPL='delobject -uuid %s'", key, 0, "delobject processed");
    CHECK(!has_material(&house, key));
    say_of("F ISKLM,APPL='delobject -uuid %s'", key, 1, "KLM20");
    say_of("F ISKLM,APPL='delsecret -uuid %s'", secret, 0, "delsecret processed");
    CHECK(!has_material(&house, secret));
    CHECK_INT(events(&house, "object-remove", SMF_SUCCESS, NULL, NULL), 2);
    close_house(&house); /* this is the last test */
}
