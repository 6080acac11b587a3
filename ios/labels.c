#include "ios/labels.h"

#include "base/ebcdic.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SYSTEM_CODE "KLMSRV"

/* Columns as the label standard counts them, from 1. */
enum {
    V_VOLSER = 5,
    V_SECURITY = 11,
    V_OWNER = 42,
    L1_NAME = 5,
    L1_VOLSER = 22,
    L1_VOLSEQ = 28,
    L1_FILESEQ = 32,
    L1_CREATED = 42,
    L1_EXPIRES = 48,
    L1_SECURITY = 54,
    L1_BLOCKS = 55,
    L1_SYSTEM = 61,
    L1_BLOCKS_HIGH = 77,
    L2_RECFM = 5,
    L2_BLKSIZE = 6,
    L2_LRECL = 11,
    L2_DENSITY = 16,
    L2_POSITION = 17,
    L2_JOB = 18,
    L2_SLASH = 26,
    L2_STEP = 27,
};

static const struct {
    const char *id;
    enum ios_label_kind kind;
} kinds[] = {
    {"VOL1", IOS_LABEL_VOL1}, {"HDR1", IOS_LABEL_HDR1}, {"HDR2", IOS_LABEL_HDR2},
    {"EOF1", IOS_LABEL_EOF1}, {"EOF2", IOS_LABEL_EOF2}, {"EOV1", IOS_LABEL_EOV1},
    {"EOV2", IOS_LABEL_EOV2},
};
static const char *const others[] = {"VOL", "UVL", "HDR", "UHL", "EOF", "EOV", "UTL"};

enum ios_label_kind ios_label_kind(const uint8_t *block, size_t n)
{
    char id[5] = {0};

    if (n != IOS_LABEL_SIZE) {
        return IOS_LABEL_NONE;
    }
    if (memcmp(block, "VOL1", 4) == 0 || memcmp(block, "HDR1", 4) == 0) {
        return IOS_LABEL_ASCII;
    }
    klm_from_ebcdic(block, id, 4);
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (strcmp(id, kinds[i].id) == 0) {
            return kinds[i].kind;
        }
    }
    for (size_t i = 0; i < KLM_COUNT(others); i++) {
        if (strncmp(id, others[i], 3) == 0 && id[3] >= '1' && id[3] <= '9') {
            return IOS_LABEL_OTHER;
        }
    }
    return IOS_LABEL_NONE;
}

static void blank(enum ios_label_kind kind, char text[IOS_LABEL_SIZE])
{
    memset(text, ' ', IOS_LABEL_SIZE);
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (kinds[i].kind == kind) {
            memcpy(text, kinds[i].id, 4);
        }
    }
}

/* Text at a column, cut at size; blanks stay behind it. */
static void put(char text[IOS_LABEL_SIZE], int column, size_t size, const char *s)
{
    memcpy(text + column - 1, s, strnlen(s, size));
}

/* The last digits of a number, size of them. */
static void put_number(char text[IOS_LABEL_SIZE], int column, size_t size, uint64_t v)
{
    for (size_t i = size; i > 0; i--, v /= 10) {
        text[column - 1 + (int)i - 1] = (char)('0' + v % 10);
    }
}

static void put_date(char text[IOS_LABEL_SIZE], int column, unsigned year, unsigned day)
{
    /* cyyddd: c is blank for 19yy, 0 for 20yy, 1 for 21yy, ... */
    text[column - 1] = year < 2000 ? ' ' : (char)('0' + (year - 2000) / 100 % 10);
    put_number(text, column + 1, 2, year % 100);
    put_number(text, column + 3, 3, day);
}

static void finish(const char text[IOS_LABEL_SIZE], uint8_t out[IOS_LABEL_SIZE])
{
    klm_to_ebcdic(text, out, IOS_LABEL_SIZE);
}

void ios_label_vol1(const char *volser, const char *owner, uint8_t out[IOS_LABEL_SIZE])
{
    char text[IOS_LABEL_SIZE];

    blank(IOS_LABEL_VOL1, text);
    put(text, V_VOLSER, 6, volser);
    put(text, V_SECURITY, 1, "0");
    put(text, V_OWNER, 10, owner);
    finish(text, out);
}

void ios_label_1(enum ios_label_kind kind, const struct ios_label1 *in, uint8_t out[IOS_LABEL_SIZE])
{
    char text[IOS_LABEL_SIZE];

    blank(kind, text);
    put(text, L1_NAME, IOS_LABEL_NAME, in->dsname);
    put(text, L1_VOLSER, 6, in->volser);
    put_number(text, L1_VOLSEQ, 4, 1);
    put_number(text, L1_FILESEQ, 4, in->fileseq);
    put_date(text, L1_CREATED, in->year, in->day);
    put(text, L1_EXPIRES, 6, "000000");
    put(text, L1_SECURITY, 1, "0");
    put_number(text, L1_BLOCKS, 6, in->blocks % 1000000);
    put(text, L1_SYSTEM, 13, SYSTEM_CODE);
    put_number(text, L1_BLOCKS_HIGH, 4, in->blocks / 1000000);
    finish(text, out);
}

void ios_label_2(enum ios_label_kind kind, const struct ios_label2 *in, uint8_t out[IOS_LABEL_SIZE])
{
    char text[IOS_LABEL_SIZE];

    blank(kind, text);
    text[L2_RECFM - 1] = in->recfm;
    put_number(text, L2_BLKSIZE, 5, in->blksize);
    put_number(text, L2_LRECL, 5, in->lrecl);
    put(text, L2_DENSITY, 1, "0");
    put(text, L2_POSITION, 1, "0");
    put(text, L2_JOB, 8, in->job);
    put(text, L2_SLASH, 1, "/");
    put(text, L2_STEP, 8, in->step);
    finish(text, out);
}

void ios_label_dummy(uint8_t out[IOS_LABEL_SIZE])
{
    char text[IOS_LABEL_SIZE];

    memset(text, '0', sizeof text);
    memcpy(text, "HDR1", 4);
    finish(text, out);
}

int ios_label_is_dummy(const uint8_t label[IOS_LABEL_SIZE])
{
    uint8_t dummy[IOS_LABEL_SIZE];

    ios_label_dummy(dummy);
    return memcmp(label, dummy, sizeof dummy) == 0;
}

/* A field without the blanks at its end. */
static void get(const char text[IOS_LABEL_SIZE], int column, size_t size, char *out)
{
    memcpy(out, text + column - 1, size);
    while (size > 0 && out[size - 1] == ' ') {
        size--;
    }
    out[size] = '\0';
}

/* Digits, of which the leading ones may be blanks; all blank counts as 0. */
static klm_rc get_number(const char text[IOS_LABEL_SIZE], int column, size_t size, uint64_t *out)
{
    uint64_t v = 0;
    bool begun = false;

    for (size_t i = 0; i < size; i++) {
        char c = text[column - 1 + (int)i];
        if (c == ' ' && !begun) {
            continue;
        }
        if (c < '0' || c > '9') {
            return KLM_E_INVALID;
        }
        begun = true;
        v = v * 10 + (uint64_t)(c - '0');
    }
    *out = v;
    return KLM_OK;
}

/* The same, for fields of so few digits that the value always fits. */
static klm_rc get_unsigned(const char text[IOS_LABEL_SIZE], int column, size_t size, unsigned *out)
{
    uint64_t v = 0;

    KLM_TRY(get_number(text, column, size, &v));
    *out = (unsigned)v;
    return KLM_OK;
}

static bool printable(const char *s)
{
    for (; *s; s++) {
        if (*s < 0x20 || *s > 0x7E) {
            return false;
        }
    }
    return true;
}

klm_rc ios_label_vol1_parse(const uint8_t label[IOS_LABEL_SIZE], char volser[7])
{
    char text[IOS_LABEL_SIZE], name[7];

    klm_from_ebcdic(label, text, sizeof text);
    get(text, V_VOLSER, 6, name);
    KLM_TRY(ios_volser_check(name));
    memcpy(volser, name, sizeof name);
    return KLM_OK;
}

static klm_rc get_date(const char text[IOS_LABEL_SIZE], int column, struct ios_label1 *out)
{
    char century = text[column - 1];
    unsigned yy = 0, day = 0;

    KLM_TRY(get_unsigned(text, column + 1, 2, &yy));
    KLM_TRY(get_unsigned(text, column + 3, 3, &day));
    if ((century != ' ' && (century < '0' || century > '8')) || day > 366) {
        return KLM_E_INVALID;
    }
    if (day > 0) {
        out->year = yy + (century == ' ' ? 1900 : 2000 + 100 * (unsigned)(century - '0'));
        out->day = day;
    }
    return KLM_OK;
}

klm_rc ios_label_1_parse(const uint8_t label[IOS_LABEL_SIZE], struct ios_label1 *out)
{
    struct ios_label1 in = {0};
    char text[IOS_LABEL_SIZE];
    uint64_t low = 0, high = 0;

    klm_from_ebcdic(label, text, sizeof text);
    get(text, L1_NAME, IOS_LABEL_NAME, in.dsname);
    get(text, L1_VOLSER, 6, in.volser);
    KLM_TRY(get_unsigned(text, L1_FILESEQ, 4, &in.fileseq));
    KLM_TRY(get_date(text, L1_CREATED, &in));
    KLM_TRY(get_number(text, L1_BLOCKS, 6, &low));
    KLM_TRY(get_number(text, L1_BLOCKS_HIGH, 4, &high));
    in.blocks = high * 1000000 + low;
    if (!printable(in.dsname) || !printable(in.volser)) {
        return KLM_E_INVALID;
    }
    *out = in;
    return KLM_OK;
}

klm_rc ios_label_2_parse(const uint8_t label[IOS_LABEL_SIZE], struct ios_label2 *out)
{
    struct ios_label2 in = {0};
    char text[IOS_LABEL_SIZE];

    klm_from_ebcdic(label, text, sizeof text);
    in.recfm = text[L2_RECFM - 1];
    KLM_TRY(get_unsigned(text, L2_BLKSIZE, 5, &in.blksize));
    KLM_TRY(get_unsigned(text, L2_LRECL, 5, &in.lrecl));
    get(text, L2_JOB, 8, in.job);
    get(text, L2_STEP, 8, in.step);
    if (in.recfm == '\0' || !strchr("FVUD", in.recfm) || !printable(in.job) ||
        !printable(in.step)) {
        return KLM_E_INVALID;
    }
    *out = in;
    return KLM_OK;
}

void ios_label_name(const char *dsname, char out[IOS_LABEL_NAME + 1])
{
    size_t n = strlen(dsname);

    snprintf(out, IOS_LABEL_NAME + 1, "%s",
             n > IOS_LABEL_NAME ? dsname + n - IOS_LABEL_NAME : dsname);
}

static klm_rc check(const char *s, size_t max, const char *set)
{
    size_t n = strnlen(s, max + 1);

    return n > 0 && n <= max && strspn(s, set) == n ? KLM_OK : KLM_E_INVALID;
}

klm_rc ios_volser_check(const char *volser)
{
    return check(volser, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$-");
}

klm_rc ios_dsname_check(const char *dsname)
{
    return check(dsname, 44, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$-.");
}

void ios_label_today(klm_time now, unsigned *year, unsigned *day)
{
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    *year = (unsigned)tm.tm_year + 1900;
    *day = (unsigned)tm.tm_yday + 1;
}
