/* Cartridge memory: PATH.cm, a copy of what stands in the labels and header blocks
 * (CARTRIDGE.md, section 5). */
#include "ios/cartridge_volume.h"

#include "base/file.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define SUM 32
#define CM_MAX (24u * 1024 * 1024) /* 9,999 files with the longest header blocks */

static const uint8_t magic[8] = {'K', 'L', 'M', 'C', 'M', 0, 0, 0};

static klm_rc cm_path(const char *path, char out[4096])
{
    int n = snprintf(out, 4096, "%s.cm", path);

    return n > 0 && n < 4096 ? KLM_OK : KLM_E_LIMIT;
}

static klm_rc sum(struct klm_slice s, uint8_t out[SUM])
{
    return EVP_Digest(s.p, s.n, out, NULL, EVP_sha256(), NULL) == 1 ? KLM_OK : KLM_E_CRYPTO;
}

/* ---- Reading */

static void get_text(struct klm_cur *cur, size_t max, char *out)
{
    struct klm_slice s = {0};

    klm_cur_lp8(cur, max, &s);
    if (s.n > 0) {
        memcpy(out, s.p, s.n);
    }
    out[s.n] = '\0';
}

static void get_files(struct klm_cur *cur, struct klm_pool *pool, struct ios_cm *cm)
{
    uint16_t n = 0;

    klm_cur_u16(cur, &n);
    if (n > IOS_FILESEQ_MAX) {
        klm_cur_fail(cur, KLM_E_LIMIT);
    }
    if (klm_cur_rc(cur) != KLM_OK) {
        return;
    }
    cm->file = klm_pool_alloc(pool, (n + 1u) * sizeof *cm->file);
    if (!cm->file) {
        klm_cur_fail(cur, KLM_E_NOMEM);
        return;
    }
    for (cm->n = 0; cm->n < n && klm_cur_rc(cur) == KLM_OK; cm->n++) {
        struct ios_cm_file *file = &cm->file[cm->n];
        file->info.seq = (unsigned)cm->n + 1;
        get_text(cur, IOS_LABEL_NAME, file->info.dsname);
        klm_cur_u64(cur, &file->info.blocks);
        klm_cur_lp16(cur, IOS_CART_HEADER_MAX, &file->header);
    }
}

static klm_rc decode(struct klm_slice in, struct klm_pool *pool, struct ios_cm *out)
{
    uint8_t lead[sizeof magic] = {0}, expected[SUM];
    struct ios_cm cm = {0};
    struct klm_cur cur;
    uint16_t version = 0;

    if (in.n < SUM) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(sum(KLM_SLICE(in.p, in.n - SUM), expected));
    if (memcmp(expected, in.p + in.n - SUM, SUM) != 0) {
        return KLM_E_CORRUPT;
    }
    klm_cur_init(&cur, KLM_SLICE(in.p, in.n - SUM));
    klm_cur_copy(&cur, lead, sizeof lead);
    klm_cur_u16(&cur, &version);
    if (memcmp(lead, magic, sizeof magic) != 0 || version != VERSION) {
        return KLM_E_CORRUPT;
    }
    get_text(&cur, 6, cm.volser);
    get_files(&cur, pool, &cm);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return klm_cur_rc(&cur) == KLM_E_NOMEM ? KLM_E_NOMEM : KLM_E_CORRUPT;
    }
    *out = cm;
    return KLM_OK;
}

klm_rc ios_cm_load(const char *path, struct klm_pool *pool, struct ios_cm *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file;
    struct klm_slice copy = {0};
    char name[4096];

    klm_buf_init(&file, CM_MAX);
    KLM_TRY(cm_path(path, name));
    klm_rc rc = klm_file_read(name, CM_MAX, &file, NULL);
    if (rc != KLM_OK) {
        return rc == KLM_E_LIMIT ? KLM_E_CORRUPT : rc;
    }
    KLM_TRY(klm_pool_slice(pool, klm_buf_as_slice(&file), &copy));
    return decode(copy, pool, out);
}

/* ---- Writing */

static void put_file(struct klm_buf *out, const struct ios_file_info *info, struct klm_slice header)
{
    klm_buf_lp8(out, klm_slice_str(info->dsname));
    klm_buf_u64(out, info->blocks);
    klm_buf_lp16(out, header);
}

static void put_head(struct klm_buf *out, const struct ios_cart *cart)
{
    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u16(out, VERSION);
    klm_buf_lp8(out, klm_slice_str(cart->volser));
    klm_buf_u16(out, (uint16_t)cart->n);
}

static klm_rc save(const struct ios_cart *cart, struct klm_buf *out, struct klm_diag *diag)
{
    uint8_t digest[SUM];
    char name[4096];

    KLM_TRY(cm_path(cart->path, name));
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(sum(klm_buf_as_slice(out), digest));
    klm_buf_put(out, digest, sizeof digest);
    KLM_TRY(klm_buf_rc(out));
    return klm_file_replace(name, klm_buf_as_slice(out), 0600, diag);
}

/* The header block of a file from the tape; n is 0 when it has none. The place on the tape is
 * not kept. */
static klm_rc read_header(struct ios_cart *cart, const struct ios_volume_file *file, uint8_t *block,
                          size_t *n)
{
    struct ios_cart_header header;
    enum ios_aws_kind kind;

    ios_aws_seek(cart->aws, file->data);
    KLM_TRY(ios_aws_read(cart->aws, block, n, &kind));
    if (kind != IOS_AWS_BLOCK || ios_cart_header_decode(KLM_SLICE(block, *n), &header) != KLM_OK) {
        *n = 0;
    }
    return KLM_OK;
}

klm_rc ios_cm_rebuild(struct ios_cart *cart, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    uint8_t *block = malloc(IOS_AWS_BLOCK_MAX);
    klm_rc rc = block ? KLM_OK : KLM_E_NOMEM;

    klm_buf_init(&out, CM_MAX);
    put_head(&out, cart);
    for (size_t i = 0; i < cart->n && rc == KLM_OK; i++) {
        size_t n = 0;
        rc = cart->open ? KLM_E_STATE : read_header(cart, &cart->files[i], block, &n);
        put_file(&out, &cart->files[i].info, KLM_SLICE(block, n));
    }
    free(block);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_FILE_READ, cart->path, klm_rc_text(rc));
    }
    return save(cart, &out, diag);
}

/* Does the memory tell the same files as the volume, as far as n goes? */
static bool agrees(const struct ios_cm *cm, const struct ios_cart *cart, size_t n)
{
    if (cm->n != n || strcmp(cm->volser, cart->volser) != 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(cm->file[i].info.dsname, cart->files[i].info.dsname) != 0 ||
            cm->file[i].info.blocks != cart->files[i].info.blocks) {
            return false;
        }
    }
    return true;
}

/* The files before from the memory, when it knew them, and the new one from what is open. */
klm_rc ios_cm_update(struct ios_cart *cart, struct klm_diag *diag)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    struct ios_file *open = cart->open;
    struct ios_cm cm = {0};

    klm_buf_init(&out, CM_MAX);
    KLM_TRY(klm_pool_new(2 * CM_MAX, &pool));
    klm_rc rc = cart->n > 1 ? ios_cm_load(cart->path, pool, &cm) : KLM_OK;
    if (rc != KLM_OK || (cart->n > 1 && !agrees(&cm, cart, cart->n - 1))) {
        cart->open = NULL; /* its blocks are all written; the tape is free to be read */
        rc = ios_cm_rebuild(cart, diag);
        cart->open = open;
        return rc;
    }
    put_head(&out, cart);
    for (size_t i = 0; i < cm.n; i++) {
        put_file(&out, &cm.file[i].info, cm.file[i].header);
    }
    put_file(&out, &open->file.info, klm_buf_as_slice(&open->header));
    return save(cart, &out, diag);
}

void ios_cm_check(struct ios_cart *cart)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_diag diag = {0};
    struct ios_cm cm = {0};

    if (klm_pool_new(2 * CM_MAX, &pool) != KLM_OK) {
        return;
    }
    klm_rc rc = ios_cm_load(cart->path, pool, &cm);
    bool good = rc == KLM_OK && agrees(&cm, cart, cart->n);
    if (good || (rc == KLM_E_NOTFOUND && cart->n == 0)) {
        return;
    }
    if (ios_cm_rebuild(cart, &diag) == KLM_OK) {
        klm_say(KLM_MSG_CART_CM_REBUILT, cart->path);
    } else {
        klm_say(KLM_MSG_CART_CM_FAILED, cart->path, diag.text);
    }
}

klm_rc ios_cm_header(const struct ios_cart *cart, unsigned seq, struct klm_buf *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct ios_cart_header header;
    struct ios_cm cm = {0};

    KLM_TRY(klm_pool_new(2 * CM_MAX, &pool));
    KLM_TRY(ios_cm_load(cart->path, pool, &cm));
    if (!agrees(&cm, cart, cart->n) || !cm.file) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(ios_cart_header_decode(cm.file[seq - 1].header, &header));
    klm_buf_slice(out, cm.file[seq - 1].header);
    return klm_buf_rc(out);
}
