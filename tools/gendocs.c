/* Writes one manual from the tables: `gendocs messages|properties|verbs|audit` prints Markdown. The tables are the sources of
 * the manuals, so nothing can be in one and not in the other. */
#include "base/msg.h"
#include "keymgr/km.h"
#include "parmlib/parm.h"
#include "smf/smf.h"

#include <stdio.h>
#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct message {
    unsigned number;
    char severity;
    const char *text, *explain, *action;
};
struct code {
    unsigned code;
    const char *group, *meaning, *action;
};
struct verb {
    enum km_verb_id id;
    const char *name;
    enum km_right right;
    unsigned flags;
    const char *event, *help;
};
struct right {
    const char *name, *text;
    unsigned roles;
};
struct param {
    enum km_verb_id verb;
    const char *name;
    enum km_type type;
    unsigned long max;
    unsigned flags;
    const char *help;
};
struct field {
    unsigned number, max;
    const char *name, *what;
};
struct kind {
    const char *title, *type, *keyword;
};

static const struct message messages[] = {
#define KLM_MSG(name, number, severity, text, explain, action) {number, severity, text, explain, action},
#include "base/msg.def"
#undef KLM_MSG
};
static const struct code codes[] = {
#define KX_CODE(code, group, meaning, action) {code, group, meaning, action},
#include "exchange/codes.def"
#undef KX_CODE
};
static const struct parm_row properties[] = {
#define PARM(id, name, type, range, deflt, flags, right, help) {name, type, range, deflt, flags, right, help},
#include "parmlib/properties.def"
#undef PARM
};
static const struct right rights[] = {
#define KM_RIGHT(name, text, roles) {#name, text, roles},
#include "keymgr/rights.def"
#undef KM_RIGHT
};
static const struct verb verbs[] = {
#define KM_VERB(id, name, right, flags, kind, req, prepare, apply, publish, help) {id, name, right, flags, #kind, help},
#include "keymgr/verbs.def"
#undef KM_VERB
};
static const struct param params[] = {
#define KM_PARAM(verb, name, type, max, flags, req, member, help) {verb, name, type, max, flags, help},
#include "keymgr/params.def"
#undef KM_PARAM
};
static const struct kind kinds[] = {
#define SMF_KIND(name, title, type, keyword) {title, type, keyword},
#include "smf/events.def"
#undef SMF_KIND
};
static const struct field fields[] = {
#define SMF_FIELD(name, number, max, what) {number, max, #name, what},
#include "smf/fields.def"
#undef SMF_FIELD
};

struct named_bit {
    unsigned bit;
    const char *name;
};

/* Text in a table's cell: a bar would end it, and an angle bracket could begin HTML. */
static void put(const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<' || *text == '*' || *text == '_') {
            putchar('\\');
        }
        putchar(*text == '\n' ? ' ' : *text);
    }
}

static void cell(const char *text)
{
    printf(" ");
    put(text);
    printf(" |");
}

static void bits(unsigned value, const struct named_bit *named, size_t n)
{
    const char *between = " ";

    for (size_t i = 0; i < n; i++) {
        if (value & named[i].bit) {
            printf("%s%s", between, named[i].name);
            between = ", ";
        }
    }
    printf(" |");
}

static void head(const char *title, const char *what)
{
    printf("# %s\n\n<!-- Written by `make docs` from the tables in the sources: change those. -->\n\n%s\n", title, what);
}

static void write_codes(void)
{
    printf("\n## Device codes\n\nWhat a drive is told when it is refused, beside the identifier of a message.\n\n"
           "| code | group | meaning | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(codes); i++) {
        printf("| %04X |", codes[i].code);
        cell(codes[i].group);
        cell(codes[i].meaning);
        cell(codes[i].action);
        printf("\n");
    }
}

static void write_messages(void)
{
    head("Messages",
         "Each message has an identifier of `KLM`, four digits and a severity: I information, W warning, E error,\n"
         "A immediate action. What an identifier means never changes. `{0}`, `{1}` stand for inserts.");
    for (size_t i = 0; i < N_OF(messages); i++) {
        const struct message *m = &messages[i];

        printf("\n### KLM%04u%c\n\n**", m->number, m->severity);
        put(m->text);
        printf("**\n\n");
        put(m->explain);
        printf("\n\n*What to do:* ");
        put(m->action);
        printf("\n");
    }
    write_codes();
}

static const char *type_name(enum parm_type type)
{
    switch (type) {
    case PARM_STRING: return "text";
    case PARM_NUMBER: return "number";
    case PARM_BOOL: return "true or false";
    case PARM_PORT: return "port";
    case PARM_KEYWORD: return "keyword";
    case PARM_KEYWORDS: return "keywords";
    case PARM_PATH: return "path";
    case PARM_URL: return "URL";
    case PARM_KEYSTORE: return "key ring";
    case PARM_ALIAS: return "key label";
    case PARM_HOST: return "host";
    }
    return "?";
}

/* The names in parmlib/properties.def of rules that a range can't say. */
static const char *range_text(const char *range)
{
    static const struct {
        const char *rule, *text;
    } rules[] = {
        {"@filename", "a file name without a folder"}, {"@ciphers", "JSSE cipher suite names"},
        {"@keyset", "aliases, ranges or a key group"}, {"@names", "user names and %groups, comma separated"},
        {"@hostport", "host:port"},                    {"@socket", "short enough for the path of a socket"},
        {"@userid", "a user ID of up to eight characters"},
    };

    for (size_t i = 0; i < N_OF(rules); i++) {
        if (!strcmp(range, rules[i].rule)) {
            return rules[i].text;
        }
    }
    return range;
}

static void write_property(const struct parm_row *row)
{
    static const struct named_bit flags[] = {
        {PARM_REQUIRED, "required"}, {PARM_DYNAMIC, "changes while running"}, {PARM_SECRET, "secret"},
        {PARM_LOCAL, "local"},       {PARM_UNVERIFIED, "unverified"},         {PARM_OURS, "ours"},
        {PARM_LATER, "later"},
    };

    printf("|");
    cell(row->name);
    cell(type_name(row->type));
    cell(range_text(row->range));
    cell(row->deflt ? row->deflt : "");
    bits(row->flags, flags, N_OF(flags));
    cell(row->right);
    cell(row->help);
    printf("\n");
}

static void write_properties(void)
{
    head("Configuration properties",
         "Properties of the configuration file, a Java properties file. *required*: the task does not start without it.\n"
         "*changes while running*: refresh and modconfig take effect at once, otherwise at the next start. *secret*: shown as\n"
         "`****` everywhere. *local*: never taken over from another server. *unverified*: name, default or meaning could not be\n"
         "confirmed. *ours*: a property of this project. *later*: its feature is not built yet; any value but the default\n"
         "stops the start. The right is the one needed to change the property.");
    printf("\n| property | type | allowed | default | marks | right | meaning |\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(properties); i++) {
        write_property(&properties[i]);
    }
}

static const char *right_name(enum km_right right)
{
    return strlen(rights[right].name) > 9 ? rights[right].name + strlen("KM_RIGHT_") : rights[right].name;
}

static const char *param_type(enum km_type type)
{
    switch (type) {
    case KM_T_STRING: return "text";
    case KM_T_NUMBER: return "number";
    case KM_T_FLAG: return "flag";
    case KM_T_BYTES: return "file";
    }
    return "?";
}

static void write_params(enum km_verb_id verb)
{
    static const struct named_bit flags[] = {
        {KM_P_REQUIRED, "required"}, {KM_P_SECRET, "secret"}, {KM_P_OBJECT, "object of the event"}};
    bool first = true;

    for (size_t i = 0; i < N_OF(params); i++) {
        const struct param *p = &params[i];

        if (p->verb != verb) {
            continue;
        }
        if (first) {
            printf("\n| parameter | type | most | marks | meaning |\n|---|---|---|---|---|\n");
            first = false;
        }
        printf("|");
        cell(p->name);
        cell(param_type(p->type));
        if (p->max) {
            printf(" %lu |", p->max);
        } else {
            printf(" |");
        }
        bits(p->flags, flags, N_OF(flags));
        cell(p->help);
        printf("\n");
    }
}

static void write_rights(void)
{
    static const struct named_bit roles[] = {
        {KM_ROLE_SECADMIN, "security administrator"}, {KM_ROLE_OPERATOR, "operator"}, {KM_ROLE_AUDITOR, "auditor"},
        {KM_ROLE_BACKUP, "backup operator"}, {KM_ROLE_DRIVE, "drive"}, {KM_ROLE_SYSTEM, "the task itself"},
        {KM_ROLE_ANYONE, "anyone"}};

    printf("\n## Rights\n\n| right | allows to | roles |\n|---|---|---|\n");
    for (size_t i = 0; i < N_OF(rights); i++) {
        printf("|");
        cell(right_name((enum km_right)i));
        cell(rights[i].text);
        bits(rights[i].roles, roles, N_OF(roles));
        printf("\n");
    }
}

static void write_verbs(void)
{
    head("Verbs",
         "Whatever the door, a request becomes one of these verbs; rights, limits and audit are the same for all doors.");
    write_rights();
    for (size_t i = 0; i < N_OF(verbs); i++) {
        printf("\n### %s\n\n%s. Right: %s. %s.\n", verbs[i].name, verbs[i].help, right_name(verbs[i].right),
               verbs[i].flags & KM_CHANGE ? "Changes the store" : "Changes nothing in the store");
        write_params(verbs[i].id);
    }
}

static void write_audit(void)
{
    head("Audit events", "Kinds of audit events, and the typed fields that they are made of.");
    printf("\n## Kinds\n\n| keyword of Audit.event.types | event type | title |\n|---|---|---|\n");
    for (size_t i = 0; i < N_OF(kinds); i++) {
        printf("|");
        cell(kinds[i].keyword);
        cell(kinds[i].type);
        cell(kinds[i].title);
        printf("\n");
    }
    printf("\n## Fields\n\n| number | name | most bytes | what it is |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(fields); i++) {
        printf("| %u |", fields[i].number);
        cell(fields[i].name + strlen("SMF_F_"));
        printf(" %u |", fields[i].max);
        cell(fields[i].what);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(void);
    } manuals[] = {
        {"messages", write_messages}, {"properties", write_properties}, {"verbs", write_verbs}, {"audit", write_audit}};

    for (size_t i = 0; argc == 2 && i < N_OF(manuals); i++) {
        if (!strcmp(argv[1], manuals[i].name)) {
            manuals[i].write();
            return fflush(stdout) || ferror(stdout) ? 2 : 0;
        }
    }
    fprintf(stderr, "usage: gendocs messages|properties|verbs|audit\n");
    return 1;
}
