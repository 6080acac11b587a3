/* Keys for drives: what is wrapped for whom, which labels count, what is recorded. */
#include "keymgr/km_help.h"

#include <openssl/rsa.h>

static struct house house;
static struct drive drive;

/* One server for the tests of this file; RSA labels besides the EC ones, one of them weak, one without private key. */
static void serving(void)
{
    struct klm_buf pem;

    if (house.server) {
        return;
    }
    listen_now();
    make_house(&house, "serve", "key.minimum.rsa.write=1024\n");
    open_house(&house, true);
    furnish(&house);
    gencert(&house, OWNER, "RSA_20", "LABEL", "RSA", "2048", CA_LABEL);
    gencert(&house, OWNER, "RSA_weak", "LABEL", "RSA", "1024", CA_LABEL);
    gencert(&house, OWNER, "Partner", "LABEL", "NISTECC", "256", CA_LABEL);
    connect_cert(&house, OWNER, "RSA_20");
    connect_cert(&house, OWNER, "RSA_weak");
    /* The certificate of a partner, whose private key is elsewhere: exported, deleted with its token, added. */
    struct km_call *out =
        run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label", "Partner", NULL);
    REQUIRE_OK(out->rc);
    klm_buf_init(&pem, 65536);
    klm_buf_slice(&pem, out->bytes);
    km_call_free(&out);
    DO(&house, KM_CERT_DELETE, &admin, "owner", OWNER, "label", "Partner");
    struct km_call *add = new_call(&house, KM_CERT_ADD, &admin);
    struct km_cert_req *req = add->req;
    req->owner = OWNER;
    req->label = "Partner";
    req->bytes = klm_buf_as_slice(&pem);
    REQUIRE_OK(km_run_wait(add));
    km_call_free(&add);
    klm_buf_done(&pem);
    connect_cert(&house, OWNER, "Partner");
    close_house(&house);
    write_config(&house, "key.minimum.rsa.write=2048\n");
    open_house(&house, false);
    make_drive(&house, &drive, SERIAL, WWN, CA_LABEL);
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "wwn", WWN, "rec1", "L1", "rec2", "L2");
}

/* The data key as the drive gets it: AES key unwrap (RFC 3394) by OpenSSL. */
static void unwrap_session(const struct km_call *call, uint8_t out[32])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t room[64];
    int n = 0, rest = 0;

    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    REQUIRE(EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, session_key, NULL) == 1);
    CHECK(EVP_DecryptUpdate(ctx, room, &n, call->keyed.wrapped, 40) == 1);
    CHECK(EVP_DecryptFinal_ex(ctx, room + n, &rest) == 1);
    CHECK_INT(n + rest, 32);
    memcpy(out, room, 32);
    EVP_CIPHER_CTX_free(ctx);
}

static const struct kr_label *label_of(const struct km_state *state, const char *name)
{
    const struct kr_label *label = NULL;

    REQUIRE_OK(kr_label_find(state->keys, name, &label));
    return label;
}

/* An RSA EEDK opened with OpenSSL alone: OAEP, SHA-256, the EEDK's head as its label. */
static void open_rsa(const struct kr_label *label, struct klm_slice eedk, uint8_t out[32])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(kr_key_pkey(label->key), NULL);
    size_t bits = label->spec.bits / 8, head = eedk.n - bits, n = 512;
    uint8_t room[512];
    void *oaep_label = OPENSSL_memdup(eedk.p, head);

    REQUIRE(ctx && EVP_PKEY_decrypt_init(ctx) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1);
    REQUIRE(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, oaep_label, (int)head) == 1);
    REQUIRE(EVP_PKEY_decrypt(ctx, room, &n, eedk.p + eedk.n - bits, bits) == 1);
    CHECK_INT(n, 32);
    memcpy(out, room, 32);
    EVP_PKEY_CTX_free(ctx);
}

/* Any EEDK opened with the label's private key, then wrapped for the session: what key-get must answer. */
static void open_eedk(const struct kr_label *label, struct klm_slice bytes, uint8_t out[40])
{
    struct kx_eedk eedk;
    struct klm_buf context;
    struct kr_key *key = NULL;

    REQUIRE_OK(kx_eedk_decode(bytes, &eedk));
    klm_buf_init(&context, KX_EEDK_MAX);
    REQUIRE_OK(kx_eedk_context(&eedk, &context));
    REQUIRE_OK(kr_unwrap(label, klm_buf_as_slice(&context), eedk.wrapped, &key));
    REQUIRE_OK(kr_wrap_session(key, session_key, out));
    kr_key_free(&key);
    klm_buf_done(&context);
}

TEST(a_write_wraps_the_same_fresh_key_for_both_labels_and_the_session)
{
    serving();
    struct km_state *state = km_state_get(house.server);
    struct km_call *call = create_key(&house, SERIAL, "WXY662", NULL, NULL, 0);
    uint8_t one[40], two[40];

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->keyed.eedk_n, 2);
    CHECK_STR(call->keyed.labels[0].label, "L1");
    CHECK_STR(call->keyed.labels[1].label, "L2");
    open_eedk(label_of(state, "L1"), call->keyed.eedk[0], one);
    open_eedk(label_of(state, "L2"), call->keyed.eedk[1], two);
    CHECK_MEM(one, call->keyed.wrapped, 40);
    CHECK_MEM(two, call->keyed.wrapped, 40);
    struct km_call *again = create_key(&house, SERIAL, "WXY662", NULL, NULL, 0);
    CHECK_RC(again->rc, KLM_OK);
    CHECK(memcmp(again->keyed.wrapped, call->keyed.wrapped, 40) != 0);
    km_call_free(&again);
    km_call_free(&call);
    km_state_put(&state);
}

TEST(an_rsa_eedk_opens_with_openssl_alone_and_holds_the_key_of_the_session)
{
    serving();
    struct km_state *state = km_state_get(house.server);
    struct km_call *call = create_key(&house, SERIAL, "RSA001", "RSA_20", NULL, KX_ENC_HASH);
    uint8_t key[32], session[32];

    REQUIRE_OK(call->rc);
    open_rsa(label_of(state, "RSA_20"), call->keyed.eedk[0], key);
    unwrap_session(call, session);
    CHECK_MEM(key, session, 32);
    km_call_free(&call);
    km_state_put(&state);
}

TEST(a_read_gets_the_key_of_the_write_by_label_or_by_hash_from_either_eedk)
{
    serving();
    const uint8_t encodings[] = {KX_ENC_LABEL, KX_ENC_HASH};

    for (size_t e = 0; e < 2; e++) {
        struct km_call *write = create_key(&house, SERIAL, "VOL001", "RSA_20", "L2", encodings[e]);
        REQUIRE_OK(write->rc);
        for (size_t i = 0; i < 2; i++) {
            struct km_call *read = get_key(&house, SERIAL, "VOL001", &write->keyed.eedk[i], 1);
            CHECK_RC(read->rc, KLM_OK);
            CHECK_MEM(read->keyed.wrapped, write->keyed.wrapped, 40);
            CHECK_STR(read->keyed.labels[0].label, i ? "L2" : "RSA_20");
            km_call_free(&read);
        }
        km_call_free(&write);
    }
}

TEST(a_damaged_first_eedk_does_not_hide_a_good_second_one)
{
    serving();
    struct km_call *write = create_key(&house, SERIAL, "VOL002", "L1", "L2", KX_ENC_LABEL);
    uint8_t copy[KX_EEDK_MAX];
    struct klm_slice eedk[2] = {write->keyed.eedk[0], write->keyed.eedk[1]};

    REQUIRE_OK(write->rc);
    memcpy(copy, eedk[0].p, eedk[0].n);
    copy[eedk[0].n - 1] ^= 1;
    eedk[0].p = copy;
    struct km_call *both = get_key(&house, SERIAL, "VOL002", eedk, 2);
    CHECK_RC(both->rc, KLM_OK);
    CHECK_MEM(both->keyed.wrapped, write->keyed.wrapped, 40);
    km_call_free(&both);
    struct km_call *bad = get_key(&house, SERIAL, "VOL002", eedk, 1);
    CHECK_INT(bad->device_code, 0xEE32);
    expect(bad, KLM_E_CRYPTO, KLM_MSG_EEDK_BAD, __FILE__, __LINE__);
    eedk[0].n = 3;
    struct km_call *cut = get_key(&house, SERIAL, "VOL002", eedk, 1);
    CHECK_INT(cut->device_code, 0xEE23);
    CHECK_STR(klm_msg(cut->diag.msg)->id, "KLM0916E");
    km_call_free(&cut);
    struct km_call *none = get_key(&house, SERIAL, "VOL002", NULL, 0);
    CHECK_INT(none->device_code, 0xEE32);
    expect(none, KLM_E_NOTFOUND, KLM_MSG_EEDK_NO_KEY, __FILE__, __LINE__);
    km_call_free(&write);
}

TEST(a_translation_wraps_the_same_key_for_new_labels_and_gives_no_key_away)
{
    serving();
    const struct km_actor actor = drive_actor(&drive, KM_ROLE_DRIVE);
    struct km_call *write = create_key(&house, SERIAL, "VOL003", "L1", NULL, KX_ENC_LABEL);
    struct km_call *call = new_call(&house, KM_KEY_TRANSLATE, &actor);
    struct km_key_translate *req = call->req;
    static const uint8_t zero[40];

    REQUIRE_OK(write->rc);
    req->serial = SERIAL;
    req->volser = "VOL003";
    req->eedk[0] = write->keyed.eedk[0];
    req->eedk_n = 1;
    req->labels_n = 1;
    req->labels[0].encoding = KX_ENC_LABEL;
    memcpy(req->labels[0].label, "RSA_20", 7);
    REQUIRE_OK(km_run_wait(call));
    CHECK_MEM(call->keyed.wrapped, zero, 40);
    struct km_call *read = get_key(&house, SERIAL, "VOL003", &call->keyed.eedk[1], 1);
    CHECK_RC(read->rc, KLM_OK);
    CHECK_STR(read->keyed.labels[0].label, "RSA_20");
    CHECK_MEM(read->keyed.wrapped, write->keyed.wrapped, 40);
    CHECK_INT(usage_events(&house, "VOL003"), 2);
    km_call_free(&read);
    km_call_free(&call);
    km_call_free(&write);
}

/* ---- Labels */

static void refuse_labels(const char *one, const char *two, klm_rc rc, enum klm_msg_id msg,
                          int line)
{
    struct km_call *call = create_key(&house, SERIAL, "LABELS", one, two, KX_ENC_LABEL);
    static const uint8_t zero[40];

    test_int(call->device_code, 0xEE31, "device code", __FILE__, line);
    test_mem(call->keyed.wrapped, zero, 40, "wrapped", __FILE__, line);
    expect(call, rc, msg, __FILE__, line);
}

TEST(labels_of_a_write_are_checked_each)
{
    serving();
    refuse_labels("Unknown", NULL, KLM_E_NOTFOUND, KLM_MSG_LABEL_UNKNOWN, __LINE__);
    refuse_labels("L1", "l2", KLM_E_NOTFOUND, KLM_MSG_LABEL_UNKNOWN, __LINE__); /* case counts */
    refuse_labels("Partner", NULL, KLM_E_NOTFOUND, KLM_MSG_LABEL_NO_PRIVATE, __LINE__);
    refuse_labels("L1", "RSA_weak", KLM_E_DENIED, KLM_MSG_LABEL_WEAK, __LINE__);
    CHECK_INT(usage_events(&house, "LABELS"), 0);
    struct km_call *call = create_key(&house, SERIAL, "PARTN1", "Partner", "L1", KX_ENC_LABEL);
    CHECK_RC(call->rc, KLM_OK); /* one private key here is enough */
    km_call_free(&call);
}

TEST(one_label_given_is_used_for_both_places)
{
    serving();
    struct km_call *call = create_key(&house, SERIAL, "ONE001", "L2", NULL, KX_ENC_HASH);

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->keyed.labels_n, 2);
    CHECK_STR(call->keyed.labels[0].label, "L2");
    CHECK_STR(call->keyed.labels[1].label, "L2");
    CHECK_INT(call->keyed.labels[1].encoding, KX_ENC_HASH);
    CHECK(
        !klm_slice_equal(call->keyed.eedk[0], call->keyed.eedk[1])); /* wrapped twice, not copied */
    km_call_free(&call);
}

TEST(a_weak_rsa_label_is_refused_for_writes_but_still_reads)
{
    serving();
    struct km_call *set = run_call(&house, KM_CONFIG_SET, &admin, "property",
                                   "key.minimum.rsa.write", "value", "1024", NULL);
    REQUIRE_OK(set->rc);
    km_call_free(&set);
    struct km_call *write = create_key(&house, SERIAL, "WEAK01", "RSA_weak", NULL, KX_ENC_LABEL);
    REQUIRE_OK(write->rc);
    DO(&house, KM_CONFIG_SET, &admin, "property", "key.minimum.rsa.write", "value", "2048");
    refuse_labels("RSA_weak", NULL, KLM_E_DENIED, KLM_MSG_LABEL_WEAK, __LINE__);
    struct km_call *read = get_key(&house, SERIAL, "WEAK01", write->keyed.eedk, 2);
    CHECK_RC(read->rc, KLM_OK);
    CHECK_MEM(read->keyed.wrapped, write->keyed.wrapped, 40);
    km_call_free(&read);
    km_call_free(&write);
}

TEST(without_labels_of_its_own_a_drive_gets_the_defaults_or_a_refusal)
{
    serving();
    const char *serial = "0000000000AB";
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", serial);
    struct km_call *none = create_key(&house, serial, "DEF001", NULL, NULL, 0);
    CHECK_INT(none->device_code, 0xEE31);
    expect(none, KLM_E_NOTFOUND, KLM_MSG_LABEL_NONE, __FILE__, __LINE__);
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.default.alias1", "value", "L1");
    DO(&house, KM_CONFIG_SET, &admin, "property", "drive.default.alias2", "value", "RSA_20");
    struct km_call *call = create_key(&house, serial, "DEF001", NULL, NULL, 0);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_STR(call->keyed.labels[0].label, "L1");
    CHECK_STR(call->keyed.labels[1].label, "RSA_20");
    km_call_free(&call);
    struct km_call *own = create_key(&house, SERIAL, "DEF002", NULL, NULL, 0);
    CHECK_RC(own->rc, KLM_OK);
    CHECK_STR(own->keyed.labels[1].label, "L2"); /* the drive's own come before the defaults */
    km_call_free(&own);
}

TEST(a_label_outside_its_dates_is_refused_when_dates_count)
{
    serving();
    struct km_call *call;

    DO(&house, KM_CONFIG_SET, &admin, "property", "cert.valiDATE", "value", "true");
    klm_clock_set(klm_clock() +
                  400LL * 86400 * 1000000); /* certificates last a year unless asked otherwise */
    call = create_key(&house, SERIAL, "DATES1", "L1", NULL, KX_ENC_LABEL);
    klm_clock_set(0);
    CHECK_INT(call->device_code, 0xEE31);
    expect(call, KLM_E_DENIED, KLM_MSG_LABEL_DATES, __FILE__, __LINE__);
    DO(&house, KM_CONFIG_SET, &admin, "property", "cert.valiDATE", "unset", "");
}

/* ---- What is recorded */

TEST(each_write_is_one_usage_event_and_one_audit_event)
{
    serving();
    for (int i = 0; i < 5; i++) {
        struct km_call *call = create_key(&house, SERIAL, "COUNT1", NULL, NULL, 0);
        REQUIRE_OK(call->rc);
        km_call_free(&call);
    }
    CHECK_INT(usage_events(&house, "COUNT1"), 5);
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "COUNT1"), 5);
    struct km_call *rows = run_call(&house, KM_USAGE_QUERY, &oper, "volser", "count1", NULL);
    CHECK_RC(rows->rc, KLM_OK);
    CHECK_INT(rows->rows.n, 5);
    CHECK_STR(cell(rows, 0, "Key Alias 1"), "L1");
    CHECK_STR(cell(rows, 0, "Key Alias 2"), "L2");
    CHECK_STR(cell(rows, 0, "Drive or Client"), SERIAL);
    CHECK_STR(cell(rows, 0, "WWN"), WWN);
    km_call_free(&rows);
    struct km_call *limited =
        run_call(&house, KM_USAGE_QUERY, &oper, "alias", "L2", "limit", "2", NULL);
    CHECK_INT(limited->rows.n, 2);
    km_call_free(&limited);
    REFUSED(KLM_E_USAGE, KLM_MSG_QUERY_ONE, &house, KM_USAGE_QUERY, &oper, "alias", "L2", "volser",
            "COUNT1");
}

TEST(the_record_of_a_write_names_drive_volume_and_labels_as_the_product_words_it)
{
    serving();
    struct km_call *call = create_key(&house, SERIAL, "words1", NULL, NULL, 0);

    REQUIRE_OK(call->rc);
    CHECK_STR(call->event.field[SMF_F_RESOURCE],
              "Write Request: Drive Serial Number: " SERIAL " WWN:" WWN
              " VolSer: WORDS1 Key Alias/Label[0]: L1 Key Alias/Label[1]: L2");
    km_call_free(&call);
    CHECK_INT(usage_events(&house, "WORDS1"), 1); /* kept in capitals, as queries look for it */
}

TEST(a_refused_write_is_recorded_with_its_message_and_changes_nothing)
{
    serving();
    size_t before = events(&house, "key-create", SMF_FAILURE, "KLM0911E", "REFUS1");
    struct km_call *call = create_key(&house, SERIAL, "REFUS1", "Unknown", NULL, KX_ENC_LABEL);

    CHECK_RC(call->rc, KLM_E_NOTFOUND);
    km_call_free(&call);
    CHECK_INT(events(&house, "key-create", SMF_FAILURE, "KLM0911E", "REFUS1"), before + 1);
    CHECK_INT(usage_events(&house, "REFUS1"), 0);
    struct km_call *bad = create_key(&house, SERIAL, "a b", NULL, NULL, 0);
    CHECK(bad->rc != KLM_OK && bad->device_code == 0xEE02);
    km_call_free(&bad);
    struct km_call *longer = create_key(&house, SERIAL, "SEVENXX", NULL, NULL, 0);
    expect(longer, KLM_E_LIMIT, KLM_MSG_PARAM_LONG, __FILE__, __LINE__);
}

TEST(serving_a_key_to_an_unknown_drive_is_refused_and_audited)
{
    serving();
    struct km_call *call = create_key(&house, "NOTTHEREXXXX", "UNKNW1", "L1", NULL, KX_ENC_LABEL);

    CHECK_INT(call->device_code, 0xEF01);
    expect(call, KLM_E_DENIED, KLM_MSG_DRIVE_UNKNOWN, __FILE__, __LINE__);
    CHECK_INT(events(&house, "key-create", SMF_FAILURE, "KLM0204E", "NOTTHEREXXXX"), 1);
}

TEST(a_drive_gets_no_key_in_the_name_of_another_or_after_it_was_pinned_anew)
{
    serving();
    struct km_actor actor = drive_actor(&drive, KM_ROLE_DRIVE);
    struct km_call *call;
    struct km_key_create *req;

    actor.name = "000000000001";
    call = new_call(&house, KM_KEY_CREATE, &actor);
    req = call->req;
    req->serial = SERIAL;
    req->volser = "OTHER1";
    req->session_key = session_key;
    (void)km_run_wait(call);
    CHECK_INT(call->device_code, 0xEE30);
    expect(call, KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__, __LINE__);

    struct km_call *known = contact(&house, &drive);
    REQUIRE_OK(known->rc);
    km_call_free(&known);
    actor = drive_actor(&drive, KM_ROLE_DRIVE);
    actor.fingerprint = "0000000000000000000000000000000000000000000000000000000000000000";
    call = new_call(&house, KM_KEY_CREATE, &actor);
    req = call->req;
    req->serial = SERIAL;
    req->volser = "OTHER1";
    req->session_key = session_key;
    (void)km_run_wait(call);
    CHECK_INT(call->device_code, 0xEE2B);
    expect(call, KLM_E_DENIED, KLM_MSG_DRIVE_OTHER_CERT, __FILE__, __LINE__);
    CHECK_INT(usage_events(&house, "OTHER1"), 0);
}

TEST(a_test_exchange_and_its_refusal_are_recorded)
{
    serving();
    const struct km_actor actor = drive_actor(&drive, KM_ROLE_DRIVE);
    size_t before = events(&house, "drive-verify", -1, NULL, NULL);

    DO(&house, KM_DRIVE_VERIFY, &actor, "serial", SERIAL);
    CHECK_INT(events(&house, "drive-verify", SMF_SUCCESS, NULL, SERIAL), before + 1);
    const struct km_actor stranger = {
        .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = "XXXXXXXXXXXX", .address = ""};
    REFUSED(KLM_E_DENIED, KLM_MSG_DRIVE_UNKNOWN, &house, KM_DRIVE_VERIFY, &stranger, "serial",
            "XXXXXXXXXXXX");
    CHECK_INT(events(&house, "drive-verify", SMF_FAILURE, "KLM0204E", NULL), 1);
    CHECK_INT(events(&house, "drive-verify", -1, NULL, NULL), before + 2);
}

TEST(a_certificate_whose_key_volumes_need_is_deleted_by_force_only)
{
    serving();
    gencert(&house, OWNER, "Needed", "LABEL", "NISTECC", "256", CA_LABEL);
    connect_cert(&house, OWNER, "Needed");
    DO(&house, KM_CONFIG_REFRESH, &admin, NULL);
    struct km_call *call = create_key(&house, SERIAL, "NEED01", "Needed", NULL, KX_ENC_LABEL);
    REQUIRE_OK(call->rc);
    km_call_free(&call);
    REFUSED(KLM_E_STATE, KLM_MSG_CERT_PROTECTS, &house, KM_CERT_DELETE, &admin, "owner", OWNER,
            "label", "Needed");
    call = create_key(&house, SERIAL, "NEED02", "Needed", NULL, KX_ENC_LABEL);
    CHECK_RC(call->rc, KLM_OK); /* nothing of it was deleted */
    km_call_free(&call);
    DO(&house, KM_CERT_DELETE, &admin, "owner", OWNER, "label", "Needed", "force", "true");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_CERT_NOT_FOUND, &house, KM_CERT_DELETE, &admin, "owner", OWNER,
            "label", "Needed");
}

TEST(zz_at_the_end_the_journal_is_whole_and_the_server_closes)
{
    serving();
    uint64_t n = 0;

    close_house(&house);
    CHECK_RC(smf_journal_verify(house.journal, &n, NULL), KLM_OK);
    CHECK(n > 20);
    drive_done(&drive);
}
