/* symmetricKeySet: reference 3.4. An alias of 21 characters in sequential form is three characters
 * and 18 hexadecimal digits; a range names the first and the last of a run by their digits,
 * THZ001-FF. */
#include "parmlib/config.h"

#include <ctype.h>
#include <string.h>

#define PREFIX 3
#define DIGITS 18
#define ALIAS_MAX 12
#define GROUP_MAX 64

static size_t hex_run(const uint8_t *p, size_t n)
{
    size_t at = 0;

    while (at < n && isxdigit(p[at])) {
        at++;
    }
    return at;
}

static bool all_alnum(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isalnum(p[i])) {
            return false;
        }
    }
    return true;
}

/* Digits of one end of a range; with all 18 given the first two must be 00. */
static bool range_end_ok(const uint8_t *p, size_t n)
{
    return n >= 1 && n <= DIGITS && (n < DIGITS || (p[0] == '0' && p[1] == '0'));
}

static void pad(const uint8_t *p, size_t n, char out[DIGITS])
{
    memset(out, '0', DIGITS);
    for (size_t i = 0; i < n; i++) {
        out[DIGITS - n + i] = (char)tolower(p[i]);
    }
}

/* Has the form of a range, whether it is a good one or not. */
static bool looks_like_range(struct klm_slice item, size_t *first)
{
    if (item.n < PREFIX + 3 || !all_alnum(item.p, PREFIX)) {
        return false;
    }
    *first = hex_run(item.p + PREFIX, item.n - PREFIX);
    if (!*first || PREFIX + *first + 1 >= item.n || item.p[PREFIX + *first] != '-') {
        return false;
    }
    return hex_run(item.p + PREFIX + *first + 1, item.n - PREFIX - *first - 1) ==
           item.n - PREFIX - *first - 1;
}

static bool range_ok(struct klm_slice item, size_t first_n)
{
    const uint8_t *first = item.p + PREFIX, *last = first + first_n + 1;
    size_t last_n = item.n - PREFIX - first_n - 1;
    char low[DIGITS], high[DIGITS];

    if (!range_end_ok(first, first_n) || !range_end_ok(last, last_n)) {
        return false;
    }
    pad(first, first_n, low);
    pad(last, last_n, high);
    /* The digits 0-9 come before a-f in ASCII, so text order is the order of the numbers. */
    return memcmp(low, high, DIGITS) <= 0;
}

static bool alias_ok(struct klm_slice item)
{
    return item.n <= ALIAS_MAX || (item.n == PREFIX + DIGITS && all_alnum(item.p, PREFIX) &&
                                   hex_run(item.p + PREFIX, DIGITS) == DIGITS);
}

bool parm_keyset_ok(const char *value)
{
    struct klm_slice item;
    size_t items = 0, long_ones = 0, first;

    if (strchr(value, ';')) {
        return false; /* unlike other lists, this one has commas only */
    }
    while (parm_next_item(&value, &item)) {
        items++;
        if (looks_like_range(item, &first)) {
            if (!range_ok(item, first)) {
                return false;
            }
        } else if (!alias_ok(item)) {
            long_ones++; /* can only be a key group, and then the only item */
        }
        if (item.n > GROUP_MAX) {
            return false;
        }
    }
    return items == 1 || (items > 1 && !long_ones);
}
