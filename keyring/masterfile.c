/* The sealed file of the master key. It holds the key itself: what protects it is the file's
 * owner, its permissions and the place it stands (keyring/TOKEN.md). Layout, big-endian: "KLMK",
 * version 1, flags (1: escrow confirmed), verification pattern (8), key (32), SHA-256 of all
 * before (32). */
#include "keyring/internal.h"

#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "KLMK"
#define VERSION 1
#define VERSION_TOKEN 2 /* mastertoken.c */
#define FLAG_ESCROWED 1u
#define AT_VERSION 4
#define AT_FLAGS 5
#define AT_ID 6
#define AT_KEY 14
#define AT_SUM 46
#define FILE_SIZE 78

static klm_rc checksum(const uint8_t *p, uint8_t out[32])
{
    return EVP_Digest(p, AT_SUM, out, NULL, EVP_sha256(), NULL) == 1 ? KLM_OK
                                                                     : kr_quiet(KLM_E_CRYPTO);
}

static klm_rc image(const struct kr_master *master, bool escrowed, struct kr_secret *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};

    KLM_TRY(kr_secret_new(FILE_SIZE, &block));
    memcpy(block.p, MAGIC, 4);
    block.p[AT_VERSION] = VERSION;
    block.p[AT_FLAGS] = escrowed ? FLAG_ESCROWED : 0;
    memcpy(block.p + AT_ID, kr_master_id(master), 8);
    memcpy(block.p + AT_KEY, kr_master_key(master), 32);
    KLM_TRY(checksum(block.p, block.p + AT_SUM));
    block.n = FILE_SIZE;
    *out = block;
    block = (struct kr_secret){0};
    return KLM_OK;
}

klm_rc kr_master_save(const struct kr_master *master, const char *path, struct klm_diag *diag)
{
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};

    KLM_TRY(image(master, kr_master_escrowed(master), &block));
    return klm_file_create(path, KLM_SLICE(block.p, block.n), 0400, diag);
}

static klm_rc decode(const char *path, const uint8_t *p, size_t n, struct p11 *p11,
                     struct klm_diag *diag, struct kr_master **out)
{
    uint8_t sum[32], id[8];

    if (n < 4 || memcmp(p, MAGIC, 4) != 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_MASTER_NOT, path);
    }
    if (n > AT_VERSION && p[AT_VERSION] == VERSION_TOKEN) {
        return kr_master_token_decode(path, KLM_SLICE(p, n), p11, diag, out);
    }
    if (n > AT_VERSION && p[AT_VERSION] != VERSION) {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_MASTER_VERSION, path,
                        KLM_NUM(p[AT_VERSION]));
    }
    if (n != FILE_SIZE) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED, path,
                        n < FILE_SIZE ? "it ends too early" : "something stands after its end");
    }
    KLM_TRY(checksum(p, sum));
    if (!klm_secret_equal(sum, p + AT_SUM, sizeof sum)) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED, path, "its checksum is wrong");
    }
    KLM_TRY(kr_vp_bytes(p + AT_KEY, id));
    if (memcmp(id, p + AT_ID, sizeof id) != 0) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED, path,
                        "its verification pattern is of another key");
    }
    return kr_master_from_bytes(p + AT_KEY, p[AT_FLAGS] & FLAG_ESCROWED, out);
}

/* Ours or root's, and for nobody else. A systemd credential may show the read bit of group root:
 * that is the mask of an access list that names our user, and group root reads it as root would. */
static klm_rc check_guard(const char *path, const struct stat *st, struct klm_diag *diag)
{
    mode_t open_to = st->st_mode & (S_IRWXG | S_IRWXO);

    if (!S_ISREG(st->st_mode)) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_MASTER_GUARD, path, "it is no regular file");
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_MASTER_GUARD, path,
                        "it belongs to another user");
    }
    if (open_to == S_IRGRP && st->st_uid == 0 && st->st_gid == 0) {
        return KLM_OK;
    }
    if (open_to) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_MASTER_GUARD, path, "others have access to it");
    }
    return KLM_OK;
}

static klm_rc open_failed(const char *path, int err, struct klm_diag *diag)
{
    switch (err) {
    case ENOENT:
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_MASTER_NONE, path);
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_MASTER_GUARD, path, "it is a symbolic link");
    default:
        return klm_fail(diag, klm_rc_errno(err), KLM_MSG_FILE_OPEN, path, strerror(err));
    }
}

static klm_rc read_all(const char *path, int fd, struct kr_secret *block, struct klm_diag *diag)
{
    while (block->n < block->cap) {
        ssize_t n = read(fd, block->p + block->n, block->cap - block->n);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        block->n += (size_t)n;
    }
    return KLM_OK;
}

static klm_rc read_fd(const char *path, int fd, struct kr_secret *block, struct klm_diag *diag)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, path, strerror(errno));
    }
    KLM_TRY(check_guard(path, &st, diag));
    return read_all(path, fd, block, diag);
}

klm_rc kr_master_file_read(const char *path, struct kr_secret *out, struct klm_diag *diag)
{
    /* O_NONBLOCK: a FIFO of that name must not hold us. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};
    klm_rc rc;

    if (fd < 0) {
        return open_failed(path, errno, diag);
    }
    rc = kr_secret_new(KR_MASTER_FILE_MAX,
                       &block); /* more than any file has: one that is too long shows */
    if (rc == KLM_OK) {
        rc = read_fd(path, fd, &block, diag);
    }
    (void)close(fd); /* it was only read */
    KLM_TRY(rc);
    *out = block;
    block = (struct kr_secret){0};
    return KLM_OK;
}

klm_rc kr_master_open(const char *path, struct p11 *p11, struct klm_diag *diag,
                      struct kr_master **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};

    KLM_TRY(kr_master_file_read(path, &block, diag));
    return decode(path, block.p, block.n, p11, diag, out);
}

klm_rc kr_master_load(const char *path, struct klm_diag *diag, struct kr_master **out)
{
    return kr_master_open(path, NULL, diag, out);
}

klm_rc kr_master_confirm_escrow(const char *path, struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret file = {0};
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};

    KLM_TRY(kr_master_file_read(path, &file, diag));
    if (file.n > AT_VERSION && file.p[AT_VERSION] == VERSION_TOKEN &&
        memcmp(file.p, MAGIC, 4) == 0) {
        return kr_master_token_confirm(path, KLM_SLICE(file.p, file.n), diag);
    }
    KLM_TRY(decode(path, file.p, file.n, NULL, diag, &master));
    KLM_TRY(image(master, true, &block));
    return klm_file_replace(path, KLM_SLICE(block.p, block.n), 0400, diag);
}
