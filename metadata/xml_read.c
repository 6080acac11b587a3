/* Reading a file of key usage events: nothing is built up in memory, the first thing that does not belong there ends it. */
#include "metadata/parts.h"
#include "metadata/sax.h"

#include "base/file.h"

#include <stddef.h>
#include <string.h>

#define DATE_FIELD 7

/* Children of an event. keyAlias2 may come before keyAlias1, in fact any order will do. */
static const struct field {
    const char *name;
    size_t offset, cap;
} fields[] = {
    {"driveSSN", offsetof(struct md_usage, drive), sizeof(((struct md_usage *)0)->drive)},
    {"volSer", offsetof(struct md_usage, volser), sizeof(((struct md_usage *)0)->volser)},
    {"driveWWN", offsetof(struct md_usage, wwn), sizeof(((struct md_usage *)0)->wwn)},
    {"keyAlias2", offsetof(struct md_usage, alias2), sizeof(((struct md_usage *)0)->alias2)},
    {"keyAlias1", offsetof(struct md_usage, alias1), sizeof(((struct md_usage *)0)->alias1)},
    {"dki", offsetof(struct md_usage, dki), sizeof(((struct md_usage *)0)->dki)},
    {"client", offsetof(struct md_usage, client), sizeof(((struct md_usage *)0)->client)},
    [DATE_FIELD] = {"dateTime", 0, KLM_JAVA_DATE_MAX},
};

struct reader {
    md_usage_fn *fn;
    void *arg;
    const struct field *field; /* the child that is open, NULL: one that is not ours */
    unsigned seen;             /* bit per field */
    struct md_usage usage;
    char text[MD_DKI_MAX + 1]; /* of the open child: room for the longest */
    size_t n;
};

static void open_child(struct md_sax *sax, struct reader *r, const char *name)
{
    r->field = NULL;
    r->n = 0;
    for (size_t i = 0; i < KLM_COUNT(fields); i++) {
        if (strcmp(name, fields[i].name) == 0) {
            r->field = &fields[i];
            if (r->seen & (1u << i)) {
                md_sax_refuse(sax, "an element of the event is there twice");
            }
            r->seen |= 1u << i;
        }
    }
}

static void on_open(struct md_sax *sax, unsigned depth, const char *name, const char **attrs)
{
    struct reader *r = sax->arg;

    (void)attrs; /* none is known */
    switch (depth) {
    case 0:
        if (strcmp(name, "KeyUsageEvents") != 0) {
            md_sax_refuse(sax, "the document is not KeyUsageEvents");
        }
        return;
    case 1:
        if (strcmp(name, "KeyUsageEvent") != 0) {
            md_sax_refuse(sax, "an element that is no KeyUsageEvent");
        }
        r->usage = (struct md_usage){0};
        r->seen = 0;
        return;
    case 2:
        open_child(sax, r, name);
        return;
    default:
        md_sax_refuse(sax, "elements are nested too deeply");
    }
}

static void close_child(struct md_sax *sax, struct reader *r)
{
    r->text[r->n] = '\0';
    if (!r->field) {
        return;
    }
    if (r->field == &fields[DATE_FIELD]) {
        if (klm_java_date_parse(r->text, &r->usage.time) != KLM_OK) {
            md_sax_refuse(sax, "dateTime is no date such as Tue Oct 18 19:35:08 GMT 2011");
        }
    } else {
        memcpy((char *)&r->usage + r->field->offset, r->text, r->n + 1);
    }
}

static void close_event(struct md_sax *sax, struct reader *r)
{
    if (!(r->seen & (1u << DATE_FIELD)) || (!r->usage.drive[0] && !r->usage.client[0])) {
        md_sax_refuse(sax, "an event without driveSSN (or client) or dateTime");
    } else if (!md_usage_ok(&r->usage)) {
        md_sax_refuse(sax, "an event with control characters");
    } else {
        md_sax_end(sax, r->fn(r->arg, &r->usage));
    }
}

static void on_close(struct md_sax *sax, unsigned depth)
{
    if (depth == 1) {
        close_event(sax, sax->arg);
    } else if (depth == 2) {
        close_child(sax, sax->arg);
    }
}

static void on_text(struct md_sax *sax, unsigned depth, const char *text, size_t n)
{
    struct reader *r = sax->arg;

    if (depth != 2) {
        md_sax_blank(sax, text, n, "text outside of the elements of an event");
    } else if (r->field && n >= r->field->cap - r->n) {
        md_sax_refuse(sax, "the text of an element is too long");
    } else if (r->field) {
        memcpy(r->text + r->n, text, n);
        r->n += n;
    }
}

static klm_rc read_text(struct klm_slice text, const char *name, md_usage_fn *fn, void *arg,
                        struct klm_diag *diag)
{
    struct reader r = {.fn = fn, .arg = arg};
    struct md_sax sax = {.name = name,
                         .bad = KLM_MSG_XML_BAD,
                         .doctype = KLM_MSG_XML_DOCTYPE,
                         .diag = diag,
                         .arg = &r,
                         .open = on_open,
                         .close = on_close,
                         .text = on_text};

    return md_sax_read(&sax, text);
}

klm_rc md_xml_parse(struct klm_slice text, md_usage_fn *fn, void *arg, struct klm_diag *diag)
{
    return read_text(text, "Key usage XML", fn, arg, diag);
}

klm_rc md_xml_read(const char *path, size_t max, md_usage_fn *fn, void *arg, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    klm_buf_init(&buf, max);
    KLM_TRY(klm_file_read(path, max, &buf, diag));
    return read_text(klm_buf_as_slice(&buf), path, fn, arg, diag);
}
