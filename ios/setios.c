/* Editing a member line by line. What a line says is found by the rules of members (comments, continuation by a comma or by column 72 of a
 * line of 80); whether it was found rightly is proved at the end, by reading the result back. */
#include "ios/setios.h"

#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define CARD 80
#define CARD_DATA 71
#define LINE_MAX_HERE 4096
#define STATEMENT_MAX 320 /* a host of 253 characters and a port */

klm_rc ios_member_load(const char *path, struct parm_ekm *out, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    struct parm_ekm ekm;

    klm_buf_init(&text, IOS_MEMBER_MAX);
    KLM_TRY(klm_file_read(path, IOS_MEMBER_MAX, &text, diag));
    parm_ekm_init(&ekm);
    KLM_TRY(parm_ekm_member(klm_buf_as_slice(&text), path, &ekm, diag));
    *out = ekm;
    return KLM_OK;
}

/* Where the editor is between two lines. */
struct editor {
    const struct parm_ekm *ekm;
    const char *eol;
    struct klm_buf *out;
    bool comment; /* a comment goes on */
    bool open;    /* a statement goes on */
    bool ours;    /* and it is an EKM statement */
    bool due;     /* the new statements come as soon as a line may stand here */
    bool placed;
};

/* ---- The new statements */

static void put_line(struct editor *editor, const char *text)
{
    klm_buf_text(editor->out, text);
    if (strlen(text) == CARD) { /* a line of exactly 80 would be cut at column 72 */
        klm_buf_text(editor->out, " ");
    }
    klm_buf_text(editor->out, editor->eol);
}

static void put_host(struct editor *editor, const char *name, const char *port_name,
                     const struct parm_ekm_host *host)
{
    char text[STATEMENT_MAX];

    if (!host->host[0]) {
        snprintf(text, sizeof text, "EKM %s=NONE", name);
    } else if (host->ipv6) {
        snprintf(text, sizeof text, "EKM %s=%s,%s=%u", name, host->host, port_name,
                 (unsigned)host->port);
    } else {
        snprintf(text, sizeof text, "EKM %s=%s:%u", name, host->host, (unsigned)host->port);
    }
    put_line(editor, text);
}

static void put_statements(struct editor *editor)
{
    char text[STATEMENT_MAX];

    put_host(editor, "PRIMARY", "PRIPORT", &editor->ekm->primary);
    put_host(editor, "SECONDARY", "SECPORT", &editor->ekm->secondary);
    snprintf(text, sizeof text, "EKM MAXCONN=%u,MAXPCONN=%u", editor->ekm->maxconn,
             editor->ekm->maxpconn);
    put_line(editor, text);
    editor->due = false;
    editor->placed = true;
}

/* ---- The old lines */

/* Two copies of a line: what is statement and what is comment, the rest of each blank. */
struct parts {
    char code[LINE_MAX_HERE], comment[LINE_MAX_HERE];
    size_t n;
};

static void split(struct editor *editor, struct klm_slice line, struct parts *parts)
{
    const char *p = (const char *)line.p;

    parts->n = line.n;
    for (size_t i = 0; i < line.n; i++) {
        bool two = i + 1 < line.n;
        bool begins = !editor->comment && two && p[i] == '/' && p[i + 1] == '*';
        bool ends = editor->comment && two && p[i] == '*' && p[i + 1] == '/';
        bool inside = editor->comment || begins;

        parts->code[i] = inside ? ' ' : p[i];
        parts->comment[i] = inside ? p[i] : ' ';
        if (begins || ends) {
            i++;
            parts->code[i] = ' ';
            parts->comment[i] = p[i];
            editor->comment = begins;
        }
    }
}

static size_t trimmed(const char *p, size_t n)
{
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) {
        n--;
    }
    return n;
}

static bool is_ekm(const char *p, size_t n)
{
    size_t at = 0;

    while (at < n && (p[at] == ' ' || p[at] == '\t')) {
        at++;
    }
    return n - at >= 3 && strncasecmp(p + at, "EKM", 3) == 0 &&
           (n - at == 3 || strchr(" \t,", p[at + 3]));
}

/* An EKM line leaves its comments behind, where they stood. */
static void keep_comment(struct editor *editor, const struct parts *parts)
{
    size_t n = trimmed(parts->comment, parts->n);

    if (n) {
        klm_buf_put(editor->out, parts->comment, n);
        klm_buf_text(editor->out, editor->eol);
    }
}

static void edit_line(struct editor *editor, struct klm_slice line, const char *eol)
{
    bool card = line.n == CARD, go_on = card && line.p[CARD_DATA] != ' ';
    bool in_comment = editor->comment;
    struct parts parts;
    size_t n;

    if (editor->due && !in_comment && !editor->open) {
        put_statements(editor);
    }
    split(editor, KLM_SLICE(line.p, card ? CARD_DATA : line.n), &parts);
    n = trimmed(parts.code, parts.n);
    if (n && !editor->open) {
        editor->ours = is_ekm(parts.code, n);
        editor->due = editor->due || (editor->ours && !editor->placed);
        if (editor->due && !in_comment) {
            put_statements(editor);
        }
    }
    if (n) {
        editor->open = go_on || parts.code[n - 1] == ',';
    }
    if (editor->ours && (n || editor->open)) {
        keep_comment(editor, &parts);
    } else {
        klm_buf_slice(editor->out, line);
        klm_buf_text(editor->out, eol);
    }
    editor->ours = editor->ours && editor->open;
}

static const char *eol_of(struct klm_slice text)
{
    const uint8_t *end = text.n ? memchr(text.p, '\n', text.n) : NULL;

    return end && end > text.p && end[-1] == '\r' ? "\r\n" : "\n";
}

static klm_rc edit_all(struct editor *editor, struct klm_slice text)
{
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct klm_slice line = KLM_SLICE(text.p, end ? (size_t)(end - text.p) : text.n);
        size_t used = line.n + (end != NULL);
        bool cr = line.n && line.p[line.n - 1] == '\r';

        line.n -= cr;
        if (line.n > LINE_MAX_HERE) {
            return KLM_E_LIMIT;
        }
        edit_line(editor, line, cr ? "\r\n" : "\n");
        text = KLM_SLICE(text.p + used, text.n - used);
    }
    if (!editor->placed) {
        put_statements(editor);
    }
    return klm_buf_rc(editor->out);
}

static bool same_host(const struct parm_ekm_host *a, const struct parm_ekm_host *b)
{
    return strcmp(a->host, b->host) == 0 && (!a->host[0] || a->port == b->port);
}

static bool reads_back(struct klm_slice text, const struct parm_ekm *ekm)
{
    struct parm_ekm now;

    parm_ekm_init(&now);
    return parm_ekm_member(text, "new", &now, NULL) == KLM_OK &&
           same_host(&now.primary, &ekm->primary) && same_host(&now.secondary, &ekm->secondary) &&
           now.maxconn == ekm->maxconn && now.maxpconn == ekm->maxpconn;
}

klm_rc ios_member_edit(struct klm_slice text, const struct parm_ekm *ekm, struct klm_buf *out,
                       struct klm_diag *diag)
{
    struct editor editor = {.ekm = ekm, .eol = eol_of(text), .out = out};
    size_t start = out->n;
    klm_rc rc = edit_all(&editor, text);

    if (rc == KLM_OK && !reads_back(KLM_SLICE(out->p + start, out->n - start), ekm)) {
        rc = KLM_E_CORRUPT;
    }
    if (rc != KLM_OK) {
        out->n = start;
        return klm_fail(diag, rc, KLM_MSG_IOS_SETIOS);
    }
    return KLM_OK;
}

klm_rc ios_setios(const char *path, const char *command, struct parm_ekm *out,
                  struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf old;
    KLM_AUTO(klm_buf_done) struct klm_buf new;
    char real[PATH_MAX];
    struct parm_ekm ekm;
    struct stat st;

    klm_buf_init(&old, IOS_MEMBER_MAX);
    klm_buf_init(&new, IOS_MEMBER_MAX + 4096);
    KLM_TRY(klm_file_read(path, IOS_MEMBER_MAX, &old, diag));
    parm_ekm_init(&ekm);
    KLM_TRY(parm_ekm_member(klm_buf_as_slice(&old), path, &ekm, diag));
    KLM_TRY(parm_ekm_setios(command, &ekm, diag));
    KLM_TRY(ios_member_edit(klm_buf_as_slice(&old), &ekm, &new, diag));
    /* A member may be a link into a folder of several systems; the file it leads to is replaced, not the link. */
    if (!realpath(path, real) || stat(real, &st) != 0) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_OPEN, path, "it is gone");
    }
    KLM_TRY(klm_file_replace(real, klm_buf_as_slice(&new), st.st_mode & 07777, diag));
    *out = ekm;
    return KLM_OK;
}
