/* Key tokens in the store: the record is the token as it is, its key the label. */
#include "keyring/internal.h"

klm_rc kr_token_get(struct st_view *view, const char *label, struct klm_pool *pool,
                    struct klm_slice *token)
{
    KLM_TRY(kr_check_token_label(label));
    return st_get(view, ST_TOKEN, klm_slice_str(label), pool, token);
}

/* KLM_OK when there is a token of that label, damaged or not. */
static klm_rc exists(struct st_view *view, const char *label)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice token;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = st_get(view, ST_TOKEN, klm_slice_str(label), pool, &token);
    return rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

klm_rc kr_token_put(struct st_change *change, const char *label, struct klm_slice token,
                    bool overwrite)
{
    char vp[KR_VP_MAX];
    klm_rc rc;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_vp(token, vp)); /* nothing else ever gets into this table */
    rc = exists(st_change_view(change), label);
    if (rc == KLM_OK && !overwrite) {
        return KLM_E_EXISTS;
    }
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    return st_put(change, ST_TOKEN, klm_slice_str(label), token);
}

klm_rc kr_token_delete(struct st_change *change, const char *label)
{
    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(exists(st_change_view(change), label));
    return st_delete(change, ST_TOKEN, klm_slice_str(label));
}
