/* Open rings: what serving sees of a ring, and what it does not. */
#include "request.h"
#include "site.h"

static const struct kr_label *find(const struct kr_open_ring *ring, const char *label)
{
    const struct kr_label *found = NULL;

    REQUIRE_OK(kr_label_find(ring, label, &found));
    return found;
}

TEST(a_ring_that_is_not_there_is_not_opened)
{
    struct site site = site_new();
    struct st_view *view = view_new(site.store);
    struct kr_open_ring *ring = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(kr_open_ring(view, site.master, "TAPEKMS", "S", &diag, &ring), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_RING_NONE);
    CHECK_RC(kr_open_ring(view, site.master, "tapekms", "R", &diag, &ring), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_RING_OPEN);
    CHECK(ring == NULL);
    st_view_close(&view);
    site_done(&site);
}

TEST(labels_are_found_by_name_and_by_the_hash_of_their_key)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", RSA2048, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P384, KR_ROLE_LABEL, NULL);
    struct kr_open_ring *ring;
    struct kr_cert_info info;
    const struct kr_label *label = NULL;

    put_cert(&site, &a, PERSONAL("Lbl_a"), KR_TRUST);
    put_cert(&site, &b, DEFAULT("Lbl_b"), KR_HIGHTRUST);
    ring = ring_of(&site);
    CHECK_INT(kr_open_ring_count(ring), 2);
    CHECK(kr_open_ring_at(ring, 0) == find(ring, "Lbl_a"));
    CHECK(kr_open_ring_at(ring, 2) == NULL);
    REQUIRE_OK(kr_cert_info(b.der, test_pool(), &info));
    REQUIRE_OK(kr_label_find_hash(ring, info.spki_hash, &label));
    CHECK(label == find(ring, "Lbl_b"));
    CHECK_STR(label->owner, "TAPEKMS");
    CHECK_STR(label->usage, "PERSONAL");
    CHECK_INT(label->spec.type, KR_EC);
    CHECK_INT(label->spec.bits, 384);
    CHECK_INT(label->not_after, info.not_after);
    CHECK_INT(label->not_before, info.not_before);
    CHECK(label->deflt && !label->is_ca);
    CHECK_INT(label->index, 1);
    CHECK(klm_slice_equal(label->der, b.der));
    CHECK_INT(EVP_PKEY_eq(kr_key_pkey(label->key), kr_key_pkey(b.key)), 1);
    CHECK_INT(find(ring, "Lbl_a")->spec.bits, 2048);
    CHECK_RC(kr_label_find(ring, "lbl_a", &label), KLM_E_NOTFOUND);
    info.spki_hash[31] ^= 1;
    CHECK_RC(kr_label_find_hash(ring, info.spki_hash, &label), KLM_E_NOTFOUND);
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    site_done(&site);
}

TEST(a_partners_certificate_is_found_by_role_and_by_its_bytes)
{
    struct site site = site_new();
    struct made l = make_cert("CN=l", P256, KR_ROLE_LABEL, NULL),
                p = make_cert("CN=p", P256, KR_ROLE_PARTNER, NULL),
                d = make_cert("CN=d", P256, KR_ROLE_PARTNER, NULL),
                keyless = make_keyless("CN=k", P256, KR_ROLE_PARTNER);
    const struct kr_label *label = NULL;
    struct kr_open_ring *ring;

    put_cert(&site, &l, DEFAULT("l"), KR_TRUST);
    put_cert(&site, &keyless, PERSONAL("k"), KR_TRUST);
    ring = ring_of(&site);
    CHECK_RC(kr_label_partner(ring, &label), KLM_E_NOTFOUND); /* its private key is elsewhere */
    REQUIRE_OK(kr_label_find_cert(ring, keyless.der, &label));
    CHECK_STR(label->label, "k");
    CHECK_RC(kr_label_find_cert(ring, p.der, &label), KLM_E_NOTFOUND);
    kr_open_ring_free(&ring);
    put_cert(&site, &p, PERSONAL("p"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_label_partner(ring, &label));
    CHECK_STR(label->label, "p");
    CHECK(kr_label_tls(label));
    REQUIRE_OK(kr_label_find(ring, "l", &label));
    CHECK(!kr_label_tls(label));
    kr_open_ring_free(&ring);
    put_cert(&site, &d, DEFAULT("d"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_label_partner(ring, &label));
    CHECK_STR(label->label, "d");
    kr_open_ring_free(&ring);
    kr_key_free(&l.key);
    kr_key_free(&p.key);
    kr_key_free(&d.key);
    site_done(&site);
}

TEST(an_empty_ring_finds_nothing)
{
    struct site site = site_new();
    struct kr_open_ring *ring = ring_of(&site);
    const struct kr_label *label;
    uint8_t hash[32] = {0};

    CHECK_INT(kr_open_ring_count(ring), 0);
    CHECK_RC(kr_label_find(ring, "", &label), KLM_E_NOTFOUND);
    CHECK_RC(kr_label_find_hash(ring, hash, &label), KLM_E_NOTFOUND);
    CHECK_RC(kr_label_server(ring, &label), KLM_E_NOTFOUND);
    kr_open_ring_free(&ring);
    kr_open_ring_free(&ring);
    site_done(&site);
}

TEST(of_two_equal_labels_or_keys_the_one_with_its_private_key_is_found)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL), without = {a.der, NULL};
    struct kr_open_ring *ring;
    struct kr_cert_info info;
    const struct kr_label *label = NULL;

    put_cert(&site, &without, (struct kr_connect){"SITE", "x", "SITE", false}, KR_TRUST);
    put_cert(&site, &a, PERSONAL("x"), KR_TRUST);
    ring = ring_of(&site);
    CHECK_STR(find(ring, "x")->owner, "TAPEKMS");
    REQUIRE_OK(kr_cert_info(a.der, test_pool(), &info));
    REQUIRE_OK(kr_label_find_hash(ring, info.spki_hash, &label));
    CHECK(label->key != NULL);
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    site_done(&site);
}

TEST(a_ring_stays_as_it_was_until_the_last_one_lets_go)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL);
    struct kr_open_ring *ring, *other;
    struct st_change *change;

    put_cert(&site, &a, PERSONAL("a"), KR_TRUST);
    ring = ring_of(&site);
    other = kr_open_ring_ref(ring);
    change = change_new(site.store);
    REQUIRE_OK(kr_cert_delete(change, "TAPEKMS", "a"));
    REQUIRE_OK(st_change_commit(&change, NULL));
    kr_open_ring_free(&ring);
    CHECK(find(other, "a")->key != NULL);
    kr_open_ring_free(&other);
    other = ring_of(&site);
    CHECK_INT(kr_open_ring_count(other), 0);
    kr_open_ring_free(&other);
    kr_key_free(&a.key);
    site_done(&site);
}

/* Opens the ring, hears what is said, and expects the label "a" to be there without its key. */
static void check_keyless(const struct site *site, const char *id)
{
    struct kr_open_ring *ring;

    listen_now();
    ring = ring_of(site);
    klm_say_to(NULL, NULL);
    CHECK_INT(kr_open_ring_count(ring), 2);
    CHECK(find(ring, "a")->key == NULL);
    CHECK(find(ring, "a")->pub != NULL);
    CHECK(find(ring, "b")->key != NULL);
    CHECK(strstr(said, id) != NULL);
    kr_open_ring_free(&ring);
}

TEST(a_token_that_cannot_be_opened_costs_its_label_the_key_and_nothing_else)
{
    struct site site = site_new();
    struct kr_master *other = master_of(9);
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_LABEL, NULL);
    struct klm_slice token;
    struct st_change *change;

    put_cert(&site, &a, PERSONAL("a"), KR_TRUST);
    put_cert(&site, &b, PERSONAL("b"), KR_TRUST);

    change = change_new(site.store); /* under another master key */
    put_token(change, other, "TOKEN.a", a.key);
    REQUIRE_OK(st_change_commit(&change, NULL));
    check_keyless(&site, "KLM0417E");

    change = change_new(site.store); /* of another certificate */
    put_token(change, site.master, "TOKEN.a", b.key);
    REQUIRE_OK(st_change_commit(&change, NULL));
    check_keyless(&site, "KLM0418E");

    change = change_new(site.store); /* of another label */
    REQUIRE_OK(kr_token_get(st_change_view(change), "TOKEN.b", test_pool(), &token));
    REQUIRE_OK(kr_token_put(change, "TOKEN.a", token, true));
    REQUIRE_OK(st_change_commit(&change, NULL));
    check_keyless(&site, "KLM0416E");

    change = change_new(site.store);
    REQUIRE_OK(kr_token_delete(change, "TOKEN.a"));
    REQUIRE_OK(st_change_commit(&change, NULL));
    check_keyless(&site, "KLM0415W");
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    kr_master_free(&other);
    site_done(&site);
}

TEST(certificates_without_trust_or_damaged_are_left_out_with_a_message)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_LABEL, NULL);
    struct kr_open_ring *ring;
    struct st_change *change;
    const struct kr_label *label;

    put_cert(&site, &a, PERSONAL("a"), KR_NOTRUST);
    put_cert(&site, &b, PERSONAL("b"), KR_TRUST);
    listen_now();
    ring = ring_of(&site);
    CHECK_INT(kr_open_ring_count(ring), 1);
    CHECK_RC(kr_label_find(ring, "a", &label), KLM_E_NOTFOUND);
    CHECK(strstr(said, "KLM0414I") != NULL);
    kr_open_ring_free(&ring);

    change = change_new(site.store);
    REQUIRE_OK(kr_cert_replace(change, &(struct kr_cert){.owner = "TAPEKMS",
                                                         .label = "a",
                                                         .der = KLM_SLICE("not DER", 7),
                                                         .trust = KR_TRUST,
                                                         .token_label = ""}));
    REQUIRE_OK(st_put(change, ST_CERT, KLM_SLICE("TAPEKMS\0b", 9), KLM_SLICE("x", 1)));
    REQUIRE_OK(st_put(change, ST_RING, KLM_SLICE("TAPEKMS\0R\0SITE\0y", 16), KLM_SLICE("x", 1)));
    REQUIRE_OK(st_change_commit(&change, NULL));
    listen_now();
    ring = ring_of(&site);
    klm_say_to(NULL, NULL);
    CHECK_INT(kr_open_ring_count(ring), 0);
    CHECK(strstr(said, "KLM0412W") != NULL);
    CHECK(strstr(said, "KLM0413W Certificate a") != NULL);
    CHECK(strstr(said, "KLM0413W Certificate b") != NULL);
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    site_done(&site);
}

TEST(a_server_shows_the_default_else_the_one_made_for_it_else_the_first_with_a_key)
{
    struct site site = site_new();
    struct made a = make_cert("CN=a", P256, KR_ROLE_LABEL, NULL),
                b = make_cert("CN=b", P256, KR_ROLE_LABEL, NULL),
                s = make_cert("CN=s", P256, KR_ROLE_SERVER, NULL),
                d = make_cert("CN=d", P256, KR_ROLE_LABEL, NULL),
                keyless = make_keyless("CN=k", P256, KR_ROLE_SERVER);
    const struct kr_label *label = NULL;
    struct kr_open_ring *ring;

    put_cert(&site, &keyless, DEFAULT("k"), KR_TRUST); /* a default without its key serves nobody */
    put_cert(&site, &a, (struct kr_connect){"TAPEKMS", "a", "SITE", false}, KR_TRUST);
    ring = ring_of(&site);
    CHECK_RC(kr_label_server(ring, &label), KLM_E_NOTFOUND);
    kr_open_ring_free(&ring);
    put_cert(&site, &b, PERSONAL("b"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_label_server(ring, &label));
    CHECK_STR(label->label, "b");
    kr_open_ring_free(&ring);
    put_cert(&site, &s, PERSONAL("s"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_label_server(ring, &label));
    CHECK_STR(label->label, "s");
    kr_open_ring_free(&ring);
    put_cert(&site, &d, DEFAULT("d"), KR_TRUST);
    ring = ring_of(&site);
    REQUIRE_OK(kr_label_server(ring, &label));
    CHECK_STR(label->label, "d");
    kr_open_ring_free(&ring);
    kr_key_free(&a.key);
    kr_key_free(&b.key);
    kr_key_free(&s.key);
    kr_key_free(&d.key);
    site_done(&site);
}

static void check_chain(const struct kr_open_ring *ring, struct klm_slice der, klm_time now,
                        klm_rc expected)
{
    struct klm_diag diag = {0};

    CHECK_RC(kr_cert_chain(ring, der, now, &diag), expected);
    CHECK_INT(diag.msg, expected == KLM_OK ? KLM_MSG_NONE : KLM_MSG_CHAIN);
}

TEST(only_certificates_signed_by_an_authority_of_the_ring_are_accepted_and_only_in_time)
{
    struct site site = site_new();
    struct made ca = make_cert("CN=ca", RSA2048, KR_ROLE_CA, NULL),
                sub = make_cert("CN=sub", P256, KR_ROLE_CA, &ca),
                other = make_cert("CN=ca", P256, KR_ROLE_CA, NULL),
                site_ca = make_cert("CN=site", P256, KR_ROLE_CA, NULL),
                label = make_cert("CN=label", P256, KR_ROLE_LABEL, NULL),
                leaf = make_cert("CN=leaf", P256, KR_ROLE_CLIENT, &ca);
    struct klm_slice request = make_request("serialNumber=000123456789\n", DRIVE_EKU), drive, alien,
                     by_sub, by_site;
    klm_time now = klm_clock() + SECOND;
    struct kr_open_ring *ring;
    struct klm_diag diag;

    REQUIRE_OK(sign_request(request, KR_ROLE_DRIVE, &ca, &drive, &diag));
    REQUIRE_OK(sign_request(request, KR_ROLE_DRIVE, &other, &alien, &diag));
    REQUIRE_OK(sign_request(request, KR_ROLE_DRIVE, &sub, &by_sub, &diag));
    REQUIRE_OK(sign_request(request, KR_ROLE_DRIVE, &site_ca, &by_site, &diag));
    ring = ring_of(&site);
    check_chain(ring, drive, now, KLM_E_DENIED); /* no authority at all */
    kr_open_ring_free(&ring);
    put_cert(&site, &(struct made){ca.der, NULL}, CERTAUTH("ca"), KR_TRUST);
    put_cert(&site, &(struct made){site_ca.der, NULL},
             (struct kr_connect){"SITE", "site", "SITE", false}, KR_TRUST);
    put_cert(&site, &(struct made){label.der, NULL}, CERTAUTH("label"), KR_TRUST);
    ring = ring_of(&site);
    check_chain(ring, drive, now, KLM_OK);
    check_chain(ring, leaf.der, now, KLM_OK);
    check_chain(ring, alien, now, KLM_E_DENIED);     /* the same name, another key */
    check_chain(ring, by_sub, now, KLM_E_DENIED);    /* the authority between is missing */
    check_chain(ring, by_site, now, KLM_E_DENIED);   /* not connected as CERTAUTH */
    check_chain(ring, label.der, now, KLM_E_DENIED); /* connected as CERTAUTH, but no authority */
    check_chain(ring, drive, now - DAY, KLM_E_DENIED);
    check_chain(ring, drive, now + 400 * DAY, KLM_E_DENIED);
    check_chain(ring, KLM_SLICE(drive.p, drive.n - 1), now, KLM_E_DENIED);
    kr_open_ring_free(&ring);
    put_cert(&site, &(struct made){sub.der, NULL}, CERTAUTH("sub"), KR_TRUST);
    ring = ring_of(&site);
    check_chain(ring, by_sub, now, KLM_OK);
    kr_open_ring_free(&ring);
    kr_key_free(&ca.key);
    kr_key_free(&sub.key);
    kr_key_free(&other.key);
    kr_key_free(&site_ca.key);
    kr_key_free(&label.key);
    kr_key_free(&leaf.key);
    site_done(&site);
}

TEST(an_authority_without_trust_vouches_for_nobody)
{
    struct site site = site_new();
    struct made ca = make_cert("CN=ca", P256, KR_ROLE_CA, NULL),
                leaf = make_cert("CN=leaf", P256, KR_ROLE_CLIENT, &ca);
    struct kr_open_ring *ring;

    put_cert(&site, &(struct made){ca.der, NULL}, CERTAUTH("ca"), KR_NOTRUST);
    listen_now();
    ring = ring_of(&site);
    klm_say_to(NULL, NULL);
    check_chain(ring, leaf.der, klm_clock() + SECOND, KLM_E_DENIED);
    kr_open_ring_free(&ring);
    kr_key_free(&ca.key);
    kr_key_free(&leaf.key);
    site_done(&site);
}

TEST(a_large_ring_opens_and_every_label_is_found)
{
    enum { MANY = 300 };
    struct site site = site_new();
    struct made made = make_cert("CN=many", P256, KR_ROLE_LABEL, NULL);
    struct st_change *change = change_new(site.store);
    struct kr_open_ring *ring;
    char label[32];

    put_token(change, site.master, "TOKEN", made.key);
    for (int i = 0; i < MANY; i++) {
        struct kr_gencert spec = {.owner = "TAPEKMS",
                                  .label = "x",
                                  .subject = "CN=n",
                                  .spec = P256,
                                  .role = KR_ROLE_LABEL};
        struct klm_slice der;
        struct kr_key *key = NULL;

        (void)snprintf(label, sizeof label, "label %d", i);
        REQUIRE_OK(kr_gencert(&spec, KLM_SLICE(NULL, 0), NULL, test_pool(), NULL, &der, &key));
        put_token(change, site.master, klm_pool_printf(test_pool(), "TOKEN.%d", i), key);
        REQUIRE_OK(kr_cert_add(
            change, &(struct kr_cert){.owner = "TAPEKMS",
                                      .label = label,
                                      .der = der,
                                      .trust = KR_TRUST,
                                      .token_label = klm_pool_printf(test_pool(), "TOKEN.%d", i)}));
        REQUIRE_OK(kr_ring_connect(change, "TAPEKMS", "R",
                                   &(struct kr_connect){"TAPEKMS", label, "PERSONAL", false}));
        kr_key_free(&key);
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    ring = ring_of(&site);
    CHECK_INT(kr_open_ring_count(ring), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        const struct kr_label *by_hash = NULL;

        (void)snprintf(label, sizeof label, "label %u", i);
        CHECK_INT(find(ring, label)->index, i);
        CHECK(find(ring, label)->key != NULL);
        REQUIRE_OK(kr_label_find_hash(ring, find(ring, label)->spki_hash, &by_hash));
        CHECK(by_hash == find(ring, label));
    }
    kr_open_ring_free(&ring);
    kr_key_free(&made.key);
    site_done(&site);
}
