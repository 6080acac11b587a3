/* TLS of the ports for KMIP clients: from the names of the KMIP profiles, or a list of suites, to what OpenSSL wants. */
#include "base/buf.h"
#include "parmlib/config.h"

#include <string.h>
#include <strings.h>

enum set { MODERN = 1, BASIC = 2, TLS12 = 4, SUITEB = 8, SUITEB192 = 16, WEAK = 32 };

static const struct suite {
    const char *jsse;
    int version;
    const char *openssl;
    unsigned sets;
} suites[] = {
#define PARM_KMIP_SUITE(jsse, version, openssl, sets) {jsse, version, openssl, sets},
#include "parmlib/kmip_suites.def"
#undef PARM_KMIP_SUITE
};

/* What a set asks besides its suites. RFC 6460, 3: Suite B is TLS 1.2 with the curves P-256 and P-384 alone; at 192 bits, P-384 alone (KMIP Profiles 1.4, 3.4). */
static const struct rules {
    const char *keyword; /* as parm_str has it */
    enum set set;
    int most;
    const char *groups, *sigalgs;
    unsigned ec_bits;
} rules[] = {
    {"modern", MODERN, 13, NULL, NULL, 0},
    {"basic", BASIC, 13, NULL, NULL, 0},
    {"tls12", TLS12, 12, NULL, NULL, 0},
    {"suiteb", SUITEB, 12, "P-256:P-384", "ECDSA+SHA256:ECDSA+SHA384", 256},
    {"suiteb192", SUITEB192, 12, "P-384", "ECDSA+SHA384", 384},
};

static const struct rules *rules_of(const struct parm_config *config)
{
    for (size_t i = 0; i < KLM_COUNT(rules); i++) {
        if (parm_has(config, PARM_KMIPListener_ssl_suites, rules[i].keyword)) {
            return &rules[i];
        }
    }
    return &rules[0];
}

static bool item_is(struct klm_slice item, const char *name)
{
    return item.n == strlen(name) && strncasecmp((const char *)item.p, name, item.n) == 0;
}

static bool listed(const char *list, const struct suite *suite)
{
    struct klm_slice item;

    while (parm_next_item(&list, &item)) {
        if (item_is(item, suite->jsse)) {
            return true;
        }
    }
    return false;
}

/* The list, when there is one, else the set. */
static bool chosen(const struct parm_config *config, const struct suite *suite)
{
    const char *list = parm_str(config, PARM_KMIPListener_ssl_ciphersuites);

    return list ? listed(list, suite) : (suite->sets & rules_of(config)->set) != 0;
}

bool parm_kmip_suites_ok(const char *list)
{
    struct klm_slice item;
    unsigned n = 0;

    for (; parm_next_item(&list, &item); n++) {
        bool known = false;

        for (size_t i = 0; i < KLM_COUNT(suites) && !known; i++) {
            known = item_is(item, suites[i].jsse);
        }
        if (!known) {
            return false;
        }
    }
    return n > 0;
}

/* Suites that are chosen, of a version, as OpenSSL wants them; "" when there is none. */
static klm_rc list_of(const struct parm_config *config, int version, struct klm_pool *pool,
                      const char **out)
{
    const char *text = "";

    for (size_t i = 0; i < KLM_COUNT(suites) && text; i++) {
        if (suites[i].version == version && chosen(config, &suites[i])) {
            text = klm_pool_printf(pool, "%s%s%s", text, *text ? ":" : "", suites[i].openssl);
        }
    }
    *out = text;
    return text ? KLM_OK : KLM_E_NOMEM;
}

static bool any_of(const struct parm_config *config, int version)
{
    for (size_t i = 0; i < KLM_COUNT(suites); i++) {
        if (suites[i].version == version && chosen(config, &suites[i])) {
            return true;
        }
    }
    return false;
}

static int version_of(const struct parm_config *config, enum parm_id id)
{
    return parm_has(config, id, "TLSv1.3") ? 13 : 12;
}

/* A version without a suite is left out. */
void parm_kmip_versions(const struct parm_config *config, int *least, int *most)
{
    int highest = rules_of(config)->most;

    *least = version_of(config, PARM_KMIPListener_ssl_version_min);
    *most = version_of(config, PARM_KMIPListener_ssl_version_max);
    *most = *most > highest ? highest : *most;
    if (*least == 12 && !any_of(config, 12)) {
        *least = 13;
    }
    if (*most == 13 && !any_of(config, 13)) {
        *most = 12;
    }
}

klm_rc parm_kmip_tls(const struct parm_config *config, struct klm_pool *pool,
                     struct parm_kmip_tls *out)
{
    const struct rules *set = rules_of(config);
    struct parm_kmip_tls tls = {
        .groups = set->groups, .sigalgs = set->sigalgs, .ec_bits = set->ec_bits};

    parm_kmip_versions(config, &tls.min, &tls.max);
    KLM_TRY(list_of(config, 12, pool, &tls.tls12));
    KLM_TRY(list_of(config, 13, pool, &tls.tls13));
    *out = tls;
    return KLM_OK;
}

const char *parm_kmip_weak(const struct parm_config *config, struct klm_pool *pool)
{
    const char *text = "";
    int least, most;

    parm_kmip_versions(config, &least, &most);
    for (size_t i = 0; least == 12 && i < KLM_COUNT(suites) && text; i++) {
        if ((suites[i].sets & WEAK) && chosen(config, &suites[i])) {
            text = klm_pool_printf(pool, "%s%s%s", text, *text ? ", " : "", suites[i].jsse);
        }
    }
    return text;
}
