/* Who asks: the client whose certificate the connection showed, with the credential that the message may have to carry (KMIP 1.4, 2.1.2 and 6.6; 2.1, 7.10 and 8.1). */
#include "kmip/ops/ops_int.h"

#include <string.h>

static klm_rc bad(struct klm_diag *diag, const char *what)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_KMIP_UNREADABLE, what);
}

static klm_rc text_in(const struct kmip_node *in, uint32_t tag, struct klm_slice *out,
                      struct klm_diag *diag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_TEXT) {
        return bad(diag, "a credential is not as it has to be");
    }
    *out = KLM_SLICE(node->bytes.p ? node->bytes.p : (const uint8_t *)"", node->bytes.n);
    return KLM_OK;
}

static klm_rc read_one(const struct kmip_node *in, struct km_credential *out, struct klm_diag *diag)
{
    const struct kmip_node *type = kmip_child(in, KMIP_TAG_CredentialType);
    const struct kmip_node *value = kmip_child(in, KMIP_TAG_CredentialValue);

    if (!type || type->type != KMIP_ENUMERATION || !value || value->type != KMIP_STRUCTURE) {
        return bad(diag, "a credential is not as it has to be");
    }
    switch (type->number) {
    case KMIP_CredentialType_UsernameAndPassword:
        KLM_TRY(text_in(value, KMIP_TAG_Username, &out->user, diag));
        return text_in(value, KMIP_TAG_Password, &out->password, diag);
    case KMIP_CredentialType_Device:
        KLM_TRY(text_in(value, KMIP_TAG_DeviceSerialNumber, &out->device, diag));
        return out->password.p ? KLM_OK : text_in(value, KMIP_TAG_Password, &out->password, diag);
    default:
        out->other = true;
        return KLM_OK;
    }
}

static klm_rc read_credentials(struct kmop_message *msg, struct klm_diag *diag)
{
    const struct kmip_node *header = kmip_child(msg->root, KMIP_TAG_RequestHeader);
    const struct kmip_node *in = kmip_child(header, KMIP_TAG_Authentication);
    const struct kmip_node *credential = kmip_child(in, KMIP_TAG_Credential);

    for (; credential; credential = kmip_next(credential)) {
        KLM_TRY(read_one(credential, &msg->credential, diag));
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

static void stranger(struct kmop_message *msg)
{
    msg->actor = (struct km_actor){.kind = KM_ACTOR_CLIENT,
                                   .roles = KM_ROLE_ANYONE,
                                   .name = "unknown",
                                   .address = msg->req.address,
                                   .fingerprint = msg->req.fingerprint,
                                   .session = msg->req.session};
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
        if (rc == KLM_E_NOTFOUND) {
            leave_certificate(msg);
        }
        return KLM_OK;
    }
    KLM_TRY(rc);
    msg->registered = true;
    km_client_seen(server, msg->req.fingerprint);
    KLM_TRY(read_credentials(msg, diag));
    return km_client_credential_known(server, msg->client, &msg->credential, diag);
}

klm_rc kmop_caller_password(struct kmop_message *msg, struct klm_diag *diag)
{
    return km_client_credential(msg->req.config->server, msg->client, &msg->credential, diag);
}
