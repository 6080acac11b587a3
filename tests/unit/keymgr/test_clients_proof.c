/* One-time and hashed passwords of clients: registered by operators, right once, whatever happens in between. */
#include "keymgr/hashed_help.h"

#include "keymgr/clients.h"
#include "keyring/hashed.h"

#include <pthread.h>

#define CODE1 "one-time-password-0001"
#define CODE2 "one-time-password-0002"
#define SHA256 KMIP_HashingAlgorithm_SHA_256
#define NOW INT64_C(1700000000000000)

static struct house house;
static struct drive drive; /* of whom only the certificate counts: the client's */

static struct km_call *run_it(struct km_call *call)
{
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static void serving(void)
{
    if (!house.server) {
        struct km_call *call;
        struct km_client_req *req;

        klm_clock_set(NOW);
        listen_now();
        start_house(&house, "proofs", "");
        make_drive(&house, &drive, "000000000ABC", "500507630F000ABC", CA_LABEL);
        call = new_call(&house, KM_CLIENT_ADD, &admin);
        req = call->req;
        req->name = "lib";
        req->cert = KLM_SLICE(drive.der, drive.n);
        expect(run_it(call), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    }
    klm_clock_set(NOW);
}

static void again(void)
{
    close_house(&house);
    open_house(&house, false);
}

static struct km_call *set_once(const char *lines)
{
    struct km_call *call = new_call(&house, KM_CLIENT_MODIFY, &admin);
    struct km_client_req *req = call->req;

    req->name = "lib";
    req->once = klm_slice_str(lines);
    return run_it(call);
}

static struct km_actor client;

/* What a message shows. hashed is of user backup and this password, at NOW and so many seconds. */
static struct km_call *show(const char *once, const char *password, int64_t seconds)
{
    struct km_call *call;
    struct km_client_prove *req;

    client = (struct km_actor){.kind = KM_ACTOR_CLIENT,
                               .roles = KM_ROLE_CLIENT,
                               .name = "lib",
                               .address = "192.0.2.7:40022",
                               .fingerprint = drive.fingerprint};
    call = new_call(&house, KM_CLIENT_PROVE, &client);
    req = call->req;
    if (once) {
        req->once = klm_slice_str(once);
    }
    if (password) {
        req->timestamp = NOW + seconds * 1000000;
        req->algorithm = SHA256;
        req->hashed = hashed_of(call->pool, "backup", password, req->timestamp);
    }
    return run_it(call);
}
#define RIGHT(once, password, seconds)                                                             \
    expect(show((once), (password), (seconds)), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__)
#define WRONG(once, password, seconds)                                                             \
    expect(show((once), (password), (seconds)), KLM_E_DENIED, KLM_MSG_CLIENT_CREDENTIAL, __FILE__, \
           __LINE__)

static void check_cell(const char *column, const char *value)
{
    struct km_call *call = run_call(&house, KM_CLIENT_LIST, &admin, "name", "lib", NULL);

    CHECK_STR(cell(call, 0, column), value);
    km_call_free(&call);
}

TEST(a_one_time_password_is_right_once_also_over_a_restart)
{
    serving();
    WRONG(CODE1, NULL, 0); /* there are none */
    expect(set_once(CODE1 "\r\n\n" CODE2), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    check_cell("One-Time", "2 left");
    RIGHT(CODE1, NULL, 0);
    WRONG(CODE1, NULL, 0);
    again();
    WRONG(CODE1, NULL, 0);
    check_cell("One-Time", "1 left");
    RIGHT(CODE2, NULL, 0);
    check_cell("One-Time", "0 left");
    WRONG(CODE2, NULL, 0);
    CHECK_INT(events(&house, "client-prove", SMF_SUCCESS, NULL, "one-time passwords left: 1"), 1);
    CHECK_INT(events(&house, "client-prove", SMF_FAILURE, "KLM1944E", "one-time password"), 4);
    CHECK_INT(events(&house, NULL, -1, NULL, "password-0001"), 0); /* nowhere in the audit */
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "noonce", "");
    check_cell("One-Time", "no");
}

struct racer {
    struct km_call *call;
    klm_rc rc;
};

static void *race(void *arg)
{
    struct racer *racer = arg;

    racer->rc = km_run_wait(racer->call);
    return NULL;
}

TEST(of_many_messages_with_the_same_one_time_password_one_is_carried_out)
{
    serving();
    struct racer racer[6];
    pthread_t thread[KLM_COUNT(racer)];
    size_t right = 0;

    again(); /* wrong ones of before are forgotten */
    expect(set_once(CODE1 "\n" CODE2 "\n"), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    for (size_t i = 0; i < KLM_COUNT(racer); i++) {
        client.fingerprint = drive.fingerprint;
        racer[i].call = new_call(&house, KM_CLIENT_PROVE, &client);
        ((struct km_client_prove *)racer[i].call->req)->once = klm_slice_str(CODE1);
    }
    for (size_t i = 0; i < KLM_COUNT(racer); i++) {
        REQUIRE(pthread_create(&thread[i], NULL, race, &racer[i]) == 0);
    }
    for (size_t i = 0; i < KLM_COUNT(racer); i++) {
        pthread_join(thread[i], NULL);
        right += racer[i].rc == KLM_OK;
        km_call_free(&racer[i].call);
    }
    CHECK_INT(right, 1);
    check_cell("One-Time", "1 left");
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "noonce", "");
}

TEST(lists_that_are_none_are_refused_with_the_reason)
{
    serving();
    static const char *const bad[] = {"\n\n", "too short\n", CODE1 "\n" CODE1 "\n"};
    static char many[101 * 24 + 1];

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        expect(set_once(bad[i]), KLM_E_USAGE, KLM_MSG_CLIENT_ONCE, __FILE__, __LINE__);
    }
    for (int i = 0; i <= 100; i++) {
        snprintf(many + 23 * (size_t)i, 24, "one-time-password-%04d\n", i);
    }
    expect(set_once(many), KLM_E_USAGE, KLM_MSG_CLIENT_ONCE, __FILE__, __LINE__);
    many[100 * 23] = '\0'; /* a hundred */
    expect(set_once(many), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    check_cell("One-Time", "100 left");
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "noonce", "");
}

TEST(a_hashed_password_is_right_once_and_only_near_the_servers_clock)
{
    serving();
    struct km_call *call;

    again();
    WRONG(NULL, "correct horse", 0); /* none may come hashed */
    REFUSED(KLM_E_USAGE, KLM_MSG_CLIENT_HASHED, &house, KM_CLIENT_MODIFY, &admin, "name", "lib",
            "hashed", "", "user", "backup");
    REFUSED(KLM_E_USAGE, KLM_MSG_CLIENT_HASHED, &house, KM_CLIENT_MODIFY, &admin, "name", "lib",
            "hashed", "", "password", "correct horse");
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "hashed", "", "user", "backup", "password",
       "correct horse");
    check_cell("Hashed", "yes");
    call = show(NULL, "correct horse", 0);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(((struct km_client_prove *)call->req)->answer_n, 32);
    km_call_free(&call);
    WRONG(NULL, "correct horse", 0); /* the same again */
    WRONG(NULL, "correct horse", -1);
    again();
    WRONG(NULL, "correct horse", 0); /* over a restart */
    RIGHT(NULL, "correct horse", 1);
    WRONG(NULL, "correct horsf", 2);
    RIGHT(NULL, "correct horse", 2); /* a wrong one uses nothing up */
    WRONG(NULL, "correct horse", 301);
    RIGHT(NULL, "correct horse", 300);
    klm_clock_set(NOW + 601 * INT64_C(1000000));
    WRONG(NULL, "correct horse", 300);
    klm_clock_set(NOW);
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "password", "another horse");
    check_cell("Hashed", "no"); /* what is kept was made of the old one */
    WRONG(NULL, "correct horse", 299);
    CHECK_INT(events(&house, "client-prove", SMF_SUCCESS, NULL, "hashed password"), 4);
    CHECK_INT(events(&house, NULL, -1, NULL, "horse"), 0);
}

TEST(a_hash_that_is_not_kept_is_a_feature_that_is_not_there)
{
    serving();
    struct km_call *call;
    struct km_client_prove *req;

    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "hashed", "", "user", "backup", "password",
       "correct horse");
    call = new_call(&house, KM_CLIENT_PROVE, &client);
    req = call->req;
    req->hashed = klm_slice_str("anything");
    req->algorithm = KMIP_HashingAlgorithm_MD5;
    expect(run_it(call), KLM_E_UNSUPPORTED, KLM_MSG_CLIENT_HASH, __FILE__, __LINE__);
}

TEST(neither_is_found_by_trying)
{
    serving();
    again();
    expect(set_once(CODE1 "\n"), KLM_OK, KLM_MSG_NONE, __FILE__, __LINE__);
    for (int i = 0; i < 5; i++) {
        WRONG("one-time-password-wrong", NULL, 0);
    }
    expect(show(CODE1, NULL, 0), KLM_E_DENIED, KLM_MSG_CLIENT_TRIES, __FILE__, __LINE__);
}

static klm_rc kept_tokens(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)record;
    (void)damaged;
    *(size_t *)arg += key.n > 12 && memcmp(key.p, DT_HASHED_PREFIX, 12) == 0;
    return KLM_OK;
}

static size_t tokens(void)
{
    struct st_view *view = NULL;
    size_t n = 0;

    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(st_scan(view, ST_TOKEN, &(struct st_range){0}, kept_tokens, &n));
    st_view_close(&view);
    return n;
}

TEST(what_is_kept_goes_with_the_client)
{
    serving();
    struct dt_proof proof;
    struct st_view *view = NULL;

    CHECK_INT(tokens(), 1); /* those of before went with their passwords */
    DO(&house, KM_CLIENT_MODIFY, &admin, "name", "lib", "newname", "library");
    CHECK_INT(tokens(), 1);
    DO(&house, KM_CLIENT_DELETE, &admin, "name", "library");
    CHECK_INT(tokens(), 0);
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    CHECK_RC(dt_proof_get(view, "library", &proof), KLM_E_NOTFOUND);
    st_view_close(&view);
}

TEST(the_server_ends)
{
    serving();
    close_house(&house);
    klm_clock_set(0);
}
