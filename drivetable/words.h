/* The words of filedrive.table: lines into columns, columns into lines, and errors with their
 * place. */
#ifndef DRIVETABLE_WORDS_H
#define DRIVETABLE_WORDS_H

#include "drivetable/dt.h"

#define DT_WORD_MAX 160

struct dt_reader {
    const uint8_t *p, *end; /* what is left of the text */
    const uint8_t *at;      /* what is left of the line */
    const uint8_t *line_start, *line_end;
    unsigned line;
    struct klm_diag *diag;
};
struct dt_word {
    char text[DT_WORD_MAX + 1];
    const uint8_t *start; /* where it stands */
    bool quoted;
};

/* The next line; false at the end of the text. A carriage return before the line's end is no
 * part of it. */
bool dt_reader_line(struct dt_reader *reader);
/* The next word of the line; *found is false at its end or at a comment. KLM_E_INVALID with line
 * and column. */
klm_rc dt_reader_word(struct dt_reader *reader, struct dt_word *word, bool *found) KLM_MUST_USE;
/* KLM_E_INVALID with a message of the form "line, column: what", at a place in the line. */
klm_rc dt_reader_fail(struct dt_reader *reader, const uint8_t *at, enum klm_msg_id id,
                      const char *what) KLM_MUST_USE;

/* A word as it is written, with quotes where it needs them, padded with blanks to width; empty
 * is "-". */
void dt_word_put(struct klm_buf *out, const char *word, size_t width);

#endif
