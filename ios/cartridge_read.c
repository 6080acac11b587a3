/* Reading a file: each block is checked in its place before a byte of it is given out. */
#include "ios/cartridge_volume.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

static klm_rc fail(struct ios_file *file, klm_rc rc, enum klm_msg_id id, struct klm_diag *diag)
{
    file->failed = rc;
    return klm_fail(diag, rc, id, KLM_NUM(file->file.info.seq), file->cart->volser,
                    KLM_NUM(file->sealer ? ios_sealer_number(file->sealer) : 0));
}

/* The first block as header; when it is none, the copy in the cartridge memory. */
static klm_rc find_header(struct ios_file *file, size_t n, struct klm_diag *diag)
{
    struct ios_cart_header header = {0};
    klm_rc rc = ios_cart_header_decode(KLM_SLICE(file->block, n), &header);

    if (rc == KLM_OK) {
        klm_buf_put(&file->header, file->block, n);
        KLM_TRY(klm_buf_rc(&file->header));
    } else if (ios_cm_header(file->cart, file->file.info.seq, &file->header) == KLM_OK) {
        klm_say(KLM_MSG_CART_HEADER_CM, KLM_NUM(file->file.info.seq), file->cart->volser);
    } else {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_CART_NOT_OURS,
                        KLM_NUM(file->file.info.seq), file->cart->volser,
                        rc == KLM_E_UNSUPPORTED ? "its format is of a later version"
                                                : "it does not begin with a header block");
    }
    /* Again, from the copy that stays. */
    KLM_TRY(ios_cart_header_decode(klm_buf_as_slice(&file->header), &header));
    memcpy(file->eedk, header.eedk, sizeof file->eedk);
    file->eedk_n = header.eedk_n;
    file->by_id = header.by_id;
    memcpy(file->key_id, header.key_id, sizeof file->key_id);
    return ios_file_room(file, header.chunk);
}

klm_rc ios_file_open_read(struct ios_cart *cart, unsigned seq, struct klm_diag *diag,
                          struct ios_file **out)
{
    KLM_AUTO(ios_file_done) struct ios_file *file = NULL;
    enum ios_aws_kind kind;
    size_t n = 0;

    if (seq == 0 || seq > cart->n) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_CART_NO_FILE, KLM_NUM(seq), cart->volser);
    }
    if (cart->open) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_CART_STATE, cart->volser);
    }
    KLM_TRY(ios_file_new(cart, &file));
    file->file = cart->files[seq - 1];
    ios_aws_seek(cart->aws, file->file.data);
    klm_rc rc = ios_aws_read(cart->aws, file->block, &n, &kind);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_FILE_READ, cart->path, klm_rc_text(rc));
    }
    KLM_TRY(find_header(file, kind == IOS_AWS_BLOCK ? n : 0, diag));
    *out = file;
    file = NULL;
    return KLM_OK;
}

size_t ios_file_eedks(const struct ios_file *file, struct klm_slice eedk[IOS_EEDKS])
{
    for (size_t i = 0; i < file->eedk_n; i++) {
        eedk[i] = file->eedk[i];
    }
    return file->eedk_n;
}

bool ios_file_key_id(const struct ios_file *file, uint8_t out[IOS_KEY_ID])
{
    if (file->by_id) {
        memcpy(out, file->key_id, IOS_KEY_ID);
    }
    return file->by_id;
}

klm_rc ios_file_set_key(struct ios_file *file, const uint8_t key[IOS_KEY_SIZE])
{
    if (file->writing || file->sealer) {
        return KLM_E_STATE;
    }
    return ios_sealer_new(klm_buf_as_slice(&file->header), key, false, &file->sealer);
}

static klm_rc refuse(struct ios_file *file, enum ios_block_fault fault,
                     const struct ios_opened *opened, struct klm_diag *diag)
{
    switch (fault) {
    case IOS_BLOCK_GOOD:
        return KLM_OK;
    case IOS_BLOCK_FORM:
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FORM, diag);
    case IOS_BLOCK_FOREIGN:
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FOREIGN, diag);
    case IOS_BLOCK_ORDER:
        file->failed = KLM_E_CORRUPT;
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_ORDER, KLM_NUM(file->file.info.seq),
                        file->cart->volser, KLM_NUM(ios_sealer_number(file->sealer)),
                        KLM_NUM(opened->number));
    case IOS_BLOCK_TAG:
        if (ios_sealer_number(file->sealer) == 0) {
            return fail(file, KLM_E_WRONGKEY, KLM_MSG_CART_WRONG_KEY, diag);
        }
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_TAG, diag);
    case IOS_BLOCK_CONTENT:
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_TAG, diag);
    }
    return KLM_E_INTERNAL;
}

/* Behind the last block comes a tape mark and nothing else. */
static klm_rc check_end(struct ios_file *file, struct klm_diag *diag)
{
    enum ios_aws_kind kind;
    size_t n;

    if (ios_aws_skip(file->cart->aws, &n, &kind) != KLM_OK || kind != IOS_AWS_MARK) {
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_TRAILING, diag);
    }
    file->done = true;
    return KLM_OK;
}

static klm_rc next_chunk(struct ios_file *file, struct klm_diag *diag)
{
    struct ios_opened opened = {0};
    enum ios_aws_kind kind;
    size_t n = 0;

    klm_rc rc = ios_aws_read(file->cart->aws, file->block, &n, &kind);
    if (rc != KLM_OK) {
        return fail(file, rc == KLM_E_IO ? rc : KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FORM, diag);
    }
    if (kind != IOS_AWS_BLOCK) {
        return fail(file, KLM_E_CORRUPT, KLM_MSG_CART_CUT, diag);
    }
    enum ios_block_fault fault =
        ios_open(file->sealer, KLM_SLICE(file->block, n), file->chunk, &opened);
    KLM_TRY(refuse(file, fault, &opened, diag));
    if (opened.last) {
        KLM_TRY(check_end(file, diag));
    }
    file->chunk_n = opened.n;
    file->chunk_at = 0;
    return KLM_OK;
}

klm_rc ios_file_read(struct ios_file *file, void *out, size_t cap, size_t *n, struct klm_diag *diag)
{
    uint8_t *to = out;
    size_t got = 0;

    if (file->writing || !file->sealer) {
        return KLM_E_STATE;
    }
    if (file->failed != KLM_OK) {
        return file->failed;
    }
    while (got < cap) {
        if (file->chunk_at == file->chunk_n) {
            if (file->done || got > 0) {
                break; /* one chunk at a time: what is out stays good when the next is not */
            }
            KLM_TRY(next_chunk(file, diag));
            continue;
        }
        size_t left = file->chunk_n - file->chunk_at;
        size_t take = left < cap - got ? left : cap - got;
        memcpy(to + got, file->chunk + file->chunk_at, take);
        file->chunk_at += take;
        got += take;
    }
    *n = got;
    return KLM_OK;
}
