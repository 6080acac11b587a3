/* Objects as they stand in payloads, taken apart (KMIP 2.1, 2 and 3.1; 1.4, 2.2 and 2.1.3). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

static klm_rc bad(struct km_call *call, uint32_t tag)
{
    const struct kmip_tag_row *row = kmip_tag(tag);

    return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, row ? row->name : "A field");
}

static klm_rc number(struct km_call *call, const struct kmip_node *in, uint32_t tag,
                     enum kmip_type type, uint32_t *out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != type || node->number < 0 || node->number > UINT32_MAX) {
        return bad(call, tag);
    }
    *out = (uint32_t)node->number;
    return KLM_OK;
}

/* A Big Integer as an unsigned number. A modulus may come without its sign byte: none of these numbers is negative. */
static struct klm_slice big(const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);
    struct klm_slice s = node && node->type == KMIP_BIG_INTEGER ? node->bytes : KLM_SLICE(NULL, 0);

    while (s.n > 1 && s.p[0] == 0) {
        s.p++;
        s.n--;
    }
    return s;
}

static struct klm_slice bytes_of(const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    return node && node->type == KMIP_BYTES ? node->bytes : KLM_SLICE(NULL, 0);
}

static klm_rc read_parts(struct km_call *call, const struct kr_material_spec *spec,
                         const struct kmip_node *in, struct kr_material **out)
{
    struct kr_parts parts = {.key = bytes_of(in, KMIP_TAG_Key),
                             .modulus = big(in, KMIP_TAG_Modulus),
                             .public_exponent = big(in, KMIP_TAG_PublicExponent),
                             .private_exponent = big(in, KMIP_TAG_PrivateExponent),
                             .p = big(in, KMIP_TAG_P),
                             .q = big(in, KMIP_TAG_Q),
                             .dp = big(in, KMIP_TAG_PrimeExponentP),
                             .dq = big(in, KMIP_TAG_PrimeExponentQ),
                             .crt = big(in, KMIP_TAG_CRTCoefficient),
                             .g = big(in, KMIP_TAG_G),
                             .x = big(in, KMIP_TAG_X),
                             .y = big(in, KMIP_TAG_Y),
                             .j = big(in, KMIP_TAG_J),
                             .d = big(in, KMIP_TAG_D),
                             .q_string = bytes_of(in, KMIP_TAG_QString)};

    KLM_TRY(number(call, in, KMIP_TAG_RecommendedCurve, KMIP_ENUMERATION, &parts.curve));
    return kr_material_parts_new(spec, &parts, out);
}

/* KMIP 1.4, 2.1.4: a structure with the key material and perhaps attributes, which are for the one who takes it, not for us. */
static klm_rc read_value(struct km_call *call, const struct kr_material_spec *spec,
                         const struct kmip_node *value, struct kr_material **out)
{
    const struct kmip_node *material = kmip_child(value, KMIP_TAG_KeyMaterial);

    if (spec->wrapped) {
        return value->type == KMIP_BYTES ? kr_material_new(spec, value->bytes, out)
                                         : bad(call, KMIP_TAG_KeyValue);
    }
    if (!material) {
        return bad(call, KMIP_TAG_KeyMaterial);
    }
    if (material->type == KMIP_STRUCTURE) {
        return read_parts(call, spec, material, out);
    }
    return material->type == KMIP_BYTES ? kr_material_new(spec, material->bytes, out)
                                        : bad(call, KMIP_TAG_KeyMaterial);
}

/* What the material itself was refused for. */
static klm_rc explain(struct km_call *call, klm_rc rc)
{
    if (rc == KLM_OK || call->diag.msg) {
        return rc;
    }
    return KM_REFUSE(call, rc, 0, KLM_MSG_MATERIAL, klm_rc_text(rc));
}

/* What a key block without its key value says of the key. */
static klm_rc keep_description(const struct kr_material_spec *spec, struct md_attrs *extras)
{
    KLM_TRY(md_attr_set_number(extras, KMIP_TAG_KeyFormatType, spec->format));
    if (spec->algorithm) {
        KLM_TRY(md_attr_set_number(extras, KMIP_TAG_CryptographicAlgorithm, spec->algorithm));
    }
    return spec->bits ? md_attr_set_number(extras, KMIP_TAG_CryptographicLength, spec->bits)
                      : KLM_OK;
}

static klm_rc read_block(struct km_call *call, uint32_t type, const struct kmip_node *item,
                         struct md_attrs *extras, struct kr_material **out)
{
    const struct kmip_node *block = kmip_child(item, KMIP_TAG_KeyBlock);
    const struct kmip_node *value = kmip_child(block, KMIP_TAG_KeyValue);
    const struct kmip_node *wrapping = kmip_child(block, KMIP_TAG_KeyWrappingData);
    struct kr_material_spec spec = {.object = type, .wrapped = wrapping != NULL};

    if (!block || block->type != KMIP_STRUCTURE) {
        return bad(call, KMIP_TAG_KeyBlock);
    }
    KLM_TRY(number(call, block, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION, &spec.format));
    KLM_TRY(number(call, block, KMIP_TAG_KeyCompressionType, KMIP_ENUMERATION, &spec.compressed));
    KLM_TRY(
        number(call, block, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION, &spec.algorithm));
    KLM_TRY(number(call, block, KMIP_TAG_CryptographicLength, KMIP_INTEGER, &spec.bits));
    if (!spec.format) {
        return bad(call, KMIP_TAG_KeyFormatType);
    }
    if (wrapping) {
        KLM_TRY(md_attr_set(extras, wrapping));
    }
    if (!value) { /* registered without: Key Value Location says where it is (KMIP 1.4, 3.40) */
        return keep_description(&spec, extras);
    }
    return explain(call, read_value(call, &spec, value, out));
}

static klm_rc read_certificate(struct km_call *call, const struct kmip_node *item,
                               struct md_attrs *extras, struct kr_material **out)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_Certificate};
    const struct klm_slice der = bytes_of(item, KMIP_TAG_CertificateValue);

    KLM_TRY(number(call, item, KMIP_TAG_CertificateType, KMIP_ENUMERATION, &spec.format));
    if (!spec.format || !der.n) {
        return bad(call, spec.format ? KMIP_TAG_CertificateValue : KMIP_TAG_CertificateType);
    }
    KLM_TRY(md_attr_set(extras, kmip_child(item, KMIP_TAG_CertificateType)));
    return explain(call, kr_material_new(&spec, der, out));
}

static klm_rc read_opaque(struct km_call *call, const struct kmip_node *item,
                          struct md_attrs *extras, struct kr_material **out)
{
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_OpaqueObject};
    const struct kmip_node *type = kmip_child(item, KMIP_TAG_OpaqueDataType);
    const struct kmip_node *data = kmip_child(item, KMIP_TAG_OpaqueDataValue);

    if (!type || type->type != KMIP_ENUMERATION || !data || data->type != KMIP_BYTES) {
        return bad(call, type ? KMIP_TAG_OpaqueDataValue : KMIP_TAG_OpaqueDataType);
    }
    KLM_TRY(md_attr_set(extras, type));
    return explain(call, kr_material_new(&spec, data->bytes, out));
}

static klm_rc read_secret(struct km_call *call, const struct kmip_node *item,
                          struct md_attrs *extras, struct kr_material **out)
{
    const struct kmip_node *type = kmip_child(item, KMIP_TAG_SecretDataType);

    if (!type || type->type != KMIP_ENUMERATION) {
        return bad(call, KMIP_TAG_SecretDataType);
    }
    KLM_TRY(md_attr_set(extras, type));
    return read_block(call, KMIP_ObjectType_SecretData, item, extras, out);
}

/* KMIP 2.1, 2.4: "SHOULD treat the Key Block field as an opaque blob". */
static klm_rc read_pgp(struct km_call *call, const struct kmip_node *item, struct md_attrs *extras,
                       struct kr_material **out)
{
    const struct kmip_node *version = kmip_child(item, KMIP_TAG_PGPKeyVersion);

    if (!version || version->type != KMIP_INTEGER) {
        return bad(call, KMIP_TAG_PGPKeyVersion);
    }
    KLM_TRY(md_attr_set(extras, version));
    return read_block(call, KMIP_ObjectType_PGPKey, item, extras, out);
}

/* KMIP 2.1, 2.2. What is in it is looked at when it is to be certified. */
static klm_rc read_request(struct km_call *call, const struct kmip_node *item,
                           struct md_attrs *extras, struct kr_material **out)
{
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_CertificateRequest,
                                          .format = KMIP_KeyFormatType_PKCS_10};
    const struct kmip_node *type = kmip_child(item, KMIP_TAG_CertificateRequestType);
    const struct klm_slice bytes = bytes_of(item, KMIP_TAG_CertificateRequestValue);

    if (!type || type->type != KMIP_ENUMERATION || !bytes.n) {
        return bad(call,
                   bytes.n ? KMIP_TAG_CertificateRequestType : KMIP_TAG_CertificateRequestValue);
    }
    KLM_TRY(md_attr_set(extras, type));
    return explain(call, kr_material_new(&spec, bytes, out));
}

klm_rc km_keyblock_read(struct km_call *call, uint32_t type, const struct kmip_node *item,
                        struct md_attrs *extras, struct kr_material **material)
{
    *material = NULL;
    switch (type) {
    case KMIP_ObjectType_Certificate:
        return read_certificate(call, item, extras, material);
    case KMIP_ObjectType_OpaqueObject:
        return read_opaque(call, item, extras, material);
    case KMIP_ObjectType_SecretData:
        return read_secret(call, item, extras, material);
    case KMIP_ObjectType_PGPKey:
        return read_pgp(call, item, extras, material);
    case KMIP_ObjectType_CertificateRequest:
        return read_request(call, item, extras, material);
    case KMIP_ObjectType_SymmetricKey:
    case KMIP_ObjectType_PublicKey:
    case KMIP_ObjectType_PrivateKey:
        return read_block(call, type, item, extras, material);
    default:
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_OBJECT_TYPE, KLM_NUM(type));
    }
}
