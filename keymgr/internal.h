/* What the files of keymgr share: the server's insides, the pipeline's stages and the steps named in verbs.def. */
#ifndef KEYMGR_INTERNAL_H
#define KEYMGR_INTERNAL_H

#include "base/secret.h"
#include "keymgr/km.h"
#include "keymgr/strangers.h"
#include "metadata/group.h"
#include "metadata/keygroups.h"
#include "metadata/object.h"

#include "keyring/p11/p11.h"
#include "smf/held.h"
#include "smf/sign.h"

#include <pthread.h>
#include <time.h>

#define KM_BATCH                                                                                   \
    32 /* changes in one transaction, at most (reference: 6 to 10 times as many durable puts) */
#define KM_QUEUE_MAX 4096 /* changes that may wait for the writer */
#define KM_WORKER_QUEUE 8192
#define KM_AUDIT_QUEUE 8192     /* finished calls and events that may wait for the audit thread */
#define KM_ROW_EVENTS 256       /* events of one outbox row, at most */
#define KM_MORE_MAX (64u << 20) /* bytes of further events of one call */
#define KM_OUTBOX 1024          /* outbox rows that may wait for the journal to be on disk */

/* The writer's queue; the writer is the only thread that changes the store. */
struct km_writer {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards the queue below */
    pthread_cond_t wake;
    struct km_call *head, **tail;
    size_t waiting;
    atomic_bool stop;
    /* The writer's own */
    uint64_t usage_last; /* number of the newest key usage event */
    struct {
        uint64_t row, seq; /* an outbox row, and the journal's number of its last event */
    } outbox
        [KM_OUTBOX]; /* rows that wait to be deleted, oldest first from outbox_first on, as a ring */
    size_t outbox_first, outbox_n;
    uint64_t outbox_gone; /* events up to here have no row any more; 0: the journal knows */
    bool behind; /* the journal refused events: rows are found by a scan until it takes them */
    uint64_t last_flush;  /* monotonic ms of the last lazy flush */
    uint64_t last_idle;   /* and of the last work of quiet moments */
    bool index_left;      /* key usage events wait to be indexed */
    uint64_t last_served; /* the last flush of objects that were served */
    bool served_left;
    bool told; /* the writer's own: that the store takes no more changes was said */
};

/* The audit thread (auditor.c): finished calls that may not write on their loop, and events that are no verb. */
struct km_auditor {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct km_queued *head, **tail;
    size_t waiting;
    bool idle, stop, called;
    atomic_bool asleep;     /* it does not look at held events by itself */
    struct km_round *round; /* the thread's own */
    /* Audit that could not be written: told when it works again. */
    bool trouble;
    klm_time since;
    klm_rc why;
    uint64_t unwritten;
};

/* Checkpoints of the journal (checkpoint.c). Guarded by the lock. */
struct km_checkpoints {
    pthread_mutex_t lock;
    struct klm_job job;
    bool ended;         /* the workers go away */
    atomic_bool busy;   /* the job is with the workers */
    uint64_t from;      /* the first record that the next one names */
    uint64_t own;       /* number of the last checkpoint's own record, 0: of none that is known */
    uint64_t made_ms;   /* monotonic, when it was made */
    uint64_t failed_ms; /* when it failed last, 0 not since */
    uint64_t said_ms;   /* when that was said last */
};

/* Backups of this server (backup.c). Guarded by the lock. */
struct km_backup {
    pthread_rwlock_t users; /* held for reading while ops are called */
    const struct km_backup_ops *ops;
    void *arg;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t changed;     /* the last change of keys, rings or drives */
    uint64_t last;        /* the last change in the last good backup */
    struct km_backup_info info;
};

/* The thread that moves key tokens to another master key (master_pass.c). */
struct km_pass {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool running, ended, stop;
};

struct km_views;

/* What a file looked like when it was read or written last. */
struct km_seen {
    bool there;
    uint64_t dev, ino;
    int64_t size;
    struct timespec mtime;
};

/* What a secondary served (secondary.c). */
struct km_secondary {
    _Atomic klm_time since; /* 0: it does not serve */
    atomic_uint_fast64_t keys, writes;
};

/* How many drills partners began within an hour (drill.c). */
struct km_drills {
    pthread_mutex_t lock; /* guards what follows */
    struct km_drills_of {
        char name[65];
        uint64_t since; /* monotonic ms; 0: free */
        int64_t n;
    } of[16];
};

/* Unknown certificates that were noted lately (callers.c). */
struct km_caller {
    char fingerprint[DT_FINGERPRINT_MAX]; /* "": a free place */
    char address[64];
    bool newcomer; /* it was not on the list */
    klm_time when;
};
struct km_callers {
    pthread_mutex_t lock; /* guards what follows */
    struct km_caller at[160];
    uint64_t untold; /* calls that were not noted and not told */
};

struct km_server {
    struct km_options options;
    pthread_rwlock_t
        state_lock; /* guards the pointers state, drives, clients and profiles; held for a pointer copy only */
    pthread_mutex_t config_lock; /* one change of the configuration at a time */
    struct km_state *state;
    struct dt_table *drives;
    struct dt_clients *clients; /* as profiles */
    struct pr_set *profiles;    /* guarded by state_lock, too; swapped by the writer alone */
    char login[65];             /* the user the process runs as, in upper case */
    struct p11 *p11;            /* PKCS#11 token; NULL: none is configured */
    struct p11 *backup_p11;     /* the token of backups, where it is another one */
    struct p11_uri backup_uri;  /* and its names with the key's; token "": none */
    struct kr_master *master;
    struct st_store *store;
    struct smf_journal *journal;
    struct smf_text *text;
    struct smf_dataset_sink *smf;  /* NULL: Audit.smf is off, or nothing is to be recorded */
    struct smf_signer sink_signer; /* of sinks with checkpoints */
    struct smf_syslog *syslog;     /* NULL: Audit.isSyslog is false */
    struct klm_workers *workers;
    struct klm_workers *client_workers; /* of what clients of KMIP ask for */
    struct dt_contacts *contacts;
    struct dt_seen *seen; /* last contacts of clients */
    struct km_callers callers;
    struct km_strangers strangers;
    struct km_credentials *credentials;
    struct km_writer writer;
    struct km_auditor auditor;
    struct km_checkpoints checkpoints;
    struct km_backup backup;
    struct km_switched
        *switched;        /* a restore that took effect and is not recorded yet; NULL: none */
    atomic_uint sessions; /* numbers given */
    bool ended_in_order;  /* the run before; offline: nothing but tools since */
    uint64_t opened_at;   /* last sequence number of the journal when it was opened */
    bool opened;          /* all of it */
    struct km_views *views;
    struct km_pass pass;
    struct km_seen
        table_seen; /* filedrive.table as the server knows it; guarded by the lock of views */
    struct km_seen groups_seen; /* the same of keygroups.xml */
    bool audit_refuse;          /* Audit.failure.action=refuse */
    bool audit_sync;            /* Audit.sync=always */
    struct smf_held *held;      /* NULL: every answer waits for the journal */
    km_task_info_fn *task_info;
    void *task_arg;
    km_refreshed_fn *refreshed;
    void *refreshed_arg;
    struct km_drills drills;
    struct km_secondary secondary;
    struct km_streams *streams; /* KMIP operations in parts */
    struct km_cache *cache;     /* of managed objects */
    struct km_served *served;   /* those of them that are fresh no longer */
    struct km_partner_ops partner;
    void *partner_arg;
    km_control_fn *control;
    void *control_arg;
    klm_time started;
};
/* How many workers of each kind a server has (server.threads.workers; 0: one for each core). */
unsigned km_worker_count(const struct parm_config *config);

/* secondary.c */
/* A call is about to be answered: if it gave a key out at a secondary, say so once. Any thread; never blocks. */
void km_secondary_note(struct km_call *call);
/* What was written here has gone to a partner. */
void km_secondary_home(struct km_server *server, const char *partner);
/* Rows of the status. */
klm_rc km_secondary_rows(struct km_call *call) KLM_MUST_USE;
/* partner.c: a verb whose work goes out to a partner, by what the task set */
klm_rc km_partner_hand_out(struct km_call *call, km_partner_fn *fn) KLM_MUST_USE;
/* partner_tls.c */
/* Rings and contexts for partners, as far as they are configured. What is wrong with them keeps nobody from serving keys: it is said
 * and stays in state->partner.why. */
void km_partner_load(struct km_server *server, struct km_state *state, struct st_view *view);
void km_partner_unload(struct km_state *state);
/* state.c: a ring by the value of its property. */
klm_rc km_state_ring(struct km_server *server, struct st_view *view, const char *value,
                     struct klm_diag *diag, struct kr_open_ring **out) KLM_MUST_USE;

/* server.c, state.c */
klm_rc km_state_load(struct km_server *server, struct parm_config *take_config,
                     struct klm_diag *diag, struct km_state **out) KLM_MUST_USE;
/* The state in force with its rings open, also while the task is down; no TLS context. Only for the caller. */
klm_rc km_state_open_rings(struct km_server *server, struct km_state **out) KLM_MUST_USE;
/* Put a new state in force; takes it over. Tells the task. */
void km_state_swap(struct km_server *server, struct km_state *take_state);
/* Is this state still the one in force? */
bool km_state_current(struct km_server *server, const struct km_state *state);
/* The same for the drive table. */
void km_drives_swap(struct km_server *server, struct dt_table *take_table);

/* clients.c: the clients of the store into the snapshot, with a message when that fails. */
klm_rc km_clients_load(struct km_server *server, struct klm_diag *diag) KLM_MUST_USE;
/* On the writer, before what a call does: a client that is gone by then, is being deleted or is in another group than when its request came may change nothing; what it made would outlive
 * its deletion. KLM_E_DENIED with a message. */
klm_rc km_client_still(struct km_call *call, struct st_change *change) KLM_MUST_USE;
/* Rows of the status, clients.c and clients_pending.c. */
klm_rc km_clients_rows(struct km_call *call) KLM_MUST_USE;
klm_rc km_clients_pending_row(struct km_call *call) KLM_MUST_USE;
/* clients_delete.c: keys of ST_META of requests to delete; they speak of this server alone. */
#define KM_DELETE_PREFIX "delete."
/* clients_purge.c: go on with what was being deleted. */
void km_purge_resume(struct km_server *server);
/* credential.c */
klm_rc km_credentials_new(struct km_credentials **out) KLM_MUST_USE;
void km_credentials_free(struct km_credentials **all);
/* callers.c: may a certificate be noted now? It is, on KM_NOTED_NOW. */
enum km_noted { KM_NOTED_NOW, KM_NOTED_ALREADY, KM_NOTED_NOT };
void km_callers_init(struct km_callers *callers);
void km_callers_end(struct km_callers *callers);
enum km_noted km_callers_note(struct km_callers *callers, const struct km_caller *one);
/* Calls that were not noted since this was asked last. */
uint64_t km_callers_untold(struct km_callers *callers);
/* The host of an address with a port. */
void km_host_of(const char *address, char *out, size_t cap);

/* access.c: profiles at work. The sets: what is in force (referenced), from the store, put in force (taken over). */
struct pr_set *km_profiles(struct km_server *server);
klm_rc km_profiles_load(struct st_view *view, const struct pr_set *old, unsigned mask,
                        struct pr_set **out) KLM_MUST_USE;
void km_profiles_swap(struct km_server *server, struct pr_set *take_set);
/* Those at a start, before the rings; says which classes are inactive. */
klm_rc km_profiles_open(struct km_server *server, struct klm_diag *diag) KLM_MUST_USE;
/* For apply: compile the classes of the mask from the change as it stands; km_profiles_publish puts them in force. */
klm_rc km_profiles_compile(struct km_call *call, struct st_change *change, unsigned mask)
    KLM_MUST_USE;
/* The decisions (access.def). Each refuses with KLM_E_DENIED and a message that names profile and access: before a verb, for a key once a step
 * knows it (token_label may be ""), for a ring, and for a ring that the task itself is to serve. */
klm_rc km_access_check(struct km_call *call) KLM_MUST_USE;
klm_rc km_access_key(struct km_call *call, const char *token_label, const char *label) KLM_MUST_USE;
/* For a resource that only a step knows. */
klm_rc km_access_resource(struct km_call *call, enum pr_class class, const char *resource,
                          enum pr_access access) KLM_MUST_USE;
klm_rc km_access_ring(struct km_call *call, const char *owner, const char *ring) KLM_MUST_USE;
klm_rc km_access_task_ring(struct km_server *server, const struct pr_set *set, const char *owner,
                           const char *ring, struct klm_diag *diag) KLM_MUST_USE;
/* User and group that the task runs as: of its STARTED profile, else the process's user and "". Borrowed of the set or the server. */
void km_task_user(const struct km_server *server, const struct pr_set *set, const char **user,
                  const char **group);
/* hardware.c: the PKCS#11 token.
 * Fork its spawner and log in, when the configuration names a library. A token that is not there keeps the task from starting only if the master
 * key is in it. */
klm_rc km_hardware_open(struct km_server *server, const struct parm_config *config,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Open the master key of a file, with the token if it is in one. */
klm_rc km_hardware_master(struct km_server *server, const struct parm_config *config,
                          const char *path, struct klm_diag *diag) KLM_MUST_USE;
/* Rows of the status: where the master key is, and the token. */
klm_rc km_hardware_rows(struct km_call *call) KLM_MUST_USE;
/* An operator asked for a refresh: whatever keeps the token away may be repaired. */
void km_hardware_retry(struct km_server *server);

/* master.c, master_files.c, master_pass.c: change of the master key.
 * Know the keys of FILE.next and FILE.old too. */
void km_master_know_files(struct km_server *server, const struct parm_config *config);
/* A change that was confirmed goes on: seal under its key. KLM_E_NOTFOUND: its file is not there. */
klm_rc km_master_resume(struct km_server *server, struct klm_diag *diag) KLM_MUST_USE;
/* A row of the status, while one is requested or goes on. */
klm_rc km_master_rows(struct km_call *call) KLM_MUST_USE;
void km_pass_init(struct km_pass *pass);
/* Start the pass if a change goes on, or another key is known. */
void km_pass_resume(struct km_server *server);
void km_pass_end(struct km_server *server);

/* writer.c */
klm_rc km_writer_start(struct km_server *server) KLM_MUST_USE;
void km_writer_stop(struct km_server *server);
/* Queue a prepared call. KLM_E_LIMIT when too many wait. */
klm_rc km_writer_submit(struct km_server *server, struct km_call *call) KLM_MUST_USE;
/* One batch, in the caller's thread: offline tools. */
void km_writer_batch(struct km_server *server, struct km_call *list);
/* outbox.c: audit events on their way from the store to the journal */
struct km_events {
    struct klm_buf row; /* length, event, ... as it stands in the outbox */
    size_t n;
};
klm_rc km_events_add(struct km_events *events, struct km_call *call) KLM_MUST_USE;
/* Take as many of a call's further events as a row has room for; *taken is how many bytes. */
void km_events_fit(struct km_events *events, struct klm_slice more, size_t *taken);
/* Append the events of a row that is on disk; remembers to delete it later. */
void km_outbox_journal(struct km_server *server, uint64_t row, struct klm_slice bytes);
/* Bring every row to the journal, those that are there already passed over, and delete all: at start, and after the journal failed. */
klm_rc km_outbox_recover(struct km_server *server) KLM_MUST_USE;
/* Delete rows whose events the journal has on disk; call km_outbox_purged with *n once the change is committed,
 * and km_outbox_durable once it is on disk. */
klm_rc km_outbox_purge(struct km_server *server, struct st_change *change, size_t *n) KLM_MUST_USE;
void km_outbox_purged(struct km_server *server, size_t n);
/* The journal need not remember events whose rows are gone for good. Not before: after a power loss a row that was deleted without
 * waiting for the disk is back, and its events would be written twice. */
void km_outbox_durable(struct km_server *server);
klm_rc km_outbox_put(struct st_change *change, uint64_t row, struct klm_slice bytes) KLM_MUST_USE;

/* batch.c: the call of a chain failed when it came to it, and so do all: those that had not, with a message that says so. A chain of one stays as it is. */
void km_batch_conflict(struct km_call *chain, const struct km_call *failed);

/* run.c */
/* Is the call to be carried out? Rights, profiles, parameters, and whether audit works. */
klm_rc km_admit(struct km_call *call) KLM_MUST_USE;
/* The end of every call: audit of what the writer did not record, then done. */
void km_finish(struct km_call *call);
/* Its last part, on any thread: rc tells whether its event is written. */
void km_settle(struct km_call *call, klm_rc rc);
/* Answers of a batch, posted to each call's loop. */
void km_deliver(struct km_call *call);
/* The same behind the call's own last step, on a worker. */
void km_answer(struct km_call *call);

/* audit.c */
/* The thread line of the text record for what an actor does: "KeyServing", "Partner", "KMIP", "Console". */
const char *km_thread_text(enum km_actor_kind kind);
/* Fill the parts of a call's event that are the same for all verbs. */
void km_event_complete(struct km_call *call);
/* Append to the journal, behind what is held. Blocks as smf_journal_append does, and answers the same. */
klm_rc km_journal_append(struct km_server *server, struct smf_entry *entry, size_t n) KLM_MUST_USE;
/* Put the event of a call that is over where a kill cannot lose it, without waiting (smf/held.h). False: it has to go to the journal before the answer leaves, or there is no room. Any
 * thread. */
bool km_audit_hold(struct km_call *call);
/* Append a call's events to the journal and, by configuration, wait for the disk. */
klm_rc km_audit_call(struct km_call *call) KLM_MUST_USE;
/* "+hh:mm" at a moment. */
void km_event_offset(klm_time time, char out[8]);
/* Append events that stand one behind the other with their lengths before them; numbered from first_no on, or 0: events of no
 * change. *seq becomes the last number given, if any was. */
klm_rc km_audit_row(struct km_server *server, struct klm_slice events, uint64_t first_no,
                    uint64_t *seq) KLM_MUST_USE;
/* n events could not be written (0: only late). Any thread; the audit thread tells when audit works again. */
void km_audit_trouble(struct km_server *server, uint64_t n, klm_rc why);
/* Events that could not be written and are not told yet. */
uint64_t km_audit_unwritten(struct km_server *server);

/* auditor.c */
void km_auditor_init(struct km_auditor *auditor);
klm_rc km_auditor_start(struct km_server *server) KLM_MUST_USE;
/* Write what waits, then end; what is asked of it later is done by the caller. */
void km_auditor_stop(struct km_server *server);
/* Hand a finished call or an event over. KLM_E_LIMIT: too many wait; KLM_E_STATE: there is no audit thread. */
klm_rc km_auditor_put(struct km_server *server, struct km_queued *queued) KLM_MUST_USE;
/* Events are held: the audit thread takes them soon. Any thread; waits for nothing. */
void km_auditor_wake(struct km_server *server);
/* The same for an encoded event that nobody waits for. */
klm_rc km_audit_queue(struct km_server *server, struct klm_slice event) KLM_MUST_USE;

/* events.c: events that are no verb */
#define KM_DRIVE_TEXT 512
/* The event of news, borrowing from it; text and offset are the caller's. */
void km_news_event(const struct km_news *news, char text[512], struct smf_event *event);
/* A further event of a call, written with the call's own and only if it succeeds. What there is no room for is counted. KLM_E_NOMEM. */
klm_rc km_more(struct km_call *call, const struct km_news *news) KLM_MUST_USE;
/* An event with its length before it, as a row of the outbox has it. */
klm_rc km_news_row(const struct km_news *news, struct klm_buf *row) KLM_MUST_USE;
/* News of a drive that a file changed; before or after may be NULL. old and now are the caller's. */
struct km_news km_drive_news(const struct dt_drive *before, const struct dt_drive *after,
                             char old[KM_DRIVE_TEXT], char now[KM_DRIVE_TEXT]);
/* One for each property that differs. */
klm_rc km_more_config(struct km_call *call, const struct parm_config *from,
                      const struct parm_config *to) KLM_MUST_USE;
/* config.c. Replace the configuration file; a link to it stays one. */
klm_rc km_config_write(const char *name, struct klm_slice text, struct klm_diag *diag) KLM_MUST_USE;
/* Put call->new_state in force, which the file has already; what another call put into the file meanwhile counts too. */
void km_config_swap(struct km_call *call);
/* For a dt_listener: one for each drive that a file changed; arg is the call. */
klm_rc km_more_group(void *call, const char *group, const char *how) KLM_MUST_USE;
klm_rc km_more_drive(void *call, const struct dt_drive *before, const struct dt_drive *after)
    KLM_MUST_USE;
/* events_run.c: events of the server's own start and end.
 * Take an operator's edit of the drive table over at start: the change and its events are committed together. */
klm_rc km_edit_start(struct km_server *server, const struct km_edit *edit, struct klm_diag *diag)
    KLM_MUST_USE;
/* A property's value in an event; secret ones as stars, NULL when it has none. */
const char *km_property_shown(const struct parm_config *config, enum parm_id id);
/* A drive in an event, in text. */
const char *km_drive_text(const struct dt_drive *drive, char out[KM_DRIVE_TEXT]);
/* What the start of the server tells: how the run before ended (asked before anything is appended), what was recovered, the
 * configuration. */
klm_rc km_tail_look(struct km_server *server, const char *folder) KLM_MUST_USE;
klm_rc km_tell_open(struct km_server *server, const struct parm_config *config,
                    struct klm_diag *diag) KLM_MUST_USE;
klm_rc km_tell_start(struct km_server *server) KLM_MUST_USE;
/* And its end. */
void km_tell_close(struct km_server *server);

/* checkpoint.c */
/* Signs with the private key of Audit.checkpoint.label; arg of out is the server. */
void km_signer(struct km_server *server, struct smf_signer *out);
/* Make a checkpoint when one is due: now and then, on the audit thread, which hands it to a worker. */
void km_checkpoint_look(struct km_server *server);
/* From here on none is handed to the workers. */
void km_checkpoint_end(struct km_server *server);
/* Make one now, if there were records since the last. */
void km_checkpoint_now(struct km_server *server);

/* backup.c */
void km_backup_init(struct km_backup *backup);
void km_backup_end(struct km_backup *backup);
/* Read what the store says of backups. */
klm_rc km_backup_load(struct km_server *server) KLM_MUST_USE;
/* Before a commit: does the change, which gets this number, need a backup? Notes it in the change. */
klm_rc km_backup_note(struct st_change *change, uint64_t number, bool *noted) KLM_MUST_USE;
/* After it. */
void km_backup_noted(struct km_server *server, uint64_t number);
/* Rows of the status. */
klm_rc km_backup_rows(struct km_call *call) KLM_MUST_USE;

/* switch.c: finish or undo a switch that was interrupted. *finished: the configuration may be another one now. */
klm_rc km_switch_recover(const struct parm_config *config, struct klm_diag *diag,
                         struct km_switched **finished) KLM_MUST_USE;
/* Refuse (KLM_E_BUSY) while another process replaces the state; asked when the store is open. */
klm_rc km_switch_ask(const struct parm_config *config, struct klm_diag *diag) KLM_MUST_USE;
/* Record it, then forget it. */
klm_rc km_switch_tell(struct km_server *server, const struct parm_config *config,
                      struct klm_diag *diag) KLM_MUST_USE;
void km_switched_free(struct km_switched **switched);

/* views.c: files that operators know */
klm_rc km_views_start(struct km_server *server, struct klm_diag *diag) KLM_MUST_USE;
void km_views_stop(struct km_server *server);
/* Something changed: write within a second. usage_events counts towards cachecount. */
void km_views_drives(struct km_server *server);
/* Key groups or their aliases changed; only their turns did: within a minute. */
void km_views_groups(struct km_server *server);
void km_views_turns(struct km_server *server);
/* Only contact dates changed: within a minute. */
void km_views_contacts(struct km_server *server);
void km_views_usage(struct km_server *server, size_t usage_events);
/* An operator's edit of filedrive.table: read off the writer (start, prepare of a refresh), merged in a change, and then forgotten, so that the view may be
 * written again. A file that nobody edited makes an empty edit; a damaged one is set aside at start and refused (KLM_E_INVALID) at a refresh. */
struct km_edit {
    struct dt_file *file; /* NULL: nothing to merge */
    struct klm_buf base;  /* text of the generation that the edit began with */
    struct km_seen seen;
    char table[4096];
    struct md_groups_file *groups; /* of keygroups.xml; NULL: nothing to merge */
    struct klm_buf groups_base;
    struct km_seen groups_seen;
};
klm_rc km_edit_read(struct km_server *server, const struct parm_config *config,
                    struct klm_diag *diag, struct km_edit **out) KLM_MUST_USE;
klm_rc km_edit_merge(const struct km_edit *edit, struct st_change *change,
                     const struct dt_listener *listener) KLM_MUST_USE;
/* The same of keygroups.xml; told hears of each group. */
klm_rc km_edit_merge_groups(const struct km_edit *edit, struct st_change *change,
                            md_group_told_fn *told, void *arg) KLM_MUST_USE;
void km_edit_taken(struct km_server *server, const struct km_edit *edit);
void km_edit_free(struct km_edit **edit);

/* sinks.c: text log, SMF data sets, syslog */
/* Where a sink without a place of its own begins (Audit.begin); the text log is open. */
struct smf_begin km_sinks_begin(struct km_server *server, const struct parm_config *config);
klm_rc km_sinks_open(struct km_server *server, const struct parm_config *config,
                     struct klm_diag *diag) KLM_MUST_USE;
/* Bring out what the journal holds, within Audit.handler.file.threadlifespan, and close. */
void km_sinks_close(struct km_server *server);
/* A row for each in the status: its place, what it is behind by, and what is wrong. */
klm_rc km_sinks_rows(struct km_call *call) KLM_MUST_USE;

/* syslog.c: audit events to a syslog receiver, when Audit.isSyslog is true (else nothing is opened, and that is no failure). Failures
 * come with a message: a plug-in that cannot be loaded, a ring without the certificate named. */
klm_rc km_syslog_open(struct km_server *server, const struct parm_config *config,
                      struct klm_diag *diag) KLM_MUST_USE;
/* Send what the journal holds, for at most so many milliseconds, and close. */
void km_syslog_close(struct km_server *server, unsigned ms);
/* The sink, for status; NULL: there is none. */
struct smf_sink *km_syslog_sink(struct km_server *server);

/* watch.c: certificates that expire, a clock that jumps */
struct km_watch {
    bool started;
    klm_time offset; /* wall clock less monotonic clock, when last looked at */
    int64_t day;
};
void km_watch(struct km_server *server, struct km_watch *watch);
/* Say what expired or will within 90 days (first), or reaches one of the days at which it is said again. */
void km_watch_certificates(const struct km_state *state, bool first);

/* certs.c: what the verbs on certificates share */
struct km_new_cert {
    struct kr_cert cert;
    struct klm_slice token; /* of the new private key; empty: none was made */
    bool returned;          /* it takes the place of the one of that label */
};
/* packages.c: a certificate stands under the label of a new one that came without a private key. Is the new one the answer to its request, for the same key and
 * subject, then it is marked as returned; else the call is refused. */
klm_rc km_cert_return(struct km_call *call, const struct kr_cert *old, struct km_new_cert *made)
    KLM_MUST_USE;
/* A certificate that is made or added, or asked for with an end: not for more years than maximum.keycert.expiration.period.in.years. */
klm_rc km_cert_period(struct km_call *call, const char *label, klm_time not_after) KLM_MUST_USE;
/* There is no such certificate. */
klm_rc km_cert_missing(struct km_call *call, const char *owner, const char *label);
/* The private key of a certificate, opened, if profiles let it be used; none is the message when it is not here. */
klm_rc km_cert_key(struct km_call *call, struct st_view *view, const struct kr_cert *cert,
                   enum klm_msg_id none, struct kr_key **out) KLM_MUST_USE;
/* The label of a new private key: that of the request, else one of its own. NULL: no random numbers, or no memory. */
const char *km_token_label(struct km_call *call);
klm_rc km_token_seal(struct km_call *call, const char *label, const struct kr_key *key,
                     struct klm_slice *out) KLM_MUST_USE;
klm_rc km_cert_put(struct km_call *call, struct st_change *change, const struct kr_cert *cert)
    KLM_MUST_USE;
/* A certificate and the token of its private key come into the store together. */
klm_rc km_cert_new_apply(struct km_call *call, struct st_change *change,
                         const struct km_new_cert *made) KLM_MUST_USE;
/* Delete the token of a private key unless a certificate uses it. */
klm_rc km_token_drop(struct st_change *change, const char *token_label) KLM_MUST_USE;
/* The newest volume that was written with a label; "" none. */
klm_rc km_label_volume(struct st_view *view, const char *label, char volser[7]) KLM_MUST_USE;

/* labels.c: which labels a write uses: the drive's, else its aliases, else the defaults (PROTOCOL.md, labels). */
struct km_labels {
    struct kx_label name[KX_EEDKS];
    const struct kr_label *key[KX_EEDKS];
    size_t n;
};
klm_rc km_labels_choose(struct km_call *call, const char *serial, const struct kx_label *given,
                        size_t given_n, struct km_labels *out) KLM_MUST_USE;

/* key_serve.c: what the verbs that give keys to drives share.
 * Who asks, for which volume: checks the drive against the table and serves.def, and fills the event. */
klm_rc km_serve_describe(struct km_call *call, const char *serial, const char *volser) KLM_MUST_USE;
/* The labels in call->keyed into the event. */
void km_serve_labels(struct km_call *call);
/* One usage event of a write, with the key identifier that the event has. */
klm_rc km_serve_usage(struct km_call *call, struct st_change *change) KLM_MUST_USE;

/* groups.c: what verbs of stored keys share.
 * A range as typed, refused with a message when it is none. */
klm_rc km_alias_run(struct km_call *call, const char *typed, struct klm_alias_run *out)
    KLM_MUST_USE;
/* Is there a stored key of this alias? KLM_E_NOTFOUND. */
klm_rc km_key_there(struct st_view *view, const char *alias) KLM_MUST_USE;
/* Stored keys may be made, and given out for writes: requireHardwareProtectionForSymmetricKeys. */
klm_rc km_key_hardware(struct km_call *call, const char *alias) KLM_MUST_USE;

/* tokens.c: no other stored key has the key identifier of this label. */
klm_rc km_key_twin(struct km_call *call, struct st_view *view, const char *label) KLM_MUST_USE;

/* key_stored.c: say which names of symmetricKeySet lead nowhere. */
void km_keyset_look(struct km_server *server, const struct parm_config *config);

/* Steps named in verbs.def. */
#include "keymgr/steps.h"

#endif
