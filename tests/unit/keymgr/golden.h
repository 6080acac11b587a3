/* What the golden stores of tests/golden/store hold: shared by the program that made them (tests/golden/makestore.c) and the
 * test that opens them. Made once on x86-64; a machine of either byte order must read them. */
#ifndef TESTS_KEYMGR_GOLDEN_H
#define TESTS_KEYMGR_GOLDEN_H

#include "drivetable/dt.h"
#include "keyring/kr.h"
#include "metadata/md.h"

#include <stdio.h>

#define GOLDEN_STORES "tests/golden/store/"
#define GOLDEN_KEYS "tests/golden/keyring/"
#define GOLDEN_OWNER "TAPEKMS"
#define GOLDEN_RING "TAPERING"
#define GOLDEN_TIME (INT64_C(1795478400) * 1000000) /* 24 November 2026 */
#define GOLDEN_DRIVES 3u
#define GOLDEN_USAGES 40u
#define GOLDEN_INDEXED 25u /* of them; the others are found by reading them */
#define GOLDEN_OUTBOX "an event that waits for the journal"

/* The master key of all golden files, 00 01 .. 1f, as two parts. For tests only. */
static inline klm_rc golden_master(struct kr_master **out)
{
    uint8_t parts[2][32];

    for (size_t i = 0; i < 32; i++) {
        parts[0][i] = 0xc3;
        parts[1][i] = (uint8_t)(0xc3 ^ i);
    }
    return kr_master_from_parts((const uint8_t(*)[32])parts, 2, out);
}

static inline klm_rc golden_options(const char *home, struct st_options *out)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;

    *out = (struct st_options){.home = home, .cache_bytes = (size_t)8 << 20};
    KLM_TRY(golden_master(&master));
    return kr_master_derive(master, "store mac", out->mac_key);
}

/* Drive i, from 1 on. */
static inline struct dt_drive golden_drive(unsigned i)
{
    struct dt_drive d = {
        .kind = DT_3592, .first_contact = GOLDEN_TIME, .last_contact = GOLDEN_TIME + i};

    snprintf(d.serial, sizeof d.serial, "0000013%05u", i % 100000);
    snprintf(d.wwn, sizeof d.wwn, "50050763124B%04X", i % 0x10000);
    snprintf(d.alias1, sizeof d.alias1, "Tape_RSA");
    snprintf(d.alias2, sizeof d.alias2, "%s", i % 2 ? "Tape_EC" : "");
    return d;
}

/* Key usage event i, from 1 on: two of each volume. */
static inline struct md_usage golden_usage(unsigned i)
{
    struct dt_drive d = golden_drive(1 + i % GOLDEN_DRIVES);
    struct md_usage u = {.number = i, .time = GOLDEN_TIME + (klm_time)i * 1000001};

    snprintf(u.drive, sizeof u.drive, "%s", d.serial);
    snprintf(u.wwn, sizeof u.wwn, "%s", d.wwn);
    snprintf(u.volser, sizeof u.volser, "WXY%03u", (i / 2) % 1000);
    snprintf(u.alias1, sizeof u.alias1, "Tape_RSA");
    snprintf(u.alias2, sizeof u.alias2, "%s", i % 2 ? "Tape_EC" : "");
    return u;
}

/* Certificates of the ring: label, file below GOLDEN_KEYS, its token's file and label. */
struct golden_cert {
    const char *label, *pem, *token, *token_label;
};
static const struct golden_cert golden_certs[] = {
    {"Tape_RSA", "rsa2048.pem", "token-rsa2048.bin", "ITOPS.KLM20.CERT"},
    {"Tape_EC", "ec256.pem", "token-ec256.bin", "EC.KEY.P256"},
};

#endif
