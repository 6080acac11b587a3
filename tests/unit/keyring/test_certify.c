/* Certificates for keys of others: openssl verifies them, and nobody gets a role that way. */
#include "matter.h"
#include "site.h"

static struct site site;
static struct kr_open_ring *ring;

/* A ring with an authority, and a certificate that is none. */
static const struct kr_label *issuer(const char *label)
{
    const struct kr_label *found = NULL;

    if (!ring) {
        struct made ca = make_cert("CN=MyLocalCA,O=MyCo,C=US", P384, KR_ROLE_CA, NULL),
                    keyless = make_keyless("CN=Elsewhere CA", P256, KR_ROLE_CA),
                    leaf = make_cert("CN=leaf", P256, KR_ROLE_LABEL, &ca);

        site = site_new();
        put_cert(&site, &ca, CERTAUTH("CA"), KR_TRUST);
        put_cert(&site, &keyless, CERTAUTH("KEYLESS"), KR_TRUST);
        put_cert(&site, &leaf, PERSONAL("leaf"), KR_TRUST);
        ring = ring_of(&site);
        kr_key_free(&ca.key);
        kr_key_free(&leaf.key);
    }
    REQUIRE_OK(kr_label_find(ring, label, &found));
    return found;
}

static const char *pem_file(const char *name, struct klm_slice der)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_cert_pem(der, &buf));
    (void)write_temp(name, klm_buf_as_slice(&buf));
    klm_buf_done(&buf);
    return kept_path(name);
}

static const char *text_of(struct klm_slice der)
{
    const char *text = OPENSSL("x509", "-in", pem_file("t.pem", der), "-noout", "-text");

    REQUIRE(text != NULL);
    return text;
}

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define HAS_NOT(text, part) CHECK(strstr((text), (part)) == NULL)

static struct klm_slice certified(const struct kr_certify *spec)
{
    struct klm_diag diag = {0};
    struct klm_slice der = {0};
    const klm_rc rc = kr_certify(spec, issuer("CA"), test_pool(), &diag, &der);

    if (rc != KLM_OK) {
        fprintf(stderr, "# %s\n", diag.text);
    }
    REQUIRE_OK(rc);
    CHECK(OPENSSL("verify", "-x509_strict", "-CAfile", pem_file("ca.pem", issuer("CA")->der),
                  pem_file("new.pem", der)) != NULL);
    return der;
}

static void refused(const struct kr_certify *spec, const char *by, klm_rc rc, enum klm_msg_id msg)
{
    struct klm_diag diag = {0};
    struct klm_slice der = {0};

    CHECK_RC(kr_certify(spec, issuer(by), test_pool(), &diag, &der), rc);
    CHECK_INT(diag.msg, msg);
    CHECK(der.p == NULL);
}

/* A public key that openssl made. */
static struct kr_material *public_key(void)
{
    const struct forms forms = ec_forms("prime256v1");

    return material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509);
}

/* A request, with what its owner would like to be; extensions NULL: none. */
static struct klm_slice request_of(const char *subject, const char *const *extensions, bool pem)
{
    const char *key = kept_path("req.key"), *out = kept_path("req.out");
    const char *args[24] = {"req", "-new",  "-newkey", "rsa:2048", "-nodes", "-keyout",
                            key,   "-subj", subject,   "-out",     out,      "-outform"};
    size_t n = 12;

    args[n++] = pem ? "PEM" : "DER";
    for (size_t i = 0; extensions && extensions[i]; i++) {
        args[n++] = "-addext";
        args[n++] = extensions[i];
    }
    REQUIRE(openssl(args) != NULL);
    return load(out);
}

/* A certificate of somebody's own, that claims all there is. */
static struct klm_slice bold_cert(const struct forms *forms)
{
    const char *key = write_temp("bold.der", forms->pkcs8), *out = kept_path("bold.crt");

    REQUIRE(OPENSSL("req", "-x509", "-new", "-key", key, "-keyform", "DER", "-subj",
                    "/CN=old one/O=MyCo", "-days", "30", "-outform", "DER", "-out", out, "-addext",
                    "basicConstraints=critical,CA:TRUE", "-addext",
                    "keyUsage=critical,keyCertSign,cRLSign,keyEncipherment", "-addext",
                    "extendedKeyUsage=clientAuth,OCSPSigning," KR_OID_DRIVE_ROLE
                    "," KR_OID_PARTNER_ROLE) != NULL);
    return load(out);
}

TEST(a_public_key_is_certified_under_a_subject)
{
    struct kr_material *key = public_key(), *of_cert;
    struct klm_slice der =
        certified(&(struct kr_certify){.public_key = key, .subject = "CN=somebody,O=MyCo"});
    const char *text = text_of(der);

    HAS(text, "O = MyCo, CN = somebody");
    HAS(text, "CN = MyLocalCA");
    HAS(text, "CA:FALSE");
    HAS(text, "Digital Signature, Key Agreement");
    HAS(text, "ecdsa-with-SHA384");
    HAS_NOT(text, "Extended Key Usage");
    of_cert = material_of(KMIP_ObjectType_Certificate, KMIP_CertificateType_X_509, der);
    CHECK_INT(kr_material_spec(of_cert)->algorithm, ALG(EC));
    CHECK_INT(kr_material_spec(of_cert)->curve, CURVE(P_256));
    kr_material_free(&of_cert);
    kr_material_free(&key);
}

TEST(keys_of_every_kind_that_signs_or_agrees_are_certified)
{
    static const struct {
        struct kr_material_spec spec;
        const char *usage;
    } kinds[] = {
        {{.algorithm = ALG(RSA), .bits = 1024}, "Digital Signature, Key Encipherment"},
        {{.algorithm = ALG(EC), .curve = CURVE(SECP256K1)}, "Digital Signature, Key Agreement"},
        {{.algorithm = ALG(Ed25519)}, "Digital Signature\n"},
        {{.algorithm = ALG(ECDH), .curve = CURVE(CURVE25519)}, "Key Agreement\n"},
    };

    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        struct kr_material *secret = NULL, *open = NULL;

        REQUIRE_OK(kr_material_generate_pair(&kinds[i].spec, &secret, &open));
        HAS(text_of(certified(&(struct kr_certify){.public_key = open, .subject = "CN=somebody"})),
            kinds[i].usage);
        kr_material_free(&secret);
        kr_material_free(&open);
    }
}

TEST(a_request_gives_its_key_its_subject_and_its_names_and_nothing_else)
{
    static const char *const wishes[] = {
        "subjectAltName=DNS:app.example.com,IP:192.0.2.5", "basicConstraints=critical,CA:TRUE",
        "keyUsage=keyCertSign", "extendedKeyUsage=clientAuth," KR_OID_DRIVE_ROLE, NULL};
    char serial[13], wwn[17];

    for (int pem = 0; pem < 2; pem++) {
        const struct klm_slice der = certified(&(struct kr_certify){
            .request = request_of("/CN=app/serialNumber=ABCDEFGHIJKL", wishes, pem)});
        const char *text = text_of(der);

        HAS(text, "CN = app");
        HAS(text, "DNS:app.example.com, IP Address:192.0.2.5");
        HAS(text, "CA:FALSE");
        HAS(text, "Digital Signature, Key Encipherment");
        HAS_NOT(text, "Certificate Sign");
        HAS_NOT(text, "Extended Key Usage");
        CHECK_RC(kr_cert_drive(der, serial, wwn), KLM_E_NOTFOUND);
    }
    HAS(text_of(certified(&(struct kr_certify){.request = request_of("/CN=app", NULL, false),
                                               .subject = "CN=another"})),
        "CN = another");
}

TEST(a_renewed_certificate_keeps_names_and_uses_but_no_role)
{
    const struct forms forms = ec_forms("secp384r1");
    struct kr_material *key = material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509);
    const struct klm_slice old = bold_cert(&forms);
    char serial[13], wwn[17];

    for (int given = 0; given < 2; given++) {
        const struct klm_slice der =
            certified(&(struct kr_certify){.public_key = given ? key : NULL, .old = old});
        const char *text = text_of(der);

        HAS(text, "O = MyCo");
        HAS(text, "CN = old one");
        HAS(text, "CA:FALSE");
        HAS(text, "TLS Web Client Authentication\n");
        HAS(text, "Key Encipherment\n");
        HAS_NOT(text, "OCSP");
        HAS_NOT(text, "Certificate Sign");
        HAS_NOT(text, "CRL Sign");
        HAS_NOT(text, "1.3.6.1.4.1.32473");
        CHECK(kr_same_key(old, der));
        CHECK_RC(kr_cert_drive(der, serial, wwn), KLM_E_NOTFOUND);
        CHECK_RC(kr_cert_partner(der), KLM_E_NOTFOUND);
    }
    kr_material_free(&key);
}

TEST(a_certificate_ends_with_the_one_that_signs_it)
{
    struct kr_material *key = public_key();
    struct klm_diag diag = {0};
    struct klm_slice der = {0};
    struct kr_cert_info info;

    REQUIRE_OK(kr_certify(&(struct kr_certify){.public_key = key,
                                               .subject = "CN=a",
                                               .not_after = klm_clock() + 800 * DAY},
                          issuer("CA"), test_pool(), &diag, &der));
    CHECK_INT(diag.msg, KLM_MSG_CERT_CAPPED);
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK(info.not_after <= klm_clock() + 366 * DAY);
    kr_material_free(&key);
}

TEST(what_must_not_be_signed_is_not)
{
    const struct forms weak = rsa_forms("512"), forms = ec_forms("prime256v1");
    struct kr_material *key = public_key(), *small = NULL;
    struct kr_certify spec = {.public_key = key, .subject = "CN=a"};
    struct klm_slice request = request_of("/CN=app", NULL, false);
    uint8_t *broken = copy_of(request);

    refused(&spec, "leaf", KLM_E_DENIED, KLM_MSG_ISSUER_NO_CA);
    refused(&spec, "KEYLESS", KLM_E_WRONGKEY, KLM_MSG_ISSUER_KEY);
    spec.request = request; /* for a key of its own */
    refused(&spec, "CA", KLM_E_WRONGKEY, KLM_MSG_REQUEST_NOT);
    spec.public_key = NULL;
    broken[request.n - 1] ^= 1;
    spec.request = KLM_SLICE(broken, request.n);
    refused(&spec, "CA", KLM_E_CRYPTO, KLM_MSG_REQUEST_SIGNATURE);
    spec.request = klm_slice_str("no request");
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_REQUEST_NOT);
    spec.request = KLM_SLICE(NULL, 0);
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_REQUEST_NOT);
    spec.old = KLM_SLICE(forms.x509.p, forms.x509.n);
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_CERT_NOT);
    spec = (struct kr_certify){.public_key = key};
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_SUBJECT);
    spec.subject = "CN=";
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_SUBJECT);
    spec.subject = "CN=a";
    spec.not_before = klm_clock();
    spec.not_after = spec.not_before - DAY;
    refused(&spec, "CA", KLM_E_INVALID, KLM_MSG_CERT_DATES);
    spec.not_after = spec.not_before + 60 * 366 * DAY;
    refused(&spec, "CA", KLM_E_LIMIT, KLM_MSG_CERT_DATES);
    REQUIRE_OK(
        kr_material_new(&(struct kr_material_spec){.object = PUBLIC_KEY, .format = FORMAT(PKCS_1)},
                        weak.public_pkcs1, &small));
    spec = (struct kr_certify){.public_key = small, .subject = "CN=a"};
    refused(&spec, "CA", KLM_E_UNSUPPORTED, KLM_MSG_REQUEST_NOT);
    kr_material_free(&small);
    kr_material_free(&key);
    kr_open_ring_free(&ring);
    site_done(&site);
}
