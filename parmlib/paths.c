/* Folders and files whose defaults depend on other properties. */
#include "base/file.h"
#include "parmlib/parm.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static klm_rc put_path(const char *folder, const char *name, char *out, size_t cap)
{
    char path[2 * PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s%s", strcmp(folder, "/") ? folder : "",
                     *name ? "/" : "", name);

    if (n < 0 || (size_t)n >= sizeof path || (size_t)n >= cap) {
        return KLM_E_LIMIT;
    }
    memcpy(out, path, (size_t)n + 1);
    return KLM_OK;
}

static klm_rc beside(const char *file, const char *name, char *out, size_t cap)
{
    char folder[PATH_MAX];

    KLM_TRY(klm_path_folder(file, folder, sizeof folder));
    return put_path(folder, name, out, cap);
}

klm_rc parm_store_dir(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_config_store_directory);

    return set ? put_path(set, "", out, cap)
               : beside(parm_str(config, PARM_config_drivetable_file_url), "store", out, cap);
}

klm_rc parm_journal_dir(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_Audit_journal_directory);

    return set ? put_path(set, "", out, cap)
               : put_path(parm_str(config, PARM_Audit_handler_file_directory), "journal", out, cap);
}

klm_rc parm_smf_dir(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_Audit_smf_directory);

    return set ? put_path(set, "", out, cap)
               : put_path(parm_str(config, PARM_Audit_handler_file_directory), "smf", out, cap);
}

klm_rc parm_files_dir(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_console_files_directory);

    return set ? put_path(set, "", out, cap)
               : beside(parm_path_of_config(config), "files", out, cap);
}

klm_rc parm_backup_dir(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_tklm_backup_dir);

    return set ? put_path(set, "", out, cap)
               : beside(parm_str(config, PARM_config_drivetable_file_url), "backup", out, cap);
}

klm_rc parm_masterkey_file(const struct parm_config *config, char *out, size_t cap)
{
    const char *set = parm_str(config, PARM_config_masterkey_file);

    return set ? put_path(set, "", out, cap)
               : beside(parm_path_of_config(config), "masterkey/masterkey.sealed", out, cap);
}

const char *parm_drive_authority_ring(const struct parm_config *config)
{
    const char *ring = parm_str(config, PARM_drive_authority_ring);

    ring = ring ? ring : parm_str(config, PARM_TransportListener_ssl_truststore_name);
    return ring ? ring : parm_str(config, PARM_config_keystore_file);
}
