/* The folder of backups: names, listing, deleting the oldest. */
#include "backup/folder.h"

#include "backup/walk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "sklm_v"
#define SUFFIX "_backup"
#define DIGITS 14
#define FILES_MOST 10000

void bk_name_new(char out[BK_FILE_NAME])
{
    const time_t now = (time_t)(klm_clock() / 1000000);
    char stamp[DIGITS + 1];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    snprintf(out, BK_FILE_NAME, PREFIX "%s_%s" SUFFIX, KLM_VERSION, stamp);
}

/* The time in a name that was made of it, or NULL: somebody chose the name. */
static const char *stamp_of(const char *name)
{
    size_t n = strlen(name), end = sizeof SUFFIX - 1;
    const char *stamp;

    if (n < sizeof PREFIX + DIGITS + end || strncmp(name, PREFIX, sizeof PREFIX - 1) != 0 ||
        strcmp(name + n - end, SUFFIX) != 0) {
        return NULL;
    }
    stamp = name + n - end - DIGITS;
    return stamp[-1] == '_' && strspn(stamp, "0123456789") == DIGITS ? stamp : NULL;
}

bool bk_name_plain(const char *name)
{
    size_t n =
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@=,");

    return n > 0 && n < 200 && !name[n] && *name != '.';
}

/* Names in a folder, in no order. */
struct names {
    char (*name)[256];
    size_t n;
};

static klm_rc read_names(const char *folder, struct names *out)
{
    DIR *dir = opendir(folder);

    out->name = calloc(FILES_MOST, sizeof *out->name);
    if (!dir || !out->name) {
        if (dir) {
            closedir(dir);
        }
        return out->name ? KLM_E_NOTFOUND : KLM_E_NOMEM;
    }
    for (struct dirent *d; out->n < FILES_MOST && (d = readdir(dir));) {
        if (d->d_name[0] != '.' && strlen(d->d_name) < sizeof *out->name) {
            memcpy(out->name[out->n++], d->d_name, strlen(d->d_name) + 1);
        }
    }
    closedir(dir);
    return KLM_OK;
}

/* NAME.tmp and the number of the process that writes it. */
static bool is_temporary(const char *name)
{
    const char *mark = strstr(name, ".tmp");

    return mark && mark[4] && strspn(mark + 4, "0123456789") == strlen(mark + 4);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static klm_rc add_row(struct km_call *call, const char *folder, const char *name)
{
    char path[4400], made[KLM_JAVA_DATE_MAX];
    struct bk_file file;
    struct stat st;
    klm_rc rc = KLM_OK;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (bk_file_open(path, NULL, &file) == KLM_OK && fstat(file.fd, &st) == 0) {
        klm_java_date(file.header.created, made);
        rc = km_rows_add(call, (const char *[]){name, made, file.header.server_id,
                                                file.header.product, KLM_NUM(st.st_size)});
    }
    bk_file_close(&file);
    return rc;
}

klm_rc bk_folder_list(struct km_call *call, const char *folder)
{
    static const char *const columns[] = {"Backup", "Made", "Server", "Release", "Bytes", NULL};
    struct names names = {0};
    klm_rc rc = read_names(folder, &names);

    if (rc == KLM_OK || rc == KLM_E_NOTFOUND) {
        if (names.n) {
            qsort(names.name, names.n, sizeof *names.name, by_name);
        }
        rc = km_rows_begin(call, NULL, columns);
    }
    for (size_t i = 0; rc == KLM_OK && i < names.n; i++) {
        rc = is_temporary(names.name[i]) ? KLM_OK : add_row(call, folder, names.name[i]);
    }
    if (rc == KLM_OK && call->rows.n == 0) {
        call->text = klm_pool_printf(call->pool, "There is no backup in %s", folder);
    }
    free(names.name);
    return rc;
}

/* Newest first, by the time in the name. */
static int by_stamp(const void *a, const void *b)
{
    return strcmp(stamp_of(b), stamp_of(a));
}

static bool is_ours(const char *path, const char *server_id)
{
    struct bk_file file;
    bool ours =
        bk_file_open(path, NULL, &file) == KLM_OK && strcmp(file.header.server_id, server_id) == 0;

    bk_file_close(&file);
    return ours;
}

/* Of the names those that were made of the time and hold backups of this server. */
static void keep_ours(struct names *names, const char *folder, const char *server_id)
{
    size_t n = 0;

    for (size_t i = 0; i < names->n; i++) {
        char path[4400];

        snprintf(path, sizeof path, "%s/%s", folder, names->name[i]);
        if (stamp_of(names->name[i]) && is_ours(path, server_id)) {
            memmove(names->name[n++], names->name[i], sizeof *names->name);
        }
    }
    names->n = n;
}

void bk_folder_prune(const char *folder, const char *server_id, size_t keep)
{
    struct names names = {0};

    if (keep == 0 || read_names(folder, &names) != KLM_OK) {
        free(names.name);
        return;
    }
    keep_ours(&names, folder, server_id);
    if (names.n) {
        qsort(names.name, names.n, sizeof *names.name, by_stamp);
    }
    for (size_t i = keep; i < names.n; i++) {
        char path[4400];

        snprintf(path, sizeof path, "%s/%s", folder, names.name[i]);
        if (unlink(path) == 0) {
            klm_say(KLM_MSG_BK_PRUNED, path, KLM_NUM(keep));
        }
    }
    free(names.name);
}

void bk_folder_sweep(const char *folder)
{
    struct names names = {0};

    if (read_names(folder, &names) == KLM_OK) {
        for (size_t i = 0; i < names.n; i++) {
            char path[4400];

            snprintf(path, sizeof path, "%s/%s", folder, names.name[i]);
            if (is_temporary(names.name[i])) {
                (void)unlink(path); /* of a process that was killed: never complete */
            }
        }
    }
    free(names.name);
}
