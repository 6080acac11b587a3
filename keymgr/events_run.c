/* What is recorded when the server starts and ends: how the run before ended, the configuration, drives that were edited meanwhile. */
#include "keymgr/internal.h"

#include "base/digest.h"
#include "base/file.h"
#include "parmlib/properties.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 64 /* records at the end of the journal that are looked at when it was opened */

/* ---- An edit of the drive table that is taken over at start, where there is no call */

static const struct km_actor table_file = {.kind = KM_ACTOR_SYSTEM, .name = "filedrive.table"};

struct told {
    struct klm_buf row;
    uint64_t untold;
};

static klm_rc start_drive(void *arg, const struct dt_drive *before, const struct dt_drive *after)
{
    struct told *told = arg;
    char old[KM_DRIVE_TEXT], now[KM_DRIVE_TEXT];
    struct km_news news = km_drive_news(before, after, old, now);

    if (told->row.n + 2 * (SMF_EVENT_MAX + 4) > KM_MORE_MAX) {
        told->untold++;
        return KLM_OK;
    }
    news.actor = &table_file;
    return km_news_row(&news, &told->row);
}

static klm_rc start_group(void *arg, const char *group, const char *how)
{
    static const struct km_actor group_file = {.kind = KM_ACTOR_SYSTEM, .name = "keygroups.xml"};
    const struct km_news news = {
        .what = KM_HAP_GROUP_EDITED, .actor = &group_file, .object = group, .now = how};
    struct told *told = arg;

    return km_news_row(&news, &told->row);
}

/* As many events as the outbox row takes are committed with the change. */
static klm_rc commit_told(struct km_server *server, struct st_change **change,
                          struct klm_slice told, struct klm_diag *diag)
{
    struct km_events events = {0};
    uint64_t seq = 0;
    size_t taken = 0;
    klm_rc rc = KLM_OK;
    bool noted;

    klm_buf_init(&events.row, ST_RECORD_MAX);
    km_events_fit(&events, told, &taken);
    if (events.n > 0) {
        rc = km_outbox_put(*change, st_number(server->store) + 1, klm_buf_as_slice(&events.row));
    }
    klm_buf_done(&events.row);
    KLM_TRY(rc);
    KLM_TRY(km_backup_note(*change, st_number(server->store) + 1, &noted));
    KLM_TRY(st_change_commit(change, diag));
    if (taken > 0) {
        KLM_TRY(km_outbox_recover(server));
    }
    return km_audit_row(server, KLM_SLICE(told.p + taken, told.n - taken), 0, &seq);
}

klm_rc km_edit_start(struct km_server *server, const struct km_edit *edit, struct klm_diag *diag)
{
    struct told told = {0};
    const struct dt_listener listener = {start_drive, &told};
    struct st_change *change;
    klm_rc rc;

    KLM_TRY(st_change_open(server->store, &change));
    klm_buf_init(&told.row, KM_MORE_MAX);
    rc = km_edit_merge_groups(edit, change, start_group, &told);
    if (rc == KLM_OK) {
        rc = km_edit_merge(edit, change, &listener);
    }
    if (rc == KLM_OK && told.untold > 0) {
        const struct km_news more = {
            .what = KM_HAP_DRIVES_MORE, .actor = &table_file, .object = KLM_NUM(told.untold)};

        rc = km_news_row(&more, &told.row);
    }
    if (rc == KLM_OK) {
        rc = commit_told(server, &change, klm_buf_as_slice(&told.row), diag);
    }
    st_change_drop(&change);
    klm_buf_done(&told.row);
    return rc;
}

/* ---- Start and end */

struct tail {
    struct km_server *server;
    bool ended;
};

/* "journal FIRST-LAST" */
static uint64_t last_of(const char *object)
{
    const char *dash = object ? strrchr(object, '-') : NULL;

    return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static klm_rc look(void *arg, const struct smf_record *record)
{
    static const enum km_happening ends[] = {KM_HAP_STOP, KM_HAP_START_FAILED, KM_HAP_TOOL_END};
    struct tail *tail = arg;
    const char *verb = record->event.field[SMF_F_VERB];

    if (verb && strcmp(verb, km_happening_name(KM_HAP_CHECKPOINT)) == 0) {
        tail->server->checkpoints.from = last_of(record->event.field[SMF_F_OBJECT]) + 1;
        tail->server->checkpoints.own = record->seq;
        return KLM_OK;
    }
    tail->ended = false;
    for (size_t i = 0; verb && i < KLM_COUNT(ends); i++) {
        tail->ended = tail->ended || strcmp(verb, km_happening_name(ends[i])) == 0;
    }
    return KLM_OK;
}

/* A run that ended in order put its end there as the last event but for a checkpoint. */
klm_rc km_tail_look(struct km_server *server, const char *folder)
{
    struct tail tail = {.server = server, .ended = true};
    uint64_t last = smf_journal_last(server->journal);

    server->opened_at = last;
    server->checkpoints.from = 1;
    server->checkpoints.made_ms = klm_clock_mono_ms();
    if (last > 0) {
        KLM_TRY(smf_journal_read(folder, last > TAIL ? last - TAIL : 0, look, &tail, NULL));
    }
    server->ended_in_order = tail.ended;
    return KLM_OK;
}

static klm_rc tell_recovery(struct km_server *server)
{
    uint64_t brought = smf_journal_last(server->journal) - server->opened_at;
    char text[128];
    const struct km_news task = {.what = KM_HAP_RECOVERED, .object = text};
    const struct km_news store = {.what = KM_HAP_STORE_RECOVERED, .object = text};

    snprintf(text, sizeof text, "the journal ended at %llu; %llu events came from the store",
             (unsigned long long)server->opened_at, (unsigned long long)brought);
    KLM_TRY(km_happened_now(server, &task));
    snprintf(text, sizeof text, "%llu changes", (unsigned long long)st_number(server->store));
    return km_happened_now(server, &store);
}

static klm_rc tell_config(struct km_server *server, const struct parm_config *config)
{
    char digest[80] = "SHA-256 ";
    const struct km_news news = {
        .what = KM_HAP_CONFIG_LOADED, .object = parm_path_of_config(config), .now = digest};
    struct klm_buf text;
    uint8_t hash[32];
    klm_rc rc;

    klm_buf_init_wiping(&text, PARM_FILE_MAX);
    rc = klm_file_read(news.object, PARM_FILE_MAX, &text, NULL);
    if (rc == KLM_OK) {
        const struct klm_slice all = klm_buf_as_slice(&text);

        rc = klm_sha256(&all, 1, hash);
    }
    klm_buf_done(&text);
    KLM_TRY(rc);
    klm_hex(hash, sizeof hash, digest + strlen(digest));
    return km_happened_now(server, &news);
}

klm_rc km_tell_open(struct km_server *server, const struct parm_config *config,
                    struct klm_diag *diag)
{
    klm_rc rc = KLM_OK;

    if (server->options.offline) {
        return KLM_OK;
    }
    if (!server->ended_in_order) {
        rc = tell_recovery(server);
    }
    if (rc == KLM_OK) {
        rc = tell_config(server, config);
    }
    if (rc != KLM_OK && server->audit_refuse) {
        return klm_fail(diag, rc, KLM_MSG_AUDIT_UNWRITTEN, klm_rc_text(rc));
    }
    return KLM_OK;
}

klm_rc km_tell_start(struct km_server *server)
{
    const struct km_news news = {.what = KM_HAP_START};
    klm_rc rc = server->options.offline ? KLM_OK : km_happened_now(server, &news);

    return server->audit_refuse ? rc : KLM_OK;
}

void km_tell_close(struct km_server *server)
{
    const struct km_news news = {.what = server->options.offline ? KM_HAP_TOOL_END
                                         : server->opened        ? KM_HAP_STOP
                                                                 : KM_HAP_START_FAILED,
                                 .failed = !server->options.offline && !server->opened};
    bool silent =
        server->options.offline &&
        (!server->ended_in_order || smf_journal_last(server->journal) == server->opened_at);

    if (!silent) {
        KLM_IGNORE(km_happened_now(server, &news)); /* the journal says its own failures */
    }
}
