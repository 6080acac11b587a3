/* The folder of backups (tklm.backup.dir). */
#ifndef BACKUP_FOLDER_H
#define BACKUP_FOLDER_H

#include "keymgr/km.h"

#define BK_FILE_NAME 256
/* A name made of release and time: sklm_v1.0_20281012074433_backup. */
void bk_name_new(char out[BK_FILE_NAME]);
/* A plain file name: letters, digits and ._-+@=, that does not begin with a dot. */
bool bk_name_plain(const char *name);
/* Rows of the backups in a folder; other files are passed over. */
klm_rc bk_folder_list(struct km_call *call, const char *folder) KLM_MUST_USE;
/* Delete all but the newest backups of this server whose names were made by bk_name_new; keep 0: none is deleted. */
void bk_folder_prune(const char *folder, const char *server_id, size_t keep);
/* Remove what processes that were killed have left. Nobody else may make a backup there meanwhile. */
void bk_folder_sweep(const char *folder);

#endif
