/* A new storage system, and the certificates that make it a client of KMIP key servers. */
#include "ios/system.h"

#include "base/file.h"
#include "base/secret.h"
#include "ios/drive.h"
#include "ios/pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ios_system_identity_free(struct ios_system_identity **identity)
{
    struct ios_system_identity *id = *identity;

    if (!id) {
        return;
    }
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    for (size_t i = 0; i < id->ca_n; i++) {
        X509_free(id->ca[i]);
    }
    free(id);
    *identity = NULL;
}

/* ---- Making one */

static bool add_usage(X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth");
    bool done = exts && ext && sk_X509_EXTENSION_push(exts, ext) > 0;

    if (!done) {
        X509_EXTENSION_free(ext);
    }
    done = done && X509_REQ_add_extensions(req, exts) == 1;
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return done;
}

static bool add_text(X509_NAME *subject, int nid, const char *text)
{
    return X509_NAME_add_entry_by_NID(subject, nid, MBSTRING_ASC, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

static bool fill_request(X509_REQ *req, EVP_PKEY *key, const struct ios_system_state *state)
{
    X509_NAME *subject = X509_NAME_new();
    bool done = subject && add_text(subject, NID_serialNumber, state->serial) &&
                add_text(subject, NID_commonName, state->name) &&
                X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_subject_name(req, subject) == 1 &&
                X509_REQ_set_pubkey(req, key) == 1 && add_usage(req) &&
                X509_REQ_sign(req, key, EVP_sha256()) > 0;

    X509_NAME_free(subject);
    return done;
}

static klm_rc save_request(const char *dir, EVP_PKEY *key, const struct ios_system_state *state,
                           struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char path[IOS_DRIVE_PATH_MAX];
    X509_REQ *req = X509_REQ_new();
    klm_rc rc;

    klm_buf_init(&text, IOS_PEM_FILE_MAX);
    rc = req && fill_request(req, key, state) ? ios_pem_request_text(req, &text, diag)
                                              : ios_pem_failed(diag);
    X509_REQ_free(req);
    KLM_TRY(rc);
    KLM_TRY(ios_drive_path(dir, "system.csr", path, diag));
    return klm_file_replace(path, klm_buf_as_slice(&text), 0644, diag);
}

static klm_rc save_key(const char *dir, EVP_PKEY *key, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char path[IOS_DRIVE_PATH_MAX];

    klm_buf_init_wiping(&text, IOS_PEM_FILE_MAX);
    KLM_TRY(ios_pem_key_text(key, &text, diag));
    KLM_TRY(ios_drive_path(dir, "system.key", path, diag));
    return klm_file_replace(path, klm_buf_as_slice(&text), 0600, diag);
}

/* The state comes last: with it the folder is complete, and from then on nothing in it is made again. */
static klm_rc save_all(const char *dir, EVP_PKEY *key, const struct ios_system_state *state,
                       struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    klm_buf_init(&buf, IOS_SYSTEM_STATE_MAX);
    KLM_TRY(klm_folder_make(dir, 0700, diag));
    KLM_TRY(save_key(dir, key, diag));
    KLM_TRY(save_request(dir, key, state, diag));
    KLM_TRY(ios_drive_path(dir, "system.state", path, diag));
    rc = ios_system_encode(state, &buf);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_SYSTEM_STATE, path, klm_rc_text(rc));
    }
    return klm_file_create(path, klm_buf_as_slice(&buf), 0600, diag);
}

/* As a maker would number them, and never twice. */
static klm_rc random_serial(char out[13])
{
    uint8_t bytes[5];

    KLM_TRY(klm_random(bytes, sizeof bytes));
    snprintf(out, 13, "SY%02X%02X%02X%02X%02X", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]);
    return KLM_OK;
}

klm_rc ios_system_init(const char *dir, const char *name, const char *serial, const char *key_type,
                       struct klm_diag *diag)
{
    struct ios_system_state state = {.change = 1};
    char path[IOS_DRIVE_PATH_MAX];
    EVP_PKEY *key = NULL;
    klm_rc rc;

    if (!ios_system_name_ok(name)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_SYSTEM_NAME, name);
    }
    snprintf(state.name, sizeof state.name, "%s", name);
    KLM_TRY(serial ? ios_drive_serial(serial, state.serial, diag) : random_serial(state.serial));
    KLM_TRY(ios_drive_path(dir, "system.state", path, diag));
    if (access(path, F_OK) == 0) {
        return klm_fail(diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, path);
    }
    KLM_TRY(ios_pem_key_make(key_type ? key_type : "ec:P-256", diag, &key));
    rc = save_all(dir, key, &state, diag);
    EVP_PKEY_free(key);
    return rc;
}

/* ---- Certificates */

static klm_rc load(const char *dir, const char *cert_path, const char *ca_path,
                   struct ios_system_identity *id, struct klm_diag *diag)
{
    char path[IOS_DRIVE_PATH_MAX];
    size_t n = 0;
    bool own;

    KLM_TRY(ios_drive_path(dir, "system.key", path, diag));
    KLM_TRY(ios_pem_key_load(path, diag, &id->key));
    KLM_TRY(ios_pem_certs_load(cert_path, &id->cert, 1, &n, diag));
    own = X509_check_private_key(id->cert, id->key) == 1;
    ERR_clear_error();
    if (!own) {
        return klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_SYSTEM_CERT, cert_path);
    }
    return ios_pem_certs_load(ca_path, id->ca, IOS_SYSTEM_CAS, &id->ca_n, diag);
}

klm_rc ios_system_install(const char *dir, const char *cert_file, const char *ca_file,
                          struct klm_diag *diag)
{
    KLM_AUTO(ios_system_identity_free) struct ios_system_identity *id = calloc(1, sizeof *id);
    struct ios_system_state state;
    char path[IOS_DRIVE_PATH_MAX];

    if (!id) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, dir);
    }
    KLM_TRY(ios_system_load(dir, diag, &state));
    KLM_TRY(load(dir, cert_file, ca_file, id, diag));
    KLM_TRY(ios_drive_path(dir, "ca.crt", path, diag));
    KLM_TRY(ios_pem_certs_save(path, id->ca, id->ca_n, diag));
    KLM_TRY(ios_drive_path(dir, "system.crt", path, diag));
    return ios_pem_certs_save(path, &id->cert, 1, diag);
}

klm_rc ios_system_identity(const char *dir, struct klm_diag *diag, struct ios_system_identity **out)
{
    KLM_AUTO(ios_system_identity_free) struct ios_system_identity *id = calloc(1, sizeof *id);
    char cert[IOS_DRIVE_PATH_MAX], ca[IOS_DRIVE_PATH_MAX];

    if (!id) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, dir);
    }
    KLM_TRY(ios_drive_path(dir, "system.crt", cert, diag));
    KLM_TRY(ios_drive_path(dir, "ca.crt", ca, diag));
    KLM_TRY(load(dir, cert, ca, id, diag));
    *out = id;
    id = NULL;
    return KLM_OK;
}
