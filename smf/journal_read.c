/* Reading a journal by its folder: for sinks made later, for reports, and to check the whole chain. */
#include "smf/reader.h"

/* Records as visitors see them. */
static klm_rc show(const char *folder, const struct smf_frame *frame, smf_visit_fn *visit,
                   void *arg, struct klm_diag *diag)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct smf_record record;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = smf_frame_record(frame, pool, &record);
    if (rc == KLM_E_CORRUPT) {
        return klm_fail(diag, rc, KLM_MSG_SMF_EVENT, folder, KLM_NUM(frame->seq));
    }
    return rc == KLM_OK ? visit(arg, &record) : rc;
}

/* The walk ended: was it the end? last is the first record of the last segment that was there before the walk. */
static klm_rc at_end(const struct smf_reader *reader, uint64_t last, struct klm_diag *diag)
{
    if (reader->seq + 1 < last) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_SMF_GAP, reader->folder,
                        KLM_NUM(reader->seq + 1), KLM_NUM(last - 1));
    }
    return KLM_OK;
}

static klm_rc last_segment(const char *folder, uint64_t *last, struct klm_diag *diag)
{
    KLM_AUTO(smf_segments_done) struct smf_segments segments = {0};

    KLM_TRY(smf_segments_list(folder, &segments, diag));
    *last = segments.n ? segments.first[segments.n - 1] : 0;
    return KLM_OK;
}

klm_rc smf_journal_read(const char *folder, uint64_t after, smf_visit_fn *visit, void *arg,
                        struct klm_diag *diag)
{
    KLM_AUTO(smf_reader_close) struct smf_reader *reader = NULL;
    struct smf_frame frame;
    uint64_t last;
    klm_rc rc;

    KLM_TRY(last_segment(folder, &last, diag));
    KLM_TRY(smf_reader_open(folder, after, diag, &reader));
    while ((rc = smf_reader_next(reader, &frame, diag)) == KLM_OK) {
        KLM_TRY(show(folder, &frame, visit, arg, diag));
    }
    return rc == KLM_E_NOTFOUND ? at_end(reader, last, diag) : rc;
}

/* The mark is read before the walk: what was on disk then must be found, so that a journal cut short is noticed too. */
klm_rc smf_journal_verify(const char *folder, uint64_t *records, struct klm_diag *diag)
{
    KLM_AUTO(smf_reader_close) struct smf_reader *reader = NULL;
    struct smf_frame frame;
    uint64_t last, n = 0, mark = smf_mark_read(folder);
    klm_rc rc;

    KLM_TRY(last_segment(folder, &last, diag));
    KLM_TRY(smf_reader_open(folder, 0, diag, &reader));
    while ((rc = smf_reader_next(reader, &frame, diag)) == KLM_OK) {
        n++;
    }
    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    KLM_TRY(at_end(reader, last, diag));
    if (reader->seq < mark) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_SMF_DAMAGED, folder, "the end",
                        KLM_NUM(reader->seq + 1), KLM_NUM(reader->offset));
    }
    *records = n;
    return KLM_OK;
}
