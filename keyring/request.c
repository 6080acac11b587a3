/* Requests to be signed (PKCS#10, RFC 2986), from DER or PEM. */
#include "keyring/internal.h"

#include <openssl/pem.h>

static X509_REQ *from_pem(struct klm_slice in)
{
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new_mem_buf(in.p, (int)in.n);
    X509_REQ *req = bio ? PEM_read_bio_X509_REQ(bio, NULL, kr_no_password, NULL) : NULL;

    if (req && !kr_pem_ended(bio)) {
        X509_REQ_free(req);
        req = NULL;
    }
    return req;
}

static X509_REQ *from_der(struct klm_slice in)
{
    const unsigned char *p = in.p;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)in.n);

    if (req && p != in.p + in.n) {
        X509_REQ_free(req);
        req = NULL;
    }
    return req;
}

klm_rc kr_request_parse(struct klm_slice in, struct klm_diag *diag, X509_REQ **out)
{
    KLM_AUTO(kr_done_req) X509_REQ *req = NULL;
    EVP_PKEY *pub;

    if (in.n == 0 || in.n > KR_DER_MAX) {
        return klm_fail(diag, in.n ? KLM_E_LIMIT : KLM_E_INVALID, KLM_MSG_REQUEST_NOT,
                        in.n ? "it is too long" : "it is empty");
    }
    req = kr_is_pem(in) ? from_pem(in) : from_der(in);
    pub = req ? X509_REQ_get0_pubkey(req) : NULL;
    if (!pub) {
        return kr_quiet(klm_fail(diag, KLM_E_INVALID, KLM_MSG_REQUEST_NOT,
                                 "it is no PKCS#10 request in DER or PEM"));
    }
    if (X509_REQ_verify(req, pub) != 1) {
        return kr_quiet(klm_fail(diag, KLM_E_CRYPTO, KLM_MSG_REQUEST_SIGNATURE));
    }
    *out = req;
    req = NULL;
    return KLM_OK;
}
