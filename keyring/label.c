/* Finding labels in an open ring: by label, by hash of the public key, for a TLS server; and
 * whether a stranger chains to it. */
#include "keyring/open.h"

#include <string.h>

/* FNV-1a: names come from administrators, nobody gains by making them collide. */
static size_t text_hash(const char *s)
{
    uint64_t hash = 14695981039346656037u;

    for (; *s; s++) {
        hash = (hash ^ (uint8_t)*s) * 1099511628211u;
    }
    return (size_t)(hash ^ hash >> 32);
}

static size_t spki_slot(const uint8_t spki_hash[32])
{
    size_t slot;

    memcpy(&slot, spki_hash, sizeof slot);
    return slot;
}

static bool better(const struct kr_label *now, const struct kr_label *than)
{
    return now->key && !than->key;
}

static void put_label(struct kr_open_ring *ring, uint32_t place)
{
    const struct kr_label *label = &ring->labels[place];
    size_t slot = text_hash(label->label) & ring->mask;

    while (ring->by_label[slot] &&
           strcmp(ring->labels[ring->by_label[slot] - 1].label, label->label) != 0) {
        slot = (slot + 1) & ring->mask;
    }
    if (!ring->by_label[slot] || better(label, &ring->labels[ring->by_label[slot] - 1])) {
        ring->by_label[slot] = place + 1;
    }
}

static void put_hash(struct kr_open_ring *ring, uint32_t place)
{
    const struct kr_label *label = &ring->labels[place];
    size_t slot = spki_slot(label->spki_hash) & ring->mask;

    while (ring->by_hash[slot] &&
           memcmp(ring->labels[ring->by_hash[slot] - 1].spki_hash, label->spki_hash, 32) != 0) {
        slot = (slot + 1) & ring->mask;
    }
    if (!ring->by_hash[slot] || better(label, &ring->labels[ring->by_hash[slot] - 1])) {
        ring->by_hash[slot] = place + 1;
    }
}

klm_rc kr_index_build(struct kr_open_ring *ring)
{
    size_t slots = 8;

    while (slots < 2 * ring->n) {
        slots *= 2;
    }
    ring->mask = slots - 1;
    ring->by_label = klm_pool_alloc(ring->pool, slots * sizeof *ring->by_label);
    ring->by_hash = klm_pool_alloc(ring->pool, slots * sizeof *ring->by_hash);
    if (!ring->by_label || !ring->by_hash) {
        return KLM_E_NOMEM;
    }
    for (uint32_t i = 0; i < ring->n; i++) {
        put_label(ring, i);
        put_hash(ring, i);
    }
    return KLM_OK;
}

size_t kr_open_ring_count(const struct kr_open_ring *ring)
{
    return ring->n;
}

const struct kr_label *kr_open_ring_at(const struct kr_open_ring *ring, size_t i)
{
    return i < ring->n ? &ring->labels[i] : NULL;
}

klm_rc kr_label_find(const struct kr_open_ring *ring, const char *label,
                     const struct kr_label **out)
{
    for (size_t slot = text_hash(label) & ring->mask; ring->by_label[slot];
         slot = (slot + 1) & ring->mask) {
        const struct kr_label *found = &ring->labels[ring->by_label[slot] - 1];

        if (strcmp(found->label, label) == 0) {
            *out = found;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

klm_rc kr_label_find_hash(const struct kr_open_ring *ring, const uint8_t spki_hash[32],
                          const struct kr_label **out)
{
    for (size_t slot = spki_slot(spki_hash) & ring->mask; ring->by_hash[slot];
         slot = (slot + 1) & ring->mask) {
        const struct kr_label *found = &ring->labels[ring->by_hash[slot] - 1];

        if (memcmp(found->spki_hash, spki_hash, 32) == 0) {
            *out = found;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

static bool says_server(const struct kr_label *label)
{
    return (X509_get_extension_flags(label->x509) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(label->x509) & XKU_SSL_SERVER);
}

/* How well a label suits a TLS server; 0: not at all. */
static int server_rank(const struct kr_label *label)
{
    if (!label->key || kr_key_in_token(label->key)) { /* TLS needs the key itself */
        return 0;
    }
    if (label->deflt) {
        return 3;
    }
    if (strcmp(label->usage, "PERSONAL") != 0) {
        return 0;
    }
    return says_server(label) ? 2 : 1;
}

klm_rc kr_label_server(const struct kr_open_ring *ring, const struct kr_label **out)
{
    const struct kr_label *best = NULL;
    int best_rank = 0;

    for (size_t i = 0; i < ring->n; i++) {
        int rank = server_rank(&ring->labels[i]);

        if (rank > best_rank) {
            best = &ring->labels[i];
            best_rank = rank;
        }
    }
    if (!best) {
        return KLM_E_NOTFOUND;
    }
    *out = best;
    return KLM_OK;
}
