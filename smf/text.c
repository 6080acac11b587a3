/* The text log as a driver of a sink: records as text, an append a batch, a new file when one is full. */
#include "smf/sink.h"
#include "smf/text_format.h"
#include "smf/text_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES ((size_t)256 * 1024)

struct smf_text {
    struct smf_sink *sink;
    struct smf_text_file file;
    struct smf_hash *sha;
    struct klm_buf out;             /* records not yet written */
    struct smf_text_place at, next; /* place of what is written, and of it with out */
    uint64_t taken;                 /* records in out */
    struct smf_begin began;
    struct smf_trouble trouble, roll_trouble;
    struct smf_text_cursor saved;
    struct smf_text_cursor
        durable; /* what is known to be on disk; saved, or further after a roll-over */
    struct smf_text_signs signs;
};

/* Where the log stands, all of it written. */
static struct smf_text_cursor here(const struct smf_text *text)
{
    struct smf_text_cursor cursor = {
        .seq = text->at.seq, .ino = text->file.tail.ino, .offset = text->file.tail.size};

    memcpy(cursor.chain, text->at.chain, SMF_HASH_SIZE);
    return cursor;
}

static void save_cursor(struct smf_text *text)
{
    struct smf_text_cursor cursor = here(text);

    if (cursor.seq == text->saved.seq && cursor.ino == text->saved.ino &&
        cursor.offset == text->saved.offset) {
        return;
    }
    if (smf_text_cursor_save(&text->file, &cursor) == KLM_OK) {
        text->saved = cursor; /* else the old one stands, from which more is read again */
        text->durable = cursor;
    }
}

static void tick(void *self)
{
    struct smf_text *text = self;

    smf_text_sign_due(&text->signs, &text->at);
    save_cursor(text);
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
        text->taken++;
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
    smf_text_sign_now(&text->signs, &text->at); /* each file begins behind a checkpoint */
    rc = smf_text_file_roll(&text->file, NULL);
    if (rc == KLM_OK) {
        (void)smf_trouble_over(&text->roll_trouble);
        text->durable = here(text);
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

/* A sync that failed is a failed write: the sink waits, and then begins again where all was on disk. */
static klm_rc write_out(void *self, uint64_t *written)
{
    struct smf_text *text = self;

    if (text->out.n) {
        klm_rc rc = text->file.lost ? KLM_E_IO : append(text);

        say_outcome(text, rc);
        KLM_TRY(rc);
        klm_buf_clear(&text->out);
    }
    text->at = text->next;
    text->signs.records += text->taken;
    text->taken = 0;
    *written = text->at.seq;
    smf_text_sign_due(&text->signs, &text->at);
    roll_when_full(text);
    return text->file.lost ? KLM_E_IO : KLM_OK;
}

/* After a failed sync the system may have dropped what it could not write, and a second sync would succeed without it: what is
 * behind the last place that was on disk is written again. A file that someone took away took with it what was lost. */
static bool again(void *self, uint64_t *after)
{
    struct smf_text *text = self;
    const struct smf_text_cursor *durable = &text->durable;
    bool changed = false;

    if (!text->file.lost || smf_text_file_look(&text->file, &changed) != KLM_OK) {
        return false;
    }
    if (changed || durable->ino != text->file.tail.ino) {
        text->file.lost = false;
        return false;
    }
    if (smf_tail_cut(&text->file.tail, durable->offset) != KLM_OK) {
        return false; /* as long as it cannot be cut, no cursor speaks of it */
    }
    text->file.lost = false;
    klm_buf_clear(&text->out);
    text->taken = 0;
    text->at.seq = durable->seq;
    memcpy(text->at.chain, durable->chain, SMF_HASH_SIZE);
    text->next = text->at;
    *after = text->at.seq;
    return true;
}

static const struct smf_sink_driver driver = {.name = "text log",
                                              .take = take,
                                              .full = full,
                                              .write = write_out,
                                              .again = again,
                                              .tick = tick};

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
    text->began.seq = text->at.seq;
    memcpy(text->began.text_chain, text->at.chain, SMF_HASH_SIZE);
    text->durable = here(text);
    save_cursor(text);
    return KLM_OK;
}

static klm_rc open_signs(struct smf_text *text, const struct smf_text_options *options,
                         const struct smf_journal *journal, struct klm_diag *diag)
{
    klm_rc rc;

    text->signs.signer = options->signer;
    snprintf(text->signs.server_id, sizeof text->signs.server_id, "%s",
             smf_journal_server_id(journal));
    rc = smf_text_signs_open(&text->signs, &text->file, &text->at);
    return rc == KLM_OK ? rc
                        : klm_fail(diag, rc, KLM_MSG_FILE_OPEN, text->signs.name,
                                   rc == KLM_E_INVALID ? "it is no regular file" : klm_rc_text(rc));
}

klm_rc smf_text_open(const struct smf_text_options *options, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_text **out)
{
    KLM_AUTO(smf_text_close) struct smf_text *text = calloc(1, sizeof *text);

    if (!text) {
        return KLM_E_NOMEM;
    }
    text->file.tail.fd = text->file.dirfd = text->signs.tail.fd = -1;
    klm_buf_init(&text->out, BATCH_BYTES + SMF_TEXT_RECORD_MAX);
    KLM_TRY(smf_hash_new(&text->sha));
    KLM_TRY(
        smf_text_file_init(&text->file, options->folder, options->name, options->roll_bytes, diag));
    KLM_TRY(take_place(text, journal, diag));
    KLM_TRY(open_signs(text, options, journal, diag));
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

struct smf_begin smf_text_began(const struct smf_text *text)
{
    return text->began;
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
        smf_text_sign_now(&t->signs, &t->at);
        save_cursor(t);
    }
    smf_text_signs_done(&t->signs);
    smf_text_file_done(&t->file);
    smf_hash_free(&t->sha);
    klm_buf_done(&t->out);
    free(t);
    *text = NULL;
}
