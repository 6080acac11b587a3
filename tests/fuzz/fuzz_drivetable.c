/* filedrive.table: whatever is read can be imported, written, and is then ours, with the same drives; merging a file with
 * itself changes nothing. */
#include "drivetable/dt.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg;
    (void)severity;
    (void)line;
}

static void write_again(struct st_change *change, size_t count)
{
    KLM_AUTO(klm_buf_done) struct klm_buf first = {0}, second = {0};
    KLM_AUTO(dt_file_free) struct dt_file *file = NULL;
    struct dt_merge merge;

    klm_buf_init(&first, 1 << 26);
    klm_buf_init(&second, 1 << 26);
    must(dt_file_encode(st_change_view(change), 3, &first) == KLM_OK);
    must(dt_file_decode(klm_buf_as_slice(&first), NULL, &file) == KLM_OK);
    must(dt_file_intact(file) && dt_file_generation(file) == 3 && dt_file_count(file) == count);
    must(dt_file_merge(change, file, klm_buf_as_slice(&first), &merge) == KLM_OK);
    must(merge.added + merge.changed + merge.removed + merge.conflicts == 0);
    must(dt_file_import(change, file, true, &merge) == KLM_OK);
    must(merge.added + merge.changed + merge.removed + merge.conflicts == 0);
    must(dt_file_encode(st_change_view(change), 3, &second) == KLM_OK);
    must(klm_slice_equal(klm_buf_as_slice(&first), klm_buf_as_slice(&second)));
}

static void check(const struct dt_file *file)
{
    struct st_options options = {.home = "", .create = true};
    struct st_store *store = NULL;
    struct st_change *change = NULL;
    struct dt_merge merge;

    must(st_open_memory(&options, &store) == KLM_OK && st_change_open(store, &change) == KLM_OK);
    must(dt_file_import(change, file, false, &merge) == KLM_OK &&
         merge.added == dt_file_count(file));
    write_again(change, merge.added);
    st_change_drop(&change);
    st_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KLM_AUTO(dt_file_free) struct dt_file *file = NULL;
    struct klm_diag diag = {0};

    klm_say_to(quiet, NULL);
    if (dt_file_decode(KLM_SLICE(data, size), &diag, &file) == KLM_OK) {
        check(file);
    } else {
        must(diag.msg != KLM_MSG_NONE && file == NULL);
    }
    return 0;
}
