/* Verb keystore-list: what the ring served holds (commands list and listcerts). */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

static klm_rc row_of(struct km_call *call, const struct kr_label *label, bool verbose)
{
    struct kr_cert_info info;
    char size[32], from[KLM_JAVA_DATE_MAX], to[KLM_JAVA_DATE_MAX];

    KLM_TRY(kr_cert_info(label->der, call->pool, &info));
    snprintf(size, sizeof size, "%s %u", info.key_type, info.key_bits);
    klm_java_date(info.not_before, from);
    klm_java_date(info.not_after, to);
    if (!verbose) {
        return km_rows_add(
            call,
            (const char *[]){label->label,
                             label->key ? "certificate and private key" : "certificate", size});
    }
    return km_rows_add(
        call,
        (const char *[]){label->label, label->key ? "certificate and private key" : "certificate",
                         size, label->owner, label->usage, label->deflt ? "YES" : "NO", from, to,
                         info.subject, info.fingerprint});
}

/* Stored keys have no certificate: when they were given out stands in its place. */
struct key_rows {
    struct km_call *call;
    struct st_view *view;
    bool verbose;
};

static klm_rc key_row(void *arg, const char *alias, const struct kr_spec *spec)
{
    const struct key_rows *rows = arg;
    struct md_key_use use = {0};
    char size[32], first[KLM_JAVA_DATE_MAX] = "never";
    klm_rc rc;

    snprintf(size, sizeof size, "AES %u", spec->bits);
    if (!rows->verbose) {
        return km_rows_add(rows->call, (const char *[]){alias, "symmetric key", size});
    }
    rc = md_key_use(rows->view, alias, &use);
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (use.first) {
        klm_java_date(use.first, first);
    }
    return km_rows_add(rows->call, (const char *[]){alias, "symmetric key", size,
                                                    KLM_NUM(use.times), use.volser, first});
}

static klm_rc list_keys(struct km_call *call, struct st_view *view)
{
    const struct km_list_req *req = call->req;
    struct key_rows rows = {call, view, req->verbose};
    char alias[KLM_ALIAS_MAX + 1];

    if (!req->alias) {
        return kr_token_scan(view, KR_AES, "", key_row, &rows);
    }
    if (klm_alias(klm_slice_str(req->alias), alias) != KLM_OK ||
        km_key_there(view, alias) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_KEY_UNKNOWN, req->alias);
    }
    return key_row(&rows, alias, &(struct kr_spec){KR_AES, 256});
}

static klm_rc list_symmetric(struct km_call *call)
{
    static const char *const few[] = {"Alias", "Entry", "Key", NULL};
    static const char *const all[] = {"Alias",       "Entry",       "Key", "Given",
                                      "Last Volume", "First Given", NULL};
    const struct km_list_req *req = call->req;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Stored keys", req->verbose ? all : few));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = list_keys(call, view);
    st_view_close(&view);
    return rc;
}

klm_rc km_keystore_list_prepare(struct km_call *call)
{
    static const char *const few[] = {"Alias", "Entry", "Key", NULL};
    static const char *const all[] = {
        "Alias",   "Entry",      "Key",      "Owner",   "Usage",
        "Default", "Valid From", "Valid To", "Subject", "SHA-256 Fingerprint",
        NULL};
    const struct km_list_req *req = call->req;
    const struct kr_open_ring *ring = call->state->keys;
    struct parm_ring name;

    if (req->keysym) {
        return list_symmetric(call);
    }
    if (parm_ring(parm_str(call->state->config, PARM_config_keystore_file), &name) == KLM_OK) {
        KLM_TRY(km_access_ring(call, name.owner, name.ring));
    }
    KLM_TRY(km_rows_begin(call, "Key ring entries", req->verbose ? all : few));
    if (!ring) {
        return KLM_OK; /* offline: no ring is open */
    }
    for (size_t i = 0; i < kr_open_ring_count(ring); i++) {
        const struct kr_label *label = kr_open_ring_at(ring, i);

        if ((req->alias && strcmp(label->label, req->alias) != 0) ||
            (req->key && !req->cert && !label->key)) {
            continue;
        }
        KLM_TRY(row_of(call, label, req->verbose));
    }
    if (req->alias && call->rows.n == 0) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_LABEL_UNKNOWN, req->alias);
    }
    return KLM_OK;
}
