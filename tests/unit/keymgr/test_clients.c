/* Clients of KMIP: who is one, who may register, how unknown ones wait, and what it takes to delete one that has objects. */
#include "keymgr/km_help.h"

#include "keymgr/clients.h"
#include "keymgr/object.h"
#include "keyring/verifier.h"
#include "metadata/object.h"

#include <ctype.h>
#include <openssl/evp.h>

#define SECOND 1000000LL
#define MINUTE (60 * SECOND)

static const struct km_actor oper2 = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_OPERATOR, .name = "OPER2", .address = "console"};
static const struct km_actor auditor = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_AUDITOR, .name = "AUDI", .address = "console"};
static const struct km_actor task = {
    .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "backup"};

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "clients", "");
        DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "GENERIC");
    }
    klm_clock_set(0);
}

/* ---- Certificates that clients made themselves */
struct made {
    uint8_t der[2048];
    size_t n;
    char fingerprint[65];
};

static struct made make_cert_for(const char *name, long from, long until)
{
    static EVP_PKEY *key;
    static long serial;
    X509 *x509 = X509_new();
    struct made made = {.n = 0};
    uint8_t *p = made.der;
    int n;

    key = key ? key : EVP_EC_gen("P-256");
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), from);
    X509_gmtime_adj(X509_getm_notAfter(x509), until);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, key);
    REQUIRE(X509_sign(x509, key, EVP_sha256()) > 0);
    n = i2d_X509(x509, NULL);
    REQUIRE(n > 0 && (size_t)n <= sizeof made.der);
    i2d_X509(x509, &p);
    made.n = (size_t)n;
    fingerprint_of(made.der, made.n, made.fingerprint);
    X509_free(x509);
    return made;
}

static struct made make_cert(const char *name)
{
    return make_cert_for(name, -3600, 86400);
}

/* ---- Calls */

static struct km_call *add_as(const struct km_actor *actor, const char *name, const char *group,
                              const struct made *cert)
{
    struct km_call *call = new_call(&house, KM_CLIENT_ADD, actor);
    struct km_client_req *req = call->req;

    req->name = name;
    req->group = group;
    if (cert) {
        req->cert = KLM_SLICE(cert->der, cert->n);
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}
#define ADD(name, group, cert)                                                                     \
    expect(add_as(&oper, (name), (group), (cert)), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__)

static struct km_call *call_from(const char *address, const struct made *cert)
{
    const struct km_actor actor = {.kind = KM_ACTOR_CLIENT, .address = address};
    struct km_call *call = new_call(&house, KM_CLIENT_CONTACT, &actor);

    ((struct km_client_contact *)call->req)->cert = KLM_SLICE(cert->der, cert->n);
    KLM_IGNORE(km_run_wait(call));
    return call;
}
#define LEAVES(address, cert, msg)                                                                 \
    expect(call_from((address), (cert)), KLM_OK, (msg), __FILE__, __LINE__)

/* What the listener asks. */
static struct dt_clients *held;

static klm_rc who_is(const char *fingerprint, struct km_actor *out, struct klm_diag *diag)
{
    struct dt_clients *clients = km_clients(house.server);

    dt_clients_free(&held); /* what the actor of before borrowed from */
    held = clients;
    return km_client_actor(clients, dt_clients_find(clients, fingerprint), "192.0.2.7:40022", "1",
                           diag, out);
}

static klm_rc is_client(const struct made *cert)
{
    struct km_actor actor;

    return who_is(cert->fingerprint, &actor, NULL);
}

static size_t listed(enum km_verb_id verb)
{
    struct km_call *call = run_call(&house, verb, &oper, NULL);
    size_t n = call->rows.n;

    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    return n;
}

static void check_cell(struct km_call *call, const char *column, const char *value)
{
    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, column), value);
    km_call_free(&call);
}
#define CELL(verb, name, column, value)                                                            \
    check_cell(run_call(&house, (verb), &auditor, "name", (name), NULL), (column), (value))

/* ---- Who is a client */

TEST(a_registered_certificate_is_a_client_of_its_group)
{
    serving();
    struct made cert = make_cert("vcenter"), other = make_cert("vcenter");
    struct km_actor actor;

    ADD("vCenter", "GENERIC", &cert);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK_INT(actor.kind, KM_ACTOR_CLIENT);
    CHECK_INT(actor.roles, KM_ROLE_CLIENT);
    CHECK_STR(actor.name, "vCenter");
    CHECK_STR(actor.group, "GENERIC");
    CHECK_STR(actor.fingerprint, cert.fingerprint);
    CHECK(!actor.may_destroy);
    CHECK_RC(is_client(&other), KLM_E_NOTFOUND); /* the name in a certificate says nothing */
    CHECK(km_may(actor.roles, KM_RIGHT_OBJECT));
    for (int right = 0; right < KM_RIGHTS; right++) {
        CHECK(right == KM_RIGHT_OBJECT || right == KM_RIGHT_CONTACT ||
              !km_may(actor.roles, (enum km_right)right));
    }
    CHECK(!km_may(KM_ROLE_SECADMIN | KM_ROLE_SYSTEM, KM_RIGHT_OBJECT));
    CELL(KM_CLIENT_LIST, "vCenter", "Certificate", cert.fingerprint);
    CELL(KM_CLIENT_LIST, "vCenter", "Group", "GENERIC");
    CELL(KM_CLIENT_LIST, "vCenter", "Subject", "CN=vcenter");
    CELL(KM_CLIENT_LIST, "vCenter", "Last Contact", "never");
    CHECK_INT(events(&house, "client-add", SMF_SUCCESS, NULL, cert.fingerprint), 1);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "vCenter");
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
}

TEST(a_client_in_no_group_has_one_of_its_own)
{
    serving();
    struct made a = make_cert("a"), b = make_cert("b");
    struct km_actor one, two;
    char group[DT_DEVICE_GROUP_MAX + 1];

    ADD("alone a", NULL, &a);
    ADD("alone b", "None", &b);
    REQUIRE_OK(who_is(a.fingerprint, &one, NULL));
    snprintf(group, sizeof group, "%s", one.group);
    REQUIRE_OK(who_is(b.fingerprint, &two, NULL));
    CHECK(dt_group_own(group) && dt_group_own(two.group) && strcmp(group, two.group) != 0);
    CHECK(!two.may_destroy);
    CELL(KM_CLIENT_LIST, "alone a", "Group", "none");
    struct km_call *call = run_call(&house, KM_CLIENT_LIST, &oper, "group", "none", NULL);
    CHECK_INT(call->rows.n, 2);
    km_call_free(&call);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "alone a");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "alone b");
}

TEST(a_certificate_of_the_key_ring_is_named_by_its_label)
{
    serving();
    struct km_call *call = run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label", "L1",
                                    "format", "CERTDER", NULL);
    char fingerprint[65];

    fingerprint_of(call->bytes.p, call->bytes.n, fingerprint);
    km_call_free(&call);
    DO(&house, KM_CLIENT_ADD, &oper, "name", "of the ring", "group", "GENERIC", "label", "L1");
    CELL(KM_CLIENT_LIST, "of the ring", "Certificate", fingerprint);
    REFUSED(KLM_E_EXISTS, KLM_MSG_CLIENT_CERT_TAKEN, &house, KM_CLIENT_ADD, &oper, "name", "twice",
            "label", "L1", "owner", OWNER);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CLIENT_ADD, &oper, "name", "x",
            "label", "no such");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CLIENT_ADD, &oper, "name", "x",
            "label", "L1", "owner", "NOBODY");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "of the ring");
}

TEST(a_client_whose_certificate_is_not_valid_now_is_refused)
{
    serving();
    struct made late = make_cert_for("late", -7200, -3600),
                early = make_cert_for("early", 3600, 7200);
    struct klm_diag diag = {0};
    struct km_actor actor;

    ADD("late", NULL, &late);
    ADD("early", NULL, &early);
    CHECK_RC(who_is(late.fingerprint, &actor, &diag), KLM_E_DENIED);
    CHECK_INT(diag.msg, KLM_MSG_CLIENT_NOT_VALID);
    CHECK_RC(is_client(&early), KLM_E_DENIED);
    klm_clock_set(klm_clock() + 5400 * SECOND);
    CHECK_RC(is_client(&early), KLM_OK);
    klm_clock_set(0);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "late");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "early");
}

/* ---- Rights and limits */

TEST(who_has_no_right_registers_nothing)
{
    serving();
    struct made cert = make_cert("x");

    expect(add_as(&nobody, "x", NULL, &cert), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__,
           __LINE__);
    expect(add_as(&auditor, "x", NULL, &cert), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__,
           __LINE__);
    const struct km_actor client = {
        .kind = KM_ACTOR_CLIENT, .roles = KM_ROLE_CLIENT, .name = "x", .group = "GENERIC"};
    expect(add_as(&client, "x", NULL, &cert), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__,
           __LINE__);
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_LIST, &client, NULL);
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_MODIFY, &auditor, "name", "x");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_DELETE, &auditor, "name", "x");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_PENDING_ACCEPT, &auditor,
            "fingerprint", cert.fingerprint, "name", "x");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_PENDING_REJECT, &auditor,
            "fingerprint", cert.fingerprint);
    /* What clients of a group may do is the security administrator's to say. */
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_DEVICE_GROUP_ADD, &oper, "name", "X");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_DEVICE_GROUP_MODIFY, &oper, "name",
            "GENERIC", "enableKMIPDelete", "true");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_DEVICE_GROUP_DELETE, &oper, "name",
            "GENERIC");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_CLIENT_PURGE, &admin, "client", "x");
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
}

TEST(profiles_narrow_who_may_register_which_client)
{
    serving();
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "FACILITY", "profile", "KLM.CLIENT.TAPE*",
       "uacc", "UPDATE");
    DO(&house, KM_CLASS_SET, &admin, "classact", "FACILITY", "generic", "FACILITY");
    DO(&house, KM_CLIENT_ADD, &oper, "name", "tape 1");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_NONE, &house, KM_CLIENT_ADD, &oper, "name", "disk 1");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_LOW, &house, KM_CLIENT_DELETE, &oper, "name", "tape 1");
    DO(&house, KM_CLASS_SET, &admin, "noclassact", "FACILITY");
    DO(&house, KM_PROFILE_DELETE, &admin, "class", "FACILITY", "profile", "KLM.CLIENT.TAPE*");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "tape 1");
}

TEST(names_are_other_peoples_texts_and_are_kept_as_such)
{
    serving();
    struct made cert = make_cert("x");
    static const char *const bad[] = {"", " x", "x ", "none", "x\xc2\x9b", "\xff"};
    struct klm_diag diag = {0};

    ADD("<script>&'", NULL, NULL);
    CELL(KM_CLIENT_LIST, "<script>&'", "Name", "<script>&'");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "<script>&'");
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        expect(add_as(&oper, bad[i], NULL, &cert), KLM_E_USAGE, KLM_MSG_CLIENT_NAME, __FILE__,
               __LINE__);
    }
    struct km_call *call = new_call(&house, KM_CLIENT_ADD, &oper);
    CHECK_RC(km_call_set(call, "name", "a\x1b[2J", &diag), KLM_E_INVALID);
    char text[70];
    memset(text, 'x', sizeof text);
    text[65] = '\0';
    CHECK_RC(km_call_set(call, "name", text, &diag), KLM_E_LIMIT);
    CHECK_RC(km_call_set(call, "user", text, &diag), KLM_E_LIMIT);
    CHECK_RC(km_call_set(call, "device", text, &diag), KLM_E_LIMIT);
    CHECK_RC(km_call_set(call, "group", text, &diag), KLM_E_LIMIT);
    text[64] = '\0';
    CHECK_RC(km_call_set(call, "name", text, &diag), KLM_OK);
    km_call_free(&call);
}

TEST(names_and_certificates_are_taken_once)
{
    serving();
    struct made a = make_cert("a"), b = make_cert("b");

    ADD("first", "GENERIC", &a);
    expect(add_as(&oper, "first", NULL, &b), KLM_E_EXISTS, KLM_MSG_CLIENT_NAME_TAKEN, __FILE__,
           __LINE__);
    expect(add_as(&oper, "second", NULL, &a), KLM_E_EXISTS, KLM_MSG_CLIENT_CERT_TAKEN, __FILE__,
           __LINE__);
    expect(add_as(&oper, "second", "NOGROUP", &b), KLM_E_NOTFOUND, KLM_MSG_DEVICE_GROUP_NOT_FOUND,
           __FILE__, __LINE__);
    CHECK_RC(is_client(&b), KLM_E_NOTFOUND);
    ADD("second", "GENERIC", &b);
    REFUSED(KLM_E_EXISTS, KLM_MSG_CLIENT_NAME_TAKEN, &house, KM_CLIENT_MODIFY, &oper, "name",
            "second", "newname", "first");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_NOT_FOUND, &house, KM_CLIENT_MODIFY, &oper, "name",
            "third");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_NOT_FOUND, &house, KM_CLIENT_DELETE, &oper, "name",
            "third");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_NOT_FOUND, &house, KM_CLIENT_LIST, &oper, "name",
            "third");
    struct made bad = {.der = {1, 2, 3}, .n = 3};
    struct km_call *call = add_as(&oper, "third", NULL, &bad);
    CHECK(call->rc != KLM_OK);
    km_call_free(&call);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "first");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "second");
}

TEST(there_is_room_for_a_hundred_thousand_clients_and_no_more)
{
    serving();
    struct dt_clients *full = km_clients(house.server), *next = NULL, *before;
    struct dt_client client = {.fingerprint = ""};

    before = dt_clients_ref(full);
    while (dt_clients_count(full) < DT_CLIENTS_MAX) {
        REQUIRE_OK(dt_clients_with(full, NULL, &client, &next));
        dt_clients_free(&full);
        full = next;
    }
    km_clients_swap(house.server, full);
    REFUSED(KLM_E_LIMIT, KLM_MSG_CLIENTS_FULL, &house, KM_CLIENT_ADD, &oper, "name", "one more");
    full = km_clients(house.server);
    REQUIRE_OK(dt_clients_with(full, &client, NULL, &next));
    dt_clients_free(&full);
    km_clients_swap(house.server, next);
    DO(&house, KM_CLIENT_ADD, &oper, "name", "one more");
    REFUSED(KLM_E_LIMIT, KLM_MSG_CLIENTS_FULL, &house, KM_CLIENT_ADD, &oper, "name", "two more");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "one more");
    km_clients_swap(house.server, before);
}

/* ---- Modify */

TEST(a_client_is_renamed_renewed_and_moved)
{
    serving();
    struct made old = make_cert("old"), new = make_cert("new");
    struct km_actor actor;

    DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "DS5000");
    ADD("node", "GENERIC", &old);
    struct km_call *call = new_call(&house, KM_CLIENT_MODIFY, &oper);
    struct km_client_req *req = call->req;
    req->name = "node";
    req->newname = "node 1";
    req->group = "DS5000";
    req->cert = KLM_SLICE(new.der, new.n);
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    CHECK_RC(is_client(&old), KLM_E_NOTFOUND);
    REQUIRE_OK(who_is(new.fingerprint, &actor, NULL));
    CHECK_STR(actor.name, "node 1");
    CHECK_STR(actor.group, "DS5000");
    CHECK_INT(events(&house, "client-modify", SMF_SUCCESS, NULL, old.fingerprint), 1);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_NOT_FOUND, &house, KM_CLIENT_LIST, &oper, "name",
            "node");
    REFUSED(KLM_E_USAGE, KLM_MSG_CLIENT_NAME, &house, KM_CLIENT_MODIFY, &oper, "name", "node 1",
            "newname", "none");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "node 1");
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin, "name", "DS5000");
}

TEST(two_certificates_at_once_are_refused)
{
    serving();
    struct made cert = make_cert("x");
    struct km_call *call = new_call(&house, KM_CLIENT_ADD, &oper);
    struct km_client_req *req = call->req;

    req->name = "x";
    req->label = "L1";
    req->cert = KLM_SLICE(cert.der, cert.n);
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_E_USAGE, KLM_MSG_CLIENT_CERTS, __FILE__, __LINE__);
}

/* ---- Device groups */

TEST(clients_of_a_group_may_destroy_when_it_says_so)
{
    serving();
    struct made cert = make_cert("x");
    struct km_actor actor;

    DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "USERS", "prefix", "abc");
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "enableKMIPDelete", "false");
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "Prefix", "abc");
    ADD("x", "USERS", &cert);
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "Clients", "1");
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK(!actor.may_destroy);
    DO(&house, KM_DEVICE_GROUP_MODIFY, &admin, "name", "USERS", "attributes",
       "{enableKMIPDelete true}");
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK(actor.may_destroy);
    CHECK_INT(events(&house, "device-group-modify", SMF_SUCCESS, NULL, "enableKMIPDelete=true"), 1);
    DO(&house, KM_DEVICE_GROUP_MODIFY, &admin, "name", "USERS", "attributes",
       " {enableKMIPDelete  false} , {prefix xyz} ");
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK(!actor.may_destroy);
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "Prefix", "xyz");
    DO(&house, KM_DEVICE_GROUP_MODIFY, &admin, "name", "USERS", "prefix", "", "enableKMIPDelete",
       "TRUE");
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "Prefix", "");
    CELL(KM_DEVICE_GROUP_LIST, "USERS", "enableKMIPDelete", "true");
    REFUSED(KLM_E_EXISTS, KLM_MSG_DEVICE_GROUP_USED, &house, KM_DEVICE_GROUP_DELETE, &admin, "name",
            "USERS");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "x");
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin, "name", "USERS");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DEVICE_GROUP_NOT_FOUND, &house, KM_DEVICE_GROUP_DELETE, &admin,
            "name", "USERS");
}

TEST(attributes_and_names_of_groups_that_are_none_are_refused)
{
    serving();
    static const char *const bad[] = {"{enableKMIPDelete maybe}",
                                      "{enableKMIPDelete}",
                                      "{other true}",
                                      "{enableKMIPDelete true",
                                      "enableKMIPDelete",
                                      "{}",
                                      "{prefix ab}",
                                      " "};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        REFUSED(KLM_E_USAGE, KLM_MSG_DEVICE_GROUP_ATTR, &house, KM_DEVICE_GROUP_MODIFY, &admin,
                "name", "GENERIC", "attributes", bad[i]);
    }
    CELL(KM_DEVICE_GROUP_LIST, "GENERIC", "enableKMIPDelete", "false");
    REFUSED(KLM_E_USAGE, KLM_MSG_DEVICE_GROUP_NAME, &house, KM_DEVICE_GROUP_ADD, &admin, "name",
            "none");
    REFUSED(KLM_E_USAGE, KLM_MSG_DEVICE_GROUP_NAME, &house, KM_DEVICE_GROUP_ADD, &admin, "name",
            "3592");
    REFUSED(KLM_E_USAGE, KLM_MSG_DEVICE_GROUP_NAME, &house, KM_DEVICE_GROUP_ADD, &admin, "name",
            ".00000000000000000000000000000000");
    REFUSED(KLM_E_EXISTS, KLM_MSG_DEVICE_GROUP_TAKEN, &house, KM_DEVICE_GROUP_ADD, &admin, "name",
            "GENERIC");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DEVICE_GROUP_NOT_FOUND, &house, KM_DEVICE_GROUP_MODIFY, &admin,
            "name", "OTHER");
}

/* ---- Unknown callers */

TEST(an_unknown_certificate_waits_and_is_noted_once_a_minute)
{
    serving();
    struct made cert = make_cert("<b>\x1b[2J & \"you\"");
    klm_time now = klm_clock();

    klm_clock_set(now);
    LEAVES("192.0.2.7:40022", &cert, KLM_MSG_CLIENT_WAITS);
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
    for (int i = 0; i < 50; i++) {
        LEAVES("192.0.2.7:40023", &cert, KLM_MSG_CLIENT_WAITS);
    }
    struct km_call *call = run_call(&house, KM_CLIENT_PENDING_LIST, &auditor, NULL);
    CHECK_STR(cell(call, 0, "Calls"), "1");
    km_call_free(&call);
    CHECK_INT(events(&house, "client-contact", SMF_FAILURE, "KLM1937W", cert.fingerprint), 1);
    klm_clock_set(now + MINUTE);
    LEAVES("192.0.2.7:40024", &cert, KLM_MSG_CLIENT_WAITS);
    CHECK_INT(events(&house, "client-contact", SMF_FAILURE, "KLM1937W", cert.fingerprint), 2);
    call = run_call(&house, KM_CLIENT_PENDING_LIST, &auditor, NULL);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, "Certificate"), cert.fingerprint);
    CHECK_STR(cell(call, 0, "Address"), "192.0.2.7");
    CHECK_STR(cell(call, 0, "Calls"), "2");
    CHECK(strchr(cell(call, 0, "Subject"), '\x1b') == NULL);
    CHECK(strstr(cell(call, 0, "Subject"), "you") != NULL);
    km_call_free(&call);
    klm_clock_set(now - MINUTE); /* a clock that was set back does not lock anybody out */
    LEAVES("192.0.2.7:40024", &cert, KLM_MSG_CLIENT_WAITS);
    DO(&house, KM_CLIENT_PENDING_REJECT, &oper, "fingerprint", cert.fingerprint);
    CHECK_INT(listed(KM_CLIENT_PENDING_LIST), 0);
}

TEST(the_address_of_a_caller_is_its_host)
{
    static const char *const pairs[][2] = {{"192.0.2.7:40022", "192.0.2.7"},
                                           {"192.0.2.7", "192.0.2.7"},
                                           {"[2001:db8::1]:40022", "2001:db8::1"},
                                           {"[2001:db8::1]", "2001:db8::1"},
                                           {"2001:db8::1", "2001:db8::1"},
                                           {"host:", "host:"},
                                           {"[]:1", ""},
                                           {"", ""}};
    char host[64], small[4];

    for (size_t i = 0; i < KLM_COUNT(pairs); i++) {
        km_host_of(pairs[i][0], host, sizeof host);
        CHECK_STR(host, pairs[i][1]);
    }
    km_host_of("192.0.2.7:1", small, sizeof small);
    CHECK_STR(small, "192");
}

TEST(a_flood_of_certificates_fills_neither_store_nor_audit)
{
    serving();
    klm_time now = klm_clock() + 10 * MINUTE;
    size_t told = events(&house, "client-contact", -1, NULL, NULL);

    klm_clock_set(now);
    for (int i = 0; i < 20; i++) {
        struct made cert = make_cert("flood");
        LEAVES("192.0.2.66:1", &cert, i < 5 ? KLM_MSG_CLIENT_WAITS : KLM_MSG_CLIENT_NOT_NOTED);
    }
    for (int i = 0; i < 40; i++) {
        struct made cert = make_cert("many");
        char address[32];
        snprintf(address, sizeof address, "192.0.2.%d:1", 100 + i);
        LEAVES(address, &cert, i < 25 ? KLM_MSG_CLIENT_WAITS : KLM_MSG_CLIENT_NOT_NOTED);
    }
    CHECK_INT(events(&house, "client-contact", -1, NULL, NULL), told + 30);
    CHECK_INT(listed(KM_CLIENT_PENDING_LIST), 30);
    CHECK_INT(events(&house, "clients-more", -1, NULL, NULL),
              1); /* the first 15, with the next one noted */
    klm_clock_set(now + MINUTE);
    struct made cert = make_cert("later");
    LEAVES("192.0.2.66:1", &cert, KLM_MSG_CLIENT_WAITS);
    CHECK_INT(events(&house, "clients-more", SMF_FAILURE, NULL, "15"), 2);
}

TEST(the_pending_list_holds_a_hundred_and_the_oldest_goes)
{
    serving();
    klm_time now = klm_clock() + 20 * MINUTE;
    struct made first = make_cert("first");

    klm_clock_set(now);
    LEAVES("198.51.100.1:1", &first, KLM_MSG_CLIENT_WAITS);
    for (int i = 2; listed(KM_CLIENT_PENDING_LIST) < DT_CLIENTS_PENDING_MAX; i++) {
        struct made cert = make_cert("wait");
        char address[32];
        klm_clock_set(now += 3 * SECOND);
        snprintf(address, sizeof address, "198.51.100.%d:1", i);
        LEAVES(address, &cert, KLM_MSG_CLIENT_WAITS);
    }
    for (int i = 0; i < 40;
         i++) { /* the flood of the test before makes room first: five of one address */
        struct made cert = make_cert("wait");
        char address[32];
        klm_clock_set(now += 3 * SECOND);
        snprintf(address, sizeof address, "203.0.113.%d:1", i);
        LEAVES(address, &cert, KLM_MSG_CLIENT_WAITS);
    }
    CHECK_INT(listed(KM_CLIENT_PENDING_LIST), DT_CLIENTS_PENDING_MAX);
    CHECK(events(&house, "client-contact", -1, NULL, "given up: ") >= 40);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_PENDING_NONE, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", first.fingerprint, "name", "first");
    LEAVES("198.51.100.1:1", &first,
           KLM_MSG_CLIENT_WAITS); /* when it calls again it is there again */
    DO(&house, KM_CLIENT_PENDING_REJECT, &oper, "fingerprint", first.fingerprint);
}

TEST(a_certificate_that_is_too_large_or_none_is_not_kept)
{
    serving();
    static struct {
        uint8_t der[DT_CLIENT_CERT_MAX + 1];
    } big;
    const struct km_actor actor = {.kind = KM_ACTOR_CLIENT, .address = "192.0.2.7:1"};
    struct km_call *call = new_call(&house, KM_CLIENT_CONTACT, &actor);

    ((struct km_client_contact *)call->req)->cert = KLM_SLICE(big.der, sizeof big.der);
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_E_LIMIT, KLM_MSG_CLIENT_CERT_LONG, __FILE__, __LINE__);
    call = new_call(&house, KM_CLIENT_CONTACT, &actor);
    ((struct km_client_contact *)call->req)->cert = KLM_SLICE(big.der, 10);
    KLM_IGNORE(km_run_wait(call));
    CHECK_RC(call->rc, KLM_E_INVALID);
    km_call_free(&call);
}

/* ---- Acceptance */

static void uncolon(const char *fingerprint, char out[96])
{
    for (size_t i = 0; i < 32; i++) {
        snprintf(out + 3 * i, 4, "%c%c%s", toupper((unsigned char)fingerprint[2 * i]),
                 toupper((unsigned char)fingerprint[2 * i + 1]), i < 31 ? ":" : "");
    }
}

TEST(an_accepted_certificate_is_a_client_from_then_on)
{
    serving();
    struct made cert = make_cert("waits"), next = make_cert("renewed");
    klm_time now = klm_clock() + 60 * MINUTE;
    struct km_actor actor;
    char text[96];

    klm_clock_set(now);
    LEAVES("192.0.2.7:1", &cert, KLM_MSG_CLIENT_WAITS);
    REFUSED(KLM_E_USAGE, KLM_MSG_FINGERPRINT_SHORT, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", "0123456789abcde", "name", "waited");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_PENDING_NONE, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", "0123456789abcdef", "name", "waited");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_PENDING_NONE, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", "0123456789abcdeg", "name", "waited");
    REFUSED(KLM_E_USAGE, KLM_MSG_CLIENT_NAME, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", cert.fingerprint, "name", "none");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DEVICE_GROUP_NOT_FOUND, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", cert.fingerprint, "name", "waited", "group", "NOGROUP");
    uncolon(cert.fingerprint, text); /* as openssl x509 -fingerprint prints it */
    DO(&house, KM_CLIENT_PENDING_ACCEPT, &oper, "fingerprint", text, "name", "waited", "group",
       "GENERIC");
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK_STR(actor.group, "GENERIC");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_PENDING_NONE, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", cert.fingerprint, "name", "waited");
    expect(call_from("192.0.2.7:1", &cert), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__); /* it is known now */
    LEAVES("192.0.2.7:1", &next, KLM_MSG_CLIENT_WAITS);
    REFUSED(KLM_E_EXISTS, KLM_MSG_CLIENT_HAS_CERT, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", next.fingerprint, "name", "waited");
    REFUSED(KLM_E_EXISTS, KLM_MSG_CLIENT_NAME_TAKEN, &house, KM_CLIENT_PENDING_ACCEPT, &oper,
            "fingerprint", next.fingerprint, "name", "waited", "replace", "", "group", "GENERIC");
    DO(&house, KM_CLIENT_PENDING_ACCEPT, &oper, "fingerprint", next.fingerprint, "name", "waited",
       "replace", "");
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
    REQUIRE_OK(who_is(next.fingerprint, &actor, NULL));
    CHECK_STR(actor.group, "GENERIC");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "waited");
}

TEST(a_client_that_was_registered_without_a_certificate_gets_the_one_accepted_for_it)
{
    serving();
    struct made cert = make_cert("later");
    klm_time now = klm_clock() + 70 * MINUTE;

    klm_clock_set(now);
    ADD("later", "GENERIC", NULL);
    CELL(KM_CLIENT_LIST, "later", "Certificate", "");
    LEAVES("192.0.2.7:1", &cert, KLM_MSG_CLIENT_WAITS);
    DO(&house, KM_CLIENT_PENDING_ACCEPT, &oper, "fingerprint", cert.fingerprint, "name", "later");
    CHECK_RC(is_client(&cert), KLM_OK);
    CELL(KM_CLIENT_LIST, "later", "Group", "GENERIC");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "later");
}

TEST(a_registered_certificate_waits_no_longer)
{
    serving();
    struct made cert = make_cert("both");
    klm_time now = klm_clock() + 80 * MINUTE;
    size_t before;

    klm_clock_set(now);
    before = listed(KM_CLIENT_PENDING_LIST);
    LEAVES("192.0.2.7:1", &cert, KLM_MSG_CLIENT_WAITS);
    ADD("both", NULL, &cert);
    CHECK(listed(KM_CLIENT_PENDING_LIST) <= before);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CLIENT_PENDING_NONE, &house, KM_CLIENT_PENDING_REJECT, &oper,
            "fingerprint", cert.fingerprint);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "both");
}

struct race {
    const struct made *cert;
    const char *name;
    klm_rc rc;
};

static void *accept_it(void *arg)
{
    struct race *race = arg;
    struct km_call *call = run_call(&house, KM_CLIENT_PENDING_ACCEPT, &oper, "fingerprint",
                                    race->cert->fingerprint, "name", race->name, NULL);

    race->rc = call->rc;
    km_call_free(&call);
    return NULL;
}

TEST(of_two_who_accept_at_once_one_does)
{
    serving();
    klm_time now = klm_clock() + 90 * MINUTE;

    for (int i = 0; i < 10; i++) {
        struct made cert = make_cert("race");
        struct race race[2] = {{&cert, "left", KLM_OK}, {&cert, "right", KLM_OK}};
        pthread_t thread[2];

        klm_clock_set(now += MINUTE);
        LEAVES("192.0.2.7:1", &cert, KLM_MSG_CLIENT_WAITS);
        for (int t = 0; t < 2; t++) {
            REQUIRE(pthread_create(&thread[t], NULL, accept_it, &race[t]) == 0);
        }
        for (int t = 0; t < 2; t++) {
            pthread_join(thread[t], NULL);
        }
        int won = race[0].rc == KLM_OK ? 0 : 1;
        CHECK_RC(race[won].rc, KLM_OK);
        CHECK_RC(race[!won].rc, KLM_E_NOTFOUND);
        CHECK_RC(is_client(&cert), KLM_OK);
        DO(&house, KM_CLIENT_DELETE, &oper, "name", race[won].name);
    }
}

/* ---- Objects, for deletions */

static struct st_change *begin(void)
{
    return change_begin(&house);
}

/* A key of a client, with its material, as the engine will make them. */
static void put_object(struct st_change *change, struct klm_pool *pool,
                       const struct km_actor *client, char uid[MD_UID_MAX])
{
    struct md_object object = {.type = KMIP_ObjectType_SymmetricKey};
    struct kr_key *key = NULL;
    struct klm_buf token;
    char label[65];

    REQUIRE_OK(md_uid_new(uid));
    snprintf(object.uid, sizeof object.uid, "%s", uid);
    snprintf(object.group, sizeof object.group, "%s", client->group);
    snprintf(object.owner, sizeof object.owner, "%s", client->fingerprint);
    md_attrs_init(&object.attrs, pool);
    REQUIRE_OK(md_attr_set_number(&object.attrs, KMIP_TAG_State, KMIP_State_Active));
    REQUIRE_OK(md_object_add(change, &object));
    md_material_label(uid, label);
    klm_buf_init(&token, 4096);
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    REQUIRE_OK(kr_token_seal(km_master(house.server), label, key, &token));
    REQUIRE_OK(kr_token_put(change, label, klm_buf_as_slice(&token), false));
    klm_buf_done(&token);
    kr_key_free(&key);
}

static void make_objects(const struct km_actor *client, char (*uid)[MD_UID_MAX], size_t n)
{
    struct klm_pool *pool = NULL;
    struct st_change *change = begin();

    REQUIRE_OK(klm_pool_new(0, &pool));
    for (size_t i = 0; i < n; i++) {
        put_object(change, pool, client, uid[i]);
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    klm_pool_free(&pool);
}

static bool object_there(const char *uid, bool token)
{
    struct st_view *view = NULL;
    struct klm_pool *pool = NULL;
    struct md_object object;
    char label[65];
    klm_rc rc;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    md_material_label(uid, label);
    rc = token ? kr_token_exists(view, label) : md_object_get(view, uid, pool, &object);
    st_view_close(&view);
    klm_pool_free(&pool);
    return rc == KLM_OK;
}

static void back_up(void)
{
    struct km_call *call = new_call(&house, KM_BACKUP_DONE, &task);
    struct km_backup_done *req = call->req;

    req->file = "one";
    req->number = (int64_t)st_number(km_store(house.server));
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
}

static bool client_there(const char *name)
{
    struct km_call *call = run_call(&house, KM_CLIENT_LIST, &oper, "name", name, NULL);
    bool there = call->rc == KLM_OK;

    km_call_free(&call);
    return there;
}

TEST(a_client_alone_that_has_objects_goes_with_them_by_two_people_after_a_backup)
{
    serving();
    struct made cert = make_cert("objects");
    struct km_actor actor;
    char uid[150][MD_UID_MAX];
    klm_time now = klm_clock() + 200 * MINUTE;

    klm_clock_set(now);
    ADD("holder", NULL, &cert);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    make_objects(&actor, uid, KLM_COUNT(uid)); /* more than one change takes away */
    REFUSED(KLM_E_STATE, KLM_MSG_DELETE_BACKUP, &house, KM_CLIENT_DELETE, &oper, "name", "holder");
    REFUSED(KLM_E_STATE, KLM_MSG_CLIENT_ALONE, &house, KM_CLIENT_MODIFY, &oper, "name", "holder",
            "group", "GENERIC");
    back_up();
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DELETE_NONE, &house, KM_CLIENT_DELETE, &oper, "name", "holder",
            "confirm", "");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "holder");
    CHECK_RC(is_client(&cert), KLM_OK); /* asked for, not done */
    REFUSED(KLM_E_DENIED, KLM_MSG_DELETE_SELF, &house, KM_CLIENT_DELETE, &oper, "name", "holder",
            "confirm", "");
    klm_clock_set(now + 61 * MINUTE);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DELETE_NONE, &house, KM_CLIENT_DELETE, &oper2, "name", "holder",
            "confirm", "");
    klm_clock_set(now - MINUTE); /* before it was asked for */
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_DELETE_NONE, &house, KM_CLIENT_DELETE, &oper2, "name", "holder",
            "confirm", "");
    klm_clock_set(now + 59 * MINUTE);
    CHECK(object_there(uid[0], false) && object_there(uid[149], true));
    DO(&house, KM_CLIENT_DELETE, &oper2, "name", "holder", "confirm", "");
    CHECK(is_client(&cert) != KLM_OK); /* at once */
    WAIT_FOR(!client_there("holder"), 20)
    {
    }
    CHECK(!client_there("holder"));
    for (size_t i = 0; i < KLM_COUNT(uid); i++) {
        CHECK(!object_there(uid[i], false) && !object_there(uid[i], true));
    }
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
    WAIT_FOR(times_said("KLM1950I") > 0, 10)
    {
    }
    CHECK_INT(times_said("KLM1950I holder is deleted, and 150 objects of it"), 1);
    CHECK_INT(events(&house, "client-delete", SMF_SUCCESS, NULL, "requested"), 1);
    CHECK_INT(events(&house, "client-delete", SMF_SUCCESS, NULL, "as OPER asked for"), 1);
    CHECK_INT(events(&house, "object-deleted", SMF_SUCCESS, NULL, NULL), 150);
    CHECK_INT(events(&house, "object-deleted", SMF_SUCCESS, NULL, uid[77]), 1);
    ADD("holder", NULL, &cert); /* another one now, that has nothing */
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "holder");
}

TEST(objects_of_a_device_group_stay_when_their_client_goes)
{
    serving();
    struct made cert = make_cert("objects"), other = make_cert("other");
    struct km_actor actor;
    char uid[MD_UID_MAX];

    DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "SHARED");
    ADD("maker", "SHARED", &cert);
    ADD("user", "SHARED", &other);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    make_objects(&actor, &uid, 1);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "user"); /* it made none */
    REFUSED(KLM_E_STATE, KLM_MSG_DELETE_BACKUP, &house, KM_CLIENT_DELETE, &oper, "name", "maker");
    back_up();
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "maker");
    DO(&house, KM_CLIENT_DELETE, &admin, "name", "maker"); /* asked for anew: now by another */
    REFUSED(KLM_E_DENIED, KLM_MSG_DELETE_SELF, &house, KM_CLIENT_DELETE, &admin, "name", "maker",
            "confirm", "");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "maker", "confirm", "");
    CHECK(!client_there("maker"));
    CHECK(object_there(uid, false) && object_there(uid, true));
    /* The group has it now, and goes in the same way. */
    REFUSED(KLM_E_STATE, KLM_MSG_DELETE_BACKUP, &house, KM_DEVICE_GROUP_DELETE, &admin, "name",
            "SHARED");
    back_up();
    static const struct km_actor admin2 = {.kind = KM_ACTOR_OPERATOR,
                                           .roles = KM_ROLE_SECADMIN,
                                           .name = "ADMIN2",
                                           .address = "console"};
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin, "name", "SHARED");
    REFUSED(KLM_E_DENIED, KLM_MSG_DELETE_SELF, &house, KM_DEVICE_GROUP_DELETE, &admin, "name",
            "SHARED", "confirm", "");
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin2, "name", "SHARED", "confirm", "");
    for (klm_rc rc = KLM_OK; rc != KLM_E_NOTFOUND; nap_ms(10)) {
        struct km_call *call =
            run_call(&house, KM_DEVICE_GROUP_LIST, &oper, "name", "SHARED", NULL);
        rc = call->rc;
        km_call_free(&call);
    }
    CHECK(!object_there(uid, false) && !object_there(uid, true));
}

TEST(a_group_that_is_being_deleted_takes_no_clients)
{
    serving();
    struct dt_device_group group = {.closed = true, .kmip_delete = true};
    struct st_change *change = begin();

    snprintf(group.name, sizeof group.name, "CLOSED");
    REQUIRE_OK(dt_device_group_put(change, &group));
    REQUIRE_OK(st_change_commit(&change, NULL));
    REFUSED(KLM_E_STATE, KLM_MSG_DELETE_CLOSED, &house, KM_CLIENT_ADD, &oper, "name", "late",
            "group", "CLOSED");
    REFUSED(KLM_E_STATE, KLM_MSG_DELETE_CLOSED, &house, KM_DEVICE_GROUP_MODIFY, &admin, "name",
            "CLOSED");
    CELL(KM_DEVICE_GROUP_LIST, "CLOSED", "State", "being deleted");
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin, "name", "CLOSED"); /* it has nothing */
}

TEST(what_a_kill_left_of_a_deletion_goes_at_the_next_start)
{
    serving();
    struct made cert = make_cert("killed");
    struct dt_client before, after;
    struct klm_pool *pool = NULL;
    struct st_change *change;
    struct km_actor actor;
    char uid[MD_UID_MAX];

    ADD("killed", NULL, &cert);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    make_objects(&actor, &uid, 1);
    REQUIRE_OK(klm_pool_new(0, &pool));
    change = begin();
    REQUIRE_OK(dt_client_get(st_change_view(change), "killed", pool, &before));
    after = before;
    after.closed = true;
    REQUIRE_OK(dt_client_change(change, &before, &after));
    REQUIRE_OK(st_change_commit(&change, NULL));
    klm_pool_free(&pool);
    close_house(&house);
    open_house(&house, false);
    WAIT_FOR(!client_there("killed"), 20)
    {
    }
    CHECK(!client_there("killed"));
    CHECK(!object_there(uid, false) && !object_there(uid, true));
    CHECK_INT(times_said("KLM1951W"), 0);
}

TEST(a_damaged_client_can_be_deleted_and_registered_again)
{
    serving();
    struct made cert = make_cert("damaged");
    struct st_change *change;

    ADD("damaged", "GENERIC", &cert);
    change = begin();
    REQUIRE_OK(st_put(change, ST_CLIENT, klm_slice_str("Ndamaged"), klm_slice_str("rubbish")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    REFUSED(KLM_E_CORRUPT, KLM_MSG_CLIENT_DAMAGED, &house, KM_CLIENT_MODIFY, &oper, "name",
            "damaged", "user", "x");
    REFUSED(KLM_E_CORRUPT, KLM_MSG_CLIENT_DAMAGED, &house, KM_CLIENT_LIST, &oper, "name",
            "damaged");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "damaged");
    CHECK_RC(is_client(&cert), KLM_E_NOTFOUND);
    ADD("damaged", "GENERIC", &cert);
    CHECK_RC(is_client(&cert), KLM_OK);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "damaged");
}

TEST(while_the_task_is_down_a_deletion_ends_before_the_command_does)
{
    serving();
    struct made cert = make_cert("offline");
    struct km_actor actor;
    static char uid[200][MD_UID_MAX];

    ADD("offline", NULL, &cert);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    make_objects(&actor, uid, KLM_COUNT(uid));
    back_up();
    close_house(&house);
    open_house(&house, true);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "offline");
    DO(&house, KM_CLIENT_DELETE, &oper2, "name", "offline", "confirm", "");
    CHECK(!client_there("offline"));
    CHECK(!object_there(uid[0], false) && !object_there(uid[199], true));
    close_house(&house);
    open_house(&house, false);
}

TEST(a_closed_client_is_refused_and_changed_by_nobody)
{
    serving();
    struct made cert = make_cert("closed");
    struct dt_clients *clients = km_clients(house.server), *with = NULL;
    struct dt_client client = {.closed = true, .until = INT64_MAX};
    struct klm_diag diag = {0};
    struct km_actor actor;

    snprintf(client.fingerprint, sizeof client.fingerprint, "%s", cert.fingerprint);
    snprintf(client.name, sizeof client.name, "closed");
    REQUIRE_OK(dt_clients_with(clients, NULL, &client, &with));
    CHECK_RC(km_client_actor(with, dt_clients_find(with, cert.fingerprint), "", "", &diag, &actor),
             KLM_E_DENIED);
    CHECK_INT(diag.msg, KLM_MSG_DELETE_CLOSED);
    dt_clients_free(&with);
    dt_clients_free(&clients);
}

/* A request that came while its client was one, and is carried out now. */
static klm_rc creates_late(const struct km_actor *actor)
{
    static const int64_t numbers[][2] = {
        {KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES},
        {KMIP_TAG_CryptographicLength, 256},
        {KMIP_TAG_CryptographicUsageMask, KMIP_CryptographicUsageMask_Encrypt}};
    struct km_call *call = new_call(&house, KM_OBJECT_CREATE, actor);
    struct km_object_make *req = call->req;
    klm_rc rc;

    req->version = KMIP_V(2, 1);
    req->type = KMIP_ObjectType_SymmetricKey;
    md_attrs_init(&req->attrs, call->pool);
    for (size_t i = 0; i < KLM_COUNT(numbers); i++) {
        REQUIRE_OK(md_attr_set_number(&req->attrs, (uint32_t)numbers[i][0], numbers[i][1]));
    }
    rc = km_run_wait(call);
    CHECK(rc == KLM_OK
              ? object_there(req->made[0], true)
              : call->diag.msg == KLM_MSG_NOT_AUTHORISED && !object_there(req->made[0], true));
    km_call_free(&call);
    return rc;
}

TEST(what_a_client_asked_for_before_it_was_moved_or_deleted_is_not_done_afterwards)
{
    serving();
    struct made cert = make_cert("late");
    struct km_actor actor;
    struct dt_clients *then;

    DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "BEFORE");
    ADD("late", "GENERIC", &cert);
    then = km_clients(house.server); /* a message that came now keeps this one */
    REQUIRE_OK(km_client_actor(then, dt_clients_find(then, cert.fingerprint), "192.0.2.7:40022",
                               "1", NULL, &actor));
    CHECK_RC(creates_late(&actor), KLM_OK);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "late", "group", "BEFORE");
    CHECK_RC(creates_late(&actor), KLM_E_DENIED);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "late", "group", "GENERIC");
    CHECK_RC(creates_late(&actor), KLM_OK);
    back_up();
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "late");
    DO(&house, KM_CLIENT_DELETE, &oper2, "name", "late", "confirm", "");
    CHECK_RC(creates_late(&actor), KLM_E_DENIED);
    CHECK_INT(events(&house, "object-create", SMF_FAILURE, "KLM0900E", NULL), 2);
    dt_clients_free(&then);
    DO(&house, KM_DEVICE_GROUP_DELETE, &admin, "name", "BEFORE");
}

/* ---- Credentials */

#define SLICE(text) klm_slice_str(text)
static _Thread_local struct klm_diag why;
static bool other_type; /* besides, a credential that cannot be checked */

static klm_rc shows(const struct made *cert, const char *user, const char *password,
                    const char *device, bool known)
{
    struct dt_clients *clients = km_clients(house.server);
    const struct dt_client *client = dt_clients_find(clients, cert->fingerprint);
    const struct km_credential shown = {user ? SLICE(user) : (struct klm_slice){0},
                                        password ? SLICE(password) : (struct klm_slice){0},
                                        device ? SLICE(device) : (struct klm_slice){0},
                                        .other = other_type};
    klm_rc rc;

    REQUIRE(client != NULL);
    why = (struct klm_diag){0};
    rc = known ? km_client_credential_known(house.server, client, &shown, &why)
               : km_client_credential(house.server, client, &shown, &why);
    dt_clients_free(&clients);
    return rc;
}

TEST(a_client_shows_the_credentials_it_was_registered_with)
{
    serving();
    struct made cert = make_cert("credentials");

    ADD("c", NULL, &cert);
    CHECK_RC(shows(&cert, NULL, NULL, NULL, true), KLM_OK); /* none was asked for */
    CHECK_RC(shows(&cert, "any", "any", "any", true), KLM_OK);
    other_type = true;
    CHECK_RC(shows(&cert, NULL, NULL, NULL, true), KLM_E_DENIED);
    CHECK_INT(why.msg, KLM_MSG_CLIENT_CREDENTIAL);
    other_type = false;
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "c", "user", "backup", "password", "correct horse",
       "device", "SN-1");
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-1", true), KLM_E_AGAIN);
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-1", false), KLM_OK);
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-1", true), KLM_OK); /* remembered */
    CHECK_RC(shows(&cert, "backup", "correct horsf", "SN-1", true), KLM_E_AGAIN);
    CHECK_RC(shows(&cert, "backup", "correct horsf", "SN-1", false), KLM_E_DENIED);
    CHECK_INT(why.msg, KLM_MSG_CLIENT_CREDENTIAL);
    CHECK_RC(shows(&cert, "backup", NULL, "SN-1", true), KLM_E_DENIED);
    CHECK_RC(shows(&cert, "Backup", "correct horse", "SN-1", true), KLM_E_DENIED);
    CHECK_RC(shows(&cert, NULL, "correct horse", "SN-1", true), KLM_E_DENIED);
    CHECK_RC(shows(&cert, "backup", "correct horse", NULL, true), KLM_E_DENIED);
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-10", true), KLM_E_DENIED);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "c", "password", "another horse");
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-1", true), KLM_E_AGAIN); /* no longer */
    CHECK_RC(shows(&cert, "backup", "correct horse", "SN-1", false), KLM_E_DENIED);
    CHECK_RC(shows(&cert, "backup", "another horse", "SN-1", false), KLM_OK);
    CELL(KM_CLIENT_LIST, "c", "Password", "yes");
    CELL(KM_CLIENT_LIST, "c", "User", "backup");
    CHECK_INT(events(&house, NULL, -1, NULL, "horse"), 0); /* nor anywhere in the audit */
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "c", "user", "", "device", "", "nopassword", "");
    CHECK_RC(shows(&cert, NULL, NULL, NULL, true), KLM_OK);
    CELL(KM_CLIENT_LIST, "c", "Password", "no");
    REFUSED(KLM_E_USAGE, KLM_MSG_CLIENT_PASSWORD, &house, KM_CLIENT_MODIFY, &oper, "name", "c",
            "password", "short");
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "c");
}

/* A verifier as keyring/verifier.h describes it, of the least cost there may be: scrypt with N = 2^10, r = 8, p = 1 and a salt of zeros. */
static void cheap_verifier(const char *password, uint8_t out[KR_VERIFIER])
{
    static const uint8_t head[20] = {1, 10, 8, 1};

    memset(out, 0, KR_VERIFIER);
    memcpy(out, head, sizeof head);
    REQUIRE(EVP_PBE_scrypt(password, strlen(password), head + 4, 16, 1 << 10, 8, 1, 0,
                           out + sizeof head, 32) == 1);
}

/* COSMIAN-2025-007: what fails must not end as "nobody asked for a password". */
TEST(a_password_that_cannot_be_checked_is_not_taken)
{
    serving();
    struct made cert = make_cert("unchecked");
    const struct km_credential shown = {.password = klm_slice_str("correct horse")};
    struct klm_diag diag = {0};
    struct dt_clients *clients;
    struct dt_client client;

    ADD("u", NULL, &cert);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "u", "password", "correct horse");
    clients = km_clients(house.server);
    client = *dt_clients_find(clients, cert.fingerprint);
    cheap_verifier("correct horse", client.verifier);
    snprintf(client.fingerprint, sizeof client.fingerprint, "%064x", 0xabc);
    CHECK(km_client_credential(house.server, &client, &shown, &diag) == KLM_OK);
    for (size_t i = 0; i < sizeof client.verifier; i++) {
        struct dt_client damaged = client;

        if (i >= 1 && i <= 3) {
            continue; /* what it costs: another cost is another password's, and takes its time */
        }
        damaged.verifier[i] ^= 0x40;
        snprintf(damaged.fingerprint, sizeof damaged.fingerprint, "%064zx", i); /* not tried yet */
        CHECK(km_client_credential(house.server, &damaged, &shown, &diag) != KLM_OK);
    }
    memset(client.verifier, 0, sizeof client.verifier);
    memset(client.fingerprint, 'f', sizeof client.fingerprint - 1);
    CHECK(km_client_credential(house.server, &client, &shown, &diag) != KLM_OK);
    CHECK(km_client_credential_known(house.server, &client, &(struct km_credential){0}, &diag) !=
          KLM_OK);
    dt_clients_free(&clients);
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "u");
}

TEST(passwords_are_not_found_by_trying)
{
    serving();
    struct made cert = make_cert("tries");

    ADD("t", NULL, &cert);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "t", "password", "correct horse");
    CHECK_RC(shows(&cert, NULL, "correct horse", NULL, false), KLM_OK);
    for (int i = 0; i < 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "wrong horse %d", i);
        CHECK_RC(shows(&cert, NULL, text, NULL, false), KLM_E_DENIED);
        CHECK_INT(why.msg, KLM_MSG_CLIENT_CREDENTIAL);
    }
    CHECK_RC(shows(&cert, NULL, "wrong horse 6", NULL, true), KLM_E_DENIED);
    CHECK_INT(why.msg, KLM_MSG_CLIENT_TRIES);
    CHECK_RC(shows(&cert, NULL, "correct horse", NULL, true),
             KLM_OK); /* what was right stays right */
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "t");
}

struct burst {
    const struct made *cert;
    klm_rc rc;
};

static void *burst_one(void *arg)
{
    struct burst *burst = arg;

    burst->rc = shows(burst->cert, NULL, "correct horse", NULL, false);
    return NULL;
}

TEST(many_connections_at_once_try_a_password_once)
{
    serving();
    struct made cert = make_cert("burst");
    struct burst burst[8];
    pthread_t thread[KLM_COUNT(burst)];

    ADD("b", NULL, &cert);
    DO(&house, KM_CLIENT_MODIFY, &oper, "name", "b", "password", "correct horse");
    for (size_t i = 0; i < KLM_COUNT(burst); i++) {
        burst[i] = (struct burst){&cert, KLM_E_INTERNAL};
        REQUIRE(pthread_create(&thread[i], NULL, burst_one, &burst[i]) == 0);
    }
    for (size_t i = 0; i < KLM_COUNT(burst); i++) {
        pthread_join(thread[i], NULL);
        CHECK_RC(burst[i].rc, KLM_OK);
    }
    DO(&house, KM_CLIENT_DELETE, &oper, "name", "b");
}

/* ---- What stays */

TEST(clients_groups_and_contacts_are_there_after_a_restart)
{
    serving();
    struct made cert = make_cert("stays");
    struct km_actor actor;

    DO(&house, KM_DEVICE_GROUP_ADD, &admin, "name", "STAYS", "enableKMIPDelete", "true");
    ADD("stays", "STAYS", &cert);
    km_client_seen(house.server, cert.fingerprint);
    struct km_call *call = run_call(&house, KM_STATUS, &oper, NULL);
    size_t clients = 0;
    for (size_t i = 0; i < call->rows.n; i++) {
        clients += strcmp(cell(call, i, "Item"), "Clients") == 0 ||
                   strcmp(cell(call, i, "Item"), "Device groups") == 0 ||
                   strcmp(cell(call, i, "Item"), "Pending clients") == 0;
    }
    CHECK_INT(clients, 3);
    km_call_free(&call);
    close_house(&house);
    open_house(&house, false);
    REQUIRE_OK(who_is(cert.fingerprint, &actor, NULL));
    CHECK_STR(actor.name, "stays");
    CHECK(actor.may_destroy);
    call = run_call(&house, KM_CLIENT_LIST, &oper, "name", "stays", NULL);
    CHECK(strcmp(cell(call, 0, "Last Contact"), "never") != 0);
    km_call_free(&call);
}

TEST(a_request_to_delete_and_nothing_else_of_clients_stays_out_of_backups)
{
    CHECK(km_stays_here(ST_META, klm_slice_str("delete.C.a")));
    CHECK(km_stays_here(ST_META, klm_slice_str("delete.G.a")));
    CHECK(!km_stays_here(ST_META, klm_slice_str("delete.")));
    CHECK(!km_stays_here(ST_CLIENT, klm_slice_str("delete.C.a")));
    CHECK(!km_stays_here(ST_DEVICE_GROUP, klm_slice_str("GENERIC")));
}

TEST(zz_close)
{
    dt_clients_free(&held);
    close_house(&house);
}
