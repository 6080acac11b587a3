/* Partners: who is one, and the verbs whose work goes out to them. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Is the fingerprint in partner.fingerprints, or is there no such list? Colons in it are for the eye. */
static bool pinned(const struct parm_config *config, const char *fingerprint)
{
    const char *list = parm_str(config, PARM_partner_fingerprints);
    size_t at = 0;

    if (!list || !*list) {
        return true;
    }
    for (const char *p = list;; p++) {
        if (*p == ',' || *p == '\0') {
            if (at == 64) {
                return true;
            }
            at = 0;
        } else if (*p != ':' && *p != ' ') {
            bool fits = at < 64 && strncasecmp(p, fingerprint + at, 1) == 0;

            at = fits ? at + 1 : 65; /* beyond: this one is another */
        }
        if (*p == '\0') {
            return false;
        }
    }
}

klm_rc km_partner_check(const struct km_state *state, struct klm_slice der, struct klm_diag *diag,
                        const char **name, char fingerprint[65])
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    const struct kr_label *label;
    struct kr_cert_info info;

    if (!state->partner.trust) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_NO_RING,
                        parm_row(PARM_Admin_ssl_keystore_name)->name);
    }
    KLM_TRY(klm_pool_new(0, &pool));
    if (kr_cert_info(der, pool, &info) != KLM_OK) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_UNKNOWN, "?",
                        "its certificate cannot be read");
    }
    if (kr_cert_partner(der) != KLM_OK) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_UNKNOWN, info.subject,
                        "its certificate does not carry the role PARTNER");
    }
    if (kr_label_find_cert(state->partner.trust, der, &label) != KLM_OK) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_UNKNOWN, info.subject,
                        "its certificate is not connected to the ring of partners");
    }
    if (!pinned(state->config, info.fingerprint)) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_UNKNOWN, info.subject,
                        "its certificate is not in partner.fingerprints");
    }
    KLM_TRY(kr_cert_chain(state->partner.trust, der, klm_clock(), diag));
    *name = label->label;
    memcpy(fingerprint, info.fingerprint, sizeof info.fingerprint);
    return KLM_OK;
}

/* The session takes name and fingerprint over from the call. */
klm_rc km_partner_contact_prepare(struct km_call *call)
{
    const struct km_partner_contact *req = call->req;
    char fingerprint[65];
    const char *name;

    call->event.field[SMF_F_AUTH_TYPE] = "certificate in TLS";
    if (req->version_min > KM_PARTNER_VERSION || req->version_max < KM_PARTNER_VERSION) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_PARTNER_VERSION, req->id,
                         KLM_NUM(req->version_min), KLM_NUM(req->version_max),
                         KLM_NUM(KM_PARTNER_VERSION));
    }
    KLM_TRY(km_partner_check(call->state, req->cert, &call->diag, &name, fingerprint));
    call->actor.name = klm_pool_str(call->pool, name);
    call->actor.fingerprint = klm_pool_str(call->pool, fingerprint);
    return call->actor.name && call->actor.fingerprint ? KLM_OK : KLM_E_NOMEM;
}

/* ---- What goes out */

void km_on_partner(struct km_server *server, const struct km_partner_ops *ops, void *arg)
{
    server->partner = *ops;
    server->partner_arg = arg;
}

klm_rc km_partner_hand_out(struct km_call *call, km_partner_fn *fn)
{
    return fn ? fn(call->server->partner_arg, call)
              : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_PARTNER_DOWN, km_verb(call->id)->name);
}

klm_rc km_sync_prepare(struct km_call *call)
{
    const struct km_sync_req *req = call->req;

    if (req->merge && req->rewrite) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_SYNC_MODE);
    }
    return km_partner_hand_out(call, call->server->partner.sync);
}
