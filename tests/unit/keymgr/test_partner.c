/* Who is a partner: role, ring, chain and the list of fingerprints, each alone enough to refuse; how many drills one may begin. */
#include "km_help.h"

static struct house house;
static struct klm_slice cert;
static char fingerprint[65];

/* A certificate of that role, connected or not; its DER lives as long as the program. */
static struct klm_slice make(const char *label, const char *role, bool connect)
{
    struct km_call *call;
    struct klm_slice der = {0};
    uint8_t *copy;

    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", label, "subject", "CN=Other",
       "type", "NISTECC", "size", "256", "role", role, "sign_owner", "CERTAUTH", "sign_label",
       CA_LABEL);
    if (connect) {
        DO(&house, KM_RING_CONNECT, &admin, "owner", OWNER, "ring", RING, "cert_owner", OWNER,
           "label", label, "usage", "PERSONAL");
    }
    call = new_call(&house, KM_CERT_EXPORT, &admin);
    *(struct km_cert_req *)call->req =
        (struct km_cert_req){.owner = OWNER, .label = label, .format = "CERTDER"};
    REQUIRE_OK(km_run_wait(call));
    copy = malloc(call->bytes.n);
    REQUIRE(copy != NULL);
    memcpy(copy, call->bytes.p, call->bytes.n);
    der = KLM_SLICE(copy, call->bytes.n);
    km_call_free(&call);
    return der;
}

static klm_rc check(struct klm_slice der, enum klm_msg_id why)
{
    struct km_state *state = km_state_get(house.server);
    struct klm_diag diag = {0};
    const char *name = NULL;
    klm_rc rc = km_partner_check(state, der, &diag, &name, fingerprint);

    CHECK_INT(diag.msg, why);
    CHECK((rc == KLM_OK) == (name != NULL));
    km_state_put(&state);
    return rc;
}

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "partner", "");
        cert = make("P1", "PARTNER", true);
    }
}

static void pin(const char *list)
{
    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.fingerprints", "value", list);
}

TEST(without_a_ring_of_partners_nobody_is_one)
{
    serving();
    CHECK_RC(check(cert, KLM_MSG_PARTNER_NO_RING), KLM_E_DENIED);
    DO(&house, KM_CONFIG_SET, &admin, "property", "Admin.ssl.keystore.name", "value",
       "safkeyring://" OWNER "/" RING);
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
}

TEST(role_and_connection_are_both_needed)
{
    struct klm_slice apart, client;

    serving();
    apart = make("P2", "PARTNER", false);
    client = make("P3", "CLIENT", true);
    DO(&house, KM_KEYSTORE_REFRESH, &admin, NULL);
    CHECK_RC(check(apart, KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    CHECK_RC(check(client, KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    CHECK_RC(check(KLM_SLICE(cert.p, cert.n - 1), KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
    free((void *)(uintptr_t)apart.p);
    free((void *)(uintptr_t)client.p);
}

TEST(a_list_of_fingerprints_names_the_only_partners)
{
    static const char other[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char text[512], colons[3 * 64] = "";

    serving();
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
    snprintf(text, sizeof text, "%s", fingerprint);
    pin(text);
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
    pin(other);
    CHECK_RC(check(cert, KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    snprintf(text, sizeof text, "%s, %s", other, fingerprint);
    pin(text);
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
    snprintf(text, sizeof text, "%.63s", fingerprint); /* its beginning is not it */
    pin(text);
    CHECK_RC(check(cert, KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    snprintf(text, sizeof text, "%.64s0", fingerprint); /* nor is one digit more */
    pin(text);
    CHECK_RC(check(cert, KLM_MSG_PARTNER_UNKNOWN), KLM_E_DENIED);
    for (size_t i = 0; i < 64; i += 2) {
        snprintf(colons + strlen(colons), sizeof colons - strlen(colons), "%s%c%c", i ? ":" : "",
                 fingerprint[i] >= 'a' ? fingerprint[i] - 'a' + 'A' : fingerprint[i],
                 fingerprint[i + 1]);
    }
    pin(colons);
    CHECK_RC(check(cert, KLM_MSG_NONE), KLM_OK);
    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.fingerprints", "unset", "");
}

static klm_rc drill(const char *partner, bool first)
{
    static const uint8_t zeros[32];
    const struct km_challenge item = {.kind = KM_PROVE_MASTER, .name = "master"};
    const struct km_actor actor = {
        .kind = KM_ACTOR_PARTNER, .roles = KM_ROLE_PARTNER, .name = partner};
    struct km_call *call = new_call(&house, KM_DRILL_PROVE, &actor);
    klm_rc rc;

    *(struct km_prove *)call->req =
        (struct km_prove){&item, 1, KLM_SLICE(zeros, 32), KLM_SLICE(zeros, 32), first};
    rc = km_run_wait(call);
    km_call_free(&call);
    return rc;
}

TEST(each_partner_has_its_own_number_of_drills_an_hour)
{
    serving();
    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.drills.per.hour", "value", "2");
    CHECK_RC(drill("ONE", true), KLM_OK);
    CHECK_RC(drill("ONE", false), KLM_OK); /* a further page is no further drill */
    CHECK_RC(drill("ONE", true), KLM_OK);
    CHECK_RC(drill("ONE", true), KLM_E_LIMIT);
    CHECK_RC(drill("TWO", true), KLM_OK);
    DO(&house, KM_CONFIG_SET, &admin, "property", "partner.drills.per.hour", "value", "0");
    CHECK_RC(drill("THREE", true), KLM_E_LIMIT);
    close_house(&house);
}
