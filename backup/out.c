/* Writing the stream of a backup. A thread of its own compresses, encrypts and writes, while the caller gathers the next item. */
#include "backup/stream.h"

#include "base/file.h"
#include "base/lane.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LEVEL                                                                                      \
    1 /* records of keys get hardly smaller beyond it, key tokens not at all, and it takes twice the time */
#define HASH_LOG                                                                                   \
    13 /* a table of 32 KiB stays in the processor's first cache: a little quicker than the usual 14 of that level, and no larger */
#define BEHIND 4 /* items */

struct item {
    uint8_t head[BK_ITEM_HEAD];
    struct klm_buf *payload; /* one of bk_out's */
};

struct bk_out {
    int fd;
    const char *file;
    struct bk_pulse pulse;
    struct bk_follow follow;
    uint64_t bytes; /* of items, for the pulse */
    struct klm_lane *lane;
    struct klm_buf payload[BEHIND]; /* in turn, as the slots of the lane are */
    size_t items;
    pthread_t thread;
    bool running;
    /* The thread's own while it runs */
    struct kr_chunks *chunks;
    ZSTD_CCtx *zstd;
    uint8_t *plain, *sealed;
    size_t n, chunk;  /* bytes in plain, and how many it takes */
    uint64_t written; /* of the file */
    klm_rc rc;
    struct klm_diag diag;
};

/* Wait until the thread has ended. */
static void join(struct bk_out *out)
{
    if (out->running) {
        pthread_join(out->thread, NULL);
        out->running = false;
    }
}

void bk_out_free(struct bk_out **out)
{
    struct bk_out *o = *out;

    *out = NULL;
    if (o) {
        if (o->running) {
            klm_lane_end(o->lane, KLM_E_CANCELLED);
        }
        join(o);
        klm_lane_free(&o->lane);
        kr_chunks_free(&o->chunks);
        ZSTD_freeCCtx(o->zstd);
        for (size_t i = 0; i < BEHIND; i++) {
            klm_buf_done(&o->payload[i]);
        }
        free(o->plain);
        free(o->sealed);
        free(o);
    }
}

static klm_rc set_up(struct bk_out *out, const struct kr_backup *key)
{
    out->zstd = ZSTD_createCCtx();
    out->plain = malloc(out->chunk);
    out->sealed = malloc(KR_CHUNK_HEAD + out->chunk + KR_CHUNK_TAG);
    if (!out->zstd || !out->plain || !out->sealed) {
        return KLM_E_NOMEM;
    }
    if (ZSTD_isError(ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_hashLog, HASH_LOG))) {
        return KLM_E_INTERNAL;
    }
    KLM_TRY(klm_lane_new(BEHIND, sizeof(struct item), &out->lane));
    return kr_chunks_new(key, true, &out->chunks);
}

klm_rc bk_out_open(int fd, const char *file, const struct kr_backup *key, uint32_t chunk,
                   const struct bk_pulse *pulse, struct bk_out **out)
{
    KLM_AUTO(bk_out_free) struct bk_out *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    made->fd = fd;
    made->file = file;
    made->chunk = chunk;
    made->pulse = *pulse;
    for (size_t i = 0; i < BEHIND; i++) {
        klm_buf_init_wiping(&made->payload[i], BK_ITEM_MOST);
    }
    KLM_TRY(set_up(made, key));
    *out = made;
    made = NULL;
    return KLM_OK;
}

void bk_out_follow(struct bk_out *out, const struct bk_follow *follow)
{
    out->follow = *follow;
}

/* What plain holds as the next chunk. */
static klm_rc write_chunk(struct bk_out *out, bool last, struct klm_diag *diag)
{
    const size_t n = KR_CHUNK_HEAD + out->n + KR_CHUNK_TAG;
    klm_rc rc;

    KLM_TRY(kr_chunk_seal(out->chunks, KLM_SLICE(out->plain, out->n), last, out->sealed));
    rc = klm_write_all(out->fd, out->sealed, n);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_BK_WRITE, out->file, klm_rc_text(rc));
    }
    out->n = 0;
    out->written += n;
    if (out->follow.written) {
        out->follow.written(out->follow.arg, out->written);
    }
    return KLM_OK;
}

/* Compress all of in; at the end also what the compressor still holds. */
static klm_rc compress(struct bk_out *out, struct klm_slice in, ZSTD_EndDirective how,
                       struct klm_diag *diag)
{
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t left;

    do {
        ZSTD_outBuffer to = {out->plain, out->chunk, out->n};

        left = ZSTD_compressStream2(out->zstd, &to, &from, how);
        if (ZSTD_isError(left)) {
            return KLM_E_INTERNAL;
        }
        out->n = to.pos;
        if (out->n == out->chunk) {
            KLM_TRY(write_chunk(out, false, diag));
        }
    } while (from.pos < from.size || (how == ZSTD_e_end && left > 0));
    return KLM_OK;
}

/* Everything that is given, and the end unless it is given up. */
static klm_rc write_items(struct bk_out *out)
{
    const struct item *item;
    klm_rc why = KLM_OK;

    while ((item = klm_lane_take(out->lane, &why))) {
        KLM_TRY(
            compress(out, KLM_SLICE(item->head, sizeof item->head), ZSTD_e_continue, &out->diag));
        KLM_TRY(compress(out, klm_buf_as_slice(item->payload), ZSTD_e_continue, &out->diag));
    }
    KLM_TRY(why);
    KLM_TRY(compress(out, KLM_SLICE(NULL, 0), ZSTD_e_end, &out->diag));
    return write_chunk(out, true, &out->diag);
}

static void *write_behind(void *arg)
{
    struct bk_out *out = arg;

    out->rc = write_items(out);
    klm_lane_close(out->lane);
    return NULL;
}

/* The outcome of the thread, which has ended. */
static klm_rc outcome(struct bk_out *out, struct klm_diag *diag)
{
    join(out);
    if (diag && out->diag.msg != KLM_MSG_NONE) {
        *diag = out->diag;
    }
    return out->rc;
}

static klm_rc begin(struct bk_out *out)
{
    KLM_TRY(out->rc); /* it has failed before */
    if (!out->running) {
        KLM_TRY(klm_thread_start(&out->thread, "backup write", write_behind, out));
    }
    out->running = true;
    return KLM_OK;
}

/* The slot for the next item, its payload empty; NULL: the thread has ended. */
static struct item *next_item(struct bk_out *out)
{
    struct item *item = klm_lane_slot(out->lane);

    if (item) {
        item->payload = &out->payload[out->items % BEHIND];
        item->payload->n = 0;
    }
    return item;
}

static void give(struct bk_out *out, struct item *item, enum bk_kind kind)
{
    const size_t n = item->payload->n;

    item->head[0] = (uint8_t)kind;
    for (int i = 1; i < BK_ITEM_HEAD; i++) {
        item->head[i] = (uint8_t)(n >> (8 * (BK_ITEM_HEAD - 1 - i)));
    }
    out->items++;
    out->bytes += BK_ITEM_HEAD + n;
    klm_lane_give(out->lane);
}

klm_rc bk_out_take(struct bk_out *out, enum bk_kind kind, struct klm_buf *payload,
                   struct klm_diag *diag)
{
    struct klm_buf taken = *payload;
    struct item *item;

    KLM_TRY(klm_buf_rc(payload));
    if (payload->n > BK_ITEM_MOST) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(out->pulse.go_on(out->pulse.arg, out->bytes));
    KLM_TRY(begin(out));
    item = next_item(out);
    if (!item) {
        return outcome(out, diag);
    }
    *payload = *item->payload;
    *item->payload = taken;
    give(out, item, kind);
    return KLM_OK;
}

klm_rc bk_out_item(struct bk_out *out, enum bk_kind kind, struct klm_slice payload,
                   struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf copy;

    klm_buf_init_wiping(&copy, BK_ITEM_MOST);
    klm_buf_slice(&copy, payload);
    return bk_out_take(out, kind, &copy, diag);
}

klm_rc bk_out_end(struct bk_out *out, struct klm_diag *diag)
{
    KLM_TRY(out->pulse.go_on(out->pulse.arg, out->bytes));
    KLM_TRY(begin(out));
    klm_lane_end(out->lane, KLM_OK);
    return outcome(out, diag);
}

uint64_t bk_out_bytes(const struct bk_out *out)
{
    return out->written;
}
