/* Opening and closing the server behind the doors, in the order that makes each failure clear: configuration, master key (before the store, whose records are
 * checked with a key derived from it), store, journal, events left over from a crash, drive table, rings, threads. */
#include "keymgr/cache.h"
#include "keymgr/internal.h"
#include "keymgr/served.h"
#include "keymgr/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4096
#define SEGMENT_BYTES                                                                              \
    (16u << 20) /* a start reads the last segment of the journal, so it is kept short */

static klm_rc open_master(struct km_server *server, const struct parm_config *config,
                          struct klm_diag *diag)
{
    char path[PATH_LEN];

    KLM_TRY(parm_masterkey_file(config, path, sizeof path));
    KLM_TRY(km_hardware_open(server, config, diag));
    KLM_TRY(km_hardware_master(server, config, path, diag));
    km_master_know_files(server, config);
    if (!kr_master_escrowed(server->master) && !server->options.offline) {
        klm_say(KLM_MSG_MASTER_NO_ESCROW, path);
    }
    return KLM_OK;
}

#define CACHE_ONCE                                                                                 \
    ((size_t)4                                                                                     \
     << 20) /* a scan sees each page once, and pages that fit a processor's own cache cost least */
/* Berkeley DB makes a latch for each page and transaction that it might need when it opens: for a running server's cache that was a third of what a short command took. */
#define CACHE_OFFLINE ((size_t)16 << 20)

static size_t cache_of(const struct km_options *options, const struct parm_config *config)
{
    const size_t set = (size_t)parm_num(config, PARM_store_cache_megabytes) << 20;
    const size_t most = options->once ? CACHE_ONCE : options->offline ? CACHE_OFFLINE : SIZE_MAX;

    return set < most ? set : most;
}

static klm_rc open_store(struct km_server *server, const struct parm_config *config,
                         struct klm_diag *diag)
{
    char path[PATH_LEN];
    struct st_options options = {.home = path, .create = true};
    klm_rc rc;

    KLM_TRY(parm_store_dir(config, path, sizeof path));
    options.cache_bytes = cache_of(&server->options, config);
    KLM_TRY(km_store_key(server, path, options.mac_key, diag));
    rc = st_open_bdb(&options, diag, &server->store);
    klm_wipe(options.mac_key, sizeof options.mac_key);
    return rc;
}

void km_server_id(const struct parm_config *config, char out[KM_SERVER_ID_MAX])
{
    const char *id = parm_str(config, PARM_server_id);
    char host[KM_SERVER_ID_MAX] = "";

    if (!id && gethostname(host, sizeof host - 1) == 0) {
        id = host;
    }
    snprintf(out, KM_SERVER_ID_MAX, "%s", id && *id ? id : "ISKLM");
}

static klm_rc open_journal(struct km_server *server, const struct parm_config *config,
                           struct klm_diag *diag)
{
    char folder[PATH_LEN], id[KM_SERVER_ID_MAX];
    const char *held = parm_str(config, PARM_Audit_held_directory);
    struct smf_journal_options options = {.folder = folder, .segment_bytes = SEGMENT_BYTES};

    KLM_TRY(parm_journal_dir(config, folder, sizeof folder));
    km_server_id(config, id);
    options.server_id = id;
    server->audit_refuse = !parm_has(config, PARM_Audit_failure_action, "continue");
    server->audit_sync = parm_has(config, PARM_Audit_sync, "always");
    options.fail_closed = server->audit_refuse;
    KLM_TRY(smf_journal_open(&options, diag, &server->journal));
    if (held && *held && !server->audit_sync) {
        KLM_TRY(smf_held_open(held, folder, server->journal, diag, &server->held));
    }
    smf_journal_filter(server->journal, parm_str(config, PARM_Audit_event_types),
                       parm_str(config, PARM_Audit_event_outcome));
    return km_tail_look(server, folder);
}

/* Once in the life of a store: key usage events that go to other servers name where they happened. */
static klm_rc give_identity(struct km_server *server, struct klm_diag *diag)
{
    uint8_t id[MD_ORIGIN];
    struct st_change *change;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(server->store, &view));
    rc = md_identity(view, id);
    st_view_close(&view);
    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    KLM_TRY(st_change_open(server->store, &change));
    rc = md_identity_make(change);
    if (rc == KLM_OK) {
        return st_change_commit(&change, diag);
    }
    st_change_drop(&change);
    return rc;
}

/* A restore that was interrupted, or has just been made. It may have brought another configuration file. */
static klm_rc take_switch(struct km_server *server, struct parm_config **config,
                          struct klm_diag *diag)
{
    struct parm_config *again;

    KLM_TRY(km_switch_recover(*config, diag, &server->switched));
    if (!server->switched) {
        return KLM_OK;
    }
    KLM_TRY(parm_load(server->options.config_path, diag, &again));
    parm_free(config);
    *config = again;
    return KLM_OK;
}

static klm_rc recover(struct km_server *server, struct klm_diag *diag)
{
    struct st_view *view;
    klm_rc rc = km_outbox_recover(server);

    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_OUTBOX_REPLAY, klm_rc_text(rc));
    }
    KLM_TRY(give_identity(server, diag));
    KLM_TRY(st_view_open(server->store, &view));
    rc = md_usage_last(view, &server->writer.usage_last);
    st_view_close(&view);
    return rc;
}

static klm_rc merge_edit(struct km_server *server, const struct parm_config *config,
                         struct klm_diag *diag)
{
    KLM_AUTO(km_edit_free) struct km_edit *edit = NULL;

    KLM_TRY(km_edit_read(server, config, diag, &edit));
    KLM_TRY(km_edit_start(server, edit, diag));
    km_edit_taken(server, edit);
    return KLM_OK;
}

/* The operator's edit of filedrive.table first, then the table in memory. */
static klm_rc open_drives(struct km_server *server, const struct parm_config *config,
                          struct klm_diag *diag)
{
    struct st_view *view;
    klm_rc rc;

    if (!server->options.offline) {
        KLM_TRY(merge_edit(server, config, diag));
    }
    KLM_TRY(st_view_open(server->store, &view));
    rc = dt_table_load(view, diag, &server->drives);
    st_view_close(&view);
    return rc;
}

unsigned km_worker_count(const struct parm_config *config)
{
    const int64_t said = parm_num(config, PARM_server_threads_workers);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return (unsigned)(said > 0 ? said : cores > 0 ? cores : 1);
}

static klm_rc open_threads(struct km_server *server, const struct parm_config *config,
                           struct klm_diag *diag)
{
    const unsigned n = km_worker_count(config);

    KLM_TRY(dt_contacts_new(&server->contacts));
    KLM_TRY(km_streams_new(&server->streams));
    KLM_TRY(dt_seen_new(&server->seen));
    KLM_TRY(km_credentials_new(&server->credentials));
    KLM_TRY(km_served_new(&server->served));
    KLM_TRY(km_cache_new(server, (size_t)parm_num(config, PARM_kmip_cache_megabytes) << 20,
                         &server->cache));
    if (server->options.offline) {
        return km_writer_start(server);
    }
    KLM_TRY(klm_workers_new(n, KM_WORKER_QUEUE, &server->workers));
    KLM_TRY(klm_workers_new(n, KM_WORKER_QUEUE, &server->client_workers));
    KLM_TRY(km_sinks_open(server, config, diag));
    KLM_TRY(km_views_start(server, diag));
    KLM_TRY(km_auditor_start(server));
    return km_writer_start(server); /* last: it uses all of these */
}

static klm_rc open_all(struct km_server *server, struct klm_diag *diag)
{
    struct parm_config *config;
    struct km_state *state;
    klm_rc rc = parm_load(server->options.config_path, diag, &config);

    if (rc == KLM_E_INVALID && diag) {
        diag->msg = KLM_MSG_NONE; /* every bad line has been said already */
    }
    KLM_TRY(rc);
    rc = take_switch(server, &config, diag);
    if (rc == KLM_OK) {
        rc = open_master(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = open_store(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = km_switch_ask(config, diag);
    }
    if (rc == KLM_OK) {
        rc = km_master_resume(server, diag);
    }
    if (rc == KLM_OK) {
        rc = open_journal(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = recover(server, diag);
    }
    if (rc == KLM_OK) {
        rc = km_switch_tell(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = km_tell_open(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = km_backup_load(server);
    }
    if (rc == KLM_OK) {
        rc = km_profiles_open(server, diag);
    }
    if (rc == KLM_OK) {
        rc = open_drives(server, config, diag);
    }
    if (rc == KLM_OK) {
        rc = km_clients_load(server, diag);
    }
    if (rc != KLM_OK) {
        parm_free(&config);
        return rc;
    }
    KLM_TRY(km_state_load(server, config, diag, &state));
    km_state_swap(server, state);
    KLM_TRY(open_threads(server, state->config, diag));
    server->opened = true;
    km_pass_resume(server);
    km_purge_resume(server);
    return km_tell_start(server);
}

static struct km_server *server_new(const struct km_options *options)
{
    struct km_server *server = calloc(1, sizeof *server);

    if (!server) {
        return NULL;
    }
    server->options = *options;
    server->started = klm_clock();
    pthread_rwlock_init(&server->state_lock, NULL);
    pthread_mutex_init(&server->config_lock, NULL);
    pthread_mutex_init(&server->checkpoints.lock, NULL);
    pthread_mutex_init(&server->drills.lock, NULL);
    km_callers_init(&server->callers);
    km_strangers_init(&server->strangers);
    km_auditor_init(&server->auditor);
    km_pass_init(&server->pass);
    km_backup_init(&server->backup);
    return server;
}

static klm_rc open_with(const struct km_options *options, struct klm_diag *diag,
                        klm_rc (*all)(struct km_server *server, struct klm_diag *diag),
                        struct km_server **out)
{
    struct km_server *server = server_new(options);
    klm_rc rc = server ? all(server, diag) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        km_close(&server);
        return rc;
    }
    *out = server;
    return KLM_OK;
}

klm_rc km_open(const struct km_options *options, struct klm_diag *diag, struct km_server **out)
{
    return open_with(options, diag, open_all, out);
}

static klm_rc only_master(struct km_server *server, struct klm_diag *diag)
{
    struct parm_config *config;
    klm_rc rc;

    KLM_TRY(parm_load(server->options.config_path, diag, &config));
    rc = open_master(server, config, diag);
    parm_free(&config);
    return rc;
}

klm_rc km_open_master(const struct km_options *options, struct klm_diag *diag,
                      struct km_server **out)
{
    return open_with(options, diag, only_master, out);
}

static klm_rc only_journal(struct km_server *server, struct klm_diag *diag)
{
    KLM_AUTO(parm_free) struct parm_config *config = NULL;
    char folder[PATH_LEN];

    KLM_TRY(parm_load(server->options.config_path, diag, &config));
    KLM_TRY(parm_journal_dir(config, folder, sizeof folder));
    return access(folder, F_OK) == 0 ? open_journal(server, config, diag) : KLM_E_NOTFOUND;
}

klm_rc km_open_journal(const struct km_options *options, struct klm_diag *diag,
                       struct km_server **out)
{
    return open_with(options, diag, only_journal, out);
}

/* The last flush of what is lazy; a failure is said by the store and loses nothing that was promised. */
static void flush(struct km_server *server)
{
    struct st_change *change;
    size_t n;

    if (server->contacts && server->seen && st_change_open(server->store, &change) == KLM_OK) {
        if (dt_contacts_flush(server->contacts, change, SIZE_MAX, &n) == KLM_OK &&
            dt_seen_flush(server->seen, change, SIZE_MAX, &n) == KLM_OK) {
            KLM_IGNORE(st_change_commit(&change, NULL));
        }
        st_change_drop(&change);
    }
    while (server->served && km_served_count(server->served) > 0 &&
           km_served_flush(server) == KLM_OK) {
    }
    KLM_IGNORE(st_checkpoint(server->store, 0, 0));
}

void km_close(struct km_server **server)
{
    struct km_server *s = *server;

    if (!s) {
        return;
    }
    *server = NULL;
    km_pass_end(s);
    km_checkpoint_end(s);
    klm_workers_free(&s->client_workers);
    klm_workers_free(&s->workers);
    km_writer_stop(s);
    if (s->store) {
        flush(s);
    }
    km_views_stop(s);
    km_auditor_stop(s);
    smf_held_close(&s->held);
    if (s->journal) {
        km_tell_close(s);
        km_checkpoint_now(s);
    }
    km_sinks_close(s);
    smf_journal_close(&s->journal);
    km_streams_free(&s->streams);
    dt_contacts_free(&s->contacts);
    dt_seen_free(&s->seen);
    km_credentials_free(&s->credentials);
    dt_table_free(&s->drives);
    dt_clients_free(&s->clients);
    pr_set_free(&s->profiles);
    km_state_put(&s->state);
    km_cache_free(&s->cache);
    km_served_free(&s->served);
    st_close(&s->store);
    kr_master_free(&s->master);
    p11_close(&s->p11);
    p11_close(&s->backup_p11);
    pthread_rwlock_destroy(&s->state_lock);
    pthread_mutex_destroy(&s->config_lock);
    pthread_mutex_destroy(&s->checkpoints.lock);
    pthread_mutex_destroy(&s->drills.lock);
    km_callers_end(&s->callers);
    km_strangers_end(&s->strangers);
    km_switched_free(&s->switched);
    km_backup_end(&s->backup);
    pthread_mutex_destroy(&s->auditor.lock);
    pthread_cond_destroy(&s->auditor.wake);
    free(s);
}

struct klm_workers *km_workers(struct km_server *server)
{
    return server->workers;
}

struct klm_workers *km_client_workers(struct km_server *server)
{
    return server->client_workers;
}

struct st_store *km_store(struct km_server *server)
{
    return server->store;
}

struct kr_master *km_master(struct km_server *server)
{
    return server->master;
}

struct smf_journal *km_journal(struct km_server *server)
{
    return server->journal;
}

void km_task_set(struct km_server *server, km_task_info_fn *fn, void *arg)
{
    server->task_info = fn;
    server->task_arg = arg;
}

void km_on_refresh(struct km_server *server, km_refreshed_fn *fn, void *arg)
{
    server->refreshed = fn;
    server->refreshed_arg = arg;
}

void km_on_control(struct km_server *server, km_control_fn *fn, void *arg)
{
    server->control = fn;
    server->control_arg = arg;
}

void km_control(struct km_server *server, const char *what)
{
    if (server->control) {
        server->control(server->control_arg, what);
    }
}
