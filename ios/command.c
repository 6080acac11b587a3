/* Which command it is, and its options. */
#include "ios/command.h"

#include "ios/command_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    klm_rc (*run)(struct ios_run *run);
    int least, most;  /* arguments behind the options; most -1: any number */
    unsigned options; /* groups it takes */
    const char *usage, *help;
};

enum {
    DRIVE = 1,
    MEMBER = 2,
    NEW = 4,
    CERT = 8,
    LABELS = 16,
    TAPE = 32,
    SEQ = 64,
    STEP = 128,
    VERIFY = 256,
    NET = 512,
    ARRAY = 1024,
    GROUP = 2048,
    RECOVERY = 4096,
    POWER = 8192
};

static const struct command commands[] = {
    {"init", ios_do_init, 1, 1, NEW, "--serial S --wwn W [OPTION...] DIR",
     "make key, certificate request and drive.conf of a new drive in DIR"},
    {"install", ios_do_install, 1, 1, CERT, "--cert FILE --ca FILE DIR",
     "check the signed certificate and its authority and copy them into DIR"},
    {"write", ios_do_write, 1, -1, DRIVE | MEMBER | NET | LABELS | TAPE | STEP,
     "[OPTION...] CARTRIDGE [FILE...]",
     "write each FILE (- or none: standard input) onto the cartridge, encrypted with a new key"},
    {"read", ios_do_read, 1, 2, DRIVE | MEMBER | NET | SEQ | STEP, "[OPTION...] CARTRIDGE [OUT]",
     "read a file of the cartridge into OUT (- or none: standard output)"},
    {"list", ios_do_list, 1, 1, 0, "CARTRIDGE",
     "list the files of a cartridge and their key labels"},
    {"rebuild-cm", ios_do_rebuild, 1, 1, 0, "CARTRIDGE",
     "make the cartridge memory (CARTRIDGE.cm) again from the tape"},
    {"translate", ios_do_translate, 1, 1, DRIVE | MEMBER | NET | LABELS | SEQ | STEP,
     "--kl1 LABEL [OPTION...] CARTRIDGE",
     "have the key manager wrap a file's key for other labels, and print the EEDKs"},
    {"display", ios_do_display, 0, 0, DRIVE | MEMBER | NET | VERIFY,
     "[--verify=PRIMARY|SECONDARY|ALL] [OPTION...]", "D IOS,EKM: show the key managers, try them"},
    {"setios", ios_do_setios, 1, -1, MEMBER, "-i MEMBER \"EKM,PRIMARY=host:port,...\"",
     "SETIOS EKM: change the EKM statements of an IECIOSxx member"},
    {"explain", ios_do_explain, 1, -1, 0, "EKM=05EE31 | EE31...",
     "tell what a device code means and what to do"},
    {"array-init", ios_do_array_init, 1, 1, NEW, "--serial S --wwn W [OPTION...] DIR",
     "make key and certificate request of a new disk array in DIR; then install"},
    {"array-configure", ios_do_array_configure, 0, 0, ARRAY | MEMBER | NET | LABELS | GROUP,
     "[--group=ID] [--kl1 LABEL [--kl2 LABEL]] [OPTION...]",
     "make the encryption group of an array, under a data key of the key managers"},
    {"array-poweron", ios_do_array_poweron, 0, 0, ARRAY | MEMBER | NET | RECOVERY | POWER,
     "[--recovery=FILE|-] [OPTION...]",
     "switch an array on; it is locked until a key manager answers, and runs until poweroff"},
    {"array-poweroff", ios_do_array_poweroff, 0, 0, ARRAY, "[-A DIR]",
     "switch an array off; its keys are wiped"},
    {"array-write", ios_do_array_write, 1, 2, ARRAY, "[-A DIR] VOLUME [FILE]",
     "write a volume image from FILE (- or none: standard input)"},
    {"array-read", ios_do_array_read, 1, 2, ARRAY, "[-A DIR] VOLUME [OUT]",
     "read a volume image into OUT (- or none: standard output)"},
    {"array-relabel", ios_do_array_relabel, 0, 0, ARRAY | MEMBER | NET | LABELS,
     "--kl1 LABEL [--kl2 LABEL] [OPTION...]",
     "have the key manager wrap the data key of an array for other labels"},
    {"array-rekey", ios_do_array_rekey, 1, 1, ARRAY | MEMBER | NET | LABELS | RECOVERY,
     "[OPTION...] prepare | commit | abandon", "give an array a new data key, in two steps"},
    {"array-recovery", ios_do_array_recovery, 1, 1, ARRAY | MEMBER | NET | RECOVERY,
     "[OPTION...] create | verify | disable",
     "the recovery key of an array: show it once, type it back, take it out of force"},
    {"array-display", ios_do_array_display, 0, 0, ARRAY, "[-A DIR]",
     "show an array: power, key labels, rekey, recovery key, volumes"},
};

klm_rc ios_usage(struct ios_run *run, const char *what)
{
    klm_say(KLM_MSG_IOS_USAGE, run->name, what);
    run->status = IOS_EXIT_USAGE;
    return KLM_E_USAGE;
}

#define OPTION(group, long_name, short_name, kind, at, help, what)                                 \
    {                                                                                              \
        (group),                                                                                   \
        {                                                                                          \
            (long_name), (short_name), (kind), (at), 0, (help), (what)                             \
        }                                                                                          \
    }

/* The options of a command, of all groups it takes, closed by popt's own. table has room for all. */
static void options_of(struct ios_run *run, unsigned groups, struct poptOption *table)
{
    static const struct poptOption last[] = {POPT_AUTOHELP POPT_TABLEEND};
    const struct {
        unsigned group;
        struct poptOption option;
    } all[] = {
        OPTION(NEW, "serial", 's', POPT_ARG_STRING, &run->serial,
               "serial number, 10 digits or 12 letters and digits", "S"),
        OPTION(NEW, "wwn", 'w', POPT_ARG_STRING, &run->wwn,
               "world-wide name, 16 hexadecimal digits", "W"),
        OPTION(NEW, "kind", 'k', POPT_ARG_STRING, &run->kind, "3592 (default), LTO or DS8000",
               "KIND"),
        OPTION(NEW, "key-type", 't', POPT_ARG_STRING, &run->key_type,
               "ec:P-256 (default), ec:P-384, rsa:2048, rsa:3072, rsa:4096", "TYPE"),
        OPTION(CERT, "cert", 'c', POPT_ARG_STRING, &run->cert, "the signed certificate, DER or PEM",
               "FILE"),
        OPTION(CERT, "ca", 'a', POPT_ARG_STRING, &run->ca,
               "the authority that signed it and the key managers' certificates", "FILE"),
        OPTION(DRIVE, "drive", 'd', POPT_ARG_STRING, &run->drive_dir,
               "folder of the drive (default: $KLM_DRIVE)", "DIR"),
        OPTION(ARRAY, "array", 'A', POPT_ARG_STRING, &run->array_dir,
               "folder of the array (default: $KLM_ARRAY)", "DIR"),
        OPTION(GROUP, "group", 'g', POPT_ARG_STRING, &run->group,
               "encryption group, 1 to 6 characters (default: EG0001)", "ID"),
        OPTION(RECOVERY, "recovery", 'r', POPT_ARG_STRING, &run->recovery,
               "recovery key from FILE, - for a prompt", "FILE"),
        OPTION(POWER, "wait", 0, POPT_ARG_STRING, &run->wait,
               "end when it is still locked after so long (default: never)", "SECONDS"),
        OPTION(POWER, "retry", 0, POPT_ARG_STRING, &run->retry,
               "longest time between tries (default: 30)", "SECONDS"),
        OPTION(MEMBER, "iecios", 'i', POPT_ARG_STRING, &run->member,
               "IECIOSxx member (default: $KLM_IECIOS)", "FILE"),
        OPTION(LABELS, "kl1", 0, POPT_ARG_STRING, &run->kl[0], "first key label", "LABEL"),
        OPTION(LABELS, "enc1", 0, POPT_ARG_STRING, &run->enc[0], "its encoding: L (default) or H",
               "L|H"),
        OPTION(LABELS, "kl2", 0, POPT_ARG_STRING, &run->kl[1], "second key label", "LABEL"),
        OPTION(LABELS, "enc2", 0, POPT_ARG_STRING, &run->enc[1], "its encoding", "L|H"),
        OPTION(TAPE, "volser", 'v', POPT_ARG_STRING, &run->volser,
               "volume serial number; needed for a new cartridge", "VOLSER"),
        OPTION(TAPE, "dsn", 'n', POPT_ARG_STRING, &run->dsname,
               "data set name (default: IOSDRIVE.DATA)", "NAME"),
        OPTION(TAPE, "append", 'A', POPT_ARG_NONE, &run->append,
               "write behind the files that are there", NULL),
        OPTION(TAPE, "stored", 0, POPT_ARG_NONE, &run->stored, "do not compress", NULL),
        OPTION(SEQ, "fileseq", 'f', POPT_ARG_STRING, &run->fileseq,
               "file sequence number (default: 1)", "N"),
        OPTION(STEP, "dd", 0, POPT_ARG_STRING, &run->dd, "DD name in messages (default: SYSUT2)",
               "NAME"),
        OPTION(STEP, "job", 0, POPT_ARG_STRING, &run->job,
               "job name in labels and messages (default: IOSDRIVE)", "NAME"),
        OPTION(STEP, "step", 0, POPT_ARG_STRING, &run->step, "step name (default: STEP1)", "NAME"),
        OPTION(STEP, "unit", 0, POPT_ARG_STRING, &run->unit,
               "device number in messages (default: end of the serial number)", "UNIT"),
        OPTION(VERIFY, "verify", 'V', POPT_ARG_STRING, &run->verify,
               "try a session and a verify exchange: PRIMARY, SECONDARY or ALL", "WHICH"),
        OPTION(NET, "ssl", 0, POPT_ARG_NONE, &run->ssl,
               "the ports are SSL ports: TLS from the first byte", NULL),
        OPTION(NET, "tls12", 0, POPT_ARG_NONE, &run->tls12, "speak TLS 1.2 too", NULL),
        OPTION(NET, "timeout", 0, POPT_ARG_STRING, &run->timeout,
               "seconds that a key manager has for an answer (default: 5)", "SECONDS"),
    };
    size_t n = 0;

    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        if (all[i].group & groups) {
            table[n++] = all[i].option;
        }
    }
    memcpy(table + n, last, sizeof last);
}

#define OPTIONS_MAX 48

static void print_commands(FILE *to)
{
    fprintf(to, "Usage: iosdrive COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(to, "  %-15s %s\n", "system",
            "a storage system with KMIP key servers; iosdrive system --help tells its commands");
    fprintf(to, "\niosdrive COMMAND --help tells the options of a command. $KLM_DRIVE, "
                "$KLM_ARRAY and\n$KLM_IECIOS name the drive, the array and the IECIOSxx member "
                "when no option does.\n");
}

klm_rc ios_run_options(struct ios_run *run, int least, int most, const char *usage)
{
    char text[300];
    int rc = poptGetNextOpt(run->popt);

    if (rc < -1) {
        snprintf(text, sizeof text, "%s: %s", poptBadOption(run->popt, POPT_BADOPTION_NOALIAS),
                 poptStrerror(rc));
        return ios_usage(run, text);
    }
    run->args = poptGetArgs(run->popt);
    while (run->args && run->args[run->args_n]) {
        run->args_n++;
    }
    if (run->args_n < (size_t)least || (most >= 0 && run->args_n > (size_t)most)) {
        snprintf(text, sizeof text, "usage: %s %s", run->name, usage);
        return ios_usage(run, text);
    }
    return KLM_OK;
}

int ios_run_end(struct ios_run *run, klm_rc rc)
{
    if (rc == KLM_OK) {
        return IOS_EXIT_OK;
    }
    if (rc == KLM_E_USAGE && run->status) {
        return run->status;
    }
    if (run->diag.msg != KLM_MSG_NONE) {
        char action[KLM_MSG_TEXT_MAX];

        klm_say_diag(&run->diag);
        snprintf(action, sizeof action, "  %s", klm_msg(run->diag.msg)->action);
        klm_say_line(action);
    } else {
        klm_say(KLM_MSG_IOS_FAILED, run->name, klm_rc_text(rc));
    }
    return IOS_EXIT_FAILED;
}

static void free_texts(struct ios_run *run)
{
    char *const texts[] = {run->drive_dir, run->member, run->serial, run->wwn,       run->kind,
                           run->key_type,  run->cert,   run->ca,     run->verify,    run->kl[0],
                           run->kl[1],     run->enc[0], run->enc[1], run->dsname,    run->volser,
                           run->unit,      run->dd,     run->job,    run->step,      run->fileseq,
                           run->timeout,   run->wait,   run->retry,  run->array_dir, run->group,
                           run->recovery};

    for (size_t i = 0; i < KLM_COUNT(texts); i++) {
        free(texts[i]);
    }
}

static int run_command(const struct command *command, int argc, const char **argv)
{
    struct ios_run run = {0};
    struct poptOption table[OPTIONS_MAX];
    char name[40];
    klm_rc rc;
    int status;

    snprintf(name, sizeof name, "iosdrive %s", command->name);
    run.name = name;
    argv[0] = name; /* for popt's usage lines */
    options_of(&run, command->options, table);
    run.popt = poptGetContext(name, argc, argv, table, 0);
    poptSetOtherOptionHelp(run.popt, command->usage);
    rc = ios_run_options(&run, command->least, command->most, command->usage);
    if (rc == KLM_OK) {
        rc = command->run(&run);
    }
    status = ios_run_end(&run, rc);
    poptFreeContext(run.popt);
    free_texts(&run);
    return status;
}

int ios_command(int argc, const char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    struct ios_run none = {.name = "iosdrive"};

    for (size_t i = 0; i < KLM_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return run_command(&commands[i], argc - 1, argv + 1);
        }
    }
    if (strcmp(name, "system") == 0) {
        return ios_system_command(argc - 1, argv + 1);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0 || strcmp(name, "help") == 0) {
        print_commands(stdout);
        return IOS_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("iosdrive %s\n", KLM_VERSION);
        return IOS_EXIT_OK;
    }
    KLM_IGNORE(ios_usage(&none, name[0] ? "there is no such command" : "a command is missing"));
    print_commands(stderr);
    return IOS_EXIT_USAGE;
}
