/* Files of a text log: open, append, close under a new name. */
#include "smf/text_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "smf/segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_MOST 200 /* leaves room for a time stamp or a temporary name */

static bool base_name(const char *name)
{
    size_t n = name ? strlen(name) : 0;

    return n > 0 && n <= NAME_MOST && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

klm_rc smf_text_file_init(struct smf_text_file *file, const char *folder, const char *name,
                          uint64_t roll_bytes, struct klm_diag *diag)
{
    size_t n;

    *file = (struct smf_text_file){.dirfd = -1, .tail.fd = -1, .roll_bytes = roll_bytes};
    if (!base_name(name)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_TEXT_NAME, name ? name : "");
    }
    n = strlen(folder) + strlen(name) + 2;
    file->folder = strdup(folder);
    file->name = strdup(name);
    file->path = malloc(n);
    if (!file->folder || !file->name || !file->path) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    }
    snprintf(file->path, n, "%s/%s", folder, name);
    KLM_TRY(klm_folder_make(folder, 0750, diag));
    file->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->dirfd >= 0
               ? KLM_OK
               : klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, folder, strerror(errno));
}

void smf_text_file_done(struct smf_text_file *file)
{
    smf_tail_close(&file->tail);
    smf_fd_close(&file->dirfd);
    free(file->folder);
    free(file->name);
    free(file->path);
    *file = (struct smf_text_file){.dirfd = -1, .tail.fd = -1};
}

klm_rc smf_text_file_open(struct smf_text_file *file)
{
    return smf_tail_open(file->dirfd, file->name, false, &file->tail);
}

klm_rc smf_text_file_look(struct smf_text_file *file, bool *changed)
{
    enum smf_tail_seen seen;

    KLM_TRY(smf_tail_look(file->dirfd, file->name, &file->tail, &seen));
    if (seen != SMF_TAIL_SAME) {
        KLM_TRY(smf_text_file_open(file));
        *changed = true;
    }
    return KLM_OK;
}

/* The stamp in the name of a closed file, 0 when it is none. Something behind the stamp (".gz") still counts, so that new
 * names stay higher than those of files that operators packed. */
static uint64_t stamp_in(const struct smf_text_file *file, const char *entry, bool *packed)
{
    size_t n = strlen(file->name);
    const char *digits = entry + n + 1;
    char number[SMF_STAMP_DIGITS + 1];

    if (strncmp(entry, file->name, n) != 0 || entry[n] != '.' ||
        strspn(digits, "0123456789") != SMF_STAMP_DIGITS) {
        return 0;
    }
    memcpy(number, digits, SMF_STAMP_DIGITS);
    number[SMF_STAMP_DIGITS] = '\0';
    *packed = digits[SMF_STAMP_DIGITS] != '\0';
    return strtoull(number, NULL, 10);
}

/* Newest of all closed files, and of those that can be read. */
static klm_rc newest(const struct smf_text_file *file, uint64_t *any, uint64_t *readable)
{
    DIR *dir = opendir(file->folder);
    struct dirent *entry;

    *any = *readable = 0;
    if (!dir) {
        return klm_rc_errno(errno);
    }
    while ((entry = readdir(dir)) != NULL) {
        bool packed = false;
        uint64_t stamp = stamp_in(file, entry->d_name, &packed);

        *any = stamp > *any ? stamp : *any;
        *readable = !packed && stamp > *readable ? stamp : *readable;
    }
    closedir(dir);
    return KLM_OK;
}

klm_rc smf_text_file_newest(const struct smf_text_file *file, uint64_t *stamp)
{
    uint64_t any;

    return newest(file, &any, stamp);
}

/* UTC as yyyymmddhhmmssmmm. */
static uint64_t stamp_of(klm_time now)
{
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    return ((((((uint64_t)tm.tm_year + 1900) * 100 + (uint64_t)tm.tm_mon + 1) * 100 +
              (uint64_t)tm.tm_mday) *
                 100 +
             (uint64_t)tm.tm_hour) *
                100 +
            (uint64_t)tm.tm_min) *
               100000 +
           (uint64_t)tm.tm_sec * 1000 + (uint64_t)(now / 1000 % 1000);
}

static void closed_name(const struct smf_text_file *file, uint64_t stamp, char *out, size_t cap)
{
    snprintf(out, cap, "%s.%0*" PRIu64, file->name, SMF_STAMP_DIGITS, stamp);
}

klm_rc smf_text_file_open_closed(const struct smf_text_file *file, uint64_t stamp, int *fd)
{
    char name[NAME_MOST + 2 + SMF_STAMP_MAX];
    int got;

    closed_name(file, stamp, name, sizeof name);
    got = openat(file->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (got < 0) {
        return klm_rc_errno(errno);
    }
    *fd = got;
    return KLM_OK;
}

klm_rc smf_text_file_sync(struct smf_text_file *file)
{
    klm_rc rc = file->lost ? KLM_E_IO : klm_fdatasync(file->tail.fd);

    file->lost = rc != KLM_OK;
    return rc;
}

/* A clock set back, or two closed in one millisecond, must not make a newer file sort lower. */
klm_rc smf_text_file_roll(struct smf_text_file *file, char stamped[SMF_STAMP_MAX])
{
    char name[NAME_MOST + 2 + SMF_STAMP_MAX];
    uint64_t stamp = stamp_of(klm_clock()), any, readable;

    KLM_TRY(newest(file, &any, &readable));
    if (stamp <= any) {
        stamp = any + 1;
    }
    closed_name(file, stamp, name, sizeof name);
    KLM_TRY(smf_text_file_sync(file));
    if (renameat2(file->dirfd, file->name, file->dirfd, name, RENAME_NOREPLACE) != 0) {
        return klm_rc_errno(errno);
    }
    smf_tail_close(&file->tail);
    if (stamped) {
        snprintf(stamped, SMF_STAMP_MAX, "%0*" PRIu64, SMF_STAMP_DIGITS, stamp);
    }
    KLM_TRY(smf_text_file_open(file));
    return klm_fsync(file->dirfd);
}
