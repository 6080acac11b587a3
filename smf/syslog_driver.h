/* Within smf: the syslog sink without its thread, as the thread (and tests) drive it. syslog_driver.c sends, syslog.c opens and
 * closes. */
#ifndef SMF_SYSLOG_DRIVER_H
#define SMF_SYSLOG_DRIVER_H

#include "smf/syslog_cursor.h"
#include "smf/syslog_format.h"
#include "smf/syslog_link.h"
#include "smf/trouble.h"

#include <limits.h>

#define SMF_SYSLOG_BATCH_BYTES ((size_t)256 * 1024)
#define SMF_SYSLOG_BATCH_MESSAGES 2048
#define SMF_SYSLOG_FRAME_MAX 16
#define SMF_SYSLOG_MARKS 1024 /* places of the stream that are not known to be at the receiver */

/* Everything up to this place was sent as the first `offset` bytes of the connection. */
struct smf_syslog_mark {
    struct smf_syslog_place place;
    uint64_t offset, ms;
};

struct smf_syslog {
    struct smf_journal *journal;
    struct smf_sink *sink; /* NULL while nobody drives it but a test */
    struct klm_pool *pool; /* texts of the options */
    struct smf_syslog_options options;
    struct smf_syslog_link link;
    struct smf_syslog_style style;
    int stop_fd;
    char path[PATH_MAX]; /* of the cursor */

    struct klm_buf out; /* messages taken and not yet sent */
    uint32_t ends[SMF_SYSLOG_BATCH_MESSAGES];
    size_t ends_n, at; /* messages in out; how far it is sent */

    struct smf_syslog_place taken; /* with out */
    struct smf_syslog_place safe;  /* the receiver's side has it */
    struct smf_syslog_place saved; /* safe, as the cursor on disk says */
    struct smf_syslog_mark
        marks[SMF_SYSLOG_MARKS]; /* sent and not safe yet, oldest at first, as a ring */
    size_t marks_first, marks_n;
    uint64_t still_ms; /* when the receiver's side was last seen to stand still */
    bool rewind;       /* the connection broke: go back to safe */

    uint64_t next_try_ms, backoff_ms, saved_ms;
    struct smf_trouble trouble, cursor_trouble;
};

/* A syslog sink whose functions the caller calls itself. Failures of smf_syslog_open. */
klm_rc smf_syslog_new(const struct smf_syslog_options *options, struct smf_journal *journal,
                      struct klm_diag *diag, struct smf_syslog **out) KLM_MUST_USE;
extern const struct smf_sink_driver smf_syslog_driver;
/* Place of the cursor, in memory. */
struct smf_syslog_place smf_syslog_place(const struct smf_syslog *syslog);
/* Say good-bye to the receiver: one that answers has all that was sent, and need not get it again after a restart. */
void smf_syslog_finish(struct smf_syslog *syslog, unsigned ms);
/* Bring the cursor to disk, when it has moved. */
void smf_syslog_save_cursor(struct smf_syslog *syslog);

#endif
