/* The files of a server that a backup holds beside the store. */
#include "backup/make.h"

#include <stdio.h>
#include <string.h>

static klm_rc put(struct bk_path *out, size_t *n, const char *name, const char *path)
{
    if (!path || !*path) {
        return KLM_OK;
    }
    if (strlen(path) >= sizeof out->path) {
        return KLM_E_LIMIT;
    }
    out[*n].name = name;
    out[*n].beside = NULL;
    memcpy(out[*n].path, path, strlen(path) + 1);
    ++*n;
    return KLM_OK;
}

/* What an edit of a view is compared with. */
static klm_rc put_base(struct bk_path *out, size_t *n, const char *name, const char *store,
                       const char *file)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", store, file) >= (int)sizeof path) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(put(out, n, name, path));
    out[*n - 1].beside = file;
    return KLM_OK;
}

klm_rc bk_paths(const struct parm_config *config, struct bk_path out[BK_PATHS], size_t *n)
{
    const char *xml = parm_str(config, PARM_Audit_metadata_file_name);
    char store[4000], previous[4096] = "";

    *n = 0;
    KLM_TRY(parm_store_dir(config, store, sizeof store));
    if (xml) {
        KLM_TRY(md_xml_previous(xml, previous, sizeof previous));
    }
    KLM_TRY(put(out, n, BK_NAME_CONFIG, parm_path_of_config(config)));
    KLM_TRY(put(out, n, "drivetable", parm_str(config, PARM_config_drivetable_file_url)));
    KLM_TRY(put_base(out, n, "drivetable.base", store, "filedrive.base"));
    KLM_TRY(put(out, n, "keygroups", parm_str(config, PARM_config_keygroup_xml_file)));
    KLM_TRY(put_base(out, n, "keygroups.base", store, "keygroups.base"));
    KLM_TRY(put(out, n, "metadata", xml));
    return put(out, n, "metadata.previous", previous);
}
