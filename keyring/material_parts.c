/* Key material in transparent formats: numbers that the protocol names one by one. They are kept as they came, without zeros before them: number of
 * the part, length, bytes. */
#include "keyring/material_int.h"

#include <openssl/core_names.h>
#include <string.h>

static const struct kr_part_row rows[] = {
#define KR_PART(format, part, kind, name, must)                                                    \
    {KMIP_KeyFormatType_##format, KR_PART_##part, #kind, OSSL_PKEY_PARAM_##name, must},
#include "keyring/parts.def"
#undef KR_PART
};

const struct kr_part_row *kr_part_at(uint32_t format, size_t i)
{
    for (size_t k = 0; k < KLM_COUNT(rows); k++) {
        if (rows[k].format == format && i-- == 0) {
            return &rows[k];
        }
    }
    return NULL;
}

bool kr_is_transparent(uint32_t format)
{
    return format >= KMIP_KeyFormatType_TransparentSymmetricKey &&
           format <= KMIP_KeyFormatType_TransparentECPublicKey;
}

uint32_t kr_parts_object(uint32_t format)
{
    switch (format) {
    case KMIP_KeyFormatType_TransparentSymmetricKey:
        return KMIP_ObjectType_SymmetricKey;
    case KMIP_KeyFormatType_TransparentDSAPrivateKey:
    case KMIP_KeyFormatType_TransparentRSAPrivateKey:
    case KMIP_KeyFormatType_TransparentDHPrivateKey:
    case KMIP_KeyFormatType_TransparentECDSAPrivateKey:
    case KMIP_KeyFormatType_TransparentECDHPrivateKey:
    case KMIP_KeyFormatType_TransparentECMQVPrivateKey:
    case KMIP_KeyFormatType_TransparentECPrivateKey:
        return KMIP_ObjectType_PrivateKey;
    default:
        return KMIP_ObjectType_PublicKey;
    }
}

struct klm_slice *kr_part(struct kr_parts *parts, size_t part)
{
    struct klm_slice *const all[KR_PARTS] = {
        &parts->key,
        &parts->modulus,
        &parts->public_exponent,
        &parts->private_exponent,
        &parts->p,
        &parts->q,
        &parts->dp,
        &parts->dq,
        &parts->crt,
        &parts->g,
        &parts->x,
        &parts->y,
        &parts->j,
        &parts->d,
        &parts->q_string,
    };

    return all[part];
}

/* ---- Bytes */

static size_t packed_size(struct kr_parts *parts)
{
    size_t n = 0;

    for (size_t i = 0; i < KR_PARTS; i++) {
        n += kr_part(parts, i)->p ? 3 + kr_part(parts, i)->n : 0;
    }
    return n;
}

klm_rc kr_parts_pack(const struct kr_parts *parts, struct kr_secret *out)
{
    struct kr_parts all = *parts;
    struct kr_secret made = {0};

    KLM_TRY(kr_secret_new(packed_size(&all), &made));
    for (size_t i = 0; i < KR_PARTS; i++) {
        const struct klm_slice part = *kr_part(&all, i);

        if (part.p) {
            made.p[made.n++] = (uint8_t)i;
            made.p[made.n++] = (uint8_t)(part.n >> 8);
            made.p[made.n++] = (uint8_t)part.n;
            memcpy(made.p + made.n, part.p, part.n);
            made.n += part.n;
        }
    }
    *out = made;
    return KLM_OK;
}

klm_rc kr_parts_unpack(const struct kr_material_spec *spec, struct klm_slice bytes,
                       struct kr_parts *out)
{
    struct kr_parts parts = {.curve = spec->curve};
    struct klm_cur cur;
    int last = -1;

    if (spec->format == KMIP_KeyFormatType_TransparentSymmetricKey) {
        *out = (struct kr_parts){.key = bytes};
        return KLM_OK;
    }
    klm_cur_init(&cur, bytes);
    while (klm_cur_rc(&cur) == KLM_OK && klm_cur_left(&cur)) {
        uint8_t part;

        klm_cur_u8(&cur, &part);
        if (part >= KR_PARTS || part <= last) {
            return KLM_E_CORRUPT;
        }
        last = part;
        klm_cur_lp16(&cur, KR_MATERIAL_MAX, kr_part(&parts, part));
    }
    if (klm_cur_rc(&cur) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = parts;
    return KLM_OK;
}

/* ---- What may come in */

static bool has(const struct klm_slice *part)
{
    return part->p != NULL;
}

/* Numbers are unsigned: a zero before them is their sign, or filling. */
static klm_rc normalise(struct klm_slice *number, bool is_number)
{
    while (is_number && number->n > 0 && number->p[0] == 0) {
        *number = KLM_SLICE(number->p + 1, number->n - 1);
    }
    if (number->n > KR_PKEY_BITS_MAX / 8) {
        return KLM_E_LIMIT;
    }
    return number->n ? KLM_OK : KLM_E_INVALID;
}

/* KMIP 2.1, 3.7: "One of the following SHALL be present: Private Exponent, P and Q, or Prime Exponent P and Prime Exponent Q." */
static bool rsa_has_enough(const struct kr_parts *parts)
{
    return has(&parts->private_exponent) || (has(&parts->p) && has(&parts->q)) ||
           (has(&parts->dp) && has(&parts->dq));
}

/* Just the parts of the format, each a number that is no more than the limit. */
static klm_rc check_parts(uint32_t format, const struct kr_parts *in, struct kr_parts *out)
{
    struct kr_parts rest = *in, found = {.curve = in->curve};
    const struct kr_part_row *row;

    for (size_t i = 0; (row = kr_part_at(format, i)) != NULL; i++) {
        struct klm_slice *part = kr_part(&rest, row->part);

        if (has(part)) {
            KLM_TRY(normalise(part, row->part != KR_PART_q_string));
            *kr_part(&found, row->part) = *part;
            *part = KLM_SLICE(NULL, 0);
        } else if (row->must) {
            return KLM_E_INVALID;
        }
    }
    if (packed_size(&rest) ||
        (format == KMIP_KeyFormatType_TransparentRSAPrivateKey && !rsa_has_enough(&found))) {
        return KLM_E_INVALID;
    }
    *out = found;
    return KLM_OK;
}

static klm_rc check_asymmetric(struct kr_material_spec *spec, const struct kr_parts *parts,
                               struct kr_material **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret bytes = {0};

    KLM_TRY(kr_parts_pkey(spec, parts, &pkey));
    KLM_TRY(kr_pkey_fit(pkey, spec));
    KLM_TRY(kr_pkey_check(pkey, spec->object == KMIP_ObjectType_PrivateKey));
    KLM_TRY(kr_parts_pack(parts, &bytes));
    KLM_TRY(kr_material_take(spec, &bytes, out));
    atomic_store(&(*out)->pkey, pkey); /* kept for its first use */
    pkey = NULL;
    return KLM_OK;
}

klm_rc kr_material_parts_new(const struct kr_material_spec *spec, const struct kr_parts *parts,
                             struct kr_material **out)
{
    struct kr_material_spec said = *spec;
    struct kr_parts found = {0};

    if (!kr_is_transparent(spec->format)) {
        return KLM_E_UNSUPPORTED;
    }
    if (spec->wrapped || spec->object != kr_parts_object(spec->format) ||
        (spec->curve && parts->curve && spec->curve != parts->curve)) {
        return KLM_E_INVALID;
    }
    if (spec->format == KMIP_KeyFormatType_TransparentSymmetricKey) {
        return kr_material_symmetric(spec, parts->key, out);
    }
    KLM_TRY(check_parts(spec->format, parts, &found));
    said.curve = spec->curve ? spec->curve : parts->curve;
    return check_asymmetric(&said, &found, out);
}

klm_rc kr_material_parts(const struct kr_material *material, struct klm_pool *wiping,
                         struct kr_parts *out)
{
    struct klm_slice copy;

    if (material->spec.wrapped) {
        return KLM_E_STATE;
    }
    if (!kr_is_transparent(material->spec.format)) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(klm_pool_slice(wiping, KLM_SLICE(material->bytes.p, material->bytes.n), &copy));
    return kr_parts_unpack(&material->spec, copy, out);
}
