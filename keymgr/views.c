/* Files that operators know: filedrive.table and SKLMData.xml are views of the store, written off the request path, at most a second (or cachecount events) late. The drive table's
 * file may be edited: its digest tells, and an edit is merged three ways against the text of the generation it names, which is kept beside the store. */
#include "keymgr/internal.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN 4096
#define TABLE_MAX (64u << 20)
#define LATE_MS 1000          /* how late a view may be */
#define CONTACTS_MS 60000     /* how late when only contact dates changed */
#define SOON_MS 50

struct km_views {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;     /* guards the flags below */
    pthread_cond_t wake;
    bool stop, drives, contacts;
    size_t usage;             /* key usage events since the last update */
    unsigned cachecount;
    uint64_t drives_written;  /* monotonic ms */
    struct md_xml *xml;
    char table[PATH_LEN], base[PATH_LEN];
};

static klm_rc table_paths(const struct parm_config *config, char *table, char *base)
{
    char store[PATH_LEN];

    KLM_TRY(parm_store_dir(config, store, sizeof store));
    if (snprintf(table, PATH_LEN, "%s", parm_str(config, PARM_config_drivetable_file_url)) >= PATH_LEN ||
        snprintf(base, PATH_LEN, "%s/filedrive.base", store) >= PATH_LEN) {
        return KLM_E_LIMIT;
    }
    return KLM_OK;
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

static klm_rc merge_file(const struct dt_file *file, const char *table, const char *base_path,
                         struct st_change *change)
{
    struct dt_merge merged = {0};
    struct klm_buf base;
    klm_rc rc;

    klm_buf_init(&base, TABLE_MAX);
    read_base(base_path, dt_file_generation(file), &base);
    rc = dt_file_merge(change, file, klm_buf_as_slice(&base), &merged);
    klm_buf_done(&base);
    KLM_TRY(rc);
    klm_say(KLM_MSG_TABLE_MERGED, table, KLM_NUM(merged.added), KLM_NUM(merged.changed),
            KLM_NUM(merged.removed), KLM_NUM(merged.conflicts));
    return KLM_OK;
}

/* A table that cannot be read is kept for the operator under another name; the store's state stays in force. */
static klm_rc set_aside(const char *table, const struct klm_diag *why)
{
    char aside[PATH_LEN + 16];

    klm_say_diag(why);
    snprintf(aside, sizeof aside, "%s.damaged", table);
    if (rename(table, aside) != 0) {
        return klm_rc_errno(errno);
    }
    klm_say(KLM_MSG_TABLE_ASIDE, table, aside);
    return KLM_OK;
}

static klm_rc merge_text(struct klm_slice text, const char *table, const char *base,
                         struct st_change *change, struct klm_diag *diag)
{
    struct dt_file *file = NULL;
    klm_rc rc = dt_file_decode(text, diag, &file);

    if (rc == KLM_OK && !dt_file_intact(file)) {
        rc = merge_file(file, table, base, change);
    }
    dt_file_free(&file);
    return rc;
}

klm_rc km_views_merge(struct km_server *server, struct parm_config *config, struct st_change *change,
                      struct klm_diag *diag)
{
    char table[PATH_LEN], base[PATH_LEN];
    struct klm_buf text;
    klm_rc rc;

    KLM_TRY(table_paths(config, table, base));
    klm_buf_init(&text, TABLE_MAX);
    rc = klm_file_read(table, TABLE_MAX, &text, diag);
    if (rc == KLM_E_NOTFOUND) {
        klm_buf_done(&text);
        return KLM_OK; /* a first start: it is written soon */
    }
    if (rc == KLM_OK) {
        rc = merge_text(klm_buf_as_slice(&text), table, base, change, diag);
        if (rc == KLM_E_INVALID && !server->views) {
            rc = set_aside(table, diag); /* at start; a refresh refuses instead */
        }
    }
    klm_buf_done(&text);
    return rc;
}

/* ---- Writing */

static klm_rc write_table(struct km_views *views, struct st_view *view, struct klm_diag *diag)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, TABLE_MAX);
    rc = dt_file_encode(view, st_view_number(view), &text);
    if (rc == KLM_OK) {
        rc = klm_file_replace(views->base, klm_buf_as_slice(&text), 0600, diag);
    }
    if (rc == KLM_OK) {
        rc = klm_file_replace(views->table, klm_buf_as_slice(&text), 0644, diag);
    }
    klm_buf_done(&text);
    return rc;
}

static void write_views(struct km_server *server, bool drives, bool usage, bool force)
{
    struct km_views *views = server->views;
    struct klm_diag diag = {0};
    struct st_view *view;

    if (st_view_open(server->store, &view) != KLM_OK) {
        return; /* the store has said why; the views follow when it is back */
    }
    if (drives) {
        views->drives_written = klm_clock_mono_ms();
        if (write_table(views, view, &diag) != KLM_OK) {
            klm_say_diag(&diag);
        }
    }
    if (usage && md_xml_update(views->xml, view, force, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
    st_view_close(&view);
}

static void wait_ms(struct km_views *views, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&views->wake, &views->lock, &until);
}

static bool contacts_due(const struct km_views *views)
{
    return views->contacts &&
           (views->stop || klm_clock_mono_ms() - views->drives_written >= CONTACTS_MS);
}

static void *views_main(void *arg)
{
    struct km_server *server = arg;
    struct km_views *views = server->views;
    struct km_watch watch = {0};
    bool stop = false;

    pthread_mutex_lock(&views->lock);
    while (!stop) {
        bool drives, usage;

        if (!views->stop) {
            bool full = views->cachecount > 0 && views->usage >= views->cachecount;

            wait_ms(views, full ? SOON_MS : LATE_MS);
        }
        stop = views->stop;
        drives = views->drives || contacts_due(views);
        usage = views->usage > 0 || stop;
        views->drives = views->drives && !drives;
        views->contacts = views->contacts && !drives;
        views->usage = 0;
        pthread_mutex_unlock(&views->lock);
        km_watch(server, &watch);
        if (drives || usage) {
            write_views(server, drives, usage, stop);
        }
        pthread_mutex_lock(&views->lock);
    }
    pthread_mutex_unlock(&views->lock);
    return NULL;
}

/* ---- Start, stop, news */

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
    KLM_TRY(st_view_open(server->store, &view));
    rc = md_xml_open(&options, view, diag, &server->views->xml);
    st_view_close(&view);
    return rc;
}

static klm_rc start_thread(struct km_server *server)
{
    struct km_views *views = server->views;
    pthread_condattr_t attr;

    pthread_mutex_init(&views->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&views->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&views->thread, NULL, views_main, server) != 0) {
        return KLM_E_LIMIT;
    }
    views->running = true;
    return KLM_OK;
}

klm_rc km_views_start(struct km_server *server, struct klm_diag *diag)
{
    server->views = calloc(1, sizeof *server->views);
    if (!server->views) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(table_paths(server->state->config, server->views->table, server->views->base));
    KLM_TRY(open_xml(server, diag));
    write_views(server, true, true, true);
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
        views->contacts = true;
        pthread_cond_signal(&views->wake);
        pthread_mutex_unlock(&views->lock);
        pthread_join(views->thread, NULL);
    }
    md_xml_close(&views->xml);
    free(views);
    server->views = NULL;
}

void km_views_drives(struct km_server *server)
{
    if (server->views) {
        pthread_mutex_lock(&server->views->lock);
        server->views->drives = true;
        pthread_mutex_unlock(&server->views->lock);
    }
}

void km_views_contacts(struct km_server *server)
{
    if (server->views) {
        pthread_mutex_lock(&server->views->lock);
        server->views->contacts = true;
        pthread_mutex_unlock(&server->views->lock);
    }
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
