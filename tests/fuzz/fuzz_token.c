/* Key tokens: taking them apart never fails badly, and what opens (the golden ones of the corpus
 * do) is told rightly and can be sealed again. */
#include "keyring/kr.h"
#include "keyring/material.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kr_master *master_key(void)
{
    static struct kr_master *master;
    uint8_t parts[2][32];

    if (!master) {
        for (size_t i = 0; i < 32; i++) {
            parts[0][i] = 0x5a;
            parts[1][i] = (uint8_t)(0x5a ^ i);
        }
        if (kr_master_from_parts((const uint8_t(*)[32])parts, 2, &master) != KLM_OK) {
            abort();
        }
    }
    return master;
}

/* What opens can be sealed and opened again as the same kind of key. */
static void check_again(const struct kr_key *key)
{
    struct kr_key *again = NULL;
    struct klm_buf buf;

    klm_buf_init(&buf, 65536);
    if (kr_token_seal(master_key(), "L", key, &buf) != KLM_OK ||
        kr_token_open(master_key(), "L", klm_buf_as_slice(&buf), &again) != KLM_OK ||
        kr_key_spec(again).type != kr_key_spec(key).type ||
        kr_key_spec(again).bits != kr_key_spec(key).bits) {
        abort();
    }
    kr_key_free(&again);
    klm_buf_done(&buf);
}

/* Material is no key, and moves to another master key as it is. */
static void check_material(struct klm_slice token)
{
    static const char label[] = "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f";
    struct kr_material *material = NULL, *again = NULL;
    struct klm_buf buf;
    struct kr_spec spec;

    if (kr_material_open(master_key(), label, token, &material) != KLM_OK) {
        return;
    }
    klm_buf_init(&buf, 65536);
    if (!kr_token_is_material(token) || kr_token_spec(token, &spec) != KLM_E_NOTFOUND ||
        kr_token_rewrap(master_key(), master_key(), label, token, &buf) != KLM_OK ||
        kr_material_open(master_key(), label, klm_buf_as_slice(&buf), &again) != KLM_OK ||
        !kr_material_same(material, again)) {
        abort();
    }
    kr_material_free(&again);
    kr_material_free(&material);
    klm_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {"AES.KEY", "ITOPS.KLM20.CERT", "EC.KEY.P256",
                                         "EC.KEY.P384"};
    struct klm_slice token = KLM_SLICE(data, size);
    char vp[KR_VP_MAX];
    struct kr_spec spec;

    for (size_t i = 0; i < KLM_COUNT(labels); i++) {
        struct kr_key *key = NULL;

        if (kr_token_open(master_key(), labels[i], token, &key) == KLM_OK) {
            if (kr_token_spec(token, &spec) != KLM_OK || spec.bits != kr_key_spec(key).bits) {
                abort();
            }
            check_again(key);
            kr_key_free(&key);
        }
    }
    check_material(token);
    if (kr_token_vp(token, vp) == KLM_OK && strlen(vp) != KR_VP_MAX - 1) {
        abort();
    }
    return 0;
}
