/* Records of managed objects. A record is damage, or is written back byte for byte; then it is found by each of its own attributes, in its device group and in all,
 * and nothing of it is left in the store when it is deleted. */
#include "metadata/object.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void same_bytes(const struct md_object *object, struct klm_slice in)
{
    struct klm_buf buf;

    klm_buf_init(&buf, ST_RECORD_MAX);
    must(md_object_encode(object, &buf) == KLM_OK);
    must(klm_slice_equal(klm_buf_as_slice(&buf), in));
    klm_buf_done(&buf);
}

static klm_rc count(void *arg, const struct md_object *object)
{
    must(object->type != 0);
    ++*(unsigned *)arg;
    return KLM_OK;
}

/* How often it is found by one value; *rc KLM_E_LIMIT: the value is too large for a search. */
static unsigned found(struct st_view *view, const char *group, const struct kmip_node *value,
                      klm_rc *rc)
{
    const struct md_locate search = {.group = group, .filter = &value, .filters = 1, .storage = 7};
    unsigned n = 0;
    uint64_t total;

    *rc = md_locate(view, &search, count, &n, &total);
    must(*rc == KLM_E_LIMIT || (*rc == KLM_OK && total == n));
    return n;
}

/* Values that are looked for by another rule than that of their attribute: State by what it is now, numbers of Usage Limits and masks by their type. */
static bool by_value(const struct kmip_node *value)
{
    return value->tag != KMIP_TAG_State && value->tag != KMIP_TAG_UsageLimits &&
           value->tag != KMIP_TAG_CryptographicUsageMask;
}

static void try_search(struct st_view *view, const struct md_object *object)
{
    for (size_t i = 0; i < object->attrs.n && i < 16; i++) {
        const struct kmip_node *value = object->attrs.at[i].value;
        klm_rc rc;
        unsigned n = found(view, object->group, value, &rc);

        must(rc != KLM_OK || !by_value(value) || n == 1);
        n = found(view, NULL, value, &rc);
        must(rc != KLM_OK || !by_value(value) || n == 1);
    }
}

static klm_rc none(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)arg, (void)key, (void)record, (void)damaged;
    abort();
}

static void try_store(const struct md_object *object)
{
    const struct st_options options = {.create = true};
    struct st_store *store;
    struct st_change *change;

    must(st_open_memory(&options, &store) == KLM_OK);
    must(st_change_open(store, &change) == KLM_OK);
    must(md_object_add(change, object) == KLM_OK);
    must(md_object_put(change, object) == KLM_OK);
    try_search(st_change_view(change), object);
    must(md_object_delete(change, object->uid) == KLM_OK);
    must(st_scan(st_change_view(change), ST_OBJECT, NULL, none, NULL) == KLM_OK);
    must(st_scan(st_change_view(change), ST_OBJECT_INDEX, NULL, none, NULL) == KLM_OK);
    st_change_drop(&change);
    st_close(&store);
}

static void try_object(const struct md_object *object, struct klm_pool *pool)
{
    const uint32_t state = md_object_state(object, 0);
    struct md_attrs now;

    must(md_object_attrs_now(object, 0, pool, &now) == KLM_OK);
    must(!state || (uint32_t)md_attr_number(&now, KMIP_TAG_State, 0) == state);
    must(now.n >= object->attrs.n + 2);
    try_store(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct klm_slice in = {data, size};
    struct klm_pool *pool;
    struct md_object object;
    klm_rc rc;

    must(klm_pool_new(0, &pool) == KLM_OK);
    rc = md_object_decode(in, pool, &object);
    must(rc == KLM_OK || rc == KLM_E_CORRUPT);
    if (rc == KLM_OK) {
        same_bytes(&object, in);
        try_object(&object, pool);
    }
    klm_pool_free(&pool);
    return 0;
}
