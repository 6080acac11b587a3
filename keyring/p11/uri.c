/* Reading PKCS#11 URIs. */
#include "keyring/p11/uri.h"

#include "base/buf.h"

#include <string.h>
#include <strings.h>

#define SCHEME "pkcs11:"

static klm_rc wrong(struct klm_diag *diag, const char *text, const char *why)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_URI, text, why);
}

/* RFC 7512, 2.3: pchar but for ";" and "=" as they are, all else as %XX. Here only printable ASCII comes out. */
static klm_rc decode(const char *from, size_t n, char *out, size_t cap)
{
    size_t at = 0, got;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)from[i];

        if (c == '%') {
            char hex[3] = "";

            if (n - i < 3) {
                return KLM_E_INVALID;
            }
            memcpy(hex, from + i + 1, 2);
            KLM_TRY(klm_unhex(hex, &c, 1, &got));
            i += 2;
        }
        if (c < 0x20 || c > 0x7e || at + 1 >= cap) {
            return KLM_E_INVALID;
        }
        out[at++] = (char)c;
    }
    out[at] = '\0';
    return at ? KLM_OK : KLM_E_INVALID;
}

/* Where an attribute's value goes, and how long it may be; NULL: not one that is known. */
static char *place(struct p11_uri *uri, const char *name, size_t n, size_t *cap)
{
    const struct {
        const char *name;
        char *value;
        size_t cap;
    } known[] = {{"token", uri->token, sizeof uri->token},
                 {"serial", uri->serial, sizeof uri->serial},
                 {"object", uri->object, sizeof uri->object}};

    for (size_t i = 0; i < KLM_COUNT(known); i++) {
        if (strlen(known[i].name) == n && memcmp(known[i].name, name, n) == 0) {
            *cap = known[i].cap;
            return known[i].value;
        }
    }
    return NULL;
}

static klm_rc attribute(const char *text, const char *at, size_t n, struct p11_uri *uri,
                        struct klm_diag *diag)
{
    const char *equals = memchr(at, '=', n);
    size_t cap = 0, name = equals ? (size_t)(equals - at) : 0;
    char *value = equals ? place(uri, at, name, &cap) : NULL;

    if (!value) {
        return wrong(diag, text, "its attributes are token, serial and object");
    }
    if (value[0]) {
        return wrong(diag, text, "an attribute stands twice");
    }
    if (decode(equals + 1, n - name - 1, value, cap) != KLM_OK) {
        return wrong(diag, text,
                     "a value is empty, too long (token 32, serial 16, object 64 characters) or "
                     "has other than printable ASCII");
    }
    return KLM_OK;
}

bool p11_uri_is(const char *text)
{
    return strncasecmp(text, SCHEME, sizeof SCHEME - 1) == 0;
}

klm_rc p11_uri_parse(const char *text, struct p11_uri *out, struct klm_diag *diag)
{
    struct p11_uri uri = {.token = ""};
    const char *at;

    if (!p11_uri_is(text)) {
        return wrong(diag, text, "it does not begin with pkcs11:");
    }
    if (strchr(text, '?')) { /* not shown: it may be a PIN */
        return wrong(diag, SCHEME "...",
                     "library and PIN come from the configuration, not from the URI");
    }
    at = text + sizeof SCHEME - 1;
    for (;;) {
        size_t n = strcspn(at, ";");

        KLM_TRY(attribute(text, at, n, &uri, diag));
        if (!at[n]) {
            break;
        }
        at += n + 1;
    }
    *out = uri;
    return KLM_OK;
}
