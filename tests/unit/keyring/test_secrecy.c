/* Where clear keys stand: the process's own memory is searched for pieces of a private key that
 * was opened, used and freed. Outside of secret memory there must be none, neither as bytes of
 * the file form nor as numbers. (OpenSSL keeps the two primes of an RSA key in use once more, as
 * numbers, for its arithmetic; keyring/TOKEN.md says so. The private exponent and all encodings
 * are never outside.) */
#include "site.h"

#include "keyring/crypto.h"
#include "keyring/material.h"
#include "tests/unit/peek.h"

#include "base/secret.h"

#include <openssl/crypto.h>

#define PIECE 32
#define PIECES 64
#define CHUNK 65536
#define REGION_MAX ((size_t)256 << 20) /* larger ones belong to sanitizers */

static uint8_t *pieces, *chunk; /* in secret memory */
static size_t pieces_n;
static bool heads[256][256]; /* the first two bytes of a piece, so that a search is quick */

/* Places of pieces in what is a copy of the memory at an address. The copy is this thread's alone: to have each byte of all memory watched
 * for other threads takes minutes. */
__attribute__((no_sanitize("thread"))) static unsigned count_copy(const uint8_t *copy, size_t n,
                                                                  uintptr_t at)
{
    unsigned found = 0;

    for (size_t k = 0; k + PIECE <= n; k++) {
        for (size_t i = 0; heads[copy[k]][copy[k + 1]] && i < pieces_n; i++) {
            found += memcmp(copy + k, pieces + i * PIECE, PIECE) == 0 &&
                     !CRYPTO_secure_allocated((const void *)(at + k));
        }
    }
    return found;
}

/* The copy stands in secret memory, where it is not found. */
static unsigned count(uintptr_t from, uintptr_t end)
{
    unsigned found = 0;

    for (uintptr_t at = from; at + PIECE <= end; at += CHUNK - PIECE + 1) {
        ssize_t got = test_peek(at, chunk, end - at < CHUNK ? end - at : CHUNK);

        found += got > 0 ? count_copy(chunk, (size_t)got, at) : 0;
    }
    return found;
}

static unsigned found_outside(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], modes[8];
    unsigned long from, end;
    unsigned found = 0;

    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &end, modes) == 3 && modes[0] == 'r' &&
            modes[1] == 'w' && end - from <= REGION_MAX) {
            found += count(from, end);
        }
    }
    (void)fclose(maps);
    return found;
}

static void add_piece(const uint8_t *p, bool as_number)
{
    uint8_t *to = pieces + pieces_n++ * PIECE;

    REQUIRE(pieces_n <= PIECES);
    for (size_t i = 0; i < PIECE; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        to[i] = as_number ? p[PIECE - 1 - i] : p[i];
#else
        to[i] = as_number ? p[(PIECE / 8 - 1 - i / 8) * 8 + i % 8] : p[i];
#endif
    }
    heads[to[0]][to[1]] = true;
}

/* The golden private key straight into secret memory; the private exponent begins at 277 (a
 * modulus of 257 bytes, an exponent of 3, heads). */
static void take_pieces(void)
{
    uint8_t *der = klm_secret_alloc(4096);
    int fd = open(GOLDEN "rsa2048.der", O_RDONLY);
    ssize_t n;

    REQUIRE(der != NULL && fd >= 0);
    n = read(fd, der, 4096);
    (void)close(fd);
    REQUIRE(n > 1100 && der[273] == 0x02 && der[274] == 0x82 && der[275] == 0x01);
    pieces = klm_secret_alloc((size_t)PIECES * PIECE);
    chunk = klm_secret_alloc(CHUNK);
    REQUIRE(pieces != NULL && chunk != NULL);
    for (ssize_t at = 280; at + PIECE < n; at += 64) {
        add_piece(der + at, false);
    }
    for (size_t i = 0; i < 4; i++) {
        /* From the low end of the number in whole words; its length does not matter then. */
        size_t low = 277 + (der[276] == 1 ? 257 : der[276] == 0 ? 256 : der[276]);

        add_piece(der + low - PIECE - i * 40, true);
    }
    klm_secret_free(der, 4096);
}

static void searching(void)
{
    if (!pieces) {
        take_pieces();
    }
}

TEST(a_search_finds_what_is_there)
{
    uint8_t *copy = malloc(PIECE);

    searching();
    REQUIRE(copy != NULL);
    CHECK_INT(found_outside(), 0);
    memcpy(copy, pieces + PIECE, PIECE);
    CHECK_INT(found_outside(), 1);
    klm_wipe(copy, PIECE);
    free(copy);
    CHECK_INT(found_outside(), 0);
}

TEST(a_private_key_that_is_opened_used_sealed_and_freed_never_stands_outside_of_secret_memory)
{
    struct site site = site_new();
    struct st_change *change = change_new(site.store);
    struct kr_open_ring *ring;
    struct kr_key *key = NULL, *opened = NULL;
    const struct kr_label *label = NULL;
    struct klm_slice der;

    searching();
    REQUIRE_OK(kr_cert_parse(load(GOLDEN "rsa2048.pem"), test_pool(), &der, NULL));
    REQUIRE_OK(kr_token_put(change, "ITOPS.KLM20.CERT", load(GOLDEN "token-rsa2048.bin"), false));
    REQUIRE_OK(kr_cert_add(change, &(struct kr_cert){.owner = "TAPEKMS",
                                                     .label = "x",
                                                     .der = der,
                                                     .trust = KR_TRUST,
                                                     .token_label = "ITOPS.KLM20.CERT"}));
    REQUIRE_OK(kr_ring_connect(change, "TAPEKMS", "R", &PERSONAL("x")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    ring = ring_of(&site);
    CHECK_INT(found_outside(), 0);
    REQUIRE_OK(kr_label_find(ring, "x", &label));
    REQUIRE_OK(kr_unwrap(label, KLM_SLICE("\x45\x45\x44\x4b\x01\x01\x00\x04test", 12),
                         load(GOLDEN "wrapped-rsa2048.bin"), &key));
    CHECK_INT(found_outside(), 0);
    REQUIRE_OK(
        kr_token_open(site.master, "ITOPS.KLM20.CERT", load(GOLDEN "token-rsa2048.bin"), &opened));
    change = change_new(site.store);
    put_token(change, site.master, "AGAIN", opened);
    REQUIRE_OK(st_change_commit(&change, NULL));
    CHECK_INT(found_outside(), 0);
    kr_key_free(&key);
    kr_key_free(&opened);
    kr_open_ring_free(&ring);
    kr_thread_forget();
    CHECK_INT(found_outside(), 0);
    site_done(&site);
}

/* The golden private key, in secret memory from the file on. */
static struct kr_material *golden_material(void)
{
    uint8_t *der = klm_secret_alloc(4096);
    const int fd = open(GOLDEN "rsa2048.der", O_RDONLY);
    struct kr_material *material = NULL;
    ssize_t n;

    REQUIRE(der != NULL && fd >= 0);
    n = read(fd, der, 4096);
    (void)close(fd);
    REQUIRE(n > 0);
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_PrivateKey,
                                                          .format = KMIP_KeyFormatType_PKCS_1},
                               KLM_SLICE(der, n), &material));
    klm_secret_free(der, 4096);
    return material;
}

TEST(a_managed_private_key_that_is_taken_converted_sealed_and_opened_never_stands_outside)
{
    static const uint32_t formats[] = {KMIP_KeyFormatType_PKCS_8,
                                       KMIP_KeyFormatType_TransparentRSAPrivateKey,
                                       KMIP_KeyFormatType_PKCS_1};
    struct kr_master *master = master_of(0);
    struct kr_material *material = golden_material();
    struct klm_buf token;

    searching();
    klm_buf_init(&token, 65536);
    CHECK_INT(found_outside(), 0);
    for (size_t i = 0; i < KLM_COUNT(formats); i++) {
        struct kr_material *to = NULL;

        REQUIRE_OK(kr_material_convert(material, formats[i], 0, &to));
        CHECK_INT(found_outside(), 0);
        kr_material_free(&material);
        material = to;
    }
    REQUIRE_OK(kr_material_seal(master, "L", material, &token));
    kr_material_free(&material);
    REQUIRE_OK(kr_material_open(master, "L", klm_buf_as_slice(&token), &material));
    CHECK_INT(found_outside(), 0);
    kr_material_free(&material);
    CHECK_INT(found_outside(), 0);
    klm_buf_done(&token);
    kr_master_free(&master);
}

TEST(a_managed_private_key_that_decrypted_and_signed_never_stands_outside)
{
    static const uint32_t paddings[] = {KMIP_PaddingMethod_PKCS1V1_5, KMIP_PaddingMethod_OAEP,
                                        KMIP_PaddingMethod_PSS};
    struct kr_material *key = golden_material();

    searching();
    for (size_t i = 0; i < KLM_COUNT(paddings); i++) {
        struct kr_crypt how = KR_CRYPT_NONE;
        struct kr_cipher_out sealed = {0}, clear = {0};
        struct klm_slice data = klm_slice_str("some data"), made = {0};

        how.padding = paddings[i];
        if (paddings[i] != KMIP_PaddingMethod_PSS) {
            struct kr_cipher_in in = {.data = data};

            REQUIRE_OK(kr_encrypt(key, &how, &in, test_pool(), &sealed));
            in.data = sealed.data;
            REQUIRE_OK(kr_decrypt(key, &how, &in, test_pool(), &clear));
        }
        if (paddings[i] != KMIP_PaddingMethod_OAEP) {
            REQUIRE_OK(kr_material_sign(key, &how, data, false, test_pool(), &made));
        }
    }
    CHECK_INT(found_outside(), 0);
    kr_material_free(&key);
    kr_thread_forget();
    CHECK_INT(found_outside(), 0);
}

/* A key of 32 bytes, which is the piece; it came straight from secret memory. */
static struct kr_material *piece_as_key(void)
{
    struct kr_material *key = NULL;

    searching();
    memset(heads, 0, sizeof heads);
    pieces_n = 0;
    for (size_t i = 0; i < PIECE; i++) {
        chunk[i] = (uint8_t)(0x35 + 5 * i);
    }
    add_piece(chunk, false);
    REQUIRE_OK(
        kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_SymmetricKey,
                                                   .format = KMIP_KeyFormatType_Raw,
                                                   .algorithm = KMIP_CryptographicAlgorithm_AES},
                        KLM_SLICE(chunk, PIECE), &key));
    klm_wipe(chunk, PIECE);
    return key;
}

/* While a stream runs, OpenSSL has the key in its context; at its end, and of every one-shot operation, nothing is left. */
TEST(a_managed_symmetric_key_that_was_used_stands_nowhere_outside_afterwards)
{
    static const uint32_t modes[] = {KMIP_BlockCipherMode_CBC, KMIP_BlockCipherMode_GCM,
                                     KMIP_BlockCipherMode_CCM, KMIP_BlockCipherMode_NISTKeyWrap};
    struct kr_material *key = piece_as_key();
    uint8_t data[32] = {1}, iv[16] = {2};

    for (size_t i = 0; i < KLM_COUNT(modes); i++) {
        bool short_iv = modes[i] == KMIP_BlockCipherMode_CCM;
        struct kr_cipher_in in = {.data = KLM_SLICE(data, 32),
                                  .iv = KLM_SLICE(iv, short_iv ? 12 : 16)};
        struct kr_crypt how = KR_CRYPT_NONE;
        struct kr_cipher_out out = {0};
        struct kr_stream *stream = NULL;
        struct klm_slice part;

        how.mode = modes[i];
        in.iv.n = modes[i] == KMIP_BlockCipherMode_NISTKeyWrap ? 0 : in.iv.n;
        REQUIRE_OK(kr_encrypt(key, &how, &in, test_pool(), &out));
        REQUIRE_OK(kr_stream_new(KR_STREAM_ENCRYPT, key, &how, &in, test_pool(), &part, &stream));
        REQUIRE_OK(kr_stream_update(stream, in.data, test_pool(), &part));
        kr_stream_free(&stream);
        CHECK_INT(found_outside(), 0);
    }
    for (uint32_t hash = 0; hash <= KMIP_HashingAlgorithm_SHA_256;
         hash += KMIP_HashingAlgorithm_SHA_256) { /* CMAC, HMAC */
        struct kr_crypt how = KR_CRYPT_NONE;
        struct klm_slice made;

        how.hash = hash;
        REQUIRE_OK(kr_mac(key, &how, KLM_SLICE(data, 32), test_pool(), &made));
        CHECK_INT(found_outside(), 0);
    }
    kr_material_free(&key);
    CHECK_INT(found_outside(), 0);
}

TEST(a_data_key_that_was_unwrapped_and_wrapped_never_stands_outside_of_secret_memory)
{
    struct site site = site_new();
    struct kr_key *key = NULL;
    uint8_t session[32] = {1}, wrapped[40];

    searching();
    pieces_n = 1;
    for (size_t i = 0; i < PIECE; i++) {
        pieces[i] = (uint8_t)(0xa0 + i);
    }
    REQUIRE_OK(kr_token_open(site.master, "AES.KEY", load(GOLDEN "token-aes256.bin"), &key));
    REQUIRE_OK(kr_wrap_session(key, session, wrapped));
    CHECK_INT(found_outside(), 0);
    kr_key_free(&key);
    kr_thread_forget();
    CHECK_INT(found_outside(), 0);
    site_done(&site);
}
