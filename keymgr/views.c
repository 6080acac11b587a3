/* Files that operators know: filedrive.table, keygroups.xml and SKLMData.xml are views of the store, written off the request path, at most a second (or cachecount events) late. The first
 * two may be edited: their digests tell, and an edit is merged three ways against the text of the generation it names, which is kept beside the store. */
#include "keymgr/internal.h"

#include "base/file.h"
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN 4096
#define TABLE_MAX (64u << 20)
#define LATE_MS 1000      /* how late a view may be */
#define CONTACTS_MS 60000 /* how late when only contact dates changed */
#define SOON_MS 50

/* A view that operators may edit. */
struct shown {
    char path[PATH_LEN];  /* "": not shown */
    char base[PATH_LEN];  /* copy of the text that was written last */
    struct km_seen *seen; /* the server's; guarded by the lock of the views */
    enum klm_msg_id edited;
    klm_rc (*encode)(struct st_view *view, uint64_t generation, struct klm_buf *out);
    bool held, failing; /* said once */
};

struct km_views {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards the flags below */
    pthread_cond_t wake;
    bool stop, drives, contacts, groups, turns;
    size_t usage; /* key usage events since the last update */
    unsigned cachecount;
    /* The thread's own */
    uint64_t drives_written, groups_written; /* monotonic ms */
    bool xml_failing;                        /* said once */
    struct md_xml *xml;
    struct shown table, keygroups;
};

static klm_rc table_paths(const struct parm_config *config, char *table, char *base)
{
    char store[PATH_LEN];

    KLM_TRY(parm_store_dir(config, store, sizeof store));
    if (snprintf(table, PATH_LEN, "%s", parm_str(config, PARM_config_drivetable_file_url)) >=
            PATH_LEN ||
        snprintf(base, PATH_LEN, "%s/filedrive.base", store) >= PATH_LEN) {
        return KLM_E_LIMIT;
    }
    return KLM_OK;
}

/* The same of keygroups.xml; both are empty when config.keygroup.xml.file is not set. */
static klm_rc group_paths(const struct parm_config *config, char *file, char *base)
{
    const char *path = parm_str(config, PARM_config_keygroup_xml_file);
    char store[PATH_LEN];

    file[0] = base[0] = '\0';
    if (!path) {
        return KLM_OK;
    }
    KLM_TRY(parm_store_dir(config, store, sizeof store));
    return snprintf(file, PATH_LEN, "%s", path) >= PATH_LEN ||
                   snprintf(base, PATH_LEN, "%s/keygroups.base", store) >= PATH_LEN
               ? KLM_E_LIMIT
               : KLM_OK;
}

/* ---- An operator's edit */

/* The text of the generation that the edited file names, or empty when it is lost. */
static void read_base(const char *path, uint64_t generation, struct klm_buf *out)
{
    struct dt_file *base = NULL;

    if (klm_file_read(path, TABLE_MAX, out, NULL) != KLM_OK ||
        dt_file_decode(klm_buf_as_slice(out), NULL, &base) != KLM_OK ||
        dt_file_generation(base) != generation) {
        klm_buf_clear(out);
    }
    dt_file_free(&base);
}

static struct km_seen look(const char *path)
{
    struct km_seen seen = {0};
    struct stat st;

    if (stat(path, &st) == 0) {
        seen = (struct km_seen){true, (uint64_t)st.st_dev, (uint64_t)st.st_ino, (int64_t)st.st_size,
                                st.st_mtim};
    }
    return seen;
}

static bool same(const struct km_seen *a, const struct km_seen *b)
{
    return a->there == b->there && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

void km_edit_free(struct km_edit **edit)
{
    if (*edit) {
        dt_file_free(&(*edit)->file);
        klm_buf_done(&(*edit)->base);
        md_groups_file_free(&(*edit)->groups);
        klm_buf_done(&(*edit)->groups_base);
        free(*edit);
        *edit = NULL;
    }
}

/* A table that cannot be read is kept for the operator under another name; the store's state stays in force. */
static klm_rc set_aside(const char *table, enum klm_msg_id msg, const struct klm_diag *why)
{
    char aside[PATH_LEN + 16];

    klm_say_diag(why);
    snprintf(aside, sizeof aside, "%s.damaged", table);
    if (rename(table, aside) != 0) {
        return klm_rc_errno(errno);
    }
    klm_say(msg, table, aside);
    return KLM_OK;
}

/* The file's text into edit, unless it is as the server wrote it. */
static klm_rc take_text(struct km_edit *edit, struct klm_slice text, const char *base,
                        struct klm_diag *diag)
{
    KLM_TRY(dt_file_decode(text, diag, &edit->file));
    if (dt_file_intact(edit->file)) {
        dt_file_free(&edit->file);
        return KLM_OK;
    }
    read_base(base, dt_file_generation(edit->file), &edit->base);
    return KLM_OK;
}

static klm_rc read_table(struct km_edit *edit, const char *base, bool at_start,
                         struct klm_diag *diag)
{
    struct klm_buf text;
    klm_rc rc;

    edit->seen = look(edit->table);
    if (!edit->seen.there) {
        return KLM_OK; /* a first start, or taken away: it is written soon */
    }
    klm_buf_init(&text, TABLE_MAX);
    rc = klm_file_read(edit->table, TABLE_MAX, &text, diag);
    if (rc == KLM_OK) {
        rc = take_text(edit, klm_buf_as_slice(&text), base, diag);
        if (rc == KLM_E_INVALID && at_start) {
            rc = set_aside(edit->table, KLM_MSG_TABLE_ASIDE, diag); /* a refresh refuses instead */
        }
    }
    klm_buf_done(&text);
    return rc;
}

/* ---- The same of keygroups.xml */

static void read_groups_base(const char *path, uint64_t generation, struct klm_buf *out)
{
    struct md_groups_file *base = NULL;

    if (klm_file_read(path, MD_GROUPS_FILE_MAX, out, NULL) != KLM_OK ||
        md_groups_decode(klm_buf_as_slice(out), NULL, &base) != KLM_OK ||
        md_groups_generation(base) != generation) {
        klm_buf_clear(out);
    }
    md_groups_file_free(&base);
}

static klm_rc take_groups(struct km_edit *edit, struct klm_slice text, const char *base,
                          struct klm_diag *diag)
{
    KLM_TRY(md_groups_decode(text, diag, &edit->groups));
    if (md_groups_intact(edit->groups)) {
        md_groups_file_free(&edit->groups);
        return KLM_OK;
    }
    read_groups_base(base, md_groups_generation(edit->groups), &edit->groups_base);
    return KLM_OK;
}

static klm_rc read_groups(struct km_edit *edit, const struct parm_config *config, bool at_start,
                          struct klm_diag *diag)
{
    char path[PATH_LEN], base[PATH_LEN];
    struct klm_buf text;
    klm_rc rc;

    KLM_TRY(group_paths(config, path, base));
    if (path[0]) {
        edit->groups_seen = look(path);
    }
    if (!edit->groups_seen.there) {
        return KLM_OK; /* not shown, or written soon */
    }
    klm_buf_init(&text, MD_GROUPS_FILE_MAX);
    rc = klm_file_read(path, MD_GROUPS_FILE_MAX, &text, diag);
    if (rc == KLM_OK) {
        rc = take_groups(edit, klm_buf_as_slice(&text), base, diag);
        if (rc == KLM_E_INVALID && at_start) {
            rc = set_aside(path, KLM_MSG_GROUPS_ASIDE, diag); /* a refresh refuses instead */
        }
    }
    klm_buf_done(&text);
    return rc;
}

klm_rc km_edit_read(struct km_server *server, const struct parm_config *config,
                    struct klm_diag *diag, struct km_edit **out)
{
    KLM_AUTO(km_edit_free) struct km_edit *edit = calloc(1, sizeof *edit);
    char base[PATH_LEN];

    if (!edit) {
        return KLM_E_NOMEM;
    }
    klm_buf_init(&edit->base, TABLE_MAX);
    klm_buf_init(&edit->groups_base, MD_GROUPS_FILE_MAX);
    KLM_TRY(table_paths(config, edit->table, base));
    KLM_TRY(read_table(edit, base, !server->views, diag));
    KLM_TRY(read_groups(edit, config, !server->views, diag));
    *out = edit;
    edit = NULL;
    return KLM_OK;
}

klm_rc km_edit_merge(const struct km_edit *edit, struct st_change *change,
                     const struct dt_listener *listener)
{
    struct dt_merge merged = {0};

    if (!edit->file) {
        return KLM_OK;
    }
    KLM_TRY(
        dt_file_merge_told(change, edit->file, klm_buf_as_slice(&edit->base), listener, &merged));
    klm_say(KLM_MSG_TABLE_MERGED, edit->table, KLM_NUM(merged.added), KLM_NUM(merged.changed),
            KLM_NUM(merged.removed), KLM_NUM(merged.conflicts));
    return KLM_OK;
}

klm_rc km_edit_merge_groups(const struct km_edit *edit, struct st_change *change,
                            md_group_told_fn *told, void *arg)
{
    struct md_groups_merge merged = {0};

    if (!edit->groups) {
        return KLM_OK;
    }
    return md_groups_merge_file(change, edit->groups, klm_buf_as_slice(&edit->groups_base), told,
                                arg, &merged);
}

void km_edit_taken(struct km_server *server, const struct km_edit *edit)
{
    if (!server->views) {
        server->table_seen = edit->seen;
        server->groups_seen = edit->groups_seen;
        return;
    }
    pthread_mutex_lock(&server->views->lock);
    server->table_seen = edit->seen;
    server->groups_seen = edit->groups_seen;
    pthread_mutex_unlock(&server->views->lock);
}

/* ---- Writing */

/* Does the file hold just this text? An edit may come between its writing and the look at it. */
static bool holds(const char *path, struct klm_slice text)
{
    struct klm_buf now;
    bool same_text;

    klm_buf_init(&now, TABLE_MAX);
    same_text = klm_file_read(path, TABLE_MAX, &now, NULL) == KLM_OK &&
                klm_slice_equal(klm_buf_as_slice(&now), text);
    klm_buf_done(&now);
    return same_text;
}

/* What the gate of a replacement needs. */
struct writing {
    struct km_server *server;
    struct shown *shown;
};

/* An operator's edit is never written over: the file waits until a refresh has taken it in. */
static bool edited(struct km_server *server, struct shown *shown)
{
    struct km_seen now = look(shown->path);
    bool ours;

    pthread_mutex_lock(&server->views->lock);
    ours = !now.there || same(&now, shown->seen);
    pthread_mutex_unlock(&server->views->lock);
    if (!ours && !shown->held) {
        klm_say(shown->edited, shown->path);
    }
    shown->held = !ours;
    return !ours;
}

/* An edit that came while the new file was on its way to the disk. */
static bool not_edited(void *arg)
{
    const struct writing *w = arg;

    return !edited(w->server, w->shown);
}

/* Write a view anew; *seen is how the file looks afterwards, or nothing when it is not ours any more. */
static klm_rc replace(struct writing *w, struct st_view *view, struct km_seen *seen,
                      struct klm_diag *diag)
{
    const struct klm_file_gate gate = {not_edited, w};
    const struct shown *shown = w->shown;
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, TABLE_MAX);
    rc = shown->encode(view, st_view_number(view), &text);
    if (rc == KLM_OK) {
        rc = klm_file_replace(shown->base, klm_buf_as_slice(&text), 0600, diag);
    }
    if (rc == KLM_OK) {
        rc = klm_file_replace_if(shown->path, klm_buf_as_slice(&text), 0644, &gate, diag);
    }
    if (rc == KLM_OK) {
        *seen = look(shown->path);
        if (!holds(shown->path, klm_buf_as_slice(&text))) {
            *seen = (struct km_seen){0};
        }
    }
    klm_buf_done(&text);
    return rc;
}

/* Failures are said once, until it works again. */
static void say_failure(bool *failing, klm_rc rc, const struct klm_diag *diag)
{
    if (rc != KLM_OK && !*failing) {
        klm_say_diag(diag);
    }
    *failing = rc != KLM_OK;
}

static bool write_shown(struct km_server *server, struct shown *shown, struct st_view *view)
{
    struct writing w = {server, shown};
    struct klm_diag diag = {0};
    struct km_seen seen = {0};
    klm_rc rc;

    if (edited(server, shown)) {
        return false;
    }
    rc = replace(&w, view, &seen, &diag);
    if (rc == KLM_OK) {
        pthread_mutex_lock(&server->views->lock);
        *shown->seen = seen;
        pthread_mutex_unlock(&server->views->lock);
    }
    if (rc != KLM_E_STATE) { /* an edit, which was said */
        say_failure(&shown->failing, rc, &diag);
    }
    return rc == KLM_OK;
}

/* What is to be written besides the key usage events; what could not be stays, to be tried again. */
struct due {
    bool drives, groups;
};

static void write_views(struct km_server *server, struct due *due, bool force)
{
    struct km_views *views = server->views;
    struct klm_diag diag = {0};
    struct st_view *view;

    if (st_view_open(server->store, &view) != KLM_OK) {
        return; /* the store has said why; the views follow when it is back */
    }
    if (due->drives) {
        views->drives_written = klm_clock_mono_ms();
        due->drives = !write_shown(server, &views->table, view);
    }
    if (due->groups) {
        views->groups_written = klm_clock_mono_ms();
        due->groups = views->keygroups.path[0] && !write_shown(server, &views->keygroups, view);
    }
    say_failure(&views->xml_failing, md_xml_update(views->xml, view, force, &diag), &diag);
    st_view_close(&view);
}

/* What changes all the time, contact dates and the turns of key groups, is shown now and then. */
static bool slow_due(const struct km_views *views, bool changed, uint64_t written)
{
    return changed && (views->stop || klm_clock_mono_ms() - written >= CONTACTS_MS);
}

/* What is due now, taken off the list; under the lock. */
static struct due take_due(struct km_views *views)
{
    struct due due = {
        .drives = views->drives || slow_due(views, views->contacts, views->drives_written),
        .groups = views->groups || slow_due(views, views->turns, views->groups_written)};

    views->drives = views->groups = false;
    views->contacts = views->contacts && !due.drives;
    views->turns = views->turns && !due.groups;
    views->usage = 0;
    return due;
}

static void *views_main(void *arg)
{
    struct km_server *server = arg;
    struct km_views *views = server->views;
    struct km_watch watch = {0};
    bool stop = false;

    klm_thread_background();
    km_watch(server,
             &watch); /* from the start on, so that a jump before the first look is noticed too */
    pthread_mutex_lock(&views->lock);
    while (!stop) {
        struct due due;

        if (!views->stop) {
            bool full = views->cachecount > 0 && views->usage >= views->cachecount;

            klm_cond_wait_ms(&views->wake, &views->lock, full ? SOON_MS : LATE_MS);
        }
        stop = views->stop;
        due = take_due(views);
        pthread_mutex_unlock(&views->lock);
        km_watch(server, &watch);
        write_views(server, &due, stop);
        pthread_mutex_lock(&views->lock);
        views->drives = views->drives || due.drives;
        views->groups = views->groups || due.groups;
    }
    pthread_mutex_unlock(&views->lock);
    return NULL;
}

/* ---- Start, stop, news */

/* The folder of a view is made when it is missing, so that a configuration needs nothing but its own names. */
static klm_rc make_folder(const char *file, struct klm_diag *diag)
{
    char folder[PATH_MAX];

    KLM_TRY(klm_path_folder(file, folder, sizeof folder));
    return klm_folder_make(folder, 0700, diag);
}

static klm_rc open_xml(struct km_server *server, struct klm_diag *diag)
{
    const struct parm_config *config = server->state->config;
    struct md_xml_options options = {
        .path = parm_str(config, PARM_Audit_metadata_file_name),
        .roll_bytes = (uint64_t)parm_num(config, PARM_Audit_metadata_file_size) * 1024,
        .cachecount = (unsigned)parm_num(config, PARM_Audit_metadata_file_cachecount),
    };
    struct st_view *view;
    klm_rc rc;

    server->views->cachecount = options.cachecount;
    KLM_TRY(make_folder(options.path, diag));
    KLM_TRY(st_view_open(server->store, &view));
    rc = md_xml_open(&options, view, diag, &server->views->xml);
    st_view_close(&view);
    return rc;
}

static klm_rc start_thread(struct km_server *server)
{
    struct km_views *views = server->views;
    klm_cond_init(&views->wake);
    KLM_TRY(klm_thread_start(&views->thread, "views", views_main, server));
    views->running = true;
    return KLM_OK;
}

/* The views that may be edited; what a kill left of them is swept away. */
static klm_rc open_shown(struct km_server *server, struct klm_diag *diag)
{
    struct shown *table = &server->views->table, *groups = &server->views->keygroups;

    *table = (struct shown){
        .seen = &server->table_seen, .edited = KLM_MSG_TABLE_EDITED, .encode = dt_file_encode};
    *groups = (struct shown){
        .seen = &server->groups_seen, .edited = KLM_MSG_GROUPS_EDITED, .encode = md_groups_encode};
    KLM_TRY(table_paths(server->state->config, table->path, table->base));
    KLM_TRY(make_folder(table->path, diag));
    klm_file_sweep(table->path);
    klm_file_sweep(table->base);
    KLM_TRY(group_paths(server->state->config, groups->path, groups->base));
    if (groups->path[0]) {
        KLM_TRY(make_folder(groups->path, diag));
        klm_file_sweep(groups->path);
        klm_file_sweep(groups->base);
    }
    return KLM_OK;
}

klm_rc km_views_start(struct km_server *server, struct klm_diag *diag)
{
    struct due due = {.drives = true, .groups = true};

    server->views = calloc(1, sizeof *server->views);
    if (!server->views) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&server->views->lock, NULL);
    KLM_TRY(open_shown(server, diag));
    klm_file_sweep(server->options.config_path);
    KLM_TRY(open_xml(server, diag));
    write_views(server, &due, true);
    server->views->drives = due.drives;
    server->views->groups = due.groups;
    return start_thread(server);
}

void km_views_stop(struct km_server *server)
{
    struct km_views *views = server->views;

    if (!views) {
        return;
    }
    if (views->running) {
        pthread_mutex_lock(&views->lock);
        views->stop = true;
        views->contacts = views->turns = true;
        pthread_cond_signal(&views->wake);
        pthread_mutex_unlock(&views->lock);
        pthread_join(views->thread, NULL);
    }
    md_xml_close(&views->xml);
    free(views);
    server->views = NULL;
}

static void set_flag(struct km_server *server, size_t offset)
{
    struct km_views *views = server->views;

    if (views) {
        pthread_mutex_lock(&views->lock);
        *(bool *)(void *)((char *)views + offset) = true;
        pthread_mutex_unlock(&views->lock);
    }
}

void km_views_drives(struct km_server *server)
{
    set_flag(server, offsetof(struct km_views, drives));
}

void km_views_contacts(struct km_server *server)
{
    set_flag(server, offsetof(struct km_views, contacts));
}

void km_views_groups(struct km_server *server)
{
    set_flag(server, offsetof(struct km_views, groups));
}

void km_views_turns(struct km_server *server)
{
    set_flag(server, offsetof(struct km_views, turns));
}

void km_views_usage(struct km_server *server, size_t usage_events)
{
    struct km_views *views = server->views;

    if (!views) {
        return;
    }
    pthread_mutex_lock(&views->lock);
    views->usage += usage_events;
    if (views->cachecount > 0 && views->usage == views->cachecount) {
        pthread_cond_signal(&views->wake);
    }
    pthread_mutex_unlock(&views->lock);
}
