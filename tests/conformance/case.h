/* A test case in XML: requests, and the answers they should get. Where a value is not known beforehand the file has a variable, $NOW-3600 or
 * $UNIQUE_IDENTIFIER_0; in the tree it stands as a value of the item's own type: a string that is the variable's name, or a date far beyond all
 * calendars. So a message of a case is a tree like any other. */
#ifndef TESTS_CONFORMANCE_CASE_H
#define TESTS_CONFORMANCE_CASE_H

#include "kmip/codec/node.h"

#define CF_NAME_MAX 64
#define CF_WHY_MAX 512
#define CF_PAIRS_MAX 1024

struct cf_pair {
    struct kmip_node *request, *expected;
};
struct cf_case {
    char name[CF_NAME_MAX]; /* of the file, without .xml */
    const char *path;
    int version; /* of its first request */
    struct cf_pair *pairs;
    size_t n;
};

/* Read a file into the pool. A request is answered by the first answer behind it that no earlier request has. KLM_E_INVALID: it is no test case; why says so in words. */
klm_rc cf_case_read(const char *path, struct klm_pool *pool, struct cf_case *out,
                    char why[CF_WHY_MAX]) KLM_MUST_USE;
/* The same from bytes, with the name that the case is to have. */
klm_rc cf_case_parse(struct klm_slice in, const char *name, struct klm_pool *pool,
                     struct cf_case *out, char why[CF_WHY_MAX]) KLM_MUST_USE;
/* The name of a file without folder and ".xml". */
void cf_case_name(const char *path, char out[CF_NAME_MAX]);

/* Is the item's value a variable that a message gives a value to? Its name, with the $. */
bool cf_variable(const struct kmip_node *node, struct klm_slice *name);
/* Is it a date that is so many seconds from the moment the case is played? */
bool cf_moment(const struct kmip_node *node, int64_t *seconds);

/* The attribute that a value belongs to: in 1.x that of the neighbour Attribute Name (0: a vendor's own), else the item's own tag. parent may be NULL. */
uint32_t cf_meaning(const struct kmip_node *node, const struct kmip_node *parent);
/* The first item of a tree with the tag, the root included; NULL. */
const struct kmip_node *cf_find(const struct kmip_node *node, uint32_t tag);

#endif
