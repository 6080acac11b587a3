/* SMFPRMxx. A member is one text for this reader: comments and sequence numbers become blanks, in place, so that what is found has the
 * line and column it came from. */
#include "parmlib/smfprm_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CARD 80
#define CARD_DATA 71
#define UNKNOWN_MOST 50 /* words said in one member */

/* ---- The text */

/* Columns 72 to 80 of lines of 80 characters hold no data. */
static void blank_cards(char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - (text + at)) : n - at, data = length;

        if (data && text[at + data - 1] == '\r') {
            text[at + --data] = ' ';
        }
        if (data == CARD) {
            memset(text + at + CARD_DATA, ' ', CARD - CARD_DATA);
        }
        at += length + 1;
    }
}

/* Comments become blanks. */
static klm_rc blank_comments(struct parm_smf_reader *r, char *text, size_t n)
{
    for (size_t at = 0; at + 1 < n; at++) {
        size_t begin = at;

        if (text[at] != '/' || text[at + 1] != '*') {
            continue;
        }
        for (at += 2; at + 1 < n && !(text[at] == '*' && text[at + 1] == '/'); at++) {
        }
        if (at + 1 >= n) {
            return parm_smf_fail(r, begin, "/*", "is a comment without end");
        }
        for (size_t i = begin; i < at + 2; i++) {
            text[i] = text[i] == '\n' ? '\n' : ' ';
        }
        at++;
    }
    return KLM_OK;
}

static klm_rc check_characters(const struct parm_smf_reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        unsigned char c = (unsigned char)r->text[i];

        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7F) {
            return parm_smf_fail(r, i, "a control character", "has no place in a member");
        }
    }
    return KLM_OK;
}

/* ---- Values */

static klm_rc sid(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                  struct parm_smf *smf)
{
    struct parm_smf_value value;

    if (!word->parens) {
        return parm_smf_value_missing(r, word);
    }
    KLM_TRY(parm_smf_text_of(r, word, word->body, word->end, &value));
    if (value.n == 0 || value.n > 4 ||
        strspn(value.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#@$") != value.n) {
        return parm_smf_fail(r, word->at, value.text,
                             "is no system identifier of 1 to 4 characters");
    }
    memcpy(smf->sid, value.text, value.n + 1);
    return KLM_OK;
}

/* Qualifiers of 1 to 8 characters with periods between, 44 in all. */
static bool dsname_ok(const char *s)
{
    size_t n = strlen(s), qualifier = 0;

    for (size_t i = 0; i < n; i++) {
        bool national = isupper((unsigned char)s[i]) || strchr("#@$", s[i]);

        if (s[i] == '.'
                ? qualifier == 0
                : !national && (qualifier == 0 || !(isdigit((unsigned char)s[i]) || s[i] == '-'))) {
            return false;
        }
        qualifier = s[i] == '.' ? 0 : qualifier + 1;
        if (qualifier > 8) {
            return false;
        }
    }
    return n <= PARM_SMF_DSN && qualifier > 0;
}

static klm_rc dsname_add(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                         const char *name, struct parm_smf *smf)
{
    if (!dsname_ok(name)) {
        return parm_smf_fail(r, word->at, name, "is no data set name");
    }
    for (size_t i = 0; i < smf->dsnames; i++) {
        if (strcmp(smf->dsname[i], name) == 0) {
            return parm_smf_fail(r, word->at, name, "stands twice in DSNAME");
        }
    }
    if (smf->dsnames == PARM_SMF_DATASETS) {
        return parm_smf_fail(r, word->at, "DSNAME", "has more than 36 names");
    }
    snprintf(smf->dsname[smf->dsnames++], sizeof smf->dsname[0], "%.*s", PARM_SMF_DSN, name);
    return KLM_OK;
}

static klm_rc dsname(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                     struct parm_smf *smf)
{
    size_t at = word->body, from, to;

    if (!word->parens) {
        return parm_smf_value_missing(r, word);
    }
    smf->dsnames = 0;
    while (parm_smf_next_item(r, &at, word->end, &from, &to)) {
        struct parm_smf_value value;

        KLM_TRY(parm_smf_text_of(r, word, from, to, &value));
        KLM_TRY(dsname_add(r, word, value.text, smf));
    }
    return smf->dsnames ? KLM_OK : parm_smf_value_missing(r, word);
}

/* ---- TYPE and NOTYPE */

#define TYPE_MOST 2047 /* SMF record types, with the extended ones */
#define SUBTYPE_MOST 32767

/* n or n:m at *p; KLM_E_INVALID is left to the caller to say. */
static bool range(const char **p, unsigned long most, unsigned long *first, unsigned long *last)
{
    char *end;

    if (!isdigit((unsigned char)**p)) {
        return false;
    }
    *first = *last =
        strtoul(*p, &end, 10); /* too large a number is ULONG_MAX, and too large here */
    if (*end == ':') {
        if (!isdigit((unsigned char)end[1])) {
            return false;
        }
        *last = strtoul(end + 1, &end, 10);
    }
    *p = end;
    return *first <= *last && *last <= most;
}

/* Subtypes "(1,3:6)" behind a type; hit: ours is among them. */
static bool subtypes(const char **p, bool *hit)
{
    do {
        unsigned long first, last;

        (*p)++; /* the parenthesis, or a comma */
        if (!range(p, SUBTYPE_MOST, &first, &last)) {
            return false;
        }
        *hit = *hit || (first <= PARM_SMF_SUBTYPE && PARM_SMF_SUBTYPE <= last);
    } while (**p == ',');
    return *(*p)++ == ')';
}

/* One item: 83, 30:35, 83(6), 83(1:3,6). hit: type 83 subtype 6 is meant. */
static bool type_item(const char *text, bool *hit)
{
    unsigned long first, last;
    const char *p = text;
    bool ours = true;

    if (!range(&p, TYPE_MOST, &first, &last)) {
        return false;
    }
    if (*p == '(') {
        ours = false;
        if (first != last || !subtypes(&p, &ours)) {
            return false;
        }
    }
    *hit = *hit || (ours && first <= PARM_SMF_TYPE && PARM_SMF_TYPE <= last);
    return *p == '\0';
}

static klm_rc types(const struct parm_smf_reader *r, const struct parm_smf_word *word, bool *hit)
{
    size_t at = word->body, from, to, n = 0;

    *hit = false;
    if (!word->parens) {
        return parm_smf_value_missing(r, word);
    }
    for (; parm_smf_next_item(r, &at, word->end, &from, &to); n++) {
        struct parm_smf_value item;

        KLM_TRY(parm_smf_text_of(r, word, from, to, &item));
        if (!type_item(item.text, hit)) {
            return parm_smf_fail(r, from, item.text,
                                 "is no record type, range or list of subtypes");
        }
    }
    return n ? KLM_OK : parm_smf_value_missing(r, word);
}

/* ---- SYS and SUBSYS */

/* What a SYS or SUBSYS statement decides. */
struct decision {
    bool given, recorded;
};

static void unknown(const struct parm_smf_reader *r, const struct parm_smf_word *word)
{
    if (++*r->unknown <= UNKNOWN_MOST) {
        klm_say(KLM_MSG_SMFPRM_WORD, KLM_NUM(parm_smf_where(r, word->at).line), r->name,
                word->name);
    }
}

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0) {
        list++;
    }
    return *list != NULL;
}

/* TYPE and NOTYPE exclude each other. */
static klm_rc sys_options(const struct parm_smf_reader *r, size_t at, size_t end,
                          struct decision *out)
{
    static const char *const others[] = {"EXITS",  "NOEXITS",  "INTERVAL", "NOINTERVAL",
                                         "DETAIL", "NODETAIL", NULL};
    struct decision made = {0};
    struct parm_smf_word word;
    bool more, hit;

    for (;;) {
        KLM_TRY(parm_smf_next_word(r, &at, end, &word, &more));
        if (!more) {
            break;
        }
        if (strcmp(word.name, "TYPE") == 0 || strcmp(word.name, "NOTYPE") == 0) {
            if (made.given) {
                return parm_smf_fail(r, word.at, word.name,
                                     "is given besides another TYPE or NOTYPE");
            }
            KLM_TRY(types(r, &word, &hit));
            made = (struct decision){true, word.name[0] == 'T' ? hit : !hit};
        } else if (!is_one_of(word.name, others)) {
            unknown(r, &word);
        }
    }
    *out = made.given ? made : *out;
    return KLM_OK;
}

static klm_rc sys(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                  struct decision *out)
{
    return word->parens ? sys_options(r, word->body, word->end, out)
                        : parm_smf_value_missing(r, word);
}

static klm_rc subsys(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                     struct decision *out)
{
    struct decision other = {0};
    struct parm_smf_value name;
    size_t at = word->body, from, to;

    if (!word->parens || !parm_smf_next_item(r, &at, word->end, &from, &to)) {
        return parm_smf_value_missing(r, word);
    }
    KLM_TRY(parm_smf_text_of(r, word, from, to, &name));
    if (name.n > 4) {
        return parm_smf_fail(r, from, name.text, "is no subsystem name of 1 to 4 characters");
    }
    return sys_options(r, at, word->end, strcasecmp(name.text, r->subsystem) == 0 ? out : &other);
}

/* ---- The member */

/* Keywords of SMFPRMxx that mean nothing here. */
static const char *const passed_over[] = {
    "PROMPT",       "NOPROMPT",      "REC",        "MAXDORM",    "NOMAXDORM",
    "STATUS",       "NOSTATUS",      "JWT",        "SWT",        "TWT",
    "INTVAL",       "SYNCVAL",       "LISTDSN",    "NOLISTDSN",  "LASTDS",
    "NOBUFFS",      "BUFUSEWARN",    "BUFSIZMAX",  "DDCONS",     "DUMPABND",
    "EMPTYEXCPSEC", "MULCFUNC",      "NOMULCFUNC", "AUTHSETSMF", "NOAUTHSETSMF",
    "RECORDING",    "DEFAULTLSNAME", "LSNAME",     "DSPSIZMAX",  "MEMLIMIT",
    "FLOOD",        "NOFLOOD",       "FLOODPOL",   "HFTSINTVL",  "ACCT",
    "SMFDLEXIT",    "SMFDPEXIT",     "PERMFIX",    "NOPERMFIX",  "COMPRESS",
    "NOCOMPRESS",   "IDM",           "SUBPARM",    "INMEM",      "RECSIGN",
    "NORECSIGN",    "ARECSIGN",      "NOARECSIGN", "RTYPE",      "GDS",
    NULL,
};

static klm_rc keyword(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                      struct decision *system, struct decision *subsystem, struct parm_smf *smf)
{
    if (strcmp(word->name, "ACTIVE") == 0 || strcmp(word->name, "NOACTIVE") == 0) {
        smf->active = word->name[0] == 'A';
    } else if (strcmp(word->name, "SID") == 0) {
        return sid(r, word, smf);
    } else if (strcmp(word->name, "DSNAME") == 0) {
        return dsname(r, word, smf);
    } else if (strcmp(word->name, "SYS") == 0) {
        return sys(r, word, system);
    } else if (strcmp(word->name, "SUBSYS") == 0) {
        return subsys(r, word, subsystem);
    } else if (!is_one_of(word->name, passed_over)) {
        unknown(r, word);
    }
    return KLM_OK;
}

static klm_rc all_keywords(const struct parm_smf_reader *r, struct parm_smf *smf)
{
    struct decision system = {0}, subsystem = {0};
    struct parm_smf_word word;
    size_t at = 0;
    bool more;

    for (;;) {
        KLM_TRY(parm_smf_next_word(r, &at, r->n, &word, &more));
        if (!more) {
            break;
        }
        KLM_TRY(keyword(r, &word, &system, &subsystem, smf));
    }
    smf->recorded = subsystem.given ? subsystem.recorded : !system.given || system.recorded;
    smf->recorded = smf->recorded && smf->active;
    return KLM_OK;
}

void parm_smf_sysname(const char *host, char out[9])
{
    size_t n = 0;

    for (; *host && *host != '.' && n < 8; host++) {
        char c = (char)toupper((unsigned char)*host);

        if (isalnum((unsigned char)c) || strchr("#@$", c)) {
            out[n++] = c;
        }
    }
    out[n] = '\0';
    if (n == 0) {
        memcpy(out, "LINUX", sizeof "LINUX");
    }
}

void parm_smf_init(const char *sysname, struct parm_smf *out)
{
    *out = (struct parm_smf){.active = true, .recorded = true, .dsnames = 2};
    snprintf(out->sid, sizeof out->sid, "%.4s", sysname);
    snprintf(out->dsname[0], sizeof out->dsname[0], "SYS1.MAN1");
    snprintf(out->dsname[1], sizeof out->dsname[1], "SYS1.MAN2");
}

klm_rc parm_smf_member(struct klm_slice text, const char *name, const char *sysname,
                       const char *subsystem, struct parm_smf *out, struct klm_diag *diag)
{
    struct parm_smf smf = *out;
    unsigned words = 0;
    struct parm_smf_reader r = {name, sysname, subsystem, NULL, text.n, diag, &words};
    char *copy;
    klm_rc rc;

    if (text.n > PARM_MEMBER_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, name, KLM_NUM(PARM_MEMBER_MAX));
    }
    copy = malloc(text.n + 1);
    if (!copy) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    }
    if (text.n) {
        memcpy(copy, text.p, text.n);
    }
    copy[text.n] = '\0';
    r.text = copy;
    blank_cards(copy, text.n);
    rc = check_characters(&r);
    if (rc == KLM_OK) {
        rc = blank_comments(&r, copy, text.n);
    }
    if (rc == KLM_OK) {
        rc = all_keywords(&r, &smf);
    }
    free(copy);
    if (rc == KLM_OK) {
        *out = smf;
    }
    return rc;
}
