/* The header of a backup: in clear, with a checksum that finds damage and a code that only the right key makes. */
#include "backup/format.h"

#include "base/digest.h"
#include "base/secret.h"

#include <string.h>

#define MAGIC "KLM-BKUP"
#define ZSTD 1
#define AES_256_GCM 1
#define TEXT_MOST 256

static void put_fields(const struct bk_header *header, struct klm_buf *out)
{
    klm_buf_str16(out, header->product);
    klm_buf_str16(out, header->server_id);
    klm_buf_put(out, header->id, BK_ID);
    klm_buf_put(out, header->lineage, BK_ID);
    klm_buf_u64(out, (uint64_t)header->created);
    klm_buf_u8(out, ZSTD);
    klm_buf_u8(out, AES_256_GCM);
    klm_buf_u32(out, header->chunk);
    klm_buf_u8(out, (uint8_t)header->slots);
    for (size_t i = 0; i < header->slots; i++) {
        klm_buf_u8(out, header->slot[i].type);
        klm_buf_lp16(out, header->slot[i].body);
    }
}

/* Checksum and code go over all before them. */
static klm_rc seal(const struct kr_backup *key, size_t at, struct klm_buf *out)
{
    uint8_t sum[BK_HASH];
    struct klm_slice all;

    klm_buf_set_u32(out, at + 12, (uint32_t)(out->n - at + 2 * BK_HASH));
    KLM_TRY(klm_buf_rc(out));
    all = KLM_SLICE(out->p + at, out->n - at);
    KLM_TRY(klm_sha256(&all, 1, sum));
    klm_buf_put(out, sum, sizeof sum);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(kr_backup_mac(key, KLM_SLICE(out->p + at, out->n - at), sum));
    klm_buf_put(out, sum, sizeof sum);
    return klm_buf_rc(out);
}

klm_rc bk_header_encode(const struct bk_header *header, const struct kr_backup *key,
                        struct klm_buf *out)
{
    size_t at = out->n;
    klm_rc rc;

    klm_buf_put(out, MAGIC, 8);
    klm_buf_u16(out, BK_FORMAT);
    klm_buf_u16(out, BK_FORMAT);
    klm_buf_u32(out, 0); /* its length, by seal */
    put_fields(header, out);
    rc = seal(key, at, out);
    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

static klm_rc damaged(const char *file, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, file, why);
}

klm_rc bk_header_length(const uint8_t start[BK_HEADER_LEAST], const char *file,
                        struct klm_diag *diag, size_t *n)
{
    struct klm_cur cur;
    struct klm_slice magic;
    uint16_t version, least;
    uint32_t length;

    klm_cur_init(&cur, KLM_SLICE(start, BK_HEADER_LEAST));
    klm_cur_bytes(&cur, 8, &magic);
    klm_cur_u16(&cur, &version);
    klm_cur_u16(&cur, &least);
    klm_cur_u32(&cur, &length);
    if (klm_cur_rc(&cur) != KLM_OK || memcmp(magic.p, MAGIC, 8) != 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_NOT, file);
    }
    if (version < 1 || least < 1 || least > version) {
        return damaged(file, "its versions are impossible", diag);
    }
    if (least > BK_FORMAT) {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_BK_FORMAT, file, KLM_NUM(least),
                        KLM_NUM(BK_FORMAT));
    }
    if (length < BK_HEADER_LEAST + 2 * BK_HASH || length > BK_HEADER_MOST) {
        return damaged(file, "the length of its header is out of range", diag);
    }
    *n = length;
    return KLM_OK;
}

static void take_slots(struct klm_cur *cur, struct bk_header *out)
{
    uint8_t n;

    klm_cur_u8(cur, &n);
    if (n < 1 || n > BK_SLOTS_MOST) {
        klm_cur_fail(cur, KLM_E_LIMIT);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        klm_cur_u8(cur, &out->slot[i].type);
        klm_cur_lp16(cur, KR_SLOT_MAX, &out->slot[i].body);
    }
    out->slots = n;
}

static klm_rc take_fields(struct klm_slice in, struct klm_pool *pool, struct bk_header *out)
{
    struct klm_cur cur;
    uint64_t created;
    uint8_t compression, cipher;

    klm_cur_init(&cur, in);
    klm_cur_str16(&cur, pool, TEXT_MOST, &out->product);
    klm_cur_str16(&cur, pool, TEXT_MOST, &out->server_id);
    klm_cur_copy(&cur, out->id, BK_ID);
    klm_cur_copy(&cur, out->lineage, BK_ID);
    klm_cur_u64(&cur, &created);
    klm_cur_u8(&cur, &compression);
    klm_cur_u8(&cur, &cipher);
    klm_cur_u32(&cur, &out->chunk);
    take_slots(&cur, out);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    out->created = created <= INT64_MAX ? (klm_time)created : 0;
    return compression == ZSTD && cipher == AES_256_GCM && out->chunk >= BK_CHUNK_LEAST &&
                   out->chunk <= KR_CHUNK_MOST && created <= INT64_MAX
               ? KLM_OK
               : KLM_E_INVALID;
}

klm_rc bk_header_decode(struct klm_slice in, const char *file, struct klm_pool *pool,
                        struct klm_diag *diag, struct bk_header *out)
{
    struct bk_header header = {.whole = in};
    uint8_t sum[BK_HASH];
    size_t n;
    klm_rc rc;

    if (in.n < BK_HEADER_LEAST) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_NOT, file);
    }
    KLM_TRY(bk_header_length(in.p, file, diag, &n));
    if (n != in.n) {
        return damaged(file, "it ends within its header", diag);
    }
    const struct klm_slice summed = KLM_SLICE(in.p, n - 2 * BK_HASH);
    KLM_TRY(klm_sha256(&summed, 1, sum));
    if (memcmp(sum, in.p + summed.n, BK_HASH) != 0) {
        return damaged(file, "the checksum of its header is wrong", diag);
    }
    rc = take_fields(KLM_SLICE(in.p + BK_HEADER_LEAST, summed.n - BK_HEADER_LEAST), pool, &header);
    if (rc == KLM_E_NOMEM) {
        return rc;
    }
    if (rc != KLM_OK) {
        return damaged(file, "its header cannot be read", diag);
    }
    *out = header;
    return KLM_OK;
}

klm_rc bk_header_check(const struct bk_header *header, const struct kr_backup *key)
{
    const size_t n = header->whole.n - BK_HASH;
    uint8_t code[BK_HASH];

    KLM_TRY(kr_backup_mac(key, KLM_SLICE(header->whole.p, n), code));
    return klm_secret_equal(code, header->whole.p + n, BK_HASH) ? KLM_OK : KLM_E_CORRUPT;
}
