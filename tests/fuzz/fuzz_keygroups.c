/* keygroups.xml: whatever is read can be merged into an empty store, and what the store shows then is read as ours. */
#include "metadata/keygroups.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(klm_rc rc)
{
    if (rc != KLM_OK) {
        abort();
    }
}

static void show(struct st_change *change)
{
    struct md_groups_file *file = NULL;
    struct klm_buf text;

    klm_buf_init(&text, MD_GROUPS_FILE_MAX);
    must(md_groups_encode(st_change_view(change), 1, &text));
    must(md_groups_decode(klm_buf_as_slice(&text), NULL, &file));
    if (!md_groups_intact(file)) {
        abort();
    }
    md_groups_file_free(&file);
    klm_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct st_options options = {.home = "", .create = true};
    struct md_groups_file *file = NULL;
    struct md_groups_merge merged;
    struct st_store *store;
    struct st_change *change;
    struct klm_diag diag = {0};

    if (md_groups_decode(KLM_SLICE(data, size), &diag, &file) != KLM_OK) {
        return 0;
    }
    must(st_open_memory(&options, &store));
    must(st_change_open(store, &change));
    must(md_groups_merge_file(change, file, (struct klm_slice){0}, NULL, NULL, &merged));
    show(change);
    st_change_drop(&change);
    st_close(&store);
    md_groups_file_free(&file);
    return 0;
}
