/* The key of a backup: password slots, chunks, tokens that are wrapped anew. */
#include "keyring/backup.h"
#include "keyring/help.h"

#define CHEAP ((struct kr_scrypt){10, 8, 1})
#define S(text) klm_slice_str(text)

static const uint8_t id[16] = "0123456789abcde";

static struct kr_backup *fresh(void)
{
    struct kr_backup *key = NULL;

    REQUIRE_OK(kr_backup_new(&key));
    return key;
}

static struct klm_slice slot(const struct kr_backup *key, const char *password)
{
    const struct kr_scrypt cost = CHEAP;
    struct klm_slice out;
    struct klm_buf buf;

    klm_buf_init(&buf, KR_SLOT_MAX);
    REQUIRE_OK(kr_slot_password(key, id, &cost, S(password), &buf));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

static bool same_key(const struct kr_backup *a, const struct kr_backup *b)
{
    uint8_t x[32], y[32];

    REQUIRE_OK(kr_backup_mac(a, S("header"), x));
    REQUIRE_OK(kr_backup_mac(b, S("header"), y));
    return memcmp(x, y, sizeof x) == 0;
}

TEST(a_slot_opens_with_its_password_and_no_other)
{
    struct kr_backup *key = fresh(), *opened = NULL;
    struct klm_slice body = slot(key, "correct horse");
    uint8_t other[16] = "another backup";

    REQUIRE_OK(kr_slot_open_password(body, id, S("correct horse"), &opened));
    CHECK(same_key(key, opened));
    kr_backup_free(&opened);
    CHECK_RC(kr_slot_open_password(body, id, S("correct Horse"), &opened), KLM_E_WRONGKEY);
    CHECK_RC(kr_slot_open_password(body, id, S(""), &opened), KLM_E_WRONGKEY);
    CHECK_RC(kr_slot_open_password(body, other, S("correct horse"), &opened), KLM_E_WRONGKEY);
    CHECK(opened == NULL);
    kr_backup_free(&key);
}

/* Written by hand from BACKUP.md: version, token, serial number, key, 8 bytes that tell it, 60 sealed bytes. */
static size_t token_slot(uint8_t *out, const char *token, const char *serial, const char *object)
{
    const char *names[] = {token, serial, object};
    size_t n = 0;

    out[n++] = 1;
    for (size_t i = 0; i < 3; i++) {
        out[n++] = (uint8_t)strlen(names[i]);
        memcpy(out + n, names[i], strlen(names[i]));
        n += strlen(names[i]);
    }
    memset(out + n, 0x5a, 8 + 60);
    return n + 8 + 60;
}

TEST(a_token_slot_names_its_token_by_label_and_serial_number_and_nothing_else_is_one)
{
    uint8_t body[KR_SLOT_MAX];
    size_t n = token_slot(body, "SAFE", "0123456789abcdef", "backup.key");
    struct p11_uri names = {.token = ""};

    REQUIRE_OK(kr_slot_token_names(KLM_SLICE(body, n), &names));
    CHECK_STR(names.token, "SAFE");
    CHECK_STR(names.serial, "0123456789abcdef");
    CHECK_STR(names.object, "backup.key");
    for (size_t cut = 0; cut < n; cut++) {
        CHECK_RC(kr_slot_token_names(KLM_SLICE(body, cut), &names), KLM_E_CORRUPT);
    }
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n + 1), &names), KLM_E_CORRUPT);
    body[0] = 2;
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n), &names), KLM_E_CORRUPT);
    n = token_slot(body, "SAFE", "0123456789abcdef0", "k");
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n), &names), KLM_E_CORRUPT);
    n = token_slot(body, "", "1", "k");
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n), &names), KLM_E_CORRUPT);
    n = token_slot(body, "SA\nFE", "1", "k");
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n), &names), KLM_E_CORRUPT);
    n = token_slot(body, "SAFE", "", "k");
    CHECK_RC(kr_slot_token_names(KLM_SLICE(body, n), &names), KLM_OK);
}

TEST(a_slot_that_was_cut_or_grown_is_damage_and_one_that_was_changed_does_not_open)
{
    struct kr_backup *key = fresh(), *opened = NULL;
    struct klm_slice body = slot(key, "correct horse");
    uint8_t *longer = copy_of(body);

    for (size_t n = 0; n < body.n; n++) {
        CHECK_RC(kr_slot_open_password(KLM_SLICE(body.p, n), id, S("correct horse"), &opened),
                 KLM_E_CORRUPT);
    }
    CHECK_RC(kr_slot_open_password(KLM_SLICE(longer, body.n + 1), id, S("correct horse"), &opened),
             KLM_E_CORRUPT);
    for (size_t i = 9; i < body.n; i += 5) {
        longer[i] ^= 1;
        CHECK_RC(kr_slot_open_password(KLM_SLICE(longer, body.n), id, S("correct horse"), &opened),
                 KLM_E_WRONGKEY);
        longer[i] ^= 1;
    }
    CHECK(opened == NULL);
    kr_backup_free(&key);
}

TEST(costs_that_would_take_the_machine_are_refused_before_they_do)
{
    static const struct kr_scrypt hostile[] = {{9, 8, 1},  {21, 8, 1},  {17, 0, 1},  {17, 33, 1},
                                               {17, 8, 0}, {17, 8, 17}, {20, 32, 1}, {255, 8, 1}};
    struct kr_backup *key = fresh(), *opened = NULL;
    uint8_t *body = copy_of(slot(key, "correct horse"));
    const size_t n = slot(key, "correct horse").n;
    struct klm_buf buf;

    klm_buf_init(&buf, KR_SLOT_MAX);
    for (size_t i = 0; i < KLM_COUNT(hostile); i++) {
        CHECK_RC(kr_slot_password(key, id, &hostile[i], S("correct horse"), &buf), KLM_E_LIMIT);
        body[0] = (uint8_t)hostile[i].log_n;
        body[4] = (uint8_t)hostile[i].r;
        body[8] = (uint8_t)hostile[i].p;
        CHECK_RC(kr_slot_open_password(KLM_SLICE(body, n), id, S("correct horse"), &opened),
                 KLM_E_LIMIT);
    }
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
    kr_backup_free(&key);
}

TEST(short_and_long_passwords_are_refused)
{
    const struct kr_scrypt cost = CHEAP;
    struct kr_backup *key = fresh();
    static char longest[KR_PASSWORD_MOST + 1];
    struct klm_buf buf;

    memset(longest, 'x', sizeof longest);
    klm_buf_init(&buf, KR_SLOT_MAX);
    CHECK_RC(kr_slot_password(key, id, &cost, S("1234567"), &buf), KLM_E_LIMIT);
    CHECK_RC(kr_slot_password(key, id, &cost, KLM_SLICE(longest, sizeof longest), &buf),
             KLM_E_LIMIT);
    CHECK_RC(kr_slot_password(key, id, &cost, S("12345678"), &buf), KLM_OK);
    klm_buf_done(&buf);
    kr_backup_free(&key);
}

/* ---- Chunks */

#define CHUNK 100
struct sealed {
    uint8_t bytes[3][KR_CHUNK_HEAD + CHUNK + KR_CHUNK_TAG];
};

static void seal_three(const struct kr_backup *key, struct sealed *out)
{
    struct kr_chunks *chunks = NULL;
    uint8_t plain[CHUNK];

    REQUIRE_OK(kr_chunks_new(key, true, &chunks));
    for (uint8_t i = 0; i < 3; i++) {
        memset(plain, i, sizeof plain);
        REQUIRE_OK(kr_chunk_seal(chunks, KLM_SLICE(plain, CHUNK), i == 2, out->bytes[i]));
    }
    CHECK_RC(kr_chunk_seal(chunks, KLM_SLICE(plain, CHUNK), true, out->bytes[2]), KLM_E_STATE);
    kr_chunks_free(&chunks);
}

/* Open these chunks in this order; the first outcome that is not KLM_OK. */
static klm_rc open_these(const struct kr_backup *key, const struct sealed *in, const int *order,
                         size_t n)
{
    struct kr_chunks *chunks = NULL;
    uint8_t plain[CHUNK];
    klm_rc rc = KLM_OK;

    REQUIRE_OK(kr_chunks_new(key, false, &chunks));
    for (size_t i = 0; i < n && rc == KLM_OK; i++) {
        const uint8_t *p = in->bytes[order[i]];
        bool last;

        CHECK_INT(kr_chunk_size(p, &last), CHUNK);
        CHECK(last == (order[i] == 2));
        rc = kr_chunk_open(chunks, p, KLM_SLICE(p + KR_CHUNK_HEAD, CHUNK + KR_CHUNK_TAG), plain);
        if (rc == KLM_OK) {
            CHECK_INT(plain[CHUNK - 1], order[i]);
        }
    }
    kr_chunks_free(&chunks);
    return rc;
}
#define OPEN(key, in, ...)                                                                         \
    open_these(key, in, (const int[]){__VA_ARGS__},                                                \
               sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

TEST(chunks_open_in_their_order_only)
{
    struct kr_backup *key = fresh(), *other = fresh();
    struct sealed in;

    seal_three(key, &in);
    CHECK_RC(OPEN(key, &in, 0, 1, 2), KLM_OK);
    CHECK_RC(OPEN(key, &in, 1), KLM_E_CORRUPT);        /* the first is missing */
    CHECK_RC(OPEN(key, &in, 0, 0), KLM_E_CORRUPT);     /* one is doubled */
    CHECK_RC(OPEN(key, &in, 0, 2), KLM_E_CORRUPT);     /* one is missing */
    CHECK_RC(OPEN(key, &in, 0, 1, 2, 2), KLM_E_STATE); /* behind the last */
    CHECK_RC(OPEN(other, &in, 0), KLM_E_CORRUPT);      /* another backup's key */
    kr_backup_free(&key);
    kr_backup_free(&other);
}

TEST(a_chunk_that_was_changed_anywhere_does_not_open)
{
    struct kr_backup *key = fresh();
    struct sealed in;
    struct kr_chunks *chunks = NULL;
    uint8_t plain[CHUNK + 1];

    seal_three(key, &in);
    for (size_t i = 0; i < sizeof in.bytes[0]; i++) {
        uint8_t *p = in.bytes[0];

        p[i] ^= 0x80;
        REQUIRE_OK(kr_chunks_new(key, false, &chunks));
        CHECK_RC(
            kr_chunk_open(chunks, p, KLM_SLICE(p + KR_CHUNK_HEAD, CHUNK + KR_CHUNK_TAG), plain),
            KLM_E_CORRUPT);
        CHECK_RC(kr_chunk_open(chunks, p, KLM_SLICE(p + KR_CHUNK_HEAD, CHUNK), plain),
                 KLM_E_CORRUPT);
        kr_chunks_free(&chunks);
        p[i] ^= 0x80;
    }
    kr_backup_free(&key);
}

/* ---- Tokens */

TEST(a_token_goes_from_one_master_key_to_another_and_holds_the_same_key)
{
    static const struct kr_spec specs[] = {{KR_AES, 256}, {KR_EC, 256}, {KR_RSA, 1024}};
    struct kr_master *site = master_of(0), *there = master_of(1), *tokens = NULL;
    struct kr_backup *key = fresh();

    REQUIRE_OK(kr_backup_master(key, &tokens));
    for (size_t i = 0; i < KLM_COUNT(specs); i++) {
        struct kr_key *made = NULL, *back = NULL;
        struct klm_buf a, b, c;
        uint8_t session[32] = {1}, x[40], y[40];

        klm_buf_init(&a, 65536);
        klm_buf_init(&b, 65536);
        klm_buf_init(&c, 65536);
        REQUIRE_OK(kr_key_generate(&specs[i], &made));
        REQUIRE_OK(kr_token_seal(site, "LABEL1", made, &a));
        REQUIRE_OK(kr_token_rewrap(site, tokens, "LABEL1", klm_buf_as_slice(&a), &b));
        REQUIRE_OK(kr_token_rewrap(tokens, there, "LABEL1", klm_buf_as_slice(&b), &c));
        REQUIRE_OK(kr_token_open(there, "LABEL1", klm_buf_as_slice(&c), &back));
        CHECK_INT(kr_key_spec(back).bits, specs[i].bits);
        if (specs[i].type == KR_AES) {
            REQUIRE_OK(kr_wrap_session(made, session, x));
            REQUIRE_OK(kr_wrap_session(back, session, y));
            CHECK_MEM(x, y, sizeof x);
        }
        kr_key_free(&made);
        kr_key_free(&back);
        klm_buf_done(&a);
        klm_buf_done(&b);
        klm_buf_done(&c);
    }
    kr_master_free(&site);
    kr_master_free(&there);
    kr_master_free(&tokens);
    kr_backup_free(&key);
}

TEST(a_token_that_does_not_open_is_not_wrapped_anew_and_leaves_nothing)
{
    const struct kr_spec aes = {KR_AES, 256};
    struct kr_master *site = master_of(0), *there = master_of(1);
    struct kr_key *made = NULL;
    struct klm_buf a, b;

    klm_buf_init(&a, 65536);
    klm_buf_init(&b, 65536);
    REQUIRE_OK(kr_key_generate(&aes, &made));
    REQUIRE_OK(kr_token_seal(site, "LABEL1", made, &a));
    klm_buf_text(&b, "before");
    CHECK_RC(kr_token_rewrap(there, site, "LABEL1", klm_buf_as_slice(&a), &b), KLM_E_WRONGKEY);
    CHECK_RC(kr_token_rewrap(site, there, "LABEL2", klm_buf_as_slice(&a), &b), KLM_E_CORRUPT);
    a.p[a.n - 1] ^= 1;
    CHECK_RC(kr_token_rewrap(site, there, "LABEL1", klm_buf_as_slice(&a), &b), KLM_E_CORRUPT);
    CHECK_INT(b.n, 6);
    kr_key_free(&made);
    kr_master_free(&site);
    kr_master_free(&there);
    klm_buf_done(&a);
    klm_buf_done(&b);
}
