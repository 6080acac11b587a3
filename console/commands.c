/* The product's own commands, from one table: options become the verb's parameters. */
#include "console/internal.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct command;
typedef void handler_fn(struct con_run *run, const struct command *command, const char **words,
                        size_t n);
static handler_fn con_backup, con_restore, con_client, con_exit, con_export, con_help, con_import,
    con_login, con_make, con_modconfig, con_secret_data, con_template;

struct command {
    const char *name, *aliases;
    enum km_verb_id verb;
    const char *optional;
    handler_fn *handler;
    const char *syntax, *help;
};

static const struct command commands[] = {
#define CON_COMMAND(name, aliases, verb, optional, handler, syntax, help)                          \
    {name, aliases, verb, optional, handler, syntax, help},
#include "console/commands.def"
#undef CON_COMMAND
};

/* Is name one of a comma separated list? */
static bool in_list(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");

        if (n == len && strncasecmp(p, name, n) == 0) {
            return true;
        }
        p += n;
    }
    return false;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        if (strcasecmp(commands[i].name, name) == 0 || in_list(commands[i].aliases, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

static void usage(struct con_run *run, const struct command *command)
{
    con_line(run, klm_pool_printf(run->pool, "Usage: %s", command->syntax));
    run->status = 2;
}

/* ---- Options to parameters */

static const struct km_param *param_of(enum km_verb_id verb, const char *option)
{
    size_t n;
    const struct km_param *param = km_params(&n);

    if (strcasecmp(option, "v") == 0) {
        option = "verbose";
    }
    for (size_t i = 0; i < n; i++) {
        if (param[i].verb == verb && strcasecmp(param[i].name, option) == 0) {
            return &param[i];
        }
    }
    return NULL;
}

static klm_rc set_bytes(struct con_run *run, struct km_call *call, const struct km_param *param,
                        const char *file)
{
    struct klm_slice bytes, *field = (void *)((char *)call->req + param->offset);

    KLM_TRY(param->flags & KM_P_SECRET ? con_file_private(run, file, param->max, &bytes)
                                       : con_file_read(run, file, param->max, &bytes));
    return klm_pool_slice(call->pool, bytes, field);
}

static klm_rc set_param(struct con_run *run, struct km_call *call, const struct km_param *param,
                        const char *value)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    if (param->type == KM_T_BYTES) {
        return set_bytes(run, call, param, value);
    }
    rc = km_call_set(call, param->name, value, &diag);
    if (rc != KLM_OK) {
        con_refuse_diag(run, KLM_E_USAGE, &diag);
    }
    return rc;
}

/* One option at words[*i]; steps over its value. */
static klm_rc option(struct con_run *run, const struct command *command, struct km_call *call,
                     const char **words, size_t n, size_t *i)
{
    const char *name = words[*i] + 1;
    const struct km_param *param = words[*i][0] == '-' ? param_of(command->verb, name) : NULL;
    bool has_value = *i + 1 < n && words[*i + 1][0] != '-';

    if (!param) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_OPTION_UNKNOWN, words[*i], command->name);
        return KLM_E_USAGE;
    }
    if (param->type == KM_T_FLAG) {
        return set_param(run, call, param, "true");
    }
    if (!has_value && !in_list(command->optional, name)) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_OPTION_VALUE, words[*i], command->name);
        return KLM_E_USAGE;
    }
    *i += has_value;
    return set_param(run, call, param, has_value ? words[*i] : "");
}

static klm_rc options(struct con_run *run, const struct command *command, struct km_call *call,
                      const char **words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        KLM_TRY(option(run, command, call, words, n, &i));
    }
    return KLM_OK;
}

static void finish(struct con_run *run, const struct command *command, struct km_call **call)
{
    size_t before = run->out->n;

    con_finish(run, call);
    if (run->status == 0 && run->out->n == before) { /* an operator wants to see that it was done */
        con_line(run, klm_pool_printf(run->pool, "%s processed", command->name));
    }
}

static void run_verb(struct con_run *run, const struct command *command, const char **words,
                     size_t n)
{
    struct klm_diag diag = {0};
    struct km_call *call;
    klm_rc rc;

    if (con_call(run, command->verb, &call) != KLM_OK) {
        return;
    }
    rc = options(run, command, call, words, n);
    if (rc == KLM_OK) {
        rc = km_call_check(call, &diag);
        if (rc != KLM_OK) {
            con_refuse_diag(run, rc, &diag);
        }
    }
    if (rc != KLM_OK) {
        if (run->status == 2) {
            usage(run, command);
        }
        km_call_free(&call);
        return;
    }
    finish(run, command, &call);
}

/* ---- Commands that are more than their verb */

/* What they are asked for decides which verb they are. */
static void con_backup_verb(struct con_run *run, const struct command *command,
                            enum km_verb_id verb, const char **words, size_t n)
{
    struct command one = *command;

    one.verb = verb;
    run_verb(run, &one, words, n);
}

/* The words without one of them. True: it was there. */
static bool take_word(const char **words, size_t *n, const char *word)
{
    for (size_t i = 1; i < *n; i++) {
        if (strcasecmp(words[i], word) == 0) {
            memmove(&words[i], &words[i + 1], (*n - i - 1) * sizeof *words);
            --*n;
            return true;
        }
    }
    return false;
}

/* The value behind an option, both taken out; NULL: it is not there. */
static const char *take_value(const char **words, size_t *n, const char *word)
{
    for (size_t i = 1; i + 1 < *n; i++) {
        if (strcasecmp(words[i], word) == 0) {
            const char *value = words[i + 1];

            memmove(&words[i], &words[i + 2], (*n - i - 2) * sizeof *words);
            *n -= 2;
            return value;
        }
    }
    return NULL;
}

/* A password that a command needs, and is never a word of. */
struct secret {
    const char *prompt;
    enum klm_msg_id none; /* says why there is none */
    bool twice;           /* it is new */
    bool optional;        /* nobody is asked unless the command says so */
};

/* The password: from a file, or asked for. Not set where it is optional and the command asks for none. */
static klm_rc get_secret(struct con_run *run, const struct secret *secret, const char *file,
                         bool ask, const char **out)
{
    struct klm_buf typed;
    klm_rc rc = KLM_E_USAGE;

    if (file) {
        return con_file_secret(run, file, 4096, out);
    }
    if (secret->optional && !ask) {
        return KLM_OK;
    }
    klm_buf_init_wiping(&typed, 4096);
    if (run->context->ask) {
        rc = run->context->ask(run->context->ask_arg, secret->prompt, secret->twice, &typed);
    }
    if (rc == KLM_OK) {
        *out = klm_pool_strn(run->pool, (const char *)typed.p, typed.n);
        rc = *out ? KLM_OK : KLM_E_NOMEM;
    } else {
        CON_REFUSE(run, rc, secret->none,
                   rc == KLM_E_USAGE ? "nothing was typed, the two were not the same, or there is "
                                       "no terminal to ask on"
                                     : klm_rc_text(rc));
    }
    klm_buf_done(&typed);
    return rc;
}

static klm_rc set_secret(struct con_run *run, struct km_call *call, const struct secret *secret,
                         const char *file, bool ask)
{
    const char *password = NULL;
    struct klm_diag diag = {0};
    klm_rc rc;

    KLM_TRY(get_secret(run, secret, file, ask, &password));
    if (!password) {
        return KLM_OK;
    }
    rc = km_call_set(call, "password", password, &diag);
    if (rc != KLM_OK) {
        con_refuse_diag(run, KLM_E_USAGE, &diag);
    }
    return rc;
}

static bool has_word(const char **words, size_t n, const char *word)
{
    for (size_t i = 1; i < n; i++) {
        if (strcasecmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* A verb with a password: -passwordfile FILE or -ask. */
static void run_with_secret(struct con_run *run, const struct command *command,
                            const struct secret *secret, const char **words, size_t n)
{
    const char *file = take_value(words, &n, "-passwordfile");
    const bool ask = take_word(words, &n, "-ask");
    struct klm_diag diag = {0};
    struct km_call *call;
    klm_rc rc;

    if (has_word(words, n, "-password")) {
        CON_REFUSE(run, KLM_E_USAGE, secret->none, "it is never a word of a command");
        return;
    }
    if (con_call(run, command->verb, &call) != KLM_OK) {
        return;
    }
    rc = options(run, command, call, words, n);
    if (rc == KLM_OK && km_call_check(call, &diag) != KLM_OK) {
        con_refuse_diag(run, KLM_E_USAGE, &diag);
        rc = KLM_E_USAGE;
    }
    if (rc == KLM_OK) {
        rc = set_secret(run, call, secret, file, ask);
    }
    if (rc != KLM_OK) {
        km_call_free(&call);
        return;
    }
    finish(run, command, &call);
}

/* Without a word about it, the password is that of the file of the configuration, where it names one. */
static void backup_start(struct con_run *run, const struct command *command, enum km_verb_id verb,
                         const char **words, size_t n)
{
    struct km_state *state = km_state_get(run->context->server);
    const struct secret secret = {
        .prompt = "Password of the backup",
        .none = KLM_MSG_BK_PASSWORD_ASK,
        .twice = verb == KM_BACKUP_RUN,
        .optional = parm_str(state->config, PARM_tklm_backup_secret_file) != NULL ||
                    has_word(words, n, "-token")};
    struct command one = *command;

    km_state_put(&state);
    one.verb = verb;
    run_with_secret(run, &one, &secret, words, n);
}

static void con_client(struct con_run *run, const struct command *command, const char **words,
                       size_t n)
{
    static const struct secret secret = {.prompt = "Password of the client",
                                         .none = KLM_MSG_CLIENT_PASSWORD_ASK,
                                         .twice = true,
                                         .optional = true};

    run_with_secret(run, command, &secret, words, n);
}

/* Lists and deletions of one type of object alone. */
static void run_typed(struct con_run *run, const struct command *command, const char *type,
                      const char **words, size_t n)
{
    const char *more[CON_WORDS_MAX + 2];

    memcpy(more, words, n * sizeof *more);
    more[n] = "-type";
    more[n + 1] = type;
    run_verb(run, command, more, n + 2);
}

static void con_secret_data(struct con_run *run, const struct command *command, const char **words,
                            size_t n)
{
    run_typed(run, command, "SecretData", words, n);
}

static void con_template(struct con_run *run, const struct command *command, const char **words,
                         size_t n)
{
    run_typed(run, command, "Template", words, n);
}

/* ---- Keys in numbers: one change makes some of them, and is repeated for the rest */

#define TELL_US (10LL * 1000000) /* a long command says how far it is this often */

struct numbers {
    int64_t total, done;
    char first[KLM_ALIAS_MAX + 1], last[KLM_ALIAS_MAX + 1];
    klm_time told;
};

static void take_made(struct numbers *numbers, const struct km_objects_make *req)
{
    if (numbers->done == 0) {
        memcpy(numbers->first, req->first, sizeof numbers->first);
    }
    memcpy(numbers->last, req->last, sizeof numbers->last);
    numbers->done += (int64_t)req->n;
    if (numbers->done < numbers->total && klm_clock() - numbers->told >= TELL_US) {
        klm_say(KLM_MSG_ADMIN_MAKING, KLM_NUM(numbers->done), KLM_NUM(numbers->total),
                req->client ? req->client : req->group);
        numbers->told = klm_clock();
    }
}

/* KLM_OK: go on, if there are more to make. */
static klm_rc make_some(struct con_run *run, const struct command *command, struct numbers *numbers,
                        const char **words, size_t n)
{
    struct klm_diag diag = {0};
    struct km_objects_make *req;
    struct km_call *call;
    klm_rc rc = con_call(run, command->verb, &call);

    if (rc != KLM_OK) {
        return rc;
    }
    rc = options(run, command, call, words, n);
    if (rc == KLM_OK && (rc = km_call_check(call, &diag)) != KLM_OK) {
        con_refuse_diag(run, rc, &diag);
    }
    if (rc == KLM_OK) {
        req = call->req;
        numbers->total = req->count > 0 ? req->count : 1;
        req->count = numbers->total - numbers->done;
        rc = km_run_wait(call);
        if (rc == KLM_OK) {
            take_made(numbers, req);
        } else {
            con_answer(run, call);
        }
    }
    km_call_free(&call);
    return rc;
}

static void con_make(struct con_run *run, const struct command *command, const char **words,
                     size_t n)
{
    struct numbers numbers = {.told = klm_clock()};
    klm_rc rc;

    do {
        rc = make_some(run, command, &numbers, words, n);
    } while (rc == KLM_OK && numbers.done < numbers.total);
    if (numbers.done > 0) {
        con_line(run,
                 klm_pool_printf(run->pool, "%lld of %lld made: %s to %s", (long long)numbers.done,
                                 (long long)numbers.total, numbers.first, numbers.last));
    } else if (run->status == 2) {
        usage(run, command);
    }
}

static void con_backup(struct con_run *run, const struct command *command, const char **words,
                       size_t n)
{
    static const struct {
        const char *word;
        enum km_verb_id verb;
    } others[] = {
        {"-status", KM_BACKUP_PROGRESS}, {"-cancel", KM_BACKUP_CANCEL}, {"-list", KM_BACKUP_LIST}};

    for (size_t i = 0; i < KLM_COUNT(others); i++) {
        if (take_word(words, &n, others[i].word)) {
            con_backup_verb(run, command, others[i].verb, words, n);
            return;
        }
    }
    backup_start(run, command, KM_BACKUP_RUN, words, n);
}

static void con_restore(struct con_run *run, const struct command *command, const char **words,
                        size_t n)
{
    if (take_word(words, &n, "-check")) {
        backup_start(run, command, KM_BACKUP_CHECK, words, n);
    } else if (take_word(words, &n, "-confirm")) {
        con_backup_verb(run, command, KM_RESTORE_CONFIRM, words, n);
    } else {
        backup_start(run, command, KM_RESTORE_REQUEST, words, n);
    }
}

static void con_exit(struct con_run *run, const struct command *command, const char **words,
                     size_t n)
{
    (void)command, (void)words, (void)n;
    con_line(run, "exit command received; the task goes on (P ISKLM stops it)");
}

static void con_login(struct con_run *run, const struct command *command, const char **words,
                      size_t n)
{
    (void)command, (void)words, (void)n;
    con_line(run, klm_pool_printf(run->pool, "You are %s; no login is needed on this console",
                                  run->context->actor.name));
}

static void con_help(struct con_run *run, const struct command *command, const char **words,
                     size_t n)
{
    const struct command *one = n > 1 ? find(words[1]) : NULL;

    (void)command;
    if (n > 1 && !one) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_COMMAND_UNKNOWN, words[1]);
        return;
    }
    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        if (one == &commands[i]) {
            con_line(run, one->syntax);
            con_line(run, klm_pool_printf(run->pool, "  %s", one->help));
        } else if (!one) {
            con_line(run,
                     klm_pool_printf(run->pool, "%-20s%s", commands[i].name, commands[i].help));
        }
    }
    if (!one) {
        con_line(run, "help COMMAND shows the options of a command");
    }
}

/* Which of -drivetab and -config, and the options both have. */
struct transfer {
    bool drivetab, config, merge, rewrite;
    const char *url;
};

static klm_rc transfer_options(struct con_run *run, const struct command *command,
                               const char **words, size_t n, struct transfer *out)
{
    for (size_t i = 1; i < n; i++) {
        if (strcasecmp(words[i], "-drivetab") == 0) {
            out->drivetab = true;
        } else if (strcasecmp(words[i], "-config") == 0) {
            out->config = true;
        } else if (strcasecmp(words[i], "-merge") == 0) {
            out->merge = true;
        } else if (strcasecmp(words[i], "-rewrite") == 0) {
            out->rewrite = true;
        } else if (strcasecmp(words[i], "-url") == 0 && i + 1 < n) {
            out->url = words[++i];
        } else {
            CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_OPTION_UNKNOWN, words[i], command->name);
            return KLM_E_USAGE;
        }
    }
    if (out->drivetab == out->config || !out->url) {
        usage(run, command);
        return KLM_E_USAGE;
    }
    return KLM_OK;
}

static void con_export(struct con_run *run, const struct command *command, const char **words,
                       size_t n)
{
    struct transfer t = {0};
    struct km_call *call;

    if (transfer_options(run, command, words, n, &t) != KLM_OK) {
        return;
    }
    if (t.merge || t.rewrite) {
        usage(run, command);
        return;
    }
    if (con_call(run, t.drivetab ? KM_DRIVE_EXPORT : KM_CONFIG_EXPORT, &call) != KLM_OK) {
        return;
    }
    if (km_run_wait(call) == KLM_OK && con_file_write(run, t.url, call->bytes) == KLM_OK) {
        con_line(run, klm_pool_printf(run->pool, "Exported to %s", t.url));
    }
    if (call->rc != KLM_OK) {
        con_answer(run, call);
    }
    km_call_free(&call);
}

static void con_import(struct con_run *run, const struct command *command, const char **words,
                       size_t n)
{
    enum km_verb_id verb;
    const struct km_param *param;
    struct transfer t = {0};
    struct km_call *call;

    if (transfer_options(run, command, words, n, &t) != KLM_OK) {
        return;
    }
    if (t.merge == t.rewrite) {
        usage(run, command);
        return;
    }
    verb = t.drivetab ? KM_DRIVE_IMPORT : KM_CONFIG_IMPORT;
    param = param_of(verb, "bytes");
    if (con_call(run, verb, &call) != KLM_OK) {
        return;
    }
    ((struct km_file_req *)call->req)->rewrite = t.rewrite;
    if (set_bytes(run, call, param, t.url) != KLM_OK) {
        km_call_free(&call);
        return;
    }
    con_finish(run, &call);
}

static void con_modconfig(struct con_run *run, const struct command *command, const char **words,
                          size_t n)
{
    const char *kept[CON_WORDS_MAX];
    size_t used = 0;
    bool set = false;

    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(words[i], "-set") == 0) {
            set = true; /* the verb's own default */
        } else {
            kept[used++] = words[i];
        }
    }
    for (size_t i = 0; set && i < used; i++) {
        if (strcasecmp(kept[i], "-unset") == 0) {
            usage(run, command);
            return;
        }
    }
    run_verb(run, command, kept, used);
}

void con_appl(struct con_run *run, const char *text)
{
    const char *words[CON_WORDS_MAX];
    const struct command *command;
    size_t n = 0;

    if (con_words(run, text, words, &n) != KLM_OK) {
        return;
    }
    command = n > 0 ? find(words[0]) : NULL;
    if (!command) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_COMMAND_UNKNOWN, n > 0 ? words[0] : "");
        return;
    }
    if (command->handler) {
        command->handler(run, command, words, n);
    } else {
        run_verb(run, command, words, n);
    }
}
