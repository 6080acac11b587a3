/* Which labels a write uses (exchange/PROTOCOL.md, labels): those the drive gives from its data class or DD, else the drive's own aliases, else the
 * defaults of the configuration. One label given is used for both. At least one private key must be here. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

static size_t take_given(const struct kx_label *given, size_t n, struct kx_label *out)
{
    size_t used = 0;

    for (size_t i = 0; i < n && used < KX_EEDKS; i++) {
        if (given[i].label[0]) {
            out[used++] = given[i];
        }
    }
    return used;
}

static size_t take_aliases(const char *alias1, const char *alias2, struct kx_label *out)
{
    const char *alias[] = {alias1, alias2};
    size_t used = 0;

    for (size_t i = 0; i < KLM_COUNT(alias); i++) {
        if (alias[i] && alias[i][0]) {
            out[used].encoding = KX_ENC_LABEL;
            snprintf(out[used].label, sizeof out[used].label, "%s", alias[i]);
            used++;
        }
    }
    return used;
}

static size_t pick(struct km_call *call, const char *serial, const struct kx_label *given,
                   size_t given_n, struct kx_label *out)
{
    const struct parm_config *config = call->state->config;
    struct dt_table *drives = km_drives(call->server);
    const struct dt_drive *drive;
    size_t n = take_given(given, given_n, out);

    if (n == 0 && dt_table_find(drives, serial, &drive) == KLM_OK) {
        n = take_aliases(drive->alias1, drive->alias2, out);
    }
    dt_table_free(&drives);
    if (n == 0) {
        n = take_aliases(parm_str(config, PARM_drive_default_alias1),
                         parm_str(config, PARM_drive_default_alias2), out);
    }
    if (n == 1) { /* one label given is used for both places */
        out[n++] = out[0];
    }
    return n;
}

/* A label may be written for when it is strong enough and its certificate is in its dates (cert.valiDATE). */
static klm_rc check_label(struct km_call *call, const struct kr_label *label)
{
    const struct parm_config *config = call->state->config;
    int64_t least = parm_num(config, PARM_key_minimum_rsa_write);
    klm_time now = klm_clock();

    if (label->spec.type == KR_RSA && label->spec.bits < least) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE31, KLM_MSG_LABEL_WEAK, label->label,
                         KLM_NUM(label->spec.bits), KLM_NUM(least));
    }
    if (parm_bool(config, PARM_cert_valiDATE) &&
        (now < label->not_before || now > label->not_after)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE31, KLM_MSG_LABEL_DATES, label->label);
    }
    return KLM_OK;
}

klm_rc km_labels_choose(struct km_call *call, const char *serial, const struct kx_label *given,
                        size_t given_n, struct km_labels *out)
{
    struct km_labels labels = {0};
    bool readable = false;

    labels.n = pick(call, serial, given, given_n, labels.name);
    if (labels.n == 0) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0xEE31, KLM_MSG_LABEL_NONE, serial);
    }
    for (size_t i = 0; i < labels.n; i++) {
        const struct kr_label *key;

        if (kr_label_find(call->state->keys, labels.name[i].label, &key) != KLM_OK) {
            return KM_REFUSE(call, KLM_E_NOTFOUND, 0xEE31, KLM_MSG_LABEL_UNKNOWN,
                             labels.name[i].label);
        }
        KLM_TRY(km_access_key(call, key->token_label, key->label));
        KLM_TRY(check_label(call, key));
        readable = readable || key->key;
        labels.key[i] = key;
    }
    if (!readable) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0xEE31, KLM_MSG_LABEL_NO_PRIVATE,
                         labels.name[0].label, labels.name[labels.n - 1].label);
    }
    *out = labels;
    return KLM_OK;
}
