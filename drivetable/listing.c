/* A listing of drives, line by line: each line is a serial number, or a name with its value, and a serial number begins a drive. */
#include "drivetable/listing.h"

#include "drivetable/parts.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_HERE 512

enum says { SERIAL, ALIAS1, ALIAS2, SYMALIAS, WWN, KIND, COUNT, NOTHING };

static const struct {
    const char *spelling;
    enum says says;
} names[] = {
#define DT_LISTED(spelling, says) {spelling, says},
#include "drivetable/listing.def"
#undef DT_LISTED
};

struct reader {
    struct klm_pool *pool;
    struct klm_diag *diag;
    struct dt_listing *out;
    struct dt_listed *drive; /* the one under way, or NULL */
    unsigned line;
    bool counted; /* the listing says how many */
    size_t count;
};

static klm_rc refuse(struct reader *r, const char *why)
{
    if (r->diag) {
        r->diag->line = r->line;
    }
    return klm_fail(r->diag, KLM_E_INVALID, KLM_MSG_MIGRATE_LISTING, KLM_NUM(r->line), why);
}

/* The first reason counts. */
static void spoil(struct reader *r, const char *why)
{
    if (!r->drive->refused) {
        r->drive->refused = why;
    }
}

static klm_rc one_more(struct reader *r)
{
    struct dt_listing *list = r->out;

    if (list->n == DT_DRIVES_MAX) {
        return KLM_E_LIMIT;
    }
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        struct dt_listed *more = klm_pool_alloc(r->pool, cap * sizeof *more);

        if (!more) {
            return KLM_E_NOMEM;
        }
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
        list->cap = cap;
    }
    r->drive = &list->at[list->n++];
    *r->drive = (struct dt_listed){.line = r->line};
    return KLM_OK;
}

static klm_rc begin(struct reader *r, const char *serial)
{
    KLM_TRY(one_more(r));
    r->drive->name = klm_pool_str(r->pool, serial);
    if (!r->drive->name) {
        return KLM_E_NOMEM;
    }
    if (dt_serial(serial, r->drive->drive.serial, NULL) != KLM_OK) {
        spoil(r, "no serial number of 12 letters and digits, or 10 digits");
    }
    return KLM_OK;
}

static void alias(struct reader *r, char out[DT_ALIAS_MAX + 1], const char *value)
{
    size_t n = strlen(value);

    if (n > DT_ALIAS_MAX || !dt_label_ok(value)) {
        spoil(r, "an alias is longer than 64 characters");
    } else {
        memcpy(out, value, n + 1);
    }
}

static void kind(struct reader *r, const char *value)
{
    if (dt_kind_parse(value, &r->drive->drive.kind) != KLM_OK) {
        spoil(r, "its kind is not 3592, LTO or DS8000");
    }
}

static klm_rc count(struct reader *r, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    if (digits == 0 || digits > 7 || value[digits] || r->counted) {
        return refuse(r, "the number of drives is not clear");
    }
    r->counted = true;
    r->count = strtoul(value, NULL, 10);
    return KLM_OK;
}

/* A name and its value that belong to the drive under way. */
static klm_rc about(struct reader *r, enum says says, const char *value)
{
    struct dt_drive *drive;

    if (!r->drive) {
        return refuse(r, "it belongs to no drive");
    }
    drive = &r->drive->drive;
    if (says == ALIAS1) {
        alias(r, drive->alias1, value);
    } else if (says == ALIAS2) {
        alias(r, drive->alias2, value);
    } else if (says == SYMALIAS) {
        alias(r, drive->symalias, value);
    } else if (says == KIND) {
        kind(r, value);
    } else if (dt_wwn(value, drive->wwn, NULL) != KLM_OK) {
        spoil(r, "its world wide name is not 16 hexadecimal digits");
    }
    return KLM_OK;
}

static bool empty(const char *value)
{
    return !*value || strcasecmp(value, "null") == 0 || strcasecmp(value, "none") == 0;
}

static klm_rc named(struct reader *r, const char *name, const char *value)
{
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        if (strcmp(names[i].spelling, name) != 0) {
            continue;
        }
        if (names[i].says == NOTHING || (names[i].says != SERIAL && empty(value))) {
            return KLM_OK;
        }
        return names[i].says == SERIAL  ? begin(r, value)
               : names[i].says == COUNT ? count(r, value)
                                        : about(r, names[i].says, value);
    }
    return refuse(r, "its name is none of a drive listing");
}

static char *trim(char *s)
{
    size_t n;

    s += strspn(s, " \t");
    n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1])) {
        s[--n] = '\0';
    }
    return s;
}

/* A name in the spelling of the table. */
static void spell(char *name)
{
    char *to = name;

    for (const char *from = name; *from; from++) {
        if (!strchr(" \t-_", *from)) {
            *to++ = (char)(*from >= 'A' && *from <= 'Z' ? *from - 'A' + 'a' : *from);
        }
    }
    *to = '\0';
}

static klm_rc line(struct reader *r, char *text)
{
    char *mark;

    text = trim(text);
    if (!*text || *text == '#') {
        return KLM_OK; /* blank, or the administrator's prompt with his command */
    }
    mark = strpbrk(text, "=:");
    if (!mark) {
        return begin(r, text);
    }
    *mark = '\0';
    spell(text);
    return named(r, text, trim(mark + 1));
}

static bool printable(struct klm_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] < ' ' && !strchr("\t\r", s.p[i])) || s.p[i] == 0 || s.p[i] > '~') {
            return false;
        }
    }
    return true;
}

static klm_rc next_line(struct reader *r, struct klm_slice *rest)
{
    const uint8_t *end = memchr(rest->p, '\n', rest->n);
    struct klm_slice own = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    char copy[LINE_MAX_HERE];

    r->line++;
    if (own.n >= sizeof copy || !printable(own)) {
        return refuse(r, "it is too long, or not plain text");
    }
    memcpy(copy, own.p, own.n);
    copy[own.n] = '\0';
    *rest = KLM_SLICE(rest->p + own.n + (end ? 1 : 0), rest->n - own.n - (end ? 1 : 0));
    return line(r, copy);
}

static int by_serial(const void *a, const void *b)
{
    const struct dt_listed *const *x = a, *const *y = b;
    int order = strcmp((*x)->drive.serial, (*y)->drive.serial);

    return order ? order : ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

/* A serial number that came before is refused; a drive that says no kind has that of its keys. */
static klm_rc settle(struct reader *r)
{
    size_t n = r->out->n;
    struct dt_listed **order = klm_pool_alloc(r->pool, (n + 1) * sizeof(*order));

    if (!order) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        struct dt_drive *drive = &r->out->at[i].drive;

        order[i] = &r->out->at[i];
        if (drive->symalias[0] && !drive->alias1[0] && !drive->alias2[0]) {
            drive->kind = DT_LTO;
        }
    }
    qsort(order, n, sizeof(*order), by_serial);
    for (size_t i = 1; i < n; i++) {
        r->drive = order[i];
        if (order[i]->drive.serial[0] &&
            strcmp(order[i]->drive.serial, order[i - 1]->drive.serial) == 0) {
            spoil(r, "the drive stands above already");
        }
    }
    return KLM_OK;
}

klm_rc dt_listing_read(struct klm_slice text, struct klm_pool *pool, struct klm_diag *diag,
                       struct dt_listing *out)
{
    struct dt_listing list = {0};
    struct reader r = {.pool = pool, .diag = diag, .out = &list};

    if (text.n > DT_LISTING_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_MIGRATE_LISTING, "1", "the listing is too long");
    }
    while (text.n > 0) {
        KLM_TRY(next_line(&r, &text));
    }
    if (list.n == 0 || (r.counted && r.count != list.n)) {
        return refuse(&r, list.n == 0
                              ? "the listing has no drive"
                              : "the listing ends, and it has not as many drives as it says");
    }
    KLM_TRY(settle(&r));
    *out = list;
    return KLM_OK;
}
