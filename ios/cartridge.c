/* Volumes: initialising, mounting, what they hold, and the file that is open on one. */
#include "ios/cartridge_volume.h"

#include "base/file.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWNER "KLMSRV"

static klm_rc write_empty(struct ios_aws *aws, const char *volser)
{
    uint8_t label[IOS_LABEL_SIZE];

    ios_label_vol1(volser, OWNER, label);
    KLM_TRY(ios_aws_write(aws, label, sizeof label));
    ios_label_dummy(label);
    KLM_TRY(ios_aws_write(aws, label, sizeof label));
    KLM_TRY(ios_aws_mark(aws));
    return ios_aws_sync(aws);
}

static klm_rc sync_folder_of(const char *path)
{
    char folder[4096];

    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    return klm_sync_folder(folder);
}

klm_rc ios_cart_create(const char *path, const char *volser, struct klm_diag *diag)
{
    KLM_AUTO(ios_aws_free) struct ios_aws *aws = NULL;

    if (ios_volser_check(volser) != KLM_OK) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_VOLSER, volser);
    }
    KLM_TRY(ios_aws_create(path, diag, &aws));
    klm_rc rc = write_empty(aws, volser);
    if (rc == KLM_OK) {
        rc = sync_folder_of(path);
    }
    if (rc != KLM_OK) {
        (void)unlink(path); /* ours, and of no use to anybody */
        return klm_fail(diag, rc, KLM_MSG_FILE_WRITE, path, klm_rc_text(rc));
    }
    return KLM_OK;
}

klm_rc ios_cart_open(const char *path, enum ios_cart_mode mode, struct klm_diag *diag,
                     struct ios_cart **out)
{
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = calloc(1, sizeof *cart);

    if (!cart || !(cart->path = strdup(path))) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, path);
    }
    cart->mode = mode;
    KLM_TRY(ios_aws_open(path, mode == IOS_CART_WRITE, diag, &cart->aws));
    KLM_TRY(ios_volume_scan(cart, diag));
    ios_cm_check(cart);
    *out = cart;
    cart = NULL;
    return KLM_OK;
}

void ios_cart_free(struct ios_cart **cart)
{
    struct ios_cart *c = *cart;

    if (!c) {
        return;
    }
    if (c->open) {
        struct ios_file *file = c->open;
        ios_file_free(&file);
    }
    ios_aws_free(&c->aws);
    free(c->files);
    free(c->path);
    free(c);
    *cart = NULL;
}

const char *ios_cart_volser(const struct ios_cart *cart)
{
    return cart->volser;
}

const struct klm_diag *ios_cart_note(const struct ios_cart *cart)
{
    return &cart->note;
}

size_t ios_cart_files(const struct ios_cart *cart)
{
    return cart->n;
}

const struct ios_file_info *ios_cart_file(const struct ios_cart *cart, size_t i)
{
    return i < cart->n ? &cart->files[i].info : NULL;
}

/* ---- The open file */

klm_rc ios_file_new(struct ios_cart *cart, struct ios_file **out)
{
    if (cart->open) {
        return KLM_E_STATE;
    }
    struct ios_file *file = calloc(1, sizeof *file);
    if (!file) {
        return KLM_E_NOMEM;
    }
    file->cart = cart;
    klm_buf_init(&file->header, IOS_CART_HEADER_MAX);
    cart->open = file;
    *out = file;
    return KLM_OK;
}

klm_rc ios_file_room(struct ios_file *file, size_t size)
{
    file->chunk = malloc(size);
    file->chunk_size = size;
    return file->chunk ? KLM_OK : KLM_E_NOMEM;
}

void ios_file_done(struct ios_file **file)
{
    struct ios_file *f = *file;

    if (!f) {
        return;
    }
    if (f->chunk) {
        klm_wipe(f->chunk, f->chunk_size);
        free(f->chunk);
    }
    ios_sealer_free(&f->sealer);
    klm_buf_done(&f->header);
    f->cart->open = NULL;
    free(f);
    *file = NULL;
}

void ios_file_free(struct ios_file **file)
{
    if (*file && (*file)->writing && !(*file)->done) {
        ios_file_take_off(*file);
    }
    ios_file_done(file);
}

klm_rc ios_file_close(struct ios_file **file, struct ios_file_info *info, struct klm_diag *diag)
{
    struct ios_file *f = *file;
    klm_rc rc = f->failed;

    if (f->writing && rc == KLM_OK) {
        rc = ios_file_finish(f, diag);
    }
    if (rc == KLM_OK && info) {
        *info = f->file.info;
    }
    ios_file_free(file);
    return rc;
}
