/* Tokens rewrapped many at a time: they are tokens like others, hold the same keys, and never share key and nonce. */
#include "help.h"

#include "keyring/material.h"
#include "keyring/rewrap.h"

#define AT_SALT 17
#define AT_NONCE 33

static struct klm_slice kept(struct klm_buf *buf)
{
    struct klm_slice out;

    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(buf), &out));
    klm_buf_clear(buf);
    return out;
}

static struct klm_slice token_of(const struct kr_master *master, const char *label,
                                 struct kr_spec spec, struct kr_key **key)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_key_generate(&spec, key));
    REQUIRE_OK(kr_token_seal(master, label, *key, &buf));
    out = kept(&buf);
    klm_buf_done(&buf);
    return out;
}

static struct kr_rewrap *rewrap_new(const struct kr_master *from, const struct kr_master *to)
{
    struct kr_rewrap *rewrap = NULL;

    REQUIRE_OK(kr_rewrap_new(from, to, &rewrap));
    return rewrap;
}

static struct klm_slice rewrapped(struct kr_rewrap *rewrap, const char *label,
                                  struct klm_slice token)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_rewrap_token(rewrap, label, token, &buf));
    out = kept(&buf);
    klm_buf_done(&buf);
    return out;
}

static bool same_salt(struct klm_slice a, struct klm_slice b)
{
    return memcmp(a.p + AT_SALT, b.p + AT_SALT, 16) == 0;
}

TEST(keys_of_every_kind_go_there_and_back_in_one_run)
{
    static const struct kr_spec specs[] = {{KR_AES, 256},  {KR_EC, 256}, {KR_AES, 128},
                                           {KR_RSA, 1024}, {KR_EC, 384}, {KR_AES, 256}};
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_rewrap *out = rewrap_new(site, there), *back = rewrap_new(there, site);

    for (size_t i = 0; i < KLM_COUNT(specs); i++) {
        struct kr_key *key = NULL, *again = NULL;
        struct klm_slice token = token_of(site, "A.LABEL", specs[i], &key);

        token = rewrapped(out, "A.LABEL", token);
        CHECK_RC(kr_token_open(site, "A.LABEL", token, &again), KLM_E_WRONGKEY);
        token = rewrapped(back, "A.LABEL", token);
        REQUIRE_OK(kr_token_open(site, "A.LABEL", token, &again));
        CHECK(kr_key_pkey(key) ? EVP_PKEY_eq(kr_key_pkey(key), kr_key_pkey(again)) == 1
                               : kr_key_same(key, again));
        CHECK_INT(kr_key_spec(again).bits, specs[i].bits);
        kr_key_free(&key);
        kr_key_free(&again);
    }
    kr_rewrap_free(&out);
    kr_rewrap_free(&back);
    kr_master_free(&site);
    kr_master_free(&there);
}

TEST(plain_python_opens_what_comes_out_the_second_token_of_a_run_too)
{
    static const char key[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_rewrap *out = rewrap_new(site, there), *back = rewrap_new(there, site);
    const struct klm_slice golden = load(GOLDEN "token-aes256.bin");

    for (int i = 0; i < 2; i++) {
        const struct klm_slice token =
            rewrapped(back, "AES.KEY", rewrapped(out, "AES.KEY", golden));

        CHECK_STR(python_opens(token, "AES.KEY"), key);
    }
    kr_rewrap_free(&out);
    kr_rewrap_free(&back);
    kr_master_free(&site);
    kr_master_free(&there);
}

static int by_nonce(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

TEST(a_run_shares_its_salt_and_no_nonce_and_the_next_run_has_another_salt)
{
    enum { MORE = KR_REWRAP_RUN + 2 };
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_rewrap *rewrap = rewrap_new(site, there), *second = rewrap_new(site, there);
    struct kr_key *key = NULL;
    const struct klm_slice token = token_of(site, "L", (struct kr_spec){KR_AES, 256}, &key);
    const struct klm_slice first = rewrapped(rewrap, "L", token);
    uint8_t *nonces = calloc(MORE, 12);
    struct klm_buf buf;
    size_t n = 0, others = 0;

    REQUIRE(nonces != NULL);
    klm_buf_init(&buf, 65536);
    memcpy(nonces + 12 * n++, first.p + AT_NONCE, 12);
    for (int i = 1; i < MORE; i++) {
        klm_buf_clear(&buf);
        REQUIRE_OK(kr_rewrap_token(rewrap, "L", token, &buf));
        if (same_salt(klm_buf_as_slice(&buf), first)) {
            memcpy(nonces + 12 * n++, buf.p + AT_NONCE, 12);
        } else {
            others++;
        }
    }
    CHECK_INT(n, KR_REWRAP_RUN);
    CHECK_INT(others, MORE - KR_REWRAP_RUN);
    qsort(nonces, n, 12, by_nonce);
    for (size_t i = 1; i < n; i++) {
        REQUIRE(by_nonce(nonces + 12 * (i - 1), nonces + 12 * i) != 0);
    }
    CHECK(!same_salt(rewrapped(second, "L", token), first)); /* another thread or process */
    free(nonces);
    klm_buf_done(&buf);
    kr_key_free(&key);
    kr_rewrap_free(&rewrap);
    kr_rewrap_free(&second);
    kr_master_free(&site);
    kr_master_free(&there);
}

TEST(what_does_not_open_leaves_nothing_and_disturbs_no_token_after_it)
{
    struct kr_master *site = master_of(0), *there = master_of(1), *third = master_of(2);
    struct kr_rewrap *rewrap = rewrap_new(site, there);
    struct kr_key *key = NULL, *again = NULL, *strange = NULL;
    const struct klm_slice good = token_of(site, "L", (struct kr_spec){KR_AES, 256}, &key);
    const struct klm_slice other = token_of(third, "L", (struct kr_spec){KR_AES, 256}, &strange);
    uint8_t *bad = copy_of(good);
    struct klm_buf buf;

    klm_buf_init(&buf, 65536);
    klm_buf_text(&buf, "before");
    bad[good.n - 1] ^= 1;
    CHECK_RC(kr_rewrap_token(rewrap, "L", KLM_SLICE(bad, good.n), &buf), KLM_E_CORRUPT);
    CHECK_RC(kr_rewrap_token(rewrap, "M", good, &buf), KLM_E_CORRUPT);
    CHECK_RC(kr_rewrap_token(rewrap, "L", KLM_SLICE(good.p, good.n - 1), &buf), KLM_E_CORRUPT);
    CHECK_RC(kr_rewrap_token(rewrap, "L", other, &buf), KLM_E_WRONGKEY);
    CHECK_RC(kr_rewrap_token(rewrap, "", good, &buf), KLM_E_INVALID);
    bad[good.n - 1] ^= 1;
    bad[AT_NONCE] ^= 1;
    CHECK_RC(kr_rewrap_token(rewrap, "L", KLM_SLICE(bad, good.n), &buf), KLM_E_CORRUPT);
    bad[AT_NONCE] ^= 1;
    bad[AT_SALT] ^= 1;
    CHECK_RC(kr_rewrap_token(rewrap, "L", KLM_SLICE(bad, good.n), &buf), KLM_E_CORRUPT);
    CHECK_INT(buf.n, 6);
    REQUIRE_OK(kr_token_open(there, "L", rewrapped(rewrap, "L", good), &again));
    CHECK(kr_key_same(key, again));
    klm_buf_done(&buf);
    kr_key_free(&key);
    kr_key_free(&again);
    kr_key_free(&strange);
    kr_rewrap_free(&rewrap);
    kr_master_free(&site);
    kr_master_free(&there);
    kr_master_free(&third);
}

/* Larger than what is kept for clear forms. */
TEST(the_largest_material_goes_through)
{
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_rewrap *rewrap = rewrap_new(site, there);
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_OpaqueObject};
    static const size_t sizes[] = {4000, 4096, 5000, KR_MATERIAL_MAX};
    static uint8_t bytes[KR_MATERIAL_MAX];

    memset(bytes, 0x5a, sizeof bytes);
    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        struct kr_material *material = NULL, *again = NULL;
        struct klm_buf buf;
        struct klm_slice token;

        klm_buf_init(&buf, ST_RECORD_MAX);
        REQUIRE_OK(kr_material_new(&spec, KLM_SLICE(bytes, sizes[i]), &material));
        REQUIRE_OK(kr_material_seal(site, "KMIP.x", material, &buf));
        token = rewrapped(rewrap, "KMIP.x", kept(&buf));
        REQUIRE_OK(kr_material_open(there, "KMIP.x", token, &again));
        CHECK(kr_material_is(again, KLM_SLICE(bytes, sizes[i])));
        klm_buf_done(&buf);
        kr_material_free(&material);
        kr_material_free(&again);
    }
    kr_rewrap_free(&rewrap);
    kr_master_free(&site);
    kr_master_free(&there);
}
