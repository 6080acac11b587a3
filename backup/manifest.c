/* Records, manifest and signature of a backup as bytes. */
#include "backup/format.h"

#include "base/digest.h"
#include "store/st.h"

#include <string.h>

#define VERSION 1
#define TEXT_MOST 256
#define TITLE "klmsrv backup manifest 1"

/* ---- Records */

void bk_record_put(struct klm_buf *out, const struct bk_record *record)
{
    klm_buf_lp16(out, record->key);
    klm_buf_u8(out, record->form);
    klm_buf_lp32(out, record->record);
}

klm_rc bk_record_take(struct klm_cur *cur, struct bk_record *out)
{
    struct bk_record record;

    klm_cur_lp16(cur, ST_KEY_MAX, &record.key);
    klm_cur_u8(cur, &record.form);
    klm_cur_lp32(cur, ST_RECORD_MAX, &record.record);
    if (klm_cur_rc(cur) != KLM_OK || record.key.n == 0 || record.form > BK_REFERENCE) {
        return KLM_E_CORRUPT;
    }
    *out = record;
    return KLM_OK;
}

/* ---- Manifest */

static void put_section(struct klm_buf *out, const struct bk_section *section)
{
    klm_buf_u8(out, section->type);
    klm_buf_str16(out, section->name);
    klm_buf_u64(out, section->items);
    klm_buf_u64(out, section->bytes);
    klm_buf_u64(out, section->damaged);
    klm_buf_put(out, section->hash, BK_HASH);
}

klm_rc bk_manifest_encode(const struct bk_manifest *manifest, struct klm_buf *out)
{
    klm_buf_u16(out, VERSION);
    klm_buf_put(out, manifest->header, BK_HASH);
    klm_buf_u64(out, manifest->number);
    klm_buf_str16(out, manifest->master_vp);
    klm_buf_str16(out, manifest->journal_id);
    klm_buf_u64(out, manifest->journal_last);
    klm_buf_put(out, manifest->journal_value, BK_HASH);
    klm_buf_u16(out, (uint16_t)manifest->n);
    for (size_t i = 0; i < manifest->n; i++) {
        put_section(out, &manifest->section[i]);
    }
    return klm_buf_rc(out);
}

static void take_section(struct klm_cur *cur, struct bk_section *out)
{
    struct klm_slice name;

    klm_cur_u8(cur, &out->type);
    klm_cur_lp16(cur, BK_NAME_MOST, &name);
    klm_cur_u64(cur, &out->items);
    klm_cur_u64(cur, &out->bytes);
    klm_cur_u64(cur, &out->damaged);
    klm_cur_copy(cur, out->hash, BK_HASH);
    if (name.n) {
        memcpy(out->name, name.p, name.n);
    }
    out->name[name.n] = '\0';
    if (strlen(out->name) != name.n || (out->type != BK_TABLE && out->type != BK_FILE)) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

klm_rc bk_manifest_decode(struct klm_slice in, struct klm_pool *pool, struct bk_manifest *out)
{
    struct klm_cur cur;
    uint16_t version, n;

    klm_cur_init(&cur, in);
    klm_cur_u16(&cur, &version);
    klm_cur_copy(&cur, out->header, BK_HASH);
    klm_cur_u64(&cur, &out->number);
    klm_cur_str16(&cur, pool, TEXT_MOST, &out->master_vp);
    klm_cur_str16(&cur, pool, TEXT_MOST, &out->journal_id);
    klm_cur_u64(&cur, &out->journal_last);
    klm_cur_copy(&cur, out->journal_value, BK_HASH);
    klm_cur_u16(&cur, &n);
    if (version != VERSION || n > BK_SECTIONS_MOST) {
        return KLM_E_CORRUPT;
    }
    for (out->n = 0; out->n < n && klm_cur_rc(&cur) == KLM_OK; out->n++) {
        take_section(&cur, &out->section[out->n]);
    }
    klm_cur_end(&cur);
    return klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_CORRUPT;
}

/* ---- Signature */

void bk_signature_put(struct klm_buf *out, const struct bk_signature *signature)
{
    klm_buf_str16(out, signature->algorithm);
    klm_buf_lp16(out, signature->cert);
    klm_buf_lp16(out, signature->bytes);
}

klm_rc bk_signature_take(struct klm_slice in, struct klm_pool *pool, struct bk_signature *out)
{
    struct bk_signature signature;
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    klm_cur_str16(&cur, pool, TEXT_MOST, &signature.algorithm);
    klm_cur_lp16(&cur, BK_CERT_MOST, &signature.cert);
    klm_cur_lp16(&cur, 1024, &signature.bytes);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(klm_pool_slice(pool, signature.cert, &signature.cert));
    KLM_TRY(klm_pool_slice(pool, signature.bytes, &signature.bytes));
    *out = signature;
    return KLM_OK;
}

klm_rc bk_signed_message(struct klm_slice manifest, struct klm_buf *out)
{
    uint8_t hash[BK_HASH];

    KLM_TRY(klm_sha256(&manifest, 1, hash));
    klm_buf_str16(out, TITLE);
    klm_buf_put(out, hash, sizeof hash);
    return klm_buf_rc(out);
}
