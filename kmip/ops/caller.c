/* Who asks: the client whose certificate the connection showed, with the credential that the message may have to carry (KMIP 1.4, 2.1.2 and 6.6; 2.1, 7.10 and 8.1). */
#include "kmip/ops/ops_int.h"

#include <string.h>

static klm_rc bad(struct klm_diag *diag, const char *what)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_KMIP_UNREADABLE, what);
}

/* All credentials of a message have to be satisfied (KMIP 2.1, 9.4), so two of a kind must say the same. */
static void take(struct klm_slice *to, struct klm_slice from, struct km_credential *out)
{
    if (!from.p) {
        from.p = (const uint8_t *)"";
    }
    out->contradicts |= to->p && !klm_slice_equal(*to, from);
    *to = from;
}

static klm_rc bad_credential(struct klm_diag *diag)
{
    return bad(diag, "a credential is not as it has to be");
}

static klm_rc field_in(const struct kmip_node *in, uint32_t tag, enum kmip_type type,
                       struct klm_slice *to, struct km_credential *out, struct klm_diag *diag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != type) {
        return bad_credential(diag);
    }
    take(to, node->bytes, out);
    return KLM_OK;
}

/* The same, of a field that the credential must have. */
static klm_rc need_in(const struct kmip_node *in, uint32_t tag, enum kmip_type type,
                      struct klm_slice *to, struct km_credential *out, struct klm_diag *diag)
{
    return kmip_child(in, tag) ? field_in(in, tag, type, to, out, diag) : bad_credential(diag);
}

static klm_rc read_password(const struct kmip_node *in, struct km_credential *out,
                            struct klm_diag *diag)
{
    KLM_TRY(need_in(in, KMIP_TAG_Username, KMIP_TEXT, &out->user, out, diag));
    return field_in(in, KMIP_TAG_Password, KMIP_TEXT, &out->password, out, diag);
}

/* KMIP 1.4, 2.1.2: "The client SHALL provide at least one field." Of them serial number and password are looked at. */
static klm_rc read_device(const struct kmip_node *in, struct km_credential *out,
                          struct klm_diag *diag)
{
    static const uint32_t others[] = {KMIP_TAG_DeviceIdentifier, KMIP_TAG_NetworkIdentifier,
                                      KMIP_TAG_MachineIdentifier, KMIP_TAG_MediaIdentifier};
    bool any = kmip_child(in, KMIP_TAG_DeviceSerialNumber) || kmip_child(in, KMIP_TAG_Password);

    for (size_t i = 0; i < KLM_COUNT(others); i++) {
        const struct kmip_node *node = kmip_child(in, others[i]);

        if (node && node->type != KMIP_TEXT) {
            return bad_credential(diag);
        }
        any |= node != NULL;
    }
    if (!any) {
        return bad_credential(diag);
    }
    KLM_TRY(field_in(in, KMIP_TAG_DeviceSerialNumber, KMIP_TEXT, &out->device, out, diag));
    return field_in(in, KMIP_TAG_Password, KMIP_TEXT, &out->password, out, diag);
}

static klm_rc read_once(const struct kmip_node *in, struct km_credential *out,
                        struct klm_diag *diag)
{
    KLM_TRY(read_password(in, out, diag));
    return need_in(in, KMIP_TAG_OneTimePassword, KMIP_TEXT, &out->once, out, diag);
}

/* KMIP 2.1, 9.11: the time is a Date Time Extended, and the hash SHA-256 by default. */
static klm_rc read_hashed(const struct kmip_node *in, struct km_credential *out,
                          struct klm_diag *diag)
{
    const struct kmip_node *time = kmip_child(in, KMIP_TAG_TimeStamp);
    const struct kmip_node *hash = kmip_child(in, KMIP_TAG_HashingAlgorithm);
    const uint32_t algorithm =
        hash ? (uint32_t)hash->number : (uint32_t)KMIP_HashingAlgorithm_SHA_256;
    const bool again = out->hashed.p != NULL;

    if (!time || time->type != KMIP_DATE_TIME_EXTENDED ||
        (hash && hash->type != KMIP_ENUMERATION)) {
        return bad_credential(diag);
    }
    KLM_TRY(need_in(in, KMIP_TAG_Username, KMIP_TEXT, &out->user, out, diag));
    KLM_TRY(need_in(in, KMIP_TAG_HashedPassword, KMIP_BYTES, &out->hashed, out, diag));
    out->contradicts |= again && (out->timestamp != time->number || out->algorithm != algorithm);
    out->timestamp = time->number;
    out->algorithm = algorithm;
    return KLM_OK;
}

/* KMIP 1.4, 2.1.2 and 2.1.14. No operation requires attestation here, and no measurement or assertion can be looked at: the server gives no nonce, names no attestation types, and its
 * Attestation Capability is false. Since a credential that is there has to be satisfied, what was asked for is a feature that is not supported (11.1; 2.1, 11.46). */
static klm_rc read_attestation(const struct kmop_message *msg, const struct kmip_node *in,
                               struct klm_diag *diag)
{
    const struct kmip_node *nonce = kmip_child(in, KMIP_TAG_Nonce);
    const struct kmip_node *type = kmip_child(in, KMIP_TAG_AttestationType);
    const struct kmip_node *id = kmip_child(nonce, KMIP_TAG_NonceID);
    const struct kmip_node *value = kmip_child(nonce, KMIP_TAG_NonceValue);

    if (!id || id->type != KMIP_BYTES || !value || value->type != KMIP_BYTES || !type ||
        type->type != KMIP_ENUMERATION) {
        return bad_credential(diag);
    }
    return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_CLIENT_ATTESTATION, msg->actor.name);
}

/* KMIP 2.1, 9.11 and 7.39. Login is no operation of this server, so no ticket is one of its own. */
static klm_rc read_ticket(const struct kmop_message *msg, const struct kmip_node *in,
                          struct klm_diag *diag)
{
    const struct kmip_node *ticket = kmip_child(in, KMIP_TAG_Ticket);
    const struct kmip_node *type = kmip_child(ticket, KMIP_TAG_TicketType);
    const struct kmip_node *value = kmip_child(ticket, KMIP_TAG_TicketValue);

    if (!type || type->type != KMIP_ENUMERATION || !value || value->type != KMIP_BYTES) {
        return bad_credential(diag);
    }
    return klm_fail(diag, KLM_E_DENIED, KLM_MSG_CLIENT_TICKET, msg->actor.name);
}

/* Extensions are somebody's own; what else no version has is unknown, as is what only later ones have. */
static bool type_known(const struct kmop_message *msg, uint32_t type)
{
    return (type >= 0x80000000 || kmip_value_name(KMIP_E_CredentialType, type)) &&
           kmip_value_known(KMIP_E_CredentialType, type, msg->version);
}

static klm_rc unknown_type(const struct kmop_message *msg, uint32_t type, struct klm_diag *diag)
{
    const char *name = kmip_value_name(KMIP_E_CredentialType, type);
    const char *version = klm_pool_printf(msg->pool, "%d.%d", msg->version / 16, msg->version % 16);

    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CLIENT_CREDENTIAL_TYPE, msg->actor.name,
                    name ? name : KLM_NUM(type), version ? version : "");
}

static klm_rc read_one(struct kmop_message *msg, const struct kmip_node *in, struct klm_diag *diag)
{
    const struct kmip_node *type = kmip_child(in, KMIP_TAG_CredentialType);
    const struct kmip_node *value = kmip_child(in, KMIP_TAG_CredentialValue);
    struct km_credential *out = &msg->credential;

    if (!type || type->type != KMIP_ENUMERATION || !value || value->type != KMIP_STRUCTURE) {
        return bad_credential(diag);
    }
    if (!type_known(msg, (uint32_t)type->number)) {
        return unknown_type(msg, (uint32_t)type->number, diag);
    }
    switch (type->number) {
    case KMIP_CredentialType_UsernameAndPassword:
        return read_password(value, out, diag);
    case KMIP_CredentialType_Device:
        return read_device(value, out, diag);
    case KMIP_CredentialType_Attestation:
        return read_attestation(msg, value, diag);
    case KMIP_CredentialType_OneTimePassword:
        return read_once(value, out, diag);
    case KMIP_CredentialType_HashedPassword:
        return read_hashed(value, out, diag);
    case KMIP_CredentialType_Ticket:
        return read_ticket(msg, value, diag);
    default: /* somebody's extension */
        out->other = true;
        return KLM_OK;
    }
}

static klm_rc read_credentials(struct kmop_message *msg, struct klm_diag *diag)
{
    const struct kmip_node *header = kmip_child(msg->root, KMIP_TAG_RequestHeader);
    const struct kmip_node *in = kmip_child(header, KMIP_TAG_Authentication);
    const struct kmip_node *credential = kmip_child(in, KMIP_TAG_Credential);

    if (in && !credential) { /* "SHALL contain one or more" (KMIP 2.1, 9.4) */
        return bad_credential(diag);
    }
    for (; credential; credential = kmip_next(credential)) {
        KLM_TRY(read_one(msg, credential, diag));
    }
    return KLM_OK;
}

static void contact_done(struct km_call *call)
{
    km_call_free(&call);
}

/* A stranger leaves its certificate for an operator to accept. Nothing waits for that. */
static void leave_certificate(struct kmop_message *msg)
{
    struct km_call *call = NULL;
    struct km_client_contact *req;

    if (km_call_new(msg->req.config->server, KM_CLIENT_CONTACT, &msg->actor, &call) != KLM_OK) {
        return;
    }
    req = call->req;
    if (msg->req.cert(msg->req.arg, call->pool, &req->cert) != KLM_OK) {
        km_call_free(&call);
        return;
    }
    call->loop = msg->req.config->loop;
    call->done = contact_done;
    km_run(call);
}

/* KMIP 1.4, 6.18 and 6.19; 2.1, 9.9 and 9.10: what either side calls the request is to be logged, and ours to be unique in the world. A server's name, its session's number (unique over
 * restarts) and the request's in it are. Only who says something of that kind is told: PyKMIP and what is made of it take an answer with a Server Correlation Value for a damaged one. Strangers
 * hear nothing of the server. */
static void name_request(struct kmop_message *msg)
{
    const struct kmop_request *req = &msg->req;

    if (msg->correlation.n == 0) {
        return;
    }
    msg->actor.correlation =
        klm_pool_strn(msg->pool, (const char *)msg->correlation.p, msg->correlation.n);
    if (msg->version >= KMIP_V(1, 4) && req->number && !msg->actor.stranger) {
        msg->actor.request =
            klm_pool_printf(msg->pool, "%s-%s-%llu", km_server_name(req->config->server),
                            req->session, (unsigned long long)req->number);
    }
}

static void stranger(struct kmop_message *msg)
{
    msg->actor = (struct km_actor){.kind = KM_ACTOR_CLIENT,
                                   .roles = KM_ROLE_ANYONE,
                                   .name = "unknown",
                                   .address = msg->req.address,
                                   .fingerprint = msg->req.fingerprint,
                                   .session = msg->req.session,
                                   .stranger = true};
}

void kmop_caller_named(struct kmop_message *msg)
{
    msg->clients = msg->clients ? msg->clients : km_clients(msg->req.config->server);
    if (km_client_actor(msg->clients, dt_clients_find(msg->clients, msg->req.fingerprint),
                        msg->req.address, msg->req.session, NULL, &msg->actor) != KLM_OK) {
        stranger(msg);
    }
    name_request(msg);
}

/* Does it ask for nothing but what strangers are told, too (Discover Versions, Query, Ping)? */
static bool asks_what_anybody_may(const struct kmop_message *msg)
{
    for (size_t i = 0; i < msg->n; i++) {
        const struct kmop_op *op = msg->item[i].op;

        if (!op || !km_may(KM_ROLE_ANYONE, km_verb(op->verb)->right)) {
            return false;
        }
    }
    return true;
}

static bool shows_nothing(const struct kmop_message *msg)
{
    return !kmip_child(kmip_child(msg->root, KMIP_TAG_RequestHeader), KMIP_TAG_Authentication);
}

/* Of a client that has to show more than its certificate. Clients look whether the server is there before they say who they are, over and over: they hear what strangers hear. */
static klm_rc look_at_credentials(struct kmop_message *msg, struct klm_diag *diag)
{
    klm_rc rc;

    KLM_TRY(read_credentials(msg, diag));
    rc = km_client_credential_known(msg->req.config->server, msg->client, &msg->credential, diag);
    if (rc == KLM_E_DENIED && shows_nothing(msg) && asks_what_anybody_may(msg)) {
        stranger(msg);
        name_request(msg);
        msg->registered = false;
        return KLM_OK;
    }
    return rc;
}

klm_rc kmop_caller(struct kmop_message *msg, struct klm_diag *diag)
{
    struct km_server *server = msg->req.config->server;
    klm_rc rc;

    msg->clients = km_clients(server);
    msg->client = dt_clients_find(msg->clients, msg->req.fingerprint);
    rc = km_client_actor(msg->clients, msg->client, msg->req.address, msg->req.session, diag,
                         &msg->actor);
    if (rc == KLM_E_NOTFOUND || rc == KLM_E_DENIED) {
        stranger(msg);
        name_request(msg);
        if (rc == KLM_E_NOTFOUND) {
            leave_certificate(msg);
        }
        return KLM_OK;
    }
    KLM_TRY(rc);
    msg->registered = true;
    name_request(msg);
    km_client_seen(server, msg->req.fingerprint);
    return look_at_credentials(msg, diag);
}

klm_rc kmop_caller_password(struct kmop_message *msg, struct klm_diag *diag)
{
    return km_client_credential(msg->req.config->server, msg->client, &msg->credential, diag);
}
