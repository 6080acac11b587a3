/* Key material under a master key that is in a PKCS#11 token and never leaves it (strict). The token is one of this test: it answers what
 * keyring/P11.md says, from a key of its own. */
#include "matter.h"

#include "keyring/p11/msg.h"
#include "keyring/p11/p11.h"

#define LABEL "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f"
#define NONCE 12
#define TAG 16

/* ---- The token, in the place of keyring/p11/client.c */

static uint8_t token_key[32];
static unsigned seals, unseals, largest;
static bool gone;
static uint64_t nonces;

static int gcm(bool enc, struct klm_slice aad, const uint8_t *nonce, struct klm_slice in,
               uint8_t *out, uint8_t *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n, ok = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, token_key, nonce, enc) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) == 1 &&
                EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1 &&
                (enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1) &&
                EVP_CipherFinal_ex(ctx, out + n, &n) == 1 &&
                (!enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static klm_rc seal(const struct p11_msg *request, uint8_t *out, size_t cap, size_t *n)
{
    const struct klm_slice data = request->field[P11_F_DATA];

    seals++;
    REQUIRE(cap >= NONCE + data.n + TAG);
    memset(out, 0, NONCE);
    memcpy(out, &nonces, sizeof nonces);
    nonces++;
    REQUIRE(gcm(true, request->field[P11_F_AAD], out, data, out + NONCE, out + NONCE + data.n));
    *n = NONCE + data.n + TAG;
    return KLM_OK;
}

static klm_rc unseal(const struct p11_msg *request, uint8_t *out, size_t cap, size_t *n)
{
    const struct klm_slice data = request->field[P11_F_DATA];
    uint8_t tag[TAG];

    unseals++;
    REQUIRE(data.n > NONCE + TAG && cap >= data.n - NONCE - TAG);
    memcpy(tag, data.p + data.n - TAG, TAG);
    *n = data.n - NONCE - TAG;
    return gcm(false, request->field[P11_F_AAD], data.p, KLM_SLICE(data.p + NONCE, *n), out, tag)
               ? KLM_OK
               : KLM_E_CRYPTO;
}

klm_rc p11_call(struct p11 *p11, struct p11_msg *request, uint8_t *out, size_t cap, size_t *n,
                struct klm_diag *diag)
{
    struct klm_buf wire;
    klm_rc rc;

    (void)p11, (void)diag;
    if (gone) {
        return KLM_E_STATE;
    }
    /* What no message can carry, no helper would see. */
    klm_buf_init(&wire, P11_MSG_MAX);
    rc = p11_msg_encode(request, &wire);
    largest = wire.n > largest ? (unsigned)wire.n : largest;
    klm_buf_done(&wire);
    REQUIRE_OK(rc);
    switch (request->op) {
    case P11_AES_MAKE:
        memset(token_key, 0x77, sizeof token_key);
        memset(out, 0xcc, 32);
        *n = 32;
        return KLM_OK;
    case P11_SEAL:
        return seal(request, out, cap, n);
    case P11_UNSEAL:
        return unseal(request, out, cap, n);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

void p11_state(struct p11 *p11, struct p11_state *out)
{
    (void)p11;
    *out = (struct p11_state){.token = "test", .serial = "1", .text = "ready"};
}

static struct kr_master *strict_master(void)
{
    static uint8_t token; /* its address stands for the token */
    struct kr_master *master = NULL;
    struct klm_diag diag = {0};
    const char *path = test_path("strict");

    (void)unlink(path);
    REQUIRE_OK(kr_master_make_in_token((struct p11 *)(void *)&token, "klm.master", true, path,
                                       &diag, &master));
    REQUIRE(kr_master_is_strict(master));
    return master;
}

/* ---- Tests */

TEST(a_strict_master_key_is_proved_by_what_its_token_opens_and_opens_nothing_else)
{
    struct kr_master *master = strict_master();
    uint8_t challenge[KR_WRAPPED_MAX], expected[KR_PROOF], proof[KR_PROOF], blank[KR_PROOF];
    struct kr_key *key = NULL;
    struct klm_buf token;
    size_t n = 0;

    REQUIRE_OK(kr_drill_master_ask(master, klm_slice_str("t"), challenge, &n, expected, NULL));
    CHECK_INT(n, 60);
    REQUIRE_OK(kr_drill_master(master, klm_slice_str("t"), KLM_SLICE(challenge, n), proof));
    CHECK_MEM(proof, expected, sizeof proof);
    memset(blank, 0x11, sizeof blank);
    memcpy(proof, blank, sizeof proof);
    CHECK_RC(kr_drill_master(master, klm_slice_str("u"), KLM_SLICE(challenge, n), proof),
             KLM_E_CRYPTO); /* of another session */
    CHECK_RC(kr_drill_master(master, klm_slice_str("t"), KLM_SLICE(challenge, n - 1), proof),
             KLM_E_CRYPTO);
    CHECK_RC(kr_drill_master(master, klm_slice_str("t"), KLM_SLICE(NULL, 0), proof), KLM_E_CRYPTO);
    /* What the token sealed for other uses: a key token's end is as long as a challenge. */
    klm_buf_init(&token, 65536);
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    REQUIRE_OK(kr_token_seal(master, "KEY", key, &token));
    for (size_t at = 0; at + 60 <= token.n; at++) {
        CHECK_RC(kr_drill_master(master, klm_slice_str("t"), KLM_SLICE(token.p + at, 60), proof),
                 KLM_E_CRYPTO);
    }
    gone = true;
    CHECK_RC(kr_drill_master(master, klm_slice_str("t"), KLM_SLICE(challenge, n), proof),
             KLM_E_STATE);
    CHECK_RC(kr_drill_master_ask(master, klm_slice_str("t"), challenge, &n, expected, NULL),
             KLM_E_STATE);
    gone = false;
    CHECK_MEM(proof, blank, sizeof proof); /* a failure says nothing */
    klm_buf_done(&token);
    kr_key_free(&key);
    kr_master_free(&master);
}

static struct klm_slice sealed(const struct kr_master *master, const struct kr_material *material)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(kr_material_seal(master, LABEL, material, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

static struct kr_material *opaque_of(size_t n)
{
    uint8_t *much = klm_pool_alloc(test_pool(), n + 1);

    REQUIRE(much != NULL);
    memset(much, 0x5a, n);
    return material_of(KMIP_ObjectType_OpaqueObject, 0, KLM_SLICE(much, n));
}

TEST(material_of_any_size_is_sealed_by_the_token)
{
    static const size_t sizes[] = {0, 1, 32, 4096, 4097, 8192, KR_MATERIAL_MAX};
    struct kr_master *master = strict_master();

    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        struct kr_material *material = opaque_of(sizes[i]), *again = NULL;
        struct klm_slice token;

        seals = unseals = 0;
        token = sealed(master, material);
        CHECK_INT(seals, 1);
        REQUIRE_OK(kr_material_open(master, LABEL, token, &again));
        CHECK_INT(unseals, 1);
        CHECK(kr_material_same(material, again));
        CHECK(kr_token_is_material(token));
        kr_material_free(&again);
        kr_material_free(&material);
    }
    CHECK(largest < 1024); /* the material itself is never sent */
    kr_master_free(&master);
}

TEST(any_changed_byte_is_found)
{
    struct kr_master *master = strict_master();
    struct kr_material *material = symmetric_of(ALG(AES), "0123456789abcdef", 16), *again = NULL;
    const struct klm_slice good = sealed(master, material);

    for (size_t i = 0; i < good.n; i++) {
        uint8_t *p = copy_of(good);
        klm_rc rc;

        p[i] ^= 0x40;
        rc = kr_material_open(master, LABEL, KLM_SLICE(p, good.n), &again);
        CHECK(rc == (i == 4 || i == 5   ? KLM_E_UNSUPPORTED
                     : i >= 9 && i < 17 ? KLM_E_WRONGKEY
                                        : KLM_E_CORRUPT));
        CHECK(again == NULL);
        CHECK(kr_material_open(master, LABEL, KLM_SLICE(good.p, i), &again) == KLM_E_CORRUPT);
    }
    CHECK_RC(kr_material_open(master, "KMIP.other", good, &again), KLM_E_CORRUPT);
    kr_material_free(&material);
    kr_master_free(&master);
}

TEST(without_the_token_nothing_is_sealed_or_opened)
{
    struct kr_master *master = strict_master();
    struct kr_material *material = symmetric_of(ALG(AES), "0123456789abcdef", 16), *again = NULL;
    const struct klm_slice good = sealed(master, material);
    struct klm_buf buf;

    gone = true;
    klm_buf_init(&buf, ST_RECORD_MAX);
    CHECK_RC(kr_material_seal(master, LABEL, material, &buf), KLM_E_STATE);
    CHECK_INT(buf.n, 0);
    CHECK_RC(kr_material_open(master, LABEL, good, &again), KLM_E_STATE);
    gone = false;
    REQUIRE_OK(kr_material_open(master, LABEL, good, &again));
    kr_material_free(&again);
    kr_material_free(&material);
    klm_buf_done(&buf);
    kr_master_free(&master);
}

TEST(material_goes_between_a_strict_master_key_and_one_in_a_file)
{
    struct kr_master *strict = strict_master(), *file = master_of(0);
    struct kr_material *material = opaque_of(20000), *again = NULL;
    struct klm_buf there, back;

    klm_buf_init(&there, ST_RECORD_MAX);
    klm_buf_init(&back, ST_RECORD_MAX);
    REQUIRE_OK(kr_token_rewrap(file, strict, LABEL, sealed(file, material), &there));
    CHECK_RC(kr_material_open(file, LABEL, klm_buf_as_slice(&there), &again), KLM_E_WRONGKEY);
    REQUIRE_OK(kr_token_rewrap(strict, file, LABEL, klm_buf_as_slice(&there), &back));
    REQUIRE_OK(kr_material_open(file, LABEL, klm_buf_as_slice(&back), &again));
    CHECK(kr_material_same(material, again));
    kr_material_free(&again);
    kr_material_free(&material);
    klm_buf_done(&there);
    klm_buf_done(&back);
    kr_master_free(&strict);
    kr_master_free(&file);
}

TEST(keys_are_sealed_as_before)
{
    struct kr_master *master = strict_master();
    struct kr_key *key = NULL, *again = NULL;
    struct klm_buf buf;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_RSA, 4096}, &key));
    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(kr_token_seal(master, "A.KEY", key, &buf));
    REQUIRE_OK(kr_token_open(master, "A.KEY", klm_buf_as_slice(&buf), &again));
    CHECK_INT(EVP_PKEY_eq(kr_key_pkey(key), kr_key_pkey(again)), 1);
    kr_key_free(&key);
    kr_key_free(&again);
    klm_buf_done(&buf);
    kr_master_free(&master);
}
