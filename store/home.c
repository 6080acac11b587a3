/* Folder, lock and identity of a store. */
#include "store/home.h"

#include "base/file.h"
#include "base/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "LOCK"
#define IDENTITY_FILE "IDENTITY"
#define MAGIC "KLMSTORE"
#define PATH_BYTES 4096

struct st_home {
    const char *path; /* the caller's */
    int lock_fd;
    uint8_t id[16]; /* of the store */
};

static klm_rc join(const char *home, const char *name, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", home, name);

    return n < 0 || n >= PATH_BYTES ? KLM_E_LIMIT : KLM_OK;
}

/* The folder must be a folder, ours, and nobody else's to write. */
static klm_rc check_folder(const char *home, struct klm_diag *diag)
{
    struct stat st;

    if (stat(home, &st) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_ST_UNSAFE, home, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_ST_UNSAFE, home, "it is no folder");
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_ST_UNSAFE, home, "others can write in it");
    }
    if (st.st_uid != geteuid() && geteuid() != 0) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_ST_UNSAFE, home, "it belongs to another user");
    }
    if (faccessat(AT_FDCWD, home, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_ST_UNSAFE, home, strerror(errno));
    }
    return KLM_OK;
}

static bool is_database_file(const char *name)
{
    size_t n = strlen(name);

    return (n > 3 && strcmp(name + n - 3, ".db") == 0) || strncmp(name, "log.", 4) == 0;
}

/* *found: there are database files. Each must be ours to read and write: the database would panic
 * half-way otherwise. */
static klm_rc look_around(const char *home, struct klm_diag *diag, bool *found)
{
    DIR *dir = opendir(home);
    klm_rc rc = KLM_OK;
    char path[PATH_BYTES];

    if (!dir) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_ST_UNSAFE, home, strerror(errno));
    }
    *found = false;
    for (struct dirent *d; rc == KLM_OK && (d = readdir(dir));) {
        if (!is_database_file(d->d_name)) {
            continue;
        }
        *found = true;
        rc = join(home, d->d_name, path);
        if (rc == KLM_OK && faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0) {
            rc = klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
        }
    }
    closedir(dir);
    return rc;
}

static bool exists(const char *home, const char *name)
{
    char path[PATH_BYTES];

    return join(home, name, path) == KLM_OK && access(path, F_OK) == 0;
}

static klm_rc busy(int fd, const char *home, struct klm_diag *diag)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

    pid[n > 0 ? (size_t)n : 0] = 0;
    pid[strspn(pid, "0123456789")] = 0;
    return klm_fail(diag, KLM_E_BUSY, KLM_MSG_ST_BUSY, home, pid[0] ? pid : "?");
}

static klm_rc write_pid(int fd)
{
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0) {
        return klm_rc_errno(errno);
    }
    return klm_pwrite_all(fd, pid, (size_t)n, 0);
}

/* The lock ends with the process, however it ends; the pid in the file is for people. */
static klm_rc lock(struct st_home *home, struct klm_diag *diag)
{
    char path[PATH_BYTES];

    KLM_TRY(join(home->path, LOCK_FILE, path));
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        klm_rc rc = errno == EWOULDBLOCK
                        ? busy(fd, home->path, diag)
                        : klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_OPEN, path, strerror(errno));
        close(fd);
        return rc;
    }
    home->lock_fd = fd;
    klm_rc rc = write_pid(fd);
    /* A full device must not keep the store from opening: the lock holds without the pid. */
    return rc == KLM_E_NOSPACE ? KLM_OK : rc;
}

static klm_rc seal_identity(struct klm_buf *buf)
{
    uint8_t sum[ST_SUM];

    KLM_TRY(klm_buf_rc(buf));
    KLM_TRY(st_sum(klm_buf_as_slice(buf), sum));
    klm_buf_put(buf, sum, sizeof sum);
    return klm_buf_rc(buf);
}

/* A new identity: the id that was asked for, else a random one. */
static klm_rc identity_make(const char *path, const uint8_t *wanted, struct st_mac *mac,
                            struct klm_diag *diag, uint8_t id[16])
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    uint8_t verifier[ST_VERIFIER];

    klm_buf_init(&buf, 256);
    if (wanted) {
        memcpy(id, wanted, 16);
    } else {
        KLM_TRY(klm_random(id, 16));
    }
    st_mac_verifier(mac, id, verifier);
    klm_buf_text(&buf, MAGIC);
    klm_buf_u16(&buf, ST_SCHEMA);
    klm_buf_put(&buf, id, 16);
    klm_buf_put(&buf, verifier, sizeof verifier);
    KLM_TRY(seal_identity(&buf));
    return klm_file_create(path, klm_buf_as_slice(&buf), 0600, diag);
}

struct identity {
    uint16_t schema;
    uint8_t id[16];
    uint8_t verifier[ST_VERIFIER];
};

static klm_rc identity_parse(struct klm_slice in, struct identity *out)
{
    struct klm_cur cur;
    char magic[8];
    uint8_t sum[ST_SUM], want[ST_SUM];

    klm_cur_init(&cur, in);
    klm_cur_copy(&cur, magic, sizeof magic);
    klm_cur_u16(&cur, &out->schema);
    klm_cur_copy(&cur, out->id, sizeof out->id);
    klm_cur_copy(&cur, out->verifier, sizeof out->verifier);
    klm_cur_copy(&cur, sum, sizeof sum);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    KLM_TRY(st_sum(KLM_SLICE(in.p, in.n - sizeof sum), want));
    if (memcmp(magic, MAGIC, sizeof magic) != 0 || memcmp(sum, want, sizeof sum) != 0) {
        return KLM_E_CORRUPT;
    }
    return KLM_OK;
}

static klm_rc identity_check(const char *home, const char *path, struct st_mac *mac,
                             struct klm_diag *diag, uint8_t id[16])
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    struct identity identity;
    uint8_t verifier[ST_VERIFIER];

    klm_buf_init(&buf, 4096);
    klm_rc rc = klm_file_read(path, 4096, &buf, diag);
    if (rc != KLM_OK && rc != KLM_E_LIMIT) {
        return rc;
    }
    if (rc == KLM_E_LIMIT || identity_parse(klm_buf_as_slice(&buf), &identity) != KLM_OK) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_ST_DAMAGED, path, "its checksum is wrong");
    }
    if (identity.schema > ST_SCHEMA) {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_ST_SCHEMA, home, KLM_NUM(identity.schema),
                        KLM_NUM(ST_SCHEMA));
    }
    st_mac_verifier(mac, identity.id, verifier);
    if (!klm_secret_equal(verifier, identity.verifier, sizeof verifier)) {
        return klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_ST_WRONGKEY, home);
    }
    memcpy(id, identity.id, sizeof identity.id);
    return KLM_OK;
}

static klm_rc identity(const struct st_options *options, struct st_mac *mac, bool database,
                       struct klm_diag *diag, uint8_t id[16])
{
    char path[PATH_BYTES];

    KLM_TRY(join(options->home, IDENTITY_FILE, path));
    if (access(path, F_OK) == 0) {
        return identity_check(options->home, path, mac, diag, id);
    }
    if (database) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_ST_DAMAGED, path, "it is missing");
    }
    if (!options->create || options->read_only) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_ST_NONE, options->home);
    }
    return identity_make(path, options->id, mac, diag, id);
}

/* Nothing is left behind in a folder that holds no store and shall get none. */
static klm_rc make_or_find(const struct st_options *options, struct klm_diag *diag)
{
    const char *home = options->home;
    bool make = options->create && !options->read_only;

    if (make && access(home, F_OK) != 0) {
        return klm_folder_make(home, 0700, diag);
    }
    if (access(home, F_OK) != 0) {
        return klm_fail(diag, errno == ENOENT ? KLM_E_NOTFOUND : klm_rc_errno(errno),
                        KLM_MSG_ST_NONE, home);
    }
    return KLM_OK;
}

/* A process that was killed leaves writes that only the system's memory has. Recovery reads them, and builds on them as if
 * they were on disk: it writes pages that rest on the log's end, and its checkpoint says that pages which it found up to date
 * need no log any more. A power loss soon after would then leave a store that cannot be recovered. So all of it goes to the
 * disk before the database looks at it. */
static klm_rc sync_file(const char *home, const char *name, struct klm_diag *diag)
{
    char path[PATH_BYTES];

    KLM_TRY(join(home, name, path));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    klm_rc rc = klm_fdatasync(fd);
    close(fd);
    return rc == KLM_OK ? KLM_OK : klm_fail(diag, rc, KLM_MSG_FILE_WRITE, path, klm_rc_text(rc));
}

static klm_rc sync_left(const char *home, struct klm_diag *diag)
{
    DIR *dir = opendir(home);
    klm_rc rc = KLM_OK;

    if (!dir) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_ST_UNSAFE, home, strerror(errno));
    }
    for (struct dirent *d; rc == KLM_OK && (d = readdir(dir));) {
        if (is_database_file(d->d_name)) {
            rc = sync_file(home, d->d_name, diag);
        }
    }
    closedir(dir);
    KLM_TRY(rc);
    rc = klm_sync_folder(home);
    return rc == KLM_OK ? KLM_OK : klm_fail(diag, rc, KLM_MSG_FILE_WRITE, home, klm_rc_text(rc));
}

/* Under the lock, look again: another process may have made the store meanwhile. */
static klm_rc settle(struct st_home *home, const struct st_options *options, struct st_mac *mac,
                     struct klm_diag *diag, bool *empty)
{
    bool found = false;

    KLM_TRY(lock(home, diag));
    KLM_TRY(look_around(home->path, diag, &found));
    KLM_TRY(identity(options, mac, found, diag, home->id));
    *empty = !found;
    return found ? sync_left(home->path, diag) : KLM_OK;
}

klm_rc st_home_open(const struct st_options *options, struct st_mac *mac, struct klm_diag *diag,
                    struct st_home **out, bool *empty)
{
    bool found = false;

    KLM_TRY(make_or_find(options, diag));
    KLM_TRY(check_folder(options->home, diag));
    KLM_TRY(look_around(options->home, diag, &found));
    if ((!options->create || options->read_only) && !found &&
        !exists(options->home, IDENTITY_FILE)) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_ST_NONE, options->home);
    }
    struct st_home *home = calloc(1, sizeof *home);
    if (!home) {
        return KLM_E_NOMEM;
    }
    home->path = options->home;
    home->lock_fd = -1;
    klm_rc rc = settle(home, options, mac, diag, empty);
    if (rc != KLM_OK) {
        st_home_close(&home);
        return rc;
    }
    *out = home;
    return KLM_OK;
}

const uint8_t *st_home_id(const struct st_home *home)
{
    return home->id;
}

void st_home_close(struct st_home **home)
{
    if (*home) {
        if ((*home)->lock_fd >= 0) {
            close((*home)->lock_fd);
        }
        free(*home);
        *home = NULL;
    }
}
