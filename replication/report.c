/* Reports of a drill, line by line to disk. */
#include "replication/report.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_ROOM 4400
#define CHUNK 65536

struct repl_report {
    int fd;
    klm_rc rc; /* the first failure */
    struct klm_buf buf;
    char folder[4096], path[PATH_ROOM], temporary[PATH_ROOM + 16];
};

klm_rc repl_report_open(const char *folder, const char *name, struct klm_diag *diag,
                        struct repl_report **out)
{
    struct repl_report *report = calloc(1, sizeof *report);
    char text[128];

    if (!report) {
        return KLM_E_NOMEM;
    }
    klm_buf_init(&report->buf, 4 * CHUNK);
    snprintf(report->folder, sizeof report->folder, "%s", folder);
    snprintf(report->path, sizeof report->path, "%s/%s", folder, name);
    snprintf(report->temporary, sizeof report->temporary, "%s.tmp%d", report->path, (int)getpid());
    report->fd =
        open(report->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (report->fd < 0) {
        klm_rc rc = klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_WRITE, report->path,
                             strerror_r(errno, text, sizeof text));

        repl_report_free(&report);
        return rc;
    }
    *out = report;
    return KLM_OK;
}

static void flush(struct repl_report *report)
{
    if (report->rc == KLM_OK) {
        report->rc = klm_buf_rc(&report->buf);
    }
    if (report->rc == KLM_OK) {
        report->rc = klm_write_all(report->fd, report->buf.p, report->buf.n);
    }
    klm_buf_clear(&report->buf);
}

void repl_report_line(struct repl_report *report, const char *text)
{
    size_t n = strlen(text);
    uint8_t *room = klm_buf_room(&report->buf, n + 1);

    if (!room) {
        report->rc = report->rc == KLM_OK ? KLM_E_NOMEM : report->rc;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        room[i] = (uint8_t)text[i] < ' ' || text[i] == 0x7f ? '.' : (uint8_t)text[i];
    }
    room[n] = '\n';
    report->buf.n += n + 1;
    if (report->buf.n >= CHUNK) {
        flush(report);
    }
}

static klm_rc put_in_place(struct repl_report *report)
{
    KLM_TRY(report->rc);
    KLM_TRY(klm_fsync(report->fd));
    if (rename(report->temporary, report->path) != 0) {
        return klm_rc_errno(errno);
    }
    close(report->fd);
    report->fd = -1;
    return klm_sync_folder(report->folder);
}

klm_rc repl_report_finish(struct repl_report *report, struct klm_diag *diag)
{
    klm_rc rc;

    flush(report);
    rc = put_in_place(report);
    return rc == KLM_OK ? rc
                        : klm_fail(diag, rc, KLM_MSG_FILE_WRITE, report->path, klm_rc_text(rc));
}

const char *repl_report_path(const struct repl_report *report)
{
    return report->path;
}

void repl_report_free(struct repl_report **report)
{
    struct repl_report *r = *report;

    if (!r) {
        return;
    }
    *report = NULL;
    if (r->fd >= 0) {
        close(r->fd);
        (void)unlink(r->temporary); /* it may be gone */
    }
    klm_buf_done(&r->buf);
    free(r);
}
