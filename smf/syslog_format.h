/* Within smf: one audit record as a message to a syslog receiver (docs/syslog.md). The idea: all formats are a head, pairs of
 * name and value, and a tail; only names, escapes and what stands between differ. */
#ifndef SMF_SYSLOG_FORMAT_H
#define SMF_SYSLOG_FORMAT_H

#include "smf/hash.h"
#include "smf/syslog.h"

#define SMF_SYSLOG_MAX 8192     /* bytes of a message, without what frames it */
#define SMF_SYSLOG_CUT_LEAST 64 /* a value that is cut keeps at least so many bytes */
#define SMF_SYSLOG_HOST_MAX 255 /* RFC 5424, 6: HOSTNAME */
#define SMF_SYSLOG_PID_MAX 12

struct smf_syslog_style {
    enum smf_syslog_format format;
    bool
        pairs; /* no message: severity, text, then name and value of each pair, each with a NUL behind it */
    unsigned facility, enterprise;
    char host[SMF_SYSLOG_HOST_MAX + 1];
    char pid[SMF_SYSLOG_PID_MAX];
    struct smf_hash *sha;
    struct klm_buf scratch; /* the message being made */
};

/* End with done. */
klm_rc smf_syslog_style_init(struct smf_syslog_style *style,
                             const struct smf_syslog_options *options) KLM_MUST_USE;
void smf_syslog_style_done(struct smf_syslog_style *style);
/* Append the message of a record. chain is the value of the record before and becomes that of this one: SHA-256 over the 32 bytes
 * before and the message, its chain parameter left out and PROCID written as "-". A message that is too long is cut in its longest
 * values, "..." at their ends; never within a character or an escape. */
klm_rc smf_syslog_put(struct smf_syslog_style *style, const struct smf_record *record,
                      uint8_t chain[SMF_HASH_SIZE], struct klm_buf *out) KLM_MUST_USE;

#endif
