/* smf.cursor: what is read is exactly what would be written, or refused. */
#include "smf/dataset_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct smf_ds_cursor cursor;
    char *text = calloc(1, n + 1), again[SMF_DS_CURSOR_MOST];

    if (!text) {
        return 0;
    }
    memcpy(text, p, n);
    if (smf_ds_cursor_parse(text, &cursor) == KLM_OK) {
        smf_ds_cursor_print(&cursor, again);
        if (strcmp(again, text) != 0 || strchr(cursor.name, '/')) {
            abort();
        }
    }
    free(text);
    return 0;
}
