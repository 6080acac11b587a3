/* Within smf: the way to a receiver of syslog messages. Everything is non-blocking and has a deadline, and every wait ends when
 * the sink stops. syslog_link.c is what all transports share; syslog_net.c, syslog_tls.c and syslog_evtlog.c are the transports. */
#ifndef SMF_SYSLOG_LINK_H
#define SMF_SYSLOG_LINK_H

#include "base/aside.h"
#include "smf/syslog.h"
#include "smf/syslog_plugin.h"

struct ssl_st;
struct klm_lookup;
struct addrinfo;

#define SMF_SYSLOG_WHY_MAX 128

struct smf_syslog_link {
    const struct smf_syslog_options *options; /* borrowed, its texts too */
    int stop_fd;                              /* readable: the sink stops */
    int fd;                                   /* -1: not connected */
    bool datagrams;                           /* each message is sent alone */
    bool proven;  /* something was sent and no answer said that nobody listens */
    bool stalled; /* the last send ran into its deadline */
    bool blamed;  /* why speaks of a certificate */
    struct ssl_st *ssl;
    struct klm_lookup *lookup;     /* of the receiver's name */
    const struct addrinfo *next;   /* its address to try when this one refuses; the lookup's */
    uint64_t sent;                 /* bytes given to the system on this connection */
    uint64_t acked;                /* of them, last known to be at the other side */
    uint64_t moved_ms;             /* when acked grew last, or nothing was under way */
    char why[SMF_SYSLOG_WHY_MAX];  /* of the last failure */
    char name[SMF_SYSLOG_WHY_MAX]; /* of the receiver, for messages */
    /* plug-in */
    void *library;
    const struct klm_evtlog_plugin *plugin;
    void *plugin_handle;
    struct klm_aside *aside; /* what was given to the plug-in last and may still be under way */
    void *work;              /* its argument */
};

/* Not connected yet; loads a plug-in. KLM_E_INVALID with a message: it cannot be used. End with done. */
klm_rc smf_syslog_link_init(struct smf_syslog_link *link, const struct smf_syslog_options *options,
                            int stop_fd, struct klm_diag *diag) KLM_MUST_USE;
void smf_syslog_link_done(struct smf_syslog_link *link);
/* KLM_E_CLOSED, KLM_E_TIMEOUT, KLM_E_DENIED (a certificate) with words in why; KLM_E_STATE: the sink stops. */
klm_rc smf_syslog_link_connect(struct smf_syslog_link *link) KLM_MUST_USE;
bool smf_syslog_link_connected(const struct smf_syslog_link *link);
/* Send messages: bytes, and where each ends in them. *at is how far it came, in bytes for streams and at message ends for
 * datagrams; it moves on also when the outcome is a failure. KLM_E_TIMEOUT: the receiver takes nothing, the connection stands;
 * KLM_E_STATE: the sink stops; others: the connection is of no more use. */
klm_rc smf_syslog_link_send(struct smf_syslog_link *link, struct klm_slice bytes,
                            const uint32_t *ends, size_t n, size_t *at) KLM_MUST_USE;
/* Look whether the other side is there, and how far it is. False, with words in why: it is gone. */
bool smf_syslog_link_look(struct smf_syslog_link *link);
/* Close in order: true when the other side has everything that was sent and said so by closing too, or by taking it. */
bool smf_syslog_link_finish(struct smf_syslog_link *link, unsigned ms);
void smf_syslog_link_close(struct smf_syslog_link *link);

/* For the transports. */
klm_rc smf_syslog_wait(struct smf_syslog_link *link, int fd, short events, uint64_t until_ms)
    KLM_MUST_USE;
klm_rc smf_syslog_blame(struct smf_syslog_link *link, klm_rc rc, const char *what,
                        const char *reason);
klm_rc smf_syslog_net_connect(struct smf_syslog_link *link, uint64_t until_ms) KLM_MUST_USE;
/* Connect to the next address of the name instead; fails when there is none left. */
klm_rc smf_syslog_net_next(struct smf_syslog_link *link) KLM_MUST_USE;
klm_rc smf_syslog_local_connect(struct smf_syslog_link *link) KLM_MUST_USE;
klm_rc smf_syslog_tls_connect(struct smf_syslog_link *link, uint64_t until_ms) KLM_MUST_USE;
/* Bytes written, or 0 with the event to wait for; a failure as of send. */
klm_rc smf_syslog_tls_write(struct smf_syslog_link *link, struct klm_slice bytes, size_t *n,
                            short *events) KLM_MUST_USE;
/* Read what the other side says, which is dropped. KLM_E_CLOSED at its end. */
klm_rc smf_syslog_tls_read(struct smf_syslog_link *link) KLM_MUST_USE;
void smf_syslog_tls_close(struct smf_syslog_link *link, bool say);
klm_rc smf_syslog_evtlog_load(struct smf_syslog_link *link, struct klm_diag *diag) KLM_MUST_USE;
void smf_syslog_evtlog_unload(struct smf_syslog_link *link);
klm_rc smf_syslog_evtlog_connect(struct smf_syslog_link *link) KLM_MUST_USE;
klm_rc smf_syslog_evtlog_send(struct smf_syslog_link *link, struct klm_slice bytes,
                              const uint32_t *ends, size_t n, size_t *at) KLM_MUST_USE;

#endif
