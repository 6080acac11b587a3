/* A KMIP message as a tree of items. All of it lives in one pool, wiping where keys may be in it; the three decoders make such
 * trees, the three encoders read them, and everything in between sees nothing else. */
#ifndef KMIP_CODEC_NODE_H
#define KMIP_CODEC_NODE_H

#include "kmip/registry/registry.h"

#include "base/clock.h"
#include "base/pool.h"

struct kmip_node {
    uint32_t tag; /* any 3-byte number: a specification's or an extension */
    enum kmip_type type;
    union {
        int64_t
            number; /* Integer, Long Integer, Boolean (0, 1), Interval and Enumeration (0 to 2^32-1); Date-Time in
                                 * seconds, Date-Time Extended in microseconds since 1970 */
        struct klm_slice
            bytes; /* Text String (UTF-8), Byte String, Big Integer (two's complement, big-endian) */
        struct {
            struct kmip_node *first, *last; /* items of a Structure, in order */
        };
    };
    struct kmip_node *next; /* in the same Structure */
};

/* What a decoder takes of a stranger. Zero in a field: the default. */
struct kmip_limits {
    size_t bytes;   /* of the whole message: KMIP_BYTES_MAX */
    unsigned depth; /* Structures in each other: KMIP_DEPTH_MAX */
    unsigned items; /* in all: KMIP_ITEMS_MAX */
};
#define KMIP_BYTES_MAX (1u << 20)
#define KMIP_DEPTH_MAX 32
#define KMIP_ITEMS_MAX 65536
/* The limits with the defaults filled in; limits may be NULL. */
struct kmip_limits kmip_limits_of(const struct kmip_limits *limits);

/* Makes an item and, when parent is not NULL, puts it at the end of that Structure. NULL when the pool ran out, or parent is: a run
 * of puts needs one check at its end (kmip_put_*(pool, NULL, ...) is NULL too for all but the first). Bytes are borrowed. */
struct kmip_node *kmip_structure(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag);
/* A Structure that is no part of another yet. */
struct kmip_node *kmip_root(struct klm_pool *pool, uint32_t tag);
struct kmip_node *kmip_put_number(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                                  enum kmip_type type, int64_t number);
struct kmip_node *kmip_put_bytes(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                                 enum kmip_type type, struct klm_slice bytes);
/* An item of any type without a value, at the end of parent (NULL: of nothing): for decoders. NULL when the pool ran out. */
struct kmip_node *kmip_item(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                            enum kmip_type type);

/* Puts an item that is in no Structure at the end of one. NULL of either: nothing. */
void kmip_append(struct kmip_node *parent, struct kmip_node *child);

/* Can it be a tag? The first byte is 42, or 54 for extensions (KMIP 1.4, 9.1.1.1). */
bool kmip_tag_ok(uint32_t tag);

/* The first item of a Structure with the tag; NULL when there is none, or parent is NULL or no Structure. */
const struct kmip_node *kmip_child(const struct kmip_node *parent, uint32_t tag);
/* The next one with the same tag, or NULL. */
const struct kmip_node *kmip_next(const struct kmip_node *node);
/* Are two trees the same: tags, types, values and order? For tests and caches; not for secrets. */
bool kmip_equal(const struct kmip_node *a, const struct kmip_node *b);

/* Which set of values an Enumeration or a mask of this item has. In 1.x an Attribute Value has that of the attribute that its neighbour
 * Attribute Name names; parent is the Structure around it, or NULL. KMIP_E_NONE when there is none. */
enum kmip_enum kmip_values_of(const struct kmip_node *node, const struct kmip_node *parent);

/* The version of a message by its header (KMIP 2.1, 8.9: Protocol Version), KMIP_V(major, minor). KLM_E_INVALID: not a message, or
 * without one; numbers beyond 15 are too. */
klm_rc kmip_version_of(const struct kmip_node *message, int *version) KLM_MUST_USE;

#endif
