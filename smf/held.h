/* Held events: audit events that nobody waits for until they are in the journal. They are put into a file of fixed size that is mapped into memory, which no system call takes, so that
 * an I/O loop may do it, and which outlives a kill of the process as a written file does. A thread brings them to the journal; what a kill left is brought there when the file is opened
 * next. The folder should be in memory (tmpfs): on a disk the system may hold up a writer to mapped memory while it brings the page to disk. What is held is lost with the system, as are
 * the journal's last 200 ms; who needs more than that does not hold events (Audit.sync=always). smf/JOURNAL.md draws the file. */
#ifndef SMF_HELD_H
#define SMF_HELD_H

#include "smf/smf.h"

struct smf_held;

/* Open the file of this journal in a folder, which is made when missing, and bring what a kill left in it to the journal and to disk, which is said. The journal must not be appended to
 * meanwhile. journal_folder names the journal; it outlives what is opened. KLM_E_IO, KLM_E_NOSPACE, KLM_E_DENIED (the file is another user's, or others may write to it),
 * KLM_E_CORRUPT (it is no such file), with a message. */
klm_rc smf_held_open(const char *folder, const char *journal_folder, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_held **out) KLM_MUST_USE;
/* Put an encoded event behind the others. Any thread; waits for nothing. KLM_E_LIMIT: there is no room now; else what smf_event_decode would say of it. */
klm_rc smf_held_put(struct smf_held *held, struct klm_slice event) KLM_MUST_USE;
/* Put an event that is not encoded yet, as smf_event_encode does it: what that made needs no look. The same failures. */
klm_rc smf_held_put_event(struct smf_held *held, const struct smf_event *event) KLM_MUST_USE;
/* Is anything held? Any thread. */
bool smf_held_any(const struct smf_held *held);
/* Bring all that is held to the journal, in its order. Any thread, but not a loop: an append may wait for a sync. On failure what is not in the journal stays held. What
 * smf_journal_append answers. */
klm_rc smf_held_move(struct smf_held *held) KLM_MUST_USE;
/* Move once more; the file goes if nothing is left in it, else it stays for the next open, which is said. */
void smf_held_close(struct smf_held **held);

#endif
