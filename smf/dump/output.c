/* Outputs: temporary name, large writes, sync, then the name. */
#include "smf/dump/output.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (1u << 20)
#define DIRECT 65536 /* from here on bytes are not copied into the buffer */

static klm_rc failed(struct smfd_output *out, struct klm_diag *diag, int err)
{
    char text[128];

    return klm_fail(diag, klm_rc_errno(err), KLM_MSG_FILE_WRITE, out->path,
                    strerror_r(err, text, sizeof text));
}

/* mkostemp makes the file for its owner alone; the usual rights are those of any new file, at most 0640. */
static klm_rc open_temp(struct smfd_output *out, struct klm_diag *diag)
{
    size_t cap = strlen(out->path) + sizeof ".XXXXXX";
    mode_t mask = umask(0);

    umask(mask);
    out->temp = malloc(cap);
    if (!out->temp) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, out->path);
    }
    snprintf(out->temp, cap, "%s.XXXXXX", out->path);
    out->fd = mkostemp(out->temp, O_CLOEXEC);
    if (out->fd < 0 || fchmod(out->fd, 0640 & ~mask) != 0) {
        return failed(out, diag, errno);
    }
    return KLM_OK;
}

static klm_rc open_fd(struct smfd_output *out, struct klm_diag *diag)
{
    struct stat st;

    if (strcmp(out->path, "-") == 0) {
        out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return out->fd < 0 ? failed(out, diag, errno) : KLM_OK;
    }
    if (stat(out->path, &st) != 0) {
        return errno == ENOENT ? open_temp(out, diag) : failed(out, diag, errno);
    }
    if (S_ISREG(st.st_mode)) {
        return out->replace ? open_temp(out, diag)
                            : klm_fail(diag, KLM_E_EXISTS, KLM_MSG_DUMP_EXISTS, out->path);
    }
    out->fd = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return out->fd < 0 ? failed(out, diag, errno) : KLM_OK;
}

klm_rc smfd_output_open(const char *path, bool replace, struct klm_diag *diag,
                        struct smfd_output *out)
{
    struct smfd_output made = {.fd = -1, .replace = replace, .path = strdup(path)};
    klm_rc rc;

    if (!made.path) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, path);
    }
    klm_buf_init(&made.buf, 2 * BUFFER);
    rc = open_fd(&made, diag);
    if (rc != KLM_OK) {
        smfd_output_close(&made);
        return rc;
    }
    *out = made;
    return KLM_OK;
}

static klm_rc write_out(struct smfd_output *out, const void *p, size_t n, struct klm_diag *diag)
{
    klm_rc rc = n ? klm_write_all(out->fd, p, n) : KLM_OK;

    if (rc != KLM_OK) {
        return failed(out, diag, errno);
    }
    out->bytes += n;
    return KLM_OK;
}

static klm_rc flush(struct smfd_output *out, struct klm_diag *diag)
{
    KLM_TRY(write_out(out, out->buf.p, out->buf.n, diag));
    klm_buf_clear(&out->buf);
    return KLM_OK;
}

klm_rc smfd_output_put(struct smfd_output *out, struct klm_slice bytes, struct klm_diag *diag)
{
    if (out->buf.n + bytes.n > BUFFER || bytes.n >= DIRECT) {
        KLM_TRY(flush(out, diag));
    }
    if (bytes.n >= DIRECT) {
        return write_out(out, bytes.p, bytes.n, diag);
    }
    klm_buf_slice(&out->buf, bytes);
    return klm_buf_rc(&out->buf) == KLM_OK
               ? KLM_OK
               : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, out->path);
}

klm_rc smfd_output_sync(struct smfd_output *out, struct klm_diag *diag)
{
    KLM_TRY(flush(out, diag));
    if (out->temp && klm_fsync(out->fd) != KLM_OK) {
        return failed(out, diag, errno);
    }
    return KLM_OK;
}

/* link, unlike rename, never takes away a file that came into being since. */
static klm_rc give_name(struct smfd_output *out, struct klm_diag *diag)
{
    if (out->replace) {
        return rename(out->temp, out->path) == 0 ? KLM_OK : failed(out, diag, errno);
    }
    if (link(out->temp, out->path) != 0) {
        return errno == EEXIST ? klm_fail(diag, KLM_E_EXISTS, KLM_MSG_DUMP_EXISTS, out->path)
                               : failed(out, diag, errno);
    }
    (void)unlink(out->temp); /* the file has its name; another one does no harm */
    return KLM_OK;
}

klm_rc smfd_output_name(struct smfd_output *out, struct klm_diag *diag)
{
    char folder[4096];

    if (!out->temp) {
        return KLM_OK;
    }
    KLM_TRY(give_name(out, diag));
    free(out->temp);
    out->temp = NULL;
    KLM_TRY(klm_path_folder(out->path, folder, sizeof folder));
    return klm_sync_folder(folder) == KLM_OK ? KLM_OK : failed(out, diag, errno);
}

void smfd_output_close(struct smfd_output *out)
{
    if (!out->path) {
        return;
    }
    if (out->fd >= 0) {
        close(out->fd);
    }
    if (out->temp) {
        (void)unlink(out->temp); /* it may not have been made */
    }
    klm_buf_done(&out->buf);
    free(out->temp);
    free(out->path);
    *out = (struct smfd_output){.fd = -1};
}
