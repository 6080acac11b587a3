/* Operator commands, RACDCERT and KEYXFER as the console takes them, on a real server without threads. The first byte says who
 * asks: '+' a security administrator, '!' somebody who may look, all else nobody. RSA keys are never made, since the least size
 * allowed is more than any that can be; the server is made anew after some hundred changes, so that none lasts. */
#include "base/file.h"
#include "console/con.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGES_MAX 300

static struct km_server *server;
static char dir[64], files[80];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    km_close(&server);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

static void must(klm_rc rc)
{
    if (rc != KLM_OK) {
        fprintf(stderr, "set-up: %s\n", klm_rc_text(rc));
        abort();
    }
}

static void write_config(const char *path)
{
    struct klm_buf text;

    klm_buf_init(&text, 8192);
    klm_buf_printf(&text,
                   "config.keystore.file=safkeyring://U/"
                   "R\nTransportListener.ssl.keystore.name=safkeyring://U/R\n"
                   "TransportListener.ssl.port=1443\nTransportListener.tcp.port=3801\nconfig."
                   "drivetable.file.url=FILE:%s/t\n"
                   "Audit.handler.file.directory=%s/"
                   "audit\nAudit.handler.file.name=a.log\nAudit.event.types=all\n"
                   "Audit.event.outcome=success\nAudit.metadata.file.name=%s/"
                   "m.xml\ndrive.acceptUnknownDrives=false\n"
                   "console.files.directory=%s\nserver.id=F\nstore.cache.megabytes=8\nkey.minimum."
                   "rsa.write=16384\n",
                   dir, dir, dir, files);
    must(klm_file_replace(path, klm_buf_as_slice(&text), 0600, NULL));
    klm_buf_done(&text);
}

static void start(void)
{
    const char *base = getenv("TMPDIR");
    struct kr_master *master;
    char path[128];
    struct km_options options = {.config_path = path, .offline = true};

    klm_say_to(quiet, NULL);
    snprintf(dir, sizeof dir, "%.40s/klm-fuzz-XXXXXX", base && strlen(base) < 40 ? base : "/tmp");
    if (!mkdtemp(dir)) {
        abort();
    }
    snprintf(files, sizeof files, "%s/files", dir);
    must(klm_folder_make(files, 0700, NULL));
    snprintf(path, sizeof path, "%s/masterkey", dir);
    must(klm_folder_make(path, 0700, NULL));
    must(kr_master_generate(&master));
    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed", dir);
    must(kr_master_save(master, path, NULL));
    kr_master_free(&master);
    snprintf(path, sizeof path, "%s/config", dir);
    write_config(path);
    must(km_open(&options, NULL, &server));
}

static void ready(void)
{
    static bool once;

    if (!once) { /* no klm_secret_init: a leak check does not look into that memory */
        atexit(clean_up);
        once = true;
    }
    if (server && st_number(km_store(server)) > CHANGES_MAX) {
        clean_up();
    }
    if (!server) {
        start();
    }
}

static const struct km_actor *actor_of(char mark)
{
    static const struct km_actor admin = {.kind = KM_ACTOR_OPERATOR,
                                          .roles = KM_ROLE_SECADMIN,
                                          .name = "ADMIN",
                                          .address = "console"};
    static const struct km_actor looker = {
        .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_BACKUP, .name = "LOOKER", .address = "console"};
    static const struct km_actor none = {
        .kind = KM_ACTOR_OPERATOR, .name = "NONE", .address = "console"};

    return mark == '+' ? &admin : mark == '!' ? &looker : &none;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct con_context context = {.files = files};
    struct klm_buf answer;
    int status = -1;
    char *line;

    if (size == 0 || size > 4096) {
        return 0;
    }
    ready();
    context.server = server;
    context.actor = *actor_of((char)data[0]);
    line = calloc(1, size); /* with a zero behind it */
    if (!line) {
        abort();
    }
    memcpy(line, data + 1, size - 1);
    klm_buf_init(&answer, CON_ANSWER_MAX);
    con_execute(&context, line, &answer, &status);
    if (status < 0 || status > CON_AMISS || answer.n == 0 || answer.p[answer.n - 1] != '\n') {
        abort();
    }
    for (size_t i = 0; i < answer.n; i++) {
        if (answer.p[i] < ' ' && answer.p[i] != '\n') {
            abort(); /* nothing of the input reaches the terminal unescaped */
        }
    }
    klm_buf_done(&answer);
    free(line);
    return 0;
}
