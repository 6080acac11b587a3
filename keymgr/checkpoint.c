/* Checkpoints: now and then the value of a chain is signed with a private key of the ring, so that who has the certificate can tell that nothing before it was made
 * anew. Those of the journal are events in it; sinks sign their own chains through km_signer. */
#include "keymgr/internal.h"

#include "base/base64.h"
#include "base/digest.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_MS 60000       /* after a failure */
#define SAY_MS (60 * 60000U) /* how often a failure is said */

/* The label that signs: the one that was named, in the ring served or that of TLS; else the one that TLS shows. */
static klm_rc find_label(const struct km_state *state, const struct kr_label **out)
{
    const char *name = parm_str(state->config, PARM_Audit_checkpoint_label);

    if (!name || !*name) {
        return state->tls ? kr_label_server(state->tls, out) : KLM_E_NOTFOUND;
    }
    if (state->keys && kr_label_find(state->keys, name, out) == KLM_OK) {
        return KLM_OK;
    }
    return state->tls ? kr_label_find(state->tls, name, out) : KLM_E_NOTFOUND;
}

static klm_rc sign_with(const struct kr_label *label, struct klm_slice message,
                        struct smf_signature *out)
{
    struct smf_signature made = {0};
    const char *algorithm;

    KLM_TRY(kr_sign(label, message, &algorithm, made.bytes, sizeof made.bytes, &made.n));
    KLM_TRY(klm_sha256(&label->der, 1, made.fingerprint));
    snprintf(made.algorithm, sizeof made.algorithm, "%s", algorithm);
    *out = made;
    return KLM_OK;
}

static klm_rc sign_as(const struct km_state *state, struct klm_slice message,
                      struct smf_signature *out)
{
    const struct kr_label *label;

    KLM_TRY(find_label(state, &label));
    return sign_with(label, message, out);
}

klm_rc km_sign(struct km_server *server, struct klm_slice message, struct klm_pool *pool,
               struct smf_signature *out, struct klm_slice *cert)
{
    const struct kr_label *label;
    struct km_state *state = NULL;
    struct klm_slice der;
    klm_rc rc;

    KLM_TRY(km_state_open_rings(server, &state));
    rc = find_label(state, &label);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(pool, label->der, &der);
    }
    if (rc == KLM_OK) {
        rc = sign_with(label, message, out);
    }
    km_state_put(&state);
    if (rc == KLM_OK) {
        *cert = der;
    }
    return rc;
}

static klm_rc sign(void *arg, struct klm_slice message, struct smf_signature *out)
{
    struct km_state *state = km_state_get(arg);
    klm_rc rc = state ? sign_as(state, message, out) : KLM_E_NOTFOUND;

    km_state_put(&state);
    return rc;
}

void km_signer(struct km_server *server, struct smf_signer *out)
{
    struct km_state *state = km_state_get(server);

    *out = (struct smf_signer){.sign = sign, .arg = server};
    if (state) {
        out->every_records = (uint64_t)parm_num(state->config, PARM_Audit_checkpoint_records);
        out->every_ms = (uint64_t)parm_num(state->config, PARM_Audit_checkpoint_minutes) * 60000;
    }
    km_state_put(&state);
}

/* The journal's own: what was signed, in fields. */
struct checkpoint {
    uint64_t first, last;
    uint8_t value[SMF_HASH_SIZE];
    struct smf_signature signature;
};

static klm_rc record(struct km_server *server, const struct checkpoint *made)
{
    char object[64], value[2 * SMF_HASH_SIZE + 1], print[2 * SMF_FINGERPRINT_SIZE + 1];
    char signature[KLM_BASE64_SIZE(SMF_SIGNATURE_MAX)], text[512];
    const struct km_news news = {.what = KM_HAP_CHECKPOINT, .object = object};
    struct smf_event event;

    snprintf(object, sizeof object, "journal %llu-%llu", (unsigned long long)made->first,
             (unsigned long long)made->last);
    klm_hex(made->value, sizeof made->value, value);
    klm_hex(made->signature.fingerprint, sizeof made->signature.fingerprint, print);
    klm_base64(made->signature.bytes, made->signature.n, signature);
    km_news_event(&news, text, &event);
    event.field[SMF_F_HASH] = value;
    event.field[SMF_F_CLIENT] = print;
    event.field[SMF_F_ALGORITHM] = made->signature.algorithm;
    event.field[SMF_F_SIGNATURE] = signature;
    return km_audit(server, &event);
}

static klm_rc make(struct km_server *server)
{
    struct km_checkpoints *own = &server->checkpoints;
    struct checkpoint made = {.first = own->from};
    struct smf_signer signer;
    struct klm_buf message;
    klm_rc rc;

    smf_journal_head(server->journal, &made.last, made.value);
    if (made.last <= own->own) {
        return KLM_OK; /* nothing since */
    }
    km_signer(server, &signer);
    klm_buf_init(&message, 512);
    rc = smf_checkpoint_message("journal", smf_journal_server_id(server->journal), made.last,
                                made.value, &message);
    if (rc == KLM_OK) {
        rc = signer.sign(signer.arg, klm_buf_as_slice(&message), &made.signature);
    }
    klm_buf_done(&message);
    KLM_TRY(rc);
    KLM_TRY(record(server, &made));
    own->from = made.last + 1;
    own->own = smf_journal_last(server->journal);
    own->made_ms = klm_clock_mono_ms();
    return KLM_OK;
}

/* A failure is said at once and then every hour. */
static void tell(struct km_checkpoints *own, klm_rc rc)
{
    uint64_t now = klm_clock_mono_ms();

    own->failed_ms = rc == KLM_OK ? 0 : now;
    if (rc == KLM_OK) {
        own->said_ms = 0;
    } else if (own->said_ms == 0 || now - own->said_ms >= SAY_MS) {
        own->said_ms = now;
        klm_say(KLM_MSG_CHECKPOINT, klm_rc_text(rc));
    }
}

void km_checkpoint_now(struct km_server *server)
{
    struct km_checkpoints *own = &server->checkpoints;

    if (!server->state || server->options.offline) {
        return; /* no ring is open */
    }
    pthread_mutex_lock(&own->lock);
    tell(own, make(server));
    pthread_mutex_unlock(&own->lock);
}

static void job(struct klm_job *done)
{
    struct km_checkpoints *own =
        (struct km_checkpoints *)(void *)((char *)done - offsetof(struct km_checkpoints, job));
    struct km_server *server =
        (struct km_server *)(void *)((char *)own - offsetof(struct km_server, checkpoints));

    km_checkpoint_now(server);
    atomic_store(&own->busy, false);
}

static bool due(struct km_server *server, const struct km_checkpoints *own)
{
    const uint64_t last = smf_journal_last(server->journal), now = klm_clock_mono_ms();
    struct smf_signer signer;

    if (last <= own->own || smf_journal_failing(server->journal) ||
        (own->failed_ms && now - own->failed_ms < AGAIN_MS)) {
        return false;
    }
    km_signer(server, &signer);
    return (signer.every_records && last - own->own >= signer.every_records) ||
           (signer.every_ms && now - own->made_ms >= signer.every_ms);
}

void km_checkpoint_look(struct km_server *server)
{
    struct km_checkpoints *own = &server->checkpoints;

    if (atomic_load(&own->busy)) {
        return;
    }
    pthread_mutex_lock(&own->lock); /* nobody holds it for long: the job is not under way */
    if (!own->ended && due(server, own)) {
        atomic_store(&own->busy, true);
        own->job = (struct klm_job){.run = job};
        if (klm_workers_submit(server->workers, &own->job) != KLM_OK) {
            atomic_store(&own->busy, false); /* a second later again */
        }
    }
    pthread_mutex_unlock(&own->lock);
}

void km_checkpoint_end(struct km_server *server)
{
    pthread_mutex_lock(&server->checkpoints.lock);
    server->checkpoints.ended = true;
    pthread_mutex_unlock(&server->checkpoints.lock);
}
