/* Properties files: whatever the bytes, reading ends, what was read can be written and read again,
 * and a change changes one thing. */
#include "parmlib/parm.h"
#include "parmlib/properties.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

/* Each entry as our own line reads back as the same two strings. */
static void check_entry(const struct parm_entry *entry)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_entries again;

    klm_buf_init(&buf, 1 << 21);
    parm_properties_put(&buf, entry->name, entry->value);
    must(klm_buf_rc(&buf) == KLM_OK && klm_pool_new(0, &pool) == KLM_OK);
    if (buf.n > PARM_LINE_MAX) {
        return;
    }
    must(parm_properties_read(klm_buf_as_slice(&buf), "again", pool, NULL, &again) == KLM_OK);
    must(again.n == 1 && !strcmp(again.at[0].name, entry->name) &&
         !strcmp(again.at[0].value, entry->value));
}

static void check_change(struct klm_slice text, const char *name, const char *value)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    klm_rc rc;

    klm_buf_init(&out, 2 * PARM_FILE_MAX);
    rc = parm_properties_change(text, "change", name, value, NULL, &out);
    /* Without its one line that was no UTF-8 a text may become UTF-8, and is then refused. */
    must(rc != KLM_E_INTERNAL || !parm_is_utf8(text));
}

static void check_syntax(struct klm_slice text)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_entries entries;
    struct klm_diag diag = {0};

    must(klm_pool_new(0, &pool) == KLM_OK);
    if (parm_properties_read(text, "fuzz", pool, &diag, &entries) != KLM_OK) {
        must(diag.msg != KLM_MSG_NONE);
        return;
    }
    for (size_t i = 0; i < entries.n && i < 50; i++) {
        must(entries.at[i].begin < entries.at[i].end && entries.at[i].end <= text.n);
        check_entry(&entries.at[i]);
    }
    check_change(text, "debug", "a\\ b");
    check_change(text, "debug", NULL);
    if (entries.n) {
        check_change(text, entries.at[entries.n / 2].name, NULL);
        check_change(text, entries.at[entries.n / 2].name, "");
    }
}

static void check_values(struct klm_slice text)
{
    KLM_AUTO(parm_free) struct parm_config *config = NULL;
    KLM_AUTO(parm_free) struct parm_config *changed = NULL;
    struct klm_diag diag = {0};

    if (parm_load_text(text, "/etc/isklm/fuzz", true, &diag, &config) != KLM_OK) {
        must(config == NULL && diag.msg != KLM_MSG_NONE);
        return;
    }
    must(parm_tls_min(config) <= parm_tls_max(config));
    must(parm_with(config, "debug", "none", &diag, &changed) == KLM_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char required[] =
        "\nAudit.metadata.file.name=/m\nconfig.drivetable.file.url=/"
        "d\nconfig.keystore.file=safkeyring://A/B\n"
        "TransportListener.ssl.keystore.name=safkeyring://A/B\nTransportListener.ssl.port=1\n";
    KLM_AUTO(klm_buf_done) struct klm_buf whole;

    check_syntax(KLM_SLICE(p, n));
    check_values(KLM_SLICE(p, n));
    klm_buf_init(&whole, 1 << 21);
    klm_buf_put(&whole, p, n);
    klm_buf_text(&whole, required);
    check_values(klm_buf_as_slice(&whole));
    return 0;
}
