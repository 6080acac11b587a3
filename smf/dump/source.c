/* Reading data sets one after the other. */
#include "smf/dump/source.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_RECORDS 4096 /* the clock is asked once in so many */
#define SHOW_MS 250

void smfd_progress_begin(struct smfd_progress *progress, const char *what)
{
    progress->what = what;
    progress->on = isatty(STDERR_FILENO) == 1;
}

void smfd_progress_step(struct smfd_progress *progress, uint64_t done)
{
    uint64_t now;

    if (!progress->on || ++progress->turn % STEP_RECORDS != 0) {
        return;
    }
    now = klm_clock_mono_ms();
    if (now - progress->shown_ms >= SHOW_MS && progress->total) {
        progress->shown_ms = now;
        fprintf(stderr, "\r%s: %3" PRIu64 " %% of %" PRIu64 " MiB", progress->what,
                (progress->before + done) * 100 / progress->total, progress->total >> 20);
    }
}

void smfd_progress_end(struct smfd_progress *progress)
{
    if (progress->shown_ms) {
        fprintf(stderr, "\r%*s\r", (int)strlen(progress->what) + 40, "");
    }
    progress->shown_ms = 0;
}

/* /proc/locks has a line for each lock: "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF". Looking there takes no lock, so the task
 * is never in the way of one. */
static bool is_lock_of(const char *line, ino_t inode)
{
    const char *write = strstr(line, " WRITE ");
    char text[32];

    snprintf(text, sizeof text, ":%lu ", (unsigned long)inode);
    return strstr(line, "FLOCK") && write && strstr(write, text);
}

bool smfd_is_active(const char *path)
{
    struct stat st;
    FILE *locks;
    char line[256];
    bool found = false;

    if (stat(path, &st) != 0 || !(locks = fopen("/proc/locks", "re"))) {
        return false;
    }
    while (!found && fgets(line, sizeof line, locks)) {
        found = is_lock_of(line, st.st_ino);
    }
    fclose(locks);
    return found;
}

uint64_t smfd_bytes_of(const char *const *paths, size_t n)
{
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < n; i++) {
        bytes += stat(paths[i], &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    return bytes;
}

klm_rc smfd_source_open(const char *path, struct smfd_stats *stats, struct smfd_progress *progress,
                        struct klm_diag *diag, struct smfd_source *out)
{
    struct smfd_source source = {.path = path, .stats = stats, .progress = progress};

    /* Before the data set is opened: one that is let go meanwhile is complete when it is read. */
    source.active = smfd_is_active(path);
    KLM_TRY(smf_dataset_open(path, diag, &source.reader));
    *out = source;
    return KLM_OK;
}

static void say_damaged(struct smfd_source *source, const char *why)
{
    source->damaged++;
    if (source->stats && source->stats->damaged++ >= SMFD_SAID_MAX) {
        return;
    }
    klm_say(KLM_MSG_DUMP_DAMAGED, source->path, KLM_NUM(source->read.number),
            KLM_NUM(source->read.offset), why);
}

/* The record that the task is just writing. */
static bool is_unfinished(const struct smfd_source *source)
{
    return source->active &&
           source->read.offset + source->read.length == smf_dataset_size(source->reader);
}

/* Whether it is a record that can be used. */
static bool good(struct smfd_source *source, bool quiet)
{
    const char *why = source->read.why ? source->read.why : "";

    if (source->read.kind == SMF_READ_RECORD) {
        if (smf_record_head(source->read.record, &source->head) == KLM_OK) {
            return true;
        }
        why = "its header cannot be";
        source->read.kind = SMF_READ_DAMAGED;
        source->read.why = why;
    }
    if (is_unfinished(source)) {
        source->unfinished = true;
        return false;
    }
    if (!quiet) {
        say_damaged(source, why);
    }
    return quiet;
}

klm_rc smfd_source_next(struct smfd_source *source, bool quiet)
{
    do {
        KLM_TRY(smf_dataset_next(source->reader, &source->read));
        if (source->read.kind == SMF_READ_END) {
            return KLM_E_NOTFOUND;
        }
        if (source->progress) {
            smfd_progress_step(source->progress, source->read.offset);
        }
    } while (!good(source, quiet));
    source->records++;
    if (source->stats && source->read.kind == SMF_READ_RECORD) {
        source->count = smfd_stats_read(source->stats, &source->head);
        return source->count ? KLM_OK : KLM_E_NOMEM;
    }
    return KLM_OK;
}

void smfd_source_close(struct smfd_source *source)
{
    if (source->reader) {
        if (source->progress) {
            source->progress->before += smf_dataset_size(source->reader);
        }
        smf_dataset_close(&source->reader);
    }
}
