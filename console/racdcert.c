/* RACDCERT in RACF's own syntax: one function of the table, for an owner (ID(user), CERTAUTH, SITE), with keywords that become the verb's parameters. */
#include "console/racdcert.h"

#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static con_racdcert_fn ring_function, gencert, connect, list, alter, rekey, rollover;

struct function {
    const char *name;
    enum km_verb_id verb;
    con_racdcert_fn *handler;
    const char *syntax;
};

static const struct function functions[] = {
#define RACDCERT(name, verb, handler, syntax) {name, verb, handler, syntax},
#include "console/racdcert.def"
#undef RACDCERT
};

/* ---- Helpers */

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
    *owner = racf_upper(run, value);
    return *owner ? KLM_OK : KLM_E_NOMEM;
}

const char *con_racdcert_owner(const struct racdcert *r)
{
    return r->owner ? r->owner : racf_upper(r->cmd.run, r->cmd.run->context->actor.name);
}

/* ---- Functions */

static klm_rc only_target(struct racdcert *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (&r->word[i] != r->target) {
            return racf_unknown(&r->cmd, &r->word[i]);
        }
    }
    return KLM_OK;
}

static klm_rc ring_function(struct racdcert *r)
{
    const char *ring;

    KLM_TRY(only_target(r));
    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    if (!r->target->body && r->function->verb == KM_RING_LIST) {
        return KLM_OK;
    }
    KLM_TRY(racf_value(r->cmd.run, r->target, &ring));
    return strcmp(ring, "*") == 0 && r->function->verb == KM_RING_LIST
               ? KLM_OK
               : racf_set(&r->cmd, "ring", ring);
}

static klm_rc connect(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *cert_owner = con_racdcert_owner(r);
    size_t n = 0;

    KLM_TRY(only_target(r));
    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    KLM_TRY(racf_parse(r->cmd.run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        bool is_owner;

        KLM_TRY(owner_word(r->cmd.run, &inner[i], &cert_owner, &is_owner));
        if (is_owner) {
            continue;
        }
        if (racf_named(&inner[i], "LABEL")) {
            KLM_TRY(racf_set_value(&r->cmd, "label", &inner[i]));
        } else if (racf_named(&inner[i], "RING")) {
            KLM_TRY(racf_set_value(&r->cmd, "ring", &inner[i]));
        } else if (racf_named(&inner[i], "USAGE") && r->function->verb == KM_RING_CONNECT) {
            KLM_TRY(racf_set_value(&r->cmd, "usage", &inner[i]));
        } else if (racf_named(&inner[i], "DEFAULT") && r->function->verb == KM_RING_CONNECT) {
            KLM_TRY(racf_set(&r->cmd, "default", "true"));
        } else {
            return racf_unknown(&r->cmd, &inner[i]);
        }
    }
    return racf_set(&r->cmd, "cert_owner", cert_owner);
}

/* LIST and DELETE: an optional body of LABEL('...'); DELETE takes FORCE. */
static klm_rc list(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (racf_named(&r->word[i], "FORCE") && r->function->verb == KM_CERT_DELETE) {
            KLM_TRY(racf_set(&r->cmd, "force", "true"));
        } else if (&r->word[i] != r->target) {
            return racf_unknown(&r->cmd, &r->word[i]);
        }
    }
    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    KLM_TRY(racf_parse(r->cmd.run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (!racf_named(&inner[i], "LABEL")) {
            return racf_unknown(&r->cmd, &inner[i]);
        }
        KLM_TRY(racf_set_value(&r->cmd, "label", &inner[i]));
    }
    return KLM_OK;
}

/* ALTER(LABEL('...')), REKEY and ROLLOVER: the label in the body, the rest behind. */
klm_rc con_racdcert_label(struct racdcert *r)
{
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    KLM_TRY(racf_parse(r->cmd.run, r->target->body ? r->target->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(racf_named(&inner[i], "LABEL") ? racf_set_value(&r->cmd, "label", &inner[i])
                                               : racf_unknown(&r->cmd, &inner[i]));
    }
    return KLM_OK;
}

static klm_rc alter(struct racdcert *r)
{
    KLM_TRY(con_racdcert_label(r));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (racf_named(word, "TRUST") || racf_named(word, "NOTRUST") ||
            racf_named(word, "HIGHTRUST")) {
            KLM_TRY(racf_set(&r->cmd, "trust", word->name));
        } else if (racf_named(word, "NEWLABEL")) {
            KLM_TRY(racf_set_value(&r->cmd, "new_label", word));
        } else if (word != r->target) {
            return racf_unknown(&r->cmd, word);
        }
    }
    return KLM_OK;
}

static klm_rc rollover(struct racdcert *r)
{
    KLM_TRY(con_racdcert_label(r));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (racf_named(word, "NEWLABEL")) {
            KLM_TRY(racf_set_value(&r->cmd, "new_label", word));
        } else if (racf_named(word, "FORCE")) {
            KLM_TRY(racf_set(&r->cmd, "force", "true"));
        } else if (word != r->target) {
            return racf_unknown(&r->cmd, word);
        }
    }
    return KLM_OK;
}

/* ---- GENCERT's keywords */

/* Append "TYPE=value" with the characters escaped that RFC 4514, 2.4 names. */
static klm_rc add_rdn(struct racdcert *r, struct klm_buf *out, const struct racf_word *word)
{
    const char *type = racf_named(word, "T") ? "title" : racf_named(word, "SP") ? "ST" : word->name;
    const char *value;

    KLM_TRY(racf_value(r->cmd.run, word, &value));
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

    KLM_TRY(racf_parse(r->cmd.run, word->body ? word->body : "", inner, &n));
    klm_buf_init(&out, 1024);
    rc = KLM_OK;
    for (size_t i = 0; i < n && rc == KLM_OK; i++) {
        bool known = false;

        for (size_t t = 0; t < KLM_COUNT(types); t++) {
            known = known || racf_named(&inner[i], types[t]);
        }
        rc = known ? add_rdn(r, &out, &inner[i]) : racf_unknown(&r->cmd, &inner[i]);
    }
    if (rc == KLM_OK) {
        const char *text = klm_pool_strn(r->cmd.run->pool, (const char *)out.p, out.n);

        rc = racf_set(&r->cmd, "subject", text ? text : "");
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

    KLM_TRY(racf_parse(r->cmd.run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (racf_named(&inner[i], "DATE")) {
            KLM_TRY(racf_value(r->cmd.run, &inner[i], &date));
        } else if (racf_named(&inner[i], "TIME")) {
            KLM_TRY(racf_value(r->cmd.run, &inner[i], &time));
        } else {
            return racf_unknown(&r->cmd, &inner[i]);
        }
    }
    if (!date || !read_moment(date, time, &seconds)) {
        CON_REFUSE(r->cmd.run, KLM_E_USAGE, KLM_MSG_RACF_DATE, word->name);
        return KLM_E_USAGE;
    }
    snprintf(text, sizeof text, "%lld", (long long)seconds * 1000000);
    return racf_set(&r->cmd, param, text);
}

static klm_rc signer(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *owner = con_racdcert_owner(r);
    size_t n = 0;

    KLM_TRY(racf_parse(r->cmd.run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        bool is_owner;

        KLM_TRY(owner_word(r->cmd.run, &inner[i], &owner, &is_owner));
        if (!is_owner) {
            KLM_TRY(racf_named(&inner[i], "LABEL")
                        ? racf_set_value(&r->cmd, "sign_label", &inner[i])
                        : racf_unknown(&r->cmd, &inner[i]));
        }
    }
    return racf_set(&r->cmd, "sign_owner", owner);
}

static klm_rc hosts(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    const char *all = NULL, *value;
    size_t n = 0;

    KLM_TRY(racf_parse(r->cmd.run, word->body ? word->body : "", inner, &n));
    for (size_t i = 0; i < n; i++) {
        if (!racf_named(&inner[i], "DOMAIN") && !racf_named(&inner[i], "IP")) {
            return racf_unknown(&r->cmd, &inner[i]);
        }
        KLM_TRY(racf_value(r->cmd.run, &inner[i], &value));
        all = all ? klm_pool_printf(r->cmd.run->pool, "%s,%s", all, value) : value;
    }
    return all ? racf_set(&r->cmd, "hosts", all) : KLM_OK;
}

/* RSA, NISTECC and the older words for where the key is kept; each may name the key's label. */
static klm_rc key_kind(struct racdcert *r, const struct racf_word *word)
{
    struct racf_word inner[RACF_WORDS_MAX];
    size_t n = 0;

    if (racf_named(word, "RSA") || racf_named(word, "NISTECC")) {
        KLM_TRY(racf_set(&r->cmd, "type", word->name));
        KLM_TRY(racf_parse(r->cmd.run, word->body ? word->body : "", inner, &n));
        for (size_t i = 0; i < n; i++) {
            KLM_TRY(racf_named(&inner[i], "PKDS")
                        ? racf_set_value(&r->cmd, "token_label", &inner[i])
                        : racf_unknown(&r->cmd, &inner[i]));
        }
        return KLM_OK;
    }
    return word->body ? racf_set_value(&r->cmd, "token_label", word) : KLM_OK;
}

static klm_rc keyword(struct racdcert *r, const struct racf_word *word)
{
    static const struct {
        const char *name, *param;
    } simple[] = {{"WITHLABEL", "label"}, {"SIZE", "size"}, {"ROLE", "role"}};

    for (size_t i = 0; i < KLM_COUNT(simple); i++) {
        if (racf_named(word, simple[i].name)) {
            return racf_set_value(&r->cmd, simple[i].param, word);
        }
    }
    if (racf_named(word, "SUBJECTSDN")) {
        return subject(r, word);
    }
    if (racf_named(word, "NOTBEFORE")) {
        return moment(r, "not_before", word, "00:00:00");
    }
    if (racf_named(word, "NOTAFTER")) {
        return moment(r, "not_after", word, "23:59:59");
    }
    if (racf_named(word, "SIGNWITH")) {
        return signer(r, word);
    }
    if (racf_named(word, "ALTNAME")) {
        return hosts(r, word);
    }
    if (racf_named(word, "HARDWARE")) {
        return racf_set(&r->cmd, "hardware", "");
    }
    if (racf_named(word, "RSA") || racf_named(word, "NISTECC") || racf_named(word, "PCICC") ||
        racf_named(word, "ICSF")) {
        return key_kind(r, word);
    }
    return racf_unknown(&r->cmd, word);
}

static klm_rc rekey(struct racdcert *r)
{
    KLM_TRY(con_racdcert_label(r));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (racf_named(word, "WITHLABEL")) {
            KLM_TRY(racf_set_value(&r->cmd, "new_label", word));
        } else if (racf_named(word, "SIZE")) {
            KLM_TRY(racf_set_value(&r->cmd, "size", word));
        } else if (racf_named(word, "NOTAFTER")) {
            KLM_TRY(moment(r, "not_after", word, "23:59:59"));
        } else if (racf_named(word, "PCICC") || racf_named(word, "ICSF")) {
            KLM_TRY(racf_set_value(&r->cmd, "token_label", word));
        } else if (word != r->target) {
            return racf_unknown(&r->cmd, word);
        }
    }
    return KLM_OK;
}

static klm_rc gencert(struct racdcert *r)
{
    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    if (r->target->body) {
        KLM_TRY(con_racdcert_file(r, r->target));
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
        KLM_TRY(owner_word(r->cmd.run, &r->word[0], &r->owner, &is_owner));
    }
    r->word += is_owner;
    r->n -= is_owner;
    for (size_t i = 0; i < r->n; i++) {
        for (size_t f = 0; f < KLM_COUNT(functions); f++) {
            if (racf_named(&r->word[i], functions[f].name)) {
                r->function = &functions[f];
                r->cmd.name = functions[f].name;
                r->cmd.syntax = functions[f].syntax;
                r->target = &r->word[i];
                return KLM_OK;
            }
        }
    }
    CON_REFUSE(r->cmd.run, KLM_E_USAGE, KLM_MSG_RACF_FUNCTION);
    for (size_t f = 0; f < KLM_COUNT(functions); f++) {
        con_line(r->cmd.run, klm_pool_printf(r->cmd.run->pool, "  %s", functions[f].syntax));
    }
    return KLM_E_USAGE;
}

void con_racdcert(struct con_run *run, const char *command)
{
    struct racf_word words[RACF_WORDS_MAX];
    struct racdcert r = {.cmd.run = run, .word = words};
    size_t n = 0;

    if (racf_parse(run, command, words, &n) != KLM_OK) {
        return;
    }
    r.n = n;
    if (find_function(&r) != KLM_OK || con_call(run, r.function->verb, &r.cmd.call) != KLM_OK) {
        return;
    }
    racf_finish(&r.cmd, klm_pool_printf(run->pool, "RACDCERT %s", r.cmd.name),
                r.function->handler(&r));
}
