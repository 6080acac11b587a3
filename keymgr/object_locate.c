/* Locate (KMIP 2.1, 6.1.28; 1.4, 4.9): identifiers of the objects of the asker's device group that match. */
#include "keymgr/cache.h"
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "keymgr/served.h"
#include "metadata/attr.h"

#define ROOM_FIRST 16
#define DER_INTEGER 0x02

struct located {
    struct km_call *call;
    size_t cap;
};

static klm_rc grow(struct located *located)
{
    struct km_locate *req = located->call->req;
    const size_t cap = located->cap ? located->cap * 2 : ROOM_FIRST;
    const char **uid = klm_pool_alloc(located->call->pool, cap * sizeof *uid);

    if (!uid) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < req->n; i++) {
        uid[i] = req->uid[i];
    }
    req->uid = uid;
    located->cap = cap;
    return KLM_OK;
}

static klm_rc visit(void *arg, const struct md_object *object)
{
    struct located *located = arg;
    struct km_locate *req = located->call->req;

    if (req->n == located->cap) {
        KLM_TRY(grow(located));
    }
    req->uid[req->n] = klm_pool_str(located->call->pool, object->uid);
    return req->uid[req->n++] ? KLM_OK : KLM_E_NOMEM;
}

/* The serial number of a certificate is asked for by its bytes, or as the INTEGER of DER that the certificate has it in (X.690, 8.3): KMIP does not say which, and clients send either. *out: the
 * filter by the bytes alone; NULL: it is by them, or no such filter. */
static klm_rc by_bytes(struct km_call *call, const struct kmip_node *filter,
                       const struct kmip_node **out)
{
    const struct kmip_node *serial = filter->tag == KMIP_TAG_X_509CertificateIdentifier
                                         ? kmip_child(filter, KMIP_TAG_CertificateSerialNumber)
                                         : NULL;
    struct kmip_node *copy = NULL;

    *out = NULL;
    if (!serial || serial->type != KMIP_BYTES || serial->bytes.n < 3 ||
        serial->bytes.p[0] != DER_INTEGER || serial->bytes.p[1] != serial->bytes.n - 2) {
        return KLM_OK;
    }
    KLM_TRY(md_item_copy(filter, call->pool, &copy));
    for (struct kmip_node *field = copy->first; field; field = field->next) {
        if (field->tag == KMIP_TAG_CertificateSerialNumber) {
            field->bytes = KLM_SLICE(field->bytes.p + 2, field->bytes.n - 2);
        }
    }
    *out = copy;
    return KLM_OK;
}

/* Nothing was found: once more, if a serial number may have been meant in the other way. */
static klm_rc locate_by_bytes(struct located *located, struct st_view *view)
{
    struct km_locate *req = located->call->req;
    struct md_locate what = req->what;
    const struct kmip_node **filter =
        klm_pool_alloc(located->call->pool, (what.filters + 1) * sizeof *filter);
    bool other = false;

    if (!filter) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < what.filters; i++) {
        KLM_TRY(by_bytes(located->call, what.filter[i], &filter[i]));
        other = other || filter[i];
        filter[i] = filter[i] ? filter[i] : what.filter[i];
    }
    what.filter = filter;
    return other ? md_locate(view, &what, visit, located, req->counts ? &req->total : NULL)
                 : KLM_OK;
}

static int64_t seconds(const struct km_call *call)
{
    return parm_num(call->state->config, PARM_kmip_locate_seconds);
}

uint64_t km_locate_until(const struct km_call *call)
{
    return klm_clock_mono_ms() + (uint64_t)seconds(call) * 1000;
}

klm_rc km_object_locate_prepare(struct km_call *call)
{
    struct km_locate *req = call->req;
    /* by default what Percona Server asks for at once: 3 MiB of an answer in TTLV, 6 in XML */
    const uint64_t most = (uint64_t)parm_num(call->state->config, PARM_kmip_locate_max);
    struct located located = {.call = call};
    struct st_view *view;
    bool answered;
    klm_rc rc;

    (void)km_call_seconds(call);
    req->what.group = km_call_group(call);
    req->what.now = call->event.time;
    req->what.served = km_served_has;
    req->what.served_arg = call->server->served;
    if (req->what.max == 0 || req->what.max > most) {
        req->what.max = most;
    }
    KLM_TRY(km_cache_locate(call, req, visit, &located, &answered));
    if (answered) {
        return KLM_OK;
    }
    KLM_TRY(km_view(call, &view));
    req->what.until_ms = req->what.until_ms ? req->what.until_ms : km_locate_until(call);
    rc = md_locate(view, &req->what, visit, &located, req->counts ? &req->total : NULL);
    if (rc == KLM_OK && req->n == 0 && req->total == 0) {
        rc = locate_by_bytes(&located, view);
    }
    if (rc == KLM_E_TIMEOUT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_SEARCH, KLM_NUM(seconds(call)));
    }
    KLM_TRY(rc);
    km_cache_located(call, view, req);
    return KLM_OK;
}

/* A name or an identifier is one object's; what else may match many, or looks through all. */
bool km_locate_slow(const struct km_locate *req)
{
    for (size_t i = 0; i < req->what.filters; i++) {
        const uint32_t tag = req->what.filter[i]->tag;

        if (tag == KMIP_TAG_Name || tag == KMIP_TAG_UniqueIdentifier) {
            return false;
        }
    }
    return true;
}
