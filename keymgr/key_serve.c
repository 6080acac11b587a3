/* What happens when a drive asks for a key. A write gets a fresh AES-256 key: wrapped for each label as an EEDK that the drive stores on the cartridge, and
 * for the session, so that the drive can use it; the key itself is never stored. A read brings the EEDKs back and gets the key for the session.
 * A disk system does the same with an encryption group in the place of a cartridge, when it is configured and each time it is switched on. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

/* What text records call the verbs. */
static const char *const request_name[KM_VERBS] = {[KM_DRIVE_VERIFY] = "Verify",
                                                   [KM_KEY_CREATE] = "Write",
                                                   [KM_KEY_GET] = "Read",
                                                   [KM_KEY_TRANSLATE] = "Translate",
                                                   [KM_STORED_CREATE] = "Write",
                                                   [KM_STORED_GET] = "Read",
                                                   [KM_DISK_CREATE] = "Disk Create",
                                                   [KM_DISK_UNLOCK] = "Disk Unlock",
                                                   [KM_DISK_REWRAP] = "Disk Rewrap"};

/* The sentence of the text record, as the product words it (isklm reference 5.1). */
static const char *resource(struct km_call *call, const char *volser)
{
    const char *out =
        klm_pool_printf(call->pool, "%s Request: Drive Serial Number: %s WWN:%s VolSer: %s",
                        request_name[call->id], call->drive.serial, call->drive.wwn, volser);

    for (size_t i = 0; out && i < call->keyed.labels_n; i++) {
        out = klm_pool_printf(call->pool, "%s Key Alias/Label[%zu]: %s", out, i,
                              call->keyed.labels[i].label);
    }
    return out;
}

/* A drive gets keys for itself, and as the drive that it was when its session began. */
static klm_rc check_actor(struct km_call *call, const char *serial)
{
    const char *shown = call->actor.fingerprint, *pinned = call->drive.fingerprint;

    if (call->actor.kind != KM_ACTOR_DRIVE) {
        return KLM_OK;
    }
    if (strcmp(call->actor.name, serial) != 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_NOT_AUTHORISED, call->actor.name,
                         km_verb(call->id)->name);
    }
    if (shown[0] && pinned[0] && strcmp(shown, pinned) != 0) { /* pinned to another one since */
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE2B, KLM_MSG_DRIVE_OTHER_CERT, serial);
    }
    return KLM_OK;
}

/* Tape drives and disk systems have verbs of their own (serves.def); the drive table says which a device is, whatever it says itself. */
static klm_rc check_kind(struct km_call *call)
{
    if (km_verb_serves(call->id, call->drive.kind)) {
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_KIND_NOT_SERVED, call->drive.serial,
                     dt_kind_name(call->drive.kind), km_verb(call->id)->name);
}

/* The event's fields that all key verbs share; the drive as the table knows it. */
klm_rc km_serve_describe(struct km_call *call, const char *serial, const char *volser)
{
    struct smf_event *event = &call->event;
    struct dt_table *drives = km_drives(call->server);
    const struct dt_drive *drive;
    char fixed[7] = "";
    klm_rc rc = dt_table_find(drives, serial, &drive);

    if (rc == KLM_OK) {
        call->drive = *drive;
    }
    dt_table_free(&drives);
    if (rc != KLM_OK) { /* removed from the table since its session began */
        return KM_REFUSE(call, KLM_E_DENIED, 0xEF01, KLM_MSG_DRIVE_UNKNOWN, serial);
    }
    event->field[SMF_F_DRIVE] = call->drive.serial;
    event->field[SMF_F_WWN] = call->drive.wwn;
    KLM_TRY(check_actor(call, serial));
    KLM_TRY(check_kind(call));
    if (*volser && md_volser(volser, fixed, &call->diag) != KLM_OK) {
        call->device_code = 0xEE02;
        return KLM_E_INVALID;
    }
    event->field[SMF_F_VOLSER] = klm_pool_str(call->pool, fixed);
    event->field[SMF_F_RESOURCE] = resource(call, fixed);
    return event->field[SMF_F_VOLSER] ? KLM_OK : KLM_E_NOMEM;
}

void km_serve_labels(struct km_call *call)
{
    call->event.field[SMF_F_RESOURCE] = resource(call, call->event.field[SMF_F_VOLSER]);
    call->event.field[SMF_F_ALIAS1] = call->keyed.labels[0].label;
    call->event.field[SMF_F_ALIAS2] = call->keyed.labels_n > 1 ? call->keyed.labels[1].label : NULL;
}

static uint8_t alg_of(const struct kr_label *label)
{
    if (label->spec.type == KR_RSA) {
        return KX_ALG_RSA_OAEP_SHA256;
    }
    return label->spec.bits == 256 ? KX_ALG_ECDH_P256 : KX_ALG_ECDH_P384;
}

/* One EEDK: the key for one label, bound to everything the EEDK says before it. */
static klm_rc make_eedk(struct km_call *call, const struct kx_label *name,
                        const struct kr_label *to, struct klm_slice *out)
{
    uint8_t wrapped[KR_WRAPPED_MAX];
    struct kx_eedk eedk = {.alg = alg_of(to), .encoding = name->encoding};
    struct klm_buf buf;
    klm_rc rc;

    memcpy(eedk.label, name->label, sizeof eedk.label);
    memcpy(eedk.hash, to->spki_hash, sizeof eedk.hash);
    klm_buf_init(&buf, KX_EEDK_MAX);
    rc = kx_eedk_context(&eedk, &buf);
    if (rc == KLM_OK) {
        rc = kr_wrap(to, klm_buf_as_slice(&buf), call->data_key, wrapped, &eedk.wrapped.n);
    }
    if (rc == KLM_OK) {
        eedk.wrapped.p = wrapped;
        klm_buf_clear(&buf);
        rc = kx_eedk_encode(&eedk, &buf);
    }
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&buf), out);
    }
    klm_buf_done(&buf);
    return rc;
}

static klm_rc make_eedks(struct km_call *call, const struct km_labels *labels)
{
    for (size_t i = 0; i < labels->n; i++) {
        KLM_TRY(make_eedk(call, &labels->name[i], labels->key[i], &call->keyed.eedk[i]));
        call->keyed.labels[i] = labels->name[i];
    }
    call->keyed.eedk_n = call->keyed.labels_n = (uint8_t)labels->n;
    return KLM_OK;
}

/* The label an EEDK names, if its private key is here. */
static klm_rc eedk_label(struct km_call *call, const struct kx_eedk *eedk,
                         const struct kr_label **out)
{
    const struct kr_label *label;

    if (eedk->encoding == KX_ENC_LABEL) {
        KLM_TRY(kr_label_find(call->state->keys, eedk->label, &label));
    } else {
        KLM_TRY(kr_label_find_hash(call->state->keys, eedk->hash, &label));
    }
    if (!label->key || alg_of(label) != eedk->alg) {
        return KLM_E_NOTFOUND;
    }
    *out = label;
    return KLM_OK;
}

static klm_rc open_eedk(struct km_call *call, struct klm_slice bytes, const struct kr_label **label)
{
    struct kx_eedk eedk;
    struct klm_buf context;
    klm_rc rc;

    KLM_TRY(kx_eedk_decode(bytes, &eedk));
    KLM_TRY(eedk_label(call, &eedk, label));
    KLM_TRY(km_access_key(call, (*label)->token_label, (*label)->label));
    klm_buf_init(&context, KX_EEDK_MAX);
    rc = kx_eedk_context(&eedk, &context);
    if (rc == KLM_OK) {
        rc = kr_unwrap(*label, klm_buf_as_slice(&context), eedk.wrapped, &call->data_key);
    }
    klm_buf_done(&context);
    return rc;
}

/* The first EEDK that opens gives the key; the event names the label that opened it. */
static klm_rc open_eedks(struct km_call *call, const struct klm_slice *eedk, int64_t n)
{
    const struct kr_label *label = NULL, *failed = NULL; /* failed: its token is not available */
    klm_rc worst = KLM_E_NOTFOUND;

    for (int64_t i = 0; i < n && i < KX_EEDKS; i++) {
        klm_rc rc = open_eedk(call, eedk[i], &label);

        if (rc == KLM_OK) {
            call->diag.msg = KLM_MSG_NONE; /* of a label that the drive may not use */
            call->device_code = 0;
            call->keyed.labels_n = 1;
            call->keyed.labels[0].encoding = KX_ENC_LABEL;
            snprintf(call->keyed.labels[0].label, sizeof call->keyed.labels[0].label, "%s",
                     label->label);
            return KLM_OK;
        }
        worst = rc == KLM_E_NOTFOUND || worst == KLM_E_DENIED ? worst : rc;
        failed = rc == KLM_E_STATE ? label : failed;
    }
    if (worst == KLM_E_DENIED) {
        return worst; /* which label, and why, is said */
    }
    if (failed) {
        return KM_REFUSE(call, KLM_E_STATE, 0xEE0F, KLM_MSG_EEDK_NO_TOKEN, failed->label);
    }
    if (worst == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, worst, 0xEE32, KLM_MSG_EEDK_NO_KEY);
    }
    return KM_REFUSE(call, worst, worst == KLM_E_CRYPTO ? 0xEE32 : 0xEE23, KLM_MSG_EEDK_BAD,
                     klm_rc_text(worst));
}

/* The way a key leaves: wrapped for the session. */
static klm_rc wrap(struct km_call *call, const uint8_t *session_key)
{
    return session_key ? kr_wrap_session(call->data_key, session_key, call->keyed.wrapped)
                       : KLM_E_INTERNAL;
}

klm_rc km_key_create_prepare(struct km_call *call)
{
    struct km_key_create *req = call->req;
    struct km_labels labels;

    KLM_TRY(km_serve_describe(call, req->serial, req->volser));
    KLM_TRY(km_labels_choose(call, req->serial, req->labels, (size_t)req->labels_n, &labels));
    KLM_TRY(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &call->data_key));
    KLM_TRY(make_eedks(call, &labels));
    km_serve_labels(call);
    return wrap(call, req->session_key);
}

/* What the auditors and the operator will ask for later: one usage event a write. */
klm_rc km_serve_usage(struct km_call *call, struct st_change *change)
{
    struct md_usage usage = {.number = ++call->server->writer.usage_last, .time = call->event.time};
    const char *dki = call->event.field[SMF_F_DKI]; /* of a stored key */

    if (usage.time == 0) {
        usage.time = call->event.time = klm_clock();
    }
    snprintf(usage.drive, sizeof usage.drive, "%s", call->drive.serial);
    snprintf(usage.wwn, sizeof usage.wwn, "%s", call->drive.wwn);
    snprintf(usage.volser, sizeof usage.volser, "%s", call->event.field[SMF_F_VOLSER]);
    snprintf(usage.alias1, sizeof usage.alias1, "%s", call->keyed.labels[0].label);
    snprintf(usage.dki, sizeof usage.dki, "%s", dki ? dki : "");
    if (call->keyed.labels_n > 1) {
        snprintf(usage.alias2, sizeof usage.alias2, "%s", call->keyed.labels[1].label);
    }
    return md_usage_add(change, &usage);
}

klm_rc km_key_create_apply(struct km_call *call, struct st_change *change)
{
    return km_serve_usage(call, change);
}

klm_rc km_key_get_prepare(struct km_call *call)
{
    struct km_key_get *req = call->req;

    KLM_TRY(km_serve_describe(call, req->serial, req->volser));
    KLM_TRY(open_eedks(call, req->eedk, req->eedk_n));
    km_serve_labels(call);
    return wrap(call, req->session_key);
}

klm_rc km_key_translate_prepare(struct km_call *call)
{
    struct km_key_translate *req = call->req;
    struct km_labels labels;

    KLM_TRY(km_serve_describe(call, req->serial, req->volser));
    KLM_TRY(km_labels_choose(call, req->serial, req->labels, (size_t)req->labels_n, &labels));
    KLM_TRY(open_eedks(call, req->eedk, req->eedk_n));
    KLM_TRY(make_eedks(call, &labels));
    km_serve_labels(call);
    return KLM_OK;
}

klm_rc km_key_translate_apply(struct km_call *call, struct st_change *change)
{
    return km_serve_usage(call, change);
}

klm_rc km_drive_verify_prepare(struct km_call *call)
{
    struct km_verify *req = call->req;

    return km_serve_describe(call, req->serial, "");
}

void km_key_published(struct km_call *call)
{
    dt_contacts_note(call->server->contacts, call->drive.serial, call->event.time,
                     call->event.field[SMF_F_VOLSER]);
    if (km_verb(call->id)->apply) {
        km_views_usage(call->server, 1);
    }
}
