/* Create, Create Key Pair and Register (KMIP 1.4, 4.1 to 4.3; 2.1, 6.1.8, 6.1.9, 6.1.43). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#define SECRET_BITS 256 /* of secret data that is asked for without a length */

/* An attribute that the operation cannot do without. */
static klm_rc need(struct km_call *call, const struct md_attrs *attrs, uint32_t tag, uint32_t *out)
{
    const struct md_attr *attr = md_attr_find(attrs, tag);

    if (!attr || attr->value->number < 0 || attr->value->number > UINT32_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, kmip_attr(tag)->name);
    }
    *out = (uint32_t)attr->value->number;
    return KLM_OK;
}

/* Making a key failed: no such length or algorithm, or the library. */
static klm_rc not_made(struct km_call *call, klm_rc rc, uint32_t algorithm, uint32_t bits)
{
    const char *name = kmip_value_name(KMIP_E_CryptographicAlgorithm, algorithm);

    return rc == KLM_OK ? rc
                        : KM_REFUSE(call, rc, 0, KLM_MSG_KEY_NOT_MADE, name ? name : "unknown",
                                    KLM_NUM(bits), klm_rc_text(rc));
}

/* KMIP 1.4, tables 165 and 168: a length need not be given; then it is the one that is usual for the algorithm. */
static klm_rc length_of(struct km_call *call, const struct md_attrs *attrs, uint32_t algorithm,
                        uint32_t *bits)
{
    const uint32_t usual = kr_material_usual_bits(algorithm);

    if (usual && !md_attr_find(attrs, KMIP_TAG_CryptographicLength)) {
        *bits = usual;
        return KLM_OK;
    }
    return need(call, attrs, KMIP_TAG_CryptographicLength, bits);
}

/* ---- Create */

static klm_rc create_key(struct km_call *call, struct kr_material **out)
{
    const struct km_object_make *req = call->req;
    uint32_t algorithm, bits;

    KLM_TRY(need(call, &req->attrs, KMIP_TAG_CryptographicAlgorithm, &algorithm));
    KLM_TRY(length_of(call, &req->attrs, algorithm, &bits));
    return not_made(call, kr_material_generate(algorithm, bits, out), algorithm, bits);
}

/* KMIP 2.1, 6.1.8: also Secret Data, which is of no algorithm unless the client says so (3.1). */
static klm_rc create_secret(struct km_call *call, struct kr_material **out)
{
    const struct km_object_make *req = call->req;
    uint32_t bits = SECRET_BITS;

    if (md_attr_find(&req->attrs, KMIP_TAG_CryptographicLength)) {
        KLM_TRY(need(call, &req->attrs, KMIP_TAG_CryptographicLength, &bits));
    }
    return not_made(call, kr_material_generate_secret(bits, out), 0, bits);
}

/* A secret that was made here is no password. */
static klm_rc note_secret(struct km_call *call)
{
    const struct km_object_make *req = call->req;

    return req->type == KMIP_ObjectType_SecretData
               ? md_attr_set_number(&km_made_object(call, 0)->attrs, KMIP_TAG_SecretDataType,
                                    KMIP_SecretDataType_Seed)
               : KLM_OK;
}

klm_rc km_object_create_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    const bool secret = req->type == KMIP_ObjectType_SecretData && req->version >= KMIP_V(2, 0);
    struct kr_material *material = NULL;
    uint32_t mask;
    klm_rc rc;

    if (req->type != KMIP_ObjectType_SymmetricKey && !secret) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_OBJECT_TYPE, KLM_NUM(req->type));
    }
    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    KLM_TRY(km_attrs_check(call, &req->attrs, req->type));
    KLM_TRY(need(call, &req->attrs, KMIP_TAG_CryptographicUsageMask, &mask));
    KLM_TRY(secret ? create_secret(call, &material) : create_key(call, &material));
    rc = km_format_made(call, req->version, &req->attrs, &material);
    if (rc == KLM_OK) {
        rc = km_made(call, req->type, &req->attrs, material, 0);
    }
    if (rc == KLM_OK) {
        rc = note_secret(call);
    }
    if (rc == KLM_OK) {
        km_made_known(call, material);
    }
    kr_material_free(&material);
    return rc;
}

klm_rc km_object_create_apply(struct km_call *call, struct st_change *change)
{
    return km_made_put(call, change);
}

/* ---- Create Key Pair */

/* KMIP 2.1, 6.1.9: what is given for one key comes before what is given for both; of several instances all count. */
klm_rc km_attrs_merge(struct md_attrs *own, const struct md_attrs *common)
{
    for (size_t i = 0; i < common->n; i++) {
        const struct kmip_attr_row *row = kmip_attr(common->at[i].tag);
        const bool many = row && km_attr_several(row, KM_OBJECT_PAIR);

        if (many ? !md_attr_equal(own, common->at[i].value)
                 : !md_attr_like(own, common->at[i].value)) {
            KLM_TRY(md_attr_add(own, common->at[i].value));
        }
    }
    return KLM_OK;
}

/* The curve of a key that is asked for by its domain parameters. */
static uint32_t curve_of(const struct md_attrs *attrs)
{
    const struct md_attr *domain = md_attr_find(attrs, KMIP_TAG_CryptographicDomainParameters);
    const struct kmip_node *curve =
        domain ? kmip_child(domain->value, KMIP_TAG_RecommendedCurve) : NULL;

    return curve && curve->type == KMIP_ENUMERATION ? (uint32_t)curve->number : 0;
}

static klm_rc same_for_both(struct km_call *call, uint32_t tag)
{
    const struct km_object_make *req = call->req;
    const struct md_attr *a = md_attr_find(&req->private_attrs, tag);
    const struct md_attr *b = md_attr_find(&req->public_attrs, tag);

    return (a == NULL) == (b == NULL) && (!a || a->value->number == b->value->number)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ATTR_VALUE, kmip_attr(tag)->name);
}

static klm_rc pair_attrs(struct km_call *call)
{
    struct km_object_make *req = call->req;

    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    KLM_TRY(km_templates_add(call, req->private_templates, &req->private_attrs));
    KLM_TRY(km_templates_add(call, req->public_templates, &req->public_attrs));
    KLM_TRY(km_attrs_merge(&req->private_attrs, &req->attrs));
    KLM_TRY(km_attrs_merge(&req->public_attrs, &req->attrs));
    KLM_TRY(same_for_both(call, KMIP_TAG_CryptographicAlgorithm));
    KLM_TRY(same_for_both(call, KMIP_TAG_CryptographicLength));
    KLM_TRY(km_attrs_check(call, &req->private_attrs, KMIP_ObjectType_PrivateKey));
    return km_attrs_check(call, &req->public_attrs, KMIP_ObjectType_PublicKey);
}

klm_rc km_pair_made(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_material *private_key = NULL, *public_key = NULL;
    struct kr_material_spec spec = {.curve = curve_of(&req->private_attrs)};
    klm_rc rc;

    KLM_TRY(need(call, &req->private_attrs, KMIP_TAG_CryptographicAlgorithm, &spec.algorithm));
    spec.bits = (uint32_t)md_attr_number(
        &req->private_attrs, KMIP_TAG_CryptographicLength,
        spec.curve ? 0 : kr_material_usual_bits(spec.algorithm)); /* as with length_of */
    KLM_TRY(not_made(call, kr_material_generate_pair(&spec, &private_key, &public_key),
                     spec.algorithm, spec.bits));
    rc = km_format_made(call, req->version, &req->private_attrs, &private_key);
    if (rc == KLM_OK) {
        rc = km_format_made(call, req->version, &req->public_attrs, &public_key);
    }
    if (rc == KLM_OK) {
        rc = km_made(call, KMIP_ObjectType_PrivateKey, &req->private_attrs, private_key, 0);
    }
    if (rc == KLM_OK) {
        rc = km_made(call, KMIP_ObjectType_PublicKey, &req->public_attrs, public_key, 1);
    }
    kr_material_free(&private_key);
    kr_material_free(&public_key);
    KLM_TRY(rc);
    KLM_TRY(km_link_set(km_made_object(call, 0), call->pool, KMIP_LinkType_PublicKeyLink,
                        req->made[1]));
    return km_link_set(km_made_object(call, 1), call->pool, KMIP_LinkType_PrivateKeyLink,
                       req->made[0]);
}

klm_rc km_object_pair_prepare(struct km_call *call)
{
    KLM_TRY(pair_attrs(call));
    return km_pair_made(call);
}

klm_rc km_object_pair_apply(struct km_call *call, struct st_change *change)
{
    return km_made_put(call, change);
}

/* ---- Register */

/* KMIP 1.4, 2.2.6: a template is a named list of attributes, which are kept as they are. */
static klm_rc register_template(struct km_call *call)
{
    struct km_object_make *req = call->req;

    KLM_TRY(km_made(call, KMIP_ObjectType_Template, &req->attrs, NULL, 0));
    return md_attr_set(&km_made_object(call, 0)->attrs, req->item);
}

/* What the object says of itself and what its attributes say must agree. */
static klm_rc agree(struct km_call *call, const struct md_attrs *attrs, uint32_t tag,
                    uint32_t found)
{
    const int64_t said = md_attr_number(attrs, tag, found);

    return found == 0 || said == found
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ATTR_VALUE, kmip_attr(tag)->name);
}

/* Of DES keys the bits of parity may be counted or not (KMIP 1.4, 3.5). */
static klm_rc agree_length(struct km_call *call, const struct md_attrs *attrs,
                           const struct kr_material_spec *spec)
{
    const int64_t said = md_attr_number(attrs, KMIP_TAG_CryptographicLength, spec->bits);
    const bool parity = spec->algorithm == KMIP_CryptographicAlgorithm_DES ||
                        spec->algorithm == KMIP_CryptographicAlgorithm_DES3;

    if (parity && (said * 8 == (int64_t)spec->bits * 7 || said * 7 == (int64_t)spec->bits * 8)) {
        return KLM_OK;
    }
    return agree(call, attrs, KMIP_TAG_CryptographicLength, spec->bits);
}

static klm_rc put_extras(struct km_call *call, const struct md_attrs *extras)
{
    struct md_object *object = km_made_object(call, 0);

    for (size_t i = 0; i < extras->n; i++) {
        KLM_TRY(md_attr_set(&object->attrs, extras->at[i].value));
    }
    return KLM_OK;
}

/* KMIP 1.4, 3.40: a key that is kept elsewhere says where, and its value is not here. */
static klm_rc without_value(struct km_call *call)
{
    const struct km_object_make *req = call->req;

    if (!md_attr_find(&req->attrs, KMIP_TAG_KeyValueLocation)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, "KeyValue");
    }
    return KLM_OK;
}

static klm_rc register_material(struct km_call *call, const struct md_attrs *extras,
                                const struct kr_material *material)
{
    struct km_object_make *req = call->req;
    const struct kr_material_spec *spec = material ? kr_material_spec(material) : NULL;

    if (spec && req->type != KMIP_ObjectType_SecretData) {
        KLM_TRY(agree(call, &req->attrs, KMIP_TAG_CryptographicAlgorithm, spec->algorithm));
        KLM_TRY(agree_length(call, &req->attrs, spec));
    }
    if (spec) { /* KMIP 2.1, 4.26: set by the server, from what comes */
        KLM_TRY(
            agree(call, &req->attrs, KMIP_TAG_KeyFormatType,
                  km_format_is_fixed(req->type) ? km_format_usual(req->type, 0) : spec->format));
    }
    KLM_TRY(spec ? KLM_OK : without_value(call));
    KLM_TRY(km_made(call, req->type, &req->attrs, material, 0));
    KLM_TRY(put_extras(call, extras));
    if (md_attr_find(&req->attrs, KMIP_TAG_KeyValueLocation) || !spec) {
        KLM_TRY(md_attr_set_number(&km_made_object(call, 0)->attrs, KMIP_TAG_KeyValuePresent,
                                   spec != NULL));
    }
    KLM_TRY(km_wrapping_link(call, km_made_object(call, 0)));
    return material ? km_certificate_attrs(call, km_made_object(call, 0), material) : KLM_OK;
}

bool km_register_slow(const struct km_object_make *req)
{
    return req->type == KMIP_ObjectType_PrivateKey;
}

klm_rc km_object_register_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_material *material = NULL;
    struct md_attrs extras;
    klm_rc rc;

    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    if (!req->item) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_OBJECT_TYPE, KLM_NUM(req->type));
    }
    KLM_TRY(km_attrs_check(call, &req->attrs, req->type));
    if (req->type == KMIP_ObjectType_Template) {
        return register_template(call);
    }
    md_attrs_init(&extras, call->pool);
    KLM_TRY(km_keyblock_read(call, req->type, req->item, &extras, &material));
    rc = register_material(call, &extras, material);
    kr_material_free(&material);
    return rc;
}

klm_rc km_object_register_apply(struct km_call *call, struct st_change *change)
{
    return km_made_put(call, change);
}
