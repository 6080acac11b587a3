/* Files of a journal folder. */
#include "smf/segments.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 1000000
#define MARK_MAGIC 0x4B4C4D53u /* "KLMS" */
#define MARK_SIZE 24

void smf_fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

const char *smf_segment_name(uint64_t first, char out[SMF_SEGMENT_NAME_MAX])
{
    snprintf(out, SMF_SEGMENT_NAME_MAX, "journal.%010" PRIu64, first);
    return out;
}

klm_rc smf_segment_open(const char *folder, uint64_t first, int *fd, struct klm_diag *diag)
{
    char path[PATH_MAX], name[SMF_SEGMENT_NAME_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, smf_segment_name(first, name)), got;

    if (n < 0 || (size_t)n >= sizeof path) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_OPEN, folder, strerror(ENAMETOOLONG));
    }
    got = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (got < 0) {
        return errno == ENOENT
                   ? KLM_E_NOTFOUND
                   : klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    *fd = got;
    return KLM_OK;
}

/* The first sequence number in a segment's name, 0 when it is no segment. */
static uint64_t name_first(const char *name)
{
    static const char prefix[] = "journal.";
    char again[SMF_SEGMENT_NAME_MAX];
    uint64_t first;

    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    first = strtoull(name + sizeof prefix - 1, NULL, 10);
    return strcmp(smf_segment_name(first, again), name) == 0 ? first : 0;
}

static klm_rc add(struct smf_segments *segments, uint64_t first)
{
    if (segments->n == SEGMENTS_MAX) {
        return KLM_E_LIMIT;
    }
    if ((segments->n & (segments->n - 1)) == 0) {
        uint64_t *more =
            realloc(segments->first, (segments->n ? segments->n * 2 : 1) * sizeof *more);

        if (!more) {
            return KLM_E_NOMEM;
        }
        segments->first = more;
    }
    segments->first[segments->n++] = first;
    return KLM_OK;
}

static int by_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static klm_rc list_all(DIR *dir, struct smf_segments *out)
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(dir)) != NULL) {
        uint64_t first = name_first(entry->d_name);

        if (first) {
            KLM_TRY(add(out, first));
        }
    }
    return errno ? klm_rc_errno(errno) : KLM_OK;
}

klm_rc smf_segments_list(const char *folder, struct smf_segments *out, struct klm_diag *diag)
{
    struct smf_segments segments = {0};
    DIR *dir = opendir(folder);
    klm_rc rc;

    if (!dir) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, folder, strerror(errno));
    }
    rc = list_all(dir, &segments);
    closedir(dir);
    if (rc != KLM_OK) {
        smf_segments_done(&segments);
        return klm_fail(diag, rc, KLM_MSG_FILE_READ, folder, klm_rc_text(rc));
    }
    if (segments.n) {
        qsort(segments.first, segments.n, sizeof *segments.first, by_first);
    }
    *out = segments;
    return KLM_OK;
}

void smf_segments_done(struct smf_segments *segments)
{
    free(segments->first);
    *segments = (struct smf_segments){0};
}

size_t smf_segments_find(const struct smf_segments *segments, uint64_t seq)
{
    size_t i = 0;

    while (i + 1 < segments->n && segments->first[i + 1] <= seq) {
        i++;
    }
    return i;
}

/* A simple check against a mark half written: the number itself, turned over. */
static void mark_encode(uint64_t seq, struct klm_buf *out)
{
    klm_buf_u32(out, MARK_MAGIC);
    klm_buf_u32(out, 1);
    klm_buf_u64(out, seq);
    klm_buf_u64(out, ~seq);
}

static uint64_t mark_decode(struct klm_slice in)
{
    struct klm_cur cur;
    uint32_t magic, version;
    uint64_t seq, turned;

    klm_cur_init(&cur, in);
    klm_cur_u32(&cur, &magic);
    klm_cur_u32(&cur, &version);
    klm_cur_u64(&cur, &seq);
    klm_cur_u64(&cur, &turned);
    klm_cur_end(&cur);
    return klm_cur_rc(&cur) == KLM_OK && magic == MARK_MAGIC && version == 1 && turned == ~seq ? seq
                                                                                               : 0;
}

uint64_t smf_mark_read(const char *folder)
{
    char path[PATH_MAX];
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    int n = snprintf(path, sizeof path, "%s/synced", folder);

    klm_buf_init(&buf, MARK_SIZE + 1);
    if (n < 0 || (size_t)n >= sizeof path || klm_file_read(path, MARK_SIZE, &buf, NULL) != KLM_OK) {
        return 0;
    }
    return mark_decode(klm_buf_as_slice(&buf));
}

klm_rc smf_mark_open(const char *folder, int *fd)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/synced", folder), got;

    if (n < 0 || (size_t)n >= sizeof path) {
        return KLM_E_LIMIT;
    }
    got = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (got < 0) {
        return klm_rc_errno(errno);
    }
    *fd = got;
    return KLM_OK;
}

klm_rc smf_mark_write(int fd, uint64_t seq)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, MARK_SIZE);
    mark_encode(seq, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return klm_pwrite_all(fd, buf.p, buf.n, 0);
}
