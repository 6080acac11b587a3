/* Reading the PIN file. */
#include "keyring/p11/pin.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static klm_rc refuse(const char *path, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_PIN_FILE, path, why);
}

/* As a master key file: ours or root's and for nobody else; a systemd credential shows the read bit of group root. */
static const char *unguarded(const struct stat *st)
{
    mode_t others = st->st_mode & (S_IRWXG | S_IRWXO);

    if (!S_ISREG(st->st_mode)) {
        return "it is no regular file";
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return "it belongs to another user";
    }
    if (others && !(others == S_IRGRP && st->st_uid == 0 && st->st_gid == 0)) {
        return "others have access to it";
    }
    return NULL;
}

/* What was read up to the end of its first line. */
static klm_rc first_line(const char *path, const uint8_t *text, size_t n, uint8_t *pin, size_t *out,
                         struct klm_diag *diag)
{
    const uint8_t *end = memchr(text, '\n', n);
    size_t len = end ? (size_t)(end - text) : n;

    if (len && text[len - 1] == '\r') {
        len--;
    }
    if (len == 0 || len > P11_PIN_MAX) {
        return refuse(path, "its first line is empty or longer than 255 characters", diag);
    }
    memcpy(pin, text, len);
    *out = len;
    return KLM_OK;
}

static klm_rc read_fd(const char *path, int fd, uint8_t *pin, size_t *n, struct klm_diag *diag)
{
    const size_t cap = P11_PIN_MAX + 2;
    struct stat st;
    uint8_t *text;
    ssize_t got;
    klm_rc rc;

    if (fstat(fd, &st) != 0) {
        return refuse(path, strerror(errno), diag);
    }
    if (unguarded(&st)) {
        return refuse(path, unguarded(&st), diag);
    }
    text = klm_secret_alloc(cap);
    if (!text) {
        return KLM_E_NOMEM;
    }
    do {
        got = read(fd, text, cap);
    } while (got < 0 && errno == EINTR);
    rc = got < 0 ? refuse(path, strerror(errno), diag)
                 : first_line(path, text, (size_t)got, pin, n, diag);
    klm_secret_free(text, cap);
    return rc;
}

klm_rc p11_pin_read(const char *path, uint8_t *pin, size_t *n, struct klm_diag *diag)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    klm_rc rc;

    if (fd < 0) {
        return refuse(path, errno == ELOOP ? "it is a symbolic link" : strerror(errno), diag);
    }
    rc = read_fd(path, fd, pin, n, diag);
    (void)close(fd); /* it was only read */
    return rc;
}
