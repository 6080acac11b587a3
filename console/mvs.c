/* Operator commands of the system: F (MODIFY) hands a text to the product, P (STOP) ends it, D (DISPLAY) shows it; I SMF switches
 * SMF data sets, D SMF shows them. */
#include "console/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define TASK "ISKLM"

/* Is the next word this one? Then step over it and the blanks behind. */
static bool step(const char **p, const char *word)
{
    size_t n = strlen(word);

    if (strncasecmp(*p, word, n) != 0 || ((*p)[n] && !strchr(" \t,=('", (*p)[n]))) {
        return false;
    }
    *p += n;
    *p += strspn(*p, " \t");
    return true;
}

static bool step_any(const char **p, const char *first, const char *second)
{
    return step(p, first) || step(p, second);
}

/* Text between quotes; two quotes are one. NULL when it does not end with a quote. */
static const char *unquote(struct con_run *run, const char *p)
{
    char *out = klm_pool_alloc(run->pool, strlen(p) + 1);
    size_t n = 0;

    if (!out || *p++ != '\'') {
        return NULL;
    }
    for (; *p; p++) {
        if (*p == '\'' && p[1] != '\'') {
            return p[1 + strspn(p + 1, " \t\r\n")] ? NULL : out;
        }
        p += *p == '\'';
        out[n++] = *p;
    }
    return NULL;
}

static void modify(struct con_run *run, const char *p)
{
    const char *text;

    if (!step(&p, TASK) || *p != ',') {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_NO_SUCH_TASK, "F");
        return;
    }
    p += 1 + strspn(p + 1, " \t");
    if (!step(&p, "APPL") || *p != '=') {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_MODIFY_FORM);
        return;
    }
    text = unquote(run, p + 1 + strspn(p + 1, " \t"));
    if (!text) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_MODIFY_FORM);
        return;
    }
    con_appl(run, text);
}

static void stop(struct con_run *run, const char *p)
{
    struct km_call *call;

    if (!step(&p, TASK) || *p) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_NO_SUCH_TASK, "P");
        return;
    }
    if (con_call(run, KM_TASK_STOP, &call) == KLM_OK) {
        con_finish(run, &call);
    }
}

static void activity_line(struct con_run *run)
{
    time_t now = (time_t)(klm_clock() / 1000000);
    struct tm tm;
    char line[64];

    gmtime_r(&now, &tm);
    snprintf(line, sizeof line, "IEE115I %02d.%02d.%02d %04d.%03d ACTIVITY", tm.tm_hour, tm.tm_min,
             tm.tm_sec, tm.tm_year + 1900, tm.tm_yday + 1);
    con_line(run, line);
}

void con_display(struct con_run *run)
{
    struct km_call *call;

    if (con_call(run, KM_STATUS, &call) != KLM_OK) {
        return;
    }
    if (km_run_wait(call) == KLM_OK) {
        activity_line(run);
        con_line(run, klm_pool_printf(run->pool, " %-8s %-8s STC   %s", TASK, TASK, call->text));
        call->text = NULL;
    }
    con_answer(run, call);
    km_call_free(&call);
}

/* hh.mm.ss, local time as on z/OS. */
static void local_time(char out[16])
{
    time_t now = (time_t)(klm_clock() / 1000000);
    struct tm tm = {0};

    (void)localtime_r(&now, &tm);
    snprintf(out, 16, "%02u.%02u.%02u", (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100);
}

/* D SMF: IEE974I heads the list of data sets. */
static void display_smf(struct con_run *run)
{
    struct km_call *call;
    char now[16];

    if (con_call(run, KM_SMF_LIST, &call) != KLM_OK) {
        return;
    }
    if (km_run_wait(call) == KLM_OK) {
        local_time(now);
        con_line(run, klm_pool_printf(run->pool, "IEE974I %s SMF DATA SETS", now));
    }
    con_answer(run, call);
    km_call_free(&call);
}

/* What SMF says when it has switched: IEE360I which data set it records on, IEE362A which one is to be dumped. */
static void say_switched(struct con_run *run, const struct km_call *call)
{
    const char **row = call->rows.row[0]; /* the new one, the old one, the folder */
    char now[16];

    local_time(now);
    con_line(run, klm_pool_printf(run->pool, "IEE360I SMF NOW RECORDING ON %s ON %s TIME=%s",
                                  row[0], row[2], now));
    if (row[1][0]) {
        con_line(run,
                 klm_pool_printf(run->pool, "IEE362A SMF ENTER DUMP FOR %s ON %s", row[1], row[2]));
    }
}

/* I SMF. */
static void switch_smf(struct con_run *run, const char *p)
{
    struct km_call *call;

    if (!step(&p, "SMF") || *p) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_COMMAND_FORM);
        return;
    }
    if (con_call(run, KM_SMF_SWITCH, &call) != KLM_OK) {
        return;
    }
    if (km_run_wait(call) == KLM_OK && call->rows.n == 1) {
        say_switched(run, call);
    } else {
        con_answer(run, call);
    }
    km_call_free(&call);
}

static void display(struct con_run *run, const char *p)
{
    if (step(&p, "SMF") && !*p) {
        display_smf(run);
        return;
    }
    if (step_any(&p, "A", "ACTIVITY") && *p == ',' &&
        (p += 1 + strspn(p + 1, " \t"), step(&p, TASK)) && !*p) {
        con_display(run);
        return;
    }
    CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_DISPLAY_FORM);
}

static void dispatch(struct con_run *run, const char *p)
{
    if (step_any(&p, "F", "MODIFY")) {
        modify(run, p);
    } else if (step_any(&p, "P", "STOP")) {
        stop(run, p);
    } else if (step_any(&p, "D", "DISPLAY")) {
        display(run, p);
    } else if (step_any(&p, "I", "SWITCH")) {
        switch_smf(run, p);
    } else if (step(&p, "RACDCERT")) {
        con_racdcert(run, p);
    } else if (step(&p, "KEYXFER")) {
        con_keyxfer(run, p);
    } else if (con_profile(run, p) == KLM_E_NOTFOUND) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_COMMAND_FORM);
    }
}

/* A command may come as several lines, as it stands in a job: '-' or '+' at a line's end continues it (TSO's rule), and the end of a line is a blank. */
static void join_lines(char *text)
{
    for (char *p = text; *p; p++) {
        char *end = p + strspn(p, " \t\r");

        if ((*p == '-' || *p == '+') && p[1 + strspn(p + 1, " \t\r")] == '\n') {
            *p = ' ';
        } else if (*end == '\n') {
            memset(p, ' ', (size_t)(end - p) + 1);
            p = end;
        }
    }
}

static void trim(char *text)
{
    for (size_t n = strlen(text); n > 0 && strchr(" \t\r\n", text[n - 1]); n--) {
        text[n - 1] = '\0';
    }
}

/* An answer that found no room is none: half a listing would look like a whole one. */
static void check_room(struct con_run *run)
{
    if (klm_buf_rc(run->out) != KLM_OK) {
        klm_buf_clear(run->out);
        CON_REFUSE(run, KLM_E_LIMIT, KLM_MSG_ANSWER_LONG, KLM_NUM(CON_ANSWER_MAX >> 20));
    }
}

void con_execute(const struct con_context *context, const char *line, struct klm_buf *out,
                 int *status)
{
    struct con_run run = {.context = context, .out = out};
    char *copy;

    /* A command may carry a password, so its pool is wiped. */
    if (klm_pool_new_wiping(CON_ANSWER_MAX * 2, &run.pool) != KLM_OK) {
        *status = 1;
        return;
    }
    if (strnlen(line, CON_COMMAND_MAX + 1) > CON_COMMAND_MAX) {
        CON_REFUSE(&run, KLM_E_LIMIT, KLM_MSG_COMMAND_LONG, KLM_NUM(CON_COMMAND_MAX));
    } else if (!(copy = klm_pool_str(run.pool, line + strspn(line, " \t\r\n")))) {
        CON_REFUSE(&run, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the command");
    } else {
        join_lines(copy);
        trim(copy);
        dispatch(&run, copy);
    }
    check_room(&run);
    *status = run.status;
    klm_pool_free(&run.pool);
}

klm_rc con_call(struct con_run *run, enum km_verb_id verb, struct km_call **out)
{
    klm_rc rc = km_call_new(run->context->server, verb, &run->context->actor, out);

    if (rc != KLM_OK) {
        CON_REFUSE(run, rc, KLM_MSG_NO_MEMORY, "the command");
        return rc;
    }
    if (!km_call_may(*out)) {
        con_finish(run, out); /* refused and audited, before a file it names is looked at */
        return KLM_E_DENIED;
    }
    return KLM_OK;
}

void con_finish(struct con_run *run, struct km_call **call)
{
    KLM_IGNORE(km_run_wait(*call)); /* the outcome is in the call */
    con_answer(run, *call);
    km_call_free(call);
}
