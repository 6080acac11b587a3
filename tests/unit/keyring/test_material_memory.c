/* Secret memory is a fixed reserve: when it is used up, that is said, and nothing is left behind. */
#include "matter.h"

#include "base/secret.h"

#define TAKEN_MAX 4096

static struct {
    void *p;
    size_t n;
} taken[TAKEN_MAX];
static size_t taken_n;

/* Take all of it, in pieces of a size and then of smaller ones. */
static void take_all(void)
{
    for (size_t size = 1 << 20; size >= 16; size /= 2) {
        void *p;

        while (taken_n < TAKEN_MAX && (p = klm_secret_alloc(size)) != NULL) {
            taken[taken_n].p = p;
            taken[taken_n++].n = size;
        }
    }
}

/* Give back the last pieces, which are the smallest, until so many bytes are free. */
static void give_back(size_t n)
{
    while (taken_n > 0 && n > 0) {
        taken_n--;
        klm_secret_free(taken[taken_n].p, taken[taken_n].n);
        n = n > taken[taken_n].n ? n - taken[taken_n].n : 0;
    }
}

static size_t used(void)
{
    size_t in_use, reserved;

    klm_secret_usage(&in_use, &reserved);
    return in_use;
}

/* ---- What may fail. Each leaves nothing when it does. */

static struct forms rsa, ec;
static struct kr_material *secret, *key;
static struct kr_master *master;
static struct klm_slice token;

static klm_rc take_rsa(void)
{
    struct kr_material *material = NULL;
    const klm_rc rc =
        kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY, .format = FORMAT(PKCS_1)},
                        rsa.pkcs1, &material);

    kr_material_free(&material);
    return rc;
}

static klm_rc take_ec(void)
{
    struct kr_material *material = NULL;
    const klm_rc rc =
        kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY, .format = FORMAT(PKCS_8)},
                        ec.pkcs8, &material);

    kr_material_free(&material);
    return rc;
}

static klm_rc convert(void)
{
    struct kr_material *to = NULL;
    const klm_rc rc = kr_material_convert(secret, FORMAT(TransparentRSAPrivateKey), 0, &to);

    kr_material_free(&to);
    return rc;
}

static klm_rc generate(void)
{
    struct kr_material *material = NULL;
    const klm_rc rc = kr_material_generate(ALG(AES), 256, &material);

    kr_material_free(&material);
    return rc;
}

static klm_rc seal(void)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_material_seal(master, "L", key, &buf);
    klm_buf_done(&buf);
    return rc;
}

static klm_rc open_token(void)
{
    struct kr_material *material = NULL;
    const klm_rc rc = kr_material_open(master, "L", token, &material);

    kr_material_free(&material);
    return rc;
}

static klm_rc unwrap(void)
{
    uint8_t data[256] = {1};
    struct klm_slice out;

    return kr_material_unwrap(secret,
                              &(struct kr_wrap_how){.padding = KMIP_PaddingMethod_PKCS1V1_5},
                              KLM_SLICE(data, sizeof data), test_pool(), &out);
}

static const struct {
    const char *name;
    klm_rc (*run)(void);
} runs[] = {{"take_rsa", take_rsa}, {"take_ec", take_ec}, {"convert", convert},
            {"generate", generate}, {"seal", seal},       {"open", open_token},
            {"unwrap", unwrap}};

static void prepare(void)
{
    struct klm_buf buf;

    rsa = rsa_forms("2048");
    ec = ec_forms("secp384r1");
    secret = material_of(PRIVATE_KEY, FORMAT(PKCS_8), rsa.pkcs8);
    key = symmetric_of(ALG(AES), "0123456789abcdef", 16);
    master = master_of(0);
    klm_buf_init(&buf, ST_RECORD_MAX);
    REQUIRE_OK(kr_material_seal(master, "L", key, &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &token));
    klm_buf_done(&buf);
    for (size_t i = 0; i < KLM_COUNT(runs); i++) {
        REQUIRE_OK(runs[i].run()); /* and what is made once is there */
    }
}

TEST(secret_memory_that_is_used_up_is_told_and_nothing_is_left_of_what_failed)
{
    size_t before, succeeded = 0;

    prepare();
    before = used();
    for (size_t free_bytes = 0; free_bytes < 40000; free_bytes += free_bytes < 2000 ? 112 : 1776) {
        for (size_t i = 0; i < KLM_COUNT(runs); i++) {
            klm_rc rc;
            size_t full;

            take_all();
            give_back(free_bytes);
            full = used();
            rc = runs[i].run();
            if (rc != KLM_OK && rc != KLM_E_NOMEM) {
                fprintf(stderr, "# %s with %zu bytes: %s\n", runs[i].name, free_bytes,
                        klm_rc_name(rc));
            }
            CHECK(rc == KLM_OK || rc == KLM_E_NOMEM);
            CHECK(free_bytes > 0 || rc == KLM_E_NOMEM);
            CHECK_INT(used(), full);
            succeeded += rc == KLM_OK;
            give_back(SIZE_MAX);
        }
    }
    CHECK(succeeded > 0);
    CHECK_INT(used(), before);
    for (size_t i = 0; i < KLM_COUNT(runs); i++) {
        CHECK_RC(runs[i].run(), KLM_OK); /* as if nothing had been */
    }
    kr_material_free(&secret);
    kr_material_free(&key);
    kr_master_free(&master);
}

TEST(material_takes_no_more_secret_memory_than_it_needs)
{
    const size_t before = used();
    struct kr_material *material = symmetric_of(ALG(AES), "0123456789abcdef", 16);

    CHECK(used() - before <= 16);
    kr_material_free(&material);
    material = material_of(KMIP_ObjectType_PrivateKey, FORMAT(Opaque), KLM_SLICE("0123456", 7));
    CHECK(used() - before <= 16);
    kr_material_free(&material);
    CHECK_INT(used(), before);
}
