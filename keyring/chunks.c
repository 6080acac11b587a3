/* The chunks of a backup: one key, a counter as nonce, and the last one marked. */
#include "keyring/backup.h"
#include "keyring/internal.h"

#include <stdlib.h>
#include <string.h>

#define LAST 0x80000000u
#define NONCE 12

struct kr_chunks {
    EVP_CIPHER_CTX *ctx; /* keyed once; each chunk brings its nonce */
    int enc;
    uint64_t n; /* chunks so far */
    bool ended; /* the last one was made or opened */
};

void kr_chunks_free(struct kr_chunks **chunks)
{
    if (*chunks) {
        EVP_CIPHER_CTX_free((*chunks)->ctx);
        free(*chunks);
        *chunks = NULL;
    }
}

klm_rc kr_chunks_new(const struct kr_backup *backup, bool seal, struct kr_chunks **out)
{
    KLM_AUTO(kr_chunks_free) struct kr_chunks *chunks = calloc(1, sizeof *chunks);
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};

    if (!chunks || !(chunks->ctx = EVP_CIPHER_CTX_new())) {
        return KLM_E_NOMEM;
    }
    chunks->enc = seal;
    KLM_TRY(kr_backup_chunk_key(backup, &key));
    if (EVP_CipherInit_ex2(chunks->ctx, EVP_aes_256_gcm(), key.p, NULL, seal, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = chunks;
    chunks = NULL;
    return KLM_OK;
}

static void put_u32(uint32_t v, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

uint32_t kr_chunk_size(const uint8_t head[KR_CHUNK_HEAD], bool *last)
{
    uint32_t v =
        (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];

    *last = (v & LAST) != 0;
    return v & ~LAST;
}

/* Three zero bytes, the number of the chunk, 1 for the last one. The head is authenticated beside. */
static bool begin(struct kr_chunks *chunks, const uint8_t head[KR_CHUNK_HEAD], bool last)
{
    uint8_t nonce[NONCE] = {0};
    int n;

    put_u32((uint32_t)(chunks->n >> 32), nonce + 3);
    put_u32((uint32_t)chunks->n, nonce + 7);
    nonce[11] = last;
    return EVP_CipherInit_ex2(chunks->ctx, NULL, NULL, nonce, chunks->enc, NULL) == 1 &&
           EVP_CipherUpdate(chunks->ctx, NULL, &n, head, KR_CHUNK_HEAD) == 1;
}

static void count(struct kr_chunks *chunks, bool last)
{
    chunks->n++;
    chunks->ended = last;
}

klm_rc kr_chunk_seal(struct kr_chunks *chunks, struct klm_slice plain, bool last, uint8_t *out)
{
    uint8_t *text = out + KR_CHUNK_HEAD;
    int n = 0, end = 0;

    if (chunks->ended || !chunks->enc) {
        return KLM_E_STATE;
    }
    if (plain.n > KR_CHUNK_MOST) {
        return KLM_E_LIMIT;
    }
    put_u32((uint32_t)plain.n | (last ? LAST : 0), out);
    if (!begin(chunks, out, last) ||
        (plain.n && EVP_CipherUpdate(chunks->ctx, text, &n, plain.p, (int)plain.n) != 1) ||
        EVP_CipherFinal_ex(chunks->ctx, text + n, &end) != 1 ||
        EVP_CIPHER_CTX_ctrl(chunks->ctx, EVP_CTRL_AEAD_GET_TAG, KR_CHUNK_TAG, text + plain.n) !=
            1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    count(chunks, last);
    return KLM_OK;
}

klm_rc kr_chunk_open(struct kr_chunks *chunks, const uint8_t head[KR_CHUNK_HEAD],
                     struct klm_slice sealed, uint8_t *out)
{
    uint8_t tag[KR_CHUNK_TAG];
    bool last;
    size_t size = kr_chunk_size(head, &last);
    int n = 0, end = 0;

    if (chunks->ended || chunks->enc) {
        return KLM_E_STATE;
    }
    if (size > KR_CHUNK_MOST || sealed.n != size + KR_CHUNK_TAG) {
        return KLM_E_CORRUPT;
    }
    memcpy(tag, sealed.p + size, sizeof tag);
    if (!begin(chunks, head, last) ||
        (size && EVP_CipherUpdate(chunks->ctx, out, &n, sealed.p, (int)size) != 1) ||
        EVP_CIPHER_CTX_ctrl(chunks->ctx, EVP_CTRL_AEAD_SET_TAG, KR_CHUNK_TAG, tag) != 1 ||
        EVP_CipherFinal_ex(chunks->ctx, out + n, &end) != 1) {
        return kr_quiet(KLM_E_CORRUPT);
    }
    count(chunks, last);
    return KLM_OK;
}
