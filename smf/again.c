/* Writing again what a failed sync may have lost. */
#include "smf/again.h"

#include "base/file.h"
#include "smf/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKING SMF_AGAIN ".tmp"

struct again {
    const char *folder;
    int dirfd;
    uint64_t first, last;        /* records in it */
    uint8_t prev[SMF_HASH_SIZE]; /* hash of the record before the first */
};

static klm_rc write_both(int fd, struct klm_slice a, struct klm_slice b)
{
    KLM_TRY(klm_pwrite_all(fd, a.p, a.n, 0));
    KLM_TRY(klm_pwrite_all(fd, b.p, b.n, (off_t)a.n));
    return klm_fdatasync(fd);
}

static klm_rc put(int dirfd, struct klm_slice a, struct klm_slice b)
{
    /* A new file each time: its pages have nothing to do with those that could not be written. */
    KLM_AUTO(smf_fd_close)
    int fd = openat(dirfd, MAKING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    KLM_TRY(write_both(fd, a, b));
    if (renameat(dirfd, MAKING, dirfd, SMF_AGAIN) != 0) {
        return klm_rc_errno(errno);
    }
    return klm_fsync(dirfd);
}

klm_rc smf_again_put(int dirfd, struct klm_slice a, struct klm_slice b)
{
    klm_rc rc;

    (void)unlinkat(dirfd, MAKING, 0); /* there may be none */
    rc = put(dirfd, a, b);
    if (rc != KLM_OK) {
        (void)unlinkat(dirfd, MAKING, 0);
    }
    return rc;
}

static klm_rc damaged(const struct again *again, const char *name, uint64_t seq, uint64_t offset,
                      struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_SMF_DAMAGED, again->folder, name, KLM_NUM(seq),
                    KLM_NUM(offset));
}

static klm_rc failed(const struct again *again, struct klm_diag *diag)
{
    return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_WRITE, again->folder, strerror(errno));
}

/* Every byte must belong to records that follow each other: it was on disk before it got its name. */
static klm_rc check(struct again *again, struct klm_slice bytes, struct klm_diag *diag)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *sha = NULL;
    uint8_t hash[SMF_HASH_SIZE];
    size_t at = 0;

    KLM_TRY(smf_hash_new(&sha));
    while (at < bytes.n) {
        struct smf_frame frame;
        klm_rc rc = smf_frame_parse(KLM_SLICE(bytes.p + at, bytes.n - at), sha, &frame);

        if (rc == KLM_OK && at == 0) {
            again->first = frame.seq;
            memcpy(again->prev, frame.prev, SMF_HASH_SIZE);
        } else if (rc != KLM_OK || frame.seq != again->last + 1 ||
                   memcmp(frame.prev, hash, SMF_HASH_SIZE) != 0) {
            return damaged(again, SMF_AGAIN, at ? again->last + 1 : 0, at, diag);
        }
        again->last = frame.seq;
        memcpy(hash, frame.hash, SMF_HASH_SIZE);
        at += frame.length;
    }
    return again->first ? KLM_OK : damaged(again, SMF_AGAIN, 0, 0, diag);
}

static klm_rc look(struct again *again, struct klm_diag *diag)
{
    KLM_AUTO(smf_fd_close)
    int fd = openat(again->dirfd, SMF_AGAIN, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    void *map;
    klm_rc rc;

    if (fd < 0) {
        return errno == ENOENT ? KLM_E_NOTFOUND : failed(again, diag);
    }
    if (fstat(fd, &st) != 0) {
        return failed(again, diag);
    }
    if (st.st_size == 0) {
        return damaged(again, SMF_AGAIN, 0, 0, diag);
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return failed(again, diag);
    }
    rc = check(again, KLM_SLICE((const uint8_t *)map, (size_t)st.st_size), diag);
    munmap(map, (size_t)st.st_size);
    return rc;
}

/* Where the record before ends in its segment: it must be there, and be the one that the chain goes on from. */
static klm_rc find_end(const struct again *again, uint64_t segment, uint64_t *end,
                       struct klm_diag *diag)
{
    KLM_AUTO(smf_reader_close) struct smf_reader *reader = NULL;
    char name[SMF_SEGMENT_NAME_MAX];
    struct smf_frame frame;
    klm_rc rc;

    KLM_TRY(smf_reader_open(again->folder, again->first - 2, diag, &reader));
    rc = smf_reader_next(reader, &frame, diag);
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (rc == KLM_E_NOTFOUND || reader->first != segment || frame.seq != again->first - 1 ||
        memcmp(frame.hash, again->prev, SMF_HASH_SIZE) != 0) {
        return damaged(again, smf_segment_name(segment, name), again->first - 1, reader->offset,
                       diag);
    }
    *end = reader->offset;
    return KLM_OK;
}

static klm_rc cut(const struct again *again, uint64_t segment, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    uint64_t end = 0;
    KLM_AUTO(smf_fd_close)
    int fd =
        openat(again->dirfd, smf_segment_name(segment, name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

    KLM_TRY(find_end(again, segment, &end, diag));
    if (fd < 0 || ftruncate(fd, (off_t)end) != 0 || klm_fdatasync(fd) != KLM_OK) {
        return failed(again, diag);
    }
    return KLM_OK;
}

/* Segments begun behind the first record; the newest first, so that a stop in between leaves no gap. That they are gone must be
 * on disk before the name is given: afterwards nobody would look for them. */
static klm_rc drop(const struct again *again, const struct smf_segments *segments,
                   struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];

    for (size_t i = segments->n; i > 0 && segments->first[i - 1] > again->first; i--) {
        if (unlinkat(again->dirfd, smf_segment_name(segments->first[i - 1], name), 0) != 0) {
            return failed(again, diag);
        }
    }
    return klm_fsync(again->dirfd) == KLM_OK ? KLM_OK : failed(again, diag);
}

static klm_rc take_up(const struct again *again, struct klm_diag *diag)
{
    KLM_AUTO(smf_segments_done) struct smf_segments segments = {0};
    char name[SMF_SEGMENT_NAME_MAX];
    size_t before;

    KLM_TRY(smf_segments_list(again->folder, &segments, diag));
    before = smf_segments_find(&segments, again->first - 1);
    if (segments.n > 0 && segments.first[before] < again->first) {
        KLM_TRY(cut(again, segments.first[before], diag));
    }
    KLM_TRY(drop(again, &segments, diag));
    if (renameat(again->dirfd, SMF_AGAIN, again->dirfd, smf_segment_name(again->first, name)) !=
            0 ||
        klm_fsync(again->dirfd) != KLM_OK) {
        return failed(again, diag);
    }
    return KLM_OK;
}

klm_rc smf_again_take(const char *folder, int dirfd, struct klm_diag *diag, uint64_t *first)
{
    struct again again = {.folder = folder, .dirfd = dirfd};
    klm_rc rc;

    (void)unlinkat(dirfd, MAKING, 0); /* there may be none */
    KLM_TRY(look(&again, diag));
    rc = take_up(&again, diag);
    if (rc != KLM_OK) {
        return rc == KLM_E_NOTFOUND ? KLM_E_IO : rc; /* a file of it went away meanwhile */
    }
    *first = again.first;
    return KLM_OK;
}
