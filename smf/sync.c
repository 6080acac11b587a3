/* Bringing the journal to disk: one thread syncs for all who wait; a thread of the journal's own sees to it when nobody does. */
#include "smf/journal.h"

#include "base/file.h"
#include "base/thread.h"
#include "smf/segments.h"

#include <stdlib.h>

#define KEEP_BYTES ((size_t)256 << 10) /* of a buffer that is empty and was not much needed */

/* What one sync has to cover, taken under the lock. */
struct round {
    uint64_t target;
    int fd;
    struct smf_full *full;
    bool folder;
};

/* What was appended up to now is covered by this sync; what comes meanwhile by the next. Nothing of an earlier one is left. */
static void swap_bytes(struct smf_journal *journal)
{
    struct klm_buf covered = journal->unsynced_bytes;

    journal->unsynced_bytes = journal->syncing_bytes;
    journal->syncing_bytes = covered;
}

/* The current descriptor stays valid outside the lock: when its segment is full it goes to the list of full ones, which only
 * the syncing thread closes. */
static struct round begin(struct smf_journal *journal)
{
    struct round round;

    pthread_mutex_lock(&journal->lock);
    round = (struct round){journal->last, journal->fd, journal->full, journal->folder_dirty};
    journal->full = NULL;
    journal->folder_dirty = false;
    swap_bytes(journal);
    pthread_mutex_unlock(&journal->lock);
    return round;
}

static klm_rc sync_files(const struct smf_journal *journal, struct round *round)
{
    klm_rc rc = KLM_OK;

    while (round->full) {
        struct smf_full *full = round->full;

        if (rc == KLM_OK) {
            rc = klm_fdatasync(full->fd);
        }
        round->full = full->next;
        smf_fd_close(&full->fd);
        free(full);
    }
    KLM_TRY(rc);
    KLM_TRY(klm_fdatasync(round->fd));
    return round->folder ? klm_fsync(journal->dirfd) : KLM_OK;
}

void smf_sync_failed(struct smf_journal *journal, const char *why)
{
    if (smf_trouble_failed(&journal->sync_trouble)) {
        klm_say(KLM_MSG_SMF_SYNC, journal->folder, why);
    }
}

/* After a failed sync the system may have dropped what it could not write, and a second sync would succeed without it:
 * nothing is appended until all of it was written again (resume.c). */
static klm_rc give_up(struct smf_journal *journal, klm_rc rc)
{
    pthread_mutex_lock(&journal->lock);
    __atomic_store_n(&journal->broken, KLM_E_IO, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&journal->lock);
    smf_sync_failed(journal, klm_rc_text(rc));
    return KLM_E_IO;
}

/* The memory stays while a busy journal needs it: to get it anew for each sync, and to move what is there as it grows, costs more than writing the records. */
static void let_go(struct klm_buf *covered)
{
    bool needed = covered->n > covered->cap / 8;

    klm_buf_clear(covered);
    if (covered->cap > KEEP_BYTES && !needed) {
        klm_buf_done(covered);
    }
}

void smf_sync_covered(struct smf_journal *journal, uint64_t seq)
{
    let_go(&journal->syncing_bytes);
    smf_store(&journal->synced, seq);
    KLM_IGNORE(smf_mark_write(journal->markfd, seq)); /* an old mark says less, nothing wrong */
}

static klm_rc sync_now(struct smf_journal *journal)
{
    struct round round = begin(journal);
    klm_rc rc = sync_files(journal, &round);

    if (rc != KLM_OK) {
        return give_up(journal, rc);
    }
    smf_sync_covered(journal, round.target);
    return KLM_OK;
}

void smf_tell_followers(const struct smf_journal *journal)
{
    for (struct smf_follower *f = journal->followers; f; f = f->next) {
        f->synced(f->arg);
    }
}

klm_rc smf_journal_sync(struct smf_journal *journal, uint64_t seq)
{
    klm_rc rc = KLM_OK;

    if (seq > smf_journal_last(journal)) {
        seq = smf_journal_last(journal);
    }
    pthread_mutex_lock(&journal->sync_lock);
    while (rc == KLM_OK && smf_load(&journal->synced) < seq) {
        rc = smf_broken(journal);
        if (rc == KLM_OK && journal->syncing) {
            pthread_cond_wait(&journal->sync_done, &journal->sync_lock);
        } else if (rc == KLM_OK) {
            journal->syncing = true;
            pthread_mutex_unlock(&journal->sync_lock);
            rc = sync_now(journal);
            pthread_mutex_lock(&journal->sync_lock);
            journal->syncing = false;
            smf_tell_followers(journal);
            pthread_cond_broadcast(&journal->sync_done);
        }
    }
    pthread_mutex_unlock(&journal->sync_lock);
    return rc;
}

void *smf_sync_main(void *arg)
{
    struct smf_journal *journal = arg;
    unsigned wait = SMF_SYNC_AFTER_MS;

    pthread_mutex_lock(&journal->lock);
    while (!journal->stop) {
        if (journal->last == smf_load(&journal->synced)) {
            let_go(&journal->syncing_bytes); /* nobody syncs, and nothing is there to be synced */
            let_go(&journal->unsynced_bytes);
            journal->idle = true;
            pthread_cond_wait(&journal->wake, &journal->lock);
            journal->idle = false;
            continue;
        }
        klm_cond_wait_ms(&journal->wake, &journal->lock, wait);
        if (!journal->stop) {
            uint64_t last = journal->last;

            pthread_mutex_unlock(&journal->lock);
            wait = SMF_AGAIN_MS;
            if (smf_resume(journal) == KLM_OK) { /* a failure is said there, and tried again */
                wait = SMF_SYNC_AFTER_MS;
                KLM_IGNORE(smf_journal_sync(journal, last));
            }
            pthread_mutex_lock(&journal->lock);
        }
    }
    pthread_mutex_unlock(&journal->lock);
    return NULL;
}

void smf_follow(struct smf_journal *journal, struct smf_follower *follower)
{
    pthread_mutex_lock(&journal->sync_lock);
    follower->next = journal->followers;
    journal->followers = follower;
    pthread_mutex_unlock(&journal->sync_lock);
}

void smf_unfollow(struct smf_journal *journal, struct smf_follower *follower)
{
    struct smf_follower **at = &journal->followers;

    pthread_mutex_lock(&journal->sync_lock);
    while (*at && *at != follower) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = follower->next;
    }
    pthread_mutex_unlock(&journal->sync_lock);
}
