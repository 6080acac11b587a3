/* Key parts by separate officers: each enters one part in a run of the program of his own, and it is kept beside the master key file to be, as well guarded as
 * that one, until all are there. Who somebody is the kernel says: the login user of the process, which is set once when a person logs in and stays through su and
 * sudo. What that does not stop: root, and whoever can log in under two names. */
#include "base/file.h"
#include "base/secret.h"
#include "klmsrv/srv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX 8
#define PART 32
#define NOBODY UINT32_MAX /* no person logged in: a service, or a system without pam_loginuid */

struct entry {
    char folder[4096];
    const char *base; /* name of the master key file in it */
    unsigned of, n;
    uid_t officer;          /* who enters a part now */
    uint8_t (*parts)[PART]; /* secret memory: the one that is entered, then those that are kept */
};

klm_rc srv_officer(uid_t *out, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text = {0};
    unsigned long uid = NOBODY;
    char *end;

    klm_buf_init(&text, 32);
    KLM_TRY(klm_file_read("/proc/self/loginuid", 16, &text, diag));
    klm_buf_u8(&text, 0);
    KLM_TRY(klm_buf_rc(&text));
    uid = strtoul((const char *)text.p, &end, 10);
    if (end == (const char *)text.p || *end || uid >= NOBODY || uid == 0) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PART_WHO);
    }
    *out = (uid_t)uid;
    return KLM_OK;
}

static klm_rc part_name(const struct entry *entry, uid_t officer, char *out, size_t cap)
{
    int n =
        snprintf(out, cap, "%s/%s.part-%u-of-%u", entry->folder, entry->base, officer, entry->of);

    return n > 0 && (size_t)n < cap ? KLM_OK : KLM_E_LIMIT;
}

/* Is it the name of a part that is kept? */
static bool is_part(const struct entry *entry, const char *name, uid_t *officer, unsigned *of)
{
    size_t n = strlen(entry->base);
    char again[64], *end;

    if (strncmp(name, entry->base, n) != 0 || strncmp(name + n, ".part-", 6) != 0) {
        return false;
    }
    *officer = (uid_t)strtoul(name + n + 6, &end, 10);
    *of = strncmp(end, "-of-", 4) == 0 ? (unsigned)strtoul(end + 4, NULL, 10) : 0;
    snprintf(again, sizeof again, ".part-%u-of-%u", *officer, *of);
    return strcmp(name + n, again) == 0;
}

/* One that is kept, checked against the one that is entered: equal ones cancel each other. */
static klm_rc take_kept(struct entry *entry, uid_t officer, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file = {0};
    char path[4352];

    KLM_TRY(part_name(entry, officer, path, sizeof path));
    klm_buf_init_wiping(&file, PART + 1);
    KLM_TRY(klm_file_read(path, PART, &file, diag));
    if (file.n != PART) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_PART_KEPT, path);
    }
    if (klm_secret_equal(file.p, entry->parts[0], PART)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_PART_SAME, KLM_NUM(officer));
    }
    memcpy(entry->parts[entry->n++], file.p, PART);
    return KLM_OK;
}

static klm_rc look_at(struct entry *entry, const char *name, struct klm_diag *diag)
{
    unsigned of;
    uid_t officer;

    if (!is_part(entry, name, &officer, &of)) {
        return KLM_OK;
    }
    if (of != entry->of) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_PART_OTHER, KLM_NUM(of), KLM_NUM(entry->of),
                        name);
    }
    if (officer == entry->officer) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PART_TWICE, KLM_NUM(officer), name);
    }
    return entry->n < entry->of ? take_kept(entry, officer, diag)
                                : klm_fail(diag, KLM_E_STATE, KLM_MSG_PART_OTHER, KLM_NUM(of),
                                           KLM_NUM(entry->of), name);
}

static klm_rc collect(struct entry *entry, struct klm_diag *diag)
{
    DIR *dir = opendir(entry->folder);
    const struct dirent *one;
    klm_rc rc = KLM_OK;

    if (!dir) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_OPEN, entry->folder, "it cannot be listed");
    }
    while (rc == KLM_OK && (one = readdir(dir)) != NULL) {
        rc = look_at(entry, one->d_name, diag);
    }
    closedir(dir);
    return rc;
}

static klm_rc begin(struct entry *entry, const char *path, struct klm_diag *diag)
{
    const char *slash = strrchr(path, '/');

    entry->base = slash ? slash + 1 : path;
    KLM_TRY(klm_path_folder(path, entry->folder, sizeof entry->folder));
    KLM_TRY(klm_folder_make(entry->folder, 0700, diag));
    return access(path, F_OK) == 0 ? klm_fail(diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, path)
                                   : KLM_OK;
}

/* Keep it, or make the key when it is the last. */
static klm_rc keep_or_make(struct entry *entry, struct klm_diag *diag, struct kr_master **out)
{
    char path[4352];

    if (entry->n == entry->of) {
        klm_rc rc = kr_master_from_parts((const uint8_t(*)[PART])entry->parts, entry->n, out);

        return rc == KLM_E_INVALID ? klm_fail(diag, rc, KLM_MSG_PART_ZERO) : rc;
    }
    KLM_TRY(part_name(entry, entry->officer, path, sizeof path));
    return klm_file_create(path, KLM_SLICE(entry->parts[0], PART), 0400, diag);
}

klm_rc srv_enter_part(const char *path, unsigned of, uid_t officer, const uint8_t part[PART],
                      struct klm_diag *diag, unsigned *here, struct kr_master **out)
{
    struct entry entry = {.of = of, .officer = officer, .n = 1};
    klm_rc rc;

    if (of < 2 || of > PARTS_MAX) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARTS_FEW);
    }
    KLM_TRY(begin(&entry, path, diag));
    entry.parts = klm_secret_alloc(PARTS_MAX * PART);
    if (!entry.parts) {
        return KLM_E_NOMEM;
    }
    memcpy(entry.parts[0], part, PART);
    rc = collect(&entry, diag);
    if (rc == KLM_OK) {
        rc = keep_or_make(&entry, diag, out);
    }
    if (rc == KLM_OK) {
        *here = entry.n;
    }
    klm_secret_free(entry.parts, PARTS_MAX * PART);
    return rc;
}

klm_rc srv_parts_drop(const char *path, struct klm_diag *diag)
{
    struct entry entry = {0};
    const struct dirent *one;
    uid_t officer;
    DIR *dir;

    entry.base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    KLM_TRY(klm_path_folder(path, entry.folder, sizeof entry.folder));
    dir = opendir(entry.folder);
    if (!dir) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_OPEN, entry.folder, "it cannot be listed");
    }
    while ((one = readdir(dir)) != NULL) {
        if (is_part(&entry, one->d_name, &officer, &entry.of) &&
            unlinkat(dirfd(dir), one->d_name, 0) != 0) {
            closedir(dir);
            return klm_fail(diag, KLM_E_IO, KLM_MSG_PART_LEFT, one->d_name);
        }
    }
    closedir(dir);
    return klm_sync_folder(entry.folder);
}
