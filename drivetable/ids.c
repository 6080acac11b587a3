/* Serial numbers, world wide names, volumes and labels: what is well formed, and its one
 * spelling. */
#include "drivetable/parts.h"

#include "base/utf8.h"

#include <string.h>

#define WWN 16

static const char *const kinds[] = {[DT_3592] = "3592", [DT_LTO] = "LTO", [DT_DS8000] = "DS8000"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const char *dt_kind_name(enum dt_kind kind)
{
    return (unsigned)kind < KLM_COUNT(kinds) ? kinds[kind] : "?";
}

klm_rc dt_kind_parse(const char *s, enum dt_kind *out)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        size_t at = 0;

        while (s[at] && upper(s[at]) == kinds[i][at]) {
            at++;
        }
        if (!s[at] && !kinds[i][at]) {
            *out = (enum dt_kind)i;
            return KLM_OK;
        }
    }
    return KLM_E_INVALID;
}

klm_rc dt_serial(const char *typed, char out[DT_SERIAL + 1], struct klm_diag *diag)
{
    size_t n = strnlen(typed, DT_SERIAL + 1), pad = n == DT_SERIAL - 2 ? 2 : 0;
    char serial[DT_SERIAL + 1] = "00";

    if (n + pad != DT_SERIAL) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DRIVE_SERIAL, typed,
                        "it has neither 12 characters nor 10 digits");
    }
    for (size_t i = 0; i < n; i++) {
        char c = upper(typed[i]);

        if (!is_digit(c) && (pad || c < 'A' || c > 'Z')) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DRIVE_SERIAL, typed,
                            pad ? "10 characters must be digits"
                                : "only letters and digits are allowed");
        }
        serial[pad + i] = c;
    }
    memcpy(out, serial, sizeof serial);
    return KLM_OK;
}

klm_rc dt_wwn(const char *typed, char out[17], struct klm_diag *diag)
{
    char wwn[WWN + 1] = "";
    size_t n = 0;

    for (const char *p = typed; *p; p++) {
        char c = upper(*p);

        /* 50:05:07:63:02:40:FB:CC: a colon between two pairs of digits, all of them or none. */
        if (c == ':' && n > 0 && n < WWN && n % 2 == 0 && p == typed + n + n / 2 - 1) {
            continue;
        }
        if (n == WWN || !(is_digit(c) || (c >= 'A' && c <= 'F'))) {
            n = 0;
            break;
        }
        wwn[n++] = c;
    }
    if (n != WWN || (strlen(typed) != WWN && strlen(typed) != WWN + WWN / 2 - 1)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DRIVE_WWN, typed);
    }
    memcpy(out, wwn, sizeof wwn);
    return KLM_OK;
}

bool dt_volser_fix(char *volser)
{
    size_t n = strlen(volser);

    for (size_t i = 0; i < n; i++) {
        volser[i] = upper(volser[i]);
    }
    return n <= 6 && strspn(volser, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$-") == n;
}

bool dt_fingerprint_fix(char *fingerprint)
{
    size_t n = strlen(fingerprint);

    for (size_t i = 0; i < n; i++) {
        char c = fingerprint[i];

        fingerprint[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    return n == 64 && strspn(fingerprint, "0123456789abcdef") == n;
}

bool dt_label_ok(const char *label)
{
    size_t n = strnlen(label, DT_ALIAS_MAX + 1);

    return n <= DT_ALIAS_MAX && klm_utf8_printable(KLM_SLICE(label, n));
}

/* Already in its one spelling. */
static bool is_serial(const char *s)
{
    char fixed[DT_SERIAL + 1];

    return dt_serial(s, fixed, NULL) == KLM_OK && strcmp(s, fixed) == 0;
}

static bool is_wwn(const char *s)
{
    char fixed[WWN + 1];

    return !*s || (dt_wwn(s, fixed, NULL) == KLM_OK && strcmp(s, fixed) == 0);
}

static bool is_fingerprint(const char *s)
{
    return !*s || (strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64);
}

static bool is_volser(const char *s)
{
    char fixed[7] = "";

    memcpy(fixed, s, strnlen(s, 6));
    return dt_volser_fix(fixed) && strcmp(s, fixed) == 0;
}

klm_rc dt_drive_check(const struct dt_drive *d)
{
    bool ok = is_serial(d->serial) && is_wwn(d->wwn) && (unsigned)d->kind < KLM_COUNT(kinds) &&
              dt_label_ok(d->alias1) && dt_label_ok(d->alias2) && dt_label_ok(d->symalias) &&
              is_fingerprint(d->fingerprint) && d->first_contact >= 0 && d->last_contact >= 0 &&
              is_volser(d->last_volser);

    return ok ? KLM_OK : KLM_E_INVALID;
}

klm_rc dt_pending_check(const struct dt_pending *p)
{
    bool ok = is_serial(p->serial) && is_wwn(p->wwn) && (unsigned)p->kind < KLM_COUNT(kinds) &&
              is_fingerprint(p->fingerprint) &&
              strnlen(p->address, sizeof p->address) < sizeof p->address &&
              klm_utf8_printable(klm_slice_str(p->address)) && p->first_contact >= 0 &&
              p->last_contact >= 0 && p->cert.n <= DT_CERT_MAX;

    return ok ? KLM_OK : KLM_E_INVALID;
}
