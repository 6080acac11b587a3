/* Backup and restore of a server that is down, against zstd and AES-256-GCM over the same bytes and nothing else, in turn.
 *   backupbench CONFIG FOLDER PAIRS
 * Prints a line of JSON: bytes of the stream, and for each pair seconds of backup, of compressing and encrypting the same bytes, of
 * restore, and of decrypting and decompressing them; of backup a second ceiling at the level of zstd that backups use (pack_same_level), of restore
 * one that Berkeley DB sets: its bulk load of the same records, by one thread and by two (bulk, bulk_two);
 * of each also the seconds of CPU of all threads (_cpu), which others on the machine disturb least. */
#include "backup/bk.h"
#include "backup/make.h"
#include "backup/walk.h"
#include "base/secret.h"
#include "tests/bench/bench.h"
#include "tests/bench/bulkload.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define PASSWORD "correct horse battery"
#define CHUNK (256u << 10)

static struct klm_diag diag;

static void need(klm_rc rc, const char *what)
{
    if (rc != KLM_OK) {
        bench_die(what, diag.text[0] ? diag.text : klm_rc_text(rc));
    }
}

/* Seconds by the clock and of CPU, from a beginning on. */
struct took {
    double seconds, cpu;
};

static double cpu_now(void)
{
    struct timespec at;

    bench_need(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at) == 0, "clock");
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static struct took begin(void)
{
    return (struct took){(double)bench_now() / 1e9, cpu_now()};
}

static struct took since(struct took began)
{
    return (struct took){(double)bench_now() / 1e9 - began.seconds, cpu_now() - began.cpu};
}

static klm_rc always(void *arg, const struct bk_progress *progress)
{
    (void)arg, (void)progress;
    return KLM_OK;
}

static klm_rc go_on(void *arg, uint64_t bytes)
{
    (void)arg, (void)bytes;
    return KLM_OK;
}

static struct took backup(const char *config, const char *path)
{
    const struct km_options options = {.config_path = config, .offline = true, .once = true};
    struct km_server *server;
    struct bk_made made;
    struct took began;

    need(km_open(&options, &diag, &server), "open");
    const struct bk_order order = {
        .server = server,
        .path = path,
        .password = klm_slice_str(PASSWORD),
        .cost = {10, 8, 1}, /* the same for any size, so it is left out */
        .watch = {always, NULL}};
    (void)unlink(path);
    began = begin();
    need(bk_make(&order, &diag, &made), "backup");
    began = since(began);
    km_close(&server);
    return began;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* The state before is put back, so that each pair has the store that was given: one that was restored is better ordered. */
static void undo(struct bk_restore order, const char *kept)
{
    struct bk_restored done;

    order.file = kept;
    need(bk_undo(&order, &diag, &done), "undo");
    bench_need(nftw(kept, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 &&
                   nftw(done.kept, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0,
               "remove what was kept");
}

static struct took restore(const char *config, const char *path)
{
    const struct bk_restore order = {.config_path = config,
                                     .file = path,
                                     .password = klm_slice_str(PASSWORD),
                                     .consent = BK_ACCEPT_OLDER | BK_ACCEPT_FOREIGN,
                                     .who = "bench",
                                     .roles = KM_ROLE_BACKUP};
    struct bk_restored done;
    struct took took = begin();

    need(bk_restore(&order, &diag, &done), "restore");
    took = since(took);
    undo(order, done.kept);
    return took;
}

/* The stream as it lies in the chunks. */
static klm_rc keep(void *arg, const struct bk_section *section, const struct bk_record *record)
{
    (void)section;
    bk_record_put(arg, record);
    return klm_buf_rc(arg);
}

static void read_stream(const char *path, struct klm_buf *out)
{
    const struct bk_visitor visitor = {.record = keep, .arg = out};
    const struct bk_pulse pulse = {go_on, NULL};
    static struct bk_found found;
    struct bk_file file;

    need(bk_file_open(path, &diag, &file), "file");
    need(bk_file_unlock(&file, klm_slice_str(PASSWORD), &diag), "password");
    need(bk_file_walk(&file, &visitor, &pulse, &diag, &found), "walk");
    bk_file_close(&file);
}

static size_t gcm(int enc, const uint8_t *in, size_t n, uint8_t *out)
{
    static const uint8_t key[32] = {1};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[16], nonce[12] = {0};
    int done;

    bench_need(ctx && EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, enc, NULL) == 1,
               "GCM");
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t piece = n - at < CHUNK ? n - at : CHUNK;

        memcpy(nonce, &at, sizeof at);
        bench_need(EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, enc, NULL) == 1 &&
                       EVP_CipherUpdate(ctx, out + at, &done, in + at, (int)piece) == 1,
                   "GCM");
        if (enc) {
            bench_need(EVP_CipherFinal_ex(ctx, tag, &done) == 1, "GCM");
        }
    }
    EVP_CIPHER_CTX_free(ctx);
    return n;
}

static void tell(const char *what, struct took took, const char *end)
{
    printf("\"%s\":%.3f,\"%s_cpu\":%.3f%s", what, took.seconds, what, took.cpu, end);
}

static struct took pack(int level, const struct klm_buf *stream, uint8_t *packed, size_t cap,
                        uint8_t *sealed, size_t *n)
{
    const struct took began = begin();

    *n = ZSTD_compress(packed, cap, stream->p, stream->n, level);
    bench_need(!ZSTD_isError(*n), "zstd");
    gcm(1, packed, *n, sealed);
    return since(began);
}

static struct took load(struct bulk *bulk, const char *path, unsigned threads)
{
    char folder[4200];
    struct took began;

    snprintf(folder, sizeof folder, "%s.bulk", path);
    sync(); /* so that nobody else's writes are in the way */
    began = begin();
    bulk_load(bulk, folder, threads);
    began = since(began);
    bulk_remove(folder);
    return began;
}

static void pair(const char *config, const char *path, struct klm_buf *stream, struct bulk *bulk,
                 bool last)
{
    size_t cap = ZSTD_compressBound(stream->n), n;
    uint8_t *packed = malloc(cap), *sealed = malloc(cap), *back = malloc(stream->n);
    struct took unpack;

    bench_need(packed && sealed && back, "memory");
    putchar('{');
    tell("backup", backup(config, path), ",");
    tell("pack_same_level", pack(1, stream, packed, cap, sealed, &n), ",");
    tell("pack", pack(3, stream, packed, cap, sealed, &n), ",");
    tell("restore", restore(config, path), ",");
    unpack = begin();
    gcm(0, sealed, n, packed);
    bench_need(ZSTD_decompress(back, stream->n, packed, n) == stream->n, "zstd");
    tell("unpack", since(unpack), ",");
    tell("bulk", load(bulk, path, 1), ",");
    tell("bulk_two", load(bulk, path, 2), last ? "}" : "},");
    free(packed);
    free(sealed);
    free(back);
}

static struct bulk *read_store(const char *config_path)
{
    struct parm_config *config;
    struct bulk *bulk;
    char folder[4096];

    need(parm_load(config_path, &diag, &config), "configuration");
    need(parm_store_dir(config, folder, sizeof folder), "store");
    bulk = bulk_read(folder);
    parm_free(&config);
    return bulk;
}

int main(int argc, char **argv)
{
    struct klm_buf stream;
    struct bulk *bulk;
    char path[4096];
    int pairs;

    bench_need(argc == 4, "backupbench CONFIG FOLDER PAIRS");
    need(klm_secret_init(8u << 20), "secret memory");
    snprintf(path, sizeof path, "%s/bench.backup", argv[2]);
    pairs = (int)bench_number(argv[3], 1, 100);
    (void)backup(argv[1], path); /* what the first start does is not measured */
    klm_buf_init(&stream, (size_t)8 << 30);
    read_stream(path, &stream);
    bulk = read_store(argv[1]);
    printf("{\"bytes\":%zu,\"pairs\":[", stream.n);
    for (int i = 0; i < pairs; i++) {
        pair(argv[1], path, &stream, bulk, i + 1 == pairs);
    }
    printf("]}\n");
    bulk_free(bulk);
    klm_buf_done(&stream);
    return 0;
}
