/* The parser of control statements: each a function of a table. */
#include "smf/dump/words.h"

#include "base/ebcdic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static klm_rc subtypes(struct smfd_parser *in, unsigned long type, struct smfd_types *types)
{
    do {
        unsigned long from, to;

        KLM_TRY(smfd_range(in, 65535, "not a subtype from 0 to 65535", &from, &to));
        if (types->subtypes_n == SMFD_SUBTYPES_MAX) {
            return smfd_wrong(in, "too many subtypes in one list", "");
        }
        types->subtypes[types->subtypes_n++] =
            (struct smfd_subtypes){(uint8_t)type, (uint16_t)from, (uint16_t)to};
    } while (smfd_sign(in, ','));
    return smfd_need(in, ')');
}

/* What stands between the parentheses of TYPE and NOTYPE. */
static klm_rc types_list(struct smfd_parser *in, struct smfd_types *types)
{
    do {
        unsigned long from, to;

        KLM_TRY(smfd_range(in, 255, "not a record type from 0 to 255", &from, &to));
        if (smfd_sign(in, '(')) {
            if (from != to) {
                return smfd_wrong(in, "subtypes belong to one type, not to a range", "");
            }
            KLM_TRY(subtypes(in, from, types));
            continue;
        }
        for (unsigned long t = from; t <= to; t++) {
            types->whole[t / 8] |= (uint8_t)(1u << (t % 8));
        }
    } while (smfd_sign(in, ','));
    types->given = true;
    return KLM_OK;
}

static klm_rc dd_name(struct smfd_parser *in, char out[SMFD_DD_SIZE])
{
    char text[SMFD_WORD_MAX];

    smfd_word(in, text);
    if (!*text || strlen(text) >= SMFD_DD_SIZE || isdigit((unsigned char)text[0]) ||
        strpbrk(text, "_.")) {
        return smfd_wrong(in, "not a DD name of 1 to 8 characters", text);
    }
    snprintf(out, SMFD_DD_SIZE, "%.8s", text);
    return KLM_OK;
}

/* hhmm; 2400 is the end of the day. */
static klm_rc hour(struct smfd_parser *in, uint32_t *out)
{
    unsigned long value;
    size_t length;

    KLM_TRY(smfd_number_of(in, 4, 2400, "not a time hhmm", &value, &length));
    if (length != 4 || value % 100 > 59) {
        return smfd_wrong(in, "not a time hhmm", "");
    }
    *out = (uint32_t)((value / 100 * 60 + value % 100) * 6000);
    return KLM_OK;
}

static void hours_set(struct smfd_hours *hours, bool end, uint32_t value)
{
    if (!hours->given) {
        *hours = (struct smfd_hours){.given = true, .to = SMFD_DAY_TIMES};
    }
    *(end ? &hours->to : &hours->from) = value;
}

/* yyyyddd, or yyddd with 60 to 99 for 19yy. */
static klm_rc date(struct smfd_parser *in, unsigned long *out)
{
    unsigned long value;
    size_t length;

    KLM_TRY(smfd_number_of(in, 7, 9999366, "not a date yyyyddd", &value, &length));
    if (length == 5) {
        value += value / 1000 >= 60 ? 1900000 : 2000000;
    } else if (length != 7) {
        return smfd_wrong(in, "not a date yyyyddd", "");
    }
    if (value % 1000 > 366 || (value % 1000 == 0 && value != 1900000)) {
        return smfd_wrong(in, "not a day of the year from 001 to 366", "");
    }
    *out = value;
    return KLM_OK;
}

static klm_rc options(struct smfd_parser *in, struct smfd_indd *indd)
{
    char text[SMFD_WORD_MAX];

    KLM_TRY(smfd_need(in, '('));
    smfd_word(in, text);
    indd->dump = strcmp(text, "DUMP") == 0 || strcmp(text, "ALL") == 0;
    indd->clear = strcmp(text, "CLEAR") == 0 || strcmp(text, "ALL") == 0;
    return indd->dump || indd->clear ? smfd_need(in, ')')
                                     : smfd_wrong(in, "OPTIONS takes DUMP, CLEAR or ALL", text);
}

static klm_rc indd(struct smfd_parser *in)
{
    struct smfd_indd row = {.dump = true};
    char text[SMFD_WORD_MAX];

    KLM_TRY(dd_name(in, row.dd));
    while (smfd_sign(in, ',')) {
        smfd_word(in, text);
        if (strcmp(text, "OPTIONS") != 0) {
            return smfd_wrong(in, "INDD does not take this", text);
        }
        KLM_TRY(options(in, &row));
    }
    if (in->control->in_n == SMFD_INDD_MAX) {
        return smfd_wrong(in, "too many INDD statements", "");
    }
    in->control->in[in->control->in_n++] = row;
    return KLM_OK;
}

static klm_rc outdd_part(struct smfd_parser *in, const char *text, struct smfd_outdd *row)
{
    uint32_t value;

    if (strcmp(text, "TYPE") == 0 || strcmp(text, "NOTYPE") == 0) {
        if (row->types.given) {
            return smfd_wrong(in, "one TYPE or NOTYPE for an output", text);
        }
        row->types.without = text[0] == 'N';
        return types_list(in, &row->types);
    }
    if (strcmp(text, "START") == 0 || strcmp(text, "END") == 0) {
        KLM_TRY(hour(in, &value));
        hours_set(&row->hours, text[0] == 'E', value);
        return KLM_OK;
    }
    return smfd_wrong(in, "OUTDD does not take this", text);
}

static klm_rc add_out(struct smfd_parser *in, const struct smfd_outdd *row)
{
    if (in->control->out_n == SMFD_OUTDD_MAX) {
        return smfd_wrong(in, "too many OUTDD statements", "");
    }
    for (size_t i = 0; i < in->control->out_n; i++) {
        if (strcmp(in->control->out[i].dd, row->dd) == 0) {
            return smfd_wrong(in, "two outputs have the same DD name", row->dd);
        }
    }
    in->control->out[in->control->out_n++] = *row;
    return KLM_OK;
}

static klm_rc outdd(struct smfd_parser *in)
{
    struct smfd_outdd row = {.dd = ""};
    char text[SMFD_WORD_MAX];

    KLM_TRY(dd_name(in, row.dd));
    while (smfd_sign(in, ',')) {
        smfd_word(in, text);
        KLM_TRY(smfd_need(in, '('));
        KLM_TRY(outdd_part(in, text, &row));
        KLM_TRY(smfd_need(in, ')'));
    }
    return add_out(in, &row);
}

static klm_rc dates(struct smfd_parser *in)
{
    unsigned long from, to;

    KLM_TRY(date(in, &from));
    KLM_TRY(smfd_need(in, ','));
    KLM_TRY(date(in, &to));
    if (to < from) {
        return smfd_wrong(in, "DATE ends before it begins", "");
    }
    in->control->dates = true;
    in->control->from = (uint64_t)from * SMFD_DAY_TIMES;
    in->control->to = (uint64_t)to * SMFD_DAY_TIMES + SMFD_DAY_TIMES - 1;
    return KLM_OK;
}

static klm_rc start(struct smfd_parser *in)
{
    uint32_t value;

    KLM_TRY(hour(in, &value));
    hours_set(&in->control->hours, false, value);
    return KLM_OK;
}

static klm_rc end(struct smfd_parser *in)
{
    uint32_t value;

    KLM_TRY(hour(in, &value));
    hours_set(&in->control->hours, true, value);
    return KLM_OK;
}

static klm_rc sid(struct smfd_parser *in)
{
    char text[SMFD_WORD_MAX];

    do {
        smfd_word(in, text);
        if (!*text || strlen(text) > 4) {
            return smfd_wrong(in, "not a system of 1 to 4 characters", text);
        }
        if (in->control->sid_n == SMFD_SID_MAX) {
            return smfd_wrong(in, "too many systems", "");
        }
        klm_ebcdic_field(text, in->control->sid[in->control->sid_n++], 4);
    } while (smfd_sign(in, ','));
    return KLM_OK;
}

/* What the dump does at a failure is the same for both values here. */
static klm_rc abend(struct smfd_parser *in)
{
    char text[SMFD_WORD_MAX];

    smfd_word(in, text);
    return strcmp(text, "RETRY") == 0 || strcmp(text, "NORETRY") == 0
               ? KLM_OK
               : smfd_wrong(in, "ABEND takes RETRY or NORETRY", text);
}

/* The unload of security records is part of this program; other exits do not exist. */
static klm_rc user_exit(struct smfd_parser *in)
{
    struct smfd_outdd row = {.dd = "OUTDD", .unload = true};
    char text[SMFD_WORD_MAX];

    smfd_word(in, text);
    if (strcmp(text, "IRRADU86") == 0) {
        return KLM_OK;
    }
    if (strcmp(text, "IRRADU00") != 0) {
        return smfd_wrong(in, "only the exits IRRADU00 and IRRADU86 are known", text);
    }
    KLM_TRY(smfd_types_parse("83(6)", false, &row.types, NULL));
    return add_out(in, &row);
}

static const struct {
    const char *name;
    klm_rc (*parse)(struct smfd_parser *in);
} statements[] = {
    {"INDD", indd},       {"OUTDD", outdd},     {"DATE", dates},  {"START", start},
    {"END", end},         {"SID", sid},         {"ABEND", abend}, {"USER1", user_exit},
    {"USER2", user_exit}, {"USER3", user_exit},
};

static klm_rc statement(struct smfd_parser *in)
{
    char text[SMFD_WORD_MAX];

    smfd_word(in, text);
    for (size_t i = 0; i < KLM_COUNT(statements); i++) {
        if (strcmp(text, statements[i].name) == 0) {
            KLM_TRY(smfd_need(in, '('));
            KLM_TRY(statements[i].parse(in));
            return smfd_need(in, ')');
        }
    }
    return smfd_wrong(in, "not a control statement", *text ? text : (char[2]){*in->p, '\0'});
}

static klm_rc parse(struct smfd_parser *in)
{
    for (;;) {
        /* A comma or semicolon between statements does no harm. */
        while (smfd_sign(in, ',') || smfd_sign(in, ';')) {
        }
        if (in->p == in->end) {
            return KLM_OK;
        }
        KLM_TRY(statement(in));
    }
}

klm_rc smfd_control_parse(struct klm_slice sysin, struct smfd_control *control,
                          struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    struct smfd_control *made;
    struct smfd_parser in = {.line = 1, .diag = diag};
    klm_rc rc;

    klm_buf_init(&text, SMFD_SYSIN_MAX + 1);
    if (sysin.n > SMFD_SYSIN_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, "SYSIN", KLM_NUM(SMFD_SYSIN_MAX));
    }
    KLM_TRY(sysin.n ? smfd_lines(sysin, &text, diag) : KLM_OK);
    made = malloc(sizeof *made);
    if (!made) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "SYSIN");
    }
    *made = *control;
    in.control = made;
    in.p = text.p ? (const char *)text.p : "";
    in.end = in.p + text.n;
    rc = parse(&in);
    if (rc == KLM_OK) {
        *control = *made;
    }
    free(made);
    return rc;
}

/* A parser of a piece, which must be all of the text. */
static struct smfd_parser of_text(const char *text, struct klm_diag *diag)
{
    return (struct smfd_parser){.p = text, .end = text + strlen(text), .line = 1, .diag = diag};
}

static klm_rc all_read(struct smfd_parser *in)
{
    smfd_skip(in);
    return in->p == in->end ? KLM_OK : smfd_wrong(in, "this is too much", in->p);
}

klm_rc smfd_types_parse(const char *text, bool without, struct smfd_types *out,
                        struct klm_diag *diag)
{
    struct smfd_parser in = of_text(text, diag);
    struct smfd_types types = {.without = without};

    KLM_TRY(types_list(&in, &types));
    KLM_TRY(all_read(&in));
    *out = types;
    return KLM_OK;
}

klm_rc smfd_sids_parse(const char *text, struct smfd_control *control, struct klm_diag *diag)
{
    struct smfd_parser in = of_text(text, diag);

    in.control = control;
    KLM_TRY(sid(&in));
    return all_read(&in);
}

klm_rc smfd_hour_parse(const char *text, uint32_t *out, struct klm_diag *diag)
{
    struct smfd_parser in = of_text(text, diag);
    uint32_t value;

    KLM_TRY(hour(&in, &value));
    KLM_TRY(all_read(&in));
    *out = value;
    return KLM_OK;
}
