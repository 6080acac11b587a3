/* Within smf: what a message to a syslog receiver says, as a list of names and values, before any format's escapes. */
#ifndef SMF_SYSLOG_ITEMS_H
#define SMF_SYSLOG_ITEMS_H

#include "smf/syslog_format.h"

struct smf_syslog_item {
    const char *name;
    const char *value;
    size_t most; /* bytes its escaped value may take */
};

#define SMF_SYSLOG_ITEMS_MAX (SMF_FIELDS + 24)

struct smf_syslog_items {
    struct smf_syslog_item at[SMF_SYSLOG_ITEMS_MAX];
    size_t n;
    struct smf_syslog_item text; /* a sentence for people */
    /* what values that are no field point to */
    char seq[24], ms[24], port[8], address[96], iso[KLM_ISO_DATE_MAX], journal[65], sentence[3072];
};

/* Borrows the record's fields. style->pairs takes the names of RFC 5424. */
void smf_syslog_items(const struct smf_syslog_style *style, const struct smf_record *record,
                      struct smf_syslog_items *out);
/* The title of a kind ("Runtime event") and its keyword ("runtime"). */
const char *smf_syslog_title(enum smf_kind kind);
const char *smf_syslog_keyword(enum smf_kind kind);
/* 0 to 7 (RFC 5424, table 2): 6 of a success, 4 of a failure or refusal. */
unsigned smf_syslog_severity(const struct smf_event *event);

#endif
