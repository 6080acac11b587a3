/* Cipher suites: JSSE names to OpenSSL names, by the table jsse.def. */
#include "base/buf.h"
#include "parmlib/config.h"

#include <string.h>
#include <strings.h>

static const struct suite {
    int version;
    const char *jsse, *openssl;
} suites[] = {
#define PARM_SUITE(version, jsse, openssl) {version, jsse, openssl},
#include "parmlib/jsse.def"
#undef PARM_SUITE
};

/* Parts of names by which a suite is known and refused: no encryption, no authentication, broken or
 * short ciphers, block chaining, no forward secrecy, finite-field exchange. */
static const char *const refused[] = {
    "_NULL_", "_anon_", "_EXPORT", "_RC4_",    "_RC2_",    "_DES_", "_DES40_", "_3DES_", "_IDEA_",
    "_CBC_",  "_MD5",   "_DSS_",   "TLS_RSA_", "SSL_RSA_", "_DH_",  "_DHE_",   "_ECDH_", "_KRB5_"};

bool parm_next_item(const char **list, struct klm_slice *item)
{
    static const char between[] = ",; \t";
    const char *begin = *list + strspn(*list, between);
    size_t n = strcspn(begin, between);

    *list = begin + n;
    *item = KLM_SLICE(begin, n);
    return n > 0;
}

static bool item_is(struct klm_slice item, const char *name)
{
    return item.n == strlen(name) && strncasecmp((const char *)item.p, name, item.n) == 0;
}

static const struct suite *suite_find(struct klm_slice item)
{
    bool ibm = item.n > 4 && strncasecmp((const char *)item.p, "SSL_", 4) == 0;

    for (size_t i = 0; i < KLM_COUNT(suites); i++) {
        if (item_is(item, suites[i].jsse) ||
            (ibm && item_is(KLM_SLICE(item.p + 4, item.n - 4), suites[i].jsse + 4))) {
            return &suites[i];
        }
    }
    return NULL;
}

static bool is_refused(struct klm_slice item)
{
    if (item.n < 4 || (strncasecmp((const char *)item.p, "TLS_", 4) &&
                       strncasecmp((const char *)item.p, "SSL_", 4))) {
        return false;
    }
    for (size_t i = 0; i < KLM_COUNT(refused); i++) {
        size_t len = strlen(refused[i]);

        for (size_t at = 0; at + len <= item.n; at++) {
            if (strncasecmp((const char *)item.p + at, refused[i], len) == 0) {
                return true;
            }
        }
    }
    return false;
}

void parm_suites_scan(const char *list, struct parm_suites *out)
{
    struct parm_suites found = {0};
    struct klm_slice item;

    while (parm_next_item(&list, &item)) {
        const struct suite *suite = suite_find(item);

        if (item_is(item, "JSSE_ALL")) {
            found.all = true;
        } else if (suite) {
            found.n12 += suite->version == 12;
            found.n13 += suite->version == 13;
        } else if (!found.bad.p) {
            found.bad = item;
            found.bad_is_old = is_refused(item);
        }
    }
    *out = found;
}

const char *parm_suites_allowed(struct klm_pool *pool, const char *prefix)
{
    const char *text = "";

    for (size_t i = 0; i < KLM_COUNT(suites) && text; i++) {
        if (strncmp(suites[i].jsse, prefix, strlen(prefix)) == 0) {
            text = klm_pool_printf(pool, "%s%s%s", text, *text ? ", " : "", suites[i].jsse);
        }
    }
    return text;
}

/* The OpenSSL names of one version, colons between. */
static klm_rc suites_of(const char *list, int version, struct klm_pool *pool, const char **out)
{
    const char *text = "";
    struct klm_slice item;

    while (parm_next_item(&list, &item)) {
        const struct suite *suite = suite_find(item);

        if (suite && suite->version == version) {
            text = klm_pool_printf(pool, "%s%s%s", text, *text ? ":" : "", suite->openssl);
        }
        if (!text) {
            return KLM_E_NOMEM;
        }
    }
    *out = text;
    return KLM_OK;
}

klm_rc parm_ciphers(const struct parm_config *config, enum parm_id id, struct klm_pool *pool,
                    const char **tls12, const char **tls13)
{
    const char *list = parm_str(config, id), *of12 = NULL, *of13 = NULL;
    struct parm_suites found = {.all = true};

    if (list) {
        parm_suites_scan(list, &found);
    }
    if (!found.all && found.n12) {
        KLM_TRY(suites_of(list, 12, pool, &of12));
    }
    if (!found.all && found.n13) {
        KLM_TRY(suites_of(list, 13, pool, &of13));
    }
    *tls12 = of12;
    *tls13 = of13;
    return KLM_OK;
}

/* A version without a suite is left out, unless the list says nothing about suites. */
static void tls_range(const struct parm_config *config, int *least, int *most)
{
    bool only13 = parm_has(config, PARM_TransportListener_ssl_protocols, "TLSv1.3");
    struct parm_suites found;

    parm_suites_scan(parm_str(config, PARM_TransportListener_ssl_ciphersuites), &found);
    *least = only13 || (!found.all && !found.n12) ? 13 : 12;
    *most = !found.all && !found.n13 ? 12 : 13;
}

int parm_tls_min(const struct parm_config *config)
{
    int least, most;

    tls_range(config, &least, &most);
    return least;
}

int parm_tls_max(const struct parm_config *config)
{
    int least, most;

    tls_range(config, &least, &most);
    return most;
}
