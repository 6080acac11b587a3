/* Within smf: the running journal. append.c numbers and writes, sync.c brings it to disk, resume.c goes on after a sync that failed,
 * journal.c opens and closes. */
#ifndef SMF_JOURNAL_H
#define SMF_JOURNAL_H

#include "smf/filter.h"
#include "smf/frame.h"
#include "smf/numbers.h"
#include "smf/trouble.h"

#include <pthread.h>

#define SMF_SYNC_AFTER_MS 200 /* most time between an append and its sync */
#define SMF_AGAIN_MS 1000     /* between two attempts to write again what a sync failed on */
/* Bytes of records kept until they are on disk; an append that finds more waits for a sync. */
#define SMF_UNSYNCED_MAX ((size_t)8 << 20)

/* A segment that is full but not known to be on disk. */
struct smf_full {
    struct smf_full *next;
    int fd;
};

/* Someone who hears that more of the journal is on disk. */
struct smf_follower {
    void (*synced)(void *arg); /* any thread; must not call the journal */
    void *arg;
    struct smf_follower *next;
};

struct smf_journal {
    char *folder, *server_id;
    uint64_t segment_bytes;
    bool fail_closed;
    int dirfd, lockfd, markfd;

    pthread_mutex_t lock; /* guards what follows, up to the sync fields */
    struct smf_hash *sha;
    /* Records not known to be on disk, as they were written: those that the sync under way (or the one that failed) covers, and those
     * appended since it began. They are kept because a failed sync may lose them from the file. */
    struct klm_buf syncing_bytes, unsynced_bytes;
    size_t batch;                /* where in unsynced_bytes the write being made begins */
    uint64_t last;               /* sequence number; read without the lock */
    uint8_t hash[SMF_HASH_SIZE]; /* of that record */
    int fd;
    uint64_t first, size; /* segment being written */
    bool must_cut;        /* a failed write could not be cut off yet */
    struct smf_numbers numbers;
    struct smf_filter filter; /* of events that are appended from now on */
    struct smf_trouble trouble;
    struct smf_full *full;
    bool folder_dirty;   /* a segment was made since the folder was synced */
    bool failing;        /* read without the lock */
    pthread_cond_t wake; /* of the sync thread */
    bool idle, stop;     /* it waits for the first append; it shall end */

    pthread_mutex_t sync_lock; /* guards what follows; never taken while holding lock */
    pthread_cond_t sync_done;
    bool syncing; /* one thread syncs for all */
    klm_rc
        broken; /* a sync failed: what is on disk is not known. Read without the lock; set under the other one */
    uint64_t synced;                 /* read without the lock */
    struct smf_trouble sync_trouble; /* of who syncs */
    struct smf_follower *followers;

    pthread_t thread;
    bool running;
};

/* Counters and flags that are read without their lock. */
static inline uint64_t smf_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void smf_store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* KLM_OK, or why the journal takes nothing now. */
static inline klm_rc smf_broken(const struct smf_journal *journal)
{
    return __atomic_load_n(&journal->broken, __ATOMIC_ACQUIRE);
}

/* The sync thread. */
void *smf_sync_main(void *journal);
/* Say that a sync, or an attempt to go on after one, failed: at once, then at intervals. */
void smf_sync_failed(struct smf_journal *journal, const char *why);
/* What a sync has covered need not be kept any more; for who syncs. */
void smf_sync_covered(struct smf_journal *journal, uint64_t seq);
/* A sync failed: write again, in a segment of their own, the records that it may have lost, and take appends again. KLM_OK at
 * once when nothing is broken; else the reason was said, and it may be tried again. Blocks. */
klm_rc smf_resume(struct smf_journal *journal) KLM_MUST_USE;
void smf_tell_followers(const struct smf_journal *journal);
/* Hear of syncs from now on, or no more (on return no call is under way). */
void smf_follow(struct smf_journal *journal, struct smf_follower *follower);
void smf_unfollow(struct smf_journal *journal, struct smf_follower *follower);
#endif
