/* Putting back the state that a restore kept: a copy of it is prepared as any new state is. */
#include "backup/restore.h"

#include "base/file.h"
#include "base/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)
#define FILE_MOST (256u << 20)
#define FACT_UNDONE "restore.undone"

static klm_rc refuse(struct bk_restoring *r, const char *path)
{
    return klm_fail(r->diag, klm_rc_errno(errno), KLM_MSG_BK_STAGE, path, strerror(errno));
}

static klm_rc copy_bytes(struct bk_restoring *r, int from, int to, const char *path)
{
    uint8_t *piece = malloc(PIECE);
    klm_rc rc = piece ? KLM_OK : KLM_E_NOMEM;

    while (rc == KLM_OK) {
        ssize_t n = read(from, piece, PIECE);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            rc = n < 0 ? refuse(r, path) : KLM_OK;
            break;
        }
        rc = klm_write_all(to, piece, (size_t)n);
    }
    free(piece);
    return rc == KLM_OK ? klm_fsync(to) : rc;
}

static klm_rc copy_file(struct bk_restoring *r, const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out;
    klm_rc rc;

    if (in < 0) {
        return refuse(r, from);
    }
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    rc = out < 0 ? refuse(r, to) : copy_bytes(r, in, out, from);
    close(in);
    if (out >= 0 && close(out) != 0 && rc == KLM_OK) {
        rc = refuse(r, to);
    }
    return rc == KLM_OK ? rc : bk_stage_failed(r, to, rc);
}

/* The kept store is a folder of files; the lock is not one of its parts. */
static klm_rc copy_store(struct bk_restoring *r, const char *from, const char *to)
{
    DIR *dir = opendir(from);
    char source[4700], target[4700];
    klm_rc rc = KLM_OK;

    if (!dir) {
        return klm_fail(r->diag, KLM_E_NOTFOUND, KLM_MSG_BK_KEPT, from);
    }
    if (mkdir(to, 0700) != 0) {
        rc = refuse(r, to);
    }
    for (struct dirent *d; rc == KLM_OK && (d = readdir(dir));) {
        if (d->d_name[0] != '.' && strcmp(d->d_name, "LOCK") != 0) {
            snprintf(source, sizeof source, "%s/%s", from, d->d_name);
            snprintf(target, sizeof target, "%s/%s", to, d->d_name);
            rc = copy_file(r, source, target);
        }
    }
    closedir(dir);
    return rc == KLM_OK ? klm_sync_folder(to) : rc;
}

/* Changes go on above all numbers that were in use, because the journal knows events by them. */
static klm_rc raise_number(struct bk_restoring *r, const char *home)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;
    struct st_options options;
    struct st_change *change;
    klm_rc rc;

    KLM_TRY(bk_stage_options(r, home, &options));
    options.create = false;
    options.number = r->present.number;
    rc = st_open_bdb(&options, r->diag, &store);
    klm_wipe(options.mac_key, sizeof options.mac_key);
    KLM_TRY(rc);
    KLM_TRY(st_change_open(store, &change));
    rc = st_put(change, ST_META, klm_slice_str(FACT_UNDONE), KLM_SLICE("", 0));
    if (rc == KLM_OK) {
        rc = st_change_commit(&change, r->diag);
    }
    st_change_drop(&change);
    if (rc == KLM_OK) {
        rc = bk_given_carry(r, store);
    }
    return rc == KLM_OK ? st_checkpoint(store, 0, 0) : rc;
}

static klm_rc put_file(struct bk_restoring *r, const char *kept, const struct bk_path *path)
{
    char copy[4400];
    struct klm_buf text;
    klm_rc rc;

    if (path->beside) {
        return KLM_OK; /* it lies in the store's folder */
    }
    snprintf(copy, sizeof copy, "%s/%s", kept, path->name);
    klm_buf_init_wiping(&text, FILE_MOST);
    rc = klm_file_read(copy, FILE_MOST, &text, r->diag);
    if (rc == KLM_OK) {
        rc = km_switch_file(r->swap, path->path, path->name,
                            text.n ? klm_buf_as_slice(&text) : KLM_SLICE("", 0), 0644, r->diag);
    } else if (rc == KLM_E_NOTFOUND && strcmp(path->name, BK_NAME_CONFIG) == 0) {
        rc = KLM_OK; /* the restore did not change it */
    } else if (rc == KLM_E_NOTFOUND) {
        rc = km_switch_file(r->swap, path->path, path->name, KLM_SLICE(NULL, 0), 0, r->diag);
    }
    klm_buf_done(&text);
    return rc;
}

static klm_rc put_files(struct bk_restoring *r, const char *kept)
{
    struct bk_path path[BK_PATHS];
    size_t n;

    KLM_TRY(bk_paths(r->config, path, &n));
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(put_file(r, kept, &path[i]));
    }
    return KLM_OK;
}

static klm_rc undo(struct bk_restoring *r, struct bk_restored *out)
{
    const char *kept = r->order->file;
    char store[4200];
    klm_rc rc;

    KLM_TRY(bk_restore_begin(r));
    r->step = "preparing the state before";
    snprintf(store, sizeof store, "%s/store", kept);
    KLM_TRY(copy_store(r, store, km_switch_store(r->swap)));
    rc = raise_number(r, km_switch_store(r->swap));
    st_close(&r->store); /* nobody else opens it: km_switch_ask */
    if (rc == KLM_OK) {
        rc = put_files(r, kept);
    }
    KLM_TRY(rc == KLM_OK ? rc : bk_stage_failed(r, kept, rc));
    return bk_restore_commit(r, kept, out);
}

klm_rc bk_undo(const struct bk_restore *order, struct klm_diag *diag, struct bk_restored *out)
{
    return bk_restore_run(order, undo, diag, out);
}
