/* Finding the place of a text log again.
 *
 * The cursor names the active file and how long it was when all of it was on disk. From there on the records must continue
 * the chain; the first that does not ends the log, and the journal gives it again. So neither a kill in the middle of a
 * record nor blocks that a power loss took make an event missing or stand twice. Without a cursor for this file
 * (someone replaced it) its last complete record tells. */
#include "smf/text_place.h"

#include "smf/segments.h"
#include "smf/text_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW ((size_t)4 * SMF_TEXT_RECORD_MAX)

static klm_rc read_at(int fd, uint8_t *to, size_t n, uint64_t at, size_t *got)
{
    *got = 0;
    while (*got < n) {
        ssize_t some = pread(fd, to + *got, n - *got, (off_t)(at + *got));

        if (some < 0 && errno == EINTR) {
            continue;
        }
        if (some < 0) {
            return klm_rc_errno(errno);
        }
        if (some == 0) {
            return KLM_OK;
        }
        *got += (size_t)some;
    }
    return KLM_OK;
}

/* Whether the record continues the log; then the place is behind it. */
static klm_rc step(const uint8_t *p, const struct smf_text_found *found, struct smf_hash *sha,
                   struct smf_text_place *place, bool *good)
{
    uint8_t chain[SMF_HASH_SIZE];

    KLM_TRY(smf_hash_two(sha, KLM_SLICE(place->chain, SMF_HASH_SIZE), KLM_SLICE(p, found->body),
                         chain));
    *good = found->seq > place->seq && memcmp(chain, found->chain, SMF_HASH_SIZE) == 0;
    if (*good) {
        place->seq = found->seq;
        memcpy(place->chain, chain, SMF_HASH_SIZE);
    }
    return KLM_OK;
}

/* Follow the chain from an offset; end becomes the offset where it stops. */
static klm_rc follow(const struct smf_text_file *file, struct smf_hash *sha, uint8_t *window,
                     struct smf_text_place *place, uint64_t *end)
{
    for (bool good = true; good;) {
        size_t n, at = 0;
        struct smf_text_found found;

        KLM_TRY(read_at(file->tail.fd, window, WINDOW, *end, &n));
        while (good && smf_text_get(KLM_SLICE(window + at, n - at), &found) == KLM_OK) {
            KLM_TRY(step(window + at, &found, sha, place, &good));
            at += good ? found.length : 0;
        }
        *end += at;
        good = good && at > 0;
    }
    return KLM_OK;
}

/* The last complete record of a file by its form, and where it ends. KLM_E_NOTFOUND: none in the last part of it. */
static klm_rc last_record(int fd, uint64_t size, uint8_t *window, struct smf_text_place *place,
                          uint64_t *end)
{
    static const char mark[] = SMF_TEXT_END;
    uint64_t from = size > WINDOW ? size - WINDOW : 0;
    size_t n, start = 0, behind = 0;
    struct smf_text_found found = {0};

    KLM_TRY(read_at(fd, window, WINDOW, from, &n));
    for (uint8_t *p = window;
         (p = memmem(p, n - (size_t)(p - window), mark, sizeof mark - 1)) != NULL;) {
        p += sizeof mark - 1;
        if (smf_text_get(KLM_SLICE(window + start, (size_t)(p - window) - start), &found) ==
            KLM_OK) {
            behind = (size_t)(p - window);
        }
        start = (size_t)(p - window);
        p--; /* the line end that closes one record can open the mark of the next line */
    }
    if (!behind) {
        return KLM_E_NOTFOUND;
    }
    place->seq = found.seq;
    memcpy(place->chain, found.chain, SMF_HASH_SIZE);
    *end = from + behind;
    return KLM_OK;
}

static klm_rc cannot(const struct smf_text_file *file, klm_rc rc, struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_FILE_OPEN, file->path,
                    rc == KLM_E_INVALID ? "it is no regular file" : klm_rc_text(rc));
}

/* End the active file at end, when what is behind can be a piece of a record; else keep it under a closed name. */
static klm_rc tidy(struct smf_text_file *file, uint8_t *window, uint64_t end, uint64_t seq,
                   bool ours)
{
    char stamp[SMF_STAMP_MAX];
    size_t n;

    if (end == file->tail.size) {
        return KLM_OK;
    }
    KLM_TRY(read_at(file->tail.fd, window, WINDOW, end, &n));
    if (ours || (n == file->tail.size - end && smf_text_begins(KLM_SLICE(window, n)))) {
        klm_say(KLM_MSG_TEXT_CUT, file->path, KLM_NUM(file->tail.size - end), KLM_NUM(seq));
        return smf_tail_cut(&file->tail, end);
    }
    KLM_TRY(smf_text_file_roll(file, stamp));
    klm_say(KLM_MSG_TEXT_ASIDE, file->path, stamp);
    return KLM_OK;
}

/* From the newest closed file. */
static klm_rc from_closed(const struct smf_text_file *file, uint8_t *window,
                          struct smf_text_place *place)
{
    KLM_AUTO(smf_fd_close) int fd = -1;
    struct stat st;
    uint64_t stamp, end;
    klm_rc rc;

    KLM_TRY(smf_text_file_newest(file, &stamp));
    if (stamp == 0) {
        return KLM_OK;
    }
    KLM_TRY(smf_text_file_open_closed(file, stamp, &fd));
    if (fstat(fd, &st) != 0) {
        return klm_rc_errno(errno);
    }
    rc = last_record(fd, (uint64_t)st.st_size, window, place, &end);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

/* Without a cursor that speaks of this file. */
static klm_rc from_form(struct smf_text_file *file, uint8_t *window, struct smf_text_place *place)
{
    uint64_t end = 0;
    klm_rc rc = last_record(file->tail.fd, file->tail.size, window, place, &end);

    if (rc == KLM_E_NOTFOUND) {
        rc = from_closed(file, window, place);
    }
    KLM_TRY(rc);
    return tidy(file, window, end, place->seq, false);
}

static klm_rc from_chain(struct smf_text_file *file, struct smf_hash *sha,
                         const struct smf_text_cursor *cursor, uint8_t *window,
                         struct smf_text_place *place)
{
    uint64_t end = cursor->offset;

    place->seq = cursor->seq;
    memcpy(place->chain, cursor->chain, SMF_HASH_SIZE);
    KLM_TRY(follow(file, sha, window, place, &end));
    return tidy(file, window, end, place->seq, true);
}

static klm_rc find_place(struct smf_text_file *file, struct smf_hash *sha, uint8_t *window,
                         struct smf_text_place *place)
{
    struct smf_text_cursor cursor;
    bool known = smf_text_cursor_load(file, &cursor) == KLM_OK;

    if (known && cursor.ino == file->tail.ino && cursor.offset <= file->tail.size) {
        return from_chain(file, sha, &cursor, window, place);
    }
    KLM_TRY(from_form(file, window, place));
    if (known && cursor.seq >= place->seq) {
        place->seq = cursor.seq;
        memcpy(place->chain, cursor.chain, SMF_HASH_SIZE);
    }
    return KLM_OK;
}

klm_rc smf_text_find_place(struct smf_text_file *file, struct smf_hash *sha,
                           struct smf_text_place *out, struct klm_diag *diag)
{
    struct smf_text_place place = {0};
    klm_rc rc = smf_text_file_open(file);
    uint8_t *window;

    if (rc != KLM_OK) {
        return cannot(file, rc, diag);
    }
    window = malloc(WINDOW);
    if (!window) {
        return cannot(file, KLM_E_NOMEM, diag);
    }
    rc = find_place(file, sha, window, &place);
    free(window);
    if (rc != KLM_OK) {
        return cannot(file, rc, diag);
    }
    *out = place;
    return KLM_OK;
}
