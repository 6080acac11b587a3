/* The started task from start to stop: what is said in which order, signals, listeners, draining. */
#include "backup/bk.h"
#include "console/con.h"
#include "klmsrv/srv.h"
#include "kmip/ops/ops.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"

#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define SECRET_BYTES (8u << 20)       /* a ring of 4,000 labels needs half of it */
#define SECRET_BYTES_LEAST (2u << 20) /* where less may be locked */
#define DRAIN_MS 15000                /* sessions get this long to finish */
#define DESCRIPTORS 65536 /* what the service has; also asked for when it is started by hand */
#define VERSION_LINE "Starting the Security Key Lifecycle Manager " KLM_VERSION
#define SUPPORT_LINE "For support see the README of klmsrv, and klmsrv-messages(7)"

struct srv_task {
    struct km_server *server;
    struct klm_loop *loop;
    struct srv_sessions *sessions;
    struct srv_listener *tcp, *ssl;
    struct srv_kmip *kmip;
    struct srv_partners *partners;
    struct con_socket *socket;
    struct bk_service *backup;
    struct bk_agreed *agreed; /* the restore that it ends for */
    struct klm_timer *drain;
    pthread_mutex_t info_lock; /* guards info, which verbs read on other threads */
    struct km_task_info info;
    bool ending;    /* draining for the end of the task, not only of serving */
    bool switching; /* it ends for a restore, and starts again */
    unsigned left;  /* sets of sessions that are draining */
};

struct control {
    struct klm_task task;
    struct srv_task *srv;
    char what[16];
};

static void say_line(const char *line)
{
    klm_say_line(line);
}

/* ---- Serving */

static void set_state(struct srv_task *srv, const char *state)
{
    pthread_mutex_lock(&srv->info_lock);
    srv->info.state = state;
    srv->info.tcp_port = srv->tcp ? srv_listener_port(srv->tcp) : 0;
    srv->info.ssl_port = srv->ssl ? srv_listener_port(srv->ssl) : 0;
    pthread_mutex_unlock(&srv->info_lock);
}

static void accept_tcp(void *arg, int take_fd)
{
    srv_sessions_accept(((struct srv_task *)arg)->sessions, take_fd, false);
}

static void accept_ssl(void *arg, int take_fd)
{
    srv_sessions_accept(((struct srv_task *)arg)->sessions, take_fd, true);
}

static klm_rc open_listeners(struct srv_task *srv, struct klm_diag *diag)
{
    struct km_state *state = km_state_get(srv->server);
    const struct parm_config *config = state->config;
    klm_rc rc = srv_listen(srv->loop, parm_str(config, PARM_TransportListener_tcp_host),
                           (unsigned)parm_num(config, PARM_TransportListener_tcp_port), accept_tcp,
                           srv, diag, &srv->tcp);

    if (rc == KLM_OK) {
        rc = srv_listen(srv->loop, parm_str(config, PARM_TransportListener_ssl_host),
                        (unsigned)parm_num(config, PARM_TransportListener_ssl_port), accept_ssl,
                        srv, diag, &srv->ssl);
    }
    km_state_put(&state);
    return rc;
}

static void close_listeners(struct srv_task *srv)
{
    srv_listener_free(&srv->tcp);
    srv_listener_free(&srv->ssl);
}

static void say_running(struct srv_task *srv)
{
    char line[96];

    snprintf(line, sizeof line, "Server is running. TCP port: %u, SSL port: %u",
             srv_listener_port(srv->tcp), srv_listener_port(srv->ssl));
    say_line(line);
}

static void start_serving(struct srv_task *srv)
{
    struct klm_diag diag = {0};

    if (srv->tcp || srv->ending) {
        return;
    }
    klm_timer_set(srv->drain, 0);
    srv->left = 0;
    srv_sessions_reopen(srv->sessions);
    srv_kmip_reopen(srv->kmip);
    if (open_listeners(srv, &diag) != KLM_OK) {
        close_listeners(srv);
        klm_say_diag(&diag);
        return;
    }
    set_state(srv, "running");
    say_running(srv);
    if (srv_kmip_listen(srv->kmip, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
}

/* ---- Stopping */

static void partners_drained(void *arg)
{
    struct srv_task *srv = arg;

    klm_timer_set(srv->drain, 0);
    klm_loop_stop(srv->loop);
}

/* Of drives and KMIP clients each, in either order. */
static void drained(void *arg)
{
    struct srv_task *srv = arg;

    if (srv->left == 0 || --srv->left > 0) {
        return;
    }
    if (srv->ending) {
        srv_partners_drain(srv->partners, partners_drained, srv);
    } else {
        klm_timer_set(srv->drain, 0);
        set_state(srv, "stopped");
        klm_say(KLM_MSG_SERVING_STOPPED);
    }
}

static size_t all_sessions(const struct srv_task *srv)
{
    return srv_sessions_count(srv->sessions) + srv_kmip_count(srv->kmip);
}

static void cut(void *arg)
{
    struct srv_task *srv = arg;

    if (all_sessions(srv) > 0) {
        klm_say(KLM_MSG_CUT, KLM_NUM(all_sessions(srv)));
        srv_sessions_cut(srv->sessions);
        srv_kmip_cut(srv->kmip);
    }
    if (srv->ending) {
        srv_partners_cut(srv->partners);
    }
}

static void stop_serving(struct srv_task *srv)
{
    close_listeners(srv);
    klm_timer_set(srv->drain, DRAIN_MS);
    srv->left = 2;
    srv_sessions_drain(srv->sessions, drained, srv);
    srv_kmip_drain(srv->kmip, drained, srv);
}

static void stop_task(struct srv_task *srv)
{
    if (srv->ending) {
        srv->switching = false; /* who stops the task does not want it to start again */
        cut(srv);               /* asked twice: at once */
        return;
    }
    srv->ending = true;
    set_state(srv, srv->switching ? "restoring" : "stopping");
    srv_notify(srv->switching ? "STATUS=Restoring a backup" : "STOPPING=1");
    klm_say(KLM_MSG_STOPPING, KLM_NUM(all_sessions(srv)));
    stop_serving(srv);
}

static void on_term(void *arg)
{
    stop_task(arg);
}

/* ---- What verbs ask of the task */

static void control_task(struct klm_task *task)
{
    struct control *control = (struct control *)task;
    struct srv_task *srv = control->srv;

    if (!srv->kmip) {
        /* A refresh that ended with the task: this is the last turn of the loop, in klm_loop_free. */
    } else if (strcmp(control->what, "stop") == 0) {
        stop_task(srv);
    } else if (strcmp(control->what, "restore") == 0 && !srv->ending) {
        srv->switching = true;
        stop_task(srv);
    } else if (strcmp(control->what, "stopekm") == 0 && srv->tcp) {
        stop_serving(srv);
        set_state(srv, "stopped");
    } else if (strcmp(control->what, "startekm") == 0) {
        start_serving(srv);
    } else if (strcmp(control->what, "refreshed") == 0) {
        srv_sessions_refresh(srv->sessions);
        srv_kmip_refresh(srv->kmip);
        srv_partners_refresh(srv->partners);
    }
    free(control);
}

static void on_control(void *arg, const char *what)
{
    struct srv_task *srv = arg;
    struct control *control = calloc(1, sizeof *control);

    if (!control) {
        klm_say(KLM_MSG_NO_MEMORY, what);
        return;
    }
    control->task.run = control_task;
    control->srv = srv;
    snprintf(control->what, sizeof control->what, "%s", what);
    klm_loop_post(srv->loop, &control->task);
}

/* A restore was agreed on. */
static void on_agreed(void *arg)
{
    on_control(arg, "restore");
}

static void on_refreshed(void *arg)
{
    on_control(arg, "refreshed");
}

static void task_info(void *arg, struct km_task_info *out)
{
    struct srv_task *srv = arg;

    pthread_mutex_lock(&srv->info_lock);
    *out = srv->info;
    pthread_mutex_unlock(&srv->info_lock);
    out->sessions = (unsigned)srv_sessions_count(srv->sessions);
    srv_kmip_info(srv->kmip, &out->kmip);
}

static void refresh_done(struct km_call *call)
{
    if (call->rc != KLM_OK) {
        klm_say_diag(&call->diag);
    }
    km_call_free(&call);
    srv_notify("READY=1");
}

/* SIGHUP is the command refresh. */
static void on_hup(void *arg)
{
    struct srv_task *srv = arg;
    const struct km_actor actor = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "SIGHUP"};
    struct km_call *call;
    char state[64];

    if (srv->ending || km_call_new(srv->server, KM_CONFIG_REFRESH, &actor, &call) != KLM_OK) {
        return;
    }
    /* The time tells systemd which reload this is (sd_notify(3)): never earlier than the signal, so rounded up. */
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             ((unsigned long long)klm_clock_mono_ms() + 1) * 1000);
    srv_notify(state);
    call->loop = srv->loop;
    call->done = refresh_done;
    km_run(call);
}

/* ---- Start and end */

static void user_of_task(const struct parm_config *config)
{
    const char *user = config ? parm_str(config, PARM_server_userid) : NULL;
    const struct passwd *passwd = getpwuid(geteuid());

    srv_console_to(user && *user ? user : passwd ? passwd->pw_name : "ISKLM");
}

/* The user id of console lines is known before the configuration is really read. */
static void early_user(const char *path)
{
    struct parm_config *config = NULL;
    struct klm_buf text;

    klm_buf_init(&text, 1u << 20);
    if (klm_file_read(path, 1u << 20, &text, NULL) == KLM_OK &&
        parm_load_text(klm_buf_as_slice(&text), path, true, NULL, &config) == KLM_OK) {
        user_of_task(config);
        parm_free(&config);
    } else {
        user_of_task(NULL);
    }
    klm_buf_done(&text);
}

/* What the console wrapper prints before the product starts (isklm reference 1.1). */
static void say_banner(void)
{
    fputs("ISKLM wrapper V" KLM_VERSION " for ISKLM1.1\n"
          "ISKLM console interaction is now available.\n"
          "To submit commands to the ISKLM from the console:\n"
          "F ISKLM,APPL='ISKLM command'\n"
          "To stop the ISKLM properly:\n"
          "P ISKLM\n",
          stdout);
    fflush(stdout);
}

static void say_product(void)
{
    say_line("Loaded drive key store successfully");
    say_line(VERSION_LINE);
    say_line("Processing Arguments");
    say_line(SUPPORT_LINE);
    say_line("Processing");
}

static klm_rc open_console(struct srv_task *srv, struct klm_diag *diag)
{
    struct km_state *state = km_state_get(srv->server);
    const char *hardcopy = parm_str(state->config, PARM_hardcopy_file);
    klm_rc rc = KLM_OK;

    if (hardcopy && *hardcopy) {
        rc = srv_console_hardcopy(hardcopy, diag);
    }
    if (rc == KLM_OK) {
        rc = con_socket_open(srv->server, parm_str(state->config, PARM_console_socket), diag,
                             &srv->socket);
    }
    if (rc == KLM_OK) {
        srv_console_socket(srv->socket);
    }
    km_state_put(&state);
    return rc;
}

static klm_rc start(struct srv_task *srv, const struct srv_options *options, struct klm_diag *diag)
{
    const struct km_options km = {.config_path = options->config_path};
    const struct bk_options backup = {.here = false, .stop = on_agreed, .arg = srv};
    const struct srv_kmip_engine engine = {.run = kmop_run, .sweep = kmop_sweep};

    KLM_TRY(klm_loop_new(&srv->loop));
    KLM_TRY(klm_loop_signal(srv->loop, SIGTERM, on_term, srv));
    KLM_TRY(klm_loop_signal(srv->loop, SIGINT, on_term, srv));
    KLM_TRY(klm_loop_signal(srv->loop, SIGHUP, on_hup, srv));
    KLM_TRY(klm_timer_new(srv->loop, cut, srv, &srv->drain));
    KLM_TRY(km_open(&km, diag, &srv->server));
    say_product();
    KLM_TRY(srv_sessions_new(srv->server, srv->loop, &srv->sessions));
    KLM_TRY(srv_kmip_new(srv->server, srv->loop, &engine, &srv->kmip));
    KLM_TRY(srv_partners_new(srv->server, srv->loop, &srv->partners));
    km_task_set(srv->server, task_info, srv);
    km_on_control(srv->server, on_control, srv);
    km_on_refresh(srv->server, on_refreshed, srv);
    KLM_TRY(bk_open(srv->server, &backup, diag, &srv->backup));
    KLM_TRY(open_listeners(srv, diag));
    KLM_TRY(srv_kmip_listen(srv->kmip, diag));
    KLM_TRY(srv_partners_listen(srv->partners, diag));
    KLM_TRY(open_console(srv, diag));
    return KLM_OK;
}

static void serve(struct srv_task *srv, uint64_t began)
{
    struct dt_table *drives = km_drives(srv->server);

    say_line("Server is started");
    set_state(srv, "running");
    say_running(srv);
    klm_say(KLM_MSG_STARTED, KLM_NUM(klm_clock_mono_ms() - began), KLM_NUM(dt_table_count(drives)));
    dt_table_free(&drives);
    srv_notify("READY=1\nSTATUS=Serving keys");
    klm_loop_run(srv->loop);
}

static void end(struct srv_task *srv)
{
    srv_console_socket(NULL);
    srv_partners_stop(srv->partners);
    con_socket_close(&srv->socket);
    if (srv->backup) {
        srv->agreed = bk_agreed_take(srv->backup);
    }
    bk_close(&srv->backup);
    close_listeners(srv);
    srv_sessions_free(&srv->sessions);
    srv_kmip_free(&srv->kmip);
    srv_partners_free(&srv->partners);
    km_close(&srv->server);
    klm_timer_free(&srv->drain);
    klm_loop_free(&srv->loop);
}

/* ---- A restore between two lives of the task: the server is closed, and nobody else has its state. */

#define RESTORE_SAY_MS 30000

static klm_rc tell_restore(void *told_ms, const char *line)
{
    uint64_t now = klm_clock_mono_ms(), *last = told_ms;

    if (now - *last >= RESTORE_SAY_MS) {
        *last = now;
        klm_say(KLM_MSG_RESTORE_PROGRESS, line);
    }
    return KLM_OK;
}

static void restore(const struct bk_agreed *agreed, const char *config)
{
    uint64_t told = klm_clock_mono_ms();
    struct klm_diag diag = {0};
    struct bk_restored done;

    klm_say(KLM_MSG_RESTORE_BEGINS, bk_agreed_file(agreed));
    if (bk_agreed_restore(agreed, config, tell_restore, &told, &diag, &done) == KLM_OK) {
        klm_say(KLM_MSG_BK_RESTORED, bk_agreed_file(agreed), done.kept);
        return;
    }
    if (diag.msg != KLM_MSG_NONE) {
        klm_say_diag(&diag);
    }
    klm_say(KLM_MSG_RESTORE_FAILED, bk_agreed_file(agreed));
}

/* The task is to start again. */
static bool switch_over(struct srv_task *srv, const char *config)
{
    bool again = false;

    if (srv->agreed && srv->switching) {
        restore(srv->agreed, config);
        again = true;
    } else if (srv->agreed) {
        klm_say(KLM_MSG_RESTORE_DROPPED, bk_agreed_file(srv->agreed));
    }
    bk_agreed_free(&srv->agreed);
    return again;
}

/* A connection is a descriptor each. As many as may be had of those that the limits allow for; fewer are no reason not to serve. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int srv_run(const struct srv_options *options)
{
    struct srv_task srv = {.info_lock = PTHREAD_MUTEX_INITIALIZER, .info = {.state = "starting"}};
    struct klm_diag diag = {0};
    uint64_t began = klm_clock_mono_ms();
    klm_rc rc;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* a refresh asked for too early, until the loop takes it */
    signal(SIGXFSZ, SIG_IGN);
    raise_descriptors();
    early_user(options->config_path);
    if (klm_secret_init(SECRET_BYTES) != KLM_OK && klm_secret_init(SECRET_BYTES_LEAST) != KLM_OK) {
        klm_say(KLM_MSG_SECRET_MEMORY, KLM_NUM(SECRET_BYTES_LEAST), "see ulimit -l");
        return EX_CONFIG;
    }
    say_banner();
    rc = start(&srv, options, &diag);
    if (rc == KLM_OK) {
        serve(&srv, began);
    } else {
        if (diag.msg != KLM_MSG_NONE) {
            klm_say_diag(&diag);
        }
        klm_say(KLM_MSG_START_FAILED);
    }
    end(&srv);
    if (rc == KLM_OK && switch_over(&srv, options->config_path)) {
        return SRV_AGAIN;
    }
    if (rc == KLM_OK) {
        klm_say(KLM_MSG_STOPPED);
        return EXIT_SUCCESS;
    }
    return rc == KLM_E_INVALID || rc == KLM_E_NOTFOUND || rc == KLM_E_USAGE ? EX_CONFIG
                                                                            : EXIT_FAILURE;
}
