/* Packages: what is written is read again, in every format and for every kind of key; the wrong password, bytes cut off or added, and what is none are
 * refused each in its way. OpenSSL's command line reads and writes them in tests/scenario/test_certs.py. */
#include "help.h"

#define PASSWORD "J\xc3\xb6rg's key"

static struct made authority, leaf;

static struct made make_as(const char *subject, enum kr_type type, unsigned bits, enum kr_role role,
                           const struct made *signer)
{
    const struct kr_gencert spec = {
        .owner = "U", .label = "L", .subject = subject, .spec = {type, bits}, .role = role};
    struct klm_diag diag = {0};
    struct made made = {{0}, NULL};

    REQUIRE_OK(kr_gencert(&spec, signer ? signer->der : KLM_SLICE(NULL, 0),
                          signer ? signer->key : NULL, test_pool(), &diag, &made.der, &made.key));
    return made;
}

static void set_up(enum kr_type type, unsigned bits)
{
    if (!authority.key) {
        authority = make_as("CN=Authority", KR_EC, 256, KR_ROLE_CA, NULL);
    }
    kr_key_free(&leaf.key);
    leaf = make_as("CN=leaf", type, bits, KR_ROLE_LABEL, &authority);
}

static struct klm_slice written(enum kr_format format, const char *password)
{
    const struct kr_package package = {{leaf.der, authority.der}, 2, leaf.key};
    struct klm_slice out = {0};
    struct klm_diag diag = {0};

    REQUIRE_OK(kr_package_write(&package, format, "My label", password, test_pool(), &diag, &out));
    return out;
}

static klm_rc read_it(struct klm_slice in, const char *password, struct kr_package *out,
                      struct klm_diag *diag)
{
    return kr_package_read(in, password, test_pool(), diag, out);
}

static void comes_back(enum kr_format format, size_t n, bool key)
{
    struct kr_package got = {0};
    struct klm_diag diag = {0};

    CHECK_RC(read_it(written(format, PASSWORD), PASSWORD, &got, &diag), KLM_OK);
    CHECK_STR(diag.text, "");
    CHECK_INT(got.n, n);
    CHECK(got.n > 0 && klm_slice_equal(got.cert[0], leaf.der));
    CHECK(n < 2 || klm_slice_equal(got.cert[1], authority.der));
    CHECK_INT(got.key != NULL, key);
    if (got.key) {
        CHECK_RC(kr_cert_fits(leaf.der, got.key), KLM_OK);
        kr_key_free(&got.key);
    }
}

TEST(every_format_of_every_kind_of_key_comes_back)
{
    static const struct kr_spec specs[] = {
        {KR_RSA, 1024}, {KR_RSA, 2048}, {KR_EC, 256}, {KR_EC, 384}};

    for (size_t i = 0; i < KLM_COUNT(specs); i++) {
        set_up(specs[i].type, specs[i].bits);
        comes_back(KR_CERTDER, 1, false);
        comes_back(KR_CERTB64, 1, false);
        comes_back(KR_PKCS7DER, 2, false);
        comes_back(KR_PKCS7B64, 2, false);
        comes_back(KR_PKCS12DER, 2, true);
    }
    comes_back(KR_PKCS12B64, 2, true);
}

TEST(formats_have_their_names)
{
    enum kr_format format = KR_CERTDER;

    CHECK_RC(kr_format_find("pkcs12b64", &format), KLM_OK);
    CHECK_INT(format, KR_PKCS12B64);
    CHECK_RC(kr_format_find("PKCS12", &format), KLM_E_NOTFOUND);
    CHECK_INT(format, KR_PKCS12B64);
}

static void refused(struct klm_slice in, const char *password, klm_rc rc, enum klm_msg_id msg,
                    int line)
{
    struct kr_package got = {.n = 77};
    struct klm_diag diag = {0};

    test_rc(read_it(in, password, &got, &diag), rc, "read", __FILE__, line, false);
    test_str(klm_msg(diag.msg)->id, klm_msg(msg)->id, diag.text, __FILE__, line);
    test_int(got.n, 77, "untouched", __FILE__, line);
    CHECK(got.key == NULL);
}
#define REFUSED(in, password, rc, msg) refused((in), (password), (rc), (msg), __LINE__)

TEST(another_password_is_told_from_damage_and_from_none)
{
    struct klm_slice p12, cut, more;
    uint8_t *changed;

    set_up(KR_EC, 256);
    p12 = written(KR_PKCS12DER, PASSWORD);
    REFUSED(p12, "another", KLM_E_WRONGKEY, KLM_MSG_PACKAGE_PASSWORD);
    REFUSED(p12, "", KLM_E_USAGE, KLM_MSG_PACKAGE_NEEDS_PASSWORD);
    REFUSED(p12, NULL, KLM_E_USAGE, KLM_MSG_PACKAGE_NEEDS_PASSWORD);
    cut = KLM_SLICE(p12.p, p12.n - 1);
    REFUSED(cut, PASSWORD, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    changed = klm_pool_alloc(test_pool(), p12.n + 1);
    memcpy(changed, p12.p, p12.n);
    more = KLM_SLICE(changed, p12.n + 1);
    REFUSED(more, PASSWORD, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    changed[p12.n / 2] ^= 1; /* the check value covers the content */
    more.n--;
    REFUSED(more, PASSWORD, KLM_E_WRONGKEY, KLM_MSG_PACKAGE_PASSWORD);
}

TEST(what_is_no_package_is_refused)
{
    static uint8_t longer[65537];
    struct klm_slice p7;

    set_up(KR_EC, 256);
    p7 = written(KR_PKCS7DER, NULL);
    REFUSED(KLM_SLICE("", 0), NULL, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    REFUSED(klm_slice_str("no package"), NULL, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    REFUSED(KLM_SLICE(p7.p, p7.n - 1), NULL, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    REFUSED(KLM_SLICE(longer, sizeof longer), NULL, KLM_E_LIMIT, KLM_MSG_CERT_LONG);
    REFUSED(klm_slice_str("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"), NULL,
            KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
    REFUSED(klm_slice_str("-----BEGIN PKCS7-----\nAA\n"), NULL, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT);
}

TEST(more_certificates_than_a_chain_has_are_refused)
{
    struct kr_package many = {.n = KR_PACKAGE_MAX};
    struct kr_package got = {0};
    struct klm_diag diag = {0};
    struct klm_slice out;

    set_up(KR_EC, 256);
    for (size_t i = 0; i < KR_PACKAGE_MAX; i++) {
        struct made one = make_as("CN=one of many", KR_EC, 256, KR_ROLE_LABEL, NULL);

        many.cert[i] = one.der;
        kr_key_free(&one.key);
    }
    REQUIRE_OK(kr_package_write(&many, KR_PKCS7DER, "", NULL, test_pool(), &diag, &out));
    CHECK_RC(read_it(out, NULL, &got, &diag), KLM_OK);
    CHECK_INT(got.n, KR_PACKAGE_MAX);
}

TEST(a_request_and_a_new_key_say_what_the_certificate_says)
{
    struct kr_key *fresh = NULL;
    struct klm_slice der = {0};
    struct kr_cert_info old, now;
    struct klm_buf pem;

    set_up(KR_RSA, 1024);
    klm_buf_init(&pem, 65536);
    REQUIRE_OK(kr_request_make(leaf.der, leaf.key, &pem));
    CHECK(memmem(pem.p, pem.n, "BEGIN CERTIFICATE REQUEST", 25) != NULL);
    klm_buf_done(&pem);
    REQUIRE_OK(kr_rekey(leaf.der, 0, 0, test_pool(), &der, &fresh));
    CHECK_RC(kr_cert_fits(der, fresh), KLM_OK);
    CHECK_RC(kr_cert_fits(der, leaf.key), KLM_E_WRONGKEY);
    CHECK(kr_same_subject(der, leaf.der) && !kr_same_key(der, leaf.der));
    REQUIRE_OK(kr_cert_info(leaf.der, test_pool(), &old));
    REQUIRE_OK(kr_cert_info(der, test_pool(), &now));
    CHECK_STR(now.issuer, old.subject); /* signed by itself, until an authority does */
    CHECK_INT(now.key_bits, 1024);
    CHECK(strcmp(now.serial, old.serial) != 0);
    kr_key_free(&fresh);
    CHECK_RC(kr_rekey(leaf.der, 333, 0, test_pool(), &der, &fresh), KLM_E_LIMIT);
    CHECK(fresh == NULL);
    kr_key_free(&leaf.key);
    kr_key_free(&authority.key);
}
