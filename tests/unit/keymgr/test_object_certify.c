/* Certify and Re-certify: certificates that an authority of the site signs for clients' public keys. */
#include "keymgr/object_help.h"

static struct house house;
static uint8_t ca_der[4096];
static size_t ca_n;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "certify", "kmip.certify.label=" CA_LABEL "\n");
        struct km_call *call = run_call(&house, KM_CERT_EXPORT, &admin, "owner", "CERTAUTH",
                                        "label", CA_LABEL, "format", "CERTDER", NULL);
        REQUIRE(call->rc == KLM_OK && call->bytes.n <= sizeof ca_der);
        memcpy(ca_der, call->bytes.p, call->bytes.n);
        ca_n = call->bytes.n;
        km_call_free(&call);
    }
}

static void new_pair(char uid[2][MD_UID_MAX])
{
    make_in(make_call(&house, KM_OBJECT_PAIR, NULL,
                      "CryptographicAlgorithm=EC CryptographicLength=256 "
                      "CryptographicUsageMask='Sign Verify'"),
            uid);
}

static struct km_call *certify(const char *uid, const char *attrs)
{
    return make_call(&house, KM_OBJECT_CERTIFY, uid, attrs);
}

/* Run; a warning is no failure. */
static const char *certified(struct km_call *call)
{
    return made(call);
}

/* The certificate, as OpenSSL reads it; the caller frees it. */
static X509 *x509_of(const char *uid)
{
    struct km_call *call = run_it(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    const struct kmip_node *value;
    const uint8_t *p;
    X509 *x509;

    REQUIRE_OK(call->rc);
    value = kmip_child(((struct km_object_get *)call->req)->item, KMIP_TAG_CertificateValue);
    REQUIRE(value && value->type == KMIP_BYTES);
    p = value->bytes.p;
    x509 = d2i_X509(NULL, &p, (long)value->bytes.n);
    REQUIRE(x509 != NULL);
    km_call_free(&call);
    return x509;
}

static const char *subject_of(const char *uid)
{
    static char text[4][300];
    static unsigned turn;
    char *out = text[turn = (turn + 1) % 4];
    X509 *x509 = x509_of(uid);
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0, XN_FLAG_RFC2253);
    n = BIO_read(bio, out, 299);
    out[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
    X509_free(x509);
    return out;
}

static bool signed_by_authority(const char *uid)
{
    const uint8_t *p = ca_der;
    X509 *ca = d2i_X509(NULL, &p, (long)ca_n), *x509 = x509_of(uid);
    const bool ok = X509_verify(x509, X509_get0_pubkey(ca)) == 1 && X509_check_ca(x509) == 0;

    X509_free(x509);
    X509_free(ca);
    return ok;
}

/* Is the certificate for the public key? */
static bool is_for(const char *uid, const char *public_key)
{
    struct km_call *call = object_call(&house, KM_OBJECT_GET, &alpha, public_key);
    X509 *x509 = x509_of(uid);
    const struct kmip_node *material;
    const uint8_t *p;
    EVP_PKEY *key;
    bool same;

    ((struct km_object_get *)call->req)->format = KMIP_KeyFormatType_X_509;
    REQUIRE_OK(run_it(call)->rc);
    material = kmip_child(
        kmip_child(kmip_child(((struct km_object_get *)call->req)->item, KMIP_TAG_KeyBlock),
                   KMIP_TAG_KeyValue),
        KMIP_TAG_KeyMaterial);
    p = material->bytes.p;
    key = d2i_PUBKEY(NULL, &p, (long)material->bytes.n);
    same = EVP_PKEY_eq(key, X509_get0_pubkey(x509)) == 1;
    EVP_PKEY_free(key);
    X509_free(x509);
    km_call_free(&call);
    return same;
}

TEST(a_public_key_is_certified_under_the_name_that_its_client_says)
{
    char uid[2][MD_UID_MAX];

    opened();
    new_pair(uid);
    const char *cert =
        certified(certify(uid[1], "CertificateSubjectC='NL' CertificateSubjectO='My, Co' "
                                  "CertificateSubjectCN='one=two' " NAMED("cert")));
    CHECK(signed_by_authority(cert));
    CHECK(is_for(cert, uid[1]));
    CHECK_STR(subject_of(cert), "CN=one=two,O=My\\, Co,C=NL");
    CHECK_STR(link_of(&house, cert, KMIP_LinkType_PublicKeyLink), uid[1]);
    CHECK_STR(link_of(&house, uid[1], KMIP_LinkType_CertificateLink), cert);
    CHECK_INT(attr_of(&house, cert, KMIP_TAG_CertificateType), KMIP_CertificateType_X_509);
    CHECK(attr_of(&house, cert, KMIP_TAG_CertificateLength) > 200);
}

TEST(attributes_of_the_certificate_are_what_it_says)
{
    char uid[2][MD_UID_MAX];
    struct klm_pool *pool = NULL;
    struct md_object object;

    opened();
    new_pair(uid);
    const char *cert = certified(certify(uid[1], "CertificateSubjectCN='who'"));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(&house, cert, pool, &object));
    const struct md_attr *cn = md_attr_find(&object.attrs, KMIP_TAG_CertificateSubjectCN);
    const struct md_attr *issuer = md_attr_find(&object.attrs, KMIP_TAG_CertificateIssuerCN);
    REQUIRE(cn && issuer);
    CHECK(klm_slice_equal(cn->value->bytes, klm_slice_str("who")));
    CHECK(md_attr_next(&object.attrs, cn) == NULL);
    CHECK(klm_slice_equal(issuer->value->bytes, klm_slice_str(CA_LABEL)));
    klm_pool_free(&pool);
}

TEST(certificate_subject_of_1_x_names_it_too)
{
    char uid[2][MD_UID_MAX];
    struct km_call *call;

    opened();
    new_pair(uid);
    call =
        certify(uid[1], "CertificateSubject{CertificateSubjectDistinguishedName='CN=old,O=MyCo'}");
    ((struct km_object_make *)call->req)->version = V14;
    CHECK_STR(subject_of(certified(call)), "CN=old,O=MyCo");
}

/* A request of a key's own, whose subject is CN=request. */
static size_t request_of(EVP_PKEY *key, uint8_t out[2048])
{
    X509_REQ *req = X509_REQ_new();
    uint8_t *p = out;
    int n;

    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
                               (const uint8_t *)"request", -1, -1, 0);
    X509_REQ_set_pubkey(req, key);
    REQUIRE(X509_REQ_sign(req, key, EVP_sha256()) > 0);
    n = i2d_X509_REQ(req, NULL);
    REQUIRE(n > 0 && n <= 2048);
    n = i2d_X509_REQ(req, &p);
    X509_REQ_free(req);
    return (size_t)n;
}

static struct km_call *certify_request(const char *uid, const uint8_t *bytes, size_t n,
                                       uint32_t type, const char *attrs)
{
    struct km_call *call = certify(uid, attrs);
    struct km_object_make *req = call->req;

    req->request = KLM_SLICE(bytes, n);
    req->request_type = type;
    return call;
}

/* KMIP 2.1, 6.1.6: what the request says takes precedence over the attributes. */
TEST(a_certificate_request_says_key_and_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t request[2048];
    char uid[2][MD_UID_MAX];

    opened();
    new_pair(uid);
    const size_t n = request_of(key, request);
    const char *cert = certified(certify_request(
        NULL, request, n, KMIP_CertificateRequestType_PKCS_10, "CertificateSubjectCN='other'"));
    CHECK(signed_by_authority(cert));
    CHECK_STR(subject_of(cert), "CN=request");
    X509 *x509 = x509_of(cert);
    CHECK_INT(EVP_PKEY_eq(key, X509_get0_pubkey(x509)), 1);
    X509_free(x509);
    CHECK_STR(link_of(&house, cert, KMIP_LinkType_PublicKeyLink), "");

    ENDS(certify_request(NULL, request, n, KMIP_CertificateRequestType_CRMF, ""), KLM_E_INVALID,
         KLM_MSG_CERTIFY_REQUEST);
    struct km_call *call =
        run_it(certify_request(NULL, request, n - 1, KMIP_CertificateRequestType_PKCS_10, ""));
    CHECK(call->rc != KLM_OK && call->diag.msg != KLM_MSG_NONE);
    km_call_free(&call);
    request[n - 1] ^= 1; /* not what its key signed */
    call = run_it(certify_request(NULL, request, n, KMIP_CertificateRequestType_PKCS_10, ""));
    CHECK(call->rc != KLM_OK && call->diag.msg != KLM_MSG_NONE);
    km_call_free(&call);
    request[n - 1] ^= 1;
    call = run_it(certify_request(uid[1], request, n, KMIP_CertificateRequestType_PKCS_10, ""));
    CHECK_RC(call->rc, KLM_E_WRONGKEY); /* for another key than the one named */
    km_call_free(&call);
    EVP_PKEY_free(key);
}

/* KMIP 2.1, 6.1.6 and 6.1.45: a Certificate Request that is here is named instead of sent. */
TEST(a_registered_request_is_certified_and_renewed_by)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t request[2048];
    char item[4200], hex[4097];
    struct km_call *call;

    opened();
    klm_hex(request, request_of(key, request), hex);
    snprintf(item, sizeof item,
             "CertificateRequest{CertificateRequestType=PKCS_10 CertificateRequestValue=%s}", hex);
    const char *stored = made(register_call(&house, KMIP_ObjectType_CertificateRequest, item, ""));
    const char *cert = certified(certify(stored, "CertificateSubjectCN='other'"));
    CHECK(signed_by_authority(cert));
    CHECK_STR(subject_of(cert), "CN=request");
    CHECK_STR(link_of(&house, cert, KMIP_LinkType_PublicKeyLink), "");
    CHECK_STR(link_of(&house, stored, KMIP_LinkType_CertificateLink), "");

    call = make_call(&house, KM_OBJECT_RECERTIFY, cert, "");
    ((struct km_object_make *)call->req)->request_uid = stored;
    const char *renewed = certified(call);
    CHECK_STR(subject_of(renewed), "CN=request");
    CHECK_STR(link_of(&house, renewed, KMIP_LinkType_ReplacedObjectLink), cert);
    call = make_call(&house, KM_OBJECT_RECERTIFY, renewed, "");
    ((struct km_object_make *)call->req)->request_uid = cert; /* no request */
    ENDS(call, KLM_E_DENIED, KLM_MSG_CERTIFY_NO_KEY);
    ENDS(register_call(&house, KMIP_ObjectType_CertificateRequest,
                       "CertificateRequest{CertificateRequestType=PKCS_10}", ""),
         KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    EVP_PKEY_free(key);
}

TEST(what_cannot_be_certified_is_not)
{
    char uid[2][MD_UID_MAX];

    opened();
    new_pair(uid);
    ENDS(certify(uid[0], "CertificateSubjectCN='x'"), KLM_E_DENIED, KLM_MSG_CERTIFY_NO_KEY);
    ENDS(certify(NULL, "CertificateSubjectCN='x'"), KLM_E_INVALID, KLM_MSG_OBJECT_UNNAMED);
    ENDS(object_call(&house, KM_OBJECT_CERTIFY, &beta, uid[1]), KLM_E_NOTFOUND,
         KLM_MSG_OBJECT_UNKNOWN);
    ENDS(certify(uid[1], "CertificateIssuerCN='x'"), KLM_E_DENIED, KLM_MSG_ATTR_SERVERS);
    struct km_call *call = run_it(certify(uid[1], "")); /* without any name */
    CHECK(call->rc != KLM_OK && call->diag.msg != KLM_MSG_NONE);
    km_call_free(&call);
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid[1], 0));
    ENDS(certify(uid[1], "CertificateSubjectCN='x'"), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
}

/* ---- Re-certify */

TEST(a_certificate_is_renewed_for_the_same_key_and_name)
{
    char uid[2][MD_UID_MAX];

    opened();
    new_pair(uid);
    const char *old = certified(certify(uid[1], "CertificateSubjectCN='again' "
                                                "CertificateSubjectOU='unit' " NAMED("renewed")));
    const char *fresh = certified(make_call(&house, KM_OBJECT_RECERTIFY, old, ""));
    CHECK(signed_by_authority(fresh));
    CHECK(is_for(fresh, uid[1]));
    CHECK_STR(subject_of(fresh), "CN=again,OU=unit");
    CHECK_STR(link_of(&house, fresh, KMIP_LinkType_ReplacedObjectLink), old);
    CHECK_STR(link_of(&house, old, KMIP_LinkType_ReplacementObjectLink), fresh);
    CHECK_STR(link_of(&house, fresh, KMIP_LinkType_PublicKeyLink), uid[1]);
    CHECK_STR(link_of(&house, uid[1], KMIP_LinkType_CertificateLink), fresh);
    ENDS(make_call(&house, KM_OBJECT_RECERTIFY, old, ""), KLM_E_STATE, KLM_MSG_RENEW_TWICE);
    ENDS(make_call(&house, KM_OBJECT_RECERTIFY, uid[1], ""), KLM_E_DENIED, KLM_MSG_CERTIFY_NO_KEY);
}

TEST(another_name_of_a_renewed_certificate_leaves_nothing_of_the_old_one)
{
    char uid[2][MD_UID_MAX];
    struct klm_pool *pool = NULL;
    struct md_object object;

    opened();
    new_pair(uid);
    const char *old =
        certified(certify(uid[1], "CertificateSubjectCN='before' CertificateSubjectOU='unit'"));
    const char *fresh =
        certified(make_call(&house, KM_OBJECT_RECERTIFY, old, "CertificateSubjectCN='after'"));
    CHECK_STR(subject_of(fresh), "CN=after");
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(&house, fresh, pool, &object));
    CHECK(md_attr_find(&object.attrs, KMIP_TAG_CertificateSubjectOU) == NULL);
    const struct md_attr *cn = md_attr_find(&object.attrs, KMIP_TAG_CertificateSubjectCN);
    CHECK(cn && klm_slice_equal(cn->value->bytes, klm_slice_str("after")));
    klm_pool_free(&pool);
}

TEST(without_an_authority_nothing_is_certified)
{
    char uid[2][MD_UID_MAX];

    opened();
    new_pair(uid);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.certify.label", "value", "L1"); /* no CA */
    ENDS(certify(uid[1], "CertificateSubjectCN='x'"), KLM_E_STATE, KLM_MSG_CERTIFY_LABEL);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.certify.label", "unset", "");
    ENDS(certify(uid[1], "CertificateSubjectCN='x'"), KLM_E_UNSUPPORTED, KLM_MSG_CERTIFY_OFF);
}

TEST(zz_close)
{
    close_house(&house);
}
