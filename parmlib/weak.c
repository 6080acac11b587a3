/* Warnings for weak settings, and for settings that ask for more than is done. */
#include "parmlib/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PLACE_MAX 1100

/* Passwords that products are delivered with. */
static const char *const well_known[] = {"changeme", "changeit", "changeit!", "passw0rd",
                                         "admin",    "secret",   "ekmadmin"};

static bool is_well_known(const char *password)
{
    for (size_t i = 0; i < KLM_COUNT(well_known); i++) {
        if (strcasecmp(password, well_known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "Line 12 of FILE", or the file alone for a value that was set while running. */
static const char *place(const struct parm_config *config, unsigned line, char *out, size_t cap)
{
    if (!line) {
        return config->path;
    }
    snprintf(out, cap, "Line %u of %s", line, config->path);
    return out;
}

static void passwords(const struct parm_config *config)
{
    char where[PLACE_MAX];

    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const struct parm_row *row = parm_row((enum parm_id)i);
        const struct parm_value *value = &config->v[i];

        if (!(row->flags & PARM_SECRET) || !parm_is_set(config, (enum parm_id)i)) {
            continue;
        }
        klm_say(KLM_MSG_PARM_PASSWORD, place(config, value->line, where, sizeof where), row->name);
        /* The word "password" is what key rings want to see there, and no secret. */
        if (is_well_known(value->raw)) {
            klm_say(KLM_MSG_PARM_PASSWORD_DEFAULT, place(config, value->line, where, sizeof where),
                    row->name);
        }
    }
}

static void unknown_drives(const struct parm_config *config, enum parm_id id)
{
    if (parm_bool(config, id)) {
        klm_say(KLM_MSG_PARM_WEAK_UNKNOWN, parm_row(id)->name);
    }
}

/* Stored with the word CCA in its kind: keys of the cryptographic coprocessor. */
static void hardware(const struct parm_config *config)
{
    char where[PLACE_MAX];
    static const enum parm_id ids[] = {PARM_config_keystore_provider, PARM_config_keystore_type};

    if (parm_str(config, PARM_pkcs11_library)) {
        return; /* there is hardware */
    }
    for (size_t i = 0; i < KLM_COUNT(ids); i++) {
        const struct parm_value *value = &config->v[ids[i]];

        if (strcasestr(value->val, "cca") || strstr(value->val, "4758")) {
            klm_say(KLM_MSG_PARM_CCA, place(config, value->line, where, sizeof where),
                    parm_row(ids[i])->name, value->raw);
            return;
        }
    }
}

/* Suites of KMIP clients that no newer client needs. Only said where there are such clients. */
static void kmip_suites(const struct parm_config *config)
{
    struct klm_pool *pool;
    const char *weak;

    if ((!parm_is_set(config, PARM_KMIPListener_ssl_port) &&
         !parm_is_set(config, PARM_KMIPListener_https_port)) ||
        klm_pool_new(0, &pool) != KLM_OK) {
        return;
    }
    weak = parm_kmip_weak(config, pool);
    if (weak && *weak) {
        klm_say(KLM_MSG_PARM_WEAK_KMIP,
                parm_row(parm_is_set(config, PARM_KMIPListener_ssl_ciphersuites)
                             ? PARM_KMIPListener_ssl_ciphersuites
                             : PARM_KMIPListener_ssl_suites)
                    ->name,
                weak);
    }
    klm_pool_free(&pool);
}

void parm_say_weak(const struct parm_config *config)
{
    if (parm_num(config, PARM_TransportListener_ssl_clientauthentication) == 0) {
        klm_say(KLM_MSG_PARM_WEAK_CLIENTAUTH);
    }
    unknown_drives(config, PARM_drive_acceptUnknownDrives);
    unknown_drives(config, PARM_ds8k_acceptUnknownDrives);
    if (parm_tls_min(config) < 13) {
        klm_say(KLM_MSG_PARM_WEAK_TLS, parm_is_set(config, PARM_TransportListener_ssl_protocols)
                                           ? config->v[PARM_TransportListener_ssl_protocols].raw
                                           : "SSL_TLS");
    }
    if (parm_num(config, PARM_key_minimum_rsa_write) < 2048) {
        klm_say(KLM_MSG_PARM_WEAK_RSA, KLM_NUM(parm_num(config, PARM_key_minimum_rsa_write)));
    }
    if (parm_has(config, PARM_Audit_failure_action, "continue")) {
        klm_say(KLM_MSG_PARM_WEAK_AUDIT);
    }
    kmip_suites(config);
    passwords(config);
    hardware(config);
}
