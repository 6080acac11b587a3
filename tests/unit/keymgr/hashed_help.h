/* Hashed passwords as a client makes them, by OpenSSL alone (KMIP 2.1, 9.11 and 8.5), with SHA-256. */
#ifndef TESTS_UNIT_KEYMGR_HASHED_HELP_H
#define TESTS_UNIT_KEYMGR_HASHED_HELP_H

#include "keymgr/km_help.h"

#include "base/pool.h"

#include <openssl/sha.h>
#include <string.h>

struct hashed_parts {
    uint8_t s1[32], s2[32], time[8];
};

static UNUSED void hashed_join(const void *a, size_t an, const void *b, size_t bn, uint8_t out[32])
{
    uint8_t both[512];

    REQUIRE(an + bn <= sizeof both);
    memcpy(both, a, an);
    memcpy(both + an, b, bn);
    SHA256(both, an + bn, out);
}

static UNUSED struct hashed_parts hashed_parts(const char *user, const char *password,
                                               int64_t stamp)
{
    struct hashed_parts parts;

    hashed_join(user, strlen(user), password, strlen(password), parts.s1);
    hashed_join(password, strlen(password), user, strlen(user), parts.s2);
    for (int i = 0; i < 8; i++) {
        parts.time[i] = (uint8_t)((uint64_t)stamp >> (56 - 8 * i));
    }
    return parts;
}

/* Hash(S1 || Timestamp) || S2 */
static UNUSED struct klm_slice hashed_of(struct klm_pool *pool, const char *user,
                                         const char *password, int64_t stamp)
{
    struct hashed_parts parts = hashed_parts(user, password, stamp);
    uint8_t out[64];
    struct klm_slice copy = {0};

    hashed_join(parts.s1, 32, parts.time, 8, out);
    memcpy(out + 32, parts.s2, 32);
    REQUIRE_OK(klm_pool_slice(pool, KLM_SLICE(out, sizeof out), &copy));
    return copy;
}

/* Hash(Timestamp || S1 || Hash(S2)) */
static UNUSED void hashed_answer(const char *user, const char *password, int64_t stamp,
                                 uint8_t out[32])
{
    struct hashed_parts parts = hashed_parts(user, password, stamp);
    uint8_t rest[64];

    memcpy(rest, parts.s1, 32);
    SHA256(parts.s2, 32, rest + 32);
    hashed_join(parts.time, 8, rest, sizeof rest, out);
}

#endif
