/* Certify and Re-certify: a certificate for a public key, signed by the authority that kmip.certify.label names (KMIP 1.4, 4.7 and 4.8; 2.1, 6.1.6 and 6.1.45). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <ctype.h>
#include <string.h>

/* Nobody signs for strangers' names unless the site said so. */
static klm_rc authority(struct km_call *call, const struct kr_label **out)
{
    const char *label = parm_str(call->state->config, PARM_kmip_certify_label);

    if (!label || !*label) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_CERTIFY_OFF);
    }
    if (!call->state->keys || kr_label_find(call->state->keys, label, out) != KLM_OK ||
        !(*out)->is_ca || !(*out)->key) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CERTIFY_LABEL, label);
    }
    return KLM_OK;
}

static bool type_fits(uint32_t type)
{
    return type == KMIP_CertificateRequestType_PKCS_10 || type == KMIP_CertificateRequestType_PEM;
}

static klm_rc check_request(struct km_call *call)
{
    const struct km_object_make *req = call->req;

    if (req->request.n && !type_fits(req->request_type)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_CERTIFY_REQUEST,
                         "its type is not PKCS_10 or PEM");
    }
    return KLM_OK;
}

/* Parts of a subject that a client may say, the most special first, as texts of names have them. */
static const struct {
    uint32_t tag;
    const char *type;
} parts[] = {{KMIP_TAG_CertificateSubjectCN, "CN"},
             {KMIP_TAG_CertificateSubjectSerialNumber, "SERIALNUMBER"},
             {KMIP_TAG_CertificateSubjectTitle, "T"},
             {KMIP_TAG_CertificateSubjectOU, "OU"},
             {KMIP_TAG_CertificateSubjectO, "O"},
             {KMIP_TAG_CertificateSubjectL, "L"},
             {KMIP_TAG_CertificateSubjectST, "ST"},
             {KMIP_TAG_CertificateSubjectC, "C"},
             {KMIP_TAG_CertificateSubjectDC, "DC"}};

/* A value as it stands in a name: what could end it stands as hex digits (RFC 4514, 2.4). */
static const char *escaped(struct km_call *call, struct klm_slice value)
{
    char *out = klm_pool_alloc(call->pool, 3 * value.n + 1), *to = out, hex[3];

    for (size_t i = 0; out && i < value.n; i++) {
        const uint8_t c = value.p[i];

        if (c < 0x80 && !isalnum(c) && !strchr("-. ", c)) {
            klm_hex(&c, 1, hex);
            *to++ = '\\';
            *to++ = hex[0];
            *to++ = hex[1];
        } else {
            *to++ = (char)c;
        }
    }
    if (out) {
        *to = '\0';
    }
    return out;
}

/* What the client wants in the subject, as 2.x lets it say by attributes and 1.x by Certificate Subject (KMIP 2.1, 6.1.6). These are no attributes that it sets: those of the new object are
 * what the certificate says, so they leave the list. *out NULL: nothing was said. */
static klm_rc take_subject(struct km_call *call, struct md_attrs *attrs, const char **out)
{
    const struct md_attr *old = md_attr_find(attrs, KMIP_TAG_CertificateSubject);
    const struct kmip_node *name =
        old ? kmip_child(old->value, KMIP_TAG_CertificateSubjectDistinguishedName) : NULL;
    const char *text = name && name->type == KMIP_TEXT
                           ? klm_pool_strn(call->pool, (const char *)name->bytes.p, name->bytes.n)
                           : NULL;

    for (size_t i = 0; i < KLM_COUNT(parts); i++) {
        const struct md_attr *attr = md_attr_find(attrs, parts[i].tag);

        if (!name && attr && attr->value->type == KMIP_TEXT) {
            text = klm_pool_printf(call->pool, "%s%s%s=%s", text ? text : "", text ? "," : "",
                                   parts[i].type, escaped(call, attr->value->bytes));
            KLM_TRY(text ? KLM_OK : KLM_E_NOMEM);
        }
        md_attr_remove_all(attrs, parts[i].tag);
    }
    md_attr_remove_all(attrs, KMIP_TAG_CertificateSubject);
    *out = text;
    return KLM_OK;
}

/* KMIP 2.1, 6.1.6: what the request says takes precedence. */
static klm_rc take_attrs(struct km_call *call, const char **subject)
{
    struct km_object_make *req = call->req;

    KLM_TRY(check_request(call));
    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    KLM_TRY(take_subject(call, &req->attrs, subject));
    *subject = req->request.n ? NULL : *subject;
    return km_attrs_check(call, &req->attrs, KMIP_ObjectType_Certificate);
}

/* The certificate as an object: its attributes are those of the request, and what it says itself. */
static klm_rc make(struct km_call *call, struct klm_slice der, const char *public_key)
{
    struct km_object_make *req = call->req;
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_Certificate,
                                          .format = KMIP_CertificateType_X_509};
    struct kr_material *material = NULL;
    klm_rc rc;

    KLM_TRY(kr_material_new(&spec, der, &material));
    rc = km_made(call, KMIP_ObjectType_Certificate, &req->attrs, material, 0);
    if (rc == KLM_OK) {
        rc = md_attr_set_number(&km_made_object(call, 0)->attrs, KMIP_TAG_CertificateType,
                                KMIP_CertificateType_X_509);
    }
    if (rc == KLM_OK) {
        rc = km_certificate_attrs(call, km_made_object(call, 0), material);
    }
    if (rc == KLM_OK && public_key) {
        rc = km_link_set(km_made_object(call, 0), call->pool, KMIP_LinkType_PublicKeyLink,
                         public_key);
    }
    kr_material_free(&material);
    return rc;
}

static klm_rc sign(struct km_call *call, struct kr_certify *spec, struct klm_slice *der)
{
    struct km_object_make *req = call->req;
    const struct kr_label *issuer = NULL;
    klm_rc rc;

    KLM_TRY(authority(call, &issuer));
    spec->request = req->request;
    rc = kr_certify(spec, issuer, call->pool, &call->diag, der);
    return rc == KLM_OK || call->diag.msg
               ? rc
               : KM_REFUSE(call, rc, 0, KLM_MSG_CERTIFY_REQUEST, klm_rc_text(rc));
}

/* A request that was registered (KMIP 2.1, 2.2). The bytes are those of the request as if they came with it. */
static klm_rc take_request(struct km_call *call, struct st_view *view,
                           const struct md_object *object)
{
    struct km_object_make *req = call->req;
    struct kr_material *material = NULL;
    klm_rc rc;

    KLM_TRY(km_object_usable(call, object));
    if (object->type != KMIP_ObjectType_CertificateRequest) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CERTIFY_NO_KEY, object->uid);
    }
    KLM_TRY(km_object_material(call, view, object, &material));
    rc = kr_material_bytes(material, call->pool, &req->request);
    kr_material_free(&material);
    req->request_type =
        (uint32_t)md_attr_number(&object->attrs, KMIP_TAG_CertificateRequestType, 0);
    req->request_uid = klm_pool_str(call->pool, object->uid);
    return rc != KLM_OK || req->request_uid ? rc : KLM_E_NOMEM;
}

/* ---- Certify */

/* KMIP 2.1, 6.1.6: the identifier of "the Public Key or the Certificate Request being certified" */
static klm_rc take_named(struct km_call *call, struct st_view *view)
{
    const struct km_object_make *req = call->req;
    struct md_object object;

    if (!req->uid || req->request.n) {
        return KLM_OK;
    }
    KLM_TRY(km_object_find(call, view, req->uid, &object));
    return object.type == KMIP_ObjectType_CertificateRequest ? take_request(call, view, &object)
                                                             : KLM_OK;
}

static klm_rc public_material(struct km_call *call, struct st_view *view, const char *uid,
                              struct md_object *object, struct kr_material **out)
{
    KLM_TRY(km_object_find(call, view, uid, object));
    KLM_TRY(km_object_usable(call, object));
    if (object->type != KMIP_ObjectType_PublicKey) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CERTIFY_NO_KEY, object->uid);
    }
    return km_object_material(call, view, object, out);
}

klm_rc km_object_certify_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_material *key = NULL;
    struct kr_certify spec = {0};
    struct md_object object;
    struct klm_slice der;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_view(call, &view));
    KLM_TRY(take_named(call, view));
    KLM_TRY(take_attrs(call, &spec.subject));
    if (!req->request_uid && (req->uid || !req->request.n)) {
        KLM_TRY(public_material(call, view, req->uid, &object, &key));
    }
    spec.public_key = key;
    rc = sign(call, &spec, &der);
    kr_material_free(&key);
    KLM_TRY(rc);
    return make(call, der, spec.public_key ? req->uid : NULL);
}

static klm_rc point_to(struct km_call *call, struct st_change *change, const char *public_key)
{
    const struct km_object_make *req = call->req;
    struct md_object object;

    KLM_TRY(km_object_find(call, st_change_view(change), public_key, &object));
    KLM_TRY(km_link_set(&object, call->pool, KMIP_LinkType_CertificateLink, req->made[0]));
    return km_object_change(call, change, &object);
}

klm_rc km_object_certify_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_make *req = call->req;

    KLM_TRY(km_made_put(call, change));
    return req->uid && !req->request_uid ? point_to(call, change, req->uid) : KLM_OK;
}

/* ---- Re-certify */

static klm_rc old_certificate(struct km_call *call, struct st_view *view, struct md_object *old,
                              struct klm_slice *der)
{
    const struct km_object_make *req = call->req;
    struct kr_material *material = NULL;
    klm_rc rc;

    KLM_TRY(km_object_find(call, view, req->uid, old));
    KLM_TRY(km_object_usable(call, old));
    if (old->type != KMIP_ObjectType_Certificate) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CERTIFY_NO_KEY, old->uid);
    }
    KLM_TRY(km_object_material(call, view, old, &material));
    rc = kr_material_bytes(material, call->pool, der);
    kr_material_free(&material);
    return rc;
}

klm_rc km_object_recertify_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_certify spec = {0};
    struct md_object old, key;
    struct kr_material *material = NULL;
    struct klm_slice der;
    struct st_view *view;
    const char *public_key, *of_old;
    klm_rc rc;

    KLM_TRY(km_view(call, &view));
    if (req->request_uid) {
        KLM_TRY(km_object_find(call, view, req->request_uid, &key));
        KLM_TRY(take_request(call, view, &key));
    }
    KLM_TRY(take_attrs(call, &spec.subject));
    KLM_TRY(old_certificate(call, view, &old, &spec.old));
    KLM_TRY(km_object_inherit(call, &old, &req->attrs));
    KLM_TRY(take_subject(call, &req->attrs,
                         &of_old)); /* of which nothing is left that a new subject lacks */
    public_key = km_link_find(&old, call->pool, KMIP_LinkType_PublicKeyLink);
    if (public_key && !req->request.n) {
        KLM_TRY(public_material(call, view, public_key, &key, &material));
    }
    spec.public_key = material;
    rc = sign(call, &spec, &der);
    kr_material_free(&material);
    KLM_TRY(rc);
    KLM_TRY(make(call, der, public_key));
    return km_link_set(km_made_object(call, 0), call->pool, KMIP_LinkType_ReplacedObjectLink,
                       old.uid);
}

klm_rc km_object_recertify_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_make *req = call->req;
    const char *public_key =
        km_link_find(km_made_object(call, 0), call->pool, KMIP_LinkType_PublicKeyLink);

    KLM_TRY(km_object_replace(call, change, req->uid, km_made_object(call, 0)));
    KLM_TRY(km_made_put(call, change));
    return public_key ? point_to(call, change, public_key) : KLM_OK;
}
