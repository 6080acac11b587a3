#include "ios/cartridge_block.h"

#include "base/secret.h"
#include "ios/subkey.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define VERSION 1        /* the key is in EEDKs */
#define VERSION_STORED 2 /* the key is a stored one, named by its identifier */
#define CIPHER_AES256_GCM 1
#define ZSTD_LEVEL 1
#define HEAD 24
#define TAG 16
#define IV 12
#define ID 8
#define INFO "klm cartridge v1"

enum { FLAG_LAST = 1, FLAG_ZSTD = 2 };

static const uint8_t header_magic[8] = {'K', 'L', 'M', 'C', 'A', 'R', 'T', 0};
static const uint8_t block_magic[2] = {'K', 'B'};

struct ios_sealer {
    EVP_CIPHER_CTX *cipher;
    ZSTD_CCtx *compress;   /* when sealing and compressing */
    ZSTD_DCtx *decompress; /* when opening */
    uint8_t *packed;       /* secret: compressed or opened payload of one block */
    uint32_t chunk;
    uint8_t compression;
    uint8_t id[ID];
    uint64_t number;
};

/* ---- Header block */

klm_rc ios_cart_header_encode(const struct ios_cart_header *header, struct klm_buf *out)
{
    size_t start = out->n;

    if (header->by_id ? header->eedk_n != 0 : header->eedk_n < 1 || header->eedk_n > IOS_EEDKS) {
        return KLM_E_INVALID;
    }
    klm_buf_put(out, header_magic, sizeof header_magic);
    klm_buf_u16(out, header->by_id ? VERSION_STORED : VERSION);
    klm_buf_u8(out, CIPHER_AES256_GCM);
    klm_buf_u8(out, header->compression);
    klm_buf_u32(out, header->chunk);
    klm_buf_put(out, header->salt, sizeof header->salt);
    if (header->by_id) {
        klm_buf_put(out, header->key_id, sizeof header->key_id);
        return klm_buf_rc(out);
    }
    klm_buf_u16(out, header->eedk_n);
    for (size_t i = 0; i < header->eedk_n; i++) {
        if (header->eedk[i].n == 0 || header->eedk[i].n > IOS_EEDK_MAX) {
            out->n = start;
            return header->eedk[i].n == 0 ? KLM_E_INVALID : KLM_E_LIMIT;
        }
        klm_buf_lp16(out, header->eedk[i]);
    }
    return klm_buf_rc(out);
}

static void get_eedks(struct klm_cur *cur, struct ios_cart_header *header)
{
    uint16_t n = 0;

    klm_cur_u16(cur, &n);
    if (n < 1 || n > IOS_EEDKS) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    header->eedk_n = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        klm_cur_lp16(cur, IOS_EEDK_MAX, &header->eedk[i]);
        if (header->eedk[i].n == 0) {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}

klm_rc ios_cart_header_decode(struct klm_slice block, struct ios_cart_header *out)
{
    struct ios_cart_header header = {0};
    uint8_t magic[sizeof header_magic] = {0}, cipher = 0;
    uint16_t version = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, block);
    klm_cur_copy(&cur, magic, sizeof magic);
    klm_cur_u16(&cur, &version);
    if (klm_cur_rc(&cur) != KLM_OK || memcmp(magic, header_magic, sizeof magic) != 0) {
        return KLM_E_INVALID;
    }
    klm_cur_u8(&cur, &cipher);
    klm_cur_u8(&cur, &header.compression);
    header.by_id = version == VERSION_STORED;
    if ((version != VERSION && !header.by_id) || cipher != CIPHER_AES256_GCM ||
        header.compression > IOS_CART_ZSTD) {
        return KLM_E_UNSUPPORTED;
    }
    klm_cur_u32(&cur, &header.chunk);
    klm_cur_copy(&cur, header.salt, sizeof header.salt);
    if (header.by_id) {
        klm_cur_copy(&cur, header.key_id, sizeof header.key_id);
    } else {
        get_eedks(&cur, &header);
    }
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || header.chunk == 0 || header.chunk > IOS_CART_CHUNK_MAX) {
        return KLM_E_INVALID;
    }
    *out = header;
    return KLM_OK;
}

/* ---- Keys */

/* The subkey of the file from data key, salt and the hash of the header block. */
static klm_rc derive(const uint8_t key[IOS_KEY_SIZE], const uint8_t salt[IOS_CART_SALT],
                     const uint8_t hash[32], uint8_t out[32])
{
    uint8_t info[sizeof INFO - 1 + 32];

    memcpy(info, INFO, sizeof INFO - 1);
    memcpy(info + sizeof INFO - 1, hash, 32);
    return ios_subkey(key, KLM_SLICE(salt, IOS_CART_SALT), KLM_SLICE(info, sizeof info), out);
}

static klm_rc set_key(struct ios_sealer *sealer, struct klm_slice block,
                      const struct ios_cart_header *header, const uint8_t *key, bool sealing)
{
    uint8_t hash[32];
    uint8_t *subkey = klm_secret_alloc(32);

    if (!subkey) {
        return KLM_E_NOMEM;
    }
    klm_rc rc =
        EVP_Digest(block.p, block.n, hash, NULL, EVP_sha256(), NULL) == 1 ? KLM_OK : KLM_E_CRYPTO;
    if (rc == KLM_OK) {
        memcpy(sealer->id, hash, ID);
        rc = derive(key, header->salt, hash, subkey);
    }
    if (rc == KLM_OK && EVP_CipherInit_ex(sealer->cipher, EVP_aes_256_gcm(), NULL, subkey, NULL,
                                          sealing ? 1 : 0) != 1) {
        rc = KLM_E_CRYPTO;
    }
    klm_secret_free(subkey, 32);
    return rc;
}

static bool equip(struct ios_sealer *sealer, bool sealing)
{
    sealer->cipher = EVP_CIPHER_CTX_new();
    sealer->packed = malloc(sealer->chunk);
    if (sealing && sealer->compression == IOS_CART_ZSTD) {
        sealer->compress = ZSTD_createCCtx();
    }
    if (!sealing) {
        sealer->decompress = ZSTD_createDCtx();
    }
    return sealer->cipher && sealer->packed && (sealing || sealer->decompress) &&
           (!sealing || sealer->compression != IOS_CART_ZSTD || sealer->compress);
}

klm_rc ios_sealer_new(struct klm_slice block, const uint8_t key[IOS_KEY_SIZE], bool sealing,
                      struct ios_sealer **out)
{
    KLM_AUTO(ios_sealer_free) struct ios_sealer *sealer = NULL;
    struct ios_cart_header header;

    KLM_TRY(ios_cart_header_decode(block, &header));
    sealer = calloc(1, sizeof *sealer);
    if (!sealer) {
        return KLM_E_NOMEM;
    }
    sealer->chunk = header.chunk;
    sealer->compression = header.compression;
    if (!equip(sealer, sealing)) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(set_key(sealer, block, &header, key, sealing));
    *out = sealer;
    sealer = NULL;
    return KLM_OK;
}

void ios_sealer_free(struct ios_sealer **sealer)
{
    struct ios_sealer *s = *sealer;

    if (!s) {
        return;
    }
    EVP_CIPHER_CTX_free(s->cipher); /* clears the key schedule */
    ZSTD_freeCCtx(s->compress);
    ZSTD_freeDCtx(s->decompress);
    if (s->packed) {
        klm_wipe(s->packed, s->chunk);
        free(s->packed);
    }
    free(s);
    *sealer = NULL;
}

uint64_t ios_sealer_number(const struct ios_sealer *sealer)
{
    return sealer->number;
}

/* ---- Data blocks */

struct block_head {
    uint8_t flags;
    uint32_t plain;
    uint64_t number;
};

static void put_be(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = n; i > 0; i--, v >>= 8) {
        p[i - 1] = (uint8_t)v;
    }
}

static void put_block_head(const struct ios_sealer *sealer, const struct block_head *head,
                           uint8_t out[HEAD])
{
    memcpy(out, block_magic, sizeof block_magic);
    out[2] = head->flags;
    out[3] = 0;
    put_be(out + 4, 4, head->plain);
    put_be(out + 8, 8, head->number);
    memcpy(out + 16, sealer->id, ID);
}

/* STREAM: the nonce is the block's number and whether it is the last, so no block can stand for
 * another. */
static void nonce(uint64_t number, bool last, uint8_t iv[IV])
{
    memset(iv, 0, IV);
    iv[0] = last ? 1 : 0;
    put_be(iv + 4, 8, number);
}

/* The payload of a chunk: compressed when that makes it shorter. */
static const uint8_t *pack(struct ios_sealer *sealer, const uint8_t *plain, size_t *n,
                           uint8_t *flags)
{
    if (!sealer->compress || *n < 2) {
        return plain;
    }
    size_t packed =
        ZSTD_compressCCtx(sealer->compress, sealer->packed, *n - 1, plain, *n, ZSTD_LEVEL);
    if (ZSTD_isError(packed)) {
        return plain; /* it does not get shorter */
    }
    *flags |= FLAG_ZSTD;
    *n = packed;
    return sealer->packed;
}

klm_rc ios_seal(struct ios_sealer *sealer, bool last, const uint8_t *plain, size_t n, uint8_t *out,
                size_t *out_n)
{
    struct block_head head = {last ? FLAG_LAST : 0, (uint32_t)n, sealer->number};
    uint8_t iv[IV];
    int len = 0;

    if (n > sealer->chunk) {
        return KLM_E_LIMIT;
    }
    const uint8_t *payload = pack(sealer, plain, &n, &head.flags);
    put_block_head(sealer, &head, out);
    nonce(head.number, last, iv);
    if (EVP_EncryptInit_ex(sealer->cipher, NULL, NULL, NULL, iv) != 1 ||
        EVP_EncryptUpdate(sealer->cipher, NULL, &len, out, HEAD) != 1 ||
        EVP_EncryptUpdate(sealer->cipher, out + HEAD, &len, payload, (int)n) != 1 ||
        EVP_EncryptFinal_ex(sealer->cipher, out + HEAD + n, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + HEAD + n) != 1) {
        return KLM_E_CRYPTO;
    }
    sealer->number++;
    *out_n = HEAD + n + TAG;
    return KLM_OK;
}

static enum ios_block_fault get_block_head(const struct ios_sealer *sealer, struct klm_slice block,
                                           struct block_head *head)
{
    uint8_t magic[2] = {0}, zero = 0, id[ID] = {0};
    struct klm_cur cur;

    if (block.n < HEAD + TAG) {
        return IOS_BLOCK_FORM;
    }
    size_t payload = block.n - HEAD - TAG;
    klm_cur_init(&cur, block);
    klm_cur_copy(&cur, magic, sizeof magic);
    klm_cur_u8(&cur, &head->flags);
    klm_cur_u8(&cur, &zero);
    klm_cur_u32(&cur, &head->plain);
    klm_cur_u64(&cur, &head->number);
    klm_cur_copy(&cur, id, sizeof id);
    if (memcmp(magic, block_magic, sizeof magic) != 0 || zero != 0 || head->flags > 3 ||
        head->plain > sealer->chunk) {
        return IOS_BLOCK_FORM;
    }
    if (memcmp(id, sealer->id, ID) != 0) {
        return IOS_BLOCK_FOREIGN;
    }
    if (head->number != sealer->number) {
        return IOS_BLOCK_ORDER;
    }
    bool fits = head->flags & FLAG_ZSTD ? payload < head->plain : payload == head->plain;
    return fits ? IOS_BLOCK_GOOD : IOS_BLOCK_FORM;
}

static bool decrypt(struct ios_sealer *sealer, struct klm_slice block,
                    const struct block_head *head, uint8_t *out)
{
    size_t n = block.n - HEAD - TAG;
    uint8_t iv[IV], tag[TAG];
    int len = 0;

    nonce(head->number, head->flags & FLAG_LAST, iv);
    memcpy(tag, block.p + block.n - TAG, TAG);
    return EVP_DecryptInit_ex(sealer->cipher, NULL, NULL, NULL, iv) == 1 &&
           EVP_DecryptUpdate(sealer->cipher, NULL, &len, block.p, HEAD) == 1 &&
           EVP_DecryptUpdate(sealer->cipher, out, &len, block.p + HEAD, (int)n) == 1 &&
           EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(sealer->cipher, out + n, &len) == 1;
}

enum ios_block_fault ios_open(struct ios_sealer *sealer, struct klm_slice block, uint8_t *out,
                              struct ios_opened *opened)
{
    struct block_head head = {0};
    enum ios_block_fault fault = get_block_head(sealer, block, &head);

    opened->number = head.number;
    if (fault != IOS_BLOCK_GOOD) {
        return fault;
    }
    bool packed = head.flags & FLAG_ZSTD;
    uint8_t *to = packed ? sealer->packed : out;
    if (!decrypt(sealer, block, &head, to)) {
        klm_wipe(to, block.n - HEAD - TAG);
        return IOS_BLOCK_TAG;
    }
    if (packed && ZSTD_decompressDCtx(sealer->decompress, out, head.plain, to,
                                      block.n - HEAD - TAG) != head.plain) {
        return IOS_BLOCK_CONTENT;
    }
    sealer->number++;
    opened->n = head.plain;
    opened->last = head.flags & FLAG_LAST;
    return IOS_BLOCK_GOOD;
}
