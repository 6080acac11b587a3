/* The manual of SMF records: the rows of smf/records.def, one record of the encoder drawn byte by byte, and what rules hold for data
 * sets, chain, checkpoints and text. Who reads it can write a reader without the sources; tests/smf/readsmf.py is one. */
#include "base/ebcdic.h"
#include "smf/type83_int.h"
#include "tools/gendocs.h"

#include <stdlib.h>

struct row {
    const char *name;
    unsigned offset, length;
    const char *form, *what, *source;
};
#define ROW(name, offset, length, form, what, source) {#name, offset, length, #form, what, source},
static const struct row header[] = {
#define SMF_T83_HEADER ROW
#include "smf/records.def"
};
static const struct row product[] = {
#define SMF_T83_PRODUCT ROW
#include "smf/records.def"
};
static const struct row security[] = {
#define SMF_T83_SECURITY ROW
#include "smf/records.def"
};
static const struct row extended[] = {
#define SMF_T83_EXTENDED ROW
#include "smf/records.def"
};

static void must(klm_rc rc)
{
    if (rc != KLM_OK) {
        fprintf(stderr, "gendocs: the example of smf.md: %s\n", klm_rc_text(rc));
        exit(2);
    }
}

static const char *form_name(const char *form)
{
    return !strcmp(form, "BINARY")   ? "binary"
           : !strcmp(form, "PACKED") ? "packed"
           : !strcmp(form, "TEXT")   ? "EBCDIC"
                                     : "";
}

static void layout(const char *title, const struct row *rows, size_t n)
{
    printf("\n### %s\n\n| offset | name | length | form | content | source |\n"
           "|---|---|---|---|---|---|\n",
           title);
    for (size_t i = 0; i < n; i++) {
        bool end = !strcmp(rows[i].form, "END");

        printf("| %u | %s | ", rows[i].offset, end ? "" : rows[i].name);
        if (!end) {
            printf("%u", rows[i].length);
        }
        printf(" | %s | %s | %s |\n", form_name(rows[i].form), rows[i].what, rows[i].source);
    }
}

static void values(void)
{
    printf("\n### Values and bits\n\n| value | where and what | source |\n|---|---|---|\n");
#define SMF_T83_VALUE(name, value, what, source)                                                   \
    printf("| X'%02X' (%u) | %s | %s |\n", (unsigned)(value), (unsigned)(value), what, source);
#define SMF_T83_STRING(name, text, what, source) printf("| `%s` | %s | %s |\n", text, what, source);
#include "smf/records.def"
}

static void codes_of_kinds(void)
{
    static const unsigned code_of[SMF_KINDS] = {
#define SMF_T83_CODE(kind, code) [kind] = (code),
#include "smf/records.def"
    };

    printf("\n### Event codes\n\n| SMF83EVT | name | kinds of events of this product | source |\n"
           "|---|---|---|---|\n");
#define SMF_T83_EVENT(code, name, source)                                                          \
    printf("| %d | %s |", code, name);                                                             \
    for (size_t i = 0; i < SMF_KINDS; i++) {                                                       \
        if (code_of[i] == (code)) {                                                                \
            printf(" %s", kinds[i].keyword);                                                       \
        }                                                                                          \
    }                                                                                              \
    printf(" | %s |\n", source);
#include "smf/records.def"
    printf("\n### Qualifiers\n\n| SMF83EVQ | name | when | source |\n|---|---|---|---|\n");
#define SMF_T83_QUALIFIER(value, name, when, source)                                               \
    printf("| %d | %s | %s | %s |\n", value, name, when, source);
#include "smf/records.def"
}

static const char *times_name(const char *times)
{
    return !strcmp(times, "EACH")   ? "in each record"
           : !strcmp(times, "ONCE") ? "once"
                                    : "as often as needed";
}

static void relocates(void)
{
    printf("\n## Relocate sections\n\n"
           "Numbers from 100 on belong to the subtype; readers pass over those they do not know. "
           "A section is left out when the event has\n"
           "no value for it. *Text* is EBCDIC with the escapes below, *number* a big-endian "
           "number, *bytes* are as they are. \"Once\" and\n"
           "\"as often as needed\" count the records of one event together.\n\n"
           "| number | name | form | times | content | source |\n|---|---|---|---|---|---|\n");
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source)                           \
    {                                                                                              \
        const char *f = #form;                                                                     \
                                                                                                   \
        printf("| %d | %s | %s | %s | %s | %s |\n", number, #name,                                 \
               *f == 'T'   ? "text"                                                                \
               : *f == 'N' ? "number"                                                              \
                           : "bytes",                                                              \
               times_name(#times), what, source);                                                  \
    }
#include "smf/records.def"
}

/* ---- One record, drawn */

/* Bytes of a field in lines of sixteen, the name and the meaning beside the first. */
static void draw(size_t at, const uint8_t *p, size_t n, const char *name, const char *meaning)
{
    for (size_t i = 0; i < n; i += 16) {
        size_t used = 0;

        printf("%5zu  ", at + i);
        for (size_t k = i; k < n && k < i + 16; k++) {
            used += (size_t)printf("%02X", p[k]);
        }
        if (i == 0) {
            printf("%*s  %-9s %s", (int)(32 - used), "", name, meaning);
        }
        printf("\n");
    }
}

/* EBCDIC as UTF-8, escapes as they are. */
static void show(const uint8_t *p, size_t n, char *out, size_t cap)
{
    size_t at = 0;

    for (size_t i = 0; i < n && at + 3 < cap; i++) {
        uint8_t c;

        klm_from_ebcdic(p + i, &c, 1);
        if (c >= 0x80) {
            out[at++] = (char)(0xC0 | c >> 6);
            c = 0x80 | (c & 0x3F);
        }
        out[at++] = (char)c;
    }
    out[at] = '\0';
}

/* Text fields are shown as text, the others as numbers. */
static void draw_row(const uint8_t *section, size_t at, const struct row *row)
{
    char meaning[200], text[32] = "";

    if (!strcmp(row->form, "TEXT")) {
        show(section + row->offset, row->length, text, sizeof text);
        snprintf(meaning, sizeof meaning, "'%s'", text);
    } else if (!strcmp(row->name, "SMF83FLG") || !strcmp(row->name, "SMF83DES")) {
        snprintf(meaning, sizeof meaning, "bits");
    } else if (!strcmp(row->form, "PACKED")) {
        snprintf(meaning, sizeof meaning, "%07X, sign F",
                 (unsigned)(smf_get_number(section + row->offset, 4) >> 4));
    } else {
        snprintf(meaning, sizeof meaning, "%llu",
                 (unsigned long long)smf_get_number(section + row->offset, row->length));
    }
    draw(at + row->offset, section + row->offset, row->length, row->name, meaning);
}

static void draw_rows(const uint8_t *section, size_t at, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].length) {
            draw_row(section, at, &rows[i]);
        }
    }
}

static void draw_relocate(const uint8_t *record, const uint8_t *data, size_t n, unsigned number)
{
    const struct smf_t83_row *row = smf_t83_row(number);
    size_t at = (size_t)(data - record) - SMF83DA2;
    char meaning[64], text[1024] = "";

    snprintf(meaning, sizeof meaning, "relocate %u, %s", number, row->name);
    draw(at, record + at, 2, "SMF83TP2", meaning);
    snprintf(meaning, sizeof meaning, "%zu bytes", n);
    draw(at + 2, record + at + 2, 2, "SMF83DL2", meaning);
    if (row->form == SMF_T83_TEXT) {
        show(data, n, text, sizeof text);
    } else if (row->form == SMF_T83_NUMBER) {
        snprintf(text, sizeof text, n == 8 ? "%llu" : "1 of %llu",
                 (unsigned long long)smf_get_number(data + n / 2, n - n / 2));
    } else {
        snprintf(text, sizeof text, "%zu bytes", n);
    }
    draw(at + SMF83DA2, data, n, "SMF83DA2", text);
}

static void draw_record(struct klm_slice record)
{
    struct smf_t83_view view = {0};
    struct klm_slice data;
    unsigned number;
    const char *why;

    must(smf_t83_parse(record, &view, &why));
    draw_rows(record.p, 0, header, N_OF(header));
    draw_rows(view.product.p, (size_t)(view.product.p - record.p), product, N_OF(product));
    draw_rows(view.security.p, (size_t)(view.security.p - record.p), security, N_OF(security));
    for (size_t at = 0; smf_t83_relocate(&view, &at, &number, &data) == KLM_OK;) {
        draw_relocate(record.p, data.p, data.n, number);
    }
}

static const struct smf_record example = {
    .seq = 17,
    .server_id = "KLM1",
    .hash = {0x6B, 0x6C, 0x6D, 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
             14,   15,   16,   17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29},
    .event = {.kind = SMF_RUNTIME,
              .outcome = SMF_SUCCESS,
              .time = 1795309323000004, /* 2026-11-22 01:02:03.000004 UTC */
              .field = {[SMF_F_VERB] = "key-serve",
                        [SMF_F_SOURCE] = "keymgr",
                        [SMF_F_USER] = "drive7",
                        [SMF_F_DRIVE] = "000007888422",
                        [SMF_F_VOLSER] = "WXY662",
                        [SMF_F_ALIAS1] = "LABEL20",
                        [SMF_F_ALIAS2] = "GR\303\234N\342\202\254"}},
};

static void example_record(void)
{
    static const struct smf_t83_origin origin = {
        .system = "SYS1", .subsystem = "KLM", .job = "ISKLM", .utc_offset_min = 60};
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_t83_chain chain = {0};
    char hex[2 * SMF_HASH_SIZE + 1];
    struct klm_buf text, record;

    klm_buf_init(&text, 65536);
    klm_buf_init(&record, 65536);
    must(smf_hash_new(&hash));
    must(smf_text_format(&example, NULL, &text));
    must(smf_t83_encode(&origin, &example, klm_buf_as_slice(&text), hash, &chain, &record));
    printf("\n## One record, byte by byte\n\n"
           "The first of its chain, an hour east of UTC. Offset, bytes, field, content:\n\n```\n");
    draw_record(klm_buf_as_slice(&record));
    klm_hex(chain.value, SMF_HASH_SIZE, hex);
    printf("```\n\nIts hash, which stands in relocate 117 of the record behind it, is the SHA-256 "
           "of its bytes from offset 4 on:\n`%s`.\n",
           hex);
    klm_buf_done(&text);
    klm_buf_done(&record);
}

static void rules_of_text(void)
{
    printf(
        "\n## Text\n\n"
        "Text is EBCDIC code page 1047 (line feed X'25'). The product's text is UTF-8; so that it "
        "comes back byte by byte:\n\n"
        "- a character up to U+00FF is its byte of the code page;\n"
        "- any other is `\\u{HEX}`: backslash, u, brace, one to six capital hexadecimal digits of "
        "its code point, brace;\n"
        "- a backslash that `u{` follows is `\\u{5C}`; any other backslash is itself.\n\n"
        "To read: convert the bytes, then replace each `\\u{HEX}` by its character, from left to "
        "right, once. What is not exactly of that form\n"
        "stands for itself. Control characters (U+0000 to U+001F, U+007F to U+009F) are not "
        "stored: the journal replaced them by dots. In fields\n"
        "of fixed length, characters that the code page does not have are `?`; blanks fill them "
        "up.\n\n"
        "Lines of relocate 114, each with a line end behind it, are the event's record in the "
        "text log, also over several records of an event.\n");
}

static void rules_of_events(void)
{
    printf(
        "\n## Events and records\n\n"
        "An event is one record, or several when it needs more than the longest record: they "
        "follow each other, have the same link value,\n"
        "sequence number, time, server, operation and kind, and relocate 116 counts them. The "
        "other relocate sections are shared out among them\n"
        "in the order of one record: fields by their numbers, then labels, then lines of text. "
        "None is split.\n\n"
        "Header time and date are the local time of the event (or of a checkpoint), by the offset "
        "in relocate 113. Events that the\n"
        "configuration leaves out are in the journal alone: sequence numbers of a data set may "
        "have gaps, its chain has none.\n");
}

static void rules_of_chain(void)
{
    printf(
        "\n## The chain\n\n"
        "The hash of a record is the SHA-256 (FIPS 180-4) of its bytes from offset 4 on, without "
        "the RDW, so that it is the same in every kind\n"
        "of data set. Relocate 117 holds the hash of the record before: 32 zero bytes in the "
        "first record of a chain. One chain runs\n"
        "over all data sets of a series, in the order in which they were written; parts of an "
        "event and checkpoints are links of it like any record.\n"
        "A record that is altered, missing, added or moved shows as a record whose relocate 117 "
        "is not the hash of the one before.\n\n"
        "## Checkpoints\n\n"
        "Who can write the files can make the whole chain anew; a checkpoint is what they cannot "
        "make. It is a record with event code 7,\n"
        "qualifier 1, operation `checkpoint`, link value 0 and relocates 131 to 134. Records of a "
        "chain are numbered from 1; relocate 131 is\n"
        "the number of the record before the checkpoint, and the value signed is the hash of that "
        "record, which is also in relocate 117. The\n"
        "signature is over these bytes, integers big-endian:\n\n"
        "| bytes | content |\n|---|---|\n"
        "| 2 + 19 | length and text `klmsrv checkpoint 1`, ASCII |\n"
        "| 2 + 3 | length and text `smf`, ASCII |\n"
        "| 2 + n | length and server id, UTF-8, as in relocate 100 |\n"
        "| 8 | number in relocate 131 |\n"
        "| 2 + 32 | length and hash in relocate 117 |\n\n"
        "| algorithm (relocate 132) | signature (relocate 134) |\n|---|---|\n"
        "| `RSA-PSS-SHA256` | RSASSA-PSS (RFC 8017), SHA-256, MGF1 with SHA-256, salt of 32 "
        "bytes |\n"
        "| `ECDSA-SHA256`, `ECDSA-SHA384` | ECDSA with that hash, as a DER SEQUENCE of r and s "
        "|\n\n"
        "Relocate 133 is the SHA-256 of the DER of the certificate that checks it. The journal's "
        "own checkpoints are events (kind\n"
        "`audit_management`) with relocates 135 to 137: their signature is over the same bytes "
        "with `journal` for `smf`.\n");
}

static void rules_of_datasets(void)
{
    printf(
        "\n## Data sets\n\n"
        "A data set is a file in one of these forms. All lengths are big-endian and count the "
        "descriptor word itself.\n\n"
        "- **RDW**: records one behind the other, each beginning with its record descriptor word: "
        "length (2), segment (1), 0 (1).\n"
        "- **VB**: blocks of at most 32,760 bytes, each a block descriptor word (length (2), 0 "
        "(2)) and whole records with their RDWs.\n"
        "  Bit 0 of a block descriptor on: the other 31 bits are the length.\n"
        "- **VBS**: the same, and a record may be spanned over blocks as segments, each with an "
        "RDW of its own. Segment byte: 0 a whole\n"
        "  record, 1 its first segment, 2 its last, 3 one between. The record is the data of its "
        "segments with one RDW before it, of segment 0.\n\n"
        "Blocks may be shorter than the block size anywhere. Records are at most 32,756 bytes "
        "long, RDW included.\n\n"
        "The product reads all three, VB and VBS that lost their block descriptors, and records "
        "that lost their RDWs where a length can\n"
        "be told: type 83 (the end of its relocate sections), types 2 and 3 (a header alone). "
        "Other types are passed over and counted.\n"
        "Reading goes on behind a damaged place where a descriptor is followed by a header whose "
        "time and packed date can be.\n");
}

void write_smf(void)
{
    printf("# SMF records\n\n<!-- Written by `make docs` from smf/records.def and tools/gensmf.c: "
           "change those. -->\n\n"
           "Audit events as SMF records of type 83, subtype 6. All integers are big-endian; "
           "offsets count from the start of the record with\n"
           "its RDW, or of the section. The column *source* tells where a row is from: a manual, "
           "*unverified* where no public copy was at\n"
           "hand to compare with, *ours* for what this product decided. "
           "`tests/smf/readsmf.py` reads records from this description alone.\n");
    printf("\n## A record\n\nHeader and self-defining section, product section, security section "
           "and relocate sections follow each other without a\n"
           "gap; readers go by the triplets (offset, length, number), not by that.\n");
    layout("Header and self-defining section", header, N_OF(header));
    layout("Product section", product, N_OF(product));
    layout("Security section", security, N_OF(security));
    layout("Extended-length relocate section", extended, N_OF(extended));
    values();
    codes_of_kinds();
    relocates();
    rules_of_text();
    rules_of_events();
    rules_of_chain();
    rules_of_datasets();
    example_record();
}
