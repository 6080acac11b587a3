#include "base/alias.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PREFIX 3
#define DIGITS 18

static size_t hex_run(const uint8_t *p, size_t n)
{
    size_t at = 0;

    while (at < n && isxdigit(p[at])) {
        at++;
    }
    return at;
}

static bool prefix_ok(const uint8_t *p)
{
    return isalnum(p[0]) && isalnum(p[1]) && isalnum(p[2]);
}

static bool plain_ok(struct klm_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x21 || s.p[i] > 0x7E || s.p[i] == ',' || s.p[i] == ';') {
            return false;
        }
    }
    return s.n > 0;
}

/* Has the form of a range, whether it is a good one or not; *first is how many digits stand before the hyphen. */
static bool looks_like_range(struct klm_slice s, size_t *first)
{
    if (s.n < PREFIX + 3 || !prefix_ok(s.p)) {
        return false;
    }
    *first = hex_run(s.p + PREFIX, s.n - PREFIX);
    if (!*first || PREFIX + *first + 1 >= s.n || s.p[PREFIX + *first] != '-') {
        return false;
    }
    return hex_run(s.p + PREFIX + *first + 1, s.n - PREFIX - *first - 1) ==
           s.n - PREFIX - *first - 1;
}

/* Prefix and digits, with zeros before them, as an alias. */
static void sequential(const uint8_t *prefix, const uint8_t *digits, size_t n,
                       char out[KLM_ALIAS_MAX + 1])
{
    char alias[KLM_ALIAS_MAX + 1];

    memcpy(alias, prefix, PREFIX);
    memset(alias + PREFIX, '0', DIGITS);
    for (size_t i = 0; i < n; i++) {
        alias[KLM_ALIAS_MAX - n + i] = (char)tolower(digits[i]);
    }
    alias[KLM_ALIAS_MAX] = '\0';
    memcpy(out, alias, sizeof alias);
}

klm_rc klm_alias(struct klm_slice typed, char out[KLM_ALIAS_MAX + 1])
{
    size_t first;

    if (!plain_ok(typed)) {
        return KLM_E_INVALID;
    }
    if (typed.n == KLM_ALIAS_MAX && prefix_ok(typed.p) &&
        hex_run(typed.p + PREFIX, DIGITS) == DIGITS) {
        sequential(typed.p, typed.p + PREFIX, DIGITS, out);
        return KLM_OK;
    }
    if (looks_like_range(typed, &first)) {
        return KLM_E_INVALID;
    }
    if (typed.n > KLM_ALIAS_PLAIN) {
        return KLM_E_LIMIT;
    }
    memcpy(out, typed.p, typed.n);
    out[typed.n] = '\0';
    return KLM_OK;
}

bool klm_alias_sequential(const char *alias)
{
    return strlen(alias) == KLM_ALIAS_MAX;
}

void klm_alias_id(const char *alias, uint8_t out[KLM_KEY_ID])
{
    size_t n = strlen(alias);

    if (klm_alias_sequential(alias)) {
        memcpy(out, alias, PREFIX);
        /* An alias has hexadecimal digits there: klm_alias saw to it. */
        KLM_IGNORE(klm_unhex(alias + PREFIX, out + PREFIX, DIGITS / 2, &n));
        return;
    }
    memset(out, ' ', KLM_KEY_ID);
    memcpy(out, alias, n < KLM_KEY_ID ? n : KLM_KEY_ID);
}

static klm_rc plain_of_id(const uint8_t id[KLM_KEY_ID], char out[KLM_ALIAS_MAX + 1])
{
    size_t n = KLM_KEY_ID;

    while (n > 0 && id[n - 1] == ' ') {
        n--;
    }
    return klm_alias(KLM_SLICE(id, n), out) == KLM_OK ? KLM_OK : KLM_E_NOTFOUND;
}

klm_rc klm_alias_of_id(const uint8_t id[KLM_KEY_ID], bool seq, char out[KLM_ALIAS_MAX + 1])
{
    char digits[DIGITS + 1];

    if (!seq) {
        return plain_of_id(id, out);
    }
    if (!prefix_ok(id)) {
        return KLM_E_NOTFOUND;
    }
    klm_hex(id + PREFIX, DIGITS / 2, digits);
    sequential(id, (const uint8_t *)digits, DIGITS, out);
    return KLM_OK;
}

klm_rc klm_alias_twin(const char *alias, char out[KLM_ALIAS_MAX + 1])
{
    uint8_t id[KLM_KEY_ID];

    klm_alias_id(alias, id);
    return klm_alias_of_id(id, !klm_alias_sequential(alias), out);
}

/* ---- Runs */

/* Digits of one end of a range; with all 18 given the first two must be 00. */
static bool range_end_ok(const uint8_t *p, size_t n)
{
    return n >= 1 && n <= DIGITS && (n < DIGITS || (p[0] == '0' && p[1] == '0'));
}

static klm_rc range(struct klm_slice s, size_t first_n, struct klm_alias_run *out)
{
    const uint8_t *first = s.p + PREFIX, *last = first + first_n + 1;
    size_t last_n = s.n - PREFIX - first_n - 1;
    struct klm_alias_run run;

    if (!range_end_ok(first, first_n) || !range_end_ok(last, last_n)) {
        return KLM_E_INVALID;
    }
    sequential(s.p, first, first_n, run.first);
    sequential(s.p, last, last_n, run.last);
    if (strcmp(run.first, run.last) > 0) {
        return KLM_E_INVALID;
    }
    *out = run;
    return KLM_OK;
}

klm_rc klm_alias_run(struct klm_slice typed, struct klm_alias_run *out)
{
    struct klm_alias_run run;
    size_t first;

    if (looks_like_range(typed, &first)) {
        return range(typed, first, out);
    }
    KLM_TRY(klm_alias(typed, run.first));
    memcpy(run.last, run.first, sizeof run.last);
    *out = run;
    return KLM_OK;
}

/* The number of a sequential alias: its low 64 bits. */
static uint64_t number(const char *alias)
{
    uint64_t n = 0;

    for (const char *p = alias + PREFIX + 2; *p; p++) {
        n = n << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    }
    return n;
}

uint64_t klm_alias_run_count(const struct klm_alias_run *run)
{
    uint64_t n;

    if (strcmp(run->first, run->last) == 0) {
        return 1;
    }
    if (memcmp(run->first, run->last, PREFIX + 2) != 0) {
        return UINT64_MAX;
    }
    n = number(run->last) - number(run->first);
    return n == UINT64_MAX ? n : n + 1;
}

bool klm_alias_run_has(const struct klm_alias_run *run, const char *alias)
{
    return strlen(alias) == strlen(run->first) && strcmp(run->first, alias) <= 0 &&
           strcmp(alias, run->last) <= 0;
}

bool klm_alias_runs_meet(const struct klm_alias_run *a, const struct klm_alias_run *b)
{
    return klm_alias_run_has(a, b->first) || klm_alias_run_has(b, a->first);
}

/* One step of the digits, from the last one on: from is the digit that turns into to and carries on. */
static bool step(char *alias, char from, char to, int by)
{
    char next[KLM_ALIAS_MAX + 1];

    if (!klm_alias_sequential(alias)) {
        return false;
    }
    memcpy(next, alias, sizeof next);
    for (size_t i = KLM_ALIAS_MAX; i > PREFIX; i--) {
        char *digit = &next[i - 1];

        if (*digit != from) {
            *digit = *digit == '9' && by > 0   ? 'a'
                     : *digit == 'a' && by < 0 ? '9'
                                               : (char)(*digit + by);
            memcpy(alias, next, sizeof next);
            return true;
        }
        *digit = to;
    }
    return false;
}

bool klm_alias_next(char alias[KLM_ALIAS_MAX + 1])
{
    return step(alias, 'f', '0', 1);
}

bool klm_alias_previous(char alias[KLM_ALIAS_MAX + 1])
{
    return step(alias, '0', 'f', -1);
}

const char *klm_alias_run_text(const struct klm_alias_run *run, char out[KLM_ALIAS_RUN_MAX])
{
    const char *digits = run->last + PREFIX;

    if (strcmp(run->first, run->last) == 0) {
        snprintf(out, KLM_ALIAS_RUN_MAX, "%s", run->first);
        return out;
    }
    while (digits[0] == '0' && digits[1]) {
        digits++;
    }
    snprintf(out, KLM_ALIAS_RUN_MAX, "%s-%s", run->first, digits);
    return out;
}
