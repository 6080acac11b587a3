/* Files of SMF data sets: opened with a lock, appended to, looked after, renamed. */
#include "smf/dataset_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "smf/segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ASIDE_TRIES 10000

klm_rc smf_ds_open(int dirfd, const char *name, struct smf_ds *out)
{
    struct smf_ds ds = {.tail.fd = -1};

    KLM_TRY(smf_tail_open(dirfd, name, true, &ds.tail));
    snprintf(ds.name, sizeof ds.name, "%s", name);
    *out = ds;
    return KLM_OK;
}

void smf_ds_close(struct smf_ds *ds)
{
    smf_tail_close(&ds->tail);
}

/* The name that an inode has in the folder now. */
static klm_rc name_of(int dirfd, uint64_t ino, char out[NAME_MAX + 1])
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    klm_rc rc = KLM_E_NOTFOUND;
    struct dirent *entry;
    struct stat st;

    if (!dir) {
        smf_fd_close(&fd);
        return KLM_E_IO;
    }
    while (rc != KLM_OK && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, SMF_DS_CURSOR, strlen(SMF_DS_CURSOR)) != 0 &&
            fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == ino &&
            S_ISREG(st.st_mode)) {
            snprintf(out, NAME_MAX + 1, "%s", entry->d_name);
            rc = KLM_OK;
        }
    }
    closedir(dir);
    return rc;
}

klm_rc smf_ds_cut_inode(int dirfd, uint64_t ino, uint64_t n)
{
    char name[NAME_MAX + 1];
    struct stat st;
    int fd;

    KLM_TRY(name_of(dirfd, ino, name));
    fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == ino &&
        (uint64_t)st.st_size > n && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        ftruncate(fd, (off_t)n) == 0) {
        KLM_IGNORE(klm_fdatasync(fd)); /* a cut that is not kept is made again by the next start */
    }
    smf_fd_close(&fd);
    return KLM_OK;
}

uint64_t smf_ds_size(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

klm_rc smf_ds_aside(int dirfd, const char *name, char aside[SMF_DS_NAME_MAX])
{
    klm_time now = klm_clock();

    for (int i = 0; i < ASIDE_TRIES; i++, now += 100000) {
        time_t seconds = (time_t)(now / 1000000);
        char made[SMF_DS_NAME_MAX];
        struct tm tm;

        gmtime_r(&seconds, &tm);
        snprintf(made, sizeof made, "%.44s.D%04u%03u.T%02u%02u%02u%u", name,
                 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_yday + 1) % 1000,
                 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100,
                 (unsigned)(now / 100000 % 10));
        if (renameat2(dirfd, name, dirfd, made, RENAME_NOREPLACE) == 0) {
            memcpy(aside, made, sizeof made);
            return KLM_OK;
        }
        if (errno != EEXIST) {
            return klm_rc_errno(errno);
        }
    }
    return KLM_E_EXISTS;
}
