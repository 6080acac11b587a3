/* The folder of a drive: reading and checking it, and taking in a certificate. */
#include "ios/drive.h"

#include "base/file.h"
#include "ios/pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void ios_drive_free(struct ios_drive **drive)
{
    struct ios_drive *d = *drive;

    if (!d) {
        return;
    }
    EVP_PKEY_free(d->key);
    X509_free(d->cert);
    for (size_t i = 0; i < d->ca_n; i++) {
        X509_free(d->ca[i]);
    }
    free(d);
    *drive = NULL;
}

/* ---- drive.conf */

static klm_rc conf_line(const char *name, const char *value, struct ios_drive *drive,
                        struct klm_diag *diag)
{
    if (strcmp(name, "serial") == 0) {
        return ios_drive_serial(value, drive->serial, diag);
    }
    if (strcmp(name, "wwn") == 0) {
        return ios_drive_wwn(value, drive->wwn, diag);
    }
    return strcmp(name, "kind") == 0 ? ios_drive_kind(value, &drive->kind, diag) : KLM_OK;
}

static klm_rc conf_text(char *text, struct ios_drive *drive, struct klm_diag *diag)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = text, *equal;

        text += n + (text[n] == '\n');
        line[n] = '\0';
        equal = strchr(line, '=');
        if (*line == '#' || !equal) {
            continue;
        }
        *equal = '\0';
        KLM_TRY(conf_line(line, equal + 1, drive, diag));
    }
    return KLM_OK;
}

static klm_rc load_conf(const char *dir, struct ios_drive *drive, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char path[IOS_DRIVE_PATH_MAX];

    klm_buf_init(&text, IOS_DRIVE_FILE_MAX + 1);
    KLM_TRY(ios_drive_path(dir, "drive.conf", path, diag));
    KLM_TRY(klm_file_read(path, IOS_DRIVE_FILE_MAX, &text, diag));
    klm_buf_u8(&text, 0);
    KLM_TRY(klm_buf_rc(&text));
    KLM_TRY(conf_text((char *)text.p, drive, diag));
    return drive->serial[0] && drive->wwn[0]
               ? KLM_OK
               : klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_CONF, path);
}

/* ---- Certificates */

static bool has_role(X509 *cert)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    char text[64];
    bool found = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        int n = OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(usages, i), 1);

        found = found || (n > 0 && strcmp(text, IOS_OID_DRIVE_ROLE) == 0);
    }
    EXTENDED_KEY_USAGE_free(usages);
    return found;
}

static bool has_serial(X509 *cert, const char *serial)
{
    char text[32] = "";

    return X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_serialNumber, text,
                                     sizeof text) == 12 &&
           strcmp(text, serial) == 0;
}

static bool has_wwn(X509 *cert, const char *wwn)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(IOS_OID_DRIVE_WWN, 1);
    X509_EXTENSION *ext = oid ? X509_get_ext(cert, X509_get_ext_by_OBJ(cert, oid, -1)) : NULL;
    const ASN1_OCTET_STRING *value = ext ? X509_EXTENSION_get_data(ext) : NULL;

    ASN1_OBJECT_free(oid);
    return value && ASN1_STRING_length(value) == 18 &&
           memcmp(ASN1_STRING_get0_data(value) + 2, wwn, 16) == 0;
}

/* Is the certificate that of this drive and of this key? */
static klm_rc check_cert(const struct ios_drive *drive, const char *path, struct klm_diag *diag)
{
    const char *why = NULL;
    klm_rc rc = KLM_E_DENIED;

    if (X509_check_private_key(drive->cert, drive->key) != 1) {
        rc = KLM_E_WRONGKEY;
        why = "it was made for another key";
    } else if (!has_role(drive->cert)) {
        why = "it does not have the role of a drive";
    } else if (!has_serial(drive->cert, drive->serial)) {
        why = "its serial number is not that of drive.conf";
    } else if (!has_wwn(drive->cert, drive->wwn)) {
        why = "its WWN is not that of drive.conf";
    }
    ERR_clear_error();
    return why ? klm_fail(diag, rc, KLM_MSG_IOS_CERT_OTHER, path, why) : KLM_OK;
}

static klm_rc check_chain(const struct ios_drive *drive, const char *path, struct klm_diag *diag)
{
    const char *why;

    return ios_pem_chains(drive->cert, drive->ca, drive->ca_n, &why)
               ? KLM_OK
               : klm_fail(diag, KLM_E_DENIED, KLM_MSG_IOS_CERT_OTHER, path, why);
}

static klm_rc load_own(const char *dir, struct ios_drive *drive, struct klm_diag *diag)
{
    char path[IOS_DRIVE_PATH_MAX];

    KLM_TRY(load_conf(dir, drive, diag));
    KLM_TRY(ios_drive_path(dir, "drive.key", path, diag));
    return ios_pem_key_load(path, diag, &drive->key);
}

static klm_rc load_both(const char *cert_path, const char *ca_path, struct ios_drive *drive,
                        struct klm_diag *diag)
{
    size_t n;

    KLM_TRY(ios_pem_certs_load(cert_path, &drive->cert, 1, &n, diag));
    KLM_TRY(check_cert(drive, cert_path, diag));
    return ios_pem_certs_load(ca_path, drive->ca, IOS_DRIVE_CAS, &drive->ca_n, diag);
}

klm_rc ios_drive_install(const char *dir, const char *cert_file, const char *ca_file,
                         struct klm_diag *diag)
{
    KLM_AUTO(ios_drive_free) struct ios_drive *drive = calloc(1, sizeof *drive);
    char path[IOS_DRIVE_PATH_MAX];

    if (!drive) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, dir);
    }
    KLM_TRY(load_own(dir, drive, diag));
    KLM_TRY(load_both(cert_file, ca_file, drive, diag));
    KLM_TRY(check_chain(drive, cert_file, diag));
    KLM_TRY(ios_drive_path(dir, "ca.crt", path, diag));
    KLM_TRY(ios_pem_certs_save(path, drive->ca, drive->ca_n, diag));
    KLM_TRY(ios_drive_path(dir, "drive.crt", path, diag));
    return ios_pem_certs_save(path, &drive->cert, 1, diag);
}

klm_rc ios_drive_load(const char *dir, struct klm_diag *diag, struct ios_drive **out)
{
    KLM_AUTO(ios_drive_free) struct ios_drive *drive = calloc(1, sizeof *drive);
    char cert_path[IOS_DRIVE_PATH_MAX], ca_path[IOS_DRIVE_PATH_MAX];

    if (!drive) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, dir);
    }
    KLM_TRY(ios_drive_path(dir, "drive.crt", cert_path, diag));
    KLM_TRY(ios_drive_path(dir, "ca.crt", ca_path, diag));
    KLM_TRY(load_own(dir, drive, diag));
    KLM_TRY(load_both(cert_path, ca_path, drive, diag));
    *out = drive;
    drive = NULL;
    return KLM_OK;
}

/* ---- Proof by signature */

static bool set_padding(EVP_PKEY *key, EVP_PKEY_CTX *ctx)
{
    return !EVP_PKEY_is_a(key, "RSA") ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1);
}

klm_rc ios_drive_sign(const struct ios_drive *drive, const uint8_t binding[32], uint8_t *out,
                      size_t cap, size_t *n)
{
    EVP_MD_CTX *md;
    EVP_PKEY_CTX *ctx = NULL;
    size_t len = cap;
    bool good;

    if (!EVP_PKEY_is_a(drive->key, "RSA") && !EVP_PKEY_is_a(drive->key, "EC")) {
        return KLM_E_UNSUPPORTED;
    }
    if (cap < (size_t)EVP_PKEY_get_size(drive->key)) {
        return KLM_E_LIMIT;
    }
    md = EVP_MD_CTX_new();
    good = md && EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, drive->key) == 1 &&
           set_padding(drive->key, ctx) && EVP_DigestSign(md, out, &len, binding, 32) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    if (!good) {
        return KLM_E_CRYPTO;
    }
    *n = len;
    return KLM_OK;
}
