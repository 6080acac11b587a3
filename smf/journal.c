/* Opening and closing the journal, and its small questions. */
#include "smf/journal.h"

#include "base/file.h"
#include "base/thread.h"
#include "smf/recover.h"
#include "smf/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SEGMENT_BYTES ((uint64_t)64 << 20)

static klm_rc cannot(const struct smf_journal *journal, struct klm_diag *diag)
{
    return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, journal->folder, strerror(errno));
}

/* One process appends: the lock goes with its last descriptor, so a kill leaves none behind. */
static klm_rc take_lock(struct smf_journal *journal, struct klm_diag *diag)
{
    journal->dirfd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->dirfd < 0) {
        return cannot(journal, diag);
    }
    journal->lockfd =
        openat(journal->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->lockfd < 0) {
        return cannot(journal, diag);
    }
    if (flock(journal->lockfd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? klm_fail(diag, KLM_E_BUSY, KLM_MSG_SMF_BUSY, journal->folder)
                                    : cannot(journal, diag);
    }
    return KLM_OK;
}

/* Go on where the recovered journal ends. */
static klm_rc take_up(struct smf_journal *journal, struct smf_recovered *found,
                      struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    klm_rc rc;

    journal->numbers = found->numbers;
    memcpy(journal->hash, found->hash, SMF_HASH_SIZE);
    journal->last = journal->synced = found->seq;
    journal->first = found->first;
    journal->size = found->size;
    journal->fd = openat(journal->dirfd, smf_segment_name(found->first, name),
                         O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (journal->fd < 0) {
        return cannot(journal, diag);
    }
    rc = smf_mark_open(journal->folder, &journal->markfd);
    if (rc == KLM_OK) {
        rc = smf_mark_write(journal->markfd, journal->synced);
    }
    return rc == KLM_OK ? rc
                        : klm_fail(diag, rc, KLM_MSG_FILE_WRITE, journal->folder, klm_rc_text(rc));
}

static klm_rc set_options(struct smf_journal *journal, const struct smf_journal_options *options)
{
    const char *id = options->server_id ? options->server_id : "";

    if (strlen(id) > SMF_SERVER_ID_MAX) {
        return KLM_E_LIMIT;
    }
    journal->folder = strdup(options->folder);
    journal->server_id = strdup(id);
    journal->segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    journal->fail_closed = options->fail_closed;
    return journal->folder && journal->server_id ? KLM_OK : KLM_E_NOMEM;
}

/* Everything that closing can undo half made. */
static klm_rc journal_new(struct smf_journal **out)
{
    KLM_AUTO(smf_journal_close) struct smf_journal *journal = NULL;
    struct smf_journal *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    made->dirfd = made->lockfd = made->markfd = made->fd = -1;
    made->filter = smf_filter_of(NULL, NULL);
    klm_buf_init(&made->syncing_bytes, SMF_UNSYNCED_MAX + SMF_APPEND_MAX);
    klm_buf_init(&made->unsynced_bytes, SMF_UNSYNCED_MAX + SMF_APPEND_MAX);
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->sync_lock, NULL);
    klm_cond_init(&made->wake);
    klm_cond_init(&made->sync_done);
    journal = made;
    KLM_TRY(smf_hash_new(&journal->sha));
    *out = journal;
    journal = NULL;
    return KLM_OK;
}

klm_rc smf_journal_open(const struct smf_journal_options *options, struct klm_diag *diag,
                        struct smf_journal **out)
{
    KLM_AUTO(smf_journal_close) struct smf_journal *journal = NULL;
    struct smf_recovered found;

    KLM_TRY(journal_new(&journal));
    KLM_TRY(set_options(journal, options));
    KLM_TRY(klm_folder_make(journal->folder, 0700, diag));
    KLM_TRY(take_lock(journal, diag));
    KLM_TRY(smf_recover(journal->folder, diag, &found));
    KLM_TRY(take_up(journal, &found, diag));
    KLM_TRY(klm_thread_start(&journal->thread, "audit-sync", smf_sync_main, journal));
    journal->running = true;
    *out = journal;
    journal = NULL;
    return KLM_OK;
}

static void stop_thread(struct smf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->stop = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
}

/* What is given up here was synced before, or could not be; the mark is brought to disk so that damage found later is
 * not taken for a torn end. */
static void close_files(struct smf_journal *journal)
{
    while (journal->full) {
        struct smf_full *full = journal->full;

        journal->full = full->next;
        smf_fd_close(&full->fd);
        free(full);
    }
    if (journal->markfd >= 0) {
        KLM_IGNORE(klm_fdatasync(journal->markfd)); /* an old mark says less, nothing wrong */
    }
    smf_fd_close(&journal->markfd);
    smf_fd_close(&journal->fd);
    smf_fd_close(&journal->lockfd);
    smf_fd_close(&journal->dirfd);
}

void smf_journal_close(struct smf_journal **journal)
{
    struct smf_journal *j = *journal;

    if (!j) {
        return;
    }
    if (j->running) {
        stop_thread(j);
        /* A failure was said; the next open looks what is there. */
        KLM_IGNORE(smf_resume(j));
        KLM_IGNORE(smf_journal_sync(j, j->last));
    }
    close_files(j);
    smf_numbers_done(&j->numbers);
    smf_hash_free(&j->sha);
    klm_buf_done(&j->syncing_bytes);
    klm_buf_done(&j->unsynced_bytes);
    pthread_cond_destroy(&j->wake);
    pthread_cond_destroy(&j->sync_done);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->sync_lock);
    free(j->folder);
    free(j->server_id);
    free(j);
    *journal = NULL;
}

void smf_journal_head(struct smf_journal *journal, uint64_t *seq, uint8_t hash[32])
{
    pthread_mutex_lock(&journal->lock);
    *seq = journal->last;
    memcpy(hash, journal->hash, SMF_HASH_SIZE);
    pthread_mutex_unlock(&journal->lock);
}

const char *smf_journal_server_id(const struct smf_journal *journal)
{
    return journal->server_id;
}

uint64_t smf_journal_last(const struct smf_journal *journal)
{
    return smf_load(&journal->last);
}

uint64_t smf_journal_synced(const struct smf_journal *journal)
{
    return smf_load(&journal->synced);
}

bool smf_journal_failing(const struct smf_journal *journal)
{
    return __atomic_load_n(&journal->failing, __ATOMIC_ACQUIRE) || smf_broken(journal) != KLM_OK;
}

bool smf_journal_refusing(const struct smf_journal *journal)
{
    return journal->fail_closed && smf_journal_failing(journal);
}

void smf_journal_forget(struct smf_journal *journal, uint64_t event_no)
{
    pthread_mutex_lock(&journal->lock);
    smf_numbers_forget(&journal->numbers, event_no);
    pthread_mutex_unlock(&journal->lock);
}
