/* The client's half of the exchange. Whatever the server sends is decoded strictly; nothing it may send makes us go on without the
 * confirmation inside TLS. */
#include "ios/session.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/secret.h"
#include "base/tls.h"
#include "ios/subkey.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY 32

struct ios_session {
    const struct ios_session_config *cfg;
    struct ios_channel channel;
    struct klm_buf in; /* what was received and not used yet */
    size_t used;       /* bytes of the last message, which still points into in */
    uint8_t hellos[32];
    uint8_t *wrapping; /* W: KEY bytes of secret memory */
    uint32_t next_id;
    uint8_t version; /* of the messages now: 1 until the server confirmed another */
    bool ready;
};

void ios_keyed_free(struct ios_keyed **keyed)
{
    if (*keyed) {
        klm_secret_free((*keyed)->key, KEY);
        free(*keyed);
        *keyed = NULL;
    }
}

klm_rc ios_session_tls(const struct ios_drive *drive, bool tls12, struct klm_diag *diag,
                       struct klm_tls_ctx **out)
{
    const struct klm_tls_config cfg = {.min_version = tls12 ? 12 : 13,
                                       .max_version = 13,
                                       .key = drive->key,
                                       .cert = drive->cert,
                                       .trust = drive->ca,
                                       .trust_n = drive->ca_n,
                                       .security_level = 2};

    return klm_tls_ctx_new(&cfg, diag, out);
}

static klm_rc failed(struct ios_session *session, klm_rc rc, const char *why)
{
    snprintf(session->channel.why, sizeof session->channel.why, "%s", why);
    return rc;
}

static klm_rc send_buf(struct ios_session *session, struct klm_buf *buf, klm_rc rc)
{
    if (rc != KLM_OK) {
        return failed(session, rc, "the request has a value that cannot be sent");
    }
    kx_stamp(buf, session->version);
    return ios_channel_write(&session->channel, klm_buf_as_slice(buf));
}

/* The next message; it points into the session until the next call. */
static klm_rc receive(struct ios_session *session, struct kx_message *message)
{
    struct klm_buf *in = &session->in;

    klm_buf_drop(in, session->used);
    session->used = 0;
    for (;;) {
        size_t need = 0, got = 0;
        klm_rc rc = kx_decode(klm_buf_as_slice(in), message, &session->used, &need);
        uint8_t *room;

        if (rc == KLM_OK && message->version == session->version) {
            return rc;
        }
        rc = rc == KLM_OK ? KLM_E_INVALID : rc; /* PROTOCOL.md, 8: the version in use, no other */
        session->used = 0;
        if (rc != KLM_E_AGAIN) {
            return failed(session, rc, "it answers something that is no key exchange");
        }
        room = klm_buf_room(in, KX_MESSAGE_MAX - in->n);
        if (!room) {
            return failed(session, klm_buf_rc(in), "no memory");
        }
        KLM_TRY(ios_channel_read(&session->channel, room, KX_MESSAGE_MAX - in->n, &got));
        in->n += got;
    }
}

/* ---- Opening */

static struct kx_hello hello_of(const struct ios_session *session)
{
    const struct ios_drive *drive = session->cfg->drive;
    struct kx_hello hello = {.version_min = KX_VERSION,
                             .version_max = KX_VERSION_MAX,
                             .kind = drive->kind,
                             .capabilities = KX_CAP_SIGN};

    memcpy(hello.serial, drive->serial, sizeof hello.serial);
    memcpy(hello.wwn, drive->wwn, sizeof hello.wwn);
    return hello;
}

/* PROTOCOL.md, 1.2: one hello each way, and nothing behind the server's. */
static klm_rc receive_hello(struct ios_session *session)
{
    const struct kx_hello mine = hello_of(session);
    struct kx_message message;

    KLM_TRY(receive(session, &message));
    if (message.type != KX_HELLO_SERVER || session->in.n != session->used) {
        return failed(session, KLM_E_INVALID, "it answers something that is no key exchange");
    }
    if (kx_version_shared(&mine, &message.u.hello) == 0) {
        return failed(session, KLM_E_UNSUPPORTED, "it speaks other versions of the exchange");
    }
    return KLM_OK;
}

static klm_rc clear_hellos(struct ios_session *session)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    const struct kx_hello hello = hello_of(session);

    klm_buf_init(&out, KX_MESSAGE_MAX);
    KLM_TRY(send_buf(session, &out, kx_encode_hello(KX_HELLO, &hello, &out)));
    KLM_TRY(receive_hello(session));
    return klm_sha256((struct klm_slice[]){klm_buf_as_slice(&out), {session->in.p, session->used}},
                      2, session->hellos);
}

/* PROTOCOL.md, 1.4: when the server asked for no certificate in TLS, it is shown here with a signature. */
static klm_rc add_proof(struct ios_session *session, struct klm_pool *pool,
                        struct kx_confirm *confirm)
{
    const struct ios_drive *drive = session->cfg->drive;
    uint8_t binding[32], *signature = klm_pool_alloc(pool, KX_SIGNATURE_MAX), *der = NULL;
    int der_n = i2d_X509(drive->cert, &der);
    klm_rc rc;

    if (der_n <= 0 || !signature) {
        OPENSSL_free(der);
        return KLM_E_NOMEM;
    }
    rc = klm_pool_slice(pool, KLM_SLICE(der, (size_t)der_n), &confirm->cert);
    OPENSSL_free(der);
    KLM_TRY(rc);
    KLM_TRY(klm_tls_exporter(session->channel.ssl, KX_BINDING_LABEL, (struct klm_slice){0}, binding,
                             sizeof binding));
    confirm->signature.p = signature;
    return ios_drive_sign(drive, binding, signature, KX_SIGNATURE_MAX, &confirm->signature.n);
}

static klm_rc send_confirm(struct ios_session *session)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    struct kx_confirm confirm = {.hello = hello_of(session)};

    klm_buf_init(&out, KX_MESSAGE_MAX);
    memcpy(confirm.hellos, session->hellos, sizeof confirm.hellos);
    KLM_TRY(klm_pool_new(0, &pool));
    if (!session->channel.cert_asked) {
        klm_rc rc = add_proof(session, pool, &confirm);

        if (rc != KLM_OK) {
            return failed(session, rc, "the drive cannot prove its identity");
        }
    }
    return send_buf(session, &out, kx_encode_confirm(&confirm, &out));
}

static klm_rc refused(const struct kx_error *error, struct ios_fault *fault)
{
    fault->error = *error;
    return KLM_E_DENIED;
}

static klm_rc receive_confirmed(struct ios_session *session, struct ios_fault *fault)
{
    const struct kx_hello mine = hello_of(session);
    struct kx_message message;

    KLM_TRY(receive(session, &message));
    if (message.type == KX_ERROR) {
        return refused(&message.u.error, fault);
    }
    if (message.type != KX_CONFIRMED || kx_version_shared(&mine, &message.u.confirm.hello) == 0) {
        return failed(session, KLM_E_INVALID, "it does not confirm the session");
    }
    if (!klm_secret_equal(message.u.confirm.hellos, session->hellos, sizeof session->hellos)) {
        return failed(session, KLM_E_INVALID, "the hellos were changed on the way");
    }
    session->version = message.u.confirm.hello.version_max;
    return KLM_OK;
}

static klm_rc take_wrapping_key(struct ios_session *session)
{
    session->wrapping = klm_secret_alloc(KEY);
    if (!session->wrapping) {
        return failed(session, KLM_E_NOMEM, "no secret memory");
    }
    klm_rc rc = klm_tls_exporter(session->channel.ssl, KX_EXPORTER_LABEL, (struct klm_slice){0},
                                 session->wrapping, KEY);
    return rc == KLM_OK ? rc : failed(session, rc, "TLS gives no wrapping key");
}

/* RFC 7627: without the extended master secret the exporter of TLS 1.2 does not name one connection alone. */
static klm_rc check_tls(struct ios_session *session)
{
    SSL *ssl = session->channel.ssl;

    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) {
        return failed(session, KLM_E_CRYPTO, "its TLS 1.2 is without the extended master secret");
    }
    return KLM_OK;
}

static klm_rc open_steps(struct ios_session *session, const struct parm_ekm_host *host,
                         struct ios_fault *fault)
{
    struct ios_channel *channel = &session->channel;
    uint64_t until = klm_clock_mono_ms() + session->cfg->connect_ms;

    until = until < channel->deadline ? until : channel->deadline;
    KLM_TRY(ios_channel_connect(channel, host->host, host->port, until));
    if (!session->cfg->ssl) {
        KLM_TRY(clear_hellos(session));
        klm_buf_drop(&session->in, session->used);
        session->used = 0;
    }
    KLM_TRY(ios_channel_secure(channel, session->cfg->tls));
    KLM_TRY(check_tls(session));
    KLM_TRY(send_confirm(session));
    KLM_TRY(receive_confirmed(session, fault));
    return take_wrapping_key(session);
}

static void tell(const struct ios_session *session, klm_rc rc, struct ios_fault *fault)
{
    const char *why = session->channel.why;

    if (rc != KLM_E_DENIED) {
        snprintf(fault->why, sizeof fault->why, "%s", why[0] ? why : klm_rc_text(rc));
    }
}

klm_rc ios_session_open(const struct parm_ekm_host *host, const struct ios_session_config *cfg,
                        uint64_t deadline, struct ios_fault *fault, struct ios_session **out)
{
    KLM_AUTO(ios_session_free) struct ios_session *session = calloc(1, sizeof *session);

    *fault = (struct ios_fault){0};
    if (!session) {
        snprintf(fault->why, sizeof fault->why, "no memory");
        return KLM_E_NOMEM;
    }
    session->cfg = cfg;
    session->next_id = 1;
    session->version = KX_VERSION;
    ios_channel_init(&session->channel);
    session->channel.deadline = deadline;
    klm_buf_init_wiping(&session->in, KX_MESSAGE_MAX);
    klm_rc rc = open_steps(session, host, fault);
    if (rc != KLM_OK) {
        tell(session, rc, fault);
        return rc;
    }
    session->ready = true;
    *out = session;
    session = NULL;
    return KLM_OK;
}

/* ---- Requests */

static klm_rc send_request(struct ios_session *session, const struct ios_request *request,
                           uint32_t id)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    klm_rc rc;

    klm_buf_init(&out, KX_MESSAGE_MAX);
    if (request->type == KX_CREATE) {
        rc = kx_encode_create(request->u.create, id, &out);
    } else if (request->type == KX_GET) {
        rc = kx_encode_get(request->u.get, id, &out);
    } else if (request->type == KX_TRANSLATE) {
        rc = kx_encode_translate(request->u.translate, id, &out);
    } else if (request->type == KX_STORED_CREATE) {
        rc = kx_encode_stored_create(request->u.stored_create, id, &out);
    } else if (request->type == KX_STORED_GET) {
        rc = kx_encode_stored_get(request->u.stored_get, id, &out);
    } else {
        rc = kx_encode_plain(request->type, id, &out);
    }
    return send_buf(session, &out, rc);
}

static enum kx_type answer_to(enum kx_type type)
{
    return type == KX_CREATE          ? KX_CREATED
           : type == KX_GET           ? KX_GOT
           : type == KX_TRANSLATE     ? KX_TRANSLATED
           : type == KX_STORED_CREATE ? KX_STORED_CREATED
           : type == KX_STORED_GET    ? KX_STORED_GOT
                                      : KX_VERIFIED;
}

static bool is_stored(enum kx_type type)
{
    return type == KX_STORED_CREATE || type == KX_STORED_GET;
}

static void copy_answer(const struct kx_keyed *from, struct ios_keyed *to)
{
    to->eedk_n = from->eedk_n;
    to->labels_n = from->labels_n;
    memcpy(to->labels, from->labels, sizeof to->labels);
    for (size_t i = 0; i < from->eedk_n; i++) {
        uint8_t *at = to->bytes + i * KX_EEDK_MAX;

        memcpy(at, from->eedk[i].p, from->eedk[i].n);
        to->eedk[i] = KLM_SLICE(at, from->eedk[i].n);
    }
}

static void copy_stored(const struct kx_stored *from, struct ios_keyed *to)
{
    to->by_id = true;
    memcpy(to->key_id, from->key_id, sizeof to->key_id);
    to->labels_n = 1;
    to->labels[0].encoding = KX_ENC_LABEL;
    memcpy(to->labels[0].label, from->alias, sizeof from->alias);
}

/* The wrapped data key of an answer that has one. */
static const uint8_t *wrapped_of(const struct kx_message *message)
{
    switch (message->type) {
    case KX_CREATED:
    case KX_GOT:
        return message->u.keyed.wrapped;
    case KX_STORED_CREATED:
    case KX_STORED_GOT:
        return message->u.stored.wrapped;
    default:
        return NULL;
    }
}

static klm_rc take_answer(struct ios_session *session, const struct kx_message *message,
                          struct ios_keyed **out)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = calloc(1, sizeof *keyed);
    const uint8_t *wrapped = wrapped_of(message);

    if (!keyed) {
        return failed(session, KLM_E_NOMEM, "no memory");
    }
    if (message->type == KX_STORED_CREATED || message->type == KX_STORED_GOT) {
        copy_stored(&message->u.stored, keyed);
    } else if (message->type != KX_VERIFIED) {
        copy_answer(&message->u.keyed, keyed);
    }
    if (wrapped) {
        keyed->key = klm_secret_alloc(KEY);
        if (!keyed->key) {
            return failed(session, KLM_E_NOMEM, "no secret memory");
        }
        if (ios_key_unwrap(session->wrapping, wrapped, keyed->key) != KLM_OK) {
            return failed(session, KLM_E_CRYPTO, "its data key cannot be unwrapped");
        }
    }
    *out = keyed;
    keyed = NULL;
    return KLM_OK;
}

static klm_rc ask_steps(struct ios_session *session, const struct ios_request *request,
                        struct ios_fault *fault, struct ios_keyed **out)
{
    struct kx_message message;
    uint32_t id = session->next_id;

    if (is_stored(request->type) && session->version < 2) {
        return failed(session, KLM_E_UNSUPPORTED, "it does not know stored keys (version 2)");
    }
    session->next_id = id == UINT32_MAX ? 1 : id + 1;
    KLM_TRY(send_request(session, request, id));
    KLM_TRY(receive(session, &message));
    if (message.type == KX_ERROR && (message.id == id || message.id == 0)) {
        session->ready = session->ready && message.id == id; /* 0: about the session, which ends */
        return refused(&message.u.error, fault);
    }
    if (message.type != answer_to(request->type) || message.id != id) {
        return failed(session, KLM_E_INVALID, "it answers something that was not asked");
    }
    return take_answer(session, &message, out);
}

klm_rc ios_session_ask(struct ios_session *session, const struct ios_request *request,
                       uint64_t deadline, struct ios_fault *fault, struct ios_keyed **out)
{
    *fault = (struct ios_fault){0};
    session->channel.deadline = deadline;
    session->channel.why[0] = '\0';
    if (!session->ready) {
        snprintf(fault->why, sizeof fault->why, "the session has ended");
        return KLM_E_STATE;
    }
    klm_rc rc = ask_steps(session, request, fault, out);
    if (rc != KLM_OK && rc != KLM_E_DENIED) {
        session->ready = false;
    }
    tell(session, rc, fault);
    return rc;
}

bool ios_session_ready(const struct ios_session *session)
{
    return session->ready;
}

static void say_bye(struct ios_session *session)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;

    klm_buf_init(&out, KX_MESSAGE_MAX);
    session->channel.deadline = 0; /* if it does not go at once, it need not go */
    KLM_IGNORE(send_buf(session, &out, kx_encode_plain(KX_BYE, 0, &out)));
}

void ios_session_free(struct ios_session **session)
{
    struct ios_session *s = *session;

    if (!s) {
        return;
    }
    if (s->ready) {
        say_bye(s);
    }
    ios_channel_close(&s->channel);
    klm_buf_done(&s->in);
    klm_secret_free(s->wrapping, KEY);
    free(s);
    *session = NULL;
}
