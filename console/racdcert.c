/* RACDCERT in RACF's own syntax: one function of the table, for an owner (ID(user), CERTAUTH, SITE), with keywords that become the verb's parameters. */
#include "console/internal.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define CERT_FILE_MAX 65536

struct racdcert {
    struct con_run *run;
    const struct function *function;
    const char *owner;              /* NULL: the user himself */
    const struct racf_word *target; /* the function's own word */
    const struct racf_word *word;   /* all words */
    size_t n;
    struct km_call *call;
};

typedef klm_rc function_fn(struct racdcert *r);
static function_fn ring_function, gencert, connect, list, export_cert, add_cert;

struct function {
    const char *name;
    enum km_verb_id verb;
    function_fn *handler;
    const char *syntax;
};

static const struct function functions[] = {
#define RACDCERT(name, verb, handler, syntax) {name, verb, handler, syntax},
#include "console/racdcert.def"
#undef RACDCERT
};

/* ---- Helpers */

static klm_rc set(struct racdcert *r, const char *param, const char *value)
{
    struct klm_diag diag = {0};
    klm_rc rc = km_call_set(r->call, param, value, &diag);

    if (rc != KLM_OK) {
        con_refuse_diag(r->run, KLM_E_USAGE, &diag);
    }
    return rc;
}

static klm_rc set_value(struct racdcert *r, const char *param, const struct racf_word *word)
{
    const char *value;

    KLM_TRY(racf_value(r->run, word, &value));
    return set(r, param, value);
}

static klm_rc unknown(struct racdcert *r, const struct racf_word *word)
{
    CON_REFUSE(r->run, KLM_E_USAGE, KLM_MSG_RACF_KEYWORD, word->name ? word->name : word->body,
               r->function->name, r->function->syntax);
    return KLM_E_USAGE;
}

/* Owners are user ids in upper case, or the words CERTAUTH and SITE. */
static const char *owner_name(struct con_run *run, const char *value)
{
    char *out = klm_pool_str(run->pool, value);

    for (char *p = out; p && *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return out;
}

/* Is this word an owner? Then *owner is set. */
static klm_rc owner_word(struct con_run *run, const struct racf_word *word, const char **owner,
                         bool *is)
{
    const char *value;

    *is = word->name && (strcmp(word->name, "CERTAUTH") == 0 || strcmp(word->name, "SITE") == 0 ||
                         strcmp(word->name, "ID") == 0);
    if (!*is) {
        return KLM_OK;
    }
    if (strcmp(word->name, "ID") != 0) {
        *owner = word->name;
        return KLM_OK;
    }
    KLM_TRY(racf_value(run, word, &value));
    *owner = owner_name(run, value);
    return *owner ? KLM_OK : KLM_E_NOMEM;
}

static const char *own_name(struct racdcert *r)
{
    return r->owner ? r->owner : owner_name(r->run, r->run->context->actor.name);
}

static bool named(const struct racf_word *word, const char *name)
{
    return word->name && strcmp(word->name, name) == 0;
}

/* ---- Functions */

static klm_rc only_target(struct racdcert *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (&r->word[i] != r->target) {
            return unknown(r, &r->word[i]);
        }
    }
    return KLM_OK;
}

static klm_rc ring_function(struct racdcert *r)
{
    const char *ring;

    KLM_TRY(only_target(r));
    KLM_TRY(set(r, "owner", own_name(r)));
    if (!r->target->body && r->function->verb == KM_RING_LIST) {
        return KLM_OK;
    }
    KLM_TRY(racf_value(r->run, r->target, &ring));
    return strcmp(ring, "*") == 0 && r->function->verb == KM_RING_LIST ? KLM_OK
                                                                       : set(r, "ring", ring);
}

static klm_rc connect(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *cert_owner = own_name(r);
    size_t n = 0;

    KLM_TRY(only_target(r));
    KLM_TRY(set(r, "owner", own_name(r)));
    KLM_TRY(racf_parse(r->run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        bool is_owner;

        KLM_TRY(owner_word(r->run, &inner[i], &cert_owner, &is_owner));
        if (is_owner) {
            continue;
        }
        if (named(&inner[i], "LABEL")) {
            KLM_TRY(set_value(r, "label", &inner[i]));
        } else if (named(&inner[i], "RING")) {
            KLM_TRY(set_value(r, "ring", &inner[i]));
        } else if (named(&inner[i], "USAGE") && r->function->verb == KM_RING_CONNECT) {
            KLM_TRY(set_value(r, "usage", &inner[i]));
        } else if (named(&inner[i], "DEFAULT") && r->function->verb == KM_RING_CONNECT) {
            KLM_TRY(set(r, "default", "true"));
        } else {
            return unknown(r, &inner[i]);
        }
    }
    return set(r, "cert_owner", cert_owner);
}

/* LIST and DELETE: an optional body of LABEL('...'); DELETE takes FORCE. */
static klm_rc list(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (named(&r->word[i], "FORCE") && r->function->verb == KM_CERT_DELETE) {
            KLM_TRY(set(r, "force", "true"));
        } else if (&r->word[i] != r->target) {
            return unknown(r, &r->word[i]);
        }
    }
    KLM_TRY(set(r, "owner", own_name(r)));
    KLM_TRY(racf_parse(r->run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (!named(&inner[i], "LABEL")) {
            return unknown(r, &inner[i]);
        }
        KLM_TRY(set_value(r, "label", &inner[i]));
    }
    return KLM_OK;
}

static klm_rc export_cert(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *dsn = NULL;
    size_t n = 0;
    klm_rc rc;

    KLM_TRY(set(r, "owner", own_name(r)));
    KLM_TRY(racf_parse(r->run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(named(&inner[i], "LABEL") ? set_value(r, "label", &inner[i])
                                          : unknown(r, &inner[i]));
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (named(word, "DSN")) {
            KLM_TRY(racf_value(r->run, word, &dsn));
        } else if (named(word, "FORMAT")) {
            KLM_TRY(set_value(r, "format", word));
        } else if (word != r->target) {
            return unknown(r, word);
        }
    }
    if (!dsn) {
        CON_REFUSE(r->run, KLM_E_USAGE, KLM_MSG_RACF_MISSING, "DSN", r->function->name,
                   r->function->syntax);
        return KLM_E_USAGE;
    }
    rc = km_run_wait(r->call);
    if (rc == KLM_OK) {
        rc = con_file_write(r->run, dsn, r->call->bytes);
        if (rc == KLM_OK) {
            con_line(r->run, klm_pool_printf(r->run->pool, "Certificate exported to %s", dsn));
        }
    } else {
        con_answer(r->run, r->call);
    }
    km_call_free(&r->call);
    return rc;
}

static klm_rc read_bytes(struct racdcert *r, const struct racf_word *word)
{
    struct km_cert_req *req = r->call->req;
    const char *dsn;

    KLM_TRY(racf_value(r->run, word, &dsn));
    return con_file_read(r->run, dsn, CERT_FILE_MAX, &req->bytes);
}

static klm_rc add_cert(struct racdcert *r)
{
    KLM_TRY(set(r, "owner", own_name(r)));
    KLM_TRY(read_bytes(r, r->target));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (named(word, "TRUST") || named(word, "NOTRUST") || named(word, "HIGHTRUST")) {
            KLM_TRY(set(r, "trust", word->name));
        } else if (named(word, "WITHLABEL")) {
            KLM_TRY(set_value(r, "label", word));
        } else if (named(word, "PCICC") || named(word, "ICSF")) {
            KLM_TRY(set_value(r, "token_label", word));
        } else if (word != r->target) {
            return unknown(r, word);
        }
    }
    return KLM_OK;
}

/* ---- GENCERT's keywords */

/* Append "TYPE=value" with the characters escaped that RFC 4514, 2.4 names. */
static klm_rc add_rdn(struct racdcert *r, struct klm_buf *out, const struct racf_word *word)
{
    const char *type = named(word, "T") ? "title" : named(word, "SP") ? "ST" : word->name;
    const char *value;

    KLM_TRY(racf_value(r->run, word, &value));
    klm_buf_printf(out, "%s%s=", out->n ? "," : "", type);
    for (const char *p = value; *p; p++) {
        if (strchr(",+\"\\<>;=", *p) || (p == value && strchr(" #", *p)) || (!p[1] && *p == ' ')) {
            klm_buf_u8(out, '\\');
        }
        klm_buf_u8(out, (uint8_t)*p);
    }
    return klm_buf_rc(out);
}

static klm_rc subject(struct racdcert *r, const struct racf_word *word)
{
    static const char *const types[] = {"CN", "T", "OU", "O", "L", "SP", "C"};
    struct racf_word inner[RACF_WORDS_MAX];
    struct klm_buf out;
    size_t n = 0;
    klm_rc rc;

    KLM_TRY(racf_parse(r->run, word->body ? word->body : "", inner, &n));
    klm_buf_init(&out, 1024);
    rc = KLM_OK;
    for (size_t i = 0; i < n && rc == KLM_OK; i++) {
        bool known = false;

        for (size_t t = 0; t < KLM_COUNT(types); t++) {
            known = known || named(&inner[i], types[t]);
        }
        rc = known ? add_rdn(r, &out, &inner[i]) : unknown(r, &inner[i]);
    }
    if (rc == KLM_OK) {
        const char *text = klm_pool_strn(r->run->pool, (const char *)out.p, out.n);

        rc = set(r, "subject", text ? text : "");
    }
    klm_buf_done(&out);
    return rc;
}

/* Is a text of this form? 9 stands for a digit, '-' also for '/'. */
static bool fits(const char *text, const char *pattern)
{
    for (; *pattern; pattern++, text++) {
        bool ok = *pattern == '9' ? isdigit((unsigned char)*text) != 0
                                  : *text == *pattern || (*pattern == '-' && *text == '/');
        if (!ok) {
            return false;
        }
    }
    return *text == '\0';
}

/* A day and time that exist, from 1970 on. */
static bool read_moment(const char *date, const char *time, time_t *out)
{
    struct tm tm = {0}, same;
    time_t seconds;

    if (!fits(date, "9999-99-99") || !fits(time, "99:99:99")) {
        return false;
    }
    tm.tm_year = (int)strtol(date, NULL, 10) - 1900;
    tm.tm_mon = (int)strtol(date + 5, NULL, 10) - 1;
    tm.tm_mday = (int)strtol(date + 8, NULL, 10);
    tm.tm_hour = (int)strtol(time, NULL, 10);
    tm.tm_min = (int)strtol(time + 3, NULL, 10);
    tm.tm_sec = (int)strtol(time + 6, NULL, 10);
    same = tm;
    seconds = timegm(&same); /* puts right what is no date, so that it differs then */
    if (seconds < 0 || same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday ||
        same.tm_hour != tm.tm_hour || same.tm_min != tm.tm_min || same.tm_sec != tm.tm_sec) {
        return false;
    }
    *out = seconds;
    return true;
}

/* DATE(yyyy-mm-dd) or yyyy/mm/dd, TIME(hh:mm:ss), in UTC. */
static klm_rc moment(struct racdcert *r, const char *param, const struct racf_word *word,
                     const char *default_time)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *date = NULL, *time = default_time;
    time_t seconds;
    size_t n = 0;
    char text[24];

    KLM_TRY(racf_parse(r->run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (named(&inner[i], "DATE")) {
            KLM_TRY(racf_value(r->run, &inner[i], &date));
        } else if (named(&inner[i], "TIME")) {
            KLM_TRY(racf_value(r->run, &inner[i], &time));
        } else {
            return unknown(r, &inner[i]);
        }
    }
    if (!date || !read_moment(date, time, &seconds)) {
        CON_REFUSE(r->run, KLM_E_USAGE, KLM_MSG_RACF_DATE, word->name);
        return KLM_E_USAGE;
    }
    snprintf(text, sizeof text, "%lld", (long long)seconds * 1000000);
    return set(r, param, text);
}

static klm_rc signer(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *owner = own_name(r);
    size_t n = 0;

    KLM_TRY(racf_parse(r->run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        bool is_owner;

        KLM_TRY(owner_word(r->run, &inner[i], &owner, &is_owner));
        if (!is_owner) {
            KLM_TRY(named(&inner[i], "LABEL") ? set_value(r, "sign_label", &inner[i])
                                              : unknown(r, &inner[i]));
        }
    }
    return set(r, "sign_owner", owner);
}

static klm_rc hosts(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *all = NULL, *value;
    size_t n = 0;

    KLM_TRY(racf_parse(r->run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (!named(&inner[i], "DOMAIN") && !named(&inner[i], "IP")) {
            return unknown(r, &inner[i]);
        }
        KLM_TRY(racf_value(r->run, &inner[i], &value));
        all = all ? klm_pool_printf(r->run->pool, "%s,%s", all, value) : value;
    }
    return all ? set(r, "hosts", all) : KLM_OK;
}

/* RSA, NISTECC and the older words for where the key is kept; each may name the key's label. */
static klm_rc key_kind(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    if (named(word, "RSA") || named(word, "NISTECC")) {
        KLM_TRY(set(r, "type", word->name));
        KLM_TRY(racf_parse(r->run, word->body ? word->body : "", inner, &n));
        for (size_t i = 0; i < n; i++) {
            KLM_TRY(named(&inner[i], "PKDS") ? set_value(r, "token_label", &inner[i])
                                             : unknown(r, &inner[i]));
        }
        return KLM_OK;
    }
    return word->body ? set_value(r, "token_label", word) : KLM_OK;
}

static klm_rc keyword(struct racdcert *r, const struct racf_word *word)
{
    static const struct {
        const char *name, *param;
    } simple[] = {{"WITHLABEL", "label"}, {"SIZE", "size"}, {"ROLE", "role"}};

    for (size_t i = 0; i < KLM_COUNT(simple); i++) {
        if (named(word, simple[i].name)) {
            return set_value(r, simple[i].param, word);
        }
    }
    if (named(word, "SUBJECTSDN")) {
        return subject(r, word);
    }
    if (named(word, "NOTBEFORE")) {
        return moment(r, "not_before", word, "00:00:00");
    }
    if (named(word, "NOTAFTER")) {
        return moment(r, "not_after", word, "23:59:59");
    }
    if (named(word, "SIGNWITH")) {
        return signer(r, word);
    }
    if (named(word, "ALTNAME")) {
        return hosts(r, word);
    }
    if (named(word, "RSA") || named(word, "NISTECC") || named(word, "PCICC") ||
        named(word, "ICSF")) {
        return key_kind(r, word);
    }
    return unknown(r, word);
}

static klm_rc gencert(struct racdcert *r)
{
    KLM_TRY(set(r, "owner", own_name(r)));
    if (r->target->body) {
        KLM_TRY(read_bytes(r, r->target));
    }
    for (size_t i = 0; i < r->n; i++) {
        if (&r->word[i] != r->target) {
            KLM_TRY(keyword(r, &r->word[i]));
        }
    }
    return KLM_OK;
}

/* ---- Dispatch */

/* Take the owner off the front and find the function among the words. */
static klm_rc find_function(struct racdcert *r)
{
    bool is_owner = false;

    if (r->n > 0) {
        KLM_TRY(owner_word(r->run, &r->word[0], &r->owner, &is_owner));
    }
    r->word += is_owner;
    r->n -= is_owner;
    for (size_t i = 0; i < r->n; i++) {
        for (size_t f = 0; f < KLM_COUNT(functions); f++) {
            if (named(&r->word[i], functions[f].name)) {
                r->function = &functions[f];
                r->target = &r->word[i];
                return KLM_OK;
            }
        }
    }
    CON_REFUSE(r->run, KLM_E_USAGE, KLM_MSG_RACF_FUNCTION);
    for (size_t f = 0; f < KLM_COUNT(functions); f++) {
        con_line(r->run, klm_pool_printf(r->run->pool, "  %s", functions[f].syntax));
    }
    return KLM_E_USAGE;
}

static void run_call(struct racdcert *r)
{
    struct klm_diag diag = {0};
    klm_rc rc = km_call_check(r->call, &diag);

    if (rc != KLM_OK) {
        con_refuse_diag(r->run, KLM_E_USAGE, &diag);
        con_line(r->run, klm_pool_printf(r->run->pool, "Usage: %s", r->function->syntax));
        km_call_free(&r->call);
        return;
    }
    if (km_run_wait(r->call) == KLM_OK && !r->call->rows.column) {
        con_line(r->run, klm_pool_printf(r->run->pool, "RACDCERT %s processed", r->function->name));
    }
    con_answer(r->run, r->call);
    km_call_free(&r->call);
}

void con_racdcert(struct con_run *run, const char *command)
{
    struct racf_word words[RACF_WORDS_MAX];
    struct racdcert r = {.run = run, .word = words};
    size_t n = 0;

    if (racf_parse(run, command, words, &n) != KLM_OK) {
        return;
    }
    r.n = n;
    if (find_function(&r) != KLM_OK || con_call(run, r.function->verb, &r.call) != KLM_OK) {
        return;
    }
    if (r.function->handler(&r) != KLM_OK) {
        if (run->status == 0) { /* a failure that said nothing */
            CON_REFUSE(run, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the command");
        }
        km_call_free(&r.call);
        return;
    }
    if (r.call) {
        run_call(&r);
    }
}
