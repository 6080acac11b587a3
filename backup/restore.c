/* Restoring a server: look, check all of the backup, ask for consent, prepare the new state, put it in force, record it. */
#include "backup/restore.h"

#include "base/digest.h"
#include "base/secret.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_MS 200

klm_rc bk_restore_pulse(void *restoring, uint64_t bytes)
{
    struct bk_restoring *r = restoring;
    uint64_t now = klm_clock_mono_ms(), total = r->file.bytes;
    char line[128];

    if (!r->order->progress || now - r->told_ms < PROGRESS_MS) {
        return KLM_OK;
    }
    r->told_ms = now;
    if (total) {
        snprintf(line, sizeof line, "%s %u %%", r->step,
                 (unsigned)(bytes >= total ? 99 : bytes * 100 / total));
    } else {
        snprintf(line, sizeof line, "%s, %llu MB", r->step, (unsigned long long)(bytes / 1000000));
    }
    return r->order->progress(r->order->arg, line) == KLM_OK ? KLM_OK : KLM_E_CANCELLED;
}

/* ---- Before anything is changed */

/* The token has to be known before there are keys in memory: what speaks to it is forked. */
static klm_rc look_for_token(struct bk_restoring *r)
{
    if (!r->order->token) {
        return KLM_OK;
    }
    KLM_TRY(bk_file_open(r->order->file, r->diag, &r->file));
    KLM_TRY(bk_file_token(&r->file, &r->token, r->diag));
    if (r->order->consent & BK_ACCEPT_TOKEN) {
        r->token.serial[0] = '\0';
    }
    return KLM_OK;
}

static klm_rc open_config(struct bk_restoring *r)
{
    struct km_options options = {
        .config_path = r->order->config_path, .offline = true, .prompt = r->order->prompt};

    KLM_TRY(parm_load(r->order->config_path, r->diag, &r->config));
    if (!km_may(r->order->roles | km_roles_of(r->config, getuid(), getgid()), KM_RIGHT_BACKUP)) {
        return klm_fail(r->diag, KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, r->order->who, "restore");
    }
    KLM_TRY(look_for_token(r));
    options.backup_token = r->order->token ? &r->token : NULL;
    return km_open_master(&options, r->diag, &r->keys);
}

static klm_rc unlock(struct bk_restoring *r)
{
    if (r->order->token) {
        return bk_file_unlock_token(&r->file, r->keys, r->order->consent & BK_ACCEPT_TOKEN,
                                    r->diag);
    }
    KLM_TRY(bk_file_open(r->order->file, r->diag, &r->file));
    return bk_file_unlock(&r->file, r->order->password, r->diag);
}

/* A table that this release does not know is left out only with consent. */
static klm_rc check_section(void *arg, const struct bk_section *section)
{
    struct bk_restoring *r = arg;
    enum st_table table;

    if (section->type != BK_TABLE || st_table_find(section->name, &table) == KLM_OK ||
        (r->order->consent & BK_ACCEPT_NEWER)) {
        return KLM_OK;
    }
    return klm_fail(r->diag, KLM_E_STATE, KLM_MSG_BK_NEWER, r->file.path, r->file.header.product,
                    KLM_VERSION);
}

klm_rc bk_restore_walk(struct bk_restoring *r, const struct bk_pulse *pulse)
{
    const struct bk_visitor visitor = {.begin = check_section, .arg = r};

    KLM_TRY(bk_file_prove(&r->file, pulse, r->diag));
    KLM_TRY(bk_file_walk(&r->file, &visitor, pulse, r->diag, r->found));
    return bk_consent_check(r);
}

/* Consent was given to one backup, not to a name. */
static klm_rc check_same(struct bk_restoring *r)
{
    uint8_t header[BK_HASH];

    if (!r->order->header) {
        return KLM_OK;
    }
    KLM_TRY(klm_sha256(&r->file.header.whole, 1, header));
    return memcmp(header, r->order->header, sizeof header) == 0
               ? KLM_OK
               : klm_fail(r->diag, KLM_E_STATE, KLM_MSG_RESTORE_CHANGED, r->file.path);
}

/* Damage is found before anything is built. */
static klm_rc check_backup(struct bk_restoring *r)
{
    const struct bk_pulse pulse = {bk_restore_pulse, r};

    r->step = "checking";
    KLM_TRY(unlock(r));
    KLM_TRY(check_same(r));
    return bk_file_prove(&r->file, &pulse, r->diag);
}

/* ---- Afterwards */

static void check_journal(struct bk_restoring *r, struct km_server *server)
{
    const struct bk_manifest *manifest = &r->found->manifest;
    const uint64_t last = smf_journal_last(km_journal(server));

    if (strcmp(manifest->journal_id, smf_journal_server_id(km_journal(server))) == 0 &&
        last < manifest->journal_last) {
        klm_say(KLM_MSG_BK_JOURNAL, KLM_NUM(last), KLM_NUM(manifest->journal_last));
    }
}

/* Opening the server as a tool does takes the last steps, records the event and shows that the new state opens. */
static klm_rc settle(struct bk_restoring *r)
{
    const struct km_options options = {.config_path = r->order->config_path, .offline = true};
    struct km_server *server;

    KLM_TRY(km_open(&options, r->diag, &server));
    if (r->found->manifest.journal_id) {
        check_journal(r, server);
    }
    km_close(&server);
    return KLM_OK;
}

klm_rc bk_restore_commit(struct bk_restoring *r, const char *what, struct bk_restored *out)
{
    klm_rc rc;

    r->step = "putting it in force";
    snprintf(out->kept, sizeof out->kept, "%s", km_switch_kept(r->swap));
    rc = km_switch_commit(r->swap, what, r->order->who, r->diag);
    km_switch_free(&r->swap);
    km_close(&r->keys); /* the server opens its own */
    KLM_TRY(rc);
    return settle(r);
}

/* Tried, refused or failed: recorded where the journal opens. */
static void tell_failed(struct bk_restoring *r, klm_rc rc)
{
    const struct km_options options = {.config_path = r->order->config_path, .offline = true};
    const struct km_actor actor = {
        .kind = KM_ACTOR_OPERATOR, .name = r->order->who, .address = "local"};
    const struct km_news news = {.what = KM_HAP_RESTORE_FAILED,
                                 .failed = true,
                                 .actor = &actor,
                                 .object = r->order->file,
                                 .why = r->diag};
    struct klm_diag diag = {0};
    struct km_server *server;

    if (rc == KLM_E_BUSY || km_open(&options, &diag, &server) != KLM_OK) {
        return; /* the task has the journal, or there is none: the operator is told */
    }
    KLM_IGNORE(km_happened_now(server, &news));
    km_close(&server);
}

static void finish(struct bk_restoring *r)
{
    st_close(&r->store);
    km_switch_free(&r->swap);
    bk_file_close(&r->file);
    km_close(&r->keys);
    parm_free(&r->config);
    free(r->found);
}

klm_rc bk_restore_begin(struct bk_restoring *r)
{
    KLM_TRY(open_config(r));
    KLM_TRY(km_switch_begin(r->config, r->diag, &r->swap));
    return bk_present_look(r);
}

static klm_rc restore(struct bk_restoring *r, struct bk_restored *out)
{
    KLM_TRY(bk_restore_begin(r));
    KLM_TRY(check_backup(r));
    r->step = "restoring";
    KLM_TRY(bk_stage(r, bk_consent_check, &out->records));
    st_close(&r->store); /* nobody else opens it: km_switch_ask */
    return bk_restore_commit(r, r->order->file, out);
}

klm_rc bk_restore_run(const struct bk_restore *order, bk_restore_fn *work, struct klm_diag *diag,
                      struct bk_restored *out)
{
    struct bk_restoring r = {.order = order, .diag = diag, .file = {.fd = -1}};
    struct bk_restored restored = {.records = 0};
    klm_rc rc;

    r.found = calloc(1, sizeof *r.found);
    rc = r.found ? work(&r, &restored) : KLM_E_NOMEM;
    finish(&r);
    if (rc == KLM_OK) {
        *out = restored;
    } else if (!restored.kept[0]) { /* else it is in force, and the next start records it */
        tell_failed(&r, rc);
    }
    return rc;
}

klm_rc bk_restore(const struct bk_restore *order, struct klm_diag *diag, struct bk_restored *out)
{
    return bk_restore_run(order, restore, diag, out);
}
