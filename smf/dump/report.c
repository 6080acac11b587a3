/* A report: one pass for the facts, one for the chain, then the pages. */
#include "smf/dump/report.h"

#include "smf/dump/tell.h"

#include <stdlib.h>

#define BUFFER (1u << 30) /* rows of a table as text wait here; few are ever so many */

struct work {
    const struct smfd_report *request;
    struct klm_diag *diag;
    struct smfd_facts *facts;
    struct smfd_stats stats;
    struct smfd_joiner *joiner;
    struct smfd_progress progress;
};

static klm_rc add_event(void *arg, const struct smfd_event *event)
{
    struct work *work = arg;

    return smfd_facts_add(work->facts, event);
}

static klm_rc one_record(struct work *work, const struct smfd_source *source)
{
    const char *why = "";
    klm_rc rc;

    if (source->head.type != 83 || source->head.subtype != 6 ||
        !smfd_selects(work->request->control, &source->head)) {
        return KLM_OK;
    }
    rc = smfd_joiner_put(work->joiner, source->read.record, &why);
    if (rc == KLM_E_CORRUPT) {
        if (work->stats.unreadable++ < SMFD_SAID_MAX) {
            klm_say(KLM_MSG_DUMP_EVENT, source->path, KLM_NUM(source->read.number),
                    KLM_NUM(source->read.offset), why);
        }
        return KLM_OK;
    }
    return rc;
}

static klm_rc read_data_set(struct work *work, const char *path)
{
    struct smfd_source source;
    klm_rc rc;

    KLM_TRY(smfd_source_open(path, &work->stats, &work->progress, work->diag, &source));
    while ((rc = smfd_source_next(&source, false)) == KLM_OK) {
        rc = one_record(work, &source);
        if (rc != KLM_OK) {
            break;
        }
    }
    smfd_source_close(&source);
    return rc == KLM_E_NOTFOUND ? KLM_OK : klm_fail(work->diag, rc, KLM_MSG_NO_MEMORY, path);
}

/* Data sets in the order of their first records, so that times and numbers rise. */
struct dated {
    const char *path;
    uint64_t stamp;
};

static int by_stamp(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;

    return x->stamp != y->stamp ? (x->stamp < y->stamp ? -1 : 1) : 0;
}

static klm_rc date_of(struct work *work, const char *path, uint64_t *stamp)
{
    struct smfd_source source;
    klm_rc rc;

    KLM_TRY(smfd_source_open(path, NULL, NULL, work->diag, &source));
    do {
        rc = smfd_source_next(&source, true);
    } while (rc == KLM_OK && source.read.kind != SMF_READ_RECORD);
    if (rc == KLM_OK) {
        *stamp = smfd_stamp(source.head.year, source.head.day, source.head.time);
    }
    smfd_source_close(&source);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc read_in_order(struct work *work, struct dated *sets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sets[i].path = work->request->paths[i];
        KLM_TRY(date_of(work, sets[i].path, &sets[i].stamp));
    }
    qsort(sets, n, sizeof *sets, by_stamp);
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(read_data_set(work, sets[i].path));
    }
    return smfd_joiner_end(work->joiner);
}

static klm_rc collect(struct work *work)
{
    size_t n = work->request->paths_n;
    struct dated *sets = calloc(n, sizeof *sets);
    klm_rc rc = sets ? smfd_joiner_new(add_event, work, &work->joiner) : KLM_E_NOMEM;

    smfd_progress_begin(&work->progress, "report");
    work->progress.total = smfd_bytes_of(work->request->paths, n);
    if (rc == KLM_OK) {
        rc = read_in_order(work, sets, n);
    }
    smfd_progress_end(&work->progress);
    free(sets);
    return rc;
}

static klm_rc check_chain(struct work *work, struct smfd_verdict *verdict)
{
    struct smfd_verify verify = {.paths = work->request->paths,
                                 .paths_n = work->request->paths_n,
                                 .certificates_n = work->request->certificates_n};
    klm_rc rc;

    for (size_t i = 0; i < verify.certificates_n; i++) {
        verify.certificates[i] = work->request->certificates[i];
    }
    rc = smfd_verify(&verify, work->diag, verdict);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc show_page(struct smfd_told *told, struct work *work, FILE *text,
                        struct smfd_output *html)
{
    struct smfd_page page = {.text = text, .html = html, .diag = work->diag};

    klm_buf_init(&page.buf, BUFFER);
    smfd_tell(told, &page);
    klm_buf_done(&page.buf);
    return page.rc;
}

static klm_rc show_html(struct smfd_told *told, struct work *work)
{
    struct smfd_output html;
    klm_rc rc;

    KLM_TRY(smfd_output_open(work->request->html, work->request->replace, work->diag, &html));
    rc = show_page(told, work, NULL, &html);
    if (rc == KLM_OK) {
        rc = smfd_output_sync(&html, work->diag);
    }
    if (rc == KLM_OK) {
        rc = smfd_output_name(&html, work->diag);
    }
    smfd_output_close(&html);
    return rc;
}

static klm_rc show(struct work *work)
{
    KLM_AUTO(smfd_verdict_done) struct smfd_verdict verdict = {0};
    size_t limit = work->request->limit ? work->request->limit : SMFD_REPORT_LIMIT;
    struct smfd_told told = {.facts = work->facts, .stats = &work->stats, .limit = limit};
    uint64_t damaged;

    KLM_TRY(smfd_facts_init(work->facts, limit));
    KLM_TRY(collect(work));
    KLM_TRY(check_chain(work, &verdict));
    told.verdict = verdict.n ? &verdict : NULL;
    KLM_TRY(work->request->html ? show_html(&told, work) : KLM_OK);
    KLM_TRY(work->request->text ? show_page(&told, work, work->request->text, NULL) : KLM_OK);
    damaged = work->stats.damaged + work->stats.unreadable + work->facts->incomplete;
    return damaged && !work->request->tolerate
               ? klm_fail(work->diag, KLM_E_CORRUPT, KLM_MSG_DUMP_DAMAGED_ALL, KLM_NUM(damaged))
               : KLM_OK;
}

klm_rc smfd_report(const struct smfd_report *request, struct klm_diag *diag)
{
    struct work work = {.request = request, .diag = diag, .facts = calloc(1, sizeof *work.facts)};
    klm_rc rc = work.facts ? show(&work) : KLM_E_NOMEM;

    smfd_joiner_free(&work.joiner);
    smfd_stats_done(&work.stats);
    if (work.facts) {
        smfd_facts_done(work.facts);
        free(work.facts);
    }
    if (rc == KLM_E_NOMEM && diag->msg == KLM_MSG_NONE) {
        return klm_fail(diag, rc, KLM_MSG_NO_MEMORY, "the report");
    }
    return rc;
}
