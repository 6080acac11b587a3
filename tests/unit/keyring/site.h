/* A site: a store with a ring TAPEKMS/R, a master key, and certificates put there with their
 * tokens. */
#ifndef TESTS_KEYRING_SITE_H
#define TESTS_KEYRING_SITE_H

#include "help.h"

struct site {
    struct st_store *store;
    struct kr_master *master;
};

static UNUSED struct site site_new(void)
{
    struct site site = {store_new(), master_of(0)};
    struct st_change *change = change_new(site.store);

    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "R"));
    REQUIRE_OK(st_change_commit(&change, NULL));
    return site;
}

static UNUSED void site_done(struct site *site)
{
    st_close(&site->store);
    kr_master_free(&site->master);
}

static UNUSED void put_token(struct st_change *change, const struct kr_master *master,
                             const char *label, const struct kr_key *key)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 65536);
    REQUIRE_OK(kr_token_seal(master, label, key, &buf));
    REQUIRE_OK(kr_token_put(change, label, klm_buf_as_slice(&buf), true));
    klm_buf_done(&buf);
}

/* Add and connect a certificate; its key, when there is one, goes into a token of label
 * TOKEN.label. */
static UNUSED void put_cert(const struct site *site, const struct made *made,
                            struct kr_connect connect, enum kr_trust trust)
{
    struct st_change *change = change_new(site->store);
    struct kr_cert cert = {.owner = connect.owner,
                           .label = connect.label,
                           .der = made->der,
                           .trust = trust,
                           .token_label = ""};

    if (made->key) {
        cert.token_label = klm_pool_printf(test_pool(), "TOKEN.%s", connect.label);
        REQUIRE(cert.token_label != NULL);
        put_token(change, site->master, cert.token_label, made->key);
    }
    REQUIRE_OK(kr_cert_add(change, &cert));
    REQUIRE_OK(kr_ring_connect(change, "TAPEKMS", "R", &connect));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

#define PERSONAL(label) ((struct kr_connect){"TAPEKMS", (label), "PERSONAL", false})
#define DEFAULT(label) ((struct kr_connect){"TAPEKMS", (label), "PERSONAL", true})
#define CERTAUTH(label) ((struct kr_connect){"CERTAUTH", (label), "CERTAUTH", false})

static UNUSED struct kr_open_ring *ring_of(const struct site *site)
{
    struct st_view *view = view_new(site->store);
    struct kr_open_ring *ring = NULL;

    REQUIRE_OK(kr_open_ring(view, site->master, "TAPEKMS", "R", NULL, &ring));
    st_view_close(&view);
    return ring;
}

#endif
