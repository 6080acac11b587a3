/* Stored keys and key groups on their way to a backup key server: many key tokens out to one file and in from one, as they are, with the marks that say for
 * which volume each was given; and the groups, as the file that shows them. */
#include "keymgr/internal.h"

#include <string.h>

/* ---- Out */

struct writing {
    struct km_call *call;
    struct st_view *view;
    struct klm_buf keys;
    size_t n;
    const char *last;
};

static klm_rc write_key(struct writing *w, const char *alias)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_xfer_item item = {.label = alias};
    struct md_key_use use;

    KLM_TRY(km_access_key(w->call, "", alias));
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(kr_token_get(w->view, alias, pool, &item.token));
    if (md_key_use(w->view, alias, &use) == KLM_OK) {
        memcpy(item.given, use.volser, sizeof item.given);
        item.when = use.last;
    }
    KLM_TRY(kr_xfer_set_put(&item, &w->keys));
    w->last = klm_pool_str(w->call->pool, alias);
    w->n++;
    return w->last ? KLM_OK : KLM_E_NOMEM;
}

/* Other AES keys, whose labels are no aliases, stay; so do those that never leave their hardware. */
static klm_rc write_one(void *arg, const char *label, const struct kr_spec *spec)
{
    struct writing *w = arg;
    char alias[KLM_ALIAS_MAX + 1];

    if (spec->bits != 256 || klm_alias(klm_slice_str(label), alias) != KLM_OK ||
        strcmp(alias, label) != 0) {
        return KLM_OK;
    }
    return w->n == KR_XFER_KEYS ? KLM_E_LIMIT : write_key(w, alias);
}

static klm_rc write_keys(struct writing *w, const char *after)
{
    KLM_AUTO(klm_buf_done) struct klm_buf head = {0};
    klm_rc rc = kr_token_scan(w->view, KR_AES, after, write_one, w);

    if (rc != KLM_OK && !(rc == KLM_E_LIMIT && w->n == KR_XFER_KEYS)) {
        return rc;
    }
    klm_buf_init(&head, KR_XFER_SET_MAX);
    kr_xfer_set_head(w->n, &head);
    klm_buf_put(&head, w->keys.p, w->keys.n);
    KLM_TRY(klm_buf_rc(&head));
    w->call->text = klm_pool_printf(w->call->pool, "%zu stored keys%s%s", w->n,
                                    w->n ? " up to " : "", w->n ? w->last : "");
    w->call->event.field[SMF_F_OBJECT] = w->call->text;
    return klm_pool_slice(w->call->pool, klm_buf_as_slice(&head), &w->call->bytes);
}

klm_rc km_keyset_write_prepare(struct km_call *call)
{
    const struct km_keyset_req *req = call->req;
    struct writing w = {.call = call};
    klm_rc rc;

    klm_buf_init(&w.keys, KR_XFER_SET_MAX);
    KLM_TRY(st_view_open(call->server->store, &w.view));
    rc = write_keys(&w, req->after ? req->after : "");
    st_view_close(&w.view);
    klm_buf_done(&w.keys);
    return rc;
}

/* ---- In */

struct reading {
    struct km_call *call;
    struct st_view *view;
    struct kr_xfer_item *item; /* those that are not here yet */
    size_t n, there;
};

static klm_rc keep(struct reading *r, const struct kr_xfer_item *item)
{
    if (!r->item) {
        r->item = klm_pool_alloc(r->call->pool, KR_XFER_KEYS * sizeof *r->item);
    }
    if (!r->item) {
        return KLM_E_NOMEM;
    }
    r->item[r->n++] = *item;
    return KLM_OK;
}

static klm_rc check_pattern(struct km_call *call, const struct kr_xfer_item *item)
{
    char ours[KR_VP_MAX];

    kr_master_vp(call->server->master, ours);
    return strcmp(item->vp, ours) == 0
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_XFER_OTHER_MASTER, item->vp, ours);
}

/* An AES-256 key under an alias: nothing else comes this way. */
static klm_rc open_item(struct km_call *call, const struct kr_xfer_item *item, struct kr_key **out)
{
    char alias[KLM_ALIAS_MAX + 1];
    struct kr_spec spec;

    if (klm_alias(klm_slice_str(item->label), alias) != KLM_OK || strcmp(alias, item->label) != 0 ||
        kr_token_spec(item->token, &spec) != KLM_OK || spec.type != KR_AES || spec.bits != 256) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KEYSET_NO_KEY, item->label);
    }
    return kr_token_open(call->server->master, alias, item->token, out) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_CORRUPT, 0, KLM_MSG_XFER_NOT_OPEN, alias);
}

/* The key that is here: the same one, though perhaps sealed another time? */
static klm_rc compare(struct reading *r, const struct kr_xfer_item *item, const struct kr_key *key,
                      struct klm_slice token)
{
    KLM_AUTO(kr_key_free) struct kr_key *here = NULL;

    if (kr_token_open(r->call->server->master, item->label, token, &here) != KLM_OK ||
        !kr_key_same(here, key)) {
        return KM_REFUSE(r->call, KLM_E_EXISTS, 0, KLM_MSG_KEYSET_OTHER, item->label);
    }
    r->there++;
    return KLM_OK;
}

static klm_rc read_one(void *arg, const struct kr_xfer_item *item)
{
    struct reading *r = arg;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice token;
    klm_rc rc;

    KLM_TRY(check_pattern(r->call, item));
    KLM_TRY(open_item(r->call, item, &key));
    KLM_TRY(km_access_resource(r->call, PR_CSFKEYS, item->label, PR_UPDATE));
    KLM_TRY(klm_pool_new(0, &pool));
    rc = kr_token_get(r->view, item->label, pool, &token);
    return rc == KLM_E_NOTFOUND ? keep(r, item) : rc == KLM_OK ? compare(r, item, key, token) : rc;
}

/* Everything is checked before anything changes. */
klm_rc km_keyset_read_prepare(struct km_call *call)
{
    const struct km_keyset_req *req = call->req;
    struct reading *r = klm_pool_alloc(call->pool, sizeof *r);
    klm_rc rc;

    if (!r) {
        return KLM_E_NOMEM;
    }
    *r = (struct reading){.call = call};
    call->work = r;
    KLM_TRY(st_view_open(call->server->store, &r->view));
    rc = kr_xfer_set_decode(req->bytes, call->pool, read_one, r, &call->diag);
    st_view_close(&r->view);
    return rc;
}

static klm_rc put_item(struct km_call *call, struct st_change *change,
                       const struct kr_xfer_item *item)
{
    struct st_view *view = st_change_view(change);
    struct md_group group;
    klm_rc rc;

    if (md_group_get(view, item->label, &group) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_GROUP_TAKEN, item->label, "a key group");
    }
    KLM_TRY(km_key_twin(call, view, item->label));
    rc = kr_token_put(change, item->label, item->token, false);
    if (rc == KLM_E_EXISTS) { /* it came in between */
        return KM_REFUSE(call, rc, 0, KLM_MSG_TOKEN_EXISTS, item->label);
    }
    KLM_TRY(rc);
    return item->given[0] ? md_key_used_there(change, item->label, item->given, item->when)
                          : KLM_OK;
}

klm_rc km_keyset_read_apply(struct km_call *call, struct st_change *change)
{
    const struct reading *r = call->work;

    for (size_t i = 0; i < r->n; i++) {
        KLM_TRY(put_item(call, change, &r->item[i]));
    }
    call->text =
        klm_pool_printf(call->pool, "%zu stored keys taken, %zu were here", r->n, r->there);
    call->event.field[SMF_F_NEW] = call->text;
    return call->text ? KLM_OK : KLM_E_NOMEM;
}
