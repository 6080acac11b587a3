/* IECIOSxx: from the lines of a member to statements, and from an EKM statement to its values. A
 * statement is gathered character by character together with where each one stands, so that every
 * complaint has a line and a column. */
#include "parmlib/iecios.h"

#include "parmlib/host.h"
#include "parmlib/member.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOWN_HOST 51 /* IOS099I */

/* What one statement says; a port of 0 is not given. */
struct operands {
    struct parm_ekm_host host[2]; /* primary, secondary */
    unsigned host_port[2];        /* behind the host */
    unsigned port[2];             /* PRIPORT, SECPORT */
    size_t port_at[2];            /* where they stand */
    unsigned maxconn, maxpconn;
    unsigned seen; /* bit of each operand */
};

enum operand { PRIMARY, SECONDARY, PRIPORT, SECPORT, MAXCONN, MAXPCONN, OPERANDS };
static const char *const names[OPERANDS] = {"PRIMARY", "SECONDARY", "PRIPORT",
                                            "SECPORT", "MAXCONN",   "MAXPCONN"};

static bool seen(const struct operands *ops, enum operand which)
{
    return ops->seen & 1u << which;
}

static const char *range_of(enum operand which)
{
    return which == MAXCONN ? "1 to 255" : which == MAXPCONN ? "0 to 255" : "1 to 65535";
}

static klm_rc fail_text(const struct parm_statement *st, size_t at, enum klm_msg_id id,
                        const char *text, struct klm_diag *diag)
{
    struct parm_where where = parm_statement_where(st, at);

    return parm_member_fail(st, at, diag, id, KLM_NUM(where.line), KLM_NUM(where.column), st->name,
                            text);
}

static klm_rc number(const struct parm_statement *st, size_t at, const char *text,
                     enum operand which, unsigned *out, struct klm_diag *diag)
{
    unsigned least = which == MAXPCONN ? 0 : 1,
             most = which == MAXCONN || which == MAXPCONN ? 255 : 65535, value = 0;
    size_t n = strspn(text, "0123456789");

    struct parm_where where = parm_statement_where(st, at);

    if (n >= 1 && n <= 5 && !text[n]) {
        for (size_t i = 0; i < n; i++) {
            value = 10 * value + (unsigned)(text[i] - '0');
        }
        if (value >= least && value <= most) {
            *out = value;
            return KLM_OK;
        }
    }
    return parm_member_fail(st, at, diag, KLM_MSG_EKM_NUMBER, KLM_NUM(where.line),
                            KLM_NUM(where.column), st->name, names[which], text, range_of(which));
}

/* NONE, host[:port], ipv4[:port] or ipv6. */
static klm_rc host(const struct parm_statement *st, size_t at, char *text, unsigned which,
                   struct operands *ops, struct klm_diag *diag)
{
    struct parm_ekm_host *out = &ops->host[which];
    char *colon = strchr(text, ':'), shown[KLM_COUNT(out->host)];

    snprintf(shown, sizeof shown, "%s", text);
    if (strcasecmp(text, "NONE") == 0) {
        return KLM_OK;
    }
    out->ipv6 = colon && strchr(colon + 1, ':');
    if (colon && !out->ipv6) {
        *colon = '\0';
        KLM_TRY(number(st, at + (size_t)(colon + 1 - text), colon + 1,
                       (enum operand)(PRIPORT + which), &ops->host_port[which], diag));
    }
    if (!(out->ipv6 ? parm_is_ipv6(text) : parm_is_host_name(text))) {
        return fail_text(st, at, KLM_MSG_EKM_HOST, shown, diag);
    }
    snprintf(out->host, sizeof out->host, "%s", text);
    return KLM_OK;
}

static klm_rc operand_value(const struct parm_statement *st, size_t at, char *value,
                            enum operand which, struct operands *ops, struct klm_diag *diag)
{
    switch (which) {
    case PRIMARY:
        return host(st, at, value, 0, ops, diag);
    case SECONDARY:
        return host(st, at, value, 1, ops, diag);
    case PRIPORT:
    case SECPORT:
        ops->port_at[which - PRIPORT] = at;
        return number(st, at, value, which, &ops->port[which - PRIPORT], diag);
    case MAXCONN:
        return number(st, at, value, which, &ops->maxconn, diag);
    case MAXPCONN:
        return number(st, at, value, which, &ops->maxpconn, diag);
    case OPERANDS:
        break;
    }
    return KLM_E_INTERNAL;
}

/* One operand, NAME=value, at `at` of the statement. */
static klm_rc operand(const struct parm_statement *st, size_t at, char *text, struct operands *ops,
                      struct klm_diag *diag)
{
    char *equal = strchr(text, '=');
    unsigned which = 0;

    if (!equal) {
        return fail_text(st, at, KLM_MSG_EKM_OPERAND, text, diag);
    }
    *equal = '\0';
    while (which < OPERANDS && strcasecmp(text, names[which])) {
        which++;
    }
    if (which == OPERANDS) {
        return fail_text(st, at, KLM_MSG_EKM_OPERAND, text, diag);
    }
    if (seen(ops, which)) {
        return fail_text(st, at, KLM_MSG_EKM_TWICE, names[which], diag);
    }
    ops->seen |= 1u << which;
    return operand_value(st, at + (size_t)(equal + 1 - text), equal + 1, which, ops, diag);
}

/* PRIPORT and SECPORT belong to the host of the same statement, which has no port of its own. */
static klm_rc ports(const struct parm_statement *st, struct operands *ops, struct klm_diag *diag)
{
    for (unsigned i = 0; i < 2; i++) {
        bool given = seen(ops, PRIPORT + i);

        if (given && !ops->host[i].host[0]) {
            return fail_text(st, ops->port_at[i], KLM_MSG_EKM_PORT_ALONE, names[PRIPORT + i], diag);
        }
        if (given && ops->host_port[i]) {
            return fail_text(st, ops->port_at[i], KLM_MSG_EKM_PORT_TWICE, names[PRIPORT + i], diag);
        }
        if (ops->host[i].host[0]) {
            unsigned port = given               ? ops->port[i]
                            : ops->host_port[i] ? ops->host_port[i]
                                                : PARM_EKM_PORT;

            ops->host[i].port = (uint16_t)port;
        }
    }
    return KLM_OK;
}

static void take(const struct operands *ops, struct parm_ekm *ekm)
{
    ekm->primary = seen(ops, PRIMARY) ? ops->host[0] : ekm->primary;
    ekm->secondary = seen(ops, SECONDARY) ? ops->host[1] : ekm->secondary;
    ekm->maxconn = seen(ops, MAXCONN) ? ops->maxconn : ekm->maxconn;
    ekm->maxpconn = seen(ops, MAXPCONN) ? ops->maxpconn : ekm->maxpconn;
}

/* The statement behind its keyword: nothing, or a blank or a comma and operands with commas
 * between. */
static klm_rc ekm_operands(const struct parm_statement *st, size_t at, struct parm_ekm *ekm,
                           struct klm_diag *diag)
{
    struct operands ops = {0};

    while (st->text[at] == ' ') {
        at++;
    }
    at += st->text[at] == ',';
    while (st->text[at] == ' ') {
        at++;
    }
    for (bool more = st->text[at] != '\0'; more;) {
        size_t n = strcspn(st->text + at, ",");
        char text[PARM_STATEMENT_MAX + 1];

        more = st->text[at + n] == ',';
        snprintf(text, sizeof text, "%.*s", (int)n, st->text + at);
        KLM_TRY(operand(st, at, text, &ops, diag));
        at += n + 1;
    }
    KLM_TRY(ports(st, &ops, diag));
    take(&ops, ekm);
    return KLM_OK;
}

static klm_rc ekm_statement(const struct parm_statement *st, struct parm_ekm *ekm,
                            struct klm_diag *diag)
{
    size_t word = strcspn(st->text, " ,");

    if (word != 3 || strncasecmp(st->text, "EKM", 3)) {
        return KLM_OK;
    }
    if (st->too_long) {
        struct parm_where where = parm_statement_where(st, 0);

        return parm_member_fail(st, 0, diag, KLM_MSG_EKM_LONG, KLM_NUM(where.line),
                                KLM_NUM(where.column), st->name, KLM_NUM(PARM_STATEMENT_MAX));
    }
    if (st->open) {
        return fail_text(st, 0, KLM_MSG_EKM_OPEN, "", diag);
    }
    return ekm_operands(st, word, ekm, diag);
}

void parm_ekm_init(struct parm_ekm *ekm)
{
    *ekm = (struct parm_ekm){.maxconn = PARM_EKM_MAXCONN, .maxpconn = PARM_EKM_MAXPCONN};
}

static klm_rc all_statements(struct klm_slice text, const char *name, bool cards,
                             struct parm_ekm *ekm, struct klm_diag *diag)
{
    struct parm_ekm now = *ekm;
    struct parm_statement st;
    struct parm_member member;
    bool more = true;

    KLM_TRY(parm_member_open(&member, text, name, diag));
    member.cards = cards;
    for (;;) {
        KLM_TRY(parm_member_next(&member, &st, &more, diag));
        if (!more) {
            break;
        }
        KLM_TRY(ekm_statement(&st, &now, diag));
    }
    *ekm = now;
    return KLM_OK;
}

klm_rc parm_ekm_member(struct klm_slice text, const char *name, struct parm_ekm *ekm,
                       struct klm_diag *diag)
{
    return all_statements(text, name, true, ekm, diag);
}

klm_rc parm_ekm_setios(const char *command, struct parm_ekm *ekm, struct klm_diag *diag)
{
    const char *at = command + strspn(command, " ");
    size_t word = strcspn(at, " ,");

    if (word == 6 && strncasecmp(at, "SETIOS", 6) == 0) {
        at += 6 + strspn(at + 6, " ");
        word = strcspn(at, " ,");
    }
    if (word != 3 || strncasecmp(at, "EKM", 3) || strpbrk(at, "\n\r")) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_EKM_NOT_EKM, command);
    }
    return all_statements(klm_slice_str(at), "SETIOS", false, ekm, diag);
}

void parm_ekm_show(const struct parm_ekm_host *host, char *out, size_t cap)
{
    if (!host->host[0]) {
        snprintf(out, cap, "NONE");
        return;
    }
    snprintf(out, cap, "%.*s%s%u", SHOWN_HOST, host->host, host->ipv6 ? ".." : ":",
             (unsigned)host->port);
}
