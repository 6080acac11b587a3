/* Cryptographic operations under fixed keys, with parameters, IVs, additional data, tags, signatures and data of any kind. What was encrypted decrypts to the same; a stream cut somewhere
 * gives what one go gave; what was signed is valid; and a failure leaves nothing behind.
 * Input: kind of operation, key, then fields as below, then IV, additional data and tag, each after its length, then the data. */
#include "base/buf.h"
#include "keyring/crypto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Private keys of tests/golden/keyring/crypto.txt, PKCS #8. */
#define RSA_HEX                                                                                    \
    "30820277020100300d06092a864886f70d0101010500048202613082025d02010002818100b358786aaa7461d845" \
    "f5708d7b25982d127fe064800a10"                                                                 \
    "11a93230c2ac1cc7932f9ef0af538d144ee9b73ca21ee110f558e0baf437403babef6592a93243f4853a45012710" \
    "e55ed17861092174c255f8225d68"                                                                 \
    "3c8e31863bfaea6d4e7957e119deeb12191aa5d58edd18cb74c9eb35dec0582e146a48ca271dfb230fe5f2f79b02" \
    "0301000102818100ada69bf1abd9"                                                                 \
    "c463845982017b9b8b1d192c7838d740e70e32a54651381525a87e1387383bcdfe3bea5061851821142a7b441dc1" \
    "193e3888e1e3977dfc0d90535020"                                                                 \
    "c212fa754b4c7d8c4fca5257c891f7fe25eb1cb88297107290f9f806094446607710a9fcc47fa5eadd76796f1ddf" \
    "56a3503237315215da3a070044e0"                                                                 \
    "a901024100dfe0d45d55560cd207034d8a6bb64e5c20cb85c0c001987465dc07c6d3b66b9bddece62473f1360adf" \
    "e15d8d6d82c9b79d51a8b1184835"                                                                 \
    "b4b71dbfd169b97525024100cd13ee9cd21e564036c8f5769f90e432880635b6cad0ea7d46449c9a9686bb08b86b" \
    "c9208a3ffd6240b1278a518a8a0b"                                                                 \
    "8e6c7af92c29986b828e8116ace3fdbf0241008ea3354a9de32c59e843ef7460ba0f64dd342e6ca7289d14940d43" \
    "1b27aa531744a6f9de81cc4e0d51"                                                                 \
    "a4c9b120f3b2477d4118c4745f1570a5369c0ef55846cd02403d5aa43da8a348dca7475220ae3673ff2630ed6b05" \
    "9ca13adf85f170526e7690725454"                                                                 \
    "f4f64794b00b78b4c2ae088baa4f6ee70f9b05cac3076948f796bc1313024044a718b1af3b327e023f892611f927" \
    "dad777471bbf023dc2bb9e76f6b2"                                                                 \
    "445f390b6b82a7b7b077001c7e7f88c114faa89c0f4f328d53f198e98bfc726a89a31b"
#define EC_HEX                                                                                     \
    "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420f4396ac6ba0a0e296e47" \
    "f4e9895e2fc1fb08a6cc966dcd07"                                                                 \
    "1fb40957889c1f60a14403420004ae15bf7af962fe0f73af1a23da4f3f39990401a6bb0695b5b0032f528ac71e3f" \
    "f0d7614205b4210678ae6cbc1950"                                                                 \
    "19ca03f2c49ac8b6df1a2cac406b6ee3b52b"
#define ED_HEX                                                                                     \
    "302e020100300506032b6570042204205e4d8710d2015224dd453ab5a98e1f0c00ee0ca2516c1152c16fef9a98e3" \
    "00d1"

static const struct {
    uint32_t algorithm;
    size_t n;        /* bytes of a symmetric key */
    const char *hex; /* of a private key */
} keys[] = {
    {KMIP_CryptographicAlgorithm_AES, 16, NULL},
    {KMIP_CryptographicAlgorithm_AES, 32, NULL},
    {KMIP_CryptographicAlgorithm_AES, 64, NULL},
    {KMIP_CryptographicAlgorithm_DES3, 24, NULL},
    {KMIP_CryptographicAlgorithm_DES3, 16, NULL},
    {KMIP_CryptographicAlgorithm_Camellia, 24, NULL},
    {KMIP_CryptographicAlgorithm_ARIA, 16, NULL},
    {KMIP_CryptographicAlgorithm_SM4, 16, NULL},
    {KMIP_CryptographicAlgorithm_ChaCha20, 32, NULL},
    {KMIP_CryptographicAlgorithm_ChaCha20Poly1305, 32, NULL},
    {KMIP_CryptographicAlgorithm_HMAC_SHA256, 20, NULL},
    {0, 16, NULL},
    {0, 0, RSA_HEX},
    {0, 0, EC_HEX},
    {0, 0, ED_HEX},
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct kr_material *make_key(size_t which)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_SymmetricKey,
                                    .format = KMIP_KeyFormatType_Raw,
                                    .algorithm = keys[which].algorithm};
    uint8_t bytes[1024];
    size_t n = keys[which].n;
    struct kr_material *key = NULL;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
    }
    if (keys[which].hex) {
        spec = (struct kr_material_spec){.object = KMIP_ObjectType_PrivateKey,
                                         .format = KMIP_KeyFormatType_PKCS_8};
        check(klm_unhex(keys[which].hex, bytes, sizeof bytes, &n) == KLM_OK);
    }
    check(kr_material_new(&spec, KLM_SLICE(bytes, n), &key) == KLM_OK);
    return key;
}

/* Made once: they are the same for every input. */
static struct kr_material *key_of(uint8_t which)
{
    static struct kr_material *made[KLM_COUNT(keys)];

    which %= KLM_COUNT(keys);
    if (!made[which]) {
        made[which] = make_key(which);
    }
    return made[which];
}

struct input {
    uint8_t kind;
    struct kr_material *key;
    struct kr_crypt how;
    struct kr_cipher_in in;
    size_t cut;
};

static uint32_t small(struct klm_cur *cur)
{
    uint8_t v;

    klm_cur_u8(cur, &v);
    return v;
}

static bool read_input(struct klm_slice from, struct input *out)
{
    struct klm_cur cur;
    struct kr_crypt *how = &out->how;
    uint8_t which;

    klm_cur_init(&cur, from);
    klm_cur_u8(&cur, &out->kind);
    klm_cur_u8(&cur, &which);
    how->mode = small(&cur);
    how->padding = small(&cur);
    how->hash = small(&cur);
    how->algorithm = small(&cur);
    how->signature = small(&cur);
    how->mask = small(&cur);
    how->mask_hash = small(&cur);
    how->tag_length = small(&cur);
    how->iv_length = small(&cur) * 8;
    how->counter_length = small(&cur);
    how->salt_length = (int64_t)small(&cur) - 1;
    how->initial_counter = (int64_t)small(&cur) - 2;
    how->trailer = small(&cur);
    how->random_iv = small(&cur) & 1;
    out->cut = small(&cur);
    klm_cur_lp8(&cur, 255, &out->in.iv);
    klm_cur_lp8(&cur, 255, &out->in.aad);
    klm_cur_lp8(&cur, 255, &out->in.tag);
    klm_cur_lp8(&cur, 255, &how->p_source);
    klm_cur_bytes(&cur, klm_cur_left(&cur), &out->in.data);
    out->key = key_of(which);
    return klm_cur_rc(&cur) == KLM_OK;
}

/* All that a stream of two parts gives, or how it failed. */
static klm_rc in_parts(enum kr_stream_op op, const struct input *input,
                       const struct kr_cipher_in *in, struct klm_slice to_check,
                       struct klm_pool *pool, struct klm_buf *all, struct kr_cipher_out *end,
                       bool *valid)
{
    size_t cut = input->cut < in->data.n ? input->cut : in->data.n;
    struct kr_stream *s = NULL;
    struct klm_slice iv, part;
    klm_rc rc = kr_stream_new(op, input->key, &input->how, in, pool, &iv, &s);

    check((rc == KLM_OK) == (s != NULL));
    for (int i = 0; rc == KLM_OK && i < 2; i++) {
        rc = kr_stream_update(s,
                              i ? KLM_SLICE(in->data.n ? in->data.p + cut : NULL, in->data.n - cut)
                                : KLM_SLICE(in->data.p, cut),
                              pool, &part);
        if (rc == KLM_OK) {
            klm_buf_slice(all, part);
        }
    }
    if (rc == KLM_OK) {
        rc = kr_stream_final(s, to_check, pool, end, valid);
    }
    if (rc == KLM_OK) {
        klm_buf_slice(all, end->data);
    }
    kr_stream_free(&s);
    return rc;
}

static bool is_private(const struct input *input)
{
    return kr_material_spec(input->key)->object == KMIP_ObjectType_PrivateKey;
}

static void check_same(klm_rc rc, struct klm_slice one, klm_rc again, const struct klm_buf *other)
{
    check(rc == again);
    check(rc != KLM_OK || klm_slice_equal(one, klm_buf_as_slice(other)));
}

static void encrypt(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    struct kr_cipher_in in = input->in, back;
    struct kr_cipher_out out = {0}, end = {0}, clear = {0};
    klm_rc rc = kr_encrypt(input->key, &input->how, &in, pool, &out), again;
    bool random = is_private(input) || input->how.padding == KMIP_PaddingMethod_ISO10126;

    check(rc == KLM_OK || !out.data.p);
    if (rc != KLM_OK) {
        return;
    }
    back = (struct kr_cipher_in){out.data, in.iv.n ? in.iv : out.iv, in.aad, out.tag};
    check(kr_decrypt(input->key, &input->how, &back, pool, &clear) == KLM_OK);
    check(clear.data.n >= in.data.n &&
          klm_slice_equal(KLM_SLICE(clear.data.p, in.data.n), in.data));
    check(clear.data.n == in.data.n || input->how.padding == KMIP_PaddingMethod_Zeros);
    in.iv = back.iv;
    again = in_parts(KR_STREAM_ENCRYPT, input, &in, KLM_SLICE(NULL, 0), pool, all, &end, NULL);
    check(again == KLM_OK);
    check(random ||
          (klm_slice_equal(out.data, klm_buf_as_slice(all)) && klm_slice_equal(out.tag, end.tag)));
}

static void decrypt(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    struct kr_cipher_out out = {0}, end = {0};
    klm_rc rc = kr_decrypt(input->key, &input->how, &input->in, pool, &out);

    check(rc == KLM_OK || !out.data.p);
    check(rc != KLM_OK || is_private(input) || out.data.n <= input->in.data.n);
    check_same(
        rc, out.data,
        in_parts(KR_STREAM_DECRYPT, input, &input->in, KLM_SLICE(NULL, 0), pool, all, &end, NULL),
        all);
}

static void sign(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    bool digested = input->in.iv.n, valid = false, in_stream = false;
    struct klm_slice made = {0};
    struct kr_cipher_out end = {0};
    klm_rc rc = kr_material_sign(input->key, &input->how, input->in.data, digested, pool, &made);

    check(rc == KLM_OK || !made.p);
    if (rc != KLM_OK) {
        return;
    }
    check(kr_material_verify(input->key, &input->how, input->in.data, digested, made, &valid) ==
              KLM_OK &&
          valid);
    if (!digested) {
        check(in_parts(KR_STREAM_VERIFY, input, &input->in, made, pool, all, &end, &in_stream) ==
                  KLM_OK &&
              in_stream);
    }
}

/* The tag is the signature, or the MAC. */
static void verify(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    bool one = false, other = false;
    struct kr_cipher_out end = {0};
    klm_rc rc =
        kr_material_verify(input->key, &input->how, input->in.data, false, input->in.tag, &one);

    check(in_parts(KR_STREAM_VERIFY, input, &input->in, input->in.tag, pool, all, &end, &other) ==
          rc);
    check(one == other);
}

static void mac(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    bool one = false, other = false;
    struct klm_slice made = {0};
    struct kr_cipher_out end = {0};
    klm_rc rc = kr_mac(input->key, &input->how, input->in.data, pool, &made);

    check_same(
        rc, made,
        in_parts(KR_STREAM_MAC, input, &input->in, KLM_SLICE(NULL, 0), pool, all, &end, NULL), all);
    check(kr_mac_verify(input->key, &input->how, input->in.data, input->in.tag, pool, &one) == rc);
    check(in_parts(KR_STREAM_MAC_VERIFY, input, &input->in, input->in.tag, pool, all, &end,
                   &other) == rc);
    check(one == other);
}

static void hash(const struct input *input, struct klm_pool *pool, struct klm_buf *all)
{
    struct klm_slice made = {0};
    struct kr_cipher_out end = {0};
    klm_rc rc = kr_hash(input->how.hash, input->in.data, pool, &made);

    check_same(
        rc, made,
        in_parts(KR_STREAM_HASH, input, &input->in, KLM_SLICE(NULL, 0), pool, all, &end, NULL),
        all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const struct input *, struct klm_pool *,
                                 struct klm_buf *) = {encrypt, decrypt, sign, verify, mac, hash};
    struct input input = {0};
    struct klm_pool *pool = NULL;
    struct klm_buf all;

    if (size > 4096 || !read_input(KLM_SLICE(data, size), &input) ||
        klm_pool_new_wiping(0, &pool) != KLM_OK) {
        return 0;
    }
    klm_buf_init_wiping(&all, 1 << 20);
    kinds[input.kind % KLM_COUNT(kinds)](&input, pool, &all);
    check(klm_buf_rc(&all) == KLM_OK);
    klm_buf_done(&all);
    klm_pool_free(&pool);
    return 0;
}
