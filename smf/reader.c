/* Walking through a journal. */
#include "smf/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AHEAD ((size_t)256 * 1024)
_Static_assert(AHEAD > 2 * SMF_FRAME_MAX, "a record fits what is read ahead");

void smf_reader_close(struct smf_reader **reader)
{
    if (*reader) {
        smf_fd_close(&(*reader)->fd);
        smf_hash_free(&(*reader)->sha);
        free((*reader)->have);
        free((*reader)->folder);
        free(*reader);
        *reader = NULL;
    }
}

/* Go to the start of a segment. */
static klm_rc enter(struct smf_reader *reader, uint64_t first, struct klm_diag *diag)
{
    int fd;

    KLM_TRY(smf_segment_open(reader->folder, first, &fd, diag));
    smf_fd_close(&reader->fd);
    reader->fd = fd;
    reader->first = first;
    reader->offset = 0;
    reader->used = reader->n = 0;
    return KLM_OK;
}

static klm_rc enter_for(struct smf_reader *reader, uint64_t after, struct klm_diag *diag)
{
    KLM_AUTO(smf_segments_done) struct smf_segments segments = {0};
    uint64_t first;

    KLM_TRY(smf_segments_list(reader->folder, &segments, diag));
    if (segments.n == 0) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SMF_NO_JOURNAL, reader->folder);
    }
    first = segments.first[smf_segments_find(&segments, after == UINT64_MAX ? after : after + 1)];
    reader->seq = first - 1;
    reader->after = after;
    reader->known = first == 1; /* the first record of all follows 32 zero bytes */
    return enter(reader, first, diag);
}

static klm_rc prepare(struct smf_reader *reader, const char *folder)
{
    reader->fd = -1;
    reader->folder = strdup(folder);
    reader->have = malloc(AHEAD);
    return reader->folder && reader->have ? smf_hash_new(&reader->sha) : KLM_E_NOMEM;
}

klm_rc smf_reader_open(const char *folder, uint64_t after, struct klm_diag *diag,
                       struct smf_reader **out)
{
    struct smf_reader *reader = calloc(1, sizeof *reader);
    klm_rc rc = reader ? prepare(reader, folder) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        rc = enter_for(reader, after, diag);
    }
    if (rc != KLM_OK) {
        smf_reader_close(&reader);
        return rc;
    }
    *out = reader;
    return KLM_OK;
}

/* Read on behind what is there. KLM_E_NOTFOUND at the end of the file. */
static klm_rc fill(struct smf_reader *reader, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];
    ssize_t got;

    memmove(reader->have, reader->have + reader->used, reader->n);
    reader->used = 0;
    do {
        got = pread(reader->fd, reader->have + reader->n, AHEAD - reader->n,
                    (off_t)(reader->offset + reader->n));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ,
                        smf_segment_name(reader->first, name), strerror(errno));
    }
    reader->n += (size_t)got;
    return got ? KLM_OK : KLM_E_NOTFOUND;
}

/* A whole record that checks by itself. KLM_E_NOTFOUND: the segment ends, maybe within a record. */
static klm_rc take_frame(struct smf_reader *reader, struct smf_frame *frame, struct klm_diag *diag)
{
    for (;;) {
        klm_rc rc =
            smf_frame_parse(KLM_SLICE(reader->have + reader->used, reader->n), reader->sha, frame);

        if (rc != KLM_E_SHORT) {
            return rc;
        }
        KLM_TRY(fill(reader, diag));
    }
}

static bool follows(const struct smf_reader *reader, const struct smf_frame *frame)
{
    return frame->seq == reader->seq + 1 &&
           (!reader->known || memcmp(frame->prev, reader->hash, SMF_HASH_SIZE) == 0);
}

/* The same, in its place in the chain. What looks damaged is read once more from the file: it may have been a write
 * that failed half way, cut off and written again while we looked. */
static klm_rc take_next(struct smf_reader *reader, struct smf_frame *frame, struct klm_diag *diag)
{
    klm_rc rc = KLM_E_CORRUPT;

    for (int turn = 0; turn < 2; turn++) {
        rc = take_frame(reader, frame, diag);
        if (rc == KLM_OK && !follows(reader, frame)) {
            rc = KLM_E_CORRUPT;
        }
        if (rc != KLM_E_CORRUPT && !(rc == KLM_E_NOTFOUND && reader->n)) {
            return rc;
        }
        reader->used = reader->n = 0;
    }
    return rc;
}

/* The file that is read was cut before the place, or removed: after a failed sync the records from some number on were written
 * again, the same bytes in another segment. */
static bool moved(const struct smf_reader *reader)
{
    struct stat st;

    return fstat(reader->fd, &st) == 0 &&
           (st.st_nlink == 0 || (uint64_t)st.st_size < reader->offset);
}

/* Go to where the record after the last one is now. One that is in no segment any more is for who opens the reader anew. */
static klm_rc follow(struct smf_reader *reader, struct klm_diag *diag)
{
    uint64_t seq = reader->seq;

    KLM_TRY(enter_for(reader, seq, diag));
    return reader->seq <= seq ? KLM_OK : KLM_E_NOTFOUND;
}

static klm_rc damaged(const struct smf_reader *reader, struct klm_diag *diag)
{
    char name[SMF_SEGMENT_NAME_MAX];

    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_SMF_DAMAGED, reader->folder,
                    smf_segment_name(reader->first, name), KLM_NUM(reader->seq + 1),
                    KLM_NUM(reader->offset));
}

/* At the end of a segment: the next is named by the number that comes next, so it can only be there when this one is
 * complete; bytes of an incomplete record before it are damage. */
static klm_rc next_segment(struct smf_reader *reader, struct klm_diag *diag)
{
    uint64_t tail = reader->offset;
    uint8_t probe;

    if (reader->first == reader->seq + 1) {
        return KLM_E_NOTFOUND; /* nothing was in this one yet */
    }
    if (pread(reader->fd, &probe, 1, (off_t)tail) > 0) {
        int fd;

        KLM_TRY(smf_segment_open(reader->folder, reader->seq + 1, &fd, diag));
        smf_fd_close(&fd);
        return pread(reader->fd, &probe, 1, (off_t)tail) > 0 ? damaged(reader, diag)
                                                             : enter(reader, reader->seq + 1, diag);
    }
    return enter(reader, reader->seq + 1, diag);
}

static void accept(struct smf_reader *reader, const struct smf_frame *frame)
{
    memcpy(reader->hash, frame->hash, SMF_HASH_SIZE);
    reader->known = true;
    reader->seq = frame->seq;
    reader->offset += frame->length;
    reader->used += frame->length;
    reader->n -= frame->length;
}

klm_rc smf_reader_next(struct smf_reader *reader, struct smf_frame *out, struct klm_diag *diag)
{
    struct smf_frame frame;

    for (;;) {
        klm_rc rc = take_next(reader, &frame, diag);

        if (rc == KLM_OK) {
            accept(reader, &frame);
            if (frame.seq > reader->after) {
                *out = frame;
                return KLM_OK;
            }
        } else if (rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
            return rc;
        } else if (moved(reader)) {
            KLM_TRY(follow(reader, diag));
        } else if (rc == KLM_E_NOTFOUND) {
            KLM_TRY(next_segment(reader, diag));
        } else {
            return damaged(reader, diag);
        }
    }
}
