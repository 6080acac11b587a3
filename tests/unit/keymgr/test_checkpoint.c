/* Checkpoints of the journal: made at intervals and at the end, over what they say, and checked with the certificate alone. */
#include "keymgr/km_help.h"

#include "base/base64.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static struct house house;

/* ---- Checkpoints as they stand in the journal */
struct found {
    size_t n;
    uint64_t seq, first, last;
    char hash[65], algorithm[32], client[65], signature[1500], server[65];
    char last_hash[65]; /* of record last */
    uint64_t want;      /* record whose hash is looked for */
};

static const char *text(const struct smf_record *record, enum smf_field field)
{
    return record->event.field[field] ? record->event.field[field] : "";
}

static klm_rc look(void *arg, const struct smf_record *record)
{
    struct found *found = arg;
    unsigned long long first = 0, last = 0;

    if (record->seq == found->want) {
        klm_hex(record->hash, 32, found->last_hash);
    }
    if (strcmp(text(record, SMF_F_VERB), "checkpoint") == 0) {
        found->n++;
        found->seq = record->seq;
        CHECK_INT(record->event.kind, SMF_AUDIT);
        CHECK(sscanf(text(record, SMF_F_OBJECT), "journal %llu-%llu", &first, &last) == 2);
        found->first = first;
        found->last = last;
        snprintf(found->hash, sizeof found->hash, "%s", text(record, SMF_F_HASH));
        snprintf(found->algorithm, sizeof found->algorithm, "%s", text(record, SMF_F_ALGORITHM));
        snprintf(found->client, sizeof found->client, "%s", text(record, SMF_F_CLIENT));
        snprintf(found->signature, sizeof found->signature, "%s", text(record, SMF_F_SIGNATURE));
        snprintf(found->server, sizeof found->server, "%s", record->server_id);
    }
    return KLM_OK;
}

/* The newest. */
static struct found newest(void)
{
    struct found found = {0};

    REQUIRE_OK(smf_journal_read(house.journal, 0, look, &found, NULL));
    found.want = found.last;
    found.n = 0;
    REQUIRE_OK(smf_journal_read(house.journal, 0, look, &found, NULL));
    return found;
}

/* The certificate of a label, as PEM in a file; its DER's digest. */
static const char *certificate(const char *label, char print[65])
{
    struct km_call *call = run_call(&house, KM_CERT_EXPORT, &admin, "owner", OWNER, "label", label,
                                    "format", "CERTDER", NULL);
    const char *path = test_path(label);
    const uint8_t *p;
    X509 *x509;
    FILE *file;

    REQUIRE_OK(call->rc);
    fingerprint_of(call->bytes.p, call->bytes.n, print);
    p = call->bytes.p;
    x509 = d2i_X509(NULL, &p, (long)call->bytes.n);
    file = fopen(path, "w");
    REQUIRE(x509 != NULL && file != NULL);
    PEM_write_X509(file, x509);
    fclose(file);
    X509_free(x509);
    km_call_free(&call);
    return path;
}

/* What was signed, put together here by hand from the header's words. */
static size_t message_of(const struct found *found, uint8_t out[256])
{
    static const char *const words[] = {"klmsrv checkpoint 1", "journal"};
    const char *part[] = {words[0], words[1], found->server};
    size_t n = 0, got = 0;

    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(part[i]);

        out[n++] = (uint8_t)(length >> 8);
        out[n++] = (uint8_t)length;
        memcpy(out + n, part[i], length);
        n += length;
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        out[n++] = (uint8_t)(found->last >> shift);
    }
    out[n++] = 0;
    out[n++] = 32;
    REQUIRE_OK(klm_unhex(found->hash, out + n, 32, &got));
    return n + 32;
}

/* With the certificate's key and OpenSSL alone. */
static bool holds(const struct found *found, const char *cert_path)
{
    FILE *file = fopen(cert_path, "r");
    X509 *x509 = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    uint8_t message[256], signature[1100];
    const EVP_MD *md = strstr(found->algorithm, "384") ? EVP_sha384() : EVP_sha256();
    size_t n = message_of(found, message);
    int length = EVP_DecodeBlock(signature, (const uint8_t *)found->signature,
                                 (int)strlen(found->signature));
    bool good;

    REQUIRE(x509 != NULL && length > 0);
    for (size_t i = strlen(found->signature); i > 0 && found->signature[i - 1] == '='; i--) {
        length--;
    }
    good = EVP_DigestVerifyInit(ctx, &pkey, md, NULL, X509_get0_pubkey(x509)) == 1;
    if (strncmp(found->algorithm, "RSA", 3) == 0) {
        good = good && EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, 32) == 1;
    }
    good = good && EVP_DigestVerify(ctx, signature, (size_t)length, message, n) == 1;
    EVP_MD_CTX_free(ctx);
    X509_free(x509);
    fclose(file);
    return good;
}

static void check_newest(const char *label, const char *algorithm)
{
    struct found found = newest();
    char print[65];

    open_house(&house, true);
    const char *path = certificate(label, print);
    close_house(&house);
    CHECK_STR(found.algorithm, algorithm);
    CHECK_STR(found.client, print);
    CHECK_STR(found.hash, found.last_hash);
    CHECK_INT(found.seq, found.last + 1);
    CHECK_STR(found.server, "TEST");
    CHECK(holds(&found, path));
}

static klm_rc verified(const char *cert_path, struct km_verified *out, struct klm_diag *diag)
{
    struct klm_buf certs;
    klm_rc rc;

    klm_buf_init(&certs, 65536);
    REQUIRE_OK(klm_file_read(cert_path, 65536, &certs, NULL));
    rc = km_journal_verify(house.journal, klm_buf_as_slice(&certs), diag, out);
    klm_buf_done(&certs);
    return rc;
}

TEST(the_end_of_a_run_is_signed_with_the_key_that_tls_shows)
{
    listen_now();
    start_house(&house, "checkpoints", "");
    close_house(&house);
    struct found first = newest();
    CHECK_INT(first.n, 1);
    CHECK_INT(first.first, 1);
    check_newest("Server", "ECDSA-SHA256");
    open_house(&house, false);
    close_house(&house);
    struct found second = newest();
    CHECK_INT(second.n, 2);
    CHECK_INT(second.first, first.last + 1);
    CHECK_INT(events(&house, "stop", SMF_SUCCESS, NULL, NULL),
              2); /* the last but one record each */
}

TEST(a_named_label_signs_with_its_own_algorithm)
{
    write_config(&house, "Audit.checkpoint.label=L2\n");
    open_house(&house, false);
    close_house(&house);
    check_newest("L2", "ECDSA-SHA384");
    open_house(&house, true);
    gencert(&house, OWNER, "Rsa", "LABEL", "RSA", "2048", CA_LABEL);
    connect_cert(&house, OWNER, "Rsa");
    close_house(&house);
    write_config(&house, "Audit.checkpoint.label=Rsa\n");
    open_house(&house, false);
    close_house(&house);
    check_newest("Rsa", "RSA-PSS-SHA256");
}

TEST(without_the_key_it_is_said_once_and_the_server_serves)
{
    size_t before = newest().n;

    listen_now();
    write_config(&house, "Audit.checkpoint.label=None\n");
    open_house(&house, false);
    DO(&house, KM_DRIVE_LIST, &admin, NULL);
    close_house(&house);
    CHECK_INT(newest().n, before);
    CHECK_INT(times_said("KLM0822W"), 1);
    write_config(&house, "");
    open_house(&house, false);
    close_house(&house);
    CHECK_INT(newest().n, before + 1);
}

TEST(after_so_many_records_one_is_made_while_the_server_runs)
{
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_SUCCESS};

    write_config(&house, "Audit.checkpoint.records=100\n");
    open_house(&house, false);
    size_t before = newest().n;
    event.field[SMF_F_VERB] = "filler";
    for (int i = 0; i < 100; i++) {
        REQUIRE_OK(km_audit(house.server, &event));
    }
    WAIT_FOR(newest().n == before + 1, 10)
    {
    }
    CHECK_INT(newest().n, before + 1);
    nap_ms(2500);
    CHECK_INT(newest().n, before + 1); /* nothing to sign since */
    close_house(&house);
    CHECK_INT(newest().n, before + 2);
}

TEST(a_checkpoint_that_is_due_while_the_server_closes_is_made_once)
{
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_SUCCESS};

    write_config(&house, "Audit.checkpoint.records=1\n");
    event.field[SMF_F_VERB] = "filler";
    for (int i = 0; i < 5; i++) { /* the audit thread looks once a second: now and then just then */
        open_house(&house, false);
        nap_ms(980);
        for (int n = 0; n < 20; n++) {
            REQUIRE_OK(km_audit(house.server, &event));
        }
        close_house(&house);
        REQUIRE_OK(smf_journal_verify(house.journal, &(uint64_t){0}, NULL));
        CHECK_INT(newest().seq, newest().last + 1);
    }
}

/* All certificates that signed, behind each other. */
static const char *bundle(void)
{
    static const char *const labels[] = {"Server", "L2", "Rsa"};
    static char all[30000];
    const char *path = test_path("bundle");
    char print[65];

    all[0] = '\0';
    open_house(&house, true);
    for (size_t i = 0; i < KLM_COUNT(labels); i++) {
        const char *one = text_of(certificate(labels[i], print));

        snprintf(all + strlen(all), sizeof all - strlen(all), "%s", one);
    }
    close_house(&house);
    write_file(path, all);
    return path;
}

TEST(a_journal_verifies_with_the_certificates_of_all_who_signed_and_with_no_fewer)
{
    struct km_verified found = {0};
    struct klm_diag diag = {0};
    const char *path = bundle();

    CHECK_RC(verified(path, &found, &diag), KLM_OK);
    CHECK_INT(found.checkpoints, newest().n);
    CHECK_INT(found.covered, newest().last);
    CHECK(found.records > found.covered);
    CHECK_RC(verified(test_path("Rsa"), &found, &diag), KLM_E_CORRUPT);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0826E");
    CHECK(strstr(diag.text, "none of the certificates") != NULL);
}

/* ---- A journal made anew: what one can do who may write the files but has no key. */

struct copy {
    struct smf_journal *journal;
    uint64_t leave;        /* a record that is left out */
    const char *from, *to; /* a text of a field that is changed */
};

static klm_rc copy_record(void *arg, const struct smf_record *record)
{
    struct copy *copy = arg;
    struct smf_event event = record->event;
    struct klm_buf buf;
    klm_rc rc;

    for (size_t i = 0; i < SMF_FIELDS; i++) {
        if (event.field[i] && copy->from && strcmp(event.field[i], copy->from) == 0) {
            event.field[i] = copy->to;
        }
    }
    klm_buf_init(&buf, SMF_EVENT_MAX);
    rc = smf_event_encode(&event, &buf);
    if (rc == KLM_OK && record->seq != copy->leave) {
        struct smf_entry entry = {.event = klm_buf_as_slice(&buf)};

        rc = smf_journal_append(copy->journal, &entry, 1);
    }
    klm_buf_done(&buf);
    return rc;
}

static void forge(const char *name, uint64_t leave, const char *from, const char *to)
{
    char folder[340];
    struct copy copy = {.leave = leave, .from = from, .to = to};
    uint64_t n = 0;

    snprintf(folder, sizeof folder, "%.300s/%.30s", house.dir, name);
    REQUIRE_OK(smf_journal_open(
        &(struct smf_journal_options){.folder = folder, .server_id = "TEST"}, NULL, &copy.journal));
    REQUIRE_OK(smf_journal_read(house.journal, 0, copy_record, &copy, NULL));
    smf_journal_close(&copy.journal);
    REQUIRE_OK(smf_journal_verify(folder, &n, NULL)); /* the chain alone says nothing */
    memcpy(house.journal, folder, sizeof folder);
}

TEST(a_journal_made_anew_does_not_verify)
{
    struct km_verified found = {0};
    struct klm_diag diag = {0};
    char good[340];
    const char *path = bundle();

    memcpy(good, house.journal, sizeof good);
    forge("altered", 0, "ADMIN", "NIMDA");
    CHECK_RC(verified(path, &found, &diag), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "the value it names is not that of the chain") != NULL);
    memcpy(house.journal, good, sizeof good);
    forge("shorter", 3, NULL, NULL);
    CHECK_RC(verified(path, &found, &diag), KLM_E_CORRUPT);
    memcpy(house.journal, good, sizeof good);
    forge("unsigned", 0, "checkpoint", "nothing");
    CHECK_RC(verified(path, &found, &diag), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "there is no checkpoint") != NULL);
    memcpy(house.journal, good, sizeof good);
    CHECK_RC(verified(path, &found, &diag), KLM_OK);
}
