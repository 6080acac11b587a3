/* Proofs that another server can open what we can, for drills. A challenge is a fresh secret wrapped to a label as a data key is, but
 * under a context of its own: it begins with other bytes than any EEDK's, so neither opens as the other. The context is bound to the
 * transcript, so a challenge opens in its own session only. The answer is an HMAC keyed by the secret: nothing that was wrapped is ever
 * given out. */
#include "keyring/internal.h"
#include "keyring/material.h"
#include "keyring/material_int.h"

#include "base/digest.h"
#include "base/secret.h"

#include <openssl/hmac.h>
#include <string.h>

#define HASH 32
/* An EEDK's context begins with "EEDK" (exchange/PROTOCOL.md, 5). */
static const char context_mark[] = "klmsrv drill 1";
static const char proof_mark[] = "klmsrv drill proof 1";
static const char master_purpose[] = "klmsrv drill master 1";
static const char stored_purpose[] = "klmsrv drill stored key 1";
static const char object_purpose[] = "klmsrv drill object 1";

struct context {
    uint8_t p[sizeof context_mark + HASH];
};

static klm_rc context_of(struct klm_slice transcript, struct context *out)
{
    memcpy(out->p, context_mark, sizeof context_mark);
    return klm_sha256(&transcript, 1, out->p + sizeof context_mark);
}

/* HMAC-SHA256 over the mark and SHA-256 of transcript and challenge. */
static klm_rc prove(struct klm_slice secret, struct klm_slice transcript,
                    struct klm_slice challenge, uint8_t proof[KR_PROOF])
{
    uint8_t data[sizeof proof_mark + HASH], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    memcpy(data, proof_mark, sizeof proof_mark);
    KLM_TRY(klm_sha256((struct klm_slice[]){transcript, challenge}, 2, data + sizeof proof_mark));
    if (!HMAC(EVP_sha256(), secret.p, (int)secret.n, data, sizeof data, mac, &n) || n != KR_PROOF) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    memcpy(proof, mac, KR_PROOF);
    return KLM_OK;
}

klm_rc kr_drill_ask(const struct kr_label *to, struct klm_slice transcript,
                    uint8_t challenge[KR_WRAPPED_MAX], size_t *n, uint8_t expected[KR_PROOF])
{
    KLM_AUTO(kr_key_free) struct kr_key *secret = NULL;
    uint8_t wrapped[KR_WRAPPED_MAX];
    struct context context;
    size_t len = 0;

    KLM_TRY(context_of(transcript, &context));
    KLM_TRY(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &secret));
    KLM_TRY(kr_wrap(to, KLM_SLICE(context.p, sizeof context.p), secret, wrapped, &len));
    KLM_TRY(prove(KLM_SLICE(secret->aes.p, secret->aes.n), transcript, KLM_SLICE(wrapped, len),
                  expected));
    memcpy(challenge, wrapped, len);
    *n = len;
    return KLM_OK;
}

klm_rc kr_drill_answer(const struct kr_label *with, struct klm_slice transcript,
                       struct klm_slice challenge, uint8_t proof[KR_PROOF])
{
    KLM_AUTO(kr_key_free) struct kr_key *secret = NULL;
    struct context context;

    KLM_TRY(context_of(transcript, &context));
    KLM_TRY(kr_unwrap(with, KLM_SLICE(context.p, sizeof context.p), challenge, &secret));
    return prove(KLM_SLICE(secret->aes.p, secret->aes.n), transcript, challenge, proof);
}

/* A key for the proof alone: what it gives away says nothing of the key it comes from (RFC 5869). */
static klm_rc prove_derived(const uint8_t key[32], const char *purpose, struct klm_slice transcript,
                            uint8_t proof[KR_PROOF])
{
    uint8_t derived[32];
    klm_rc rc = kr_hkdf(key, (struct klm_slice){0}, purpose, derived);

    if (rc == KLM_OK) {
        rc = prove(KLM_SLICE(derived, sizeof derived), transcript, (struct klm_slice){0}, proof);
    }
    klm_wipe(derived, sizeof derived);
    return rc;
}

/* ---- The master key. One that never leaves its hardware cannot key an HMAC: it opens a secret that was sealed by it for this drill, under a context that no
 * key token has. */

void kr_drill_master_id(const struct kr_master *master, uint8_t out[HASH])
{
    memset(out, 0, HASH);
    memcpy(out, kr_master_id(kr_master_sealing(master)), 8);
}

static klm_rc ask_hardware(const struct kr_master *sealing, struct klm_slice transcript,
                           uint8_t challenge[KR_WRAPPED_MAX], size_t *n, uint8_t expected[KR_PROOF],
                           struct klm_diag *diag)
{
    KLM_AUTO(kr_key_free) struct kr_key *secret = NULL;
    const size_t len = HASH + KR_HARD_MORE;
    uint8_t sealed[HASH + KR_HARD_MORE];
    struct context context;

    KLM_TRY(context_of(transcript, &context));
    KLM_TRY(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &secret));
    KLM_TRY(kr_hard_seal(kr_master_p11(sealing), kr_master_strict(sealing),
                         KLM_SLICE(context.p, sizeof context.p),
                         KLM_SLICE(secret->aes.p, secret->aes.n), sealed, diag));
    KLM_TRY(prove(KLM_SLICE(secret->aes.p, secret->aes.n), transcript, KLM_SLICE(sealed, len),
                  expected));
    memcpy(challenge, sealed, len);
    *n = len;
    return KLM_OK;
}

static klm_rc answer_hardware(const struct kr_master *sealing, struct klm_slice transcript,
                              struct klm_slice challenge, uint8_t proof[KR_PROOF])
{
    KLM_AUTO(kr_secret_done) struct kr_secret secret = {0};
    struct context context;

    if (challenge.n != HASH + KR_HARD_MORE) {
        return KLM_E_CRYPTO;
    }
    KLM_TRY(context_of(transcript, &context));
    KLM_TRY(kr_secret_new(P11_MSG_MAX, &secret));
    KLM_TRY(kr_hard_unseal(kr_master_p11(sealing), kr_master_strict(sealing),
                           KLM_SLICE(context.p, sizeof context.p), challenge, secret.p, secret.cap,
                           &secret.n, NULL));
    return secret.n == HASH ? prove(KLM_SLICE(secret.p, secret.n), transcript, challenge, proof)
                            : KLM_E_CRYPTO;
}

klm_rc kr_drill_master_ask(const struct kr_master *master, struct klm_slice transcript,
                           uint8_t challenge[KR_WRAPPED_MAX], size_t *n, uint8_t expected[KR_PROOF],
                           struct klm_diag *diag)
{
    const struct kr_master *sealing = kr_master_sealing(master);

    if (kr_master_strict(sealing)) {
        return ask_hardware(sealing, transcript, challenge, n, expected, diag);
    }
    KLM_TRY(prove_derived(kr_master_key(sealing), master_purpose, transcript, expected));
    *n = 0;
    return KLM_OK;
}

klm_rc kr_drill_master(const struct kr_master *master, struct klm_slice transcript,
                       struct klm_slice challenge, uint8_t proof[KR_PROOF])
{
    const struct kr_master *sealing = kr_master_sealing(master);

    return kr_master_strict(sealing)
               ? answer_hardware(sealing, transcript, challenge, proof)
               : prove_derived(kr_master_key(sealing), master_purpose, transcript, proof);
}

klm_rc kr_drill_stored(const struct kr_key *key, struct klm_slice transcript,
                       uint8_t proof[KR_PROOF])
{
    if (key->spec.type != KR_AES || key->aes.n != 32) {
        return KLM_E_UNSUPPORTED;
    }
    return prove_derived(key->aes.p, stored_purpose, transcript, proof);
}

klm_rc kr_drill_object(const struct kr_material *material, struct klm_slice transcript,
                       uint8_t proof[KR_PROOF])
{
    const struct kr_material_spec *spec = kr_material_spec(material);
    struct klm_slice raw = {0};

    if (spec->object != KMIP_ObjectType_SymmetricKey || spec->format != KMIP_KeyFormatType_Raw ||
        spec->wrapped || kr_material_raw(material, &raw) != KLM_OK || raw.n != 32) {
        return KLM_E_UNSUPPORTED;
    }
    return prove_derived(raw.p, object_purpose, transcript, proof);
}
