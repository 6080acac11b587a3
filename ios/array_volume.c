/* Volumes: header, blocks, and the two ways through them. */
#include "ios/array_volume.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION 1
#define CIPHER_AES256_GCM 1
#define IV 12
#define HASH 32
#define SEALED (IOS_VOLUME_BLOCK + IOS_VOLUME_TAG)

static const uint8_t magic[8] = {'K', 'L', 'M', 'A', 'R', 'V', 'O', 'L'};

/* ---- Header */

klm_rc ios_volume_name(const char *name, struct klm_diag *diag)
{
    size_t n = strlen(name);

    if (n < 1 || n > IOS_VOLUME_NAME ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$#@") != n) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_VOLUME_NAME, name);
    }
    return KLM_OK;
}

static void put_padded(struct klm_buf *out, const char *text, size_t width)
{
    size_t n = strlen(text);

    klm_buf_put(out, text, n);
    for (; n < width; n++) {
        klm_buf_u8(out, ' ');
    }
}

klm_rc ios_volume_header_encode(const struct ios_volume_header *header, struct klm_buf *out)
{
    if (strlen(header->serial) != 12 || !header->group[0] ||
        ios_volume_name(header->name, NULL) != KLM_OK) {
        return KLM_E_INVALID;
    }
    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u16(out, VERSION);
    klm_buf_u8(out, CIPHER_AES256_GCM);
    klm_buf_u8(out, 0);
    klm_buf_u32(out, IOS_VOLUME_BLOCK);
    klm_buf_put(out, header->serial, 12);
    put_padded(out, header->group, 6);
    put_padded(out, header->name, IOS_VOLUME_NAME);
    klm_buf_u64(out, (uint64_t)header->written);
    klm_buf_put(out, header->salt, sizeof header->salt);
    klm_buf_put(out, header->wrapped, sizeof header->wrapped);
    return klm_buf_rc(out);
}

/* A text that is filled up with blanks; nothing else may stand behind them. */
static void get_padded(struct klm_cur *cur, size_t width, char *out)
{
    char text[IOS_VOLUME_NAME + 1] = {0};
    size_t n = width;

    klm_cur_copy(cur, text, width);
    while (n > 0 && text[n - 1] == ' ') {
        text[--n] = '\0';
    }
    if (n == 0 || strlen(text) != n || strchr(text, ' ')) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    memcpy(out, text, width + 1);
}

/* Magic, version, cipher and block size. */
static klm_rc get_start(struct klm_cur *cur)
{
    uint8_t start[sizeof magic] = {0}, cipher = 0, zero = 0;
    uint16_t version = 0;
    uint32_t block = 0;

    klm_cur_copy(cur, start, sizeof start);
    klm_cur_u16(cur, &version);
    klm_cur_u8(cur, &cipher);
    klm_cur_u8(cur, &zero);
    klm_cur_u32(cur, &block);
    if (klm_cur_rc(cur) != KLM_OK || memcmp(start, magic, sizeof magic) != 0) {
        return KLM_E_INVALID;
    }
    return version == VERSION && cipher == CIPHER_AES256_GCM && zero == 0 &&
                   block == IOS_VOLUME_BLOCK
               ? KLM_OK
               : KLM_E_UNSUPPORTED;
}

klm_rc ios_volume_header_decode(struct klm_slice in, struct ios_volume_header *out)
{
    struct ios_volume_header header = {0};
    struct klm_cur cur;
    uint64_t written = 0;

    klm_cur_init(&cur, in);
    KLM_TRY(get_start(&cur));
    klm_cur_copy(&cur, header.serial, 12);
    get_padded(&cur, 6, header.group);
    get_padded(&cur, IOS_VOLUME_NAME, header.name);
    klm_cur_u64(&cur, &written);
    klm_cur_copy(&cur, header.salt, sizeof header.salt);
    klm_cur_copy(&cur, header.wrapped, sizeof header.wrapped);
    klm_cur_end(&cur);
    header.written = (klm_time)(written & INT64_MAX);
    if (klm_cur_rc(&cur) != KLM_OK || strlen(header.serial) != 12 || written > INT64_MAX ||
        ios_volume_name(header.name, NULL) != KLM_OK) {
        return KLM_E_INVALID;
    }
    *out = header;
    return KLM_OK;
}

/* ---- One pass over a volume */

struct pass {
    const struct ios_volume_keys *keys;
    const char *name;
    struct klm_diag *diag;
    EVP_CIPHER_CTX *cipher;
    uint8_t hash[HASH]; /* of the header: associated data of each block */
    uint64_t number;    /* of the next block */
    uint8_t *plain, *next, *sealed;
    int file; /* of the volume */
    char path[IOS_DRIVE_PATH_MAX];
};

static void pass_done(struct pass *pass)
{
    uint8_t *const room[] = {pass->plain, pass->next, pass->sealed};

    EVP_CIPHER_CTX_free(pass->cipher); /* clears the key schedule */
    for (size_t i = 0; i < KLM_COUNT(room); i++) {
        if (room[i]) {
            klm_wipe(room[i], SEALED);
            free(room[i]);
        }
    }
    if (pass->file >= 0) {
        close(pass->file);
    }
    ERR_clear_error();
}

static klm_rc volume_path(const struct ios_volume_keys *keys, const char *name, const char *suffix,
                          char *out, struct klm_diag *diag)
{
    char file[64];

    snprintf(file, sizeof file, "volumes/%s.%s", name, suffix);
    return ios_drive_path(keys->dir, file, out, diag);
}

static klm_rc pass_begin(struct pass *pass)
{
    pass->cipher = EVP_CIPHER_CTX_new();
    pass->plain = malloc(SEALED);
    pass->next = malloc(SEALED);
    pass->sealed = malloc(SEALED);
    return pass->cipher && pass->plain && pass->next && pass->sealed
               ? KLM_OK
               : klm_fail(pass->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, pass->name);
}

static klm_rc fail_file(struct pass *pass, enum klm_msg_id id, const char *path)
{
    char why[128];
    int err = errno;

    return klm_fail(pass->diag, klm_rc_errno(err), id, path, strerror_r(err, why, sizeof why));
}

/* The volume's key into the cipher. */
static klm_rc set_key(struct pass *pass, const struct ios_volume_header *header, bool sealing,
                      uint8_t *key)
{
    KLM_TRY(ios_array_open(IOS_USE_VOLUME, header->serial, header->group, pass->keys->group_key,
                           header->salt, header->wrapped, key));
    return EVP_CipherInit_ex(pass->cipher, EVP_aes_256_gcm(), NULL, key, NULL, sealing) == 1
               ? KLM_OK
               : KLM_E_CRYPTO;
}

static klm_rc use_header(struct pass *pass, const struct ios_volume_header *header,
                         struct klm_slice bytes, bool sealing)
{
    uint8_t *key = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = key ? set_key(pass, header, sealing, key) : KLM_E_NOMEM;

    klm_secret_free(key, IOS_SUBKEY);
    if (rc == KLM_OK) {
        rc = klm_sha256(&bytes, 1, pass->hash);
    }
    return rc == KLM_OK ? rc : klm_fail(pass->diag, rc, KLM_MSG_VOLUME_KEY, pass->name);
}

/* STREAM: the nonce is the block's number and whether it is the last, so no block can stand for another, and none can be missing at the end. */
static void nonce(uint64_t number, bool last, uint8_t iv[IV])
{
    memset(iv, 0, IV);
    iv[0] = last;
    for (size_t i = 0; i < 8; i++) {
        iv[IV - 1 - i] = (uint8_t)(number >> 8 * i);
    }
}

/* At most n bytes, fewer only at the end. */
static klm_rc read_full(int fd, uint8_t *to, size_t n, size_t *got)
{
    size_t have = 0;

    while (have < n) {
        ssize_t one = read(fd, to + have, n - have);

        if (one == 0) {
            break;
        }
        if (one < 0 && errno != EINTR) {
            return klm_rc_errno(errno);
        }
        have += one > 0 ? (size_t)one : 0;
    }
    *got = have;
    return KLM_OK;
}

/* ---- Writing */

static bool encrypt(struct pass *pass, bool last, const uint8_t *plain, size_t n)
{
    uint8_t iv[IV];
    int len = 0;

    nonce(pass->number, last, iv);
    return EVP_EncryptInit_ex(pass->cipher, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(pass->cipher, NULL, &len, pass->hash, HASH) == 1 &&
           EVP_EncryptUpdate(pass->cipher, pass->sealed, &len, plain, (int)n) == 1 &&
           EVP_EncryptFinal_ex(pass->cipher, pass->sealed + n, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(pass->cipher, EVP_CTRL_GCM_GET_TAG, IOS_VOLUME_TAG,
                               pass->sealed + n) == 1;
}

static klm_rc put_block(struct pass *pass, bool last, const uint8_t *plain, size_t n)
{
    klm_rc rc;

    if (!encrypt(pass, last, plain, n)) {
        return klm_fail(pass->diag, KLM_E_CRYPTO, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(KLM_E_CRYPTO));
    }
    pass->number++;
    rc = klm_write_all(pass->file, pass->sealed, n + IOS_VOLUME_TAG);
    return rc == KLM_OK ? rc
                        : klm_fail(pass->diag, rc, KLM_MSG_FILE_WRITE, pass->path, klm_rc_text(rc));
}

static klm_rc read_input(struct pass *pass, int fd, uint8_t *to, size_t *got)
{
    return read_full(fd, to, IOS_VOLUME_BLOCK, got) == KLM_OK
               ? KLM_OK
               : fail_file(pass, KLM_MSG_FILE_READ, "the input");
}

/* One block behind the input, so that the last is known when it is written. */
static klm_rc put_content(struct pass *pass, int fd, uint64_t *bytes)
{
    size_t have = 0, next = 0;

    KLM_TRY(read_input(pass, fd, pass->plain, &have));
    for (bool last = false; !last; have = next) {
        uint8_t *swap = pass->plain;

        next = 0;
        if (have == IOS_VOLUME_BLOCK) {
            KLM_TRY(read_input(pass, fd, pass->next, &next));
        }
        last = next == 0;
        KLM_TRY(put_block(pass, last, pass->plain, have));
        *bytes += have;
        pass->plain = pass->next;
        pass->next = swap;
    }
    return KLM_OK;
}

static klm_rc make_header(struct pass *pass, struct ios_volume_header *header)
{
    const struct ios_volume_keys *keys = pass->keys;
    uint8_t *key = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = key ? klm_random(key, IOS_SUBKEY) : KLM_E_NOMEM;

    snprintf(header->serial, sizeof header->serial, "%s", keys->serial);
    snprintf(header->group, sizeof header->group, "%s", keys->group);
    snprintf(header->name, sizeof header->name, "%s", pass->name);
    header->written = klm_clock();
    if (rc == KLM_OK) {
        rc = ios_array_seal(IOS_USE_VOLUME, keys->serial, keys->group, keys->group_key, key,
                            header->salt, header->wrapped);
    }
    klm_secret_free(key, IOS_SUBKEY);
    return rc == KLM_OK ? rc : klm_fail(pass->diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
}

static klm_rc put_header(struct pass *pass)
{
    KLM_AUTO(klm_buf_done) struct klm_buf bytes;
    struct ios_volume_header header = {0};
    klm_rc rc;

    klm_buf_init(&bytes, IOS_VOLUME_HEADER);
    KLM_TRY(make_header(pass, &header));
    rc = ios_volume_header_encode(&header, &bytes);
    if (rc != KLM_OK) {
        return klm_fail(pass->diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    }
    KLM_TRY(use_header(pass, &header, klm_buf_as_slice(&bytes), true));
    rc = klm_write_all(pass->file, bytes.p, bytes.n);
    return rc == KLM_OK ? rc
                        : klm_fail(pass->diag, rc, KLM_MSG_FILE_WRITE, pass->path, klm_rc_text(rc));
}

/* On disk, then under its name, then the name on disk. */
static klm_rc keep(struct pass *pass)
{
    char path[IOS_DRIVE_PATH_MAX], folder[IOS_DRIVE_PATH_MAX];
    klm_rc rc = klm_fdatasync(pass->file);

    if (rc != KLM_OK) {
        return klm_fail(pass->diag, rc, KLM_MSG_FILE_WRITE, pass->path, klm_rc_text(rc));
    }
    KLM_TRY(volume_path(pass->keys, pass->name, "vol", path, pass->diag));
    KLM_TRY(ios_drive_path(pass->keys->dir, "volumes", folder, pass->diag));
    if (rename(pass->path, path) != 0) {
        return fail_file(pass, KLM_MSG_FILE_WRITE, path);
    }
    rc = klm_sync_folder(folder);
    return rc == KLM_OK ? rc
                        : klm_fail(pass->diag, rc, KLM_MSG_FILE_WRITE, folder, klm_rc_text(rc));
}

static klm_rc write_steps(struct pass *pass, int fd, uint64_t *bytes)
{
    char folder[IOS_DRIVE_PATH_MAX];

    KLM_TRY(pass_begin(pass));
    KLM_TRY(ios_drive_path(pass->keys->dir, "volumes", folder, pass->diag));
    KLM_TRY(klm_folder_make(folder, 0700, pass->diag));
    KLM_TRY(volume_path(pass->keys, pass->name, "new", pass->path, pass->diag));
    pass->file = open(pass->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (pass->file < 0) {
        return fail_file(pass, KLM_MSG_FILE_OPEN, pass->path);
    }
    KLM_TRY(put_header(pass));
    KLM_TRY(put_content(pass, fd, bytes));
    return keep(pass);
}

klm_rc ios_volume_write(const struct ios_volume_keys *keys, const char *name, int fd,
                        uint64_t *bytes, struct klm_diag *diag)
{
    KLM_AUTO(pass_done) struct pass pass = {.keys = keys, .name = name, .diag = diag, .file = -1};
    klm_rc rc;

    *bytes = 0;
    KLM_TRY(ios_volume_name(name, diag));
    rc = write_steps(&pass, fd, bytes);
    if (rc != KLM_OK && pass.file >= 0) {
        (void)unlink(
            pass.path); /* after a rename there is none, and otherwise the next write replaces it */
    }
    return rc;
}

/* ---- Reading */

static bool decrypt(struct pass *pass, bool last, size_t n)
{
    uint8_t iv[IV];
    int len = 0;

    nonce(pass->number, last, iv);
    return EVP_DecryptInit_ex(pass->cipher, NULL, NULL, NULL, iv) == 1 &&
           EVP_DecryptUpdate(pass->cipher, NULL, &len, pass->hash, HASH) == 1 &&
           EVP_DecryptUpdate(pass->cipher, pass->plain, &len, pass->sealed, (int)n) == 1 &&
           EVP_CIPHER_CTX_ctrl(pass->cipher, EVP_CTRL_GCM_SET_TAG, IOS_VOLUME_TAG,
                               pass->sealed + n) == 1 &&
           EVP_DecryptFinal_ex(pass->cipher, pass->plain + n, &len) == 1;
}

static klm_rc damaged(struct pass *pass)
{
    return klm_fail(pass->diag, KLM_E_CORRUPT, KLM_MSG_VOLUME_DAMAGED, pass->name,
                    KLM_NUM(pass->number));
}

/* One block of the file; *left is how many bytes of it remain. */
static klm_rc get_block(struct pass *pass, uint64_t *left, size_t *n)
{
    size_t want = *left < SEALED ? (size_t)*left : SEALED, got = 0;

    if (want < IOS_VOLUME_TAG || read_full(pass->file, pass->sealed, want, &got) != KLM_OK ||
        got != want) {
        return damaged(pass);
    }
    *left -= want;
    *n = want - IOS_VOLUME_TAG;
    if (!decrypt(pass, *left == 0, *n)) {
        klm_wipe(pass->plain, SEALED);
        return damaged(pass);
    }
    pass->number++;
    return KLM_OK;
}

static klm_rc give_content(struct pass *pass, uint64_t left, int fd, uint64_t *bytes)
{
    do {
        size_t n = 0;
        klm_rc rc;

        KLM_TRY(get_block(pass, &left, &n));
        rc = klm_write_all(fd, pass->plain, n);
        if (rc != KLM_OK) {
            return klm_fail(pass->diag, rc, KLM_MSG_FILE_WRITE, "the output", klm_rc_text(rc));
        }
        *bytes += n;
    } while (left > 0);
    return KLM_OK;
}

/* It must be this array's volume of this name: a file that was renamed is another volume. */
static klm_rc get_header(struct pass *pass)
{
    const struct ios_volume_keys *keys = pass->keys;
    uint8_t bytes[IOS_VOLUME_HEADER];
    struct ios_volume_header header;
    size_t got = 0;
    klm_rc rc = read_full(pass->file, bytes, sizeof bytes, &got);

    if (rc == KLM_OK) {
        rc = ios_volume_header_decode(KLM_SLICE(bytes, got), &header);
    }
    if (rc != KLM_OK) {
        return klm_fail(pass->diag, rc, KLM_MSG_VOLUME_FORM, pass->path, klm_rc_text(rc));
    }
    if (strcmp(header.serial, keys->serial) != 0 || strcmp(header.group, keys->group) != 0 ||
        strcmp(header.name, pass->name) != 0) {
        return klm_fail(pass->diag, KLM_E_INVALID, KLM_MSG_VOLUME_OTHER, pass->path, header.name,
                        header.serial);
    }
    return use_header(pass, &header, KLM_SLICE(bytes, sizeof bytes), false);
}

static klm_rc open_volume(struct pass *pass, uint64_t *left)
{
    struct stat st;

    KLM_TRY(volume_path(pass->keys, pass->name, "vol", pass->path, pass->diag));
    pass->file = open(pass->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (pass->file < 0 && errno == ENOENT) {
        return klm_fail(pass->diag, KLM_E_NOTFOUND, KLM_MSG_VOLUME_NONE, pass->name);
    }
    if (pass->file < 0 || fstat(pass->file, &st) != 0) {
        return fail_file(pass, KLM_MSG_FILE_OPEN, pass->path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size < IOS_VOLUME_HEADER) {
        return klm_fail(pass->diag, KLM_E_INVALID, KLM_MSG_VOLUME_FORM, pass->path,
                        klm_rc_text(KLM_E_SHORT));
    }
    *left = (uint64_t)st.st_size - IOS_VOLUME_HEADER;
    return KLM_OK;
}

klm_rc ios_volume_read(const struct ios_volume_keys *keys, const char *name, int fd,
                       uint64_t *bytes, struct klm_diag *diag)
{
    KLM_AUTO(pass_done) struct pass pass = {.keys = keys, .name = name, .diag = diag, .file = -1};
    uint64_t left = 0;

    *bytes = 0;
    KLM_TRY(ios_volume_name(name, diag));
    KLM_TRY(pass_begin(&pass));
    KLM_TRY(open_volume(&pass, &left));
    KLM_TRY(get_header(&pass));
    return give_content(&pass, left, fd, bytes);
}
