/* Verbs that change and renew certificates: alter (trust, label), rekey (a new key under a new label), rollover (the new one takes the old one's place in
 * every ring). A private key that volumes were written with is never retired unasked. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static klm_rc get(struct km_call *call, struct st_view *view, const char *label,
                  struct kr_cert *out)
{
    const struct km_cert_req *req = call->req;
    klm_rc rc = kr_cert_get(view, req->owner, label, call->pool, out);

    return rc == KLM_E_NOTFOUND ? km_cert_missing(call, req->owner, label) : rc;
}

/* ---- Rings that hold a certificate */

struct rings {
    struct km_call *call;
    struct st_change *change;
    const char *owner, *from, *to;
    bool keep; /* the old one stays connected */
    struct place {
        struct place *next;
        const char *owner, *ring, *usage;
        bool deflt;
    } * first;
};

static klm_rc collect(void *arg, const struct kr_ring *ring)
{
    struct rings *rings = arg;
    struct klm_pool *pool = rings->call->pool;

    for (size_t i = 0; i < ring->n; i++) {
        const struct kr_connect *c = &ring->connect[i];
        struct place *place;

        if (strcmp(c->owner, rings->owner) != 0 || strcmp(c->label, rings->from) != 0) {
            continue;
        }
        place = klm_pool_alloc(pool, sizeof *place);
        if (!place) {
            return KLM_E_NOMEM;
        }
        *place =
            (struct place){rings->first, klm_pool_str(pool, ring->owner),
                           klm_pool_str(pool, ring->name), klm_pool_str(pool, c->usage), c->deflt};
        if (!place->owner || !place->ring || !place->usage) {
            return KLM_E_NOMEM;
        }
        rings->first = place;
    }
    return KLM_OK;
}

/* The new certificate is connected wherever the old one is, as what that was. */
static klm_rc connect(struct rings *rings)
{
    for (const struct place *p = rings->first; p; p = p->next) {
        const struct kr_connect to = {rings->owner, rings->to, p->usage, p->deflt};

        KLM_TRY(kr_ring_connect(rings->change, p->owner, p->ring, &to));
        if (!rings->keep) {
            KLM_TRY(kr_ring_remove(rings->change, p->owner, p->ring, rings->owner, rings->from));
        }
    }
    return KLM_OK;
}

/* ---- Alter */

static klm_rc set_trust(struct km_call *call, const char *name, struct kr_cert *cert)
{
    static const struct {
        const char *name;
        enum kr_trust trust;
    } words[] = {{"TRUST", KR_TRUST}, {"NOTRUST", KR_NOTRUST}, {"HIGHTRUST", KR_HIGHTRUST}};

    for (size_t i = 0; i < KLM_COUNT(words); i++) {
        if (strcasecmp(name, words[i].name) == 0) {
            cert->trust = words[i].trust;
            return KLM_OK;
        }
    }
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_TRUST_UNKNOWN, name);
}

/* A label is a key: the certificate is put under the new one, and rings follow. Volumes name the old label, so it is not taken from them. */
static klm_rc rename_cert(struct km_call *call, struct st_change *change, struct kr_cert *cert)
{
    const struct km_cert_req *req = call->req;
    struct rings rings = {.call = call,
                          .change = change,
                          .owner = req->owner,
                          .from = req->label,
                          .to = req->new_label};
    char volser[7];

    KLM_TRY(km_label_volume(st_change_view(change), req->label, volser));
    if (volser[0]) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CERT_PROTECTS, req->label, volser);
    }
    KLM_TRY(kr_ring_scan(st_change_view(change), NULL, collect, &rings));
    KLM_TRY(kr_cert_delete(change, req->owner, req->label));
    cert->label = req->new_label;
    KLM_TRY(km_cert_put(call, change, cert));
    rings.keep = true; /* the old one went with its certificate */
    return connect(&rings);
}

klm_rc km_cert_alter_apply(struct km_call *call, struct st_change *change)
{
    const struct km_cert_req *req = call->req;
    struct kr_cert cert;

    if (!req->trust && !req->new_label) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ALTER_NOTHING);
    }
    KLM_TRY(get(call, st_change_view(change), req->label, &cert));
    if (req->trust) {
        KLM_TRY(set_trust(call, req->trust, &cert));
    }
    call->event.field[SMF_F_NEW] =
        klm_pool_printf(call->pool, "%s%s%s", req->trust ? req->trust : "",
                        req->new_label ? " NEWLABEL " : "", req->new_label ? req->new_label : "");
    return req->new_label ? rename_cert(call, change, &cert) : kr_cert_replace(change, &cert);
}

/* ---- Rekey */

static klm_rc rekey(struct km_call *call, struct st_view *view, struct km_new_cert *made)
{
    const struct km_cert_req *req = call->req;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct kr_cert old;
    klm_rc rc;

    KLM_TRY(get(call, view, req->label, &old));
    if (!old.token_label[0]) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CERT_NO_PRIVATE, old.label, old.owner);
    }
    KLM_TRY(km_cert_period(call, req->new_label, req->not_after));
    made->cert = (struct kr_cert){.owner = req->owner,
                                  .label = req->new_label,
                                  .trust = KR_TRUST,
                                  .token_label = km_token_label(call),
                                  .added = klm_clock()};
    KLM_TRY(made->cert.token_label ? KLM_OK : KLM_E_CRYPTO);
    rc = kr_rekey(old.der, (unsigned)req->size, req->not_after, call->pool, &made->cert.der, &key);
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_KEY_SIZE, KLM_NUM(req->size));
    }
    KLM_TRY(rc);
    return km_token_seal(call, made->cert.token_label, key, &made->token);
}

klm_rc km_cert_rekey_prepare(struct km_call *call)
{
    struct km_new_cert *made = klm_pool_alloc(call->pool, sizeof *made);
    struct st_view *view;
    klm_rc rc;

    if (!made) {
        return KLM_E_NOMEM;
    }
    call->work = made;
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = rekey(call, view, made);
    st_view_close(&view);
    return rc;
}

/* ---- Rollover */

/* The old key goes when somebody insists, or when nothing was written with it; its certificate stays. */
static klm_rc retire(struct km_call *call, struct st_change *change, struct kr_cert *old)
{
    const struct km_cert_req *req = call->req;
    const char *token_label;
    char volser[7];

    if (!old->token_label[0]) {
        return KLM_OK;
    }
    KLM_TRY(km_label_volume(st_change_view(change), old->label, volser));
    if (volser[0] && !req->force) {
        (void)klm_fail(&call->diag, KLM_OK, KLM_MSG_KEY_PROTECTS_STAYS, old->label, volser);
        call->text = klm_pool_str(call->pool, call->diag.text);
        call->diag.msg = KLM_MSG_NONE;
        return KLM_OK;
    }
    token_label = old->token_label;
    old->token_label = "";
    KLM_TRY(kr_cert_replace(change, old));
    return km_token_drop(change, token_label);
}

klm_rc km_cert_rollover_apply(struct km_call *call, struct st_change *change)
{
    const struct km_cert_req *req = call->req;
    struct rings rings = {.call = call,
                          .change = change,
                          .owner = req->owner,
                          .from = req->label,
                          .to = req->new_label};
    struct kr_cert old, fresh;

    KLM_TRY(get(call, st_change_view(change), req->label, &old));
    KLM_TRY(get(call, st_change_view(change), req->new_label, &fresh));
    if (!kr_same_subject(old.der, fresh.der)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ROLLOVER_OTHER, req->new_label,
                         req->label);
    }
    if (!fresh.token_label[0]) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CERT_NO_PRIVATE, fresh.label,
                         fresh.owner);
    }
    KLM_TRY(kr_ring_scan(st_change_view(change), NULL, collect, &rings));
    KLM_TRY(retire(call, change, &old));
    rings.keep = old.token_label[0] != '\0'; /* what was written with it is read with it */
    return connect(&rings);
}
