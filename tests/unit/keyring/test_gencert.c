/* Certificates that we make: openssl's command line reads and verifies them; what must not be
 * signed is not. */
#include "request.h"

#include <openssl/x509v3.h>

static const char *pem_file(const char *name, struct klm_slice der)
{
    struct klm_buf buf;
    const char *path;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_cert_pem(der, &buf));
    path = write_temp(name, klm_buf_as_slice(&buf));
    klm_buf_done(&buf);
    return path;
}

static const char *text_of(struct klm_slice der)
{
    const char *text = OPENSSL("x509", "-in", pem_file("t.pem", der), "-noout", "-text");

    REQUIRE(text != NULL);
    return text;
}

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define HAS_NOT(text, part) CHECK(strstr((text), (part)) == NULL)

/* A request to kr_gencert and its outcome, with the message. */
static klm_rc gencert(const struct kr_gencert *spec, const struct made *issuer,
                      struct klm_slice *der, enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    struct kr_key *key = NULL;
    klm_rc rc = kr_gencert(spec, issuer ? issuer->der : KLM_SLICE(NULL, 0),
                           issuer ? issuer->key : NULL, test_pool(), &diag, der, &key);

    CHECK((rc == KLM_OK && spec->request.n == 0) == (key != NULL));
    kr_key_free(&key);
    *msg = diag.msg;
    return rc;
}

static struct kr_gencert spec_of(const char *subject)
{
    return (struct kr_gencert){.owner = "TAPEKMS",
                               .label = "l",
                               .token_label = "T",
                               .subject = subject,
                               .spec = P256,
                               .role = KR_ROLE_LABEL};
}

static void check_refused(const struct kr_gencert *spec, const struct made *issuer, klm_rc expected,
                          enum klm_msg_id expected_msg)
{
    struct klm_slice der = {NULL, 0};
    enum klm_msg_id msg = KLM_MSG_NONE;

    CHECK_RC(gencert(spec, issuer, &der, &msg), expected);
    CHECK_INT(msg, expected_msg);
    CHECK(der.p == NULL);
}

TEST(openssl_verifies_a_chain_that_we_made)
{
    struct made ca = make_cert("CN=MyLocalCA,O=MyCo,C=US", RSA2048, KR_ROLE_CA, NULL),
                label = make_cert("CN=ITOperations,O=MyCo,C=US", RSA2048, KR_ROLE_LABEL, &ca),
                sub = make_cert("CN=Sub CA", P384, KR_ROLE_CA, &ca),
                leaf = make_cert("CN=leaf", P256, KR_ROLE_CLIENT, &sub);
    const char *root = pem_file("root.pem", ca.der);

    CHECK(OPENSSL("verify", "-x509_strict", "-CAfile", root, pem_file("label.pem", label.der)) !=
          NULL);
    CHECK(OPENSSL("verify", "-x509_strict", "-CAfile", root, root) != NULL);
    CHECK(OPENSSL("verify", "-x509_strict", "-CAfile", root, "-untrusted",
                  pem_file("sub.pem", sub.der), "-purpose", "sslclient",
                  pem_file("leaf.pem", leaf.der)) != NULL);
    CHECK(OPENSSL("verify", "-CAfile", pem_file("label2.pem", label.der),
                  pem_file("leaf2.pem", leaf.der)) == NULL);
    kr_key_free(&ca.key);
    kr_key_free(&label.key);
    kr_key_free(&sub.key);
    kr_key_free(&leaf.key);
}

TEST(each_role_has_its_usages)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL),
                label = make_cert("CN=l", RSA2048, KR_ROLE_LABEL, &ca),
                ec = make_cert("CN=e", P256, KR_ROLE_LABEL, &ca),
                server = make_cert("CN=s", RSA2048, KR_ROLE_SERVER, &ca),
                client = make_cert("CN=c", P256, KR_ROLE_CLIENT, &ca),
                partner = make_cert("CN=p", P256, KR_ROLE_PARTNER, &ca);
    const char *text = text_of(ca.der);

    HAS(text, "X509v3 Basic Constraints: critical\n                CA:TRUE\n");
    HAS(text, "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n");
    HAS(text, "Subject Key Identifier");
    HAS(text, "Authority Key Identifier");
    text = text_of(label.der);
    HAS(text, "X509v3 Basic Constraints: critical\n                CA:FALSE\n");
    HAS(text, "X509v3 Key Usage: critical\n                Key Encipherment, Data Encipherment\n");
    HAS_NOT(text, "Extended Key Usage");
    HAS(text_of(ec.der), "X509v3 Key Usage: critical\n                Key Agreement\n");
    text = text_of(server.der);
    HAS(text, "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment\n");
    HAS(text, "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n");
    text = text_of(client.der);
    HAS(text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    HAS(text, "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n");
    HAS_NOT(text, "32473");
    text = text_of(partner.der);
    HAS(text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    HAS(text, "TLS Web Server Authentication, TLS Web Client Authentication, " KR_OID_PARTNER_ROLE);
    CHECK_RC(kr_cert_partner(partner.der), KLM_OK);
    CHECK_RC(kr_cert_partner(client.der), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_partner(ca.der), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_partner(KLM_SLICE(partner.der.p, partner.der.n - 1)), KLM_E_INVALID);
    kr_key_free(&partner.key);
    kr_key_free(&ca.key);
    kr_key_free(&label.key);
    kr_key_free(&ec.key);
    kr_key_free(&server.key);
    kr_key_free(&client.key);
}

TEST(a_p384_key_signs_with_sha384_and_the_others_with_sha256)
{
    struct made a = make_cert("CN=a", P384, KR_ROLE_CA, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_CA, NULL),
                c = make_cert("CN=c", RSA2048, KR_ROLE_CA, NULL);

    HAS(text_of(a.der), "Signature Algorithm: ecdsa-with-SHA384");
    HAS(text_of(b.der), "Signature Algorithm: ecdsa-with-SHA256");
    HAS(text_of(c.der), "Signature Algorithm: sha256WithRSAEncryption");
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    kr_key_free(&c.key);
}

TEST(serial_numbers_are_positive_long_and_differ)
{
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL);
    struct kr_cert_info x, y;

    REQUIRE_OK(kr_cert_info(a.der, test_pool(), &x));
    REQUIRE_OK(kr_cert_info(b.der, test_pool(), &y));
    CHECK_INT(strlen(x.serial), 32);
    CHECK(x.serial[0] >= '4' && x.serial[0] <= '7');
    CHECK(strcmp(x.serial, y.serial) != 0);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
}

TEST(subjects_of_every_form_come_out_as_they_went_in)
{
    static const char *const subjects[][2] = {
        {"CN=ITOperations,O=MyCo,C=US", "CN=ITOperations,O=MyCo,C=US"},
        {"cn = a b , o=\"My, Co\" ", "CN=a b,O=My\\, Co"},
        {"CN=a\\2Cb\\\\c\\C3\\A9", "CN=a\\,b\\\\c\xc3\xa9"},
        {"CN=x,T=t,OU=u,OU=v,O=o,L=l,SP=s,C=DE", "CN=x,title=t,OU=u,OU=v,O=o,L=l,ST=s,C=DE"},
        {"SERIALNUMBER=000123456789,CN=d,DC=com", "serialNumber=000123456789,CN=d,DC=com"},
        {"CN=M\xc3\xbcller", "CN=M\xc3\xbcller"},
    };

    for (size_t i = 0; i < KLM_COUNT(subjects); i++) {
        struct made made = make_cert(subjects[i][0], P256, KR_ROLE_LABEL, NULL);
        struct kr_cert_info info;

        REQUIRE_OK(kr_cert_info(made.der, test_pool(), &info));
        CHECK_STR(info.subject, subjects[i][1]);
        kr_key_free(&made.key);
    }
}

TEST(subjects_that_break_the_rules_are_refused)
{
    static const char *const subjects[] = {
        "",
        "CN",
        "CN=",
        "=x",
        "CN=a,",
        ",CN=a",
        "CN=a,,O=b",
        "XX=a",
        "C=USA",
        "C=U",
        "CN=a+O=b",
        "CN=\"a",
        "CN=\"a\"b",
        "CN=#0401",
        "CN=a\\",
        "CN=a\\4",
        "CN=a\\zz",
        "CN=a\\00b",
        "CN=a;b",
        "CN=\xff",
        "CN=12345678901234567890123456789012345678901234567890123456789012345",
    };

    for (size_t i = 0; i < KLM_COUNT(subjects); i++) {
        struct kr_gencert spec = spec_of(subjects[i]);

        check_refused(&spec, NULL, KLM_E_INVALID, KLM_MSG_SUBJECT);
    }
}

TEST(a_subject_over_its_limits_is_refused)
{
    char text[1100] = "CN=a";
    struct kr_gencert spec = spec_of(text);

    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",OU=u");
    }
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_SUBJECT);
    memset(text, ' ', 1025);
    memcpy(text, "CN=a", 4);
    text[1025] = 0;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_SUBJECT);
}

TEST(hosts_become_alternative_names)
{
    struct kr_gencert spec = spec_of("CN=klm1");
    struct klm_slice der;
    enum klm_msg_id msg;

    spec.role = KR_ROLE_SERVER;
    spec.hosts = "klm1.example.com, *.example.org,192.0.2.7, 2001:db8::7";
    REQUIRE_OK(gencert(&spec, NULL, &der, &msg));
    HAS(text_of(der), "DNS:klm1.example.com, DNS:*.example.org, IP Address:192.0.2.7, IP "
                      "Address:2001:DB8:0:0:0:0:0:7");
    CHECK(OPENSSL("x509", "-in", pem_file("h.pem", der), "-noout", "-checkhost",
                  "klm1.example.com") != NULL);
}

TEST(hosts_that_are_none_are_refused)
{
    static const char *const hosts[] = {"a b", "a,",  ",a", "a..b",       ".a",
                                        "*.",  "a/b", "*a", "\xc3\xa9.de"};
    char many[400] = "h", longest[300];
    struct kr_gencert spec = spec_of("CN=s");

    for (size_t i = 0; i < KLM_COUNT(hosts); i++) {
        spec.hosts = hosts[i];
        check_refused(&spec, NULL, KLM_E_INVALID, KLM_MSG_HOST);
    }
    for (size_t i = 0; i < 64; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",h");
    }
    spec.hosts = many;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_HOST);
    memset(longest, 'a', sizeof longest);
    longest[254] = 0;
    spec.hosts = longest;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_HOST);
}

TEST(dates_default_to_a_year_from_now)
{
    struct kr_gencert spec = spec_of("CN=a");
    struct klm_slice der;
    struct kr_cert_info info;
    enum klm_msg_id msg;

    klm_clock_set(1700000000 * SECOND + 5);
    REQUIRE_OK(gencert(&spec, NULL, &der, &msg));
    klm_clock_set(0);
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK_INT(info.not_before, 1700000000 * SECOND);
    CHECK_INT(info.not_after, 1700000000 * SECOND + 365 * DAY);
}

TEST(dates_beyond_fifty_years_backwards_or_out_of_the_calendar_are_refused)
{
    klm_time start = 1000000000 * SECOND;
    struct kr_gencert spec = spec_of("CN=a");
    struct klm_slice der;
    struct kr_cert_info info;
    enum klm_msg_id msg;

    spec.not_before = start;
    spec.not_after = start + 18263 * DAY;
    REQUIRE_OK(gencert(&spec, NULL, &der, &msg));
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK_INT(info.not_after, spec.not_after); /* beyond 2049: GeneralizedTime */
    spec.not_after += SECOND;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_CERT_DATES);
    spec.not_after = start;
    check_refused(&spec, NULL, KLM_E_INVALID, KLM_MSG_CERT_DATES);
    spec.not_after = INT64_MAX;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_CERT_DATES);
    spec.not_before = INT64_MIN;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_CERT_DATES);
    spec.not_before = INT64_MAX;
    check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_CERT_DATES);
}

TEST(a_certificate_ends_with_its_issuer_and_a_warning_says_so)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    struct kr_gencert spec = spec_of("CN=a");
    struct kr_cert_info of_ca, info;
    struct klm_slice der;
    enum klm_msg_id msg;

    REQUIRE_OK(kr_cert_info(ca.der, test_pool(), &of_ca));
    spec.not_after = klm_clock() + 700 * DAY;
    CHECK_RC(gencert(&spec, &ca, &der, &msg), KLM_OK);
    CHECK_INT(msg, KLM_MSG_CERT_CAPPED);
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK_INT(info.not_after, of_ca.not_after);
    spec.not_before = of_ca.not_after;
    check_refused(&spec, &ca, KLM_E_INVALID, KLM_MSG_ISSUER_ENDED);
    kr_key_free(&ca.key);
}

TEST(only_an_authority_with_its_own_key_signs)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL),
                label = make_cert("CN=l", P256, KR_ROLE_LABEL, &ca), wrong = {ca.der, label.key},
                none = {ca.der, NULL}, bad = {KLM_SLICE(ca.der.p, ca.der.n - 1), ca.key};
    struct kr_gencert spec = spec_of("CN=a");

    check_refused(&spec, &label, KLM_E_DENIED, KLM_MSG_ISSUER_NO_CA);
    check_refused(&spec, &wrong, KLM_E_WRONGKEY, KLM_MSG_ISSUER_KEY);
    check_refused(&spec, &none, KLM_E_WRONGKEY, KLM_MSG_ISSUER_KEY);
    check_refused(&spec, &bad, KLM_E_INVALID, KLM_MSG_CERT_NOT);
    kr_key_free(&ca.key);
    kr_key_free(&label.key);
}

TEST(keys_of_other_sizes_are_refused)
{
    static const struct kr_spec specs[] = {
        {KR_RSA, 1016}, {KR_RSA, 4104}, {KR_RSA, 512}, {KR_EC, 521}};
    struct kr_gencert spec = spec_of("CN=a");

    for (size_t i = 0; i < KLM_COUNT(specs); i++) {
        spec.spec = specs[i];
        check_refused(&spec, NULL, KLM_E_LIMIT, KLM_MSG_KEY_SIZE);
    }
    spec.spec = (struct kr_spec){KR_AES, 256};
    check_refused(&spec, NULL, KLM_E_INVALID, KLM_MSG_KEY_SIZE);
}

/* ---- Requests */

TEST(a_request_of_a_drive_becomes_a_certificate_of_that_drive)
{
    struct made ca = make_cert("CN=ca", RSA2048, KR_ROLE_CA, NULL);
    struct klm_diag diag = {0};
    struct klm_slice der;
    char serial[13] = "", wwn[17] = "";
    const char *text;

    REQUIRE_OK(sign_request(make_request("CN=drive one\nserialNumber=0001234567AB\n",
                                         DRIVE_EKU DRIVE_WWN("500507630F123456")),
                            KR_ROLE_DRIVE, &ca, &der, &diag));
    REQUIRE_OK(kr_cert_drive(der, serial, wwn));
    CHECK_STR(serial, "0001234567AB");
    CHECK_STR(wwn, "500507630F123456");
    text = text_of(der);
    HAS(text, "TLS Web Client Authentication, " KR_OID_DRIVE_ROLE);
    HAS(text, KR_OID_DRIVE_WWN);
    HAS(text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    HAS(text, "CA:FALSE");
    CHECK(OPENSSL("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile",
                  pem_file("ca.pem", ca.der), pem_file("d.pem", der)) != NULL);
    kr_key_free(&ca.key);
}

TEST(the_role_of_a_drive_is_taken_from_the_request_and_nothing_else_is)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    struct klm_diag diag = {0};
    struct klm_slice der;
    char serial[13] = "", wwn[17] = "?";
    const char *text;

    REQUIRE_OK(sign_request(
        make_request(
            "serialNumber=000123456789\n", DRIVE_EKU
            "basicConstraints=CA:TRUE\nkeyUsage=keyCertSign\nsubjectAltName=DNS:evil.example\n"),
        KR_ROLE_LABEL, &ca, &der, &diag));
    REQUIRE_OK(kr_cert_drive(der, serial, wwn));
    CHECK_STR(serial, "000123456789");
    CHECK_STR(wwn, "");
    text = text_of(der);
    HAS_NOT(text, "CA:TRUE");
    HAS_NOT(text, "Certificate Sign");
    HAS_NOT(text, "evil");
    kr_key_free(&ca.key);
}

static void check_request_refused(struct klm_slice request, enum kr_role role,
                                  const struct made *ca, klm_rc expected,
                                  enum klm_msg_id expected_msg)
{
    struct klm_diag diag = {0};
    struct klm_slice der = {NULL, 0};

    CHECK_RC(sign_request(request, role, ca, &der, &diag), expected);
    CHECK_INT(diag.msg, expected_msg);
    CHECK(der.p == NULL);
}

TEST(a_drive_without_a_proper_identity_is_refused)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    static const char *const bad[][2] = {
        {"CN=x\n", DRIVE_EKU},
        {"serialNumber=00012345678\n", DRIVE_EKU},
        {"serialNumber=0001234567890\n", DRIVE_EKU},
        {"serialNumber=00012345678a\n", DRIVE_EKU},
        {"0.serialNumber=000123456789\n1.serialNumber=000123456780\n", DRIVE_EKU},
        {"serialNumber=000123456789\n", DRIVE_EKU DRIVE_WWN("500507630F12345")},
        {"serialNumber=000123456789\n", DRIVE_EKU DRIVE_WWN("500507630f123456")},
        {"serialNumber=000123456789\n",
         DRIVE_EKU KR_OID_DRIVE_WWN "=ASN1:PRINTABLESTRING:500507630F123456\n"},
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        check_request_refused(make_request(bad[i][0], bad[i][1]), KR_ROLE_LABEL, &ca, KLM_E_INVALID,
                              KLM_MSG_DRIVE_REQUEST);
    }
    check_request_refused(make_request("serialNumber=000123456789\n", ""), KR_ROLE_DRIVE, &ca,
                          KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST);
    check_request_refused(make_request("serialNumber=000123456789\n",
                                       "extendedKeyUsage=anyExtendedKeyUsage,clientAuth\n"),
                          KR_ROLE_DRIVE, &ca, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST);
    kr_key_free(&ca.key);
}

TEST(a_drive_keeps_its_subject_and_makes_its_own_key)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    struct kr_gencert spec = spec_of("CN=other");

    spec.request = make_request("serialNumber=000123456789\n", DRIVE_EKU);
    check_refused(&spec, &ca, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST);
    spec = spec_of("SERIALNUMBER=000123456789");
    spec.role = KR_ROLE_DRIVE;
    check_refused(&spec, &ca, KLM_E_INVALID, KLM_MSG_DRIVE_REQUEST);
    kr_key_free(&ca.key);
}

TEST(a_plain_request_is_signed_with_its_subject_or_the_one_given)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    struct kr_gencert spec = spec_of("");
    struct kr_cert_info info;
    struct klm_slice der;
    enum klm_msg_id msg;
    char serial[13], wwn[17];

    spec.request = make_request("CN=server\nO=MyCo\n", "");
    spec.role = KR_ROLE_SERVER;
    REQUIRE_OK(gencert(&spec, &ca, &der, &msg));
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK_STR(info.subject,
              "O=MyCo,CN=server"); /* the request has CN first, so as text it comes last */
    CHECK_RC(kr_cert_drive(der, serial, wwn), KLM_E_NOTFOUND);
    spec.subject = "CN=given";
    REQUIRE_OK(gencert(&spec, &ca, &der, &msg));
    REQUIRE_OK(kr_cert_info(der, test_pool(), &info));
    CHECK_STR(info.subject, "CN=given");
    kr_key_free(&ca.key);
}

TEST(requests_that_are_none_or_not_signed_by_their_key_are_refused)
{
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL);
    struct klm_slice pem = make_request("CN=a\n", ""), der;
    uint8_t *p;

    REQUIRE(OPENSSL("req", "-in", write_temp("r.pem", pem), "-outform", "DER", "-out",
                    test_path("r.der")) != NULL);
    der = load(test_path("r.der"));
    check_request_refused(pem, KR_ROLE_LABEL, NULL, KLM_E_INVALID, KLM_MSG_REQUEST_ISSUER);
    for (size_t n = 1; n < der.n; n += 7) {
        check_request_refused(KLM_SLICE(der.p, n), KR_ROLE_LABEL, &ca, KLM_E_INVALID,
                              KLM_MSG_REQUEST_NOT);
    }
    check_request_refused(KLM_SLICE(copy_of(der), der.n + 1), KR_ROLE_LABEL, &ca, KLM_E_INVALID,
                          KLM_MSG_REQUEST_NOT);
    check_request_refused(KLM_SLICE(pem.p, pem.n - 20), KR_ROLE_LABEL, &ca, KLM_E_INVALID,
                          KLM_MSG_REQUEST_NOT);
    check_request_refused(ca.der, KR_ROLE_LABEL, &ca, KLM_E_INVALID, KLM_MSG_REQUEST_NOT);
    p = copy_of(der);
    p[18] ^= 1; /* a letter of the subject */
    check_request_refused(KLM_SLICE(p, der.n), KR_ROLE_LABEL, &ca, KLM_E_CRYPTO,
                          KLM_MSG_REQUEST_SIGNATURE);
    p = klm_pool_alloc(test_pool(), 65537);
    REQUIRE(p != NULL);
    check_request_refused(KLM_SLICE(p, 65537), KR_ROLE_LABEL, &ca, KLM_E_LIMIT,
                          KLM_MSG_REQUEST_NOT);
    kr_key_free(&ca.key);
}

TEST(the_certificate_of_a_label_a_server_or_an_authority_is_never_a_drive)
{
    struct made ca = make_cert("CN=ca,SERIALNUMBER=000123456789", P256, KR_ROLE_CA, NULL),
                label = make_cert("SERIALNUMBER=000123456789", P256, KR_ROLE_LABEL, &ca),
                server = make_cert("SERIALNUMBER=000123456789", P256, KR_ROLE_SERVER, &ca),
                client = make_cert("SERIALNUMBER=000123456789", P256, KR_ROLE_CLIENT, &ca);
    char serial[13], wwn[17];

    CHECK_RC(kr_cert_drive(ca.der, serial, wwn), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_drive(label.der, serial, wwn), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_drive(server.der, serial, wwn), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_drive(client.der, serial, wwn), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_drive(KLM_SLICE(ca.der.p, 20), serial, wwn), KLM_E_INVALID);
    kr_key_free(&ca.key);
    kr_key_free(&label.key);
    kr_key_free(&server.key);
    kr_key_free(&client.key);
}
