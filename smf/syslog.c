/* Opening and closing the syslog sink. */
#include "smf/syslog_driver.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FINISH_MS 2000
#define TIMEOUT_MS 10000

static klm_rc copy_text(struct klm_pool *pool, const char **text)
{
    if (*text && !(*text = klm_pool_str(pool, *text))) {
        return KLM_E_NOMEM;
    }
    return KLM_OK;
}

static klm_rc copy_options(struct smf_syslog *s, const struct smf_syslog_options *options)
{
    s->options = *options;
    KLM_TRY(copy_text(s->pool, &s->options.server_id));
    KLM_TRY(copy_text(s->pool, &s->options.folder));
    KLM_TRY(copy_text(s->pool, &s->options.host));
    KLM_TRY(copy_text(s->pool, &s->options.socket));
    KLM_TRY(copy_text(s->pool, &s->options.plugin));
    s->options.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    return KLM_OK;
}

/* The first time. The cursor is written at once: a start after a kill must not begin later than this one. */
static void begin(struct smf_syslog *s)
{
    s->safe.seq = s->options.begin;
    if (s->options.begin > 0) {
        klm_say(KLM_MSG_SINK_BEGIN, "syslog", KLM_NUM(s->options.begin + 1));
    }
    KLM_IGNORE(smf_syslog_cursor_save(s->path, &s->safe, NULL)); /* tried again, and said, later */
}

/* Where the cursor says; where it is to begin without one. The journal may be an older one than the cursor has seen. */
static klm_rc find_place(struct smf_syslog *s, struct klm_diag *diag)
{
    uint64_t last = smf_journal_last(s->journal);
    int n = snprintf(s->path, sizeof s->path, "%s/syslog.cursor", s->options.folder);
    klm_rc rc;

    if (n < 0 || (size_t)n >= sizeof s->path) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(klm_folder_make(s->options.folder, 0750, diag));
    rc = smf_syslog_cursor_load(s->path, &s->safe, diag);
    if (rc == KLM_E_CORRUPT) {
        klm_say(KLM_MSG_SYSLOG_CURSOR, s->path);
    } else if (rc == KLM_E_NOTFOUND) {
        begin(s);
    } else {
        KLM_TRY(rc);
    }
    if (s->safe.seq > last) {
        klm_say(KLM_MSG_SYSLOG_AHEAD, s->path, KLM_NUM(s->safe.seq), KLM_NUM(last));
        s->safe.seq = last;
    }
    s->taken = s->saved = s->safe;
    return KLM_OK;
}

klm_rc smf_syslog_new(const struct smf_syslog_options *options, struct smf_journal *journal,
                      struct klm_diag *diag, struct smf_syslog **out)
{
    KLM_AUTO(smf_syslog_close) struct smf_syslog *s = calloc(1, sizeof *s);

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->journal = journal;
    s->link.fd = s->stop_fd = -1;
    klm_buf_init(&s->out, SMF_SYSLOG_BATCH_BYTES + SMF_SYSLOG_MAX + SMF_SYSLOG_FRAME_MAX);
    KLM_TRY(klm_pool_new(0, &s->pool));
    KLM_TRY(copy_options(s, options));
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(smf_syslog_style_init(&s->style, &s->options));
    KLM_TRY(smf_syslog_link_init(&s->link, &s->options, s->stop_fd, diag));
    KLM_TRY(find_place(s, diag));
    *out = s;
    s = NULL;
    return KLM_OK;
}

klm_rc smf_syslog_open(const struct smf_syslog_options *options, struct smf_journal *journal,
                       struct klm_diag *diag, struct smf_syslog **out)
{
    KLM_AUTO(smf_syslog_close) struct smf_syslog *s = NULL;

    KLM_TRY(smf_syslog_new(options, journal, diag, &s));
    KLM_TRY(smf_sink_start(journal, &smf_syslog_driver, s, s->safe.seq, &s->sink));
    *out = s;
    s = NULL;
    return KLM_OK;
}

struct smf_sink *smf_syslog_core(struct smf_syslog *syslog)
{
    return syslog->sink;
}

/* Ends every wait of the sink's thread. */
static void stop_sink(struct smf_syslog *s)
{
    const uint64_t one = 1;

    if (s->stop_fd >= 0 && write(s->stop_fd, &one, sizeof one) != (ssize_t)sizeof one) {
        klm_trace("audit", "syslog: the stop was not passed on"); /* waits then end by themselves */
    }
    smf_sink_stop(&s->sink);
}

void smf_syslog_close(struct smf_syslog **syslog)
{
    struct smf_syslog *s = *syslog;

    if (!s) {
        return;
    }
    *syslog = NULL;
    stop_sink(s);
    smf_syslog_finish(s, s->options.timeout_ms < FINISH_MS ? s->options.timeout_ms : FINISH_MS);
    if (s->path[0]) {
        smf_syslog_save_cursor(s);
    }
    smf_syslog_link_done(&s->link);
    smf_syslog_style_done(&s->style);
    if (s->stop_fd >= 0) {
        (void)close(s->stop_fd); /* nothing was written that could be lost */
    }
    klm_buf_done(&s->out);
    klm_pool_free(&s->pool);
    free(s);
}
