/* SETIOS EKM, carried out on an IECIOSxx member: there is no system to hold the setting, so the member is where it lives. */
#ifndef IOS_SETIOS_H
#define IOS_SETIOS_H

#include "base/buf.h"
#include "base/msg.h"
#include "parmlib/iecios.h"

#define IOS_MEMBER_MAX (1u << 20)

/* Read a member. KLM_E_NOTFOUND, KLM_E_INVALID with line and column. */
klm_rc ios_member_load(const char *path, struct parm_ekm *out, struct klm_diag *diag) KLM_MUST_USE;
/* The text of a member with its EKM statements replaced by those that say ekm. Other statements and all comments stay as they are; the
 * new statements stand where the first old one stood. KLM_E_CORRUPT when the result would not read back as ekm. */
klm_rc ios_member_edit(struct klm_slice text, const struct parm_ekm *ekm, struct klm_buf *out,
                       struct klm_diag *diag) KLM_MUST_USE;
/* Carry out "SETIOS EKM,..." or "EKM,..." on the member at path, replacing the file as a whole; *out is the new state. A command that is wrong
 * changes nothing. */
klm_rc ios_setios(const char *path, const char *command, struct parm_ekm *out,
                  struct klm_diag *diag) KLM_MUST_USE;

#endif
