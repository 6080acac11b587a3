/* Callers that are no client: their certificates wait until an operator accepts or rejects them. */
#include "keymgr/clients.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* ---- A caller leaves its certificate */

struct contact {
    struct dt_client_pending pending;
};

/* What a stranger wrote, as far as it may be shown: characters that may not be become periods, and it ends where there is no more room. */
static void put_shown(const char *text, char *out, size_t cap)
{
    size_t left = strlen(text), n = 0;

    while (left > 0) {
        size_t len = klm_utf8_char((const uint8_t *)text, left);
        bool good = len > 0 && klm_utf8_printable(KLM_SLICE(text, len));

        if (n + (good ? len : 1) >= cap) {
            break;
        }
        memcpy(out + n, good ? text : ".", good ? len : 1);
        n += good ? len : 1;
        len = len > 0 ? len : 1;
        text += len;
        left -= len;
    }
    out[n] = '\0';
}

static klm_rc read_pending(struct km_call *call, struct dt_client_pending *pending, bool *there)
{
    struct st_view *view;
    struct dt_client_pending old;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = dt_client_pending_get(view, pending->fingerprint, call->pool, &old);
    st_view_close(&view);
    *there = rc == KLM_OK;
    if (rc == KLM_OK) {
        pending->first = old.first;
        pending->tries = old.tries;
    }
    return rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

static klm_rc fill(struct km_call *call, struct klm_slice cert, const char *subject,
                   struct dt_client_pending *pending)
{
    pending->last = klm_clock();
    pending->first =
        pending->first && pending->first <= pending->last ? pending->first : pending->last;
    pending->tries += pending->tries < UINT32_MAX;
    put_shown(subject, pending->subject, sizeof pending->subject);
    return klm_pool_slice(call->pool, cert, &pending->cert);
}

/* Told a moment ago, or too often: the caller hears it, nobody else does. */
static klm_rc say_nothing(struct km_call *call, enum klm_msg_id msg, const char *fingerprint)
{
    call->quiet = call->no_apply = true;
    return KM_REFUSE(call, KLM_OK, 0xEF01, msg, fingerprint);
}

static klm_rc note(struct km_call *call, const struct dt_client_pending *pending, bool there)
{
    struct km_caller caller = {.when = klm_clock(), .newcomer = !there};

    memcpy(caller.fingerprint, pending->fingerprint, sizeof caller.fingerprint);
    memcpy(caller.address, pending->address, sizeof caller.address);
    switch (km_callers_note(&call->server->callers, &caller)) {
    case KM_NOTED_ALREADY:
        return say_nothing(call, KLM_MSG_CLIENT_WAITS, pending->fingerprint);
    case KM_NOTED_NOT:
        return say_nothing(call, KLM_MSG_CLIENT_NOT_NOTED, pending->fingerprint);
    case KM_NOTED_NOW:
        break;
    }
    /* The certificate is noted, the caller is not served: a success of the verb, a refusal for the caller. */
    return KM_REFUSE(call, KLM_OK, 0xEF01, KLM_MSG_CLIENT_WAITS, pending->fingerprint);
}

klm_rc km_client_contact_prepare(struct km_call *call)
{
    const struct km_client_contact *req = call->req;
    struct contact *contact = klm_pool_alloc(call->pool, sizeof *contact);
    struct dt_client_pending *pending;
    struct kr_cert_info info;
    bool there;

    if (!contact) {
        return KLM_E_NOMEM;
    }
    call->work = contact;
    pending = &contact->pending;
    call->event.field[SMF_F_AUTH_TYPE] = "certificate in TLS";
    if (req->cert.n > DT_CLIENT_CERT_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_CLIENT_CERT_LONG,
                         KLM_NUM(DT_CLIENT_CERT_MAX));
    }
    KLM_TRY(kr_cert_info(req->cert, call->pool, &info));
    memcpy(pending->fingerprint, info.fingerprint, sizeof pending->fingerprint);
    call->event.field[SMF_F_CLIENT] = pending->fingerprint;
    if (km_client_registered(call->server,
                             pending->fingerprint)) { /* somebody accepted it just now */
        call->no_apply = true;
        return KLM_OK;
    }
    km_host_of(call->actor.address, pending->address, sizeof pending->address);
    KLM_TRY(read_pending(call, pending, &there));
    KLM_TRY(fill(call, req->cert, info.subject, pending));
    call->event.field[SMF_F_OBJECT] = pending->subject;
    return note(call, pending, there);
}

/* What was not noted is told with what is. */
static klm_rc tell_more(struct km_call *call)
{
    uint64_t n = km_callers_untold(&call->server->callers);
    const struct km_news news = {.what = KM_HAP_CLIENTS_MORE, .failed = true, .object = KLM_NUM(n)};

    return n > 0 ? km_more(call, &news) : KLM_OK;
}

klm_rc km_client_contact_apply(struct km_call *call, struct st_change *change)
{
    const struct contact *contact = call->work;
    char pushed[DT_FINGERPRINT_MAX];
    struct dt_client client;

    if (dt_client_find(st_change_view(change), contact->pending.fingerprint, NULL, &client) ==
        KLM_OK) {
        return KLM_OK; /* somebody accepted it just now */
    }
    KLM_TRY(dt_client_pending_put(change, &contact->pending, pushed));
    if (pushed[0]) {
        call->event.field[SMF_F_OLD] = klm_pool_printf(call->pool, "given up: %s", pushed);
    }
    return tell_more(call);
}

/* ---- List */

static klm_rc list_one(void *arg, const struct dt_client_pending *pending)
{
    struct km_call *call = arg;
    char first[KLM_JAVA_DATE_MAX], last[KLM_JAVA_DATE_MAX];

    klm_java_date(pending->first, first);
    klm_java_date(pending->last, last);
    return km_rows_add(call, (const char *[]){pending->subject, pending->address, first, last,
                                              KLM_NUM(pending->tries), pending->fingerprint});
}

klm_rc km_client_pending_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Subject", "Address",     "First", "Last",
                                          "Calls",   "Certificate", NULL};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Pending clients", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = dt_client_pending_scan(view, list_one, call);
    st_view_close(&view);
    return rc;
}

static klm_rc count_one(void *arg, const struct dt_client_pending *pending)
{
    (void)pending;
    ++*(size_t *)arg;
    return KLM_OK;
}

klm_rc km_clients_pending_row(struct km_call *call)
{
    struct st_view *view;
    size_t n = 0;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = dt_client_pending_scan(view, count_one, &n);
    st_view_close(&view);
    KLM_TRY(rc);
    return km_rows_add(call, (const char *[]){"Pending clients", KLM_NUM(n)});
}

/* ---- Accept and reject */

/* As typed: with colons or without, in any case. */
static klm_rc read_beginning(struct km_call *call, char out[DT_FINGERPRINT_MAX])
{
    const struct km_client_req *req = call->req;
    size_t n = 0;

    for (const char *p = req->fingerprint; *p; p++) {
        char c = *p >= 'A' && *p <= 'F' ? (char)(*p - 'A' + 'a') : *p;

        if (c == ':') {
            continue;
        }
        if (n == DT_FINGERPRINT_MAX - 1 || !strchr("0123456789abcdef", c)) {
            return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CLIENT_PENDING_NONE,
                             req->fingerprint);
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return n >= KM_FINGERPRINT_LEAST ? KLM_OK
                                     : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_FINGERPRINT_SHORT,
                                                 req->fingerprint, KLM_NUM(KM_FINGERPRINT_LEAST));
}

static klm_rc find(struct km_call *call, struct st_view *view, const char *beginning,
                   struct dt_client_pending *out)
{
    klm_rc rc = dt_client_pending_find(view, beginning, call->pool, out);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_PENDING_NONE, beginning);
    }
    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_PENDING_MANY, beginning);
    }
    KLM_TRY(rc);
    call->event.field[SMF_F_CLIENT] = klm_pool_str(call->pool, out->fingerprint);
    return KLM_OK;
}

klm_rc km_client_accept_prepare(struct km_call *call)
{
    struct km_client_work *work;

    KLM_TRY(km_client_read(call, &work));
    return read_beginning(call, work->beginning);
}

/* Renewed, or for the first time. */
static klm_rc accept_for(struct km_call *call, struct st_change *change,
                         const struct dt_client *before)
{
    const struct km_client_req *req = call->req;
    struct dt_client after = *before;

    if (before->fingerprint[0] && !req->replace) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CLIENT_HAS_CERT, before->name);
    }
    if (req->group) { /* whoever wants to move a client says so in a command of its own */
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CLIENT_NAME_TAKEN, before->name);
    }
    KLM_TRY(km_client_fill(call, st_change_view(change), &after));
    KLM_TRY(km_client_put(call, change, before, &after));
    call->text =
        klm_pool_printf(call->pool, "Client %s has certificate %s", after.name, after.fingerprint);
    return dt_client_pending_delete(change, after.fingerprint);
}

klm_rc km_client_accept_apply(struct km_call *call, struct st_change *change)
{
    const struct km_client_req *req = call->req;
    struct st_view *view = st_change_view(change);
    struct km_client_work *work = call->work;
    struct dt_client client = {0};
    struct dt_client_pending pending;
    klm_rc rc;

    KLM_TRY(find(call, view, work->beginning, &pending));
    KLM_TRY(km_client_cert(call, pending.cert, &work->given));
    rc = km_client_open(call, view, req->name, &client);
    if (rc == KLM_OK) {
        return accept_for(call, change, &client);
    }
    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    call->diag = (struct klm_diag){0};
    client = (struct dt_client){0};
    client.last = pending.last;
    return km_client_put_new(call, change, &client);
}

klm_rc km_client_reject_prepare(struct km_call *call)
{
    struct km_client_work *work = klm_pool_alloc(call->pool, sizeof *work);

    if (!work) {
        return KLM_E_NOMEM;
    }
    call->work = work;
    return read_beginning(call, work->beginning);
}

/* One that cannot be read is in no listing, and is named whole. */
klm_rc km_client_reject_apply(struct km_call *call, struct st_change *change)
{
    const struct km_client_work *work = call->work;
    struct dt_client_pending pending;

    if (dt_client_pending_delete(change, work->beginning) == KLM_OK) {
        return KLM_OK;
    }
    KLM_TRY(find(call, st_change_view(change), work->beginning, &pending));
    return dt_client_pending_delete(change, pending.fingerprint);
}
