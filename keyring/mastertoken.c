/* A master key that is in a PKCS#11 token, and the file that stands for it (version 2, keyring/TOKEN.md). The file holds nothing secret: the label of the
 * token's key and the working key, sealed by it. Layout: "KLMK", version 2, flags (1: escrow confirmed, 2: strict), verification pattern (8), label of the
 * token's key (length, bytes), the sealed working key (length of two bytes, 60 bytes), SHA-256 of all before (32). */
#include "keyring/internal.h"

#include "base/file.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "KLMK"
#define VERSION 2
#define FLAG_ESCROWED 1u
#define FLAG_STRICT 2u
#define WORKING 32
#define SEALED (WORKING + KR_HARD_MORE)
#define INFO "klm working key v1"

struct file {
    uint8_t flags;
    struct klm_slice id, object, sealed;
};

static klm_rc put_sum(struct klm_buf *buf)
{
    uint8_t sum[32];

    KLM_TRY(klm_buf_rc(buf));
    if (EVP_Digest(buf->p, buf->n, sum, NULL, EVP_sha256(), NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    klm_buf_put(buf, sum, sizeof sum);
    return klm_buf_rc(buf);
}

static klm_rc encode(const struct file *file, struct klm_buf *out)
{
    klm_buf_put(out, MAGIC, 4);
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, file->flags);
    klm_buf_slice(out, file->id);
    klm_buf_lp8(out, file->object);
    klm_buf_lp16(out, file->sealed);
    return put_sum(out);
}

static bool sum_right(struct klm_slice in)
{
    uint8_t sum[32];

    return in.n > sizeof sum &&
           EVP_Digest(in.p, in.n - sizeof sum, sum, NULL, EVP_sha256(), NULL) == 1 &&
           memcmp(sum, in.p + in.n - sizeof sum, sizeof sum) == 0;
}

static klm_rc decode(const char *path, struct klm_slice in, struct klm_diag *diag, struct file *out)
{
    struct klm_slice magic, sum;
    struct klm_cur cur;
    uint8_t version;

    klm_cur_init(&cur, in);
    klm_cur_bytes(&cur, 4, &magic);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &out->flags);
    klm_cur_bytes(&cur, 8, &out->id);
    klm_cur_lp8(&cur, KR_TOKEN_LABEL_MAX, &out->object);
    klm_cur_lp16(&cur, SEALED, &out->sealed);
    klm_cur_bytes(&cur, 32, &sum);
    klm_cur_end(&cur);
    if (!sum_right(in)) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED, path, "its checksum is wrong");
    }
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || out->sealed.n != SEALED ||
        out->object.n == 0) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED, path,
                        "its parts do not add up");
    }
    return KLM_OK;
}

/* ---- Opening */

/* The key of that label must be the one that the file was made with. */
static klm_rc check_id(const char *path, const struct file *file, const char *object,
                       const struct kr_master *master, struct klm_diag *diag)
{
    char theirs[KR_VP_MAX], ours[KR_VP_MAX];

    if (memcmp(kr_master_id(master), file->id.p, 8) == 0) {
        return KLM_OK;
    }
    klm_hex_upper(file->id.p, 8, theirs);
    kr_master_vp(master, ours);
    return klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_MASTER_TOKEN_KEY, object, ours, path, theirs);
}

static klm_rc unseal(const struct file *file, const char *object, struct p11 *p11,
                     struct kr_secret *working, struct klm_diag *diag)
{
    KLM_TRY(kr_secret_new(P11_MSG_MAX, working));
    KLM_TRY(kr_hard_unseal(p11, object, klm_slice_str(INFO), file->sealed, working->p, working->cap,
                           &working->n, diag));
    return working->n == WORKING ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc open_file(const char *path, const struct file *file, struct p11 *p11,
                        struct klm_diag *diag, struct kr_master **out)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret working = {0};
    uint8_t check[KR_CHECK_BLOCK];
    char object[KR_TOKEN_LABEL_MAX + 1] = "";
    struct kr_in_token in = {.p11 = p11, .object = object, .strict = file->flags & FLAG_STRICT};

    memcpy(object, file->object.p, file->object.n); /* at most KR_TOKEN_LABEL_MAX */
    KLM_TRY(kr_hard_key(p11, object, false, check, diag));
    KLM_TRY(unseal(file, object, p11, &working, diag));
    in.working = working.p;
    in.check = check;
    KLM_TRY(kr_master_from_token(&in, file->flags & FLAG_ESCROWED, &master));
    KLM_TRY(check_id(path, file, object, master, diag));
    *out = master;
    master = NULL;
    return KLM_OK;
}

klm_rc kr_master_token_decode(const char *path, struct klm_slice in, struct p11 *p11,
                              struct klm_diag *diag, struct kr_master **out)
{
    struct file file;

    KLM_TRY(decode(path, in, diag, &file));
    if (!p11) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_MASTER_NEEDS_TOKEN, path);
    }
    return open_file(path, &file, p11, diag, out);
}

/* ---- Making */

static klm_rc write_file(const struct kr_master *master, const struct kr_in_token *in,
                         const char *path, struct klm_diag *diag)
{
    uint8_t sealed[SEALED];
    struct file file = {.flags = in->strict ? FLAG_STRICT : 0,
                        .id = KLM_SLICE(kr_master_id(master), 8),
                        .object = klm_slice_str(in->object),
                        .sealed = KLM_SLICE(sealed, sizeof sealed)};
    struct klm_buf buf;
    klm_rc rc;

    KLM_TRY(kr_hard_seal(in->p11, in->object, klm_slice_str(INFO), KLM_SLICE(in->working, WORKING),
                         sealed, diag));
    klm_buf_init(&buf, KR_MASTER_FILE_MAX);
    rc = encode(&file, &buf);
    if (rc == KLM_OK) {
        rc = klm_file_create(path, klm_buf_as_slice(&buf), 0400, diag);
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc kr_master_make_in_token(struct p11 *p11, const char *object, bool strict, const char *path,
                               struct klm_diag *diag, struct kr_master **out)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret working = {0};
    uint8_t check[KR_CHECK_BLOCK];
    struct kr_in_token in = {.p11 = p11, .object = object, .strict = strict, .check = check};

    KLM_TRY(kr_check_token_label(object));
    KLM_TRY(kr_secret_new(WORKING, &working));
    KLM_TRY(klm_random(working.p, WORKING));
    KLM_TRY(kr_hard_key(p11, object, true, check, diag));
    in.working = working.p;
    KLM_TRY(kr_master_from_token(&in, false, &master));
    KLM_TRY(write_file(master, &in, path, diag));
    *out = master;
    master = NULL;
    return KLM_OK;
}

klm_rc kr_master_token_confirm(const char *path, struct klm_slice in, struct klm_diag *diag)
{
    struct file file;
    struct klm_buf buf;
    klm_rc rc;

    KLM_TRY(decode(path, in, diag, &file));
    file.flags |= FLAG_ESCROWED;
    klm_buf_init(&buf, KR_MASTER_FILE_MAX);
    rc = encode(&file, &buf);
    if (rc == KLM_OK) {
        rc = klm_file_replace(path, klm_buf_as_slice(&buf), 0400, diag);
    }
    klm_buf_done(&buf);
    return rc;
}
