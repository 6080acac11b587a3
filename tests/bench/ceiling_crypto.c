/* Rates of the cryptography that a create and a get cannot do without. Contexts are kept, as in the server. */
#include "tests/bench/bench.h"
#include "tests/bench/ceiling.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS_MAX 64

struct worker {
    pthread_t thread;
    EVP_PKEY_CTX *ctx;
    uint8_t key[32], wrapped[256];
    uint64_t ops;
};

typedef bool step_fn(struct worker *worker);

static atomic_bool stop;
static step_fn *step; /* the operation; set before the threads begin */

static bool decrypt(struct worker *worker)
{
    uint8_t out[256];
    size_t n = sizeof out;

    return EVP_PKEY_decrypt(worker->ctx, out, &n, worker->wrapped, sizeof worker->wrapped) == 1;
}

static bool encrypt(struct worker *worker)
{
    size_t n = sizeof worker->wrapped;

    return EVP_PKEY_encrypt(worker->ctx, worker->wrapped, &n, worker->key, sizeof worker->key) == 1;
}

static bool random_key(struct worker *worker)
{
    return RAND_priv_bytes(worker->key, sizeof worker->key) == 1;
}

static EVP_PKEY_CTX *context(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

    bench_need(ctx && init(ctx) == 1 &&
                   EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1,
               "OAEP");
    return ctx;
}

static void *work(void *arg)
{
    struct worker *worker = arg;

    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        bench_need(step(worker), "cryptography");
        worker->ops++;
    }
    return NULL;
}

static void measure(const struct ceiling_options *options, const char *what, step_fn *fn,
                    EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *))
{
    static struct worker workers[THREADS_MAX];
    uint64_t begin, took, cpu, ops = 0;

    step = fn;
    for (unsigned i = 0; i < options->threads; i++) {
        if (key) {
            workers[i].ctx = context(key, EVP_PKEY_encrypt_init);
            bench_need(encrypt(&workers[i]), "OAEP");
            EVP_PKEY_CTX_free(workers[i].ctx);
            workers[i].ctx = context(key, init);
        }
    }
    begin = bench_now();
    cpu = bench_cpu_self();
    for (unsigned i = 0; i < options->threads; i++) {
        bench_need(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
    }
    usleep((useconds_t)(options->seconds * 1e6));
    atomic_store(&stop, true);
    took = bench_now() - begin;
    for (unsigned i = 0; i < options->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        ops += workers[i].ops;
        EVP_PKEY_CTX_free(workers[i].ctx);
    }
    printf("{\"bench\":\"ceiling\",\"what\":\"%s\",\"threads\":%u,\"ops_per_s\":%.1f,\"cpu_us_per_"
           "op\":%.2f}\n",
           what, options->threads, (double)ops / ((double)took / 1e9),
           (double)(bench_cpu_self() - cpu) / 1000 / (double)ops);
}

static void with_key(const struct ceiling_options *options, const char *what, step_fn *fn,
                     int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY *key = EVP_RSA_gen(2048);

    bench_need(key != NULL, "RSA key");
    measure(options, what, fn, key, init);
    EVP_PKEY_free(key);
}

void ceiling_decrypt(const struct ceiling_options *options)
{
    with_key(options, "decrypt", decrypt, EVP_PKEY_decrypt_init);
}

void ceiling_encrypt(const struct ceiling_options *options)
{
    with_key(options, "encrypt", encrypt, EVP_PKEY_encrypt_init);
}

/* What a stored key needs: out of its token, and wrapped for the session. One key wrap each way stands for it. */
static bool key_wrap(struct worker *worker)
{
    static _Thread_local EVP_CIPHER_CTX *ctx; /* one a thread, until the program ends */
    uint8_t wrapped[40], back[48];
    int n = 0;

    ctx = ctx ? ctx : EVP_CIPHER_CTX_new();
    return ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, worker->key, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, wrapped, &n, worker->key, 32) == 1 &&
           EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, worker->key, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, back, &n, wrapped, 40) == 1;
}

void ceiling_keywrap(const struct ceiling_options *options)
{
    measure(options, "keywrap", key_wrap, NULL, NULL);
}

void ceiling_random(const struct ceiling_options *options)
{
    measure(options, "random", random_key, NULL, NULL);
}
