/* DD names and their files. */
#include "smf/dump/dump.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DD_MAX 4096

klm_rc smfd_dd_bind(struct smfd_dds *dds, const char *name, const char *path)
{
    struct smfd_dd row = {.path = path};

    if (dds->n == dds->cap) {
        size_t cap = dds->cap ? 2 * dds->cap : 8;
        struct smfd_dd *more = cap > DD_MAX ? NULL : realloc(dds->rows, cap * sizeof *more);

        if (!more) {
            return KLM_E_NOMEM;
        }
        dds->rows = more;
        dds->cap = cap;
    }
    for (size_t i = 0; name[i] && i + 1 < sizeof row.name; i++) {
        row.name[i] = (char)toupper((unsigned char)name[i]);
    }
    dds->rows[dds->n++] = row;
    return KLM_OK;
}

static bool is_name(const char *p, size_t n)
{
    if (n < 1 || n >= SMFD_DD_SIZE || isdigit((unsigned char)*p)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)p[i]) && !strchr("@#$", p[i])) {
            return false;
        }
    }
    return true;
}

klm_rc smfd_dd_add(struct smfd_dds *dds, const char *text, struct klm_diag *diag)
{
    size_t n = strcspn(text, "=");
    char name[SMFD_DD_SIZE];

    if (!is_name(text, n) || text[n] != '=' || !text[n + 1]) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DUMP_DD_FORM, text);
    }
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    return smfd_dd_bind(dds, name, text + n + 1) == KLM_OK
               ? KLM_OK
               : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, text);
}

static void from_environment(struct smfd_dds *dds, const char *name)
{
    char variable[SMFD_DD_SIZE + 3];
    const char *path;

    snprintf(variable, sizeof variable, "DD_%s", name);
    path = getenv(variable);
    if (path && *path) {
        KLM_IGNORE(smfd_dd_bind(dds, name, path)); /* without memory it is not found */
    }
}

static size_t count(const struct smfd_dds *dds, const char *name, const char **paths)
{
    size_t n = 0;

    for (size_t i = 0; i < dds->n; i++) {
        if (strcmp(dds->rows[i].name, name) == 0) {
            if (paths) {
                paths[n] = dds->rows[i].path;
            }
            n++;
        }
    }
    return n;
}

klm_rc smfd_dd_find(struct smfd_dds *dds, const char *name, const char ***paths, size_t *n,
                    struct klm_diag *diag)
{
    const char **found;
    size_t files = count(dds, name, NULL);

    if (files == 0) {
        from_environment(dds, name);
        files = count(dds, name, NULL);
    }
    if (files == 0) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_DUMP_DD, name);
    }
    found = calloc(files, sizeof *found);
    if (!found) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    }
    *n = count(dds, name, found);
    *paths = found;
    return KLM_OK;
}

void smfd_dds_done(struct smfd_dds *dds)
{
    free(dds->rows);
    *dds = (struct smfd_dds){0};
}
