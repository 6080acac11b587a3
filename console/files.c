/* Files that commands name. They lie under one folder: every open goes through openat2 with RESOLVE_BENEATH, so that no "..", absolute name or link leads out. */
#include "console/internal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME_MAX_HERE 1024

static void close_quietly(int fd)
{
    int before = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = before;
}

/* "..": refused as openat2 refuses it. */
static bool way_up(const char *part)
{
    if (strcmp(part, "..") != 0) {
        return false;
    }
    errno = EXDEV;
    return true;
}

/* The same for a kernel or an emulator without openat2: folder by folder, no link followed, no way up. */
static int open_by_steps(int folder, char *name, int flags, mode_t mode)
{
    int at = dup(folder);

    if (at < 0 || *name == '/') {
        close_quietly(at);
        errno = at < 0 ? errno : EXDEV;
        return -1;
    }
    for (char *part = name, *slash; at >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
        int next;

        *slash = '\0';
        next = way_up(part)
                   ? -1
                   : openat(at, *part ? part : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close_quietly(at);
        at = next;
        name = slash + 1;
    }
    if (at >= 0) {
        int fd = way_up(name) ? -1 : openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);

        close_quietly(at);
        at = fd;
    }
    return at;
}

static int open_beneath(int folder, const char *name, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .mode = mode,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    char copy[NAME_MAX_HERE + 32];
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);

    if (fd >= 0 || errno != ENOSYS) {
        return fd;
    }
    if ((size_t)snprintf(copy, sizeof copy, "%s", name) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open_by_steps(folder, copy, flags, mode);
}

/* The path below the folder: FILE: and the folder itself taken away; DATA.SET(MEMBER) becomes DATA.SET/MEMBER. */
static klm_rc path_of(struct con_run *run, const char *name, char *out, size_t cap)
{
    const char *folder = run->context->files;
    size_t n = strlen(folder);
    char *open;

    if (strncasecmp(name, "file:", 5) == 0) {
        name += 5;
        name += strncmp(name, "///", 3) == 0 ? 2 : 0;
    }
    if (strncmp(name, folder, n) == 0 && name[n] == '/') {
        name += n;
        name += strspn(name, "/");
    }
    if (!*name || (size_t)snprintf(out, cap, "%s", name) >= cap) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_FILE_NAME, name);
        return KLM_E_USAGE;
    }
    open = strchr(out, '(');
    if (open && out[strlen(out) - 1] == ')') {
        out[strlen(out) - 1] = '\0';
        *open = '/';
    }
    return KLM_OK;
}

static klm_rc refuse(struct con_run *run, enum klm_msg_id msg, const char *path, int err)
{
    char text[128];
    const char *why = err == EXDEV || err == ELOOP ? "it is not under the folder of command files"
                                                   : strerror_r(err, text, sizeof text);

    CON_REFUSE(run, KLM_E_IO, msg, path, why);
    return klm_rc_errno(err);
}

static klm_rc read_all(struct con_run *run, int fd, const char *path, size_t max,
                       struct klm_slice *out)
{
    struct stat st;
    uint8_t *bytes;
    size_t n = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return refuse(run, KLM_MSG_FILE_READ, path, EINVAL);
    }
    if (st.st_size < 0 || (size_t)st.st_size > max) {
        CON_REFUSE(run, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, path, KLM_NUM(max));
        return KLM_E_LIMIT;
    }
    bytes = klm_pool_alloc(run->pool, (size_t)st.st_size + 1);
    if (!bytes) {
        return KLM_E_NOMEM;
    }
    while (n < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes + n, (size_t)st.st_size - n);

        if (got < 0) {
            return refuse(run, KLM_MSG_FILE_READ, path, errno);
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    if (n == 0) { /* no command has a use for it, and no bytes look like no file */
        CON_REFUSE(run, KLM_E_INVALID, KLM_MSG_FILE_READ, path, "it is empty");
        return KLM_E_INVALID;
    }
    *out = KLM_SLICE(bytes, n);
    return KLM_OK;
}

static klm_rc open_folder(struct con_run *run, int *out)
{
    *out = open(run->context->files, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? refuse(run, KLM_MSG_FILE_OPEN, run->context->files, errno) : KLM_OK;
}

static klm_rc read_private(struct con_run *run, int fd, const char *path, size_t max,
                           struct klm_slice *out)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO))) {
        CON_REFUSE(run, KLM_E_DENIED, KLM_MSG_BK_PASSWORD_FILE, path,
                   "others have access to it, or it is no regular file");
        return KLM_E_DENIED;
    }
    return read_all(run, fd, path, max, out);
}

typedef klm_rc read_fn(struct con_run *run, int fd, const char *path, size_t max,
                       struct klm_slice *out);

static klm_rc read_with(struct con_run *run, const char *name, size_t max, read_fn *fn,
                        struct klm_slice *out)
{
    char path[NAME_MAX_HERE];
    int folder, fd;
    klm_rc rc;

    KLM_TRY(path_of(run, name, path, sizeof path));
    KLM_TRY(open_folder(run, &folder));
    fd = open_beneath(folder, path, O_RDONLY | O_NONBLOCK, 0);
    rc = fd < 0 ? refuse(run, KLM_MSG_FILE_OPEN, path, errno) : fn(run, fd, path, max, out);
    if (fd >= 0) {
        close(fd);
    }
    close(folder);
    return rc;
}

klm_rc con_file_read(struct con_run *run, const char *name, size_t max, struct klm_slice *out)
{
    return read_with(run, name, max, read_all, out);
}

klm_rc con_file_private(struct con_run *run, const char *name, size_t max, struct klm_slice *out)
{
    return read_with(run, name, max, read_private, out);
}

klm_rc con_file_secret(struct con_run *run, const char *name, size_t max, const char **out)
{
    struct klm_slice bytes;
    char *line;

    KLM_TRY(con_file_private(run, name, max, &bytes));
    line = klm_pool_strn(run->pool, (const char *)bytes.p, bytes.n);
    if (!line) {
        return KLM_E_NOMEM;
    }
    line[strcspn(line, "\r\n")] = '\0';
    *out = line;
    return KLM_OK;
}

/* The folder a file goes to (a partitioned data set is a folder, made when missing) and the name in it. */
static int target_folder(int folder, char *path, const char **base)
{
    char *slash = strrchr(path, '/');

    if (!slash) {
        *base = path;
        return open_beneath(folder, ".", O_RDONLY | O_DIRECTORY, 0);
    }
    *slash = '\0';
    *base = slash + 1;
    if (!strchr(path, '/')) {
        (void)mkdirat(folder, path,
                      0700); /* existing is fine; what else is wrong shows at the open */
    }
    return open_beneath(folder, path, O_RDONLY | O_DIRECTORY, 0);
}

/* Temporary name, sync, rename, sync of the folder, as klm_file_replace does it, but beneath. */
static klm_rc replace(struct con_run *run, int folder, const char *base, struct klm_slice bytes)
{
    static atomic_uint turn; /* two operators may write the same file at a time */
    char temporary[NAME_MAX_HERE + 32];
    klm_rc rc;
    int fd;

    snprintf(temporary, sizeof temporary, "%s.tmp%d.%u", base, (int)getpid(),
             atomic_fetch_add(&turn, 1));
    (void)unlinkat(folder, temporary,
                   0); /* left over from a process of the same number that was killed */
    fd = open_beneath(folder, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return refuse(run, KLM_MSG_FILE_WRITE, base, errno);
    }
    rc = klm_write_all(fd, bytes.p, bytes.n);
    if (rc == KLM_OK) {
        rc = klm_fsync(fd);
    }
    close(fd);
    if (rc == KLM_OK && renameat(folder, temporary, folder, base) == 0) {
        return klm_fsync(folder);
    }
    (void)unlinkat(folder, temporary, 0); /* the outcome before counts */
    CON_REFUSE(run, KLM_E_IO, KLM_MSG_FILE_WRITE, base, klm_rc_text(rc == KLM_OK ? KLM_E_IO : rc));
    return rc == KLM_OK ? KLM_E_IO : rc;
}

klm_rc con_file_write(struct con_run *run, const char *name, struct klm_slice bytes)
{
    char path[NAME_MAX_HERE];
    const char *base;
    int folder, target;
    klm_rc rc;

    KLM_TRY(path_of(run, name, path, sizeof path));
    KLM_TRY(open_folder(run, &folder));
    target = target_folder(folder, path, &base);
    rc = target < 0 ? refuse(run, KLM_MSG_FILE_WRITE, name, errno)
                    : replace(run, target, base, bytes);
    if (target >= 0) {
        close(target);
    }
    close(folder);
    return rc;
}
