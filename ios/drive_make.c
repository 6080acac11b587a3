/* A new drive: key, request to be signed, and what the drive says of itself. */
#include "ios/drive.h"

#include "base/file.h"
#include "ios/pem.h"

#include <ctype.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define HEX "0123456789ABCDEF"

static const char *const kinds[] = {"3592", "LTO", "DS8000"};

/* text in capitals, when it is exactly n characters of the set. */
static bool take(const char *text, size_t n, const char *set, char *out)
{
    if (strlen(text) != n) {
        return false;
    }
    for (size_t i = 0; i <= n; i++) {
        out[i] = (char)toupper((unsigned char)text[i]);
    }
    return strspn(out, set) == n;
}

klm_rc ios_drive_serial(const char *text, char out[13], struct klm_diag *diag)
{
    char serial[13] = "00";

    if (take(text, 10, "0123456789", serial + 2) || take(text, 12, UPPER, serial)) {
        memcpy(out, serial, sizeof serial);
        return KLM_OK;
    }
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_SERIAL, text);
}

klm_rc ios_drive_wwn(const char *text, char out[17], struct klm_diag *diag)
{
    char wwn[17];

    if (!take(text, 16, HEX, wwn)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_WWN, text);
    }
    memcpy(out, wwn, sizeof wwn);
    return KLM_OK;
}

klm_rc ios_drive_kind(const char *text, uint8_t *out, struct klm_diag *diag)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (strcasecmp(text, kinds[i]) == 0) {
            *out = (uint8_t)i;
            return KLM_OK;
        }
    }
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_KIND, text);
}

const char *ios_drive_kind_name(uint8_t kind)
{
    return kind < KLM_COUNT(kinds) ? kinds[kind] : "?";
}

klm_rc ios_drive_path(const char *dir, const char *name, char *out, struct klm_diag *diag)
{
    int n = snprintf(out, IOS_DRIVE_PATH_MAX, "%s/%s", dir, name);

    return n > 0 && n < IOS_DRIVE_PATH_MAX
               ? KLM_OK
               : klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_OPEN, dir, "the name is too long");
}

/* ---- Request: the subject names the serial number; drive role and WWN are extensions asked for (PKCS#9 extensionRequest). */

static X509_NAME *subject_of(const char *serial)
{
    X509_NAME *name = X509_NAME_new();
    char cn[32];

    snprintf(cn, sizeof cn, "Drive %s", serial);
    if (!name ||
        X509_NAME_add_entry_by_NID(name, NID_serialNumber, MBSTRING_ASC,
                                   (const unsigned char *)serial, -1, -1, 0) != 1 ||
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)cn,
                                   -1, -1, 0) != 1) {
        X509_NAME_free(name);
        return NULL;
    }
    return name;
}

/* The WWN as a UTF8String (X.690, 8.23: tag 12). */
static X509_EXTENSION *wwn_extension(const char *wwn)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(IOS_OID_DRIVE_WWN, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;
    uint8_t der[2 + 16] = {0x0C, 16};

    memcpy(der + 2, wwn, 16);
    if (oid && value && ASN1_OCTET_STRING_set(value, der, sizeof der) == 1) {
        ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    }
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return ext;
}

static bool push(STACK_OF(X509_EXTENSION) * exts, X509_EXTENSION *take_ext)
{
    if (!take_ext || sk_X509_EXTENSION_push(exts, take_ext) <= 0) {
        X509_EXTENSION_free(take_ext);
        return false;
    }
    return true;
}

static bool add_extensions(X509_REQ *req, const char *wwn)
{
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    bool done = exts &&
                push(exts, X509V3_EXT_nconf_nid(NULL, NULL, NID_ext_key_usage,
                                                "clientAuth," IOS_OID_DRIVE_ROLE)) &&
                push(exts, wwn_extension(wwn)) && X509_REQ_add_extensions(req, exts) == 1;

    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return done;
}

static bool fill_request(X509_REQ *req, const struct ios_drive *drive)
{
    X509_NAME *name = subject_of(drive->serial);
    bool done = name && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_subject_name(req, name) == 1 &&
                X509_REQ_set_pubkey(req, drive->key) == 1 && add_extensions(req, drive->wwn) &&
                X509_REQ_sign(req, drive->key, EVP_sha256()) > 0;

    X509_NAME_free(name);
    return done;
}

/* ---- Files */

static klm_rc request_pem(const struct ios_drive *drive, struct klm_buf *out, struct klm_diag *diag)
{
    X509_REQ *req = X509_REQ_new();
    klm_rc rc = req && fill_request(req, drive) ? ios_pem_request_text(req, out, diag)
                                                : ios_pem_failed(diag);

    X509_REQ_free(req);
    return rc;
}

static klm_rc save_conf(const char *dir, const struct ios_drive *drive, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char path[IOS_DRIVE_PATH_MAX];

    klm_buf_init(&text, IOS_DRIVE_FILE_MAX);
    klm_buf_printf(&text, "serial=%s\nwwn=%s\nkind=%s\n", drive->serial, drive->wwn,
                   ios_drive_kind_name(drive->kind));
    KLM_TRY(klm_buf_rc(&text));
    KLM_TRY(ios_drive_path(dir, "drive.conf", path, diag));
    return klm_file_replace(path, klm_buf_as_slice(&text), 0644, diag);
}

static klm_rc save_request(const char *dir, const struct ios_drive *drive, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char path[IOS_DRIVE_PATH_MAX];

    klm_buf_init(&text, IOS_DRIVE_FILE_MAX);
    KLM_TRY(request_pem(drive, &text, diag));
    KLM_TRY(ios_drive_path(dir, "drive.csr", path, diag));
    return klm_file_replace(path, klm_buf_as_slice(&text), 0644, diag);
}

/* The key comes last: with it the folder is complete, and from then on it is never made again. */
static klm_rc save_all(const char *dir, const char *key_path, const struct ios_drive *drive,
                       struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init_wiping(&text, IOS_DRIVE_FILE_MAX);
    KLM_TRY(ios_pem_key_text(drive->key, &text, diag));
    KLM_TRY(klm_folder_make(dir, 0700, diag));
    KLM_TRY(save_conf(dir, drive, diag));
    KLM_TRY(save_request(dir, drive, diag));
    return klm_file_create(key_path, klm_buf_as_slice(&text), 0600, diag);
}

klm_rc ios_drive_init(const char *dir, const struct ios_drive_spec *spec, struct klm_diag *diag)
{
    struct ios_drive drive = {0};
    char key_path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    KLM_TRY(ios_drive_serial(spec->serial, drive.serial, diag));
    KLM_TRY(ios_drive_wwn(spec->wwn, drive.wwn, diag));
    KLM_TRY(ios_drive_kind(spec->kind ? spec->kind : kinds[0], &drive.kind, diag));
    KLM_TRY(ios_drive_path(dir, "drive.key", key_path, diag));
    if (access(key_path, F_OK) == 0) {
        return klm_fail(diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, key_path);
    }
    KLM_TRY(ios_pem_key_make(spec->key_type ? spec->key_type : "ec:P-256", diag, &drive.key));
    rc = save_all(dir, key_path, &drive, diag);
    EVP_PKEY_free(drive.key);
    return rc;
}
