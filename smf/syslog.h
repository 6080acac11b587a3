/* The syslog sink: each audit event as one message to a receiver of syslog, by RFC 5424, CEF or LEEF, over the local socket, UDP,
 * TCP, TLS or a plug-in for the EventLog library of syslog-ng. docs/syslog.md describes the messages field by field.
 *
 * None of these transports tells that a receiver has a message. So a cursor on disk stays behind what was sent: it moves over a
 * record once that was sent resend_ms ago and the other side's system has it. After a break everything behind the cursor is sent
 * again, in order and with the same sequence numbers: a receiver has each record at least once. */
#ifndef SMF_SYSLOG_H
#define SMF_SYSLOG_H

#include "smf/sink.h"

struct klm_tls_ctx;

enum smf_syslog_transport {
    SMF_SYSLOG_LOCAL,
    SMF_SYSLOG_UDP,
    SMF_SYSLOG_TCP,
    SMF_SYSLOG_TLS,
    SMF_SYSLOG_EVTLOG
};
enum smf_syslog_format { SMF_SYSLOG_RFC5424, SMF_SYSLOG_CEF, SMF_SYSLOG_LEEF };

struct smf_syslog_options {
    enum smf_syslog_transport transport;
    enum smf_syslog_format format;
    unsigned facility; /* 0 to 23; 13 is log audit (RFC 5424, table 1) */
    unsigned
        enterprise; /* private enterprise number of the SD-ID; 0: 32473, which RFC 5612 gives to documents */
    const char *server_id; /* HOSTNAME of the messages */
    const char *folder;    /* of syslog.cursor; made when missing */
    uint64_t begin;   /* without a cursor, send what is behind this event; 0: all of the journal */
    const char *host; /* UDP, TCP, TLS */
    unsigned port;
    const char *socket;  /* local; NULL: /dev/log */
    const char *plugin;  /* evtlog: path of the shared object */
    unsigned timeout_ms; /* of connects, and of writes that do not get on; 0: 10,000 */
    unsigned resend_ms;  /* see above */
    /* TLS: the context to connect with, asked for at each connection, so that renewed certificates take effect. The caller frees *out.
     * Called on the sink's thread. */
    klm_rc (*tls)(void *arg, struct klm_diag *diag, struct klm_tls_ctx **out);
    void *tls_arg;
};

struct smf_syslog;

/* Load the plug-in if there is to be one, find the place from the cursor, start the thread. The receiver need not be there.
 * All texts are copied. KLM_E_INVALID: the plug-in cannot be used; KLM_E_IO and others of the cursor's folder, with a message. Close it
 * before the journal. */
klm_rc smf_syslog_open(const struct smf_syslog_options *options, struct smf_journal *journal,
                       struct klm_diag *diag, struct smf_syslog **out) KLM_MUST_USE;
struct smf_sink *smf_syslog_core(struct smf_syslog *syslog);
/* End it: what is under way is given up at once; the connection is closed in order, which takes at most two seconds. */
void smf_syslog_close(struct smf_syslog **syslog);

#endif
