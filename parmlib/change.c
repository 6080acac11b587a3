/* One property changed: in memory as a new configuration, and in the file. */
#include "base/file.h"
#include "parmlib/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a configuration was made of, as entries without the named one; room for one more. */
static klm_rc entries_but(const struct parm_config *config, const char *name, struct klm_pool *pool,
                          struct parm_entries *out)
{
    struct parm_entries list = {0};

    list.at = klm_pool_alloc(pool, (PARM_COUNT_ + config->unknown.n + 1) * sizeof *list.at);
    if (!list.at) {
        return KLM_E_NOMEM;
    }
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const char *known = parm_row((enum parm_id)i)->name;

        if (config->v[i].raw && strcmp(known, name)) {
            list.at[list.n++] = (struct parm_entry){
                .name = known, .value = config->v[i].raw, .line = config->v[i].line};
        }
    }
    for (size_t i = 0; i < config->unknown.n; i++) {
        if (strcmp(config->unknown.at[i].name, name)) {
            list.at[list.n++] = config->unknown.at[i];
        }
    }
    *out = list;
    return KLM_OK;
}

static bool has_unknown(const struct parm_config *config, const char *name)
{
    for (size_t i = 0; i < config->unknown.n; i++) {
        if (strcmp(config->unknown.at[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* An unknown property can only be taken out. */
static klm_rc check_change(const struct parm_config *config, const char *name, const char *value,
                           struct klm_diag *diag)
{
    enum parm_id id;

    if (parm_find(name, &id) != KLM_OK && (value || !has_unknown(config, name))) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_PARM_NO_SUCH, name);
    }
    if (value && !parm_is_utf8(klm_slice_str(value))) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_PARM_NOT_UTF8, name);
    }
    return KLM_OK;
}

klm_rc parm_with(const struct parm_config *config, const char *name, const char *value,
                 struct klm_diag *diag, struct parm_config **out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_entries list;

    KLM_TRY(check_change(config, name, value, diag));
    KLM_TRY(klm_pool_new_wiping(0, &pool));
    KLM_TRY(entries_but(config, name, pool, &list));
    if (value) {
        list.at[list.n++] = (struct parm_entry){.name = name, .value = value};
    }
    return parm_build(&list, config->path, true, diag, out);
}

static klm_rc rewrite(const char *path, mode_t mode, const char *name, const char *value,
                      struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    KLM_AUTO(klm_buf_done) struct klm_buf changed;
    klm_rc rc;

    klm_buf_init_wiping(&text, PARM_FILE_MAX + 1);
    klm_buf_init_wiping(&changed, 2 * PARM_FILE_MAX);
    KLM_TRY(klm_file_read(path, PARM_FILE_MAX, &text, diag));
    rc = parm_properties_change(klm_buf_as_slice(&text), path, name, value, diag, &changed);
    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK; /* nothing to take out */
    }
    KLM_TRY(rc);
    return klm_file_replace(path, klm_buf_as_slice(&changed), mode, diag);
}

static void free_path(char **path)
{
    free(*path);
}

klm_rc parm_save_change(const struct parm_config *config, const char *name, const char *value,
                        struct klm_diag *diag)
{
    KLM_AUTO(parm_free) struct parm_config *checked = NULL;
    KLM_AUTO(free_path) char *path = realpath(config->path, NULL); /* a symbolic link stays one */
    struct stat st;

    if (!path || stat(path, &st) != 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, config->path,
                        strerror(errno));
    }
    if (value || !has_unknown(config, name)) {
        KLM_TRY(parm_with(config, name, value, diag, &checked));
    }
    return rewrite(path, st.st_mode & 07777, name, value, diag);
}
