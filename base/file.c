/* Reading whole files and replacing them durably. */
#include "base/file.h"

#include "base/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536
#define TEMP_TRIES 100

/* A message about a file with the operating system's words for err; the outcome that fits err. */
static klm_rc fail_errno(struct klm_diag *diag, enum klm_msg_id id, const char *path, int err)
{
    char text[128];

    return klm_fail(diag, klm_rc_errno(err), id, path, strerror_r(err, text, sizeof text));
}

static void fd_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* Not waiting for a writer when the name is a FIFO's; reading it does wait. */
static int open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        (void)fcntl(fd, F_SETFL, 0); /* matters for FIFOs alone, which then end early */
    }
    return fd;
}

static ssize_t read_some(int fd, void *p, size_t n)
{
    ssize_t got;

    do {
        got = read(fd, p, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* At most max bytes and then the end. */
static klm_rc read_all(int fd, const char *path, size_t max, struct klm_buf *buf,
                       struct klm_diag *diag)
{
    uint8_t probe = 0;

    for (size_t total = 0;;) {
        size_t step = max - total < READ_STEP ? max - total : READ_STEP;
        uint8_t *to = step ? klm_buf_room(buf, step) : &probe;
        ssize_t got;

        if (!to) {
            return klm_buf_rc(buf) == KLM_E_LIMIT
                       ? klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, path,
                                  KLM_NUM(buf->limit))
                       : klm_fail(diag, klm_buf_rc(buf), KLM_MSG_NO_MEMORY, path);
        }
        got = read_some(fd, to, step ? step : 1);
        if (got < 0) {
            return fail_errno(diag, KLM_MSG_FILE_READ, path, errno);
        }
        if (got == 0) {
            return KLM_OK;
        }
        if (step == 0) {
            return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, path, KLM_NUM(max));
        }
        total += (size_t)got;
        buf->n += (size_t)got;
    }
}

klm_rc klm_file_read(const char *path, size_t max, struct klm_buf *buf, struct klm_diag *diag)
{
    KLM_AUTO(fd_close) int fd = open_to_read(path);
    size_t before = buf->n;
    struct stat st;
    klm_rc rc;

    if (fd < 0) {
        return fail_errno(diag, KLM_MSG_FILE_OPEN, path, errno);
    }
    /* A regular file tells its length first, so that the buffer need not grow step by step. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > max) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, path, KLM_NUM(max));
    }
    if (max > buf->limit - buf->n) {
        max = buf->limit - buf->n;
    }
    rc = read_all(fd, path, max, buf, diag);
    if (rc != KLM_OK) {
        if (buf->wipe && buf->p) {
            klm_wipe(buf->p + before, buf->n - before);
        }
        buf->n = before;
    }
    return rc;
}

klm_rc klm_write_all(int fd, const void *p, size_t n)
{
    const uint8_t *from = p;

    while (n) {
        ssize_t done = write(fd, from, n);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? klm_rc_errno(errno) : KLM_E_IO;
        }
        from += done;
        n -= (size_t)done;
    }
    return KLM_OK;
}

klm_rc klm_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
    const uint8_t *from = p;

    while (n) {
        ssize_t done = pwrite(fd, from, n, at);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? klm_rc_errno(errno) : KLM_E_IO;
        }
        from += done;
        at += done;
        n -= (size_t)done;
    }
    return KLM_OK;
}

klm_rc klm_file_settle(int fd, uint64_t at, uint64_t n)
{
    const unsigned how =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    if (sync_file_range(fd, (off_t)at, (off_t)n, how) != 0) {
        return klm_rc_errno(errno);
    }
    (void)posix_fadvise(fd, (off_t)at, (off_t)n,
                        POSIX_FADV_DONTNEED); /* advice: none has to take it */
    return KLM_OK;
}

#ifdef KLM_NO_SYNC
klm_rc klm_fdatasync(int fd)
{
    (void)fd;
    return KLM_OK;
}

klm_rc klm_fsync(int fd)
{
    (void)fd;
    return KLM_OK;
}

klm_rc klm_sync_folder(const char *path)
{
    (void)path;
    return KLM_OK;
}
#else
klm_rc klm_fdatasync(int fd)
{
    return fdatasync(fd) == 0 ? KLM_OK : klm_rc_errno(errno);
}

klm_rc klm_fsync(int fd)
{
    return fsync(fd) == 0 ? KLM_OK : klm_rc_errno(errno);
}

klm_rc klm_sync_folder(const char *path)
{
    KLM_AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    return klm_fsync(fd);
}
#endif

klm_rc klm_path_folder(const char *path, char *out, size_t cap)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    while (n && path[n - 1] != '/') {
        n--;
    }
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    if (n == 0) {
        path = ".";
        n = 1;
    }
    if (n >= cap) {
        return KLM_E_LIMIT;
    }
    memmove(out, path, n);
    out[n] = '\0';
    return KLM_OK;
}

/* Make and open a file in the folder of path under a name that no other process or thread uses. */
static int temp_open(const char *path, char *temp, size_t cap)
{
    static atomic_uint turn;

    for (int i = 0; i < TEMP_TRIES; i++) {
        int n =
            snprintf(temp, cap, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&turn, 1));
        int fd;

        if (n < 0 || (size_t)n >= cap) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

/* Digits up to a character, and past it; NULL: something else. */
static const char *number(const char *p, char end, long *out)
{
    char *stop;

    errno = 0;
    *out = strtol(p, &stop, 10);
    return *p >= '0' && *p <= '9' && errno == 0 && *stop == end ? stop + 1 : NULL;
}

/* Is it "BASE.PID-TURN.tmp", of a process that is no more? */
static bool abandoned(const char *name, const char *base)
{
    size_t n = strlen(base);
    const char *p;
    long pid, turn;

    if (strncmp(name, base, n) != 0 || name[n] != '.' ||
        (p = number(name + n + 1, '-', &pid)) == NULL || (p = number(p, '.', &turn)) == NULL) {
        return false;
    }
    return strcmp(p, "tmp") == 0 && pid > 0 && pid <= INT_MAX && pid != getpid() &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void klm_file_sweep(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char folder[PATH_MAX];
    const struct dirent *entry;
    DIR *dir;

    if (klm_path_folder(path, folder, sizeof folder) != KLM_OK || !(dir = opendir(folder))) {
        return;
    }
    while ((entry = readdir(dir))) {
        if (abandoned(entry->d_name, base)) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* else the next start tries again */
        }
    }
    (void)closedir(dir);
}

/* Content and mode of the temporary file, down to the disk. errno tells why on failure. */
static klm_rc temp_fill(int fd, struct klm_slice content, mode_t mode)
{
    errno = 0;
    if (fchmod(fd, mode) != 0) {
        return klm_rc_errno(errno);
    }
    KLM_TRY(klm_write_all(fd, content.p, content.n));
    return klm_fsync(fd);
}

/* All steps of replace and create, which differ in how the file gets its name. */
static klm_rc put_file(const char *path, struct klm_slice content, mode_t mode,
                       int (*name_it)(const char *, const char *), const struct klm_file_gate *gate,
                       struct klm_diag *diag)
{
    char temp[PATH_MAX], folder[PATH_MAX];
    int fd, err;
    bool ok;

    if (klm_path_folder(path, folder, sizeof folder) != KLM_OK) {
        return fail_errno(diag, KLM_MSG_FILE_WRITE, path, ENAMETOOLONG);
    }
    fd = temp_open(path, temp, sizeof temp);
    if (fd < 0) {
        return fail_errno(diag, KLM_MSG_FILE_WRITE, path, errno);
    }
    ok = temp_fill(fd, content, mode) == KLM_OK;
    err = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        err = errno;
    }
    if (ok && gate && !gate->open(gate->arg)) {
        unlink(temp);
        return KLM_E_STATE;
    }
    if (ok && name_it(temp, path) != 0) {
        ok = false;
        err = errno;
    }
    if (!ok) {
        unlink(temp);
        return err == EEXIST ? klm_fail(diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, path)
                             : fail_errno(diag, KLM_MSG_FILE_WRITE, path, err ? err : EIO);
    }
    /* From here the new content stands; what is not certain is that it would after a power loss. */
    if (klm_sync_folder(folder) != KLM_OK) {
        return fail_errno(diag, KLM_MSG_FILE_WRITE, folder, errno);
    }
    return KLM_OK;
}

/* link, unlike rename, refuses a name that is there. */
static int link_once(const char *temp, const char *path)
{
    if (link(temp, path) != 0) {
        return -1;
    }
    unlink(temp);
    return 0;
}

klm_rc klm_file_replace(const char *path, struct klm_slice content, mode_t mode,
                        struct klm_diag *diag)
{
    return put_file(path, content, mode, rename, NULL, diag);
}

klm_rc klm_file_replace_if(const char *path, struct klm_slice content, mode_t mode,
                           const struct klm_file_gate *gate, struct klm_diag *diag)
{
    return put_file(path, content, mode, rename, gate, diag);
}

klm_rc klm_file_create(const char *path, struct klm_slice content, mode_t mode,
                       struct klm_diag *diag)
{
    return put_file(path, content, mode, link_once, NULL, diag);
}

/* One folder, its parent synced when it is new. */
static klm_rc folder_one(const char *path, mode_t mode)
{
    char parent[PATH_MAX];
    struct stat st;

    if (mkdir(path, mode) == 0) {
        KLM_TRY(klm_path_folder(path, parent, sizeof parent));
        return klm_sync_folder(parent);
    }
    if (errno != EEXIST) {
        return klm_rc_errno(errno);
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return KLM_E_IO;
    }
    return KLM_OK;
}

klm_rc klm_folder_make(const char *path, mode_t mode, struct klm_diag *diag)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    klm_rc rc = KLM_OK;

    if (n == 0 || n >= sizeof part) {
        return fail_errno(diag, KLM_MSG_FOLDER_MAKE, path, n ? ENAMETOOLONG : ENOENT);
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n && rc == KLM_OK; i++) {
        if (part[i] == '/' || part[i] == '\0') {
            part[i] = '\0';
            rc = folder_one(part, mode);
            part[i] = path[i];
        }
    }
    return rc == KLM_OK ? rc : fail_errno(diag, KLM_MSG_FOLDER_MAKE, path, errno);
}
