/* SKLMData.xml: a copy, for people and programs, of the newest events of the store. The current
 * file is kept in memory up to its last event and replaced as a whole, so a reader finds a well-
 * formed document at any moment. Its last line is a comment with the numbers of its events and a
 * digest, by which a restart goes on where it ended:     <!-- first=1 last=250 count=250
 * sha256=... --> When the next event does not fit, the file's content becomes the previous file:
 * that is replaced first, the current one after it, so that a kill in between leaves events in
 * both, never in none. */
#include "metadata/parts.h"

#include "base/digest.h"
#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROLL_DEFAULT (1024u * 1024)
#define ROLL_MAX (64u * 1024 * 1024)
/* An event's text: less than 300 bytes of values, each at most six times as long when escaped. */
#define EVENT_MAX 4096
#define TRAILER_MAX 256
#define PATH_CAP 4096
#define DIGEST 32
#define FILE_MODE 0640
#define LATE_MS 1000 /* an event is in the file after this long at most */
#define GAP_MS 100   /* files are written no more often than this */

#define ROOT "<KeyUsageEvents>"
#define ROOT_END "</KeyUsageEvents>\n"

struct trailer {
    uint64_t first, last, count; /* numbers of the first and last event, and how many */
};

struct md_xml {
    char path[PATH_CAP], previous[PATH_CAP], aside[PATH_CAP];
    uint64_t roll;
    unsigned cachecount;
    struct klm_buf text;  /* the current file up to its last event */
    struct klm_buf full;  /* a whole file that is to become the previous one; empty: none */
    struct klm_buf event; /* one event */
    struct trailer trailer;
    bool unwritten; /* text holds what the file does not */
    uint64_t wrote_ms, took_ms;
};

/* ---- Names */

/* SKLMData.xml, "previous" -> SKLMData.previous.xml */
static bool name_with(const char *path, const char *word, char out[PATH_CAP])
{
    size_t n = strlen(path);
    bool xml = n > 4 && strcmp(path + n - 4, ".xml") == 0;
    int len =
        snprintf(out, PATH_CAP, "%.*s.%s%s", (int)(xml ? n - 4 : n), path, word, xml ? ".xml" : "");

    return len > 0 && len < PATH_CAP;
}

klm_rc md_xml_previous(const char *path, char *out, size_t cap)
{
    char name[PATH_CAP];

    if (!name_with(path, "previous", name) || strlen(name) >= cap) {
        return KLM_E_LIMIT;
    }
    memcpy(out, name, strlen(name) + 1);
    return KLM_OK;
}

static klm_rc set_names(struct md_xml *xml, const char *path, struct klm_diag *diag)
{
    size_t n = strnlen(path, PATH_CAP);

    if (n == 0 || n >= PATH_CAP || !name_with(path, "previous", xml->previous) ||
        !name_with(path, "damaged", xml->aside)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_XML_PATH, path);
    }
    memcpy(xml->path, path, n + 1);
    return KLM_OK;
}

/* ---- The end of a file */

/* The part of the end that is digested, behind the events. */
static void put_trailer_head(struct klm_buf *out, const struct trailer *t)
{
    klm_buf_printf(out, ROOT_END "<!-- first=%" PRIu64 " last=%" PRIu64 " count=%" PRIu64 " ",
                   t->first, t->last, t->count);
}

static klm_rc put_trailer(struct klm_buf *out, const struct trailer *t)
{
    uint8_t sum[DIGEST];
    char hex[2 * DIGEST + 1];

    put_trailer_head(out, t);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(klm_sha256((struct klm_slice[]){klm_buf_as_slice(out)}, 1, sum));
    klm_hex(sum, sizeof sum, hex);
    klm_buf_printf(out, "sha256=%s -->\n", hex);
    return klm_buf_rc(out);
}

/* The number that follows a name at p, and on behind it; NULL when something else is there. */
static const char *take_number(const char *p, const char *name, uint64_t *out)
{
    size_t n = strlen(name);

    if (!p || strncmp(p, name, n) != 0) {
        return NULL;
    }
    *out = strtoull(p + n, NULL, 10);
    return p + n + strspn(p + n, "0123456789");
}

/* Where the end begins in a file; what it says is then compared with what we would write. */
static bool find_trailer(struct klm_slice file, size_t *at, struct trailer *t)
{
    char end[TRAILER_MAX + 1];
    size_t n = file.n < TRAILER_MAX ? file.n : TRAILER_MAX;
    const char *start, *p;

    if (file.n < sizeof ROOT - 1 || memcmp(file.p, ROOT, sizeof ROOT - 1) != 0) {
        return false;
    }
    memcpy(end, file.p + file.n - n, n);
    end[n] = '\0';
    start = strstr(end, ROOT_END "<!-- first=");
    p = start ? take_number(start + sizeof ROOT_END - 1, "<!-- first=", &t->first) : NULL;
    p = take_number(p, " last=", &t->last);
    if (!take_number(p, " count=", &t->count)) {
        return false;
    }
    *at = file.n - n + (size_t)(start - end);
    return true;
}

/* Is the file as we left it? Then its text without the end becomes ours. */
static klm_rc take_file(struct md_xml *xml, const struct klm_buf *file, bool *taken)
{
    struct trailer t;
    size_t at;

    *taken = false;
    if (!find_trailer(klm_buf_as_slice(file), &at, &t)) {
        return KLM_OK;
    }
    klm_buf_clear(&xml->text);
    klm_buf_put(&xml->text, file->p, at);
    KLM_TRY(put_trailer(&xml->text, &t));
    *taken = klm_slice_equal(klm_buf_as_slice(&xml->text), klm_buf_as_slice(file));
    xml->text.n = at;
    xml->trailer = t;
    return KLM_OK;
}

/* ---- Events into the text */

static size_t text_limit(const struct md_xml *xml)
{
    return (size_t)xml->roll + EVENT_MAX + TRAILER_MAX;
}

static void begin(struct md_xml *xml, uint64_t after)
{
    klm_buf_clear(&xml->text);
    klm_buf_text(&xml->text, ROOT);
    xml->trailer = (struct trailer){.last = after};
}

static bool fits(const struct md_xml *xml)
{
    return xml->text.n + xml->event.n + TRAILER_MAX <= xml->roll;
}

/* Take the end off again, with its failure if there was one. */
static void cut_trailer(struct md_xml *xml, size_t n)
{
    xml->text.n = n;
    xml->text.rc = KLM_OK;
}

/* The current text becomes the previous file. One that was still waiting to be written is passed
 * by. */
static klm_rc roll(struct md_xml *xml)
{
    size_t n = xml->text.n;
    struct klm_buf fresh;
    klm_rc rc = put_trailer(&xml->text, &xml->trailer);

    klm_buf_init(&fresh, text_limit(xml));
    klm_buf_text(&fresh, ROOT);
    if (rc != KLM_OK || fresh.rc != KLM_OK) {
        cut_trailer(xml, n);
        klm_buf_done(&fresh);
        return KLM_E_NOMEM;
    }
    klm_buf_done(&xml->full);
    xml->full = xml->text;
    xml->text = fresh;
    xml->trailer = (struct trailer){.last = xml->trailer.last};
    return KLM_OK;
}

static klm_rc add_event(void *arg, const struct md_usage *usage)
{
    struct md_xml *xml = arg;

    klm_buf_clear(&xml->event);
    KLM_TRY(md_xml_event(usage, &xml->event));
    if (xml->trailer.count && !fits(xml)) {
        KLM_TRY(roll(xml));
    }
    klm_buf_slice(&xml->text, klm_buf_as_slice(&xml->event));
    if (xml->text.rc != KLM_OK) {
        klm_rc rc = xml->text.rc;

        xml->text.rc = KLM_OK; /* nothing of it was taken; the next update tries again */
        return rc;
    }
    xml->trailer.first = xml->trailer.count ? xml->trailer.first : usage->number;
    xml->trailer.last = usage->number;
    xml->trailer.count++;
    xml->unwritten = true;
    return KLM_OK;
}

/* Everything above the last event of the text, up to the store's last. */
static klm_rc catch_up(struct md_xml *xml, struct st_view *view, uint64_t last)
{
    KLM_TRY(md_usage_scan(view, xml->trailer.last, 0, add_event, xml));
    xml->trailer.last = last; /* beyond the last one that could be read */
    return KLM_OK;
}

/* ---- Files */

static klm_rc write_current(struct md_xml *xml, struct klm_diag *diag)
{
    size_t n = xml->text.n;
    klm_rc rc = put_trailer(&xml->text, &xml->trailer);

    if (rc == KLM_OK) {
        rc = klm_file_replace(xml->path, klm_buf_as_slice(&xml->text), FILE_MODE, diag);
    }
    cut_trailer(xml, n);
    return rc;
}

static klm_rc write_files(struct md_xml *xml, struct klm_diag *diag)
{
    uint64_t start = klm_clock_mono_ms();

    xml->wrote_ms = start; /* a failing disk is not tried more often either */
    if (xml->full.n) {
        KLM_TRY(klm_file_replace(xml->previous, klm_buf_as_slice(&xml->full), FILE_MODE, diag));
        klm_buf_done(&xml->full);
    }
    KLM_TRY(write_current(xml, diag));
    xml->unwritten = false;
    xml->wrote_ms = klm_clock_mono_ms();
    xml->took_ms = xml->wrote_ms - start;
    return KLM_OK;
}

/* From the newest event back: how many of them fill one file? */
struct back {
    struct md_xml *xml;
    uint64_t first;
    size_t n;
    bool over;
};

static klm_rc back_event(void *arg, const struct md_usage *usage)
{
    struct back *back = arg;

    klm_buf_clear(&back->xml->event);
    KLM_TRY(md_xml_event(usage, &back->xml->event));
    back->n += back->xml->event.n;
    back->over = back->n + sizeof ROOT + TRAILER_MAX > back->xml->roll && back->first;
    if (back->over) {
        return KLM_E_AGAIN;
    }
    back->first = usage->number;
    return KLM_OK;
}

/* A file of the newest events of the store. */
static klm_rc make_anew(struct md_xml *xml, struct st_view *view, uint64_t last,
                        struct klm_diag *diag)
{
    struct back back = {.xml = xml};
    klm_rc rc = md_usage_back(view, 0, back_event, &back);

    if (rc != KLM_OK && !(rc == KLM_E_AGAIN && back.over)) {
        return rc;
    }
    begin(xml, back.first ? back.first - 1 : last);
    KLM_TRY(catch_up(xml, view, last));
    return write_files(xml, diag);
}

static klm_rc set_aside(const struct md_xml *xml, const char *why, struct klm_diag *diag)
{
    char text[128];

    if (rename(xml->path, xml->aside) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_WRITE, xml->aside,
                        strerror_r(errno, text, sizeof text));
    }
    klm_say(KLM_MSG_XML_ASIDE, xml->path, xml->aside, why);
    return KLM_OK;
}

/* Go on with the file that is there, or make it. */
static klm_rc open_file(struct md_xml *xml, struct st_view *view, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf file = {0};
    size_t max = (size_t)ROLL_MAX + EVENT_MAX + TRAILER_MAX;
    bool taken = false;
    uint64_t last;
    klm_rc rc;

    KLM_TRY(md_usage_last(view, &last));
    klm_buf_init(&file, max);
    rc = klm_file_read(xml->path, max, &file, diag);
    if (rc == KLM_E_NOTFOUND) {
        return make_anew(xml, view, last, diag);
    }
    if (rc == KLM_OK) {
        rc = take_file(xml, &file, &taken);
    }
    if (rc != KLM_OK && rc != KLM_E_LIMIT) { /* a file that is too long is not ours */
        return rc;
    }
    if (taken && xml->trailer.last <= last) {
        return KLM_OK;
    }
    KLM_TRY(set_aside(
        xml, taken ? "it has events that the store has not" : "it is damaged or was changed",
        diag));
    return make_anew(xml, view, last, diag);
}

static uint64_t roll_size(const struct md_xml_options *options)
{
    if (options->roll_bytes > ROLL_MAX) {
        klm_say(KLM_MSG_XML_ROLL, KLM_NUM(options->roll_bytes), options->path, KLM_NUM(ROLL_MAX));
        return ROLL_MAX;
    }
    return options->roll_bytes ? options->roll_bytes : ROLL_DEFAULT;
}

klm_rc md_xml_open(const struct md_xml_options *options, struct st_view *view,
                   struct klm_diag *diag, struct md_xml **out)
{
    KLM_AUTO(md_xml_close) struct md_xml *xml = calloc(1, sizeof *xml);

    if (!xml) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(set_names(xml, options->path, diag));
    klm_file_sweep(xml->path);
    klm_file_sweep(xml->previous);
    xml->roll = roll_size(options);
    xml->cachecount = options->cachecount;
    klm_buf_init(&xml->text, (size_t)ROLL_MAX + EVENT_MAX + TRAILER_MAX);
    klm_buf_init(&xml->event, EVENT_MAX);
    KLM_TRY(open_file(xml, view, diag));
    *out = xml;
    xml = NULL;
    return KLM_OK;
}

/* At the latest a second after an event; sooner when cachecount events wait, but not so often
 * that writing files takes more than a tenth of the time. */
static bool due(const struct md_xml *xml, uint64_t waiting)
{
    uint64_t since = klm_clock_mono_ms() - xml->wrote_ms;
    uint64_t gap = 10 * xml->took_ms > GAP_MS ? 10 * xml->took_ms : GAP_MS;

    return since >= LATE_MS || (xml->cachecount && waiting >= xml->cachecount && since >= gap);
}

klm_rc md_xml_update(struct md_xml *xml, struct st_view *view, bool force, struct klm_diag *diag)
{
    uint64_t last, waiting;

    KLM_TRY(md_usage_last(view, &last));
    waiting = last > xml->trailer.last ? last - xml->trailer.last : 0;
    if ((waiting == 0 && !xml->unwritten) || !(force || due(xml, waiting))) {
        return KLM_OK;
    }
    KLM_TRY(catch_up(xml, view, last > xml->trailer.last ? last : xml->trailer.last));
    return xml->unwritten ? write_files(xml, diag) : KLM_OK;
}

void md_xml_close(struct md_xml **xml)
{
    if (*xml) {
        klm_buf_done(&(*xml)->text);
        klm_buf_done(&(*xml)->full);
        klm_buf_done(&(*xml)->event);
        free(*xml);
        *xml = NULL;
    }
}
