/* EEDKs: layout against vectors of OpenSSL's command line (tests/exchange/make_vectors.py), and
 * refusals. */
#include "test.h"

#include "base/file.h"
#include "exchange/kx.h"

#define GOLDEN "tests/golden/exchange/"

static const uint8_t wrapped[KX_EEDK_MAX] = {4};

static void load(const char *name, const char *kind, struct klm_buf *out)
{
    char path[128];

    snprintf(path, sizeof path, GOLDEN "%s.%s", name, kind);
    klm_buf_init(out, 2 * KX_EEDK_MAX);
    REQUIRE_OK(klm_file_read(path, KX_EEDK_MAX, out, NULL));
}

static void check_vector(const char *name, uint8_t alg, size_t wrapped_n, const char *label)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file, context, again;
    struct kx_eedk eedk;

    load(name, "eedk", &file);
    load(name, "context", &context);
    klm_buf_init(&again, KX_EEDK_MAX);
    REQUIRE_OK(kx_eedk_decode(klm_buf_as_slice(&file), &eedk));
    CHECK_INT(eedk.alg, alg);
    CHECK_INT(eedk.encoding, label ? KX_ENC_LABEL : KX_ENC_HASH);
    CHECK_STR(eedk.label, label ? label : "");
    CHECK_INT(eedk.wrapped.n, wrapped_n);
    CHECK(eedk.wrapped.p == file.p + context.n);
    REQUIRE_OK(kx_eedk_context(&eedk, &again));
    CHECK(klm_slice_equal(klm_buf_as_slice(&again), klm_buf_as_slice(&context)));
    klm_buf_clear(&again);
    REQUIRE_OK(kx_eedk_encode(&eedk, &again));
    CHECK(klm_slice_equal(klm_buf_as_slice(&again), klm_buf_as_slice(&file)));
}

TEST(eedks_made_by_openssl_are_read_and_written_back)
{
    check_vector("rsa2048-L", KX_ALG_RSA_OAEP_SHA256, 256, "TAPEKEY1");
    check_vector("rsa2048-H", KX_ALG_RSA_OAEP_SHA256, 256, NULL);
    check_vector("rsa3072-L", KX_ALG_RSA_OAEP_SHA256, 384, "Tape_Sol_Tst_Shr_Pvt_3072_Lbl_1");
    check_vector("p256-L", KX_ALG_ECDH_P256, 105, "TAPEKEY2");
    check_vector("p256-H", KX_ALG_ECDH_P256, 105, NULL);
    check_vector("p384-L", KX_ALG_ECDH_P384, 137, "TAPEKEY3");
}

static klm_rc decode(const uint8_t *p, size_t n)
{
    struct kx_eedk eedk;

    return kx_eedk_decode(KLM_SLICE(p, n), &eedk);
}

TEST(an_eedk_cut_at_any_byte_or_one_too_long_is_refused)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file;
    uint8_t longer[200] = {0};

    load("p256-L", "eedk", &file);
    for (size_t n = 0; n < file.n; n++) {
        CHECK_RC(decode(file.p, n), KLM_E_INVALID);
    }
    memcpy(longer, file.p, file.n);
    CHECK_RC(decode(longer, file.n), KLM_OK);
    CHECK_RC(decode(longer, file.n + 1), KLM_E_INVALID);
}

TEST(an_eedk_with_a_wrong_head_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, 'e'}, {3, 'k'}, {4, 0},   {4, 2},   {5, 0}, {5, 1},
                 {5, 3},   {5, 4},   {6, 'H'}, {6, 'h'}, {7, 0}, {7, 7},
                 {7, 9},   {7, 65},  {7, 255}, {8, ' '}, {9, 0}, {10, 0x80}};
    KLM_AUTO(klm_buf_done) struct klm_buf file;

    load("p256-L", "eedk", &file);
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t was = file.p[wrong[i].at];
        file.p[wrong[i].at] = wrong[i].value;
        CHECK_RC(decode(file.p, file.n), KLM_E_INVALID);
        file.p[wrong[i].at] = was;
    }
    CHECK_RC(decode(file.p, file.n), KLM_OK);
}

TEST(a_hash_is_32_bytes_no_more_no_less)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file;

    load("p256-H", "eedk", &file);
    file.p[7] = 31;
    CHECK_RC(decode(file.p, file.n), KLM_E_INVALID);
    file.p[7] = 33;
    CHECK_RC(decode(file.p, file.n), KLM_E_INVALID);
}

TEST(lengths_of_wrapped_rsa_keys_have_bounds)
{
    static const struct {
        size_t n;
        klm_rc rc;
    } cases[] = {{127, KLM_E_INVALID}, {128, KLM_OK}, {512, KLM_OK}, {513, KLM_E_INVALID}};

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        struct kx_eedk eedk = {.alg = KX_ALG_RSA_OAEP_SHA256,
                               .encoding = 'L',
                               .label = "A",
                               .wrapped = KLM_SLICE(wrapped, cases[i].n)};
        KLM_AUTO(klm_buf_done) struct klm_buf out;

        klm_buf_init(&out, KX_EEDK_MAX);
        CHECK_RC(kx_eedk_encode(&eedk, &out), cases[i].rc);
        CHECK_INT(out.n, cases[i].rc == KLM_OK ? 9 + cases[i].n : 0);
    }
    CHECK_RC(decode(wrapped, KX_EEDK_MAX), KLM_E_INVALID);
    uint8_t over[KX_EEDK_MAX + 1] = "EEDK";
    CHECK_RC(decode(over, sizeof over), KLM_E_LIMIT);
}

TEST(the_encoder_refuses_what_the_decoder_would)
{
    const struct kx_eedk right = {
        .alg = KX_ALG_ECDH_P256, .encoding = 'L', .label = "A", .wrapped = KLM_SLICE(wrapped, 105)};
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    struct kx_eedk eedk = right;

    klm_buf_init(&out, KX_EEDK_MAX);
    eedk.alg = 4;
    CHECK_RC(kx_eedk_encode(&eedk, &out), KLM_E_INVALID);
    CHECK_RC(kx_eedk_context(&eedk, &out), KLM_E_INVALID);
    eedk = right;
    eedk.encoding = 0;
    CHECK_RC(kx_eedk_encode(&eedk, &out), KLM_E_INVALID);
    eedk = right;
    eedk.label[0] = '\0';
    CHECK_RC(kx_eedk_encode(&eedk, &out), KLM_E_INVALID);
    eedk = right;
    memset(eedk.label, 'A', sizeof eedk.label);
    CHECK_RC(kx_eedk_encode(&eedk, &out), KLM_E_LIMIT);
    eedk.label[KX_LABEL_MAX] = '\0';
    CHECK_RC(kx_eedk_encode(&eedk, &out), KLM_OK);
    CHECK_INT(out.n, 8 + KX_LABEL_MAX + 105);
}
