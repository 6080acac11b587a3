/* The ceremony of a master key that is made in a PKCS#11 token. */
#include "base/file.h"
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
