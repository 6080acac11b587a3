/* NAME.cursor: four lines of text. */
#include "base/file.h"
#include "smf/text_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_MOST 300
#define CURSOR_TITLE "klm audit cursor 1"
#define CURSOR_FORMAT                                                                              \
    CURSOR_TITLE "\nsequence=%" PRIu64 "\nchain=%s\nfile=%" PRIu64 "\noffset=%" PRIu64 "\n"

static klm_rc cursor_path(const struct smf_text_file *file, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s.cursor", file->path);

    return n > 0 && n < PATH_MAX ? KLM_OK : KLM_E_LIMIT;
}

/* The rest of the line that begins with name, and on to the next; NULL when it is another line or too long. */
static const char *take_line(const char *p, const char *name, char *out, size_t cap)
{
    size_t n = strlen(name);
    const char *end = p && strncmp(p, name, n) == 0 ? strchr(p, '\n') : NULL;

    if (!end || (size_t)(end - p) - n >= cap) {
        return NULL;
    }
    memcpy(out, p + n, (size_t)(end - p) - n);
    out[(size_t)(end - p) - n] = '\0';
    return end + 1;
}

static const char *take_number(const char *p, const char *name, uint64_t *out)
{
    char digits[24];

    p = take_line(p, name, digits, sizeof digits);
    *out = p ? strtoull(digits, NULL, 10) : 0;
    return p;
}

static klm_rc parse(const char *text, struct smf_text_cursor *out)
{
    struct smf_text_cursor cursor;
    char chain[2 * SMF_HASH_SIZE + 1], again[CURSOR_MOST];
    const char *p = take_line(text, CURSOR_TITLE, again, sizeof again);
    size_t n;

    p = take_number(p, "sequence=", &cursor.seq);
    p = take_line(p, "chain=", chain, sizeof chain);
    p = take_number(p, "file=", &cursor.ino);
    p = take_number(p, "offset=", &cursor.offset);
    if (!p || klm_unhex(chain, cursor.chain, sizeof cursor.chain, &n) != KLM_OK ||
        n != SMF_HASH_SIZE) {
        return KLM_E_CORRUPT;
    }
    /* exactly as we write it */
    snprintf(again, sizeof again, CURSOR_FORMAT, cursor.seq, chain, cursor.ino, cursor.offset);
    if (strcmp(again, text) != 0) {
        return KLM_E_CORRUPT;
    }
    *out = cursor;
    return KLM_OK;
}

klm_rc smf_text_cursor_load(const struct smf_text_file *file, struct smf_text_cursor *out)
{
    char path[PATH_MAX];
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, CURSOR_MOST + 1);
    KLM_TRY(cursor_path(file, path));
    klm_file_sweep(path);
    KLM_TRY(klm_file_read(path, CURSOR_MOST, &buf, NULL));
    klm_buf_u8(&buf, 0);
    KLM_TRY(klm_buf_rc(&buf));
    return parse((const char *)buf.p, out);
}

klm_rc smf_text_cursor_save(const struct smf_text_file *file, const struct smf_text_cursor *cursor)
{
    char path[PATH_MAX], chain[2 * SMF_HASH_SIZE + 1], text[CURSOR_MOST];
    int n;

    KLM_TRY(cursor_path(file, path));
    klm_hex(cursor->chain, SMF_HASH_SIZE, chain);
    n = snprintf(text, sizeof text, CURSOR_FORMAT, cursor->seq, chain, cursor->ino, cursor->offset);
    if (file->fd >= 0) {
        KLM_TRY(klm_fdatasync(file->fd));
    }
    return klm_file_replace(path, KLM_SLICE(text, (size_t)n), 0640, NULL);
}
