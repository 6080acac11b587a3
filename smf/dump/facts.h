/* What a report tells, collected in one pass: counts by name, the newest details, gaps and quiet times. Memory is bounded, however
 * many events there are. */
#ifndef SMF_DUMP_FACTS_H
#define SMF_DUMP_FACTS_H

#include "smf/dump/event.h"
#include "smf/dump/spread.h"
#include "smf/dump/tally.h"

#define SMFD_CELLS 9 /* columns of a detail at most */
#define SMFD_SERVERS_MAX 64
#define SMFD_QUIET_MAX 10 /* longest quiet times that are told */

/* Rows of details: the newest `limit`, as a ring. */
struct smfd_list {
    char *(*rows)[SMFD_CELLS];
    size_t limit, n, next; /* next: where the oldest is when the ring is full */
    uint64_t all;
};
struct smfd_quiet {
    klm_time from, to;
};
struct smfd_server_seq {
    char name[65];
    uint64_t last;
    klm_time time;
};

struct smfd_facts {
    uint64_t events, failed, keys, checkpoints, incomplete;
    uint64_t by_kind[SMF_KINDS][2];
    klm_time first, last, latest; /* latest: of the event before */
    struct smfd_spread spread;
    uint64_t by_hour[24][2]; /* of the day, local time where the events were made */
    struct smfd_tally volumes, drives, clients, operators, labels, verbs, reasons;
    struct smfd_list served, failures, changes, management, gaps;
    struct smfd_quiet quiet[SMFD_QUIET_MAX]; /* longest first */
    size_t quiet_n;
    struct smfd_server_seq servers[SMFD_SERVERS_MAX];
    size_t servers_n;
};

/* limit: rows of details that are kept of each list. KLM_E_NOMEM. */
klm_rc smfd_facts_init(struct smfd_facts *facts, size_t limit) KLM_MUST_USE;
klm_rc smfd_facts_add(struct smfd_facts *facts, const struct smfd_event *event) KLM_MUST_USE;
/* Row i of a list, oldest first. */
char **smfd_list_row(const struct smfd_list *list, size_t i);
void smfd_facts_done(struct smfd_facts *facts);
/* "2026-11-22 01:02:03" in UTC. out: at least 24 bytes. */
const char *smfd_time_text(klm_time time, char *out, size_t cap);

#endif
