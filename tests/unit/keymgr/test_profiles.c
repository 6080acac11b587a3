/* Profiles decide, in km_run and nowhere else: drives by label and service, operators by ring and function; what is refused is audited, and changes come
 * in force when RACF's way says so. */
#include "keymgr/km_help.h"

#include <pwd.h>

static struct house house;
static struct drive drive, other;

static const struct km_actor joe = {.kind = KM_ACTOR_OPERATOR,
                                    .roles = KM_ROLE_SECADMIN,
                                    .name = "joe",
                                    .address = "console",
                                    .groups = "STAFF,TAPEADM"};
static const struct km_actor tapekms = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_SECADMIN, .name = "tapekms", .address = "console"};

#define OTHER_SERIAL "000000000055"

static void serving(void)
{
    if (house.server) {
        return;
    }
    listen_now();
    start_house(&house, "profiles", "");
    make_drive(&house, &drive, SERIAL, WWN, CA_LABEL);
    make_drive(&house, &other, OTHER_SERIAL, "5005076302400055", CA_LABEL);
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "wwn", WWN, "rec1", "L1", "kind", "3592");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", OTHER_SERIAL, "rec1", "L1", "kind", "3592");
}

#define DEFINE(class, profile, uacc)                                                               \
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", class, "profile", profile, "uacc", uacc)
#define PERMIT(class, profile, id, access)                                                         \
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", class, "profile", profile, "ids", id, "access", \
       access)
#define UNPERMIT(class, profile, id)                                                               \
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", class, "profile", profile, "ids", id, "delete", \
       "true")
#define REMOVE(class, profile)                                                                     \
    DO(&house, KM_PROFILE_DELETE, &admin, "class", class, "profile", profile)
#define SETROPTS(option, classes) DO(&house, KM_CLASS_SET, &admin, option, classes)
#define WRITE(serial, label, rc, msg)                                                              \
    expect(create_key(&house, serial, "PROF01", label, NULL, KX_ENC_LABEL), rc, msg, __FILE__,     \
           __LINE__)
#define SERVED(serial, label) WRITE(serial, label, KLM_OK, KLM_MSG_NONE)

/* The journal's newest event of a verb. */
struct event {
    const char *verb;
    enum smf_outcome outcome;
    char user[64], id[16], text[512];
};

static klm_rc look(void *arg, const struct smf_record *record)
{
    struct event *event = arg;
    const char *const *field = record->event.field;

    if (field[SMF_F_VERB] && strcmp(field[SMF_F_VERB], event->verb) == 0) {
        event->outcome = record->event.outcome;
        snprintf(event->user, sizeof event->user, "%s", field[SMF_F_USER] ? field[SMF_F_USER] : "");
        snprintf(event->id, sizeof event->id, "%s",
                 field[SMF_F_MESSAGE_ID] ? field[SMF_F_MESSAGE_ID] : "");
        snprintf(event->text, sizeof event->text, "%s",
                 field[SMF_F_MESSAGE] ? field[SMF_F_MESSAGE] : "");
    }
    return KLM_OK;
}

static struct event newest(const char *verb)
{
    struct event event = {.verb = verb};

    REQUIRE_OK(smf_journal_read(house.journal, 0, look, &event, NULL));
    return event;
}

TEST(a_new_site_works_without_profiles_and_is_told)
{
    serving();
    CHECK_INT(times_said("KLM1602W Profiles are not checked in the inactive classes STARTED, "
                         "FACILITY, RDATALIB, CSFSERV, CSFKEYS"),
              1);
    SERVED(SERIAL, "L1");
    DO(&house, KM_KEYSTORE_LIST, &admin, "alias", "L1");
}

TEST(an_active_class_gives_nothing_that_no_profile_gives_and_the_refusal_is_audited)
{
    struct event event;

    serving();
    SETROPTS("classact", "CSFKEYS");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_NONE);
    event = newest("key-create");
    CHECK_INT(event.outcome, SMF_FAILURE);
    CHECK_STR(event.user, SERIAL);
    CHECK_STR(event.id, "KLM1601E");
    CHECK(strstr(event.text, "L1 in class CSFKEYS") != NULL);
    DEFINE("CSFKEYS", "L1", "NONE");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    event = newest("key-create");
    CHECK_STR(event.id, "KLM1600E");
    PERMIT("CSFKEYS", "L1", SERIAL, "READ");
    SERVED(SERIAL, "L1");
    WRITE(SERIAL, "L2", KLM_E_DENIED, KLM_MSG_ACCESS_NONE);
    WRITE(OTHER_SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    UNPERMIT("CSFKEYS", "L1", SERIAL);
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    SETROPTS("noclassact", "CSFKEYS");
    SERVED(SERIAL, "L1");
    REMOVE("CSFKEYS", "L1");
}

TEST(drives_are_known_by_serial_number_by_kind_and_by_the_task_that_acts_for_them)
{
    const struct passwd *me = getpwuid(getuid());
    char user[64];

    serving();
    snprintf(user, sizeof user, "%s", me ? me->pw_name : "");
    for (char *p = user; *p; p++) {
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    }
    DEFINE("CSFKEYS", "L*", "NONE");
    SETROPTS("classact", "CSFKEYS");
    PERMIT("CSFKEYS", "L*", "LTO", "READ");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    PERMIT("CSFKEYS", "L*", "3592", "READ");
    SERVED(SERIAL, "L1");
    SERVED(OTHER_SERIAL, "L1");
    UNPERMIT("CSFKEYS", "L*", "3592");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    PERMIT("CSFKEYS", "L*", user, "READ"); /* what the task may, it may do for its drives */
    SERVED(SERIAL, "L1");
    PERMIT("CSFKEYS", "L*", "3592", "NONE"); /* but these */
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    PERMIT("CSFKEYS", "L*", SERIAL, "READ"); /* and of those this one after all */
    SERVED(SERIAL, "L1");
    DO(&house, KM_PROFILE_PERMIT, &admin, "class", "CSFKEYS", "profile", "L*", "reset", "true",
       "ids", "KLMSERV");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "STARTED", "profile", "ISKLM*.*", "user",
       "KLMSERV", "group", "TASKS", "trace", "YES");
    SETROPTS("classact", "STARTED");
    SERVED(SERIAL, "L1");
    SETROPTS("noclassact", "STARTED CSFKEYS");
    REMOVE("STARTED", "ISKLM*.*");
    REMOVE("CSFKEYS", "L*");
}

TEST(a_read_is_served_with_the_label_that_the_drive_may_use)
{
    struct klm_slice eedk[2];
    uint8_t room[2][KX_EEDK_MAX];
    struct km_call *call;

    serving();
    call = create_key(&house, SERIAL, "PROF02", "L1", "L2", KX_ENC_LABEL);
    REQUIRE_OK(call->rc);
    for (size_t i = 0; i < 2; i++) {
        memcpy(room[i], call->keyed.eedk[i].p, call->keyed.eedk[i].n);
        eedk[i] = KLM_SLICE(room[i], call->keyed.eedk[i].n);
    }
    km_call_free(&call);
    DEFINE("CSFKEYS", "L1", "NONE");
    DEFINE("CSFKEYS", "L2", "READ");
    SETROPTS("classact", "CSFKEYS");
    call = get_key(&house, SERIAL, "PROF02", eedk, 2);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_STR(call->keyed.labels[0].label, "L2");
    CHECK_INT(call->device_code, 0);
    CHECK_INT(newest("key-get").outcome, SMF_SUCCESS);
    km_call_free(&call);
    expect(get_key(&house, SERIAL, "PROF02", eedk, 1), KLM_E_DENIED, KLM_MSG_ACCESS_LOW, __FILE__,
           __LINE__);
    CHECK_STR(newest("key-get").id, "KLM1600E");
    SETROPTS("noclassact", "CSFKEYS");
    REMOVE("CSFKEYS", "L1");
    REMOVE("CSFKEYS", "L2");
}

TEST(services_are_refused_before_anything_is_done)
{
    serving();
    DEFINE("CSFSERV", "CSF*", "READ");
    DEFINE("CSFSERV", "CSFKGN", "NONE");
    SETROPTS("classact", "CSFSERV");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    PERMIT("CSFSERV", "CSFKGN", SERIAL, "READ");
    SERVED(SERIAL, "L1");
    WRITE(OTHER_SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    SETROPTS("noclassact", "CSFSERV");
    REMOVE("CSFSERV", "CSF*");
    REMOVE("CSFSERV", "CSFKGN");
}

#define LISTED(actor, owner_) DO(&house, KM_CERT_LIST, actor, "owner", owner_)
#define NOT_LISTED(actor, owner_)                                                                  \
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_CERT_LIST, actor, "owner", owner_)

TEST(functions_on_certificates_ask_read_for_ones_own_update_for_others_control_for_the_sites)
{
    serving();
    DEFINE("FACILITY", "IRR.DIGTCERT.LIST", "NONE");
    SETROPTS("classact", "FACILITY");
    NOT_LISTED(&tapekms, OWNER);
    PERMIT("FACILITY", "IRR.DIGTCERT.LIST", OWNER, "READ");
    LISTED(&tapekms, OWNER);
    NOT_LISTED(&tapekms, "OTHER");
    NOT_LISTED(&tapekms, "CERTAUTH");
    PERMIT("FACILITY", "IRR.DIGTCERT.LIST", OWNER, "UPDATE");
    LISTED(&tapekms, "OTHER");
    NOT_LISTED(&tapekms, "SITE");
    PERMIT("FACILITY", "IRR.DIGTCERT.LIST", "TAPEADM", "CONTROL"); /* a group of joe's */
    LISTED(&joe, "CERTAUTH");
    LISTED(&joe, OWNER);
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_NONE, &house, KM_CERT_EXPORT, &joe, "owner", OWNER,
            "label", "L1");
    CHECK_STR(newest("cert-export").id, "KLM1601E");
    CHECK_STR(newest("cert-export").user, "joe");
    DEFINE("FACILITY", "IRR.DIGTCERT.GENCERT", "READ");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_CERT_GENERATE, &tapekms, "owner", OWNER,
            "label", "SIGNED", "subject", "CN=x", "type", "NISTECC", "sign_owner", "CERTAUTH",
            "sign_label", CA_LABEL);
    DO(&house, KM_CERT_GENERATE, &tapekms, "owner", OWNER, "label", "OWN", "subject", "CN=own",
       "type", "NISTECC");
    DEFINE("FACILITY", "IRR.DIGTCERT.CONNECT", "READ");
    DO(&house, KM_RING_CONNECT, &tapekms, "owner", OWNER, "ring", RING, "cert_owner", OWNER,
       "label", "OWN");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_RING_CONNECT, &tapekms, "owner", OWNER,
            "ring", RING, "cert_owner", "CERTAUTH", "label", CA_LABEL);
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_RING_CONNECT, &joe, "owner", OWNER, "ring",
            RING, "cert_owner", OWNER, "label", "OWN");
    SETROPTS("noclassact", "FACILITY");
}

TEST(rings_are_read_and_changed_by_those_permitted)
{
    struct km_call *call;

    serving();
    DEFINE("RDATALIB", "TAPEKMS.KEYSTORE4758.LST", "NONE");
    DEFINE("RDATALIB", "TAPEKMS.KEYSTORE4758.UPD", "NONE");
    DO(&house, KM_RING_ADD, &admin, "owner", OWNER, "ring", "Other");
    DEFINE("RDATALIB", "TAPEKMS.**", "READ");
    SETROPTS("classact", "RDATALIB");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_RING_LIST, &joe, "owner", OWNER, "ring",
            RING);
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_KEYSTORE_LIST, &joe, "alias", "L1");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_RING_REMOVE, &joe, "owner", OWNER, "ring",
            RING, "cert_owner", OWNER, "label", "L1");
    call = run_call(&house, KM_RING_LIST, &joe, "owner", OWNER, NULL);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, "Ring"), "Other");
    CHECK(call->text && strstr(call->text, "1 rings are not shown"));
    km_call_free(&call);
    /* The task may not open its own ring any more: what it has stays in force. */
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_KEYSTORE_REFRESH, &admin, NULL);
    SERVED(SERIAL, "L1");
    PERMIT("RDATALIB", "TAPEKMS.KEYSTORE4758.LST", "*", "READ");
    DO(&house, KM_KEYSTORE_REFRESH, &admin, NULL);
    DO(&house, KM_RING_LIST, &joe, "owner", OWNER, "ring", RING);
    SETROPTS("noclassact", "RDATALIB");
}

/* A verb that uses keys, or changes keys, certificates and rings, has rows in access.def; else profiles would not reach it. */
TEST(no_verb_that_uses_keys_is_out_of_reach_of_profiles)
{
    for (int id = 0; id < KM_VERBS; id++) {
        const struct km_verb *verb = km_verb((enum km_verb_id)id);

        if (verb->right == KM_RIGHT_SECURITY) {
            test_int(km_asks_profiles((enum km_verb_id)id, PR_CLASSES), true, verb->name, __FILE__,
                     __LINE__);
        }
        if (verb->right == KM_RIGHT_SERVE && id != KM_DRIVE_VERIFY) {
            test_int(km_asks_profiles((enum km_verb_id)id, PR_CSFKEYS), true, verb->name, __FILE__,
                     __LINE__);
            test_int(km_asks_profiles((enum km_verb_id)id, PR_CSFSERV), true, verb->name, __FILE__,
                     __LINE__);
        }
    }
}

TEST(profiles_narrow_a_role_and_never_widen_it)
{
    serving();
    DEFINE("FACILITY", "IRR.DIGTCERT.**", "ALTER");
    SETROPTS("classact", "FACILITY");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CERT_DELETE, &oper, "owner", OWNER,
            "label", "L1");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_PROFILE_DEFINE, &oper, "class",
            "CSFKEYS", "profile", "X");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLASS_SET, &oper, "noclassact",
            "FACILITY");
    DO(&house, KM_PROFILE_LIST, &oper, "class", "FACILITY");
    SETROPTS("noclassact", "FACILITY");
    REMOVE("FACILITY", "IRR.DIGTCERT.**");
}

TEST(changes_of_a_raclisted_class_wait_for_the_refresh)
{
    struct km_call *call;

    serving();
    DEFINE("CSFKEYS", "L1", "READ");
    SETROPTS("classact", "CSFKEYS");
    SETROPTS("raclist", "CSFKEYS");
    SERVED(SERIAL, "L1");
    call = run_call(&house, KM_PROFILE_PERMIT, &admin, "class", "CSFKEYS", "profile", "L1", "ids",
                    SERIAL, "access", "NONE", NULL);
    CHECK_RC(call->rc, KLM_OK);
    CHECK(call->text && strstr(call->text, "SETROPTS RACLIST(CSFKEYS) REFRESH"));
    km_call_free(&call);
    SERVED(SERIAL, "L1");
    DO(&house, KM_CLASS_SET, &admin, "raclist", "CSFKEYS", "refresh", "true");
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    SETROPTS("noraclist", "CSFKEYS");
    UNPERMIT("CSFKEYS", "L1", SERIAL); /* at once again */
    SERVED(SERIAL, "L1");
    DO(&house, KM_CLASS_SET, &admin, "raclist", "DIGTCERT DIGTRING", "refresh", "true");
    SETROPTS("noclassact", "CSFKEYS");
}

/* The pipeline batches changes: two classes in one batch must not undo each other. */
static void *define_many(void *arg)
{
    const char *class = arg;

    for (unsigned i = 0; i < 40; i++) {
        struct km_call *call;
        char name[16];

        snprintf(name, sizeof name, "M%u", i);
        call = run_call(&house, KM_PROFILE_DEFINE, &admin, "class", class, "profile", name, NULL);
        CHECK_RC(call->rc, KLM_OK);
        km_call_free(&call);
    }
    return NULL;
}

TEST(changes_in_one_batch_do_not_undo_each_other)
{
    static const char *const class[] = {"CSFKEYS", "CSFSERV", "FACILITY", "RDATALIB"};
    pthread_t thread[KLM_COUNT(class)];
    struct km_call *call;

    serving();
    for (size_t i = 0; i < KLM_COUNT(class); i++) {
        REQUIRE(pthread_create(&thread[i], NULL, define_many, (void *)(uintptr_t) class[i]) == 0);
    }
    for (size_t i = 0; i < KLM_COUNT(class); i++) {
        pthread_join(thread[i], NULL);
    }
    call = run_call(&house, KM_CLASS_LIST, &admin, NULL);
    for (size_t i = 1; i < call->rows.n; i++) { /* but STARTED */
        test_int(atoi(cell(call, i, "Profiles")) >= 40, 1, cell(call, i, "Class"), __FILE__,
                 __LINE__);
    }
    km_call_free(&call);
}

TEST(what_is_wrong_is_said)
{
    serving();
    REFUSED(KLM_E_USAGE, KLM_MSG_CLASS_UNKNOWN, &house, KM_PROFILE_DEFINE, &admin, "class",
            "DATASET", "profile", "X");
    REFUSED(KLM_E_INVALID, KLM_MSG_PROFILE_NAME, &house, KM_PROFILE_DEFINE, &admin, "class",
            "CSFKEYS", "profile", "A**");
    REFUSED(KLM_E_USAGE, KLM_MSG_ACCESS_UNKNOWN, &house, KM_PROFILE_DEFINE, &admin, "class",
            "CSFKEYS", "profile", "X", "uacc", "SOME");
    REFUSED(KLM_E_INVALID, KLM_MSG_PROFILE_ID, &house, KM_PROFILE_DEFINE, &admin, "class",
            "CSFKEYS", "profile", "X", "owner", "not one");
    REFUSED(KLM_E_USAGE, KLM_MSG_STDATA_CLASS, &house, KM_PROFILE_DEFINE, &admin, "class",
            "CSFKEYS", "profile", "X", "user", "KLMSERV");
    REFUSED(KLM_E_USAGE, KLM_MSG_STDATA_TRACE, &house, KM_PROFILE_DEFINE, &admin, "class",
            "STARTED", "profile", "X", "trace", "ON");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PROFILE_NOT_FOUND, &house, KM_PROFILE_ALTER, &admin, "class",
            "CSFKEYS", "profile", "NONE.SUCH");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PROFILE_NOT_FOUND, &house, KM_PROFILE_LIST, &admin, "class",
            "STARTED", "profile", "NONE.SUCH");
    DEFINE("CSFKEYS", "TWICE", "NONE");
    REFUSED(KLM_E_EXISTS, KLM_MSG_PROFILE_EXISTS, &house, KM_PROFILE_DEFINE, &admin, "class",
            "CSFKEYS", "profile", "TWICE");
    REFUSED(KLM_E_USAGE, KLM_MSG_PERMIT_NOBODY, &house, KM_PROFILE_PERMIT, &admin, "class",
            "CSFKEYS", "profile", "TWICE");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PERMIT_NONE, &house, KM_PROFILE_PERMIT, &admin, "class",
            "CSFKEYS", "profile", "TWICE", "ids", "JOE", "delete", "true");
    REFUSED(KLM_E_USAGE, KLM_MSG_SETROPTS_NOTHING, &house, KM_CLASS_SET, &admin, NULL);
    REFUSED(KLM_E_USAGE, KLM_MSG_SETROPTS_REFRESH, &house, KM_CLASS_SET, &admin, "classact",
            "CSFKEYS", "refresh", "true");
    REFUSED(KLM_E_USAGE, KLM_MSG_SETROPTS_BOTH, &house, KM_CLASS_SET, &admin, "generic", "CSFKEYS",
            "nogeneric", "CSFSERV CSFKEYS");
    REFUSED(KLM_E_USAGE, KLM_MSG_CLASS_UNKNOWN, &house, KM_CLASS_SET, &admin, "classact",
            "DATASET");
    REMOVE("CSFKEYS", "TWICE");
}

TEST(profiles_survive_a_restart_and_the_task_says_as_whom_it_runs)
{
    serving();
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "STARTED", "profile", "ISKLM.*", "user",
       "KLMSERV", "group", "TASKS", "trace", "YES");
    SETROPTS("classact", "CSFKEYS STARTED");
    PERMIT("CSFKEYS", "L1", SERIAL, "NONE");
    close_house(&house);
    listen_now();
    open_house(&house, false);
    CHECK_INT(
        times_said("KLM1618I Profile ISKLM.* of class STARTED was used: the task runs as user "
                   "KLMSERV, group TASKS"),
        1);
    CHECK_INT(times_said("inactive classes FACILITY, RDATALIB, CSFSERV"), 1);
    WRITE(SERIAL, "L1", KLM_E_DENIED, KLM_MSG_ACCESS_LOW);
    close_house(&house);
    drive_done(&drive);
    drive_done(&other);
}
