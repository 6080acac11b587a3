/* Collecting what a report tells. */
#include "smf/dump/facts.h"

#include "smf/served.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE INT64_C(60000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

const char *smfd_time_text(klm_time time, char *out, size_t cap)
{
    char iso[KLM_ISO_DATE_MAX];

    klm_iso_date(time, iso);
    snprintf(out, cap, "%.10s %.8s", iso, iso + 11);
    return out;
}

static klm_rc list_init(struct smfd_list *list, size_t limit)
{
    list->rows = calloc(limit, sizeof *list->rows);
    list->limit = limit;
    return list->rows ? KLM_OK : KLM_E_NOMEM;
}

static void list_done(struct smfd_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        for (size_t k = 0; k < SMFD_CELLS; k++) {
            free(list->rows[i][k]);
        }
    }
    free(list->rows);
    *list = (struct smfd_list){0};
}

char **smfd_list_row(const struct smfd_list *list, size_t i)
{
    return list->rows[list->n < list->limit ? i : (list->next + i) % list->limit];
}

/* Put a row behind the others; the oldest makes room. NULL cells are empty. */
static klm_rc list_add(struct smfd_list *list, const char *const cells[SMFD_CELLS])
{
    char **row = list->rows[list->next];

    for (size_t k = 0; k < SMFD_CELLS; k++) {
        char *copy = strdup(cells[k] ? cells[k] : "");

        if (!copy) {
            return KLM_E_NOMEM;
        }
        free(row[k]);
        row[k] = copy;
    }
    list->next = (list->next + 1) % list->limit;
    list->n += list->n < list->limit;
    list->all++;
    return KLM_OK;
}

klm_rc smfd_facts_init(struct smfd_facts *facts, size_t limit)
{
    struct smfd_list *const lists[] = {&facts->served, &facts->failures, &facts->changes,
                                       &facts->management, &facts->gaps};

    *facts = (struct smfd_facts){0};
    for (size_t i = 0; i < KLM_COUNT(lists); i++) {
        KLM_TRY(list_init(lists[i], limit));
    }
    return KLM_OK;
}

static const char *field(const struct smfd_event *event, enum smf_field which)
{
    const char *value = event->e.event.field[which];

    return value ? value : "";
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The row of a verb by which a data key went, or was to go, to someone; NULL: another event. */
static const struct smf_served *serves_key(const struct smfd_event *event)
{
    const struct smf_served *row =
        event->e.event.kind == SMF_RUNTIME ? smf_served(field(event, SMF_F_VERB)) : NULL;

    return row && row->labelled && !*field(event, SMF_F_ALIAS1) ? NULL : row;
}

static bool only_looks(const char *verb)
{
    return ends_in(verb, "-list") || ends_in(verb, "-query") || ends_in(verb, "-export") ||
           ends_in(verb, "-status") || ends_in(verb, "-version") || ends_in(verb, "-show");
}

static const char *labels_of(const struct smfd_event *event, char *out, size_t cap)
{
    const char *second = field(event, SMF_F_ALIAS2);

    snprintf(out, cap, "%s%s%s", field(event, SMF_F_ALIAS1), *second ? ", " : "", second);
    return *out ? out : field(event, SMF_F_DKI);
}

static const char *object_of(const struct smfd_event *event)
{
    return *field(event, SMF_F_OBJECT) ? field(event, SMF_F_OBJECT) : field(event, SMF_F_RESOURCE);
}

static klm_rc add_served(struct smfd_facts *facts, const struct smfd_event *event, const char *time,
                         const char *seq)
{
    char labels[300];
    const char *const cells[SMFD_CELLS] = {time,
                                           field(event, SMF_F_USER),
                                           field(event, SMF_F_DRIVE),
                                           field(event, SMF_F_ADDRESS),
                                           field(event, SMF_F_VOLSER),
                                           labels_of(event, labels, sizeof labels),
                                           serves_key(event)->what,
                                           event->e.server_id,
                                           seq};

    facts->keys++;
    return list_add(&facts->served, cells);
}

static klm_rc add_failure(struct smfd_facts *facts, const struct smfd_event *event,
                          const char *time, const char *seq)
{
    const char *const cells[SMFD_CELLS] = {time,
                                           field(event, SMF_F_USER),
                                           field(event, SMF_F_ADDRESS),
                                           field(event, SMF_F_VERB),
                                           object_of(event),
                                           field(event, SMF_F_MESSAGE_ID),
                                           field(event, SMF_F_MESSAGE),
                                           event->e.server_id,
                                           seq};

    return list_add(&facts->failures, cells);
}

static klm_rc add_change(struct smfd_facts *facts, const struct smfd_event *event, const char *time,
                         const char *seq)
{
    bool failed = event->e.event.outcome == SMF_FAILURE;
    const char *const cells[SMFD_CELLS] = {time,
                                           field(event, SMF_F_USER),
                                           field(event, SMF_F_ADDRESS),
                                           object_of(event),
                                           field(event, SMF_F_OLD),
                                           field(event, SMF_F_NEW),
                                           failed ? "failed" : "done",
                                           event->e.server_id,
                                           seq};

    return list_add(&facts->changes, cells);
}

static klm_rc add_management(struct smfd_facts *facts, const struct smfd_event *event,
                             const char *time, const char *seq)
{
    const char *const cells[SMFD_CELLS] = {time,
                                           field(event, SMF_F_USER),
                                           field(event, SMF_F_ADDRESS),
                                           field(event, SMF_F_VERB),
                                           object_of(event),
                                           event->e.event.outcome == SMF_FAILURE ? "failed"
                                                                                 : "done",
                                           event->e.server_id,
                                           seq};

    return list_add(&facts->management, cells);
}

static klm_rc add_details(struct smfd_facts *facts, const struct smfd_event *event)
{
    const char *verb = field(event, SMF_F_VERB);
    bool failed = event->e.event.outcome == SMF_FAILURE;
    char time[24], seq[24];

    smfd_time_text(event->e.event.time, time, sizeof time);
    snprintf(seq, sizeof seq, "%" PRIu64, event->e.seq);
    if (serves_key(event) && !failed) {
        KLM_TRY(add_served(facts, event, time, seq));
    }
    if (failed) {
        KLM_TRY(add_failure(facts, event, time, seq));
    }
    if (event->e.event.kind == SMF_CONFIG && !only_looks(verb)) {
        KLM_TRY(add_change(facts, event, time, seq));
    } else if (event->e.event.kind == SMF_RESOURCE && !only_looks(verb)) {
        KLM_TRY(add_management(facts, event, time, seq));
    }
    return KLM_OK;
}

/* Count under a name when there is one. about: kept from the first event of the name. */
static klm_rc count(struct smfd_tally *tally, const struct smfd_event *event, const char *name,
                    const char *about)
{
    bool failed = event->e.event.outcome == SMF_FAILURE;
    klm_rc rc = KLM_OK;
    struct smfd_tally_row *row;

    if (!*name) {
        return KLM_OK;
    }
    row = smfd_tally_add(tally, name, event->e.event.time, failed, &rc);
    if (!row) {
        return rc;
    }
    if (serves_key(event) && !failed) {
        row->reads += serves_key(event)->reads;
        row->writes += !serves_key(event)->reads;
    }
    if (!row->about && *about) {
        row->about = strdup(about);
        return row->about ? KLM_OK : KLM_E_NOMEM;
    }
    return KLM_OK;
}

static bool is_operator(const struct smfd_event *event)
{
    return strcmp(field(event, SMF_F_USER_KIND), "operator") == 0;
}

static klm_rc add_names(struct smfd_facts *facts, const struct smfd_event *event)
{
    const char *reason = field(event, SMF_F_MESSAGE_ID);

    if (serves_key(event)) {
        KLM_TRY(count(&facts->volumes, event, field(event, SMF_F_VOLSER), ""));
        KLM_TRY(count(&facts->labels, event, field(event, SMF_F_ALIAS1), ""));
        KLM_TRY(count(&facts->labels, event, field(event, SMF_F_ALIAS2), ""));
    }
    KLM_TRY(count(&facts->drives, event, field(event, SMF_F_DRIVE), field(event, SMF_F_WWN)));
    /* A checkpoint of the journal names the certificate that it was signed with, which is no client's. */
    if (event->e.event.kind != SMF_AUDIT) {
        KLM_TRY(
            count(&facts->clients, event, field(event, SMF_F_CLIENT), field(event, SMF_F_USER)));
    }
    KLM_TRY(count(&facts->verbs, event, field(event, SMF_F_VERB), ""));
    if (is_operator(event)) {
        KLM_TRY(
            count(&facts->operators, event, field(event, SMF_F_USER), field(event, SMF_F_ADDRESS)));
    }
    return event->e.event.outcome == SMF_FAILURE
               ? count(&facts->reasons, event, *reason ? reason : "no message",
                       field(event, SMF_F_MESSAGE))
               : KLM_OK;
}

static struct smfd_server_seq *server_of(struct smfd_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->servers_n; i++) {
        if (strcmp(facts->servers[i].name, name) == 0) {
            return &facts->servers[i];
        }
    }
    if (facts->servers_n == SMFD_SERVERS_MAX) {
        return NULL;
    }
    snprintf(facts->servers[facts->servers_n].name, sizeof facts->servers[0].name, "%s", name);
    return &facts->servers[facts->servers_n++];
}

static klm_rc add_sequence(struct smfd_facts *facts, const struct smfd_event *event)
{
    struct smfd_server_seq *server = server_of(facts, event->e.server_id);
    char from[24], to[24], n[24], before[24], after[24];
    klm_rc rc = KLM_OK;

    if (!server) {
        return KLM_OK;
    }
    if (server->last && event->e.seq > server->last + 1) {
        const char *const cells[SMFD_CELLS] = {server->name, from, to, n, before, after};

        snprintf(from, sizeof from, "%" PRIu64, server->last + 1);
        snprintf(to, sizeof to, "%" PRIu64, event->e.seq - 1);
        snprintf(n, sizeof n, "%" PRIu64, event->e.seq - 1 - server->last);
        smfd_time_text(server->time, before, sizeof before);
        smfd_time_text(event->e.event.time, after, sizeof after);
        rc = list_add(&facts->gaps, cells);
    }
    if (event->e.seq > server->last) {
        server->last = event->e.seq;
        server->time = event->e.event.time;
    }
    return rc;
}

/* The longest times without an event. */
static void add_quiet(struct smfd_facts *facts, klm_time from, klm_time to)
{
    size_t at = facts->quiet_n;

    while (at > 0 && facts->quiet[at - 1].to - facts->quiet[at - 1].from < to - from) {
        at--;
    }
    if (at == SMFD_QUIET_MAX) {
        return;
    }
    if (facts->quiet_n < SMFD_QUIET_MAX) {
        facts->quiet_n++;
    }
    memmove(&facts->quiet[at + 1], &facts->quiet[at],
            (facts->quiet_n - at - 1) * sizeof *facts->quiet);
    facts->quiet[at] = (struct smfd_quiet){from, to};
}

static void add_times(struct smfd_facts *facts, const struct smfd_event *event)
{
    klm_time time = event->e.event.time;
    klm_time local = time + (klm_time)event->e.utc_offset_min * MINUTE;
    bool failed = event->e.event.outcome == SMF_FAILURE;

    facts->first = facts->events == 0 || time < facts->first ? time : facts->first;
    facts->last = time > facts->last ? time : facts->last;
    if (facts->events && time > facts->latest) {
        add_quiet(facts, facts->latest, time);
    }
    facts->latest = time > facts->latest ? time : facts->latest;
    smfd_spread_add(&facts->spread, time, failed);
    if (local >= 0) {
        facts->by_hour[local % DAY / HOUR][failed]++;
    }
}

klm_rc smfd_facts_add(struct smfd_facts *facts, const struct smfd_event *event)
{
    bool failed = event->e.event.outcome == SMF_FAILURE;

    facts->incomplete += event->found < event->e.parts;
    if (event->e.checkpoint) {
        facts->checkpoints++;
        return KLM_OK;
    }
    add_times(facts, event);
    facts->events++;
    facts->failed += failed;
    facts->by_kind[event->e.event.kind][failed]++;
    KLM_TRY(add_sequence(facts, event));
    KLM_TRY(add_names(facts, event));
    return add_details(facts, event);
}

void smfd_facts_done(struct smfd_facts *facts)
{
    struct smfd_tally *const tallies[] = {&facts->volumes,   &facts->drives, &facts->clients,
                                          &facts->operators, &facts->labels, &facts->verbs,
                                          &facts->reasons};
    struct smfd_list *const lists[] = {&facts->served, &facts->failures, &facts->changes,
                                       &facts->management, &facts->gaps};

    for (size_t i = 0; i < KLM_COUNT(tallies); i++) {
        smfd_tally_done(tallies[i]);
    }
    for (size_t i = 0; i < KLM_COUNT(lists); i++) {
        list_done(lists[i]);
    }
}
