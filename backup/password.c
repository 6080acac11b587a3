/* Passwords of backups from files. */
#include "backup/bk.h"
#include "keyring/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static klm_rc refuse(const char *path, klm_rc rc, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_BK_PASSWORD_FILE, path, why);
}

static klm_rc check(const char *path, int fd, struct klm_diag *diag)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return refuse(path, KLM_E_DENIED, "it is no regular file", diag);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return refuse(path, KLM_E_DENIED, "it belongs to another user", diag);
    }
    if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        return refuse(path, KLM_E_DENIED, "others have access to it", diag);
    }
    return KLM_OK;
}

static klm_rc read_line(const char *path, int fd, struct klm_buf *out, struct klm_diag *diag)
{
    const size_t most = KR_PASSWORD_MOST + 2; /* one more than a password, and its line's end */
    uint8_t *room = klm_buf_room(out, most);
    const uint8_t *end;
    size_t n = 0;

    KLM_TRY(klm_buf_rc(out));
    while (n < most) {
        ssize_t got = read(fd, room + n, most - n);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse(path, klm_rc_errno(errno), strerror(errno), diag);
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    end = memchr(room, '\n', n);
    n = end ? (size_t)(end - room) : n;
    if (n == 0 || n > KR_PASSWORD_MOST) {
        return refuse(path, n ? KLM_E_LIMIT : KLM_E_INVALID,
                      n ? "its first line is too long" : "its first line is empty", diag);
    }
    out->n += n;
    return KLM_OK;
}

klm_rc bk_password_file(const char *path, struct klm_buf *out, struct klm_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    klm_rc rc;

    if (fd < 0) {
        return refuse(path, klm_rc_errno(errno), strerror(errno), diag);
    }
    rc = check(path, fd, diag);
    if (rc == KLM_OK) {
        rc = read_line(path, fd, out, diag);
    }
    (void)close(fd); /* it was only read */
    return rc;
}
