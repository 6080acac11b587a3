/* A backup that is open for reading: its header, its key, and as many walks as are needed. */
#include "backup/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static klm_rc open_regular(const char *path, struct klm_diag *diag, int *out, uint64_t *bytes)
{
    /* O_NONBLOCK: a FIFO of that name must not hold us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_FILE_READ, path, "it is no regular file");
    }
    *out = fd;
    *bytes = (uint64_t)st.st_size;
    return KLM_OK;
}

static klm_rc read_at(const struct bk_file *file, uint8_t *to, size_t n, off_t at,
                      struct klm_diag *diag)
{
    while (n > 0) {
        ssize_t got = pread(file->fd, to, n, at);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, file->path,
                            strerror(errno));
        }
        if (got == 0 && at == 0) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_NOT, file->path);
        }
        if (got == 0) {
            return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, file->path,
                            "it ends within its header");
        }
        to += got;
        n -= (size_t)got;
        at += got;
    }
    return KLM_OK;
}

klm_rc bk_file_open(const char *path, struct klm_diag *diag, struct bk_file *out)
{
    uint8_t start[BK_HEADER_LEAST], *bytes;
    size_t n = 0;

    *out = (struct bk_file){.path = path, .fd = -1};
    KLM_TRY(open_regular(path, diag, &out->fd, &out->bytes));
    KLM_TRY(klm_pool_new(0, &out->pool));
    KLM_TRY(read_at(out, start, sizeof start, 0, diag));
    KLM_TRY(bk_header_length(start, path, diag, &n));
    bytes = klm_pool_alloc(out->pool, n);
    if (!bytes) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(read_at(out, bytes, n, 0, diag));
    return bk_header_decode(KLM_SLICE(bytes, n), path, out->pool, diag, &out->header);
}

void bk_file_close(struct bk_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    kr_backup_free(&file->key);
    klm_pool_free(&file->pool);
    file->fd = -1;
}

klm_rc bk_file_unlock(struct bk_file *file, struct klm_slice password, struct klm_diag *diag)
{
    const struct bk_header *header = &file->header;
    klm_rc rc = KLM_E_UNSUPPORTED;

    for (size_t i = 0; i < header->slots && rc != KLM_OK; i++) {
        if (header->slot[i].type == KR_SLOT_PASSWORD) {
            rc = kr_slot_open_password(header->slot[i].body, header->id, password, &file->key);
        }
    }
    switch (rc) {
    case KLM_OK:
        break;
    case KLM_E_WRONGKEY:
        return klm_fail(diag, rc, KLM_MSG_BK_PASSWORD, file->path);
    case KLM_E_UNSUPPORTED:
        return klm_fail(diag, rc, KLM_MSG_BK_NO_SLOT, file->path);
    case KLM_E_LIMIT:
    case KLM_E_CORRUPT:
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, file->path,
                        "its password slot asks for the impossible");
    default:
        return rc;
    }
    rc = bk_header_check(header, file->key);
    return rc == KLM_E_CORRUPT
               ? klm_fail(diag, rc, KLM_MSG_BK_DAMAGED, file->path, "its header was changed")
               : rc;
}

static klm_rc from_first_chunk(struct bk_file *file, const struct bk_pulse *pulse,
                               struct klm_diag *diag, struct bk_in **out)
{
    if (lseek(file->fd, (off_t)file->header.whole.n, SEEK_SET) < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, file->path, strerror(errno));
    }
    KLM_TRY(bk_in_open(file->fd, file->path, file->borrowed ? file->borrowed : file->key,
                       file->header.chunk, pulse, out));
    if (file->reach) {
        bk_in_behind(*out, file->reach);
    }
    return KLM_OK;
}

klm_rc bk_file_prove(struct bk_file *file, const struct bk_pulse *pulse, struct klm_diag *diag)
{
    KLM_AUTO(bk_in_free) struct bk_in *in = NULL;

    KLM_TRY(from_first_chunk(file, pulse, diag, &in));
    return bk_in_prove(in, diag);
}

klm_rc bk_file_walk(struct bk_file *file, const struct bk_visitor *visitor,
                    const struct bk_pulse *pulse, struct klm_diag *diag, struct bk_found *out)
{
    KLM_AUTO(bk_in_free) struct bk_in *in = NULL;

    KLM_TRY(from_first_chunk(file, pulse, diag, &in));
    return bk_walk(in, &file->header, file->path, visitor, file->pool, diag, out);
}
