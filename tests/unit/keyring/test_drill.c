/* Drills: a proof is right only from who has the key, in its own session; nothing of a drill opens as an EEDK, and no EEDK as a
 * challenge. */
#include "site.h"

#include "keyring/material.h"

static const struct kr_spec kinds[] = {{KR_RSA, 2048}, {KR_EC, 256}, {KR_EC, 384}};

struct asked {
    uint8_t challenge[KR_WRAPPED_MAX], expected[KR_PROOF];
    size_t n;
};

static const struct kr_label *label_of(const struct kr_open_ring *ring, const char *name)
{
    const struct kr_label *label = NULL;

    REQUIRE_OK(kr_label_find(ring, name, &label));
    return label;
}

static struct asked ask(const struct kr_label *label, const char *transcript)
{
    struct asked asked = {.n = 0};

    REQUIRE_OK(
        kr_drill_ask(label, klm_slice_str(transcript), asked.challenge, &asked.n, asked.expected));
    return asked;
}

static klm_rc prove(const struct kr_label *label, const char *transcript, const struct asked *asked,
                    uint8_t proof[KR_PROOF])
{
    return kr_drill_answer(label, klm_slice_str(transcript), KLM_SLICE(asked->challenge, asked->n),
                           proof);
}

TEST(who_has_the_key_proves_it_and_nobody_else_does)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        struct site site = site_new();
        struct made a = make_cert("CN=a", kinds[i], KR_ROLE_LABEL, NULL),
                    b = make_cert("CN=b", kinds[i], KR_ROLE_LABEL, NULL),
                    without = make_keyless("CN=c", kinds[i], KR_ROLE_LABEL);
        struct kr_open_ring *ring;
        struct asked asked;
        uint8_t proof[KR_PROOF] = {0}, nothing[KR_PROOF] = {0};

        put_cert(&site, &a, PERSONAL("a"), KR_TRUST);
        put_cert(&site, &b, PERSONAL("b"), KR_TRUST);
        put_cert(&site, &without, PERSONAL("c"), KR_TRUST);
        ring = ring_of(&site);
        asked = ask(label_of(ring, "a"), "one");
        CHECK_RC(prove(label_of(ring, "b"), "one", &asked, proof), KLM_E_CRYPTO);
        CHECK_RC(prove(label_of(ring, "a"), "two", &asked, proof), KLM_E_CRYPTO);
        CHECK_RC(prove(label_of(ring, "c"), "one", &asked, proof), KLM_E_NOTFOUND);
        asked.challenge[asked.n - 1] ^= 1;
        CHECK_RC(prove(label_of(ring, "a"), "one", &asked, proof), KLM_E_CRYPTO);
        asked.challenge[asked.n - 1] ^= 1;
        asked.n--;
        CHECK_RC(prove(label_of(ring, "a"), "one", &asked, proof), KLM_E_CRYPTO);
        asked.n++;
        CHECK_MEM(proof, nothing, sizeof proof);
        CHECK_RC(prove(label_of(ring, "a"), "one", &asked, proof), KLM_OK);
        CHECK_MEM(proof, asked.expected, sizeof proof);
        kr_open_ring_free(&ring);
        kr_key_free(&a.key);
        kr_key_free(&b.key);
        site_done(&site);
    }
}

TEST(each_challenge_has_a_secret_of_its_own)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", kinds[1], KR_ROLE_LABEL, NULL);
    struct kr_open_ring *ring;
    struct asked one, two;
    uint8_t proof[KR_PROOF];

    put_cert(&site, &a, PERSONAL("a"), KR_TRUST);
    ring = ring_of(&site);
    one = ask(label_of(ring, "a"), "same");
    two = ask(label_of(ring, "a"), "same");
    CHECK(memcmp(one.expected, two.expected, KR_PROOF) != 0);
    CHECK_RC(prove(label_of(ring, "a"), "same", &one, proof), KLM_OK);
    CHECK(memcmp(proof, two.expected, KR_PROOF) != 0); /* an answer seen before is none */
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    site_done(&site);
}

/* Contexts as EEDKs have them: by label, by hash; and none at all. */
static const struct klm_slice eedk_contexts[] = {
    {(const uint8_t *)"EEDK\x01\x01\x4c\x01"
                      "a",
     9},
    {(const uint8_t *)"EEDK\x01\x01\x48\x20"
                      "0123456789abcdef0123456789abcdef",
     40},
    {(const uint8_t *)"", 0},
};

TEST(a_challenge_does_not_open_as_an_eedk_nor_an_eedk_as_a_challenge)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        struct site site = site_new();
        struct made a = make_cert("CN=a", kinds[i], KR_ROLE_LABEL, NULL);
        struct kr_key *data_key = NULL, *opened = NULL;
        struct kr_open_ring *ring;
        struct asked asked;
        uint8_t proof[KR_PROOF];

        put_cert(&site, &a, PERSONAL("a"), KR_TRUST);
        ring = ring_of(&site);
        REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &data_key));
        for (size_t c = 0; c < KLM_COUNT(eedk_contexts); c++) {
            struct asked eedk = {.n = 0};

            asked = ask(label_of(ring, "a"), "session");
            CHECK_RC(kr_unwrap(label_of(ring, "a"), eedk_contexts[c],
                               KLM_SLICE(asked.challenge, asked.n), &opened),
                     KLM_E_CRYPTO);
            REQUIRE_OK(
                kr_wrap(label_of(ring, "a"), eedk_contexts[c], data_key, eedk.challenge, &eedk.n));
            CHECK_RC(prove(label_of(ring, "a"), "session", &eedk, proof), KLM_E_CRYPTO);
        }
        CHECK(opened == NULL);
        kr_key_free(&data_key);
        kr_open_ring_free(&ring);
        kr_key_free(&a.key);
        site_done(&site);
    }
}

/* Made with Python: hkdf(bytes(range(32)), info=b"klmsrv drill master 1"), then
 * hmac(that, b"klmsrv drill proof 1\0" + sha256(b"transcript")). */
TEST(the_proof_of_a_master_key_is_what_python_makes_of_it)
{
    struct kr_master *master = master_of(0), *other = master_of(1);
    uint8_t proof[KR_PROOF], others[KR_PROOF], golden[KR_PROOF];
    size_t n = 0;

    REQUIRE_OK(klm_unhex("8c82e4a0aca779a229bf06f7169209e1bce260b8e41d967f6bac28a6c7b72acb", golden,
                         sizeof golden, &n));
    REQUIRE_OK(kr_drill_master(master, klm_slice_str("transcript"), KLM_SLICE(NULL, 0), proof));
    CHECK_MEM(proof, golden, sizeof golden);
    REQUIRE_OK(kr_drill_master(other, klm_slice_str("transcript"), KLM_SLICE(NULL, 0), others));
    CHECK(memcmp(proof, others, sizeof proof) != 0);
    REQUIRE_OK(kr_drill_master(master, klm_slice_str("transcripu"), KLM_SLICE(NULL, 0), others));
    CHECK(memcmp(proof, others, sizeof proof) != 0);
    kr_master_free(&master);
    kr_master_free(&other);
}

TEST(a_stored_key_is_proved_without_being_shown)
{
    struct kr_key *a = NULL, *b = NULL, *small = NULL;
    uint8_t one[KR_PROOF], two[KR_PROOF];

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &a));
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &b));
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 128}, &small));
    REQUIRE_OK(kr_drill_stored(a, klm_slice_str("t"), one));
    REQUIRE_OK(kr_drill_stored(a, klm_slice_str("t"), two));
    CHECK_MEM(one, two, sizeof one);
    REQUIRE_OK(kr_drill_stored(b, klm_slice_str("t"), two));
    CHECK(memcmp(one, two, sizeof one) != 0);
    CHECK_RC(kr_drill_stored(small, klm_slice_str("t"), two), KLM_E_UNSUPPORTED);
    kr_key_free(&a);
    kr_key_free(&b);
    kr_key_free(&small);
}

static struct kr_material *material_of(uint32_t algorithm, uint32_t bits, const uint8_t *bytes,
                                       size_t n)
{
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_SymmetricKey,
                                          .format = KMIP_KeyFormatType_Raw,
                                          .algorithm = algorithm,
                                          .bits = bits};
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_new(&spec, KLM_SLICE(bytes, n), &material));
    return material;
}

TEST(a_managed_object_is_proved_without_being_shown)
{
    /* Made with Python's hmac and hashlib by the description in replication/PROTOCOL.md, for a key of 32 times 2A and transcript "transcript". */
    static const uint8_t golden[KR_PROOF] = {0xBB, 0x68, 0xAE, 0x0A, 0x04, 0x85, 0x7B, 0xFF,
                                             0x99, 0xE5, 0x2E, 0xCF, 0xE2, 0xC2, 0x14, 0x7E,
                                             0xF1, 0xFD, 0x23, 0x37, 0x9A, 0x02, 0x87, 0x64,
                                             0x6D, 0x7D, 0x81, 0xA9, 0x93, 0x62, 0x6B, 0xBC};
    struct kr_material *a, *b, *small;
    uint8_t key[32], one[KR_PROOF], two[KR_PROOF];

    memset(key, 0x2A, sizeof key);
    a = material_of(KMIP_CryptographicAlgorithm_AES, 256, key, 32);
    small = material_of(KMIP_CryptographicAlgorithm_AES, 128, key, 16);
    key[31] ^= 1;
    b = material_of(KMIP_CryptographicAlgorithm_AES, 256, key, 32);
    REQUIRE_OK(kr_drill_object(a, klm_slice_str("transcript"), one));
    CHECK_MEM(one, golden, sizeof golden);
    REQUIRE_OK(kr_drill_object(b, klm_slice_str("transcript"), two));
    CHECK(memcmp(one, two, sizeof one) != 0);
    REQUIRE_OK(kr_drill_object(a, klm_slice_str("transcripu"), two));
    CHECK(memcmp(one, two, sizeof one) != 0);
    CHECK_RC(kr_drill_object(small, klm_slice_str("transcript"), two), KLM_E_UNSUPPORTED);
    kr_material_free(&a);
    kr_material_free(&b);
    kr_material_free(&small);
}
