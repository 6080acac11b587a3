/* IBM standard labels: 80 EBCDIC characters each. A volume begins with VOL1; a file is HDR1
 * HDR2, tape mark, blocks, tape mark, EOF1 EOF2, tape mark; one more tape mark ends the volume.
 * Only fields that are certain are used, the rest is blank. */
#ifndef IOS_LABELS_H
#define IOS_LABELS_H

#include "base/clock.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define IOS_LABEL_SIZE 80
#define IOS_LABEL_NAME 17 /* characters of a data set name that a label holds: the last ones */
#define IOS_FILESEQ_MAX 9999
#define IOS_BLOCKS_MAX 9999999999u /* what the ten digits of a block count hold */

enum ios_label_kind {
    IOS_LABEL_NONE,  /* no label */
    IOS_LABEL_ASCII, /* a label of an ASCII (ISO/ANSI) tape */
    IOS_LABEL_VOL1,
    IOS_LABEL_HDR1,
    IOS_LABEL_HDR2,
    IOS_LABEL_EOF1,
    IOS_LABEL_EOF2,
    IOS_LABEL_EOV1,
    IOS_LABEL_EOV2,
    IOS_LABEL_OTHER, /* UVLn, UHLn, UTLn, VOL2 and up, HDR3 and up: skipped */
};
/* What a block of n bytes is, by its length and first four characters. */
enum ios_label_kind ios_label_kind(const uint8_t *block, size_t n);

/* VOL1. The owner may be "". */
void ios_label_vol1(const char *volser, const char *owner, uint8_t out[IOS_LABEL_SIZE]);
/* The volume serial of a VOL1. KLM_E_INVALID. */
klm_rc ios_label_vol1_parse(const uint8_t label[IOS_LABEL_SIZE], char volser[7]) KLM_MUST_USE;

struct ios_label1 {
    char dsname[IOS_LABEL_NAME + 1];
    char volser[7];
    unsigned fileseq;   /* 1 to IOS_FILESEQ_MAX */
    unsigned year, day; /* of creation: 1900 to 2899, 1 to 366; 0, 0 when the label has none */
    uint64_t blocks;    /* 0 in HDR1 */
};
/* kind is IOS_LABEL_HDR1 or IOS_LABEL_EOF1. */
void ios_label_1(enum ios_label_kind kind, const struct ios_label1 *in,
                 uint8_t out[IOS_LABEL_SIZE]);
/* KLM_E_INVALID: a field that must be a number is none. */
klm_rc ios_label_1_parse(const uint8_t label[IOS_LABEL_SIZE], struct ios_label1 *out) KLM_MUST_USE;
/* The HDR1 of a volume that was only initialised: 76 zeros. */
void ios_label_dummy(uint8_t out[IOS_LABEL_SIZE]);
int ios_label_is_dummy(const uint8_t label[IOS_LABEL_SIZE]);

struct ios_label2 {
    char recfm;              /* 'F', 'V', 'U' */
    unsigned blksize, lrecl; /* at most 99999 */
    char job[9], step[9];
};
/* kind is IOS_LABEL_HDR2 or IOS_LABEL_EOF2. */
void ios_label_2(enum ios_label_kind kind, const struct ios_label2 *in,
                 uint8_t out[IOS_LABEL_SIZE]);
klm_rc ios_label_2_parse(const uint8_t label[IOS_LABEL_SIZE], struct ios_label2 *out) KLM_MUST_USE;

/* The last 17 characters of a data set name, without blanks at the end. */
void ios_label_name(const char *dsname, char out[IOS_LABEL_NAME + 1]);
/* Volume serial: 1 to 6 of A-Z 0-9 @ # $ -. Data set name: 1 to 44 of A-Z 0-9 @ # $ - and dots.
 * KLM_E_INVALID. */
klm_rc ios_volser_check(const char *volser) KLM_MUST_USE;
klm_rc ios_dsname_check(const char *dsname) KLM_MUST_USE;
/* Year and day of the year, UTC. */
void ios_label_today(klm_time now, unsigned *year, unsigned *day);

#endif
