/* Drills. Here a partner's challenges are answered: whether a key is here is said with a proof, never with what was wrapped; how often
 * is limited. The drill that this server begins is the task's (replication/drill.c). */
#include "keymgr/internal.h"

#include "base/clock.h"
#include "keyring/material.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS 3600000u

klm_rc km_drill_transcript(const struct km_challenge *item, struct klm_slice binding,
                           struct klm_slice nonce, struct klm_buf *out)
{
    klm_buf_clear(out);
    klm_buf_text(out, "klmsrv drill transcript 1");
    klm_buf_lp16(out, binding);
    klm_buf_lp16(out, nonce);
    klm_buf_u8(out, item->kind);
    klm_buf_str16(out, item->name);
    klm_buf_put(out, item->hash, sizeof item->hash);
    return klm_buf_rc(out);
}

/* ---- How often: so many an hour for each partner, as buckets that fill again evenly */

/* The slot of a partner; a new one takes the slot that was used longest ago. */
static struct km_drills_of *slot_of(struct km_drills *drills, const char *name)
{
    struct km_drills_of *oldest = &drills->of[0];

    for (size_t i = 0; i < KLM_COUNT(drills->of); i++) {
        if (strcmp(drills->of[i].name, name) == 0) {
            return &drills->of[i];
        }
        if (drills->of[i].since < oldest->since) {
            oldest = &drills->of[i];
        }
    }
    *oldest = (struct km_drills_of){0};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

static bool may_drill(struct km_server *server, const char *name, int64_t most)
{
    struct km_drills *drills = &server->drills;
    uint64_t now = klm_clock_mono_ms() + 1;
    struct km_drills_of *of;
    bool may;

    pthread_mutex_lock(&drills->lock);
    of = slot_of(drills, name);
    /* Another thread that looked at the clock later may have begun the hour. */
    if (of->since == 0 || (now > of->since && now - of->since > HOUR_MS)) {
        of->since = now;
        of->n = 0;
    }
    may = of->n < most;
    of->n += may;
    pthread_mutex_unlock(&drills->lock);
    return may;
}

/* ---- Answers */

static uint8_t outcome_of(klm_rc rc)
{
    return rc == KLM_OK ? KM_PROVEN : rc == KLM_E_NOTFOUND ? KM_KEYLESS : KM_CANNOT;
}

/* Found by its label, as cartridges name it; else by its public key: then only those written by its hash can be read here. */
static uint8_t answer_label(struct km_call *call, const struct km_challenge *item,
                            struct klm_slice transcript, uint8_t proof[KR_PROOF])
{
    const struct kr_label *label;
    uint8_t outcome;

    if (kr_label_find(call->state->keys, item->name, &label) == KLM_OK) {
        if (memcmp(label->spki_hash, item->hash, sizeof item->hash) != 0) {
            return KM_OTHER_KEY;
        }
        return outcome_of(kr_drill_answer(label, transcript, item->challenge, proof));
    }
    if (kr_label_find_hash(call->state->keys, item->hash, &label) != KLM_OK) {
        return KM_MISSING;
    }
    outcome = outcome_of(kr_drill_answer(label, transcript, item->challenge, proof));
    return outcome == KM_PROVEN ? KM_OTHER_LABEL : outcome;
}

klm_rc km_drill_stored(struct km_server *server, struct st_view *view, const char *alias,
                       struct klm_slice transcript, uint8_t proof[KR_PROOF])
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct klm_slice token;

    KLM_TRY(klm_pool_new_wiping(0, &pool));
    KLM_TRY(kr_token_get(view, alias, pool, &token));
    KLM_TRY(kr_token_open(server->master, alias, token, &key));
    return kr_drill_stored(key, transcript, proof);
}

klm_rc km_drill_object(struct km_server *server, struct st_view *view, const char *uid,
                       struct klm_slice transcript, uint8_t proof[KR_PROOF])
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_material *material = NULL;
    char label[KR_TOKEN_LABEL_MAX + 1];
    struct klm_slice token;
    klm_rc rc;

    if (!md_uid_ok(uid)) {
        return KLM_E_NOTFOUND;
    }
    md_material_label(uid, label);
    KLM_TRY(klm_pool_new_wiping(0, &pool));
    KLM_TRY(kr_token_get(view, label, pool, &token));
    KLM_TRY(kr_material_open(server->master, label, token, &material));
    rc = kr_drill_object(material, transcript, proof);
    kr_material_free(&material);
    return rc;
}

/* A partner of an earlier release does not say which one it asks for. */
static uint8_t answer_master(struct km_call *call, const struct km_challenge *item,
                             struct klm_slice transcript, uint8_t proof[KR_PROOF])
{
    static const uint8_t unsaid[sizeof item->hash];
    const struct kr_master *master = call->server->master;
    uint8_t ours[sizeof item->hash];

    kr_drill_master_id(master, ours);
    if (memcmp(item->hash, unsaid, sizeof unsaid) != 0 &&
        memcmp(item->hash, ours, sizeof ours) != 0) {
        return KM_OTHER_KEY;
    }
    return kr_drill_master(master, transcript, item->challenge, proof) == KLM_OK ? KM_PROVEN
                                                                                 : KM_CANNOT;
}

/* An alias that is no name of a token is not here either. */
static uint8_t answer_key(klm_rc rc)
{
    return rc == KLM_OK                                                       ? KM_PROVEN
           : rc == KLM_E_NOTFOUND || rc == KLM_E_INVALID || rc == KLM_E_LIMIT ? KM_MISSING
                                                                              : KM_CANNOT;
}

static uint8_t answer_one(struct km_call *call, const struct km_challenge *item,
                          struct st_view *view, struct klm_slice transcript,
                          uint8_t proof[KR_PROOF])
{
    switch (item->kind) {
    case KM_PROVE_STORED:
        return answer_key(km_drill_stored(call->server, view, item->name, transcript, proof));
    case KM_PROVE_OBJECT:
        return answer_key(km_drill_object(call->server, view, item->name, transcript, proof));
    case KM_PROVE_LABEL:
        return answer_label(call, item, transcript, proof);
    case KM_PROVE_MASTER:
        return answer_master(call, item, transcript, proof);
    }
    return KM_UNKNOWN_KIND;
}

static klm_rc answer_all(struct km_call *call, struct st_view *view, struct klm_buf *transcript,
                         struct km_proof *proofs)
{
    const struct km_prove *req = call->req;
    size_t proven = 0;

    for (int64_t i = 0; i < req->n; i++) {
        KLM_TRY(km_drill_transcript(&req->item[i], req->binding, req->nonce, transcript));
        proofs[i].outcome =
            answer_one(call, &req->item[i], view, klm_buf_as_slice(transcript), proofs[i].proof);
        proven += proofs[i].outcome == KM_PROVEN || proofs[i].outcome == KM_OTHER_LABEL;
    }
    call->event.field[SMF_F_NEW] =
        klm_pool_printf(call->pool, "%zu of %lld proven", proven, (long long)req->n);
    return KLM_OK;
}

klm_rc km_drill_prove_prepare(struct km_call *call)
{
    const struct km_prove *req = call->req;
    int64_t most = parm_num(call->state->config, PARM_partner_drills_per_hour);
    struct km_proof *proofs = klm_pool_alloc(call->pool, (size_t)(req->n + 1) * sizeof *proofs);
    struct klm_buf transcript;
    struct st_view *view;
    klm_rc rc;

    if (!proofs) {
        return KLM_E_NOMEM;
    }
    if (req->first && !may_drill(call->server, call->actor.name, most)) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_DRILL_OFTEN, call->actor.name,
                         KLM_NUM(most));
    }
    KLM_TRY(st_view_open(call->server->store, &view));
    klm_buf_init(&transcript, 4096);
    rc = answer_all(call, view, &transcript, proofs);
    klm_buf_done(&transcript);
    st_view_close(&view);
    KLM_TRY(rc);
    call->work = proofs;
    return KLM_OK;
}

klm_rc km_drill_prepare(struct km_call *call)
{
    return km_partner_hand_out(call, call->server->partner.drill);
}
