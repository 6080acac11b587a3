/* Rate of a PKCS#11 token's own private-key operation, straight through its library: no padding, no helper, no server. Each thread has a session, and the
 * key stays found, as in the helper. */
#include "tests/bench/bench.h"
#include "tests/bench/ceiling.h"

#define CRYPTOKI_GNU 1
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 64
#define SLOTS_MAX 16
#define BLOCK 256 /* RSA-2048 */

struct worker {
    pthread_t thread;
    ck_session_handle_t session;
    ck_object_handle_t key;
    uint64_t ops;
};

static struct ck_function_list *f;
static atomic_bool stop;

static void load(const char *library)
{
    struct ck_c_initialize_args args = {.flags = CKF_OS_LOCKING_OK};
    void *dl = dlopen(library, RTLD_NOW); /* until the program ends */
    ck_rv_t (*list)(struct ck_function_list **) = NULL;

    if (!dl) {
        bench_die(library, dlerror());
    }
    *(void **)&list = dlsym(dl, "C_GetFunctionList");
    bench_need(list && list(&f) == CKR_OK, "C_GetFunctionList");
    bench_need(f->C_Initialize(&args) == CKR_OK, "C_Initialize");
}

/* The one token that is initialised. */
static ck_slot_id_t find_slot(void)
{
    ck_slot_id_t slots[SLOTS_MAX];
    unsigned long n = SLOTS_MAX;
    struct ck_token_info info;

    bench_need(f->C_GetSlotList(1, slots, &n) == CKR_OK, "C_GetSlotList");
    for (unsigned long i = 0; i < n; i++) {
        if (f->C_GetTokenInfo(slots[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED)) {
            return slots[i];
        }
    }
    bench_die("token", "none is initialised");
}

static void log_in(ck_session_handle_t session, const char *pin_file)
{
    unsigned char pin[64] = "";
    FILE *file = fopen(pin_file, "r");

    bench_need(file && fgets((char *)pin, sizeof pin, file), "PIN file");
    fclose(file);
    bench_need(f->C_Login(session, CKU_USER, pin, strcspn((char *)pin, "\r\n")) == CKR_OK,
               "C_Login");
}

static ck_object_handle_t find_key(ck_session_handle_t session, const char *label)
{
    ck_object_class_t class = CKO_PRIVATE_KEY;
    char name[65];
    struct ck_attribute want[] = {{CKA_CLASS, &class, sizeof class},
                                  {CKA_LABEL, name, strnlen(label, 64)}};
    ck_object_handle_t key = 0;
    unsigned long n = 0;

    snprintf(name, sizeof name, "%s", label);
    bench_need(f->C_FindObjectsInit(session, want, 2) == CKR_OK &&
                   f->C_FindObjects(session, &key, 1, &n) == CKR_OK && n == 1 &&
                   f->C_FindObjectsFinal(session) == CKR_OK,
               "the key in the token");
    return key;
}

static void *work(void *arg)
{
    struct ck_mechanism raw = {CKM_RSA_X_509, NULL, 0};
    struct worker *worker = arg;
    unsigned char block[BLOCK], out[BLOCK];
    unsigned long n;

    memset(block, 0x5a, sizeof block);
    block[0] = 0; /* a number below any modulus of that size */
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        n = sizeof out;
        bench_need(f->C_DecryptInit(worker->session, &raw, worker->key) == CKR_OK &&
                       f->C_Decrypt(worker->session, block, sizeof block, out, &n) == CKR_OK,
                   "C_Decrypt");
        worker->ops++;
    }
    return NULL;
}

static void open_sessions(const struct ceiling_options *options, struct worker *workers)
{
    ck_slot_id_t slot = find_slot();

    for (unsigned i = 0; i < options->threads; i++) {
        bench_need(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &workers[i].session) ==
                       CKR_OK,
                   "C_OpenSession");
        if (i == 0) {
            log_in(workers[0].session, options->pin_file);
        }
        workers[i].key = find_key(workers[i].session, options->key);
    }
}

void ceiling_token(const struct ceiling_options *options)
{
    static struct worker workers[THREADS_MAX];
    uint64_t begin, took, ops = 0;

    bench_need(options->library && options->key && options->pin_file, "-l, -k and -p");
    load(options->library);
    open_sessions(options, workers);
    begin = bench_now();
    for (unsigned i = 0; i < options->threads; i++) {
        bench_need(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
    }
    usleep((useconds_t)(options->seconds * 1e6));
    atomic_store(&stop, true);
    took = bench_now() - begin;
    for (unsigned i = 0; i < options->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        ops += workers[i].ops;
    }
    printf("{\"bench\":\"ceiling\",\"what\":\"token\",\"threads\":%u,\"ops_per_s\":%.1f}\n",
           options->threads, (double)ops / ((double)took / 1e9));
    f->C_Finalize(NULL);
}
