/* Helpers of the tests of cryptographic operations: the vectors of tests/keyring/crypto_vectors.py, and keys out of bytes. */
#ifndef TESTS_KEYRING_CRYPT_H
#define TESTS_KEYRING_CRYPT_H

#include "help.h"

#include "keyring/crypto.h"

#define ALG(name) KMIP_CryptographicAlgorithm_##name
#define MODE(name) KMIP_BlockCipherMode_##name
#define PAD(name) KMIP_PaddingMethod_##name
#define HASH(name) KMIP_HashingAlgorithm_##name
#define SIGNATURE(name) KMIP_DigitalSignatureAlgorithm_##name
#define NONE KLM_SLICE(NULL, 0)
#define HOW(...) (&(struct kr_crypt){.salt_length = -1, __VA_ARGS__}) /* a counter begins with 0 */
#define IN(...) (&(struct kr_cipher_in){__VA_ARGS__})

/* Bytes written in hex; "-" and "" for none. */
static UNUSED struct klm_slice hex(const char *text)
{
    size_t room = strlen(text) / 2, n = 0;
    uint8_t *p;

    if (!text[0] || strcmp(text, "-") == 0) {
        return NONE;
    }
    p = klm_pool_alloc(test_pool(), room);
    REQUIRE(p != NULL);
    REQUIRE_OK(klm_unhex(text, p, room, &n));
    return KLM_SLICE(p, n);
}

/* A name of KMIP's, "-" for none. */
static UNUSED uint32_t value(enum kmip_enum set, const char *name)
{
    uint32_t code = 0;

    if (strcmp(name, "-") != 0) {
        REQUIRE_OK(kmip_value_find(set, name, &code));
    }
    return code;
}

static UNUSED struct kr_material *key_of(uint32_t object, uint32_t format, uint32_t algorithm,
                                         struct klm_slice bytes)
{
    struct kr_material_spec spec = {.object = object, .format = format, .algorithm = algorithm};
    struct kr_material *key = NULL;

    REQUIRE_OK(kr_material_new(&spec, bytes, &key));
    return key;
}

static UNUSED struct kr_material *symmetric(uint32_t algorithm, struct klm_slice bytes)
{
    return key_of(KMIP_ObjectType_SymmetricKey, KMIP_KeyFormatType_Raw, algorithm, bytes);
}

/* n bytes of a value. */
static UNUSED struct klm_slice bytes(uint8_t of, size_t n)
{
    uint8_t *p = klm_pool_alloc(test_pool(), n + 1);

    REQUIRE(p != NULL);
    memset(p, of, n);
    return KLM_SLICE(p, n);
}

#define CHECK_SLICE(got, expected)                                                                 \
    do {                                                                                           \
        struct klm_slice got_ = (got), expected_ = (expected);                                     \
        CHECK_INT(got_.n, expected_.n);                                                            \
        if (got_.n == expected_.n && got_.n) {                                                     \
            CHECK_MEM(got_.p, expected_.p, got_.n);                                                \
        }                                                                                          \
    } while (0)

/* Call check with the fields of each line of a kind; how many there were. */
#define FIELDS 12
static UNUSED size_t vectors(const char *kind, void (*check)(char *const f[FIELDS]))
{
    static struct klm_slice file;
    char *text, *line, *next;
    size_t n = 0;

    if (!file.p) {
        file = load(GOLDEN "crypto.txt");
    }
    text = (char *)copy_of(file);
    for (line = text; *line; line = next) {
        char *f[FIELDS] = {line};

        next = line + strcspn(line, "\n");
        if (*next) {
            *next++ = 0;
        }
        for (size_t i = 1; i < FIELDS && f[i - 1]; i++) {
            char *blank = strchr(f[i - 1], ' ');

            if (blank) {
                *blank = 0;
                f[i] = blank + 1;
            }
        }
        if (strcmp(f[0], kind) == 0) {
            check(f);
            n++;
        }
    }
    return n;
}

/* The private keys of the file, by name, made once; and the public key of one. */
static UNUSED struct kr_material *kept[16];
static UNUSED const char *kept_names[16];
static UNUSED size_t kept_n;
static UNUSED void keep_key(char *const f[FIELDS])
{
    REQUIRE(kept_n < KLM_COUNT(kept));
    kept_names[kept_n] = klm_pool_str(test_pool(), f[1]);
    kept[kept_n++] =
        key_of(KMIP_ObjectType_PrivateKey, value(KMIP_E_KeyFormatType, f[2]), 0, hex(f[3]));
}

static UNUSED struct kr_material *private_key(const char *name)
{
    if (!kept_n) {
        CHECK(vectors("key", keep_key) > 0);
    }
    for (size_t i = 0; i < kept_n; i++) {
        if (strcmp(kept_names[i], name) == 0) {
            return kept[i];
        }
    }
    REQUIRE(false);
    return NULL;
}

static UNUSED __attribute__((destructor)) void forget_keys(void)
{
    for (size_t i = 0; i < kept_n; i++) {
        kr_material_free(&kept[i]);
    }
}

/* The caller frees it. */
static UNUSED struct kr_material *public_key(const char *name)
{
    struct kr_material *out = NULL;

    REQUIRE_OK(kr_material_public(private_key(name), &out));
    return out;
}

/* A line of a cipher. */
struct cipher_line {
    struct kr_crypt how;
    struct kr_cipher_in in; /* of encryption */
    struct klm_slice out, tag;
    uint32_t algorithm;
    struct klm_slice key;
};
static UNUSED struct cipher_line cipher_line(char *const f[FIELDS])
{
    struct cipher_line line = {.how = KR_CRYPT_NONE,
                               .algorithm = value(KMIP_E_CryptographicAlgorithm, f[1])};

    line.how.mode = value(KMIP_E_BlockCipherMode, f[2]);
    line.how.padding = value(KMIP_E_PaddingMethod, f[3]);
    line.key = hex(f[4]);
    line.in = (struct kr_cipher_in){.iv = hex(f[5]), .aad = hex(f[6]), .data = hex(f[7])};
    line.out = hex(f[8]);
    line.tag = hex(f[9]);
    line.how.tag_length = (uint32_t)line.tag.n;
    return line;
}

static UNUSED bool is_legacy(uint32_t algorithm)
{
    return algorithm == ALG(DES) || algorithm == ALG(SEED) || algorithm == ALG(Blowfish) ||
           algorithm == ALG(CAST5);
}

#endif
