/* Keys: what can be made, and that nothing else can. */
#include "help.h"

static klm_rc generate(enum kr_type type, unsigned bits, struct kr_spec *spec)
{
    struct kr_key *key = NULL;
    klm_rc rc = kr_key_generate(&(struct kr_spec){type, bits}, &key);

    if (rc == KLM_OK) {
        *spec = kr_key_spec(key);
        CHECK((kr_key_pkey(key) == NULL) == (type == KR_AES));
    } else {
        CHECK(key == NULL);
    }
    kr_key_free(&key);
    CHECK(key == NULL);
    return rc;
}

TEST(keys_of_every_kind_are_made)
{
    static const struct kr_spec kinds[] = {{KR_AES, 128},  {KR_AES, 192},  {KR_AES, 256},
                                           {KR_RSA, 1024}, {KR_RSA, 2048}, {KR_EC, 256},
                                           {KR_EC, 384}};

    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        struct kr_spec spec = {0};

        CHECK_RC(generate(kinds[i].type, kinds[i].bits, &spec), KLM_OK);
        CHECK_INT(spec.type, kinds[i].type);
        CHECK_INT(spec.bits, kinds[i].bits);
    }
}

TEST(other_sizes_are_refused)
{
    static const struct kr_spec kinds[] = {
        {KR_AES, 0},    {KR_AES, 64},   {KR_AES, 257},  {KR_RSA, 512}, {KR_RSA, 1016},
        {KR_RSA, 4104}, {KR_RSA, 8192}, {KR_RSA, 2049}, {KR_EC, 224},  {KR_EC, 521}};
    struct kr_spec spec;

    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        CHECK_RC(generate(kinds[i].type, kinds[i].bits, &spec), KLM_E_LIMIT);
    }
    CHECK_RC(generate((enum kr_type)9, 256, &spec), KLM_E_INVALID);
}

TEST(a_key_lives_as_long_as_somebody_holds_it)
{
    struct kr_key *key = NULL, *other;

    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    other = kr_key_ref(key);
    kr_key_free(&key);
    CHECK(key == NULL);
    CHECK_INT(kr_key_spec(other).bits, 256);
    kr_key_free(&other);
    kr_key_free(&other);
    kr_key_free(NULL);
}
