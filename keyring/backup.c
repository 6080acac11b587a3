/* The key of a backup: its slots, and the keys derived from it (backup/BACKUP.md). */
#include "keyring/backup.h"

#include "base/secret.h"
#include "keyring/internal.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define INFO_HEADER "klm backup header v1"
#define INFO_TOKENS "klm backup tokens v1"
#define INFO_CHUNKS "klm backup chunks v1"
#define AAD_SLOT "klm backup slot"
#define NONCE 12
#define TAG 16
#define PASSWORD_BODY (1 + 4 + 4 + KR_SALT + NONCE + 32 + TAG)

void kr_backup_free(struct kr_backup **backup)
{
    if (*backup) {
        kr_secret_done(&(*backup)->key);
        free(*backup);
        *backup = NULL;
    }
}

klm_rc kr_backup_alloc(struct kr_backup **out)
{
    KLM_AUTO(kr_backup_free) struct kr_backup *backup = calloc(1, sizeof *backup);

    if (!backup) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(kr_secret_new(32, &backup->key));
    backup->key.n = 32;
    *out = backup;
    backup = NULL;
    return KLM_OK;
}

klm_rc kr_backup_new(struct kr_backup **out)
{
    KLM_AUTO(kr_backup_free) struct kr_backup *backup = NULL;

    KLM_TRY(kr_backup_alloc(&backup));
    KLM_TRY(klm_random(backup->key.p, 32));
    *out = backup;
    backup = NULL;
    return KLM_OK;
}

/* ---- Password slots */

static klm_rc check_cost(const struct kr_scrypt *cost)
{
    if (cost->log_n < KR_SCRYPT_LOG_N_LEAST || cost->log_n > KR_SCRYPT_LOG_N_MOST || cost->r < 1 ||
        cost->r > KR_SCRYPT_R_MOST || cost->p < 1 || cost->p > KR_SCRYPT_P_MOST ||
        (UINT64_C(128) << cost->log_n) * cost->r > KR_SCRYPT_MEMORY) {
        return KLM_E_LIMIT;
    }
    return KLM_OK;
}

klm_rc kr_stretch(const struct kr_scrypt *cost, struct klm_slice password,
                  const uint8_t salt[KR_SALT], struct kr_secret *out)
{
    KLM_TRY(check_cost(cost));
    KLM_TRY(kr_secret_new(32, out));
    /* A little more than the cost itself, for the blocks that OpenSSL keeps beside. */
    if (EVP_PBE_scrypt((const char *)password.p, password.n, salt, KR_SALT,
                       UINT64_C(1) << cost->log_n, cost->r, cost->p,
                       KR_SCRYPT_MEMORY + (UINT64_C(64) << 20), out->p, 32) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    return KLM_OK;
}

/* AES-256-GCM of the 32 bytes of a backup's key; the associated data are what the slot is for and its own head. */
static klm_rc gcm(const uint8_t kek[32], const uint8_t *nonce, int enc, EVP_CIPHER_CTX *ctx,
                  const uint8_t id[16], struct klm_slice head)
{
    int n;

    if (EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), kek, nonce, enc, NULL) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)AAD_SLOT, sizeof AAD_SLOT - 1) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, id, 16) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &n, head.p, (int)head.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static klm_rc seal_key(const uint8_t kek[32], const uint8_t *nonce, const uint8_t id[16],
                       struct klm_slice head, const struct kr_backup *backup, uint8_t out[32 + TAG])
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n, last;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(gcm(kek, nonce, 1, ctx, id, head));
    if (EVP_CipherUpdate(ctx, out, &n, backup->key.p, 32) != 1 ||
        EVP_CipherFinal_ex(ctx, out + n, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + 32) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static klm_rc put_password(const struct kr_backup *backup, const uint8_t id[16],
                           const struct kr_scrypt *cost, struct klm_slice password,
                           struct klm_buf *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret kek = {0};
    uint8_t fresh[KR_SALT + NONCE], sealed[32 + TAG];
    size_t at = out->n;

    KLM_TRY(klm_random(fresh, sizeof fresh));
    KLM_TRY(kr_stretch(cost, password, fresh, &kek));
    klm_buf_u8(out, (uint8_t)cost->log_n);
    klm_buf_u32(out, cost->r);
    klm_buf_u32(out, cost->p);
    klm_buf_put(out, fresh, sizeof fresh);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(
        seal_key(kek.p, fresh + KR_SALT, id, KLM_SLICE(out->p + at, out->n - at), backup, sealed));
    klm_buf_put(out, sealed, sizeof sealed);
    return klm_buf_rc(out);
}

klm_rc kr_slot_password(const struct kr_backup *backup, const uint8_t id[16],
                        const struct kr_scrypt *cost, struct klm_slice password,
                        struct klm_buf *out)
{
    size_t at = out->n;
    klm_rc rc;

    if (password.n < KR_PASSWORD_LEAST || password.n > KR_PASSWORD_MOST) {
        return KLM_E_LIMIT;
    }
    rc = put_password(backup, id, cost, password, out);
    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

struct password_body {
    struct kr_scrypt cost;
    struct klm_slice salt, nonce, sealed, tag, head;
};

static klm_rc parse(struct klm_slice in, struct password_body *out)
{
    struct klm_cur cur;
    uint8_t log_n;
    uint32_t r, p;

    klm_cur_init(&cur, in);
    klm_cur_u8(&cur, &log_n);
    klm_cur_u32(&cur, &r);
    klm_cur_u32(&cur, &p);
    klm_cur_bytes(&cur, KR_SALT, &out->salt);
    klm_cur_bytes(&cur, NONCE, &out->nonce);
    klm_cur_bytes(&cur, 32, &out->sealed);
    klm_cur_bytes(&cur, TAG, &out->tag);
    klm_cur_end(&cur);
    out->cost = (struct kr_scrypt){log_n, r, p};
    out->head = KLM_SLICE(in.p, PASSWORD_BODY - 32 - TAG);
    return klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc open_key(const struct password_body *body, const uint8_t kek[32],
                       const uint8_t id[16], struct kr_backup *backup)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[TAG];
    int n, last;

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    memcpy(tag, body->tag.p, TAG); /* OpenSSL wants it without const */
    KLM_TRY(gcm(kek, body->nonce.p, 0, ctx, id, body->head));
    if (EVP_CipherUpdate(ctx, backup->key.p, &n, body->sealed.p, 32) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return EVP_CipherFinal_ex(ctx, backup->key.p + n, &last) == 1 ? KLM_OK
                                                                  : kr_quiet(KLM_E_WRONGKEY);
}

klm_rc kr_slot_open_password(struct klm_slice in, const uint8_t id[16], struct klm_slice password,
                             struct kr_backup **out)
{
    KLM_AUTO(kr_backup_free) struct kr_backup *backup = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret kek = {0};
    struct password_body body;

    KLM_TRY(parse(in, &body));
    KLM_TRY(kr_backup_alloc(&backup));
    KLM_TRY(kr_stretch(&body.cost, password, body.salt.p, &kek));
    KLM_TRY(open_key(&body, kek.p, id, backup));
    *out = backup;
    backup = NULL;
    return KLM_OK;
}

/* ---- Derived keys */

static klm_rc derive(const struct kr_backup *backup, const char *info, struct kr_secret *out)
{
    KLM_TRY(kr_secret_new(32, out));
    return kr_hkdf(backup->key.p, KLM_SLICE(NULL, 0), info, out->p);
}

klm_rc kr_backup_mac(const struct kr_backup *backup, struct klm_slice header, uint8_t out[32])
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    unsigned n = 0;

    KLM_TRY(derive(backup, INFO_HEADER, &key));
    return HMAC(EVP_sha256(), key.p, 32, header.p, header.n, out, &n) && n == 32
               ? KLM_OK
               : kr_quiet(KLM_E_CRYPTO);
}

klm_rc kr_backup_master(const struct kr_backup *backup, struct kr_master **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};

    KLM_TRY(derive(backup, INFO_TOKENS, &key));
    return kr_master_from_bytes(key.p, true, out);
}

klm_rc kr_backup_chunk_key(const struct kr_backup *backup, struct kr_secret *out)
{
    return derive(backup, INFO_CHUNKS, out);
}
