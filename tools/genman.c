/* The manual pages that come from tables, in man(7) macros: text is filled by roff, so every character that roff would take for
 * its own is written as an escape. */
#include "tools/gendocs.h"

/* Text for roff: a hyphen stays the character that people copy, and no line begins with a dot or a quote that was not meant so. */
static void text(const char *p)
{
    for (bool first = true; *p; p++, first = false) {
        if (first && (*p == '.' || *p == '\'')) {
            printf("\\&");
        }
        switch (*p) {
        case '\\':
            printf("\\e");
            break;
        case '-':
            printf("\\-");
            break;
        case '\'':
            printf("\\(aq");
            break;
        case '`':
            printf("\\(ga");
            break;
        case '^':
            printf("\\(ha");
            break;
        case '~':
            printf("\\(ti");
            break;
        default:
            putchar(*p);
        }
    }
}

static void line(const char *p)
{
    text(p);
    printf("\n");
}

static void title(const char *name, const char *section, const char *what)
{
    printf(".\\\" Written by `make docs` from the tables in the sources: change those.\n"
           ".TH %s %s \"\" klmsrv \"klmsrv manual\"\n"
           ".nh\n.ad l\n.SH NAME\n",
           name, section);
    text(name);
    printf(" \\- %s\n", what);
}

static void see_also(const char *pages)
{
    printf(".SH SEE ALSO\n%s\n", pages);
}

/* Names of bits, by commas; nothing for none. */
static void marks(unsigned value, const struct named_bit *named, size_t n)
{
    const char *between = "";

    for (size_t i = 0; i < n; i++) {
        if (value & named[i].bit) {
            printf("%s%s", between, named[i].name);
            between = ", ";
        }
    }
}

/* ---- klmsrv-config(5) */

/* "a|b|c" with blanks, so that a long list can be broken. */
static void choices(const char *range)
{
    for (; *range; range++) {
        char one[2] = {*range, 0};

        text(*range == '|' ? " | " : one);
    }
}

static void property(const struct parm_row *row)
{
    const char *range = doc_range(row->range);

    printf(".TP\n.B ");
    line(row->name);
    line(row->help);
    printf(".br\n%s", doc_type_name(row->type));
    if (*range) {
        printf(": ");
        choices(range);
    }
    if (row->deflt) {
        printf("; default \\fB");
        text(row->deflt);
        printf("\\fP");
    }
    printf("; right %s", row->right);
    if (row->flags) {
        printf("; ");
        marks(row->flags, property_marks, N_OF(property_marks));
    }
    printf("\n");
}

static void rules(void)
{
    static const char *const rule[][2] = {
        {"required", "The task does not start without it."},
        {"changes while running", "refresh and modconfig take effect at once; other properties "
                                  "take effect at the next start."},
        {"secret", "Shown as **** in listings, logs and audit."},
        {"local", "Never taken over from a file of another server."},
        {"unverified", "Name, default or meaning could not be confirmed by the manufacturer\\(aqs "
                       "manuals."},
        {"ours", "A property of this project."},
        {"later", "Its feature is not built yet; any value but the default stops the start."},
    };

    printf(".SS Marks\n");
    for (size_t i = 0; i < N_OF(rule); i++) {
        printf(".TP\n.I %s\n%s\n", rule[i][0], rule[i][1]);
    }
}

void man_config(void)
{
    title("klmsrv-config", "5", "configuration of the key server");
    printf(
        ".SH SYNOPSIS\n.I /etc/isklm/ISKLMConfig.properties.zos\n"
        ".SH DESCRIPTION\n"
        "The file that\n.BR klmsrv (8)\nreads is a Java properties file in UTF\\-8.\n"
        ".IP \\(bu 2\nA line is\n.IR NAME = VALUE .\nBlanks around the sign do not count. Names "
        "are case\\-sensitive.\n"
        ".IP \\(bu 2\n# and ! begin a comment line.\n"
        ".IP \\(bu 2\nA backslash at the end of a line continues it on the next.\n"
        ".IP \\(bu 2\nIn values \\e:, \\e=, \\e\\e, \\en, \\et and \\eu with four hexadecimal "
        "digits are escapes.\n"
        ".IP \\(bu 2\nPaths may begin with FILE:; relative ones begin at the folder of the "
        "file.\n"
        ".PP\nAn unknown property is a warning with its line number. A value that is not allowed "
        "is an error with its line number:\n"
        "the task does not start, and a running task keeps the configuration it has.\n"
        "Weak settings are warned about at each start. A commented sample is\n"
        ".IR /usr/share/doc/klmsrv/samples/ISKLMConfig.properties.zos .\n");
    rules();
    printf(".SH PROPERTIES\n");
    for (size_t i = 0; i < N_OF(properties); i++) {
        property(&properties[i]);
    }
    see_also(".BR klmsrv (8),\n.BR oper (1),\n.BR klmsrv\\-commands (7),\n.BR klmsrv\\-messages "
             "(7)");
}

/* ---- klmsrv-messages(7) */

static void message(const struct message *m)
{
    printf(".TP\n.B KLM%04u%c\n\\fI", m->number, m->severity);
    text(m->text);
    printf("\\fP\n.br\n");
    line(m->explain);
    printf(".br\n\\(-> ");
    line(m->action);
}

static void device_codes(void)
{
    printf(".SH DEVICE CODES\nWhat a drive is told when it is refused. A host shows them as the "
           "last four digits of\n.BR EKM=05 \\fIcode\\fP.\n");
    for (size_t i = 0; i < N_OF(codes); i++) {
        printf(".TP\n.B %04X\n", codes[i].code);
        text(codes[i].meaning);
        printf(" (");
        text(codes[i].group);
        printf(").\n.br\n\\(-> ");
        line(codes[i].action);
    }
}

void man_messages(void)
{
    title("klmsrv-messages", "7", "messages and device codes of the key server");
    printf(".SH DESCRIPTION\n"
           "A message has an identifier of KLM, four digits and a severity:\n"
           ".BR I \" information,\"\n.BR W \" warning,\"\n.BR E \" error,\"\n.BR A \" immediate "
           "action.\"\n"
           "What an identifier means never changes, so automation may read it. {0}, {1} stand for "
           "inserts.\n"
           "Behind \\(-> stands what to do.\n"
           "Lines without an identifier, such as \\(lqServer is running\\(rq, have the wording of "
           "the product on z/OS.\n"
           ".SH MESSAGES\n");
    for (size_t i = 0; i < N_OF(messages); i++) {
        message(&messages[i]);
    }
    device_codes();
    see_also(".BR klmsrv (8),\n.BR oper (1),\n.BR klmsrv\\-commands (7),\n.BR klmsrv\\-config (5)");
}

/* ---- klmsrv-commands(7) */

static void options(enum km_verb_id verb)
{
    static const struct named_bit shown[] = {{KM_P_REQUIRED, "required"}, {KM_P_SECRET, "secret"}};
    bool any = false;

    for (size_t i = 0; i < N_OF(params); i++) {
        const struct param *p = &params[i];

        if (p->verb != verb) {
            continue;
        }
        printf("%s.TP\n.B \\-%s", any ? "" : ".RS\n", p->name);
        printf(p->type == KM_T_FLAG ? "\n" : "\\fR %s\n", doc_param_type(p->type));
        text(p->help);
        if (p->flags & (KM_P_REQUIRED | KM_P_SECRET)) {
            printf(" (");
            marks(p->flags, shown, N_OF(shown));
            printf(")");
        }
        printf("\n");
        any = true;
    }
    printf(any ? ".RE\n" : "");
}

static void product_command(const struct command *c)
{
    printf(".SS ");
    line(c->name);
    printf(".B ");
    line(c->syntax);
    printf(".PP\n");
    text(c->help);
    printf(".");
    if (*c->aliases) {
        printf(" Also ");
        doc_names(c->aliases);
        printf(".");
    }
    printf(" Right: %s.\n", doc_right(doc_verb(c->verb)->right)->text);
    if (doc_has_options(c)) {
        options(c->verb);
    }
}

static void system_commands(void)
{
    printf(".SH SYSTEM COMMANDS\n"
           ".TP\n.BR \"F ISKLM,APPL=\\(aq\" \\fIcommand\\fP \\(aq\n"
           "Hand a command to the task. Its case is kept; a quote inside is written twice. Also "
           "MODIFY.\n"
           ".TP\n.B P ISKLM\nEnd the task when its sessions are done; given again, at once. Also "
           "STOP.\n"
           ".TP\n.B D A,ISKLM\nShow the task. Also DISPLAY.\n"
           ".TP\n.B D SMF\nList the SMF data sets. Also DISPLAY.\n"
           ".TP\n.B I SMF\nSwitch to the next SMF data set. Also SWITCH.\n"
           ".TP\n.BR RACDCERT\\ ... ,\\  KEYXFER\\ ...\nAs the programs\n.BR racdcert (1)\nand\n"
           ".BR keyxfer (1).\n"
           ".TP\n.BR RDEFINE\\ ...\nand the other commands on profiles: as the program\n"
           ".BR racf (1).\n");
}

static void roles(void)
{
    printf(".SH RIGHTS\nconsole.role.SECADMIN and so on name the users and groups of a role.\n");
    for (size_t i = 0; i < N_OF(rights); i++) {
        printf(".TP\n.I ");
        line(rights[i].text);
        marks(rights[i].roles, role_names, N_OF(role_names));
        printf("\n");
    }
}

void man_commands(void)
{
    title("klmsrv-commands", "7", "commands of the key server");
    printf(
        ".SH DESCRIPTION\n"
        "Commands are given to the running task with\n.BR oper (1),\nas\n"
        ".BR \"F ISKLM,APPL=\\(aq\" \\fIcommand\\fP \\(aq\nor, in its dialogue, as they are. "
        "Words are parted by blanks; what holds blanks stands in double quotes. Names of "
        "commands and options may be in any case; values keep theirs.\n"
        "A file is a name below the folder of console.files.directory. Every command is audited, "
        "also when it is refused.\n");
    system_commands();
    printf(".SH PRODUCT COMMANDS\n");
    for (size_t i = 0; i < N_OF(commands); i++) {
        product_command(&commands[i]);
    }
    printf(".SH RACDCERT\nThe keywords are described in\n.BR racdcert (1).\n");
    for (size_t i = 0; i < N_OF(functions); i++) {
        printf(".TP\n.B ");
        line(functions[i].syntax);
        printf("%s. Right: %s.\n", doc_verb(functions[i].verb)->help,
               doc_right(doc_verb(functions[i].verb)->right)->text);
    }
    printf(".SH PROFILES\nThe keywords are described in\n.BR racf (1).\n");
    for (size_t i = 0; i < N_OF(profile_commands); i++) {
        printf(".TP\n.B ");
        line(profile_commands[i].syntax);
        printf("%s. Right: %s.\n", doc_verb(profile_commands[i].verb)->help,
               doc_right(doc_verb(profile_commands[i].verb)->right)->text);
    }
    roles();
    see_also(".BR oper (1),\n.BR racf (1),\n.BR racdcert (1),\n.BR keyxfer (1),\n.BR "
             "klmsrv\\-config (5),\n"
             ".BR klmsrv\\-messages (7)");
}
