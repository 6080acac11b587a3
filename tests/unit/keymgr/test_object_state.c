/* An object's way through its states: each operation in each state, with what is said of it (KMIP 2.1, 4.57; 1.4, 3.22). */
#include "keymgr/object_help.h"

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "states", "");
        open_house(&house, true);
    }
    klm_clock_set(NOW * 1000000LL);
}

static void step(enum km_verb_id verb, const char *uid, uint32_t reason)
{
    WORKS(state_call(&house, verb, uid, reason));
}

/* A key on its way to a state. */
static const char *key_in(uint32_t state)
{
    const char *uid = new_key(&house, "");

    if (state == KMIP_State_Active || state == KMIP_State_Deactivated) {
        step(KM_OBJECT_ACTIVATE, uid, 0);
    }
    if (state == KMIP_State_Deactivated) {
        step(KM_OBJECT_REVOKE, uid, STOPS);
    }
    if (state == KMIP_State_Compromised || state == KMIP_State_DestroyedCompromised) {
        step(KM_OBJECT_REVOKE, uid, LEAKED);
    }
    if (state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised) {
        step(KM_OBJECT_DESTROY, uid, 0);
    }
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), state);
    return uid;
}

#define PRE KMIP_State_PreActive
#define ACT KMIP_State_Active
#define DEA KMIP_State_Deactivated
#define COM KMIP_State_Compromised
#define DES KMIP_State_Destroyed
#define DEC KMIP_State_DestroyedCompromised
#define NO(msg) 0, KLM_MSG_OBJECT_##msg
#define TO(state) state, KLM_MSG_NONE

TEST(each_operation_in_each_state)
{
    static const struct {
        enum km_verb_id verb;
        uint32_t reason, from, to; /* 0: refused */
        enum klm_msg_id msg;
    } rows[] = {
        {KM_OBJECT_ACTIVATE, 0, PRE, TO(ACT)},
        {KM_OBJECT_ACTIVATE, 0, ACT, NO(STATE)},
        {KM_OBJECT_ACTIVATE, 0, DEA, NO(STATE)},
        {KM_OBJECT_ACTIVATE, 0, COM, NO(STATE)},
        {KM_OBJECT_ACTIVATE, 0, DES, NO(STATE)},
        {KM_OBJECT_ACTIVATE, 0, DEC, NO(STATE)},
        {KM_OBJECT_REVOKE, STOPS, PRE, NO(STATE)},
        {KM_OBJECT_REVOKE, STOPS, ACT, TO(DEA)},
        {KM_OBJECT_REVOKE, STOPS, DEA, NO(STATE)},
        {KM_OBJECT_REVOKE, STOPS, COM, NO(STATE)},
        {KM_OBJECT_REVOKE, STOPS, DES, NO(STATE)},
        {KM_OBJECT_REVOKE, STOPS, DEC, NO(STATE)},
        {KM_OBJECT_REVOKE, LEAKED, PRE, TO(COM)},
        {KM_OBJECT_REVOKE, LEAKED, ACT, TO(COM)},
        {KM_OBJECT_REVOKE, LEAKED, DEA, TO(COM)},
        {KM_OBJECT_REVOKE, LEAKED, COM, TO(COM)},
        {KM_OBJECT_REVOKE, LEAKED, DES, TO(DEC)},
        {KM_OBJECT_REVOKE, LEAKED, DEC, TO(DEC)},
        {KM_OBJECT_REVOKE, KMIP_RevocationReasonCode_CACompromise, ACT, TO(COM)},
        {KM_OBJECT_DESTROY, 0, PRE, TO(DES)},
        {KM_OBJECT_DESTROY, 0, ACT, NO(ACTIVE)},
        {KM_OBJECT_DESTROY, 0, DEA, TO(DES)},
        {KM_OBJECT_DESTROY, 0, COM, TO(DEC)},
        {KM_OBJECT_DESTROY, 0, DES, NO(DESTROYED)},
        {KM_OBJECT_DESTROY, 0, DEC, NO(DESTROYED)},
        {KM_OBJECT_ARCHIVE, 0, PRE, TO(PRE)},
        {KM_OBJECT_ARCHIVE, 0, ACT, TO(ACT)},
        {KM_OBJECT_ARCHIVE, 0, DES, TO(DES)},
        {KM_OBJECT_RECOVER, 0, PRE, TO(PRE)}, /* it was not archived: nothing happens */
        {KM_OBJECT_RECOVER, 0, DEC, TO(DEC)},
    };

    opened();
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        const char *uid = key_in(rows[i].from);
        struct km_call *call = run_it(state_call(&house, rows[i].verb, uid, rows[i].reason));
        const bool destroys = rows[i].verb == KM_OBJECT_DESTROY && rows[i].to;
        const bool keeps = rows[i].from != DES && rows[i].from != DEC && !destroys;
        char what[60];

        snprintf(what, sizeof what, "row %zu", i);
        test_rc(call->rc, rows[i].to ? KLM_OK : KLM_E_STATE, what, __FILE__, __LINE__, false);
        test_str(klm_msg(call->diag.msg)->id, klm_msg(rows[i].msg)->id, what, __FILE__, __LINE__);
        test_int(attr_of(&house, uid, KMIP_TAG_State), rows[i].to ? rows[i].to : rows[i].from, what,
                 __FILE__, __LINE__);
        test_int(has_material(&house, uid), keeps, what, __FILE__, __LINE__);
        km_call_free(&call);
    }
}

TEST(each_change_of_state_has_its_date)
{
    opened();
    const char *uid = new_key(&house, "");

    klm_clock_set((NOW + 10) * 1000000LL);
    step(KM_OBJECT_ACTIVATE, uid, 0);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_ActivationDate), NOW + 10);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_LastChangeDate), NOW + 10);
    klm_clock_set((NOW + 20) * 1000000LL);
    step(KM_OBJECT_REVOKE, uid, STOPS);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_DeactivationDate), NOW + 20);
    klm_clock_set((NOW + 30) * 1000000LL);
    step(KM_OBJECT_REVOKE, uid, LEAKED);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CompromiseDate), NOW + 30);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CompromiseOccurrenceDate), NOW); /* Initial Date */
    klm_clock_set((NOW + 40) * 1000000LL);
    step(KM_OBJECT_DESTROY, uid, 0);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_DestroyDate), NOW + 40);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_ActivationDate), NOW + 10);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_LastChangeDate), NOW + 40);
}

TEST(dates_that_come_move_the_state_by_themselves)
{
    opened();
    const char *uid = new_key(&house, "ActivationDate=NOW+60 DeactivationDate=NOW+120");

    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), PRE);
    klm_clock_set((NOW + 60) * 1000000LL);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), ACT);
    ENDS(state_call(&house, KM_OBJECT_ACTIVATE, uid, 0), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    ENDS(state_call(&house, KM_OBJECT_DESTROY, uid, 0), KLM_E_STATE, KLM_MSG_OBJECT_ACTIVE);
    klm_clock_set((NOW + 120) * 1000000LL);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), DEA);
    ENDS(state_call(&house, KM_OBJECT_REVOKE, uid, STOPS), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    step(KM_OBJECT_DESTROY, uid, 0);
}

static struct km_call *revoke_at(const char *uid, uint32_t reason, int64_t date)
{
    struct km_call *call = state_call(&house, KM_OBJECT_REVOKE, uid, reason);
    struct km_object_state *req = call->req;

    req->date = date;
    req->has_date = true;
    return call;
}

TEST(a_compromise_says_when_and_nothing_else_does)
{
    opened();
    const char *uid = key_in(ACT);

    ENDS(revoke_at(uid, STOPS, NOW - 5), KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    ENDS(state_call(&house, KM_OBJECT_REVOKE, uid, 0), KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    ENDS(state_call(&house, KM_OBJECT_REVOKE, uid, 0x7fff), KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_State), ACT);
    WORKS(revoke_at(uid, LEAKED, NOW - 5));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CompromiseOccurrenceDate), NOW - 5);
}

TEST(only_groups_that_may_destroy_and_only_ones_own)
{
    struct km_actor careful = alpha;

    opened();
    const char *uid = new_key(&house, "");
    careful.may_destroy = false;
    ENDS(object_call(&house, KM_OBJECT_DESTROY, &careful, uid), KLM_E_DENIED, KLM_MSG_DESTROY_OFF);
    ENDS(object_call(&house, KM_OBJECT_ACTIVATE, &beta, uid), KLM_E_NOTFOUND,
         KLM_MSG_OBJECT_UNKNOWN);
    ENDS(object_call(&house, KM_OBJECT_RECOVER, &beta, uid), KLM_E_NOTFOUND,
         KLM_MSG_OBJECT_UNKNOWN);
    ENDS(object_call(&house, KM_OBJECT_ACTIVATE, &admin, uid), KLM_E_DENIED,
         KLM_MSG_NOT_AUTHORISED);
    ENDS(state_call(&house, KM_OBJECT_ACTIVATE, NULL, 0), KLM_E_INVALID, KLM_MSG_OBJECT_UNNAMED);
    ENDS(state_call(&house, KM_OBJECT_ACTIVATE, "", 0), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    CHECK(has_material(&house, uid));
}

TEST(an_archived_object_is_there_to_be_recovered_and_for_nothing_else)
{
    opened();
    const char *uid = key_in(PRE);

    step(KM_OBJECT_ARCHIVE, uid, 0);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_ArchiveDate), NOW);
    const enum km_verb_id refused[] = {KM_OBJECT_ACTIVATE, KM_OBJECT_REVOKE, KM_OBJECT_DESTROY,
                                       KM_OBJECT_ARCHIVE,  KM_OBJECT_GET,    KM_OBJECT_REKEY,
                                       KM_OBJECT_ENCRYPT,  KM_OBJECT_CHECK,  KM_OBJECT_LEASE};
    for (size_t i = 0; i < KLM_COUNT(refused); i++) {
        ENDS(object_call(&house, refused[i], &alpha, uid), KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED);
    }
    WORKS(object_call(&house, KM_OBJECT_ATTRS, &alpha, uid));
    step(KM_OBJECT_RECOVER, uid, 0);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_ArchiveDate), -1);
    step(KM_OBJECT_ACTIVATE, uid, 0);
}

TEST(zz_close)
{
    klm_clock_set(0);
    close_house(&house);
}
