/* Keys and certificates of devices as files: made, read, checked and kept. A drive, a disk array and a storage system each have a folder with such files (ios/drive.h, ios/system.h). */
#ifndef IOS_PEM_H
#define IOS_PEM_H

#include "base/buf.h"
#include "base/msg.h"

struct evp_pkey_st;
struct x509_st;
struct X509_req_st;

#define IOS_PEM_FILE_MAX 65536

/* A new key: rsa:2048, rsa:3072, rsa:4096, ec:P-256, ec:P-384. KLM_E_INVALID with a message for others; the caller frees it. */
klm_rc ios_pem_key_make(const char *type, struct klm_diag *diag, struct evp_pkey_st **out)
    KLM_MUST_USE;
/* Append it as PKCS#8 in PEM; out wipes. */
klm_rc ios_pem_key_text(struct evp_pkey_st *key, struct klm_buf *out, struct klm_diag *diag)
    KLM_MUST_USE;
/* Append a request for a certificate in PEM. */
klm_rc ios_pem_request_text(struct X509_req_st *request, struct klm_buf *out, struct klm_diag *diag)
    KLM_MUST_USE;
/* A key in PEM without a password. KLM_E_DENIED: others may read it; KLM_E_INVALID; each with a message. The caller frees it. */
klm_rc ios_pem_key_load(const char *path, struct klm_diag *diag, struct evp_pkey_st **out)
    KLM_MUST_USE;
/* Up to cap certificates of a file: one in DER, or PEM blocks one after the other. KLM_E_INVALID with a message. The caller frees each. */
klm_rc ios_pem_certs_load(const char *path, struct x509_st **out, size_t cap, size_t *n,
                          struct klm_diag *diag) KLM_MUST_USE;
/* Keep them in PEM, mode 0644. */
klm_rc ios_pem_certs_save(const char *path, struct x509_st *const *certs, size_t n,
                          struct klm_diag *diag) KLM_MUST_USE;
/* Does it chain to one of the authorities? *why (static) says why not. */
bool ios_pem_chains(struct x509_st *cert, struct x509_st *const *ca, size_t ca_n, const char **why);
/* Something of the crypto library failed while a key or a request was made: KLM_E_CRYPTO with its words. */
klm_rc ios_pem_failed(struct klm_diag *diag);

#endif
