/* Writing a file: labels, header block, sealed chunks, labels; on disk before it is reported. */
#include "ios/cartridge_volume.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

static klm_rc fail_write(struct ios_file *file, klm_rc rc, struct klm_diag *diag)
{
    file->failed = rc;
    return klm_fail(diag, rc, KLM_MSG_FILE_WRITE, file->cart->path, klm_rc_text(rc));
}

static struct ios_label1 label1_of(const struct ios_file *file, uint64_t blocks)
{
    const struct ios_file_info *info = &file->file.info;
    struct ios_label1 label = {
        .fileseq = info->seq, .year = info->year, .day = info->day, .blocks = blocks};

    memcpy(label.dsname, info->dsname, sizeof label.dsname);
    memcpy(label.volser, file->cart->volser, sizeof label.volser);
    return label;
}

static klm_rc write_labels(struct ios_file *file, bool header)
{
    const struct ios_file_info *info = &file->file.info;
    struct ios_label1 label1 = label1_of(file, header ? 0 : info->blocks);
    struct ios_label2 label2 = {.recfm = 'U', .blksize = IOS_CART_BLOCK_MAX};
    struct ios_aws *aws = file->cart->aws;
    uint8_t label[IOS_LABEL_SIZE];

    memcpy(label2.job, info->job, sizeof label2.job);
    memcpy(label2.step, info->step, sizeof label2.step);
    ios_label_1(header ? IOS_LABEL_HDR1 : IOS_LABEL_EOF1, &label1, label);
    KLM_TRY(ios_aws_write(aws, label, sizeof label));
    ios_label_2(header ? IOS_LABEL_HDR2 : IOS_LABEL_EOF2, &label2, label);
    KLM_TRY(ios_aws_write(aws, label, sizeof label));
    return ios_aws_mark(aws);
}

static klm_rc write_block(struct ios_file *file, const void *p, size_t n)
{
    if (file->file.info.blocks == IOS_BLOCKS_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(ios_aws_write(file->cart->aws, p, n));
    file->file.info.blocks++;
    return KLM_OK;
}

static klm_rc check_begin(const struct ios_cart *cart, const char *dsname, struct klm_diag *diag)
{
    if (cart->mode != IOS_CART_WRITE || cart->open) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_CART_STATE, cart->volser);
    }
    if (cart->damaged) {
        if (diag) {
            *diag = cart->note;
        }
        return KLM_E_STATE;
    }
    if (ios_dsname_check(dsname) != KLM_OK) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_DSNAME, dsname);
    }
    if (cart->n == IOS_FILESEQ_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_CART_FULL, cart->volser, KLM_NUM(cart->n));
    }
    return KLM_OK;
}

static void describe(struct ios_file *file, const char *dsname, const struct ios_file_key *key)
{
    struct ios_file_info *info = &file->file.info;

    info->seq = (unsigned)file->cart->n + 1;
    ios_label_name(dsname, info->dsname);
    snprintf(info->job, sizeof info->job, "%s", key->job ? key->job : "");
    snprintf(info->step, sizeof info->step, "%s", key->step ? key->step : "");
    ios_label_today(klm_clock(), &info->year, &info->day);
}

/* A fresh salt for each file, so that even one key used twice never meets one nonce twice. */
static klm_rc make_header(struct ios_file *file, const struct ios_file_key *key)
{
    struct ios_cart_header header = {.chunk = IOS_CART_CHUNK,
                                     .eedk_n = key->eedk_n,
                                     .compression = key->stored ? IOS_CART_STORED : IOS_CART_ZSTD};

    memcpy(header.eedk, key->eedk, sizeof header.eedk);
    if (key->key_id) {
        header.by_id = true;
        memcpy(header.key_id, key->key_id, sizeof header.key_id);
    }
    KLM_TRY(klm_random(header.salt, sizeof header.salt));
    KLM_TRY(ios_cart_header_encode(&header, &file->header));
    KLM_TRY(ios_sealer_new(klm_buf_as_slice(&file->header), key->key, true, &file->sealer));
    return ios_file_room(file, header.chunk);
}

static klm_rc start_on_tape(struct ios_file *file)
{
    struct ios_cart *cart = file->cart;

    ios_aws_seek(cart->aws, cart->append);
    file->writing = true;
    KLM_TRY(ios_aws_cut(cart->aws));
    KLM_TRY(write_labels(file, true));
    file->file.data = ios_aws_tell(cart->aws);
    return write_block(file, file->header.p, file->header.n);
}

klm_rc ios_file_begin_write(struct ios_cart *cart, const char *dsname,
                            const struct ios_file_key *key, struct klm_diag *diag,
                            struct ios_file **out)
{
    KLM_AUTO(ios_file_free) struct ios_file *file = NULL;

    KLM_TRY(check_begin(cart, dsname, diag));
    KLM_TRY(ios_file_new(cart, &file));
    describe(file, dsname, key);
    klm_rc rc = make_header(file, key);
    if (rc == KLM_OK) {
        rc = start_on_tape(file);
    }
    if (rc != KLM_OK) {
        return fail_write(file, rc, diag);
    }
    *out = file;
    file = NULL;
    return KLM_OK;
}

static klm_rc write_chunk(struct ios_file *file, const uint8_t *p, size_t n, bool last)
{
    size_t sealed = 0;

    KLM_TRY(ios_seal(file->sealer, last, p, n, file->block, &sealed));
    return write_block(file, file->block, sealed);
}

/* A full chunk is written only when more is known to come: the last block must say that it is
 * the last. */
static klm_rc write_some(struct ios_file *file, const uint8_t *p, size_t n)
{
    while (n > 0) {
        if (file->chunk_n == file->chunk_size) {
            KLM_TRY(write_chunk(file, file->chunk, file->chunk_n, false));
            file->chunk_n = 0;
        }
        if (file->chunk_n == 0 && n > file->chunk_size) {
            KLM_TRY(write_chunk(file, p, file->chunk_size, false)); /* without copying */
            p += file->chunk_size;
            n -= file->chunk_size;
            continue;
        }
        size_t room = file->chunk_size - file->chunk_n;
        size_t take = n < room ? n : room;
        memcpy(file->chunk + file->chunk_n, p, take);
        file->chunk_n += take;
        p += take;
        n -= take;
    }
    return KLM_OK;
}

klm_rc ios_file_write(struct ios_file *file, const void *p, size_t n, struct klm_diag *diag)
{
    if (!file->writing || file->failed != KLM_OK) {
        return file->writing ? file->failed : KLM_E_STATE;
    }
    klm_rc rc = write_some(file, p, n);
    return rc == KLM_OK ? KLM_OK : fail_write(file, rc, diag);
}

static klm_rc end_on_tape(struct ios_file *file)
{
    struct ios_aws *aws = file->cart->aws;
    struct ios_aws_pos append;

    KLM_TRY(write_chunk(file, file->chunk, file->chunk_n, true));
    KLM_TRY(ios_aws_mark(aws));
    KLM_TRY(write_labels(file, false));
    append = ios_aws_tell(aws);
    KLM_TRY(ios_aws_mark(aws));
    struct ios_volume_file *entry = ios_volume_add(file->cart);
    if (!entry) {
        return KLM_E_NOMEM;
    }
    *entry = file->file;
    klm_rc rc = ios_aws_sync(aws);
    if (rc != KLM_OK) {
        file->cart->n--;
        return rc;
    }
    file->cart->append = append;
    return KLM_OK;
}

klm_rc ios_file_finish(struct ios_file *file, struct klm_diag *diag)
{
    struct klm_diag cm = {0};
    klm_rc rc = end_on_tape(file);

    if (rc != KLM_OK) {
        return fail_write(file, rc, diag);
    }
    file->done = true;
    /* An interrupted file that was here is gone now. */
    memset(&file->cart->note, 0, sizeof file->cart->note);
    /* The tape is right and safe; its copy can be made again at any time. */
    if (ios_cm_update(file->cart, &cm) != KLM_OK) {
        klm_say(KLM_MSG_CART_CM_FAILED, file->cart->path, cm.text);
    }
    return KLM_OK;
}

void ios_file_take_off(struct ios_file *file)
{
    struct ios_aws *aws = file->cart->aws;

    ios_aws_seek(aws, file->cart->append);
    klm_rc rc = ios_aws_cut(aws);
    if (rc == KLM_OK) {
        rc = ios_aws_mark(aws);
    }
    if (rc == KLM_OK) {
        rc = ios_aws_sync(aws);
    }
    if (rc != KLM_OK) {
        /* The next mount finds the file interrupted, and says the same. */
        klm_say(KLM_MSG_CART_INTERRUPTED, file->cart->volser, KLM_NUM(file->file.info.seq));
    }
}
