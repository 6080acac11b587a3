/* What a certificate says, against certificates that openssl made. */
#include "matter.h"

/* A certificate with this configuration: "[req]" and so on, and section dn. */
static struct klm_slice cert_of(const char *names, const char *extensions,
                                const char *const *options)
{
    struct klm_buf buf;
    const char *cfg, *out = kept_path("facts.crt"), *key = kept_path("facts.key");
    const char *args[24] = {"req", "-x509", "-new", "-nodes", "-keyout", key,     "-outform",
                            "DER", "-out",  out,    "-days",  "20",      "-utf8", "-config"};
    size_t n = 15;

    klm_buf_init(&buf, 4096);
    klm_buf_printf(&buf,
                   "[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=utf8only\n%s[dn]\n%s",
                   extensions ? "x509_extensions=ext\n" : "", names);
    if (extensions) {
        klm_buf_printf(&buf, "[ext]\n%s", extensions);
    }
    REQUIRE_OK(klm_buf_rc(&buf));
    cfg = write_temp("facts.cnf", klm_buf_as_slice(&buf));
    klm_buf_done(&buf);
    args[14] = klm_pool_str(test_pool(), cfg);
    while (*options) {
        args[n++] = *options++;
    }
    REQUIRE(openssl(args) != NULL);
    return load(out);
}
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define P256_KEY "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"

static struct kr_cert_facts facts_of(struct klm_slice der)
{
    struct kr_cert_facts facts;

    REQUIRE_OK(kr_cert_facts(der, test_pool(), &facts));
    return facts;
}

/* The text of a part that is there. */
#define CHECK_PART(part, expected)                                                                 \
    do {                                                                                           \
        REQUIRE((part) != NULL);                                                                   \
        CHECK_STR((part)->text, expected);                                                         \
    } while (0)

TEST(every_part_of_a_name_is_told)
{
    const struct kr_cert_facts facts =
        facts_of(cert_of("0.DC=com\n1.DC=example\nC=DE\nST=Hessen\nL=Frankfurt\nO=Bäckerei\n"
                         "0.OU=first\n1.OU=second\nCN=name\nemailAddress=a@example.com\nUID=u1\n"
                         "serialNumber=S-1\ntitle=Dr\ndnQualifier=q\n",
                         NULL, OPTIONS(P256_KEY)));

    CHECK_PART(facts.subject.cn, "name");
    CHECK_PART(facts.subject.o, "Bäckerei");
    CHECK_PART(facts.subject.ou, "first");
    CHECK_PART(facts.subject.email, "a@example.com");
    CHECK_PART(facts.subject.c, "DE");
    CHECK_PART(facts.subject.st, "Hessen");
    CHECK_PART(facts.subject.l, "Frankfurt");
    CHECK_PART(facts.subject.uid, "u1");
    CHECK_PART(facts.subject.serial, "S-1");
    CHECK_PART(facts.subject.title, "Dr");
    CHECK_PART(facts.subject.dc, "com");
    CHECK_PART(facts.subject.dn_qualifier, "q");
    CHECK_PART(facts.subject.ou->next, "second");
    CHECK_PART(facts.subject.dc->next, "example");
    CHECK(!facts.subject.ou->next->next && !facts.subject.cn->next);
    CHECK(strstr(facts.subject.dn, "CN=name,OU=second,OU=first,O=Bäckerei") != NULL);
    CHECK_PART(facts.issuer.cn, "name"); /* it signed itself */
    CHECK(same_slice(facts.issuer.der, facts.subject.der));
}

TEST(what_is_not_there_is_not_told)
{
    const struct kr_cert_facts facts = facts_of(cert_of("CN=x\n", NULL, OPTIONS(P256_KEY)));

    CHECK_PART(facts.subject.cn, "x");
    CHECK(facts.subject.o == NULL && facts.subject.email == NULL && facts.issuer.dc == NULL);
    CHECK(facts.subject_alt.n == 0 && facts.issuer_alt.n == 0);
    /* SEQUENCE { SET { SEQUENCE { OID 2.5.4.3, UTF8String "x" } } } */
    CHECK(same_slice(facts.subject.der, hex("300c310a300806035504030c0178")));
}

TEST(serial_numbers_come_as_integers_and_as_their_content)
{
    static const struct {
        const char *set, *content, *der;
    } cases[] = {
        {"0x7f", "7f", "02017f"},
        {"0x80", "0080", "02020080"},
        {"0xd2f5bad76a5ac8f9", "00d2f5bad76a5ac8f9", "020900d2f5bad76a5ac8f9"},
        {"0", "00", "020100"},
        {"-0x80", "80", "020180"},
        {"-1", "ff", "0201ff"},
    };

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        const struct kr_cert_facts facts =
            facts_of(cert_of("CN=x\n", NULL, OPTIONS(P256_KEY, "-set_serial", cases[i].set)));

        CHECK(same_slice(facts.serial, hex(cases[i].content)));
        CHECK(same_slice(facts.serial_der, hex(cases[i].der)));
    }
}

TEST(alternative_names_come_as_they_stand)
{
    const struct kr_cert_facts facts = facts_of(
        cert_of("CN=x\n", "subjectAltName=DNS:a.example\nissuerAltName=email:b@example.com\n",
                OPTIONS(P256_KEY)));

    CHECK(same_slice(facts.subject_alt, hex("300b8209612e6578616d706c65")));
    CHECK(same_slice(facts.issuer_alt, hex("300f810d62406578616d706c652e636f6d")));
}

TEST(keys_and_signatures_have_their_numbers)
{
    static const struct {
        const char *options[8];
        uint32_t algorithm, bits, signature;
    } cases[] = {
        {{"-newkey", "rsa:2048", "-sha256"},
         ALG(RSA),
         2048,
         KMIP_DigitalSignatureAlgorithm_SHA_256WithRSAEncryption},
        {{"-newkey", "rsa:1024", "-sha512"},
         ALG(RSA),
         1024,
         KMIP_DigitalSignatureAlgorithm_SHA_512WithRSAEncryption},
        {{"-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss"},
         ALG(RSA),
         2048,
         KMIP_DigitalSignatureAlgorithm_RSASSA_PSS},
        {{P256_KEY, "-sha256"}, ALG(EC), 256, KMIP_DigitalSignatureAlgorithm_ECDSAWithSHA256},
        {{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-sha512"},
         ALG(EC),
         521,
         KMIP_DigitalSignatureAlgorithm_ECDSAWithSHA512},
        {{"-newkey", "ed25519"}, ALG(Ed25519), 256, 0},
    };

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        const struct kr_cert_facts facts = facts_of(cert_of("CN=x\n", NULL, cases[i].options));

        CHECK_INT(facts.algorithm, cases[i].algorithm);
        CHECK_INT(facts.bits, cases[i].bits);
        CHECK_INT(facts.signature, cases[i].signature);
    }
}

TEST(dates_are_told)
{
    const struct kr_cert_facts facts = facts_of(cert_of("CN=x\n", NULL, OPTIONS(P256_KEY)));

    CHECK_INT(facts.not_after - facts.not_before, 20 * DAY);
    CHECK(facts.not_before <= klm_clock() && facts.not_before > klm_clock() - DAY);
}

TEST(what_is_no_certificate_is_refused)
{
    const struct klm_slice der = cert_of("CN=x\n", NULL, OPTIONS(P256_KEY));
    struct kr_cert_facts facts;

    for (size_t n = 0; n < der.n; n++) {
        CHECK_RC(kr_cert_facts(KLM_SLICE(der.p, n), test_pool(), &facts), KLM_E_INVALID);
    }
    CHECK_RC(kr_cert_facts(KLM_SLICE(copy_of(der), der.n + 1), test_pool(), &facts), KLM_E_INVALID);
}

TEST(a_registered_certificate_says_what_its_key_is)
{
    const struct klm_slice der = cert_of("CN=x\n", NULL, OPTIONS(P256_KEY));
    struct kr_material *cert =
        material_of(KMIP_ObjectType_Certificate, KMIP_CertificateType_X_509, der);
    struct kr_material *again = NULL;

    CHECK_INT(kr_material_spec(cert)->algorithm, ALG(EC));
    CHECK_INT(kr_material_spec(cert)->bits, 256);
    CHECK(same_slice(bytes_of(cert), der));
    CHECK_RC(kr_material_convert(cert, FORMAT(PKCS_8), 0, &again), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_Certificate,
                                                        .format = KMIP_CertificateType_X_509,
                                                        .algorithm = ALG(RSA)},
                             der, &again),
             KLM_E_INVALID);
    CHECK_RC(kr_material_new(
                 &(struct kr_material_spec){.object = KMIP_ObjectType_Certificate, .format = 9},
                 der, &again),
             KLM_E_UNSUPPORTED);
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_Certificate,
                                                          .format = KMIP_CertificateType_PGP},
                               klm_slice_str("whatever"), &again));
    kr_material_free(&again);
    kr_material_free(&cert);
}
