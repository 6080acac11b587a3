/* Rules between properties, checked when each alone is good. */
#include "parmlib/config.h"

#include <limits.h>
#include <string.h>

static klm_rc fail(struct parm_config *config, struct parm_errors *errors, enum parm_id id,
                   enum klm_msg_id msg, const char *more)
{
    unsigned line = config->v[id].line;
    const char *place = parm_place(config->pool, errors->name, line);

    if (!place) {
        return KLM_E_NOMEM;
    }
    parm_error(errors, line, msg, place, parm_row(id)->name, more);
    return KLM_OK;
}

static klm_rc trust(struct parm_config *config, struct parm_errors *errors)
{
    if (parm_num(config, PARM_TransportListener_ssl_clientauthentication) == 0 ||
        parm_str(config, PARM_TransportListener_ssl_truststore_name)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_TransportListener_ssl_clientauthentication,
                KLM_MSG_PARM_TRUST_MISSING,
                parm_row(PARM_TransportListener_ssl_truststore_name)->name);
}

static klm_rc trace(struct parm_config *config, struct parm_errors *errors)
{
    if (strcmp(parm_str(config, PARM_debug), "none") == 0 ||
        parm_has(config, PARM_debug_output, "console") ||
        parm_str(config, PARM_debug_output_file)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_debug, KLM_MSG_PARM_DEBUG_FILE,
                parm_row(PARM_debug_output_file)->name);
}

/* An absolute path with "//" and "/./" as one slash and "name/.." taken out, in place; others stay.
 */
static void flatten(char *path)
{
    char *to = path, *from = path;

    if (*path != '/') {
        return;
    }
    while (*from) {
        size_t n = strcspn(++from, "/"); /* from is at a slash before, and after the name here */

        if (n == 2 && from[0] == '.' && from[1] == '.') {
            while (to > path && *--to != '/') {
            }
        } else if (n && !(n == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, n);
            to += n;
        }
        from += n;
    }
    *to = '\0';
}

static klm_rc master_key(struct parm_config *config, struct parm_errors *errors)
{
    char store[PATH_MAX], file[PATH_MAX];
    size_t n;

    KLM_TRY(parm_store_dir(config, store, sizeof store));
    KLM_TRY(parm_masterkey_file(config, file, sizeof file));
    flatten(store);
    flatten(file);
    n = strlen(store);
    if (strncmp(store, file, n) || (file[n] != '/' && file[n] != '\0')) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_config_masterkey_file, KLM_MSG_PARM_MASTER_IN_STORE, store);
}

/* Ports and the address that each is opened on. */
static const struct listener {
    enum parm_id port, host;
} listeners[] = {
    {PARM_TransportListener_tcp_port, PARM_TransportListener_tcp_host},
    {PARM_TransportListener_ssl_port, PARM_TransportListener_ssl_host},
    {PARM_KMIPListener_ssl_port, PARM_KMIPListener_ssl_host},
    {PARM_KMIPListener_https_port, PARM_KMIPListener_ssl_host},
    {PARM_Admin_ssl_port, PARM_Admin_ssl_host},
};

static bool same_port(const struct parm_config *config, const struct listener *a,
                      const struct listener *b)
{
    return parm_str(config, a->port) && parm_str(config, b->port) &&
           parm_num(config, a->port) == parm_num(config, b->port) &&
           strcmp(parm_str(config, a->host), parm_str(config, b->host)) == 0;
}

static klm_rc ports(struct parm_config *config, struct parm_errors *errors)
{
    for (size_t i = 1; i < KLM_COUNT(listeners); i++) {
        for (size_t before = 0; before < i; before++) {
            if (same_port(config, &listeners[i], &listeners[before])) {
                KLM_TRY(fail(config, errors, listeners[i].port, KLM_MSG_PARM_PORTS_SAME,
                             parm_row(listeners[before].port)->name));
            }
        }
    }
    return KLM_OK;
}

/* A version of TLS that both bounds and a suite allow. */
static klm_rc kmip_versions(struct parm_config *config, struct parm_errors *errors)
{
    int least, most;

    parm_kmip_versions(config, &least, &most);
    if (least <= most) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_KMIPListener_ssl_version_min, KLM_MSG_PARM_KMIP_VERSIONS,
                parm_str(config, PARM_KMIPListener_ssl_suites));
}

static klm_rc versions(struct parm_config *config, struct parm_errors *errors)
{
    if (parm_tls_min(config) <= parm_tls_max(config)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_TransportListener_ssl_ciphersuites, KLM_MSG_PARM_CIPHER_NONE,
                parm_row(PARM_TransportListener_ssl_protocols)->name);
}

/* Over the network a receiver has a host; its port has a default. */
static klm_rc syslog_host(struct parm_config *config, struct parm_errors *errors)
{
    const char *transport = parm_str(config, PARM_Audit_syslog_transport);

    if (!parm_bool(config, PARM_Audit_isSyslog) ||
        (transport && (strcmp(transport, "local") == 0 || strcmp(transport, "evtlog") == 0)) ||
        parm_str(config, PARM_Audit_syslog_server_host)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_Audit_isSyslog, KLM_MSG_PARM_SYSLOG_NEEDS,
                parm_row(PARM_Audit_syslog_server_host)->name);
}

static klm_rc syslog_ssl(struct parm_config *config, struct parm_errors *errors)
{
    const char *transport = parm_str(config, PARM_Audit_syslog_transport);

    if (!parm_bool(config, PARM_Audit_syslog_server_isSSL) || !transport ||
        strcmp(transport, "tls") == 0) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_Audit_syslog_server_isSSL, KLM_MSG_PARM_SYSLOG_SSL,
                parm_row(PARM_Audit_syslog_transport)->name);
}

/* The receiver's certificate is checked against the authorities of a ring that has to be named. */
static klm_rc syslog_trust(struct parm_config *config, struct parm_errors *errors)
{
    const char *transport = parm_str(config, PARM_Audit_syslog_transport);
    bool tls = parm_bool(config, PARM_Audit_syslog_server_isSSL) ||
               (transport && strcmp(transport, "tls") == 0);

    if (!parm_bool(config, PARM_Audit_isSyslog) || !tls ||
        parm_str(config, PARM_TransportListener_ssl_truststore_name)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_Audit_isSyslog, KLM_MSG_PARM_SYSLOG_NEEDS,
                parm_row(PARM_TransportListener_ssl_truststore_name)->name);
}

/* A library alone does not say which token; it may be that of backups alone, and neither is found without the library. */
static klm_rc token(struct parm_config *config, struct parm_errors *errors)
{
    const bool library = parm_str(config, PARM_pkcs11_library);
    const bool backups = parm_str(config, PARM_tklm_backup_token);

    if (backups && !library) {
        return fail(config, errors, PARM_tklm_backup_token, KLM_MSG_PARM_TOKEN_NEEDS,
                    parm_row(PARM_pkcs11_library)->name);
    }
    if (!library || backups || parm_str(config, PARM_pkcs11_token)) {
        return KLM_OK;
    }
    return fail(config, errors, PARM_pkcs11_library, KLM_MSG_PARM_TOKEN_NEEDS,
                parm_row(PARM_pkcs11_token)->name);
}

/* Keywords of a property that ask for what is not built yet; the provider of PKCS#11 keys is, with a token. */
static const struct {
    enum parm_id id;
    const char *keyword;
} later[] = {
    {PARM_config_keystore_provider, "IBMPKCS11Impl"},
    {PARM_config_keystore_type, "PKCS11IMPLKS"},
    {PARM_config_keystore_type, "IBMi5OSKeyStore"},
    {PARM_TransportListener_ssl_keystore_type, "PKCS11IMPLKS"},
    {PARM_TransportListener_ssl_keystore_type, "IBMi5OSKeyStore"},
    {PARM_TransportListener_ssl_truststore_type, "PKCS11IMPLKS"},
    {PARM_TransportListener_ssl_truststore_type, "IBMi5OSKeyStore"},
    {PARM_Admin_ssl_keystore_type, "PKCS11IMPLKS"},
    {PARM_Admin_ssl_keystore_type, "IBMi5OSKeyStore"},
    {PARM_Admin_ssl_truststore_type, "PKCS11IMPLKS"},
    {PARM_Admin_ssl_truststore_type, "IBMi5OSKeyStore"},
};

static void keywords(const struct parm_config *config, struct parm_errors *errors)
{
    for (size_t i = 0; i < KLM_COUNT(later); i++) {
        const struct parm_value *value = &config->v[later[i].id];
        const char *name = parm_row(later[i].id)->name;

        if (!parm_has(config, later[i].id, later[i].keyword) ||
            (later[i].id == PARM_config_keystore_provider &&
             parm_str(config, PARM_pkcs11_library))) {
            continue;
        }
        if (value->line) {
            parm_error(errors, value->line, KLM_MSG_PARM_LATER, KLM_NUM(value->line), errors->name,
                       name, value->raw);
        } else {
            parm_error(errors, 0, KLM_MSG_PARM_SET_LATER, name, value->raw);
        }
    }
}

klm_rc parm_cross_check(struct parm_config *config, struct parm_errors *errors)
{
    KLM_TRY(trust(config, errors));
    KLM_TRY(trace(config, errors));
    KLM_TRY(master_key(config, errors));
    KLM_TRY(ports(config, errors));
    KLM_TRY(versions(config, errors));
    KLM_TRY(kmip_versions(config, errors));
    KLM_TRY(syslog_host(config, errors));
    KLM_TRY(syslog_ssl(config, errors));
    KLM_TRY(syslog_trust(config, errors));
    KLM_TRY(token(config, errors));
    keywords(config, errors);
    return KLM_OK;
}
