/* A restore that the running task was asked for: checked while keys are served, kept until another operator confirms it, then handed to who runs the task. */
#ifndef BACKUP_SWITCHOVER_H
#define BACKUP_SWITCHOVER_H

#include "backup/service.h"

/* Check the job's file as a restore does, with all that needs consent, against the state that is served; then keep it for its confirmation. */
klm_rc bk_switchover_check(struct bk_service *service, struct bk_file *file,
                           const struct bk_pulse *pulse, struct klm_diag *diag) KLM_MUST_USE;
/* Under the lock: forget what waits, or what waited too long. False: nothing did. */
bool bk_switchover_drop(struct bk_service *service);
void bk_switchover_expire(struct bk_service *service);
/* Rows of what waits for confirmation. Under the lock. */
klm_rc bk_switchover_rows(struct bk_service *service, struct km_call *call) KLM_MUST_USE;
/* What the verb restore-confirm asks for. */
klm_rc bk_switchover_confirm(void *arg, struct km_call *call) KLM_MUST_USE;

#endif
