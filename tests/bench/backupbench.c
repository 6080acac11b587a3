/* Backup and restore of a server that is down, against zstd and AES-256-GCM over the same bytes and nothing else, in turn.
 *   backupbench CONFIG FOLDER PAIRS
 * Prints a line of JSON: megabytes of the stream, and for each pair seconds of backup, of compressing and encrypting the same bytes, of
 * restore, and of decrypting and decompressing them. */
#include "backup/bk.h"
#include "backup/make.h"
#include "backup/walk.h"
#include "base/secret.h"
#include "tests/bench/bench.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static double seconds_since(uint64_t began)
{
    return (double)(bench_now() - began) / 1e9;
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

static double backup(const char *config, const char *path)
{
    const struct km_options options = {.config_path = config, .offline = true};
    struct km_server *server;
    struct bk_made made;
    uint64_t began;
    double seconds;

    need(km_open(&options, &diag, &server), "open");
    const struct bk_order order = {
        .server = server,
        .path = path,
        .password = klm_slice_str(PASSWORD),
        .cost = {10, 8, 1}, /* the same for any size, so it is left out */
        .watch = {always, NULL}};
    (void)unlink(path);
    began = bench_now();
    need(bk_make(&order, &diag, &made), "backup");
    seconds = seconds_since(began);
    km_close(&server);
    return seconds;
}

static double restore(const char *config, const char *path)
{
    const struct bk_restore order = {.config_path = config,
                                     .file = path,
                                     .password = klm_slice_str(PASSWORD),
                                     .consent = BK_ACCEPT_OLDER | BK_ACCEPT_FOREIGN,
                                     .who = "bench",
                                     .roles = KM_ROLE_BACKUP};
    struct bk_restored done;
    uint64_t began = bench_now();

    need(bk_restore(&order, &diag, &done), "restore");
    return seconds_since(began);
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

static void pair(const char *config, const char *path, struct klm_buf *stream, bool last)
{
    size_t cap = ZSTD_compressBound(stream->n), n;
    uint8_t *packed = malloc(cap), *sealed = malloc(cap), *back = malloc(stream->n);
    double made, restored, pack, unpack;
    uint64_t began;

    bench_need(packed && sealed && back, "memory");
    made = backup(config, path);
    began = bench_now();
    n = ZSTD_compress(packed, cap, stream->p, stream->n, 3);
    bench_need(!ZSTD_isError(n), "zstd");
    gcm(1, packed, n, sealed);
    pack = seconds_since(began);
    restored = restore(config, path);
    began = bench_now();
    gcm(0, sealed, n, packed);
    bench_need(ZSTD_decompress(back, stream->n, packed, n) == stream->n, "zstd");
    unpack = seconds_since(began);
    printf("{\"backup\":%.3f,\"pack\":%.3f,\"restore\":%.3f,\"unpack\":%.3f}%s", made, pack,
           restored, unpack, last ? "" : ",");
    free(packed);
    free(sealed);
    free(back);
}

int main(int argc, char **argv)
{
    struct klm_buf stream;
    char path[4096];
    int pairs;

    bench_need(argc == 4, "backupbench CONFIG FOLDER PAIRS");
    need(klm_secret_init(8u << 20), "secret memory");
    snprintf(path, sizeof path, "%s/bench.backup", argv[2]);
    pairs = (int)bench_number(argv[3], 1, 100);
    (void)backup(argv[1], path); /* what the first start does is not measured */
    klm_buf_init(&stream, (size_t)8 << 30);
    read_stream(path, &stream);
    printf("{\"bytes\":%zu,\"pairs\":[", stream.n);
    for (int i = 0; i < pairs; i++) {
        pair(argv[1], path, &stream, i + 1 == pairs);
    }
    printf("]}\n");
    klm_buf_done(&stream);
    return 0;
}
