/* Key tokens on their way into a backup: all come out, in order, whoever opened and sealed them; those that cannot be opened are named. */
#include "keyring/help.h"

#include "backup/tokens.h"
#include "keyring/token.h"

#include <stdio.h>

#define MANY 3000 /* more than are under way at a time */

struct heard {
    const struct kr_master *there;
    struct kr_key *key; /* what each token holds; NULL: not looked at */
    size_t n, wrong, damaged, references;
    size_t last; /* at which put refuses; 0: never */
};

static void label_of(size_t number, char out[16])
{
    snprintf(out, 16, "L%06zu", number);
}

static bool holds(const struct heard *heard, const char *label, struct klm_slice token)
{
    struct kr_key *key = NULL;
    bool same = kr_token_open(heard->there, label, token, &key) == KLM_OK;

    if (same && kr_key_pkey(key)) {
        same = EVP_PKEY_eq(kr_key_pkey(heard->key), kr_key_pkey(key)) == 1;
    } else if (same) {
        same = kr_key_same(heard->key, key);
    }
    kr_key_free(&key);
    return same;
}

static klm_rc take(void *arg, const struct bk_record *record, klm_rc how)
{
    struct heard *heard = arg;
    char label[16];

    label_of(heard->n++, label);
    heard->wrong += !klm_slice_equal(record->key, klm_slice_str(label));
    if (how != KLM_OK) {
        heard->damaged += how == KLM_E_CORRUPT;
    } else if (record->form == BK_REFERENCE) {
        heard->references++;
    } else if (heard->key) {
        heard->wrong += record->form != BK_TOKEN || !holds(heard, label, record->record);
    }
    return heard->n == heard->last ? KLM_E_NOSPACE : KLM_OK;
}

static struct bk_tokens *begin(const struct kr_master *site, struct heard *heard)
{
    struct bk_tokens *tokens = NULL;

    REQUIRE_OK(bk_tokens_new(site, heard->there, take, heard, &tokens));
    return tokens;
}

/* The token of a label, sealed into out. */
static struct klm_slice sealed(const struct kr_master *site, const char *label,
                               const struct kr_key *key, struct klm_buf *out)
{
    klm_buf_clear(out);
    REQUIRE_OK(kr_token_seal(site, label, key, out));
    return klm_buf_as_slice(out);
}

static struct kr_key *key_of(enum kr_type type, unsigned bits)
{
    const struct kr_spec spec = {type, bits};
    struct kr_key *key = NULL;

    REQUIRE_OK(kr_key_generate(&spec, &key));
    return key;
}

/* Every seventh is damaged. */
static klm_rc add_many(struct bk_tokens *tokens, const struct kr_master *site,
                       const struct kr_key *key, bool damage)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, ST_RECORD_MAX);
    for (size_t i = 0; i < MANY; i++) {
        struct klm_slice token;
        char label[16];

        label_of(i, label);
        token = sealed(site, label, key, &buf);
        if (damage && i % 7 == 0) {
            buf.p[buf.n - 1] ^= 1;
        }
        KLM_TRY(bk_tokens_add(tokens, klm_slice_str(label), token));
    }
    return bk_tokens_flush(tokens);
}

TEST(tokens_come_out_in_order_under_the_other_master_key)
{
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct heard heard = {.there = there, .key = key_of(KR_AES, 256)};
    struct bk_tokens *tokens = begin(site, &heard);

    CHECK_RC(add_many(tokens, site, heard.key, true), KLM_OK);
    CHECK_INT(heard.n, MANY);
    CHECK_INT(heard.wrong, 0);
    CHECK_INT(heard.damaged, (MANY + 6) / 7);
    CHECK_RC(bk_tokens_flush(tokens), KLM_OK); /* nothing is left */
    CHECK_INT(heard.n, MANY);
    bk_tokens_free(&tokens);
    kr_key_free(&heard.key);
    kr_master_free(&site);
    kr_master_free(&there);
}

static struct klm_slice reference(struct klm_buf *out)
{
    static const uint8_t none[KR_TOKEN_SALT + KR_TOKEN_NONCE];
    const struct kr_token_head head = {KR_ALG_REFERENCE, {KR_RSA, 2048}, none, none, 5};

    klm_buf_clear(out);
    REQUIRE_OK(kr_token_put_head(&head, out));
    klm_buf_put(out, "token", 5);
    REQUIRE(kr_token_refers(klm_buf_as_slice(out)));
    return klm_buf_as_slice(out);
}

/* What stands between two tokens stays between them, however long it is. */
TEST(long_tokens_and_such_that_only_name_a_key_keep_their_place)
{
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct heard heard = {.there = there, .key = key_of(KR_RSA, 2048)};
    struct bk_tokens *tokens = begin(site, &heard);
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    size_t references = 0;

    klm_buf_init(&buf, ST_RECORD_MAX);
    for (size_t i = 0; i < 700; i++) {
        struct klm_slice token;
        char label[16];

        label_of(i, label);
        references += i % 5 == 3;
        token = i % 5 == 3 ? reference(&buf) : sealed(site, label, heard.key, &buf);
        REQUIRE_OK(bk_tokens_add(tokens, klm_slice_str(label), token));
    }
    CHECK_RC(bk_tokens_flush(tokens), KLM_OK);
    CHECK_INT(heard.n, 700);
    CHECK_INT(heard.wrong, 0);
    CHECK_INT(heard.references, references);
    bk_tokens_free(&tokens);
    kr_key_free(&heard.key);
    kr_master_free(&site);
    kr_master_free(&there);
}

TEST(the_work_ends_when_one_is_refused)
{
    static const size_t at[] = {1, 300, 2000, MANY};
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_key *key = key_of(KR_AES, 256);

    for (size_t i = 0; i < KLM_COUNT(at); i++) {
        struct heard heard = {.there = there, .last = at[i]};
        struct bk_tokens *tokens = begin(site, &heard);

        CHECK_RC(add_many(tokens, site, key, false), KLM_E_NOSPACE);
        CHECK_INT(heard.n, at[i]);
        bk_tokens_free(&tokens); /* with others under way */
    }
    kr_key_free(&key);
    kr_master_free(&site);
    kr_master_free(&there);
}

TEST(labels_that_no_token_can_have_are_damage)
{
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct heard heard = {.there = there};
    struct bk_tokens *tokens = begin(site, &heard);
    static const uint8_t label[KR_TOKEN_LABEL_MAX + 1] = {'L'};

    REQUIRE_OK(bk_tokens_add(tokens, KLM_SLICE(label, sizeof label), klm_slice_str("no token")));
    REQUIRE_OK(bk_tokens_add(tokens, klm_slice_str("L"), klm_slice_str("no token")));
    CHECK_RC(bk_tokens_flush(tokens), KLM_OK);
    CHECK_INT(heard.n, 2);
    CHECK_INT(heard.damaged, 2);
    bk_tokens_free(&tokens);
    kr_master_free(&site);
    kr_master_free(&there);
}
