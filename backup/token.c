/* Backups and PKCS#11 tokens: which token a backup names, and its key by that token. */
#include "backup/walk.h"

#include <string.h>

static const struct bk_slot *token_slot(const struct bk_header *header)
{
    for (size_t i = 0; i < header->slots; i++) {
        if (header->slot[i].type == KR_SLOT_PKCS11) {
            return &header->slot[i];
        }
    }
    return NULL;
}

klm_rc bk_file_token(const struct bk_file *file, struct p11_uri *out, struct klm_diag *diag)
{
    const struct bk_slot *slot = token_slot(&file->header);

    if (!slot) {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_BK_NO_TOKEN_SLOT, file->path);
    }
    return kr_slot_token_names(slot->body, out) == KLM_OK
               ? KLM_OK
               : klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, file->path,
                          "its token slot cannot be read");
}

/* Up, and the very one: labels of tokens are chosen by people, serial numbers are not. */
static klm_rc right_token(const struct bk_file *file, struct p11 *p11, const struct p11_uri *names,
                          bool any_serial, struct klm_diag *diag)
{
    struct p11_state state;

    KLM_TRY(p11_ready(p11, diag));
    p11_state(p11, &state);
    if (any_serial || !names->serial[0] || strcmp(state.serial, names->serial) == 0) {
        return KLM_OK;
    }
    return klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_BK_TOKEN_SERIAL, file->path, names->token,
                    names->serial, state.serial);
}

static klm_rc explain(const struct bk_file *file, const struct p11_uri *names, klm_rc rc,
                      struct klm_diag *diag)
{
    switch (rc) {
    case KLM_E_NOTFOUND:
        return klm_fail(diag, rc, KLM_MSG_BK_TOKEN_KEY, file->path, names->object, names->token);
    case KLM_E_WRONGKEY:
        return klm_fail(diag, rc, KLM_MSG_BK_TOKEN_OTHER, file->path, names->object, names->token);
    case KLM_E_CRYPTO:
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, file->path,
                        "its token slot was changed");
    default:
        return rc;
    }
}

klm_rc bk_file_unlock_token(struct bk_file *file, struct km_server *server, bool any_serial,
                            struct klm_diag *diag)
{
    const struct bk_header *header = &file->header;
    struct p11_uri names = {.token = ""};
    struct p11 *p11;
    klm_rc rc;

    KLM_TRY(bk_file_token(file, &names, diag));
    p11 = km_backup_token(server, names.token);
    if (!p11) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_WHICH, file->path, names.object,
                        names.token, names.serial);
    }
    KLM_TRY(right_token(file, p11, &names, any_serial, diag));
    rc = kr_slot_open_token(token_slot(header)->body, header->id, p11, diag, &file->key);
    if (rc != KLM_OK) {
        return explain(file, &names, rc, diag);
    }
    rc = bk_header_check(header, file->key);
    return rc == KLM_E_CORRUPT
               ? klm_fail(diag, rc, KLM_MSG_BK_DAMAGED, file->path, "its header was changed")
               : rc;
}
