/* A report for an auditor: who got which key when, by volume, drive, client and operator; failures, changes, first contacts, gaps, quiet
 * times; and whether the chain holds. As text, as an HTML page that needs nothing but itself, or both. */
#ifndef SMF_DUMP_REPORT_H
#define SMF_DUMP_REPORT_H

#include "smf/dump/control.h"
#include "smf/dump/verify.h"

#include <stdio.h>

#define SMFD_REPORT_LIMIT 1000 /* rows of a table when nothing else is said */

struct smfd_report {
    const struct smfd_control *control; /* dates, hours, systems of events that are told */
    const char *const *paths;
    size_t paths_n;
    const char *html; /* file of the page, NULL: none */
    FILE *text;       /* NULL: none */
    size_t limit;     /* rows of a table; 0: SMFD_REPORT_LIMIT */
    bool replace, tolerate;
    struct klm_slice certificates[SMFD_CERTIFICATES_MAX];
    size_t certificates_n;
};

/* KLM_E_CORRUPT with a message: the report was made, but places were damaged, which it tells too. Whether the chain holds is
 * told in the report and is no failure here. */
klm_rc smfd_report(const struct smfd_report *request, struct klm_diag *diag) KLM_MUST_USE;

#endif
