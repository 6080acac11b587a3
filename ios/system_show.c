/* Lists of a storage system. */
#include "ios/system_show.h"

#include "kmip/registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static klm_rc begin(struct ios_table *out, const char *const *headings, size_t n)
{
    out->columns = n;
    return ios_table_add(out, headings);
}
#define BEGIN(out, headings) begin((out), (headings), KLM_COUNT(headings))

/* ---- Key servers */

static klm_rc one_keyserver(const struct ios_system_state *state,
                            const struct ios_keyserver *server, const struct ios_keys_ops *ops,
                            struct ios_table *out)
{
    struct klm_diag why = {0};
    const bool online = ios_keyserver_check(state, server, ops, &why) == KLM_OK;
    char id[4], port[8];

    snprintf(id, sizeof id, "%u", (unsigned)server->id);
    snprintf(port, sizeof port, "%u", (unsigned)server->port);
    return ios_table_add(out, (const char *[]){id, server->name, online ? "online" : "offline",
                                               server->id == state->primary ? "yes" : "no",
                                               server->host, port, online ? "" : why.text});
}

klm_rc ios_show_keyservers(const struct ios_system_state *state, const struct ios_keyserver *only,
                           const struct ios_keys_ops *ops, struct ios_table *out)
{
    static const char *const headings[] = {"id",         "name", "status", "primary",
                                           "IP_address", "port", "error"};

    KLM_TRY(BEGIN(out, headings));
    for (size_t i = 0; i < state->servers_n; i++) {
        if (!only || only == &state->server[i]) {
            KLM_TRY(one_keyserver(state, &state->server[i], ops, out));
        }
    }
    return KLM_OK;
}

/* ---- Encryption */

klm_rc ios_show_encryption(const struct ios_system_state *state, struct ios_table *out)
{
    static const char *const headings[] = {"status", "keyserver_status", "keyserver_rekey",
                                           "keyserver_pmk_uid", "keyserver_pmk_rekey_uid"};
    const struct ios_system_key *current = ios_system_key(state, IOS_KEY_CURRENT);
    const struct ios_system_key *prepared = ios_system_key(state, IOS_KEY_PREPARED);
    const char *status = state->enabled ? "enabled" : "licensed";

    KLM_TRY(BEGIN(out, headings));
    return ios_table_add(out, (const char *[]){status, status, ios_rekey_name(state),
                                               current ? current->uid : "",
                                               prepared ? prepared->uid : ""});
}

/* ---- Keys */

struct counting {
    const struct ios_system_state *state;
    unsigned n[IOS_SYSTEM_KEYS];
};

static klm_rc count_volume(void *arg, const struct ios_system_volume *volume)
{
    struct counting *counting = arg;
    const struct ios_system_key *key = ios_system_key_number(counting->state, volume->number);

    if (key) {
        counting->n[key - counting->state->key]++;
    }
    return KLM_OK;
}

/* What the primary says of a key; a key server that does not answer is not asked again. */
static void ask_primary(const struct ios_system_state *state, const struct ios_system_key *key,
                        const struct ios_keys_ops *ops, bool *answers, struct ios_key_look *look,
                        const char **words)
{
    const struct ios_keyserver *primary = ios_keyserver_primary(state);
    struct klm_diag why = {0};
    klm_rc rc = KLM_E_STATE;

    *look = (struct ios_key_look){0};
    *words = "";
    if (!primary || !*answers) {
        return;
    }
    rc = ops->look(ops->arg, primary, key->uid, look, &why);
    if (rc == KLM_OK) {
        const char *name = kmip_value_name(KMIP_E_State, look->state);

        *words = name ? name : "?";
    } else if (rc == KLM_E_NOTFOUND || rc == KLM_E_DENIED) {
        *words = "absent";
    } else {
        klm_say_diag(&why);
        *answers = false;
    }
}

static klm_rc one_key(const struct ios_system_state *state, const struct ios_system_key *key,
                      unsigned volumes, const struct ios_keys_ops *ops, bool *answers,
                      struct ios_table *out)
{
    char number[8], count[12], made[KLM_ISO_DATE_MAX];
    struct ios_key_look look;
    const char *words;

    snprintf(number, sizeof number, "%u", (unsigned)key->number);
    snprintf(count, sizeof count, "%u", volumes);
    klm_iso_date(key->made, made);
    ask_primary(state, key, ops, answers, &look, &words);
    return ios_table_add(out, (const char *[]){number, ios_key_place_name(key->place), made, count,
                                               key->uid, words, look.replaced, look.replacement});
}

klm_rc ios_show_keys(const char *dir, const struct ios_system_state *state,
                     const struct ios_keys_ops *ops, struct klm_diag *diag, struct ios_table *out)
{
    static const char *const headings[] = {"number", "state",        "made",     "volumes",
                                           "uid",    "server_state", "replaced", "replacement"};
    struct counting counting = {.state = state};
    bool answers = true;

    KLM_TRY(ios_system_volumes(dir, diag, count_volume, &counting));
    KLM_TRY(BEGIN(out, headings));
    for (size_t i = 0; i < state->keys_n; i++) {
        KLM_TRY(one_key(state, &state->key[i], counting.n[i], ops, &answers, out));
    }
    return KLM_OK;
}

/* ---- Volumes */

struct listing {
    const struct ios_system_state *state;
    struct ios_table *out;
};

static klm_rc one_volume(void *arg, const struct ios_system_volume *volume)
{
    const struct listing *listing = arg;
    const struct ios_system_key *key = ios_system_key_number(listing->state, volume->number);
    char number[12] = "?", written[KLM_ISO_DATE_MAX] = "", size[24];

    if (volume->number) {
        snprintf(number, sizeof number, "%u", (unsigned)volume->number);
        klm_iso_date(volume->written, written);
    }
    snprintf(size, sizeof size, "%" PRIu64, volume->size);
    return ios_table_add(listing->out,
                         (const char *[]){volume->name, number,
                                          key ? ios_key_place_name(key->place) : "unknown", written,
                                          size});
}

klm_rc ios_show_system_volumes(const char *dir, const struct ios_system_state *state,
                               struct klm_diag *diag, struct ios_table *out)
{
    static const char *const headings[] = {"name", "key", "key_state", "written", "bytes_on_disk"};
    struct listing listing = {state, out};

    KLM_TRY(BEGIN(out, headings));
    return ios_system_volumes(dir, diag, one_volume, &listing);
}
