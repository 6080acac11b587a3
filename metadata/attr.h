/* Attributes of a managed object, as KMIP 2.x has them: an item of the attribute's tag, whatever the version of the client. A vendor's
 * attribute is the structure Attribute (Vendor Identification, Attribute Name, Attribute Value; KMIP 2.1, 4.60); the custom attribute
 * "x-ID" of 1.x is vendor "x", name "ID". Attributes that only 1.x has (Operation Policy Name) keep their own tags. The idea: values
 * stay item trees, so that all sixty attributes are one piece of code and what they mean stands in kmip/registry. */
#ifndef METADATA_ATTR_H
#define METADATA_ATTR_H

#include "base/buf.h"
#include "kmip/codec/node.h"

struct md_attr {
    uint32_t tag;                  /* KMIP_TAG_Attribute: a vendor's */
    int64_t index;                 /* of 1.x (1.4, 2.1.1): stays while the instance lives */
    const struct kmip_node *value; /* item of that tag, in the list's pool */
};
struct md_attrs {
    struct klm_pool *pool;
    struct md_attr *at; /* in the order they were added; moves when the list grows or shrinks */
    size_t n, cap;
};
#define MD_ATTRS_MAX 1000

/* An empty list whose values live in the pool. */
void md_attrs_init(struct md_attrs *attrs, struct klm_pool *pool);
/* Add an instance, its value copied, with the lowest index above those of its attribute (0 for the first). KLM_E_LIMIT beyond
 * MD_ATTRS_MAX; KLM_E_NOMEM, also for a value of NULL, so that a node just made can be handed on unseen; here and below. */
klm_rc md_attr_add(struct md_attrs *attrs, const struct kmip_node *value) KLM_MUST_USE;
/* The only instance: replaced in place (the first, if there are more) where it is there, else added. */
klm_rc md_attr_set(struct md_attrs *attrs, const struct kmip_node *value) KLM_MUST_USE;
/* The same for a plain value (type from the registry's row of the tag) and for text. KLM_E_INVALID: values of the tag are no numbers of that
 * size, or no texts, or the text is not UTF-8. */
klm_rc md_attr_set_number(struct md_attrs *attrs, uint32_t tag, int64_t number) KLM_MUST_USE;
klm_rc md_attr_set_text(struct md_attrs *attrs, uint32_t tag, const char *text) KLM_MUST_USE;
/* Replace the value of an instance, which keeps its index. */
klm_rc md_attr_replace(struct md_attrs *attrs, struct md_attr *attr, const struct kmip_node *value)
    KLM_MUST_USE;
/* Take out one instance of the list, or all of a tag (vendors' attributes have one tag: all of them). The others keep their indexes. */
void md_attr_remove(struct md_attrs *attrs, const struct md_attr *attr);
void md_attr_remove_all(struct md_attrs *attrs, uint32_t tag);
/* First instance with the tag, and the next after one; NULL. */
struct md_attr *md_attr_find(const struct md_attrs *attrs, uint32_t tag);
struct md_attr *md_attr_next(const struct md_attrs *attrs, const struct md_attr *attr);
/* Instance of the same attribute (tag; of a vendor's, vendor and name too) as a value; NULL. The first, the next, the one with an
 * index, or the one with the same value. */
struct md_attr *md_attr_like(const struct md_attrs *attrs, const struct kmip_node *value);
struct md_attr *md_attr_next_like(const struct md_attrs *attrs, const struct md_attr *attr);
struct md_attr *md_attr_indexed(const struct md_attrs *attrs, const struct kmip_node *value,
                                int64_t index);
struct md_attr *md_attr_equal(const struct md_attrs *attrs, const struct kmip_node *value);
/* The number of the first instance, or otherwise when there is none or it is no number. */
int64_t md_attr_number(const struct md_attrs *attrs, uint32_t tag, int64_t otherwise);
/* Are two values instances of the same attribute? */
bool md_attr_same(const struct kmip_node *a, const struct kmip_node *b);
/* A vendor's attribute made of vendor, name and value, all copied. KLM_E_INVALID: value is no item of tag Attribute Value. */
klm_rc md_vendor_attr(struct klm_pool *pool, struct klm_slice vendor, struct klm_slice name,
                      const struct kmip_node *value, struct kmip_node **out) KLM_MUST_USE;
/* A copy of a list with its indexes, or of an item with all in it (not what follows it), in a pool. */
klm_rc md_attrs_copy(const struct md_attrs *from, struct klm_pool *pool, struct md_attrs *to)
    KLM_MUST_USE;
klm_rc md_item_copy(const struct kmip_node *from, struct klm_pool *pool, struct kmip_node **to)
    KLM_MUST_USE;

#endif
