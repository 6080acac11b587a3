/* The sections of a report. */
#include "smf/dump/tell.h"

#include "smf/dump/form.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* "3 d 4 h", "2 h 5 min", "40 s". */
static void span_text(klm_time span, char *out, size_t cap)
{
    long long s = span / SECOND;

    if (s >= 86400) {
        snprintf(out, cap, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    } else if (s >= 3600) {
        snprintf(out, cap, "%lld h %lld min", s / 3600, s % 3600 / 60);
    } else if (s >= 60) {
        snprintf(out, cap, "%lld min %lld s", s / 60, s % 60);
    } else {
        snprintf(out, cap, "%lld s", s);
    }
}

/* ---- Tables */

/* The rows of a list of details. */
static void tell_list(struct smfd_page *page, const struct smfd_list *list, const char *caption,
                      const struct smfd_column *columns, size_t n)
{
    const struct smfd_table table = {caption, columns, n};

    smfd_page_table_begin(page, &table);
    for (size_t i = 0; i < list->n; i++) {
        smfd_page_row(page, (const char *const *)smfd_list_row(list, i));
    }
    smfd_page_table_end(page, list->all - list->n,
                        list->all > list->n ? "The newest are shown; --limit shows more." : NULL);
}

enum shown { NAMES, KEYS };

/* The rows of a tally, as they are sorted: name, what is known of it, counts, first and last. */
static void tally_row(struct smfd_page *page, const struct smfd_tally_row *row, bool with_about,
                      enum shown shown)
{
    char n[32], failed[32], writes[32], reads[32], first[24], last[24];
    const char *cells[SMFD_COLUMNS_MAX] = {row->name};
    size_t at = 1;

    smfd_number(n, sizeof n, row->n);
    smfd_number(failed, sizeof failed, row->failed);
    smfd_number(writes, sizeof writes, row->writes);
    smfd_number(reads, sizeof reads, row->reads);
    smfd_time_text(row->first, first, sizeof first);
    smfd_time_text(row->last, last, sizeof last);
    if (with_about) {
        cells[at++] = row->about ? row->about : "";
    }
    if (shown == KEYS) {
        cells[at++] = writes;
        cells[at++] = reads;
    } else {
        cells[at++] = n;
    }
    cells[at++] = failed;
    cells[at++] = first;
    cells[at] = last;
    smfd_page_row(page, cells);
}

/* about: name of the column of what is known, "": there is none. */
static size_t tally_columns(const char *name, const char *about, enum shown shown,
                            struct smfd_column out[SMFD_COLUMNS_MAX])
{
    static const struct smfd_column last[] = {
        {"Failed", SMFD_RIGHT}, {"First (UTC)", SMFD_RIGHT}, {"Last (UTC)", SMFD_RIGHT}};
    size_t n = 0;

    out[n++] = (struct smfd_column){name, SMFD_MONO};
    if (*about) {
        out[n++] = (struct smfd_column){about, SMFD_LEFT};
    }
    if (shown == KEYS) {
        out[n++] = (struct smfd_column){"Keys to write", SMFD_RIGHT};
        out[n++] = (struct smfd_column){"Keys to read", SMFD_RIGHT};
    } else {
        out[n++] = (struct smfd_column){"Events", SMFD_RIGHT};
    }
    for (size_t i = 0; i < KLM_COUNT(last); i++) {
        out[n++] = last[i];
    }
    return n;
}

static void tell_tally(const struct smfd_told *told, struct smfd_page *page,
                       struct smfd_tally *tally, const char *caption, const char *name,
                       const char *about, enum shown shown)
{
    struct smfd_column columns[SMFD_COLUMNS_MAX];
    const struct smfd_table table = {caption, columns, tally_columns(name, about, shown, columns)};
    size_t n = tally->n < told->limit ? tally->n : told->limit;
    char note[200];

    smfd_page_table_begin(page, &table);
    for (size_t i = 0; i < n; i++) {
        tally_row(page, &tally->rows[i], *about != '\0', shown);
    }
    snprintf(note, sizeof note,
             "%" PRIu64
             " events have names beyond the first %d different ones and are not counted by name.",
             tally->others, SMFD_TALLY_MAX);
    smfd_page_table_end(page, tally->n - n, tally->others ? note : NULL);
}

/* The first rows of a tally as bars. */
static void tell_top(struct smfd_page *page, const struct smfd_tally *tally, const char *title,
                     const char *axis)
{
    struct smfd_bar bars[10];
    size_t n = tally->n < KLM_COUNT(bars) ? tally->n : KLM_COUNT(bars);

    if (n < 2) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(bars[i].name, sizeof bars[i].name, "%.32s", tally->rows[i].name);
        bars[i].failed = tally->rows[i].failed;
        bars[i].ok = tally->rows[i].n - tally->rows[i].failed;
    }
    smfd_page_chart(page, &(struct smfd_chart){.title = title,
                                               .what = "The ten with most events.",
                                               .axis = axis,
                                               .bars = bars,
                                               .n = n,
                                               .across = true});
}

static void tell_keys(struct smfd_told *told, struct smfd_page *page)
{
    static const struct smfd_column columns[] = {
        {"Time (UTC)", SMFD_LEFT}, {"Who", SMFD_LEFT},    {"Drive", SMFD_MONO},
        {"Address", SMFD_MONO},    {"Volume", SMFD_MONO}, {"Key labels or identifier", SMFD_MONO},
        {"What", SMFD_LEFT},       {"Server", SMFD_LEFT}, {"Sequence", SMFD_RIGHT}};

    smfd_page_section(page, "keys", "Who got which key when",
                      "Every data key that left the server. New keys are for writing a volume, "
                      "others for reading it.");
    tell_list(page, &told->facts->served, "Keys served", columns, KLM_COUNT(columns));
    smfd_page_section_end(page);
}

static void tell_places(struct smfd_told *told, struct smfd_page *page)
{
    struct smfd_facts *facts = told->facts;

    smfd_tally_by_count(&facts->volumes);
    smfd_tally_by_count(&facts->drives);
    smfd_tally_by_count(&facts->clients);
    smfd_tally_by_count(&facts->labels);
    smfd_page_section(page, "places", "By volume, drive, client and key label",
                      "Keys that went to each, most active first.");
    tell_top(page, &facts->drives, "The most active drives, by events", "Drive");
    tell_tally(told, page, &facts->volumes, "Volumes", "Volume", "", KEYS);
    tell_tally(told, page, &facts->drives, "Drives", "Drive", "World wide name", KEYS);
    tell_tally(told, page, &facts->clients, "Clients, by the fingerprint of their certificate",
               "Client", "First known as", KEYS);
    tell_tally(told, page, &facts->labels, "Key labels", "Label", "", KEYS);
    smfd_page_section_end(page);
}

static void tell_operators(struct smfd_told *told, struct smfd_page *page)
{
    smfd_tally_by_count(&told->facts->operators);
    smfd_tally_by_count(&told->facts->verbs);
    smfd_page_section(page, "operators", "By operator and operation",
                      "Who gave commands, and what was done.");
    tell_tally(told, page, &told->facts->operators, "Operators", "Operator", "First seen from",
               NAMES);
    tell_tally(told, page, &told->facts->verbs, "Operations", "Operation", "", NAMES);
    smfd_page_section_end(page);
}

static void tell_failures(struct smfd_told *told, struct smfd_page *page)
{
    static const struct smfd_column columns[] = {
        {"Time (UTC)", SMFD_LEFT}, {"Who", SMFD_LEFT},    {"Address", SMFD_MONO},
        {"Operation", SMFD_MONO},  {"Object", SMFD_LEFT}, {"Message", SMFD_MONO},
        {"Reason", SMFD_LEFT},     {"Server", SMFD_LEFT}, {"Sequence", SMFD_RIGHT}};

    smfd_tally_by_count(&told->facts->reasons);
    smfd_page_section(page, "failures", "Failures and refusals",
                      "What was asked for and not done, with the reason.");
    tell_tally(told, page, &told->facts->reasons, "Reasons", "Message", "Text of the first one",
               NAMES);
    tell_list(page, &told->facts->failures, "Each failure", columns, KLM_COUNT(columns));
    smfd_page_section_end(page);
}

static void tell_changes(struct smfd_told *told, struct smfd_page *page)
{
    static const struct smfd_column config[] = {
        {"Time (UTC)", SMFD_LEFT}, {"Who", SMFD_LEFT},       {"Address", SMFD_MONO},
        {"What", SMFD_MONO},       {"Old value", SMFD_MONO}, {"New value", SMFD_MONO},
        {"Outcome", SMFD_LEFT},    {"Server", SMFD_LEFT},    {"Sequence", SMFD_RIGHT}};
    static const struct smfd_column management[] = {
        {"Time (UTC)", SMFD_LEFT}, {"Who", SMFD_LEFT},      {"Address", SMFD_MONO},
        {"Operation", SMFD_MONO},  {"Object", SMFD_MONO},   {"Outcome", SMFD_LEFT},
        {"Server", SMFD_LEFT},     {"Sequence", SMFD_RIGHT}};

    smfd_page_section(page, "changes", "Changes",
                      "Changes of the configuration with the value before and after, and of "
                      "drives, rings, certificates and keys. "
                      "Secrets are recorded as ****.");
    tell_list(page, &told->facts->changes, "Configuration", config, KLM_COUNT(config));
    tell_list(page, &told->facts->management, "Drives, rings, certificates, keys", management,
              KLM_COUNT(management));
    smfd_page_section_end(page);
}

static void tell_contacts(struct smfd_told *told, struct smfd_page *page)
{
    smfd_tally_by_first(&told->facts->drives);
    smfd_tally_by_first(&told->facts->clients);
    smfd_page_section(
        page, "contacts", "First contacts",
        "When each drive and client was seen for the first time in these records, oldest first.");
    tell_tally(told, page, &told->facts->drives, "First contacts of drives", "Drive",
               "World wide name", NAMES);
    tell_tally(told, page, &told->facts->clients, "First contacts of clients", "Client",
               "First known as", NAMES);
    smfd_page_section_end(page);
}

static void tell_quiet(const struct smfd_told *told, struct smfd_page *page)
{
    static const struct smfd_column columns[] = {{"From (UTC)", SMFD_LEFT},
                                                 {"To (UTC)", SMFD_LEFT},
                                                 {"Length", SMFD_RIGHT},
                                                 {"Events at the usual rate", SMFD_RIGHT}};
    static const struct smfd_table table = {"Longest times without an event", columns,
                                            KLM_COUNT(columns)};
    const struct smfd_facts *facts = told->facts;
    double rate = facts->last > facts->first
                      ? (double)facts->events / (double)(facts->last - facts->first)
                      : 0;

    smfd_page_table_begin(page, &table);
    for (size_t i = 0; i < facts->quiet_n; i++) {
        klm_time span = facts->quiet[i].to - facts->quiet[i].from;
        char from[24], to[24], length[48], usual[32];
        const char *const cells[] = {from, to, length, usual};

        smfd_time_text(facts->quiet[i].from, from, sizeof from);
        smfd_time_text(facts->quiet[i].to, to, sizeof to);
        span_text(span, length, sizeof length);
        smfd_number(usual, sizeof usual, (uint64_t)(rate * (double)span));
        smfd_page_row(page, cells);
    }
    smfd_page_table_end(page, 0, NULL);
}

static void tell_gaps(struct smfd_told *told, struct smfd_page *page)
{
    static const struct smfd_column columns[] = {{"Server", SMFD_LEFT},
                                                 {"From number", SMFD_RIGHT},
                                                 {"To number", SMFD_RIGHT},
                                                 {"Numbers", SMFD_RIGHT},
                                                 {"Event before (UTC)", SMFD_LEFT},
                                                 {"Event behind (UTC)", SMFD_LEFT}};

    smfd_page_section(page, "gaps", "Gaps and quiet times",
                      "Sequence numbers that are not in these records. Events that the "
                      "configuration leaves out are such gaps too; "
                      "whether records were taken out is told by the chain, at the top of this "
                      "report. Where dates were "
                      "selected, what lies outside is no gap.");
    tell_list(page, &told->facts->gaps, "Gaps in sequence", columns, KLM_COUNT(columns));
    tell_quiet(told, page);
    smfd_page_section_end(page);
}

void smfd_tell(struct smfd_told *told, struct smfd_page *page)
{
    static const char *const contents[][2] = {{"overview", "Overview"},
                                              {"keys", "Who got which key when"},
                                              {"places", "By volume, drive, client, label"},
                                              {"operators", "By operator"},
                                              {"failures", "Failures and refusals"},
                                              {"changes", "Changes"},
                                              {"contacts", "First contacts"},
                                              {"gaps", "Gaps and quiet times"}};

    smfd_tell_head(told, page);
    smfd_page_contents(page, contents, KLM_COUNT(contents));
    smfd_tell_overview(told, page);
    tell_keys(told, page);
    tell_places(told, page);
    tell_operators(told, page);
    tell_failures(told, page);
    tell_changes(told, page);
    tell_contacts(told, page);
    tell_gaps(told, page);
    smfd_page_end(page, "Made by smfdump --report, version " KLM_VERSION
                        ". Times are UTC unless said otherwise.");
}
