/* Unique identifiers: UUIDs of version 7 (RFC 9562, 5.7), 48 bits of milliseconds, 12 bits that count within one, 62 random bits. */
#include "metadata/object.h"

#include "base/buf.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define COUNTER_BITS 12
#define TIME_MAX ((UINT64_C(1) << 48) - 1)

/* RFC 9562, 6.2, method 1: a counter that begins anew, at a random number of one bit less, with each millisecond. Time and counter are one
 * number here that only grows: a counter that is used up runs into the next millisecond, and a clock that goes back is not followed. */
static uint64_t next_time(klm_time now, uint16_t random)
{
    static _Atomic uint64_t last;
    const uint64_t ms = now < 0 ? 0 : (uint64_t)now / 1000;
    const uint64_t fresh = (ms < TIME_MAX ? ms : TIME_MAX) << COUNTER_BITS |
                           (random & ((1u << (COUNTER_BITS - 1)) - 1));
    uint64_t before = atomic_load(&last), next;

    do {
        next = fresh > before ? fresh : before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, next));
    return next;
}

/* 8, 4, 4, 4 and 12 digits. */
void md_uid_text(const uint8_t p[MD_UID_BYTES], char out[MD_UID_MAX])
{
    char hex[33];

    klm_hex(p, 16, hex);
    memset(out, '-', MD_UID_MAX);
    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 13);
}

klm_rc md_uid_new(char out[MD_UID_MAX])
{
    uint8_t p[16];
    uint64_t time;

    KLM_TRY(klm_random(p + 6, 10));
    time = next_time(klm_clock(), (uint16_t)(p[6] << 8 | p[7]));
    for (int i = 0; i < 6; i++) {
        p[i] = (uint8_t)(time >> (COUNTER_BITS + 40 - 8 * i));
    }
    p[6] = (uint8_t)(0x70 | (time >> 8 & 0x0f)); /* version */
    p[7] = (uint8_t)time;
    p[8] = (uint8_t)(0x80 | (p[8] & 0x3f)); /* variant */
    md_uid_text(p, out);
    return KLM_OK;
}

/* Digits in upper case and hyphens elsewhere make the same bytes: what comes of them tells. */
bool md_uid_bytes(const char *uid, uint8_t out[MD_UID_BYTES])
{
    uint8_t p[MD_UID_BYTES];
    char hex[MD_UID_MAX], again[MD_UID_MAX];
    size_t n = 0;

    for (size_t i = 0; i < MD_UID_MAX - 1 && uid[i]; i++) {
        if (uid[i] != '-') {
            hex[n++] = uid[i];
        }
    }
    hex[n] = '\0';
    if (klm_unhex(hex, p, sizeof p, &n) != KLM_OK || n != sizeof p) {
        return false;
    }
    md_uid_text(p, again);
    if (strcmp(again, uid) != 0) {
        return false;
    }
    memcpy(out, p, sizeof p);
    return true;
}

bool md_uid_ok(const char *uid)
{
    const size_t n = strnlen(uid, MD_UID_MAX);

    for (size_t i = 0; i < n; i++) {
        if (uid[i] <= ' ' || uid[i] > '~') {
            return false;
        }
    }
    return n > 0 && n < MD_UID_MAX;
}

void md_material_label(const char *uid, char out[65])
{
    snprintf(out, 65, MD_MATERIAL_PREFIX "%.*s", MD_UID_MAX - 1, uid);
}
