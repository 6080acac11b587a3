/* The dump: inputs read once, each record put to every output that takes it, all of it synced and named, then inputs cleared that were
 * to be cleared. */
#ifndef SMF_DUMP_DUMP_H
#define SMF_DUMP_DUMP_H

#include "smf/dump/control.h"
#include "smf/dump/form.h"
#include "smf/dump/source.h"

#include <stdio.h>

/* A file under a DD name, as JCL would give it. Several of one name are read one after the other. */
struct smfd_dd {
    char name[SMFD_DD_SIZE];
    const char *path;
};
struct smfd_dds {
    struct smfd_dd *rows;
    size_t n, cap;
};
/* "NAME=PATH". KLM_E_INVALID with a message. text must live as long as the DDs. */
klm_rc smfd_dd_add(struct smfd_dds *dds, const char *text, struct klm_diag *diag) KLM_MUST_USE;
/* A name and a path, as they are. */
klm_rc smfd_dd_bind(struct smfd_dds *dds, const char *name, const char *path) KLM_MUST_USE;
/* The files of a name; when none was given, that of the variable DD_NAME of the environment. paths is the caller's, of *n; the rows lie
 * in dds. KLM_E_NOTFOUND with a message. */
klm_rc smfd_dd_find(struct smfd_dds *dds, const char *name, const char ***paths, size_t *n,
                    struct klm_diag *diag) KLM_MUST_USE;
void smfd_dds_done(struct smfd_dds *dds);

struct smfd_dump {
    struct smfd_control control;
    struct smfd_dds dds;
    enum smfd_form form;    /* of outputs; those of USER2(IRRADU00) are flat text anyway */
    enum smf_format format; /* of binary ones */
    size_t block;           /* 0: the largest */
    bool replace;           /* outputs that exist */
    bool tolerate;  /* damaged places are no failure, and do not stand in the way of clearing */
    FILE *sysprint; /* where the summary goes */
    struct smfd_stats stats;
};

/* Do it. KLM_E_CORRUPT, with a message: everything was done, but places were damaged. Everything else: nothing was named or cleared,
 * unless the message says so. */
klm_rc smfd_dump(struct smfd_dump *dump, struct klm_diag *diag) KLM_MUST_USE;

#endif
