/* The PKCS#11 token behind the server: opened from the configuration, looked after, shown in the status. */
#include "keymgr/internal.h"

#include <string.h>
#include <unistd.h>

/* One request a worker and one for whoever looks. */
static unsigned channels(const struct parm_config *config)
{
    int64_t workers = parm_num(config, PARM_server_threads_workers);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    workers = workers > 0 ? workers : cores > 0 ? cores : 1;
    return workers < 15 ? (unsigned)workers + 1 : 16;
}

klm_rc km_token_options(const struct parm_config *config, struct p11_options *out,
                        struct klm_diag *diag)
{
    struct p11_options options = {
        .library = parm_str(config, PARM_pkcs11_library),
        .pin_file = parm_str(config, PARM_pkcs11_pin_file),
        .channels = channels(config),
        .timeout_ms = (unsigned)parm_num(config, PARM_pkcs11_timeout_seconds) * 1000,
        .network = parm_bool(config, PARM_pkcs11_network)};

    if (!options.library) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(p11_uri_parse(parm_str(config, PARM_pkcs11_token), &options.uri, diag));
    *out = options;
    return KLM_OK;
}

klm_rc km_hardware_open(struct km_server *server, const struct parm_config *config,
                        struct klm_diag *diag)
{
    struct p11_options options;
    klm_rc rc = km_token_options(config, &options, diag);

    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    return p11_open(&options, diag, &server->p11);
}

/* Was it made for the use that the configuration asks for? */
static void check_mode(struct km_server *server, const struct parm_config *config, const char *path)
{
    const char *asked = parm_str(config, PARM_pkcs11_masterkey);
    const char *made = kr_master_is_strict(server->master) ? "strict" : "working";

    if (!kr_master_in_hardware(server->master) || strcmp(asked, made) == 0) {
        return;
    }
    klm_say(KLM_MSG_MASTER_TOKEN_MODE, asked, path, made);
}

klm_rc km_hardware_master(struct km_server *server, const struct parm_config *config,
                          const char *path, struct klm_diag *diag)
{
    struct klm_diag why = {0};
    klm_rc connected = server->p11 ? p11_connect(server->p11, &why) : KLM_OK;
    klm_rc rc =
        kr_master_open(path, connected == KLM_OK ? server->p11 : NULL, diag, &server->master);

    if (rc != KLM_OK && connected != KLM_OK && diag && diag->msg == KLM_MSG_MASTER_NEEDS_TOKEN) {
        *diag = why; /* it is in the token, and that is why it cannot be opened */
        return connected == KLM_E_DENIED
                   ? KLM_E_INVALID
                   : connected; /* a PIN does not get right by starting again */
    }
    KLM_TRY(rc);
    if (connected != KLM_OK) {
        klm_say_diag(&why); /* only private keys of some labels are in it: the others are served */
    }
    kr_master_use_token(server->master, server->p11);
    check_mode(server, config, path);
    return KLM_OK;
}

static klm_rc token_rows(struct km_call *call)
{
    struct p11_state state;

    p11_state(call->server->p11, &state);
    KLM_TRY(km_rows_add(
        call,
        (const char *[]){"PKCS#11 token",
                         klm_pool_printf(call->pool, "%s, serial number %s, model %s: %s",
                                         state.token, state.serial, state.model, state.text)}));
    return km_rows_add(call, (const char *[]){"PKCS#11 helper restarts", KLM_NUM(state.restarts)});
}

klm_rc km_hardware_rows(struct km_call *call)
{
    const struct kr_master *master = call->server->master;
    const char *where = "file";

    if (kr_master_in_hardware(master)) {
        where = klm_pool_printf(call->pool, "PKCS#11 token, key %s, %s", kr_master_object(master),
                                kr_master_is_strict(master) ? "strict: each use goes to the token"
                                                            : "seals the working key in memory");
    }
    KLM_TRY(km_rows_add(call, (const char *[]){"Master key place", where}));
    return call->server->p11 ? token_rows(call) : KLM_OK;
}

void km_hardware_retry(struct km_server *server)
{
    if (server->p11) {
        p11_retry(server->p11);
    }
}
