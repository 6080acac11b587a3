/* The verbs. Whatever the door, a request is a verb: a row of verbs.def with its right, its typed parameters and up to three pure steps that
 * km_run chains, the same for all, also on refusal and failure:
 *   prepare  on the caller's loop or on a worker: snapshot reads, crypto;
 *   apply    on the writer: reads and puts only, in a transaction shared with its neighbours;
 *   publish  on the writer after the batch is on disk: swaps what is in memory.
 * The answer goes back when the change and its audit event are on disk. Doors translate; they decide nothing. */
#ifndef KEYMGR_KM_H
#define KEYMGR_KM_H

#include "base/loop.h"
#include "base/msg.h"
#include "base/pool.h"
#include "drivetable/clients.h"
#include "drivetable/dt.h"
#include "exchange/kx.h"
#include "keyring/kr.h"
#include "metadata/md.h"
#include "parmlib/parm.h"
#include "profile/pr.h"
#include "smf/smf.h"
#include "store/st.h"

#include <stdatomic.h>
#include <sys/types.h>

struct km_server;
struct km_call;
struct km_edit;

/* ---- Who asks, and what he may do (rights.def) */
enum km_actor_kind {
    KM_ACTOR_SYSTEM,
    KM_ACTOR_OPERATOR,
    KM_ACTOR_DRIVE,
    KM_ACTOR_PARTNER,
    KM_ACTOR_CLIENT /* of KMIP */
};
enum km_role {
    KM_ROLE_SECADMIN = 1,
    KM_ROLE_OPERATOR = 2,
    KM_ROLE_AUDITOR = 4,
    KM_ROLE_BACKUP = 8,
    KM_ROLE_DRIVE = 16,
    KM_ROLE_SYSTEM = 32,
    KM_ROLE_ANYONE = 64,
    KM_ROLE_PARTNER = 128,
    KM_ROLE_OFFICER = 256,
    KM_ROLE_CLIENT = 512
};
enum km_right {
#define KM_RIGHT(name, text, roles) name,
#include "keymgr/rights.def"
#undef KM_RIGHT
    KM_RIGHTS
};
struct km_actor {
    enum km_actor_kind kind;
    unsigned roles;   /* km_role bits */
    const char *name; /* user, drive serial number, label of a partner, name of a client, "ISKLM" */
    const char *address;     /* "192.0.2.7:40022", "console" or "" */
    const char *fingerprint; /* of the certificate shown, or "" */
    const char *session;     /* its number (km_session_number), or NULL */
    const char *request;     /* what the server calls the request, or NULL */
    const char *correlation; /* what the client says of it, or NULL */
    const char *groups;      /* of an operator, for profiles: upper case, by commas; or NULL */
    const char *group;       /* device group of a client, and of its objects; or NULL */
    bool may_destroy;        /* of a client: its group lets it destroy objects (enableKMIPDelete) */
    bool
        registered; /* a client that was found among those registered: what it changes is refused when it is gone by then */
    bool stranger;  /* nobody here, or not yet: there may be a flood of them (strangers.h) */
};
/* May the roles use the right? The one place that decides. */
bool km_may(unsigned roles, enum km_right right);
/* A right by its name in a property row ("CONFIG"). KLM_E_NOTFOUND. */
klm_rc km_right_find(const char *name, enum km_right *out) KLM_MUST_USE;
/* Roles of a socket peer by console.role.* of the configuration: user name and group names of uid and gid. */
unsigned km_roles_of(const struct parm_config *config, unsigned uid, unsigned gid);
/* The names of a user's groups as profiles know them: upper case, parted by commas; as many as out has room for. */
#define KM_GROUPS_MAX 4096
void km_groups_of(unsigned uid, unsigned gid, char out[KM_GROUPS_MAX]);

/* ---- Verbs */
enum km_verb_id {
#define KM_VERB(id, ...) id,
#include "keymgr/verbs.def"
#undef KM_VERB
    KM_VERBS
};
enum km_verb_flag {
    KM_READ = 0,    /* no apply */
    KM_CHANGE = 1,  /* has an apply */
    KM_WORKER = 2,  /* prepare may block or compute for long: on a worker */
    KM_CONFIG = 64, /* prepare changes configuration or rings: one at a time, on the newest state */
    KM_ACTS =
        16, /* prepare acts, or gives out a token: refused beforehand while audit cannot be written; on a
             * worker, its event is on disk before the answer leaves */
    KM_WAITS =
        128, /* prepare waits for another server, on the caller's own thread: never from a loop or a worker */
    KM_ANYWAY =
        32, /* not refused while audit cannot be written: an operator must be able to look and to stop */
    KM_TOKENS =
        256 /* prepare seals or opens a token: on a worker when the master key is asked for each one */
};
struct km_verb {
    const char *name;
    enum km_right right;
    unsigned flags;
    enum smf_kind kind; /* kind of its audit event */
    size_t request;     /* bytes of its request structure */
    klm_rc (*prepare)(struct km_call *call);
    klm_rc (*apply)(struct km_call *call, struct st_change *change);
    void (*publish)(struct km_call *call);
    const char *help;
};
const struct km_verb *km_verb(enum km_verb_id id);
/* Devices (serves.def): the verb that serves a message of a kind of device; when that kind has none, another kind's, whose body refuses the
 * device and is audited. KM_VERBS: the message is no request. */
enum km_verb_id km_verb_for(enum kx_type message, enum dt_kind kind);
/* May a device of this kind use the verb? */
bool km_verb_serves(enum km_verb_id id, enum dt_kind kind);

/* Has the verb a row for a class in access.def, or for any (PR_CLASSES)? */
bool km_asks_profiles(enum km_verb_id id, enum pr_class class);

/* ---- Events that are no verb (happenings.def): doors name what happened, the rest is filled in. */
enum km_happening {
#define KM_HAPPENING(id, ...) id,
#include "keymgr/happenings.def"
#undef KM_HAPPENING
    KM_HAPPENINGS
};
struct km_news {
    enum km_happening what;
    bool failed;                  /* its outcome */
    klm_time time;                /* 0: now */
    const struct km_actor *actor; /* NULL: the task itself */
    const char *object;           /* what it happened to, or NULL */
    const char *old, *now;        /* values before and after, or NULL */
    const char *auth_type;        /* way of authentication, or NULL */
    const struct klm_diag *why;   /* the message that says why, or NULL */
};
/* Its row: name and kind. */
const char *km_happening_name(enum km_happening what);
/* Record it soon: the audit thread writes it. Any thread, also a loop; never blocks. What cannot be written is counted and told
 * when audit works again. */
void km_happened(struct km_server *server, const struct km_news *news);
/* The same of a caller who is nobody here, or not yet: recorded while there is room for his address and for all (Audit.refusals.*), else counted and told in a sum. */
void km_happened_to_stranger(struct km_server *server, const struct km_news *news);
/* Record it now: it stands in the journal on return. May wait for the disk: not on a loop. */
klm_rc km_happened_now(struct km_server *server, const struct km_news *news) KLM_MUST_USE;
#define KM_SESSION_MAX 32
/* The name of the server in audit records (server.id), borrowed, as long as it is open. */
const char *km_server_name(const struct km_server *server);
/* The number of a new session of a drive or an operator, unique over restarts: "1318966508-17". */
void km_session_number(struct km_server *server, char out[KM_SESSION_MAX]);

/* ---- Parameters: typed, limited, set by name into the verb's request structure */
enum km_type { KM_T_STRING, KM_T_NUMBER, KM_T_FLAG, KM_T_BYTES };
enum km_param_flag {
    KM_P_REQUIRED = 1,
    KM_P_SECRET = 2,
    KM_P_OBJECT = 4, /* names the object of the event */
    KM_P_COUNT = 8   /* a number from 1 on */
};
struct km_param {
    enum km_verb_id verb;
    const char *name;
    enum km_type type;
    size_t max; /* characters or bytes; highest number */
    unsigned flags;
    size_t offset; /* in the request structure: const char *, int64_t, bool, struct klm_slice */
    const char *help;
};
/* Rows of params.def; n is how many. */
const struct km_param *km_params(size_t *n);
const struct km_param *km_param_find(enum km_verb_id verb, const char *name);
/* The first parameter of a verb (after NULL), and the next; NULL at the end. */
const struct km_param *km_param_next(enum km_verb_id verb, const struct km_param *after);

/* ---- Answers of listings: columns and rows of text, or named fields; the door lays them out */
struct km_rows {
    const char *title;         /* optional heading */
    const char *const *column; /* NULL-terminated column names */
    const char ***row;         /* rows of as many texts */
    size_t n, cap, columns;
};

/* ---- Requests, by verb */
struct km_none {
    char unused;
};
struct km_contact { /* KM_DRIVE_CONTACT */
    const char *serial, *wwn;
    int64_t kind;
    struct klm_slice cert; /* DER shown in TLS or in the message */
    struct klm_slice
        binding; /* exporter value that was signed; empty: the certificate came in TLS */
    struct klm_slice signature;
};
struct km_key_create { /* KM_KEY_CREATE, KM_DISK_CREATE; labels as the drive gave them */
    const char *serial, *volser;
    struct kx_label labels[KX_EEDKS];
    int64_t labels_n;
    const uint8_t *session_key; /* 32 bytes of the exporter */
};
struct km_key_get { /* KM_KEY_GET, KM_DISK_UNLOCK */
    const char *serial, *volser;
    struct klm_slice eedk[KX_EEDKS];
    int64_t eedk_n;
    const uint8_t *session_key;
};
struct km_key_translate { /* KM_KEY_TRANSLATE, KM_DISK_REWRAP */
    const char *serial, *volser;
    struct klm_slice eedk[KX_EEDKS];
    int64_t eedk_n;
    struct kx_label labels[KX_EEDKS];
    int64_t labels_n;
};
struct km_stored { /* KM_STORED_CREATE, KM_STORED_GET */
    const char *serial, *volser;
    uint8_t key_id[KX_KEY_ID]; /* of a get */
    const uint8_t *session_key;
};
struct km_keys_req {   /* KM_KEYS_CREATE, KM_KEYS_DELETE */
    const char *range; /* an alias or a range */
    const char *group;
    bool force; /* delete keys that volumes need, too */
};
struct km_group_req { /* KM_GROUP_... */
    const char *group, *source, *alias;
    const char *password; /* createkeygroup has it; nothing here is kept under it */
    bool wrap, nowrap, verbose;
};
struct km_client_req { /* KM_CLIENT_LIST, _ADD, _MODIFY, _DELETE, KM_CLIENT_PENDING_... */
    const char *name, *newname;
    const char *group; /* NULL: none, or of a change: as it is; "none": a group of its own */
    const char *label, *owner; /* its certificate stands in the store under these */
    struct klm_slice cert;     /* or it is this one, DER or PEM */
    const char *fingerprint;   /* of one that waits: its beginning, colons do not count */
    const char *user, *device; /* credentials that its messages have to carry; "": no longer */
    const char *password;      /* to be kept as a verifier */
    struct klm_slice
        once;    /* one-time passwords, a line each: they take the place of those that are left */
    bool hashed; /* the password may come hashed; with user and password */
    bool nopassword, noonce, replace, confirm, verbose;
    int64_t limit;
};
struct km_client_contact { /* KM_CLIENT_CONTACT */
    struct klm_slice cert; /* DER shown in TLS */
};
struct km_client_prove { /* KM_CLIENT_PROVE: what a message carried, of which each counts once */
    struct klm_slice once, hashed; /* p NULL: it carried none */
    int64_t timestamp,
        algorithm;      /* of the hashed one: microseconds since 1970; KMIP_HashingAlgorithm_... */
    uint8_t answer[64]; /* Server Hashed Password, answer_n bytes */
    size_t answer_n;
};
struct km_device_group_req { /* KM_DEVICE_GROUP_... */
    const char *name;
    const char *prefix, *kmip_delete;
    const char *attributes; /* "{enableKMIPDelete true}" */
    bool confirm;
};
struct km_purge_req { /* KM_CLIENT_PURGE: what is closed */
    const char *client, *group;
};
struct km_verify { /* KM_DRIVE_VERIFY */
    const char *serial;
};
struct km_drive_req { /* KM_DRIVE_ADD, _MODIFY, _DELETE, _LIST */
    const char *drivename, *rec1, *rec2, *symrec, *wwn, *kind;
    struct klm_slice cert; /* DER or PEM to pin */
    bool verbose;
    int64_t limit;
};
struct
    km_file_req { /* KM_DRIVE_EXPORT/IMPORT, KM_CONFIG_EXPORT/IMPORT: the bytes travel with the call, doors do the files */
    bool rewrite;
    struct klm_slice bytes;
};
struct km_migrate_req { /* KM_MIGRATE; a file that is not taken over is empty */
    struct klm_slice config, drives, groups, usage;
    bool dryrun;
};
struct km_pending_req { /* KM_PENDING_LIST, _ACCEPT, _REJECT */
    const char *drivename, *rec1, *rec2, *symrec;
    const char *fingerprint; /* the beginning of the certificate's, as listed */
    bool verbose;
};
struct km_config_req { /* KM_CONFIG_LIST, KM_CONFIG_SET */
    const char *property, *value;
    bool unset;
};
struct km_list_req { /* KM_KEYSTORE_LIST: list, listcerts */
    const char *alias;
    bool cert, key, keysym, verbose;
};
struct km_usage_req { /* KM_USAGE_QUERY */
    const char *volser, *alias, *drivename, *client;
    int64_t limit;
};
struct km_ring_req { /* KM_RING_ADD, _DELETE, _LIST, _CONNECT, _REMOVE */
    const char *owner, *ring;
    const char *cert_owner, *label, *usage;
    bool deflt;
};
struct km_cert_req { /* KM_CERT_GENERATE and the others on certificates */
    const char *owner, *label, *subject, *token_label;
    const char *type; /* "RSA", "NISTECC" */
    int64_t size;
    int64_t not_before, not_after; /* klm_time, 0: default */
    const char *sign_owner, *sign_label;
    const char *role; /* "LABEL", "CA", "SERVER", "CLIENT", "DRIVE", "PARTNER" */
    const char *hosts;
    const char *trust;      /* "TRUST", "NOTRUST", "HIGHTRUST" */
    const char *format;     /* "CERTDER", "CERTB64", "PKCS7DER", ... (kr_format_find) */
    const char *password;   /* of PKCS #12 */
    const char *new_label;  /* alter, rekey, rollover */
    bool force;             /* delete a private key that volumes need, too */
    bool hardware;          /* make the key pair in the PKCS#11 token */
    struct klm_slice bytes; /* certificate or request */
};
struct km_profile_req { /* KM_PROFILE_DEFINE, _ALTER, _DELETE, _PERMIT, _LIST */
    const char *class, *profile;
    const char *uacc, *owner;         /* NULL: NONE, who defines it; of alter: as they are */
    const char *user, *group, *trace; /* STDATA of class STARTED */
    const char *ids;                  /* permit: user and group names, parted by blanks or commas */
    const char *access;               /* NULL: READ */
    bool delete, reset;
};
struct km_class_req { /* KM_CLASS_SET; names of classes, parted by blanks or commas */
    const char *classact, *noclassact, *generic, *nogeneric, *raclist, *noraclist;
    bool refresh;
};
struct km_token_req { /* KM_TOKEN_WRITE (out to a file), KM_TOKEN_READ (in from a file) */
    const char *label;
    struct klm_slice bytes;
    bool overwrite;
};

struct km_keyset_req { /* KM_KEYSET_WRITE (out to a file), KM_KEYSET_READ (in from a file) */
    const char *after; /* alias behind which to begin; NULL: all */
    struct klm_slice bytes;
};

struct km_partner_contact { /* KM_PARTNER_CONTACT: the opening of another key server */
    struct klm_slice cert;  /* DER shown in TLS */
    int64_t version_min, version_max;
    const char *id, *role; /* server.id and partner.role there */
};
struct
    km_usage_page { /* KM_SYNC_USAGE_GIVE, _SENT: the page after a number, or after what the partner was sent */
    const char *partner;
    bool from_start;
    uint64_t after, last; /* the answer of GIVE: last is what the next page begins after */
    size_t n;             /* events in it */
};
struct km_drill_req { /* KM_DRILL */
    const char *partner;
};
/* What a drill asks (replication/PROTOCOL.md): a key label with its challenge, a stored key by its alias, the master key, or a managed object. */
enum km_prove_kind {
    KM_PROVE_LABEL = 1,
    KM_PROVE_STORED = 2,
    KM_PROVE_MASTER = 3,
    KM_PROVE_OBJECT = 4 /* key of a tape library over KMIP, by its Unique Identifier */
};
struct km_challenge {
    uint8_t kind; /* enum km_prove_kind, or what a later release knows */
    const char *name;
    uint8_t hash[32]; /* of a label's SubjectPublicKeyInfo; of a master key kr_drill_master_id */
    struct klm_slice challenge;
};
enum km_prove_outcome {
    KM_PROVEN = 0,
    KM_MISSING = 1,     /* no such label, and the key under no other */
    KM_OTHER_KEY = 2,   /* the label is there, with another key */
    KM_KEYLESS = 3,     /* its private key is not there */
    KM_CANNOT = 4,      /* the challenge did not open */
    KM_OTHER_LABEL = 5, /* proved, but under another label */
    KM_UNKNOWN_KIND = 6
};
struct km_proof {
    uint8_t outcome;
    uint8_t proof[KR_PROOF];
};
struct km_prove { /* KM_DRILL_PROVE; the answer is call->work, a struct km_proof for each */
    const struct km_challenge *item;
    int64_t n;
    struct klm_slice binding, nonce;
    bool first; /* page of a drill: it counts */
};
struct km_sync_req { /* KM_SYNC */
    const char *ipaddr;
    bool all, config, drivetab, keygroups, clients, usage, home, merge, rewrite;
};
struct km_backup_req { /* KM_BACKUP_RUN, _CHECK, _PROGRESS, KM_RESTORE_REQUEST, _CONFIRM */
    const char *file, *password;
    const char *accept; /* what is consented to: older, foreign, newer, token */
    bool token;         /* the key of the token alone, no password */
    bool line;
};
struct km_backup_done { /* KM_BACKUP_DONE */
    const char *file;
    int64_t number, bytes;
};

struct km_master_req {   /* KM_MASTER_REQUEST, _CONFIRM, _REWRAP, _FINISH */
    const char *pattern; /* what is confirmed */
    const char *after;   /* the label behind which a batch begins */
};

/* ---- A call */
struct km_state; /* what a call sees of configuration and rings; see km_state_* */
struct km_call {
    struct km_server *server;
    enum km_verb_id id;
    struct klm_pool *pool; /* owned: request, answer and everything between live in it */
    struct km_actor actor;
    void *req;               /* the verb's request structure, in the pool */
    struct km_state *state;  /* held for the call */
    struct pr_set *profiles; /* and those in force when it came */
    struct smf_event event;  /* steps fill in what only they know */

    /* Answer */
    klm_rc rc;
    uint16_t device_code;    /* for drives: 0xEE31, ...; 0 none */
    struct kx_keyed keyed;   /* key verbs */
    struct kx_stored stored; /* verbs of stored keys */
    struct dt_drive
        drive; /* KM_DRIVE_CONTACT: the drive as admitted; drive verbs: the drive at hand */
    struct km_rows rows;    /* listings */
    struct klm_slice bytes; /* exports */
    const char *text;       /* one line for the operator, or NULL */
    bool amiss; /* done, and what it looked for is not as it should be: a command ends with 1 */

    /* Between the steps */
    struct st_view *view;  /* the store as km_view shows it: of the call */
    struct st_view *draft; /* or of its batch, borrowed */
    bool batched;          /* it is one of a batch (keymgr/object.h), which ends it */
    bool
        slow; /* filled in with the request: prepare may take long, though that of its verb does not in general; on a worker */
    struct km_call
        *also; /* the next of those that the writer carries out with this one or not at all */
    void (*release)(
        struct km_call *
            call); /* frees what the request and its answer hold beside the pool; set by who fills it */
    struct klm_buf more; /* further events of this call, each with its length before it (km_more) */
    size_t more_at;      /* so much of them stands in the outbox already */
    uint64_t untold;     /* changes that more has no room for */
    void *work;          /* a verb's own, in the pool */
    klm_rc (*answer)(
        struct km_call *
            call); /* a last step, on a worker: after the change is on disk, before the answer leaves. Set by apply */
    size_t used;   /* key usage events that apply added, of keys of KMIP */
    bool no_apply; /* prepare found that nothing needs to change */
    bool
        quiet; /* this was told a moment ago: no event, so that nobody fills the audit. With no_apply */
    struct kr_key *data_key;    /* freed with the call */
    struct km_state *new_state; /* config-refresh: what is to come in force; freed with the call */
    struct pr_set
        *new_profiles;    /* RDEFINE and so on: what is to come in force; freed with the call */
    unsigned new_classes; /* and the classes of it that are new */
    struct km_edit
        *edit; /* config-refresh: the operator's edit of the drive table; freed with the call */

    /* The caller's */
    struct klm_loop *loop; /* where done runs; NULL: on the thread that finishes */
    void (*done)(struct km_call *call);
    void *arg;

    /* km_run's */
    char offset[8]; /* of local time from UTC where the event was made */
    bool recorded;  /* its event is in the journal, if perhaps not on disk */
    struct km_queued {
        struct km_queued *next;
        struct km_call *call; /* NULL: an event, encoded behind this, n bytes */
        size_t n;
    } queued; /* on its way to the journal */
    struct klm_job job;
    struct klm_task task;
    struct km_call *next;

    /* Of the answer: message that says why. Last, since its text is not cleared. */
    struct klm_diag diag;
};

/* A call with a zeroed request; wiping pool. KLM_E_NOMEM. */
klm_rc km_call_new(struct km_server *server, enum km_verb_id id, const struct km_actor *actor,
                   struct km_call **out) KLM_MUST_USE;
void km_call_free(struct km_call **call);
/* Set a parameter by name as text (flags: "" or "true"); checks type and limit. Says which parameter and what is allowed. */
klm_rc km_call_set(struct km_call *call, const char *name, const char *value, struct klm_diag *diag)
    KLM_MUST_USE;
/* Has who asks the verb's right at all? For doors that look at a file before the call can be made: without it they run the call as it is, which refuses and audits
 * it. Everything else is decided by the run. */
bool km_call_may(const struct km_call *call);
/* The same as an outcome, with its message: for doors that ask before they read what is asked for. */
klm_rc km_call_right(struct km_call *call) KLM_MUST_USE;
/* Required parameters are there? */
klm_rc km_call_check(const struct km_call *call, struct klm_diag *diag) KLM_MUST_USE;
/* Carry out: done is called once, later or before this returns. The call belongs to km_run until then. */
void km_run(struct km_call *call);
/* The door could not fill the request in (call->rc and call->diag say why): it is refused and audited as others are; done is called. */
void km_refused(struct km_call *call);
/* Carry out and wait; not on a loop's thread. Returns call->rc. */
klm_rc km_run_wait(struct km_call *call);

/* For steps. */
klm_rc km_refuse(struct km_call *call, klm_rc rc, uint16_t device_code, enum klm_msg_id msg,
                 const char *const *args);
#define KM_REFUSE(call, rc, code, ...) KM_REFUSE_PICK_(call, rc, code, __VA_ARGS__, NULL)
#define KM_REFUSE_PICK_(call, rc, code, msg, ...)                                                  \
    km_refuse(call, rc, code, msg, (const char *const[]){__VA_ARGS__})
klm_rc km_rows_begin(struct km_call *call, const char *title, const char *const *columns)
    KLM_MUST_USE;
/* Texts are copied; as many as there are columns. KLM_E_LIMIT past 1,000,000 rows. */
klm_rc km_rows_add(struct km_call *call, const char *const *texts) KLM_MUST_USE;

/* ---- The server behind the doors */
struct km_options {
    const char *config_path;
    bool
        offline; /* a tool while the task is down: no threads, no views, no text log of its own follows later */
    bool once; /* it reads the store through once, so a large cache would only cost time */
    struct klm_loop *loop; /* the task's main loop, or NULL */
    /* A tool's: the token that a backup names, instead of that of tklm.backup.token, and who is asked for its PIN when no file has it; or NULL. */
    const struct p11_uri *backup_token;
    klm_rc (*prompt)(void *arg, uint8_t *pin, size_t cap, size_t *n);
};
/* Open all: configuration, master key, store, rings, drive table, journal, text log, writer, workers; recover the outbox. Errors are said or in diag. */
klm_rc km_open(const struct km_options *options, struct klm_diag *diag, struct km_server **out)
    KLM_MUST_USE;
/* Only the configuration and the journal that is there, for a tool that works beside the store: nothing but km_happened_now is of use then. KLM_E_NOTFOUND:
 * there is no journal yet; KLM_E_BUSY: the task has it. */
klm_rc km_open_journal(const struct km_options *options, struct klm_diag *diag,
                       struct km_server **out) KLM_MUST_USE;
/* Only the configuration and the master key, for who works on the state itself (restore): of the parts below, km_master alone is there. */
klm_rc km_open_master(const struct km_options *options, struct klm_diag *diag,
                      struct km_server **out) KLM_MUST_USE;
/* Finish what is under way, write the views, checkpoint, close. */
void km_close(struct km_server **server);

/* Configuration and rings as one snapshot; counted. */
struct km_state {
    atomic_uint refs;
    struct parm_config *config;
    struct kr_open_ring *keys;            /* config.keystore.file: labels served */
    struct kr_open_ring *tls;             /* TransportListener.ssl.keystore.name */
    struct kr_open_ring *trust;           /* TransportListener.ssl.truststore.name */
    struct kr_open_ring *authority;       /* drive.authority.ring */
    struct klm_tls_ctx *tls_ctx;          /* server context made of them; NULL offline */
    struct km_partner_state {             /* of the port for partners (partner_tls.c) */
        struct kr_open_ring *own, *trust; /* Admin.ssl.keystore.name, Admin.ssl.truststore.name */
        struct klm_tls_ctx *server, *client; /* TLS 1.3, both sides with certificates; NULL: none */
        struct klm_diag why;                 /* the message that says why there is none */
    } partner;
};
struct km_state *km_state_get(struct km_server *server); /* referenced */
void km_state_put(struct km_state **state);
/* The CA certificates that a ring has with usage CERTAUTH, at most KM_CHAIN_MAX, borrowed; how many. */
#define KM_CHAIN_MAX 64
size_t km_state_authorities(const struct kr_open_ring *ring, struct x509_st **out);

/* How the configuration names its PKCS#11 token; texts are the configuration's. KLM_E_NOTFOUND: it names none; KLM_E_INVALID with a message. */
struct p11_options;
klm_rc km_token_options(const struct parm_config *config, struct p11_options *out,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Parts of the server, borrowed, as long as it is open. */
struct klm_workers *km_workers(struct km_server *server);
/* As many others, for what clients of KMIP ask for: searches, batches, key pairs and passwords of theirs do not stand before the keys of drives in the queue. */
struct klm_workers *km_client_workers(struct km_server *server);
struct st_store *km_store(struct km_server *server);
/* The MAC key of the store in a folder, with the master keys that the server knows (st_options.mac_key); to be wiped by the caller. KLM_E_WRONGKEY,
 * KLM_E_CORRUPT, KLM_E_IO with a message: it lies beside the store, since the master key was changed, and does not open. */
klm_rc km_store_key(struct km_server *server, const char *folder, uint8_t key[32],
                    struct klm_diag *diag) KLM_MUST_USE;
/* Does a record of the store speak of this server alone, so that it is in no backup? A change of the master key that is under way, requests to delete. */
bool km_stays_here(enum st_table table, struct klm_slice key);
struct kr_master *km_master(struct km_server *server);
/* The token whose label that is, which backups are sealed with or opened by; NULL: the configuration names none. */
struct p11 *km_backup_token(struct km_server *server, const char *label);
/* Label of the token of tklm.backup.token and of its key there; false: there is none. Borrowed of the server. */
bool km_backup_key(struct km_server *server, const char **token, const char **object);
/* Options for the token of tklm.backup.token (or, if not NULL, the one that a backup names), and its names with the key. KLM_E_NOTFOUND: none is set;
 * KLM_E_INVALID: a message says what is wrong. */
struct p11_options;
struct p11_uri;
klm_rc km_backup_token_options(const struct parm_config *config, const struct p11_uri *named,
                               struct p11_options *out, struct klm_diag *diag) KLM_MUST_USE;
struct smf_journal *km_journal(struct km_server *server);
/* The drive table now; referenced. */
struct dt_table *km_drives(struct km_server *server);
/* The clients of KMIP now; referenced. */
struct dt_clients *km_clients(struct km_server *server);
/* Does the certificate belong to a client, whatever he may? */
bool km_client_registered(struct km_server *server, const char *fingerprint);
/* Who calls: name, role, group and what that allows, borrowed from the snapshot, in which client is what stands there for the certificate of the connection. address and session are
 * the door's. KLM_E_NOTFOUND: client is NULL (run KM_CLIENT_CONTACT); KLM_E_DENIED with a message: it is being deleted, or its certificate is not valid now. */
klm_rc km_client_actor(const struct dt_clients *clients, const struct dt_client *client,
                       const char *address, const char *session, struct klm_diag *diag,
                       struct km_actor *out) KLM_MUST_USE;
/* It was served now. Any thread; never waits. */
void km_client_seen(struct km_server *server, const char *fingerprint);
/* Credentials that a message carried (p NULL: it carried none): of a user name and password, of a device, one-time and hashed passwords; others cannot be checked and are never
 * right. */
struct km_credential {
    struct klm_slice user, password, device, once, hashed;
    int64_t timestamp;  /* of hashed, microseconds since 1970 */
    uint32_t algorithm; /* of hashed, KMIP_HashingAlgorithm_... */
    bool other;
    bool
        contradicts; /* two of them say different things, and all have to be satisfied (KMIP 2.1, 9.4) */
};
/* Did it carry what the client was registered with? A user name, password or serial number that was not asked for is not looked at; of one-time and hashed passwords that there are
 * any is all that is decided here, KM_CLIENT_PROVE does the rest. KLM_E_DENIED with a message: no. A password is found right by
 * scrypt, which takes a quarter of a second: on a worker. It is remembered for some minutes, as a hash under a key of this process. */
klm_rc km_client_credential(struct km_server *server, const struct dt_client *client,
                            const struct km_credential *shown, struct klm_diag *diag) KLM_MUST_USE;
/* The same without computing, on any thread. KLM_E_AGAIN: the password is not remembered, ask on a worker. */
klm_rc km_client_credential_known(struct km_server *server, const struct dt_client *client,
                                  const struct km_credential *shown, struct klm_diag *diag)
    KLM_MUST_USE;
/* ---- Partners: other key servers (replication/) */
#define KM_PARTNER_VERSION 1 /* of the protocol, replication/PROTOCOL.md */
/* Is this the certificate of a partner: connected to the ring of partners, with the role, valid, chained, and among the pinned ones
 * where there are such? Both ends of a connection ask this of the other. KLM_E_DENIED with a message that says why not. *name is the
 * label it is connected under, borrowed from the state; fingerprint holds SHA-256 in hex. */
klm_rc km_partner_check(const struct km_state *state, struct klm_slice der, struct klm_diag *diag,
                        const char **name, char fingerprint[65]) KLM_MUST_USE;
/* Who carries out what goes out to partners: set by the task, since that lies in a higher layer. Steps with the outcome of prepare,
 * on the caller's thread; nothing of it is set in a tool. */
typedef klm_rc km_partner_fn(void *arg, struct km_call *call);
struct km_partner_ops {
    km_partner_fn *sync, *drill;
};
void km_on_partner(struct km_server *server, const struct km_partner_ops *ops, void *arg);

/* The proof that a stored AES-256 key is here. KLM_E_NOTFOUND: there is none of that alias; otherwise fails as kr_token_open and
 * kr_drill_stored. May wait for the disk. */
klm_rc km_drill_stored(struct km_server *server, struct st_view *view, const char *alias,
                       struct klm_slice transcript, uint8_t proof[KR_PROOF]) KLM_MUST_USE;
/* The same for a managed object by its Unique Identifier; otherwise fails as kr_material_open and kr_drill_object. */
klm_rc km_drill_object(struct km_server *server, struct st_view *view, const char *uid,
                       struct klm_slice transcript, uint8_t proof[KR_PROOF]) KLM_MUST_USE;
/* What a proof of a drill is bound to: binding of the TLS session, nonce, and what is to be proved; both sides make it. out is emptied
 * first. */
klm_rc km_drill_transcript(const struct km_challenge *item, struct klm_slice binding,
                           struct klm_slice nonce, struct klm_buf *out) KLM_MUST_USE;

/* Record an event as it is, now. Never blocks on a sync. */
klm_rc km_audit(struct km_server *server, const struct smf_event *event) KLM_MUST_USE;

/* Sign a message with the key that signs checkpoints (Audit.checkpoint.label), also while the task is down; *cert, its certificate in DER,
 * lives in the pool. KLM_E_NOTFOUND: there is none now. A private-key operation: not on a loop. */
struct smf_signature;
klm_rc km_sign(struct km_server *server, struct klm_slice message, struct klm_pool *pool,
               struct smf_signature *out, struct klm_slice *cert) KLM_MUST_USE;

/* ---- Backup: the folder backup does the work, and whoever wires the server passes it in. */
struct km_backup_ops {
    klm_rc (*start)(void *arg,
                    struct km_call *call); /* KM_BACKUP_RUN, KM_BACKUP_CHECK, KM_RESTORE_REQUEST */
    klm_rc (*cancel)(void *arg, struct km_call *call);
    klm_rc (*progress)(void *arg, struct km_call *call);
    klm_rc (*list)(void *arg, struct km_call *call);
    klm_rc (*confirm)(void *arg, struct km_call *call); /* KM_RESTORE_CONFIRM */
};
/* NULL: no longer; waits until no call uses it. */
void km_on_backup(struct km_server *server, const struct km_backup_ops *ops, void *arg);
/* What is known of backups of this server. */
struct km_backup_info {
    bool needed;      /* keys, rings or drives changed since the last good one, or there is none */
    klm_time time;    /* of the last good one; 0: none */
    uint64_t bytes;   /* of its file */
    char file[256];   /* its name, cut at the front when it is longer */
    char result[320]; /* how the last one ended in this run; "": there was none */
};
void km_backup_info(struct km_server *server, struct km_backup_info *out);
/* Note a good backup in a change of a store. */
klm_rc km_backup_mark(struct st_change *change, const struct km_backup_done *done, klm_time time)
    KLM_MUST_USE;
/* Note how one ended, for status. */
void km_backup_result(struct km_server *server, const char *text);

/* A configuration file with what another one sets: properties that are local or secret stay as they are. text is the file at path as it is
 * to be, in a wiping buffer; *changed counts. */
struct km_merge {
    const char *path;
    const struct parm_config *mine, *theirs;
    bool rewrite; /* also take out what the other one does not set */
    /* Asked for each change, which fails all, or stays undone (*stays); NULL: all may change. */
    klm_rc (*may)(void *arg, enum parm_id id, bool *stays);
    void *arg;
};
klm_rc km_config_merge(const struct km_merge *merge, struct klm_buf *text, size_t *changed,
                       struct klm_diag *diag) KLM_MUST_USE;
/* Name of the server in audit records: server.id, else that of the host. */
#define KM_SERVER_ID_MAX 256
void km_server_id(const struct parm_config *config, char out[KM_SERVER_ID_MAX]);

/* ---- Replacing the whole state of a server that is down by another one that was prepared beside it (switch.c). From
 * km_switch_commit on the new state is in force: the next km_open, whoever makes it, takes the steps that are left, records an event
 * in the journal, which goes on where it is, and forgets the switch. Before, the old state is in force, and what was prepared is
 * removed. */
struct km_switch;
/* Begin: nobody else opens the server's state until km_switch_free. Finishes or undoes one that was interrupted. KLM_E_BUSY: another
 * process is at it. config stays the caller's. */
klm_rc km_switch_begin(const struct parm_config *config, struct klm_diag *diag,
                       struct km_switch **out) KLM_MUST_USE;
/* Names of the new store, to be made there, and of the folder that is to hold the state before. */
const char *km_switch_store(const struct km_switch *s);
const char *km_switch_kept(const struct km_switch *s);
/* A file of the state: what it holds now is copied to the folder of the state before, under name; take is what it is to hold (p NULL: it
 * is to be gone), mode for a new file. */
klm_rc km_switch_file(struct km_switch *s, const char *path, const char *name,
                      struct klm_slice content, mode_t mode, struct klm_diag *diag) KLM_MUST_USE;
/* All of the new state is on disk: put it in force. what and who are for the event. */
klm_rc km_switch_commit(struct km_switch *s, const char *what, const char *who,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Without a commit, everything prepared is removed. */
void km_switch_free(struct km_switch **s);

/* Check a journal at rest: its chain and, when certificates are given (DER, or one or more in PEM), every checkpoint in it.
 * KLM_E_CORRUPT names the first that is wrong. */
struct km_verified {
    uint64_t records, checkpoints;
    uint64_t covered; /* last sequence number under a checkpoint */
};
klm_rc km_journal_verify(const char *folder, struct klm_slice certs, struct klm_diag *diag,
                         struct km_verified *out) KLM_MUST_USE;

/* What the task tells the status verb. */
struct km_task_info {
    const char *state; /* "running", "starting", "stopping", "stopped" */
    unsigned tcp_port, ssl_port;
    unsigned sessions;
    struct km_kmip_info {
        unsigned ttlv_port, https_port; /* 0: not open */
        unsigned sessions;
        uint64_t requests;
        uint64_t probes;  /* connections that ended without a request, and without a fault */
        uint64_t failed;  /* TLS handshakes that failed or took too long */
        uint64_t refused; /* connections beyond a limit */
    } kmip;
};
typedef void km_task_info_fn(void *arg, struct km_task_info *out);
void km_task_set(struct km_server *server, km_task_info_fn *fn, void *arg);
/* Called after a new state was put in force, on the writer or a worker; the task re-reads its contexts. */
typedef void km_refreshed_fn(void *arg);
void km_on_refresh(struct km_server *server, km_refreshed_fn *fn, void *arg);
/* Ask the task to stop or restart serving: "stopekm", "startekm", "stop". Set by the task. */
typedef void km_control_fn(void *arg, const char *what);
void km_on_control(struct km_server *server, km_control_fn *fn, void *arg);
void km_control(struct km_server *server, const char *what);

#endif
