/* Where the SMF data sets go on after a start.
 *
 * The cursor names the active data set and how long it was when all of it was on disk. What is behind that may be torn by a
 * kill or a power loss; it is cut off, and as the journal has the events of it, they come again with the same bytes. Without a
 * cursor the data sets themselves tell the last event, and recording goes on in another one. */
#include "smf/dataset_file.h"

#include "base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 50

static klm_rc cannot(const struct smf_dataset_sink *sink, const char *name, klm_rc rc,
                     struct klm_diag *diag)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", sink->folder, name);
    return rc == KLM_E_BUSY
               ? klm_fail(diag, rc, KLM_MSG_DS_BUSY, path)
               : klm_fail(diag, rc, KLM_MSG_FILE_OPEN, path,
                          rc == KLM_E_INVALID ? "it is no regular file" : klm_rc_text(rc));
}

/* The lock may be that of someone who dumps: wait a while. */
static klm_rc open_active(struct smf_dataset_sink *sink, const char *name, struct klm_diag *diag)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};
    klm_rc rc = smf_ds_open(sink->dirfd, name, &sink->ds);

    for (int waited = 0; rc == KLM_E_BUSY && waited < LOCK_WAIT_MS; waited += LOCK_STEP_MS) {
        (void)nanosleep(&step, NULL); /* cut short by a signal: asked once more */
        rc = smf_ds_open(sink->dirfd, name, &sink->ds);
    }
    return rc == KLM_OK ? rc : cannot(sink, name, rc, diag);
}

/* ---- With a cursor */

/* The data set of the cursor: its end is what the cursor says. go_on: it cannot be recorded on any more. */
static klm_rc cut_tail(struct smf_dataset_sink *sink, const struct smf_ds_cursor *cursor, bool cut,
                       bool *go_on)
{
    uint64_t tail;

    if (sink->ds.tail.size < cursor->length) {
        klm_say(KLM_MSG_DS_CHANGED, sink->ds.name, sink->ds.tail.size ? "cut short" : "emptied");
        *go_on = sink->ds.tail.size > 0;
        return KLM_OK;
    }
    tail = sink->ds.tail.size - cursor->length;
    if (tail == 0 || !cut) {
        *go_on = tail > 0;
        return KLM_OK;
    }
    klm_say(KLM_MSG_DS_CUT, sink->ds.name, KLM_NUM(tail), KLM_NUM(cursor->place.seq));
    return smf_tail_cut(&sink->ds.tail, cursor->length);
}

/* The name stands for another file now, or was free. The one it stood for may have another name, and a torn end. */
static klm_rc replaced(struct smf_dataset_sink *sink, const struct smf_ds_cursor *cursor, bool cut,
                       bool *go_on)
{
    if (cursor->length || sink->ds.tail.size) {
        klm_say(KLM_MSG_DS_CHANGED, sink->ds.name, "removed or renamed");
    }
    if (cut && cursor->ino) {
        klm_rc rc = smf_ds_cut_inode(sink->dirfd, cursor->ino, cursor->length);

        if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
            return rc;
        }
    }
    *go_on = sink->ds.tail.size > 0;
    return KLM_OK;
}

static klm_rc from_cursor(struct smf_dataset_sink *sink, const struct smf_ds_cursor *cursor,
                          uint64_t journal_last, bool *go_on, struct klm_diag *diag)
{
    bool cut = cursor->place.seq <= journal_last; /* or nobody could give again what is cut off */
    klm_rc rc;

    KLM_TRY(open_active(sink, cursor->name, diag));
    rc = sink->ds.tail.ino == cursor->ino ? cut_tail(sink, cursor, cut, go_on)
                                          : replaced(sink, cursor, cut, go_on);
    if (rc != KLM_OK) {
        return cannot(sink, cursor->name, rc, diag);
    }
    sink->at = cursor->place;
    return KLM_OK;
}

/* ---- Without */

/* What a walk through a data set learns. */
struct walk {
    struct smf_ds_place place; /* seq: of the last event; 0: none of ours */
    uint64_t records;          /* records of ours in all data sets looked at */
};

/* The value of the chain line of a text record, of which text may be the last lines only. */
static void text_chain(const char *text, uint8_t out[SMF_HASH_SIZE])
{
    static const char name[] = "  chain=";
    const char *p = strncmp(text, name, sizeof name - 1) == 0 ? text : strstr(text, "\n  chain=");
    char hex[2 * SMF_HASH_SIZE + 1];
    uint8_t value[SMF_HASH_SIZE];
    size_t n = 0;

    if (!p) {
        return;
    }
    p += sizeof name - 1 + (*p == '\n');
    snprintf(hex, sizeof hex, "%s", p);
    if (klm_unhex(hex, value, sizeof value, &n) == KLM_OK && n == sizeof value) {
        memcpy(out, value, sizeof value);
    }
}

/* The place moves on to the last record; good follows it when an event is complete. */
static klm_rc walk_event(const struct smf_t83_view *view, struct smf_ds_place *place,
                         struct smf_ds_place *good)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct smf_t83_event event;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = smf_t83_decode(view, pool, &event);
    if (rc != KLM_OK) {
        return rc == KLM_E_NOMEM ? rc : KLM_OK; /* a damaged record; the next may be good */
    }
    if (event.checkpoint) {
        place->chain.records = event.checkpoint_records + 1;
        place->checkpoint = place->chain.records;
        *good = *place;
        return KLM_OK;
    }
    place->chain.records++;
    place->chain.seq = place->seq = event.seq;
    if (event.text) {
        text_chain(event.text, place->text_chain);
    }
    if (event.part == event.parts) {
        *good = *place;
    }
    return KLM_OK;
}

/* Chain values are SHA-256 of a record from offset 4 on (type83.h). */
static klm_rc walk_record(struct smf_dataset_sink *sink, struct klm_slice record,
                          struct smf_ds_place *place, struct smf_ds_place *good)
{
    struct smf_t83_view view;
    const char *why;

    if (smf_t83_parse(record, &view, &why) != KLM_OK || !view.ours) {
        return KLM_OK;
    }
    KLM_TRY(smf_hash_two(sink->hash, KLM_SLICE(record.p + 4, record.n - 4), KLM_SLICE(NULL, 0),
                         place->chain.value));
    return walk_event(&view, place, good);
}

static klm_rc walk_dataset(struct smf_dataset_sink *sink, const char *name, struct walk *walk)
{
    KLM_AUTO(smf_dataset_close) struct smf_dataset_reader *reader = NULL;
    struct smf_ds_place place = {0}, good = {0};
    struct smf_read read;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", sink->folder, name);
    if (smf_dataset_open(path, NULL, &reader) != KLM_OK) {
        return KLM_OK;
    }
    do {
        KLM_TRY(smf_dataset_next(reader, &read));
        if (read.kind == SMF_READ_RECORD) {
            KLM_TRY(walk_record(sink, read.record, &place, &good));
        }
    } while (read.kind != SMF_READ_END);
    walk->records += good.chain.records;
    if (good.seq > walk->place.seq) {
        walk->place = good;
    }
    return KLM_OK;
}

/* A data set of the list, or one that was renamed aside. */
static bool is_ours(const struct smf_dataset_sink *sink, const char *entry)
{
    for (size_t i = 0; i < sink->names_n; i++) {
        size_t n = strlen(sink->names[i]);

        if (strncmp(entry, sink->names[i], n) == 0 &&
            (entry[n] == '\0' || (entry[n] == '.' && entry[n + 1] == 'D'))) {
            return true;
        }
    }
    return false;
}

static klm_rc walk_all(struct smf_dataset_sink *sink, struct walk *walk)
{
    DIR *dir = opendir(sink->folder);
    struct dirent *entry;
    klm_rc rc = KLM_OK;

    if (!dir) {
        return KLM_E_IO;
    }
    while (rc == KLM_OK && (entry = readdir(dir)) != NULL) {
        if (is_ours(sink, entry->d_name)) {
            rc = walk_dataset(sink, entry->d_name, walk);
        }
    }
    closedir(dir);
    return rc;
}

/* Nothing of the list is touched that has something in it. */
static klm_rc from_datasets(struct smf_dataset_sink *sink, bool damaged, struct klm_diag *diag)
{
    struct walk walk = {0};
    klm_rc rc = walk_all(sink, &walk);

    if (rc != KLM_OK) {
        return cannot(sink, "", rc, diag);
    }
    if (walk.place.checkpoint == 0) {
        walk.place.chain.records = walk.records; /* no checkpoint tells: those that are there */
    }
    if (walk.place.seq || damaged) {
        klm_say(KLM_MSG_DS_CURSOR, sink->folder, KLM_NUM(walk.place.seq));
    }
    sink->at = walk.place;
    if (walk.place.seq == 0 && !damaged && sink->begin.seq > 0) {
        sink->at.seq = sink->begin.seq;
        memcpy(sink->at.text_chain, sink->begin.text_chain, SMF_HASH_SIZE);
        klm_say(KLM_MSG_SINK_BEGIN, "SMF", KLM_NUM(sink->begin.seq + 1));
    }
    return KLM_OK;
}

klm_rc smf_dataset_find_place(struct smf_dataset_sink *sink, uint64_t journal_last,
                              struct klm_diag *diag)
{
    struct smf_ds_cursor cursor;
    klm_rc rc = smf_ds_cursor_load(sink->folder, &cursor);
    bool known = rc == KLM_OK, go_on = false;

    if (known) {
        KLM_TRY(from_cursor(sink, &cursor, journal_last, &go_on, diag));
        go_on = go_on || (cursor.format != sink->format && sink->ds.tail.size > 0) ||
                !smf_dataset_listed(sink, cursor.name);
    } else {
        KLM_TRY(from_datasets(sink, rc == KLM_E_CORRUPT, diag));
    }
    if (sink->at.seq > journal_last) {
        klm_say(KLM_MSG_DS_AHEAD, sink->folder, KLM_NUM(sink->at.seq), KLM_NUM(journal_last));
        sink->at.seq = journal_last;
    }
    rc = known && !go_on ? smf_dataset_save(sink) : smf_dataset_go_on(sink);
    return rc == KLM_OK ? rc : cannot(sink, sink->ds.tail.fd >= 0 ? sink->ds.name : "", rc, diag);
}
