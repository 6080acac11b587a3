/* Within smf: the file syslog.cursor, which tells after a restart up to where receivers have the audit events. */
#ifndef SMF_SYSLOG_CURSOR_H
#define SMF_SYSLOG_CURSOR_H

#include "base/buf.h"
#include "base/msg.h"
#include "smf/hash.h"

struct smf_syslog_place {
    uint64_t seq;                 /* everything up to it is out, or was left out */
    uint8_t chain[SMF_HASH_SIZE]; /* of the last message of those */
};

/* KLM_E_NOTFOUND: none; KLM_E_CORRUPT: not as we write it; KLM_E_IO and others with a message. */
klm_rc smf_syslog_cursor_load(const char *path, struct smf_syslog_place *out, struct klm_diag *diag)
    KLM_MUST_USE;
/* Replace it as a whole: temporary name, sync, rename. */
klm_rc smf_syslog_cursor_save(const char *path, const struct smf_syslog_place *place,
                              struct klm_diag *diag) KLM_MUST_USE;

#endif
