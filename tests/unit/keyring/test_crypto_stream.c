/* Operations in parts: cut anywhere they give what one go gives; nothing leaves before its tag has been compared; an end is an end. */
#include "crypt.h"

/* What a stream gave in all, and how it ended. */
struct result {
    klm_rc rc; /* of the first call that failed */
    uint8_t data[512];
    size_t n, before_end;
    struct klm_slice tag, iv;
    bool valid;
};

static klm_rc add(struct result *r, struct klm_slice part)
{
    REQUIRE(r->n + part.n <= sizeof r->data);
    if (part.n) {
        memcpy(r->data + r->n, part.p, part.n);
    }
    r->n += part.n;
    return KLM_OK;
}

static klm_rc parts(struct kr_stream *s, struct klm_slice data, size_t cut, size_t step,
                    struct klm_slice check, struct result *r)
{
    struct kr_cipher_out end = {0};
    struct klm_slice part = {0};

    for (size_t at = 0; at < data.n || at == 0;) {
        size_t n = at < cut ? cut - at : step < data.n - at ? step : data.n - at;

        KLM_TRY(kr_stream_update(s, KLM_SLICE(data.p + at, n), test_pool(), &part));
        KLM_TRY(add(r, part));
        at += n ? n : 1;
    }
    r->before_end = r->n;
    KLM_TRY(kr_stream_final(s, check, test_pool(), &end, &r->valid));
    CHECK_RC(kr_stream_update(s, data, test_pool(), &part), KLM_E_STATE);
    CHECK_RC(kr_stream_final(s, check, test_pool(), &end, &r->valid), KLM_E_STATE);
    r->tag = end.tag;
    return add(r, end.data);
}

/* A stream whose first part has cut bytes (0: as the others), the others step. */
static struct result run(enum kr_stream_op op, struct kr_material *key, const struct kr_crypt *how,
                         const struct kr_cipher_in *in, size_t cut, size_t step,
                         struct klm_slice check)
{
    static const uint8_t nothing[1];
    struct klm_slice data = in->data.p ? in->data : KLM_SLICE(nothing, 0);
    struct kr_stream *s = NULL;
    struct result r = {0};

    r.rc = kr_stream_new(op, key, how, in, test_pool(), &r.iv, &s);
    CHECK((r.rc == KLM_OK) == (s != NULL));
    if (s) {
        CHECK_INT(kr_stream_op(s), op);
        r.rc = parts(s, data, cut, step, check, &r);
    }
    kr_stream_free(&s);
    CHECK(s == NULL);
    return r;
}

static void check_result(const struct result *r, struct klm_slice data, struct klm_slice tag)
{
    CHECK_RC(r->rc, KLM_OK);
    CHECK_SLICE(KLM_SLICE(r->data, r->n), data);
    CHECK_SLICE(r->tag, tag);
}

/* ---- Ciphers */

static void check_cipher_line(char *const f[FIELDS])
{
    struct cipher_line line = cipher_line(f);
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(line.algorithm, line.key);
    struct kr_cipher_in back = {
        .data = line.out, .iv = line.in.iv, .aad = line.in.aad, .tag = line.tag};

    if (is_legacy(line.algorithm)) {
        return;
    }
    for (size_t cut = 0; cut <= line.out.n; cut++) {
        struct result there = run(KR_STREAM_ENCRYPT, key, &line.how, &line.in,
                                  cut < line.in.data.n ? cut : line.in.data.n, 512, NONE);
        struct result here = run(KR_STREAM_DECRYPT, key, &line.how, &back, cut, 512, NONE);

        check_result(&there, line.out, line.tag);
        if (line.how.padding == PAD(Zeros)) {
            here.n = line.in.data.n;
        }
        check_result(&here, line.in.data, NONE);
        CHECK(line.tag.n == 0 || here.before_end == 0);
    }
    for (size_t step = 1; step <= 17; step += 8) {
        struct result there = run(KR_STREAM_ENCRYPT, key, &line.how, &line.in, 0, step, NONE);
        struct result here = run(KR_STREAM_DECRYPT, key, &line.how, &back, 0, step, NONE);

        check_result(&there, line.out, line.tag);
        if (line.how.padding == PAD(Zeros)) {
            here.n = line.in.data.n;
        }
        check_result(&here, line.in.data, NONE);
    }
}

TEST(a_cipher_cut_anywhere_gives_what_one_go_gives)
{
    CHECK(vectors("cipher", check_cipher_line) > 200);
}

TEST(a_block_leaves_as_soon_as_it_is_whole_unless_it_may_be_padding)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 16));
    const struct kr_crypt *how = HOW(.mode = MODE(CBC), .padding = PAD(PKCS5));
    struct kr_cipher_in in = {.iv = bytes(2, 16)};
    struct klm_slice iv = {0}, part = {0};
    struct kr_stream *s = NULL;

    REQUIRE_OK(kr_stream_new(KR_STREAM_ENCRYPT, key, how, &in, test_pool(), &iv, &s));
    CHECK_RC(kr_stream_update(s, bytes(3, 8), test_pool(), &part), KLM_OK);
    CHECK_INT(part.n, 0);
    CHECK_RC(kr_stream_update(s, bytes(3, 8), test_pool(), &part), KLM_OK);
    CHECK_INT(part.n, 16);
    kr_stream_free(&s);
    REQUIRE_OK(kr_stream_new(KR_STREAM_DECRYPT, key, how, &in, test_pool(), &iv, &s));
    CHECK_RC(kr_stream_update(s, part, test_pool(), &part), KLM_OK);
    CHECK_INT(part.n, 0);
    CHECK_RC(kr_stream_update(s, bytes(3, 16), test_pool(), &part), KLM_OK);
    CHECK_INT(part.n, 16);
    kr_stream_free(&s);
    REQUIRE_OK(
        kr_stream_new(KR_STREAM_DECRYPT, key, HOW(.mode = MODE(CBC)), &in, test_pool(), &iv, &s));
    CHECK_RC(kr_stream_update(s, bytes(3, 16), test_pool(), &part), KLM_OK);
    CHECK_INT(part.n, 16);
    kr_stream_free(&s);
}

TEST(a_wrong_tag_gives_nothing_in_parts_either)
{
    static const struct {
        uint32_t algorithm, mode;
    } rows[] = {{ALG(AES), MODE(GCM)}, {ALG(AES), MODE(CCM)}, {ALG(ChaCha20Poly1305), 0}};

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        KLM_AUTO(kr_material_free)
        struct kr_material *key = symmetric(rows[i].algorithm, bytes(1, 32));
        const struct kr_crypt *how = HOW(.mode = rows[i].mode);
        struct kr_cipher_in in = {.data = bytes(2, 40), .iv = bytes(3, 12), .aad = bytes(4, 5)};
        struct kr_cipher_out out = {0};
        struct result r;

        REQUIRE_OK(kr_encrypt(key, how, &in, test_pool(), &out));
        in.data = out.data;
        r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 7,
                out.tag); /* it may come at the end, although KMIP has it at the beginning */
        check_result(&r, bytes(2, 40), NONE);
        r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 7, bytes(0, 16));
        CHECK_RC(r.rc, KLM_E_CRYPTO);
        CHECK_INT(r.n, 0);
        r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 7, NONE);
        CHECK_RC(r.rc, KLM_E_SHORT);
        CHECK_INT(r.n, 0);
        in.tag = bytes(0, 16);
        r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 7, out.tag);
        CHECK_RC(r.rc, KLM_E_CRYPTO); /* the one of the beginning counts */
        CHECK_INT(r.n, 0);
    }
}

TEST(a_wrong_padding_ends_a_stream_as_it_ends_one_go)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 16));
    const struct kr_crypt *how = HOW(.mode = MODE(CBC), .padding = PAD(PKCS5));
    struct kr_cipher_in in = {.data = bytes(0, 32), .iv = bytes(3, 16)};
    struct result r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 5, NONE);

    CHECK_RC(r.rc, KLM_E_CRYPTO);
    in.data.n = 31;
    r = run(KR_STREAM_DECRYPT, key, how, &in, 0, 5, NONE);
    CHECK_RC(r.rc, KLM_E_INVALID);
    r = run(KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(CBC)), &in, 0, 5, NONE);
    CHECK_RC(r.rc, KLM_E_INVALID);
}

TEST(a_random_iv_comes_at_the_beginning)
{
    static const uint32_t modes[] = {MODE(CBC), MODE(CTR), MODE(GCM), MODE(CCM)};
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 16));

    for (size_t i = 0; i < KLM_COUNT(modes); i++) {
        const struct kr_crypt *how = HOW(.mode = modes[i], .random_iv = true);
        struct kr_cipher_in in = {.data = bytes(2, 48)};
        struct result there = run(KR_STREAM_ENCRYPT, key, how, &in, 0, 7, NONE), here;

        CHECK_RC(there.rc, KLM_OK);
        CHECK_INT(there.iv.n, modes[i] == MODE(GCM) || modes[i] == MODE(CCM) ? 12 : 16);
        in = (struct kr_cipher_in){
            .data = KLM_SLICE(there.data, there.n), .iv = there.iv, .tag = there.tag};
        here = run(KR_STREAM_DECRYPT, key, how, &in, 0, 48, NONE);
        check_result(&here, bytes(2, 48), NONE);
        in.iv = NONE;
        here = run(KR_STREAM_DECRYPT, key, how, &in, 0, 48, NONE);
        CHECK_RC(here.rc, KLM_E_SHORT);
    }
}

TEST(what_is_wrong_with_the_parameters_is_said_at_the_beginning)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 32));
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key("rsa");
    const struct {
        enum kr_stream_op op;
        struct kr_material *key;
        const struct kr_crypt *how;
        struct kr_cipher_in in;
        klm_rc rc;
    } rows[] = {
        {KR_STREAM_ENCRYPT, key, HOW(.mode = 0), {.iv = bytes(0, 16)}, KLM_E_INVALID},
        {KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(CBC)), {.iv = NONE}, KLM_E_SHORT},
        {KR_STREAM_ENCRYPT,
         key,
         HOW(.mode = MODE(CBC), .padding = 77),
         {.iv = bytes(0, 16)},
         KLM_E_UNSUPPORTED},
        {KR_STREAM_ENCRYPT,
         key,
         HOW(.mode = MODE(CBC)),
         {.iv = bytes(0, 16), .aad = bytes(0, 1)},
         KLM_E_INVALID},
        {KR_STREAM_DECRYPT,
         key,
         HOW(.mode = MODE(CBC)),
         {.iv = bytes(0, 16), .tag = bytes(0, 16)},
         KLM_E_INVALID},
        {KR_STREAM_ENCRYPT,
         key,
         HOW(.mode = MODE(GCM), .tag_length = 3),
         {.iv = bytes(0, 12)},
         KLM_E_LIMIT},
        {KR_STREAM_DECRYPT,
         key,
         HOW(.mode = MODE(GCM)),
         {.iv = bytes(0, 12), .tag = bytes(0, 3)},
         KLM_E_LIMIT},
        {KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(CCM)), {.iv = bytes(0, 6)}, KLM_E_INVALID},
        {KR_STREAM_ENCRYPT,
         key,
         HOW(.mode = MODE(XTS)),
         {.iv = bytes(0, 16), .aad = bytes(0, 1)},
         KLM_E_INVALID},
        {KR_STREAM_ENCRYPT, public, HOW(.padding = 0), {.iv = NONE}, KLM_E_INVALID},
        {KR_STREAM_ENCRYPT, public, HOW(.padding = PAD(OAEP)), {.aad = bytes(0, 1)}, KLM_E_INVALID},
        {KR_STREAM_DECRYPT, public, HOW(.padding = PAD(OAEP)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_SIGN, public, HOW(.hash = HASH(SHA_256)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_SIGN, key, HOW(.hash = HASH(SHA_256)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_VERIFY, public, HOW(.hash = HASH(Tiger)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_MAC, key, HOW(.mode = MODE(GCM)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_MAC_VERIFY, public, HOW(.hash = HASH(SHA_1)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_HASH, NULL, HOW(.hash = HASH(MD2)), {.iv = NONE}, KLM_E_UNSUPPORTED},
        {KR_STREAM_HASH, NULL, HOW(.hash = 0), {.iv = NONE}, KLM_E_UNSUPPORTED},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct kr_stream *s = NULL;
        struct klm_slice iv = {0};

        CHECK_RC(
            kr_stream_new(rows[i].op, rows[i].key, rows[i].how, &rows[i].in, test_pool(), &iv, &s),
            rows[i].rc);
        CHECK(s == NULL);
        kr_stream_free(&s);
    }
}

/* ---- RSA: collected */

TEST(rsa_in_parts_is_rsa_in_one_go)
{
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key("rsa");
    struct klm_slice label = klm_slice_str("label");
    const struct kr_crypt *how =
        HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256), .p_source = label);
    struct result there = run(KR_STREAM_ENCRYPT, public, how, IN(.data = bytes(2, 48)), 0, 7, NONE),
                  here;

    CHECK_RC(there.rc, KLM_OK);
    CHECK_INT(there.n, 256);
    CHECK_INT(there.before_end, 0);
    here = run(KR_STREAM_DECRYPT, private_key("rsa"), how,
               IN(.data = KLM_SLICE(there.data, there.n)), 0, 100, NONE);
    check_result(&here, bytes(2, 48), NONE);
    there = run(KR_STREAM_ENCRYPT, public, how, IN(.data = bytes(2, 191)), 0, 7, NONE);
    CHECK_RC(there.rc, KLM_E_INVALID);
}

/* The stream has copies of all that it was given, and its own hold of the key. */
TEST(a_stream_needs_nothing_that_it_was_begun_with)
{
    struct kr_material *key = symmetric(ALG(AES), bytes(1, 16)),
                       *again = symmetric(ALG(AES), bytes(1, 16));
    uint8_t iv[12] = {1, 2, 3}, aad[5] = {4, 5, 6};
    struct kr_cipher_in in = {
        .data = bytes(2, 40), .iv = KLM_SLICE(iv, sizeof iv), .aad = KLM_SLICE(aad, sizeof aad)};
    struct kr_crypt how = {.mode = MODE(CCM)};
    struct kr_cipher_out want = {0}, got = {0};
    struct klm_slice none = {0};
    struct kr_stream *s = NULL;
    size_t begun;

    REQUIRE_OK(kr_encrypt(key, &how, &in, test_pool(), &want));
    REQUIRE_OK(kr_stream_new(KR_STREAM_ENCRYPT, key, &how, &in, test_pool(), &none, &s));
    kr_material_free(&key);
    memset(iv, 0, sizeof iv);
    memset(aad, 0, sizeof aad);
    memset(&how, 0, sizeof how);
    begun = kr_stream_size(s);
    CHECK_RC(kr_stream_update(s, in.data, test_pool(), &none), KLM_OK);
    CHECK(kr_stream_size(s) >= begun + in.data.n);
    CHECK_RC(kr_stream_final(s, NONE, test_pool(), &got, NULL), KLM_OK);
    CHECK_SLICE(got.data, want.data);
    CHECK_SLICE(got.tag, want.tag);
    kr_stream_free(&s);
    kr_material_free(&again);
}

TEST(what_is_collected_has_a_limit)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 16));
    struct kr_cipher_in in = {.iv = bytes(3, 12)};
    struct klm_slice part = {0}, megabyte = bytes(4, KR_STREAM_COLLECT_MAX);
    struct kr_cipher_out out = {0};
    struct kr_stream *s = NULL;

    REQUIRE_OK(
        kr_stream_new(KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(CCM)), &in, test_pool(), &part, &s));
    CHECK_RC(kr_stream_update(s, megabyte, test_pool(), &part), KLM_OK);
    CHECK_RC(kr_stream_update(s, bytes(4, 1), test_pool(), &part), KLM_E_LIMIT);
    CHECK_RC(kr_stream_final(s, NONE, test_pool(), &out, NULL),
             KLM_E_STATE); /* a failure ends it */
    kr_stream_free(&s);
    REQUIRE_OK(
        kr_stream_new(KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(GCM)), &in, test_pool(), &part, &s));
    CHECK_RC(kr_stream_update(s, megabyte, test_pool(), &part), KLM_OK); /* nothing of it is kept */
    CHECK(kr_stream_size(s) < 8192);
    CHECK_RC(kr_stream_update(s, bytes(4, 1), test_pool(), &part), KLM_OK);
    CHECK_RC(kr_stream_update(s, KLM_SLICE(part.p, KR_CRYPT_MAX + 1), test_pool(), &part),
             KLM_E_LIMIT);
    kr_stream_free(&s);
}

/* ---- The others */

static void check_hash_line(char *const f[FIELDS])
{
    const struct kr_crypt *how = HOW(.hash = value(KMIP_E_HashingAlgorithm, f[1]));
    struct kr_cipher_in in = {.data = hex(f[2])};

    for (size_t cut = 0; cut <= in.data.n; cut++) {
        struct result r = run(KR_STREAM_HASH, NULL, how, &in, cut, 13, NONE);

        check_result(&r, hex(f[3]), NONE);
        CHECK_INT(r.before_end, 0);
    }
}

TEST(a_hash_cut_anywhere_is_the_hash)
{
    CHECK(vectors("hash", check_hash_line) > 30);
}

static void check_mac_line(char *const f[FIELDS])
{
    uint32_t algorithm = value(KMIP_E_CryptographicAlgorithm, f[1]);
    const struct kr_crypt *how =
        HOW(.algorithm = algorithm, .hash = value(KMIP_E_HashingAlgorithm, f[2]));
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(0, hex(f[3]));
    struct kr_cipher_in in = {.data = hex(f[4])};
    struct klm_slice mac = hex(f[5]);

    for (size_t cut = 0; cut <= in.data.n; cut++) {
        struct result r = run(KR_STREAM_MAC, key, how, &in, cut, 13, NONE);

        check_result(&r, mac, NONE);
        CHECK(!r.valid);
        r = run(KR_STREAM_MAC_VERIFY, key, how, &in, cut, 13, mac);
        CHECK(r.rc == KLM_OK && r.valid && r.n == 0);
        r = run(KR_STREAM_MAC_VERIFY, key, how, &in, cut, 13, KLM_SLICE(mac.p, mac.n - 1));
        CHECK(r.rc == KLM_OK && !r.valid);
        r = run(KR_STREAM_MAC_VERIFY, key, how, &in, cut, 13, bytes(0, mac.n));
        CHECK(r.rc == KLM_OK && !r.valid);
    }
}

TEST(a_mac_cut_anywhere_is_the_mac)
{
    CHECK(vectors("mac", check_mac_line) > 60);
}

static void check_sign_line(char *const f[FIELDS])
{
    struct kr_crypt how = {.salt_length = strtol(f[6], NULL, 10)};
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key(f[1]);
    struct kr_cipher_in in = {.data = hex(f[7])};
    struct klm_slice signature = hex(f[8]);

    how.signature = value(KMIP_E_DigitalSignatureAlgorithm, f[2]);
    how.padding = value(KMIP_E_PaddingMethod, f[3]);
    how.hash = value(KMIP_E_HashingAlgorithm, f[4]);
    how.mask_hash = value(KMIP_E_HashingAlgorithm, f[5]);
    for (size_t cut = 0; cut <= in.data.n; cut += 12) {
        struct result r = run(KR_STREAM_VERIFY, public, &how, &in, cut, 13, signature);

        CHECK(r.rc == KLM_OK && r.valid && r.n == 0);
        r = run(KR_STREAM_VERIFY, public, &how, &in, cut, 13,
                KLM_SLICE(signature.p, signature.n - 1));
        CHECK(r.rc == KLM_OK && !r.valid);
    }
    struct result made =
        run(KR_STREAM_SIGN, private_key(f[1]), &how, &in, 5 < in.data.n ? 5 : 0, 13, NONE);
    struct result r =
        run(KR_STREAM_VERIFY, public, &how, &in, 0, 100, KLM_SLICE(made.data, made.n));
    CHECK(made.rc == KLM_OK && r.rc == KLM_OK && r.valid);
}

TEST(a_signature_cut_anywhere_is_the_signature)
{
    CHECK(vectors("sign", check_sign_line) > 60);
}

TEST(freeing_a_stream_that_never_was_or_never_ended_is_nothing_special)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(AES), bytes(1, 16));
    struct kr_stream *s = NULL;
    struct klm_slice iv;

    kr_stream_free(NULL);
    kr_stream_free(&s);
    REQUIRE_OK(kr_stream_new(KR_STREAM_ENCRYPT, key, HOW(.mode = MODE(GCM)), IN(.iv = bytes(0, 12)),
                             test_pool(), &iv, &s));
    kr_stream_free(&s);
    REQUIRE_OK(kr_stream_new(KR_STREAM_MAC, key, HOW(.mode = 0), NULL, test_pool(), NULL, &s));
    kr_stream_free(&s);
    REQUIRE_OK(kr_stream_new(KR_STREAM_SIGN, private_key("ed25519"), HOW(.mode = 0), NULL,
                             test_pool(), NULL, &s));
    kr_stream_free(&s);
    CHECK(s == NULL);
}
