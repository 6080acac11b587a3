/* The words that completion in the shell knows: commands, their options, properties, functions of RACDCERT and their keywords, as
 * assignments of bash. tools/docs.sh puts them into packaging/klmsrv.bash-completion. */
#include "tools/gendocs.h"

#include <ctype.h>

static void names_of(const struct command *c, const char *between)
{
    printf("%s%s", between, c->name);
    if (*c->aliases) {
        putchar(' ');
    }
    for (const char *p = c->aliases; *p; p++) {
        putchar(*p == ',' ? ' ' : *p);
    }
}

/* What begins with a hyphen in a command's syntax: -name up to a blank or bracket. */
static void options_in(const char *syntax)
{
    const char *between = "";

    for (const char *p = syntax; *p; p++) {
        size_t n = 1;

        if (*p != '-' || p == syntax || !strchr(" [{", p[-1])) {
            continue;
        }
        while (isalnum((unsigned char)p[n])) {
            n++;
        }
        printf("%s%.*s", between, (int)n, p);
        between = " ";
    }
}

/* Words of capitals in the syntax of a function: its keywords. */
static void keywords_in(const char *syntax, const char *but)
{
    const char *between = "";

    for (const char *p = syntax; *p;) {
        size_t n = 0;

        while (isupper((unsigned char)p[n]) || (n > 0 && isdigit((unsigned char)p[n]))) {
            n++;
        }
        if (n > 1 && strncmp(p, but, n) != 0) {
            printf("%s%.*s", between, (int)n, p);
            between = " ";
        }
        p += n ? n : 1;
    }
}

void completion_words(void)
{
    printf("_klmsrv_commands='");
    for (size_t i = 0; i < N_OF(commands); i++) {
        names_of(&commands[i], i ? " " : "");
    }
    printf("'\ndeclare -gA _klmsrv_options=(\n");
    for (size_t i = 0; i < N_OF(commands); i++) {
        printf("    [%s]='", commands[i].name);
        options_in(commands[i].syntax);
        printf("'\n");
    }
    printf(")\n_klmsrv_properties='");
    for (size_t i = 0; i < N_OF(properties); i++) {
        printf("%s%s", i ? " " : "", properties[i].name);
    }
    printf("'\n_klmsrv_functions='");
    for (size_t i = 0; i < N_OF(functions); i++) {
        printf("%s%s", i ? " " : "", functions[i].name);
    }
    printf("'\ndeclare -gA _klmsrv_keywords=(\n");
    for (size_t i = 0; i < N_OF(functions); i++) {
        printf("    [%s]='", functions[i].name);
        keywords_in(functions[i].syntax, "RACDCERT");
        printf("'\n");
    }
    printf(")\n_klmsrv_profile_commands='");
    for (size_t i = 0; i < N_OF(profile_commands); i++) {
        printf("%s%s", i ? " " : "", profile_commands[i].name);
    }
    printf("'\n_klmsrv_classes='");
    for (size_t i = 0; i < N_OF(classes); i++) {
        printf("%s%s", i ? " " : "", classes[i]);
    }
    printf("'\n"
           "declare -gA _klmsrv_profile_keywords=(\n");
    for (size_t i = 0; i < N_OF(profile_commands); i++) {
        printf("    [%s]='", profile_commands[i].name);
        keywords_in(profile_commands[i].syntax, profile_commands[i].name);
        printf("'\n");
    }
    printf(")\n");
}
