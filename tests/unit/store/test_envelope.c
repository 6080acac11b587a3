/* The envelope of records. The vectors were made with Python's hmac module, not by this code. */
#include "store/envelope.h"

#include "base/buf.h"
#include "test.h"

/* HMAC key 00 01 .. 1f. */
#define DRIVE_SEALED "00012436a552144c7dc20d9a4b3bcec83f5141207265636f7264206f662061206472697665"
#define EMPTY_SEALED "0001469848eb425f82b09ee789387639fa8e"
#define NEWER_SEALED "00022cccdd63fe8a0c59facb841a5dc041a141207265636f7264206f662061206472697665"
#define VERIFIER "d1fc37de651f8e2ae59321db60a06f3ccbe4a383003935e1b244cf2f5ef373f9"

static struct st_mac *vector_mac(uint8_t first)
{
    struct st_mac *mac = NULL;
    uint8_t key[32];

    for (unsigned i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)(first + i);
    }
    REQUIRE_OK(st_mac_new(key, &mac));
    return mac;
}

static struct klm_slice bytes(const char *hex, uint8_t out[128])
{
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, out, 128, &n));
    return KLM_SLICE(out, n);
}

static const struct klm_slice serial = {(const uint8_t *)"000123456789", 12};
static const struct klm_slice record = {(const uint8_t *)"A record of a drive", 19};

TEST(sealing_gives_the_bytes_of_the_vectors)
{
    struct st_mac *mac = vector_mac(0);
    struct klm_pool *pool = NULL;
    struct klm_slice sealed, want;
    uint8_t buf[128];

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_seal(mac, ST_DRIVE, serial, record, pool, &sealed));
    want = bytes(DRIVE_SEALED, buf);
    CHECK_INT(sealed.n, want.n);
    CHECK_MEM(sealed.p, want.p, want.n);
    REQUIRE_OK(st_seal(mac, ST_USAGE, KLM_SLICE("\0\0\0\0\0\0\0\1", 8), KLM_SLICE(NULL, 0), pool,
                       &sealed));
    want = bytes(EMPTY_SEALED, buf);
    CHECK_INT(sealed.n, ST_ENVELOPE);
    CHECK_MEM(sealed.p, want.p, want.n);
    klm_pool_free(&pool);
    st_mac_free(&mac);
    st_mac_free(&mac);
}

TEST(the_verifier_is_that_of_the_vector)
{
    struct st_mac *mac = vector_mac(0);
    uint8_t id[16], got[ST_VERIFIER], buf[128];

    for (unsigned i = 0; i < sizeof id; i++) {
        id[i] = (uint8_t)(100 + i);
    }
    st_mac_verifier(mac, id, got);
    CHECK_MEM(got, bytes(VERIFIER, buf).p, sizeof got);
    st_mac_free(&mac);
}

TEST(only_the_right_key_table_and_name_open_a_record)
{
    struct st_mac *mac = vector_mac(0), *other = vector_mac(1);
    uint8_t buf[128];
    struct klm_slice sealed = bytes(DRIVE_SEALED, buf), got = {NULL, 0};

    CHECK_RC(st_unseal(mac, ST_DRIVE, serial, sealed, &got), KLM_OK);
    CHECK_INT(got.n, record.n);
    CHECK_MEM(got.p, record.p, record.n);
    CHECK_RC(st_unseal(other, ST_DRIVE, serial, sealed, &got), KLM_E_CORRUPT);
    CHECK_RC(st_unseal(mac, ST_PENDING, serial, sealed, &got), KLM_E_CORRUPT);
    CHECK_RC(st_unseal(mac, ST_DRIVE, klm_slice_str("000123456788"), sealed, &got), KLM_E_CORRUPT);
    CHECK_RC(st_unseal(mac, ST_DRIVE, KLM_SLICE(NULL, 0), sealed, &got), KLM_E_CORRUPT);
    st_mac_free(&mac);
    st_mac_free(&other);
}

TEST(every_flipped_bit_and_every_cut_is_found)
{
    struct st_mac *mac = vector_mac(0);
    uint8_t buf[128] = {0};
    struct klm_slice sealed = bytes(DRIVE_SEALED, buf), got = {NULL, 0};

    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK_RC(st_unseal(mac, ST_DRIVE, serial, sealed, &got), KLM_E_CORRUPT);
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t n = 0; n < sealed.n; n++) {
        CHECK_RC(st_unseal(mac, ST_DRIVE, serial, KLM_SLICE(buf, n), &got), KLM_E_CORRUPT);
    }
    CHECK_RC(st_unseal(mac, ST_DRIVE, serial, KLM_SLICE(buf, sealed.n + 1), &got), KLM_E_CORRUPT);
    CHECK(got.p == NULL);
    st_mac_free(&mac);
}

TEST(a_record_of_a_newer_schema_is_not_taken_for_damaged)
{
    struct st_mac *mac = vector_mac(0);
    uint8_t buf[128];
    struct klm_slice got = {NULL, 0};

    CHECK_RC(st_unseal(mac, ST_DRIVE, serial, bytes(NEWER_SEALED, buf), &got), KLM_E_UNSUPPORTED);
    CHECK(got.p == NULL);
    st_mac_free(&mac);
}
