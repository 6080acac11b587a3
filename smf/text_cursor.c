/* NAME.cursor: four lines of text. */
#include "base/file.h"
#include "smf/lines.h"
#include "smf/text_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
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

static int print(const struct smf_text_cursor *cursor, char out[CURSOR_MOST])
{
    char chain[2 * SMF_HASH_SIZE + 1];

    klm_hex(cursor->chain, SMF_HASH_SIZE, chain);
    return snprintf(out, CURSOR_MOST, CURSOR_FORMAT, cursor->seq, chain, cursor->ino,
                    cursor->offset);
}

static klm_rc parse(const char *text, struct smf_text_cursor *out)
{
    struct smf_lines lines = {text};
    struct smf_text_cursor cursor = {0};
    char again[CURSOR_MOST];

    smf_lines_text(&lines, CURSOR_TITLE, again, sizeof again);
    smf_lines_number(&lines, "sequence=", &cursor.seq);
    smf_lines_hash(&lines, "chain=", cursor.chain);
    smf_lines_number(&lines, "file=", &cursor.ino);
    smf_lines_number(&lines, "offset=", &cursor.offset);
    print(&cursor, again);
    if (!lines.at || strcmp(again, text) != 0) {
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
    KLM_TRY(smf_lines_load(path, CURSOR_MOST, &buf, NULL));
    return parse((const char *)buf.p, out);
}

klm_rc smf_text_cursor_save(struct smf_text_file *file, const struct smf_text_cursor *cursor)
{
    char path[PATH_MAX], text[CURSOR_MOST];
    int n;

    KLM_TRY(cursor_path(file, path));
    n = print(cursor, text);
    if (file->tail.fd >= 0) {
        KLM_TRY(smf_text_file_sync(file));
    }
    return klm_file_replace(path, KLM_SLICE(text, (size_t)n), 0640, NULL);
}
