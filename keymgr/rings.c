/* Verbs on key rings. */
#include "keymgr/internal.h"

#include <string.h>
#include <strings.h>

klm_rc km_ring_prepare(struct km_call *call)
{
    (void)call; /* all of it happens on the newest state, in apply */
    return KLM_OK;
}

static klm_rc ring_outcome(struct km_call *call, klm_rc rc)
{
    const struct km_ring_req *req = call->req;

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_RING_NOT_FOUND, req->ring, req->owner);
    }
    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_RING_EXISTS, req->ring, req->owner);
    }
    return rc;
}

klm_rc km_ring_add_apply(struct km_call *call, struct st_change *change)
{
    const struct km_ring_req *req = call->req;

    return ring_outcome(call, kr_ring_add(change, req->owner, req->ring));
}

klm_rc km_ring_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_ring_req *req = call->req;

    return ring_outcome(call, kr_ring_delete(change, req->owner, req->ring));
}

/* The usage in its one spelling: as asked for, else that of the owner. NULL: not known. */
static const char *usage_of(const struct km_ring_req *req)
{
    static const char *const usages[] = {"PERSONAL", "CERTAUTH", "SITE"};
    const char *asked = req->usage && *req->usage ? req->usage : req->cert_owner;

    for (size_t i = 0; i < KLM_COUNT(usages); i++) {
        if (strcasecmp(asked, usages[i]) == 0) {
            return usages[i];
        }
    }
    return req->usage && *req->usage ? NULL : "PERSONAL";
}

klm_rc km_ring_connect_apply(struct km_call *call, struct st_change *change)
{
    const struct km_ring_req *req = call->req;
    const struct kr_connect connect = {
        .owner = req->cert_owner, .label = req->label, .usage = usage_of(req), .deflt = req->deflt};
    struct kr_cert cert;

    if (!connect.usage) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_USAGE_UNKNOWN, req->usage);
    }
    if (kr_cert_get(st_change_view(change), req->cert_owner, req->label, call->pool, &cert) !=
        KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CERT_NOT_FOUND, req->label,
                         req->cert_owner);
    }
    return ring_outcome(call, kr_ring_connect(change, req->owner, req->ring, &connect));
}

klm_rc km_ring_remove_apply(struct km_call *call, struct st_change *change)
{
    const struct km_ring_req *req = call->req;
    klm_rc rc = kr_ring_remove(change, req->owner, req->ring, req->cert_owner, req->label);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_NOT_CONNECTED, req->label, req->cert_owner, req->ring,
                         req->owner);
    }
    return rc;
}

static klm_rc list_ring(void *arg, const struct kr_ring *ring)
{
    struct km_call *call = arg;

    if (ring->n == 0) {
        return km_rows_add(
            call, (const char *[]){ring->owner, ring->name, "(no certificates)", "", "", ""});
    }
    for (size_t i = 0; i < ring->n; i++) {
        const struct kr_connect *c = &ring->connect[i];
        KLM_TRY(km_rows_add(call, (const char *[]){ring->owner, ring->name, c->label, c->owner,
                                                   c->usage, c->deflt ? "YES" : "NO"}));
    }
    return KLM_OK;
}

struct listing {
    struct km_call *call;
    size_t hidden;
};

/* Of all rings, those that the user may not read are left out, and counted. */
static klm_rc list_readable(void *arg, const struct kr_ring *ring)
{
    struct listing *listing = arg;
    struct km_call *call = listing->call;
    klm_rc rc = km_access_ring(call, ring->owner, ring->name);

    if (rc == KLM_E_DENIED) {
        call->diag.msg = KLM_MSG_NONE;
        call->device_code = 0;
        listing->hidden++;
        return KLM_OK;
    }
    KLM_TRY(rc);
    return list_ring(call, ring);
}

static klm_rc list_all(struct km_call *call, struct st_view *view, const char *owner)
{
    struct listing listing = {call, 0};

    KLM_TRY(kr_ring_scan(view, owner, list_readable, &listing));
    if (listing.hidden > 0) {
        call->text = klm_pool_printf(
            call->pool, "%zu rings are not shown: no READ to owner.ring.LST in class RDATALIB",
            listing.hidden);
    }
    return KLM_OK;
}

static klm_rc list_named(struct km_call *call, struct st_view *view, const struct km_ring_req *req)
{
    struct kr_ring ring;

    KLM_TRY(km_access_ring(call, req->owner ? req->owner : "", req->ring));
    KLM_TRY(ring_outcome(
        call, kr_ring_get(view, req->owner ? req->owner : "", req->ring, call->pool, &ring)));
    return list_ring(call, &ring);
}

klm_rc km_ring_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {
        "Ring Owner", "Ring", "Certificate Label", "Cert Owner", "USAGE", "DEFAULT", NULL};
    const struct km_ring_req *req = call->req;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Digital ring information", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = req->ring ? list_named(call, view, req) : list_all(call, view, req->owner);
    st_view_close(&view);
    return rc;
}
