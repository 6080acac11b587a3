/* Key material from outside: any bytes as any object in any format, or as the parts of a transparent one. What is taken comes back the same, seals
 * and opens, and is the same key in every format that it can be converted to. An input begins with object type, format, algorithm, curve, bits (2)
 * and flags: 1 = parts, 2 = wrapped. */
#include "keyring/material.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 7
#define LABEL "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f"

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct kr_master *master_key(void)
{
    static struct kr_master *master;
    uint8_t parts[2][32] = {{1}, {2}};

    if (!master) {
        check(kr_master_from_parts((const uint8_t(*)[32])parts, 2, &master) == KLM_OK);
    }
    return master;
}

static void check_sealed(const struct kr_material *material)
{
    struct kr_material *again = NULL;
    struct klm_buf buf;

    klm_buf_init(&buf, ST_RECORD_MAX);
    check(kr_material_seal(master_key(), LABEL, material, &buf) == KLM_OK);
    check(kr_material_open(master_key(), LABEL, klm_buf_as_slice(&buf), &again) == KLM_OK);
    check(kr_material_same(material, again));
    kr_material_free(&again);
    klm_buf_done(&buf);
}

/* To every format and back to one of DER, where there is one. */
static void check_converted(const struct kr_material *material)
{
    for (uint32_t format = 1; format <= KMIP_KeyFormatType_PKCS_10; format++) {
        struct kr_material *to = NULL;

        if (kr_material_convert(material, format, 0, &to) == KLM_OK) {
            check(kr_material_same(material, to));
            check(kr_material_spec(to)->format == format);
            check_sealed(to);
        } else {
            check(to == NULL);
        }
        kr_material_free(&to);
    }
}

/* Parts, each as its number, its length (2) and its bytes. */
static klm_rc take_parts(const struct kr_material_spec *spec, struct klm_slice bytes,
                         struct kr_material **out)
{
    struct kr_parts parts = {.curve = spec->curve};
    struct klm_slice *const all[] = {
        &parts.key,
        &parts.modulus,
        &parts.public_exponent,
        &parts.private_exponent,
        &parts.p,
        &parts.q,
        &parts.dp,
        &parts.dq,
        &parts.crt,
        &parts.g,
        &parts.x,
        &parts.y,
        &parts.j,
        &parts.d,
        &parts.q_string,
    };
    struct klm_cur cur;

    klm_cur_init(&cur, bytes);
    while (klm_cur_left(&cur) && klm_cur_rc(&cur) == KLM_OK) {
        uint8_t which;
        struct klm_slice part;

        klm_cur_u8(&cur, &which);
        klm_cur_lp16(&cur, 4096, &part);
        if (klm_cur_rc(&cur) == KLM_OK) {
            *all[which % KLM_COUNT(all)] = part;
        }
    }
    return kr_material_parts_new(spec, &parts, out);
}

static void check_bytes(const struct kr_material *material, struct klm_slice bytes)
{
    struct klm_pool *pool = NULL;
    struct klm_slice again;

    check(klm_pool_new_wiping(0, &pool) == KLM_OK);
    check(kr_material_bytes(material, pool, &again) == KLM_OK && klm_slice_equal(again, bytes));
    klm_pool_free(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kr_material *material = NULL, *open = NULL;
    struct kr_material_spec spec;
    struct klm_slice bytes;
    uint8_t digest[64];
    size_t n;
    klm_rc rc;

    if (size < HEAD) {
        return 0;
    }
    spec = (struct kr_material_spec){.object = data[0],
                                     .format = data[1],
                                     .algorithm = data[2],
                                     .curve = data[3],
                                     .bits = (uint32_t)data[4] << 8 | data[5],
                                     .wrapped = data[6] & 2};
    bytes = KLM_SLICE(data + HEAD, size - HEAD);
    rc = data[6] & 1 ? take_parts(&spec, bytes, &material)
                     : kr_material_new(&spec, bytes, &material);
    check((rc == KLM_OK) == (material != NULL));
    if (rc != KLM_OK) {
        return 0;
    }
    if (!(data[6] & 1)) {
        check_bytes(material, bytes);
    }
    check(kr_material_same(material, material));
    check(kr_material_digest(material, KMIP_HashingAlgorithm_SHA_256, digest, &n) == KLM_OK);
    check_sealed(material);
    check_converted(material);
    if (kr_material_public(material, &open) == KLM_OK) {
        check_sealed(open);
    }
    kr_material_free(&open);
    kr_material_free(&material);
    return 0;
}
