/* Pages of key usage events from another server: what passes the check is taken over, whole. */
#include "metadata/md.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

static struct st_store *store(void)
{
    static struct st_store *made;
    struct st_options options = {.home = "", .create = true};

    if (!made) {
        klm_say_to(quiet, NULL);
        if (st_open_memory(&options, &made) != KLM_OK) {
            abort();
        }
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct st_change *change = NULL;
    uint64_t number = 0;
    size_t taken = 0;
    klm_rc checked, took;

    if (st_change_open(store(), &change) != KLM_OK) {
        abort();
    }
    checked = md_page_check(st_change_view(change), KLM_SLICE(data, size), NULL);
    took = md_page_take(change, KLM_SLICE(data, size), &number, &taken, NULL);
    if (checked != took || (took == KLM_OK && number != taken)) {
        abort();
    }
    st_change_drop(&change);
    return 0;
}
