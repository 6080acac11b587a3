/* What the states of played devices have in common as files (ARRAY.md and SYSTEM.md, section 2): magic, version, fields, and the SHA-256 of all before it; and the lock of who changes one. */
#ifndef IOS_STATE_H
#define IOS_STATE_H

#include "base/buf.h"
#include "base/msg.h"

#define IOS_STATE_MAGIC 8
#define IOS_STATE_DIGEST 32

/* Append magic and version. The buffer remembers failures. */
void ios_state_begin(struct klm_buf *out, const uint8_t magic[IOS_STATE_MAGIC], uint16_t version);
/* Append the digest of everything from start on. */
klm_rc ios_state_end(struct klm_buf *out, size_t start) KLM_MUST_USE;
/* The fields between, borrowed. KLM_E_INVALID: it is none with this magic; KLM_E_UNSUPPORTED: of another version; KLM_E_CORRUPT: the digest is another. */
klm_rc ios_state_open(struct klm_slice in, const uint8_t magic[IOS_STATE_MAGIC], uint16_t version,
                      struct klm_slice *fields) KLM_MUST_USE;
/* Take the lock file of a folder, for one process at a time; ends when *fd is closed. KLM_E_NOTFOUND and others of the system with a message; KLM_E_BUSY with the message busy, of the
 * folder. */
klm_rc ios_state_lock(const char *dir, const char *name, enum klm_msg_id busy,
                      struct klm_diag *diag, int *fd) KLM_MUST_USE;

#endif
