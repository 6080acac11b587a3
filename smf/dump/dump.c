/* The course of a dump. */
#include "smf/dump/dump.h"

#include "smf/dump/clear.h"
#include "smf/dump/target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS_MAX 4096

/* One file of an INDD. */
struct input {
    const struct smfd_indd *dd;
    const char *path;
    struct smfd_clear clear;
};

struct work {
    struct smfd_dump *dump;
    struct klm_diag *diag;
    struct input *inputs;
    size_t inputs_n;
    struct smfd_target *targets;
    size_t targets_n;
    struct smfd_progress progress;
};

/* What holds when SYSIN names no input or output. */
static void defaults(struct smfd_control *control)
{
    if (control->in_n == 0) {
        control->in[control->in_n++] = (struct smfd_indd){.dd = "DUMPIN", .dump = true};
    }
    if (control->out_n == 0) {
        control->out[control->out_n++] = (struct smfd_outdd){.dd = "DUMPOUT"};
    }
}

static klm_rc add_inputs(struct work *work, const struct smfd_indd *dd)
{
    const char **paths;
    struct input *more;
    size_t n;

    KLM_TRY(smfd_dd_find(&work->dump->dds, dd->dd, &paths, &n, work->diag));
    more = n + work->inputs_n > INPUTS_MAX
               ? NULL
               : realloc(work->inputs, (work->inputs_n + n) * sizeof *more);
    if (!more) {
        free(paths);
        return klm_fail(work->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, dd->dd);
    }
    work->inputs = more;
    for (size_t i = 0; i < n; i++) {
        work->inputs[work->inputs_n++] =
            (struct input){.dd = dd, .path = paths[i], .clear = {.fd = -1}};
    }
    free(paths);
    return KLM_OK;
}

static klm_rc bind_inputs(struct work *work)
{
    const struct smfd_control *control = &work->dump->control;

    for (size_t i = 0; i < control->in_n; i++) {
        KLM_TRY(add_inputs(work, &control->in[i]));
    }
    for (size_t i = 0; i < work->inputs_n; i++) {
        if (work->inputs[i].dd->clear) {
            KLM_TRY(smfd_clear_lock(work->inputs[i].path, work->diag, &work->inputs[i].clear));
        }
    }
    return KLM_OK;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static klm_rc no_input(const struct work *work, const char *path)
{
    for (size_t i = 0; i < work->inputs_n; i++) {
        if (same_file(work->inputs[i].path, path)) {
            return klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DUMP_SAME, path);
        }
    }
    return KLM_OK;
}

static klm_rc open_target(struct work *work, const struct smfd_outdd *dd)
{
    const char **paths;
    size_t n;
    klm_rc rc;

    KLM_TRY(smfd_dd_find(&work->dump->dds, dd->dd, &paths, &n, work->diag));
    rc = n == 1 ? no_input(work, paths[0])
                : klm_fail(work->diag, KLM_E_INVALID, KLM_MSG_DUMP_DD_TWICE, dd->dd);
    if (rc == KLM_OK) {
        rc = smfd_target_open(work->dump, dd, paths[0], &work->dump->stats, work->diag,
                              &work->targets[work->targets_n++]);
    }
    free(paths);
    return rc;
}

static bool dumps(const struct work *work)
{
    for (size_t i = 0; i < work->inputs_n; i++) {
        if (work->inputs[i].dd->dump) {
            return true;
        }
    }
    return false;
}

/* Inputs that are only cleared need no output. */
static klm_rc open_targets(struct work *work)
{
    const struct smfd_control *control = &work->dump->control;

    if (!dumps(work)) {
        return KLM_OK;
    }
    work->targets = calloc(control->out_n, sizeof *work->targets);
    if (!work->targets) {
        return klm_fail(work->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "OUTDD");
    }
    for (size_t i = 0; i < control->out_n; i++) {
        KLM_TRY(open_target(work, &control->out[i]));
    }
    return KLM_OK;
}

static klm_rc put(struct work *work, struct smfd_source *source)
{
    struct smfd_stats *stats = &work->dump->stats;
    bool taken = false;

    if (smfd_selects(&work->dump->control, &source->head)) {
        for (size_t i = 0; i < work->targets_n; i++) {
            if (smfd_takes(work->targets[i].dd, &source->head)) {
                KLM_TRY(smfd_target_put(&work->targets[i], source));
                taken = true;
            }
        }
    }
    source->count->written += taken;
    stats->written += taken;
    stats->unselected += !taken;
    return KLM_OK;
}

static void print_input(const struct work *work, const struct smfd_source *source)
{
    if (work->dump->sysprint) {
        fprintf(work->dump->sysprint,
                " INPUT  %s  %" PRIu64 " RECORDS  %" PRIu64 " BYTES  %" PRIu64 " DAMAGED%s\n",
                source->path, source->records, smf_dataset_size(source->reader), source->damaged,
                source->active ? "  ACTIVE" : "");
    }
}

static klm_rc all_records(struct work *work, struct smfd_source *source)
{
    klm_rc rc;

    while ((rc = smfd_source_next(source, false)) == KLM_OK) {
        KLM_TRY(put(work, source));
    }
    if (rc != KLM_E_NOTFOUND) {
        return klm_fail(work->diag, rc, KLM_MSG_NO_MEMORY, source->path);
    }
    for (size_t i = 0; i < work->targets_n; i++) {
        KLM_TRY(smfd_target_flush(&work->targets[i]));
    }
    print_input(work, source);
    return KLM_OK;
}

static klm_rc read_input(struct work *work, const struct input *input)
{
    struct smfd_source source;
    klm_rc rc;

    KLM_TRY(
        smfd_source_open(input->path, &work->dump->stats, &work->progress, work->diag, &source));
    if (input->clear.fd >= 0) {
        source.active = false; /* the lock is ours */
    }
    rc = all_records(work, &source);
    smfd_source_close(&source);
    return rc;
}

static klm_rc read_inputs(struct work *work)
{
    smfd_progress_begin(&work->progress, "smfdump");
    for (size_t i = 0; i < work->inputs_n; i++) {
        const char *const path = work->inputs[i].path;

        work->progress.total += work->inputs[i].dd->dump ? smfd_bytes_of(&path, 1) : 0;
    }
    for (size_t i = 0; i < work->inputs_n; i++) {
        if (work->inputs[i].dd->dump) {
            KLM_TRY(read_input(work, &work->inputs[i]));
        }
    }
    return KLM_OK;
}

static klm_rc name_targets(struct work *work)
{
    for (size_t i = 0; i < work->targets_n; i++) {
        KLM_TRY(smfd_target_finish(&work->targets[i]));
    }
    for (size_t i = 0; i < work->targets_n; i++) {
        KLM_TRY(smfd_output_name(&work->targets[i].file, work->diag));
    }
    return KLM_OK;
}

static bool damaged(const struct work *work)
{
    const struct smfd_stats *stats = &work->dump->stats;
    uint64_t n = stats->damaged + stats->unreadable;

    for (size_t i = 0; i < work->targets_n; i++) {
        n += work->targets[i].incomplete;
    }
    return n != 0 && !work->dump->tolerate;
}

/* What is damaged might be read by other means: it is not thrown away. */
static klm_rc clear_inputs(struct work *work)
{
    for (size_t i = 0; i < work->inputs_n; i++) {
        struct input *input = &work->inputs[i];

        if (input->clear.fd < 0) {
            continue;
        }
        if (input->dd->dump && damaged(work)) {
            return klm_fail(work->diag, KLM_E_CORRUPT, KLM_MSG_DUMP_NOT_CLEARED, input->path,
                            "places were damaged");
        }
        KLM_TRY(smfd_clear_do(&input->clear, work->diag));
        if (work->dump->sysprint) {
            fprintf(work->dump->sysprint, " CLEARED %s\n", input->path);
        }
    }
    return KLM_OK;
}

static void print_outputs(const struct work *work)
{
    for (size_t i = 0; work->dump->sysprint && i < work->targets_n; i++) {
        fprintf(work->dump->sysprint, " OUTPUT %s  %s  %" PRIu64 " RECORDS  %" PRIu64 " BYTES\n",
                work->targets[i].dd->dd, work->targets[i].file.path, work->targets[i].records,
                work->targets[i].file.bytes);
    }
}

static klm_rc run(struct work *work)
{
    KLM_TRY(bind_inputs(work));
    KLM_TRY(open_targets(work));
    KLM_TRY(read_inputs(work));
    KLM_TRY(name_targets(work));
    smfd_progress_end(&work->progress);
    print_outputs(work);
    KLM_TRY(clear_inputs(work));
    if (damaged(work)) {
        return klm_fail(work->diag, KLM_E_CORRUPT, KLM_MSG_DUMP_DAMAGED_ALL,
                        KLM_NUM(work->dump->stats.damaged + work->dump->stats.unreadable));
    }
    return KLM_OK;
}

klm_rc smfd_dump(struct smfd_dump *dump, struct klm_diag *diag)
{
    struct work work = {.dump = dump, .diag = diag};
    klm_rc rc;

    defaults(&dump->control);
    if (dump->sysprint) {
        fprintf(dump->sysprint, "SMFDUMP SUMMARY\n");
    }
    rc = run(&work);
    smfd_progress_end(&work.progress);
    if (dump->sysprint) {
        smfd_stats_print(&dump->stats, dump->sysprint);
        fflush(dump->sysprint);
    }
    for (size_t i = 0; i < work.targets_n; i++) {
        smfd_target_close(&work.targets[i]);
    }
    for (size_t i = 0; i < work.inputs_n; i++) {
        smfd_clear_close(&work.inputs[i].clear);
    }
    free(work.targets);
    free(work.inputs);
    return rc;
}
