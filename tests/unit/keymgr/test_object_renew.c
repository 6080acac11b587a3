/* Re-key and Re-key Key Pair: what the new object takes over, what the old one keeps, and how dates move. */
#include "keymgr/object_help.h"

#include "keymgr/internal.h"
#include "keymgr/steps.h"

#include <stdatomic.h>

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "renew", "");
        open_house(&house, true);
    }
    klm_clock_set(NOW * 1000000LL);
}

static struct km_call *rekey(const char *uid, const char *attrs)
{
    return make_call(&house, KM_OBJECT_REKEY, uid, attrs);
}

static struct km_call *rekey_in(const char *uid, int64_t offset, const char *attrs)
{
    struct km_call *call = rekey(uid, attrs);
    struct km_object_make *req = call->req;

    req->offset = offset;
    req->has_offset = true;
    return call;
}

static size_t names_of(const char *uid)
{
    struct klm_pool *pool = NULL;
    struct md_object object;
    size_t n = 0;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(&house, uid, pool, &object));
    for (struct md_attr *name = md_attr_find(&object.attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&object.attrs, name)) {
        n++;
    }
    klm_pool_free(&pool);
    return n;
}

static bool same_material(const char *one, const char *other)
{
    struct km_call *a = run_it(object_call(&house, KM_OBJECT_GET, &alpha, one));
    struct km_call *b = run_it(object_call(&house, KM_OBJECT_GET, &alpha, other));
    bool same;

    REQUIRE(a->rc == KLM_OK && b->rc == KLM_OK);
    same =
        kmip_equal(((struct km_object_get *)a->req)->item, ((struct km_object_get *)b->req)->item);
    km_call_free(&a);
    km_call_free(&b);
    return same;
}

/* KMIP 2.1, 6.1.46 */
TEST(a_new_key_takes_names_and_attributes_over_and_the_old_one_keeps_its_key_and_state)
{
    opened();
    const char *old = new_key(&house, NAMED("key") NAMED("alias") "ActivationDate=NOW "
                                                                  "Comment='kept' Sensitive=false");
    klm_clock_set((NOW + 10) * 1000000LL);
    const char *fresh = made(rekey(old, ""));

    CHECK(strcmp(old, fresh) != 0);
    CHECK_STR(link_of(&house, old, KMIP_LinkType_ReplacementObjectLink), fresh);
    CHECK_STR(link_of(&house, fresh, KMIP_LinkType_ReplacedObjectLink), old);
    CHECK_INT(names_of(old), 0);
    CHECK_INT(names_of(fresh), 2);
    CHECK(!same_material(old, fresh));
    CHECK_INT(attr_of(&house, old, KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_State), KMIP_State_Active); /* its date is copied */
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_CryptographicLength), 256);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_CryptographicUsageMask),
              attr_of(&house, old, KMIP_TAG_CryptographicUsageMask));
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_InitialDate), NOW + 10);
    CHECK_INT(attr_of(&house, old, KMIP_TAG_InitialDate), NOW);
    CHECK_INT(attr_of(&house, old, KMIP_TAG_LastChangeDate), NOW + 10);
}

TEST(an_object_is_replaced_once)
{
    opened();
    const char *old = new_key(&house, NAMED("once"));
    const char *fresh = made(rekey(old, ""));

    ENDS(rekey(old, ""), KLM_E_STATE, KLM_MSG_RENEW_TWICE);
    CHECK_STR(link_of(&house, old, KMIP_LinkType_ReplacementObjectLink), fresh);
    const char *newest = made(rekey(fresh, ""));
    CHECK_INT(names_of(newest), 1);
    CHECK_STR(link_of(&house, newest, KMIP_LinkType_ReplacedObjectLink), fresh);
}

/* KMIP 2.1, 6.1.46: "SHOULD only be performed once"; with the replacement gone there is no other way on. */
TEST(an_object_whose_replacement_is_destroyed_is_replaced_again)
{
    opened();
    const char *old = new_key(&house, NAMED("again"));
    const char *gone = made(rekey(old, ""));

    WORKS(state_call(&house, KM_OBJECT_DESTROY, gone, 0));
    const char *fresh = made(rekey(old, ""));
    CHECK_STR(link_of(&house, old, KMIP_LinkType_ReplacementObjectLink), fresh);
    CHECK_STR(link_of(&house, fresh, KMIP_LinkType_ReplacedObjectLink), old);
    ENDS(rekey(old, ""), KLM_E_STATE, KLM_MSG_RENEW_TWICE);
}

/* KMIP 1.4, 4.4, tables 172 and 173 */
TEST(an_offset_moves_all_dates_with_the_activation)
{
    opened();
    const char *old = new_key(&house, "ActivationDate=NOW-100 ProcessStartDate=NOW-90 "
                                      "ProtectStopDate=NOW+100 DeactivationDate=NOW+200");
    const char *fresh = made(rekey_in(old, 1000, ""));

    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_ActivationDate), NOW + 1000);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_ProcessStartDate), NOW + 1010);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_ProtectStopDate), NOW + 1200);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_DeactivationDate), NOW + 1300);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_State), KMIP_State_PreActive);
}

TEST(without_an_offset_dates_are_copied_or_given)
{
    opened();
    const char *old = new_key(&house, "ActivationDate=NOW DeactivationDate=NOW+200");
    const char *fresh = made(rekey(old, "DeactivationDate=NOW+500"));

    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_ActivationDate), NOW);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_DeactivationDate), NOW + 500);
}

TEST(an_offset_that_leads_nowhere_is_refused)
{
    opened();
    ENDS(rekey_in(new_key(&house, "ActivationDate=NOW"), 10, "DeactivationDate=NOW+500"),
         KLM_E_INVALID, KLM_MSG_RENEW_OFFSET);
    ENDS(rekey_in(new_key(&house, "DeactivationDate=NOW+500"), 10, ""), KLM_E_STATE,
         KLM_MSG_RENEW_NO_DATE);
    const char *fresh = made(rekey_in(new_key(&house, ""), 0, "")); /* no dates: active at once */
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_State), KMIP_State_Active);
}

TEST(dates_given_must_fit_those_that_are_copied)
{
    opened();
    const char *old = new_key(&house, "ActivationDate=NOW+100 DeactivationDate=NOW+200");
    struct km_call *call = run_it(rekey(old, "DeactivationDate=NOW+50"));

    CHECK_RC(call->rc, KLM_E_INVALID);
    km_call_free(&call);
}

TEST(dates_that_an_offset_would_move_out_of_time_are_refused)
{
    opened();
    const char *old =
        new_key(&house, "ActivationDate=-9000000000000000000 DeactivationDate=9000000000000000000");

    ENDS(rekey_in(old, 0, ""), KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
    ENDS(rekey_in(new_key(&house, "ActivationDate=0 DeactivationDate=9223372036854775807"), 1, ""),
         KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
    ENDS(rekey_in(old, INT64_MAX, ""), KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
}

/* ---- What others do between the two steps of a renewal */

static void is_done(struct km_call *call)
{
    atomic_store((atomic_bool *)call->arg, true);
}

/* The second step of a call whose first was done here. */
static struct km_call *applied(struct km_call *call)
{
    static atomic_bool done;

    atomic_store(&done, false);
    call->loop = NULL;
    call->done = is_done;
    call->arg = &done;
    REQUIRE_OK(km_writer_submit(house.server, call));
    WAIT_FOR(atomic_load(&done), 20)
    {
    }
    REQUIRE(atomic_load(&done));
    return call;
}

TEST(a_name_that_the_old_key_gets_meanwhile_goes_to_the_new_one_too)
{
    opened();
    const char *old = new_key(&house, NAMED("meanwhile one"));
    struct km_call *call = rekey(old, ""), *name = object_call(&house, KM_ATTR_ADD, &alpha, old);
    const char *fresh;

    REQUIRE_OK(km_object_rekey_prepare(call));
    ((struct km_attr_change *)name->req)->value = item_of(name->pool, NAMED("meanwhile two"));
    WORKS(name);
    REQUIRE_OK(applied(call)->rc);
    fresh = ((struct km_object_make *)call->req)->made[0];
    CHECK_INT(names_of(old), 0);
    CHECK_INT(names_of(fresh), 2);
    km_call_free(&call);
}

TEST(a_key_that_is_destroyed_meanwhile_is_not_renewed)
{
    opened();
    const char *old = new_key(&house, NAMED("meanwhile gone"));
    struct km_call *call = rekey(old, "");
    struct klm_pool *pool = NULL;
    struct md_object object;

    REQUIRE_OK(km_object_rekey_prepare(call));
    WORKS(object_call(&house, KM_OBJECT_DESTROY, &alpha, old));
    CHECK_RC(applied(call)->rc, KLM_E_STATE);
    CHECK_INT(call->diag.msg, KLM_MSG_OBJECT_DESTROYED);
    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_RC(see_object(&house, ((struct km_object_make *)call->req)->made[0], pool, &object),
             KLM_E_NOTFOUND);
    klm_pool_free(&pool);
    km_call_free(&call);
}

TEST(the_new_key_has_its_usage_limits_whole)
{
    opened();
    const char *old = new_key(
        &house, "ActivationDate=NOW UsageLimits{UsageLimitsTotal=9 UsageLimitsUnit=Object}");
    struct km_call *call = object_call(&house, KM_OBJECT_ALLOCATE, &alpha, old);

    ((struct km_object_check *)call->req)->count = 4;
    WORKS(call);
    CHECK_INT(left_of(&house, old), 5);
    CHECK_INT(left_of(&house, made(rekey(old, ""))), 9);
    CHECK_INT(left_of(&house, old), 5);
}

TEST(deactivated_and_compromised_keys_are_renewed_and_the_new_one_is_none_of_that)
{
    opened();
    const char *old = new_key(&house, "ActivationDate=NOW");

    WORKS(state_call(&house, KM_OBJECT_REVOKE, old, LEAKED));
    const char *fresh = made(rekey(old, ""));
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_CompromiseDate), -1);
    CHECK_INT(attr_of(&house, fresh, KMIP_TAG_CompromiseOccurrenceDate), -1);
    CHECK_INT(attr_of(&house, old, KMIP_TAG_State), KMIP_State_Compromised);
}

TEST(what_cannot_be_renewed_says_so)
{
    char pair[2][MD_UID_MAX];

    opened();
    const char *uid = new_key(&house, NAMED("stays"));
    const char *taken = new_key(&house, NAMED("taken"));
    make_in(make_call(&house, KM_OBJECT_PAIR, NULL,
                      "CryptographicAlgorithm=EC CryptographicLength=256"),
            pair);
    ENDS(rekey(pair[0], ""), KLM_E_DENIED, KLM_MSG_RENEW_TYPE);
    ENDS(make_call(&house, KM_OBJECT_REKEY_PAIR, uid, ""), KLM_E_DENIED, KLM_MSG_RENEW_TYPE);
    ENDS(make_call(&house, KM_OBJECT_REKEY_PAIR, pair[1], ""), KLM_E_DENIED, KLM_MSG_RENEW_TYPE);
    ENDS(object_call(&house, KM_OBJECT_REKEY, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    ENDS(rekey(uid, "State=Active"), KLM_E_DENIED, KLM_MSG_ATTR_SERVERS);
    ENDS(rekey(uid, NAMED("taken")), KLM_E_EXISTS, KLM_MSG_OBJECT_NAME); /* and nothing is done: */
    CHECK_INT(names_of(uid), 1);
    CHECK_STR(link_of(&house, uid, KMIP_LinkType_ReplacementObjectLink), "");
    WORKS(state_call(&house, KM_OBJECT_DESTROY, taken, 0));
    ENDS(rekey(taken, ""), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
}

TEST(what_is_renewed_counts_its_generations)
{
    char first[MD_UID_MAX], second[MD_UID_MAX];
    const char *third;

    opened();
    memcpy(first, new_key(&house, ""), MD_UID_MAX);
    CHECK_INT(attr_of(&house, first, KMIP_TAG_RotateGeneration), -1);
    memcpy(second, made(rekey(first, "")), MD_UID_MAX);
    CHECK_INT(attr_of(&house, second, KMIP_TAG_RotateGeneration), 1);
    CHECK_INT(attr_of(&house, second, KMIP_TAG_RotateDate), NOW);
    CHECK_INT(attr_of(&house, second, KMIP_TAG_RotateLatest), true);
    CHECK_INT(attr_of(&house, first, KMIP_TAG_RotateLatest), false);
    third = made(rekey(second, ""));
    CHECK_INT(attr_of(&house, third, KMIP_TAG_RotateGeneration), 2);
    CHECK_INT(attr_of(&house, second, KMIP_TAG_RotateLatest), false);
    CHECK_INT(attr_of(&house, second, KMIP_TAG_RotateGeneration), 1);
}

/* ---- Pairs */

TEST(a_pair_is_renewed_as_a_pair)
{
    char old[2][MD_UID_MAX], fresh[2][MD_UID_MAX];
    struct km_call *call;

    opened();
    call = make_call(&house, KM_OBJECT_PAIR, NULL,
                     "CryptographicAlgorithm=EC CryptographicLength=384 ActivationDate=NOW");
    attrs_in(&((struct km_object_make *)call->req)->private_attrs,
             "CryptographicUsageMask=Sign " NAMED("signer"));
    attrs_in(&((struct km_object_make *)call->req)->public_attrs,
             "CryptographicUsageMask=Verify " NAMED("verifier"));
    make_in(call, old);
    make_in(make_call(&house, KM_OBJECT_REKEY_PAIR, old[0], ""), fresh);
    for (int i = 0; i < 2; i++) {
        CHECK_STR(link_of(&house, old[i], KMIP_LinkType_ReplacementObjectLink), fresh[i]);
        CHECK_STR(link_of(&house, fresh[i], KMIP_LinkType_ReplacedObjectLink), old[i]);
        CHECK_INT(names_of(old[i]), 0);
        CHECK_INT(names_of(fresh[i]), 1);
        CHECK_INT(attr_of(&house, fresh[i], KMIP_TAG_CryptographicLength), 384);
        CHECK(!same_material(old[i], fresh[i]));
    }
    CHECK_STR(link_of(&house, fresh[0], KMIP_LinkType_PublicKeyLink), fresh[1]);
    CHECK_STR(link_of(&house, fresh[1], KMIP_LinkType_PrivateKeyLink), fresh[0]);
    CHECK_STR(link_of(&house, old[0], KMIP_LinkType_PublicKeyLink), old[1]);
    ENDS(make_call(&house, KM_OBJECT_REKEY_PAIR, old[0], ""), KLM_E_STATE, KLM_MSG_RENEW_TWICE);
}

TEST(zz_close)
{
    klm_clock_set(0);
    close_house(&house);
}
