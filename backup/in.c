/* Reading the stream of a backup. Every byte was authenticated before it is looked at. A thread of its own reads, decrypts and decompresses ahead, so that both
 * processors work; the caller gets whole items. */
#include "backup/stream.h"

#include "base/lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define WINDOW_LOG 23 /* what a writer of level 3 needs is 21: more would only cost memory */
#define AHEAD 3       /* items */

struct item {
    enum bk_kind kind;
    size_t n;
    uint8_t bytes[BK_ITEM_MOST];
};

struct bk_in {
    int fd;
    const char *file;
    struct bk_pulse pulse;
    _Atomic uint64_t bytes; /* of chunks, for the pulse */
    struct klm_lane *lane;
    pthread_t thread;
    bool running;
    /* The thread's own while it runs */
    struct kr_chunks *chunks;
    ZSTD_DCtx *zstd;
    uint8_t *plain, *sealed;
    size_t chunk;
    ZSTD_inBuffer from; /* of plain */
    uint64_t seen;      /* chunks */
    bool last, ended;   /* the last chunk was opened; the frame is complete */
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
        kr_chunks_free(&i->chunks);
        ZSTD_freeDCtx(i->zstd);
        free(i->plain);
        free(i->sealed);
        free(i);
    }
}

static klm_rc set_up(struct bk_in *in, const struct kr_backup *key)
{
    in->zstd = ZSTD_createDCtx();
    in->plain = malloc(in->chunk);
    in->sealed = malloc(in->chunk + KR_CHUNK_TAG);
    if (!in->zstd || !in->plain || !in->sealed) {
        return KLM_E_NOMEM;
    }
    if (ZSTD_isError(ZSTD_DCtx_setParameter(in->zstd, ZSTD_d_windowLogMax, WINDOW_LOG))) {
        return KLM_E_INTERNAL;
    }
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
    made->chunk = chunk;
    made->pulse = *pulse;
    KLM_TRY(set_up(made, key));
    *out = made;
    made = NULL;
    return KLM_OK;
}

static klm_rc damaged(const struct bk_in *in, const char *what, struct klm_diag *diag)
{
    char why[128];

    snprintf(why, sizeof why, "%s, at chunk %llu", what, (unsigned long long)in->seen);
    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, in->file, why);
}

/* Up to n bytes; *got is less only at the end of the file. */
static klm_rc read_some(struct bk_in *in, uint8_t *to, size_t n, size_t *got, struct klm_diag *diag)
{
    size_t have = 0;

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
    *got = have;
    return KLM_OK;
}

static klm_rc check_end(struct bk_in *in, struct klm_diag *diag)
{
    uint8_t more;
    size_t got;

    KLM_TRY(read_some(in, &more, 1, &got, diag));
    return got ? damaged(in, "something stands behind its end", diag) : KLM_OK;
}

static klm_rc next_chunk(struct bk_in *in, struct klm_diag *diag)
{
    uint8_t head[KR_CHUNK_HEAD];
    size_t got, size;
    klm_rc rc;

    if (in->last) {
        return damaged(in, "its last chunk comes too early", diag);
    }
    KLM_TRY(read_some(in, head, sizeof head, &got, diag));
    size = kr_chunk_size(head, &in->last);
    if (got < sizeof head) {
        return damaged(in, "it is cut short", diag);
    }
    if (size > in->chunk) {
        return damaged(in, "a chunk is longer than the header says", diag);
    }
    KLM_TRY(read_some(in, in->sealed, size + KR_CHUNK_TAG, &got, diag));
    if (got < size + KR_CHUNK_TAG) {
        return damaged(in, "it is cut short", diag);
    }
    rc = kr_chunk_open(in->chunks, head, KLM_SLICE(in->sealed, got), in->plain);
    if (rc != KLM_OK) {
        return rc == KLM_E_CORRUPT ? damaged(in, "a chunk was changed or is not in its place", diag)
                                   : rc;
    }
    in->from = (ZSTD_inBuffer){in->plain, size, 0};
    in->seen++;
    in->bytes += KR_CHUNK_HEAD + got;
    return in->last ? check_end(in, diag) : KLM_OK;
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

klm_rc bk_in_prove(struct bk_in *in, struct klm_diag *diag)
{
    while (!in->last) {
        KLM_TRY(in->pulse.go_on(in->pulse.arg, in->bytes));
        KLM_TRY(next_chunk(in, diag));
    }
    return KLM_OK;
}

static void *read_ahead(void *arg)
{
    struct bk_in *in = arg;
    klm_rc rc = KLM_OK;
    struct item *item;

    while (rc == KLM_OK && (item = klm_lane_slot(in->lane))) {
        rc = next_item(in, item, &in->diag);
        if (rc == KLM_OK) {
            klm_lane_give(in->lane);
        }
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
    if (!in->running && pthread_create(&in->thread, NULL, read_ahead, in) != 0) {
        return KLM_E_LIMIT;
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
