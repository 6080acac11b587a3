/* Aliases and ranges of stored keys, and symmetricKeySet: what is read is written and read again as the same; key identifiers lead back to an alias. */
#include "base/alias.h"
#include "parmlib/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void check_alias(const char *alias)
{
    char back[KLM_ALIAS_MAX + 1], next[KLM_ALIAS_MAX + 1];
    uint8_t id[KLM_KEY_ID];

    klm_alias_id(alias, id);
    must(klm_alias_of_id(id, klm_alias_sequential(alias), back) == KLM_OK && !strcmp(back, alias));
    memcpy(next, alias, sizeof next);
    if (klm_alias_next(next)) {
        must(strcmp(alias, next) < 0 && klm_alias_previous(next) && !strcmp(next, alias));
    }
}

static klm_rc check_item(void *arg, struct klm_slice item)
{
    char text[KLM_ALIAS_RUN_MAX];
    struct klm_alias_run run, again;

    (void)arg;
    if (klm_alias_run(item, &run) != KLM_OK) {
        return KLM_OK;
    }
    must(klm_alias_run_count(&run) > 0 && klm_alias_run_has(&run, run.first) &&
         klm_alias_run_has(&run, run.last) && klm_alias_runs_meet(&run, &run));
    klm_alias_run_text(&run, text);
    must(klm_alias_run(klm_slice_str(text), &again) == KLM_OK);
    must(!strcmp(run.first, again.first) && !strcmp(run.last, again.last));
    check_alias(run.first);
    check_alias(run.last);
    return KLM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *value = malloc(size + 1);

    must(value != NULL);
    if (size > 0) {
        memcpy(value, data, size);
    }
    value[size] = '\0';
    (void)parm_keyset_ok(value);
    must(parm_keyset_each(value, check_item, NULL) == KLM_OK);
    free(value);
    return 0;
}
