/* syslog.cursor: three lines of text. */
#include "smf/syslog_cursor.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_MOST 200
#define CURSOR_TITLE "klm syslog cursor 1\nsequence="
#define CURSOR_FORMAT CURSOR_TITLE "%" PRIu64 "\nchain=%s\n"

/* Exactly as we write it, or it is damaged. */
static klm_rc parse(const char *text, struct smf_syslog_place *out)
{
    struct smf_syslog_place place = {0};
    char hex[2 * SMF_HASH_SIZE + 1] = "", again[CURSOR_MOST];
    size_t n = strlen(CURSOR_TITLE);
    const char *chain = strncmp(text, CURSOR_TITLE, n) == 0 ? strstr(text + n, "\nchain=") : NULL;

    if (!chain || strlen(chain) < strlen("\nchain=") + sizeof hex - 1) {
        return KLM_E_CORRUPT;
    }
    memcpy(hex, chain + strlen("\nchain="), sizeof hex - 1);
    place.seq = strtoull(text + n, NULL, 10);
    snprintf(again, sizeof again, CURSOR_FORMAT, place.seq, hex);
    if (strcmp(again, text) != 0 || klm_unhex(hex, place.chain, sizeof place.chain, &n) != KLM_OK ||
        n != SMF_HASH_SIZE) {
        return KLM_E_CORRUPT;
    }
    *out = place;
    return KLM_OK;
}

klm_rc smf_syslog_cursor_load(const char *path, struct smf_syslog_place *out, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, CURSOR_MOST + 1);
    klm_file_sweep(path);
    rc = klm_file_read(path, CURSOR_MOST - 1, &buf, diag);
    if (rc == KLM_E_LIMIT) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(rc);
    klm_buf_u8(&buf, 0);
    KLM_TRY(klm_buf_rc(&buf));
    return parse((const char *)buf.p, out);
}

klm_rc smf_syslog_cursor_save(const char *path, const struct smf_syslog_place *place,
                              struct klm_diag *diag)
{
    char hex[2 * SMF_HASH_SIZE + 1], text[CURSOR_MOST];
    int n;

    klm_hex(place->chain, SMF_HASH_SIZE, hex);
    n = snprintf(text, sizeof text, CURSOR_FORMAT, place->seq, hex);
    return klm_file_replace(path, KLM_SLICE(text, (size_t)n), 0640, diag);
}
