/* Makes the golden stores of tests/golden/store: `clean` was closed as P ISKLM closes it, `killed` was left as a kill leaves it, with
 * most of its records in the log only. Run on x86-64 by `make golden-store`, and only when the store's format gets a new
 * version: the point of the files is that they do not change. */
#include "tests/unit/keymgr/golden.h"

#include "base/file.h"
#include "base/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_BYTES (1u << 20)
#define FILE_MAX 65536

static klm_rc load(const char *name, struct klm_pool *pool, struct klm_slice *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[256];

    klm_buf_init(&buf, FILE_MAX);
    snprintf(path, sizeof path, GOLDEN_KEYS "%s", name);
    KLM_TRY(klm_file_read(path, FILE_MAX, &buf, NULL));
    return klm_pool_slice(pool, klm_buf_as_slice(&buf), out);
}

static klm_rc put_cert(struct st_change *change, struct klm_pool *pool,
                       const struct golden_cert *from)
{
    struct kr_cert cert = {.owner = GOLDEN_OWNER,
                           .label = from->label,
                           .trust = KR_TRUST,
                           .token_label = from->token_label,
                           .added = GOLDEN_TIME};
    struct kr_connect connect = {GOLDEN_OWNER, from->label, "PERSONAL", from == golden_certs};
    struct klm_slice token, pem;

    KLM_TRY(load(from->token, pool, &token));
    KLM_TRY(kr_token_put(change, from->token_label, token, false));
    KLM_TRY(load(from->pem, pool, &pem));
    KLM_TRY(kr_cert_parse(pem, pool, &cert.der, NULL));
    KLM_TRY(kr_cert_add(change, &cert));
    return kr_ring_connect(change, GOLDEN_OWNER, GOLDEN_RING, &connect);
}

static klm_rc put_keys(struct st_change *change, struct klm_pool *pool)
{
    struct klm_slice token;

    KLM_TRY(kr_ring_add(change, GOLDEN_OWNER, GOLDEN_RING));
    for (size_t i = 0; i < KLM_COUNT(golden_certs); i++) {
        KLM_TRY(put_cert(change, pool, &golden_certs[i]));
    }
    KLM_TRY(load("token-aes256.bin", pool, &token));
    return kr_token_put(change, "AES.KEY", token, false);
}

static klm_rc put_drives(struct st_change *change, struct klm_pool *pool)
{
    struct dt_pending pending = {.serial = "000001399999",
                                 .kind = DT_LTO,
                                 .address = "192.0.2.7:40022",
                                 .first_contact = GOLDEN_TIME,
                                 .contacts = 258};

    (void)pool;
    for (unsigned i = 1; i <= GOLDEN_DRIVES; i++) {
        struct dt_drive drive = golden_drive(i);

        KLM_TRY(dt_add(change, &drive));
    }
    pending.last_contact = GOLDEN_TIME;
    return dt_pending_put(change, &pending, 10);
}

static klm_rc put_usage(struct st_change *change, struct klm_pool *pool)
{
    (void)pool;
    for (unsigned i = 1; i <= GOLDEN_USAGES; i++) {
        struct md_usage usage = golden_usage(i);

        KLM_TRY(md_usage_add(change, &usage));
    }
    return st_put(change, ST_OUTBOX, KLM_SLICE("\0\0\0\0\0\0\1\2", 8),
                  klm_slice_str(GOLDEN_OUTBOX));
}

static klm_rc put_index(struct st_change *change, struct klm_pool *pool)
{
    uint64_t left;

    (void)pool;
    return md_index(change, GOLDEN_INDEXED, &left);
}

static klm_rc change(struct st_store *store, klm_rc (*fill)(struct st_change *, struct klm_pool *))
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_change *change = NULL;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(st_change_open(store, &change));
    rc = fill(change, pool);
    if (rc != KLM_OK) {
        st_change_drop(&change);
        return rc;
    }
    return st_change_commit(&change, NULL);
}

static klm_rc fill(const char *home, bool kill)
{
    struct st_options options;
    struct st_store *store = NULL;

    KLM_TRY(golden_options(home, &options));
    options.create = true;
    KLM_TRY(st_open_bdb(&options, NULL, &store));
    KLM_TRY(change(store, put_keys));
    KLM_TRY(st_checkpoint(store, 0, 0));
    KLM_TRY(change(store, put_drives));
    KLM_TRY(change(store, put_usage));
    KLM_TRY(change(store, put_index));
    if (kill) {
        _exit(0);
    }
    st_close(&store);
    return KLM_OK;
}

/* Berkeley DB makes a log file at its full size, all but its beginning a hole: that is cut off here. */
static int cut_log(const char *home)
{
    char path[4200];
    uint8_t byte = 0;
    off_t n;

    snprintf(path, sizeof path, "%s/log.0000000001", home);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    n = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    while (n > 0 && byte == 0 && pread(fd, &byte, 1, n - 1) == 1) {
        n--;
    }
    int failed = n <= 0 || ftruncate(fd, n + 1) != 0;
    if (fd >= 0) {
        close(fd);
    }
    return failed;
}

/* In a process of its own, since a killed one leaves everything as it is. */
static int make(const char *folder, const char *name, bool kill)
{
    char home[4096];
    int status = 1;
    pid_t pid;

    snprintf(home, sizeof home, "%s/%s", folder, name);
    pid = fork();
    if (pid == 0) {
        klm_rc rc = klm_secret_init(SECRET_BYTES) == KLM_OK ? fill(home, kill) : KLM_E_NOMEM;

        fprintf(stderr, rc == KLM_OK ? "" : "%s: %s\n", home, klm_rc_text(rc));
        exit(rc == KLM_OK ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? cut_log(home) : 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: makestore FOLDER\n");
        return 2;
    }
    return make(argv[1], "clean", false) || make(argv[1], "killed", true) ? 1 : 0;
}
