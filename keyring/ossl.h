/* OpenSSL objects with KLM_AUTO: one cleanup function a type. Inside keyring/ only. */
#ifndef KEYRING_OSSL_H
#define KEYRING_OSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define KR_OSSL_DONE(name, type, free_fn)                                                          \
    static inline void name(type **p)                                                              \
    {                                                                                              \
        free_fn(*p);                                                                               \
        *p = NULL;                                                                                 \
    }

KR_OSSL_DONE(kr_done_x509, X509, X509_free)
KR_OSSL_DONE(kr_done_req, X509_REQ, X509_REQ_free)
KR_OSSL_DONE(kr_done_name, X509_NAME, X509_NAME_free)
KR_OSSL_DONE(kr_done_ext, X509_EXTENSION, X509_EXTENSION_free)
KR_OSSL_DONE(kr_done_pkey, EVP_PKEY, EVP_PKEY_free)
KR_OSSL_DONE(kr_done_pctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
KR_OSSL_DONE(kr_done_bio, BIO, BIO_free_all)
KR_OSSL_DONE(kr_done_md, EVP_MD_CTX, EVP_MD_CTX_free)
KR_OSSL_DONE(kr_done_cipher, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
KR_OSSL_DONE(kr_done_bn, BIGNUM, BN_clear_free)
KR_OSSL_DONE(kr_done_obj, ASN1_OBJECT, ASN1_OBJECT_free)

/* Answer rc with OpenSSL's error queue emptied: a failure that was expected leaves nothing
 * behind for the next caller. */
static inline klm_rc kr_quiet(klm_rc rc)
{
    ERR_clear_error();
    return rc;
}

#endif
