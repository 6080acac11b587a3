/* Appending: number, chain, one write. This is on the path of every answer, so it neither syncs nor allocates, once the
 * batch buffer has grown. */
#include "smf/journal.h"

#include "base/file.h"
#include "smf/event.h"
#include "smf/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The end of a batch before it is written. */
struct end {
    uint64_t seq;
    uint8_t hash[SMF_HASH_SIZE];
};

/* Events are looked at before they are in: a record that no sink can read would stop them all. */
static klm_rc check(const struct smf_journal *journal, const struct smf_entry *entries, size_t n)
{
    size_t frame = SMF_FRAME_MIN + strlen(journal->server_id), left = SMF_APPEND_MAX;

    for (size_t i = 0; i < n; i++) {
        KLM_TRY(smf_event_check(entries[i].event));
        if (frame + entries[i].event.n > left) {
            return KLM_E_LIMIT;
        }
        left -= frame + entries[i].event.n;
    }
    return KLM_OK;
}

static klm_rc add_entry(struct smf_journal *journal, struct smf_entry *entry, klm_time now,
                        struct end *end)
{
    uint64_t oldest;
    struct smf_frame frame = {.seq = end->seq + 1,
                              .event_no = entry->event_no,
                              .time = now,
                              .synced = smf_load(&journal->synced),
                              .server_id = klm_slice_str(journal->server_id),
                              .event = entry->event,
                              .left_out = !smf_filter_takes_bytes(journal->filter, entry->event)};

    if (entry->event_no) {
        klm_rc rc = smf_numbers_add(&journal->numbers, entry->event_no, frame.seq);

        if (rc == KLM_E_EXISTS) {
            return KLM_OK;
        }
        KLM_TRY(rc);
    }
    oldest = smf_numbers_oldest(&journal->numbers);
    frame.keep = oldest ? oldest : frame.seq;
    memcpy(frame.prev, end->hash, SMF_HASH_SIZE);
    KLM_TRY(smf_frame_encode(&frame, journal->sha, &journal->unsynced_bytes));
    memcpy(end->hash, frame.hash, SMF_HASH_SIZE);
    entry->seq = end->seq = frame.seq;
    return KLM_OK;
}

void smf_journal_filter(struct smf_journal *journal, const char *types, const char *outcomes)
{
    struct smf_filter filter = smf_filter_of(types, outcomes);

    pthread_mutex_lock(&journal->lock);
    journal->filter = filter;
    pthread_mutex_unlock(&journal->lock);
}

static klm_rc build(struct smf_journal *journal, struct smf_entry *entries, size_t n,
                    struct end *end)
{
    klm_time now = klm_clock();

    for (size_t i = 0; i < n; i++) {
        entries[i].seq = 0;
        KLM_TRY(add_entry(journal, &entries[i], now, end));
    }
    return KLM_OK;
}

/* Bytes of the write being made. */
static size_t batch_n(const struct smf_journal *journal)
{
    return journal->unsynced_bytes.n - journal->batch;
}

/* A new segment when this batch would pass the limit of the current one. Nothing is synced here: the full one and the
 * folder wait for the next sync. When no segment can be made the current one simply grows. */
static void roll(struct smf_journal *journal)
{
    char name[SMF_SEGMENT_NAME_MAX];
    struct smf_full *full;
    int fd;

    if (journal->size == 0 || journal->size + batch_n(journal) <= journal->segment_bytes) {
        return;
    }
    full = malloc(sizeof *full);
    fd = full ? openat(journal->dirfd, smf_segment_name(journal->last + 1, name),
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
              : -1;
    if (fd < 0) {
        free(full);
        return;
    }
    *full = (struct smf_full){.next = journal->full, .fd = journal->fd};
    journal->full = full;
    journal->folder_dirty = true;
    journal->fd = fd;
    journal->first = journal->last + 1;
    journal->size = 0;
}

static klm_rc cut_back(struct smf_journal *journal)
{
    journal->must_cut = true;
    if (ftruncate(journal->fd, (off_t)journal->size) != 0) {
        return klm_rc_errno(errno);
    }
    journal->must_cut = false;
    return KLM_OK;
}

static klm_rc write_batch(struct smf_journal *journal)
{
    klm_rc rc;

    if (journal->must_cut) {
        KLM_TRY(cut_back(journal));
    }
    roll(journal);
    rc = klm_pwrite_all(journal->fd, journal->unsynced_bytes.p + journal->batch, batch_n(journal),
                        (off_t)journal->size);
    if (rc != KLM_OK) {
        KLM_IGNORE(cut_back(journal)); /* tried again before the next write */
        return rc == KLM_E_NOSPACE ? rc : KLM_E_IO;
    }
    journal->size += batch_n(journal);
    return KLM_OK;
}

static klm_rc append_locked(struct smf_journal *journal, struct smf_entry *entries, size_t n)
{
    struct end end = {.seq = journal->last};
    klm_rc rc = smf_broken(journal);

    journal->batch = journal->unsynced_bytes.n;
    memcpy(end.hash, journal->hash, SMF_HASH_SIZE);
    if (rc == KLM_OK) {
        rc = build(journal, entries, n, &end);
    }
    if (rc == KLM_OK && batch_n(journal) > 0) {
        rc = write_batch(journal);
    }
    if (rc != KLM_OK) {
        journal->unsynced_bytes.n = journal->batch;
        journal->unsynced_bytes.rc = KLM_OK;
        smf_numbers_undo(&journal->numbers, journal->last + 1);
        for (size_t i = 0; i < n; i++) {
            entries[i].seq = 0;
        }
        return rc;
    }
    memcpy(journal->hash, end.hash, SMF_HASH_SIZE);
    smf_store(&journal->last, end.seq);
    if (journal->idle) {
        journal->idle = false;
        pthread_cond_signal(&journal->wake);
    }
    return KLM_OK;
}

/* What a person should hear about this append; said after the lock is let go. */
struct news {
    bool bad;
    uint64_t over;
};

static struct news note(struct smf_journal *journal, klm_rc rc)
{
    struct news news = {0};

    if (rc != KLM_OK) {
        news.bad = smf_trouble_failed(&journal->trouble);
    } else if (journal->trouble.on) {
        news.over = smf_trouble_over(&journal->trouble);
    }
    __atomic_store_n(&journal->failing, journal->trouble.on, __ATOMIC_RELEASE);
    return news;
}

/* Take the lock, once there is room to keep what is not on disk. A disk that takes long holds up who appends. */
static klm_rc lock_with_room(struct smf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    while (journal->unsynced_bytes.n > SMF_UNSYNCED_MAX) {
        uint64_t last = journal->last;

        pthread_mutex_unlock(&journal->lock);
        KLM_TRY(smf_journal_sync(journal, last));
        pthread_mutex_lock(&journal->lock);
    }
    return KLM_OK;
}

klm_rc smf_journal_append(struct smf_journal *journal, struct smf_entry *entries, size_t n)
{
    struct news news = {0};
    klm_rc rc;

    KLM_TRY(check(journal, entries, n));
    KLM_TRY(lock_with_room(journal));
    rc = append_locked(journal, entries, n);
    /* A replay of what is there says nothing about the disk, and of a failed sync sync.c speaks. */
    if (smf_broken(journal) == KLM_OK && (rc != KLM_OK || batch_n(journal) > 0)) {
        news = note(journal, rc);
    }
    pthread_mutex_unlock(&journal->lock);
    if (news.bad) {
        klm_say(KLM_MSG_SMF_APPEND, journal->folder, klm_rc_text(rc));
    }
    if (news.over) {
        klm_say(KLM_MSG_SMF_APPEND_AGAIN, journal->folder, KLM_NUM(news.over));
    }
    return rc;
}
