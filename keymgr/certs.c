/* Verbs on certificates: make, list, delete (packages.c brings them in and out). The private key of a new certificate becomes a key token in the same change. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

klm_rc km_cert_missing(struct km_call *call, const char *owner, const char *label)
{
    return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CERT_NOT_FOUND, label, owner);
}

/* A year more in four has a day more. Certificates begin when they are made, and clocks differ, so there is a day to spare. */
klm_rc km_cert_period(struct km_call *call, const char *label, klm_time not_after)
{
    const klm_time day = (klm_time)24 * 3600 * 1000000;
    int64_t years = parm_num(call->state->config, PARM_maximum_keycert_expiration_period_in_years);
    char date[KLM_ISO_DATE_MAX];

    if (not_after - klm_clock() <= (years * 1461 / 4 + 2) * day) {
        return KLM_OK;
    }
    klm_iso_date(not_after, date);
    date[10] = '\0';
    return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_CERT_PERIOD, label, date, KLM_NUM(years));
}

/* ---- Generate */

static klm_rc role_of(struct km_call *call, const struct km_cert_req *req, enum kr_role *out)
{
    static const struct {
        const char *name;
        enum kr_role role;
    } roles[] = {{"LABEL", KR_ROLE_LABEL},   {"CA", KR_ROLE_CA},
                 {"SERVER", KR_ROLE_SERVER}, {"CLIENT", KR_ROLE_CLIENT},
                 {"DRIVE", KR_ROLE_DRIVE},   {"PARTNER", KR_ROLE_PARTNER}};

    if (!req->role) {
        *out = strcmp(req->owner, "CERTAUTH") == 0 ? KR_ROLE_CA : KR_ROLE_LABEL;
        return KLM_OK;
    }
    for (size_t i = 0; i < KLM_COUNT(roles); i++) {
        if (strcasecmp(req->role, roles[i].name) == 0) {
            *out = roles[i].role;
            return KLM_OK;
        }
    }
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ROLE_UNKNOWN, req->role);
}

static klm_rc spec_of(struct km_call *call, const struct km_cert_req *req, struct kr_spec *out)
{
    int64_t least = parm_num(call->state->config, PARM_key_minimum_rsa_write);

    if (req->type && strcasecmp(req->type, "NISTECC") == 0) {
        *out = (struct kr_spec){KR_EC, req->size ? (unsigned)req->size : 256};
        return KLM_OK;
    }
    if (req->bytes.n > 0) { /* a request brings its key */
        *out = (struct kr_spec){KR_RSA, 2048};
        return KLM_OK;
    }
    *out = (struct kr_spec){KR_RSA, req->size      ? (unsigned)req->size
                                    : least > 2048 ? (unsigned)least
                                                   : 2048};
    if (out->bits < least) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_SIZE_SMALL, KLM_NUM(out->bits),
                         KLM_NUM(least));
    }
    return KLM_OK;
}

klm_rc km_cert_key(struct km_call *call, struct st_view *view, const struct kr_cert *cert,
                   enum klm_msg_id none, struct kr_key **out)
{
    struct klm_slice token;

    if (!cert->token_label[0] ||
        kr_token_get(view, cert->token_label, call->pool, &token) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, none, cert->label, cert->owner);
    }
    KLM_TRY(km_access_key(call, cert->token_label, cert->label));
    return kr_token_open(call->server->master, cert->token_label, token, out);
}

/* The signer's certificate and its opened key. */
static klm_rc signer_of(struct km_call *call, struct st_view *view, const struct km_cert_req *req,
                        struct klm_slice *der, struct kr_key **key)
{
    struct kr_cert cert;

    if (kr_cert_get(view, req->sign_owner ? req->sign_owner : req->owner, req->sign_label,
                    call->pool, &cert) != KLM_OK) {
        return km_cert_missing(call, req->sign_owner ? req->sign_owner : req->owner,
                               req->sign_label);
    }
    KLM_TRY(km_cert_key(call, view, &cert, KLM_MSG_SIGNER_NO_KEY, key));
    *der = cert.der;
    return KLM_OK;
}

/* Without PCICC the private key still needs a name in the token store. */
const char *km_token_label(struct km_call *call)
{
    const struct km_cert_req *req = call->req;
    uint8_t random[8];
    char hex[17];

    if (req->token_label && *req->token_label) {
        return req->token_label;
    }
    if (klm_random(random, sizeof random) != KLM_OK) {
        return NULL;
    }
    klm_hex_upper(random, sizeof random, hex);
    return klm_pool_printf(call->pool, "IRR.DIGTCERT.%s.%s", req->owner, hex);
}

klm_rc km_token_seal(struct km_call *call, const char *label, const struct kr_key *key,
                     struct klm_slice *out)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_token_seal(call->server->master, label, key, &buf);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&buf), out);
    }
    klm_buf_done(&buf);
    return rc;
}

/* Nothing is made in the token that would find its name taken afterwards. */
static klm_rc check_free(struct km_call *call, struct st_view *view, const char *token_label)
{
    const struct km_cert_req *req = call->req;
    struct klm_slice token;
    struct kr_cert cert;

    if (kr_token_get(view, token_label, call->pool, &token) != KLM_E_NOTFOUND) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_TOKEN_EXISTS, token_label);
    }
    if (kr_cert_get(view, req->owner, req->label, call->pool, &cert) != KLM_E_NOTFOUND) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CERT_EXISTS, req->label, req->owner);
    }
    return KLM_OK;
}

/* The key pair made in the PKCS#11 token; what is stored here refers to it. */
static klm_rc make_in_token(struct km_call *call, struct st_view *view,
                            const struct kr_gencert *spec, struct klm_slice *token,
                            struct kr_key **key)
{
    struct klm_buf buf;
    klm_rc rc;

    KLM_TRY(check_free(call, view, spec->token_label));
    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_key_make_in_token(call->server->master, spec->token_label, &spec->spec, &buf,
                              &call->diag, key);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&buf), token);
    }
    klm_buf_done(&buf);
    return rc;
}

/* A key that nothing refers to does not stay in the token. */
static void take_back(struct km_call *call, const char *token_label)
{
    struct klm_diag diag = {0};

    if (kr_key_remove_in_token(call->server->master, token_label, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
}

static klm_rc certify_token(struct km_call *call, struct st_view *view, struct kr_gencert *spec,
                            struct klm_slice signer_der, struct kr_key *signer,
                            struct km_new_cert *made)
{
    KLM_AUTO(kr_key_free) struct kr_key *hard = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *same = NULL;
    klm_rc rc;

    if (signer_der.n == 0 || spec->request.n > 0) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_TOKEN_NO_SELF);
    }
    KLM_TRY(make_in_token(call, view, spec, &made->token, &hard));
    spec->made = hard;
    rc = kr_gencert(spec, signer_der, signer, call->pool, &call->diag, &made->cert.der, &same);
    if (rc != KLM_OK) {
        take_back(call, spec->token_label);
        return rc;
    }
    made->cert.token_label = spec->token_label;
    return KLM_OK;
}

/* A request: its private key is elsewhere, or here with a certificate that was made for it (REKEY), whose place the signed one takes. */
static klm_rc find_place(struct km_call *call, struct st_view *view, struct km_new_cert *made)
{
    struct kr_cert old;
    klm_rc rc = kr_cert_get(view, made->cert.owner, made->cert.label, call->pool, &old);

    return rc == KLM_E_NOTFOUND ? KLM_OK : rc == KLM_OK ? km_cert_return(call, &old, made) : rc;
}

static klm_rc generate(struct km_call *call, struct st_view *view, struct km_new_cert *made)
{
    const struct km_cert_req *req = call->req;
    struct kr_gencert spec = {.owner = req->owner,
                              .label = req->label,
                              .subject = req->subject,
                              .not_before = req->not_before,
                              .not_after = req->not_after,
                              .role_stands = req->role != NULL,
                              .request = req->bytes,
                              .hosts = req->hosts};
    KLM_AUTO(kr_key_free) struct kr_key *signer = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice signer_der = {0};

    KLM_TRY(km_cert_period(call, req->label, req->not_after));
    KLM_TRY(role_of(call, req, &spec.role));
    KLM_TRY(spec_of(call, req, &spec.spec));
    spec.token_label = km_token_label(call);
    if (!spec.token_label) {
        return KLM_E_CRYPTO;
    }
    if (req->sign_label) {
        KLM_TRY(signer_of(call, view, req, &signer_der, &signer));
    } else if (req->bytes.n > 0) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_REQUEST_NO_SIGNER);
    }
    made->cert = (struct kr_cert){.owner = req->owner,
                                  .label = req->label,
                                  .trust = KR_TRUST,
                                  .token_label = "",
                                  .added = klm_clock()};
    if (req->hardware) {
        return certify_token(call, view, &spec, signer_der, signer, made);
    }
    KLM_TRY(kr_gencert(&spec, signer_der, signer, call->pool, &call->diag, &made->cert.der, &key));
    if (!key) {
        return find_place(call, view, made);
    }
    made->cert.token_label = spec.token_label;
    return km_token_seal(call, spec.token_label, key, &made->token);
}

klm_rc km_cert_generate_prepare(struct km_call *call)
{
    struct km_new_cert *made = klm_pool_alloc(call->pool, sizeof *made);
    struct st_view *view;
    klm_rc rc;

    if (!made) {
        return KLM_E_NOMEM;
    }
    call->work = made;
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = generate(call, view, made);
    st_view_close(&view);
    if (rc == KLM_OK) {
        call->bytes = made->cert.der; /* for tools that keep a copy */
        if (call->diag.msg !=
            KLM_MSG_NONE) { /* done, but not quite as asked: the signer ends earlier */
            call->text = klm_pool_str(call->pool, call->diag.text);
            call->diag.msg = KLM_MSG_NONE;
        }
    }
    return rc;
}

klm_rc km_cert_put(struct km_call *call, struct st_change *change, const struct kr_cert *cert)
{
    klm_rc rc = kr_cert_add(change, cert);

    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CERT_EXISTS, cert->label, cert->owner);
    }
    return rc;
}

static klm_rc replace(struct km_call *call, struct st_change *change, const struct kr_cert *cert)
{
    klm_rc rc = kr_cert_replace(change, cert);

    switch (rc) {
    case KLM_E_EXISTS:
        return KM_REFUSE(call, rc, 0, KLM_MSG_CERT_EXISTS, cert->label, cert->owner);
    case KLM_E_NOTFOUND:
        return km_cert_missing(call, cert->owner, cert->label);
    default:
        return rc;
    }
}

klm_rc km_cert_new_apply(struct km_call *call, struct st_change *change,
                         const struct km_new_cert *made)
{
    if (made->returned) {
        return replace(call, change, &made->cert);
    }
    if (made->token.n > 0) {
        klm_rc rc = kr_token_put(change, made->cert.token_label, made->token, false);

        if (rc == KLM_E_EXISTS) {
            return KM_REFUSE(call, rc, 0, KLM_MSG_TOKEN_EXISTS, made->cert.token_label);
        }
        KLM_TRY(rc);
    }
    return km_cert_put(call, change, &made->cert);
}

klm_rc km_cert_generate_apply(struct km_call *call, struct st_change *change)
{
    return km_cert_new_apply(call, change, call->work);
}

/* ---- Delete, list */

klm_rc km_cert_prepare(struct km_call *call)
{
    (void)call; /* all of it happens on the newest state, in apply */
    return KLM_OK;
}

/* The private key goes with its certificate, unless another certificate uses the same token. */
struct token_use {
    const char *token_label;
    size_t n;
};

static klm_rc count_use(void *arg, const struct kr_cert *cert)
{
    struct token_use *use = arg;

    use->n += strcmp(cert->token_label, use->token_label) == 0;
    return KLM_OK;
}

static klm_rc keep_volser(void *arg, const struct md_usage *usage)
{
    memcpy(arg, usage->volser, sizeof usage->volser);
    return KLM_OK;
}

/* A lost key is lost data: the only private key of a label that volumes were written with goes when somebody insists. */
klm_rc km_label_volume(struct st_view *view, const char *label, char volser[7])
{
    volser[0] = '\0';
    return md_query(view, MD_BY_ALIAS, label, 1, keep_volser, volser);
}

static klm_rc refuse_protecting(struct km_call *call, struct st_view *view)
{
    const struct km_cert_req *req = call->req;
    char volser[7];

    KLM_TRY(km_label_volume(view, req->label, volser));
    return volser[0] ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CERT_PROTECTS, req->label, volser)
                     : KLM_OK;
}

klm_rc km_token_drop(struct st_change *change, const char *token_label)
{
    struct token_use use = {.token_label = token_label};

    KLM_TRY(kr_cert_scan(st_change_view(change), NULL, count_use, &use));
    return use.n > 0 ? KLM_OK : kr_token_delete(change, token_label);
}

klm_rc km_cert_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_cert_req *req = call->req;
    struct token_use use = {0};
    struct kr_cert cert;

    if (kr_cert_get(st_change_view(change), req->owner, req->label, call->pool, &cert) != KLM_OK) {
        return km_cert_missing(call, req->owner, req->label);
    }
    KLM_TRY(kr_cert_delete(change, req->owner, req->label));
    if (!cert.token_label[0]) {
        return KLM_OK;
    }
    use.token_label = cert.token_label;
    KLM_TRY(kr_cert_scan(st_change_view(change), NULL, count_use, &use));
    if (use.n > 0) {
        return KLM_OK;
    }
    KLM_TRY(req->force ? KLM_OK : refuse_protecting(call, st_change_view(change)));
    return kr_token_delete(change, cert.token_label);
}

static klm_rc list_cert(void *arg, const struct kr_cert *cert)
{
    static const char *const trust[] = {"NOTRUST", "TRUST", "HIGHTRUST"};
    struct km_call *call = arg;
    struct kr_cert_info info;
    char from[KLM_ISO_DATE_MAX], to[KLM_ISO_DATE_MAX], size[32];

    KLM_TRY(kr_cert_info(cert->der, call->pool, &info));
    klm_iso_date(info.not_before, from);
    klm_iso_date(info.not_after, to);
    from[10] = to[10] = '\0';
    snprintf(size, sizeof size, "%s %u", info.key_type, info.key_bits);
    return km_rows_add(call,
                       (const char *[]){cert->owner, cert->label, trust[cert->trust], from, to,
                                        size, cert->token_label[0] ? cert->token_label : "(none)",
                                        info.serial, info.issuer, info.subject, info.fingerprint});
}

klm_rc km_cert_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Owner",
                                          "Label",
                                          "Status",
                                          "Start Date",
                                          "End Date",
                                          "Key",
                                          "Private Key Label (PCICC)",
                                          "Serial Number",
                                          "Issuer's Name",
                                          "Subject's Name",
                                          "SHA-256 Fingerprint",
                                          NULL};
    const struct km_cert_req *req = call->req;
    struct kr_cert cert;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Digital certificate information", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    if (req->label) {
        rc = kr_cert_get(view, req->owner ? req->owner : "", req->label, call->pool, &cert);
        rc = rc == KLM_OK ? list_cert(call, &cert)
                          : km_cert_missing(call, req->owner ? req->owner : "", req->label);
    } else {
        rc = kr_cert_scan(view, req->owner, list_cert, call);
    }
    st_view_close(&view);
    return rc;
}
