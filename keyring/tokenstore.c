/* Key tokens in the store: the record is the token as it is, its key the label. */
#include "keyring/internal.h"

#include <string.h>

klm_rc kr_token_get(struct st_view *view, const char *label, struct klm_pool *pool,
                    struct klm_slice *token)
{
    KLM_TRY(kr_check_token_label(label));
    return st_get(view, ST_TOKEN, klm_slice_str(label), pool, token);
}

klm_rc kr_token_exists(struct st_view *view, const char *label)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice token;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = st_get(view, ST_TOKEN, klm_slice_str(label), pool, &token);
    return rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

/* A key is not put over the material of a managed object, nor the other way round. */
static klm_rc may_replace(struct st_view *view, const char *label, struct klm_slice token)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice was;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = st_get(view, ST_TOKEN, klm_slice_str(label), pool, &was);
    if (rc == KLM_OK && kr_token_is_material(was) != kr_token_is_material(token)) {
        return KLM_E_EXISTS;
    }
    return rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

/* Nothing else ever gets into this table. */
static klm_rc check(const char *label, struct klm_slice token)
{
    char vp[KR_VP_MAX];

    KLM_TRY(kr_check_token_label(label));
    return kr_token_vp(token, vp);
}

klm_rc kr_token_put_new(struct st_change *change, const char *label, struct klm_slice token)
{
    KLM_TRY(check(label, token));
    return st_put_new(change, ST_TOKEN, klm_slice_str(label), token);
}

klm_rc kr_token_put(struct st_change *change, const char *label, struct klm_slice token,
                    bool overwrite)
{
    klm_rc rc;

    KLM_TRY(check(label, token));
    rc = may_replace(st_change_view(change), label, token);
    if (rc == KLM_OK && !overwrite) {
        return KLM_E_EXISTS;
    }
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    return rc == KLM_OK ? st_put(change, ST_TOKEN, klm_slice_str(label), token)
                        : st_put_new(change, ST_TOKEN, klm_slice_str(label), token);
}

struct token_walk {
    enum kr_type type;
    kr_token_fn *fn;
    void *arg;
};

static klm_rc visit_token(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    const struct token_walk *walk = arg;
    char label[KR_TOKEN_LABEL_MAX + 1] = "";
    struct kr_spec spec;

    if (damaged || key.n > KR_TOKEN_LABEL_MAX || kr_token_spec(record, &spec) != KLM_OK ||
        spec.type != walk->type) {
        return KLM_OK;
    }
    memcpy(label, key.p, key.n);
    return walk->fn(walk->arg, label, &spec);
}

klm_rc kr_token_scan(struct st_view *view, enum kr_type type, const char *after, kr_token_fn *fn,
                     void *arg)
{
    struct token_walk walk = {type, fn, arg};
    struct st_range range = {0};

    if (after[0]) {
        range.after = klm_slice_str(after);
    }
    return st_scan(view, ST_TOKEN, &range, visit_token, &walk);
}

klm_rc kr_token_delete(struct st_change *change, const char *label)
{
    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_exists(st_change_view(change), label));
    return st_delete(change, ST_TOKEN, klm_slice_str(label));
}
