/* The end of a journal after a stop, a kill or a power loss.
 *
 * A kill can only leave the last write incomplete. A power loss can take any part of what was not synced yet: bytes in
 * the middle may be missing while later ones are there. So a break is repaired by cutting when nothing behind it was
 * known to be on disk, by the mark file or by a record behind it; otherwise it is damage, which is not ours to hide. */
#include "smf/recover.h"

#include "base/file.h"
#include "smf/again.h"
#include "smf/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct recovery {
    const char *folder;
    int dirfd;
    struct smf_segments segments;
    struct smf_recovered *out;
    uint64_t mark;   /* on disk, says the mark file */
    uint64_t synced; /* on disk, say the records */
    uint64_t keep;   /* of the last record */
    uint64_t from;   /* segment the scan began with */
    uint64_t behind; /* records found behind a break */
    bool dropped;    /* segments were taken away */
};

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static klm_rc note(struct recovery *r, const struct smf_frame *frame)
{
    klm_rc rc = KLM_OK;

    smf_numbers_forget_before(&r->out->numbers, frame->keep);
    if (frame->event_no) {
        rc = smf_numbers_add(&r->out->numbers, frame->event_no, frame->seq);
    }
    r->synced = greater(r->synced, frame->synced);
    r->keep = frame->keep;
    return rc == KLM_E_EXISTS ? KLM_OK : rc;
}

/* All records from the start of a segment to the end or the first that is not good. */
static klm_rc scan(struct recovery *r, uint64_t from, struct klm_diag *diag)
{
    KLM_AUTO(smf_reader_close) struct smf_reader *reader = NULL;
    struct smf_frame frame;
    klm_rc rc;

    r->from = from;
    r->keep = from;
    smf_numbers_done(&r->out->numbers);
    KLM_TRY(smf_reader_open(r->folder, from - 1, diag, &reader));
    while ((rc = smf_reader_next(reader, &frame, diag)) == KLM_OK) {
        KLM_TRY(note(r, &frame));
    }
    if (rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
        return rc;
    }
    memcpy(r->out->hash, reader->hash, SMF_HASH_SIZE);
    r->out->seq = reader->seq;
    r->out->first = reader->first;
    r->out->size = reader->offset;
    return KLM_OK;
}

/* The last segment is enough when it has records, all outbox numbers that matter, and everything not known to be on disk. */
static klm_rc scan_enough(struct recovery *r, struct klm_diag *diag)
{
    uint64_t from = r->segments.first[r->segments.n - 1];

    for (;;) {
        uint64_t need;

        KLM_TRY(scan(r, from, diag));
        need = greater(r->mark, r->synced) + 1;
        if (r->keep < need) {
            need = r->keep;
        }
        if (r->out->seq < from) {
            need = from - 1;
        }
        if (need >= from || from == r->segments.first[0]) {
            return KLM_OK;
        }
        from = r->segments.first[smf_segments_find(&r->segments, need)];
    }
}

/* Records that are good by themselves and not before the break. */
static void search(struct recovery *r, const uint8_t *p, size_t n, struct smf_hash *sha)
{
    static const uint8_t magic[4] = {'K', 'L', 'M', 'J'};
    const uint8_t *end = p + n, *at;
    struct smf_frame frame;

    while (p < end && (at = memmem(p, (size_t)(end - p), magic, sizeof magic)) != NULL) {
        p = at + 1;
        if (smf_frame_parse(KLM_SLICE(at, (size_t)(end - at)), sha, &frame) == KLM_OK &&
            frame.seq > r->out->seq) {
            r->behind++;
            r->synced = greater(r->synced, frame.synced);
            p = at + frame.length;
        }
    }
}

static klm_rc search_segment(struct recovery *r, uint64_t first, uint64_t offset,
                             struct smf_hash *sha, struct klm_diag *diag)
{
    KLM_AUTO(smf_fd_close) int fd = -1;
    struct stat st;
    void *map;

    KLM_TRY(smf_segment_open(r->folder, first, &fd, diag));
    if (fstat(fd, &st) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, r->folder, strerror(errno));
    }
    if ((uint64_t)st.st_size <= offset) {
        return KLM_OK;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, r->folder, strerror(errno));
    }
    search(r, (const uint8_t *)map + offset, (size_t)st.st_size - (size_t)offset, sha);
    munmap(map, (size_t)st.st_size);
    return KLM_OK;
}

/* Look at what is behind the end of the scan; KLM_E_CORRUPT when the scan ended at damage and not at the end. */
static klm_rc judge(struct recovery *r, struct klm_diag *diag)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *sha = NULL;
    uint64_t next = r->out->seq + 1;
    char name[SMF_SEGMENT_NAME_MAX];

    KLM_TRY(smf_hash_new(&sha));
    for (size_t i = 0; i < r->segments.n; i++) {
        uint64_t first = r->segments.first[i];

        if (first >= r->out->first) {
            KLM_TRY(search_segment(r, first, first == r->out->first ? r->out->size : 0, sha, diag));
        }
    }
    if (r->behind && next <= greater(r->mark, r->synced)) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_SMF_DAMAGED, r->folder,
                        smf_segment_name(r->out->first, name), KLM_NUM(next),
                        KLM_NUM(r->out->size));
    }
    return KLM_OK;
}

static klm_rc failed(const struct recovery *r, struct klm_diag *diag)
{
    return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_WRITE, r->folder, strerror(errno));
}

/* Cut the segment that takes the next record to its good records. */
static klm_rc cut_segment(struct recovery *r, uint64_t *lost, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    KLM_AUTO(smf_fd_close)
    int fd =
        openat(r->dirfd, smf_segment_name(r->out->first, name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return failed(r, diag);
    }
    if ((uint64_t)st.st_size > r->out->size) {
        *lost += (uint64_t)st.st_size - r->out->size;
        if (ftruncate(fd, (off_t)r->out->size) != 0 || klm_fdatasync(fd) != KLM_OK) {
            return failed(r, diag);
        }
    }
    return KLM_OK;
}

/* Segments behind it: empty, or never synced. The last goes first, so that a stop in between leaves a shorter break. */
static klm_rc drop_segments(struct recovery *r, uint64_t *lost, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    struct stat st;

    while (r->segments.n && r->segments.first[r->segments.n - 1] > r->out->first) {
        smf_segment_name(r->segments.first[r->segments.n - 1], name);
        if (fstatat(r->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            unlinkat(r->dirfd, name, 0) != 0) {
            return failed(r, diag);
        }
        *lost += (uint64_t)st.st_size;
        r->dropped = true;
        r->segments.n--;
    }
    return KLM_OK;
}

static klm_rc repair(struct recovery *r, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    uint64_t lost = 0;

    KLM_TRY(drop_segments(r, &lost, diag));
    KLM_TRY(cut_segment(r, &lost, diag));
    if (lost) {
        klm_say(KLM_MSG_SMF_TORN, r->folder, smf_segment_name(r->out->first, name), KLM_NUM(lost),
                KLM_NUM(r->out->seq));
    }
    if (r->mark > r->out->seq) {
        klm_say(KLM_MSG_SMF_MISSING, r->folder, KLM_NUM(r->out->seq), KLM_NUM(r->mark));
    }
    return KLM_OK;
}

/* A kill leaves records that no sync has covered. */
static klm_rc sync_all(struct recovery *r, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];

    for (size_t i = 0; i < r->segments.n; i++) {
        if (r->segments.first[i] >= r->from) {
            KLM_AUTO(smf_fd_close)
            int fd = openat(r->dirfd, smf_segment_name(r->segments.first[i], name),
                            O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

            if (fd < 0 || klm_fdatasync(fd) != KLM_OK) {
                return failed(r, diag);
            }
        }
    }
    return klm_fsync(r->dirfd) == KLM_OK ? KLM_OK : failed(r, diag);
}

/* A journal without segments. When all were taken away, numbers go on behind the mark: none is given twice. */
static klm_rc first_segment(struct recovery *r, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    KLM_AUTO(smf_fd_close)
    int fd = openat(r->dirfd, smf_segment_name(r->mark + 1, name),
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || klm_fsync(r->dirfd) != KLM_OK) {
        return failed(r, diag);
    }
    if (r->mark) {
        klm_say(KLM_MSG_SMF_MISSING, r->folder, KLM_NUM(0), KLM_NUM(r->mark));
    }
    r->out->first = r->mark + 1;
    r->out->seq = r->mark;
    return KLM_OK;
}

/* Records that were being written again after a failed sync, when the process ended. */
static klm_rc take_again(struct recovery *r, struct klm_diag *diag)
{
    uint64_t first;
    klm_rc rc = smf_again_take(r->folder, r->dirfd, diag, &first);

    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc recover(struct recovery *r, struct klm_diag *diag)
{
    KLM_TRY(take_again(r, diag));
    KLM_TRY(smf_segments_list(r->folder, &r->segments, diag));
    r->mark = smf_mark_read(r->folder);
    if (r->segments.n == 0) {
        return first_segment(r, diag);
    }
    KLM_TRY(scan_enough(r, diag));
    KLM_TRY(judge(r, diag));
    KLM_TRY(repair(r, diag));
    /* A segment that was taken away must not come back after the next power loss, with numbers given again since. */
    return r->mark == r->out->seq && !r->dropped ? KLM_OK : sync_all(r, diag);
}

klm_rc smf_recover(const char *folder, struct klm_diag *diag, struct smf_recovered *out)
{
    struct smf_recovered found = {0};
    struct recovery r = {.folder = folder, .out = &found};
    klm_rc rc;

    r.dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r.dirfd < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, folder, strerror(errno));
    }
    rc = recover(&r, diag);
    smf_fd_close(&r.dirfd);
    smf_segments_done(&r.segments);
    if (rc != KLM_OK) {
        smf_numbers_done(&found.numbers);
        return rc;
    }
    *out = found;
    return KLM_OK;
}
