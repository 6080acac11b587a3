/* Going on after a sync that failed. While it is broken nothing is appended, so what is in memory is all that may be missing. */
#include "smf/journal.h"

#include "smf/again.h"
#include "smf/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Segments of before are not written to any more: what they hold behind `synced` is in the new one. */
static void go_on_in(struct smf_journal *journal, int fd, uint64_t first)
{
    pthread_mutex_lock(&journal->lock);
    while (journal->full) {
        struct smf_full *full = journal->full;

        journal->full = full->next;
        smf_fd_close(&full->fd);
        free(full);
    }
    smf_fd_close(&journal->fd);
    journal->fd = fd;
    journal->first = first;
    journal->size = journal->syncing_bytes.n + journal->unsynced_bytes.n;
    journal->must_cut = false;
    journal->folder_dirty = false;
    klm_buf_clear(&journal->unsynced_bytes);
    pthread_mutex_unlock(&journal->lock);
}

/* The file is read back and checked on the way, so that what is said to be there is there. */
static klm_rc write_again(struct smf_journal *journal, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    uint64_t first;
    int fd;

    KLM_TRY(smf_again_put(journal->dirfd, klm_buf_as_slice(&journal->syncing_bytes),
                          klm_buf_as_slice(&journal->unsynced_bytes)));
    KLM_TRY(smf_again_take(journal->folder, journal->dirfd, diag, &first));
    fd = openat(journal->dirfd, smf_segment_name(first, name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    go_on_in(journal, fd, first);
    return KLM_OK;
}

/* The task of who syncs, while others wait. */
static klm_rc resume(struct smf_journal *journal)
{
    struct klm_diag diag = {0};
    uint64_t last = smf_journal_last(journal), lost = last - smf_load(&journal->synced);
    klm_rc rc = write_again(journal, &diag);

    if (rc != KLM_OK) {
        smf_sync_failed(journal, diag.msg != KLM_MSG_NONE ? diag.text : klm_rc_text(rc));
        return KLM_E_IO;
    }
    smf_sync_covered(journal, last);
    (void)smf_trouble_over(&journal->sync_trouble);
    klm_say(KLM_MSG_SMF_SYNC_AGAIN, journal->folder, KLM_NUM(lost), KLM_NUM(last));
    return KLM_OK;
}

klm_rc smf_resume(struct smf_journal *journal)
{
    klm_rc rc = KLM_OK;

    pthread_mutex_lock(&journal->sync_lock);
    while (journal->syncing) {
        pthread_cond_wait(&journal->sync_done, &journal->sync_lock);
    }
    if (smf_broken(journal) != KLM_OK) {
        journal->syncing = true;
        pthread_mutex_unlock(&journal->sync_lock);
        rc = resume(journal);
        pthread_mutex_lock(&journal->sync_lock);
        journal->syncing = false;
        if (rc == KLM_OK) {
            __atomic_store_n(&journal->broken, KLM_OK, __ATOMIC_RELEASE);
            smf_tell_followers(journal);
        }
        pthread_cond_broadcast(&journal->sync_done);
    }
    pthread_mutex_unlock(&journal->sync_lock);
    return rc;
}
