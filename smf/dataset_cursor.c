/* smf.cursor: lines of text. */
#include "base/file.h"
#include "smf/dataset_file.h"
#include "smf/lines.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CURSOR_TITLE "klm smf cursor 1"
#define CURSOR_FORMAT                                                                              \
    CURSOR_TITLE "\ndataset=%s\nfile=%" PRIu64 "\nlength=%" PRIu64                                 \
                 "\nformat=%s\nsequence=%" PRIu64 "\nevent=%" PRIu64 "\nrecords=%" PRIu64          \
                 "\nchain=%s\ntext=%s\ncheckpoint=%" PRIu64 "\n"

static const char *const formats[] = {[SMF_RDW] = "RDW", [SMF_VB] = "VB", [SMF_VBS] = "VBS"};

static klm_rc cursor_path(const char *folder, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/" SMF_DS_CURSOR, folder);

    return n > 0 && n < PATH_MAX ? KLM_OK : KLM_E_LIMIT;
}

int smf_ds_cursor_print(const struct smf_ds_cursor *cursor, char out[SMF_DS_CURSOR_MOST])
{
    char chain[2 * SMF_HASH_SIZE + 1], text[2 * SMF_HASH_SIZE + 1];

    klm_hex(cursor->place.chain.value, SMF_HASH_SIZE, chain);
    klm_hex(cursor->place.text_chain, SMF_HASH_SIZE, text);
    return snprintf(out, SMF_DS_CURSOR_MOST, CURSOR_FORMAT, cursor->name, cursor->ino,
                    cursor->length, formats[cursor->format], cursor->place.seq,
                    cursor->place.chain.seq, cursor->place.chain.records, chain, text,
                    cursor->place.checkpoint);
}

static void format(struct smf_lines *lines, enum smf_format *out)
{
    char word[8] = "";

    smf_lines_text(lines, "format=", word, sizeof word);
    for (size_t i = 0; i < KLM_COUNT(formats); i++) {
        if (strcmp(word, formats[i]) == 0) {
            *out = (enum smf_format)i;
            return;
        }
    }
    lines->at = NULL;
}

klm_rc smf_ds_cursor_parse(const char *text, struct smf_ds_cursor *out)
{
    struct smf_lines lines = {text};
    struct smf_ds_cursor cursor = {0};
    struct smf_ds_place *place = &cursor.place;
    char again[SMF_DS_CURSOR_MOST];

    smf_lines_text(&lines, CURSOR_TITLE, again, sizeof again);
    smf_lines_text(&lines, "dataset=", cursor.name, sizeof cursor.name);
    smf_lines_number(&lines, "file=", &cursor.ino);
    smf_lines_number(&lines, "length=", &cursor.length);
    format(&lines, &cursor.format);
    smf_lines_number(&lines, "sequence=", &place->seq);
    smf_lines_number(&lines, "event=", &place->chain.seq);
    smf_lines_number(&lines, "records=", &place->chain.records);
    smf_lines_hash(&lines, "chain=", place->chain.value);
    smf_lines_hash(&lines, "text=", place->text_chain);
    smf_lines_number(&lines, "checkpoint=", &place->checkpoint);
    smf_ds_cursor_print(&cursor, again);
    if (!lines.at || strcmp(again, text) != 0 || strchr(cursor.name, '/') || !cursor.name[0]) {
        return KLM_E_CORRUPT;
    }
    *out = cursor;
    return KLM_OK;
}

klm_rc smf_ds_cursor_load(const char *folder, struct smf_ds_cursor *out)
{
    char path[PATH_MAX];
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, SMF_DS_CURSOR_MOST + 1);
    KLM_TRY(cursor_path(folder, path));
    KLM_TRY(smf_lines_load(path, SMF_DS_CURSOR_MOST - 1, &buf, NULL));
    return smf_ds_cursor_parse((const char *)buf.p, out);
}

klm_rc smf_ds_cursor_save(const char *folder, const struct smf_ds_cursor *cursor)
{
    char path[PATH_MAX], text[SMF_DS_CURSOR_MOST];
    int n;

    KLM_TRY(cursor_path(folder, path));
    n = smf_ds_cursor_print(cursor, text);
    return klm_file_replace(path, KLM_SLICE(text, (size_t)n), 0640, NULL);
}
