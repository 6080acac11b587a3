/* Check, Obtain Lease, Get Usage Allocation, Archive, Recover and Get as verbs: what they leave in the store. */
#include "keymgr/attr_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        object_house(&house, "object-check", "kmip.lease.time=600\n");
    }
}

#define LIMITS                                                                                     \
    "<UsageLimits><UsageLimitsTotal type=\"LongInteger\" value=\"10\"/>"                           \
    "<UsageLimitsCount type=\"LongInteger\" value=\"10\"/>"                                        \
    "<UsageLimitsUnit type=\"Enumeration\" value=\"Object\"/></UsageLimits>"

/* A key for encryption with limits. */
static void make_key(struct md_object *object, uint32_t state)
{
    serving();
    object_begin(object, KMIP_ObjectType_SymmetricKey, state);
    REQUIRE_OK(md_attr_set_number(&object->attrs, KMIP_TAG_CryptographicUsageMask,
                                  KMIP_CryptographicUsageMask_Encrypt));
    REQUIRE_OK(md_attr_set(&object->attrs, item_of(LIMITS)));
    object_add(&house, object);
}

static struct km_call *ask(enum km_verb_id verb, const struct km_actor *actor, const char *uid,
                           int64_t count)
{
    struct km_call *call = new_call(&house, verb, actor);
    struct km_object_check *req = call->req;

    req->uid = uid;
    req->count = count;
    req->lease = -1;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static struct km_call *move(enum km_verb_id verb, const struct km_actor *actor, const char *uid)
{
    struct km_call *call = new_call(&house, verb, actor);

    ((struct km_object_state *)call->req)->uid = uid;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static int64_t left(const char *uid)
{
    struct md_object object;

    object_now(&house, uid, &object);
    return kmip_child(md_attr_find(&object.attrs, KMIP_TAG_UsageLimits)->value,
                      KMIP_TAG_UsageLimitsCount)
        ->number;
}

TEST(a_lease_is_noted_without_a_change_date_and_not_at_all_when_it_is_for_ever)
{
    struct md_object object, after;
    struct km_call *call;

    make_key(&object, KMIP_State_Active);
    call = ask(KM_OBJECT_LEASE, &object_client, object.uid, -1);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(((struct km_object_check *)call->req)->lease_time, 600);
    CHECK_INT(((struct km_object_check *)call->req)->last_change, OBJECT_NOW - 1000);
    km_call_free(&call);
    object_now(&house, object.uid, &after);
    CHECK_INT(after.lease, OBJECT_NOW + 600);
    CHECK_INT(md_attr_number(&after.attrs, KMIP_TAG_LastChangeDate, 0), OBJECT_NOW - 1000);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.lease.time", "value", "0");
    make_key(&object, KMIP_State_Active);
    expect(ask(KM_OBJECT_LEASE, &object_client, object.uid, -1), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    object_now(&house, object.uid, &after);
    CHECK_INT(after.lease, 0);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.lease.time", "value", "600");
}

TEST(an_allocation_is_counted_once_and_noted)
{
    struct md_object object, after;

    make_key(&object, KMIP_State_Active);
    expect(ask(KM_OBJECT_ALLOCATE, &object_client, object.uid, 4), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    CHECK_INT(left(object.uid), 6);
    expect(ask(KM_OBJECT_ALLOCATE, &object_client, object.uid, 7), KLM_E_DENIED, KLM_MSG_USAGE_LEFT,
           __FILE__, __LINE__);
    expect(ask(KM_OBJECT_ALLOCATE, &object_client, object.uid, 6), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    expect(ask(KM_OBJECT_ALLOCATE, &object_client, object.uid, 1), KLM_E_DENIED, KLM_MSG_USAGE_LEFT,
           __FILE__, __LINE__);
    CHECK_INT(left(object.uid), 0);
    object_now(&house, object.uid, &after);
    CHECK(after.allocated);
    CHECK_INT(md_attr_number(&after.attrs, KMIP_TAG_LastChangeDate, 0), OBJECT_NOW);
}

TEST(states_decide_on_leases_allocations_and_checks)
{
    static const struct {
        uint32_t state;
        enum klm_msg_id lease, allocate, check;
    } row[] = {
        {KMIP_State_PreActive, KLM_MSG_NONE, KLM_MSG_USAGE_TIME, KLM_MSG_NONE},
        {KMIP_State_Active, KLM_MSG_NONE, KLM_MSG_NONE, KLM_MSG_NONE},
        {KMIP_State_Deactivated, KLM_MSG_NONE, KLM_MSG_USAGE_TIME, KLM_MSG_NONE},
        {KMIP_State_Compromised, KLM_MSG_LEASE_REFUSED, KLM_MSG_USAGE_TIME, KLM_MSG_NONE},
        {KMIP_State_Destroyed, KLM_MSG_LEASE_REFUSED, KLM_MSG_USAGE_TIME, KLM_MSG_OBJECT_DESTROYED},
        {KMIP_State_DestroyedCompromised, KLM_MSG_LEASE_REFUSED, KLM_MSG_USAGE_TIME,
         KLM_MSG_OBJECT_DESTROYED},
    };

    for (size_t i = 0; i < KLM_COUNT(row); i++) {
        const enum km_verb_id verb[] = {KM_OBJECT_LEASE, KM_OBJECT_ALLOCATE, KM_OBJECT_CHECK};
        const enum klm_msg_id msg[] = {row[i].lease, row[i].allocate, row[i].check};
        struct md_object object;

        make_key(&object, row[i].state);
        for (size_t v = 0; v < KLM_COUNT(verb); v++) {
            struct km_call *call = ask(verb[v], &object_client, object.uid, 1);

            test_str(klm_msg(call->diag.msg)->id, klm_msg(msg[v])->id, km_verb(verb[v])->name,
                     __FILE__, __LINE__);
            CHECK((call->rc == KLM_OK) == (msg[v] == KLM_MSG_NONE));
            km_call_free(&call);
        }
        CHECK_INT(left(object.uid), row[i].state == KMIP_State_Active ? 9 : 10);
    }
}

TEST(the_archive_keeps_all_but_serves_nothing)
{
    struct md_object object, after;
    static const enum km_verb_id verb[] = {KM_OBJECT_CHECK, KM_OBJECT_LEASE, KM_OBJECT_ALLOCATE};

    make_key(&object, KMIP_State_Active);
    expect(move(KM_OBJECT_ARCHIVE, &object_client, object.uid), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    object_now(&house, object.uid, &after);
    CHECK(after.archived);
    CHECK_INT(md_attr_number(&after.attrs, KMIP_TAG_ArchiveDate, 0), OBJECT_NOW);
    CHECK_INT(md_object_state(&after, klm_clock()), KMIP_State_Active);
    expect(move(KM_OBJECT_ARCHIVE, &object_client, object.uid), KLM_E_STATE,
           KLM_MSG_OBJECT_ARCHIVED, __FILE__, __LINE__);
    for (size_t i = 0; i < KLM_COUNT(verb); i++) {
        expect(ask(verb[i], &object_client, object.uid, 1), KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED,
               __FILE__, __LINE__);
    }
    expect(move(KM_OBJECT_RECOVER, &object_client, object.uid), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
    object_now(&house, object.uid, &after);
    CHECK(!after.archived && !md_attr_find(&after.attrs, KMIP_TAG_ArchiveDate));
    expect(move(KM_OBJECT_RECOVER, &object_client, object.uid), KLM_OK, KLM_MSG_NONE, __FILE__,
           __LINE__);
}

TEST(others_and_operators_are_refused)
{
    static const enum km_verb_id verb[] = {KM_OBJECT_CHECK, KM_OBJECT_LEASE, KM_OBJECT_ALLOCATE};
    struct km_actor other = object_client;
    struct md_object object, after;

    make_key(&object, KMIP_State_Active);
    other.group = "OTHERS";
    for (size_t i = 0; i < KLM_COUNT(verb); i++) {
        expect(ask(verb[i], &other, object.uid, 1), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN,
               __FILE__, __LINE__);
        expect(ask(verb[i], &admin, object.uid, 1), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__,
               __LINE__);
        expect(ask(verb[i], &object_client, NULL, 1), KLM_E_INVALID, KLM_MSG_OBJECT_UNNAMED,
               __FILE__, __LINE__);
    }
    expect(move(KM_OBJECT_ARCHIVE, &other, object.uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN,
           __FILE__, __LINE__);
    expect(move(KM_OBJECT_RECOVER, &other, object.uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN,
           __FILE__, __LINE__);
    expect(move(KM_OBJECT_ARCHIVE, &admin, object.uid), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED,
           __FILE__, __LINE__);
    object_now(&house, object.uid, &after);
    CHECK(!after.archived && !after.allocated && after.lease == 0);
}

TEST(interop_is_off_unless_a_property_says_so)
{
    struct km_call *call;

    serving();
    call = new_call(&house, KM_KMIP_INTEROP, &object_client);
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_E_UNSUPPORTED, KLM_MSG_INTEROP_OFF, __FILE__, __LINE__);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.interop", "value", "true");
    call = new_call(&house, KM_KMIP_INTEROP, &object_client);
    KLM_IGNORE(km_run_wait(call));
    expect(call, KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
}

TEST(zz_close)
{
    serving();
    object_house_done(&house);
}
