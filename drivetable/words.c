/* Words of filedrive.table. */
#include "drivetable/words.h"

#include <string.h>

bool dt_reader_line(struct dt_reader *reader)
{
    const uint8_t *end;

    if (reader->p == reader->end) {
        return false;
    }
    end = memchr(reader->p, '\n', (size_t)(reader->end - reader->p));
    reader->line_start = reader->at = reader->p;
    reader->line_end = end ? end : reader->end;
    reader->p = end ? end + 1 : reader->end;
    if (reader->line_end > reader->line_start && reader->line_end[-1] == '\r') {
        reader->line_end--;
    }
    reader->line++;
    return true;
}

klm_rc dt_reader_fail(struct dt_reader *reader, const uint8_t *at, enum klm_msg_id id,
                      const char *what)
{
    unsigned column = 1;

    /* Columns count characters: bytes that go on with one are skipped. */
    for (const uint8_t *p = reader->line_start; p < at; p++) {
        column += (*p & 0xC0) != 0x80;
    }
    if (reader->diag) {
        reader->diag->line = reader->line;
        reader->diag->column = column;
    }
    return klm_fail(reader->diag, KLM_E_INVALID, id, KLM_NUM(reader->line), KLM_NUM(column), what);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static klm_rc append(struct dt_reader *reader, struct dt_word *word, size_t *n, uint8_t c)
{
    if (*n == DT_WORD_MAX) {
        return dt_reader_fail(reader, word->start, KLM_MSG_DRIVE_FILE_WORD, "the word is too long");
    }
    if (c < 0x20 || c == 0x7F) {
        return dt_reader_fail(reader, reader->at, KLM_MSG_DRIVE_FILE_WORD,
                              "there is a control character");
    }
    word->text[(*n)++] = (char)c;
    return KLM_OK;
}

/* "...": a backslash stands before a quote or a backslash. */
static klm_rc quoted(struct dt_reader *reader, struct dt_word *word)
{
    size_t n = 0;

    for (reader->at++; reader->at < reader->line_end && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\') {
            reader->at++;
            if (reader->at == reader->line_end || (*reader->at != '"' && *reader->at != '\\')) {
                return dt_reader_fail(
                    reader, reader->at - 1, KLM_MSG_DRIVE_FILE_WORD,
                    "a backslash in quotes stands only before a quote or a backslash");
            }
        }
        KLM_TRY(append(reader, word, &n, *reader->at));
    }
    if (reader->at == reader->line_end) {
        return dt_reader_fail(reader, word->start, KLM_MSG_DRIVE_FILE_WORD,
                              "the quote is not closed");
    }
    reader->at++;
    if (reader->at < reader->line_end && !is_blank(*reader->at)) {
        return dt_reader_fail(reader, reader->at, KLM_MSG_DRIVE_FILE_WORD,
                              "a blank is missing after the quote");
    }
    word->quoted = true;
    word->text[n] = '\0';
    return KLM_OK;
}

static klm_rc bare(struct dt_reader *reader, struct dt_word *word)
{
    size_t n = 0;

    for (; reader->at < reader->line_end && !is_blank(*reader->at); reader->at++) {
        if (*reader->at == '"') {
            return dt_reader_fail(reader, reader->at, KLM_MSG_DRIVE_FILE_WORD,
                                  "there is a quote inside a word");
        }
        KLM_TRY(append(reader, word, &n, *reader->at));
    }
    word->quoted = false;
    word->text[n] = '\0';
    return KLM_OK;
}

klm_rc dt_reader_word(struct dt_reader *reader, struct dt_word *word, bool *found)
{
    while (reader->at < reader->line_end && is_blank(*reader->at)) {
        reader->at++;
    }
    *found = reader->at < reader->line_end && *reader->at != '#';
    if (!*found) {
        return KLM_OK;
    }
    word->start = reader->at;
    return *reader->at == '"' ? quoted(reader, word) : bare(reader, word);
}

static bool needs_quotes(const char *word)
{
    return word[0] == '#' || strcmp(word, "-") == 0 || strpbrk(word, " \"") != NULL;
}

void dt_word_put(struct klm_buf *out, const char *word, size_t width)
{
    static const char blanks[] = "                                ";
    size_t start = out->n, n;

    if (!*word) {
        klm_buf_u8(out, '-');
    } else if (!needs_quotes(word)) {
        klm_buf_text(out, word);
    } else {
        klm_buf_u8(out, '"');
        for (; *word; word++) {
            if (*word == '"' || *word == '\\') {
                klm_buf_u8(out, '\\');
            }
            klm_buf_u8(out, (uint8_t)*word);
        }
        klm_buf_u8(out, '"');
    }
    n = out->n - start;
    if (n < width && width < sizeof blanks) {
        klm_buf_put(out, blanks, width - n);
    }
}
