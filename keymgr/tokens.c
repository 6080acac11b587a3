/* Verbs of KEYXFER: a private key token goes out to a file as it is, and comes in from one, between sites that hold the same master key. */
#include "keymgr/internal.h"

#include <string.h>

klm_rc km_token_write_prepare(struct km_call *call)
{
    const struct km_token_req *req = call->req;
    struct klm_slice token;
    struct klm_buf file;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = kr_token_get(view, req->label, call->pool, &token);
    st_view_close(&view);
    if (rc == KLM_E_NOTFOUND || (rc == KLM_OK && kr_token_is_material(token))) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_TOKEN_NOT_FOUND, req->label);
    }
    KLM_TRY(rc);
    if (kr_token_refers(token)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_TOKEN_NOT_MOVED, req->label);
    }
    klm_buf_init(&file, 4 * ST_RECORD_MAX);
    rc = kr_xfer_encode(req->label, token, &file);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&file), &call->bytes);
    }
    klm_buf_done(&file);
    return rc;
}

/* Everything is checked before anything changes: the file, the master key, the label, and that the token opens. */
klm_rc km_token_read_prepare(struct km_call *call)
{
    const struct km_token_req *req = call->req;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice *token = klm_pool_alloc(call->pool, sizeof *token);
    char theirs[KR_VP_MAX], ours[KR_VP_MAX];
    const char *label;
    klm_rc rc;

    if (!token) {
        return KLM_E_NOMEM;
    }
    call->work = token;
    KLM_TRY(kr_xfer_decode(req->bytes, call->pool, &label, token, theirs, &call->diag));
    kr_master_vp(call->server->master, ours);
    if (strcmp(theirs, ours) != 0) {
        return KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_XFER_OTHER_MASTER, theirs, ours);
    }
    if (strcmp(label, req->label) != 0) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_XFER_OTHER_LABEL, label, req->label);
    }
    rc = kr_token_open(call->server->master, label, *token, &key);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_XFER_NOT_OPEN, label);
    }
    return KLM_OK;
}

/* A stored key must be the only one with its key identifier (exchange/PROTOCOL.md, 6.1). */
klm_rc km_key_twin(struct km_call *call, struct st_view *view, const char *label)
{
    char alias[KLM_ALIAS_MAX + 1], twin[KLM_ALIAS_MAX + 1];

    if (klm_alias(klm_slice_str(label), alias) != KLM_OK || klm_alias_twin(alias, twin) != KLM_OK ||
        km_key_there(view, twin) != KLM_OK) {
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_KEY_TWIN, alias, twin);
}

klm_rc km_token_read_apply(struct km_call *call, struct st_change *change)
{
    const struct km_token_req *req = call->req;
    const struct klm_slice *token = call->work;
    struct kr_spec spec;
    klm_rc rc;

    KLM_TRY(kr_token_spec(*token, &spec));
    if (spec.type == KR_AES) {
        KLM_TRY(km_key_twin(call, st_change_view(change), req->label));
    }
    rc = kr_token_put(change, req->label, *token, req->overwrite);
    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_TOKEN_EXISTS, req->label);
    }
    return rc;
}
