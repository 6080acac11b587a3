/* Writing the stream of a backup. */
#include "backup/stream.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LEVEL                                                                                      \
    3 /* zstd's own choice: beyond it records of keys get hardly smaller, and much slower */

struct bk_out {
    int fd;
    const char *file;
    struct bk_pulse pulse;
    struct kr_chunks *chunks;
    ZSTD_CCtx *zstd;
    uint8_t *plain, *sealed;
    size_t n, chunk;         /* bytes in plain, and how many it takes */
    uint64_t bytes, written; /* of items, of the file */
};

void bk_out_free(struct bk_out **out)
{
    struct bk_out *o = *out;

    *out = NULL;
    if (o) {
        kr_chunks_free(&o->chunks);
        ZSTD_freeCCtx(o->zstd);
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
    if (ZSTD_isError(ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_compressionLevel, LEVEL))) {
        return KLM_E_INTERNAL;
    }
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
    KLM_TRY(set_up(made, key));
    *out = made;
    made = NULL;
    return KLM_OK;
}

/* What plain holds as the next chunk. */
static klm_rc write_chunk(struct bk_out *out, bool last, struct klm_diag *diag)
{
    const size_t n = KR_CHUNK_HEAD + out->n + KR_CHUNK_TAG;
    klm_rc rc;

    KLM_TRY(out->pulse.go_on(out->pulse.arg, out->bytes));
    KLM_TRY(kr_chunk_seal(out->chunks, KLM_SLICE(out->plain, out->n), last, out->sealed));
    rc = klm_write_all(out->fd, out->sealed, n);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_BK_WRITE, out->file, klm_rc_text(rc));
    }
    out->n = 0;
    out->written += n;
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

klm_rc bk_out_item(struct bk_out *out, enum bk_kind kind, struct klm_slice payload,
                   struct klm_diag *diag)
{
    const uint8_t head[BK_ITEM_HEAD] = {(uint8_t)kind, (uint8_t)(payload.n >> 24),
                                        (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8),
                                        (uint8_t)payload.n};

    if (payload.n > BK_ITEM_MOST) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(compress(out, KLM_SLICE(head, sizeof head), ZSTD_e_continue, diag));
    KLM_TRY(compress(out, payload, ZSTD_e_continue, diag));
    out->bytes += sizeof head + payload.n;
    return KLM_OK;
}

klm_rc bk_out_end(struct bk_out *out, struct klm_diag *diag)
{
    KLM_TRY(compress(out, KLM_SLICE(NULL, 0), ZSTD_e_end, diag));
    return write_chunk(out, true, diag);
}

uint64_t bk_out_bytes(const struct bk_out *out)
{
    return out->written;
}
