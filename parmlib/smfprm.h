/* SMFPRMxx members: what SMF records, as z/OS writes them (MVS Initialization and Tuning Reference, SMFPRMxx). Of all it may say
 * these matter here: ACTIVE, SID, DSNAME, and whether SYS and SUBSYS record type 83 subtype 6 for our subsystem. Keywords are
 * separated by blanks, commas or lines; comments may stand anywhere; other keywords of SMFPRMxx are passed over, unknown ones
 * are said. */
#ifndef PARMLIB_SMFPRM_H
#define PARMLIB_SMFPRM_H

#include "base/msg.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>

#define PARM_SMF_DATASETS 36 /* most names of DSNAME */
#define PARM_SMF_DSN 44      /* characters of a data set name */
#define PARM_SMF_TYPE 83
#define PARM_SMF_SUBTYPE 6

struct parm_smf {
    bool active;   /* ACTIVE, not NOACTIVE */
    bool recorded; /* and type 83 subtype 6 is recorded for the subsystem */
    char sid[5];
    char dsname[PARM_SMF_DATASETS][PARM_SMF_DSN + 1];
    size_t dsnames;
};

/* What members speak of as &SYSNAME: the host's name up to its first period in capitals, its characters that no name on z/OS has
 * left out, cut to eight; "LINUX" when nothing is left. */
void parm_smf_sysname(const char *host, char out[9]);
/* Without a member: SID(&SYSNAME(1:4)) DSNAME(SYS1.MAN1,SYS1.MAN2), all types. */
void parm_smf_init(const char *sysname, struct parm_smf *out);
/* Read a member over these defaults. subsystem: whose SUBSYS statement wins over SYS. Unknown keywords are said. KLM_E_INVALID
 * with line and column; on failure out is unchanged. */
klm_rc parm_smf_member(struct klm_slice text, const char *name, const char *sysname,
                       const char *subsystem, struct parm_smf *out, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
