/* Backups. The first byte chooses what the rest is: a header, a manifest, a
 * signature, or the stream inside, which the harness compresses and encrypts
 * itself, so that what lies behind the encryption is reached. What was decoded
 * is encoded again and must be the same. */
#include "backup/walk.h"
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static klm_rc go_on(void *arg, uint64_t bytes)
{
    (void)arg;
    return bytes > (64u << 20) ? KLM_E_LIMIT : KLM_OK;
}

static struct kr_backup *key(void)
{
    static struct kr_backup *made;

    if (!made && kr_backup_new(&made) != KLM_OK) {
        abort();
    }
    return made;
}

/* With a checksum that is right, so that more than the checksum is looked at.
 */
static void header(struct klm_pool *pool, struct klm_slice in)
{
    struct klm_buf bytes;
    struct bk_header out;
    uint8_t sum[32];

    struct p11_uri names;

    (void)!bk_header_decode(in, "fuzz", pool, NULL, &out);
    (void)!kr_slot_token_names(in, &names);
    if (in.n < 80 || in.n > BK_HEADER_MOST) {
        return;
    }
    klm_buf_init(&bytes, BK_HEADER_MOST);
    klm_buf_slice(&bytes, in);
    klm_buf_set_u32(&bytes, 12, (uint32_t)in.n);
    const struct klm_slice summed = KLM_SLICE(bytes.p, in.n - 64);
    if (klm_sha256(&summed, 1, sum) != KLM_OK) {
        abort();
    }
    memcpy(bytes.p + in.n - 64, sum, sizeof sum);
    if (bk_header_decode(klm_buf_as_slice(&bytes), "fuzz", pool, NULL, &out) == KLM_OK &&
        bk_header_check(&out, key()) == KLM_OK) {
        abort(); /* nobody can make that */
    }
    klm_buf_done(&bytes);
}

static void manifest(struct klm_pool *pool, struct klm_slice in)
{
    static struct bk_manifest out;
    struct klm_buf again;

    if (bk_manifest_decode(in, pool, &out) != KLM_OK) {
        return;
    }
    klm_buf_init(&again, 1 << 20);
    if (bk_manifest_encode(&out, &again) != KLM_OK ||
        !klm_slice_equal(klm_buf_as_slice(&again), in)) {
        abort();
    }
    klm_buf_done(&again);
}

static void signature(struct klm_pool *pool, struct klm_slice in)
{
    struct bk_signature out;
    struct klm_buf again;

    if (bk_signature_take(in, pool, &out) != KLM_OK) {
        return;
    }
    klm_buf_init(&again, 1 << 20);
    bk_signature_put(&again, &out);
    if (!klm_slice_equal(klm_buf_as_slice(&again), in)) {
        abort();
    }
    klm_buf_done(&again);
}

/* Items of what the input says: kind, length of two bytes, content. */
static klm_rc put_items(struct bk_out *out, struct klm_slice in)
{
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    while (klm_cur_left(&cur) > 0) {
        struct klm_slice payload;
        uint8_t kind;

        klm_cur_u8(&cur, &kind);
        klm_cur_lp16(&cur, UINT16_MAX, &payload);
        if (klm_cur_rc(&cur) != KLM_OK) {
            break;
        }
        KLM_TRY(bk_out_item(out, (enum bk_kind)kind, payload, NULL));
    }
    return bk_out_end(out, NULL);
}

static void stream(struct klm_pool *pool, struct klm_slice in)
{
    static const struct bk_visitor nobody;
    static struct bk_found found;
    const struct bk_pulse pulse = {go_on, NULL};
    const struct bk_header head = {.whole = klm_slice_str("header")};
    struct bk_out *out = NULL;
    struct bk_in *input = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || bk_out_open(fd, "fuzz", key(), BK_CHUNK_LEAST, &pulse, &out) != KLM_OK ||
        put_items(out, in) != KLM_OK || lseek(fd, 0, SEEK_SET) != 0 ||
        bk_in_open(fd, "fuzz", key(), BK_CHUNK_LEAST, &pulse, &input) != KLM_OK) {
        abort();
    }
    (void)!bk_walk(input, &head, "fuzz", &nobody, pool, NULL, &found);
    bk_in_free(&input);
    bk_out_free(&out);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(struct klm_pool *, struct klm_slice) = {header, manifest,
                                                                         signature, stream};
    struct klm_pool *pool = NULL;

    if (size < 1 || klm_pool_new(0, &pool) != KLM_OK) {
        return 0;
    }
    parts[data[0] % KLM_COUNT(parts)](pool, KLM_SLICE(data + 1, size - 1));
    klm_pool_free(&pool);
    return 0;
}
