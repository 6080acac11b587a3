/* Opening a ring: its certificates taken apart, private keys out of their tokens, and tables to
 * find them by. One bad entry never keeps the others from serving: it is said and left out, or
 * kept without its key. */
#include "keyring/open.h"

#include <stdlib.h>
#include <string.h>

#define POOL_MAX ((size_t)512 << 20) /* 4,000 certificates of the largest size, and their names */

struct opening {
    struct st_view *view;
    const struct kr_master *master;
    struct kr_open_ring *ring;
    const char *owner, *name;
};

/* What ends the opening: want of memory, or a strict master key whose PKCS#11 token is away; a ring without its keys would be worse than the one that is
 * open now. */
static bool ends(klm_rc rc)
{
    return rc == KLM_E_NOMEM || rc == KLM_E_STATE;
}

/* The private key of a certificate out of its token, or a message and none. */
static klm_rc open_key(const struct opening *opening, const struct kr_cert *cert,
                       struct kr_key **out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice token;
    char theirs[KR_VP_MAX] = "", ours[KR_VP_MAX];
    klm_rc rc;

    if (!cert->token_label[0]) {
        return KLM_OK;
    }
    KLM_TRY(klm_pool_new(0, &pool));
    rc = kr_token_get(opening->view, cert->token_label, pool, &token);
    if (rc == KLM_E_NOTFOUND) {
        klm_say(KLM_MSG_RING_NO_TOKEN, cert->token_label, cert->label, cert->owner);
        return KLM_OK;
    }
    if (rc == KLM_OK) {
        rc = kr_token_hold(opening->master, cert->token_label, token, out);
    }
    if (rc == KLM_E_WRONGKEY && kr_token_vp(token, theirs) == KLM_OK) {
        kr_master_vp(opening->master, ours);
        klm_say(KLM_MSG_RING_OTHER_MASTER, cert->token_label, cert->label, theirs, ours);
    } else if (rc != KLM_OK && !ends(rc)) {
        klm_say(KLM_MSG_RING_BAD_TOKEN, cert->token_label, cert->label, klm_rc_text(rc));
    }
    return ends(rc) ? rc : KLM_OK;
}

/* A key that is not the certificate's would make cartridges that nobody reads. */
static void check_fit(struct kr_label *label, const struct kr_cert *cert)
{
    if (label->key && X509_check_private_key(label->x509, kr_key_pkey(label->key)) != 1) {
        ERR_clear_error();
        klm_say(KLM_MSG_RING_MISFIT, cert->token_label, cert->label, cert->owner);
        kr_key_free(&label->key);
    }
}

static klm_rc fill_label(const struct opening *opening, const struct kr_cert *cert,
                         const struct kr_connect *connect, struct kr_label *label)
{
    label->owner = cert->owner;
    label->label = cert->label;
    label->usage = connect->usage;
    label->token_label = cert->token_label;
    label->deflt = connect->deflt;
    label->der = cert->der;
    KLM_TRY(kr_x509(cert->der, &label->x509));
    KLM_TRY(kr_spki_hash(label->x509, label->spki_hash));
    KLM_TRY(kr_x509_times(label->x509, &label->not_before, &label->not_after));
    label->pub = X509_get0_pubkey(label->x509);
    label->is_ca = kr_x509_is_ca(label->x509);
    if (!label->pub || kr_pkey_spec(label->pub, &label->spec) != KLM_OK) {
        label->spec = (struct kr_spec){
            0}; /* a kind of key that wraps nothing; it may still be an authority */
    }
    ERR_clear_error();
    KLM_TRY(open_key(opening, cert, &label->key));
    check_fit(label, cert);
    return KLM_OK;
}

static void label_done(struct kr_label *label)
{
    kr_key_free(&label->key);
    X509_free(label->x509);
    *label = (struct kr_label){0};
}

/* One connection to one label; left out with a message when the certificate cannot be used. */
static klm_rc open_one(const struct opening *opening, const struct kr_connect *connect)
{
    struct kr_open_ring *ring = opening->ring;
    struct kr_label *label = &ring->labels[ring->n];
    struct kr_cert cert;
    klm_rc rc = kr_cert_get(opening->view, connect->owner, connect->label, ring->pool, &cert);

    if (rc == KLM_OK && cert.trust == KR_NOTRUST) {
        klm_say(KLM_MSG_RING_NOTRUST, connect->label, connect->owner, opening->name);
        return KLM_OK;
    }
    if (rc == KLM_OK) {
        rc = fill_label(opening, &cert, connect, label);
    }
    if (rc != KLM_OK) {
        label_done(label);
        if (ends(rc)) {
            return rc;
        }
        klm_say(KLM_MSG_RING_BAD_CERT, connect->label, connect->owner, opening->name,
                klm_rc_text(rc));
        return KLM_OK;
    }
    label->index = (unsigned)ring->n++;
    return KLM_OK;
}

/* RFC 5280, 6.1.1 (d): a CA certificate connected as CERTAUTH is an anchor, also when it was
 * signed by another one. */
static klm_rc make_trust(struct kr_open_ring *ring)
{
    ring->trust = X509_STORE_new();
    if (!ring->trust) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < ring->n; i++) {
        const struct kr_label *label = &ring->labels[i];

        if (label->is_ca && strcmp(label->usage, "CERTAUTH") == 0 &&
            X509_STORE_add_cert(ring->trust, label->x509) != 1) {
            return kr_quiet(KLM_E_NOMEM);
        }
    }
    return KLM_OK;
}

static klm_rc open_all(struct opening *opening)
{
    struct kr_open_ring *ring = opening->ring;
    struct kr_ring listed;
    size_t damaged = 0;

    KLM_TRY(klm_pool_new(POOL_MAX, &ring->pool));
    KLM_TRY(
        kr_ring_load(opening->view, opening->owner, opening->name, ring->pool, &listed, &damaged));
    if (damaged) {
        klm_say(KLM_MSG_RING_CONNECTIONS, KLM_NUM(damaged), opening->name);
    }
    ring->labels = klm_pool_alloc(ring->pool, (listed.n + 1) * sizeof *ring->labels);
    if (!ring->labels) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < listed.n; i++) {
        KLM_TRY(open_one(opening, &listed.connect[i]));
    }
    KLM_TRY(make_trust(ring));
    return kr_index_build(ring);
}

klm_rc kr_open_ring(struct st_view *view, const struct kr_master *master, const char *owner,
                    const char *name, struct klm_diag *diag, struct kr_open_ring **out)
{
    KLM_AUTO(kr_open_ring_free) struct kr_open_ring *ring = calloc(1, sizeof *ring);
    struct opening opening = {view, master, ring, owner, name};
    klm_rc rc;

    if (!ring) {
        return KLM_E_NOMEM;
    }
    atomic_init(&ring->refs, 1);
    rc = open_all(&opening);
    if (rc != KLM_OK) {
        return rc == KLM_E_NOTFOUND
                   ? klm_fail(diag, rc, KLM_MSG_RING_NONE, name, owner)
                   : klm_fail(diag, rc, KLM_MSG_RING_OPEN, name, owner, klm_rc_text(rc));
    }
    *out = ring;
    ring = NULL;
    return KLM_OK;
}

struct kr_open_ring *kr_open_ring_ref(struct kr_open_ring *ring)
{
    atomic_fetch_add_explicit(&ring->refs, 1, memory_order_relaxed);
    return ring;
}

void kr_open_ring_free(struct kr_open_ring **ring)
{
    struct kr_open_ring *r = ring ? *ring : NULL;

    if (!r) {
        return;
    }
    *ring = NULL;
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < r->n; i++) {
        label_done(&r->labels[i]);
    }
    X509_STORE_free(r->trust);
    klm_pool_free(&r->pool);
    free(r);
}
