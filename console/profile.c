/* RDEFINE, RALTER, RDELETE, PERMIT, RLIST and SETROPTS in RACF's own syntax: their words become the parameters of a verb. */
#include "console/internal.h"

#include <string.h>
#include <strings.h>

struct words {
    struct racf_word *word;
    size_t n;
};
struct row;
typedef void handler_fn(struct con_run *run, const struct row *row, struct words *words);
static handler_fn define, permit, rlist, setropts;

struct row {
    const char *name, *brief;
    enum km_verb_id verb;
    handler_fn *handler;
    const char *syntax;
};
static const struct row rows[] = {
#define RACF_PROFILE(name, brief, verb, handler, syntax) {name, brief, verb, handler, syntax},
#include "console/profile.def"
#undef RACF_PROFILE
};

/* ---- Names of profiles */

/* A word that is a name: bare, or in quotes. */
static const char *name_of(struct con_run *run, const struct racf_word *word)
{
    const char *value;

    if (word->name) {
        return word->body ? NULL : word->name;
    }
    return racf_value(run, word, &value) == KLM_OK ? racf_upper(run, value) : NULL;
}

/* Two words at *at are one name when the first ends with a period: published examples have a blank there. */
static const char *take_name(struct con_run *run, const struct words *words, size_t *at)
{
    const char *name = *at < words->n ? name_of(run, &words->word[*at]) : NULL;

    *at += name != NULL;
    while (name && *name && name[strlen(name) - 1] == '.' && *at < words->n &&
           words->word[*at].name && !words->word[*at].body) {
        name = klm_pool_printf(run->pool, "%s%s", name, words->word[*at].name);
        ++*at;
    }
    return name;
}

static bool start(struct racf_command *cmd, struct con_run *run, const struct row *row)
{
    *cmd = (struct racf_command){.run = run, .name = row->name, .syntax = row->syntax};
    return con_call(run, row->verb, &cmd->call) == KLM_OK;
}

/* A word that gives a parameter of its own name its value. */
struct simple {
    const char *word, *param;
};

/* Is the word one of them? Then its value is set. */
static klm_rc set_simple(struct racf_command *cmd, const struct racf_word *word,
                         const struct simple *simple, size_t n, bool *is)
{
    *is = false;
    for (size_t i = 0; i < n; i++) {
        if (racf_named(word, simple[i].word)) {
            *is = true;
            return word->body ? racf_set_value(cmd, simple[i].param, word)
                              : racf_set(cmd, simple[i].param, "true");
        }
    }
    return KLM_OK;
}

/* ---- RDEFINE, RALTER, RDELETE */

static klm_rc stdata(struct racf_command *cmd, const struct racf_word *word)
{
    static const struct simple simple[] = {
        {"USER", "user"}, {"GROUP", "group"}, {"TRACE", "trace"}};
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    KLM_TRY(racf_parse(cmd->run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        const char *value;
        bool is = false;

        for (size_t k = 0; k < KLM_COUNT(simple); k++) {
            if (racf_named(&inner[i], simple[k].word)) {
                is = true;
                KLM_TRY(racf_value(cmd->run, &inner[i], &value));
                value = racf_upper(cmd->run, value);
                KLM_TRY(value ? racf_set(cmd, simple[k].param, value) : KLM_E_NOMEM);
            }
        }
        KLM_TRY(is ? KLM_OK : racf_unknown(cmd, &inner[i]));
    }
    return KLM_OK;
}

static klm_rc set_name(struct racf_command *cmd, const char *param, const struct racf_word *word)
{
    const char *value;

    KLM_TRY(racf_value(cmd->run, word, &value));
    value = racf_upper(cmd->run, value);
    return value ? racf_set(cmd, param, value) : KLM_E_NOMEM;
}

static klm_rc define_words(struct racf_command *cmd, enum km_verb_id verb,
                           const struct words *words, size_t from)
{
    for (size_t i = from; i < words->n; i++) {
        const struct racf_word *word = &words->word[i];

        if (verb == KM_PROFILE_DELETE) {
            return racf_unknown(cmd, word);
        }
        if (racf_named(word, "UACC")) {
            KLM_TRY(racf_set_value(cmd, "uacc", word));
        } else if (racf_named(word, "OWNER")) {
            KLM_TRY(set_name(cmd, "owner", word));
        } else {
            KLM_TRY(racf_named(word, "STDATA") ? stdata(cmd, word) : racf_unknown(cmd, word));
        }
    }
    return KLM_OK;
}

/* One profile of those that the command names. */
static bool define_one(struct con_run *run, const struct row *row, const struct words *words,
                       size_t from, const char *profile)
{
    struct racf_command cmd;
    klm_rc rc;

    if (!start(&cmd, run, row)) {
        return false;
    }
    rc = racf_set(&cmd, "class", words->word[0].name);
    if (rc == KLM_OK) {
        rc = racf_set(&cmd, "profile", profile);
    }
    if (rc == KLM_OK) {
        rc = define_words(&cmd, row->verb, words, from);
    }
    racf_finish(&cmd, klm_pool_printf(run->pool, "%s %s", row->name, profile), rc);
    return run->status == 0;
}

static void usage(struct con_run *run, const struct row *row, const char *missing)
{
    struct racf_command cmd = {.run = run, .name = row->name, .syntax = row->syntax};

    (void)racf_missing(&cmd, missing);
}

/* Several profiles in parentheses are defined one after the other, up to the first that fails. */
static void define_list(struct con_run *run, const struct row *row, const struct words *words)
{
    struct racf_word inner[RACF_WORDS_MAX];
    struct words names = {inner, 0};
    const char *name;
    size_t at = 0;

    if (racf_parse(run, words->word[0].body, inner, &names.n) != KLM_OK) {
        return;
    }
    do {
        name = take_name(run, &names, &at);
        if (!name) {
            usage(run, row, "the name of a profile");
            return;
        }
    } while (define_one(run, row, words, 1, name) && at < names.n);
}

/* The grammar takes a list behind the class as the body of its word. */
static void define(struct con_run *run, const struct row *row, struct words *words)
{
    const char *name;
    size_t at = 1;

    if (words->n == 0 || !words->word[0].name) {
        usage(run, row, "the class");
        return;
    }
    if (words->word[0].body) {
        define_list(run, row, words);
        return;
    }
    name = take_name(run, words, &at);
    if (name) {
        (void)define_one(run, row, words, at, name);
    } else if (run->status == 0) {
        usage(run, row, "the name of a profile");
    }
}

/* ---- PERMIT */

static klm_rc permit_words(struct racf_command *cmd, const struct words *words, size_t from)
{
    static const struct simple simple[] = {{"CLASS", "class"},
                                           {"ACCESS", "access"},
                                           {"ACC", "access"},
                                           {"DELETE", "delete"},
                                           {"RESET", "reset"}};

    for (size_t i = from; i < words->n; i++) {
        bool is;

        if (racf_named(&words->word[i], "ID")) {
            KLM_TRY(set_name(cmd, "ids", &words->word[i]));
            continue;
        }
        KLM_TRY(set_simple(cmd, &words->word[i], simple, KLM_COUNT(simple), &is));
        KLM_TRY(is ? KLM_OK : racf_unknown(cmd, &words->word[i]));
    }
    return KLM_OK;
}

static void permit(struct con_run *run, const struct row *row, struct words *words)
{
    struct racf_command cmd;
    size_t at = 0;
    const char *name = take_name(run, words, &at);
    klm_rc rc;

    if (!name) {
        usage(run, row, "the name of a profile");
        return;
    }
    if (!start(&cmd, run, row)) {
        return;
    }
    rc = racf_set(&cmd, "profile", name);
    if (rc == KLM_OK) {
        rc = permit_words(&cmd, words, at);
    }
    racf_finish(&cmd, klm_pool_printf(run->pool, "%s %s", row->name, name), rc);
}

/* ---- RLIST */

static klm_rc rlist_words(struct racf_command *cmd, const struct words *words)
{
    const char *name;
    size_t at = 1;

    if (words->n < 1 || !words->word[0].name || words->word[0].body) {
        return racf_missing(cmd, "the class");
    }
    KLM_TRY(racf_set(cmd, "class", words->word[0].name));
    name = take_name(cmd->run, words, &at);
    KLM_TRY(name ? racf_set(cmd, "profile", name) : racf_missing(cmd, "the name of a profile"));
    for (; at < words->n; at++) { /* all of it is listed anyway */
        if (!racf_named(&words->word[at], "ALL") && !racf_named(&words->word[at], "AUTHUSER")) {
            return racf_unknown(cmd, &words->word[at]);
        }
    }
    return KLM_OK;
}

static void rlist(struct con_run *run, const struct row *row, struct words *words)
{
    struct racf_command cmd;

    if (start(&cmd, run, row)) {
        racf_finish(&cmd, row->name, rlist_words(&cmd, words));
    }
}

/* ---- SETROPTS */

static klm_rc setropts_words(struct racf_command *cmd, const struct words *words)
{
    static const struct simple simple[] = {{"CLASSACT", "classact"}, {"NOCLASSACT", "noclassact"},
                                           {"GENERIC", "generic"},   {"NOGENERIC", "nogeneric"},
                                           {"RACLIST", "raclist"},   {"NORACLIST", "noraclist"}};

    for (size_t i = 0; i < words->n; i++) {
        const struct racf_word *word = &words->word[i];
        bool is;

        if (racf_named(word, "REFRESH") && !word->body) {
            KLM_TRY(racf_set(cmd, "refresh", "true"));
            continue;
        }
        if (!word->body) {
            return racf_unknown(cmd, word);
        }
        KLM_TRY(set_simple(cmd, word, simple, KLM_COUNT(simple), &is));
        KLM_TRY(is ? KLM_OK : racf_unknown(cmd, word));
    }
    return KLM_OK;
}

static void setropts(struct con_run *run, const struct row *row, struct words *words)
{
    struct racf_command cmd;
    struct km_call *call;

    if (words->n == 1 && racf_named(&words->word[0], "LIST") && !words->word[0].body) {
        if (con_call(run, KM_CLASS_LIST, &call) == KLM_OK) {
            con_finish(run, &call);
        }
        return;
    }
    if (start(&cmd, run, row)) {
        racf_finish(&cmd, row->name, setropts_words(&cmd, words));
    }
}

/* ---- Dispatch */

static const struct row *find(const char *command, size_t n)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if ((strlen(rows[i].name) == n && strncasecmp(rows[i].name, command, n) == 0) ||
            (strlen(rows[i].brief) == n && strncasecmp(rows[i].brief, command, n) == 0)) {
            return &rows[i];
        }
    }
    return NULL;
}

klm_rc con_profile(struct con_run *run, const char *command)
{
    const size_t n = strcspn(command, " \t");
    const struct row *row = find(command, n);
    struct racf_word word[RACF_WORDS_MAX];
    struct words words = {word, 0};

    if (!row) {
        return KLM_E_NOTFOUND;
    }
    if (racf_parse(run, command + n, word, &words.n) == KLM_OK) {
        row->handler(run, row, &words);
    }
    return KLM_OK;
}
