/* The message table and how a message becomes a line. */
#include "base/msg.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define INSERT_MAX 256 /* bytes of one argument that are shown */

static struct klm_msg table[] = {
    {"KLM0000I", 'I', "No message", "Nothing was said.", "None.", 0},
#define KLM_MSG(name, number, severity, text, explain, action)                                     \
    {NULL, severity, text, explain, action, 0},
#include "base/msg.def"
#undef KLM_MSG
};

static const unsigned numbers[] = {
    0,
#define KLM_MSG(name, number, severity, text, explain, action) number,
#include "base/msg.def"
#undef KLM_MSG
};

static char ids[KLM_COUNT(table)][12];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The number in an insert "{n}" at s, or -1. */
static int insert_at(const char *s)
{
    return s[0] == '{' && s[1] >= '0' && s[1] <= '9' && s[2] == '}' ? s[1] - '0' : -1;
}

/* What is worked out from the rows: identifiers and numbers of inserts. */
static void table_init(void)
{
    for (size_t i = 0; i < KLM_COUNT(table); i++) {
        snprintf(ids[i], sizeof ids[i], "KLM%04u%c", numbers[i] % 10000, table[i].severity);
        table[i].id = ids[i];
        for (const char *s = table[i].text; *s; s++) {
            if (insert_at(s) >= (int)table[i].inserts) {
                table[i].inserts = (unsigned)insert_at(s) + 1;
            }
        }
    }
}

const struct klm_msg *klm_msg(enum klm_msg_id id)
{
    pthread_once(&once, table_init);
    return &table[(size_t)id < KLM_COUNT(table) ? (size_t)id : 0];
}

enum klm_msg_id klm_msg_find(const char *id)
{
    pthread_once(&once, table_init);
    for (size_t i = 1; i < KLM_COUNT(table); i++) {
        if (strcmp(ids[i], id) == 0) {
            return (enum klm_msg_id)i;
        }
    }
    return KLM_MSG_NONE;
}

const char *klm_num_(int64_t n, char out[24])
{
    snprintf(out, 24, "%" PRId64, n);
    return out;
}

/* Length of the UTF-8 character at s when it may be shown, else 0: control characters (C0, DEL and
 * C1, which terminals obey) and bytes that are no UTF-8 (RFC 3629, section 4). */
static size_t shown(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    unsigned low = 0x80, high = 0xbf;
    size_t n;

    if (u[0] < 0x80) {
        return u[0] >= 0x20 && u[0] != 0x7f;
    }
    if (u[0] < 0xc2 || u[0] > 0xf4) {
        return 0;
    }
    n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    low = u[0] == 0xc2 || u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : low;
    high = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : high;
    if (u[1] < low || u[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

struct line {
    char *p;
    size_t n, cap; /* cap without the NUL */
};

/* Whole characters only; false when it does not fit. */
static bool line_put(struct line *line, const char *s, size_t n)
{
    if (n > line->cap - line->n) {
        line->cap = line->n;
        return false;
    }
    memcpy(line->p + line->n, s, n);
    line->n += n;
    return true;
}

static void line_put_insert(struct line *line, const char *arg)
{
    size_t used = 0;

    while (*arg) {
        size_t n = shown(arg);
        size_t step = n ? n : 1;

        if (used + step > INSERT_MAX) {
            line_put(line, "...", 3);
            return;
        }
        line_put(line, n ? arg : ".", step);
        used += step;
        arg += step;
    }
}

char *klm_msg_format(enum klm_msg_id id, const char *const *args, char *out, size_t cap)
{
    const struct klm_msg *msg = klm_msg(id);
    struct line line = {out, 0, cap ? cap - 1 : 0};
    size_t args_n = 0;

    if (cap == 0) {
        return out;
    }
    while (args && args_n < msg->inserts && args[args_n]) {
        args_n++;
    }
    line_put(&line, msg->id, strlen(msg->id));
    line_put(&line, " ", 1);
    for (const char *s = msg->text; *s;) {
        int insert = insert_at(s);
        size_t n = shown(s);

        if (insert >= 0) {
            line_put_insert(&line, (size_t)insert < args_n ? args[insert] : "?");
            s += 3;
        } else {
            line_put(&line, n ? s : ".", n ? n : 1);
            s += n ? n : 1;
        }
    }
    out[line.n] = '\0';
    return out;
}

const char *klm_msg_sentence(enum klm_msg_id id, const char *text)
{
    const char *begin = klm_msg(id)->id;
    size_t n = strlen(begin);

    return strncmp(text, begin, n) == 0 && text[n] == ' ' ? text + n + 1 : text;
}

void klm_diag_fill_(struct klm_diag *diag, enum klm_msg_id id, const char *const *args)
{
    if (diag) {
        diag->msg = id;
        klm_msg_format(id, args, diag->text, sizeof diag->text);
    }
}
