/* Volumes of a storage system: those of arrays (ARRAY.md, section 3), under a key of the key servers, whose generation stands in the place of the encryption group. */
#include "ios/system.h"

#include "base/secret.h"
#include "ios/array_volume.h"
#include "ios/drive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The header alone */

static klm_rc read_header(const char *path, struct ios_volume_header *header, uint64_t *size)
{
    uint8_t bytes[IOS_VOLUME_HEADER];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, bytes, sizeof bytes, 0) : -1;
    close(fd);
    if (n < 0) {
        return KLM_E_IO;
    }
    *size = (uint64_t)st.st_size;
    return ios_volume_header_decode(KLM_SLICE(bytes, (size_t)n), header);
}

static klm_rc volume_path(const char *dir, const char *name, char *out, struct klm_diag *diag)
{
    char file[64];

    snprintf(file, sizeof file, "volumes/%.16s.vol", name);
    return ios_drive_path(dir, file, out, diag);
}

/* The key that a volume was written under. */
static klm_rc key_of(const char *dir, const struct ios_system_state *state, const char *name,
                     struct klm_diag *diag, const struct ios_system_key **out)
{
    char path[IOS_DRIVE_PATH_MAX];
    struct ios_volume_header header;
    uint64_t size = 0;
    klm_rc rc;

    KLM_TRY(ios_volume_name(name, diag));
    KLM_TRY(volume_path(dir, name, path, diag));
    rc = read_header(path, &header, &size);
    if (rc == KLM_E_NOTFOUND) {
        return klm_fail(diag, rc, KLM_MSG_VOLUME_NONE, name);
    }
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_VOLUME_FORM, path, klm_rc_text(rc));
    }
    *out = ios_system_key_number(state, ios_system_group_number(header.group));
    return *out ? KLM_OK
                : klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SYSTEM_VOLUME, name, header.group,
                           state->name);
}

/* ---- Writing and reading */

typedef klm_rc pass_fn(const struct ios_volume_keys *keys, const char *name, int fd,
                       uint64_t *bytes, struct klm_diag *diag);

/* With the key in secret memory for as long as it takes. */
static klm_rc with_key(const char *dir, const struct ios_system_state *state,
                       const struct ios_system_key *key, const struct ios_keys_ops *ops,
                       pass_fn *pass, const char *name, int fd, uint64_t *bytes,
                       struct klm_diag *diag)
{
    char group[IOS_GROUP_TEXT];
    uint8_t *clear = klm_secret_alloc(IOS_SUBKEY);
    const struct ios_volume_keys keys = {dir, state->serial, group, clear};
    klm_rc rc;

    ios_system_group(key->number, group);
    rc = clear ? ios_system_key_fetch(state, key, ops, clear, diag)
               : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    if (rc == KLM_OK) {
        rc = pass(&keys, name, fd, bytes, diag);
    }
    klm_secret_free(clear, IOS_SUBKEY);
    return rc;
}

klm_rc ios_system_write(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                        const char *name, int fd, uint64_t *bytes, struct klm_diag *diag)
{
    const struct ios_system_key *key = ios_system_key(&edit->state, IOS_KEY_CURRENT);

    *bytes = 0;
    KLM_TRY(ios_volume_name(name, diag));
    return key ? with_key(edit->dir, &edit->state, key, ops, ios_volume_write, name, fd, bytes,
                          diag)
               : klm_fail(diag, KLM_E_STATE, KLM_MSG_SYSTEM_ORDER, edit->state.name,
                          "encryption is not enabled");
}

klm_rc ios_system_read(const char *dir, const struct ios_system_state *state,
                       const struct ios_keys_ops *ops, const char *name, int fd, uint64_t *bytes,
                       struct klm_diag *diag)
{
    const struct ios_system_key *key = NULL;

    *bytes = 0;
    KLM_TRY(key_of(dir, state, name, diag, &key));
    return with_key(dir, state, key, ops, ios_volume_read, name, fd, bytes, diag);
}

/* ---- All of them */

static int is_volume(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);

    return n > 4 && n <= IOS_VOLUME_NAME + 4 && strcmp(entry->d_name + n - 4, ".vol") == 0;
}

static klm_rc one_volume(const char *dir, const char *file, ios_system_volume_fn *fn, void *arg,
                         struct klm_diag *diag)
{
    struct ios_system_volume volume = {0};
    struct ios_volume_header header;
    char path[IOS_DRIVE_PATH_MAX];

    memcpy(volume.name, file, strlen(file) - 4);
    KLM_TRY(volume_path(dir, volume.name, path, diag));
    if (read_header(path, &header, &volume.size) == KLM_OK) {
        volume.number = ios_system_group_number(header.group);
        volume.written = header.written;
    }
    return fn(arg, &volume);
}

klm_rc ios_system_volumes(const char *dir, struct klm_diag *diag, ios_system_volume_fn *fn,
                          void *arg)
{
    char path[IOS_DRIVE_PATH_MAX], why[128];
    struct dirent **entry = NULL;
    klm_rc rc = KLM_OK;
    int n;

    KLM_TRY(ios_drive_path(dir, "volumes", path, diag));
    n = scandir(path, &entry, is_volume, alphasort);
    if (n < 0) {
        return errno == ENOENT ? KLM_OK
                               : klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path,
                                          strerror_r(errno, why, sizeof why));
    }
    for (int i = 0; i < n; i++) {
        rc = rc == KLM_OK ? one_volume(dir, entry[i]->d_name, fn, arg, diag) : rc;
        free(entry[i]);
    }
    free(entry);
    return rc;
}
