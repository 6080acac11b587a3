/* smf2log: what the records say in lines, in the order of the records. */
#include "smf/dump/log.h"

#include "smf/dump/event.h"
#include "smf/dump/output.h"

#include <inttypes.h>
#include <string.h>

struct work {
    struct smfd_log *log;
    struct klm_diag *diag;
    struct smfd_output out;
    struct smfd_joiner *joiner;
    struct smfd_progress progress;
};

static klm_rc put_text(void *arg, const struct smfd_event *event)
{
    struct work *work = arg;
    struct smfd_log *log = work->log;

    if (event->e.checkpoint) {
        log->checkpoints++;
        return KLM_OK;
    }
    if (event->found < event->e.parts) {
        log->incomplete++;
        klm_say(KLM_MSG_DUMP_PARTS, KLM_NUM(event->e.seq), event->e.server_id,
                KLM_NUM(event->found), KLM_NUM(event->e.parts));
        return KLM_OK;
    }
    if (!event->e.text) {
        log->without_text++;
        return KLM_OK;
    }
    log->events++;
    return smfd_output_put(&work->out, klm_slice_str(event->e.text), work->diag);
}

static klm_rc one_record(struct work *work, const struct smfd_source *source)
{
    const char *why = "";
    klm_rc rc;

    if (source->head.type != 83 || source->head.subtype != 6) {
        work->log->others++;
        return KLM_OK;
    }
    rc = smfd_joiner_put(work->joiner, source->read.record, &why);
    if (rc == KLM_E_CORRUPT) {
        if (work->log->stats.unreadable++ < SMFD_SAID_MAX) {
            klm_say(KLM_MSG_DUMP_EVENT, source->path, KLM_NUM(source->read.number),
                    KLM_NUM(source->read.offset), why);
        }
        return KLM_OK;
    }
    work->log->records++;
    return rc;
}

static klm_rc read_data_set(struct work *work, const char *path)
{
    struct smfd_source source;
    klm_rc rc;

    KLM_TRY(smfd_source_open(path, &work->log->stats, &work->progress, work->diag, &source));
    while ((rc = smfd_source_next(&source, false)) == KLM_OK) {
        rc = one_record(work, &source);
        if (rc != KLM_OK) {
            break;
        }
    }
    smfd_source_close(&source);
    if (rc == KLM_E_NOMEM) {
        return klm_fail(work->diag, rc, KLM_MSG_NO_MEMORY, path);
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc read_all(struct work *work)
{
    KLM_TRY(smfd_joiner_new(put_text, work, &work->joiner));
    smfd_progress_begin(&work->progress, "smf2log");
    work->progress.total = smfd_bytes_of(work->log->paths, work->log->paths_n);
    for (size_t i = 0; i < work->log->paths_n; i++) {
        KLM_TRY(read_data_set(work, work->log->paths[i]));
    }
    KLM_TRY(smfd_joiner_end(work->joiner));
    KLM_TRY(smfd_output_sync(&work->out, work->diag));
    return smfd_output_name(&work->out, work->diag);
}

static klm_rc tell(const struct smfd_log *log, struct klm_diag *diag)
{
    uint64_t damaged = log->stats.damaged + log->stats.unreadable + log->incomplete;

    if (log->sysprint) {
        fprintf(log->sysprint,
                "%" PRIu64 " events from %" PRIu64 " records; passed over: %" PRIu64
                " checkpoints, %" PRIu64 " other records, %" PRIu64 " events without text, %" PRIu64
                " incomplete, %" PRIu64 " damaged\n",
                log->events, log->records, log->checkpoints, log->others, log->without_text,
                log->incomplete, log->stats.damaged + log->stats.unreadable);
    }
    return damaged && !log->tolerate
               ? klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_DUMP_DAMAGED_ALL, KLM_NUM(damaged))
               : KLM_OK;
}

klm_rc smfd_log_write(struct smfd_log *log, struct klm_diag *diag)
{
    struct work work = {.log = log, .diag = diag};
    klm_rc rc = smfd_output_open(log->out, log->replace, diag, &work.out);

    if (rc == KLM_OK) {
        rc = read_all(&work);
    }
    smfd_progress_end(&work.progress);
    smfd_joiner_free(&work.joiner);
    smfd_output_close(&work.out);
    smfd_stats_done(&log->stats);
    return rc == KLM_OK ? tell(log, diag) : rc;
}
