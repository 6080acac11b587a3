/* Extensions of the certificates we make (RFC 5280, 4.2), by role. */
#include "keyring/internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define HOSTS_MAX 64
#define HOST_MAX 253

/* Critical key usage and extended key usage of a role; RSA keys are encrypted to, EC keys agreed
 * with. */
static const struct {
    const char *usage_rsa, *usage_ec, *extended;
} roles[] = {
    [KR_ROLE_LABEL] = {"critical,keyEncipherment,dataEncipherment", "critical,keyAgreement", NULL},
    [KR_ROLE_CA] = {"critical,keyCertSign,cRLSign", "critical,keyCertSign,cRLSign", NULL},
    [KR_ROLE_SERVER] = {"critical,digitalSignature,keyEncipherment", "critical,digitalSignature",
                        "serverAuth"},
    [KR_ROLE_CLIENT] = {"critical,digitalSignature", "critical,digitalSignature", "clientAuth"},
    [KR_ROLE_DRIVE] = {"critical,digitalSignature", "critical,digitalSignature",
                       "clientAuth," KR_OID_DRIVE_ROLE},
    [KR_ROLE_PARTNER] = {"critical,digitalSignature", "critical,digitalSignature",
                         "serverAuth,clientAuth," KR_OID_PARTNER_ROLE},
};

static klm_rc add(X509 *x509, X509_EXTENSION *take_ext)
{
    KLM_AUTO(kr_done_ext) X509_EXTENSION *ext = take_ext;

    if (!ext || X509_add_ext(x509, ext, -1) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

klm_rc kr_ext_text(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    return add(x509, X509V3_EXT_nconf_nid(NULL, &ctx, nid, value));
}

/* RFC 5280, 4.2.1.1: the issuer's subject key identifier; a foreign issuer without one gets none
 * named. */
klm_rc kr_ext_authority(X509 *x509, X509 *issuer)
{
    return issuer == x509 || X509_get0_subject_key_id(issuer)
               ? kr_ext_text(x509, issuer, NID_authority_key_identifier, "keyid:always")
               : KLM_OK;
}

/* The WWN as a UTF8String (X.690, 8.23: tag 12), not critical: who does not know it may skip it. */
static klm_rc add_wwn(X509 *x509, const char *wwn)
{
    KLM_AUTO(kr_done_obj) ASN1_OBJECT *oid = OBJ_txt2obj(KR_OID_DRIVE_WWN, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    uint8_t der[2 + 16] = {0x0c, 16};
    klm_rc rc = KLM_E_NOMEM;

    memcpy(der + 2, wwn, 16);
    if (oid && value && ASN1_OCTET_STRING_set(value, der, sizeof der) == 1) {
        rc = add(x509, X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value));
    }
    ASN1_OCTET_STRING_free(value);
    return rc;
}

/* A DNS name of letters, digits, hyphens and dots, perhaps with "*." in front; underscores occur
 * in real ones. */
static bool is_dns(const char *host)
{
    const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;

    return name[0] &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
               strlen(name) &&
           name[0] != '.' && !strstr(name, "..");
}

static GENERAL_NAME *host_name(const char *host)
{
    uint8_t address[16];
    int n = inet_pton(AF_INET, host, address) == 1    ? 4
            : inet_pton(AF_INET6, host, address) == 1 ? 16
                                                      : 0;
    ASN1_STRING *value =
        n || is_dns(host) ? ASN1_STRING_type_new(n ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING) : NULL;
    GENERAL_NAME *name = value ? GENERAL_NAME_new() : NULL;

    if (!name ||
        ASN1_STRING_set(value, n ? (const void *)address : host, n ? n : (int)strlen(host)) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, n ? GEN_IPADD : GEN_DNS, value);
    return name;
}

static klm_rc push_host(GENERAL_NAMES *names, const char *from, size_t n, struct klm_diag *diag)
{
    char host[HOST_MAX + 1];
    GENERAL_NAME *name;

    while (n && from[0] == ' ') {
        from++;
        n--;
    }
    while (n && from[n - 1] == ' ') {
        n--;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(n > HOST_MAX ? HOST_MAX : n),
                   from); /* cut only when refused next */
    if (n > HOST_MAX || sk_GENERAL_NAME_num(names) == HOSTS_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_HOST, host,
                        "names have at most 253 characters, and there are at most 64");
    }
    name = host_name(host);
    if (!name || sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        return kr_quiet(klm_fail(diag, KLM_E_INVALID, KLM_MSG_HOST, host,
                                 "it is neither a DNS name nor an IP address"));
    }
    return KLM_OK;
}

static klm_rc push_hosts(GENERAL_NAMES *names, const char *hosts, struct klm_diag *diag)
{
    for (const char *p = hosts;; p++) {
        size_t n = strcspn(p, ",");

        KLM_TRY(push_host(names, p, n, diag));
        p += n;
        if (*p == 0) {
            return KLM_OK;
        }
    }
}

static klm_rc add_hosts(X509 *x509, const char *hosts, struct klm_diag *diag)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    klm_rc rc;

    if (!names) {
        return KLM_E_NOMEM;
    }
    rc = push_hosts(names, hosts, diag);
    if (rc == KLM_OK &&
        X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1) {
        rc = kr_quiet(KLM_E_CRYPTO);
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return rc;
}

klm_rc kr_ext_add(X509 *x509, const struct kr_ext_want *want, struct klm_diag *diag)
{
    X509 *issuer = want->issuer;
    bool ec = EVP_PKEY_is_a(X509_get0_pubkey(x509), "EC");

    KLM_TRY(kr_ext_text(x509, issuer, NID_basic_constraints,
                        want->role == KR_ROLE_CA ? "critical,CA:TRUE" : "critical,CA:FALSE"));
    KLM_TRY(kr_ext_text(x509, issuer, NID_key_usage,
                        ec ? roles[want->role].usage_ec : roles[want->role].usage_rsa));
    if (roles[want->role].extended) {
        KLM_TRY(kr_ext_text(x509, issuer, NID_ext_key_usage, roles[want->role].extended));
    }
    KLM_TRY(kr_ext_text(x509, issuer, NID_subject_key_identifier, "hash"));
    KLM_TRY(kr_ext_authority(x509, issuer));
    if (want->wwn[0]) {
        KLM_TRY(add_wwn(x509, want->wwn));
    }
    return want->hosts && want->hosts[0] ? add_hosts(x509, want->hosts, diag) : KLM_OK;
}
