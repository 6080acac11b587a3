/* The started task: it wires everything below together. Start, listeners, drive sessions, refresh, stop. One main loop
 * thread owns the listeners, the sessions and the operator socket. */
#ifndef KLMSRV_SRV_H
#define KLMSRV_SRV_H

#include "base/loop.h"
#include "base/stream.h"
#include "keymgr/km.h"

struct srv_task;
struct srv_sessions;

/* ---- task.c */
struct srv_options {
    const char *config_path;
};
/* Run the task until it is stopped. The process's exit status: 0 after a clean stop, 78 (EX_CONFIG) when the configuration keeps it from starting,
 * 1 for another failure; SRV_AGAIN: the task is to be started once more, as after a restore. */
#define SRV_AGAIN 1000 /* no exit status */
int srv_run(const struct srv_options *options);

/* ---- ceremony.c: a master key in the PKCS#11 token that the configuration names. uri names its key (pkcs11:object=LABEL; what it says of the token must be
 * true, too); the master key file stands where the configuration says. prompt asks for the PIN when the configuration names no file. What was
 * made is printed. */
struct srv_prompt {
    klm_rc (*ask)(void *arg, uint8_t *pin, size_t cap, size_t *n);
    void *arg;
};
klm_rc srv_make_master_in_token(const char *uri, const char *config_path,
                                const struct srv_prompt *prompt, struct klm_diag *diag)
    KLM_MUST_USE;

/* Make the key of tklm.backup.token in its token; what was made is printed. KLM_E_EXISTS: a key of that name is there. */
klm_rc srv_make_backup_key(const char *config_path, const struct srv_prompt *prompt,
                           struct klm_diag *diag) KLM_MUST_USE;

/* ---- ceremony_record.c */
/* Record in the journal of a configuration what was done to a master key file, and what came of it: nothing when config_path is NULL or there is no journal
 * yet. When it cannot be written, or the task has it, that is said. */
void srv_ceremony_record(const char *config_path, const char *what, const char *file, klm_rc rc,
                         const struct klm_diag *why);

/* ---- officers.c: key parts by separate officers */
/* Who runs this, as the kernel has it: the login user of the process (/proc/self/loginuid). KLM_E_DENIED: nobody in particular, or root. */
klm_rc srv_officer(uid_t *out, struct klm_diag *diag) KLM_MUST_USE;
/* Take an officer's part of the master key that is to stand in path and is made of so many parts (2 to 8). Until the last one each is kept beside path, mode
 * 0400; the last one is not, and *out is then the key, otherwise NULL. *here: how many parts there are now. KLM_E_EXISTS: path is there; KLM_E_DENIED: a part by
 * this officer is; KLM_E_STATE: parts of another number are; KLM_E_INVALID: it equals another part. Nothing is changed then. */
klm_rc srv_enter_part(const char *path, unsigned of, uid_t officer, const uint8_t part[32],
                      struct klm_diag *diag, unsigned *here, struct kr_master **out) KLM_MUST_USE;
/* Remove the parts kept beside path. */
klm_rc srv_parts_drop(const char *path, struct klm_diag *diag) KLM_MUST_USE;

/* ---- console lines: "BPXM023I (USER) text" on standard output, and to attached operators */
/* Route klm_say to the console for a user id (shown in upper case). */
void srv_console_to(const char *userid);
/* Append console lines to a hard-copy log too, each with its time. */
klm_rc srv_console_hardcopy(const char *path, struct klm_diag *diag) KLM_MUST_USE;
/* Send them to the operators attached to a socket (NULL: no longer). */
struct con_socket;
void srv_console_socket(struct con_socket *socket);

/* ---- notify.c: one datagram to $NOTIFY_SOCKET (sd_notify(3)), or nothing when it is not set */
void srv_notify(const char *state);

/* ---- listen.c */
struct srv_listener;
typedef void srv_accept_fn(void *arg, int take_fd);
/* Bind host:port (every address of the name; port 0 picks a free one) and call fn for each connection. KLM_E_BUSY: port in use. */
klm_rc srv_listen(struct klm_loop *loop, const char *host, unsigned port, srv_accept_fn *fn,
                  void *arg, struct klm_diag *diag, struct srv_listener **out) KLM_MUST_USE;
unsigned srv_listener_port(const struct srv_listener *listener);
/* Stop accepting for a while when descriptors ran out; goes on by itself. */
void srv_listener_free(struct srv_listener **listener);

/* ---- sessions.c: all drive sessions of the task, and their limits */
klm_rc srv_sessions_new(struct km_server *server, struct klm_loop *loop, struct srv_sessions **out)
    KLM_MUST_USE;
/* Take a connection of the SSL port (tls true) or the TCP port. Refuses beyond the limits by closing. */
void srv_sessions_accept(struct srv_sessions *sessions, int take_fd, bool tls);
size_t srv_sessions_count(const struct srv_sessions *sessions);
/* Let requests under way finish, then close; idle sessions at once. done is called on the loop when none is left. */
void srv_sessions_drain(struct srv_sessions *sessions, void (*done)(void *arg), void *arg);
/* After a refresh: new handshakes use the new state's context. */
void srv_sessions_refresh(struct srv_sessions *sessions);
/* End every session now; the set is empty when the calls under way have ended. */
void srv_sessions_cut(struct srv_sessions *sessions);
/* Serve again after a drain. */
void srv_sessions_reopen(struct srv_sessions *sessions);
/* Free an empty set. */
void srv_sessions_free(struct srv_sessions **sessions);

/* ---- kmip.c: the ports for KMIP clients, and their sessions. What they ask is carried out by an engine (kmip/ops/ops.h). */
struct srv_kmip;
struct kmop_request;
struct srv_kmip_engine {
    void (*run)(const struct kmop_request *request); /* kmop_run */
    void (*sweep)(struct km_server *server);         /* kmop_sweep, each minute */
};
klm_rc srv_kmip_new(struct km_server *server, struct klm_loop *loop,
                    const struct srv_kmip_engine *engine, struct srv_kmip **out) KLM_MUST_USE;
/* Open those of KMIPListener.ssl.port and KMIPListener.https.port that are set. Not to have the certificate that they are to show keeps nobody else from being
 * served: that is said, and a refresh tries again. A port in use is a failure. */
klm_rc srv_kmip_listen(struct srv_kmip *kmip, struct klm_diag *diag) KLM_MUST_USE;
/* Take a connection of one of the ports. Closes it when a limit is reached or the set is draining. */
void srv_kmip_accept(struct srv_kmip *kmip, int take_fd, bool https);
/* For status, on any thread. */
void srv_kmip_info(struct srv_kmip *kmip, struct km_kmip_info *out);
/* Sessions there are. */
size_t srv_kmip_count(const struct srv_kmip *kmip);
/* Close the ports; let requests under way be answered, then close; idle sessions at once. done is called on the loop when none is left. */
void srv_kmip_drain(struct srv_kmip *kmip, void (*done)(void *arg), void *arg);
/* End every session now; the set is empty when the requests under way have been answered. */
void srv_kmip_cut(struct srv_kmip *kmip);
/* Take connections again after a drain. */
void srv_kmip_reopen(struct srv_kmip *kmip);
/* After a refresh: limits, and certificate and TLS settings of new handshakes. */
void srv_kmip_refresh(struct srv_kmip *kmip);
/* Free an empty set. */
void srv_kmip_free(struct srv_kmip **kmip);

/* ---- partners.c: the port for partners, and what goes out to them (replication/). */
struct srv_partners;
klm_rc srv_partners_new(struct km_server *server, struct klm_loop *loop, struct srv_partners **out)
    KLM_MUST_USE;
/* Open Admin.ssl.port when it is set and there is a certificate to show; not to have one keeps nobody from serving keys, a port in use
 * is a failure as for the others. */
klm_rc srv_partners_listen(struct srv_partners *partners, struct klm_diag *diag) KLM_MUST_USE;
/* 0: not open. */
unsigned srv_partners_port(const struct srv_partners *partners);
/* After a refresh. */
void srv_partners_refresh(struct srv_partners *partners);
/* No more connections, neither in nor out; done is called on the loop when none is left. */
void srv_partners_drain(struct srv_partners *partners, void (*done)(void *arg), void *arg);
/* End those that are left at once. */
void srv_partners_cut(struct srv_partners *partners);
/* Wake up whoever waits for a partner: before the operators' threads are joined. */
void srv_partners_stop(struct srv_partners *partners);
void srv_partners_free(struct srv_partners **partners);

#endif
