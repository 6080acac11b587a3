/* Replacing the whole state of a server that is down. The new state is made beside the old one; a marker says how far it is. Until the
 * marker says "ready" the old state counts, and what was made is removed by whoever comes next; from then on the new one counts, and
 * whoever comes next takes the steps that are left. Each step is one rename and can be told from what is there, so that it does not
 * matter after which of them the process or the system ended.
 *
 *   STORE.restore          the marker           STORE.new               the new store
 *   STORE.restore.lock     held by who does it  STORE.before-TIME/      the state before: store, and files by their names
 *   FILE.restored          a new file
 *
 * The marker is text: its first line, then "state", "kept", "what" and "who", a line for each file ("put" or "drop", and its path), and
 * the SHA-256 of all that. */
#include "keymgr/internal.h"

#include "base/digest.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE "klmsrv restore 1\n"
#define PATH_LEN 4096
#define FILES_MOST 32
#define MARKER_MOST (FILES_MOST * (PATH_LEN + 16) + 4 * PATH_LEN)
#define SUM_NAME "sha256 "
#define WHAT_MOST 256
#define TAIL 256 /* records at the end of the journal among which the event is looked for */

struct file {
    bool put; /* else: drop */
    char path[PATH_LEN - 16];
};

struct km_switch {
    int lock;
    bool ready;
    char store[PATH_LEN - 128], fresh[PATH_LEN], kept[PATH_LEN], marker[PATH_LEN];
    char what[WHAT_MOST], who[128];
    struct file file[FILES_MOST];
    size_t n;
    bool stepped; /* something was left to do */
};

struct km_switched {
    char marker[PATH_LEN], kept[PATH_LEN], what[WHAT_MOST], who[128];
    bool told; /* its event stands in the journal */
};

/* ---- Names */

static klm_rc names(const struct parm_config *config, struct km_switch *s)
{
    KLM_TRY(parm_store_dir(config, s->store, sizeof s->store));
    snprintf(s->fresh, sizeof s->fresh, "%s.new", s->store);
    snprintf(s->marker, sizeof s->marker, "%s.restore", s->store);
    return strpbrk(s->store, "\n\t") ? KLM_E_INVALID : KLM_OK;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static klm_rc new_name(const struct file *file, char out[PATH_LEN])
{
    int n = snprintf(out, PATH_LEN, "%s.restored", file->path);

    return n > 0 && n < PATH_LEN ? KLM_OK : KLM_E_LIMIT;
}

static klm_rc failed(struct klm_diag *diag, enum klm_msg_id msg, const char *path, int err)
{
    char text[128];

    return klm_fail(diag, klm_rc_errno(err), msg, path, strerror_r(err, text, sizeof text));
}

static klm_rc sync_folder_of(const char *path, struct klm_diag *diag)
{
    char folder[PATH_LEN];
    klm_rc rc = klm_path_folder(path, folder, sizeof folder);

    rc = rc == KLM_OK ? klm_sync_folder(folder) : rc;
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_BK_SWITCH, path, klm_rc_text(rc));
}

/* ---- The marker */

static klm_rc marker_text(const struct km_switch *s, struct klm_buf *out)
{
    uint8_t sum[32];
    char hex[65];

    klm_buf_printf(out, TITLE "state %s\nkept %s\nwhat %s\nwho %s\n",
                   s->ready ? "ready" : "staging", s->kept, s->what, s->who);
    for (size_t i = 0; i < s->n; i++) {
        klm_buf_printf(out, "%s %s\n", s->file[i].put ? "put" : "drop", s->file[i].path);
    }
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(klm_sha256((struct klm_slice[]){klm_buf_as_slice(out)}, 1, sum));
    klm_hex(sum, sizeof sum, hex);
    klm_buf_printf(out, SUM_NAME "%s\n", hex);
    return klm_buf_rc(out);
}

static klm_rc write_marker(const struct km_switch *s, struct klm_diag *diag)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, MARKER_MOST);
    rc = marker_text(s, &text);
    if (rc == KLM_OK) {
        rc = klm_file_replace(s->marker, klm_buf_as_slice(&text), 0600, diag);
    }
    klm_buf_done(&text);
    return rc;
}

/* The line that begins so, without its end, to out; *p moves behind it. */
static bool line(char **p, const char *name, char *out, size_t cap)
{
    size_t n = strlen(name);
    char *end = strncmp(*p, name, n) == 0 ? strchr(*p, '\n') : NULL;

    if (!end || (size_t)(end - *p) - n >= cap) {
        return false;
    }
    memcpy(out, *p + n, (size_t)(end - *p) - n);
    out[(size_t)(end - *p) - n] = '\0';
    *p = end + 1;
    return true;
}

static bool sum_fits(const char *text, const char *sum_line)
{
    const struct klm_slice before = KLM_SLICE(text, (size_t)(sum_line - text));
    char hex[65];
    uint8_t sum[32];

    if (klm_sha256(&before, 1, sum) != KLM_OK) {
        return false;
    }
    klm_hex(sum, sizeof sum, hex);
    return strlen(sum_line) == sizeof SUM_NAME + 64 &&
           memcmp(sum_line + sizeof SUM_NAME - 1, hex, 64) == 0;
}

static bool parse(char *text, struct km_switch *s)
{
    char *p = text, state[16];

    if (!line(&p, "klmsrv restore 1", state, sizeof state) || state[0] ||
        !line(&p, "state ", state, sizeof state) || !line(&p, "kept ", s->kept, sizeof s->kept) ||
        !line(&p, "what ", s->what, sizeof s->what) || !line(&p, "who ", s->who, sizeof s->who)) {
        return false;
    }
    s->ready = strcmp(state, "ready") == 0;
    for (s->n = 0; s->n < FILES_MOST; s->n++) {
        struct file *file = &s->file[s->n];

        file->put = strncmp(p, "put ", 4) == 0;
        if (!line(&p, file->put ? "put " : "drop ", file->path, sizeof file->path)) {
            break;
        }
    }
    return strncmp(p, SUM_NAME, sizeof SUM_NAME - 1) == 0 && sum_fits(text, p);
}

static klm_rc read_marker(struct km_switch *s, struct klm_diag *diag)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, MARKER_MOST + 1);
    rc = klm_file_read(s->marker, MARKER_MOST, &text, diag);
    klm_buf_u8(&text, 0);
    if (rc == KLM_OK) {
        rc = klm_buf_rc(&text);
    }
    if (rc == KLM_OK && !parse((char *)text.p, s)) {
        rc = klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_MARKER, s->marker);
    }
    klm_buf_done(&text);
    return rc;
}

static klm_rc remove_marker(const char *marker, struct klm_diag *diag)
{
    if (unlink(marker) != 0 && errno != ENOENT) {
        return failed(diag, KLM_MSG_BK_SWITCH, marker, errno);
    }
    return sync_folder_of(marker, diag);
}

/* ---- Undoing what was prepared */

/* A folder that holds files only. */
static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    char file[PATH_LEN + 256];

    if (!dir) {
        return;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") && strcmp(d->d_name, "..")) {
            snprintf(file, sizeof file, "%s/%s", path, d->d_name);
            (void)unlink(file); /* what stays makes rmdir fail, and a later begin says so */
        }
    }
    closedir(dir);
    (void)rmdir(path);
}

static klm_rc undo(const struct km_switch *s, struct klm_diag *diag)
{
    char path[PATH_LEN];

    remove_folder(s->fresh);
    remove_folder(s->kept);
    for (size_t i = 0; i < s->n; i++) {
        if (s->file[i].put && new_name(&s->file[i], path) == KLM_OK) {
            (void)unlink(path); /* may not have been made yet */
            klm_file_sweep(path);
        }
    }
    return remove_marker(s->marker, diag);
}

/* ---- Taking the steps */

static klm_rc move(struct km_switch *s, const char *from, const char *to, struct klm_diag *diag)
{
    if (rename(from, to) != 0) {
        return failed(diag, KLM_MSG_BK_SWITCH, to, errno);
    }
    s->stepped = true;
    KLM_TRY(sync_folder_of(from, diag));
    return sync_folder_of(to, diag);
}

/* The new store is there until it has taken its place, so the old one is moved only before that. */
static klm_rc step_store(struct km_switch *s, struct klm_diag *diag)
{
    char before[PATH_LEN + 8];

    if (!exists(s->fresh)) {
        return KLM_OK;
    }
    snprintf(before, sizeof before, "%s/store", s->kept);
    if (exists(s->store)) {
        KLM_TRY(move(s, s->store, before, diag));
    }
    return move(s, s->fresh, s->store, diag);
}

static klm_rc step_file(struct km_switch *s, const struct file *file, struct klm_diag *diag)
{
    char path[PATH_LEN];

    KLM_TRY(new_name(file, path));
    if (file->put) {
        return exists(path) ? move(s, path, file->path, diag) : KLM_OK;
    }
    if (!exists(file->path)) {
        return KLM_OK;
    }
    if (unlink(file->path) != 0) {
        return failed(diag, KLM_MSG_BK_SWITCH, file->path, errno);
    }
    s->stepped = true;
    return sync_folder_of(file->path, diag);
}

static klm_rc steps(struct km_switch *s, struct klm_diag *diag)
{
    KLM_TRY(step_store(s, diag));
    for (size_t i = 0; i < s->n; i++) {
        KLM_TRY(step_file(s, &s->file[i], diag));
    }
    return KLM_OK;
}

/* ---- Who may */

/* The lock ends with the process, however it ends; its file stays. */
static klm_rc lock(struct km_switch *s, struct klm_diag *diag)
{
    char path[PATH_LEN + 8];

    snprintf(path, sizeof path, "%s.lock", s->marker);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0) {
        return failed(diag, KLM_MSG_FILE_OPEN, path, errno);
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        return klm_fail(diag, KLM_E_BUSY, KLM_MSG_BK_RESTORING);
    }
    return KLM_OK;
}

klm_rc km_switch_ask(const struct parm_config *config, struct klm_diag *diag)
{
    struct km_switch s;
    char path[PATH_LEN + 8];
    int fd;
    bool busy;

    KLM_TRY(names(config, &s));
    snprintf(path, sizeof path, "%s.lock", s.marker);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return KLM_OK; /* there never was one */
    }
    busy = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return busy ? klm_fail(diag, KLM_E_BUSY, KLM_MSG_BK_RESTORING) : KLM_OK;
}

/* Under the lock. *done: there was one whose new state counts. */
static klm_rc recover(struct km_switch *s, struct klm_diag *diag, bool *done)
{
    *done = false;
    if (!exists(s->marker)) {
        klm_file_sweep(s->marker);
        return KLM_OK;
    }
    KLM_TRY(read_marker(s, diag));
    if (!s->ready) {
        KLM_TRY(undo(s, diag));
        klm_say(KLM_MSG_BK_UNDONE);
        return KLM_OK;
    }
    KLM_TRY(steps(s, diag));
    if (s->stepped) {
        klm_say(KLM_MSG_BK_FINISHED);
    }
    *done = true;
    return KLM_OK;
}

static struct km_switched *switched_of(const struct km_switch *s)
{
    struct km_switched *switched = calloc(1, sizeof *switched);

    if (switched) {
        memcpy(switched->marker, s->marker, sizeof switched->marker);
        memcpy(switched->kept, s->kept, sizeof switched->kept);
        memcpy(switched->what, s->what, sizeof switched->what);
        memcpy(switched->who, s->who, sizeof switched->who);
    }
    return switched;
}

klm_rc km_switch_recover(const struct parm_config *config, struct klm_diag *diag,
                         struct km_switched **finished)
{
    struct km_switch *s = calloc(1, sizeof *s);
    bool done = false;
    klm_rc rc = s ? names(config, s) : KLM_E_NOMEM;

    if (s) {
        s->lock = -1;
    }
    if (rc == KLM_OK && exists(s->marker)) {
        rc = lock(s, diag);
        if (rc == KLM_OK) {
            rc = recover(s, diag, &done);
        }
        if (rc == KLM_OK && done) {
            *finished = switched_of(s);
            rc = *finished ? KLM_OK : KLM_E_NOMEM;
        }
    }
    if (s && s->lock >= 0) {
        close(s->lock);
    }
    free(s);
    return rc;
}

/* The end may have come between the event and the removal of the marker: the name of the folder of the state before is of this one alone. */
static klm_rc look_told(void *arg, const struct smf_record *record)
{
    struct km_switched *done = arg;
    const char *verb = record->event.field[SMF_F_VERB], *old = record->event.field[SMF_F_OLD];

    if (verb && strcmp(verb, km_happening_name(KM_HAP_RESTORED)) == 0 && old &&
        strcmp(old, done->kept) == 0) {
        done->told = true;
    }
    return KLM_OK;
}

static klm_rc tell_once(struct km_server *server, const struct parm_config *config)
{
    struct km_switched *done = server->switched;
    const uint64_t last = smf_journal_last(server->journal);
    const struct km_actor who = {.kind = KM_ACTOR_OPERATOR, .name = done->who, .address = "local"};
    const struct km_news news = {
        .what = KM_HAP_RESTORED, .actor = &who, .object = done->what, .old = done->kept};
    char folder[PATH_LEN];

    KLM_TRY(parm_journal_dir(config, folder, sizeof folder));
    if (last > 0) {
        KLM_TRY(smf_journal_read(folder, last > TAIL ? last - TAIL : 0, look_told, done, NULL));
    }
    if (!done->told) {
        KLM_TRY(km_happened_now(server, &news));
    }
    return smf_journal_sync(server->journal, smf_journal_last(server->journal));
}

klm_rc km_switch_tell(struct km_server *server, const struct parm_config *config,
                      struct klm_diag *diag)
{
    if (!server->switched) {
        return KLM_OK;
    }
    KLM_TRY(tell_once(server, config));
    KLM_TRY(remove_marker(server->switched->marker, diag));
    km_switched_free(&server->switched);
    return KLM_OK;
}

void km_switched_free(struct km_switched **switched)
{
    free(*switched);
    *switched = NULL;
}

/* ---- Making one */

static klm_rc name_kept(struct km_switch *s)
{
    const time_t now = (time_t)(klm_clock() / 1000000);
    char stamp[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    for (unsigned turn = 0; turn < 100; turn++) {
        snprintf(s->kept, sizeof s->kept, turn ? "%s.before-%s.%u" : "%s.before-%s", s->store,
                 stamp, turn);
        if (!exists(s->kept)) {
            return KLM_OK;
        }
    }
    return KLM_E_EXISTS;
}

static klm_rc begin(struct km_switch *s, const struct parm_config *config, struct klm_diag *diag)
{
    bool done;

    s->lock = -1;
    KLM_TRY(names(config, s));
    KLM_TRY(lock(s, diag));
    KLM_TRY(recover(s, diag, &done));
    if (done) { /* its event is still to be recorded, by a start */
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_BK_SWITCH, s->marker,
                        "a restore before this one was not recorded yet; start the task once");
    }
    *s = (struct km_switch){.lock = s->lock};
    KLM_TRY(names(config, s));
    KLM_TRY(name_kept(s));
    remove_folder(s->fresh);
    if (exists(s->fresh)) {
        return klm_fail(diag, KLM_E_EXISTS, KLM_MSG_BK_STAGE, s->fresh, "it is in the way");
    }
    KLM_TRY(write_marker(s, diag));
    return mkdir(s->kept, 0700) == 0 ? KLM_OK : failed(diag, KLM_MSG_BK_STAGE, s->kept, errno);
}

klm_rc km_switch_begin(const struct parm_config *config, struct klm_diag *diag,
                       struct km_switch **out)
{
    struct km_switch *s = calloc(1, sizeof *s);
    klm_rc rc = s ? begin(s, config, diag) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        if (s && s->lock >= 0) {
            close(s->lock);
        }
        free(s);
        return rc;
    }
    *out = s;
    return KLM_OK;
}

const char *km_switch_store(const struct km_switch *s)
{
    return s->fresh;
}

const char *km_switch_kept(const struct km_switch *s)
{
    return s->kept;
}

static klm_rc copy_before(const struct km_switch *s, const char *path, const char *name,
                          struct klm_diag *diag)
{
    char copy[PATH_LEN + 64];
    struct klm_buf text;
    klm_rc rc;

    snprintf(copy, sizeof copy, "%s/%s", s->kept, name);
    klm_buf_init_wiping(&text, (size_t)1 << 30);
    rc = klm_file_read(path, (size_t)1 << 30, &text, diag);
    if (rc == KLM_OK) {
        rc = klm_file_create(copy, klm_buf_as_slice(&text), 0600, diag);
    }
    klm_buf_done(&text);
    return rc;
}

static klm_rc add_file(struct km_switch *s, const char *path, const char *name,
                       struct klm_slice content, mode_t mode, struct klm_diag *diag)
{
    struct file *file = &s->file[s->n];
    char fresh[PATH_LEN], folder[PATH_LEN];
    struct stat st;

    if (s->n == FILES_MOST || strlen(path) >= sizeof file->path || strpbrk(path, "\n\t")) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_BK_STAGE, path, "its name cannot be noted");
    }
    if (stat(path, &st) == 0) {
        mode = st.st_mode & 07777;
        KLM_TRY(copy_before(s, path, name, diag));
    } else if (!content.p) {
        return KLM_OK;
    }
    file->put = content.p != NULL;
    memcpy(file->path, path, strlen(path) + 1);
    s->n++;
    KLM_TRY(write_marker(s, diag));
    if (!file->put) {
        return KLM_OK;
    }
    KLM_TRY(new_name(file, fresh));
    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    KLM_TRY(klm_folder_make(folder, 0700, diag));
    return klm_file_replace(fresh, content, mode, diag);
}

/* A link to the file stays one. */
klm_rc km_switch_file(struct km_switch *s, const char *path, const char *name,
                      struct klm_slice content, mode_t mode, struct klm_diag *diag)
{
    char *real = realpath(path, NULL);
    klm_rc rc = add_file(s, real ? real : path, name, content, mode, diag);

    free(real);
    return rc;
}

static void put_text(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text);
    for (char *p = out; *p; p++) {
        *p = (unsigned char)*p < ' ' ? '.' : *p;
    }
}

klm_rc km_switch_commit(struct km_switch *s, const char *what, const char *who,
                        struct klm_diag *diag)
{
    klm_rc rc;

    put_text(s->what, sizeof s->what, what);
    put_text(s->who, sizeof s->who, who);
    s->ready = true;
    rc = sync_folder_of(s->store, diag);
    if (rc == KLM_OK) {
        rc = write_marker(s, diag);
    }
    if (rc != KLM_OK) {
        s->ready = false;
        KLM_IGNORE(
            write_marker(s, NULL)); /* in doubt whether "ready" is on disk: it shall not be */
        return rc;
    }
    return steps(s, diag);
}

void km_switch_free(struct km_switch **s)
{
    struct km_switch *old = *s;

    if (!old) {
        return;
    }
    *s = NULL;
    if (!old->ready) {
        KLM_IGNORE(undo(old, NULL)); /* what stays is removed by the next start */
    }
    close(old->lock);
    free(old);
}
