/* NAME.cursor: four lines of text. */
#include "base/file.h"
#include "smf/text_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CURSOR_MOST 300
#define CURSOR_FORMAT                                                                              \
    "klm audit cursor 1\nsequence=%" PRIu64 "\nchain=%s\nfile=%" PRIu64 "\noffset=%" PRIu64 "\n"

static klm_rc cursor_path(const struct smf_text_file *file, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s.cursor", file->path);

    return n > 0 && n < PATH_MAX ? KLM_OK : KLM_E_LIMIT;
}

static klm_rc parse(const char *text, struct smf_text_cursor *out)
{
    struct smf_text_cursor cursor;
    char chain[2 * SMF_HASH_SIZE + 1], again[CURSOR_MOST];
    size_t n;

    if (sscanf(text,
               "klm audit cursor 1\nsequence=%" SCNu64 "\nchain=%64[0-9a-f]\nfile=%" SCNu64
               "\noffset=%" SCNu64,
               &cursor.seq, chain, &cursor.ino, &cursor.offset) != 4 ||
        klm_unhex(chain, cursor.chain, sizeof cursor.chain, &n) != KLM_OK || n != SMF_HASH_SIZE) {
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
