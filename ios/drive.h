/* The identity of a drive: a folder with its private key, its certificate, the authorities of its key managers, and what it
 * says of itself. The key is made here and never leaves the folder; a request for a certificate does.
 *
 *     drive.key   private key, PKCS#8 in PEM, mode 0600
 *     drive.csr   request, PKCS#10 in PEM, for RACDCERT GENCERT
 *     drive.conf  serial=, wwn=, kind=
 *     drive.crt   certificate, DER or PEM; put there by install
 *     ca.crt      the authority of the key managers and of drive.crt, DER or PEM, up to IOS_DRIVE_CAS certificates */
#ifndef IOS_DRIVE_H
#define IOS_DRIVE_H

#include "base/buf.h"
#include "base/msg.h"

#include <stdint.h>

struct evp_pkey_st;
struct x509_st;

/* Our extended key usage and extension, as the key manager's certificates have them. */
#define IOS_OID_DRIVE_ROLE "1.3.6.1.4.1.32473.83.1"
#define IOS_OID_DRIVE_WWN "1.3.6.1.4.1.32473.83.2"

#define IOS_DRIVE_CAS 8
#define IOS_DRIVE_FILE_MAX 65536
#define IOS_DRIVE_PATH_MAX 4096
#define IOS_DRIVE_LTO 1 /* of the kinds below */

enum ios_kind { IOS_KIND_3592, IOS_KIND_LTO, IOS_KIND_DS8000 };

struct ios_drive {
    char serial[13], wwn[17];
    uint8_t kind; /* ios_kind */
    struct evp_pkey_st *key;
    struct x509_st *cert;
    struct x509_st *ca[IOS_DRIVE_CAS];
    size_t ca_n;
};

/* What init is told; kind NULL is 3592, key_type NULL is ec:P-256. */
struct ios_drive_spec {
    const char *serial, *wwn, *kind, *key_type;
};

/* Serial number: 12 letters and digits, made upper case; of 10 digits, 00 is put in front. KLM_E_INVALID with a message. */
klm_rc ios_drive_serial(const char *text, char out[13], struct klm_diag *diag) KLM_MUST_USE;
/* WWN: 16 hexadecimal digits, made upper case. */
klm_rc ios_drive_wwn(const char *text, char out[17], struct klm_diag *diag) KLM_MUST_USE;
/* 3592, LTO or DS8000, and back. */
klm_rc ios_drive_kind(const char *text, uint8_t *out, struct klm_diag *diag) KLM_MUST_USE;
const char *ios_drive_kind_name(uint8_t kind);

/* Make the folder (its parents must be writable), key, request and drive.conf. KLM_E_EXISTS when there is a key already: it is
 * never overwritten. Key types: rsa:2048, rsa:3072, rsa:4096, ec:P-256, ec:P-384. */
klm_rc ios_drive_init(const char *dir, const struct ios_drive_spec *spec, struct klm_diag *diag)
    KLM_MUST_USE;
/* Check a certificate (DER or PEM) and its authorities and copy them into the folder. KLM_E_WRONGKEY: not for this key; KLM_E_DENIED: another
 * drive's, without the drive role, or not signed by an authority of ca_file. Nothing is changed then. */
klm_rc ios_drive_install(const char *dir, const char *cert_file, const char *ca_file,
                         struct klm_diag *diag) KLM_MUST_USE;
/* Read and check the whole folder. KLM_E_NOTFOUND, KLM_E_DENIED (the key may be read by others), KLM_E_INVALID, KLM_E_WRONGKEY.
 * The caller frees it. */
klm_rc ios_drive_load(const char *dir, struct klm_diag *diag, struct ios_drive **out) KLM_MUST_USE;
void ios_drive_free(struct ios_drive **drive);

/* Sign the binding value of a session: RSASSA-PSS with SHA-256 and a salt of 32 bytes, or ECDSA with SHA-256 in DER (PROTOCOL.md, 1.4).
 * KLM_E_UNSUPPORTED for other keys, KLM_E_LIMIT when it does not fit. */
klm_rc ios_drive_sign(const struct ios_drive *drive, const uint8_t binding[32], uint8_t *out,
                      size_t cap, size_t *n) KLM_MUST_USE;

/* ---- For the two files of this part. */
/* dir/name into out of IOS_DRIVE_PATH_MAX bytes. KLM_E_LIMIT. */
klm_rc ios_drive_path(const char *dir, const char *name, char *out, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
