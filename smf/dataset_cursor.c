/* smf.cursor: lines of text. */
#include "base/file.h"
#include "smf/dataset_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_FORMAT                                                                              \
    "klm smf cursor 1\ndataset=%s\nfile=%" PRIu64 "\nlength=%" PRIu64                              \
    "\nformat=%s\nsequence=%" PRIu64 "\nevent=%" PRIu64 "\nrecords=%" PRIu64                       \
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

/* The rest of the line that begins with name. */
static bool value(const char *text, const char *name, char *out, size_t cap)
{
    const char *p = strstr(text, name), *end = p ? strchr(p + strlen(name), '\n') : NULL;
    size_t n;

    if (!end) {
        return false;
    }
    p += strlen(name);
    n = (size_t)(end - p);
    if (n >= cap) {
        return false;
    }
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

static bool number(const char *text, const char *name, uint64_t *out)
{
    char digits[24];

    if (!value(text, name, digits, sizeof digits)) {
        return false;
    }
    *out = strtoull(digits, NULL, 10);
    return true;
}

static bool hash(const char *text, const char *name, uint8_t out[SMF_HASH_SIZE])
{
    char hex[2 * SMF_HASH_SIZE + 1];
    size_t n = 0;

    return value(text, name, hex, sizeof hex) && klm_unhex(hex, out, SMF_HASH_SIZE, &n) == KLM_OK &&
           n == SMF_HASH_SIZE;
}

static bool format(const char *text, enum smf_format *out)
{
    char word[8];

    for (size_t i = 0; value(text, "\nformat=", word, sizeof word) && i < KLM_COUNT(formats); i++) {
        if (strcmp(word, formats[i]) == 0) {
            *out = (enum smf_format)i;
            return true;
        }
    }
    return false;
}

klm_rc smf_ds_cursor_parse(const char *text, struct smf_ds_cursor *out)
{
    struct smf_ds_cursor cursor = {0};
    struct smf_ds_place *place = &cursor.place;
    char again[SMF_DS_CURSOR_MOST];

    if (!value(text, "\ndataset=", cursor.name, sizeof cursor.name) ||
        !number(text, "\nfile=", &cursor.ino) || !number(text, "\nlength=", &cursor.length) ||
        !format(text, &cursor.format) || !number(text, "\nsequence=", &place->seq) ||
        !number(text, "\nevent=", &place->chain.seq) ||
        !number(text, "\nrecords=", &place->chain.records) ||
        !hash(text, "\nchain=", place->chain.value) || !hash(text, "\ntext=", place->text_chain) ||
        !number(text, "\ncheckpoint=", &place->checkpoint)) {
        return KLM_E_CORRUPT;
    }
    smf_ds_cursor_print(&cursor, again);
    if (strcmp(again, text) != 0 || strchr(cursor.name, '/') || !cursor.name[0]) {
        return KLM_E_CORRUPT;
    }
    *out = cursor;
    return KLM_OK;
}

klm_rc smf_ds_cursor_load(const char *folder, struct smf_ds_cursor *out)
{
    char path[PATH_MAX];
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, SMF_DS_CURSOR_MOST + 1);
    KLM_TRY(cursor_path(folder, path));
    klm_file_sweep(path);
    rc = klm_file_read(path, SMF_DS_CURSOR_MOST - 1, &buf, NULL);
    if (rc != KLM_OK) {
        return rc == KLM_E_LIMIT ? KLM_E_CORRUPT : rc;
    }
    klm_buf_u8(&buf, 0);
    KLM_TRY(klm_buf_rc(&buf));
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
