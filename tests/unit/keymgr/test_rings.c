/* Rings, certificates and key tokens: the security administrator's verbs and what they refuse. */
#include "keymgr/km_help.h"

static struct house house, other;

/* Two houses: ours, and another site with a master key of its own. Both offline, as the programs use them. */
static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "rings", "");
        open_house(&house, true);
        furnish(&house);
        make_house(&other, "elsewhere", "");
        open_house(&other, true);
        DO(&other, KM_RING_ADD, &admin, "owner", OWNER, "ring", RING);
    }
}

/* ---- Rings */

TEST(a_ring_is_made_listed_and_deleted)
{
    opened();
    DO(&house, KM_RING_ADD, &admin, "owner", "U1", "ring", "Empty.Ring");
    REFUSED(KLM_E_EXISTS, KLM_MSG_RING_EXISTS, &house, KM_RING_ADD, &admin, "owner", "U1", "ring",
            "Empty.Ring");
    struct km_call *list = run_call(&house, KM_RING_LIST, &oper, "owner", "U1", NULL);
    CHECK_INT(list->rows.n, 1);
    CHECK_STR(cell(list, 0, "Certificate Label"), "(no certificates)");
    km_call_free(&list);
    DO(&house, KM_RING_DELETE, &admin, "owner", "U1", "ring", "Empty.Ring");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_RING_NOT_FOUND, &house, KM_RING_DELETE, &admin, "owner", "U1",
            "ring", "Empty.Ring");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_RING_NOT_FOUND, &house, KM_RING_LIST, &oper, "owner", "U1",
            "ring", "Empty.Ring");
}

TEST(connecting_checks_ring_certificate_and_usage)
{
    opened();
    DO(&house, KM_RING_ADD, &admin, "owner", OWNER, "ring", "R2");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_RING_NOT_FOUND, &house, KM_RING_CONNECT, &admin, "owner", OWNER,
            "ring", "R3", "cert_owner", OWNER, "label", "L1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_RING_CONNECT, &admin, "owner", OWNER,
            "ring", "R2", "cert_owner", OWNER, "label", "l1");
    REFUSED(KLM_E_USAGE, KLM_MSG_USAGE_UNKNOWN, &house, KM_RING_CONNECT, &admin, "owner", OWNER,
            "ring", "R2", "cert_owner", OWNER, "label", "L1", "usage", "PRIVATE");
    DO(&house, KM_RING_CONNECT, &admin, "owner", OWNER, "ring", "R2", "cert_owner", OWNER, "label",
       "L1", "usage", "personal", "default", "");
    DO(&house, KM_RING_CONNECT, &admin, "owner", OWNER, "ring", "R2", "cert_owner", "CERTAUTH",
       "label", CA_LABEL);
    struct km_call *list =
        run_call(&house, KM_RING_LIST, &oper, "owner", OWNER, "ring", "R2", NULL);
    CHECK_INT(list->rows.n, 2);
    for (size_t i = 0; i < list->rows.n; i++) {
        bool ca = strcmp(cell(list, i, "Cert Owner"), "CERTAUTH") == 0;
        CHECK_STR(cell(list, i, "USAGE"), ca ? "CERTAUTH" : "PERSONAL");
        CHECK_STR(cell(list, i, "DEFAULT"), ca ? "NO" : "YES");
    }
    km_call_free(&list);
    DO(&house, KM_RING_REMOVE, &admin, "owner", OWNER, "ring", "R2", "cert_owner", OWNER, "label",
       "L1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_NOT_CONNECTED, &house, KM_RING_REMOVE, &admin, "owner", OWNER,
            "ring", "R2", "cert_owner", OWNER, "label", "L1");
}

/* ---- Certificates */

static struct km_call *exported(const char *label, const char *format)
{
    struct km_call *call = run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label", label,
                                    "format", format, NULL);

    REQUIRE_OK(call->rc);
    return call;
}

static struct km_call *add_cert(const struct house *to, const char *label, const char *token,
                                struct klm_slice bytes)
{
    struct km_call *call = new_call(to, KM_CERT_ADD, &admin);
    struct km_cert_req *req = call->req;

    req->owner = OWNER;
    req->label = label;
    req->token_label = token;
    req->bytes = bytes;
    (void)km_run_wait(call);
    return call;
}

TEST(a_label_is_generated_once_and_so_is_a_key_token)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "G1", "subject", "CN=g1", "type",
       "NISTECC", "size", "256", "token_label", "T.G1");
    REFUSED(KLM_E_EXISTS, KLM_MSG_CERT_EXISTS, &house, KM_CERT_GENERATE, &admin, "owner", OWNER,
            "label", "G1", "subject", "CN=g1", "type", "NISTECC");
    REFUSED(KLM_E_EXISTS, KLM_MSG_TOKEN_EXISTS, &house, KM_CERT_GENERATE, &admin, "owner", OWNER,
            "label", "G2", "subject", "CN=g2", "type", "NISTECC", "token_label", "T.G1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_LIST, &oper, "owner", OWNER,
            "label", "G2"); /* nothing half made */
    struct km_call *list =
        run_call(&house, KM_CERT_LIST, &oper, "owner", OWNER, "label", "G1", NULL);
    CHECK_INT(list->rows.n, 1);
    CHECK_STR(cell(list, 0, "Private Key Label (PCICC)"), "T.G1");
    CHECK_STR(cell(list, 0, "Key"), "NISTECC 256");
    CHECK_STR(cell(list, 0, "Status"), "TRUST");
    km_call_free(&list);
}

TEST(a_refused_certificate_takes_its_token_back_with_it)
{
    opened();
    gencert(&house, OWNER, "K1", "LABEL", "NISTECC", "256", NULL);
    REFUSED(KLM_E_EXISTS, KLM_MSG_CERT_EXISTS, &house, KM_CERT_GENERATE, &admin, "owner", OWNER,
            "label", "K1", "subject", "CN=k", "type", "NISTECC", "token_label", "T.NEVER");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_TOKEN_NOT_FOUND, &house, KM_TOKEN_WRITE, &admin, "label",
            "T.NEVER");
}

TEST(what_cannot_be_generated_says_why)
{
    opened();
    REFUSED(KLM_E_LIMIT, KLM_MSG_SIZE_SMALL, &house, KM_CERT_GENERATE, &admin, "owner", OWNER,
            "label", "W1", "subject", "CN=w", "size", "1024");
    REFUSED(KLM_E_USAGE, KLM_MSG_ROLE_UNKNOWN, &house, KM_CERT_GENERATE, &admin, "owner", OWNER,
            "label", "W1", "subject", "CN=w", "role", "KING");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_GENERATE, &admin, "owner",
            OWNER, "label", "W1", "subject", "CN=w", "sign_owner", "CERTAUTH", "sign_label",
            "None");
    static const char *const sizes[] = {"8192", "100"};
    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        struct km_call *call = run_call(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label",
                                        "W1", "subject", "CN=w", "size", sizes[i], NULL);
        CHECK(call->rc != KLM_OK && call->diag.msg != KLM_MSG_NONE);
        km_call_free(&call);
    }
    struct km_call *subject = run_call(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label",
                                       "W1", "subject", "no equals sign", "type", "NISTECC", NULL);
    CHECK_RC(subject->rc, KLM_E_INVALID);
    km_call_free(&subject);
    struct km_call *request = new_call(&house, KM_CERT_GENERATE, &admin);
    struct km_cert_req *req = request->req;
    req->owner = OWNER;
    req->label = "W1";
    req->bytes = KLM_SLICE("x", 1);
    (void)km_run_wait(request);
    expect(request, KLM_E_USAGE, KLM_MSG_REQUEST_NO_SIGNER, __FILE__, __LINE__);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_LIST, &oper, "owner", OWNER,
            "label", "W1");
}

TEST(a_certificate_moves_as_der_or_pem_and_is_the_same_there)
{
    opened();
    struct km_call *der = exported("L1", "CERTDER"), *pem = exported("L1", "CERTB64");

    CHECK(memcmp(pem->bytes.p, "-----BEGIN CERTIFICATE-----", 27) == 0);
    expect(add_cert(&other, "L1", NULL, der->bytes), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    expect(add_cert(&other, "L1", NULL, der->bytes), KLM_E_EXISTS, KLM_MSG_CERT_EXISTS, __FILE__,
           __LINE__);
    expect(add_cert(&other, "L1.again", NULL, pem->bytes), KLM_E_EXISTS, KLM_MSG_CERT_EXISTS,
           __FILE__, __LINE__);
    struct km_call *back = run_call(&other, KM_CERT_EXPORT, &admin, "owner", OWNER, "label", "L1",
                                    "format", "certder", NULL);
    CHECK(klm_slice_equal(back->bytes, der->bytes));
    km_call_free(&back);
    struct km_call *cut = add_cert(&other, "Cut", NULL, KLM_SLICE(der->bytes.p, der->bytes.n - 1));
    CHECK_RC(cut->rc, KLM_E_INVALID);
    km_call_free(&cut);
    REFUSED(KLM_E_USAGE, KLM_MSG_FORMAT_UNKNOWN, &house, KM_CERT_EXPORT, &admin, "owner", OWNER,
            "label", "L1", "format", "PKCS12");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_EXPORT, &admin, "owner",
            "CERTAUTH", "label", "L1");
    expect(add_cert(&house, "T1", "NO.SUCH.TOKEN", der->bytes), KLM_E_NOTFOUND,
           KLM_MSG_TOKEN_NOT_FOUND, __FILE__, __LINE__);
    km_call_free(&der);
    km_call_free(&pem);
}

TEST(a_certificate_is_not_tied_to_another_ones_private_key)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "P1", "subject", "CN=p1", "type",
       "NISTECC", "token_label", "T.P1");
    struct km_call *der = exported("L2", "CERTDER");

    expect(add_cert(&house, "P2", "T.P1", der->bytes), KLM_E_WRONGKEY, KLM_MSG_TOKEN_NOT_ITS,
           __FILE__, __LINE__);
    struct km_call *trust = new_call(&house, KM_CERT_ADD, &admin);
    struct km_cert_req *req = trust->req;
    req->owner = OWNER;
    req->label = "P2";
    req->trust = "MAYBE";
    req->bytes = der->bytes;
    (void)km_run_wait(trust);
    expect(trust, KLM_E_USAGE, KLM_MSG_TRUST_UNKNOWN, __FILE__, __LINE__);
    km_call_free(&der);
}

TEST(deleting_takes_a_certificate_from_rings_and_its_token_unless_another_uses_it)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "D1", "subject", "CN=d1", "type",
       "NISTECC", "token_label", "T.D1");
    connect_cert(&house, OWNER, "D1");
    struct km_call *der = exported("D1", "CERTDER");
    struct km_call *twin = new_call(&house, KM_CERT_ADD, &admin);
    struct km_cert_req *req = twin->req;
    req->owner = "U2";
    req->label = "D1.twin";
    req->token_label = "T.D1";
    req->bytes = der->bytes;
    REQUIRE_OK(km_run_wait(twin));
    km_call_free(&twin);
    km_call_free(&der);
    DO(&house, KM_CERT_DELETE, &admin, "owner", OWNER, "label", "D1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_DELETE, &admin, "owner", OWNER,
            "label", "D1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_NOT_CONNECTED, &house, KM_RING_REMOVE, &admin, "owner", OWNER,
            "ring", RING, "cert_owner", OWNER, "label", "D1");
    DO(&house, KM_TOKEN_WRITE, &admin, "label", "T.D1"); /* the twin still needs it */
    DO(&house, KM_CERT_DELETE, &admin, "owner", "U2", "label", "D1.twin");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_TOKEN_NOT_FOUND, &house, KM_TOKEN_WRITE, &admin, "label",
            "T.D1");
}

TEST(a_certificate_that_would_outlive_its_issuer_is_cut_and_said)
{
    opened();
    const long long year = 366LL * 86400 * 1000000, now = klm_clock();
    char until[32];

    snprintf(until, sizeof until, "%lld", now + 3 * year);
    struct km_call *call = run_call(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label",
                                    "Long", "subject", "CN=l", "type", "NISTECC", "not_after",
                                    until, "sign_owner", "CERTAUTH", "sign_label", CA_LABEL, NULL);
    CHECK_RC(call->rc, KLM_OK);
    CHECK(call->text &&
          strstr(call->text, klm_msg(KLM_MSG_CERT_CAPPED)->id)); /* done, with a warning */
    km_call_free(&call);
    snprintf(until, sizeof until, "%lld", now + 60 * year);
    struct km_call *ever =
        run_call(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "Ever", "subject",
                 "CN=e", "type", "NISTECC", "not_after", until, NULL);
    CHECK_RC(ever->rc, KLM_E_LIMIT);
    CHECK(ever->diag.msg != KLM_MSG_NONE);
    km_call_free(&ever);
}

/* ---- Tokens (KEYXFER) */

static struct km_call *read_token(const struct house *to, const char *label, struct klm_slice bytes,
                                  bool overwrite)
{
    struct km_call *call = new_call(to, KM_TOKEN_READ, &admin);
    struct km_token_req *req = call->req;

    req->label = label;
    req->bytes = bytes;
    req->overwrite = overwrite;
    (void)km_run_wait(call);
    return call;
}

static struct km_call *written(const char *label)
{
    struct km_call *call = run_call(&house, KM_TOKEN_WRITE, &admin, "label", label, NULL);

    REQUIRE_OK(call->rc);
    CHECK(call->bytes.n > 100);
    return call;
}

TEST(a_token_comes_back_only_with_overwrite_and_only_under_its_label)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "X1", "subject", "CN=x1", "type",
       "NISTECC", "token_label", "T.X1");
    struct km_call *file = written("T.X1");

    expect(read_token(&house, "T.X1", file->bytes, false), KLM_E_EXISTS, KLM_MSG_TOKEN_EXISTS,
           __FILE__, __LINE__);
    expect(read_token(&house, "T.X2", file->bytes, true), KLM_E_INVALID, KLM_MSG_XFER_OTHER_LABEL,
           __FILE__, __LINE__);
    struct km_call *again = written("T.X1");
    CHECK(klm_slice_equal(again->bytes, file->bytes));
    km_call_free(&again);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_TOKEN_NOT_FOUND, &house, KM_TOKEN_WRITE, &admin, "label",
            "T.X2");
    expect(read_token(&house, "T.X1", file->bytes, true), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    km_call_free(&file);
}

TEST(a_token_made_under_another_master_key_is_refused)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "X3", "subject", "CN=x3", "type",
       "NISTECC", "token_label", "T.X3");
    struct km_call *file = written("T.X3");
    uint64_t number = st_number(km_store(other.server));
    char ours[KR_VP_MAX];

    kr_master_vp(km_master(house.server), ours);
    struct km_call *call = read_token(&other, "T.X3", file->bytes, true);
    CHECK(strstr(call->diag.text, ours) != NULL); /* both patterns are shown */
    expect(call, KLM_E_WRONGKEY, KLM_MSG_XFER_OTHER_MASTER, __FILE__, __LINE__);
    CHECK_INT(st_number(km_store(other.server)), number);
    km_call_free(&file);
}

TEST(a_damaged_transfer_file_is_refused_wherever_the_damage_is)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "X4", "subject", "CN=x4", "type",
       "NISTECC", "token_label", "T.X4");
    struct km_call *file = written("T.X4");
    uint8_t *copy = malloc(file->bytes.n);
    uint64_t number = st_number(km_store(house.server));

    REQUIRE(copy != NULL);
    for (size_t at = 0; at < file->bytes.n; at += 7) {
        memcpy(copy, file->bytes.p, file->bytes.n);
        copy[at] ^= 1;
        struct km_call *call = read_token(&house, "T.X4", KLM_SLICE(copy, file->bytes.n), true);
        CHECK(call->rc == KLM_E_CORRUPT || call->rc == KLM_E_INVALID);
        CHECK(call->diag.msg != KLM_MSG_NONE && call->diag.msg != KLM_MSG_VERB_FAILED);
        km_call_free(&call);
    }
    for (size_t n = 1; n < file->bytes.n; n += 13) {
        struct km_call *call = read_token(&house, "T.X4", KLM_SLICE(file->bytes.p, n), true);
        CHECK(call->rc == KLM_E_CORRUPT || call->rc == KLM_E_INVALID);
        km_call_free(&call);
    }
    CHECK_INT(st_number(km_store(house.server)), number);
    free(copy);
    km_call_free(&file);
}

TEST(no_private_key_leaves_in_clear_by_any_verb)
{
    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "N1", "subject", "CN=n1", "type",
       "NISTECC", "token_label", "T.N1");
    struct km_call *file = written("T.N1");
    struct km_call *der = exported("N1", "CERTDER");

    CHECK(memmem(file->bytes.p, file->bytes.n, "PRIVATE", 7) == NULL);
    CHECK(memmem(der->bytes.p, der->bytes.n, "PRIVATE", 7) == NULL);
    km_call_free(&file);
    km_call_free(&der);
}

TEST(zz_close)
{
    opened();
    close_house(&house);
    close_house(&other);
    CHECK(house.server == NULL);
}
