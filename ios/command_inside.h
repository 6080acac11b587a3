/* Inside of the commands: options, their outcome, and the steps that several commands share. */
#ifndef IOS_COMMAND_INSIDE_H
#define IOS_COMMAND_INSIDE_H

#include "ios/ops.h"

#include <popt.h>

enum { IOS_EXIT_OK, IOS_EXIT_FAILED, IOS_EXIT_USAGE };

/* One run of one command. Text that popt gives is freed with it. */
struct ios_run {
    const char *name; /* "iosdrive write" */
    poptContext popt;
    const char **args; /* what is left behind the options */
    size_t args_n;
    struct klm_diag diag;
    struct ios_fault fault;
    int status; /* of a usage error */

    char *drive_dir, *member;
    char *serial, *wwn, *kind, *key_type, *cert, *ca, *verify;
    char *kl[KX_EEDKS], *enc[KX_EEDKS];
    char *dsname, *volser, *unit, *dd, *job, *step;
    char *array_dir, *group, *recovery;
    char *fileseq, *timeout, *wait, *retry; /* numbers: popt leaks those that are none */
    int append, stored, ssl, tls12;
};

/* popt's options and arguments, of which there are least to most (-1: any number); usage is what a wrong number is told. KLM_E_USAGE. */
klm_rc ios_run_options(struct ios_run *run, int least, int most, const char *usage) KLM_MUST_USE;
/* Say why it failed; the exit code. */
int ios_run_end(struct ios_run *run, klm_rc rc);
/* "iosdrive system COMMAND ..." (command_system.c), argv[0] being "system". The exit code. */
int ios_system_command(int argc, const char **argv);
/* A usage error: said, and status is set. Returns KLM_E_USAGE. */
klm_rc ios_usage(struct ios_run *run, const char *what) KLM_MUST_USE;
/* Drive folder and member of the options, else of the environment. KLM_E_USAGE. */
klm_rc ios_run_member(struct ios_run *run, const char **out) KLM_MUST_USE;
/* The identity in a folder, and the key managers of the options for it. The caller frees *drive. */
klm_rc ios_run_config(struct ios_run *run, const char *dir, struct ios_drive **drive,
                      struct ios_hosts_config *config) KLM_MUST_USE;
/* Drive and key managers of the options. */
klm_rc ios_run_hosts(struct ios_run *run, struct ios_drive **drive, struct ios_hosts **hosts)
    KLM_MUST_USE;
/* A number from 1 to most in an option; standard when it is not given. */
klm_rc ios_run_number(struct ios_run *run, const char *text, unsigned standard, unsigned most,
                      const char *what, unsigned *out) KLM_MUST_USE;
/* Labels of --kl1 --enc1 --kl2 --enc2. */
klm_rc ios_run_labels(struct ios_run *run, struct kx_label labels[KX_EEDKS], uint8_t *n)
    KLM_MUST_USE;
/* Who asks, for messages of the host. */
struct ios_step ios_run_step(const struct ios_run *run, const struct ios_drive *drive,
                             const char *volser);
/* When a key exchange failed: the lines of IOS000I. */
void ios_run_key_failed(struct ios_run *run, klm_rc rc, const struct ios_drive *drive,
                        const char *volser);
/* A buffer to standard output. KLM_E_IO with a message. */
klm_rc ios_run_print(struct ios_run *run, struct klm_buf *buf) KLM_MUST_USE;

/* The commands. KLM_E_USAGE: a usage error was said; other failures are in run->diag. */
klm_rc ios_do_init(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_install(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_write(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_read(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_list(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_rebuild(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_translate(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_display(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_setios(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_explain(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_init(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_configure(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_relabel(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_rekey(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_recovery(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_poweron(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_poweroff(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_write(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_read(struct ios_run *run) KLM_MUST_USE;
klm_rc ios_do_array_display(struct ios_run *run) KLM_MUST_USE;

#endif
