/* What counts once of what clients show: one-time passwords, and hashed passwords by their time stamps (KMIP 2.1, 9.11). What a message used is on disk before anything of it is
 * carried out, so that it is used up whatever comes after. */
#include "keymgr/clients.h"

#include "keyring/hashed.h"

#include <stdio.h>
#include <string.h>

#define APART_US (5LL * 60 * 1000000) /* of the clocks of client and server */

_Static_assert(DT_ONCE_HEAD == KR_ONCE_HEAD && sizeof((struct dt_proof *)0)->once[0] == KR_ONCE,
               "records hold what keyring makes");

/* ---- Registering */

static klm_rc refuse_once(struct km_call *call, const char *why)
{
    const struct km_client_req *req = call->req;

    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLIENT_ONCE, req->name, why);
}

/* A line without what ends it; empty ones are left out. False: there is none left. */
static bool next_line(struct klm_slice *text, struct klm_slice *line)
{
    while (text->n > 0) {
        const uint8_t *end = memchr(text->p, '\n', text->n);
        const size_t n = end ? (size_t)(end - text->p) : text->n;

        *line = KLM_SLICE(text->p, n);
        text->p += n + (end != NULL);
        text->n -= n + (end != NULL);
        line->n -= line->n > 0 && line->p[line->n - 1] == '\r';
        if (line->n > 0) {
            return true;
        }
    }
    return false;
}

static bool has_once(const struct dt_proof *proof, const uint8_t hash[KR_ONCE], size_t *at)
{
    bool found = false;

    for (size_t i = 0; i < proof->n; i++) { /* all of them, so that time tells nothing */
        if (klm_secret_equal(proof->once[i], hash, KR_ONCE)) {
            found = true;
            *at = i;
        }
    }
    return found;
}

static size_t lines_of(struct klm_slice text)
{
    struct klm_slice line;
    size_t n = 0;

    while (next_line(&text, &line)) {
        n++;
    }
    return n;
}

static klm_rc read_once(struct km_call *call, struct klm_slice text, struct dt_proof *proof)
{
    struct klm_slice line;
    uint8_t hash[KR_ONCE];
    size_t at;

    if (lines_of(text) > DT_ONCE_MAX) { /* before seconds go into hashes of the others */
        return refuse_once(call, "there are too many");
    }
    KLM_TRY(kr_once_head(proof->once_head));
    while (next_line(&text, &line)) {
        klm_rc rc = kr_once_hash(proof->once_head, line, hash);

        if (rc == KLM_E_LIMIT) {
            return refuse_once(call, "one is too short or too long");
        }
        KLM_TRY(rc);
        if (has_once(proof, hash, &at)) {
            return refuse_once(call, "one stands there twice");
        }
        memcpy(proof->once[proof->n++], hash, KR_ONCE);
    }
    return proof->n ? KLM_OK : refuse_once(call, "there is none");
}

static klm_rc make_label(char out[DT_HASHED_MAX])
{
    uint8_t id[16];

    KLM_TRY(klm_random(id, sizeof id));
    memcpy(out, DT_HASHED_PREFIX, sizeof DT_HASHED_PREFIX - 1);
    klm_hex(id, sizeof id, out + sizeof DT_HASHED_PREFIX - 1);
    return KLM_OK;
}

static klm_rc read_hashed(struct km_call *call, struct km_client_work *work)
{
    const struct km_client_req *req = call->req;
    struct kr_material *kept = NULL;
    struct klm_buf token;
    klm_rc rc;

    if (!req->user || !*req->user || !req->password) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLIENT_HASHED, req->name);
    }
    KLM_TRY(make_label(work->given.hashed));
    KLM_TRY(kr_hashed_make(klm_slice_str(req->user), klm_slice_str(req->password), &kept));
    klm_buf_init(&token, ST_RECORD_MAX);
    rc = kr_material_seal(call->server->master, work->given.hashed, kept, &token);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&token), &work->token);
    }
    klm_buf_done(&token);
    kr_material_free(&kept);
    return rc;
}

klm_rc km_client_read_proof(struct km_call *call, struct km_client_work *work)
{
    const struct km_client_req *req = call->req;

    if (req->once.p) {
        work->once = true;
        KLM_TRY(read_once(call, req->once, &work->proof));
    }
    return req->hashed ? read_hashed(call, work) : KLM_OK;
}

/* What is kept for hashed passwords is made of user name and password: a new one of either makes it wrong. */
klm_rc km_client_fill_proof(struct km_call *call, struct dt_client *client)
{
    const struct km_client_req *req = call->req;
    const struct km_client_work *work = call->work;

    if (req->user || req->password || req->nopassword) {
        memcpy(client->hashed, work->given.hashed, sizeof client->hashed);
    }
    client->once = (client->once && !req->noonce) || work->once;
    return KLM_OK;
}

klm_rc km_client_drop_hashed(struct st_change *change, const struct dt_client *before,
                             const struct dt_client *after)
{
    klm_rc rc;

    if (!before || !before->hashed[0] || (after && strcmp(before->hashed, after->hashed) == 0)) {
        return KLM_OK;
    }
    rc = kr_token_delete(change, before->hashed);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

klm_rc km_client_put_proof(struct km_call *call, struct st_change *change,
                           const struct dt_client *before, const struct dt_client *after)
{
    const struct km_client_work *work = call->work;
    struct dt_proof proof = {0};

    KLM_TRY(km_client_drop_hashed(change, before, after));
    if (!after) {
        return KLM_OK;
    }
    if (work->token.n > 0) {
        KLM_TRY(kr_token_put(change, after->hashed, work->token, false));
    }
    if (!work->once && !(before && before->once && !after->once)) {
        return KLM_OK;
    }
    if (dt_proof_get(st_change_view(change), after->name, &proof) != KLM_OK) {
        proof = (struct dt_proof){0}; /* none, or one that cannot be read, and is made anew */
    }
    memcpy(proof.once_head, work->proof.once_head, sizeof proof.once_head);
    memcpy(proof.once, work->proof.once, sizeof proof.once);
    proof.n = work->proof.n;
    return dt_proof_put(change, after->name, &proof);
}

/* ---- Proving */

struct proving {
    struct dt_client client;
    uint8_t once[KR_ONCE];
};

static klm_rc refuse(struct km_call *call, const char *why)
{
    const struct proving *proving = call->work;

    return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CLIENT_CREDENTIAL, proving->client.name, why);
}

static klm_rc wrong(struct km_call *call, const char *why)
{
    const struct proving *proving = call->work;

    km_credential_wrong(call->server, &proving->client);
    return refuse(call, why);
}

/* "SHALL monotonically increase": what was shown once is never right again, and of a store that was restored nothing is that is older than minutes. */
static klm_rc check_time(struct km_call *call, const struct dt_proof *proof)
{
    const struct km_client_prove *req = call->req;
    const int64_t apart = req->timestamp - klm_clock();

    if (req->timestamp <= 0 || apart > APART_US || apart < -APART_US) {
        return refuse(call,
                      "its time stamp is more than five minutes from the clock of this server");
    }
    return req->timestamp > proof->stamp
               ? KLM_OK
               : refuse(call, "its time stamp is not later than the last one");
}

static klm_rc open_kept(struct km_call *call, struct st_view *view, struct kr_material **out)
{
    const struct proving *proving = call->work;
    struct klm_slice token;
    klm_rc rc = kr_token_get(view, proving->client.hashed, call->pool, &token);

    if (rc == KLM_OK) {
        rc = kr_material_open(call->server->master, proving->client.hashed, token, out);
    }
    return rc == KLM_OK ? rc : refuse(call, "what is kept of its password cannot be read");
}

static klm_rc try_hashed(struct km_call *call, struct st_view *view, const struct dt_proof *proof)
{
    struct km_client_prove *req = call->req;
    const struct proving *proving = call->work;
    struct kr_material *kept = NULL;
    klm_rc rc;

    if (!kr_hashed_size((uint32_t)req->algorithm)) {
        const char *name = kmip_value_name(KMIP_E_HashingAlgorithm, (uint32_t)req->algorithm);

        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_CLIENT_HASH, proving->client.name,
                         name ? name : "an unknown hash");
    }
    if (!proving->client.hashed[0]) {
        return refuse(call, "none of its passwords may come hashed");
    }
    KLM_TRY(check_time(call, proof));
    KLM_TRY(open_kept(call, view, &kept));
    rc = kr_hashed_try(kept, (uint32_t)req->algorithm, req->timestamp, req->hashed, req->answer,
                       &req->answer_n);
    kr_material_free(&kept);
    return rc == KLM_E_WRONGKEY ? wrong(call, "its password is another one") : rc;
}

static klm_rc try_once(struct km_call *call, const struct dt_proof *proof)
{
    const struct km_client_prove *req = call->req;
    struct proving *proving = call->work;
    size_t at;
    klm_rc rc;

    if (!proving->client.once || proof->n == 0) {
        return refuse(call, "none of its one-time passwords is left");
    }
    rc = kr_once_hash(proof->once_head, req->once, proving->once);
    if (rc != KLM_OK && rc != KLM_E_LIMIT) {
        return rc;
    }
    return rc == KLM_OK && has_once(proof, proving->once, &at)
               ? KLM_OK
               : wrong(call, "its one-time password is none of those that are left");
}

static klm_rc look(struct km_call *call, struct st_view *view)
{
    const struct km_client_prove *req = call->req;
    struct proving *proving = call->work;
    struct dt_proof proof = {0};
    klm_rc rc;

    KLM_TRY(dt_client_find(view, call->actor.fingerprint, NULL, &proving->client));
    KLM_TRY(km_credential_may_try(call->server, &proving->client, &call->diag));
    rc = dt_proof_get(view, proving->client.name, &proof);
    if (rc == KLM_E_CORRUPT) {
        return refuse(call, "what is kept of its passwords cannot be read");
    }
    KLM_TRY(rc == KLM_E_NOTFOUND ? KLM_OK : rc);
    if (req->once.p) {
        KLM_TRY(try_once(call, &proof));
    }
    return req->hashed.p ? try_hashed(call, view, &proof) : KLM_OK;
}

/* On a worker: what has to be computed. */
klm_rc km_client_prove_prepare(struct km_call *call)
{
    const struct km_client_prove *req = call->req;
    struct st_view *view;
    klm_rc rc;

    call->work = klm_pool_alloc(call->pool, sizeof(struct proving));
    if (!call->work) {
        return KLM_E_NOMEM;
    }
    call->event.field[SMF_F_OBJECT] = call->actor.name;
    call->event.field[SMF_F_AUTH_TYPE] = req->once.p && req->hashed.p
                                             ? "one-time and hashed password"
                                         : req->once.p ? "one-time password"
                                                       : "hashed password";
    if (!req->once.p && !req->hashed.p) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_PARAM_MISSING, "once",
                         km_verb(call->id)->name);
    }
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = look(call, view);
    st_view_close(&view);
    return rc;
}

static klm_rc use_once(struct km_call *call, struct dt_proof *proof)
{
    const struct proving *proving = call->work;
    size_t at = 0;

    if (!has_once(proof, proving->once, &at)) { /* another message was faster */
        return wrong(call, "its one-time password is none of those that are left");
    }
    proof->n--;
    memmove(proof->once[at], proof->once[at + 1], (proof->n - at) * sizeof proof->once[0]);
    call->event.field[SMF_F_NEW] =
        klm_pool_printf(call->pool, "one-time passwords left: %zu", proof->n);
    return KLM_OK;
}

/* On the writer: what was shown is used up. Two messages with the same are carried out one behind the other, and the second one is refused. */
klm_rc km_client_prove_apply(struct km_call *call, struct st_change *change)
{
    const struct km_client_prove *req = call->req;
    const struct proving *proving = call->work;
    struct st_view *view = st_change_view(change);
    struct dt_client client;
    struct dt_proof proof = {0};
    klm_rc rc;

    KLM_TRY(dt_client_find(view, call->actor.fingerprint, NULL, &client));
    if (strcmp(client.hashed, proving->client.hashed) != 0 || client.closed) {
        return refuse(call, "it was changed meanwhile");
    }
    rc = dt_proof_get(view, client.name, &proof);
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (req->once.p) {
        KLM_TRY(use_once(call, &proof));
    }
    if (req->hashed.p) {
        KLM_TRY(check_time(call, &proof));
        proof.stamp = req->timestamp;
    }
    return dt_proof_put(change, client.name, &proof);
}
