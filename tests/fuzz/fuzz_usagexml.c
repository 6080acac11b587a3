/* Files of key usage events: every event that is read can be written, and is read back the same. */
#include "metadata/md.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

struct again {
    const struct md_usage *want;
    size_t n;
};

static klm_rc compare(void *arg, const struct md_usage *got)
{
    struct again *again = arg;
    const struct md_usage *want = again->want;

    must(got->time == want->time && !strcmp(got->drive, want->drive) &&
         !strcmp(got->wwn, want->wwn) && !strcmp(got->volser, want->volser) &&
         !strcmp(got->alias1, want->alias1) && !strcmp(got->alias2, want->alias2) &&
         !strcmp(got->dki, want->dki) && !strcmp(got->client, want->client));
    again->n++;
    return KLM_OK;
}

static klm_rc event(void *arg, const struct md_usage *usage)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    struct again again = {.want = usage};

    (void)arg;
    klm_buf_init(&buf, 8192);
    klm_buf_text(&buf, "<KeyUsageEvents>");
    must(md_xml_event(usage, &buf) == KLM_OK);
    klm_buf_text(&buf, "</KeyUsageEvents>");
    must(md_xml_parse(klm_buf_as_slice(&buf), compare, &again, NULL) == KLM_OK && again.n == 1);
    return KLM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_diag diag = {0};

    if (md_xml_parse(KLM_SLICE(data, size), event, NULL, &diag) != KLM_OK) {
        must(diag.msg != KLM_MSG_NONE);
    }
    return 0;
}
