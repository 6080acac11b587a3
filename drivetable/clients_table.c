/* The snapshot of clients: a trie by fingerprint, and one of the device groups by name. */
#include "drivetable/clients.h"

#include "drivetable/trie.h"

#include <stdatomic.h>
#include <stdlib.h>

struct dt_clients {
    atomic_uint refs;
    size_t count;          /* also of clients without a certificate, which are not in the trie */
    struct dt_trie trie;   /* of struct dt_client */
    struct dt_trie groups; /* of struct dt_device_group */
};

static klm_rc clients_new(const struct dt_clients *like, struct dt_clients **out)
{
    struct dt_clients *clients = calloc(1, sizeof *clients);

    if (!clients) {
        return KLM_E_NOMEM;
    }
    atomic_init(&clients->refs, 1);
    if (like) {
        clients->count = like->count;
        dt_trie_share(&like->trie, &clients->trie);
        dt_trie_share(&like->groups, &clients->groups);
    }
    *out = clients;
    return KLM_OK;
}

static klm_rc put(struct dt_clients *clients, const struct dt_client *client)
{
    struct dt_client without = *client;

    clients->count++;
    if (!client->fingerprint[0]) {
        return KLM_OK;
    }
    without.cert = (struct klm_slice){0};
    return dt_trie_put(&clients->trie, &without, sizeof without);
}

static klm_rc put_visit(void *arg, const struct dt_client *client)
{
    return put(arg, client);
}

static klm_rc group_visit(void *arg, const struct dt_device_group *group)
{
    struct dt_clients *clients = arg;

    return dt_trie_put(&clients->groups, group, sizeof *group);
}

/* How many there may be is decided where one is added: what the store has is served. */
klm_rc dt_clients_load(struct st_view *view, struct dt_clients **out)
{
    KLM_AUTO(dt_clients_free) struct dt_clients *clients = NULL;

    KLM_TRY(clients_new(NULL, &clients));
    KLM_TRY(dt_client_scan(view, put_visit, clients));
    KLM_TRY(dt_device_group_scan(view, group_visit, clients));
    *out = clients;
    clients = NULL;
    return KLM_OK;
}

struct dt_clients *dt_clients_ref(struct dt_clients *clients)
{
    atomic_fetch_add_explicit(&clients->refs, 1, memory_order_relaxed);
    return clients;
}

void dt_clients_free(struct dt_clients **clients)
{
    if (*clients && atomic_fetch_sub_explicit(&(*clients)->refs, 1, memory_order_acq_rel) == 1) {
        dt_trie_drop(&(*clients)->trie);
        dt_trie_drop(&(*clients)->groups);
        free(*clients);
    }
    *clients = NULL;
}

const struct dt_client *dt_clients_find(const struct dt_clients *clients, const char *fingerprint)
{
    return dt_trie_find(&clients->trie, fingerprint);
}

const struct dt_device_group *dt_clients_group(const struct dt_clients *clients, const char *name)
{
    return dt_trie_find(&clients->groups, name);
}

size_t dt_clients_count(const struct dt_clients *clients)
{
    return clients->count;
}

size_t dt_clients_groups(const struct dt_clients *clients)
{
    return clients->groups.count;
}

klm_rc dt_clients_with(const struct dt_clients *clients, const struct dt_client *before,
                       const struct dt_client *after, struct dt_clients **out)
{
    KLM_AUTO(dt_clients_free) struct dt_clients *new = NULL;

    KLM_TRY(clients_new(clients, &new));
    if (before) {
        if (new->count-- == 0) {
            return KLM_E_NOTFOUND;
        }
        if (before->fingerprint[0]) {
            KLM_TRY(dt_trie_remove(&new->trie, before->fingerprint));
        }
    }
    if (after) {
        KLM_TRY(put(new, after));
    }
    *out = new;
    new = NULL;
    return KLM_OK;
}

klm_rc dt_clients_with_group(const struct dt_clients *clients, const char *before,
                             const struct dt_device_group *after, struct dt_clients **out)
{
    KLM_AUTO(dt_clients_free) struct dt_clients *new = NULL;

    KLM_TRY(clients_new(clients, &new));
    if (before) {
        KLM_TRY(dt_trie_remove(&new->groups, before));
    }
    if (after) {
        KLM_TRY(dt_trie_put(&new->groups, after, sizeof *after));
    }
    *out = new;
    new = NULL;
    return KLM_OK;
}
