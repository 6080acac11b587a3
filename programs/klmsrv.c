/* klmsrv: the started task, and the few things done to it besides: master key ceremony, verification, backup and restore. */
#include "backup/bk.h"
#include "base/file.h"
#include "base/prompt.h"
#include "base/secret.h"
#include "keyring/p11/uri.h"
#include "klmsrv/srv.h"
#include "programs/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX 8
#define PART_TEXT 130
#define SECRET_BYTES (2u << 20)
#define CERTS_MAX (1u << 20) /* bytes of a file of certificates */

static void say_vp(const char *what, const char *vp)
{
    printf("%s, verification pattern %s\n", what, vp);
}

/* ---- Parts of the master key: 64 hexadecimal digits, from a file or from a prompt without echo. */

static klm_rc read_part(const char *name, unsigned number, uint8_t part[32], struct klm_diag *diag)
{
    char text[PART_TEXT] = "", prompt[64], vp[KR_VP_MAX];
    struct klm_buf file;
    size_t n = 0;
    klm_rc rc;

    klm_buf_init_wiping(&file, PART_TEXT);
    if (strcmp(name, "-") == 0) {
        snprintf(prompt, sizeof prompt, "Key part %u (64 hexadecimal digits): ", number);
        rc = klm_prompt_secret(prompt, text, sizeof text);
    } else {
        rc = klm_file_read(name, PART_TEXT - 1, &file, diag);
        if (rc == KLM_OK && file.n > 0) {
            memcpy(text, file.p, file.n);
        }
    }
    klm_buf_done(&file);
    text[strcspn(text, "\r\n ")] = '\0';
    if (rc == KLM_OK && (klm_unhex(text, part, 32, &n) != KLM_OK || n != 32)) {
        rc = klm_fail(diag, KLM_E_INVALID, KLM_MSG_PART_FORM, name);
    }
    klm_wipe(text, sizeof text);
    if (rc == KLM_OK) {
        kr_part_vp(part, vp);
        say_vp(klm_num_((int64_t)number, (char[24]){0}), vp);
    }
    return rc;
}

static klm_rc save(struct kr_master *master, const char *path, struct klm_diag *diag)
{
    char vp[KR_VP_MAX], folder[4096];

    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    KLM_TRY(klm_folder_make(folder, 0700, diag));
    KLM_TRY(kr_master_save(master, path, diag));
    kr_master_vp(master, vp);
    say_vp("Master key sealed", vp);
    return KLM_OK;
}

static klm_rc prompt_pin(void *arg, uint8_t *pin, size_t cap, size_t *n)
{
    char text[256] = "";
    klm_rc rc = klm_prompt_secret("PIN of the token: ", text, sizeof text);
    size_t len = strcspn(text, "\r\n");

    (void)arg;
    if (rc == KLM_OK && len > 0 && len <= cap) {
        memcpy(pin, text, len);
        *n = len;
    } else if (rc == KLM_OK) {
        rc = KLM_E_INVALID;
    }
    klm_wipe(text, sizeof text);
    return rc;
}

static klm_rc make_in_token(const char *uri, const char **rest, struct klm_diag *diag)
{
    const struct srv_prompt prompt = {.ask = prompt_pin};

    if (!rest || !rest[0] || rest[1]) {
        fprintf(stderr, "klmsrv: --make-master %s expects the configuration file\n", uri);
        return KLM_E_USAGE;
    }
    return srv_make_master_in_token(uri, rest[0], &prompt, diag);
}

static klm_rc make_master(const char *path, const char **rest, struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;

    if (p11_uri_is(path)) {
        return make_in_token(path, rest, diag);
    }
    KLM_TRY(kr_master_generate(&master));
    return save(master, path, diag);
}

/* One officer's part; the last one makes the key. */
static klm_rc enter_part(const char *path, unsigned of, const char *name, uint8_t part[32],
                         struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    unsigned here = 0;
    uid_t officer;

    KLM_TRY(srv_officer(&officer, diag));
    KLM_TRY(read_part(name, 1, part, diag));
    KLM_TRY(srv_enter_part(path, of, officer, part, diag, &here, &master));
    printf("Part %u of %u, entered by user %u\n", here, of, officer);
    if (!master) {
        return KLM_OK;
    }
    KLM_TRY(save(master, path, diag));
    return srv_parts_drop(path, diag);
}

static klm_rc enter_as_officer(const char *path, int of, const char **names, struct klm_diag *diag)
{
    uint8_t *part;
    klm_rc rc;

    if (!names || !names[0] || names[1] || of < 0) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PART_ONE);
    }
    part = klm_secret_alloc(32);
    rc = part ? enter_part(path, (unsigned)of, names[0], part, diag) : KLM_E_NOMEM;
    klm_secret_free(part, 32);
    return rc;
}

/* All parts by whoever runs this: not what officers are for, so it has to be asked for. */
static klm_rc enter_alone(const char *path, const char **names, struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    uint8_t(*parts)[32] = klm_secret_alloc(PARTS_MAX * 32);
    size_t n = 0;
    klm_rc rc = parts ? KLM_OK : KLM_E_NOMEM;

    for (; rc == KLM_OK && names && names[n]; n++) {
        rc = n < PARTS_MAX ? read_part(names[n], (unsigned)n + 1, parts[n], diag) : KLM_E_LIMIT;
    }
    if (rc == KLM_OK && n < 2) {
        rc = klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARTS_FEW);
    }
    if (rc == KLM_OK) {
        rc = kr_master_from_parts((const uint8_t(*)[32])parts, n, &master);
    }
    klm_secret_free(parts, PARTS_MAX * 32);
    if (rc == KLM_OK) {
        rc = save(master, path, diag);
    }
    if (rc == KLM_OK) {
        klm_say(KLM_MSG_PART_ALONE, path);
    }
    return rc;
}

static klm_rc write_part(const char *path, const uint8_t part[32], struct klm_diag *diag)
{
    char text[66], vp[KR_VP_MAX];
    klm_rc rc;

    klm_hex_upper(part, 32, text);
    text[64] = '\n';
    rc = klm_file_create(path, KLM_SLICE(text, 65), 0400, diag);
    klm_wipe(text, sizeof text);
    kr_part_vp(part, vp);
    if (rc == KLM_OK) {
        say_vp(path, vp);
    }
    return rc;
}

static klm_rc split_master(const char *path, const char **names, struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    uint8_t(*parts)[32] = klm_secret_alloc(PARTS_MAX * 32);
    size_t n = 0;
    klm_rc rc = parts ? kr_master_load(path, diag, &master) : KLM_E_NOMEM;

    while (names && names[n]) {
        n++;
    }
    if (rc == KLM_OK && (n < 2 || n > PARTS_MAX)) {
        rc = klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARTS_FEW);
    }
    if (rc == KLM_E_INVALID && diag->msg == KLM_MSG_MASTER_NEEDS_TOKEN) {
        rc = klm_fail(diag, KLM_E_DENIED, KLM_MSG_MASTER_NO_PARTS, path);
    }
    if (rc == KLM_OK) {
        rc = kr_master_split(master, parts, n);
    }
    for (size_t i = 0; rc == KLM_OK && i < n; i++) {
        rc = write_part(names[i], parts[i], diag);
    }
    klm_secret_free(parts, PARTS_MAX * 32);
    return rc;
}

/* ---- Verification of a store and journal that are at rest */

static void report(void *arg, enum st_table table, struct klm_slice key)
{
    size_t *bad = arg;
    char hex[2 * ST_KEY_MAX + 1];

    ++*bad;
    klm_hex(key.p, key.n, hex);
    fprintf(stderr, "damaged: table %s, key %s\n", st_table_name(table), hex);
}

/* The journal's chain; with a certificate also who signed it, and how far. */
static klm_rc verify_journal(const char *folder, const char *certificate, struct klm_diag *diag)
{
    struct km_verified found = {0};
    struct klm_buf certs;
    klm_rc rc = KLM_OK;

    klm_buf_init(&certs, CERTS_MAX);
    if (certificate) {
        rc = klm_file_read(certificate, CERTS_MAX, &certs, diag);
    }
    if (rc == KLM_OK) {
        rc = km_journal_verify(folder, klm_buf_as_slice(&certs), diag, &found);
        printf("journal: %llu events, chain %s\n", (unsigned long long)found.records,
               rc == KLM_OK ? "intact" : "BROKEN");
    }
    if (rc == KLM_OK && certificate) {
        printf("journal: %llu checkpoints, signed up to event %llu\n",
               (unsigned long long)found.checkpoints, (unsigned long long)found.covered);
    }
    klm_buf_done(&certs);
    return rc;
}

static klm_rc verify_server(struct km_server *server, const char *certificate,
                            struct klm_diag *diag)
{
    struct km_state *state = km_state_get(server);
    uint64_t records = 0;
    size_t bad = 0;
    char folder[4096];
    klm_rc rc = st_verify(km_store(server), report, &bad, &records);

    printf("store: %llu records, %zu damaged\n", (unsigned long long)records, bad);
    if (rc == KLM_OK) {
        rc = parm_journal_dir(state->config, folder, sizeof folder);
    }
    if (rc == KLM_OK) {
        rc = verify_journal(folder, certificate, diag);
    }
    km_state_put(&state);
    return rc;
}

static klm_rc verify(const char *config, const char *certificate, struct klm_diag *diag)
{
    const struct km_options options = {.config_path = config, .offline = true};
    struct km_server *server;
    klm_rc rc;

    KLM_TRY(km_open(&options, diag, &server));
    rc = verify_server(server, certificate, diag);
    km_close(&server);
    return rc;
}

/* ---- Arguments */

struct arguments {
    char *make, *enter, *split, *confirm, *verify, *certificate;
    char *backup, *check, *restore, *undo, *password_file, *accept, *backup_key;
    int officers, alone, token;
};

static void free_arguments(struct arguments *a)
{
    char *all[] = {a->make,          a->enter,  a->split,     a->confirm, a->verify,
                   a->certificate,   a->backup, a->check,     a->restore, a->undo,
                   a->password_file, a->accept, a->backup_key};

    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        free(all[i]);
    }
}

static bool is_backup(const struct arguments *a)
{
    return a->backup || a->check || a->restore || a->undo;
}

static int usage(const char *why)
{
    fprintf(stderr, "klmsrv: %s\nTry 'klmsrv --help'.\n", why);
    return EXIT_USAGE;
}

static int backup(const struct arguments *a, const char **rest)
{
    struct program_backup order = {.password_file = a->password_file,
                                   .check = a->check != NULL,
                                   .restore = a->restore != NULL,
                                   .token = a->token,
                                   .prompt = prompt_pin,
                                   .undo = a->undo != NULL};

    if (!!a->backup + !!a->check + !!a->restore + !!a->undo != 1) {
        return usage("one of --backup, --check-backup, --restore and --undo-restore is expected");
    }
    if (!rest || !rest[0] || rest[1]) {
        return usage("one configuration file is expected");
    }
    if (a->accept && (!a->restore || !bk_consent_of(a->accept, &order.consent))) {
        return usage("--accept belongs to --restore and takes older, foreign, newer and token");
    }
    if (a->token && (a->undo || a->password_file)) {
        return usage("--token takes the place of the password");
    }
    order.config = rest[0];
    order.file = a->backup ? a->backup : a->check ? a->check : a->restore ? a->restore : a->undo;
    return program_backup(&order);
}

/* Verifying changes nothing. The configuration is that of the command, which only a token's key has, or of the environment. */
static void record(const struct arguments *a, const char **rest, klm_rc rc,
                   const struct klm_diag *diag)
{
    const bool token = a->make && p11_uri_is(a->make) && rest;
    const char *what = a->make    ? "made"
                       : a->enter ? "a part, or all of them, entered"
                       : a->split ? "written out in parts"
                                  : "escrow confirmed";
    const char *file = a->make ? a->make : a->enter ? a->enter : a->split ? a->split : a->confirm;

    if (a->backup_key) {
        srv_ceremony_record(a->backup_key, "a key for backups made in the token",
                            "tklm.backup.token", rc, diag);
    } else if (file) {
        srv_ceremony_record(token ? rest[0] : getenv("KLM_CONFIG"), what, file, rc, diag);
    }
}

static int ceremony(const struct arguments *a, const char **rest)
{
    struct klm_diag diag = {0};
    klm_rc rc = klm_secret_init(SECRET_BYTES);

    if (rc != KLM_OK) {
        (void)klm_fail(&diag, rc, KLM_MSG_SECRET_MEMORY, KLM_NUM(SECRET_BYTES), "see ulimit -l");
    } else if (a->make) {
        rc = make_master(a->make, rest, &diag);
    } else if (a->enter) {
        rc = a->alone ? enter_alone(a->enter, rest, &diag)
                      : enter_as_officer(a->enter, a->officers, rest, &diag);
    } else if (a->split) {
        rc = split_master(a->split, rest, &diag);
    } else if (a->backup_key) {
        rc = srv_make_backup_key(a->backup_key, &(const struct srv_prompt){.ask = prompt_pin},
                                 &diag);
    } else if (a->confirm) {
        rc = kr_master_confirm_escrow(a->confirm, &diag);
    } else {
        rc = verify(a->verify, a->certificate, &diag);
    }
    record(a, rest, rc, &diag);
    return rc == KLM_OK ? EXIT_SUCCESS : program_failed(&diag, rc);
}

/* The same process runs the program anew, so that nothing of its first life is left in it; whoever watches it sees no end. */
static int start_again(const char **argv)
{
    const union {
        const char **in;
        char **out;
    } plain = {argv};

    fflush(stdout);
    execv("/proc/self/exe", plain.out);
    klm_say(KLM_MSG_RESTORE_AGAIN, strerror(errno));
    return EXIT_FAILURE;
}

int main(int argc, const char **argv)
{
    struct arguments a = {0};
    const struct poptOption options[] = {
        {"make-master", 0, POPT_ARG_STRING, &a.make, 0,
         "generate a master key and seal it in FILE, or, for pkcs11:object=KEY, in the token of "
         "CONFIG",
         "FILE|URI"},
        {"enter-master", 0, POPT_ARG_STRING, &a.enter, 0,
         "enter one officer's PART (- asks) of the master key to be sealed in FILE", "FILE"},
        {"officers", 0, POPT_ARG_INT, &a.officers, 0,
         "with --enter-master: how many officers have a part, each of whom runs it (2 to 8)", "N"},
        {"alone", 0, POPT_ARG_NONE, &a.alone, 0,
         "with --enter-master: all PARTs at once, by one person, without that safeguard", NULL},
        {"split-master", 0, POPT_ARG_STRING, &a.split, 0,
         "write the master key of FILE as PARTs for its officers", "FILE"},
        {"confirm-escrow", 0, POPT_ARG_STRING, &a.confirm, 0,
         "note in FILE that the parts are in a safe place", "FILE"},
        {"verify", 0, POPT_ARG_STRING, &a.verify, 0,
         "check every record of the store and the journal's chain", "CONFIG"},
        {"certificate", 0, POPT_ARG_STRING, &a.certificate, 0,
         "with --verify: also check the journal's checkpoints, signed with the key of a "
         "certificate of FILE",
         "FILE"},
        {"backup", 0, POPT_ARG_STRING, &a.backup, 0,
         "make a backup: a name in tklm.backup.dir, or any file while the task is down", "FILE"},
        {"check-backup", 0, POPT_ARG_STRING, &a.check, 0,
         "check a backup from its first byte to its last", "FILE"},
        {"restore", 0, POPT_ARG_STRING, &a.restore, 0,
         "replace the whole state by that of a backup, while the task is down", "FILE"},
        {"undo-restore", 0, POPT_ARG_STRING, &a.undo, 0,
         "put the state back that a restore kept in FOLDER", "FOLDER"},
        {"password-file", 0, POPT_ARG_STRING, &a.password_file, 0,
         "read the password of the backup from FILE, mode 0400 or 0600 (default: ask)", "FILE"},
        {"accept", 0, POPT_ARG_STRING, &a.accept, 0,
         "with --restore: consent to a backup that is older, foreign, newer, to a token that is a "
         "copy (commas between)",
         "LIST"},
        {"token", 0, POPT_ARG_NONE, &a.token, 0,
         "no password: the backup is sealed with the key of tklm.backup.token, or opened with the "
         "token that it names",
         NULL},
        {"make-backup-key", 0, POPT_ARG_STRING, &a.backup_key, 0,
         "make the key of tklm.backup.token of CONFIG in its token", "CONFIG"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("klmsrv", argc, argv, options, 0);
    const char **rest;
    int status = EXIT_USAGE;

    poptSetOtherOptionHelp(ctx, "[OPTION...] [CONFIG | PART...]");
    program_options(ctx, "klmsrv");
    rest = poptGetArgs(ctx);
    if (is_backup(&a)) {
        status = backup(&a, rest);
    } else if (a.make || a.enter || a.split || a.confirm || a.verify || a.backup_key) {
        status = ceremony(&a, rest);
    } else if (!rest || !rest[0] || rest[1]) {
        status = usage("one configuration file is expected");
    } else {
        const struct srv_options task = {.config_path = rest[0]};

        status = srv_run(&task);
        if (status == SRV_AGAIN) {
            status = start_again(argv);
        }
    }
    poptFreeContext(ctx);
    free_arguments(&a);
    return status;
}
