/* Keys that are made in a PKCS#11 token: the master key, and the one that backups are sealed with. */
#include "base/file.h"
#include "keyring/backup.h"
#include "keyring/p11/p11.h"
#include "klmsrv/srv.h"

#include <stdio.h>
#include <string.h>

/* The token is the configuration's; a URI that names another one was meant for another server. */
static klm_rc check_uri(const struct p11_uri *key, const struct p11_uri *token, const char *text,
                        struct klm_diag *diag)
{
    if (!key->object[0]) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_URI, text, "it names no key (object=)");
    }
    if ((key->token[0] && strcmp(key->token, token->token) != 0) ||
        (key->serial[0] && token->serial[0] && strcmp(key->serial, token->serial) != 0)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_P11_URI, text,
                        "it names another token than pkcs11.token");
    }
    return KLM_OK;
}

static klm_rc make_file(const struct parm_config *config, struct p11 *p11, const char *object,
                        struct klm_diag *diag)
{
    KLM_AUTO(kr_master_free) struct kr_master *master = NULL;
    bool strict = parm_has(config, PARM_pkcs11_masterkey, "strict");
    char path[4096], folder[4096], vp[KR_VP_MAX];

    KLM_TRY(parm_masterkey_file(config, path, sizeof path));
    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    KLM_TRY(klm_folder_make(folder, 0700, diag));
    KLM_TRY(kr_master_make_in_token(p11, object, strict, path, diag, &master));
    kr_master_vp(master, vp);
    printf("Master key %s made in the token (%s), verification pattern %s\n", object,
           strict ? "strict" : "working", vp);
    return KLM_OK;
}

static klm_rc make(const struct parm_config *config, const char *uri,
                   const struct srv_prompt *prompt, struct klm_diag *diag)
{
    struct p11_options options;
    struct p11_uri key;
    struct p11 *p11;
    klm_rc rc = km_token_options(config, &options, diag);

    if (rc == KLM_E_NOTFOUND) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_TOKEN_NONE, uri);
    }
    KLM_TRY(rc);
    KLM_TRY(p11_uri_parse(uri, &key, diag));
    KLM_TRY(check_uri(&key, &options.uri, uri, diag));
    options.prompt = prompt->ask;
    options.prompt_arg = prompt->arg;
    KLM_TRY(p11_open(&options, diag, &p11));
    rc = p11_connect(p11, diag);
    if (rc == KLM_OK) {
        rc = make_file(config, p11, key.object, diag);
    }
    p11_close(&p11);
    return rc;
}

klm_rc srv_make_master_in_token(const char *uri, const char *config_path,
                                const struct srv_prompt *prompt, struct klm_diag *diag)
{
    struct parm_config *config;
    klm_rc rc;

    KLM_TRY(parm_load(config_path, diag, &config));
    rc = make(config, uri, prompt, diag);
    parm_free(&config);
    return rc;
}

/* In the token of pkcs11.token its PIN file counts, as in the task. */
static klm_rc backup_options(const struct parm_config *config, const struct srv_prompt *prompt,
                             struct klm_diag *diag, struct p11_options *out)
{
    struct p11_options own;
    klm_rc rc = km_backup_token_options(config, NULL, out, diag);

    if (rc == KLM_E_NOTFOUND) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_UNSET,
                        parm_row(PARM_tklm_backup_token)->name);
    }
    KLM_TRY(rc);
    if (!out->pin_file && km_token_options(config, &own, NULL) == KLM_OK &&
        strcmp(own.uri.token, out->uri.token) == 0) {
        out->pin_file = own.pin_file;
    }
    out->prompt = prompt->ask;
    out->prompt_arg = prompt->arg;
    return KLM_OK;
}

static klm_rc backup_key(const struct parm_config *config, const struct srv_prompt *prompt,
                         struct klm_diag *diag)
{
    struct p11_options options;
    struct p11_state state;
    struct p11 *p11;
    klm_rc rc;

    KLM_TRY(backup_options(config, prompt, diag, &options));
    KLM_TRY(p11_open(&options, diag, &p11));
    rc = p11_connect(p11, diag);
    if (rc == KLM_OK) {
        rc = kr_slot_token_make(p11, options.uri.object, diag);
    }
    if (rc == KLM_OK) {
        p11_state(p11, &state);
        printf("Key %s for backups made in token %s, serial number %s\n", options.uri.object,
               state.token, state.serial);
    }
    p11_close(&p11);
    return rc;
}

klm_rc srv_make_backup_key(const char *config_path, const struct srv_prompt *prompt,
                           struct klm_diag *diag)
{
    struct parm_config *config;
    klm_rc rc;

    KLM_TRY(parm_load(config_path, diag, &config));
    rc = backup_key(config, prompt, diag);
    parm_free(&config);
    return rc;
}
