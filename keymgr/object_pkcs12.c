/* A private key with its certificates as PKCS #12, protected by the secret that its PKCS#12 Password Link names (KMIP 2.1, 6.1.19; 1.4, 4.11). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

struct p12 {
    struct km_call *call;
    struct st_view *view;
    struct kr_package package; /* the key is freed by the caller */
    const char *password, *label;
};

/* The object that a link of another one leads to, with its material. */
static klm_rc follow(struct p12 *p12, const struct md_object *from, uint32_t link, uint32_t type,
                     struct md_object *to, struct kr_material **material)
{
    const char *uid = km_link_find(from, p12->call->pool, link);

    if (!uid) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(km_object_find(p12->call, p12->view, uid, to));
    KLM_TRY(km_object_usable(p12->call, to));
    return to->type == type ? km_object_material(p12->call, p12->view, to, material)
                            : KLM_E_INVALID;
}

static klm_rc refuse(struct p12 *p12, const struct md_object *key, klm_rc rc)
{
    return p12->call->diag.msg ? rc : KM_REFUSE(p12->call, rc, 0, KLM_MSG_PKCS12, key->uid);
}

static klm_rc read_password(struct p12 *p12, const struct md_object *key)
{
    struct kr_material *secret = NULL;
    struct md_object object;
    struct klm_slice bytes = {0};
    klm_rc rc = follow(p12, key, KMIP_LinkType_PKCS_12PasswordLink, KMIP_ObjectType_SecretData,
                       &object, &secret);

    if (rc == KLM_OK &&
        md_attr_number(&object.attrs, KMIP_TAG_SecretDataType, 0) != KMIP_SecretDataType_Password) {
        rc = KLM_E_INVALID;
    }
    if (rc == KLM_OK) {
        rc = kr_material_bytes(secret, p12->call->pool, &bytes);
    }
    kr_material_free(&secret);
    KLM_TRY(rc);
    p12->password = klm_pool_strn(p12->call->pool, (const char *)bytes.p, bytes.n);
    return p12->password ? KLM_OK : KLM_E_NOMEM;
}

/* KMIP 1.4, 4.11; 2.1, 6.1.19: the base certificate is that of the private key's public key, "where relevant"; clients give the link to the private key, too. */
static klm_rc read_base(struct p12 *p12, const struct md_object *key, struct md_object *from)
{
    struct kr_material *public_key = NULL;

    *from = *key;
    if (km_link_find(key, p12->call->pool, KMIP_LinkType_PKCS_12CertificateLink) ||
        !km_link_find(key, p12->call->pool, KMIP_LinkType_PublicKeyLink)) {
        return KLM_OK;
    }
    KLM_TRY(follow(p12, key, KMIP_LinkType_PublicKeyLink, KMIP_ObjectType_PublicKey, from,
                   &public_key));
    kr_material_free(&public_key);
    return KLM_OK;
}

/* "each certificate's Certificate Link"; some have the link of the first one again. */
static uint32_t next_link(struct p12 *p12, const struct md_object *certificate)
{
    return km_link_find(certificate, p12->call->pool, KMIP_LinkType_CertificateLink)
               ? KMIP_LinkType_CertificateLink
               : KMIP_LinkType_PKCS_12CertificateLink;
}

/* The certificate of the key, and those its Certificate Links lead to. */
static klm_rc read_chain(struct p12 *p12, const struct md_object *key)
{
    struct md_object from, to;
    uint32_t link = KMIP_LinkType_PKCS_12CertificateLink;
    klm_rc rc = read_base(p12, key, &from);

    while (rc == KLM_OK && p12->package.n < KR_PACKAGE_MAX) {
        struct kr_material *cert = NULL;

        rc = follow(p12, &from, link, KMIP_ObjectType_Certificate, &to, &cert);
        if (rc == KLM_OK) {
            rc = kr_material_bytes(cert, p12->call->pool, &p12->package.cert[p12->package.n]);
            p12->package.n += rc == KLM_OK;
        }
        kr_material_free(&cert);
        if (rc == KLM_OK) {
            from = to;
            link = next_link(p12, &from);
        }
    }
    return rc == KLM_E_NOTFOUND && p12->package.n > 0 && !p12->call->diag.msg ? KLM_OK : rc;
}

static klm_rc write(struct p12 *p12, const struct kr_material *material, struct klm_slice *out)
{
    KLM_TRY(kr_material_key(material, &p12->package.key));
    return kr_package_write(&p12->package, KR_PKCS12DER, p12->label, p12->password, p12->call->pool,
                            &p12->call->diag, out);
}

/* The name that it gets in the container: the attribute's, or the first name. */
static const char *friendly_name(struct km_call *call, const struct md_object *key)
{
    const struct md_attr *own = md_attr_find(&key->attrs, KMIP_TAG_PKCS_12FriendlyName);
    const struct md_attr *name = md_attr_find(&key->attrs, KMIP_TAG_Name);
    const struct kmip_node *text = own    ? own->value
                                   : name ? kmip_child(name->value, KMIP_TAG_NameValue)
                                          : NULL;

    return text && text->type == KMIP_TEXT
               ? klm_pool_strn(call->pool, (const char *)text->bytes.p, text->bytes.n)
               : key->uid;
}

klm_rc km_object_pkcs12(struct km_call *call, const struct md_object *key,
                        const struct kr_material *material, struct klm_slice *out)
{
    struct p12 p12 = {.call = call, .label = friendly_name(call, key)};
    klm_rc rc;

    if (key->type != KMIP_ObjectType_PrivateKey || !p12.label) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(km_view(call, &p12.view));
    rc = read_password(&p12, key);
    if (rc == KLM_OK) {
        rc = read_chain(&p12, key);
    }
    if (rc == KLM_OK) {
        rc = write(&p12, material, out);
    }
    kr_key_free(&p12.package.key);
    return rc == KLM_OK ? rc : refuse(&p12, key, rc);
}
