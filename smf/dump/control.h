/* What a dump shall do, as IFASMFDP is told: control statements INDD, OUTDD, DATE, START, END, SID and a few more, free in form.
 *
 *     INDD(DUMPIN,OPTIONS(DUMP))          OUTDD(DUMPOUT,TYPE(83(6),80))
 *     DATE(2026305,2026334)               START(0800) END(1730)
 *     SID(Z1,Z2)                          USER2(IRRADU00)
 *
 * A statement ends with its parenthesis, so it may go on over lines as it likes; a hyphen or plus sign at the end of a line may say so.
 * What stands between slash-asterisk and asterisk-slash, and lines that begin with an asterisk, are comments. Columns 73 to 80 may
 * hold a line number. */
#ifndef SMF_DUMP_CONTROL_H
#define SMF_DUMP_CONTROL_H

#include "base/msg.h"
#include "base/pool.h"
#include "smf/type83.h"

#define SMFD_DD_SIZE 9          /* a DD name and its NUL */
#define SMFD_INDD_MAX 64        /* INDD statements */
#define SMFD_OUTDD_MAX 64       /* OUTDD statements */
#define SMFD_SID_MAX 64         /* systems of SID statements */
#define SMFD_SUBTYPES_MAX 256   /* ranges of subtypes of one list */
#define SMFD_SYSIN_MAX 1048576  /* bytes of control statements */
#define SMFD_DAY_TIMES 8640000u /* hundredths of a second in a day */

/* The list of TYPE or NOTYPE. */
struct smfd_types {
    bool given, without; /* not given: all; without: all but these (NOTYPE) */
    uint8_t whole[32];   /* bit for each type that is meant with all its subtypes */
    size_t subtypes_n;
    struct smfd_subtypes {
        uint8_t type;
        uint16_t from, to;
    } subtypes[SMFD_SUBTYPES_MAX];
};

/* Times of day; from after to: over midnight. */
struct smfd_hours {
    bool given;
    uint32_t from, to; /* hundredths of a second since midnight, both included */
};

struct smfd_indd {
    char dd[SMFD_DD_SIZE];
    bool dump, clear;
};
struct smfd_outdd {
    char dd[SMFD_DD_SIZE];
    struct smfd_types types;
    struct smfd_hours hours;
    bool unload; /* flat text of events, as USER2(IRRADU00) asks for */
};

struct smfd_control {
    size_t in_n, out_n, sid_n;
    struct smfd_indd in[SMFD_INDD_MAX];
    struct smfd_outdd out[SMFD_OUTDD_MAX];
    uint8_t sid[SMFD_SID_MAX][4]; /* EBCDIC */
    struct smfd_hours hours;
    bool dates;
    uint64_t from, to; /* stamps (smfd_stamp), both included */
};

/* All of a SYSIN. KLM_E_INVALID with the line in diag; KLM_E_LIMIT. On success the control has what was before and what the
 * statements say. */
klm_rc smfd_control_parse(struct klm_slice sysin, struct smfd_control *control,
                          struct klm_diag *diag) KLM_MUST_USE;
/* Pieces, as options give them: "83(6),80:82"; "Z1,Z2"; "0800". `what` names the piece in messages. */
klm_rc smfd_types_parse(const char *text, bool without, struct smfd_types *out,
                        struct klm_diag *diag) KLM_MUST_USE;
klm_rc smfd_sids_parse(const char *text, struct smfd_control *control, struct klm_diag *diag)
    KLM_MUST_USE;
klm_rc smfd_hour_parse(const char *text, uint32_t *out, struct klm_diag *diag) KLM_MUST_USE;
/* "2026-11-22", "2026-11-22T08:30", "2026-11-22T08:30:15" or "2026326": a stamp, the first of what is meant or (last) its last. */
klm_rc smfd_when_parse(const char *text, bool last, uint64_t *out, struct klm_diag *diag)
    KLM_MUST_USE;

/* Date and time of a record as one number that rises with them. */
static inline uint64_t smfd_stamp(int year, int day, uint32_t time)
{
    return ((uint64_t)(unsigned)year * 1000 + (unsigned)day) * SMFD_DAY_TIMES + time;
}

/* Does a record fall under dates, hours and systems; and does an output take it? */
bool smfd_selects(const struct smfd_control *control, const struct smf_t83_view *head);
bool smfd_takes(const struct smfd_outdd *out, const struct smf_t83_view *head);

#endif
