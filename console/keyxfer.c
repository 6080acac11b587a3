/* KEYXFER WRITE,label,dsn(member) and KEYXFER READ,label,dsn(member)[,OVERWRITE] (isklm reference 6.4); and, of our own, all stored keys behind an alias and the key
 * groups: WRITEKEYS,dsn(member)[,alias], READKEYS,dsn(member), WRITEGROUPS,dsn(member), READGROUPS,dsn(member). */
#include "console/internal.h"

#include <string.h>
#include <strings.h>

#define FILE_MAX 65536

struct words {
    char *word[4];
    size_t n;
};

/* Words by commas; blanks around them do not count. */
static klm_rc split(struct con_run *run, const char *command, struct words *out)
{
    const char *p = command;

    do {
        size_t n;

        p += strspn(p, " \t");
        n = strcspn(p, ",");
        if (out->n == KLM_COUNT(out->word)) {
            return KLM_E_USAGE;
        }
        out->word[out->n] = klm_pool_strn(run->pool, p, n);
        if (!out->word[out->n]) {
            return KLM_E_NOMEM;
        }
        for (char *w = out->word[out->n]; n > 0 && strchr(" \t", w[n - 1]); n--) {
            w[n - 1] = '\0';
        }
        out->n++;
        p += strcspn(p, ",");
    } while (*p++);
    return KLM_OK;
}

static klm_rc make_call(struct con_run *run, enum km_verb_id verb, const char *label,
                        struct km_call **out)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    KLM_TRY(con_call(run, verb, out));
    rc = km_call_set(*out, "label", label, &diag);
    if (rc != KLM_OK) {
        con_refuse_diag(run, KLM_E_USAGE, &diag);
        km_call_free(out);
    }
    return rc;
}

static void write_token(struct con_run *run, const struct words *words)
{
    struct km_call *call;

    if (make_call(run, KM_TOKEN_WRITE, words->word[1], &call) != KLM_OK) {
        return;
    }
    if (km_run_wait(call) == KLM_OK && con_file_write(run, words->word[2], call->bytes) == KLM_OK) {
        con_line(run, klm_pool_printf(run->pool, "KEY TOKEN %s WAS WRITTEN TO %s", words->word[1],
                                      words->word[2]));
    }
    if (call->rc != KLM_OK) {
        con_answer(run, call);
    }
    km_call_free(&call);
}

static void read_token(struct con_run *run, const struct words *words, bool overwrite)
{
    struct km_token_req *req;
    struct km_call *call;
    struct klm_slice file;

    if (make_call(run, KM_TOKEN_READ, words->word[1], &call) != KLM_OK) {
        return; /* who may not read tokens is not told about files either */
    }
    if (con_file_read(run, words->word[2], FILE_MAX, &file) != KLM_OK) {
        km_call_free(&call);
        return;
    }
    req = call->req;
    req->bytes = file; /* lives in the command's pool, longer than the call */
    req->overwrite = overwrite;
    if (km_run_wait(call) == KLM_OK) {
        con_line(run, klm_pool_printf(run->pool, "KEY TOKEN %s WAS READ FROM %s", words->word[1],
                                      words->word[2]));
    } else {
        con_answer(run, call);
    }
    km_call_free(&call);
}

/* ---- All stored keys, all key groups */

/* What the call has to say, and where it came from or went. */
static void say_done(struct con_run *run, const struct km_call *call, const char *how,
                     const char *name)
{
    con_line(run, klm_pool_printf(run->pool, "%s %s %s", call->text ? call->text : "Key groups",
                                  how, name));
}

static void write_set(struct con_run *run, enum km_verb_id verb, const struct words *words)
{
    struct km_call *call;

    if (con_call(run, verb, &call) != KLM_OK) {
        return;
    }
    if (verb == KM_KEYSET_WRITE && words->n == 3) {
        ((struct km_keyset_req *)call->req)->after = words->word[2];
    }
    if (km_run_wait(call) == KLM_OK && con_file_write(run, words->word[1], call->bytes) == KLM_OK) {
        say_done(run, call, "were written to", words->word[1]);
    }
    if (call->rc != KLM_OK) {
        con_answer(run, call);
    }
    km_call_free(&call);
}

static void read_set(struct con_run *run, enum km_verb_id verb, const struct words *words)
{
    struct km_call *call;
    struct klm_slice file;

    if (con_call(run, verb, &call) != KLM_OK) {
        return;
    }
    if (con_file_read(run, words->word[1], km_param_find(verb, "bytes")->max, &file) == KLM_OK) {
        if (verb == KM_KEYSET_READ) {
            ((struct km_keyset_req *)call->req)->bytes = file;
        } else {
            ((struct km_file_req *)call->req)->bytes = file;
        }
        if (km_run_wait(call) == KLM_OK) {
            say_done(run, call, "from", words->word[1]);
        } else {
            con_answer(run, call);
        }
    }
    km_call_free(&call);
}

static const struct set_form {
    const char *word;
    enum km_verb_id verb;
    size_t most; /* words */
    void (*run)(struct con_run *run, enum km_verb_id verb, const struct words *words);
} set_forms[] = {{"WRITEKEYS", KM_KEYSET_WRITE, 3, write_set},
                 {"READKEYS", KM_KEYSET_READ, 2, read_set},
                 {"WRITEGROUPS", KM_GROUPS_WRITE, 2, write_set},
                 {"READGROUPS", KM_GROUPS_READ, 2, read_set}};

static const struct set_form *set_form(const struct words *words)
{
    for (size_t i = 0; i < KLM_COUNT(set_forms); i++) {
        if (words->n >= 2 && words->n <= set_forms[i].most && *words->word[words->n - 1] &&
            *words->word[1] && strcasecmp(words->word[0], set_forms[i].word) == 0) {
            return &set_forms[i];
        }
    }
    return NULL;
}

void con_keyxfer(struct con_run *run, const char *command)
{
    struct words words = {0};
    const struct set_form *form;
    bool overwrite;

    if (split(run, command, &words) != KLM_OK) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_KEYXFER_FORM);
        return;
    }
    form = set_form(&words);
    if (form) {
        form->run(run, form->verb, &words);
        return;
    }
    if (words.n < 3 || !*words.word[1] || !*words.word[2]) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_KEYXFER_FORM);
        return;
    }
    overwrite = words.n == 4 && strcasecmp(words.word[3], "OVERWRITE") == 0;
    if (strcasecmp(words.word[0], "WRITE") == 0 && words.n == 3) {
        write_token(run, &words);
    } else if (strcasecmp(words.word[0], "READ") == 0 && (words.n == 3 || overwrite)) {
        read_token(run, &words, overwrite);
    } else {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_KEYXFER_FORM);
    }
}
