/* filedrive.table, written and read (FORMAT.md). */
#include "drivetable/columns.h"
#include "drivetable/parts.h"

#include "base/digest.h"
#include "base/ebcdic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "filedrive.table"
#define FORMAT "1"
#define DIGEST 32

/* ---- Writing */

struct rows_out {
    struct klm_buf *text;
    size_t n;
};

static klm_rc put_drive(void *arg, const struct dt_drive *drive)
{
    struct rows_out *rows = arg;

    dt_columns_put(rows->text, drive);
    rows->n++;
    return klm_buf_rc(rows->text);
}

/* SHA-256 of all but the digest line. */
static klm_rc digest(struct klm_slice before, struct klm_slice after, uint8_t out[DIGEST])
{
    return klm_sha256((struct klm_slice[]){before, after}, 2, out);
}

klm_rc dt_file_encode(struct st_view *view, uint64_t generation, struct klm_buf *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf head = {0}, body = {0};
    struct rows_out rows = {.text = &body};
    uint8_t sum[DIGEST];
    char hex[2 * DIGEST + 1];

    klm_buf_init(&head, 256);
    klm_buf_init(&body, DT_FILE_MAX - 512);
    klm_buf_text(&body, "# Drives of the key manager. Columns are parted by blanks; - is empty; "
                        "\"...\" holds blanks.\n");
    dt_columns_heading(&body);
    KLM_TRY(dt_scan(view, put_drive, &rows));
    klm_buf_text(&body, "end\n");
    klm_buf_printf(&head, MAGIC " " FORMAT "\ngeneration %" PRIu64 "\ncount %zu\n", generation,
                   rows.n);
    KLM_TRY(klm_buf_rc(&head));
    KLM_TRY(klm_buf_rc(&body));
    KLM_TRY(digest(klm_buf_as_slice(&head), klm_buf_as_slice(&body), sum));
    klm_hex(sum, sizeof sum, hex);
    klm_buf_slice(out, klm_buf_as_slice(&head));
    klm_buf_printf(out, "digest %s\n", hex);
    klm_buf_slice(out, klm_buf_as_slice(&body));
    return klm_buf_rc(out);
}

/* ---- Reading */

struct header {
    bool has_generation, has_count, has_digest;
    uint64_t generation, count;
    uint8_t sum[DIGEST];
    struct klm_slice before, after; /* the text without its digest line */
};

static klm_rc bad(struct dt_reader *r, const uint8_t *at, const char *what)
{
    return dt_reader_fail(r, at, KLM_MSG_DRIVE_FILE_WORD, what);
}

static klm_rc too_big(struct dt_reader *r)
{
    return klm_fail(r->diag, KLM_E_LIMIT, KLM_MSG_DRIVE_FILE_LIMIT, KLM_NUM(DT_FILE_MAX),
                    KLM_NUM(DT_DRIVES_MAX));
}

/* A file copied from z/OS without conversion begins with the EBCDIC form of our name. */
static bool is_ebcdic(struct klm_slice text)
{
    char magic[sizeof MAGIC - 1];

    klm_to_ebcdic(MAGIC, magic, sizeof magic);
    return text.n >= sizeof magic && memcmp(text.p, magic, sizeof magic) == 0;
}

/* Say at which line and column a NUL stands. */
static klm_rc nul_found(struct dt_reader *r, const uint8_t *nul)
{
    while (dt_reader_line(r) && nul > r->line_end) {
    }
    return dt_reader_fail(r, nul, KLM_MSG_DRIVE_FILE_NUL, "");
}

static klm_rc check_text(struct dt_reader *r, struct klm_slice text)
{
    const uint8_t *nul;

    if (text.n > DT_FILE_MAX) {
        return too_big(r);
    }
    if (is_ebcdic(text)) {
        return klm_fail(r->diag, KLM_E_INVALID, KLM_MSG_DRIVE_FILE_EBCDIC);
    }
    nul = text.n ? memchr(text.p, 0, text.n) : NULL;
    return nul ? nul_found(r, nul) : KLM_OK;
}

/* First line: name and version of the format. */
static klm_rc read_magic(struct dt_reader *r)
{
    struct dt_word word = {0};
    bool found = false;

    if (r->end - r->p >= 3 && memcmp(r->p, "\xEF\xBB\xBF", 3) == 0) {
        r->p += 3; /* a byte order mark: some editors leave one */
    }
    if (!dt_reader_line(r) || dt_reader_word(r, &word, &found) != KLM_OK || !found ||
        strcmp(word.text, MAGIC) != 0) {
        return klm_fail(r->diag, KLM_E_INVALID, KLM_MSG_DRIVE_FILE_MAGIC, MAGIC " " FORMAT);
    }
    KLM_TRY(dt_reader_word(r, &word, &found));
    if (!found || strcmp(word.text, FORMAT) != 0) {
        return klm_fail(r->diag, KLM_E_UNSUPPORTED, KLM_MSG_DRIVE_FILE_VERSION,
                        found ? word.text : "", FORMAT);
    }
    KLM_TRY(dt_reader_word(r, &word, &found));
    return found ? bad(r, word.start, "there is more on the line than belongs there") : KLM_OK;
}

static klm_rc read_number(struct dt_reader *r, const struct dt_word *word, bool *has, uint64_t *out)
{
    uint64_t n = 0;

    for (const char *p = word->text; *p; p++) {
        unsigned digit = (unsigned)(uint8_t)*p - '0';

        if (digit > 9 || n > (UINT64_MAX - digit) / 10) {
            return bad(r, word->start, "a number was expected");
        }
        n = 10 * n + digit;
    }
    *has = true;
    *out = n;
    return KLM_OK;
}

static klm_rc read_digest(struct dt_reader *r, const struct dt_word *word, struct header *h)
{
    size_t n;

    if (klm_unhex(word->text, h->sum, sizeof h->sum, &n) != KLM_OK || n != sizeof h->sum) {
        return bad(r, word->start, "a digest is 64 hexadecimal digits");
    }
    h->has_digest = true;
    h->before = KLM_SLICE(h->before.p, (size_t)(r->line_start - h->before.p));
    h->after = KLM_SLICE(r->p, (size_t)(r->end - r->p));
    return KLM_OK;
}

/* A line that begins with a word of the header: true in *is when it was one. */
static klm_rc read_header(struct dt_reader *r, const struct dt_word *first, struct header *h,
                          bool *is)
{
    bool generation = strcmp(first->text, "generation") == 0,
         count = strcmp(first->text, "count") == 0;
    struct dt_word word = {0};
    bool found;

    *is = generation || count || strcmp(first->text, "digest") == 0;
    if (!*is) {
        return KLM_OK;
    }
    if (generation ? h->has_generation : count ? h->has_count : h->has_digest) {
        return bad(r, first->start, "this line of the header is there twice");
    }
    KLM_TRY(dt_reader_word(r, &word, &found));
    if (!found || !word.text[0]) {
        return bad(r, r->at, "the value is missing");
    }
    KLM_TRY(generation ? read_number(r, &word, &h->has_generation, &h->generation)
            : count    ? read_number(r, &word, &h->has_count, &h->count)
                       : read_digest(r, &word, h));
    KLM_TRY(dt_reader_word(r, &word, &found));
    return found ? bad(r, word.start, "there is more on the line than belongs there") : KLM_OK;
}

/* A line of a drive, its first word read already. */
static klm_rc read_drive(struct dt_reader *r, struct dt_word *word, struct dt_file *file)
{
    struct dt_row *row;
    klm_rc rc = dt_rows_add(&file->rows, &row);

    if (rc == KLM_E_LIMIT) {
        return too_big(r);
    }
    KLM_TRY(rc);
    row->line = r->line;
    return dt_columns_read(r, word, &row->drive);
}

/* After the end line there is nothing but comments. */
static klm_rc read_tail(struct dt_reader *r)
{
    struct dt_word word = {0};
    bool found;

    do {
        KLM_TRY(dt_reader_word(r, &word, &found));
        if (found) {
            return bad(r, word.start, "there is more after the end line");
        }
    } while (dt_reader_line(r));
    return KLM_OK;
}

static klm_rc read_lines(struct dt_reader *r, struct dt_file *file, struct header *h)
{
    struct dt_word word = {0};
    bool found, header;

    while (dt_reader_line(r)) {
        KLM_TRY(dt_reader_word(r, &word, &found));
        if (!found) {
            continue;
        }
        if (!word.quoted && strcmp(word.text, "end") == 0) {
            return read_tail(r);
        }
        header = false;
        if (file->rows.n == 0) {
            KLM_TRY(read_header(r, &word, h, &header));
        }
        if (!header) {
            KLM_TRY(read_drive(r, &word, file));
        }
    }
    r->line_start = r->end;
    return dt_reader_fail(r, r->end, KLM_MSG_DRIVE_FILE_CUT, "");
}

static klm_rc check_twice(const struct dt_rows *rows, struct klm_diag *diag)
{
    for (size_t i = 1; i < rows->n; i++) {
        const struct dt_row *a = &rows->row[i - 1], *b = &rows->row[i];

        if (strcmp(a->drive.serial, b->drive.serial) == 0) {
            if (diag) {
                diag->line = b->line;
                diag->column = 1;
            }
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DRIVE_FILE_TWICE, KLM_NUM(b->line),
                            b->drive.serial, KLM_NUM(a->line));
        }
    }
    return KLM_OK;
}

static klm_rc check_digest(struct dt_file *file, const struct header *h, struct klm_diag *diag)
{
    uint8_t sum[DIGEST];

    if (!h->has_digest) {
        return KLM_OK;
    }
    KLM_TRY(digest(h->before, h->after, sum));
    file->intact = memcmp(sum, h->sum, sizeof sum) == 0;
    if (file->intact && h->has_count && h->count != file->rows.n) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DRIVE_FILE_COUNT, KLM_NUM(h->count),
                        KLM_NUM(file->rows.n));
    }
    return KLM_OK;
}

klm_rc dt_file_decode(struct klm_slice text, struct klm_diag *diag, struct dt_file **out)
{
    KLM_AUTO(dt_file_free) struct dt_file *file = calloc(1, sizeof *file);
    const uint8_t *start = text.n ? text.p : (const uint8_t *)"";
    struct dt_reader r = {.p = start, .end = start + text.n, .line_start = start, .diag = diag};
    struct header h = {.before = text};

    if (!file) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(check_text(&r, text));
    KLM_TRY(read_magic(&r));
    KLM_TRY(read_lines(&r, file, &h));
    dt_rows_sort(&file->rows);
    KLM_TRY(check_twice(&file->rows, diag));
    KLM_TRY(check_digest(file, &h, diag));
    file->generation = h.generation;
    *out = file;
    file = NULL;
    return KLM_OK;
}

bool dt_file_intact(const struct dt_file *file)
{
    return file->intact;
}

uint64_t dt_file_generation(const struct dt_file *file)
{
    return file->generation;
}

size_t dt_file_count(const struct dt_file *file)
{
    return file->rows.n;
}

void dt_file_free(struct dt_file **file)
{
    if (*file) {
        dt_rows_free(&(*file)->rows);
        free(*file);
        *file = NULL;
    }
}
