/* The text log as a driver of a sink: records as text, an append a batch, a new file when one is full. */
#include "smf/sink.h"
#include "smf/text_format.h"
#include "smf/text_place.h"
#include "smf/trouble.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES ((size_t)256 * 1024)

struct smf_text {
    struct smf_sink *sink;
    struct smf_text_file file;
    struct smf_hash *sha;
    struct klm_buf out;             /* records not yet written */
    struct smf_text_place at, next; /* place of what is written, and of it with out */
    struct smf_trouble trouble, roll_trouble;
    struct smf_text_cursor saved;
};

static void save_cursor(struct smf_text *text)
{
    struct smf_text_cursor cursor = {
        .seq = text->at.seq, .ino = text->file.tail.ino, .offset = text->file.tail.size};

    memcpy(cursor.chain, text->at.chain, SMF_HASH_SIZE);
    if (cursor.seq == text->saved.seq && cursor.ino == text->saved.ino &&
        cursor.offset == text->saved.offset) {
        return;
    }
    if (smf_text_cursor_save(&text->file, &cursor) == KLM_OK) {
        text->saved = cursor; /* else the old one stands, from which more is read again */
    }
}

static void tick(void *self)
{
    save_cursor(self);
}

/* One record behind the others in out. */
static klm_rc take(void *self, const struct smf_record *record)
{
    struct smf_text *text = self;
    size_t before = text->out.n;

    if (!record->left_out) {
        klm_rc rc = smf_text_put(record, text->sha, text->next.chain, &text->out);

        if (rc != KLM_OK) {
            text->out.n = before;
            text->out.rc = KLM_OK;
            return rc;
        }
    }
    text->next.seq = record->seq;
    return KLM_OK;
}

static bool full(const void *self)
{
    const struct smf_text *text = self;

    return text->out.n >= BATCH_BYTES ||
           (text->file.roll_bytes && text->file.tail.size + text->out.n >= text->file.roll_bytes);
}

static void roll_when_full(struct smf_text *text)
{
    klm_rc rc;

    if (!text->file.roll_bytes || text->file.tail.size < text->file.roll_bytes) {
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
static klm_rc append(struct smf_text *text)
{
    bool changed = false;

    KLM_TRY(smf_text_file_look(&text->file, &changed));
    if (changed) {
        save_cursor(text);
    }
    return smf_tail_write(&text->file.tail, klm_buf_as_slice(&text->out));
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

static klm_rc write_out(void *self, uint64_t *written)
{
    struct smf_text *text = self;

    if (text->out.n) {
        klm_rc rc = append(text);

        say_outcome(text, rc);
        KLM_TRY(rc);
        klm_buf_clear(&text->out);
    }
    text->at = text->next;
    *written = text->at.seq;
    roll_when_full(text);
    return KLM_OK;
}

static const struct smf_sink_driver driver = {
    .name = "text log", .take = take, .full = full, .write = write_out, .tick = tick};

/* Stand where the log ends. The journal may be an older one than the log has seen. */
static klm_rc take_place(struct smf_text *text, const struct smf_journal *journal,
                         struct klm_diag *diag)
{
    uint64_t last = smf_journal_last(journal);

    KLM_TRY(smf_text_find_place(&text->file, text->sha, &text->at, diag));
    if (text->at.seq > last) {
        klm_say(KLM_MSG_TEXT_AHEAD, text->file.path, KLM_NUM(text->at.seq), KLM_NUM(last));
        text->at.seq = last;
    }
    text->next = text->at;
    save_cursor(text);
    return KLM_OK;
}

klm_rc smf_text_open(const struct smf_text_options *options, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_text **out)
{
    KLM_AUTO(smf_text_close) struct smf_text *text = calloc(1, sizeof *text);

    if (!text) {
        return KLM_E_NOMEM;
    }
    text->file.tail.fd = text->file.dirfd = -1;
    klm_buf_init(&text->out, BATCH_BYTES + SMF_TEXT_RECORD_MAX);
    KLM_TRY(smf_hash_new(&text->sha));
    KLM_TRY(
        smf_text_file_init(&text->file, options->folder, options->name, options->roll_bytes, diag));
    KLM_TRY(take_place(text, journal, diag));
    KLM_TRY(smf_sink_start(journal, &driver, text, text->at.seq, &text->sink));
    *out = text;
    text = NULL;
    return KLM_OK;
}

struct smf_sink *smf_text_sink(struct smf_text *text)
{
    return text->sink;
}

klm_rc smf_text_drain(struct smf_text *text)
{
    return smf_sink_drain(text->sink, 0);
}

uint64_t smf_text_position(const struct smf_text *text)
{
    return smf_sink_position(text->sink);
}

void smf_text_close(struct smf_text **text)
{
    struct smf_text *t = *text;

    if (!t) {
        return;
    }
    if (t->sink) {
        smf_sink_stop(&t->sink);
        save_cursor(t);
    }
    smf_text_file_done(&t->file);
    smf_hash_free(&t->sha);
    klm_buf_done(&t->out);
    free(t);
    *text = NULL;
}
