/* The head of a report and its charts. */
#include "smf/dump/tell.h"

#include "smf/dump/form.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define BARS_PAGE 96 /* intervals of the chart over time, on a page and as text */
#define BARS_TEXT 40

void smfd_number(char *out, size_t cap, uint64_t value)
{
    char digits[24];
    size_t n, at = 0;

    snprintf(digits, sizeof digits, "%" PRIu64, value);
    n = strlen(digits);
    for (size_t i = 0; i < n && at + 2 < cap; i++) {
        if (i && (n - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

static void verdict_chain(const struct smfd_chain *chain, bool certified, char *out, size_t cap)
{
    const char *server = *chain->server ? chain->server : "unknown server";

    if (chain->problems) {
        snprintf(out, cap,
                 "%s: the chain of records does NOT hold. %.150s, record %" PRIu64
                 " at offset %" PRIu64 ": %s.",
                 server, chain->first.at.path, chain->first.at.number, chain->first.at.offset,
                 chain->first.why);
    } else if (!chain->checkpoints) {
        snprintf(out, cap,
                 "%s: the chain of %" PRIu64 " records holds, but no checkpoint signs it.", server,
                 chain->records);
    } else if (!certified) {
        snprintf(out, cap,
                 "%s: the chain of %" PRIu64 " records holds. Its %" PRIu64
                 " checkpoints were not checked: no certificate was given.",
                 server, chain->records, chain->checkpoints);
    } else {
        snprintf(out, cap,
                 "%s: the chain of %" PRIu64 " records holds; the signatures of all %" PRIu64
                 " checkpoints are good. Records behind the last one, not signed yet: %" PRIu64 ".",
                 server, chain->records, chain->checkpoints, chain->behind);
    }
}

static void tell_verdict(const struct smfd_told *told, struct smfd_page *page)
{
    const struct smfd_verdict *verdict = told->verdict;
    int good = 1;
    char text[4000] = "", one[600];
    size_t at = 0;

    if (!verdict) {
        smfd_page_verdict(page, -1, "There is no record of a chain to check.");
        return;
    }
    for (size_t i = 0; i < verdict->n && at < sizeof text; i++) {
        const struct smfd_chain *chain = &verdict->chains[i];

        good = chain->problems                                           ? 0
               : good > 0 && !(verdict->certified && chain->checkpoints) ? -1
                                                                         : good;
        verdict_chain(chain, verdict->certified, one, sizeof one);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "\n" : "", one);
    }
    smfd_page_verdict(page, good, text);
}

void smfd_tell_head(const struct smfd_told *told, struct smfd_page *page)
{
    const struct smfd_facts *facts = told->facts;
    char subtitle[200], first[24], last[24], cells[6][32];
    const char *const tiles[][2] = {
        {cells[0], "events"}, {cells[1], "keys served"}, {cells[2], "failures and refusals"},
        {cells[3], "drives"}, {cells[4], "volumes"},     {cells[5], "damaged places"}};

    smfd_time_text(facts->first, first, sizeof first);
    smfd_time_text(facts->last, last, sizeof last);
    if (facts->events) {
        snprintf(subtitle, sizeof subtitle, "%s to %s UTC, from %" PRIu64 " records", first, last,
                 told->stats->read);
    } else {
        snprintf(subtitle, sizeof subtitle, "No events in %" PRIu64 " records", told->stats->read);
    }
    smfd_number(cells[0], sizeof cells[0], facts->events);
    smfd_number(cells[1], sizeof cells[1], facts->keys);
    smfd_number(cells[2], sizeof cells[2], facts->failed);
    smfd_number(cells[3], sizeof cells[3], facts->drives.n);
    smfd_number(cells[4], sizeof cells[4], facts->volumes.n);
    smfd_number(cells[5], sizeof cells[5],
                told->stats->damaged + told->stats->unreadable + facts->incomplete);
    smfd_page_begin(page, "Key lifecycle manager: audit report", subtitle);
    smfd_page_tiles(page, tiles, KLM_COUNT(tiles));
    tell_verdict(told, page);
}

/* ---- Charts */

static void interval_name(const struct smfd_spread *spread, size_t i, char *out, size_t cap)
{
    int64_t seconds = smfd_spread_seconds(spread);
    int64_t shift = seconds >= 604800 ? 3 * 86400 : 0;
    char text[24];

    smfd_time_text(((spread->base + (int64_t)i) * seconds - shift) * SECOND, text, sizeof text);
    if (seconds >= 86400) {
        snprintf(out, cap, "%.10s", text);
    } else {
        snprintf(out, cap, "%.11s%.5s", text, text + 11);
    }
}

static void tell_time(struct smfd_told *told, struct smfd_page *page)
{
    struct smfd_spread *spread = &told->facts->spread;
    struct smfd_bar *bars;
    char what[200], title[80];

    smfd_spread_fit(spread, page->text ? BARS_TEXT : BARS_PAGE);
    bars = calloc(spread->n ? spread->n : 1, sizeof *bars);
    if (!bars) {
        page->rc = KLM_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < spread->n; i++) {
        interval_name(spread, i, bars[i].name, sizeof bars[i].name);
        bars[i].ok = spread->at[i].ok;
        bars[i].failed = spread->at[i].failed;
    }
    snprintf(title, sizeof title, "Events per %s", smfd_spread_name(spread));
    snprintf(what, sizeof what, "Times are UTC, of the beginning of each %s.",
             smfd_spread_name(spread));
    smfd_page_chart(
        page, &(struct smfd_chart){
                  .title = title, .what = what, .axis = "From", .bars = bars, .n = spread->n});
    free(bars);
}

static void tell_hours(const struct smfd_told *told, struct smfd_page *page)
{
    struct smfd_bar bars[24];

    for (size_t i = 0; i < KLM_COUNT(bars); i++) {
        snprintf(bars[i].name, sizeof bars[i].name, "%02zu h", i);
        bars[i].ok = told->facts->by_hour[i][0];
        bars[i].failed = told->facts->by_hour[i][1];
    }
    smfd_page_chart(page,
                    &(struct smfd_chart){
                        .title = "Events by hour of the day",
                        .what = "In the server's local time: work at unusual hours shows here.",
                        .axis = "Hour",
                        .bars = bars,
                        .n = KLM_COUNT(bars)});
}

static void tell_kinds(const struct smfd_told *told, struct smfd_page *page)
{
    struct smfd_bar bars[SMF_KINDS];
    size_t n = 0;

    for (unsigned i = 0; i < SMF_KINDS; i++) {
        if (told->facts->by_kind[i][0] || told->facts->by_kind[i][1]) {
            snprintf(bars[n].name, sizeof bars[n].name, "%s", smfd_kind_name(i));
            bars[n].ok = told->facts->by_kind[i][0];
            bars[n].failed = told->facts->by_kind[i][1];
            for (char *p = bars[n].name; *p; p++) {
                *p = *p == '_' ? ' ' : *p;
            }
            n++;
        }
    }
    smfd_page_chart(page, &(struct smfd_chart){
                              .title = "Outcomes by kind of event",
                              .what = "How many events of each kind were done, and how many not.",
                              .axis = "Kind",
                              .bars = bars,
                              .n = n,
                              .across = true});
}

void smfd_tell_overview(struct smfd_told *told, struct smfd_page *page)
{
    smfd_page_section(page, "overview", "Overview", "What happened over time, and how it ended.");
    if (told->facts->events) {
        tell_time(told, page);
        tell_hours(told, page);
        tell_kinds(told, page);
    } else {
        smfd_page_paragraph(page, "There are no events.");
    }
    smfd_page_section_end(page);
}
