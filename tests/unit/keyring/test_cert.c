/* Certificates: taken in, shown, compared, stored. */
#include "help.h"

#include <openssl/rand.h>

static struct klm_slice golden(const char *pem)
{
    struct klm_slice der;

    REQUIRE_OK(kr_cert_parse(load(pem), test_pool(), &der, NULL));
    return der;
}

static klm_rc parse(const void *p, size_t n, enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    struct klm_slice der = {NULL, 0};
    klm_rc rc = kr_cert_parse(KLM_SLICE(p, n), test_pool(), &der, &diag);

    CHECK((rc == KLM_OK) == (der.n > 0));
    *msg = diag.msg;
    return rc;
}

TEST(pem_and_der_give_the_same_certificate)
{
    struct klm_slice der = golden(GOLDEN "rsa2048.pem"), again, pem;
    struct klm_buf buf;

    REQUIRE_OK(kr_cert_parse(der, test_pool(), &again, NULL));
    CHECK(klm_slice_equal(der, again));
    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_cert_pem(der, &buf));
    pem = load(GOLDEN "rsa2048.pem");
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), pem)); /* as OpenSSL's command line wrote it */
    klm_buf_done(&buf);
}

TEST(what_a_certificate_says_is_what_openssl_prints)
{
    struct kr_cert_info info;
    char expect[64];
    const char *text;

    REQUIRE_OK(kr_cert_info(golden(GOLDEN "rsa2048.pem"), test_pool(), &info));
    CHECK_STR(info.subject, "CN=ITOperations,O=MyCo,C=US");
    CHECK_STR(info.issuer, "CN=ITOperations,O=MyCo,C=US");
    CHECK_STR(info.key_type, "RSA");
    CHECK_INT(info.key_bits, 2048);
    CHECK(info.ca);
    text = OPENSSL("x509", "-in", GOLDEN "rsa2048.pem", "-noout", "-serial", "-dates");
    REQUIRE(text != NULL);
    (void)snprintf(expect, sizeof expect, "serial=%s\n", info.serial);
    CHECK(strncmp(text, expect, strlen(expect)) == 0);
    CHECK_INT(info.not_after - info.not_before, 10000 * DAY);
    REQUIRE_OK(kr_cert_info(golden(GOLDEN "ec384.pem"), test_pool(), &info));
    CHECK_STR(info.key_type, "NISTECC");
    CHECK_INT(info.key_bits, 384);
}

TEST(the_fingerprint_and_the_hash_of_the_key_are_openssls)
{
    struct kr_cert_info info;
    char hex[65];
    const char *text;

    REQUIRE_OK(kr_cert_info(golden(GOLDEN "rsa2048.pem"), test_pool(), &info));
    REQUIRE(OPENSSL("x509", "-in", GOLDEN "rsa2048.pem", "-outform", "DER", "-out",
                    test_path("c.der")) != NULL);
    text = OPENSSL("dgst", "-sha256", "-r", test_path("c.der"));
    REQUIRE(text != NULL);
    CHECK(strncmp(text, info.fingerprint, 64) == 0);
    REQUIRE(OPENSSL("x509", "-in", GOLDEN "rsa2048.pem", "-noout", "-pubkey", "-out",
                    test_path("p.pem")) != NULL);
    REQUIRE(OPENSSL("pkey", "-pubin", "-in", test_path("p.pem"), "-outform", "DER", "-out",
                    test_path("p.der")) != NULL);
    text = OPENSSL("dgst", "-sha256", "-r", test_path("p.der"));
    REQUIRE(text != NULL);
    klm_hex(info.spki_hash, 32, hex);
    CHECK(strncmp(text, hex, 64) == 0);
}

TEST(control_characters_in_names_are_escaped)
{
    struct kr_cert_info info;

    REQUIRE(OPENSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", test_path("k"), "-utf8", "-subj", "/CN=a\x1b[2Jb\xc3\xa9",
                    "-out", test_path("esc.pem")) != NULL);
    REQUIRE_OK(kr_cert_info(golden(test_path("esc.pem")), test_pool(), &info));
    CHECK_STR(info.subject, "CN=a\\1B[2Jb\xc3\xa9");
}

TEST(a_certificate_cut_short_changed_or_followed_is_refused)
{
    struct klm_slice der = golden(GOLDEN "ec256.pem");
    enum klm_msg_id msg;
    uint8_t *p = copy_of(der);

    for (size_t n = 0; n < der.n; n++) {
        CHECK_RC(parse(der.p, n, &msg), KLM_E_INVALID);
        CHECK_INT(msg, KLM_MSG_CERT_NOT);
    }
    CHECK_RC(parse(p, der.n + 1, &msg), KLM_E_INVALID);
    p[1] = 0x80; /* BER: a length without end */
    CHECK_RC(parse(p, der.n, &msg), KLM_E_INVALID);
}

TEST(pem_with_more_than_one_certificate_is_refused)
{
    struct klm_slice pem = load(GOLDEN "ec256.pem");
    uint8_t *two = klm_pool_alloc(test_pool(), 2 * pem.n);
    enum klm_msg_id msg;

    REQUIRE(two != NULL);
    memcpy(two, pem.p, pem.n);
    memcpy(two + pem.n, pem.p, pem.n);
    CHECK_RC(parse(two, 2 * pem.n, &msg), KLM_E_INVALID);
    CHECK_INT(msg, KLM_MSG_CERT_ONE);
    CHECK_RC(parse(two, pem.n + 3, &msg), KLM_E_INVALID);
    memset(two + pem.n, '\n', 20);
    CHECK_RC(parse(two, pem.n + 20, &msg), KLM_OK);
    CHECK_RC(parse(pem.p, pem.n - 30, &msg), KLM_E_INVALID);
}

TEST(an_encrypted_pem_is_refused_without_asking_for_a_password)
{
    static const char text[] =
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
        "AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END CERTIFICATE-----\n";
    enum klm_msg_id msg;

    CHECK_RC(parse(text, sizeof text - 1, &msg), KLM_E_INVALID);
    CHECK_INT(msg, KLM_MSG_CERT_NOT);
}

TEST(input_over_the_limit_is_not_read)
{
    uint8_t *p = klm_pool_alloc(test_pool(), 65537);
    enum klm_msg_id msg;

    REQUIRE(p != NULL);
    CHECK_RC(parse(p, 65537, &msg), KLM_E_LIMIT);
    CHECK_INT(msg, KLM_MSG_CERT_LONG);
    CHECK_RC(parse(p, 65536, &msg), KLM_E_INVALID);
    CHECK_RC(parse(p, 0, &msg), KLM_E_INVALID);
}

TEST(a_key_fits_its_own_certificate_only)
{
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_LABEL, NULL);
    struct kr_key *aes = NULL;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &aes));
    CHECK_RC(kr_cert_fits(a.der, a.key), KLM_OK);
    CHECK_RC(kr_cert_fits(a.der, b.key), KLM_E_WRONGKEY);
    CHECK_RC(kr_cert_fits(golden(GOLDEN "rsa2048.pem"), b.key), KLM_E_WRONGKEY);
    CHECK_RC(kr_cert_fits(a.der, aes), KLM_E_WRONGKEY);
    CHECK_RC(kr_cert_fits(KLM_SLICE(a.der.p, a.der.n - 1), a.key), KLM_E_INVALID);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    kr_key_free(&aes);
}

static void check_signature(struct kr_spec spec)
{
    struct made cert = make_cert("CN=signer", spec, KR_ROLE_CLIENT, NULL);
    struct klm_slice data = KLM_SLICE("channel binding", 15), sig, der = cert.der;
    const char *key = test_path("sig.key");
    BIO *bio = BIO_new_file(key, "w");

    /* The key goes to the command line once, in a test folder, so that the signature is not
     * ours. */
    REQUIRE(bio != NULL && i2d_PrivateKey_bio(bio, kr_key_pkey(cert.key)) == 1);
    BIO_free(bio);
    if (spec.type == KR_RSA) {
        REQUIRE(OPENSSL("dgst", "-sha256", "-sign", key, "-keyform", "DER", "-sigopt",
                        "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-out",
                        test_path("sig"), write_temp("data", data)) != NULL);
    } else {
        REQUIRE(OPENSSL("dgst", "-sha256", "-sign", key, "-keyform", "DER", "-out",
                        test_path("sig"), write_temp("data", data)) != NULL);
    }
    sig = load(test_path("sig"));
    CHECK_RC(kr_cert_verify(der, data, sig), KLM_OK);
    CHECK_RC(kr_cert_verify(der, KLM_SLICE("channel Binding", 15), sig), KLM_E_CRYPTO);
    CHECK_RC(kr_cert_verify(der, data, KLM_SLICE(sig.p, sig.n - 1)), KLM_E_CRYPTO);
    CHECK_RC(kr_cert_verify(der, data, KLM_SLICE(copy_of(sig), sig.n + 1)), KLM_E_CRYPTO);
    CHECK_RC(kr_cert_verify(der, data, KLM_SLICE(NULL, 0)), KLM_E_CRYPTO);
    CHECK_RC(kr_cert_verify(golden(GOLDEN "rsa2048.pem"), data, sig), KLM_E_CRYPTO);
    if (spec.type == KR_RSA) { /* the older padding is not taken */
        REQUIRE(OPENSSL("dgst", "-sha256", "-sign", key, "-keyform", "DER", "-out",
                        test_path("sig"), write_temp("data", data)) != NULL);
        CHECK_RC(kr_cert_verify(der, data, load(test_path("sig"))), KLM_E_CRYPTO);
    }
    kr_key_free(&cert.key);
}

TEST(signatures_are_checked_by_the_certificates_key)
{
    check_signature(RSA2048);
    check_signature(P256);
    check_signature(P384);
}

/* ---- In the store */

static struct kr_cert cert_of(const char *owner, const char *label, const char *pem)
{
    return (struct kr_cert){.owner = owner,
                            .label = label,
                            .der = golden(pem),
                            .trust = KR_TRUST,
                            .token_label = "ITOPS.KLM20.CERT",
                            .added = 1234567890 * SECOND};
}

TEST(a_certificate_is_stored_and_found_again)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct st_view *view = st_change_view(change);
    struct kr_cert cert = cert_of("TAPEKMS", "Tape Lbl 20", GOLDEN "rsa2048.pem"), got;

    CHECK_RC(kr_cert_get(view, "TAPEKMS", "Tape Lbl 20", test_pool(), &got), KLM_E_NOTFOUND);
    CHECK_RC(kr_cert_add(change, &cert), KLM_OK);
    REQUIRE_OK(kr_cert_get(view, "TAPEKMS", "Tape Lbl 20", test_pool(), &got));
    CHECK_STR(got.owner, "TAPEKMS");
    CHECK_STR(got.label, "Tape Lbl 20");
    CHECK_STR(got.token_label, "ITOPS.KLM20.CERT");
    CHECK_INT(got.trust, KR_TRUST);
    CHECK_INT(got.added, 1234567890 * SECOND);
    CHECK(klm_slice_equal(got.der, cert.der));
    CHECK_RC(kr_cert_get(view, "TAPEKMS", "tape lbl 20", test_pool(), &got),
             KLM_E_NOTFOUND); /* case counts */
    CHECK_RC(kr_cert_get(view, "TAPEKM", "Tape Lbl 20", test_pool(), &got), KLM_E_NOTFOUND);
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_label_or_a_certificate_that_is_there_is_refused)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert one = cert_of("TAPEKMS", "one", GOLDEN "rsa2048.pem"),
                   two = cert_of("TAPEKMS", "one", GOLDEN "ec256.pem");

    CHECK_RC(kr_cert_add(change, &one), KLM_OK);
    CHECK_RC(kr_cert_add(change, &one), KLM_E_EXISTS);
    CHECK_RC(kr_cert_add(change, &two), KLM_E_EXISTS);
    one.label = "other";
    CHECK_RC(kr_cert_add(change, &one), KLM_E_EXISTS);
    one.owner = "CERTAUTH"; /* another owner may have it as well */
    CHECK_RC(kr_cert_add(change, &one), KLM_OK);
    st_change_drop(&change);
    st_close(&store);
}

TEST(replacing_keeps_the_rule_of_one_label_a_certificate)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert one = cert_of("TAPEKMS", "one", GOLDEN "rsa2048.pem"),
                   two = cert_of("TAPEKMS", "two", GOLDEN "ec256.pem"), got;

    CHECK_RC(kr_cert_replace(change, &one), KLM_E_NOTFOUND);
    REQUIRE_OK(kr_cert_add(change, &one));
    REQUIRE_OK(kr_cert_add(change, &two));
    two.der = one.der;
    CHECK_RC(kr_cert_replace(change, &two), KLM_E_EXISTS);
    REQUIRE_OK(kr_cert_get(st_change_view(change), "TAPEKMS", "two", test_pool(), &got));
    CHECK(!klm_slice_equal(got.der, one.der));
    two.der = golden(GOLDEN "ec384.pem");
    two.trust = KR_NOTRUST;
    CHECK_RC(kr_cert_replace(change, &two), KLM_OK);
    CHECK_RC(kr_cert_replace(change, &two), KLM_OK);
    REQUIRE_OK(kr_cert_get(st_change_view(change), "TAPEKMS", "two", test_pool(), &got));
    CHECK_INT(got.trust, KR_NOTRUST);
    two.label = "three"; /* what was replaced is free again, what replaced it is not */
    CHECK_RC(kr_cert_add(change, &two), KLM_E_EXISTS);
    two.der = golden(GOLDEN "ec256.pem");
    CHECK_RC(kr_cert_add(change, &two), KLM_OK);
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_deleted_certificate_is_gone_and_may_come_back)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert one = cert_of("TAPEKMS", "one", GOLDEN "rsa2048.pem"), got;

    CHECK_RC(kr_cert_delete(change, "TAPEKMS", "one"), KLM_E_NOTFOUND);
    REQUIRE_OK(kr_cert_add(change, &one));
    CHECK_RC(kr_cert_delete(change, "TAPEKMS", "one"), KLM_OK);
    CHECK_RC(kr_cert_get(st_change_view(change), "TAPEKMS", "one", test_pool(), &got),
             KLM_E_NOTFOUND);
    one.label = "two";
    CHECK_RC(kr_cert_add(change, &one), KLM_OK);
    st_change_drop(&change);
    st_close(&store);
}

TEST(names_that_break_the_rules_are_refused)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert cert = cert_of("TAPEKMS", "x", GOLDEN "ec256.pem");
    char label[66];

    static const char *const owners[] = {"", "tapekms", "A.B", "A B"};
    for (size_t i = 0; i < KLM_COUNT(owners); i++) {
        cert.owner = owners[i];
        CHECK_RC(kr_cert_add(change, &cert), KLM_E_INVALID);
    }
    cert.owner = "TAPEKMSXX";
    CHECK_RC(kr_cert_add(change, &cert), KLM_E_LIMIT);
    cert.owner = "TAPEKMS";
    static const char *const labels[] = {"", " x", "x ", "a\tb", "\xc3\xa9"};
    for (size_t i = 0; i < KLM_COUNT(labels); i++) {
        cert.label = labels[i];
        CHECK_RC(kr_cert_add(change, &cert), KLM_E_INVALID);
    }
    memset(label, 'x', sizeof label);
    label[65] = 0;
    cert.label = label;
    CHECK_RC(kr_cert_add(change, &cert), KLM_E_LIMIT);
    label[64] = 0;
    CHECK_RC(kr_cert_add(change, &cert), KLM_OK);
    cert.label = "y";
    cert.der = KLM_SLICE(NULL, 0);
    CHECK_RC(kr_cert_add(change, &cert), KLM_E_INVALID);
    st_change_drop(&change);
    st_close(&store);
}

struct seen {
    char text[256];
};

static klm_rc see(void *arg, const struct kr_cert *cert)
{
    struct seen *seen = arg;
    size_t n = strlen(seen->text);

    (void)snprintf(seen->text + n, sizeof seen->text - n, "%s/%s%s ", cert->owner, cert->label,
                   cert->der.n ? "" : "!");
    return strcmp(cert->label, "stop") == 0 ? KLM_E_CLOSED : KLM_OK;
}

TEST(scanning_shows_the_certificates_of_one_owner_or_of_all_by_label)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert a = cert_of("TAPEKMS", "b", GOLDEN "rsa2048.pem"),
                   b = cert_of("TAPEKMS", "a", GOLDEN "ec256.pem"),
                   c = cert_of("CERTAUTH", "ca", GOLDEN "rsa2048.pem"),
                   d = cert_of("TAPE", "z", GOLDEN "rsa2048.pem");
    struct seen seen = {""};

    REQUIRE_OK(kr_cert_add(change, &a));
    REQUIRE_OK(kr_cert_add(change, &b));
    REQUIRE_OK(kr_cert_add(change, &c));
    REQUIRE_OK(kr_cert_add(change, &d));
    REQUIRE_OK(kr_cert_scan(st_change_view(change), "TAPEKMS", see, &seen));
    CHECK_STR(seen.text, "TAPEKMS/a TAPEKMS/b ");
    seen = (struct seen){""};
    REQUIRE_OK(kr_cert_scan(st_change_view(change), NULL, see, &seen));
    CHECK_STR(seen.text, "CERTAUTH/ca TAPE/z TAPEKMS/a TAPEKMS/b ");
    a = cert_of("TAPEKMS", "stop", GOLDEN "ec384.pem");
    REQUIRE_OK(kr_cert_add(change, &a));
    seen = (struct seen){""};
    CHECK_RC(kr_cert_scan(st_change_view(change), "TAPEKMS", see, &seen), KLM_E_CLOSED);
    CHECK_RC(kr_cert_scan(st_change_view(change), "tape", see, &seen), KLM_E_INVALID);
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_record_that_is_none_of_ours_is_shown_as_damaged_and_can_be_replaced)
{
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    struct kr_cert cert = cert_of("TAPEKMS", "x", GOLDEN "rsa2048.pem"), got;
    struct seen seen = {""};

    REQUIRE_OK(st_put(change, ST_CERT, KLM_SLICE("TAPEKMS\0x", 9), KLM_SLICE("\1\1short", 7)));
    CHECK_RC(kr_cert_get(st_change_view(change), "TAPEKMS", "x", test_pool(), &got), KLM_E_CORRUPT);
    REQUIRE_OK(kr_cert_scan(st_change_view(change), "TAPEKMS", see, &seen));
    CHECK_STR(seen.text, "TAPEKMS/x! ");
    CHECK_RC(kr_cert_add(change, &cert), KLM_E_EXISTS);
    CHECK_RC(kr_cert_replace(change, &cert), KLM_OK);
    REQUIRE_OK(kr_cert_get(st_change_view(change), "TAPEKMS", "x", test_pool(), &got));
    st_change_drop(&change);
    st_close(&store);
}
