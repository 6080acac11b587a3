/* Wrapping: what openssl's command line wrapped opens, and nothing opens under another key,
 * another context or after a change. */
#include "site.h"

#include <pthread.h>

static const struct klm_slice context = {(const uint8_t *)"\x45\x45\x44\x4b\x01\x01\x00\x04test",
                                         12};

/* A ring with one label "x" of these golden files. */
static struct kr_open_ring *golden_ring(struct site *site, const char *pem, const char *token,
                                        const char *token_label)
{
    struct st_change *change;
    struct klm_slice der;

    *site = site_new();
    change = change_new(site->store);
    REQUIRE_OK(kr_cert_parse(load(pem), test_pool(), &der, NULL));
    REQUIRE_OK(kr_token_put(change, token_label, load(token), false));
    REQUIRE_OK(kr_cert_add(change, &(struct kr_cert){.owner = "TAPEKMS",
                                                     .label = "x",
                                                     .der = der,
                                                     .trust = KR_TRUST,
                                                     .token_label = token_label}));
    REQUIRE_OK(kr_ring_connect(change, "TAPEKMS", "R", &PERSONAL("x")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    return ring_of(site);
}

static const struct kr_label *label_x(const struct kr_open_ring *ring)
{
    const struct kr_label *label = NULL;

    REQUIRE_OK(kr_label_find(ring, "x", &label));
    REQUIRE(label->key != NULL);
    return label;
}

/* A key shown as its wrapping under a session key of zeros, which is all a test can see of it. */
static void shape(const struct kr_key *key, uint8_t out[40])
{
    static const uint8_t session[32];

    REQUIRE_OK(kr_wrap_session(key, session, out));
}

static klm_rc unwrap(const struct kr_label *label, struct klm_slice ctx, struct klm_slice wrapped)
{
    struct kr_key *key = NULL;
    klm_rc rc = kr_unwrap(label, ctx, wrapped, &key);

    CHECK((rc == KLM_OK) == (key != NULL));
    kr_key_free(&key);
    return rc;
}

static void check_golden(const char *pem, const char *token, const char *token_label,
                         const char *wrapped)
{
    struct site site;
    struct kr_open_ring *ring = golden_ring(&site, pem, token, token_label);
    const struct kr_label *label = label_x(ring);
    struct klm_slice in = load(wrapped);
    struct kr_key *got = NULL, *golden = NULL;
    uint8_t a[40], b[40];

    REQUIRE_OK(kr_unwrap(label, context, in, &got));
    REQUIRE_OK(kr_token_open(site.master, "AES.KEY", load(GOLDEN "token-aes256.bin"), &golden));
    shape(got, a);
    shape(golden, b);
    CHECK_MEM(a, b, 40);
    CHECK_RC(unwrap(label, KLM_SLICE(context.p, context.n - 1), in), KLM_E_CRYPTO);
    CHECK_RC(unwrap(label, context, in), KLM_OK); /* the kept context takes the right one again */
    CHECK_RC(unwrap(label, KLM_SLICE(NULL, 0), in), KLM_E_CRYPTO);
    CHECK_RC(unwrap(label, context, KLM_SLICE(in.p, in.n - 1)), KLM_E_CRYPTO);
    CHECK_RC(unwrap(label, context, KLM_SLICE(copy_of(in), in.n + 1)), KLM_E_CRYPTO);
    CHECK_RC(unwrap(label, context, KLM_SLICE(NULL, 0)), KLM_E_CRYPTO);
    kr_key_free(&got);
    kr_key_free(&golden);
    kr_open_ring_free(&ring);
    site_done(&site);
}

TEST(what_openssl_wrapped_opens)
{
    check_golden(GOLDEN "rsa2048.pem", GOLDEN "token-rsa2048.bin", "ITOPS.KLM20.CERT",
                 GOLDEN "wrapped-rsa2048.bin");
}

TEST(what_an_independent_computation_wrapped_for_a_curve_opens)
{
    check_golden(GOLDEN "ec256.pem", GOLDEN "token-ec256.bin", "EC.KEY.P256",
                 GOLDEN "wrapped-ec256.bin");
    check_golden(GOLDEN "ec384.pem", GOLDEN "token-ec384.bin", "EC.KEY.P384",
                 GOLDEN "wrapped-ec384.bin");
}

TEST(openssl_opens_what_we_wrapped)
{
    struct site site;
    struct kr_open_ring *ring =
        golden_ring(&site, GOLDEN "rsa2048.pem", GOLDEN "token-rsa2048.bin", "ITOPS.KLM20.CERT");
    struct kr_key *golden = NULL;
    uint8_t out[KR_WRAPPED_MAX], expected[32];
    struct klm_slice clear;
    size_t n = 0;

    REQUIRE_OK(kr_token_open(site.master, "AES.KEY", load(GOLDEN "token-aes256.bin"), &golden));
    REQUIRE_OK(kr_wrap(label_x(ring), context, golden, out, &n));
    CHECK_INT(n, 256);
    REQUIRE(OPENSSL("pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", GOLDEN "rsa2048.der", "-in",
                    write_temp("wrapped", KLM_SLICE(out, n)), "-out", test_path("clear"),
                    "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
                    "-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt",
                    "rsa_oaep_label:4545444b0101000474657374") != NULL);
    clear = load(test_path("clear"));
    REQUIRE(clear.n == 32);
    for (size_t i = 0; i < 32; i++) {
        expected[i] = (uint8_t)(0xa0 + i);
    }
    CHECK_MEM(clear.p, expected, 32);
    kr_key_free(&golden);
    kr_open_ring_free(&ring);
    site_done(&site);
}

static void check_round(struct kr_spec spec, size_t size)
{
    static const unsigned bits[] = {128, 192, 256};
    struct site site = site_new();
    struct made made = make_cert("CN=x", spec, KR_ROLE_LABEL, NULL);
    struct kr_open_ring *ring;

    put_cert(&site, &made, PERSONAL("x"), KR_TRUST);
    ring = ring_of(&site);
    for (size_t i = 0; i < KLM_COUNT(bits); i++) {
        struct kr_key *key = NULL, *again = NULL;
        uint8_t out[KR_WRAPPED_MAX], twice[KR_WRAPPED_MAX], a[40], b[40];
        size_t n = 0;

        REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, bits[i]}, &key));
        REQUIRE_OK(kr_wrap(label_x(ring), context, key, out, &n));
        CHECK_INT(n, spec.type == KR_RSA ? size : size + bits[i] / 8 + 8);
        REQUIRE_OK(kr_wrap(label_x(ring), context, key, twice, &n));
        CHECK(memcmp(out, twice, n) != 0); /* never the same twice */
        REQUIRE_OK(kr_unwrap(label_x(ring), context, KLM_SLICE(out, n), &again));
        CHECK_INT(kr_key_spec(again).bits, bits[i]);
        if (bits[i] == 256) {
            shape(key, a);
            shape(again, b);
            CHECK_MEM(a, b, 40);
        }
        kr_key_free(&key);
        kr_key_free(&again);
    }
    kr_open_ring_free(&ring);
    kr_key_free(&made.key);
    site_done(&site);
}

TEST(every_kind_of_label_wraps_and_unwraps)
{
    check_round((struct kr_spec){KR_RSA, 1024}, 128);
    check_round((struct kr_spec){KR_RSA, 3072}, 384);
    check_round(P256, 65);
    check_round(P384, 97);
}

TEST(any_changed_byte_is_refused)
{
    static const struct kr_spec specs[] = {{KR_RSA, 1024}, {KR_EC, 256}};

    for (size_t s = 0; s < KLM_COUNT(specs); s++) {
        struct site site = site_new();
        struct made made = make_cert("CN=x", specs[s], KR_ROLE_LABEL, NULL);
        struct kr_open_ring *ring;
        struct kr_key *key = NULL;
        uint8_t out[KR_WRAPPED_MAX];
        size_t n = 0;

        put_cert(&site, &made, PERSONAL("x"), KR_TRUST);
        ring = ring_of(&site);
        REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
        REQUIRE_OK(kr_wrap(label_x(ring), context, key, out, &n));
        for (size_t i = 0; i < n; i++) {
            out[i] ^= 4;
            CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(out, n)), KLM_E_CRYPTO);
            out[i] ^= 4;
        }
        for (size_t cut = 0; cut < n; cut++) {
            CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(out, cut)), KLM_E_CRYPTO);
        }
        CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(out, n)), KLM_OK);
        kr_key_free(&key);
        kr_open_ring_free(&ring);
        kr_key_free(&made.key);
        site_done(&site);
    }
}

TEST(another_key_does_not_unwrap_it)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_LABEL, NULL),
                c = make_cert("CN=c", RSA2048, KR_ROLE_LABEL, NULL),
                d = make_cert("CN=d", RSA2048, KR_ROLE_LABEL, NULL),
                none = make_keyless("CN=n", P256, KR_ROLE_LABEL);
    struct kr_open_ring *ring;
    struct kr_key *key = NULL;
    uint8_t out[KR_WRAPPED_MAX];
    size_t n = 0;

    put_cert(&site, &a, PERSONAL("0"), KR_TRUST);
    put_cert(&site, &b, PERSONAL("1"), KR_TRUST);
    put_cert(&site, &c, PERSONAL("2"), KR_TRUST);
    put_cert(&site, &d, PERSONAL("3"), KR_TRUST);
    put_cert(&site, &none, PERSONAL("4"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    for (size_t i = 0; i < 4; i++) {
        REQUIRE_OK(kr_wrap(kr_open_ring_at(ring, i), context, key, out, &n));
        for (size_t j = 0; j < 4; j++) {
            CHECK_RC(unwrap(kr_open_ring_at(ring, j), context, KLM_SLICE(out, n)),
                     i == j ? KLM_OK : KLM_E_CRYPTO);
        }
        CHECK_RC(unwrap(kr_open_ring_at(ring, 4), context, KLM_SLICE(out, n)), KLM_E_NOTFOUND);
    }
    CHECK_RC(kr_wrap(kr_open_ring_at(ring, 4), context, key, out, &n),
             KLM_OK); /* writing needs no private key */
    kr_key_free(&key);
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    kr_key_free(&c.key);
    kr_key_free(&d.key);
    site_done(&site);
}

TEST(a_point_that_is_not_on_the_curve_is_refused)
{
    struct site site;
    struct kr_open_ring *ring =
        golden_ring(&site, GOLDEN "ec256.pem", GOLDEN "token-ec256.bin", "EC.KEY.P256");
    struct klm_slice good = load(GOLDEN "wrapped-ec256.bin");
    uint8_t *p = copy_of(good);

    memset(p + 1, 1, 64);
    CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(p, good.n)), KLM_E_CRYPTO);
    memset(p, 0, 65); /* the point at infinity, wrongly written */
    CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(p, good.n)), KLM_E_CRYPTO);
    memcpy(p, good.p, good.n);
    p[0] = 6; /* a hybrid point */
    CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(p, good.n)), KLM_E_CRYPTO);
    kr_open_ring_free(&ring);
    site_done(&site);
}

TEST(only_data_keys_are_wrapped_and_limits_hold)
{
    struct site site;
    struct kr_open_ring *ring =
        golden_ring(&site, GOLDEN "rsa2048.pem", GOLDEN "token-rsa2048.bin", "ITOPS.KLM20.CERT");
    struct kr_key *ec = NULL, *aes = NULL, *small = NULL;
    uint8_t out[KR_WRAPPED_MAX], longest[257] = {0}, session[32] = {0}, wrapped[40];
    size_t n = 77;

    REQUIRE_OK(kr_key_generate(&P256, &ec));
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &aes));
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 128}, &small));
    CHECK_RC(kr_wrap(label_x(ring), context, ec, out, &n), KLM_E_INVALID);
    CHECK_RC(kr_wrap_session(ec, session, wrapped), KLM_E_INVALID);
    CHECK_RC(kr_wrap_session(small, session, wrapped), KLM_E_INVALID);
    CHECK_RC(kr_wrap(label_x(ring), KLM_SLICE(longest, 257), aes, out, &n), KLM_E_LIMIT);
    CHECK_INT(n, 77);
    CHECK_RC(kr_wrap(label_x(ring), KLM_SLICE(longest, 256), aes, out, &n), KLM_OK);
    CHECK_RC(unwrap(label_x(ring), KLM_SLICE(longest, 256), KLM_SLICE(out, n)), KLM_OK);
    CHECK_RC(unwrap(label_x(ring), KLM_SLICE(longest, 257), KLM_SLICE(out, n)), KLM_E_LIMIT);
    CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(klm_pool_alloc(test_pool(), 1025), 1025)),
             KLM_E_CRYPTO);
    CHECK_RC(kr_wrap(label_x(ring), KLM_SLICE(NULL, 0), aes, out, &n), KLM_OK);
    CHECK_RC(unwrap(label_x(ring), KLM_SLICE(NULL, 0), KLM_SLICE(out, n)), KLM_OK);
    kr_key_free(&ec);
    kr_key_free(&aes);
    kr_key_free(&small);
    kr_open_ring_free(&ring);
    site_done(&site);
}

/* Something else than a data key, wrapped properly by openssl's command line. */
TEST(a_wrapped_text_of_another_length_is_no_key)
{
    struct site site;
    struct kr_open_ring *ring =
        golden_ring(&site, GOLDEN "rsa2048.pem", GOLDEN "token-rsa2048.bin", "ITOPS.KLM20.CERT");
    static const size_t sizes[] = {1, 15, 17, 31, 33, 64};
    uint8_t text[64] = {0};

    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        REQUIRE(OPENSSL("pkeyutl", "-encrypt", "-certin", "-inkey", GOLDEN "rsa2048.pem", "-in",
                        write_temp("t", KLM_SLICE(text, sizes[i])), "-out", test_path("w"),
                        "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
                        "-pkeyopt", "rsa_mgf1_md:sha256", "-pkeyopt",
                        "rsa_oaep_label:4545444b0101000474657374") != NULL);
        CHECK_RC(unwrap(label_x(ring), context, load(test_path("w"))), KLM_E_CRYPTO);
    }
    kr_open_ring_free(&ring);
    site_done(&site);
}

struct worker {
    pthread_t thread;
    const struct kr_open_ring *ring;
    unsigned failed;
};

/* More labels in turn than contexts are kept, so that entries give way to one another. */
static void *work(void *arg)
{
    struct worker *worker = arg;
    struct kr_key *key = NULL, *again = NULL;
    uint8_t out[KR_WRAPPED_MAX], a[40], b[40];
    size_t n;

    if (kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key) != KLM_OK) {
        worker->failed = 1;
        return NULL;
    }
    shape(key, a);
    for (size_t i = 0; i < 60; i++) {
        const struct kr_label *label =
            kr_open_ring_at(worker->ring, i % kr_open_ring_count(worker->ring));
        struct klm_slice ctx = KLM_SLICE("context", 1 + i % 7);

        if (kr_wrap(label, ctx, key, out, &n) != KLM_OK ||
            kr_unwrap(label, ctx, KLM_SLICE(out, n), &again) != KLM_OK) {
            worker->failed++;
            continue;
        }
        shape(again, b);
        worker->failed += memcmp(a, b, 40) != 0;
        kr_key_free(&again);
    }
    kr_key_free(&key);
    return NULL;
}

TEST(threads_wrap_with_many_labels_at_once_and_leave_nothing_behind)
{
    struct site site = site_new();
    struct made made[20];
    struct worker workers[4] = {0};
    struct kr_open_ring *ring;

    for (size_t i = 0; i < KLM_COUNT(made); i++) {
        made[i] =
            make_cert("CN=x", i % 2 ? P256 : (struct kr_spec){KR_RSA, 1024}, KR_ROLE_LABEL, NULL);
        put_cert(&site, &made[i], PERSONAL(klm_pool_printf(test_pool(), "%zu", i)), KR_TRUST);
    }
    ring = ring_of(&site);
    for (size_t i = 0; i < KLM_COUNT(workers); i++) {
        workers[i].ring = ring;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (size_t i = 0; i < KLM_COUNT(workers); i++) {
        REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
        CHECK_INT(workers[i].failed, 0);
    }
    kr_open_ring_free(&ring);
    for (size_t i = 0; i < KLM_COUNT(made); i++) {
        kr_key_free(&made[i].key);
    }
    site_done(&site);
}

TEST(a_thread_may_outlive_the_ring_it_used_and_forget_it)
{
    for (int round = 0; round < 3; round++) {
        struct site site = site_new();
        struct made made = make_cert("CN=x", P256, KR_ROLE_LABEL, NULL);
        struct kr_open_ring *ring;
        struct kr_key *key = NULL;
        uint8_t out[KR_WRAPPED_MAX];
        size_t n = 0;

        put_cert(&site, &made, PERSONAL("x"), KR_TRUST);
        ring = ring_of(&site);
        REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
        REQUIRE_OK(kr_wrap(label_x(ring), context, key, out, &n));
        CHECK_RC(unwrap(label_x(ring), context, KLM_SLICE(out, n)), KLM_OK);
        kr_open_ring_free(&ring); /* the next ring may get its addresses */
        kr_key_free(&key);
        kr_key_free(&made.key);
        site_done(&site);
    }
    kr_thread_forget();
    kr_thread_forget();
}
