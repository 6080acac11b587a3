/* A drive listing: what is taken is a drive that the table can hold, once; the rest is refused with a reason. */
#include "drivetable/listing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

static void add_all(const struct dt_listing *list)
{
    struct st_options options = {.home = "", .create = true};
    struct st_store *store = NULL;
    struct st_change *change = NULL;

    must(st_open_memory(&options, &store) == KLM_OK && st_change_open(store, &change) == KLM_OK);
    for (size_t i = 0; i < list->n; i++) {
        must(list->at[i].refused || dt_add(change, &list->at[i].drive) == KLM_OK);
    }
    st_change_drop(&change);
    st_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct dt_listing list = {0};
    struct klm_diag diag = {0};

    must(klm_pool_new(256 << 20, &pool) == KLM_OK);
    if (dt_listing_read(KLM_SLICE(data, size), pool, &diag, &list) == KLM_OK) {
        must(list.n > 0);
        add_all(&list);
    } else {
        must(diag.msg != KLM_MSG_NONE && list.n == 0);
    }
    return 0;
}
