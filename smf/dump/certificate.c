/* Whether bytes are a certificate at all, so that a wrong file is said as such and not as a wrong signature. */
#include "smf/dump/verify.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

bool smfd_is_certificate(struct klm_slice bytes)
{
    const unsigned char *p = bytes.p;
    X509 *x509;
    BIO *bio;

    if (!bytes.p || bytes.n > 1 << 20) {
        return false;
    }
    x509 = d2i_X509(NULL, &p, (long)bytes.n);
    bio = x509 ? NULL : BIO_new_mem_buf(bytes.p, (int)bytes.n);
    if (bio) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    BIO_free(bio);
    ERR_clear_error();
    X509_free(x509);
    return x509 != NULL;
}
