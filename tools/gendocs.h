/* The tables of the product, as manuals are made from them; and the words for what a table says in short. Included by the writers
 * of the manuals alone, each of which uses some of them. */
#ifndef TOOLS_GENDOCS_H
#define TOOLS_GENDOCS_H

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
struct command {
    const char *name, *aliases;
    enum km_verb_id verb;
    const char *optional, *handler, *syntax, *help;
};
struct function {
    const char *name;
    enum km_verb_id verb;
    const char *syntax;
};
struct field {
    unsigned number, max;
    const char *name, *what;
};
struct kind {
    const char *title, *type, *keyword;
};

static const struct message messages[] = {
#define KLM_MSG(name, number, severity, text, explain, action)                                     \
    {number, severity, text, explain, action},
#include "base/msg.def"
#undef KLM_MSG
};
static const struct code codes[] = {
#define KX_CODE(code, group, meaning, action) {code, group, meaning, action},
#include "exchange/codes.def"
#undef KX_CODE
};
static const struct parm_row properties[] = {
#define PARM(id, name, type, range, deflt, flags, right, help)                                     \
    {name, type, range, deflt, flags, right, help},
#include "parmlib/properties.def"
#undef PARM
};
static const struct right rights[] = {
#define KM_RIGHT(name, text, roles) {#name, text, roles},
#include "keymgr/rights.def"
#undef KM_RIGHT
};
static const struct verb verbs[] = {
#define KM_VERB(id, name, right, flags, kind, req, prepare, apply, publish, help)                  \
    {id, name, right, flags, #kind, help},
#include "keymgr/verbs.def"
#undef KM_VERB
};
static const struct param params[] = {
#define KM_PARAM(verb, name, type, max, flags, req, member, help)                                  \
    {verb, name, type, max, flags, help},
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
static const struct command commands[] = {
#define CON_COMMAND(name, aliases, verb, optional, handler, syntax, help)                          \
    {name, aliases, verb, optional, #handler, syntax, help},
#include "console/commands.def"
#undef CON_COMMAND
};
static const struct function functions[] = {
#define RACDCERT(name, verb, handler, syntax) {name, verb, syntax},
#include "console/racdcert.def"
#undef RACDCERT
};
struct profile_command {
    const char *name, *brief;
    enum km_verb_id verb;
    const char *syntax;
};
static const struct profile_command profile_commands[] = {
#define RACF_PROFILE(name, brief, verb, handler, syntax) {name, brief, verb, syntax},
#include "console/profile.def"
#undef RACF_PROFILE
};
static const char *const classes[] = {
#define PR_CLASS(id, name, what) name,
#include "profile/class.def"
#undef PR_CLASS
};
struct access {
    enum km_verb_id verb;
    const char *class, *resource, *level;
};
static const struct access accesses[] = {
#define KM_ACCESS(verb, class, resource, level) {verb, #class, resource, #level},
#include "keymgr/access.def"
#undef KM_ACCESS
};

struct named_bit {
    unsigned bit;
    const char *name;
};
static const struct named_bit property_marks[] = {
    {PARM_REQUIRED, "required"}, {PARM_DYNAMIC, "changes while running"}, {PARM_SECRET, "secret"},
    {PARM_LOCAL, "local"},       {PARM_UNVERIFIED, "unverified"},         {PARM_OURS, "ours"},
    {PARM_LATER, "later"},
};
static const struct named_bit role_names[] = {
    {KM_ROLE_SECADMIN, "security administrator"},
    {KM_ROLE_OPERATOR, "operator"},
    {KM_ROLE_AUDITOR, "auditor"},
    {KM_ROLE_BACKUP, "backup operator"},
    {KM_ROLE_DRIVE, "drive"},
    {KM_ROLE_SYSTEM, "the task itself"},
    {KM_ROLE_ANYONE, "anyone"},
    {KM_ROLE_CLIENT, "KMIP client"},
};

/* ---- Words (gendocs.c) */

const char *doc_type_name(enum parm_type type);
const char *doc_param_type(enum km_type type);
/* What a property's range allows, in words where it is the name of a rule. */
const char *doc_range(const char *range);
/* The verb of a command, and the row of its right. */
const struct verb *doc_verb(enum km_verb_id id);
const struct right *doc_right(enum km_right right);
/* Are its options the parameters of its verb? */
bool doc_has_options(const struct command *command);
/* Print names that are parted by commas, with blanks. */
void doc_names(const char *names);

/* ---- Manual pages (genman.c): each prints one. */

void man_config(void);
void man_messages(void);
void man_commands(void);

/* ---- The manual of SMF records (gensmf.c) */

void write_smf(void);

/* ---- Columns of smfdump (gencolumns.c) */

void write_columns(void);

/* ---- Words for the shell (gencomplete.c) */

void completion_words(void);

#endif
