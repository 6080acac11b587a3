/* A value against its row: type and range. Each type has one function that brings the value into
 * its one spelling, or says no; what is allowed is told from the row. */
#include "base/buf.h"
#include "parmlib/config.h"
#include "parmlib/host.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct check {
    const struct parm_row *row;
    const char *raw;
    const char *folder;
    struct klm_pool *pool;
    struct parm_value *out;
};

static klm_rc keep_text(struct check *c, const char *text)
{
    return (c->out->val = klm_pool_str(c->pool, text)) ? KLM_OK : KLM_E_NOMEM;
}

/* Digits only, at most 18 of them, so that nothing overflows. */
static bool decimal(const char *s, size_t n, int64_t *out)
{
    int64_t value = 0;

    if (n < 1 || n > 18 || strspn(s, "0123456789") < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        value = 10 * value + (s[i] - '0');
    }
    *out = value;
    return true;
}

static klm_rc check_number(struct check *c)
{
    int64_t least = 0, most = 0, value = 0;
    const char *dash = strchr(c->row->range, '-');

    if (!dash || !decimal(c->row->range, (size_t)(dash - c->row->range), &least) ||
        !decimal(dash + 1, strlen(dash + 1), &most)) {
        return KLM_E_INTERNAL;
    }
    if (!decimal(c->raw, strlen(c->raw), &value) || value < least || value > most) {
        return KLM_E_INVALID;
    }
    c->out->num = value;
    c->out->val = klm_pool_printf(c->pool, "%lld", (long long)value);
    return c->out->val ? KLM_OK : KLM_E_NOMEM;
}

static bool word_in(const char *words, const char *s, size_t n)
{
    while (*words) {
        size_t len = strcspn(words, "|");

        if (len == n && strncasecmp(words, s, n) == 0) {
            return true;
        }
        words += len + (words[len] == '|');
    }
    return false;
}

static klm_rc check_bool(struct check *c)
{
    bool yes = word_in("true|yes|on", c->raw, strlen(c->raw));

    if (!yes && !word_in("false|no|off", c->raw, strlen(c->raw))) {
        return KLM_E_INVALID;
    }
    c->out->num = yes;
    c->out->val = yes ? "true" : "false";
    return KLM_OK;
}

static void lower(char *s)
{
    for (; *s; s++) {
        *s = (char)tolower((unsigned char)*s);
    }
}

static klm_rc keep_lower(struct check *c, const char *text)
{
    char *copy = klm_pool_str(c->pool, text);

    if (!copy) {
        return KLM_E_NOMEM;
    }
    lower(copy);
    c->out->val = copy;
    c->out->num = strcmp(copy, "true") == 0;
    return KLM_OK;
}

static klm_rc check_keyword(struct check *c)
{
    return word_in(c->row->range, c->raw, strlen(c->raw)) ? keep_lower(c, c->raw) : KLM_E_INVALID;
}

static klm_rc check_keywords(struct check *c)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    const char *at = c->raw;
    struct klm_slice item;

    klm_buf_init(&text, PARM_STRING_MAX);
    while (parm_next_item(&at, &item)) {
        if (!word_in(c->row->range, (const char *)item.p, item.n)) {
            return KLM_E_INVALID;
        }
        if (text.n) {
            klm_buf_u8(&text, ',');
        }
        klm_buf_slice(&text, item);
    }
    if (!text.n) {
        return KLM_E_INVALID;
    }
    klm_buf_u8(&text, 0);
    return klm_buf_rc(&text) == KLM_OK ? keep_lower(c, (const char *)text.p) : KLM_E_INVALID;
}

/* FILE:path, FILE:///path, file://localhost/path or a plain path. NULL: a URL of another host. */
static const char *without_scheme(const char *s)
{
    if (strncasecmp(s, "file:", 5)) {
        return s;
    }
    s += 5;
    if (strncasecmp(s, "//localhost/", 12) == 0) {
        return s + 11;
    }
    if (s[0] == '/' && s[1] == '/') {
        return s[2] == '/' ? s + 2 : NULL;
    }
    return s;
}

static klm_rc check_path(struct check *c)
{
    size_t most =
        strcmp(c->row->range, "@socket") == 0 ? 107 : PARM_PATH_MAX; /* sun_path has 108 bytes */
    const char *path = without_scheme(c->raw);

    if (!path || !*path) {
        return KLM_E_INVALID;
    }
    if (*path != '/' && c->folder) {
        path = klm_pool_printf(c->pool, "%s/%s", c->folder, path);
        if (!path) {
            return KLM_E_NOMEM;
        }
    }
    return strlen(path) <= most ? keep_text(c, path) : KLM_E_INVALID;
}

static klm_rc check_keystore(struct check *c)
{
    struct parm_ring ring;

    KLM_TRY(parm_ring(c->raw, &ring));
    c->out->val = klm_pool_printf(c->pool, "safkeyring://%s/%s", ring.owner, ring.ring);
    return c->out->val ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc check_alias(struct check *c)
{
    return strlen(c->raw) <= PARM_ALIAS_MAX ? keep_text(c, c->raw) : KLM_E_INVALID;
}

static klm_rc check_host(struct check *c)
{
    size_t n = strlen(c->raw);
    const char *host = c->raw;

    if (n > 2 && host[0] == '[' && host[n - 1] == ']') { /* an IPv6 address in brackets */
        host = klm_pool_strn(c->pool, host + 1, n - 2);
        if (!host) {
            return KLM_E_NOMEM;
        }
    }
    return parm_is_host_name(host) || parm_is_ipv6(host) ? keep_text(c, host) : KLM_E_INVALID;
}

static bool hostport_ok(struct check *c)
{
    const char *colon = strrchr(c->raw, ':');
    struct parm_value unused = {0};
    struct check host = {c->row, NULL, NULL, c->pool, &unused};
    int64_t port = 0;

    if (!colon || !decimal(colon + 1, strlen(colon + 1), &port) || port < 1 || port > 65535) {
        return false;
    }
    host.raw = klm_pool_strn(c->pool, c->raw, (size_t)(colon - c->raw));
    /* An IPv6 address has brackets here, or its end could not be told from the port. */
    return host.raw && (host.raw[0] == '[' || !strchr(host.raw, ':')) &&
           check_host(&host) == KLM_OK;
}

static bool ciphers_ok(struct check *c)
{
    struct parm_suites found;

    parm_suites_scan(c->raw, &found);
    return !found.bad.p && (found.all || found.n12 + found.n13);
}

/* User names as the operating system has them, groups behind a %. */
static bool names_ok(struct check *c)
{
    const char *at = c->raw;
    struct klm_slice item;

    while (parm_next_item(&at, &item)) {
        size_t from = item.p[0] == '%';

        if (item.n - from < 1 || item.n - from > 255) {
            return false;
        }
        for (size_t i = from; i < item.n; i++) {
            if (!isalnum(item.p[i]) && !strchr("._-$@\\", item.p[i])) {
                return false;
            }
        }
    }
    return true;
}

static bool userid_ok(struct check *c)
{
    for (const char *s = c->raw; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("#@$", *s)) {
            return false;
        }
    }
    return strlen(c->raw) <= 8;
}

static bool subsystem_ok(struct check *c)
{
    return userid_ok(c) && strlen(c->raw) <= 4;
}

static bool filename_ok(struct check *c)
{
    return strlen(c->raw) <= 200 && !strchr(c->raw, '/') && strcmp(c->raw, ".") &&
           strcmp(c->raw, "..");
}

static bool time_ok(struct check *c)
{
    const char *s = c->raw;

    return strlen(s) == 5 && s[2] == ':' && strspn(s, "0123456789") == 2 &&
           strspn(s + 3, "0123456789") == 2 && strncmp(s, "23", 2) <= 0 && s[3] <= '5';
}

static bool kmip_suites_ok(struct check *c)
{
    return parm_kmip_suites_ok(c->raw);
}

static bool keyset_ok(struct check *c)
{
    return parm_keyset_ok(c->raw);
}

static const struct rule {
    const char *name;
    bool (*ok)(struct check *c);
    const char *allowed;
} rules[] = {
    {"@filename", filename_ok, "a name of at most 200 bytes without a folder"},
    {"@ciphers", ciphers_ok, NULL},
    {"@kmipsuites", kmip_suites_ok,
     "JSSE names of cipher suites in the KMIP manual, commas between"},
    {"@keyset", keyset_ok,
     "one key group, or aliases of up to 12 or of 21 characters and ranges such as THZ001-FF, "
     "commas between"},
    {"@names", names_ok, "user names and %groups, commas between"},
    {"@hostport", hostport_ok, "host:port"},
    {"@userid", userid_ok, "up to 8 letters, digits, #, @ and $"},
    {"@time", time_ok, "a time of day, HH:MM"},
    {"@subsystem", subsystem_ok, "up to 4 letters, digits, #, @ and $"},
};

static const struct rule *rule_of(const struct parm_row *row)
{
    for (size_t i = 0; i < KLM_COUNT(rules); i++) {
        if (strcmp(rules[i].name, row->range) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static klm_rc check_string(struct check *c)
{
    const struct rule *rule = rule_of(c->row);

    if (strlen(c->raw) > PARM_STRING_MAX || (rule && !rule->ok(c))) {
        return KLM_E_INVALID;
    }
    return keep_text(c, c->raw);
}

static const char *with_commas(struct klm_pool *pool, const char *words)
{
    const char *text = "";

    while (text && *words) {
        size_t len = strcspn(words, "|");

        text = klm_pool_printf(pool, "%s%s%.*s", text, *text ? ", " : "", (int)len, words);
        words += len + (words[len] == '|');
    }
    return text;
}

static const char *numbers(struct klm_pool *pool, const char *range)
{
    size_t dash = strcspn(range, "-");

    return klm_pool_printf(pool, "%.*s to %s", (int)dash, range, range + dash + 1);
}

static const char *string_allowed(struct klm_pool *pool, const struct parm_row *row)
{
    const struct rule *rule = rule_of(row);

    if (rule && !rule->allowed) {
        return parm_suites_allowed(pool, "TLS_AES"); /* the message names the others itself */
    }
    return rule ? rule->allowed
                : klm_pool_printf(pool, "at most %d bytes without control characters",
                                  PARM_STRING_MAX);
}

static const char *allowed_text(struct klm_pool *pool, const struct parm_row *row)
{
    switch (row->type) {
    case PARM_NUMBER:
    case PARM_PORT:
        return numbers(pool, row->range);
    case PARM_BOOL:
        return "true, yes, on, false, no, off";
    case PARM_KEYWORD:
        return with_commas(pool, row->range);
    case PARM_KEYWORDS:
        return with_commas(pool, row->range);
    case PARM_PATH:
    case PARM_URL:
        return strcmp(row->range, "@socket")
                   ? "a path of at most 1023 bytes, FILE: may stand before it"
                   : "a path of at most 107 bytes, FILE: may stand before it";
    case PARM_KEYSTORE:
        return "safkeyring://OWNER/RING, keystores in files are not supported";
    case PARM_ALIAS:
        return "1 to 64 bytes without control characters";
    case PARM_HOST:
        return "a host name, an IPv4 or an IPv6 address";
    case PARM_STRING:
        break;
    }
    return string_allowed(pool, row);
}

static klm_rc check_type(struct check *c)
{
    switch (c->row->type) {
    case PARM_NUMBER:
    case PARM_PORT:
        return check_number(c);
    case PARM_BOOL:
        return check_bool(c);
    case PARM_KEYWORD:
        return check_keyword(c);
    case PARM_KEYWORDS:
        return check_keywords(c);
    case PARM_PATH:
    case PARM_URL:
        return check_path(c);
    case PARM_KEYSTORE:
        return check_keystore(c);
    case PARM_ALIAS:
        return check_alias(c);
    case PARM_HOST:
        return check_host(c);
    case PARM_STRING:
        break;
    }
    return check_string(c);
}

static bool has_control(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F) {
            return true;
        }
    }
    return false;
}

klm_rc parm_check(enum parm_id id, const char *raw, const char *folder, struct klm_pool *pool,
                  struct parm_value *out, const char **allowed)
{
    struct parm_value value = *out;
    struct check c = {parm_row(id), raw, folder, pool, &value};
    bool secret = c.row->flags & PARM_SECRET;
    klm_rc rc = !secret && has_control(raw) ? KLM_E_INVALID : check_type(&c);

    if (rc == KLM_OK) {
        *out = value;
    } else if (rc == KLM_E_INVALID) {
        *allowed = allowed_text(pool, c.row);
        return *allowed ? rc : KLM_E_NOMEM;
    }
    return rc;
}
