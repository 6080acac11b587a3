/* Writing one output. Records that lie one behind the other in the mapped input are written from there, in large pieces; single ones are
 * gathered. */
#include "smf/dump/target.h"

#include <string.h>

#define PIECE (1u << 20)   /* a run this long is written */
#define SHORT_RUN 16384    /* a run up to this long is copied instead */
#define BATCH (256u << 10) /* copies are written from here on */
#define LINE_MAX_HERE (256u << 10)

/* Each event as a line. */
static klm_rc put_event(void *arg, const struct smfd_event *event)
{
    struct smfd_target *target = arg;

    if (event->found < event->e.parts) {
        target->incomplete++;
        klm_say(KLM_MSG_DUMP_PARTS, KLM_NUM(event->e.seq), event->e.server_id,
                KLM_NUM(event->found), KLM_NUM(event->e.parts));
    }
    klm_buf_clear(&target->made);
    if (smfd_form_event(target->form, event, &target->made) != KLM_OK) {
        return klm_fail(target->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, target->file.path);
    }
    target->stats->events++;
    return smfd_output_put(&target->file, klm_buf_as_slice(&target->made), target->diag);
}

static klm_rc begin(struct smfd_target *target)
{
    if (target->form == SMFD_BINARY) {
        return KLM_OK;
    }
    KLM_TRY(smfd_joiner_new(put_event, target, &target->joiner));
    KLM_TRY(smfd_form_head(target->form, &target->made));
    return smfd_output_put(&target->file, klm_buf_as_slice(&target->made), target->diag);
}

klm_rc smfd_target_open(const struct smfd_dump *dump, const struct smfd_outdd *dd, const char *path,
                        struct smfd_stats *stats, struct klm_diag *diag, struct smfd_target *out)
{
    *out = (struct smfd_target){.dd = dd,
                                .dump = dump,
                                .form = dd->unload ? SMFD_TEXT : dump->form,
                                .stats = stats,
                                .diag = diag};
    klm_buf_init(&out->batch, 2 * BATCH);
    klm_buf_init(&out->made, out->form == SMFD_BINARY ? 4 * PIECE : LINE_MAX_HERE);
    KLM_TRY(smfd_output_open(path, dump->replace, diag, &out->file));
    return begin(out);
}

/* Whole records as the bytes of the output's format. */
static klm_rc put_records(struct smfd_target *target, struct klm_slice records)
{
    klm_rc rc;

    if (target->dump->format == SMF_RDW || records.n == 0) {
        return smfd_output_put(&target->file, records, target->diag);
    }
    klm_buf_clear(&target->made);
    rc = smf_blocks_put(target->dump->format, target->dump->block, records, &target->made);
    if (rc == KLM_E_LIMIT) {
        return klm_fail(target->diag, rc, KLM_MSG_DUMP_LONG, target->file.path);
    }
    if (rc != KLM_OK) {
        return klm_fail(target->diag, rc, KLM_MSG_NO_MEMORY, target->file.path);
    }
    return smfd_output_put(&target->file, klm_buf_as_slice(&target->made), target->diag);
}

static klm_rc put_batch(struct smfd_target *target)
{
    KLM_TRY(put_records(target, klm_buf_as_slice(&target->batch)));
    klm_buf_clear(&target->batch);
    return KLM_OK;
}

static klm_rc end_run(struct smfd_target *target)
{
    struct klm_slice run = target->run;

    target->run = KLM_SLICE(NULL, 0);
    if (run.n > SHORT_RUN) {
        KLM_TRY(put_batch(target));
        return put_records(target, run);
    }
    if (target->batch.n + run.n > BATCH) {
        KLM_TRY(put_batch(target));
    }
    klm_buf_slice(&target->batch, run);
    return klm_buf_rc(&target->batch) == KLM_OK
               ? KLM_OK
               : klm_fail(target->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, target->file.path);
}

/* A record that was put together from segments lies in memory of the reader, which it uses again. */
static klm_rc put_binary(struct smfd_target *target, const struct smf_read *read)
{
    bool mapped = read->length == read->record.n;

    target->records++;
    if (mapped && target->run.n && target->run.p + target->run.n == read->record.p &&
        target->run.n < PIECE) {
        target->run.n += read->record.n;
        return KLM_OK;
    }
    KLM_TRY(end_run(target));
    target->run = read->record;
    return mapped ? KLM_OK : end_run(target);
}

static klm_rc put_as_event(struct smfd_target *target, struct smfd_source *source)
{
    const char *why = "";
    klm_rc rc;

    if (source->head.type != 83 || source->head.subtype != 6) {
        target->stats->skipped++;
        return KLM_OK;
    }
    rc = smfd_joiner_put(target->joiner, source->read.record, &why);
    if (rc == KLM_E_CORRUPT) {
        if (target->stats->unreadable++ < SMFD_SAID_MAX) {
            klm_say(KLM_MSG_DUMP_EVENT, source->path, KLM_NUM(source->read.number),
                    KLM_NUM(source->read.offset), why);
        }
        return KLM_OK;
    }
    target->records += rc == KLM_OK;
    return rc;
}

klm_rc smfd_target_put(struct smfd_target *target, struct smfd_source *source)
{
    return target->form == SMFD_BINARY ? put_binary(target, &source->read)
                                       : put_as_event(target, source);
}

klm_rc smfd_target_flush(struct smfd_target *target)
{
    return target->form == SMFD_BINARY ? end_run(target) : KLM_OK;
}

klm_rc smfd_target_finish(struct smfd_target *target)
{
    if (target->joiner) {
        KLM_TRY(smfd_joiner_end(target->joiner));
    }
    KLM_TRY(put_batch(target));
    return smfd_output_sync(&target->file, target->diag);
}

void smfd_target_close(struct smfd_target *target)
{
    smfd_joiner_free(&target->joiner);
    klm_buf_done(&target->batch);
    klm_buf_done(&target->made);
    smfd_output_close(&target->file);
}
