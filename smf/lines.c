/* Small files of lines. */
#include "smf/lines.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

klm_rc smf_lines_load(const char *path, size_t most, struct klm_buf *buf, struct klm_diag *diag)
{
    klm_rc rc;

    klm_file_sweep(path);
    rc = klm_file_read(path, most, buf, diag);
    if (rc != KLM_OK) {
        return rc == KLM_E_LIMIT ? KLM_E_CORRUPT : rc;
    }
    klm_buf_u8(buf, 0);
    return klm_buf_rc(buf);
}

/* The rest of the line when it begins with name, its length in n; then the place is behind it. */
static const char *take(struct smf_lines *lines, const char *name, size_t most, size_t *n)
{
    const char *p = lines->at, *end;

    lines->at = NULL;
    if (!p || strncmp(p, name, strlen(name)) != 0) {
        return NULL;
    }
    p += strlen(name);
    end = strchr(p, '\n');
    if (!end || (size_t)(end - p) > most) {
        return NULL;
    }
    lines->at = end + 1;
    *n = (size_t)(end - p);
    return p;
}

void smf_lines_text(struct smf_lines *lines, const char *name, char *out, size_t cap)
{
    size_t n;
    const char *value = take(lines, name, cap - 1, &n);

    if (value) {
        memcpy(out, value, n);
        out[n] = '\0';
    }
}

void smf_lines_number(struct smf_lines *lines, const char *name, uint64_t *out)
{
    size_t n;
    const char *value = take(lines, name, 20, &n);

    if (value) {
        *out = strtoull(value, NULL, 10);
    }
}

void smf_lines_hash(struct smf_lines *lines, const char *name, uint8_t out[SMF_HASH_SIZE])
{
    char hex[2 * SMF_HASH_SIZE + 1] = "";
    uint8_t value[SMF_HASH_SIZE];
    size_t n;

    smf_lines_text(lines, name, hex, sizeof hex);
    if (!lines->at) {
        return;
    }
    if (klm_unhex(hex, value, sizeof value, &n) != KLM_OK || n != sizeof value) {
        lines->at = NULL;
        return;
    }
    memcpy(out, value, sizeof value);
}
