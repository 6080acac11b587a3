/* syslog.cursor: three lines of text. */
#include "smf/syslog_cursor.h"

#include "base/file.h"
#include "smf/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CURSOR_MOST 200
#define CURSOR_TITLE "klm syslog cursor 1"
#define CURSOR_FORMAT CURSOR_TITLE "\nsequence=%" PRIu64 "\nchain=%s\n"

static int print(const struct smf_syslog_place *place, char out[CURSOR_MOST])
{
    char hex[2 * SMF_HASH_SIZE + 1];

    klm_hex(place->chain, SMF_HASH_SIZE, hex);
    return snprintf(out, CURSOR_MOST, CURSOR_FORMAT, place->seq, hex);
}

static klm_rc parse(const char *text, struct smf_syslog_place *out)
{
    struct smf_lines lines = {text};
    struct smf_syslog_place place = {0};
    char again[CURSOR_MOST];

    smf_lines_text(&lines, CURSOR_TITLE, again, sizeof again);
    smf_lines_number(&lines, "sequence=", &place.seq);
    smf_lines_hash(&lines, "chain=", place.chain);
    print(&place, again);
    if (!lines.at || strcmp(again, text) != 0) {
        return KLM_E_CORRUPT;
    }
    *out = place;
    return KLM_OK;
}

klm_rc smf_syslog_cursor_load(const char *path, struct smf_syslog_place *out, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, CURSOR_MOST + 1);
    KLM_TRY(smf_lines_load(path, CURSOR_MOST - 1, &buf, diag));
    return parse((const char *)buf.p, out);
}

klm_rc smf_syslog_cursor_save(const char *path, const struct smf_syslog_place *place,
                              struct klm_diag *diag)
{
    char text[CURSOR_MOST];
    int n = print(place, text);

    return klm_file_replace(path, KLM_SLICE(text, (size_t)n), 0640, diag);
}
