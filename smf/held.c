/* Held events: the file, putting and moving. held_recover.c takes over what a kill left. */
#include "smf/held_int.h"

#include "base/file.h"
#include "smf/event.h"
#include "smf/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENT_FIRST 900 /* bytes that most events fit in */

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* ---- The file */

/* The journal's real path makes the name, so that servers may share a folder. */
static klm_rc name_file(struct smf_held *held, const char *folder, const char *journal_folder)
{
    char real[PATH_MAX];
    uint8_t hash[SMF_HASH_SIZE];
    struct smf_hash *sha = NULL;
    int n;
    klm_rc rc;

    if (!realpath(journal_folder, real)) {
        return klm_rc_errno(errno);
    }
    KLM_TRY(smf_hash_new(&sha));
    rc = smf_hash_two(sha, klm_slice_str(real), (struct klm_slice){0}, hash);
    smf_hash_free(&sha);
    KLM_TRY(rc);
    n = snprintf(held->path, sizeof held->path, "%s/audit-%02x%02x%02x%02x%02x%02x.held", folder,
                 hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
    return n > 0 && (size_t)n < sizeof held->path ? KLM_OK : KLM_E_LIMIT;
}

static klm_rc cannot(const struct smf_held *held, klm_rc rc, struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_FILE_OPEN, held->path, strerror(errno));
}

/* It is this user's own, and whole: a shorter one was being made when the process was killed. All its blocks are there before it is mapped, so that a full file system is met here. */
static klm_rc take_file(struct smf_held *held, struct klm_diag *diag)
{
    struct stat st;
    int err;

    held->fd = open(held->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (held->fd < 0 || fstat(held->fd, &st) != 0) {
        return cannot(held, klm_rc_errno(errno), diag);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) || st.st_nlink != 1) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_HELD_FOREIGN, held->path);
    }
    if (st.st_size > SMF_HELD_SIZE) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_HELD_DAMAGED, held->path, KLM_NUM(0));
    }
    err = posix_fallocate(held->fd, 0, SMF_HELD_SIZE);
    if (err) {
        errno = err;
        return cannot(held, klm_rc_errno(err), diag);
    }
    return KLM_OK;
}

static klm_rc map_file(struct smf_held *held, struct klm_diag *diag)
{
    void *at =
        mmap(NULL, SMF_HELD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, held->fd, 0);

    if (at == MAP_FAILED) {
        return cannot(held, klm_rc_errno(errno), diag);
    }
    held->head = at;
    held->room = (uint8_t *)at + SMF_HELD_HEAD;
    (void)madvise(at, SMF_HELD_SIZE, MADV_DONTFORK);
    return KLM_OK;
}

static const char magic[8] = "KLMHELD";

static void make_head(struct smf_held_head *head)
{
    *head = (struct smf_held_head){.order = SMF_HELD_ORDER, .version = SMF_HELD_VERSION};
    memcpy(head->magic, magic, sizeof magic);
}

/* A new file, all zeros, gets its head; one that was there has to have a head that makes sense. */
static klm_rc check_head(struct smf_held *held, struct klm_diag *diag)
{
    const struct smf_held_head *head = held->head;
    static const struct smf_held_head none;

    if (memcmp(head, &none, sizeof none) == 0) {
        make_head(held->head);
        return KLM_OK;
    }
    if (memcmp(head->magic, magic, sizeof magic) != 0 || head->order != SMF_HELD_ORDER ||
        head->version != SMF_HELD_VERSION || head->put < head->taken ||
        head->put - head->taken > SMF_HELD_ROOM || head->put % SMF_HELD_ALIGN ||
        head->taken % SMF_HELD_ALIGN) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_HELD_DAMAGED, held->path, KLM_NUM(0));
    }
    return KLM_OK;
}

static void give_up(struct smf_held **held, bool remove)
{
    struct smf_held *h = *held;

    *held = NULL;
    if (h->head) {
        (void)munmap(h->head, SMF_HELD_SIZE);
    }
    if (h->fd >= 0) {
        if (remove) {
            (void)unlink(h->path); /* an empty one is as good as none */
        }
        (void)close(h->fd);
    }
    pthread_mutex_destroy(&h->put_lock);
    pthread_mutex_destroy(&h->move_lock);
    free(h);
}

static klm_rc open_file(struct smf_held *held, const char *folder, const char *journal_folder,
                        struct klm_diag *diag)
{
    klm_rc rc;

    KLM_TRY(klm_folder_make(folder, 0700, diag));
    rc = name_file(held, folder, journal_folder);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_FILE_OPEN, folder, klm_rc_text(rc));
    }
    KLM_TRY(take_file(held, diag));
    KLM_TRY(map_file(held, diag));
    KLM_TRY(check_head(held, diag));
    return smf_held_recover(held, journal_folder, diag);
}

klm_rc smf_held_open(const char *folder, const char *journal_folder, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_held **out)
{
    struct smf_held *held = calloc(1, sizeof *held);
    klm_rc rc;

    if (!held) {
        return KLM_E_NOMEM;
    }
    held->fd = -1;
    held->journal = journal;
    pthread_mutex_init(&held->put_lock, NULL);
    pthread_mutex_init(&held->move_lock, NULL);
    rc = open_file(held, folder, journal_folder, diag);
    if (rc != KLM_OK) {
        give_up(&held, false);
        return rc;
    }
    *out = held;
    return KLM_OK;
}

/* ---- Putting */

static size_t padded(size_t n)
{
    return (n + SMF_HELD_ALIGN - 1) / SMF_HELD_ALIGN * SMF_HELD_ALIGN;
}

static uint8_t *place(const struct smf_held *held, uint64_t at)
{
    return held->room + at % SMF_HELD_ROOM;
}

static void put_length(uint8_t *to, uint32_t n)
{
    memcpy(to, &n, sizeof n);
}

/* Under the lock. An event stands in one piece: what is left before the end is passed over when it is too short. Only when everything is in place is it counted. */
static klm_rc put(struct smf_held *held, struct klm_slice event)
{
    struct smf_held_head *head = held->head;
    uint64_t at = head->put, left = SMF_HELD_ROOM - at % SMF_HELD_ROOM;
    size_t need = SMF_HELD_ALIGN + padded(event.n), skip = left < need ? (size_t)left : 0;

    if (at + skip + need - load(&head->taken) > SMF_HELD_ROOM) {
        return KLM_E_LIMIT;
    }
    if (skip) {
        put_length(place(held, at), SMF_HELD_SKIP);
        at += skip;
    }
    put_length(place(held, at), (uint32_t)event.n);
    memcpy(place(held, at) + SMF_HELD_ALIGN, event.p, event.n);
    store(&head->put, at + need);
    return KLM_OK;
}

static klm_rc put_checked(struct smf_held *held, struct klm_slice event)
{
    klm_rc rc;

    pthread_mutex_lock(&held->put_lock);
    rc = put(held, event);
    pthread_mutex_unlock(&held->put_lock);
    return rc;
}

klm_rc smf_held_put(struct smf_held *held, struct klm_slice event)
{
    KLM_TRY(smf_event_check(event));
    return put_checked(held, event);
}

klm_rc smf_held_put_event(struct smf_held *held, const struct smf_event *event)
{
    struct klm_buf bytes;
    klm_rc rc;

    klm_buf_init(&bytes, SMF_EVENT_MAX);
    (void)klm_buf_room(&bytes, EVENT_FIRST); /* the buffer remembers failures */
    rc = smf_event_encode(event, &bytes);
    if (rc == KLM_OK) {
        rc = put_checked(held, klm_buf_as_slice(&bytes));
    }
    klm_buf_done(&bytes);
    return rc;
}

bool smf_held_any(const struct smf_held *held)
{
    return load(&held->head->put) != load(&held->head->taken);
}

/* ---- Moving */

klm_rc smf_held_next(const struct smf_held *held, uint64_t end, uint64_t *at,
                     struct klm_slice *event)
{
    uint32_t n;

    if (*at == end) {
        return KLM_E_NOTFOUND;
    }
    memcpy(&n, place(held, *at), sizeof n);
    if (n == SMF_HELD_SKIP) {
        *at += SMF_HELD_ROOM - *at % SMF_HELD_ROOM;
        if (*at >= end) {
            return KLM_E_CORRUPT;
        }
        memcpy(&n, place(held, *at), sizeof n);
    }
    if (n > SMF_EVENT_MAX || *at % SMF_HELD_ROOM + SMF_HELD_ALIGN + padded(n) > SMF_HELD_ROOM ||
        *at + SMF_HELD_ALIGN + padded(n) > end) {
        return KLM_E_CORRUPT;
    }
    *event = KLM_SLICE(place(held, *at) + SMF_HELD_ALIGN, n);
    *at += SMF_HELD_ALIGN + padded(n);
    return KLM_OK;
}

void smf_held_done(struct smf_held *held, uint64_t to)
{
    store(&held->head->taken, to);
}

/* As many as one append takes. What is being moved, and where the journal was, is on file before: after a kill in between the journal tells whether it was done. */
static klm_rc move_some(struct smf_held *held, uint64_t end)
{
    struct smf_held_head *head = held->head;
    uint64_t at = head->taken, next = at;
    size_t n = 0, bytes = 0;
    struct klm_slice event;

    while (n < SMF_HELD_MOVE && bytes < SMF_APPEND_MAX / 4 &&
           smf_held_next(held, end, &next, &event) == KLM_OK) {
        held->entry[n++] = (struct smf_entry){.event = event};
        bytes += event.n;
        at = next;
    }
    if (n == 0) {
        return KLM_E_CORRUPT; /* memory that something else wrote to */
    }
    store(&head->before, smf_journal_last(held->journal));
    store(&head->moving, at);
    KLM_TRY(smf_journal_append(held->journal, held->entry, n));
    smf_held_done(held, at);
    return KLM_OK;
}

klm_rc smf_held_move(struct smf_held *held)
{
    klm_rc rc = KLM_OK;

    if (!smf_held_any(held)) {
        return KLM_OK;
    }
    pthread_mutex_lock(&held->move_lock);
    for (uint64_t end = load(&held->head->put); rc == KLM_OK && held->head->taken != end;) {
        rc = move_some(held, end);
    }
    pthread_mutex_unlock(&held->move_lock);
    return rc;
}

void smf_held_close(struct smf_held **held)
{
    klm_rc rc;

    if (!*held) {
        return;
    }
    rc = smf_held_move(*held);
    if (rc != KLM_OK) {
        klm_say(KLM_MSG_HELD_LEFT, (*held)->path, klm_rc_text(rc));
    }
    give_up(held, rc == KLM_OK);
}
