/* iosdrive system: the commands of a storage system, with the words of their own command line, where options have one hyphen. */
#include "ios/command_inside.h"

#include "base/clock.h"
#include "ios/kmip_link.h"
#include "ios/system_show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_MAX (1u << 20)
#define OPTIONS_MAX 24

struct system_run {
    struct ios_run run;
    char *dir, *name, *serial, *key_type, *cert, *ca, *ip, *port, *keyserver, *key, *delim,
        *timeout;
    int primary, headless;
};

/* Folder, state, and whom to ask. */
struct work {
    const char *dir;
    struct ios_system_edit edit; /* locked when it is to be changed; only its state counts else */
    struct ios_system_identity *identity;
    struct ios_kmip_link *link;
    struct ios_kmip_way way;
    struct ios_keys_ops ops;
};

static void work_done(struct work *work)
{
    ios_system_edit_end(&work->edit);
    ios_kmip_link_free(&work->link);
    ios_system_identity_free(&work->identity);
}
#define WORK KLM_AUTO(work_done) struct work work = {.edit.lock = -1}

static klm_rc usage(struct system_run *s, const char *what)
{
    return ios_usage(&s->run, what);
}

static klm_rc folder_of(struct system_run *s, const char **out)
{
    const char *env = getenv("KLM_SYSTEM");

    *out = s->dir ? s->dir : env && *env ? env : NULL;
    return *out ? KLM_OK : usage(s, "no storage system: give -S DIR, or set KLM_SYSTEM");
}

static klm_rc to_look(struct system_run *s, struct work *work)
{
    KLM_TRY(folder_of(s, &work->dir));
    return ios_system_load(work->dir, &s->run.diag, &work->edit.state);
}

static klm_rc to_change(struct system_run *s, struct work *work)
{
    KLM_TRY(folder_of(s, &work->dir));
    return ios_system_edit_begin(work->dir, &s->run.diag, &work->edit);
}

static klm_rc to_ask(struct system_run *s, struct work *work)
{
    struct ios_kmip_config config = {0};
    unsigned seconds = 0;

    KLM_TRY(ios_run_number(&s->run, s->timeout, 5, 600, "-timeout: 1 to 600 seconds", &seconds));
    KLM_TRY(ios_system_identity(work->dir, &s->run.diag, &work->identity));
    config = (struct ios_kmip_config){.identity = work->identity, .timeout_ms = seconds * 1000};
    KLM_TRY(ios_kmip_link_new(&config, &s->run.diag, &work->link));
    work->way = ios_kmip_link_way(work->link);
    work->ops = ios_kmip_keys(&work->way);
    return KLM_OK;
}

static klm_rc save(struct system_run *s, struct work *work)
{
    return ios_system_edit_save(&work->edit, &s->run.diag);
}

/* ---- The identity */

static klm_rc do_init(struct system_run *s)
{
    const char *dir = s->run.args[0];

    if (!s->name) {
        return usage(s, "-name is needed");
    }
    KLM_TRY(ios_system_init(dir, s->name, s->serial, s->key_type, &s->run.diag));
    klm_say(KLM_MSG_SYSTEM_MADE, dir);
    return KLM_OK;
}

static klm_rc do_install(struct system_run *s)
{
    WORK;

    if (!s->cert || !s->ca) {
        return usage(s, "-cert and -ca are needed");
    }
    KLM_TRY(to_change(s, &work));
    KLM_TRY(ios_system_install(work.dir, s->cert, s->ca, &s->run.diag));
    klm_say(KLM_MSG_SYSTEM_INSTALLED, work.dir);
    return KLM_OK;
}

/* ---- Key servers */

static klm_rc port_of(struct system_run *s, unsigned standard, uint16_t *out)
{
    unsigned port = 0;

    KLM_TRY(ios_run_number(&s->run, s->port, standard, 65535, "-port: 1 to 65535", &port));
    *out = (uint16_t)port;
    return KLM_OK;
}

static bool too_long(const char *text, size_t most)
{
    return text && strlen(text) > most;
}

static klm_rc check_texts(struct system_run *s)
{
    if (too_long(s->name, IOS_KEYSERVER_NAME)) {
        return usage(s, "-name: 1 to 32 letters, digits, and . _ -");
    }
    return too_long(s->ip, IOS_KEYSERVER_HOST) ? usage(s, "-ip: at most 255 characters") : KLM_OK;
}

static klm_rc do_mkkeyserver(struct system_run *s)
{
    struct ios_keyserver server = {0};
    WORK;

    if (!s->ip) {
        return usage(s, "-ip is needed");
    }
    KLM_TRY(check_texts(s));
    KLM_TRY(port_of(s, 5696, &server.port));
    snprintf(server.host, sizeof server.host, "%s", s->ip);
    snprintf(server.name, sizeof server.name, "%s", s->name ? s->name : "");
    KLM_TRY(to_change(s, &work));
    KLM_TRY(ios_keyserver_add(&work.edit.state, &server, s->primary, &s->run.diag));
    return save(s, &work);
}

static klm_rc named(struct system_run *s, const struct work *work, uint8_t *id)
{
    const struct ios_keyserver *server = NULL;

    KLM_TRY(ios_keyserver_find(&work->edit.state, s->run.args[0], &s->run.diag, &server));
    *id = server->id;
    return KLM_OK;
}

static klm_rc do_chkeyserver(struct system_run *s)
{
    uint16_t port = 0;
    uint8_t id = 0;
    WORK;

    if (!s->ip && !s->port && !s->name && !s->primary) {
        return usage(s, "give what is to be changed: -name, -ip, -port or -primary");
    }
    KLM_TRY(check_texts(s));
    if (s->port) {
        KLM_TRY(port_of(s, 5696, &port));
    }
    KLM_TRY(to_change(s, &work));
    KLM_TRY(named(s, &work, &id));
    KLM_TRY(
        ios_keyserver_change(&work.edit.state, id, s->name, s->ip, port, s->primary, &s->run.diag));
    return save(s, &work);
}

static klm_rc do_rmkeyserver(struct system_run *s)
{
    uint8_t id = 0;
    WORK;

    KLM_TRY(to_change(s, &work));
    KLM_TRY(named(s, &work, &id));
    KLM_TRY(ios_keyserver_remove(&work.edit.state, id, &s->run.diag));
    return save(s, &work);
}

/* ---- Lists */

static klm_rc table_begin(struct system_run *s, struct ios_table *table)
{
    if (s->delim && strlen(s->delim) != 1) {
        return usage(s, "-delim: one character");
    }
    *table = (struct ios_table){.delim = s->delim ? s->delim[0] : '\0', .headless = s->headless};
    return klm_pool_new(SHOW_MAX, &table->pool);
}

static klm_rc table_end(struct system_run *s, struct ios_table *table, bool turned, klm_rc rc)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;

    klm_buf_init(&out, SHOW_MAX);
    if (rc == KLM_OK) {
        ios_table_print(table, turned, &out);
    }
    klm_pool_free(&table->pool);
    KLM_TRY(rc);
    return ios_run_print(&s->run, &out);
}

static klm_rc do_lskeyserver(struct system_run *s)
{
    const struct ios_keyserver *only = NULL;
    struct ios_table table;
    WORK;

    KLM_TRY(to_look(s, &work));
    if (s->run.args_n) {
        KLM_TRY(ios_keyserver_find(&work.edit.state, s->run.args[0], &s->run.diag, &only));
    }
    KLM_TRY(to_ask(s, &work));
    KLM_TRY(table_begin(s, &table));
    return table_end(s, &table, only != NULL,
                     ios_show_keyservers(&work.edit.state, only, &work.ops, &table));
}

static klm_rc do_lsencryption(struct system_run *s)
{
    struct ios_table table;
    WORK;

    KLM_TRY(to_look(s, &work));
    KLM_TRY(table_begin(s, &table));
    return table_end(s, &table, true, ios_show_encryption(&work.edit.state, &table));
}

static klm_rc do_lskey(struct system_run *s)
{
    struct ios_table table;
    WORK;

    KLM_TRY(to_look(s, &work));
    KLM_TRY(to_ask(s, &work));
    KLM_TRY(table_begin(s, &table));
    return table_end(s, &table, false,
                     ios_show_keys(work.dir, &work.edit.state, &work.ops, &s->run.diag, &table));
}

static klm_rc do_lsvolume(struct system_run *s)
{
    struct ios_table table;
    WORK;

    KLM_TRY(to_look(s, &work));
    KLM_TRY(table_begin(s, &table));
    return table_end(s, &table, false,
                     ios_show_system_volumes(work.dir, &work.edit.state, &s->run.diag, &table));
}

/* ---- chencryption */

static klm_rc say_current(const struct work *work)
{
    const struct ios_system_key *key = ios_system_key(&work->edit.state, IOS_KEY_CURRENT);

    if (key) {
        klm_say(KLM_MSG_SYSTEM_COMMITTED, work->edit.state.name, key->uid, KLM_NUM(key->number));
    }
    return KLM_OK;
}

static klm_rc enable(struct system_run *s, struct work *work)
{
    KLM_TRY(ios_system_enable(&work->edit, &work->ops, &s->run.diag));
    return say_current(work);
}

static klm_rc disable(struct system_run *s, struct work *work)
{
    KLM_TRY(ios_system_disable(&work->edit, &work->ops, &s->run.diag));
    klm_say(KLM_MSG_SYSTEM_DISABLED, work->edit.state.name);
    return KLM_OK;
}

static klm_rc prepare(struct system_run *s, struct work *work)
{
    const struct ios_system_key *key;

    KLM_TRY(ios_system_prepare(&work->edit, &work->ops, &s->run.diag));
    key = ios_system_key(&work->edit.state, IOS_KEY_PREPARED);
    if (key) {
        klm_say(KLM_MSG_SYSTEM_PREPARED, work->edit.state.name, key->uid,
                ios_keyserver_primary(&work->edit.state)->name);
    }
    return KLM_OK;
}

static klm_rc commit(struct system_run *s, struct work *work)
{
    KLM_TRY(ios_system_commit(&work->edit, &work->ops, &s->run.diag));
    return say_current(work);
}

static klm_rc cancel(struct system_run *s, struct work *work)
{
    char request[IOS_KEY_NAME + 1];
    struct klm_diag left;

    memcpy(request, work->edit.state.request, sizeof request);
    KLM_TRY(ios_system_cancel(&work->edit, &work->ops, &left, &s->run.diag));
    if (left.msg != KLM_MSG_NONE) {
        klm_say_diag(&left);
        klm_say(KLM_MSG_SYSTEM_LEFT, request, work->edit.state.name);
    }
    klm_say(KLM_MSG_SYSTEM_CANCELLED, work->edit.state.name);
    return KLM_OK;
}

static const struct change {
    const char *keyserver, *key; /* words of the command; key NULL: none */
    klm_rc (*run)(struct system_run *s, struct work *work);
} changes[] = {
    {"enable", NULL, enable},     {"disable", NULL, disable},   {"newkey", "prepare", prepare},
    {"newkey", "commit", commit}, {"newkey", "cancel", cancel},
};

static const struct change *change_of(const struct system_run *s)
{
    for (size_t i = 0; i < KLM_COUNT(changes); i++) {
        const struct change *one = &changes[i];

        if (s->keyserver && strcmp(s->keyserver, one->keyserver) == 0 && !s->key == !one->key &&
            (!s->key || strcmp(s->key, one->key) == 0)) {
            return one;
        }
    }
    return NULL;
}

static klm_rc do_chencryption(struct system_run *s)
{
    const struct change *change = change_of(s);
    WORK;

    if (!change) {
        return usage(s, "-keyserver enable, -keyserver disable, or -keyserver newkey -key prepare, "
                        "commit or cancel");
    }
    KLM_TRY(to_change(s, &work));
    KLM_TRY(to_ask(s, &work));
    return change->run(s, &work);
}

/* ---- Volumes */

static klm_rc open_file(struct system_run *s, int flags, int standard, int *fd)
{
    const char *name = s->run.args_n > 1 ? s->run.args[1] : "-";
    char why[128];

    *fd = strcmp(name, "-") == 0 ? standard : open(name, flags | O_CLOEXEC | O_NOCTTY, 0600);
    return *fd >= 0 ? KLM_OK
                    : klm_fail(&s->run.diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, name,
                               strerror_r(errno, why, sizeof why));
}

static void close_file(int fd)
{
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

static klm_rc do_write(struct system_run *s)
{
    uint64_t bytes = 0;
    int fd = -1;
    klm_rc rc;
    WORK;

    KLM_TRY(to_change(s, &work));
    KLM_TRY(to_ask(s, &work));
    KLM_TRY(open_file(s, O_RDONLY, STDIN_FILENO, &fd));
    rc = ios_system_write(&work.edit, &work.ops, s->run.args[0], fd, &bytes, &s->run.diag);
    close_file(fd);
    KLM_TRY(rc);
    klm_say(KLM_MSG_VOLUME_WRITTEN, s->run.args[0], KLM_NUM(bytes));
    return KLM_OK;
}

static klm_rc do_read(struct system_run *s)
{
    uint64_t bytes = 0;
    int fd = -1;
    klm_rc rc;
    WORK;

    KLM_TRY(to_look(s, &work));
    KLM_TRY(to_ask(s, &work));
    KLM_TRY(open_file(s, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO, &fd));
    rc = ios_system_read(work.dir, &work.edit.state, &work.ops, s->run.args[0], fd, &bytes,
                         &s->run.diag);
    close_file(fd);
    if (rc == KLM_OK) {
        klm_say(KLM_MSG_VOLUME_READ, s->run.args[0], KLM_NUM(bytes));
    } else if (bytes > 0) {
        klm_say(KLM_MSG_VOLUME_PARTLY, s->run.args[0], KLM_NUM(bytes));
    }
    return rc;
}

/* ---- Which command it is, and its options */

enum { DIR = 1, NEW = 2, CERT = 4, SERVER = 8, LIST = 16, CHANGE = 32, NET = 64 };

static const struct command {
    const char *name;
    klm_rc (*run)(struct system_run *s);
    int least, most; /* arguments behind the options */
    unsigned options;
    const char *usage, *help;
} commands[] = {
    {"init", do_init, 1, 1, NEW, "-name NAME [-serial S] [-keytype TYPE] DIR",
     "make key and certificate request of a new storage system in DIR"},
    {"install", do_install, 0, 0, DIR | CERT, "-cert FILE -ca FILE [-S DIR]",
     "take in the signed certificate and the authorities of the key servers"},
    {"mkkeyserver", do_mkkeyserver, 0, 0, DIR | SERVER,
     "-ip HOST [-port PORT] [-name NAME] [-primary]",
     "add a key server, at most four; the first is the primary one"},
    {"chkeyserver", do_chkeyserver, 1, 1, DIR | SERVER,
     "[-ip HOST] [-port PORT] [-name NAME] [-primary] ID|NAME",
     "change a key server, or make it the primary one"},
    {"rmkeyserver", do_rmkeyserver, 1, 1, DIR, "ID|NAME", "remove a key server"},
    {"lskeyserver", do_lskeyserver, 0, 1, DIR | LIST | NET, "[ID|NAME]",
     "ask each key server for the keys in force, and show whether it is online"},
    {"lsencryption", do_lsencryption, 0, 0, DIR | LIST, "",
     "show whether encryption is enabled, the current key, and the rekey"},
    {"chencryption", do_chencryption, 0, 0, DIR | CHANGE | NET,
     "-keyserver enable|disable | -keyserver newkey -key prepare|commit|cancel",
     "enable or disable encryption, or change the key in two steps"},
    {"lskey", do_lskey, 0, 0, DIR | LIST | NET, "",
     "show all keys that there were, with states and links at the primary key server"},
    {"write", do_write, 1, 2, DIR | NET, "VOLUME [FILE]",
     "write a volume from FILE (- or none: standard input) under the current key"},
    {"read", do_read, 1, 2, DIR | NET, "VOLUME [OUT]",
     "read a volume into OUT (- or none: standard output), under whichever key it is"},
    {"lsvolume", do_lsvolume, 0, 0, DIR | LIST, "", "list the volumes and the keys they are under"},
};

#define OPTION(group, name, letter, kind, at, help, what)                                          \
    {                                                                                              \
        (group),                                                                                   \
        {                                                                                          \
            (name), (letter), (kind) | POPT_ARGFLAG_ONEDASH, (at), 0, (help), (what)               \
        }                                                                                          \
    }

static void options_of(struct system_run *s, unsigned groups, struct poptOption *table)
{
    static const struct poptOption last[] = {POPT_AUTOHELP POPT_TABLEEND};
    const struct {
        unsigned group;
        struct poptOption option;
    } all[] = {
        OPTION(DIR, "system", 'S', POPT_ARG_STRING, &s->dir,
               "folder of the storage system (default: $KLM_SYSTEM)", "DIR"),
        OPTION(NEW | SERVER, "name", 0, POPT_ARG_STRING, &s->name,
               "name of the storage system (1 to 16) or the key server (1 to 32 characters)",
               "NAME"),
        OPTION(NEW, "serial", 0, POPT_ARG_STRING, &s->serial,
               "serial number, 10 digits or 12 letters and digits (default: a random one)", "S"),
        OPTION(NEW, "keytype", 0, POPT_ARG_STRING, &s->key_type,
               "ec:P-256 (default), ec:P-384, rsa:2048, rsa:3072, rsa:4096", "TYPE"),
        OPTION(CERT, "cert", 0, POPT_ARG_STRING, &s->cert, "the signed certificate, DER or PEM",
               "FILE"),
        OPTION(CERT, "ca", 0, POPT_ARG_STRING, &s->ca,
               "the authorities of the key servers, DER or PEM", "FILE"),
        OPTION(SERVER, "ip", 0, POPT_ARG_STRING, &s->ip, "address or host name", "HOST"),
        OPTION(SERVER, "port", 0, POPT_ARG_STRING, &s->port, "KMIP port (default: 5696)", "PORT"),
        OPTION(SERVER, "primary", 0, POPT_ARG_NONE, &s->primary,
               "keys are made on this one from now on", NULL),
        OPTION(CHANGE, "keyserver", 0, POPT_ARG_STRING, &s->keyserver, "enable, disable or newkey",
               "WORD"),
        OPTION(CHANGE, "key", 0, POPT_ARG_STRING, &s->key, "with newkey: prepare, commit or cancel",
               "WORD"),
        OPTION(LIST, "delim", 0, POPT_ARG_STRING, &s->delim, "a character between columns", "C"),
        OPTION(LIST, "nohdr", 0, POPT_ARG_NONE, &s->headless, "no headings", NULL),
        OPTION(NET, "timeout", 0, POPT_ARG_STRING, &s->timeout,
               "seconds that a key server has for an answer (default: 5)", "SECONDS"),
    };
    size_t n = 0;

    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        if (all[i].group & groups) {
            table[n++] = all[i].option;
        }
    }
    memcpy(table + n, last, sizeof last);
}

static void free_texts(struct system_run *s)
{
    char *const texts[] = {s->dir, s->name, s->serial,    s->key_type, s->cert,  s->ca,
                           s->ip,  s->port, s->keyserver, s->key,      s->delim, s->timeout};

    for (size_t i = 0; i < KLM_COUNT(texts); i++) {
        free(texts[i]);
    }
}

static void print_commands(FILE *to)
{
    fprintf(to, "Usage: iosdrive system COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(to,
            "\niosdrive system COMMAND --help tells the options of a command. $KLM_SYSTEM names "
            "the folder of\nthe storage system when -S does not.\n");
}

static int run_command(const struct command *command, int argc, const char **argv)
{
    struct system_run s = {.run = {.status = 0}};
    struct poptOption table[OPTIONS_MAX];
    char name[40];
    klm_rc rc;
    int status;

    snprintf(name, sizeof name, "iosdrive system %s", command->name);
    s.run.name = name;
    argv[0] = name; /* for popt's usage lines */
    options_of(&s, command->options, table);
    s.run.popt = poptGetContext(name, argc, argv, table, 0);
    poptSetOtherOptionHelp(s.run.popt, command->usage);
    rc = ios_run_options(&s.run, command->least, command->most, command->usage);
    if (rc == KLM_OK) {
        rc = command->run(&s);
    }
    status = ios_run_end(&s.run, rc);
    poptFreeContext(s.run.popt);
    free_texts(&s);
    return status;
}

int ios_system_command(int argc, const char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    struct ios_run none = {.name = "iosdrive system"};

    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return run_command(&commands[i], argc - 1, argv + 1);
        }
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0 || strcmp(name, "help") == 0) {
        print_commands(stdout);
        return IOS_EXIT_OK;
    }
    KLM_IGNORE(ios_usage(&none, name[0] ? "there is no such command" : "a command is missing"));
    print_commands(stderr);
    return IOS_EXIT_USAGE;
}
