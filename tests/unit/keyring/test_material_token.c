/* Key material at rest: what plain Python sealed opens, ours opens in plain Python, nothing that was touched opens, and it goes where other key
 * tokens go. */
#include "matter.h"

#include "keyring/backup.h"

#define LABEL "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f"

static struct klm_slice sealed(const struct kr_master *master, const char *label,
                               const struct kr_material *material)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(kr_material_seal(master, label, material, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

static klm_rc opening(const struct kr_master *master, const char *label, struct klm_slice token)
{
    struct kr_material *material = NULL;
    const klm_rc rc = kr_material_open(master, label, token, &material);

    CHECK((rc == KLM_OK) == (material != NULL));
    kr_material_free(&material);
    return rc;
}

static struct klm_slice rewrapped(const struct kr_master *from, const struct kr_master *to,
                                  struct klm_slice token)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(kr_token_rewrap(from, to, LABEL, token, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

static struct kr_material *biggest(void)
{
    uint8_t *much = klm_pool_alloc(test_pool(), KR_MATERIAL_MAX);
    struct kr_material *material = NULL;

    REQUIRE(much != NULL);
    for (size_t i = 0; i < KR_MATERIAL_MAX; i++) {
        much[i] = (uint8_t)(i * 7 + i / 251);
    }
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_OpaqueObject},
                               KLM_SLICE(much, KR_MATERIAL_MAX), &material));
    return material;
}

TEST(material_sealed_by_plain_python_opens)
{
    struct kr_master *master = master_of(0);
    struct kr_material *material = NULL;
    uint8_t key[32];

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)(0xa0 + i);
    }
    REQUIRE_OK(kr_material_open(master, LABEL, load(GOLDEN "token-material.bin"), &material));
    CHECK_INT(kr_material_spec(material)->object, SYMMETRIC);
    CHECK_INT(kr_material_spec(material)->format, FORMAT(Raw));
    CHECK_INT(kr_material_spec(material)->algorithm, ALG(AES));
    CHECK_INT(kr_material_spec(material)->bits, 256);
    CHECK(!kr_material_spec(material)->wrapped);
    CHECK(kr_material_is(material, KLM_SLICE(key, 32)));
    kr_material_free(&material);
    kr_master_free(&master);
}

TEST(plain_python_opens_our_material)
{
    struct kr_master *master = master_of(0);
    struct kr_material *material = NULL;
    const struct kr_material_spec spec = {.object = PUBLIC_KEY,
                                          .format = FORMAT(X_509),
                                          .algorithm = ALG(ECDSA),
                                          .bits = 0x01020304,
                                          .curve = 7,
                                          .compressed = 2,
                                          .wrapped = true};

    REQUIRE_OK(kr_material_new(&spec, KLM_SLICE("\xca\xfe", 2), &material));
    CHECK_STR(python_opens(sealed(master, LABEL, material), LABEL),
              "01010000000300000005000000060102030400000007"
              "00000002cafe");
    kr_material_free(&material);
    kr_master_free(&master);
}

static bool same_spec(const struct kr_material_spec *a, const struct kr_material_spec *b)
{
    return a->object == b->object && a->format == b->format && a->algorithm == b->algorithm &&
           a->bits == b->bits && a->curve == b->curve && a->compressed == b->compressed &&
           a->wrapped == b->wrapped;
}

/* Whatever it is, it comes back as it went in. */
static void comes_back(const struct kr_material *material)
{
    struct kr_master *master = master_of(0);
    struct kr_material *again = NULL;

    REQUIRE_OK(kr_material_open(master, LABEL, sealed(master, LABEL, material), &again));
    CHECK(same_spec(kr_material_spec(again), kr_material_spec(material)));
    CHECK(kr_material_same(material, again));
    kr_material_free(&again);
    kr_master_free(&master);
}

TEST(every_kind_of_material_comes_back)
{
    const struct forms rsa = rsa_forms("2048"), ec = ec_forms("secp384r1");
    struct kr_material *all[] = {
        symmetric_of(ALG(AES), "0123456789abcdef", 16),
        material_of(PRIVATE_KEY, FORMAT(PKCS_1), rsa.pkcs1),
        material_of(PUBLIC_KEY, FORMAT(X_509), rsa.x509),
        material_of(PRIVATE_KEY, FORMAT(ECPrivateKey), ec.ec),
        material_of(SECRET, FORMAT(Opaque), klm_slice_str("password")),
        material_of(KMIP_ObjectType_OpaqueObject, 0, KLM_SLICE(NULL, 0)),
        NULL,
        biggest(),
    };

    REQUIRE_OK(kr_material_convert(all[1], FORMAT(TransparentRSAPrivateKey), 0, &all[6]));
    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        comes_back(all[i]);
        kr_material_free(&all[i]);
    }
}

TEST(an_opened_private_key_works)
{
    struct kr_master *master = master_of(0);
    const struct forms rsa = rsa_forms("1024");
    struct kr_material *from = material_of(PRIVATE_KEY, FORMAT(PKCS_8), rsa.pkcs8), *again = NULL,
                       *pkcs1 = NULL;

    REQUIRE_OK(kr_material_open(master, LABEL, sealed(master, LABEL, from), &again));
    REQUIRE_OK(kr_material_convert(again, FORMAT(PKCS_1), 0, &pkcs1));
    CHECK(same_slice(bytes_of(pkcs1), rsa.pkcs1));
    kr_material_free(&pkcs1);
    kr_material_free(&again);
    kr_material_free(&from);
    kr_master_free(&master);
}

TEST(any_changed_bit_is_found)
{
    struct kr_master *master = master_of(0);
    const struct klm_slice good = load(GOLDEN "token-material.bin");

    CHECK_RC(opening(master, LABEL, good), KLM_OK);
    for (size_t i = 0; i < good.n * 8; i++) {
        uint8_t *p = copy_of(good);
        const bool reference = i == 8 * 5 + 1; /* 1 becomes 3: a reference, which it is not */
        const klm_rc expected = reference                  ? KLM_E_CORRUPT
                                : i / 8 == 4 || i / 8 == 5 ? KLM_E_UNSUPPORTED
                                : i / 8 >= 9 && i / 8 < 17 ? KLM_E_WRONGKEY
                                                           : KLM_E_CORRUPT;

        p[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK_RC(opening(master, LABEL, KLM_SLICE(p, good.n)), expected);
    }
    kr_master_free(&master);
}

TEST(material_cut_short_or_with_a_byte_too_many_is_damaged)
{
    struct kr_master *master = master_of(0);
    const struct klm_slice good = load(GOLDEN "token-material.bin");

    for (size_t n = 0; n < good.n; n++) {
        CHECK_RC(opening(master, LABEL, KLM_SLICE(good.p, n)), KLM_E_CORRUPT);
    }
    CHECK_RC(opening(master, LABEL, KLM_SLICE(copy_of(good), good.n + 1)), KLM_E_CORRUPT);
    kr_master_free(&master);
}

TEST(another_label_or_master_key_opens_no_material)
{
    struct kr_master *master = master_of(0), *other = master_of(1);
    const struct klm_slice good = load(GOLDEN "token-material.bin");

    CHECK_RC(opening(master, "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0e", good), KLM_E_CORRUPT);
    CHECK_RC(opening(master, "KMIP.018F2F3C-0B1A-7C3D-8E4F-5A6B7C8D9E0F", good), KLM_E_CORRUPT);
    CHECK_RC(opening(master, "", good), KLM_E_INVALID);
    CHECK_RC(opening(other, LABEL, good), KLM_E_WRONGKEY);
    CHECK_RC(opening(master, "AES.KEY", load(GOLDEN "token-aes256.bin")), KLM_E_CORRUPT);
    kr_master_free(&master);
    kr_master_free(&other);
}

TEST(a_full_buffer_is_left_as_it_was)
{
    struct kr_master *master = master_of(0);
    struct kr_material *material = symmetric_of(ALG(AES), "0123456789abcdef", 16);
    struct klm_buf buf;

    for (size_t limit = 3; limit < 3 + 49 + 42 + 16; limit += 8) {
        klm_buf_init(&buf, limit);
        klm_buf_text(&buf, "abc");
        CHECK_RC(kr_material_seal(master, LABEL, material, &buf), KLM_E_LIMIT);
        CHECK_INT(buf.n, 3);
        klm_buf_done(&buf);
    }
    klm_buf_init(&buf, 4096);
    CHECK_RC(kr_material_seal(master, "A B", material, &buf), KLM_E_INVALID);
    klm_buf_done(&buf);
    kr_material_free(&material);
    kr_master_free(&master);
}

/* The change of the master key: both keys are known, the other one seals. */
TEST(a_change_of_the_master_key_carries_material)
{
    struct kr_master *master = master_of(0), *next = master_of(1), *after = master_of(1);
    struct kr_material *large = biggest(), *again = NULL;
    struct klm_slice token = sealed(master, LABEL, large), moved;
    char vp[KR_VP_MAX];

    kr_master_vp(next, vp);
    CHECK(!kr_token_stale(master, token));
    REQUIRE_OK(kr_master_know(master, &next));
    REQUIRE_OK(kr_master_seal_with(master, vp));
    CHECK(kr_token_stale(master, token));
    CHECK_RC(opening(master, LABEL, token), KLM_OK);
    moved = rewrapped(master, master, token);
    CHECK(!kr_token_stale(master, moved));
    CHECK(kr_token_is_material(moved));
    CHECK_RC(opening(after, LABEL, token), KLM_E_WRONGKEY);
    REQUIRE_OK(kr_material_open(after, LABEL, moved, &again));
    CHECK(kr_material_same(large, again));
    kr_material_free(&again);
    kr_material_free(&large);
    kr_master_free(&master);
    kr_master_free(&after);
}

TEST(a_backup_carries_material_to_another_server)
{
    struct kr_master *here = master_of(0), *there = master_of(1), *tokens = NULL;
    struct kr_material *large = biggest(), *again = NULL;
    struct kr_backup *backup = NULL;
    struct klm_slice token = sealed(here, LABEL, large), in_backup, moved;

    REQUIRE_OK(kr_backup_new(&backup));
    REQUIRE_OK(kr_backup_master(backup, &tokens));
    in_backup = rewrapped(here, tokens, token);
    CHECK_RC(opening(here, LABEL, in_backup), KLM_E_WRONGKEY);
    moved = rewrapped(tokens, there, in_backup);
    REQUIRE_OK(kr_material_open(there, LABEL, moved, &again));
    CHECK(kr_material_same(large, again));
    kr_material_free(&again);
    kr_material_free(&large);
    kr_backup_free(&backup);
    kr_master_free(&here);
    kr_master_free(&there);
    kr_master_free(&tokens);
}

static klm_rc seen(void *arg, const char *label, const struct kr_spec *spec)
{
    (void)label, (void)spec;
    ++*(unsigned *)arg;
    return KLM_OK;
}

TEST(material_is_no_key_of_a_list_a_ring_or_a_group)
{
    struct kr_master *master = master_of(0);
    struct st_store *store = store_new();
    struct st_change *change = change_new(store);
    const struct klm_slice good = load(GOLDEN "token-material.bin"),
                           aes = load(GOLDEN "token-aes256.bin");
    struct kr_key *key = NULL;
    struct kr_spec spec;
    unsigned n = 0;

    CHECK(kr_token_is_material(good) && !kr_token_is_material(aes));
    CHECK(!kr_token_refers(good));
    CHECK_RC(kr_token_spec(good, &spec), KLM_E_NOTFOUND);
    CHECK_RC(kr_token_open(master, LABEL, good, &key), KLM_E_NOTFOUND);
    CHECK_RC(kr_token_hold(master, LABEL, good, &key), KLM_E_NOTFOUND);
    CHECK_RC(kr_token_put_new(change, LABEL, KLM_SLICE("no token", 8)), KLM_E_CORRUPT);
    CHECK_RC(kr_token_exists(st_change_view(change), LABEL), KLM_E_NOTFOUND);
    REQUIRE_OK(kr_token_put_new(change, LABEL, good));
    CHECK_RC(kr_token_put(change, LABEL, good, false), KLM_E_EXISTS);
    REQUIRE_OK(kr_token_put(change, "AES.KEY", aes, false));
    for (int type = KR_AES; type <= 4; type++) {
        REQUIRE_OK(kr_token_scan(st_change_view(change), (enum kr_type)type, "", seen, &n));
    }
    CHECK_INT(n, 1);
    /* Neither is put over the other, whoever asks. */
    CHECK_RC(kr_token_put(change, LABEL, aes, true), KLM_E_EXISTS);
    CHECK_RC(kr_token_put(change, "AES.KEY", good, true), KLM_E_EXISTS);
    CHECK_RC(kr_token_put(change, LABEL, good, true), KLM_OK);
    CHECK_RC(kr_token_delete(change, LABEL), KLM_OK);
    st_change_drop(&change);
    st_close(&store);
    kr_master_free(&master);
}
