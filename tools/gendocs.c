/* Writes one manual from the tables: `gendocs messages` and so on print Markdown, `gendocs klmsrv-messages.7` and so on a
 * manual page. The tables are the sources of the manuals, so nothing can be in one and not in the other. */
#include "tools/gendocs.h"

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
    printf("# %s\n\n<!-- Written by `make docs` from the tables in the sources: change those. "
           "-->\n\n%s\n",
           title, what);
}

static void write_codes(void)
{
    printf("\n## Device codes\n\nWhat a drive is told when it is refused, beside the identifier of "
           "a message.\n\n"
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
    head("Messages", "Each message has an identifier of `KLM`, four digits and a severity: I "
                     "information, W warning, E error,\n"
                     "A immediate action. What an identifier means never changes. `{0}`, `{1}` "
                     "stand for inserts.");
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

const char *doc_type_name(enum parm_type type)
{
    switch (type) {
    case PARM_STRING:
        return "text";
    case PARM_NUMBER:
        return "number";
    case PARM_BOOL:
        return "true or false";
    case PARM_PORT:
        return "port";
    case PARM_KEYWORD:
        return "keyword";
    case PARM_KEYWORDS:
        return "keywords";
    case PARM_PATH:
        return "path";
    case PARM_URL:
        return "URL";
    case PARM_KEYSTORE:
        return "key ring";
    case PARM_ALIAS:
        return "key label";
    case PARM_HOST:
        return "host";
    }
    return "?";
}

/* The names in parmlib/properties.def of rules that a range can't say. */
const char *doc_range(const char *range)
{
    static const struct {
        const char *rule, *text;
    } rules[] = {
        {"@filename", "a file name without a folder"},
        {"@ciphers", "JSSE cipher suite names"},
        {"@keyset", "aliases, ranges or a key group"},
        {"@names", "user names and %groups, comma separated"},
        {"@hostport", "host:port"},
        {"@socket", "short enough for the path of a socket"},
        {"@userid", "a user ID of up to eight characters"},
        {"@subsystem", "a subsystem name of up to four characters"},
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
    printf("|");
    cell(row->name);
    cell(doc_type_name(row->type));
    cell(doc_range(row->range));
    cell(row->deflt ? row->deflt : "");
    bits(row->flags, property_marks, N_OF(property_marks));
    cell(row->right);
    cell(row->help);
    printf("\n");
}

static void write_properties(void)
{
    head("Configuration properties",
         "Properties of the configuration file, a Java properties file. *required*: the task does "
         "not start without it.\n"
         "*changes while running*: refresh and modconfig take effect at once, otherwise at the "
         "next start. *secret*: shown as\n"
         "`****` everywhere. *local*: never taken over from another server. *unverified*: name, "
         "default or meaning could not be\n"
         "confirmed. *ours*: a property of this project. *later*: its feature is not built yet; "
         "any value but the default\n"
         "stops the start. The right is the one needed to change the property.");
    printf("\n| property | type | allowed | default | marks | right | meaning "
           "|\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(properties); i++) {
        write_property(&properties[i]);
    }
}

static const char *right_name(enum km_right right)
{
    return strlen(rights[right].name) > 9 ? rights[right].name + strlen("KM_RIGHT_")
                                          : rights[right].name;
}

const char *doc_param_type(enum km_type type)
{
    switch (type) {
    case KM_T_STRING:
        return "text";
    case KM_T_NUMBER:
        return "number";
    case KM_T_FLAG:
        return "flag";
    case KM_T_BYTES:
        return "file";
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
        cell(doc_param_type(p->type));
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
    printf("\n## Rights\n\n| right | allows to | roles |\n|---|---|---|\n");
    for (size_t i = 0; i < N_OF(rights); i++) {
        printf("|");
        cell(right_name((enum km_right)i));
        cell(rights[i].text);
        bits(rights[i].roles, role_names, N_OF(role_names));
        printf("\n");
    }
}

/* What profiles a verb needs; a step that asks for itself has no resource in the table. */
static void write_accesses(void)
{
    printf(
        "\n## Profiles\n\nWhat a verb needs in the classes that are active, besides its right. "
        "READ, UPDATE: that much. OWNER: READ for one's own, UPDATE for another user's, CONTROL "
        "for CERTAUTH's and SITE's; SIGNER: the same of the owner of the certificate that signs. "
        "PKCS12: as OWNER, where a private key leaves. CONNECT: own certificate and own ring READ, "
        "another certificate UPDATE, another "
        "user's ring CONTROL. KEY: READ to the label of each key that is used. RING: READ to "
        "`owner.ring.LST` of each ring that is read.\n\n"
        "| verb | class | resource | level |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(accesses); i++) {
        printf("| %s | %s | %s%s%s | %s |\n", doc_verb(accesses[i].verb)->name,
               accesses[i].class + strlen("PR_"), *accesses[i].resource ? "`" : "",
               accesses[i].resource, *accesses[i].resource ? "`" : "", accesses[i].level);
    }
}

static void write_verbs(void)
{
    head("Verbs", "Whatever the door, a request becomes one of these verbs; rights, limits and "
                  "audit are the same for all doors.");
    write_rights();
    for (size_t i = 0; i < N_OF(verbs); i++) {
        printf("\n### %s\n\n%s. Right: %s. %s.\n", verbs[i].name, verbs[i].help,
               right_name(verbs[i].right),
               verbs[i].flags & KM_CHANGE ? "Changes the store" : "Changes nothing in the store");
        write_params(verbs[i].id);
    }
    write_accesses();
}

/* ---- Commands */

const struct verb *doc_verb(enum km_verb_id id)
{
    for (size_t i = 0; i < N_OF(verbs); i++) {
        if (verbs[i].id == id) {
            return &verbs[i];
        }
    }
    return NULL;
}

const struct right *doc_right(enum km_right right)
{
    return &rights[right];
}

bool doc_has_options(const struct command *command)
{
    return !strcmp(command->handler, "NULL") || !strcmp(command->handler, "con_modconfig");
}

/* Names that are parted by commas, with blanks. */
void doc_names(const char *names)
{
    for (; *names; names++) {
        putchar(*names);
        if (*names == ',') {
            putchar(' ');
        }
    }
}

static void write_command(const struct command *c)
{
    printf("\n### %s\n\n    %s\n\n", c->name, c->syntax);
    put(c->help);
    printf(".");
    if (*c->aliases) {
        printf(" Also ");
        doc_names(c->aliases);
        printf(".");
    }
    printf(" Right: %s.\n", right_name(doc_verb(c->verb)->right));
    if (doc_has_options(c)) {
        write_params(c->verb);
    }
}

static void write_commands(void)
{
    head("Commands",
         "Commands of the product, given as `F ISKLM,APPL='command'` or, in the dialogue of "
         "`oper`, as they are; and the\n"
         "functions of RACDCERT and the commands on profiles. Words are parted by blanks; what "
         "holds blanks stands in double "
         "quotes. A *file* is a name below\n"
         "`console.files.directory`. Rights and roles are in `verbs.md`.");
    printf("\n## Product commands\n");
    for (size_t i = 0; i < N_OF(commands); i++) {
        write_command(&commands[i]);
    }
    printf(
        "\n## System commands\n\n"
        "| command | what it does |\n|---|---|\n"
        "| `F ISKLM,APPL='command'` | hands a command to the task; case is kept; a quote "
        "inside is written twice. Also MODIFY |\n"
        "| `P ISKLM` | ends the task when its sessions are done; again: at once. Also STOP |\n"
        "| `D A,ISKLM` | shows the task. Also DISPLAY |\n"
        "| `D SMF` | lists the SMF data sets: which is recorded on, which are to be dumped. Also "
        "DISPLAY |\n"
        "| `I SMF` | switches to the next SMF data set. Also SWITCH |\n"
        "| `RACDCERT ...`, `KEYXFER ...` | as the programs `racdcert` and `keyxfer` |\n"
        "| `RDEFINE ...` and so on | as the program `racf` |\n"
        "\n## RACDCERT\n");
    for (size_t i = 0; i < N_OF(functions); i++) {
        const struct verb *verb = doc_verb(functions[i].verb);

        printf("\n### %s\n\n    %s\n\n%s. Right: %s.\n", functions[i].name, functions[i].syntax,
               verb->help, right_name(verb->right));
    }
    printf("\n## Profiles\n");
    for (size_t i = 0; i < N_OF(profile_commands); i++) {
        const struct verb *verb = doc_verb(profile_commands[i].verb);

        printf("\n### %s\n\n    %s\n\n%s. Also %s. Right: %s.\n", profile_commands[i].name,
               profile_commands[i].syntax, verb->help, profile_commands[i].brief,
               right_name(verb->right));
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
        {"messages", write_messages},
        {"properties", write_properties},
        {"verbs", write_verbs},
        {"audit", write_audit},
        {"smf", write_smf},
        {"smfdump-columns", write_columns},
        {"commands", write_commands},
        {"klmsrv-config.5", man_config},
        {"klmsrv-messages.7", man_messages},
        {"klmsrv-commands.7", man_commands},
        {"completion", completion_words},
    };

    for (size_t i = 0; argc == 2 && i < N_OF(manuals); i++) {
        if (!strcmp(argv[1], manuals[i].name)) {
            manuals[i].write();
            return fflush(stdout) || ferror(stdout) ? 2 : 0;
        }
    }
    fprintf(stderr, "usage: gendocs MANUAL\n");
    for (size_t i = 0; i < N_OF(manuals); i++) {
        fprintf(stderr, "  %s\n", manuals[i].name);
    }
    return 1;
}
