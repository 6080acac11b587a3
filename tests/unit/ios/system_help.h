/* Storage systems of tests: a state with all that can stand in one, and key servers that are a piece of memory. */
#ifndef TESTS_UNIT_IOS_SYSTEM_HELP_H
#define TESTS_UNIT_IOS_SYSTEM_HELP_H

#include "test.h"

#include "base/file.h"
#include "ios/system.h"
#include "kmip/registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SERIAL "SY0123456789"

/* A state without key servers. */
static inline struct ios_system_state plain_state(void)
{
    return (struct ios_system_state){.change = 1, .serial = SERIAL, .name = "SVC_1"};
}

static inline struct ios_keyserver server_at(const char *name, const char *host, uint16_t port)
{
    struct ios_keyserver server = {.port = port};

    snprintf(server.name, sizeof server.name, "%s", name);
    snprintf(server.host, sizeof server.host, "%s", host);
    return server;
}

/* ---- Key servers in memory that children share: keys with Name, State and links. */
#define FAKE_KEYS 64
struct fake_server {
    bool down, strict; /* strict: nothing is destroyed */
    bool other;        /* it gives another key than it made */
    unsigned n, asked, made;
    struct fake_key {
        char uid[IOS_KEY_UID + 1], name[IOS_KEY_NAME + 1];
        uint8_t key[32];
        uint32_t state;
        char replaced[IOS_KEY_UID + 1], replacement[IOS_KEY_UID + 1];
    } key[FAKE_KEYS];
};

static struct fake_server *fakes; /* by port - 1 */

static inline void fakes_begin(void)
{
    if (!fakes) {
        fakes = mmap(NULL, IOS_KEYSERVERS * sizeof *fakes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        REQUIRE(fakes != MAP_FAILED);
    }
    memset(fakes, 0, IOS_KEYSERVERS * sizeof *fakes);
}

/* All keys of one are those of another, as a copy makes it. */
static inline void fakes_copy(unsigned from, unsigned to)
{
    fakes[to].n = fakes[from].n;
    memcpy(fakes[to].key, fakes[from].key, sizeof fakes[to].key);
}

static inline klm_rc fake_fail(const struct ios_keyserver *server, klm_rc rc, const char *why,
                               struct klm_diag *diag)
{
    return klm_fail(diag, rc, KLM_MSG_KEYSERVER_FAILED, server->name, server->host,
                    KLM_NUM(server->port), why);
}

static inline klm_rc fake_at(const struct ios_keyserver *server, struct klm_diag *diag,
                             struct fake_server **out)
{
    struct fake_server *fake = &fakes[(server->port - 1) % IOS_KEYSERVERS];

    fake->asked++;
    *out = fake;
    return fake->down ? fake_fail(server, KLM_E_IO, "it is down", diag) : KLM_OK;
}

static inline klm_rc fake_key(const struct ios_keyserver *server, const char *uid,
                              struct klm_diag *diag, struct fake_key **out)
{
    struct fake_server *fake;

    KLM_TRY(fake_at(server, diag, &fake));
    for (unsigned i = 0; i < fake->n; i++) {
        if (strcmp(fake->key[i].uid, uid) == 0) {
            *out = &fake->key[i];
            return KLM_OK;
        }
    }
    return fake_fail(server, KLM_E_NOTFOUND, "no such key", diag);
}

static inline klm_rc fake_find(void *arg, const struct ios_keyserver *server, const char *name,
                               char uid[IOS_KEY_UID + 1], struct klm_diag *diag)
{
    struct fake_server *fake;

    (void)arg;
    KLM_TRY(fake_at(server, diag, &fake));
    for (unsigned i = 0; i < fake->n; i++) {
        if (strcmp(fake->key[i].name, name) == 0 && fake->key[i].state != KMIP_State_Destroyed) {
            memcpy(uid, fake->key[i].uid, IOS_KEY_UID + 1);
            return KLM_OK;
        }
    }
    return fake_fail(server, KLM_E_NOTFOUND, "no such name", diag);
}

static inline klm_rc fake_make(void *arg, const struct ios_keyserver *server, const char *name,
                               const char *serial, char uid[IOS_KEY_UID + 1], struct klm_diag *diag)
{
    struct fake_server *fake;
    struct fake_key *key;

    (void)arg;
    CHECK_STR(serial, SERIAL);
    KLM_TRY(fake_at(server, diag, &fake));
    REQUIRE(fake->n < FAKE_KEYS);
    key = &fake->key[fake->n];
    *key = (struct fake_key){.state = KMIP_State_PreActive};
    snprintf(key->uid, sizeof key->uid, "key-%u-of-%u", ++fake->made, (unsigned)server->port);
    snprintf(key->name, sizeof key->name, "%s", name);
    memset(key->key, (int)fake->made, sizeof key->key);
    fake->n++;
    memcpy(uid, key->uid, sizeof key->uid);
    return KLM_OK;
}

static inline klm_rc fake_get(void *arg, const struct ios_keyserver *server, const char *uid,
                              uint8_t out[IOS_SUBKEY], struct klm_diag *diag)
{
    struct fake_key *key = NULL;

    (void)arg;
    KLM_TRY(fake_key(server, uid, diag, &key));
    if (key->state == KMIP_State_Destroyed) {
        return fake_fail(server, KLM_E_DENIED, "destroyed", diag);
    }
    memcpy(out, key->key, sizeof key->key);
    out[0] ^= fakes[(server->port - 1) % IOS_KEYSERVERS].other;
    return KLM_OK;
}

static inline klm_rc fake_look(void *arg, const struct ios_keyserver *server, const char *uid,
                               struct ios_key_look *out, struct klm_diag *diag)
{
    struct fake_key *key = NULL;

    (void)arg;
    KLM_TRY(fake_key(server, uid, diag, &key));
    *out = (struct ios_key_look){.state = key->state};
    memcpy(out->replaced, key->replaced, sizeof key->replaced);
    memcpy(out->replacement, key->replacement, sizeof key->replacement);
    return KLM_OK;
}

/* As strict as a key server: what is so already is refused. */
static inline klm_rc fake_turn(void *arg, const struct ios_keyserver *server,
                               const struct ios_key_turn *turn, struct klm_diag *diag)
{
    struct fake_key *to = NULL, *from = NULL;

    (void)arg;
    if (turn->new_uid) {
        KLM_TRY(fake_key(server, turn->new_uid, diag, &to));
    }
    if (turn->old_uid) {
        KLM_TRY(fake_key(server, turn->old_uid, diag, &from));
    }
    if ((turn->activate && to->state != KMIP_State_PreActive) ||
        (turn->revoke && from->state != KMIP_State_Active) || (turn->link_new && to->replaced[0]) ||
        (turn->link_old && from->replacement[0])) {
        return fake_fail(server, KLM_E_DENIED, "it is so already", diag);
    }
    if (turn->activate) {
        to->state = KMIP_State_Active;
    }
    if (turn->link_new) {
        snprintf(to->replaced, sizeof to->replaced, "%s", from->uid);
    }
    if (turn->link_old) {
        snprintf(from->replacement, sizeof from->replacement, "%s", to->uid);
    }
    if (turn->revoke) {
        from->state = KMIP_State_Deactivated;
    }
    return KLM_OK;
}

static inline klm_rc fake_destroy(void *arg, const struct ios_keyserver *server, const char *uid,
                                  struct klm_diag *diag)
{
    struct fake_key *key = NULL;

    (void)arg;
    KLM_TRY(fake_key(server, uid, diag, &key));
    if (fakes[(server->port - 1) % IOS_KEYSERVERS].strict) {
        return fake_fail(server, KLM_E_DENIED, "not allowed", diag);
    }
    key->state = KMIP_State_Destroyed;
    return KLM_OK;
}

static const struct ios_keys_ops fake_ops = {NULL,      fake_find, fake_make,   fake_get,
                                             fake_look, fake_turn, fake_destroy};

/* ---- A folder with a state */

static inline void put_state(const char *dir, const struct ios_system_state *state)
{
    struct klm_buf buf;
    char path[4200];

    klm_buf_init(&buf, IOS_SYSTEM_STATE_MAX);
    REQUIRE_OK(klm_folder_make(dir, 0700, NULL));
    REQUIRE_OK(ios_system_encode(state, &buf));
    snprintf(path, sizeof path, "%s/system.state", dir);
    REQUIRE_OK(klm_file_replace(path, klm_buf_as_slice(&buf), 0600, NULL));
    klm_buf_done(&buf);
}

static inline struct ios_system_state get_state(const char *dir)
{
    struct ios_system_state state;

    REQUIRE_OK(ios_system_load(dir, NULL, &state));
    return state;
}

/* With so many key servers, whose ports are 1, 2 and so on. */
static inline void put_system(const char *dir, unsigned servers)
{
    struct ios_system_state state = plain_state();

    for (unsigned i = 0; i < servers; i++) {
        char name[8];
        struct ios_keyserver server;

        snprintf(name, sizeof name, "keys%u", i);
        server = server_at(name, "localhost", (uint16_t)(i + 1));
        REQUIRE_OK(ios_keyserver_add(&state, &server, false, NULL));
    }
    put_state(dir, &state);
}

#endif
