/* smfdump: audit data sets dumped as IFASMFDP does, shown as text, checked, and told as a report. The work is done in smf/dump. */
#include "programs/program.h"

#include "base/file.h"
#include "smf/dump/dump.h"
#include "smf/dump/print.h"
#include "smf/dump/report.h"
#include "smf/dump/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "smfdump"
#define CERTIFICATE_MAX 65536

struct options {
    char *sysin, *types, *notypes, *from, *to, *start, *end, *sid, *output, *format, *sysprint,
        *report, *print;
    char **dds, **certificates;
    int block, limit, replace, tolerate, verify, from_start, part, text;
    const char **files;
    size_t files_n;
};

static const struct {
    const char *name;
    enum smfd_form form;
    enum smf_format format;
} formats[] = {{"smf", SMFD_BINARY, SMF_RDW}, {"rdw", SMFD_BINARY, SMF_RDW},
               {"vb", SMFD_BINARY, SMF_VB},   {"vbs", SMFD_BINARY, SMF_VBS},
               {"text", SMFD_TEXT, SMF_RDW},  {"csv", SMFD_CSV, SMF_RDW},
               {"json", SMFD_JSON, SMF_RDW}};

static int usage(const char *text)
{
    fprintf(stderr, NAME ": %s\nTry '" NAME " --help'.\n", text);
    return EXIT_USAGE;
}

static int failed(const struct klm_diag *diag, klm_rc rc)
{
    int status = program_failed(diag, rc);

    return rc == KLM_E_INVALID && diag->msg >= KLM_MSG_DUMP_STATEMENT &&
                   diag->msg <= KLM_MSG_DUMP_DD_TWICE
               ? EXIT_USAGE
               : status;
}

static klm_rc take_statements(const struct options *o, struct smfd_control *control,
                              struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, SMFD_SYSIN_MAX + 1);
    if (!o->sysin) {
        return KLM_OK;
    }
    KLM_TRY(klm_file_read(strcmp(o->sysin, "-") == 0 ? "/dev/stdin" : o->sysin, SMFD_SYSIN_MAX,
                          &text, diag));
    return smfd_control_parse(klm_buf_as_slice(&text), control, diag);
}

/* --type and --notype are the list of the one output that has no statement. */
static klm_rc take_types(const struct options *o, struct smfd_control *control,
                         struct klm_diag *diag)
{
    if (!o->types && !o->notypes) {
        return KLM_OK;
    }
    if (control->out_n == 0) {
        control->out[control->out_n++] = (struct smfd_outdd){.dd = "DUMPOUT"};
    }
    for (size_t i = 0; i < control->out_n; i++) {
        KLM_TRY(smfd_types_parse(o->types ? o->types : o->notypes, !o->types,
                                 &control->out[i].types, diag));
    }
    return KLM_OK;
}

static klm_rc take_hours(const struct options *o, struct smfd_hours *hours, struct klm_diag *diag)
{
    if (o->start || o->end) {
        struct smfd_hours given = {.given = true, .to = SMFD_DAY_TIMES};

        KLM_TRY(o->start ? smfd_hour_parse(o->start, &given.from, diag) : KLM_OK);
        KLM_TRY(o->end ? smfd_hour_parse(o->end, &given.to, diag) : KLM_OK);
        *hours = given;
    }
    return KLM_OK;
}

static klm_rc take_dates(const struct options *o, struct smfd_control *control,
                         struct klm_diag *diag)
{
    if (o->from || o->to) {
        uint64_t from = 0, to = UINT64_MAX;

        KLM_TRY(o->from ? smfd_when_parse(o->from, false, &from, diag) : KLM_OK);
        KLM_TRY(o->to ? smfd_when_parse(o->to, true, &to, diag) : KLM_OK);
        control->dates = true;
        control->from = from;
        control->to = to;
    }
    return KLM_OK;
}

static klm_rc take_control(const struct options *o, struct smfd_control *control,
                           struct klm_diag *diag)
{
    KLM_TRY(take_statements(o, control, diag));
    KLM_TRY(take_types(o, control, diag));
    KLM_TRY(take_hours(o, &control->hours, diag));
    KLM_TRY(take_dates(o, control, diag));
    return o->sid ? smfd_sids_parse(o->sid, control, diag) : KLM_OK;
}

/* Files on the command line are those of DD DUMPIN, the output that of DUMPOUT. */
static klm_rc take_dds(const struct options *o, struct smfd_dds *dds, struct klm_diag *diag)
{
    klm_rc rc = KLM_OK;

    for (size_t i = 0; o->dds && o->dds[i]; i++) {
        KLM_TRY(smfd_dd_add(dds, o->dds[i], diag));
    }
    for (size_t i = 0; rc == KLM_OK && o->files && i < o->files_n; i++) {
        rc = smfd_dd_bind(dds, "DUMPIN", o->files[i]);
    }
    if (rc == KLM_OK && o->output) {
        rc = smfd_dd_bind(dds, "DUMPOUT", o->output);
    }
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_NO_MEMORY, "DD");
}

static bool take_format(const struct options *o, struct smfd_dump *dump)
{
    for (size_t i = 0; i < KLM_COUNT(formats); i++) {
        if (!o->format || strcmp(o->format, formats[i].name) == 0) {
            dump->form = formats[i].form;
            dump->format = formats[i].format;
            return true;
        }
    }
    return false;
}

/* The summary goes to --sysprint, else to DD SYSPRINT or ADUPRINT, else to standard error. */
static klm_rc open_sysprint(const struct options *o, struct smfd_dump *dump, struct klm_diag *diag)
{
    const char **paths = NULL, *path = o->sysprint;
    size_t n;

    if (!path && (smfd_dd_find(&dump->dds, "SYSPRINT", &paths, &n, NULL) == KLM_OK ||
                  smfd_dd_find(&dump->dds, "ADUPRINT", &paths, &n, NULL) == KLM_OK)) {
        path = paths[0];
    }
    dump->sysprint = path ? fopen(path, "we") : stderr;
    if (!dump->sysprint) {
        klm_rc rc = klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_WRITE, path, "it cannot be opened");

        free(paths);
        return rc;
    }
    free(paths);
    return KLM_OK;
}

static klm_rc run_dump(const struct options *o, struct smfd_dump *dump, struct klm_diag *diag)
{
    klm_rc rc;

    dump->block = (size_t)o->block;
    dump->replace = o->replace;
    dump->tolerate = o->tolerate;
    KLM_TRY(open_sysprint(o, dump, diag));
    /* Text for a person needs no name; records on a terminal would do harm. */
    if (dump->control.out_n == 0 || strcmp(dump->control.out[0].dd, "DUMPOUT") == 0) {
        const char **paths;
        size_t n;

        if (smfd_dd_find(&dump->dds, "DUMPOUT", &paths, &n, NULL) == KLM_OK) {
            free(paths);
        } else if (dump->form != SMFD_BINARY || !isatty(STDOUT_FILENO)) {
            KLM_IGNORE(smfd_dd_bind(&dump->dds, "DUMPOUT", "-")); /* said as a DD without file */
        }
    }
    rc = smfd_dump(dump, diag);
    if (dump->sysprint != stderr) {
        fclose(dump->sysprint);
    }
    return rc;
}

/* ---- Certificates */

struct certificates {
    struct klm_buf text[SMFD_CERTIFICATES_MAX];
    struct klm_slice slice[SMFD_CERTIFICATES_MAX];
    size_t n;
};

static void certificates_done(struct certificates *certificates)
{
    for (size_t i = 0; i < certificates->n; i++) {
        klm_buf_done(&certificates->text[i]);
    }
}

static klm_rc read_certificates(const struct options *o, struct certificates *out,
                                struct klm_diag *diag)
{
    for (size_t i = 0; o->certificates && o->certificates[i]; i++) {
        if (i == SMFD_CERTIFICATES_MAX) {
            return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_VERIFY_CERTIFICATE, o->certificates[i],
                            "there are too many");
        }
        klm_buf_init(&out->text[i], CERTIFICATE_MAX);
        out->n = i + 1;
        KLM_TRY(klm_file_read(o->certificates[i], CERTIFICATE_MAX, &out->text[i], diag));
        out->slice[i] = klm_buf_as_slice(&out->text[i]);
        if (!smfd_is_certificate(out->slice[i])) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_VERIFY_CERTIFICATE, o->certificates[i],
                            "it is no certificate in PEM or DER");
        }
    }
    return KLM_OK;
}

static klm_rc run_verify(const struct options *o, const char *const *paths, size_t n,
                         struct klm_diag *diag)
{
    KLM_AUTO(smfd_verdict_done) struct smfd_verdict verdict = {0};
    KLM_AUTO(certificates_done) struct certificates certificates = {.n = 0};
    struct smfd_verify request = {
        .paths = paths, .paths_n = n, .from_start = o->from_start, .part = o->part};

    KLM_TRY(read_certificates(o, &certificates, diag));
    memcpy(request.certificates, certificates.slice, sizeof request.certificates);
    request.certificates_n = certificates.n;
    KLM_TRY(smfd_verify(&request, diag, &verdict));
    smfd_verdict_print(&verdict, stdout);
    return verdict.good ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc run_report(const struct options *o, const struct smfd_dump *dump,
                         const char *const *paths, size_t n, struct klm_diag *diag)
{
    KLM_AUTO(certificates_done) struct certificates certificates = {.n = 0};
    struct smfd_report report = {.control = &dump->control,
                                 .paths = paths,
                                 .paths_n = n,
                                 .html = o->report,
                                 .text = o->text ? stdout : NULL,
                                 .limit = o->limit > 0 ? (size_t)o->limit : 0,
                                 .replace = o->replace,
                                 .tolerate = o->tolerate};

    KLM_TRY(read_certificates(o, &certificates, diag));
    memcpy(report.certificates, certificates.slice, sizeof report.certificates);
    report.certificates_n = certificates.n;
    return smfd_report(&report, diag);
}

static klm_rc run_print(const struct options *o, const char *const *paths, size_t n,
                        struct klm_diag *diag)
{
    char *end;
    unsigned long long number = strtoull(o->print, &end, 10);

    if (*end || number == 0) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_DUMP_NO_RECORD, o->print,
                        "numbers from 1 on");
    }
    return smfd_print_record(paths, n, number, stdout, diag);
}

/* What only looks at the inputs: those on the command line, else DD DUMPIN or SMFIN. */
static klm_rc look(const struct options *o, struct smfd_dump *dump, struct klm_diag *diag)
{
    const char **paths = NULL;
    size_t n = 0;
    klm_rc rc = smfd_dd_find(&dump->dds, "DUMPIN", &paths, &n, NULL);

    if (rc != KLM_OK) {
        rc = smfd_dd_find(&dump->dds, "SMFIN", &paths, &n, NULL);
    }
    if (rc != KLM_OK) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_DUMP_DD, "DUMPIN");
    }
    if (o->verify) {
        rc = run_verify(o, paths, n, diag);
    } else if (o->print) {
        rc = run_print(o, paths, n, diag);
    } else {
        rc = run_report(o, dump, paths, n, diag);
    }
    free(paths);
    return rc;
}

static klm_rc run(const struct options *o, struct smfd_dump *dump, struct klm_diag *diag)
{
    KLM_TRY(take_dds(o, &dump->dds, diag));
    KLM_TRY(take_control(o, &dump->control, diag));
    return o->verify || o->print || o->report || o->text ? look(o, dump, diag)
                                                         : run_dump(o, dump, diag);
}

/* What cannot go together. NULL: all is well. */
static const char *conflict(const struct options *o, struct smfd_dump *dump)
{
    if (o->verify + (o->print != NULL) + (o->report != NULL || o->text) > 1) {
        return "one of --verify, --print and --report";
    }
    if (!take_format(o, dump)) {
        return "--format is smf, vb, vbs, text, csv or json";
    }
    if (o->block && (o->block < 512 || o->block > SMF_BLOCK_MAX)) {
        return "--block is 512 to 32760";
    }
    if (o->limit < 0 || o->limit > 1000000) {
        return "--limit is 1 to 1000000";
    }
    if (o->types && o->notypes) {
        return "either --type or --notype";
    }
    if (!o->sysin && !o->dds && o->files_n == 0 && !getenv("DD_DUMPIN") && !getenv("DD_SMFIN")) {
        return "no data set is named";
    }
    return NULL;
}

static int work(struct options *o)
{
    struct smfd_dump *dump = calloc(1, sizeof *dump);
    struct klm_diag diag = {0};
    const char *wrong;
    int status = EXIT_SUCCESS;
    klm_rc rc;

    if (!dump) {
        return program_failed(&diag, KLM_E_NOMEM);
    }
    wrong = conflict(o, dump);
    if (wrong) {
        status = usage(wrong);
    } else {
        rc = run(o, dump, &diag);
        /* What a verdict says was said already. */
        if (rc != KLM_OK) {
            status = o->verify && rc == KLM_E_CORRUPT ? EXIT_FAILED : failed(&diag, rc);
        }
    }
    smfd_dds_done(&dump->dds);
    smfd_stats_done(&dump->stats);
    free(dump);
    return status;
}

/* popt gives strings and lists that are the caller's. */
static void list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++) {
        free(list[i]);
    }
    free(list);
}

static void options_done(struct options *o)
{
    char *const texts[] = {o->sysin,    o->types,  o->notypes, o->from,   o->to,
                           o->start,    o->end,    o->sid,     o->output, o->format,
                           o->sysprint, o->report, o->print};

    for (size_t i = 0; i < KLM_COUNT(texts); i++) {
        free(texts[i]);
    }
    list_free(o->dds);
    list_free(o->certificates);
}

#define TEXT(long_name, letter, at, help, what)                                                    \
    {                                                                                              \
        long_name, letter, POPT_ARG_STRING, at, 0, help, what                                      \
    }
#define LIST(long_name, letter, at, help, what)                                                    \
    {                                                                                              \
        long_name, letter, POPT_ARG_ARGV, at, 0, help, what                                        \
    }
#define FLAG(long_name, letter, at, help)                                                          \
    {                                                                                              \
        long_name, letter, POPT_ARG_NONE, at, 0, help, NULL                                        \
    }

int main(int argc, const char **argv)
{
    struct options o = {0};
    const struct poptOption options[] = {
        TEXT("sysin", 's', &o.sysin, "control statements as of IFASMFDP (-: standard input)",
             "FILE"),
        LIST("dd", 'd', &o.dds, "the file of a DD name of the statements; may be repeated",
             "NAME=FILE"),
        TEXT("type", 't', &o.types, "record types: 83(6),80,100:105", "LIST"),
        TEXT("notype", 'n', &o.notypes, "all types but these", "LIST"),
        TEXT("from", 'f', &o.from, "first date, or date and time, of records", "WHEN"),
        TEXT("to", 'u', &o.to, "last date, or date and time", "WHEN"),
        TEXT("start", 0, &o.start, "first time of each day", "HHMM"),
        TEXT("end", 0, &o.end, "last time of each day", "HHMM"),
        TEXT("sid", 0, &o.sid, "systems", "LIST"),
        TEXT("output", 'o', &o.output, "where the dump goes (-: standard output)", "FILE"),
        TEXT("format", 'F', &o.format, "smf (default), vb, vbs; of events: text, csv, json",
             "FORMAT"),
        {"block", 0, POPT_ARG_INT, &o.block, 0, "block size of vb and vbs (default: 32760)",
         "BYTES"},
        FLAG("replace", 'r', &o.replace, "outputs that exist are replaced"),
        FLAG("tolerate", 0, &o.tolerate, "damaged places are no failure"),
        TEXT("sysprint", 0, &o.sysprint, "where the summary goes (default: standard error)",
             "FILE"),
        TEXT("print", 'p', &o.print, "show record N field by field", "N"),
        FLAG("verify", 'v', &o.verify, "check the chain of records and its checkpoints"),
        LIST("certificate", 'c', &o.certificates, "check signatures with it; may be repeated",
             "FILE"),
        FLAG("from-start", 0, &o.from_start, "the first record of the chain must be there"),
        FLAG("part", 0, &o.part, "a text log may end before what checkpoints sign"),
        TEXT("report", 'R', &o.report, "write a report for an auditor, as a page", "FILE"),
        FLAG("text", 'T', &o.text, "print the report as text"),
        {"limit", 0, POPT_ARG_INT, &o.limit, 0, "rows of a table of the report (default: 1000)",
         "N"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext(NAME, argc, argv, options, 0);
    int status;

    poptSetOtherOptionHelp(ctx, "[OPTION...] [DATA-SET...]");
    program_guard_inputs();
    program_options(ctx, NAME);
    o.files = poptGetArgs(ctx);
    while (o.files && o.files[o.files_n]) {
        o.files_n++;
    }
    status = work(&o);
    poptFreeContext(ctx);
    options_done(&o);
    return status;
}
