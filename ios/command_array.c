/* Commands on disk arrays. */
#include "ios/command_inside.h"

#include "base/file.h"
#include "base/prompt.h"
#include "base/secret.h"
#include "ios/array_link.h"
#include "ios/array_show.h"
#include "ios/array_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX 1024 /* bytes of a file with a recovery key */

/* What most of them need. */
struct work {
    const char *dir;
    struct ios_drive *drive;
    struct ios_hosts *hosts;
    struct ios_hosts_config config;
    struct ios_labels labels;
};

static void work_done(struct work *work)
{
    ios_hosts_free(&work->hosts);
    ios_drive_free(&work->drive);
}

static klm_rc folder_of(struct ios_run *run, const char **out)
{
    const char *env = getenv("KLM_ARRAY");

    *out = run->array_dir ? run->array_dir : env && *env ? env : NULL;
    return *out ? KLM_OK : ios_usage(run, "no array: give -A DIR, or set KLM_ARRAY");
}

/* Folder, identity and key managers, all of a disk system. */
static klm_rc begin(struct ios_run *run, struct work *work)
{
    KLM_TRY(folder_of(run, &work->dir));
    KLM_TRY(ios_run_config(run, work->dir, &work->drive, &work->config));
    if (work->drive->kind != IOS_KIND_DS8000) {
        return klm_fail(&run->diag, KLM_E_INVALID, KLM_MSG_ARRAY_KIND, work->dir,
                        ios_drive_kind_name(work->drive->kind));
    }
    return ios_run_labels(run, work->labels.label, &work->labels.n);
}

static klm_rc begin_hosts(struct ios_run *run, struct work *work)
{
    KLM_TRY(begin(run, work));
    return ios_hosts_new(&work->config, &run->diag, &work->hosts);
}

/* The lines of IOS000I when a key manager was asked in vain. */
static klm_rc ended(struct ios_run *run, const struct work *work, klm_rc rc)
{
    if (rc != KLM_OK) {
        ios_run_key_failed(run, rc, work->drive, "ARRAY");
    }
    return rc;
}

/* ---- Recovery keys as typed */

static klm_rc prompt_parts(struct ios_run *run, char out[SECRET_MAX])
{
    const size_t half = SECRET_MAX / 2;

    if (klm_prompt_secret("Recovery key, part 1: ", out, half) != KLM_OK ||
        klm_prompt_secret("Recovery key, part 2: ", out + strlen(out), half) != KLM_OK) {
        return klm_fail(&run->diag, KLM_E_CLOSED, KLM_MSG_RECOVERY_TEXT);
    }
    return KLM_OK;
}

static klm_rc file_parts(struct ios_run *run, const char *name, char out[SECRET_MAX])
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init_wiping(&text, SECRET_MAX - 1);
    KLM_TRY(klm_file_read(name, SECRET_MAX - 1, &text, &run->diag));
    if (text.n == 0 || memchr(text.p, 0, text.n)) {
        return klm_fail(&run->diag, KLM_E_INVALID, KLM_MSG_RECOVERY_TEXT);
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return KLM_OK;
}

/* From a file, or (-) from a prompt without echo; secret memory of SECRET_MAX bytes, the caller frees it. */
static klm_rc read_recovery(struct ios_run *run, const char *name, char **out)
{
    char *text = klm_secret_alloc(SECRET_MAX);
    klm_rc rc = KLM_E_NOMEM;

    if (text) {
        rc = strcmp(name, "-") == 0 ? prompt_parts(run, text) : file_parts(run, name, text);
    }
    if (rc == KLM_OK) {
        *out = text;
    } else {
        klm_secret_free(text, SECRET_MAX);
    }
    return rc;
}

/* ---- The identity and the group */

klm_rc ios_do_array_init(struct ios_run *run)
{
    const char *dir = run->args[0];
    const struct ios_drive_spec spec = {run->serial, run->wwn, "DS8000", run->key_type};

    if (!run->serial || !run->wwn) {
        return ios_usage(run, "--serial and --wwn are needed");
    }
    KLM_TRY(ios_drive_init(dir, &spec, &run->diag));
    klm_say(KLM_MSG_IOS_MADE, dir);
    return KLM_OK;
}

static klm_rc check_group(struct ios_run *run, const char *group)
{
    size_t n = strlen(group);

    return n >= 1 && n <= 6 && strspn(group, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#$@-") == n
               ? KLM_OK
               : ios_usage(run, "--group: 1 to 6 capital letters, digits, @ # $ and hyphen");
}

/* What is in force now, told to the operator. */
static klm_rc tell_group(struct ios_run *run, const char *dir, enum klm_msg_id msg)
{
    struct ios_array_state state;
    char labels[IOS_SHOW_LABELS];

    KLM_TRY(ios_array_load(dir, &run->diag, &state));
    ios_show_labels(&state.set[state.sets_n - 1], labels);
    klm_say(msg, state.serial, state.group, labels);
    return KLM_OK;
}

klm_rc ios_do_array_configure(struct ios_run *run)
{
    KLM_AUTO(work_done) struct work work = {0};
    const char *group = run->group ? run->group : "EG0001";

    KLM_TRY(check_group(run, group));
    KLM_TRY(begin_hosts(run, &work));
    KLM_TRY(ended(run, &work,
                  ios_array_configure(work.dir, work.drive, group, &work.labels, work.hosts,
                                      &run->fault, &run->diag)));
    return tell_group(run, work.dir, KLM_MSG_ARRAY_CONFIGURED);
}

klm_rc ios_do_array_relabel(struct ios_run *run)
{
    KLM_AUTO(work_done) struct work work = {0};

    if (!run->kl[0]) {
        return ios_usage(run, "--kl1 is needed");
    }
    KLM_TRY(begin_hosts(run, &work));
    KLM_TRY(ended(run, &work,
                  ios_array_relabel(work.dir, &work.labels, work.hosts, &run->fault, &run->diag)));
    return tell_group(run, work.dir, KLM_MSG_ARRAY_RELABELLED);
}

/* ---- Rekey */

static klm_rc prepare(struct ios_run *run, struct work *work)
{
    char *recovery = NULL;
    klm_rc rc;

    if (run->recovery) {
        KLM_TRY(read_recovery(run, run->recovery, &recovery));
    }
    rc = ios_array_rekey_prepare(work->dir, &work->labels, recovery, work->hosts, &run->fault,
                                 &run->diag);
    klm_secret_free(recovery, SECRET_MAX);
    return rc;
}

static klm_rc abandon(struct ios_run *run)
{
    struct ios_array_state state;
    const char *dir;

    KLM_TRY(folder_of(run, &dir));
    KLM_TRY(ios_array_rekey_abandon(dir, &run->diag));
    KLM_TRY(ios_array_load(dir, &run->diag, &state));
    klm_say(KLM_MSG_REKEY_ABANDONED, state.serial, state.group);
    return KLM_OK;
}

klm_rc ios_do_array_rekey(struct ios_run *run)
{
    KLM_AUTO(work_done) struct work work = {0};
    const char *what = run->args[0];

    if (strcmp(what, "abandon") == 0) {
        return abandon(run);
    }
    if (strcmp(what, "prepare") != 0 && strcmp(what, "commit") != 0) {
        return ios_usage(run, "prepare, commit or abandon");
    }
    KLM_TRY(begin_hosts(run, &work));
    if (strcmp(what, "prepare") == 0) {
        KLM_TRY(ended(run, &work, prepare(run, &work)));
        return tell_group(run, work.dir, KLM_MSG_REKEY_PREPARED);
    }
    KLM_TRY(
        ended(run, &work, ios_array_rekey_commit(work.dir, work.hosts, &run->fault, &run->diag)));
    return tell_group(run, work.dir, KLM_MSG_REKEY_COMMITTED);
}

/* ---- Recovery key */

static klm_rc create_recovery(struct ios_run *run, struct work *work)
{
    char *text = klm_secret_alloc(IOS_RECOVERY_TEXT);
    klm_rc rc = KLM_E_NOMEM;

    if (text) {
        rc =
            ended(run, work,
                  ios_array_recovery_create(work->dir, work->hosts, &run->fault, &run->diag, text));
    }
    if (rc == KLM_OK && klm_write_all(STDOUT_FILENO, text, strlen(text)) != KLM_OK) {
        rc = klm_fail(&run->diag, KLM_E_IO, KLM_MSG_FILE_WRITE, "standard output",
                      klm_rc_text(KLM_E_IO));
    }
    klm_secret_free(text, IOS_RECOVERY_TEXT);
    KLM_TRY(rc);
    klm_say(KLM_MSG_RECOVERY_SHOWN, work->drive->serial);
    return KLM_OK;
}

static klm_rc verify_recovery(struct ios_run *run)
{
    const char *dir;
    char *text = NULL;
    klm_rc rc;

    KLM_TRY(folder_of(run, &dir));
    KLM_TRY(read_recovery(run, run->recovery ? run->recovery : "-", &text));
    rc = ios_array_recovery_verify(dir, text, &run->diag);
    klm_secret_free(text, SECRET_MAX);
    KLM_TRY(rc);
    klm_say(KLM_MSG_RECOVERY_READY, dir);
    return KLM_OK;
}

klm_rc ios_do_array_recovery(struct ios_run *run)
{
    KLM_AUTO(work_done) struct work work = {0};
    const char *what = run->args[0];

    if (strcmp(what, "verify") == 0) {
        return verify_recovery(run);
    }
    if (strcmp(what, "create") != 0 && strcmp(what, "disable") != 0) {
        return ios_usage(run, "create, verify or disable");
    }
    KLM_TRY(begin_hosts(run, &work));
    if (strcmp(what, "create") == 0) {
        return create_recovery(run, &work);
    }
    KLM_TRY(ended(run, &work,
                  ios_array_recovery_disable(work.dir, work.hosts, &run->fault, &run->diag)));
    klm_say(KLM_MSG_RECOVERY_OFF, work.drive->serial);
    return KLM_OK;
}

/* ---- Power */

klm_rc ios_do_array_poweron(struct ios_run *run)
{
    KLM_AUTO(work_done) struct work work = {0};
    struct ios_power power = {.hosts = &work.config};
    char *recovery = NULL;
    klm_rc rc;

    KLM_TRY(
        ios_run_number(run, run->retry, 30, 3600, "--retry: 1 to 3600 seconds", &power.retry_s));
    KLM_TRY(ios_run_number(run, run->wait, 0, 86400, "--wait: 1 to 86400 seconds", &power.wait_s));
    KLM_TRY(begin(run, &work));
    power.dir = work.dir;
    work.config.probe_ms = 1000; /* the primary first, each time */
    if (run->recovery) {
        KLM_TRY(read_recovery(run, run->recovery, &recovery));
        power.recovery = recovery;
    }
    rc = ios_array_power(&power, &run->diag);
    klm_secret_free(recovery, SECRET_MAX);
    return rc;
}

static klm_rc ask(struct ios_run *run, const struct ios_link_request *request, int file,
                  struct ios_link_answer *answer)
{
    const char *dir;

    KLM_TRY(folder_of(run, &dir));
    KLM_TRY(ios_link_ask(dir, request, file, &run->diag, answer));
    switch ((enum ios_link_outcome)answer->outcome) {
    case IOS_LINK_DONE:
        return KLM_OK;
    case IOS_LINK_FAILED:
        return klm_fail(&run->diag, KLM_E_STATE, KLM_MSG_ARRAY_SAYS, answer->text);
    case IOS_LINK_LOCKED:
        return klm_fail(&run->diag, KLM_E_STATE, KLM_MSG_ARRAY_IS_LOCKED, answer->text);
    }
    return KLM_E_INVALID;
}

klm_rc ios_do_array_poweroff(struct ios_run *run)
{
    struct ios_link_answer answer;

    return ask(run, &(struct ios_link_request){.op = IOS_LINK_OFF}, -1, &answer);
}

/* ---- Volumes */

static klm_rc move(struct ios_run *run, enum ios_link_op op, int fd)
{
    struct ios_link_request request = {.op = (uint8_t)op};
    struct ios_link_answer answer = {0};
    const char *name = run->args[0];
    klm_rc rc;

    KLM_TRY(ios_volume_name(name, &run->diag));
    snprintf(request.name, sizeof request.name, "%s", name);
    rc = ask(run, &request, fd, &answer);
    if (rc == KLM_OK) {
        klm_say(op == IOS_LINK_READ ? KLM_MSG_VOLUME_READ : KLM_MSG_VOLUME_WRITTEN, name,
                KLM_NUM(answer.bytes));
    } else if (answer.bytes > 0 && op == IOS_LINK_READ) {
        klm_say(KLM_MSG_VOLUME_PARTLY, name, KLM_NUM(answer.bytes));
    }
    return rc;
}

/* With the file of the second argument, or the standard one. */
static klm_rc move_file(struct ios_run *run, enum ios_link_op op, int flags, int standard)
{
    const char *name = run->args_n > 1 ? run->args[1] : "-";
    char why[128];
    klm_rc rc;
    int fd;

    if (strcmp(name, "-") == 0) {
        return move(run, op, standard);
    }
    fd = open(name, flags | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        return klm_fail(&run->diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, name,
                        strerror_r(errno, why, sizeof why));
    }
    rc = move(run, op, fd);
    close(fd);
    return rc;
}

klm_rc ios_do_array_write(struct ios_run *run)
{
    return move_file(run, IOS_LINK_WRITE, O_RDONLY, STDIN_FILENO);
}

klm_rc ios_do_array_read(struct ios_run *run)
{
    return move_file(run, IOS_LINK_READ, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
}

/* ---- Display */

klm_rc ios_do_array_display(struct ios_run *run)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    struct ios_link_answer power = {.text = "OFF"};
    struct ios_array_state state;
    struct klm_diag off = {0};
    const char *dir;

    klm_buf_init(&out, IOS_SHOW_MAX);
    KLM_TRY(folder_of(run, &dir));
    KLM_TRY(ios_array_load(dir, &run->diag, &state));
    if (ios_link_ask(dir, &(struct ios_link_request){.op = IOS_LINK_STATUS}, -1, &off, &power) !=
            KLM_OK &&
        off.msg != KLM_MSG_ARRAY_IS_OFF) {
        snprintf(power.text, sizeof power.text, "ON, BUT IT DOES NOT ANSWER");
    }
    ios_show_array(&out, &state, power.text);
    KLM_TRY(ios_show_volumes(&out, dir));
    return ios_run_print(run, &out);
}
