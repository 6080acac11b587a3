/* Verbs that bring certificates in and out: add, check, export, and a request to an authority. A signed certificate that comes back for a request takes
 * the place of the one that the request was made from, so that rings and the private key stay; the certificates that lead to its authority become
 * CERTAUTH's. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct incoming {
    struct kr_package package;
    struct km_new_cert made;
    struct kr_cert chain[KR_PACKAGE_MAX]; /* certificates of CERTAUTH */
    size_t chain_n;
};

static klm_rc trust_of(struct km_call *call, const char *name, enum kr_trust *out)
{
    if (!name || strcasecmp(name, "TRUST") == 0) {
        *out = KR_TRUST;
    } else if (strcasecmp(name, "NOTRUST") == 0) {
        *out = KR_NOTRUST;
    } else if (strcasecmp(name, "HIGHTRUST") == 0) {
        *out = KR_HIGHTRUST;
    } else {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_TRUST_UNKNOWN, name);
    }
    return KLM_OK;
}

/* ---- The return of a signed certificate */

struct waiting {
    struct km_call *call;
    struct klm_slice der;
    struct kr_cert found; /* label NULL: none */
    bool same_cert;
};

/* A certificate of the owner that has the same key here. */
static klm_rc look(void *arg, const struct kr_cert *cert)
{
    struct waiting *waiting = arg;
    struct klm_pool *pool = waiting->call->pool;

    if (cert->der.n == 0 || waiting->found.label || !kr_same_key(cert->der, waiting->der)) {
        return KLM_OK;
    }
    waiting->same_cert = klm_slice_equal(cert->der, waiting->der);
    waiting->found = *cert;
    waiting->found.owner = klm_pool_str(pool, cert->owner);
    waiting->found.label = klm_pool_str(pool, cert->label);
    waiting->found.token_label = klm_pool_str(pool, cert->token_label);
    KLM_TRY(klm_pool_slice(pool, cert->der, &waiting->found.der));
    return waiting->found.label && waiting->found.token_label ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_cert_return(struct km_call *call, const struct kr_cert *old, struct km_new_cert *made)
{
    if (klm_slice_equal(old->der, made->cert.der) || !old->token_label[0]) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CERT_EXISTS, old->label, old->owner);
    }
    if (!kr_same_key(old->der, made->cert.der)) {
        return KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_RETURN_KEY, old->label, old->owner);
    }
    if (!kr_same_subject(old->der, made->cert.der)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_RETURN_SUBJECT, old->label, old->owner);
    }
    made->returned = true;
    if (!made->cert.token_label[0]) {
        made->cert.token_label = old->token_label;
    }
    return KLM_OK;
}

static klm_rc find_place(struct km_call *call, struct st_view *view, struct incoming *in)
{
    const struct km_cert_req *req = call->req;
    struct waiting waiting = {.call = call, .der = in->made.cert.der};
    struct kr_cert old;
    klm_rc rc;

    if (!req->label) {
        KLM_TRY(kr_cert_scan(view, req->owner, look, &waiting));
        if (!waiting.found.label) {
            return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CERT_NO_LABEL);
        }
        in->made.cert.label = waiting.found.label;
        return km_cert_return(call, &waiting.found, &in->made);
    }
    rc = kr_cert_get(view, req->owner, req->label, call->pool, &old);
    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    return km_cert_return(call, &old, &in->made);
}

/* ---- Private keys: one that stands here already (PCICC, or the label's own), or that of the package */

static klm_rc check_token(struct km_call *call, struct st_view *view, const struct kr_cert *cert)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice token;

    if (kr_token_get(view, cert->token_label, call->pool, &token) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_TOKEN_NOT_FOUND, cert->token_label);
    }
    KLM_TRY(km_access_key(call, cert->token_label, cert->label));
    KLM_TRY(kr_token_open(call->server->master, cert->token_label, token, &key));
    if (kr_cert_fits(cert->der, key) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_TOKEN_NOT_ITS, cert->token_label,
                         cert->label);
    }
    return KLM_OK;
}

static klm_rc take_key(struct km_call *call, struct st_view *view, struct incoming *in)
{
    if (in->package.key && !in->made.returned) {
        in->made.cert.token_label = km_token_label(call);
        return in->made.cert.token_label ? km_token_seal(call, in->made.cert.token_label,
                                                         in->package.key, &in->made.token)
                                         : KLM_E_CRYPTO;
    }
    return in->made.cert.token_label[0] ? check_token(call, view, &in->made.cert) : KLM_OK;
}

/* ---- The chain */

/* RACF names them LABELnnnnnnnn; the number here is the beginning of the fingerprint, so that the same certificate gets the same. */
static klm_rc take_authority(struct km_call *call, struct incoming *in, struct klm_slice der)
{
    struct kr_cert_info info;
    struct kr_cert *cert = &in->chain[in->chain_n];

    KLM_TRY(kr_cert_info(der, call->pool, &info));
    *cert = (struct kr_cert){.owner = "CERTAUTH",
                             .label = klm_pool_printf(call->pool, "LABEL%.16s", info.fingerprint),
                             .der = der,
                             .trust = in->made.cert.trust,
                             .token_label = "",
                             .added = in->made.cert.added};
    in->chain_n++;
    return cert->label ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc take_chain(struct km_call *call, struct incoming *in)
{
    if (in->package.n > 1) {
        KLM_TRY(km_access_resource(call, PR_FACILITY, "IRR.DIGTCERT.ADD", PR_CONTROL));
    }
    for (size_t i = 1; i < in->package.n; i++) {
        KLM_TRY(take_authority(call, in, in->package.cert[i]));
    }
    return KLM_OK;
}

/* ---- Add */

static klm_rc check_period(struct km_call *call, const struct kr_cert *cert)
{
    struct kr_cert_info info;

    KLM_TRY(kr_cert_info(cert->der, call->pool, &info));
    return km_cert_period(call, cert->label, info.not_after);
}

static klm_rc prepare_add(struct km_call *call, struct st_view *view, struct incoming *in)
{
    const struct km_cert_req *req = call->req;

    KLM_TRY(kr_package_read(req->bytes, req->password, call->pool, &call->diag, &in->package));
    in->made.cert = (struct kr_cert){.owner = req->owner,
                                     .label = req->label,
                                     .der = in->package.cert[0],
                                     .token_label = req->token_label ? req->token_label : "",
                                     .added = klm_clock()};
    KLM_TRY(trust_of(call, req->trust, &in->made.cert.trust));
    KLM_TRY(find_place(call, view, in));
    KLM_TRY(check_period(call, &in->made.cert));
    KLM_TRY(take_key(call, view, in));
    return take_chain(call, in);
}

klm_rc km_cert_add_prepare(struct km_call *call)
{
    struct incoming *in = klm_pool_alloc(call->pool, sizeof *in);
    struct st_view *view;
    klm_rc rc;

    if (!in) {
        return KLM_E_NOMEM;
    }
    call->work = in;
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = prepare_add(call, view, in);
    st_view_close(&view);
    kr_key_free(&in->package.key);
    return rc;
}

/* One that is there already, under any label of CERTAUTH, is no failure. */
static klm_rc add_chain(struct km_call *call, struct st_change *change, const struct incoming *in)
{
    size_t added = 0;

    for (size_t i = 0; i < in->chain_n; i++) {
        klm_rc rc = kr_cert_add(change, &in->chain[i]);

        KLM_TRY(rc == KLM_E_EXISTS ? KLM_OK : rc);
        added += rc == KLM_OK;
    }
    if (added > 0) {
        call->text = klm_pool_printf(call->pool,
                                     "%zu certificates of its chain were added to CERTAUTH", added);
    }
    return KLM_OK;
}

klm_rc km_cert_add_apply(struct km_call *call, struct st_change *change)
{
    struct incoming *in = call->work;

    KLM_TRY(km_cert_new_apply(call, change, &in->made));
    return add_chain(call, change, in);
}

/* ---- Check */

static klm_rc check_row(struct km_call *call, struct st_view *view, struct klm_slice der)
{
    const struct km_cert_req *req = call->req;
    struct waiting waiting = {.call = call, .der = der};
    struct kr_cert_info info;
    char from[KLM_ISO_DATE_MAX], to[KLM_ISO_DATE_MAX];
    const char *here;

    KLM_TRY(kr_cert_info(der, call->pool, &info));
    KLM_TRY(kr_cert_scan(view, req->owner, look, &waiting));
    klm_iso_date(info.not_before, from);
    klm_iso_date(info.not_after, to);
    from[10] = to[10] = '\0';
    here = !waiting.found.label
               ? "no"
               : klm_pool_printf(call->pool, "%s%s of %s", waiting.same_cert ? "" : "its key, as ",
                                 waiting.found.label, waiting.found.owner);
    return here ? km_rows_add(call, (const char *[]){here, from, to, info.serial, info.issuer,
                                                     info.subject, info.fingerprint})
                : KLM_E_NOMEM;
}

klm_rc km_cert_check_prepare(struct km_call *call)
{
    static const char *const columns[] = {
        "Here",           "Start Date",          "End Date", "Serial Number", "Issuer's Name",
        "Subject's Name", "SHA-256 Fingerprint", NULL};
    const struct km_cert_req *req = call->req;
    struct kr_package package = {0};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Certificates of the file", columns));
    KLM_TRY(kr_package_read(req->bytes, req->password, call->pool, &call->diag, &package));
    if (package.key) {
        call->text = "The package holds the private key of its first certificate";
    }
    kr_key_free(&package.key);
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = KLM_OK;
    for (size_t i = 0; i < package.n && rc == KLM_OK; i++) {
        rc = check_row(call, view, package.cert[i]);
    }
    st_view_close(&view);
    return rc;
}

/* A private key that may leave, or sign here: not one in a PKCS#11 token. */
static klm_rc open_key(struct km_call *call, struct st_view *view, const struct kr_cert *cert,
                       enum klm_msg_id none, struct kr_key **out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    klm_rc rc;

    KLM_TRY(km_cert_key(call, view, cert, none, &key));
    rc = kr_key_opened(key, out);
    return rc == KLM_E_UNSUPPORTED
               ? KM_REFUSE(call, rc, 0, KLM_MSG_KEY_HARDWARE, cert->label, cert->owner)
               : rc;
}

/* ---- Export */

static klm_rc export(struct km_call *call, struct st_view *view, struct kr_package *package)
{
    const struct km_cert_req *req = call->req;
    enum kr_format format = KR_CERTB64;
    struct kr_cert cert;
    klm_rc rc;

    if (req->format && kr_format_find(req->format, &format) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_FORMAT_UNKNOWN, req->format);
    }
    rc = kr_cert_get(view, req->owner, req->label, call->pool, &cert);
    if (rc == KLM_E_NOTFOUND) {
        return km_cert_missing(call, req->owner, req->label);
    }
    KLM_TRY(rc);
    package->cert[package->n++] = cert.der;
    if (format != KR_CERTDER && format != KR_CERTB64) {
        KLM_TRY(kr_package_chain(view, call->pool, package));
    }
    if (format == KR_PKCS12DER || format == KR_PKCS12B64) {
        KLM_TRY(open_key(call, view, &cert, KLM_MSG_EXPORT_NO_KEY, &package->key));
    }
    return kr_package_write(package, format, cert.label, req->password, call->pool, &call->diag,
                            &call->bytes);
}

klm_rc km_cert_export_prepare(struct km_call *call)
{
    struct kr_package package = {0};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = export(call, view, &package);
    st_view_close(&view);
    kr_key_free(&package.key);
    return rc;
}

/* ---- Request */

static klm_rc request(struct km_call *call, struct st_view *view)
{
    const struct km_cert_req *req = call->req;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    struct kr_cert cert;
    klm_rc rc = kr_cert_get(view, req->owner, req->label, call->pool, &cert);

    klm_buf_init(&text, ST_RECORD_MAX);
    if (rc == KLM_E_NOTFOUND) {
        return km_cert_missing(call, req->owner, req->label);
    }
    KLM_TRY(rc);
    KLM_TRY(open_key(call, view, &cert, KLM_MSG_CERT_NO_PRIVATE, &key));
    KLM_TRY(kr_request_make(cert.der, key, &text));
    return klm_pool_slice(call->pool, klm_buf_as_slice(&text), &call->bytes);
}

klm_rc km_cert_request_prepare(struct km_call *call)
{
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = request(call, view);
    st_view_close(&view);
    return rc;
}
