/* The PKCS#11 token behind the server: opened from the configuration, looked after, shown in the status. */
#include "keymgr/internal.h"

#include <string.h>

/* One request a worker, of both kinds, and one for whoever looks. */
static unsigned channels(const struct parm_config *config)
{
    const unsigned workers = km_worker_count(config);

    return workers < 8 ? 2 * workers + 1 : 16;
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

    if (!options.library || !parm_str(config, PARM_pkcs11_token)) {
        return KLM_E_NOTFOUND; /* a library alone is for the token of backups */
    }
    KLM_TRY(p11_uri_parse(parm_str(config, PARM_pkcs11_token), &options.uri, diag));
    *out = options;
    return KLM_OK;
}

/* ---- The token of backups */

/* Do both mean the same token? Where only one says a serial number, it may be: its PIN must not be tried from two sides. */
static bool same_token(const struct p11_uri *a, const struct p11_uri *b)
{
    return strcmp(a->token, b->token) == 0 &&
           (!a->serial[0] || !b->serial[0] || strcmp(a->serial, b->serial) == 0);
}

/* What tklm.backup.token says, with what it leaves out taken from pkcs11.token. */
static klm_rc configured(const struct parm_config *config, struct p11_uri *out,
                         struct klm_diag *diag)
{
    const char *text = parm_str(config, PARM_tklm_backup_token);
    const char *own = parm_str(config, PARM_pkcs11_token);
    struct p11_uri uri, of;

    if (!text || !*text) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(p11_uri_parse(text, &uri, diag));
    if (!uri.object[0]) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_URI, text, "it names no key (object=)");
    }
    if (!uri.token[0] && own && *own) {
        KLM_TRY(p11_uri_parse(own, &of, diag));
        memcpy(uri.token, of.token, sizeof uri.token);
        memcpy(uri.serial, of.serial, sizeof uri.serial);
    }
    if (!uri.token[0]) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_URI, text,
                        "it names no token (token=), and pkcs11.token is not set");
    }
    *out = uri;
    return KLM_OK;
}

/* The PIN file counts for the token that the configuration means by it, and for no other: a PIN is never tried where it does not belong. */
static const char *pin_file_for(const struct parm_config *config, const struct p11_uri *token)
{
    const char *file = parm_str(config, PARM_tklm_backup_pin_file);
    struct p11_uri uri;
    klm_rc rc = configured(config, &uri, NULL);

    return rc == KLM_E_NOTFOUND || (rc == KLM_OK && same_token(&uri, token)) ? file : NULL;
}

klm_rc km_backup_token_options(const struct parm_config *config, const struct p11_uri *named,
                               struct p11_options *out, struct klm_diag *diag)
{
    struct p11_options options = {
        .library = parm_str(config, PARM_pkcs11_library),
        .channels = 1,
        .timeout_ms = (unsigned)parm_num(config, PARM_pkcs11_timeout_seconds) * 1000,
        .network = parm_bool(config, PARM_pkcs11_network)};

    if (named) {
        options.uri = *named;
    } else {
        KLM_TRY(configured(config, &options.uri, diag));
    }
    if (!options.library) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_UNSET,
                        parm_row(PARM_pkcs11_library)->name);
    }
    options.pin_file = pin_file_for(config, &options.uri);
    *out = options;
    return KLM_OK;
}

/* Only its spawner: nothing is asked of it before a backup needs it. */
static klm_rc open_backup(struct km_server *server, const struct parm_config *config,
                          struct klm_diag *diag)
{
    const struct p11_uri *named = server->options.backup_token;
    struct p11_options options, own;
    klm_rc rc = km_backup_token_options(config, named, &options, diag);

    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    server->backup_uri = options.uri;
    if (server->p11 && km_token_options(config, &own, NULL) == KLM_OK &&
        same_token(&own.uri, &options.uri)) {
        return KLM_OK; /* the server's own */
    }
    options.prompt = server->options.prompt;
    return p11_open(&options, diag, &server->backup_p11);
}

struct p11 *km_backup_token(struct km_server *server, const char *label)
{
    struct p11_state state = {.token = ""};

    if (server->backup_p11 && strcmp(server->backup_uri.token, label) == 0) {
        return server->backup_p11;
    }
    if (server->p11) {
        p11_state(server->p11, &state);
    }
    return strcmp(state.token, label) == 0 ? server->p11 : NULL;
}

bool km_backup_key(struct km_server *server, const char **token, const char **object)
{
    *token = server->backup_uri.token;
    *object = server->backup_uri.object;
    return server->backup_uri.token[0] != '\0';
}

klm_rc km_hardware_open(struct km_server *server, const struct parm_config *config,
                        struct klm_diag *diag)
{
    struct p11_options options;
    klm_rc rc = km_token_options(config, &options, diag);

    if (rc == KLM_OK) {
        rc = p11_open(&options, diag, &server->p11);
    }
    KLM_TRY(rc == KLM_E_NOTFOUND ? KLM_OK : rc);
    return open_backup(server, config, diag);
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

static klm_rc backup_row(struct km_call *call)
{
    const struct p11_uri *uri = &call->server->backup_uri;

    if (!uri->token[0]) {
        return KLM_OK;
    }
    return km_rows_add(call, (const char *[]){"Backups are sealed with",
                                              klm_pool_printf(call->pool, "key %s of token %s",
                                                              uri->object, uri->token)});
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
    KLM_TRY(call->server->p11 ? token_rows(call) : KLM_OK);
    return backup_row(call);
}

void km_hardware_retry(struct km_server *server)
{
    if (server->p11) {
        p11_retry(server->p11);
    }
    if (server->backup_p11) {
        p11_retry(server->backup_p11);
    }
}
