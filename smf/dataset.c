/* The SMF sink as a driver: records of type 83 with the lines of the text log in them, a write a batch, checkpoints. */
#include "smf/dataset_file.h"

#include "base/clock.h"
#include "base/file.h"
#include "smf/journal.h"
#include "smf/segments.h"
#include "smf/text_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_BYTES ((size_t)256 * 1024)
#define OUT_MAX ((size_t)8 << 20) /* a batch, an event of any size and a checkpoint, as blocks */
#define DATASET_BYTES ((uint64_t)64 << 20)
#define CHAIN "smf"
#define SWITCH_MS 5000 /* how long a switch waits for the events before it */

/* ---- Records */

/* What is the same in all records, with the zone of one moment, which is asked for once a minute. */
static const struct smf_t83_origin *origin_at(struct smf_dataset_sink *sink, klm_time when)
{
    time_t seconds = (time_t)(when / 1000000);
    struct tm tm;

    if (sink->local && sink->minute != seconds / 60 && localtime_r(&seconds, &tm)) {
        sink->origin.utc_offset_min = (int)(tm.tm_gmtoff / 60);
        sink->minute = seconds / 60;
    }
    return &sink->origin;
}

/* The text record, then the SMF records that hold it. next is only changed when both are made. */
static klm_rc put_event(struct smf_dataset_sink *sink, const struct smf_record *record)
{
    const struct smf_t83_origin *origin = origin_at(sink, record->event.time);
    struct smf_ds_place next = sink->next;

    klm_buf_clear(&sink->text);
    KLM_TRY(smf_text_put(record, sink->hash, next.text_chain, &sink->text));
    KLM_TRY(smf_t83_encode(origin, record, klm_buf_as_slice(&sink->text), sink->hash, &next.chain,
                           &sink->out));
    sink->next = next;
    return KLM_OK;
}

static klm_rc take(void *self, const struct smf_record *record)
{
    struct smf_dataset_sink *sink = self;
    size_t before = sink->out.n;

    if (!record->left_out) {
        klm_rc rc = put_event(sink, record);

        if (rc != KLM_OK) {
            sink->out.n = before;
            sink->out.rc = KLM_OK;
        }
        if (rc != KLM_OK && rc != KLM_E_NOMEM && rc != KLM_E_CRYPTO) {
            klm_say(KLM_MSG_DS_PASSED, KLM_NUM(record->seq), klm_rc_text(rc));
            rc = KLM_E_CORRUPT;
        }
        KLM_TRY(rc);
    }
    sink->next.seq = record->seq;
    return KLM_OK;
}

static bool full(const void *self)
{
    const struct smf_dataset_sink *sink = self;

    return sink->out.n >= BATCH_BYTES || sink->ds.tail.size + sink->out.n >= sink->limit;
}

/* ---- Checkpoints */

static klm_rc sign(struct smf_dataset_sink *sink, struct smf_signature *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;

    klm_buf_init(&message, 1024);
    KLM_TRY(smf_checkpoint_message(CHAIN, sink->server_id, sink->next.chain.records,
                                   sink->next.chain.value, &message));
    return sink->signer->sign(sink->signer->arg, klm_buf_as_slice(&message), out);
}

/* Behind what is taken. Without a key recording goes on, and it is said now and then. */
static void put_checkpoint(struct smf_dataset_sink *sink)
{
    klm_time now = klm_clock();
    const struct smf_t83_origin *origin = origin_at(sink, now);
    struct smf_ds_place next = sink->next;
    struct smf_signature signature;
    size_t before = sink->out.n;
    klm_rc rc = sign(sink, &signature);

    sink->signed_ms = klm_clock_mono_ms();
    if (rc == KLM_OK) {
        rc = smf_t83_checkpoint(origin, sink->server_id, now, &signature, sink->hash, &next.chain,
                                &sink->out);
    }
    if (rc == KLM_OK) {
        (void)smf_trouble_over(&sink->sign_trouble);
        next.checkpoint = next.chain.records;
        sink->next = next;
        return;
    }
    sink->out.n = before;
    sink->out.rc = KLM_OK;
    if (smf_trouble_failed(&sink->sign_trouble)) {
        klm_say(KLM_MSG_DS_UNSIGNED, klm_rc_text(rc));
    }
}

static uint64_t unsigned_records(const struct smf_dataset_sink *sink)
{
    return sink->next.chain.records - sink->next.checkpoint;
}

/* A key that is missing is not asked for again with each batch. */
static bool checkpoint_due(const struct smf_dataset_sink *sink)
{
    uint64_t n = unsigned_records(sink), age = klm_clock_mono_ms() - sink->signed_ms;

    if (!sink->signer || n == 0 || (sink->sign_trouble.on && age < 1000)) {
        return false;
    }
    return (sink->signer->every_records && n >= sink->signer->every_records) ||
           (sink->signer->every_ms && age >= sink->signer->every_ms);
}

/* ---- Writing */

static klm_rc append(struct smf_dataset_sink *sink)
{
    enum smf_tail_seen seen;

    KLM_TRY(smf_tail_look(sink->dirfd, sink->ds.name, &sink->ds.tail, &seen));
    KLM_TRY(smf_dataset_changed(sink, seen));
    klm_buf_clear(&sink->blocks);
    KLM_TRY(smf_blocks_put(sink->format, 0, klm_buf_as_slice(&sink->out), &sink->blocks));
    return smf_tail_write(&sink->ds.tail, klm_buf_as_slice(&sink->blocks));
}

static void say_outcome(struct smf_dataset_sink *sink, klm_rc rc)
{
    uint64_t over;

    if (rc != KLM_OK) {
        if (smf_trouble_failed(&sink->write_trouble)) {
            klm_say(KLM_MSG_DS_WRITE, sink->ds.name, klm_rc_text(rc));
        }
    } else if ((over = smf_trouble_over(&sink->write_trouble)) != 0) {
        klm_say(KLM_MSG_DS_AGAIN, sink->ds.name, KLM_NUM(over));
    }
}

/* A checkpoint is on disk, with its place, before anything follows it: it is not signed twice. */
static klm_rc flush(struct smf_dataset_sink *sink)
{
    bool checkpoint = sink->next.checkpoint != sink->at.checkpoint;
    klm_rc rc;

    if (sink->out.n) {
        rc = append(sink);
        say_outcome(sink, rc);
        KLM_TRY(rc);
        klm_buf_clear(&sink->out);
    }
    sink->at = sink->next;
    if (checkpoint) {
        KLM_IGNORE(smf_dataset_save(sink)); /* the older cursor stands; the next one says more */
    }
    return KLM_OK;
}

static klm_rc go_on(struct smf_dataset_sink *sink)
{
    klm_rc rc;

    if (sink->signer && unsigned_records(sink)) {
        put_checkpoint(sink);
        KLM_TRY(flush(sink));
    }
    rc = smf_dataset_go_on(sink);
    if (rc == KLM_OK) {
        (void)smf_trouble_over(&sink->switch_trouble);
    } else if (smf_trouble_failed(&sink->switch_trouble)) {
        klm_say(KLM_MSG_DS_SWITCH, sink->ds.name, klm_rc_text(rc));
    }
    return rc;
}

static klm_rc write_out(void *self, uint64_t *written)
{
    struct smf_dataset_sink *sink = self;

    if (sink->out.n && checkpoint_due(sink)) {
        put_checkpoint(sink);
    }
    KLM_TRY(flush(sink));
    *written = sink->at.seq;
    if (sink->ds.tail.size >= sink->limit) {
        KLM_IGNORE(go_on(sink)); /* said; recording goes on where it is, and it is tried again */
    }
    return sink->lost ? KLM_E_IO : KLM_OK; /* a failed sync: wait, then begin again at the cursor */
}

static void tick(void *self)
{
    struct smf_dataset_sink *sink = self;

    if (sink->out.n == 0 && checkpoint_due(sink)) {
        put_checkpoint(sink);
        KLM_IGNORE(flush(sink)); /* said; it stays in out for the next attempt */
    }
    KLM_IGNORE(smf_dataset_save(sink)); /* the older cursor stands, from which more is cut off */
}

/* After a failed sync the system may have dropped what it could not write, and a second sync would succeed without it: what is
 * behind the cursor is written again. */
static bool again(void *self, uint64_t *after)
{
    struct smf_dataset_sink *sink = self;

    if (!sink->lost || sink->ds.tail.fd < 0 || sink->saved.ino != sink->ds.tail.ino ||
        sink->saved.length > sink->ds.tail.size ||
        smf_tail_cut(&sink->ds.tail, sink->saved.length) != KLM_OK) {
        return false; /* as long as it cannot be cut, no cursor speaks of it */
    }
    sink->lost = false;
    klm_buf_clear(&sink->out);
    sink->at = sink->next = sink->saved.place;
    *after = sink->at.seq;
    return true;
}

static const struct smf_sink_driver driver = {
    .name = "SMF", .take = take, .full = full, .write = write_out, .again = again, .tick = tick};

/* ---- Requests */

struct names {
    char *from, *to;
};

static klm_rc do_switch(void *self, void *arg)
{
    struct smf_dataset_sink *sink = self;
    struct names *names = arg;
    bool empty;

    KLM_TRY(flush(sink));
    empty = sink->ds.tail.size == 0;
    if (!empty) {
        KLM_TRY(go_on(sink));
    }
    snprintf(names->from, SMF_DS_NAME_MAX, "%s", empty ? "" : sink->switched);
    snprintf(names->to, SMF_DS_NAME_MAX, "%s", sink->ds.name);
    return KLM_OK;
}

klm_rc smf_dataset_switch(struct smf_dataset_sink *sink, char *from, char *to)
{
    uint64_t last = smf_journal_last(sink->journal);
    klm_rc rc = smf_sink_drain(sink->sink, SWITCH_MS);

    if (rc != KLM_OK) {
        klm_say(KLM_MSG_DS_LATE, KLM_NUM(smf_sink_position(sink->sink)), KLM_NUM(last),
                klm_rc_text(rc));
    }
    return smf_sink_call(sink->sink, do_switch, &(struct names){from, to});
}

klm_rc smf_dataset_list(struct smf_dataset_sink *sink, struct smf_dataset_row *rows, size_t *n)
{
    char active[SMF_DS_NAME_MAX];

    pthread_mutex_lock(&sink->lock);
    memcpy(active, sink->shown, sizeof active);
    pthread_mutex_unlock(&sink->lock);
    for (size_t i = 0; i < sink->names_n; i++) {
        uint64_t bytes = smf_ds_size(sink->dirfd, sink->names[i]);

        rows[i] = (struct smf_dataset_row){.bytes = bytes, .size = sink->limit};
        snprintf(rows[i].name, sizeof rows[i].name, "%s", sink->names[i]);
        rows[i].state = strcmp(active, rows[i].name) == 0 ? "ACTIVE"
                        : bytes == 0                      ? "ALTERNATE"
                                                          : "DUMP REQUIRED";
    }
    *n = sink->names_n;
    return KLM_OK;
}

struct smf_sink *smf_dataset_sink_core(struct smf_dataset_sink *sink)
{
    return sink->sink;
}

const char *smf_dataset_folder(const struct smf_dataset_sink *sink)
{
    return sink->folder;
}

/* ---- Opening and closing */

/* Qualifiers of 1 to 8 characters, up to 44 in all (z/OS DFSMS: Using Data Sets): such a name is a file name, too. */
static bool dataset_name(const char *name)
{
    static const char national[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ#@$", rest[] = "0123456789-";
    size_t n = strlen(name), qualifier = 0;

    if (n == 0 || n > SMF_DS_BASE_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '.'
                ? qualifier == 0
                : !strchr(national, name[i]) && (qualifier == 0 || !strchr(rest, name[i]))) {
            return false;
        }
        qualifier = name[i] == '.' ? 0 : qualifier + 1;
        if (qualifier > 8) {
            return false;
        }
    }
    return qualifier > 0;
}

static klm_rc copy_names(struct smf_dataset_sink *sink, const struct smf_dataset_options *options,
                         struct klm_diag *diag)
{
    if (options->names_n == 0 || options->names_n > SMF_DATASETS_MAX) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DS_NAME, "");
    }
    sink->names = calloc(options->names_n, sizeof *sink->names);
    if (!sink->names) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < options->names_n; i++) {
        if (!dataset_name(options->names[i])) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DS_NAME, options->names[i]);
        }
        for (size_t before = 0; before < i; before++) {
            if (strcmp(sink->names[before], options->names[i]) == 0) {
                return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DS_NAME, options->names[i]);
            }
        }
        snprintf(sink->names[i], sizeof sink->names[i], "%s", options->names[i]);
    }
    sink->names_n = options->names_n;
    return KLM_OK;
}

static void copy_origin(struct smf_dataset_sink *sink, const struct smf_t83_origin *origin)
{
    snprintf(sink->system, sizeof sink->system, "%s", origin->system ? origin->system : "");
    snprintf(sink->subsystem, sizeof sink->subsystem, "%s",
             origin->subsystem ? origin->subsystem : "");
    snprintf(sink->job, sizeof sink->job, "%s", origin->job ? origin->job : "");
    sink->origin = *origin;
    sink->origin.system = sink->system;
    sink->origin.subsystem = sink->subsystem;
    sink->origin.job = sink->job;
}

static klm_rc set_options(struct smf_dataset_sink *sink, const struct smf_dataset_options *options,
                          struct klm_diag *diag)
{
    KLM_TRY(copy_names(sink, options, diag));
    copy_origin(sink, &options->origin);
    sink->local = options->local_time;
    sink->minute = -1;
    sink->limit = options->size ? options->size : DATASET_BYTES;
    sink->format = options->format;
    sink->signer = options->signer;
    sink->begin = options->begin;
    sink->folder = strdup(options->folder);
    sink->server_id = strdup(options->server_id);
    if (!sink->folder || !sink->server_id) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_folder_make(sink->folder, 0750, diag));
    sink->dirfd = open(sink->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return sink->dirfd >= 0 ? KLM_OK
                            : klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, sink->folder,
                                       strerror(errno));
}

static klm_rc sink_new(struct smf_dataset_sink **out)
{
    struct smf_dataset_sink *sink = calloc(1, sizeof *sink);

    if (!sink) {
        return KLM_E_NOMEM;
    }
    sink->dirfd = sink->ds.tail.fd = -1;
    klm_buf_init(&sink->out, OUT_MAX);
    klm_buf_init(&sink->blocks, 2 * OUT_MAX);
    klm_buf_init(&sink->text, SMF_TEXT_RECORD_MAX);
    if (pthread_mutex_init(&sink->lock, NULL)) {
        free(sink);
        return KLM_E_NOMEM;
    }
    *out = sink;
    return KLM_OK;
}

klm_rc smf_dataset_sink_open(const struct smf_dataset_options *options, struct smf_journal *journal,
                             struct klm_diag *diag, struct smf_dataset_sink **out)
{
    KLM_AUTO(smf_dataset_sink_close) struct smf_dataset_sink *sink = NULL;

    KLM_TRY(sink_new(&sink));
    KLM_TRY(set_options(sink, options, diag));
    KLM_TRY(smf_hash_new(&sink->hash));
    KLM_TRY(smf_dataset_find_place(sink, smf_journal_last(journal), diag));
    sink->next = sink->at;
    sink->signed_ms = klm_clock_mono_ms();
    smf_dataset_show(sink);
    sink->journal = journal;
    KLM_TRY(smf_sink_start(journal, &driver, sink, sink->at.seq, &sink->sink));
    *out = sink;
    sink = NULL;
    return KLM_OK;
}

/* What could not be written stays in the journal; then there is nothing to sign here either. */
static void finish(struct smf_dataset_sink *sink)
{
    if (sink->out.n == 0 && sink->signer && unsigned_records(sink)) {
        put_checkpoint(sink);
        KLM_IGNORE(flush(sink)); /* said */
    }
    KLM_IGNORE(smf_dataset_save(sink)); /* the older cursor stands */
}

void smf_dataset_sink_close(struct smf_dataset_sink **sink)
{
    struct smf_dataset_sink *s = *sink;

    if (!s) {
        return;
    }
    if (s->sink) {
        smf_sink_stop(&s->sink);
        finish(s);
    }
    smf_ds_close(&s->ds);
    smf_fd_close(&s->dirfd);
    smf_hash_free(&s->hash);
    klm_buf_done(&s->out);
    klm_buf_done(&s->text);
    klm_buf_done(&s->blocks);
    pthread_mutex_destroy(&s->lock);
    free(s->names);
    free(s->folder);
    free(s->server_id);
    free(s);
    *sink = NULL;
}
