#include "ios/awstape.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW (256 * 1024)

enum { FLAG_NEW = 0x80, FLAG_MARK = 0x40, FLAG_END = 0x20 };

struct ios_aws {
    int fd;
    uint64_t at;       /* where the next header is read or written */
    uint16_t previous; /* what its second field must be */
    /* The window is a copy of the file when reading, and what is still to be written when writing. */
    uint64_t window_at;
    size_t window_n;
    bool dirty;
    uint8_t window[WINDOW];
};

struct head {
    uint16_t length, previous;
    uint8_t flags, zero;
};

static klm_rc fail_errno(struct klm_diag *diag, const char *path, int err)
{
    char text[128];

    if (err == EWOULDBLOCK) {
        return klm_fail(diag, KLM_E_BUSY, KLM_MSG_CART_BUSY, path);
    }
    if (err == EEXIST) {
        return klm_fail(diag, KLM_E_EXISTS, KLM_MSG_CART_EXISTS, path);
    }
    return klm_fail(diag, klm_rc_errno(err), KLM_MSG_FILE_OPEN, path,
                    strerror_r(err, text, sizeof text));
}

/* Takes over the descriptor when all is well. */
static klm_rc wrap(int fd, int lock, const char *path, struct klm_diag *diag, struct ios_aws **out)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return fail_errno(diag, path, errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_NOT_AWS, path, "it is no regular file");
    }
    if (flock(fd, lock | LOCK_NB) != 0) {
        return fail_errno(diag, path, errno);
    }
    struct ios_aws *aws = calloc(1, sizeof *aws);
    if (!aws) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, path);
    }
    aws->fd = fd;
    *out = aws;
    return KLM_OK;
}

static klm_rc open_as(const char *path, int flags, int lock, struct klm_diag *diag,
                      struct ios_aws **out)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

    if (fd < 0) {
        return fail_errno(diag, path, errno);
    }
    klm_rc rc = wrap(fd, lock, path, diag, out);
    if (rc != KLM_OK) {
        close(fd);
    }
    return rc;
}

klm_rc ios_aws_create(const char *path, struct klm_diag *diag, struct ios_aws **out)
{
    return open_as(path, O_RDWR | O_CREAT | O_EXCL, LOCK_EX, diag, out);
}

klm_rc ios_aws_open(const char *path, bool write, struct klm_diag *diag, struct ios_aws **out)
{
    return open_as(path, write ? O_RDWR : O_RDONLY, write ? LOCK_EX : LOCK_SH, diag, out);
}

void ios_aws_free(struct ios_aws **aws)
{
    if (*aws) {
        close((*aws)->fd);
        free(*aws);
        *aws = NULL;
    }
}

struct ios_aws_pos ios_aws_tell(const struct ios_aws *aws)
{
    return (struct ios_aws_pos){aws->at, aws->previous};
}

void ios_aws_seek(struct ios_aws *aws, struct ios_aws_pos pos)
{
    aws->at = pos.at;
    aws->previous = pos.previous;
}

static klm_rc flush(struct ios_aws *aws)
{
    if (aws->dirty && aws->window_n > 0) {
        KLM_TRY(klm_pwrite_all(aws->fd, aws->window, aws->window_n, (off_t)aws->window_at));
    }
    aws->dirty = false;
    aws->window_n = 0;
    return KLM_OK;
}

/* ---- Reading */

/* Up to n bytes at an offset; less only at the end of the file. */
static klm_rc pread_all(int fd, uint8_t *p, size_t n, uint64_t at, size_t *got)
{
    *got = 0;
    while (*got < n) {
        ssize_t k = pread(fd, p + *got, n - *got, (off_t)(at + *got));
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k < 0) {
            return KLM_E_IO;
        }
        if (k == 0) {
            break;
        }
        *got += (size_t)k;
    }
    return KLM_OK;
}

/* Bytes [at, at+n) of the file through the window; *got less than n at its end. */
static klm_rc fetch(struct ios_aws *aws, uint64_t at, size_t n, const uint8_t **p, size_t *got)
{
    KLM_TRY(aws->dirty ? flush(aws) : KLM_OK);
    if (at < aws->window_at || at + n > aws->window_at + aws->window_n) {
        aws->window_at = at;
        aws->window_n = 0;
        size_t fresh = 0;
        KLM_TRY(pread_all(aws->fd, aws->window, sizeof aws->window, at, &fresh));
        aws->window_n = fresh;
    }
    size_t left = aws->window_n - (size_t)(at - aws->window_at);
    *p = aws->window + (at - aws->window_at);
    *got = left < n ? left : n;
    return KLM_OK;
}

static uint16_t little(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* After a loss of power a file can be longer than what was written into it: zeros up to its end. */
static klm_rc only_zeros(struct ios_aws *aws, uint64_t at, bool *zeros)
{
    for (;;) {
        const uint8_t *p;
        size_t n;

        KLM_TRY(fetch(aws, at, 4096, &p, &n));
        for (size_t i = 0; i < n; i++) {
            if (p[i] != 0) {
                *zeros = false;
                return KLM_OK;
            }
        }
        if (n < 4096) {
            *zeros = true;
            return KLM_OK;
        }
        at += n;
    }
}

/* Is this header one that a writer makes here? */
static klm_rc check_head(const struct head *head, uint16_t previous, bool first)
{
    bool part = (head->flags & (FLAG_NEW | FLAG_END)) == head->flags;

    if (head->zero != 0 || head->previous != previous) {
        return KLM_E_CORRUPT;
    }
    if (head->flags == FLAG_MARK) {
        return first && head->length == 0 ? KLM_OK : KLM_E_CORRUPT;
    }
    if (!part || head->length == 0 || first != ((head->flags & FLAG_NEW) != 0)) {
        return KLM_E_CORRUPT;
    }
    return KLM_OK;
}

/* Only the header from the file when the window does not have it: skipping must not read
 * everything. */
static klm_rc fetch_head(struct ios_aws *aws, uint64_t at, bool skip, uint8_t raw[6], size_t *got)
{
    bool here = at >= aws->window_at && at + IOS_AWS_HEADER <= aws->window_at + aws->window_n;
    const uint8_t *p;

    if (skip && !here) {
        KLM_TRY(aws->dirty ? flush(aws) : KLM_OK);
        return pread_all(aws->fd, raw, IOS_AWS_HEADER, at, got);
    }
    KLM_TRY(fetch(aws, at, IOS_AWS_HEADER, &p, got));
    memcpy(raw, p, *got);
    return KLM_OK;
}

static klm_rc get_head(struct ios_aws *aws, struct ios_aws_pos pos, bool first, bool skip,
                       struct head *head, enum ios_aws_kind *kind)
{
    static const uint8_t nothing[IOS_AWS_HEADER];
    uint8_t raw[IOS_AWS_HEADER];
    size_t got = 0;
    bool zeros = false;

    KLM_TRY(fetch_head(aws, pos.at, skip, raw, &got));
    if (got < IOS_AWS_HEADER) {
        *kind = got == 0 && first ? IOS_AWS_END : IOS_AWS_TORN;
        return KLM_OK;
    }
    if (memcmp(raw, nothing, sizeof raw) == 0) {
        KLM_TRY(only_zeros(aws, pos.at, &zeros));
        *kind = IOS_AWS_TORN;
        return zeros ? KLM_OK : KLM_E_CORRUPT;
    }
    *head = (struct head){little(raw), little(raw + 2), raw[4], raw[5]};
    *kind = head->flags == FLAG_MARK ? IOS_AWS_MARK : IOS_AWS_BLOCK;
    return check_head(head, pos.previous, first);
}

/* One byte before the end of a part tells whether all of it is there. */
static klm_rc check_there(struct ios_aws *aws, uint64_t last, enum ios_aws_kind *kind)
{
    struct stat st;

    if (fstat(aws->fd, &st) != 0) {
        return KLM_E_IO;
    }
    *kind = last < (uint64_t)st.st_size ? IOS_AWS_BLOCK : IOS_AWS_TORN;
    return KLM_OK;
}

/* One part of a block: its bytes to out unless skipping (NULL). */
static klm_rc get_part(struct ios_aws *aws, struct ios_aws_pos *pos, const struct head *head,
                       uint8_t *out, enum ios_aws_kind *kind)
{
    const uint8_t *p;
    size_t got = 0;

    pos->at += IOS_AWS_HEADER;
    if (!out) {
        KLM_TRY(check_there(aws, pos->at + head->length - 1, kind));
    } else {
        KLM_TRY(fetch(aws, pos->at, head->length, &p, &got));
        *kind = got < head->length ? IOS_AWS_TORN : IOS_AWS_BLOCK;
        memcpy(out, p, got);
    }
    pos->at += head->length;
    pos->previous = head->length;
    return KLM_OK;
}

static klm_rc advance(struct ios_aws *aws, uint8_t *out, size_t *n, enum ios_aws_kind *kind)
{
    struct ios_aws_pos pos = ios_aws_tell(aws);
    struct head head = {0};
    size_t total = 0;

    KLM_TRY(aws->dirty ? flush(aws) : KLM_OK);
    do {
        KLM_TRY(get_head(aws, pos, total == 0, !out, &head, kind));
        if (*kind == IOS_AWS_BLOCK) {
            if (total + head.length > IOS_AWS_BLOCK_MAX) {
                return KLM_E_LIMIT;
            }
            KLM_TRY(get_part(aws, &pos, &head, out ? out + total : NULL, kind));
            total += head.length;
        }
        if (*kind == IOS_AWS_END || *kind == IOS_AWS_TORN) {
            *n = 0;
            return KLM_OK;
        }
    } while (*kind == IOS_AWS_BLOCK && !(head.flags & FLAG_END));
    if (*kind == IOS_AWS_MARK) {
        pos = (struct ios_aws_pos){pos.at + IOS_AWS_HEADER, 0};
    }
    ios_aws_seek(aws, pos);
    *n = total;
    return KLM_OK;
}

klm_rc ios_aws_read(struct ios_aws *aws, uint8_t *out, size_t *n, enum ios_aws_kind *kind)
{
    return advance(aws, out, n, kind);
}

klm_rc ios_aws_skip(struct ios_aws *aws, size_t *n, enum ios_aws_kind *kind)
{
    return advance(aws, NULL, n, kind);
}

/* ---- Writing */

klm_rc ios_aws_cut(struct ios_aws *aws)
{
    if (aws->window_at >= aws->at) {
        aws->dirty = false; /* what is cut off need not be written first */
    }
    KLM_TRY(flush(aws));
    return ftruncate(aws->fd, (off_t)aws->at) == 0 ? KLM_OK : klm_rc_errno(errno);
}

/* Into the window, which is flushed when full. */
static klm_rc put(struct ios_aws *aws, const void *p, size_t n)
{
    if (!aws->dirty || aws->window_at + aws->window_n != aws->at ||
        aws->window_n + n > sizeof aws->window) {
        KLM_TRY(flush(aws));
        aws->window_at = aws->at;
        aws->dirty = true;
    }
    memcpy(aws->window + aws->window_n, p, n);
    aws->window_n += n;
    aws->at += n;
    return KLM_OK;
}

static klm_rc put_head(struct ios_aws *aws, size_t n, uint8_t flags)
{
    uint8_t raw[IOS_AWS_HEADER] = {
        (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)aws->previous, (uint8_t)(aws->previous >> 8), flags,
        0};

    KLM_TRY(put(aws, raw, sizeof raw));
    aws->previous = (uint16_t)n;
    return KLM_OK;
}

klm_rc ios_aws_write(struct ios_aws *aws, const void *p, size_t n)
{
    if (n == 0 || n > IOS_AWS_BLOCK_MAX) {
        return n == 0 ? KLM_E_INVALID : KLM_E_LIMIT;
    }
    KLM_TRY(put_head(aws, n, FLAG_NEW | FLAG_END));
    return put(aws, p, n);
}

klm_rc ios_aws_mark(struct ios_aws *aws)
{
    return put_head(aws, 0, FLAG_MARK);
}

klm_rc ios_aws_sync(struct ios_aws *aws)
{
    KLM_TRY(flush(aws));
    return klm_fsync(aws->fd);
}
