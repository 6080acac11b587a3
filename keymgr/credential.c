/* Credentials that messages of clients carry, besides the certificate of their connection: user name and password, device serial number; one-time and hashed passwords are looked at in
 * clients_proof.c. A password costs a quarter
 * of a second to try, so that one that was right is remembered for some minutes, as a hash under a key of this process; and wrong ones are counted. */
#include "keymgr/clients.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 1024
#define LOCKS 16
#define KEPT_MS (10 * 60000u) /* a right password */
#define MINUTE_MS 60000u
#define WRONG_MOST 5 /* tries within a minute, then none are looked at */

struct place {
    char fingerprint[DT_FINGERPRINT_MAX];
    uint8_t hash[32]; /* of the right password, and what it was found right against */
    uint64_t until;   /* monotonic ms; 0: none is remembered */
    uint64_t wrong_since;
    unsigned wrong;
};
struct km_credentials {
    struct kr_keyed *keyed;
    uint32_t seed; /* of places: who may choose certificates cannot choose them for one place */
    pthread_mutex_t lock; /* guards place */
    pthread_mutex_t
        turn[LOCKS]; /* held while a password is tried: who waits for it finds it remembered */
    struct place place[PLACES];
};

klm_rc km_credentials_new(struct km_credentials **out)
{
    struct km_credentials *all = calloc(1, sizeof *all);
    klm_rc rc;

    if (!all) {
        return KLM_E_NOMEM;
    }
    rc = klm_random(&all->seed, sizeof all->seed);
    rc = rc == KLM_OK ? kr_keyed_new(&all->keyed) : rc;
    if (rc != KLM_OK) {
        free(all);
        return rc;
    }
    pthread_mutex_init(&all->lock, NULL);
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_init(&all->turn[i], NULL);
    }
    *out = all;
    return KLM_OK;
}

void km_credentials_free(struct km_credentials **all)
{
    if (!*all) {
        return;
    }
    kr_keyed_free(&(*all)->keyed);
    pthread_mutex_destroy(&(*all)->lock);
    for (size_t i = 0; i < LOCKS; i++) {
        pthread_mutex_destroy(&(*all)->turn[i]);
    }
    klm_wipe((*all)->place, sizeof(*all)->place);
    free(*all);
    *all = NULL;
}

/* ---- What is plain to see */

static klm_rc refuse(const struct dt_client *client, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_DENIED, KLM_MSG_CLIENT_CREDENTIAL, client->name, why);
}

static bool same(struct klm_slice shown, const char *registered)
{
    size_t n = strlen(registered);

    return shown.n == n && klm_secret_equal(shown.p, registered, n);
}

static klm_rc check_names(const struct dt_client *client, const struct km_credential *shown,
                          struct klm_diag *diag)
{
    if (shown->other) {
        return refuse(client, "it carries a credential of a type that is not kept here", diag);
    }
    if (shown->contradicts) {
        return refuse(client, "it carries credentials that contradict each other", diag);
    }
    if (client->device[0] && !same(shown->device, client->device)) {
        return refuse(client,
                      shown->device.p ? "it names another device serial number"
                                      : "it names no device serial number",
                      diag);
    }
    if (client->user[0] && !same(shown->user, client->user)) {
        return refuse(client, shown->user.p ? "it names another user" : "it names no user", diag);
    }
    if (client->has_password && !shown->password.p && !shown->hashed.p) {
        return refuse(client, "it gives no password", diag);
    }
    if (shown->hashed.p && !client->hashed[0]) {
        return refuse(client, "none of its passwords may come hashed", diag);
    }
    if (client->once != (shown->once.p != NULL)) {
        return refuse(client,
                      client->once ? "it gives no one-time password"
                                   : "it gives a one-time password, and was registered with none",
                      diag);
    }
    return KLM_OK;
}

/* ---- What is remembered */

static struct place *place_of(struct km_credentials *all, const char *fingerprint)
{
    uint32_t hash = 2166136261u ^ all->seed;

    for (const char *p = fingerprint; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    }
    return &all->place[hash % PLACES];
}

static klm_rc hash_of(const struct km_credentials *all, const struct dt_client *client,
                      struct klm_slice password, uint8_t out[32])
{
    const struct klm_slice parts[] = {klm_slice_str(client->fingerprint),
                                      KLM_SLICE(client->verifier, sizeof client->verifier),
                                      password};

    return kr_keyed_hash(all->keyed, parts, KLM_COUNT(parts), out);
}

/* Under the lock: the place, made this client's own when it was another's. */
static struct place *take_place(struct km_credentials *all, const char *fingerprint)
{
    struct place *place = place_of(all, fingerprint);

    if (strcmp(place->fingerprint, fingerprint) != 0) {
        *place = (struct place){0};
        memcpy(place->fingerprint, fingerprint, sizeof place->fingerprint);
    }
    return place;
}

/* Another thread that looked at the clock later may have begun the minute: it is not over then. */
static bool minute_over(const struct place *place, uint64_t now)
{
    return now > place->wrong_since && now - place->wrong_since >= MINUTE_MS;
}

static bool tried_too_often(const struct place *place, uint64_t now)
{
    return place->wrong >= WRONG_MOST && !minute_over(place, now);
}

static klm_rc too_many(const struct dt_client *client, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_DENIED, KLM_MSG_CLIENT_TRIES, client->name, KLM_NUM(WRONG_MOST));
}

/* Remembered as right: KLM_OK. Not known: KLM_E_AGAIN. */
static klm_rc recall(struct km_credentials *all, const struct dt_client *client,
                     const uint8_t hash[32], struct klm_diag *diag)
{
    uint64_t now = klm_clock_mono_ms();
    const struct place *place;
    klm_rc rc = KLM_E_AGAIN;

    pthread_mutex_lock(&all->lock);
    place = place_of(all, client->fingerprint);
    if (strcmp(place->fingerprint, client->fingerprint) == 0) {
        if (now < place->until && klm_secret_equal(place->hash, hash, 32)) {
            rc = KLM_OK;
        } else if (tried_too_often(place, now)) {
            rc = KLM_E_LIMIT;
        }
    }
    pthread_mutex_unlock(&all->lock);
    return rc == KLM_E_LIMIT ? too_many(client, diag) : rc;
}

static void remember(struct km_credentials *all, const struct dt_client *client,
                     const uint8_t hash[32])
{
    struct place *place;

    pthread_mutex_lock(&all->lock);
    place = take_place(all, client->fingerprint);
    memcpy(place->hash, hash, sizeof place->hash);
    place->until = klm_clock_mono_ms() + KEPT_MS;
    place->wrong = 0;
    pthread_mutex_unlock(&all->lock);
}

static void count_wrong(struct km_credentials *all, const struct dt_client *client)
{
    uint64_t now = klm_clock_mono_ms();
    struct place *place;

    pthread_mutex_lock(&all->lock);
    place = take_place(all, client->fingerprint);
    if (place->wrong == 0 || minute_over(place, now)) {
        place->wrong = 0;
        place->wrong_since = now;
    }
    place->wrong++;
    pthread_mutex_unlock(&all->lock);
}

klm_rc km_credential_may_try(struct km_server *server, const struct dt_client *client,
                             struct klm_diag *diag)
{
    struct km_credentials *all = server->credentials;
    const struct place *place;
    bool often;

    pthread_mutex_lock(&all->lock);
    place = place_of(all, client->fingerprint);
    often = strcmp(place->fingerprint, client->fingerprint) == 0 &&
            tried_too_often(place, klm_clock_mono_ms());
    pthread_mutex_unlock(&all->lock);
    return often ? too_many(client, diag) : KLM_OK;
}

void km_credential_wrong(struct km_server *server, const struct dt_client *client)
{
    count_wrong(server->credentials, client);
}

/* ---- The decision */

/* A client that came from another server brings no verifier (keymgr/clients_sync.c). */
static bool has_verifier(const struct dt_client *client)
{
    return client->verifier[0] != 0;
}

klm_rc km_client_credential_known(struct km_server *server, const struct dt_client *client,
                                  const struct km_credential *shown, struct klm_diag *diag)
{
    uint8_t hash[32];

    KLM_TRY(check_names(client, shown, diag));
    if (!client->has_password || !shown->password.p) { /* none asked for, or it comes hashed */
        return KLM_OK;
    }
    if (!has_verifier(client)) {
        return refuse(client, "its password was not set at this server", diag);
    }
    if (shown->password.n > KR_VERIFIER_MOST) {
        return refuse(client, "its password is another one", diag);
    }
    KLM_TRY(hash_of(server->credentials, client, shown->password, hash));
    return recall(server->credentials, client, hash, diag);
}

static klm_rc try_password(struct km_credentials *all, const struct dt_client *client,
                           struct klm_slice password, struct klm_diag *diag)
{
    uint8_t hash[32];
    klm_rc rc;

    KLM_TRY(hash_of(all, client, password, hash));
    rc = recall(all, client, hash, diag); /* somebody may just have tried it */
    if (rc != KLM_E_AGAIN) {
        return rc;
    }
    rc = kr_verifier_try(client->verifier, password);
    if (rc == KLM_E_WRONGKEY) {
        count_wrong(all, client);
        return refuse(client, "its password is another one", diag);
    }
    if (rc != KLM_OK) {
        return refuse(client, klm_rc_text(rc), diag);
    }
    remember(all, client, hash);
    return KLM_OK;
}

klm_rc km_client_credential(struct km_server *server, const struct dt_client *client,
                            const struct km_credential *shown, struct klm_diag *diag)
{
    struct km_credentials *all = server->credentials;
    pthread_mutex_t *turn;
    klm_rc rc = km_client_credential_known(server, client, shown, diag);

    if (rc != KLM_E_AGAIN) {
        return rc;
    }
    turn = &all->turn[(size_t)(place_of(all, client->fingerprint) - all->place) % LOCKS];
    pthread_mutex_lock(turn);
    rc = try_password(all, client, shown->password, diag);
    pthread_mutex_unlock(turn);
    return rc;
}
