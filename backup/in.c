/* Reading the stream of a backup. Every byte was authenticated before it is looked at. One thread reads and decrypts ahead, one decompresses, so that both processors work; the
 * caller gets whole items. */
#include "backup/stream.h"

#include "base/lane.h"
#include "base/secret.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define WINDOW_LOG 23 /* what a writer of level 3 needs is 21: more would only cost memory */
#define AHEAD 3       /* items, and chunks */

struct chunk {
    size_t n;
    bool last;
    uint8_t plain[]; /* as many bytes as the header says */
};

struct item {
    enum bk_kind kind;
    size_t n;
    uint8_t bytes[BK_ITEM_MOST];
};

struct bk_in {
    int fd;
    const char *file;
    struct bk_pulse pulse;
    _Atomic uint64_t bytes;         /* of chunks, for the pulse */
    size_t size;                    /* of a chunk, at most */
    struct klm_lane *opened, *lane; /* of chunks and of items */
    pthread_t thread;
    bool running;
    /* Who opens chunks: a thread of its own, or the caller that proves them */
    struct kr_chunks *chunks;
    uint8_t *sealed;
    uint64_t read; /* chunks */
    struct bk_reach reach;
    uint64_t at; /* of the file, when reach is asked */
    struct klm_diag chunk_diag;
    /* The thread's that decompresses */
    ZSTD_DCtx *zstd;
    ZSTD_inBuffer from; /* of the chunk that was taken */
    uint64_t seen;      /* chunks */
    bool last, ended;   /* the last chunk was taken; the frame is complete */
    struct klm_diag diag;
};

void bk_in_free(struct bk_in **in)
{
    struct bk_in *i = *in;

    *in = NULL;
    if (i) {
        if (i->running) {
            klm_lane_close(i->lane);
            pthread_join(i->thread, NULL);
        }
        klm_lane_free(&i->lane);
        klm_lane_free(&i->opened);
        kr_chunks_free(&i->chunks);
        ZSTD_freeDCtx(i->zstd);
        free(i->sealed);
        free(i);
    }
}

static klm_rc set_up(struct bk_in *in, const struct kr_backup *key)
{
    in->zstd = ZSTD_createDCtx();
    in->sealed = malloc(in->size + KR_CHUNK_TAG);
    if (!in->zstd || !in->sealed) {
        return KLM_E_NOMEM;
    }
    if (ZSTD_isError(ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax, WINDOW_LOG))) {
        return KLM_E_INTERNAL;
    }
    KLM_TRY(klm_lane_new(AHEAD, sizeof(struct chunk) + in->size, &in->opened));
    KLM_TRY(klm_lane_new(AHEAD, sizeof(struct item), &in->lane));
    return kr_chunks_new(key, false, &in->chunks);
}

klm_rc bk_in_open(int fd, const char *file, const struct kr_backup *key, uint32_t chunk,
                  const struct bk_pulse *pulse, struct bk_in **out)
{
    KLM_AUTO(bk_in_free) struct bk_in *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    made->fd = fd;
    made->file = file;
    made->size = chunk;
    made->pulse = *pulse;
    KLM_TRY(set_up(made, key));
    *out = made;
    made = NULL;
    return KLM_OK;
}

void bk_in_behind(struct bk_in *in, const struct bk_reach *reach)
{
    const off_t at = lseek(in->fd, 0, SEEK_CUR);

    in->reach = *reach;
    in->at = at > 0 ? (uint64_t)at : 0;
}

static klm_rc damaged_at(const struct bk_in *in, uint64_t chunk, const char *what,
                         struct klm_diag *diag)
{
    char why[128];

    snprintf(why, sizeof why, "%s, at chunk %llu", what, (unsigned long long)chunk);
    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, in->file, why);
}

/* ---- Opening chunks */

static klm_rc reach(struct bk_in *in, uint64_t upto, struct klm_diag *diag)
{
    klm_rc rc = in->reach.reach(in->reach.arg, upto);

    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_FILE_READ, in->file, klm_rc_text(rc));
}

/* Up to n bytes; *got is less only at the end of the file. */
static klm_rc read_some(struct bk_in *in, uint8_t *to, size_t n, size_t *got, struct klm_diag *diag)
{
    size_t have = 0;

    if (in->reach.reach) {
        KLM_TRY(reach(in, in->at + n, diag));
    }
    while (have < n) {
        ssize_t one = read(in->fd, to + have, n - have);

        if (one < 0 && errno == EINTR) {
            continue;
        }
        if (one < 0) {
            return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, in->file,
                            strerror(errno));
        }
        if (one == 0) {
            break;
        }
        have += (size_t)one;
    }
    in->at += have;
    *got = have;
    return KLM_OK;
}

static klm_rc check_end(struct bk_in *in, struct klm_diag *diag)
{
    uint8_t more;
    size_t got;

    KLM_TRY(read_some(in, &more, 1, &got, diag));
    return got ? damaged_at(in, in->read, "something stands behind its end", diag) : KLM_OK;
}

static klm_rc read_chunk(struct bk_in *in, struct chunk *out, struct klm_diag *diag)
{
    uint8_t head[KR_CHUNK_HEAD];
    size_t got;
    klm_rc rc;

    KLM_TRY(read_some(in, head, sizeof head, &got, diag));
    if (got < sizeof head) {
        return damaged_at(in, in->read, "it is cut short", diag);
    }
    out->n = kr_chunk_size(head, &out->last);
    if (out->n > in->size) {
        return damaged_at(in, in->read, "a chunk is longer than the header says", diag);
    }
    KLM_TRY(read_some(in, in->sealed, out->n + KR_CHUNK_TAG, &got, diag));
    if (got < out->n + KR_CHUNK_TAG) {
        return damaged_at(in, in->read, "it is cut short", diag);
    }
    rc = kr_chunk_open(in->chunks, head, KLM_SLICE(in->sealed, got), out->plain);
    if (rc == KLM_E_CORRUPT) {
        return damaged_at(in, in->read, "a chunk was changed or is not in its place", diag);
    }
    KLM_TRY(rc);
    in->read++;
    in->bytes += KR_CHUNK_HEAD + got;
    return out->last ? check_end(in, diag) : KLM_OK;
}

static void *open_ahead(void *arg)
{
    struct bk_in *in = arg;
    klm_rc rc = KLM_OK;
    bool last = false;

    while (rc == KLM_OK && !last) {
        struct chunk *chunk = klm_lane_slot(in->opened);

        rc = chunk ? read_chunk(in, chunk, &in->chunk_diag) : KLM_E_CANCELLED;
        if (rc == KLM_OK) {
            last = chunk->last;
            klm_lane_give(in->opened);
        }
    }
    klm_lane_end(in->opened, rc);
    return NULL;
}

klm_rc bk_in_prove(struct bk_in *in, struct klm_diag *diag)
{
    struct chunk *chunk = malloc(sizeof *chunk + in->size);
    klm_rc rc = chunk ? KLM_OK : KLM_E_NOMEM;

    for (bool last = false; rc == KLM_OK && !last;) {
        rc = in->pulse.go_on(in->pulse.arg, in->bytes);
        if (rc == KLM_OK) {
            rc = read_chunk(in, chunk, diag);
            last = chunk->last;
        }
    }
    if (chunk) {
        klm_wipe(chunk, sizeof *chunk + in->size);
        free(chunk);
    }
    return rc;
}

/* ---- Decompressing */

static klm_rc damaged(const struct bk_in *in, const char *what, struct klm_diag *diag)
{
    return damaged_at(in, in->seen, what, diag);
}

static klm_rc next_chunk(struct bk_in *in, struct klm_diag *diag)
{
    const struct chunk *chunk;
    klm_rc rc = KLM_OK;

    if (in->last) {
        return damaged(in, "its last chunk comes too early", diag);
    }
    chunk = klm_lane_take(in->opened, &rc);
    if (!chunk) {
        *diag = in->chunk_diag;
        return rc;
    }
    in->last = chunk->last;
    in->from = (ZSTD_inBuffer){chunk->plain, chunk->n, 0};
    in->seen++;
    return KLM_OK;
}

/* One step of the decompressor, which may first need a chunk. */
static klm_rc decompress(struct bk_in *in, ZSTD_outBuffer *to, struct klm_diag *diag)
{
    size_t before = to->pos, left;

    if (in->ended) {
        return damaged(in, "its contents end too early", diag);
    }
    left = ZSTD_decompressStream(in->zstd, to, &in->from);
    if (ZSTD_isError(left)) {
        return damaged(in, "its contents cannot be decompressed", diag);
    }
    in->ended = left == 0;
    if (!in->ended && to->pos == before && in->from.pos == in->from.size) {
        return next_chunk(in, diag);
    }
    return KLM_OK;
}

static klm_rc take(struct bk_in *in, uint8_t *to, size_t n, struct klm_diag *diag)
{
    ZSTD_outBuffer out = {to, n, 0};

    while (out.pos < n) {
        KLM_TRY(decompress(in, &out, diag));
    }
    return KLM_OK;
}

/* Is there another item? After the last one only the end of the frame and of the file may come. */
static klm_rc look_for_end(struct bk_in *in, uint8_t *first, bool *more, struct klm_diag *diag)
{
    ZSTD_outBuffer out = {first, 1, 0};

    while (out.pos == 0 && !in->ended) {
        KLM_TRY(decompress(in, &out, diag));
    }
    *more = out.pos > 0;
    if (*more) {
        return KLM_OK;
    }
    if (in->from.pos < in->from.size) {
        return damaged(in, "something stands behind its contents", diag);
    }
    while (!in->last) {
        KLM_TRY(next_chunk(in, diag));
        if (in->from.size > 0) {
            return damaged(in, "something stands behind its contents", diag);
        }
    }
    return KLM_E_CLOSED;
}

static klm_rc next_item(struct bk_in *in, struct item *item, struct klm_diag *diag)
{
    uint8_t head[BK_ITEM_HEAD];
    bool more = true;
    size_t n;

    KLM_TRY(look_for_end(in, head, &more, diag));
    KLM_TRY(take(in, head + 1, sizeof head - 1, diag));
    n = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    if (head[0] < BK_BEGIN || head[0] > BK_SIGNATURE || n > BK_ITEM_MOST) {
        return damaged(in, "an item of its contents is impossible", diag);
    }
    KLM_TRY(take(in, item->bytes, n, diag));
    item->kind = (enum bk_kind)head[0];
    item->n = n;
    return KLM_OK;
}

static void *decompress_ahead(void *arg)
{
    struct bk_in *in = arg;
    pthread_t opener;
    klm_rc rc = klm_thread_start(&opener, "backup open", open_ahead, in);
    const bool opening = rc == KLM_OK;
    struct item *item;

    while (rc == KLM_OK && (item = klm_lane_slot(in->lane))) {
        rc = next_item(in, item, &in->diag);
        if (rc == KLM_OK) {
            klm_lane_give(in->lane);
        }
    }
    if (opening) {
        klm_lane_close(in->opened);
        pthread_join(opener, NULL);
    }
    klm_lane_end(in->lane, rc);
    return NULL;
}

klm_rc bk_in_item(struct bk_in *in, enum bk_kind *kind, struct klm_slice *payload,
                  struct klm_diag *diag)
{
    const struct item *item;
    klm_rc rc = KLM_OK;

    KLM_TRY(in->pulse.go_on(in->pulse.arg, in->bytes));
    if (!in->running) {
        KLM_TRY(klm_thread_start(&in->thread, "backup unpack", decompress_ahead, in));
    }
    in->running = true;
    item = klm_lane_take(in->lane, &rc);
    if (!item) {
        if (diag && in->diag.msg != KLM_MSG_NONE) {
            *diag = in->diag;
        }
        return rc;
    }
    *kind = item->kind;
    *payload = KLM_SLICE(item->bytes, item->n);
    return KLM_OK;
}
