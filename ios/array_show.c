#include "ios/array_show.h"

#include "ios/array_volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void ios_show_labels(const struct ios_array_set *set, char out[IOS_SHOW_LABELS])
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < set->labels_n; i++) {
        n += (size_t)snprintf(out + n, IOS_SHOW_LABELS - n, "%s%c:%s", i ? ", " : "",
                              set->labels[i].encoding, set->labels[i].label);
    }
}

static void show_set(struct klm_buf *out, const char *what, const struct ios_array_set *set)
{
    char date[KLM_ISO_DATE_MAX], labels[IOS_SHOW_LABELS];

    klm_iso_date(set->made, date);
    ios_show_labels(set, labels);
    klm_buf_printf(out, " DATA KEY %s: KEY LABELS %s, MADE %s\n", what, labels, date);
}

static void show_recovery(struct klm_buf *out, const struct ios_array_recovery *recovery)
{
    static const char *const words[] = {[IOS_RECOVERY_NONE] = "NONE",
                                        [IOS_RECOVERY_SHOWN] = "SHOWN BUT NOT VERIFIED",
                                        [IOS_RECOVERY_READY] = "IN FORCE",
                                        [IOS_RECOVERY_OFF] = "DISABLED"};
    char date[KLM_ISO_DATE_MAX];

    klm_buf_printf(out, " RECOVERY KEY: %s", words[recovery->state]);
    if (recovery->changed) {
        klm_iso_date(recovery->changed, date);
        klm_buf_printf(out, " SINCE %s", date);
    }
    if (recovery->tries) {
        klm_buf_printf(out, ", %u WRONG TRIES", recovery->tries);
    }
    klm_buf_text(out, "\n");
}

void ios_show_array(struct klm_buf *out, const struct ios_array_state *state, const char *power)
{
    klm_buf_printf(out, "ARRAY %s ENCRYPTION GROUP %s\n POWER: %s\n", state->serial, state->group,
                   power);
    show_set(out, "IN FORCE", &state->set[0]);
    if (state->sets_n > 1) {
        show_set(out, "PREPARED", &state->set[1]);
    }
    show_recovery(out, &state->recovery);
}

/* ---- Volumes */

static int is_volume(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return n > 4 && strcmp(entry->d_name + n - 4, ".vol") == 0;
}

static void show_volume(struct klm_buf *out, const char *path)
{
    uint8_t bytes[IOS_VOLUME_HEADER];
    struct ios_volume_header header;
    char date[KLM_ISO_DATE_MAX];
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 && fstat(fd, &st) == 0 ? read(fd, bytes, sizeof bytes) : -1;

    if (fd >= 0) {
        close(fd);
    }
    if (n < 0 || ios_volume_header_decode(KLM_SLICE(bytes, (size_t)n), &header) != KLM_OK) {
        klm_buf_printf(out, "  %s is no volume\n", path);
        return;
    }
    klm_iso_date(header.written, date);
    klm_buf_printf(out, "  %-16s %s %lld BYTES ON DISK\n", header.name, date,
                   (long long)st.st_size);
}

klm_rc ios_show_volumes(struct klm_buf *out, const char *dir)
{
    char folder[IOS_DRIVE_PATH_MAX], path[IOS_DRIVE_PATH_MAX];
    struct dirent **entries = NULL;
    int n;

    KLM_TRY(ios_drive_path(dir, "volumes", folder, NULL));
    n = scandir(folder, &entries, is_volume, alphasort);
    klm_buf_printf(out, " VOLUMES: %d\n", n < 0 ? 0 : n); /* there is no folder before the first */
    for (int i = 0; i < n; i++) {
        if (ios_drive_path(folder, entries[i]->d_name, path, NULL) == KLM_OK) {
            show_volume(out, path);
        }
        free(entries[i]);
    }
    free(entries);
    return klm_buf_rc(out);
}
