/* A small program to test the power rig with: `sample HOW FOLDER MARKS` appends numbered records to a log and now and then
 * replaces a settings file, and says after each what it promises, as a line of MARKS. Done right it syncs the log before it
 * says so, and replaces the file by writing another, syncing that, renaming it and syncing the folder. HOW leaves one thing
 * out, or does it in a way that the rig must see:
 *   good      nothing
 *   nosync    the log is not synced
 *   notmp     the new settings are not synced before the rename
 *   nofolder  the folder is not synced after the rename
 *   early     the promise is made before the sync
 *   inplace   the settings are overwritten where they are
 *   stdio     the log is written through stdio, which the recorder does not see */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 12
#define SETTINGS 6000 /* more than a page, so that it can be torn */

static const char *how, *folder;
static int marks;

static bool is(const char *name)
{
    return strcmp(how, name) == 0;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(2);
    }
}

static int open_in(const char *name, int flags)
{
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, flags | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    return fd;
}

static void promise(const char *what, int number)
{
    char line[64];
    int n = snprintf(line, sizeof line, "%s %d\n", what, number);

    must(write(marks, line, (size_t)n) == n, "mark");
}

static void sync_folder(void)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    must(fd >= 0 && fsync(fd) == 0 && close(fd) == 0, folder);
}

static void append(int log, int number)
{
    char line[64];
    int n = snprintf(line, sizeof line, "record %d\n", number);

    must(write(log, line, (size_t)n) == n, "log");
    if (is("early")) {
        promise("record", number);
    }
    if (!is("nosync")) {
        must(fdatasync(log) == 0, "log");
    }
    if (!is("early")) {
        promise("record", number);
    }
}

/* The same digit all over, so that a mixture of old and new is seen. */
static void write_settings(int fd, int number)
{
    static char text[SETTINGS];

    memset(text, 'a' + number, sizeof text);
    must(pwrite(fd, text, sizeof text, 0) == SETTINGS, "settings");
}

static void replace(int number)
{
    char from[512], to[512];
    int fd = open_in(is("inplace") ? "settings" : "settings.new",
                     O_WRONLY | O_CREAT | (is("inplace") ? 0 : O_TRUNC));

    write_settings(fd, number);
    if (!is("notmp")) {
        must(fsync(fd) == 0, "settings");
    }
    close(fd);
    if (!is("inplace")) {
        snprintf(from, sizeof from, "%s/settings.new", folder);
        snprintf(to, sizeof to, "%s/settings", folder);
        must(rename(from, to) == 0, to);
    }
    if (!is("nofolder")) {
        sync_folder();
    }
    promise("settings", number);
}

static void write_unseen(void)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/unseen", folder);
    file = fopen(path, "w");
    must(file && fputs("nobody saw me\n", file) >= 0 && fclose(file) == 0, path);
}

int main(int argc, char **argv)
{
    int log;

    if (argc != 4) {
        fprintf(stderr, "usage: sample HOW FOLDER MARKS\n");
        return 1;
    }
    how = argv[1];
    folder = argv[2];
    marks = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    must(marks >= 0, argv[3]);
    log = open_in("log", O_WRONLY | O_CREAT | O_APPEND);
    if (!is("nofolder")) {
        sync_folder();
    }
    for (int i = 0; i < ROUNDS; i++) {
        append(log, i);
        if (i % 4 == 0) {
            replace(i / 4);
        }
    }
    if (is("stdio")) {
        write_unseen();
    }
    return close(log) == 0 ? 0 : 2;
}
