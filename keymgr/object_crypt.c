/* Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify and Hash (KMIP 1.4, 4.29 to 4.37; 2.1, 6.1), in one go and in parts. */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "keymgr/streams.h"

#include <string.h>

/* What an operation asks of its key. */
struct use {
    enum kr_stream_op op;
    uint32_t mask;    /* Cryptographic Usage Mask */
    unsigned objects; /* KMIP_FOR: which types of objects can do it */
    bool
        protects; /* Active keys only, before Protect Stop Date; and it counts against Usage Limits */
};

#define SYMMETRIC KMIP_FOR(KMIP_ObjectType_SymmetricKey)
#define PUBLIC (KMIP_FOR(KMIP_ObjectType_PublicKey) | KMIP_FOR(KMIP_ObjectType_Certificate))
#define PRIVATE KMIP_FOR(KMIP_ObjectType_PrivateKey)
#define SECRETS (SYMMETRIC | KMIP_FOR(KMIP_ObjectType_SecretData))

static const struct use *use_of(enum km_verb_id id)
{
    static const struct use uses[] = {
        {KR_STREAM_ENCRYPT, KMIP_CryptographicUsageMask_Encrypt, SYMMETRIC | PUBLIC, true},
        {KR_STREAM_DECRYPT, KMIP_CryptographicUsageMask_Decrypt, SYMMETRIC | PRIVATE, false},
        {KR_STREAM_SIGN, KMIP_CryptographicUsageMask_Sign, PRIVATE, true},
        {KR_STREAM_VERIFY, KMIP_CryptographicUsageMask_Verify, PUBLIC | PRIVATE, false},
        {KR_STREAM_MAC, KMIP_CryptographicUsageMask_MACGenerate, SECRETS, true},
        {KR_STREAM_MAC_VERIFY, KMIP_CryptographicUsageMask_MACVerify, SECRETS, false},
    };

    return &uses[id - KM_OBJECT_ENCRYPT];
}

/* ---- May the key be used so? (KMIP 1.4, 3.22 and 3.24 to 3.27) */

static klm_rc wrong_state(struct km_call *call, const struct md_object *key, const char *wanted)
{
    return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, key->uid, wanted);
}

static klm_rc check_state(struct km_call *call, const struct use *use, const struct md_object *key)
{
    const uint32_t state = md_object_state(key, call->event.time);
    const int64_t now = km_call_seconds(call);

    if (use->protects) {
        KLM_TRY(state == KMIP_State_Active ? KLM_OK : wrong_state(call, key, "Active"));
        return now < md_attr_number(&key->attrs, KMIP_TAG_ProtectStopDate, INT64_MAX)
                   ? KLM_OK
                   : KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CRYPT_DATE, key->uid,
                               "Protect Stop Date");
    }
    KLM_TRY(state == KMIP_State_Active || state == KMIP_State_Deactivated ||
                    state == KMIP_State_Compromised
                ? KLM_OK
                : wrong_state(call, key, "Active, Deactivated or Compromised"));
    return now >= md_attr_number(&key->attrs, KMIP_TAG_ProcessStartDate, INT64_MIN)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CRYPT_DATE, key->uid,
                           "Process Start Date");
}

static klm_rc check_use(struct km_call *call, const struct use *use, const struct md_object *key)
{
    const int64_t mask = md_attr_number(&key->attrs, KMIP_TAG_CryptographicUsageMask, 0);

    if (!(use->objects & KMIP_FOR(key->type))) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CRYPT_NO_KEY, key->uid);
    }
    KLM_TRY(km_object_usable(call, key));
    if (!(mask & use->mask)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CRYPT_MASK, key->uid,
                         kmip_value_name(KMIP_E_CryptographicUsageMask, use->mask));
    }
    return check_state(call, use, key);
}

/* ---- Cryptographic Parameters: those of the request, else the key's first ones (KMIP 1.4, 4.29) */

static void put(uint32_t *to, const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (node && (node->type == KMIP_ENUMERATION || node->type == KMIP_INTEGER) &&
        node->number >= 0 && node->number <= UINT32_MAX) {
        *to = (uint32_t)node->number;
    }
}

static void put_long(int64_t *to, const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (node && node->type == KMIP_INTEGER) {
        *to = node->number;
    }
}

static void read_parameters(const struct kmip_node *in, struct kr_crypt *out)
{
    const struct kmip_node *random = kmip_child(in, KMIP_TAG_RandomIV);
    const struct kmip_node *source = kmip_child(in, KMIP_TAG_PSource);

    *out = KR_CRYPT_NONE;
    put(&out->mode, in, KMIP_TAG_BlockCipherMode);
    put(&out->padding, in, KMIP_TAG_PaddingMethod);
    put(&out->hash, in, KMIP_TAG_HashingAlgorithm);
    put(&out->role, in, KMIP_TAG_KeyRoleType);
    put(&out->signature, in, KMIP_TAG_DigitalSignatureAlgorithm);
    put(&out->algorithm, in, KMIP_TAG_CryptographicAlgorithm);
    put(&out->iv_length, in, KMIP_TAG_IVLength);
    put(&out->tag_length, in, KMIP_TAG_TagLength);
    put(&out->fixed_field_length, in, KMIP_TAG_FixedFieldLength);
    put(&out->invocation_field_length, in, KMIP_TAG_InvocationFieldLength);
    put(&out->counter_length, in, KMIP_TAG_CounterLength);
    put_long(&out->initial_counter, in, KMIP_TAG_InitialCounterValue);
    put_long(&out->salt_length, in, KMIP_TAG_SaltLength);
    put(&out->mask, in, KMIP_TAG_MaskGenerator);
    put(&out->mask_hash, in, KMIP_TAG_MaskGeneratorHashingAlgorithm);
    put_long(&out->trailer, in, KMIP_TAG_TrailerField);
    out->random_iv = random && random->type == KMIP_BOOLEAN && random->number;
    out->p_source = source && source->type == KMIP_BYTES ? source->bytes : out->p_source;
}

void km_crypt_parameters(const struct kmip_node *given, const struct md_object *key,
                         struct kr_crypt *out)
{
    const struct md_attr *own =
        key ? md_attr_find(&key->attrs, KMIP_TAG_CryptographicParameters) : NULL;

    read_parameters(given ? given : own ? own->value : NULL, out);
}

/* ---- The operations */

static klm_rc explain(struct km_call *call, const char *uid, klm_rc rc)
{
    switch (rc) {
    case KLM_OK:
        return rc;
    case KLM_E_SHORT:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_NO_IV, uid);
    case KLM_E_UNSUPPORTED:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_UNSUPPORTED, uid);
    case KLM_E_INVALID:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_PARAMETERS, uid);
    case KLM_E_LIMIT:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_LIMIT, uid);
    default:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_FAILED, uid, klm_rc_text(rc));
    }
}

static klm_rc in_one_go(struct km_call *call, enum kr_stream_op op, struct kr_material *key,
                        const struct kr_crypt *how)
{
    struct km_crypt *req = call->req;

    req->has_data = true;
    switch (op) {
    case KR_STREAM_ENCRYPT:
        return kr_encrypt(key, how, &req->in, call->pool, &req->out);
    case KR_STREAM_DECRYPT:
        return kr_decrypt(key, how, &req->in, call->pool, &req->out);
    case KR_STREAM_SIGN:
        return kr_material_sign(key, how, req->in.data, req->digested, call->pool, &req->out.data);
    case KR_STREAM_VERIFY:
        return kr_material_verify(key, how, req->in.data, req->digested, req->check, &req->valid);
    case KR_STREAM_MAC:
        return kr_mac(key, how, req->in.data, call->pool, &req->out.data);
    case KR_STREAM_MAC_VERIFY:
        return kr_mac_verify(key, how, req->in.data, req->check, call->pool, &req->valid);
    case KR_STREAM_HASH:
        return kr_hash(how->hash, req->in.data, call->pool, &req->out.data);
    }
    return KLM_E_INTERNAL;
}

/* One part; at the end the rest. What a part gives and what the end gives are one answer. */
static klm_rc run_part(struct km_call *call, struct kr_stream *stream)
{
    struct km_crypt *req = call->req;
    struct klm_slice part = {NULL, 0}, rest;
    uint8_t *both;

    KLM_TRY(kr_stream_update(stream, req->in.data, call->pool, &part));
    if (!req->final) {
        req->out.data = part;
        req->has_data = part.n > 0;
        return KLM_OK;
    }
    KLM_TRY(kr_stream_final(stream, req->check, call->pool, &req->out, &req->valid));
    req->has_data = true;
    rest = req->out.data;
    if (part.n == 0) {
        return KLM_OK;
    }
    both = klm_pool_alloc(call->pool, part.n + rest.n);
    if (!both) {
        return KLM_E_NOMEM;
    }
    memcpy(both, part.p, part.n);
    if (rest.n) {
        memcpy(both + part.n, rest.p, rest.n);
    }
    req->out.data = KLM_SLICE(both, part.n + rest.n);
    return KLM_OK;
}

static klm_rc begin(struct km_call *call, enum kr_stream_op op, struct kr_material *key,
                    const struct kr_crypt *how, struct kr_stream **stream)
{
    struct km_crypt *req = call->req;
    struct klm_slice iv = {NULL, 0};

    KLM_TRY(kr_stream_new(op, key, how, &req->in, call->pool, &iv, stream));
    req->out.iv = iv;
    return KLM_OK;
}

static klm_rc keep(struct km_call *call, const char *uid, struct km_stream *stream)
{
    struct km_crypt *req = call->req;
    klm_rc rc = km_streams_put(call->server->streams, call->actor.fingerprint, uid, stream);

    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_STREAMS);
    }
    return klm_pool_slice(call->pool, KLM_SLICE(stream->correlation, KM_CORRELATION),
                          &req->new_correlation);
}

/* A signature or MAC to compare with may come with any part. */
static klm_rc take_check(struct km_call *call, const char *uid, struct km_stream *stream)
{
    struct km_crypt *req = call->req;

    if (!req->check.p) {
        req->check = KLM_SLICE(stream->check, stream->check_n);
        return KLM_OK;
    }
    if (req->check.n > KM_STREAM_CHECK) {
        return explain(call, uid, KLM_E_LIMIT);
    }
    memcpy(stream->check, req->check.p, req->check.n);
    stream->check_n = req->check.n;
    return KLM_OK;
}

static klm_rc go_on(struct km_call *call, const char *uid, struct km_stream *stream)
{
    struct km_crypt *req = call->req;
    const struct klm_slice iv = req->out.iv;

    KLM_TRY(take_check(call, uid, stream));
    KLM_TRY(explain(call, uid, run_part(call, stream->stream)));
    req->out.iv = iv;
    return req->final ? KLM_OK : keep(call, uid, stream);
}

static klm_rc in_parts(struct km_call *call, enum kr_stream_op op, const char *uid,
                       struct kr_material *key, const struct kr_crypt *how)
{
    const struct km_crypt *req = call->req;
    struct km_stream stream = {.stream = NULL};
    klm_rc rc;

    if (req->correlation.n) {
        rc = km_streams_take(call->server->streams, call->actor.fingerprint, uid, op,
                             req->correlation, &stream);
        if (rc != KLM_OK) {
            return KM_REFUSE(call, rc, 0, KLM_MSG_CRYPT_CORRELATION);
        }
    } else {
        KLM_TRY(explain(call, uid, begin(call, op, key, how, &stream.stream)));
    }
    rc = go_on(call, uid, &stream);
    kr_stream_free(&stream.stream);
    return rc;
}

static bool parts(const struct km_crypt *req)
{
    return req->correlation.n || (req->init && !req->final);
}

static klm_rc with_key(struct km_call *call, const struct use *use, const struct md_object *key,
                       struct kr_material *material)
{
    const struct km_crypt *req = call->req;
    struct kr_crypt how;

    km_crypt_parameters(req->parameters, key, &how);
    if (parts(req)) {
        return in_parts(call, use->op, key->uid, material, &how);
    }
    return explain(call, key->uid, in_one_go(call, use->op, material, &how));
}

static klm_rc crypt(struct km_call *call)
{
    const struct use *use = use_of(call->id);
    const struct km_crypt *req = call->req;
    struct kr_material *material = NULL;
    struct md_object key;
    struct st_view *view;
    klm_rc rc;

    (void)km_call_seconds(call);
    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find(call, view, req->uid, &key));
    KLM_TRY(check_use(call, use, &key));
    call->no_apply = !use->protects || !md_attr_find(&key.attrs, KMIP_TAG_UsageLimits);
    KLM_TRY(km_object_material(call, view, &key, &material));
    rc = with_key(call, use, &key, material);
    kr_material_free(&material);
    return rc;
}

/* Usage limits are taken before anything is given out (KMIP 1.4, 4.29): the answer waits for this to be on disk. */
klm_rc km_object_crypt_apply(struct km_call *call, struct st_change *change)
{
    const struct km_crypt *req = call->req;
    struct md_object key;

    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, &key));
    KLM_TRY(check_use(call, use_of(call->id), &key));
    KLM_TRY(km_usage_take(call, &key, req->in.data.n));
    return km_object_change(call, change, &key);
}

klm_rc km_object_encrypt_prepare(struct km_call *call)
{
    return crypt(call);
}

klm_rc km_object_decrypt_prepare(struct km_call *call)
{
    return crypt(call);
}

klm_rc km_object_sign_prepare(struct km_call *call)
{
    return crypt(call);
}

klm_rc km_object_verify_prepare(struct km_call *call)
{
    return crypt(call);
}

klm_rc km_object_mac_prepare(struct km_call *call)
{
    return crypt(call);
}

klm_rc km_object_mac_verify_prepare(struct km_call *call)
{
    return crypt(call);
}

/* No key: nothing but data (KMIP 1.4, 4.37). */
klm_rc km_hash_prepare(struct km_call *call)
{
    const struct km_crypt *req = call->req;
    struct kr_crypt how;

    km_crypt_parameters(req->parameters, NULL, &how);
    if (parts(req)) {
        return in_parts(call, KR_STREAM_HASH, "", NULL, &how);
    }
    return explain(call, "of the hash", in_one_go(call, KR_STREAM_HASH, NULL, &how));
}
