/* Counting by type and subtype. Records of a kind come in runs, so the row used last is looked at first. */
#include "smf/dump/stats.h"

#include "smf/dump/control.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_row(const struct smfd_count *row, const struct smf_t83_view *head)
{
    return row->type == head->type && row->subtype == head->subtype && !row->other;
}

static struct smfd_count *add_row(struct smfd_stats *stats, const struct smf_t83_view *head)
{
    if (stats->n == stats->cap) {
        size_t cap = stats->cap ? 2 * stats->cap : 16;
        struct smfd_count *more = realloc(stats->rows, cap * sizeof *more);

        if (!more) {
            return NULL;
        }
        stats->rows = more;
        stats->cap = cap;
    }
    stats->recent = stats->n++;
    stats->rows[stats->recent] = (struct smfd_count){.type = head->type,
                                                     .subtype = head->subtype,
                                                     .other = stats->n > SMFD_STATS_MAX,
                                                     .shortest = UINT32_MAX};
    return &stats->rows[stats->recent];
}

static struct smfd_count *find(struct smfd_stats *stats, const struct smf_t83_view *head)
{
    if (stats->n && is_row(&stats->rows[stats->recent], head)) {
        return &stats->rows[stats->recent];
    }
    for (size_t i = 0; i < stats->n; i++) {
        if (stats->rows[i].other || is_row(&stats->rows[i], head)) {
            stats->recent = i;
            return &stats->rows[i];
        }
    }
    return add_row(stats, head);
}

struct smfd_count *smfd_stats_read(struct smfd_stats *stats, const struct smf_t83_view *head)
{
    struct smfd_count *row = find(stats, head);
    uint64_t stamp;

    if (!row) {
        return NULL;
    }
    row->read++;
    row->bytes += head->length;
    row->shortest = head->length < row->shortest ? head->length : row->shortest;
    row->longest = head->length > row->longest ? head->length : row->longest;
    if (head->day) {
        stamp = smfd_stamp(head->year, head->day, head->time);
        row->first = !row->first || stamp < row->first ? stamp : row->first;
        row->last = stamp > row->last ? stamp : row->last;
    }
    stats->read++;
    stats->bytes += head->length;
    return row;
}

static void month_and_day(unsigned year, unsigned day, unsigned *month, unsigned *of_month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    unsigned m = 0;

    while (m < 11 && day > days[m] + (m == 1 && leap ? 1u : 0u)) {
        day -= days[m] + (m == 1 && leap ? 1u : 0u);
        m++;
    }
    *month = m + 1;
    *of_month = day;
}

void smfd_stamp_text(uint64_t stamp, char *out, size_t cap)
{
    unsigned long date = (unsigned long)(stamp / SMFD_DAY_TIMES);
    unsigned time = (unsigned)(stamp % SMFD_DAY_TIMES), month, day;

    if (!stamp) {
        snprintf(out, cap, "-");
        return;
    }
    month_and_day((unsigned)(date / 1000), (unsigned)(date % 1000), &month, &day);
    snprintf(out, cap, "%04lu-%02u-%02u %02u:%02u:%02u.%02u", date / 1000, month, day,
             time / 360000, time / 6000 % 60, time / 100 % 60, time % 100);
}

static int by_type(const void *a, const void *b)
{
    const struct smfd_count *x = a, *y = b;

    if (x->other != y->other) {
        return x->other ? 1 : -1;
    }
    return x->type != y->type ? (int)x->type - (int)y->type : (int)x->subtype - (int)y->subtype;
}

static void print_row(const struct smfd_count *row, uint64_t total, FILE *to)
{
    char name[24], first[24], last[24];

    smfd_stamp_text(row->first, first, sizeof first);
    smfd_stamp_text(row->last, last, sizeof last);
    if (row->other) {
        snprintf(name, sizeof name, "OTHERS");
    } else if (row->subtype) {
        snprintf(name, sizeof name, "%u(%u)", row->type, row->subtype);
    } else {
        snprintf(name, sizeof name, "%u", row->type);
    }
    fprintf(to,
            " %-10s %12" PRIu64 " %7.2f %% %8" PRIu64 " %6" PRIu32 " %6" PRIu32 " %12" PRIu64
            "  %-22s  %s\n",
            name, row->read, total ? 100.0 * (double)row->read / (double)total : 0.0,
            row->read ? row->bytes / row->read : 0, row->read ? row->shortest : 0, row->longest,
            row->written, first, last);
}

static void total_row(const struct smfd_stats *stats, struct smfd_count *total)
{
    *total = (struct smfd_count){.shortest = UINT32_MAX};
    for (size_t i = 0; i < stats->n; i++) {
        const struct smfd_count *row = &stats->rows[i];

        total->read += row->read;
        total->written += row->written;
        total->bytes += row->bytes;
        total->shortest = row->shortest < total->shortest ? row->shortest : total->shortest;
        total->longest = row->longest > total->longest ? row->longest : total->longest;
        total->first =
            row->first && (!total->first || row->first < total->first) ? row->first : total->first;
        total->last = row->last > total->last ? row->last : total->last;
    }
}

static void print_total(const struct smfd_stats *stats, FILE *to)
{
    struct smfd_count total;
    char first[24], last[24];

    total_row(stats, &total);
    smfd_stamp_text(total.first, first, sizeof first);
    smfd_stamp_text(total.last, last, sizeof last);
    fprintf(to,
            " %-10s %12" PRIu64 " %7.2f %% %8" PRIu64 " %6" PRIu32 " %6" PRIu32 " %12" PRIu64
            "  %-22s  %s\n",
            "TOTAL", total.read, total.read ? 100.0 : 0.0,
            total.read ? total.bytes / total.read : 0, total.read ? total.shortest : 0,
            total.longest, total.written, first, last);
}

void smfd_stats_print(struct smfd_stats *stats, FILE *to)
{
    fprintf(to, "\n TYPE               READ  OF TOTAL  AVERAGE    MIN    MAX      WRITTEN  FIRST"
                "                   LAST\n");
    if (stats->n) {
        qsort(stats->rows, stats->n, sizeof *stats->rows, by_type);
        stats->recent = 0;
    }
    for (size_t i = 0; i < stats->n; i++) {
        print_row(&stats->rows[i], stats->read, to);
    }
    print_total(stats, to);
    fprintf(to, " RECORDS IN NO OUTPUT %" PRIu64 "   DAMAGED PLACES %" PRIu64, stats->unselected,
            stats->damaged);
    if (stats->events || stats->skipped || stats->unreadable) {
        fprintf(to,
                "   EVENTS WRITTEN %" PRIu64 "   RECORDS SKIPPED %" PRIu64 "   UNREADABLE %" PRIu64,
                stats->events, stats->skipped, stats->unreadable);
    }
    fprintf(to, "\n");
}

void smfd_stats_done(struct smfd_stats *stats)
{
    free(stats->rows);
    *stats = (struct smfd_stats){0};
}
