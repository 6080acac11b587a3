/* What is known in the middle of a case: what variables mean, which values of the file this server has others for, what the case itself sent, and which
 * objects the server made. All of it are facts in one list, newest first, so that a guess that did not hold is taken back by cutting the list. */
#ifndef TESTS_CONFORMANCE_MEMORY_H
#define TESTS_CONFORMANCE_MEMORY_H

#include "tests/conformance/case.h"

enum cf_kind {
    CF_VARIABLE, /* key: its name; value or number: what it means */
    CF_SERVERS,  /* key: a value of the file; value: the server's own in its place; owner: object */
    CF_SENT,     /* key: a value that the case itself sends */
    CF_DATE, /* tag, number: a date of the file (or its $NOW-60) that the case sends; said: the date that went out */
    CF_LAST, /* tag; value: the last one seen in an answer */
    CF_MADE, /* key: identifier of an object that the server made, or that hangs on one */
    CF_SUPPLIED /* key: identifier of an object that the case brought */
};
struct cf_fact {
    enum cf_kind kind;
    uint32_t tag;
    enum kmip_type type;
    struct klm_slice key, value, owner;
    int64_t number, said;
    const struct cf_fact *older;
};
struct cf_memory {
    struct klm_pool *pool;
    int64_t now; /* $NOW, seconds since 1970 */
    const struct cf_fact *newest;
    bool made; /* did the server make any object? */
    bool short_of_memory;
};

void cf_memory_init(struct cf_memory *memory, struct klm_pool *pool, int64_t now);
/* For the case that follows one it depends on: everything but the variables. */
void cf_memory_next_case(struct cf_memory *memory);
/* Add a fact; its slices are borrowed. */
void cf_remember(struct cf_memory *memory, struct cf_fact fact);
/* The newest fact of a kind with a key, or with a type and a key; NULL. */
const struct cf_fact *cf_fact(const struct cf_memory *memory, enum cf_kind kind,
                              struct klm_slice key);
const struct cf_fact *cf_fact_typed(const struct cf_memory *memory, enum cf_kind kind,
                                    enum kmip_type type, struct klm_slice key);
/* Was a date sent as this attribute? Any of the dates that went out for it may come back. */
bool cf_date_sent(const struct cf_memory *memory, uint32_t tag, int64_t number);
bool cf_date_is(const struct cf_memory *memory, uint32_t tag, int64_t number, int64_t got);

/* Was the object made by the server? Of one that nobody has seen: whether it made any. */
bool cf_is_made(const struct cf_memory *memory, struct klm_slice identifier);
bool cf_is_identifier(uint32_t tag);

/* A request as it goes out: a copy with the meaning of each variable, and with the server's own values for those of the file. KLM_E_NOTFOUND: a variable (named in
 * why) has no meaning yet; KLM_E_NOMEM. */
klm_rc cf_fill(struct cf_memory *memory, const struct kmip_node *request, struct kmip_node **out,
               char why[CF_WHY_MAX]) KLM_MUST_USE;
/* What an answer tells: last values by tag, and where objects come from. */
void cf_learn(struct cf_memory *memory, const struct kmip_node *request,
              const struct kmip_node *answer);

#endif
