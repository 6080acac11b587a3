/* Commands on cartridges. */
#include "ios/command_inside.h"

#include "ios/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX (4u << 20)

static void say_note(const struct ios_cart *cart)
{
    if (ios_cart_note(cart)->msg != KLM_MSG_NONE) {
        klm_say_diag(ios_cart_note(cart));
    }
}

static bool is_standard(const char *name)
{
    return !name || strcmp(name, "-") == 0;
}

static klm_rc open_file(struct ios_run *run, const char *name, int flags, int *fd)
{
    char why[128];

    *fd = open(name, flags | O_CLOEXEC | O_NOCTTY, 0600);
    return *fd >= 0 ? KLM_OK
                    : klm_fail(&run->diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, name,
                               strerror_r(errno, why, sizeof why));
}

/* ---- write */

/* All that one run of write holds. */
struct writing {
    struct ios_write spec;
    struct ios_drive *drive;
    struct ios_hosts *hosts;
    struct ios_cart *cart;
    bool made;       /* the cartridge is new */
    unsigned number; /* of IEC205I messages */
};

static void writing_done(struct writing *w)
{
    ios_cart_free(&w->cart);
    ios_hosts_free(&w->hosts);
    ios_drive_free(&w->drive);
}

static klm_rc report(struct ios_run *run, struct writing *w, const struct ios_written *written)
{
    struct ios_step step = ios_run_step(run, w->drive, ios_cart_volser(w->cart));
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, 4096);
    ios_show_volume(&text, ++w->number, &step, &written->info, written->labels, written->labels_n);
    return ios_run_print(run, &text);
}

static klm_rc write_fd(struct ios_run *run, struct writing *w, int fd, const char *name)
{
    struct ios_written written;
    klm_rc rc =
        ios_op_write(w->cart, &w->spec, w->hosts, fd, name, &written, &run->fault, &run->diag);

    if (rc != KLM_OK) {
        ios_run_key_failed(run, rc, w->drive, ios_cart_volser(w->cart));
        return rc;
    }
    return report(run, w, &written);
}

static klm_rc write_name(struct ios_run *run, struct writing *w, const char *name)
{
    klm_rc rc;
    int fd;

    if (is_standard(name)) {
        return write_fd(run, w, STDIN_FILENO, "standard input");
    }
    KLM_TRY(open_file(run, name, O_RDONLY, &fd));
    rc = write_fd(run, w, fd, name);
    close(fd);
    return rc;
}

static klm_rc write_all(struct ios_run *run, struct writing *w)
{
    klm_rc rc = KLM_OK;

    if (run->args_n == 1) {
        return write_name(run, w, "-");
    }
    for (size_t i = 1; rc == KLM_OK && i < run->args_n; i++) {
        rc = write_name(run, w, run->args[i]);
    }
    return rc;
}

/* A volume that was initialised for a write that came to nothing is taken away again. */
static void forget_new(struct writing *w)
{
    char cm[4096];

    if (w->made && w->cart && ios_cart_files(w->cart) == 0) {
        (void)unlink(w->spec.path);
        if (snprintf(cm, sizeof cm, "%s.cm", w->spec.path) < (int)sizeof cm) {
            (void)unlink(cm);
        }
    }
}

static klm_rc name_ok(struct ios_run *run, const char *value, const char *what)
{
    const char *set = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$";

    return strlen(value) >= 1 && strlen(value) <= 8 && strspn(value, set) == strlen(value)
               ? KLM_OK
               : ios_usage(run, what);
}

static klm_rc check_names(struct ios_run *run, const struct ios_step *step, const char *dsname)
{
    KLM_TRY(name_ok(run, step->dd, "--dd: 1 to 8 capital letters and digits"));
    KLM_TRY(name_ok(run, step->job, "--job: 1 to 8 capital letters and digits"));
    KLM_TRY(name_ok(run, step->step, "--step: 1 to 8 capital letters and digits"));
    if (run->volser && ios_volser_check(run->volser) != KLM_OK) {
        return ios_usage(run, "--volser: 1 to 6 capital letters, digits, @ # $ and -");
    }
    if (ios_dsname_check(dsname) != KLM_OK) {
        return ios_usage(run, "--dsn: 1 to 44 capital letters, digits, @ # $ - and dots");
    }
    if (!run->volser && access(run->args[0], F_OK) != 0) {
        return ios_usage(run, "-v VOLSER is needed for a new cartridge");
    }
    return KLM_OK;
}

klm_rc ios_do_write(struct ios_run *run)
{
    KLM_AUTO(writing_done) struct writing w = {.spec.path = run->args[0]};
    struct ios_write *spec = &w.spec;
    struct ios_step step;
    klm_rc rc;

    spec->volser = run->volser ? run->volser : "";
    spec->dsname = run->dsname ? run->dsname : "IOSDRIVE.DATA";
    spec->append = run->append;
    spec->stored = run->stored;
    KLM_TRY(ios_run_labels(run, spec->labels, &spec->labels_n));
    KLM_TRY(ios_run_hosts(run, &w.drive, &w.hosts));
    spec->by_id = w.drive->kind == IOS_DRIVE_LTO;
    if (spec->by_id && spec->labels_n > 0) {
        return ios_usage(run,
                         "an LTO drive has no key labels: its key manager names the stored key");
    }
    step = ios_run_step(run, w.drive, "");
    KLM_TRY(check_names(run, &step, spec->dsname));
    spec->job = step.job;
    spec->step = step.step;
    KLM_TRY(ios_op_mount(spec, &run->diag, &w.cart, &w.made));
    say_note(w.cart);
    rc = write_all(run, &w);
    if (rc != KLM_OK) {
        forget_new(&w);
    }
    return rc;
}

/* ---- read and its kin */

static klm_rc seq_of(struct ios_run *run, unsigned *seq)
{
    return ios_run_number(run, run->fileseq, 1, IOS_FILESEQ_MAX, "--fileseq: 1 to 9999", seq);
}

static klm_rc mount_read(struct ios_run *run, struct ios_cart **cart)
{
    KLM_TRY(ios_cart_open(run->args[0], IOS_CART_READ, &run->diag, cart));
    say_note(*cart);
    return KLM_OK;
}

static klm_rc close_out(struct ios_run *run, int fd, const char *name, klm_rc rc)
{
    if (close(fd) != 0 && rc == KLM_OK) {
        rc = klm_fail(&run->diag, KLM_E_IO, KLM_MSG_FILE_WRITE, name, klm_rc_text(KLM_E_IO));
    }
    return rc;
}

static klm_rc read_to(struct ios_run *run, struct ios_cart *cart, unsigned seq,
                      struct ios_drive *drive, struct ios_hosts *hosts)
{
    const char *name = run->args_n > 1 ? run->args[1] : "-";
    bool standard = is_standard(name);
    uint64_t given = 0;
    int fd = STDOUT_FILENO;
    klm_rc rc;

    if (!standard) {
        KLM_TRY(open_file(run, name, O_WRONLY | O_CREAT | O_TRUNC, &fd));
    }
    rc = ios_op_read(cart, seq, hosts, fd, standard ? "standard output" : name, &given, &run->fault,
                     &run->diag);
    if (rc != KLM_OK) {
        ios_run_key_failed(run, rc, drive, ios_cart_volser(cart));
    }
    if (rc != KLM_OK && given) {
        klm_say(KLM_MSG_IOS_PARTLY, KLM_NUM(seq), ios_cart_volser(cart), KLM_NUM(given));
    }
    return standard ? rc : close_out(run, fd, name, rc);
}

klm_rc ios_do_read(struct ios_run *run)
{
    KLM_AUTO(ios_drive_free) struct ios_drive *drive = NULL;
    KLM_AUTO(ios_hosts_free) struct ios_hosts *hosts = NULL;
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = NULL;
    unsigned seq = 0;

    KLM_TRY(seq_of(run, &seq));
    KLM_TRY(ios_run_hosts(run, &drive, &hosts));
    KLM_TRY(mount_read(run, &cart));
    if (seq > ios_cart_files(cart)) { /* told before an output file is emptied for it */
        return klm_fail(&run->diag, KLM_E_NOTFOUND, KLM_MSG_CART_NO_FILE, KLM_NUM(seq),
                        ios_cart_volser(cart));
    }
    return read_to(run, cart, seq, drive, hosts);
}

klm_rc ios_do_list(struct ios_run *run)
{
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    klm_rc rc;

    klm_buf_init(&text, LIST_MAX);
    KLM_TRY(mount_read(run, &cart));
    rc = ios_op_list(cart, &text);
    KLM_TRY(ios_run_print(run, &text));
    return rc;
}

klm_rc ios_do_rebuild(struct ios_run *run)
{
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = NULL;

    KLM_TRY(mount_read(run, &cart));
    KLM_TRY(ios_cm_rebuild(cart, &run->diag));
    klm_say(KLM_MSG_IOS_CM_MADE, ios_cart_volser(cart), KLM_NUM(ios_cart_files(cart)));
    return KLM_OK;
}

static klm_rc print_eedks(struct ios_run *run, const struct ios_keyed *keyed)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char hex[2 * KX_EEDK_MAX + 1];

    klm_buf_init(&text, 3 * sizeof hex);
    for (size_t i = 0; i < keyed->eedk_n; i++) {
        const struct kx_label *label = &keyed->labels[i < keyed->labels_n ? i : 0];

        klm_hex_upper(keyed->eedk[i].p, keyed->eedk[i].n, hex);
        klm_buf_printf(&text, "EEDK%zu %c:%s ", i + 1, label->encoding, label->label);
        klm_buf_text(&text, hex);
        klm_buf_text(&text, "\n");
    }
    return ios_run_print(run, &text);
}

klm_rc ios_do_translate(struct ios_run *run)
{
    KLM_AUTO(ios_drive_free) struct ios_drive *drive = NULL;
    KLM_AUTO(ios_hosts_free) struct ios_hosts *hosts = NULL;
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = NULL;
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;
    struct kx_label labels[KX_EEDKS] = {0};
    uint8_t labels_n = 0;
    unsigned seq = 0;
    klm_rc rc;

    KLM_TRY(seq_of(run, &seq));
    KLM_TRY(ios_run_labels(run, labels, &labels_n));
    KLM_TRY(ios_run_hosts(run, &drive, &hosts));
    KLM_TRY(mount_read(run, &cart));
    rc = ios_op_translate(cart, seq, hosts, labels, labels_n, &keyed, &run->fault, &run->diag);
    if (rc != KLM_OK) {
        ios_run_key_failed(run, rc, drive, ios_cart_volser(cart));
        return rc;
    }
    return print_eedks(run, keyed);
}
