/* Field by field, from the rows of records.def. */
#include "smf/dump/print.h"

#include "base/ebcdic.h"
#include "smf/type83_int.h"

#include <inttypes.h>
#include <string.h>

#define HEX_BYTES 16   /* bytes of a line */
#define MEANING_MAX 24 /* lines of bytes of one field that are shown */

enum form { BINARY, PACKED, TEXT, END };

static const struct field {
    const char *name;
    size_t offset, length;
    enum form form;
    const char *what;
} header[] =
    {
#define SMF_T83_HEADER(name, offset, length, form, what, source)                                   \
    {#name, offset, length, form, what},
#include "smf/records.def"
},
  product[] =
      {
#define SMF_T83_PRODUCT(name, offset, length, form, what, source)                                  \
    {#name, offset, length, form, what},
#include "smf/records.def"
},
  security[] = {
#define SMF_T83_SECURITY(name, offset, length, form, what, source)                                 \
    {#name, offset, length, form, what},
#include "smf/records.def"
};

/* The bytes of a field in lines of hex; the first line holds name and meaning. */
static void line(FILE *to, size_t offset, const char *name, struct klm_slice data,
                 const char *meaning, const char *what)
{
    size_t lines = (data.n + HEX_BYTES - 1) / HEX_BYTES;

    for (size_t i = 0; i == 0 || (i < lines && i < MEANING_MAX); i++) {
        size_t from = i * HEX_BYTES;
        size_t n = data.n - from < HEX_BYTES ? data.n - from : HEX_BYTES;
        char hex[2 * HEX_BYTES + 1] = "";

        if (n) {
            klm_hex_upper(data.p + from, n, hex);
        }
        if (i == 0) {
            fprintf(to, "%6zu  %-17s  %-32s  %s%s%s\n", offset, name, hex, meaning,
                    *meaning && *what ? "  - " : "", what);
        } else {
            fprintf(to, "%6zu  %-17s  %-32s\n", offset + from, "", hex);
        }
    }
    if (lines > MEANING_MAX) {
        fprintf(to, "%6s  %-17s  (%zu bytes in all)\n", "", "", data.n);
    }
}

/* EBCDIC as printable ASCII, in quotes. */
static void text_of(struct klm_slice data, char *out, size_t cap)
{
    size_t n = data.n < cap - 3 ? data.n : cap - 3;

    out[0] = '"';
    if (n) {
        klm_from_ebcdic(data.p, out + 1, n);
    }
    for (size_t i = 1; i <= n; i++) {
        out[i] = out[i] < ' ' || out[i] > '~' ? '.' : out[i];
    }
    out[n + 1] = '"';
    out[n + 2] = '\0';
}

static void time_text(uint64_t hundredths, char *out, size_t cap)
{
    snprintf(out, cap, "%02u:%02u:%02u.%02u", (unsigned)(hundredths / 360000) % 100,
             (unsigned)(hundredths / 6000) % 60, (unsigned)(hundredths / 100) % 60,
             (unsigned)(hundredths % 100));
}

static void meaning_of(const struct field *field, struct klm_slice data, char *out, size_t cap)
{
    uint64_t value = data.n <= 8 ? smf_get_number(data.p, data.n) : 0;
    const char *name = NULL;
    int year, day;

    if (field->form == TEXT) {
        text_of(data, out, cap);
    } else if (field->form == PACKED && smf_packed_date((uint32_t)value, &year, &day)) {
        snprintf(out, cap, "%04d, day %d", year, day);
    } else if (strcmp(field->name, "SMF83TME") == 0) {
        time_text(value, out, cap);
    } else {
        name = strcmp(field->name, "SMF83EVT") == 0   ? smf_t83_event_name((unsigned)value)
               : strcmp(field->name, "SMF83EVQ") == 0 ? smf_t83_qualifier_name((unsigned)value)
                                                      : NULL;
        snprintf(out, cap, "%" PRIu64 "%s%s", value, name ? " " : "", name ? name : "");
    }
}

/* Fields of a section that lie within its bytes. */
static void section(FILE *to, const struct field *fields, size_t n, size_t at,
                    struct klm_slice bytes)
{
    char meaning[160];

    for (size_t i = 0; i < n; i++) {
        const struct field *field = &fields[i];

        if (field->length == 0 || field->offset + field->length > bytes.n) {
            continue;
        }
        meaning_of(field, KLM_SLICE(bytes.p + field->offset, field->length), meaning,
                   sizeof meaning);
        line(to, at + field->offset, field->name, KLM_SLICE(bytes.p + field->offset, field->length),
             meaning, field->what);
    }
}

static void relocate(FILE *to, size_t at, unsigned number, struct klm_slice data)
{
    const struct smf_t83_row *row = smf_t83_row(number);
    char name[64], meaning[400];

    snprintf(name, sizeof name, "%u %s", number, row ? row->name : "");
    if (row && row->form == SMF_T83_TEXT) {
        text_of(data, meaning, sizeof meaning);
    } else if (row && row->form == SMF_T83_NUMBER && data.n == 4) {
        snprintf(meaning, sizeof meaning, "%" PRIu64 " of %" PRIu64, smf_get_number(data.p, 2),
                 smf_get_number(data.p + 2, 2));
    } else if (row && row->form == SMF_T83_NUMBER && data.n <= 8) {
        snprintf(meaning, sizeof meaning, "%" PRIu64, smf_get_number(data.p, data.n));
    } else {
        meaning[0] = '\0';
    }
    line(to, at, name, data, meaning, row ? row->what : "not known");
}

static void relocates(FILE *to, struct klm_slice record, const struct smf_t83_view *view)
{
    size_t at = 0, from = 0, base = (size_t)(view->relocates.p - record.p);
    struct klm_slice data;
    unsigned number;

    fprintf(to, "\nRELOCATE SECTIONS at %zu, %u of them; offsets are those of the data\n", base,
            view->relocates_n);
    while (smf_t83_relocate(view, &at, &number, &data) == KLM_OK) {
        relocate(to, base + from + SMF83DA2, number, data);
        from = at;
    }
}

/* What is no record of ours: header fields as far as every SMF record has them, then bytes. */
static void foreign(struct klm_slice record, bool subtypes, FILE *to)
{
    size_t known = subtypes ? SMF83TYP + SMF83TYP_N : SMF83SID + SMF83SID_N;

    known = record.n < known ? record.n : known;
    section(to, header, KLM_COUNT(header), 0, KLM_SLICE(record.p, known));
    if (record.n > known) {
        line(to, known, "", KLM_SLICE(record.p + known, record.n - known), "",
             "not described here");
    }
}

void smfd_print_fields(struct klm_slice record, FILE *to)
{
    struct smf_t83_view view;
    const char *why = "";

    if (smf_t83_parse(record, &view, &why) != KLM_OK) {
        fprintf(to, "The record cannot be read: %s\n", why);
        foreign(record, false, to);
        return;
    }
    if (!view.ours) {
        foreign(record, view.subtype != 0, to);
        return;
    }
    fprintf(to, "HEADER at 0\n");
    section(to, header, KLM_COUNT(header), 0, record);
    fprintf(to, "\nPRODUCT SECTION at %zu\n", (size_t)(view.product.p - record.p));
    section(to, product, KLM_COUNT(product), (size_t)(view.product.p - record.p), view.product);
    fprintf(to, "\nSECURITY SECTION at %zu\n", (size_t)(view.security.p - record.p));
    section(to, security, KLM_COUNT(security), (size_t)(view.security.p - record.p), view.security);
    relocates(to, record, &view);
}

static void print_read(const struct smfd_source *source, uint64_t number, FILE *to)
{
    const struct smf_read *read = &source->read;

    fprintf(to,
            "RECORD %" PRIu64 "  (record %" PRIu64 " of %s, offset %" PRIu64 ", %" PRIu64
            " bytes)\n\n",
            number, read->number, source->path, read->offset, read->length);
    if (read->kind == SMF_READ_DAMAGED) {
        fprintf(to, "damaged: %s\n", read->why ? read->why : "");
        return;
    }
    fprintf(to, "%6s  %-17s  %-32s  %s\n", "OFFSET", "NAME", "HEX", "MEANING");
    smfd_print_fields(read->record, to);
}

klm_rc smfd_print_record(const char *const *paths, size_t n, uint64_t number, FILE *to,
                         struct klm_diag *diag)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < n; i++) {
        struct smfd_source source;
        bool found = false;

        KLM_TRY(smfd_source_open(paths[i], NULL, NULL, diag, &source));
        while (!found && smfd_source_next(&source, true) == KLM_OK) {
            found = ++seen == number;
        }
        if (found) {
            print_read(&source, number, to);
        }
        smfd_source_close(&source);
        if (found) {
            return KLM_OK;
        }
    }
    return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_DUMP_NO_RECORD, KLM_NUM(number), KLM_NUM(seen));
}
