/* The text sink: a thread that follows the journal. It takes only records that are on disk, so that the log never holds an
 * event that a power loss takes out of the journal. */
#include "smf/filter.h"
#include "smf/journal.h"
#include "smf/reader.h"
#include "smf/text_format.h"
#include "smf/text_place.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES ((size_t)256 * 1024)
#define RETRY_MS 1000
#define CURSOR_EVERY_MS 5000

struct smf_text {
    struct smf_journal *journal;
    struct smf_follower follower;

    pthread_mutex_t lock; /* guards what follows, up to the thread's own */
    pthread_cond_t wake;  /* of the thread */
    pthread_cond_t done;  /* of who drains: an attempt ended */
    struct smf_filter filter;
    bool stop, kick, asleep, busy;
    uint64_t attempts;
    klm_rc rc;         /* of the last attempt */
    uint64_t position; /* read without the lock */

    /* the thread's own */
    struct smf_text_file file;
    struct smf_hash *sha;
    struct smf_reader *reader;
    struct klm_buf out;             /* records not yet written */
    struct smf_text_place at, next; /* place of what is written, and of it with out */
    struct smf_trouble trouble, roll_trouble;
    struct smf_text_cursor saved;
    uint64_t saved_ms;

    pthread_t thread;
    bool running;
};

static void on_synced(void *arg)
{
    struct smf_text *text = arg;

    pthread_mutex_lock(&text->lock);
    if (text->asleep) {
        pthread_cond_signal(&text->wake);
    }
    pthread_mutex_unlock(&text->lock);
}

static void save_cursor(struct smf_text *text)
{
    struct smf_text_cursor cursor = {
        .seq = text->at.seq, .ino = text->file.ino, .offset = text->file.size};

    memcpy(cursor.chain, text->at.chain, SMF_HASH_SIZE);
    text->saved_ms = klm_clock_mono_ms();
    if (cursor.seq == text->saved.seq && cursor.ino == text->saved.ino &&
        cursor.offset == text->saved.offset) {
        return;
    }
    if (smf_text_cursor_save(&text->file, &cursor) == KLM_OK) {
        text->saved = cursor; /* else the old one stands, from which more is read again */
    }
}

/* The reader at the place of the log. Segments that were removed before the log had read them leave a hole in it. */
static klm_rc have_reader(struct smf_text *text, struct klm_diag *diag)
{
    if (text->reader) {
        return KLM_OK;
    }
    KLM_TRY(smf_reader_open(text->journal->folder, text->at.seq, diag, &text->reader));
    if (text->reader->seq > text->at.seq) {
        klm_say(KLM_MSG_TEXT_GAP, text->file.path, KLM_NUM(text->at.seq + 1),
                KLM_NUM(text->reader->seq));
    }
    return KLM_OK;
}

/* One record behind the others in out. One whose event is of a form not known here is said and passed over. */
static klm_rc take(struct smf_text *text, const struct smf_frame *frame, struct smf_filter filter)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct smf_record record;
    size_t before = text->out.n;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = smf_frame_record(frame, pool, &record);
    if (rc == KLM_E_CORRUPT) {
        klm_say(KLM_MSG_SMF_EVENT, text->journal->folder, KLM_NUM(frame->seq));
        rc = KLM_OK;
    } else if (rc == KLM_OK && smf_filter_takes(filter, &record.event)) {
        rc = smf_text_put(&record, text->sha, text->next.chain, &text->out);
    }
    if (rc != KLM_OK) {
        text->out.n = before;
        text->out.rc = KLM_OK;
        return rc;
    }
    text->next.seq = frame->seq;
    return KLM_OK;
}

static bool full(const struct smf_text *text)
{
    return text->out.n >= BATCH_BYTES ||
           (text->file.roll_bytes && text->file.size + text->out.n >= text->file.roll_bytes);
}

/* Records up to target, at least one when there is one. A failure after the first waits for the next turn. */
static klm_rc collect(struct smf_text *text, uint64_t target, struct smf_filter filter)
{
    struct klm_diag diag = {0};
    struct smf_frame frame;
    klm_rc rc = have_reader(text, &diag);

    while (rc == KLM_OK && text->next.seq < target && !(text->out.n && full(text))) {
        rc = smf_reader_next(text->reader, &frame, &diag);
        if (rc == KLM_OK) {
            rc = take(text, &frame, filter);
        }
    }
    if (rc == KLM_OK || text->next.seq > text->at.seq) {
        return KLM_OK;
    }
    smf_reader_close(&text->reader);
    if (rc == KLM_E_NOTFOUND && diag.msg == KLM_MSG_NONE) {
        rc = klm_fail(&diag, rc, KLM_MSG_SMF_GAP, text->journal->folder, KLM_NUM(text->at.seq + 1),
                      KLM_NUM(target));
    }
    if (diag.msg != KLM_MSG_NONE && smf_trouble_failed(&text->trouble)) {
        klm_say_diag(&diag);
    }
    return rc;
}

static void roll_when_full(struct smf_text *text)
{
    klm_rc rc;

    if (!text->file.roll_bytes || text->file.size < text->file.roll_bytes) {
        return;
    }
    rc = smf_text_file_roll(&text->file, NULL);
    if (rc == KLM_OK) {
        (void)smf_trouble_over(&text->roll_trouble);
        save_cursor(text);
    } else if (smf_trouble_failed(&text->roll_trouble)) {
        klm_say(KLM_MSG_TEXT_ROLL, text->file.path, klm_rc_text(rc));
    }
}

/* When someone else changed the file, the cursor must not speak of the old one. */
static klm_rc write_out(struct smf_text *text)
{
    bool changed = false;

    KLM_TRY(smf_text_file_look(&text->file, &changed));
    if (changed) {
        save_cursor(text);
    }
    return smf_text_file_write(&text->file, klm_buf_as_slice(&text->out));
}

static void say_outcome(struct smf_text *text, klm_rc rc)
{
    uint64_t over;

    if (rc != KLM_OK) {
        if (smf_trouble_failed(&text->trouble)) {
            klm_say(KLM_MSG_TEXT_WRITE, text->file.path, klm_rc_text(rc));
        }
    } else if ((over = smf_trouble_over(&text->trouble)) != 0) {
        klm_say(KLM_MSG_TEXT_AGAIN, text->file.path, KLM_NUM(over));
    }
}

/* Bring the log a step nearer to target. What could not be written stays in out for the next attempt. */
static klm_rc attempt(struct smf_text *text, uint64_t target, struct smf_filter filter)
{
    klm_rc rc = KLM_OK;

    if (text->next.seq == text->at.seq) {
        KLM_TRY(collect(text, target, filter));
    }
    if (text->out.n) {
        rc = write_out(text);
        say_outcome(text, rc);
        KLM_TRY(rc);
        klm_buf_clear(&text->out);
    }
    text->at = text->next;
    smf_store(&text->position, text->at.seq);
    roll_when_full(text);
    return KLM_OK;
}

/* Wait for more, writing the cursor when it has been old for long enough. Called with the lock. */
static void rest(struct smf_text *text)
{
    uint64_t age = klm_clock_mono_ms() - text->saved_ms;

    text->asleep = true;
    if (text->saved.seq == text->at.seq) {
        pthread_cond_wait(&text->wake, &text->lock);
    } else if (age < CURSOR_EVERY_MS) {
        smf_cond_wait_ms(&text->wake, &text->lock, (unsigned)(CURSOR_EVERY_MS - age));
    }
    text->asleep = false;
}

static void save_when_old(struct smf_text *text)
{
    if (text->saved.seq != text->at.seq &&
        klm_clock_mono_ms() - text->saved_ms >= CURSOR_EVERY_MS) {
        save_cursor(text);
    }
}

/* One attempt outside the lock, its outcome told to who drains. */
static void work(struct smf_text *text)
{
    struct smf_filter filter = text->filter;
    uint64_t target = smf_journal_synced(text->journal);
    klm_rc rc;

    text->kick = false;
    text->busy = true;
    pthread_mutex_unlock(&text->lock);
    rc = attempt(text, target, filter);
    save_when_old(text);
    pthread_mutex_lock(&text->lock);
    text->busy = false;
    text->rc = rc;
    text->attempts++;
    pthread_cond_broadcast(&text->done);
    if (rc != KLM_OK && !text->stop && !text->kick) {
        smf_cond_wait_ms(&text->wake, &text->lock, RETRY_MS);
    }
}

static void *text_main(void *arg)
{
    struct smf_text *text = arg;

    pthread_mutex_lock(&text->lock);
    while (!text->stop) {
        if (smf_journal_synced(text->journal) > text->at.seq) {
            work(text);
        } else {
            rest(text);
            pthread_mutex_unlock(&text->lock);
            save_when_old(text);
            pthread_mutex_lock(&text->lock);
        }
    }
    pthread_mutex_unlock(&text->lock);
    return NULL;
}

static klm_rc text_new(struct smf_journal *journal, struct smf_text **out)
{
    struct smf_text *text = calloc(1, sizeof *text);

    if (!text) {
        return KLM_E_NOMEM;
    }
    text->journal = journal;
    text->file.fd = text->file.dirfd = -1;
    klm_buf_init(&text->out, BATCH_BYTES + SMF_TEXT_RECORD_MAX);
    if (pthread_mutex_init(&text->lock, NULL) || smf_cond_init(&text->wake) != KLM_OK ||
        smf_cond_init(&text->done) != KLM_OK) {
        free(text); /* plain memory on Linux: nothing else to give back */
        return KLM_E_NOMEM;
    }
    *out = text;
    return KLM_OK;
}

/* Stand where the log ends. The journal may be an older one than the log has seen. */
static klm_rc take_place(struct smf_text *text, struct klm_diag *diag)
{
    uint64_t last = smf_journal_last(text->journal);

    KLM_TRY(smf_text_find_place(&text->file, text->sha, &text->at, diag));
    if (text->at.seq > last) {
        klm_say(KLM_MSG_TEXT_AHEAD, text->file.path, KLM_NUM(text->at.seq), KLM_NUM(last));
        text->at.seq = last;
    }
    text->next = text->at;
    smf_store(&text->position, text->at.seq);
    save_cursor(text);
    return KLM_OK;
}

klm_rc smf_text_open(const struct smf_text_options *options, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_text **out)
{
    KLM_AUTO(smf_text_close) struct smf_text *text = NULL;

    KLM_TRY(text_new(journal, &text));
    text->filter = smf_filter_of(options->types, options->outcomes);
    KLM_TRY(smf_hash_new(&text->sha));
    KLM_TRY(
        smf_text_file_init(&text->file, options->folder, options->name, options->roll_bytes, diag));
    KLM_TRY(take_place(text, diag));
    text->follower = (struct smf_follower){.synced = on_synced, .arg = text};
    smf_follow(journal, &text->follower);
    KLM_TRY(smf_thread_start(&text->thread, "audit-text", text_main, text));
    text->running = true;
    *out = text;
    text = NULL;
    return KLM_OK;
}

void smf_text_filter(struct smf_text *text, const char *types, const char *outcomes)
{
    struct smf_filter filter = smf_filter_of(types, outcomes);

    pthread_mutex_lock(&text->lock);
    text->filter = filter;
    pthread_mutex_unlock(&text->lock);
}

klm_rc smf_text_drain(struct smf_text *text)
{
    uint64_t target = smf_journal_last(text->journal), enough;
    klm_rc rc;

    KLM_TRY(smf_journal_sync(text->journal, target));
    pthread_mutex_lock(&text->lock);
    enough =
        text->attempts + (text->busy ? 2 : 1); /* one under way may fail for what is over by now */
    text->kick = true;
    pthread_cond_signal(&text->wake);
    while (smf_text_position(text) < target && (text->attempts < enough || text->rc == KLM_OK)) {
        pthread_cond_wait(&text->done, &text->lock);
    }
    rc = smf_text_position(text) < target ? text->rc : KLM_OK;
    pthread_mutex_unlock(&text->lock);
    return rc;
}

uint64_t smf_text_position(const struct smf_text *text)
{
    return smf_load(&text->position);
}

static void stop_thread(struct smf_text *text)
{
    pthread_mutex_lock(&text->lock);
    text->stop = true;
    pthread_cond_signal(&text->wake);
    pthread_mutex_unlock(&text->lock);
    pthread_join(text->thread, NULL);
    save_cursor(text);
}

void smf_text_close(struct smf_text **text)
{
    struct smf_text *t = *text;

    if (!t) {
        return;
    }
    smf_unfollow(t->journal, &t->follower);
    if (t->running) {
        stop_thread(t);
    }
    smf_reader_close(&t->reader);
    smf_text_file_done(&t->file);
    smf_hash_free(&t->sha);
    klm_buf_done(&t->out);
    pthread_cond_destroy(&t->wake);
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *text = NULL;
}
