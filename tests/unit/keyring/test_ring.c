/* Rings in the store: made, connected, listed, taken apart. */
#include "help.h"

static struct klm_slice golden(const char *pem)
{
    struct klm_slice der;

    REQUIRE_OK(kr_cert_parse(load(pem), test_pool(), &der, NULL));
    return der;
}

static void add_cert(struct st_change *change, const char *owner, const char *label,
                     const char *pem)
{
    REQUIRE_OK(kr_cert_add(change, &(struct kr_cert){.owner = owner,
                                                     .label = label,
                                                     .der = golden(pem),
                                                     .trust = KR_TRUST,
                                                     .token_label = ""}));
}

/* A store with ring TAPEKMS/R, certificates TAPEKMS/a, TAPEKMS/b and CERTAUTH/ca. */
static struct st_change *begin(struct st_store **store)
{
    *store = store_new();
    struct st_change *change = change_new(*store);

    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "R"));
    add_cert(change, "TAPEKMS", "a", GOLDEN "rsa2048.pem");
    add_cert(change, "TAPEKMS", "b", GOLDEN "ec256.pem");
    add_cert(change, "CERTAUTH", "ca", GOLDEN "ec384.pem");
    return change;
}

static void end(struct st_store *store, struct st_change *change)
{
    st_change_drop(&change);
    st_close(&store);
}

static klm_rc join(struct st_change *change, const char *owner, const char *label,
                   const char *usage, bool deflt)
{
    return kr_ring_connect(change, "TAPEKMS", "R",
                           &(struct kr_connect){owner, label, usage, deflt});
}

/* "owner/label usage*; ..." of the ring TAPEKMS/R, * at the default. */
static const char *listed(struct st_change *change)
{
    static char text[512];
    struct kr_ring ring;

    text[0] = 0;
    REQUIRE_OK(kr_ring_get(st_change_view(change), "TAPEKMS", "R", test_pool(), &ring));
    CHECK_STR(ring.owner, "TAPEKMS");
    CHECK_STR(ring.name, "R");
    for (size_t i = 0; i < ring.n; i++) {
        const struct kr_connect *c = &ring.connect[i];

        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s/%s %s%s;", c->owner,
                       c->label, c->usage, c->deflt ? "*" : "");
    }
    return text;
}

TEST(a_ring_is_made_once_and_deleted_once)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    struct kr_ring ring;

    CHECK_RC(kr_ring_add(change, "TAPEKMS", "R"), KLM_E_EXISTS);
    CHECK_RC(kr_ring_add(change, "TAPEKMS", "r"), KLM_OK); /* case counts */
    CHECK_RC(kr_ring_add(change, "OTHER", "R"), KLM_OK);
    CHECK_STR(listed(change), "");
    CHECK_RC(kr_ring_delete(change, "TAPEKMS", "R"), KLM_OK);
    CHECK_RC(kr_ring_delete(change, "TAPEKMS", "R"), KLM_E_NOTFOUND);
    CHECK_RC(kr_ring_get(st_change_view(change), "TAPEKMS", "R", test_pool(), &ring),
             KLM_E_NOTFOUND);
    CHECK_RC(kr_ring_get(st_change_view(change), "OTHER", "R", test_pool(), &ring), KLM_OK);
    end(store, change);
}

TEST(certificates_are_listed_in_the_order_they_were_connected)
{
    struct st_store *store;
    struct st_change *change = begin(&store);

    CHECK_RC(join(change, "TAPEKMS", "b", "PERSONAL", false), KLM_OK);
    CHECK_RC(join(change, "CERTAUTH", "ca", "CERTAUTH", false), KLM_OK);
    CHECK_RC(join(change, "TAPEKMS", "a", "SITE", false), KLM_OK);
    CHECK_STR(listed(change), "TAPEKMS/b PERSONAL;CERTAUTH/ca CERTAUTH;TAPEKMS/a SITE;");
    end(store, change);
}

TEST(connecting_again_changes_usage_and_default_in_place)
{
    struct st_store *store;
    struct st_change *change = begin(&store);

    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", true));
    REQUIRE_OK(join(change, "TAPEKMS", "b", "PERSONAL", true)); /* there is one default */
    CHECK_STR(listed(change), "TAPEKMS/a PERSONAL;TAPEKMS/b PERSONAL*;");
    REQUIRE_OK(join(change, "TAPEKMS", "a", "SITE", false));
    CHECK_STR(listed(change), "TAPEKMS/a SITE;TAPEKMS/b PERSONAL*;");
    REQUIRE_OK(join(change, "TAPEKMS", "b", "PERSONAL", false));
    CHECK_STR(listed(change), "TAPEKMS/a SITE;TAPEKMS/b PERSONAL;");
    end(store, change);
}

TEST(what_is_not_there_cannot_be_connected_or_removed)
{
    struct st_store *store;
    struct st_change *change = begin(&store);

    CHECK_RC(join(change, "TAPEKMS", "none", "PERSONAL", false), KLM_E_NOTFOUND);
    CHECK_RC(join(change, "SITE", "a", "PERSONAL", false), KLM_E_NOTFOUND);
    CHECK_RC(kr_ring_connect(change, "TAPEKMS", "S",
                             &(struct kr_connect){"TAPEKMS", "a", "PERSONAL", false}),
             KLM_E_NOTFOUND);
    CHECK_RC(join(change, "TAPEKMS", "a", "personal", false), KLM_E_INVALID);
    CHECK_RC(kr_ring_remove(change, "TAPEKMS", "R", "TAPEKMS", "a"), KLM_E_NOTFOUND);
    CHECK_RC(kr_ring_remove(change, "TAPEKMS", "S", "TAPEKMS", "a"), KLM_E_NOTFOUND);
    CHECK_STR(listed(change), "");
    end(store, change);
}

TEST(removing_a_certificate_leaves_the_others)
{
    struct st_store *store;
    struct st_change *change = begin(&store);

    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", true));
    REQUIRE_OK(join(change, "TAPEKMS", "b", "PERSONAL", false));
    CHECK_RC(kr_ring_remove(change, "TAPEKMS", "R", "TAPEKMS", "a"), KLM_OK);
    CHECK_STR(listed(change), "TAPEKMS/b PERSONAL;");
    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", false));
    CHECK_STR(listed(change),
              "TAPEKMS/b PERSONAL;TAPEKMS/a PERSONAL;"); /* no default came back by itself */
    end(store, change);
}

TEST(deleting_a_certificate_takes_it_out_of_every_ring)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    struct kr_ring ring;

    REQUIRE_OK(kr_ring_add(change, "OTHER", "X"));
    REQUIRE_OK(kr_ring_connect(change, "OTHER", "X",
                               &(struct kr_connect){"TAPEKMS", "a", "PERSONAL", true}));
    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", true));
    REQUIRE_OK(join(change, "CERTAUTH", "ca", "CERTAUTH", false));
    REQUIRE_OK(kr_cert_delete(change, "TAPEKMS", "a"));
    CHECK_STR(listed(change), "CERTAUTH/ca CERTAUTH;");
    REQUIRE_OK(kr_ring_get(st_change_view(change), "OTHER", "X", test_pool(), &ring));
    CHECK_INT(ring.n, 0);
    end(store, change);
}

TEST(deleting_a_ring_deletes_its_connections_and_no_others)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    struct kr_ring ring;

    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "RR"));
    REQUIRE_OK(kr_ring_connect(change, "TAPEKMS", "RR",
                               &(struct kr_connect){"TAPEKMS", "b", "PERSONAL", false}));
    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", true));
    REQUIRE_OK(kr_ring_delete(change, "TAPEKMS", "R"));
    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "R"));
    CHECK_STR(listed(change), "");
    REQUIRE_OK(kr_ring_get(st_change_view(change), "TAPEKMS", "RR", test_pool(), &ring));
    CHECK_INT(ring.n, 1);
    end(store, change);
}

static klm_rc see(void *arg, const struct kr_ring *ring)
{
    char *text = arg;

    (void)snprintf(text + strlen(text), 256 - strlen(text), "%s/%s:%zu ", ring->owner, ring->name,
                   ring->n);
    return strcmp(ring->name, "stop") == 0 ? KLM_E_CLOSED : KLM_OK;
}

TEST(rings_are_listed_for_one_owner_or_all)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    char text[256] = "";

    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", true));
    REQUIRE_OK(join(change, "TAPEKMS", "b", "PERSONAL", true));
    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "Empty"));
    REQUIRE_OK(kr_ring_add(change, "TAPE", "X"));
    REQUIRE_OK(kr_ring_scan(st_change_view(change), "TAPEKMS", see, text));
    CHECK_STR(text, "TAPEKMS/Empty:0 TAPEKMS/R:2 ");
    text[0] = 0;
    REQUIRE_OK(kr_ring_scan(st_change_view(change), NULL, see, text));
    CHECK_STR(text, "TAPE/X:0 TAPEKMS/Empty:0 TAPEKMS/R:2 ");
    REQUIRE_OK(kr_ring_add(change, "AA", "stop"));
    CHECK_RC(kr_ring_scan(st_change_view(change), NULL, see, text), KLM_E_CLOSED);
    end(store, change);
}

TEST(ring_names_have_a_length_and_an_alphabet)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    char name[240];

    CHECK_RC(kr_ring_add(change, "TAPEKMS", ""), KLM_E_INVALID);
    CHECK_RC(kr_ring_add(change, "TAPEKMS", "a b"), KLM_E_INVALID);
    CHECK_RC(kr_ring_add(change, "tapekms", "a"), KLM_E_INVALID);
    memset(name, 'n', sizeof name);
    name[238] = 0;
    CHECK_RC(kr_ring_add(change, "TAPEKMS", name), KLM_E_LIMIT);
    name[237] = 0;
    CHECK_RC(kr_ring_add(change, "TAPEKMS", name), KLM_OK);
    CHECK_RC(kr_ring_connect(change, "TAPEKMS", name,
                             &(struct kr_connect){"TAPEKMS", "a", "PERSONAL", false}),
             KLM_OK);
    end(store, change);
}

TEST(a_ring_takes_four_thousand_certificates_and_not_one_more)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    struct klm_slice der = golden(GOLDEN "rsa2048.pem");
    struct kr_ring ring;
    char label[16];

    for (int i = 0; i <= KR_RING_CERTS_MAX; i++) {
        uint8_t *p = copy_of(der);

        memcpy(p + der.n - 4, &i,
               sizeof i); /* another signature makes another certificate; nobody checks it here */
        (void)snprintf(label, sizeof label, "l%04d", i);
        REQUIRE_OK(kr_cert_add(change, &(struct kr_cert){.owner = "SITE",
                                                         .label = label,
                                                         .der = KLM_SLICE(p, der.n),
                                                         .trust = KR_TRUST,
                                                         .token_label = ""}));
        CHECK_RC(join(change, "SITE", label, "SITE", false),
                 i < KR_RING_CERTS_MAX ? KLM_OK : KLM_E_LIMIT);
    }
    REQUIRE_OK(kr_ring_get(st_change_view(change), "TAPEKMS", "R", test_pool(), &ring));
    CHECK_INT(ring.n, KR_RING_CERTS_MAX);
    CHECK_STR(ring.connect[3999].label, "l3999");
    CHECK_RC(join(change, "SITE", "l0000", "SITE", true),
             KLM_OK); /* what is connected may change */
    REQUIRE_OK(kr_ring_remove(change, "TAPEKMS", "R", "SITE", "l0007"));
    CHECK_RC(join(change, "SITE", label, "SITE", false), KLM_OK);
    end(store, change);
}

TEST(a_damaged_connection_is_told_and_can_be_made_again)
{
    struct st_store *store;
    struct st_change *change = begin(&store);
    struct kr_ring ring = {0};
    char text[256] = "";

    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", false));
    REQUIRE_OK(
        st_put(change, ST_RING, KLM_SLICE("TAPEKMS\0R\0TAPEKMS\0a", 19), KLM_SLICE("\1\11", 2)));
    CHECK_RC(kr_ring_get(st_change_view(change), "TAPEKMS", "R", test_pool(), &ring),
             KLM_E_CORRUPT);
    CHECK(ring.name == NULL);
    REQUIRE_OK(join(change, "TAPEKMS", "a", "PERSONAL", false));
    CHECK_STR(listed(change), "TAPEKMS/a PERSONAL;");
    REQUIRE_OK(st_put(change, ST_RING, KLM_SLICE("TAPEKMS\0R", 9), KLM_SLICE("x", 1)));
    CHECK_RC(kr_ring_get(st_change_view(change), "TAPEKMS", "R", test_pool(), &ring),
             KLM_E_CORRUPT);
    CHECK_RC(kr_ring_add(change, "TAPEKMS", "R"), KLM_E_EXISTS);
    REQUIRE_OK(kr_ring_add(change, "TAPEKMS", "S"));
    REQUIRE_OK(kr_ring_scan(st_change_view(change), NULL, see, text)); /* one hides no other */
    CHECK_STR(text, "TAPEKMS/R:0 TAPEKMS/S:0 ");
    CHECK_RC(kr_ring_delete(change, "TAPEKMS", "R"), KLM_OK);
    CHECK_RC(kr_ring_add(change, "TAPEKMS", "R"), KLM_OK);
    end(store, change);
}
